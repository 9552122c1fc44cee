"""Canonical averages of landscapes whose averages are known."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.canonical.reweight import canonical, covered_range, temperature_of, trusted_rows
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.reference.cases import box_loss, maxnorm


def power_law(n, low=-9.0, high=0.0, width=0.1, walkers=1, noise=0.0, y=None, **meta):
    """S of L = |theta|^2 in n dimensions inside the ball: masses e^(n x / 2), and y of each row."""
    x = Axis.of_width("ln train loss", low, high, width)
    y_axis = Axis.counts("test accuracy", 4)
    mass = np.diff(np.exp(0.5 * n * x.edges))
    share = np.full((x.n, y_axis.n), 1e-300)
    place = np.zeros(x.n, int) if y is None else y_axis.index(y(x.centres))
    share[np.arange(x.n), place] = 1.0
    S = np.log(mass)[:, None] + np.log(share)
    rng = np.random.default_rng(0)
    S = S + noise * rng.standard_normal((walkers, x.n, 1))
    ones = np.ones(S.shape[1:], int)
    return Landscape(Grid(x, y_axis), S, ones, ones > 0, {"gauge": "box", **meta})


def test_maxnorm_averages_are_exact_but_for_the_width_of_its_bins():
    case = maxnorm.problem()
    mass = maxnorm.masses(case)
    exact = Landscape(
        case.grid, np.log(mass)[None], np.ones(mass.shape, int), mass > 0, {"gauge": "box"}
    )
    found = canonical(exact, [1.0, 0.1])
    for k, beta in enumerate((1.0, 10.0)):
        mean, ln_z = maxnorm.canonical(beta)
        assert found.values["loss"][k] == pytest.approx(mean, rel=2e-3)
        assert found.values["ln_z"][k] == pytest.approx(ln_z, abs=2e-3)
    assert np.isnan(found.errors["loss"]).all()  # one walker
    assert found.covered.all()


def test_a_power_law_has_n_over_2_T_whatever_the_width_of_the_bins():
    """<L> = n T / 2, heat capacity n / 2, F from Z = Gamma(n / 2 + 1) T^(n / 2)."""
    from scipy.special import gammaln

    for n, width in ((8, 0.1), (40, 0.5)):
        found = canonical(power_law(n, width=width), [2e-3])
        assert found.covered.all()
        assert found.values["loss"][0] == pytest.approx(1e-3 * n, rel=5e-3)
        assert found.values["heat_capacity"][0] == pytest.approx(n / 2, rel=2e-2)
        ln_z = gammaln(n / 2 + 1) + n / 2 * np.log(2e-3)
        assert found.values["ln_z"][0] == pytest.approx(ln_z, abs=0.05)
        assert found.free_energy[0] == pytest.approx(-2e-3 * ln_z, abs=2e-4)


def test_densities_of_molecular_dynamics_are_taken_as_such():
    """S(x) of the density at the bins' centres, n / 2 x + const: the same averages."""

    exact = power_law(40, width=0.2, sampler="wlmd",
                      wlmd={"x_low": -9.5, "x_high": 1.0, "sigma": 0.2})  # fmt: skip
    density = np.broadcast_to(20 * exact.grid.x.centres[:, None], exact.grid.shape)[None]
    found = canonical(replace(exact, entropies=density.copy()), [2e-3])
    assert found.values["loss"][0] == pytest.approx(0.04, rel=2e-3)


def test_the_test_quantity_is_that_of_the_rows_in_question():
    step = power_law(20, y=lambda x: np.where(x < -3.0, 1.0, 0.25))
    cold, hot = canonical(step, [1e-3, 1e-1]).values["y"]  # <L> = 0.01 and above the step
    assert cold == pytest.approx(1.0, abs=1e-3)
    assert hot == pytest.approx(0.25, abs=1e-3)


def test_errors_are_those_of_walkers():
    """Noise s per row and walker makes ln Z uncertain by s sqrt(sum p^2 / R), here s = 0.1."""
    found = canonical(power_law(20, walkers=64, noise=0.1), [5e-3])
    one = canonical(power_law(20), [5e-3])
    assert found.errors["ln_z"][0] == pytest.approx(0.1 * 0.3 / 8, rel=0.6)
    assert abs(found.values["ln_z"][0] - one.values["ln_z"][0]) < 4 * found.errors["ln_z"][0]


