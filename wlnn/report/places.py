"""In words: where networks that somebody trained lie on a landscape."""

from __future__ import annotations

import numpy as np

from wlnn.landscape.landscape import Landscape
from wlnn.landscape.places import Known, Place

PER_CENT = -np.log(1000)  # shares above one in 1000 are told in per cent


def higher_is_better(landscape: Landscape) -> bool:
    """Whether y is an accuracy, or whatever else: of losses alone the lower one is better."""
    return _is_own(landscape) or not landscape.grid.y.name.startswith("ln")


def _is_own(landscape: Landscape) -> bool:
    """Whether y is an ``Observable`` of somebody's, of which nobody knows what is better."""
    return "own_y" in landscape.meta.get("task", {})


def shown_y(landscape: Landscape, y: float) -> float:
    """y, or the smoothed accuracy itself where the axis is a function of one."""
    axis = landscape.accuracy_axis
    return float(axis.inverse(np, np.float64(y))) if axis else y


def sides(landscape: Landscape, one: Place) -> tuple[Known, Known]:
    """ln of the shares of all networks of the same x that do worse, and that do better."""
    return (one.lower, one.higher) if higher_is_better(landscape) else (one.higher, one.lower)


def table(landscape: Landscape, found: list[tuple[str, Place, int]]) -> list[str]:
    """One line a network: name, place, and parameters outside the box."""
    width = max(len("network"), *(len(name) for name, *_ in found))
    factor = landscape.t_factor()
    x_name, y_name = landscape.grid.x.name, landscape.grid.y.name
    x_wide, y_wide = max(9, len(x_name)), max(9, len(y_name))
    less, more = "as bad or worse", "as good or better"
    if _is_own(landscape):
        less, more = "as low or lower", "as high or higher"
    lines = [
        f"{'network':{width}}  {x_name:>{x_wide}}  {y_name:>{y_wide}}  {'S (nats)':>16}  "
        f"{'below the ridge':>16}  {less:>16}  {more:>17}  outside"
    ]
    for name, one, outside in found:
        worse, better = (_share(known, factor) for known in sides(landscape, one))
        y = shown_y(landscape, one.y)
        depth, below = _nats(one.entropy, factor), _nats(one.below, factor)
        lines.append(
            f"{name:{width}}  {one.x:{x_wide}.3f}  {y:{y_wide}.4g}  {depth:>16}  {below:>16}  "
            f"{worse:>16}  {better:>17}"
            + f"  {outside:7d}"
            + "  not reliable" * (not one.reliable and not np.isnan(one.entropy.value))
        )
    return lines


def sentence(landscape: Landscape, one: Place, outside: int) -> str:
    """What the landscape says of a single network."""
    x, y = landscape.grid
    at = f"{x.name} = {one.x:.3f}, {y.name} = {shown_y(landscape, one.y):.4g}"
    box = (
        f" {outside} of its parameters lie outside the box, so that it is none of the networks "
        "that are counted: compare it with care."
    ) * bool(outside)
    if np.isnan(one.entropy.value):
        i, j = (int(k) for k in landscape.grid.index(one.x, one.y))
        why = "outside the window of the landscape" if min(i, j) < 0 else "where no walker ever was"
        return f"It lies at {at}, {why}.{box}"
    factor = landscape.t_factor()
    worse, better = (_share(known, factor) for known in sides(landscape, one))
    safe = "" if one.reliable else " Not reliable: too few walkers were there."
    if _is_own(landscape):
        return (
            f"It lies at {at}, {_nats(one.below, factor)} nats below the ridge of its {x.name}: of "
            f"all networks there, {worse} are as low or lower in {y.name}, and {better} as high or "
            f"higher.{safe}{box}"
        )
    return (
        f"It lies at {at}, {_nats(one.below, factor)} nats below the ridge of its {x.name}: of all "
        f"networks there, {worse} do as badly or worse, and {better} as well or better.{safe}{box}"
    )


def _half(known: Known, factor: float, form: str) -> str:
    half = factor * known.error
    return "" if np.isnan(half) else f" ± {half:{form}}"


def _nats(known: Known, factor: float) -> str:
    if np.isnan(known.value):
        return "-"
    return f"{known.value:.2f}{_half(known, factor, '.2f')}"


def _share(known: Known, factor: float) -> str:
    if np.isnan(known.value):
        return "-"
    if known.value < PER_CENT:
        return f"1 in e^({-known.value:.1f}{_half(known, factor, '.1f')})"
    share = 100 * np.exp(known.value)
    return f"{share:.3g}{_half(known, factor * share, '.2g')} %"
