"""A whole run of molecular dynamics on the training loss: independent walkers, records, averages.

A walker depends on (seed, its number) alone, and record k of it on a generator of its own; so a run
that was interrupted anywhere, or has another number of threads, gives the same bits. What a step
computes is in ``langevin.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from threading import Timer
from typing import NamedTuple

import numpy as np

from wlnn import langevin, store
from wlnn.collective import SmoothProblem
from wlnn.errors import UserError
from wlnn.run import Interrupted, stoppable
from wlnn.settings import MDSettings

FILE = "md.npz"
COMPILING = "compiling, once per kind of network"
SAVE_EVERY = 10.0  # seconds between checkpoints; changes no bit of the result
REPORT_EVERY = 0.5  # seconds
DRIFTING = 0.01  # a mean whose change has a smaller p-value is still moving
KINETIC_TOLERANCE = 0.02  # of the kinetic temperature: more means that the time step is too large


class Average(NamedTuple):
    """Mean over independent walkers and its standard error, sd / sqrt(R)."""

    value: float
    error: float


class Curve(NamedTuple):
    """Mean over walkers against time."""

    steps: np.ndarray  # (n,)
    value: np.ndarray  # (n,)
    error: np.ndarray  # (n,) standard error; NaN where a single walker counts
    walkers: np.ndarray  # (n,) how many count


@dataclass(frozen=True)
class Trajectories:
    """What independent walkers recorded.

    Attributes:
        records: ``(R, n, langevin.N_COLUMNS)``; NaN from where a walker diverged on.
        walkers: their present state.
        meta: JSON: "task", "md" (the settings), "metric" (name of the test quantity), "versions".
    """

    records: np.ndarray
    walkers: langevin.Walkers
    meta: dict

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
        return langevin.ACCURACY if self.meta["accuracy"] else langevin.Y

    @property
    def steps(self) -> np.ndarray:
        """Step ``(n,)`` at which each record begins."""
        return self.meta["md"]["record"] * np.arange(self.records.shape[1])

    def curve(self, column: int, inside: np.ndarray | None = None, bins: int = 30) -> Curve:
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
                rows.append((centre, means.mean(), float(_error(means)), len(means)))
        return Curve(*np.array(rows).reshape(len(rows), 4).T)

    def half(self) -> np.ndarray:
        """Means ``(R', columns)`` over the second half of the time, which averages use."""
        n = self.records.shape[1]
        return self.kept[:, n // 2 :].mean(1)

    def averages(self) -> dict[str, Average]:
        """Canonical averages from the second half: loss, ln_loss, y, accuracy, heat capacity.

        The heat capacity is var(L) / T^2 (k_B = 1), the variance over all walkers and times; its
        error is from leaving out one walker at a time.
        """
        half = self.half()
        columns = {
            "loss": langevin.LOSS,
            "ln_loss": langevin.LN_LOSS,
            "y": langevin.MEAN_Y,
            "kinetic": langevin.KINETIC,
        }
        if self.meta["accuracy"]:
            columns["accuracy"] = langevin.MEAN_ACCURACY
        found = {
            name: Average(float(half[:, k].mean()), float(_error(half[:, k])))
            for name, k in columns.items()
        }
        losses, squares = half[:, langevin.LOSS], half[:, langevin.LOSS_SQUARED]

        def capacity(keep):
            return (squares[keep].mean() - losses[keep].mean() ** 2) / self.temperature**2

        r = len(half)
        left_out = np.array([capacity(np.arange(r) != k) for k in range(r)] if r > 1 else [])
        spread = np.sqrt((r - 1) / r * ((left_out - left_out.mean()) ** 2).sum()) if r > 1 else None
        found["heat_capacity"] = Average(
            float(capacity(np.arange(r))), np.nan if spread is None else float(spread)
        )
        return found

    def drifting(self) -> list[str]:
        """Names of averages that still change: third against last quarter, paired over walkers."""
        from scipy.special import stdtr

        kept, n = self.kept, self.records.shape[1]
        columns = {"the loss": langevin.LN_LOSS, self.meta["metric"]: langevin.MEAN_Y}
        if self.meta["accuracy"]:
            columns[self.meta["metric"]] = langevin.MEAN_ACCURACY
        moving = []
        for name, column in columns.items():
            parts = kept[:, n // 2 : 3 * n // 4, column], kept[:, 3 * n // 4 :, column]
            change = parts[1].mean(1) - parts[0].mean(1)
            error = _error(change)
            if error > 0 and 2 * stdtr(len(kept) - 1, -abs(change.mean() / error)) < DRIFTING:
                moving.append(name)
        return moving

    def in_window(self, low: float, high: float) -> Curve:
        """The test quantity of the states with low <= loss <= high against time."""
        x = self.kept[:, :, langevin.X]
        return self.curve(self.metric_column, (x >= np.log(low)) & (x <= np.log(high)))

    def loss_window(self) -> tuple[float, float]:
        """The usual loss window: the losses of the second half, without the outer fifth each."""
        n = self.records.shape[1]
        losses = np.exp(self.kept[:, n // 2 :, langevin.X])
        return tuple(float(value) for value in np.quantile(losses, [0.2, 0.8]))

    def energy_drift(self) -> Average:
        """Change of the energy from the first tenth of the time to the last, as a part of P T / 2.

        0 but for the time step in Newtonian motion; no use with a thermostat.
        """
        kept = self.kept[:, :, langevin.ENERGY]
        tenth = max(1, kept.shape[1] // 10)
        change = kept[:, -tenth:].mean(1) - kept[:, :tenth].mean(1)
        change = change / (0.5 * self.walkers.theta.shape[1] * self.temperature)
        return Average(float(change.mean()), float(_error(change)))

    def save(self, path) -> Path:
        """Write to ``path``; see ``wlnn.store``."""
        arrays = {"records": self.records, **self.walkers._asdict()}
        return store.save(path, arrays, {"kind": "md", "meta": self.meta})

    @classmethod
    def load(cls, path) -> Trajectories:
        """What :meth:`save` wrote, of a file or a run directory; UserError for anything else."""
        path = Path(path)
        arrays, meta = store.load(path / FILE if path.is_dir() else path)
        if meta.get("kind") != "md":
            raise UserError(f"{path}: holds no molecular dynamics; give a run of `wlnn md`.")
        walkers = langevin.Walkers(*(arrays[name] for name in langevin.Walkers._fields))
        return cls(arrays["records"], walkers, meta["meta"])


def _error(values: np.ndarray) -> np.ndarray:
    """Standard error over the first axis; NaN for one walker."""
    if len(values) < 2:
        return np.full(values.shape[1:], np.nan)[()]
    return values.std(axis=0, ddof=1) / np.sqrt(len(values))


class Progress(NamedTuple):
    """Where a run stands."""

    part: float
    line: str
    note: str


def simulate(
    problem: SmoothProblem,
    settings: MDSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Progress], None] | None = None,
    notes: dict | None = None,
) -> Trajectories:
    """Molecular dynamics on the training loss of a problem: independent walkers from its start.

    Args:
        problem: see :class:`wlnn.collective.SmoothProblem`; x must be ln(train loss).
        settings: temperature, steps, time step, friction, walkers.
        directory: where ``md.npz`` goes; an interrupted run of the same settings is continued.
        threads: walkers that run at a time, where the problem is compiled; changes no bit.
        report: called with a :class:`Progress` about twice a second.
        notes: stored in ``run.json``.

    Raises:
        UserError: wrong settings, a directory of another run, or no walker left.
        Interrupted: on Ctrl-C; every finished record is saved.
    """
    report = report or (lambda _: None)
    found = _begin(problem, settings, directory, notes)
    motion = langevin.make_motion(settings.dt, settings.friction, settings.thermostat_every)
    walkers, n = found.walkers, settings.steps // settings.record
    records, done = list(found.records.transpose(1, 0, 2)), found.records.shape[1]
    alive = np.isfinite(found.records).all((1, 2))
    systems = None if problem.system is None else [problem.system() for _ in range(len(alive))]
    saved, said = time.monotonic(), 0.0
    compiling = Timer(1.5, lambda: report(Progress(0.0, "", COMPILING)))
    compiling.daemon = True
    if systems is not None and done < n:
        compiling.start()

    def so_far() -> Trajectories:
        rows = np.array(records).reshape(len(records), len(alive), langevin.N_COLUMNS)
        return Trajectories(rows.transpose(1, 0, 2), walkers, found.meta)

    def save() -> None:
        if directory is not None:
            so_far().save(Path(directory) / FILE)

    with stoppable() as stop, ThreadPoolExecutor(threads) as pool:
        for k in range(done, n):
            chosen = np.flatnonzero(alive)
            stretch = langevin.advance(
                problem,
                langevin.Walkers(*(part[chosen] for part in walkers)),
                motion,
                settings.record,
                [generator(settings.seed, r, 1 + k) for r in chosen],
                None if systems is None else [systems[r] for r in chosen],
                stop,
                pool.map if threads > 1 else map,
            )
            compiling.cancel()
            if stretch is None:
                save()
                raise Interrupted(None)
            theta, u = walkers.theta.copy(), walkers.u.copy()
            theta[chosen], u[chosen] = stretch.walkers.theta, stretch.walkers.u
            walkers = walkers._replace(theta=theta, u=u)
            row = np.full((len(alive), langevin.N_COLUMNS), np.nan)
            row[chosen[~stretch.diverged]] = stretch.records[~stretch.diverged]
            records.append(row)
            alive[chosen[stretch.diverged]] = False
            part, step = (k + 1) / n, (k + 1) * settings.record
            for r in chosen[stretch.diverged]:
                words = f"walker {r} diverged before step {step}; it is left out of all averages."
                report(Progress(part, "", words))
            if not alive.any():
                raise UserError("every walker diverged: the time step is too large; lower md.dt.")
            now = time.monotonic()
            if now - said > REPORT_EVERY or k + 1 == n:
                said = now
                report(Progress(part, _line(row[alive], found.meta), ""))
            if now - saved > SAVE_EVERY or k + 1 == n:
                saved = now
                save()
    return so_far()


def generator(seed: int, walker: int, number: int) -> np.random.Generator:
    """Stream ``number`` of a walker: 0 starts it, 1 + k moves it during record k."""
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(walker, number)))


def _begin(problem, settings: MDSettings, directory, notes) -> Trajectories:
    """The checkpoint of a run directory, or walkers at their start and no records."""
    rngs = [generator(settings.seed, r, 0) for r in range(settings.walkers)]
    walkers = langevin.start(problem, np.full(settings.walkers, settings.temperature), rngs)
    accuracy = problem.evaluate(np, walkers.theta)[2] is not None
    meta = {
        "task": problem.about or {"task": problem.name},
        "md": asdict(settings),
        "accuracy": accuracy,
        "metric": "test accuracy" if accuracy else problem.names[1],
        "versions": store.versions(),
    }
    if directory is not None:
        identity = {
            "task": problem.name,
            "sampler": "md",
            "problem": problem.about,
            "parameters": problem.n_parameters,
            "md": asdict(settings),
        }
        store.open_run(directory, identity, {**(notes or {}), "versions": store.versions()})
        path = Path(directory) / FILE
        if path.exists():
            found = Trajectories.load(path)
            if found.walkers.theta.shape != (settings.walkers, problem.n_parameters):
                raise UserError(f"{path}: has other walkers than this run; delete it.")
            return found
    return Trajectories(np.empty((settings.walkers, 0, langevin.N_COLUMNS)), walkers, meta)


def _line(rows: np.ndarray, meta: dict) -> str:
    column = langevin.MEAN_ACCURACY if meta["accuracy"] else langevin.MEAN_Y
    return (
        f"train loss {rows[:, langevin.LOSS].mean():.3g}  {meta['metric']} "
        f"{rows[:, column].mean():.3f}  kinetic T / T {rows[:, langevin.KINETIC].mean():.3f}"
    )


def summary(found: Trajectories) -> list[str]:
    """A run in words: averages of its second half with 95 % intervals, and whether to trust it."""
    from scipy.special import stdtrit

    settings, averages, r = found.meta["md"], found.averages(), len(found.kept)
    factor = float(stdtrit(r - 1, 0.975)) if r > 1 else np.nan
    names = {
        "loss": "train loss",
        "ln_loss": "ln train loss",
        "accuracy": "test accuracy",
        "y": "ln test loss",
        "heat_capacity": "heat capacity (k_B)",
    }
    names.pop("y" if found.meta["accuracy"] else "accuracy")
    lines = [
        f"T = {found.temperature:g}: {r} walkers x {found.records.shape[1] * settings['record']:,}"
        " steps; means of the second half, ± 95 %"
    ]
    for name, label in names.items():
        value, error = averages[name]
        lines.append(f"  {label:<22}{value:.4g} ± {factor * error:.2g}")
    kinetic = averages["kinetic"]
    if settings["friction"] == 0:
        drift = found.energy_drift()
        lines.append(
            f"  {'energy drift':<22}{drift.value:+.2%} ± {factor * drift.error:.2%} of P T / 2 "
            "(Newtonian motion keeps its energy, not T)"
        )
        lines.append(f"  {'kinetic temperature':<22}{kinetic.value * found.temperature:.4g}")
    else:
        lines.append(f"  {'kinetic T / T':<22}{kinetic.value:.4f} ± {factor * kinetic.error:.2g}")
        if abs(kinetic.value - 1) > KINETIC_TOLERANCE + factor * np.nan_to_num(kinetic.error):
            lines.append("  the kinetic temperature is not T: lower md.dt, or let it run longer")
    for name in found.drifting():
        lines.append(f"  {name} still changes (third against last quarter): make md.steps larger")
    return lines
