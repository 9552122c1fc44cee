"""A grid in numbers for the compiled driver: edges, bins per unit, a table to find a bin of exp(x).

Definition (what it must equal): ``grid.Axis.index``. The functions that read these numbers are in
``networks.compiled.moves``. Nothing here is compiled.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from wlnn.backend.buffers import Buffer

LN_APART = 2048  # numbers L that may share one ln L; at |ln L| = 700 about 512 do
GUESS_SHIFT = 44  # of 64 bits: sign, exponent and 8 bits of the mantissa remain


class Binning(NamedTuple):
    """A Grid in numbers: edges, bins per unit and bin counts (``grid.Axis.limits``)."""

    x_per_bin: float
    nx: int
    y_per_bin: float
    ny: int
    x_limits: Buffer  # (nx + 1,) edges of x, within rounding
    y_limits: Buffer  # (ny + 1,) those of y
    exp_limits: Buffer  # (nx + 1,) the least number whose logarithm reaches each of those of x
    guess: Buffer  # highest bin that starts at or below each number of so many leading bits
    guess_first: int  # leading bits of the first of them


@lru_cache(16)  # asked for at every stage of every walker
def binning(grid) -> Binning:
    """Numbers of a :class:`wlnn.landscape.grid.Grid` for the driver."""
    x, y = grid
    limits = _least_above(x.limits)
    first, last = (limits[[0, -1]].view(np.int64) >> GUESS_SHIFT).tolist()
    numbers = (np.arange(first, last + 1) << GUESS_SHIFT).view(np.float64)
    guess = np.clip(np.searchsorted(limits, numbers, side="right") - 1, 0, x.n - 1)
    return Binning(
        x.per_bin,
        x.n,
        y.per_bin,
        y.n,
        Buffer(x.limits),
        Buffer(y.limits if y.n > 1 else np.zeros(2)),
        Buffer(limits),
        Buffer(guess.astype(np.int64)),
        first,
    )


def _least_above(limits: np.ndarray) -> np.ndarray:
    """The least numbers whose logarithms are at or above ``limits``: ln and exp round apart."""
    limits = np.clip(limits, -700.0, 700.0)
    bits = np.exp(limits).view(np.int64)  # neighbouring numbers differ by 1
    below, above = bits - LN_APART, bits + LN_APART
    for _ in range(LN_APART.bit_length()):
        middle = below + (above - below) // 2
        reached = np.log(middle.view(np.float64)) >= limits
        below, above = np.where(reached, below, middle), np.where(reached, middle, above)
    return above.view(np.float64)
