"""Canonical averages in words and as a file: a table over T, and molecular dynamics beside it.

Returns text; prints nothing.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.statistics import t_factor
from wlnn.base.text_table import ERROR, INTERVAL, aligned
from wlnn.canonical.reweight import QUANTITIES, Averages, canonical, trusted_rows
from wlnn.canonical.trajectories import KINETIC_TOLERANCE, Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.report.landscape import describe, verdict_lines


def motion(found: Trajectories) -> list[str]:
    """A run of molecular dynamics in words: averages with 95 % intervals, whether to trust it."""
    settings, averages, r = found.meta["md"], found.averages(), len(found.kept)
    factor = float(t_factor(r))
    metric = ("accuracy" if found.meta["accuracy"] else "y", found.meta["metric"])
    rows = [("loss", "train loss"), ("ln_loss", "ln train loss"), metric]
    rows.append(("heat_capacity", "heat capacity (k_B)"))
    steps = found.records.shape[1] * settings["record"]
    lines = [f"T = {found.temperature:g}: {r} walkers x {steps:,} steps; second half, means ± 95 %"]

    def say(name: str, value: float, error: float, form: str = ".4g") -> None:
        interval = f" ± {factor * error:.2g}" if r > 1 else ""  # one walker has none
        lines.append(f"  {name:<22}{value:{form}}{interval}")

    for name, label in rows:
        say(label, *averages[name])
    kinetic = averages["kinetic"]
    if settings["friction"] == 0:
        say("energy drift / (P T/2)", *found.energy_drift(), "+.4f")
        say("kinetic temperature", *(found.temperature * number for number in kinetic))
        lines.append("  Newtonian motion keeps its energy, not T; the drift is the error of dt")
    else:
        say("kinetic T / T", *kinetic, ".4f")
        if abs(kinetic.value - 1) > KINETIC_TOLERANCE + np.nan_to_num(factor * kinetic.error):
            lines.append("  the kinetic temperature is not T: lower md.dt, or let it run longer")
    for name in found.drifting():
        lines.append(f"  {name} still changes (third against last quarter): make md.steps larger")
    for name in found.apart():
        lines.append(
            f"  {name}: each walker keeps to states of its own, so their mean is no canonical "
            "average; make md.steps larger, or try wlnn seek --method tempering"
        )
    return lines


def table(landscape: Landscape, averages: Averages, covered: tuple[float, float]) -> list[str]:
    """Title, range of temperatures that the landscape covers, and one line per temperature."""
    factor = landscape.t_factor()
    y_name = landscape.grid.y.name
    columns = {
        "<L>": ("loss", ".3g"),
        "<ln L>": ("ln_loss", ".3f"),
        f"<{y_name}>": ("y", ".4f"),
        "F = -T ln Z": ("free_energy", ".4g"),
        "heat capacity": ("heat_capacity", ".2f"),
    }
    if not np.isfinite(landscape.grid.y.lo):
        del columns[f"<{y_name}>"]
    lines = [[f"{'T':>9}", *columns, ""]]
    for k, T in enumerate(averages.temperature):
        cells = [f"{T:9.3g}"]
        for name, form in columns.values():
            value, error = (of[k] for of in averages.of(name))
            cell = format(value, form)
            cells.append(cell if np.isnan(error) else f"{cell} ± {format(factor * error, '.2g')}")
        cells.append("" if averages.covered[k] else _outside(averages, k))
        lines.append(cells)
    words = [line.rstrip() for line in aligned(lines, notes=True)]
    heads = [*describe(landscape), *verdict_lines(landscape), *_range(landscape, covered)]
    return [*heads, "", *words, INTERVAL]


def _range(landscape: Landscape, covered: tuple[float, float]) -> list[str]:
    """Which temperatures the landscape covers, and what its errors leave out."""
    low, high = covered
    rows = trusted_rows(landscape)
    name, edges = landscape.grid.x.name, landscape.grid.x.edges
    if np.isnan(low):
        return ["no temperature has its weight inside this landscape; sample it to lower losses"]
    lines = [
        f"  covered from T = {low:.3g}: colder, weight lies below {name} = {edges[rows.start]:.2f}"
    ]
    if np.isfinite(high):
        lines.append(f"  up to T = {high:.3g}: hotter, weight lies above {edges[rows.stop]:.2f}")
    if landscape.meta.get("gauge") not in ("box", "draws"):
        lines.append("  F up to a term linear in T: the entropies of this landscape are relative")
    if not landscape.marginal_entropy().reliable[rows].mean() > 0.5:
        lines.append("  errors may be too small: most rows are not reliable (see wlnn info)")
    return lines


def _outside(averages: Averages, k: int) -> str:
    side = "below" if averages.below[k] >= averages.above[k] else "above"
    share = getattr(averages, side)[k]
    return f"not covered: up to {share:.0%} of the weight is {side} the window"


def beside(landscape: Landscape, found: Trajectories) -> list[str]:
    """Averages of molecular dynamics and of the landscape at its temperature, with their distance.

    The distance is in units of the combined standard error.
    """
    averages, moved = canonical(landscape, [found.temperature]), found.averages()
    y = "accuracy" if landscape.grid.y.name == "test accuracy" else "y"
    lines = [
        f"molecular dynamics at T = {found.temperature:g} ({len(found.kept)} walkers); {ERROR}:"
    ]
    for name, other in (
        ("loss", "loss"), ("ln_loss", "ln_loss"), ("y", y), ("heat_capacity", "heat_capacity")
    ):  # fmt: skip
        if other not in moved:
            continue
        value, error = (of[0] for of in averages.of(name))
        distance = (moved[other].value - value) / np.hypot(error, moved[other].error)
        label = {"y": landscape.grid.y.name, "loss": "L", "ln_loss": "ln L"}.get(name, "heat cap.")
        lines.append(
            f"  {label:<16}{moved[other].value:10.4g} ± {moved[other].error:.2g}   landscape "
            f"{value:10.4g} ± {error:.2g}   {distance:+.1f} standard errors"
        )
    if not averages.covered[0]:
        lines.append(f"  {_outside(averages, 0)}")
    return lines


def save(averages: Averages, landscape: Landscape, path: Path) -> Path:
    """Write canonical.npz: temperature, and value and error of every quantity."""
    arrays = {"temperature": averages.temperature, "covered": averages.covered}
    for name in QUANTITIES:
        arrays[name], arrays[f"{name}_error"] = averages.of(name)
    meta = {"kind": "canonical", "landscape": landscape.meta, "y": landscape.grid.y.name}
    return store.save(path, arrays, meta)
