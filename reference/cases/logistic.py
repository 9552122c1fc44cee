"""R4: logistic regression, four parameters, the smallest case that runs the real network code.

The exact side here integrates the plane of the two parameter differences; the sampled side is an
ordinary task. It is not a second sampler.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

ABOUT = """Layers 1 -> 2 without hidden units, theta = (w0, w1, b0, b1) in [-2, 2]^4, logits
o_c = w_c x + b_c, x = ln(mean softmax cross-entropy), y = test accuracy in fifths. Only
dw = w1 - w0 and db = b1 - b0 matter, each with the triangular density on [-4, 4]. For given dw,
{L < l} is an interval of db (L is convex), and the accuracy changes at db = -dw x_test; the rest is
one integral over dw. Proves the network, its loss and accuracy, and <A>(x) of Eq. (1)."""

X_TRAIN, Y_TRAIN = np.array([-1.5, -0.6, 0.4, 1.2]), np.array([0, 0, 1, 1])
X_TEST, Y_TEST = np.array([-1.1, -0.4, -0.1, 0.3, 0.8]), np.array([0, 0, 1, 0, 1])
HALF_WIDTH = 2.0
X_LO, X_WIDTH, X_BINS = -3.0, 0.25, 18

# Masses; rows 1..17 of x, columns accuracy 1/5..4/5; all others are empty. The quadrature behind
# four of them (rows 5 and 6, columns 3/5 and 4/5) was off by 9e-9; masses() is right there.
TABLE = np.fromstring(
    """
0 0 5.681825032e-04 5.297173432e-04
0 0 3.263798547e-03 2.923651937e-03
0 0 7.745710741e-03 5.988765720e-03
0 0 1.453358237e-02 8.210790853e-03
0 0 1.970888921e-02 1.284877964e-02
0 0 2.379018616e-02 1.895216924e-02
0 0 2.778120713e-02 2.543362495e-02
0 5.116591240e-03 3.793794219e-02 2.125467906e-02
0 2.734612021e-02 4.239129807e-02 7.051856813e-03
7.279829741e-04 4.236293687e-02 4.755966595e-02 9.726311034e-04
6.016434021e-03 5.145667657e-02 4.704282551e-02 0
1.168397663e-02 5.800987146e-02 4.406421926e-02 0
1.729509078e-02 6.219168664e-02 3.780000282e-02 0
2.235759142e-02 6.116131407e-02 2.630607229e-02 0
2.462577599e-02 5.223799417e-02 1.246359071e-02 0
1.883713539e-02 3.205133600e-02 2.817995469e-03 0
2.622679455e-03 3.898806109e-03 5.816439188e-05 0
""",
    dtype=float,
    sep=" ",
).reshape(17, 4)
TABLE_ACCURACY = np.fromstring(  # <A>(x), Eq. (1), rows 1..17
    """
