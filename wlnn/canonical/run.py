"""A whole run of molecular dynamics on the training loss: independent walkers, records, averages.

A walker depends on (seed, its number) alone: stream 0 of it starts it, stream 1 + k makes record k.
A run that was interrupted anywhere, or has another number of threads, gives the same bits. What a
step computes is in ``langevin.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.streams import generator
from wlnn.canonical import columns, langevin
from wlnn.canonical.trajectories import FILE, Trajectories
from wlnn.settings.canonical import AS_DRAWN
from wlnn.settings.tables import MDSettings
from wlnn.tasks.check import checked_smooth
from wlnn.tasks.field import Field, field_of, field_on
from wlnn.tasks.problem import Problem
from wlnn.wlmd.start import starting_below


class Move:
    """What the walkers of a run share; each has a compiled system of its own."""

    def __init__(self, problem: Problem, settings: MDSettings, field: Field | None = None):
        self.problem, self.settings, self.field = problem, settings, field or field_of(problem)
        self.motion = langevin.make_motion(
            settings.dt, settings.friction, settings.thermostat_every
        )
        self.systems: dict[int, object] = {}

    def systems_of(self, numbers: tuple[int, ...]) -> list | None:
        """The compiled systems of some walkers, None where there are none."""
        make = self.problem.gradient_system if self.field.compiled else None
        for number in numbers if make else ():
            if number not in self.systems:
                self.systems[number] = make()
        return [self.systems[number] for number in numbers] if make else None


class Moved(NamedTuple):
    """Walkers that move together: one where it is compiled, and else all of a run."""

    numbers: tuple[int, ...]
    walkers: langevin.Walkers
    records: np.ndarray  # (R, k, N_COLUMNS); NaN in the last one of a walker that diverged

    @property
    def alive(self) -> np.ndarray:
        """Which did not diverge, ``(R,)``."""
        return np.isfinite(self.records).all((1, 2))


@alone
def simulate(
    problem: Problem,
    settings: MDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    executor: Executor | None = None,
    make_problem: Callable[[], Problem] | None = None,
    device=None,
) -> Trajectories:
    """Molecular dynamics on the training loss of a problem: independent walkers from its start.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-regress", layers=1, width=4, points=8)
        >>> problem = wlnn.NetworkVariables(task).problem()  # with its gradient
        >>> motion = wlnn.simulate(problem, wlnn.MDSettings(steps=4000, walkers=2))
        >>> motion.records.shape
        (2, 20, 10)

    Args:
        problem: see :class:`Problem`, with its gradient; x must be ln(train loss).
        settings: temperature, steps, time step, friction, walkers.
        directory: where ``md.npz`` goes; an interrupted run of the same settings is continued.
        threads: walkers that run at a time, where the problem is compiled; changes no bit.
        report: called with a :class:`wlnn.base.running.Report` about twice a second.
        notes: stored in ``run.json``.
        executor: any ``concurrent.futures.Executor`` in the place of threads; changes no bit.
        make_problem: makes the problem in a worker, where it cannot be pickled.
        device: "cuda" or "cuda:1", where all walkers move at once; what the CPU began goes on
            there, and the other way round. Never chosen by itself; other bits.

    Raises:
        UserError: wrong settings, a directory of another run, or no walker left.
        DeviceError: a device that cannot be used, or too little memory there.
        Interrupted: on Ctrl-C; every finished record is saved.
    """
    make, problem = make_problem or partial(itself, problem), checked_smooth(problem)
    clocks, everybody = Clocks(report, None), tuple(range(settings.walkers))
    with clocks.compiling():
        found = _begin(problem, settings, directory, notes)
        move = Move(problem, settings, field_on(problem, device, settings.walkers, 0, directory))
        trial = partial(_tried, move, found.walkers)
        how = settings.walkers, settings.steps, settings.walkers, trial
        clocks.tell(move.field.pace(problem, *how))
        each = problem.gradient_system and move.field.compiled
        if each:  # no steps: what Numba compiles, it compiles here
            first, rng = found.only((0,))[0], generator(settings.seed, 0, 0)
            systems = move.systems_of((0,))
            langevin.advance(problem, first, move.motion, 0, [rng], systems)
    if not move.field.compiled:
        executor = None
    units = [(r,) for r in everybody] if each else [everybody]
    units = [Moved(numbers, *found.only(numbers)) for numbers in units]
    n, told = settings.steps // settings.record, set()
    told.update(r for unit in units for r, _ in _diverged(unit, settings))

    def done(unit: Moved) -> bool:
        return unit.records.shape[1] >= n or not unit.alive.any()

    def part(units: list[Moved]) -> float:
        behind = [n if done(unit) else unit.records.shape[1] for unit in units]
        return sum(behind) / (n * len(units))

    def save(units: list[Moved]) -> None:
        if directory is not None:
            _collected(units, n, found.meta).save(Path(directory) / FILE)

    def saw(units: list[Moved]) -> None:
        lost = []
        for r, step in (pair for unit in units for pair in _diverged(unit, settings)):
            if r not in told:
                told.add(r)
                lost.append(
                    f"walker {r} diverged before step {step}; it is left out of all averages."
                )
        clocks.saw(part(units), lambda: _line(units, found.meta), units, tuple(lost))

    clocks = Clocks(report, save, part(units))
    with (
        stoppable() as stop,
        executor_of(threads, executor=executor) as executor,
        Shared(partial(_move, make, settings), move) as shared,
        clocks.saving(),
    ):
        units = run_units(stretch, shared, units, done, executor, stop, saw)
    if not any(unit.alive.any() for unit in units):
        raise UserError("every walker diverged: the time step is too large; lower md.dt.")
    if clocks.first < 1:
        save(units)
    if not all(done(unit) for unit in units):
        raise Interrupted
    return _collected(units, n, found.meta)


def _tried(move: Move, walkers: langevin.Walkers, steps: int) -> None:
    """Steps of all walkers by the definition, thrown away: they tell its pace."""
    rngs = [np.random.default_rng(0)] * len(walkers.theta)
    langevin.advance(move.problem, walkers, move.motion, steps, rngs, field=move.field)


def _move(make: Callable[[], Problem], settings: MDSettings) -> Move:
    """What a worker process makes for itself."""
    return Move(checked_smooth(make()), settings)


def stretch(move: Move, unit: Moved, seconds: float, stop: np.ndarray) -> Moved:
    """Some records of the walkers of one unit."""
    until, settings = time.monotonic() + seconds, move.settings
    numbers, walkers, before = unit
    alive, rows, begun = unit.alive, [], before.shape[1]
    for k in range(begun, settings.steps // settings.record):
        if not alive.any() or stop[0] or (rows and time.monotonic() > until):
            break
        chosen = np.flatnonzero(alive)
        moving = tuple(numbers[r] for r in chosen)
        later = langevin.advance(
            move.problem,
            langevin.Walkers(*(part[chosen] for part in walkers)),
            move.motion,
            settings.record,
            [generator(settings.seed, r, 1 + k) for r in moving],
            move.systems_of(moving),
            stop,
            field=move.field,
        )
        if later is None:
            break
        theta, u = walkers.theta.copy(), walkers.u.copy()
        theta[chosen], u[chosen] = later.walkers.theta, later.walkers.u
        walkers = walkers._replace(theta=theta, u=u)
        row = np.full((len(numbers), columns.N_COLUMNS), np.nan)
        row[chosen[~later.diverged]] = later.records[~later.diverged]
        rows.append(row)
        alive[chosen[later.diverged]] = False
    records = np.concatenate([before, np.stack(rows, 1)], 1) if rows else before
    return Moved(numbers, walkers, records)


def _diverged(unit: Moved, settings: MDSettings) -> Iterator[tuple[int, int]]:
    """Number, and step before which it was, of every walker that diverged."""
    for number, rows in zip(unit.numbers, unit.records, strict=True):
        lost = ~np.isfinite(rows).all(1)
        if lost.any():
            yield number, int(lost.argmax() + 1) * settings.record


def _collected(units: list[Moved], n: int, meta: dict) -> Trajectories:
    """All walkers by number: records as far as every walker has them, and what some have more."""
    number = [r for unit in units for r in unit.numbers]
    rows = [rows for unit in units for rows in unit.records]
    alive = np.concatenate([unit.alive for unit in units])
    common = min((len(row) for row, lives in zip(rows, alive, strict=True) if lives), default=n)
    records = np.full((len(rows), common, columns.N_COLUMNS), np.nan)
    for r, row in zip(number, rows, strict=True):
        records[r, : min(len(row), common)] = row[:common]
    ahead = {r: row[common:] for r, row in zip(number, rows, strict=True) if len(row) > common}
    order = np.argsort(number)
    parts = zip(*(unit.walkers for unit in units), strict=True)
    walkers = langevin.Walkers(*(np.concatenate(part)[order] for part in parts))
    return Trajectories(records, walkers, meta, ahead)


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


def _line(units: list[Moved], meta: dict) -> str:
    """Means over the last records of the walkers that are left."""
    last = [unit.records[unit.alive, -1] for unit in units if unit.records.shape[1]]
    rows = np.concatenate(last) if last else np.zeros((0, columns.N_COLUMNS))
    if not len(rows):
        return ""
    column = columns.MEAN_ACCURACY if meta["accuracy"] else columns.MEAN_Y
    return (
        f"train loss {rows[:, columns.LOSS].mean():.3g}  {meta['metric']} "
        f"{rows[:, column].mean():.3f}  kinetic T / T {rows[:, columns.KINETIC].mean():.3f}"
    )
