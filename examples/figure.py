"""What all figure scripts share: their options, and where pictures go."""

import argparse
from pathlib import Path

from wlnn.plot import save as save_picture

QUICK_DYNAMICS = (  # of --quick: molecular dynamics that hardly leaves its start, few trainings
    "wlmd.steps=6e3", "wlmd.t1=500", "wlmd.t2=2e3", "wlmd.t3=1e3", "wlmd.f_max=40",
    "wlmd.report=2000", "wlmd.checks=false", "train.runs=6", "train.epochs=10",
)  # fmt: skip


def options(doc, files=False, **numbers):
    """The parsed options of a figure script; its docstring is the help.

    ``files``: the task needs them. ``numbers``: options of this figure with their defaults.
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
    if files:
        parser.add_argument("--data", required=True, help="see `wlnn data`")
        parser.add_argument("--embedding", help="polymer: see `wlnn data`")
    return parser.parse_args()


def save(figure, name, chosen):
    """Write a picture and say where."""
    chosen.out.mkdir(parents=True, exist_ok=True)
    print(save_picture(figure, chosen.out / f"{name}.png"))
