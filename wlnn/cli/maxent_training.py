"""`wlnn maxent train` and `compare`: networks trained by SGD beside the law."""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.progress import Progress
from wlnn.cli.maxent_options import (
    UNITS,
    contexts_option,
    out_option,
    print_table,
    scales_option,
    write_results,
)
from wlnn.cli.numbers import Count, Number
from wlnn.cli.options import WORKERS, options_of

COMPARE_FOLDER = "runs/maxent-compare"

_training = options_of(
    contexts_option,
    scales_option,
    click.option("--units", type=UNITS, default=1500, show_default=True, help="Hidden units N."),
    click.option(
        "--seeds",
        type=Count(1, 10_000),
        default=2,
        show_default=True,
        help="Networks per setting.",
    ),
    click.option(
        "--batch",
        type=Count(1, 1_000_000),
        default=64,
        show_default=True,
        help="Inputs per step.",
    ),
    click.option(
        "--learning-rate", type=Number(), help="Of SGD [0.2, 0.1 from sigma = 1.5, less above 2]"
    ),
    click.option(
        "--steps",
        type=Count(1, 10**9),
        help="SGD steps [1200, 2400 from sigma = 1.5, more above 2]",
    ),
    click.option("--processes", type=WORKERS, help="Worker processes [default: one per core]."),
)


@click.command(short_help="Train ReLU networks by SGD: a table beside the prediction.")
@_training
@out_option
def train(out, **options):
    """Train ReLU networks by online SGD and print their statistics beside the prediction.

    Initial weights have the same sigma as the law they are compared with; nothing is fitted.
    With --out every trained network is kept at once (networks/*.npz: w, m, a, losses), so that
    after Ctrl-C the same command goes on where it was.

    \b
    Example: wlnn maxent train --contexts 2,4 --weight-scale 0.5,2 --seeds 1
    """
    _train("train", out, options)


@click.command(short_help="Train, compare with the law, draw the figures.")
@_training
@click.option(
    "--out",
    type=click.Path(file_okay=False),
    default=COMPARE_FOLDER,
    show_default=True,
    help="Folder for CSV, JSON, networks and figures.",
)
def compare(out, **options):
    """Train, compare with the law, and draw the figures of the study.

    Writes compare.csv and compare.json, every trained network (networks/*.npz), and the figures
    populations, population-ratios, specialisation, selectivity, scatter and weights. The default
    (28 settings, 2 networks each) takes a few minutes on two cores; after Ctrl-C the same command
    goes on where it was.

    \b
    Example: wlnn maxent compare --contexts 2..8 --weight-scale 0.25,0.5,1,2 --out results
    """
    _draw(_train("compare", out, options), Path(out))


def _train(name, out, options):
    from wlnn.cli.maxent_tables import output_folder
    from wlnn.maxent import comparison

    directory = None if out is None else output_folder(Path(out) / "networks")
    contexts, scales = options.pop("contexts"), options.pop("scales")
    try:
        with Progress("training") as progress:
            rows = comparison.compare(
                contexts, scales, directory=directory, progress=progress, **options
            )
    except KeyboardInterrupt:
        if directory is not None:
            click.echo(
                f"trained networks are kept in {directory}; the same command goes on", err=True
            )
        raise
    records = [row.record() for row in rows]
    shown = ("K", "sigma", "loss_sgd", "c_g_sgd", "c_g_maxent", "rho_bar_sgd", "rho_bar_maxent")
    print_table(records, (*shown, "TV(sgd,maxent)", "TV(sgd,binomial)"))
    summary = comparison.agreement(rows)
    for observable, numbers in summary.items():
        if numbers["pearson"] is not None:
            click.echo(
                f"{observable}: Pearson {numbers['pearson']:.3f}, slope {numbers['slope']:.2f}, "
                f"rms difference {numbers['rms']:.3f} over {numbers['settings']} settings"
            )
    del options["processes"]  # results do not depend on it
    write_results(out, name, records, {"command": name, "agreement": summary, **options})
    return rows


def _draw(rows, folder):
    import numpy as np

    from wlnn.maxent import sampling
    from wlnn.report import plot, plot_maxent

    rows = [row for row in rows if row.law.contexts > 1]
    if not rows:
        click.echo("no figures: K = 1 has no gain correlation.", err=True)
        return
    contexts = sorted({row.law.contexts for row in rows})
    scales = sorted({row.law.weight_scale for row in rows})
    shown = min(rows, key=lambda row: (abs(row.law.weight_scale - 1), abs(row.law.contexts - 4)))
    sampled = sampling.draw_units(shown.law, len(shown.units.w), np.random.default_rng(0))
    pictures = {
        "populations": plot_maxent.populations(rows),
        "population-ratios": plot_maxent.population_ratios(rows),
        "specialisation": plot_maxent.specialisation(contexts, scales, rows),
        "selectivity": plot_maxent.selectivity(contexts, scales, rows),
        "scatter": plot_maxent.scatter(rows),
        "weights": plot_maxent.weights(shown.law, sampled, shown.units),
    }
    for name, figure in pictures.items():
        click.echo(plot.save(figure, folder / f"{name}.png"))
