"""The integrator in Numba, for one walker."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.networks.compiled.gradients import FAST


@njit(forceinline=True, fastmath=FAST)
def _fly(theta, v, gradient, lo, hi, kick, time):
    """v += kick gradient, then free flight with reflection; returns the sum of v^2."""
    total = 0.0
    for k in range(theta.shape[0]):
        speed = v[k] + kick * gradient[k]
        moved = theta[k] + time * speed
        kept = min(max(moved, lo), hi)
        theta[k] = 2.0 * kept - moved  # moved itself, to the last bit, where nothing was cut off
        v[k] = speed if kept == moved else -speed
        total += speed * speed
    return total


@njit(forceinline=True, fastmath=FAST)
def _thermostat(v, noise, keep):
    scale = math.sqrt(1.0 - keep * keep)
    for k in range(v.shape[0]):
        v[k] = keep * v[k] + scale * noise[k]


@njit(forceinline=True)
def _first_flight(motion, with_noise):
    """Time of flight before the thermostat acts, or of all of a step without it."""
    first = 0.5 * motion.dt if with_noise else motion.dt
    if with_noise and not motion.half_drifts:
        first = 0.0
    return first


@njit(forceinline=True)
def langevin_step(theta, v, gradient, box, motion, rng, with_noise):
    """One step along -gradient; twin of ``integrator.langevin_step``. Returns the sum of v^2."""
    starts, limits = box
    total = 0.0
    first = _first_flight(motion, with_noise)
    for b in range(limits.shape[0]):
        a, e = starts[b], starts[b + 1]
        lo, hi = limits[b, 0], limits[b, 1]
        total += _fly(theta[a:e], v[a:e], gradient[a:e], lo, hi, -motion.dt, first)
    if not with_noise:
        return total
    _thermostat(v, rng.standard_normal(v.shape[0], np.float32), motion.keep)
    total = 0.0
    for b in range(limits.shape[0]):
        a, e = starts[b], starts[b + 1]
        lo, hi = limits[b, 0], limits[b, 1]
        total += _fly(theta[a:e], v[a:e], gradient[a:e], lo, hi, 0.0, motion.dt - first)
    return total
