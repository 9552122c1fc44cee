"""The examples of own tasks are short and do what they say, from the command line."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.landscape.landscape import Landscape

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.mark.parametrize("name", ["own_task.py", "own_system.py"])
def test_examples_are_short(name):
    assert len((EXAMPLES / name).read_text().splitlines()) <= 25


def test_own_system(tmp_path, monkeypatch):
    """The function of the example, without its `@njit`: there is nothing to wait for."""
    text = (EXAMPLES / "own_system.py").read_text().replace("@njit\n", "")
    (tmp_path / "own.py").write_text(text)
    monkeypatch.chdir(tmp_path)
    done = run("sample", "--task", "own.py:problem", "--steps", "1000", "--walkers", "1")
    assert done.status == 0, done.err
    landscape = Landscape.load("runs/wells-s0/landscape.npz")
    assert landscape.grid.x.name == "energy"
    assert landscape.visits.sum() == 1000


@pytest.mark.slow
def test_results_of_the_maxent_study(tmp_path):
    """The script of docs/maxent.md, at its shortest."""
    script = [sys.executable, EXAMPLES / "maxent_results.py", "--quick", "--out", tmp_path]
    done = subprocess.run(script, capture_output=True, text=True, check=True)
    assert "| 2 | -0.440 | -0.335 | -0.194 | -0.060 | -0.007 |" in done.stdout  # c_g of the law
    assert float(re.search(r"c_g: Pearson ([\d.]+)", done.stdout)[1]) > 0.9
    assert len(list(tmp_path.glob("*.png"))) == 9


@pytest.mark.slow
@pytest.mark.parametrize("name", ["own_task.py:task", "own_system.py:problem"])
def test_examples_as_they_are(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = run("sample", "--task", EXAMPLES / name, "--quick", "--out", "run")
    assert done.status == 0, done.err
    landscape = Landscape.load("run/landscape.npz")
    curve = landscape.equilibrium_accuracy()
    if "task" in name:  # networks that fit their data generalise
        low = curve.reliable & (curve.x < -1.2)
        assert low.any()
        assert curve.value[low].min() > 0.8
    else:  # the wells are mirror images
        safe = curve.reliable & (curve.x < 20)
        assert np.abs(curve.value[safe]).max() < 0.2
        assert landscape.meta["gauge"] == "box"
