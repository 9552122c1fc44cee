"""R11: the real 116-parameter network judged without any Markov chain, by uniform draws of its box.

Only the wide, shallow part of the landscape can be reached this way; the deep part is for the
other cases.
"""

from __future__ import annotations

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

ABOUT = """The spiral task of the paper (network 2-6-6-6-2, ReLU, 40 + 40 points, box 2 / sqrt(6)),
x = ln L in 17 bins of 0.1 from -0.5, all accuracies. Uniform draws fill the bins with binomial
errors. Proves S and the mean accuracy of each bin for the very network that users sample."""

X_LO, X_WIDTH, X_BINS = -0.5, 0.1, 17
TABLE_DRAWS = 4_000_000  # TABLE is counts(TABLE_DRAWS, default_rng(0)), 4 minutes
TABLE = np.fromstring(  # a row per bin: draws inside, mean and standard deviation of the accuracy
    """
25019 0.563164 0.064416
1039506 0.511672 0.065298
992591 0.494839 0.054822
629390 0.494180 0.045380
416755 0.495064 0.038255
282948 0.496004 0.032946
196741 0.496689 0.028336
137364 0.497320 0.024451
96172 0.497857 0.021305
65369 0.498288 0.018324
44566 0.498641 0.016285
29029 0.498792 0.014433
18511 0.498956 0.012447
11524 0.499278 0.011530
6773 0.499472 0.009244
3797 0.499717 0.007552
1990 0.499196 0.009173
""",
    sep=" ",
).reshape(17, 3)


def _task() -> Task:
    task = load_task("spiral-classify", seed=0)
    x = Axis("ln train loss", X_LO, X_LO + X_BINS * X_WIDTH, X_BINS)
    return Task(task.name, task.data, task.network, Grid(x, task.grid.y))


def problem() -> Problem:
    """The spiral task with data seed 0 on the part of the landscape that draws can reach."""
    return _task().problem()


def counts(n_draws: int, rng: np.random.Generator, chunk: int = 500) -> np.ndarray:
    """Histogram ``(17, 41)`` of uniform points of the box, by the NumPy forward pass (50 us)."""
    task = _task()
    case = task.problem()
    histogram = np.zeros(case.grid.shape, np.int64)
    for first in range(0, n_draws, chunk):
        size = (min(chunk, n_draws - first), case.n_parameters)
        bins = case.grid.index(*task.observe(rng.uniform(case.lo, case.hi, size)))
        inside = bins[0] >= 0
        np.add.at(histogram, (bins[0][inside], bins[1][inside]), 1)
    return histogram


def summary(histogram: np.ndarray) -> np.ndarray:
    """Rows of :data:`TABLE` from a histogram ``(17, 41)``; NaN accuracies in an empty bin."""
    accuracy = np.arange(histogram.shape[1]) / (histogram.shape[1] - 1)
    total = histogram.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean, square = histogram @ accuracy / total, histogram @ accuracy**2 / total
    return np.stack([total, mean, np.sqrt(np.maximum(square - mean**2, 0.0))], axis=1)


def masses(n_draws: int = 100_000, seed: int = 0) -> np.ndarray:
    """Estimated box fraction of every bin, shape ``(17, 41)``; binomial errors."""
    return counts(n_draws, np.random.default_rng(seed)) / n_draws
