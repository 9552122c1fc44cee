"""Where single networks lie on a landscape: depth below the ridge, share of those that do worse.

Knows points, not networks; reads no file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.statistics import ln_sum, standard_error
from wlnn.landscape.landscape import Landscape


class Known(NamedTuple):
    """A number and its standard error; NaN where the landscape does not know."""

    value: float
    error: float


NOTHING = Known(np.nan, np.nan)


class Place(NamedTuple):
    """A network's macrostate, and what the landscape says of it.

    ``lower`` and ``higher`` are the logarithms of the shares of all networks of its row of x whose
    y is lower and higher: the networks of its own bin count half to each.
    """

    x: float
    y: float  # on the axis
    entropy: Known  # S of its bin
    below: Known  # nats below the largest S of its row, the ridge
    lower: Known
    higher: Known
    reliable: bool  # the bin, and the row


def place(landscape: Landscape, x: float, y: float) -> Place:
    """Where (x, y) lies; everything but itself is NaN outside the window and in unvisited bins.

    Errors are those of the mean over walkers (or of the jackknife), of every quantity by itself.
    """
    i, j = (int(k) for k in landscape.grid.index(x, y))
    if min(i, j) < 0 or np.isnan(landscape.entropy[i, j]):
        return Place(x, y, NOTHING, NOTHING, NOTHING, NOTHING, False)
    rows, mean = landscape.entropies[:, i], landscape.entropy[i]
    ridge = int(np.nanargmax(mean))

    def share(bins: slice):
        def of(entropies: np.ndarray) -> np.ndarray:
            half = entropies[..., j : j + 1] - np.log(2)
            some = np.concatenate([entropies[..., bins], half], axis=-1)
            found = ln_sum(some) - ln_sum(entropies)
            return np.where(np.isnan(half[..., 0]), np.nan, found)

        return of

    def known(of) -> Known:
        error = standard_error(landscape.of_walkers(of(rows)))
        return Known(float(of(mean)), float(error))

    reliable = landscape.reliable[i, j] and landscape.marginal_entropy().reliable[i]
    return Place(
        x,
        y,
        known(lambda entropies: entropies[..., j]),
        known(lambda entropies: entropies[..., ridge] - entropies[..., j]),
        known(share(np.s_[:j])),
        known(share(np.s_[j + 1 :])),
        bool(reliable),
    )
