"""What the Monte Carlo driver asks of a system: three functions, chosen by the system's type.

    refresh(system, theta) -> (x, y)          recompute every cache from theta
    propose(system, theta, i, new) -> (x, y)  observables if theta[i] were ``new``; theta unchanged
    commit(system, theta, i, new)             make the proposal just evaluated the current state

``commit`` is called while theta[i] still holds the old value. Rejecting a proposal calls nothing.
A system is a NamedTuple; files that define one :func:`register` it where they do. Nothing is moved
here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.backend.binning import GUESS_SHIFT
from wlnn.backend.dispatch import by_type


@by_type(error_model="numpy")
def refresh(system, theta):
    """Recompute the caches of ``system`` from ``theta (P,)``; returns (x, y)."""


@by_type(error_model="numpy", forceinline=True)
def propose(system, theta, i, new):
    """Observables (x, y) with ``theta[i]`` replaced by ``new``; rejecting needs no undo."""


@by_type(error_model="numpy", forceinline=True)
def commit(system, theta, i, new):
    """Make the last proposal current; called before the driver writes ``theta[i] = new``."""


@by_type(error_model="numpy", forceinline=True)
def x_bin(system, bins, x):
    """Bin of what the system's functions return as x: -1 below the window (and NaN), nx above."""


@by_type(error_model="numpy", forceinline=True)
def x_value(system, x):
    """x in units of its axis from what the system's functions return as x."""


def _bin_between(value, limits, per_bin, n):
    """Bin k with ``limits[k] <= value < limits[k + 1]``: a guess that rounding may put one off.

    -1 below the window and for NaN, n above. Definition: ``grid.Axis.index``.
    """
    if not value >= limits[0]:
        return -1
    if value >= limits[n]:
        return n
    k = min(int((value - limits[0]) * per_bin), n - 1)
    if value < limits[k]:
        return k - 1
    if value >= limits[k + 1]:
        return k + 1
    return k


bin_between = njit(_bin_between, cache=True, inline="always")


def _x_bin(system, bins, x):
    return bin_between(x, bins.x_limits, bins.x_per_bin, bins.nx)


def _x_bin_exponential(system, bins, x):
    """The same for exp(x): a guess from the leading bits of the number, then a short search."""
    if not x >= bins.exp_limits[0]:
        return -1
    if x >= bins.exp_limits[bins.nx]:
        return bins.nx
    k = bins.guess[(np.float64(x).view(np.int64) >> GUESS_SHIFT) - bins.guess_first]
    while x >= bins.exp_limits[k + 1]:
        k += 1
    return k


def _y_bin(bins, y):
    """The same for y; every number lies in the one bin of a grid that has no y axis."""
    if bins.ny > 1:
        return bin_between(y, bins.y_limits, bins.y_per_bin, bins.ny)
    return 0 if y == y else -1


y_bin = njit(_y_bin, cache=True, inline="always")


def _same(system, x):
    return x


def _ln(system, x):
    return math.log(x) if x > 0.0 else -np.inf


_ASKED = refresh, propose, commit


def register(kind: type, *, refresh, propose, commit, exponential: bool = False) -> None:
    """Teach the driver a system: the NamedTuple class ``kind`` and its three functions.

    With ``exponential`` they return exp(x) in place of x, such as the loss instead of its
    logarithm; it is binned by a table of exp(edges), which saves one logarithm per step.
    """
    for function, taught in zip(_ASKED, (refresh, propose, commit), strict=True):
        function.register(kind)(taught)
    x_bin.register(kind)(_x_bin_exponential if exponential else _x_bin)
    x_value.register(kind)(_ln if exponential else _same)


class FunctionSystem(NamedTuple):
    """A user's compiled function ``theta (P,) -> (x, y)``, evaluated whole at every step."""

    function: object


def _function_refresh(system, theta):
    return system.function(theta)


def _function_propose(system, theta, i, new):
    old = theta[i]
    theta[i] = new
    value = system.function(theta)
    theta[i] = old
    return value


def _function_commit(system, theta, i, new):
    pass


register(
    FunctionSystem, refresh=_function_refresh, propose=_function_propose, commit=_function_commit
)
