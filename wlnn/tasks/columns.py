"""A user's CSV file as named columns: separator and decimal sign found, every cell accounted for.

What a column means (an input, a quantity, classes) is decided in ``own_data.py``.
"""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.readers import files

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "bars", " ": "blanks"}
DECIMAL_COMMA = re.compile(r"[+-]?\d*,\d+(?:[eE][+-]?\d+)?")
MISSING = ("", "na", "n/a", "nan", "null", "?")
ROW_NUMBER = re.compile(r"|index|level_0|unnamed: ?\d+|row(_?(id|number|index))?|id", re.IGNORECASE)
MOST_CELLS = 2**26  # of a table: some 8 GB as Python's texts or numbers
FEWEST_ROWS = 10  # three numbers in a row may be a quantity


class Columns(NamedTuple):
    """The columns of a table, by name: cells of a file as text, or numbers of arrays."""

    path: Path | str
    names: list[str]
    cells: dict[str, list[str] | np.ndarray]  # without the spaces around them; NaN is missing
    lines: list[int]  # line of the file of every row, or its number
    note: str = ""  # what was found out about the file, where it is not the usual
    decimal_comma: bool = False
    row: str = "line"  # what ``lines`` counts

    def texts(self, name: str, missing: str = "") -> list[str]:
        """The cells of one column, "" for a missing one; UserError where one may not be.

        ``missing`` is "mean" where it may, "refuse" where the user could allow it, "" elsewhere.
        """
        found = ["" if cell.lower() in MISSING else cell for cell in self.cells[name]]
        if missing != "mean" and "" in found:
            at = found.index("")
            raise self._refused(name, at, self.cells[name][at], missing)
        return found

    def numbers(self, name: str, missing: str = "") -> np.ndarray:
        """The finite numbers ``(N,)`` of one column; UserError names the first other cell.

        With ``missing`` "mean" a missing one is NaN.
        """
        cells = self.cells[name]
        if isinstance(cells, np.ndarray):
            values, gone = cells, np.isnan(cells)
        else:
            found = self.texts(name, missing)
            values = np.array([self._value(cell) for cell in found])
            gone = np.array([not cell for cell in found])
        allowed = gone if missing == "mean" else np.zeros(len(values), bool)
        for wrong in np.flatnonzero(~np.isfinite(values) & ~allowed):
            cell = str(cells[wrong])
            if self.is_text(name):
                instead = "code the words of this column as numbers (0 and 1), or leave it out"
                raise UserError(
                    f"{self._at(name, wrong)}: '{cell}' is no finite number; {instead}."
                )
            raise self._refused(name, wrong, cell, missing if gone[wrong] else "")
        return values

    def is_text(self, name: str) -> bool:
        """Whether no cell of a column is a number: it holds names, then."""
        cells = self.cells[name]
        return not isinstance(cells, np.ndarray) and not any(
            number(cell.replace(",", ".")) is not None for cell in cells
        )

    def of_rows(self, rows: np.ndarray) -> Columns:
        """Some of the rows, in that order."""
        cells = {
            name: column[rows] if isinstance(column, np.ndarray) else [column[k] for k in rows]
            for name, column in self.cells.items()
        }
        return self._replace(cells=cells, lines=[self.lines[k] for k in rows])

    def _value(self, cell: str) -> float:
        value = number(cell.replace(",", ".") if self.decimal_comma else cell)
        return np.nan if value is None else value

    def _at(self, name: str, row: int) -> str:
        return f"{self.path}: {self.row} {self.lines[row]}, column '{name}'"

    def _refused(self, name: str, row: int, cell: str, missing: str) -> UserError:
        what = f"'{cell}' is no finite number" if cell else "the cell is empty"
        instead = "or leave the row out"
        if missing:
            instead = "leave the row out, or give --missing mean"
        return UserError(f"{self._at(name, row)}: {what}; write one, {instead}.")


def number(cell: str) -> float | None:
    """The number in a cell, or None; underscores are of Python's texts and not of tables."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def read_columns(path) -> Columns:
    """The columns of a CSV file with a header, between :data:`SEPARATORS`.

    A decimal comma is read where another sign separates the columns and no cell has a point.

    Raises:
        UserError: a missing, empty or unreadable file, no header, a column without a name or with
            that of another, a row of another length, decimal commas beside decimal points.
    """
    path, wanted = Path(path), "a CSV file: a header, and rows of numbers"
    try:
        text = files.read_bytes(path, wanted).decode("utf-8-sig")
        separator = _separator(text)
        refuse_too_many(path, text.count(separator) + text.count("\n"))
        reader = _reader(io.StringIO(text, newline=""), separator)
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: cannot be read: no CSV text in UTF-8 ({error}).") from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if not rows:
        raise UserError(f"{path}: the file is empty; a header and rows of numbers are needed.")
    names = rows.pop(0)[1]
    if all(number(cell) is not None for cell in names):
        raise UserError(f"{path}: line 1 holds numbers; a header with column names is needed.")
    often = Counter(names)
    for name in names:
        if not name or often[name] > 1:
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
    note = ""
    if separator != ",":
        sign = " and decimal commas" * commas
        note = f"{path.name}: read with {SEPARATORS[separator]} between columns{sign}"
    cells = dict(
        zip(names, map(list, zip(*(cells for _, cells in rows), strict=True)), strict=True)
    )
    return Columns(path, names, cells, [line for line, _ in rows], note, commas)


def refuse_too_many(path, cells: int) -> None:
    """UserError for a table of more than :data:`MOST_CELLS` cells, before they take memory."""
    if cells > MOST_CELLS:
        raise UserError(
            f"{path}: has {cells:,} cells; tables of {MOST_CELLS:,} are read at most: take fewer "
            "rows."
        )


def _reader(lines, separator: str):
    """A reader of the cells of each line; blanks separate however many they are."""
    if separator != " ":
        return csv.reader(lines, delimiter=separator)
    return csv.reader((line.strip() for line in lines), delimiter=" ", skipinitialspace=True)


def _separator(text: str) -> str:
    """The sign that cuts the first lines into as many cells as the header, and it into the most.

    Blanks are of words too: they separate where no other sign does, and all lines agree.
    """
    first, best, most = text[:100_000].splitlines()[:20], ",", (0.0, 1)
    for sign in SEPARATORS:
        counts = [len(cells) for cells in _reader(first, sign) if any(cells)]
        if counts and counts[0] > 1 and (sign != " " or most[1] == 1):
            agreeing = sum(count == counts[0] for count in counts[1:]) / max(len(counts) - 1, 1)
            if (agreeing, counts[0]) > most and (sign != " " or agreeing == 1):
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
    return len(values) >= FEWEST_ROWS and bool((np.diff(values / 2) == 0.5).all())
