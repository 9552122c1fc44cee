"""Whole runs of molecular dynamics on the smooth cases whose S is known in closed form.

The exact side shares nothing with the sampler; see ``verdict.py`` for what a verdict is.
"""

from __future__ import annotations

import math
import time

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.wlmd import estimators as wlmd_estimators
from wlnn.wlmd import surface as surface_module
from wlnn.wlmd import walk as wlmd

CASE_LIMITS = {  # name: (rms allowed, steps); right runs stay below two thirds of it
    "sphere": (0.3, 1_000_000),
    "twin_spheres": (0.9, 1_500_000),
    "blocks": (0.3, 1_500_000),
    "residual_floor": (0.3, 1_000_000),
    "few_rows": (0.3, 1_000_000),
}
CASE_SIGMA, CASE_BIN, CASE_WALL = 0.2, 0.05, 50.0


def smooth_case(
    name: str, seed: int = 0, steps: int | None = None, tail_sigma: float = 0.0
) -> Verdict:
    """A whole run on one of ``wlmd_cases.CASES`` with soft walls, the average of its tail judged.

    One table, sigma 0.2 (``tail_sigma`` in the tail), walls 50 (distance)^2, compared in the
    reliable bins where S is known.
    """
    began = time.perf_counter()
    limit, default_steps = CASE_LIMITS[name]
    steps = steps or default_steps
    case = wlmd_cases.CASES[name]()
    problem, (x_low, x_high) = case.problem, case.x_range
    axes = [Axis.of_width("x", x_low - 2.0, x_high + 2.0, CASE_BIN), Axis.single()]
    y_low, y_high = -math.inf, math.inf
    if case.y_range is not None:
        y_low, y_high = case.y_range
        axes[1] = Axis.of_width("y", y_low - 2.0, y_high + 2.0, CASE_BIN)
    walls = surface_module.Walls(x_low, x_high, y_low, y_high, CASE_WALL, CASE_WALL)
    grid = Grid(*axes)
    surface = surface_module.make_surface(grid, CASE_SIGMA, walls)
    motion = wlmd.make_motion(problem, _time_step(x_low), 0.01, every=1)
    key = iter(range(10**9))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 3)))
    state = wlmd.start(problem, surface, 1, rng)
    systems = [problem.gradient_system()]
    area = (x_high - x_low) * ((y_high - y_low) if case.y_range else 1.0)
    plateau, round_length = steps // 5, 1000
    # volume per step: fills a landscape of 100 nats over the area in the plateau, then 1 / t
    volume = 100 * area / plateau
    while state.t < steps:
        t = state.t + 1 + np.arange(round_length)
        f = (
            volume
            / surface_module.A0
            * np.minimum(1.0, 0.15 * plateau / np.maximum(t - 0.85 * plateau, 1))
        )
        narrow = tail_sigma and state.t >= plateau
        result = wlmd.advance(
            problem,
            surface._replace(sigma=tail_sigma, reach=4 * tail_sigma) if narrow else surface,
            motion,
            state,
            f,
            lambda k: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(next(key), 4))),
            systems,
        )
        state = result.state
        if state.t > steps // 2:
            state = wlmd.sampled(state)
    found = wlmd_estimators.entropy(state, surface)
    x, y = np.meshgrid(grid.x.centres, grid.y.centres, indexing="ij")
    difference = (found - case.entropy(x, y))[wlmd_estimators.reliable(state, surface)]
    difference = difference[np.isfinite(difference)]
    difference -= difference.mean()
    error = float(np.sqrt(np.mean(difference**2))) if difference.size else math.nan
    detail = f"rms {error:.3f} over {difference.size} bins, {state.round_trips[0]} round trips"
    return verdict(f"WLMD {name}", "WLMD", error, limit, detail, began)


def _time_step(x_low: float) -> float:
    """About 0.3 / omega: the stiffest motion is that of the lowest loss, omega ~ 1 / sqrt(L)."""
    return 0.05 * math.exp(x_low / 2)
