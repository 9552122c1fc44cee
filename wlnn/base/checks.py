"""Checks of the numbers users give to this package; each error says what to give instead."""

from __future__ import annotations

import math

from wlnn.base.errors import UserError

MOST_CONTEXTS = 10**6  # sums run over K + 1 sizes of patterns
SMALLEST, LARGEST = 1e-6, 1e6  # scales; their fourth powers are summed in double precision


def check_contexts(contexts: int) -> int:
    """The number of contexts K as an int >= 1."""
    if isinstance(contexts, bool) or contexts not in range(1, MOST_CONTEXTS + 1):
        raise UserError(f"contexts = {contexts}: give a whole number from 1 to {MOST_CONTEXTS:,}.")
    return int(contexts)


def check_scale(value: float, name: str = "weight scale", least: float = 0.0) -> float:
    """A positive finite number above ``least``, and of a size that can be squared twice."""
    if not (math.isfinite(value) and value > least):
        raise UserError(f"{name} = {value}: give a number above {least:g}.")
    if not SMALLEST <= value <= LARGEST:
        raise UserError(f"{name} = {value}: give a number from {SMALLEST:g} to {LARGEST:g}.")
    return float(value)


def check_probability(f: float) -> float:
    """A prior probability strictly between 0 and 1."""
    if not 0 < f < 1:
        raise UserError(f"f = {f}: the prior probability of a gain must lie in (0, 1).")
    return float(f)
