"""Whether molecular dynamics is sound: settings before a run, recorded arrays while it goes on.

:func:`advice` looks at the settings, :func:`summary` turns the traces of a period into one
:class:`Period`, :func:`warnings` and :func:`failure` say in one sentence each what is doubtful and
what is wrong with it. Nothing here samples or stops; ``run.py`` does.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np

from wlnn.settings.samplers import WLMDSettings
from wlnn.wlmd.schedule import PaperRamp
from wlnn.wlmd.surface import Surface, hill_height, inside
from wlnn.wlmd.walk import ACCURACY, KINETIC, MDState, X, Y

TOLERANCE = 0.05  # of a kinetic temperature, besides half the expected heating and the noise
HOTTEST = 2.0  # of any mean kinetic temperature
OUTSIDE = 1e-3  # of the steps may be outside the table
NOISE, DOUBT = 5.0, 3.0  # standard deviations of a temperature: wrong, doubtful
WARM = 0.01  # heating of the averaged tables that is worth a word: S is too large by this share
AGAIN = 0.05  # share of rounds that may be made again with a smaller time step
BLOCKS = 8  # stretches of x whose temperatures are compared
LEAST = 500  # steps in a stretch, before its temperature is looked at


class Period(NamedTuple):
    """One period of one table; all numbers, so that a history is one array per field."""

    t: int  # steps made by each walker
    f: float  # counts per step at the end of the period
    temperature: float  # mean kinetic temperature of the walkers; NaN when no walker is left
    expected: float  # 1 + what the hills heat
    low_temperature: float  # of the lowest stretch of x with enough steps ...
    low_noise: float  # ... and the standard deviation of that number
    noise: float  # standard deviation of ``temperature``
    outside: float  # share of steps outside the table
    cells: int  # bins visited since the run began
    x_low: float  # lowest and highest x of the period
    x_high: float
    at_wall: float  # share of parameters within 2 % of the edge of their box
    round_trips: int  # of all walkers since the run began
    alive: int  # walkers
    us_per_step: float  # microseconds of one walker's step
    smoothing: float = math.nan  # mean |A^s - A| of a period, where y is a smoothed accuracy
    halved: int = 0  # rounds of the period that were made again with a smaller time step ...
    rounds: int = 0  # ... of so many, of all walkers


def heating(surface: Surface, f: float, friction: float, n_parameters: int) -> float:
    """Kinetic temperature above 1 due to a walker's hills: ``f A0 / (2 pi sigma^2 gamma n)``.

    Every hill is dropped under the walker and does its height of work, which friction takes out.
    """
    if surface.ny == 1 or friction == 0:
        return 0.0
    return f * hill_height(surface.sigma) / (friction * n_parameters)


def advice(problem, settings: WLMDSettings, surface: Surface) -> list[str]:
    """What the settings will do to the result, one sentence each; nothing if they are sound."""
    said, n_parameters = [], problem.n_parameters
    ramp = PaperRamp(settings.f_max, settings.t1, settings.t2, settings.t3)
    heat = heating(surface, settings.f_max / settings.walkers, settings.friction, n_parameters)
    if heat > TOLERANCE:
        enough = settings.friction * heat / TOLERANCE
        said.append(
            f"at f_max the hills will heat the walkers by {heat:.0%}; wlmd.friction = {enough:.1g} "
            f"would keep that to {TOLERANCE:.0%}."
        )
    if settings.friction == 0:
        said.append("wlmd.friction = 0: nothing takes the heat of the hills out of the walkers.")
    learning = settings.steps * (1 - settings.production)
    begin = settings.average_from * settings.steps
    if settings.estimator == "average":
        if begin < settings.t2:
            said.append(
                f"the average begins at step {begin:.3g}, before the tail of the schedule at "
                f"wlmd.t2 = {settings.t2:.3g}: tables that are still being filled spoil it; more "
                "wlmd.steps or an earlier wlmd.t2 would help."
            )
        f = ramp.f(np.linspace(begin, max(learning, begin), 100)).mean() / settings.walkers
        narrow = surface._replace(sigma=settings.tail_sigma or settings.sigma)
        heat = heating(narrow, f, settings.friction, n_parameters)
        if heat > WARM:
            said.append(
                f"in the averaged part hills still heat by {heat:.1%}: S comes out larger by that."
            )
    return said


def summary(
    surface: Surface, state: MDState, traces: np.ndarray, f: float, friction: float, problem,
    seconds: float,
) -> Period:  # fmt: skip
    """The report of a period with ``traces (K', n, 4)``; f is that of each walker's own hills."""
    n_parameters = problem.n_parameters
    x, y, kinetic = traces[..., X].ravel(), traces[..., Y].ravel(), traces[..., KINETIC].ravel()
    steps = max(x.size, 1)
    alive = int(state.alive.sum())

    def noise(steps_there: int) -> float:
        # the kinetic energy forgets at rate 2 gamma per step; never better than one sample
        independent = max(friction * steps_there, 1.0)
        return math.sqrt(2 / n_parameters / independent)

    low_temperature, low_noise = math.nan, math.nan
    if x.size:
        edges = np.linspace(x.min(), x.max() + 1e-12, BLOCKS + 1)
        block = np.digitize(x, edges[1:-1])
        counts = np.bincount(block, minlength=BLOCKS)
        sums = np.bincount(block, kinetic, minlength=BLOCKS)
        enough = np.flatnonzero(counts >= LEAST)
        if enough.size:
            low_temperature = float(sums[enough[0]] / counts[enough[0]])
            low_noise = noise(int(counts[enough[0]]))
    smoothing = math.nan
    if x.size and problem.accuracy_at is not None:
        true = traces[..., ACCURACY].ravel()
        smoothing = float(np.abs(problem.accuracy_at(np, y) - true).mean())
    half, middle = 0.5 * (problem.hi - problem.lo), 0.5 * (problem.hi + problem.lo)
    near = np.abs(state.theta[state.alive] - middle) > 0.98 * half
    return Period(
        t=state.t,
        f=f * max(alive, 1),
        temperature=float(kinetic.mean()) if x.size else math.nan,
        expected=1 + heating(surface, f, friction, n_parameters),
        low_temperature=low_temperature,
        low_noise=low_noise,
        noise=noise(x.size),
        outside=float(1 - inside(np, surface, x, y).sum() / steps) if x.size else 0.0,
        cells=int((state.visits > 0).sum()),
        x_low=float(x.min()) if x.size else math.nan,
        x_high=float(x.max()) if x.size else math.nan,
        at_wall=float(near.mean()) if near.size else math.nan,
        round_trips=int(state.round_trips.sum()),
        alive=alive,
        us_per_step=1e6 * seconds / steps,
        smoothing=smoothing,
    )


def failure(report: Period, dt: float, friction: float) -> str | None:
    """One sentence on what makes the run wrong, and what to do about it; None if it is sound."""
    if report.alive == 0:
        return (
            f"step {report.t}: every walker diverged; lower wlmd.dt, now {dt:g} ('wlnn probe' "
            f"measures a good one), or, of few parameters, raise wlmd.friction, now {friction:g}."
        )
    if report.halved > max(2, AGAIN * report.rounds):
        return (
            f"step {report.t}: {report.halved} of {report.rounds} rounds diverged and had to be "
            f"made again with a smaller time step; lower wlmd.dt, now {dt:g}."
        )
    if report.outside > OUTSIDE:
        return (
            f"step {report.t}: {report.outside:.2%} of the steps are outside the table, x in "
            f"[{report.x_low:.2f}, {report.x_high:.2f}]; raise wlmd.margin or the walls' stiffness "
            "wlmd.wall_low."
        )
    excess = report.temperature - report.expected
    allowed = TOLERANCE + 0.5 * (report.expected - 1) + NOISE * report.noise
    below = report.low_temperature - report.temperature
    if below > TOLERANCE * report.temperature + NOISE * report.low_noise:
        return (
            f"step {report.t}: kinetic temperature {report.low_temperature:.2f} at the lowest "
            f"losses, x from {report.x_low:.2f}, against {report.temperature:.2f} overall: the "
            f"time step is too large there; lower wlmd.dt, now {dt:g}."
        )
    if abs(excess) > allowed or report.temperature > HOTTEST:
        return (
            f"step {report.t}: kinetic temperature {report.temperature:.2f}, expected "
            f"{report.expected:.2f}: raise wlmd.friction, now {friction:g}, or lower wlmd.f_max or "
            f"wlmd.dt, now {dt:g}."
        )
    return None


def warnings(report: Period, history: dict[str, np.ndarray]) -> list[str]:
    """What is doubtful about a report and was not so in the one before, one sentence each."""
    before = {name: values[-1] for name, values in history.items() if values.size}
    now, then = _doubts(report), _doubts(Period(**before)) if before else {}
    return [sentence for kind, sentence in now.items() if kind not in then]


def _doubts(report: Period) -> dict[str, str]:
    found = {}
    if report.outside > 0:
        found["outside"] = (
            f"step {report.t:.0f}: {report.outside:.3%} of the steps are outside the table and add "
            f"nothing; above {OUTSIDE:.1%} the run stops. A larger wlmd.margin avoids it."
        )
    if abs(report.temperature - report.expected) > TOLERANCE + DOUBT * report.noise:
        found["temperature"] = (
            f"step {report.t:.0f}: kinetic temperature {report.temperature:.3f}, expected "
            f"{report.expected:.3f} from the heat of the hills."
        )
    warmer = report.low_temperature - report.temperature
    if warmer > 0.5 * TOLERANCE + DOUBT * report.low_noise:
        found["time step"] = (
            f"step {report.t:.0f}: kinetic temperature {report.low_temperature:.3f} at x from "
            f"{report.x_low:.2f}, {report.temperature:.3f} overall: wlmd.dt is near its limit."
        )
    return found


def temperature_by_x(surface: Surface, warmth: np.ndarray) -> dict[str, list[float]]:
    """Kinetic temperature in stretches of x of equal width, from ``MDState.warmth (2, nx)``.

    Keys: "x" (BLOCKS + 1 limits), "temperature" (None where there are too few steps), "steps".
    """
    steps, heat = warmth
    seen = np.flatnonzero(steps)
    if not seen.size:
        return {"x": [], "temperature": [], "steps": []}
    limits = np.linspace(seen[0], seen[-1] + 1, BLOCKS + 1).round().astype(int)
    stretches = [slice(a, b) for a, b in itertools.pairwise(limits)]
    counts = [float(steps[part].sum()) for part in stretches]
    sums = [float(heat[part].sum()) for part in stretches]
    return {
        "x": [float(x) for x in surface.x_node + (limits - 0.5) / surface.x_per_bin],
        "temperature": [
            total / count if count >= LEAST else None
            for total, count in zip(sums, counts, strict=True)
        ],
        "steps": counts,
    }
