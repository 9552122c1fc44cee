"""A third way to canonical averages: Metropolis moves of single parameters at a temperature.

    python benchmarks/metropolis.py RUN_OF_WLNN_MD [--steps 3e7]

The Monte Carlo driver with S frozen at e^x / T on fine bins of x = ln L, from the networks at the
end of a run of `wlnn md` of spiral-classify: neither its integrator, its gradient nor a landscape
is used. Prints <L>, <ln L> and <accuracy> with standard errors over the walkers, after 3/10 of the
steps. 3e7 steps of 8 walkers take a minute on two cores.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np

from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.grid import Axis, Grid
from wlnn.runs.recipe import read_recipe
from wlnn.wlmc import walker as wlmc
from wlnn.wlmc.rules import NEW_BIN_MINIMUM, STEP_FIXED, Chain, Stage

PARTS, LEFT_OUT = 10, 3


def walk(problem, theta, entropy, steps, key):
    """Means (<L>, <ln L>, <y>) of each part of one walker."""
    counts = np.zeros(entropy.shape, np.int64)
    visits = np.ones(entropy.shape, np.int64)  # no bin is new: S stays as it is
    words = np.random.SeedSequence(0, spawn_key=(key,)).generate_state(4, np.uint64)
    x, y = problem.grid.x.centres, problem.grid.y.centres
    rows = problem.grid.x.n
    rules = Stage(steps // PARTS, 0.0, STEP_FIXED, NEW_BIN_MINIMUM, rows // 2, rows - 5)
    means = []
    for _ in range(PARTS):
        counts[:] = 0
        wlmc.run_stage(
            problem, problem.system("float64"), theta, entropy, counts, visits, np.zeros((0, 0)),
            rules, Chain(0.1, 0), words, np.zeros(1, np.uint8),
        )  # fmt: skip
        share = counts / counts.sum()
        means.append((share.sum(1) @ np.exp(x), share.sum(1) @ x, share.sum(0) @ y))
    return np.mean(means[LEFT_OUT:], axis=0)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("run")
    parser.add_argument("--steps", type=float, default=3e7, help="of each walker")
    chosen = parser.parse_args()
    found = Trajectories.load(chosen.run)
    task = read_recipe(chosen.run).task()
    x = Axis.of_width("ln train loss", -8.0, 2.0, 0.005)
    problem = replace(task.problem(), grid=Grid(x, Axis.counts("accuracy", len(task.data.y_test))))
    frozen = np.repeat((np.exp(x.centres) / found.temperature)[:, None], problem.grid.y.n, 1)

    def one(k):
        """Walker ``k``."""
        start = found.walkers.theta[k].copy()
        return walk(problem, start, frozen.copy(), int(chosen.steps), k)

    with ThreadPoolExecutor(2) as pool:
        rows = np.array(list(pool.map(one, range(len(found.walkers.theta)))))
    errors = rows.std(axis=0, ddof=1) / len(rows) ** 0.5
    for name, value, error in zip(
        ("<L>", "<ln L>", "<accuracy>"), rows.mean(0), errors, strict=True
    ):
        print(f"T = {found.temperature:g}  {name:<11}{value:.4f} ± {error:.4f}")
