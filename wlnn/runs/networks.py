"""The networks that a run kept, one of every macrostate: nearest to a point, and out to a file."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.networks.images import network_from


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
    """Write a stored network: "theta" ``(P,)``, and its tensors by name where they have names.

    A pt file has the tensors alone, as ``load_state_dict`` takes them.

    Raises:
        UserError: a pt file without PyTorch, or of a network whose tensors have no names.
    """
    arrays = {"theta": kept.theta}
    network = landscape.meta.get("task", {}).get("network", {})
    made = network_from(network)
    if made is None and network.get("family") == "context-select":
        from wlnn.networks.context import ContextNetwork

        made = ContextNetwork(*(network[name] for name in ContextNetwork._fields))
    if made is not None:
        arrays |= dict(zip(made.layout.names, made.layout.views(kept.theta), strict=True))
    if Path(path).suffix in (".pt", ".pth"):
        from wlnn.torch import save_state_dict

        if made is None:
            raise UserError(f"{path}: this network's tensors have no names; give an npz file.")
        return save_state_dict(path, {name: arrays[name] for name in made.layout.names})
    meta = {"kind": "network", "x": kept.x, "y": kept.y, "network": network}
    return store.save(path, arrays, meta)
