"""A user's CSV file as named columns: separator and decimal sign found, every cell accounted for.

What a column means (an input, a quantity, classes) is decided in ``own_data.py``.
"""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.readers import files

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs"}
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
MISSING = ("", "na", "n/a", "nan", "null", "?")
ROW_NUMBER = re.compile(r"|index|level_0|unnamed: ?\d+|row(_?(id|number|index))?|id", re.IGNORECASE)
FEWEST_ROWS = 10  # three numbers in a row may be a quantity


class Columns(NamedTuple):
    """Cells of a CSV file as text."""

    path: Path
    names: list[str]
    lines: list[int]  # line of the file of every row
    cells: list[list[str]]  # [row][column], without the spaces around them
    separator: str
    decimal_comma: bool

    def texts(self, name: str) -> list[str]:
        """The cells of one column; UserError where one is empty or stands for a missing value."""
        at = self.names.index(name)
        found = [row[at] for row in self.cells]
        for line, cell in zip(self.lines, found, strict=True):
            if cell.lower() in MISSING:
                raise UserError(
                    f"{self.path}: line {line}, column '{name}': "
                    + (f"'{cell}' is no finite number" if cell else "the cell is empty")
                    + "; write one, or leave the row out."
                )
        return found

    def numbers(self, name: str) -> np.ndarray:
        """The finite numbers ``(N,)`` of one column; UserError names the first other cell."""
        found = self.texts(name)
        values = np.array([self._value(cell) for cell in found])
        for wrong in np.flatnonzero(~np.isfinite(values)):
            instead = "write one, or leave the row out"
            if self.is_text(name):
                instead = "code the words of this column as numbers (0 and 1), or leave it out"
            raise UserError(
                f"{self.path}: line {self.lines[wrong]}, column '{name}': '{found[wrong]}' is no "
                f"finite number; {instead}."
            )
        return values

    def is_text(self, name: str) -> bool:
        """Whether no cell of a column is a number: it holds names, then."""
        at = self.names.index(name)
        return not any(number(row[at].replace(",", ".")) is not None for row in self.cells)

    def _value(self, cell: str) -> float:
        value = number(cell.replace(",", ".") if self.decimal_comma else cell)
        return np.nan if value is None else value

    @property
    def note(self) -> str:
        """What was found out about the file, where it is not the usual."""
        sign = " and decimal commas" * self.decimal_comma
        if self.separator == ",":
            return ""
        return f"{self.path.name}: read with {SEPARATORS[self.separator]} between columns{sign}"


def number(cell: str) -> float | None:
    """The number in a cell, or None; underscores are of Python's texts and not of tables."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def read_columns(path) -> Columns:
    """The columns of a CSV file with a header, separated by commas, semicolons or tabs.

    A decimal comma is read where another sign separates the columns and no cell has a point.

    Raises:
        UserError: a missing, empty or unreadable file, no header, a column without a name or with
            that of another, a row of another length, decimal commas beside decimal points.
    """
    path, wanted = Path(path), "a CSV file: a header, and rows of numbers"
    try:
        text = files.read_bytes(path, wanted).decode("utf-8-sig")
        separator = _separator(text)
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: no CSV text in UTF-8 ({error}).") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise UserError(f"{path}: the file is empty; a header and rows of numbers are needed.")
    names = rows.pop(0)[1]
    if all(number(cell) is not None for cell in names):
        raise UserError(f"{path}: line 1 holds numbers; a header with column names is needed.")
    for name in names:
        if not name or names.count(name) > 1:
            index = "" if name else " (an index that pandas wrote? use to_csv(..., index=False))"
            raise UserError(
                f"{path}: the header has {'two columns' if name else 'a column'} named '{name}'"
                f"{index}; every column needs a name of its own."
            )
    if not rows:
        raise UserError(f"{path}: there is a header but no row of numbers.")
    for line, cells in rows:
        if len(cells) != len(names):
            raise UserError(f"{path}: line {line} has {len(cells)} cells, the header {len(names)}.")
    commas = separator != "," and _has_decimal_commas(path, names, rows)
    lines, cells = [line for line, _ in rows], [cells for _, cells in rows]
    return Columns(path, names, lines, cells, separator, commas)


def _separator(text: str) -> str:
    """The sign that cuts the first lines into as many cells as the header, and it into the most."""
    first, best, most = text[:100_000].splitlines()[:20], ",", (0.0, 1)
    for sign in SEPARATORS:
        counts = [len(cells) for cells in csv.reader(first, delimiter=sign) if any(cells)]
        if counts and counts[0] > 1:
            agreeing = sum(count == counts[0] for count in counts[1:]) / max(len(counts) - 1, 1)
            if (agreeing, counts[0]) > most:
                best, most = sign, (agreeing, counts[0])
    return best


def _has_decimal_commas(path: Path, names: list[str], rows: list) -> bool:
    """Whether numbers have decimal commas; UserError where others of the file have points."""
    with_comma = [
        (line, name, cell)
        for line, cells in rows
        for name, cell in zip(names, cells, strict=True)
        if DECIMAL_COMMA.fullmatch(cell)
    ]
    points = any("." in c and number(c) is not None for _, cells in rows for c in cells)
    if with_comma and points:
        line, name, cell = with_comma[0]
        raise UserError(
            f"{path}: line {line}, column '{name}': '{cell}' has a comma where other numbers of "
            "the file have a point; write all of them with points."
        )
    return bool(with_comma)


def is_row_number(values: np.ndarray, name: str) -> bool:
    """Whether a column called like an index numbers the rows: whole numbers, each once."""
    whole = (values == np.round(values)).all() and len(np.unique(values)) == len(values)
    return bool(ROW_NUMBER.fullmatch(name)) and bool(whole)


def counts_rows(values: np.ndarray) -> bool:
    """Whether numbers rise by one from row to row, in rows enough for no chance."""
    return len(values) >= FEWEST_ROWS and bool((np.diff(values) == 1).all())
