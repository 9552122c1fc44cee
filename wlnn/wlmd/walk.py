"""Wang-Landau molecular dynamics: state, start, and one round of time steps.

Walkers move in the potential U = S(x, y, t) + V(x, y), the entropy table they are building plus
the walls, at temperature 1; every step adds a hill to S where the walker is, until the walk is flat
in (x, y), which it is when S is the entropy (paper, Methods, Eqs. (3) and (4)). The readable
definition is :func:`walk_numpy`; ``driver.walk`` is the same made fast. Loops, checkpoints and
reports belong to ``run.py``, what is made of a table in the end to ``estimators.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from wlnn.backend.cache import drop_stale
from wlnn.backend.device import CPU
from wlnn.base.errors import UserError
from wlnn.tasks.field import Field, field_of
from wlnn.tasks.problem import Problem
from wlnn.wlmd import integrator
from wlnn.wlmd.driver import walk
from wlnn.wlmd.integrator import (
    DIVERGED,
    FINE,
    STOPPED,
    Motion,
    kinetic_temperature,
    langevin_step,
    make_box,
    normal,
)
from wlnn.wlmd.surface import A0, Surface, deposit, inside, slope, wall_slope

X, Y, ACCURACY, KINETIC = range(4)  # columns of a trace
HALVINGS = 3  # of the time step, for a round in which a walker diverged, before it is given up


class MDState(NamedTuple):
    """K walkers on one table: what the next round needs, and what the results are made of."""

    theta: np.ndarray  # (K, P)
    v: np.ndarray  # (K, P)
    table: np.ndarray  # (nx, ny), S in nats
    visits: np.ndarray  # (nx, ny), steps of all walkers that are still counted
    frozen: np.ndarray  # (nx, ny), visits since S is frozen
    average: np.ndarray  # (nx, ny), sum of the tables sampled so far ...
    n_averaged: int  # ... and how many they are
    known: np.ndarray  # (nx, ny) bool, visited before the average began; all until then
    right: np.ndarray  # (nx, ny), sum over visits of the true accuracy; (0, 0) if y is a loss
    warmth: np.ndarray  # (2, nx), by bin of x since the average began: steps, sum of temperatures
    t: int  # steps made by each walker
    alive: np.ndarray  # (K,) bool; a walker that diverged is not moved again
    direction: np.ndarray  # (K,) +1 after the low end of x, -1 after the high end, 0 before
    round_trips: np.ndarray  # (K,)


class Lost(NamedTuple):
    """A walker that diverged: which one, at which step, and its last position and temperature."""

    walker: int
    step: int
    x: float
    y: float
    kinetic: float


class Halved(NamedTuple):
    """A round that a walker could make with a smaller time step only."""

    walker: int
    step: int  # at which it diverged with the time step of the run
    x: float  # lowest x of the round
    dt: float  # with which the round was made


class Walked(NamedTuple):
    """One walker at the end of a round, or where it diverged, with hills on a table of its own."""

    theta: np.ndarray  # (P,)
    v: np.ndarray  # (P,)
    table: np.ndarray  # (nx, ny), on the device
    trace: np.ndarray  # (steps made, 4): x, y, true accuracy, temperature
    ending: int
    halved: Halved | None = None


class Round(NamedTuple):
    """What one round brought: the new state, traces ``(K', n, 4)`` and the walkers lost."""

    state: MDState
    traces: np.ndarray  # of the walkers that came through: x, y, true accuracy, temperature
    lost: list[Lost]
    halved: list[Halved]


def make_motion(
    problem: Problem, dt: float, friction: float, every: int = 10, scheme: str = "baoab"
) -> Motion:
    """Constants of the integrator; ``friction`` is gamma per step, every ``every``-th step acts.

    A walker whose kinetic temperature exceeds 4 and its natural spread has diverged.
    """
    if scheme not in ("baoab", "boa"):
        raise UserError(f"integrator '{scheme}' is unknown; use 'baoab' or 'boa'.")
    hottest = 4.0 + 30.0 * (2.0 / problem.n_parameters) ** 0.5
    half_drifts = int(scheme == "baoab")
    return integrator.make_motion(dt, friction, every, half_drifts=half_drifts, hottest=hottest)


def start(problem: Problem, surface: Surface, walkers: int, rng: np.random.Generator) -> MDState:
    """Walkers at ``problem.start`` with velocities from Normal(0, 1), and an empty table.

    Raises:
        UserError: a start outside the table.
    """
    theta = problem.start(rng, walkers)
    x, y, accuracy, _ = problem.evaluate(np, theta)
    if not inside(np, surface, x, y).all():
        worst = int(np.argmin(inside(np, surface, x, y)))
        raise UserError(
            f"a walker would start at x = {x[worst]:.3g}, y = {y[worst]:.3g}, outside the table; "
            "make the window larger."
        )
    shape = (surface.nx, surface.ny)
    none = (0, 0) if accuracy is None else shape
    return MDState(
        theta=theta,
        v=rng.standard_normal(theta.shape),
        table=np.zeros(shape),
        visits=np.zeros(shape, np.int64),
        frozen=np.zeros(shape, np.int64),
        average=np.zeros(shape),
        n_averaged=0,
        known=np.ones(shape, bool),
        right=np.zeros(none),
        warmth=np.zeros((2, surface.nx)),
        t=0,
        alive=np.ones(walkers, bool),
        direction=np.zeros(walkers, np.int64),
        round_trips=np.zeros(walkers, np.int64),
    )


def walk_numpy(
    xp, problem, theta, v, table, surface, motion, volumes, rngs, trace, stop=(0,)
):  # fmt: skip
    """R walkers, ``n`` steps: the definition; returns (steps made, how they ended), both ``(R,)``.

    Shapes: theta, v ``(R, P)``; table ``(nx, ny)`` of all, or ``(R, nx, ny)``, one each; volumes
    ``(n,)`` in NumPy, the hill of each walker in each step, 0 for none; trace ``(R, n, 4)``, which
    receives x, y, true accuracy and kinetic temperature; rngs: R generators, or one. ``problem`` is
    a :class:`Problem` or a :class:`Field`. Changed in place: theta, v, table, trace. Nothing is
    read back while it runs, so that a device never waits for the CPU.
    """
    x, y, accuracy, tape = problem.evaluate(xp, theta)
    begun = here, speed = theta.copy(), v.copy()
    sound, steps = xp.ones(x.shape, bool), xp.zeros(x.shape, int)
    walled = np.isfinite(surface.walls[:4]).any()
    for k, volume in enumerate(volumes):
        # 1. force: minus the gradient of S(x, y) + V(x, y), by the chain rule in one backward pass
        ux, uy = slope(xp, table, surface, x, y)
        if walled:
            vx, vy = wall_slope(xp, surface.walls, x, y)
            ux, uy = ux + vx, uy + vy
        force = -problem.backward(xp, tape, ux, uy)
        # 2. move; the thermostat acts in every m-th step
        noise = None
        if (k + 1) % motion.every == 0:
            noise = normal(rngs, theta.shape, np.float32).astype(float)
        moved = langevin_step(xp, here, speed, force, noise, motion, problem.lo, problem.hi)
        # a lost walker must not stop the others: it waits where it began
        here, speed = (
            xp.where(sound[:, None], new, old) for new, old in zip(moved, begun, strict=True)
        )
        # 3. where are we now, and are we still sound
        x, y, accuracy, tape = problem.evaluate(xp, here)
        kinetic = kinetic_temperature(speed)
        right = xp.zeros_like(x) if accuracy is None else accuracy
        trace[:, k] = xp.stack([x, y, right, kinetic], axis=1)
        steps += sound
        sound = sound & xp.isfinite(x) & xp.isfinite(y) & (kinetic < motion.hottest)
        # 4. raise S here
        if volume > 0:
            deposit(xp, table, surface, x, y, float(volume) * sound)
        if stop[0]:
            return steps, xp.full(x.shape, STOPPED)
    theta[...], v[...] = here, speed
    return steps, xp.where(sound, FINE, DIVERGED)


def walk_on(field: Field) -> Callable:
    """What walks there: :func:`walk_numpy`, or its twin by kernels, for a table each."""
    if field.device.kernels is None:
        return walk_numpy
    from wlnn.wlmd.kernels import walk

    return walk


def advance(
    problem: Problem,
    surface: Surface,
    motion: Motion,
    state: MDState,
    f: np.ndarray,
    rng: Callable[[int], np.random.Generator],
    systems: Sequence | None = None,
    stop: np.ndarray | None = None,
    map: Callable = map,
    field: Field | None = None,
) -> Round | None:
    """One round of ``len(f)`` steps for every walker of a table; the given state is not changed.

    Each walker has a copy of the table for the round and adds hills of volume f A0 / K to it, K the
    number of walkers alive; at the end the hills of all are united. So nothing depends on the order
    in which ``map`` runs them. Where the motion is faster than the time step can follow, a walker
    may diverge after millions of sound steps: its round is then made again from where it began,
    with half the time step, a quarter, an eighth. A walker that diverges with all of them is left
    out as if the round had not been, with its hills and visits.

    Args:
        f: counts per step (n,); zeros keep S frozen, and its visits are then recorded apart.
        rng: the generator of walker k for this round.
        systems: one compiled system per walker, or None for the definition, all at once.
        stop: (1,) uint8; non-zero ends the round at once, which then returns None.
        map: runs the walkers, side by side if it can; only with ``systems``.
        field: the problem on the device that the definition runs on, if not the CPU.
    """
    walkers = np.flatnonzero(state.alive)
    volumes = np.asarray(f, dtype=float) * A0 / max(len(walkers), 1)
    stop = np.zeros(1, np.uint8) if stop is None else stop
    if systems is None:
        walked = partial(_at_once, field or field_of(problem), surface, state, volumes, rng, stop)
    else:
        walked = partial(_one_by_one, problem, surface, state, volumes, rng, stop, systems, map)
    found = dict(zip(walkers, walked(walkers, motion), strict=True))
    diverged = [k for k in walkers if found[k].ending == DIVERGED]
    first = {k: state.t + len(found[k].trace) for k in diverged}
    for n in range(1, HALVINGS + 1):
        if not diverged:
            break
        slower = motion._replace(dt=motion.dt / 2**n)
        for k, own in zip(tuple(diverged), walked(diverged, slower), strict=True):
            if own.ending != DIVERGED:
                halved = Halved(int(k), first[k], float(own.trace[:, X].min()), slower.dt)
                found[k] = own._replace(halved=halved)
                diverged.remove(k)
    results = list(found.values())
    if any(own.ending == STOPPED for own in results):
        return None
    theta, v, alive = state.theta.copy(), state.v.copy(), state.alive.copy()
    device = CPU if field is None else field.device
    with device.using():
        before = table = device.put(state.table)
        traces, lost, halved = [], [], []
        for k, own in found.items():
            if own.ending == DIVERGED:
                alive[k] = False
                last = own.trace[-1, [X, Y, KINETIC]]
                lost.append(Lost(int(k), state.t + len(own.trace), *last))
                continue
            if own.halved:
                halved.append(own.halved)
            theta[k], v[k] = own.theta, own.v
            traces.append(own.trace)
            table = own.table if len(walkers) == 1 else table + (own.table - before)
        table = device.host(table)
    traces = np.array(traces).reshape(len(traces), len(volumes), 4)
    state = state._replace(theta=theta, v=v, table=table, alive=alive, t=state.t + len(volumes))
    return Round(_recorded(state, surface, traces, frozen=not volumes.any()), traces, lost, halved)


def _one_by_one(
    problem, surface, state, volumes, rng, stop, systems, map, walkers, motion
) -> list[Walked]:
    """A round of some walkers by the compiled twin."""
    box = make_box(problem.lo, problem.hi)
    drop_stale()

    def one(k: int) -> Walked:
        theta, v, table = state.theta[k].copy(), state.v[k].copy(), state.table.copy()
        trace = np.empty((len(volumes), 4))
        done, ending = walk(
            systems[k], theta, v, box, table, surface, motion, volumes, rng(k), trace, stop
        )  # fmt: skip
        return Walked(theta, v, table, trace[:done], ending)

    return list(map(one, walkers))


def _at_once(field, surface, state, volumes, rng, stop, walkers, motion) -> list[Walked]:
    """A round of some walkers by the definition, all at once; their tables stay on the device."""
    walkers, device, xp = list(walkers), field.device, field.device.xp
    if not walkers:
        return []
    with device.using():
        theta, v = (device.put(part[walkers]) for part in (state.theta, state.v))
        tables = xp.repeat(device.put(state.table)[None], len(walkers), 0)
        trace = xp.empty((len(walkers), len(volumes), 4))
        noise = device.noise([rng(k) for k in walkers], len(walkers))
        ended = walk_on(field)(
            xp, field, theta, v, tables, surface, motion, volumes, noise, trace, stop
        )
        theta, v, trace, steps, endings = map(device.host, (theta, v, trace, *ended))
    made = zip(theta, v, tables, trace, steps, endings, strict=True)
    return [Walked(*own, trace[:done], ending) for *own, trace, done, ending in made]


def _recorded(state: MDState, surface: Surface, traces: np.ndarray, frozen: bool) -> MDState:
    """The state with visits, true accuracies and round trips of ``traces (K', n, 4)`` added."""
    flat = cells(surface, traces[..., X].ravel(), traces[..., Y].ravel())
    seen = flat >= 0
    shape, size = state.visits.shape, state.visits.size
    counts = np.bincount(flat[seen], minlength=size).reshape(shape)
    right = state.right
    if right.size:
        weights = traces[..., ACCURACY].ravel()[seen]
        right = right + np.bincount(flat[seen], weights, minlength=size).reshape(shape)
    column = flat[seen] // surface.ny
    warm = np.bincount(column, traces[..., KINETIC].ravel()[seen], minlength=surface.nx)
    warmth = state.warmth + np.stack([np.bincount(column, minlength=surface.nx), warm])
    direction, round_trips = state.direction.copy(), state.round_trips.copy()
    low, high = trip_ends(surface)
    for k, trace in zip(np.flatnonzero(state.alive), traces, strict=True):
        trips, direction[k] = count_round_trips(trace[:, X], low, high, direction[k])
        round_trips[k] += trips
    return state._replace(
        visits=state.visits + counts,
        frozen=state.frozen + counts if frozen else state.frozen,
        right=right,
        warmth=warmth,
        direction=direction,
        round_trips=round_trips,
    )


def cells(surface: Surface, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Flat index of the bin of each point ``(n,)``, -1 outside the table."""
    ok = inside(np, surface, x, y)
    i = np.floor(np.where(ok, (x - surface.x_node) * surface.x_per_bin, 0) + 0.5)
    j = np.floor(np.where(ok, (y - surface.y_node) * surface.y_per_bin, 0) + 0.5)
    return np.where(ok, i * surface.ny + j, -1).astype(np.int64)


def trip_ends(surface: Surface) -> tuple[float, float]:
    """x below and above which a walker has reached an end of the window: a unit, or a fifth, off.

    An absent wall counts as the edge of the table.
    """
    low = max(surface.walls.x_low, surface.x_node)
    high = min(surface.walls.x_high, surface.x_node + (surface.nx - 1) / surface.x_per_bin)
    margin = min(1.0, 0.2 * (high - low))
    return low + margin, high - margin


def count_round_trips(x: np.ndarray, low: float, high: float, direction: int) -> tuple[int, int]:
    """Times that x goes from the low end to the high one and back; and the last end seen."""
    ends = np.where(x <= low, 1, 0) - np.where(x >= high, 1, 0)
    ends = np.concatenate([[direction], ends[ends != 0]])
    return int(np.sum((ends[:-1] == -1) & (ends[1:] == 1))), int(ends[-1])


def sampled(state: MDState) -> MDState:
    """The state with its present table added to the average; the first one begins it."""
    if not state.n_averaged:
        state = state._replace(known=state.visits > 0, warmth=np.zeros_like(state.warmth))
    return state._replace(average=state.average + state.table, n_averaged=state.n_averaged + 1)
