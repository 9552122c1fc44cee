"""Wrong ladders, each with the judge or the diagnostic that must catch it, so that a pass counts.

Two mistakes of the list that one would write are none, and have no test. Exchanging theta without
its velocities: at temperature 1 those are independent of theta and alike in all rungs. Rungs out of
order: MBAR does not care about the order, only exchanges do, so that the diagnostics must tell.
"""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.ladder import exchange, joint, ladder, mbar, movers
from wlnn.ladder.run import sample
from wlnn.networks.compiled import prior
from wlnn.reference.judges import ladder as judge


def sphere(**options):
    return judge.smooth_case("sphere", **options)


def wrong_sign(patch):
    right = exchange.ln_acceptance
    patch.setattr(exchange, "ln_acceptance", lambda *given: -right(*given))


def wrong_counts(patch):
    right = mbar.PooledSamples.totals
    patch.setattr(mbar.PooledSamples, "totals", lambda pool, n: np.roll(right(pool, n), 1))


def draws_of_the_inner_box(patch):
    """The top rung is not the uniform density of the box: S has a wrong zero."""
    right = movers.Langevin.draws

    def draws(self, n, words, stop):
        visit, share = right(self, n, words, stop)
        return visit._replace(x=visit.x - 2 * np.log(1.25)), share

    patch.setattr(movers.Langevin, "draws", draws)


def no_cap(patch):
    def time_step(self, beta, kappa, y):
        return self.settings.dt / np.sqrt(np.maximum(np.asarray(beta), 1e-300))

    patch.setattr(movers.Langevin, "time_step", time_step)


def of_another_rung(patch):
    """Samples are credited to the next hotter rung."""
    right = ladder.of_visit

    def of_visit(visit, rung, slice):
        return right(visit, max(rung - 1, 1) if rung else 0, slice)

    patch.setattr(ladder, "of_visit", of_visit)


MUTANTS = (wrong_sign, wrong_counts, draws_of_the_inner_box, no_cap, of_another_rung)


@pytest.mark.slow
def test_the_right_ladder_passes():
    verdict = sphere()
    assert verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_sphere_catches(mutant, monkeypatch):
    mutant(monkeypatch)
    verdict = sphere()
    assert not verdict.passed, verdict


def no_force(patch):
    """Motion knows nothing of the prior, which the draws of rung 0 have."""
    patch.setattr(prior, "with_prior", lambda system, sigma: system)


def force_of_the_variance(patch):
    """theta / sigma in the place of theta / sigma^2."""
    right = prior.with_prior
    patch.setattr(prior, "with_prior", lambda system, sigma: right(system, np.sqrt(sigma)))


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [no_force, force_of_the_variance])
def test_the_gaussian_prior_catches(mutant, monkeypatch):
    mutant(monkeypatch)
    verdict = judge.gaussian()
    assert not verdict.passed, verdict


def hung_up_a_row_too_high(patch):
    """The arms of a row hang on the rung above their own."""
    right = joint.free_energies

    def free_energies(rungs, samples):
        f, totals = right(rungs, samples)
        for row in np.unique(rungs.row[rungs.tilt != 0]):
            own, above = (
                np.flatnonzero((rungs.row == k) & (rungs.tilt == 0)) for k in (row, row - 1)
            )
            f[(rungs.row == row) & (rungs.tilt != 0)] += f[above] - f[own]
        return f, totals

    patch.setattr(joint, "free_energies", free_energies)


def kappa_of_the_wrong_sign(patch):
    """In exchanges along kappa."""
    right = exchange.ln_acceptance
    wrong = lambda rungs, *given: right(rungs._replace(kappa=-rungs.kappa), *given)  # noqa: E731
    patch.setattr(exchange, "ln_acceptance", wrong)


@pytest.mark.slow
@pytest.mark.parametrize("mutant", [hung_up_a_row_too_high, kappa_of_the_wrong_sign])
def test_the_map_catches(mutant, monkeypatch):
    """In short stretches: long ones make good what an exchange did."""

    def short(problem, settings):
        return sample(problem, replace(settings, stretch=20, descent=600))

    mutant(monkeypatch)
    verdict = judge.moves_map(steps=500_000, sample=short)
    assert not verdict.passed, verdict


@pytest.mark.slow
def test_rungs_out_of_order_are_told_by_their_overlap(monkeypatch):
    right, found = ladder.respaced, []

    def shuffled(*given):
        betas = right(*given)
        return betas[np.argsort(np.arange(betas.size) % 3, kind="stable")]

    def kept(*given, **named):
        found.append(sample(*given, **named))
        return found[-1]

    monkeypatch.setattr(ladder, "respaced", shuffled)
    sphere(sample=kept)
    assert any("neighbours overlap by" in text for text in found[0].meta["rungs"]["warnings"])
