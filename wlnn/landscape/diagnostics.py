"""Numbers that tell how far a run has come: pure functions of recorded arrays.

Nothing here stops a run or changes it: flatness, above all, is reported and is no criterion (in a
good run one or two per cent of the visited bins get no visit in its second half).
"""

from __future__ import annotations

import numpy as np

TRUSTED = 0.02  # largest ln f tau / Nb at which error bars from the walkers' spread are honest
AVERAGED_TRIPS = 3  # round trips of each walker while S is averaged; so many samples is its mean
POOLED_TRIPS = 1  # round trips of each walker on a frozen S of all walkers
GROWTH_BIAS = 2.0  # bias of an averaged S at the lowest x / (ln f tau / Nb), docs/growth_bias.png
LONG_PRODUCTION = 0.75  # or this part of the steps with S frozen: three times the adaptive part


def flatness(histogram: np.ndarray, visits: np.ndarray) -> float:
    """Least over mean visit count of this stage, over the bins visited so far (0 if none)."""
    counts = histogram[visits > 0]
    return float(counts.min() / counts.mean()) if counts.size and counts.any() else 0.0


def coverage(visits: np.ndarray) -> float:
    """Visited bins / all bins. Many bins hold no state at all, so that 1 is rarely reached."""
    return float(np.mean(visits > 0))


def crossing_time(steps: int, round_trips: int) -> float:
    """tau = steps / (2 round trips): steps from the low to the high edge of x, or back.

    Infinite where no round trip (low row -> high row -> low row) was finished.
    """
    return steps / (2 * round_trips) if round_trips else float("inf")


def resolution(ln_f: float, tau: float, n_bins: int) -> float:
    """ln f tau / Nb: what one crossing adds to S in each of the Nb visited bins, in nats.

    The error of S that the last modification factor leaves is about this.
    """
    return ln_f * tau / n_bins


def error_bars_trusted(ln_f: float, tau: float, n_bins: int, production: float) -> bool:
    """Whether the spread between walkers is their error: averaging never removes a common bias.

    True if ln f tau / Nb, with the last ln f of the adaptive part, is below :data:`TRUSTED`, or if
    the production stage is at least three times as long as the adaptive part (``production`` is its
    part of the steps). A rule of thumb for S + ln H of a frozen S; where S itself is averaged, the
    walkers must have crossed the landscape meanwhile: :data:`AVERAGED_TRIPS`.
    """
    return resolution(ln_f, tau, n_bins) < TRUSTED or production >= LONG_PRODUCTION
