"""The figures of the maximum-entropy study; the only file here that draws, and it only draws.

Examples:
    >>> import wlnn
    >>> figure = wlnn.plot_maxent.specialisation([2, 3], [1.0])
    >>> wlnn.save_picture(figure, "specialisation.png").exists()
    True
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib import colormaps
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from wlnn.maxent.comparison import Comparison, agreement
from wlnn.maxent.landscape import SampledLandscape
from wlnn.maxent.observables import structured_pairs
from wlnn.maxent.sampling import LossPoint
from wlnn.maxent.theory import SMALLEST_SCALE, Solution, solve
from wlnn.networks.context import Units
from wlnn.report.plot import INK, MAGENTA

GREY = "#9aa5ad"


def _colours(keys) -> dict:
    """A colour for each of some ordered values, dark for the smallest."""
    keys = sorted(set(keys))
    shades = colormaps["viridis"](np.linspace(0.05, 0.88, len(keys)))
    return dict(zip(keys, shades, strict=True))


def _tidy(ax: Axes, title: str = "", **labels) -> None:
    """Two spines, small ticks, a title, and ``labels`` as of ``Axes.set``."""
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize="small")
    ax.set(**labels)
    if title:
        ax.set_title(title, fontsize="medium")


def _table(rows: Sequence[Comparison]) -> dict[tuple[int, float], Comparison]:
    return {(row.law.contexts, row.law.weight_scale): row for row in rows}


def _settings(rows: Sequence[Comparison]) -> tuple[list[int], list[float], dict]:
    table = _table(rows)
    return sorted({K for K, _ in table}), sorted({sigma for _, sigma in table}), table


def populations(rows: list[Comparison]) -> Figure:
    """p(n) of trained networks beside the prediction, one panel per K and sigma."""
    contexts, scales, table = _settings(rows)
    figure = Figure(figsize=(2.3 * len(scales) + 0.6, 1.5 * len(contexts) + 0.9))
    figure.set_layout_engine("constrained")
    axes = figure.subplots(len(contexts), len(scales), squeeze=False, sharey="row")
    for i, K in enumerate(contexts):
        for j, sigma in enumerate(scales):
            ax = axes[i, j]
            _tidy(ax)
            if (K, sigma) not in table:
                ax.set_visible(False)
                continue
            row = table[K, sigma]
            n = np.arange(K + 1)
            ax.bar(n - 0.2, row.law.p, 0.4, color=MAGENTA)
            ax.bar(n + 0.2, row.mean("p"), 0.4, color=INK)
            ax.hlines(row.law.p0, n - 0.45, n + 0.45, color=GREY, linewidth=1.6)
            ax.set_xticks(n)
            if i == 0:
                ax.set_title(f"$\\sigma$ = {sigma:g}", fontsize="medium")
            if j == 0:
                ax.set_ylabel(f"p(n), K = {K}", fontsize="small")
            if i == len(contexts) - 1:
                ax.set_xlabel("active contexts n", fontsize="small")
    handles = [
        Line2D([], [], color=MAGENTA, linewidth=6, label="maximum entropy"),
        Line2D([], [], color=INK, linewidth=6, label="trained (SGD)"),
        Line2D([], [], color=GREY, linewidth=1.6, label="random gains (binomial)"),
    ]
    ncols = 3 if len(scales) > 2 else 1
    figure.legend(handles=handles, loc="outside upper center", ncols=ncols, fontsize="small")
    return figure


def population_ratios(rows: list[Comparison]) -> Figure:
    """ln of p(n) over the binomial against n / K, one panel per K: lines law, points trained."""
    contexts, scales, table = _settings(rows)
    colours = _colours(scales)
    columns = min(4, len(contexts))
    lines = -(-len(contexts) // columns)
    figure = Figure(figsize=(2.7 * columns + 0.6, 2.3 * lines + 0.8), layout="constrained")
    axes = figure.subplots(lines, columns, squeeze=False)
    for ax in axes.flat[len(contexts) :]:
        ax.set_visible(False)
    for ax, K in zip(axes.flat, contexts, strict=False):
        _tidy(ax, f"K = {K}")
        share = np.arange(K + 1) / K
        ax.axhline(0, color=GREY, linewidth=0.8)
        for sigma in scales:
            if (K, sigma) not in table:
                continue
            row = table[K, sigma]
            ax.plot(share, np.log(row.law.p / row.law.p0), color=colours[sigma], linewidth=1.4)
            p = row.mean("p")
            seen = p > 0
            ratio = np.log(p[seen] / row.law.p0[seen])
            ax.plot(share[seen], ratio, "o", color=colours[sigma], ms=4)
        ax.set_xlabel("n / K", fontsize="small")
    for ax in axes[:, 0]:
        ax.set_ylabel("ln p(n) / binomial", fontsize="small")
    handles = [Line2D([], [], color=colours[s], label=f"$\\sigma$ = {s:g}") for s in scales]
    handles.append(Line2D([], [], color=INK, label="maximum entropy"))
    handles.append(Line2D([], [], color=INK, marker="o", ls="", ms=4, label="trained (SGD)"))
    ncols = (2, 3, 4, 6)[columns - 1]  # as many as the width has room for
    figure.legend(handles=handles, loc="outside upper center", ncols=ncols, fontsize="small")
    return figure


def specialisation(
    contexts: list[int], scales: list[float], rows: Sequence[Comparison] = (), law=solve
) -> Figure:
    """c_g and structured bits per gain against K: specialised gains become random ones.

    Lines are ``law(K, sigma)``; points, if there are ``rows``, trained networks.
    """
    table = _table(rows)
    colours = _colours(scales)
    figure = Figure(figsize=(8.2, 3.5), layout="constrained")
    left, right = figure.subplots(1, 2)
    dense = sorted(set(np.geomspace(2, max(*contexts, 3), 80).round().astype(int).tolist()))
    for sigma in scales:
        laws = [law(K, sigma) for K in dense]
        style = {"color": colours[sigma], "linewidth": 1.4}
        left.plot(dense, [one.c_g for one in laws], **style, label=f"$\\sigma$ = {sigma:g}")
        right.plot(dense, [one.bits_per_gain for one in laws], **style)
        seen = [(K, table[K, sigma].mean("c_g")) for K in contexts if (K, sigma) in table]
        left.plot(*np.array(seen).reshape(-1, 2).T, "o", color=colours[sigma], ms=5)
    left.axhline(0, color=GREY, linewidth=0.8)
    _tidy(left, "specialised (negative) to random (0)", ylabel="gain correlation $c_g$")
    _tidy(right, "structure in the gains", ylabel="KL$_g$ / (K ln 2), bits per gain")
    right.set_ylim(bottom=0)
    if table:
        left.plot([], [], "o", color=INK, ms=5, label="trained (SGD)")
    left.legend(fontsize="small", frameon=False)
    for ax in (left, right):
        ax.set(xlabel="contexts K", xticks=dense[:: 1 + len(dense) // 12])
    return figure


def selectivity(
    contexts: list[int], scales: list[float], rows: Sequence[Comparison] = (), law=solve
) -> Figure:
    """R2, frac_m and rho_bar against sigma: structured weights become random ones.

    Lines and points as in :func:`specialisation`.
    """
    table = _table(rows)
    colours = _colours(contexts)
    figure = Figure(figsize=(10.5, 3.5), layout="constrained")
    axes = figure.subplots(1, 3)
    dense = np.geomspace(max(min(scales) / 1.4, SMALLEST_SCALE), max(scales) * 1.4, 40)
    names = ("R2", "frac_m", "rho_bar")
    titles = (
        "$R^2$: share of var(w) explained by inputs",
        "share of var(m) along one direction",
        "mean correlation $\\bar\\rho$ of w and m",
    )
    for ax, name, title in zip(axes, names, titles, strict=True):
        for K in contexts:
            values = [getattr(law(K, sigma), name) for sigma in dense]
            ax.plot(dense, values, color=colours[K], linewidth=1.4, label=f"K = {K}")
            if name == "frac_m":
                ax.axhline(1 / K, color=colours[K], linewidth=0.7, linestyle=":")
            seen = [(s, table[K, s].mean(name)) for s in scales if (K, s) in table]
            ax.plot(*np.array(seen).reshape(-1, 2).T, "o", color=colours[K], ms=4)
        _tidy(ax, title, xscale="log", xlabel="weight scale $\\sigma$", ylim=(0, 1.03))
        ax.set_xticks(scales, [f"{s:g}" for s in scales])
        ax.minorticks_off()
    if table:
        axes[0].plot([], [], "o", color=INK, ms=4, label="trained (SGD)")
    axes[0].legend(fontsize="small", frameon=False)
    axes[1].plot([], [], color=INK, linewidth=0.7, linestyle=":", label="random: 1/K")
    axes[1].legend(handles=axes[1].lines[-1:], fontsize="small", frameon=False)
    return figure


def scatter(rows: list[Comparison]) -> Figure:
    """c_g and rho_bar of trained networks against the prediction, every K and sigma."""
    contexts, scales, _ = _settings(rows)
    colours = _colours(contexts)
    markers = dict(zip(scales, "os^Dv<>p*hX" * (1 + len(scales) // 11), strict=False))
    figure = Figure(figsize=(8.4, 4.1), layout="constrained")
    summary = agreement(rows)
    labels = {"c_g": "gain correlation $c_g$", "rho_bar": "weight correlation $\\bar\\rho$"}
    for ax, name in zip(figure.subplots(1, 2), labels, strict=True):
        points = np.array([(getattr(row.law, name), row.mean(name)) for row in rows])
        low, high = np.nanmin(points), np.nanmax(points)
        margin = 0.06 * (high - low or 1)
        ax.plot([low - margin, high + margin], [low - margin, high + margin], color=GREY, lw=1)
        for row, point in zip(rows, points, strict=True):
            marker = markers[row.law.weight_scale]
            ax.plot(*point, marker, color=colours[row.law.contexts], ms=6, mec="white", mew=0.5)
        numbers, text = summary[name], ""
        if numbers["pearson"] is not None:
            text = f"Pearson {numbers['pearson']:.3f}, rms difference {numbers['rms']:.3f}"
        label = labels[name]
        _tidy(ax, text, xlabel=f"{label}, maximum entropy", ylabel=f"{label}, trained (SGD)")
    handles = [
        Line2D([], [], color=colours[K], marker="o", ls="", label=f"K = {K}") for K in contexts
    ]
    handles += [
        Line2D([], [], color=INK, marker=markers[s], ls="", label=f"$\\sigma$ = {s:g}")
        for s in scales
    ]
    figure.legend(handles=handles, loc="outside right center", fontsize="small", frameon=False)
    return figure


def weights(law: Solution, sampled: Units, trained: Units) -> Figure:
    """w against m.e in each population (up to four), sampled from the law above, trained below.

    In the law both have variance sigma^2 X and the correlation rho; ellipses: two such deviations.
    """
    K = law.contexts
    likely = 1 + np.argsort(-law.p[1:])[:4]
    shown = sorted(int(n) for n in likely)
    figure = Figure(figsize=(2.5 * len(shown) + 0.7, 5.2), layout="constrained")
    axes = figure.subplots(2, len(shown), squeeze=False, sharex="row", sharey="row")
    angle = np.linspace(0, 2 * np.pi, 100)
    for line, (units, name) in enumerate(((sampled, "sampled"), (trained, "trained (SGD)"))):
        for ax, n in zip(axes[line], shown, strict=True):
            _tidy(ax)
            along, w = structured_pairs(units, n)
            ax.plot(along, w, ".", ms=2.5, alpha=0.6, color=(MAGENTA, INK)[line], rasterized=True)
            radius, lag = 2 * law.weight_scale * np.sqrt(law.X[n]), np.arccos(law.rho[n])
            ellipse = radius * np.cos(angle), radius * np.cos(angle - lag)
            ax.plot(*ellipse, color=(INK, MAGENTA)[line], lw=1.2)
            if len(w) > 4:
                rho = along @ w / np.sqrt((along @ along) * (w @ w))
                ax.set_title(f"n = {n}: $\\rho$ = {rho:.2f}, {len(w)} units", fontsize="small")
            ax.axhline(0, color=GREY, linewidth=0.6, zorder=0)
            ax.axvline(0, color=GREY, linewidth=0.6, zorder=0)
        axes[line, 0].set_ylabel(f"{name}\noutput weight w")
    for ax in axes[1]:
        ax.set_xlabel("input weights along e, m.e", fontsize="small")
    title = f"K = {K}, $\\sigma$ = {law.weight_scale:g}; ellipses: the law, two standard deviations"
    figure.suptitle(title, fontsize="medium")
    return figure


def loss_against_units(law: Solution, points: list[LossPoint], floor: float) -> Figure:
    """Mean loss of drawn networks against N, with the 1/N law and the floor of the ReLU."""
    figure = Figure(figsize=(4.8, 3.8), layout="constrained")
    ax = figure.subplots()
    N = np.array([point.units for point in points], float)
    ends = np.geomspace(N.min() / 1.3, N.max() * 1.3, 60)
    law_part = np.interp(np.log(ends), np.log(N), [(q.predicted - floor) * q.units for q in points])
    label = "floor + 1/N law of linear units" if floor else "1/N law, exact"
    ax.plot(ends, floor + law_part / ends, color=MAGENTA, label=label)
    if floor:
        ax.axhline(floor, color=GREY, linewidth=1, linestyle="--", label="infinite width, ReLU")
    error = [2 * point.standard_error for point in points]
    loss = [point.loss for point in points]
    ax.errorbar(N, loss, error, fmt="o", color=INK, ms=4, label="drawn networks (2 s.e.)")
    title = f"K = {law.contexts}, $\\sigma$ = {law.weight_scale:g}"
    _tidy(ax, title, xscale="log", yscale="log", xlabel="hidden units N", ylabel="mean loss L")
    ax.legend(fontsize="small", frameon=False)
    return figure


def landscape(result: SampledLandscape) -> Figure:
    """ln g(ln L) of a sampled landscape with the theory; p(n) and rho(n) along ln L."""
    figure = Figure(figsize=(12.5, 3.9), layout="constrained")
    density, population, correlation = figure.subplots(1, 3)
    x, theory = result.ln_loss, result.theory
    density.plot(x, result.ln_g, color=INK, linewidth=3.5, alpha=0.35, label="Wang-Landau")
    if theory is not None:
        style = {"color": MAGENTA, "linewidth": 1.4, "ls": "--"}
        density.plot(x, theory.small_loss, **style, label="small-loss formula")
        style = {"color": MAGENTA, "ls": "none", "marker": "o", "mfc": "none", "ms": 4}
        density.plot(x[theory.bins], theory.shell.ln_g, **style, label="theory at finite loss")
        if theory.exact is not None:
            density.plot(x, theory.exact, color=INK, linewidth=1, label="exact")
    _tidy(density, result.title, ylabel="ln g(ln L)")
    density.legend(fontsize="small", frameon=False, loc="lower right")
    K = result.p_n.shape[1] - 1
    colours = _colours(range(K + 1))
    for n, colour in colours.items():
        population.plot(x, result.p_n[:, n], ".", ms=3.5, color=colour, label=f"n = {n}")
        population.axhline(result.prior_p[n], color=colour, linewidth=0.7, linestyle=":")
        if theory is not None:
            population.plot(x[theory.bins], theory.shell.p_n[:, n], color=colour, lw=1.4)
        if n > 0:
            correlation.plot(x, result.rho[:, n], ".", ms=3.5, color=colour, label=f"n = {n}")
            if theory is not None:
                ends = [theory.law.rho[n]] * 2
                correlation.plot([x[0], x[0] + 2], ends, color=INK, lw=1, zorder=3)
    _tidy(population, "population p(n); dotted: random box")
    _tidy(correlation, "correlation of w with its active inputs")
    for ax in (population, correlation):
        ax.set_ylim(min(0, ax.get_ylim()[0]), None)
        handles, labels = ax.get_legend_handles_labels()
        if theory is not None:
            handles.append(Line2D([], [], color=INK, linewidth=1.4))
            labels.append("theory" if ax is population else "theory, L = 0")
        ax.legend(handles, labels, fontsize="small", frameon=False)
    for ax in (density, population, correlation):
        ax.set_xlabel("ln L")
    return figure
