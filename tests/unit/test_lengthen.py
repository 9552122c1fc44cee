"""A run that is made longer has the bits of one run of that length, or says why it cannot be."""

import numpy as np
import pytest
from command_line import BALL, SHORT, contents, run

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.ladder.checkpoints import load_ladder

TIMES = "history.seconds"


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])
    (tmp_path / "ball.py").write_text(BALL)
    return tmp_path


def ball(out, *options):
    half = ("--set", "wlmc.production=0.5")
    return run("sample", "--task", "ball.py:problem", *SHORT, *half, *options, "--out", out)


def assert_same(one, other):
    (a, _), (b, _) = (store.load(path) for path in (one, other))
    assert sorted(a) == sorted(b)
    for name in a:
        if name != TIMES:
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


FROZEN = ("--set", "wlmc.estimator=frozen")
PAPER = (*FROZEN, "--schedule", "paper", "--step-rule", "paper", "--set", "wlmc.production=0")


@pytest.mark.parametrize(
    ("options", "as_one_run"),
    [
        ((), ("--set", "wlmc.stages=20", "--set", "wlmc.production=0.8")),
        (
            ("--set", "wlmc.estimator=average", "--keep-networks"),
            ("--set", "wlmc.stages=20", "--set", "wlmc.production=0.8"),
        ),
        (PAPER, ("--set", "wlmc.stages=20")),
        (
            (*FROZEN, "--set", "wlmc.merge_every=2", "--set", "wlmc.groups=2"),
            ("--set", "wlmc.stages=20", "--set", "wlmc.production=0.8"),
        ),
    ],
)
@pytest.mark.usefixtures("here")
def test_a_lengthened_run_has_the_bits_of_one_run_of_that_length(options, as_one_run):
    assert ball("run", *options).status == 0
    before = contents("run")
    done = run("resume", "run", "--steps", "2500", "--threads", "1")
    assert done.status == 0, done.err
    assert "from now on a run with wlmc.steps=2500, wlmc.stages=20" in done.err
    assert contents("run")["run/landscape-1000.npz"] == before["run/landscape.npz"]
    assert ball("whole", *options, "--steps", "2500", *as_one_run).status == 0
    assert_same("run/landscape.npz", "whole/landscape.npz")
    again = run("resume", "run", "--steps", "5000", "--threads", "1")
    assert again.status == 0, again.err
    assert "finished already" in run("resume", "run").err
    assert "finished already" in run("resume", "run", "--steps", "5000").err  # as after a Ctrl-C


@pytest.mark.parametrize(
    ("options", "steps", "said"),
    [
        ((), "2501", "give --steps a multiple of that, such as 2625"),
        ((), "999", "has wlmc.steps = 1000; give --steps a larger whole number"),
        ((), "1e30", "--steps must be 1e+15 or less"),
        ((), "1e9", "learnt in 500 steps, which is too little for a run above 10000"),
        ((*FROZEN, "--set", "wlmc.production=0"), "2500", "led to its last step"),
        (("--set", "wlmc.production=0.25"), "2500", "that S would be made even for longer"),
    ],
)
@pytest.mark.usefixtures("here")
def test_what_cannot_be_lengthened_says_why_and_stays_as_it_was(options, steps, said):
    assert ball("run", *options).status == 0
    before = contents("run")
    refused = run("resume", "run", "--steps", steps)
    assert refused.status == 2
    assert said in refused.err
    assert contents("run") == before


@pytest.mark.usefixtures("here")
def test_a_full_disk_leaves_the_result_where_it_was(monkeypatch):
    assert ball("run").status == 0
    before = contents("run")

    def full(path, _):
        raise UserError(f"{path}: cannot be written: no space left on device.")

    monkeypatch.setattr("wlnn.base.store.write_file", full)
    refused = run("resume", "run", "--steps", "2000")
    assert refused.status == 2
    assert "run.json: cannot be written: no space left" in refused.err
    assert contents("run") == before


@pytest.mark.usefixtures("here")
def test_the_same_command_with_more_steps_says_what_lengthens_a_run():
    assert ball("run").status == 0
    longer = ball("run", "--steps", "2000")
    assert longer.status == 2
    assert "`wlnn resume run --steps N` lengthens a run" in longer.err


WELL = '''
import numpy as np
import wlnn


def evaluate(xp, theta):
    """x = ln |theta|^2, y = the first coordinate; in NumPy, so that nothing is compiled."""
    squares = (theta**2).sum(axis=1) + 1e-9
    return xp.log(squares), theta[:, 0].copy(), None, theta


def backward(xp, theta, ux, uy):
    slope = 2 * theta / ((theta**2).sum(axis=1) + 1e-9)[:, None] * ux[:, None]
    slope[:, 0] += uy
    return slope


grid = wlnn.Grid(wlnn.Axis("x", -3.0, 1.5, 9), wlnn.Axis("y", -1.0, 1.0, 4))
problem = wlnn.Problem(
    "well", -np.ones(3), np.ones(3), grid, evaluate=evaluate, backward=backward,
    start=lambda rng, walkers: rng.uniform(-1, 1, (walkers, 3)),
)
'''
WLMD = (
    "--sampler", "wlmd", "--walkers", "2",
    *(part for one in ("x_low=-4", "x_high=0.5", "tables=2", "round=50", "report=100", "t1=50",
                       "t2=200", "t3=100", "y_low=-1", "y_high=1", "spacing=0.1", "dt=0.01",
                       "checks=false")
      for part in ("--set", f"wlmd.{one}")),
)  # fmt: skip
LADDER = (
    "--sampler", "ladder", "--walkers", "1",
    *(part for one in ("x_low=-2", "draws=200", "descent=60", "pilot=6", "stretch=20",
                       "sample_every=10")
      for part in ("--set", f"ladder.{one}")),
)  # fmt: skip


