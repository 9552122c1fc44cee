"""Results of runs after the event: found, joined, searched for networks.

Nothing here samples, draws pictures or knows the command line.
"""

from __future__ import annotations

from pathlib import Path

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.canonical.trajectories import FILE, Trajectories, is_motion
from wlnn.landscape.landscape import Landscape
from wlnn.runs.recipe import read_recipe
from wlnn.training.trained import Trained, is_trained
from wlnn.training.tuning import Tuning

READ_BY = {  # what a run without a landscape is made by, and which commands show it
    "md": "wlnn info, or wlnn canonical LANDSCAPE --md",
    "train": "wlnn info, or wlnn advantage LANDSCAPE",
    "tune": "wlnn info, or wlnn train --tuned",
    "seek": "wlnn info, or wlnn resume",
}


def find_result(path) -> Landscape | Trained | Trajectories | Tuning:
    """What a run directory or a file holds: a landscape, trainings, motion or a table of tuning.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> made = wlnn.run("spiral-classify", "train", **small, runs=2, directory="runs/t")
        >>> type(wlnn.find_result("runs/t")).__name__
        'Trained'

    Raises:
        UserError: none of them, nothing yet, or the searches of `wlnn seek`, which are no table.
    """
    path = Path(path)
    if is_trained(path):
        return Trained.load(path)
    for there, name, load in (
        (is_motion, FILE, Trajectories.load),
        (_is_tuning, "tuning.npz", Tuning.load),
    ):
        if there(path):
            if path.is_dir() and not (path / name).exists():
                raise UserError(f"{path}: has no {name} yet; go on with wlnn resume {path}.")
            return load(path)
    return find_landscape(path)


def _is_tuning(path) -> bool:
    return store.holds(path, "tuning", "tuning.npz", "tune")


def find_landscape(path) -> Landscape:
    """The landscape of a run directory, in the state it is in now, or of a landscape file.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> made = wlnn.run("spiral-classify", **small, steps=2e4, directory="runs/small")
        >>> wlnn.find_landscape("runs/small").n_walkers
        4

    Raises:
        UserError: neither of the two, or nothing sampled yet.
    """
    path = Path(path)
    if not path.is_dir():
        return Landscape.load(path)
    if (path / "run.json").exists():
        refuse_other_runs(path)
    file = path / "landscape.npz"
    checkpoints = [*path.glob("walker-*.npz"), *path.glob("walkers.npz")]
    newest = max((checkpoint.stat().st_mtime for checkpoint in checkpoints), default=0.0)
    if file.exists():
        landscape = Landscape.load(file)
        if landscape.meta.get("finished", True) or file.stat().st_mtime >= newest:
            return landscape
    if not checkpoints and not (path / "run.json").exists():
        raise UserError(f"{path}: holds no landscape.npz and is no run directory.")

    return landscape_so_far(path)


def believable_landscape(path) -> Landscape:
    """As :func:`find_landscape`, for whoever computes with it.

    Raises:
        UserError: also where its ladders contradict each other.
    """
    landscape = find_landscape(path)
    if landscape.contradicts_itself:
        raise UserError(
            f"{path}: has no numbers to go on with: ladders heated from trained networks and "
            "cooled ones are in different states (see wlnn info)."
        )
    return landscape


def landscape_so_far(directory) -> Landscape:
    """The landscape of the checkpoints in a run directory, in the relative gauge.

    Raises:
        UserError: a run that samples no landscape, no checkpoint yet, or a damaged one.
    """
    refuse_other_runs(directory)
    recipe = read_recipe(directory)
    problem, settings = recipe.problem(recipe.task()), getattr(recipe.settings, recipe.sampler)
    if recipe.sampler == "wlmd":
        from wlnn.wlmd import tables

        landscape = tables.landscape_so_far(directory, problem, settings)
    elif recipe.sampler == "ladder":
        from wlnn.ladder.run import landscape_so_far as ladders_so_far

        landscape = ladders_so_far(Path(directory), problem, settings, recipe.grid(problem))
    else:
        from wlnn.wlmc import checkpoints
        from wlnn.wlmc.merge import merge_walkers

        walkers = list(checkpoints.load_walkers(Path(directory), problem, settings).values())
        landscape = merge_walkers(problem, settings, walkers, None) if walkers else None
    if landscape is None:
        raise UserError(f"{directory}: holds no checkpoint of a walker yet.")
    return landscape


def kind_of(directory) -> str:
    """The sampler of a run directory, "" where its run.json names none; UserError without one."""
    sampler = store.read_run(directory)["identity"].get("sampler")
    return sampler if isinstance(sampler, str) else ""


def refuse_other_runs(directory) -> None:
    """UserError, with the command that reads it, for a run that samples no landscape."""
    kind = kind_of(directory)
    if kind in READ_BY:
        raise UserError(
            f"{directory}: is a run of 'wlnn {kind}' and has no landscape; read it with "
            f"{READ_BY[kind]}."
        )
