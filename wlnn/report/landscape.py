"""A landscape in words: what it is of, how far it came, how far to trust it, its curves as a table.

Returns text; prints nothing.
"""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import numpy as np

from wlnn.base.accuracy_axes import TRAIN_ACCURACY
from wlnn.base.text_table import INTERVAL, aligned
from wlnn.ladder.diagnostics import in_words
from wlnn.landscape.grid import Axis
from wlnn.landscape.join import seeds_of
from wlnn.landscape.landscape import GAUGES, Landscape
from wlnn.landscape.verdict import (
    EFFECTIVE,
    R_HAT,
    Judgement,
    can_go_on,
    driven,
    publishable_from,
    verdict_of,
)


def summary(landscape: Landscape, per: str = "bin", rows: int | None = 12) -> list[str]:
    """A landscape in lines of text: what it is, how far to trust it, and its curves.

    Args:
        per: unit of S along x, see ``Landscape.rescaled``.
        rows: about how many rows of x are listed; None lists all that were visited.
    """
    lines = [*describe(landscape), *_trust(landscape)]
    if landscape.contradicts_itself:  # whatever number were shown would be believed
        return lines
    return [*lines, "", *_curves(landscape, per, rows)]


def reached(landscape: Landscape) -> str:
    """How far a run came, in one line."""
    x, visited = landscape.grid.x, landscape.visits > 0
    rows = np.flatnonzero(visited.any(axis=1))
    far = f"down to {x.edges[rows[0]]:.2f}"
    if x.name == TRAIN_ACCURACY:
        far = f"up to {x.centres[rows[-1]]:.2f}"
    words = f"{x.name} {far}, {visited.sum():,} bins ({visited.mean():.0%})"
    if "round_trips" in landscape.history:
        words += f", {landscape.round_trips[:, -1].sum():.0f} round trips"
    return words


def describe(landscape: Landscape) -> tuple[str, str]:
    """Title (task, network, parameters) and provenance (walkers, steps, seeds, version) in words.

    Taken from ``meta``: "task" as of ``Task.describe``, the settings of the sampler, "versions".
    What is missing there is left out.
    """
    meta, settings = landscape.meta, landscape.settings
    task = meta.get("task", {})
    walkers = f"{landscape.n_walkers} {landscape.unit}" + "s" * (landscape.n_walkers > 1)
    notes = [walkers]
    if settings:
        steps = min(meta.get("steps_done") or [settings["steps"]])
        notes[0] += f" × {steps:.3g} steps".replace("e+0", "e")
    if "prior" in task:
        notes.append(f"share of the {prior_in_words(task['prior'])}")
    if "seed" in task.get("data", {}):
        notes.append(f"data seed {task['data']['seed']}")
    if settings:
        seeds = [str(seed) for seed in seeds_of(landscape)]
        notes.append(f"seed{'s' * (len(seeds) > 1)} {', '.join(seeds)}")
    if "wlnn" in meta.get("versions", {}):
        notes.append(f"wlnn {meta['versions']['wlnn']}")
    return title_of(task), ", ".join(notes)


def prior_in_words(prior: dict) -> str:
    """A Gaussian prior, as of ``Problem.about``, with its sigma or their range."""
    sigma = prior["sigma"]
    values = [value for _, value in sigma] if isinstance(sigma, list) else [sigma]
    low, high = min(values), max(values)
    return f"Gaussian prior, sigma {low:.3g}" + f" to {high:.3g}" * (high > low)


def of_prior(words: str, landscape: Landscape) -> str:
    """Words about the zero of S, which say "box", as those of what S is a share of."""
    if landscape.base == "box":
        return words
    return re.sub(r"uniform draws( of the box)?", "draws of the prior", words).replace(
        "box", "prior"
    )


def title_of(task: dict) -> str:
    """Task, network and parameters in words, of what ``Task.describe`` tells."""
    title = [str(task.get("task", "landscape"))]
    network = task.get("network", {})
    if "sizes" in network:
        each = network["activation"]
        said = each if isinstance(each, str) else "-".join(each)
        title.append("-".join(str(size) for size in network["sizes"]) + f" {said}")
    elif "title" in network:
        title.append(network["title"])
    elif "channels" in network:
        channels = network["channels"]
        said = channels if isinstance(channels, int) else "-".join(str(k) for k in channels)
        title.append(f"{network['family'].replace('cnn', 'CNN')} of {said} channels")
    if "parameters" in task:
        title.append(f"{task['parameters']} parameters")
    return ", ".join(title)


def unit_name(axis: Axis, per: str) -> str:
    """What S is per unit of, in words, for a unit of ``Landscape.rescaled``; empty for "bin"."""
    if per == "bin":
        return ""
    if per == "axis":
        return axis.name
    return axis.name[3:] if axis.name.startswith("ln ") else f"exp({axis.name})"


