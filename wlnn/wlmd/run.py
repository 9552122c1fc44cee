"""A whole run of Wang-Landau molecular dynamics: periods, checks, checkpoints, and the landscape.

Several tables are independent runs, and their spread is the error bar; the walkers of one table
share it. A round depends on (seed, table, walker, round number) and on the state before it alone,
so a run that was interrupted anywhere, or has another number of threads, gives the same bits. What
a round computes is in ``wlmd.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted, stoppable
from wlnn.landscape.files import finished
from wlnn.landscape.landscape import Landscape
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.check import checked_smooth
from wlnn.tasks.problem import SmoothProblem
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.checks import Report, advice, failure, summary, warnings
from wlnn.wlmd.schedule import PaperRamp
from wlnn.wlmd.start import starting_below
from wlnn.wlmd.tables import (
    Table,
    check_kept,
    hills_at,
    identity,
    keep_networks,
    load_table,
    merge_tables,
    save_results,
    save_table,
    surface_of,
)

PERIOD, LONGEST = 5e7, 50_000  # parameters x steps, and steps, between two reports: seconds
COMPILING = "compiling the sampler, once per kind of network"


class Progress(NamedTuple):
    """Where a run stands; handed to the ``report`` function after every period."""

    part: float  # of all steps
    seconds_left: float
    reports: list[Report]  # the last of each table
    notes: list[str]

    def line(self) -> str:
        """The progress in one line: means over the tables, the lowest x of any."""
        if not self.reports:
            return ""
        f, temperature, expected, cells, pace = (
            float(np.mean([getattr(report, name) for report in self.reports]))
            for name in ("f", "temperature", "expected", "cells", "us_per_step")
        )
        trips = sum(report.round_trips for report in self.reports)
        low = min(report.x_low for report in self.reports)
        return (
            f"x from {low:.2f}  {cells:,.0f} bins  {trips:.0f} round trips  f {f:.3g}  temperature "
            f"{temperature:.3f} (expected {expected:.3f})  {pace:.0f} us/step"
        )


@alone
def sample(
    problem: SmoothProblem,
    settings: WLMDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Progress], None] | None = None,
    notes: dict | None = None,
) -> Landscape:
    """Sample the entropy landscape of a problem by Wang-Landau molecular dynamics.

    Args:
        problem: see :class:`wlnn.collective.SmoothProblem`.
        settings: window, hills, schedule, time step; how many tables and walkers.
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there. None keeps everything in memory.
        threads: tables, and walkers of a table, that run at a time; changes no bit of the result.
        report: called with a :class:`Progress` after every period.
        notes: stored in ``run.json`` beside the settings.

    Raises:
        UserError: wrong settings, a directory of another run, or a run that fails a check; the
            sentence says which and what to do.
        Interrupted: on Ctrl-C; every finished period is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    problem = checked_smooth(problem)
    check_kept(problem, settings)
    report = report or (lambda _: None)
    _, surface = surface_of(problem, settings)
    if directory is not None:
        notes = {**(notes or {}), "versions": store.versions()}
        directory = store.open_run(directory, identity(problem, settings), notes)
        if (landscape := finished(directory)) is not None:
            return landscape
    tables = [
        load_table(directory, problem, surface, number) or _start(problem, settings, number)
        for number in range(settings.tables)
    ]
    with stoppable() as stop:
        tables = _all_periods(problem, settings, tables, directory, threads, report, stop)
    tables = [table for table in tables if table.history["t"].size]
    if not tables:
        raise Interrupted(None)
    landscape = merge_tables(problem, settings, tables)
    if directory is not None:
        save_results(directory, problem, landscape)
    if not landscape.meta["finished"]:
        raise Interrupted(landscape)
    return landscape


