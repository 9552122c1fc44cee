"""Runs of every kind, begun or continued: progress on stderr, what came out, how to go on.

It parses no options; `wlnn resume` and the commands that begin a run end here.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import click

from wlnn.backend.device import Host
from wlnn.base.errors import UserError
from wlnn.base.progress import Progress
from wlnn.cli.numbers import NUMBER
from wlnn.cli.options import STOPPED, engine_of, engine_options, tell, threads_option

METHODS = ("langevin", "annealing", "tempering", "sgd", "adam")


@click.command(short_help="Go on with an interrupted run.")
@click.argument("run", type=click.Path())
@click.option("--steps", **NUMBER, help="Make the run so long, finished or not.")
@click.option("--epochs", **NUMBER, help="The same of trainings, and of what `wlnn tune` tried.")
@threads_option
@engine_options
def resume(run, steps, epochs, threads, on, insecure, device):
    """Go on with an interrupted run, or with all runs in a directory of runs.

    The task is rebuilt from run.json. What comes out is bit for bit what the run would have given
    without the interruption. CSV and Python files that changed since are refused.

    With --steps a run becomes longer, bit for bit as one run of that length: Monte Carlo measures
    on with what it learnt (without production it learns on, if --schedule is paper or halving and
    --step-rule is not freeze), and so does molecular dynamics; `wlnn md` moves on. Trainings go on
    with --epochs. Ladders keep their rungs and samples and go on: as good as one run, not always
    its bits. A search says why it cannot. The result so far is kept as landscape-STEPS.npz.
    """
    from wlnn.runs.lengthen import lengthen
    from wlnn.runs.recipe import read_recipe

    folders = [Path(run)]
    if not (folders[0] / "run.json").exists():
        folders = sorted(path.parent for path in folders[0].glob("*/run.json")) or folders
    again = f"wlnn resume {run}" if len(folders) > 1 else ""
    given = {"steps": steps, "epochs": epochs}
    lengths = [(length, unit) for unit, length in given.items() if length is not None]
    if len(lengths) > 1:
        raise UserError("--steps and --epochs exclude each other: a run has one of them.")
    for folder, how in [(folder, how) for folder in folders for how in lengths]:
        _, changed = lengthen(folder, *how)
        if changed:
            click.echo(f"{folder}: from now on a run with {', '.join(changed)}", err=True)
    with engine_of(on, insecure, device) as engine:
        for folder in folders:
            execute(read_recipe(folder), folder, threads, again, engine)


def execute(
    recipe, directory: Path, threads: int | None, again: str = "", engine=None, **options
) -> None:
    """Begin or continue a run; at its end print where the results are.

    ``again`` is what goes on with it after an interruption, where that is not `wlnn resume` with
    the directory. ``engine``, or a device, takes the place of threads. Exits with status 130 when
    the run is stopped.
    """
    _RUNNERS[recipe.sampler](recipe, directory, threads or cores(), again, engine, **options)


def cores() -> int:
    """The cores this process may use."""
    from wlnn.base.workers import default_processes

    return default_processes()


@contextmanager
def _followed(
    directory: Path, again: str, engine, what: str = "", quiet: float = 1.0
) -> Iterator[Progress]:
    """Progress of a run; one that is stopped says what there is and how to go on."""
    from wlnn.base.running import Interrupted
    from wlnn.report.landscape import reached
    from wlnn.runs.status import noted

    try:
        with Progress(what, quiet) as progress:
            if engine is not None and not isinstance(engine, Host):
                _follow(engine, progress, directory)
            progress.report = noted(directory, progress.report)
            yield progress
    except (Interrupted, KeyboardInterrupt) as stop:
        click.echo(f"stopped; everything so far is saved in {directory}", err=True)
        if getattr(stop, "result", None) is not None:
            click.echo(f"  {reached(stop.result)}", err=True)
        click.echo(f"  go on with:  {again or f'wlnn resume {directory}'}", err=True)
        sys.exit(STOPPED)


def _follow(engine, progress: Progress, directory: Path) -> None:
    """Progress tells of the workers too, and run.json keeps what the bits of theirs depend on."""
    from wlnn.base.store import enter

    show, entered = progress.report, []

    def report(state) -> None:
        for about in engine.seen.values():
            if about not in entered:
                entered.append(about)
                enter(directory, about)
        show(state._replace(line=f"{engine.words()}  {state.line}" if state.line else state.line))

    progress.report, engine.tell = report, lambda text: progress.note(f"  {text}")


def _landscape(
    recipe, directory: Path, threads: int, again: str, engine, live=False, pictures=True
) -> None:
    from wlnn.cli.report import LivePage
    from wlnn.cli.results import draw
    from wlnn.landscape.landscape import finished
    from wlnn.report.landscape import reached, verdict_lines

    task = recipe.task()
    problem, had_finished = recipe.problem(task), finished(directory) is not None
    settings = getattr(recipe.settings, recipe.sampler)
    click.echo(
        f"{directory}: {settings.who} x {settings.steps:.3g} steps, "
        f"{problem.n_parameters} parameters, {_where(threads, 'thread', engine)}",
        err=True,
    )
    tell(task)
    for note in problem.about.get("data", {}).get("notes", ()):
        click.echo(f"  note: {note}", err=True)
    quiet = 2.0 if again else 0.0  # of many runs the short ones pass in silence
    with _followed(directory, again, engine, directory.name if again else "", quiet) as progress:
        page = LivePage(directory, progress.report)
        follow = page if live else progress.report
        landscape = recipe.sample(problem, directory, threads, follow, **_place(engine))
        if engine is not None and not isinstance(engine, Host) and not again:
            engine.release()  # the workers of a run by itself, while its pictures are drawn
        if had_finished:
            progress.note(f"{directory}: finished already; this is its result")
        progress.note(f"{directory}: {reached(landscape)}")
        for line in verdict_lines(landscape, str(directory)):
            progress.note(line)
        drawn = draw(landscape, directory) if pictures else []
        for path in [directory / "landscape.npz", *drawn]:
            click.echo(path)
        if live and (written := page.write()):
            click.echo(written)


def _place(engine) -> dict:
    """The argument that says where a run is made: on a device, or by an executor."""
    return {"device" if isinstance(engine, Host) else "executor": engine}


def _where(workers: int, kind: str, engine) -> str:
    plural = "es" if kind == "process" else "s"
    return f"on {engine.name}" if engine else f"{workers} {kind}{plural * (workers > 1)}"


def _motion(recipe, directory: Path, threads: int, again: str, engine, window=None) -> None:
    from wlnn.canonical.run import simulate
    from wlnn.canonical.trajectories import FILE
    from wlnn.report import canonical, plot
    from wlnn.report.plot_canonical import plot_md

    task, settings = recipe.task(), recipe.settings.md
    problem = recipe.problem(task)
    click.echo(
        f"{directory}: {settings.walkers} walkers x {settings.steps:,} steps at T = "
        f"{settings.temperature:g}, {problem.n_parameters} parameters",
        err=True,
    )
    tell(task)
    with _followed(directory, again, engine) as progress:
        notes = {"recipe": recipe.to_dict()}
        found = simulate(
            problem, settings, directory, threads, progress.report, notes,
            make_problem=partial(recipe.as_problem, problem.about), **_place(engine),
        )  # fmt: skip
    click.echo("\n".join(canonical.motion(found)))
    click.echo(directory / FILE)
    click.echo(plot.save(plot_md(found, window), directory / "md.png"))


def _search(recipe, directory: Path, *rest, **asked) -> None:
    from wlnn.base.claims import claimed

    with claimed(directory):
        _searched(recipe, directory, *rest, **asked)


def _searched(recipe, directory: Path, threads: int, again: str, engine, asked=None) -> None:
    """``asked``: methods and landscape of this call; those of the last call if None."""
    from wlnn.base import store
    from wlnn.canonical import optimisers, search
    from wlnn.report import plot
    from wlnn.report import search as in_words
    from wlnn.report.plot_canonical import plot_seek

    task, settings = recipe.task(), recipe.settings
    problem = recipe.problem(task)
    if asked is None:
        asked = store.read_run(directory).get("search", {})
        surface = _landscape_of(asked, directory, problem)
        metric = in_words.metric_for(problem, surface, str(asked.get("landscape")))
    else:
        surface, path = asked.pop("surface"), asked["landscape"]
        metric = in_words.metric_for(problem, surface, str(path))
        asked["landscape"] = path and _noted(path, directory)
        notes = {"recipe": recipe.to_dict()}
        store.open_run(directory, search.identity(problem, settings), notes)
        store.change_notes(directory, {"search": asked})
    low, high = settings.seek.low, settings.seek.high
    click.echo(
        f"{directory}: {settings.seek.runs} runs x {settings.seek.evaluations:,} gradient "
        f"evaluations of each method; temperatures {high:.3g} to {low:.3g}",
        err=True,
    )
    found = []
    for method in (name for name in asked.get("methods", METHODS) if name in METHODS):
        with _followed(directory, again, engine, method) as progress:
            how = settings, method, directory, threads, progress.report, metric
            where = _place(engine)
            if method in search.PLANS:
                make = partial(recipe.as_problem, problem.about)
                found.append(search.search(problem, *how, make_problem=make, **where))
            else:
                make = partial(recipe.as_task, problem.about) if engine else None
                found.append(optimisers.train(task, *how, make_task=make, **where))
    click.echo("\n".join(in_words.report(found, metric, surface)))
    click.echo(plot.save(plot_seek(found, metric, surface, problem.name), directory / "seek.png"))


def _noted(landscape: str, directory: Path) -> str:
    """What run.json holds of a landscape's path: from the folder of runs, if it lies in there, so
    that both can be moved; the whole path otherwise.
    """
    path, folder = Path(os.path.abspath(landscape)), Path(os.path.abspath(directory)).parent
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def _landscape_of(asked: dict, directory: Path, problem):
    """The landscape that a search was compared with, None if there was none or it is gone."""
    from wlnn.report.search import metric_for
    from wlnn.runs.find import believable_landscape

    if not asked.get("landscape"):
        return None
    path = Path(os.path.abspath(directory)).parent / asked["landscape"]
    try:
        if not path.exists():
            raise UserError(f"{path}: the landscape of this search is no longer there")
        surface = believable_landscape(path)
        metric_for(problem, surface, str(path))
    except UserError as error:
        reason = str(error).rstrip(".")
        click.echo(f"{reason}; the table is without the landscape.", err=True)
        return None
    return surface


def _trainings(recipe, directory: Path, processes: int, again: str, engine) -> None:
    from wlnn.report.training import in_words
    from wlnn.training.run import train_many

    task, settings = _trainable(recipe), recipe.settings.train
    click.echo(
        f"{directory}: {settings.runs} trainings × {settings.epochs} "
        f"epochs, {task.network.n_parameters} parameters, {_where(processes, 'process', engine)}",
        err=True,
    )
    with _followed(directory, again, engine, quiet=2.0) as progress:
        how = _how(recipe, task, processes, engine)
        trained = train_many(task, settings, directory, report=progress.report, **how)
    click.echo("\n".join(in_words(trained, task.y)), err=True)
    click.echo(directory / "trained.npz")


def _tuning(recipe, directory: Path, processes: int, again: str, engine) -> None:
    from wlnn.report import plot
    from wlnn.report.plot_training import plot_tuning
    from wlnn.training.tuning import tune

    task, settings = _trainable(recipe), recipe.settings
    click.echo(
        f"{directory}: {settings.tune.rates} learning rates, {settings.tune.runs} "
        f"trainings × {settings.train.epochs} epochs of each setting",
        err=True,
    )
    with _followed(directory, again, engine, quiet=2.0) as progress:
        how = _how(recipe, task, processes, engine)
        tuning = tune(task, settings, directory, report=progress.report, **how)
    best = tuning.best_settings
    click.echo("\n".join(tuning.table()))
    click.echo(
        f"best: train.learning_rate = {best['learning_rate']:g}, train.batch_size = "
        f"{best['batch_size']}; use it with --tuned {directory}"
    )
    click.echo(directory / "tuning.npz")
    click.echo(plot.save(plot_tuning(tuning), directory / "tuning.png"))


def _trainable(recipe):
    from wlnn.tasks.task import Task

    task = recipe.task()
    if not isinstance(task, Task):
        raise UserError(f"'{task.name}' is a bare function: only a Task with a network is trained.")
    tell(task)
    return task


def _how(recipe, task, processes: int, engine) -> dict:
    about = recipe.problem(task).about
    return {
        "processes": processes,
        "notes": {"recipe": recipe.to_dict()},
        "about": about,
        "make_task": partial(recipe.as_task, about) if engine else recipe.task,
        **_place(engine),
    }


_RUNNERS = {
    "wlmc": _landscape,
    "wlmd": _landscape,
    "ladder": _landscape,
    "md": _motion,
    "seek": _search,
    "train": _trainings,
    "tune": _tuning,
}
