"""The judges of molecular dynamics: E, exact starts that must stay exact; F, whole runs; and cases.

The exact side shares nothing with the sampler: masses of ``twin_quadratic``, SciPy's B-splines,
closed formulas. See ``judge.py`` for what a verdict is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np

from wlnn import surface as surface_module
from wlnn import wlmd as wlmd_module
from wlnn.grid import Axis, Grid
from wlnn.reference import twin_quadratic, wlmd_cases
from wlnn.reference.judge import Verdict, decades, verdict
from wlnn.wlmd_kernels import box_runs, walk

REPLICAS, STEPS, STEP, FRICTION_RATE = 30_000, 150, 0.02, 1.0  # judge E
EDGE_SHARE, EDGE_TOLERANCE = 0.0290, 0.0020  # of |theta_i| > 0.97, judge E
DECADES = 5.0  # judge E fails below p = 1e-5
RUN_THRESHOLD = 0.06  # rms of judge F, nats; right runs: 0.02 - 0.04


def exact_start(
    seed: int = 0, replicas: int = REPLICAS, wlmd: ModuleType = wlmd_module, dt: float = STEP
) -> Verdict:
    """E: replicas drawn from exp(-U) must still be distributed so after 150 steps.

    x = ln L1 of the twin quadratic, U(x) a frozen table of 18 nodes, flat beyond its ends, plus
    walls 20 (distance)^2 beyond the grid. The final bins, and "below the grid", are compared with
    the exact probabilities by chi-square. ``wlmd`` is the module whose ``walk_numpy`` is judged:
    tests hand in copies with a mistake.
    """
    began = time.perf_counter()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    grid = twin_quadratic.grid_1d(-2.0, 0.2, 18)
    axis = grid.x
    mass = twin_quadratic.masses(twin_quadratic.problem(grid))[:, 0]
    table = np.log(mass)
    table[-1] = table[16] - 2
    walls = surface_module.Walls(x_low=axis.lo, x_high=axis.hi, c_low=20.0, c_high=20.0)
    surface = surface_module.make_surface(grid, axis.width, walls)
    potential = _potential(table, axis)
    problem = wlmd_cases.twin_quadratic()

    # the exact distribution: masses of bins of 0.01, down to where nothing is left
    fine = twin_quadratic.grid_1d(axis.lo - 1.0, 0.01, 460)
    weight = twin_quadratic.masses(twin_quadratic.problem(fine))[:, 0]
    weight *= np.exp(-potential(fine.x.centres))
    bins = 1 + np.clip(np.floor((fine.x.centres - axis.lo) / axis.width + 1e-9), -1, 17)
    expected = np.bincount(bins.astype(int), weight, 19)
    expected /= expected.sum()

    theta = _draws(potential, problem, replicas, rng)
    v = rng.standard_normal(theta.shape)
    motion = wlmd_module.make_motion(problem, dt, 1 - math.exp(-FRICTION_RATE * dt), every=1)
    trace = np.empty((replicas, STEPS, 4))
    motion = motion._replace(hottest=math.inf)
    wlmd.walk_numpy(problem, theta, v, table[:, None], surface, motion, np.zeros(STEPS), rng, trace)
    x = trace[:, -1, 0]
    found = np.bincount(
        1 + np.clip(np.floor((x - axis.lo) / axis.width), -1, 17).astype(int), None, 19
    )
    edge = float((np.abs(theta) > 0.97).mean())
    from scipy.stats import chi2

    square = ((found - replicas * expected) ** 2 / (replicas * expected)).sum()
    p = float(chi2.sf(square, 18))
    tolerance = EDGE_TOLERANCE * math.sqrt(REPLICAS / replicas)
    inside = bool((np.abs(theta) <= 1).all())
    detail = f"p = {p:.1e}, share at the walls {edge:.4f}"
    also = inside and abs(edge - EDGE_SHARE) <= tolerance
    return verdict("E twin quadratic", "WLMD", decades(p), DECADES, detail, began, also)


def _potential(table: np.ndarray, axis: Axis) -> Callable:
    """U(x): quadratic B-spline of the nodes, repeated beyond the ends, plus the walls."""
    from scipy.interpolate import BSpline

    wide = np.concatenate([[table[0]] * 8, table, [table[-1]] * 8])
    # basis function k of degree 2 is centred in the middle of its knots k .. k + 3
    knots = axis.lo + axis.width * (np.arange(len(wide) + 3) - 8.0) - axis.width
    spline = BSpline(knots, wide, 2)

    def potential(x):
        clipped = np.clip(x, axis.lo - axis.width, axis.hi + axis.width)
        beyond = np.maximum(axis.lo - x, 0) + np.maximum(x - axis.hi, 0)
        return spline(clipped) + 20.0 * beyond**2

    return potential


def _draws(potential: Callable, problem, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` points of the cube with density exp(-U(x)), by rejection."""
    lowest = potential(np.linspace(-8, 1.6, 2000)).min()
    kept, count = [], 0
    while count < n:
        theta = rng.uniform(-1, 1, (500_000, 4))
        x = problem.evaluate(np, theta)[0]
        good = theta[rng.random(len(x)) < np.exp(lowest - potential(x))]
        kept.append(good)
        count += len(good)
    return np.concatenate(kept)[:n]


