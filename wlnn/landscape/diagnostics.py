"""Numbers that tell how far a run has come: pure functions of recorded arrays.

Nothing here stops a run or changes it: flatness, above all, is reported and is no criterion (in a
good run one or two per cent of the visited bins get no visit in its second half).
"""

from __future__ import annotations

import numpy as np

A0 = 4e-4  # area of a bin of the published molecular dynamics, 0.02 x 0.02: a step adds f A0 to S
TRUSTED = 0.02  # largest ln f tau / Nb at which error bars from the walkers' spread are honest
GROWTH_BIAS = 2.0  # bias of an averaged S at the lowest x / (ln f tau / Nb), of three wlmc.c
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
    part of the steps). A rule of thumb for S + ln H of a frozen S of each walker's own.
    """
    return resolution(ln_f, tau, n_bins) < TRUSTED or production >= LONG_PRODUCTION


def split_r_hat(values: np.ndarray) -> float:
    """R-hat of halved chains ``(R, n)`` (Vehtari et al. 2021, Eq. (3)): 1 where they have mixed.

    NaN for fewer than four values of a chain, and where nothing moves.
    """
    halved = _halved(values)
    if halved.shape[1] < 2:
        return float("nan")
    within, total = _variances(halved)
    return float(np.sqrt(total / within)) if within > 0 else float("nan")


def effective_size(values: np.ndarray) -> float:
    """How many independent values chains ``(R, n)`` are worth (Vehtari et al. 2021, Eq. (10)-(13)).

    Autocorrelations of the halved chains against their common variance, summed in pairs as long as
    a pair is positive (Geyer 1992), the pairs made to fall. NaN as in :func:`split_r_hat`.
    """
    halved = _halved(values)
    m, n = halved.shape
    if n < 2:
        return float("nan")
    within, total = _variances(halved)
    if not total > 0:
        return float("nan")
    centred = halved - halved.mean(axis=1, keepdims=True)
    spectrum = np.abs(np.fft.rfft(centred, 2 * n, axis=1)) ** 2
    covariance = np.fft.irfft(spectrum, axis=1)[:, :n].mean(axis=0) / n
    rho = 1 - (within - covariance * n / (n - 1)) / total
    rho[0] = 1.0
    pairs = rho[: n // 2 * 2].reshape(-1, 2).sum(axis=1)
    last = int(np.argmax(pairs < 0)) if (pairs < 0).any() else len(pairs)
    time = 2 * np.minimum.accumulate(pairs[:last]).sum() - 1
    return float(m * n / max(time, 1 / np.log10(max(m * n, 10))))


def _halved(values: np.ndarray) -> np.ndarray:
    """Chains ``(R, n)`` as the chains ``(2 R, n // 2)`` of their halves."""
    half = values.shape[1] // 2
    return np.concatenate([values[:, :half], values[:, values.shape[1] - half :]])


def _variances(chains: np.ndarray) -> tuple[float, float]:
    """Mean variance within chains, and the estimate of the whole one (Eq. (2) there)."""
    n = chains.shape[1]
    within = chains.var(axis=1, ddof=1).mean()
    between = chains.mean(axis=1).var(ddof=1)
    return within, (n - 1) / n * within + between
