"""Logs of trainings as named columns by epoch: CSV, a JSON object a line, or files of TensorBoard.

Which column is the train loss, and what a run is, is decided in ``wlnn/training/history.py``.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.columns import MISSING, number, read_columns
from wlnn.tasks.readers import files

WANTED = "a log of a training (CSV, a JSON object a line, or a file or folder of TensorBoard)"
KEYS = ("epoch", "step")  # columns that say which rows belong together, the first there is


class Series(NamedTuple):
    """What a log says of one quantity: cells that are empty are not in it."""

    keys: np.ndarray  # (n,) epoch, step, or number of the row; rising, or equal
    values: np.ndarray  # (n,) NaN and infinity where the log says so


class Log(NamedTuple):
    """The columns of a log that hold numbers."""

    path: Path
    key: str  # what the keys are: "epoch", "step" or "row"
    series: dict[str, Series]
    words: dict[str, tuple[int, str]]  # of columns that are left out: line and cell, no number


def read_log(path) -> Log:
    """The log in a file, or in a folder of TensorBoard.

    Raises:
        UserError: a file that is missing, unreadable or no log.
    """
    path = Path(path)
    if path.is_dir() or "tfevents" in path.name:
        from wlnn.tasks.readers.event_files import read_scalars

        key, found, words = "step", read_scalars(path), {}
    else:
        key, found, words = _of_rows(path, _rows_of(path))
    return Log(path, key, {name: _rising(*found[name]) for name in found}, words)


def _rows_of(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """Line and cells of every row of a text file."""
    if files.read_bytes(path, WANTED).lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in (b"{", b"["):
        return _objects(path)
    columns = read_columns(path)
    commas = columns.decimal_comma

    def cells(k: int) -> dict[str, object]:
        row = {name: columns.cells[name][k] for name in columns.names}
        return {name: cell.replace(",", ".") if commas else cell for name, cell in row.items()}

    return ((line, cells(k)) for k, line in enumerate(columns.lines))


def _objects(path: Path) -> Iterator[tuple[int, dict[str, object]]]:
    """The JSON objects of a file, one a line; those inside them by "outer/inner"."""
    try:
        lines = files.read_bytes(path, WANTED).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: is no text in UTF-8 ({error}); {WANTED} is needed.") from error
    for line, text in enumerate(lines, 1):
        if text.strip():
            try:
                found = json.loads(text)
            except (ValueError, RecursionError) as error:
                raise UserError(
                    f"{path}: line {line} is no JSON ({error}); one object a line is needed."
                ) from error
            if not isinstance(found, dict):
                raise UserError(
                    f'{path}: line {line} is no JSON object such as {{"epoch": 1, "loss": '
                    f"0.5}}, but {text.strip()[:40]}; one object a line is needed."
                )
            yield line, _flat(found)


def _flat(found: dict, before: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for name, value in found.items():
        flat |= (
            _flat(value, f"{before}{name}/") if isinstance(value, dict) else {before + name: value}
        )
    return flat


def _of_rows(path: Path, rows) -> tuple[str, dict[str, tuple[list, list]], dict]:
    """Keys and values by column; columns with cells that are no numbers are left out.

    Of those, the first such cell and its line are the third part.
    """
    rows = list(rows)
    names = list(dict.fromkeys(name for _, row in rows for name in row))
    key = next((name for word in KEYS for name in names if name.strip().lower() == word), None)
    found: dict[str, tuple[list, list]] = {name: ([], []) for name in names if name != key}
    for k, (line, row) in enumerate(rows):
        at = k + 1 if key is None else _value(row.get(key))
        if at is None:
            continue  # a row of no epoch, such as a summary at the end
        if not math.isfinite(at):
            raise UserError(
                f"{path}: line {line}, column '{key}': '{row[key]}' is no number; it tells which "
                "rows belong together."
            )
        for name in found.keys() & row.keys():
            value = _value(row[name])
            if value is not None:
                found[name][0].append(at)
                found[name][1].append(value)
    words: dict[str, tuple[int, str]] = {}
    for line, row in rows:
        for name, cell in row.items():
            if name != key and name not in words and _is_text(cell):
                words[name] = line, str(cell)
    numbers = {name: column for name, column in found.items() if name not in words and column[0]}
    return (key or "row").strip().lower(), numbers, words


def _value(cell) -> float | None:
    """A number, NaN where the log says NaN, None where it says nothing (or a word)."""
    if isinstance(cell, bool) or cell is None:
        return None
    if isinstance(cell, int | float):
        try:
            return float(cell)
        except OverflowError:
            return math.inf
    if not isinstance(cell, str):
        return None
    return number(cell)


def _is_text(cell) -> bool:
    """Whether a cell holds something that is no number."""
    if isinstance(cell, str):
        return number(cell) is None and cell.lower() not in MISSING
    return cell is not None and (isinstance(cell, bool) or not isinstance(cell, int | float))


def _rising(keys, values) -> Series:
    """A column in the order of its keys."""
    order = np.argsort(np.asarray(keys, float), kind="stable")
    return Series(np.asarray(keys, float)[order], np.asarray(values, float)[order])
