"""`wlnn sample --sampler ladder` from the command line, and what it refuses."""

from dataclasses import replace

import numpy as np
import pytest
from command_line import BALL, run

from wlnn.base.store import load
from wlnn.cli.options import recipe_of
from wlnn.ladder import diagnostics
from wlnn.landscape.join import join
from wlnn.runs.find import find_landscape
from wlnn.runs.names import directory_name
from wlnn.runs.recipe import read_recipe

SMALL = (
    "--task", "spiral-regress", "--sampler", "ladder", "--width", "8", "--layers", "2",
    "--points", "8", "--window", "-1,0.5", "--walkers", "2", "--steps", "40000", "--threads", "1",
    "--set", "ladder.heated=0", "--set", "ladder.descent=300", "--set", "ladder.stretch=20",
    "--set", "ladder.pilot=6", "--set", "ladder.draws=200", "--set", "grid.y_width=1",
    "--set", "grid.x_width=0.25", "--keep-networks",
)  # fmt: skip


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ladder") / "run"
    done = run("sample", *SMALL, "--out", folder)
    assert done.status == 0, done.err
    assert "2 ladders x 4e+04 steps" in done.err
    return folder


def test_a_run_leaves_a_landscape_and_info_tells_of_its_rungs(folder):
    assert (folder / "landscape.png").exists()
    done = run("info", folder)
    assert done.status == 0, done.err
    assert "2 ladders" in done.out
    assert "a ladder, beta up to" in done.out
    assert "overlap of neighbours" in done.out
    assert "halves" in done.out


def test_a_finished_run_is_not_made_again(folder):
    done = run("resume", folder)
    assert done.status == 0, done.err
    assert "finished already" in done.err


def test_checkpoints_alone_are_a_landscape_too(folder, tmp_path):
    whole = find_landscape(folder)
    (folder / "landscape.npz").rename(tmp_path / "landscape.npz")
    try:
        assert (find_landscape(folder).entropies[whole.reliable[None].repeat(2, 0)]).size
        assert find_landscape(folder).meta["rungs"] == whole.meta["rungs"]
    finally:
        (tmp_path / "landscape.npz").rename(folder / "landscape.npz")


def test_the_replicas_are_kept_and_can_be_exported(folder, tmp_path):
    done = run("networks", folder, "--at", "-0.5,0", "--export", tmp_path / "one.npz")
    assert done.status == 0, done.err
    arrays, meta = load(tmp_path / "one.npz")
    assert arrays["W0"].shape == (8, 2)
    kept = find_landscape(folder).networks
    assert kept["points"].shape == (len(kept["theta"]), 3)
    stored = read_recipe(folder)
    problem = stored.problem(stored.task())  # the exported network has the losses that are told
    assert problem.observe(arrays["theta"]) == pytest.approx((meta["x"], meta["y"]), abs=1e-6)


def contradicting(folder, path):
    """The same result with two kinds of starts that differ."""
    landscape = find_landscape(folder)
    landscape.meta["rungs"]["starts"] = {"largest": 70.0, "agree": False}
    landscape.meta["rungs"]["warnings"] = diagnostics.warnings(landscape.meta["rungs"])
    replace(landscape, reliable=np.zeros_like(landscape.reliable)).save(path)
    return path


def test_ladders_that_contradict_each_other_give_the_sentence_and_no_number(folder, tmp_path):
    path = contradicting(folder, tmp_path / "landscape.npz")
    done = run("info", path)
    assert done.status == 0, done.err
    assert done.out.count("no number of this landscape can be believed") == 1
    assert "S (nats" not in done.out
    for command in (("canonical", path, "--temperature", "0.5"), ("advantage", path, path)):
        refused = run(*command)
        assert refused.status == 2
        assert "has no numbers to go on with" in refused.err
    assert run("plot", path, "--out", tmp_path / "pale.png").status == 0


def test_merged_runs_keep_the_diagnostics_of_all_ladders(folder):
    first, second = find_landscape(folder), find_landscape(folder)
    second.meta["seeds"] = {"seed": 1}
    second.meta["rungs"]["starts"] = {"largest": 70.0, "agree": False}
    second.meta["rungs"]["warnings"] = ["is wrong"]
    rungs = join([first, second], ["a", "b"]).meta["rungs"]
    assert len(rungs["ladders"]) == 4
    assert rungs["halves"]["x"] == first.meta["rungs"]["halves"]["x"]
    assert rungs["halves"]["difference"] == first.meta["rungs"]["halves"]["difference"]
    assert rungs["starts"] == {"largest": 70.0, "largest_y": None, "agree": False}
    assert rungs["warnings"][-1] == "b: is wrong"
    assert diagnostics.in_words(rungs)


