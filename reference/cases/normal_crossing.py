"""R16: normal crossings, whose learning coefficient and multiplicity are known, and S with them.

A window of bins only; what a sampler makes of it is for the judges to say.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.tasks.problem import Problem

ABOUT = """w in [-1, 1]^d, K = prod w_i^(2 k_i), x = ln K = -sum 2 k_i E_i with E_i = -ln |w_i|
exponential of mean 1. Equal k: -x / 2k has a gamma distribution, V = Q(d, lambda ln 1/K), lambda =
1 / 2k with multiplicity d. Two unlike: V = (a e^(b x) - b e^(a x)) / (a - b), a = 1 / 2k_1 > b =
1 / 2k_2: lambda = b, multiplicity 1. Proves S of a singular loss down to e^-30, and what is read
off its slope."""

LOW, WIDTH = -30.0, 0.25
CASES = {  # exponents 2 k: lambda, multiplicity
    (2, 2): (1 / 2, 2),
    (2, 4): (1 / 4, 1),
    (2,): (1 / 2, 1),
    (2, 2, 2): (1 / 2, 3),
}


@njit
def crossing(theta):
    """x and y of a state of K = (w_0 w_1)^2; a parameter that is 0 is in no bin."""
    return 2.0 * math.log(max(abs(theta[0] * theta[1]), 1e-300)), 0.0


@njit
def unlike(theta):
    """x and y of a state of K = w_0^2 w_1^4."""
    return 2.0 * math.log(max(abs(theta[0]) * theta[1] ** 2, 1e-300)), 0.0


OBSERVED = {(2, 2): crossing, (2, 4): unlike}


def problem(exponents: tuple[int, ...] = (2, 2)) -> Problem:
    """The case of two parameters, a key of :data:`OBSERVED`; x from -30 to 0."""
    box, grid = np.ones(len(exponents)), Grid(Axis.of_width("x", LOW, 0.0, WIDTH), Axis.single())
    name = "crossing-" + "-".join(map(str, exponents))
    return Problem(name, -box, box, grid, OBSERVED[exponents])


def volume(exponents: tuple[int, ...], x: np.ndarray) -> np.ndarray:
    """V, the share of the box with ln K <= x <= 0, for equal exponents or two."""
    rates = [1 / two_k for two_k in exponents]
    if len(set(rates)) == 1:
        z = -rates[0] * np.asarray(x)
        return np.exp(-z) * sum(z**k / math.factorial(k) for k in range(len(rates)))
    a, b = max(rates), min(rates)
    return (a * np.exp(b * x) - b * np.exp(a * x)) / (a - b)


def masses(case: Problem, exponents: tuple[int, ...] = (2, 2)) -> np.ndarray:
    """Exact box fractions ``(nx, 1)``."""
    return np.diff(volume(exponents, case.grid.x.edges))[:, None]


def mean_loss(exponents: tuple[int, ...], temperature: float) -> float:
    """<K> at a temperature, by quadrature over x."""
    nodes, weights = np.polynomial.legendre.leggauss(40)
    edges = np.arange(-300.0, 0.01, 0.5)
    x = (edges[:-1, None] + 0.25 + 0.25 * nodes).ravel()
    step = 1e-5
    below, above = volume(exponents, x - step), volume(exponents, np.minimum(x + step, 0.0))
    density = (above - below) / (np.minimum(x + step, 0.0) - x + step)
    weight = density * np.exp(-np.exp(x) / temperature) * np.tile(weights, len(edges) - 1)
    return float(weight @ np.exp(x) / weight.sum())
