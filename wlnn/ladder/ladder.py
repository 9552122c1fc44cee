"""One unit of the work of a ladder, a pure function of its state and of the recipe.

After descent and ascent (``descent.py``), which make provisional rungs and a replica for each, two
phases. PILOT: all replicas move and are exchanged for a while; MBAR of their samples gives the heat
capacity at every temperature, and the rungs are spaced anew. RUN: what counts; where the landscape
is wanted off its ridge, TILT adds rungs (``tilt.py``) in the middle of it. A unit has random
numbers of its own by (seed, ladder, phase, unit, rung), so that it may be made in any thread or
process, and after an interruption, with the same bits. Loops over units, files and error bars
belong to others.
"""

from __future__ import annotations

import numpy as np

from wlnn.base.errors import UserError
from wlnn.ladder.descent import one_rung_down, one_rung_up, stay
from wlnn.ladder.exchange import TURN, exchange, moving, pairs_of_round
from wlnn.ladder.heat import halving, nearest, slower, time_steps
from wlnn.ladder.joint import joined
from wlnn.ladder.movers import Errand, Mover, Visit
from wlnn.ladder.rungs import FEW, canonical, respaced, untilted, with_row
from wlnn.ladder.samples import SLICES, Samples, gathered, of_visit, together
from wlnn.ladder.state import (
    ASCENT,
    DESCENT,
    DONE,
    PILOT,
    RUN,
    TILT,
    Ladder,
    generator_of,
    with_replicas,
)
from wlnn.ladder.tilt import in_view, next_arm, one_rung_aside
from wlnn.settings.ladder import LadderSettings

GATHER = 32  # stretches between two unions of the samples
LOOK = 60  # stretches between two looks at the acceptances: 20 to 30 tries of every pair
LEAST = 20  # stretches of the run
FIRST = 0.5  # of the steps, before there are rungs off the ridge: what is slow is settled then
_ONE_RUNG = {DESCENT: one_rung_down, ASCENT: one_rung_up, TILT: one_rung_aside}


def advance(mover: Mover, settings: LadderSettings, ladder: Ladder, stop) -> Ladder | None:
    """One unit later; the given ladder is unchanged. None if stopped before its end.

    Raises:
        UserError: a replica diverges, or the ladder cannot be made with these settings.
    """
    later = advance_all(mover, settings, [ladder], stop)
    return later and later[0]


def advance_all(mover: Mover, settings, ladders: list[Ladder], stop) -> list[Ladder] | None:
    """One unit later for each of several ladders: what makes as many steps moves at once.

    As :func:`advance`; what becomes of a ladder does not depend on the others.
    """
    units = [_unit(mover, settings, ladder) for ladder in ladders]
    asked: dict[int, tuple] = {}
    later: list = [None] * len(units)

    def go_on(k: int, visits) -> None:
        try:
            asked[k] = units[k].send(visits)
        except StopIteration as end:
            asked.pop(k, None)
            later[k] = end.value

    for k in range(len(units)):
        go_on(k, None)
    while asked:
        steps = min(steps for _, steps in asked.values())
        group = {k: walks for k, (walks, wanted) in asked.items() if wanted == steps}
        visits = mover.walks([walk for walks in group.values() for walk in walks], steps, stop)
        if visits is None:
            return None
        for k, walks in group.items():
            go_on(k, visits[: len(walks)])
            visits = visits[len(walks) :]
    return later


def _unit(mover, settings, ladder: Ladder):
    """One unit as a generator: yields walks and their steps, is sent the visits, returns it."""
    if ladder.phase in _ONE_RUNG:
        later = yield from _ONE_RUNG[ladder.phase](mover, settings, ladder)
        return _tilted(settings, later) if ladder.phase == TILT else later
    later = yield from _stretch(mover, settings, ladder)
    return turned(mover, settings, later)


def _stretch(mover, settings, ladder: Ladder):
    """The replicas whose turn it is move, each in its rung; then one round of exchanges."""
    rungs, order = ladder.rungs, ladder.order
    some = np.flatnonzero(moving(rungs, ladder.unit))
    rngs = [generator_of(settings.seed, ladder, k) for k in some]
    theta, v = ladder.theta, ladder.v
    walks = [
        Errand(rungs.beta[k], rungs.kappa[k], ladder.dt[k], theta[order[k]], v[order[k]], rng)
        for k, rng in zip(some[1:], rngs[1:], strict=True)
    ]
    visits = dict(zip(some, [mover.draw(rngs[0]), *(yield walks, settings.stretch)], strict=True))
    theta, v = theta.copy(), v.copy()
    for k, visit in visits.items():
        theta[order[k]], v[order[k]] = visit.theta, visit.v
    return exchanged(settings, ladder._replace(theta=theta, v=v), visits)