def _trust(landscape: Landscape) -> list[str]:
    meta, history = landscape.meta, landscape.history
    settings, verdict = landscape.settings, verdict_of(landscape)
    lines = []

    def say(name: str, text: str) -> None:
        lines.append(f"  {name:<22}{text}")

    say("verdict", verdict.sentence)
    if verdict.change:
        say("", _what_to_do(landscape, verdict))
    lines += [f"  {'':<22}{text}" for text in _good_part(landscape)]
    for unit in ("stages", "steps"):
        done = min(meta.get(f"{unit}_done", [np.inf]))
        if done < settings.get(unit, 0):
            say("not finished", f"{done} of {settings[unit]} {unit}; continue with wlnn resume")
    if "merged" in meta:
        say("merged from", ", ".join(meta["merged"]))
    gauge = of_prior(GAUGES[meta["gauge"]], landscape)
    error = meta.get("anchor_error", 0)
    say("zero of S", gauge + (f" (± {error:.2g} nats, common to all bins)" if error else ""))
    say("reached", reached(landscape))
    if "draws" in meta:
        share = meta["draws"]["outside_window"]
        words = f"{share:.2%} of {meta['draws']['n']:,} uniform draws of the box"
        say("outside the window", of_prior(words, landscape))
    averaged = settings.get("estimator") == "average"
    when = f" while S was {'averaged' if averaged else 'frozen'}"
    seen = f"seen by every walker{when if settings.get('production') else ''}"
    if landscape.resampling == "jackknife":
        seen = "seen by two walkers or more while S was frozen"
    if landscape.unit == "table":
        seen = "in every table, 2 sigma inside the walls and the edge of what is known"
    if "rungs" in meta:
        seen = "seen by every ladder"
    say("reliable", f"{landscape.reliable.sum():,} bins, {seen}")
    lines += [f"  {name:<22}{text}" for name, text in _weighed(landscape, verdict.numbers)]
    if "acceptance" in history:
        say("accepted moves", f"{history['acceptance'][:, -1].mean():.0%} in the last stage")
    if "drift" in history:
        say("rounding", f"{history['drift'].max():.1e} at most in x, caches against a full pass")
    if "seconds" in history and "steps" in history:
        seconds, steps = history["seconds"].sum(axis=1), history["steps"].sum(axis=1)
        pace = 1e9 * (seconds / steps).mean()
        say("time", f"{seconds.mean():.0f} s a walker, {pace:.0f} ns a step")
    if "temperature" in history:
        lines += _temperatures(landscape)
    if "rungs" in meta:
        lines += [f"  {name:<22}{text}" for name, text in in_words(meta["rungs"])]
    smoothing = history.get("smoothing", np.full((1, 1), np.nan))[:, -1].mean()
    if np.isfinite(smoothing):
        say("smoothing error", f"{smoothing:.1%}: mean |A^s - A| over the last steps")
    if "us_per_step" in history:
        say("time", f"{history['us_per_step'].mean():.0f} us a step")
    return lines


def verdict_lines(landscape: Landscape, name: str = "the landscape") -> list[str]:
    """The verdict for a table that uses a landscape: its word, and what to do about it."""
    verdict = verdict_of(landscape)
    lines = [f"{name}: {verdict.sentence}"]
    if verdict.change:
        lines.append(f"  {_what_to_do(landscape, verdict, name)}")
    return [*lines, *(f"  {text}" for text in _good_part(landscape))]


def _good_part(landscape: Landscape) -> list[str]:
    """Of a landscape to be looked at again: the part of it that needs no second look."""
    x = publishable_from(landscape)
    if x is None:
        return []
    return [f"its rows at {landscape.grid.x.name} = {x:.2f} and above are publishable"]


def _what_to_do(landscape: Landscape, verdict: Judgement, name: str = "RUN") -> str:
    run, change = shlex.quote(name) if Path(name).exists() else "RUN", verdict.change
    if change.startswith("wlnn "):
        return f"go on with:  {change.replace('RUN', run)}"
    if can_go_on(landscape) and re.fullmatch(r"--steps \S+", change):
        return f"go on with:  wlnn resume {run} {change}"
    return f"sample again with:  wlnn sample ... --out NEW {change}"


