"""The Wang-Landau Monte Carlo loop in Numba: ONE driver for networks, toy systems, own functions.

Twin of ``wlnn.wlmc.stage_numpy``, the readable definition. The driver knows nothing of a system but
three functions, chosen by the *type* of the system (a NamedTuple) when Numba compiles the driver:

    refresh(system, theta) -> (x, y)          recompute every cache from theta
    propose(system, theta, i, new) -> (x, y)  observables if theta[i] were ``new``; theta unchanged
    commit(system, theta, i, new)             make the proposal just evaluated the current state

``commit`` is called while theta[i] still holds the old value. Rejecting a proposal calls nothing.
Every text below is also plain Python and runs with NUMBA_DISABLE_JIT=1.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

from wlnn.binning import GUESS_SHIFT, binning  # noqa: F401 - part of the driver
from wlnn.compiled import drop_stale

REFRESH_EVERY = 10_000  # steps between full recomputations (0.03 % of the time, float32 drift 1e-5)
ADAPT_EVERY = 1_000  # steps of one acceptance measurement of the paper's step rule
STEP_FIXED, STEP_ADAPT, STEP_LOG_UNIFORM = 0, 1, 2
NEW_BIN_MINIMUM, NEW_BIN_PREVIOUS, NEW_BIN_CLOSED, NEW_BIN_NEARBY = 0, 1, 2, 3
_MANTISSA = 2.0**-53
_HALF_WORD = 2.0**-32

_SYSTEMS: dict[type, dict] = {}


def register(kind: type, *, refresh, propose, commit, exponential: bool = False) -> None:
    """Teach the driver a system: the NamedTuple class ``kind`` and its three functions.

    With ``exponential`` they return exp(x) in place of x, such as the loss instead of its
    logarithm; it is binned by a table of exp(edges), which saves one logarithm per step.
    """
    _SYSTEMS[kind] = {
        "refresh": refresh,
        "propose": propose,
        "commit": commit,
        "position": _position_exponential if exponential else _position,
        "axis_value": _ln if exponential else _same,
    }


def _position(system, bins, x):
    """Place of x along its axis in bins; the bin is its integer part."""
    return (x - bins.x_lo) * bins.x_per_bin


def _position_exponential(system, bins, x):
    """The same for exp(x): a guess from the leading bits of the number, then a short search."""
    if not (x >= bins.exp_edges[0] and x < bins.exp_edges[bins.nx]):
        return -1.0
    k = bins.guess[(np.float64(x).view(np.int64) >> GUESS_SHIFT) - bins.guess_first]
    while x >= bins.exp_edges[k + 1]:
        k += 1
    return k + 0.5


def _same(system, x):
    return x


def _ln(system, x):
    return math.log(x) if x > 0.0 else -np.inf


def refresh(system, theta):
    """Recompute the caches of ``system`` from ``theta (P,)``; returns (x, y)."""
    return _SYSTEMS[type(system)]["refresh"](system, theta)


def propose(system, theta, i, new):
    """Observables (x, y) with ``theta[i]`` replaced by ``new``; rejecting needs no undo."""
    return _SYSTEMS[type(system)]["propose"](system, theta, i, new)


def commit(system, theta, i, new):
    """Make the last proposal current; called before the driver writes ``theta[i] = new``."""
    return _SYSTEMS[type(system)]["commit"](system, theta, i, new)


def x_position(system, bins, x):
    """Place along the x axis, in bins, of what the system's functions return as x."""
    return _SYSTEMS[type(system)]["position"](system, bins, x)


def x_value(system, x):
    """x in units of its axis from what the system's functions return as x."""
    return _SYSTEMS[type(system)]["axis_value"](system, x)


@overload(x_position, jit_options={"error_model": "numpy", "forceinline": True})
def _x_position(system, bins, x):
    return _SYSTEMS[system.instance_class]["position"]


@overload(x_value, jit_options={"error_model": "numpy", "forceinline": True})
def _x_value(system, x):
    return _SYSTEMS[system.instance_class]["axis_value"]


@overload(refresh, jit_options={"error_model": "numpy"})
def _refresh(system, theta):
    return _SYSTEMS[system.instance_class]["refresh"]


