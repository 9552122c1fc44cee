"""`wlnn train`, `tune`, `advantage` as a user types them, on tiny tasks."""

import glob
import os
import signal
import threading
import time

import numpy as np
import pytest
from command_line import NETWORK, contents, run

from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.tasks.catalogue import load_task
from wlnn.training import run as run_train
from wlnn.training.trained import Trained
from wlnn.training.tuning import Tuning

TASK = ("--layers", "1", "--width", "3", "--points", "8")
OWN = """
import numpy as np
import wlnn

class Squares:
    \"\"\"outputs = (theta . x)^2 of every row, K = 1.\"\"\"
    n_parameters, width = 2, 1
    layout = wlnn.FNN((2, 1)).layout._replace(names=("W",), shapes=((1, 2),))

    def forward(self, xp, theta, x):
        z = xp.matmul(x, theta[..., None])
        return z * z, (x, z)

    def backward(self, xp, doutputs, tape):
        x, z = tape
        return (2 * doutputs * z * x).sum(-2)

    def bounds(self, rule, c):
        return np.full(2, c)

    def describe(self):
        return {"family": "squares"}

x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0], [0.5, 1.0]])
y = (x @ np.array([0.7, -0.4])) ** 2
grid = wlnn.Grid(wlnn.Axis("ln train loss", -9, 3, 12), wlnn.Axis("ln test loss", -9, 3, 12))
task = wlnn.Task("own", wlnn.Dataset(x, y, x, y, {}), Squares(), grid, "ln-test-loss",
                 "squared-error")
"""
FEW = ("--runs", "6", "--epochs", "30", "--learning-rate", "0.02", "--processes", "1")


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(*options):
    return run("train", *TASK, *FEW, *options)


def test_train_writes_a_result_and_says_where_it_ends(here):
    done = trained()
    assert done.status == 0, done.err
    assert done.out == "runs/trained-spiral-classify-1x3-n8-s0-adam-0.02/trained.npz\n"
    assert "6 trainings of 30 epochs, Adam, learning rate 0.02, batch all rows" in done.err
    found = Trained.load(here / done.out.strip())
    assert found.records["test-accuracy"].shape == (6, 31)
    assert found.meta["train"]["learning_rate"] == 0.02
    before = contents(here)
    assert trained().status == 0  # finished: nothing is done again
    assert contents(here) == before
    shown = run("info", here / "runs/trained-spiral-classify-1x3-n8-s0-adam-0.02")
    assert "trained test accuracy" in shown.out


def test_every_option_reaches_the_settings():
    done = trained(
        "--optimizer", "sgd", "--momentum", "0.5", "--batch-size", "3", "--seed", "4",
        "--initialisation", "xavier-uniform", "--set", "train.precision=float64", "--out", "here",
    )  # fmt: skip
    assert done.status == 0, done.err
    settings = Trained.load("here").meta["train"]
    wanted = {
        "optimizer": "sgd", "momentum": 0.5, "batch_size": 3, "seed": 4, "epochs": 30, "runs": 6,
        "initialisation": "xavier-uniform", "precision": "float64",
    }  # fmt: skip
    assert {name: settings[name] for name in wanted} == wanted


def test_ctrl_c_loses_nothing(monkeypatch):
    """The signal comes in the middle; `wlnn resume` gives the bits of a run left alone."""
    whole = trained("--out", "whole")
    assert whole.status == 0
    right, calls = run_train.train.advance, []

    def interrupts(plan, state, stop):
        calls.append(1)
        if len(calls) == 40:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.2)  # the main thread is waiting for this one
        return right(plan, state, stop)

    with monkeypatch.context() as patch:
        patch.setattr(run_train.train, "advance", interrupts)
        stopped = trained("--out", "parts")
    assert stopped.status == 130
    assert "go on with:  wlnn resume parts" in stopped.err
    assert len(calls) == 40
    resumed = run("resume", "parts", "--threads", "1")
    assert resumed.status == 0, resumed.err
    for name, values in Trained.load("whole").records.items():
        np.testing.assert_array_equal(values, Trained.load("parts").records[name])


def test_ctrl_c_stops_worker_processes():
    """The parent alone is told; its workers save and end."""
    ended = threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.1):  # however long workers take to begin on a busy machine
            if glob.glob("run/trainings-*"):
                os.kill(os.getpid(), signal.SIGINT)
                return

    threading.Thread(target=interrupt, daemon=True).start()
    done = run(
        "train", *TASK, "--runs", "8", "--epochs", "1000000", "--processes", "2", "--out", "run"
    )
    ended.set()
    assert done.status == 130, done.err
    found = list(os.listdir("run"))
    assert "trained.npz" not in found
    assert any(name.startswith("trainings-") for name in found)


