"""A whole run of Wang-Landau molecular dynamics: periods, checks, checkpoints, and the landscape.

Several tables are independent runs, and their spread is the error bar; the walkers of one table
share it. A round depends on (seed, table, walker, round number) and on the state before it alone,
so a run that was interrupted anywhere, or has another number of threads, gives the same bits. What
a round computes is in ``walk.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.streams import generator
from wlnn.landscape.landscape import Landscape, finished
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.check import checked_smooth
from wlnn.tasks.field import Field, field_of, field_on
from wlnn.tasks.problem import Problem
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.checks import Period, advice, failure, summary, warnings
from wlnn.wlmd.schedule import PaperRamp
from wlnn.wlmd.setup import Setup, make_setup
from wlnn.wlmd.start import starting_below
from wlnn.wlmd.tables import (
    Table,
    check_kept,
    keep_networks,
    load_table,
    merge_tables,
    save_results,
    save_table,
)

PERIOD, LONGEST = 5e7, 50_000  # parameters x steps, and steps, between two reports: seconds


class Fly:
    """What the tables of a run share; the walkers of each have compiled systems of their own."""

    def __init__(self, setup: Setup, field: Field | None = None):
        self.setup, self.field = setup, field or field_of(setup.problem)
        self.walkers_map: Callable = map
        self.systems: dict[int, list | None] = {}

    def systems_of(self, number: int) -> list | None:
        """One compiled system per walker of a table, or None."""
        if number not in self.systems:
            make = self.setup.problem.gradient_system if self.field.compiled else None
            self.systems[number] = make and [make() for _ in range(self.setup.settings.walkers)]
        return self.systems[number]


@alone
def sample(
    problem: Problem,
    settings: WLMDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    executor: Executor | None = None,
    make_problem: Callable[[], Problem] | None = None,
    device=None,
) -> Landscape:
    """Sample the entropy landscape of a problem by Wang-Landau molecular dynamics.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-regress", layers=1, width=4, points=8)
        >>> problem = wlnn.NetworkVariables(task).problem()  # with its gradient
        >>> changes = ("wlmd.steps=4e3", "wlmd.t1=500", "wlmd.t2=3e3", "wlmd.t3=1e3")
        >>> settings = wlnn.read_table("spiral-regress", "quick", changes)
        >>> wlnn.sample_wlmd(problem, settings.wlmd).measure
        'density'

    Args:
        problem: see :class:`Problem`, with its gradient; its grid is that of the settings.
        settings: window, hills, schedule, time step; how many tables and walkers.
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there. None keeps everything in memory.
        threads: tables, and walkers of a table, that run at a time; changes no bit of the result.
        report: called with a :class:`wlnn.base.running.Report` after every period.
        notes: stored in ``run.json`` beside the settings.
        executor: any ``concurrent.futures.Executor`` in the place of threads: worker processes, a
            cluster; a unit is a table with its walkers; the result does not depend on it either.
        make_problem: makes the problem in a worker, where it cannot be pickled.
        device: "cuda" or "cuda:1", where all walkers of a table move at once; what the CPU began
            goes on there, and the other way round. Never chosen by itself; other bits.

    Raises:
        UserError: wrong settings, a directory of another run, or a run that fails a check; the
            sentence says which and what to do.
        DeviceError: a device that cannot be used, or too little memory there.
        Interrupted: on Ctrl-C; every finished period is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    setup, make = (
        make_setup(checked_smooth(problem), settings),
        make_problem or partial(itself, problem),
    )
    check_kept(setup)
    if directory is not None:
        directory = store.open_run(directory, problem.identity("wlmd", wlmd=settings), notes)
        if (landscape := finished(directory)) is not None:
            return landscape
    tables = [
        load_table(directory, setup.problem, number) or _start(setup, number)
        for number in range(settings.tables)
    ]
    surface, walkers = setup.surface, settings.walkers
    own = 8 * (2 * surface.nx * surface.ny + 4 * settings.round)  # a table of its own, a trace
    fly = Fly(setup, field_on(setup.problem, device, walkers, own, directory))
    if not fly.field.compiled:
        threads, executor = 1, None
    with Shared(partial(_fly, make, settings), fly) as shared:
        tables = _all_periods(fly, shared, tables, directory, threads, report, executor)
    tables = [table for table in tables if table.history["t"].size]
    if not tables:
        raise Interrupted
    landscape = merge_tables(setup, tables)
    if directory is not None:
        save_results(directory, problem, landscape)
    if not landscape.meta["finished"]:
        raise Interrupted(landscape)
    return landscape


