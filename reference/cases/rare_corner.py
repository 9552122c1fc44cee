"""R13: rare bins beside common ones, of two parameters, with exact masses by hand.

A window of bins only; what a sampler makes of them is for the judges to say.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.tasks.problem import Problem

ABOUT = """theta in [-1, 1]^2, x = ln |theta_0|, y = ln |theta_1|, bins one nat wide. A bin of rows
-k, -m holds (e - 1)^2 e^-(k + m) of the box: from 2e-6 in the corner to 0.4. Proves that rare bins
are neither traps nor biased."""

BINS = 6


@njit
def observe(theta):
    """x and y of a state; a parameter that is 0 is in no bin."""
    return math.log(max(abs(theta[0]), 1e-300)), math.log(max(abs(theta[1]), 1e-300))


def problem() -> Problem:
    """The case: two parameters, 6 x 6 bins, all but 0.5 % of the box in the window."""
    box = np.ones(2)
    grid = Grid(Axis("x", -BINS, 0, BINS), Axis("y", -BINS, 0, BINS))
    return Problem("rare-corner", -box, box, grid, observe)


def masses(case: Problem) -> np.ndarray:
    """Exact box fractions ``(6, 6)``."""
    x, y = (np.diff(np.exp(axis.edges)) for axis in case.grid)
    return x[:, None] * y
