"""R17: independent normal parameters, whose sum of squares has the chi-square distribution.

A window of bins and a loss with a gradient; what a sampler makes of them is for the judges to say.
"""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases.least_squares import least_squares
from wlnn.tasks.problem import Problem

ABOUT = """theta_i normal of mean 0 and spread sigma_i, x = ln sum (theta_i / sigma_i)^2: e^x has
the chi-square distribution with as many degrees of freedom as there are parameters. y, the share of
the first two of four parameters in that sum, is uniform and independent of x. Proves the prior in
the acceptance of Monte Carlo and in the force of motion, and draws of it."""

SIGMA = (0.2, 1.0, 5.0, 0.5)
X, Y = (-5.0, 3.0, 32), 4  # window and bins; 5e-4 of the prior lie outside it


@njit
def observe(theta):
    """x and y of a state of four parameters."""
    first = (theta[0] / 0.2) ** 2 + theta[1] ** 2
    total = max(first + (theta[2] / 5.0) ** 2 + (theta[3] / 0.5) ** 2, 1e-300)
    return math.log(total), first / total


def problem() -> Problem:
    """The case: four parameters of unlike sigma, 32 x 4 bins."""
    grid = Grid(Axis("ln chi-square", *X), Axis("share", 0.0, 1.0, Y))
    return Problem("gaussian", None, None, grid, observe, sigma=np.array(SIGMA))


def masses(case: Problem) -> np.ndarray:
    """Exact shares of the prior ``(32, 4)``."""
    from scipy.stats import chi2

    rows = np.diff(chi2(len(SIGMA)).cdf(np.exp(case.grid.x.edges)))
    return rows[:, None] * np.full(Y, 1 / Y)


def smooth(n: int = 40) -> Problem:
    """L = mean of theta_i^2 / sigma_i^2 with its gradient, sigma from 0.5 to 2; no y."""
    sigma = np.geomspace(0.5, 2.0, n)
    found = least_squares("gaussian-sphere", (np.diag(1 / sigma), np.zeros(n)), None)
    return replace(found, lo=None, hi=None, sigma=sigma)


def smooth_rows(axis: Axis, n: int = 40) -> np.ndarray:
    """Exact S of the bins of x = ln L ``(nx,)`` of :func:`smooth`."""
    from scipy.stats import chi2

    law, loss = chi2(n), n * np.exp(axis.edges)
    below, above = law.logcdf(loss), law.logsf(loss)  # by the tail that is the smaller
    with np.errstate(divide="ignore"):
        left = below[1:] + np.log1p(-np.exp(below[:-1] - below[1:]))
        right = above[:-1] + np.log1p(-np.exp(above[1:] - above[:-1]))
    return np.where(below[1:] < above[:-1], left, right)
