"""Data of one's own: which columns of two files are inputs, which are targets, and of what kind.

How a file becomes columns is told in ``columns.py`` and ``own_files.py``; nothing here knows
networks or losses.
"""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Real
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.columns import Columns, counts_rows, is_row_number
from wlnn.tasks.datasets import Dataset, scaled, seeded_split
from wlnn.tasks.own_files import CLASS, columns_of

MOST_CLASSES = 20  # more distinct integers than this are probably not classes: ask


def read_own(
    train,
    test=None,
    target: str | Sequence[str] = "",
    task: str | None = None,
    standardise: bool = True,
    missing: str = "refuse",
    split: float | None = None,
    split_seed: int = 0,
) -> Dataset:
    """Training and test set from two tables with one and the same header, or from one.

    Args:
        train, test: data frames, or paths: CSV (see :func:`.columns.read_columns`; first line
            = column names, UTF-8), npy, npz, Parquet, or a folder of folders of images, one for
            each class. The columns of the test file may come in another order.
        target: name of the target column, or several, "a,b" or a list, which are quantities then;
            every other column is an input. Of images "class", if it is not given.
        task: "classify" (integer classes or names, mapped in rising order to labels 0..K-1),
            "regress", or None: classify when every target is an integer, or none is a number, and
            there are at most 20 different ones.
        standardise: subtract the training mean of each input (and of each real target) and divide
            by its standard deviation (population; a constant input becomes 0). The numbers used are
            in ``source``, as are the class values. An input of words becomes a column of zeros and
            ones for each of them, which are left as they are.
        missing: "refuse", or "mean": an input's missing cells become its mean in training; those of
            words the shares of each word there.
        split: instead of ``test``: part of the rows of ``train`` that are trained with, drawn with
            ``split_seed``; the others are the test set.

    Raises:
        UserError: a missing, empty or unreadable file, text or NaN in a cell, a row of another
            length, a missing or doubled column, different columns in the two files, row numbers
            among the inputs, a single class, a test class that training never shows, targets that
            are no classes, several that may be classes, numbers too far apart to be standardised.
    """
    for name, value, known in (
        ("task", task, (None, "classify", "regress")),
        ("missing", missing, ("refuse", "mean")),
    ):
        if value not in known:
            raise UserError(f"{name} must be {' or '.join(map(repr, known[-2:]))}, not {value!r}.")
    files, notes = _both(train, test, split, split_seed)
    train, test = (found.path for found in files.values())
    targets = _targets(*files.values(), target)
    names = [name for name in files["train"].names if name not in targets]
    if not names:
        raise UserError(
            f"{train}: {_named(targets)} is the only column; at least one input is needed."
            if len(targets) == 1
            else f"{train}: every column is a target; at least one input is needed."
        )
    x, inputs, words, about, of_inputs = _inputs(files, names, missing)
    notes += [*of_inputs, *_row_numbers(files["train"], inputs, words, x["train"], x["test"])]
    source = {
        "train": Path(train).name,
        "test": Path(test).name,
        "target": targets[0] if len(targets) == 1 else targets,
        "inputs": inputs,
        **about,
    }
    if split is not None:
        source |= {"split": float(split), "split_seed": int(split_seed)}
        del source["test"]
    if standardise:
        numbers = np.flatnonzero(~words)
        plain = {part: found[:, numbers] for part, found in x.items()}
        plain, mean, std = _standardised(files, [inputs[k] for k in numbers], plain)
        means, stds = np.zeros(len(inputs)), np.ones(len(inputs))
        means[numbers], stds[numbers] = mean, std
        for part, found in x.items():
            found[:, numbers] = plain[part]
        source |= {"input_mean": means.tolist(), "input_std": stds.tolist()}
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
        notes += _copies(files["train"], inputs, x["train"], y["train"])
        notes.append(f"{told} quantities" if len(targets) > 1 else f"{told} is a quantity")
        return Dataset(x["train"], y["train"], x["test"], y["test"], source, tuple(notes))
    labels, source["classes"], said, instead = classes
    notes += _copies(files["train"], inputs, x["train"], labels["train"][:, None])
    shown = ", ".join(said[:8]) + ", ..." * (len(said) > 8)
    notes.append(f"{told} has {len(said)} classes, {shown}{instead}")
    return Dataset(x["train"], labels["train"], x["test"], labels["test"], source, tuple(notes))


def _both(train, test, split, split_seed) -> tuple[dict[str, Columns], list[str]]:
    """The rows of training and of test, and what is to be told of their files."""
    if (test is None) == (split is None):
        raise UserError("give a test set, or split=0.5 for that part of the rows to train with.")
    whole = columns_of(train)
    if split is None:
        files = {"train": whole, "test": columns_of(test)}
        return files, [found.note for found in files.values() if found.note]
    if not isinstance(split, Real) or not 0 < split < 1:
        raise UserError(f"--split must lie between 0 and 1, not {split}: a part of the rows.")
    n = len(whole.lines)
    first = min(max(round(split * n), 1), n - 1)
    if n < 2:
        raise UserError(f"{whole.path}: has one row, which cannot be split.")
    drawn = seeded_split(whole.path, n, split_seed, first, n - first)
    files = dict(zip(("train", "test"), map(whole.of_rows, drawn), strict=True))
    told = f"{first} of {n} rows train, {n - first} test (split seed {split_seed})"
    return files, [*([whole.note] if whole.note else []), told]


