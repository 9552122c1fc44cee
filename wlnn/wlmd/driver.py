"""The Wang-Landau molecular dynamics loop in Numba: ONE driver for networks and exact cases.

Twin of ``wlmd.walk.walk_numpy``, the readable definition, for one walker. The driver knows nothing
of a system but the two functions of ``networks.compiled.gradients``. Every text below is also plain
Python and runs with NUMBA_DISABLE_JIT=1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.networks.compiled.gradients import FAST, backward, evaluate
from wlnn.wlmd.integrator import DIVERGED, FINE, STOPPED
from wlnn.wlmd.integrator_loop import langevin_step


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


@njit(cache=True, inline="always")
def _image(position, n, k):
    """The position in bins, k = 0, or its mirror image at the lower or upper edge of n bins."""
    if k == 0:
        return position
    return -1.0 - position if k == 1 else 2.0 * n - 1.0 - position


@njit(cache=True)
def _hill(centre, per_bin, n, surface, out):
    """Write the hill around ``centre``, in bins, to its nodes within reach; first and end."""
    scale = 0.5 / (surface.sigma * per_bin) ** 2
    reach = surface.reach * per_bin
    first = max(math.ceil(centre - reach), 0)
    end = min(math.floor(centre + reach) + 1, n)
    for k in range(first, end):
        out[k] = math.exp(-((k - centre) ** 2) * scale)
    return first, end


@njit(forceinline=True, fastmath=FAST)
def _add_rank_one(table, along_x, x_first, x_end, along_y, y_first, y_end, weight):
    hill = along_y[y_first:y_end]  # loops from 0 need no test for a negative index, and vectorise
    for i in range(x_first, x_end):
        factor = weight * along_x[i]
        row = table[i, y_first:y_end]
        for j in range(hill.shape[0]):
            row[j] += factor * hill[j]


@njit(cache=True, inline="always")
def _place(surface, x, y):
    """The point in bins from the first node, and whether it is within the table (NaN is not)."""
    p = (x - surface.x_node) * surface.x_per_bin
    q = (y - surface.y_node) * surface.y_per_bin if surface.ny > 1 else 0.0
    return p, q, p >= -0.5 and p < surface.nx - 0.5 and q >= -0.5 and q < surface.ny - 0.5


@njit(cache=True, inline="always")
def _peak(surface, volume):
    """Height of a hill of that volume."""
    norm = 1.0 / (math.sqrt(2.0 * math.pi) * surface.sigma)
    return volume * norm if surface.ny == 1 else volume * norm * norm


@njit(forceinline=True)
def deposit(table, surface, x, y, volume, along_x, along_y):
    """Add one hill to the table; twin of ``surface.deposit``. Work arrays ``(nx,)``, ``(ny,)``."""
    p, q, within = _place(surface, x, y)
    if not within:
        return
    weight = _peak(surface, volume)
    images = 3 if surface.mirror else 1
    for a in range(images):
        centre = _image(p, surface.nx, a)
        x_first, x_end = _hill(centre, surface.x_per_bin, surface.nx, surface, along_x)
        if surface.ny == 1:
            along_y[0] = 1.0
            _add_rank_one(table, along_x, x_first, x_end, along_y, 0, 1, weight)
            continue
        for b in range(images):
            centre = _image(q, surface.ny, b)
            y_first, y_end = _hill(centre, surface.y_per_bin, surface.ny, surface, along_y)
            _add_rank_one(table, along_x, x_first, x_end, along_y, y_first, y_end, weight)


@njit(cache=True, nogil=True)
def x_and_slope(system, theta):
    """x at ``theta (P,)``; its gradient is in ``system.gradient``."""
    x, _, _ = evaluate(system, theta)
    backward(system, 1.0, 0.0)
    return x


@njit(cache=True, nogil=True)
def measure(system, theta):
    """x, y and the true accuracy at ``theta (P,)``."""
    return evaluate(system, theta)


@njit(cache=True, nogil=True)
def walk(system, theta, v, box, table, surface, motion, volumes, rng, trace, stop):
    """One walker, ``n`` steps from step 0 of a round; returns (steps made, how it ended).

    Shapes: theta, v ``(P,)`` float64; table ``(nx, ny)``; volumes ``(n,)``, the hill of each step,
    0 for none; trace ``(n, 4)``, which receives x, y, true accuracy and kinetic temperature of each
    step; stop ``(1,)`` uint8, looked at in every step. ``box`` is a :class:`integrator.Box`.
    Changed in place: theta, v, the system's buffers, table, rng, trace.
    """
    along_x = np.empty(surface.nx)
    along_y = np.empty(surface.ny)
    x = y = total = 0.0
    for k in range(-1, volumes.shape[0]):  # -1: the start; the network is compiled once
        if k >= 0:
            ux, uy = slope(table, surface, x, y)
            backward(system, ux, uy)
            noisy = (k + 1) % motion.every == 0
            total = langevin_step(theta, v, system.gradient, box, motion, rng, noisy)
        x, y, accuracy = evaluate(system, theta)
        if k < 0:
            continue
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
