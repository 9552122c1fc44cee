"""`import wlnn` and `wlnn --help` are quick and load nothing heavy; every public name exists."""

import os
import subprocess
import sys

import pytest

import wlnn

HEAVY = ("numpy", "numba", "scipy", "matplotlib", "cupy")


def child(code):
    """Seconds of processor time and output of a fresh Python that runs ``code``."""
    before = os.times()
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    after = os.times()
    spent = (after.children_user + after.children_system) - (
        before.children_user + before.children_system
    )
    return spent, done.stdout


def loaded(code):
    """Those of the heavy libraries that are loaded after ``code``."""
    report = f"\nimport sys\nprint([name for name in {HEAVY} if name in sys.modules])"
    return child(code + report)[1].splitlines()[-1]


def test_importing_the_package_loads_nothing_heavy():
    assert loaded("import wlnn; dir(wlnn)") == "[]"


@pytest.mark.parametrize("command", ["", "sample", "train", "advantage", "verify", "maxent"])
def test_help_is_quick_and_loads_nothing_heavy(command):
    arguments = [*[command] * bool(command), "--help"]
    code = f"""
from wlnn.cli.main import main
try:
    main({arguments})
except SystemExit as end:
    assert not end.code
"""
    assert loaded(code) == "[]"
    assert child(code)[0] < 0.4


def test_every_public_name_exists():
    assert set(wlnn.__all__) == set(dir(wlnn))
    for name in wlnn.__all__:
        assert getattr(wlnn, name)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = wlnn.nothing


def test_the_module_runs_as_a_command():
    done = subprocess.run(
        [sys.executable, "-m", "wlnn", "--version"], capture_output=True, text=True, check=True
    )
    assert wlnn.__version__ in done.stdout


def test_short_names_of_exact_cases_are_names_of_cases():
    from wlnn.reference import CASES, LABELS

    known = {case.name for case in CASES}
    assert all(name in known for names in LABELS.values() for name in names)
    assert {f"R{k}" for k in range(1, 18)} | {"E", "F", "G"} == set(LABELS)
