"""Results as they show themselves: six lines of text at most, and in a notebook a small picture.

It looks at results and changes none; `base/shown.py` is how they find it.
"""

from __future__ import annotations

from functools import singledispatch
from html import escape

import numpy as np

from wlnn.base.text_table import aligned
from wlnn.canonical.trajectories import TimeCurve, Trajectories
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Curve, Landscape
from wlnn.landscape.verdict import verdict_of
from wlnn.report.landscape import describe, of_prior, prior_in_words, reached, title_of
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import X_NAMES, Task
from wlnn.training.trained import Trained, TrainedCurve

ROWS = 4  # of a curve
ZERO = {  # the gauges of a landscape, as short as they can be said
    "box": "of the whole box",
    "draws": "of the whole box, by uniform draws",
    "window": "relative to the window",
    "mean": "relative to its mean",
}


@singledispatch
def words(thing) -> list[str]:
    """A result in at most six lines of text, the verdict first where there is one."""
    raise TypeError(f"{type(thing).__name__} has no view of its own")


@words.register
def _(thing: Landscape) -> list[str]:
    title, notes = describe(thing)
    lines = [f"verdict: {verdict_of(thing).sentence}"]
    lines += [f"Landscape: {title}", f"  {notes}", f"  {_grid(thing.grid)}"]
    entropy, errors = thing.entropy, thing.error[thing.reliable]
    if np.isnan(entropy).all():
        return [*lines, "  no bin was visited"]
    low, high = np.nanmin(entropy), np.nanmax(entropy)
    error = f", standard error {np.nanmedian(errors):.2g}" if np.isfinite(errors).any() else ""
    zero = of_prior(ZERO.get(thing.meta.get("gauge"), ""), thing)
    said = f"S = {low:.1f} to {high:.1f} nats{' ' * bool(zero)}{zero}{error}"
    return [*lines, f"  {reached(thing)}", f"  {said}"]


@words.register
def _(thing: Task) -> list[str]:
    data = thing.data
    inputs = " x ".join(str(n) for n in data.x_train.shape[1:])
    target = f"{data.classes} classes" if data.classes else "a real target"
    if data.targets > 1:
        target = f"{data.targets} real targets"
    return [
        f"Task: {title_of(thing.describe())}",
        f"  {len(data.x_train)} training and {len(data.x_test)} test points, {inputs} inputs, "
        f"{target}",
        f"  x = {X_NAMES[thing.x]}, {thing.loss}; y = {thing.y.replace('-', ' ')}",
        f"  {_grid(thing.grid)}",
    ]


@words.register
def _(thing: Problem) -> list[str]:
    law = f"box of {thing.n_parameters} parameters from {thing.lo.min():.3g} to "
    law += f"{thing.hi.max():.3g}, ln(volume) = {thing.ln_box_volume or 0:.1f}"
    if thing.sigma.size:
        law = f"{thing.n_parameters} parameters, {prior_in_words(thing.about['prior'])}"
    x, y = thing.names
    ways = ["Monte Carlo"] * (thing.grid is not None) + ["molecular dynamics"] * bool(thing.start)
    return [
        f"Problem: {title_of({'task': thing.name, **thing.about})}",
        f"  {law}",
        f"  x = {x}, y = {y}; for {' and '.join(ways) or 'no sampler'}",
        *([f"  {_grid(thing.grid)}"] if thing.grid is not None else []),
    ]


@words.register
def _(thing: Trained) -> list[str]:
    lines = [f"Trained: {title_of(thing.meta.get('task', {}))}"]
    lines.append(f"  {thing.n_runs} trainings of {thing.epochs} epochs, {thing.words}")
    lost = int((~thing.kept).sum())
    if lost:
        lines.append(f"  {lost} of them diverged")
    if lost == thing.n_runs:
        return lines
    ends = [f"{name} {np.mean(thing.metric(name)[:, -1]):.3f}" for name in thing.records]
    return [*lines, f"  means at the end: {', '.join(ends)}"]


@words.register
def _(thing: Trajectories) -> list[str]:
    settings = thing.meta["md"]
    walkers, n = thing.records.shape[:2]
    return [
        f"Trajectories: {title_of(thing.meta.get('task', {}))}",
        f"  T = {thing.temperature:g}, {walkers} walkers, {n} records {settings['record']} steps "
        f"apart, seed {settings['seed']}",
        f"  {walkers - len(thing.kept)} walkers diverged; averages(), curve(), to_pandas()",
    ]


@words.register
def _(thing: Curve) -> list[str]:
    known = ~np.isnan(thing.value)
    return _rows(f"Curve: {known.sum()} rows of x", known, thing.x, thing.value, thing.error)


@words.register
def _(thing: TrainedCurve) -> list[str]:
    known = thing.trainings > 0
    head = f"TrainedCurve: {known.sum()} bins of ln(train loss), up to {thing.trainings.max()} "
    return _rows(f"{head}trainings", known, thing.x, thing.value, thing.error)


@words.register
def _(thing: TimeCurve) -> list[str]:
    known = np.ones(len(thing.steps), bool)
    head = f"TimeCurve: {len(known)} times, {thing.walkers.max(initial=0):.0f} walkers"
    return _rows(head, known, thing.steps, thing.value, thing.error)


def _rows(head: str, known, x, value, error) -> list[str]:
    """A head and some rows of a curve, from its highest x down; ± is one standard error."""
    chosen = np.flatnonzero(known)[::-1]
    if chosen.size > ROWS:
        chosen = chosen[np.unique(np.linspace(0, chosen.size - 1, ROWS).round().astype(int))]
    table = [
        [f"{x[k]:.4g}", f"{value[k]:.4g}" + f" ± {error[k]:.2g}" * bool(np.isfinite(error[k]))]
        for k in chosen
    ]
    return [f"{head}; ± is one standard error", *(f"  {line}" for line in aligned(table) if line)]


def _grid(grid: Grid) -> str:
    return "; ".join(
        f"{name}: {axis.name}, {_span(axis)}" for name, axis in zip("xy", grid, strict=True)
    )


def _span(axis: Axis) -> str:
    if not np.isfinite(axis.lo):
        return "one bin"
    return f"{axis.n} bins from {axis.lo:.3g} to {axis.hi:.3g}"


def html(thing) -> str:
    """The lines of :func:`words` beside a small picture, as a piece of HTML that loads nothing."""
    from wlnn.report.plot_small import picture

    drawn = picture(thing)
    image = f'<img alt="" style="max-width: 20em" src="{drawn}">' if drawn else ""
    text = escape("\n".join(words(thing)))
    return (
        '<div style="display: flex; flex-wrap: wrap; gap: 1em; align-items: center">'
        f'{image}<pre style="margin: 0">{text}</pre></div>'
    )
