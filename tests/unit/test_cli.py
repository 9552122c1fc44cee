"""`wlnn` as a user types it: sample, stop, resume, look, join. Tiny problems, nothing compiled."""

import json
import os
import re
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pytest
from command_line import AVERAGE, BALL, NETWORK, SHORT, SMOOTH, WIDE, contents, run

from wlnn.cli import sample as cli_sample
from wlnn.cli.main import COMMANDS
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.verdict import growth_bias
from wlnn.networks.fnn import FNN
from wlnn.runs.pace import estimate
from wlnn.wlmc import walker as wlmc


@pytest.fixture(autouse=True)
def heard():
    """SIGHUP is heard, also where the tests run under `nohup`."""
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, before)


@pytest.fixture(autouse=True)
def here(tmp_path, monkeypatch):
    """A folder of its own to work in, with a file that defines a problem."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "ball.py").write_text(BALL)
    return tmp_path


@pytest.fixture
def no_pictures(monkeypatch):
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])


def ball(*options):
    return run("sample", "--task", "ball.py:problem", *SHORT, *options)


def arrays(path):
    landscape = Landscape.load(path)
    kept = ("entropies", "visits", "reliable")
    return {name: getattr(landscape, name) for name in kept} | landscape.networks


def assert_same(first, second):
    first, second = arrays(first), arrays(second)
    assert first.keys() == second.keys()
    for name in first:
        np.testing.assert_array_equal(first[name], second[name], err_msg=name)


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_every_command_explains_itself(command):
    result = run(*[command] * bool(command), "--help")
    assert result.status == 0
    assert result.out.startswith("Usage: wlnn")
    assert len(result.out.splitlines()) > 5
    assert run().out == run("--help").out


def test_a_run_leaves_its_settings_checkpoints_result_and_pictures(here):
    result = ball("--seed", "3")
    assert result.status == 0, result.err
    folder = "runs/ball-s3"
    names = ["landscape.npz", "landscape.png", "diagnostics.png"]
    assert result.out.splitlines() == [f"{folder}/{name}" for name in names]
    found = {os.path.basename(path) for path in contents(folder)}
    assert found == {*names, "run.json", "walkers.npz"}
    assert (here / folder / "landscape.png").read_bytes()[:4] == b"\x89PNG"
    stored = json.loads((here / folder / "run.json").read_text())
    assert stored["identity"]["wlmc"]["seed"] == 3
    assert stored["identity"]["problem"]["files"]["file"]
    assert {"wlnn", "python", "numpy", "numba", "cpu"} == set(stored["versions"][0])
    landscape = Landscape.load(f"{folder}/landscape.npz")
    assert landscape.visits.sum() == 2 * 1000
    lines = [line for line in result.err.splitlines() if "%," in line or "100 %" in line]
    assert 1 <= len(lines) <= 11  # one for each tenth, at most
    assert re.fullmatch(r"100 %  square 0\.\d\d  \d+ bins .* round trips  S frozen", lines[-1])


@pytest.mark.usefixtures("no_pictures")
def test_a_finished_run_is_shown_and_not_changed():
    ball()
    before = contents("runs")
    again = ball()
    assert again.status == 0
    assert "finished already" in again.err
    assert contents("runs") == before
    assert "finished already" in run("resume", "runs/ball-s0").err


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("twice", [False, True])
def test_a_command_that_is_stopped_outside_of_a_run_says_so(number, twice, monkeypatch):
    """Between the runs, while modules are loaded; `timeout` and impatient fingers signal twice."""

    def slow(*_):
        try:
            signal.raise_signal(number)
        finally:
            if twice:
                signal.raise_signal(number)

    monkeypatch.setattr("wlnn.runs.find.find_landscape", slow)
    stopped = run("plot", "done")
    assert (stopped.status, stopped.err.strip()) == (130, "wlnn: stopped.")


def test_ctrl_c_while_the_command_line_is_loaded_ends_without_a_word():
    """The signal comes when its first module is looked for."""
    program = """if True:
        import os, signal, sys
        class Impatient:
            def find_spec(name, path=None, target=None):
                if name == "wlnn.cli.main":
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Impatient)
        from wlnn.__main__ import main
        main()
    """
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (-signal.SIGINT, b"", b"")


@pytest.mark.usefixtures("no_pictures")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stopped_run_says_how_to_go_on_and_ends_with_the_same_bits(number, monkeypatch):
    """The signal comes in the middle of the sampling: when walker 0 is at its stage 40."""
    long = ("--steps", "5000", "--set", "wlmc.stages=100", "--threads", "2")
    whole = ball("--out", "whole", *long)
    assert whole.status == 0
    advance, sent = wlmc.advance, []

    def interrupted(problem, system, walker, plan, stop):
        if (walker.number, walker.stage) == (0, 40) and not sent:
            sent.append(number)
            signal.pthread_kill(threading.main_thread().ident, number)
            patience = time.monotonic() + 10
            while not stop[0] and time.monotonic() < patience:
                time.sleep(0.001)  # until the main thread has seen it
        return advance(problem, system, walker, plan, stop)

    monkeypatch.setattr(wlmc, "advance", interrupted)
    stopped = ball("--out", "cut", *long)
    assert sent == [number]
    assert stopped.status == 130
    assert stopped.out == ""
    assert "go on with:  wlnn resume cut" in stopped.err
    assert "Traceback" not in stopped.err
    assert "continue with wlnn resume" in run("info", "cut").out
    went_on = run("resume", "cut", "--threads", "1")
    assert went_on.status == 0
    assert_same("whole/landscape.npz", "cut/landscape.npz")


@pytest.mark.usefixtures("no_pictures")
def test_a_directory_of_runs_is_resumed_in_one_go():
    for seed in (0, 1):
        ball("--seed", seed, "--out", f"many/{seed}")
        os.unlink(f"many/{seed}/landscape.npz")
    result = run("resume", "many")
    assert result.status == 0
    assert result.out.split() == ["many/0/landscape.npz", "many/1/landscape.npz"]


@pytest.mark.usefixtures("no_pictures")
def test_the_threads_do_not_change_a_bit():
    ball("--out", "one", "--threads", "1")
    ball("--out", "two", "--threads", "2")
    assert_same("one/landscape.npz", "two/landscape.npz")


@pytest.mark.usefixtures("no_pictures")
def test_names_of_run_directories():
    short = ("--walkers", "1", "--steps", "50", *NETWORK)
    run("sample", *short)
    run("sample", *short, "--data-seed", "2", "--seed", "1", "--layers", "2")
    assert sorted(os.listdir("runs")) == [
        "spiral-classify-1x2-n8-s0",
        "spiral-classify-2x2-n8-d2-s1",
    ]


@pytest.mark.usefixtures("no_pictures")
def test_csv_files_of_ones_own(here):
    rng = np.random.default_rng(0)
    for name in ("train", "test"):
        rows = rng.normal(size=(12, 3))
        rows[:, 2] = rows[:, 0] > 0
        np.savetxt(f"{name}.csv", rows, delimiter=",", header="a,b,label", comments="")
    files = ("--train", "train.csv", "--test", "test.csv", "--target", "label")
    result = run("sample", *files, "--hidden", "3,2", *SHORT, *SMOOTH)
    assert result.status == 0, result.err
    assert result.out.strip() == "runs/train-label-3-2-s0/landscape.npz"
    landscape = Landscape.load(result.out.strip())
    assert landscape.meta["task"]["network"]["sizes"] == [2, 3, 2, 2]
    (here / "elsewhere").mkdir()
    os.chdir("elsewhere")  # run.json knows where the files are
    os.unlink("../runs/train-label-3-2-s0/landscape.npz")
    assert run("resume", "../runs/train-label-3-2-s0").status == 0
    with open("../train.csv", "a") as file:
        file.write("1,2,1\n")
    refused = run("resume", "../runs/train-label-3-2-s0")
    assert refused.status == 2
    assert "train.csv: has changed since" in refused.err


@pytest.mark.usefixtures("no_pictures")
def test_the_published_protocol_tells_its_length_and_makes_six_runs(monkeypatch):
    # the schedule of the paper, shortened: the real one takes hours
    short = ("--steps", "100", "--walkers", "2", "--set", "wlmc.stages=10", "--threads", "2")
    asked = []
    monkeypatch.setattr("click.confirm", lambda text, **_: asked.append(text))
    result = run("sample", "--paper", *short, *NETWORK)
    assert result.status == 0, result.err
    assert "6 data sets, each 2 walkers x 100 steps: " in result.err
    assert re.search(r"together \d+ (s|min) on 2 threads", result.err)
    assert not asked  # no terminal
    folder = "runs/spiral-classify-1x2-n8-s0-paper"
    assert result.out.split() == [f"{folder}/data-{k}/landscape.npz" for k in range(6)]
    seeds = []
    for path in result.out.split():
        landscape = Landscape.load(path)
        seeds.append(landscape.meta["task"]["data"]["seed"])
        assert landscape.meta["wlmc"]["schedule"] == "paper"
        assert landscape.meta["wlmc"]["merge_every"] == 1
    assert seeds == list(range(6))
    alone = run("sample", "--paper", *short, *NETWORK, "--data-seed", "4")
    assert alone.out.strip() == "runs/spiral-classify-1x2-n8-d4-s0-paper/landscape.npz"


def test_the_estimate_of_a_run_is_its_duration():
    recipe = cli_sample.recipe_of(
        {"task": "ball.py:problem", "steps": 5_000.0, "walkers": 3.0, "overrides": ()}, "default"
    )
    problem = recipe.problem(recipe.task())
    expected = estimate(recipe, problem, 1)
    landscape = recipe.sample(problem, "run", 1, None)
    took = landscape.history["seconds"].sum()
    assert expected / 3 < took < 3 * expected  # other work on the machine may change the pace


@pytest.mark.usefixtures("no_pictures")
def test_merge_joins_the_walkers_of_other_seeds():
    for seed in (0, 1):
        ball("--seed", seed, *WIDE, *AVERAGE)
    before = contents("runs")
    parts = [Landscape.load(f"runs/ball-s{seed}/landscape.npz") for seed in (0, 1)]
    result = run("merge", "runs/ball-s0", "runs/ball-s1/")
    assert result.status == 0, result.err
    assert result.out.strip() == "runs/ball-merged/landscape.npz"
    joint = Landscape.load(result.out.strip())
    assert joint.n_walkers == 4
    np.testing.assert_array_equal(joint.visits, parts[0].visits + parts[1].visits)
    np.testing.assert_array_equal(joint.reliable, parts[0].reliable & parts[1].reliable)
    # relative entropies are aligned anew: each walker's mass over the common bins is 1
    common = ~np.isnan(joint.entropies).any(axis=0)
    np.testing.assert_allclose(np.exp(joint.entropies[:, common]).sum(axis=1), 1, rtol=1e-12)
    shift = joint.entropies[:2] - parts[0].entropies
    np.testing.assert_allclose(shift[0][common], shift[0][common][0], atol=1e-12)
    assert joint.meta["seeds"]["seed"] == [0, 1]
    assert "seeds 0, 1" in run("info", result.out.strip()).out
    assert {path: digest for path, digest in contents("runs").items() if path in before} == before
    os.unlink("runs/ball-s1/landscape.npz")  # a run that was killed has checkpoints only
    again = run("merge", "runs/ball-s0", "runs/ball-s1", "--out", "joint")
    np.testing.assert_array_equal(Landscape.load("joint/landscape.npz").visits, joint.visits)
    assert again.status == 0


def test_info_plot_and_networks(here):
    made = run("sample", *SHORT, *NETWORK, "--keep-networks", "--out", "run")
    assert made.status == 0, made.err

    told = run("info", "run", "--all").out
    for word in ("12 parameters", "2 walkers × 1e3 steps", "verdict", "reached", "zero of S"):
        assert word in told
    per_loss = run("info", "run", "--all", "--per", "exp").out
    assert "S (nats per unit of train loss)" in per_loss
    landscape = Landscape.load("run/landscape.npz")
    axis = landscape.grid.x
    rows = np.flatnonzero(~np.isnan(landscape.entropy).all(axis=1))[::-1]
    widths = np.log(np.exp(axis.edges[1:]) - np.exp(axis.edges[:-1]))[rows]
    column = [
        [
            float(line.split("  ")[-1].split("±")[0])
            for line in table.splitlines()[-rows.size - 1 : -1]
        ]
        for table in (re.sub("  not reliable", "", text) for text in (told, per_loss))
    ]
    np.testing.assert_allclose(np.subtract(*column), widths, atol=0.011)

    drawn = run("plot", "run", "--per", "exp", "--out", "picture.pdf")
    assert drawn.out == "picture.pdf\n"
    assert (here / "picture.pdf").read_bytes()[:4] == b"%PDF"
    before = (here / "run/landscape.png").read_bytes()
    assert run("plot", "run").out.split() == ["run/landscape.png", "run/diagnostics.png"]
    assert (here / "run/landscape.png").read_bytes() == before

    x, y = (axis.centres[landscape.networks["bins"][5, k]] for k, axis in enumerate(landscape.grid))
    listed = run("networks", "run", "--at", f"{x},{y}", "--count", "3", "--export", "net.npz")
    assert listed.status == 0, listed.err
    lines = listed.out.splitlines()
    assert len(lines) == 5
    assert [float(word) for word in lines[1].split()[:2]] == pytest.approx([x, y], abs=6e-4)
    assert lines[-1] == "net.npz"
    with np.load("net.npz") as exported:
        np.testing.assert_array_equal(exported["theta"], landscape.networks["theta"][5])
        layout = FNN((2, 2, 2)).layout
        for name, tensor in zip(layout.names, layout.views(exported["theta"]), strict=True):
            np.testing.assert_array_equal(exported[name], tensor)


def test_info_tells_the_bias_of_an_averaged_s():
    """2 ln f tau / Nb, tau the steps of a crossing while S was averaged (docs/growth_bias.png)."""
    run(
        "sample",
        "--task",
        "ball.py:problem",
        *SHORT,
        *WIDE,
        *AVERAGE,
        "--steps",
        4000,
        "--out",
        "run",
    )
    told = run("info", "run").out
    history = Landscape.load("run/landscape.npz").history
    trips, steps = history["round_trips"][:, 4:].sum() / 2, history["steps"][0, 4:].sum()
    assert trips > 0
    bins, ln_f = history["bins"][:, -1].mean(), history["ln_f"][:, -1].mean()
    bias = 2 * ln_f * steps / (2 * trips) / bins
    assert growth_bias(Landscape.load("run/landscape.npz")) == pytest.approx(bias)
    assert f"{trips:.1f} of a walker while S was measured" in told
    assert f"S grew while it was averaged: too deep by {bias:.1g} nats" in told
    assert "wlnn sample ... --out NEW --set wlmc.estimator=common" in told
    narrow = ("--steps", "80", "--set", "wlmc.step_width=0.001")
    run("sample", "--task", "ball.py:problem", *SHORT, *narrow, *AVERAGE, "--out", "short")
    assert growth_bias(Landscape.load("short/landscape.npz")) == np.inf
    assert "verdict               too short" in run("info", "short").out


def test_tasks_are_listed_with_all_their_settings():
    listed = run("tasks").out
    assert all(name in listed for name in ("spiral-classify", "spiral-regress", "path.py:name"))
    table = run("tasks", "spiral-classify").out
    assert "x_width = " in table
    assert "[preset.paper]" in table
