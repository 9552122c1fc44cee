"""A grid in numbers for the compiled driver: edges, bins per unit, a table to find a bin of exp(x).

Definition (what it must equal): ``grid.Axis.index``. Nothing here is compiled.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.backend.buffers import Buffer

GUESS_SHIFT = 44  # of 64 bits: sign, exponent and 8 bits of the mantissa remain


class Binning(NamedTuple):
    """A Grid in numbers: lower edges, bins per unit and bin counts (``grid.Axis.index``)."""

    x_lo: float
    x_per_bin: float
    nx: int
    y_lo: float
    y_per_bin: float
    ny: int
    exp_edges: Buffer  # (nx + 1,) exp of the edges of x
    guess: Buffer  # highest bin that starts at or below each number of so many leading bits
    guess_first: int  # leading bits of the first of them


def binning(grid) -> Binning:
    """Numbers of a :class:`wlnn.landscape.grid.Grid` for the driver."""
    x, y = grid
    if x.n == 1 or not np.isfinite(x.lo):
        raise ValueError("the x axis needs a finite window of at least two bins")
    finite = bool(np.isfinite(y.lo))
    edges = np.exp(np.clip(x.edges, -700.0, 700.0))
    first, last = (edges[[0, -1]].view(np.int64) >> GUESS_SHIFT).tolist()
    numbers = (np.arange(first, last + 1) << GUESS_SHIFT).view(np.float64)
    guess = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, x.n - 1)
    return Binning(
        float(x.lo),
        x.per_bin,
        x.n,
        float(y.lo) if finite else 0.0,
        y.per_bin,
        y.n,
        Buffer(edges),
        Buffer(guess.astype(np.int64)),
        first,
    )