def whole_run(
    seed: int = 0,
    tables: int = 4,
    steps: int = 1_500_000,
    numpy_walkers: int = 0,
    wlmd: ModuleType = wlmd_module,
    mirror: bool = True,
) -> Verdict:
    """F: S of the twin quadratic from nothing, x alone, against its exact masses.

    22 bins of 0.2 from -3.4, mirrored hills of one bin, dt = 0.01, ln f = min(0.02, 2 Nb / t); the
    rms of the mean over the tables. With ``numpy_walkers`` the NumPy definition moves so many
    walkers on each table, for as many steps in all; else the compiled driver moves one.
    """
    began = time.perf_counter()
    grid = twin_quadratic.grid_1d(-3.4, 0.2, 22)
    axis = grid.x
    exact = np.log(twin_quadratic.masses(twin_quadratic.problem(grid))[:, 0])
    walls = surface_module.Walls(x_low=axis.lo, x_high=axis.hi, c_low=20.0, c_high=20.0)
    surface = surface_module.make_surface(grid, axis.width, walls, mirror=mirror)
    problem = wlmd_cases.twin_quadratic()
    motion = wlmd_module.make_motion(problem, 0.01, 0.01, every=1)._replace(hottest=math.inf)
    together = max(numpy_walkers, 1)
    t = together * np.arange(1, steps // together + 1)
    volumes = np.minimum(0.02, 2 * axis.n / t) * axis.width
    starts, limits = box_runs(problem.lo, problem.hi)
    found = []
    for table_index in range(tables):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table_index, 2)))
        theta = problem.start(rng, together)
        v = rng.standard_normal(theta.shape)
        table = np.zeros((axis.n, 1))
        if numpy_walkers:
            trace = np.empty((together, len(t), 4))
            wlmd.walk_numpy(problem, theta, v, table, surface, motion, volumes, rng, trace)
        else:
            trace = np.empty((len(t), 4))
            walk(
                problem.system(),
                theta[0],
                v[0],
                starts,
                limits,
                table,
                surface,
                motion,
                volumes,
                rng,
                trace,
                np.zeros(1, np.uint8),
            )
        felt = surface_module.at_nodes(table, surface)[:, 0]
        found.append(felt - exact - (felt - exact).mean())
    error = math.sqrt(float(np.mean(np.mean(found, axis=0) ** 2)))
    single = math.sqrt(float(np.mean(np.square(found))))
    detail = f"rms of the mean of {tables} tables {error:.3f}, of one table {single:.3f}"
    return verdict("F twin quadratic", "WLMD", error, RUN_THRESHOLD, detail, began)


CASE_LIMITS = {  # name: (rms allowed, steps); right runs stay below two thirds of it
    "sphere": (0.3, 1_000_000),
    "twin_spheres": (0.9, 1_500_000),
    "blocks": (0.3, 1_500_000),
    "residual_floor": (0.3, 1_000_000),
    "few_rows": (0.3, 1_000_000),
}
CASE_SIGMA, CASE_BIN, CASE_WALL = 0.2, 0.05, 50.0


def smooth_case(name: str, seed: int = 0, steps: int | None = None) -> Verdict:
    """A whole run on one of ``wlmd_cases.CASES`` with soft walls, the average of its tail judged.

    One table, sigma 0.2, walls 50 (distance)^2, compared in the reliable bins where S is known.
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
    motion = wlmd_module.make_motion(problem, _time_step(x_low), 0.01, every=1)
    key = iter(range(10**9))
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 3)))
    state = wlmd_module.start(problem, surface, 1, rng)
    systems = [problem.system()]
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
        result = wlmd_module.advance(
            problem,
            surface,
            motion,
            state,
            f,
            lambda k: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(next(key), 4))),
            systems,
        )
        state = result.state
        if state.t > steps // 2:
            state = wlmd_module.sampled(state)
    found = wlmd_module.entropy(state, surface)
    x, y = np.meshgrid(grid.x.centres, grid.y.centres, indexing="ij")
    difference = (found - case.entropy(x, y))[wlmd_module.reliable(state, surface)]
    difference = difference[np.isfinite(difference)]
    difference -= difference.mean()
    error = float(np.sqrt(np.mean(difference**2))) if difference.size else math.nan
    detail = f"rms {error:.3f} over {difference.size} bins, {state.round_trips[0]} round trips"
    return verdict(f"WLMD {name}", "WLMD", error, limit, detail, began)


def _time_step(x_low: float) -> float:
    """About 0.3 / omega: the stiffest motion is that of the lowest loss, omega ~ 1 / sqrt(L)."""
    return 0.05 * math.exp(x_low / 2)
