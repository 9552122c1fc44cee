"""Curves that somebody's own loop recorded, checked, as records of trainings.

What is wrong with them is told in one sentence each. It trains nothing and reads no file: that is
``history.py``; what is made of the records is ``trained.py``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.training.train import EXPLODED

KNOWN = {  # what a curve may be called -> the record it is
    "train-loss": "ln-train-loss",
    "ln-train-loss": "ln-train-loss",
    "test-loss": "ln-test-loss",
    "ln-test-loss": "ln-test-loss",
    "test-accuracy": "test-accuracy",
    "smoothed-accuracy": "smoothed-accuracy",
}
SINGLE = 1e-6  # of numbers in single precision, relative


class Records(NamedTuple):
    """What :class:`wlnn.training.trained.Trained` holds, of R runs."""

    records: dict[str, np.ndarray]  # (R, epochs + 1): NaN at the start, and after a run's end
    diverged: np.ndarray  # (R,) epoch at whose end a run was found diverged, or -1


def described(task) -> dict:
    """The description of a task, or of the task that a result is of, as results hold it.

    Raises:
        UserError: neither, or a result of something that is not trained.
    """
    if hasattr(task, "describe"):
        return store.as_json(task.describe())
    about = getattr(task, "meta", {}).get("task")
    if not isinstance(about, dict) or "loss" not in about or "y" not in about:
        raise UserError(
            f"curves are of a Task, or of a result of one (a Landscape, say), not of "
            f"{f'a {type(task).__name__}' if about is None else 'something without a loss'}."
        )
    return about


def recorded(about: dict, curves, y: str | None = None) -> Records:
    """Curves of runs as records by epoch.

    Args:
        about: of the task, as :func:`described` gives it.
        curves: a mapping of curves by name, or a sequence of them, one or more runs each.
        y: the record that must be there; that of the task if None.

    Raises:
        UserError: see :meth:`wlnn.training.trained.Trained.from_curves`.
    """
    sets = [curves] if _names(curves) is not None else curves
    if isinstance(sets, str | bytes) or not isinstance(sets, Sequence | np.ndarray):
        raise UserError(
            f"curves must be a mapping such as {{'train-loss': [..], 'test-accuracy': [..]}}, or a "
            f"list of them, one for each run, and not a {type(curves).__name__}."
        )
    if not len(sets):
        raise UserError("there are no curves: an empty list has no run.")
    runs = [run for k, one in enumerate(sets) for run in _runs(about, one, y or about["y"], k)]
    names = [name for name in dict.fromkeys(KNOWN.values()) if all(name in run for run in runs)]
    epochs = max(len(run[names[0]]) for run in runs)
    records = {name: np.full((len(runs), epochs + 1), np.nan) for name in names}
    diverged = np.full(len(runs), -1)
    for k, run in enumerate(runs):
        length = len(run[names[0]])
        end = _lost(run, y or about["y"], k)
        if end < length:
            diverged[k] = end + 1
        for name in names:
            records[name][k, 1 : end + 1] = run[name][:end]
    return Records(records, diverged)


def _lost(run: dict[str, np.ndarray], y: str, k: int) -> int:
    """How many epochs of run k went well: all, or those before it diverged.

    Diverged is what own trainings call so, and a test performance that is NaN: the mean of an
    epoch's losses is a number still in the epoch in which a network is lost.
    """
    x = run["ln-train-loss"]
    lost = ~(x - x[0] <= EXPLODED) if np.isfinite(x[0]) else ~(x < np.inf)
    nan = np.isnan(run[y])
    end, first = (int(np.append(found, True).argmax()) for found in (lost, nan))
    if first < end - 1:
        raise UserError(
            f"curves of run {k}: epoch {first + 1} has no {y.replace('-', ' ')} (NaN), and its "
            "train loss is a number still; give epochs that have both."
        )
    return min(first, end)


def _names(curves) -> list[str] | None:
    """Names of the curves of a mapping, a data frame or a structured array; None of others."""
    if isinstance(curves, Mapping) or hasattr(curves, "keys"):
        return [str(name) for name in curves.keys()]  # noqa: SIM118 - a data frame's are columns
    dtype = getattr(curves, "dtype", None)
    return list(dtype.names) if getattr(dtype, "names", None) else None


def _runs(about: dict, curves, y: str, k: int) -> list[dict[str, np.ndarray]]:
    """Records ``(epochs,)`` by name of each run of one mapping; ``k`` is its place, for words."""
    there, where = _names(curves), f"curves of run {k}"
    if there is None:
        raise UserError(
            f"{where}: a mapping of curves by name is needed, such as {{'train-loss': [..], "
            f"'{y}': [..]}}, not a {type(curves).__name__}."
        )
    found: dict[str, tuple[str, np.ndarray]] = {}
    for name in there:
        word = name.replace("_", "-")
        if word in KNOWN:
            if KNOWN[word] in found:
                raise UserError(
                    f"{where}: '{found[KNOWN[word]][0]}' and '{name}' are the same curve; give "
                    "one of them."
                )
            found[KNOWN[word]] = name, _numbers(f"{where}, '{name}'", curves[name])
    for record in ("ln-train-loss", y):
        if record not in found:
            names = [f"'{name}'" for name, is_of in KNOWN.items() if is_of == record]
            raise UserError(
                f"{where}: there is no {' or '.join(names)}, only {', '.join(there) or 'nothing'}"
                f"{_instead(about, record)}."
            )
    shapes = {name: values.shape for name, values in found.values()}
    if len(set(shapes.values())) > 1:
        sizes = ", ".join(f"'{name}' {' x '.join(map(str, size))}" for name, size in shapes.items())
        raise UserError(f"{where}: curves must be of one length, a value each epoch: {sizes}.")
    rows = np.atleast_2d(found["ln-train-loss"][1]).shape[0]
    return [
        {
            record: _checked(
                about, record, name, np.atleast_2d(values)[r], f"curves of run {k + r}"
            )
            for record, (name, values) in found.items()
        }
        for r in range(rows)
    ]


def _numbers(where: str, values) -> np.ndarray:
    """A curve ``(epochs,)``, or curves ``(R, epochs)``."""
    try:
        found = np.asarray(values, dtype=float)
    except (TypeError, ValueError, RuntimeError, OverflowError) as error:
        raise UserError(f"{where}: must be numbers, one for each epoch: {error}.") from error
    if found.ndim == 0:
        raise UserError(f"{where}: is a single number; a curve has one for each epoch.")
    if found.ndim > 2 or not found.size:
        shape = " x ".join(map(str, found.shape))
        raise UserError(
            f"{where}: has the shape {shape}; a curve is (epochs,), and curves of several runs are "
            "(runs, epochs)."
        )
    return found


def _instead(about: dict, record: str) -> str:
    """What to record where the y of the task is missing."""
    if record == "smoothed-accuracy":
        return (
            f"; y of this landscape is the smoothed accuracy (alpha = {about.get('alpha')}), which "
            "wlnn.networks.losses.smoothed_accuracy gives of a network's outputs"
        )
    return ""


def _checked(about: dict, record: str, name: str, values: np.ndarray, where: str) -> np.ndarray:
    """One curve as its record ``(epochs,)``; NaN from where it says that its run diverged."""
    where = f"{where}, '{name}'"
    gone = np.isnan(values) if record != "ln-train-loss" else ~(values < np.inf)
    if gone.any() and not gone[gone.argmax() :].all():
        back = gone.argmax() + (~gone[gone.argmax() :]).argmax()
        raise UserError(
            f"{where}: epoch {gone.argmax() + 1} is {values[gone.argmax()]}, and epoch {back + 1} "
            f"a number again; a run that diverged stays so: leave that epoch out of all its curves."
        )
    if name.replace("_", "-") in ("train-loss", "test-loss"):
        if (values < 0).any():
            k = int((values < 0).argmax())
            raise UserError(
                f"{where}: epoch {k + 1} is {values[k]:.6g}, and no loss is negative; a curve of "
                f"ln(loss) is called 'ln-{name.replace('_', '-')}'."
            )
        with np.errstate(divide="ignore"):
            values = np.log(values)
    elif record in ("test-accuracy", "smoothed-accuracy"):
        _check_accuracy(about, record, values, where)
    return values


def _check_accuracy(about: dict, record: str, values: np.ndarray, where: str) -> None:
    """UserError for what is no accuracy, or that of no network on the task's own test set."""
    outside = (values < 0) | (values > 1 + SINGLE)
    if outside.any():
        k = int(outside.argmax())
        percent = "; divide per cent by 100" if 1 < values[k] <= 100 else ""
        raise UserError(
            f"{where}: epoch {k + 1} is {values[k]:.6g}, and an accuracy is from 0 to 1{percent}."
        )
    points = about.get("points")
    if record != "test-accuracy" or not points:
        return
    n, known = points[1], values[~np.isnan(values)]
    rounded = 0.5 * 10.0 ** -_decimals(known) + SINGLE
    off = np.abs(known * n - np.round(known * n)) > n * rounded
    if off.any():
        raise UserError(
            f"{where}: the landscape's test set has {n} points, and {known[off][0]:.6g} is no "
            f"multiple of 1/{n}; it must be the accuracy on that very set, of the network at the "
            "end of an epoch, and no smoothed curve."
        )


def _decimals(values: np.ndarray) -> int:
    """Digits after the point that all values were rounded to, 9 where they were not."""
    for digits in range(9):
        if (np.abs(values - np.round(values, digits)) <= SINGLE * np.abs(values)).all():
            return digits
    return 9
