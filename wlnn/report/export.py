"""A result as tables and notes for other programs: CSV files of a folder, or one JSON text.

What the tables hold is in docs/format.md. Nothing is computed here, and nothing rounded.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.tables import NAMES, columns_of
from wlnn.landscape.verdict import verdict_of
from wlnn.report.landscape import describe, title_of
from wlnn.training.trained import Trained
from wlnn.training.tuning import Tuning

BRIEF = ("curves", "curve", "settings")  # tables of few rows
ERRORS = "one standard error of the mean"


class Exported(NamedTuple):
    """Tables of columns ``(n,)`` by name, and what they are of."""

    about: dict
    tables: dict[str, dict[str, np.ndarray]]


def exported(result: Landscape | Trained | Trajectories | Tuning) -> Exported:
    """The tables of a result, as ``runs.find.find_result`` loads it."""
    if isinstance(result, Landscape):
        return _landscape(result)
    if isinstance(result, Trained):
        return _trained(result)
    if isinstance(result, Trajectories):
        about = _about("md", title_of(result.meta["task"]), result.meta)
        return Exported(about, {"records": result.table()})
    title = f"tuning of {title_of(result.meta.get('task', {}))}"
    return Exported(_about("tuning", title, result.meta), {"settings": result.columns})


def _landscape(landscape: Landscape) -> Exported:
    title, notes = describe(landscape)
    about = _about("landscape", title, landscape.meta)
    x, y = (list(axis) for axis in landscape.grid)
    about |= {
        "walkers": notes,
        "verdict": verdict_of(landscape).sentence,
        "axes": {"x": x, "y": y},
        "S": f"ln of the {landscape.measure} of a bin, nats",
        "t_factor_95": landscape.t_factor(),  # half a 95 % interval / standard error
    }
    tables = {name: columns_of(landscape, name) for name in NAMES}
    return Exported(about, {name: table for name, table in tables.items() if table})


def _trained(trained: Trained) -> Exported:
    about = _about("trained", title_of(trained.meta.get("task", {})), trained.meta)
    tables, y = {"epochs": trained.columns()}, trained.meta.get("task", {}).get("y")
    if y in trained.records and trained.kept.any():
        about["curve"] = f"mean {y} of trainings in bins of ln(train loss)"
        tables["curve"] = trained.curve(y).columns()
    return Exported(about, tables)


def _about(kind: str, title: str, meta: dict) -> dict:
    return {"kind": kind, "title": title, "errors": ERRORS, "meta": meta}


def write_csv(result: Exported, folder) -> list[Path]:
    """A CSV file for each table and ``about.json``; UserError where one of them is there already.

    Numbers are written with all their digits, NaN as NaN.
    """
    folder = Path(folder)
    texts = {f"{name}.csv": _csv(table) for name, table in result.tables.items()}
    texts["about.json"] = json.dumps(plain(result.about), indent=1) + "\n"
    for name in texts:
        if (folder / name).exists():
            raise UserError(f"{folder / name}: is there already; give another folder with --csv.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(f"{folder}: cannot be made: {reason}.") from error
    return [write_text(folder / name, text) for name, text in texts.items()]


def write_text(path: Path, text: str) -> Path:
    """A text as a file, whole or not at all; UserError as ``store.write_file``."""
    return store.write_file(path, lambda file: file.write(text.encode()))


def as_text(result: Exported) -> str:
    """``{"about": ..., "tables": {table: {column: [...]}}}`` as JSON, NaN and infinity as null."""
    return json.dumps({"about": plain(result.about), "tables": plain(result.tables)})


def in_brief(result, lines: list[str]) -> str:
    """JSON of what `wlnn info` says: its lines, the notes, and the curves of a result alone."""
    found = exported(result)
    curves = {name: table for name, table in found.tables.items() if name in BRIEF}
    return json.dumps({"about": plain(found.about), "lines": lines, "tables": plain(curves)})


def plain(value):
    """Lists, numbers and texts that every reader of JSON takes: what is not finite is None."""
    if isinstance(value, dict):
        return {str(key): plain(each) for key, each in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def write_columns(path: Path, columns: dict[str, np.ndarray]) -> Path:
    """Columns ``(n,)`` as a CSV file; UserError as ``store.write_file``."""
    return write_text(path, _csv(columns))


def _csv(table: dict[str, np.ndarray]) -> str:
    cells = [[_cell(value) for value in column.tolist()] for column in table.values()]
    return "\n".join([",".join(table), *(",".join(row) for row in zip(*cells, strict=True)), ""])


def _cell(value) -> str:
    """A number with all digits; infinities and NaN as R, Julia and NumPy read them."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and not np.isfinite(value):
        return "NaN" if np.isnan(value) else ("Inf" if value > 0 else "-Inf")
    return repr(value)
