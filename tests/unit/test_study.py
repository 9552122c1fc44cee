"""Studies: what a file stands for, and runs of one folder shared by several jobs."""

import json
import threading
from pathlib import Path

import numpy as np
import pytest
from command_line import BALL, run

from wlnn.base.claims import claimed
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.runs.recipe import make_recipe
from wlnn.runs.status import noted, states
from wlnn.runs.study import options_of, read_study, values_of
from wlnn.tasks.catalogue import TASKS

STUDY = """
task = "own.py:problem"
seed = "0..2"
walkers = 2
steps = 400

[wlmc]
stages = 4
step_width = [0.5, 0.25]
"""


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("own.py").write_text(BALL)
    Path("study.toml").write_text(STUDY)
    return tmp_path


def study(text, path="study.toml"):
    Path(path).write_text(text)
    return read_study(path)


def recipe_printed(name, preset, tmp_path):
    """The recipe of what `wlnn tasks` prints."""
    path = tmp_path / f"{name}.toml"
    path.write_text(run("tasks", name).out)
    (planned,) = read_study(path).planned({"preset": preset} if preset else {})
    values = values_of(planned.table, preset or "default", {})
    return make_recipe({"task": options_of(planned)["task"]}, preset or "default", None, values)


@pytest.mark.parametrize("name", TASKS)
def test_what_tasks_prints_is_a_study_of_the_same_run(name, tmp_path):
    for preset in (None, "quick"):
        wanted = make_recipe({"task": name}, preset or "default").to_dict()
        found = recipe_printed(name, preset, tmp_path).to_dict()
        for settings in (wanted["settings"], found["settings"]):
            settings.pop("train")  # a block for each width, which no landscape reads
        assert found == wanted


def test_lists_and_ranges_are_multiplied_out(here):
    made = study(
        'task = "spiral-classify"\nwidth = [10, 20]\nseed = "0..1"\ndata_seed = 3\n'
        '[data]\nseed = [7]\n[preset.quick]\nwlmc.steps = [1e6, 2e6]\n[options]\nscale = "unit"\n'
    )
    runs = made.planned()
    assert runs[0].name == "width-10-seed-0-data.seed-7-steps-1e+06"
    assert len(runs) == 8
    assert len({one.name for one in runs}) == 8
    assert runs[0].options == {
        "task": "spiral-classify", "width": 10, "seed": 0, "data_seed": 3, "scale": "unit",
    }  # fmt: skip
    assert options_of(runs[0])["data_seed"] == "3"
    assert runs[1].table["preset"]["quick"]["wlmc"]["steps"] == 2e6
    assert runs[-1].options["width"] == 20
    assert [one.options["seed"] for one in made.planned({"seed": 5})] == [5] * 4


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a = ", "is no TOML"),
        ('tsk = "mnist"', "there is no option 'tsk'; did you mean 'task'"),
        ("[wlmk]\nsteps = 1", "there is no section 'wlmk'; did you mean"),
        ("[wlmc]\nstep = 1", "there is no wlmc.step; did you mean"),
        ("[wlmc]\nsteps = 0", "wlmc.steps must be 1 or more"),
        ("seed = []", "a list holds values"),
        ("seed = [1, 1]", "seed has a value twice"),
        ('seed = "5..2"', "holds nothing"),
        ('seed = "0..999999"', "too many runs"),
        ('seed = "0..999"\ndata_seed = "0..999"', "stands for 1,000,000 runs"),
        ("[preset.quick]\nwlmc.stepz = 1", "there is no wlmc.stepz"),
        ("[[train]]\nrate = 1", "there is no train.rate"),
    ],
)
def test_a_wrong_study_is_told(text, sentence, here):
    with pytest.raises(UserError, match=sentence):
        study(text).planned()


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        ("seed = [1, 2]", (), "says no task"),
        ('task = "none"', (), "there is no task 'none'"),
        ('task = "spiral-classify"\n[wlmd]\ndt = 1e-3', (), "wlmd.dt has no effect on its runs"),
        ('task = "mnist"\n[network]\nlayers = 2', (), "network.layers has no effect on its runs"),
        ('task = "mnist"\nlogits = 1', (), "--logits has no effect"),
        ('task = "spiral-classify"\nseed = [1, "a"]', (), "seed must be a whole number"),
        ('task = "spiral-classify"', ("--array", "0/2"), "holds a single run"),
        ('task = "spiral-classify"\nseed = [1, 2]', ("--array", "2/2"), "write I/N with I from 0"),
        ('task = "spiral-classify"\n[wlmc]\nseed = [1, 2]', ("--seed", "3"), "are the same"),
    ],
)
def test_a_study_that_contradicts_itself_begins_nothing(text, words, sentence, here):
    Path("study.toml").write_text(text)
    found = run("sample", "--config", "study.toml", *words)
    assert (found.status, found.out) == (2, "")
    assert sentence in found.err
    assert not Path("runs").exists()


