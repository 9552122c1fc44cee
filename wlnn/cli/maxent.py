"""`wlnn maxent`: the group of commands; what they do is in the ``commands_*`` files.

Those parse options, call the package, print and write; everything heavy is imported inside the
commands, so that `--help` answers at once.
"""

from __future__ import annotations

import click

from wlnn.cli.maxent_landscape import landscape
from wlnn.cli.maxent_law import sample, solve
from wlnn.cli.maxent_training import compare, train


class InOrder(click.Group):
    """A group whose help lists commands in the order in which they were added."""

    def list_commands(self, ctx):
        """Names in that order."""
        return list(self.commands)


@click.group(
    "maxent",
    cls=InOrder,
    invoke_without_command=True,
    short_help="Maximum-entropy connectivity of networks.",
)
@click.pass_context
def maxent(ctx):
    """Maximum-entropy connectivity of a network that selects inputs by context.

    In context k of K a two-layer network must output its k-th input. Of all laws for the weights
    of its hidden units that do this, the one of maximum entropy has a closed form: one Gaussian
    population for every pattern of contexts in which a unit is active. `solve` computes it,
    `sample` draws networks from it, `train` trains ReLU networks by SGD, `compare` sets the two
    side by side with figures, and `landscape` checks it against Wang-Landau sampling.

    After Hruza & Ostojic, arXiv 2605.25607.
    """
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


for command in (solve, sample, train, compare, landscape):
    maxent.add_command(command)
