import dataclasses
import json
import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.settings.tables import read_table
from wlnn.settings.task import GridSettings
from wlnn.tasks.catalogue import TASKS, load_task
from wlnn.tasks.datasets import Dataset, spiral_regress
from wlnn.tasks.own import task_from_csv, task_from_file
from wlnn.tasks.problem import Problem
from wlnn.tasks.readers import catalogue
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task, accuracy_axis, make_grid

GRID = Grid(Axis("x", -3.0, 1.0, 8), Axis.counts("y", 4))


@pytest.mark.parametrize(
    ("layers", "width", "logits", "count"),
    [
        (3, 6, 2, 116),
        (3, 8, 2, 186),
        (4, 6, 2, 158),
        (4, 8, 2, 258),
        (3, 6, 1, 109),
        (4, 8, 1, 249),
    ],
)
def test_parameter_counts_of_the_paper(layers, width, logits, count):
    task = load_task("spiral-classify", layers=layers, width=width, logits=logits)
    problem = task.problem()
    assert problem.n_parameters == count
    np.testing.assert_allclose(problem.hi, 2 / math.sqrt(width))
    np.testing.assert_allclose(problem.lo, -2 / math.sqrt(width))


def test_observed_values_equal_loops_over_points(tiny_task, rng):
    task = dataclasses.replace(tiny_task, y="ln-test-loss")
    smooth = dataclasses.replace(tiny_task, y="smoothed-accuracy", alpha=3.0)
    theta = rng.uniform(-1.4, 1.4, (5, 12))
    x, accuracy = tiny_task.observe(theta)
    _, ln_test = task.observe(theta)
    _, smoothed = smooth.observe(theta)
    data = tiny_task.data
    for r in range(5):
        W0, b0, W1, b1 = tiny_task.network.layout.views(theta[r])

        def margin(point, label, W0=W0, b0=b0, W1=W1, b1=b1):
            z = W1 @ np.maximum(W0 @ point + b0, 0) + b1
            return z[label] - z[1 - label]

        train = [margin(p, k) for p, k in zip(data.x_train, data.y_train, strict=True)]
        test = [margin(p, k) for p, k in zip(data.x_test, data.y_test, strict=True)]
        assert x[r] == pytest.approx(math.log(np.mean([math.log1p(math.exp(-m)) for m in train])))
        assert accuracy[r] == np.mean([m > 0 for m in test])
        ln = math.log(np.mean([math.log1p(math.exp(-m)) for m in test]))
        assert ln_test[r] == pytest.approx(ln)
        assert smoothed[r] == pytest.approx(np.mean([1 / (1 + math.exp(-3 * m)) for m in test]))
        assert tiny_task.observe_one(theta[r]) == pytest.approx((x[r], accuracy[r]))


def test_the_fast_system_observes_the_same(rng):
    from wlnn.wlmc import driver as kernels

    task = load_task("spiral-classify", layers=2, width=3, points=6)
    problem = task.problem()
    system = problem.system("float64")
    for theta in rng.uniform(problem.lo, problem.hi, (3, problem.n_parameters)):
        x, y = kernels.refresh(system, theta)
        found = kernels.x_value(system, x), y
        assert found == pytest.approx(problem.observe(theta), rel=1e-6)


def test_zero_loss_is_minus_infinity_and_no_warning():
    data = Dataset([[1.0]], [0.0], [[1.0]], [1.0], {})
    task = Task("t", data, FNN((1, 1)), GRID, "ln-test-loss", "squared-error")
    assert task.observe_one(np.zeros(2)) == (-np.inf, 0.0)


def test_the_description_is_json_and_rebuilds_the_task(tiny_task):
    about = json.loads(json.dumps(tiny_task.describe()))
    assert about["task"] == "spiral-classify"
    assert about["network"]["sizes"] == [2, 2, 2]
    assert about["parameters"] == 12
    assert about["points"] == [4, 4]
    again = load_task(
        about["task"], seed=about["data"]["seed"], layers=1, width=2, points=about["data"]["points"]
    )
    np.testing.assert_array_equal(again.data.x_test, tiny_task.data.x_test)
    assert tiny_task.problem().about == tiny_task.describe()
    assert "alpha" in dataclasses.replace(tiny_task, y="smoothed-accuracy").describe()


