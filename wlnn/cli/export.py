"""`wlnn export`: the numbers of a run for other programs. It parses, calls and prints."""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError


@click.command(short_help="The numbers of a run as CSV files or JSON.")
@click.argument("result", type=click.Path())
@click.option("--csv", "folder", metavar="FOLDER", help="A CSV file for each table, into a folder.")
@click.option("--json", "file", metavar="FILE", help="All tables as one JSON text; - prints it.")
def export(result, folder, file):
    """Write the numbers of a run for R, Julia, a spreadsheet, or a program of yours.

    Of a landscape: bins.csv (S of every bin), curves.csv (S(x), the equilibrium curve), history.csv
    (every stage of every walker); of trainings epochs.csv and curve.csv; of wlnn md records.csv; of
    wlnn tune settings.csv. about.json says what they are of. All errors are ONE standard error;
    t_factor_95 in about.json times that is half the 95 % interval. In JSON what is no finite number
    is null. docs/format.md names every column and unit, and reads the npz files themselves.

    \b
      wlnn export runs/spiral-classify-3x6-s0 --csv numbers
      wlnn export runs/spiral-classify-3x6-s0 --json - | jq .about.title
    """
    from wlnn.report import export as exports
    from wlnn.runs.find import find_result

    if (folder is None) == (file is None):
        raise UserError("give one of --csv FOLDER and --json FILE.")
    found = exports.exported(find_result(result))
    if folder is not None:
        for path in exports.write_csv(found, folder):
            click.echo(path)
    elif file == "-":
        click.echo(exports.as_text(found))
    elif Path(file).exists():
        raise UserError(f"{file}: is there already; give another name with --json.")
    else:
        click.echo(exports.write_text(Path(file), exports.as_text(found) + "\n"))
