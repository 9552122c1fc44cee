"""Systems of the exact cases: the driver's functions against NumPy, NumPy against the masses."""

import numpy as np
import pytest
from scipy.stats import chi2

from wlnn.reference.cases import (
    hidden_unit,
    ising,
    logistic,
    maxnorm,
    ternary_perceptron,
    train_accuracy,
    twin_quadratic,
)
from wlnn.wlmc import driver as kernels


def _table(values, shape):
    mass = np.zeros(shape)
    mass[-values.shape[0] :, 1 : 1 + values.shape[1]] = values
    return mass


CASES = {  # name: problem, exact masses of its grid (tables are checked in test_reference_tables)
    "maxnorm": lambda: (maxnorm.problem(), maxnorm.masses()),
    "ternary": lambda: (ternary_perceptron.problem(), ternary_perceptron.TABLE / 20.0**9),
    "ternary window": lambda: (
        ternary_perceptron.problem(6, 1, 7),
        ternary_perceptron.TABLE[:6, 1:8] / 20.0**9,
    ),
    "logistic": lambda: (logistic.problem(), _table(logistic.TABLE, (18, 6))),
    "tanh": lambda: (hidden_unit.problem("tanh"), hidden_unit.TABLE["tanh"][:, None]),
    "relu": lambda: (hidden_unit.problem("relu"), hidden_unit.TABLE["relu"][:, None]),
    "twin": lambda: (twin_quadratic.problem(), twin_quadratic.masses()),
    "ising": lambda: (ising.problem(), ising.masses()),
    "accuracies": lambda: (train_accuracy.problem(), train_accuracy.masses()),
}


@pytest.mark.parametrize("name", CASES)
def test_uniform_points_fall_into_bins_as_the_masses_say(name):
    """Fixed seed; a right case fails with probability 1e-6."""
    case, mass = CASES[name]()
    rng = np.random.default_rng(0)
    n = 5_000
    points = rng.uniform(case.lo, case.hi, (n, case.n_parameters))
    values = np.array([case.observe(point) for point in points])
    bins = np.stack(case.grid.index(values[:, 0], values[:, 1]))
    found = np.zeros(mass.shape)
    np.add.at(found, tuple(bins[:, bins[0] >= 0]), 1)
    assert found[mass == 0].sum() == 0
    outside = max(1 - mass.sum(), 0.0)
    expected = n * np.append(mass.ravel(), outside)
    found = np.append(found.ravel(), n - found.sum())
    rare = expected < 10
    expected = np.append(expected[~rare], expected[rare].sum())
    found = np.append(found[~rare], found[rare].sum())
    keep = expected > 1
    distance = ((found - expected)[keep] ** 2 / expected[keep]).sum()
    assert chi2.sf(distance, keep.sum() - 1) > 1e-6


@pytest.mark.parametrize("name", CASES)
def test_driver_functions_follow_observe_along_a_walk(name):
    case, _ = CASES[name]()
    rng = np.random.default_rng(1)
    theta = rng.uniform(case.lo, case.hi)
    system = case.system("float64")
    axes = slice(0, 1 if case.grid.y.n == 1 else 2)  # y is ignored on a single bin

    def same(found, theta):
        found = kernels.x_value(system, found[0]), found[1]
        assert found[axes] == pytest.approx(case.observe(theta)[axes], rel=1e-10, abs=1e-10)

    same(kernels.refresh(system, theta), theta)
    for _ in range(40):
        i = rng.integers(theta.size)
        moved = theta.copy()
        moved[i] = rng.uniform(case.lo[i], case.hi[i])
        same(kernels.propose(system, theta, i, moved[i]), moved)
        if rng.random() < 0.5:
            kernels.commit(system, theta, i, moved[i])
            theta = moved
    same(kernels.refresh(system, theta), theta)


@pytest.mark.parametrize(
    ("module", "case"),
    [(maxnorm, maxnorm.problem()), (ternary_perceptron, ternary_perceptron.problem(6, 1, 7))],
)
def test_exact_starts_are_flat_and_inside(module, case):
    """Fixed seed; right draws fail with probability 1e-6 (two chi-squares)."""
    rng = np.random.default_rng(2)
    theta = module.starts(case, 10_000, rng)
    assert (theta >= case.lo).all()
    assert (theta <= case.hi).all()
    values = np.array([case.observe(point) for point in theta])
    ix, iy = case.grid.index(values[:, 0], values[:, 1])
    assert (ix >= 0).all()
    support = module.masses(case) > 0
    found = np.bincount(ix * case.grid.y.n + iy, minlength=support.size)
    assert found[~support.ravel()].sum() == 0
    found = found[support.ravel()]
    expected = found.sum() / found.size
    assert chi2.sf(((found - expected) ** 2 / expected).sum(), found.size - 1) > 5e-7
    inside, _ = np.histogram(module.positions(theta), bins=20, range=(0, 1))
    expected = inside.sum() / 20
    assert chi2.sf(((inside - expected) ** 2 / expected).sum(), 19) > 5e-7
