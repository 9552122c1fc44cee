"""`wlnn md`, `canonical`, `seek` as their user sees them, on a tiny task."""

import json
import re
import shutil
import signal

import numpy as np
import pytest
from command_line import contents, run
from test_reweight import power_law

from wlnn.base import store
from wlnn.base.accuracy_axes import ACCURACY_AXES
from wlnn.canonical import columns
from wlnn.canonical import search as run_seek
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.runs.recipe import make_recipe
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.trained import Trained

# without a hidden layer nothing is compiled
TINY = ("--task", "spiral-classify", "--layers", "0", "--points", "8")
MD = ("md", *TINY, "--temperature", "0.02", "--steps", "1000", "--walkers", "3", "--threads", "1",
      "--set", "md.record=50")  # fmt: skip


def test_md_makes_records_and_a_picture_and_finds_them_again(tmp_path):
    folder = tmp_path / "md"
    first = run(*MD, "--out", folder)
    assert first.status == 0, first.err
    assert "T = 0.02: 3 walkers x 1,000 steps" in first.out
    assert "test accuracy" in first.out
    assert {path.name for path in folder.iterdir()} == {"run.json", "md.npz", "md.png"}
    before = contents(folder / "md.npz"), store.load(folder / "md.npz")
    again = run("resume", folder)
    assert again.status == 0, again.err
    assert again.out == first.out
    np.testing.assert_array_equal(
        store.load(folder / "md.npz")[0]["records"], before[1][0]["records"]
    )
    newtonian = run(*MD, "--newtonian", "--out", tmp_path / "newton")
    assert "energy drift" in newtonian.out
    other = run(*MD, "--seed", "5", "--out", folder)
    assert other.status == 2
    assert "belongs to another run" in other.err

    path = power_law(20, y=lambda x: 0 * x + 0.5, walkers=3, noise=0.1).save(tmp_path / "l.npz")
    found = run("canonical", path, "--temperature", "1e-3..1e-1", "--points", "4", "--md", folder)
    assert found.status == 0, found.err
    assert "molecular dynamics at T = 0.02 (3 walkers)" in found.out
    assert "standard errors" in found.out
    arrays, _ = store.load(tmp_path / "canonical.npz")
    np.testing.assert_allclose(arrays["loss"][:2], 10 * arrays["temperature"][:2], rtol=0.02)
    assert (tmp_path / "canonical.png").exists()


def test_advantage_of_motion_at_a_temperature(tmp_path):
    """Without a landscape, and refused beside two."""
    few = ("--runs", "6", "--epochs", "60", "--learning-rate", "0.1", "--processes", "1")
    assert run(*MD, "--out", tmp_path / "md").status == 0
    assert run("train", *TINY, *few, "--out", tmp_path / "trained").status == 0
    done = run("advantage", tmp_path / "md", tmp_path / "trained", "--out", tmp_path / "a.png")
    assert done.status == 0, done.err
    assert "test accuracy of states that motion at a temperature visits" in done.out
    rows = [line.split() for line in done.out.splitlines() if "T = 0.02" in line]
    assert len(rows) == 1
    stored = store.load(tmp_path / "md/md.npz")[0]["records"]
    x = stored[:, 10:, columns.LN_LOSS].mean()
    assert float(rows[0][0]) == pytest.approx(x, abs=0.006)
    assert (tmp_path / "a.png").stat().st_size > 10_000
    alone = run("advantage", tmp_path / "md")
    assert alone.status == 2
    assert "there are no trainings (of wlnn train) among" in alone.err


def test_canonical_says_which_temperatures_it_cannot_tell(tmp_path):
    path = power_law(20, low=-5.0, gauge="window").save(tmp_path / "l.npz")
    found = run("canonical", path, "--temperature", "1e-4,0.01")
    assert found.status == 0, found.err
    lines = {line.split()[0]: line for line in found.out.splitlines() if line.split()}
    cold, warm = lines["0.0001"], lines["0.01"]
    assert "not covered: up to 100% of the weight is below" in cold
    assert "not covered" not in warm
    assert "covered from T = 0.0016" in found.out


