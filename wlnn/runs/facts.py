"""All there is to know of a run for a page about it: result, settings, seeds, versions, files.

It reads and computes sums; nothing is drawn or printed here.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.join import seeds_of
from wlnn.landscape.landscape import Landscape
from wlnn.runs.command import command_of, read_settings
from wlnn.runs.find import find_result
from wlnn.runs.recipe import read_recipe
from wlnn.training.trained import Trained
from wlnn.training.tuning import Tuning

PAGE = "report.html"  # in a run directory; no file of the run


@dataclass(frozen=True)
class RunFacts:
    """A run.

    Attributes:
        path: of the directory, or of the file of results.
        result: as ``find_result`` loads it.
        command: what makes it again, or a sentence why that is not known.
        known: whether ``command`` is a command.
        settings: ``{section: {option: value}}`` of all that the run read.
        seeds: in words.
        versions: of every program that entered it.
        files: name, bytes and SHA-256 of every file of the run; empty if sums were not asked for.
        finished: whether nothing is left to do.
    """

    path: Path
    result: Landscape | Trained | Trajectories | Tuning
    command: str
    known: bool
    settings: dict[str, dict]
    seeds: str
    versions: list[dict] = field(default_factory=list)
    files: list[tuple[str, int, str]] = field(default_factory=list)
    finished: bool = True


def facts_of(path, sums: bool = True) -> RunFacts:
    """What is known of a run directory or a file of results.

    Args:
        sums: whether SHA-256 of all files are computed; those of a running run would be of no use.

    Raises:
        UserError: as :func:`wlnn.runs.find.find_result`.
    """
    path = Path(path)
    result = find_result(path)
    folder = path if path.is_dir() else path.parent
    here = (folder / "run.json").exists()
    contents = store.read_run(folder) if here else {}
    command, known, settings = _command(folder, contents)
    if not settings:
        settings = {
            name: value
            for name, value in result.meta.items()
            if name in ("wlmc", "wlmd", "ladder", "md", "train", "tune") and isinstance(value, dict)
        }
    versions = store.versions_of(contents) if here else [result.meta.get("versions", {})]
    return RunFacts(
        path,
        result,
        command,
        known,
        settings,
        _seeds(result, settings),
        versions,
        _files(path) if sums else [],
        _finished(result),
    )


def _finished(result) -> bool:
    """Whether nothing is left to do, as far as the result tells."""
    if isinstance(result, Trajectories):
        settings = result.meta["md"]
        return result.records.shape[1] * settings["record"] >= settings["steps"]
    if not isinstance(result, Landscape):
        return True
    done = [
        min(result.meta[f"{unit}_done"]) >= result.settings.get(unit, 0)
        for unit in ("stages", "steps")
        if f"{unit}_done" in result.meta
    ]
    return bool(result.meta.get("finished", all(done)))


def _command(folder: Path, contents: dict) -> tuple[str, bool, dict]:
    """The command, whether it is one, and the settings that it stands for."""
    if "recipe" not in contents:
        return "made by a program: run that again", False, {}
    try:
        recipe = read_recipe(folder)
    except UserError as error:  # a file of the user has changed since
        return str(error), False, {}
    command = command_of(recipe, folder, contents.get("search"))
    return command, True, read_settings(recipe)


def _seeds(result, settings: dict) -> str:
    """All seeds of a run in words."""
    seeds = {
        f"{section}.seed": options["seed"]
        for section, options in settings.items()
        if "seed" in options
    }
    if isinstance(result, Landscape) and "merged" in result.meta:
        seeds["walkers"] = ", ".join(str(seed) for seed in seeds_of(result))
    data = result.meta.get("task", {}).get("data", {})
    if isinstance(data, dict) and "seed" in data:
        seeds["data.seed"] = data["seed"]
    return ", ".join(f"{name} {seed}" for name, seed in seeds.items())


def _files(path: Path) -> list[tuple[str, int, str]]:
    """Name, bytes and sum of a file, or of those in a run directory, the page left out."""
    found = [path] if path.is_file() else sorted(path.rglob("*"))
    return [
        (
            file.name if path.is_file() else file.relative_to(path).as_posix(),
            file.stat().st_size,
            hashlib.sha256(file.read_bytes()).hexdigest(),
        )
        for file in found
        if file.is_file() and file.name != PAGE and not file.name.startswith(".")
    ]
