"""A whole run of Wang-Landau molecular dynamics: rounds, reports, checkpoints, and the landscape.

The only loop over rounds. Several tables are independent runs with generators of their own, and
their spread is the error bar; the walkers of one table share it. What a round computes does not
depend on when the run was interrupted or on how many threads it has.
"""

from __future__ import annotations

import dataclasses
import math
import os
import time
from collections.abc import Callable
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from pathlib import Path

import numpy as np

from wlnn import store
from wlnn.collective import SmoothProblem
from wlnn.errors import UserError
from wlnn.grid import Axis, Grid
from wlnn.landscape import Landscape, WalkerResult, merge
from wlnn.settings import WLMDSettings
from wlnn.surface import Surface, Walls, make_surface
from wlnn.wlmd import (
    MDState,
    PaperRamp,
    advance,
    entropy,
    make_motion,
    reliable,
    sampled,
    start,
)
from wlnn.wlmd_checks import Report, failure, summary

Printer = Callable[[str], None]


def make_grid(problem: SmoothProblem, settings: WLMDSettings) -> Grid:
    """Bins of the table: the window and a margin on each side that walkers enter, wall and all."""
    margin = settings.margin
    windows = ((settings.x_low, settings.x_high), (settings.y_low, settings.y_high))
    return Grid(
        *(
            Axis.of_width(name, low - margin, high + margin, settings.spacing)
            for name, (low, high) in zip(problem.names, windows, strict=True)
        )
    )


def surface_of(problem: SmoothProblem, settings: WLMDSettings) -> tuple[Grid, Surface]:
    """Grid of the table, and the surface with the walls of the settings."""
    grid = make_grid(problem, settings)
    walls = Walls(
        settings.x_low,
        settings.x_high,
        settings.y_low,
        settings.y_high,
        settings.wall_low,
        settings.wall_high,
    )
    return grid, make_surface(grid, settings.sigma, walls, settings.cutoff)


