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
    each = len(temperatures) // len(rngs)
    theta = np.concatenate([problem.start(rng, each) for rng in rngs])
    return Walkers(theta, _normal(rngs, theta.shape), np.array(temperatures, dtype=float))


def _normal(rngs: Sequence, shape: tuple[int, int], kind=np.float64) -> np.ndarray:
    """Normal numbers ``(R, P)``: a row of each generator, or all of a single one."""
    if len(rngs) == 1:
        return rngs[0].standard_normal(shape, kind)
    return np.stack([rng.standard_normal(shape[1], kind) for rng in rngs])


def hottest(problem: Problem, walkers: Walkers) -> np.ndarray:
    """Kinetic temperature ``(R,)``, in units of T, that no right motion exceeds.

    All energy above that of the lowest loss may become kinetic: that is 2 L / (T P), and a factor
    of 4 and the natural spread are left for what the thermostat brings.
    """
    loss = np.exp(problem.evaluate(np, walkers.theta)[0])
    energy = 1 + kinetic_temperature(walkers.u)
    energy = energy + 2 * loss / (walkers.temperature * problem.n_parameters)
    return 4 * energy + 30 * math.sqrt(2 / problem.n_parameters)


def walk_numpy(problem, theta, u, temperature, motion, steps, rngs, hottest, records, stop=(0,)):
    """R walkers, ``steps`` steps: the readable definition.

    Shapes: theta, u ``(R, P)``; temperature, hottest ``(R,)``; rngs: R generators, or one; records
    ``(R, N_COLUMNS)``; stop ``(1,)``, looked at in every step. Changed in place: theta, u, records.
    Returns for each walker how it ended, ``(R,)``.
    """
    scaled = motion._replace(dt=motion.dt * np.sqrt(temperature)[:, None])  # of u
    begun, ending = theta.copy(), np.full(len(theta), FINE)
    means = records[:, LOSS:]
    means[:] = 0.0
    x, y, accuracy, tape = problem.evaluate(np, theta)
    for k in range(steps):
        # 1. force in units of T: minus the gradient of L / T, and L = exp(x)
        slope = np.exp(x) / temperature
        force = -problem.backward(np, tape, slope, np.zeros_like(slope))
        if k == 0:
            records[:, X], records[:, Y] = x, y
            records[:, ACCURACY] = 0.0 if accuracy is None else accuracy
            records[:, ENERGY] = temperature * energy(u, force, scaled.dt, slope)
        # 2. move; the thermostat acts in every m-th step
        noise = None
        if (k + 1) % motion.every == 0:
            noise = _normal(rngs, theta.shape, np.float32).astype(float)
        theta[...], u[...] = langevin_step(
            np, theta, u, force, noise, scaled, problem.lo, problem.hi
        )
        # 3. where are we now
        x, y, accuracy, tape = problem.evaluate(np, theta)
        loss, kinetic = np.exp(x), kinetic_temperature(u)
        right = 0.0 * x if accuracy is None else accuracy
        means += np.stack([loss, loss * loss, x, y, right, kinetic], axis=1) / steps
        bad = ~(np.isfinite(x) & (kinetic < hottest))
        if bad.any():  # a lost walker must not stop the others: it waits where it began
            ending[bad] = DIVERGED
            theta[bad], u[bad] = begun[bad], 0.0
            x, y, accuracy, tape = problem.evaluate(np, theta)
        if stop[0]:
            ending[:] = STOPPED
            break
    return ending


def advance(
    problem: Problem,
    walkers: Walkers,
    motion: Motion,
    steps: int,
    rngs: Sequence[np.random.Generator],
    systems: Sequence | None = None,
    stop: np.ndarray | None = None,
    map: Callable = map,
) -> Stretch | None:
    """``steps`` steps and one record for every walker; the given walkers are not changed.

    Args:
        rngs: one generator per walker, for these steps; or, without ``systems``, one for all.
        systems: one compiled system per walker; None runs the NumPy definition on all at once.
        stop: (1,) uint8; non-zero ends it at once, and None is returned.
        map: runs the walkers, side by side if it can; only with ``systems``.
    """
    stop = np.zeros(1, np.uint8) if stop is None else stop
    theta, u = walkers.theta.copy(), walkers.u.copy()
    records = np.empty((len(theta), N_COLUMNS))
    limit = hottest(problem, walkers)
    if systems is None:
        ending = walk_numpy(
            problem, theta, u, walkers.temperature, motion, steps, rngs, limit, records, stop
        )
    else:
        from wlnn.backend.cache import drop_stale
        from wlnn.canonical.langevin_loop import walk

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
