"""Rungs off the ridge: within the run, one by one, each a step of kappa further from a row's own.

In the potential beta e^x + kappa y a row of beta is seen at higher or lower y than it has of
itself. An arm, to one side of a row, ends when ln p(y) has fallen by ``ladder.depth`` on the way,
by d ln p / dy = kappa at the mean y. Of the run itself nothing is here.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.ladder.descent import FIRST_PART, PART, stay
from wlnn.ladder.movers import Errand
from wlnn.ladder.rungs import with_tilted
from wlnn.ladder.state import Ladder, generator_of
from wlnn.landscape.grid import Grid
from wlnn.settings.ladder import LadderSettings

EVERY = 2  # rows of which one is tilted; rows between them lie within a deviation of x
MOST = 60  # rungs of an arm
FINEST = 0.35  # bins of y: nearly all samples of Monte Carlo lie in one bin, at its centre
BEYOND = 3  # bins of x beyond the window, as far as the rungs of a row are of use
GAIN = 0.1  # of what steps should move the mean y by: an arm whose last two do less is stuck


class Arm(NamedTuple):
    """One side of a row, as far as it is made."""

    row: int
    side: int  # 1: kappa > 0, low y; -1: kappa < 0, high y
    rungs: np.ndarray  # (n,) from kappa = 0 to the last


def arms(ladder: Ladder) -> list[Arm]:
    """Both sides of every row that is tilted."""
    rungs, found = ladder.rungs, []
    for row in range(1, rungs.row.max() + 1, EVERY):
        for side in (1, -1):
            own = np.flatnonzero((rungs.row == row) & (rungs.tilt * side >= 0))
            found.append(Arm(row, side, own[np.argsort(np.abs(rungs.tilt[own]))]))
    return found


def depth(ladder: Ladder, arm: Arm) -> float:
    """Nats by which ln p(y) of a row falls from its mean to that of the last rung of an arm."""
    kappa, y = ladder.rungs.kappa[arm.rungs], ladder.reached[arm.rungs]
    return float(-np.sum((kappa[1:] + kappa[:-1]) / 2 * np.diff(y)))


def is_open(settings: LadderSettings, ladder: Ladder, arm: Arm) -> bool:
    """Whether another rung is wanted, and there is something that it could tell apart."""
    y, deviations = ladder.reached[arm.rungs], ladder.capacity[arm.rungs]
    if deviations[-1] <= 0 or len(arm.rungs) > MOST:
        return False
    gained = arm.side * (y[-3] - y[-1]) if y.size > 2 else np.inf
    stuck = gained < GAIN * settings.tilt * deviations[-3:-1].sum()
    return not stuck and depth(ladder, arm) < settings.depth


def in_view(window: Grid, x: float, y: float) -> bool:
    """Whether a rung with this mean has much to say about the bins of a landscape."""
    axis, more = window.x, BEYOND * window.x.width
    return bool(axis.lo - more <= x <= axis.hi + more and window.y.lo <= y <= window.y.hi)


def next_arm(settings: LadderSettings, ladder: Ladder) -> Arm | None:
    """The shortest of the open arms, or None when all have ended."""
    wanted = [arm for arm in arms(ladder) if is_open(settings, ladder, arm)]
    return min(wanted, key=lambda arm: len(arm.rungs), default=None)


def one_rung_aside(mover, settings: LadderSettings, ladder: Ladder):
    """The next rung of the shortest arm, from a copy of its neighbour's replica.

    As all units a generator: yields walks and their steps, is sent the visits, returns the ladder.
    """
    arm = next_arm(settings, ladder)
    rungs, last = ladder.rungs, int(arm.rungs[-1])
    kappa = rungs.kappa[last] + arm.side * settings.tilt / ladder.capacity[last]
    beta, tilt = rungs.beta[last], arm.side * len(arm.rungs)
    dt = mover.time_step(beta, kappa, ladder.reached[last]) * 0.5 ** ladder.slow[last]
    rng = generator_of(settings.seed, ladder, rungs.n)
    theta, v, found = ladder.theta[last], ladder.v[last], []
    steps = stay(settings) // PART
    for part in range(PART):
        (visit,) = yield [Errand(beta, kappa, dt, theta, v, rng)], steps
        theta, v = visit.theta, visit.v
        if part >= FIRST_PART:
            found.append((visit.x, visit.y, visit.count))
    x, y, count = (np.concatenate(column) for column in zip(*found, strict=True))
    mean, x = np.average(y, weights=count), np.average(x, weights=count)
    # a short stay sees too little of the variance, which is -d<y> / d kappa as well; both are
    # uncertain by a large factor: the mean with the last, in ln
    moved = (ladder.reached[last] - mean) / (kappa - rungs.kappa[last])
    variance = max(np.average((y - mean) ** 2, weights=count), moved)
    deviation = (variance * ladder.capacity[last] ** 2) ** 0.25
    binned = visit.cell[0] >= 0 and deviation < FINEST * mover.window.y.width
    if binned or not in_view(mover.window, x, mean):
        deviation = 0.0
    return ladder._replace(
        unit=ladder.unit + 1,
        steps=ladder.steps + PART * steps,
        rungs=with_tilted(rungs, beta, kappa, arm.row, tilt),
        dt=np.append(ladder.dt, dt),
        halved=np.append(ladder.halved, ladder.halved[last : last + 1]),
        order=np.arange(rungs.n + 1),
        theta=np.concatenate([ladder.theta, theta[None]]),
        v=np.concatenate([ladder.v, v[None]]),
        capacity=np.append(ladder.capacity, deviation),
        reached=np.append(ladder.reached, mean),
    )
