"""Options that say what is sampled and how, and what they add up to: a recipe.

It parses; what the settings can check, they check.
"""

from __future__ import annotations

import os
import re
from contextlib import contextmanager

import click

from wlnn.base.errors import UserError
from wlnn.cli.numbers import NUMBER, Count, numbers, whole_number
from wlnn.settings.unread import SAMPLERS, read_by, refuse_unread

STOPPED = 130  # exit status that shells give to a command ended by Ctrl-C


MOST_WORKERS = 1024
WORKERS = Count(1, MOST_WORKERS)
KINDS = {  # where a task comes from
    "task": "--task NAME",
    "context": "--task context-select",
    "train": "--train",
    "file": "--task path.py:name",
}
SETTINGS = {  # the setting that an option stands for, where a task or a run may not read it
    "width": "network.width",
    "layers": "network.layers",
    "points": "data.points",
    "data_seed": "data.seed",
    "scale": "data.scale",
    "classes": "data.first_class",
    "y_axis": "wlmd.accuracy_axis",
    "activation": "network.activation",
    "prior": "network.prior",
    "logits": "network.logits",
    "schedule": "wlmc.schedule",
    "step_rule": "wlmc.step_rule",
    "x": "grid.x",
    "precision": "wlmc.precision",
    "depth": "ladder.depth",
}
PLAIN = (
    "width",
    "layers",
    "points",
    "activation",
    "logits",
    "schedule",
    "step_rule",
    "precision",
    "x",
    "depth",
)
GOES_WITH = {  # options for some sources only, beside those whose setting the source does not read
    **dict.fromkeys(("data", "embedding", "y_axis"), ("task",)),
    "window": ("task", "train", "context"),
    "x": ("task", "train"),
    **dict.fromkeys(
        ("test", "target", "hidden", "kind", "raw", "missing", "split", "split_seed"), ("train",)
    ),
}
WINDOW = [f"{section}.x_{end}" for section in ("grid", "wlmd", "ladder") for end in ("low", "high")]
INSTEAD = {
    ("width", "train"): "; give --hidden",
    ("layers", "train"): "; give --hidden",
    ("width", "context"): "; give --set context.units=N",
}


def options_of(*options):
    """Several click options as one decorator, in the order of the help."""

    def decorate(command):
        for option in reversed(options):
            command = option(command)
        return command

    return decorate


