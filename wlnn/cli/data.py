"""`wlnn data`: which data the tasks need, what of it is there, and where to get the rest.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

import click


@click.command(short_help="Which data the tasks need, and what is there.")
@click.argument("path", default=".", type=click.Path())
@click.option("--task", metavar="NAME", help="Only this task; PATH may then have any name.")
def data(path, task):
    """List the tasks with the files they need, and say which of them are in PATH [.].

    PATH is a folder, looked through two levels deep, or a file. Every file found is read and
    checked as `wlnn sample --data` would; what is missing is told with its look and its origin.
    """
    from wlnn.tasks.readers.survey import survey

    for found in survey(path, task):
        click.echo(f"{found.task:<18}{found.state}")
        for line in found.lines:
            click.echo(f"{'':<18}{line}")
