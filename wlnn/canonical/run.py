"""A whole run of molecular dynamics on the training loss: independent walkers, records, averages.

A walker depends on (seed, its number) alone, and record k of it on a generator of its own; so a run
that was interrupted anywhere, or has another number of threads, gives the same bits. What a step
computes is in ``langevin.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted, stoppable
from wlnn.canonical import columns, langevin
from wlnn.canonical.trajectories import FILE, Trajectories
from wlnn.settings.canonical import AS_DRAWN
from wlnn.settings.tables import MDSettings
from wlnn.tasks.check import checked_smooth
from wlnn.tasks.problem import SmoothProblem
from wlnn.wlmd.start import starting_below

COMPILING = "compiling, once per kind of network"
SAVE_EVERY = 10.0  # seconds between checkpoints; changes no bit of the result
REPORT_EVERY = 0.5  # seconds


class Progress(NamedTuple):
    """Where a run stands."""

    part: float
    line: str
    note: str


@alone
def simulate(
    problem: SmoothProblem,
    settings: MDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Progress], None] | None = None,
    notes: dict | None = None,
) -> Trajectories:
    """Molecular dynamics on the training loss of a problem: independent walkers from its start.

    Args:
        problem: see :class:`wlnn.collective.SmoothProblem`; x must be ln(train loss).
        settings: temperature, steps, time step, friction, walkers.
        directory: where ``md.npz`` goes; an interrupted run of the same settings is continued.
        threads: walkers that run at a time, where the problem is compiled; changes no bit.
        report: called with a :class:`Progress` about twice a second.
        notes: stored in ``run.json``.

    Raises:
        UserError: wrong settings, a directory of another run, or no walker left.
        Interrupted: on Ctrl-C; every finished record is saved.
    """
    problem = checked_smooth(problem)
    report = report or (lambda _: None)
    compiling = Timer(1.5, lambda: report(Progress(0.0, "", COMPILING)))
    compiling.daemon = True
    if problem.system is not None:
        compiling.start()
    try:
        found = _begin(problem, settings, directory, notes)
    except BaseException:
        compiling.cancel()
        raise
    motion = langevin.make_motion(settings.dt, settings.friction, settings.thermostat_every)
    walkers, n = found.walkers, settings.steps // settings.record
    records, done = list(found.records.transpose(1, 0, 2)), found.records.shape[1]
    alive = np.isfinite(found.records).all((1, 2))
    systems = None if problem.system is None else [problem.system() for _ in range(len(alive))]
    saved, said = time.monotonic(), 0.0
    if done == n:
        compiling.cancel()

    def so_far() -> Trajectories:
        rows = np.array(records).reshape(len(records), len(alive), columns.N_COLUMNS)
        return Trajectories(rows.transpose(1, 0, 2), walkers, found.meta)

    def save() -> None:
        if directory is not None:
            so_far().save(Path(directory) / FILE)

    with stoppable() as stop, ThreadPoolExecutor(threads) as pool:
        for k in range(done, n):
            chosen = np.flatnonzero(alive)
            stretch = langevin.advance(
                problem,
                langevin.Walkers(*(part[chosen] for part in walkers)),
                motion,
                settings.record,
                [generator(settings.seed, r, 1 + k) for r in chosen],
                None if systems is None else [systems[r] for r in chosen],
                stop,
                pool.map if threads > 1 else map,
            )
            compiling.cancel()
            if stretch is None:
                save()
                raise Interrupted(None)
            theta, u = walkers.theta.copy(), walkers.u.copy()
            theta[chosen], u[chosen] = stretch.walkers.theta, stretch.walkers.u
            walkers = walkers._replace(theta=theta, u=u)
            row = np.full((len(alive), columns.N_COLUMNS), np.nan)
            row[chosen[~stretch.diverged]] = stretch.records[~stretch.diverged]
            records.append(row)
            alive[chosen[stretch.diverged]] = False
            part, step = (k + 1) / n, (k + 1) * settings.record
            for r in chosen[stretch.diverged]:
                words = f"walker {r} diverged before step {step}; it is left out of all averages."
                report(Progress(part, "", words))
            if not alive.any():
                raise UserError("every walker diverged: the time step is too large; lower md.dt.")
            now = time.monotonic()
            if now - said > REPORT_EVERY or k + 1 == n:
                said = now
                report(Progress(part, _line(row[alive], found.meta), ""))
            if now - saved > SAVE_EVERY or k + 1 == n:
                saved = now
                save()
    return so_far()


def generator(seed: int, walker: int, number: int) -> np.random.Generator:
    """Stream ``number`` of a walker: 0 starts it, 1 + k moves it during record k."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(walker, number)))


def _begin(problem, settings: MDSettings, directory, notes) -> Trajectories:
    """The checkpoint of a run directory, or walkers at their start and no records."""
    if directory is not None:
        identity = {
            "task": problem.name,
            "sampler": "md",
            "problem": problem.about,
            "parameters": problem.n_parameters,
            "md": asdict(settings),
        }
        store.open_run(directory, identity, {**(notes or {}), "versions": store.versions()})
        path = Path(directory) / FILE
        if path.exists():
            found = Trajectories.load(path)
            if found.walkers.theta.shape != (settings.walkers, problem.n_parameters):
                raise UserError(f"{path}: has other walkers than this run; delete it.")
            return found
    rngs = [generator(settings.seed, r, 0) for r in range(settings.walkers)]
    if settings.start_x < AS_DRAWN:
        problem = starting_below(problem, settings.start_x)
    walkers = langevin.start(problem, np.full(settings.walkers, settings.temperature), rngs)
    accuracy = problem.evaluate(np, walkers.theta)[2] is not None
    meta = {
        "task": problem.about or {"task": problem.name},
        "md": asdict(settings),
        "accuracy": accuracy,
        "metric": "test accuracy" if accuracy else problem.names[1],
        "versions": store.versions(),
    }
    return Trajectories(np.empty((settings.walkers, 0, columns.N_COLUMNS)), walkers, meta)


def _line(rows: np.ndarray, meta: dict) -> str:
    column = columns.MEAN_ACCURACY if meta["accuracy"] else columns.MEAN_Y
    return (
        f"train loss {rows[:, columns.LOSS].mean():.3g}  {meta['metric']} "
        f"{rows[:, column].mean():.3f}  kinetic T / T {rows[:, columns.KINETIC].mean():.3f}"
    )
