"""`wlnn llc`: the learning coefficient of a landscape. It parses, calls and prints."""

from __future__ import annotations

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import Count, Number, numbers


@click.command(short_help="The learning coefficient of a landscape, twice.")
@click.argument("result", type=click.Path())
@click.option("--rows", type=Count(3), metavar="N", help="Training rows n [those of the task].")
@click.option("--floor", type=Number(0), default=0.0, metavar="L0", show_default=True,
              help="The least train loss of the box.")  # fmt: skip
@click.option("--multiplicity", "multiplicities", type=Count(1, 20), multiple=True, metavar="M",
              help="m of the form that is fitted, repeatable [1, at low loss also 2].")  # fmt: skip
@click.option("--range", "span", metavar="LOW,HIGH", help="Of ln L [the lowest two units].")
@click.option("--scale", type=Number(), default=1.0, metavar="K1", show_default=True,
              help="Where the logarithm of m > 1 is 0.")  # fmt: skip
def llc(result, rows, floor, multiplicities, span, scale):
    """The learning coefficient lambda: V(L < L0 + e) ~ e^lambda (ln 1/e)^(m - 1).

    Once from the slope of S at low loss, whose lower and upper half are compared, for each
    multiplicity m; and once as n beta (<L> - L0) at beta = 1 / ln n, that is (<L> - L0) / T at
    T = ln n / n, and at some other temperatures. The neighbourhood is the whole box, not that of
    one trained network.

    \b
      wlnn llc runs/spiral-classify-3x6-s0
      wlnn llc runs/... --rows 5000 --floor 0.012 --range=-3,-2
    """
    from wlnn.canonical.learning import learning_coefficient
    from wlnn.report.learning import table
    from wlnn.runs.find import believable_landscape

    if span is not None:
        low, high = numbers("--range", span, 2)
        if not low < high:
            raise UserError(f"--range {span} is empty; write LOW,HIGH with LOW below HIGH.")
        span = low, high
    landscape = believable_landscape(result)
    options = {"rows": rows, "floor": floor, "span": span, "scale": scale}
    found = learning_coefficient(landscape, multiplicities=multiplicities or None, **options)
    click.echo("\n".join(table(landscape, found)))
