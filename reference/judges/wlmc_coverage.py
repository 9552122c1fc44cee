"""Judge of the error bars: over many seeds they must hold the exact values as often as they say.

Nothing is said of the size of the errors; that is judged by ``wlmc_run.py``.
"""

from __future__ import annotations

import time

import numpy as np

from wlnn.reference.cases import logistic
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.reference.judges.wlmc_run import run

LEVELS = {0.68: 0.08, 0.95: 0.04}  # of an interval, and how far its coverage may be from that
# Walkers of their own S, production in the last quarter, shortened to this easy landscape.
SETTINGS = {"walkers": 8, "steps": 1_000_000, "production": 0.25, "anchor_draws": 10_000}


def coverage(seeds: int, driver=None, progress=None, **options) -> dict[str, dict[float, float]]:
    """Part of the bins of R4, over runs with seeds 0, 1, ..., that the intervals hold the truth of.

    ``{"S": {level: part}, "equilibrium accuracy": {level: part}}``; S is absolute: its intervals
    contain what the walkers do not know of the zero of S.
    """
    mass = np.zeros((logistic.X_BINS, 6))
    mass[1:, 1:5] = logistic.TABLE
    case, known, rows = logistic.problem(), mass > 0, mass.any(axis=1)
    exact_s, exact_y = np.log(mass[known]), logistic.equilibrium_accuracy(mass)[rows]
    held = {name: {level: [] for level in LEVELS} for name in ("S", "equilibrium accuracy")}
    for seed in range(seeds):
        found = run(case, driver, seed=seed, **{**SETTINGS, **options})
        curve = found.equilibrium_accuracy()
        off = {
            "S": np.abs((found.entropy[known] - exact_s) / found.error[known]),
            "equilibrium accuracy": np.abs((curve.value[rows] - exact_y) / curve.error[rows]),
        }
        for name, z in off.items():
            z = z[np.isfinite(z)]  # a row with one bin has an accuracy without error
            for level in LEVELS:
                held[name][level].append((z <= found.t_factor(level)).mean())
        if progress:
            progress(seed + 1, seeds)
    return {
        name: {level: float(np.mean(parts)) for level, parts in levels.items()}
        for name, levels in held.items()
    }


def judge_coverage(seed: int = 0, driver=None, seeds: int = 100, **options) -> Verdict:
    """R4, 100 seeds: the 68 % and 95 % intervals of S and of <A>(x).

    Judged: the largest distance of a coverage from its level, in units of what is allowed. The
    seeds are 0 to 99, whatever ``seed`` is.
    """
    began = time.perf_counter()
    found = coverage(seeds, driver, **options)
    worst = max(
        abs(part - level) / LEVELS[level]
        for levels in found.values()
        for level, part in levels.items()
    )
    said = "; ".join(
        f"{name} " + ", ".join(f"{part:.1%} of {level:.0%}" for level, part in levels.items())
        for name, levels in found.items()
    )
    return verdict("logistic coverage", "WLMC", worst, 1.0, said, began)