@overload(propose, jit_options={"error_model": "numpy", "forceinline": True})
def _propose(system, theta, i, new):
    return _SYSTEMS[system.instance_class]["propose"]


@overload(commit, jit_options={"error_model": "numpy", "forceinline": True})
def _commit(system, theta, i, new):
    return _SYSTEMS[system.instance_class]["commit"]


class FunctionSystem(NamedTuple):
    """A user's compiled function ``theta (P,) -> (x, y)``, evaluated whole at every step."""

    function: object


def _function_refresh(system, theta):
    return system.function(theta)


def _function_propose(system, theta, i, new):
    old = theta[i]
    theta[i] = new
    value = system.function(theta)
    theta[i] = old
    return value


def _function_commit(system, theta, i, new):
    pass


register(
    FunctionSystem, refresh=_function_refresh, propose=_function_propose, commit=_function_commit
)


class Stage(NamedTuple):
    """Constants of one stage: what is added to S per visit, and the rules of moves and new bins."""

    n_steps: int
    ln_f: float
    step_rule: int
    new_bin_rule: int
    low_row: int  # x rows whose alternate visits make a round trip
    high_row: int


class Chain(NamedTuple):
    """Scalars that one stage hands to the next."""

    step_width: float  # half width of a move, as a fraction of the parameter's box
    direction: int  # +1 after the low row, -1 after the high row, 0 before either
    done: int = 0  # steps made; fewer than asked for only when stopped
    accepted: int = 0
    out_of_box: int = 0
    out_of_window: int = 0
    round_trips: int = 0
    drift: float = 0.0  # largest |x cached - x recomputed| seen
    x: float = 0.0
    y: float = 0.0


@njit(cache=True, inline="always")
def _next_word(s):
    """xoshiro256++ (Blackman & Vigna 2021): the next 64-bit word and the next state."""
    t = s[0] + s[3]
    word = ((t << np.uint64(23)) | (t >> np.uint64(41))) + s[0]
    t = s[1] << np.uint64(17)
    s2 = s[2] ^ s[0]
    s3 = s[3] ^ s[1]
    s1 = s[1] ^ s2
    s0 = s[0] ^ s3
    s2 = s2 ^ t
    s3 = (s3 << np.uint64(45)) | (s3 >> np.uint64(19))
    return word, (s0, s1, s2, s3)


@njit(cache=True)
def _lowest_visited(entropy, histogram, visits):
    """Smallest S over visited bins (0 if none): what a bin found late starts from."""
    lowest = np.inf
    for a in range(entropy.shape[0]):
        for b in range(entropy.shape[1]):
            if (visits[a, b] > 0 or histogram[a, b] > 0) and entropy[a, b] < lowest:
                lowest = entropy[a, b]
    return lowest if lowest < np.inf else 0.0


@njit(cache=True)
def _mean_nearby(entropy, histogram, visits, bx, by, fallback):
    """Mean S of the known bins among the eight around a new one, or ``fallback``."""
    total = 0.0
    count = 0
    for a in range(max(bx - 1, 0), min(bx + 2, entropy.shape[0])):
        for b in range(max(by - 1, 0), min(by + 2, entropy.shape[1])):
            if visits[a, b] > 0 or histogram[a, b] > 0:
                total += entropy[a, b]
                count += 1
    return total / count if count else fallback