0.696496 0.694503 0.687208 0.672201 0.678929 0.688681 0.695588 0.650189 0.547143 0.506473
0.478507 0.456928 0.434965 0.407190 0.372769 0.340346 0.322047
""",
    dtype=float,
    sep=" ",
)


def problem() -> Problem:
    """The case as a task: ``FNN((1, 2))``, cross-entropy, test accuracy."""
    data = Dataset(
        X_TRAIN[:, None], Y_TRAIN, X_TEST[:, None], Y_TEST, source={"name": "logistic reference"}
    )
    grid = Grid(
        Axis("ln train loss", X_LO, X_LO + X_BINS * X_WIDTH, X_BINS),
        Axis.counts("test accuracy", len(X_TEST)),
    )
    box = np.full(4, HALF_WIDTH)
    task = Task("logistic", data, FNN((1, 2)), grid)
    return replace(task.problem(), lo=-box, hi=box)


def _loss(dw, db):
    """Mean cross-entropy and its derivative with respect to db, for broadcast dw and db."""
    sign = 2.0 * Y_TRAIN - 1
    margin = sign * (dw[..., None] * X_TRAIN + db[..., None])
    small = np.exp(-np.abs(margin))
    wrong = np.where(margin > 0, small, 1.0) / (1.0 + small)  # 1 / (1 + exp(margin))
    loss = np.log1p(small) - np.minimum(margin, 0.0)
    return loss.mean(axis=-1), -(sign * wrong).mean(axis=-1)


def _end(dw, levels, side):
    """The end of {db: L(dw, db) < level} on the given side, shape (nodes, levels); NaN if empty.

    Newton's method from far outside: on a convex function it never passes the root, and where
    there is none it passes the minimum, which the sign of the slope tells.
    """
    dw, level = np.broadcast_arrays(dw[:, None], levels[None, :])
    db = np.full(dw.shape, side * 60.0)
    todo = np.ones(dw.shape, bool)
    for _ in range(200):
        loss, slope = _loss(dw[todo], db[todo])
        step = (loss - level[todo]) / slope
        moved = db[todo] - step
        moved[side * slope <= 0] = np.nan
        db[todo] = moved
        todo[todo] = np.abs(step) > 1e-14 * (1 + np.abs(moved))  # False for NaN
        if not todo.any():
            break
    return db


def _triangular(v):
    """Distribution function of the difference of two uniform numbers on [-2, 2], at ``v``."""
    half = 2 * HALF_WIDTH
    v = np.clip(v, -half, half)
    return np.where(v <= 0, (half + v) ** 2, 2 * half**2 - (half - v) ** 2) / (2 * half**2)


def _given_dw(dw, levels):
    """P(L < level and a right answers | dw) for nodes dw (K,): shape (K, levels, 6)."""
    low, high = _end(dw, levels, -1.0), _end(dw, levels, 1.0)
    empty = np.isnan(low) | np.isnan(high)
    low[empty] = high[empty] = 0.0
    cuts = np.sort(-dw[:, None] * X_TEST, axis=1)
    far = np.full((len(dw), 1), 1e3)
    cuts = np.concatenate([-far, cuts, far], axis=1)
    middle = 0.5 * (cuts[:, 1:] + cuts[:, :-1])
    answers = dw[:, None, None] * X_TEST + middle[:, :, None] > 0  # (K, 6 pieces, 5 patterns)
    right = (answers == (Y_TEST == 1)).sum(axis=-1)
    out = np.zeros((len(dw), len(levels), 6))
    for piece in range(6):
        a = np.maximum(low, cuts[:, piece, None])
        b = np.minimum(high, cuts[:, piece + 1, None])
        mass = np.maximum(_triangular(b) - _triangular(a), 0.0)
        np.add.at(out, (np.arange(len(dw)), slice(None), right[:, piece]), mass)
    return out


def _fractions(levels) -> np.ndarray:
    """P(L < level, a right answers), shape (levels, 6): adaptive 10-point Gauss over dw.

    A panel is halved until its two halves agree with it to 1e-12; the integrand has kinks and
    square-root ends, so panels shrink around them (some thousand in all).
    """
    nodes, weights = np.polynomial.legendre.leggauss(10)
    half = 2 * HALF_WIDTH

    def integrate(low, high):
        centre, size = (low + high) / 2, (high - low) / 2
        dw = centre[:, None] + size[:, None] * nodes
        weight = size[:, None] * weights * (half - np.abs(dw)) / half**2
        values = _given_dw(dw.ravel(), levels).reshape(*dw.shape, len(levels), 6)
        return np.einsum("pk,pkla->pla", weight, values)

    edges = np.linspace(-half, half, 129)
    low, high = edges[:-1], edges[1:]
    whole = integrate(low, high)
    total = np.zeros(whole.shape[1:])
    while len(low):
        middle = (low + high) / 2
        left, right = integrate(low, middle), integrate(middle, high)
        rough = np.abs(left + right - whole).max(axis=(1, 2)) > 1e-12
        total += (left + right)[~rough].sum(axis=0)
        low = np.concatenate([low[rough], middle[rough]])
        high = np.concatenate([middle[rough], high[rough]])
        whole = np.concatenate([left[rough], right[rough]])
    return total


def masses(case: Problem | None = None) -> np.ndarray:
    """Exact box fraction of every bin, shape ``(18, 6)``; about 3 seconds."""
    edges = X_LO + X_WIDTH * np.arange(X_BINS + 1)
    mass = np.diff(_fractions(np.exp(edges)), axis=0)
    return np.where(mass < 1e-12, 0.0, mass)  # empty bins hold rounding errors of 1e-14


def equilibrium_accuracy(mass: np.ndarray) -> np.ndarray:
    """<A>(x) of Eq. (1) for masses ``(nx, 6)``: the mean accuracy of each row, NaN if empty."""
    total = mass.sum(axis=1)
    with np.errstate(invalid="ignore"):
        return mass @ (np.arange(6) / 5) / np.where(total > 0, total, np.nan)
