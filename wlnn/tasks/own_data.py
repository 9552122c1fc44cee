"""Data of one's own: which columns of two files are inputs, which are targets, and of what kind.

How a file becomes columns is told in ``columns.py``; nothing here knows networks or losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.columns import Columns, counts_rows, is_row_number, read_columns
from wlnn.tasks.datasets import Dataset, scaled

MOST_CLASSES = 20  # more distinct integers than this are probably not classes: ask


def read_csv(
    train, test, target: str | Sequence[str], task: str | None = None, standardise: bool = True
) -> Dataset:
    """Training and test set from two CSV files of numbers with one and the same header.

    Args:
        train, test: paths; separated by commas, semicolons or tabs, first line = column names,
            UTF-8. The columns of the test file may come in another order.
        target: name of the target column, or several, "a,b" or a list, which are quantities then;
            every other column is an input.
        task: "classify" (integer classes or names, mapped in rising order to labels 0..K-1),
            "regress", or None: classify when every target is an integer, or none is a number, and
            there are at most 20 different ones.
        standardise: subtract the training mean of each input (and of each real target) and divide
            by its standard deviation (population; a constant input becomes 0). The numbers used are
            in ``source``, as are the class values.

    Raises:
        UserError: a missing, empty or unreadable file, text or NaN in a cell, a row of another
            length, a missing or doubled column, different columns in the two files, row numbers
            among the inputs, a single class, a test class that training never shows, targets that
            are no classes, several that may be classes, numbers too far apart to be standardised.
    """
    if task not in (None, "classify", "regress"):
        raise UserError(f"task must be 'classify' or 'regress', not {task!r}.")
    files = {"train": read_columns(train), "test": read_columns(test)}
    targets = _targets(*files.values(), target)
    inputs = [name for name in files["train"].names if name not in targets]
    if not inputs:
        raise UserError(
            f"{train}: {_named(targets)} is the only column; at least one input is needed."
            if len(targets) == 1
            else f"{train}: every column is a target; at least one input is needed."
        )
    x = {part: _stacked(found, inputs) for part, found in files.items()}
    notes = [found.note for found in files.values() if found.note]
    notes += _row_numbers(files["train"], inputs, x["train"], x["test"])
    source = {
        "train": Path(train).name,
        "test": Path(test).name,
        "target": targets[0] if len(targets) == 1 else targets,
        "inputs": inputs,
    }
    if standardise:
        x, source["input_mean"], source["input_std"] = _standardised(files, inputs, x)
    told = f"{len(inputs)} input{'s' * (len(inputs) > 1)} {_named(inputs)}; the target"
    told += f"s {_named(targets)} are" if len(targets) > 1 else f" {_named(targets)}"
    classes = _classes(files, targets, task)
    if classes is None:
        y = {part: _stacked(found, targets) for part, found in files.items()}
        for name, column in zip(targets, y["train"].T, strict=True):
            if not np.ptp(column / 2):
                raise UserError(f"{train}: the target '{name}' is the same in every row.")
        if standardise:
            y, mean, std = _standardised(files, targets, y)
            single = len(targets) == 1
            source |= {"target_mean": mean[0] if single else mean}
            source |= {"target_std": std[0] if single else std}
        notes.append(f"{told} quantities" if len(targets) > 1 else f"{told} is a quantity")
        return Dataset(x["train"], y["train"], x["test"], y["test"], source, tuple(notes))
    labels, source["classes"], said, instead = classes
    shown = ", ".join(said[:8]) + ", ..." * (len(said) > 8)
    notes.append(f"{told} has {len(said)} classes, {shown}{instead}")
    return Dataset(x["train"], labels["train"], x["test"], labels["test"], source, tuple(notes))


def _stacked(found: Columns, names: list[str]) -> np.ndarray:
    """The numbers ``(N, d)`` of some columns."""
    return np.stack([found.numbers(name) for name in names], axis=1)


def _standardised(files: dict[str, Columns], names: list[str], values: dict[str, np.ndarray]):
    """Columns of both sets by the mean and deviation of training, and these two."""
    train, test, mean, std = scaled(values["train"], values["test"])
    values = {"train": train, "test": test}
    for part, found in values.items():
        for at in np.flatnonzero(~np.isfinite(found).all(axis=0)):
            raise UserError(
                f"{files[part].path}: column '{names[at]}' has numbers too far from those of "
                "training to be standardised; look for a wrong one, or take its logarithm."
            )
    return values, mean, std


def _classes(files: dict[str, Columns], targets: list[str], task: str | None):
    """Labels of both sets, the values of the classes, these in words and what to do if they are
    none; None where the targets are quantities."""
    train, test = files.values()
    if len(targets) > 1:
        if task == "classify":
            raise UserError(
                f"{train.path}: {_named(targets)} are {len(targets)} targets; several are "
                "quantities, and classes come in one column."
            )
        found = [_whole(train.numbers(name)) for name in targets]
        if task is None and all(found):
            raise UserError(
                f"{train.path}: the targets {_named(targets)} hold whole numbers only; say --kind "
                "regress if they are quantities, or write classes into one column."
            )
        return None
    (target,) = targets
    names = task != "regress" and train.is_text(target)
    y = {
        part: np.array(found.texts(target)) if names else found.numbers(target)
        for part, found in files.items()
    }
    whole = names or all(_whole(part) for part in y.values())
    classes = np.unique(y["train"])
    if task == "classify" and not whole:
        raise UserError(
            f"{train.path}: the target '{target}' has numbers that are no whole classes."
        )
    if task is None and whole and len(classes) > MOST_CLASSES:
        kind = "names" if names else "whole numbers"
        raise UserError(
            f"{train.path}: the target '{target}' has {len(classes)} different {kind}; say "
            + ("--kind classify if they are classes." if names else "--kind classify or regress.")
        )
    if task == "regress" or not whole:
        return None
    said = [str(name) if names else f"{name:.0f}" for name in classes]
    if len(classes) < 2:
        raise UserError(
            f"{train.path}: the target '{target}' is {said[0]} in every row; two classes or more "
            "are needed."
        )
    instead = "" if names or task else "; if it is a quantity, give --kind regress"
    unknown = np.setdiff1d(y["test"], classes)
    if unknown.size:
        first = unknown[0] if names else f"{unknown[0]:.0f}"
        raise UserError(
            f"{test.path}: the target '{target}' has class {first}, which {train.path} never shows"
            f"{instead}."
        )
    labels = {part: np.searchsorted(classes, found) for part, found in y.items()}
    return labels, said if names else [int(c) for c in classes], said, instead


def _whole(values: np.ndarray) -> bool:
    """Whether all are whole numbers, and not merely too large to have digits after the point."""
    return bool((values == np.round(values)).all() and np.abs(values).max() < 2**53)


def _targets(train: Columns, test: Columns, target: str | Sequence[str]) -> list[str]:
    """The target columns; UserError where one is missing or the files have different columns."""
    for this, other in ((train, test), (test, train)):
        for name in this.names:
            if name not in other.names:
                raise UserError(
                    f"{other.path}: there is no column '{name}', which {this.path} has."
                )
    if not isinstance(target, str):
        targets = list(target)
    elif target in train.names:  # a name may have a comma
        targets = [target]
    else:
        targets = [name.strip() for name in target.split(",")]
    for name in targets:
        if name not in train.names:
            raise UserError(
                f"{train.path}: there is no target column '{name}'; the columns are "
                f"{_named(train.names)}."
            )
        if targets.count(name) > 1:
            raise UserError(f"{train.path}: the target column '{name}' is named twice.")
    return targets


def _row_numbers(train: Columns, inputs: list[str], x_train, x_test) -> list[str]:
    """Notes on inputs that rise by one from row to row; UserError for an index by its name.

    A network would learn the order of the file, from which nothing of the test set follows.
    """
    notes = []
    for name, of_train, of_test in zip(inputs, x_train.T, x_test.T, strict=True):
        if is_row_number(of_train, name) and is_row_number(of_test, name):
            raise UserError(
                f"{train.path}: the column '{name}' numbers the rows and is no input; leave it out "
                "of both files (pandas: to_csv(..., index=False))."
            )
        if counts_rows(of_train):
            notes.append(
                f"the input '{name}' rises by one from row to row of {train.path.name}: leave it "
                "out if it numbers the rows"
            )
    return notes


def _named(columns: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in columns[:8])
    return shown + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
