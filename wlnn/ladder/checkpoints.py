"""Ladders on disk: one file a ladder. Nothing here decides when to save."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.ladder.rungs import Rungs
from wlnn.ladder.samples import Samples, together
from wlnn.ladder.state import Ladder
from wlnn.landscape.grid import Grid
from wlnn.settings.ladder import LadderSettings

NUMBERS = ("number", "phase", "unit", "units", "steps", "share", "descents", "caught")
ARRAYS = (
    "dt",
    "order",
    "theta",
    "v",
    "drawn",
    "capacity",
    "reached",
    "tried",
    "accepted",
    "kinetic",
)


def run_identity(problem, settings: LadderSettings, grid: Grid) -> dict:
    """What two runs must share to be one run, as it comes back from JSON."""
    return store.as_json(
        {
            "task": problem.name,
            "sampler": "ladder",
            "problem": problem.about,
            "parameters": problem.n_parameters,
            "grid": {"x": list(grid.x), "y": [str(value) for value in grid.y]},
            "ladder": asdict(settings),
        }
    )


def save_ladder(directory: Path, ladder: Ladder) -> None:
    """Write a ladder; UserError where the directory is full or read-only."""
    samples = {"draws": ladder.draws}
    if ladder.parts:
        samples["parts"] = together(ladder.parts)
    arrays = {name: getattr(ladder, name) for name in ARRAYS}
    arrays |= {f"rungs.{name}": array for name, array in ladder.rungs._asdict().items()}
    for name, entries in samples.items():
        arrays |= {f"{name}.{column}": array for column, array in entries._asdict().items()}
    arrays["sizes"] = np.array([part.x.size for part in ladder.parts], np.int64)
    numbers = {name: getattr(ladder, name) for name in NUMBERS}
    path = store.checkpoint_path(directory, ladder.number)
    store.save(path, arrays, {"kind": "ladder", **numbers})


def load_ladder(directory: Path, number: int, n_parameters: int) -> Ladder | None:
    """The ladder of a checkpoint, or None where there is none yet.

    Raises:
        UserError: a damaged file, or one of something else.
    """
    path = store.checkpoint_path(directory, number)
    if not path.exists():
        return None
    arrays, meta = store.load(path)
    if meta.get("kind") != "ladder" or meta.get("number") != number:
        raise UserError(f"{path}: is no checkpoint of ladder {number}; delete it.")

    def of(kind, name: str):
        return kind(**{field: arrays[f"{name}.{field}"] for field in kind._fields})

    try:
        parts = ()
        if arrays["sizes"].size:
            whole, ends = of(Samples, "parts"), np.cumsum(arrays["sizes"])
            columns = [np.split(column, ends[:-1]) for column in whole]
            parts = tuple(Samples(*entries) for entries in zip(*columns, strict=True))
        ladder = Ladder(
            **{name: meta[name] for name in NUMBERS},
            **{name: arrays[name] for name in ARRAYS},
            rungs=of(Rungs, "rungs"),
            draws=of(Samples, "draws"),
            parts=parts,
        )
    except KeyError as error:
        raise UserError(f"{path}: lacks {error} of a ladder; delete the file.") from error
    if ladder.theta.shape[1] != n_parameters:
        raise UserError(
            f"{path}: holds {ladder.theta.shape[1]} parameters, this task has {n_parameters}; "
            "delete the file or choose another directory."
        )
    return ladder
