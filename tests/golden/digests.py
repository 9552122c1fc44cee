"""Digests of what every driver computes from fixed seeds at tiny lengths: the same bits, or not.

    python tests/golden/digests.py OUT.json [--only NAME...]
    python tests/golden/digests.py --compare A.json B.json      status 1 if they differ

`digests.json` is the table of the code before it was split into sub-packages. The landscapes here
are worthless as such, the runs are far too short; nothing judges them, that is what `wlnn verify`
is for. Bits depend on the processor and on the versions of NumPy, SciPy and Numba, so tables are
comparable on one type of machine only; a table says which it was made on.

Only the command line and the public names of the package are used, so that any version of it can
run this file. Every case runs twice, each command in a process of its own, and the second time
counts: a process that has to compile may get other bits in molecular dynamics than one that finds
the compiled code on disk.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import platform
import re
import shlex
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

import numpy as np
from llvmlite.binding import get_host_cpu_name

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"  # real data, beside the checkout
TIMES = re.compile(r"seconds|us_per_step|wlnn_meta")  # arrays that differ from run to run; JSON
CHECKPOINTS = re.compile(r"(walkers?|trainings|setting)-?[\w-]*\.npz")  # one digest for each file
PACE = re.compile(r"^ +time .*$|(?<=\.\d\d) +\d+$|(?<=passed) +[\d.]+$", re.MULTILINE)  # printed
OWN = """
import numpy as np
from numba import njit

import wlnn


def energy_and_position(theta):
    return np.sum((theta * theta - 1.0) ** 2), np.mean(theta)


grid = wlnn.Grid(wlnn.Axis("energy", 0.0, 36.0, 12), wlnn.Axis("mean position", -2.0, 2.0, 9))
box = np.full(4, -2.0), np.full(4, 2.0), grid
plain = wlnn.Problem("wells", *box, energy_and_position)
compiled = wlnn.Problem("wells", *box, njit(energy_and_position))

rng = np.random.default_rng(0)
data = [(rng.normal(size=(12, 2)), np.arange(12) % 2) for _ in range(2)]
data = wlnn.Dataset(*data[0], *data[1], source={"law": "noise"})
axes = wlnn.Axis("ln train loss", -3.0, 1.0, 16), wlnn.Axis.counts("test accuracy", 12)
network = wlnn.FNN((2, 4, 3, 2), "tanh")
task = wlnn.Task("noise", data, network, wlnn.Grid(*axes))
smooth = wlnn.Task("noise", data, network, wlnn.Grid(*axes), "smoothed-accuracy")
"""  # own.py in the folder of every case
TABLE = "a,b,y\n" + "".join(f"{k % 5},{k * k % 7},{k % 2}\n" for k in range(20))  # own.csv
CURVES = """
import numpy as np
import wlnn

if __name__ == "__main__":  # trainings run in processes that import this file again
    what = {"preset": "quick", "folder": "."}
    tiny = ("network.layers=1", "network.width=3")
    few = ("wlmc.steps=2e5", "wlmc.stages=20", "wlmc.anchor_draws=1e4", "wlmc.walkers=2")
    short = ("train.runs=5", "train.epochs=60")
    landscape = wlnn.run_landscape("spiral-classify", *tiny, *few, **what)
    sets = [wlnn.run_trainings("spiral-classify", *tiny, *short, f"train.learning_rate={rate}",
                               **what)
            for rate in (0.02, 0.05)]
    found = {"one": wlnn.compare_trained(landscape, sets[0]),
             "best": wlnn.compare_trained(landscape, wlnn.best_of(sets)),
             "end": wlnn.by_network([(landscape, sets)])[0][3]}
    arrays = {f"{key}.{name}": value for key, one in found.items()
              for name, value in one._asdict().items()}
    motion = wlnn.run_motion("spiral-classify", *tiny, "md.steps=400", "md.record=20",
                             "md.walkers=2", **what)
    memory = wlnn.sample(wlnn.load_task("spiral-classify", layers=1, width=2).problem(),
                         wlnn.WLMCSettings(steps=20_000, stages=10, walkers=2, anchor_draws=1000,
                                           estimator="frozen", c=2.0, production=0.25))
    arrays |= {"sample.entropies": memory.entropies, "sample.entropy": memory.entropy,
               "sample.error": memory.error, "records": motion.records,
               "marginal": np.array(landscape.marginal_entropy()[:3]),
               "difference": np.array(wlnn.compare(landscape, landscape)[:3], float)}
    np.savez("public.npz", **arrays)
