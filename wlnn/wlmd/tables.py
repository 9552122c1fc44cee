"""Tables of molecular dynamics on disk, and the landscape they add up to.

One checkpoint a table, written whole after a period; nothing here decides when, and nothing moves.
"""

from __future__ import annotations

import math
from dataclasses import asdict, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.states import load_state, save_state
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import WalkerResult, merge
from wlnn.landscape.verdict import with_verdict
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmd import estimators as wlmd_estimators
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.checks import Period, temperature_by_x
from wlnn.wlmd.setup import Setup, make_setup

KEPT = ("cells", "points", "theta")  # columns of kept networks
KEPT_BYTES = 2**32  # most that kept networks may take, if every cell has one


class Table(NamedTuple):
    """One independent table: its state, and one number per period and field of a report."""

    number: int
    state: wlmd.MDState
    history: dict[str, np.ndarray]
    notes: tuple[str, ...] = ()  # of the last period: walkers that were lost, and other warnings
    kept: dict | None = None  # cell -> (x, y, true accuracy), theta (P,) float32


def keep_networks(kept: dict | None, width: float, state: wlmd.MDState, traces: np.ndarray) -> dict:
    """``kept`` with the networks at the end of a round: the last one of every cell of x and y.

    ``traces (K', n, 4)`` are those of the walkers that came through; single precision is what their
    networks are evaluated in.
    """
    kept = dict(kept or {})
    for theta, trace in zip(state.theta[state.alive], traces, strict=True):
        point = trace[-1, [wlmd.X, wlmd.Y, wlmd.ACCURACY]]
        cell = tuple(int(k) for k in np.floor(point[:2] / width))
        kept[cell] = point, theta.astype(np.float32)
    return kept


def _stacked(kept: dict | None, n_parameters: int) -> dict[str, np.ndarray]:
    """Cells ``(m, 2)``, points ``(m, 3)`` and parameters ``(m, P)`` of kept networks."""
    kept = kept or {}
    cells = sorted(kept)
    points = [kept[cell][0] for cell in cells]
    theta = [kept[cell][1] for cell in cells]
    return {
        "cells": np.array(cells, dtype=np.int64).reshape(-1, 2),
        "points": np.array(points, dtype=float).reshape(-1, 3),
        "theta": np.array(theta, dtype=np.float32).reshape(-1, n_parameters),
    }


def check_kept(setup: Setup) -> None:
    """UserError where the networks to be kept would fill the memory."""
    problem, settings, _ = setup
    axes = (axis for axis in problem.grid if axis.n > 1)
    cells = math.prod(axis.n * axis.width / settings.keep_width for axis in axes)
    if settings.keep_networks and 4 * cells * problem.n_parameters * settings.tables > KEPT_BYTES:
        raise UserError(
            f"wlmd.keep_networks: {cells:.0f} cells of {problem.n_parameters} parameters in "
            f"{settings.tables} tables would take more than {KEPT_BYTES / 2**30:.0f} GiB; raise "
            f"wlmd.keep_width, now {settings.keep_width:g}."
        )


def save_table(directory: Path, table: Table) -> None:
    """Write the checkpoint of a table; UserError if the disk is full or read-only."""
    save_state(
        store.checkpoint_path(directory, table.number),
        {"kind": "wlmd-table", "number": table.number},
        state=table.state,
        history=table.history,
        kept=_stacked(table.kept, table.state.theta.shape[1]),
    )


