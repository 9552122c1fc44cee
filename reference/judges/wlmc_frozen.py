"""Judges C and D: long runs on a frozen exact S must stay flat, and caches must not drift.

Nothing converges here; that is judged by the Wang-Landau runs.
"""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from wlnn.backend.binning import binning
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import maxnorm, twin_quadratic
from wlnn.reference.judges.verdict import Verdict, entropy, verdict, words
from wlnn.tasks.catalogue import load_task
from wlnn.wlmc import rules
from wlnn.wlmc.driver import stage_for

FLAT, SLOPE = 0.12, 0.045  # worst of right runs: 0.073 and 0.026; a step never frozen: 0.20-0.28
SLOPE_20 = 0.15  # with 20 parameters: right ones scatter by 0.04, a step never frozen gives 0.3
DRIFT = {"float64": 1e-6, "float32": 1e-4}  # right: 2e-8 and, on the network, 3e-6


def frozen_run(driver, case, surface, theta, n_steps, step_rule, step_width, rng, precision):
    """A run on the frozen S ``surface (nx, ny)``: histogram ``(nx, ny)`` and the final chain."""
    histogram = np.zeros(surface.shape, np.int64)
    closed = rules.NEW_BIN_CLOSED
    system = case.system(precision)
    run = stage_for(system) if driver is None else driver.wlmc_stage
    chain = run(
        system,
        theta,
        case.lo,
        case.hi,
        binning(case.grid),
        surface,
        histogram,
        np.ones(surface.shape, np.int64),
        np.zeros((0, 0)),
        rules.Stage(n_steps, 0.0, step_rule, closed, 0, surface.shape[0] - 1),
        rules.Chain(step_width, 0),
        rng,
        np.zeros(1, np.uint8),
    )
    return histogram, chain


def flat_case(n: int = 4):
    """R6: the maxnorm case with 4 parameters down to ln L = -8; with 20, down to -4."""
    return maxnorm.problem(n, 30, -8.0, 0.267) if n < 20 else maxnorm.problem(n, 20, -4.0, 0.21)


def judge_flat(
    step_rule: str = "freeze",
    walkers: int = 6,
    n_steps: int = 3_000_000,
    seed: int = 0,
    driver=None,
    n: int = 4,
) -> Verdict:
    """C: R6, the maxnorm case down to ln L = -8, ``walkers`` runs of ``n_steps`` on the exact S.

    With ``n`` = 20 parameters the window ends at -4 and S spans as many nats twice over.

    ``step_rule``: "freeze" (here 0.1 of the box), "log-uniform", or "paper" (adapted for ever),
    which must fail. Judged: rms over bins of (histogram / its mean - 1), and the
    slope of the relative histogram against x, per nat.
    """
    began = time.perf_counter()
    codes = {
        "freeze": rules.STEP_FIXED,
        "log-uniform": rules.STEP_LOG_UNIFORM,
        "paper": rules.STEP_ADAPT,
    }
    case = flat_case(n)
    steepest = SLOPE if n < 20 else SLOPE_20
    exact = entropy(maxnorm.masses(case))
    relative, all_counted = [], True
    for walker in range(walkers):
        theta = maxnorm.starts(case, 1, np.random.default_rng([seed, walker]))[0]
        rng, width = words(seed, walker), 0.25 if step_rule == "paper" else 0.1
        histogram, chain = frozen_run(
            driver, case, exact, theta, n_steps, codes[step_rule], width, rng, "float64"
        )
        all_counted &= histogram.sum() == chain.done == n_steps
        relative.append(histogram[:, 0] * (case.grid.x.n / n_steps))
    relative = np.array(relative)
    rms = np.sqrt(((relative.mean(axis=0) - 1) ** 2).mean())
    slope = np.polyfit(case.grid.x.centres, relative.mean(axis=0), 1)[0]
    detail = f"rms of the flat histogram; slope {slope:+.4f} per unit x (at most {steepest})"
    if not all_counted:
        detail += "; not every step was counted once"
    ok = abs(slope) <= steepest and all_counted
    return verdict(f"maxnorm n = {n}, frozen S, {step_rule}", "WLMC", rms, FLAT, detail, began, ok)


def judge_cache(
    precision: str = "float64", n_steps: int = 1_000_000, seed: int = 0, driver=None
) -> Verdict:
    """D: R7, drift of the twin quadratic's incremental caches on S = 2x, x > -14.

    Judged: the largest |ln A cached - ln A recomputed|; "float32" caches must fail.
    """
    began = time.perf_counter()
    case = twin_quadratic.problem(twin_quadratic.grid_1d(lo=-14.0, width=0.2, bins=78))
    surface = 2.0 * case.grid.x.centres[:, None]  # flat: the box fraction of A < a is ~ a^2
    theta = np.random.default_rng([seed, 0]).uniform(case.lo, case.hi)
    rule = rules.STEP_LOG_UNIFORM
    histogram, chain = frozen_run(
        driver, case, surface, theta, n_steps, rule, 0.1, words(seed, 0), precision
    )
    deep = histogram[: histogram.shape[0] // 2].sum() / n_steps
    detail = f"largest drift of ln A, {precision} caches; {deep:.0%} of the steps below x = -6.2"
    ok = histogram.sum() == n_steps and deep > 0.1
    return verdict(
        "twin quadratic caches", "WLMC", chain.drift, DRIFT["float64"], detail, began, ok
    )


def judge_network_cache(
    precision: str = "float64", n_steps: int = 500_000, seed: int = 0, driver=None
) -> Verdict:
    """D for the paper's network: drift on the way to a deep state, to which S = 100 x drives it."""
    began = time.perf_counter()
    task = load_task("spiral-classify", seed=0)
    grid = Grid(Axis("ln train loss", -8.0, 2.0, 100), task.grid.y)
    case = replace(task.problem(), grid=grid)
    surface = np.repeat(100.0 * grid.x.centres[:, None], grid.y.n, axis=1)
    theta = np.random.default_rng([seed, 0]).uniform(case.lo, case.hi)
    rule = rules.STEP_LOG_UNIFORM
    _, chain = frozen_run(
        driver, case, surface, theta, n_steps, rule, 0.1, words(seed, 0), precision
    )
    detail = f"largest drift of ln L, {precision} rows, down to ln L = {chain.x:.1f}"
    name = "spiral network caches"
    return verdict(name, "WLMC", chain.drift, DRIFT[precision], detail, began, chain.x < -3)
