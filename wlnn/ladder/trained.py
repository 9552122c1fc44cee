"""Where a heated ladder begins: a network trained by Adam. No sampler, and no study of training."""

from __future__ import annotations

import numpy as np

from wlnn.tasks.problem import Problem

STEPS, RATE = 5000, 0.01  # of Adam; first rate, in half boxes, falls linearly to 0
DRAWS = 3  # starts, of which the one that is lowest after a tenth of the steps goes on


def trained(problem: Problem, rng: np.random.Generator, x: float) -> np.ndarray:
    """Parameters ``(P,)`` from ``problem.start``, trained until their x is at most ``x``.

    Adam (D. Kingma, J. Ba, arXiv 1412.6980) along -grad x, clipped to the box. Where the steps do
    not get there, the lowest point seen: the coldest rung, where it is left first, does the rest.
    """
    ends = [_adam(problem, theta, x, STEPS // 10) for theta in problem.start(rng, DRAWS)]
    best, _ = min(ends, key=lambda end: end[1])
    return _adam(problem, best, x, STEPS)[0]


def _adam(problem, theta, x: float, steps: int) -> tuple[np.ndarray, float]:
    """The lowest point on the way, or the first that is low enough; and its x."""
    rate = RATE * problem.half_width
    mean, square = np.zeros(theta.size), np.zeros(theta.size)
    lowest, best = np.inf, theta
    for step in range(1, steps + 1):
        value, _, _, tape = problem.evaluate(np, theta[None])
        if value[0] < lowest:
            lowest, best = float(value[0]), theta
        if lowest <= x:
            break
        gradient = problem.backward(np, tape, np.ones(1), np.zeros(1))[0]
        mean = 0.9 * mean + 0.1 * gradient
        square = 0.999 * square + 0.001 * gradient**2
        move = (mean / (1 - 0.9**step)) / (np.sqrt(square / (1 - 0.999**step)) + 1e-8)
        fall = 1 - (step - 1) / steps
        theta = np.clip(theta - fall * rate * move, problem.lo, problem.hi)
    return best, lowest