def test_what_a_window_does_not_cover_is_said():
    landscape = power_law(20, low=-5.0)
    low, high = covered_range(landscape)
    assert np.isinf(high)  # the gauge says that nothing lies above
    # <ln L> = psi(n/2) + ln T: at the edge where its lower tail of 1 % begins
    exact = np.exp(-5.0) / 4.13  # T at which 1 % of Gamma(10) lies below e^-5
    assert low == pytest.approx(exact, rel=0.1)
    assert canonical(landscape, [0.9 * low, 1.1 * low]).covered.tolist() == [False, True]
    window = power_law(20, low=-5.0, high=-3.0, gauge="window")
    assert canonical(window, [0.01]).above[0] > 0.01  # <L> = 0.1 > e^-3


def test_rows_with_a_hole_or_near_a_wall_are_not_trusted():
    landscape = power_law(20)
    landscape.entropies[0, 40] = np.nan
    assert trusted_rows(landscape) == slice(41, 90)
    walls = {"x_low": -8.0, "x_high": -1.0, "sigma": 0.2}
    walled = power_law(20, sampler="wlmd", wlmd=walls)
    x = walled.grid.x.centres[trusted_rows(walled)]
    assert x[0] == pytest.approx(-7.55)
    assert x[-1] == pytest.approx(-1.45)
    landscape.entropies[:] = np.nan
    with pytest.raises(UserError, match="no two neighbouring rows"):
        canonical(landscape, [1.0])


def test_the_temperature_of_a_loss():
    landscape = power_law(20)
    assert temperature_of(landscape, -4.0) == pytest.approx(np.exp(-4.0) / 10, rel=1e-3)
    with pytest.raises(UserError, match="outside the landscape"):
        temperature_of(landscape, -12.0)
    with pytest.raises(UserError, match="positive"):
        canonical(landscape, [0.0])


def test_the_closed_forms_of_the_box_by_quadrature():
    """<L>, ln Z and heat capacity of the quadratic loss: 400 Gauss points for each coordinate."""
    nodes, weights = np.polynomial.legendre.leggauss(400)
    for T, stored in box_loss.TABLE.items():
        loss, ln_z, capacity = box_loss.FLOOR, -box_loss.FLOOR / T, 0.0
        for k in box_loss.STIFFNESS:
            part = 0.5 * k * nodes**2
            p = weights * np.exp(-part / T)
            mean = p @ part / p.sum()
            loss += mean
            ln_z += np.log(p.sum() / 2)
            capacity += (p @ part**2 / p.sum() - mean**2) / T**2
        exact = box_loss.quadratic_exact(T)
        assert exact == pytest.approx((loss, ln_z, capacity), rel=1e-10)
        assert exact == pytest.approx(stored, rel=1e-7)


def test_a_test_quantity_that_is_linear_in_x_is_felt_inside_the_bins():
    """S rises by 6 nats a bin: rows have the mean of y near their upper edges, the weight not."""
    n, width = 120, 0.1
    x = Axis.of_width("ln train loss", -9.0, 0.0, width)
    rate = n / 2
    mean_x = x.edges[1:] - 1 / rate + width / np.expm1(rate * width)  # under e^(n x / 2) of a bin
    share = 0.9 + 0.05 * mean_x  # of accuracy 1, the rest has accuracy 0
    mass = np.diff(np.exp(rate * x.edges))[:, None] * np.stack([1 - share, share], axis=1)
    grid, seen = Grid(x, Axis.counts("test accuracy", 1)), np.ones((x.n, 2), int)
    found = canonical(Landscape(grid, np.log(mass)[None], seen, seen > 0, {"gauge": "box"}), [1e-5])
    assert found.values["y"][0] == pytest.approx(0.9 + 0.05 * found.values["ln_loss"][0], abs=2e-5)


def test_a_landscape_of_train_accuracies_has_no_temperatures():
    found = power_law(20)
    x = Axis("train accuracy", *found.grid.x[1:])
    with pytest.raises(UserError, match=r"need x = ln\(train loss\), and this landscape has x ="):
        canonical(replace(found, grid=found.grid._replace(x=x)), [0.1])
