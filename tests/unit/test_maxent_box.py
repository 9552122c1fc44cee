"""The box law against 30-digit quadrature, and the density of states against exact ones."""

import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.box import exact_ln_density, ln_density, shell, solve_box


def test_reference_numbers():
    law = solve_box(2, 2)
    np.testing.assert_allclose(np.diag(law.multipliers), 1.05295672436, atol=1e-10)
    np.testing.assert_allclose(law.multipliers[[0, 1], [1, 0]], -0.387501683182, atol=1e-10)
    assert law.rate == pytest.approx(1.17821755963, abs=1e-10)
    np.testing.assert_allclose(law.p_n, (0.0988659635, 0.6596772379, 0.2414567986), atol=1e-9)
    assert np.linalg.slogdet(law.hessian)[1] == pytest.approx(1.851924376, abs=1e-8)
    np.testing.assert_allclose(law.rho, (0, 0.879726, 0.846112), atol=1e-6)
    one = solve_box(1, 2, gated=False)
    assert one.multipliers[0, 0] == pytest.approx(0.555010739665, abs=1e-11)
    assert one.rate == pytest.approx(0.278988997227, abs=1e-11)
    assert one.hessian[0, 0] == pytest.approx(1.82293137161, abs=1e-10)
    gated = solve_box(1, 2)
    assert gated.multipliers[0, 0] == pytest.approx(0.847721042266, abs=1e-11)
    assert gated.rate == pytest.approx(0.473384278652, abs=1e-11)


@pytest.mark.parametrize(("K", "b"), [(2, 2.0), (3, 2.5)])
def test_the_law_is_uniform_weights_tilted_to_the_task(K, b):
    """Reweighting uniform draws by exp(w g^T Lambda m) gives <w g m^T> = I, p(n), rho and I."""
    law, rng = solve_box(K, b), np.random.default_rng(0)
    N = 400_000
    w, m = rng.uniform(-b, b, N), rng.uniform(-b, b, (N, K))
    g = (rng.random((N, K)) < 0.5).astype(float)
    tilt = np.exp(w * ((g @ law.multipliers) * m).sum(1))
    weight = tilt / tilt.sum()
    M = np.einsum("s,sk,sd->kd", weight * w, g, m)
    np.testing.assert_allclose(M, np.eye(K), atol=0.05)
    n = g.sum(1).astype(int)
    # the effective sample is 40,000 or more: 0.0125 is five standard errors
    np.testing.assert_allclose(np.bincount(n, weights=weight), law.p_n, atol=0.0125)
    assert np.trace(law.multipliers) - math.log(tilt.mean()) == pytest.approx(law.rate, abs=0.02)
    for size in range(1, K + 1):
        here = weight * (n == size)
        on = (m * g).sum(1)
        rho = here @ (w * on) / math.sqrt(here @ w**2 * (here @ on**2))
        assert rho == pytest.approx(law.rho[size], abs=0.01)


def test_the_rate_is_convex_with_the_multipliers_as_slope():
    law = solve_box(2, 2)
    direction = np.array([[0.3, -0.1], [0.2, 0.5]])
    step = 1e-4
    high, low = (solve_box(2, 2, target=np.eye(2) + s * step * direction) for s in (1, -1))
    slope = (high.rate - low.rate) / (2 * step)
    assert slope == pytest.approx((law.multipliers * direction).sum(), rel=1e-6)
    change = (high.multipliers - low.multipliers).ravel() / (2 * step)
    np.testing.assert_allclose(law.hessian @ change, direction.ravel(), rtol=1e-5)


def test_the_smallest_box_of_two_contexts():
    """A third of the units active in both contexts and the rest in one: b^2 = 3/2 just suffices."""
    least = math.sqrt(1.5)
    assert solve_box(2, least + 0.005).p_n[0] < 1e-3
    with pytest.raises(UserError, match="wider box"):
        solve_box(2, least - 0.005)


