"""Judge of the error bars of ladders: over seeds they must hold the exact values as they say.

By Langevin motion a sphere with a second field, by Monte Carlo the logistic table (R4): absolute
S(x) and the equilibrium curve of each. Nothing is said of the size of the errors; that is judged
by ``ladder.py``.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable

import numpy as np

from wlnn.ladder.run import sample as sample_ladders
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.reference.cases import least_squares, logistic
from wlnn.reference.judges.ladder import MOVE_CASES, MOVES, SMOOTH
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.reference.judges.wlmc_coverage import LEVELS
from wlnn.settings.ladder import LadderSettings

N = 50  # parameters of the sphere
FINE = 400  # points across the sphere and across a bin, for its exact values
STEPS = {"sphere": 60_000, "logistic": 600_000}  # of each of four ladders


def sphere(seed: int, sample: Callable, steps: int) -> tuple[Landscape, np.ndarray, np.ndarray]:
    """A run, and the exact S and <y> ``(nx,)``: L1 = |theta|^2 / n, L2 = |theta - e1|^2 / n.

    Where a sphere of radius r lies in the box, theta is uniform on it: the cosine c of its angle
    with e1 has the density (1 - c^2)^((n - 3) / 2), and n L2 = r^2 + 1 - 2 r c.
    """
    first = np.eye(N)[0]
    rows = np.eye(N)
    case = least_squares.least_squares("sphere", (rows, np.zeros(N)), (rows, first))
    grid = Grid(Axis.of_width("ln L1", -6.0, -4.0, 0.1), Axis.of_width("ln L2", -4.6, -3.0, 0.05))
    settings = LadderSettings(**SMOOTH, steps=steps, dt=1.0, x_low=-6.2, seed=seed)
    found = sample(case, settings, grid=grid)

    inside = (np.arange(FINE) + 0.5) / FINE
    x = grid.x.edges[:-1, None] + inside * grid.x.width
    coarse = np.linspace(-6.0, -4.0, 81)
    entropy = np.interp(x, coarse, least_squares.sphere(N).entropy(coarse, None)) + math.log(N)
    weights = np.exp(entropy - entropy.max(axis=1, keepdims=True))
    exact_s = np.log(weights.mean(axis=1) * grid.x.width) + entropy.max(axis=1)
    c = 2 * inside - 1
    chance = (1 - c**2) ** ((N - 3) / 2)
    r = np.sqrt(N * np.exp(x))[..., None]
    y = (np.log((r**2 + 1 - 2 * r * c) / N) * chance).sum(axis=-1) / chance.sum()
    return found, exact_s, (weights * y).sum(axis=1) / weights.sum(axis=1)


def table(seed: int, sample: Callable, steps: int) -> tuple[Landscape, np.ndarray, np.ndarray]:
    """A run of R4 by Monte Carlo, and its exact S and <A> ``(nx,)``; -inf and NaN in empty rows."""
    case, mass, x_low = MOVE_CASES["logistic"][0]()
    found = sample(case, LadderSettings(**MOVES, steps=steps, x_low=x_low, seed=seed))
    with np.errstate(divide="ignore"):
        return found, np.log(mass.sum(axis=1)), logistic.equilibrium_accuracy(mass)


def coverage(
    name: str, seeds: int, sample: Callable = sample_ladders, steps: int = 0
) -> dict[str, dict[float, float]]:
    """Part of the rows, over runs with seeds 0, 1, ..., that the intervals hold the truth of.

    ``{"S": {level: part}, "curve": {level: part}}`` of the "sphere" or the "logistic" table.
    """
    made = {"sphere": sphere, "logistic": table}[name]
    held = {what: {level: [] for level in LEVELS} for what in ("S", "curve")}
    for seed in range(seeds):
        found, *exact = made(seed, sample, steps or STEPS[name])
        curves = found.marginal_entropy(), found.equilibrium_accuracy()
        for what, curve, truth in zip(held, curves, exact, strict=True):
            with np.errstate(invalid="ignore", divide="ignore"):
                z = np.abs(curve.value - truth) / curve.error
            z = z[np.isfinite(z)]  # a row with one bin has an accuracy without error
            for level in LEVELS:
                held[what][level].append((z <= found.t_factor(level)).mean())
    return {
        what: {level: float(np.mean(parts)) for level, parts in levels.items()}
        for what, levels in held.items()
    }


def judge_coverage(
    name: str, seed: int = 0, seeds: int = 40, sample: Callable = sample_ladders
) -> Verdict:
    """40 seeds: the 68 % and 95 % intervals of absolute S(x) and of the curve hold the truth.

    Judged: the largest distance of a coverage from its level, in units of what is allowed. The
    seeds are 0 to 39, whatever ``seed`` is.
    """
    began = time.perf_counter()
    found = coverage(name, seeds, sample)
    worst = max(
        abs(part - level) / LEVELS[level]
        for levels in found.values()
        for level, part in levels.items()
    )
    said = "; ".join(
        f"{what} " + ", ".join(f"{part:.1%} of {level:.0%}" for level, part in levels.items())
        for what, levels in found.items()
    )
    return verdict(f"ladder coverage {name}", "ladder", worst, 1.0, said, began)