def _wlmc_stage(
    system, theta, lo, hi, bins, entropy, histogram, visits, kept, stage, chain, rng, stop
):
    """``stage.n_steps`` Wang-Landau steps at one ln f; returns the :class:`Chain` that follows.

    Shapes: theta, lo, hi ``(P,)`` float64; entropy, histogram, visits ``(nx, ny)``; kept
    ``(nx ny, P)`` or ``(0, 0)``; rng ``(4,)`` uint64; stop ``(1,)`` uint8. Changed in place: theta,
    the system's caches, entropy, histogram (adds to it), kept, rng. ``visits`` counts earlier
    stages and is only read: a bin is known when visits + histogram > 0.

    A move that leaves the box or the window is rejected and the old state counts once, exactly as
    after any other rejection; S is read from the table at that moment. With NEW_BIN_CLOSED unknown
    bins are outside the window (production: S is frozen, so an unknown bin has no S to compare).
    """
    n_parameters = theta.shape[0]
    words = (rng[0], rng[1], rng[2], rng[3])
    step_width = chain.step_width
    direction = chain.direction
    accepted = out_of_box = out_of_window = round_trips = 0
    tried = taken = 0
    drift = 0.0
    x, y = refresh(system, theta)
    bx = math.floor(x_position(system, bins, x))
    by = 0
    if bins.ny > 1:
        by = math.floor((y - bins.y_lo) * bins.y_per_bin)
    bx = min(max(bx, 0), bins.nx - 1)  # a state on an edge may round across it
    by = min(max(by, 0), bins.ny - 1)
    previous = bx, by
    done = 0
    for done in range(1, stage.n_steps + 1):
        # 1. propose: one parameter, uniform in (-w, w) around its value; one word serves both
        word, words = _next_word(words)
        i = int(((word >> np.uint64(32)) * np.uint64(n_parameters)) >> np.uint64(32))
        u = float(word & np.uint64(0xFFFFFFFF)) * _HALF_WORD
        if stage.step_rule == STEP_LOG_UNIFORM:
            word, words = _next_word(words)
            width = 0.6 * math.exp(-5.0 * (float(word >> np.uint64(11)) * _MANTISSA))
        else:
            width = step_width
        new = theta[i] + width * (hi[i] - lo[i]) * (2.0 * u - 1.0)
        moved = False
        if new < lo[i] or new > hi[i]:  # 2. outside the box
            out_of_box += 1
        else:  # 3. evaluate and bin; the range is tested before conversion to an integer
            x_new, y_new = propose(system, theta, i, new)
            px = x_position(system, bins, x_new)
            py = 0.5
            if bins.ny > 1:
                py = (y_new - bins.y_lo) * bins.y_per_bin
            inside = px >= 0.0 and px < bins.nx and py >= 0.0 and py < bins.ny
            if inside:
                nbx = int(px)
                nby = int(py)
                known = visits[nbx, nby] > 0 or histogram[nbx, nby] > 0
                inside = known or stage.new_bin_rule != NEW_BIN_CLOSED
            if inside:  # 4. accept with min(1, exp(S[old] - S[new])), and always what is new
                difference = entropy[bx, by] - entropy[nbx, nby] if known else 0.0
                word, words = _next_word(words)
                u = float(word >> np.uint64(11)) * _MANTISSA
                if difference >= 0.0 or u < math.exp(difference):
                    commit(system, theta, i, new)
                    theta[i] = new
                    x = x_new
                    previous = bx, by
                    bx = nbx
                    by = nby
                    moved = True
            else:
                out_of_window += 1
        # 5. count the state the walker is in now, moved or not
        if histogram[bx, by] == 0:
            if visits[bx, by] == 0 and stage.new_bin_rule != NEW_BIN_CLOSED:
                if stage.new_bin_rule == NEW_BIN_MINIMUM:
                    start = _lowest_visited(entropy, histogram, visits)
                else:
                    start = entropy[previous[0], previous[1]]
                    if stage.new_bin_rule == NEW_BIN_NEARBY:
                        start = _mean_nearby(entropy, histogram, visits, bx, by, start)
                entropy[bx, by] = start
            if kept.shape[0] > 0:
                for k in range(n_parameters):
                    kept[bx * bins.ny + by, k] = theta[k]
        entropy[bx, by] += stage.ln_f
        histogram[bx, by] += 1
        # counters; none of them feeds back on the walk, but for the paper's step rule
        if moved:
            accepted += 1
            if bx <= stage.low_row:
                if direction < 0:
                    round_trips += 1
                direction = 1
            elif bx >= stage.high_row and direction > 0:
                direction = -1
        if stage.step_rule == STEP_ADAPT:
            tried += 1
            if moved:
                taken += 1
            if tried == ADAPT_EVERY:
                if taken > 0.7 * ADAPT_EVERY:
                    step_width = min(step_width * 1.1, 1.0)
                elif taken < 0.3 * ADAPT_EVERY:
                    step_width = max(step_width * 0.9, 1e-6)
                tried = 0
                taken = 0
        if done % REFRESH_EVERY == 0:
            x_new, y = refresh(system, theta)
            drift = max(drift, abs(x_value(system, x_new) - x_value(system, x)))
            x = x_new
            if stop[0] != 0:
                break
    x_new, y = refresh(system, theta)
    drift = max(drift, abs(x_value(system, x_new) - x_value(system, x)))
    for k in range(4):
        rng[k] = words[k]
    return Chain(
        step_width,
        direction,
        done,
        accepted,
        out_of_box,
        out_of_window,
        round_trips,
        drift,
        x_value(system, x_new),
        y,
    )


