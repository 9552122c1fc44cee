"""The judges of motion and tempering at a temperature, on exact ensembles (``cases/box_loss.py``).

See ``verdict.py`` for what a verdict is; tests hand in modules with a mistake.
"""

from __future__ import annotations

import math
import time
from types import ModuleType

import numpy as np

from wlnn.canonical import langevin as langevin_module
from wlnn.canonical import tempering as seek_module
from wlnn.reference.cases import box_loss
from wlnn.reference.judges.verdict import Verdict, decades, verdict

REPLICAS, STEPS, DT, RATE = 10_000, 500, 0.04, 1.0  # stiffest omega dt: 0.25
CELLS, LAYER = 20, 0.001
DECADES = 5.0  # fails below p = 1e-5 in one of its tests
LADDER = (1.6, 0.05, 8)  # highest and lowest temperature and replicas of the double well
WELLS, STRETCHES, STRETCH = 250, 160, 25  # independent ladders, exchanges, steps between them


def _uniform(numbers: np.ndarray) -> float:
    """p-value of the chi-square test that numbers are uniform on (0, 1)."""
    from wlnn.reference.judges.verdict import even

    cells = np.clip((numbers * CELLS).astype(int), 0, CELLS - 1)
    return even(np.bincount(cells, minlength=CELLS))


def _share(inside: np.ndarray, exact: float) -> float:
    """p-value of the binomial test that the share of true values is ``exact``."""
    from scipy.stats import binomtest

    return float(binomtest(int(inside.sum()), inside.size, exact).pvalue)


def _mean(values: np.ndarray, exact: float) -> float:
    """p-value of the z-test that the mean of independent values is ``exact``."""
    z = (values.mean() - exact) / (values.std(ddof=1) / math.sqrt(len(values)))
    return math.erfc(abs(z) / math.sqrt(2))


def judge_md(
    seed: int = 0,
    replicas: int = REPLICAS,
    langevin: ModuleType = langevin_module,
    temperature: float = box_loss.TEMPERATURE,
) -> Verdict:
    """Langevin dynamics in a quadratic loss in a box: walkers from afar must reach the ensemble.

    Judged: the smallest p of eight tests at the end: each coordinate by chi-square over 20 equally
    likely cells, the share in a thin layer at the walls, and by z <L> and <L^2>, which make the
    heat capacity, and the kinetic temperature.
    """
    began = time.perf_counter()
    problem = box_loss.quadratic()
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(5,)))
    walkers = langevin.start(problem, np.full(replicas, temperature), [rng])
    motion = langevin.make_motion(DT, 1 - math.exp(-RATE * DT))
    theta, u = walkers.theta.copy(), walkers.u.copy()
    records = np.empty((replicas, langevin.N_COLUMNS))
    limit = np.full(replicas, np.inf)
    with np.errstate(all="ignore"):  # of mutants
        langevin.walk_numpy(
            np, problem, theta, u, walkers.temperature, motion, STEPS, [rng], limit,
            records,
        )  # fmt: skip
    exact = box_loss.quadratic_exact(temperature)
    loss = np.exp(problem.evaluate(np, theta)[0])
    square = exact.heat_capacity * temperature**2 + exact.loss**2
    ranks = np.nan_to_num(box_loss.ranks(theta, temperature))
    ps = [_uniform(column) for column in ranks.T]
    ps.append(_share(np.abs(ranks[:, 0] - 0.5) > 0.5 - LAYER, 2 * LAYER))
    ps += [_mean(loss, exact.loss), _mean(loss**2, square), _mean((u * u).mean(1), 1.0)]
    inside = bool((np.abs(theta) <= 1).all())
    detail = (
        f"-log10 of the smallest p of {len(ps)}; <L> {loss.mean():.4f} (exact {exact.loss:.4f}), "
        f"heat capacity {loss.var() / temperature**2:.3f} (exact {exact.heat_capacity:.3f})"
    )
    worst = decades(min(ps)) if np.isfinite(ps).all() else math.inf
    return verdict("box loss", "MD", worst, DECADES, detail, began, inside)


def judge_tempering(seed: int = 0, seek: ModuleType = seek_module, runs: int = WELLS) -> Verdict:
    """Parallel tempering of a double well in a box: every temperature must get its own ensemble.

    All replicas begin in the upper well, which the cold ones cannot leave by themselves. Judged:
    the smallest p over all temperatures of the tests that coordinate 0 is distributed as it should
    (20 equally likely cells), that the other coordinates are, and that the swaps of neighbours are
    accepted as often as independent draws from their exact ensembles are.
    """
    began = time.perf_counter()
    problem = box_loss.double_well()
    high, low, replicas = LADDER
    plan = seek.tempering(high, low, replicas, STRETCHES)
    temperatures = plan.temperatures[0]
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(6,)))
    walkers = langevin_module.start(problem, np.tile(temperatures, runs), [rng])
    motion = langevin_module.make_motion(DT, 1 - math.exp(-RATE * DT))
    swaps = []
    for k in range(STRETCHES):
        found = seek.follow(problem, plan, k, walkers, motion, STRETCH, [rng], rng.random)
        walkers = found.walkers
        if k >= STRETCHES - 2:  # one look at each parity
            swaps.append(found.accepted)
    theta = walkers.theta.reshape(runs, replicas, -1)
    ps = []
    for k, T in enumerate(temperatures):
        ps.append(_uniform(box_loss.well_ranks(theta[:, k, 0], T)))
        ps += [_uniform(r) for r in box_loss.ranks(theta[:, k, 1:], T, box_loss.STIFFNESS[1:]).T]
    accepted = np.array([swaps[(k - STRETCHES) % 2][:, k].mean() for k in range(replicas - 1)])
    exact = exact_acceptance(temperatures)
    spread = np.sqrt(exact * (1 - exact) / runs)
    ps += [math.erfc(abs(z) / math.sqrt(2)) for z in (accepted - exact) / spread]
    cold = float((theta[:, -1, 0] > 0).mean())
    detail = (
        f"-log10 of the smallest p of {len(ps)}; swaps accepted {accepted.mean():.3f} (exact "
        f"{exact.mean():.3f}); {cold:.1%} of the coldest in the upper well"
    )
    return verdict("double well", "PT", decades(min(ps)), DECADES, detail, began)


def exact_acceptance(temperatures: np.ndarray, n: int = 400_000) -> np.ndarray:
    """Mean of min(1, exp((1/T_i - 1/T_j) (L_i - L_j))) over independent exact draws, per pair."""
    rng = np.random.default_rng(0)
    losses = [box_loss.well_draws(T, n, rng) for T in temperatures]
    beta = 1 / np.asarray(temperatures)
    return np.array(
        [
            np.minimum(1, np.exp((beta[k] - beta[k + 1]) * (losses[k] - losses[k + 1]))).mean()
            for k in range(len(losses) - 1)
        ]
    )
