"""The result of sampling: entropy on a grid with error bars, and the curves that follow from it.

Never samples and never plots. S of a bin is ln(mass), the mass being the fraction of the box volume
whose (x, y) falls into the bin: a number per *bin*; :meth:`Landscape.rescaled` makes densities.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wlnn import store
from wlnn.collective import ACCURACY_AXES
from wlnn.errors import UserError
from wlnn.grid import Axis, Grid

ANCHOR_COUNT = 100  # uniform draws a bin needs before its ln p is used (relative error 10 %)
RELIABLE_SHARE = 0.9  # of a row's mass that must lie in reliable bins for the row to be so
GAUGES = {
    "box": "sum of exp S over all bins = 1, the whole box",
    "draws": "exp S = fraction of the box, fixed by uniform draws",
    "window": "sum of exp S over the bins that every walker visited = 1: relative entropies",
    "mean": "mean of S over the reliable bins = 0: relative entropies",
}


class WalkerResult(NamedTuple):
    """What one independent walker (or group of walkers with a common S) brings to :func:`merge`."""

    entropy: np.ndarray  # (nx, ny) nats, any gauge
    visits: np.ndarray  # (nx, ny) of the whole run
    production: np.ndarray | None = None  # (nx, ny) visits while S was frozen; None: no such stage
    history: dict[str, np.ndarray] | None = None  # name -> (stages,)


class Draws(NamedTuple):
    """Uniform points of the box: how many fell into each bin, and how many there were in all."""

    counts: np.ndarray  # (nx, ny)
    n: int


class Curve(NamedTuple):
    """A quantity per row of the x axis; NaN where the row was never visited."""

    x: np.ndarray  # (nx,) row centres
    value: np.ndarray  # (nx,) mean over walkers
    error: np.ndarray  # (nx,) standard error of that mean; NaN unless every walker was there
    reliable: np.ndarray  # (nx,) bool


@dataclass(frozen=True)
class Landscape:
    """Entropy over the macrostates of a grid.

    Attributes:
        grid: macrostates.
        entropies: S of each walker, normalised by itself, ``(R, nx, ny)`` nats; NaN where it was
            never.
        visits: all visits of all walkers, ``(nx, ny)``.
        reliable: bins that every walker visited in its production stage, ``(nx, ny)`` bool (in its
            whole run, where there was no production stage).
        meta: JSON notes. "gauge" is a key of :data:`GAUGES`; "anchor_error" the standard error that
            the uniform draws give to the zero of S, common to all bins and not part of
            :attr:`error`; "ln_box_volume", if known, turns S into ln(volume) when added.
        history: diagnostics per walker and stage, each ``(R, stages)``.
        networks: one microstate of every bin walker 0 entered, where they were kept: "bins"
            ``(m, 2)`` and "theta" ``(m, P)``. Each is the state of the first visit in the last
            stage that came to the bin. Of molecular dynamics: the last state of every cell at the
            end of a round, and "points" ``(m, 3)``, its x, y and true accuracy.
        accuracy: mean true accuracy of the visits of each bin ``(nx, ny)``, NaN where there were
            none, if y is a smoothed accuracy; otherwise empty.
    """

    grid: Grid
    entropies: np.ndarray
    visits: np.ndarray
    reliable: np.ndarray
    meta: dict = field(default_factory=dict)
    history: dict[str, np.ndarray] = field(default_factory=dict)
    networks: dict[str, np.ndarray] = field(default_factory=dict)
    accuracy: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    @property
    def n_walkers(self) -> int:
        """Number R of independent walkers (or groups)."""
        return len(self.entropies)

    @property
    def accuracy_axis(self):
        """Functions of y where it is one of a smoothed accuracy (``collective``), else None."""
        name = self.meta.get("task", {}).get("y_axis")
        return ACCURACY_AXES[name] if name else None

    @property
    def y_values(self) -> np.ndarray:
        """What the bins of y stand for ``(ny,)``: their centres, or smoothed accuracies 0 to 1."""
        axis, centres = self.accuracy_axis, self.grid.y.centres
        return np.clip(axis.inverse(np, centres), 0, 1) if axis else centres

    @property
    def entropy(self) -> np.ndarray:
        """S ``(nx, ny)`` in nats, mean over the walkers that were there; NaN where none was."""
        return _mean(self.entropies)

    @property
    def error(self) -> np.ndarray:
        """Standard error of :attr:`entropy`, sd / sqrt(R) ``(nx, ny)``; NaN unless all were there.

        The 95 % interval is this times :meth:`t_factor`. No bias of order 1 / steps is in it.
        """
        return _standard_error(self.entropies)

    def t_factor(self, level: float = 0.95) -> float:
        """Student's t with R - 1 degrees of freedom: half the two-sided interval per error."""
        from scipy.special import stdtrit

        return float(stdtrit(self.n_walkers - 1, 0.5 + level / 2)) if self.n_walkers > 1 else np.nan

    @property
    def _rows(self) -> np.ndarray:
        """Rows ``(nx,)`` whose mass lies in reliable bins by :data:`RELIABLE_SHARE`."""
        entropy = self.entropy
        safe = np.where(self.reliable, entropy, np.nan)
        with np.errstate(invalid="ignore"):
            return _ln_sum(safe) - _ln_sum(entropy) >= np.log(RELIABLE_SHARE)

    def _curve(self, per_walker: np.ndarray) -> Curve:
        return Curve(
            self.grid.x.centres, _mean(per_walker), _standard_error(per_walker), self._rows
        )

    def equilibrium_accuracy(self) -> Curve:
        """<y>(x) = sum_y y exp S(x, y) / sum_y exp S(x, y) (paper, Eq. (1)), mean over walkers.

        y is the bin centre; on an axis of ln(test loss) this is the mean of that logarithm, on one
        of a smoothed accuracy the mean of that accuracy.
        """
        return self._curve(self.equilibrium_of_walkers())

    def equilibrium_of_walkers(self) -> np.ndarray:
        """<y>(x) of each walker ``(R, nx)``, NaN where it never was."""
        weights = np.exp(self.entropies - _ln_sum(self.entropies)[..., None])
        values = np.nansum(weights * self.y_values, axis=-1)
        return np.where(np.isnan(weights).all(axis=-1), np.nan, values)

    def max_entropy_curve(self) -> Curve:
        """The y of largest S in each row, of the mean S; the error is from that of each walker."""
        y = self.y_values

        def highest(entropy: np.ndarray) -> np.ndarray:
            never = np.isnan(entropy)
            best = y[np.where(never, -np.inf, entropy).argmax(axis=-1)]
            return np.where(never.all(axis=-1), np.nan, best)

        return self._curve(highest(self.entropies))._replace(value=highest(self.entropy))

    def true_accuracy(self) -> Curve:
        """Mean true accuracy of all networks of a training loss, where y is a smoothed accuracy.

        That of each bin is the mean over its visits, weighted by exp S as in Eq. (1).
        """
        known = ~np.isnan(self.accuracy)
        weights = np.exp(self.entropy - _ln_sum(self.entropy)[:, None])
        weights = np.where(known, np.nan_to_num(weights), 0.0)
        total = weights.sum(axis=1)
        values = np.where(known, weights * np.nan_to_num(self.accuracy), 0.0).sum(axis=1)
        values = np.where(total > 0, values / np.where(total > 0, total, 1), np.nan)
        return Curve(self.grid.x.centres, values, np.full(values.shape, np.nan), self._rows)

    def marginal_entropy(self) -> Curve:
        """S(x) = ln sum_y exp S(x, y), nats per row of bins."""
        return self._curve(_ln_sum(self.entropies))

    def rescaled(self, x: str = "bin", y: str = "bin") -> np.ndarray:
        """S ``(nx, ny)`` as the ln of a density instead of the ln of a bin's mass.

        For each axis: "bin" leaves it as it is, "axis" divides the mass by the bin's width on the
        axis (per unit ln L), "exp" by the width of exp(axis) (per unit L, the bin's mean density).
        For narrow bins S per unit L = S per unit ln L - ln L. Errors do not change.
        """
        shift = _ln_width(self.grid.x, x)[:, None] + _ln_width(self.grid.y, y)[None, :]
        return self.entropy - shift

    def save(self, path):
        """Write to ``path`` (npz, see ``wlnn.store``). The arrays "entropy" and "error" and the bin
        edges are there for readers without this package.
        """
        arrays = {
            "entropies": self.entropies,
            "visits": self.visits,
            "reliable": self.reliable,
            "entropy": self.entropy,
            "error": self.error,
            "x_edges": self.grid.x.edges,
            "y_edges": self.grid.y.edges,
            **{f"history.{name}": array for name, array in self.history.items()},
            **{f"networks.{name}": array for name, array in self.networks.items()},
            **({"accuracy": self.accuracy} if self.accuracy.size else {}),
        }
        axes = {"x": list(self.grid.x), "y": list(self.grid.y)}
        return store.save(path, arrays, {"kind": "landscape", "axes": axes, "meta": self.meta})

    @classmethod
    def load(cls, path) -> Landscape:
        """The landscape that :meth:`save` wrote; UserError for any other file."""
        arrays, meta = store.load(path)
        if meta.get("kind") != "landscape":
            raise UserError(f"{path}: holds no landscape; give the landscape.npz of a run.")
        history, networks = (
            {k.removeprefix(part): v for k, v in arrays.items() if k.startswith(part)}
            for part in ("history.", "networks.")
        )
        grid = Grid(Axis(*meta["axes"]["x"]), Axis(*meta["axes"]["y"]))
        main = (arrays[name] for name in ("entropies", "visits", "reliable"))
        accuracy = arrays.get("accuracy", np.zeros((0, 0)))
        return cls(grid, *main, meta["meta"], history, networks, accuracy)


