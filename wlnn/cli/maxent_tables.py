"""Result tables as CSV and JSON; a value that does not exist is empty (CSV) or null (JSON)."""

from __future__ import annotations

import csv
import io
import json
import math
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.store import write_file


def flat(row: dict) -> dict:
    """One CSV row: a list under ``p`` becomes the columns p(0), p(1), ..."""
    columns = {}
    for name, value in row.items():
        if isinstance(value, list):
            columns |= {f"{name}({n})": item for n, item in enumerate(value)}
        else:
            columns[name] = value
    return {name: "" if _missing(value) else value for name, value in columns.items()}


def _missing(value) -> bool:
    return value is None or (isinstance(value, float) and not math.isfinite(value))


def _plain(value):
    """The value for JSON, which has no NaN."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return None if _missing(value) else value


def columns(rows: list[dict]) -> list[str]:
    """Columns of all rows in order; the members of a list stay together, p(0) to the largest."""
    names: dict[str, list[str]] = {}
    for row in rows:
        for name in row:
            group = names.setdefault(name.split("(")[0], [])
            if name not in group:
                group.append(name)
    return [name for group in names.values() for name in group]


def csv_text(rows: list[dict]) -> str:
    """The table as CSV with a header line."""
    rows = [flat(row) for row in rows]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns(rows), restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write_table(folder: Path, name: str, rows: list[dict], about: dict) -> list[Path]:
    """``name.csv`` and ``name.json`` (rows with ``about``) in ``folder``; returns their paths."""
    document = json.dumps(_plain({**about, "rows": rows}), indent=1, allow_nan=False)
    contents = {".csv": csv_text(rows), ".json": document + "\n"}
    paths = [folder / (name + ending) for ending in contents]
    for path, text in zip(paths, contents.values(), strict=True):
        write_file(path, lambda file, text=text: file.write(text.encode()))
    return paths


def output_folder(path) -> Path:
    """The folder for results, made if missing; a UserError if it cannot be."""
    folder = Path(path)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"--out {folder}: this folder cannot be made: {error.strerror}.") from None
    return folder


def read_matrix(path) -> np.ndarray:
    """The numbers of a text file, one row a line, spaces or commas between them, (K, D).

    Raises:
        UserError: no such file, no numbers, or lines of unequal length.
    """
    try:
        lines = Path(path).read_text(encoding="utf-8").splitlines()
        rows = [[float(word) for word in line.replace(",", " ").split()] for line in lines]
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or '').lower()}.") from error
    except ValueError as error:
        raise UserError(f"{path}: holds something that is no number ({error}).") from error
    rows = [row for row in rows if row]
    if not rows or len({len(row) for row in rows}) > 1 or not np.isfinite(rows).all():
        raise UserError(f"{path}: must hold finite numbers, equally many in every line.")
    return np.array(rows)
