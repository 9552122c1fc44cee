"""One ladder: its state, and one unit of its work, a pure function of state and recipe.

DESCENT: one walker, from a uniform draw of its own, goes down rung by rung; each distance is chosen
by the heat capacity just seen, which makes a provisional ladder. ASCENT, of ladders that are heated
only: a trained network goes up the same rungs, and what it leaves there takes the place of the
walker's: a ladder that was cooled and one that was heated must find the same. PILOT: all
replicas move and are exchanged for a while; MBAR of their samples gives the heat capacity at every
temperature, and the rungs are spaced anew. RUN: what counts. A unit (a rung of the descent, a
stretch of all replicas) has random numbers of its own by (seed, ladder, phase, unit, rung), so that
it may be made in any thread or process, and after an interruption, with the same bits.
Loops over units, files and error bars belong to others.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.ladder import mbar
from wlnn.ladder.exchange import exchange, pairs_of_round
from wlnn.ladder.movers import Mover
from wlnn.ladder.rungs import (
    FEW,
    Rungs,
    first_beta,
    next_step,
    respaced,
    tilted,
    untilted,
    with_row,
)
from wlnn.ladder.samples import SLICES, Samples, gathered, of_visit, together
from wlnn.settings.ladder import LadderSettings

DESCENT, ASCENT, PILOT, RUN, DONE = range(5)
GATHER = 32  # stretches between two unions of the samples
LOOK = 60  # stretches between two looks at the acceptances: 30 tries of every pair
LEAST = 20  # stretches of the run
PART, FIRST_PART = 3, 1  # of the stay in a rung of the descent: the first third is not looked at
X_WIDTH, Y_WIDTH = 0.002, 0.01  # of the bins in which MBAR pools samples


class Ladder(NamedTuple):
    """K rungs and as many replicas: everything the next unit needs, and the record of the others.

    Arrays by replica are ``(K, ...)`` in the order in which replicas were made; ``order[k]`` is the
    replica in rung k. Rung 0 is the uniform density: its replica is drawn anew in every stretch.
    """

    number: int
    phase: int
    unit: int  # of the phase: rungs of the descent, or stretches
    units: int  # stretches of the run, 0 before it begins
    steps: int  # made so far by all replicas, draws included
    share: float  # of the box inside the window
    rungs: Rungs
    dt: np.ndarray  # (K,)
    order: np.ndarray  # (K,)
    theta: np.ndarray  # (K, P)
    v: np.ndarray  # (K, P), or (K, 0)
    drawn: np.ndarray  # (K,) bool by replica: was in rung 0 since it was in the last row
    capacity: np.ndarray  # (K - 1,) C of the descent's rungs, by row
    draws: Samples  # of the beginning
    parts: tuple[Samples, ...]  # of this phase
    tried: np.ndarray  # (2, K) exchanges of a rung with the next along beta, along kappa ...
    accepted: np.ndarray  # (2, K) ... and how many were made
    kinetic: np.ndarray  # (3, K) stretches of the run, sums of their temperatures and squares
    descents: int  # replicas that came from rung 0 to the last row


def generator(seed: int, ladder: Ladder, place: int) -> np.random.Generator:
    """The stream of one rung in the coming unit; place K is that of the exchanges."""
    key = (ladder.number, ladder.phase, ladder.unit, place)
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))


def begin(mover: Mover, settings: LadderSettings, number: int, stop) -> Ladder | None:
    """Uniform draws, and the first replica: one of its own. None if stopped."""
    words = np.random.SeedSequence(settings.seed, spawn_key=(number, DESCENT, 2**31 - 1))
    found = mover.draws(settings.draws, words, stop)
    if found is None:
        return None
    visit, share = found
    rungs = untilted([first_beta(np.exp(visit.x), visit.count)])
    none = np.zeros(0)
    ladder = Ladder(
        number, DESCENT, 0, 0, settings.draws, share, rungs, mover.time_step(rungs.beta, 0.0, 0.0),
        np.arange(2), none, none, np.zeros(2, bool), none, of_visit(visit, 0, -1), (),
        *(np.zeros((n, 2)) for n in (2, 2, 3)), 0,
    )  # fmt: skip
    own = mover.draw(generator(settings.seed, ladder, 0))
    # the replica of rung 0 is drawn anew in every stretch: any parameters will do until then
    return ladder._replace(theta=np.stack([own.theta] * 2), v=np.stack([own.v] * 2))


def advance(mover: Mover, settings: LadderSettings, ladder: Ladder, stop) -> Ladder | None:
    """One unit later; the given ladder is unchanged. None if stopped before its end.

    Raises:
        UserError: a replica diverges, or the ladder cannot be made with these settings.
    """
    if ladder.phase == DESCENT:
        return _one_rung_down(mover, settings, ladder, stop)
    if ladder.phase == ASCENT:
        return _one_rung_up(mover, settings, ladder, stop)
    later = _stretch(mover, settings, ladder, stop)
    if later is None:
        return None
    if ladder.phase == PILOT:
        return _respaced(mover, settings, later) if later.unit == settings.pilot else later
    if later.unit % GATHER == 0:
        later = later._replace(parts=(gathered(later.parts),))
    if later.unit % LOOK == 0 and later.unit <= later.units // 2:
        later = _with_missing_rung(mover, settings, later)
    return later._replace(phase=DONE) if later.unit >= later.units else later


def _one_rung_down(mover, settings, ladder, stop) -> Ladder | None:
    """Stay in the last rung; then the next one begins with a copy, or the descent ends."""
    rungs, last = ladder.rungs, ladder.rungs.n - 1
    rng = generator(settings.seed, ladder, last)
    theta, v, found = ladder.theta[-1], ladder.v[-1], []
    steps = _stay(settings) // PART
    for part in range(PART):
        visit = mover.walk(
            rungs.beta[last], 0.0, ladder.dt[last], theta, v, steps, rng, stop
        )  # fmt: skip
        if visit is None:
            return None
        theta, v = visit.theta, visit.v
        if part >= FIRST_PART:
            found.append((visit.x, visit.count))
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
        theta=np.concatenate([ladder.theta[:-1], theta[None]]),
        v=np.concatenate([ladder.v[:-1], v[None]]),
    )
    reached = np.average(x, weights=count)
    if reached < settings.x_low:
        heated = ladder.number >= settings.ladders - settings.heated
        ladder = ladder._replace(phase=ASCENT if heated else PILOT, unit=0)
        return _with_replicas(ladder, np.arange(rungs.n))
    if last >= settings.rungs:
        raise UserError(
            f"ladder.x_low = {settings.x_low:g}: ladder {ladder.number} has a mean x of "
            f"{reached:.2f} after {last} rungs, at beta = {rungs.beta[last]:.3g}; raise "
            "ladder.x_low or ladder.rungs."
        )
    beta = rungs.beta[last] * np.exp(next_step(capacity, settings.spacing))
    rungs = untilted(np.append(rungs.beta[1:], beta))
    return ladder._replace(
        rungs=rungs,
        dt=mover.time_step(rungs.beta, 0.0, 0.0),
        theta=np.concatenate([ladder.theta, theta[None]]),
        v=np.concatenate([ladder.v, v[None]]),
    )


def _stay(settings: LadderSettings) -> int:
    """Steps in a rung of descent and ascent: whole numbers of samples and thermostats a part."""
    every = np.lcm(settings.thermostat_every, settings.sample_every)
    return PART * max(settings.descent // (PART * every), 1) * int(every)


def _one_rung_up(mover, settings, ladder: Ladder, stop) -> Ladder | None:
    """The heated walker stays in the next hotter rung, and leaves its replica there."""
    k = ladder.rungs.n - 1 - ladder.unit
    rng = generator(settings.seed, ladder, k)
    if ladder.unit == 0:
        theta = mover.trained(settings.x_low, rng)
        v = rng.standard_normal(theta.size)
    else:
        theta, v = ladder.theta[k + 1], ladder.v[k + 1]
    steps = _stay(settings)
    visit = mover.walk(ladder.rungs.beta[k], 0.0, ladder.dt[k], theta, v, steps, rng, stop)
    if visit is None:
        return None
    replicas = np.arange(ladder.rungs.n)[:, None] == k
    ladder = ladder._replace(
        unit=ladder.unit + 1,
        steps=ladder.steps + steps,
        theta=np.where(replicas, visit.theta, ladder.theta),
        v=np.where(replicas, visit.v, ladder.v),
    )
    return ladder._replace(phase=PILOT, unit=0) if k == 1 else ladder


def _with_replicas(ladder: Ladder, replicas: np.ndarray) -> Ladder:
    """Replica ``replicas[k]`` begins in rung k; counts begin at 0."""
    k = ladder.rungs.n
    return ladder._replace(
        order=np.arange(k),
        theta=ladder.theta[replicas],
        v=ladder.v[replicas],
        drawn=np.zeros(k, bool),
        tried=np.zeros((2, k)),
        accepted=np.zeros((2, k)),
        kinetic=np.zeros((3, k)),
        descents=0,
    )


def _stretch(mover, settings, ladder: Ladder, stop) -> Ladder | None:
    """All replicas move, each in its rung; then one round of exchanges."""
    rungs, order = ladder.rungs, ladder.order
    theta, v = ladder.theta.copy(), ladder.v.copy()
    x, y, kinetic = np.empty(rungs.n), np.empty(rungs.n), np.full(rungs.n, np.nan)
    slice_now = ladder.unit * SLICES // max(ladder.units, settings.pilot, 1)
    parts, steps = [], 0
    for k in range(rungs.n):
        rng, replica = generator(settings.seed, ladder, k), order[k]
        if k == 0:
            visit = mover.draw(rng)
        else:
            visit = mover.walk(
                rungs.beta[k], rungs.kappa[k], ladder.dt[k], theta[replica], v[replica],
                settings.stretch, rng, stop,
            )  # fmt: skip
            if visit is None:
                return None
        theta[replica], v[replica] = visit.theta, visit.v
        (x[k], y[k]), kinetic[k] = visit.here, visit.kinetic
        parts.append(of_visit(visit, k, slice_now))
        steps += settings.stretch if k else 1
    drawn = ladder.drawn.copy()
    drawn[order[0]] = True
    axis, pairs = pairs_of_round(rungs, ladder.unit)
    rng = generator(settings.seed, ladder, rungs.n)
    order, changed = exchange(rungs, pairs, order, x, y, rng)
    tried, accepted = ladder.tried.copy(), ladder.accepted.copy()
    tried[axis, pairs[:, 0]] += 1
    accepted[axis, pairs[:, 0]] += changed
    arrived = order[rungs.row == rungs.row.max()]
    descents = ladder.descents + int(drawn[arrived].sum())
    drawn[arrived] = False
    return ladder._replace(
        unit=ladder.unit + 1,
        steps=ladder.steps + steps,
        order=order,
        theta=theta,
        v=v,
        drawn=drawn,
        parts=(*ladder.parts, together(parts)),
        tried=tried,
        accepted=accepted,
        kinetic=ladder.kinetic + np.stack([np.ones(rungs.n), kinetic, kinetic**2]),
        descents=descents,
    )


def joined(ladder: Ladder, samples: Samples):
    """MBAR of samples and draws: f ``(K,)``, all samples, their ln w ``(n,)``, and the pool.

    ln w is that of one sample in the uniform density of the box: an entry counts ``count`` times.
    Only rungs that have samples take part; a rung that was inserted late may have none.
    """
    samples = together([ladder.draws, samples])
    present, rung = np.unique(samples.rung, return_inverse=True)
    rungs = Rungs(*(column[present] for column in ladder.rungs))
    y_width = Y_WIDTH if rungs.tilt.any() else 0.0
    pool = mbar.pooled(rung, samples.x, samples.y, samples.count, X_WIDTH, y_width)
    f = mbar.free_energies(rungs.potential(pool.x, pool.y), pool, rungs.parents())
    totals, ln_w = pool.totals(rungs.n), np.empty(samples.x.size)
    for first in range(0, ln_w.size, 50_000):
        some = slice(first, first + 50_000)
        u = rungs.potential(samples.x[some], samples.y[some])
        ln_w[some] = mbar.shares(f, totals, u)[1]
    return f, samples, ln_w + np.log(ladder.share), pool, rungs


def _respaced(mover, settings, ladder: Ladder) -> Ladder:
    """The rungs of the run, from the samples of the pilot; each begins from the nearest replica."""
    samples = gathered(ladder.parts)
    late = samples.slice >= SLICES // 3
    _, samples, ln_w, _, _ = joined(ladder, Samples(*(column[late] for column in samples)))
    old, ln_w = ladder.rungs, ln_w + np.log(samples.count)
    betas = respaced(old.beta[1], old.beta[-1], samples.x, ln_w, settings.spacing)
    means, deviations = [], []
    for beta in betas:
        ln = ln_w - beta * np.exp(samples.x)
        w = np.exp(ln - ln.max())
        means.append(np.average(samples.y, weights=w))
        deviations.append(np.sqrt(np.average((samples.y - means[-1]) ** 2, weights=w)))
    steps = settings.tilt / np.maximum(deviations, 1e-6)
    rungs = tilted(betas, steps, settings.tilts)
    near = np.abs(np.log(old.beta[1:]) - np.log(np.append(betas[0], betas))[:, None]).argmin(axis=1)
    near = np.where(np.arange(near.size) == 0, 0, 1 + near)[rungs.row]
    y = np.append(0.0, means)[rungs.row]
    cost = (rungs.n - 1) * settings.stretch + 1
    units = (settings.steps - ladder.steps) // cost
    if units < LEAST:
        raise UserError(
            f"ladder.steps = {settings.steps}: the spacing of {rungs.n} rungs took {ladder.steps} "
            f"and {LEAST} stretches of all take {LEAST * cost}; make it at least "
            f"{ladder.steps + LEAST * cost}."
        )
    ladder = ladder._replace(
        phase=RUN,
        unit=0,
        units=int(units),
        rungs=rungs,
        dt=mover.time_step(rungs.beta, rungs.kappa, y),
        parts=(),
    )
    return _with_replicas(ladder, ladder.order[near])


def _with_missing_rung(mover, settings, ladder: Ladder) -> Ladder:
    """A row inserted where exchanges along beta fail, if there is such a place; one at a time."""
    rungs = ladder.rungs
    with np.errstate(invalid="ignore"):
        rate = ladder.accepted[0] / ladder.tried[0]
    poor = np.flatnonzero((rungs.tilt == 0) & (ladder.tried[0] >= LOOK // 2) & (rate < FEW))
    if not poor.size:
        return ladder
    above = int(rungs.row[poor[np.argmin(rate[poor])]])
    new, began = with_row(rungs, above)
    added = new.row == above + 1
    replicas = ladder.order[began]
    fresh = np.flatnonzero(added)
    # replicas keep their places; a new rung's is a copy of its colder neighbour's
    order = replicas.copy()
    order[fresh] = rungs.n + np.arange(fresh.size)
    place = np.empty(rungs.n, int)
    place[began[~added]] = np.flatnonzero(~added)
    parts = tuple(part._replace(rung=place[part.rung]) for part in ladder.parts)
    counts = {}
    for name in ("tried", "accepted", "kinetic"):
        counts[name] = np.where(added, 0.0, getattr(ladder, name)[:, began])
    for name in ("tried", "accepted"):
        counts[name][0, (new.row == above)] = 0.0  # the neighbour is another now
    return ladder._replace(
        rungs=new,
        dt=ladder.dt[began],
        order=order,
        theta=np.concatenate([ladder.theta, ladder.theta[replicas[fresh]]]),
        v=np.concatenate([ladder.v, ladder.v[replicas[fresh]]]),
        drawn=np.concatenate([ladder.drawn, np.zeros(fresh.size, bool)]),
        parts=parts,
        **counts,
    )
