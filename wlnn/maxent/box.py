"""The maximum-entropy law when weights are uniform in a box, and the entropy landscape it implies.

The Wang-Landau samplers measure the density of states of networks whose parameters are uniform in
[-b, b]. At low loss such a network IS a draw from the maximum-entropy law with that base measure
(Sanov, Gibbs conditioning), which gives ln g(ln L) for N units, loss L = (1/K) |M - I|^2 and
M = (1/N) sum_i w_i g_i m_i^T. This file samples no landscape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.newton import NotConvergedError, minimise
from wlnn.maxent.patterns import binary_patterns

_NODES, _WEIGHTS = np.polynomial.legendre.leggauss(200)
_OMEGA, _MEASURE = 0.5 * (_NODES + 1), 0.5 * _WEIGHTS  # omega = |w| / b, uniform in (0, 1)


def _log_sinhc(y):
    """ln(sinh y / y) and its first two derivatives, for y >= 0 or below, without overflow."""
    size = np.abs(y)
    small = size < 0.02
    safe = np.where(small, 1.0, size)
    decay = np.exp(-2 * safe)
    y2 = y * y
    value = np.where(
        small,
        y2 / 6 - y2 * y2 / 180 + y2**3 / 2835,
        safe + np.log1p(-decay) - np.log(2 * safe),
    )
    slope = np.where(
        small,
        size / 3 - size * y2 / 45 + 2 * size * y2 * y2 / 945,
        (1 + decay) / (1 - decay) - 1 / safe,
    )
    bend = np.where(
        small,
        1 / 3 - y2 / 15 + 2 * y2 * y2 / 189,
        1 / safe**2 - 4 * decay / (1 - decay) ** 2,
    )
    return value, np.sign(y) * slope, bend


def _moments(multipliers, g, p0, half_width):
    """ln Z, its gradient (K, D) and Hessian (KD, KD), the posterior p(g), and the table for rho."""
    K, D = multipliers.shape
    scale = half_width**2 * _OMEGA[None, :, None]  # y = b^2 omega u_d
    value, slope, bend = _log_sinhc(scale * (g @ multipliers)[:, None, :])  # (P, Q, D) each
    exponent = value.sum(2)
    top = exponent.max()
    weight = np.exp(exponent - top) * _MEASURE
    per_pattern = weight.sum(1)
    total = p0 @ per_pattern
    p = p0 * per_pattern / total
    weight /= per_pattern[:, None]  # of omega, given g
    wm = scale * slope  # <w m_d | g, omega>
    first = (weight[:, None, :] @ wm)[:, 0, :]
    second = (weight[:, :, None] * wm).transpose(0, 2, 1) @ wm
    second[:, range(D), range(D)] += (weight[:, None, :] @ (scale**2 * bend))[:, 0, :]
    gradient = (p[:, None] * g).T @ first
    pairs = (p[:, None, None] * g[:, :, None] * g[:, None, :]).reshape(len(p), K * K)
    hessian = (pairs.T @ second.reshape(len(p), D * D)).reshape(K, K, D, D)
    hessian = hessian.transpose(0, 2, 1, 3).reshape(K * D, K * D)
    hessian -= np.outer(gradient, gradient)
    return top + math.log(total), gradient, hessian, p, (weight, slope, bend)


@dataclass(frozen=True)
class BoxLaw:
    """The law closest to uniform weights in [-b, b] with <w g_k m_d> = target_kd.

    Attributes:
        half_width: b.
        g, p0, p: patterns (P, K), their prior and posterior (P,).
        target: the task matrix M (K, K).
        multipliers: Lambda (K, K); U of the tilt exp(w u.m) is u = Lambda^T g.
        rate: I(M) = KL(p || p0) per unit, nats: N units show M with probability ~ exp(-N I).
        hessian: of the log partition function, (K^2, K^2); covariance of w g_k m_d.
    """

    half_width: float
    g: np.ndarray
    p0: np.ndarray
    p: np.ndarray
    target: np.ndarray
    multipliers: np.ndarray
    rate: float
    hessian: np.ndarray

    @property
    def contexts(self) -> int:
        """K."""
        return self.g.shape[1]

    @property
    def n(self) -> np.ndarray:
        """Active contexts of each pattern (P,)."""
        return self.g.sum(1).astype(int)

    @property
    def p_n(self) -> np.ndarray:
        """Population of n, (K+1,)."""
        return np.bincount(self.n, weights=self.p, minlength=self.contexts + 1)

    @property
    def rho(self) -> np.ndarray:
        """Correlation of w with the sum of its active inputs, for n = 0..K (0 at n = 0)."""
        *_, (weight, slope, bend) = _moments(self.multipliers, self.g, self.p0, self.half_width)
        active = self.g[:, None, :]
        along = (slope * active).sum(2)
        cross = np.einsum("pq,q,pq->p", weight, _OMEGA, along)
        square = np.einsum("pq,pq->p", weight, along**2 + (bend * active).sum(2))
        w2 = weight @ _OMEGA**2
        correlation = cross / np.sqrt(w2 * np.where(self.n > 0, square, 1.0))
        sums = np.bincount(self.n, weights=self.p * correlation, minlength=self.contexts + 1)
        known = self.p_n > 0
        return np.where(known, sums / np.where(known, self.p_n, 1.0), 0.0)

    def ln_probability(self, units: int) -> float:
        """ln of the density of M over networks of N units, saddle point, Eq. (9).

        P_N(M) = (N / 2 pi)^(d/2) |det H|^(-1/2) e^(-N I(M)), d = K^2.
        """
        d = self.multipliers.size
        ln_det = np.linalg.slogdet(self.hessian)[1]
        return -units * self.rate + 0.5 * d * math.log(units / (2 * math.pi)) - 0.5 * ln_det


def solve_box(
    contexts: int,
    half_width: float,
    *,
    target: np.ndarray | None = None,
    gated: bool = True,
    start: np.ndarray | None = None,
) -> BoxLaw:
    """Solve the box dual (8): I(M) = max_Lambda tr(Lambda M^T) - ln Z(Lambda), by Newton.

    Z = 2^-K sum_g int_0^1 d omega prod_d sinh(b^2 omega u_d) / (b^2 omega u_d), u = Lambda^T g.
    ``target`` M defaults to the identity; without ``gated`` every unit is always active (K = 1).

    Raises:
        UserError: K above 10, a box that is not positive, or moments no law in this box has.
    """
    b = check_scale(half_width, "box")
    g, ln_p0 = binary_patterns(contexts)
    if not gated:
        if contexts != 1:
            raise UserError("without gating only K = 1 can be solved: contexts look all the same.")
        g, ln_p0 = np.ones((1, 1)), np.zeros(1)
    p0, K = np.exp(ln_p0), g.shape[1]
    M = np.eye(K) if target is None else np.asarray(target, float)

    def dual(v):
        if (
            b * b * np.abs(g @ v.reshape(K, K)).sum(1).max() > 500
        ):  # weights pressed against the box
            return np.inf, None, None
        value, gradient, hessian, *_ = _moments(v.reshape(K, K), g, p0, b)
        return value - v @ M.ravel(), (gradient - M).ravel(), hessian

    first = np.zeros(K * K) if start is None else np.asarray(start, float).ravel()
    size = max(1.0, float(np.abs(M).max()))
    try:
        v, value, hessian, _ = minimise(dual, first, 1e-12 * size, 1e-9 * size)
    except (NotConvergedError, np.linalg.LinAlgError):
        raise UserError(
            f"box = {b:g}, K = {K}: weights in [-{b:g}, {b:g}] are too small for this task; give "
            "a wider box."
        ) from None
    multipliers = v.reshape(K, K)
    p = _moments(multipliers, g, p0, b)[3]
    return BoxLaw(b, g, p0, p, M, multipliers, -float(value), hessian)


def ln_density(law: BoxLaw, units: int, ln_loss) -> np.ndarray:
    """ln g of networks of N units at small loss, with g normalised over ln L, Eq. (10).

    ln g(ln L) = ln P_N(I) + ln[2 pi^(d/2) / Gamma(d/2)] + (d/2) ln(K L) - ln 2
                 + ln[Gamma(d/2) (2/z)^(d/2-1) I_{d/2-1}(z)],  z = N |Lambda|_F sqrt(K L),
    so that its slope tends to K^2 / 2 as L -> 0. I_nu is the modified Bessel function.
    """
    from scipy.special import ive

    d = law.multipliers.size
    KL = law.contexts * np.exp(np.asarray(ln_loss, float))
    z = units * np.linalg.norm(law.multipliers) * np.sqrt(KL)
    bessel = np.log(ive(d / 2 - 1, z)) + z - (d / 2 - 1) * np.log(z / 2)
    # Gamma(d/2) of the sphere's area and of the average over it cancel
    return law.ln_probability(units) + 0.5 * d * np.log(math.pi * KL) + bessel


class Shell(NamedTuple):
    """Theory at finite loss: ln g (n,), and the population p(n) at that loss (n, K+1)."""

    ln_g: np.ndarray
    p_n: np.ndarray


def shell(
    law: BoxLaw, units: int, ln_loss, rng: np.random.Generator, *, directions: int = 64
) -> Shell:
    """Average the saddle point over all task matrices M with |M - I|_F^2 = K L.

    Directions are drawn where N units are likeliest to be, from a von Mises-Fisher law around
    -Lambda, and weighted back. Valid to larger loss than :func:`ln_density`, and slower.
    """
    from scipy.stats import vonmises_fisher

    K, d = law.contexts, law.multipliers.size
    mean = -law.multipliers.ravel() / np.linalg.norm(law.multipliers)
    ln_g, p_n = [], []
    for value in np.atleast_1d(np.asarray(ln_loss, float)):
        radius = math.sqrt(K * math.exp(value))
        if d == 1:
            drawn, ln_drawn = np.array([[1.0], [-1.0]]), np.full(2, math.log(0.5))
        else:
            z = units * np.linalg.norm(law.multipliers) * radius
            proposal = vonmises_fisher(mean, z)
            drawn = proposal.rvs(directions, random_state=rng)
            ln_drawn = proposal.logpdf(drawn)
        ln_weight, populations = [], []
        for direction, ln_q in zip(drawn, ln_drawn, strict=True):
            step = radius * direction
            target = law.target + step.reshape(K, K)
            nearby = law.multipliers.ravel() + np.linalg.solve(law.hessian, step)
            try:
                there = solve_box(
                    K,
                    law.half_width,
                    target=target,
                    gated=len(law.p) > 1,
                    start=nearby if radius < 0.5 else law.multipliers,
                )
            except UserError:  # out of reach of weights in this box: no networks there
                continue
            ln_weight.append(there.ln_probability(units) - ln_q)
            populations.append(there.p_n)
        total = np.logaddexp.reduce(ln_weight) if ln_weight else -np.inf
        ln_g.append(total - math.log(len(drawn)) + d * math.log(radius) - math.log(2))
        share = np.exp(np.array(ln_weight) - total)
        p_n.append(share @ np.array(populations) if ln_weight else np.full(K + 1, np.nan))
    return Shell(np.array(ln_g), np.array(p_n))


def exact_ln_density(units: int, half_width: float, ln_loss) -> np.ndarray:
    """Exact ln g(ln L), Eq. (11), for K = 1 without gating: M is the mean of N products w m.

    The sum S of N products has density (1/pi) int_0^inf cos(t S) (Si(b^2 t) / (b^2 t))^N dt (one
    product: ln(b^2 / |S|) / (2 b^2)), and L = (M - 1)^2 gives
    g(ln L) = (r/2) N [f_S(N (1+r)) + f_S(N (1-r))], r = sqrt(L). N = 1 or N >= 3 (absolute error of
    f_S below 1e-10); -inf where no network has that loss.

    Raises:
        UserError: N = 2, whose integral converges too slowly, or N < 1.
    """
    from scipy.special import sici

    b2 = check_scale(half_width, "box") ** 2
    N = units
    if N < 1 or N == 2:
        raise UserError(
            f"units = {N}: the exact density is computed for 1 and for 3 or more units."
        )
    r = np.exp(0.5 * np.atleast_1d(np.asarray(ln_loss, float)))
    sums = np.stack([N * (1 + r), N * np.abs(1 - r)])
    if N == 1:
        with np.errstate(divide="ignore"):
            density = np.where(sums < b2, np.log(b2 / sums), 0.0) / (2 * b2)
    else:
        # beyond T the tail is below (1.6 / b^2)^N T^(1-N) / ((N-1) pi)
        T = ((1.6 / b2) ** N / ((N - 1) * math.pi) / 1e-11) ** (1 / (N - 1))
        T = max(T, 8 / b2)
        fastest = max(N * b2, float(np.minimum(sums, N * b2).max()))
        panels = math.ceil(T * fastest / math.pi) + 1
        node, weight = np.polynomial.legendre.leggauss(12)
        width = T / panels
        density = np.zeros_like(sums)
        for piece in np.array_split(np.arange(panels), math.ceil(panels * sums.size / 200_000)):
            t = ((piece[:, None] + 0.5 * (node + 1)) * width).ravel()
            factor = (sici(b2 * t)[0] / (b2 * t)) ** N * np.tile(0.5 * width * weight, len(piece))
            density += np.cos(sums[:, :, None] * t) @ factor / math.pi
        density = np.where(sums < N * b2, density, 0.0)
    with np.errstate(divide="ignore"):
        return np.log(0.5 * r * N * np.maximum(density, 0.0).sum(0))
