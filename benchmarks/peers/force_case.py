"""R independent spiral regressions 2-W-W-1, and what is right of them.

Parameters and data are short binary fractions, of which no sum before a ReLU is rounded or zero: it
is open for one library where it is for all others, in whatever order they add.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task


class Case(NamedTuple):
    """R networks, their data, and what is right of them."""

    problem: object
    layers: list  # of W (R, out, in) and b (R, out) by turns, in single precision
    data: tuple  # x_train (N, 2), y_train (N,), x_test, y_test
    weights: tuple  # ux, uy (R,)
    theta: np.ndarray  # (R, P), the same parameters in double precision
    right: tuple  # losses (2, R), gradient (R, P)


def case_of(width: int, walkers: int, points: int = 250) -> Case:
    """Multiples of 1/16 for parameters, of 1/4 for inputs; biases lie between what sums can be."""
    network, rng = FNN((2, width, width, 1)), np.random.default_rng(0)
    x = rng.integers(-8, 9, (2 * points, 2)) / 4
    y = rng.normal(size=2 * points).astype(np.float32).astype(float)
    data = x[:points], y[:points], x[points:], y[points:]
    task = Task(
        "peers", Dataset(*data, {}), network, Grid(Axis("x", -8, 4, 2), Axis("y", -8, 8, 2)),
        "ln-test-loss", "squared-error",
    )  # fmt: skip
    theta = rng.integers(-2, 3, (walkers, network.n_parameters)) / 16
    layers = network.layout.views(theta)
    layers[1][...] += 2.0**-7  # sums of the first layer are multiples of 2^-6 ...
    layers[3][...] += 2.0**-12  # ... and of the second 2^-11, below 2^8
    weights = 1 + np.arange(walkers) % 3 / 4, 0.5 - np.arange(walkers) % 5 / 4
    problem = NetworkVariables(task).problem()
    *values, _, tape = problem.evaluate(np, theta)
    right = np.exp(values), problem.backward(np, tape, *weights)
    single = [layer.astype(np.float32) for layer in layers]
    return Case(problem, single, data, weights, theta, right)


def differences(case: Case, x, y, gradient) -> tuple[float, float]:
    """The largest relative difference of a loss, and of a network's gradient in its norm."""
    losses, right = case.right
    found = np.exp(np.asarray([x, y], float)), np.asarray(gradient, float)
    if found[0].shape != losses.shape or found[1].shape != right.shape:
        return np.inf, np.inf
    loss = np.abs(found[0] / losses - 1).max()
    norm = np.linalg.norm(found[1] - right, axis=1) / np.linalg.norm(right, axis=1)
    return float(loss), float(norm.max())
