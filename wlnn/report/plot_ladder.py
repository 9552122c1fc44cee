"""Panels for the rungs of ladders: exchanges, temperatures, halves. The rest is in ``plot.py``."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from wlnn.ladder.diagnostics import HOT, OVERLAP
from wlnn.landscape.landscape import Landscape

COLOURS = "#222222", "#d6006d"


def plot_rungs(landscape: Landscape, panels: Sequence[Axes]) -> None:
    """Three panels from ``meta["rungs"]``: one thin line a ladder; dashed, what is needed."""
    rungs = landscape.meta["rungs"]
    exchanges, temperatures, halves = panels
    dashed = dict(color=COLOURS[1], linestyle="--", linewidth=1.0)
    thin = dict(color=COLOURS[0], linewidth=0.8, alpha=0.5)
    for ladder in rungs["ladders"]:
        beta = np.array(ladder["beta"])
        plain = np.array(ladder["kappa"]) == 0  # in the order of beta
        if len(ladder["overlap"]) == beta.size - 1:
            exchanges.plot(beta[plain][1:], np.array(ladder["overlap"])[plain[1:]], **thin)
        warmth = np.array([np.nan if t is None else t for t in ladder["temperature"]])
        temperatures.plot(beta[plain][1:], warmth[plain][1:], **thin)
    exchanges.axhline(OVERLAP, **dashed)
    exchanges.set(ylim=(0, None), ylabel="overlap with the next rung")
    temperatures.set_ylabel("kinetic temperature")
    if np.isfinite([t for line in temperatures.lines for t in line.get_ydata()]).any():
        for bound in (1 - HOT, 1 + HOT):
            temperatures.axhline(bound, **dashed)
    else:
        where = dict(ha="center", transform=temperatures.transAxes, color="#666666")
        temperatures.text(0.5, 0.5, "Monte Carlo has no velocities", **where)
    for panel, title in ((exchanges, "overlap of neighbours"), (temperatures, "temperature")):
        panel.set_xscale("log")
        panel.set_xlabel("inverse temperature of the train loss")
        panel.set_title(title, fontsize="medium")
    difference = [np.nan if d is None else d for d in rungs["halves"]["difference"]]
    halves.plot(rungs["halves"]["x"], difference, color=COLOURS[0], linewidth=1.2)
    halves.axhline(0, **dashed)
    x_name = landscape.grid.x.name.replace("ln train loss", "ln(train loss)")
    halves.set(xlabel=x_name, ylabel="S of second - first (nats)")
    halves.set_title("halves of the run", fontsize="medium")
