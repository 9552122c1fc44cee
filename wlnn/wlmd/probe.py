"""A short trial before a long run: time step, friction and window that a task bears, and why.

A walker is pressed down to the low wall of x by that wall turned round. There the motion is
stiffest, since its frequency grows as 1 / sqrt(L), and a time step that is too large heats it; and
there the wall balances the entropy, ``2 c (x - x_low) = dS/dx``, which tells how much there is to
fill. Nothing else is learnt about S.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.checks import TOLERANCE as HEATING
from wlnn.wlmd.checks import heating
from wlnn.wlmd.setup import Setup
from wlnn.wlmd.surface import A0

FACTORS = (0.5, 1.0, 2.0, 4.0, 8.0)  # time steps tried, in units of that of the settings
TOLERANCE = 0.02  # of the kinetic temperature
NEAR = 1.0  # above the low wall of x, entropy against wall: where the trials may begin
FRICTION = 0.01  # per step, of the trials: a steady temperature soon
DESCENT, TRIAL = 400_000, 10_000  # most steps of the way down, steps of a trial (fewer if P > 1e4)
PIECE = 500  # steps between two looks
SETTLED = 0.03  # of x between two looks: the walker has come to rest on the wall
IDLE = 25  # looks of 4 pieces without a lower x, after which the way down has ended


class Trial(NamedTuple):
    """Kinetic temperature at the low wall with one time step; NaN where the walker diverged."""

    dt: float
    temperature: float
    noise: float  # standard deviation of ``temperature``
    x: float  # mean
    us_per_step: float


class Probe(NamedTuple):
    """What the trials showed."""

    trials: list[Trial]
    start: tuple[float, float]  # x and y where walkers start
    descent: np.ndarray  # (steps, 2), x and y on the way down
    low: tuple[float, float]  # mean x and y at the low wall
    slope: float  # dS/dx there, from the balance with the wall; 0 where none was found


class Advice(NamedTuple):
    """One setting: what it should be, what it is, and why."""

    option: str
    value: float
    now: float
    why: str


def probe(setup: Setup, say: Callable[[str], None] = lambda _: None) -> Probe:
    """Press a walker down to the low wall of x by that wall turned round; try time steps there.

    Raises:
        UserError: the walker does not get there, or diverges on the way.
    """
    problem, settings, surface = setup
    walls = surface.walls._replace(x_low=-math.inf, x_high=settings.x_low, c_high=settings.wall_low)
    surface = surface._replace(walls=walls)
    systems = None if problem.gradient_system is None else [problem.gradient_system()]
    state = wlmd.start(problem, surface, 1, np.random.default_rng([settings.seed, 0]))
    scale = min(1.0, 1e4 / problem.n_parameters)

    def go(state, dt: float, friction: float, steps: int):
        motion = wlmd.make_motion(problem, dt, friction)._replace(hottest=math.inf)
        traces = []
        while sum(map(len, traces)) < steps:
            key, frozen = [settings.seed, 1, state.t], np.zeros(PIECE)
            result = wlmd.advance(
                problem, surface, motion, state, frozen,
                lambda walker, key=key: np.random.default_rng(key), systems,
            )  # fmt: skip
            state = result.state
            if not state.alive.all():
                return state, None
            traces.append(result.traces[0])
        return state, np.concatenate(traces)

    x, y, *_ = problem.evaluate(np, state.theta)
    start = float(x[0]), float(y[0])
    reached, before, way = start[0], math.inf, [np.zeros((0, 4))]
    lowest, idle = math.inf, 0
    while (
        idle < max(5, IDLE * scale)
        and state.t < DESCENT * scale
        and (reached > settings.x_low + NEAR or reached < before - SETTLED)
    ):
        before = reached
        state, trace = go(state, settings.dt, 0.25 * FRICTION, 4 * PIECE)
        if trace is None:
            raise UserError(
                f"a walker diverges on its way to x = {settings.x_low:g} with a time step of "
                f"{settings.dt:g}; lower wlmd.dt."
            )
        way.append(trace)
        reached = float(trace[-PIECE:, wlmd.X].mean())
        lowest, idle = (reached, 0) if reached < lowest - SETTLED else (lowest, idle + 1)
        say(f"on the way down: x = {reached:.2f} after {state.t} steps")
    if reached > settings.x_low + NEAR:
        possible = math.ceil(10 * lowest) / 10
        raise UserError(
            f"a walker does not get below x = {lowest:.2f} in {state.t} steps; the low wall "
            f"wlmd.x_low = {settings.x_low:g} is out of reach, raise it to {possible:g} or above."
        )
    trials, low = [], None
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
        if factor <= 1.0:
            low = float(mean[wlmd.X]), float(mean[wlmd.Y])
    if low is None:
        raise UserError(
            f"a walker diverges at x = {reached:.2f} with time steps of {trials[0].dt:g} and "
            f"{trials[1].dt:g}; lower wlmd.dt."
        )
    slope = max(2 * settings.wall_low * (low[0] - settings.x_low), 0.0)
    descent = np.concatenate(way)[:, [wlmd.X, wlmd.Y]]
    return Probe(trials, start, descent, low, slope)


def advised_step(trials: list[Trial]) -> float | None:
    """Largest time step up to which every trial kept its temperature to 2 %, and its noise."""
    best = None
    for trial in sorted(trials):
        if not abs(trial.temperature - 1) <= TOLERANCE + 2 * trial.noise:
            break
        best = trial.dt
    return best


def advise(setup: Setup, found: Probe) -> list[Advice]:
    """Time step, friction, window, margin and length from what the trials showed, with reasons.

    The rules are those of the checks of a run (``wlmd.checks``) and of the schedule: heating below
    5 % at f_max, walls entered by sqrt(range of S / c) + 4 sigma, and a plateau as long as filling.
    """
    problem, settings, surface = setup
    said = []

    def say(option: str, value: float, why: str) -> None:
        said.append(Advice(f"wlmd.{option}", value, getattr(settings, option), why))

    depth = found.slope * (settings.x_high - settings.x_low)  # S falls steepest at the low end
    deepest = settings.x_low - math.sqrt(depth / settings.wall_low)
    dt = advised_step(found.trials)
    if dt is None:
        dt = 0.25 * settings.dt
        say("dt", dt, f"all of the time steps tried heat the walker at x = {found.low[0]:.2f}")
    else:
        lower = settings.x_low - 3 * settings.sigma  # inside the wall, where walkers still get to
        dt = _rounded_down(dt * min(math.exp((lower - found.low[0]) / 2), 1.0))
        why = f"the largest that keeps the temperature at x = {found.low[0]:.2f}"
        say("dt", dt, f"{why}, scaled by sqrt(L) to {lower:.2f}")
    own = settings.f_max / settings.walkers
    heat = heating(surface, own, 1.0, problem.n_parameters)
    least = _two_digits(min(heat / HEATING, 0.5))
    friction = max(settings.friction, least)
    say("friction", friction, f"the hills heat by {heat / friction:.1%} at f_max; 5 % is the limit")
    why = "the walker gets there, and the time step bears it"
    if dt < settings.dt:  # frequencies grow as 1 / sqrt(L): a higher wall would bear the old step
        higher = _tenth(settings.x_low + 2 * math.log(settings.dt / dt))
        why = f"the walker gets there; with {higher:g} the time step could stay {settings.dt:g}"
    say("x_low", settings.x_low, why)
    x_high = _tenth(found.start[0] + 0.2)
    near = abs(settings.x_high - x_high) < 0.5
    why = f"where walkers start x is {found.start[0]:.2f}: beyond, nothing is learnt"
    say("x_high", settings.x_high if near else x_high, why)
    seen = _tenth(found.descent[:, 1].min() - 1), _tenth(found.descent[:, 1].max() + 1)
    why = f"y is {seen[0] + 1:.1f} to {seen[1] - 1:.1f} on the way down; a unit more on both sides"
    say("y_low", min(settings.y_low, seen[0]), why)
    say("y_high", max(settings.y_high, seen[1]), why)
    margin = settings.x_low - deepest + settings.cutoff * settings.sigma
    why = f"dS/dx = {found.slope:.0f} at the low wall, so S spans {depth:.0f} nats or less"
    say("margin", max(settings.margin, _tenth(margin)), why)
    area = (settings.x_high - settings.x_low) * (settings.y_high - settings.y_low)
    fill = _two_digits(0.5 * depth * area / (settings.f_max * A0))
    say("t2", max(settings.t2, fill), f"filling takes {fill:.1e} steps at f_max")
    return said


def _rounded_down(value: float) -> float:
    """To one digit."""
    unit = 10.0 ** math.floor(math.log10(value))
    return float(f"{math.floor(value / unit * (1 + 1e-9)) * unit:.0e}")


def _two_digits(value: float) -> float:
    return float(f"{value:.1e}")


def _tenth(value: float) -> float:
    return round(float(value), 1)