def test_ones_own_task_and_network_are_made_anew_in_every_worker(here):
    """The network's class lives in the user's file: nothing of it can be pickled."""
    (here / "own.py").write_text(OWN)
    few = ("--runs", "4", "--epochs", "20", "--learning-rate", "0.05")
    for processes in ("1", "2"):
        done = run(
            "train", "--task", "own.py:task", *few, "--processes", processes, "--out", processes
        )
        assert done.status == 0, done.err
    first, second = Trained.load("1"), Trained.load("2")
    for name, values in first.records.items():
        np.testing.assert_array_equal(values, second.records[name])
    x = first.records["ln-train-loss"]
    assert (x[:, -1] < x[:, 0]).all()


def test_tune_then_train_with_the_best(here):
    done = run(
        "tune", *TASK, "--runs", "3", "--epochs", "5", "--rates", "2", "--rate-range", "1e-3,1e-1",
        "--batch-range", "4,8", "--processes", "1", "--out", "tuned",
    )  # fmt: skip
    assert done.status == 0, done.err
    assert "best: train.learning_rate" in done.out
    assert (here / "tuned/tuning.png").stat().st_size > 1000
    best = Tuning.load("tuned").best_settings
    again = run("resume", "tuned")
    assert again.out == done.out
    done = run(
        "train", *TASK, "--runs", "3", "--epochs", "5", "--processes", "1", "--tuned", "tuned",
        "--out", "run",
    )  # fmt: skip
    assert done.status == 0, done.err
    settings = Trained.load("run").meta["train"]
    assert {name: settings[name] for name in best} == best


def landscape(folder, seed):
    """A landscape of the task whose two walkers know everything: accuracy 0.9 at every loss."""
    task = load_task("spiral-classify", layers=1, width=3, points=8, seed=seed)
    grid = Grid(Axis("ln train loss", -4, 1, 50), Axis.counts("test accuracy", 8))
    share = np.array([0, 0, 0, 0, 0, 0, 0.1, 0.6, 0.3]) + 1e-9
    entropies = np.log(np.tile(share, (2, 50, 1)))
    everywhere = np.ones(grid.shape)
    folder.mkdir()
    meta = {"task": task.describe(), "gauge": "window"}
    Landscape(grid, entropies, everywhere, everywhere > 0, meta).save(folder / "landscape.npz")


def test_advantage_of_one_and_of_several(here):
    for seed in (0, 1):
        landscape(here / f"s{seed}", seed)
        assert trained("--out", f"t{seed}", "--data-seed", f"{seed}").status == 0
    done = run("advantage", "s0", "t0", "--at", "-0.4", "--until", "20")
    assert done.status == 0, done.err
    assert "95 %" in done.out
    assert "equilibrium is better" in done.out
    assert done.out.splitlines()[-1] == "t0/advantage.png"
    assert (here / "t0/advantage.png").stat().st_size > 10_000
    done = run("advantage", "t1", "s0", "s1", "t0", "--until", "3", "--out", "all.png")
    assert done.status == 0, done.err
    assert "2 data sets" in done.out
    assert done.out.splitlines()[-3:] == ["all.png", "all-ends.png", "all-parameters.png"]


def test_several_batch_sizes_and_the_best_of_them(here):
    done = trained("--batch-size", "4,8,4")
    assert done.status == 0, done.err
    name = "runs/trained-spiral-classify-1x3-n8-s0-adam-0.02-b"
    assert done.out.split() == [f"{name}4/trained.npz", f"{name}8/trained.npz"]
    for size in (4, 8):
        assert Trained.load(f"{name}{size}").meta["train"]["batch_size"] == size
    assert trained("--batch-size", "4,8", "--out", "both").status == 0
    assert {path.name for path in (here / "both").iterdir()} == {"b4", "b8"}
    landscape(here / "s0", 0)
    done = run("advantage", "s0", f"{name}4", f"{name}8", "--best-of-all", "--at", "-0.4")
    assert done.status == 0, done.err
    assert f"b8 = {name}8\n6 trainings of 30 epochs, Adam, learning rate 0.02, batch 8" in done.out
    rows = [line.split() for line in done.out.splitlines() if " ± 0.0" in line[:20]]
    assert {row[8] for row in rows} <= {"b4", "b8"}
    assert len(rows) > 2
    assert done.out.splitlines()[-1] == f"{name}4/advantage-best.png"
    for folders, sentence in (
        ((f"{name}4",), "the best of all needs two sets"),
        ((f"{name}4", "both/b4"), f"{name}4 and both/b4: differ in seed and length at most"),
    ):
        refused = run("advantage", "s0", *folders, "--best-of-all")
        assert refused.status == 2
        assert sentence in refused.err


