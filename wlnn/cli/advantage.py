"""`wlnn advantage`: equilibrium against trained networks.

It parses, calls and prints; everything heavy is imported inside the command.
"""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import Count, Number


@click.command(short_help="Equilibrium against trained networks.")
@click.argument("results", nargs=-1, required=True, type=click.Path())
@click.option("--at", "where", type=Number(), metavar="X", help="Also the verdict at this ln L.")
@click.option("--until", type=Count(1), metavar="EPOCH", help="Stop the trainings there.")
@click.option(
    "--best-of-all",
    is_flag=True,
    help="One baseline of several trainings: the best of them at each ln L.",
)
@click.option(
    "--pool",
    type=click.Choice(["trainings", "epochs"]),
    default="trainings",
    help="What a bin of the trained curve is a mean over [trainings]; published: epochs.",
)
@click.option(
    "--history",
    "histories",
    metavar="FILE",
    multiple=True,
    help="Log of a training of your own, a folder of TensorBoard, or a pattern of them in quotes: "
    "each file is a run of one set.",
)
@click.option("--train-column", metavar="NAME", help="Column of the train loss in the histories.")
@click.option("--test-column", metavar="NAME", help="Column of the landscape's y in them.")
@click.option("--ln-loss", is_flag=True, help="Losses of the histories are ln L, not L.")
@click.option(
    "--train-loss",
    type=click.Choice(["end", "running"]),
    help="Their train loss: measured at the end of each epoch, or its running mean.",
)
@click.option("--out", type=click.Path(dir_okay=False), help="Picture, .png, .pdf or .svg.")
def advantage(results, where, until, best_of_all, pool, out, histories, **columns):
    """Compare landscapes with trainings of the same task, at equal training loss.

    RESULTS are run directories of `wlnn sample` and of `wlnn train` in any order; trainings are
    compared with the landscape of their own task. The table gives equilibrium minus trained in bins
    of ln(train loss) with its 95 % interval (walkers and trainings combined) and a verdict: whether
    the equilibrium networks are better, worse, or 95 % do not decide. Of twenty undecided bins one
    is expected to look decided by chance.

    \b
      wlnn advantage runs/spiral-classify-3x6-s0 runs/trained-spiral-classify-3x6-s0-adam-0.001

    A bin's trained value is the mean over trainings of each one's mean there. The published curves
    are means over all epochs there, --pool epochs, in which trainings that stay long weigh more;
    the interval is that of independent trainings in both.

    With --best-of-all trainings of one landscape that differ in batch size (or any hyper-parameter)
    are one baseline, as of the published house prices: in each bin the set with the best mean on
    the test set, of those that 5 trainings or more came with; the table says which. That choice
    favours training: what it finds is a lower bound of the advantage over each set alone.

    \b
      wlnn train --task house-price --data train.csv --batch-size 16,32,64
      wlnn advantage runs/house-price-1x20-ladder-s0 runs/trained-house-price-* --best-of-all

    Runs of `wlnn md` among RESULTS are equilibrium states too, each at the mean ln L of its
    temperature: for wide networks they come within minutes. No landscape is needed beside them.

    \b
      wlnn md --task polymer --data Egb.csv --temperature 2e-4
      wlnn advantage runs/md-polymer-... runs/trained-polymer-...

    With --history logs of your own loop are the trainings, a run a file: CSV (commas, semicolons or
    tabs), a JSON object a line, or event files of TensorBoard (extra `tensorboard`). The columns of
    train loss and test performance are found by common names, or named. Each --history is a set of
    its own; several runs of a set give it error bars, one run has none:

    \b
      wlnn advantage runs/spiral-classify-3x6-s0 --history 'logs/*.csv' --train-loss running
      wlnn advantage runs/... --history 'sgd/*.jsonl' --history 'adam/*.jsonl' --train-column nll

    A train loss that is the mean over an epoch's minibatches (--train-loss running; that of Keras,
    and of most loops) is above that of the network at its end: the table says what that does.

    Several landscapes (widths, data sets) give one picture of all of them, and the difference where
    training ends against the number of parameters; data sets of one network are averaged. Of
    different tasks there is the first picture alone (Fig. 2).
    """
    from wlnn.report.plot import save
    from wlnn.report.plot_training import plot_advantage, plot_motions

    landscapes, motions, trained, names = _loaded(results, bool(histories))
    first = Path(names[0] if trained else results[0])
    own = _histories(landscapes, motions, histories, columns)
    trained, names = [one.pooled(pool) for one in [*trained, *own]], [*names, *histories]
    if not (landscapes or motions) or not trained:
        missing, more = "is no landscape", ""
        if landscapes or motions:
            missing = "are no trainings (of wlnn train)"
            more = "; logs of your own are given by --history"
        raise UserError(f"there {missing} among {', '.join(map(str, results))}{more}.")
    folder = first if first.is_dir() else first.parent
    path = Path(out) if out else folder / f"advantage{'-best' * best_of_all}.png"
    sets = _tell_motions(motions, trained, names, best_of_all, until) if motions else []
    if not landscapes:
        click.echo(save(plot_motions(motions, sets, until), path))
        return
    if motions and len(landscapes) > 1:
        raise UserError("give one landscape, or none, beside runs of wlnn md.")
    label = {id(one): name for one, name in zip(trained, names, strict=True)}
    pairs = _pairs(landscapes, trained, label, best_of_all)
    _tell_pairs(pairs, label, until, where)
    if len(pairs) == 1:
        click.echo(save(plot_advantage(*pairs[0], until, motions=motions), path))
    else:
        _several(pairs, path, until)