def test_the_options_of_a_study_need_one():
    assert "--array needs --config" in run("sample", "--array", "0/2").err
    assert "--dry-run needs --config" in run("sample", "--dry-run").err


def test_what_a_study_costs_is_listed(here, monkeypatch):
    monkeypatch.setattr("wlnn.runs.pace.estimate", lambda *_: 1800.0)
    listed = run("sample", "--config", "study.toml", "--dry-run")
    assert listed.status == 0, listed.err
    assert listed.out.splitlines()[0].split()[1:] == ["waiting", "0.5", "core-hours"]
    assert listed.out.splitlines()[-1] == "6 runs, 6 to do: 3 core-hours"
    assert not Path("runs").exists()


def test_jobs_share_a_folder(here):
    first = run("sample", "--config", "study.toml", "--array", "0/2", "--threads", "1")
    assert first.status == 0, first.err
    assert "of 3 runs 3 done now" in first.err
    folder = Path("runs/study")
    told = run("status", folder).out.splitlines()
    assert told[0].split()[:4] == ["seed-0-step_width-0.5", "finished", "100", "%"]
    assert told[1].split()[:2] == ["seed-0-step_width-0.25", "waiting"]
    assert told[-1] == "6 runs: 3 finished, 3 waiting"

    begun, ended = threading.Event(), threading.Event()

    def other_job():
        with claimed(folder / "seed-1-step_width-0.25"):
            begun.set()
            ended.wait(60)

    other = threading.Thread(target=other_job)
    other.start()
    begun.wait()
    assert "running" in run("status", folder).out
    second = run("sample", "--config", "study.toml", "--threads", "1")
    ended.set()
    other.join()
    assert second.status == 0, second.err
    assert "2 done now, 3 before, 1 in the hands of another job" in second.err
    third = run("sample", "--config", "study.toml", "--threads", "1")
    assert "1 done now, 5 before" in third.err
    values = {"wlmc": {"walkers": 2, "steps": 400, "stages": 4, "step_width": 0.25, "seed": 2}}
    recipe = make_recipe({"file": "own.py:problem"}, values=values)
    alone = recipe.sample(recipe.problem(recipe.task()), Path("one"), 1, None)
    shared = Landscape.load(folder / "seed-2-step_width-0.25" / "landscape.npz")
    np.testing.assert_array_equal(shared.entropies, alone.entropies)


def test_a_run_that_fails_does_not_stop_the_others(here):
    strange = Path("runs/study/seed-1-step_width-0.5")
    strange.mkdir(parents=True)
    (strange / "letter.txt").touch()
    found = run("sample", "--config", "study.toml", "--threads", "1")
    assert found.status == 2
    assert "seed-1-step_width-0.5: runs/study/seed-1-step_width-0.5: holds files" in found.err
    assert "of 6 runs 5 done now" in found.err
    assert "1 of 6 runs failed: seed-1-step_width-0.5." in found.err


def test_a_folder_of_another_study_is_not_taken_for_this_one(here):
    assert run("sample", "--config", "study.toml", "--threads", "1").status == 0
    Path("study.toml").write_text(STUDY.replace("steps = 400", "steps = 800"))
    found = run("sample", "--config", "study.toml", "--threads", "1")
    assert found.status == 2
    assert "belongs to another run: wlmc.steps is 400 there and 800 here" in found.err
    assert "6 of 6 runs failed" in found.err


def test_states_of_runs(tmp_path):
    from wlnn.base import store
    from wlnn.base.running import Report

    with pytest.raises(UserError, match="no such folder"):
        states(tmp_path / "none")
    with pytest.raises(UserError, match="holds no runs"):
        states(tmp_path)
    for name, sampler in (("a", "wlmc"), ("b", "train"), ("c", "wlmc")):
        store.open_run(tmp_path / name, {"task": "t", "sampler": sampler})
        noted(tmp_path / name, lambda _: None)(Report(0.25, 60.0))
    meta = {"finished": True, "verdict": {"word": "publishable"}}
    store.save(tmp_path / "a" / "landscape.npz", {}, {"kind": "landscape", "meta": meta})
    (tmp_path / "c" / "landscape.npz").write_bytes(b"PK")
    with claimed(tmp_path / "b"):
        told = {one.name: one for one in states(tmp_path)}
    assert (told["a"].state, told["a"].words) == ("finished", "publishable")
    assert (told["b"].state, told["b"].part) == ("running", 0.25)
    assert 50 < told["b"].seconds_left <= 60
    assert told["c"].state == "damaged"
    assert {one.name: one.state for one in states(tmp_path)}["b"] == "cut"
    assert json.loads((tmp_path / "b" / ".progress.json").read_text())["part"] == 0.25
