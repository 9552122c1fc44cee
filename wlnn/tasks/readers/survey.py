"""Looks through a folder for the data of every task, reads what it finds, and says what is missing.

It prints nothing.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wlnn.base.errors import UserError
from wlnn.settings.tables import read_table
from wlnn.tasks.readers import catalogue

MADE = {
    "spiral-classify": "makes its data itself",
    "spiral-regress": "makes its data itself",
}
DEPTH = 2  # folders below the one that is looked through


class Found(NamedTuple):
    """What there is of one task."""

    task: str
    state: str  # "ready ...", "made ...", "missing"
    lines: list[str]


def survey(path, task: str | None = None) -> list[Found]:
    """Every task, or one, with the first sound file for it in ``path``.

    Raises:
        UserError: no such path or task.
    """
    path = Path(path)
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder.")
    known = [*MADE, *catalogue.FILES]
    if task is not None and task not in known:
        raise UserError(f"there is no task '{task}'; use one of {', '.join(known)}.")
    return [_of_task(name, path) for name in known if task in (None, name)]


def _of_task(name: str, path: Path) -> Found:
    if name in MADE:
        return Found(name, f"ready: {MADE[name]}", [])
    need, wrong = catalogue.FILES[name], []
    for file in _candidates(name, path):
        try:
            return Found(name, f"ready: --data {file}", [_counted(name, file)])
        except UserError as error:
            wrong.append(f"not usable: {error}")
    lines = [*wrong, f"needs: {need.wanted}", f"looks like: {need.looks}", f"from: {need.origin}"]
    if name in catalogue.SHIPPED:
        lines = [line.replace("needs: ", "other selections need: ") for line in lines]
        return Found(name, "ready: comes with the package", [_counted(name, None), *lines])
    return Found(name, "missing: give --data PATH", lines)


def _candidates(name: str, path: Path) -> list[Path]:
    """The file itself, or files of the usual names in the folder and below, each once."""
    if path.is_file():
        return [path]
    folders = [path]
    for depth in range(1, DEPTH + 1):
        folders += sorted(p for p in path.glob("/".join("*" * depth)) if p.is_dir())
    found = []
    for folder in folders:
        try:
            file = catalogue.FILES[name].locate(folder)
        except UserError:
            continue
        if file not in found:
            found.append(file)
    return found


def _counted(name: str, file: Path | None) -> str:
    """A line on what a file holds; UserError if it is not what the task needs.

    Where the file lacks the published selection, another draw of its images still serves.
    """
    draw, note = read_table(name).data, ""
    try:
        data = catalogue.read(name, draw, file)
    except UserError:
        if draw.selection != "published":
            raise
        draw = read_table(name, overrides=["data.selection=seeded"]).data
        try:
            data = catalogue.read(name, draw, file)
        except UserError:
            small = ["data.selection=seeded", "data.points=20", "data.test_points=20"]
            data = catalogue.read(name, read_table(name, overrides=small).data, file)
            note = "; too few for the published numbers: give --points as well"
        note = "; not the published selection: give --data-seed N" + note
    shape = " x ".join(str(length) for length in data.x_train.shape[1:])
    return f"{len(data.y_train)} + {len(data.y_test)} examples of {shape} numbers{note}"
