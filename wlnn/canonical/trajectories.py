"""What molecular dynamics on the training loss recorded: averages, curves against time, a file.

Moves nothing and draws nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import frames, shown, store
from wlnn.base.errors import UserError
from wlnn.base.statistics import jackknife_error, standard_error
from wlnn.canonical import columns, langevin

FILE = "md.npz"
KINETIC_TOLERANCE = 0.02  # of kinetic T / T: more means that the time step is too large
DRIFTING = 0.01  # a mean whose change, or spread, has a smaller p-value is not in equilibrium


class Average(NamedTuple):
    """Mean over independent walkers and its standard error, sd / sqrt(R)."""

    value: float
    error: float


class TimeCurve(NamedTuple):
    """Mean over walkers against time."""

    steps: np.ndarray  # (n,)
    value: np.ndarray  # (n,)
    error: np.ndarray  # (n,) standard error; NaN where a single walker counts
    walkers: np.ndarray  # (n,) how many count

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    def to_pandas(self):
        """A data frame of the four columns; UserError without pandas."""
        return frames.data_frame(self._asdict())


@dataclass(frozen=True)
class Trajectories:
    """What independent walkers recorded.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> motion = wlnn.run("spiral-classify", "md", **small, steps=4000, walkers=2)
        >>> motion.records.shape
        (2, 20, 10)
        >>> mean = motion.averages()["loss"]

    Attributes:
        records: ``(R, n, columns.N_COLUMNS)``; NaN from where a walker diverged on.
        walkers: their present state.
        meta: JSON: "task", "md" (the settings), "metric" (name of the test quantity), "versions".
        ahead: of walkers that have more than the n records that all have, those by number.
    """

    records: np.ndarray
    walkers: langevin.Walkers
    meta: dict
    ahead: dict[int, np.ndarray] = field(default_factory=dict)

    def only(self, numbers: tuple[int, ...]) -> tuple[langevin.Walkers, np.ndarray]:
        """Some walkers, all equally far, and all their records."""
        chosen = list(numbers)
        walkers = langevin.Walkers(*(part[chosen] for part in self.walkers))
        none = self.records[:1, :0]
        more = np.stack([self.ahead.get(r, none[0]) for r in chosen])
        return walkers, np.concatenate([self.records[chosen], more], 1)

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    @property
    def temperature(self) -> float:
        """T, in units of the loss."""
        return self.meta["md"]["temperature"]

    @property
    def kept(self) -> np.ndarray:
        """Records ``(R', n, columns)`` of the walkers that did not diverge."""
        return self.records[np.isfinite(self.records).all((1, 2))]

    @property
    def metric_column(self) -> int:
        """Column of the test quantity at the beginning of a record: accuracy, or y."""
        return columns.ACCURACY if self.meta["accuracy"] else columns.Y

    @property
    def record(self) -> str:
        """Name of the record of trainings that is the test quantity of this motion.

        Raises:
            UserError: the motion is of something else than a network's test performance.
        """
        name = "test-accuracy" if self.meta["accuracy"] else self.meta["task"].get("y")
        if name not in ("test-accuracy", "ln-test-loss"):
            raise UserError("this motion records no test performance; nothing to compare.")
        return name

    @property
    def steps(self) -> np.ndarray:
        """Step ``(n,)`` at which each record begins."""
        return self.meta["md"]["record"] * np.arange(self.records.shape[1])

    def curve(self, column: int, inside: np.ndarray | None = None, bins: int = 30) -> TimeCurve:
        """A column against time, in bins of ln(time); of the records where ``inside (R', n)``.

        Each walker is averaged over its records of a bin first, so that the error is that of
        independent walkers.
        """
        values, steps = self.kept[:, :, column], self.steps
        inside = np.ones(values.shape, bool) if inside is None else inside
        record = self.meta["md"]["record"]
        edges = np.geomspace(record, steps[-1] + record, bins + 1)
        which = np.searchsorted(edges, steps + 0.5 * record, "right") - 1
        rows = []
        for b in range(-1, bins):
            chosen = inside & (which == b)
            counts = chosen.sum(1)
            if counts.any():
                means = (np.where(chosen, values, 0).sum(1) / np.maximum(counts, 1))[counts > 0]
                centre = float(steps[which == b].mean()) + 0.5 * record
                rows.append((centre, means.mean(), float(standard_error(means)), len(means)))
        return TimeCurve(*np.array(rows).reshape(len(rows), 4).T)

    def half(self) -> np.ndarray:
        """Means ``(R', columns)`` over the second half of the time, which averages use."""
        kept, n = self.kept, self.records.shape[1]
        if not kept.size:
            raise UserError("molecular dynamics: there is no record yet; go on with wlnn resume.")
        return kept[:, n // 2 :].mean(1)

    def averages(self) -> dict[str, Average]:
        """Canonical averages from the second half: loss, ln_loss, y, accuracy, heat capacity.

        The heat capacity is var(L) / T^2 (k_B = 1), the variance over all walkers and times; its
        error is from leaving out one walker at a time.
        """
        half = self.half()
        wanted = {
            "loss": columns.LOSS,
            "ln_loss": columns.LN_LOSS,
            "y": columns.MEAN_Y,
            "kinetic": columns.KINETIC,
        }
        if self.meta["accuracy"]:
            wanted["accuracy"] = columns.MEAN_ACCURACY
        found = {
            name: Average(float(half[:, k].mean()), float(standard_error(half[:, k])))
            for name, k in wanted.items()
        }
        losses, squares = half[:, columns.LOSS], half[:, columns.LOSS_SQUARED]

        def capacity(keep):
            return (squares[keep].mean() - losses[keep].mean() ** 2) / self.temperature**2

        r = len(half)
        left_out = np.array([capacity(np.arange(r) != k) for k in range(r) if r > 1])
        error = float(jackknife_error(left_out))
        found["heat_capacity"] = Average(float(capacity(np.arange(r))), error)
        return found

    def drifting(self) -> list[str]:
        """Names of averages that still change: third against last quarter, paired over walkers."""
        from scipy.special import stdtr

        moving = []
        for name, (third, last) in self._quarters().items():
            change = last - third
            error = standard_error(change)
            if error > 0 and 2 * stdtr(len(change) - 1, -abs(change.mean() / error)) < DRIFTING:
                moving.append(name)
        return moving

    def apart(self) -> list[str]:
        """Names of averages in which each walker keeps to states of its own.

        Its third and last quarter are then closer to each other than to those of other walkers: F,
        the ratio of both mean squares, is too large for walkers that went everywhere meanwhile.
        """
        from scipy.special import fdtrc

        found = []
        for name, quarters in self._quarters().items():
            r = quarters.shape[1]
            between = 2 * quarters.mean(0).var(ddof=1) if r > 1 else 0.0
            within = (np.diff(quarters, axis=0) ** 2).sum() / (2 * r)
            if between > 0 and fdtrc(r - 1, r, between / max(within, 1e-300)) < DRIFTING:
                found.append(name)
        return found

    def _quarters(self) -> dict[str, np.ndarray]:
        """Means ``(2, R')`` of the loss and the test quantity over the last two quarters."""
        kept, n = self.kept, self.records.shape[1]
        compared = {"the loss": columns.LN_LOSS, self.meta["metric"]: columns.MEAN_Y}
        if self.meta["accuracy"]:
            compared[self.meta["metric"]] = columns.MEAN_ACCURACY
        middle, late = slice(n // 2, 3 * n // 4), slice(3 * n // 4, n)
        return {
            name: np.stack([kept[:, part, column].mean(1) for part in (middle, late)])
            for name, column in compared.items()
        }

    def settled(self) -> bool:
        """Whether averages rest, walkers agree, and kinetic T is T within 2 % and its error."""
        kinetic = self.averages()["kinetic"]
        off = abs(kinetic.value - 1) - 2 * np.nan_to_num(kinetic.error)
        return not self.drifting() and not self.apart() and off <= KINETIC_TOLERANCE

    def in_window(self, low: float, high: float) -> TimeCurve:
        """The test quantity of the states with low <= loss <= high against time."""
        x = self.kept[:, :, columns.X]
        return self.curve(self.metric_column, (x >= np.log(low)) & (x <= np.log(high)))

    def loss_window(self) -> tuple[float, float]:
        """The usual loss window: the losses of the second half, without the outer fifth each."""
        n = self.records.shape[1]
        losses = np.exp(self.kept[:, n // 2 :, columns.X])
        return tuple(float(value) for value in np.quantile(losses, [0.2, 0.8]))

    def energy_drift(self) -> Average:
        """Change of the energy from the first tenth of the time to the last, as a part of P T / 2.

        0 but for the time step in Newtonian motion; no use with a thermostat.
        """
        kept = self.kept[:, :, columns.ENERGY]
        tenth = max(1, kept.shape[1] // 10)
        change = kept[:, -tenth:].mean(1) - kept[:, :tenth].mean(1)
        change = change / (0.5 * self.walkers.theta.shape[1] * self.temperature)
        return Average(float(change.mean()), float(standard_error(change)))

    def _named(self) -> dict[str, np.ndarray]:
        """The columns of the records ``(R, n)`` by name; of an accuracy, where there is one."""
        known = self.meta["accuracy"]
        return {
            name: self.records[:, :, k]
            for k, name in enumerate(columns.NAMES)
            if known or not name.endswith("accuracy")
        }

    def table(self) -> dict[str, np.ndarray]:
        """One row for each record of each walker: walker, step, and ``columns.NAMES``, ``(R n,)``.

        NaN from where a walker diverged on.
        """
        walker, number = np.indices(self.records.shape[:2])
        found = {"walker": walker.ravel(), "step": self.steps[number.ravel()]}
        return found | {name: values.ravel() for name, values in self._named().items()}

    def to_pandas(self):
        """A data frame of :meth:`table`; UserError without pandas."""
        return frames.data_frame(self.table())

    def to_xarray(self):
        """A data set of all records, dimensions walker and step; UserError without xarray."""
        variables = {name: (("walker", "step"), each) for name, each in self._named().items()}
        notes = {"meta": json.dumps(self.meta)}
        return frames.data_set(variables, {"step": ("step", self.steps)}, notes)

    def to_arviz(self):
        """The records that averages use, for diagnostics of chains; UserError without arviz.

        ``posterior`` has :data:`columns.NAMES` with dimensions chain (walkers that did not diverge)
        and draw (records of the second half of the time).
        """
        half = replace(self, records=self.kept[:, self.records.shape[1] // 2 :])
        return frames.chains(half._named(), {"meta": json.dumps(self.meta)})

    def save(self, path) -> Path:
        """Write to ``path``; see ``wlnn.store``."""
        arrays = {"records": self.records, **self.walkers._asdict()}
        arrays |= {f"ahead.{number}": rows for number, rows in self.ahead.items()}
        return store.save(path, arrays, {"kind": "md", "meta": self.meta})

    @classmethod
    def load(cls, path) -> Trajectories:
        """What :meth:`save` wrote, of a file or a run directory; UserError for anything else."""
        path = Path(path)
        arrays, meta = store.load(path / FILE if path.is_dir() else path)
        if meta.get("kind") != "md":
            raise UserError(f"{path}: holds no molecular dynamics; give a run of `wlnn md`.")
        walkers = langevin.Walkers(*(arrays[name] for name in langevin.Walkers._fields))
        ahead = {k.removeprefix("ahead."): v for k, v in arrays.items() if k.startswith("ahead.")}
        ahead = {int(number): rows for number, rows in ahead.items()}
        return cls(arrays["records"], walkers, meta["meta"], ahead)


def is_motion(path) -> bool:
    """Whether a path is of `wlnn md`, finished or not; as :func:`wlnn.base.store.holds`."""
    return store.holds(path, "md", FILE, "md")
