"""The result of many trainings: what every epoch of each was like, and the mean curve over them.

Never trains and never plots. Trainings are the independent units: an error bar is the spread of
their own means, whatever the number of epochs.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import frames, shown, store
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis
from wlnn.training.curves import described, recorded

X = "ln-train-loss"
BIN_WIDTH = 0.1  # of ln(train loss); paper, Methods
FEWEST = 5  # trainings that make a bin of the curve reliable
TRAIN_LOSSES = ("end", "running-mean")  # when the train loss of an epoch was measured
SAME = ("task", "data", "points", "network", "loss")  # of a landscape and of trainings of one task


class TrainedCurve(NamedTuple):
    """Means over trainings in bins of x = ln(train loss); NaN where none came."""

    x: np.ndarray  # (n,) mean of x over the trainings that came to the bin
    value: np.ndarray  # (n,) mean of their means
    error: np.ndarray  # (n,) standard error of that mean, sd / sqrt(trainings); NaN for one
    trainings: np.ndarray  # (n,) how many came to the bin
    axis: Axis  # the bins
    source: np.ndarray | None = None  # (n,) the set that a bin is of, where there are several

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    @property
    def reliable(self) -> np.ndarray:
        """Bins ``(n,)`` that :data:`FEWEST` trainings or more came to."""
        return self.trainings >= FEWEST

    def columns(self) -> dict[str, np.ndarray]:
        """x, value, error (one standard error), trainings, reliable ``(n,)``; bins with any."""
        there = self.trainings > 0
        names = ("x", "value", "error", "trainings", "reliable")
        return {name: getattr(self, name)[there] for name in names}

    def to_pandas(self):
        """A data frame of :meth:`columns`; UserError without pandas."""
        return frames.data_frame(self.columns())


@dataclass(frozen=True)
class Trained:
    """What R trainings recorded.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> trained.records["test-accuracy"].shape
        (6, 201)
        >>> curve = trained.curve("test-accuracy")  # mean over trainings in bins of ln(train loss)

        A loop of one's own has its curves here, too:

        >>> task = wlnn.load_task("spiral-classify", layers=1, width=2, points=8)
        >>> own = {"train-loss": [0.7, 0.5, 0.4], "test-accuracy": [0.5, 0.625, 0.75]}
        >>> wlnn.Trained.from_curves(task, [own, own], "end", "SGD by hand").n_runs
        2

    Attributes:
        records: name -> ``(R, epochs + 1)``: "ln-train-loss" and "ln-test-loss" on the whole sets,
            and for labels "test-accuracy" and "smoothed-accuracy". The first column is the start.
            Curves of one's own have no start, and may differ in length: there it is NaN.
        diverged: epoch ``(R,)`` at whose end a training was found diverged, or -1.
        meta: JSON notes: "task" as of ``Task.describe``, "train" the settings, "versions". Of
            curves of one's own "train" has "own", how they were trained in words, and "train_loss".
        pool: what a bin of the curve is a mean over, "trainings" or "epochs".
    """

    records: dict[str, np.ndarray]
    diverged: np.ndarray
    meta: dict = field(default_factory=dict)
    pool: str = "trainings"

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    @classmethod
    def from_curves(cls, task, curves, train_loss: str | None = None, words: str = "") -> Trained:
        """Trainings that were made elsewhere, by their curves: what they are compared by.

        Args:
            task: the :class:`Task` that was trained, or a landscape (any result) of it.
            curves: of each run a mapping, a data frame or a structured array of curves
                ``(epochs,)``, in a list; arrays ``(R, epochs)`` are R runs. The loss is
                "train-loss", L itself, or "ln-train-loss"; beside it is the y of the task:
                "test-accuracy", "smoothed-accuracy", "test-loss" or "ln-test-loss". All of them
                are on the whole sets of the task; other names are left alone. A run may be
                shorter than others. One whose loss is NaN or infinite from some epoch on has
                diverged there, as has one that rises by e^10.
            train_loss: "end" where the loss is measured at the end of each epoch, "running-mean"
                where it is the mean over the epoch's minibatches, each before its step; None where
                nobody says.
            words: how they were trained, for tables and pictures.

        Raises:
            UserError: no curves, one that is missing, of another length, no numbers, NaN between
                numbers, a negative loss, an accuracy that is none of the task's test set.
        """
        if train_loss is not None and train_loss not in TRAIN_LOSSES:
            raise UserError(
                f"train_loss must be one of {', '.join(TRAIN_LOSSES)}, not {train_loss!r}."
            )
        about = described(task)
        how = {"own": words or "trained elsewhere"}
        how |= {} if train_loss is None else {"train_loss": train_loss}
        return cls(*recorded(about, curves), {"task": about, "train": how})

    @property
    def parts(self) -> tuple[Trained, ...]:
        """The sets of trainings that this is made of: itself alone."""
        return (self,)

    @property
    def words(self) -> str:
        """Optimiser, rate and minibatch in words."""
        return recipe_words(self.meta.get("train", {}))

    @property
    def n_runs(self) -> int:
        """Number R of trainings, the diverged ones included."""
        return len(self.diverged)

    @property
    def epochs(self) -> int:
        """Epochs of each training."""
        return self.records[X].shape[1] - 1

    @property
    def lengths(self) -> np.ndarray:
        """Epochs on record of each training ``(R,)``: all, unless it is of somebody's own."""
        return (~np.isnan(self.records[X][:, 1:])).sum(axis=1)

    @property
    def kept(self) -> np.ndarray:
        """Trainings ``(R,)`` bool that did not diverge: only these enter any mean."""
        return self.diverged < 0

    @property
    def names(self) -> tuple[str, ...]:
        """Of the parts, where there are several."""
        return ()

    def until(self, epoch: int | None) -> Trained:
        """The same trainings, stopped after so many epochs (UserError if they were shorter)."""
        if epoch is None:
            return self
        if not 1 <= epoch <= self.epochs:
            raise UserError(f"the trainings have {self.epochs} epochs; {epoch} is not among them.")
        records = {name: values[:, : epoch + 1] for name, values in self.records.items()}
        diverged = np.where(self.diverged > epoch, -1, self.diverged)
        return replace(self, records=records, diverged=diverged)

    def pooled(self, pool: str) -> Trained:
        """The same trainings, the bins of their curve means over "trainings" or over "epochs"."""
        return replace(self, pool=pool)

    def metric(self, name: str) -> np.ndarray:
        """Record ``(R kept, epochs)`` of every epoch, the start left out.

        Raises:
            UserError: nothing of that name was recorded.
        """
        if name not in self.records:
            raise UserError(f"the trainings have no record of '{name}', only of "
                            f"{', '.join(self.records)}.")  # fmt: skip
        return self.records[name][self.kept, 1:]

    def curve(self, y: str, width: float = BIN_WIDTH) -> TrainedCurve:
        """Mean of the record ``y`` in bins of ln(train loss) whose edges are multiples of width.

        Every training brings the mean over its epochs in the bin; value and error are those of the
        mean over trainings. By ``pool = "epochs"`` every epoch counts alike, as in the published
        curves, so that a training that stays long in a bin weighs more; the error is still that
        of independent trainings. Epochs of zero loss (ln = -inf) are in no bin.

        Raises:
            UserError: no training is left, or nothing of that name was recorded.
        """
        values, x = self.metric(y), self.metric(X)
        usable = np.isfinite(x) & np.isfinite(values)
        if not usable.any():
            if (x == -np.inf).any():
                raise UserError("every train loss is 0, which no landscape reaches: ln 0.")
            raise UserError("all trainings diverged; take a smaller learning rate.")
        low, high = (np.floor(v / width) for v in (x[usable].min(), x[usable].max()))
        axis = Axis("ln train loss", low * width, (high + 1) * width, int(high - low) + 1)
        run, _ = np.nonzero(usable)
        place = np.clip(axis.index(x[usable]), 0, axis.n - 1) + axis.n * run
        shape = (len(x), axis.n)

        def per_run(of):
            return np.bincount(place, of, shape[0] * shape[1]).reshape(shape)

        count = np.bincount(place, minlength=shape[0] * shape[1]).reshape(shape)
        with np.errstate(invalid="ignore"):
            means, x_means = per_run(values[usable]) / count, per_run(x[usable]) / count
        weights = count if self.pool == "epochs" else None
        mean, error, n = over_trainings(means, weights)
        return TrainedCurve(over_trainings(x_means, weights)[0], mean, error, n, axis)

    def last(self, y: str) -> tuple[np.ndarray, np.ndarray]:
        """x and y ``(R kept,)`` after the last epoch of each."""
        chosen = np.arange(self.kept.sum()), self.lengths[self.kept] - 1
        return self.metric(X)[chosen], self.metric(y)[chosen]

    def columns(self) -> dict[str, np.ndarray]:
        """One row for each epoch of each training ``(R (epochs + 1),)``; epoch 0 is the start."""
        run, epoch = np.indices((self.n_runs, self.epochs + 1))
        records = {name: values.ravel() for name, values in self.records.items()}
        lost = np.repeat(self.diverged >= 0, self.epochs + 1)
        return {"training": run.ravel(), "epoch": epoch.ravel(), **records, "diverged": lost}

    def to_pandas(self):
        """A data frame of :meth:`columns`; UserError without pandas."""
        return frames.data_frame(self.columns())

    def to_xarray(self):
        """A data set of all records, dimensions training and epoch; UserError without xarray."""
        records = {name: (("training", "epoch"), array) for name, array in self.records.items()}
        records["diverged"] = (("training",), self.diverged)
        return frames.data_set(records, {}, {"meta": json.dumps(self.meta)})

    def save(self, path) -> Path:
        """Write to ``path`` (npz, see ``wlnn.store``)."""
        arrays = {"diverged": self.diverged, **self.records}
        return store.save(path, arrays, {"kind": "trained", "meta": self.meta})

    @classmethod
    def load(cls, path) -> Trained:
        """What :meth:`save` wrote, or ``trained.npz`` of a run directory; UserError else."""
        path = Path(path)
        if path.is_dir():
            if not (path / "trained.npz").exists():
                raise UserError(f"{path}: holds no trained.npz yet; finish it with wlnn resume.")
            path = path / "trained.npz"
        arrays, meta = store.load(path)
        if meta.get("kind") != "trained":
            raise UserError(f"{path}: holds no trainings; give the trained.npz of wlnn train.")
        diverged = arrays.pop("diverged")
        return cls(arrays, diverged, meta["meta"])


