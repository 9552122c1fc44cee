"""The limit of many contexts."""

from __future__ import annotations

import math
from typing import NamedTuple

from wlnn.base.checks import check_scale


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
