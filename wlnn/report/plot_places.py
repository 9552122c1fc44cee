"""A landscape with networks on it: those that somebody trained, or the path of one training."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from wlnn.landscape.landscape import Landscape
from wlnn.landscape.places import Place
from wlnn.report.places import higher_is_better
from wlnn.report.plot import INK, plot_landscape

PATH = "#ff7f0e"


def plot_places(landscape: Landscape, places: list[Place], path: bool) -> Figure:
    """The map, and the networks as points; joined in their order where they are one ``path``."""
    axes = plot_landscape(landscape)
    x, y = (np.array([getattr(one, name) for one in places]) for name in "xy")
    if path:
        axes.plot(x, y, color="white", linewidth=2.6, zorder=4)
        axes.plot(x, y, color=PATH, linewidth=1.2, zorder=4)
    axes.plot(
        x, y, "o", color=PATH, markersize=5, markeredgecolor=INK, markeredgewidth=0.6, zorder=5,
        label="networks given",
    )  # fmt: skip
    if path:
        axes.plot(
            x[-1:], y[-1:], "*", color=PATH, markersize=13, markeredgecolor=INK,
            markeredgewidth=0.6, zorder=6, label="the last of them",
        )  # fmt: skip
    for axis, (low, high), values in (
        ("x", axes.get_xlim(), x),
        ("y", axes.get_ylim(), y),
    ):
        finite = values[np.isfinite(values)]
        if finite.size:  # a network may lie where no walker came
            room = 0.02 * (high - low)
            limits = min(low, finite.min() - room), max(high, finite.max() + room)
            getattr(axes, f"set_{axis}lim")(limits)
    corner = "lower left" if higher_is_better(landscape) else "lower right"
    axes.legend(loc=corner, fontsize="small", framealpha=0.9)
    return axes.figure
