"""Every benchmark runs, at its smallest: each speaks with parts of the package that may move.

No time is judged here. What is optional (PyTorch, JAX, dynesty, a compiler) is used where it is.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from wlnn.cli.main import wlnn

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SMALLEST = {
    "accuracy": "--seeds 1 --limit 0.2 --rms 9",
    "cluster_overhead": "--steps 1e4 --rounds 1 --runs 1",
    "cluster_sim": "--slots 8",
    "convergence": "--walkers 2 --out {tmp}/a.png",
    "gpu": "--cpu --seconds 0.02 --only {case} --peers 20",
    "gpu_peers": "--cpu --seconds 0.02 --only {case}",
    "gradients": "{tmp}/images.npz --network cnn2 --images 20 --steps 4 --every 2",
    "growth_bias": "{runs}/common {runs}/average {runs}/average-2 --at -0.05 --out {tmp}/b.png",
    "ladder": "{runs}/ladder",
    "ladder_blocks": "--on threads:2 --rungs 4 --seconds 0.5 --stretches 0.03",
    "layers": "--turns 1 --seconds 0.02 --cases {cases}",
    "metropolis": "{runs}/md --steps 2e4",
    "nested": "{runs}/common --points 20 --moves 20 --seeds 1 --deepest -3",
    "step_rule": "--steps 2e4 --walkers 2 --out {tmp}/c.png",
    "train": "--runs 4 --turns 1",
    "wlmc": "--shapes 3x6-relu --turns 1 --seconds 0.01",
    "wlmd": "--widths 30 --turns 1 --seconds 0.02",
}


AVERAGE = "sample --quick --set wlmc.estimator=average --set wlmc.production=0.5"
RUNS = {  # short ones of each kind that a benchmark reads
    "common": "sample --quick",
    "average": AVERAGE,
    "average-2": f"{AVERAGE} --set wlmc.c=50",
    "ladder": "sample --task spiral-regress --width 10 --points 20 --quick --steps 6e4 "
    "--set ladder.x_low=-1 --set ladder.descent=300",
    "md": "md --task spiral-classify --quick --steps 4000",
}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """The folder where runs are, and a function that makes those that words speak of."""
    folder = tmp_path_factory.mktemp("runs")

    def made(words):
        for name in re.findall(r"\{runs\}/([\w-]+)", words):
            if not (folder / name).exists():
                wlnn([*RUNS[name].split(), "--out", str(folder / name)], standalone_mode=False)
        return folder

    return made


def test_every_benchmark_is_here():
    assert set(SMALLEST) == {path.stem for path in (ROOT / "benchmarks").glob("*.py")}


@pytest.mark.parametrize("name", sorted(SMALLEST))
def test_it_runs(name, runs, tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (40, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "images.npz", x=images, y=np.arange(40) % 10)
    words = SMALLEST[name].split(" ")
    # without the residual network: PyTorch 2.13 corrupts its memory there on some processors
    names = {"case": "W = 30", "cases": "CNN c=2,house W=20,polymer W=50"}
    names |= {"tmp": tmp_path, "runs": runs(SMALLEST[name])}
    words = [word.format(**names) for word in words]
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "MPLBACKEND": "Agg"}
    done = subprocess.run(
        [sys.executable, f"benchmarks/{name}.py", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=900, check=False,
    )  # fmt: skip
    if name in ("gradients", "layers") and "No module named 'torch'" in done.stderr:
        pytest.skip("PyTorch is not installed: what is compared with")
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.strip()
