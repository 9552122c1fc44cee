"""Learning rate and batch size by trial: the grid, its trainings, the table, the best setting.

The trainings themselves are those of ``run.py``; nothing is drawn here.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import itself
from wlnn.base.running import Report
from wlnn.base.text_table import ERROR, aligned
from wlnn.settings.tables import Settings, TrainSettings, TuneSettings
from wlnn.tasks.task import Task
from wlnn.training import run as run_train
from wlnn.training.trained import best_epoch, over_trainings

COLUMNS = (
    "learning_rate", "batch_size", "best", "best_error", "best_x", "last", "last_error", "last_x",
    "diverged",
)  # fmt: skip


@dataclass(frozen=True)
class Tuning:
    """A table with one row per setting; ``meta`` names the record "y" and holds the settings.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> tuning = wlnn.run("spiral-classify", "tune", **small, epochs=5, rates=2)
        >>> len(tuning.columns["learning_rate"]) == len(tuning.columns["best"])
        True

    Columns, each ``(n,)``: learning_rate, batch_size (0 = all rows); best, best_error: y at each
    training's best epoch, mean and standard error over trainings, best_x the ln(train loss) there;
    last, last_error, last_x: the same after the last epoch; diverged: how many trainings did.
    """

    columns: dict[str, np.ndarray]
    meta: dict = field(default_factory=dict)

    @property
    def best(self) -> int:
        """Row of the best mean y at the best epoch, among settings where no training diverged.

        Raises:
            UserError: every setting had one that did.
        """
        sign = -1 if self.meta["y"] == "ln-test-loss" else 1
        score = np.where(self.columns["diverged"] == 0, sign * self.columns["best"], -np.inf)
        score = np.where(np.isnan(score), -np.inf, score)
        if not np.isfinite(score).any():
            raise UserError("some training diverged in every setting; try smaller learning rates.")
        return int(score.argmax())

    @property
    def best_settings(self) -> dict:
        """learning_rate and batch_size of the best row."""
        return {
            "learning_rate": float(self.columns["learning_rate"][self.best]),
            "batch_size": int(self.columns["batch_size"][self.best]),
        }

    def save(self, path) -> Path:
        """Write to ``path`` (npz, see ``wlnn.store``)."""
        return store.save(path, self.columns, {"kind": "tuning", "meta": self.meta})

    @classmethod
    def load(cls, path) -> Tuning:
        """What :meth:`save` wrote, or ``tuning.npz`` of a directory; UserError else."""
        path = Path(path)
        path = path / "tuning.npz" if path.is_dir() else path
        arrays, meta = store.load(path)
        if meta.get("kind") != "tuning":
            raise UserError(f"{path}: holds no table of wlnn tune.")
        return cls(arrays, meta["meta"])

    def table(self) -> list[str]:
        """One line per setting, the best marked."""
        y, best = self.meta["y"].replace("-", " "), self.best
        lines = [["rate", "batch", f"{y}, best epoch", "at ln L", "last epoch", "ln L", ""]]
        for k in range(len(self.columns["best"])):
            row = {name: values[k] for name, values in self.columns.items()}
            lost = f"{int(row['diverged'])} diverged" if row["diverged"] else ""
            lines.append([
                f"{row['learning_rate']:.3g}",
                str(int(row["batch_size"])) if row["batch_size"] else "all",
                f"{row['best']:.4f} ± {row['best_error']:.4f}",
                f"{row['best_x']:.2f}",
                f"{row['last']:.4f} ± {row['last_error']:.4f}",
                f"{row['last_x']:.2f}",
                lost or "best" * (k == best),
            ])  # fmt: skip
        return [*(line.rstrip() for line in aligned(lines)), ERROR]


def grid(tune: TuneSettings) -> list[tuple[float, int]]:
    """Learning rates evenly spaced in their logarithm x batch sizes doubling up to the last."""
    rates = np.geomspace(tune.rate_low, tune.rate_high, tune.rates)
    batches = [tune.batch_low]
    while tune.batch_low and 2 * batches[-1] < tune.batch_high:
        batches.append(2 * batches[-1])
    if tune.batch_low and batches[-1] != tune.batch_high:
        batches.append(tune.batch_high)
    return [(float(f"{rate:.4g}"), batch) for batch in batches for rate in rates]


@alone
def tune(
    task: Task,
    settings: Settings,
    directory: Path | None = None,
    processes: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    about: dict | None = None,
    make_task: Callable[[], Task] | None = None,
    executor: Executor | None = None,
    device=None,
) -> Tuning:
    """Train ``settings.tune.runs`` times with every setting of the grid; arguments as train_many.

    All settings are given the same number of epochs, ``settings.train.epochs``.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-classify", layers=1, width=2, points=8)
        >>> changes = ("train.epochs=5", "tune.rates=2")
        >>> settings = wlnn.read_table("spiral-classify", "quick", changes)
        >>> tuning = wlnn.tune(task, settings)
        >>> sorted(set(tuning.columns["learning_rate"].tolist()))
        [0.0001, 0.1]

    Raises:
        UserError, Interrupted: as :func:`wlnn.training.run.train_many`.
    """
    base, about = settings.train, about or task.describe()
    cells = grid(settings.tune)
    if directory is not None:
        directory = Path(directory)
        identity = {
            "task": task.name,
            "sampler": "tune",
            "problem": about,
            "train": base.identity(),
            "tune": asdict(settings.tune),
        }
        store.open_run(directory, identity, notes)
        if (directory / "tuning.npz").exists():
            return Tuning.load(directory)
    parts, owner = [], []
    for k, (rate, batch) in enumerate(cells):
        own = _setting(base, settings.tune, rate, batch)
        for part in run_train.parts_of(own, task.network.n_parameters, directory):
            if directory is not None:
                part = part._replace(path=directory / f"setting-{k:03d}-{part.path.name}")
            parts.append(part)
            owner.append(k)
    make = make_task or partial(itself, task)
    how = processes, report, executor, run_train.on_device(task, parts, device, directory)
    states = run_train.execute(make, parts, *how)
    meta = {"task": about, "y": task.y, "train": asdict(base), "tune": asdict(settings.tune)}
    rows = []
    for k, cell in enumerate(cells):
        own = [state for state, number in zip(states, owner, strict=True) if number == k]
        rows.append([*cell, *_summary(run_train.collected(own, {}), task.y)])
    columns = dict(zip(COLUMNS, np.array(rows, float).T, strict=True))
    tuning = Tuning(columns, {**meta, "versions": store.versions()})
    if directory is not None:
        tuning.save(directory / "tuning.npz")
    return tuning


def _setting(base: TrainSettings, tune: TuneSettings, rate: float, batch: int) -> TrainSettings:
    return replace(base, learning_rate=rate, batch_size=batch, runs=tune.runs)


def _summary(trained, y: str) -> list[float]:
    """The columns from "best" on."""
    lost = float((~trained.kept).sum())
    if not trained.kept.any():
        return [np.nan] * 6 + [lost]
    mean, error, x, _ = best_epoch(trained, y)
    last_x, last = trained.last(y)
    last_mean, last_error, _ = over_trainings(last)
    finite = np.where(np.isfinite(last_x), last_x, np.nan)
    last_x = float(over_trainings(finite)[0])
    return [mean, error, x, float(last_mean), float(last_error), last_x, lost]
