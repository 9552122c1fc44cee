"""Tables of molecular dynamics on disk, and the landscape they add up to.

One checkpoint a table, written whole after a period; nothing here decides when, and nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn import store, wlmd
from wlnn.collective import SmoothProblem
from wlnn.errors import UserError
from wlnn.grid import Axis, Grid
from wlnn.landscape import Landscape, WalkerResult, merge
from wlnn.settings import WLMDSettings
from wlnn.surface import Surface, Walls, make_surface
from wlnn.wlmd_checks import Report, temperature_by_x


class Table(NamedTuple):
    """One independent table: its state, and one number per period and field of a report."""

    number: int
    state: wlmd.MDState
    history: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()  # of the last period: walkers that were lost, and other warnings


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


def hills_at(surface: Surface, settings: WLMDSettings, t: int) -> Surface:
    """The surface with the hills of a round that begins after ``t`` steps: narrow in the tail."""
    if t < settings.t2 or not settings.tail_sigma:
        return surface
    sigma = settings.tail_sigma
    return surface._replace(sigma=sigma, reach=settings.cutoff * sigma)


def identity(problem: SmoothProblem, settings: WLMDSettings) -> dict:
    """What two runs must share to be one run."""
    return {
        "task": problem.name,
        "sampler": "wlmd",
        "problem": problem.about,
        "parameters": problem.n_parameters,
        "wlmd": asdict(settings),
    }


def save_table(directory: Path, table: Table) -> None:
    """Write the checkpoint of a table; UserError if the disk is full or read-only."""
    arrays = {f"state.{name}": np.asarray(value) for name, value in table.state._asdict().items()}
    arrays |= {f"history.{name}": values for name, values in table.history.items()}
    path = store.checkpoint_path(directory, table.number)
    store.save(path, arrays, {"kind": "wlmd-table", "number": table.number})


def load_table(directory, problem: SmoothProblem, surface: Surface, number: int) -> Table | None:
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
    fields = {name: arrays[f"state.{name}"] for name in wlmd.MDState._fields}
    state = wlmd.MDState(
        **{name: value if value.ndim else value.item() for name, value in fields.items()}
    )
    fits = state.theta.shape[1:] == (problem.n_parameters,)
    if not fits or state.table.shape != (surface.nx, surface.ny):
        raise UserError(f"{path}: has another number of parameters or of bins; delete it.")
    return Table(number, state, {name: arrays[f"history.{name}"] for name in Report._fields})


def landscape_so_far(directory, problem: SmoothProblem, settings: WLMDSettings) -> Landscape | None:
    """The landscape of the checkpoints in a run directory; None before the first of them."""
    _, surface = surface_of(problem, settings)
    found = (load_table(directory, problem, surface, k) for k in range(settings.tables))
    tables = [table for table in found if table is not None]
    return merge_tables(problem, settings, tables) if tables else None


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
    done = [table.state.t for table in tables]
    meta = {
        "task": problem.about or {"task": problem.name},
        "sampler": "wlmd",
        "wlmd": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": float(np.log(problem.hi - problem.lo).sum()),
        "steps_done": done,
        "finished": len(tables) == settings.tables and min(done) >= settings.steps,
        "temperatures": temperature_by_x(surface, sum(table.state.warmth for table in tables)),
    }
    landscape = merge(grid, results, meta=meta)
    safe = [wlmd.reliable(table.state, surface) for table in tables]
    return replace(landscape, reliable=np.all(safe, axis=0))


def save_results(
    directory: Path, problem: SmoothProblem, tables: list[Table], landscape: Landscape
) -> None:
    """Write ``landscape.npz`` and, where y is a smoothed accuracy, ``accuracy.npz``.

    The latter holds, per visited bin, the mean true accuracy, and per bin of y the smoothed
    accuracy there; "smoothing_error" is the smoothed minus the true one.
    """
    landscape.save(directory / "landscape.npz")
    if problem.accuracy_at is None:
        return
    right = sum(table.state.right for table in tables)
    visits = sum(table.state.visits for table in tables)
    accuracy = np.where(visits > 0, right / np.maximum(visits, 1), math.nan)
    smoothed = problem.accuracy_at(np, landscape.grid.y.centres)
    arrays = {
        "accuracy": accuracy,
        "smoothed": smoothed,
        "smoothing_error": smoothed - accuracy,
        "visits": visits,
    }
    store.save(directory / "accuracy.npz", arrays, landscape.meta)