def load_table(directory, problem: Problem, number: int) -> Table | None:
    """The table of a checkpoint, None where there is none.

    Raises:
        UserError: the file is damaged, or the checkpoint of something else.
    """
    path = None if directory is None else store.checkpoint_path(directory, number)
    about = {"kind": "wlmd-table", "number": number}
    whole = Period._fields[: -len(Period._field_defaults)]
    found = load_state(path, about, f"table {number}", state=wlmd.MDState, history=whole, kept=KEPT)
    if found is None:
        return None
    state, history, stored = (found.groups[name] for name in ("state", "history", "kept"))
    state = wlmd.MDState(*(value if value.ndim else value.item() for value in state))
    fits = state.theta.shape[1:] == (problem.n_parameters,)
    if not fits or state.table.shape != problem.grid.shape:
        raise UserError(f"{path}: has another number of parameters or of bins; delete it.")
    for name, value in Period._field_defaults.items():  # columns that older checkpoints lack
        history.setdefault(name, np.full(len(history["t"]), value))
    history = {name: history[name] for name in Period._fields}
    columns = (stored[name] for name in KEPT)
    kept = {
        tuple(cell.tolist()): (point, theta) for cell, point, theta in zip(*columns, strict=True)
    }
    return Table(number, state, history, kept=kept)


def landscape_so_far(directory, problem: Problem, settings: WLMDSettings) -> Landscape | None:
    """The landscape of the checkpoints in a run directory; None before the first of them."""
    setup = make_setup(problem, settings)
    found = (load_table(directory, setup.problem, k) for k in range(settings.tables))
    tables = [table for table in found if table is not None]
    return merge_tables(setup, tables) if tables else None


def merge_tables(setup: Setup, tables: list[Table]) -> Landscape:
    """The landscape of all tables; reliable bins are so in every one of them."""
    problem, settings, surface = setup
    results = [
        WalkerResult(
            wlmd_estimators.entropy(table.state, surface, settings.estimator),
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
        "measure": "density",
        "unit": "table",
        "wlmd": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": problem.ln_box_volume,
        "steps_done": done,
        "finished": len(tables) == settings.tables and min(done) >= settings.steps,
        "temperatures": temperature_by_x(surface, sum(table.state.warmth for table in tables)),
    }
    landscape = merge(problem.grid, results, meta=meta)
    safe = [wlmd_estimators.reliable(table.state, surface) for table in tables]
    reliable = np.all(safe, axis=0) & np.isfinite(landscape.entropies).all(axis=0)
    entropies = landscape.entropies
    if reliable.any():  # a sum of exp S would hang on the few bins of largest S, beside a wall
        entropies = entropies - entropies[:, reliable].mean(axis=1)[:, None, None]
        landscape.meta["gauge"] = "mean"
    networks = {}
    if settings.keep_networks:
        parts = [_stacked(table.kept, problem.n_parameters) for table in tables]
        networks = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        bins = np.stack(problem.grid.index(*networks["points"][:, :2].T), axis=1)
        on_grid = (bins >= 0).all(axis=1)
        networks = {name: networks[name][on_grid] for name in ("points", "theta")}
        networks["bins"] = bins[on_grid]
    accuracy = np.zeros((0, 0))
    if tables[0].state.right.size:
        right = sum(table.state.right for table in tables)
        visits = landscape.visits
        accuracy = np.where(visits > 0, right / np.maximum(visits, 1), math.nan)
    return with_verdict(
        replace(
            landscape, entropies=entropies, reliable=reliable, networks=networks, accuracy=accuracy
        )
    )


def save_results(directory: Path, problem: Problem, landscape: Landscape) -> None:
    """Write ``landscape.npz`` and, where y is a smoothed accuracy, ``accuracy.npz``.

    The latter holds, per visited bin, the mean true accuracy, and per bin of y the smoothed
    accuracy there; "smoothing_error" is the smoothed minus the true one.
    """
    landscape.save(directory / "landscape.npz")
    if problem.accuracy_at is None:
        return
    accuracy, smoothed = landscape.accuracy, problem.accuracy_at(np, landscape.grid.y.centres)
    arrays = {
        "accuracy": accuracy,
        "smoothed": smoothed,
        "smoothing_error": smoothed - accuracy,
        "visits": landscape.visits,
    }
    store.save(directory / "accuracy.npz", arrays, landscape.meta)