"""
SMALL = "--task spiral-classify --layers 2 --width 3 --threads 1"
AVERAGE = "--set wlmc.estimator=average --set wlmc.production=0.5"  # when the table was made
WLMC = f"sample {SMALL} --seed 1 --walkers 2 --steps 2e5 --set wlmc.stages=20 {AVERAGE} " \
       "--set wlmc.anchor_draws=1e4 --out run"  # fmt: skip
FROZEN = "--set wlmc.estimator=frozen --set wlmc.production=0.4"
SHORT = "--walkers 2 --steps 2e4 --set wlmc.stages=10 --set wlmc.anchor_draws=1e4 --out run " \
        f"{AVERAGE}"  # fmt: skip
MOVED = "--set wlmd.steps=3000 --set wlmd.t1=300 --set wlmd.t2=1500 --set wlmd.t3=1000 " \
        "--set wlmd.round=100 --set wlmd.report=500 --set wlmd.checks=false " \
        "--set wlmd.tables=2 --set wlmd.f_max=40 --threads 1 --out run --sampler wlmd"  # fmt: skip
REGRESS = "--task spiral-regress --quick --width 6 --points 20"
SMOOTH = "--set grid.y=smoothed-accuracy"
BRIEF = "--set wlmd.steps=60 --set wlmd.t1=10 --set wlmd.t2=40 --set wlmd.t3=20 " \
        "--set wlmd.round=10 --set wlmd.report=20 --set wlmd.checks=false " \
        "--set wlmd.tables=1 --threads 1 --out run --sampler wlmd"  # fmt: skip
MD = "--steps 1000 --walkers 2 --set md.record=50 --seed 2 --threads 1 --out run"
TRAIN = f"train {SMALL.replace('--threads', '--processes')} --runs 5 --epochs 30 --seed 4 --out run"
HOUSE = "--task house-price --data {data}/house/train.csv --width 3 --points 60"
POLYMER = "--task polymer --data {data}/polymer/Egb.csv --width 2 --points 60 " \
          "--embedding {data}/polymer/minimol_annalog_f16.npz"  # fmt: skip
CIFAR = "--task cifar --data {data}/cifar/cifar_deerfrog_exact836.npz --quick --data-seed 1"
DIGITS = "--task mnist --quick --set data.points=20 --set data.test_points=20"
MAXENT = "--contexts 2,3 --weight-scale 0.5,1"
CASES = {  # name -> commands of wlnn; "python" runs a script; "text" also counts what is printed
    "wlmc": [WLMC, "text info run"],
    "wlmc-halving": [f"{WLMC} --schedule halving {FROZEN}"],
    "wlmc-paper": [f"{WLMC} --schedule paper --step-rule paper --set wlmc.production=0"],
    "wlmc-log-uniform": [f"{WLMC} --step-rule log-uniform {FROZEN}"],
    "wlmc-merged": [f"{WLMC} --walkers 4 --set wlmc.merge_every=3 --set wlmc.groups=2"],
    "wlmc-float64": [f"{WLMC} --precision float64 --keep-networks", "text networks run --at -1,.6"],
    "wlmc-late-bins": [f"{WLMC} --set wlmc.late_bins=minimum --set wlmc.c=2 --logits 1"],
    "wlmc-test-loss": [
        f"sample --sampler wlmc {REGRESS} {SHORT} --set grid.x_low=-2 --activation silu"
    ],
    "wlmc-smoothed": [f"sample {SMALL} --set grid.y=smoothed-accuracy {SHORT} --steps 2000"],
    "wlmc-plain-python": [f"sample --task own.py:plain --threads 2 {SHORT}"],
    "wlmc-compiled": [f"sample --task own.py:compiled --threads 1 {SHORT} {FROZEN}"],
    "wlmc-own-task": [f"sample --task own.py:task --threads 1 {SHORT}"],
    "wlmc-own-table": [
        f"sample --train own.csv --test own.csv --target y --hidden 3 --threads 1 {SHORT}"
    ],
    "wlmc-context": [
        f"sample --task context-select --threads 1 {SHORT} --set context.units=4 "
        "--set wlmc.production=0.4"
    ],
    "wlmc-context-relu": [
        f"sample --task context-select --threads 1 {SHORT} --set context.net=relu "
        "--set context.units=4 --set wlmc.production=0.4"
    ],
    "merge": [
        WLMC, WLMC.replace("--seed 1", "--seed 2").replace("--out run", "--out other"),
        "merge run other --out joint",
    ],
    "wlmd": [f"sample {REGRESS} {MOVED}", "text info run"],
    "wlmd-three-walkers": [f"sample {REGRESS} --walkers 3 {MOVED} --activation tanh"],
    "wlmd-boa": [
        f"sample {REGRESS} {MOVED} --set wlmd.integrator=boa --set wlmd.production=0.3 "
        "--set wlmd.estimator=reweighted --activation silu"
    ],
    "wlmd-smoothed": [f"sample {SMALL} {SMOOTH} --keep-networks {MOVED}"],
    "wlmd-scaled": [
        f"sample {SMALL} {SMOOTH} --set wlmd.accuracy_axis=scaled --logits 1 {MOVED} "
        "--set wlmd.f_max=2 --set wlmd.friction=0.05 --threads 2"
    ],
    "wlmd-own-task": [f"sample --task own.py:smooth {MOVED}"],
    "wlmd-digits": [f"sample {DIGITS} {BRIEF}"],
    "wlmd-digits-walkers": [f"sample {DIGITS} --width 3 --walkers 3 --scale unit {BRIEF}"],
    "wlmd-house": [f"sample {HOUSE} --quick {BRIEF}"],
    "wlmd-polymer": [f"sample {POLYMER} --quick {BRIEF}"],
    "wlmd-photographs": [f"sample {CIFAR} --points 4 --set data.test_points=4 {BRIEF}"],
    "probe": [f"text probe {REGRESS}"],
    "md": [f"md {SMALL} {MD}"],
    "md-newtonian": [f"md {SMALL} {MD} --newtonian --logits 1 --activation tanh"],
    "md-test-loss": [f"md {REGRESS} {MD} --temperature 2e-4 --set md.start_x=-1"],
    "md-digits": [f"md {DIGITS} {MD} --steps 100 --set md.record=5 --set md.thermostat_every=5"],
    "seek": [
        f"text seek {SMALL} --evaluations 3000 --runs 2 --replicas 3 --set seek.stretch=50 "
        "--out run"
    ],
    "seek-test-loss": [
        f"text seek {REGRESS} --evaluations 1200 --runs 2 --replicas 2 --set seek.stretch=30 "
        "--set md.start_x=-1 --threads 1 --out run"
    ],
    "train-adam": [TRAIN, "text info run"],
    "train-sgd": [f"{TRAIN} --optimizer sgd --momentum 0.9 --batch-size 7 --learning-rate 0.05"],
    "train-float64": [
        f"{TRAIN} --set train.precision=float64 --initialisation xavier-uniform --logits 1"
    ],
    "train-regress": [f"train {REGRESS} --runs 5 --epochs 10 --processes 2 --out run"],
    "train-digits": [f"train {DIGITS} --runs 2 --epochs 2 --processes 1 --out run"],
    "train-house": [f"train {HOUSE} --runs 2 --epochs 3 --processes 1 --out run"],
    "train-photographs": [
        f"train {CIFAR} --points 8 --set data.test_points=8 --runs 2 --epochs 1 --processes 1 "
        "--out run"
    ],
    "tune": [
        f"text tune {SMALL.replace('--threads', '--processes')} --runs 2 --epochs 20 --rates 2 "
        "--batch-range 20,40 --out run"
    ],
    "canonical": [
        WLMC, f"md {SMALL} {MD} --temperature 0.1".replace("--out run", "--out md"),
        "text canonical run --temperature 0.05..1 --points 7 --md md",
    ],
    "advantage": [
        WLMC, f"{TRAIN} --learning-rate 0.02 --epochs 200 --out trained",
        f"md {SMALL} {MD} --temperature 0.01 --out md",
        "text advantage run trained --until 60 --out a.png",
        "text advantage md trained --out b.png",
    ],
    "public-names": ["python curves.py"],
    "maxent-solve": [
        f"text maxent solve {MAXENT} --out .",
        "text maxent solve --contexts 2 --mode moment --weight-scale 2",
        "text maxent solve --contexts 2 --weight-scale 1 --gain relu",
    ],
    "maxent-sample": ["text maxent sample --units 20,50 --networks 20 --out ."],
    "maxent-sample-relu": ["text maxent sample --units 20,50 --networks 20 --relu --out ."],
    "maxent-landscape": [
        "text maxent landscape --units 4 --steps 4e4 --walkers 2 --threads 1 --out ."
    ],
    "maxent-train": [
        f"text maxent train {MAXENT} --units 60 --steps 40 --batch 16 --seeds 1 --processes 1 "
        "--out ."
    ],
    "maxent-compare": [
        "text maxent compare --contexts 2 --weight-scale 0.5,1 --units 60 --steps 40 --batch 16 "
        "--seeds 1 --processes 1 --out ."
    ],
    "verify": ["text verify --case maxnorm-start --case ising --case wlmd-start"],
}  # fmt: skip


def digest(*parts: bytes) -> str:
    """SHA-256, shortened to 16 digits."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def digest_of(array: np.ndarray) -> str:
    """Digest of type, shape and bytes."""
    array = np.ascontiguousarray(array)
    return digest(str(array.dtype).encode(), str(array.shape).encode(), array.tobytes())


