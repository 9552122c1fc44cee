"""R1, R3, R6: the largest of n coordinates, a density of states known in one line.

This is a landscape, not a network: it isolates what happens at the edges of box and window.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import moves
from wlnn.tasks.problem import Problem

ABOUT = """theta in [-b, b]^n, x = ln(max_i |theta_i| / b); the box fraction with x < v is exp(n v).
Proves the proposal, the rules at the box edge (every state of the top bin touches it) and at the
window edge, and that a walk on the exact S stays uniform."""

TABLE = {
    0: 1.48137588e-07,
    10: 6.58777740e-04,
    19: 3.92105608e-02,
}  # of bins, default case
TABLE_CANONICAL = {1.0: (0.7709746346, -0.7858859861), 10.0: (0.3923543189, -6.0426763802)}

HALF_WIDTH = 0.5  # b


class MaxNorm(NamedTuple):
    """System of the driver; it needs no cache."""

    half_width: float


def _refresh(system, theta):
    largest = 0.0
    for value in theta:
        largest = max(largest, abs(value))
    return (math.log(largest / system.half_width) if largest > 0.0 else -math.inf), 0.0


def _propose(system, theta, i, new):
    largest = abs(new)
    for k in range(theta.shape[0]):
        if k != i:
            largest = max(largest, abs(theta[k]))
    return (math.log(largest / system.half_width) if largest > 0.0 else -math.inf), 0.0


def _commit(system, theta, i, new):
    pass


moves.register(MaxNorm, refresh=_refresh, propose=_propose, commit=_commit)


def problem(n: int = 4, bins: int = 20, lo: float = -4.0, width: float = 0.21) -> Problem:
    """The case with ``n`` parameters; R6 is ``problem(bins=30, lo=-8.0, width=0.267)``."""

    def observe(theta):
        largest = float(np.max(np.abs(theta))) / HALF_WIDTH
        return (math.log(largest) if largest > 0 else -math.inf), 0.0

    return Problem(
        name="maxnorm",
        lo=np.full(n, -HALF_WIDTH),
        hi=np.full(n, HALF_WIDTH),
        grid=Grid(Axis("ln max-norm", lo, lo + bins * width, bins), Axis.single()),
        observe=observe,
        system=lambda precision: MaxNorm(HALF_WIDTH),
        about={"case": "maxnorm", "n": n},
    )


def masses(case: Problem | None = None) -> np.ndarray:
    """Exact box fraction of every bin, shape ``(nx, 1)``: exp(n min(hi, 0)) - exp(n min(lo, 0))."""
    case = case or problem()
    n, edges = case.n_parameters, np.minimum(case.grid.x.edges, 0.0)
    return (np.exp(n * edges[:-1]) * np.expm1(n * np.diff(edges)))[:, None]


def canonical(beta: float, n: int = 4) -> tuple[float, float]:
    """Exact (<L>, ln Z) of L = exp(x) at inverse temperature ``beta``, Z a fraction of the box.

    Z = int_0^1 n L^(n-1) exp(-beta L) dL = n! P(n, beta) / beta^n, P the regularised lower
    incomplete gamma function; <L> = n P(n+1, beta) / (beta P(n, beta)).
    """
    from scipy.special import gammainc, gammaln

    below = gammainc(n, beta)
    mean = n * gammainc(n + 1, beta) / (beta * below)
    return float(mean), float(gammaln(n + 1) + np.log(below) - n * np.log(beta))


def starts(case: Problem, m: int, rng: np.random.Generator) -> np.ndarray:
    """``m`` exact draws ``(m, n)`` from the flat ensemble: bin uniform, then uniform in the bin."""
    n, b = case.n_parameters, HALF_WIDTH
    axis = case.grid.x
    k = rng.integers(0, axis.n, m)
    low, high = np.exp(axis.edges[k]), np.exp(np.minimum(axis.edges[k + 1], 0.0))
    radius = (low**n + rng.random(m) * (high**n - low**n)) ** (1 / n)
    # ln(radius) may round across an edge; 1e-12 of the radius moves no statistic
    radius = np.clip(radius, low * (1 + 1e-12), high * (1 - 1e-12))
    theta = rng.uniform(-1.0, 1.0, (m, n)) * radius[:, None] * b
    theta[np.arange(m), rng.integers(0, n, m)] = radius * b * rng.choice([-1.0, 1.0], m)
    return theta


def positions(theta: np.ndarray) -> np.ndarray:
    """Numbers that are uniform on (0, 1) inside every bin: all coordinates but the largest."""
    size = np.abs(theta)
    largest = size.argmax(axis=1)
    rows = np.arange(len(theta))
    u = (theta / size[rows, largest][:, None] + 1) / 2
    keep = np.ones(theta.shape, bool)
    keep[rows, largest] = False
    return u[keep]