def merge(
    grid: Grid,
    walkers: Sequence[WalkerResult],
    draws: Draws | None = None,
    covers_box: bool = False,
    meta: dict | None = None,
) -> Landscape:
    """One landscape of independent walkers, each normalised by itself.

    The gauge is "box" if the caller says that the window covers the box (S - ln sum exp S), "draws"
    if uniform points were drawn and reach bins that every walker knows, and "window" otherwise.

    With draws, each walker r is shifted by the weighted mean over bins b of ln p_b - S_rb, where
    p_b = n_b / n, n_b >= 100, with weights 1 / (1 / n_b + var_b), var_b the variance between the
    walkers. What the walkers' own errors do to the shift is then part of the error of S; the part
    from the draws, sqrt(sum w_b^2 / n_b - 1 / n) with sum w_b = 1 (counts are multinomial), goes to
    ``meta["anchor_error"]``.
    """
    if not walkers:
        raise UserError("there is no walker to merge.")
    shape = (len(walkers), *grid.shape)
    visits = np.array([walker.visits for walker in walkers])
    entropies = np.array([walker.entropy for walker in walkers], dtype=float)
    if visits.shape != shape or entropies.shape != shape:
        raise UserError(f"the walkers' arrays are not on the grid of {grid.shape} bins.")
    if any(walker.production is None for walker in walkers):
        reliable = (visits > 0).all(axis=0)
    else:
        reliable = np.all([walker.production > 0 for walker in walkers], axis=0)
    entropies[visits == 0] = np.nan
    common = (visits > 0).all(axis=0)
    anchors = None if draws is None else reliable & (draws.counts >= ANCHOR_COUNT)
    meta = dict(meta or {})
    if covers_box:
        gauge, shifts = "box", -_ln_sum(entropies.reshape(len(walkers), -1))
    elif anchors is not None and anchors.any():
        gauge = "draws"
        shifts, meta["anchor_error"] = _anchor(
            entropies[:, anchors], draws.counts[anchors], draws.n
        )
        meta["anchor_bins"] = int(anchors.sum())
    else:
        gauge = "window"
        shifts = -_ln_sum(np.where(common, entropies, np.nan).reshape(len(walkers), -1))
        shifts[~np.isfinite(shifts)] = 0.0  # no bin in common: nothing to align by
    meta["gauge"] = gauge
    return Landscape(
        grid,
        entropies + shifts[:, None, None],
        visits.sum(axis=0),
        reliable,
        meta,
        _stacked([walker.history or {} for walker in walkers]),
    )


