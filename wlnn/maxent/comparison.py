"""Networks trained by SGD against the maximum-entropy law of the same weight scale, no fit.

One row per (K, sigma): the prediction, its gradient-flow counterpart, and the trained networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.pool import over_settings
from wlnn.base.streams import generator
from wlnn.base.workers import default_processes
from wlnn.maxent.flow import Flow, gradient_flow
from wlnn.maxent.observables import Measured, measure, total_variation
from wlnn.maxent.theory import Solution, solve
from wlnn.maxent.training import TrainedUnits, default_schedule, train
from wlnn.networks.context import Units

COMPARED = ("c_g", "rho_bar")


@dataclass(frozen=True)
class Comparison:
    """One setting: the law, the flow of frozen gains, and the networks trained with each seed.

    ``units`` is the network of the first seed; ``losses`` the final loss of each, averaged over
    the last tenth of the steps.
    """

    law: Solution
    flow: Flow
    trained: tuple[Measured, ...]
    losses: tuple[float, ...]
    units: Units

    def mean(self, name: str):
        """Average of an observable over seeds (of those that have it)."""
        values = np.array([getattr(one, name) for one in self.trained])
        known = np.isfinite(values)
        total = np.where(known, values, 0).sum(0)
        count = known.sum(0)
        mean = np.where(count > 0, total / np.maximum(count, 1), np.nan)
        return mean if mean.ndim else float(mean)

    def record(self) -> dict:
        """One row of the table: trained, predicted, and the distance of their populations."""
        law, p = self.law, self.mean("p")
        row = {"K": law.contexts, "sigma": law.weight_scale, "seeds": len(self.trained)}
        row["loss_sgd"] = float(np.mean(self.losses))
        for name in COMPARED:
            row[f"{name}_sgd"], row[f"{name}_maxent"] = self.mean(name), getattr(law, name)
        row["rho_bar_flow"] = self.flow.rho_bar
        row["R2_sgd"], row["R2_maxent"] = self.mean("R2"), law.R2
        row["frac_m_sgd"], row["frac_m_maxent"] = self.mean("frac_m"), law.frac_m
        row["w2_sgd"], row["w2_maxent"] = self.mean("w2"), law.w2
        row["TV(sgd,maxent)"] = total_variation(p, law.p)
        row["TV(sgd,binomial)"] = total_variation(p, law.p0)
        row["p_sgd"], row["p_maxent"] = p.tolist(), law.p.tolist()
        row["rho_sgd"], row["rho_maxent"] = self.mean("rho").tolist(), law.rho.tolist()
        return row


class Job(NamedTuple):
    """One network to train: everything that its weights depend on."""

    contexts: int
    weight_scale: float
    seed: int
    units: int
    batch: int
    learning_rate: float
    steps: int
    input_scale: float

    @property
    def cost(self) -> float:
        """Work of the training, in units that only their ratios give a meaning."""
        return (self.contexts + 1) * self.steps * self.units * self.batch

    def file_in(self, directory: Path) -> Path:
        """Where the trained network is kept."""
        return directory / f"K{self.contexts}-sigma{self.weight_scale:.12g}-seed{self.seed}.npz"

    def run(self, directory: Path | None) -> TrainedUnits:
        """Train the network; keep it in ``directory`` if there is one."""
        # the stream does not depend on the other settings
        key = (self.contexts, round(self.weight_scale * 1e6))
        rng = generator(self.seed, *key)
        options = self._asdict()
        contexts, sigma, _ = (options.pop(name) for name in ("contexts", "weight_scale", "seed"))
        result = train(contexts, sigma, rng, **options)
        if directory is not None:
            arrays = {**result.units._asdict(), "losses": result.losses}
            store.save(self.file_in(directory), arrays, {"kind": "network", **self._asdict()})
        return result

    def kept(self, directory: Path | None) -> TrainedUnits | None:
        """The network that an earlier call left in ``directory``, or None.

        Raises:
            UserError: a damaged file, or a network trained in another way.
        """
        if directory is None or not (path := self.file_in(directory)).exists():
            return None
        arrays, meta = store.load(path)
        for name, value in self._asdict().items():
            if meta.get(name) != value:
                raise UserError(
                    f"{path}: was trained with {name} = {meta.get(name)}, not {value}; choose "
                    "another folder."
                )
        return TrainedUnits(Units(arrays["w"], arrays["m"], arrays["a"]), arrays["losses"])


def run_job(job: Job, directory: Path | None) -> TrainedUnits:
    """:meth:`Job.run` as a function that worker processes can import."""
    return job.run(directory)


def compare(
    contexts: Iterable[int],
    weight_scales: Iterable[float],
    *,
    seeds: int = 2,
    units: int = 1500,
    batch: int = 64,
    learning_rate: float | None = None,
    steps: int | None = None,
    input_scale: float = 1.0,
    processes: int | None = None,
    directory: Path | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> list[Comparison]:
    """Train ``seeds`` networks for every (K, sigma) and set them beside the prediction.

    Training options as in :func:`wlnn.maxent.train` (None: the default schedule of sigma).
    ``processes`` defaults to the cores at hand; results do not depend on it. Every network is kept
    in ``directory`` as soon as it is trained, and a later call trains only those not found there.

    Raises:
        UserError: no settings, impossible ones, or a directory with networks trained in another
            way.
    """
    if seeds < 1:
        raise UserError(f"seeds = {seeds}: train at least one network per setting.")
    contexts, weight_scales = list(contexts), list(weight_scales)
    settings = [(K, sigma) for K in contexts for sigma in weight_scales]
    if not settings:
        raise UserError("nothing to compare: give at least one K and one weight scale.")
    laws = [solve(K, sigma) for K, sigma in settings]  # before any training: refuses bad input
    jobs = []
    for K, sigma in settings:
        rate, length = default_schedule(sigma)
        rate = rate if learning_rate is None else float(learning_rate)
        length = length if steps is None else steps
        for seed in range(seeds):
            jobs.append(Job(K, float(sigma), seed, units, batch, rate, length, float(input_scale)))
    trained = {job: job.kept(directory) for job in jobs}
    missing = [job for job in jobs if trained[job] is None]
    found = over_settings(
        run_job,
        [(job, directory) for job in missing],
        [job.cost for job in missing],
        processes=default_processes() if processes is None else processes,
        progress=progress,
    )
    trained |= dict(zip(missing, found, strict=True))
    rows = []
    for i, law in enumerate(laws):
        mine = [trained[job] for job in jobs[i * seeds : (i + 1) * seeds]]
        last = [result.losses[-max(1, len(result.losses) // 10) :] for result in mine]
        rows.append(
            Comparison(
                law,
                gradient_flow(law.contexts, law.weight_scale),
                tuple(measure(result.units) for result in mine),
                tuple(float(losses.mean()) for losses in last),
                mine[0].units,
            )
        )
    return rows


def agreement(rows: list[Comparison]) -> dict:
    """Pearson correlation, slope of SGD against the law and rms difference, of c_g and rho_bar.

    Values are None with fewer than three settings. K = 1 has no c_g and is left out of it.
    """
    result = {}
    for name in COMPARED:
        pairs = np.array([(getattr(row.law, name), row.mean(name)) for row in rows], float)
        pairs = pairs[np.isfinite(pairs).all(1)]
        summary = {"settings": len(pairs), "pearson": None, "slope": None, "rms": None}
        if len(pairs) >= 3 and (np.ptp(pairs, axis=0) > 0).all():
            law, sgd = pairs.T
            summary["pearson"] = float(np.corrcoef(law, sgd)[0, 1])
            summary["slope"] = float(np.polyfit(law, sgd, 1)[0])
            summary["rms"] = float(np.sqrt(np.mean((sgd - law) ** 2)))
        result[name] = summary
    return result
