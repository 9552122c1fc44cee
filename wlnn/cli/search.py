"""`wlnn seek`: search for the equilibrium states of low train loss, beside SGD and Adam.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import NUMBER, Number
from wlnn.cli.options import (
    engine_of,
    engine_options,
    options_of,
    recipe_of,
    task_options,
    threads_option,
)
from wlnn.cli.runs import METHODS, execute

seek_options = options_of(
    click.option("--evaluations", **NUMBER, help="Gradient evaluations of a run."),
    click.option("--runs", **NUMBER, help="Independent runs of each method."),
    click.option("--low", type=Number(), metavar="T", help="The low temperature."),
    click.option("--high", type=Number(), metavar="T", help="Where annealing and replicas begin."),
    click.option("--replicas", **NUMBER, help="Of parallel tempering."),
    click.option("--seed", **NUMBER, help="Seed of all methods."),
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
    "--at", type=Number(), metavar="X", help="The ln(train loss) to aim at; needs --landscape."
)
@click.option("--quick", "preset", flag_value="quick", help="The settings of --quick.")
@click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/seek-...].")
@threads_option
@engine_options
def seek(preset, out, threads, on, insecure, device, methods, landscape, at, **options):
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
    from wlnn.runs.find import believable_landscape
    from wlnn.runs.names import directory_name

    surface = None if landscape is None else believable_landscape(landscape)
    given = {name: options.pop(name) for name in ("evaluations", "low", "high", "replicas")}
    if at is not None:
        if surface is None or given["low"] is not None:
            raise UserError("--at needs --landscape, which tells the temperature, and no --low.")
        given["low"] = temperature_of(surface, at)
    given |= {"runs": options.pop("runs")}
    own = {f"seek.{name}": (f"--{name}", value) for name, value in given.items()}
    if at is not None:
        own["seek.low"] = "--at", given["low"]
    recipe = recipe_of(options, preset or "default", "seek", own)
    if out is None:
        out = Path("runs") / directory_name(recipe, recipe.task())
    asked = {"methods": methods or METHODS, "landscape": landscape, "surface": surface}
    with engine_of(on, insecure, device) as engine:
        execute(recipe, Path(out), threads, engine=engine, asked=asked)
