"""A run that is made longer has the bits of one run of that length, or says why it cannot be."""

import numpy as np
import pytest
from command_line import BALL, SHORT, contents, run

from wlnn.base import store

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
def test_the_same_command_with_more_steps_says_what_lengthens_a_run():
    assert ball("run").status == 0
    longer = ball("run", "--steps", "2000")
    assert longer.status == 2
    assert "`wlnn resume run --steps N` lengthens a run" in longer.err
