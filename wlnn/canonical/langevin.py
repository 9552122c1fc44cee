"""Langevin or Newtonian motion in the training loss at a temperature: state and a stretch of it.

The canonical ensemble p(theta) ~ exp(-L(theta) / T) of the training loss L in the box is what this
motion samples (paper, Fig. 4). Nothing is learnt about S; loops, checkpoints and reports belong to
``canonical.run``. The readable definition is :func:`walk_numpy`; ``langevin_loop.walk`` is the same
made fast.

Units: mass 1, T in units of the loss. Inside, velocities are in units of the thermal one, u =
v / sqrt(T), and time in units of 1 / sqrt(T); the motion is then that of ``wlmd.integrator`` at
temperature 1 in the potential L / T with the time step dt sqrt(T). A walker whose temperature
changes so keeps its u: its kinetic energy goes with the temperature.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from wlnn.canonical.columns import ACCURACY, ENERGY, LOSS, N_COLUMNS, X, Y
from wlnn.tasks.field import Field, field_of
from wlnn.tasks.problem import Problem
from wlnn.wlmd import integrator
from wlnn.wlmd.integrator import (
    DIVERGED,
    FINE,
    STOPPED,
    Motion,
    energy,
    kinetic_temperature,
    langevin_step,
    normal,
)

NEVER = 2**62  # steps


class Walkers(NamedTuple):
    """R independent walkers, each with its temperature: all that the next step needs."""

    theta: np.ndarray  # (R, P)
    u: np.ndarray  # (R, P), velocity / sqrt(temperature)
    temperature: np.ndarray  # (R,)


class Stretch(NamedTuple):
    """What :func:`advance` brought."""

    walkers: Walkers
    records: np.ndarray  # (R, N_COLUMNS)
    diverged: np.ndarray  # (R,) bool; such a walker is where it was before


def make_motion(dt: float, friction: float, every: int = 1) -> Motion:
    """The constants for a ``friction`` per step; 0 is Newtonian motion, which keeps its energy.

    ``dt`` is in units of 1 / sqrt(curvature of the loss).
    """
    return integrator.make_motion(dt, friction, every if friction else NEVER)


def start(problem: Problem, temperatures: np.ndarray, rngs: Sequence) -> Walkers:
    """One walker at ``problem.start`` per temperature, with thermal velocities.

    ``rngs`` holds one generator per walker, or a single one for all.
    """
    problem.require_gradient()
    problem.require_box("motion at a temperature")
    each = len(temperatures) // len(rngs)
    theta = np.concatenate([problem.start(rng, each) for rng in rngs])
    return Walkers(theta, normal(rngs, theta.shape), np.array(temperatures, dtype=float))


def hottest(xp, problem, theta, u, temperature):
    """Kinetic temperature ``(R,)``, in units of T, that no right motion exceeds.

    All energy above that of the lowest loss may become kinetic: that is 2 L / (T P), and a factor
    of 4 and the natural spread are left for what the thermostat brings.
    """
    loss, n = xp.exp(problem.evaluate(xp, theta)[0]), theta.shape[1]
    energy = 1 + kinetic_temperature(u)
    energy = energy + 2 * loss / (temperature * n)
    return 4 * energy + 30 * math.sqrt(2 / n)


def walk_numpy(
    xp, problem, theta, u, temperature, motion, steps, rngs, hottest, records, stop=(0,)
):
    """R walkers, ``steps`` steps: the readable definition.

    Shapes: theta, u ``(R, P)``; temperature, hottest ``(R,)``; rngs: R generators, or one; records
    ``(R, N_COLUMNS)``; stop ``(1,)``, looked at in every step. ``problem`` is a :class:`Problem` or
    a ``Field``. Changed in place: theta, u, records. Returns how each walker ended, ``(R,)``.
    Nothing is read back while it runs, so that a device never waits for the CPU.
    """
    scaled = motion._replace(dt=motion.dt * xp.sqrt(temperature)[:, None])  # of u
    means = records[:, LOSS:]
    means[...] = 0.0
    x, y, accuracy, tape = problem.evaluate(xp, theta)
    begun = here, speed = theta.copy(), u.copy()
    sound = xp.ones(x.shape, bool)
    for k in range(steps):
        # 1. force in units of T: minus the gradient of L / T, and L = exp(x)
        slope = xp.exp(x) / temperature
        force = -problem.backward(xp, tape, slope, xp.zeros_like(slope))
        if k == 0:
            records[:, X], records[:, Y] = x, y
            records[:, ACCURACY] = 0.0 if accuracy is None else accuracy
            records[:, ENERGY] = temperature * energy(speed, force, scaled.dt, slope)
        # 2. move; the thermostat acts in every m-th step
        noise = None
        if (k + 1) % motion.every == 0:
            noise = normal(rngs, theta.shape, np.float32).astype(float)
        moved = langevin_step(xp, here, speed, force, noise, scaled, problem.lo, problem.hi)
        # a lost walker must not stop the others: it waits where it began
        here, speed = (
            xp.where(sound[:, None], new, old) for new, old in zip(moved, begun, strict=True)
        )
        # 3. where are we now
        x, y, accuracy, tape = problem.evaluate(xp, here)
        loss, kinetic = xp.exp(x), kinetic_temperature(speed)
        right = xp.zeros_like(x) if accuracy is None else accuracy
        means += xp.stack([loss, loss * loss, x, y, right, kinetic], axis=1) / steps
        sound = sound & xp.isfinite(x) & (kinetic < hottest)
        if stop[0]:
            return xp.full(x.shape, STOPPED)
    theta[...], u[...] = here, speed
    return xp.where(sound, FINE, DIVERGED)


def walk_on(field: Field) -> Callable:
    """What walks there: :func:`walk_numpy`, or its twin by kernels."""
    if field.device.kernels is None:
        return walk_numpy
    from wlnn.canonical.kernels import walk

    return walk


def advance(
    problem: Problem,
    walkers: Walkers,
    motion: Motion,
    steps: int,
    rngs: Sequence[np.random.Generator],
    systems: Sequence | None = None,
    stop: np.ndarray | None = None,
    map: Callable = map,
    field: Field | None = None,
) -> Stretch | None:
    """``steps`` steps and one record for every walker; the given walkers are not changed.

    Args:
        rngs: one generator per walker, for these steps; or, without ``systems``, one for all.
        systems: one compiled system per walker; None runs the definition on all at once.
        stop: (1,) uint8; non-zero ends it at once, and None is returned.
        map: runs the walkers, side by side if it can; only with ``systems``.
        field: the problem on the device that the definition runs on, if not the CPU.
    """
    stop = np.zeros(1, np.uint8) if stop is None else stop
    if systems is None:
        field = field or field_of(problem)
        theta, u, records, ending = _at_once(field, walkers, motion, steps, rngs, stop)
    else:
        from wlnn.backend.cache import drop_stale
        from wlnn.canonical.langevin_loop import walk

        theta, u = walkers.theta.copy(), walkers.u.copy()
        records = np.empty((len(theta), N_COLUMNS))
        limit = hottest(np, problem, *walkers)
        box = integrator.make_box(problem.lo, problem.hi)
        drop_stale()

        def one(k: int) -> int:
            return walk(
                systems[k], theta[k], u[k], box, float(walkers.temperature[k]), motion, steps,
                rngs[k], float(limit[k]), records[k], stop,
            )  # fmt: skip

        ending = np.array(list(map(one, range(len(theta)))))
    if (ending == STOPPED).any():
        return None
    diverged = ending == DIVERGED
    theta[diverged], u[diverged] = walkers.theta[diverged], walkers.u[diverged]
    return Stretch(walkers._replace(theta=theta, u=u), records, diverged)


def _at_once(field: Field, walkers: Walkers, motion: Motion, steps: int, rngs, stop):
    """By the definition, on a device: theta, u, records and endings, in NumPy."""
    device, xp = field.device, field.device.xp
    with device.using():
        theta, u, temperature = (device.put(part) for part in walkers)
        theta, u = theta.copy(), u.copy()
        records = xp.empty((len(theta), N_COLUMNS))
        limit = hottest(xp, field, theta, u, temperature)
        noise = device.noise(rngs, len(theta))
        ending = walk_on(field)(
            xp, field, theta, u, temperature, motion, steps, noise, limit, records, stop
        )
        return tuple(map(device.host, (theta, u, records, ending)))
