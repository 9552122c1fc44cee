"""The exact limits against the solver near them, and against reference numbers."""

import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.limits import feasible_scale, lazy, rich
from wlnn.maxent.moment import solve_moment
from wlnn.maxent.theory import solve
from wlnn.reference.cases.many_contexts import many_contexts


def test_feasible_scales():
    expected = {
        2: 1.366025404,
        3: 1.5,
        4: 1.581138830,
        5: 1.666666667,
        6: 1.699673171,
        8: 1.767766953,
    }
    for K, value in expected.items():
        assert feasible_scale(K) == pytest.approx(value, abs=1e-9)
    assert feasible_scale(10**6) == pytest.approx(2, abs=1e-5)


@pytest.mark.parametrize("K", [1, 2, 3, 4, 8])
def test_just_above_the_feasible_scale_there_is_a_law_and_below_none(K):
    scale = feasible_scale(K)
    assert solve_moment(K, 1.001 * scale).entropy_cost > 0
    with pytest.raises(UserError, match="below the feasible"):
        solve_moment(K, 0.999 * scale)


def test_rich_limit_of_two_contexts():
    limit = rich(2)
    assert limit.w2 == pytest.approx(1.931852, abs=1e-6)
    np.testing.assert_allclose(limit.p, (0, 0.73656, 0.26344), atol=1e-5)
    near = solve(2, math.sqrt(1e-3))
    assert near.w2 == pytest.approx(1.932356, abs=1e-6)
    # the correction is of order sigma^2 for <w^2> and sigma for p(n): extrapolate both
    first, second = solve(2, 2e-3), solve(2, 1e-3)
    np.testing.assert_allclose(2 * second.p - first.p, limit.p, atol=2e-6)
    assert (4 * second.w2 - first.w2) / 3 == pytest.approx(limit.w2, abs=1e-9)


@pytest.mark.parametrize("f", [0.5, 0.3])
@pytest.mark.parametrize("K", [1, 2, 3, 4, 6, 8])
def test_rich_limit_is_approached(K, f):
    near, limit = solve(K, 0.002, f=f), rich(K, f)
    assert near.w2 == pytest.approx(limit.w2, rel=1e-4)
    assert np.abs(near.p - limit.p).max() < 0.05


def test_lazy_limit():
    law, limit = solve(2, 10), lazy(2, 10)
    assert 100 * law.alpha == pytest.approx(3.9957, abs=5e-5)
    assert law.kl == pytest.approx(2.6654e-4, abs=5e-9)
    for K in (2, 5, 9):
        law, limit = solve(K, 40), lazy(K, 40)
        assert law.alpha == pytest.approx(limit.alpha, rel=2e-3)
        assert law.beta / law.alpha == pytest.approx(limit.beta_over_alpha, rel=2e-3)
        assert law.kl == pytest.approx(limit.kl, rel=2e-3)
        np.testing.assert_allclose(law.p, law.p0, atol=1e-4)


def test_many_contexts():
    for s, kappa in ((2.2, 0.0996532439), (3, 0.8752724762), (4, 2.4368865400)):
        assert many_contexts(s).kappa == pytest.approx(kappa, abs=1e-9)
    limit = many_contexts(3)
    assert limit.xi2 == pytest.approx(0.700218, abs=1e-6)
    assert limit.kl_g == pytest.approx(0.031399, abs=1e-6)
    assert limit.entropy_cost_per_context == pytest.approx(0.29389333, abs=1e-8)
    law = solve_moment(256, 3)
    xi = 2 * (law.n - 128) / 16
    assert law.p @ xi**2 == pytest.approx(0.70191, abs=1e-5)
    assert law.kl_g == pytest.approx(0.031059, abs=1e-6)
    assert law.entropy_cost / 256 == pytest.approx(0.291672, abs=1e-6)
    assert law.frac_m == pytest.approx(limit.frac_m, rel=0.02)
    assert law.mean_X / 256 == pytest.approx(limit.w2_per_context, rel=0.02)
    assert law.c_g == pytest.approx(limit.c_g(256), rel=0.01)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: feasible_scale(0), "contexts = 0"),
        (lambda: rich(2, 1), "f = 1"),
        (lambda: lazy(2, -1), "weight scale = -1"),
        (lambda: many_contexts(2), "above 2"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()