task_options = options_of(
    click.option(
        "--task", metavar="NAME", help="One of `wlnn tasks`, or path.py:name for one of your own."
    ),
    click.option("--layers", **NUMBER, help="Hidden layers."),
    click.option("--width", **NUMBER, help="Units of each hidden layer."),
    click.option("--activation", metavar="NAME", help="relu, tanh, silu, gelu, ..."),
    click.option("--logits", **NUMBER, help="Outputs of a classifier of two classes: 2 or 1."),
    click.option(
        "--prior",
        metavar="NAME",
        help="box, gaussian (sigma of each parameter what would be its "
        "half box) or gaussian:SIGMA; Monte Carlo and ladders.",
    ),
    click.option("--points", **NUMBER, help="Points in each of the two data sets."),
    click.option(
        "--data-seed", metavar="N", help="Seed of the data set; spiral-regress: or 'published'."
    ),
    click.option(
        "--data", metavar="PATH", help="File or folder that the task needs: see `wlnn data`."
    ),
    click.option(
        "--embedding", metavar="FILE", help="polymer: 768 numbers for each row (npz, npy, CSV)."
    ),
    click.option("--scale", metavar="NAME", help="Inputs of images: raw, unit or standard."),
    click.option("--classes", metavar="A,B", help="cifar: 3,5 or cat,dog, say [deer,frog]."),
    click.option(
        "--x", metavar="NAME", help="ln-train-loss, or train-accuracy (Monte Carlo, classes)."
    ),
    click.option(
        "--y-axis", metavar="NAME", help="Of a smoothed accuracy: logit, scaled or plain."
    ),
    click.option(
        "--train", metavar="FILE", help="Your data: CSV, npz, Parquet, folders of images by class."
    ),
    click.option("--test", metavar="FILE", help="Its test set, with the same columns; or ..."),
    click.option("--split", **NUMBER, help="... the part of --train's own rows that train: 0.5."),
    click.option("--split-seed", **NUMBER, help="What draws them [0]."),
    click.option(
        "--missing",
        type=click.Choice(["refuse", "mean"]),
        help="Missing cells of inputs: refused, or the mean in training [refuse].",
    ),
    click.option(
        "--target",
        metavar="COLUMN",
        help="What is learnt, or several quantities: a,b; the rest are inputs.",
    ),
    click.option("--hidden", metavar="N,N,..", help="Hidden units with --train [8,8]."),
    click.option(
        "--kind", type=click.Choice(["classify", "regress"]), help="If the target leaves it open."
    ),
    click.option("--raw", is_flag=True, default=None, help="Do not standardise the columns."),
)
window_option = click.option(
    "--window", metavar="LO,HI", help="Range of x = ln(train loss), e.g. -5,1."
)
sampler_options = options_of(
    click.option(
        "--sampler",
        type=click.Choice(["wlmc", "wlmd", "ladder"]),
        help="Wang-Landau by Monte Carlo (small networks) or by molecular dynamics (large ones, "
        "smooth y), or ladders of replicas; the task has its usual one.",
    ),
    click.option("--seed", **NUMBER, help="Seed of the walkers."),
    click.option(
        "--walkers",
        **NUMBER,
        help="Independent walkers; their spread gives the error bars. In molecular dynamics those "
        "of one table; there wlmd.tables are independent. Of ladders, how many.",
    ),
    click.option("--steps", **NUMBER, help="Steps of each walker; four times halve the errors."),
    click.option(
        "--schedule", metavar="NAME", help="How ln f falls: one-over-t, paper or halving."
    ),
    click.option(
        "--step-rule",
        metavar="NAME",
        help="Width of the moves: freeze (adapted, then fixed), log-uniform, or paper (adapts for "
        "ever, which biases S).",
    ),
    click.option("--precision", metavar="NAME", help="Of the network: float32 or float64."),
    click.option(
        "--depth",
        **NUMBER,
        help="Of ladders: nats that the map of S reaches below the highest y of a row, with a few "
        "hundred rungs [spiral-regress, house-price, polymer: 20]; 0: the three or four that "
        "rungs along beta see.",
    ),
    click.option(
        "--keep-networks",
        is_flag=True,
        default=None,
        help="Keep one network of every bin, for `wlnn networks`.",
    ),
    click.option(
        "--set",
        "overrides",
        metavar="SECTION.OPTION=VALUE",
        multiple=True,
        help="Any setting of the table that `wlnn tasks NAME` shows.",
    ),
)
threads_option = click.option(
    "--threads", type=WORKERS, metavar="N", help="Walkers that run at a time [the cores]."
)
engine_options = options_of(
    click.option(
        "--on",
        metavar="ENGINE",
        help="Where it runs, if not in threads here: processes:N, dask:tls://HOST:PORT, "
        "dask:FILE.yaml (a batch system) or mpi; the result is the same (docs/cluster.md).",
    ),
    click.option(
        "--insecure", is_flag=True, help="Allow --on dask:tcp://..., where anybody may listen."
    ),
    click.option(
        "--device",
        metavar="NAME",
        help="cuda or cuda:1: many walkers at once on a graphics card (`wlnn devices`); a run goes "
        "on on another device, too (docs/gpu.md).",
    ),
)


