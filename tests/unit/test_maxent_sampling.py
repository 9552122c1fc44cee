"""Drawn networks: the moments of the law, the 1/N law, and the ReLU that stands for it."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.observables import measure
from wlnn.maxent.sampling import draw_units, losses_against_units, relu_loss_floor, wide_relu_output
from wlnn.maxent.theory import solve
from wlnn.networks.context import Units, linear_loss, relu_loss, relu_residuals, task_matrix


@pytest.mark.parametrize(("K", "sigma"), [(2, 0.5), (3, 1.0), (4, 2.0)])
def test_drawn_units_have_the_moments_of_the_law(K, sigma, rng):
    law = solve(K, sigma)
    units = draw_units(law, 200_000, rng)
    products = units.g[:, :, None] * (units.w[:, None] * units.m)[:, None, :]
    error = products.std(axis=0) / np.sqrt(200_000)
    # 29 standard-normal scores in the three cases; 5 sigma: false-alarm rate 2e-5
    assert (np.abs(task_matrix(units) - np.eye(K)) < 5 * error).all()
    n = units.g.sum(1)
    counts = np.bincount(n, minlength=K + 1)
    assert (np.abs(counts - 2e5 * law.p) < 5 * np.sqrt(2e5 * law.p)).all()
    for size in range(K + 1):
        w2, m2 = units.w[n == size] ** 2, (units.m[n == size] ** 2).sum(1)
        spread = (m2 - w2).std() / np.sqrt(counts[size])
        assert (m2 - w2).mean() == pytest.approx((K - 1) * sigma**2, abs=5 * spread)
    seen = measure(units)
    np.testing.assert_allclose(seen.rho[1:], law.rho[1:], atol=0.03)
    assert seen.c_g == pytest.approx(law.c_g, abs=0.01)
    assert seen.rho_bar == pytest.approx(law.rho_bar, abs=0.01)
    assert pytest.approx(law.R2, abs=0.01) == seen.R2
    assert seen.frac_m == pytest.approx(law.frac_m, abs=0.01)
    assert seen.w2 == pytest.approx(law.w2, rel=0.03)
    assert seen.m2 == pytest.approx(law.m2, rel=0.03)


@pytest.mark.parametrize("antithetic", [False, True])
def test_the_loss_falls_as_one_over_n(antithetic):
    """400 networks of 100 units: within 5 standard errors of the law (twice that if mirrored)."""
    for K, sigma in ((2, 1.0), (4, 0.5)):
        law = solve(K, sigma)
        rng = np.random.default_rng(K)
        (point,) = losses_against_units(law, [100], rng, networks=400, antithetic=antithetic)
        assert point.predicted == pytest.approx((1 + antithetic) * law.scaled_loss / 100)
        assert abs(point.loss - point.predicted) < 5 * point.standard_error


def test_mirrored_units_cancel_every_even_term(rng):
    units = draw_units(solve(3, 1.0), 200, rng, context_scale=4.0, antithetic=True)
    offset = (units.w[:, None] * np.maximum(units.a, 0)).sum(0)
    np.testing.assert_allclose(offset, 0, atol=1e-10)
    single = draw_units(solve(3, 1.0), 200, rng, context_scale=4.0)
    assert np.abs((single.w[:, None] * np.maximum(single.a, 0)).sum(0)).max() > 1


def test_with_strong_context_input_a_relu_is_a_gated_linear_unit(rng):
    units = draw_units(solve(2, 0.5), 400, rng, context_scale=1e4, antithetic=True)
    x = rng.standard_normal((2000, 2))
    x = np.concatenate([x, -x])
    x /= np.sqrt((x**2).mean(0))
    M = task_matrix(units)
    # units whose context weight happens to be small are not yet on or off: 1e-3 of them
    np.testing.assert_allclose(relu_residuals(units, x), x @ (M - np.eye(2)).T, atol=0.02)
    assert relu_loss(units, x) == pytest.approx(linear_loss(units), rel=0.1)


@pytest.mark.parametrize(("K", "sigma", "A"), [(1, 1.0, 0.5), (2, 1.0, 3.0), (3, 0.6, 1.0)])
def test_the_output_of_a_wide_relu_network(K, sigma, A):
    law, rng = solve(K, sigma), np.random.default_rng(K)
    x = rng.standard_normal((4, K))
    units = draw_units(law, 400_000, rng, context_scale=A)
    for k in range(K):
        # the network is odd in (w, m), so half the difference of y(x) and y(-x) is y(x)
        terms = [np.maximum(s * x @ units.m.T + units.a[:, k], 0) * units.w for s in (1, -1)]
        terms = 0.5 * (terms[0] - terms[1])
        error = terms.std(axis=1) / np.sqrt(400_000)
        expected = wide_relu_output(law, x, A)[:, k]
        # 24 scores in the three cases; 5 sigma: false-alarm rate 1e-5
        assert (np.abs(terms.mean(axis=1) - expected) < 5 * error).all()


def test_the_floor_of_the_relu_falls_with_the_context_scale():
    law = solve(2, 1.0)
    expected = {1: 0.315, 3: 0.137, 10: 0.026, 30: 0.0021}  # of finite networks, about 0.01
    for scale, value in expected.items():
        floor = relu_loss_floor(law, np.random.default_rng(0), context_scale=scale)
        assert floor == pytest.approx(value, abs=0.01)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda law, rng: draw_units(law, 0, rng), "at least 1"),
        (lambda law, rng: draw_units(law, 7, rng, antithetic=True), "even number, say 8"),
        (lambda law, rng: draw_units(law, 8, rng, context_scale=-1), "context scale = -1"),
        (lambda law, rng: losses_against_units(law, [9], rng, networks=1), "at least 2"),
        (lambda law, rng: relu_loss_floor(law, rng, context_scale=0), "context scale = 0"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said, rng):
    with pytest.raises(UserError, match=said):
        call(solve(2, 1.0), rng)


def test_observables_of_a_network_made_by_hand():
    w = np.array([1.0, -1, 2, 0.5, 1, 1, 1, 1])
    m = np.array([[1.0, 0], [-1, 0], [2, 0], [0.5, 0], [1, 0], [0, 1], [0, 1], [0, 1]])
    a = np.array([[1.0, -1]] * 5 + [[-1, 1]] * 3)
    seen = measure(Units(w, m, a))
    np.testing.assert_array_equal(seen.p, (0, 1, 0))
    assert seen.c_g == pytest.approx(-1)
    assert seen.rho[1] == pytest.approx(1)  # w equals the active input everywhere
    assert seen.rho_bar == pytest.approx(1)
    assert np.isnan(seen.rho[[0, 2]]).all()
    assert seen.frac_m == pytest.approx(1)  # and the silent one is zero
    one = measure(Units(w, m[:, :1], np.ones((8, 1))))
    assert np.isnan(one.c_g)
