"""A walk of molecular dynamics on real images whose gradients PyTorch recomputes now and then.

The compiled network moves a walker; every so many steps x, y and the gradient of a mixture of both
are computed by PyTorch's autograd in float64 from the same parameters, and in float32 to see what
single precision alone does: a unit near 0 falls to the other side of its ReLU now and then.

    python benchmarks/gradients.py FILE.npz [--network resnet10] [--images 500] [--steps 300]
                                            [--every 30] [--dt 2e-5]

FILE.npz holds x, (N, rows, columns) or (N, rows, columns, colours) of 0..255, and labels y.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy and SciPy load their libraries

import argparse
import time

import numpy as np
import torch
from layers import ROOM, cnn, coordinates, resnet
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.images import CNN, ResNet10
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import driver as wlmd_kernels
from wlnn.wlmd.surface import Walls, make_surface
from wlnn.wlmd.walk import advance, make_motion, start

NETWORKS = {
    "resnet10": (ResNet10(), lambda: resnet((6, 12, 24, 48), 3, 32)),
    "cnn2": (CNN(2), lambda: cnn(2)),
    "cnn3": (CNN(3), lambda: cnn(3)),
    "cnn4": (CNN(4), lambda: cnn(4)),
}
MIXTURE = 1.3, -0.7  # of x and y


@njit
def at(system, theta, ux, uy):
    """x and y; the gradient is left in the system."""
    x, y, _ = wlmd_kernels.evaluate(system, theta)
    wlmd_kernels.backward(system, ux, uy)
    return x, y


def read(path, network, n):
    """The first n images, half of them for training, and the task."""
    with np.load(path) as file:
        x, labels = file["x"][:n].astype(float), file["y"][:n].astype(np.int64)
    _, labels = np.unique(labels, return_inverse=True)
    x = x[:, None] if x.ndim == 3 else x.transpose(0, 3, 1, 2)
    half = len(x) // 2
    data = Dataset(x[:half], labels[:half], x[half:], labels[half:], {})
    return Task("t", data, network, ROOM, "smoothed-accuracy", bound_rule="fan_out")


def by_autograd(model, values, tensors):
    """x and y ``(2,)`` and the gradient ``(P,)`` of the mixture, by PyTorch."""
    with torch.no_grad():
        for parameter, tensor in zip(model.parameters(), tensors, strict=True):
            parameter.copy_(torch.tensor(tensor))
    model.zero_grad()
    xy = list(values())
    sum(weight * value for weight, value in zip(MIXTURE, xy, strict=True)).backward()
    gradient = np.concatenate([p.grad.double().numpy().ravel() for p in model.parameters()])
    return np.array([value.item() for value in xy]), gradient


def main() -> None:
    """Print one line per comparison, and the largest deviations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("file")
    parser.add_argument("--network", choices=NETWORKS, default="resnet10")
    parser.add_argument("--images", type=int, default=500)
    parser.add_argument("--steps", type=int, default=300)
    parser.add_argument("--every", type=int, default=30)
    parser.add_argument("--dt", type=float, default=2e-5)
    options = parser.parse_args()
    torch.set_num_threads(1)
    network, make = NETWORKS[options.network]
    task, model = read(options.file, network, options.images), make().double()
    model_32 = make()
    values, values_32 = coordinates(model, task, torch.float64), coordinates(model_32, task)
    variables = NetworkVariables(task, dtype=np.float32)
    problem = variables.problem()
    system = problem.gradient_system()
    grid = Grid(Axis.of_width("x", -9.0, 9.0, 0.05), Axis.of_width("y", -12.0, 12.0, 0.05))
    surface = make_surface(grid, 0.2, Walls(-7.0, 3.0, -9.0, 9.0, 300.0, 3000.0))
    motion = make_motion(problem, options.dt, 1e-3)
    state = start(problem, surface, 1, np.random.default_rng(0))
    generator = np.random.default_rng(1)

    def walk(steps, state):
        f = np.full(steps, 20.0)
        return advance(problem, surface, motion, state, f, lambda walker: generator, [system]).state

    walk(1, state)  # compiles
    seconds, worst = 0.0, np.zeros(3)
    for done in range(0, options.steps + 1, options.every):
        if done:
            began = time.process_time()
            state = walk(options.every, state)
            seconds += time.process_time() - began
        theta = state.theta[0].astype(np.float32)
        found = np.array(at(system, theta.astype(float), *MIXTURE))
        expected, gradient = by_autograd(model, values, network.layout.views(theta))
        _, single = by_autograd(model_32, values_32, network.layout.views(theta))
        length = np.linalg.norm(gradient)
        errors = [np.linalg.norm(g - gradient) / length for g in (system.gradient, single)]
        worst = np.maximum(worst, [np.abs(found - expected).max(), *errors])
        print(
            f"step {done:4d}  x = {found[0]:.6f}  y = {found[1]:.6f}  off by "
            f"{np.abs(found - expected).max():.1e}  gradient off by {errors[0]:.1e} of its length, "
            f"PyTorch's in float32 by {errors[1]:.1e}",
            flush=True,
        )
    rows = sum(map(len, (task.data.y_train, task.data.y_test)))
    print(
        f"{options.network}, {rows} images, {options.steps} steps: x and y within {worst[0]:.1e}, "
        f"gradient within {worst[1]:.1e} (PyTorch in float32: {worst[2]:.1e}); "
        f"{1e3 * seconds / options.steps:.2f} ms/step"
    )


if __name__ == "__main__":
    main()
