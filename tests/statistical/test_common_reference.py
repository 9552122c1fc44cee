"""The estimator "common": its errors are as large as they say, and wrong ones are caught.

Exact masses throughout; no sampler but the product's own.
"""

import numpy as np
import pytest

from wlnn.base.statistics import standard_error, t_factor
from wlnn.landscape import merge as landscape_merge
from wlnn.reference.cases import maxnorm, rare_corner, ternary_perceptron
from wlnn.reference.judges.wlmc_coverage import LEVELS, coverage
from wlnn.reference.judges.wlmc_run import (
    COMMON,
    errors,
    judge_common,
    judge_deep,
    judge_rare,
    rms,
    run,
)
from wlnn.wlmc import run as wlmc_run
from wlnn.wlmc import walker as wlmc

SHORT = {**COMMON, "walkers": 8, "steps": 1_000_000, "step_width": 0.5}


def z_of(case, mass, seeds):
    """(S - exact S) / error of every bin and seed, both as parts of the window: no draws in it."""
    z = []
    for seed in range(seeds):
        found = run(case, seed=seed, **SHORT)
        z.append((found.entropy - np.log(mass / mass.sum())) / found.error)
    return np.array(z)


@pytest.mark.parametrize("case", ["maxnorm", "logistic", "ternary"])
def test_exact_cases(case):
    assert judge_common(case).passed


def test_rare_bins_are_right():
    assert judge_rare().passed


@pytest.mark.slow
def test_a_deep_landscape_by_the_default_settings():
    assert judge_deep().passed


@pytest.mark.slow
def test_rare_bins_have_errors_as_large_as_they_say():
    case = rare_corner.problem()
    z = z_of(case, rare_corner.masses(case), 32)
    held = np.abs(z) < t_factor(SHORT["walkers"])
    assert 0.93 <= held.mean() <= 0.97, held.mean()
    each = z.mean(axis=(1, 2))  # the bins of a seed share the error of their zero
    assert abs(each.mean()) < 2.5 * standard_error(each), (each.mean(), standard_error(each))


@pytest.mark.slow
def test_intervals_hold_the_truth_as_often_as_they_say():
    for levels in coverage(40, **{**COMMON, "anchor_draws": 10_000}).values():
        for level, part in levels.items():
            assert abs(part - level) < LEVELS[level], levels


def test_own_s_of_each_walker_is_caught(monkeypatch):
    """Every walker frozen on an S of its own, and the first one's taken for that of all."""
    monkeypatch.setattr(wlmc_run, "share_entropy", own_entropy)
    monkeypatch.setattr(wlmc_run, "refine_entropy", lambda walkers: walkers)
    case = maxnorm.problem()
    found = run(case, **COMMON, steps=300_000)
    assert rms(errors(found, maxnorm.masses(case))) > 0.06


def own_entropy(problem, plan, walkers):
    """What each has learnt, tilted as walkers of a long landscape are."""
    slope = np.linspace(-2, 2, problem.grid.x.n)[:, None]
    if walkers[0].stage > plan.share_from:
        return walkers
    return [w._replace(entropy=w.entropy + (k - 1) * slope) for k, w in enumerate(walkers)]


def test_bins_open_to_those_only_that_knew_them_are_caught(monkeypatch):
    """A bin that two of four walkers may enter has half of its visits: ln 2 too low."""
    case = ternary_perceptron.problem()
    mass = ternary_perceptron.masses(case)
    place = np.unravel_index(np.argsort(mass.ravel())[-3], mass.shape)
    advance = wlmc.advance

    def kept_out(problem, system, walker, plan, stop):
        if walker.stage >= plan.share_from and walker.number % 2:
            entropy = walker.entropy.copy()
            entropy[place] = 2.0**1000
            later = advance(problem, system, walker._replace(entropy=entropy), plan, stop)
            return later and later._replace(entropy=walker.entropy)
        return advance(problem, system, walker, plan, stop)

    monkeypatch.setattr(wlmc, "advance", kept_out)
    found = run(case, **COMMON, step_width=0.5)
    off = found.entropy - np.log(np.where(mass > 0, mass, 1))
    assert off[place] - np.median(off[mass > 0]) < -0.4


@pytest.mark.slow
def test_errors_by_a_jackknife_over_single_visits_are_caught(monkeypatch):
    """Visits dealt out to eight parts at random, as if each were independent; by the jackknife
    alone, as the halves of a run would tell."""
    left_out = landscape_merge._left_out
    monkeypatch.setattr(landscape_merge, "_as_wide_as_halves", lambda entropies, halves: entropies)

    def by_visit(entropy, production):
        total, rng = np.sum(production, axis=0), np.random.default_rng(0)
        parts = rng.multinomial(total, np.full(len(production), 1 / len(production)))
        return left_out(entropy, np.moveaxis(parts, -1, 0))

    case = rare_corner.problem()
    mass = rare_corner.masses(case)
    right = np.median(np.abs(z_of(case, mass, 4)))
    monkeypatch.setattr(landscape_merge, "_left_out", by_visit)
    assert np.median(np.abs(z_of(case, mass, 4))) > 2 * right


def test_a_walker_whose_visits_are_dropped_is_caught(monkeypatch):
    """What S promises, a flat count over all walkers, is then not what was counted."""
    left_out = landscape_merge._left_out
    counted = []

    def watched(entropy, production):
        counted.append(np.sum(production))
        return left_out(entropy, production)

    monkeypatch.setattr(landscape_merge, "_left_out", watched)
    run(maxnorm.problem(), **COMMON, steps=100_000)
    assert counted == [4 * 100_000 * 0.35]


@pytest.mark.parametrize("wrong", [False, True])
def test_visits_from_before_s_was_made_even_are_caught(monkeypatch, wrong):
    """S frozen with a slope of 4 nats: its visits say nothing of the S that took them up."""
    share, refine = wlmc_run.share_entropy, wlmc_run.refine_entropy

    def sloping(problem, plan, walkers):
        walkers = share(problem, plan, walkers)
        if walkers[0].stage < plan.n_adaptive:
            return walkers
        slope = np.linspace(-2, 2, problem.grid.x.n)[:, None]
        return [walker._replace(entropy=walker.entropy + slope) for walker in walkers]

    def counted_on(walkers):
        later = refine(walkers)
        return [
            new._replace(production=old.production) for new, old in zip(later, walkers, strict=True)
        ]

    monkeypatch.setattr(wlmc_run, "share_entropy", sloping)
    if wrong:
        monkeypatch.setattr(wlmc_run, "refine_entropy", counted_on)
    case = maxnorm.problem()
    found = run(case, **COMMON, steps=1_000_000)
    assert (rms(errors(found, maxnorm.masses(case))) > 0.1) is wrong
