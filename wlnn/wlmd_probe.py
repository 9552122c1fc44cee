"""A short trial before a long run: which time step the lowest losses bear, and what a step costs.

The stiffest motion is at the lowest loss, where the frequency grows as 1 / sqrt(L); a time step
that is too large heats the walker there. Nothing is learnt about S.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wlnn import wlmd
from wlnn.collective import SmoothProblem
from wlnn.errors import UserError
from wlnn.run_wlmd import surface_of
from wlnn.settings import WLMDSettings

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)  # time steps tried, in units of that of the settings
TOLERANCE = 0.02  # of the kinetic temperature
NEAR = 1.0  # above the low wall of x, entropy against wall: where the trials may begin
FRICTION = 0.01  # per step, of the trials: a steady temperature soon
DESCENT, TRIAL = 400_000, 10_000  # most steps of the way down, steps of a trial (fewer if P > 1e4)
PIECE = 500  # steps between two looks


class Trial(NamedTuple):
    """Kinetic temperature at the low wall with one time step; NaN where the walker diverged."""

    dt: float
    temperature: float
    noise: float  # standard deviation of ``temperature``
    x: float  # mean
    us_per_step: float


def probe(
    problem: SmoothProblem, settings: WLMDSettings, say: Callable[[str], None] = lambda _: None
) -> list[Trial]:
    """Press a walker down to the low wall of x by that wall turned round; try time steps there.

    Raises:
        UserError: the walker does not get there, or diverges on the way.
    """
    _, surface = surface_of(problem, settings)
    walls = surface.walls._replace(x_low=-math.inf, x_high=settings.x_low, c_high=settings.wall_low)
    surface = surface._replace(walls=walls)
    systems = None if problem.system is None else [problem.system()]
    state = wlmd.start(problem, surface, 1, np.random.default_rng([settings.seed, 0]))
    scale = min(1.0, 1e4 / problem.n_parameters)

    def go(state, dt: float, friction: float, steps: int):
        motion = wlmd.make_motion(problem, dt, friction)._replace(hottest=math.inf)
        traces = []
        while sum(map(len, traces)) < steps:
            result = wlmd.advance(
                problem,
                surface,
                motion,
                state,
                np.zeros(PIECE),
                lambda walker, t=state.t: np.random.default_rng([settings.seed, 1, t]),
                systems,
            )
            state = result.state
            if not state.alive.all():
                return state, None
            traces.append(result.traces[0])
        return state, np.concatenate(traces)

    reached = math.inf
    while reached > settings.x_low + NEAR and state.t < DESCENT * scale:
        state, trace = go(state, settings.dt, 0.25 * FRICTION, 4 * PIECE)
        if trace is None:
            raise UserError(
                f"a walker diverges on its way to x = {settings.x_low:g} with a time step of "
                f"{settings.dt:g}; lower wlmd.dt."
            )
        reached = float(trace[-PIECE:, wlmd.X].mean())
        say(f"on the way down: x = {reached:.2f} after {state.t} steps")
    if reached > settings.x_low + NEAR:
        raise UserError(
            f"a walker does not get below x = {reached:.2f} in {state.t} steps; the low wall "
            f"wlmd.x_low = {settings.x_low:g} is out of reach, raise it."
        )
    trials = []
    steps = max(2 * PIECE, int(TRIAL * scale) // PIECE * PIECE)
    for factor in FACTORS:
        dt = factor * settings.dt
        began = time.perf_counter()
        _, trace = go(state, dt, FRICTION, steps)
        pace = 1e6 * (time.perf_counter() - began) / steps
        if trace is None or not np.isfinite(trace).all():
            trials.append(Trial(dt, math.nan, math.nan, math.nan, pace))
            continue
        settled = trace[len(trace) // 4 :]
        noise = math.sqrt(2 / problem.n_parameters / max(FRICTION * len(settled), 1))
        mean = settled.mean(0)
        trials.append(Trial(dt, float(mean[wlmd.KINETIC]), noise, float(mean[wlmd.X]), pace))
        say(f"dt {dt:g}: temperature {mean[wlmd.KINETIC]:.3f} at x = {mean[wlmd.X]:.2f}")
    return trials


def advised_step(trials: list[Trial]) -> float | None:
    """Largest time step up to which every trial kept its temperature to 2 %, and its noise."""
    best = None
    for trial in sorted(trials):
        if not abs(trial.temperature - 1) <= TOLERANCE + 2 * trial.noise:
            break
        best = trial.dt
    return best
