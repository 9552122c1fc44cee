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
from dataclasses import asdict, replace
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import numpy as np

from wlnn import store, wlmd
from wlnn.collective import SmoothProblem
from wlnn.errors import UserError
from wlnn.grid import Axis, Grid
from wlnn.landscape import Landscape, WalkerResult, merge
from wlnn.run import Interrupted
from wlnn.schedule import PaperRamp
from wlnn.settings import WLMDSettings
from wlnn.surface import Surface, Walls, make_surface
from wlnn.wlmd_checks import Report, failure, summary

PERIOD, LONGEST = 5e7, 50_000  # parameters x steps, and steps, between two reports: seconds
COMPILING = "compiling the sampler, once per kind of network"


class Table(NamedTuple):
    """One independent table: its state, and one number per period and field of a report."""

    number: int
    state: wlmd.MDState
    history: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()  # of the last period: walkers that were lost


class Progress(NamedTuple):
    """Where a run stands; handed to the ``report`` function after every period."""

    part: float  # of all steps
    seconds_left: float
    reports: list[Report]  # the last of each table
    notes: list[str]

    def line(self) -> str:
        """The progress in one line: means over the tables, the lowest x of any."""
        if not self.reports:
            return f"{self.part:4.0%}  {' '.join(self.notes)}"
        f, temperature, expected, cells, pace = (
            float(np.mean([getattr(report, name) for report in self.reports]))
            for name in ("f", "temperature", "expected", "cells", "us_per_step")
        )
        trips = sum(report.round_trips for report in self.reports)
        low = min(report.x_low for report in self.reports)
        return (
            f"{self.part:4.0%}  {self.seconds_left:6.0f} s left  f {f:.3g}  temperature "
            f"{temperature:.3f} (expected {expected:.3f})  x from {low:.2f}  {cells:.0f} bins  "
            f"{trips:.0f} round trips  {pace:.0f} us/step"
        )


def surface_of(problem: SmoothProblem, settings: WLMDSettings) -> tuple[Grid, Surface]:
    """Grid and surface: the window, and a margin that walkers enter in spite of the walls."""
    windows = (settings.x_low, settings.x_high), (settings.y_low, settings.y_high)
    grid = Grid(
        *(
            Axis.of_width(name, low - settings.margin, high + settings.margin, settings.spacing)
            for name, (low, high) in zip(problem.names, windows, strict=True)
        )
    )
    walls = Walls(*windows[0], *windows[1], settings.wall_low, settings.wall_high)
    return grid, make_surface(grid, settings.sigma, walls, settings.cutoff)


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
    report = report or (lambda _: None)
    _, surface = surface_of(problem, settings)
    if directory is not None:
        identity = {
            "task": problem.name,
            "sampler": "wlmd",
            "problem": problem.about,
            "parameters": problem.n_parameters,
            "wlmd": asdict(settings),
        }
        notes = {**(notes or {}), "versions": store.versions()}
        directory = store.open_run(directory, identity, notes)
    tables = [
        _load_table(directory, problem, surface, number) or _start(problem, settings, number)
        for number in range(settings.tables)
    ]
    tables, interrupted = _all_periods(problem, settings, tables, directory, threads, report)
    done = [table for table in tables if table.history["t"].size]
    if not done:
        raise Interrupted(None)
    landscape = merge_tables(problem, settings, done)
    if directory is not None:
        landscape.save(directory / "landscape.npz")
        _save_accuracy(directory, done, landscape.meta)
    if interrupted:
        raise Interrupted(landscape)
    return landscape


