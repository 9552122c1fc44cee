"""Landscapes and trainings of named tasks by table, as `wlnn sample` and `wlnn train` make them.

For scripts: results lie in the same directories as those of the commands, what is finished there is
read, what was interrupted goes on. Nothing new is computed here.
"""

from __future__ import annotations

from contextlib import contextmanager
from pathlib import Path

from wlnn.base.progress import Progress
from wlnn.base.workers import default_processes
from wlnn.landscape.landscape import Landscape
from wlnn.runs.names import directory_name
from wlnn.runs.recipe import make_recipe
from wlnn.training.trained import Trained


def run_landscape(
    task: str, *overrides: str, preset: str = "default", folder="runs", **files: str
) -> Landscape:
    """Sample the entropy landscape of a task with the settings of its table.

    Args:
        task: one of `wlnn tasks`.
        overrides: settings, as after `--set`: "network.width=8", "data.seed=3", "wlmc.steps=1e7".
        preset: of the table: "default", "quick" or "paper".
        folder: where run directories are.
        files: "data" and "embedding", for tasks that need them.

    Raises:
        UserError, Interrupted: as the sampler does; Ctrl-C loses nothing.
    """
    recipe = make_recipe({"task": task, **files}, preset, overrides=overrides)
    made = recipe.task()
    with _shown(recipe, made, overrides, folder) as (directory, progress):
        return recipe.sample(recipe.problem(made), directory, default_processes(), progress.report)


def run_trainings(
    task: str, *overrides: str, preset: str = "default", folder="runs", **files: str
) -> Trained:
    """Train the network of a task as often as its table says; arguments as :func:`run_landscape`.

    Raises:
        UserError, Interrupted: see :func:`wlnn.training.run.train_many`.
    """
    from wlnn.training.run import train_many

    recipe = make_recipe({"task": task, **files}, preset, "train", overrides=overrides)
    made = recipe.task()
    with _shown(recipe, made, overrides, folder) as (directory, progress):
        return train_many(
            made,
            recipe.settings.train,
            directory,
            default_processes(),
            progress.report,
            {"recipe": recipe.to_dict()},
            recipe.problem(made).about,
            recipe.task,
        )


def run_motion(task: str, *overrides: str, preset: str = "default", folder="runs", **files: str):
    """Molecular dynamics on the training loss of a task, as `wlnn md` makes it; arguments as above.

    Returns a :class:`wlnn.canonical.trajectories.Trajectories`.
    """
    from wlnn.canonical.run import simulate

    recipe = make_recipe({"task": task, **files}, preset, "md", overrides=overrides)
    made = recipe.task()
    with _shown(recipe, made, overrides, folder) as (directory, progress):
        return simulate(
            recipe.problem(made), recipe.settings.md, directory, default_processes(),
            progress.report, {"recipe": recipe.to_dict()},
        )  # fmt: skip


@contextmanager
def _shown(recipe, task, overrides: tuple[str, ...], folder):
    """The run's directory and a line of progress that has its name."""
    directory = Path(folder) / directory_name(recipe, task, overrides)
    with Progress(directory.name) as progress:
        yield directory, progress
