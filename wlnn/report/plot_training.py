"""Pictures of trainings against equilibrium: on the landscape, against width, and of tuning.

It looks at loaded results and changes none; colours and looks are those of ``plot.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from wlnn.canonical.advantage import compare_motion
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.report.landscape import describe
from wlnn.report.plot import INK, MAGENTA, plot_landscape
from wlnn.training.difference import (
    BETTER,
    UNDECIDED,
    WORSE,
    Difference,
    half_interval,
    in_common,
    on_axis,
    record_of,
)
from wlnn.training.trained import Trained, TrainedCurve, sign_of
from wlnn.training.tuning import Tuning

GREY = "#666666"
ENDING_COLOURS = ("#0b6fa4", "#d6006d", "#e08a00", "#3a8f3a", "#7b4fb5", "#222222")
STYLES = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))  # of several sets of trainings
VERDICT_COLOURS = {BETTER: MAGENTA, UNDECIDED: GREY, WORSE: INK}


def plot_advantage(
    landscape: Landscape,
    trained: Sequence[Trained],
    until: int | None = None,
    axes: tuple[Axes, Axes] | None = None,
    motions: Sequence[Trajectories] = (),
) -> Figure:
    """The landscape in colour, equilibrium in magenta, trained curves in black; below, differences.

    Bands and bars are 95 % intervals. Dots below are magenta where the equilibrium networks are
    better, black where they are worse, grey where 95 % do not decide. Several sets of trainings
    that make one baseline (``best_of``) are one curve. ``motions``: white dots, see
    :func:`plot_motions`.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> figure = wlnn.plot_advantage(landscape, [trained])
        >>> wlnn.save_picture(figure, "advantage.png").exists()
        True
    """
    own = axes is None
    if own:
        axes = _two_axes()
    upper, lower = axes
    plot_landscape(landscape, upper)
    record, limits = record_of(landscape), upper.get_ylim()
    handles = []
    for one, style in zip(trained, STYLES * len(trained), strict=False):
        _trained_curve(upper, one.until(until).curve(record), style, partial(on_axis, landscape))
        sets = f", best of {len(one.parts)}" if len(one.parts) > 1 else ""
        label = f"trained: {one.words}" if len(trained) > 1 else f"trained{sets}"
        handles.append(_black(style, label))
        found = in_common(landscape, one, until=until)
        _differences(lower, found, style if len(trained) > 1 else "none")
        if motions:
            _differences(lower, compare_motion(motions, one, until), "none", "D")
    upper.set_ylim(limits)
    if motions:
        handles.append(_points(upper, motions))
    legend = upper.get_legend()
    known = [*legend.legend_handles]
    for handle, text in zip(known, legend.get_texts(), strict=True):
        handle.set_label(text.get_text())
    look = {"handles": [known[0], *handles, *known[1:]], "fontsize": "x-small"}
    if own:
        legend.remove()
        upper.figure.legend(**look, loc="outside upper left", ncols=2, frameon=False)
    else:
        upper.legend(**look, loc="lower left" if record != "ln-test-loss" else "best")
    _below(lower, upper.get_xlabel(), record)
    upper.set_xlabel("")
    if own:
        _notes(upper.figure, [describe(landscape)[1]], motions, trained, until)
    return upper.figure


def plot_motions(
    motions: Sequence[Trajectories], trained: Sequence[Trained], until: int | None = None
) -> Figure:
    """Equilibrium states of some temperatures (dots) and trained curves; below, differences.

    Bars are 95 % intervals over walkers, those of ln L included; colours as of
    :func:`plot_advantage`, hollow what is not reliable.
    """
    upper, lower = _two_axes()
    record = motions[0].record
    handles = []
    for one, style in zip(trained, STYLES * len(trained), strict=False):
        _trained_curve(upper, one.until(until).curve(record), style)
        handles.append(_black(style, f"trained: {one.words}"))
        _differences(lower, compare_motion(motions, one, until), style, "D")
    handles.append(_points(upper, motions))
    upper.legend(handles=handles, fontsize="x-small")
    upper.set_ylabel(record.replace("-", " "))
    task = motions[0].meta["task"]
    upper.set_title(f"{task['task']}, {task['parameters']} parameters")
    left = min(run.averages()["ln_loss"].value for run in motions) - 1.5
    upper.set_xlim(left=max(left, upper.get_xlim()[0]))  # trainings may end far below
    _below(lower, "ln(train loss)", record)
    _notes(upper.figure, [], motions, trained, until)
    return upper.figure


def _two_axes() -> tuple[Axes, Axes]:
    figure = Figure(figsize=(6.4, 6.4), layout="constrained")
    return tuple(figure.subplots(2, 1, sharex=True, height_ratios=(2.4, 1)))


def _below(lower: Axes, x_label: str, record: str) -> None:
    lower.axhline(0, color=INK, linewidth=0.8)
    lower.set(xlabel=x_label, ylabel="equilibrium\nminus trained")
    words = f"equilibrium better: {_better(record)}"
    lower.set_title(words, fontsize="x-small", loc="right", color=GREY)


def _better(record: str) -> str:
    return "up" if sign_of(record) > 0 else "down"


def _points(ax: Axes, motions: Sequence[Trajectories]) -> Line2D:
    """Mean (ln train loss, test quantity) of every run with 95 % intervals over its walkers."""
    for run in motions:
        averages, r = run.averages(), len(run.kept)
        x, y = averages["ln_loss"], averages["accuracy" if run.meta["accuracy"] else "y"]
        factor = float(half_interval(1.0, r, 0.0, 2)) if r > 1 else 0.0
        bars = factor * np.nan_to_num([[y.error], [x.error]])
        ax.errorbar(
            x.value, y.value, *bars, fmt="D", color=MAGENTA, markeredgecolor="white", markersize=6,
            linewidth=1.2,
        )  # fmt: skip
    look = {"color": MAGENTA, "markeredgecolor": "white", "marker": "D", "linestyle": "none"}
    return Line2D([], [], **look, label="motion at a temperature")


def _black(style, label: str) -> Line2D:
    return Line2D([], [], color="black", linewidth=1.8, linestyle=style, label=label)


def _notes(figure: Figure, lines: list[str], motions, trained, until: int | None) -> None:
    """What was run, below the picture."""
    for run in motions:
        steps = run.records.shape[1] * run.meta["md"]["record"]
        walkers = f"{len(run.kept)} walkers × {steps:,} steps"
        lines.append(f"motion at T = {run.temperature:g}: {walkers}")
    for part in (part for one in trained for part in one.parts):
        epochs = part.epochs if until is None else until
        lines.append(f"{part.kept.sum()} trainings × {epochs} epochs, {part.words}")
    figure.supxlabel("\n".join(lines), fontsize="x-small", color=GREY, x=0.99, ha="right")


def _trained_curve(ax: Axes, curve: TrainedCurve, style, place=lambda values: values) -> None:
    with np.errstate(invalid="ignore"):
        half = np.nan_to_num(half_interval(curve.error, curve.trainings, 0.0, 2))
    band = (curve.value - half, curve.value, curve.value + half)
    low, value, high = map(place, band)
    safe = curve.reliable
    ax.fill_between(curve.x[safe], low[safe], high[safe], color="black", alpha=0.2, linewidth=0)
    ax.plot(curve.x, value, color="white", linewidth=3.4, alpha=0.7)
    ax.plot(curve.x, value, color="black", linewidth=1.8, linestyle=style, alpha=0.35)
    ax.plot(curve.x[safe], value[safe], color="black", linewidth=1.8, linestyle=style)


def _differences(ax: Axes, found: Difference, style, marker: str = "o") -> None:
    order = np.argsort(found.x)
    ax.plot(found.x[order], found.difference[order], color=GREY, linewidth=0.8, linestyle=style)
    for verdict, colour in VERDICT_COLOURS.items():
        for safe, alpha in ((True, 1.0), (False, 0.35)):
            chosen = (found.verdict == verdict) & (found.reliable == safe)
            if chosen.any():
                points = found.x[chosen], found.difference[chosen]
                look = {"fmt": marker, "markersize": 3 if marker == "o" else 4, "linewidth": 0.9}
                half = np.nan_to_num(found.half[chosen])
                ax.errorbar(*points, half, color=colour, alpha=alpha, **look)


def plot_widths(
    pairs: Sequence[tuple[Landscape, Sequence[Trained]]], until: int | None = None
) -> Figure:
    """One column per network: landscape and curves above, differences below (Figs. 3, 7, 8, 9).

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> figure = wlnn.plot_widths([(landscape, [trained])])
    """
    figure = Figure(figsize=(4.6 * len(pairs) + 0.4, 5.8), layout="constrained")
    axes = figure.subplots(2, len(pairs), squeeze=False, sharex="col", height_ratios=(2.4, 1))
    for (landscape, trained), column in zip(pairs, axes.T, strict=True):
        plot_advantage(landscape, trained, until, tuple(column))
    return figure


def plot_endings(points: Sequence[tuple[str, Difference]], record: str) -> Figure:
    """Equilibrium against trained at the loss where training ends, one point a network (Fig. 1(b)).

    Bars are standard errors of each side; above the diagonal equilibrium is higher.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> endings = wlnn.by_network([(landscape, [trained])])
        >>> points = [(network, ending) for network, _, _, ending in endings]
        >>> figure = wlnn.plot_endings(points, "test-accuracy")
    """
    figure = Figure(figsize=(4.6, 4.6), layout="constrained")
    ax = figure.subplots()
    values = np.array([(one.trained, one.equilibrium) for _, one in points])
    errors = np.nan_to_num([(one.trained_error, one.equilibrium_error) for _, one in points])
    low, high = (values - errors).min(axis=0), (values + errors).max(axis=0)
    margin = 0.06 * (high - low).max() + 1e-3
    wide = max((max(high) - min(low)) / 4, (high[0] - low[0]) / 2) + margin
    ax.set(xlim=np.mean([low[0], high[0]]) + np.array([-wide, wide]), aspect="equal")
    ax.set_ylim(min(low) - margin, max(high) + margin)
    ax.axline((0, 0), slope=1, color=GREY, linewidth=0.8, label="no difference")
    networks = list(dict.fromkeys(name.partition(",")[0] for name, _ in points))
    lengths = list(dict.fromkeys(name.partition(",")[2] for name, _ in points))
    for (name, one), bars in zip(points, errors, strict=True):
        network, _, length = name.partition(",")
        k, shade = networks.index(network), lengths.index(length) / len(lengths)
        colour = ENDING_COLOURS[k % len(ENDING_COLOURS)]
        look = {
            "fmt": "osD^vP"[k % 6],
            "color": colour,
            "markersize": 6,
            "linewidth": 0.9,
            "mew": 1.2,
        }
        look["markeredgecolor"] = colour
        look["markerfacecolor"] = (*to_rgb(colour), shade)  # what coincides shines through
        ax.errorbar(one.trained, one.equilibrium, *bars[::-1], **look, label=name)
    unit = record.replace("-", " ")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set(xlabel=f"trained: {unit}", ylabel=f"equilibrium at the same train loss: {unit}")
    ax.legend(loc="center left", bbox_to_anchor=(1.02, 0.5), fontsize="small", frameon=False)
    return figure


def plot_differences(points: Sequence[tuple[int, Difference]], record: str) -> Figure:
    """Equilibrium minus trained where training ends, against the number of parameters.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> endings = wlnn.by_network([(landscape, [trained])])
        >>> points = [(parameters, ending) for _, parameters, _, ending in endings]
        >>> figure = wlnn.plot_differences(points, "test-accuracy")
    """
    figure = Figure(figsize=(5.2, 3.6), layout="constrained")
    ax = figure.subplots()
    ax.axhline(0, color=INK, linewidth=0.8)
    for parameters, one in points:
        look = {"fmt": "o", "color": VERDICT_COLOURS[int(one.verdict)], "linewidth": 1.0}
        ax.errorbar(parameters, one.difference, np.nan_to_num(one.half), **look)
    if len({parameters for parameters, _ in points}) > 1:
        ax.set_xscale("log")
    ax.set_xlabel("parameters")
    words = f"equilibrium minus trained ({_better(record)} is better)"
    ax.set_ylabel(f"{record.replace('-', ' ')}:\n{words}")
    return figure


def plot_tuning(tuning: Tuning) -> Figure:
    """Best mean test metric over rate and batch size; a cross where a training diverged."""
    figure = Figure(figsize=(5.6, 3.8), layout="constrained")
    ax = figure.subplots()
    columns = tuning.columns
    for k, batch in enumerate(np.unique(columns["batch_size"])):
        chosen = columns["batch_size"] == batch
        words = f"batch {batch:.0f}" if batch else "all rows"
        rate, value = columns["learning_rate"][chosen], columns["best"][chosen]
        colour = f"C{k}"
        bars = np.nan_to_num(columns["best_error"][chosen])
        ax.errorbar(rate, value, bars, fmt="o-", markersize=3.5, color=colour, label=words)
        lost = columns["diverged"][chosen] > 0
        ax.plot(rate[lost], value[lost], "x", color=colour, markersize=9)
    chosen = columns["learning_rate"][tuning.best], columns["best"][tuning.best]
    ax.plot(*chosen, "o", ms=11, markerfacecolor="none", color=MAGENTA, label="chosen")
    ax.set(xscale="log", xlabel="learning rate")
    ax.set_ylabel(f"{tuning.meta['y'].replace('-', ' ')} at the best epoch")
    ax.set_title(f"better: {_better(tuning.meta['y'])}", fontsize="x-small", loc="right")
    figure.legend(fontsize="x-small", loc="outside upper left", ncols=4, frameon=False)
    return figure