def exchanged(settings, ladder: Ladder, visits: dict[int, Visit]) -> Ladder:
    """The samples of the visits, by rung, are kept, and one round of exchanges is made.

    Which parameters the replicas have belongs to the caller.
    """
    rungs, order = ladder.rungs, ladder.order
    x, y, kinetic, moved = np.zeros((4, rungs.n))
    for k, visit in visits.items():
        (x[k], y[k]), kinetic[k], moved[k] = visit.here, visit.kinetic, 1
    slice_now = ladder.unit * SLICES // max(ladder.units, settings.pilot, 1)
    parts = [of_visit(visit, k, slice_now) for k, visit in visits.items()]
    steps = (len(visits) - 1) * settings.stretch + 1
    drawn = ladder.drawn.copy()
    drawn[order[0]] = True
    axis, pairs = pairs_of_round(rungs, ladder.unit)
    rng = generator_of(settings.seed, ladder, rungs.n)
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
        drawn=drawn,
        parts=(*ladder.parts, together(parts)),
        tried=tried,
        accepted=accepted,
        kinetic=ladder.kinetic + np.stack([moved, kinetic, kinetic**2]),
        descents=descents,
    )


def turned(mover, settings, ladder: Ladder) -> Ladder:
    """What follows a stretch: rungs spaced anew, or one more, samples gathered, or the end."""
    if ladder.phase == PILOT:
        return _respaced(mover, settings, ladder) if ladder.unit == settings.pilot else ladder
    if ladder.unit % GATHER == 0:
        ladder = ladder._replace(parts=(gathered(ladder.parts),))
    if ladder.unit % LOOK == 0 and ladder.unit <= ladder.units // 2:
        ladder = _with_missing_rung(mover, settings, _slowed(settings, ladder))
    if ladder.unit < ladder.units:
        return ladder
    if settings.depth and not ladder.rungs.tilt.any() and _more(settings, ladder) > 0:
        return _to_be_tilted(mover, settings, ladder)
    return ladder._replace(phase=DONE)


