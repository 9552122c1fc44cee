"""Landscapes on one axis x: S(x) and equilibrium curves of several, and differences in errors.

Grids and windows may differ; what is compared are masses and means of rows that all know. Bins of
equal grids are compared one by one in ``compare.py``. Nothing is sampled or drawn here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import ln_sum, standard_error
from wlnn.landscape.landscape import RELIABLE_SHARE, Landscape

CHANCE = 0.01  # that a right program finds a difference somewhere on a curve
ABSOLUTE = ("box", "draws")  # gauges whose S are fractions of the box


class Common(NamedTuple):
    """One quantity of m landscapes at n common points; NaN where one does not know it."""

    value: np.ndarray  # (m, n)
    error: np.ndarray  # (m, n) one standard error over walkers
    walkers: np.ndarray  # (m,)
    zero: np.ndarray | float = 0.0  # (m,) error common to all points, in no ``error``

    def minus_first(self, k: int) -> tuple[np.ndarray, np.ndarray]:
        """Difference of landscape k and the first ``(n,)``, and its standard error, all told."""
        error = np.hypot(self.error[k], self.error[0])
        zero = np.broadcast_to(self.zero, len(self.walkers))
        return self.value[k] - self.value[0], np.hypot(error, np.hypot(zero[k], zero[0]))

    def verdict(self, k: int) -> Pair:
        """How the curves of landscape k and of the first differ over all points, see :class:`Pair`.

        Each point has a Student t with the degrees of freedom of Welch and Satterthwaite. The
        smallest p of n points, times n (Bonferroni), holds however points depend on each other.
        """
        from scipy.special import stdtr

        difference, error = self.minus_first(k)
        known = (error > 0) & np.isfinite(difference)
        if not known.any():
            return Pair(0, np.nan, np.nan, np.nan, 0)
        z = difference[known] / error[known]
        parts = sum(self.error[i][known] ** 4 / (self.walkers[i] - 1) for i in (0, k))
        p = 2 * stdtr(error[known] ** 4 / parts, -np.abs(z))
        worst = int(np.argmin(p))
        chance = min(1.0, float(p[worst]) * p.size)
        place = int(np.flatnonzero(known)[worst])
        return Pair(p.size, float(np.mean(z**2)), float(z[worst]), chance, place)


class Pair(NamedTuple):
    """A curve against the first one."""

    points: int  # where both have error bars
    square: float  # mean of (difference / standard error)^2
    worst: float  # the least probable difference / standard error ...
    chance: float  # ... and how often chance alone makes one so improbable somewhere on the curve
    place: int  # its point

    @property
    def differs(self) -> bool:
        """Whether chance alone would do so less than :data:`CHANCE` of the times."""
        return self.points > 0 and self.chance < CHANCE


class Overlap(NamedTuple):
    """What m landscapes have in common."""

    x: np.ndarray  # (n,) centres of the common rows
    entropy: Common  # S = ln of the mass of a common row, relative ones shifted onto the first
    mean: Common | None  # equilibrium y, None where it is not the same quantity
    reliable: np.ndarray  # (m, n) bool
    shifts: np.ndarray  # (m,) nats added to S; 0 for the first, and where both are absolute
    same_axis: bool  # all have these rows
    y_window: tuple[float, float] | None  # where S(x) counts only part of a window of y


def overlap(landscapes: Sequence[Landscape], names: Sequence[str]) -> Overlap:
    """Two landscapes or more on the rows of the coarsest axis x that lie in all windows.

    The masses of the rows of the others are added up; of one that lies across an edge the part is
    taken that a density exp(s x) has there, s being the slope of its S(x). The mean y of a common
    row is that of its parts, by their masses, each on the slope of <y>(x). Windows of y that differ
    are cut to what they share, by the centres of bins.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> runs = [
        ...     wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000, seed=seed)
        ...     for seed in (0, 1)
        ... ]
        >>> both = wlnn.overlap(runs, ("seed 0", "seed 1"))
        >>> both.entropy.verdict(1).differs
        False

    Raises:
        UserError: other quantities x, windows that do not overlap, fewer than two landscapes.
    """
    if len(landscapes) < 2:
        raise UserError("give two results or more: each is compared with the first.")
    first = landscapes[0]
    for landscape, name in zip(landscapes, names, strict=True):
        if landscape.grid.x.name != first.grid.x.name:
            raise UserError(
                f"{name}: has x = {landscape.grid.x.name}, {names[0]} has {first.grid.x.name}; "
                "they cannot be compared."
            )
    axes = [landscape.grid.x for landscape in landscapes]
    coarsest = max(axes, key=lambda axis: axis.width)
    edges = coarsest.edges
    slack = 1e-6 * coarsest.width
    low, high = max(axis.lo for axis in axes) - slack, min(axis.hi for axis in axes) + slack
    chosen = (edges[:-1] >= low) & (edges[1:] <= high)
    if not chosen.any():
        windows = zip(names, axes, strict=True)
        said = ", ".join(f"{name} has {axis.lo:.3g} to {axis.hi:.3g}" for name, axis in windows)
        raise UserError(f"the windows of {first.grid.x.name} share no row: {said}.")
    rows = np.stack([edges[:-1], edges[1:]], axis=1)[chosen]
    cut, window = _cut(landscapes)
    found = [_at(landscape, rows) for landscape in cut]
    walkers = np.array([landscape.n_walkers for landscape in landscapes])
    entropy = _common([one[0] for one in found], walkers)
    mean = _common([one[1] for one in found], walkers) if _comparable(landscapes) else None
    reliable = np.array([one[2] for one in found])
    shifts = np.array([_shift(landscapes, entropy, reliable, k) for k in range(len(found))])
    entropy = entropy._replace(value=entropy.value + shifts[:, None])
    zero = np.array([landscape.meta.get("anchor_error", 0.0) for landscape in landscapes])
    if not shifts.any():
        entropy = entropy._replace(zero=zero)
    same = all(axis == coarsest for axis in axes)
    return Overlap(coarsest.centres[chosen], entropy, mean, reliable, shifts, same, window)


def quantity(landscape: Landscape) -> str:
    """What the equilibrium curve is of; empty where there is a single bin of y."""
    if not np.isfinite(landscape.grid.y.lo):
        return ""
    return "smoothed test accuracy" if landscape.accuracy_axis else landscape.grid.y.name


def _comparable(landscapes) -> bool:
    said = {quantity(landscape) for landscape in landscapes}
    return len(said) == 1 and "" not in said


def _cut(landscapes) -> tuple[list[Landscape], tuple[float, float] | None]:
    """The landscapes without what lies outside the common window of y, and that window if any."""
    axes = [landscape.grid.y for landscape in landscapes]
    low, high = max(axis.lo for axis in axes), min(axis.hi for axis in axes)
    if len({axis.name for axis in axes}) > 1 or not (np.isfinite(low) and low < high):
        return list(landscapes), None
    inside = [(axis.centres > low) & (axis.centres < high) for axis in axes]
    if all(kept.all() for kept in inside):
        return list(landscapes), None
    return [
        replace(one, entropies=np.where(kept, one.entropies, np.nan))
        for one, kept in zip(landscapes, inside, strict=True)
    ], (low, high)


def _at(landscape: Landscape, rows: np.ndarray):
    """ln of the mass and mean y of the common rows, of each walker ``(R, n)``; which are reliable.

    Args:
        rows: edges ``(n, 2)`` of the common rows.
    """
    axis, marginal = landscape.grid.x, landscape.marginal_entropy()
    bent = 0.5 * axis.width * np.nan_to_num(_slopes(axis.centres, marginal.value))
    masses = ln_sum(landscape.entropies)
    if landscape.measure == "density":  # at the centre: of the row it is higher where S bends
        y_width = landscape.grid.y.width
        masses = masses + np.log(axis.width) + _ln_sinhc(bent)
        masses = masses + (np.log(y_width) if np.isfinite(y_width) else 0.0)
    means = landscape.equilibrium_of_each()
    # of every row of the landscape, the part of its mass that lies in each of the common rows
    half = 0.5 * axis.width
    low = np.clip((rows[:, :1] - axis.centres) / half, -1, 1)
    high = np.clip((rows[:, 1:] - axis.centres) / half, -1, 1)
    share = np.where(high - low > 1e-9, _below(high, bent) - _below(low, bent), 0.0)
    with np.errstate(divide="ignore"):
        parts = masses[:, None, :] + np.where(share > 0, np.log(np.maximum(share, 1e-300)), np.nan)
    found = ln_sum(parts)
    weights = np.nan_to_num(np.exp(parts - found[..., None]))
    # and what the mean y of that part differs by from that of its row
    lean = half * np.nan_to_num(_slopes(axis.centres, landscape.equilibrium_accuracy().value))
    where = _place(-1.0, 1.0, bent) if landscape.measure == "mass" else 0.0
    lean = lean * (_place(low, high, bent) - where)
    mean = (weights * np.nan_to_num(means[:, None] + lean)).sum(axis=-1)
    mean[np.isnan(found)] = np.nan
    kept = np.nan_to_num(weights.mean(axis=0)) @ marginal.reliable
    return landscape.of_walkers(found), landscape.of_walkers(mean), kept >= RELIABLE_SHARE


def _below(u: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Part of the mass of a density exp(b u) over -1 < u < 1 that lies below u."""
    size = np.maximum(np.abs(b), 1e-6)
    up = np.where(b >= 0, u, -u)
    part = (np.exp(size * (up - 1)) - np.exp(-2 * size)) / -np.expm1(-2 * size)
    return np.where(b >= 0, part, 1 - part)