def test_landscapes_of_several_tasks_make_one_picture(here):
    """As of Fig. 2: losses of different tasks share no axis; only one has sets to choose from."""
    landscape(here / "s0", 0)
    assert trained("--batch-size", "4,8", "--out", "both").status == 0
    task = load_task("spiral-regress", layers=1, width=3, points=8)
    grid = Grid(Axis("ln train loss", -4, 1, 50), Axis("ln test loss", -4, 1, 10))
    meta = {"task": task.describe(), "gauge": "window"}
    flat, everywhere = np.zeros((2, *grid.shape)), np.ones(grid.shape)
    (here / "s1").mkdir()
    Landscape(grid, flat, everywhere, everywhere > 0, meta).save(here / "s1/landscape.npz")
    own = ("--task", "spiral-regress", "--layers", "1", "--width", "3", "--points", "8")
    assert run("train", *own, *FEW, "--out", "t1").status == 0
    every = ("s0", "s1", "both/b4", "both/b8", "t1", "--out", "all.png")
    done = run("advantage", *every, "--best-of-all")
    assert done.status == 0, done.err
    assert done.out.splitlines()[-1] == "all.png"
    assert {path.name for path in here.glob("all*")} == {"all.png"}
    assert "ln test loss: equilibrium" in done.out
    assert "test accuracy: equilibrium" in done.out
    assert "from: at each ln L the best of 2" in done.out


def test_ctrl_c_in_one_of_several_batch_sizes(monkeypatch, here):
    """The other sizes are not begun, and what goes on with all of them is said."""

    def interrupts(plan, state, stop):
        os.kill(os.getpid(), signal.SIGINT)
        return state

    with monkeypatch.context() as patch:
        patch.setattr(run_train.train, "advance", interrupts)
        stopped = trained("--batch-size", "4,8", "--out", "both")
    assert stopped.status == 130
    assert "go on with:  the same command" in stopped.err
    assert trained("--batch-size", "4,8", "--out", "both").status == 0
    assert Trained.load("both/b8").epochs == 30


def test_mistakes_are_told_in_one_sentence(here):
    assert trained("--out", "t0").status == 0
    (here / "text.npz").write_text("nothing")
    cases = {
        ("advantage", "t0"): "there is no landscape among t0",
        ("advantage", "text.npz"): "text.npz: this is no file of wlnn",
        ("train", "--learning-rate", "-1"): "--learning-rate must be above 0, not -1",
        ("train", "--optimizer", "rmsprop"): "--optimizer must be one of 'sgd', 'adam'",
        ("tune", "--learning-rate", "1"): "--learning-rate is what tune looks for",
        ("train", "--tuned", "t0"): "t0/tuning.npz: cannot be read",
        ("train", *TASK, "--out", "t0"): "t0: belongs to another run",
        ("train", "--batch-size", "16,x"): "--batch-size must be 2 finite numbers",
        (
            "train",
            "--batch-size",
            "16,-2",
            "--out",
            "t1",
        ): "--batch-size must be 0 or more, not -2",
        (
            "train",
            "--window",
            "-1.5,1.5",
            "--steps",
            "4000",
            "--set",
            "grid.x_width=0.25",
        ): "No such option '--window'",
    }
    before = contents(here)
    for arguments, sentence in cases.items():
        done = run(*arguments)
        assert done.status == 2, arguments
        assert sentence in done.err
        assert len([line for line in done.err.splitlines() if "wlnn:" in line]) == 1
        assert "Traceback" not in done.err
    assert contents(here) == before


def test_an_unfinished_training_is_named(monkeypatch, here):
    assert trained("--out", "t0").status == 0
    (here / "t0/trained.npz").unlink()
    done = run("info", "t0")
    assert done.status == 2
    assert "t0: holds no trained.npz yet; finish it with wlnn resume" in done.err


def test_one_training_has_no_error():
    alone = run("train", "--task", "spiral-classify", *NETWORK, "--epochs", "2", "--runs", "1",
                "--processes", "1", "--out", "alone")  # fmt: skip
    assert alone.status == 0, alone.err
    shown = run("info", "alone").out
    assert "1 training of 2 epochs" in shown
    assert "one has no error" in shown
    assert "nan" not in shown
