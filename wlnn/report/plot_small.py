"""Small pictures of results for notebooks, as addresses that hold the whole picture.

What is worth a page has pictures of its own (`plot.py` and its neighbours).
"""

from __future__ import annotations

import base64
import io
import time

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wlnn.base.errors import UserError
from wlnn.canonical import columns
from wlnn.canonical.trajectories import TimeCurve, Trajectories
from wlnn.landscape.landscape import Curve, Landscape
from wlnn.report.plot import ENTROPY_COLOURS, INK, MAGENTA
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task
from wlnn.training.trained import Trained, TrainedCurve, X

DRAWS, SECONDS = 300, 0.3  # most uniform points of a problem, and most time for them


def picture(thing) -> str:
    """A picture of a result as a "data:" address; empty where there is nothing to draw."""
    figure = Figure(figsize=(3.0, 2.1), layout="constrained")
    ax = figure.subplots()
    ax.tick_params(labelsize=7)
    draw = next(draw for kind, draw in _DRAWN.items() if isinstance(thing, kind))
    if not draw(ax, thing):
        return ""
    ax.xaxis.label.set_size(8)
    ax.yaxis.label.set_size(8)
    return inline(figure, 110)


def inline(figure: Figure, dpi: int) -> str:
    """A figure as the address of a PNG that is inside the address."""
    file = io.BytesIO()
    figure.savefig(file, format="png", dpi=dpi)
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode()}"


def _landscape(ax: Axes, thing: Landscape) -> bool:
    x, y = thing.grid
    if np.isnan(thing.entropy).all():
        return False
    if not np.isfinite(y.lo):
        return _curve(ax, thing.marginal_entropy(), (x.name, "S (nats)"))
    ax.pcolormesh(x.edges, y.edges, thing.entropy.T, cmap=ENTROPY_COLOURS, rasterized=True)
    if thing.accuracy_axis is None:
        ax.plot(x.centres, thing.equilibrium_accuracy().value, color=MAGENTA, linewidth=1.2)
    ax.set(xlabel=x.name, ylabel=y.name)
    return True


def _curve(ax: Axes, thing, names=("x", "value")) -> bool:
    along = thing.steps if isinstance(thing, TimeCurve) else thing.x
    error = np.nan_to_num(thing.error)
    ax.plot(along, thing.value, color=INK, linewidth=1.0)
    low, high = thing.value - error, thing.value + error
    ax.fill_between(along, low, high, color=MAGENTA, alpha=0.3, linewidth=0)
    if isinstance(thing, TimeCurve):
        ax.set_xscale("log")
        names = ("steps", "value")
    ax.set(xlabel=names[0], ylabel=names[1])
    return bool(np.isfinite(thing.value).any())


def _task(ax: Axes, thing: Task) -> bool:
    """Training points over the first two inputs, or the first image; colour is the target."""
    x, y = thing.data.x_train, thing.data.y_train
    if x.ndim == 4:
        ax.imshow(x[0].mean(axis=0), cmap="gray")
        ax.set(xticks=[], yticks=[], xlabel=f"first training image, target {y[0]:g}")
        return True
    across = x[:, 1] if x.shape[1] > 1 else y
    ax.scatter(x[:, 0], across, c=y, s=8, cmap="cividis")
    ax.set(xlabel="input 1", ylabel="input 2" if x.shape[1] > 1 else "target")
    return True


def _problem(ax: Axes, thing: Problem) -> bool:
    """x and y of some uniform points of the box, as many as a moment allows."""
    rng, until, found = np.random.default_rng(0), time.monotonic() + SECONDS, []
    try:
        while len(found) < DRAWS and (not found or time.monotonic() < until):
            found.append(thing.observe(thing.draw(rng)))
    except Exception:  # a function of the user's, who is only looking
        return False
    x, y = np.array(found, dtype=float).T
    ax.scatter(x, y, s=5, color=INK, alpha=0.5)
    ax.set(xlabel=thing.names[0], ylabel=thing.names[1])
    law = "draws of the prior" if thing.sigma.size else "uniform points of the box"
    ax.set_title(f"{len(found)} {law}", fontsize=8)
    return True


def _trained(ax: Axes, thing: Trained) -> bool:
    """Loss of every training over its epochs."""
    if not thing.kept.any():
        return False
    ax.plot(np.arange(1, thing.epochs + 1), thing.metric(X).T, color=INK, linewidth=0.5, alpha=0.4)
    ax.set(xlabel="epoch", ylabel="ln train loss")
    return True


def _motion(ax: Axes, thing: Trajectories) -> bool:
    try:
        return _curve(ax, thing.curve(columns.LOSS))
    except (UserError, ValueError):  # nothing recorded yet
        return False


_DRAWN = {
    Landscape: _landscape,
    (Curve, TrainedCurve, TimeCurve): _curve,
    Task: _task,
    Problem: _problem,
    Trained: _trained,
    Trajectories: _motion,
}
