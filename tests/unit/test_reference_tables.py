"""Every table of the exact cases is recomputed, and cross-checked by a second formula."""

import itertools
import math

import numpy as np
import pytest

from wlnn.reference.cases import (
    angle,
    hidden_unit,
    ising,
    logistic,
    maxnorm,
    ternary_perceptron,
    train_accuracy,
    twin_quadratic,
)


def test_maxnorm_masses():
    mass = maxnorm.masses()
    for k, value in maxnorm.TABLE.items():
        assert mass[k, 0] == pytest.approx(value, rel=1e-6)
    # the bins are the whole box but for what lies below the first edge
    assert mass.sum() == pytest.approx(1 - math.exp(4 * -4.0), rel=1e-12)


def test_maxnorm_canonical_averages_by_quadrature():
    loss, weight = np.polynomial.legendre.leggauss(60)
    loss, weight = (loss + 1) / 2, weight / 2
    for beta, (mean, ln_z) in maxnorm.TABLE_CANONICAL.items():
        density = 4 * loss**3 * np.exp(-beta * loss) * weight
        found = (density @ loss / density.sum(), math.log(density.sum()))
        assert found == pytest.approx((mean, ln_z), rel=1e-9)
        assert maxnorm.canonical(beta) == pytest.approx((mean, ln_z), rel=1e-9)


def test_ternary_perceptron_counts():
    counts = ternary_perceptron.counts()
    assert np.array_equal(counts, ternary_perceptron.TABLE)
    assert counts.sum() == 20**9
    assert (counts > 0).sum() == 70
    window = ternary_perceptron.masses(ternary_perceptron.problem(6, 1, 7))
    assert (window > 0).sum() == 42
    assert window.sum() == pytest.approx(0.5242749750, rel=1e-9)


def test_logistic_masses_and_accuracy():
    mass = logistic.masses()
    table = np.zeros((18, 6))
    table[1:, 1:5] = logistic.TABLE
    assert np.array_equal(mass > 0, table > 0)
    assert mass == pytest.approx(table, rel=1e-6)
    assert mass.sum() == pytest.approx(1.0, rel=1e-12)
    accuracy = logistic.equilibrium_accuracy(mass)
    assert np.isnan(accuracy[0])
    assert accuracy[1:] == pytest.approx(logistic.TABLE_ACCURACY, abs=1e-6)


@pytest.mark.parametrize("activation", ["tanh", "relu"])
def test_hidden_unit_masses(activation):
    mass = hidden_unit.masses(activation)
    assert mass[:, 0] == pytest.approx(hidden_unit.TABLE[activation], rel=1e-3)
    assert mass.sum() == pytest.approx(1.0, rel=1e-9)


def test_masses_of_accuracies_are_areas_of_the_square():
    """Of every w the lengths in b, which are linear in w between kinks at 0 and +-2 / x."""
    points = np.concatenate([train_accuracy.X_TRAIN, train_accuracy.X_TEST])
    labels = np.concatenate([train_accuracy.Y_TRAIN, train_accuracy.Y_TEST])
    kinks = np.unique(np.concatenate([[-2, 0, 2], -2 / points, 2 / points]).clip(-2, 2))
    mass = np.zeros((6, 5))
    for low, high in itertools.pairwise(kinks):
        w = (low + high) / 2  # the mean of linear lengths
        cuts = np.sort(np.concatenate([[-2, 2], (-w * points).clip(-2, 2)]))
        for b, length in zip((cuts[1:] + cuts[:-1]) / 2, np.diff(cuts), strict=True):
            right = (w * points + b > 0) == (labels == 1)
            mass[right[:5].sum(), right[5:].sum()] += (high - low) * length / 16
    assert train_accuracy.masses() == pytest.approx(mass, abs=1e-14)
    assert (mass > 0).sum() >= 10


def test_twin_quadratic_masses():
    case = twin_quadratic.problem()
    mass = twin_quadratic.masses(case)
    for bins, value in twin_quadratic.TABLE.items():
        assert mass[bins] == pytest.approx(value, rel=1e-6)
    for bins in ((7, 8), (8, 8), (8, 7)):  # wholly inside the box: a second formula
        assert mass[bins] == pytest.approx(twin_quadratic.free_mass(case, *bins), rel=1e-12)
    one = twin_quadratic.masses(twin_quadratic.problem(twin_quadratic.grid_1d()))
    assert one[:, 0] == pytest.approx(twin_quadratic.TABLE_1D, rel=1e-6)


def test_ball_in_cube_against_a_histogram_of_points():
    radii = (np.random.default_rng(0).uniform(-1, 1, (200_000, 3)) ** 2).sum(axis=1)
    for q in (0.5, 1.3, 1.9, 2.2, 2.7):
        exact = twin_quadratic.ball_in_cube(np.array([q]))[0]
        error = math.sqrt(exact * (1 - exact) / radii.size)
        assert abs((radii <= q).mean() - exact) < 5 * error
    joints = twin_quadratic.ball_in_cube(np.array([0, 1 - 1e-9, 1 + 1e-9, 2 - 1e-9, 2 + 1e-9, 3]))
    assert joints[[0, -1]] == pytest.approx([0, 1], abs=1e-14)
    assert np.diff(joints)[[1, 3]] == pytest.approx(0, abs=1e-8)


def test_ising_counts_by_transfer_matrix_and_by_listing_all_states():
    counts = ising.counts(4)
    assert np.array_equal(counts, ising.enumerate_4())
    for energy, number in ising.TABLE.items():
        assert counts[(energy + 32) // 4] == counts[(32 - energy) // 4] == number
    assert counts.sum() == 2**16
    counts = [int(count) for count in ising.counts(8)]
    for energy, number in ising.TABLE_8.items():
        assert counts[(energy + 128) // 4] == number
    assert sum(counts) == 2**64


def test_angle_masses_by_uniform_angles():
    case = angle.problem()
    thetas = np.linspace(-np.pi, np.pi, 400_001)[:-1] + np.pi / 400_001
    ix, iy = case.grid.index(-np.cos(thetas), (thetas > 0).astype(float))
    found = np.zeros(case.grid.shape)
    np.add.at(found, (ix[ix >= 0], iy[ix >= 0]), 1 / len(thetas))
    np.testing.assert_allclose(found, angle.masses(case), atol=1e-5)
    assert angle.masses(case).sum() == pytest.approx(0.5)


def test_the_loss_of_the_torus_has_the_levels_of_its_energy():
    """Draws of spins: the loss is E + 34, and every level up to 16 has its share."""
    case, torus, rng = ising.as_loss(), ising.problem(), np.random.default_rng(0)
    for theta in rng.uniform(-1, 1, (20, 16)):
        assert case.observe(theta)[0] == pytest.approx(np.log(torus.observe(theta)[0] + 34))
    masses, levels = ising.masses_of_loss()[:, 0], ising.masses()[:, 0]
    assert np.array_equal(masses[masses > 0], levels[levels > 0][:12])
