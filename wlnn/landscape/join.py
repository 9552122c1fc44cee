"""Landscapes of one task with other seeds become one, of all their walkers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape


def seeds_of(landscape: Landscape) -> list[int]:
    """The seeds of a landscape, several if it was joined."""
    seeds = landscape.meta.get("seeds", {}).get("seed", landscape.settings.get("seed"))
    return seeds if isinstance(seeds, list) else [seeds]


def join(landscapes: Sequence[Landscape], names: Sequence[str]) -> Landscape:
    """One landscape of all walkers of several runs of one problem with different seeds.

    Absolute entropies ("box", "draws") stay as they are; if any run has relative ones, all are
    aligned anew over the bins that every walker knows. ``names`` are used in sentences.

    Raises:
        UserError: another problem, grid or measure, or the same seed twice.
    """
    first = landscapes[0]
    seeds: dict[int, str] = {}
    for landscape, name in zip(landscapes, names, strict=True):
        same = landscape.meta.get("task") == first.meta.get("task")
        if not same or landscape.measure != first.measure:
            raise UserError(f"{name}: samples another problem than {names[0]}; leave it out.")
        if landscape.grid != first.grid:
            raise UserError(f"{name}: has another grid than {names[0]}; leave it out.")
        for seed in seeds_of(landscape):
            if seed in seeds:
                raise UserError(
                    f"{name}: has seed {seed} like {seeds[seed]}, so the same walkers; leave it "
                    "out, or sample with another --seed."
                )
            seeds[seed] = name
    entropies = np.concatenate([landscape.entropies for landscape in landscapes])
    gauges = {landscape.meta.get("gauge") for landscape in landscapes}
    meta = {**first.meta, "merged": list(names), "seeds": {"seed": list(seeds)}}
    meta["finished"] = all(landscape.meta.get("finished", True) for landscape in landscapes)
    if gauges <= {"box", "draws"}:
        share = [landscape.n_walkers / len(entropies) for landscape in landscapes]
        errors = [landscape.meta.get("anchor_error", 0.0) for landscape in landscapes]
        meta["anchor_error"] = float(np.hypot.reduce(np.multiply(share, errors)))
        meta["gauge"] = gauges.pop() if len(gauges) == 1 else "draws"
    elif gauges == {"mean"}:
        safe = np.all([landscape.reliable for landscape in landscapes], axis=0)
        if safe.any():
            entropies = entropies - entropies[:, safe].mean(axis=1)[:, None, None]
    else:
        common = ~np.isnan(entropies).any(axis=0)
        if common.any():
            from scipy.special import logsumexp

            entropies = entropies - logsumexp(entropies[:, common], axis=1)[:, None, None]
        meta.pop("anchor_error", None)
        meta["gauge"] = "window"
    names = set.intersection(*(set(landscape.history) for landscape in landscapes))
    history = {}
    for name in sorted(names):
        stages = min(landscape.history[name].shape[1] for landscape in landscapes)
        parts = [landscape.history[name][:, :stages] for landscape in landscapes]
        history[name] = np.concatenate(parts)
    return Landscape(
        first.grid,
        entropies,
        sum(landscape.visits for landscape in landscapes),
        np.all([landscape.reliable for landscape in landscapes], axis=0),
        meta,
        history,
        next((landscape.networks for landscape in landscapes if landscape.networks), {}),
        _mean_accuracy(landscapes),
    )


def _mean_accuracy(landscapes: Sequence[Landscape]) -> np.ndarray:
    """True accuracy of every bin over the visits of all runs; empty where y is no accuracy."""
    if not all(landscape.accuracy.size for landscape in landscapes):
        return np.zeros((0, 0))
    visits = sum(landscape.visits for landscape in landscapes)
    right = sum(np.nan_to_num(part.accuracy) * part.visits for part in landscapes)
    return np.where(visits > 0, right / np.maximum(visits, 1), np.nan)
