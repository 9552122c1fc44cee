"""The Wang-Landau molecular dynamics loop in Numba: ONE driver for networks and exact cases.

Twin of ``wlnn.wlmd.walk_numpy``, the readable definition, for one walker. The driver knows nothing
of a system but two functions, chosen by the *type* of the system (a NamedTuple with a field
``gradient (P,)``) when Numba compiles it:

    evaluate(system, theta) -> (x, y, accuracy)   keeps in its buffers what ``sweep`` needs
    sweep(system, ux, uy)                         writes the gradient of ux x + uy y

Every text below is also plain Python and runs with NUMBA_DISABLE_JIT=1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

# sums may be reordered and multiply-adds fused; NaN and infinity keep their meaning, for the checks
FAST = {"reassoc", "contract", "nsz", "arcp"}
FINE, DIVERGED, STOPPED = 0, 1, 2
_SYSTEMS: dict[type, dict] = {}


class Motion(NamedTuple):
    """Constants of the integrator."""

    dt: float
    keep: float  # (1 - gamma)^m: what one action of the thermostat leaves of a velocity
    every: int  # steps m from one action to the next
    half_drifts: int  # 1: kick, half drift, thermostat, half drift; 0: kick, thermostat, drift
    hottest: float  # a kinetic temperature above means that the step is too large


def register(kind: type, *, evaluate, sweep) -> None:
    """Teach the driver a system: the NamedTuple class ``kind`` and its two functions."""
    _SYSTEMS[kind] = {"evaluate": evaluate, "sweep": sweep}


def evaluate(system, theta):
    """Collective variables and true accuracy (x, y, accuracy) at ``theta (P,)``."""
    return _SYSTEMS[type(system)]["evaluate"](system, theta)


def sweep(system, ux, uy):
    """Fill ``system.gradient`` with the gradient of ux x + uy y at the last evaluated theta."""
    _SYSTEMS[type(system)]["sweep"](system, ux, uy)


@overload(evaluate)
def _evaluate(system, theta):
    return _SYSTEMS[system.instance_class]["evaluate"]


@overload(sweep)
def _sweep(system, ux, uy):
    return _SYSTEMS[system.instance_class]["sweep"]


def box_runs(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Stretches of parameters with one and the same box: starts and end ``(B + 1,)``, limits
    ``(B, 2)``. A network has a few, and the loops need not read two more numbers a parameter."""
    change = np.flatnonzero((np.diff(lo) != 0) | (np.diff(hi) != 0)) + 1
    starts = np.concatenate([[0], change, [lo.size]])
    return starts, np.stack([lo[starts[:-1]], hi[starts[:-1]]], axis=1)


@njit(cache=True, inline="always")
def _spline_at(position, node, per_bin, n):
    """Nearest node and the offset t from it in (-1/2, 1/2], as in ``surface._spline``."""
    p = min(max((position - node) * per_bin, -2.0), n + 1.0)
    nearest = math.floor(p + 0.5)
    return int(nearest), p - nearest


@njit(cache=True)
def slope(table, surface, x, y):
    """Gradient of table and walls at one point; twin of ``surface.slope`` + ``wall_slope``."""
    ux = 0.0
    uy = 0.0
    i, t = _spline_at(x, surface.x_node, surface.x_per_bin, surface.nx)
    wx = (0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2)
    sx = (t - 0.5, -2.0 * t, 0.5 + t)
    if surface.ny == 1:
        for k in range(3):
            ux += sx[k] * table[min(max(i + k - 1, 0), surface.nx - 1), 0]
    else:
        j, t = _spline_at(y, surface.y_node, surface.y_per_bin, surface.ny)
        wy = (0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2)
        sy = (t - 0.5, -2.0 * t, 0.5 + t)
        for k in range(3):
            row = min(max(i + k - 1, 0), surface.nx - 1)
            for m in range(3):
                value = table[row, min(max(j + m - 1, 0), surface.ny - 1)]
                ux += sx[k] * wy[m] * value
                uy += wx[k] * sy[m] * value
    ux *= surface.x_per_bin
    uy *= surface.y_per_bin
    walls = surface.walls
    if x > walls.x_high:
        ux += 2.0 * walls.c_high * (x - walls.x_high)
    if x < walls.x_low:
        ux -= 2.0 * walls.c_low * (walls.x_low - x)
    if y > walls.y_high:
        uy += 2.0 * walls.c_high * (y - walls.y_high)
    if y < walls.y_low:
        uy -= 2.0 * walls.c_low * (walls.y_low - y)
    return ux, uy


