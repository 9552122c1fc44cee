"""One time step of Langevin dynamics in a box with reflecting walls: mass 1, temperature 1.

Velocity, position and force only; where the force comes from is not known here. Every function
takes ``xp`` first and any leading axes (walkers); the compiled twin is in ``integrator_loop.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError

FINE, DIVERGED, STOPPED = 0, 1, 2  # how a round of steps ends


class Motion(NamedTuple):
    """Constants of the integrator."""

    dt: float  # in the definitions also (R, 1), of each walker
    keep: float  # (1 - gamma)^m: what one action of the thermostat leaves of a velocity
    every: int  # steps m from one action to the next
    half_drifts: int = 1  # 1: kick, half drift, thermostat, half drift; 0: kick, thermostat, drift
    hottest: float = math.inf  # a kinetic temperature above means that the step is too large


class Box(NamedTuple):
    """Limits of the parameters, one pair for each stretch that has one and the same."""

    starts: np.ndarray  # (B + 1,), where stretches begin, and the end
    limits: np.ndarray  # (B, 2)


def make_motion(dt: float, friction: float, every: int, **others) -> Motion:
    """Constants for a ``friction`` gamma per step, of which every ``every``-th acts for m.

    v <- (1 - gamma) v + sqrt(gamma (2 - gamma)) noise in every step, or the same over m steps.
    """
    if not dt > 0:
        raise UserError(f"time step {dt}: it must be positive.")
    if not 0 <= friction < 1:
        raise UserError(f"friction {friction}: it is a fraction per step, 0 <= friction < 1.")
    return Motion(float(dt), (1.0 - friction) ** every, int(every), **others)


def drift(xp, theta, v, time, lo, hi):
    """Free flight for ``time`` in the box [lo, hi], each coordinate elastic at its walls.

    Shapes: theta, v ``(..., P)``, lo, hi ``(P,)``. A coordinate that would leave is mirrored at the
    wall and its velocity changes sign. Returns (theta, v).
    """
    moved = theta + time * v
    above, below = moved > hi, moved < lo
    moved = xp.where(above, 2 * hi - moved, xp.where(below, 2 * lo - moved, moved))
    return moved, xp.where(above | below, -v, v)


def thermostat(v, keep, noise):
    """Friction and noise at temperature 1: ``v <- keep v + sqrt(1 - keep^2) noise``.

    ``noise`` is standard normal, of the shape of v; keep = (1 - gamma)^m after m steps of the
    dimensionless friction gamma per step (the "friction coefficient" of the paper's Table 6).
    """
    return keep * v + (1 - keep * keep) ** 0.5 * noise


def langevin_step(xp, theta, v, force, noise, motion, lo, hi):
    """One time step: kick by the force at theta, then flight with the thermostat in its middle.

    With half drifts this is BAOAB with its two half kicks merged into one (B. Leimkuhler,
    C. Matthews 2013): v here is the velocity between two half kicks. Without, the thermostat acts
    before a whole flight (kick, noise, drift: the published runs); its sampling error is larger.
    ``noise`` None leaves the thermostat out of this step. Returns (theta, v).
    """
    dt = motion.dt
    v = v + dt * force
    if noise is None:
        return drift(xp, theta, v, dt, lo, hi)
    if motion.half_drifts:
        theta, v = drift(xp, theta, v, dt / 2, lo, hi)
        return drift(xp, theta, thermostat(v, motion.keep, noise), dt / 2, lo, hi)
    return drift(xp, theta, thermostat(v, motion.keep, noise), dt, lo, hi)


def normal(rngs, shape, dtype=np.float64):
    """Normal numbers ``(R, P)``: a row of each of R generators, or all of a single one."""
    if len(rngs) == 1:
        return rngs[0].standard_normal(shape, dtype)
    return np.stack([rng.standard_normal(shape[1], dtype) for rng in rngs])


def kinetic_temperature(v):
    """Mean squared velocity ``(...)`` of v ``(..., P)``: 1 on average at temperature 1."""
    return (v * v).mean(-1)


def energy(v, force, dt, potential):
    """What steps without thermostat conserve to order dt^2: potential + |v + dt force / 2|^2 / 2.

    v is the velocity before the kick at theta, so half a kick brings it to the time of theta.
    """
    whole = v + 0.5 * dt * force
    return potential + 0.5 * (whole * whole).sum(-1)


def make_box(lo: np.ndarray, hi: np.ndarray) -> Box:
    """The box ``lo, hi (P,)`` for the loops, which need not read two more numbers a parameter."""
    change = np.flatnonzero((np.diff(lo) != 0) | (np.diff(hi) != 0)) + 1
    starts = np.concatenate([[0], change, [lo.size]])
    return Box(starts, np.stack([lo[starts[:-1]], hi[starts[:-1]]], axis=1))
