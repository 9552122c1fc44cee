"""R14: an angle, whose density of states is one line and whose window falls apart at its walls.

A window of bins only; what a sampler makes of it is for the judges to say.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.tasks.problem import Problem

ABOUT = """theta in [-pi, pi], periodic; x = -cos(theta) from 0 to 1 in twenty bins, y the side,
0 or 1. A bin holds (arccos(-hi) - arccos(-lo)) / 2 pi of the box, the same on both sides. The two
sides meet at theta = +-pi alone, where a box with walls parts them: proves that moves go through
the end of a periodic box, and that they are as likely in both directions."""

BINS = 20


@njit
def observe(theta):
    """x and y of a state."""
    return -math.cos(theta[0]), 1.0 if theta[0] > 0.0 else 0.0


def problem(periodic: bool = True) -> Problem:
    """The case: one parameter, 20 x 2 bins; without ``periodic`` no walker sees both sides."""
    box, grid = np.full(1, np.pi), Grid(Axis("x", 0.0, 1.0, BINS), Axis("side", -0.5, 1.5, 2))
    return Problem("angle", -box, box, grid, observe, periodic=(periodic,))


def masses(case: Problem) -> np.ndarray:
    """Exact box fractions ``(20, 2)``."""
    x = np.diff(np.arccos(-case.grid.x.edges)) / (2 * np.pi)
    return np.stack([x, x], axis=1)
