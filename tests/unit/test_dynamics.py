"""One time step: reflection, the thermostat's law, and what is conserved without it."""

import numpy as np
import pytest

from wlnn.wlmd.integrator import (
    Motion,
    drift,
    energy,
    kinetic_temperature,
    langevin_step,
    thermostat,
)

LO, HI = np.array([-1.0, -2.0]), np.array([1.0, 0.5])


def test_drift_mirrors_position_and_velocity():
    theta = np.array([[0.9, 0.4], [-0.9, -1.9], [0.0, 0.0]])
    v = np.array([[2.0, -1.0], [-3.0, -2.0], [1.0, 1.0]])
    moved, speed = drift(np, theta, v, 0.1, LO, HI)
    np.testing.assert_allclose(moved, [[0.9, 0.3], [-0.8, -1.9], [0.1, 0.1]])
    np.testing.assert_array_equal(speed, [[-2, -1], [3, 2], [1, 1]])


def test_flight_is_reversible_through_the_walls():
    rng = np.random.default_rng(0)
    start, v = rng.uniform(LO, HI, (50, 2)), rng.normal(size=(50, 2))
    theta = start
    for _ in range(40):
        theta, v = drift(np, theta, v, 0.1, LO, HI)
    v = -v
    for _ in range(40):
        theta, v = drift(np, theta, v, 0.1, LO, HI)
    np.testing.assert_allclose(theta, start, atol=1e-12)


def test_thermostat_keeps_temperature_one():
    """v Normal(0, 1) stays so: the mean of v^2 over 4e5 numbers is 1 within 5 sigma."""
    rng = np.random.default_rng(0)
    v, noise = rng.standard_normal((2, 400_000))
    for keep in (0.99, 0.5, 0.0):
        after = thermostat(v, keep, noise)
        assert kinetic_temperature(after) == pytest.approx(1, abs=5 * (2 / 400_000) ** 0.5)
        assert np.mean(after * v) == pytest.approx(keep, abs=0.012)


def test_energy_is_conserved():
    """A stiff and a soft spring, without thermostat, over 20 time units: to second order in free
    flight; a wall in the way costs an order, but nothing is lost for ever.
    """
    stiff = np.array([25.0, 1.0])

    def spread(dt, size):
        motion, box = Motion(dt, 0.0, 1), (size * LO, size * HI)
        theta, v = np.array([[0.7, -1.0]]), np.array([[0.3, 1.5]])
        energies = []
        for _ in range(round(20 / dt)):
            force = -stiff * theta
            energies.append(energy(v, force, dt, 0.5 * (stiff * theta**2).sum(-1))[0])
            theta, v = langevin_step(np, theta, v, force, None, motion, *box)
        return np.ptp(energies)

    coarse, fine = spread(0.02, 10), spread(0.005, 10)
    assert fine < 0.01
    assert 12 < coarse / fine < 20
    assert spread(0.005, 1) < 0.02  # of 7.4


@pytest.mark.parametrize("half_drifts", [True, False])
def test_a_step_is_its_formula(half_drifts):
    theta, v, force, noise = np.random.default_rng(1).normal(0, 0.1, (4, 3, 2))
    motion = Motion(0.1, 0.8, 1, int(half_drifts))
    new, speed = langevin_step(np, theta, v, force, noise, motion, LO, HI)
    kicked = v + 0.1 * force
    heated = 0.8 * kicked + 0.6 * noise
    flight = 0.05 * (kicked + heated) if half_drifts else 0.1 * heated
    np.testing.assert_allclose(new, theta + flight, rtol=1e-12)
    np.testing.assert_allclose(speed, heated, rtol=1e-12)
    new, speed = langevin_step(np, theta, v, force, None, motion, LO, HI)
    np.testing.assert_allclose(new, theta + 0.1 * kicked, rtol=1e-12)
    np.testing.assert_array_equal(speed, kicked)
