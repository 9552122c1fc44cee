"""Landscapes and trainings of named tasks by table, as `wlnn sample` and `wlnn train` make them.

For scripts: results lie in the same directories as those of the commands, what is finished there is
read, what was interrupted goes on. Nothing new is computed here.
"""

from __future__ import annotations

from pathlib import Path

from wlnn.base.progress import Progress
from wlnn.base.workers import default_processes
from wlnn.landscape.landscape import Landscape
from wlnn.runs.recipe import Recipe, make_recipe
from wlnn.training.trained import Trained

TOLD = (  # by the usual name of a directory
    "layers", "width", "seed", "points", "optimizer", "learning_rate", "batch_size", "temperature",
)  # fmt: skip


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
    problem = recipe.problem(recipe.task())
    name = recipe.directory_name(recipe.task())
    directory = Path(folder) / _name(recipe, overrides, name)
    with Progress(directory.name) as progress:
        return recipe.sample(problem, directory, default_processes(), progress.report)


def run_trainings(
    task: str, *overrides: str, preset: str = "default", folder="runs", **files: str
) -> Trained:
    """Train the network of a task as often as its table says; arguments as :func:`run_landscape`.

    Raises:
        UserError, Interrupted: see :func:`wlnn.run_train.train_many`.
    """
    from wlnn.training.run import train_many

    recipe = make_recipe({"task": task, **files}, preset, "train", overrides=overrides)
    made = recipe.task()
    directory = Path(folder) / _name(recipe, overrides, training_name("trained", recipe))
    with Progress(directory.name) as progress:
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

    Returns a :class:`wlnn.trajectories.Trajectories`.
    """
    from wlnn.canonical.run import simulate

    recipe = make_recipe({"task": task, **files}, preset, "md", overrides=overrides)
    made = recipe.task()
    name = f"md-{recipe.directory_name(made)}-T{recipe.settings.md.temperature:g}"
    directory = Path(folder) / _name(recipe, overrides, name)
    with Progress(directory.name) as progress:
        return simulate(
            recipe.problem(made), recipe.settings.md, directory, default_processes(), progress.report,
            {"recipe": recipe.to_dict()},
        )  # fmt: skip


def training_name(prefix: str, recipe: Recipe) -> str:
    """Usual name of the directory of trainings ("trained") or of tuning ("tuned")."""
    settings = recipe.settings.train
    words = [prefix, recipe.directory_name(recipe.task()), settings.optimizer]
    if prefix == "trained":
        words.append(f"{settings.learning_rate:g}")
        words += [f"b{settings.batch_size}"] * bool(settings.batch_size)
    return "-".join(words)


def _name(recipe: Recipe, overrides: tuple[str, ...], name: str) -> str:
    """The directory's usual name, and overrides that it does not tell."""
    words = [name]
    for override in overrides:
        section, _, option = override.partition("=")[0].partition(".")
        if option not in TOLD and section in ("network", "data", "grid", recipe.sampler):
            words.append(f"{option}-{override.partition('=')[2]}")
    return "-".join(words).replace("/", "_")
