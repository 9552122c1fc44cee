"""`wlnn.run`: one door to every sampler, with the results of the functions behind it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import wlnn

SHORT = {"steps": 1000, "stages": 8, "walkers": 2, "step_width": 0.5, "anchor_draws": 0}


def squares(theta):
    """x = |theta|^2, y = the first coordinate; plain Python, so nothing is compiled."""
    return float(theta @ theta), float(theta[0])


@pytest.fixture(scope="module")
def ball():
    grid = wlnn.Grid(wlnn.Axis("square", 0.0, 2.5, 5), wlnn.Axis("first", -1.0, 1.5, 5))
    return wlnn.Problem("ball", -np.ones(3), np.ones(3), grid, squares)


def test_it_gives_the_bits_of_the_sampler(ball):
    found = wlnn.run(ball, progress=False, seed=3, **SHORT)
    settings = wlnn.read_table("own", overrides=[f"wlmc.{k}={v}" for k, v in SHORT.items()])
    settings = settings.with_values({"wlmc": {"seed": 3}})
    expected = wlnn.sample(ball, settings.wlmc)
    np.testing.assert_array_equal(found.entropies, expected.entropies)
    assert found.settings == expected.settings
    again = wlnn.run(ball, progress=False, threads=2, set={"wlmc.seed": 3}, **SHORT)
    np.testing.assert_array_equal(found.entropies, again.entropies)


def test_a_directory_goes_on_and_reports_are_handed_over(ball, tmp_path):
    said = []
    first = wlnn.run(ball, directory=tmp_path / "r", progress=said.append, **SHORT)
    assert any(report.line for report in said)
    assert "recipe" not in json.loads((tmp_path / "r" / "run.json").read_text())
    second = wlnn.run(ball, directory=tmp_path / "r", progress=False, **SHORT)
    np.testing.assert_array_equal(first.entropies, second.entropies)
    with pytest.raises(wlnn.UserError, match=r"belongs to another run: wlmc.seed is 0 there"):
        wlnn.run(ball, directory=tmp_path / "r", progress=False, seed=1, **SHORT)


def test_a_file_and_the_usual_directory(tmp_path):
    from command_line import BALL

    (tmp_path / "ball.py").write_text(BALL)
    task = f"{tmp_path}/ball.py:problem"
    found = wlnn.run(task, directory="usual", folder=tmp_path / "runs", progress=False, **SHORT)
    [folder] = (tmp_path / "runs").iterdir()
    assert folder.name == "ball-s0"
    loaded = wlnn.Landscape.load(folder)
    np.testing.assert_array_equal(loaded.entropies, found.entropies)
    recipe = json.loads((folder / "run.json").read_text())["recipe"]
    assert recipe["settings"]["wlmc"]["steps"] == 1000


def test_trainings_motion_and_searches(tiny_task, tmp_path):
    quiet = {"progress": False, "threads": 1}
    trained = wlnn.run(tiny_task, "train", epochs=3, runs=2, **quiet)
    assert isinstance(trained, wlnn.Trained)
    assert (trained.n_runs, trained.epochs) == (2, 3)
    tuned = wlnn.run(
        tiny_task, "tune", epochs=2, rates=2, batch_low=2, batch_high=2,
        set={"tune.runs": 2}, **quiet,
    )  # fmt: skip
    assert isinstance(tuned, wlnn.Tuning)
    short = {"evaluations": 400, "stretch": 10, "replicas": 2, "high": 0.1}
    searched = wlnn.run(
        tiny_task, "seek", methods=["sgd"], directory=tmp_path / "s",
        set={"seek.runs": 2}, **short, **quiet,
    )  # fmt: skip
    assert [search.name for search in searched] == ["sgd"]
    assert (tmp_path / "s" / "sgd" / "trained.npz").exists()


@pytest.mark.parametrize(
    ("task", "options", "words"),
    [
        ("spiral-clasify", {}, "there is no task 'spiral-clasify'; did you mean 'spiral-classify'"),
        ("nothing", {}, "use one of spiral-classify, .*, or path.py:name for one of your own"),
        ("spiral-classify", {"stepps": 3}, "no setting 'stepps'; did you mean 'steps'"),
        ("spiral-classify", {"sampler": "wlcm"}, "no sampler 'wlcm'; did you mean"),
        ("spiral-classify", {"length": "fast"}, "no length 'fast'; use one of quick, default"),
        ("spiral-classify", {"steps": -1}, "wlmc.steps must be 1 or more, not -1"),
        ("spiral-classify", {"set": {"wlmc.sed": 3}}, "no wlmc.sed; did you mean 'seed'"),
        ("spiral-classify", {"set": {"seed": 3}}, "'seed' is no setting; write 'section.option'"),
        ("spiral-classify", {"set": ["wlmd.dt=1"]}, "wlmd.dt has no effect on Monte Carlo"),
        ("spiral-classify", {"units": 3}, "units=3 has no effect on task 'spiral-classify'"),
        ("spiral-classify", {"threads": 0}, "threads must be 'all' or a number of 1 or more"),
        (3, {}, "int is no task: give a name, 'path.py:name', a Task or a Problem"),
    ],
)
def test_mistakes_get_a_sentence(task, options, words):
    with pytest.raises(wlnn.UserError, match=words):
        wlnn.run(task, progress=False, **options)


def test_what_a_task_tells_is_changed_there(tiny_task, ball):
    with pytest.raises(wlnn.UserError, match="layers is part of the task that was given"):
        wlnn.run(tiny_task, layers=3)
    with pytest.raises(wlnn.UserError, match=r"grid.x_low is part of the task"):
        wlnn.run(tiny_task, set={"grid.x_low": 3})
    with pytest.raises(wlnn.UserError, match="bare function: only a Task"):
        wlnn.run(ball, "train")
    with pytest.raises(wlnn.UserError, match="no method 'sdg'; did you mean 'sgd'"):
        wlnn.run(tiny_task, "seek", methods=["sdg"])


@pytest.mark.parametrize("name", [name for name in wlnn.__all__ if name.endswith("Settings")])
def test_settings_name_the_nearest(name):
    kind = getattr(wlnn, name)
    word = "sections" if name == "Settings" else "seeed"
    with pytest.raises(wlnn.UserError, match=r"there is no .*(did you mean|use one of)"):
        kind(**{word: 1})
    assert kind() == kind()


def test_cases_are_chosen_by_name():
    from wlnn import reference

    assert [case.name for case in reference.chosen(["maxnorm"])] == ["maxnorm"]
    assert len(reference.chosen()) < len(reference.chosen(slow=True)) == len(reference.CASES)
    with pytest.raises(wlnn.UserError, match="maxnrom: there is no such case; use one of"):
        wlnn.verify("maxnrom")


def test_arrays_of_a_program_need_no_source():
    points, labels = np.eye(4, 2), [0, 1, 0, 1]
    data = wlnn.Dataset(points, labels, points, labels)
    assert data.source == {}
    grid = wlnn.Grid(wlnn.Axis("ln train loss", -2, 1, 6), wlnn.Axis.counts("test accuracy", 4))
    task = wlnn.Task("mine", data, wlnn.FNN((2, 2, 2)), grid)
    trained = wlnn.run(task, "train", epochs=2, runs=2, threads=1, progress=False)
    assert trained.meta["task"]["data"] == {}
    assert repr(trained).startswith("Trained: mine, 2-2-2 relu, 12 parameters")


@pytest.mark.slow
def test_a_script_without_a_guard_is_told(tmp_path):
    """Worker processes read it again: once, and in silence."""
    script = tmp_path / "script.py"
    script.write_text(
        "print('begun')\nimport wlnn\n"
        "wlnn.run('spiral-classify', 'train', runs=4, epochs=5, threads=2, progress=False)\n"
    )
    done = subprocess.run([sys.executable, script], capture_output=True, text=True)
    assert done.stderr.count("Traceback") == 2  # the pool that broke, and the sentence
    assert 'below the line if __name__ == "__main__":, or give threads=1' in done.stderr
    text = script.read_text().replace("wlnn.run", "if __name__ == '__main__':\n    wlnn.run")
    script.write_text(text)
    assert subprocess.run([sys.executable, script], capture_output=True).returncode == 0


def test_the_package_says_that_it_has_types():
    assert Path(wlnn.__file__).with_name("py.typed").exists()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"threads": None}, "threads must be 'all' or a number of 1 or more, not None"),
        ({"threads": 1.5}, "threads must be 'all' or a number of 1 or more, not 1.5"),
        ({"set": 5}, "set must be a mapping or a list of texts"),
        ({"set": "wlmc.steps=4000"}, "set must be a mapping or a list of texts"),
        ({"directory": 5}, "directory must be a path"),
        ({"data": 5}, "data must be a path, not 5"),
    ],
)
def test_arguments_of_other_types_are_named(wrong, said):
    with pytest.raises(wlnn.UserError, match=said):
        wlnn.run("spiral-classify", length="quick", progress=False, **wrong)
