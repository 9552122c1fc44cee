"""Whole searches for the equilibrium states by the plans of ``tempering.py``.

All get the same number of gradient evaluations. A search depends on (seed, plan, run, replica,
stretch) alone, so interrupted searches and other numbers of threads give the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.states import load_state, save_state
from wlnn.base.streams import EXCHANGES, generator
from wlnn.canonical import columns, langevin
from wlnn.canonical import tempering as seek
from wlnn.settings.canonical import AS_DRAWN
from wlnn.settings.tables import SeekSettings, Settings
from wlnn.tasks.field import Field, field_of, field_on
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


class Quest:
    """What the runs of a search share; each replica has a compiled system of its own."""

    def __init__(
        self, problem: Problem, settings: Settings, name: str, field: Field | None = None
    ):  # fmt: skip
        self.problem, self.settings, self.name = problem, settings.seek, name
        self.field = field or field_of(problem)
        md = settings.md
        self.plan = make_plan(name, self.settings)
        self.motion = langevin.make_motion(md.dt, md.friction, md.thermostat_every)
        self.systems: dict[int, object] = {}

    def replicas_of(self, numbers: tuple[int, ...]) -> list[int]:
        """The numbers of the replicas of some runs."""
        each = self.plan.temperatures.shape[1]
        return [each * number + k for number in numbers for k in range(each)]

    def systems_of(self, replicas: list[int]) -> list | None:
        """Their compiled systems, None where there are none."""
        make = self.problem.gradient_system if self.field.compiled else None
        for r in replicas if make else ():
            if r not in self.systems:
                self.systems[r] = make()
        return [self.systems[r] for r in replicas] if make else None


class Sought(NamedTuple):
    """Runs that go on together: one where it is compiled, and else all."""

    numbers: tuple[int, ...]
    walkers: langevin.Walkers  # of all their replicas
    coldest: np.ndarray  # (R, k, N_COLUMNS); NaN where a run diverged
    swaps: np.ndarray  # (R, K - 1) exchanges accepted since the search went on


@alone
def search(
    problem: Problem,
    settings: Settings,
    name: str,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    metric: str | None = None,
    executor: Executor | None = None,
    make_problem: Callable[[], Problem] | None = None,
    device=None,
) -> Search:
    """All runs of one of :data:`PLANS`.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-regress", layers=1, width=4, points=8)
        >>> problem = wlnn.NetworkVariables(task).problem()  # with its gradient
        >>> settings = wlnn.read_table("spiral-regress", "quick")
        >>> found = wlnn.seek(problem, settings, "annealing")
        >>> x, ln_test_loss = found.last()  # means of every run over its last tenth
        >>> x.shape
        (4,)

    Args:
        settings: the sections "seek" and "md" (time step, friction, start_x).
        metric: the test quantity, of :func:`metrics_of`; the first of them if None.
        directory: where ``seek-<name>.npz`` goes; what is there is continued.
        report: called with a :class:`wlnn.base.running.Report` of the coldest replicas.
        executor: any ``concurrent.futures.Executor`` in the place of threads; changes no bit.
        make_problem: makes the problem in a worker, where it cannot be pickled.
        device: "cuda" or "cuda:1", where all replicas of all runs move at once; see ``simulate``.

    Raises:
        UserError: wrong settings, a damaged checkpoint, or every run diverged.
        DeviceError: a device that cannot be used, or too little memory there.
        Interrupted: on Ctrl-C; every finished stretch is saved.
    """
    own = settings.seek
    n, replicas = make_plan(name, own).temperatures.shape
    everybody = tuple(range(own.runs))
    size, key = own.runs * replicas, PLANS.index(name)
    quest = Quest(problem, settings, name, field_on(problem, device, size, 0, directory))
    if not quest.field.compiled:
        executor = None
    path = None if directory is None else Path(directory) / f"seek-{name}.npz"
    found = _load(path, name, size, own.runs, problem)
    if found:
        walkers, coldest, before = found
    else:
        rngs, drawn = [generator(own.seed, key, r, 0) for r in range(size)], problem
        if settings.md.start_x < AS_DRAWN:  # not among the evaluations: some hundred each
            drawn = starting_below(problem, settings.md.start_x)
        first = np.tile(quest.plan.temperatures[0], own.runs)
        walkers = langevin.start(drawn, first, rngs)
        coldest = [np.zeros((0, columns.N_COLUMNS))] * own.runs
        before = np.zeros(replicas - 1, int)
    units = []
    each = problem.gradient_system and quest.field.compiled
    for numbers in [(m,) for m in everybody] if each else [everybody]:
        chosen = langevin.Walkers(*(part[quest.replicas_of(numbers)] for part in walkers))
        rows = np.stack([coldest[m] for m in numbers])
        units.append(Sought(numbers, chosen, rows, np.zeros((len(numbers), replicas - 1), int)))
    if problem.gradient_system:  # no steps: what Numba compiles, it compiles here
        with Clocks(report, None).compiling():
            first, replicas_of = units[0], quest.replicas_of(units[0].numbers)
            rngs = [generator(own.seed, key, r, 0) for r in replicas_of]
            systems = quest.systems_of(replicas_of)
            langevin.advance(problem, first.walkers, quest.motion, 0, rngs, systems)

    def save(units: list[Sought]) -> None:
        if path is not None:
            _save(path, name, units, before)

    def part(units: list[Sought]) -> float:
        return sum(unit.coldest.shape[1] for unit in units) / (n * len(units))

    def saw(units: list[Sought]) -> None:
        clocks.saw(part(units), lambda: _line(units), units)

    def done(unit: Sought) -> bool:
        return unit.coldest.shape[1] >= n

    def trial(steps: int) -> None:
        rngs = [np.random.default_rng(0)] * size
        langevin.advance(problem, walkers, quest.motion, steps, rngs, field=quest.field)

    clocks = Clocks(report, save, part(units))
    if quest.field.compiled:
        clocks.tell(quest.field.pace(problem, size, n * own.stretch, size, trial))
    make = make_problem or partial(itself, problem)
    with (
        stoppable() as stop,
        executor_of(threads, executor=executor) as executor,
        Shared(partial(_quest, make, settings, name), quest) as shared,
        clocks.saving(),
    ):
        units = run_units(stretch, shared, units, done, executor, stop, saw)
    if clocks.first < 1:
        save(units)
    if not all(done(unit) for unit in units):
        raise Interrupted
    accepted = (before + sum(unit.swaps.sum(0) for unit in units)) / own.runs
    rows = np.concatenate([unit.coldest for unit in units])
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


def _quest(make: Callable[[], Problem], settings: Settings, name: str) -> Quest:
    """What a worker process makes for itself."""
    return Quest(make(), settings, name)


def stretch(quest: Quest, unit: Sought, seconds: float, stop: np.ndarray) -> Sought:
    """Some stretches of the plan, for the runs of one unit."""
    until, own, key = time.monotonic() + seconds, quest.settings, PLANS.index(quest.name)
    numbers, walkers, before, swaps = unit
    replicas, rows = quest.replicas_of(numbers), []

    def random(k: int, shape: tuple[int, int]) -> np.ndarray:
        """Numbers of [0, 1): those of all runs are drawn, whoever is here."""
        drawn = generator(own.seed, key, EXCHANGES, k).random((own.runs, shape[1]))
        return drawn[list(numbers)]

    for k in range(before.shape[1], len(quest.plan.temperatures)):
        if stop[0] or (rows and time.monotonic() > until):
            break
        found = seek.follow(
            quest.problem,
            quest.plan,
            k,
            walkers,
            quest.motion,
            own.stretch,
            [generator(own.seed, key, r, 1 + k) for r in replicas],
            partial(random, k),
            quest.systems_of(replicas),
            stop,
            field=quest.field,
        )
        if found is None:
            break
        walkers = found.walkers
        rows.append(np.where(found.diverged[:, None], np.nan, found.coldest))
        swaps = swaps + found.accepted
    coldest = np.concatenate([before, np.stack(rows, 1)], 1) if rows else before
    return Sought(numbers, walkers, coldest, swaps)


def _line(units: list[Sought]) -> str:
    last = np.concatenate([unit.coldest[:, -1:, columns.X].ravel() for unit in units])
    sound = last[np.isfinite(last)]
    return f"ln L {sound.mean():.2f}" if sound.size else ""


def metrics_of(problem: Problem) -> tuple[str, ...]:
    """The test quantities that a search has, by the names of records; the usual one first."""
    theta = problem.start(np.random.default_rng(0), 1)
    if problem.evaluate(np, theta)[2] is None:
        return (problem.about.get("y", "y"),)
    return ("test-accuracy", *["smoothed-accuracy"] * (problem.accuracy_at is not None))


def _save(path: Path, name: str, units: list[Sought], before: np.ndarray) -> None:
    """Records as far as all runs have them, and what some have more."""
    rows = [rows for unit in units for rows in unit.coldest]
    common = min(len(row) for row in rows)
    parts = zip(*(unit.walkers for unit in units), strict=True)
    arrays = langevin.Walkers(*(np.concatenate(part) for part in parts))._asdict()
    arrays["records"] = np.stack([row[:common] for row in rows], 1)
    arrays["accepted"] = (before + sum(unit.swaps.sum(0) for unit in units)) / len(rows)
    arrays |= {f"ahead.{m}": row[common:] for m, row in enumerate(rows) if len(row) > common}
    save_state(path, {"kind": "seek", "name": name}, arrays=arrays)


def _load(path: Path | None, name: str, size: int, runs: int, problem: Problem):
    """Walkers, records of each run, and how many exchanges all of them accepted."""
    wanted = ("records", "accepted", *langevin.Walkers._fields)
    found = load_state(path, {"kind": "seek", "name": name}, "this search", arrays=wanted)
    if found is None:
        return None
    arrays = found.arrays
    if arrays["theta"].shape != (size, problem.n_parameters):
        raise UserError(f"{path}: has other walkers than this search; delete it.")
    walkers = langevin.Walkers(*(arrays[field] for field in langevin.Walkers._fields))
    records = arrays["records"].reshape(-1, runs, columns.N_COLUMNS)
    none = records[:0, 0]
    coldest = [np.concatenate([records[:, m], arrays.get(f"ahead.{m}", none)]) for m in range(runs)]
    return walkers, coldest, np.rint(arrays["accepted"] * runs).astype(int)


def identity(problem: Problem, settings: Settings) -> dict:
    """What two searches must share to be one."""
    return problem.identity("seek", seek=settings.seek, md=settings.md, train=settings.train)
