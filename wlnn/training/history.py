"""Logs of somebody's own trainings, a run a file, as what a landscape is compared with.

It finds the files and the two columns that matter, and brings them together by epoch; reading is
done by ``tasks/readers/logs.py``, checks of the curves by ``curves.py``.
"""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.readers.logs import Log, Series, read_log
from wlnn.training.trained import Trained

TRAIN, TEST, VALID = "train", "test", "validation"
LOSS, ACCURACY, SMOOTHED = "loss", "accuracy", "smoothed"
WORDS = {  # of names of columns -> what they say; "" is left alone
    **dict.fromkeys(("train", "training"), TRAIN),
    **dict.fromkeys(("test", "testing"), TEST),
    **dict.fromkeys(("validation", "valid", "val", "eval", "dev"), VALID),
    **dict.fromkeys(("loss", "nll", "mse", "crossentropy", "l"), LOSS),
    **dict.fromkeys(("accuracy", "acc"), ACCURACY),
    "smoothed": SMOOTHED,
    "ln": "ln",
    **dict.fromkeys(("epoch", "mean", "avg", "sparse", "categorical", "binary"), ""),
}
NAME = re.compile("|".join(sorted(WORDS, key=len, reverse=True)))
WHOLE = re.compile(f"(?:{NAME.pattern})+")
SIDES = {TEST}, {VALID}  # the first is meant where both are there
NEEDED = {  # record -> what a name must say of it, in any order, and of whose data
    "test-accuracy": ({ACCURACY}, SIDES),
    "smoothed-accuracy": ({SMOOTHED, ACCURACY}, (*SIDES, set())),
    "ln-test-loss": ({LOSS}, SIDES),
}


class Choice(NamedTuple):
    """Columns that options name, and what their losses are."""

    train: str | None = None
    test: str | None = None
    ln: bool = False  # losses are logarithms already


def read_history(
    task, pattern: str, y: str, choice: Choice, train_loss: str | None
) -> tuple[Trained, list[str]]:
    """The runs of the files that a pattern names, and what was read, in words.

    Args:
        task: as of :meth:`Trained.from_curves`.
        pattern: a file, a folder of TensorBoard, or a pattern of them such as "logs/*.csv".
        y: the record to be compared, "test-accuracy", "smoothed-accuracy" or "ln-test-loss".
        choice: columns; those of common names where it says none.
        train_loss: as of :meth:`Trained.from_curves`.

    Raises:
        UserError: no file, a file that cannot be read, a column that is not there or not clear,
            epochs that do not fit, and all that is wrong with curves.
    """
    curves, chosen, notes = [], None, []
    paths = paths_of(pattern)
    for path in paths:
        log = read_log(path)
        columns = columns_of(log, y, choice)
        if chosen is not None and columns != chosen:
            raise UserError(
                f"{path}: its columns are {_quoted(columns)}, those of {paths[0]} are "
                f"{_quoted(chosen)}; name both by --train-column and --test-column."
            )
        chosen = columns
        train, test, note = together(log, *columns)
        notes += [note] * bool(note)
        names = [_loss(path, choice, columns[0], "train-loss", train), y]
        if y == "ln-test-loss":
            names[1] = _loss(path, choice, columns[1], "test-loss", test)
        curves.append(dict(zip(names, (train, test), strict=True)))
    made = _made(task, curves, paths, train_loss, pattern, y)
    runs = f"{len(paths)} runs" if len(paths) > 1 else "one run"
    what = f"train loss from '{chosen[0]}', {y.replace('-', ' ')} from '{chosen[1]}'"
    return made, [f"{pattern}: {runs}, {what}", *notes]


def _loss(path: Path, choice: Choice, column: str, name: str, values: np.ndarray) -> str:
    """The name of a curve that says whether it is a loss or its logarithm."""
    if choice.ln or _said(column).get("ln"):
        return f"ln-{name}"
    if (values < 0).any():
        raise UserError(
            f"{path}: '{column}' holds {values[values < 0][0]:.6g}, and no loss is negative; "
            "--ln-loss says that losses are ln L."
        )
    return name


def paths_of(pattern: str) -> list[Path]:
    """The files of a pattern, by the numbers in their names; UserError where there is none."""
    name = str(Path(pattern).expanduser())
    if Path(name).exists():
        return [Path(name)]
    found = sorted(glob.glob(name, recursive=True), key=_by_number)
    if not found:
        raise UserError(f"{pattern}: there is no such file, and none that fits as a pattern.")
    return [Path(path) for path in found]


