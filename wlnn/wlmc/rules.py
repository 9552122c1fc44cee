"""The words of the Monte Carlo loop, shared by both of its texts: stages, chains, and three rules.

Plain Python, which the driver compiles and the definition calls. The walk itself is in
``definition.py`` and ``driver.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

REFRESH_EVERY = 10_000  # steps between full recomputations (0.03 % of the time, float32 drift 1e-5)
ADAPT_EVERY = 1_000  # steps of one acceptance measurement of the paper's step rule
STEP_FIXED, STEP_ADAPT, STEP_LOG_UNIFORM = 0, 1, 2
NEW_BIN_MINIMUM, NEW_BIN_PREVIOUS, NEW_BIN_CLOSED, NEW_BIN_NEARBY = 0, 1, 2, 3
WALLS = np.zeros(0, np.bool_)  # no parameter is periodic
EVEN = np.zeros(0)  # all parameters of a box are equally likely
GAUSSIAN_BOX = 4.0  # sigma: widths of moves under a Gaussian prior are parts of such a box
CLOSED_ENTROPY = 2.0**1000  # S of a closed bin of a common S; sums and means of it are exact

# by the words of the settings; a rule that freezes adapts before
STEP_RULES = {"freeze": STEP_ADAPT, "paper": STEP_ADAPT, "log-uniform": STEP_LOG_UNIFORM}
NEW_BINS = {
    "minimum": NEW_BIN_MINIMUM,
    "previous": NEW_BIN_PREVIOUS,
    "nearby": NEW_BIN_NEARBY,
}


class Stage(NamedTuple):
    """Constants of one stage: what is added to S per visit, and the rules of moves and new bins."""

    n_steps: int
    ln_f: float
    step_rule: int
    new_bin_rule: int
    low_row: int  # x rows whose alternate visits make a round trip
    high_row: int
    periodic: np.ndarray = WALLS  # (P,) bool, or (0,) where every parameter has walls
    sigma: np.ndarray = EVEN  # (P,) of a Gaussian prior, which has no walls, or (0,) of a box


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


def wrapped(new, lo, hi):
    """A value of a periodic parameter in its box: what leaves at one end comes in at the other."""
    return min(lo + (new - lo) % (hi - lo), hi)


def ln_prior_ratio(old, new, sigma):
    """ln of the ratio of Gaussian priors of a parameter that moves from ``old`` to ``new``."""
    return 0.5 * (old - new) * (old + new) / (sigma * sigma)


def adapted_width(width, taken):
    """The paper's step rule: wider after more than 70 % accepted moves, narrower below 30 %.

    ``taken`` of :data:`ADAPT_EVERY` moves were accepted.
    """
    if taken > 0.7 * ADAPT_EVERY:
        return min(width * 1.1, 1.0)
    if taken < 0.3 * ADAPT_EVERY:
        return max(width * 0.9, 1e-6)
    return width


def heading(direction, row, low_row, high_row):
    """Direction of a walker that moved to ``row``; from -1 to +1 it completes a round trip."""
    if row <= low_row:
        return 1
    if row >= high_row and direction > 0:
        return -1
    return direction


def first_entropy(entropy, histogram, visits, here, previous, rule):
    """S that a bin starts with when it is first visited: a bin at S = 0 would be a trap.

    The walker would stay S / ln f steps. "nearby" takes the mean S of the known bins among the
    eight around it, "previous" that of the bin the walker came from: both lie above the truth at
    the rim of what is known, so that nothing traps the walker. "minimum" takes the smallest S of
    all, which for a late bin among large S is nearly as bad a trap as 0.
    """
    nx, ny = entropy.shape
    if rule == NEW_BIN_MINIMUM:
        lowest, known = 0.0, False
        for a in range(nx):
            for b in range(ny):
                if visits[a, b] > 0 or histogram[a, b] > 0:
                    lowest = min(lowest, entropy[a, b]) if known else entropy[a, b]
                    known = True
        return lowest
    if rule == NEW_BIN_NEARBY:
        total, count = 0.0, 0
        for a in range(max(here[0] - 1, 0), min(here[0] + 2, nx)):
            for b in range(max(here[1] - 1, 0), min(here[1] + 2, ny)):
                if visits[a, b] > 0 or histogram[a, b] > 0:
                    total += entropy[a, b]
                    count += 1
        if count > 0:
            return total / count
    return entropy[previous[0], previous[1]]
