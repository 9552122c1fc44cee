"""Runs of every kind from Python: what the commands do, by one function, with the same results.

In a directory what is finished is read, what was interrupted goes on. Nothing new is computed.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import fields
from numbers import Integral
from pathlib import Path

from wlnn.base import store
from wlnn.base.claims import claimed
from wlnn.base.engines import leave_a_script_read_again
from wlnn.base.errors import UserError
from wlnn.base.progress import bar
from wlnn.base.workers import default_processes
from wlnn.landscape.landscape import Landscape
from wlnn.runs.names import directory_name
from wlnn.runs.recipe import Recipe, make_recipe, usual_sampler
from wlnn.settings.section import nearest
from wlnn.settings.tables import Settings, parse_overrides
from wlnn.settings.task import SECTIONS
from wlnn.settings.unread import SAMPLERS, refuse_unread
from wlnn.tasks.catalogue import TASKS
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task
from wlnn.training.trained import Trained

USUAL = "usual"  # the directory that the command would use
LENGTHS = ("quick", "default", "paper")
FILES = ("data", "embedding")  # paths that a named task may need
OF_A_SEARCH = ("langevin", "annealing", "tempering", "sgd", "adam")


def run(
    task: str | Task | Problem,
    sampler: str | None = None,
    length: str = "default",
    *,
    directory=None,
    threads: int | str = "all",
    progress: bool | Callable = True,
    set: Mapping[str, object] | Sequence[str] = (),
    methods: Sequence[str] = OF_A_SEARCH,
    folder="runs",
    device: str | None = None,
    **options,
):
    """Sample, train, move or search: whatever the commands of wlnn do, from Python.

    Examples:
        >>> import wlnn
        >>> landscape = wlnn.run("spiral-classify", length="quick", layers=1, width=2, points=8,
        ...                      steps=2e4, walkers=2, anchor_draws=1000, progress=False)
        >>> landscape.n_walkers
        2

    Args:
        task: one of `wlnn tasks`, "path.py:name", a :class:`Task` or a :class:`Problem`.
        sampler: "wlmc" (Monte Carlo), "wlmd" (molecular dynamics) or "ladder" give a
            :class:`Landscape`, None is the usual one of the task; "md" gives
            ``canonical.trajectories.Trajectories``, "train" a :class:`Trained`, "tune" a
            ``training.tuning.Tuning``, "seek" a list with a ``canonical.search.Search`` of each of
            ``methods``.
        length: preset of the task's table: "quick", "default" or "paper".
        directory: of the run, which goes on there; None keeps everything in memory, "usual" is the
            one of the command in ``folder``.
        threads: walkers, or trainings, at a time; "all" the cores. It changes no bit. Trainings use
            processes: a script that makes some needs ``if __name__ == "__main__":``.
        progress: a line on stderr with the time left (a bar, where tqdm is installed), or none, or
            a function that is called with each :class:`wlnn.base.running.Report`.
        set: settings by "section.option", as after `--set`: a mapping, or texts "wlmc.steps=1e7".
        device: "cuda" or "cuda:1": many walkers at once on a graphics card (docs/gpu.md); other
            bits, and a run of the CPU goes on there. None is the CPU.
        options: settings by their bare names, first those of the sampler (``steps``, ``walkers``,
            ``seed``), then those of the task (``layers``, ``width``, ``x_low``); "data" and
            "embedding", for tasks that need files.

    Raises:
        UserError: an unknown name, with the nearest known one, a wrong value, or as the sampler.
        DeviceError: a device that cannot be used here.
        Interrupted: on Ctrl-C; what is in a directory goes on with the same call.
    """
    leave_a_script_read_again()
    recipe, made = _recipe(task, sampler, length, set, options)
    overrides = tuple(f"{name}={value}" for name, value in _by_section(set).items())
    if not isinstance(directory, str | os.PathLike | None):
        raise UserError(f"directory must be a path, 'usual' or None, not {directory!r}.")
    if directory == USUAL:
        directory = Path(folder) / directory_name(recipe, made, overrides)
    workers = default_processes() if threads == "all" else threads
    if isinstance(workers, bool) or not isinstance(workers, Integral) or workers < 1:
        raise UserError(f"threads must be 'all' or a number of 1 or more, not {threads!r}.")
    name = made.name if directory is None else Path(directory).name
    shown = bar(name) if progress is True else nullcontext()
    with shown as line:
        report = line.report if line else progress or None
        return _made(recipe, made, directory, workers, report, methods, device)


def _made(recipe: Recipe, task, directory, workers: int, report, methods, device):
    """What the sampler of the recipe makes."""
    settings, sampler = recipe.settings, recipe.sampler
    if sampler in ("wlmc", "wlmd", "ladder"):
        return recipe.sample(recipe.problem(task), directory, workers, report, device=device)
    if sampler == "md":
        from wlnn.canonical.run import simulate

        problem = recipe.problem(task)
        how = directory, workers, report, recipe.notes
        return simulate(problem, settings.md, *how, device=device)
    if not isinstance(task, Task):
        raise UserError(f"'{task.name}' is a bare function: only a Task with a network is trained.")
    if sampler == "seek":
        return _searched(recipe, task, directory, workers, report, methods, device)
    from wlnn.training.run import train_many
    from wlnn.training.tuning import tune

    about = recipe.problem(task).about
    make_task = recipe.task if recipe.source else None
    how = (directory, workers, report, recipe.notes, about, make_task)
    if sampler == "train":
        return train_many(task, settings.train, *how, device=device)
    return tune(task, settings, *how, device=device)


def _searched(recipe: Recipe, task, directory, workers: int, report, methods, device) -> list:
    from wlnn.canonical import optimisers, search

    problem, settings, found = recipe.problem(task), recipe.settings, []
    methods = [methods] if isinstance(methods, str) else methods
    for method in methods:
        if method not in OF_A_SEARCH:
            raise UserError(f"there is no method '{method}'{nearest(method, OF_A_SEARCH)}")
    with claimed(directory) if directory is not None else nullcontext():
        if directory is not None:
            store.open_run(directory, search.identity(problem, settings), recipe.notes)
            store.change_notes(directory, {"search": {"methods": list(methods), "landscape": None}})
        for method in methods:
            how = (settings, method, directory, workers, report)
            if method in search.PLANS:
                found.append(search.search(problem, *how, device=device))
            else:
                found.append(optimisers.train(task, *how, device=device))
    return found


def _recipe(task, sampler, length: str, changes, options: dict) -> tuple[Recipe, Task | Problem]:
    """The recipe of a call, and the task that it names or was given."""
    named = isinstance(task, str)
    if not isinstance(task, str | Task | Problem):
        raise UserError(
            f"{type(task).__name__} is no task: give a name, 'path.py:name', a Task or a Problem."
        )
    if length not in LENGTHS:
        raise UserError(f"there is no length '{length}'{nearest(length, LENGTHS)}")
    if sampler is None:
        sampler = usual_sampler(task if named else task.name, length)
        if sampler == "wlmc" and isinstance(task, Problem) and task.grid is None:
            sampler = "wlmd"
    if sampler not in SAMPLERS:
        raise UserError(f"there is no sampler '{sampler}'{nearest(sampler, SAMPLERS)}")
    files = {name: options.pop(name) for name in FILES if name in options and named}
    for name, path in files.items():
        if not isinstance(path, str | os.PathLike):
            raise UserError(f"{name} must be a path, not {path!r}.")
    values, words = _by_section(changes), {}
    for name, value in options.items():
        section = _home(name, sampler, named)
        values[f"{section}.{name}"] = value
        words[f"{section}.{name}"] = f"{name}={value!r}"
    words = {setting: setting for setting in values} | words
    nested: dict[str, dict] = {}
    for setting, value in values.items():
        section, _, option = setting.partition(".")
        nested.setdefault(section, {})[option] = value
    if named:
        source = {"file" if ".py" in task else "task": task, **files}
        recipe = make_recipe(source, length, sampler, nested)
    else:
        for setting in values:
            if setting.partition(".")[0] in {part.name for part in SECTIONS}:
                raise UserError(f"{setting} is part of the task that was given; change it there.")
        table = task.name if task.name in TASKS else "own"
        recipe = make_recipe({}, length, sampler, nested, table=table)
    refuse_unread(recipe, words)
    return recipe, recipe.task() if named else task


def _by_section(changes) -> dict[str, object]:
    """Values by the names "section.option" of a mapping or of texts."""
    if isinstance(changes, Mapping):
        for name in changes:
            if not all(str(name).partition(".")):
                raise UserError(f"'{name}' is no setting; write 'section.option'.")
        return dict(changes)
    if isinstance(changes, str) or not isinstance(changes, Sequence):
        raise UserError(
            f"set must be a mapping or a list of texts, as in set={{'wlmc.steps': 1e7}}, not "
            f"{changes!r}."
        )
    return {
        f"{section}.{name}": value
        for section, options in parse_overrides(changes).items()
        for name, value in options.items()
    }


def _home(name: str, sampler: str, named: bool) -> str:
    """The section of a setting that is told by its bare name: the sampler's, then the task's."""
    settings, read = Settings(), SAMPLERS[sampler][1]
    others = [part.name for part in fields(settings) if part.name in read - {sampler}]
    of_tasks = [part.name for part in SECTIONS] if named else []
    homes: dict[str, str] = {}
    for section in (sampler, *others, *of_tasks):
        for option in fields(getattr(settings, section)):
            homes.setdefault(option.name, section)
    of_the_task = {option.name for part in SECTIONS for option in fields(part)}
    if name not in homes and name in of_the_task:
        raise UserError(f"{name} is part of the task that was given; change it there.")
    if name not in homes:
        raise UserError(f"there is no setting '{name}'{nearest(name, homes)}")
    return homes[name]


def run_landscape(
    task: str, *overrides: str, preset: str = "default", folder="runs", **files: str
) -> Landscape:
    """:func:`run` of the usual sampler of a task, in the directory of the command.

    Examples:
        >>> import wlnn
        >>> changes = ("network.layers=1", "network.width=2", "data.points=8", "wlmc.steps=20000")
        >>> landscape = wlnn.run_landscape("spiral-classify", *changes, preset="quick")
        >>> wlnn.find_landscape("runs/spiral-classify-1x2-n8-s0-quick-steps-20000").n_walkers
        4

    Args:
        task: one of `wlnn tasks`.
        overrides: settings, as after `--set`: "network.width=8", "data.seed=3", "wlmc.steps=1e7".
        preset: of the table: "default", "quick" or "paper".
        folder: where run directories are.
        files: "data" and "embedding", for tasks that need them.
    """
    return run(task, None, preset, directory=USUAL, set=overrides, folder=folder, **files)


def run_trainings(
    task: str, *overrides: str, preset: str = "default", folder="runs", **files: str
) -> Trained:
    """:func:`run` of the trainings of a task; arguments as :func:`run_landscape`.

    Examples:
        >>> import wlnn
        >>> if __name__ == "__main__":  # of a script, which worker processes read again
        ...     trained = wlnn.run_trainings("spiral-classify", "train.epochs=50", preset="quick")
        ...     trained.records["ln-train-loss"].shape
        (20, 51)
    """
    return run(task, "train", preset, directory=USUAL, set=overrides, folder=folder, **files)


def run_motion(task: str, *overrides: str, preset: str = "default", folder="runs", **files: str):
    """:func:`run` of molecular dynamics on the training loss; arguments as above.

    Examples:
        >>> import wlnn
        >>> changes = ("network.layers=1", "network.width=2", "data.points=8", "md.steps=4000")
        >>> motion = wlnn.run_motion("spiral-classify", *changes, preset="quick")
        >>> motion.records.shape
        (4, 20, 10)
    """
    return run(task, "md", preset, directory=USUAL, set=overrides, folder=folder, **files)
