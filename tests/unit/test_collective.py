"""Collective variables: values against the losses, the whole force against finite differences,
and the compiled network against both."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks import losses
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import Dataset, spiral_classify, spiral_regress
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task

GRID = Grid(Axis("x", -5.0, 1.0, 10), Axis("y", -5.0, 3.0, 10))
REGRESSION = spiral_regress(0, 11)
CLASSES = spiral_classify(0, 10)
X, Y = np.random.default_rng(0).normal(size=(2, 11, 3))
THREEFOLD = Dataset(REGRESSION.x_train, X, REGRESSION.x_test, Y)


def regression(sizes=(2, 5, 4, 1), activation="tanh"):
    data = REGRESSION if sizes[-1] == 1 else THREEFOLD
    return Task("r", data, FNN(sizes, activation), GRID, "ln-test-loss", "squared-error")


def classification(y, logits=2, sizes=(2, 5, 4), activation="tanh"):
    return Task("c", CLASSES, FNN((*sizes, logits), activation), GRID, y)


CHAINS = {  # every coordinate of the sampler
    "ln test loss, regression": lambda: NetworkVariables(regression()),
    "ln test loss, two logits": lambda: NetworkVariables(classification("ln-test-loss")),
    "ln test loss, one logit": lambda: NetworkVariables(classification("ln-test-loss", 1)),
    "accuracy, logit axis": lambda: NetworkVariables(classification("smoothed-accuracy"), "logit"),
    "accuracy, scaled axis": lambda: NetworkVariables(
        classification("smoothed-accuracy"), "scaled"
    ),
    "accuracy, plain axis": lambda: NetworkVariables(classification("smoothed-accuracy"), "plain"),
    "accuracy, one logit": lambda: NetworkVariables(classification("smoothed-accuracy", 1)),
    "deep, silu": lambda: NetworkVariables(regression((2, 3, 5, 4, 1), "silu")),
    "one hidden layer": lambda: NetworkVariables(regression((2, 7, 1), "relu")),
    "three targets": lambda: NetworkVariables(regression((2, 5, 4, 3))),
    "linear": lambda: NetworkVariables(regression((2, 1))),
}


def random_theta(variables, walkers=2):
    rng = np.random.default_rng(3)
    bounds = variables.task.network.bounds()
    return rng.uniform(-1, 1, (walkers, bounds.size)) * bounds


@pytest.mark.parametrize("name", CHAINS)
def test_backward_is_the_gradient_of_the_mixture(name):
    variables = CHAINS[name]()
    theta = random_theta(variables)
    ux, uy = np.array([1.3, -0.4]), np.array([-0.7, 2.1])
    *_, tape = variables.evaluate(np, theta)
    gradient = variables.backward(np, tape, ux, uy)

    def mixture(at):
        x, y, _, _ = variables.evaluate(np, at)
        return ux * x + uy * y

    for k in range(theta.shape[1]):
        step = np.zeros(theta.shape[1])
        step[k] = 1e-6
        expected = (mixture(theta + step) - mixture(theta - step)) / 2e-6
        np.testing.assert_allclose(gradient[:, k], expected, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", [name for name in CHAINS if name != "linear"])
@pytest.mark.parametrize("activation", ["relu", "tanh", "silu"])
def test_the_compiled_network_is_the_same_function(name, activation):
    from wlnn.wlmd import driver as wlmd_kernels

    task = CHAINS[name]().task
    network = FNN(task.network.sizes, activation)
    task = Task("t", task.data, network, GRID, task.y, task.loss)
    variables = NetworkVariables(task, CHAINS[name]().axis_name)
    theta = random_theta(variables, 1)
    x, y, accuracy, tape = variables.evaluate(np, theta)
    gradient = variables.backward(np, tape, np.array([1.3]), np.array([-0.7]))[0]
    system = variables.problem().gradient_system()
    found = wlmd_kernels.evaluate(system, theta[0])
    wlmd_kernels.backward(system, 1.3, -0.7)
    expected = (x[0], y[0], 0.0 if accuracy is None else accuracy[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=2e-6)
    np.testing.assert_allclose(system.gradient, gradient, atol=1e-5 * np.abs(gradient).max())


def test_values():
    variables = CHAINS["accuracy, logit axis"]()
    task = variables.task
    theta = random_theta(variables)
    x, y, accuracy, _ = variables.evaluate(np, theta)
    train, _ = task.network.forward(np, theta, CLASSES.x_train)
    test, _ = task.network.forward(np, theta, CLASSES.x_test)
    smoothed = losses.smoothed_accuracy(np, test, CLASSES.y_test, 5.0)
    q = 1e-4 + (1 - 2e-4) * smoothed
    np.testing.assert_allclose(x, np.log(losses.cross_entropy(np, train, CLASSES.y_train)))
    np.testing.assert_allclose(y, np.log(q / (1 - q)))
    np.testing.assert_allclose(accuracy, losses.accuracy(np, test, CLASSES.y_test))
    np.testing.assert_allclose(variables.axis.inverse(np, y), smoothed, rtol=1e-12)
    scaled = CHAINS["accuracy, scaled axis"]()
    np.testing.assert_allclose(scaled.evaluate(np, theta)[1], 10 * smoothed)
    np.testing.assert_allclose(scaled.axis.inverse(np, 10 * smoothed), smoothed)


def test_a_perfect_fit_stays_finite():
    variables = CHAINS["linear"]()
    data = REGRESSION
    perfect = Task(
        "p",
        type(data)(data.x_train, 0 * data.y_train, data.x_test, 0 * data.y_test, {}),
        FNN((2, 1)),
        GRID,
        "ln-test-loss",
        "squared-error",
    )
    variables = NetworkVariables(perfect)
    x, y, _, tape = variables.evaluate(np, np.zeros((1, 3)))
    assert np.isfinite([x[0], y[0]]).all()
    assert np.isfinite(variables.backward(np, tape, np.ones(1), np.ones(1))).all()


def test_what_is_not_smooth_is_refused():
    with pytest.raises(UserError, match="smooth"):
        NetworkVariables(classification("test-accuracy"))
    with pytest.raises(UserError, match="accuracy axis"):
        NetworkVariables(classification("smoothed-accuracy"), "square")
