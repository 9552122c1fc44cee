"""What the figure scripts share: options, a landscape with its trainings, one column a width."""

import argparse
from pathlib import Path

import wlnn

QUICK = {  # samplers that hardly leave their start, few and short trainings
    "wlmc": ("wlmc.steps=4e5", "wlmc.walkers=2", "wlmc.stages=10", "wlmc.anchor_draws=1e4"),
    "wlmd": ("wlmd.steps=4e3", "wlmd.t1=500", "wlmd.t2=2e3", "wlmd.t3=1e3", "wlmd.f_max=40",
             "wlmd.report=1000", "wlmd.checks=false"),
    "ladder": ("ladder.ladders=2", "ladder.steps=4e4", "ladder.x_low=-1", "ladder.descent=120",
               "ladder.pilot=6", "ladder.stretch=20", "ladder.draws=200"),
    "train": ("train.runs=6", "train.epochs=10"),
}  # fmt: skip
SAMPLER = {"spiral-classify": "wlmc", "mnist": "wlmd", "cifar": "wlmd"}  # others: "ladder"


def options(doc, files=False, paths=(), **numbers):
    """The parsed options of a figure script; its docstring is the help.

    ``files``: the task needs them. ``paths``: options that name files. ``numbers``: options of this
    figure with their defaults.
    """
    parser = argparse.ArgumentParser(
        description=doc, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="seconds; shows the form alone")
    parser.add_argument("--out", type=Path, default=Path("runs/figures"), help="folder of pictures")
    parser.add_argument("--runs", type=Path, default=Path("runs"), help="folder of runs")
    parser.add_argument("--set", action="append", default=[], metavar="SECTION.OPTION=VALUE")
    for name, default in numbers.items():
        option = "--" + name.replace("_", "-")
        parser.add_argument(option, type=int, default=default, help=f"[{default}]")
    for name in paths:
        parser.add_argument(f"--{name}", metavar="FILE", help="see `wlnn data`")
    if files:
        parser.add_argument("--data", required=True, metavar="FILE", help="see `wlnn data`")
        parser.add_argument("--embedding", metavar="FILE", help="polymer: see `wlnn data`")
    return parser.parse_args()


def save(figure, name, chosen):
    """Write a picture and say where."""
    chosen.out.mkdir(parents=True, exist_ok=True)
    print(wlnn.save_picture(figure, chosen.out / f"{name}.png"))


def landscape_and_trainings(task, chosen, *overrides, batches=(), **files):
    """Found in the folder of runs or made; ``batches``: the best of several sizes at each loss."""
    files = {name: path for name, path in files.items() if path}
    sampler = SAMPLER.get(task, "ladder")
    quick = (*QUICK[sampler], *QUICK["train"]) if chosen.quick else ()
    overrides = (*overrides, *quick, *chosen.set)
    sampled = [text for text in overrides if not text.startswith("train.")]
    trained = [text for text in overrides if not text.startswith(f"{sampler}.")]
    preset = "quick" if chosen.quick else "default"
    what = {"preset": preset, "folder": chosen.runs, **files}
    landscape = wlnn.run_landscape(task, *sampled, **what)
    each = [(f"train.batch_size={size}",) for size in batches] or [()]
    found = [wlnn.run_trainings(task, *trained, *size, **what) for size in each]
    return landscape, [wlnn.best_of(found)] if batches else found


def width_figure(task, widths, name, chosen, batches=()):
    """One column a width, and where training ends against the number of parameters."""
    files = {name: getattr(chosen, name, None) for name in ("data", "embedding")}
    widths = widths[:1] if chosen.quick else widths[: chosen.widths]
    pairs = [
        landscape_and_trainings(task, chosen, f"network.width={w}", batches=batches, **files)
        for w in widths
    ]
    save(wlnn.plot_widths(pairs), name, chosen)
    record = pairs[0][0].meta["task"]["y"]
    points = wlnn.by_network(pairs)
    for network, _, _, one in points:
        print(f"{network}: ln L {one.x:.2f}, {wlnn.advantage_in_words(one, record)}")
    if len(points) > 1:
        ends = [(parameters, one) for _, parameters, _, one in points]
        save(wlnn.plot_differences(ends, record), f"{name}-parameters", chosen)
