"""A loss with kinks, as ReLU and max pooling have them, and its S: a time step heats by them.

L = sum of a |theta_i| over some parameters, and of theta_i^2 over the others, in [-1, 1]^n. For
``tests/unit/test_ladder_heat.py``; `wlnn verify` does not go through it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled import gradients
from wlnn.tasks.problem import Problem


class Kinks(NamedTuple):
    """System of the compiled loops: the first parameters are the sharp ones."""

    gradient: np.ndarray  # (n,)
    loss: np.ndarray  # (1,)
    theta: np.ndarray  # (n,) where it was evaluated last
    sharp: int
    slope: float


def _evaluate(system, theta):
    total = 1e-300
    for k in range(theta.shape[0]):
        system.theta[k] = theta[k]
        total += system.slope * abs(theta[k]) if k < system.sharp else theta[k] * theta[k]
    system.loss[0] = total
    return math.log(total), 0.0, 0.0


def _backward(system, ux, uy):
    scale = ux / system.loss[0]
    for k in range(system.theta.shape[0]):
        slope = 2 * system.theta[k]
        if k < system.sharp:
            slope = system.slope if system.theta[k] > 0 else -system.slope
        system.gradient[k] = scale * slope


gradients.register(Kinks, evaluate=_evaluate, backward=_backward)


def problem(n: int, sharp: int, slope: float) -> Problem:
    """x = ln L; there is no y."""

    def evaluate(xp, theta):
        parts = xp.where(xp.arange(n) < sharp, slope * xp.abs(theta), theta**2)
        loss = parts.sum(axis=1) + 1e-300
        return xp.log(loss), 0 * loss, None, (theta, loss)

    def backward(xp, tape, ux, uy):
        theta, loss = tape
        kinked = xp.where(theta > 0, slope, -slope)
        return xp.where(xp.arange(n) < sharp, kinked, 2 * theta) * (ux / loss)[:, None]

    return Problem(
        name="kinks", lo=-np.ones(n), hi=np.ones(n), evaluate=evaluate, backward=backward,
        start=lambda rng, walkers: rng.uniform(-0.1, 0.1, (walkers, n)), names=("x", "y"),
        gradient_system=lambda: Kinks(np.zeros(n), np.zeros(1), np.zeros(n), sharp, slope),
    )  # fmt: skip


def energy(n: int, sharp: int) -> float:
    """Mean of beta L at a beta whose walkers do not see the box: 1 and 1/2 a parameter."""
    return sharp + (n - sharp) / 2


def ln_share(n: int, sharp: int, slope: float, x):
    """ln of the share of the box with ln L < x, where e^x < 1: Dirichlet's integral."""
    m, k = sharp, n - sharp
    inner = k * math.lgamma(1.5) - m * math.log(slope) - math.lgamma(1 + m + k / 2)
    return inner + energy(n, sharp) * x
