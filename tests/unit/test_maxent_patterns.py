"""The full solver with targets and patterns that have no symmetry."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.maxent.patterns import binary_patterns, solve_patterns
from wlnn.maxent.sampling import draw_units
from wlnn.networks.context import task_matrix

HALF = solve_patterns(np.eye(2) / 2, np.zeros(2), 1.0)  # gains of one half


@pytest.mark.parametrize("gains", ["annealed", "quenched"])
def test_any_target_is_met(gains, rng):
    target = rng.standard_normal((3, 5))
    law = solve_patterns(*binary_patterns(3, 0.3), 0.7, target=target, gains=gains)
    np.testing.assert_allclose(law.moments, target, atol=1e-11)
    assert law.p.sum() == pytest.approx(1)
    if gains == "quenched":
        np.testing.assert_allclose(law.p, law.p0)


def test_kl_is_the_largest_value_of_the_dual(rng):
    """-F(Lambda) at other multipliers is a lower bound of KL."""
    g, ln_p0 = binary_patterns(2)
    law = solve_patterns(g, ln_p0, 0.8)
    for _ in range(20):
        b = law.multipliers + 0.05 * rng.standard_normal((2, 2))
        r2 = ((g @ b) ** 2).sum(1)
        bound = np.trace(b) / 0.8**2 - np.log(np.exp(ln_p0) @ (1 - r2) ** -0.5)
        assert bound < law.kl


def test_unequal_gains_and_target_are_drawn_with_the_right_moments(rng):
    g = np.array([[1, 0], [0, 1], [1, 1.0]])
    target = np.array([[1, 0.2], [-0.5, 2]])
    law = solve_patterns(g, np.log([0.6, 0.3, 0.1]), 1.2, target=target)
    units = draw_units(law, 200_000, rng)
    products = units.g[:, :, None] * (units.w[:, None] * units.m)[:, None, :]
    error = products.std(axis=0) / np.sqrt(len(units.w))
    # eight standard-normal scores; 5 sigma has a false-alarm rate below 1e-5
    assert (np.abs(task_matrix(units) - target) < 5 * error).all()


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (lambda: binary_patterns(11), "stops at 10"),
        (lambda: binary_patterns(2, 1), "f = 1"),
        (lambda: solve_patterns(np.ones((3, 2)), np.zeros(3), 1), "tell all contexts apart"),
        (lambda: solve_patterns(np.eye(2), np.zeros(3), 1), "shapes"),
        (
            lambda: solve_patterns(np.eye(2), np.zeros(2), 1, target=np.eye(3)),
            "one row per context",
        ),
        (lambda: solve_patterns(np.eye(2), np.zeros(2), 1, gains="x"), "annealed"),
        (lambda: solve_patterns(np.eye(2), np.zeros(2), -1), "weight scale = -1"),
        (lambda: draw_units(HALF, 9, np.random.default_rng(0)), "gains 0 and 1"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(call, said):
    with pytest.raises(UserError, match=said):
        call()
