"""Where walkers of molecular dynamics begin: as drawn, or brought down to a training loss first.

A walk forgets where it began; but a network drawn at random may need longer than a run to find its
first slope. Nothing here samples.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np

from wlnn.backend.cache import drop_stale
from wlnn.base.errors import UserError
from wlnn.tasks.problem import Problem
from wlnn.wlmd.driver import x_and_slope

STEPS, DRAWS = 600, 20  # of a descent, and of new draws, before it is given up
RATE = 0.02  # of a step, in units of the box
SLOW, SLOWER = 0.9, 0.99  # memories of the slope and of its square


def starting_below(problem: Problem, x: float) -> Problem:
    """The same problem, whose walkers begin where :func:`draw_below` brings them."""
    return replace(problem, start=partial(draw_below, problem, x=x))


def draw_below(problem: Problem, rng: np.random.Generator, walkers: int, x: float) -> np.ndarray:
    """Points ``(R, P)`` of ``problem.start``, brought down until their x is at most ``x``.

    Each follows Adam's steps along -grad x within the box; one that gets nowhere (all units of a
    ReLU network may be off) is drawn anew.

    Raises:
        UserError: no draw gets there.
    """
    theta = problem.start(rng, walkers)
    for k in range(walkers):
        lowest = np.inf
        for _ in range(DRAWS):
            theta[k], reached = _descent(problem, theta[k], x)
            if reached <= x:
                break
            lowest = min(lowest, reached)
            theta[k] = problem.start(rng, 1)[0]
        else:
            raise UserError(
                f"start_x = {x:g}: {DRAWS} descents of {STEPS} steps end at x = {lowest:.2f} "
                "at best; raise it."
            )
    return theta


def _descent(problem: Problem, theta: np.ndarray, x: float) -> tuple[np.ndarray, float]:
    """The first point with at most that x on the way down, or the last; and its x."""
    theta, slope = theta.copy(), _slope_of(problem)
    mean, square = np.zeros(theta.shape), np.zeros(theta.shape)
    rate = RATE * (problem.hi - problem.lo) / 2
    for step in range(1, STEPS + 1):
        value, gradient = slope(theta)
        if value <= x:
            break
        mean = SLOW * mean + (1 - SLOW) * gradient
        square = SLOWER * square + (1 - SLOWER) * gradient**2
        size = np.sqrt(square / (1 - SLOWER**step)) + 1e-12
        theta = np.clip(theta - rate * mean / (1 - SLOW**step) / size, problem.lo, problem.hi)
    return theta, value


def _slope_of(problem: Problem):
    """Function of theta ``(P,)``: x and its gradient; compiled where the problem is."""
    if problem.gradient_system is None:

        def by_definition(theta):
            x, _, _, tape = problem.evaluate(np, theta[None])
            return float(x[0]), problem.backward(np, tape, np.ones(1), np.zeros(1))[0]

        return by_definition
    system = problem.gradient_system()
    drop_stale()

    def compiled(theta):
        x = x_and_slope(system, theta)
        return float(x), system.gradient.astype(float)

    return compiled
