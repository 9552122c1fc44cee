"""Judges H and R12: runs on real networks against uniform draws and against nested sampling.

Both are statistical on either side: what is judged is the difference in units of its error.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import direct, nested
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.reference.judges.wlmc_run import run

SETTINGS = {"walkers": 8, "stages": 300, "production": 0.25, "step_width": 0.1}


def _pooled(error: np.ndarray) -> np.ndarray:
    """Errors from few walkers scatter widely: none is taken as smaller than their median."""
    return np.maximum(error, np.nanmedian(error))


def judge_direct(seed: int = 0, driver=None, **options) -> Verdict:
    """H: the paper's network, 8 walkers x 3e6 steps, against 4e6 uniform draws.

    Judged: chi-square per bin of S(x), the common offset removed, from a run on x alone (rare
    accuracies make S of the two-dimensional run far less precise); and, from the two-dimensional
    run, the mean accuracy of each bin, whose rms deviation must be within 2 combined errors.
    """
    began = time.perf_counter()
    case = direct.problem()
    options = {**SETTINGS, "steps": 3_000_000, "precision": "float32", **options}
    count, accuracy, spread = direct.TABLE.T
    line = replace(case, grid=Grid(case.grid.x, Axis.single()))
    s = run(line, driver, seed=seed, **options).marginal_entropy()
    variance = 1 / count + _pooled(s.error) ** 2
    difference = s.value - np.log(count / direct.TABLE_DRAWS)
    difference = difference - np.average(difference, weights=1 / variance)
    chi_square = float((difference**2 / variance).mean())
    mean = run(case, driver, seed=seed, **options).equilibrium_accuracy()
    error = np.sqrt(spread**2 / count + _pooled(mean.error) ** 2)
    z = float(np.sqrt((((mean.value - accuracy) / error) ** 2).mean()))
    detail = (
        f"chi-square per bin of S(x), largest difference {np.abs(difference).max():.3f}; "
        f"mean accuracies off by {z:.1f} errors (at most 2)"
    )
    return verdict("spiral network, draws", "WLMC", chi_square, 2.0, detail, began, z <= 2)


def judge_nested(seed: int = 0, driver=None, **options) -> Verdict:
    """R12: a tanh network, 4 walkers x 6e6 steps, against nested sampling.

    Judged: the largest difference of ln X at the bin edges, X the box fraction below, in units of
    sqrt(-ln X / points + the run's variance); the zero of S is fixed by uniform draws.
    """
    began = time.perf_counter()
    name = "tanh network, nested sampling"
    case = nested.problem()
    level, ln_x = nested.ln_below(seed)
    options = {**SETTINGS, "walkers": 4, "steps": 6_000_000, "anchor_draws": 1_000_000, **options}
    found = run(case, driver, seed=seed, **options)
    edges = case.grid.x.edges[1:]
    inside = (edges >= level[-1] + case.grid.x.width) & (edges <= level[0])
    expected = np.interp(edges[inside], level[::-1], ln_x[::-1])
    below = np.log(np.nancumsum(np.exp(found.entropies[:, :, 0]), axis=1))[:, inside]
    variance = below.var(axis=0, ddof=1) / len(below) - expected / nested.POINTS
    z = (below.mean(axis=0) - expected) / np.sqrt(variance)
    detail = f"worst of {inside.sum()} levels down to ln X = {expected.min():.1f}, in errors"
    return verdict(name, "WLMC", np.abs(z).max(), 4.0, detail, began)
