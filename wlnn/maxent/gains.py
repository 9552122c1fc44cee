"""Gains other than on and off: smooth gain functions, and the effective gain of a noisy ReLU.

With Gaussian weights such laws need not exist at small weight scale (mass escapes to the units of
largest gain). They are returned only where the solver shows that they do, and refused elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.newton import NotConvergedError, minimise
from wlnn.maxent.patterns import PatternSolution, solve_patterns

LARGEST_R2 = 0.999
LEAST_SAMPLE = 1000
_SPACING = {1: 0.02, 2: 0.08, 3: 0.3}  # of the grid over a / context scale, by K
_REACH = 6.0


def sigmoid_gain(a: np.ndarray) -> np.ndarray:
    """1 / (1 + e^-a)."""
    return 0.5 * (1 + np.tanh(0.5 * a))


def tanh_gain(a: np.ndarray) -> np.ndarray:
    """The slope of tanh at the context input, 1 - tanh(a)^2."""
    return 1 - np.tanh(a) ** 2


GAIN_FUNCTIONS = {"sigmoid": sigmoid_gain, "tanh": tanh_gain}


def solve_gain_function(
    contexts: int, weight_scale: float, function: str, *, context_scale: float = 1.0
) -> PatternSolution:
    """The law for g_k = function(a_k) with context weights a_k ~ N(0, context_scale^2).

    The Gaussian over a is replaced by a fine grid (K = 1, 2 or 3): where |U| nears 1 the integrand
    is nearly singular, and a uniform grid then converges faster than Gauss-Hermite nodes.

    Raises:
        UserError: an unknown function, K above 3, or no such law: |U|^2 reaches 0.999.
    """
    K = check_contexts(contexts)
    scale = check_scale(context_scale, "context scale")
    if function not in GAIN_FUNCTIONS:
        raise UserError(f"gain = '{function}': choose one of {', '.join(GAIN_FUNCTIONS)}.")
    if K not in _SPACING:
        raise UserError(f"contexts = {K}: gain '{function}' is solved for at most 3 contexts.")
    z = np.arange(-_REACH + 0.5 * _SPACING[K], _REACH, _SPACING[K])  # symmetric, none at 0
    gain, ln_weight = GAIN_FUNCTIONS[function](scale * z), -0.5 * z**2
    axes = np.meshgrid(*[np.arange(len(z))] * K, indexing="ij")
    index = np.stack([axis.ravel() for axis in axes], axis=1)
    check_scale(weight_scale)
    try:
        answer = solve_patterns(gain[index], ln_weight[index].sum(1), weight_scale)
    except UserError:
        answer = None
    if answer is None or answer.r2.max() >= LARGEST_R2:
        raise UserError(
            f"gain '{function}' at weight scale {weight_scale:g}, K = {K}: no such law, mass "
            "escapes to the units of largest gain (|U| reaches 1); give a larger weight scale."
        )
    return answer


class SoftRelu(NamedTuple):
    """The law for effective ReLU gains Phi(a / (s_x |m|)); K+1 populations by the signs of a.

    alpha, beta: multipliers sigma^2 Lambda = alpha I + beta 11^T; kl: nats per unit; p (K+1,);
    w2: <w^2>; effective_sample: independent draws the averages are worth; weight_scale: sigma.
    """

    alpha: float
    beta: float
    kl: float
    p: np.ndarray
    w2: float
    effective_sample: float
    weight_scale: float

    def record(self) -> dict:
        """One row of the result table."""
        row = {"K": len(self.p) - 1, "sigma": self.weight_scale, "alpha": self.alpha}
        row |= {"beta": self.beta, "KL": self.kl, "w2": self.w2}
        return row | {"effective_sample": self.effective_sample, "p": self.p.tolist()}


def solve_soft_relu(
    contexts: int,
    weight_scale: float,
    rng: np.random.Generator,
    *,
    context_scale: float | None = None,
    input_scale: float = 1.0,
    samples: int = 500_000,
) -> SoftRelu:
    """The law when a ReLU unit with context weight a passes g = Phi(a / (s_x |m|)) of its input.

    By Stein's lemma g is the exact effective gain for Gaussian inputs of scale s_x. The dual
    F = ln E exp(q^2 / 2) - K (alpha + beta) / sigma^2 with q = (alpha g.m + beta n 1.m) / sigma and
    n = sum_k g_k (w is integrated out) is averaged over draws of (m, a), with m from a mixture of
    widths sigma to 6 sigma and the weights that correct for it. Context weights have
    scale ``context_scale`` (sigma if None).

    Raises:
        UserError: the effective sample is below 1000 (it works for sigma >= 1), or Newton fails.
    """
    from scipy.special import ndtr

    K = check_contexts(contexts)
    sigma = check_scale(weight_scale)
    a_scale = sigma if context_scale is None else check_scale(context_scale, "context scale")
    widths = np.array([1.0, 2.0, 3.5, 6.0])
    m = widths[rng.integers(len(widths), size=samples), None] * rng.standard_normal((samples, K))
    a = a_scale * rng.standard_normal((samples, K))
    squares = (m**2).sum(1)
    mixture = np.mean(widths[:, None] ** -K * np.exp(-0.5 * squares / widths[:, None] ** 2), axis=0)
    ln_base = -0.5 * squares - np.log(mixture)
    ln_base -= np.logaddexp.reduce(ln_base)
    norm = np.sqrt(squares)[:, None] * sigma
    g = ndtr(a / (check_scale(input_scale, "input scale") * norm))
    features = np.stack([(g * m).sum(1), g.sum(1) * m.sum(1)], axis=1)
    if K == 1:
        features = features[:, :1]
    t = 1 / sigma**2

    def tilt(v):
        ln_weight = ln_base + 0.5 * (features @ v) ** 2
        value = np.logaddexp.reduce(ln_weight)
        return np.exp(ln_weight - value), value

    def dual(v):
        weight, value = tilt(v)
        if weight.max() > 0.5:  # one draw carries it all: outside what the sample can tell
            return np.inf, None, None
        q = features @ v
        slopes = q[:, None] * features
        gradient = weight @ slopes
        second = np.einsum("s,si,sj->ij", weight * (1 + q**2), features, features)
        second -= np.outer(gradient, gradient)
        return value - t * K * v.sum(), gradient - t * K, second

    start = np.zeros(features.shape[1])
    try:
        v, value, _, _ = minimise(dual, start, 1e-10 * max(1.0, t * K), 1e-8 * max(1.0, t * K))
    except (NotConvergedError, np.linalg.LinAlgError):
        raise UserError(
            f"soft ReLU gains at weight scale {sigma:g}, K = {K}: the sampled dual has no minimum; "
            "give a larger weight scale or more samples."
        ) from None
    weight, _ = tilt(v)
    effective = float(1 / (weight**2).sum())
    if effective < LEAST_SAMPLE:
        raise UserError(
            f"soft ReLU gains at weight scale {sigma:g}, K = {K}: the effective sample is "
            f"{effective:.0f} of {samples} draws, less than {LEAST_SAMPLE}; give a larger weight "
            "scale or more samples."
        )
    v = np.append(v, np.zeros(2 - len(v)))
    p = np.bincount((a > 0).sum(1), weights=weight, minlength=K + 1)
    w2 = sigma**2 * float(weight @ (1 + (features @ v[: features.shape[1]]) ** 2))
    return SoftRelu(float(v[0]), float(v[1]), -float(value), p, w2, effective, sigma)
