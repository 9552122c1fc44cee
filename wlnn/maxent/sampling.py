"""Networks drawn exactly from a maximum-entropy law, and how well they do the task.

Every draw is independent and exact (no Markov chain); nothing is trained here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.patterns import PatternSolution, binary_patterns
from wlnn.maxent.theory import Solution
from wlnn.networks.context import Units, linear_loss, relu_loss


def draw_units(
    law: Solution | PatternSolution,
    units: int,
    rng: np.random.Generator,
    *,
    context_scale: float = 1.0,
    antithetic: bool = False,
) -> Units:
    """N hidden units: g ~ p(g), w = sigma sqrt(X) z, m = U(g) w + sigma xi, a = +-scale |z'| by g.

    Eqs. (3), (4), with standard normal z, xi, z'; the law leaves the sizes of a free.

    With ``antithetic`` N/2 units are drawn and each gets a mirror image (-w, -m, a): every even
    moment of the network then cancels exactly (its offset, above all), and the variance of the
    task matrix doubles. Gains must be binary.

    Raises:
        UserError: no units, an odd number of them with ``antithetic``, or gains other than 0 and 1.
    """
    if units < 1:
        raise UserError(f"units = {units}: give at least 1.")
    if antithetic and units % 2:
        raise UserError(
            f"units = {units} with antithetic sampling: mirrored units come in pairs; give an "
            f"even number, say {units + 1}."
        )
    scale = check_scale(context_scale, "context scale")
    drawn = units // 2 if antithetic else units
    g, U = law.patterns(rng, drawn)
    if not np.isin(g, (0.0, 1.0)).all():
        raise UserError("only laws with gains 0 and 1 can be drawn as a network.")
    sigma = law.weight_scale
    w = sigma / np.sqrt(1 - (U**2).sum(1)) * rng.standard_normal(drawn)
    m = U * w[:, None] + sigma * rng.standard_normal(U.shape)
    a = scale * np.abs(rng.standard_normal(g.shape)) * np.where(g > 0, 1.0, -1.0)
    if antithetic:
        return Units(np.append(w, -w), np.concatenate([m, -m]), np.concatenate([a, a]))
    return Units(w, m, a)


def wide_relu_output(law: Solution, x: np.ndarray, context_scale: float) -> np.ndarray:
    """y_k(x) of an infinitely wide ReLU network drawn from the law, for inputs x (B, K); (B, K).

    Given g and the input, (w, m.x) is Gaussian, so that Stein's lemma and an arctangent over the
    half-normal |a| give the output without a sum over units:

        y_k(x) = sum_g p(g) sigma^2 X U.x [1/2 + (2 g_k - 1) arctan(A / s) / pi],
        s^2 = sigma^2 (|x|^2 + X (U.x)^2),    A the context scale.

    Lists 2^K patterns, so K <= 10.
    """
    from scipy.special import comb

    g, _ = binary_patterns(law.contexts)
    n = g.sum(1).astype(int)
    X, p = law.X[n], law.p[n] / comb(law.contexts, n)
    along = x @ (law.alpha * g + law.beta * n[:, None]).T
    spread = np.sqrt(law.variance * ((x**2).sum(1)[:, None] + X * along**2))
    weight = p * law.variance * X * along
    active = np.arctan(context_scale / spread) / math.pi
    return 0.5 * weight.sum(1)[:, None] + (weight * active) @ (2 * g - 1)


def relu_loss_floor(
    law: Solution,
    rng: np.random.Generator,
    *,
    context_scale: float,
    input_scale: float = 1.0,
    inputs: int = 10_000,
) -> float:
    """Loss of an infinitely wide ReLU network drawn from the law: the cost of the nonlinearity.

    The average over inputs is sampled, that over units is exact (:func:`wide_relu_output`).
    """
    A = check_scale(context_scale, "context scale")
    input_scale = check_scale(input_scale, "input scale")
    x = input_scale * rng.standard_normal((inputs, law.contexts))
    pieces = np.array_split(x, math.ceil(inputs * 2**law.contexts / 1_000_000))
    total = sum(((wide_relu_output(law, piece, A) - piece) ** 2).sum() for piece in pieces)
    return float(total / x.size / input_scale**2)


class LossPoint(NamedTuple):
    """Mean loss of ``networks`` networks of ``units`` units, its standard error, the prediction."""

    units: int
    networks: int
    loss: float
    standard_error: float
    predicted: float


def losses_against_units(
    law: Solution,
    sizes: list[int],
    rng: np.random.Generator,
    *,
    networks: int = 100,
    antithetic: bool = False,
    relu: bool = False,
    context_scale: float = 1.0,
    input_scale: float = 1.0,
    floor: float = 0.0,
    progress=None,
) -> list[LossPoint]:
    """Loss of drawn networks for each size N, against N E[L] of the closed form.

    The linear network obeys ``predicted = scaled_loss / N`` exactly (twice that if antithetic);
    with ``relu`` the prediction is ``floor`` plus the same 1/N term, a guide and not exact.
    ``progress(done, total)`` is called after each size.
    """
    if networks < 2:
        raise UserError(f"networks = {networks}: give at least 2, or there is no error bar.")
    points = []
    work = networks * sum(sizes)
    done = 0
    for size in sizes:
        losses = np.empty(networks)
        for r in range(networks):
            drawn = draw_units(law, size, rng, context_scale=context_scale, antithetic=antithetic)
            if relu:
                x = input_scale * rng.standard_normal((200, law.contexts))
                losses[r] = relu_loss(drawn, np.concatenate([x, -x]), input_scale)
            else:
                losses[r] = linear_loss(drawn)
        predicted = floor + (2 if antithetic else 1) * law.scaled_loss / size
        error = losses.std(ddof=1) / math.sqrt(networks)
        points.append(LossPoint(size, networks, float(losses.mean()), float(error), predicted))
        done += networks * size
        if progress is not None:
            progress(done, work)
    return points
