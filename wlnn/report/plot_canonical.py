"""Pictures of motion at a temperature (Fig. 4) and of canonical averages; changes nothing."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from wlnn.base.statistics import standard_error, t_factor
from wlnn.canonical import columns
from wlnn.canonical.reweight import Averages
from wlnn.canonical.trajectories import TimeCurve, Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.report.landscape import describe
from wlnn.report.plot import INK, MAGENTA, plot_landscape
from wlnn.training.difference import on_axis

BLUE = "#1f6fb4"
METHOD_COLOURS = {
    "langevin": BLUE,
    "annealing": "#0a8f6c",
    "tempering": "#e07b00",
    "sgd": "#000000",
    "adam": "#8a8a8a",
}


def plot_md(found: Trajectories, window: tuple[float, float] | None = None) -> Figure:
    """Train loss and test quantity against time, and the latter in a window of the loss (Fig. 4).

    Means over walkers with 95 % intervals; ``window`` is of the loss, None the usual one.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> motion = wlnn.run("spiral-classify", "md", **small, steps=4000, walkers=2)
        >>> figure = wlnn.plot_md(motion)
    """
    low, high = window or found.loss_window()
    figure = Figure(figsize=(8.8, 3.5), layout="constrained")
    a, b = figure.subplots(1, 2)
    loss = found.curve(columns.LOSS)
    _line(a, loss, BLUE, "mean over walkers")
    a.axhspan(low, high, color="#999999", alpha=0.25, linewidth=0, label="loss window")
    a.set(yscale="log", ylabel="train loss")
    metric = columns.MEAN_ACCURACY if found.meta["accuracy"] else columns.MEAN_Y
    _line(b, found.curve(metric), BLUE, "all states")
    inside = found.in_window(low, high)
    b.errorbar(
        inside.steps, inside.value, _half(inside), color=MAGENTA, fmt="o",
        markersize=3.5, linewidth=0.9, label=f"train loss {low:.3g} to {high:.3g}",
    )  # fmt: skip
    b.set_ylabel(found.meta["metric"].replace("ln test loss", "ln(test loss)"))
    for ax in (a, b):
        ax.set(xscale="log", xlabel="steps")
        ax.set_xlim(left=found.meta["md"]["record"])
        ax.legend(fontsize="small", framealpha=0.9)
    settings = found.meta["md"]
    kind = "Langevin" if settings["friction"] else "Newtonian"
    figure.suptitle(
        f"{found.meta['task'].get('task', '')}: {kind} dynamics at T = {found.temperature:g}, "
        f"{len(found.kept)} walkers, seed {settings['seed']}",
        fontsize="medium",
    )
    return figure


def _line(ax, curve: TimeCurve, color: str, label: str) -> None:
    half = _half(curve)
    ax.plot(curve.steps, curve.value, color=color, linewidth=1.2, label=label)
    ax.fill_between(
        curve.steps, curve.value - half, curve.value + half, color=color, alpha=0.25, linewidth=0
    )


def _half(curve: TimeCurve) -> np.ndarray:
    """Half the 95 % interval, for points of three walkers or more; fewer say nothing about it."""
    factor = t_factor(curve.walkers)
    return np.where(curve.walkers >= 3, factor * np.nan_to_num(curve.error), 0.0)


def plot_canonical(landscape: Landscape, averages: Averages, moved=()) -> Figure:
    """<L>, the mean test quantity, F and the heat capacity over T, with 95 % intervals.

    Where the landscape does not cover T the lines are faint. ``moved`` are trajectories of
    molecular dynamics, drawn as points.
    """
    figure = Figure(figsize=(8.0, 5.4), layout="constrained")
    (a, b), (c, d) = figure.subplots(2, 2)
    T, factor = averages.temperature, landscape.t_factor()
    y_name = landscape.grid.y.name
    accuracy = "accuracy" if y_name == "test accuracy" else "y"
    panels = [
        (a, "mean train loss", "loss", "loss"),
        (b, f"mean {y_name}", "y", accuracy),
        (c, "free energy F", "free_energy", None),
        (d, "heat capacity (k_B)", "heat_capacity", "heat_capacity"),
    ]
    for ax, label, quantity, name in panels:
        value, error = averages.of(quantity)
        safe = np.where(averages.covered, value, np.nan)
        ax.plot(T, value, color=INK, linewidth=1.0, alpha=0.3)
        ax.plot(T, safe, color=INK, linewidth=1.6, label="reweighted landscape")
        half = factor * np.nan_to_num(error)
        ax.fill_between(T, safe - half, safe + half, color=INK, alpha=0.2, linewidth=0)
        points = [(run.temperature, run.averages()[name], len(run.kept)) for run in moved
                  if name and name in run.averages()]  # fmt: skip
        if points:
            _points(ax, points)
        ax.set(xscale="log", xlabel="temperature T of the train loss", ylabel=label)
        if ax is a:
            ax.set_yscale("log")
            ax.legend(fontsize="small")
    b.set_visible(bool(np.isfinite(landscape.grid.y.lo)))
    figure.suptitle(f"{describe(landscape)[0]}: canonical averages", fontsize="medium")
    return figure


def _points(ax, points) -> None:
    T, values, walkers = zip(*points, strict=True)
    factor = t_factor(walkers)
    ax.errorbar(
        T, [v.value for v in values], np.nan_to_num(factor * np.array([v.error for v in values])),
        color=MAGENTA, fmt="o", markersize=4, linewidth=1.0, label="molecular dynamics",
    )  # fmt: skip


def plot_seek(searches, metric: str, landscape: Landscape | None, title: str) -> Figure:
    """Mean path of each method in (ln L, test quantity), over the landscape if there is one.

    Lines: means over runs in bins of ln L of 0.2 that three runs or more came to; dots: where the
    runs were on average at the end, with 95 % intervals. Below, with a landscape: the lines minus
    its equilibrium curve, with 95 % intervals over runs. ``metric`` as of ``metric_for``; means of
    a smoothed accuracy are drawn on the landscape's axis.
    """

    def place(values):
        return values if landscape is None else on_axis(landscape, np.asarray(values))

    figure = Figure(figsize=(6.6, 4.6 if landscape is None else 6.4), layout="constrained")
    if landscape is None:
        ax, below = figure.subplots(), None
    else:
        ax, below = figure.subplots(2, sharex=True, height_ratios=(1.6, 1))
        plot_landscape(landscape, ax)
        known = landscape.equilibrium_accuracy()
        below.axhline(0, color=MAGENTA, linewidth=2)
        below.set(xlabel=ax.get_xlabel(), ylabel="minus equilibrium")
        ax.set_xlabel("")
    for number, search in enumerate(searches):
        color = METHOD_COLOURS[search.name]
        edges = np.arange(np.floor(search.x[np.isfinite(search.x)].min() * 5), 20) / 5
        rows = []
        for low in edges:
            values = search.near(low + 0.1, 0.1)
            if len(values) >= 3:
                half = t_factor(len(values)) * standard_error(values)
                middle = values.mean()
                rows.append((low + 0.1, *(place(middle + part) for part in (0, -half, half))))
        path = np.array(rows).reshape(-1, 4).T
        ax.plot(*path[:2], color="white", linewidth=3.0)
        ax.plot(*path[:2], color=color, linewidth=1.5, label=search.name)
        if below is not None:  # side by side, so that bars can be told apart
            inside = np.interp(path[0], known.x, known.value, np.nan, np.nan)
            bars, shifted = np.abs(path[2:] - path[1]), path[0] + 0.02 * (number - 2)
            look = {"color": color, "fmt": "o-", "markersize": 3, "linewidth": 1.0}
            below.errorbar(shifted, path[1] - inside, bars, **look)
        x, y = search.last()
        if landscape is not None and not ax.get_xlim()[0] <= x.mean() <= ax.get_xlim()[1]:
            continue  # ended outside the landscape; its path is drawn as far as the picture goes
        bars, middle = {}, place(y.mean())
        if len(x) > 1:
            factor = t_factor(len(x))
            half = factor * standard_error(y)
            sides = [[middle - place(y.mean() - half)], [place(y.mean() + half) - middle]]
            bars = {"xerr": factor * standard_error(x), "yerr": sides}
        ax.errorbar(
            x.mean(), middle, **bars, color=color, fmt="o", markersize=6,
            markeredgecolor="white", linewidth=1.2, zorder=5,
        )  # fmt: skip
    if landscape is None:
        name = {"ln-test-loss": "ln(test loss)"}.get(metric, metric.replace("-", " "))
        ax.set(xlabel="ln(train loss)", ylabel=name)
        ax.set_title(title, fontsize="medium")
    handles, labels = ax.get_legend_handles_labels()
    old = ax.get_legend()
    if old is not None:
        handles, labels = [*old.legend_handles, *handles], [
            *(text.get_text() for text in old.get_texts()), *labels,
        ]  # fmt: skip
        old.remove()
    figure.legend(
        handles, labels, fontsize="small", loc="outside upper left", ncols=3, frameon=False
    )
    return figure
