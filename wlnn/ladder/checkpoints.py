"""Ladders on disk: one file a ladder. Nothing here decides when to save."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.states import load_state, save_state
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
LATER = ("halved", "record", "stayed")  # what files of earlier versions do not have


def run_identity(problem, settings: LadderSettings, grid: Grid) -> dict:
    """What two runs must share to be one run, as it comes back from JSON."""
    return store.as_json(
        {
            "task": problem.name,
            "sampler": "ladder",
            "problem": problem.about,
            "parameters": problem.n_parameters,
            "grid": {"x": list(grid.x), "y": [str(value) for value in grid.y]},
            "ladder": settings.identity(),
        }
    )


def save_ladder(directory: Path, ladder: Ladder) -> None:
    """Write a ladder; UserError where the directory is full or read-only."""
    arrays = {name: getattr(ladder, name) for name in ARRAYS}
    arrays["sizes"] = np.array([part.x.size for part in ladder.parts], np.int64)
    save_state(
        store.checkpoint_path(directory, ladder.number),
        {"kind": "ladder"},
        {name: getattr(ladder, name) for name in NUMBERS},
        arrays | {name: np.asarray(getattr(ladder, name)) for name in LATER},
        rungs=ladder.rungs,
        draws=ladder.draws,
        parts=together(ladder.parts) if ladder.parts else {},
    )


def load_ladder(directory: Path, number: int, n_parameters: int) -> Ladder | None:
    """The ladder of a checkpoint, or None where there is none yet.

    Raises:
        UserError: a damaged file, or one of something else.
    """
    path = store.checkpoint_path(directory, number)
    found = load_state(
        path,
        {"kind": "ladder", "number": number},
        f"ladder {number}",
        NUMBERS,
        (*ARRAYS, "sizes"),
        rungs=Rungs,
        draws=Samples,
        parts=(),
    )
    if found is None:
        return None
    parts, sizes = (), found.arrays["sizes"]
    if sizes.size:
        columns = [
            np.split(found.groups["parts"][name], np.cumsum(sizes)[:-1]) for name in Samples._fields
        ]
        parts = tuple(Samples(*entries) for entries in zip(*columns, strict=True))
    ladder = Ladder(
        **{name: found.numbers[name] for name in NUMBERS},
        **{name: found.arrays[name] for name in ARRAYS},
        **{name: found.arrays[name] for name in LATER if name in found.arrays},
        rungs=found.groups["rungs"],
        draws=found.groups["draws"],
        parts=parts,
    )
    ladder = ladder._replace(stayed=int(ladder.stayed))
    if ladder.theta.shape[1] != n_parameters:
        raise UserError(
            f"{path}: holds {ladder.theta.shape[1]} parameters, this task has {n_parameters}; "
            "delete the file or choose another directory."
        )
    return ladder
