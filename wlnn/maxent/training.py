"""Two-layer ReLU networks trained by online SGD on context-dependent input selection.

Nothing here knows of the maximum-entropy law: the same weight scale sigma sets the initial weights
(small = rich, large = lazy), and the comparison is made elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.networks.context import Units

LAZY_FROM = 1.5  # weight scale above which the default schedule takes smaller and more steps ...
LARGEST_PLAIN = 2.0  # ... and above which these shrink as 1 / sigma^2, the inverse of the curvature


class TrainedUnits(NamedTuple):
    """A trained network, and the batch loss before each step (T,), in units of s_x^2."""

    units: Units
    losses: np.ndarray


def default_schedule(weight_scale: float) -> tuple[float, int]:
    """(learning rate, steps): 0.2 and 1200 below sigma = 1.5, then 0.1 and 2400, smaller above 2.

    The product fixes the result; smaller rates with as many more steps change nothing.
    """
    if weight_scale < LAZY_FROM:
        return 0.2, 1200
    shrink = max(1.0, (weight_scale / LARGEST_PLAIN) ** 2)
    return 0.1 / shrink, math.ceil(2400 * shrink)


def train(
    contexts: int,
    weight_scale: float,
    rng: np.random.Generator,
    *,
    units: int = 1500,
    batch: int = 64,
    learning_rate: float | None = None,
    steps: int | None = None,
    input_scale: float = 1.0,
    progress: Callable[[int, int], None] | None = None,
) -> TrainedUnits:
    """Online SGD from w, m, a ~ N(0, sigma^2); every step sees fresh inputs in all K contexts.

    The network is y_k = (1/N) sum_i w_i max(m_i.x + a_ik, 0), Eq. (1), and each step takes
    theta <- theta - lr_t (N / s_x^2) dL/dtheta with L = (1/K) sum_k mean (y_k - x_k)^2 over
    ``batch`` inputs x ~ N(0, s_x^2), half of them the negatives of the other half, and
    lr_t = lr min(1, 1.5 (1 - t/T) + 0.02). Arithmetic is float32. ``progress(step, steps)`` is
    called every 50 steps.

    Raises:
        UserError: impossible sizes, or a loss that is no longer finite.
    """
    K = check_contexts(contexts)
    sigma = check_scale(weight_scale)
    s_x = check_scale(input_scale, "input scale")
    rate, length = default_schedule(sigma)
    rate = rate if learning_rate is None else check_scale(learning_rate, "learning rate")
    length = length if steps is None else steps
    if units < 1 or length < 1:
        raise UserError(f"units = {units}, steps = {length}: both must be at least 1.")
    if batch < 2 or batch % 2:
        raise UserError(f"batch = {batch}: inputs come in pairs +-x; give an even number.")

    N, B = units, batch
    w, m, a = (
        (sigma * rng.standard_normal(shape)).astype(np.float32) for shape in (N, (K, N), (K, N))
    )  # m and a are kept (K, N) so that every operation below runs along the units
    x = np.empty((B, K), np.float32)
    E = np.empty((B, K + 1), np.float32)
    z, on, bits = np.empty((B, N), np.float32), np.empty((B, N), np.float32), np.empty((B, N), bool)
    losses = np.empty(length)
    for t in range(length):
        lr = np.float32(rate * min(1.0, 1.5 * (1 - t / length) + 0.02))
        x[: B // 2] = s_x * rng.standard_normal((B // 2, K))
        x[B // 2 :] = -x[: B // 2]
        before = x @ m
        dw, dm, da = np.zeros_like(w), np.zeros_like(m), np.empty_like(a)
        loss = 0.0
        for k in range(K):
            np.add(before, a[k], out=z)
            np.greater(z, 0, out=bits)
            on[...] = bits
            z *= on  # now max(z, 0)
            error = z @ w / np.float32(N) - x[:, k]
            loss += float(error @ error)
            # E holds error and error x_d; its product with the active units gives every gradient,
            # because max(z, 0) = on (m.x + a) is linear in m and a
            E[:, 0] = error
            E[:, 1:] = error[:, None] * x
            moments = E.T @ on
            da[k] = w * moments[0]
            dm += moments[1:]
            dw += a[k] * moments[0] + (m * moments[1:]).sum(0)
        dm *= w
        losses[t] = loss / (B * K * s_x**2)
        if not np.isfinite(losses[t]) or losses[t] > 1e12:
            raise UserError(
                f"training diverged at step {t} of {length} (learning rate {rate:g}, weight scale "
                f"{sigma:g}); give a smaller learning rate."
            )
        factor = lr * np.float32(2 / (B * K * s_x**2))
        w -= factor * dw
        m -= factor * dm
        a -= factor * da
        if progress is not None and (t + 1) % 50 == 0:
            progress(t + 1, length)
    return TrainedUnits(Units(w, np.ascontiguousarray(m.T), np.ascontiguousarray(a.T)), losses)
