"""Context selection with one context and no gating: a regression network with an exact ln g(ln L).

The case checks the incremental task matrix of gated linear units; with more contexts only the
saddle-point theory of ``wlnn.maxent.box`` is there to compare with.
"""

from __future__ import annotations

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.maxent.box import exact_ln_density
from wlnn.tasks.context_select import context_problem
from wlnn.tasks.problem import Problem

ABOUT = """N units of weights (w, m) in [-2, 2]^2, loss L = (M - 1)^2, M the mean of the w m, and
x = ln L. The density of a sum of products is a one-dimensional cosine transform. Proves the O(K^2)
update of the task matrix, and ln g over the whole range of the loss."""

HALF_WIDTH = 2.0
X_LO, X_WIDTH, X_BINS = -8.0, 0.2, 50

TABLE = {  # ln g(ln L): {units: {ln L: value}}, g normalised over ln L
    1: {-4.0: -3.746162194, -2.0: -2.701689525, -1.0: -2.099715371},
    4: {
        -8.0: -5.657854937,
        -4.0: -3.631244370,
        -2.0: -2.491356997,
        -1.0: -1.817037341,
        0.0: -1.175175586,
    },
}


def problem(units: int = 4) -> Problem:
    """The case with ``units`` units, 2 ``units`` parameters and 50 bins of ln L in [-8, 2]."""
    grid = Grid(Axis("ln train loss", X_LO, X_LO + X_BINS * X_WIDTH, X_BINS), Axis.single())
    return context_problem(1, units, half_width=HALF_WIDTH, gated=False, grid=grid)


def masses(case: Problem | None = None, points: int = 6) -> np.ndarray:
    """Exact box fraction of every bin, ``(nx, 1)``, by a Gauss rule over the exact density.

    Six points are exact to 3e-10 of each mass.
    """
    case = case or problem()
    axis = case.grid.x
    node, weight = np.polynomial.legendre.leggauss(points)
    x = axis.centres[:, None] + 0.5 * axis.width * node
    density = np.exp(exact_ln_density(case.network.units, HALF_WIDTH, x.ravel())).reshape(x.shape)
    return (density @ weight * 0.5 * axis.width)[:, None]
