"""Time of an epoch of 100 trainings of the spiral-regression network, against PyTorch on one core.

Adam, batch 5, 250 points, 2-W-W-1, and at the end of the epoch the loss on both sets. PyTorch
appears twice: one training after another with torch.optim.Adam, as one would write it (timed for a
few trainings, which all cost the same, and scaled to 100), and all at once in batched products by
its autograd. Everything is timed in turns in one process on one core, so that what else the machine
does falls on all alike; the least time over the turns counts. wlnn computes in parts of
``training.run.parts_of``, as `wlnn train` does.

    python benchmarks/train.py [--width 30] [--batch 5] [--runs 100] [--turns 7]
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy and PyTorch load their libraries

import argparse
import time
from dataclasses import replace

import numpy as np

from wlnn.settings.tables import read_table
from wlnn.tasks.catalogue import load_task
from wlnn.training.run import parts_of
from wlnn.training.train import advance, make_plan, start

try:
    import torch
except ImportError:
    torch = None


def ours(task, settings):
    """An epoch of all trainings."""
    plans = [make_plan(task, settings)]
    parts = parts_of(settings, task.network.n_parameters, None)
    states = [start(plans[0], range(part.first, part.last)) for part in parts]

    def epoch():
        for k, state in enumerate(states):
            states[k] = advance(plans[0], state)

    return epoch


def _tensors(task):
    data = task.data
    arrays = (data.x_train, data.y_train[:, None], data.x_test, data.y_test[:, None])
    return [torch.tensor(array, dtype=torch.float32) for array in arrays]


def one_by_one(task, settings, few):
    """An epoch of ``few`` trainings, one after another."""
    x, y, x_test, y_test = _tensors(task)
    width = task.network.width
    models = []
    for _ in range(few):
        layers = torch.nn.Sequential(
            torch.nn.Linear(2, width), torch.nn.ReLU(), torch.nn.Linear(width, width),
            torch.nn.ReLU(), torch.nn.Linear(width, 1),
        )  # fmt: skip
        models.append((layers, torch.optim.Adam(layers.parameters(), settings.learning_rate)))
    loss = torch.nn.MSELoss()

    def epoch():
        for model, optimizer in models:
            order = torch.randperm(len(x))
            for first in range(0, len(x), settings.batch_size):
                rows = order[first : first + settings.batch_size]
                optimizer.zero_grad()
                loss(model(x[rows]), y[rows]).backward()
                optimizer.step()
            with torch.no_grad():
                loss(model(x), y).item(), loss(model(x_test), y_test).item()

    return epoch


def batched(task, settings):
    """An epoch of all trainings in batched products."""
    x, y, x_test, y_test = _tensors(task)
    W, R, B = task.network.width, settings.runs, settings.batch_size
    shapes = ((2, W), (1, W), (W, W), (1, W), (W, 1), (1, 1))
    weights = [(0.1 * torch.randn(R, *shape)).requires_grad_() for shape in shapes]
    optimizer = torch.optim.Adam(weights, settings.learning_rate)

    def outputs(h):
        for k in (0, 2, 4):
            h = torch.baddbmm(weights[k + 1], h, weights[k])
            h = torch.relu(h) if k < 4 else h
        return h

    def epoch():
        order = torch.stack([torch.randperm(len(x)) for _ in range(R)])
        for first in range(0, len(x), B):
            rows = order[:, first : first + B]
            optimizer.zero_grad()
            ((outputs(x[rows]) - y[rows]) ** 2).mean((1, 2)).sum().backward()
            optimizer.step()
        with torch.no_grad():
            for inputs, targets in ((x, y), (x_test, y_test)):
                ((outputs(inputs.expand(R, -1, -1)) - targets) ** 2).mean((1, 2)).numpy()

    return epoch


def main():
    """Time all contenders in turns and print ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--width", type=int, default=30)
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--turns", type=int, default=7)
    options = parser.parse_args()
    task = load_task("spiral-regress", width=options.width)
    table = read_table("spiral-regress", width=options.width).train
    turns = options.turns + 1
    settings = replace(
        table, batch_size=options.batch, runs=options.runs, epochs=turns, learning_rate=1e-4
    )
    few = min(2, options.runs)
    contenders = {"wlnn": (ours(task, settings), 1.0)}
    if torch is None:
        print("PyTorch is not installed: nothing to compare with")
    else:
        torch.set_num_threads(1)
        contenders["PyTorch, one by one"] = one_by_one(task, settings, few), options.runs / few
        contenders["PyTorch, all at once"] = batched(task, settings), 1.0
    times = {name: [] for name in contenders}
    for _ in range(turns):
        for name, (epoch, scale) in contenders.items():
            begun = time.perf_counter()
            epoch()
            times[name].append(scale * (time.perf_counter() - begun))
    steps = options.runs * -(-len(task.data.x_train) // options.batch)
    base = min(times["wlnn"][1:])  # the first turn warms up
    print(f"2-{options.width}-{options.width}-1, batch {options.batch}, {options.runs} trainings")
    for name, seconds in times.items():
        least = min(seconds[1:])
        spread = np.median(seconds[1:]) / least
        print(
            f"{name:<22}{1e3 * least:9.1f} ms an epoch  {1e6 * least / steps:7.2f} us a step of "
            f"one  {least / base:6.1f} x  (median / least {spread:.2f})"
        )


if __name__ == "__main__":
    main()
