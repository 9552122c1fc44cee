"""`wlnn maxent landscape`: Wang-Landau sampling beside the theory."""

from __future__ import annotations

import click

from wlnn.base.errors import UserError
from wlnn.base.progress import Progress
from wlnn.cli.maxent_options import is_given, out_option, print_table, seed_option, write_results
from wlnn.cli.numbers import NUMBER, Count, Number
from wlnn.cli.options import options_of, threads_option


@click.command(short_help="Wang-Landau sampling of ln g(ln L) beside the theory.")
@options_of(out_option, seed_option)
@click.option(
    "--contexts",
    type=Count(1, 64),
    default=2,
    show_default=True,
    help="K, number of contexts.",
)
@click.option("--units", type=Count(1, 4096), default=16, show_default=True, help="Hidden units N.")
@click.option(
    "--box", type=Number(), default=2.0, show_default=True, help="b: parameters in [-b, b]."
)
@click.option(
    "--net",
    type=click.Choice(["gain-linear", "relu"]),
    default="gain-linear",
    show_default=True,
    help="gain-linear: gated linear units, with theory. relu: ReLU units on fixed inputs.",
)
@click.option(
    "--ungated", is_flag=True, help="K = 1 only: units always active; exact result known."
)
@click.option(
    "--inputs",
    type=Count(2, 100_000),
    default=16,
    show_default=True,
    help="Inputs +-x of a ReLU net.",
)
@click.option(
    "--input-scale", type=Number(), default=0.3, show_default=True, help="Their scale s_x."
)
@click.option("--steps", **NUMBER, default=2e7, show_default="2e7", help="Steps of each walker.")
@click.option(
    "--walkers",
    type=Count(1, 10_000),
    default=4,
    show_default=True,
    help="Independent walkers.",
)
@threads_option
def landscape(out, seed, steps, walkers, threads, ungated, box, **options):
    """Sample ln g(ln L) by Wang-Landau, with parameters uniform in a box, and look at the units.

    At low loss a random network of given loss is a draw from the maximum-entropy law of the box:
    the table sets ln g beside the theory and shows how the populations p(n) and the correlations
    rho(n) of w with its active inputs grow out of the random box as the loss falls.
    With --out also the figure, and the run itself in a folder `run` (for `wlnn info`, `wlnn plot`);
    an interrupted run is continued there.

    \b
    Examples:
      wlnn maxent landscape --contexts 2 --units 16 --box 2 --out results
      wlnn maxent landscape --net relu --units 24 --steps 5e6
    """
    from wlnn.base.running import Interrupted
    from wlnn.base.workers import default_processes
    from wlnn.cli.maxent_tables import output_folder
    from wlnn.maxent.landscape import sample_landscape
    from wlnn.settings.samplers import WLMCSettings
    from wlnn.tasks.context_select import context_problem

    for name in ("inputs", "input_scale"):
        if options["net"] != "relu" and is_given(name):
            raise UserError(f"--{name.replace('_', '-')} goes with --net relu.")
    problem = context_problem(half_width=box, gated=not ungated, **options)
    stages = max(1, min(400, int(steps) // 10_000))
    settings = WLMCSettings(steps=steps, stages=stages, walkers=walkers, seed=seed, production=0.4)
    directory = None if out is None else output_folder(out) / "run"
    click.echo(f"{walkers} walkers of {1.5 * steps:.2g} steps; a first run compiles", err=True)
    try:
        with Progress("sampling") as progress:
            result = sample_landscape(
                problem,
                settings,
                directory=directory,
                threads=threads or default_processes(),
                progress=progress,
            )
    except (Interrupted, KeyboardInterrupt):
        if directory is not None:
            click.echo(f"saved in {directory}; the same command continues", err=True)
        raise KeyboardInterrupt from None
    rows = result.records()
    shown = tuple(name for name in rows[0] if name not in ("rho", "networks"))
    print_table([row for k, row in enumerate(rows) if "p_theory" in row or k % 10 == 0], shown)
    about = {"command": "landscape", **problem.about, "steps": settings.steps, "walkers": walkers}
    folder = write_results(out, "landscape", rows, {**about, "seed": seed})
    if folder is not None:
        from wlnn.report import plot, plot_maxent

        click.echo(folder / "run" / "landscape.npz")
        click.echo(plot.save(plot_maxent.landscape(result), folder / "landscape.png"))
