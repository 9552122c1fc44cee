"""Every compiled loop equals its readable NumPy definition, with and without compilation."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.task import Task
from wlnn.wlmc import definition
from wlnn.wlmc import walker as wlmc
from wlnn.wlmc.rules import (
    NEW_BIN_CLOSED,
    NEW_BIN_MINIMUM,
    NEW_BIN_NEARBY,
    NEW_BIN_PREVIOUS,
    REFRESH_EVERY,
    STEP_ADAPT,
    STEP_FIXED,
    STEP_LOG_UNIFORM,
    Chain,
    Stage,
)


def run(problem, system, n_steps, rule=(STEP_FIXED, NEW_BIN_NEARBY), ln_f=1e-3, seed=3, stop=0):
    """One stage of ``n_steps`` from a fixed start; rule: of the steps, of new bins."""
    rng = np.random.default_rng(seed)
    theta = next(
        candidate
        for candidate in rng.uniform(problem.lo, problem.hi, (1000, problem.n_parameters))
        if problem.grid.index(*problem.observe(candidate))[0] >= 0
    )
    entropy = np.zeros(problem.grid.shape)
    histogram = np.zeros(problem.grid.shape, np.int64)
    visits = np.zeros(problem.grid.shape, np.int64)
    visits[tuple(int(k) for k in problem.grid.index(*problem.observe(theta)))] = 1
    kept = np.full((entropy.size, theta.size), np.nan)
    words = np.random.SeedSequence(seed).generate_state(4, np.uint64)
    chain = wlmc.run_stage(
        problem, system, theta, entropy, histogram, visits, kept,
        Stage(n_steps, ln_f, *rule, problem.grid.x.n // 2, problem.grid.x.n - 5, problem.periodic),
        Chain(0.2, 0), words, np.full(1, stop, np.uint8),
    )  # fmt: skip
    return chain, theta, entropy, histogram, kept, words


def same(problem, n_steps, **options):
    fast = run(problem, problem.system("float64"), n_steps, **options)
    slow = run(problem, None, n_steps, **options)
    assert fast[0][:7] == slow[0][:7]  # step width, direction, steps, accepted, rejected, trips
    np.testing.assert_allclose(fast[1], slow[1], rtol=1e-12)
    np.testing.assert_allclose(fast[2], slow[2], rtol=1e-12)
    np.testing.assert_array_equal(fast[3], slow[3])
    np.testing.assert_allclose(fast[4], slow[4], rtol=1e-12)
    np.testing.assert_array_equal(fast[5], slow[5])
    return fast


def test_the_driver_makes_the_decisions_of_the_definition_over_1e5_steps():
    problem = load_task(
        "spiral-classify", layers=2, width=3, points=8, x_low=-2, x_high=0.5, x_width=0.1
    ).problem()
    chain, *_, histogram, _, _ = same(problem, 100_000, ln_f=0.02)
    assert histogram.sum() == 100_000
    assert chain.out_of_box > 1000
    assert chain.out_of_window > 100
    assert chain.round_trips > 2
    assert chain.drift < 1e-10


@pytest.mark.parametrize(
    "rule",
    [
        (STEP_ADAPT, NEW_BIN_MINIMUM),
        (STEP_LOG_UNIFORM, NEW_BIN_PREVIOUS),
        (STEP_FIXED, NEW_BIN_CLOSED),
        (STEP_LOG_UNIFORM, NEW_BIN_NEARBY),
    ],
)
def test_every_rule_of_steps_and_new_bins_is_that_of_the_definition(rule):
    problem = load_task(
        "spiral-classify", layers=2, width=3, points=8, x_low=-2, x_high=0.5, x_width=0.1
    ).problem()
    same(problem, 5000, rule=rule, ln_f=0.0 if rule[1] == NEW_BIN_CLOSED else 0.02)


def network_tasks(rng):
    """One task per kind of network system: activation, loss, metric, odd widths and no hidden."""
    labels, real = rng.integers(0, 3, 37), rng.normal(size=37)
    inputs, tests = rng.normal(size=(37, 3)), rng.normal(size=(23, 3))
    three = Dataset(inputs, labels, tests, labels[:23], {})
    reals = Dataset(inputs, real, tests, real[:23], {})
    threefold = Dataset(inputs, rng.normal(size=(37, 3)), tests, rng.normal(size=(23, 3)), {})
    two = Dataset(inputs, labels % 2, tests, labels[:23] % 2, {})
    x, y = Axis("x", -3, 2, 20), Axis.counts("accuracy", 23)
    z, w = Axis("ln test loss", -3, 5, 20), Axis.counts("train accuracy", 37)
    return {
        "tanh, one logit": Task("a", two, FNN((3, 4, 5, 1), "tanh"), Grid(x, y)),
        "relu, no hidden layer": Task("b", two, FNN((3, 2)), Grid(x, y)),
        "relu, train accuracy": Task("g", two, FNN((3, 4, 5, 2)), Grid(w, y), x="train-accuracy"),
        "softmax, train accuracy": Task("h", three, FNN((3, 5, 3)), Grid(w, y), x="train-accuracy"),
        "silu, ln test loss": Task(
            "c", two, FNN((3, 4, 4, 4, 2), "silu"), Grid(x, z), "ln-test-loss"
        ),
        "relu, three classes": Task("d", three, FNN((3, 5, 3)), Grid(x, y)),
        "tanh, squares": Task(
            "e", reals, FNN((3, 7, 1), "tanh"), Grid(x, z), "ln-test-loss", "squared-error"
        ),
        "relu, squares of three targets": Task(
            "f", threefold, FNN((3, 5, 4, 3)), Grid(x, z), "ln-test-loss", "squared-error"
        ),
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("precision", ["float64", "float32"])
@pytest.mark.parametrize("name", network_tasks(np.random.default_rng(0)))
def test_incremental_evaluation_equals_the_full_forward_pass(name, precision, rng):
    problem = network_tasks(rng)[name].problem()
    system = problem.system(precision)
    kinds = {"float64": (1e-10, 1e-6), "float32": (1e-4, 1e-2)}  # x; y may cross one test point
    theta = rng.uniform(problem.lo, problem.hi)
    entropy = np.zeros(problem.grid.shape)
    none = np.zeros((0, 0))
    for stage in range(20):
        words = np.random.SeedSequence(stage).generate_state(4, np.uint64)
        histogram = np.zeros(problem.grid.shape, np.int64)
        chain = wlmc.run_stage(
            problem, system, theta, entropy, histogram, histogram.copy(), none,
            Stage(500, 1e-3, STEP_LOG_UNIFORM, NEW_BIN_NEARBY, 0, 5), Chain(0.2, 0), words,
            np.zeros(1, np.uint8),
        )  # fmt: skip
        x, y = problem.observe(theta)
        assert chain.x == pytest.approx(x, abs=kinds[precision][0])
        assert chain.drift < kinds[precision][0]
        if "squares" in name or "loss" in name:
            assert chain.y == pytest.approx(y, abs=kinds[precision][0] * 10)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["relu, train accuracy", "softmax, train accuracy"])
def test_a_walk_in_train_accuracy_makes_the_decisions_of_the_definition(name):
    task = network_tasks(np.random.default_rng(0))[name]
    chain, theta, _, histogram, *_ = same(task.problem(), 2000, ln_f=0.02)
    outputs, _ = task.network.forward(np, theta[None], task.data.x_train)
    assert chain.x == pytest.approx((outputs[0].argmax(axis=1) == task.data.y_train).mean())
    assert (histogram.any(axis=1)).sum() > 5


@pytest.mark.slow
def test_a_walk_of_several_targets_makes_the_decisions_of_the_definition():
    task = network_tasks(np.random.default_rng(0))["relu, squares of three targets"]
    chain, theta, *_ = same(task.problem(), 2000, ln_f=0.02)
    outputs, _ = task.network.forward(np, theta[None], task.data.x_train)
    loss = np.mean([(outputs[0, :, k] - task.data.y_train[:, k]) ** 2 for k in range(3)])
    assert chain.x == pytest.approx(np.log(loss), abs=1e-10)


def test_float32_follows_the_definition_along_a_walk():
    problem = load_task("spiral-classify", layers=2, width=3, points=8).problem()
    chain, theta, *_ = run(problem, problem.system("float32"), 9_000)
    assert chain.drift < 1e-5
    assert chain.x == pytest.approx(problem.observe(theta)[0], abs=1e-5)


PLAIN = """
import numpy as np
from tests_twins import run
from wlnn.networks.compiled.moves import FunctionSystem
from wlnn.reference.cases import angle
from wlnn.tasks.catalogue import load_task
problem = load_task("spiral-classify", layers=2, width=3, points=8, x_low=-2, x_high=0.5,
                    x_width=0.1).problem()
