"""What runs as plain Python is told before it runs: pace, the whole run, and what would be fast."""

from dataclasses import replace

import numpy as np
import pytest

import wlnn
from wlnn.networks.layered import LayerNetwork
from wlnn.tasks import uncompiled as told
from wlnn.tasks.problem import Problem
from wlnn.tasks.uncompiled import uncompiled, uncompiled_motion

GRID = wlnn.Grid(wlnn.Axis("x", 0.0, 1.0, 4), wlnn.Axis.single())


class Squares:
    """outputs = (theta . x)^2: the protocol alone."""

    n_parameters, width = 2, 1

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


def task(network=None, y="ln-test-loss"):
    x = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [2.0, -1.0], [0.5, 1.0]])
    targets = (x @ np.array([0.7, -0.4])) ** 2
    grid = wlnn.Grid(wlnn.Axis("ln train loss", -9, 3, 12), wlnn.Axis("ln test loss", -9, 3, 12))
    data = wlnn.Dataset(x, targets, x, targets)
    return wlnn.Task("own", data, network or Squares(), grid, y, "squared-error")


@pytest.fixture
def clock(monkeypatch):
    """A clock that only the function itself moves on: the first of its calls takes a minute."""
    seconds, first = [0.0], [60.0]

    def evaluated(took):
        seconds[0] += first.pop() if first else took

    monkeypatch.setattr(told.time, "perf_counter", lambda: seconds[0])
    return evaluated


def test_the_pace_and_the_hours_of_plain_functions(clock):
    """2 ms a call, and 0.2 s: the first call, which may compile, does not count."""
    made = Problem("slow", np.zeros(2), np.ones(2), GRID, lambda _: clock(0.002) or (0.0, 0.0))
    (note,) = uncompiled(made, 9_000_000)
    assert note == (
        "observe is plain Python: 2000 us a step, about 5.0 h of one core for all; compiled with "
        "numba.njit it takes far less"
    )
    assert uncompiled(made, 4_000) == ()  # eight seconds
    slower = replace(made, observe=lambda _: clock(0.2) or (0.0, 0.0))
    assert "200 ms a step, about 2.3 days of one core for all" in uncompiled(slower, 10**6)[0]


def test_the_pace_of_motion_is_of_all_walkers_at_once(clock):
    seen = []

    def evaluate(xp, theta):
        seen.append(theta.shape)
        clock(0.001)
        return theta[:, 0], theta[:, 1], None, theta

    def backward(xp, tape, ux, uy):
        clock(0.003)
        return tape

    made = Problem(
        "slow", np.zeros(2), np.ones(2), evaluate=evaluate, backward=backward,
        start=lambda rng, r: rng.uniform(size=(r, 2)),
    )  # fmt: skip
    (note,) = uncompiled_motion(made, 900_000, 3)
    assert "has no compiled gradient: 4000 us a step of all 3 walkers, about 60 min of" in note
    assert set(seen) == {(3, 2)}
    assert len(seen) <= 1 + told.PACED
    assert " a step, about " in uncompiled_motion(made, 10**9)[0]
    assert seen[-1] == (1, 2)


def test_a_slow_network_is_not_tried_twenty_times(clock):
    calls = []
    made = Problem("s", np.zeros(2), np.ones(2), GRID, lambda _: calls.append(clock(4.0)) or (0, 0))
    assert "4000 ms a step" in uncompiled(made, 10**6)[0]
    assert len(calls) == 2


def test_what_is_around_a_quick_function_counts(clock):
    """0.1 ms of the function in a step of 1 ms; a slow one, or a trial that fails, is as it is."""
    steps = []
    made = Problem("t", np.zeros(2), np.ones(2), GRID, lambda _: clock(0.0001) or (0.0, 0.0))

    def trial(n):
        steps.append(n)
        clock(n * 0.001)

    assert "1000 us a step" in uncompiled(made, 10**6, trial)[0]
    assert steps == [told.TRIED]
    assert "500 us a step" in uncompiled(made, 10**6, lambda n: trial(n) or 2 * n)[0]

    def failing(n):
        clock(9.0)
        raise wlnn.UserError("diverged")

    assert "100 us a step" in uncompiled(made, 10**6, failing)[0]
    slow = replace(made, observe=lambda _: clock(0.01) or (0.0, 0.0))
    assert "10 ms a step" in uncompiled(slow, 10**6, failing)[0]