def arrays_of(path: Path) -> dict[str, str]:
    """Name -> digest of the arrays of an npz file, but those of :data:`TIMES`.

    Arrays with a common first name, "history.bins" and "history.ln_f" say, have one in common.
    """
    groups: dict[str, list[str]] = {}
    with np.load(path, allow_pickle=False) as file:
        for name in sorted(name for name in file if not TIMES.search(name)):
            groups.setdefault(name.split(".")[0], []).extend((name, digest_of(file[name])))
    return {
        name: digest(*(text.encode() for text in texts)) if len(texts) > 2 else texts[1]
        for name, texts in groups.items()
    }


def digests_below(folder: Path) -> dict[str, str]:
    """Digests of all npz and CSV files below a folder; of a checkpoint as a whole."""
    found = {}
    for path in sorted(folder.rglob("*.npz")):
        name, own = path.relative_to(folder).as_posix(), arrays_of(path)
        if CHECKPOINTS.fullmatch(path.name):
            found[name] = digest(json.dumps(own).encode())
        else:
            found |= {f"{name}:{key}": value for key, value in own.items()}
    for path in sorted(folder.rglob("*.csv")):
        found[path.relative_to(folder).as_posix()] = digest(path.read_bytes())
    return found


def run_case(name: str) -> dict[str, str]:
    """Run the commands of a case in a folder of its own, and digest what they leave there."""
    threads = {f"{library}_NUM_THREADS": "1" for library in ("OMP", "OPENBLAS", "MKL")}
    with tempfile.TemporaryDirectory() as folder:
        for file, text in {"own.py": OWN, "own.csv": TABLE, "curves.py": CURVES}.items():
            (Path(folder) / file).write_text(text)
        printed = {}
        for k, line in enumerate(CASES[name]):
            words = [word.format(data=SHARED) for word in shlex.split(line)]
            text, script = words[0] == "text", words[0] == "python"
            command = words[1:] if script else ["-m", "wlnn", *words[text:]]
            done = subprocess.run(
                [sys.executable, *command], cwd=folder, env={**os.environ, **threads},
                capture_output=True, text=True, check=False,
            )  # fmt: skip
            if done.returncode:
                raise SystemExit(f"{name}: wlnn {line}\n{done.stderr}")
            if text:
                printed[f"printed {k}"] = digest(PACE.sub("", done.stdout).encode())
        (Path(folder) / "own.csv").unlink()
        return {**digests_below(Path(folder)), **printed}