@njit(cache=True)
def _hill(centre, per_bin, n, reach, scale, out):
    """Write exp(-(node - centre)^2 scale) for the nodes within reach; returns first and end.

    ``centre`` is in bins from the first node, ``reach`` and 1 / sqrt(scale) in bins.
    """
    first = max(math.ceil(centre - reach), 0)
    end = min(math.floor(centre + reach) + 1, n)
    for k in range(first, end):
        out[k] = math.exp(-((k - centre) ** 2) * scale)
    return first, end


@njit(cache=True, fastmath=FAST)
def _add_rank_one(table, along_x, x_first, x_end, along_y, y_first, y_end, weight):
    hill = along_y[y_first:y_end]  # loops from 0 need no test for a negative index, and vectorise
    for i in range(x_first, x_end):
        factor = weight * along_x[i]
        row = table[i, y_first:y_end]
        for j in range(hill.shape[0]):
            row[j] += factor * hill[j]


@njit(cache=True)
def deposit(table, surface, x, y, volume, along_x, along_y):
    """Add one hill to the table; twin of ``surface.deposit``. Work arrays ``(nx,)``, ``(ny,)``."""
    p = (x - surface.x_node) * surface.x_per_bin
    q = (y - surface.y_node) * surface.y_per_bin if surface.ny > 1 else 0.0
    if not (p >= -0.5 and p < surface.nx - 0.5 and q >= -0.5 and q < surface.ny - 0.5):
        return
    norm = 1.0 / (math.sqrt(2.0 * math.pi) * surface.sigma)
    images = 3 if surface.mirror else 1
    for a in range(images):
        centre = p
        if a == 1:
            centre = -1.0 - p
        elif a == 2:
            centre = 2.0 * surface.nx - 1.0 - p
        per_bin = surface.x_per_bin
        scale = 0.5 / (surface.sigma * per_bin) ** 2
        reach = surface.reach * per_bin
        x_first, x_end = _hill(centre, per_bin, surface.nx, reach, scale, along_x)
        if surface.ny == 1:
            along_y[0] = 1.0
            _add_rank_one(table, along_x, x_first, x_end, along_y, 0, 1, volume * norm)
            continue
        per_bin = surface.y_per_bin
        scale = 0.5 / (surface.sigma * per_bin) ** 2
        reach = surface.reach * per_bin
        for b in range(images):
            centre = q
            if b == 1:
                centre = -1.0 - q
            elif b == 2:
                centre = 2.0 * surface.ny - 1.0 - q
            y_first, y_end = _hill(centre, per_bin, surface.ny, reach, scale, along_y)
            weight = volume * norm * norm
            _add_rank_one(table, along_x, x_first, x_end, along_y, y_first, y_end, weight)


@njit(cache=True, fastmath=FAST)
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


@njit(cache=True, fastmath=FAST)
def _thermostat(v, noise, keep):
    scale = math.sqrt(1.0 - keep * keep)
    for k in range(v.shape[0]):
        v[k] = keep * v[k] + scale * noise[k]


@njit(cache=True)
def langevin_step(theta, v, gradient, starts, limits, motion, rng, with_noise):
    """One step along -gradient; twin of ``dynamics.langevin_step``. Returns the sum of v^2."""
    total = 0.0
    first = 0.5 * motion.dt if with_noise else motion.dt
    if with_noise and not motion.half_drifts:
        first = 0.0
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


@njit(cache=True, nogil=True)
def walk(system, theta, v, starts, limits, table, surface, motion, volumes, rng, trace, stop):
    """One walker, ``n`` steps from step 0 of a round; returns (steps made, how it ended).

    Shapes: theta, v ``(P,)`` float64; starts, limits from :func:`box_runs`; table ``(nx, ny)``;
    volumes ``(n,)``, the hill of each step, 0 for none; trace ``(n, 4)``, which receives x, y, true
    accuracy and kinetic temperature of each step; stop ``(1,)`` uint8, looked at in every step.
    Changed in place: theta, v, the system's buffers, table, rng, trace.
    """
    along_x = np.empty(surface.nx)
    along_y = np.empty(surface.ny)
    x, y, accuracy = evaluate(system, theta)
    for k in range(volumes.shape[0]):
        ux, uy = slope(table, surface, x, y)
        sweep(system, ux, uy)
        noisy = (k + 1) % motion.every == 0
        total = langevin_step(theta, v, system.gradient, starts, limits, motion, rng, noisy)
        x, y, accuracy = evaluate(system, theta)
        kinetic = total / theta.shape[0]
        trace[k, 0] = x
        trace[k, 1] = y
        trace[k, 2] = accuracy
        trace[k, 3] = kinetic
        if not (math.isfinite(x) and math.isfinite(y) and kinetic < motion.hottest):
            return k + 1, DIVERGED
        if volumes[k] > 0.0:
            deposit(table, surface, x, y, volumes[k], along_x, along_y)
        if stop[0] != 0:
            return k + 1, STOPPED
    return volumes.shape[0], FINE
