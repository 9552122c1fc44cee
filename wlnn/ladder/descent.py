"""Provisional rungs and their first replicas: a ladder before its pilot.

DESCENT: one walker, from a uniform draw of its own, goes down rung by rung; each distance is chosen
by the heat capacity just seen. ASCENT, of ladders that are heated only: a trained network goes up
the same rungs, and what it leaves there takes the place of the walker's. A ladder that was cooled
and one that was heated must find the same. A walker that is not at temperature 1 stays in its rung,
with a shorter time step where that is at fault (``heat.py``).
"""

from __future__ import annotations

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.streams import ANCHOR, words_of
from wlnn.ladder.heat import energy_of, halved_as, once_more, time_steps, with_walker
from wlnn.ladder.movers import Errand, Mover
from wlnn.ladder.rungs import first_beta, next_step, untilted
from wlnn.ladder.samples import of_visit
from wlnn.ladder.state import (
    ASCENT,
    DESCENT,
    FRESH,
    PILOT,
    Ladder,
    generator_of,
    place_of_stay,
    with_replicas,
)
from wlnn.settings.ladder import LadderSettings

PART, FIRST_PART = 3, 1  # of the stay in a rung: the first third is not looked at
TRIES, FEW_TRIES = 10, 1  # descents that may be given up; where others are heated
CLOSE = 0.3  # differences of ln beta of rungs that are chosen without a heat capacity
LONGER = 8  # times the usual steps, at most, of a stay with a shorter time step
PATIENCE, GAIN = 12, 0.02  # rungs of a descent, and how much x must fall in them per ln beta


def begin(mover: Mover, settings: LadderSettings, number: int, stop) -> Ladder | None:
    """Uniform draws, and the first replica: one of its own. None if stopped."""
    words = words_of(settings.seed, number, DESCENT, ANCHOR)
    found = mover.draws(settings.draws, words, stop)
    if found is None:
        return None
    visit, share = found
    rungs = untilted([first_beta(np.exp(visit.x), visit.count)])
    none = np.zeros(0)
    ladder = Ladder(
        number, DESCENT, 0, 0, settings.draws, share, rungs, mover.time_step(rungs.beta, 0.0, 0.0),
        np.arange(2), none, none, np.zeros(2, bool), none, none, 0, of_visit(visit, 0, -1), (),
        *(np.zeros((n, 2)) for n in (2, 2, 3)), 0,
    )  # fmt: skip
    return _at_the_top(mover, settings, ladder)


def _at_the_top(mover: Mover, settings: LadderSettings, ladder: Ladder) -> Ladder:
    """The descent begins, or begins again, in the first rung with a uniform draw of its own."""
    own, rungs = (
        mover.draw(generator_of(settings.seed, ladder, 0)),
        untilted(ladder.rungs.beta[1:2]),
    )
    # the replica of rung 0 is drawn anew in every stretch: any parameters will do until then
    return ladder._replace(
        rungs=rungs,
        dt=mover.time_step(rungs.beta, 0.0, 0.0),
        theta=np.stack([own.theta] * 2),
        v=np.stack([own.v] * 2),
        capacity=np.zeros(0),
        reached=np.zeros(0),
        halved=np.zeros(0, int),
        record=np.array(FRESH),
        stayed=0,
    )


def one_rung_down(mover, settings, ladder):
    """Stay in the last rung; then the next one begins with a copy, or the descent ends.

    As all units a generator: yields walks and their steps, is sent the visits, returns the ladder.
    """
    rungs, last = ladder.rungs, ladder.rungs.n - 1
    rng = generator_of(settings.seed, ladder, place_of_stay(ladder, last))
    theta, v, found, kinetic = ladder.theta[-1], ladder.v[-1], [], []
    steps = stay(settings, ladder.slow[last]) // PART
    for part in range(PART):
        (visit,) = yield [Errand(rungs.beta[last], 0.0, ladder.dt[last], theta, v, rng)], steps
        theta, v = visit.theta, visit.v
        kinetic.append(visit.kinetic)
        if part >= FIRST_PART:
            found.append((visit.x, visit.count))
    if (again := once_more(settings, ladder, last, visit, kinetic, PART * steps, rng)) is not None:
        return again
    x, count = (np.concatenate(column) for column in zip(*found, strict=True))
    loss = np.exp(x)
    mean = np.average(loss, weights=count)
    capacity = max(rungs.beta[last] ** 2 * np.average((loss - mean) ** 2, weights=count), 1e-9)
    # what a short stay sees is uncertain by a large factor: the mean with the last two, in ln
    capacity = np.exp(np.mean(np.log([*ladder.capacity[-2:], capacity])))
    ladder = ladder._replace(
        unit=ladder.unit + 1,
        steps=ladder.steps + PART * steps,
        capacity=np.append(ladder.capacity, capacity),
        reached=np.append(ladder.reached, np.average(x, weights=count)),
        theta=np.concatenate([ladder.theta[:-1], theta[None]]),
        v=np.concatenate([ladder.v[:-1], v[None]]),
        record=np.array(FRESH),
    )
    heated = _is_heated(settings, ladder)
    if ladder.reached[-1] < settings.x_low and ladder.stayed:
        return _to_go_up(mover, ladder)
    if ladder.reached[-1] < settings.x_low:
        ladder = ladder._replace(phase=ASCENT if heated else PILOT, unit=0)
        return with_replicas(ladder, np.arange(rungs.n))
    if _is_caught(ladder) and ladder.caught < (FEW_TRIES if settings.heated else TRIES):
        return _at_the_top(mover, settings, ladder._replace(caught=ladder.caught + 1))
    if _is_caught(ladder) and heated:
        return _to_go_up(mover, ladder._replace(caught=ladder.caught + 1))
    if _is_caught(ladder) and settings.heated:
        # it tells how heavy the states are that it is caught in, against those of the heated ones
        return with_replicas(ladder._replace(phase=PILOT, unit=0), np.arange(rungs.n))
    if last >= settings.rungs or _is_caught(ladder):
        raise UserError(
            f"ladder.x_low = {settings.x_low:g} is out of reach, and so there is no landscape: "
            f"ladder {ladder.number} has a mean x of {ladder.reached[-1]:.2f} after {last} rungs, "
            f"at beta = {rungs.beta[last]:.3g}, in its descent number {ladder.caught + 1}; raise "
            "ladder.x_low, or ladder.descent."
        )
    beta = rungs.beta[last] * np.exp(next_step(capacity, settings.spacing))
    rungs = untilted(np.append(rungs.beta[1:], beta))
    halved = np.append(ladder.halved, ladder.halved[-1:])
    return ladder._replace(
        rungs=rungs,
        dt=time_steps(mover, rungs, halved),
        halved=halved,
        theta=np.concatenate([ladder.theta, theta[None]]),
        v=np.concatenate([ladder.v, v[None]]),
    )


