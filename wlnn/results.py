"""Results of runs after the event: found, joined, searched for networks.

Nothing here samples, draws pictures or knows the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn import store
from wlnn.errors import UserError
from wlnn.landscape import Landscape
from wlnn.network import network_from
from wlnn.summary import seeds_of


def find_landscape(path) -> Landscape:
    """The landscape of a run directory, in the state it is in now, or of a landscape file.

    Raises:
        UserError: neither of the two, or nothing sampled yet.
    """
    path = Path(path)
    if not path.is_dir():
        return Landscape.load(path)
    file = path / "landscape.npz"
    checkpoints = [*path.glob("walker-*.npz"), *path.glob("walkers.npz")]
    newest = max((checkpoint.stat().st_mtime for checkpoint in checkpoints), default=0.0)
    if file.exists():
        landscape = Landscape.load(file)
        if landscape.meta.get("finished", True) or file.stat().st_mtime >= newest:
            return landscape
    if not checkpoints and not (path / "run.json").exists():
        raise UserError(f"{path}: holds no landscape.npz and is no run directory.")
    from wlnn.recipe import landscape_so_far

    return landscape_so_far(path)


def join(landscapes: Sequence[Landscape], names: Sequence[str]) -> Landscape:
    """One landscape of all walkers of several runs of one problem with different seeds.

    Absolute entropies ("box", "draws") stay as they are; if any run has relative ones, all are
    aligned anew over the bins that every walker knows. ``names`` are used in sentences.

    Raises:
        UserError: another problem, grid or sampler, or the same seed twice.
    """
    first = landscapes[0]
    seeds: dict[int, str] = {}
    for landscape, name in zip(landscapes, names, strict=True):
        for what in ("task", "sampler"):
            if landscape.meta.get(what) != first.meta.get(what):
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


class Kept(NamedTuple):
    """A stored network: its x and y (the centre of its bin, where that is all that is known)."""

    x: float
    y: float  # the smoothed accuracy itself, where the axis is a function of it
    entropy: float  # S of its bin
    theta: np.ndarray  # (P,)
    accuracy: float = np.nan  # the true one, where y is a smoothed one


def nearest_networks(landscape: Landscape, x: float, y: float, count: int) -> list[Kept]:
    """Stored networks in the order of their distance from (x, y), in widths of bins.

    y is a smoothed accuracy, 0 to 1, where the landscape's axis is a function of it.

    Raises:
        UserError: none were kept, or y is no accuracy.
    """
    if not landscape.networks:
        raise UserError("no networks were kept in this run; sample it with --keep-networks.")
    axes, smoothed = landscape.grid, landscape.accuracy_axis
    if smoothed:
        if not 0 <= y <= 1:
            raise UserError(f"--at: y is the smoothed accuracy, from 0 to 1, and not {y:g}.")
        y = float(smoothed.value(np, np.float64(y)))
    bins, theta = landscape.networks["bins"], landscape.networks["theta"]
    centres = [axis.centres[index] for axis, index in zip(axes, bins.T, strict=True)]
    points = landscape.networks.get("points", np.stack([*centres, np.full(len(bins), np.nan)], 1))
    distance = np.zeros(len(bins))
    for k, (axis, value) in enumerate(zip(axes, (x, y), strict=True)):
        if np.isfinite(axis.lo):
            distance += ((points[:, k] - value) / axis.width) ** 2
    return [
        Kept(
            float(points[k, 0]),
            float(smoothed.inverse(np, points[k, 1]) if smoothed else points[k, 1]),
            float(landscape.entropy[tuple(bins[k])]),
            theta[k],
            float(points[k, 2]) if smoothed else np.nan,
        )
        for k in np.argsort(distance, kind="stable")[:count]
    ]


def export_network(landscape: Landscape, kept: Kept, path) -> Path:
    """Write a stored network: "theta" ``(P,)``, and its tensors by name where they have names."""
    arrays = {"theta": kept.theta}
    network = landscape.meta.get("task", {}).get("network", {})
    made = network_from(network)
    if made is None and network.get("family") == "context-select":
        from wlnn.maxent.context_select import ContextNetwork

        made = ContextNetwork(*(network[name] for name in ContextNetwork._fields))
    if made is not None:
        arrays |= dict(zip(made.layout.names, made.layout.views(kept.theta), strict=True))
    meta = {"kind": "network", "x": kept.x, "y": kept.y, "network": network}
    return store.save(path, arrays, meta)
