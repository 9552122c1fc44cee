"""Run directories of every kind, finished and interrupted, as test data for later versions.

Run once, by the version whose files are to be kept:

    python tests/golden/make_runs.py

Fills `runs/` with one directory a kind, without pictures, and `runs.json` with digests (see
`digests.py`) and shapes of the arrays that `wlnn resume` makes of each interrupted one. The runs
are far too short to mean anything. Only the command line is used; a run is interrupted as by
Ctrl-C, after some time, so that the moment differs from one making to the next.
"""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from digests import CHECKPOINTS, about, digests_below

RUNS = Path(__file__).with_name("runs")
STOPPED = 130  # exit status of an interrupted run
TASK = "--task spiral-classify --layers 1 --width 2 --seed 1"
FEW = f"{TASK} --points 8 --threads 1"
WLMC = f"sample {FEW} --walkers 2 --set wlmc.anchor_draws=1e4 --set grid.x_low=-2 " \
       "--set grid.x_width=0.5 --set wlmc.stages=10"  # fmt: skip
WLMD = "sample --task spiral-regress --quick --width 3 --points 10 --seed 1 --threads 1 " \
       "--set wlmd.x_low=-2.5 --set wlmd.y_low=-2.5 --set wlmd.y_high=1 --set wlmd.sigma=0.5 " \
       "--set wlmd.spacing=0.5 --set wlmd.margin=1.5 --set wlmd.f_max=5 --set wlmd.checks=false " \
       "--set wlmd.round=100 --set wlmd.t1=1000 --set wlmd.t2=4000 --set wlmd.t3=3000"  # fmt: skip
SEEK = f"seek {FEW} --runs 2 --replicas 2 --method langevin --method tempering"
TRAIN = f"{TASK} --points 40 --batch-size 1 --processes 1 --optimizer sgd"
TUNE = f"{TASK} --points 40 --processes 1 --rates 2 --batch-range 1,1 --runs 2"
FINISHED = {
    "wlmc": f"{WLMC} --steps 2e5",
    "wlmd": f"{WLMD} --steps 6000 --set wlmd.report=1000 --set wlmd.tables=1",
    "md": f"md {FEW} --walkers 2 --steps 400 --set md.record=20",
    "trained": f"train {TRAIN} --runs 2 --epochs 10",
    "tuned": f"tune {TUNE} --epochs 4 --rates 1",
    "maxent": "maxent landscape --units 2 --steps 4e4 --walkers 1 --threads 1",
}
CUT = {  # and the file that tells that enough was done before the interruption
    "wlmc-cut": (f"{WLMC} --steps 8e6", "landscape.npz"),
    "wlmc-merged-cut": (
        f"{WLMC} --steps 8e6 --set wlmc.merge_every=1 --set wlmc.groups=1", "landscape.npz"
    ),
    "wlmd-cut": (
        f"{WLMD} --steps 50000 --set wlmd.report=3000 --set wlmd.tables=1 --walkers 3",
        "landscape.npz",
    ),
    "md-cut": (f"md {FEW} --walkers 2 --steps 50000 --set md.record=1000", "md.npz"),
    "seek-cut": (f"{SEEK} --evaluations 20000 --set seek.stretch=500", "seek-tempering.npz"),
    "trained-cut": (f"train {TRAIN} --runs 2 --epochs 120", "trainings-001.npz"),
    "tuned-cut": (f"tune {TUNE} --epochs 60", "setting-001-trainings-001.npz"),
}  # fmt: skip


def command(line: str, *more) -> list[str]:
    """What runs `wlnn LINE`."""
    return [sys.executable, "-m", "wlnn", *line.split(), *map(str, more)]


def quietly(folder: Path, line: str, *more) -> None:
    """Run `wlnn LINE` in a folder."""
    subprocess.run(command(line, *more), check=True, capture_output=True, cwd=folder)


def cut(line: str, folder: Path, needed: str) -> None:
    """Begin a run and interrupt it in its middle: later and later until it has a certain file."""
    for delay in np.linspace(0.3, 3, 55):
        shutil.rmtree(folder, ignore_errors=True)
        run = subprocess.Popen(
            command(line, "--out", folder), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        while not (folder / "run.json").exists() and run.poll() is None:
            time.sleep(0.005)
        time.sleep(delay)
        run.send_signal(signal.SIGINT)
        status = run.wait()
        if status == 0:
            break
        if status == STOPPED and (folder / needed).exists() and something(folder / needed):
            return
    raise SystemExit(f"{folder.name}: no interruption came at the right time; try again")


def something(path: Path) -> bool:
    """Whether a checkpoint holds more than the start."""
    with np.load(path) as file:
        meta = json.loads(file["wlnn_meta"].tobytes())["meta"]
        return meta.get("epoch", 1) > 0 and ("records" not in file or file["records"].size > 0)


def shapes_below(folder: Path) -> dict[str, str]:
    """Shapes of the arrays of all results below a folder, in words: "2x50"."""
    shapes = {}
    for path in sorted(folder.rglob("*.npz")):
        if not CHECKPOINTS.fullmatch(path.name):
            with np.load(path) as file:
                for name in sorted(set(file) - {"wlnn_meta"}):
                    key = f"{path.relative_to(folder).as_posix()}:{name}"
                    shapes[key] = "x".join(map(str, file[name].shape))
    return shapes


def main() -> None:
    """Make all."""
    shutil.rmtree(RUNS, ignore_errors=True)
    RUNS.mkdir()
    table = {"about": about(), "resumed": {}, "shapes": {}}
    with tempfile.TemporaryDirectory() as scratch:
        for name, line in FINISHED.items():
            for out in (Path(scratch) / name, RUNS / name):  # the first may have to compile
                quietly(scratch, line, "--out", out)
        for name, (line, needed) in CUT.items():
            cut(line, RUNS / name, needed)
            for again in ("first", "second"):
                copy = Path(scratch) / again / name
                shutil.copytree(RUNS / name, copy)
                quietly(scratch, "resume", copy)
            table["resumed"][name] = digests_below(copy)
            table["shapes"][name] = shapes_below(copy)
            print(name, *sorted(path.name for path in (RUNS / name).iterdir()), flush=True)
    for path in {*RUNS.rglob("*.png"), *RUNS.glob("maxent/landscape.*")}:
        path.unlink()
    RUNS.with_suffix(".json").write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
