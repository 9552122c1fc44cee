"""Learning coefficients of landscapes whose lambda and multiplicity are known."""

import re
from dataclasses import replace

import numpy as np
import pytest
from command_line import run

from wlnn.base.errors import UserError
from wlnn.canonical import learning
from wlnn.canonical.learning import Slope, learning_coefficient
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.reference.cases import normal_crossing
from wlnn.report.learning import _judged

RANGE = {(2, 2): (-30, -4), (2, 4): (-30, -20), (2,): (-30, -1), (2, 2, 2): (-30, -4)}


def landscape(mass, low, high=0.0, walkers=1, noise=0.0, seed=0, **meta):
    """Rows of x = ln L with these masses, and noise of each walker and row."""
    x = Axis("ln train loss", low, high, len(mass))
    rng = np.random.default_rng(seed)
    S = np.log(mass)[:, None] + noise * rng.standard_normal((walkers, len(mass), 1))
    ones = np.ones(S.shape[1:], int)
    return Landscape(Grid(x, Axis.single()), S, ones, ones > 0, {"gauge": "box", **meta})


def crossing(exponents, **options):
    edges = np.linspace(-30, 0, 121)
    return landscape(np.diff(normal_crossing.volume(exponents, edges)), -30, **options)


@pytest.mark.parametrize("exponents", normal_crossing.CASES)
def test_volumes_of_normal_crossings_are_those_of_draws(exponents):
    """By a second way: 2e5 draws; the largest of ten differences in 1e5 is 4.4 errors."""
    rng = np.random.default_rng(0)
    w = np.abs(rng.uniform(-1, 1, (200_000, len(exponents))))
    x = (np.array(exponents) * np.log(w)).sum(axis=1)
    for at in np.linspace(-10, -0.5, 10):
        share = normal_crossing.volume(exponents, at)
        error = np.sqrt(share * (1 - share) / len(x))
        assert abs((x <= at).mean() - share) < 4.5 * error
    for T in (0.01, 0.3):
        weight = np.exp(-np.exp(x) / T)
        mean = weight @ np.exp(x) / weight.sum()
        assert normal_crossing.mean_loss(exponents, T) == pytest.approx(mean, rel=0.05)


@pytest.mark.parametrize("exponents", normal_crossing.CASES)
def test_the_slope_of_exact_entropies_is_lambda_with_the_right_multiplicity_alone(exponents):
    exact, m = normal_crossing.CASES[exponents]
    found = learning_coefficient(
        crossing(exponents), multiplicities=(1, 2, 3), span=RANGE[exponents]
    )
    for slope in found.slopes:
        if slope.multiplicity == m:
            assert slope.value == pytest.approx(exact, abs=3e-3)
            assert abs(slope.drift) < 2e-3
        else:
            assert abs(slope.value - exact) > 0.03
            assert abs(slope.drift) > 0.007
            assert np.sign(slope.drift) == np.sign(m - slope.multiplicity)


def test_a_regular_loss_has_half_as_many_as_parameters_above_its_least_loss():
    """K = |w|^2 in n dimensions, L = L0 + K: with L0 left out there is no power, and it drifts."""
    for n, floor in ((3, 0.0), (40, 0.0), (40, 0.02)):
        edges = np.log(floor + np.exp(np.linspace(-5, 0, 101)))
        edges = np.linspace(edges[0], edges[-1], 101)
        mass = np.diff(np.maximum(np.exp(edges) - floor, 1e-300) ** (n / 2))
        exact = landscape(mass, edges[0], edges[-1], task={"points": [5000, 10]})
        found = learning_coefficient(exact, floor=floor, span=(-3.5, -1.5))
        assert found.slopes[0].value == pytest.approx(n / 2, rel=1e-2)
        assert abs(found.slopes[0].drift) < 0.02 * n
        assert found.rows == 5000
        assert found.covered[1]  # the coldest
        assert found.value[1] == pytest.approx(n / 2, rel=2e-2)  # the second estimate
        if floor:
            wrong = learning_coefficient(exact, span=(-3.5, -1.5)).slopes[0]
            assert wrong.value > 1.1 * n / 2
            assert wrong.drift > 0.1 * n


def test_densities_of_molecular_dynamics_are_taken_as_such():
    walls = {"x_low": -9.0, "x_high": 1.0, "sigma": 0.2}
    centres = np.linspace(-8, 0, 81)[:-1] + 0.05
    of_floor = np.log(np.exp(centres) - 1e-4)
    for floor, density in ((0.0, 20 * centres), (1e-4, 19 * of_floor + centres)):
        exact = landscape(np.exp(density), -8.0, sampler="wlmd", wlmd=walls)
        found = learning_coefficient(exact, floor=floor, span=(-7, -4)).slopes[0]
        assert found.value == pytest.approx(20, rel=1e-4)


