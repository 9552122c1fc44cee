"""Statistics of independent walkers, and sums through logarithms; it knows no landscape."""

from __future__ import annotations

import numpy as np


def standard_error(values: np.ndarray) -> np.ndarray:
    """sd / sqrt(R) over the first axis of ``(R, ...)``; NaN for one, and where one of them is."""
    if len(values) < 2:
        return np.full(np.shape(values)[1:], np.nan)[()]
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


def t_factor(n, level: float = 0.95):
    """Student's t with n - 1 degrees of freedom, by which a standard error makes half an interval.

    ``n`` may be an array; NaN where it is below two.
    """
    from scipy.special import stdtrit

    n = np.asarray(n)
    return np.where(n > 1, stdtrit(np.maximum(n - 1, 1), 0.5 + level / 2), np.nan)[()]


def jackknife_error(values: np.ndarray) -> np.ndarray:
    """Standard error from estimates ``(R, ...)``, each of which leaves one of R walkers out."""
    r = len(values)
    if r < 2:
        return np.full(np.shape(values)[1:], np.nan)[()]
    return np.sqrt((r - 1) / r * ((values - values.mean(axis=0)) ** 2).sum(axis=0))


def ln_sum(values: np.ndarray) -> np.ndarray:
    """ln of the sum of exp over the last axis, NaN counting as zero mass; NaN where all are.

    Not SciPy's ``logsumexp``, whose last digits differ: stored entropies were made with this.
    """
    never = np.isnan(values)
    top = np.where(never, -np.inf, values).max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.where(never, 0.0, np.exp(np.where(never, 0.0, values - top))).sum(axis=-1)
    with np.errstate(divide="ignore"):
        return np.where(never.all(axis=-1), np.nan, np.log(total) + top[..., 0])
