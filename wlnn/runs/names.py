"""The usual name of a run's directory, which tells runs of different settings apart.

Commands and scripts that name the same run find the same directory. Nothing is made here.
"""

from __future__ import annotations

from wlnn.runs.recipe import Recipe
from wlnn.settings.tables import Settings, read_table
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

TOLD = (  # by the usual name of a directory
    "layers", "width", "seed", "points", "optimizer", "learning_rate", "batch_size", "temperature",
)  # fmt: skip


def directory_name(recipe: Recipe, task: Task | Problem, overrides: tuple[str, ...] = ()) -> str:
    """``<task>-<layers>x<width>-s<seed>``, and what else tells a run from others.

    Args:
        task: that of the recipe.
        overrides: "section.option=value"; the name ends with those that it would not tell.
    """
    name, train = _landscape_name(recipe, task), recipe.settings.train
    words = {
        "md": ["md", name, f"T{recipe.settings.md.temperature:g}"],
        "seek": ["seek", name],
        "train": ["trained", name, train.optimizer, f"{train.learning_rate:g}"],
        "tune": ["tuned", name, train.optimizer],
    }.get(recipe.sampler, [name])
    if recipe.sampler == "train" and train.batch_size:
        words.append(f"b{train.batch_size}")
    for override in overrides:
        section, _, option = override.partition("=")[0].partition(".")
        if option not in TOLD and section in ("network", "data", "grid", recipe.sampler):
            words.append(f"{option}-{override.partition('=')[2]}".replace("/", "_"))
    return "-".join(words)


def _landscape_name(recipe: Recipe, task: Task | Problem) -> str:
    """Task, network, data and seed: all there is to tell of a landscape."""
    parts, network = [task.name], getattr(task, "network", None)
    hidden = getattr(network, "sizes", ())[1:-1]
    if hidden and len(set(hidden)) == 1:
        parts.append(f"{len(hidden)}x{hidden[0]}")
    elif hidden:
        parts.append("-".join(str(units) for units in hidden))
    elif hasattr(network, "channels"):
        parts.append(f"w{network.width}")
    if "task" in recipe.source:
        parts += _unusual(recipe.settings, read_table(recipe.source["task"], recipe.preset))
    sampler = "train" if recipe.sampler == "tune" else recipe.sampler
    parts += ["ladder"] * (sampler == "ladder")
    parts.append(f"s{getattr(recipe.settings, sampler).seed}")
    if recipe.preset != "default":
        parts.append(recipe.preset)
    return "-".join(parts)


def _unusual(settings: Settings, usual: Settings) -> list[str]:
    """Options of the task that are not those of its table, in a few letters each."""
    found = []
    for section, option, letter in (
        ("data", "points", "n"),
        ("data", "seed", "d"),
        ("data", "scale", ""),
        ("network", "activation", ""),
        ("network", "prior", ""),
        ("network", "sigma", ""),
        ("wlmd", "accuracy_axis", ""),
        ("grid", "x", ""),
    ):
        value = getattr(getattr(settings, section), option)
        if value != getattr(getattr(usual, section), option):
            found.append(f"{letter}{value}")
    mine, theirs = ((s.data.first_class, s.data.second_class) for s in (settings, usual))
    return found + ([f"c{mine[0]}{mine[1]}"] if mine != theirs else [])
