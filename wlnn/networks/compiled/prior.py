"""A Gaussian prior for motion: a system of ``gradients.py`` with the force of the prior.

Twin of ``tasks.field._with_prior``. Loops that move a system know nothing of it; those of a box
have the system as it was.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled import gradients


class PriorSystem(NamedTuple):
    """A system, and 1 / sigma^2 ``(P,)``; ``gradient`` is that of the system itself."""

    system: NamedTuple
    gradient: np.ndarray
    theta: np.ndarray  # (P,) where it was evaluated last
    stiffness: np.ndarray


def _evaluate(system, theta):
    for k in range(theta.shape[0]):
        system.theta[k] = theta[k]
    return gradients.evaluate(system.system, theta)


def _backward(system, ux, uy):
    gradients.backward(system.system, ux, uy)
    for k in range(system.theta.shape[0]):
        system.gradient[k] += system.stiffness[k] * system.theta[k]


gradients.register(PriorSystem, evaluate=_evaluate, backward=_backward)


def with_prior(system: NamedTuple, sigma: np.ndarray) -> NamedTuple:
    """The system under a Gaussian prior of ``sigma (P,)``; itself for (0,), a box."""
    if not sigma.size:
        return system
    return PriorSystem(system, system.gradient, np.zeros(sigma.size), 1 / sigma**2)