def well(here, out, *options):
    (here / "well.py").write_text(WELL)
    made = run("sample", "--task", "well.py:problem", "--threads", "1", *options, "--out", out)
    assert made.status == 0, made.err
    return here / out / "landscape.npz"


@pytest.mark.parametrize(
    ("learning", "as_one_run"),
    [
        ((), ("--set", "wlmd.average_from=0.2")),
        (
            ("--set", "wlmd.production=0.25", "--set", "wlmd.average_from=0.25"),
            ("--set", "wlmd.production=0.7", "--set", "wlmd.average_from=0.1"),
        ),
    ],
)
def test_molecular_dynamics_averages_on_from_the_step_at_which_it_did(here, learning, as_one_run):
    result = well(here, "run", *WLMD, "--steps", "400", *learning)
    longer = run("resume", "run", "--steps", "1000", "--threads", "1")
    assert longer.status == 0, longer.err
    assert "from now on a run with wlmd.steps=1000" in longer.err
    assert (here / "run" / "landscape-400.npz").exists()
    whole = well(here, "whole", *WLMD, "--steps", "1000", *as_one_run)
    (a, _), (b, _) = store.load(result), store.load(whole)
    assert sorted(a) == sorted(b)
    for name in a:
        if name not in ("history.us_per_step",):
            np.testing.assert_array_equal(a[name], b[name], err_msg=name)


@pytest.mark.parametrize("mover", ["langevin", "monte-carlo"])
def test_a_ladder_goes_on_with_its_rungs_and_has_the_bits_of_one_run(here, mover):
    """Of twice as many stretches, where no gap between rungs is found in either."""
    how = *LADDER, "--set", f"ladder.mover={mover}"
    result = well(here, "run", *how, "--steps", "6000")
    before = load_ladder(here / "run", 0, 3)
    end = before.steps + before.units * ((before.rungs.n - 1) * 20 + 1)
    longer = run("resume", "run", "--steps", end, "--threads", "1")
    assert longer.status == 0, longer.err
    assert f"from now on a run with ladder.steps={end}, which keeps its rungs and sam" in longer.err
    assert load_ladder(here / "run", 0, 3).units == 2 * before.units
    whole = well(here, "whole", *how, "--steps", str(end))
    (a, about), (b, meta) = store.load(result), store.load(whole)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    assert about["meta"]["rungs"] == meta["meta"]["rungs"]
    assert about["meta"]["finished"]
    assert run("resume", "run", "--steps", end + 1000, "--threads", "1").status == 0  # any length
    assert load_ladder(here / "run", 0, 3).steps > end + 900 - 20 * before.rungs.n


TASK = ("--task", "spiral-classify", "--layers", "1", "--width", "2", "--points", "8")
BATCHES = ("--set", "train.batch_size=3", "--set", "train.train_loss=running-mean")


@pytest.mark.parametrize(
    ("command", "file"),
    [
        (("train", *TASK, *BATCHES, "--runs", "3"), "trained.npz"),
        (("tune", *TASK, "--set", "tune.rates=2", "--set", "tune.runs=2"), "tuning.npz"),
    ],
)
def test_trainings_go_on_to_more_epochs_with_the_bits_of_one_run(here, command, file, monkeypatch):
    monkeypatch.setattr("wlnn.report.plot.save", lambda *_: "")
    one = ("--processes", "1", "--out")
    assert run(*command, "--set", "train.epochs=4", *one, "run").status == 0
    refused = run("resume", "run", "--steps", "9")
    assert "has train.epochs = 4; give --epochs, not --steps" in refused.err
    assert (
        "--epochs N` lengthens a run" in run(*command, "--set", "train.epochs=9", *one, "run").err
    )
    longer = run("resume", "run", "--epochs", "9", "--threads", "1")
    assert longer.status == 0, longer.err
    assert "from now on a run with train.epochs=9" in longer.err
    assert run(*command, "--set", "train.epochs=9", *one, "whole").status == 0
    (a, _), (b, _) = (store.load(here / name / file) for name in ("run", "whole"))
    assert sorted(a) == sorted(b)
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)
    stem = file.partition(".")[0]
    assert len(store.load(here / "run" / f"{stem}-4.npz")[0])
    assert run("resume", "run", "--epochs", "3").status == 2


@pytest.mark.usefixtures("here")
def test_a_search_is_not_made_longer_and_says_why():
    how = ("--method", "sgd", "--set", "seek.evaluations=12000", "--set", "seek.runs=2")
    begun = run("seek", *TASK, *how, "--out", "run")
    assert begun.status == 0, begun.err
    refused = run("resume", "run", "--steps", "20000")
    assert refused.status == 2
    assert "its temperatures fall along its whole length" in refused.err
