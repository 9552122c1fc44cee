"""Exact limits of the maximum-entropy law: rich, lazy, and many contexts; it solves no dual."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.errors import UserError
from wlnn.maxent.checks import check_contexts, check_probability, check_scale
from wlnn.maxent.theory import ln_binomial


class RichLimit(NamedTuple):
    """sigma -> 0: the least weights that can do the task.

    ``w2`` is <w^2> = <|m|^2> and ``p`` (K+1,) the population of n.
    """

    w2: float
    p: np.ndarray


class LazyLimit(NamedTuple):
    """sigma -> infinity: leading order of alpha, beta / alpha and KL per unit."""

    alpha: float
    beta_over_alpha: float
    kl: float


class ManyContexts(NamedTuple):
    """K -> infinity at fixed s = sigma_w sigma_m (mode ``moment``, f = 1/2).

    ``kappa`` and ``xi2`` describe xi = 2 (n - K/2) / sqrt(K), whose density is proportional to
    exp(-xi^2 / 2) / sqrt(kappa + xi^2); ``kl_g`` is KL_g, ``frac_m``, ``w2_per_context`` and
    ``entropy_cost_per_context`` are the limits of frac_m, <w^2> / (K sigma^2) and dS / K.
    """

    kappa: float
    xi2: float
    kl_g: float
    frac_m: float
    w2_per_context: float
    entropy_cost_per_context: float

    def c_g(self, contexts: int) -> float:
        """Leading order of the specialisation index, (<xi^2> - 1) / (K - 1)."""
        return (self.xi2 - 1) / (contexts - 1)


def _cost_of_size(contexts: int) -> np.ndarray:
    """s needed when only patterns with n = 1..K-1 active contexts are used, (K-1,)."""
    n = np.arange(1, contexts)
    K = contexts
    return math.sqrt(K) / n * np.sqrt((n * K - 2 * n + 1) / (K - n))


def feasible_scale(contexts: int) -> float:
    """s_c(K): the task cannot be done with sigma_w sigma_m at or below it (2 for K -> infinity)."""
    K = check_contexts(contexts)
    if K == 1:
        return 1.0
    if K == 2:  # here patterns of one and of two contexts share the task
        return (1 + math.sqrt(3)) / 2
    return float(_cost_of_size(K).min())


def rich(contexts: int, f: float = 0.5) -> RichLimit:
    """The limit sigma -> 0 of mode ``prior``: <w^2> = sqrt(K) s_c(K), and who carries it.

    K = 2: each pattern has p(g) ~ p0(g)^(2/3) q(g)^(1/3), with q = sqrt(2/3) for n = 1 and the
    remaining sqrt(2) s_c - 2 sqrt(2/3) for n = 2. K >= 3: all units sit on the cheapest n.

    Raises:
        UserError: K < 1, f outside (0, 1), or two values of n are equally cheap.
    """
    K = check_contexts(contexts)
    check_probability(f)
    w2 = math.sqrt(K) * feasible_scale(K)
    p = np.zeros(K + 1)
    if K == 1:
        p[1] = 1
    elif K == 2:
        q = np.array([math.sqrt(2 / 3), w2 - 2 * math.sqrt(2 / 3)])
        weight = np.exp(ln_binomial(K, f)[1:] * 2 / 3) * np.array([2 ** (1 / 3), 1]) * q ** (1 / 3)
        p[1:] = weight / weight.sum()
    else:
        cost = _cost_of_size(K)
        best = int(cost.argmin())
        if np.isclose(cost, cost[best], rtol=1e-12).sum() > 1:
            raise UserError(f"K = {K}: two pattern sizes cost the same; the limit is not unique.")
        p[best + 1] = 1
    return RichLimit(w2, p)


def lazy(contexts: int, weight_scale: float) -> LazyLimit:
    """Leading order in 1 / sigma^2 at f = 1/2: alpha = 4 / sigma^2, KL = 2 K^2/((K+1) sigma^4)."""
    K = check_contexts(contexts)
    variance = check_scale(weight_scale) ** 2
    return LazyLimit(4 / variance, -1 / (K + 1), 2 * K**2 / ((K + 1) * variance**2))


def many_contexts(s: float) -> ManyContexts:
    """K -> infinity in mode ``moment`` at s > 2: kappa solves K1(k/4)/K0(k/4) = (s^2+4)/(s^2-4)."""
    from scipy.integrate import quad
    from scipy.optimize import brentq
    from scipy.special import k0e, k1e

    s = check_scale(s, "s = sigma_w sigma_m", least=2.0)
    ratio = (s * s + 4) / (s * s - 4)
    kappa = 4 * math.exp(
        brentq(lambda u: k1e(math.exp(u)) / k0e(math.exp(u)) - ratio, -80, 60, xtol=1e-15)
    )
    # xi = sqrt(kappa) sinh(u) removes the peak of width sqrt(kappa) at xi = 0; u >= 0 by symmetry
    top = math.asinh(40 / math.sqrt(kappa))

    def average(function):
        def integrand(u):
            xi = math.sqrt(kappa) * math.sinh(u)
            return function(xi) * math.exp(-xi * xi / 2)

        return quad(integrand, 0, top, epsabs=0, epsrel=1e-12, limit=200)[0]

    norm = average(lambda xi: 1.0)
    xi2 = average(lambda xi: xi * xi) / norm
    mean_ln = average(lambda xi: -0.5 * math.log(kappa + xi * xi)) / norm
    # p / p0 = sqrt(2 pi) (kappa + xi^2)^(-1/2) / (2 norm), with p0 the standard normal density
    kl_g = mean_ln + 0.5 * math.log(2 * math.pi) - math.log(2 * norm)
    return ManyContexts(kappa, xi2, kl_g, 4 / s**2, 4 / (s**2 - 4), -0.5 * math.log(1 - 4 / s**2))
