"""Axes and the two-dimensional grid of macrostates: which bin a value lies in.

One sentence defines it, for both texts: the bin of a value is that of the last edge at or below
it, within rounding, and the highest edge belongs to the last bin. ``Axis.index`` is the definition
in NumPy, its twin is in ``networks.compiled.moves``; both read the same numbers, ``Axis.limits``.
"""

from __future__ import annotations

from functools import lru_cache
from numbers import Real
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError

ROUNDING = 4  # units in the last place by which a value may miss an edge: 29 x 0.01 is not 0.29
MOST_BINS = 10_000_000  # of one axis: its edges alone are 80 MB


class _Axis(NamedTuple):
    name: str
    lo: float
    hi: float
    n: int


class Axis(_Axis):
    """``n`` bins ``[lo + k w, lo + (k+1) w)`` of width ``w = (hi - lo) / n``; the last has its end.

    A value on an edge lies in the bin above it, and so does one that misses the edge by rounding
    alone, as energies of a lattice do. ``hi`` lies in the last bin, as in ``numpy.histogram``; for
    whole numbers 0..3 take bins centred on them, ``Axis(name, -0.5, 3.5, 4)``.

    Examples:
        >>> import wlnn
        >>> axis = wlnn.Axis("ln train loss", -4.0, 1.0, 10)
        >>> axis.width, axis.centres[:3].tolist()
        (0.5, [-3.75, -3.25, -2.75])

    Raises:
        UserError: no number of bins, or a window that is empty, not finite or too narrow for
            numbers of this size; +-infinity belongs to :meth:`single` alone.
    """

    __slots__ = ()

    def __new__(cls, name: str, lo: float, hi: float, n: int):
        """The axis, checked; the numbers are kept as they are given."""
        if not (n == 1 and lo == -np.inf and hi == np.inf):
            _check(name, lo, hi, n)
        return super().__new__(cls, name, lo, hi, n)

    @classmethod
    def of_width(cls, name: str, lo: float, hi: float, width: float) -> Axis:
        """Bins of the given width from ``lo`` up to the first edge at or above ``hi``."""
        _check(name, lo, hi, 1)
        if not 0 < width < np.inf:
            raise UserError(f"axis '{name}': the bin width must be positive, not {width}.")
        n = np.ceil(min((hi - lo) / width - 1e-9, 2.0 * MOST_BINS))
        return cls(name, float(lo), float(lo + n * width), int(n))

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
        return np.linspace(self.lo, self.hi, self.n + 1)

    @property
    def limits(self) -> np.ndarray:
        """The edges ``(n + 1,)`` less a few units in the last place; the last one more.

        Bin k holds what lies in ``[limits[k], limits[k + 1])``, the last bin like all others.
        """
        return _limits(self)

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
        """Bin of each value, -1 outside (NaN included)."""
        value = np.asarray(value, dtype=float)
        if not np.isfinite(self.lo):
            return np.where(np.isnan(value), -1, 0)
        bins = np.searchsorted(self.limits, value, side="right") - 1
        return np.where(bins < self.n, bins, -1)


@lru_cache(maxsize=64)
def _limits(axis: Axis) -> np.ndarray:
    apart = ROUNDING * np.spacing(max(abs(axis.lo), abs(axis.hi)))
    limits = axis.edges - apart
    limits[-1] = axis.hi + apart
    limits.flags.writeable = False
    return limits


def _check(name: str, lo: float, hi: float, n: int) -> None:
    """UserError where ``n`` bins between lo and hi would not be bins."""
    if not all(isinstance(value, Real) and not isinstance(value, bool) for value in (lo, hi, n)):
        raise UserError(f"axis '{name}': low, high and bins are numbers, not {(lo, hi, n)}.")
    if not np.isfinite(hi - lo):
        raise UserError(f"axis '{name}': the window [{lo}, {hi}] needs two finite numbers.")
    if not hi > lo:
        raise UserError(f"axis '{name}': the window [{lo}, {hi}] is empty; give low < high.")
    if n != n or n != int(min(n, 2 * MOST_BINS)) or not 1 <= n <= MOST_BINS:
        raise UserError(f"axis '{name}': give 1 to {MOST_BINS:,} bins, a whole number, not {n}.")
    if not (hi - lo) / n > 4 * ROUNDING * np.spacing(max(abs(lo), abs(hi))):
        raise UserError(
            f"axis '{name}': {n} bins between {lo} and {hi} are narrower than numbers of that size "
            "are apart; take fewer, or subtract a constant from the variable."
        )


class Grid(NamedTuple):
    """Macrostates: the bins of two collective variables x and y.

    Examples:
        >>> import wlnn
        >>> wlnn.Grid(wlnn.Axis("ln train loss", -4, 1, 50), wlnn.Axis.counts("accuracy", 40)).shape
        (50, 41)
    """

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
