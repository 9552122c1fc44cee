"""`wlnn seek`: search for the equilibrium states of low train loss, beside SGD and Adam.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.progress import Progress
from wlnn.cli.options import STOPPED, options_of, recipe_of, task_options, threads_option

METHODS = ("langevin", "annealing", "tempering", "sgd", "adam")
seek_options = options_of(
    click.option("--evaluations", type=float, metavar="N", help="Gradient evaluations of a run."),
    click.option("--runs", type=float, metavar="N", help="Independent runs of each method."),
    click.option("--low", type=float, metavar="T", help="The low temperature."),
    click.option("--high", type=float, metavar="T", help="Where annealing and replicas begin."),
    click.option("--replicas", type=float, metavar="N", help="Of parallel tempering."),
    click.option("--seed", type=float, metavar="N", help="Seed of all methods."),
    click.option(
        "--set", "overrides", metavar="SECTION.OPTION=VALUE", multiple=True, help="Any setting."
    ),
)


@click.command(short_help="Search for the equilibrium states of low train loss.")
@task_options
@seek_options
@click.option(
    "--method", "methods", type=click.Choice(METHODS), multiple=True,
    help="Only this one; repeatable [all].",
)  # fmt: skip
@click.option("--landscape", type=click.Path(), help="A run of `wlnn sample` of the same task.")
@click.option(
    "--at", type=float, metavar="X", help="The ln(train loss) to aim at; needs --landscape."
)
@click.option("--quick", "preset", flag_value="quick", help="The settings of --quick.")
@click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/seek-...].")
@threads_option
def seek(preset, out, threads, methods, landscape, at, **options):
    """Compare ways to networks of low train loss and high entropy, which generalise best.

    Langevin dynamics at a constant low temperature, simulated annealing and parallel tempering move
    in the train loss inside the box; SGD and Adam train as usual. All get the same number of
    gradients of the whole training set. Reported: ln(train loss) and test quantity reached, and,
    with a landscape, their distance from its max-entropy and equilibrium curves. Where the y of the
    landscape is a smoothed accuracy (mnist, cifar), so are these; the true accuracy stands below.

    \b
      wlnn seek --task spiral-classify --low 0.002 --high 0.02
      wlnn seek --task spiral-classify --landscape runs/spiral-classify-3x6-s0 --at -2.5

    With --at the low temperature is that whose most probable state has this ln(train loss), from
    the slope of S. Writes seek.png and a file per method. Ctrl-C loses nothing; the same command,
    or `wlnn resume`, goes on, and prints the same table.
    """
    from wlnn.canonical.reweight import temperature_of
    from wlnn.runs.find import find_landscape

    surface = None if landscape is None else find_landscape(landscape)
    given = {name: options.pop(name) for name in ("evaluations", "low", "high", "replicas")}
    if at is not None:
        if surface is None or given["low"] is not None:
            raise UserError("--at needs --landscape, which tells the temperature, and no --low.")
        given["low"] = temperature_of(surface, at)
    given |= {"runs": options.pop("runs")}
    words = tuple(f"seek.{name}={value!r}" for name, value in given.items() if value is not None)
    options["overrides"] += words
    recipe = recipe_of(options, preset or "default", "seek")
    if out is None:
        out = Path("runs") / f"seek-{recipe.directory_name(recipe.task())}"
    methods = methods or METHODS
    asked = {"methods": methods, "landscape": landscape and noted(landscape, Path(out))}
    execute(recipe, Path(out), threads, methods, surface, str(landscape), asked)


def noted(landscape: str, directory: Path) -> str:
    """What run.json holds of a landscape's path: from the folder of runs, if it lies in there, so
    that both can be moved; the whole path otherwise.
    """
    path, folder = Path(os.path.abspath(landscape)), Path(os.path.abspath(directory)).parent
    return (path.relative_to(folder) if path.is_relative_to(folder) else path).as_posix()


def resume(recipe, directory: Path, threads) -> None:
    """Continue the last `wlnn seek` in a directory, with its methods and its landscape."""
    from wlnn.base import store
    from wlnn.report import search as summary_seek
    from wlnn.runs.find import find_landscape

    asked = store.read_run(directory).get("search", {})
    methods = [name for name in asked.get("methods", METHODS) if name in METHODS]
    surface, path = None, None
    if asked.get("landscape"):
        path = Path(os.path.abspath(directory)).parent / asked["landscape"]
        try:
            if not path.exists():
                raise UserError(f"{path}: the landscape of this search is no longer there")
            surface = find_landscape(path)
            summary_seek.metric_for(recipe.problem(recipe.task()), surface, str(path))
        except UserError as error:
            surface, reason = None, str(error).rstrip(".")
            click.echo(f"{reason}; the table is without the landscape.", err=True)
    execute(recipe, directory, threads, methods, surface, str(path))


@alone
def execute(
    recipe, directory: Path, threads, methods, surface=None, name: str = "", asked=None
) -> None:
    """Begin or continue a search with some methods; print the table and draw.

    ``surface`` is the landscape to compare with, of the path ``name``; ``asked`` is what `wlnn
    resume` will need to print the same table.
    """
    from wlnn.base import running, store
    from wlnn.base.workers import default_processes
    from wlnn.canonical import optimisers
    from wlnn.canonical import search as run_seek
    from wlnn.report import plot
    from wlnn.report import search as summary_seek
    from wlnn.report.plot_canonical import plot_seek

    task, settings, threads = recipe.task(), recipe.settings, threads or default_processes()
    problem = recipe.problem(task)
    metric = summary_seek.metric_for(problem, surface, name)
    notes = {"recipe": recipe.to_dict(), "versions": store.versions()}
    store.open_run(directory, run_seek.identity(problem, settings), notes)
    if asked is not None:
        store.change_notes(directory, {"search": asked})
    low, high = settings.seek.low, settings.seek.high
    click.echo(
        f"{directory}: {settings.seek.runs} runs x {settings.seek.evaluations:,} gradient "
        f"evaluations of each method; temperatures {high:.3g} to {low:.3g}",
        err=True,
    )
    found = []
    try:
        for method in methods:
            with Progress(method, quiet=1.0) as progress:
                how = settings, method, directory, threads
                if method in run_seek.PLANS:

                    def report(part, line, progress=progress):
                        progress(part, 1.0, line)

                    found.append(run_seek.search(problem, *how, report, metric))
                else:
                    found.append(optimisers.train(task, *how, progress, metric))
    except running.Interrupted:
        click.echo(f"stopped; everything so far is saved in {directory}", err=True)
        click.echo(f"  go on with:  wlnn resume {directory}", err=True)
        sys.exit(STOPPED)
    click.echo("\n".join(summary_seek.report(found, metric, surface)))
    click.echo(plot.save(plot_seek(found, metric, surface, problem.name), directory / "seek.png"))
