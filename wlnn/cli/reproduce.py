"""`wlnn reproduce`: figures of the paper, with what became of their claims.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

import json
import sys
from contextlib import contextmanager
from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import Count, Number
from wlnn.cli.options import STOPPED, threads_option

FIGURES = ("fig1", "fig2", "fig3", "fig4", "fig6", "fig7", "fig8", "fig9")


@click.command(short_help="Figures of the paper: runs, pictures, and a verdict on each claim.")
@click.argument("figures", nargs=-1, type=click.Choice(FIGURES), metavar="[fig1 ... fig9]")
@click.option("--scale", type=Number(1e-6, 100), default=1.0, metavar="X",
              help="Length of every run: steps, trainings, epochs [1].")  # fmt: skip
@click.option("--networks", type=Count(1), metavar="N", help="The first N of them [all].")
@click.option("--data-sets", type=Count(1), metavar="N", help="fig1: the first N [6].")
@click.option("--house", metavar="FILE", help="Kaggle's train.csv, for fig2 and fig7.")
@click.option("--polymer", metavar="FILE", help="Egb.csv, for fig2 and fig9.")
@click.option("--embedding", metavar="FILE", help="Of the polymers.")
@click.option("--cifar", metavar="FILE", help="CIFAR-10, for fig6.")
@click.option("--set", "changes", multiple=True, metavar="SECTION.OPTION=VALUE",
              help="Any setting of the runs that read it; see `wlnn tasks NAME`.")  # fmt: skip
@click.option("--runs", type=click.Path(file_okay=False), default="runs", show_default=True,
              help="Folder of the runs; what is there is taken.")  # fmt: skip
@click.option("--out", type=click.Path(file_okay=False), default="runs/figures", show_default=True,
              help="Folder of pictures and of one record a figure, fig1.json.")  # fmt: skip
@click.option("--table", is_flag=True, help="Only print the records of --out as a Markdown table.")
@threads_option
def reproduce(figures, scale, networks, data_sets, changes, runs, out, table, threads, **files):
    """Make figures of arXiv 2503.13145 again, and say of each claim whether it holds.

    A figure's landscapes and trainings are made in the folder of runs, or found there; Ctrl-C
    loses nothing, and the same command goes on. Its record has every claim with the published
    value, ours with the 95 % interval, a verdict (holds, fails, undecided) and the core-minutes.
    Undecided is also what too short a run says, whatever its numbers.

    Figs. 5 and 10 are not made. At full length fig1 takes two hours of two cores, fig4 an hour, the
    smallest networks of fig3, fig7 and fig9 ten to thirty core-minutes (--networks 1), fig2 and
    fig8 days, fig6 weeks; --scale 0.1 takes a tenth.

    \b
      wlnn reproduce fig1 --scale 0.1
      wlnn reproduce fig7 --house train.csv --networks 1
      wlnn reproduce --table
    """
    from wlnn.report import scoreboard

    if table:
        click.echo("\n".join(scoreboard.table(scoreboard.read_records(out))))
        return
    if not figures:
        raise UserError(f"name one or more of {', '.join(FIGURES)}, or give --table.")
    from wlnn.base.store import as_json, write_file
    from wlnn.report.plot import save
    from wlnn.runs import figures as paper

    wanted = paper.Wanted(
        scale, networks, data_sets, tuple(changes), files, Path(runs), threads or "all"
    )
    for name in figures:
        begun, path = paper.core_seconds(), Path(out) / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        before = _minutes_before(path, paper.command_of(name, wanted))
        made = paper.make(name, wanted, _followed)
        minutes = before + (paper.core_seconds() - begun) / 60
        record = paper.judged(name, wanted, made, minutes)
        for end, figure in scoreboard.pictures(name, made).items():
            click.echo(save(figure, path.with_name(f"{name}{end}.png")))
        text = json.dumps(as_json(record), indent=1) + "\n"
        write_file(path, lambda file, text=text: file.write(text.encode()))
        click.echo("\n".join([str(path), *scoreboard.lines(record)]))


def _minutes_before(path: Path, command: str) -> float:
    """Core-minutes that earlier calls of the same command took; they left their runs behind."""
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        there, minutes = str(record["command"]), float(record["core_minutes"])
    except FileNotFoundError:
        return 0.0
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{path}: is no record of wlnn reproduce; choose another --out.") from error
    if there != command:
        raise UserError(f"{path}: is of '{there}'; choose another --out.")
    return minutes


@contextmanager
def _followed(name: str):
    """Progress of one run; a stop tells how to go on."""
    from wlnn.base.progress import Progress
    from wlnn.base.running import Interrupted

    try:
        with Progress(name) as progress:
            yield progress.report
    except (Interrupted, KeyboardInterrupt):
        click.echo("stopped; everything so far is saved: the same command goes on", err=True)
        sys.exit(STOPPED)
