"""The motion of ``langevin.py`` in Numba, for one walker: the systems of ``wlmd.driver`` move in
their loss instead of in a table.

Twin of ``langevin.walk_numpy``, the readable definition.
"""

from __future__ import annotations

import math

from numba import njit

from wlnn.canonical.columns import (
    ACCURACY,
    ENERGY,
    KINETIC,
    LN_LOSS,
    LOSS,
    LOSS_SQUARED,
    MEAN_ACCURACY,
    MEAN_Y,
    X,
    Y,
)
from wlnn.networks.compiled.gradients import backward, evaluate
from wlnn.wlmd.integrator import DIVERGED, FINE, STOPPED, Motion
from wlnn.wlmd.integrator_loop import langevin_step


@njit(cache=True)
def _energy(u, gradient, dt, potential):
    """Twin of ``integrator.energy``."""
    total = 0.0
    for k in range(u.shape[0]):
        whole = u[k] - 0.5 * dt * gradient[k]
        total += whole * whole
    return potential + 0.5 * total


@njit(cache=True, inline="always")
def _add(record, x, y, accuracy, kinetic, steps):
    """Add what a step found to the means over ``steps`` in a record ``(N_COLUMNS,)``."""
    loss = math.exp(x)
    record[LOSS] += loss / steps
    record[LOSS_SQUARED] += loss * loss / steps
    record[LN_LOSS] += x / steps
    record[MEAN_Y] += y / steps
    record[MEAN_ACCURACY] += accuracy / steps
    record[KINETIC] += kinetic / steps


@njit(cache=True, nogil=True)
def walk(system, theta, u, box, temperature, motion, steps, rng, hottest, record, stop):
    """One walker, ``steps`` steps; returns how it ended.

    Shapes: theta, u ``(P,)``; record ``(N_COLUMNS,)``; stop ``(1,)`` uint8. ``box`` is a
    :class:`integrator.Box`. Changed in place: theta, u, the system's buffers, rng, record.
    """
    dt = motion.dt * math.sqrt(temperature)
    scaled = Motion(dt, motion.keep, motion.every, 1, hottest)
    record[LOSS:] = 0.0
    x = y = accuracy = total = 0.0
    for k in range(-1, steps):  # -1: the start; the network is compiled once
        if k >= 0:
            slope = math.exp(x) / temperature
            backward(system, slope, 0.0)
            if k == 0:
                record[X], record[Y], record[ACCURACY] = x, y, accuracy
                record[ENERGY] = temperature * _energy(u, system.gradient, dt, slope)
            noisy = (k + 1) % motion.every == 0
            total = langevin_step(theta, u, system.gradient, box, scaled, rng, noisy)
        x, y, accuracy = evaluate(system, theta)
        if k < 0:
            continue
        kinetic = total / theta.shape[0]
        _add(record, x, y, accuracy, kinetic, steps)
        if not (math.isfinite(x) and kinetic < hottest):
            return DIVERGED
        if stop[0] != 0:
            return STOPPED
    return FINE
