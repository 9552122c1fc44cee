"""Run directories of an earlier version are shown and drawn, and go on to the same bits.

They lie in `tests/golden/runs`; `tests/golden/make_runs.py` made them, and tells how.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run

GOLDEN = Path(__file__).parents[1] / "golden"
sys.path.insert(0, str(GOLDEN))
from digests import about, digests_below  # noqa: E402
from make_runs import shapes_below  # noqa: E402

RECORDED = json.loads((GOLDEN / "runs.json").read_text())
SHOWN = {  # what `wlnn info` says of each landscape and training, among other things
    "wlmc": (
        "spiral-classify, 2-2-2 relu, 12 parameters",
        "2 walkers × 2e5 steps, data seed 0, seed 1",
        "fixed by uniform draws (± 0.017 nats",
        "down to -1.00, 24 bins (53%), 466 round trips",
        "-0.250              0.524 ± 0.013               0.500      -1.07 ± 0.55",
    ),
    "wlmc-cut": ("1 of 10 stages; continue with wlnn resume", "down to -1.00, 26 bins (58%)"),
    "wlmc-merged-cut": ("1 walker × 8e6 steps", "1 of 10 stages; continue with wlnn resume"),
    "wlmd": ("2-3-3-1 relu, 25 parameters", "1 table × 6e3 steps", "down to -1.50, 12 bins (9%)"),
    "wlmd-cut": ("3000 of 50000 steps; continue with wlnn resume", "14 bins (11%)"),
    "maxent/run": (
        "gain-linear units, K = 2, N = 2, 10 parameters",
        "down to -4.50, 65 bins (65%)",
    ),
    "trained": (
        "2 trainings of 10 epochs, SGD, learning rate 0.001, batch 1",
        "at the end: ln-train-loss -0.229 ± 0.027",
    ),
}
DRAWN = {  # and what `wlnn plot` draws
    "wlmc-cut": ("landscape.png", "diagnostics.png"),
    "wlmd": ("landscape.png", "diagnostics.png"),
    "maxent/run": ("diagnostics.png",),  # S has one axis only
}
MOTION = ("md-cut", "seek-cut", "wlmd-cut")


@pytest.fixture
def old(tmp_path):
    """Makes a copy of a run, which a test may change."""

    def copy(name, folder="copy"):
        return shutil.copytree(GOLDEN / "runs" / name, tmp_path / folder / name)

    return copy


@pytest.mark.parametrize("name", SHOWN)
def test_info(old, name):
    shown = run("info", old(name))
    assert shown.status == 0, shown.err
    for words in SHOWN[name]:
        assert words in shown.out


def test_info_of_interrupted_trainings(old):
    shown = run("info", old("trained-cut"))
    assert shown.status == 2
    assert "holds no trained.npz yet; finish it with wlnn resume" in shown.err


def test_status():
    lines = run("status", GOLDEN / "runs").out.splitlines()
    states = dict(line.split()[:2] for line in lines if len(line.split()) > 2)
    cut = {name for name, state in states.items() if state == "cut"}
    assert cut == {name for name in states if name.endswith("-cut")}
    assert states["md"] == "finished"  # though its picture lies elsewhere


@pytest.mark.parametrize("name", DRAWN)
def test_plot(old, name):
    folder = old(name)
    drawn = run("plot", folder)
    assert drawn.status == 0, drawn.err
    assert drawn.out.split() == [str(folder / picture) for picture in DRAWN[name]]
    assert all((folder / picture).stat().st_size > 10_000 for picture in DRAWN[name])


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("wlmc", "finished already; this is its result"),
        ("md", "T = 0.003: 2 walkers x 400 steps; second half"),
        ("trained", "2 trainings of 10 epochs, SGD, learning rate 0.001, batch 1"),
        ("tuned", "test accuracy, best epoch"),
    ],
)
def test_finished_runs_are_left_as_they_are(old, name, words):
    folder = old(name)
    before = digests_below(folder)
    again = run("resume", folder, "--threads", "1")
    assert again.status == 0, again.err
    assert words in again.out + again.err
    assert digests_below(folder) == before


def test_canonical_averages(old):
    """They read a landscape and a motion."""
    averages = run("canonical", old("wlmc"), "--temperature", "0.5,1", "--md", old("md"))
    assert averages.status == 0, averages.err
    assert "0.5   0.87 ± 0.087  -0.180 ± 0.099" in averages.out
    assert "ln L               -0.4406 ± 0.0072   landscape    -0.9916" in averages.out


def resumed(folder):
    """The run, continued to its end; molecular dynamics in a process of its own, see below."""
    if folder.name in MOTION:
        command = [sys.executable, "-m", "wlnn", "resume", str(folder), "--threads", "1"]
        done = subprocess.run(command, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
    else:
        done = run("resume", folder, "--threads", "1")
        assert done.status == 0, done.err
    return folder


@pytest.mark.parametrize("name", RECORDED["resumed"])
def test_interrupted_runs_go_on_to_the_same_bits(old, name):
    folder = resumed(old(name))
    assert shapes_below(folder) == RECORDED["shapes"][name]
    if about() != RECORDED["about"]:
        # Another processor or version of Numba rounds otherwise, and a walker that was rounded
        # otherwise soon is elsewhere: no tolerance tells right from wrong then.
        return
    found = digests_below(folder)
    if found != RECORDED["resumed"][name] and name in MOTION:
        # A process that compiles molecular dynamics itself may get other bits than one that finds
        # the compiled code on disk, and those recorded are of the latter kind.
        found = digests_below(resumed(old(name, "second")))
    assert found == RECORDED["resumed"][name]