def _weighed(landscape: Landscape, numbers: dict) -> list[tuple[str, str]]:
    """What the verdict weighs, as pairs of name and text."""
    lines, unit = [], landscape.unit
    if "trips" in numbers:
        when = "in the part that is averaged" if unit == "table" else "while S was measured"
        lines.append(("round trips", f"{numbers['trips']:.1f} of a {unit} {when}"))
    if "r_hat" in numbers:
        lines.append(("R-hat", f"{numbers['r_hat']:.2f} of x (below {R_HAT} is good)"))
    if "effective_size" in numbers:
        least = EFFECTIVE * landscape.n_walkers
        words = f"{numbers['effective_size']:.0f} positions in x ({least:.0f} are needed)"
        lines.append(("effective sample size", words))
    for key, name in (("halves", "two halves"), ("draws", "uniform draws")):
        if key in numbers:
            far = numbers[key]
            words = f"S differs by {abs(far['nats']):.2g} nats at {far['x']:.2f}"
            if far["errors"] is not None:
                words += f", {far['errors']:.1f} errors (at most {far['limit']:.1f} is good)"
            if key == "draws" and "sums" in numbers:
                words += "; sum of exp S {:.3f}, draws {:.3f}".format(*numbers["sums"])
            lines.append((name, words))
    if "error" in numbers:
        error = numbers["error"]
        lines.append(("largest error", f"± {error['nats']:.2g} nats of S(x) at {error['x']:.2f}"))
    return lines


def _temperatures(landscape: Landscape) -> list[str]:
    """Of molecular dynamics: kinetic temperatures, and what was lost on the way."""
    history, found = landscape.history, landscape.meta.get("temperatures", {"temperature": []})
    stretches = [f"{value:.3f}" for value in found["temperature"] if value is not None]
    excess, lines = np.abs(history["temperature"] - history["expected"]).max(), []
    if stretches:
        lines = [
            ("temperature", f"{' '.join(stretches)} in stretches of x from {found['x'][0]:.2f} up"),
            ("", f"at most {excess:.3f} from what the heat of the hills explains, in any period"),
        ]
    added = driven(landscape)
    words = "unknown: no round trip in x in the part that is averaged"
    if np.isfinite(added):
        words = f"a crossing of x adds {added:.2g} nats to S at the end: S is not known better"
    lines.append(("resolution", words))
    began = landscape.settings.get("walkers", 1) * landscape.n_walkers
    lost = began - int(history["alive"][:, -1].sum())
    if lost:
        lines.append(("walkers lost", f"{lost} diverged; their last rounds were taken back"))
    if (again := history.get("halved", np.zeros(1)).sum()) > 0:
        rounds = "1 round that" if again == 1 else f"{again:.0f} rounds that"
        lines.append(("made again", f"{rounds} diverged, with a smaller time step"))
    if history["outside"].any():
        lines.append(("outside the table", f"{history['outside'].max():.3%} of a period, at most"))
    return [f"  {name:<22}{text}" for name, text in lines]


def _curves(landscape: Landscape, per: str, rows: int | None) -> list[str]:
    """Table of S(x) and of the curves of y, with 95 % intervals over walkers."""
    x, y = landscape.grid.x, landscape.grid.y
    shift = landscape.entropy - landscape.rescaled(per)
    density = replace(landscape, entropies=landscape.entropies - shift)
    factor = landscape.t_factor()
    marginal = density.marginal_entropy()
    unit = unit_name(x, per)
    columns = [(f"S (nats per {f'unit of {unit}' if unit else 'row'})", marginal, ".2f")]
    if np.isfinite(y.lo):
        name = "smoothed accuracy" if landscape.accuracy_axis else y.name
        ridge = landscape.max_entropy_curve()
        if landscape.unit != "ladder":  # a bin of y
            ridge = ridge._replace(error=None)
        columns = [
            (f"equilibrium {name}", landscape.equilibrium_accuracy(), ".3f"),
            ("at maximum entropy", ridge, ".3f"),
            *columns,
        ]
        if landscape.accuracy.size:
            true = landscape.true_accuracy()._replace(error=None)
            columns.insert(1, ("true accuracy", true, ".3f"))
    table = [[x.name, *(name for name, _, _ in columns), ""]]
    for k in _chosen(landscape, rows):
        cells = [f"{x.centres[k]:.3f}"]
        for _, curve, form in columns:
            cell = format(curve.value[k], form)
            if curve.error is not None and np.isfinite(factor * curve.error[k]):
                cell += f" ± {format(factor * curve.error[k], form)}"
            cells.append(cell)
        table.append([*cells, "" if marginal.reliable[k] else "not reliable"])
    lines = [line.rstrip() for line in aligned(table, notes=True)]
    return [*lines, INTERVAL] if landscape.n_walkers > 1 else lines


def _chosen(landscape: Landscape, rows: int | None) -> np.ndarray:
    """Visited rows of x from the highest to the lowest: all, or about ``rows`` of them."""
    visited = np.flatnonzero(~np.isnan(landscape.entropy).all(axis=1))[::-1]
    if rows is None or visited.size <= rows:
        return visited
    return visited[np.unique(np.linspace(0, visited.size - 1, rows).round().astype(int))]
