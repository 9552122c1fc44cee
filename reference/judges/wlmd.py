"""The judges of molecular dynamics: E, exact starts that must stay exact; F, runs in one and two
dimensions.

The exact side shares nothing with the sampler: masses of ``twin_quadratic``, SciPy's B-splines. See
``verdict.py`` for what a verdict is.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from types import ModuleType

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.reference.cases import twin_quadratic
from wlnn.reference.judges.verdict import Verdict, decades, verdict
from wlnn.wlmd import surface as surface_module
from wlnn.wlmd import walk as wlmd_module
from wlnn.wlmd.driver import walk
from wlnn.wlmd.integrator import make_box

REPLICAS, STEPS, STEP, FRICTION_RATE = 30_000, 150, 0.02, 1.0  # judge E
EDGE_SHARE, EDGE_TOLERANCE = 0.0290, 0.0020  # of |theta_i| > 0.97, judge E
DECADES = 5.0  # judge E fails below p = 1e-5
RUN_THRESHOLD = 0.06  # rms of judge F, nats; right runs: 0.02 - 0.04
TWO_THRESHOLD = 0.06  # the same in two dimensions; right runs: 0.02 - 0.03


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
    none = np.zeros(STEPS)
    wlmd.walk_numpy(
        np, problem, theta, v, table[:, None], surface, motion, none, [rng], trace
    )  # fmt: skip
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


def _potential(table: np.ndarray, axis: Axis, stiffness: float = 20.0) -> Callable:
    """U(x): quadratic B-spline of the nodes, repeated beyond the ends, plus the walls."""
    from scipy.interpolate import BSpline

    wide = np.concatenate([[table[0]] * 8, table, [table[-1]] * 8])
    # basis function k of degree 2 is centred in the middle of its knots k .. k + 3
    knots = axis.lo + axis.width * (np.arange(len(wide) + 3) - 8.0) - axis.width
    spline = BSpline(knots, wide, 2)

    def potential(x):
        clipped = np.clip(x, axis.lo - axis.width, axis.hi + axis.width)
        beyond = np.maximum(axis.lo - x, 0) + np.maximum(x - axis.hi, 0)
        return spline(clipped) + stiffness * beyond**2

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
    box = make_box(problem.lo, problem.hi)
    found = []
    for table_index in range(tables):
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(table_index, 2)))
        theta = problem.start(rng, together)
        v = rng.standard_normal(theta.shape)
        table = np.zeros((axis.n, 1))
        if numpy_walkers:
            trace = np.empty((together, len(t), 4))
            wlmd.walk_numpy(
                np, problem, theta, v, table, surface, motion, volumes, [rng], trace
            )  # fmt: skip
        else:
            trace = np.empty((len(t), 4))
            walk(
                problem.gradient_system(), theta[0], v[0], box, table, surface, motion, volumes,
                rng, trace, np.zeros(1, np.uint8),
            )  # fmt: skip
        felt = surface_module.at_nodes(table, surface)[:, 0]
        found.append(felt - exact - (felt - exact).mean())
    error = math.sqrt(float(np.mean(np.mean(found, axis=0) ** 2)))
    single = math.sqrt(float(np.mean(np.square(found))))
    detail = f"rms of the mean of {tables} tables {error:.3f}, of one table {single:.3f}"
    return verdict("F twin quadratic", "WLMD", error, RUN_THRESHOLD, detail, began)


def frozen_two_losses(
    seed: int = 0,
    walkers: int = 4,
    steps: int = 1_500_000,
    problem=None,
    numpy_walk: bool = False,
) -> Verdict:
    """F in two dimensions: visits under a frozen S(ln L1, ln L2) against the exact probabilities.

    12 x 12 bins of 0.4 from -3.4; the table holds ln of the exact masses (the least of them where
    there is none), the walls are 20 (distance)^2. The rms of ln(visits / expected) over the bins of
    box share above 1e-6 judges both forces. ``problem`` replaces the case: tests hand in one with
    a wrong gradient; ``numpy_walk`` moves it by the NumPy definition.
    """
    began = time.perf_counter()
    grid = _square(12, 1)
    axis = grid.x
    mass = twin_quadratic.masses(twin_quadratic.problem(grid))
    table = np.log(np.where(mass > 0, mass, mass[mass > 0].min()))
    walls = surface_module.Walls(*(axis.lo, axis.hi) * 2, c_low=20.0, c_high=20.0)
    surface = surface_module.make_surface(grid, axis.width, walls)
    problem = problem or wlmd_cases.twin_quadratic(two_losses=True)
    motion = wlmd_module.make_motion(problem, 0.01, 0.01, every=1)._replace(hottest=math.inf)
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(5,)))
    theta = problem.start(rng, walkers)
    v = rng.standard_normal(theta.shape)
    trace, frozen = np.empty((walkers, steps, 4)), np.zeros(steps)
    if numpy_walk:
        wlmd_module.walk_numpy(
            np, problem, theta, v, table, surface, motion, frozen, [rng], trace
        )  # fmt: skip
    else:
        box = make_box(problem.lo, problem.hi)
        for k in range(walkers):
            walk(
                problem.gradient_system(), theta[k], v[k], box, table, surface, motion, frozen,
                rng, trace[k], np.zeros(1, np.uint8),
            )  # fmt: skip
    x, y = (trace[:, steps // 10 :, column].ravel() for column in (0, 1))
    found = np.bincount(1 + wlmd_module.cells(surface, x, y), minlength=grid.x.n**2 + 1)[1:]
    expected = _expected_visits(grid, table)
    chosen = mass.ravel() > 1e-6
    with np.errstate(divide="ignore"):
        difference = np.log(found / x.size)[chosen] - np.log(expected.ravel())[chosen]
    error = math.sqrt(float(np.mean(difference**2)))
    detail = f"rms of ln(visits / expected) {error:.3f} over {chosen.sum()} bins"
    return verdict("F two losses", "WLMD", error, TWO_THRESHOLD, detail, began)


def _square(bins: int, parts: int, beyond: int = 0) -> Grid:
    """``bins`` x ``bins`` bins of 0.4 from -3.4, ``beyond`` more at every end, each in parts."""
    width, n = 0.4 / parts, (bins + 2 * beyond) * parts
    low = -3.4 - 0.4 * beyond
    return Grid(*(Axis(name, low, low + n * width, n) for name in ("ln A", "ln B")))


def _expected_visits(grid: Grid, table: np.ndarray) -> np.ndarray:
    """Probability of every bin under exp(-U): exact masses of 8 x 8 parts of a bin each.

    The spline of the table is that of SciPy along both axes; a bin beyond the window at every end
    holds what the walls let out.
    """
    parts, n = 8, grid.x.n
    fine = _square(n, parts, beyond=1)
    along = _spline_matrix(fine.x.centres, grid.x)
    past = np.maximum(grid.x.lo - fine.x.centres, 0) + np.maximum(fine.x.centres - grid.x.hi, 0)
    potential = along @ table @ along.T + 20.0 * (past[:, None] ** 2 + past**2)
    weight = twin_quadratic.masses(twin_quadratic.problem(fine)) * np.exp(-potential)
    coarse = weight.reshape(n + 2, parts, n + 2, parts).sum((1, 3))
    return coarse[1:-1, 1:-1] / weight.sum()


def _spline_matrix(x: np.ndarray, axis: Axis) -> np.ndarray:
    """Weight ``(len(x), n)`` of every node in the quadratic B-spline at x, ends repeated."""
    return np.stack([_potential(row, axis, 0.0)(x) for row in np.eye(axis.n)], axis=1)