def _all_periods(problem, settings, tables, directory, threads, report, stop):
    """All tables to their last step, or to where they are when ``stop`` is set, in periods."""
    first, whole = sum(table.state.t for table in tables), settings.steps * len(tables)
    rules = advice(problem, settings, surface_of(problem, settings)[1])
    report(Progress(first / whole, math.nan, [], rules))
    systems = [None] * len(tables)
    if problem.system is not None:
        systems = [[problem.system() for _ in range(settings.walkers)] for _ in tables]
        compiling = Progress(first / whole, math.nan, [], [COMPILING])
        timer = Timer(1.5, lambda: report(compiling))
        timer.start()
        try:
            _compile(problem, settings, tables[0], systems[0])
        finally:
            timer.cancel()
    with ThreadPoolExecutor(threads) as pool, ThreadPoolExecutor(threads) as walker_pool:
        walkers_map = walker_pool.map if settings.walkers > 1 else map
        begun = time.monotonic()

        def advance(table: Table) -> Table:
            if table.state.t >= settings.steps:
                return table
            own = systems[table.number]
            later = advance_table(problem, settings, table, own, stop, walkers_map)
            if later is not None and directory is not None:
                save_table(directory, later)
            return later or table

        while min(table.state.t for table in tables) < settings.steps and not stop[0]:
            jobs = [pool.submit(advance, table) for table in tables]
            try:
                tables = [job.result() for job in jobs]
            except BaseException:
                stop[0] = 1  # the other tables end at once
                raise
            done = sum(table.state.t for table in tables)
            left = (time.monotonic() - begun) / max(done - first, 1) * (whole - done)
            last = [
                Report(**{name: values[-1] for name, values in table.history.items()})
                for table in tables
                if table.history["t"].size
            ]
            said = [note for table in tables for note in table.notes]
            report(Progress(done / whole, left, last, said))
    return tables


def _compile(problem, settings, table: Table, systems: list) -> None:
    """A round of no steps: what Numba compiles, it compiles here."""
    _, surface = surface_of(problem, settings)
    motion = wlmd.make_motion(problem, settings.dt, settings.friction)
    steps, rng = np.zeros(0), np.random.default_rng
    wlmd.advance(problem, surface, motion, table.state, steps, rng, systems)


def _generator(seed: int, *key: int) -> np.random.Generator:
    """Stream ``key``: (table, 0, 0) starts a table, (table, walker, 1 + round) moves a walker."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def _start(problem: SmoothProblem, settings: WLMDSettings, number: int) -> Table:
    _, surface = surface_of(problem, settings)
    rng = _generator(settings.seed, number, 0, 0)
    if settings.start_x < settings.x_high:
        problem = starting_below(problem, settings.start_x)
    state = wlmd.start(problem, surface, settings.walkers, rng)
    return Table(number, state, {name: np.zeros(0) for name in Report._fields})


def period_of(problem: SmoothProblem, settings: WLMDSettings) -> int:
    """Steps between two reports: those of the settings, or some seconds' worth of rounds."""
    steps = settings.report or min(PERIOD / problem.n_parameters, LONGEST)
    return settings.round * max(1, int(steps / settings.round))


def advance_table(
    problem: SmoothProblem,
    settings: WLMDSettings,
    table: Table,
    systems: list | None,
    stop: np.ndarray,
    map: Callable = map,
) -> Table | None:
    """One period of a table, checked; None when ``stop`` was set on the way.

    Raises:
        UserError: the period fails a check (unless the settings switch checks off), or no walker
            is left.
    """
    _, surface = surface_of(problem, settings)
    motion = wlmd.make_motion(
        problem, settings.dt, settings.friction, settings.thermostat_every, settings.integrator
    )
    schedule = PaperRamp(settings.f_max, settings.t1, settings.t2, settings.t3)
    learning = settings.steps - round(settings.steps * settings.production)
    began, state, f = time.perf_counter(), table.state, 0.0
    traces, lost, halved, rounds = [], [], [], 0
    period, kept = period_of(problem, settings), table.kept
    end = min((state.t // period + 1) * period, settings.steps)
    while state.t < end and state.alive.any():
        number = 1 + state.t // settings.round
        t = np.arange(state.t + 1, min(number * settings.round, end) + 1)
        f_of_t = np.where(t <= learning, schedule.f(t), 0.0)
        hills = hills_at(surface, settings, state.t)
        result = wlmd.advance(
            problem,
            hills,
            motion,
            state,
            f_of_t,
            lambda walker, number=number: _generator(settings.seed, table.number, walker, number),
            systems,
            stop,
            map,
        )
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
    report = summary(hills, state, trace, own, settings.friction, problem, seconds)
    report = report._replace(halved=len(halved), rounds=rounds)
    wrong = failure(report, settings.dt, settings.friction)
    if wrong and (settings.checks or not state.alive.any()):
        raise UserError(f"table {table.number}, {wrong}")
    history = {
        name: np.append(table.history[name], value)
        for name, value in zip(Report._fields, report, strict=True)
    }
    notes = tuple(f"table {table.number}: {words}" for words in warnings(report, table.history))
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
