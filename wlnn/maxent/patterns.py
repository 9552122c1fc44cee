"""The maximum-entropy law for any target moments and any list of gain patterns.

More general than ``theory.py``, and slower: P listed patterns g (binary or not) with any prior
p0(g), any target C (K, D), all K D multipliers by Newton. It uses no symmetry and draws nothing.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wlnn.base.checks import check_contexts, check_probability, check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.newton import NotConvergedError, minimise
from wlnn.maxent.observables import mean_correlation
from wlnn.maxent.theory import Mixture, tilted

MOST_CONTEXTS = 10  # 2^10 patterns, 100 multipliers: a second or two


def binary_patterns(contexts: int, f: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """All patterns g in {0,1}^K and ln p0 for independent gains: (2^K, K) and (2^K,)."""
    K = check_contexts(contexts)
    if K > MOST_CONTEXTS:
        raise UserError(
            f"contexts = {K}: the full solver lists 2^K patterns and stops at {MOST_CONTEXTS}; "
            "the symmetric solver (wlnn.maxent.solve) takes any K."
        )
    check_probability(f)
    g = ((np.arange(2**K)[:, None] >> np.arange(K)[::-1]) & 1).astype(float)
    n = g.sum(1)
    return g, n * np.log(f) + (K - n) * np.log1p(-f)


@dataclass(frozen=True)
class PatternSolution(Mixture):
    """A mixture of P Gaussian populations, one per gain pattern.

    Attributes:
        weight_scale: sigma.
        g: gain patterns (P, K).
        p0, p: prior and posterior of the patterns (P,).
        multipliers: sigma^2 Lambda (K, D); U(g) = multipliers^T g.
        kl: KL(p || p0) per unit, nats.
        newton_steps: iterations of the solver.
    """

    weight_scale: float
    g: np.ndarray
    p0: np.ndarray
    p: np.ndarray
    multipliers: np.ndarray
    kl: float
    newton_steps: int

    @property
    def U(self) -> np.ndarray:
        """U(g) of each pattern, (P, D)."""
        return self.g @ self.multipliers

    @property
    def r2(self) -> np.ndarray:
        """|U|^2 (P,)."""
        return (self.U**2).sum(1)

    @property
    def moments(self) -> np.ndarray:
        """<w g_k m_d>, (K, D); the target, as a check."""
        weight = self.p * self.X * self.weight_scale**2
        return np.einsum("p,pk,pd->kd", weight, self.g, self.U)

    @property
    def p_n(self) -> np.ndarray:
        """Population of n, the number of gains above 1/2, (K+1,)."""
        n = (self.g > 0.5).sum(1)
        return np.bincount(n, weights=self.p, minlength=self.g.shape[1] + 1)

    @property
    def c_g(self) -> float:
        """Mean over pairs of contexts of the correlation of their gains; NaN for K = 1."""
        deviation = self.g - self.p @ self.g
        return mean_correlation(np.einsum("p,pk,pl->kl", self.p, deviation, deviation))

    def record(self) -> dict:
        """One row of the result table; the multipliers sigma^2 Lambda are listed row by row."""
        K, D = self.multipliers.shape
        row = {"K": K, "D": D, "sigma": self.weight_scale, "KL": self.kl, "c_g": self.c_g}
        row |= {"R2": self.R2, "w2": self.weight_scale**2 * self.mean_X}
        return row | {"p": self.p_n.tolist(), "multipliers": self.multipliers.ravel().tolist()}

    def patterns(self, rng: np.random.Generator, units: int) -> tuple[np.ndarray, np.ndarray]:
        """Gain patterns and U of ``units`` drawn units: g (N, K) and U (N, D)."""
        which = rng.choice(len(self.p), size=units, p=self.p)
        return self.g[which], self.U[which]


def solve_patterns(
    g: np.ndarray,
    ln_p0: np.ndarray,
    weight_scale: float,
    *,
    target: np.ndarray | None = None,
    gains: str = "annealed",
) -> PatternSolution:
    """The law (3) closest to the prior with <w g_k m_d> = target_kd, by the dual (5).

    Args:
        g: gain patterns (P, K).
        ln_p0: their log prior (P,); normalised here.
        weight_scale: sigma.
        target: C (K, D); the identity if None.
        gains: ``annealed`` or ``quenched`` (patterns keep their prior probabilities).

    Raises:
        UserError: shapes that do not fit, or moments that no such law has (a context in which no
            pattern is active, two contexts with the same gains but different targets).
    """
    sigma = check_scale(weight_scale)
    g, ln_p0 = np.asarray(g, float), np.asarray(ln_p0, float)
    if g.ndim != 2 or ln_p0.shape != g.shape[:1]:
        raise UserError(
            f"patterns {g.shape} with a prior {ln_p0.shape}: give shapes (P, K) and (P,)."
        )
    K = g.shape[1]
    C = np.eye(K) if target is None else np.asarray(target, float)
    if C.ndim != 2 or len(C) != K:
        raise UserError(f"target of shape {C.shape}: give one row per context, ({K}, D).")
    if gains not in ("annealed", "quenched"):
        raise UserError(f"gains = '{gains}': choose 'annealed' or 'quenched'.")
    if np.linalg.matrix_rank(g[np.isfinite(ln_p0)]) < K:
        raise UserError(
            "these gain patterns cannot tell all contexts apart; every context needs its own "
            "combination of patterns."
        )
    D = C.shape[1]
    t = 1 / sigma**2
    ln_p0 = ln_p0 - np.logaddexp.reduce(ln_p0)

    def dual(b):
        U = g @ b.reshape(K, D)
        r2 = (U**2).sum(1)
        if (r2 >= 1).any():
            return np.inf, None, None
        X = 1 / (1 - r2)
        if gains == "quenched":
            p, value = np.exp(ln_p0), 0.5 * np.exp(ln_p0) @ np.log(X)
        else:
            p, value = tilted(ln_p0, X)
        slopes = np.einsum("p,pk,pd->pkd", X, g, U).reshape(len(g), K * D)
        gradient = p @ slopes
        weight = 2.0 if gains == "quenched" else 3.0
        hessian = np.kron((g * (p * X)[:, None]).T @ g, np.eye(D))
        hessian += weight * (slopes * p[:, None]).T @ slopes
        if gains == "annealed":
            hessian -= np.outer(gradient, gradient)
        return value - t * (C.ravel() @ b), gradient - t * C.ravel(), hessian

    size = max(1.0, t * np.abs(C).max() * K)
    try:
        b, value, _, steps = minimise(
            dual, np.zeros(K * D), 1e-12 * size, 1e-10 * size * max(1.0, t)
        )
    except (NotConvergedError, np.linalg.LinAlgError) as error:
        raise UserError(
            f"sigma = {sigma:g}: no law of this kind has the wanted moments ({error})."
        ) from None
    X = 1 / (1 - ((g @ b.reshape(K, D)) ** 2).sum(1))
    p = np.exp(ln_p0) if gains == "quenched" else tilted(ln_p0, X)[0]
    return PatternSolution(sigma, g, np.exp(ln_p0), p, b.reshape(K, D), -float(value), steps)
