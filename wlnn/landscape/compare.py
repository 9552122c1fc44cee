"""Two landscapes against each other, in standard errors."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape


class Agreement(NamedTuple):
    """How two landscapes differ over the bins that are reliable in both."""

    bins: int
    offset: float  # weighted mean of the first S minus the second, removed before the rest
    rms: float  # nats
    chi_square: float  # mean of (difference / error)^2 per bin
    expected: float  # what it is on average for two right landscapes: above 1 for few walkers
    worst: float  # largest |difference / error|


def compare(first: Landscape, second: Landscape | np.ndarray) -> Agreement:
    """Difference of S in units of its error; ``second`` may be an exact table ``(nx, ny)``.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> other = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000, seed=1)
        >>> agreement = wlnn.compare(landscape, other)
        >>> bool(agreement.chi_square < 5 * agreement.expected)
        True

    Raises:
        UserError: other grids, a single walker (no error), or no reliable bin in common.
    """
    exact = not isinstance(second, Landscape)
    if exact:
        other, other_error, usable = np.asarray(second), 0.0, np.isfinite(second)
    else:
        if first.grid != second.grid:
            raise UserError("the two landscapes have different grids and cannot be compared.")
        other, other_error, usable = second.entropy, second.error, second.reliable
    variance = first.error**2 + other_error**2
    usable = usable & first.reliable & (variance > 0)
    if not usable.any():
        raise UserError(
            "no bin has an error bar in both landscapes; each needs two walkers or more that were "
            "in the same bins."
        )
    variance = variance[usable]
    difference = (first.entropy - other)[usable]
    offset = float(np.average(difference, weights=1 / variance))
    difference -= offset
    z = difference / np.sqrt(variance)
    # Welch-Satterthwaite: degrees of freedom nu of the difference; <t^2> = nu / (nu - 2)
    parts = first.error[usable] ** 4 / (first.n_walkers - 1)
    if not exact:
        parts = parts + second.error[usable] ** 4 / (second.n_walkers - 1)
    freedom = variance**2 / parts
    expected = np.where(freedom > 2, freedom / np.maximum(freedom - 2, 1e-9), np.inf)
    return Agreement(
        bins=int(usable.sum()),
        offset=offset,
        rms=float(np.sqrt(np.mean(difference**2))),
        chi_square=float(np.mean(z**2)),
        expected=float(expected.mean()),
        worst=float(np.abs(z).max()),
    )
