"""A whole run of molecular dynamics on the training loss: independent walkers, records, averages.

A walker depends on (seed, its number) alone: stream 0 of it starts it, stream 1 + k makes record k.
A run that was interrupted anywhere, or has another number of threads, gives the same bits. What a
step computes is in ``langevin.py``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import executor_of
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.streams import generator
from wlnn.canonical import columns, langevin
from wlnn.canonical.trajectories import FILE, Trajectories
from wlnn.settings.canonical import AS_DRAWN
from wlnn.settings.tables import MDSettings
from wlnn.tasks.check import checked_smooth, uncompiled
from wlnn.tasks.problem import Problem
from wlnn.wlmd.start import starting_below


@alone
def simulate(
    problem: Problem,
    settings: MDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
) -> Trajectories:
    """Molecular dynamics on the training loss of a problem: independent walkers from its start.

    Args:
        problem: see :class:`Problem`, with its gradient; x must be ln(train loss).
        settings: temperature, steps, time step, friction, walkers.
        directory: where ``md.npz`` goes; an interrupted run of the same settings is continued.
        threads: walkers that run at a time, where the problem is compiled; changes no bit.
        report: called with a :class:`wlnn.base.running.Report` about twice a second.
        notes: stored in ``run.json``.

    Raises:
        UserError: wrong settings, a directory of another run, or no walker left.
        Interrupted: on Ctrl-C; every finished record is saved.
    """
    problem, clocks = checked_smooth(problem), Clocks(report, None)
    clocks.tell(uncompiled(problem))
    with clocks.compiling():
        found = _begin(problem, settings, directory, notes)
        motion = langevin.make_motion(settings.dt, settings.friction, settings.thermostat_every)
        make = problem.gradient_system
        systems = make and [make() for _ in range(settings.walkers)]
        if systems:  # a stretch of no steps: what Numba compiles, it compiles here
            rngs = [generator(settings.seed, r, 0) for r in range(settings.walkers)]
            langevin.advance(problem, found.walkers, motion, 0, rngs, systems)
    walkers, n = found.walkers, settings.steps // settings.record
    records, done = list(found.records.transpose(1, 0, 2)), found.records.shape[1]
    alive = np.isfinite(found.records).all((1, 2))

    def so_far() -> Trajectories:
        rows = np.array(records).reshape(len(records), len(alive), columns.N_COLUMNS)
        return Trajectories(rows.transpose(1, 0, 2), walkers, found.meta)

    def save(_=None) -> None:
        if directory is not None:
            so_far().save(Path(directory) / FILE)

    clocks = Clocks(report, save, done / n)
    with stoppable() as stop, executor_of(threads) as pool:
        for k in range(done, n):
            chosen = np.flatnonzero(alive)
            stretch = langevin.advance(
                problem,
                langevin.Walkers(*(part[chosen] for part in walkers)),
                motion,
                settings.record,
                [generator(settings.seed, r, 1 + k) for r in chosen],
                systems and [systems[r] for r in chosen],
                stop,
                pool.map if threads > 1 else map,
            )
            if stretch is None:
                save()
                raise Interrupted
            theta, u = walkers.theta.copy(), walkers.u.copy()
            theta[chosen], u[chosen] = stretch.walkers.theta, stretch.walkers.u
            walkers = walkers._replace(theta=theta, u=u)
            row = np.full((len(alive), columns.N_COLUMNS), np.nan)
            row[chosen[~stretch.diverged]] = stretch.records[~stretch.diverged]
            records.append(row)
            alive[chosen[stretch.diverged]] = False
            step = (k + 1) * settings.record
            lost = tuple(
                f"walker {r} diverged before step {step}; it is left out of all averages."
                for r in chosen[stretch.diverged]
            )
            if not alive.any():
                raise UserError("every walker diverged: the time step is too large; lower md.dt.")
            clocks.saw((k + 1) / n, lambda row=row: _line(row[alive], found.meta), None, lost)
        if done < n:
            save()
    return so_far()


def _begin(problem, settings: MDSettings, directory, notes) -> Trajectories:
    """The checkpoint of a run directory, or walkers at their start and no records."""
    if directory is not None:
        store.open_run(directory, problem.identity("md", md=settings), notes)
        path = Path(directory) / FILE
        if path.exists():
            found = Trajectories.load(path)
            if found.walkers.theta.shape != (settings.walkers, problem.n_parameters):
                raise UserError(f"{path}: has other walkers than this run; delete it.")
            return replace(found, meta={**found.meta, "md": asdict(settings)})  # maybe lengthened
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