def test_what_is_compiled_is_not_tried():
    made = Problem("t", np.zeros(2), np.ones(2), GRID, lambda _: 1 / 0, system=lambda _: None)
    assert uncompiled(made, 10**9) == ()
    assert uncompiled_motion(replace(made, gradient_system=lambda: None), 10**9) == ()


class Layers(LayerNetwork):
    """Two dense layers; and the same behind an activation of the inputs, which no loop takes."""

    width = 3

    def __init__(self, odd):
        sketch = wlnn.Sketch((2,))
        first = sketch.dense(sketch.relu(0) if odd else 0, 3, "first")
        sketch.dense(sketch.relu(first), 1, "last")
        self.sketch = sketch

    def describe(self):
        return {"family": "layers"}


HELPS = {  # problem of Monte Carlo -> what would be fast
    "protocol": (task(), "from_torch makes FNN or layers of a module of PyTorch"),
    "protocol by Numba": (task(), "a Problem whose observe is compiled with numba.njit"),
    "layers": (
        task(Layers(odd=False)),
        "has one along its gradient alone: --sampler ladder or wlmd",
    ),
}
MOVES = {
    "protocol": (Squares(), "wlnn.torch.from_torch makes either of a module of PyTorch"),
    "dense alone": (wlnn.FNN((2, 1)), "an FNN with a hidden layer has one"),
    "layers": (Layers(odd=True), "begins with dense or conv, ends with dense"),
}


@pytest.mark.parametrize("name", HELPS)
def test_what_helps_monte_carlo(name):
    made, words = HELPS[name]
    (note,) = uncompiled(made.problem(), 10**9)
    assert "this network and y have no compiled form for Monte Carlo" in note
    assert words in note


def test_what_helps_a_smoothed_accuracy():
    made = wlnn.load_task("spiral-classify", layers=1, width=2, points=8)
    assert uncompiled(made.problem(), 10**9) == ()
    smoothed = replace(made, y="smoothed-accuracy")
    (note,) = uncompiled(smoothed.problem(), 10**9)
    assert "an FNN has one for y = test-accuracy or ln-test-loss" in note


@pytest.mark.parametrize("name", MOVES)
def test_what_helps_motion(name):
    network, words = MOVES[name]
    (note,) = uncompiled_motion(wlnn.NetworkVariables(task(network)).problem(), 10**9)
    assert words in note


def test_bare_functions_of_motion_are_told_of_tasks():
    smooth = wlnn.NetworkVariables(task()).problem()
    (note,) = uncompiled_motion(replace(smooth, network=None), 10**9)
    assert "this problem has no compiled gradient" in note
    assert "what has one is a Task whose network is an FNN, or a list of layers" in note


RUNS = {  # sampler: settings of a short run, steps or calls of all of it
    "wlmc": ({"steps": 300, "walkers": 2, "stages": 4}, 600),
    "md": ({"steps": 400, "walkers": 3, "record": 20, "temperature": 0.1}, 400),
    "wlmd": ({"steps": 400, "tables": 2, "walkers": 3, "checks": False}, 800),
    "ladder": ({"steps": 2000, "ladders": 2, "descent": 50}, 4000),
}


class WasToldError(Exception):
    """The note came; the run itself is not wanted."""


@pytest.mark.parametrize("sampler", RUNS)
def test_every_sampler_tells_the_hours_of_the_whole_run(sampler, monkeypatch):
    """The number of steps that a sampler names, and that its note comes before the first."""
    options, steps = RUNS[sampler]

    def report(state):
        if f"about {steps} steps" in state.notes:
            raise WasToldError

    for name in ("uncompiled", "uncompiled_motion"):
        for module in ("wlmc.run", "ladder.run", "tasks.field"):
            home = f"wlnn.{module}.{name}"
            noted = lambda _, steps, *rest, **how: (f"about {steps} steps",)  # noqa: E731
            monkeypatch.setattr(home, noted, raising=False)
    with pytest.raises(WasToldError):
        wlnn.run(task(), sampler, "quick", **options, threads=1, progress=report)


def test_a_search_tells_its_pace(monkeypatch):
    calls = []
    monkeypatch.setattr(
        "wlnn.tasks.field.uncompiled_motion", lambda _, *rest: calls.append(rest[:2]) or ()
    )
    settings = wlnn.read_table("own", "quick", ("seek.evaluations=12000", "seek.runs=2"))
    short = replace(settings.seek, evaluations=800, stretch=20, replicas=2)
    wlnn.seek(wlnn.NetworkVariables(task()).problem(), replace(settings, seek=short), "tempering")
    assert calls == [(400, 4)]  # of two runs of two replicas at once, 800 evaluations each