def _by_number(path: str) -> list:
    """What sorts run-2 before run-10."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path)]


def columns_of(log: Log, y: str, choice: Choice) -> tuple[str, str]:
    """Names of the columns of the train loss and of y."""
    train = _named(log, choice.train, "--train-column") or _found(
        log, "train loss", "--train-column", {LOSS}, ({TRAIN}, set())
    )
    test = _named(log, choice.test, "--test-column") or _found(
        log, y.replace("-", " "), "--test-column", *NEEDED[y]
    )
    if train == test:
        raise UserError(f"{log.path}: '{train}' cannot be both, train loss and test performance.")
    return train, test


def _named(log: Log, name: str | None, option: str) -> str | None:
    if name is not None and name not in log.series:
        _refuse_words(log, [name])
        raise UserError(
            f"{option} {name}: {log.path} has no column of that name with numbers; it has "
            f"{_quoted(log.series) or 'none'}."
        )
    return name


def _found(log: Log, what: str, option: str, needed: set, sides: Sequence[set]) -> str:
    """The one column that is called so, of the first side of which there is any."""
    for side in sides:
        named = [name for name in log.series if _said(name).get("words") == needed | side]
        if not named:
            _refuse_words(log, [k for k in log.words if _said(k).get("words") == needed | side])
        if len(named) == 1:
            return named[0]
        if named:
            raise UserError(
                f"{log.path}: {_quoted(named)} may all be the {what}; say which by {option} NAME."
            )
    if not log.series:
        raise UserError(
            f"{log.path}: no column holds numbers alone, beside one of epochs or steps."
        )
    runs = f"; if its folders are runs, give '{log.path}/*'" * log.path.is_dir()
    raise UserError(
        f"{log.path}: no column is called like the {what}; say which it is by {option} NAME, of "
        f"{_quoted(log.series)}{runs}."
    )


def _refuse_words(log: Log, names: Sequence[str]) -> None:
    """UserError where a column that is asked for was left out for a cell that is no number."""
    for name in names:
        if name in log.words:
            line, cell = log.words[name]
            told = f"{log.path}: line {line}, column '{name}': '{cell[:40]}' is no number"
            if cell == name:
                told += "; the header stands there again: a file is one run, with one header"
            elif cell.rstrip().endswith("%"):
                told += "; write 0.5 for 50 %"
            elif cell.startswith("["):
                told += "; a value each epoch is needed, an object a line"
            raise UserError(f"{told}.")


def _said(name: str) -> dict:
    """What a name says: {"words": what it is, "ln": whether of its logarithm}; {} if unknown."""
    letters = re.sub(r"[^a-z0-9]", "", name.lower())
    if not WHOLE.fullmatch(letters):
        return {}
    words = {WORDS[word] for word in NAME.findall(letters)} - {""}
    return {"words": words - {"ln"}, "ln": "ln" in words}


def together(log: Log, train: str, test: str) -> tuple[np.ndarray, np.ndarray, str]:
    """Values of two columns at the epochs that have both, and a note where some have one."""
    first, second = (log.series[name] for name in (train, test))
    for name, one in ((train, first), (test, second)):
        _check_once(log, name, one)
    common, i, j = np.intersect1d(first.keys, second.keys, return_indices=True)
    if not len(common):
        raise UserError(
            f"{log.path}: '{train}' and '{test}' have no {log.key} in common ("
            f"{_some(first.keys)} and {_some(second.keys)}); log both at the end of an epoch."
        )
    note, most = "", max(len(first.keys), len(second.keys))
    if len(common) < most:
        note = (
            f"{log.path}: '{train}' and '{test}' stand together at {len(common)} of {most} "
            f"{log.key}s; the others are left out"
        )
    return first.values[i], second.values[j], note


def _check_once(log: Log, name: str, one: Series) -> None:
    """UserError where an epoch has two values, as in a file of several runs."""
    again = np.flatnonzero(np.diff(one.keys) == 0)
    if again.size:
        raise UserError(
            f"{log.path}: '{name}' has several values at {log.key} {one.keys[again[0]]:g}; a file "
            "is one run, with one value each epoch."
        )


def _some(keys: np.ndarray) -> str:
    return ", ".join(f"{key:g}" for key in keys[:3]) + ", ..." * (len(keys) > 3)


def _quoted(names) -> str:
    names = list(names)
    more = f" and {len(names) - 40} more" if len(names) > 40 else ""
    return ", ".join(f"'{name}'" for name in names[:40]) + more


def _made(task, curves, paths, train_loss, pattern: str, y: str) -> Trained:
    """The trainings; what is wrong with a curve is told of its file."""
    for path, one in zip(paths, curves, strict=True):
        try:
            Trained.from_curves(task, one, train_loss)
        except UserError as error:
            told = str(error).removeprefix("curves of run 0").lstrip(",: ")
            raise UserError(f"{path}: {told}") from error
    return Trained.from_curves(task, curves, train_loss, f"history {pattern}")
