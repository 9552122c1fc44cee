"""Wang-Landau Monte Carlo, one stage, in plain Python: the text that defines the sampler.

The compiled loop of ``driver.py`` must equal it, decision by decision. Nothing here is fast, loops
over stages, prints or saves.
"""

from __future__ import annotations

import math

import numpy as np

from wlnn.wlmc.rules import (
    ADAPT_EVERY,
    GAUSSIAN_BOX,
    NEW_BIN_CLOSED,
    STEP_ADAPT,
    STEP_LOG_UNIFORM,
    Chain,
    adapted_width,
    first_entropy,
    heading,
    ln_prior_ratio,
    wrapped,
)


def random_words(state: np.ndarray):
    """xoshiro256++ (Blackman & Vigna 2021) on Python integers; ``state (4,)`` is kept current."""
    s, mask = [int(word) for word in state], (1 << 64) - 1

    def rotate(word: int, k: int) -> int:
        return ((word << k) | (word >> (64 - k))) & mask

    while True:
        word = (rotate((s[0] + s[3]) & mask, 23) + s[0]) & mask
        t = (s[1] << 17) & mask
        s[2] ^= s[0]
        s[3] ^= s[1]
        s[1] ^= s[2]
        s[0] ^= s[3]
        s[2] ^= t
        s[3] = rotate(s[3], 45)
        state[:] = s
        yield word


def stage_numpy(problem, theta, entropy, histogram, visits, kept, stage, chain, rng, stop):
    """Wang-Landau Monte Carlo, one stage: the definition of ``driver.wlmc_stage``.

    Args:
        problem: box, function and grid; the function is evaluated whole at every step.
        theta: ``(P,)``, changed in place, as are entropy, histogram ``(nx, ny)``, kept and rng.
        visits: ``(nx, ny)`` of earlier stages, only read.
        stage: a :class:`Stage`. chain: the :class:`Chain` so far; the one that follows is returned.
        rng: ``(4,)`` uint64. stop: ``(1,)`` uint8, looked at every thousand steps.
    """
    words, closed = random_words(rng), stage.new_bin_rule == NEW_BIN_CLOSED
    step_width, direction = chain.step_width, chain.direction
    accepted = out_of_box = out_of_window = round_trips = taken = done = 0
    x, y = problem.observe(theta)
    here = previous = _bin(problem, x, y)
    for done in range(1, stage.n_steps + 1):
        # 1. propose: one parameter, uniform in (-w, w) around its value
        i, new = _proposed(problem, theta, step_width, stage, words)
        if stage.periodic.size and stage.periodic[i]:
            new = wrapped(new, problem.lo[i], problem.hi[i])
        old, moved = theta[i], False
        if new < problem.lo[i] or new > problem.hi[i]:  # 2. outside the box: rejected
            out_of_box += 1
        else:
            theta[i] = new  # 3. evaluate and bin
            x_new, y_new = problem.observe(theta)
            there = _bin(problem, x_new, y_new)
            known = there[0] >= 0 and visits[there] + histogram[there] > 0
            if there[0] < 0 or (closed and not known):
                out_of_window += 1  # rejected; where S is frozen an unknown bin has none to compare
            else:  # 4. accept with min(1, exp(S[old] - S[new])), and always what is new
                difference = entropy[here] - entropy[there] if known else 0.0
                if stage.sigma.size:  # ... and as much as the prior is larger there
                    difference += ln_prior_ratio(old, new, stage.sigma[i])
                u = _uniform(words)
                moved = difference >= 0 or u < math.exp(difference)
            if moved:
                x, y, previous, here = x_new, y_new, here, there
            else:
                theta[i] = old
        # 5. count the state the walker is in now, moved or not
        if histogram[here] == 0:
            if visits[here] == 0 and not closed:
                rule = stage.new_bin_rule
                entropy[here] = first_entropy(entropy, histogram, visits, here, previous, rule)
            if kept.size:
                kept[here[0] * problem.grid.y.n + here[1]] = theta
        entropy[here] += stage.ln_f
        histogram[here] += 1
        # counters; none of them feeds back on the walk, but for the paper's step rule
        accepted, taken = accepted + moved, taken + moved
        turned = heading(direction, here[0], stage.low_row, stage.high_row) if moved else direction
        round_trips, direction = round_trips + (direction < 0 < turned), turned
        if done % ADAPT_EVERY == 0:
            if stage.step_rule == STEP_ADAPT:
                step_width = adapted_width(step_width, taken)
            taken = 0
            if stop[0]:
                break
    return Chain(
        step_width, direction, done, accepted, out_of_box, out_of_window, round_trips, 0.0, x, y
    )


def _proposed(problem, theta, width, stage, words) -> tuple[int, float]:
    """The parameter to be moved, and its new value; one word serves both."""
    word = next(words)
    i = ((word >> 32) * theta.size) >> 32
    u = (word & 0xFFFFFFFF) * 2.0**-32
    if stage.step_rule == STEP_LOG_UNIFORM:  # the scale itself is drawn anew
        width = 0.6 * math.exp(-5.0 * _uniform(words))
    if stage.sigma.size:
        return i, theta[i] + width * GAUSSIAN_BOX * stage.sigma[i] * (2.0 * u - 1.0)
    return i, theta[i] + width * (problem.hi[i] - problem.lo[i]) * (2.0 * u - 1.0)


def _uniform(words) -> float:
    """In [0, 1), from the upper 53 bits of the next word."""
    return (next(words) >> 11) * 2.0**-53


def _bin(problem, x, y) -> tuple[int, int]:
    return tuple(int(k) for k in problem.grid.index(x, y))
