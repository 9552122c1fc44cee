"""What a judge returns, and the few statistics that all judges share.

A judge runs a sampler on an exact case and compares; the cases themselves are the other files.
"""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np


class Verdict(NamedTuple):
    """Outcome of one judge: it passes when ``error <= threshold``."""

    case: str
    sampler: str
    error: float  # what it measures is said in ``detail``; NaN where the judge was skipped
    threshold: float
    passed: bool | None  # None: skipped, for the reason in ``detail``
    detail: str
    seconds: float


def verdict(case, sampler, error, threshold, detail, began, also=True) -> Verdict:
    """The verdict of a judge that began at ``time.perf_counter()`` = ``began``.

    ``also`` is False when something that has no size went wrong (then ``detail`` says what).
    """
    passed = bool(error <= threshold) and bool(also)  # NaN fails
    seconds = time.perf_counter() - began
    return Verdict(case, sampler, float(error), threshold, passed, detail, seconds)


def words(seed: int, *key: int) -> np.ndarray:
    """Four 64-bit words to start the driver's generator, one stream per key."""
    return np.random.SeedSequence(seed, spawn_key=key).generate_state(4, np.uint64)


def entropy(masses: np.ndarray) -> np.ndarray:
    """Exact S = ln mass; 0 in empty bins, which no right walker ever compares."""
    return np.log(np.where(masses > 0, masses, 1.0))


def even(counts: np.ndarray) -> float:
    """p-value of the chi-square test that ``counts`` come from equally likely cells."""
    from scipy.stats import chi2

    expected = counts.sum() / counts.size
    return float(chi2.sf(((counts - expected) ** 2 / expected).sum(), counts.size - 1))


def mean_is(samples: np.ndarray, expected: np.ndarray) -> float:
    """p-value of Hotelling's test that rows ``samples (B, d)`` have the mean ``expected (d,)``."""
    from scipy.stats import f

    n, d = samples.shape
    difference = samples.mean(axis=0) - expected
    covariance = np.atleast_2d(np.cov(samples.T))
    try:
        t2 = n * difference @ np.linalg.solve(covariance, difference)
    except np.linalg.LinAlgError:  # a bin that is never updated has no variance
        return 0.0 if np.abs(difference).max() > 0 else 1.0
    return float(f.sf(t2 * (n - d) / (d * (n - 1)), d, n - d))


def decades(p: float) -> float:
    """-log10 of a p-value: 5 means one in 100,000."""
    return float(-np.log10(p)) if p > 0 else np.inf
