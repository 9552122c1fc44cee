"""A run that is killed at any moment, stopped, or out of disk space ends with the same bits."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command_line import BALL, run

from wlnn.base import store

# The run kills itself a given time after it began to sample, and saves as often as it can, so that
# many kills fall into the saving.
MORTAL = """
import os, signal, sys, threading
from wlnn.base import pool, running
from wlnn.cli import main as cli, results as cli_results
from wlnn.wlmc import run

cli_results.draw = lambda *_: []
delay = float(sys.argv.pop(1))
pool.STRETCH_SECONDS, running.SAVE_SECONDS = 0.02, 0.0
all_stages = run._all_stages

def mortal(*arguments):
    if delay > 0:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()
    return all_stages(*arguments)

run._all_stages = mortal
cli.main(sys.argv[1:])
"""
INDEPENDENT = ("--walkers", "3", "--steps", "4000", "--set", "wlmc.stages=100")
AVERAGED = (*INDEPENDENT, "--set", "wlmc.estimator=average", "--set", "wlmc.production=0.5")
COMMON = (*INDEPENDENT, "--set", "wlmc.estimator=common", "--set", "wlmc.production=0.5")
FROZEN = (*INDEPENDENT, "--set", "wlmc.estimator=frozen")
TOGETHER = (*FROZEN, "--set", "wlmc.merge_every=3", "--set", "wlmc.groups=1")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball.py").write_text(BALL)
    return tmp_path


def mortal(delay, *arguments):
    """`wlnn ARGUMENTS` that is killed after ``delay`` seconds of sampling (0: never)."""
    return subprocess.run(
        [sys.executable, "-c", MORTAL, str(delay), *arguments], capture_output=True, text=True
    )


def kill_and_resume(arguments, delays):
    """How many of the kills hit the run, which is begun and then resumed, at last to its end."""
    hits = 0
    for delay in delays:
        done = mortal(delay, *arguments)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        hits += done.returncode != 0
    assert mortal(0, *arguments).returncode == 0
    return hits


def assert_same(first, second):
    """Every array of two landscapes but the seconds."""
    first, second = (store.load(Path(path) / "landscape.npz")[0] for path in (first, second))
    assert first.keys() == second.keys()
    for name in first.keys() - {"history.seconds"}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize(
    "options",
    [INDEPENDENT, AVERAGED, TOGETHER, COMMON],
    ids=["independent", "averaged", "together", "common"],
)
def test_two_kills(options):
    arguments = ("sample", "--task", "ball.py:problem", *options)
    assert mortal(0, *arguments, "--out", "whole", "--threads", "1").returncode == 0
    delays = np.random.default_rng(0).uniform(0.05, 0.3, 2)
    hits = kill_and_resume((*arguments, "--out", "cut", "--threads", "2"), delays)
    assert hits == 2
    assert_same("whole", "cut")


@pytest.mark.slow
@pytest.mark.parametrize("kills", [20, 8], ids=["independent", "together"])
def test_many_kills_of_a_network_run(kills):
    arguments = ["sample", "--quick", "--walkers", "4", "--steps", "1e7", "--keep-networks"]
    arguments += ["--set", "wlmc.stages=400", "--set", "wlmc.anchor_draws=20000"]
    if kills == 8:
        arguments += ["--set", "wlmc.merge_every=2", "--set", "wlmc.groups=2"]
        arguments += ["--set", "wlmc.estimator=frozen"]
    assert mortal(0, *arguments, "--out", "whole").returncode == 0
    delays = np.random.default_rng(0).uniform(0, 0.6, kills)
    hits = kill_and_resume((*arguments, "--out", "cut"), delays)
    assert hits >= 0.75 * kills  # the others came when the run was over
    assert_same("whole", "cut")


def seconds_to_stop(arguments, number):
    """Wall-clock seconds from a signal in the middle of the sampling to the end of the process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "wlnn", *arguments], stderr=subprocess.PIPE, text=True
    )
    while "%" not in process.stderr.readline():
        assert process.poll() is None
    process.send_signal(number)
    begun = time.monotonic()
    said = process.stderr.read()
    process.wait()
    assert process.returncode == 130, said
    assert "everything so far is saved" in said
    return time.monotonic() - begun


def test_ctrl_c_stops_within_a_second():
    arguments = ["sample", "--task", "ball.py:problem", "--walkers", "2", "--steps", "4e5"]
    # the best of up to three, for a machine that is busy with other things
    for attempt in range(3):
        seconds = seconds_to_stop([*arguments, "--out", f"run{attempt}"], signal.SIGINT)
        if seconds < 1:
            break
    assert seconds < 1


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_a_network_run_within_a_second(number):
    arguments = ["sample", "--walkers", "4", "--steps", "6e7", "--out"]
    assert min(seconds_to_stop([*arguments, f"run{k}"], number) for k in range(3)) < 1


def test_a_full_disk(here, monkeypatch):
    """The run ends with one sentence; what was saved before is whole, and goes on elsewhere."""
    disk = here / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(disk)]
    if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no file system of its own may be mounted here")
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])
    monkeypatch.setattr("wlnn.base.running.SAVE_SECONDS", 0.0)
    monkeypatch.setattr("wlnn.base.pool.STRETCH_SECONDS", 0.02)
    arguments = ("sample", "--task", "ball.py:problem", *AVERAGED, "--threads", "1", "--out")
    try:
        full = run(*arguments, disk / "cut")
        assert full.status == 2
        assert "cannot be written: no space left on device" in full.err.splitlines()[-1]
        assert "Traceback" not in full.err
        saved = [store.load(path)[1] for path in (disk / "cut").glob("walker-*.npz")]
        assert len(saved) == 3
        assert not [*(disk / "cut").glob(".*.part")]
        shutil.copytree(disk / "cut", here / "cut")
    finally:
        subprocess.run(["umount", str(disk)], check=True)
    assert run(*arguments, "whole").status == 0
    assert run("resume", "cut").status == 0
    assert_same("whole", "cut")
