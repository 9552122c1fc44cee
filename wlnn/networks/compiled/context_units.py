"""Compiled systems of context-selecting networks for the Wang-Landau driver (``wlnn.kernels``).

Twins of ``observe`` in ``tasks/context_select.py``: a move of one parameter is evaluated from
caches, in O(K^2) for gated linear units and O(K B) for ReLU units on B inputs. The functions return
the loss, which the driver bins as exp(x). Copies are loops: a slice takes Numba seconds to compile.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba.extending import register_jitable

from wlnn.networks.compiled import moves


@register_jitable
def _copy(source, target):
    for k in range(source.shape[0]):
        for d in range(source.shape[1]):
            target[k, d] = source[k, d]


class GatedLinear(NamedTuple):
    """Gated linear units; the cache is M = (1/N) sum_i w_i g_i m_i^T and that of the proposal.

    theta = w (N,), m (N, K), a (N, K); ungated: no a, every unit always active.
    """

    units: int
    gated: bool
    M: np.ndarray  # (K, K)
    trial: np.ndarray  # (K, K)


@register_jitable
def _linear_loss(M):
    K = M.shape[0]
    total = 0.0
    for k in range(K):
        for d in range(K):
            error = M[k, d] - (1.0 if k == d else 0.0)
            total += error * error
    return total / K


def _linear_refresh(system, theta):
    N, M = system.units, system.M
    K = M.shape[0]
    for k in range(K):
        for d in range(K):
            M[k, d] = 0.0
    for i in range(N):
        for k in range(K):
            if not system.gated or theta[N + N * K + i * K + k] > 0.0:
                for d in range(K):
                    M[k, d] += theta[i] * theta[N + i * K + d] / N
    return _linear_loss(M), 0.0


def _linear_propose(system, theta, i, new):
    j = np.int64(i)  # the driver's index is unsigned, and j - N must not be
    N, M, trial = system.units, system.M, system.trial
    K = M.shape[0]
    gates = N + N * K
    _copy(M, trial)
    if j < N:  # an output weight: the rows of its active contexts
        step = (new - theta[j]) / N
        for k in range(K):
            if not system.gated or theta[gates + j * K + k] > 0.0:
                for d in range(K):
                    trial[k, d] += step * theta[N + j * K + d]
    elif j < gates:  # an input weight: one column
        unit, d = (j - N) // K, (j - N) % K
        step = theta[unit] * (new - theta[j]) / N
        for k in range(K):
            if not system.gated or theta[gates + unit * K + k] > 0.0:
                trial[k, d] += step
    elif (theta[j] > 0.0) != (new > 0.0):  # a gain switches: one row
        unit, k = (j - gates) // K, (j - gates) % K
        step = theta[unit] / N if new > 0.0 else -theta[unit] / N
        for d in range(K):
            trial[k, d] += step * theta[N + unit * K + d]
    return _linear_loss(trial), 0.0


def _linear_commit(system, theta, i, new):
    _copy(system.trial, system.M)


moves.register(
    GatedLinear,
    refresh=_linear_refresh,
    propose=_linear_propose,
    commit=_linear_commit,
    exponential=True,
)


class ReluUnits(NamedTuple):
    """ReLU units on fixed inputs x (B, K); caches: m_i.x_b (N, B), outputs y (K, B), proposals."""

    units: int
    x: np.ndarray  # (B, K)
    scale: float  # s_x
    before: np.ndarray  # (N, B)
    y: np.ndarray  # (K, B)
    trial_before: np.ndarray  # (B,) of the unit that moves
    trial_y: np.ndarray  # (K, B)


@register_jitable
def _relu_loss(y, x, scale):
    K, B = y.shape
    total = 0.0
    for k in range(K):
        for b in range(B):
            error = y[k, b] - x[b, k]
            total += error * error
    return total / (K * B * scale * scale)


def _relu_refresh(system, theta):
    N, x, before, y = system.units, system.x, system.before, system.y
    K, B = y.shape
    for k in range(K):
        for b in range(B):
            y[k, b] = 0.0
    for i in range(N):
        for b in range(B):
            value = 0.0
            for d in range(K):
                value += theta[N + i * K + d] * x[b, d]
            before[i, b] = value
            for k in range(K):
                y[k, b] += theta[i] * max(value + theta[N + N * K + i * K + k], 0.0) / N
    return _relu_loss(y, x, system.scale), 0.0


def _relu_propose(system, theta, i, new):
    j = np.int64(i)  # the driver's index is unsigned, and j - N must not be
    N, x, before = system.units, system.x, system.before
    y, trial = system.y, system.trial_y
    K, B = y.shape
    gates = N + N * K
    _copy(y, trial)
    if j < N:
        step = (new - theta[j]) / N
        for k in range(K):
            bias = theta[gates + j * K + k]
            for b in range(B):
                trial[k, b] += step * max(before[j, b] + bias, 0.0)
    elif j < gates:
        unit, d = (j - N) // K, (j - N) % K
        w = theta[unit] / N
        for b in range(B):
            system.trial_before[b] = before[unit, b] + (new - theta[j]) * x[b, d]
        for k in range(K):
            bias = theta[gates + unit * K + k]
            for b in range(B):
                after = max(system.trial_before[b] + bias, 0.0)
                trial[k, b] += w * (after - max(before[unit, b] + bias, 0.0))
    else:
        unit, k = (j - gates) // K, (j - gates) % K
        w = theta[unit] / N
        for b in range(B):
            after = max(before[unit, b] + new, 0.0)
            trial[k, b] += w * (after - max(before[unit, b] + theta[j], 0.0))
    return _relu_loss(trial, x, system.scale), 0.0


def _relu_commit(system, theta, i, new):
    j = np.int64(i)  # the driver's index is unsigned, and j - N must not be
    N = system.units
    K = system.y.shape[0]
    _copy(system.trial_y, system.y)
    if N <= j < N + N * K:
        for b in range(system.trial_before.shape[0]):
            system.before[(j - N) // K, b] = system.trial_before[b]


moves.register(
    ReluUnits, refresh=_relu_refresh, propose=_relu_propose, commit=_relu_commit, exponential=True
)