def _is_heated(settings: LadderSettings, ladder: Ladder) -> bool:
    """Whether a trained network goes up this ladder."""
    return ladder.number >= settings.ladders - settings.heated


def _to_go_up(mover, ladder: Ladder) -> Ladder:
    """A descent whose rungs are gone up again, close ones, as the heat capacity was that of other
    states: it was caught, or it fell out of states that it should have left further up.

    Up goes a trained network, or in a ladder that is cooled the walker that fell.
    """
    first, last = ladder.rungs.beta[[1, -1]]
    rungs = untilted(np.geomspace(first, last, 2 + int(np.log(last / first) / CLOSE)))
    halved = halved_as(ladder, rungs.beta)
    ladder = ladder._replace(
        phase=ASCENT,
        unit=0,
        rungs=rungs,
        dt=time_steps(mover, rungs, halved),
        halved=halved,
    )
    return with_replicas(ladder, np.full(rungs.n, len(ladder.theta) - 1))


def _is_caught(ladder: Ladder) -> bool:
    """Whether x hardly falls any more while beta grows: the walker is in a well of its own.

    In equilibrium x falls by Delta ln beta or less, as C follows L; here by a part of :data:`GAIN`
    over the last :data:`PATIENCE` rungs, or not at all.
    """
    if ladder.reached.size <= PATIENCE:
        return False
    rise = np.log(ladder.rungs.beta[-1] / ladder.rungs.beta[-1 - PATIENCE])
    return bool(ladder.reached[-1 - PATIENCE] - ladder.reached[-1] < GAIN * rise)


def stay(settings: LadderSettings, slow: int = 0) -> int:
    """Steps in a rung before there is a run: whole numbers of samples and thermostats a part.

    As many more as make good a time step that was halved ``slow`` times, up to :data:`LONGER`.
    """
    every = np.lcm(settings.thermostat_every, settings.sample_every)
    longer = min(2 ** int(slow), LONGER)
    return PART * max(settings.descent // (PART * every), 1) * int(every) * longer


def one_rung_up(mover, settings, ladder: Ladder):
    """The heated walker stays in the next hotter rung, and leaves its replica there."""
    k = ladder.rungs.n - 1 - ladder.unit
    rng = generator_of(settings.seed, ladder, place_of_stay(ladder, k))
    if not ladder.record[0]:  # else it is there
        if ladder.unit:
            ladder = with_walker(ladder, k, ladder.theta[k + 1], ladder.v[k + 1])
        elif _is_heated(settings, ladder):
            theta = mover.trained(settings.x_low, rng)
            ladder = with_walker(ladder, k, theta, rng.standard_normal(theta.size))
    steps = stay(settings, ladder.slow[k])
    errand = Errand(ladder.rungs.beta[k], 0.0, ladder.dt[k], ladder.theta[k], ladder.v[k], rng)
    (visit,) = yield [errand], steps
    if (again := once_more(settings, ladder, k, visit, [visit.kinetic], steps, rng)) is not None:
        return again
    ladder = with_walker(ladder, k, visit.theta, visit.v)._replace(
        unit=ladder.unit + 1,
        steps=ladder.steps + steps,
        record=np.array([*FRESH[:3], energy_of(ladder, k - 1, visit)]),
    )
    return ladder._replace(phase=PILOT, unit=0) if k == 1 else ladder
