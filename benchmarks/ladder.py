"""What a landscape costs: forces and core-seconds to an error of 0.05 in the curve and 1 nat in S.

    wlnn sample --task spiral-regress --width 30
    wlnn sample --task spiral-regress --width 30 --sampler wlmd
    python benchmarks/ladder.py runs/spiral-regress-2x30-ladder-s0 runs/spiral-regress-2x30-s0

For each finished run by ladders or by molecular dynamics: its 95 % intervals of the equilibrium
curve and of S at ln L = -1, -2, -3, ... (of S against its value at the first of these, so that
relative and absolute ones compare), the largest of them, and how many forces would bring that to
0.05 and to 1 nat, as errors fall with the root of the steps. A force is one evaluation of the
gradient over all rows that the motion needs; its time is measured here, on one core.
"""

from __future__ import annotations

import sys
import time
from dataclasses import replace

import numpy as np

from wlnn import find_landscape, read_recipe
from wlnn.base.statistics import ln_sum
from wlnn.ladder.movers import Langevin
from wlnn.settings.ladder import LadderSettings

WANTED = {"curve": 0.05, "S": 1.0}
STEPS, BETA = 1000, 100.0  # of the timed walk, in a rung that every start bears


def seconds_of_a_force(directory) -> float:
    """One step of motion of the run's network, as its sampler makes it."""
    recipe = read_recipe(directory)
    problem = recipe.problem(recipe.task())
    if recipe.sampler == "wlmd":  # needs the rows of y in every step
        problem = replace(problem, train_system=None)
    mover = Langevin(problem, LadderSettings())
    rng, stop = np.random.default_rng(0), np.zeros(1, np.uint8)
    theta = problem.start(rng, 1)[0]
    v, dt = rng.standard_normal(theta.size), float(mover.time_step(BETA, 0.0, 0.0)) / 10
    for steps in (20, STEPS):  # compiled, then timed
        began = time.process_time()
        mover.walk(BETA, 0.0, dt, theta, v, steps, rng, stop)
    return (time.process_time() - began) / STEPS


def report(directory) -> None:
    """The cost of one run, printed."""
    landscape = find_landscape(directory)
    settings, factor = landscape.settings, landscape.t_factor()
    forces = settings["steps"] * landscape.n_walkers * settings.get("walkers", 1)
    curve, entropies = landscape.equilibrium_accuracy(), landscape.entropies
    marginal = ln_sum(entropies)
    rows = [int(np.argmin(np.abs(curve.x - x))) for x in range(-1, -7, -1)]
    rows = [k for k in rows if curve.reliable[k] and np.isfinite(curve.error[k])]
    against = marginal[:, rows] - marginal[:, rows[:1]]
    spread = against.std(axis=0, ddof=1) / np.sqrt(landscape.n_walkers)
    second = seconds_of_a_force(directory)
    print(f"{directory}: {forces:.3g} forces of {1e6 * second:.0f} us, {forces * second:.0f} s")
    for name, half in (("curve", factor * curve.error[rows]), ("S", factor * spread)):
        said = "  ".join(f"{curve.x[k]:.2f}: {h:.3f}" for k, h in zip(rows, half, strict=True))
        needed = forces * (half.max() / WANTED[name]) ** 2
        print(
            f"  {name:<6}95 %: {said}; to {WANTED[name]:g}: {needed:.2g} forces, "
            f"{needed * second:.0f} s"
        )


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for directory in sys.argv[1:]:
        report(directory)
