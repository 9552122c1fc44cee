"""Mode ``moment``: second moments of the weights are held, and entropy is largest.

The law is one of ``theory.py`` whose prior scale is found here; nothing else is solved.
"""

from __future__ import annotations

import math
from dataclasses import replace

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.limits import feasible_scale
from wlnn.maxent.theory import SMALLEST_SCALE, Solution, solve


def solve_moment(contexts: int, s: float, *, f: float = 0.5, gains: str = "annealed") -> Solution:
    """The law of largest entropy with <w^2> = sigma_w^2 and <|m|^2> = K sigma_m^2.

    Only s = sigma_w sigma_m matters. The law is of the same family as that of
    :func:`wlnn.maxent.solve`, and its base scale b = sigma^2 is the root of
    b sqrt(Xbar (K - 1 + Xbar) / K) = s, Eq. (7), whose left side grows with b.

    Raises:
        UserError: ``s`` does not exceed the feasible scale s_c(K) (``limits.feasible_scale``).
    """
    from scipy.optimize import brentq

    K = check_contexts(contexts)
    s = check_scale(s, "s = sigma_w sigma_m")
    least = feasible_scale(K)
    if s <= least * (1 + 1e-12):
        raise UserError(
            f"weight scale {math.sqrt(s):g} (s = {s:g}) is below the feasible one for K = {K}: "
            f"the task needs a scale above {math.sqrt(least):.6g} (s_c = {least:.6g})."
        )

    def gap(ln_sigma):
        X = solve(K, math.exp(ln_sigma), f=f, gains=gains).mean_X
        return 2 * ln_sigma + 0.5 * math.log(X * (K - 1 + X) / K) - math.log(s)

    high = 0.5 * math.log(s)  # Xbar > 1, so that the root lies below
    low = high - 0.5
    while gap(low) > 0:
        low -= 0.5
        if low < math.log(SMALLEST_SCALE):
            raise UserError(
                f"weight scale {math.sqrt(s):g} is too close to the smallest feasible one "
                f"({math.sqrt(least):.9g} for K = {K}); give a larger one."
            )
    sigma = math.exp(brentq(gap, low, high, xtol=1e-14, rtol=1e-15))
    return replace(solve(K, sigma, f=f, gains=gains), s=s)
