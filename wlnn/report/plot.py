"""Pictures of a landscape: the only file that draws. It looks at loaded results and changes none.

Figures are made without pyplot, so that no window opens and no global state is touched.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Curve, Landscape
from wlnn.report.landscape import describe, unit_name
from wlnn.report.plot_ladder import plot_rungs

MAGENTA = "#d6006d"
INK = "#222222"
ENTROPY_COLOURS = "viridis"
# of a smoothed accuracy, the most wanted first
ACCURACIES = (0.5, 0.1, 0.9, 0.01, 0.99, 0.001, 0.999, 0.2, 0.8, 0.05, 0.95, 0.3, 0.7, 0.4, 0.6)
FORMATS = ("png", "pdf", "svg")


def plot_landscape(
    landscape: Landscape, ax: Axes | None = None, per: tuple[str, str] = ("bin", "bin")
) -> Axes:
    """S in colour over x and y, with the equilibrium and the max-entropy curve (Fig. 1(a)).

    Bins never visited are white; bins that not every walker visited in its production stage are
    pale. The band is the 95 % interval of the equilibrium curve over walkers. ``per`` holds the
    units of S along x and y, see ``Landscape.rescaled``; the curves do not depend on them.
    """
    own = ax is None
    if own:
        ax = Figure(figsize=(6.4, 4.6), layout="constrained").subplots()
    x, y = landscape.grid.x, landscape.grid.y
    if not np.isfinite(y.lo):
        raise UserError("this landscape has a single y bin; plot its diagnostics (S over x).")
    entropy = landscape.rescaled(*per)
    limits = {"vmin": np.nanmin(entropy), "vmax": np.nanmax(entropy)} if entropy.size else {}
    for shown, alpha in ((landscape.reliable, None), (~landscape.reliable, 0.45)):
        part = np.ma.masked_invalid(np.where(shown, entropy, np.nan)).T
        style = {"cmap": ENTROPY_COLOURS, "alpha": alpha, "rasterized": True, "linewidth": 0}
        mesh = ax.pcolormesh(x.edges, y.edges, part, **style, **limits)
        if alpha is None:
            bar = ax.figure.colorbar(mesh, ax=ax, pad=0.02)
            bar.set_label(_entropy_label(landscape, per))
            bar.outline.set_linewidth(0.6)
    highest = landscape.max_entropy_curve()
    smoothed = landscape.accuracy_axis
    placed = {}
    if smoothed:  # an interval may reach beyond 0 or 1
        placed = {"place": lambda value: smoothed.value(np, np.clip(value, 0, 1))}
    _draw(ax, highest, 0, "white", linestyle="-", linewidth=2.2, **placed)
    _draw(ax, highest, 0, INK, linestyle=(0, (4, 2)), linewidth=1.0, **placed)
    equilibrium = landscape.equilibrium_accuracy()
    _draw(ax, equilibrium, landscape.t_factor(), MAGENTA, linewidth=1.8, **placed)
    shown = ~np.isnan(entropy)
    if shown.any():
        rows, columns = np.flatnonzero(shown.any(axis=1)), np.flatnonzero(shown.any(axis=0))
        ax.set_xlim(x.edges[rows[0]] - x.width, x.edges[rows[-1] + 1] + x.width)
        ax.set_ylim(y.edges[columns[0]] - y.width, y.edges[columns[-1] + 1] + y.width)
    handles = [
        Line2D([], [], color=MAGENTA, linewidth=1.8, label=f"equilibrium {_quantity(landscape)}"),
        Line2D([], [], color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label="maximum entropy"),
    ]
    if (~landscape.reliable & shown).any():
        tables = landscape.unit == "table"
        words = "at an edge or wall" if tables else f"not seen by all {landscape.unit}s"
        words = "no number: ladders differ" if landscape.contradicts_itself else words
        handles.append(Patch(facecolor="#b9c6cf", label=words))
    corner = "best" if y.name.startswith("ln") else "lower left"  # no network is bad on low losses
    ax.legend(handles=handles, loc=corner, fontsize="small", framealpha=0.9)
    _label(ax, x.name, _y_name(landscape), describe(landscape)[0])
    if smoothed:
        _accuracy_ticks(ax, smoothed)
    if own:
        _provenance(ax.figure, landscape)
    return ax


def plot_diagnostics(landscape: Landscape) -> Figure:
    """Six panels: S(x), equilibrium curve, visits of rows; ln f, round trips, acceptance by steps.

    Of molecular dynamics f, and the kinetic temperature beside the one expected (dashed); of
    ladders exchanges, temperatures and the difference of the halves. Bands and bars are 95 %
    intervals over walkers; thin lines are single walkers.
    """
    figure = Figure(figsize=(9.6, 5.6), layout="constrained")
    (a, b, c), (d, e, f) = figure.subplots(2, 3)
    factor = landscape.t_factor()
    x, y = landscape.grid.x, landscape.grid.y

    _draw(a, landscape.marginal_entropy(), factor, INK)
    _label(a, x.name, _entropy_label(landscape), "entropy of x")

    if np.isfinite(y.lo):
        curve = landscape.equilibrium_accuracy()
        bars = dict(color=MAGENTA, fmt=".", markersize=3, linewidth=0.8)
        some = slice(None, None, max(1, x.n // 60))  # more bars could not be told apart
        half = np.nan_to_num(factor * curve.error)[some]
        b.errorbar(curve.x[some], curve.value[some], half, **bars)
        _draw(b, landscape.max_entropy_curve(), 0, INK, linestyle=(0, (4, 2)), linewidth=1.0)
        _label(b, x.name, _y_name(landscape), "equilibrium (dots), max. entropy")
    else:
        b.set_visible(False)

    c.step(x.centres, landscape.visits.sum(axis=1), where="mid", color=INK, linewidth=1.0)
    c.set_yscale("log")
    _label(c, x.name, "visits per row", f"visits of all {landscape.unit}s")

    if "rungs" in landscape.meta:
        plot_rungs(landscape, (d, e, f))
        figure.suptitle(describe(landscape)[0], fontsize="medium")
        _provenance(figure, landscape)
        return figure
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
        f.plot(history["t"][0], history["expected"].mean(0), "--", color=MAGENTA, linewidth=1.0)
        low, high = np.nanpercentile(history["temperature"], [1, 99])
        f.set_ylim(min(low, 1.0) - 0.05, high + 0.05)
        f.set_title("temperature, and expected", fontsize="medium")
    else:
        _walkers(f, history, "acceptance", "accepted moves / steps")
        f.set_title("acceptance", fontsize="medium")
    figure.suptitle(describe(landscape)[0], fontsize="medium")
    _provenance(figure, landscape)
    return figure


def save(figure: Figure, path) -> Path:
    """Write a figure as the suffix of ``path`` says (png, pdf, svg); UserError for another one."""
    path = Path(path)
    kind = path.suffix.lower().lstrip(".")
    if kind not in FORMATS:
        raise UserError(f"{path}: a picture's name must end in .{', .'.join(FORMATS)}.")
    return store.write_file(path, lambda file: figure.savefig(file, format=kind, dpi=200))


def _provenance(figure: Figure, landscape: Landscape) -> None:
    style = {"fontsize": "x-small", "color": "#666666", "x": 0.99, "ha": "right"}
    figure.supxlabel(describe(landscape)[1], **style)


def _entropy_label(landscape: Landscape, per: tuple[str, str] = ("bin", "bin")) -> str:
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
    return _y_name(landscape).removeprefix("test ").removeprefix("smoothed test ")


def _label(ax: Axes, x: str, y: str, title: str) -> None:
    """A title, and labels with logarithms written as ln(...)."""
    said = {"ln train loss": "ln(train loss)", "ln test loss": "ln(test loss)"}
    ax.set(xlabel=said.get(x, x), ylabel=said.get(y, y))
    ax.set_title(title, fontsize="medium")


def _draw(
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
        along = history["t"] if "t" in history else np.cumsum(history["steps"], axis=1)
        ax.set_xlabel("steps per walker")
    else:
        along = np.tile(np.arange(1, values.shape[1] + 1), (len(values), 1))
        ax.set_xlabel("stage")
    for steps, line in zip(along, values, strict=True):
        ax.plot(steps, line, color=INK, linewidth=0.8, alpha=0.5)
    ax.ticklabel_format(axis="x", scilimits=(-3, 4))
    ax.locator_params(axis="x", nbins=5)
    if not logarithmic:
        ax.set_ylim(bottom=0)
        ax.yaxis.get_major_locator().set_params(integer=name == "round_trips")
