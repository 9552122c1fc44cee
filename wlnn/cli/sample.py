"""`wlnn tasks`, `sample`, `resume`, `probe`: what can be sampled, and the sampling.

It parses, calls and prints; everything heavy is imported inside the commands.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wlnn.base.progress import Progress, duration
from wlnn.cli.options import (
    STOPPED,
    recipe_of,
    sampler_options,
    task_options,
    threads_option,
    window_option,
)


@click.command(short_help="What can be sampled, and with which settings.")
@click.argument("name", required=False)
def tasks(name):
    """List what can be sampled; with NAME show every setting of that task, with its source.

    \b
    Your own:
      wlnn sample --train train.csv --test test.csv --target label --hidden 8,8
      wlnn sample --task path.py:name     a Task (data and network) or a Problem (any function)
    """
    from importlib import resources

    from wlnn.settings.tables import read_table
    from wlnn.tasks.catalogue import TASKS

    if name is not None:
        read_table(name)  # refuses an unknown one
        click.echo((resources.files("wlnn.tables") / f"{name}.toml").read_text("utf-8"), nl=False)
        return
    for task, about in TASKS.items():
        click.echo(f"{task:<18}{about}")
    click.echo(f"{'path.py:name':<18}a Task or a Problem that a Python file of yours defines")
    click.echo(f"{'--train, --test':<18}your data as CSV files of numbers")
    click.echo("\nwlnn tasks NAME shows the settings of a task; 'own' those of your own.")


@click.command(short_help="Sample an entropy landscape.")
@task_options
@window_option
@sampler_options
@click.option(
    "--quick", "preset", flag_value="quick", help="A first look; the edge of low loss is missing."
)
@click.option(
    "--paper",
    "preset",
    flag_value="paper",
    help="The published protocol. For spiral-classify: 10,000 stages of 3.2e6 steps for each of 6 "
    "data sets (or for the one of --data-seed).",
)
@click.option("--yes", is_flag=True, help="Do not ask before a --paper run.")
@click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/...].")
@threads_option
def sample(preset, yes, out, threads, **options):
    """Sample an entropy landscape: about a minute, about ten seconds with --quick.

    Walkers move through the parameters of the network, one parameter at a time, and learn S(x, y)
    while they go: where they have been S grows, and states of large S are entered less, until all
    macrostates are visited alike. The increment ln f falls with the steps; in the last part of them
    S is measured: its mean while it still grows a little, or, for small problems, S + ln(visits)
    while it is frozen. The spread of independent walkers gives the error bars.

    \b
      wlnn sample --quick
      wlnn sample --layers 4 --width 8 --seed 1
      wlnn sample --task spiral-regress --width 30
      wlnn sample --train train.csv --test test.csv --target label --hidden 8,8

    The run directory holds run.json (settings, seeds, versions), a checkpoint of every walker,
    landscape.npz and two pictures. Ctrl-C stops a run within a second and loses nothing: the same
    command, or `wlnn resume`, goes on, with the same bits in the end.
    """
    from wlnn.runs.recipe import PAPER_DATA_SETS

    preset = preset or "default"
    recipe = recipe_of(options, preset)
    task = recipe.task()
    directory = Path(out or Path("runs") / recipe.directory_name(task))
    data_sets = PAPER_DATA_SETS.get(recipe.source.get("task"), 1)
    runs = [(recipe, directory)]
    if preset == "paper":
        if data_sets > 1 and options["data_seed"] is None:
            runs = [
                (recipe_of({**options, "data_seed": str(k)}, preset), directory / f"data-{k}")
                for k in range(data_sets)
            ]
        _announce(recipe, recipe.problem(task), len(runs), threads or cores(), yes)
        if len(runs) > 1:
            for part, folder in runs:  # so that `resume` finds them all
                part.open(part.problem(part.task()), folder)
    for part, folder in runs:
        execute(part, folder, threads or cores(), directory)


@click.command(short_help="Go on with an interrupted run.")
@click.argument("run", type=click.Path())
@threads_option
def resume(run, threads):
    """Go on with an interrupted run, or with all runs in a directory of runs.

    The task is rebuilt from run.json. What comes out is bit for bit what the run would have given
    without the interruption. CSV and Python files that changed since are refused.
    """
    from wlnn.cli import canonical as cli_canonical
    from wlnn.cli import search as cli_seek
    from wlnn.cli.train import go_on
    from wlnn.runs.recipe import read_recipe

    folders = [Path(run)]
    if not (folders[0] / "run.json").exists():
        folders = sorted(path.parent for path in folders[0].glob("*/run.json")) or folders
    for folder in folders:
        recipe = read_recipe(folder)
        if recipe.sampler in ("train", "tune"):
            go_on(recipe, folder, threads, f"wlnn resume {run}")
        elif recipe.sampler == "md":
            cli_canonical.execute(recipe, folder, threads)
        elif recipe.sampler == "seek":
            cli_seek.resume(recipe, folder, threads)
        else:
            execute(recipe, folder, threads or cores(), Path(run))


@click.command(short_help="Find time step, friction and window of molecular dynamics.")
@task_options
@window_option
@click.option(
    "--set", "overrides", metavar="SECTION.OPTION=VALUE", multiple=True, help="Any setting."
)
@click.option("--quick", "preset", flag_value="quick", help="The settings of --quick.")
def probe(preset, **options):
    """Try settings before a long run of molecular dynamics: half a minute or so.

    A walker is pressed down to the lowest losses of the window, where the motion is fastest. A time
    step that is too large heats it there: the temperature must stay 1. How hard the entropy pushes
    back tells how much of it there is to fill, and so how long that takes. What is advised is
    printed with its reason, and as options for `wlnn sample`.
    """
    from wlnn.wlmd import probe as wlmd_probe

    recipe = recipe_of(options, preset or "default", "wlmd")
    problem, settings = recipe.problem(recipe.task()), recipe.settings.wlmd
    found = wlmd_probe.probe(problem, settings, lambda text: click.echo(text, err=True))
    click.echo("   wlmd.dt    temperature        x  us/step")
    for trial in found.trials:
        temperature = f"{trial.temperature:.3f} ± {trial.noise:.3f}"
        click.echo(f"{trial.dt:10.2g}  {temperature}  {trial.x:7.2f}  {trial.us_per_step:7.0f}")
    click.echo("\n       setting     advised         now  why")
    advised = wlmd_probe.advise(problem, settings, found)
    for option, value, now, why in advised:
        click.echo(f"{option:>14}  {value:10.3g}  {now:10.3g}  {why}")
    changed = [f"--set {option}={value:g}" for option, value, now, _ in advised if value != now]
    click.echo("\n" + " ".join(changed))


def cores() -> int:
    """The cores this process may use."""
    from wlnn.base.workers import default_processes

    return default_processes()


def _announce(recipe, problem, n_runs: int, threads: int, yes: bool) -> None:
    """Say how long the published protocol takes; ask on a terminal."""
    settings = getattr(recipe.settings, recipe.sampler)
    click.echo("measuring the pace of the sampler on this machine ...", err=True)
    seconds = recipe.estimate(problem, threads)
    words = f"{_walkers(settings)} x {settings.steps:.3g} steps: {duration(seconds)}"
    if n_runs > 1:
        words = f"{n_runs} data sets, each {words}; together {duration(n_runs * seconds)}"
    click.echo(f"the published protocol, {words} on {threads} threads", err=True)
    if not yes and sys.stdin.isatty():
        click.confirm("begin?", abort=True, err=True)


def execute(recipe, directory: Path, threads: int, whole: Path) -> None:
    """Begin or continue one run, with progress; at its end print where the results are.

    ``whole`` is what the user is told to resume: the run, or the directory of several. Exits with
    status 130 when the run is stopped.
    """
    from wlnn.base import running
    from wlnn.cli.results import draw
    from wlnn.landscape.files import finished
    from wlnn.report.landscape import reached

    problem = recipe.problem(recipe.task())
    had_finished = finished(directory) is not None
    said = set()

    def report(state) -> None:
        for note in (state.note,) if hasattr(state, "note") else state.notes:
            if note and note not in said:
                said.add(note)
                progress.note(f"  {note}")
        if not getattr(state, "note", ""):
            progress(state.part, 1.0, _words(state, problem), state.seconds_left)

    settings = getattr(recipe.settings, recipe.sampler)
    click.echo(
        f"{directory}: {_walkers(settings)} x {settings.steps:.3g} steps, "
        f"{problem.n_parameters} parameters, {threads} threads",
        err=True,
    )
    for note in problem.about.get("data", {}).get("notes", ()):
        click.echo(f"  note: {note}", err=True)
    try:
        with Progress("" if directory == whole else directory.name, quiet=0) as progress:
            landscape = recipe.sample(problem, directory, threads, report)
        if had_finished:
            click.echo(f"{directory}: finished already; this is its result", err=True)
        click.echo(f"{directory}: {reached(landscape)}", err=True)
        for path in [directory / "landscape.npz", *draw(landscape, directory)]:
            click.echo(path)
    except (running.Interrupted, KeyboardInterrupt) as stop:
        landscape = getattr(stop, "result", None)
        click.echo(f"stopped; everything sampled so far is saved in {directory}", err=True)
        if landscape is not None:
            click.echo(f"  {reached(landscape)}", err=True)
        click.echo(f"  go on with:  wlnn resume {whole}", err=True)
        sys.exit(STOPPED)


def _walkers(settings) -> str:
    """How many move: "16 walkers", "4 ladders", or "4 tables of 2 walkers"."""
    if hasattr(settings, "ladders"):
        return f"{settings.ladders} ladder{'s' * (settings.ladders > 1)}"
    walkers = f"{settings.walkers} walker{'s' * (settings.walkers > 1)}"
    tables = getattr(settings, "tables", None)
    return walkers if tables is None else f"{tables} table{'s' * (tables > 1)} of {walkers}"


def _words(state, problem) -> str:
    """A report of either sampler in a few words."""
    if not hasattr(state, "x_low"):
        return state.line()
    x_name = problem.grid.x.name.replace("ln train loss", "ln L")
    ln_f = f"ln f {state.ln_f:.1e}" if state.ln_f else "S frozen"
    return (
        f"{x_name} {state.x_low:.2f}  {state.bins:,.0f} bins ({state.coverage:.0%})  "
        f"{state.round_trips} round trips  {ln_f}"
    )