def test_a_map_that_there_were_no_steps_for_is_told(tmp_path):
    folder = tmp_path / "run"
    words = "--width 2 --points 5 --quick --steps 2e4 --walkers 2 --threads 1"
    words += " --set ladder.x_low=-1 --set ladder.descent=60 --set ladder.draws=200 --depth 20"
    done = run("sample", "--task", "spiral-regress", *words.split(), "--out", folder)
    assert done.status == 0, done.err
    assert not np.any(find_landscape(folder).meta["rungs"]["ladders"][0]["kappa"])
    visits = find_landscape(folder).visits.sum()
    assert "no rungs: ladder.steps are too few" in run("info", folder).out
    for steps, part in (("2.1e4", 1.0), ("3e4", 1.3)):  # by a stretch or two, and by many
        done = run("resume", folder, "--steps", steps)
        assert done.status == 0, done.err
        assert find_landscape(folder).visits.sum() > part * visits


def test_canonical_averages_can_be_read_off_a_ladder(folder):
    done = run("canonical", folder, "--temperature", "0.5")
    assert done.status == 0, done.err


def test_a_function_of_the_user_is_sampled_by_monte_carlo(tmp_path):
    (tmp_path / "ball.py").write_text(BALL, encoding="utf-8")
    done = run(
        "sample", "--task", f"{tmp_path}/ball.py:problem", "--sampler", "ladder", "--walkers", "2",
        "--steps", "6000", "--threads", "1", "--out", tmp_path / "run", "--set", "ladder.x_low=0.5",
        "--set", "ladder.descent=100", "--set", "ladder.stretch=20", "--set", "ladder.pilot=6",
        "--set", "ladder.draws=200",
    )  # fmt: skip
    assert done.status == 0, done.err
    landscape = find_landscape(tmp_path / "run")
    assert landscape.marginal_entropy().reliable[1:3].all()


OPTIONS = dict.fromkeys(
    ("width", "layers", "activation", "logits", "points", "data_seed", "data", "embedding",
     "scale", "classes", "y_axis", "train", "test", "target", "hidden", "kind", "raw", "window",
     "seed", "walkers", "steps", "schedule", "step_rule", "precision", "keep_networks")
)  # fmt: skip


def recipe(task, *overrides, preset="default"):
    given = {**OPTIONS, "task": task, "sampler": "ladder", "overrides": overrides}
    return recipe_of(given, preset)


@pytest.mark.parametrize(
    ("task", "overrides", "moves"),
    [
        ("spiral-classify", (), False),
        ("spiral-regress", (), True),
        ("spiral-regress", ("ladder.mover=monte-carlo",), False),
    ],
)
def test_the_mover_follows_from_y_and_can_be_chosen(task, overrides, moves):
    made = recipe(task, *overrides)
    problem = made.problem(made.task())
    assert (problem.backward is not None) == moves
    assert made.grid(problem).x.lo == made.settings.grid.x_low


@pytest.mark.parametrize(
    ("task", "preset", "sampler"),
    [
        ("spiral-regress", "default", "ladder"),
        ("spiral-regress", "paper", "wlmd"),
        ("mnist", "quick", "wlmd"),
        ("spiral-classify", "default", "wlmc"),
    ],
)
def test_the_usual_sampler(task, preset, sampler):
    given = {**OPTIONS, "task": task, "overrides": ()}
    assert recipe_of(given, preset).sampler == sampler


def test_a_run_of_ladders_has_a_directory_of_its_own():
    made = recipe("spiral-classify")
    assert directory_name(made, made.task()) == "spiral-classify-3x6-ladder-s0"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("--set", "wlmc.c=3"), "--set wlmc.c=3 has no effect on ladders"),
        (("--set", "ladder.stretch=15"), "must be a multiple of ladder.sample_every = 20, not 15"),
        (("--set", "ladder.heated=9"), "ladder.heated must be at most ladder.ladders = 4, not 9"),
        (("--paper", "--yes"), "ladders are no published protocol"),
        (("--set", "ladder.mover=langevin"), "molecular dynamics needs a smooth y"),
        (("--set", "ladder.steps=few"), "ladder.steps must be a whole number, not 'few'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(arguments, sentence, tmp_path):
    done = run(
        "sample", "--task", "spiral-classify", "--sampler", "ladder", "--out", tmp_path / "run",
        "--data-seed", "0", *arguments,
    )  # fmt: skip
    assert done.status == 2
    assert sentence in done.err
    assert "Traceback" not in done.err


def test_settings_of_ladders_have_no_effect_on_other_samplers(tmp_path):
    done = run("sample", "--set", "ladder.steps=1e6", "--out", tmp_path / "run")
    assert done.status == 2
    assert "has no effect on Monte Carlo" in done.err
