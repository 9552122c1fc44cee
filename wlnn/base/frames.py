"""Columns as a data frame of pandas, arrays as a data set of xarray, series of walkers for ArviZ.

The only file that loads these libraries. They are in the extra `export`; nothing else needs them.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import ModuleType

import numpy as np

from wlnn.base.errors import UserError


def data_frame(columns: Mapping[str, np.ndarray]):
    """A ``pandas.DataFrame`` of columns ``(n,)`` each; UserError without pandas."""
    return _library("pandas").DataFrame(dict(columns))


def data_set(variables: Mapping[str, tuple], coordinates: Mapping[str, tuple], notes: Mapping):
    """An ``xarray.Dataset``; variables and coordinates are ``(dimensions, array[, attributes])``.

    Raises:
        UserError: xarray is not installed.
    """
    return _library("xarray").Dataset(dict(variables), dict(coordinates), dict(notes))


def chains(series: Mapping[str, np.ndarray], notes: Mapping):
    """What ArviZ calls ``InferenceData``, from version 1 on a ``DataTree``, with one group.

    Args:
        series: arrays ``(R, n)``; "posterior" has them with dimensions chain and draw.

    Raises:
        UserError: arviz is not installed.
    """
    arviz = _library("arviz")
    posterior = data_set(
        {name: (("chain", "draw"), each) for name, each in series.items()}, {}, notes
    )
    if hasattr(arviz, "convert_to_datatree"):
        return arviz.convert_to_datatree(posterior)
    return arviz.convert_to_inference_data(posterior)


def _library(name: str) -> ModuleType:
    try:
        return import_module(name)
    except ImportError as error:
        raise UserError(
            f"{name} is not installed; install it, or wlnn with its extra: pip install "
            "'wlnn[export]'."
        ) from error
