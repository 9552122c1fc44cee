"""The Wang-Landau Monte Carlo loop in Numba: ONE driver for networks, toy systems, own functions.

Twin of ``wlmc.definition.stage_numpy``, the readable definition. The driver knows nothing of a
system but the three functions of ``networks.compiled.moves``, chosen by the *type* of the system
when Numba compiles the driver. Every text below is also plain Python and runs with
NUMBA_DISABLE_JIT=1.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.backend.buffers import Buffer
from wlnn.backend.cache import drop_stale
from wlnn.networks.compiled.moves import (
    FunctionSystem,
    commit,
    propose,
    refresh,
    x_bin,
    x_value,
    y_bin,
)
from wlnn.wlmc.rules import (
    ADAPT_EVERY,
    GAUSSIAN_BOX,
    NEW_BIN_CLOSED,
    REFRESH_EVERY,
    STEP_ADAPT,
    STEP_LOG_UNIFORM,
    Chain,
    adapted_width,
    first_entropy,
    heading,
    ln_prior_ratio,
    wrapped,
)

_MANTISSA = 2.0**-53
_HALF_WORD = 2.0**-32


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


_adapted_width = njit(adapted_width, cache=True, inline="always")
_heading = njit(heading, cache=True, inline="always")
_first_entropy = njit(first_entropy, cache=True)
_wrapped = njit(wrapped, cache=True, inline="always")
_ln_prior_ratio = njit(ln_prior_ratio, cache=True, inline="always")


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
    Under a Gaussian prior (``stage.sigma``) no move leaves the box, and the ratio of the priors is
    part of the acceptance; ``lo`` and ``hi`` are then too large to be read.
    """
    n_parameters = theta.shape[0]
    # of a flat table a bin is one number, and no index is looked at for its sign
    entropies, counts, earlier = Buffer(entropy), Buffer(histogram), Buffer(visits)
    periodic, sigma = stage.periodic, stage.sigma
    words = (rng[0], rng[1], rng[2], rng[3])
    step_width = chain.step_width
    direction = chain.direction
    accepted = out_of_box = out_of_window = round_trips = 0
    tried = taken = 0
    drift = 0.0
    x, y = refresh(system, theta)
    bx = min(max(x_bin(system, bins, x), 0), bins.nx - 1)  # on the rim it may round across it
    by = min(max(y_bin(bins, y), 0), bins.ny - 1)
    here = bx * bins.ny + by
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
        if sigma.shape[0] > 0:
            new = theta[i] + width * GAUSSIAN_BOX * sigma[i] * (2.0 * u - 1.0)
        if periodic.shape[0] > 0 and periodic[i]:
            new = _wrapped(new, lo[i], hi[i])
        moved = False
        if new < lo[i] or new > hi[i]:  # 2. outside the box
            out_of_box += 1
        else:  # 3. evaluate and bin
            x_new, y_new = propose(system, theta, i, new)
            nbx = x_bin(system, bins, x_new)
            nby = y_bin(bins, y_new)
            inside = nbx >= 0 and nbx < bins.nx and nby >= 0 and nby < bins.ny
            if inside:
                there = nbx * bins.ny + nby
                known = earlier[there] > 0 or counts[there] > 0
                inside = known or stage.new_bin_rule != NEW_BIN_CLOSED
            if inside:  # 4. accept with min(1, exp(S[old] - S[new])), and always what is new
                difference = entropies[here] - entropies[there] if known else 0.0
                if sigma.shape[0] > 0:  # ... and as much as the prior is larger there
                    difference += _ln_prior_ratio(theta[i], new, sigma[i])
                word, words = _next_word(words)
                u = float(word >> np.uint64(11)) * _MANTISSA
                if difference >= 0.0 or u < math.exp(difference):
                    commit(system, theta, i, new)
                    theta[i] = new
                    x = x_new
                    previous = bx, by
                    bx = nbx
                    by = nby
                    here = there
                    moved = True
            else:
                out_of_window += 1
        # 5. count the state the walker is in now, moved or not
        if counts[here] == 0:
            if earlier[here] == 0 and stage.new_bin_rule != NEW_BIN_CLOSED:
                entropies[here] = _first_entropy(
                    entropy, histogram, visits, (bx, by), previous, stage.new_bin_rule
                )
            if kept.shape[0] > 0:
                for k in range(n_parameters):
                    kept[here, k] = theta[k]
        entropies[here] += stage.ln_f
        counts[here] += 1
        # counters; none of them feeds back on the walk, but for the paper's step rule
        if moved:
            accepted += 1
            turned = _heading(direction, bx, stage.low_row, stage.high_row)
            if direction < 0 and turned > 0:
                round_trips += 1
            direction = turned
        if stage.step_rule == STEP_ADAPT:
            tried += 1
            if moved:
                taken += 1
            if tried == ADAPT_EVERY:
                step_width = _adapted_width(step_width, taken)
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
        bx = x_bin(system, bins, x)
        by = y_bin(bins, y)
        if bx >= 0 and bx < bins.nx and by >= 0 and by < bins.ny:
            histogram[bx, by] += 1
        else:
            outside += 1
    for k in range(4):
        rng[k] = words[k]
    return outside


uniform_draws = njit(_uniform_draws, cache=True, nogil=True)
_uniform_draws_uncached = njit(_uniform_draws, nogil=True)


def _prior_draws(system, sigma, bins, n_draws, rng, histogram):
    """As :func:`_uniform_draws`, ``n_draws`` points of a Gaussian prior; normal numbers in pairs.

    G. E. P. Box, M. E. Muller, Ann. Math. Statist. 29, 610 (1958).
    """
    words = (rng[0], rng[1], rng[2], rng[3])
    theta = np.empty_like(sigma)
    outside = 0
    for _ in range(n_draws):
        sine = 0.0
        for k in range(sigma.shape[0]):
            if k % 2 == 0:
                word, words = _next_word(words)
                u = float(word >> np.uint64(11)) * _MANTISSA
                radius = math.sqrt(-2.0 * math.log(1.0 - u))
                word, words = _next_word(words)
                angle = 2.0 * math.pi * (float(word >> np.uint64(11)) * _MANTISSA)
                theta[k] = sigma[k] * radius * math.cos(angle)
                sine = radius * math.sin(angle)
            else:
                theta[k] = sigma[k] * sine
        x, y = refresh(system, theta)
        bx = x_bin(system, bins, x)
        by = y_bin(bins, y)
        if bx >= 0 and bx < bins.nx and by >= 0 and by < bins.ny:
            histogram[bx, by] += 1
        else:
            outside += 1
    for k in range(4):
        rng[k] = words[k]
    return outside


prior_draws = njit(_prior_draws, cache=True, nogil=True)
_prior_draws_uncached = njit(_prior_draws, nogil=True)


def draws_for(system):
    """``uniform_draws`` for ``system``, as :func:`stage_for`."""
    drop_stale()
    return uniform_draws if _lasts(system) else _uniform_draws_uncached


def prior_draws_for(system):
    """``prior_draws`` for ``system``, as :func:`stage_for`."""
    drop_stale()
    return prior_draws if _lasts(system) else _prior_draws_uncached
