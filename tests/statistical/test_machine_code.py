"""A compiled loop has the same bits whichever process compiled it and whatever ran before it."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from test_wlmd_killed import SMALL, mortal

from wlnn.base import store

# Runs the kinds named on the command line, one after the other, and prints a hash of what each
# made. "shared" names the functions that Numba shares between loops although their bits may depend
# on what they are compiled with; it is of use in a process that compiled everything itself.
KINDS = """
import hashlib, re, sys
import numpy as np
from numba.extending import is_jitted
from wlnn.canonical import langevin
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.datasets import spiral_classify
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmc import rules
from wlnn.wlmc.walker import run_stage
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.start import draw_below
from wlnn.wlmd.surface import Walls, make_surface

GRID = Grid(Axis("x", -8.0, 6.0, 70), Axis("y", -8.0, 6.0, 70))

def smooth():
    task = Task("t", spiral_classify(0, 50), FNN((2, 10, 10, 2), "silu"), GRID, "ln-test-loss")
    return NetworkVariables(task, start_part=0.6).problem()

def wlmd_walk():
    problem = smooth()
    surface = make_surface(GRID, 0.2, Walls(-7.0, 5.0, -7.0, 5.0, 300.0, 3000.0), 4.0)
    state = wlmd.start(problem, surface, 1, np.random.default_rng(1))
    motion, rng = wlmd.make_motion(problem, 1e-3, 0.01), np.random.default_rng(2)
    f = np.full(2000, 100.0)
    found = wlmd.advance(
        problem, surface, motion, state, f, lambda k: rng, [problem.gradient_system()]
    )
    return found.state.theta, found.traces, found.state.table

def md_walk():
    problem = smooth()
    walkers = langevin.start(problem, np.array([0.01]), [np.random.default_rng(1)])
    motion, rng = langevin.make_motion(1e-2, 0.01), np.random.default_rng(2)
    found = langevin.advance(problem, walkers, motion, 2000, [rng], [problem.gradient_system()])
    return found.walkers.theta, found.walkers.u, found.records

def descent():
    return (draw_below(smooth(), np.random.default_rng(0), 2, -0.75),)

def wlmc():
    problem = load_task("spiral-classify", layers=2, width=6, points=20).problem()
    theta = np.random.default_rng(0).uniform(problem.lo, problem.hi)
    entropy, histogram = np.zeros(problem.grid.shape), np.zeros(problem.grid.shape, np.int64)
    rows = problem.grid.shape[0]
    stage = rules.Stage(
        n_steps=5000, ln_f=1e-3, step_rule=rules.STEP_LOG_UNIFORM,
        new_bin_rule=rules.NEW_BIN_NEARBY, low_row=0, high_row=rows - 1,
    )
    chain = rules.Chain(0.1, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
    rest = np.zeros((0, 0)), stage, chain, np.arange(1, 5).astype(np.uint64), np.zeros(1, np.uint8)
    end = run_stage(
        problem, problem.system("float64"), theta, entropy, histogram, histogram.copy(), *rest
    )
    return theta, entropy, histogram, np.array(end)

def shared():
    fast, checked = r" (fast|reassoc|contract|nsz|arcp|afn) ", 0
    for name, module in sorted(sys.modules.items()):
        if not name.startswith("wlnn."):
            continue
        for function in filter(is_jitted, vars(module).values()):
            kept_on_disk = function.stats.cache_path is not None
            for text in function.inspect_llvm().values() if kept_on_disk else ():
                for part in re.split(r"\\n(?=define )", text)[1:]:
                    checked += 1
                    if part.startswith("define linkonce_odr") and re.search(fast, part):
                        yield re.search(r"@\\S+", part)[0].encode()
    yield str(checked > 20).encode()

KINDS = {"wlmd": wlmd_walk, "md": md_walk, "descent": descent, "wlmc": wlmc}
for kind in sys.argv[1:]:
    if kind == "shared":
        print(kind, *[name.decode() for name in shared()])
        continue
    made = hashlib.sha256(b"".join(np.ascontiguousarray(part).tobytes() for part in KINDS[kind]()))
    print(kind, made.hexdigest())
"""


def made_by(cache, *kinds) -> dict[str, str]:
    """What a process with this folder for machine code makes of the kinds, in their order."""
    done = subprocess.run(
        [sys.executable, "-c", KINDS, *kinds], capture_output=True, text=True,
        env={**os.environ, "NUMBA_CACHE_DIR": str(cache)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.split(maxsplit=1) for line in done.stdout.splitlines())


@pytest.mark.slow
def test_what_ran_before_in_a_process_changes_nothing(tmp_path):
    first = made_by(tmp_path / "a", "wlmd", "md", "descent", "wlmc", "shared")
    assert first.pop("shared") == "True"
    # the next process loads what that one compiled
    assert made_by(tmp_path / "a", "wlmc", "descent", "md", "wlmd") == first
    assert made_by(tmp_path / "b", "descent", "md", "wlmd", "wlmc") == first
    for kind, digest in first.items():
        assert made_by(tmp_path / "b", kind) == {kind: digest}


@pytest.mark.slow
def test_a_run_killed_in_the_process_that_compiles_goes_on_with_the_same_bits(
    tmp_path, monkeypatch
):
    """The run as a whole is made by a process that loads what the killed one compiled."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    run = *SMALL, "--activation", "silu", "--threads", "1", "--out"
    cut, whole = str(tmp_path / "cut"), str(tmp_path / "whole")
    assert mortal(0.2, *run, cut).returncode == -signal.SIGKILL
    assert store.load(store.checkpoint_path(cut, 0))[0]["state.t"] > 0
    assert mortal(0, "resume", cut).returncode == 0
    assert mortal(0, *run, whole).returncode == 0
    first, second = (store.load(Path(path) / "landscape.npz")[0] for path in (cut, whole))
    assert first.keys() == second.keys()
    for name in first.keys() - {"history.us_per_step"}:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)
