"""Axes and the two-dimensional grid of macrostates: the only place where a bin is computed.

Its Numba twins are ``backend.binning`` and the lines of ``wlmc.driver`` that use it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError


class Axis(NamedTuple):
    """``n`` half-open bins ``[lo + k w, lo + (k+1) w)`` of width ``w = (hi - lo) / n``."""

    name: str
    lo: float
    hi: float
    n: int

    @classmethod
    def of_width(cls, name: str, lo: float, hi: float, width: float) -> Axis:
        """Bins of the given width from ``lo`` up to the first edge at or above ``hi``."""
        if not width > 0:
            raise UserError(f"axis '{name}': the bin width must be positive, not {width}.")
        if not hi > lo:
            raise UserError(f"axis '{name}': the window [{lo}, {hi}] is empty; give low < high.")
        n = int(np.ceil((hi - lo) / width - 1e-9))
        return cls(name, float(lo), float(lo + n * width), n)

    @classmethod
    def counts(cls, name: str, n: int) -> Axis:
        """One bin per fraction ``k / n``, k = 0..n, centred on it so that none sits on an edge."""
        if n < 1:
            raise UserError(f"axis '{name}': a fraction of {n} items cannot be binned.")
        return cls(name, -0.5 / n, 1 + 0.5 / n, n + 1)

    @classmethod
    def single(cls, name: str = "all") -> Axis:
        """A single bin that takes every value: the second axis of a one-dimensional landscape."""
        return cls(name, -np.inf, np.inf, 1)

    @property
    def width(self) -> float:
        """Bin width, in units of the axis."""
        return (self.hi - self.lo) / self.n

    @property
    def edges(self) -> np.ndarray:
        """Bin edges, shape ``(n + 1,)``."""
        if self.n == 1:
            return np.array([self.lo, self.hi])
        return self.lo + self.width * np.arange(self.n + 1)

    @property
    def centres(self) -> np.ndarray:
        """Bin centres, shape ``(n,)``; 0 for the axis made by :meth:`single`."""
        if not np.isfinite(self.lo):
            return np.zeros(1)
        return self.lo + self.width * (np.arange(self.n) + 0.5)

    @property
    def per_bin(self) -> float:
        """Bins per unit of the axis; 0 for the axis made by :meth:`single`."""
        return 1.0 / self.width if np.isfinite(self.lo) else 0.0

    def index(self, value) -> np.ndarray:
        """Bin of each value, -1 outside (NaN included); the range is tested before conversion."""
        value = np.asarray(value, dtype=float)
        if not np.isfinite(self.lo):
            return np.where(np.isnan(value), -1, 0)
        position = (value - self.lo) * self.per_bin
        inside = (position >= 0) & (position < self.n)
        return np.where(inside, np.floor(np.where(inside, position, 0)), -1).astype(np.int64)


class Grid(NamedTuple):
    """Macrostates: the bins of two collective variables x and y."""

    x: Axis
    y: Axis

    @property
    def shape(self) -> tuple[int, int]:
        """Number of bins ``(nx, ny)``."""
        return self.x.n, self.y.n

    def index(self, x, y) -> tuple[np.ndarray, np.ndarray]:
        """Bins ``(ix, iy)`` of the points (x, y); both are -1 for a point outside the window."""
        ix, iy = self.x.index(x), self.y.index(y)
        inside = (ix >= 0) & (iy >= 0)
        return np.where(inside, ix, -1), np.where(inside, iy, -1)
