"""Picture of several landscapes on one axis: both curves, and their differences in errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wlnn.base.statistics import t_factor
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.overlap import Common, Overlap, quantity
from wlnn.report.compare import letters
from wlnn.report.plot_style import COLOURS, ink

STROKES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def plot_compare(landscapes: Sequence[Landscape], names: Sequence[str], found: Overlap) -> Figure:
    """S(x) and the equilibrium curve of all with 95 % bands, below them differences from the first.

    Differences are in standard errors; the grey band is 2 of them wide to each side.
    """
    parts = [("entropy S of a row (nats)", found.entropy)]
    if found.mean is not None:
        parts.append((quantity(landscapes[0]), found.mean))
    figure = Figure(figsize=(5.2 * len(parts), 5.6), layout="constrained")
    axes = figure.subplots(
        2, len(parts), sharex=True, squeeze=False, gridspec_kw={"height_ratios": (2, 1)}
    )
    said = letters(len(names))
    colours = (ink(), *COLOURS)
    for (upper, lower), (words, curve) in zip(axes.T, parts, strict=True):
        for k, letter in enumerate(said):
            style = {"color": colours[k % len(colours)], "linestyle": STROKES[k % len(STROKES)]}
            _band(upper, found, curve, k, f"{letter}  {names[k]}", style)
            if k:
                difference, error = curve.minus_first(k)
                known = (error > 0) & np.isfinite(difference)
                z = np.where(known, difference / np.where(known, error, 1.0), np.nan)
                lower.plot(found.x, z, marker="o", markersize=3, linewidth=0.8, **style)
        lower.axhspan(-2, 2, color="#999999", alpha=0.2, linewidth=0)
        lower.axhline(0, color=ink(), linewidth=0.8)
        x_name = landscapes[0].grid.x.name.replace("ln train loss", "ln(train loss)")
        lower.set(xlabel=x_name, ylabel="minus A\n(standard errors)")
        upper.set_ylabel(words.replace("ln test loss", "ln(test loss)"))
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", fontsize="small", frameon=False, ncols=2
    )
    figure.supxlabel(
        "bands: 95 %; pale: not reliable", fontsize="x-small", color="#666666",
        x=0.99, ha="right",
    )  # fmt: skip
    return figure


def _band(ax: Axes, found: Overlap, curve: Common, k: int, label: str, style: dict) -> None:
    """One curve, pale where it is not reliable, with its 95 % band."""
    value, half = curve.value[k], float(t_factor(curve.walkers[k])) * curve.error[k]
    safe = np.where(found.reliable[k], value, np.nan)
    ax.plot(found.x, value, linewidth=1.2, alpha=0.35, **style)
    ax.plot(found.x, safe, linewidth=1.5, label=label, **style)
    low, high = safe - half, safe + half
    ax.fill_between(found.x, low, high, color=style["color"], alpha=0.2, linewidth=0)
