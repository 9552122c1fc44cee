"""What searches reached, beside the curves of a landscape, as a table. Returns text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.statistics import standard_error, t_factor
from wlnn.base.text_table import INTERVAL, aligned
from wlnn.canonical.search import Search, metrics_of
from wlnn.landscape.landscape import Curve, Landscape
from wlnn.report.landscape import verdict_lines
from wlnn.tasks.problem import Problem
from wlnn.training.trained import SAME

BOX = ("bound_rule", "bound_factor", "box")  # the same ones too: the searches never leave theirs
NEAR = 0.15  # of the common x: the states that are compared there


class Reached(NamedTuple):
    """A mean over runs, its standard error, and how many runs count."""

    value: float
    error: float
    runs: int


def over_runs(values: np.ndarray) -> Reached:
    """Mean over independent runs; the error is NaN for fewer than two."""
    values = np.asarray(values)[np.isfinite(values)]
    n = len(values)
    return Reached(float(values.mean()) if n else np.nan, float(standard_error(values)), n)


def at(curve: Curve, x: np.ndarray) -> np.ndarray:
    """A curve between its rows; NaN outside them."""
    known = np.isfinite(curve.value)
    return np.interp(x, curve.x[known], curve.value[known], np.nan, np.nan)


def metric_for(problem: Problem, landscape: Landscape | None, name: str = "") -> str:
    """The test quantity of a search that a landscape is about: what its y, or its axis, is of.

    Where y is a function of the smoothed accuracy it is that accuracy, whose mean over all networks
    of one training loss the equilibrium curve is (Eq. (1)). Without a landscape the true accuracy,
    or ln(test loss).

    Raises:
        UserError: a landscape of other data, another network, loss, box, or test quantity; ``name``
            is what the sentence calls it.
    """
    has = metrics_of(problem)
    if landscape is None:
        return has[0]
    its, own = (store.as_json(about) for about in (landscape.meta.get("task", {}), problem.about))
    for key in (*SAME, *BOX):
        if its.get(key) != own.get(key):
            word = {"points": "number of rows", **dict.fromkeys(BOX, "box")}.get(key, key)
            raise UserError(
                f"{name}: its {word} is not that of the search; give a landscape of the same task."
            )
    landscape.require_loss("searches")
    metric = its.get("y")
    if metric not in has or not np.isfinite(landscape.grid.y.lo):
        raise UserError(
            f"{name}: its y is '{landscape.grid.y.name}', and the search has "
            f"{' and '.join(has).replace('-', ' ')}; give a landscape of that."
        )
    if metric == "smoothed-accuracy" and its["alpha"] != own["alpha"]:
        raise UserError(
            f"{name}: its smoothed accuracy has alpha = {its['alpha']:g}, that of the search "
            f"{own['alpha']:g}; search with --set grid.alpha={its['alpha']:g}."
        )
    return metric


def report(searches: list[Search], metric: str, landscape: Landscape | None) -> list[str]:
    """The :func:`table` of the metric, and of a smoothed accuracy also that of the true one."""
    x = over_runs(searches[0].last()[0]).value
    curves = {}
    if landscape is not None:
        curves["max. entropy"] = landscape.max_entropy_curve()
        curves["equilibrium"] = landscape.equilibrium_accuracy()
    lines = table(searches, metric.replace("-", " "), curves, x)
    if metric == "smoothed-accuracy":
        true = [search._replace(metric=search.accuracy) for search in searches]
        recorded = {"equilibrium": landscape.true_accuracy()} if landscape.accuracy.size else {}
        lines += ["", *table(true, "test accuracy", recorded, x)]
    lines += [
        f"{s.name}: neighbours exchanged {', '.join(f'{share:.0%}' for share in s.accepted)} of "
        "the times tried, from hot to cold"
        for s in searches
        if len(s.accepted)
    ]
    lines.append(f"{INTERVAL} over runs")
    if curves:
        lines.append("- where the runs ended outside the landscape's ln(train loss)")
        lines += verdict_lines(landscape)
    return lines


def table(searches: list[Search], metric: str, curves: dict[str, Curve], x: float) -> list[str]:
    """One line per method: what it reached, and what it has near the common ``x`` = ln L.

    Also how far the test quantity lies from curves at the same ln(train loss), run by run; ± are
    95 % intervals over runs.
    """
    head = ["method", "evaluations", "ln L reached", metric]
    head += [f"minus {name}" for name in curves]
    head += [f"at ln L = {x:.2f}", *(f"minus {name}" for name in curves)]
    lines = [head]
    for search in searches:
        end_x, end_metric = search.last()
        cells = [search.name, f"{search.evaluations[-1]:,.0f}"]
        cells += [_words(over_runs(end_x), ".2f"), _words(over_runs(end_metric), ".3f")]
        for curve in curves.values():
            cells.append(_words(over_runs(end_metric - at(curve, end_x)), "+.3f"))
        near = search.near(x, NEAR)
        cells.append(_words(over_runs(near), ".3f"))
        for curve in curves.values():
            cells.append(_words(over_runs(near - at(curve, np.full(len(near), x))), "+.3f"))
        lines.append(cells)
    return aligned(lines)


def _words(found: Reached, form: str) -> str:
    if not found.runs:
        return "-"
    words = format(found.value, form)
    if found.runs > 1:
        words += f" ± {t_factor(found.runs) * found.error:.2g}"
    return words
