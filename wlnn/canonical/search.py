"""Whole searches for the equilibrium states by the plans of ``tempering.py``.

All get the same number of gradient evaluations. A search depends on (seed, plan, run, replica,
stretch) alone, so interrupted searches and other numbers of threads give the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import executor_of
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.streams import EXCHANGES, generator
from wlnn.canonical import columns, langevin
from wlnn.canonical import tempering as seek
from wlnn.settings.canonical import AS_DRAWN
from wlnn.settings.tables import SeekSettings, Settings
from wlnn.tasks.problem import Problem
from wlnn.wlmd.start import starting_below

PLANS = ("langevin", "annealing", "tempering")


class Search(NamedTuple):
    """Where the independent runs of one method have been."""

    name: str
    evaluations: np.ndarray  # (n,) gradient evaluations of a run before each record
    x: np.ndarray  # (M, n) ln(train loss)
    metric: np.ndarray  # (M, n) the test quantity
    accepted: np.ndarray  # (K - 1,) share of exchanges accepted, by pair; empty for one replica
    accuracy: np.ndarray | None = None  # (M, n) the true one, where the metric is a smoothed one

    def last(self) -> tuple[np.ndarray, np.ndarray]:
        """Means ``(M,)`` of x and of the test quantity over the last tenth of a run."""
        tenth = max(1, len(self.evaluations) // 10)
        return self.x[:, -tenth:].mean(1), self.metric[:, -tenth:].mean(1)

    def near(self, x: float, width: float) -> np.ndarray:
        """Mean test quantity of the states within ``width`` of x, of each run that came there."""
        inside = np.abs(self.x - x) <= width
        counts = inside.sum(1)
        sums = np.where(inside, self.metric, 0).sum(1)
        return sums[counts > 0] / counts[counts > 0]


def make_plan(name: str, settings: SeekSettings) -> seek.TemperaturePlan:
    """The plan of one of :data:`PLANS` that uses up the gradient evaluations of the settings."""
    n = settings.evaluations // settings.stretch
    if name == "langevin":
        return seek.constant(settings.low, n)
    if name == "annealing":
        return seek.annealing(settings.high, settings.low, n)
    replicas = settings.replicas
    return seek.tempering(settings.high, settings.low, replicas, n // replicas)


@alone
def search(
    problem: Problem,
    settings: Settings,
    name: str,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    metric: str | None = None,
) -> Search:
    """All runs of one of :data:`PLANS`.

    Args:
        settings: the sections "seek" and "md" (time step, friction, start_x).
        metric: the test quantity, of :func:`metrics_of`; the first of them if None.
        directory: where ``seek-<name>.npz`` goes; what is there is continued.
        report: called with a :class:`wlnn.base.running.Report` of the coldest replicas.

    Raises:
        UserError: wrong settings, a damaged checkpoint, or every run diverged.
        Interrupted: on Ctrl-C; every finished stretch is saved.
    """
    own, md = settings.seek, settings.md
    plan = make_plan(name, own)
    n, replicas = plan.temperatures.shape
    size, key = own.runs * replicas, PLANS.index(name)
    motion = langevin.make_motion(md.dt, md.friction, md.thermostat_every)
    path = None if directory is None else Path(directory) / f"seek-{name}.npz"
    if path is not None and path.exists():
        walkers, records, accepted = _load(path, name, size, problem)
    else:
        rngs, drawn = [generator(own.seed, key, r, 0) for r in range(size)], problem
        if md.start_x < AS_DRAWN:  # the way down is not among the evaluations: some hundred each
            drawn = starting_below(problem, md.start_x)
        walkers = langevin.start(drawn, np.tile(plan.temperatures[0], own.runs), rngs)
        records, accepted = [], np.zeros(replicas - 1)
    make = problem.gradient_system
    systems = make and [make() for _ in range(size)]
    if systems:  # a stretch of no steps: what Numba compiles, it compiles here
        with Clocks(report, None).compiling():
            rngs = [generator(own.seed, key, r, 0) for r in range(size)]
            langevin.advance(problem, walkers, motion, 0, rngs, systems)

    def save(_=None) -> None:
        if path is not None:
            arrays = {"records": np.array(records), "accepted": accepted, **walkers._asdict()}
            store.save(path, arrays, {"kind": "seek", "name": name})

    done = len(records)
    clocks = Clocks(report, save, done / n)
    with stoppable() as stop, executor_of(threads) as pool:
        for k in range(done, n):
            found = seek.follow(
                problem,
                plan,
                k,
                walkers,
                motion,
                own.stretch,
                [generator(own.seed, key, r, 1 + k) for r in range(size)],
                generator(own.seed, key, EXCHANGES, k),
                systems,
                stop,
                pool.map if threads > 1 else map,
            )
            if found is None:
                save()
                raise Interrupted
            walkers = found.walkers
            coldest = np.where(found.diverged[:, None], np.nan, found.coldest)
            records.append(coldest)
            accepted = accepted + found.accepted.mean(0)
            clocks.saw((k + 1) / n, lambda coldest=coldest: _line(coldest), None)
        if done < n:
            save()
    rows = np.array(records).transpose(1, 0, 2)
    rows = rows[np.isfinite(rows).all((1, 2))]  # a run that diverged once is left out of all means
    if not len(rows):
        raise UserError(f"every run of {name} diverged: the time step is too large; lower md.dt.")
    metric = metric or metrics_of(problem)[0]
    y, accuracy = rows[:, :, columns.Y], rows[:, :, columns.ACCURACY]
    smoothed = metric == "smoothed-accuracy"
    if smoothed:  # the axis in use is a function of it
        y = np.clip(problem.accuracy_at(np, y), 0, 1)
    per_parity = max(1, n // 2)  # a pair is looked at in every other stretch
    return Search(
        name,
        own.stretch * replicas * np.arange(n),
        rows[:, :, columns.X],
        accuracy if metric == "test-accuracy" else y,
        accepted / per_parity,
        accuracy if smoothed else None,
    )


def _line(coldest: np.ndarray) -> str:
    sound = coldest[np.isfinite(coldest[:, columns.X]), columns.X]
    return f"ln L {sound.mean():.2f}" if sound.size else ""


def metrics_of(problem: Problem) -> tuple[str, ...]:
    """The test quantities that a search has, by the names of records; the usual one first."""
    theta = problem.start(np.random.default_rng(0), 1)
    if problem.evaluate(np, theta)[2] is None:
        return (problem.about.get("y", "y"),)
    return ("test-accuracy", *["smoothed-accuracy"] * (problem.accuracy_at is not None))


def _load(path: Path, name: str, size: int, problem: Problem):
    arrays, meta = store.load(path)
    wanted = {"records", "accepted", *langevin.Walkers._fields}
    if meta.get("kind") != "seek" or meta.get("name") != name or wanted - set(arrays):
        raise UserError(f"{path}: is no checkpoint of this search; delete it.")
    if arrays["theta"].shape != (size, problem.n_parameters):
        raise UserError(f"{path}: has other walkers than this search; delete it.")
    walkers = langevin.Walkers(*(arrays[field] for field in langevin.Walkers._fields))
    return walkers, list(arrays["records"]), arrays["accepted"]


def identity(problem: Problem, settings: Settings) -> dict:
    """What two searches must share to be one."""
    return problem.identity("seek", seek=settings.seek, md=settings.md, train=settings.train)
