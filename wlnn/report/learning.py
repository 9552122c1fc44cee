"""Learning coefficients of a landscape in words. Returns text; prints and computes nothing."""

from __future__ import annotations

import numpy as np

from wlnn.base.text_table import INTERVAL, aligned
from wlnn.canonical.learning import LearningCoefficient, Slope
from wlnn.landscape.landscape import Landscape
from wlnn.report.landscape import describe, verdict_lines

DRIFTS = 3.0  # standard errors between the halves of a range, from which a slope is no power


def table(landscape: Landscape, found: LearningCoefficient) -> list[str]:
    """Title and verdict, lambda by the slope for each multiplicity, then by temperatures."""
    low, high = found.span
    factor = found.t_factor()
    lines = [[f"{'m':>3}", "lambda", "lower less upper half", ""]]
    for slope in found.slopes:
        value = _said(slope.value, factor * slope.error)
        drift = _said(slope.drift, factor * slope.drift_error, "+")
        lines.append([str(slope.multiplicity), value, drift, _judged(slope, factor)])
    excess = "L" if found.floor == 0 else f"L - {found.floor:g}"
    words = [
        *describe(landscape), *verdict_lines(landscape), "",
        f"slope dS / d ln({excess}) over ln({excess}) = {low:.2f} to {high:.2f}, where S goes as",
        "lambda ln K + (m - 1) ln ln 1/K:",
        *(line.rstrip() for line in aligned(lines, notes=True)), "",
        f"(<L>{' - ' + format(found.floor, 'g') if found.floor else ''}) / T at temperatures:",
    ]  # fmt: skip
    lines = [[f"{'T':>9}", "lambda", ""]]
    for k, T in enumerate(found.temperature):
        own = found.rows is not None and k == 0
        note = f"T = ln n / n, n = {found.rows} training rows" if own else ""
        cell = _said(found.value[k], factor * found.error[k]) if found.covered[k] else ""
        if not found.covered[k]:
            note += ": " * bool(note) + "not covered by this landscape"
        lines.append([f"{T:9.3g}", cell, note])
    if len(lines) > 1:
        words += [line.rstrip() for line in aligned(lines, notes=True)]
    else:
        words.append("  this landscape covers none; sample it to lower losses")
    if found.rows is None:
        words.append("  without the number of training rows there is no T = ln n / n; give --rows")
    return [*words, INTERVAL]


def _judged(slope: Slope, factor: float) -> str:
    """What is wrong with a slope, "" where nothing is seen to be: inside the interval that is told
    of few walkers, a difference is none."""
    if abs(slope.drift) > max(DRIFTS, factor) * slope.drift_error:
        return "drifts: another m, another least loss, or a loss that is not low enough"
    return ""


def _said(value: float, half: float, sign: str = "") -> str:
    return format(value, f"{sign}.4g") + (f" ± {half:.2g}" if np.isfinite(half) else "")
