"""Every mistake ends in one sentence that names it, exit status 2, and nothing changed on disk."""

import json
import os
import shutil
import subprocess
from contextlib import contextmanager

import numpy as np
import pytest
from command_line import AVERAGE, BALL, NETWORK, SHORT, contents, run

from wlnn.base import store

BALL_RUN = ("sample", "--task", "ball.py:problem", *SHORT)
CSV = ("--train", "train.csv", "--test", "test.csv", "--target", "label")
GOOD = "a,b,label\n1,2,0\n2,1,1\n3,0,0\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the ball, made once and copied for each test."""
    folder = tmp_path_factory.mktemp("finished")
    before = os.getcwd()
    os.chdir(folder)
    (folder / "ball.py").write_text(BALL)
    assert run(*BALL_RUN, *AVERAGE, "--keep-networks", "--out", "done").status == 0
    os.chdir(before)
    return folder


@pytest.fixture(autouse=True)
def here(finished, tmp_path, monkeypatch):
    """Good files to spoil: ball.py, train.csv, test.csv, the finished run "done"."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(finished, tmp_path, dirs_exist_ok=True)
    stored = tmp_path / "done/run.json"  # holds the path of ball.py
    stored.write_text(stored.read_text().replace(str(finished), str(tmp_path)))
    for name in ("train", "test"):
        (tmp_path / f"{name}.csv").write_text(GOOD)
    return tmp_path


def refused(named, *arguments):
    """Run and check: status 2, one sentence that holds ``named``, and every file as it was."""
    before = contents(".")
    result = run(*arguments)
    assert result.status == 2, (result.status, result.out, result.err)
    lines = result.err.splitlines()
    assert lines[-1].startswith("wlnn: "), result.err
    assert named in lines[-1]
    assert lines[-1][-1] in ".?"
    assert len(lines) <= 3  # what it was about to do may be said before
    assert "Traceback" not in result.err
    after = contents(".")
    assert {path: digest for path, digest in after.items() if path in before} == before
    return [path for path in after if path not in before]


OPTIONS = {
    "unknown command": ("'sampel'", ["sampel"]),
    "near command": ("Did you mean 'sample'?", ["smaple"]),
    "no near option": ("No such option '--yaml'; see", ["sample", "--yaml"]),
    "an option of others": ("Did you mean '--device'? See", ["sample", "--gpu"]),
    "the record of a run": ("give the run's directory, done.", ["info", "done/run.json"]),
    "near option": ("'--walkers'", ["sample", "--walker", "3"]),
    "unknown option": ("--walker", ["sample", "--walker", "3"]),
    "unknown task": ("'spirals'", ["sample", "--task", "spirals"]),
    "unknown activation": ("'softplus'", ["sample", "--activation", "softplus"]),
    "unknown schedule": ("'fast'", ["sample", "--schedule", "fast"]),
    "unknown step rule": ("--step-rule", ["sample", "--step-rule", "none"]),
    "unknown precision": ("'float16'", ["sample", "--precision", "float16"]),
    "unknown sampler": ("--sampler", ["sample", "--sampler", "hmc"]),
    "unknown table": ("'imagenet'", ["tasks", "imagenet"]),
    "three logits": ("--logits must be one of", ["sample", "--logits", "3"]),
    "zero walkers": ("--walkers must be", [*BALL_RUN, "--walkers", "0"]),
    "half a walker": ("--walkers must be", [*BALL_RUN, "--walkers", "1.5"]),
    "zero steps": ("--steps must be", [*BALL_RUN, "--steps", "0"]),
    "steps without end": ("--steps must be 1e+15", [*BALL_RUN, "--steps", "1e30"]),
    "points without end": ("--points must be 1e+06", ["sample", "--points", "1e9"]),
    "a giant": ("parameters", ["sample", "--layers", "64", "--width", "4096"]),
    "nan window": ("--window", ["sample", "--window", "nan,1"]),
    "no width": ("is no finite number", ["plot", "done", "--width-cm", "nan"]),
    "too wide": ("does not lie from 4 to 100", ["plot", "done", "--width-cm", "1e3"]),
    "seed in words": ("'abc' is no finite number; write 7", [*BALL_RUN, "--seed", "abc"]),
    "backwards rates": ("write 0.1,1", ["tune", "--rate-range", "1,0.1"]),
    "no friction twice": ("--newtonian", ["md", "--newtonian", "--friction", "0.1"]),
    "huge scale": ("1e+06", ["maxent", "solve", "--weight-scale", "1e300"]),
    "huge box": ("box = 1e+300", ["maxent", "landscape", "--box", "1e300"]),
    "steps no number": ("--steps", [*BALL_RUN, "--steps", "many"]),
    "infinite steps": ("'inf' is no finite number", [*BALL_RUN, "--steps", "inf"]),
    "negative width": ("--width must be 1", ["sample", "--width", "-3"]),
    "negative seed": ("--seed must be 0", [*BALL_RUN, "--seed", "-1"]),
    "zero threads": ("--threads", [*BALL_RUN, "--threads", "0", "--out", "new"]),
    "odd points": ("even number", ["sample", "--points", "7"]),
    "data seed in words": ("--data-seed", ["sample", "--data-seed", "seven"]),
    "backwards window": ("--window 1,-5", ["sample", "--window", "1,-5"]),
    "window of one number": ("--window", ["sample", "--window", "-5"]),
    "window of no bin": ("--window and grid.x_width", ["sample", "--window", "-1,-0.99"]),
    "unknown section": ("'wlcm'", [*BALL_RUN, "--set", "wlcm.steps=1"]),
    "unknown key": ("wlmc.step_size", [*BALL_RUN, "--set", "wlmc.step_size=1"]),
    "no key": ("'steps=1e7'", [*BALL_RUN, "--set", "steps=1e7"]),
    "wrong value of a key": ("grid.x_width", ["sample", "--set", "grid.x_width=0"]),
    "more stages than steps": ("wlmc.stages", [*BALL_RUN, "--set", "wlmc.stages=1000"]),
    "task and CSV": ("--task", ["sample", "--task", "spiral-classify", *CSV]),
    "CSV without test": ("--test", ["sample", "--train", "train.csv", "--target", "label"]),
    "width of a CSV": ("--hidden", ["sample", *CSV, "--width", "4"]),
    "hidden of a spiral": ("--hidden", ["sample", "--hidden", "4"]),
    "hidden in words": ("--hidden four", ["sample", *CSV, "--hidden", "four"]),
    "window of a file": ("--window", [*BALL_RUN, "--window", "0,1"]),
    "no paper for own tasks": ("'paper'", [*BALL_RUN, "--paper"]),
    "no data": ("--data PATH", ["sample", "--task", "house-price"]),
    "no such data": ("nowhere", ["sample", "--task", "polymer", "--data", "nowhere"]),
    "data of another task": ("train.csv", ["sample", "--task", "cifar", "--data", "train.csv"]),
    "data of a spiral": ("takes no file", ["sample", "--data", "train.csv"]),
    "embedding of digits": ("--embedding", ["sample", "--task", "mnist", "--embedding", "a.npy"]),
    "scale of a spiral": ("'unit'", ["sample", "--scale", "unit"]),
    "y axis of a loss": ("'logit'", ["sample", "--task", "house-price", "--y-axis", "logit"]),
    "unknown y axis": ("'log'", ["sample", "--task", "mnist", "--y-axis", "log"]),
    "data of a CSV": ("--data", ["sample", *CSV, "--data", "train.csv"]),
    "one class": ("--classes", ["sample", "--task", "cifar", "--classes", "4"]),
    "class 11": ("data.second_class", ["sample", "--task", "cifar", "--classes", "4,11"]),
    "more digits than published": ("data.points", ["sample", "--task", "mnist", "--points", "251"]),
    "survey of nothing": ("nowhere", ["data", "nowhere"]),
    "survey of no task": ("'digits'", ["data", "--task", "digits"]),
    "dynamics of a bare function": ("'ball'", [*BALL_RUN[:3], "--sampler", "wlmd"]),
    "window of molecular dynamics": (
        "grid.x_low=-4 has no effect on molecular dynamics; give wlmd.x_low",
        ["sample", "--task", "mnist", "--set", "grid.x_low=-4"],
    ),
    "outputs of a regression": (
        "--logits has no effect on task 'spiral-regress'",
        ["sample", "--task", "spiral-regress", "--logits", "1"],
    ),
    "settings of a file": (
        "--set network.width=4 has no effect on a task of your own",
        [*BALL_RUN, "--set", "network.width=4"],
    ),
    "Monte Carlo option": (
        "--schedule",
        ["sample", "--task", "spiral-regress", "--schedule", "paper"],
    ),
    "dynamics of an accuracy": ("'spiral-classify'", ["sample", "--sampler", "wlmd"]),
    "too many kept networks": (
        "keep_networks",
        ["sample", "--width", "200", "--keep-networks", "--walkers", "1", "--out", "new"],
    ),
    "no such file of a task": ("own.py", ["sample", "--task", "own.py:task"]),
    "no name in a file": ("path.py:name", ["sample", "--task", "ball.py"]),
    "unknown name in a file": ("'disc'", ["sample", "--task", "ball.py:disc"]),
    "name of something else": ("'nothing'", ["sample", "--task", "ball.py:nothing"]),
    "a run directory of another run": (
        "wlmc.seed",
        [*BALL_RUN, *AVERAGE, "--seed", "1", "--out", "done"],
    ),
    "a file as run directory": ("ball.py", [*BALL_RUN, "--out", "ball.py/run"]),
    "a name without end": ("file name too long", [*BALL_RUN, "--out", "x" * 5000]),
    "a run where none can be": ("/proc/run", [*BALL_RUN, "--out", "/proc/run"]),
    "a folder of other things": ("run.json", [*BALL_RUN, "--out", "."]),
    "resume of nothing": ("nowhere", ["resume", "nowhere"]),
    "info of nothing": ("nowhere", ["info", "nowhere"]),
    "info of a foreign file": ("train.csv", ["info", "train.csv"]),
    "info of a checkpoint": ("walker-000.npz", ["info", "done/walker-000.npz"]),
    "plot without a result": ("Missing argument", ["plot"]),
    "plot as a table": ("picture.xls", ["plot", "done", "--out", "picture.xls"]),
    "one picture of two": ("--out", ["plot", "done", "done", "--out", "a.png"]),
    "unknown unit": ("--per", ["info", "done", "--per", "acre"]),
    "networks at one number": ("--at", ["networks", "done", "--at", "1"]),
    "export into nowhere": (
        "nowhere/a.npz",
        ["networks", "done", "--at", "1,0", "--export", "nowhere/a.npz"],
    ),
    "text for a whole number": ("no whole number; write 7 or 1e6", ["verify", "--seed", "abc"]),
    "half a thread": ("no whole number", ["sample", "--threads", "2.5", "--out", "new"]),
    "many threads": ("range 1<=x<=1024", ["sample", "--threads", "1e9", "--out", "new"]),
    "an endless seed": ("more than 1e+15", ["verify", "--seed", "1" + "0" * 30]),
    "an endless count": ("more than 1e+15", ["networks", "done", "--at", "1,0", "--count", "1e30"]),
    "merge of one run twice": ("seed 0", ["merge", "done", "done", "--out", "new"]),
    "merge over a run": ("done", ["merge", "done", "--out", "done"]),
}


@pytest.mark.parametrize(("named", "arguments"), OPTIONS.values(), ids=OPTIONS)
def test_options(named, arguments):
    made = refused(named, *arguments)
    assert [path for path in made if "run.json" not in path] == []


TRAIN = {
    "missing": (None, "train.csv"),
    "empty": ("", "empty"),
    "text in a cell": ("a,b,label\n1,x,0\n2,1,1\n", "'x'"),
    "NaN": ("a,b,label\n1,nan,0\n2,1,1\n", "column 'b'"),
    "missing column": ("a,label\n1,0\n2,1\n", "'b'"),
    "missing target": ("a,b,c\n1,2,0\n2,1,1\n", "'label'"),
    "short row": ("a,b,label\n1,2\n2,1,1\n", "line 2"),
    "no header": ("1,2,0\n2,1,1\n", "header"),
    "one class only": ("a,b,label\n1,2,0\n2,1,0\n", "two classes"),
    "class that is never shown": ("a,b,label\n1,2,0\n2,1,2\n", "class 1"),
    "not text": (b"\xff\xfe\x00\x01", "train.csv"),
}


@pytest.mark.parametrize(("text", "named"), TRAIN.values(), ids=TRAIN)
def test_csv_files(here, text, named):
    path = here / "train.csv"
    if text is None:
        path.unlink()
    else:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if named == "'label'":
        (here / "test.csv").write_text(text)
    assert refused(named, "sample", *CSV, *SHORT) == []


PYTHON = {
    "no Python": ("problem = (", "line 1"),
    "an error while it runs": ("import wlnn\nproblem = wlnn.nothing\n", "line 2"),
    "a box without volume": (BALL.replace("np.ones(3), grid", "-np.ones(3), grid"), "lo < hi"),
    "a function that fails": (BALL.replace("theta @ theta", "theta.sqare()"), "sqare"),
    "a function of one number": (BALL.replace(", float(theta[0])", ""), "x and y"),
    "a function of words": (BALL.replace("float(theta[0])", "'left'"), "x and y"),
}


@pytest.mark.parametrize(("text", "named"), PYTHON.values(), ids=PYTHON)
def test_files_of_tasks(here, text, named):
    (here / "ball.py").write_text(text)
    assert refused(named, *BALL_RUN) == []


def test_a_window_that_holds_no_state(here):
    (here / "ball.py").write_text(BALL.replace('"square", 0.0, 2.5, 5', '"square", 5.0, 6.0, 5'))
    made = refused("[5, 6]", *BALL_RUN, "--out", "new")
    assert made == ["new/run.json"]
    told = run(*BALL_RUN, "--out", "new").err
    assert "square of uniform draws is 0.0" in told
    assert "(set by --window)" in told
    assert "and 10000 moves towards it" in told  # not all 100,000: the last 5000 came no nearer


def test_a_file_that_changed_since_the_run_began(here):
    (here / "done/landscape.npz").unlink()
    (here / "ball.py").write_text(BALL + "# changed\n")
    assert refused("ball.py", "resume", "done") == []
    options = (*AVERAGE, "--keep-networks", "--out", "done")
    assert refused("problem.files.file", *BALL_RUN, *options) == []


def spoil(path, change):
    """Rewrite a file of this package with ``change(arrays, meta)`` applied."""
    arrays, meta = store.load(path)
    change(arrays, meta)
    store.save(path, arrays, meta)


def cut(path):
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])


CHECKPOINTS = {
    "truncated": (cut, "cut short"),
    "no archive": (lambda path: path.write_text("nothing"), "no file of wlnn"),
    "foreign archive": (lambda path: np.savez(path, a=np.ones(3)), "no file of wlnn"),
    "pickled": (lambda path: np.savez(path, a=np.array([{}])), "no file of wlnn"),
    "of a later version": (lambda path: later(path), "later version"),
    "wrong number of parameters": (
        lambda path: spoil(path, lambda arrays, _: arrays.update(theta=np.zeros(5))),
        "5 parameters",
    ),
    "wrong grid": (
        lambda path: spoil(path, lambda arrays, _: arrays.update(entropy=np.zeros((3, 3)))),
        "(3, 3)",
    ),
    "an array is missing": (
        lambda path: spoil(path, lambda arrays, _: arrays.pop("visits")),
        "'visits'",
    ),
    "of another walker": (
        lambda path: shutil.copy(path.with_name("walker-001.npz"), path),
        "another run or walker",
    ),
    "of another seed": (
        lambda path: spoil(path, lambda _, meta: meta["identity"]["wlmc"].update(seed=7)),
        "another run or walker",
    ),
    "of a task that gives other values": (
        lambda path: spoil(path, lambda _, meta: meta["walkers"][0].update(point=[-0.5, 0.0])),
        "the task's data, code or libraries have changed",
    ),
    "no checkpoint": (
        lambda path: shutil.copy(path.with_name("other.npz"), path),
        "is not the checkpoint of a walker",
    ),
}


def later(path):
    """A whole file of format 99."""
    header = json.dumps({"format": 99, "meta": {}}).encode()
    np.savez(path, wlnn_meta=np.frombuffer(header, np.uint8))


@pytest.mark.parametrize(("damage", "named"), CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoints(here, damage, named):
    os.rename(here / "done/landscape.npz", here / "done/other.npz")
    damage(here / "done/walker-000.npz")
    for command in (["resume", "done"], ["info", "done"]):
        assert refused(named, *command) == []


def test_results_and_run_files(here):
    shutil.copytree("done", "old")
    cut(here / "old/landscape.npz")
    assert refused("old/landscape.npz", "info", "old") == []
    assert refused("old/landscape.npz", "resume", "old") == []
    (here / "old/run.json").write_text("{")
    assert refused("run.json", "resume", "old") == []
    stored = json.loads((here / "done/run.json").read_text())
    del stored["recipe"]
    (here / "old/run.json").write_text(json.dumps(stored))
    assert refused("not made by 'wlnn sample'", "resume", "old") == []


def test_results_that_do_not_belong_together(monkeypatch):
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])
    short = ("--walkers", "1", "--steps", "30", *NETWORK)
    for name, options in {"a": (), "b": ("--data-seed", "1"), "c": ("--window", "-3,1")}.items():
        made = run("sample", *short, *options, "--seed", str(ord(name)), "--out", name)
        assert made.status == 0, made.err
    assert refused("b: samples another problem", "merge", "a", "b") == []
    assert refused("shares fewer than 2 rows", "merge", "a", "c") == []
    assert refused("--keep-networks", "networks", "a", "--at", "0,0.5") == []


@contextmanager
def read_only(folder):
    """A folder in which nothing can be written, by root neither: there it is a read-only mount."""
    folder.mkdir()
    root = os.geteuid() == 0
    if root:
        mount = ["mount", "-t", "tmpfs", "-o", "ro,size=64k", "tmpfs", str(folder)]
        if shutil.which("mount") is None or subprocess.run(mount, capture_output=True).returncode:
            pytest.skip("root may write everywhere, and nothing may be mounted here")
    else:
        folder.chmod(0o555)
    try:
        yield
    finally:
        if root:
            subprocess.run(["umount", str(folder)], check=True)
        else:
            folder.chmod(0o755)


def test_a_read_only_directory(here):
    with read_only(here / "locked"):
        assert refused("locked", *BALL_RUN, "--out", "locked/new") == []
        assert refused("picture.png", "plot", "done", "--out", "locked/picture.png") == []


def test_a_function_that_fails_on_the_way(here):
    late = BALL.replace("return float", "if next(calls) > 1500:\n        1 / 0\n    return float")
    late = late.replace("import numpy", "import itertools\ncalls = itertools.count()\nimport numpy")
    (here / "ball.py").write_text(late)
    made = refused("ZeroDivisionError", *BALL_RUN, "--out", "new")
    assert "new/run.json" in made
