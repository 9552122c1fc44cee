"""A landscape as tables of columns and as named arrays, for export; it computes nothing new.

All errors are one standard error; ``Landscape.t_factor`` times it is half the 95 % interval.
"""

from __future__ import annotations

import json

import numpy as np

from wlnn.base import frames
from wlnn.base.errors import UserError

NAMES = ("bins", "curves", "history")


def columns_of(landscape, name: str) -> dict[str, np.ndarray]:
    """The columns ``(n,)`` of one table of a landscape.

    * "bins": every visited bin: x, y (centres), S, S_error (nats), visits, reliable; accuracy, the
      mean true one, where y is a smoothed accuracy.
    * "curves": every visited row of x: S, the equilibrium curve and their errors, the y of maximum
      entropy, reliable; true_accuracy where y is a smoothed one. No curves of y on a single y bin.
    * "history": every stage of every walker or table, as ``Landscape.history`` names it.

    Raises:
        UserError: another name.
    """
    if name not in NAMES:
        raise UserError(f"a landscape has the tables {', '.join(NAMES)}, and no '{name}'.")
    return {"bins": _bins, "curves": _curves, "history": _history}[name](landscape)


def _bins(landscape) -> dict[str, np.ndarray]:
    entropy = landscape.entropy
    i, j = np.nonzero(~np.isnan(entropy))
    columns = {
        "x": landscape.grid.x.centres[i],
        "y": landscape.y_values[j],
        "S": entropy[i, j],
        "S_error": landscape.error[i, j],
        "visits": landscape.visits[i, j],
        "reliable": landscape.reliable[i, j],
    }
    if landscape.accuracy.size:
        columns["accuracy"] = landscape.accuracy[i, j]
    return columns


def _curves(landscape) -> dict[str, np.ndarray]:
    visited = ~np.isnan(landscape.entropy).all(axis=1)
    marginal = landscape.marginal_entropy()
    columns = {"x": marginal.x, "S": marginal.value, "S_error": marginal.error}
    if np.isfinite(landscape.grid.y.lo):
        mean, highest = landscape.equilibrium_accuracy(), landscape.max_entropy_curve()
        columns |= {"equilibrium": mean.value, "equilibrium_error": mean.error}
        columns["maximum_entropy"] = highest.value
        if landscape.accuracy.size:
            columns["true_accuracy"] = landscape.true_accuracy().value
    columns["reliable"] = marginal.reliable
    return {name: values[visited] for name, values in columns.items()}


def _history(landscape) -> dict[str, np.ndarray]:
    """Records of one length; another length would be of no walker's stages."""
    shapes = {values.shape for values in landscape.history.values() if values.ndim == 2}
    if not shapes:
        return {}
    rows, stages = max(shapes, key=lambda shape: shape[1])
    walker, stage = np.indices((rows, stages))
    columns = {landscape.unit: walker.ravel(), "stage": stage.ravel() + 1}
    for name, values in landscape.history.items():
        if values.shape == (rows, stages):
            columns[name] = values.ravel()
    return columns


def to_xarray(landscape):
    """The landscape as an ``xarray.Dataset`` with dimensions walker (or table), x, y and stage.

    "S", "S_error", "visits", "reliable" ``(x, y)``, "entropies" ``(walker, x, y)``, and each record
    of the history; ``meta`` as JSON text in the attributes.

    Raises:
        UserError: xarray is not installed.
    """
    unit, plane = landscape.unit, ("x", "y")
    nats = {"units": "nats"}
    variables = {
        "S": (plane, landscape.entropy, {**nats, "long_name": "entropy, mean over walkers"}),
        "S_error": (plane, landscape.error, {**nats, "long_name": "one standard error of S"}),
        "visits": (plane, landscape.visits),
        "reliable": (plane, landscape.reliable),
        "entropies": ((unit, *plane), landscape.entropies, nats),
    }
    if landscape.accuracy.size:
        variables["accuracy"] = (plane, landscape.accuracy)
    records = _history(landscape)
    shape = (-1, int(records["stage"].max())) if records else ()
    for name, values in records.items():
        if name not in (unit, "stage"):
            variables[name] = ((unit, "stage"), values.reshape(shape))
    coordinates = {
        "x": ("x", landscape.grid.x.centres, {"long_name": landscape.grid.x.name}),
        "y": ("y", landscape.y_values, {"long_name": landscape.grid.y.name}),
    }
    notes = {"t_factor_95": landscape.t_factor(), "meta": json.dumps(landscape.meta)}
    return frames.data_set(variables, coordinates, notes)


def to_arviz(landscape):
    """The mean x of every stage of each walker while S was measured, for diagnostics of chains.

    ``posterior["x"]`` has dimensions chain (walker) and draw (stage). ``arviz.rhat`` with method
    "split" is that of the verdict, and so is ``arviz.ess`` with "mean" but for its last term.

    Raises:
        UserError: ladders, molecular dynamics and old runs, which record no such series; arviz is
            not installed.
    """
    x = landscape.history.get("x_mean", np.zeros((0, 0)))[:, landscape.measured_from :]
    if not x.size:
        raise UserError(
            "this landscape has no time series of its walkers: Monte Carlo records one, with "
            "wlmc.estimator = 'common'."
        )
    return frames.chains({"x": x}, {"meta": json.dumps(landscape.meta)})
