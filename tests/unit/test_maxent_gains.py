"""Gains other than on and off: right where the law exists, refused where it does not."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.gains import GAIN_FUNCTIONS, solve_gain_function, solve_soft_relu


@pytest.mark.parametrize(("function", "sigma"), [("sigmoid", 4.0), ("tanh", 2.0)])
def test_the_nodes_stand_for_gaussian_context_weights(function, sigma):
    """<w g_k m_d> = delta_kd by plain sampling of the context weights (the rest is Gaussian)."""
    law = solve_gain_function(2, sigma, function)
    g = GAIN_FUNCTIONS[function](np.random.default_rng(0).standard_normal((400_000, 2)))
    U = g @ law.multipliers
    X = 1 / (1 - (U**2).sum(1))
    weight = np.sqrt(X) / np.sqrt(X).sum()
    moments = np.einsum("s,sk,sd->kd", weight * X * sigma**2, g, U)
    np.testing.assert_allclose(moments, np.eye(2), atol=0.05)  # about 6 standard errors
    np.testing.assert_allclose(law.moments, np.eye(2), atol=1e-9)


def test_a_steep_sigmoid_is_a_step():
    from wlnn.maxent.theory import solve

    steep = solve_gain_function(2, 2.0, "sigmoid", context_scale=300.0)
    np.testing.assert_allclose(steep.p_n, solve(2, 2.0).p, atol=0.03)


@pytest.mark.parametrize(
    ("function", "K", "sigma"), [("sigmoid", 2, 1.0), ("sigmoid", 2, 0.5), ("tanh", 2, 0.4)]
)
def test_where_mass_escapes_there_is_no_law(function, K, sigma):
    with pytest.raises(UserError, match="larger weight scale"):
        solve_gain_function(K, sigma, function)


def test_soft_relu_gains():
    law = solve_soft_relu(2, 2.0, np.random.default_rng(0))
    np.testing.assert_allclose(law.p, (0.208, 0.575, 0.217), atol=0.004)
    assert law.w2 == pytest.approx(6.90, abs=0.05)
    assert law.effective_sample > 1000


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: solve_gain_function(2, 2, "cubic"), "sigmoid"),
        (lambda: solve_gain_function(4, 2, "tanh"), "at most 3"),
        (lambda: solve_gain_function(2, 2, "tanh", context_scale=0), "context scale"),
        (
            lambda: solve_soft_relu(2, 0.3, np.random.default_rng(0), samples=20_000),
            "larger weight",
        ),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()