@contextmanager
def engine_of(on: str | None, insecure: bool, device: str | None = None):
    """The engine or the device of :data:`engine_options`, None for threads of the CPU."""
    if device is not None and on is not None:
        raise UserError("--on and --device exclude each other: a run is here or on other machines.")
    if on is None and not insecure:
        from wlnn.backend.device import CPU, device_of

        found = device_of(device)
        yield None if found is CPU else found
        return
    from wlnn.base.clusters import engine_on

    with engine_on(on or "", insecure) as engine:
        if insecure:
            click.echo(
                f"  --on {on} is not encrypted: whoever reaches that port can run anything on the "
                "workers",
                err=True,
            )
        yield engine


def recipe_of(
    options: dict,
    preset: str,
    sampler: str | None = None,
    own: dict | None = None,
    table: dict | None = None,
):
    """The recipe of the options of `wlnn sample`; UserError where they contradict each other.

    ``own`` holds options of one command alone, ``{"md.dt": ("--dt", value)}``; None is not given.
    ``table`` is what a file says, of the form of `wlnn tasks`, below the options.
    """
    from wlnn.runs.recipe import make_recipe, usual_sampler

    given = {name: value for name, value in options.items() if value is not None}
    kind = _kind(given)
    for name in [*SETTINGS, *GOES_WITH]:
        if name in given and not _goes_with(name, kind):
            instead = INSTEAD.get((name, kind), "; set it in the file" if kind == "file" else "")
            raise UserError(f"{_option(name)} does not go with {KINDS[kind]}{instead}.")
    values: dict[str, dict] = {"network": {}, "data": {}, "wlmc": {}, "grid": {}, "ladder": {}}
    values["sampler"] = _named(given, "seed", "walkers", "steps", "keep_networks")
    for name in PLAIN:
        section, _, key = SETTINGS[name].partition(".")
        values[section] |= {key: given[name]} if name in given else {}
    if "prior" in given:
        values["network"] |= _prior(given["prior"])
    if "points" in given:
        values["data"]["test_points"] = 0  # as many
    if given.get("data_seed") == "published":
        values["data"]["selection"] = "published"
    elif "data_seed" in given:
        seed = numbers("--data-seed", given["data_seed"], 1)[0]
        values["data"] |= {"selection": "seeded", "seed": seed}
    if "classes" in given:
        from wlnn.tasks.readers.cifar import CLASSES

        labels = {name: str(label) for label, name in enumerate(CLASSES)}
        words = [word.strip() for word in given["classes"].split(",")]
        text = ",".join(labels.get(word, word) for word in words)
        first, second = numbers("--classes", text, 2)
        values["data"] |= {"first_class": first, "second_class": second}
    sampler = sampler or given.get("sampler") or usual_sampler(given.get("task", "own"), preset)
    if "walkers" in given and sampler == "ladder":
        values["sampler"]["ladders"] = values["sampler"].pop("walkers")
    if "window" in given:
        low, high = numbers("--window", given["window"], 2)
        if not low < high:
            raise UserError(f"--window {given['window']} is empty; write LOW,HIGH, as in -5,1.")
        values["grid"] |= {"x_low": low, "x_high": high}
        values["wlmd"] = {"x_low": low, "x_high": high}
        values["ladder"]["x_low"] = low
    words = {setting: _option(name) for name, setting in SETTINGS.items() if name in given}
    for setting, (option, value) in (own or {}).items():
        if value is not None:
            section, _, key = setting.partition(".")
            values[section] = {**values.get(section, {}), key: value}
            words[setting] = option
    chosen = {"axis": given.get("y_axis"), "scale": given.get("scale")}
    variants = {name: choice for name, choice in chosen.items() if choice}
    if table:
        from wlnn.runs.study import values_of

        for section, below in values_of(table, preset, variants).items():
            values[section] = {**below, **values.get(section, {})}
    try:
        recipe = make_recipe(
            _source(kind, given), preset, sampler, values, options["overrides"], variants
        )
    except UserError as error:
        if "window" in given:
            words |= dict.fromkeys(WINDOW, "--window")
        raise UserError(_in_options(str(error), words, given)) from error
    if given.get("data_seed") == "published":
        words = {"data.selection": "--data-seed published", **words}
    words |= {text.partition("=")[0].strip(): f"--set {text}" for text in options["overrides"]}
    if "window" in given and recipe.settings.grid.x == "train-accuracy":
        words["grid.x_low"] = "--window"
    refuse_unread(recipe, words)
    return recipe