def test_only_fully_connected_networks_have_a_fast_system(tiny_task):
    assert tiny_task.problem().system is not None
    assert dataclasses.replace(tiny_task, y="smoothed-accuracy").problem().system is None

    class Own:
        n_parameters = 2

        def forward(self, xp, theta, x):
            return xp.stack([theta[:, :1] * x[:, 0], theta[:, 1:] * x[:, 1]], axis=-1), None

        def bounds(self, rule, c):
            return np.full(2, c)

        def describe(self):
            return {"family": "own"}

    problem = dataclasses.replace(tiny_task, network=Own(), bound_factor=3.0).problem()
    assert problem.system is None
    assert problem.hi.tolist() == [3, 3]
    x, y = problem.observe(np.array([0.5, -0.5]))
    assert np.isfinite(x)
    assert y in np.arange(5) / 4


def test_a_problem_of_a_task_can_be_sent_to_another_process(tiny_task):
    import pickle

    problem = pickle.loads(pickle.dumps(tiny_task.problem()))
    assert problem.observe(np.zeros(12)) == tiny_task.observe_one(np.zeros(12))


@pytest.mark.parametrize("n", [1, 4, 40, 100, 101, 113, 201, 250, 2500])
def test_accuracies_have_bins_of_equal_counts(n):
    axis = accuracy_axis(n)
    bins = axis.index(np.arange(n + 1) / n)
    assert bins.min() == 0
    assert bins[-1] == axis.n - 1
    sizes = np.bincount(bins)
    assert set(sizes[1:]) == {sizes[-1]}  # only the lowest bin may be cut off
    assert sizes[0] <= sizes[-1]
    assert axis.n <= 101
    assert n <= 100 or axis.n > 50
    means = np.array([np.mean(np.flatnonzero(bins == k)) / n for k in range(1, axis.n)])
    np.testing.assert_allclose(axis.centres[1:], means, atol=1e-12)


def test_grids_of_the_three_test_quantities():
    grid = make_grid(GridSettings(), 40)
    assert grid.shape == (160, 41)
    assert grid.x.centres[0] == pytest.approx(-6.975)
    smooth = make_grid(GridSettings(y="smoothed-accuracy", y_width=0.02), 40).y
    assert smooth.index([0.0, 0.01999, 1.0]).tolist() == [0, 1, 50]
    loss = make_grid(GridSettings(y="ln-test-loss", y_low=-5, y_high=3), 40).y
    assert (loss.n, loss.lo, loss.name) == (80, -5.0, "ln test loss")


def test_x_may_be_the_train_accuracy_in_bins_centred_on_it():
    task = load_task("spiral-classify", layers=1, width=3, points=8, x="train-accuracy")
    problem = task.problem()
    assert problem.grid.shape == (9, 9)
    assert problem.names == ("train accuracy", "test accuracy")
    assert task.describe()["x"] == "train-accuracy"
    theta = np.random.default_rng(0).uniform(problem.lo, problem.hi, (50, problem.n_parameters))
    x, _ = task.observe(theta)
    outputs, _ = task.network.forward(np, theta, task.data.x_train)
    right = (outputs.argmax(axis=2) == task.data.y_train).sum(axis=1)
    np.testing.assert_array_equal(problem.grid.x.index(x), right)
    assert len(np.unique(right)) > 2
    for wrong, words in (
        ({"x": "accuracy"}, "x must be one of"),
        ({"x": "train-accuracy", "y": "ln-test-loss", "loss": "squared-error",
          "data": spiral_regress(0, 8), "network": FNN((2, 1))}, "with real targets x must be"),
    ):  # fmt: skip
        with pytest.raises(UserError, match=words):
            dataclasses.replace(task, **wrong)
    smooth = dataclasses.replace(task, y="smoothed-accuracy")
    with pytest.raises(UserError, match="x = train accuracy has no gradient"):
        NetworkVariables(smooth)


def test_options_and_settings_of_a_named_task():
    settings = read_table("spiral-classify", "quick", ["network.width=8"])
    task = load_task("spiral-classify", seed=5, settings=settings, test_radii="even", logits=1)
    assert task.network.sizes == (2, 8, 8, 8, 1)
    assert task.data.source["seed"] == 5
    assert task.data.source["test_radii"] == "even"
    assert task.grid.x.width == pytest.approx(0.1)
    spirals, files = {"spiral-classify", "spiral-regress"}, set(catalogue.FILES)
    assert set(TASKS) == spirals | files | {"context-select"}
    with pytest.raises(UserError, match="no task 'spiral'; use one of spiral-classify"):
        load_task("spiral")
    with pytest.raises(UserError, match="no task 'own'"):
        load_task("own")
    with pytest.raises(UserError, match="'wide'; did you mean 'width'"):
        load_task("spiral-classify", wide=3)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"loss": "hinge"}, "loss must be"),
        ({"loss": "squared-error"}, "real targets"),
        ({"y": "accuracy"}, "y must be one of"),
        ({"network": FNN((3, 2, 2))}, "inputs of 2 columns"),
        ({"network": FNN((2, 2, 3))}, "1 or 2 outputs, not 3"),
        ({"data": spiral_regress(0, 4), "loss": "squared-error"}, "must be 'ln-test-loss'"),
        ({"data": spiral_regress(0, 4)}, "integer labels"),
        ({"bound_rule": "height"}, "box rule"),
        ({"bound_factor": -1.0}, "box constant"),
    ],
)
def test_parts_that_do_not_fit_are_refused(tiny_task, change, words):
    with pytest.raises(UserError, match=words):
        dataclasses.replace(tiny_task, **change).problem()