def test_exact_density_has_the_reference_numbers():
    one = exact_ln_density(1, 2, [-4, -2, -1])
    np.testing.assert_allclose(one, (-3.746162194, -2.701689525, -2.099715371), atol=1e-9)
    four = exact_ln_density(4, 2, [-8, -4, -2, -1, 0])
    expected = (-5.657854937, -3.631244370, -2.491356997, -1.817037341, -1.175175586)
    np.testing.assert_allclose(four, expected, atol=1e-8)


@pytest.mark.parametrize("N", [1, 4, 8])
def test_exact_density_is_normalised_and_counts_random_networks(N):
    edges = np.linspace(-9, 2 * math.log(5) + 1, 401)
    width = edges[1] - edges[0]
    centres = edges[:-1] + width / 2
    density = np.exp(exact_ln_density(N, 2, centres))
    assert density.sum() * width == pytest.approx(1, abs=0.012)  # exp(-4.5) lies below -9
    rng = np.random.default_rng(N)
    draws = 200_000
    M = (rng.uniform(-2, 2, (draws, N)) * rng.uniform(-2, 2, (draws, N))).mean(1)
    ln_loss = np.log((M - 1) ** 2)
    for low, high in ((-4, -2), (-2, -0.5), (0.5, 1.5)):
        inside = (centres > low) & (centres < high)
        expected = density[inside].sum() * width * draws
        seen = ((ln_loss > low) & (ln_loss < high)).sum()
        # nine scores over the three cases; 5 sigma (and 2 % for the edge bins): below 1e-5
        assert abs(seen - expected) < 5 * math.sqrt(expected) + 0.02 * expected


@pytest.mark.parametrize("N", [8, 16])
def test_saddle_point_and_small_loss_formula_against_the_exact_density(N):
    law = solve_box(1, 2, gated=False)
    exact = exact_ln_density(N, 2, [-8, -6, -3, -1, 0])
    np.testing.assert_allclose(ln_density(law, N, [-8, -6]), exact[:2], atol=0.02)
    around = shell(law, N, [-8, -6, -3, -1, 0], np.random.default_rng(0))
    np.testing.assert_allclose(around.ln_g, exact, atol=0.02)


def test_reference_values_of_the_small_loss_formula_and_its_slope():
    law = solve_box(2, 2)
    expected = {8: (-21.68, None), 16: (-29.66, -25.74), 32: (-46.93, -42.23)}
    for N, values in expected.items():
        computed = ln_density(law, N, [-7.75, -5.95])
        for value, seen in zip(values, computed, strict=True):
            assert value is None or seen == pytest.approx(value, abs=0.006)
    low = ln_density(law, 16, [-30, -29])
    assert low[1] - low[0] == pytest.approx(2, abs=1e-4)  # K^2 / 2


def test_populations_along_the_loss():
    law, rng = solve_box(2, 2), np.random.default_rng(0)
    around = shell(law, 16, [-14.0, -4.15, -2.35, 0.3], rng, directions=100)
    np.testing.assert_allclose(around.p_n.sum(1), 1)
    np.testing.assert_allclose(around.p_n[0], law.p_n, atol=0.002)
    # sampled landscapes of 16 units
    np.testing.assert_allclose(around.p_n[1], (0.116, 0.634, 0.249), atol=0.012)
    np.testing.assert_allclose(around.p_n[2], (0.150, 0.593, 0.257), atol=0.012)
    np.testing.assert_allclose(around.p_n[3], (0.25, 0.5, 0.25), atol=0.04)  # the box prior


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: solve_box(2, 0), "box = 0"),
        (lambda: solve_box(0, 2), "contexts = 0"),
        (lambda: solve_box(2, 2, gated=False), "only K = 1"),
        (lambda: solve_box(2, 0.9), "wider box"),
        (lambda: exact_ln_density(2, 2, [0]), "units = 2"),
        (lambda: exact_ln_density(0, 2, [0]), "units = 0"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()
