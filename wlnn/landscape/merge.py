"""Independent walkers become one landscape; uniform draws fix the zero of its S."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import jackknife_error, ln_sum
from wlnn.landscape.grid import Grid
from wlnn.landscape.landscape import Landscape

ANCHOR_COUNT = 100  # uniform draws a bin needs before its ln p is used (relative error 10 %)


class WalkerResult(NamedTuple):
    """What one independent walker (or group of walkers with a common S) brings to :func:`merge`."""

    entropy: np.ndarray  # (nx, ny) nats, any gauge; the frozen S itself where walkers are pooled
    visits: np.ndarray  # (nx, ny) of the whole run
    production: np.ndarray | None = None  # (nx, ny) visits while S was frozen; None: no such stage
    history: dict[str, np.ndarray] | None = None  # name -> (stages,)
    early: np.ndarray | None = None  # (nx, ny) of production, the visits of its first half


class Draws(NamedTuple):
    """Uniform points of the box: how many fell into each bin, and how many there were in all."""

    counts: np.ndarray  # (nx, ny)
    n: int


def merge(
    grid: Grid,
    walkers: Sequence[WalkerResult],
    draws: Draws | None = None,
    covers_box: bool = False,
    meta: dict | None = None,
    pooled: bool = False,
) -> Landscape:
    """One landscape of independent walkers, each normalised by itself.

    Pooled walkers moved on one frozen S, the same ``entropy`` of all: S of a bin is that + ln(sum
    of their production visits), its error that of the jackknife over walkers. Stored, in the place
    of S of walker r, is S from the visits of all others (``meta["resampling"] = "jackknife"``): a
    curve of each such S is then the jackknife's own leave-one-out curve, however nonlinear, where a
    pseudo-value of S itself may lie tens of nats off in a bin that one walker filled.
    ``Landscape`` makes the pseudo-values of what was computed, so that their mean and standard
    error are the jackknife's. A bin without visits has no S; one whose visits are all of one walker
    has no error and is unreliable. One walker alone has no error at all. ``meta["halves"]`` holds
    how S(x) of the two halves of the visits differs, ``meta["draws"]`` how many draws fell into
    each row: what ``landscape.verdict`` weighs.

    The gauge is "box" if the caller says that the window covers the box (S - ln sum exp S), "draws"
    if uniform points were drawn and reach bins that every walker knows, and "window" otherwise.

    With draws, each walker r is shifted by the weighted mean over bins b of ln p_b - S_rb, where
    p_b = n_b / n, n_b >= 100, with weights 1 / (1 / n_b + var_b), var_b the variance between the
    walkers. What the walkers' own errors do to the shift is then part of the error of S; the part
    from the draws, sqrt(sum w_b^2 / n_b - 1 / n) with sum w_b = 1 (counts are multinomial), goes to
    ``meta["anchor_error"]``.
    """
    if not walkers:
        raise UserError("there is no walker to merge.")
    shape = (len(walkers), *grid.shape)
    visits = np.array([walker.visits for walker in walkers])
    entropies = np.array([walker.entropy for walker in walkers], dtype=float)
    if visits.shape != shape or entropies.shape != shape:
        raise UserError(f"the walkers' arrays are not on the grid of {grid.shape} bins.")
    meta = dict(meta or {})
    if pooled:
        production = np.array([walker.production for walker in walkers])
        meta["halves"] = _halves(entropies[0], production, [walker.early for walker in walkers])
        entropies, reliable = _left_out(entropies, production)
        if len(walkers) > 1:
            meta["resampling"] = "jackknife"
            entropies = _as_wide_as_halves(entropies, meta["halves"])
    elif any(walker.production is None for walker in walkers):
        reliable = (visits > 0).all(axis=0)
    else:
        reliable = np.all([walker.production > 0 for walker in walkers], axis=0)
    common = ~np.isnan(entropies).any(axis=0)
    if not pooled:
        entropies[visits == 0] = np.nan
        common = (visits > 0).all(axis=0)
    anchors = None if draws is None else reliable & (draws.counts >= ANCHOR_COUNT)
    if draws is not None:
        rows = draws.counts.sum(axis=1)
        outside = 1 - rows.sum() / draws.n
        meta["draws"] = {"n": draws.n, "outside_window": outside, "rows": rows.tolist()}
    if covers_box:
        gauge, shifts = "box", -ln_sum(entropies.reshape(len(walkers), -1))
    elif anchors is not None and anchors.any():
        gauge = "draws"
        shifts, meta["anchor_error"] = _anchor(
            entropies[:, anchors], draws.counts[anchors], draws.n, pooled
        )
        meta["anchor_bins"] = int(anchors.sum())
    else:
        gauge = "window"
        shifts = -ln_sum(np.where(common, entropies, np.nan).reshape(len(walkers), -1))
        shifts[~np.isfinite(shifts)] = 0.0  # no bin in common: nothing to align by
    meta["gauge"] = gauge
    return Landscape(
        grid,
        entropies + shifts[:, None, None],
        visits.sum(axis=0),
        reliable,
        meta,
        _stacked([walker.history or {} for walker in walkers]),
    )


def _left_out(entropy: np.ndarray, production: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """S from the visits of all walkers but one ``(R, nx, ny)``, and the bins that all of them know.

    That of one walker is from its own visits.
    """
    r = len(production)
    left = production.sum(axis=0) - production if r > 1 else production
    seen = left > 0
    left_out = np.full(entropy.shape, np.nan)
    left_out[seen] = entropy[seen] + np.log(left[seen] / max(r - 1, 1))
    return left_out, seen.all(axis=0)


def _as_wide_as_halves(entropies: np.ndarray, halves: dict | None) -> np.ndarray:
    """Estimates of S ``(R, nx, ny)`` whose jackknife error of S(x) is half of that of the halves'
    difference at least.

    Both are the error of S(x) when walkers forget where they were. Walkers that have crossed x a
    few times sweep it alike, and the first error is too small by up to two; the other is not. Rows
    are moved as a whole: what is known within a row stays as it is, and the mean of exp S too.
    """
    if halves is None:
        return entropies
    rows = ln_sum(entropies)
    rows = rows - ln_sum(rows)[:, None]
    apart = rows - rows.mean(axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        factor = 0.5 * np.array(halves["error"], dtype=float) / jackknife_error(rows)
        more = np.where(factor > 1, (factor - 1) * apart, 0.0)
    more = more - (ln_sum((rows + more).T) - ln_sum(rows.T))
    return entropies + np.nan_to_num(more)[:, :, None]


def _halves(entropy: np.ndarray, production: np.ndarray, early: list) -> dict | None:
    """S(x) of the second half of all visits less that of the first, and its error by jackknife.

    None where the halves are not known. Each S is normalised over the rows of x known to both.
    """
    if any(part is None for part in early):
        return None
    early = np.array(early)
    late, r = production - early, len(early)
    if not (early.any() and late.any()):
        return None

    def difference(walkers: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore"):
            first, second = (
                ln_sum(np.where(part > 0, entropy + np.log(part), np.nan))
                for part in (early[walkers].sum(axis=0), late[walkers].sum(axis=0))
            )
        both = ~np.isnan(first + second)
        first, second = (np.where(both, part, np.nan) for part in (first, second))
        return (second - ln_sum(second)) - (first - ln_sum(first))

    every = np.arange(r)
    left = np.array([difference(np.delete(every, k)) for k in every if r > 1])
    error = jackknife_error(left) if r > 1 else np.full(len(entropy), np.nan)
    return {"difference": as_list(difference(every)), "error": as_list(error)}


def as_list(values: np.ndarray) -> list:
    """Numbers for JSON, None in the place of what is not finite."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _anchor(
    entropies: np.ndarray, counts: np.ndarray, n: int, pooled: bool
) -> tuple[np.ndarray, float]:
    """Shift of each walker ``(R,)`` and the draws' part of its error; entropies ``(R, bins)``."""
    aligned = entropies - entropies.mean(axis=1, keepdims=True)
    spread = aligned.var(axis=0, ddof=1) if len(entropies) > 1 else 0.0
    if pooled:  # S without one walker spreads by a walker's own part of the mean
        spread = spread * (len(entropies) - 1) ** 2
    weights = 1 / (1 / counts + spread)
    weights = weights / weights.sum()
    shifts = ((np.log(counts / n) - entropies) * weights).sum(axis=1)
    return shifts, float(np.sqrt(max((weights**2 / counts).sum() - 1 / n, 0.0)))


def _stacked(histories: Sequence[dict]) -> dict[str, np.ndarray]:
    """Arrays ``(R, stages)`` of the names that all walkers recorded, cut to the shortest."""
    names = [name for name in histories[0] if all(name in other for other in histories)]
    stages = {name: min(len(history[name]) for history in histories) for name in names}
    return {
        name: np.array([history[name][: stages[name]] for history in histories]) for name in names
    }