def test_seek_compares_all_methods(tmp_path):
    folder = tmp_path / "seek"
    words = ("seek", *TINY, "--evaluations", "1000", "--runs", "2", "--replicas", "2", "--threads",
             "1", "--set", "seek.stretch=20", "--set", "md.record=20", "--out", folder)  # fmt: skip
    found = run(*words)
    assert found.status == 0, found.err
    for name in ("langevin", "annealing", "tempering", "sgd", "adam"):
        assert any(line.strip().startswith(name) for line in found.out.splitlines()), name
    assert (folder / "seek.png").exists()
    assert run("resume", folder).out == found.out


FEW = ("--evaluations", "400", "--runs", "3", "--replicas", "2", "--threads", "1", "--set",
       "seek.stretch=10", "--set", "md.record=10")  # fmt: skip


def made(folder, *overrides, y=None, accuracy=None, **changes):
    """A landscape of the task of TINY: mean y 0.3 at every ln(train loss), the largest S at 0.1."""
    values = {"network": {"layers": 0}, "data": {"points": 8, "test_points": 0}}
    recipe = make_recipe({"task": "spiral-classify"}, "default", "seek", values, overrides)
    about = recipe.problem(recipe.task()).about | changes
    if y is not None:
        about["y"] = y
    axis = ACCURACY_AXES[about["y_axis"]] if about["y"] == "smoothed-accuracy" else None
    ends = np.array([0.1, 0.9]) if axis is None else axis.value(np, np.array([0.1, 0.9]))
    step = ends[1] - ends[0]
    name = about["y"].replace("-", " ") if axis is None else "smoothed accuracy axis"
    grid = Grid(
        Axis("ln train loss", -20, 5, 250), Axis(name, ends[0] - step / 2, ends[1] + step / 2, 2)
    )
    entropies = np.log(np.tile([0.75, 0.25], (2, 250, 1)))
    true = np.full(grid.shape, accuracy) if accuracy else np.zeros((0, 0))
    folder.mkdir(parents=True, exist_ok=True)
    return Landscape(
        grid, entropies, np.ones(grid.shape), np.ones(grid.shape, bool),
        {"task": about, "gauge": "window"}, accuracy=true,
    ).save(folder / "landscape.npz")  # fmt: skip


def cells(out, method):
    """The numbers of the lines of a method, each without its interval."""
    lines = [line for line in out.splitlines() if line.strip().startswith(method)]
    return [[float(word) for word in re.findall(r"(?<!± )[-+]?\d+\.\d+", line)] for line in lines]


def test_a_smoothed_accuracy_is_compared_with_a_smoothed_accuracy(tmp_path):
    """The motion does not know the axis of y: on each of them the same numbers must come out."""
    tables = []
    for axis in ("logit", "scaled", "plain"):
        chosen = f"wlmd.accuracy_axis={axis}"
        made(tmp_path / axis, chosen, accuracy=0.45)
        words = (
            "--set",
            chosen,
            "--method",
            "langevin",
            "--method",
            "sgd",
            "--landscape",
            tmp_path / axis,
        )
        found = run("seek", *TINY, *FEW, *words, "--out", tmp_path / f"seek-{axis}")
        assert found.status == 0, found.err
        assert (tmp_path / f"seek-{axis}" / "seek.png").exists()
        tables.append([cells(found.out, name) for name in ("langevin", "sgd")])
    assert "smoothed accuracy" in found.out.splitlines()[0]
    for other in tables[:2]:
        np.testing.assert_allclose(
            np.concatenate(other[0]), np.concatenate(tables[2][0]), atol=2e-3
        )
    for (_, y, above, minus, *_), (_, right, below, *_) in tables[2]:
        assert minus == pytest.approx(y - 0.3, abs=2e-3)
        assert abs(above - (y - 0.1)) < 2e-3  # the lower bin has the larger S
        assert below == pytest.approx(right - 0.45, abs=2e-3)  # the true accuracy of the landscape
    # what is called the smoothed accuracy is that of the networks themselves
    trained = Trained.load(tmp_path / "seek-logit" / "sgd")
    last = trained.metric("smoothed-accuracy")[:, -40:].mean()
    assert tables[2][1][0][1] == pytest.approx(last, abs=2e-3)
    arrays, _ = store.load(tmp_path / "seek-plain" / "seek-langevin.npz")
    for line, column in zip(tables[2][0], (columns.Y, columns.ACCURACY), strict=True):
        assert line[1] == pytest.approx(arrays["records"][-4:, :, column].mean(), abs=2e-3)
    words = ("--method", "sgd", "--landscape", made(tmp_path / "true", y="test-accuracy"))
    exact = run("seek", *TINY, *FEW, *words, "--out", tmp_path / "exact")
    assert exact.status == 0, exact.err
    assert exact.out.splitlines()[0].split()[5:7] == ["test", "accuracy"]
    assert cells(exact.out, "sgd")[0][1] == pytest.approx(tables[2][1][1][1], abs=2e-3)


