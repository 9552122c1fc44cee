"""The symmetric solver against numbers computed at 30 digits, and against its own formulas."""

import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.moment import solve_moment
from wlnn.maxent.patterns import binary_patterns, solve_patterns
from wlnn.maxent.theory import dual, ln_binomial, solve

# K, sigma^2: alpha, beta, KL, p(n), c_g, N E[L]
PRIOR = [
    (2, 0.25, 1.18040513828, -0.268624592881, 6.39361134205,
     (0.1015780935, 0.6539928505, 0.2444290560), -0.33523300, 6.82076339),
    (2, 1, 1.05475090468, -0.271719933410, 1.15687102196,
     (0.1660468533, 0.5935634175, 0.2403897292), -0.19372439, 9.80226740),
    (2, 4, 0.687155552792, -0.209733256569, 0.13788903618,
     (0.2260234615, 0.5297780897, 0.2441984488), -0.05990630, 28.57485575),
    (4, 1, 0.872375976432, -0.162745520177, 2.23832520072,
     (0.0342939836, 0.2124356732, 0.4721232288, 0.2428993201, 0.0382477942), -0.08523209,
     27.08437989),
]  # fmt: skip


@pytest.mark.parametrize(("K", "variance", "alpha", "beta", "kl", "p", "c_g", "scaled"), PRIOR)
def test_prior_mode_has_the_reference_numbers(K, variance, alpha, beta, kl, p, c_g, scaled):
    law = solve(K, math.sqrt(variance))
    assert law.alpha == pytest.approx(alpha, abs=1e-11)
    assert law.beta == pytest.approx(beta, abs=1e-11)
    assert law.kl == pytest.approx(kl, abs=1e-10)
    np.testing.assert_allclose(law.p, p, atol=1e-10)
    assert law.c_g == pytest.approx(c_g, abs=1e-8)
    assert law.scaled_loss == pytest.approx(scaled, abs=1e-8)


def test_derived_quantities_have_the_reference_numbers():
    two, four = solve(2, 1), solve(4, 1)
    np.testing.assert_allclose(two.rho, (0, 0.82883607, 0.72310300), atol=1e-8)
    np.testing.assert_allclose(two.drive, (0, 0.742385, 0.257615), atol=1e-6)
    assert two.w2 == pytest.approx(2.56606194, abs=1e-8)
    assert two.m2 == pytest.approx(1.78303097, abs=1e-8)
    assert two.kl_g == pytest.approx(0.02444947, abs=1e-8)
    rho = (0, 0.76356643, 0.90003061, 0.82526615, 0.44278779)
    np.testing.assert_allclose(four.rho, rho, atol=1e-8)
    assert four.w2 == pytest.approx(3.83852183, abs=1e-8)


def test_one_context():
    law = solve(1, 1)
    assert (law.alpha, law.beta) == (pytest.approx(0.7441965421, abs=1e-10), 0)
    assert law.kl == pytest.approx(0.5222160473, abs=1e-10)
    np.testing.assert_allclose(law.p, (0.4004654933, 0.5995345067), atol=1e-10)
    assert law.scaled_loss == pytest.approx(5.347613, abs=1e-6)
    assert math.isnan(law.c_g)
    for s in (1.1, 2, 5):  # every unit active: dS = -1/2 ln(1 - 1/s^2)
        cost = solve_moment(1, s, f=1).entropy_cost
        assert cost == pytest.approx(-0.5 * math.log(1 - 1 / s**2), abs=1e-10)


def test_moment_mode_has_the_reference_numbers():
    law = solve_moment(2, 2)
    assert law.variance == pytest.approx(0.8256966094, abs=1e-9)
    assert law.alpha == pytest.approx(1.0828428941, abs=1e-9)
    assert law.beta == pytest.approx(-0.2729159491, abs=1e-9)
    assert law.entropy_cost == pytest.approx(0.7580991212, abs=1e-9)
    np.testing.assert_allclose(law.p, (0.15650829, 0.60291985, 0.24057186), atol=1e-8)
    law = solve_moment(4, 3)
    assert law.variance == pytest.approx(1.4878966771, abs=1e-9)
    assert law.alpha == pytest.approx(0.8269422810, abs=1e-9)
    assert law.beta == pytest.approx(-0.1564650197, abs=1e-9)
    assert law.entropy_cost == pytest.approx(0.7866841990, abs=1e-9)
    assert law.frac_m == pytest.approx(0.48297999, abs=1e-8)


def test_moment_mode_has_the_moments_asked_for():
    law = solve_moment(3, 2.5, f=0.3, gains="quenched")
    assert math.sqrt(law.w2 * law.m2) == pytest.approx(2.5, rel=1e-11)


