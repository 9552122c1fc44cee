"""`wlnn md`, `canonical`: the training loss at a temperature, by moving and by reweighting.

It parses, calls and prints; everything heavy is imported inside the commands.
"""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import NUMBER, Count, Number, numbers
from wlnn.cli.options import (
    engine_of,
    engine_options,
    options_of,
    recipe_of,
    task_options,
    threads_option,
)
from wlnn.cli.runs import execute

md_options = options_of(
    click.option("--temperature", type=Number(), metavar="T", help="In units of the train loss."),
    click.option("--steps", **NUMBER, help="Steps of each walker."),
    click.option("--walkers", **NUMBER, help="Independent walkers."),
    click.option("--seed", **NUMBER, help="Seed of the walkers."),
    click.option("--dt", **NUMBER, help="Time step."),
    click.option("--friction", **NUMBER, help="Friction per step."),
    click.option("--newtonian", is_flag=True, help="No thermostat: the energy is kept, not T."),
    click.option(
        "--set", "overrides", metavar="SECTION.OPTION=VALUE", multiple=True, help="Any setting."
    ),
)
window_option = click.option(
    "--loss-window",
    metavar="LOW,HIGH",
    help="Train losses whose states are followed apart [the middle 60 % of the second half].",
)


@click.command(short_help="Molecular dynamics on the train loss at a temperature.")
@task_options
@md_options
@window_option
@click.option("--quick", "preset", flag_value="quick", help="The settings of --quick.")
@click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/md-...].")
@threads_option
@engine_options
def md(
    preset,
    out,
    threads,
    on,
    insecure,
    device,
    loss_window,
    temperature,
    dt,
    friction,
    newtonian,
    **options,
):  # fmt: skip
    """Let networks move in the potential of their train loss at a temperature T (Fig. 4).

    Langevin dynamics samples the canonical ensemble exp(-L / T): train loss and test quantity
    against time are means over independent walkers, and so is the test quantity of those states
    whose train loss lies in a window. Where it still rises at one and the same train loss, the
    networks were not in equilibrium yet.

    \b
      wlnn md --task spiral-classify --temperature 0.003
      wlnn md --task spiral-regress --temperature 2e-4 --steps 1e6
      wlnn md --task spiral-classify --newtonian          energy drift tells the time step's error

    Writes md.npz (records of every walker) and md.png. Ctrl-C loses nothing; the same command, or
    `wlnn resume`, goes on with the same bits.
    """
    from wlnn.runs.names import directory_name

    if newtonian and friction is not None:
        raise UserError("--newtonian is motion without friction; leave --friction out.")
    own = {
        "md.temperature": ("--temperature", temperature),
        "md.dt": ("--dt", dt),
        "md.friction": ("--friction", 0.0 if newtonian else friction),
    }
    recipe = recipe_of(options, preset or "default", "md", own)
    name = directory_name(recipe, recipe.task())
    window = None if loss_window is None else numbers("--loss-window", loss_window, 2)
    if window is not None and not 0 < window[0] < window[1]:
        raise UserError(f"--loss-window {loss_window} is empty; write LOW,HIGH, both positive.")
    with engine_of(on, insecure, device) as engine:
        directory = Path(out or Path("runs") / name)
        execute(recipe, directory, threads, engine=engine, window=window)


@click.command(short_help="Canonical averages from a landscape.")
@click.argument("result", type=click.Path())
@click.option(
    "--temperature",
    "temperatures",
    metavar="LOW..HIGH",
    help="A range, as in 1e-3..1e-1, or a list T,T,.. [all that the landscape covers].",
)
@click.option("--points", type=Count(2, 10_000), default=17, show_default=True, help="Of a range.")
@click.option(
    "--md", "runs", type=click.Path(), multiple=True, help="A run of `wlnn md` to compare with."
)
@click.option("--out", type=click.Path(dir_okay=False), help="The picture [canonical.png].")
def canonical(result, temperatures, points, runs, out):
    """Averages at temperatures T of the train loss L, reweighted from an entropy landscape.

    <L>, <ln L>, the mean test quantity, the free energy F = -T ln Z and the heat capacity
    var(L) / T^2, with 95 % intervals from leaving out one walker at a time. A temperature whose
    weight exp(S - L / T) lies outside the landscape's window by 1 % or more is marked: its numbers
    are wrong, whatever their error bars.

    \b
      wlnn canonical runs/spiral-classify-3x6-s0 --temperature 1e-3..1e-1
      wlnn canonical runs/... --md runs/md-...-T0.003       beside molecular dynamics at that T
    """
    import numpy as np

    from wlnn.canonical import reweight
    from wlnn.canonical.trajectories import Trajectories
    from wlnn.report import canonical as summary_canonical
    from wlnn.report import plot
    from wlnn.report.plot_canonical import plot_canonical
    from wlnn.runs.find import believable_landscape

    landscape = believable_landscape(result)
    moved = [Trajectories.load(run) for run in runs]
    lowest, highest = reweight.covered_range(landscape)
    if temperatures is not None:
        chosen = _temperatures(temperatures, points)
    elif np.isnan(lowest):
        raise UserError(f"{result}: covers no temperature; sample it to lower losses.")
    else:
        chosen = np.geomspace(lowest, min(highest, 1e3 * lowest), points)
    averages = reweight.canonical(landscape, chosen)
    click.echo("\n".join(summary_canonical.table(landscape, averages, (lowest, highest))))
    for found in moved:
        click.echo("\n".join(summary_canonical.beside(landscape, found)))
    folder = Path(result) if Path(result).is_dir() else Path(result).parent
    click.echo(summary_canonical.save(averages, landscape, folder / "canonical.npz"))
    figure = plot_canonical(landscape, averages, moved)
    click.echo(plot.save(figure, out or folder / "canonical.png"))


def _temperatures(text: str, points: int):
    """The temperatures of "LOW..HIGH" (``points`` of them, evenly in ln T) or of "T,T,..."."""
    import numpy as np

    low, dots, high = text.partition("..")
    if dots:
        a, b = numbers("--temperature", low, 1)[0], numbers("--temperature", high, 1)[0]
        if not 0 < a < b < float("inf"):
            raise UserError(f"--temperature {text}: write LOW..HIGH with 0 < LOW < HIGH.")
        return np.geomspace(a, b, points)
    found = numbers("--temperature", text, text.count(",") + 1)
    if not all(0 < value < float("inf") for value in found):
        raise UserError(f"--temperature {text}: temperatures are positive numbers.")
    return np.array(found)