def is_trained(path) -> bool:
    """Whether a path is of trainings, finished or not; as :func:`wlnn.base.store.holds`."""
    return store.holds(path, "trained", "trained.npz", "train")


def over_trainings(
    values: np.ndarray, weights: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean, standard error and count over the first axis of ``values (R, ...)``, NaN left out.

    With ``weights (R, ...)`` the mean is the ratio of two sums over independent trainings, and its
    error that of a ratio, to first order (Cochran, Sampling Techniques, Eq. 6.13).
    """
    known = ~np.isnan(values)
    n = known.sum(axis=0)
    filled = np.where(known, values, 0.0)
    share = np.where(known, 1.0 if weights is None else weights, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        share = share / (n if weights is None else share.sum(axis=0))
        mean = (share * filled).sum(axis=0)
        squares = (np.where(known, share * (values - mean), 0.0) ** 2).sum(axis=0)
        error = np.where(n > 1, np.sqrt(squares * n / (n - 1)), np.nan)
    return np.where(n > 0, mean, np.nan), error, n


def best_epoch(trained: Trained, y: str) -> tuple[float, float, float, float]:
    """Early stopping that knows the test set: mean and standard error over trainings.

    Each training is stopped at the epoch of its best ``y`` (the highest accuracy, the lowest
    loss). Returns mean and error of that y, and of ln(train loss) there. The choice is made on the
    test set itself, so that this is an upper limit of what early stopping can do.
    """
    values, x = trained.metric(y), trained.metric(X)
    best = np.where(np.isnan(values), -np.inf, sign_of(y) * values).argmax(axis=1)
    rows = np.arange(len(values))
    mean, error, _ = over_trainings(values[rows, best])
    x_mean, x_error, _ = over_trainings(np.where(np.isfinite(x), x, np.nan)[rows, best])
    return float(mean), float(error), float(x_mean), float(x_error)


def sign_of(record: str) -> int:
    """1 where larger is better, -1 for a loss."""
    return -1 if record == "ln-test-loss" else 1


def recipe_words(*settings: dict) -> str:
    """Optimiser, rate and minibatch in words; of several settings all of each, with "or"."""
    ours = [of for of in settings if "own" not in of]

    def said(word) -> str:
        return " or ".join(dict.fromkeys(map(word, ours)))

    def name(of: dict) -> str:
        known = {"sgd": "SGD", "adam": "Adam"}.get(of.get("optimizer"), "?")
        momentum = of.get("momentum") if known == "SGD" else 0
        return known + (f" with momentum {momentum:g}" if momentum else "")

    found = list(dict.fromkeys(of["own"] for of in settings if "own" in of))
    if ours:
        rate = said(lambda of: f"{of.get('learning_rate', np.nan):.3g}")
        batch = said(lambda of: f"{of.get('batch_size') or 'all rows'}")
        found.insert(0, f"{said(name)}, learning rate {rate}, batch {batch}")
    running = any(of.get("train_loss") == "running-mean" for of in settings)
    loss = ", train loss: mean while the epoch went on" if running else ""
    return " or ".join(found) + loss
