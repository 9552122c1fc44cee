"""Machine code on disk: kept while the text of the package is the same, and never older than it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import wlnn
import wlnn.reference

# Prints what 100 random networks make of the table of bins, and whether the loop over the steps of
# image networks was read from disk.
DRAWS = """
import numpy as np
from wlnn.backend.binning import binning
from wlnn.tasks.catalogue import load_task
from wlnn.wlmc.driver import draws_for

problem = load_task("context-select")
system, histogram = problem.system("float64"), np.zeros(problem.grid.shape, np.int64)
draws, rng = draws_for(system), np.arange(1, 5).astype(np.uint64)
draws(system, problem.lo, problem.hi, binning(problem.grid), 100, rng, histogram)
print(*histogram.nonzero()[0], *histogram[histogram > 0])
"""
IMAGES = """
from wlnn.networks.compiled.image_loops import compiled_run

print(compiled_run().cache_hits)
"""


@pytest.fixture
def package(tmp_path):
    """A copy of the package that an edit does not spoil."""
    copy = tmp_path / "package"
    ignore = shutil.ignore_patterns("__pycache__", "reference")
    shutil.copytree(Path(wlnn.__file__).parent, copy / "wlnn", ignore=ignore)
    cases = Path(wlnn.reference.__file__).parent
    shutil.copytree(
        cases, copy / "wlnn" / "reference", ignore=shutil.ignore_patterns("__pycache__")
    )
    return copy


def run(package, script) -> str:
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, cwd=package,
        env={**os.environ, "PYTHONPATH": str(package), "NUMBA_CACHE_DIR": str(package / "cache")},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def edit(package, file, old, new):
    path = package / "wlnn" / file
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def indices(package) -> dict[Path, int]:
    """When each index of kept machine code was written."""
    return {path: path.stat().st_mtime_ns for path in (package / "cache").rglob("*.nbi")}


def test_an_edit_in_any_file_reaches_the_compiled_loop_and_no_edit_keeps_it(package):
    first = run(package, DRAWS)
    kept = indices(package)
    assert kept
    assert run(package, DRAWS) == first
    assert run(package, DRAWS) == first
    assert indices(package) == kept
    file = "networks/compiled/context_units.py"
    edit(package, file, "return total / K", "return 0.5 * total / K")
    assert run(package, DRAWS) != first


@pytest.mark.slow
def test_the_steps_of_images_are_made_anew_after_an_edit_of_another_file(package):
    assert run(package, IMAGES) == "0\n"
    assert run(package, IMAGES) == "1\n"
    edit(package, "networks/compiled/conv_loops.py", "def put(", "# a remark\ndef put(")
    assert run(package, IMAGES) == "0\n"
