"""Smooth cases for molecular dynamics: linear least squares in a box, with S in closed form.

Densities of states of (ln L1, ln L2) up to a constant; the judges are in
``judges.wlmd_least_squares``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled import gradients
from wlnn.tasks.problem import Problem

ABOUT = """Losses are means of squared residuals of linear functions of theta in [-b, b]^n, so level
sets are ellipsoids: S per unit ln L is known wherever the box does not cut them, and for one sphere
also where it does. They prove hills, interpolation, walls, schedule and estimators together."""


class LeastSquares(NamedTuple):
    """System of the driver: residuals ``rows theta - targets``, train rows first."""

    rows: np.ndarray  # (N, n)
    targets: np.ndarray  # (N,)
    residuals: np.ndarray  # (N,)
    gradient: np.ndarray  # (n,)
    scale: np.ndarray  # (2,)
    n_train: int


def _evaluate(system, theta):
    n_rows, split = system.rows.shape[0], system.n_train
    total = np.zeros(2)
    for i in range(n_rows):
        value = -system.targets[i]
        for k in range(theta.shape[0]):
            value += system.rows[i, k] * theta[k]
        system.residuals[i] = value
        total[0 if i < split else 1] += value * value
    system.scale[0] = 2.0 / total[0]
    x = math.log(total[0] / split)
    if split == n_rows:
        return x, 0.0, 0.0
    system.scale[1] = 2.0 / total[1]
    return x, math.log(total[1] / (n_rows - split)), 0.0


def _backward(system, ux, uy):
    system.gradient[:] = 0.0
    for i in range(system.rows.shape[0]):
        scale = ux * system.scale[0] if i < system.n_train else uy * system.scale[1]
        weight = scale * system.residuals[i]
        for k in range(system.gradient.shape[0]):
            system.gradient[k] += weight * system.rows[i, k]


gradients.register(LeastSquares, evaluate=_evaluate, backward=_backward)


def least_squares(name: str, train: tuple, test: tuple | None, half_width: float = 1.0) -> Problem:
    """x = ln mean squared residual of ``train = (rows (N, n), targets (N,))``, y that of ``test``.

    Without ``test`` y is 0: for a surface with a single bin along y.
    """
    parts = [train] if test is None else [train, test]
    rows = np.concatenate([np.asarray(part[0], dtype=float) for part in parts])
    targets = np.concatenate([np.asarray(part[1], dtype=float) for part in parts])
    split, n = len(train[1]), rows.shape[1]

    def functions(put):
        here, answers = put(rows), put(targets)

        def evaluate(xp, theta):
            residuals = xp.matmul(theta, here.T) - answers
            totals = [(part**2).sum(1) for part in (residuals[:, :split], residuals[:, split:])]
            x = xp.log(totals[0] / split)
            y = xp.zeros_like(x) if test is None else xp.log(totals[1] / (len(rows) - split))
            return x, y, None, (residuals, totals)

        def backward(xp, tape, ux, uy):
            residuals, totals = tape
            weights = residuals.copy()
            weights[:, :split] *= (2 * ux / totals[0])[:, None]
            if test is not None:
                weights[:, split:] *= (2 * uy / totals[1])[:, None]
            return xp.matmul(weights, here)

        return evaluate, backward

    evaluate, backward = functions(np.asarray)

    def system():
        buffers = np.zeros(len(rows)), np.zeros(n), np.zeros(2)
        return LeastSquares(rows, targets, *buffers, split)

    return Problem(
        name=name,
        lo=np.full(n, -half_width),
        hi=np.full(n, half_width),
        evaluate=evaluate,
        backward=backward,
        start=lambda rng, walkers: rng.uniform(-0.5, 0.5, (walkers, n)) * half_width,
        gradient_system=system,
        elsewhere=functions,
        names=("ln L1", "ln L2"),
        about={"case": name},
    )


class SmoothCase(NamedTuple):
    """A problem, S(x, y) up to a constant (NaN where it is not known), and the window to sample."""

    problem: Problem
    entropy: Callable  # (x, y) arrays of one shape -> S
    x_range: tuple[float, float]
    y_range: tuple[float, float] | None


def sphere(n: int = 50) -> SmoothCase:
    """Case 1: L = |theta|^2 / n in [-1, 1]^n; S = n x / 2 until the sphere meets the box.

    Beyond, the density of s = |theta|^2 is the inverse Laplace transform of M(z)^n with
    M(z) = (sqrt(pi) / 2) erf(sqrt z) / sqrt z, the mean of exp(-z theta_i^2): an integral through
    the saddle point of M(z)^n e^(z s), done in many digits by :func:`_ln_density`.
    """
    problem = least_squares("sphere", (np.eye(n), np.zeros(n)), None)

    def entropy(x, y):
        out = np.full(np.shape(x), np.nan)
        known = x < -0.2  # at 0 the corners of the box end it
        out[known] = [value + _ln_density(n * math.exp(value), n) for value in x[known]]
        return out

    return SmoothCase(problem, entropy, (-4.0, -1.2), None)


def _ln_density(s: float, n: int) -> float:
    """ln p(s), s the sum of n squares of independent uniform numbers of [-1, 1]."""
    from scipy.optimize import brentq
    from scipy.special import wofz

    def ln_mean(z):  # erf(w) = 1 - e^(-w^2) wofz(i w) holds in the whole half plane Re w > 0
        root = np.sqrt(np.asarray(z, dtype=complex))
        divisor = np.where(root == 0, 1, root)
        whole = math.sqrt(math.pi) / 2 * (1 - np.exp(-z) * wofz(1j * root)) / divisor
        return np.log(np.where(np.abs(z) < 1e-6, 1 - np.asarray(z) / 3, whole))

    def slope(z, d=1e-5):
        return float((ln_mean(z + d) - ln_mean(z - d)).real / (2 * d))

    saddle = brentq(lambda z: n * slope(z) + s, -400.0, 4 * n / s)
    bend = n * (slope(saddle + 1e-3) - slope(saddle - 1e-3)) / 2e-3
    w = np.linspace(-14, 14, 8001) / math.sqrt(bend)
    top = n * ln_mean(saddle).real
    values = np.exp(n * ln_mean(saddle + 1j * w) - top + 1j * w * s).real
    return float(top + saddle * s + np.log(values.sum() * (w[1] - w[0]) / (2 * math.pi)))


def twin_spheres(n: int = 50, distance: float = 1.0) -> SmoothCase:
    """Case 2: L1 = |theta|^2 / n, L2 = |theta - a e1|^2 / n; with X = n L1, Y = n L2,
    u = (X - Y + a^2) / (2 a), rho^2 = X - u^2: S = x + y + ((n - 3) / 2) ln rho^2.
    """
    first = np.zeros(n)
    first[0] = distance
    problem = least_squares("twin-spheres", (np.eye(n), np.zeros(n)), (np.eye(n), first))

    def entropy(x, y):
        big_x, big_y = n * np.exp(x), n * np.exp(y)
        u = (big_x - big_y + distance**2) / (2 * distance)
        rho2 = big_x - u * u
        with np.errstate(invalid="ignore", divide="ignore"):
            known = (rho2 > 0) & (np.sqrt(big_x) < 1)  # the sphere lies in the box
            return np.where(known, x + y + (n - 3) / 2 * np.log(rho2), np.nan)

    low = math.log(0.05 / n)
    return SmoothCase(problem, entropy, (low, math.log(0.9 / n)), (low, math.log(3.0 / n)))


def blocks(n1: int = 8, n2: int = 12) -> SmoothCase:
    """Case 3: L1 and L2 of two sets of coordinates: S = (n1 / 2) x + (n2 / 2) y, S adds."""
    eye = np.eye(n1 + n2)
    problem = least_squares("blocks", (eye[:n1], np.zeros(n1)), (eye[n1:], np.zeros(n2)))
    high_x, high_y = -math.log(n1), -math.log(n2)  # where the spheres meet the box

    def entropy(x, y):
        return np.where((x < high_x) & (y < high_y), n1 / 2 * x + n2 / 2 * y, np.nan)

    return SmoothCase(problem, entropy, (high_x - 2, high_x), (high_y - 2, high_y))


def residual_floor(n: int = 20, floor: float = 0.002) -> SmoothCase:
    """Case 4: a row that no parameter serves leaves L0: S = x + (n / 2 - 1) ln(e^x - L0)."""
    rows = np.vstack([np.eye(n), np.zeros(n)])
    targets = np.zeros(n + 1)
    targets[-1] = math.sqrt(floor * (n + 1))
    problem = least_squares("residual-floor", (rows, targets), None)

    def entropy(x, y):
        rest = np.exp(x) - floor
        with np.errstate(invalid="ignore", divide="ignore"):
            known = (rest > 0) & ((n + 1) * rest < 1)
            return np.where(known, x + (n / 2 - 1) * np.log(rest), np.nan)

    return SmoothCase(
        problem, entropy, (math.log(2 * floor), math.log(floor + 0.9 / (n + 1))), None
    )


def few_rows(n: int = 20, rows: int = 6) -> SmoothCase:
    """Case 5: fewer rows than parameters: S = (N / 2) x near 0, whatever n."""
    rng = np.random.default_rng(5)
    matrix = np.linalg.qr(rng.normal(size=(n, rows)))[0].T
    problem = least_squares("few-rows", (matrix, np.zeros(rows)), None)
    # the box cuts the fibre over every point, near 0 hardly differently: at -5 by 0.06 nat
    return SmoothCase(problem, lambda x, y: rows / 2 * x, (-9.0, -5.0), None)


CASES = {case.__name__: case for case in (sphere, twin_spheres, blocks, residual_floor, few_rows)}


def twin_quadratic(two_losses: bool = False) -> Problem:
    """The case of ``twin_quadratic.py`` with its gradient: L1 alone, or both losses."""
    from wlnn.reference.cases.twin_quadratic import CENTRES

    parts = []
    for centre in CENTRES:
        target = np.zeros(4)
        target[0] = 2 * centre
        parts.append((2 * np.eye(4), target))  # the mean of four (2 r)^2 is the sum of r^2
    return least_squares("twin-quadratic", parts[0], parts[1] if two_losses else None)
