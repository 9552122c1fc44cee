"""The pictures of a page about runs, each for a light and for a dark screen, inside the page."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.figure import Figure

from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.overlap import Overlap, quantity
from wlnn.report import plot
from wlnn.report.plot_canonical import plot_md
from wlnn.report.plot_compare import plot_compare
from wlnn.report.plot_small import inline
from wlnn.report.plot_style import ink, styled
from wlnn.report.plot_training import plot_tuning
from wlnn.training.trained import Trained, X
from wlnn.training.tuning import Tuning

DPI = 144


class Picture(NamedTuple):
    """A picture as two addresses that hold it, and what is to be seen."""

    title: str
    light: str
    dark: str


def pictures(result) -> list[Picture]:
    """The pictures of a result."""
    if isinstance(result, Landscape):
        return [
            *([_twice("Landscape", _map, result)] if result.grid.y.n > 1 else []),
            _twice("Curves", plot_curves, result),
            _twice("Diagnostics", plot.plot_diagnostics, result),
        ]
    if isinstance(result, Trained):
        return [_twice("Curves", plot_trained, result)] if result.kept.any() else []
    if isinstance(result, Trajectories):
        return [_twice("Curves", plot_md, result)]
    if isinstance(result, Tuning):
        return [_twice("Curves", plot_tuning, result)]
    return []


def comparison(landscapes: Sequence[Landscape], names: Sequence[str], found: Overlap) -> Picture:
    """The picture of :func:`plot_compare`."""
    return _twice("Against the first", plot_compare, landscapes, names, found)


def plot_curves(landscape: Landscape) -> Figure:
    """S(x) and the equilibrium curve of a landscape with their 95 % bands."""
    said = quantity(landscape)
    figure = Figure(figsize=(9.6 if said else 4.8, 3.6), layout="constrained")
    axes = np.atleast_1d(figure.subplots(1, 2 if said else 1))
    parts = [(plot.entropy_label(landscape), landscape.marginal_entropy(), ink())]
    if said:
        parts.append((said, landscape.equilibrium_accuracy(), plot.MAGENTA))
    for ax, (label, curve, colour) in zip(axes, parts, strict=True):
        plot.draw_curve(ax, curve, landscape.t_factor(), colour, linewidth=1.6)
        plot.label_axes(ax, landscape.grid.x.name, label, "")
    return figure


def plot_trained(trained: Trained) -> Figure:
    """Every training's train loss over its epochs, and the mean curve of y with its 95 % band."""
    from wlnn.base.statistics import t_factor

    figure = Figure(figsize=(9.6, 3.6), layout="constrained")
    a, b = figure.subplots(1, 2)
    colour = ink()
    epochs = np.arange(1, trained.epochs + 1)
    a.plot(epochs, trained.metric(X).T, color=colour, linewidth=0.6, alpha=0.4)
    a.set(xlabel="epoch", ylabel="ln(train loss)")
    y = trained.meta.get("task", {}).get("y", "ln-test-loss")
    curve = trained.curve(y)
    half = np.nan_to_num(t_factor(curve.trainings) * curve.error)
    b.plot(curve.x, curve.value, color=colour, linewidth=1.4)
    low, high = curve.value - half, curve.value + half
    b.fill_between(curve.x, low, high, color=colour, alpha=0.25, linewidth=0)
    b.set(xlabel="ln(train loss)", ylabel=y.replace("-", " "))
    return figure


def _map(landscape: Landscape) -> Figure:
    return plot.plot_landscape(landscape).figure


def _twice(title: str, draw: Callable[..., Figure], *what) -> Picture:
    """The same picture for a light and for a dark screen."""
    drawn = []
    for style in ("screen", "dark"):
        with styled(style):
            drawn.append(inline(draw(*what), DPI))
    return Picture(title, *drawn)