def _fly(make: Callable[[], Problem], settings: WLMDSettings) -> Fly:
    """What a worker process makes for itself."""
    return Fly(make_setup(checked_smooth(make()), settings))


def stretch(fly: Fly, table: Table, seconds: float, stop: np.ndarray) -> Table:
    """One period of one table, whatever the seconds."""
    systems = fly.systems_of(table.number)
    how = systems, stop, fly.walkers_map, fly.field
    return advance_table(fly.setup, table, *how) or table


def _all_periods(
    fly: Fly, shared: Shared, tables, directory, threads, report, executor
) -> list[Table]:
    """All tables to their last step, or to where they are when Ctrl-C comes."""
    setup, settings = fly.setup, fly.setup.settings
    saved = {table.number: table.state.t for table in tables}

    def done(table: Table) -> bool:
        return table.state.t >= settings.steps

    def part(tables) -> float:
        return sum(table.state.t for table in tables) / (settings.steps * len(tables))

    def saw(tables):
        said = []
        for table in tables:
            if table.state.t > saved[table.number]:  # each period is saved and told once
                saved[table.number] = table.state.t
                said += table.notes
                if directory is not None:
                    save_table(directory, table)
        clocks.saw(part(tables), lambda: _line(tables), tables, tuple(said))

    clocks = Clocks(report, None, part(tables))
    how = settings.walkers, settings.steps * len(tables), settings.walkers
    pace = fly.field.pace(setup.problem, *how, partial(_tried, setup, tables[0]))
    notes = (*pace, *advice(*setup))
    clocks.report(Report(clocks.first, notes=notes))
    with (
        stoppable() as stop,
        executor_of(threads, executor=executor) as executor,
        executor_of(min(threads, settings.walkers)) as walker_pool,
    ):
        if settings.walkers > 1:
            fly.walkers_map = walker_pool.map
        with clocks.compiling():
            if fly.field.compiled:
                _compile(setup, tables[0], fly.systems_of(tables[0].number))
        return run_units(stretch, shared, tables, done, executor, stop, saw)


def _line(tables: list[Table]) -> str:
    """How far the tables have come: means over them, the lowest x of any."""
    last = [
        Period(**{name: values[-1] for name, values in table.history.items()})
        for table in tables
        if table.history["t"].size
    ]
    if not last:
        return ""
    f, temperature, expected, cells, pace = (
        float(np.mean([getattr(period, name) for period in last]))
        for name in ("f", "temperature", "expected", "cells", "us_per_step")
    )
    trips = sum(period.round_trips for period in last)
    low = min(period.x_low for period in last)
    return (
        f"x from {low:.2f}  {cells:,.0f} bins  {trips:.0f} round trips  f {f:.3g}  temperature "
        f"{temperature:.3f} (expected {expected:.3f})  {pace:.0f} us/step"
    )


def _compile(setup: Setup, table: Table, systems: list) -> None:
    """A round of no steps: what Numba compiles, it compiles here."""
    problem, settings, surface = setup
    motion = wlmd.make_motion(problem, settings.dt, settings.friction)
    steps, rng = np.zeros(0), np.random.default_rng
    wlmd.advance(problem, surface, motion, table.state, steps, rng, systems)


