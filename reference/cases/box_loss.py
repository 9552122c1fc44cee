"""Losses whose canonical ensemble in a box is known exactly: for motion and tempering at T.

Both are sums over coordinates, so the coordinates are independent and each is one integral.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.reference.cases.least_squares import least_squares
from wlnn.tasks.problem import Problem

ABOUT = """theta in [-1, 1]^n, L = sum_i k_i theta_i^2 / 2 + L0. At temperature T each coordinate is
a normal number of variance T / k_i cut at the box: with a = sqrt(k / 2T) and E = erf(a),
Z = sqrt(2 pi T / k) E / 2 (a fraction of the box) and <k theta^2 / 2> = (T / 2) (1 - 2 a e^(-a^2) /
(sqrt(pi) E)). The second case puts a double well, h (theta_0^2 - d^2)^2 + s theta_0, into the place
of coordinate 0, one integral by quadrature: motion at low T stays in the well where it begins."""

STIFFNESS = (0.05, 1.0, 6.0, 40.0)  # k_i: from one that only the box holds to a stiff one
FLOOR = 0.01  # L0: x = ln L stays finite
TEMPERATURE = 0.4
WELL = (12.0, 0.7, 0.25)  # h, d, s of the double well: 2.9 high, and 0.35 between the minima
TABLE = {  # T: <L>, ln Z, heat capacity of the quadratic case; exact to 1e-9, checked by quadrature
    0.1: (0.16694004, -5.69899035, 1.45838131),
    0.4: (0.53627732, -3.60401430, 1.09501799),
}


class Canonical(NamedTuple):
    """Exact averages at one temperature."""

    loss: float
    ln_z: float  # Z = mean of exp(-L / T) over the box
    heat_capacity: float  # var(L) / T^2


def quadratic(stiffness=STIFFNESS) -> Problem:
    """The quadratic case, as least squares: one row per coordinate, one for L0."""
    k = np.array(stiffness)
    rows = np.vstack([np.diag(np.sqrt(0.5 * k * (len(k) + 1))), np.zeros(len(k))])
    targets = np.zeros(len(k) + 1)
    targets[-1] = math.sqrt(FLOOR * (len(k) + 1))
    return least_squares("box-loss", (rows, targets), None)


def quadratic_exact(temperature: float, stiffness=STIFFNESS) -> Canonical:
    """Closed forms of the quadratic case."""
    loss, ln_z, capacity = FLOOR, -FLOOR / temperature, 0.0
    for k in stiffness:
        a = math.sqrt(k / (2 * temperature))
        edge = 2 * a * math.exp(-a * a) / (math.sqrt(math.pi) * math.erf(a))
        # with q = a^2 theta^2: <q> = (1 - edge) / 2 and <q^2> = 3 <q> / 2 - a^2 edge / 2
        mean = (1 - edge) / 2
        loss += temperature * mean
        capacity += 1.5 * mean - 0.5 * a * a * edge - mean * mean
        ln_z += math.log(math.sqrt(math.pi) * math.erf(a) / (2 * a))
    return Canonical(loss, ln_z, capacity)


def ranks(theta: np.ndarray, temperature: float, stiffness=STIFFNESS) -> np.ndarray:
    """Numbers that are uniform on (0, 1) in the ensemble: each coordinate's cumulative share."""
    from scipy.special import erf

    a = np.sqrt(np.array(stiffness) / (2 * temperature))
    return 0.5 * (1 + erf(a * theta) / erf(a))


def double_well(stiffness=STIFFNESS[1:]) -> Problem:
    """The second case: the well along coordinate 0, springs along the others."""
    h, d, s = WELL
    k = np.array(stiffness)

    def evaluate(xp, theta):
        t, rest = theta[:, 0], theta[:, 1:]
        loss = h * (t * t - d * d) ** 2 + s * (t + 1) + 0.5 * (k * rest * rest).sum(1) + FLOOR
        return xp.log(loss), t, None, (theta, loss)

    def backward(xp, tape, ux, uy):
        theta, loss = tape
        t = theta[:, :1]
        slope = xp.concatenate([4 * h * t * (t * t - d * d) + s, k * theta[:, 1:]], axis=1)
        slope = slope * (ux / loss)[:, None]
        slope[:, 0] += uy
        return slope

    n = 1 + len(k)
    return Problem(
        name="double-well",
        lo=-np.ones(n),
        hi=np.ones(n),
        evaluate=evaluate,
        backward=backward,
        start=lambda rng, walkers: np.tile(np.eye(n)[0] * d, (walkers, 1)),  # the upper well
        names=("ln L", "t"),
        about={"case": "double-well"},
    )


def _well_table(temperature: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Coordinate 0: midpoints of 200,000 cells, their loss and their probability."""
    h, d, s = WELL
    t = (np.arange(200_000) + 0.5) / 100_000 - 1
    loss = h * (t * t - d * d) ** 2 + s * (t + 1)
    weight = np.exp(-loss / temperature)
    return t, loss, weight / weight.sum()


def well_ranks(t: np.ndarray, temperature: float) -> np.ndarray:
    """As :func:`ranks` for coordinate 0 of the double well."""
    points, _, weight = _well_table(temperature)
    return np.interp(t, points + 0.5e-5, np.cumsum(weight))


def well_draws(temperature: float, n: int, rng: np.random.Generator) -> np.ndarray:
    """``n`` losses of the double well from the exact ensemble, by inverting each coordinate."""
    from scipy.special import erf, erfinv

    _, losses, weight = _well_table(temperature)
    total = FLOOR + np.interp(rng.random(n), np.cumsum(weight), losses)
    for k in STIFFNESS[1:]:
        a = math.sqrt(k / (2 * temperature))
        q = erfinv(erf(a) * (2 * rng.random(n) - 1)) / a
        total += 0.5 * k * q * q
    return total
