"""`wlnn train`, `tune`: trainings and their hyper-parameters.

It parses, calls and prints; everything heavy is imported inside the commands.
"""

from __future__ import annotations

from pathlib import Path

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import NUMBER
from wlnn.cli.options import WORKERS, engine_of, engine_options, options_of, recipe_of, task_options
from wlnn.cli.runs import execute

TRAIN = ("optimizer", "learning_rate", "momentum", "batch_size", "epochs", "initialisation")
training_options = options_of(
    click.option("--optimizer", metavar="NAME", help="sgd or adam."),
    click.option("--learning-rate", **NUMBER, help="Step size."),
    click.option("--momentum", **NUMBER, help="Of sgd [0]."),
    click.option(
        "--batch-size",
        metavar="N,N,..",
        help="Rows of a minibatch; 0: the whole set. Of several each has a directory of its own.",
    ),
    click.option("--epochs", **NUMBER, help="Passes through the training set."),
    click.option(
        "--initialisation",
        metavar="NAME",
        help="fan-in, xavier-uniform, kaiming-normal, kaiming-weights or small-head.",
    ),
    click.option("--seed", **NUMBER, help="Seed of the trainings."),
    click.option("--runs", **NUMBER, help="Independent trainings (of each setting)."),
    click.option(
        "--set",
        "overrides",
        metavar="SECTION.OPTION=VALUE",
        multiple=True,
        help="Any setting of the table that `wlnn tasks NAME` shows.",
    ),
    click.option("--quick", "preset", flag_value="quick", help="Few and short trainings."),
    click.option("--out", type=click.Path(file_okay=False), help="Run directory [runs/...]."),
    click.option("--processes", type=WORKERS, metavar="N", help="Worker processes [the cores]."),
    engine_options,
)


@click.command(short_help="Train a network many times by SGD or Adam.")
@task_options
@training_options
@click.option(
    "--tuned", type=click.Path(), metavar="DIR", help="Rate and batch of a `wlnn tune` directory."
)
def train(preset, out, processes, tuned, on, insecure, device, **options):
    """Train many times from independent initial parameters; records every epoch.

    At the end of every epoch the whole training and test set are evaluated. The result,
    trained.npz, is what `wlnn advantage` compares with a landscape. Hyper-parameters come from the
    task's table (`wlnn tasks NAME`, block [[train]] of the nearest width).

    A training whose loss or parameters stop being finite, or whose loss is e^10 times that at its
    start, has diverged: it is named in the output and left out of every mean.

    \b
      wlnn train --task spiral-classify --runs 100
      wlnn train --task spiral-regress --width 30 --epochs 300 --batch-size 5,10,25
      wlnn advantage runs/spiral-classify-3x6-s0 runs/trained-spiral-classify-3x6-s0-adam-0.001

    Ctrl-C loses nothing: the same command, or `wlnn resume`, goes on, with the same bits.
    """
    if tuned is not None:
        from wlnn.training.tuning import Tuning

        for name, value in Tuning.load(tuned).best_settings.items():
            if options[name] is None:
                options[name] = value
    from wlnn.cli.numbers import numbers
    from wlnn.runs.names import directory_name

    given = options.pop("batch_size")
    sizes = [given]
    if isinstance(given, str):  # and not a number, of --tuned
        sizes = list(dict.fromkeys(numbers("--batch-size", given, given.count(",") + 1)))
    several = len(sizes) > 1
    begun = []
    for size in sizes:  # all of them are looked at before the first is trained
        recipe = _recipe({**options, "batch_size": size}, preset, "train", ("runs",))
        directory = Path("runs") / directory_name(recipe, recipe.task())
        if out:
            directory = Path(out) / f"b{size:g}" if several else Path(out)
        begun.append((recipe, directory))
    _refuse_both(on, processes)
    with engine_of(on, insecure, device) as engine:
        for recipe, directory in begun:
            again = "the same command" if several else ""
            execute(recipe, directory, processes, again, engine)


@click.command(short_help="Find learning rate and batch size by trial.")
@task_options
@training_options
@click.option("--rates", **NUMBER, help="Number of learning rates.")
@click.option("--rate-range", metavar="LO,HI", help="Lowest and highest learning rate.")
@click.option("--batch-range", metavar="LO,HI", help="Batch sizes double from LO; the last is HI.")
def tune(preset, out, processes, on, insecure, device, rate_range, batch_range, **options):
    """Try a grid of learning rates (evenly spaced in the logarithm) and batch sizes.

    The best setting has the best mean test metric at each training's best epoch, among settings
    where no training diverged. That choice favours training: it looks at the test set, as the
    published one did. The table and the choice are stored; use them with

    \b
      wlnn train --tuned runs/tuned-...

    All settings get the same number of epochs. Ctrl-C loses nothing; the same command goes on.
    """
    from wlnn.cli.numbers import numbers
    from wlnn.runs.names import directory_name

    own = {}
    for option, text, name in (
        ("--rate-range", rate_range, "rate"),
        ("--batch-range", batch_range, "batch"),
    ):
        if text is not None:
            low, high = numbers(option, text, 2)
            if low > high:
                raise UserError(f"{option} {text} is backwards; write {high:g},{low:g}.")
            own |= {f"tune.{name}_low": (option, low), f"tune.{name}_high": (option, high)}
    for name in ("learning_rate", "batch_size"):
        if options[name] is not None:
            raise UserError(
                f"--{name.replace('_', '-')} is what tune looks for; give --rate-range or "
                "--batch-range."
            )
    recipe = _recipe(options, preset, "tune", ("runs", "rates"), own)
    directory = Path(out) if out else Path("runs") / directory_name(recipe, recipe.task())
    _refuse_both(on, processes)
    with engine_of(on, insecure, device) as engine:
        execute(recipe, directory, processes, engine=engine)


def _refuse_both(on, processes) -> None:
    if on is not None and processes is not None:
        raise UserError("--on says where it runs; leave out --processes.")


def _recipe(options: dict, preset, sampler: str, names: tuple[str, ...], more: dict | None = None):
    """The recipe of options; training options belong to the section "train", ``names`` to that of
    the command, and the seed is that of the trainings in both.
    """
    options, own = dict(options), dict(more or {})
    for section, known in (("train", (*TRAIN, "seed")), (sampler, names)):
        for name in known:
            value = options.pop(name, None)
            own[f"{section}.{name}"] = f"--{name.replace('_', '-')}", value
    return recipe_of(options, preset or "default", sampler, own)


for command in (train, tune):  # trainings have no window and no y axis
    unknown = ("window", "y_axis")
    command.params = [option for option in command.params if option.name not in unknown]
