"""R12: nested sampling of a small network, the same landscape by an unrelated method (dynesty).

Optional and slow: without dynesty installed there is nothing to compare with.
"""

from __future__ import annotations

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import spiral_classify
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

ABOUT = """A 2-3-2 tanh network (17 parameters) on 20 spiral points, x = ln L. Nested sampling
shrinks the box by a factor of about exp(-1/nlive) a step, keeping only points of lower and lower
loss, so it yields ln X(l), X the box fraction with loss below l, with a standard error of
sqrt(-ln X / nlive). Proves the deep part of S, which uniform draws cannot reach."""

X_LO, X_HI, X_BINS = -0.9, 1.5, 24
N_LIVE = 400
DEEPEST = -18.0  # ln X where nested sampling stops
TABLE = {"error of ln X at the stop": (-DEEPEST / N_LIVE) ** 0.5}


def problem() -> Problem:
    """The case as a task with data seed 0."""
    data = spiral_classify(seed=0, points=20)
    grid = Grid(Axis("ln train loss", X_LO, X_HI, X_BINS), Axis.single())
    return Task("nested", data, FNN((2, 3, 2), "tanh"), grid).problem()


def ln_below(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(ln l, ln X): loss levels, falling, and the box fraction below each.

    Raises:
        UserError: dynesty is not installed.
    """
    try:
        import dynesty
    except ImportError:
        raise UserError("needs dynesty (pip install dynesty)") from None
    case = problem()
    steep = 1e4  # only the order of the likelihood matters

    def log_likelihood(theta):
        return -steep * case.observe(theta)[0]

    sampler = dynesty.NestedSampler(
        log_likelihood,
        lambda unit: case.lo + (case.hi - case.lo) * unit,
        case.n_parameters,
        nlive=N_LIVE,
        sample="rslice",
        rstate=np.random.default_rng(seed),
    )
    steps = int(-DEEPEST * N_LIVE)
    sampler.run_nested(maxiter=steps, add_live=False, print_progress=False)
    return -sampler.results.logl / steep, sampler.results.logvol


def masses(seed: int = 0) -> np.ndarray:
    """Box fraction of every bin, shape ``(nx, 1)``; NaN below the deepest level reached."""
    level, ln_x = ln_below(seed)
    edges = problem().grid.x.edges
    below = np.exp(np.interp(edges, level[::-1], ln_x[::-1], left=np.nan, right=0.0))
    return np.diff(below)[:, None]
