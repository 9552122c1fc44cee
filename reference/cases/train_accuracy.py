"""R15: train accuracy against test accuracy of one sigmoid unit; its masses are lengths of a line.

The exact side here walks around a square; the sampled side is an ordinary task.
"""

from __future__ import annotations

import numpy as np

from wlnn.base.accuracy_axes import TRAIN_ACCURACY
from wlnn.landscape.grid import Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task, accuracy_axis

ABOUT = """One input, one logit o = w x + b, (w, b) in [-2, 2]^2; label 1 is answered where o > 0. x
is the train accuracy in fifths, y the test accuracy in quarters, in bins centred on them. No answer
changes along a ray from (0, 0), and a side of the square lies equally far from it everywhere: the
part of the square in which some answers are given is the part of its edge in which they are, cut at
its corners and at b = -w x_i. Proves the axis of train accuracies and that its bins hold k / N."""

X_TRAIN, Y_TRAIN = np.array([-1.7, -0.8, -0.3, 0.5, 1.4]), np.array([0, 1, 0, 1, 1])
X_TEST, Y_TEST = np.array([-1.2, -0.5, 0.2, 2.0]), np.array([0, 0, 1, 1])
HALF_WIDTH = 2.0


def problem() -> Problem:
    """The case as a task: ``FNN((1, 1))``, two parameters, 6 x 5 bins."""
    source = {"name": "accuracies reference"}
    data = Dataset(X_TRAIN[:, None], Y_TRAIN, X_TEST[:, None], Y_TEST, source)
    grid = Grid(accuracy_axis(len(Y_TRAIN), TRAIN_ACCURACY), accuracy_axis(len(Y_TEST)))
    ends = np.full(2, HALF_WIDTH)
    task = Task("accuracies", data, FNN((1, 1)), grid, x="train-accuracy", lo=-ends, hi=ends)
    return task.problem()


def masses() -> np.ndarray:
    """Exact box fractions ``(6, 5)``: shares of the edge of the square."""
    points, mass = np.concatenate([X_TRAIN, X_TEST]), np.zeros((6, 5))
    # w = +-c is cut at b = -w x_i, and b = +-c at w = -b / x_i, where these lie on the edge
    for along, cuts in ((0, -points), (1, -1 / points)):
        cuts = np.sort(cuts[np.abs(cuts) < 1])
        for side in (-HALF_WIDTH, HALF_WIDTH):
            ends = np.sort(np.concatenate([[-HALF_WIDTH, HALF_WIDTH], side * cuts]))
            middles, lengths = (ends[1:] + ends[:-1]) / 2, np.diff(ends)
            fixed = np.full(middles.shape, side)
            w, b = (fixed, middles) if along == 0 else (middles, fixed)
            right = [
                ((w[:, None] * x + b[:, None] > 0) == (y == 1)).sum(axis=1)
                for x, y in ((X_TRAIN, Y_TRAIN), (X_TEST, Y_TEST))
            ]
            np.add.at(mass, tuple(right), lengths / (8 * HALF_WIDTH))
    return mass