with np.errstate(over="ignore"):
    plain = run(problem, problem.system("float64"), 1500)
slow = run(problem, None, 1500)
assert plain[0][:7] == slow[0][:7], (plain[0], slow[0])
np.testing.assert_array_equal(plain[3], slow[3])
np.testing.assert_allclose(plain[1], slow[1], rtol=1e-12)
problem = angle.problem()
plain, slow = (run(problem, system, 3000) for system in (FunctionSystem(problem.observe), None))
assert plain[0][:7] == slow[0][:7], (plain[0], slow[0])
np.testing.assert_array_equal(plain[1], slow[1])
np.testing.assert_array_equal(plain[3], slow[3])
assert slow[0].out_of_box == 0 and slow[3].sum(axis=0).min() > 500  # both sides, no wall
print("same")
"""


def test_the_text_of_the_kernels_runs_without_compilation(tmp_path):
    """The same text, plain Python and NumPy bodies of the vector operations, same decisions."""
    (tmp_path / "tests_twins.py").write_text(Path(__file__).read_text())
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PLAIN],
        env=environment, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert found.stdout == "same\n", found.stderr


def test_random_words_are_xoshiro256_plus_plus():
    """First outputs for the state (1, 2, 3, 4), from the authors' reference program."""
    words = definition.random_words(np.array([1, 2, 3, 4], np.uint64))
    assert [next(words) for _ in range(4)] == [
        41943041, 58720359, 3588806011781223, 3591011842654386,
    ]  # fmt: skip


def test_a_stopped_stage_ends_early():
    problem = load_task("spiral-classify", layers=2, width=3, points=8).problem()
    chain, *_ = run(problem, problem.system("float64"), 50_000, stop=1)
    assert chain.done == REFRESH_EVERY
