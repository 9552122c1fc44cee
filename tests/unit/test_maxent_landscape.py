"""Sampled landscapes against the exact density of states and against the maximum-entropy law."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.maxent.landscape import sample_landscape, theory_for
from wlnn.reference.cases import context_select
from wlnn.reference.cases.maxnorm import problem as maxnorm
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.context_select import context_problem


def settings(steps, walkers, stages=200):
    return WLMCSettings(steps=steps, stages=stages, walkers=walkers, production=0.4, seed=0)


def test_a_short_run_has_every_number_and_does_not_depend_on_threads():
    grid = Grid(Axis("ln train loss", -4.0, 2.0, 30), Axis.single())
    problem = context_problem(2, 6, grid=grid)
    done = []
    short = settings(100_000, 2, 20)
    result = sample_landscape(problem, short, threads=2, progress=lambda d, t: done.append(d / t))
    again = sample_landscape(problem, short, threads=1)
    np.testing.assert_array_equal(result.landscape.entropies, again.landscape.entropies)
    np.testing.assert_array_equal(result.p_n, again.p_n)
    assert done == sorted(done)
    assert 0.6 < done[-1] <= 1
    seen = result.networks > 0
    np.testing.assert_allclose(result.p_n[seen].sum(1), 1)
    rng = np.random.default_rng(0)
    drawn = rng.uniform(problem.lo, problem.hi, (2_000, problem.n_parameters))
    inside = np.mean([grid.x.index(problem.observe(theta)[0]) >= 0 for theta in drawn])
    # S is good to about 0.1 after so few steps; bins per unit of ln L would be a factor of 5
    assert np.nansum(np.exp(result.ln_g)) * 0.2 == pytest.approx(inside, abs=0.15)
    np.testing.assert_allclose(result.prior_p, (0.25, 0.5, 0.25))
    row = result.records()[0]
    assert {"ln_L", "ln_g", "error", "small_loss", "networks", "p", "rho"} <= set(row)
    assert "K = 2, N = 6" in result.title


@pytest.mark.slow
def test_relu_units_have_no_theory_but_the_same_tendency():
    grid = Grid(Axis("ln train loss", -5.0, 1.0, 30), Axis.single())
    problem = context_problem(2, 12, net="relu", inputs=8, grid=grid)
    result = sample_landscape(problem, settings(600_000, 1, 60))
    assert result.theory is None
    low = result.ln_loss < -4
    weight = result.networks[low][:, None]
    p = np.nansum(result.p_n[low] * weight, axis=0) / weight.sum()
    assert p[1] > 0.55  # more specialised units than in the random box, where it is 0.5
    assert np.nanmean(result.rho[low, 1]) > 0.7


def test_the_exact_curve_is_there_where_it_is_known(rng):
    theory = theory_for(context_select.problem(4), rng, losses=3)
    np.testing.assert_allclose(theory.exact[20], -3.58, atol=0.05)
    assert theory_for(context_select.problem(2), rng, losses=3).exact is None


@pytest.mark.slow
def test_one_ungated_context_has_the_exact_density():
    result = sample_landscape(context_select.problem(4), settings(30_000_000, 2), threads=2)
    assert np.abs(result.ln_g - result.theory.exact).max() < 0.05


@pytest.mark.slow
def test_two_contexts_follow_the_theory_at_low_loss():
    result = sample_landscape(context_problem(2, 16), settings(20_000_000, 4), threads=2)
    x = result.ln_loss
    low = (x > -7.5) & (x < -5.5)
    assert np.abs(result.ln_g - result.theory.small_loss)[low].max() < 0.15
    slope = np.polyfit(x[:10], result.ln_g[:10], 1)[0]
    assert slope == pytest.approx(2, abs=0.15)  # K^2 / 2 as L -> 0; the formula: 2.09 here
    weight = result.networks[:20][:, None]
    p = (result.p_n[:20] * weight).sum(0) / weight.sum()
    assert 0.62 < p[1] < 0.69
    top = np.argmax(result.ln_g)
    assert result.p_n[top, 1] == pytest.approx(0.5, abs=0.05)
    np.testing.assert_allclose(result.rho[2, 1:], result.theory.law.rho[1:], atol=0.03)
    finite, saddle = result.ln_g[result.theory.bins], result.theory.shell.ln_g
    np.testing.assert_allclose(saddle[:-2], finite[:-2], atol=0.3)
    at_loss = result.p_n[result.theory.bins[:-2]]
    np.testing.assert_allclose(at_loss, result.theory.shell.p_n[:-2], atol=0.04)


@pytest.mark.parametrize(
    ("problem", "said"),
    [
        (lambda: maxnorm(), "context_problem"),
        (lambda: context_problem(2, 8, half_width=0.8), "wider box"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(problem, said):
    with pytest.raises(UserError, match=said):
        sample_landscape(problem(), settings(10_000, 1, 10))
