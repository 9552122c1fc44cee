"""The entropy surface that molecular dynamics feels: a table of Gaussian hills, and soft walls.

Positions only: nothing here knows parameters, networks or time. Every function takes ``xp`` first
and R points at once; the compiled twins of ``deposit`` and ``slope`` are in ``driver.py``.

The table holds S at the nodes of a grid, the centres of its bins. Between nodes S is the quadratic
B-spline of the table, ``S(x, y) = sum_ij T_ij B(p - i) B(q - j)`` with p, q in units of bins: its
gradient is continuous and, unlike interpolated differences, the gradient of something.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.diagnostics import A0
from wlnn.landscape.grid import Grid


class Walls(NamedTuple):
    """Soft walls ``c (distance)^2`` beyond the window, ``c_high`` above and ``c_low`` below.

    An infinite limit is no wall. Eq. (3) of the paper has the two upper walls with c = 3000.
    """

    x_low: float = -math.inf
    x_high: float = math.inf
    y_low: float = -math.inf
    y_high: float = math.inf
    c_low: float = 300.0
    c_high: float = 3000.0


class Surface(NamedTuple):
    """Where the nodes are, how wide a hill is and where the walls stand; all in axis units.

    ``ny = 1`` (``Axis.single``) makes a one-dimensional surface, on which y has no effect. With
    ``mirror`` 1, hills are reflected at the edges of the grid, which then have to be the walls: a
    hill at the edge loses nothing. Walls inside the grid need no mirror and must not have one.
    """

    x_node: float  # x of the first node
    x_per_bin: float  # bins per unit of x
    nx: int
    y_node: float
    y_per_bin: float
    ny: int
    sigma: float  # of a hill, the same along x and y
    reach: float  # a hill is cut at this many units
    mirror: int
    walls: Walls


def make_surface(
    grid: Grid, sigma: float, walls: Walls, cutoff: float = 4.0, mirror: bool = False
) -> Surface:
    """The surface on the bin centres of ``grid``; hills of width ``sigma`` cut at cutoff sigma.

    Raises:
        UserError: sigma below one bin: the table could not hold the hill.
    """
    widest = max(grid.x.width, grid.y.width if grid.y.n > 1 else 0.0)
    if not sigma >= widest * (1 - 1e-9):
        raise UserError(f"hill width {sigma}: it must be at least one bin of the table, {widest}.")
    return Surface(
        float(grid.x.centres[0]),
        grid.x.per_bin,
        grid.x.n,
        float(grid.y.centres[0]),
        grid.y.per_bin if grid.y.n > 1 else 0.0,
        grid.y.n,
        float(sigma),
        float(sigma * cutoff),
        int(mirror),
        Walls(*(float(value) for value in walls)),
    )


def hill_height(sigma: float, volume: float = A0) -> float:
    """Peak of a two-dimensional hill of that volume, ``volume / (2 pi sigma^2)``, in nats."""
    return volume / (2 * math.pi * sigma**2)


def _hill(xp, position, node, per_bin, n, surface):
    """Normalised 1-D Gaussians ``(R, n)`` at the nodes, images at the mirrors added."""
    if n == 1:
        return xp.ones((position.shape[0], 1))
    low, high = node - 0.5 / per_bin, node + (n - 0.5) / per_bin
    centres = [position]
    if surface.mirror:
        centres += [2 * low - position, 2 * high - position]
    nodes = node + xp.arange(n) / per_bin
    hill = xp.zeros((position.shape[0], n))
    for centre in centres:
        distance = xp.abs(nodes - centre[:, None])
        height = xp.exp(-0.5 * (distance / surface.sigma) ** 2)
        hill += xp.where(distance <= surface.reach, height, 0.0)
    return hill / (math.sqrt(2 * math.pi) * surface.sigma)


def inside(xp, surface: Surface, x, y):
    """Whether each point ``(R,)`` lies within the bins of the table (NaN does not)."""
    p = (x - surface.x_node) * surface.x_per_bin
    q = (y - surface.y_node) * surface.y_per_bin if surface.ny > 1 else xp.zeros_like(p)
    return (p >= -0.5) & (p < surface.nx - 0.5) & (q >= -0.5) & (q < surface.ny - 0.5)


def deposit(xp, table, surface: Surface, x, y, volume):
    """Add to ``table`` one hill per point x, y ``(R,)``, in place.

    ``table (nx, ny)`` gets them all, of ``table (R, nx, ny)`` each walker's own gets its own.
    ``volume`` is a number or ``(R,)``.
    S(x', y') += volume N(x' - x; sigma) N(y' - y; sigma), N the normalised Gaussian, cut at the
    square of half side ``reach``. The values added at the nodes sum to volume / (bin area), so that
    ``volume = f A0`` is f "counts" on a grid of 0.02 x 0.02, as in the paper's Eq. (4). A point
    outside the table adds nothing.
    """
    weight = xp.where(inside(xp, surface, x, y), volume, 0.0)
    along_x = _hill(xp, x, surface.x_node, surface.x_per_bin, surface.nx, surface)
    along_y = _hill(xp, y, surface.y_node, surface.y_per_bin, surface.ny, surface)
    along_x = weight[:, None] * along_x
    if table.ndim == 3:
        table += along_x[:, :, None] * along_y[:, None, :]
    else:
        table += xp.matmul(along_x.T, along_y)


def _spline(xp, position, node, per_bin, n):
    """Three nodes ``(R, 3)``, their B-spline weights, and the slopes of the weights.

    Beyond the table the nodes are repeated: S goes on flat.
    """
    p = xp.clip((position - node) * per_bin, -2.0, n + 1.0)
    nearest = xp.floor(p + 0.5)
    t = (p - nearest)[:, None]
    index = xp.clip(xp.nan_to_num(nearest).astype(int)[:, None] + xp.arange(-1, 2), 0, n - 1)
    weights = xp.concatenate([0.5 * (0.5 - t) ** 2, 0.75 - t * t, 0.5 * (0.5 + t) ** 2], axis=1)
    slopes = xp.concatenate([t - 0.5, -2 * t, 0.5 + t], axis=1) * per_bin
    return index, weights, slopes


def _bends(xp, table, surface, x, y):
    """The 3 x 3 values of the table around each point, and the splines along both axes."""
    i, wx, sx = _spline(xp, x, surface.x_node, surface.x_per_bin, surface.nx)
    if surface.ny == 1:
        j, wy, sy = xp.zeros((1, 1), dtype=int), xp.ones((1, 1)), xp.zeros((1, 1))
    else:
        j, wy, sy = _spline(xp, y, surface.y_node, surface.y_per_bin, surface.ny)
    place = i[:, :, None], j[:, None, :]
    if table.ndim == 3:
        place = xp.arange(x.shape[0])[:, None, None], *place
    return table[place], wx, sx, wy, sy


def height(xp, table, surface: Surface, x, y):
    """S at the points x, y ``(R,)``, without the walls; ``table`` as in :func:`deposit`."""
    values, wx, _, wy, _ = _bends(xp, table, surface, x, y)
    return ((values * wy[:, None, :]).sum(-1) * wx).sum(-1)


def slope(xp, table, surface: Surface, x, y):
    """Gradient (dS/dx, dS/dy) of :func:`height`, each ``(R,)``; 0 beyond the table."""
    values, wx, sx, wy, sy = _bends(xp, table, surface, x, y)
    along_x = ((values * wy[:, None, :]).sum(-1) * sx).sum(-1)
    return along_x, ((values * wx[:, :, None]).sum(-2) * sy).sum(-1)


def at_nodes(table: np.ndarray, surface: Surface) -> np.ndarray:
    """:func:`height` at every node: what the walkers felt there, ``(nx, ny)``.

    The table itself is slightly sharper; the difference matters only where sigma is a few bins.
    """
    felt = table
    for axis, n in ((0, surface.nx), (1, surface.ny)):
        if n > 1:
            ends = [(1, 1) if axis == k else (0, 0) for k in range(2)]
            wide = np.pad(felt, ends, mode="edge")
            left, right = (np.take(wide, range(k, k + n), axis) for k in (0, 2))
            felt = 0.125 * left + 0.75 * felt + 0.125 * right
    return felt


def wall_slope(xp, walls: Walls, x, y):
    """Gradient (dV/dx, dV/dy) of the walls' V, in nats."""
    return tuple(
        2 * walls.c_high * xp.maximum(value - high, 0.0)
        - 2 * walls.c_low * xp.maximum(low - value, 0.0)
        for value, low, high in ((x, walls.x_low, walls.x_high), (y, walls.y_low, walls.y_high))
    )