def test_the_estimate_at_ln_n_over_n_is_that_of_the_exact_mean():
    for n in (500, 7000):
        found = learning_coefficient(crossing((2, 2)), rows=n)
        T = np.log(n) / n
        assert found.temperature[0] == pytest.approx(T)
        exact = normal_crossing.mean_loss((2, 2), T) / T
        assert found.value[0] == pytest.approx(exact, rel=2e-3)
        # and below lambda by the multiplicity, (m - 1) / ln(1 / T) to leading order
        assert 0.05 < 0.5 - exact < 1.2 / np.log(1 / T)


def test_intervals_hold_the_truth_as_often_as_they_say(monkeypatch):
    """95 % intervals of 6 walkers over 200 seeds: from 180 to 199, with a chance of 0.998."""
    monkeypatch.setattr(learning, "covered_range", lambda _: (np.nan, np.nan))  # which takes long
    inside = np.zeros(2)
    n = next(n for n in range(2, 20000) if np.log(n) / n < 1e-3)
    exact = normal_crossing.mean_loss((2, 2), np.log(n) / n) * n / np.log(n)
    for seed in range(200):
        found = learning_coefficient(
            crossing((2, 2), walkers=6, noise=0.1, seed=seed), n, multiplicities=(2,),
            span=(-30, -4),
        )  # fmt: skip
        factor, slope = found.t_factor(), found.slopes[0]
        inside += (
            abs(slope.value - 0.5) < factor * slope.error,
            abs(found.value[0] - exact) < factor * found.error[0],
        )
    assert (inside >= 180).all()
    assert (inside <= 199).all()


def test_what_cannot_be_estimated_is_refused_with_a_sentence():
    found = crossing((2, 2))
    for options, sentence in (
        ({"floor": -1.0}, "must be a number of 0 or more, not -1"),
        ({"floor": 5.0}, "above every loss of the landscape, whose highest is 1"),
        ({"floor": 0.2}, "the floor 0.2 is above losses that were found, down to"),
        ({"span": (-3.0, -2.9)}, "too few for a slope, 4 are needed"),
        ({"rows": 2}, "rows must be a whole number of 3 or more"),
        ({"multiplicities": (0,)}, "multiplicities are whole numbers of 1 or more"),
        (
            {"span": (-3.0, 0.0), "scale": 0.5, "multiplicities": (1, 2)},
            "needs losses below the scale 0.5",
        ),
        ({"scale": 0.0}, "the scale of the logarithm must be above 0"),
    ):
        with pytest.raises(UserError, match=re.escape(sentence)):
            learning_coefficient(found, **options)


def test_rows_at_the_floor_are_too_wide_for_a_slope():
    """L = 0.05 + |w|^2 in six dimensions, rows from the floor on: with the first, 3.11 is found."""
    edges = np.linspace(np.log(0.05) + 1e-3, np.log(1.05), 81)
    exact = landscape(np.diff((np.exp(edges) - 0.05) ** 3), edges[0], edges[-1])
    found = learning_coefficient(exact, floor=0.05).slopes[0]
    assert found.value == pytest.approx(3, abs=0.01)
    assert abs(found.drift) < 0.01


def test_a_difference_inside_its_own_interval_is_no_drift():
    """Two walkers: half a 95 % interval is 12.7 errors, and 5 errors are none to be told."""
    slope = Slope(1, 1.0, 0.1, 0.5, 0.1)
    assert not _judged(slope, 12.7)
    assert _judged(slope, 4.3)
    assert not _judged(replace(slope, drift=0.25), 2.0)


def test_the_command_tells_both_and_what_drifts(tmp_path):
    saved = crossing((2, 2), walkers=6, noise=0.01, task={"task": "made"}).save(tmp_path / "s.npz")
    found = run("llc", saved, "--rows", "7000", "--range=-30,-4")
    assert found.status == 0, found.err
    lines = [line.split() for line in found.out.splitlines()]
    (one,), (two,) = ([line for line in lines if line[:1] == [m]] for m in "12")
    assert float(one[1]) == pytest.approx(0.433, abs=5e-3)
    assert "drifts: another m" in " ".join(one)
    assert float(two[1]) == pytest.approx(0.5, abs=5e-3)
    assert "drifts" not in two
    (own,) = (line for line in lines if "7000" in line)
    assert float(own[1]) == pytest.approx(0.384, abs=2e-3)
    without = run("llc", saved)
    assert "give --rows" in without.out
    cold = run("llc", saved, "--rows", "1000000000000")
    assert "not covered by this landscape" in cold.out
    for words, sentence in (
        (("--range=3,2",), "--range 3,2 is empty"),
        (("--floor", "7"), "above every loss"),
        (("--multiplicity", "0"), "0 is not in the range"),
    ):
        refused = run("llc", saved, *words)
        assert refused.status == 2
        assert sentence in refused.err
        assert "Traceback" not in refused.err
