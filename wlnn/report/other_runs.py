"""Runs that sample no landscape in words, and the versions that worked on any run.

Returns text; prints nothing.
"""

from __future__ import annotations

from pathlib import Path

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.canonical.trajectories import FILE, Trajectories, is_motion
from wlnn.report.canonical import motion
from wlnn.training.tuning import Tuning


def other_run(path) -> list[str]:
    """The lines on a run of `wlnn md`, `tune` or `seek`; none for any other path.

    Raises:
        UserError: a run that has saved nothing yet.
    """
    path = Path(path)
    if is_motion(path):
        if path.is_dir() and not (path / FILE).exists():
            raise UserError(f"{path}: has no {FILE} yet; go on with wlnn resume {path}.")
        found = Trajectories.load(path)
        if found.records.shape[1] < 20:  # of which the second half would be averaged
            raise UserError(
                f"{path}: has {found.records.shape[1]} records so far, too few for averages; go on "
                f"with wlnn resume {path}."
            )
        return motion(found)
    if store.holds(path, "tuning", "tuning.npz", "tune"):
        if path.is_dir() and not (path / "tuning.npz").exists():
            raise UserError(f"{path}: has no tuning.npz yet; go on with wlnn resume {path}.")
        return Tuning.load(path).table()
    if path.is_dir() and store.holds(path, "", "seek.npz", "seek"):
        done = sorted(file.name for file in path.glob("seek-*.npz"))
        return [
            f"{path}: searches of wlnn seek ({', '.join(done) or 'none saved yet'})",
            f"  wlnn resume {path} goes on with them, or prints their table",
        ]
    return []


def versions_in_words(path) -> list[str]:
    """Lines on a run that was entered with several versions or CPUs; none where it was one."""
    path = Path(path)
    if not (path / "run.json").exists():
        return []
    found = store.versions_of(store.read_run(path))
    if len(found) < 2:
        return []
    lines = ["", "entered with several versions; where they differ bits of the result may:"]
    return lines + [
        "  " + ", ".join(f"{name} {value}" for name, value in one.items()) for one in found
    ]
