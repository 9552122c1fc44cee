"""What is measured on a network of K contexts and N hidden units, drawn or trained.

It knows the weights only, not where they come from: ``w`` (N,), ``m`` (N, K) and the sign of the
context weights ``a`` (N, K), which says in which contexts a unit is active.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.context import Units


class Measured(NamedTuple):
    """Observables of one network; arrays over n = 0..K, NaN for an n with too few units.

    p: share of units active in n contexts; c_g: mean correlation of the gain bits of two contexts;
    rho: correlation of w with m.e, e the direction of <w m> in the plane of the active (on) and
    silent (off) inputs; rho_bar: mean of rho over n >= 1, weighted by p; R2: mean of rho^2 weighted
    with <w^2> as the share of output-weight variance explained; frac_m: <(m.e)^2> / <|m|^2>, share
    of input-weight variance along e; w2, m2: <w^2>, <m_d^2>.
    """

    p: np.ndarray
    c_g: float
    rho: np.ndarray
    rho_bar: float
    R2: float
    frac_m: float
    w2: float
    m2: float


LEAST_UNITS = 5  # a correlation from fewer units says nothing


def on_off(m: np.ndarray, g: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Projections of m on the active and on the silent inputs of each unit, both (N,).

    on = sum_{g=1} m_d / sqrt(n) and off = sum_{g=0} m_d / sqrt(K - n); 0 where there are none.
    """
    n = g.sum(1)
    silent = m.shape[1] - n
    on = (m * g).sum(1) / np.sqrt(np.maximum(n, 1))
    off = (m * ~g).sum(1) / np.sqrt(np.maximum(silent, 1))
    return on, off


def structured_correlation(second: np.ndarray) -> tuple[float, np.ndarray]:
    """rho and e from the second moments (3, 3) of (w, on, off), S their lower right block.

    rho = |c| / sqrt(<w^2> e^T S e), c = <w (on, off)>, e = c / |c| (2,).
    """
    c = second[0, 1:]
    length = np.hypot(*c)
    if length == 0:
        return 0.0, np.array([1.0, 0.0])
    e = c / length
    return float(length / np.sqrt(second[0, 0] * (e @ second[1:, 1:] @ e))), e


def structured_pairs(units: Units, size: int) -> tuple[np.ndarray, np.ndarray]:
    """(m.e, w) of the units active in ``size`` contexts: what rho(n) is the correlation of."""
    g = units.g
    here = g.sum(1) == size
    columns = np.stack([units.w[here], *on_off(units.m[here], g[here])])
    _, e = structured_correlation(columns @ columns.T / max(1, here.sum()))
    return e @ columns[1:], columns[0]


def mean_correlation(covariance: np.ndarray) -> float:
    """Mean correlation over pairs from a covariance (K, K); NaN for K = 1 or without variance."""
    K = len(covariance)
    scale = np.sqrt(np.diag(covariance))
    if K == 1 or (scale == 0).any():
        return float("nan")
    correlation = covariance / np.outer(scale, scale)
    return float((correlation.sum() - K) / (K * (K - 1)))


def measure(units: Units) -> Measured:
    """All observables of one network."""
    w, m, g = np.asarray(units.w, float), np.asarray(units.m, float), units.g
    N, K = m.shape
    n = g.sum(1)
    p = np.bincount(n, minlength=K + 1) / N
    on, off = on_off(m, g)
    columns = np.stack([w, on, off])
    rho = np.full(K + 1, np.nan)
    along = total = 0.0
    for size in range(K + 1):
        here = n == size
        if here.sum() >= LEAST_UNITS:
            part = columns[:, here]
            rho[size], e = structured_correlation(part @ part.T / here.sum())
            along += float(((e @ part[1:]) ** 2).sum())
            total += float((m[here] ** 2).sum())
    known = np.isfinite(rho)
    active = known & (np.arange(K + 1) > 0)
    rho_bar = float(p[active] @ rho[active] / p[active].sum()) if active.any() else float("nan")
    R2 = float(p[known] @ rho[known] ** 2 / p[known].sum())
    deviation = g - g.mean(0)
    c_g = mean_correlation(deviation.T @ deviation)
    frac_m = along / total if total else float("nan")
    w2, m2 = float((w**2).mean()), float((m**2).mean())
    return Measured(p, c_g, rho, rho_bar, R2, frac_m, w2, m2)


def total_variation(p: np.ndarray, q: np.ndarray) -> float:
    """Distance of two populations of n, 1/2 sum |p - q|: 0 equal, 1 disjoint."""
    return float(0.5 * np.abs(np.asarray(p) - np.asarray(q)).sum())