def _prior(text: str) -> dict:
    """The settings of --prior NAME or NAME:SIGMA."""
    name, colon, sigma = text.partition(":")
    if not colon:
        return {"prior": name}
    try:
        value = float(sigma)
    except ValueError:
        value = 0.0
    if name != "gaussian" or not 0 < value < float("inf"):
        raise UserError(
            f"--prior {text}: write 'box', 'gaussian', where the sigma of each parameter is what "
            "would be half its box, or gaussian:SIGMA with a number above 0."
        )
    return {"prior": name, "sigma": value}


def _in_options(sentence: str, words: dict[str, str], given: dict) -> str:
    """A sentence about settings with the options in their place that the user wrote."""
    shared = "seed", "walkers", "steps"  # of the sampler in use, by one option
    words = {**{f".{name}": _option(name) for name in shared if name in given}, **words}
    for setting, option in words.items():
        section, _, key = setting.partition(".")
        sections = section or "|".join(SAMPLERS)
        sentence = re.sub(rf"\b({sections})\.{key}\b(?!=)", option, sentence)
    return re.sub(r"(--[\w-]+), \1\b", r"\1", sentence)  # two ends of one window


def _kind(given: dict) -> str:
    """Where the task comes from: a key of :data:`KINDS`."""
    if "train" not in given:
        name = given.get("task", "")
        return "file" if ".py" in name else "context" if name == "context-select" else "task"
    if "task" in given:
        raise UserError("--task and --train exclude each other: a CSV file is a task of its own.")
    if "test" not in given and "split" not in given:
        raise UserError("--train needs --test as well, or --split 0.5 for a part of its own rows.")
    if "test" in given and "split" in given:
        raise UserError("--test and --split exclude each other: the rest of the rows is the test.")
    if "split_seed" in given and "split" not in given:
        raise UserError("--split-seed goes with --split.")
    if "target" not in given and not os.path.isdir(given["train"]):
        from wlnn.tasks.own_files import columns_of

        names = ", ".join(f"'{name}'" for name in columns_of(given["train"]).names[:30])
        raise UserError(f"--train needs --target as well; the columns there are {names}.")
    return "train"


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _goes_with(name: str, kind: str) -> bool:
    """Whether an option makes sense with a source, whatever the task there reads."""
    setting = SETTINGS.get(name, "")
    if kind == "task" or not setting.startswith(("network.", "data.")):
        return kind in GOES_WITH.get(name, KINDS)
    return setting in read_by({"context": "context-select"}.get(kind, kind))


def _source(kind: str, given: dict) -> dict:
    if kind == "context":
        return {"task": given["task"]}
    if kind != "train":
        paths = _named(given, "data", "embedding")
        return {kind: given.get("task", "spiral-classify"), **paths}
    hidden = given.get("hidden", "8,8").split(",")
    if not all(units.strip().isdigit() for units in hidden):
        raise UserError(f"--hidden {given['hidden']}: write whole numbers of units, as in 8,8.")
    source = _named(given, "train", "test", "target", "kind", "missing", "split")
    if "split_seed" in given:
        source["split_seed"] = whole_number("--split-seed", given["split_seed"])
    source["standardise"] = "raw" not in given
    return {**source, "hidden": [int(units) for units in hidden]}


def tell(task) -> None:
    """Print how the files of a task were understood, before a run begins."""
    for note in getattr(getattr(task, "data", None), "notes", ()):
        click.echo(f"  {note}", err=True)


def _named(given: dict, *names: str) -> dict:
    return {name: given[name] for name in names if name in given}