@pytest.mark.parametrize("gains", ["annealed", "quenched"])
@pytest.mark.parametrize("K", [2, 3, 5])
def test_gradient_and_hessian_are_those_of_the_dual(K, gains):
    v, t, ln_p0 = np.array([0.5, -0.1]), 1.7, ln_binomial(K, 0.4)
    _, gradient, hessian = dual(v, K, t, ln_p0, gains)
    step = 1e-5
    for i in range(2):
        plus, minus = v.copy(), v.copy()
        plus[i] += step
        minus[i] -= step
        high, low = dual(plus, K, t, ln_p0, gains), dual(minus, K, t, ln_p0, gains)
        assert (high[0] - low[0]) / (2 * step) == pytest.approx(gradient[i], rel=1e-8)
        np.testing.assert_allclose((high[1] - low[1]) / (2 * step), hessian[i], rtol=1e-7)


@pytest.mark.parametrize("gains", ["annealed", "quenched"])
@pytest.mark.parametrize("K", [2, 3, 4])
def test_the_full_solver_agrees(K, gains):
    for sigma, f in ((0.3, 0.5), (1.0, 0.35), (3.0, 0.5)):
        law = solve(K, sigma, f=f, gains=gains)
        full = solve_patterns(*binary_patterns(K, f), sigma, gains=gains)
        assert full.kl == pytest.approx(law.kl, rel=1e-11)
        np.testing.assert_allclose(full.p_n, law.p, atol=1e-11)
        expected = law.alpha * np.eye(K) + law.beta
        np.testing.assert_allclose(full.multipliers, expected, atol=1e-9)
        assert full.c_g == pytest.approx(law.c_g, abs=1e-10)


@pytest.mark.parametrize("sigma", [0.001, 0.03, 0.7, 5, 100])
@pytest.mark.parametrize("K", [1, 2, 5, 40])
def test_the_constraints_hold(K, sigma):
    law = solve(K, sigma)
    assert law.p.sum() == pytest.approx(1, abs=1e-12)
    assert law.drive.sum() == pytest.approx(1, abs=3e-8 if sigma < 0.01 else 1e-10)
    assert 1 / K <= law.frac_m <= 1
    assert 0 < law.R2 < 1
    assert (law.r2 < 1).all()


def test_results_that_the_study_rests_on():
    c_g = {
        0.25: (-0.440, -0.274, -0.205, -0.121, -0.085),
        1: (-0.194, -0.120, -0.085, -0.051, -0.036),
    }
    for sigma, expected in c_g.items():
        values = [solve(K, sigma).c_g for K in (2, 3, 4, 6, 8)]
        np.testing.assert_allclose(values, expected, atol=6e-4)
    bits = [solve(K, 0.5).bits_per_gain for K in (2, 3, 4, 6, 8)]
    np.testing.assert_allclose(bits, (0.0567, 0.0460, 0.0384, 0.0244, 0.0169), atol=6e-5)
    scales = (0.25, 0.5, 1, 2, 4)
    R2 = {2: (0.913, 0.793, 0.533, 0.179, 0.020), 4: (0.914, 0.843, 0.679, 0.320, 0.045)}
    for K, expected in R2.items():
        np.testing.assert_allclose([solve(K, s).R2 for s in scales], expected, atol=6e-4)
    frac_m = [solve(4, s).frac_m for s in scales]
    np.testing.assert_allclose(frac_m, (0.945, 0.816, 0.561, 0.333, 0.259), atol=6e-4)
    rho_bar = [solve(2, s).rho_bar for s in (0.25, 1, 2)]
    np.testing.assert_allclose(rho_bar, (0.984, 0.798, 0.476), atol=6e-4)


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: solve(0, 1), "contexts = 0"),
        (lambda: solve(2.5, 1), "contexts = 2.5"),
        (lambda: solve(2, 0), "weight scale = 0"),
        (lambda: solve(2, float("nan")), "weight scale = nan"),
        (lambda: solve(2, 1e-4), "exact limit"),
        (lambda: solve(2, 1, f=0), "f = 0"),
        (lambda: solve(2, 1, f=1), "every context"),
        (lambda: solve(2, 1, gains="cold"), "annealed"),
        (lambda: solve_moment(2, 1.3), "s_c = 1.36603"),
        (lambda: solve_moment(3, 1.5), "s_c = 1.5"),
        (lambda: solve_moment(4, 1.5811388301), "too close"),
        (lambda: solve_moment(2, -1), "s = sigma_w sigma_m"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()