wlmc_stage = njit(_wlmc_stage, cache=True, nogil=True)
_wlmc_stage_uncached = njit(_wlmc_stage, nogil=True)  # user functions have no lasting identity


def _lasts(system) -> bool:
    """Whether other processes know the class of ``system``; else they could not read the cache."""
    return type(system).__module__.startswith("wlnn.") and not isinstance(system, FunctionSystem)


def stage_for(system):
    """The compiled driver for ``system``: kept on disk if the system is one of this package."""
    drop_stale()
    return wlmc_stage if _lasts(system) else _wlmc_stage_uncached


@njit(cache=True, nogil=True)
def wlmc_replicas(
    system, starts, lo, hi, bins, entropy, visits, stage, step_width, rng, final, updates
):
    """Many short independent runs from given starts: the hook of the exact-start tests.

    starts ``(M, P)`` is overwritten with the final states; final ``(M,)`` receives the flat index
    of each final bin; updates ``(B, nx ny)`` adds up, in B batches of M / B replicas, how often S
    was raised in each bin, read from S itself: (S after - S before) / ln f.
    """
    n_replicas = starts.shape[0]
    per_batch = n_replicas // updates.shape[0]
    work = np.empty_like(entropy)
    histogram = np.zeros(entropy.shape, np.int64)
    kept = np.zeros((0, 0))
    stop = np.zeros(1, np.uint8)
    for r in range(n_replicas):
        work[:, :] = entropy
        histogram[:, :] = 0
        chain = Chain(step_width, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
        chain = wlmc_stage(
            system, starts[r], lo, hi, bins, work, histogram, visits, kept, stage, chain, rng, stop
        )
        step_width = chain.step_width
        bx = math.floor((chain.x - bins.x_lo) * bins.x_per_bin)
        by = 0
        if bins.ny > 1:
            by = math.floor((chain.y - bins.y_lo) * bins.y_per_bin)
        final[r] = bx * bins.ny + by
        batch = min(r // per_batch, updates.shape[0] - 1)
        for a in range(bins.nx):
            for b in range(bins.ny):
                updates[batch, a * bins.ny + b] += (work[a, b] - entropy[a, b]) / stage.ln_f


def _uniform_draws(system, lo, hi, bins, n_draws, rng, histogram):
    """Bin ``n_draws`` uniform points of the box into ``histogram (nx, ny)``; returns the misses."""
    words = (rng[0], rng[1], rng[2], rng[3])
    theta = np.empty_like(lo)
    outside = 0
    for _ in range(n_draws):
        for k in range(lo.shape[0]):
            word, words = _next_word(words)
            u = float(word >> np.uint64(11)) * _MANTISSA
            theta[k] = lo[k] + (hi[k] - lo[k]) * u
        x, y = refresh(system, theta)
        px = x_position(system, bins, x)
        py = 0.5
        if bins.ny > 1:
            py = (y - bins.y_lo) * bins.y_per_bin
        if px >= 0.0 and px < bins.nx and py >= 0.0 and py < bins.ny:
            histogram[int(px), int(py)] += 1
        else:
            outside += 1
    for k in range(4):
        rng[k] = words[k]
    return outside


uniform_draws = njit(_uniform_draws, cache=True, nogil=True)
_uniform_draws_uncached = njit(_uniform_draws, nogil=True)


def draws_for(system):
    """``uniform_draws`` for ``system``, as :func:`stage_for`."""
    drop_stale()
    return uniform_draws if _lasts(system) else _uniform_draws_uncached
