"""`wlnn compare`: landscapes against each other. It parses, calls and prints."""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.results import style_options


@click.command(short_help="Landscapes against each other, in standard errors.")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("--all", "every", is_flag=True, help="List every point of x, not a dozen.")
@click.option("--csv", "file", metavar="FILE", help="Also write all numbers to a CSV file.")
@click.option("--out", type=click.Path(dir_okay=False), default="compare.png", show_default=True,
              help="The picture, as .png, .pdf or .svg.")  # fmt: skip
@style_options
def compare(results, every, file, out, style, width_cm):
    """Compare runs with the first of them: S(x), equilibrium curves, and their differences.

    Differences are told in standard errors, and whether chance explains the largest of them. Other
    seeds, samplers, grids and windows may be compared where they overlap: finer rows are added up
    to the coarsest. Relative entropies are shifted onto the first run.

    \b
      wlnn compare runs/spiral-classify-3x6-s0 runs/spiral-classify-3x6-ladder-s0
      wlnn compare runs/a runs/b runs/c --out three.pdf --csv three.csv
    """
    from wlnn.landscape.overlap import overlap
    from wlnn.report import compare as in_words
    from wlnn.report import plot
    from wlnn.report.export import write_columns
    from wlnn.report.plot_compare import plot_compare
    from wlnn.report.plot_style import fitted, styled
    from wlnn.runs.find import believable_landscape

    if file is not None and Path(file).exists():
        raise UserError(f"{file}: is there already; give another name with --csv.")
    landscapes = [believable_landscape(result) for result in results]
    names = [str(result).rstrip("/") for result in results]
    found = overlap(landscapes, names)
    click.echo("\n".join(in_words.summary(landscapes, names, found, None if every else 12)))
    if file is not None:
        click.echo(write_columns(Path(file), in_words.columns(landscapes, found)))
    short = [Path(name).name or name for name in names]
    unique = len(set(short)) == len(short)
    with styled(style):
        figure = plot_compare(landscapes, short if unique else names, found)
        click.echo(plot.save(fitted(figure, style, width_cm), out))