def test_a_search_of_digits_beside_their_landscape(tmp_path, monkeypatch):
    """The smallest published task with a smoothed accuracy, sampled and searched for a bit."""
    monkeypatch.setattr(NetworkVariables, "compiled", lambda self: None)  # nothing to compile
    digits = ("--task", "mnist", "--points", "40", "--threads", "1", "--set", "train.batch_size=0")
    short = [f"--set=wlmd.{name}={n}" for name, n in (
        ("t1", 20), ("t2", 40), ("t3", 20), ("round", 20), ("report", 20), ("tables", 2),
        ("walkers", 2), ("checks", "false"), ("f_max", 1000), ("thermostat_every", 1))]  # fmt: skip
    sampled = run("sample", *digits[:6], "--steps", "60", *short, "--out", tmp_path / "digits")
    assert sampled.status == 0, sampled.err
    found = run(
        "seek", *digits, "--evaluations", "80", "--runs", "2", "--replicas", "2", "--set",
        "seek.stretch=2", "--method", "langevin", "--method", "sgd", "--landscape",
        tmp_path / "digits", "--out", tmp_path / "seek",
    )  # fmt: skip
    assert found.status == 0, found.err
    assert found.out.count("minus equilibrium") == 4  # smoothed and true, reached and at the same x
    assert len(cells(found.out, "sgd")) == 2


def test_resume_prints_the_table_of_the_command_that_began(tmp_path):
    landscape = made(tmp_path / "runs" / "made", y="test-accuracy")
    folder = tmp_path / "runs" / "seek"
    words = ("--method", "langevin", "--method", "sgd", "--landscape", landscape.parent)
    begun = run("seek", *TINY, *FEW, *words, "--out", folder)
    assert begun.status == 0, begun.err
    assert "minus equilibrium" in begun.out
    assert json.loads((folder / "run.json").read_text())["search"]["landscape"] == "made"
    again = run("resume", folder)
    assert (again.out, again.status) == (begun.out, 0)
    moved = shutil.move(tmp_path / "runs", tmp_path / "elsewhere")
    picture = str(folder / "seek.png")
    folder = tmp_path / "elsewhere" / "seek"
    again = run("resume", folder)  # both were moved, and find each other
    assert again.out == begun.out.replace(picture, str(folder / "seek.png"))
    shutil.move(f"{moved}/made", tmp_path / "made")
    lone = run("resume", folder)
    assert lone.status == 0
    said = "elsewhere/made: the landscape of this search is no longer there; the table is without"
    assert said in lone.err
    assert "minus" not in lone.out
    assert [row[:2] for row in cells(lone.out, "sgd")] == [r[:2] for r in cells(begun.out, "sgd")]
    assert "langevin" in lone.out
    assert "adam" not in lone.out
    shutil.move(tmp_path / "made", f"{moved}/made")
    assert "minus equilibrium" in run("resume", folder).out  # it was not forgotten
    made(tmp_path / "elsewhere" / "made", y="test-accuracy", points=[9, 9])
    other = run("resume", folder)
    assert (other.status, "minus" in other.out) == (0, False)
    assert "its number of rows is not that of the search" in other.err
    plain = run("seek", *TINY, *FEW, "--method", "sgd", "--out", folder)
    assert run("resume", folder).out == plain.out  # the last command counts


