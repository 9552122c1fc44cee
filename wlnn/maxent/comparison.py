"""Networks trained by SGD against the maximum-entropy law of the same weight scale, no fit.

One row per (K, sigma): the prediction, its gradient-flow counterpart, and the trained networks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from wlnn.errors import UserError
from wlnn.maxent.flow import Flow, gradient_flow
from wlnn.maxent.observables import Measured, Units, measure, total_variation
from wlnn.maxent.theory import Solution, solve
from wlnn.maxent.training import default_schedule, train
from wlnn.maxent.workers import default_processes, over_settings

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
        row["w2_sgd"], row["w2_maxent"] = self.mean("w2"), law.w2
        row["TV(sgd,maxent)"] = total_variation(p, law.p)
        row["TV(sgd,binomial)"] = total_variation(p, law.p0)
        row["p_sgd"], row["p_maxent"] = p.tolist(), law.p.tolist()
        row["rho_sgd"], row["rho_maxent"] = self.mean("rho").tolist(), law.rho.tolist()
        return row


def train_setting(contexts, weight_scale, seed, units, batch, learning_rate, steps, input_scale):
    """Train one network (a job of :func:`compare`); returns (Measured, final loss, Units)."""
    key = (contexts, round(weight_scale * 1e6))  # the stream does not depend on the other settings
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=key))
    result = train(
        contexts,
        weight_scale,
        rng,
        units=units,
        batch=batch,
        learning_rate=learning_rate,
        steps=steps,
        input_scale=input_scale,
    )
    last = result.losses[-max(1, len(result.losses) // 10) :]
    return measure(result.units), float(last.mean()), result.units


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
    progress: Callable[[float, float], None] | None = None,
) -> list[Comparison]:
    """Train ``seeds`` networks for every (K, sigma) and set them beside the prediction.

    Training options as in :func:`wlnn.maxent.train` (None: the default schedule of sigma).
    ``processes`` defaults to the cores at hand; results do not depend on it.
    """
    if seeds < 1:
        raise UserError(f"seeds = {seeds}: train at least one network per setting.")
    settings = [(K, sigma) for K in contexts for sigma in weight_scales]
    if not settings:
        raise UserError("nothing to compare: give at least one K and one weight scale.")
    laws = [solve(K, sigma) for K, sigma in settings]  # before any training: refuses bad input
    options = (units, batch, learning_rate, steps, input_scale)
    jobs = [(K, sigma, seed, *options) for K, sigma in settings for seed in range(seeds)]
    costs = [(K + 1) * (steps or default_schedule(sigma)[1]) for K, sigma, *_ in jobs]
    trained = over_settings(
        train_setting,
        jobs,
        costs,
        processes=default_processes() if processes is None else processes,
        progress=progress,
    )
    rows = []
    for i, law in enumerate(laws):
        mine = trained[i * seeds : (i + 1) * seeds]
        measured, losses, networks = zip(*mine, strict=True)
        flow = gradient_flow(law.contexts, law.weight_scale)
        rows.append(Comparison(law, flow, measured, losses, networks[0]))
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
