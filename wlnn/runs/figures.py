"""Figures of the paper: the runs of each, found or made, and what became of its claims.

What they are and what was published is in ``tables/figures.toml``. Nothing is drawn here.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable
from contextlib import AbstractContextManager
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.runs.claims import judged_claim
from wlnn.runs.experiment import USUAL, _recipe, run
from wlnn.runs.recipe import usual_sampler
from wlnn.settings.section import nearest
from wlnn.settings.tables import parse_overrides, read_table
from wlnn.training.baseline import best_of
from wlnn.training.trained import FEWEST

SCALED = {  # settings that are a length of a run, and how short one may be made by a scale
    "wlmc": {"steps": 1e4, "anchor_draws": 1000},
    "wlmd": {"steps": 200, "t1": 20, "t2": 100, "t3": 50, "report": 100},
    "ladder": {"steps": 2e4, "descent": 120},
    "md": {"steps": 8000},
    "train": {"runs": FEWEST, "epochs": 10},
}
FILES = {"house-price": "house", "polymer": "polymer", "cifar": "cifar"}  # option with the file


class Wanted(NamedTuple):
    """How much of a figure, and how."""

    scale: float = 1.0  # of the length of every run
    networks: int | None = None  # the first so many, of data sets too
    data_sets: int | None = None
    changes: tuple[str, ...] = ()  # "section.option=value", as after --set
    files: dict[str, str] = {}  # noqa: RUF012 of the options in FILES, and "embedding"
    folder: Path = Path("runs")
    threads: int | str = "all"


class TooShortError(Exception):
    """A run that was shortened gave no result."""


class Made(NamedTuple):
    """The runs of a figure."""

    pairs: list  # (landscape, [trainings])
    motions: list
    left_out: list[str]  # sentences: no file, or too short a run


def figure_table(name: str) -> dict:
    """One figure of ``tables/figures.toml``; UserError if there is none."""
    text = (resources.files("wlnn.tables") / "figures.toml").read_text(encoding="utf-8")
    known = tomllib.loads(text)
    if name not in known:
        raise UserError(f"there is no figure '{name}'{nearest(name, known)}")
    return known[name]


def make(name: str, wanted: Wanted, follow: Callable[[str], AbstractContextManager]) -> Made:
    """All runs of a figure: what is finished is read, what was interrupted goes on.

    Args:
        follow: of a name, a context that gives a function to call with each report.

    Raises:
        UserError: a wrong setting, a file that is missing, or as the samplers.
        Interrupted: on Ctrl-C; the same call goes on.
    """
    made = Made([], [], [])
    panels = figure_table(name)["panels"]
    for panel in panels:
        option = FILES.get(panel["task"])
        if option and not wanted.files.get(option):
            made.left_out.append(
                f"{panel['task']} is left out: its file is not given, --{option} FILE (wlnn data "
                f"{panel['task']} says where it comes from)"
            )
            if len(panels) == 1:
                raise UserError(f"{name}: {made.left_out[0]}.")
            continue
        for network in panel["networks"][: wanted.networks]:
            for seed in range(panel.get("data_sets", 1))[: wanted.data_sets]:
                _one(panel, network, seed, wanted, follow, made)
    return made


def _one(panel: dict, network: dict, seed: int, wanted: Wanted, follow, made: Made) -> None:
    """One network on one data set: a landscape with its trainings, or motion."""
    task = panel["task"]
    usual = [f"network.{name}={value}" for name, value in network.items()]
    usual += [f"data.seed={seed}"] * (seed > 0) + panel.get("set", [])

    def made_by(sampler: str, *more: str):
        changes = lengths(task, sampler, wanted, [*usual, *more])
        files = {"data": wanted.files.get(FILES.get(task, ""))}
        files["embedding"] = wanted.files.get("embedding") if task == "polymer" else None
        files = {key: path for key, path in files.items() if path}
        how = {"directory": USUAL, "folder": wanted.folder, "threads": wanted.threads}
        _recipe(task, sampler, "default", changes, dict(files))  # a mistake is told and ends it
        try:
            with follow(f"{task}, {sampler}") as report:
                return run(task, sampler, set=changes, progress=report, **how, **files)
        except UserError as error:
            if wanted.scale < 1:
                raise TooShortError(f"{task}: {str(error).rstrip('.')}") from error
            raise

    try:
        _add(panel, made_by, made)
    except TooShortError as error:  # which decides nothing
        made.left_out.append(str(error))


def _add(panel: dict, made_by: Callable, made: Made) -> None:
    """A landscape with its trainings, or motion."""
    if panel.get("motion"):
        made.motions.append(made_by("md"))
        return
    landscape: Landscape = made_by(usual_sampler(panel["task"], "default"))
    each = [(f"train.batch_size={size}",) for size in panel.get("batches", ())] or [()]
    found = [made_by("train", *size) for size in each]
    made.pairs.append((landscape, [best_of(found)] if len(found) > 1 else found))


def lengths(task: str, sampler: str, wanted: Wanted, usual: list[str]) -> list[str]:
    """``usual`` and the user's changes that a sampler reads, and its lengths by the scale."""
    own = [
        text for text in wanted.changes if text.partition(".")[0] not in SCALED.keys() - {sampler}
    ]
    given = parse_overrides([*usual, *own])
    given = {section: dict(options) for section, options in given.items()}
    settings = read_table(task, None, [*usual, *own], width=given.get("network", {}).get("width"))
    shorter = []
    for option, least in SCALED[sampler].items() if wanted.scale != 1 else ():
        value = getattr(getattr(settings, sampler), option)
        if option not in given.get(sampler, {}) and value:
            shorter.append(f"{sampler}.{option}={max(round(value * wanted.scale), int(least))}")
    same = [text for text in usual if text.partition(".")[0] not in SCALED.keys() - {sampler}]
    return [*same, *own, *shorter]


def command_of(name: str, wanted: Wanted) -> str:
    """What makes the figure, with the names of files alone."""
    command = [f"wlnn reproduce {name}"]
    command += [f"--scale {wanted.scale:g}"] * (wanted.scale != 1)
    command += [f"--networks {wanted.networks}"] * (wanted.networks is not None)
    command += [f"--data-sets {wanted.data_sets}"] * (wanted.data_sets is not None)
    command += [f"--{option} {Path(path).name}" for option, path in wanted.files.items() if path]
    return " ".join([*command, *(f"--set {change}" for change in wanted.changes)])


def judged(name: str, wanted: Wanted, made: Made, core_minutes: float) -> dict:
    """The record of a figure, as JSON has it: what made it, claims with verdicts, core-minutes."""
    table = figure_table(name)
    return {
        "figure": name,
        "title": table["title"],
        "command": command_of(name, wanted),
        "core_minutes": core_minutes,
        "left_out": made.left_out,
        "claims": [judged_claim(claim, made.pairs, made.motions) for claim in table["claims"]],
        "versions": store.versions(),
    }


def core_seconds() -> float:
    """Of processor time that this process and its children took so far."""
    return sum(os.times()[:4])