def _inputs(files: dict[str, Columns], names: list[str], missing: str):
    """Inputs of both sets ``(N, d)``, their names, which of them are of words ``(d,)``, what is
    stored of them, and what is told."""
    parts: dict[str, list] = {part: [] for part in files}
    inputs, words, notes, about = [], [], [], {}
    for name in names:
        known = _words(files, name, missing) if files["train"].is_text(name) else None
        columns = {}
        for part, found in files.items():
            if known is None:
                columns[part] = found.numbers(name, missing)[:, None]
                continue
            cells = np.array(found.texts(name, missing))
            columns[part] = (cells[:, None] == np.array(known)).astype(float)
            columns[part][cells == ""] = np.nan
        gone = {part: int(np.isnan(found[:, 0]).sum()) for part, found in columns.items()}
        if any(gone.values()):
            if gone["train"] == len(columns["train"]):
                raise UserError(
                    f"{files['train'].path}: column '{name}' has no value at all; leave it out."
                )
            mean = np.nanmean(columns["train"], axis=0)
            columns = {
                part: np.where(np.isnan(found), mean, found) for part, found in columns.items()
            }
            about.setdefault("missing", {})[name] = [gone["train"], gone["test"]]
            cells = sum(gone.values())
            became = "the mean" if known is None else "the shares of its words"
            notes.append(
                f"{cells} missing cell{'s' * (cells > 1)} of '{name}' became {became} in training"
            )
        if known is not None:
            about.setdefault("words", {})[name] = known
            notes.append(f"the words of '{name}' became {len(known)} inputs: {', '.join(known)}")
        inputs += [name] if known is None else [f"{name}={word}" for word in known]
        words += [known is not None] * columns["train"].shape[1]
        for part, found in columns.items():
            parts[part].append(found)
    x = {part: np.concatenate(found, axis=1) for part, found in parts.items()}
    return x, inputs, np.array(words), about, notes


def _words(files: dict[str, Columns], name: str, missing: str) -> list[str]:
    """The words of an input in training, in sorted order; UserError for too many or new ones."""
    train, test = files.values()
    known = sorted(set(train.texts(name, missing)) - {""})
    if len(known) > MOST_CLASSES:
        raise UserError(
            f"{train.path}: column '{name}' has {len(known)} different words; more than "
            f"{MOST_CLASSES} are no input: leave it out, or code them as numbers."
        )
    new = sorted(set(test.texts(name, missing)) - {"", *known})
    if new:
        raise UserError(
            f"{test.path}: column '{name}' has the word '{new[0]}', which training never shows; "
            "leave its rows out, or move some of them there."
        )
    return known


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
        known = set(other.names)
        for name in this.names:
            if name not in known:
                raise UserError(
                    f"{other.path}: there is no column '{name}', which {this.path} has."
                )
    if isinstance(target, Real):  # a data frame may have numbers as names
        target = str(target)
    if not target and CLASS in train.names and train.row == "image":
        targets = [CLASS]
    elif not target:
        raise UserError(
            f"{train.path}: which column is the target? Its columns are {_named(train.names)}."
        )
    elif not isinstance(target, str):
        targets = [str(name) for name in target]
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


def _row_numbers(train: Columns, inputs: list[str], words, x_train, x_test) -> list[str]:
    """Notes on inputs that rise by one from row to row; UserError for an index by its name.

    A network would learn the order of the file, from which nothing of the test set follows.
    """
    notes = []
    for name, skip, of_train, of_test in zip(inputs, words, x_train.T, x_test.T, strict=True):
        if skip:
            continue
        if is_row_number(of_train, name) and is_row_number(of_test, name):
            raise UserError(
                f"{train.path}: the column '{name}' numbers the rows and is no input; leave it out "
                "of both files (pandas: to_csv(..., index=False))."
            )
        if counts_rows(of_train):
            notes.append(
                f"the input '{name}' rises by one from row to row of {Path(train.path).name}: "
                "leave it out if it numbers the rows"
            )
    return notes


def _copies(train: Columns, inputs: list[str], x: np.ndarray, y: np.ndarray) -> list[str]:
    """Notes on inputs that are a target, up to scale and zero: nothing is learnt from them."""
    with np.errstate(all="ignore"):
        x, y = x - x.mean(axis=0), y - y.mean(axis=0)
        norms = np.linalg.norm(x, axis=0)[:, None] * np.linalg.norm(y, axis=0)
        same = (np.abs(x.T @ y) > (1 - 1e-12) * norms) & (norms > 0) & (len(x) > 2)
    return [
        f"the input '{name}' is a target up to scale and zero in {Path(train.path).name}: leave it "
        "out if it is a copy"
        for name, found in zip(inputs, same.any(axis=1), strict=True)
        if found
    ]


def _named(columns: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in columns[:8])
    return shown + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")
