"""R7, R9: two quadratic losses with shifted centres, smooth and exactly integrable.

Its incremental caches judge cache handling (R7); its exact masses judge samplers that need forces.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import moves
from wlnn.tasks.problem import Problem

ABOUT = """theta in [-1, 1]^4; A = |theta - (-0.3, 0, 0, 0)|^2, B = |theta - (0.25, 0, 0, 0)|^2,
x = ln A, y = ln B. With t = theta_0 and Q the sum of the other squares, a bin is a slice of Q for
given t, and G(q), the fraction of the cube [-1, 1]^3 with Q <= q, is known: one integral over t.
A and B are updated by differences, so rounding or a cache not restored shows as drift."""

CENTRES = (-0.3, 0.25)
LO, WIDTH, BINS = -5.0, 0.4, 14  # default axes, both ln A and ln B
TABLE = {  # bin of the default grid: mass
    (5, 6): 1.174398620953e-05,
    (8, 8): 8.470577350316e-04,
    (11, 12): 3.161556043111e-02,
    (13, 13): 8.236529209801e-02,
}
LO_1D, WIDTH_1D, BINS_1D = -3.4, 0.2, 25  # one axis, ln A
TABLE_1D = np.fromstring(
    """
1.689498e-04 2.520435e-04 3.760047e-04 5.609330e-04 8.368137e-04
1.248379e-03 1.862363e-03 2.778319e-03 4.144766e-03 6.183264e-03 9.224345e-03 1.376111e-02
2.052916e-02 3.056420e-02 4.476597e-02 6.487622e-02 9.362464e-02 1.278275e-01 1.511246e-01
1.571747e-01 1.350838e-01 8.807248e-02 3.736704e-02 7.038565e-03 2.104719e-04
""",
    dtype=float,
    sep=" ",
)


class TwinQuadratic(NamedTuple):
    """System of the driver: (A, B) of the state and of the proposal, updated by differences."""

    centres: np.ndarray  # (2,)
    current: np.ndarray  # (2,)
    proposed: np.ndarray  # (2,)


def _refresh(system, theta):
    rest = 0.0
    for k in range(1, theta.shape[0]):
        rest += theta[k] * theta[k]
    for c in range(2):
        system.current[c] = (theta[0] - system.centres[c]) ** 2 + rest
    return math.log(system.current[0]), math.log(system.current[1])


def _propose(system, theta, i, new):
    old = theta[i]
    for c in range(2):
        centre = system.centres[c] if i == 0 else 0.0
        system.proposed[c] = system.current[c] + ((new - centre) ** 2 - (old - centre) ** 2)
    if system.proposed[0] <= 0.0 or system.proposed[1] <= 0.0:
        return -math.inf, -math.inf  # only rounding of a float32 cache leads here
    return math.log(system.proposed[0]), math.log(system.proposed[1])


def _commit(system, theta, i, new):
    system.current[:] = system.proposed


moves.register(TwinQuadratic, refresh=_refresh, propose=_propose, commit=_commit)


def grid_1d(lo: float = LO_1D, width: float = WIDTH_1D, bins: int = BINS_1D) -> Grid:
    """Bins of ln A alone."""
    return Grid(Axis("ln A", lo, lo + bins * width, bins), Axis.single())


def problem(grid: Grid | None = None) -> Problem:
    """The case on ``grid`` (default: 14 x 14 bins of 0.4 from -5)."""
    if grid is None:
        axes = (Axis(name, LO, LO + BINS * WIDTH, BINS) for name in ("ln A", "ln B"))
        grid = Grid(*axes)

    def observe(theta):
        rest = float(np.sum(theta[1:] ** 2))
        return tuple(float(np.log((theta[0] - centre) ** 2 + rest)) for centre in CENTRES)

    def system(precision):
        return TwinQuadratic(np.array(CENTRES), np.zeros(2, precision), np.zeros(2, precision))

    return Problem(
        name="twin-quadratic",
        lo=np.full(4, -1.0),
        hi=np.full(4, 1.0),
        grid=grid,
        observe=observe,
        system=system,
        about={"case": "twin quadratic", "centres": list(CENTRES)},
    )


_POINT, _WEIGHT = np.polynomial.legendre.leggauss(40)
_POINT, _WEIGHT = (_POINT + 1) / 2, _WEIGHT / 2


def ball_in_cube(q) -> np.ndarray:
    """G(q): fraction of the cube [-1, 1]^3 with squared radius <= q, elementwise.

    A ball up to q = 1; less six caps, whose volume is pi (r-1)^2 (2r+1) / 3, up to 2; beyond, an
    integral over z of the disc of squared radius s = q - z^2 in the unit square, a quarter of
    which holds sqrt(s-1) + s (pi/4 - acos(1/sqrt(s))) for 1 < s < 2.
    """
    q = np.clip(np.asarray(q, float), 0.0, 3.0)
    r = np.sqrt(q)
    out = math.pi / 6 * q * r
    caps = (q > 1) & (q <= 2)
    out[caps] -= math.pi / 4 * ((r - 1) ** 2 * (2 * r + 1))[caps]
    far = q > 2
    q = q[far][:, None]
    start = np.sqrt(q - 2)  # below it the disc covers the whole square
    phi = math.pi / 2 * _POINT  # z = start + (1 - start) sin^2: smooth at both ends
    s = np.maximum(q - (start + (1 - start) * np.sin(phi) ** 2) ** 2, 1.0)
    quarter = np.sqrt(s - 1) + s * (math.pi / 4 - np.arccos(1 / np.sqrt(s)))
    slope = (1 - start) * math.pi / 2 * np.sin(2 * phi)
    out[far] = start[:, 0] + (quarter * slope * _WEIGHT).sum(axis=1)
    return out


def _limits(axis) -> np.ndarray:
    """Bin edges as values of the loss; an axis of a single bin takes them all."""
    return np.array([0.0, np.inf]) if axis.n == 1 else np.exp(axis.edges)


def masses(case: Problem | None = None) -> np.ndarray:
    """Exact box fraction of every bin, shape ``(nx, ny)``.

    1/2 int_{-1}^{1} [G(min of the upper limits of Q) - G(max of the lower)]_+ dt, cut where limits
    cross and where G has a kink (Q = 0, 1, 2, 3); t = t0 + (t1 - t0) sin^2(phi) in every piece.
    """
    grid = (case or problem()).grid
    a, b = CENTRES
    phi = math.pi / 2 * _POINT
    share, slope = np.sin(phi) ** 2, math.pi / 2 * np.sin(2 * phi) * _WEIGHT
    limits_a, limits_b = _limits(grid.x), _limits(grid.y)
    out = np.zeros(grid.shape)
    for i, j in np.ndindex(grid.shape):
        cuts = [-1.0, 1.0]
        for limits, centre in ((limits_a[i : i + 2], a), (limits_b[j : j + 2], b)):
            for root in np.sqrt([u - q for u in limits for q in range(4) if q <= u < np.inf]):
                cuts += [centre - root, centre + root]
        for u in limits_a[i : i + 2]:  # u - (t-a)^2 = v - (t-b)^2
            cuts += [(u - v - a**2 + b**2) / (2 * (b - a)) for v in limits_b[j : j + 2]]
        cuts = np.unique(np.clip(cuts, -1.0, 1.0))
        low, size = cuts[:-1, None], np.diff(cuts)[:, None]
        t = (low + size * share).ravel()
        in_a, in_b = (t - a) ** 2, (t - b) ** 2
        top = np.minimum(limits_a[i + 1] - in_a, limits_b[j + 1] - in_b)
        bottom = np.maximum(limits_a[i] - in_a, limits_b[j] - in_b)
        value = np.maximum(ball_in_cube(top) - ball_in_cube(bottom), 0.0)
        out[i, j] = 0.5 * (value.reshape(len(low), -1) * size * slope).sum()
    return out


def free_mass(case: Problem, i: int, j: int) -> float:
    """Mass of a bin that the box does not clip, by a second formula.

    The density of (A, B) is S rho / (4 d) / 2^4 with S = 4 pi the unit sphere in three dimensions,
    d the distance of the centres and rho^2 = A - ((A - B + d^2) / (2 d))^2.
    """
    d = CENTRES[1] - CENTRES[0]
    value, weight = np.polynomial.legendre.leggauss(60)

    def nodes(axis, k):
        low, high = np.exp(axis.edges[k : k + 2])
        return low + (high - low) * (value + 1) / 2, weight * (high - low) / 2

    (la, wa), (lb, wb) = nodes(case.grid.x, i), nodes(case.grid.y, j)
    la = la[:, None]
    rho = np.sqrt(la - ((la - lb + d**2) / (2 * d)) ** 2)
    return float(wa @ (4 * math.pi * rho / (4 * d) / 16) @ wb)
