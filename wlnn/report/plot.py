"""Pictures of a landscape: the only file that draws. It looks at loaded results and changes none.

Figures are made without pyplot, so that no window opens and no global state is touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from textwrap import wrap

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Curve, Landscape
from wlnn.landscape.verdict import verdict_of
from wlnn.report import plot_style
from wlnn.report.landscape import describe, unit_name
from wlnn.report.plot_ladder import plot_rungs

MAGENTA = "#d6006d"
INK = "#222222"  # on a map of S; elsewhere the colour of text, which a style may change
ENTROPY_COLOURS = "viridis"
# of a smoothed accuracy, the most wanted first
ACCURACIES = (0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.2, 0.8, 0.05, 0.95, 0.3, 0.7, 0.4, 0.6)
CONTOURS = (-8, -4, -2, -1)  # nats
FORMATS = ("png", "pdf", "svg")
MOST_PIXELS = 1200  # of an image in a picture, along either axis: what 200 dpi have room for
PALE = 115  # opacity, of 255, of bins that are not reliable


def plot_landscape(
    landscape: Landscape,
    ax: Axes | None = None,
    per: tuple[str, str] = ("bin", "bin"),
    contours: bool = False,
) -> Axes:
    """S in colour over x and y, with the equilibrium and the max-entropy curve (Fig. 1(a)).

    Bins never visited are white; bins that are not reliable are pale, and their S does not stretch
    the colours. The band is the 95 % interval of the equilibrium curve over walkers. ``per`` holds
    the units of S along x and y, see ``Landscape.rescaled``; the curves do not depend on them.
    ``contours`` draws where S lies 1, 2, 4, 8 nats below the highest S of its x. In a figure of its
    own the legend stands beside the axes, never on them.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> axes = wlnn.plot_landscape(landscape)
        >>> axes.figure.savefig("landscape.pdf")
    """
    own = ax is None
    if own:
        ax = Figure(figsize=(6.4, 4.6), layout="constrained").subplots()
    x, y = landscape.grid.x, landscape.grid.y
    if not np.isfinite(y.lo):
        raise UserError("this landscape has a single y bin; plot its diagnostics (S over x).")
    entropy = landscape.rescaled(*per)
    bar = ax.figure.colorbar(_image(ax, landscape, entropy), ax=ax, pad=0.02)
    bar.set_label(entropy_label(landscape, per))
    bar.outline.set_linewidth(0.6)
    highest = landscape.max_entropy_curve()
    smoothed = landscape.accuracy_axis
    placed = {}
    if smoothed:  # an interval may reach beyond 0 or 1
        placed = {"place": lambda value: smoothed.value(np, np.clip(value, 0, 1))}
    draw_curve(ax, highest, 0, "white", linestyle="-", linewidth=2.2, **placed)
    draw_curve(ax, highest, 0, INK, linestyle=(0, (4, 2)), linewidth=1.0, **placed)
    equilibrium = landscape.equilibrium_accuracy()
    draw_curve(ax, equilibrium, landscape.t_factor(), MAGENTA, linewidth=1.8, **placed)
    shown = ~np.isnan(entropy)
    if contours:
        _contours(ax, landscape, entropy)
    if shown.any():
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        ax.set_xlim(x.edges[rows[0]] - x.width, x.edges[rows[-1] + 1] + x.width)
        ax.set_ylim(y.edges[columns[0]] - y.width, y.edges[columns[-1] + 1] + y.width)
    handles = [
        Line2D([], [], color=MAGENTA, linewidth=1.8, label=f"equilibrium {_quantity(landscape)}"),
        Line2D([], [], color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label="maximum entropy"),
    ]
    if np.isfinite(equilibrium.error[equilibrium.reliable]).any():
        handles.insert(1, Patch(facecolor=MAGENTA, alpha=0.3, label="95 % interval"))
    if (~landscape.reliable & shown).any():
        tables = landscape.unit == "table"
        words = "at an edge or wall" if tables else "not reliable"
        words = "no number: ladders differ" if landscape.contradicts_itself else words
        handles.append(Patch(facecolor="#b9c6cf", label=words))
    look = {"handles": handles, "fontsize": "small"}
    if own:
        ax.figure.legend(**look, loc="outside upper left", ncols=2, frameon=False)
    else:  # no network is bad on low losses
        corner = "best" if y.name.startswith("ln") else "lower left"
        ax.legend(**look, loc=corner, framealpha=0.9)
    label_axes(ax, x.name, _y_name(landscape), describe(landscape)[0])
    if smoothed:
        _accuracy_ticks(ax, smoothed)
    if own:
        _provenance(ax.figure, landscape)
    return ax


def _limits(landscape: Landscape, entropy: np.ndarray) -> dict[str, float]:
    """Ends of the colours: those of the reliable bins, of all where there is none."""
    for among in (landscape.reliable, np.ones(entropy.shape, bool)):
        known = entropy[among & ~np.isnan(entropy)]
        if known.size:
            return {"vmin": known.min(), "vmax": known.max()}
    return {}


def _contours(ax: Axes, landscape: Landscape, entropy: np.ndarray) -> None:
    """Where S lies some nats below the highest S of its x: how narrow the typical networks are."""
    known = ~np.isnan(entropy)
    highest = np.where(known, entropy, -np.inf).max(axis=1, keepdims=True)
    below = np.ma.masked_invalid(np.where(known, entropy - highest, np.nan)).T
    if min(below.shape) < 2 or not known.any():
        return
    x, y = landscape.grid.x.centres, landscape.grid.y.centres
    drawn = ax.contour(x, y, below, CONTOURS, colors="white", linewidths=0.7, linestyles="solid")
    ax.clabel(drawn, fmt="%g", fontsize="x-small")


def plot_diagnostics(landscape: Landscape) -> Figure:
    """Six panels: S(x), equilibrium curve, visits of rows; ln f, round trips, acceptance by steps.

    Of molecular dynamics f, and the kinetic temperature beside the one expected (dashed); of
    ladders exchanges, temperatures and the difference of the halves. Bands and bars are 95 %
    intervals over walkers; thin lines are single walkers.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> len(wlnn.plot_diagnostics(landscape).axes)
        6
    """
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    factor = landscape.t_factor()
    x, y = landscape.grid.x, landscape.grid.y

    ink = plot_style.ink()
    draw_curve(a, landscape.marginal_entropy(), factor, ink)
    label_axes(a, x.name, entropy_label(landscape), "entropy of x")

    if np.isfinite(y.lo):
        curve = landscape.equilibrium_accuracy()
        bars = dict(color=MAGENTA, fmt=".", markersize=3, linewidth=0.8)
        some = slice(None, None, max(1, x.n // 60))  # more bars could not be told apart
        half = np.nan_to_num(factor * curve.error)[some]
        b.errorbar(curve.x[some], curve.value[some], half, **bars)
        draw_curve(b, landscape.max_entropy_curve(), 0, ink, linestyle=(0, (4, 2)), linewidth=1.0)
        label_axes(b, x.name, _y_name(landscape), "equilibrium (dots), max. entropy")
    else:
        b.set_visible(False)

    c.step(x.centres, landscape.visits.sum(axis=1), where="mid", color=ink, linewidth=1.0)
    c.set_yscale("log")
    label_axes(c, x.name, "visits per row", f"visits of all {landscape.unit}s")

    if "rungs" in landscape.meta:
        plot_rungs(landscape, (d, e, f))
    else:
        _plot_history(landscape, (d, e, f))
    seen = [ax for ax in (a, b, c, d, e, f) if ax.get_visible()]
    for letter, ax in zip("abcdef", seen, strict=False):
        ax.annotate(
            letter, (0, 1), (-4, 7), "axes fraction", textcoords="offset points", ha="right",
            fontweight="bold",
        )  # fmt: skip
    figure.suptitle(describe(landscape)[0], fontsize="medium")
    _provenance(figure, landscape)
    return figure


def _plot_history(landscape: Landscape, panels: Sequence[Axes]) -> None:
    """Three panels by steps: the modification factor, round trips, acceptance or temperature."""
    d, e, f = panels
    history = dict(landscape.history)
    if "round_trips" in history:
        history["round_trips"] = landscape.round_trips
    moved = "f" in history  # by molecular dynamics
    name, words = ("f", "f (counts per step)") if moved else ("ln_f", "ln f (nats per visit)")
    _walkers(d, history, name, words, logarithmic=True)
    d.set_title("modification factor", fontsize="medium")
    _walkers(e, history, "round_trips", "round trips so far")
    e.set_title("round trips in x", fontsize="medium")
    if moved:
        _walkers(f, history, "temperature", "kinetic temperature")
        along, _ = _in_steps(history)
        f.plot(along[0], history["expected"].mean(0), "--", color=MAGENTA, linewidth=1.0)
        low, high = np.nanpercentile(history["temperature"], [1, 99])
        f.set_ylim(min(low, 1.0) - 0.05, high + 0.05)
        f.set_title("temperature, and expected", fontsize="medium")
    else:
        _walkers(f, history, "acceptance", "accepted moves / steps")
        f.set_title("acceptance", fontsize="medium")


def save(figure: Figure, path) -> Path:
    """Write a figure as the suffix of ``path`` says (png, pdf, svg); UserError for another one.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> wlnn.save_picture(wlnn.plot_diagnostics(landscape), "checks.svg").name
        'checks.svg'
    """
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise UserError(f"{path}: a picture's name must end in .{', .'.join(FORMATS)}.")
    return store.write_file(
        path, lambda file: figure.savefig(file, format=kind, dpi=plot_style.dpi())
    )


def _image(ax: Axes, landscape: Landscape, entropy: np.ndarray) -> ScalarMappable:
    """S in colour: one image of bytes, with every k-th bin where a picture has no room for all."""
    x, y = landscape.grid
    step_x, step_y = (max(1, n // MOST_PIXELS) for n in entropy.shape)
    thin = slice(None, None, step_x), slice(None, None, step_y)
    values, safe = entropy[thin], landscape.reliable[thin]
    colours = ScalarMappable(Normalize(**_limits(landscape, entropy)), ENTROPY_COLOURS)
    image = colours.to_rgba(np.ma.masked_invalid(values), bytes=True)
    image[..., 3] = np.where(np.isnan(values), 0, np.where(safe, 255, PALE))
    high_x, high_y = (
        axis.lo + axis.width * step * n
        for axis, step, n in zip((x, y), (step_x, step_y), values.shape, strict=True)
    )
    ax.imshow(
        image.transpose(1, 0, 2),
        origin="lower",
        aspect="auto",
        interpolation="nearest",
        extent=(x.lo, high_x, y.lo, high_y),
    )
    return colours


def _provenance(figure: Figure, landscape: Landscape) -> None:
    style = {"fontsize": "x-small", "color": "#666666", "x": 0.99, "ha": "right"}
    lines = [describe(landscape)[1], *wrap(verdict_of(landscape).sentence, 110)]
    figure.supxlabel("\n".join(lines), **style)


def entropy_label(landscape: Landscape, per: tuple[str, str] = ("bin", "bin")) -> str:
    """S with its unit, for an axis or a colour bar; ``per`` as in :func:`plot_landscape`."""
    units = [unit_name(axis, unit) for axis, unit in zip(landscape.grid, per, strict=True)]
    said = " and ".join(unit for unit in units if unit)
    words = f"nats per unit of {said}" if said else "nats"
    relative = landscape.meta.get("gauge") in ("window", "mean")
    return f"entropy S ({words}{', relative' * relative})"


def _accuracy_ticks(ax: Axes, smoothed) -> None:
    """Label the y axis, a function of the smoothed accuracy, with that accuracy."""
    low, high = ax.get_ylim()
    kept: dict[float, float] = {}
    for accuracy in ACCURACIES:
        place = float(smoothed.value(np, np.float64(accuracy)))
        apart = all(abs(place - other) > 0.05 * (high - low) for other in kept.values())
        if low <= place <= high and apart:
            kept[accuracy] = place
    ax.set_yticks(list(kept.values()), [f"{accuracy:g}" for accuracy in kept])


def _y_name(landscape: Landscape) -> str:
    """What the curves show; the axis itself may be a function of it."""
    return "smoothed test accuracy" if landscape.accuracy_axis else landscape.grid.y.name


def _quantity(landscape: Landscape) -> str:
    name = _y_name(landscape).removeprefix("test ").removeprefix("smoothed test ")
    return name.replace("ln test loss", "ln(test loss)")


def label_axes(ax: Axes, x: str, y: str, title: str) -> None:
    """A title, and labels with logarithms written as ln(...)."""
    said = {"ln train loss": "ln(train loss)", "ln test loss": "ln(test loss)"}
    ax.set(xlabel=said.get(x, x), ylabel=said.get(y, y))
    ax.set_title(title, fontsize="medium")


def draw_curve(
    ax: Axes, curve: Curve, factor: float, color: str, place=lambda value: value, **style
) -> None:
    """The curve over its reliable rows, faint over the others, with a band of factor x error.

    ``place`` takes its values to the axis.
    """
    safe = np.where(curve.reliable, curve.value, np.nan)
    ax.plot(curve.x, place(curve.value), color=color, **{**style, "alpha": 0.35})
    ax.plot(curve.x, place(safe), color=color, **style)
    if factor > 0:
        half = factor * curve.error
        low, high = place(safe - half), place(safe + half)
        ax.fill_between(curve.x, low, high, color=color, alpha=0.25, linewidth=0)


def _in_steps(history: dict) -> tuple[np.ndarray, str]:
    """Steps that each walker had made ``(R, n)`` in thousands or millions, and their name."""
    along = history["t"] if "t" in history else np.cumsum(history["steps"], axis=1)
    power = 3 * int(np.log10(max(np.max(along), 1)) // 3)
    return along / 10.0**power, "steps per walker" + f" ($10^{power}$)" * (power > 0)


def _walkers(ax: Axes, history: dict, name: str, label: str, logarithmic: bool = False) -> None:
    """One thin line per walker of a recorded quantity over the steps made (stages if unknown)."""
    ax.set_ylabel(label)
    if name not in history:
        ax.text(0.5, 0.5, "not recorded", ha="center", transform=ax.transAxes, color="#666666")
        return
    values = history[name]
    if logarithmic:  # ln f = 0 in the production stage
        values = np.where(values > 0, values, np.nan)
        ax.set_yscale("log")
    if "steps" in history or "t" in history:
        along, words = _in_steps(history)
        ax.set_xlabel(words)
    else:
        along = np.tile(np.arange(1, values.shape[1] + 1), (len(values), 1))
        ax.set_xlabel("stage")
    for steps, line in zip(along, values, strict=True):
        ax.plot(steps, line, color=plot_style.ink(), linewidth=0.8, alpha=0.5)
    ax.locator_params(axis="x", nbins=5)
    if not logarithmic:
        ax.set_ylim(bottom=0)
        ax.yaxis.get_major_locator().set_params(integer=name == "round_trips")