def write(path, header, rows):
    path.write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]))
    return path


def test_a_csv_task_fits_its_files(tmp_path, rng):
    rows = rng.normal(size=(12, 3)).round(3)
    labels = np.arange(12) % 3
    a = write(tmp_path / "my data.csv", "u,v,w,kind", np.column_stack([rows, labels]))
    task = task_from_csv(a, a, "kind", hidden=(5,), x_low=-4, activation="tanh")
    assert task.network.sizes == (3, 5, 3)
    assert task.network.activation == "tanh"
    assert task.name == "my-data-kind"
    assert task.y == "test-accuracy"
    assert task.grid.y.n == 13
    two = write(tmp_path / "b.csv", "u,v,w,kind", np.column_stack([rows, labels % 2]))
    assert task_from_csv(two, two, "kind").network.sizes == (3, 8, 8, 2)
    assert task_from_csv(two, two, "kind", logits=1).network.sizes == (3, 8, 8, 1)
    real = task_from_csv(a, a, "w", hidden=())
    assert real.network.sizes == (3, 1)
    assert (real.loss, real.y) == ("squared-error", "ln-test-loss")
    assert np.isfinite(real.observe(np.ones((2, 4)))).all()
    with pytest.raises(UserError, match="hidden"):
        task_from_csv(a, a, "kind", hidden=(5, 0))
    with pytest.raises(UserError, match="no target column"):
        task_from_csv(a, a, "x")


OWN = """
import helper
import numpy as np
from wlnn.landscape.grid import Axis, Grid
from wlnn.tasks.problem import Problem

grid = Grid(Axis("x", 0.0, 1.0, 4), Axis.single())
mine = Problem("mine", np.zeros(2), np.ones(2), grid, helper.observe)
number = 3
"""


def test_a_task_of_a_python_file(tmp_path):
    (tmp_path / "helper.py").write_text("def observe(theta):\n    return max(theta), 0.0\n")
    own = tmp_path / "own.py"
    own.write_text(OWN)
    problem = task_from_file(f"{own}:mine")
    assert isinstance(problem, Problem)
    assert problem.observe(np.array([0.25, 0.5])) == (0.5, 0.0)
    for reference, words in (
        (f"{own}", "write path.py:name"),
        (f"{own}:", "write path.py:name"),
        ("mine", "write path.py:name"),
        (f"{tmp_path}/none.py:mine", "no such file"),
        (f"{own}:yours", "there is no 'yours'; tasks there are mine"),
        (f"{own}:number", "'number' is of type int"),
    ):
        with pytest.raises(UserError, match=words):
            task_from_file(reference)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a = 1\nb = a / 0\n", "line 2: ZeroDivisionError: division by zero"),
        ("a = = 1\n", "line 1: SyntaxError"),
        ("import nothing_of_this_name\n", "line 1: ModuleNotFoundError"),
        ("\n\nraise SystemExit(3)\n", "line 3: SystemExit: 3"),
        ("task = 1", "'task' is of type int"),
        ("", "no task is defined there"),
    ],
)
def test_faults_in_a_python_file_are_told_with_their_line(tmp_path, text, words):
    path = tmp_path / "own.py"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        task_from_file(f"{path}:task")
    assert words in str(error.value)
    assert "own.py" in str(error.value)


@pytest.mark.parametrize(
    ("task", "option"),
    [
        ("mnist", {"layers": 4}),
        ("spiral-regress", {"logits": 1}),
        ("spiral-classify", {"scale": "unit"}),
        ("context-select", {"width": 3}),
    ],
)
def test_an_option_that_a_task_does_not_read_is_refused(task, option):
    (name,) = option
    with pytest.raises(UserError, match=rf"{name} has no effect on task '{task}'"):
        load_task(task, **option)
