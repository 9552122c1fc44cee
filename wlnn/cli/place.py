"""`wlnn place`: where trained networks lie on a landscape.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Where is my trained network on the landscape?")
@click.argument("run", type=click.Path())
@click.argument("networks", nargs=-1, required=True, type=click.Path())
@click.option("--out", type=click.Path(dir_okay=False), help="Picture, .png, .pdf or .svg.")
def place(run, networks, out):
    """Place trained networks on the landscape of the run directory RUN.

    Of each network: its x and y by the run's own data, S of its macrostate, how many nats it lies
    below the ridge (the largest S of its training loss), and which share of all networks of that
    loss does as badly or worse, or as well or better; a network's own bin counts half to each.
    Intervals (±) are 95 %, over walkers. Parameters outside the box are counted.

    NETWORKS are npy, npz or pt files: the flat vector(s) "theta", or the tensors of one network in
    the order of its layers, as a state_dict of PyTorch has them (weights are (out, in)). A pt file
    needs PyTorch, and tensors alone are read of it:

    \b
      torch.save(model.state_dict(), "net.pt")
      wlnn place runs/spiral-classify-3x6-s0 net.pt
      numpy.savez("net.npz", **{k: v.numpy() for k, v in model.state_dict().items()})
      wlnn place runs/spiral-classify-3x6-s0 net.npz

    A folder of such files, in the order of the numbers in their names, is drawn as the path of one
    training. A run of `wlnn train` places each of its trainings as it ended:

    \b
      wlnn place runs/spiral-classify-3x6-s0 checkpoints/
      wlnn place runs/spiral-classify-3x6-s0 runs/trained-spiral-classify-...
    """
    import numpy as np

    from wlnn.base.store import as_json, read_run
    from wlnn.landscape.places import place
    from wlnn.report.places import sentence, table
    from wlnn.report.plot import save
    from wlnn.report.plot_places import plot_places
    from wlnn.runs.find import believable_landscape
    from wlnn.runs.parameters import read_networks
    from wlnn.runs.recipe import read_recipe
    from wlnn.training.trained import is_trained

    landscape = believable_landscape(run)
    recipe = read_recipe(run)
    task = recipe.task()
    problem = recipe.problem(task)
    layout = getattr(getattr(task, "network", None), "layout", None)
    found = []
    for path in networks:
        if Path(path).is_dir() and is_trained(path):
            theirs, ours = read_run(path)["identity"].get("problem", {}), problem.about
            if any(theirs.get(part) != as_json(ours.get(part)) for part in ("data", "loss")):
                click.echo(
                    f"{path}: was trained on other data, or another loss: x and y are those of "
                    f"the data of {run}.",
                    err=True,
                )
        for name, theta in read_networks(path, layout, problem.n_parameters):
            with np.errstate(all="ignore"):  # what overflows lies nowhere, and that is told
                x, y = problem.observe(theta)
            walls = ~problem.periodic if problem.periodic.size else True
            outside = int((((theta < problem.lo) | (theta > problem.hi)) & walls).sum())
            found.append((name, place(landscape, float(x), float(y)), outside))
    if len(found) == 1:
        click.echo(sentence(landscape, *found[0][1:]))
    else:
        click.echo("\n".join(table(landscape, found)))
    if landscape.grid.y.n > 1:
        one = len(networks) == 1 and Path(networks[0]).is_dir() and not is_trained(networks[0])
        picture = plot_places(landscape, [place for _, place, _ in found], one)
        click.echo(save(picture, out or Path(run) / "places.png"))
