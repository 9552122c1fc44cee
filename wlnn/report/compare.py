"""Several landscapes against the first one, in words and as a table.

Returns text; prints nothing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.text_table import ERROR, aligned
from wlnn.landscape.compare import compare
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.overlap import CHANCE, Common, Overlap, quantity
from wlnn.report.landscape import describe, prior_in_words

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def letters(n: int) -> list[str]:
    """Short names of n runs."""
    return [LETTERS[k] if n <= len(LETTERS) else str(k + 1) for k in range(n)]


def summary(
    landscapes: Sequence[Landscape], names: Sequence[str], found: Overlap, rows: int | None = 12
) -> list[str]:
    """What is compared, whether it differs, and the table of both curves.

    Args:
        rows: about how many points are listed; None lists all.
    """
    lines = []
    for letter, name, landscape in zip(letters(len(names)), names, landscapes, strict=True):
        title, notes = describe(landscape)
        lines += [f"{letter}  {name}", f"   {title}; {notes}"]
    return [*lines, "", *notes_of(landscapes, found), *verdicts(landscapes, found), "",
            *_table(landscapes, found, rows), ERROR]  # fmt: skip


def notes_of(landscapes: Sequence[Landscape], found: Overlap) -> list[str]:
    """What was done to make them comparable, and what they are not comparable in."""
    x, lines = landscapes[0].grid.x.name, []
    for k, letter in enumerate(letters(len(landscapes))):
        if landscapes[k].n_walkers < 2:
            lines.append(f"{letter} has one {landscapes[k].unit}, and so no error bars")
        if found.shifts[k]:
            lines.append(
                f"S of {letter} was shifted by {found.shifts[k]:+.2f} nats onto A: not all zeros "
                "of S are absolute"
            )
    if np.any(found.entropy.zero):
        said = ", ".join(f"{value:.2g}" for value in found.entropy.zero)
        uniform = "uniform " * all(one.base == "box" for one in landscapes)
        lines.append(
            f"zeros of S by {uniform}draws: ± {said} nats, common to all rows, are in the "
            "differences of S and not in its ±"
        )
    if not found.same_axis:
        lines.append(f"rows of {x} differ: they are added up to those of the coarsest axis")
    if found.y_window:
        low, high = found.y_window
        lines.append(f"windows of y differ: only {low:.3g} < y < {high:.3g} is compared")
    if found.mean is None:
        said = {quantity(one) or "none" for one in landscapes}
        lines.append(f"no common equilibrium curve: y is {' and '.join(sorted(said))}")
    tasks = [one.meta.get("task") or {} for one in landscapes]
    others = [{key: value for key, value in task.items() if key != "prior"} for task in tasks]
    if len({str(task.get("prior")) for task in tasks}) > 1:
        laws = [prior_in_words(task["prior"]) if "prior" in task else "box" for task in tasks]
        said = ", ".join(f"{k} {law}" for k, law in zip(letters(len(tasks)), laws, strict=True))
        lines.append(f"S is of different priors, and so will differ: {said}")
    if len({str(other) for other in others}) > 1:
        lines.append("they are of different tasks, data or networks, and so will differ")
    return lines


def verdicts(landscapes: Sequence[Landscape], found: Overlap) -> list[str]:
    """For each run against the first: both curves, and all bins where the grids are equal."""
    lines, names = [], letters(len(landscapes))
    for k in range(1, len(landscapes)):
        for what, curve in (("S(x)", found.entropy), (quantity(landscapes[0]), found.mean)):
            if curve is not None:
                lines.append(f"{names[k]} - A, {what}: {_in_words(curve, k, found.x)}")
        if landscapes[k].grid == landscapes[0].grid:
            try:
                bins = compare(landscapes[k], landscapes[0])
            except UserError:
                continue
            lines.append(
                f"{names[k]} - A, {bins.bins} bins: rms {bins.rms:.2g} nats, mean of (difference / "
                f"error)² {bins.chi_square:.2g}, {bins.expected:.2g} expected"
            )
    return lines


def _in_words(curve: Common, k: int, x: np.ndarray) -> str:
    pair = curve.verdict(k)
    if not pair.points:
        return "no point where both have error bars"
    said = "DIFFER" if pair.differs else "no difference beyond the errors"
    points = f"{pair.points} point{'s' * (pair.points > 1)}"
    return (
        f"{said} ({points}, at most {pair.worst:+.1f} standard errors, at {x[pair.place]:.2f}; "
        f"by chance {pair.chance:.2g}, {CHANCE:g} or more is usual)"
    )


def columns(landscapes: Sequence[Landscape], found: Overlap) -> dict[str, np.ndarray]:
    """All numbers ``(n,)`` of the comparison by name; ``_error`` is one standard error."""
    table = {"x": found.x}
    for name, curve in (("S", found.entropy), ("equilibrium", found.mean)):
        for k, letter in enumerate(letters(len(landscapes))):
            if curve is not None:
                table[f"{name}_{letter}"] = curve.value[k]
                table[f"{name}_{letter}_error"] = curve.error[k]
                if k:
                    difference, error = curve.minus_first(k)
                    table[f"{name}_{letter}_minus_A"] = difference
                    table[f"{name}_{letter}_minus_A_error"] = error
    return table


def _table(landscapes: Sequence[Landscape], found: Overlap, rows: int | None) -> list[str]:
    names, x = letters(len(landscapes)), landscapes[0].grid.x.name
    parts = [("S", found.entropy, ".2f")]
    if found.mean is not None:
        parts.append((quantity(landscapes[0]), found.mean, ".3f"))
    head = [x]
    for what, _, _ in parts:
        head += [f"{what} of {letter}" for letter in names]
        head += [f"{letter} - A" for letter in names[1:]]
    table = [[*head, ""]]
    known = np.flatnonzero(np.isfinite(found.entropy.value).any(axis=0))[::-1]
    if rows is not None and known.size > rows:
        known = known[np.unique(np.linspace(0, known.size - 1, rows).round().astype(int))]
    for i in known:
        cells = [f"{found.x[i]:.3f}"]
        for _, curve, form in parts:
            cells += [_cell(curve.value[k, i], curve.error[k, i], form) for k in range(len(names))]
            for k in range(1, len(names)):
                difference, error = curve.minus_first(k)
                known_error = np.isfinite(difference[i]) and error[i] > 0
                cells.append(f"{difference[i] / error[i]:+.1f} σ" if known_error else "-")
        table.append([*cells, "" if found.reliable[:, i].all() else "not reliable"])
    return [line.rstrip() for line in aligned(table, notes=True)]


def _cell(value: float, error: float, form: str) -> str:
    if np.isnan(value):
        return "-"
    return format(value, form) + (f" ± {format(error, form)}" if np.isfinite(error) else "")
