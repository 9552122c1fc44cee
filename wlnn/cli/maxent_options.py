"""What the commands of `wlnn maxent` share: option types, options, and how tables are shown."""

from __future__ import annotations

import click

from wlnn.base.checks import MOST_CONTEXTS
from wlnn.cli.numbers import Count, number


class Whole(click.ParamType):
    """Whole numbers as ``2..8`` (both ends), ``2,4,8`` or ``2..4,8``."""

    name = "numbers"

    def convert(self, value, param, ctx):
        """The list of numbers, without repeats."""
        if not isinstance(value, str):
            return value
        numbers = []
        for part in value.split(","):
            low, dots, high = part.partition("..")
            try:
                first, last = int(low), int(high if dots else low)
            except ValueError:
                self.fail(
                    f"'{part}' is no whole number or range; write 4, 2,4,8 or 2..8.", param, ctx
                )
            if last < first:
                self.fail(f"the range '{part}' is backwards; write {last}..{first}.", param, ctx)
            if last - first >= 10_000:
                self.fail(f"the range '{part}' is too long.", param, ctx)
            numbers += range(first, last + 1)
        return list(dict.fromkeys(numbers))


class Reals(click.ParamType):
    """Numbers as ``0.25,0.5,1,2``."""

    name = "numbers"

    def convert(self, value, param, ctx):
        """The list of numbers, without repeats."""
        if not isinstance(value, str):
            return value
        try:
            numbers = [number(part) for part in value.split(",")]
        except ValueError:
            self.fail(f"'{value}' is no list of finite numbers; write 0.25,0.5,1,2.", param, ctx)
        return list(dict.fromkeys(numbers))


def is_given(name: str) -> bool:
    """Whether the user wrote this option of the running command."""
    source = click.get_current_context().get_parameter_source(name)
    return source is not click.core.ParameterSource.DEFAULT


UNITS = Count(1, 100_000)
SIGMA_HELP = (
    "sigma, the standard deviation of a weight before the task is imposed; small is rich "
    "(structured), large is lazy (random)."
)
contexts_option = click.option(
    "--contexts",
    "contexts",
    type=Whole(),
    default="2..8",
    show_default=True,
    help="K, the number of contexts (= inputs): 4, 2,4,8 or 2..8.",
)
scales_option = click.option(
    "--weight-scale",
    "scales",
    type=Reals(),
    default="0.25,0.5,1,2",
    show_default=True,
    help=SIGMA_HELP,
)
one_context_option = click.option(
    "--contexts",
    type=Count(1, MOST_CONTEXTS),
    default=3,
    show_default=True,
    help="K, the number of contexts.",
)
out_option = click.option(
    "--out", type=click.Path(file_okay=False), help="Folder for CSV, JSON and figures."
)
seed_option = click.option(
    "--seed", type=Count(0), default=0, show_default=True, help="Seed of all draws."
)


LONGEST_SHOWN = 17  # members of a list that a table on the screen has columns for


def print_table(rows, shown):
    """The named columns of the rows, aligned; lists become one column per member.

    Lists with more than 17 members in some row are left out, and the reader is told.
    """
    from wlnn.base.text_table import aligned
    from wlnn.cli.maxent_tables import columns, flat

    rows = [{name: row[name] for name in shown if name in row} for row in rows]
    long = {
        name
        for row in rows
        for name, value in row.items()
        if isinstance(value, list) and len(value) > LONGEST_SHOWN
    }
    if long:
        click.echo(f"left out here: {', '.join(sorted(long))}; --out writes all", err=True)
    rows = [flat({name: row[name] for name in row if name not in long}) for row in rows]
    names = columns(rows)
    cells = [names] + [[_cell(row.get(name, "")) for name in names] for row in rows]
    for line in aligned(cells):
        click.echo(line.rstrip())


def _cell(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def write_results(out, name, rows, about):
    """Tables in the folder ``out`` (returned as a Path), or nothing without one."""
    if out is None:
        return None
    from wlnn import __version__
    from wlnn.cli.maxent_tables import output_folder, write_table

    folder = output_folder(out)
    for path in write_table(folder, name, rows, {**about, "wlnn": __version__}):
        click.echo(path)
    return folder