def test_an_interrupted_search_is_resumed_with_its_landscape(tmp_path, monkeypatch):
    landscape = made(tmp_path / "made", y="test-accuracy")
    words = ("--method", "annealing", "--landscape", landscape)
    whole = run("seek", *TINY, *FEW, *words, "--out", tmp_path / "whole")
    right = run_seek.seek.follow

    def interrupts(problem, plan, k, *arguments, **more):
        if k == 9:
            signal.raise_signal(signal.SIGINT)
        return right(problem, plan, k, *arguments, **more)

    with monkeypatch.context() as patch:
        patch.setattr(run_seek.seek, "follow", interrupts)
        patch.setattr("wlnn.base.pool.STRETCH_SECONDS", 0.0)
        stopped = run("seek", *TINY, *FEW, *words, "--out", tmp_path / "parts")
    assert (stopped.status, stopped.out) == (130, "")
    assert f"go on with:  wlnn resume {tmp_path / 'parts'}" in stopped.err
    resumed = run("resume", tmp_path / "parts")
    assert resumed.out == whole.out.replace(str(tmp_path / "whole"), str(tmp_path / "parts"))
    assert "minus equilibrium" in resumed.out


def test_a_landscape_of_something_else_is_refused_before_anything_runs(tmp_path):
    cases = {
        "its network is not that of the search": {"network": {"family": "none"}},
        "its loss is not that of the search": {"loss": "squared-error"},
        "its box is not that of the search": {"bound_factor": 3.0},
        "has alpha = 7, that of the search 5; search with --set grid.alpha=7": {"alpha": 7.0},
        "its y is 'ln test loss', and the search has test accuracy and smoothed accuracy": {
            "y": "ln-test-loss"
        },
    }
    for sentence, changes in cases.items():
        path = made(tmp_path / "made", **changes)
        found = run("seek", *TINY, *FEW, "--landscape", path, "--out", tmp_path / "no")
        assert found.status == 2, found.out
        assert found.err.startswith(f"wlnn: {path}: its ")
        assert sentence in found.err
        assert not (tmp_path / "no").exists()


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("md", "--temperature", "0"), "--temperature must be above 0"),
        (("md", "--steps", "1001"), "--steps = 1001 is too short: give 4000 or more"),
        (("md", "--steps", "4001"), "--steps must be a multiple of md.record"),
        (("md", "--loss-window", "3"), "--loss-window must be 2 finite numbers"),
        (("md", "--loss-window", "2,1"), "--loss-window 2,1 is empty"),
        (("seek", "--low", "1"), "--low must be below seek.high"),
        (("seek", "--at", "-2"), "--at needs --landscape"),
        (("seek", "--evaluations", "10"), "--evaluations = 10 is too short: give 12000 or more"),
    ],
)
def test_mistakes_are_sentences(words, sentence, tmp_path):
    found = run(*words, "--out", tmp_path / "nothing")
    assert found.status == 2
    assert sentence in found.err
    assert "Traceback" not in found.err
    assert not (tmp_path / "nothing").exists()


def test_mistakes_of_canonical_are_sentences(tmp_path):
    path = power_law(20).save(tmp_path / "l.npz")
    for text in ("1e-1..1e-3", "a..b", "0,1"):
        assert run("canonical", path, "--temperature", text).status == 2
    assert run("canonical", path, "--md", path).err.endswith("give a run of `wlnn md`.\n")


def test_a_lengthened_motion_has_the_bits_of_one_motion_of_that_length(tmp_path):
    words = (*MD[: MD.index("--steps")], "--walkers", "2", "--threads", "1")
    whole, part = tmp_path / "whole", tmp_path / "part"
    assert run(*words, "--steps", "8000", "--out", whole).status == 0
    assert run(*words, "--steps", "4000", "--out", part).status == 0
    refused = run("resume", part, "--steps", "4100", "--threads", "1")
    assert refused.status == 2
    assert "md.steps must be a multiple of md.record = 200" in refused.err
    assert run("resume", part, "--steps", "8000", "--threads", "1").status == 0
    (a, told), (b, also) = (store.load(path / "md.npz") for path in (whole, part))
    assert told == also
    for name in a:
        np.testing.assert_array_equal(a[name], b[name])
