"""Judges of the error bars: over many seeds they must hold the exact values as often as they say.

All of them over runs of one length, and those of runs that are called publishable over runs of any
length. Nothing is said of the size of the errors; that is judged by ``wlmc_run.py``.
"""

from __future__ import annotations

import time

import numpy as np

from wlnn.landscape.verdict import PUBLISHABLE, verdict_of
from wlnn.reference.cases import logistic, maxnorm, rare_corner, ternary_perceptron
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.reference.judges.wlmc_run import COMMON, run

LEVELS = {0.68: 0.08, 0.95: 0.04}  # of an interval, and how far its coverage may be from that
# Walkers of their own S, production in the last quarter, shortened to this easy landscape.
CALIBRATED = {
    "maxnorm": (maxnorm, 0.25),
    "ternary": (ternary_perceptron, 0.5),
    "rare corner": (rare_corner, 0.5),
}  # the case and its step width
LENGTHS = (3_000, 10_000, 30_000, 100_000, 300_000)  # steps of a walker
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


def publishable(seeds: int, lengths=LENGTHS) -> dict[tuple[str, int], list[float]]:
    """Of each case and length, for every run called publishable: the part of bins that are off.

    A bin is off that differs from its exact S by more than its 95 % interval, which holds what
    uniform draws do not know of the zero. Seeds 0, 1, ...; ten thousand uniform draws a run.
    """
    off: dict[tuple[str, int], list[float]] = {}
    for name, (module, width) in CALIBRATED.items():
        case = module.problem()
        mass = module.masses(case)
        for steps in lengths:
            off[name, steps] = []
            for seed in range(seeds):
                found = run(
                    case, seed=seed, steps=steps, **COMMON, stages=100, walkers=8,
                    step_width=width, anchor_draws=10_000,
                )  # fmt: skip
                if verdict_of(found).word == PUBLISHABLE:
                    bins = (mass > 0) & found.reliable
                    error = np.hypot(found.error[bins], found.meta.get("anchor_error", 0.0))
                    z = (found.entropy[bins] - np.log(mass[bins])) / error
                    off[name, steps].append(float(np.mean(np.abs(z) > found.t_factor())))
    return off


def judge_verdict(seed: int = 0, seeds: int = 100, lengths=LENGTHS) -> Verdict:
    """Three cases, five lengths, 100 seeds: the bins of publishable runs that are off, 7 % at most.

    5 % is what an interval of 95 % promises. The seeds are 0 to 99, whatever ``seed`` is. It fails,
    too, where fewer than half of the runs of ten thousand steps and more are publishable.
    """
    began = time.perf_counter()
    off = publishable(seeds, lengths)
    parts = [part for runs in off.values() for part in runs]
    by_kind = [np.mean(runs) for runs in off.values() if len(runs) >= seeds / 10]
    long = [len(runs) / seeds for (_, steps), runs in off.items() if steps >= 10_000]
    said = (
        f"{len(parts)} of {len(off) * seeds} runs publishable; of their bins "
        f"{min(by_kind, default=np.nan):.1%} to {max(by_kind, default=np.nan):.1%} off by case and "
        "length"
    )
    worst = np.mean(parts) if parts else np.nan
    return verdict("verdict", "WLMC", worst, 0.07, said, began, np.mean(long) >= 0.5)
