"""Microseconds per step of molecular dynamics on spiral regression, against PyTorch, JAX and BLAS.

Processor time, in turns, in one process on one core, so that what else the machine does falls on
all alike; ratios are medians over the turns. PyTorch and JAX are optional: the same step (forward,
backward, the published integrator, the table) as one would write it, with PyTorch eager and as one
compiled loop of JAX.

    python benchmarks/wlmd.py [--widths 30,100,300,1000] [--points 250] [--turns 9] [--seconds 0.3]

Unset OPENBLAS_CORETYPE and OPENBLAS_L2_SIZE first: then the BLAS picks what users get.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # before NumPy and SciPy load their libraries
os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
os.environ.setdefault("JAX_PLATFORMS", "cpu")
if hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})

import argparse
import itertools
import math
import time

import numpy as np
from numba import njit

from wlnn.settings.tables import read_table
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables
from wlnn.wlmd.setup import make_setup
from wlnn.wlmd.walk import advance, make_motion, start

try:
    import torch
except ImportError:
    torch = None
try:
    import jax
except ImportError:
    jax = None

GOALS = {30: (12.0, None), 100: (3.0, None), 300: (1.4, None), 1000: (1.1, 0.75)}


@njit
def _products(W, h, dz, dh, dW, repeats):
    """The three large matrix products of a step, as the sampler makes them."""
    for _ in range(repeats):
        np.dot(W, h, dz)
        np.dot(W.T, dz, dh)
        np.dot(dz, h.T, dW)


def matrix_products(width: int, samples: int):
    """Function of the number of repeats, and the floating-point operations of one."""
    rng = np.random.default_rng(0)
    W = rng.random((width, width), np.float32)
    h = rng.random((width, samples), np.float32)
    buffers = np.empty_like(h), np.empty_like(h), np.empty_like(W)
    return lambda repeats: _products(W, h, *buffers, repeats), 6 * width * width * samples


def sampler(problem, settings):
    """Function that makes so many steps of one walker, one round and its bookkeeping included."""
    surface = make_setup(problem, settings).surface
    motion = make_motion(problem, settings.dt, settings.friction, settings.thermostat_every)
    state = [start(problem, surface, 1, np.random.default_rng(0))]
    systems = [problem.gradient_system()]

    def run(steps: int) -> None:
        state[0] = advance(
            problem,
            surface,
            motion,
            state[0],
            np.full(steps, 1.0),
            lambda walker: np.random.default_rng(state[0].t),
            systems,
        ).state

    return run


def eager(task, settings):
    """The same walk in PyTorch."""
    data, sizes = task.data, task.network.sizes
    layers = []
    for n_in, n_out in itertools.pairwise(sizes):
        layers += [torch.nn.Linear(n_in, n_out), torch.nn.ReLU()]
    network = torch.nn.Sequential(*layers[:-1])
    loss = torch.nn.MSELoss()
    x_train, y_train, x_test, y_test = (
        torch.tensor(part, dtype=torch.float32).reshape(len(part), -1)
        for part in (data.x_train, data.y_train, data.x_test, data.y_test)
    )
    parameters = list(network.parameters())
    speeds = [torch.randn_like(p) for p in parameters]
    bounds = [2 / math.sqrt(p.shape[0]) for p in parameters]
    n, spacing, reach = 600, settings.spacing, round(4 * settings.sigma / settings.spacing)
    table = torch.zeros((n, n))
    offsets = spacing * torch.arange(-reach, reach + 1)
    bell = torch.exp(-0.5 * (offsets / settings.sigma) ** 2)
    hill = 1e-6 * torch.outer(bell, bell)
    dt, keep = settings.dt, 1 - settings.friction

    def run(steps: int) -> None:
        for _ in range(steps):
            x = torch.log(loss(network(x_train), y_train))
            y = torch.log(loss(network(x_test), y_test))
            i, j = (
                min(max(int((value.item() + 7.2) / spacing), reach), n - reach - 2)
                for value in (x, y)
            )
            ux = float(table[i + 1, j] - table[i - 1, j]) / (2 * spacing)
            uy = float(table[i, j + 1] - table[i, j - 1]) / (2 * spacing)
            network.zero_grad()
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


def compiled_by_jax(task, settings):
    """The same walk as one compiled loop of JAX."""
    from jax import lax
    from jax import numpy as jnp

    data, sizes = task.data, task.network.sizes
    x_train, y_train, x_test, y_test = (
        jnp.asarray(part, jnp.float32).reshape(len(part), -1)
        for part in (data.x_train, data.y_train, data.x_test, data.y_test)
    )
    spacing, reach, n = settings.spacing, round(4 * settings.sigma / settings.spacing), 600
    offsets = spacing * jnp.arange(-reach, reach + 1)
    bell = jnp.exp(-0.5 * (offsets / settings.sigma) ** 2)
    hill = 1e-6 * jnp.outer(bell, bell)
    dt, keep = settings.dt, 1 - settings.friction

    def loss(theta, inputs, targets):
        h = inputs
        for k, (W, b) in enumerate(theta):
            h = h @ W.T + b
            h = jax.nn.relu(h) if k < len(theta) - 1 else h
        return jnp.mean((h - targets) ** 2)

    def energy(theta, table):
        x = jnp.log(loss(theta, x_train, y_train))
        y = jnp.log(loss(theta, x_test, y_test))
        at = [
            jnp.clip(((value + 7.2) / spacing).astype(int), reach, n - reach - 2)
            for value in (x, y)
        ]
        i, j = (lax.stop_gradient(k) for k in at)
        ux = (table[i + 1, j] - table[i - 1, j]) / (2 * spacing)
        uy = (table[i, j + 1] - table[i, j - 1]) / (2 * spacing)
        return lax.stop_gradient(ux) * x + lax.stop_gradient(uy) * y, (i, j)

    slope = jax.grad(energy, has_aux=True)

    def step(_, state):
        theta, v, table, key = state
        force, (i, j) = slope(theta, table)
        key, *keys = jax.random.split(key, 1 + 2 * len(theta))
        keys, theta_new, v_new = iter(keys), [], []
        for parts in zip(theta, v, force, strict=True):
            moved = []
            for p, speed, g in zip(*parts, strict=True):
                noise = jax.random.normal(next(keys), p.shape, jnp.float32)
                speed = keep * (speed - dt * g) + math.sqrt(1 - keep * keep) * noise
                bound = 2 / math.sqrt(p.shape[0])
                p = p + dt * speed
                over, under = p > bound, p < -bound
                speed = jnp.where(over | under, -speed, speed)
                p = jnp.where(over, 2 * bound - p, jnp.where(under, -2 * bound - p, p))
                moved.append((p, speed))
            theta_new.append(tuple(p for p, _ in moved))
            v_new.append(tuple(speed for _, speed in moved))
        corner = (i - reach, j - reach)
        patch = lax.dynamic_slice(table, corner, hill.shape) + hill
        return theta_new, v_new, lax.dynamic_update_slice(table, patch, corner), key

    walk = jax.jit(lambda state, steps: lax.fori_loop(0, steps, step, state), donate_argnums=0)
    rng = np.random.default_rng(0)
    layers = [
        (
            jnp.asarray(rng.normal(0, 0.1, (n_out, n_in)), jnp.float32),
            jnp.zeros(n_out, jnp.float32),
        )
        for n_in, n_out in itertools.pairwise(sizes)
    ]
    speeds = [tuple(jnp.zeros_like(part) for part in layer) for layer in layers]
    state = [(layers, speeds, jnp.zeros((n, n), jnp.float32), jax.random.key(0))]

    def run(steps: int) -> None:
        state[0] = jax.block_until_ready(walk(state[0], steps))

    return run


def turns(functions: dict, count: int, seconds: float) -> dict[str, np.ndarray]:
    """Seconds per repeat of each function, ``(count,)`` each, timed in turns."""
    repeats = {}
    for name, function in functions.items():
        function(2)
        began = time.process_time()
        function(3)
        repeats[name] = max(5, int(seconds / ((time.process_time() - began) / 3)))
    times = {name: np.empty(count) for name in functions}
    for k in range(count):
        for name, function in functions.items():
            began = time.process_time()
            function(repeats[name])
            times[name][k] = (time.process_time() - began) / repeats[name]
    return times


def main() -> None:
    """Print one line per width."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--widths", default="30,100,300,1000")
    parser.add_argument("--points", type=int, default=250)
    parser.add_argument("--turns", type=int, default=9)
    parser.add_argument("--seconds", type=float, default=0.3, help="length of a turn")
    options = parser.parse_args()
    if torch is not None:
        torch.set_num_threads(1)
    for width in map(int, options.widths.split(",")):
        settings = read_table("spiral-regress").with_options(width=width, points=options.points)
        task = load_task("spiral-regress", settings=settings)
        problem = NetworkVariables(task).problem()
        products, operations = matrix_products(width, 2 * options.points)
        functions = {"wlnn": sampler(problem, settings.wlmd), "blas": products}
        if torch is not None:
            functions["PyTorch"] = eager(task, settings.wlmd)
        if jax is not None:
            functions["JAX"] = compiled_by_jax(task, settings.wlmd)
        times = turns(functions, options.turns, options.seconds)
        ours, blas = times["wlnn"], times["blas"]
        share, goal = np.median(blas / ours), GOALS.get(width, (None, None))
        text = (
            f"W = {width:<5} {task.network.n_parameters:>8} parameters  "
            f"{1e6 * np.median(ours):9.1f} us/step (least {1e6 * ours.min():.1f})  "
            f"{operations / np.median(blas) / 1e9:5.1f} GFLOP/s of BLAS, the whole step keeps "
            f"{share:.0%}{f' (goal {goal[1]:.0%})' if goal[1] else ''}"
        )
        for peer in functions.keys() - {"wlnn", "blas"}:
            ratio, least = np.median(times[peer] / ours), 1e6 * np.median(times[peer])
            wanted = f" (goal {goal[0]:g}x)" if peer == "PyTorch" and goal[0] else ""
            text += f"  {peer} {least:.0f} us/step, {ratio:.2f}x{wanted}"
        print(text, flush=True)


if __name__ == "__main__":
    main()