def _tried(setup: Setup, table: Table, steps: int) -> None:
    """Steps of a table by the definition, thrown away: they tell its pace."""
    problem, settings, surface = setup
    motion = wlmd.make_motion(problem, settings.dt, settings.friction)
    wlmd.advance(problem, surface, motion, table.state, np.zeros(steps), np.random.default_rng)


def _start(setup: Setup, number: int) -> Table:
    problem, settings, surface = setup
    rng = generator(settings.seed, number, 0, 0)
    if settings.start_x < settings.x_high:
        problem = starting_below(problem, settings.start_x)
    state = wlmd.start(problem, surface, settings.walkers, rng)
    return Table(number, state, {name: np.zeros(0) for name in Period._fields})


def period_of(problem: Problem, settings: WLMDSettings) -> int:
    """Steps between two reports: those of the settings, or some seconds' worth of rounds."""
    steps = settings.report or min(PERIOD / problem.n_parameters, LONGEST)
    return settings.round * max(1, int(steps / settings.round))


def advance_table(
    setup: Setup,
    table: Table,
    systems: list | None,
    stop: np.ndarray,
    map: Callable = map,
    field: Field | None = None,
) -> Table | None:
    """One period of a table, checked; None when ``stop`` was set on the way.

    Raises:
        UserError: the period fails a check (unless the settings switch checks off), or no walker
            is left.
    """
    problem, settings, _ = setup
    motion = wlmd.make_motion(
        problem, settings.dt, settings.friction, settings.thermostat_every, settings.integrator
    )
    schedule = PaperRamp(settings.f_max, settings.t1, settings.t2, settings.t3)
    learning = settings.steps - round(settings.steps * settings.production)
    began, state, f = time.perf_counter(), table.state, 0.0
    traces, lost, halved, rounds = [], [], [], 0
    length, kept = period_of(problem, settings), table.kept
    end = min((state.t // length + 1) * length, settings.steps)
    while state.t < end and state.alive.any():
        number = 1 + state.t // settings.round
        t = np.arange(state.t + 1, min(number * settings.round, end) + 1)
        f_of_t = np.where(t <= learning, schedule.f(t), 0.0)
        hills = setup.hills_at(state.t)
        result = wlmd.advance(
            problem, hills, motion, state, f_of_t,
            lambda walker, number=number: generator(settings.seed, table.number, walker, number),
            systems, stop, map, field,
        )  # fmt: skip
        if result is None:
            return None
        state = result.state
        if settings.average_from * settings.steps < state.t <= learning:
            state = wlmd.sampled(state)
        if settings.keep_networks and len(result.traces):
            kept = keep_networks(kept, settings.keep_width, state, result.traces)
        traces.append(result.traces.reshape(-1, 4))
        lost += result.lost
        halved += result.halved
        rounds += len(result.traces)
        f = float(f_of_t[-1])
    seconds = time.perf_counter() - began
    trace = np.concatenate(traces)[None]
    own = f / max(int(state.alive.sum()), 1)  # counts a step of one walker's own hills
    period = summary(hills, state, trace, own, settings.friction, problem, seconds)
    period = period._replace(halved=len(halved), rounds=rounds)
    wrong = failure(period, settings.dt, settings.friction)
    if wrong and (settings.checks or not state.alive.any()):
        raise UserError(f"table {table.number}, {wrong}")
    history = {
        name: np.append(table.history[name], value)
        for name, value in zip(Period._fields, period, strict=True)
    }
    notes = tuple(f"table {table.number}: {words}" for words in warnings(period, table.history))
    notes += tuple(
        f"table {table.number}: walker {walker.walker} diverged at step {walker.step} (x = "
        f"{walker.x:.3g}, kinetic temperature {walker.kinetic:.3g}); its last round is taken back."
        for walker in lost
    )
    notes += tuple(
        f"table {table.number}: walker {again.walker} diverged at step {again.step}; its round, x "
        f"from {again.x:.2f}, was made again with a time step of {again.dt:.2g}."
        for again in halved[:3]
    )
    return Table(table.number, state, history, notes, kept)
