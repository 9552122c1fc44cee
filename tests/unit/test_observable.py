"""A y of one's own: what is sampled is that y, by every sampler, and what it lacks is told."""

import re
from dataclasses import replace
from pathlib import Path
from unittest.mock import Mock

import numpy as np
import pytest
from command_line import run

import wlnn
from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.tasks.check import checked_smooth

AXIS = wlnn.Axis("mine", 0.0, 4.0, 8)


def small(**options):
    return wlnn.load_task(
        "spiral-classify", **{"layers": 1, "width": 3, "points": 8, "x_low": -1.0, **options}
    )


def of_the_page():
    """Names that the Python lines of the page make."""
    text = (Path(__file__).parents[2] / "docs" / "own-y.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", text, flags=re.S)
    assert len(blocks) == 4
    scope: dict = {}
    for block in blocks:
        exec(block, scope)
    return scope


def test_the_functions_of_the_page_are_what_they_are_called(monkeypatch):
    for name in ("sample", "sample_ladder", "sample_wlmd"):  # which take a while
        monkeypatch.setattr(wlnn, name, lambda *given, **options: Mock())
    page = of_the_page()
    # by hand: two networks, of which one is sure and wrong in half of the rows
    outputs = np.array([[[9.0, 0.0]] * 4, [[0.0, 0.0]] * 4])
    error = page["calibration_error"](outputs, np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(error, [0.5, 0.0], atol=1e-3)
    task, theta = page["task"], np.linspace(-1, 1, page["task"].network.n_parameters)
    _, y = task.problem(page["calibration"]).observe(theta)
    found, _ = task.network.forward(np, theta[None], task.data.x_test)
    assert y == page["calibration_error"](found, task.data.y_test)[0]
    as_other = replace(page["other"], y="ln-test-loss").problem().observe(theta)
    assert page["problem"].observe(theta)[1] == pytest.approx(as_other[1], rel=1e-12)
    assert task.problem(page["squares"]).observe(theta)[1] == pytest.approx((theta**2).sum())
    checked_smooth(page["problem"])
    checked_smooth(task.problem(page["squares"]))


@pytest.mark.slow
def test_the_page_runs_and_finds_what_it_says():
    page = of_the_page()
    assert page["landscape"].grid.y.name == "calibration error"
    assert page["landscape"].meta["task"]["y"] == "calibration error"
    typical = page["typical"]
    assert (typical.value[typical.reliable] > 0.02).all()
    assert page["by_moves"].grid.y.name == page["by_ladder"].grid.y.name == "ln loss, seed 1"
    assert page["by_motion"].grid.y.name == "sum of squares"
    moves, ladder = (page[name].marginal_entropy() for name in ("by_moves", "by_ladder"))
    both = np.isfinite(moves.value + ladder.value) & (moves.x > -0.3) & (moves.x < 0.3)
    assert both.sum() > 4
    assert (moves.value - ladder.value)[both].std() < 0.8  # short runs


def test_the_loss_on_the_test_set_is_the_y_of_the_task_itself():
    for task in (
        replace(small(), y="ln-test-loss"),
        wlnn.load_task("spiral-regress", layers=1, width=4, points=8),
    ):
        theirs = wlnn.NetworkVariables(task).problem()
        own = task.problem(wlnn.Observable.loss(AXIS, task.data.x_test, task.data.y_test))
        theta = own.start(np.random.default_rng(0), 3)
        np.testing.assert_array_equal(theta, theirs.start(np.random.default_rng(0), 3))
        found, known = own.evaluate(np, theta), theirs.evaluate(np, theta)
        np.testing.assert_allclose(found[0], known[0], rtol=1e-12)
        np.testing.assert_allclose(found[1], known[1], rtol=1e-12)
        weights = np.array([0.7, 1.0, 0.0]), np.array([0.2, 0.0, -1.0])
        np.testing.assert_allclose(
            own.backward(np, found[3], *weights), theirs.backward(np, known[3], *weights),
            rtol=1e-9, atol=1e-12,
        )  # fmt: skip
        np.testing.assert_allclose(own.observe(theta[1]), (known[0][1], known[1][1]), rtol=1e-12)
        assert own.names == (task.grid.x.name, "mine")


def test_bins_of_monte_carlo_are_those_of_the_observable():
    """Shares of the bins of |theta| against uniform draws, whose errors are below 2 %."""
    task = small(x_low=-20.0, x_high=5.0, x_width=5.0)
    problem = task.problem(wlnn.Observable.norm(wlnn.Axis("norm", 0.0, 8.0, 16)))
    settings = wlnn.WLMCSettings(
        steps=30_000, stages=30, walkers=2, anchor_draws=0, estimator="frozen", production=0.5
    )
    found = wlnn.sample(problem, settings)
    drawn = problem.draw(np.random.default_rng(1), (50_000, problem.n_parameters))
    share = np.histogram(np.linalg.norm(drawn, axis=1), problem.grid.y.edges)[0] / len(drawn)
    mass = np.exp(np.nan_to_num(found.entropy, nan=-np.inf)).sum(axis=0)
    common = share > 0.05
    assert common.sum() > 2
    np.testing.assert_allclose(mass[common] / mass.sum(), share[common], rtol=0.3)


def test_an_observable_has_a_prior_too():
    task = small(prior="gaussian", sigma=0.5)
    problem = task.problem(wlnn.Observable.norm(AXIS))
    assert set(problem.sigma) == {0.5}
    assert checked_smooth(problem) is problem


def test_a_gradient_that_is_missing_or_wrong_is_told():
    task = small()
    without = wlnn.Observable(AXIS, lambda theta: theta[:, 0] ** 2, of="theta")
    sentence = "y = mine has no gradient, which molecular dynamics needs; give the Observable its"
    with pytest.raises(UserError, match=sentence):
        wlnn.sample_wlmd(task.problem(without), wlnn.WLMDSettings())
    wrong = replace(without, gradient=lambda theta: theta)
    with pytest.raises(UserError, match="backward is not the gradient of y"):
        wlnn.sample_wlmd(task.problem(wrong), wlnn.WLMDSettings())
    with pytest.raises(UserError, match="backward is not the gradient of y"):
        wlnn.sample_ladder(task.problem(wrong), wlnn.LadderSettings())
    flat = replace(without, gradient=lambda theta: theta[:, 0])
    with pytest.raises(UserError, match="gradient must return real numbers of shape"):
        wlnn.sample_wlmd(task.problem(flat), wlnn.WLMDSettings())
    scalar = wlnn.Observable(AXIS, lambda outputs, targets: 1.0)
    with pytest.raises(UserError, match="y 'mine': value must return real numbers of shape"):
        wlnn.sample(task.problem(scalar), wlnn.WLMCSettings(steps=1000, stages=4))


def test_a_gradient_that_is_right_at_one_place_by_chance_is_wrong():
    """Of sqrt(mean theta^2) the gradient is theta times 1 / (P y): near 1 at one start of two."""
    task = wlnn.load_task("spiral-classify", layers=1, width=3, points=10)
    chance = wlnn.Observable(
        AXIS, lambda theta: np.sqrt((theta**2).mean(axis=1)), lambda theta: theta, of="theta"
    )
    with pytest.raises(UserError, match="backward is not the gradient of y"):
        checked_smooth(task.problem(chance))


@pytest.mark.parametrize("of", ["outputs", "theta"])
def test_a_function_that_changes_what_it_is_given_is_told(of):
    """Targets are the data of the task itself, and outputs are read again for x."""
    task = small()
    before = task.data.y_test.copy()

    def outputs_changed(outputs, targets):
        targets[:] = 1 - targets
        return np.abs(outputs).mean(axis=(1, 2))

    def theta_changed(theta):
        theta += 1
        return np.abs(theta).mean(axis=1)

    y = wlnn.Observable(AXIS, outputs_changed if of == "outputs" else theta_changed, of=of)
    with pytest.raises(UserError, match="read-only"):
        wlnn.sample(task.problem(y), wlnn.WLMCSettings(steps=1000, stages=4))
    np.testing.assert_array_equal(task.data.y_test, before)


def test_targets_of_a_loss_are_those_of_the_network():
    """A class that no output stands for would have a loss of nothing."""
    task = small()
    x, labels = task.data.x_test, task.data.y_test
    theta = np.ones(task.network.n_parameters)
    for targets, sentence in (
        (labels + 7, "whole targets are the classes 0 to 1 of the network, one a row, and not 7"),
        (labels - 5, "and not -5"),
        (labels[:, None], "not an array of shape"),
        (labels.astype(float), "the network has 2 outputs; of classes give whole numbers"),
        (labels.astype(str), "targets must be whole numbers from 0, or real ones"),
    ):
        with pytest.raises(UserError, match=sentence):
            task.problem(wlnn.Observable.loss(AXIS, x, targets))
    of_numbers, of_truth = (
        task.problem(wlnn.Observable.loss(AXIS, x, targets)).observe(theta)
        for targets in (labels, labels > 0)
    )
    assert of_numbers == of_truth


def test_what_is_no_observable_is_refused_with_a_sentence():
    task, zeros = small(), np.zeros((3, 2))
    for make, sentence in (
        (lambda: wlnn.Observable("norm", len), "needs the Axis of its y first, not a str"),
        (lambda: wlnn.Observable(AXIS, 3.0), "value must be a function"),
        (lambda: wlnn.Observable(AXIS, len, of="loss"), "a function of 'outputs' or of 'theta'"),
        (lambda: wlnn.Observable(AXIS, len, data=zeros), "data must be a pair"),
        (lambda: wlnn.Observable(AXIS, len, data=(zeros, [1])), "one and the same number of rows"),
        (lambda: wlnn.Observable(AXIS, len, of="theta", data=(zeros, [1] * 3)), "reads no data"),
        (lambda: task.problem("norm"), "y must be an Observable, not a str"),
        (
            lambda: task.problem(wlnn.Observable(AXIS, len, data=(np.zeros((3, 5)), [1] * 3))),
            "those of the task have",
        ),
    ):
        with pytest.raises(UserError, match=sentence):
            make()


CHANGES = ("ladder.x_low=-0.3", "ladder.draws=300", "ladder.stretch=20", "ladder.descent=60")
LADDER = ("--steps", "3e4", "--walkers", "2", *(f"--set={change}" for change in CHANGES))


@pytest.mark.parametrize(
    ("sampler", "more"),
    [
        ("wlmc", ("--steps", "4e3", "--quick", "--set", "wlmc.stages=4")),
        pytest.param("ladder", LADDER, marks=pytest.mark.slow),
    ],
)
def test_a_file_with_an_observable_is_sampled_from_the_command_line(sampler, more, tmp_path):
    file = tmp_path / "mine.py"
    file.write_text(
        "import wlnn\n"
        'task = wlnn.load_task("spiral-classify", layers=1, width=3, points=8, x_low=-1.0)\n'
        'norm = wlnn.Observable.norm(wlnn.Axis("norm of theta", 0.0, 8.0, 16))\n'
        "problem = task.problem(norm)\n"
    )
    source = ("--task", f"{file}:problem", "--sampler", sampler, "--threads", "1")
    made = run("sample", *source, *more, "--out", tmp_path / "run")
    assert made.status == 0, made.err
    assert "norm of theta" in run("info", tmp_path / "run").out
    assert store.read_run(tmp_path / "run")["identity"]["problem"]["own_y"] == "theta"
    parameters = wlnn.find_landscape(tmp_path / "run").meta["task"]["parameters"]
    np.save(tmp_path / "net.npy", np.full(parameters, 0.5))
    placed = run("place", tmp_path / "run", tmp_path / "net.npy")
    assert placed.status == 0, placed.err
    assert "better" not in placed.out  # nobody knows which norm is
