"""A run of molecular dynamics that is killed at any moment ends with the same bits."""

import signal
import subprocess
import sys

import numpy as np
import pytest

from wlnn.base import store

# The run kills itself some time after it began to move, and saves after every round, so that kills
# fall into rounds and into the saving.
MORTAL = """
import os, signal, sys, threading
from wlnn.cli import main as cli, results as cli_results
from wlnn.wlmd import run as run_wlmd

cli_results.draw = lambda *_: []
delay = float(sys.argv.pop(1))
compiled = run_wlmd._compile

def mortal(*arguments):
    compiled(*arguments)
    if delay > 0:
        threading.Timer(delay, os.kill, (os.getpid(), signal.SIGKILL)).start()

run_wlmd._compile = mortal
cli.main(sys.argv[1:])
"""
SMALL = (
    "sample", "--task", "spiral-regress", "--sampler", "wlmd", "--quick", "--width", "6",
    "--points", "20",
    "--steps", "40000", "--walkers", "2", "--set", "wlmd.round=1000", "--set", "wlmd.report=1000",
    "--set", "wlmd.spacing=0.1", "--set", "wlmd.dt=2e-3", "--set", "wlmd.checks=false",
)  # fmt: skip


def mortal(delay, *arguments):
    """`wlnn ARGUMENTS` that is killed after ``delay`` seconds of sampling (0: never)."""
    return subprocess.run(
        [sys.executable, "-c", MORTAL, str(delay), *arguments], capture_output=True, text=True
    )


@pytest.mark.slow
def test_kills_leave_no_trace(tmp_path):
    done = mortal(0, *SMALL, "--threads", "1", "--out", str(tmp_path / "whole"))
    assert done.returncode == 0, done.stderr
    hits, cut = 0, str(tmp_path / "cut")
    for delay in (0.15, 0.2, 0.25):
        done = mortal(delay, *SMALL, "--threads", "2", "--out", cut)
        assert done.returncode in (0, -signal.SIGKILL), done.stderr
        hits += done.returncode != 0
    assert hits >= 2
    assert 0 < store.load(store.checkpoint_path(cut, 0))[0]["state.t"] <= 40_000
    assert mortal(0, "resume", cut).returncode == 0
    paths = [tmp_path / name / "landscape.npz" for name in ("whole", "cut")]
    first, second = (store.load(path)[0] for path in paths)
    assert first.keys() == second.keys()
    for name in first.keys() - {"history.us_per_step"}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
