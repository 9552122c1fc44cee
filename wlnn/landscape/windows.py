"""Landscapes of one task in windows of x that overlap become one, over all of them.

Walker k of every window makes one walker of the whole: its S is shifted, window by window, by its
own mean difference over the bins that two neighbours share. The spread of such walkers is then the
error of S with that of every shift. Runs of one window are ``join.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import standard_error
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape

LEAST_ROWS = 2  # of x that neighbours share: one of them may be thinned by the rim
OF_A_WINDOW = ("draws", "halves", "rungs", "verdict", "steps_done")  # notes that the whole has not
ABSOLUTE = ("box", "draws")


def on_one_axis(landscapes: Sequence[Landscape], names: Sequence[str]) -> Grid:
    """The grid of all windows together.

    Raises:
        UserError: other bins, or edges that do not fall on edges of the others.
    """
    first = landscapes[0].grid
    for landscape, name in zip(landscapes, names, strict=True):
        x, y = landscape.grid
        away = (x.lo - first.x.lo) / first.x.width
        same = x.name == first.x.name and y == first.y and np.isclose(x.width, first.x.width)
        if not same or abs(away - round(away)) > 1e-6:
            raise UserError(
                f"{name}: has other bins than {names[0]}; windows are joined where their bins are "
                "the same and their ends lie whole bins apart. Leave it out."
            )
    lo = min(part.grid.x.lo for part in landscapes)
    hi = max(part.grid.x.hi for part in landscapes)
    n = round((hi - lo) / first.x.width)
    return Grid(Axis(first.x.name, lo, hi, n), first.y)


def stitch(landscapes: Sequence[Landscape], names: Sequence[str]) -> tuple[Landscape, list[str]]:
    """One landscape of windows, each a landscape of its own; and how well neighbours agree.

    The zero of S is that of the window of largest mass with an absolute one, if there is any. In
    bins that two windows know well S is their mean.

    Raises:
        UserError: bins that differ, other numbers of walkers, or neighbours without common rows.
    """
    grid = on_one_axis(landscapes, names)
    order = np.argsort([-part.grid.x.hi for part in landscapes], kind="stable")  # from high x down
    parts = [(landscapes[k], names[k]) for k in order]
    r = parts[0][0].n_walkers
    for part, name in parts:
        if part.n_walkers != r:
            raise UserError(
                f"{name}: has {part.n_walkers} walkers and {parts[0][1]} {r}; windows are joined "
                "walker by walker, so sample them with equal --walkers."
            )
    shape = (r, *grid.shape)
    total, count, told = np.zeros(shape), np.zeros(grid.shape, np.int64), []
    loose = np.full(shape, np.nan)  # S of bins that no window knows well
    visits, reliable = np.zeros(grid.shape, np.int64), np.zeros(grid.shape, bool)
    accuracy = np.zeros(grid.shape)
    zeros = []
    for part, name in parts:
        first = round((part.grid.x.lo - grid.x.lo) / grid.x.width)
        rows = slice(first, first + part.grid.x.n)
        safe = part.reliable & ~np.isnan(part.entropies).any(axis=0)
        common = (count[rows] > 0) & safe
        shift = np.zeros(r)
        if count.any():
            if common.any(axis=1).sum() < LEAST_ROWS:
                raise UserError(
                    f"{name}: shares fewer than {LEAST_ROWS} rows of x, seen by all walkers, with "
                    "the window above it; sample it with a window that reaches further up."
                )
            above = total[:, rows][:, common] / count[rows][common]
            difference = above - part.entropies[:, common]
            shift = difference.mean(axis=1)
            told.append(_agreement(difference, part, name))
        moved = part.entropies + shift[:, None, None]
        total[:, rows][:, safe] += moved[:, safe]
        count[rows] += safe
        seen = loose[:, rows]
        loose[:, rows] = np.where(np.isnan(seen), moved, seen)
        visits[rows] += part.visits
        reliable[rows] |= part.reliable
        if part.accuracy.size:
            accuracy[rows] += np.nan_to_num(part.accuracy) * part.visits
        if part.meta.get("gauge") in ABSOLUTE:
            zeros.append((float(np.nanmax(part.entropy)), shift, part.meta))
    entropies = np.where(count > 0, total / np.maximum(count, 1), loose)
    meta = {key: note for key, note in parts[0][0].meta.items() if key not in OF_A_WINDOW}
    merged = [run for part, name in parts for run in part.meta.get("merged", [name])]
    meta |= {"windows": [name for _, name in parts], "gauge": "window", "merged": merged}
    meta["finished"] = all(part.meta.get("finished", True) for part, _ in parts)
    meta.pop("anchor_error", None)
    if zeros:
        _, shift, absolute = max(zeros, key=lambda zero: zero[0])
        entropies = entropies - shift[:, None, None]
        meta |= {"gauge": "draws", "anchor_error": absolute.get("anchor_error", 0.0)}
    known = any(part.accuracy.size for part, _ in parts)
    mean = np.where(visits > 0, accuracy / np.maximum(visits, 1), np.nan)
    whole = Landscape(
        grid, entropies, visits, reliable, meta, accuracy=mean if known else np.zeros((0, 0))
    )
    return whole, told


def _agreement(difference: np.ndarray, part: Landscape, name: str) -> str:
    """How far a window and the one above it differ beyond the shift; difference ``(R, bins)``."""
    apart = difference - difference.mean(axis=1, keepdims=True)
    error = standard_error(part.of_walkers(apart))
    mean = np.asarray(part.of_walkers(apart)).mean(axis=0)
    words = f"{name}: {apart.shape[1]} bins in common with the window above"
    if not (error > 0).all():
        return words
    return f"{words}, differences of {np.sqrt(np.mean((mean / error) ** 2)):.1f} errors (rms)"
