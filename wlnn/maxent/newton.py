"""Damped Newton for the smooth convex duals of this package; it knows nothing of what they mean."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

Dual = Callable[[np.ndarray], tuple[float, np.ndarray | None, np.ndarray | None]]


class NotConvergedError(ArithmeticError):
    """The dual has no minimum inside its domain, or rounding hides it."""


def minimise(
    dual: Dual, start: np.ndarray, tolerance: float, loose: float, max_steps: int = 100
) -> tuple[np.ndarray, float, np.ndarray, int]:
    """Minimum of ``dual(v) -> (F, gradient, Hessian)``; outside its domain F is infinite.

    A Newton step is halved until F is finite and falls by 1e-4 of what the slope promises
    (Armijo). Stops at ``max |gradient| < tolerance``; where rounding allows no further descent,
    ``loose`` is enough. Returns (v, F, Hessian, number of steps); the Hessian is that at v.

    Raises:
        NotConvergedError: no such point within ``max_steps``.
    """
    v = np.array(start, dtype=float)
    value, gradient, hessian = dual(v)
    for step in range(max_steps):
        if np.abs(gradient).max() < tolerance:
            return v, value, hessian, step
        direction = -np.linalg.solve(hessian, gradient)
        slope = gradient @ direction
        # close to the minimum F is flat to rounding, and only the gradient can judge a step
        flat = -slope < 1e-12 * (1 + abs(value))
        scale = 1.0
        while True:
            trial = v + scale * direction
            trial_value, trial_gradient, trial_hessian = dual(trial)
            finite = trial_gradient is not None
            if flat:
                better = finite and np.abs(trial_gradient).max() < np.abs(gradient).max()
                break
            better = finite and trial_value <= value + 1e-4 * scale * slope
            if better or scale < 1e-9:
                break
            scale *= 0.5
        if not better:
            if np.abs(gradient).max() < loose:
                return v, value, hessian, step
            break
        v, value, gradient, hessian = trial, trial_value, trial_gradient, trial_hessian
    raise NotConvergedError(
        f"Newton stopped with a gradient of {np.abs(gradient).max():.2g} (wanted {loose:.2g})"
    )
