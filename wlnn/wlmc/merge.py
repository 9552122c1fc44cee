"""Walkers of Monte Carlo become one landscape; those of a group share their S on the way."""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from wlnn.base import store
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import Draws, merge
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc import walker as wlmc


def merge_entropies(walkers: list[wlmc.Walker], groups: int) -> list[wlmc.Walker]:
    """Every walker of a group with the group's mean S, over those that know the bin."""
    merged = []
    size = len(walkers) // groups
    for group in range(groups):
        members = walkers[group * size : (group + 1) * size]
        known = np.array([walker.visits > 0 for walker in members])
        entropy = np.array([walker.entropy for walker in members])
        mean = np.where(known, entropy, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        merged += [walker._replace(entropy=mean.copy()) for walker in members]
    return merged


def merge_walkers(
    problem: Problem, settings: WLMCSettings, walkers: list[wlmc.Walker], draws: Draws | None
) -> Landscape:
    """The landscape of all walkers that finished a stage; groups with a common S count as one."""
    walkers = [walker for walker in walkers if walker.stage]
    size = len(walkers) // settings.groups if settings.merge_every else 1
    size = max(size, 1)
    groups = [walkers[first : first + size] for first in range(0, len(walkers), size)]
    covers = draws is not None and draws.n >= 10_000 and draws.counts.sum() == draws.n
    meta = {
        "task": problem.about or {"task": problem.name},
        "wlmc": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": problem.ln_box_volume,
        "seeds": {"seed": settings.seed, "walkers": [walker.number for walker in walkers]},
        "stages_done": [walker.stage for walker in walkers],
    }
    merged = merge(problem.grid, [wlmc.result(group) for group in groups], draws, covers, meta)
    if walkers[0].kept.size:
        merged.networks.update(_networks(problem, walkers[0]))
    return merged


def _networks(problem: Problem, walker: wlmc.Walker) -> dict[str, np.ndarray]:
    """The microstates kept: bin indices ``(m, 2)`` and parameters ``(m, P)`` in float32."""
    known = np.flatnonzero(np.isfinite(walker.kept[:, 0]))
    bins = np.stack(np.unravel_index(known, problem.grid.shape), axis=1)
    return {"bins": bins, "theta": walker.kept[known].astype(np.float32)}
