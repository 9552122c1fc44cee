"""Reading commands on runs without a landscape, and on a run.json that is none."""

import json

import pytest
from command_line import BALL, SHORT, run

from wlnn.runs.find import READ_BY

TASK = ("--task", "spiral-classify", "--layers", "1", "--width", "2", "--points", "8")


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder with short runs of `wlnn md`, `train`, `tune` and `sample`."""
    folder = tmp_path_factory.mktemp("runs")
    moves = ("--steps", "400", "--set", "md.record=20", "--walkers", "2", "--temperature", "0.1")
    short = ("--epochs", "5", "--runs", "2", "--processes", "1")
    assert run("md", *TASK, *moves, "--threads", "1", "--out", folder / "md").status == 0
    assert run("train", *TASK, *short, "--out", folder / "train").status == 0
    grid = ("--rates", "2", "--set", "tune.batch_high=4", "--set", "tune.batch_low=4")
    assert run("tune", *TASK, *short, *grid, "--out", folder / "tune").status == 0
    (folder / "ball.py").write_text(BALL)
    task = f"{folder}/ball.py:problem"
    assert run("sample", "--task", task, *SHORT, "--out", folder / "ball").status == 0
    return folder


@pytest.mark.parametrize("kind", ["md", "train", "tune"])
@pytest.mark.parametrize(
    "command", [("plot",), ("canonical",), ("networks", "--at", "-1,0.5"), ("merge",)], ids=str
)
def test_a_run_without_a_landscape_says_who_reads_it(runs, kind, command):
    result = run(command[0], runs / kind, *command[1:])
    assert result.status == 2
    assert f"is a run of 'wlnn {kind}' and has no landscape; read it with" in result.err
    assert READ_BY[kind] in result.err


@pytest.mark.parametrize(
    ("kind", "words"), [("md", "kinetic T / T"), ("train", "trainings"), ("tune", "rate")]
)
def test_info_shows_it(runs, kind, words):
    result = run("info", runs / kind)
    assert result.status == 0, result.err
    assert words in result.out


@pytest.mark.parametrize("kind", ["md", "tune", "seek"])
def test_info_of_a_run_that_saved_nothing_says_so(runs, tmp_path, kind):
    contents = json.loads((runs / "md/run.json").read_text())
    contents["identity"]["sampler"] = kind
    (tmp_path / "run.json").write_text(json.dumps(contents))
    result = run("info", tmp_path)
    if kind == "seek":
        assert "none saved yet" in result.out
    else:
        assert result.status == 2
        assert "go on with wlnn resume" in result.err


EDITS = {
    "a number for the recipe": (("recipe",), 3),
    "a list for the source": (("recipe", "source"), []),
    "a number for a file": (("recipe", "source", "file"), 7),
    "no settings": (("recipe", "settings"), None),
    "a number for a section": (("recipe", "settings", "wlmc"), 5),
    "a list for the sampler": (("recipe", "sampler"), ["wlmc"]),
    "no preset": (("recipe", "preset"), {}),
    "a number for the problem": (("identity", "problem"), 4),
    "a list for the files": (("identity", "problem", "files"), []),
    "a number for the identity": (("identity",), 3),
    "a text for the format": (("format",), "1"),
}


@pytest.mark.parametrize(("path", "value"), EDITS.values(), ids=EDITS)
def test_an_edited_run_json_is_one_sentence(runs, tmp_path, path, value):
    contents = json.loads((runs / "ball/run.json").read_text())
    place = contents
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    (tmp_path / "run.json").write_text(json.dumps(contents))
    for command in ("resume", "info"):
        result = run(command, tmp_path)
        assert result.status == 2
        assert result.err.startswith(f"wlnn: {tmp_path}/run.json: ")


def test_a_nest_of_brackets_is_no_run_json(tmp_path):
    (tmp_path / "run.json").write_text("[" * 100_000 + "]" * 100_000)
    result = run("info", tmp_path)
    assert result.status == 2
    assert "no run.json of wlnn, or a damaged one" in result.err
