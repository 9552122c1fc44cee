"""`wlnn tasks`, `sample`, `resume`, `probe`: what can be sampled, and the sampling.

It parses, calls and prints; everything heavy is imported inside the commands.
"""

from __future__ import annotations

import sys
from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.base.progress import duration
from wlnn.cli.campaign import carry_out, study_options
from wlnn.cli.options import (
    engine_of,
    engine_options,
    options_of,
    recipe_of,
    sampler_options,
    task_options,
    threads_option,
    window_option,
)
from wlnn.cli.runs import cores, execute


@click.command(short_help="What can be sampled, and with which settings.")
@click.argument("name", required=False)
def tasks(name):
    """List what can be sampled; with NAME show every setting of that task, with its source.

    What is printed can be written to a file, changed, and sampled by `wlnn sample --config FILE`.

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
        if name in TASKS:
            click.echo(f'task = "{name}"\n')
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
@click.option("--live", is_flag=True, help="Keep report.html up to date, a page to watch the run.")
@click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/...].")
@threads_option
@engine_options
@options_of(*study_options)
def sample(
    preset, yes, out, threads, live, on, insecure, device, config, array, dry_run, **options
):
    """Sample an entropy landscape: about a minute, about ten seconds with --quick.

    Walkers move through the parameters of the network, one parameter at a time, and learn S(x, y)
    while they go: where they have been S grows, and states of large S are entered less, until all
    macrostates are visited alike. The increment ln f falls with the steps to nothing, and walkers
    that began alone share one S. In the last part of the steps it is frozen and their visits are
    counted: S + ln(visits), with error bars by a jackknife over walkers. A verdict ends the run.

    The spiral surface, houses and polymers (thousands of parameters) are sampled by ladders of
    replicas instead: at many temperatures of the loss, exchanged between neighbours and joined by
    MBAR. That takes from 25 to 60 core-minutes, with --quick a minute or two.

    \b
      wlnn sample --quick
      wlnn sample --layers 4 --width 8 --seed 1
      wlnn sample --task spiral-regress --width 30
      wlnn sample --train train.csv --test test.csv --target label --hidden 8,8

    Many runs: `wlnn sample --config study.toml` makes one of every combination of the lists in the
    file, in one folder; `wlnn status FOLDER` says how far they are (docs/cluster.md).

    The run directory holds run.json (settings, seeds, versions), a checkpoint of every walker,
    landscape.npz and two pictures; with --live also report.html, rewritten at checkpoints. Ctrl-C
    stops a run within a second and loses nothing: the same command, or `wlnn resume`, goes on, with
    the same bits in the end.
    """
    from wlnn.runs.names import directory_name
    from wlnn.runs.recipe import PAPER_DATA_SETS

    if config is not None:
        where = threads, on, insecure, device
        carry_out(config, array, dry_run, preset, out, live, where, **options)
        return
    if array is not None or dry_run:
        raise UserError(f"--{'array' if array else 'dry-run'} needs --config FILE.")
    preset = preset or "default"
    recipe = recipe_of(options, preset)
    task = recipe.task()
    directory = Path(out or Path("runs") / directory_name(recipe, task))
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
    again = f"wlnn resume {directory}" if len(runs) > 1 else ""
    with engine_of(on, insecure, device) as engine:
        for part, folder in runs:
            execute(part, folder, threads, again, engine, live=live)


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
    from wlnn.wlmd.setup import make_setup

    recipe = recipe_of(options, preset or "default", "wlmd")
    setup = make_setup(recipe.problem(recipe.task()), recipe.settings.wlmd)
    found = wlmd_probe.probe(setup, lambda text: click.echo(text, err=True))
    click.echo("   wlmd.dt    temperature        x  us/step")
    for trial in found.trials:
        temperature = f"{trial.temperature:.3f} ± {trial.noise:.3f}"
        click.echo(f"{trial.dt:10.2g}  {temperature}  {trial.x:7.2f}  {trial.us_per_step:7.0f}")
    click.echo("\n       setting     advised         now  why")
    advised = wlmd_probe.advise(setup, found)
    for option, value, now, why in advised:
        click.echo(f"{option:>14}  {value:10.3g}  {now:10.3g}  {why}")
    changed = [f"--set {option}={value:g}" for option, value, now, _ in advised if value != now]
    click.echo("\n" + " ".join(changed))


def _announce(recipe, problem, n_runs: int, threads: int, yes: bool) -> None:
    """Say how long the published protocol takes; ask on a terminal."""
    from wlnn.runs.pace import estimate

    settings = getattr(recipe.settings, recipe.sampler)
    if recipe.sampler == "ladder":
        raise UserError("ladders are no published protocol; leave out --paper or --sampler.")
    click.echo("measuring the pace of the sampler on this machine ...", err=True)
    seconds = estimate(recipe, problem, threads)
    words = f"{settings.who} x {settings.steps:.3g} steps: {duration(seconds)}"
    if n_runs > 1:
        words = f"{n_runs} data sets, each {words}; together {duration(n_runs * seconds)}"
    click.echo(f"the published protocol, {words} on {threads} threads", err=True)
    if not yes and sys.stdin.isatty():
        click.confirm("begin?", abort=True, err=True)