class Comparison(NamedTuple):
    """How two landscapes differ over the bins that are reliable in both."""

    bins: int
    offset: float  # weighted mean of the first S minus the second, removed before the rest
    rms: float  # nats
    chi_square: float  # mean of (difference / error)^2 per bin
    expected: float  # what it is on average for two right landscapes: above 1 for few walkers
    worst: float  # largest |difference / error|


def compare(first: Landscape, second: Landscape | np.ndarray) -> Comparison:
    """Difference of S in units of its error; ``second`` may be an exact table ``(nx, ny)``.

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
    return Comparison(
        bins=int(usable.sum()),
        offset=offset,
        rms=float(np.sqrt(np.mean(difference**2))),
        chi_square=float(np.mean(z**2)),
        expected=float(expected.mean()),
        worst=float(np.abs(z).max()),
    )


def _mean(per_walker: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where everything is."""
    known = ~np.isnan(per_walker)
    total = np.where(known, per_walker, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _standard_error(per_walker: np.ndarray) -> np.ndarray:
    """sd / sqrt(R) over the first axis; NaN for one walker and where one is NaN."""
    if len(per_walker) < 2:
        return np.full(per_walker.shape[1:], np.nan)
    return per_walker.std(axis=0, ddof=1) / np.sqrt(len(per_walker))


def _ln_sum(entropy: np.ndarray) -> np.ndarray:
    """ln of the sum of exp over the last axis, NaN counting as zero mass; NaN where all are."""
    never = np.isnan(entropy)
    top = np.where(never, -np.inf, entropy).max(axis=-1, keepdims=True)
    top = np.where(np.isfinite(top), top, 0.0)
    total = np.where(never, 0.0, np.exp(np.where(never, 0.0, entropy - top))).sum(axis=-1)
    with np.errstate(divide="ignore"):
        return np.where(never.all(axis=-1), np.nan, np.log(total) + top[..., 0])


def _ln_width(axis: Axis, unit: str) -> np.ndarray:
    """ln of the bins' widths ``(n,)`` in the unit that :meth:`Landscape.rescaled` names."""
    if unit == "bin":
        return np.zeros(axis.n)
    if unit not in ("axis", "exp"):
        raise UserError(f"S can be per 'bin', 'axis' or 'exp', not per {unit!r}.")
    edges = axis.edges if unit == "axis" else np.exp(axis.edges)
    return np.log(np.diff(edges))


def _anchor(entropies: np.ndarray, counts: np.ndarray, n: int) -> tuple[np.ndarray, float]:
    """Shift of each walker ``(R,)`` and the draws' part of its error; entropies ``(R, bins)``."""
    aligned = entropies - entropies.mean(axis=1, keepdims=True)
    spread = aligned.var(axis=0, ddof=1) if len(entropies) > 1 else 0.0
    weights = 1 / (1 / counts + spread)
    weights = weights / weights.sum()
    shifts = ((np.log(counts / n) - entropies) * weights).sum(axis=1)
    return shifts, float(np.sqrt(max((weights**2 / counts).sum() - 1 / n, 0.0)))


def _stacked(histories: Sequence[dict]) -> dict[str, np.ndarray]:
    """Arrays ``(R, stages)`` of the names that all walkers recorded, cut to the shortest."""
    names = [name for name in histories[0] if all(name in other for other in histories)]
    stages = {name: min(len(history[name]) for history in histories) for name in names}
    return {
        name: np.array([history[name][: stages[name]] for history in histories]) for name in names
    }
