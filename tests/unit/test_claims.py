"""One job at a time in a run directory, whatever became of the job before it."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
from command_line import BALL, SHORT, run

from wlnn.base import claims, store
from wlnn.base.errors import UserError

HOLD = """
import sys, time
from wlnn.base.claims import claimed
with claimed(sys.argv[1]):
    print("claimed", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def other(tmp_path):
    """Another process that works in tmp_path/run."""
    command = [sys.executable, "-c", HOLD, str(tmp_path / "run")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "claimed\n"
    yield process
    process.kill()
    process.wait()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


def test_a_claim_is_given_back_and_leaves_nothing(tmp_path):
    with claims.claimed(tmp_path):
        assert names(tmp_path) == [claims.NAME]
        with claims.claimed(tmp_path):  # again by the same thread
            pass
        assert names(tmp_path) == [claims.NAME]
    assert names(tmp_path) == []
    with pytest.raises(ZeroDivisionError), claims.claimed(tmp_path / "new"):
        raise ZeroDivisionError
    assert names(tmp_path) == []  # nor an empty folder


def test_a_second_job_is_told_who_works_there(tmp_path, other):
    with (
        pytest.raises(UserError, match=rf"run: is being worked on by process {other.pid} on "),
        claims.claimed(tmp_path / "run"),
    ):
        pass
    assert names(tmp_path / "run") == [claims.NAME]


def test_a_job_that_was_killed_leaves_no_obstacle(tmp_path, other):
    other.send_signal(signal.SIGKILL)
    other.wait()
    assert names(tmp_path / "run") == [claims.NAME]
    (tmp_path / "run/.landscape.npz.abc.part").touch()
    with claims.claimed(tmp_path / "run"):
        assert names(tmp_path / "run") == [claims.NAME]  # and the half-written file is gone
    assert names(tmp_path / "run") == []


def test_another_process_of_the_same_number_is_not_the_same(tmp_path):
    with claims.claimed(tmp_path):
        ours = json.loads((tmp_path / claims.NAME).read_text())
    (tmp_path / claims.NAME).write_text(json.dumps({**ours, "began": "1"}))
    with claims.claimed(tmp_path):
        pass


def test_a_claim_of_another_machine_is_stale_when_it_is_not_renewed(tmp_path):
    path = tmp_path / claims.NAME
    path.write_text(json.dumps({"host": "elsewhere x", "pid": os.getpid(), "time": "noon"}))
    with (
        pytest.raises(UserError, match=rf"process {os.getpid()} on elsewhere, since noon"),
        claims.claimed(tmp_path),
    ):
        pass
    long_ago = time.time() - claims.STALE - 60
    os.utime(path, (long_ago, long_ago))
    with claims.claimed(tmp_path):
        pass


def test_a_claim_is_renewed_while_it_is_held(tmp_path, monkeypatch):
    monkeypatch.setattr(claims, "RENEWED", 0.01)
    with claims.claimed(tmp_path):
        os.utime(tmp_path / claims.NAME, (0, 0))
        for _ in range(500):
            if (tmp_path / claims.NAME).stat().st_mtime > 0:
                break
            time.sleep(0.01)
        assert (tmp_path / claims.NAME).stat().st_mtime > 0


@pytest.mark.parametrize("text", ["", "{", "[]", '{"pid": "x"}', "[" * 5000])
def test_a_damaged_claim_is_one_of_a_job_without_a_name(tmp_path, text):
    (tmp_path / claims.NAME).write_text(text)
    with (
        pytest.raises(UserError, match=r"a job that left no name; .* delete .*\.claim\.json"),
        claims.claimed(tmp_path),
    ):
        pass


RACE = """
import pathlib, sys, time
from wlnn.base.claims import claimed
from wlnn.base.errors import UserError
folder = pathlib.Path(sys.argv[1])
print("ready", flush=True)
sys.stdin.readline()
try:
    with claimed(folder):
        print("claimed", flush=True)
        sys.stdin.readline()
except UserError:
    print("refused", flush=True)
"""


def test_of_many_that_find_a_stale_claim_one_gets_it(tmp_path):
    for _ in range(3):
        gone = {"host": claims._host(), "pid": 2**30, "began": "1"}
        (tmp_path / claims.NAME).write_text(json.dumps(gone))
        jobs = [
            subprocess.Popen(
                [sys.executable, "-c", RACE, str(tmp_path)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(5)
        ]
        for job in jobs:
            assert job.stdout.readline() == "ready\n"
        for job in jobs:
            job.stdin.write("\n")
            job.stdin.flush()
        said = sorted(job.stdout.readline() for job in jobs)
        assert said == ["claimed\n", *["refused\n"] * 4]
        for job in jobs:
            job.communicate("\n")
        assert names(tmp_path) == []


def test_a_folder_that_cannot_be_written_is_left_to_the_run(tmp_path):
    (tmp_path / "file").touch()
    with claims.claimed(tmp_path / "file"):
        pass
    assert (tmp_path / "file").is_file()


def test_two_jobs_of_the_command_line_do_not_meet(tmp_path, monkeypatch, other):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball.py").write_text(BALL)
    sample = ("sample", "--task", "ball.py:problem", *SHORT, "--out", "run")
    result = run(*sample)
    assert result.status == 2
    assert "is being worked on by process" in result.err
    other.kill()
    other.wait()
    assert run(*sample).status == 0
    assert claims.NAME not in names(tmp_path / "run")


# --- versions ---


def test_a_run_keeps_the_versions_that_entered_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball.py").write_text(BALL)
    assert run("sample", "--task", "ball.py:problem", *SHORT, "--out", "run").status == 0
    assert "several versions" not in run("info", "run").out
    now = store.versions()
    monkeypatch.setattr(store, "versions", lambda: {**now, "numpy": "9.9"})
    for _ in range(2):
        assert run("resume", "run").status == 0
    assert store.versions_of(store.read_run("run")) == [now, {**now, "numpy": "9.9"}]
    said = run("info", "run").out
    assert "entered with several versions" in said
    assert "numpy 9.9" in said
    old = store.read_run("run")  # of when only the first was kept
    store.change_notes("run", {"versions": old["versions"][0]})
    assert run("resume", "run").status == 0
    assert store.versions_of(store.read_run("run")) == [now, {**now, "numpy": "9.9"}]
