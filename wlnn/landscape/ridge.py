"""Where S is highest in each row of x, to less than a bin of y. Numbers in, numbers out."""

from __future__ import annotations

import numpy as np

DEEP = 2.0  # nats below the highest bin, down to which the bins of a row are fitted
FEWEST = 4  # of these bins


def ridge(entropy: np.ndarray, y: np.ndarray) -> np.ndarray:
    """y of the highest S of each row ``(..., nx)`` of ``entropy (..., nx, ny)``; NaN if never seen.

    The top of the parabola of least squares through the bins within :data:`DEEP` nats of the
    highest, each weighted by exp S: the bins of a ladder scatter by 1 / sqrt(visits). Where they
    are few, or bend upwards, it is the highest bin. ``y (ny,)`` are the values that bins stand for.
    """
    rows = entropy.reshape(-1, entropy.shape[-1])
    return np.array([_top(row, y) for row in rows]).reshape(entropy.shape[:-1])


def _top(row: np.ndarray, y: np.ndarray) -> float:
    if np.isnan(row).all():
        return np.nan
    best = int(np.nanargmax(row))
    near = np.flatnonzero(row > row[best] - DEEP)  # NaN is not
    if near.size < FEWEST:
        return float(y[best])
    weight = np.exp(0.5 * (row[near] - row[best]))  # polyfit squares it
    bend, slope, _ = np.polyfit(near - best, row[near] - row[best], 2, w=weight)
    if bend >= 0:
        return float(y[best])
    place = np.clip(best - slope / (2 * bend), near[0], near[-1])
    return float(np.interp(place, np.arange(y.size), y))