def next_turn(settings, ladder: Ladder) -> int:
    """The stretch, after the present one, behind which rungs or phase may change."""
    if ladder.phase == PILOT:
        return settings.pilot
    look = (ladder.unit // LOOK + 1) * LOOK
    return look if look <= ladder.units // 2 else ladder.units


def _respaced(mover, settings, ladder: Ladder) -> Ladder:
    """The rungs of the run, from the samples of the pilot; each begins from the nearest replica."""
    samples = gathered(ladder.parts)
    late = samples.slice >= SLICES // 3
    samples, ln_w, *_ = joined(ladder, Samples(*(column[late] for column in samples)))
    old, ln_w = ladder.rungs, ln_w + np.log(samples.count)
    betas = respaced(old.beta[1], old.beta[-1], samples.x, ln_w, settings.spacing)
    x, y, _ = canonical(samples, ln_w, betas)
    if ladder.caught or ladder.stayed:  # the last rung was one of other states
        betas = betas[: int(np.argmax(np.append(x < settings.x_low, True))) + 1]
    rungs = untilted(betas)
    near, hot = nearest(old, rungs.beta), slower(settings, ladder)
    halved = (ladder.slow + hot)[near] if hot.any() or ladder.halved.size else ladder.halved
    dt = time_steps(mover, rungs, halved, np.append(0.0, y[: betas.size]))
    ladder = ladder._replace(phase=RUN, unit=0, rungs=rungs, dt=dt, halved=halved, parts=())
    tilts = settings.depth and _more(settings, ladder, FIRST) >= LEAST
    ladder = ladder._replace(units=_stretches(settings, ladder, FIRST if tilts else 1.0))
    return with_replicas(ladder, ladder.order[near])


def _to_be_tilted(mover, settings, ladder: Ladder) -> Ladder:
    """A ladder whose ridge is in equilibrium: from there rungs off the ridge are made."""
    samples = gathered(ladder.parts)
    late = samples.slice >= SLICES // 2
    samples, ln_w, *_ = joined(ladder, Samples(*(column[late] for column in samples)))
    found = canonical(samples, ln_w + np.log(samples.count), ladder.rungs.beta[1:])
    x, y, deviations = (np.append(0.0, values) for values in found)
    wanted = [in_view(mover.window, *place) for place in zip(x, y, strict=True)]
    descents, ladder = ladder.descents, with_replicas(ladder, ladder.order)
    ladder = ladder._replace(
        phase=TILT,
        unit=0,
        descents=descents,
        capacity=np.where(wanted, deviations, 0.0),
        reached=y,
    )
    return _tilted(settings, ladder)


def _tilted(settings, ladder: Ladder) -> Ladder:
    """A ladder whose rungs off the ridge are being made: the run goes on behind the last.

    That is where every arm has ended, or where the steps that are left are enough for
    :data:`LEAST` turns of all rungs and for no other one: arms are then shorter than wanted.
    """
    left = settings.steps - ladder.steps - stay(settings)
    another = left > (LEAST + 1) * (_steps_of_a_turn(settings, ladder) + settings.stretch)
    if another and next_arm(settings, ladder):
        return ladder
    more = _more(settings, ladder)
    descents, later = ladder.descents, with_replicas(ladder, np.arange(ladder.rungs.n))
    later = later._replace(phase=RUN, unit=ladder.units, descents=descents)
    return _longer(later, more)


def _stretches(settings, ladder: Ladder, part: float) -> int:
    """Of the ridge, how many there are steps for in a part of all; UserError where too few."""
    units = _more(settings, ladder, part)
    if units < LEAST:
        least = LEAST * _steps_of_a_turn(settings, ladder) // TURN
        raise UserError(
            f"ladder.steps = {settings.steps}: the spacing of {ladder.rungs.n} rungs of ladder "
            f"{ladder.number} took {ladder.steps} and {LEAST} stretches of all take {least}; make "
            f"it at least {int((ladder.steps + least) / part)}, some more for the other ladders, "
            "in another directory."
        )
    return units


def _steps_of_a_turn(settings, ladder: Ladder) -> int:
    """What :data:`TURN` stretches take."""
    tilted = int(np.count_nonzero(ladder.rungs.tilt))
    often = (ladder.rungs.n - tilted - 1) * settings.stretch + 1
    return TURN * often + tilted * settings.stretch


def _more(settings, ladder: Ladder, part: float = 1.0) -> int:
    """Stretches that the steps which are left, of a part of all, are enough for."""
    left = int(part * settings.steps) - ladder.steps
    return int(TURN * left // _steps_of_a_turn(settings, ladder))


def _longer(ladder: Ladder, more: int) -> Ladder:
    """A run of ``more`` stretches more: its samples lie in as much longer slices."""
    units = ladder.units + more

    def resliced(part: Samples) -> Samples:
        return part._replace(slice=(2 * part.slice + 1) * ladder.units // (2 * units))

    return ladder._replace(units=units, parts=tuple(resliced(part) for part in ladder.parts))


def lengthened(settings, ladder: Ladder) -> Ladder:
    """The ladder with all stretches that there are steps for, if they were fewer when it began.

    A run whose steps are what they were has none left.
    """
    if ladder.phase not in (RUN, DONE):
        return ladder
    ahead = settings.depth and not ladder.rungs.tilt.any()  # of the rungs off the ridge
    more = _more(settings, ladder, FIRST if ahead else 1.0) - (ladder.units - ladder.unit)
    if ahead and ladder.phase == DONE and _more(settings, ladder) > 0:
        more = max(more, 1)  # behind which they are made, if half of the steps are behind already
    return _longer(ladder._replace(phase=RUN), more) if more > 0 else ladder


def _slowed(settings, ladder: Ladder) -> Ladder:
    """Half the time step where it heats; temperatures are counted anew there."""
    hot = slower(settings, ladder)
    return halving(ladder, hot)._replace(kinetic=ladder.kinetic * ~hot) if hot.any() else ladder


def _with_missing_rung(mover, settings, ladder: Ladder) -> Ladder:
    """A row inserted where exchanges along beta fail, if there is such a place; one at a time."""
    rungs = ladder.rungs
    with np.errstate(invalid="ignore"):
        rate = ladder.accepted[0] / ladder.tried[0]
    poor = np.flatnonzero((rungs.tilt == 0) & (ladder.tried[0] >= LOOK // 3) & (rate < FEW))
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
        halved=ladder.slow[began] if ladder.halved.size else ladder.halved,
        order=order,
        theta=np.concatenate([ladder.theta, ladder.theta[replicas[fresh]]]),
        v=np.concatenate([ladder.v, ladder.v[replicas[fresh]]]),
        drawn=np.concatenate([ladder.drawn, np.zeros(fresh.size, bool)]),
        parts=parts,
        **counts,
    )
