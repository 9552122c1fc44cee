"""Checks of the numbers users give to this package; each error says what to give instead."""

from __future__ import annotations

import math

from wlnn.base.errors import UserError


def check_contexts(contexts: int) -> int:
    """The number of contexts K as an int >= 1."""
    if isinstance(contexts, bool) or int(contexts) != contexts or contexts < 1:
        raise UserError(f"contexts = {contexts}: give a whole number of at least 1.")
    return int(contexts)


def check_scale(value: float, name: str = "weight scale", least: float = 0.0) -> float:
    """A positive finite number above ``least``."""
    if not (math.isfinite(value) and value > least):
        raise UserError(f"{name} = {value}: give a number above {least:g}.")
    return float(value)


def check_probability(f: float) -> float:
    """A prior probability strictly between 0 and 1."""
    if not 0 < f < 1:
        raise UserError(f"f = {f}: the prior probability of a gain must lie in (0, 1).")
    return float(f)
