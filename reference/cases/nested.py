"""R12: nested sampling (Skilling 2006) of a small network: a witness that has no table of S.

Live points, drawn uniformly from the box; again and again the one of the highest x is replaced by a
copy of another that has walked below that x. The box fraction below the i-th such x is
exp(-i / points), with a standard error of sqrt(-ln X / points) where every point is independent of
the one it was copied from. Of the package it uses the systems of the Monte Carlo driver, which give
x after one changed parameter; it has no bins and no S of its own.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled.moves import commit, propose, refresh, x_value
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import spiral_classify
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

ABOUT = """A 2-3-2 tanh network (17 parameters) on 20 spiral points, x = ln L. Nested sampling
shrinks the box by a factor of about exp(-1/points) a step, keeping only points of lower and lower
loss, so it yields ln X(l), X the box fraction with loss below l, with a standard error of
sqrt(-ln X / points). Proves the deep part of S, which uniform draws cannot reach."""

X_LO, X_HI, X_BINS = -0.9, 1.5, 24
POINTS, MOVES = 1000, 2000  # twice as many moves change no ln X by more than its error
DEEPEST = -18.0  # ln X where nested sampling stops
TABLE = {"error of ln X at the stop": (-DEEPEST / POINTS) ** 0.5}
ACCEPTED = 0.4  # part of the moves that the step width is led to


def problem() -> Problem:
    """The case as a task with data seed 0."""
    data = spiral_classify(seed=0, points=20)
    grid = Grid(Axis("ln train loss", X_LO, X_HI, X_BINS), Axis.single())
    return Task("nested", data, FNN((2, 3, 2), "tanh"), grid).problem()


def _shrink(system, live, x, lo, hi, n_moves, levels, width, seed):
    """The highest x of each step into ``levels (n,)``; live ``(points, P)``, x ``(points,)``."""
    np.random.seed(seed)
    points, n_parameters = live.shape
    for step in range(levels.shape[0]):
        worst = int(np.argmax(x))
        levels[step] = x[worst]
        other = np.random.randint(points - 1)
        theta = live[worst]
        theta[:] = live[other + 1 if other >= worst else other]
        x_now, _ = refresh(system, theta)
        taken = 0
        for _ in range(n_moves):
            i = np.random.randint(n_parameters)
            new = theta[i] + width * (hi[i] - lo[i]) * (2.0 * np.random.random() - 1.0)
            if lo[i] <= new <= hi[i]:
                x_new, _ = propose(system, theta, i, new)
                if x_new < levels[step]:
                    commit(system, theta, i, new)
                    theta[i] = new
                    x_now = x_new
                    taken += 1
        x[worst] = x_now
        width = min(1.0, width * np.exp((taken / max(n_moves, 1) - ACCEPTED) / points))
    for step in range(levels.shape[0]):
        levels[step] = x_value(system, levels[step])


_shrink_compiled = njit(_shrink)


def levels_of(
    case: Problem, points: int, n_moves: int, deepest: float, seed: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Levels x, falling, and ln X, the logarithm of the box fraction below each: two ``(n,)``.

    Args:
        case: a problem with a compiled system; its x alone is used.
        points: live points K; the error of ln X is sqrt(-ln X / K) at best.
        n_moves: single-parameter moves between a copy and its use. Too few, and a copy is its
            original once more; modes of which no live point is left are lost for good.
        deepest: ln X at which it ends.
        seed: of the draws and moves.
    """
    rng = np.random.default_rng(seed)
    system = case.system("float64")
    live = rng.uniform(case.lo, case.hi, (points, case.n_parameters))
    x = np.array([refresh(system, theta)[0] for theta in live])
    levels = np.empty(int(-deepest * points))
    words = int(rng.integers(2**31))
    _shrink_compiled(system, live, x, case.lo, case.hi, n_moves, levels, 0.5, words)
    return levels, -np.arange(1, levels.size + 1) / points


def ln_below(seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(ln l, ln X) of the case: loss levels, falling, and the box fraction below each."""
    return levels_of(problem(), POINTS, MOVES, DEEPEST, seed)
