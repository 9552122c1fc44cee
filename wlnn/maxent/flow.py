"""Gradient flow of an infinitely wide network with frozen binary gains: training without noise.

The maximum-entropy law shares its invariants; the populations p(n) cannot change here, so it is
compared with the ``quenched`` law. It trains no finite network.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.maxent.observables import structured_correlation
from wlnn.maxent.theory import ln_binomial


class Flow(NamedTuple):
    """End of the flow; arrays over n = 0..K.

    second: moments of (w, on, off) per n, (K+1, 3, 3); p (K+1,); loss: (1/K)|M - I|^2 left over;
    rho (K+1,): correlation of w with its input weights; rho_bar: its mean over n >= 1.
    """

    second: np.ndarray
    p: np.ndarray
    loss: float
    rho: np.ndarray
    rho_bar: float


def _sizes(K: int) -> tuple[np.ndarray, np.ndarray]:
    n = np.arange(K + 1.0)
    return n, np.sqrt(n * (K - n))


def task_errors(second: np.ndarray, p: np.ndarray) -> tuple[float, float]:
    """Diagonal and off-diagonal entry of epsilon = I - <w g m^T>, equal for all contexts."""
    K = len(p) - 1
    n, mixed = _sizes(K)
    # <w m_d | n> is c_on / sqrt(n) for an active d and c_off / sqrt(K - n) for a silent one
    on, off = second[:, 0, 1], second[:, 0, 2]
    diagonal = p @ (np.sqrt(n) * on) / K
    if K == 1:
        return 1 - diagonal, 0.0
    others = p @ ((n - 1) * np.sqrt(n) * on + mixed * np.sqrt(n) * off) / (K * (K - 1))
    return 1 - diagonal, -others


def velocity(second: np.ndarray, p: np.ndarray) -> np.ndarray:
    """d Sigma / dt = A Sigma + Sigma A per n, A = [[0, v^T], [v, 0]], v = epsilon^T g."""
    K = len(p) - 1
    n, mixed = _sizes(K)
    diagonal, off = task_errors(second, p)
    A = np.zeros_like(second)
    A[:, 0, 1] = A[:, 1, 0] = np.sqrt(n) * (diagonal + (n - 1) * off)
    A[:, 0, 2] = A[:, 2, 0] = np.sqrt(n) * mixed * off
    return A @ second + second @ A


def gradient_flow(contexts: int, weight_scale: float, *, f: float = 0.5, time: float = 400.0):
    """Flow dw/dt = sum_kd epsilon_kd g_k m_d (and likewise m) from N(0, sigma^2), as a Flow.

    ``time`` counts K/2 units of learning rate times steps of :func:`wlnn.maxent.train`. The
    moments of all units with n active contexts, Sigma_n (3, 3) over (w, on, off), close among
    themselves; det Sigma_n and <|m|^2> - <w^2> per population do not change.

    Raises:
        UserError: sizes that make no sense, or an integration that fails.
    """
    from scipy.integrate import solve_ivp

    K = check_contexts(contexts)
    sigma = check_scale(weight_scale)
    p = np.exp(ln_binomial(K, f))
    start = np.tile(sigma**2 * np.eye(3), (K + 1, 1, 1))
    shape = start.shape
    answer = solve_ivp(
        lambda t, y: velocity(y.reshape(shape), p).ravel(),
        (0, check_scale(time, "time")),
        start.ravel(),
        method="LSODA",
        rtol=1e-10,
        atol=1e-12,
    )
    if not answer.success:
        raise UserError(f"gradient flow at K = {K}, sigma = {sigma:g} failed: {answer.message}")
    second = answer.y[:, -1].reshape(shape)
    diagonal, off = task_errors(second, p)
    rho = np.array([structured_correlation(block)[0] for block in second])
    loss = diagonal**2 + (K - 1) * off**2
    return Flow(second, p, loss, rho, float(p[1:] @ rho[1:] / p[1:].sum()))
