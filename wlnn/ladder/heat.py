"""Walkers that are not at temperature 1 before the run: is it the time step, or do they still fall?

A time step c / sqrt(beta) may be too long where a loss bends sharply, and then motion heats. But a
walker that has left equilibrium behind is hot too: what U falls by becomes velocity, and the
thermostat takes it away slowly. The balance of energies tells one from the other: heat that neither
U nor the velocities have lost comes of the time step. Where that is at fault it is halved in this
rung, and in those that are made from it; where it is not, the walker stays until it has come down.
"""

from __future__ import annotations

import numpy as np

from wlnn.ladder.movers import Mover
from wlnn.ladder.rungs import Rungs
from wlnn.ladder.state import DESCENT, Ladder
from wlnn.settings.ladder import LadderSettings

HOT = 0.015  # excess of temperature that a time step is halved for: half of what is told as a fault
SURE = 4.0  # standard errors: sound ladders look at some hundred temperatures
SLOWEST = 6  # times that a step is halved at most
STAYS = 60  # most that are made again in a rung, ...
PART = 1 / 3  # ... and of all steps, as long as fewer are behind


def hottest(settings: LadderSettings, freedom: int, steps):
    """Mean kinetic temperature over ``steps`` that is too high for chance, and for a sound rung.

    The kinetic energy of ``freedom`` parameters is gamma distributed, and is forgotten with a rate
    of the friction per step: (E. Wilson, M. Hilferty 1931) its cube root is normal.
    """
    d = 2 / (9 * freedom * np.maximum(settings.friction * np.asarray(steps), 1.0))
    return np.maximum(1 + HOT, (1 - d + SURE * np.sqrt(d)) ** 3)


def heat(settings: LadderSettings, freedom: int, steps: float, excess: float, gained: float):
    """What the time step heats by, as the excess of temperature that it would have in the end.

    Args:
        steps: that were made.
        excess: the sum over them of kinetic temperature - 1, of which friction takes a part.
        gained: potential and kinetic energy at the end less that at the beginning.

    Returns:
        The heat, and its standard error: that of the noise of the thermostat.
    """
    taken = settings.friction * freedom * steps
    return excess / steps + gained / taken, np.sqrt(2 * max(1 + excess / steps, 1) / taken)


def time_steps(mover: Mover, rungs: Rungs, halved: np.ndarray, y=0.0) -> np.ndarray:
    """Time steps ``(K,)``, near mean y ``(K,)``, after the halvings that a ladder holds."""
    steps = mover.time_step(rungs.beta, rungs.kappa, y)
    return steps * 0.5**halved if halved.size else steps


def halved_as(ladder: Ladder, beta: np.ndarray) -> np.ndarray:
    """Halvings of rungs ``beta (n,)``, as a ladder's with its nearest ones; (0,) if it has none."""
    return ladder.halved[nearest(ladder.rungs, beta)] if ladder.halved.size else ladder.halved


def nearest(rungs: Rungs, beta: np.ndarray) -> np.ndarray:
    """The rung ``(n,)`` with the nearest ln beta to each of some, whose first is rung 0."""
    away = np.abs(np.log(rungs.beta[1:]) - np.log(np.append(beta[1], beta[1:]))[:, None])
    return np.where(np.arange(beta.size) == 0, 0, 1 + away.argmin(axis=1))


def once_more(settings, ladder: Ladder, k: int, visit, kinetic, steps: int, rng) -> Ladder | None:
    """The ladder whose walker stays in rung k again, or None where this stay is what counts.

    Going down it stays until it has come down. Going up it stays for the time step alone.

    Args:
        visit: the end of the stay.
        kinetic: mean temperatures of equal parts of it; only the last ones, as many as are looked
            at, must be right, but all of them are heat. NaN for Monte Carlo.
        steps: of the whole stay.
        rng: its stream, for the velocities of a walker that begins again.
    """
    freedom, looked = visit.v.size, kinetic[-2:]
    again, seen, excess, energy = ladder.record
    if again >= STAYS or ladder.steps > PART * settings.steps or not freedom:
        return None
    if np.mean(looked) <= hottest(settings, freedom, steps * len(looked) / len(kinetic)):
        return None
    down, now = ladder.phase == DESCENT, energy_of(ladder, k, visit)
    if np.isnan(energy):
        seen, excess, energy, halve = 0.0, 0.0, now, False
    else:
        seen, excess = seen + steps, excess + (np.mean(kinetic) - 1) * steps
        found, error = heat(settings, freedom, seen, excess, now - energy)
        halve = found > max(HOT, SURE * error) and ladder.slow[k] < SLOWEST
    if not (halve or down):
        return None
    ladder = ladder._replace(steps=ladder.steps + steps, stayed=ladder.stayed + down)
    if not halve:
        record = np.array([again + 1, seen, excess, energy])
        return with_walker(ladder, k, visit.theta, visit.v)._replace(record=record)
    # from where it began, with velocities of temperature 1, which are independent of theta
    fresh, v = rng.standard_normal(freedom), ladder.v[k]
    energy = np.nan if down else energy + (fresh @ fresh - v @ v) / 2
    ladder = with_walker(ladder, k, ladder.theta[k], fresh)
    return halving(ladder, np.arange(ladder.rungs.n) == k)._replace(
        record=np.array([again + 1, 0.0, 0.0, energy])
    )


def energy_of(ladder: Ladder, k: int, visit) -> float:
    """Potential and kinetic energy of the end of a visit, in the potential of rung k."""
    return float(ladder.rungs.beta[k] * np.exp(visit.here[0]) + visit.v @ visit.v / 2)


def halving(ladder: Ladder, which: np.ndarray) -> Ladder:
    """The ladder with half the time step in some rungs ``(K,)`` bool."""
    return ladder._replace(halved=ladder.slow + which, dt=np.where(which, ladder.dt / 2, ladder.dt))


def with_walker(ladder: Ladder, k: int, theta, v) -> Ladder:
    """Replica k as it is now."""
    own = np.arange(ladder.rungs.n)[:, None] == k
    return ladder._replace(theta=np.where(own, theta, ladder.theta), v=np.where(own, v, ladder.v))


def slower(settings: LadderSettings, ladder: Ladder) -> np.ndarray:
    """Rungs ``(K,)`` bool whose temperature, of all stretches that were counted, is too high."""
    n, total, _ = ladder.kinetic
    freedom = ladder.v.shape[1]
    if not freedom:
        return np.zeros(ladder.rungs.n, bool)
    with np.errstate(invalid="ignore", divide="ignore"):
        hot = total / n > hottest(settings, freedom, n * settings.stretch)
    return hot & (ladder.slow < SLOWEST)
