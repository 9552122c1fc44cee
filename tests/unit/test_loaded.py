"""What a task's file imports and reads beside itself belongs to the run."""

import sys
import textwrap

import pytest
from command_line import BALL, SHORT, run

from wlnn.base import store
from wlnn.tasks.loaded import loaded_files
from wlnn.tasks.own import task_from_file

HELPED = BALL.replace("import numpy", "import helper_of_ball\nimport numpy").replace(
    "return float(theta @ theta)", "return helper_of_ball.squares(theta)"
)
HELPER = """
from package_of_ball import deep

shift = float(open(__file__.replace("helper_of_ball.py", "numbers.txt")).read())


def squares(theta):
    return deep.squares(theta) + shift
"""
DEEP = "from .deeper import one\n\n\ndef squares(theta):\n    return one * float(theta @ theta)\n"
SAMPLE = ("sample", "--task", "ball.py:problem", *SHORT, "--out", "run")
FILES = ("helper_of_ball.py", "numbers.txt", "package_of_ball/deep.py", "package_of_ball/deeper.py")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder with ball.py, a module and a package that it uses, and a file that is read."""
    forget()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    (tmp_path / "package_of_ball").mkdir()
    for name, text in (
        ("ball.py", HELPED),
        ("helper_of_ball.py", HELPER),
        ("numbers.txt", "0.0"),
        ("unused.txt", "0.0"),
        ("package_of_ball/__init__.py", ""),
        ("package_of_ball/deep.py", DEEP),
        ("package_of_ball/deeper.py", "one = 1.0\n"),
    ):
        (tmp_path / name).write_text(textwrap.dedent(text))
    yield tmp_path
    forget()


def forget():
    """As in a new process."""
    for name in [name for name in sys.modules if "_of_ball" in name]:
        del sys.modules[name]


def test_all_files_that_a_task_is_made_of_are_found(here):
    for _ in range(2):  # modules are run once in a process
        task_from_file(str(here / "ball.py:problem"))
        found = loaded_files(here / "ball.py")
        assert list(found) == sorted([*FILES, "package_of_ball/__init__.py"])
        assert found["numbers.txt"] == here / "numbers.txt"


@pytest.mark.parametrize("name", FILES)
def test_a_run_is_not_gone_on_with_when_one_of_them_has_changed(here, name):
    assert run(*SAMPLE).status == 0
    recorded = store.read_run("run")["identity"]["problem"]["files"]
    assert set(recorded) == {"file", "package_of_ball/__init__.py", *FILES}
    (here / "run/landscape.npz").unlink()
    before = (here / name).read_text()
    (here / name).write_text(before.replace("0.0", "0.5") + "\n")
    forget()
    for command in (("resume", "run"), ("info", "run")):
        refused = run(*command)
        assert refused.status == 2
        assert f"{name}: has changed since the run in run began" in refused.err
    forget()
    refused = run(*SAMPLE)
    assert refused.status == 2
    assert f"problem.files.{name} is" in refused.err
    (here / name).write_text(before)
    forget()
    assert run("resume", "run").status == 0


def test_a_file_that_is_read_later_for_the_first_time_is_no_obstacle(here):
    assert run(*SAMPLE).status == 0
    (here / "run/landscape.npz").unlink()
    contents = store.read_run("run")
    del contents["identity"]["problem"]["files"]["numbers.txt"]
    store._write_run(here / "run/run.json", contents)
    for path in (here / "run").glob("walker*.npz"):
        arrays, meta = store.load(path)
        del meta["identity"]["problem"]["files"]["numbers.txt"]
        store.save(path, arrays, meta)
    assert run("resume", "run").status == 0