def _place(low, high, b: np.ndarray) -> np.ndarray:
    """Mean u of a density exp(b u) between two u."""
    half = 0.5 * (high - low)
    bent = b * half
    size = np.maximum(np.abs(bent), 1e-3)
    langevin = np.sign(bent) * (1 / np.tanh(size) - 1 / size)
    return 0.5 * (low + high) + half * np.where(np.abs(bent) < 1e-3, bent / 3, langevin)


def _ln_sinhc(b: np.ndarray) -> np.ndarray:
    """ln(sinh b / b): ln of the mean of a density exp(b u) over -1 < u < 1."""
    size = np.maximum(np.abs(b), 1e-3)  # below, the first term of the series is exact enough
    return np.where(
        np.abs(b) < 1e-3, b**2 / 6, size + np.log(-np.expm1(-2 * size)) - np.log(2 * size)
    )


def _slopes(x: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Slopes ``(n,)``: centred differences, one-sided beside a NaN or the end."""
    steps = np.diff(values) / np.diff(x)
    left, right = np.concatenate([[np.nan], steps]), np.concatenate([steps, [np.nan]])
    both = 0.5 * (left + right)
    return np.where(np.isnan(both), np.where(np.isnan(left), right, left), both)


def _common(per_walker: Sequence[np.ndarray], walkers: np.ndarray) -> Common:
    """Mean and standard error of each landscape's walkers; NaN where one of them never was."""
    value = np.array([values.mean(axis=0) for values in per_walker])
    return Common(value, np.array([standard_error(values) for values in per_walker]), walkers)


def _shift(landscapes, entropy: Common, reliable: np.ndarray, k: int) -> float:
    """What brings a relative S of landscape k onto the first, over the points reliable in both."""
    if k == 0 or all(landscapes[i].meta.get("gauge") in ABSOLUTE for i in (0, k)):
        return 0.0
    difference, error = entropy.minus_first(k)
    known = np.isfinite(difference) & (error > 0)
    safe = known & reliable[0] & reliable[k]
    known = safe if safe.any() else known
    if known.any():
        return -float(np.average(difference[known], weights=1 / error[known] ** 2))
    both = np.isfinite(difference)
    return -float(difference[both].mean()) if both.any() else 0.0
