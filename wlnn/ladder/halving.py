"""Halves of a run: what is dropped of its beginning, and what is still under way off the ridge.

S of a bin by the samples of a part of a run, and how two parts of it agree. Numbers only; what they
say of a landscape is put together in ``estimate.py``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.statistics import t_factor
from wlnn.ladder.joint import joined
from wlnn.ladder.samples import SLICES, Samples, gathered
from wlnn.ladder.state import DONE, Ladder
from wlnn.landscape.grid import Grid

AGREE = 0.99  # level of Student's t, by which the halves may differ in a row
SURE = 0.1  # nats: halves that differ by less agree
RIDGE = 3.0  # nats below a row's highest bin, as far as rungs with kappa = 0 see by themselves
NEIGHBOURS = 2  # rows of x on either side, over which errors of few ladders are smoothed


def binned(grid: Grid, samples: Samples, ln_w: np.ndarray):
    """S ``(nx, ny)`` (NaN where nobody was), visits, and the sum of accuracies over visits."""
    ix, iy = grid.index(samples.x, samples.y)
    inside = ix >= 0
    cell = (ix * grid.shape[1] + iy)[inside]
    ln = (ln_w + np.log(samples.count))[inside]
    n = grid.shape[0] * grid.shape[1]
    top = np.full(n, -np.inf)
    np.maximum.at(top, cell, ln)
    total = np.bincount(cell, np.exp(ln - top[cell]), n)
    visits = np.bincount(cell, samples.count[inside], n)
    right = np.bincount(cell, (samples.count * samples.accuracy)[inside], n)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = np.where(total > 0, np.log(total) + top, np.nan)
    shape = grid.shape
    return entropy.reshape(shape), visits.reshape(shape).astype(np.int64), right.reshape(shape)


def marginal(grid: Grid, samples: Samples, ln_w: np.ndarray) -> np.ndarray:
    """S(x) ``(nx,)``: as :func:`binned`, whatever y."""
    ix = grid.x.index(samples.x)
    whole = Grid(grid.x, type(grid.y).single())
    return binned(whole, samples._replace(y=np.zeros(ix.size)), ln_w)[0][:, 0]


def by_progress(ladder: Ladder) -> Samples:
    """All samples of a run, in slices of what was done of it so far."""
    samples = gathered(ladder.parts)
    if ladder.phase == DONE:
        return samples
    return samples._replace(slice=samples.slice * SLICES // (samples.slice.max() + 1))


def between(samples: Samples, first: int, end: int) -> Samples:
    """The samples of slices ``first`` to ``end - 1``."""
    chosen = (samples.slice >= first) & (samples.slice < end)
    return Samples(*(column[chosen] for column in samples))


def halves(ladders: Sequence[Ladder], samples: Sequence[Samples], grid: Grid, dropped: int):
    """S(x) ``(2, R, nx)`` of the two halves of what is left after ``dropped`` slices."""
    middle = (dropped + SLICES + 1) // 2
    found = []
    for first, end in ((dropped, middle), (middle, SLICES)):
        parts = []
        for ladder, own in zip(ladders, samples, strict=True):
            some = joined(ladder, between(own, first, end))
            parts.append(marginal(grid, some.samples, some.ln_w))
        found.append(parts)
    return np.array(found)


def disagreement(both: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference of the halves by row of x, and its combined error, ``(nx,)`` each.

    The error is sqrt(var_1 / R + var_2 / R) over R ladders, rms over neighbouring rows; infinite
    for one ladder. Rows that a half of a ladder lacks are NaN.
    """
    difference = (both[1] - both[0]).mean(axis=0)
    n = both.shape[1]
    if n < 2:
        return difference, np.full(difference.size, np.inf)
    return difference, smoothed((both.var(axis=1, ddof=1) / n).sum(axis=0))


def burn_in(ladders, samples, grid: Grid, most: float) -> tuple[int, np.ndarray, bool, np.ndarray]:
    """Slices to drop, the halves' difference by row of x ``(nx,)``, whether they agree, the halves.

    The least number of slices, in steps of two, after which the halves of the rest differ by at
    most Student's t of :data:`AGREE` combined errors, or 0.1 nat, in every row; the most that is
    allowed if there is none. R ladders give a row 2 (R - 1) degrees of freedom.
    """
    candidates = [k for k in range(0, SLICES, 2) if k <= most * SLICES]
    for dropped in candidates[1:] or candidates:
        both = halves(ladders, samples, grid, dropped)
        difference, error = disagreement(both)
        known, n = ~np.isnan(difference), both.shape[1]
        factor = t_factor(2 * n - 1, AGREE) if n > 1 else 1.0
        agree = bool((np.abs(difference) <= np.maximum(factor * error, SURE))[known].all())
        if agree:
            break
    return dropped, difference, agree, both


def lag(grid: Grid, ladders: Sequence[Ladder], entropies: np.ndarray) -> np.ndarray:
    """By how much S of bins off the ridge is still under way ``(nx, ny)``; empty without an arm.

    |d| and its standard error, of the difference d of the halves of what was seen since all ladders
    have arms, over those that saw the bin in both; NaN where fewer than two did. 0 within
    :data:`RIDGE` of a row's highest bin of ``entropies (R, nx, ny)``.
    """
    samples = [by_progress(ladder) for ladder in ladders]
    pairs = list(zip(ladders, samples, strict=True))
    arms = [own.slice[ladder.rungs.tilt[own.rung] != 0] for ladder, own in pairs]
    if not all(slices.size for slices in arms):
        return np.zeros((0, 0))
    first = max(int(slices.min()) for slices in arms)
    middle = (first + SLICES) // 2
    d = np.full(entropies.shape, np.nan)
    for k, (ladder, own) in enumerate(pairs if first < middle else ()):
        early, late = (
            joined(ladder, between(own, *ends)) for ends in ((first, middle), (middle, SLICES))
        )
        d[k] = binned(grid, late.samples, late.ln_w)[0] - binned(grid, early.samples, early.ln_w)[0]
    n = np.count_nonzero(~np.isnan(d), axis=0)
    some = np.maximum(n, 1)
    mean = np.nansum(d, axis=0) / some
    variance = np.nansum((d - mean) ** 2, axis=0) / np.maximum(n - 1, 1)
    under_way = np.where(n > 1, np.abs(mean) + np.sqrt(variance / some), np.nan)
    seen = np.count_nonzero(~np.isnan(entropies), axis=0)
    height = np.where(seen > 0, np.nansum(entropies, axis=0) / np.maximum(seen, 1), -np.inf)
    return np.where(height > height.max(axis=1, keepdims=True) - RIDGE, 0.0, under_way)


def smoothed(variance: np.ndarray) -> np.ndarray:
    """Errors ``(nx,)``: root of the mean variance of neighbouring rows; NaN rows are left out."""
    rows = np.arange(variance.size)
    near = (np.abs(rows[:, None] - rows) <= NEIGHBOURS) & ~np.isnan(variance)
    return np.sqrt(near @ np.nan_to_num(variance) / np.maximum(near.sum(axis=1), 1))
