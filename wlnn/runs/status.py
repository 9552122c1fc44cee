"""How far the runs of a folder are: from what each wrote down last, and who works there now.

Reads and writes small files beside the results; what a run computes it does not know.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from wlnn.base import claims, store
from wlnn.base.errors import UserError

FILE = ".progress.json"  # in a run directory
LIST = ".runs.json"  # in a folder of runs: all that there shall be
NOTED_SECONDS = 5.0  # between two notes
FINISHED, RUNNING, CUT, WAITING, DAMAGED = "finished", "running", "cut", "waiting", "damaged"


class State(NamedTuple):
    """One run of a folder."""

    name: str
    state: str
    part: float = float("nan")  # that is done
    seconds_left: float = float("nan")
    words: str = ""  # the verdict of a finished run, who works on a running one


def noted(directory, report: Callable) -> Callable:
    """A ``report`` function that also writes down how far the run is, now and then."""
    last = -NOTED_SECONDS

    def inner(state) -> None:
        nonlocal last
        now = time.monotonic()
        if now - last > NOTED_SECONDS or state.part >= 1:
            last = now
            left = None if math.isnan(state.seconds_left) else float(state.seconds_left)
            contents, path = (
                {"part": float(state.part), "seconds_left": left},
                Path(directory) / FILE,
            )
            with suppress(UserError, OSError):  # the run itself says it when nothing can be written
                if state.part >= 1:
                    path.unlink(missing_ok=True)
                elif path.parent.is_dir():
                    _write(path, contents)
        report(state)

    return inner


def plan(folder, names: Sequence[str]) -> None:
    """Write down the names of all runs that a folder shall have, beside those it had before."""
    path = Path(folder) / LIST
    runs = list(dict.fromkeys([*_read(path).get("runs", []), *names]))
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(f"{folder}: cannot be made: {reason}.") from error
    if runs != _read(path).get("runs"):
        _write(path, {"runs": runs})


def states(folder) -> list[State]:
    """Every run of a folder, or the one that it is.

    Raises:
        UserError: no such folder, or no runs in it.
    """
    folder = Path(folder)
    if (folder / "run.json").exists():
        return [state_of(folder)]
    if not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder.")
    names = [path.parent.name for path in folder.glob("*/run.json")]
    planned = [name for name in _read(folder / LIST).get("runs", []) if isinstance(name, str)]
    names = [*planned, *sorted(set(names) - set(planned))]
    if not names:
        raise UserError(f"{folder}: holds no runs.")
    return [state_of(folder / name) for name in names]


def state_of(directory) -> State:
    """How far a run is."""
    directory = Path(directory)
    name, who = directory.name, claims.worked_on(directory)
    if not (directory / "run.json").exists():
        return State(name, RUNNING if who else WAITING, 0.0, words=who)
    try:
        done, verdict = _finished(directory)
    except UserError as error:
        return State(name, DAMAGED, words=str(error))
    if done:
        return State(name, FINISHED, 1.0, 0.0, verdict)
    note = _read(directory / FILE)
    part, left = (note.get(key) for key in ("part", "seconds_left"))
    part = float(part) if isinstance(part, int | float) else float("nan")
    if not who:
        return State(name, CUT, part)
    left = float(left) if isinstance(left, int | float) else float("nan")
    with suppress(OSError):
        left = max(0.0, left - (time.time() - (directory / FILE).stat().st_mtime))
    return State(name, RUNNING, part, left, who)


def _finished(directory: Path) -> tuple[bool, str]:
    """Whether nothing is left to do, and the verdict on what came out, where one is stored."""
    kind = store.read_run(directory)["identity"].get("sampler")
    if kind in ("train", "tune"):
        return (directory / {"train": "trained.npz", "tune": "tuning.npz"}[kind]).exists(), ""
    if kind == "md":  # its picture may have been moved
        return _moved_to_its_end(directory), ""
    if kind == "seek":
        begun = (directory / "seek.png").exists()
        return begun and _read(directory / FILE).get("part", 1.0) >= 1.0, ""
    path = directory / "landscape.npz"
    meta = store.load(path)[1].get("meta", {}) if path.exists() else {}
    verdict = meta.get("verdict", "")
    if isinstance(verdict, dict):
        verdict = verdict.get("word", "")
    return bool(meta.get("finished")), str(verdict)


def _moved_to_its_end(directory: Path) -> bool:
    """Whether the walkers of `wlnn md` have all records that the settings ask for."""
    path, settings = directory / "md.npz", store.read_run(directory)["identity"].get("md")
    if not path.exists() or not isinstance(settings, dict):
        return False
    records = store.load(path)[0].get("records")
    steps, each = settings.get("steps"), settings.get("record")
    known = isinstance(steps, int) and isinstance(each, int) and getattr(records, "ndim", 0) > 1
    return known and records.shape[1] * each >= steps


def _read(path: Path) -> dict:
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _write(path: Path, contents: dict) -> None:
    text = json.dumps(contents)
    store.write_file(path, lambda file: file.write(text.encode() + b"\n"))