def about() -> dict[str, str]:
    """What the bits depend on beside the code."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        cpu = next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        cpu = platform.processor()
    packages = {package: version(package) for package in ("numpy", "scipy", "numba", "llvmlite")}
    return {"cpu": f"{cpu}, {get_host_cpu_name()}", "machine": platform.machine(), **packages}


def compare(first: dict, second: dict) -> list[str]:
    """The differences of two tables, a line each; cases that one of them lacks are none."""
    lines = [
        f"{key}: {first['about'].get(key)} there, {second['about'].get(key)} here"
        for key in first["about"]
        if first["about"][key] != second["about"].get(key)
    ]
    for case in sorted(first["cases"].keys() & second["cases"].keys()):
        one, other = first["cases"][case], second["cases"][case]
        for key in sorted(one.keys() | other.keys()):
            if one.get(key) != other.get(key):
                lines.append(f"{case}: {key}: {one.get(key, 'none')} {other.get(key, 'none')}")
    return lines


def main() -> None:
    """Make a table, or compare two."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", nargs="?", type=Path, help="the table, JSON")
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=CASES, default=list(CASES))
    parser.add_argument("--compare", nargs=2, type=Path, metavar="JSON")
    options = parser.parse_args()
    if options.compare:
        tables = [json.loads(path.read_text()) for path in options.compare]
        lines = compare(*tables)
        for name in sorted(tables[0]["cases"].keys() ^ tables[1]["cases"].keys()):
            print(f"note: {name} is in one of the tables only")
        common = tables[0]["cases"].keys() & tables[1]["cases"].keys()
        print("\n".join(lines) or f"{len(common)} cases: no difference")
        sys.exit(bool(lines))
    if options.out is None:
        parser.error("name the file to write")
    table = {"about": about(), "left out": [], "cases": {}}
    for name in options.only:
        if any("{data}" in line for line in CASES[name]) and not SHARED.exists():
            print(f"{name}: left out, there is no {SHARED}")
            table["left out"].append(name)
            continue
        began = time.monotonic()
        first, found = run_case(name), run_case(name)
        note = "" if first == found else "; the first time differed"
        print(f"{name}: {len(found)} digests, {time.monotonic() - began:.1f} s{note}", flush=True)
        table["cases"][name] = found
        options.out.write_text(json.dumps(table, indent=1) + "\n")


if __name__ == "__main__":
    main()
