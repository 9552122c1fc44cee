"""`wlnn devices`: where runs can be made on this machine, and if not on a graphics card, why not.

It asks and prints.
"""

from __future__ import annotations

import click

from wlnn.backend import device


@click.command(short_help="Where runs can be made here: the CPU, graphics cards.")
def devices():
    """List the devices that work here, and what is missing for others.

    The name of one goes after --device of `wlnn sample`, `md`, `seek`, `train`, `tune` and
    `resume`. Without it everything runs on the CPU.
    """
    from wlnn.cli.runs import cores

    found, why_not = device.devices()
    click.echo(f"cpu       {cores()} cores")
    for one in found[1:]:
        free, total = one.memory()
        click.echo(f"{one.name:<10}{one.title}, {free / 1e9:.1f} of {total / 1e9:.1f} GB free")
        kernels = one.kernels.about if one.kernels else f"none, {one.no_kernels}"
        click.echo(f"{'':<10}kernels: {kernels}")
    if why_not:
        click.echo(f"cuda      {why_not}")
    else:
        click.echo(
            "cuda is tested by a stand-in on the CPU; its speed is unmeasured so far, and steps "
            "are not captured in a CUDA graph, which is not built (docs/gpu.md)."
        )