def _loaded(results, histories: bool) -> tuple[list, list, list, list[str]]:
    """Landscapes, motions and trainings of some paths, and the paths of the trainings."""
    from wlnn.canonical.trajectories import Trajectories, is_motion
    from wlnn.runs.find import believable_landscape
    from wlnn.training.trained import Trained, is_trained

    landscapes, motions, trained, names = [], [], [], []
    for result in results:
        if Path(result).is_file() and Path(result).suffix != ".npz":
            quotes = (
                "put the pattern of --history in quotes" if histories else "give it by --history"
            )
            raise UserError(f"{result}: is no result of wlnn; if it is a log, {quotes}.")
        if is_trained(result):
            trained.append(Trained.load(result))
            names.append(str(result))
        elif is_motion(result):
            motions.append(Trajectories.load(result))
        else:
            landscapes.append(believable_landscape(result))
    return landscapes, motions, trained, names


def _histories(landscapes, motions, patterns, columns: dict) -> list:
    """The trainings of logs, each set told in a line; they are of the one task there is."""
    for name, value in columns.items():
        if value and not patterns:
            raise UserError(f"--{name.replace('_', '-')} is of logs; give them by --history.")
    if not patterns:
        return []
    from wlnn.training.difference import record_of
    from wlnn.training.history import Choice, read_history

    if len(landscapes) > 1 or not (landscapes or motions):
        raise UserError(
            f"--history needs one landscape (or runs of wlnn md) beside it, whose task it is of; "
            f"{len(landscapes)} are given."
        )
    task = (landscapes or motions)[0]
    y = record_of(task) if landscapes else task.record
    choice = Choice(columns["train_column"], columns["test_column"], columns["ln_loss"])
    when = {"running": "running-mean"}.get(columns["train_loss"], columns["train_loss"])
    found = []
    for pattern in patterns:
        one, notes = read_history(task, pattern, y, choice, when)
        click.echo("\n".join(notes))
        found.append(one)
    if len(found) > 1 and all(one.n_runs == 1 for one in found):
        click.echo("each --history is a set of its own; runs of one set are given by one pattern")
    return found


def _tell_motions(motions, trained, names, best_of_all: bool, until) -> list:
    """Print motions beside each baseline; returns the baselines."""
    from wlnn.report.training import motion_report
    from wlnn.training.baseline import best_of

    sets = [best_of(trained, names)] if best_of_all else trained
    for one in sets:
        click.echo("\n".join([one.words, *motion_report(motions, one, until), ""]))
    return sets


def _pairs(landscapes, trained, label: dict, best_of_all: bool) -> list:
    """Each landscape with its baselines; ``label`` has the path of each training by its id."""
    from wlnn.training.advantage import pairs
    from wlnn.training.baseline import best_of

    found = pairs(landscapes, trained, list(label.values()))
    if not best_of_all:
        return found
    return [
        (landscape, [best_of(own, [label[id(one)] for one in own])])
        if len(own) > 1 or len(trained) == len(found)  # nothing to choose from: it says so
        else (landscape, own)
        for landscape, own in found
    ]


def _tell_pairs(pairs, label: dict, until, where) -> None:
    """Print what each baseline is, and its comparison with its landscape."""
    from wlnn.report.landscape import describe
    from wlnn.report.training import in_words, report
    from wlnn.training.difference import record_of

    for landscape, own in pairs:
        record = record_of(landscape)
        for one in own:
            click.echo(describe(landscape)[0])
            for part, name in zip(one.parts, one.names or ("",), strict=True):
                if name:
                    click.echo(f"{name} = {label[id(part)]}")
                click.echo("\n".join(in_words(part.until(until), record)))
            click.echo("\n".join(report(landscape, one, until, where)) + "\n")


def _several(pairs, path: Path, until) -> None:
    """Print where training ends, network by network; draw all of them."""
    from wlnn.report.plot import save
    from wlnn.report.plot_training import plot_differences, plot_endings, plot_widths
    from wlnn.report.training import advantage_in_words
    from wlnn.training.advantage import by_network, one_per_network
    from wlnn.training.difference import record_of

    pictures = {"": plot_widths(one_per_network(pairs), until)}
    if len({(ls.meta["task"]["task"], record_of(ls)) for ls, _ in pairs}) > 1:
        click.echo(save(pictures[""], path))  # losses of different tasks have no common axis
        return
    record, points = record_of(pairs[0][0]), by_network(pairs, until)
    click.echo("where training ends, by network")
    for name, parameters, sets, one in points:
        click.echo(f"{name} ({parameters} parameters, {sets} data set{'s' * (sets > 1)})")
        click.echo(f"  ln L {one.x:.2f}, {advantage_in_words(one, record)}")
    if points:
        ends = [(name, one) for name, _, _, one in points]
        sizes = [(parameters, one) for _, parameters, _, one in points]
        pictures["-ends"] = plot_endings(ends, record)
        pictures["-parameters"] = plot_differences(sizes, record)
    else:
        click.echo("  no training comes to losses that its landscape holds")
    for suffix, figure in pictures.items():
        click.echo(save(figure, path.with_name(path.stem + suffix + path.suffix)))