def _all_periods(problem, settings, tables, directory, threads, report):
    """All tables to their last step, period by period; and whether Ctrl-C was pressed."""
    stop = np.zeros(1, np.uint8)
    first = sum(table.state.t for table in tables)
    systems = [None] * len(tables)
    if problem.system is not None:
        systems = [[problem.system() for _ in range(settings.walkers)] for _ in tables]
        compiling = Progress(first / (settings.steps * len(tables)), math.nan, [], [COMPILING])
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
            later = advance_table(
                problem, settings, table, systems[table.number], stop, walkers_map
            )
            if later is not None and directory is not None:
                _save_table(directory, later)
            return later or table

        while min(table.state.t for table in tables) < settings.steps:
            jobs = [pool.submit(advance, table) for table in tables]
            try:
                tables = [job.result() for job in jobs]
            except KeyboardInterrupt:
                stop[0] = 1
                return [job.result() for job in jobs], True
            except BaseException:
                stop[0] = 1
                raise
            done = sum(table.state.t for table in tables)
            rate = (time.monotonic() - begun) / max(done - first, 1)
            last = [
                Report(**{name: values[-1] for name, values in table.history.items()})
                for table in tables
            ]
            said = [note for table in tables for note in table.notes]
            whole = settings.steps * len(tables)
            report(Progress(done / whole, rate * (whole - done), last, said))
    return tables, False


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
    began, state, traces, lost, f = time.perf_counter(), table.state, [], [], 0.0
    period = period_of(problem, settings)
    end = min((state.t // period + 1) * period, settings.steps)
    while state.t < end and state.alive.any():
        number = 1 + state.t // settings.round
        t = np.arange(state.t + 1, min(number * settings.round, end) + 1)
        f_of_t = np.where(t <= learning, schedule.f(t), 0.0)
        result = wlmd.advance(
            problem,
            surface,
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
        traces.append(result.traces.reshape(-1, 4))
        lost += result.lost
        f = float(f_of_t[-1])
    seconds = time.perf_counter() - began
    trace = np.concatenate(traces)[None]
    own = f / max(int(state.alive.sum()), 1)  # counts a step of one walker's own hills
    report = summary(surface, state, trace, own, settings.friction, problem, seconds)
    wrong = failure(report, settings.dt, settings.friction)
    if wrong and (settings.checks or not state.alive.any()):
        raise UserError(f"table {table.number}, {wrong}")
    history = {
        name: np.append(table.history[name], value)
        for name, value in zip(Report._fields, report, strict=True)
    }
    notes = tuple(
        f"table {table.number}: walker {walker.walker} diverged at step {walker.step} (x = "
        f"{walker.x:.3g}, kinetic temperature {walker.kinetic:.3g}); its last round is taken back."
        for walker in lost
    )
    return Table(table.number, state, history, notes)


def _save_table(directory: Path, table: Table) -> None:
    arrays = {f"state.{name}": np.asarray(value) for name, value in table.state._asdict().items()}
    arrays |= {f"history.{name}": values for name, values in table.history.items()}
    path = store.checkpoint_path(directory, table.number)
    store.save(path, arrays, {"kind": "wlmd-table", "number": table.number})


def _load_table(directory, problem: SmoothProblem, surface: Surface, number: int) -> Table | None:
    """The table of a checkpoint, None where there is none.

    Raises:
        UserError: the file is damaged, or the checkpoint of something else.
    """
    path = None if directory is None else store.checkpoint_path(directory, number)
    if path is None or not path.exists():
        return None
    arrays, meta = store.load(path)
    wanted = {f"state.{name}" for name in wlmd.MDState._fields}
    wanted |= {f"history.{name}" for name in Report._fields}
    if meta.get("kind") != "wlmd-table" or meta.get("number") != number or wanted - set(arrays):
        raise UserError(f"{path}: is not the checkpoint of table {number}; delete it.")
    state = wlmd.MDState(
        **{
            name: arrays[f"state.{name}"]
            if arrays[f"state.{name}"].ndim
            else arrays[f"state.{name}"].item()
            for name in wlmd.MDState._fields
        }
    )
    fits = state.theta.shape[1:] == (problem.n_parameters,)
    if not fits or state.table.shape != (surface.nx, surface.ny):
        raise UserError(f"{path}: has another number of parameters or of bins; delete it.")
    return Table(number, state, {name: arrays[f"history.{name}"] for name in Report._fields})


def merge_tables(problem: SmoothProblem, settings: WLMDSettings, tables: list[Table]) -> Landscape:
    """The landscape of all tables; reliable bins are so in every one (``wlmd.reliable``)."""
    grid, surface = surface_of(problem, settings)
    results = [
        WalkerResult(
            wlmd.entropy(table.state, surface, settings.estimator),
            table.state.visits,
            None,
            table.history,
        )
        for table in tables
    ]
    meta = {
        "task": problem.about or {"task": problem.name},
        "sampler": "wlmd",
        "wlmd": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": float(np.log(problem.hi - problem.lo).sum()),
        "steps_done": [table.state.t for table in tables],
    }
    landscape = merge(grid, results, meta=meta)
    safe = [wlmd.reliable(table.state, surface) for table in tables]
    return replace(landscape, reliable=np.all(safe, axis=0))


def _save_accuracy(directory: Path, tables: list[Table], meta: dict) -> None:
    """``accuracy.npz``: mean true accuracy of every visited bin, where y is a smoothed one."""
    if tables[0].state.right.size:
        right = sum(table.state.right for table in tables)
        visits = sum(table.state.visits for table in tables)
        accuracy = np.where(visits > 0, right / np.maximum(visits, 1), math.nan)
        store.save(directory / "accuracy.npz", {"accuracy": accuracy, "visits": visits}, meta)
