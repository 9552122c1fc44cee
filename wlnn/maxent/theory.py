"""The maximum-entropy law of one hidden unit, from a convex dual in two variables.

A network with N hidden units must output input k in context k (K contexts). Unit i has an output
weight w, input weights m (K,) and a gain pattern g in {0,1}^K: in context k it is a linear unit if
g_k = 1 and silent if g_k = 0 (a ReLU with strong context input). The task asks K^2 moments of the
units, <w g_k m_d> = delta_kd. Among all laws p(w, m, g) with these moments the one closest to the
homogeneous prior p0 (Gaussian weights of variance sigma^2, independent gains) is

    p(w, m, g) ~ p0(g) exp(-(w^2 + |m|^2) / (2 sigma^2) + w U(g).m / sigma^2),          (3)

a mixture of one Gaussian population per gain pattern. For this symmetric task the multipliers have
the form U(g) = alpha g + beta n 1, with n = n(g) the number of contexts in which the unit is
active, and everything depends on n alone. After Hruza & Ostojic (arXiv 2605.25607); equations
have the numbers of docs/maxent.md, here and in all of this package. Unequal gains or other targets
than delta_kd are solved in ``patterns.py``. This file draws and trains nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.newton import NotConvergedError, minimise

SMALLEST_SCALE = 1e-3  # below it 1 - |U|^2 ~ sigma^2 loses the digits the solver needs


def ln_binomial(contexts: int, f: float) -> np.ndarray:
    """ln p0(n), shape (K+1,): n of K independent gains are 1, each with probability ``f``."""
    from scipy.special import gammaln, xlog1py, xlogy

    n = np.arange(contexts + 1)
    ways = gammaln(contexts + 1) - gammaln(n + 1) - gammaln(contexts - n + 1)
    return ways + xlogy(n, f) + xlog1py(contexts - n, -f)


def quadratic_forms(contexts: int) -> np.ndarray:
    """Q_n, shape (K+1, 2, 2), with |U(g)|^2 = v^T Q_n v for v = (alpha, beta), Eq. (6)."""
    n = np.arange(contexts + 1.0)
    forms = np.empty((contexts + 1, 2, 2))
    forms[:, 0, 0] = n
    forms[:, 0, 1] = forms[:, 1, 0] = n**2
    forms[:, 1, 1] = contexts * n**2
    return forms


def dual(v: np.ndarray, contexts: int, t: float, ln_p0: np.ndarray, gains: str):
    """F(v), its gradient and its Hessian for v = (alpha, beta); infinite where some |U| >= 1.

    F = ln sum_n p0(n) (1 - r2)^(-1/2) - t K (alpha + beta), t = 1 / sigma^2, r2 = v^T Q_n v: that
    is (5) with (6). With ``gains="quenched"`` (p(n) held at p0) the first term is
    -1/2 sum_n p0(n) ln(1 - r2). At the minimum -F is the relative entropy KL(p || p0) per unit.
    """
    forms = quadratic_forms(contexts)
    Qv = forms @ v
    r2 = Qv @ v
    used = np.isfinite(ln_p0)
    if (r2[used] >= 1).any():
        return np.inf, None, None
    X = 1 / (1 - np.where(used, r2, 0.0))
    slopes = Qv * X[:, None]  # gradient of -1/2 ln(1 - r2), per n
    curvature = forms * X[:, None, None] + 2 * slopes[:, :, None] * slopes[:, None, :]
    if gains == "quenched":
        p = np.exp(ln_p0)
        value = 0.5 * p @ np.log(X)
        gradient = p @ slopes
        hessian = np.einsum("n,nij->ij", p, curvature)
    else:
        p, value = tilted(ln_p0, X)
        gradient = p @ slopes
        hessian = np.einsum("n,nij->ij", p, curvature + slopes[:, :, None] * slopes[:, None, :])
        hessian -= np.outer(gradient, gradient)
    return value - t * contexts * (v[0] + v[1]), gradient - t * contexts, hessian


def tilted(ln_p0: np.ndarray, X: np.ndarray) -> tuple[np.ndarray, float]:
    """p ~ p0 X^(1/2), Eq. (4), and ln of its normalisation, through logarithms."""
    ln_weights = ln_p0 + 0.5 * np.log(X)
    top = ln_weights.max()
    weights = np.exp(ln_weights - top)
    return weights / weights.sum(), float(top + np.log(weights.sum()))


class Mixture:
    """What all laws here have: populations of share ``p`` whose |U|^2 is ``r2``, both (P,)."""

    @property
    def X(self) -> np.ndarray:
        """1 / (1 - |U|^2): the factor by which var(w) exceeds sigma^2, (P,)."""
        return 1 / (1 - self.r2)

    @property
    def mean_X(self) -> float:
        """Average of X over units, <w^2> / sigma^2."""
        return float(self.p @ self.X)

    @property
    def R2(self) -> float:
        """Selectivity index: share of output-weight variance that gated inputs explain."""
        return float(self.p @ self.r2)


@dataclass(frozen=True)
class Solution(Mixture):
    """The maximum-entropy law for K contexts; arrays run over n = 0..K, the active contexts.

    Attributes:
        contexts: K.
        weight_scale: sigma, the standard deviation of every weight under the prior. In mode
            ``moment`` sigma^2 is the base scale b that was solved for.
        f: prior probability that a gain is 1.
        gains: ``annealed`` (the populations p(n) adapt) or ``quenched`` (p(n) held at p0).
        s: sigma_w sigma_m in mode ``moment``, None in mode ``prior``.
        alpha, beta: U(g) = alpha g + beta n 1.
        kl: KL(p || p0) per unit, nats.
        p0, p, r2: prior and posterior of n, and |U|^2; shape (K+1,) each.
        newton_steps: iterations of the solver.
    """

    contexts: int
    weight_scale: float
    f: float
    gains: str
    s: float | None
    alpha: float
    beta: float
    kl: float
    p0: np.ndarray
    p: np.ndarray
    r2: np.ndarray
    newton_steps: int

    @property
    def n(self) -> np.ndarray:
        """Number of contexts in which a unit is active, (K+1,)."""
        return np.arange(self.contexts + 1)

    @property
    def variance(self) -> float:
        """sigma^2."""
        return self.weight_scale**2

    @property
    def rho(self) -> np.ndarray:
        """|U(g)|: correlation of w with the input weights along U, (K+1,)."""
        return np.sqrt(self.r2)

    @property
    def w2(self) -> float:
        """<w^2> (for sigma_w = sigma_m = sigma)."""
        return self.variance * self.mean_X

    @property
    def m2(self) -> float:
        """<m_d^2>, from <|m|^2> - <w^2> = (K - 1) sigma^2 in every population."""
        return self.variance * (self.contexts - 1 + self.mean_X) / self.contexts

    @property
    def drive(self) -> np.ndarray:
        """Share of the task carried by the units with n active contexts, (K+1,); sums to 1."""
        strength = self.alpha * self.n + self.beta * self.n**2
        return self.p * self.variance * self.X * strength / self.contexts

    @property
    def frac_m(self) -> float:
        """Share of input-weight variance along the structured direction; 1/K when random."""
        return self.mean_X / (self.contexts - 1 + self.mean_X)

    @property
    def rho_bar(self) -> float:
        """Mean of rho over the units active in at least one context."""
        return float(self.p[1:] @ self.rho[1:] / self.p[1:].sum())

    @property
    def c_g(self) -> float:
        """Specialisation index: correlation of the gains of two contexts (0 random); NaN, K = 1."""
        return gain_correlation(self.p)

    @property
    def kl_g(self) -> float:
        """sum_n p ln(p / p0): how far the gains are from the homogeneous population, nats."""
        from scipy.special import rel_entr

        return float(rel_entr(self.p, self.p0).sum())

    @property
    def bits_per_gain(self) -> float:
        """kl_g / (K ln 2): structured bits per gain."""
        return self.kl_g / (self.contexts * math.log(2))

    @property
    def scaled_loss(self) -> float:
        """N E[L] of a network of N independent units; L = (1/K) |M - I|^2 falls as 1/N."""
        X, r2 = self.X, self.r2
        second = self.variance**2 * (X * (self.contexts - 1 + X) + 2 * r2 * X**2)
        return float((self.p @ (self.n * second) - self.contexts) / self.contexts)

    @property
    def entropy_cost(self) -> float:
        """S(no task) - S per unit at equal second moments of w and m, nats."""
        K, X = self.contexts, self.mean_X
        m = (K - 1 + X) / K  # <m_d^2> / sigma^2
        return self.kl + 0.5 * math.log(X) + 0.5 * K * math.log(m) - (X - 1) / 2 - K * (m - 1) / 2

    def patterns(self, rng: np.random.Generator, units: int) -> tuple[np.ndarray, np.ndarray]:
        """Gain patterns and U of ``units`` drawn units: g (N, K) in {0, 1} and U (N, K)."""
        n = rng.choice(self.contexts + 1, size=units, p=self.p)
        rank = rng.random((units, self.contexts)).argsort(1).argsort(1)
        g = (rank < n[:, None]).astype(float)
        return g, self.alpha * g + self.beta * n[:, None]

    def record(self) -> dict:
        """One row of the result table: plain numbers and lists."""
        row = {"K": self.contexts, "sigma": self.weight_scale, "f": self.f, "gains": self.gains}
        if self.s is not None:
            row["s"] = self.s
        row |= {"alpha": self.alpha, "beta": self.beta, "KL": self.kl, "KL_g": self.kl_g}
        row |= {"bits_per_gain": self.bits_per_gain, "c_g": self.c_g, "R2": self.R2}
        row |= {"frac_m": self.frac_m, "rho_bar": self.rho_bar, "dS": self.entropy_cost}
        row |= {"w2": self.w2, "m2": self.m2, "N*L": self.scaled_loss}
        row |= {"p": self.p.tolist(), "rho": self.rho.tolist(), "drive": self.drive.tolist()}
        return row


def gain_correlation(p: np.ndarray) -> float:
    """c_g = (E[n(n-1)]/(K(K-1)) - Eg^2) / (Eg (1-Eg)), Eg = E[n]/K, from p(n) (K+1,)."""
    n = np.arange(len(p))
    K = len(p) - 1
    mean = p @ n / K
    if K == 1 or not 0 < mean < 1:
        return math.nan
    return float((p @ (n * (n - 1)) / (K * (K - 1)) - mean**2) / (mean * (1 - mean)))


def solve(
    contexts: int, weight_scale: float, *, f: float = 0.5, gains: str = "annealed"
) -> Solution:
    """The law closest to the prior of weight scale ``sigma`` that performs the task.

    Mode ``prior``: minimise KL(p || p0), p0 = N(0, sigma^2) on w and on every m_d, times
    independent gains that are 1 with probability ``f``. Mode ``moment`` is in ``moment.py``.

    Raises:
        UserError: K < 1, a weight scale below 0.001, f outside (0, 1], or an unknown ``gains``.
    """
    K = check_contexts(contexts)
    sigma = check_scale(weight_scale)
    if sigma < SMALLEST_SCALE:
        raise UserError(
            f"weight scale = {sigma:g}: the solver is exact down to {SMALLEST_SCALE:g}; below it "
            "use the exact limit (wlnn.maxent.limits.rich)."
        )
    if not 0 < f <= 1:
        raise UserError(f"f = {f}: the prior probability of a gain must lie in (0, 1].")
    if f == 1 and K > 1:
        raise UserError(
            f"f = 1 with K = {K}: units that are active in every context cannot tell contexts "
            "apart; give f below 1."
        )
    if gains not in ("annealed", "quenched"):
        raise UserError(f"gains = '{gains}': choose 'annealed' or 'quenched'.")
    t = 1 / sigma**2
    ln_p0 = ln_binomial(K, f)

    def function(v):
        value, gradient, hessian = dual(np.append(v, np.zeros(2 - len(v))), K, t, ln_p0, gains)
        if gradient is None:
            return value, None, None
        return value, gradient[: len(v)], hessian[: len(v), : len(v)]

    size = max(1.0, t * K)
    start = np.zeros(1 if K == 1 else 2)  # K = 1: alpha and beta are one variable, beta = 0
    try:
        # rounding of 1 - r2 ~ sigma^2 limits the gradient to about 1e-15 t of its size
        v, value, _, steps = minimise(function, start, 1e-12 * size, 1e-11 * size * max(1.0, t))
    except NotConvergedError as error:
        raise UserError(f"K = {K}, sigma = {sigma:g}: no solution ({error}).") from None
    v = np.append(v, np.zeros(2 - len(v)))
    r2 = np.clip((quadratic_forms(K) @ v) @ v, 0.0, None)
    r2[~np.isfinite(ln_p0)] = 0.0
    p = np.exp(ln_p0) if gains == "quenched" else tilted(ln_p0, 1 / (1 - r2))[0]
    alpha, beta = float(v[0]), float(v[1])
    return Solution(
        K, sigma, f, gains, None, alpha, beta, -float(value), np.exp(ln_p0), p, r2, steps
    )
