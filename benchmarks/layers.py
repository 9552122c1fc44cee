"""Time per step of molecular dynamics on the tasks with data, against PyTorch eager on one core.

Processor time, in turns in one process: the ratio of the least times, which other work on the
machine disturbs least, and the median of the ratios of the turns. Both sides make whole steps:
collective variables of all train and test rows, their gradient, integrator, thermostat (every tenth
step here, every step there) and table. Inputs are random numbers of the tasks' shapes: what they
are does not change the time.

    python benchmarks/layers.py [--cases "CNN c=2,house W=20"] [--turns 7] [--seconds 0.5]
                                [--images 5000]

Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first: then the BLAS picks what users get.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy and SciPy load their libraries

import argparse
import itertools
import math
import sys
import time
from pathlib import Path

import numpy as np
import torch
from torch import nn
from torch.nn import functional

sys.path.append(str(Path(__file__).parents[1] / "tests" / "golden"))
from make import cnn, resnet  # the networks in PyTorch's modules
from wlmd import sampler

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task

ROOM = Grid(Axis("x", -1.0, 1.0, 2), Axis("y", -1.0, 1.0, 2))  # of the task; not that of the walk


def images(network, model, n):
    """Task and model of half n train and half n test images."""
    rng = np.random.default_rng(0)
    shape, half = network.layers[0].shape, n // 2
    x, labels = rng.random((n, *shape)), rng.integers(0, network.classes, n)
    labels[: network.classes] = np.arange(network.classes)
    data = Dataset(x[:half], labels[:half], x[half:], labels[half:], {})
    return Task("t", data, network, ROOM, "smoothed-accuracy", bound_rule="fan_out"), model


def regression(sizes, activation, n_train, n_test):
    """Task and model of a fully connected network with real targets."""
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(n_train + n_test, sizes[0])), rng.normal(size=n_train + n_test)
    data = Dataset(x[:n_train], y[:n_train], x[n_train:], y[n_train:], {})
    network = FNN(sizes, activation)
    task = Task("t", data, network, ROOM, "ln-test-loss", "squared-error", bound_rule="fan_out")
    kinds = {"relu": nn.ReLU, "silu": nn.SiLU}
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [nn.Linear(n_in, n_out), kinds[activation]()]
    return task, nn.Sequential(*layers[:-1])


CASES = {  # name: what makes task and model, and the goal for the ratio
    "CNN c=2": (lambda n: images(CNN(2), cnn(2), 500), 6.0),
    "CNN c=3": (lambda n: images(CNN(3), cnn(3), 500), None),
    "CNN c=4": (lambda n: images(CNN(4), cnn(4), 500), 3.0),
    "house W=20": (lambda n: regression((331, 20, 1), "relu", 730, 730), 2.0),
    "polymer W=50": (lambda n: regression((768, 50, 1), "silu", 448, 113), 2.0),
    "ResNet-10": (lambda n: images(ResNet10(), resnet((6, 12, 24, 48), 3, 32), n), 0.8),
}


def coordinates(model, task, precision=torch.float32):
    """Function that computes x and y in PyTorch."""
    regress = task.loss == "squared-error"
    kind = precision if regress else torch.int64
    data = task.data
    x_train, x_test = (torch.tensor(part, dtype=precision) for part in (data.x_train, data.x_test))
    y_train, y_test = (torch.tensor(part, dtype=kind) for part in (data.y_train, data.y_test))

    def losses():
        return (
            functional.mse_loss(model(x)[:, 0], y).log()
            for x, y in ((x_train, y_train), (x_test, y_test))
        )

    def accuracy():
        x = functional.cross_entropy(model(x_train), y_train).log()
        logits = model(x_test)
        right = logits.gather(1, y_test[:, None])
        wrong = logits.scatter(1, y_test[:, None], -math.inf).max(1, keepdim=True).values
        smooth = torch.sigmoid(task.alpha * (right - wrong)).mean()
        q = 1e-4 + (1 - 2e-4) * smooth
        right.gt(wrong).float().mean().item()  # the true accuracy, recorded as well
        return x, torch.log(q / (1 - q))

    return losses if regress else accuracy


def eager(task, model, settings):
    """The walk in PyTorch, with the published integrator."""
    values = coordinates(model, task)
    parameters = list(model.parameters())
    speeds = [torch.randn_like(p) for p in parameters]
    bounds = [2 / math.sqrt(p.shape[0] * math.prod(p.shape[2:])) for p in parameters]
    n, spacing, reach = 480, settings.spacing, round(4 * settings.sigma / settings.spacing)
    table = torch.zeros((n, n))
    offsets = spacing * torch.arange(-reach, reach + 1)
    bell = torch.exp(-0.5 * (offsets / settings.sigma) ** 2)
    hill = 1e-6 * torch.outer(bell, bell)
    dt, keep = settings.dt, 1 - settings.friction

    def run(steps: int) -> None:
        for _ in range(steps):
            x, y = values()
            i, j = (
                min(max(int((value.item() + 12.0) / spacing), reach), n - reach - 2)
                for value in (x, y)
            )
            ux = float(table[i + 1, j] - table[i - 1, j]) / (2 * spacing)
            uy = float(table[i, j + 1] - table[i, j - 1]) / (2 * spacing)
            model.zero_grad()
            (ux * x + uy * y).backward()
            with torch.no_grad():
                for p, v, b in zip(parameters, speeds, bounds, strict=True):
                    v -= dt * p.grad
                    v *= keep
                    v += math.sqrt(1 - keep * keep) * torch.randn_like(v)
                    p += dt * v
                    over, under = p > b, p < -b
                    v.copy_(torch.where(over | under, -v, v))
                    mirrored = torch.where(under, -2 * b - p, p)
                    p.copy_(torch.where(over, 2 * b - p, mirrored))
            table[i - reach : i + reach + 1, j - reach : j + reach + 1] += hill

    return run


def turns(functions: dict, count: int, seconds: float) -> dict[str, np.ndarray]:
    """Seconds of processor time per step of each function, ``(count,)`` each, in turns."""
    steps = {}
    for name, function in functions.items():
        function(1)
        began = time.process_time()
        function(1)
        least = 10 if name == "wlnn" else 1  # a round of it evaluates its first point once more
        steps[name] = max(least, int(seconds / (time.process_time() - began)))
    times = {name: np.empty(count) for name in functions}
    for k in range(count):
        for name, function in functions.items():
            began = time.process_time()
            function(steps[name])
            times[name][k] = (time.process_time() - began) / steps[name]
    return times


def main() -> None:
    """Print one line per case."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES))
    parser.add_argument("--turns", type=int, default=7)
    parser.add_argument("--seconds", type=float, default=0.5, help="length of a turn")
    parser.add_argument("--images", type=int, default=5000, help="of the residual network")
    options = parser.parse_args()
    torch.set_num_threads(1)
    settings = WLMDSettings(dt=1e-5, friction=1e-3, x_low=-7, x_high=3, y_low=-9, y_high=9)
    for case in options.cases.split(","):
        make, goal = CASES[case]
        task, model = make(options.images)
        problem = NetworkVariables(task, dtype=np.float32).problem()
        assert sum(p.numel() for p in model.parameters()) == task.network.n_parameters
        functions = {"wlnn": sampler(problem, settings), "torch": eager(task, model, settings)}
        times = turns(functions, options.turns, options.seconds)
        ours, theirs = (1e3 * times[name].min() for name in ("wlnn", "torch"))
        rows = sum(map(len, (task.data.y_train, task.data.y_test)))
        print(
            f"{case:<13} {task.network.n_parameters:>6} parameters, {rows:>4} rows  "
            f"{ours:9.3f} ms/step  PyTorch {theirs:9.3f} ms/step  "
            f"{theirs / ours:5.2f}x, median {np.median(times['torch'] / times['wlnn']):5.2f}x"
            + (f"  (goal {goal:g}x)" if goal else ""),
            flush=True,
        )


if __name__ == "__main__":
    main()
