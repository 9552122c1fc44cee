"""Judge A: many short runs from exact draws must leave the exact ensemble as it is.

The sharpest test of a move, its acceptance and its counting; it says nothing of convergence.
"""

from __future__ import annotations

import time

import numpy as np

from wlnn.backend.binning import binning
from wlnn.backend.cache import drop_stale
from wlnn.reference.cases import maxnorm, ternary_perceptron
from wlnn.reference.judges.verdict import Verdict, decades, entropy, even, mean_is, verdict, words
from wlnn.wlmc import rules

LN_F = 2.0**-30  # changes no decision, and adding it to S is exact: S counts its updates
BATCHES = 1000
LIMIT = 5.0  # p = 1e-5 for each of four tests of a right sampler


def _judge(module, case, n_steps, step_width, replicas, seed, driver) -> Verdict:
    """Start ``replicas`` walkers from the flat ensemble, make ``n_steps``, test that it is flat.

    Replicas are independent, so the distributions under a right sampler are exact: (a) final bins,
    chi-square; (b) updates of S in 1000 batches, Hotelling's T^2 against steps / bins per replica,
    and their total, which must be exact; (c) positions inside the bins, chi-square and mean.
    """
    from scipy.stats import norm

    if driver is None:
        from wlnn.reference.judges import wlmc_replicas as driver
    drop_stale()
    began = time.perf_counter()
    mass = module.masses(case)
    support = (mass > 0).ravel()
    theta = module.starts(case, replicas, np.random.default_rng([seed, 0]))
    final = np.zeros(replicas, np.int64)
    updates = np.zeros((BATCHES, mass.size))
    stage = rules.Stage(
        n_steps, LN_F, rules.STEP_FIXED, rules.NEW_BIN_MINIMUM, 0, mass.shape[0] - 1
    )
    driver.wlmc_replicas(
        case.system("float64"),
        theta,
        case.lo,
        case.hi,
        binning(case.grid),
        entropy(mass),
        np.ones(mass.shape, np.int64),
        stage,
        step_width,
        words(seed, 1),
        final,
        updates,
    )
    inside = ((theta >= case.lo) & (theta <= case.hi)).all()
    inside &= ((final >= 0) & (final < mass.size)).all()
    p_final = p_inner = 0.0
    if inside and support[final].all():
        p_final = even(np.bincount(final, minlength=mass.size)[support])
        place = module.positions(theta)
        z = (place.mean() - 0.5) * np.sqrt(12 * place.size)
        cells, _ = np.histogram(place, bins=20, range=(0.0, 1.0))
        p_inner = min(even(cells), 2 * float(norm.sf(abs(z))))
    total = updates.sum()
    exact_total = abs(total - replicas * n_steps) < 0.5
    each = replicas * n_steps / BATCHES / support.sum()
    kept = np.flatnonzero(support)[:-1]  # the total is fixed: one bin says nothing new
    p_updates = mean_is(updates[:, kept], np.full(kept.size, each))
    detail = (
        f"-log10 p: final bins {decades(p_final):.1f}, updates {decades(p_updates):.1f}, "
        f"inside bins {decades(p_inner):.1f}"
    )
    if not exact_total:
        detail += f"; {total:.0f} updates in {replicas * n_steps} steps"
    name = f"{case.name} exact start"
    worst = decades(min(p_final, p_updates, p_inner))
    return verdict(name, "WLMC", worst, LIMIT, detail, began, also=exact_total)


def judge_maxnorm(replicas: int = 400_000, seed: int = 0, driver=None) -> Verdict:
    """A-R1: 20 steps of the maxnorm case, where every state of the top bin touches the box."""
    return _judge(maxnorm, maxnorm.problem(), 20, 0.25, replicas, seed, driver)


def judge_ternary(replicas: int = 400_000, seed: int = 0, driver=None) -> Verdict:
    """A-R2: 27 steps in a window of the ternary perceptron that many moves leave."""
    case = ternary_perceptron.problem(6, 1, 7)
    return _judge(ternary_perceptron, case, 27, 0.5, replicas, seed, driver)