def generator(seed: int, *key: int) -> np.random.Generator:
    """Stream ``key``: (table, 0, 0) starts a table, (table, walker, 1 + round) moves a walker."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def sample_wlmd(
    problem: SmoothProblem,
    settings: WLMDSettings,
    directory,
    notes: dict | None = None,
    say: Printer = print,
    threads: int | None = None,
    stop: np.ndarray | None = None,
) -> Landscape | None:
    """Sample, or go on with what ``directory`` holds, and write ``landscape.npz`` there.

    Args:
        directory: run directory; made if missing. The same problem and settings continue it, bit
            for bit as if it had not been interrupted; others are refused.
        notes: JSON notes for ``run.json``.
        say: receives one line per report.
        threads: tables, or walkers of a single table, that run side by side; None = the cores.
        stop: (1,) uint8; set it to end the run at once. What was made since the last report is
            lost, and None is returned.

    Raises:
        UserError: a foreign directory, or a run that fails a check, in one sentence.
    """
    stop = np.zeros(1, np.uint8) if stop is None else stop
    identity = {"task": problem.name, "problem": problem.about, "wlmd": dataclasses.asdict(settings)}
    directory = store.open_run(directory, identity, {"versions": store.versions(), **(notes or {})})
    threads = threads or os.cpu_count() or 1
    with ThreadPoolExecutor(threads) as pool:
        try:
            if settings.tables == 1:  # side by side: the walkers of the table
                tables = [run_table(problem, settings, 0, directory, say, stop, pool.map)]
            else:
                jobs = [
                    pool.submit(run_table, problem, settings, table, directory, say, stop)
                    for table in range(settings.tables)
                ]
                waiting = set(jobs)
                while waiting:  # in short waits, so that Ctrl-C is heard
                    done, waiting = wait(waiting, timeout=0.2, return_when=FIRST_EXCEPTION)
                    for job in done:
                        job.result()
                tables = [job.result() for job in jobs]
        except BaseException:
            stop[0] = 1  # the other tables end at once
            raise
    if any(table is None for table in tables):
        return None
    return finish(problem, settings, tables, directory)


def run_table(
    problem: SmoothProblem,
    settings: WLMDSettings,
    table: int,
    directory: Path,
    say: Printer,
    stop: np.ndarray,
    map: Callable = map,
) -> tuple[MDState, dict[str, np.ndarray]] | None:
    """All rounds of one table from its checkpoint or from nothing; None when stopped.

    Returns the final state and the history, one array per field of a report.
    """
    _, surface = surface_of(problem, settings)
    motion = make_motion(
        problem, settings.dt, settings.friction, settings.thermostat_every, settings.integrator
    )
    schedule = PaperRamp(settings.f_max, settings.t1, settings.t2, settings.t3)
    path = store.checkpoint_path(directory, table)
    if path.exists():
        state, history = read_checkpoint(path)
    else:
        state = start(problem, surface, settings.walkers, generator(settings.seed, table, 0, 0))
        history = {name: np.zeros(0) for name in Report._fields}
    systems = None
    if problem.system is not None:
        systems = [problem.system() for _ in range(settings.walkers)]
    learning = settings.steps - round(settings.steps * settings.production)
    tail = settings.average_from * settings.steps
    while state.t < settings.steps:
        began, traces, f = time.perf_counter(), [], 0.0
        period = min(state.t + settings.report, settings.steps)
        while state.t < period:
            steps = np.arange(state.t + 1, min(state.t + settings.round, period) + 1)
            f_of_steps = np.where(steps <= learning, schedule.f(steps), 0.0)
            number = state.t // settings.round + 1
            result = advance(
                problem,
                surface,
                motion,
                state,
                f_of_steps,
                lambda walker, number=number: generator(settings.seed, table, walker, number),
                systems,
                stop,
                map,
            )
            if result is None:
                return None
            for lost in result.lost:
                say(
                    f"table {table}: walker {lost.walker} diverged at step {lost.step} (x = "
                    f"{lost.x:.3g}, y = {lost.y:.3g}, kinetic temperature {lost.kinetic:.3g}); its "
                    "last round is taken back, the others go on."
                )
            f = float(f_of_steps[-1])
            state = result.state
            traces.append(result.traces.reshape(-1, 4))
            if not state.alive.any():
                break
            if tail < state.t <= learning:
                state = sampled(state)
        alive = max(int(state.alive.sum()), 1)
        report = summary(
            surface,
            state,
            np.concatenate(traces)[None],
            f / alive,
            settings.friction,
            problem,
            time.perf_counter() - began,
        )
        history = {
            name: np.append(history[name], value)
            for name, value in zip(Report._fields, report, strict=True)
        }
        wrong = failure(report, settings.dt, settings.friction)
        if wrong and settings.checks:
            raise UserError(f"table {table}, {wrong}")
        write_checkpoint(path, state, history)
        say(line(table, report, settings.steps))
    return state, history


def line(table: int, report: Report, steps: int) -> str:
    """A report in one line."""
    return (
        f"table {table}: {report.t / steps:4.0%}  f {report.f:<8.3g} T {report.temperature:.3f} "
        f"(expected {report.expected:.3f})  x {report.x_low:.2f} .. {report.x_high:.2f}  "
        f"{report.cells} bins  {report.round_trips} round trips  {report.us_per_step:.0f} us/step"
    )


def write_checkpoint(path: Path, state: MDState, history: dict[str, np.ndarray]) -> None:
    """State and history of one table, all that a resumed run needs."""
    arrays = {f"state.{name}": np.asarray(value) for name, value in state._asdict().items()}
    arrays |= {f"history.{name}": values for name, values in history.items()}
    store.save(path, arrays, {"kind": "wlmd-table"})


def read_checkpoint(path: Path) -> tuple[MDState, dict[str, np.ndarray]]:
    """What :func:`write_checkpoint` wrote.

    Raises:
        UserError: the file is damaged or holds something else.
    """
    arrays, meta = store.load(path)
    if meta.get("kind") != "wlmd-table":
        raise UserError(f"{path}: holds no table of molecular dynamics; delete it.")
    parts: dict[str, dict] = {"state": {}, "history": {}}
    for name, value in arrays.items():
        part, _, field = name.partition(".")
        parts[part][field] = value if value.ndim else value.item()
    return MDState(**parts["state"]), parts["history"]


def finish(
    problem: SmoothProblem, settings: WLMDSettings, tables: list, directory: Path
) -> Landscape:
    """The landscape of finished tables, saved as ``landscape.npz``.

    Reliable are bins that are so in every table (``wlmd.reliable``). Where y is a smoothed
    accuracy, ``accuracy.npz`` holds the mean true accuracy of every visited bin beside it.
    """
    grid, surface = surface_of(problem, settings)
    results = [
        WalkerResult(entropy(state, surface, settings.estimator), state.visits, None, history)
        for state, history in tables
    ]
    meta = {
        **problem.about,
        "sampler": "wlmd",
        "wlmd": dataclasses.asdict(settings),
        "ln_box_volume": float(np.log(problem.hi - problem.lo).sum()),
    }
    landscape = merge(grid, results, meta=meta)
    safe = np.all([reliable(state, surface) for state, _ in tables], axis=0)
    landscape = dataclasses.replace(landscape, reliable=safe)
    landscape.save(directory / "landscape.npz")
    if tables[0][0].right.size:
        right = sum(state.right for state, _ in tables)
        visits = sum(state.visits for state, _ in tables)
        accuracy = np.where(visits > 0, right / np.maximum(visits, 1), math.nan)
        store.save(directory / "accuracy.npz", {"accuracy": accuracy, "visits": visits}, meta)
    return landscape
