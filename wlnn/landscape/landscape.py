"""The result of sampling: entropy on a grid with error bars, and the curves that follow from it.

Never samples and never plots. S of a bin is ln(mass), the mass being the fraction of the box volume
whose (x, y) falls into the bin: a number per *bin*; :meth:`Landscape.rescaled` makes densities.
Where there is a Gaussian prior in the place of the box, it is the share of that prior.
That of molecular dynamics is ln of the density at the bin's centre: :attr:`Landscape.measure`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import frames, shown, store
from wlnn.base.accuracy_axes import ACCURACY_AXES, TRAIN_ACCURACY
from wlnn.base.errors import UserError
from wlnn.base.statistics import ln_sum, standard_error, t_factor
from wlnn.landscape import tables
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.ridge import ridge

RELIABLE_SHARE = 0.9  # of a row's mass that must lie in reliable bins for the row to be so ...
LADDER_SHARE = 0.5  # ... of ladders, which come to the tails of y by chance: a row needs its middle
GAUGES = {
    "box": "sum of exp S over all bins = 1, the whole box",
    "draws": "exp S = fraction of the box, fixed by uniform draws",
    "window": "sum of exp S over the bins that every walker visited = 1: relative entropies",
    "mean": "mean of S over the reliable bins = 0: relative entropies",
}


class Curve(NamedTuple):
    """A quantity per row of the x axis; NaN where the row was never visited.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> curve = landscape.equilibrium_accuracy()
        >>> curve.x.shape == curve.value.shape == curve.error.shape == curve.reliable.shape
        True
        >>> bool(0.5 < curve.value[curve.reliable].max() <= 1)
        True
    """

    x: np.ndarray  # (nx,) row centres
    value: np.ndarray  # (nx,) mean over walkers
    error: np.ndarray  # (nx,) standard error of that mean; NaN unless every walker was there
    reliable: np.ndarray  # (nx,) bool

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    def to_pandas(self):
        """A data frame of the four columns; UserError without pandas."""
        return frames.data_frame(self._asdict())


@dataclass(frozen=True)
class Landscape:
    """Entropy over the macrostates of a grid.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> path = landscape.save("landscape.npz")
        >>> landscape = wlnn.Landscape.load(path)
        >>> landscape.entropy.shape == landscape.grid.shape
        True
        >>> landscape.n_walkers
        4

    Attributes:
        grid: macrostates.
        entropies: S of each walker, normalised by itself, ``(R, nx, ny)`` nats; NaN where it was
            never. With :attr:`resampling` "jackknife": S from the visits of all walkers but one.
        visits: all visits of all walkers, ``(nx, ny)``.
        reliable: bins ``(nx, ny)`` that every walker visited while S was measured, or with
            :attr:`resampling` "jackknife" two walkers or more.
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
        lag: part of :attr:`error` ``(nx, ny)`` of ladders with rungs off their ridge: nats by which
            S of a bin there is still under way, 0 on the ridge; otherwise empty.
    """

    grid: Grid
    entropies: np.ndarray
    visits: np.ndarray
    reliable: np.ndarray
    meta: dict = field(default_factory=dict)
    history: dict[str, np.ndarray] = field(default_factory=dict)
    networks: dict[str, np.ndarray] = field(default_factory=dict)
    accuracy: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))
    lag: np.ndarray = field(default_factory=lambda: np.zeros((0, 0)))

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    @property
    def n_walkers(self) -> int:
        """Number R of independent walkers (or groups)."""
        return len(self.entropies)

    @property
    def measure(self) -> str:
        """What S is the logarithm of: the "mass" of a bin, or the "density" at its centre."""
        return self.meta.get("measure", "density" if self.unit == "table" else "mass")

    @property
    def unit(self) -> str:
        """Whose S :attr:`entropies` holds: a "walker"'s, or that of a "table" of several."""
        return self.meta.get("unit", "table" if self.meta.get("sampler") == "wlmd" else "walker")

    @property
    def resampling(self) -> str:
        """What :attr:`entropies` are: of single "walkers", or "jackknife", without one each."""
        return self.meta.get("resampling", "walkers")

    def of_walkers(self, values: np.ndarray) -> np.ndarray:
        """A quantity of each of :attr:`entropies` ``(R, ...)``, as one of each walker.

        That of a walker that was left out is the jackknife's pseudo-value, mean + (R - 1)
        (mean - value): mean and standard error over walkers are those of the jackknife.
        """
        if self.resampling == "walkers":
            return values
        mean = _mean(values)
        return mean + (len(values) - 1) * (mean - values)

    def without(self, walker: int) -> np.ndarray:
        """S of all walkers but one ``(R - 1 or 1, nx, ny)``, whose mean is the estimate of S."""
        if self.resampling == "walkers":
            return np.delete(self.entropies, walker, axis=0)
        return self.entropies[walker : walker + 1]

    @property
    def round_trips(self) -> np.ndarray:
        """Round trips in x that each walker or table had made at the end of each stage ``(R, n)``.

        A table's history counts up; that of a walker holds the trips of each stage.
        """
        trips = self.history["round_trips"]
        return trips if self.unit == "table" else np.cumsum(trips, axis=1)

    @property
    def measured_from(self) -> int:
        """First stage (or period) of the part of the run that S comes from."""
        settings = self.settings
        if self.unit == "table":
            steps = np.concatenate([[0.0], self.history["t"].mean(axis=0)])
            from_step = settings.get("average_from", 0.0) * steps[-1]
            return min(int(np.searchsorted(steps, from_step)), len(steps) - 2)
        if "measured_from" in self.meta or not settings.get("production"):
            return self.meta.get("measured_from", 0)
        return settings["stages"] - max(round(settings["production"] * settings["stages"]), 1)

    @property
    def base(self) -> str:
        """What S is a share of, in a word: the "box", or the "prior" where that is Gaussian."""
        return "prior" if "prior" in self.meta.get("task", {}) else "box"

    @property
    def accuracy_axis(self):
        """Functions of y where it is one of a smoothed accuracy (``accuracy_axes``), else None."""
        name = self.meta.get("task", {}).get("y_axis")
        return ACCURACY_AXES[name] if name else None

    @property
    def y_values(self) -> np.ndarray:
        """What the bins of y stand for ``(ny,)``: their centres, or smoothed accuracies 0 to 1."""
        axis, centres = self.accuracy_axis, self.grid.y.centres
        return np.clip(axis.inverse(np, centres), 0, 1) if axis else centres

    @property
    def settings(self) -> dict:
        """The sampler's settings, empty where they were not stored."""
        return self.meta.get(self.meta.get("sampler", "wlmc"), {})

    @property
    def entropy(self) -> np.ndarray:
        """S ``(nx, ny)`` in nats, mean over the walkers that were there; NaN where none was.

        That of a jackknife is the mean of exp S: without one walker each, their visits add up to
        those of all.
        """
        if self.resampling == "jackknife":
            return ln_sum(np.moveaxis(self.entropies, 0, -1)) - np.log(self.n_walkers)
        return _mean(self.entropies)

    @property
    def error(self) -> np.ndarray:
        """Standard error of :attr:`entropy`, sd / sqrt(R) or the jackknife's; NaN unless all know.

        The 95 % interval is this times :meth:`t_factor`. No bias of order 1 / steps is in it, but
        for :attr:`lag`.
        """
        spread = standard_error(self.of_walkers(self.entropies))
        return np.hypot(spread, self.lag) if self.lag.size else spread

    def t_factor(self, level: float = 0.95) -> float:
        """Student's t with R - 1 degrees of freedom: half the two-sided interval per error."""
        return float(t_factor(self.n_walkers, level))

    @property
    def contradicts_itself(self) -> bool:
        """Whether ladders of two kinds of starts are in different states: S is no one's then."""
        return not self.meta.get("rungs", {}).get("starts", {"agree": True})["agree"]

    @property
    def _rows(self) -> np.ndarray:
        """Rows ``(nx,)`` whose mass lies in reliable bins, by the share that its sampler needs."""
        entropy = self.entropy
        safe = np.where(self.reliable, entropy, np.nan)
        share = LADDER_SHARE if self.unit == "ladder" else RELIABLE_SHARE
        with np.errstate(invalid="ignore"):
            return ln_sum(safe) - ln_sum(entropy) >= np.log(share)

    def _curve(self, per_walker: np.ndarray) -> Curve:
        """The curve of a quantity of each of :attr:`entropies` ``(R, nx)``."""
        error = standard_error(self.of_walkers(per_walker))
        return Curve(self.grid.x.centres, _mean(per_walker), error, self._rows)

    def equilibrium_accuracy(self) -> Curve:
        """<y>(x) = sum_y y exp S(x, y) / sum_y exp S(x, y) (paper, Eq. (1)), mean over walkers.

        y is the bin centre; on an axis of ln(test loss) this is the mean of that logarithm, on one
        of a smoothed accuracy the mean of that accuracy.
        """
        return self._curve(self.equilibrium_of_each())

    def equilibrium_of_walkers(self) -> np.ndarray:
        """<y>(x) of each walker ``(R, nx)``, NaN where it never was; see :meth:`of_walkers`."""
        return self.of_walkers(self.equilibrium_of_each())

    def equilibrium_of_each(self) -> np.ndarray:
        """<y>(x) of each of :attr:`entropies` ``(R, nx)``; one at a time, to save memory."""
        return np.array([self._mean_y(entropy) for entropy in self.entropies])

    def _mean_y(self, entropy: np.ndarray) -> np.ndarray:
        weights = np.exp(entropy - ln_sum(entropy)[..., None])
        values = np.nansum(weights * self.y_values, axis=-1)
        return np.where(np.isnan(weights).all(axis=-1), np.nan, values)

    def max_entropy_curve(self) -> Curve:
        """The y of largest S in each row, of the mean S; the error is from that of each walker.

        That of ladders, whose bins scatter with their visits, is the top of a fitted parabola.
        """
        y = self.y_values
        if self.unit == "ladder":
            value = ridge(np.where(self.reliable, self.entropy, np.nan), y)
            value = np.where(np.isnan(value), ridge(self.entropy, y), value)
            return self._curve(ridge(self.entropies, y))._replace(value=value)

        def highest(entropy: np.ndarray) -> np.ndarray:
            never = np.isnan(entropy)
            best = y[np.where(never, -np.inf, entropy).argmax(axis=-1)]
            return np.where(never.all(axis=-1), np.nan, best)

        return self._curve(highest(self.entropies))._replace(value=highest(self.entropy))

    def require_loss(self, what: str) -> None:
        """UserError where x is no logarithm of a loss, for ``what`` cannot do without it."""
        if self.grid.x.name == TRAIN_ACCURACY:
            raise UserError(
                f"{what} need x = ln(train loss), and this landscape has x = {self.grid.x.name}; "
                "sample the task without --x."
            )

    def true_accuracy(self) -> Curve:
        """Mean true accuracy of all networks of a training loss, where y is a smoothed accuracy.

        That of each bin is the mean over its visits, weighted by exp S as in Eq. (1).
        """
        known = ~np.isnan(self.accuracy)
        weights = np.exp(self.entropy - ln_sum(self.entropy)[:, None])
        weights = np.where(known, np.nan_to_num(weights), 0.0)
        total = weights.sum(axis=1)
        values = np.where(known, weights * np.nan_to_num(self.accuracy), 0.0).sum(axis=1)
        values = np.where(total > 0, values / np.where(total > 0, total, 1), np.nan)
        return Curve(self.grid.x.centres, values, np.full(values.shape, np.nan), self._rows)

    def marginal_entropy(self) -> Curve:
        """S(x) = ln sum_y exp S(x, y), nats per row of bins."""
        return self._curve(ln_sum(self.entropies))

    def rescaled(self, x: str = "bin", y: str = "bin") -> np.ndarray:
        """S ``(nx, ny)`` as the ln of a density instead of the ln of a bin's mass.

        For each axis: "bin" leaves it as it is, "axis" divides the mass by the bin's width on the
        axis (per unit ln L), "exp" by the width of exp(axis) (per unit L, the bin's mean density).
        For narrow bins S per unit L = S per unit ln L - ln L. Errors do not change.
        """
        shift = _ln_width(self.grid.x, x)[:, None] + _ln_width(self.grid.y, y)[None, :]
        return self.entropy - shift

    def to_pandas(self, table: str = "bins"):
        """One of the tables of :func:`wlnn.landscape.tables.columns_of` as a data frame.

        Args:
            table: "bins", "curves" or "history".

        Raises:
            UserError: another table, or pandas is not installed.
        """
        return frames.data_frame(tables.columns_of(self, table))

    def to_xarray(self):
        """All arrays with their dimensions, see :func:`wlnn.landscape.tables.to_xarray`."""
        return tables.to_xarray(self)

    def to_arviz(self):
        """Where walkers were while S was measured, see :func:`wlnn.landscape.tables.to_arviz`."""
        return tables.to_arviz(self)

    def save(self, path):
        """Write to ``path`` (npz, see ``base.store``). The arrays "entropy" and "error" and the bin
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
            **({"lag": self.lag} if self.lag.size else {}),
        }
        axes = {"x": list(self.grid.x), "y": list(self.grid.y)}
        return store.save(path, arrays, {"kind": "landscape", "axes": axes, "meta": self.meta})

    @classmethod
    def load(cls, path) -> Landscape:
        """The landscape that :meth:`save` wrote, or that of a run directory; UserError else.

        ``wlnn.find_landscape`` also reads the checkpoints of a run that is still going on.
        """
        path = Path(path)
        if path.is_dir():
            if not (path / "landscape.npz").exists():
                raise UserError(f"{path}: holds no landscape.npz; finish it with wlnn resume.")
            path = path / "landscape.npz"
        arrays, meta = store.load(path)
        if meta.get("kind") != "landscape":
            raise UserError(f"{path}: holds no landscape; give the landscape.npz of a run.")
        history, networks = (
            {k.removeprefix(part): v for k, v in arrays.items() if k.startswith(part)}
            for part in ("history.", "networks.")
        )
        grid = Grid(Axis(*meta["axes"]["x"]), Axis(*meta["axes"]["y"]))
        main = (arrays[name] for name in ("entropies", "visits", "reliable"))
        accuracy, lag = (arrays.get(name, np.zeros((0, 0))) for name in ("accuracy", "lag"))
        return cls(grid, *main, meta["meta"], history, networks, accuracy, lag)


def finished(directory) -> Landscape | None:
    """The landscape of a run directory if nothing is left to do there."""
    path = Path(directory) / "landscape.npz"
    landscape = Landscape.load(path) if path.exists() else None
    return landscape if landscape is not None and landscape.meta.get("finished") else None


def _mean(per_walker: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where everything is."""
    known = ~np.isnan(per_walker)
    total = np.where(known, per_walker, 0).sum(axis=0)
    return np.where(known.any(axis=0), total / np.maximum(known.sum(axis=0), 1), np.nan)


def _ln_width(axis: Axis, unit: str) -> np.ndarray:
    """ln of the bins' widths ``(n,)`` in the unit that :meth:`Landscape.rescaled` names."""
    if unit == "bin":
        return np.zeros(axis.n)
    if unit not in ("axis", "exp"):
        raise UserError(f"S can be per 'bin', 'axis' or 'exp', not per {unit!r}.")
    edges = axis.edges if unit == "axis" else np.exp(axis.edges)
    return np.log(np.diff(edges))
