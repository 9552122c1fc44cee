"""What searches reached, beside the curves of a landscape, as a table. Returns text."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.landscape import Curve, Landscape
from wlnn.run_seek import Search

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
    error = values.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
    return Reached(float(values.mean()) if n else np.nan, float(error), n)


def at(curve: Curve, x: np.ndarray) -> np.ndarray:
    """A curve between its rows; NaN outside them."""
    known = np.isfinite(curve.value)
    return np.interp(x, curve.x[known], curve.value[known], np.nan, np.nan)


def table(searches: list[Search], metric: str, landscape: Landscape | None, x: float) -> list[str]:
    """One line per method: what it reached, and what it has near the common ``x`` = ln L.

    With a landscape also how far the test quantity lies from its max-entropy and equilibrium curve
    at the same ln(train loss), run by run; ± are 95 % intervals over runs.
    """
    curves = {}
    if landscape is not None:
        curves = {
            "max. entropy": landscape.max_entropy_curve(),
            "equilibrium": landscape.equilibrium_accuracy(),
        }
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
    widths = [max(len(line[j]) for line in lines) for j in range(len(head))]
    words = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths, strict=True))
        for line in lines
    ]
    accepted = [s for s in searches if len(s.accepted)]
    words += [
        f"{s.name}: neighbours exchanged {', '.join(f'{share:.0%}' for share in s.accepted)} of "
        "the times tried, from hot to cold"
        for s in accepted
    ]
    if landscape is not None:
        words.append("- where the runs ended outside the landscape's ln(train loss)")
    return words


def _words(found: Reached, form: str) -> str:
    from scipy.special import stdtrit

    if not found.runs:
        return "-"
    words = format(found.value, form)
    if found.runs > 1:
        words += f" ± {stdtrit(found.runs - 1, 0.975) * found.error:.2g}"
    return words
