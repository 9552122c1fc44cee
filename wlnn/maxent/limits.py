"""Exact limits of the maximum-entropy law: rich, lazy, and many contexts; it solves no dual."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_contexts, check_probability, check_scale
from wlnn.base.errors import UserError
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


def _cost_of_size(contexts: int) -> np.ndarray:
    """s needed when only patterns with n = 1..K-1 active contexts are used, (K-1,)."""
    n = np.arange(1, contexts)
    K = contexts
    return math.sqrt(K) / n * np.sqrt((n * K - 2 * n + 1) / (K - n))
