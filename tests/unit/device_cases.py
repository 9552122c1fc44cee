"""Networks, random rows, and NumPy with the noise of a device: what tests of devices share."""

from __future__ import annotations

import numpy as np

from wlnn.backend.device import Host
from wlnn.backend.noise import Philox
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.field import Field
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task

GRID = Grid(Axis("x", -12, 6, 90), Axis("y", -12, 12, 120))
NETWORKS = {  # network, shape of a row
    "small": (FNN((2, 6, 6, 1)), (2,)),
    "fnn": (FNN((2, 30, 30, 1)), (2,)),
    "wide": (FNN((2, 300, 300, 1)), (2,)),
    "silu": (FNN((331, 20, 1), "silu"), (331,)),
    "classifier": (FNN((2, 6, 6, 6, 2)), (2,)),
    "cnn": (CNN(2, classes=2), (1, 28, 28)),
    "resnet": (ResNet10(), (3, 32, 32)),
}


def problem_of(name: str, rows: int):
    """A problem of one of the networks, with as many random rows to train and to test."""
    network, shape = NETWORKS[name]
    rng = np.random.default_rng(1)
    x = [rng.normal(size=(rows, *shape)) for _ in range(2)]
    regress = name in ("small", "fnn", "wide", "silu")
    y = [rng.normal(size=rows) if regress else np.arange(rows) % 2 for _ in range(2)]
    kind = ("ln-test-loss", "squared-error") if regress else ("smoothed-accuracy", "cross-entropy")
    task = Task(name, Dataset(x[0], y[0], x[1], y[1], {}), network, GRID, *kind)
    return NetworkVariables(task).problem()


class HostOfKeys(Host):
    """NumPy with the noise of a device."""

    def noise(self, rngs, walkers):
        return [Philox(np, np.stack([rng.integers(0, 2**32, 2, np.uint64) for rng in rngs]))]


def in_numpy(problem) -> Field:
    """The text that a device runs, in NumPy: the same data in single precision, the same noise."""
    return Field(HostOfKeys(), *problem.elsewhere(np.asarray), problem.lo, problem.hi)
