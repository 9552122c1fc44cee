"""Every loop of image networks equals the layer it is the twin of, compiled or not."""

import os
import subprocess
import sys

import numpy as np
import pytest
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import conv_loops as conv_kernels
from wlnn.networks.compiled import image_loops as image_kernels
from wlnn.networks.compiled.image_plan import make_plan, runs
from wlnn.networks.compiled.image_steps import LANES
from wlnn.networks.images import CNN, ResNet10
from wlnn.networks.layered import LayerNetwork, Sketch
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import driver as wlmd_kernels
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.surface import Walls, make_surface

GRID = Grid(Axis.of_width("x", -7.0, 5.0, 0.05), Axis.of_width("y", -13.0, 13.0, 0.05))


class Made(LayerNetwork):
    """A network of one sketch."""

    width = 2

    def __init__(self, shape, draw, outputs=3):
        self.sketch = Sketch(shape)
        self.sketch.dense(draw(self.sketch), outputs, "dense")

    def describe(self):
        return {"family": "made"}


def deep(sketch, **options):
    """Two convolutions, the second of the given kind."""
    return sketch.conv(sketch.relu(sketch.conv(0, 3, "a")), 5, "b", **options)


def pooled(sketch):
    return sketch.max_pool(
        sketch.conv(sketch.max_pool(sketch.relu(sketch.conv(0, 3, "a"))), 2, "b")
    )


def summed(sketch):
    """A sum of a norm and of what the norm's branch reads, without relu."""
    at = sketch.conv(0, 3, "a", bias=False)
    inner = sketch.norm(sketch.conv(at, 3, "b"), "norm")
    return sketch.average_pool(sketch.add(inner, at), 2)


# The networks with the loops that they need, by the names of the functions.
CASES = {
    "convolutions": (Made((2, 5, 7), deep), {"correlate", "products", "sums", "mask", "put"}),
    "stride": (Made((2, 7, 6), lambda s: deep(s, stride=2)), {"correlate", "products"}),
    "stride of 3": (Made((1, 8, 7), lambda s: deep(s, stride=3, bias=False)), {"correlate"}),
    "1 x 1": (Made((3, 4, 4), lambda s: deep(s, size=1, stride=2)), {"products"}),
    "5 x 5": (Made((1, 6, 9), lambda s: deep(s, size=5)), {"correlate", "products"}),
    "2 x 2": (Made((1, 6, 5), lambda s: deep(s, size=2)), {"correlate", "products"}),
    "pools": (Made((1, 11, 14), pooled), {"max_pool", "max_pool_back"}),
    "sums": (
        Made((2, 4, 6), summed),
        {"total_of_two", "copy", "average", "average_back", "norm", "norm_back"},
    ),
    "norm of a norm, a sum and a mean": (
        Made(
            (1, 4, 4),
            lambda s: s.norm(
                s.average_pool(
                    s.norm(s.norm(s.add(s.conv(0, 2, "a"), s.conv(0, 2, "b")), "c"), "d"), 2
                ),
                "e",
            ),
        ),
        {"norm"},
    ),
    "one output": (Made((2, 5, 7), deep, 1), {"correlate"}),
    "CNN": (CNN(3, (1, 9, 11), 4), set()),
    "ResNet": (ResNet10((2, 3), (2, 6, 6), 3), set()),
    "ResNet, four blocks": (ResNet10((3, 2, 4, 5), (3, 16, 16)), set()),
}


def variables_of(network, n=13, m=10, y="smoothed-accuracy", loss="cross-entropy", axis="logit"):
    """Real pixels, labels in turn; neither number of images is a whole number of blocks."""
    rng = np.random.default_rng(0)
    shape, classes = network.layers[0].shape, max(2, network.layers[-1].shape[0])
    truth = [np.arange(n) % classes, np.arange(m) % classes]
    if loss == "squared-error":
        outputs = network.layers[-1].shape[0]
        truth = [rng.normal(size=(n, outputs)), rng.normal(size=(m, outputs))]
    data = Dataset(
        rng.normal(size=(n, *shape)), truth[0], rng.normal(size=(m, *shape)), truth[1], {}
    )
    return NetworkVariables(Task("t", data, network, GRID, y, loss, bound_rule="fan_out"), axis)


def random_theta(variables):
    theta = variables.start(np.random.default_rng(1), 1)
    return theta + np.random.default_rng(2).uniform(-0.6, 0.6, theta.shape) * variables.task.box[1]


def pixels(cells, value, at):
    """A value of one block as ``(LANES, C, H, W)``."""
    C, H, W = value.shape
    c, i, j, lane = np.ogrid[:C, :H, :W, :LANES]
    found = cells.array[at + c * value.plane + i * value.row + j * LANES + lane]
    return found.transpose(3, 0, 1, 2)


@njit
def compiled(system, theta, ux, uy):
    """As the driver calls a system."""
    found = wlmd_kernels.evaluate(system, theta)
    found = wlmd_kernels.evaluate(system, theta)  # nothing is left over from the first time
    wlmd_kernels.backward(system, ux, uy)
    return found


def test_every_loop_has_a_case():
    loops = {
        name
        for module in (conv_kernels, image_kernels)
        for name, function in vars(module).items()
        if hasattr(function, "py_func") and not name.startswith("_")
    }
    assert loops == set().union(*(needs for _, needs in CASES.values()))


@pytest.mark.parametrize("name", CASES)
def test_every_value_of_a_block_is_that_of_the_layers(name):
    """Forwards, layer by layer; a norm's input is left centred and scaled."""
    network, _ = CASES[name]
    variables = variables_of(network)
    theta = random_theta(variables)
    system = variables.problem().gradient_system()
    compiled(system, theta[0], 0.0, 0.0)
    images = variables.task.data.x_test[LANES:]  # the last block, whose values are still there
    values, tapes = network._run(np, network.layout.views(theta), images)
    plan = make_plan(network)
    before_relu = {layer.reads[0] for layer in network.layers if layer.kind == "relu"}
    for place, layer in enumerate(network.layers):
        if layer.kind == "input" or place in before_relu:
            continue
        expected = values[place]
        readers = [k for k, other in enumerate(network.layers) if place in other.reads]
        if readers and network.layers[readers[0]].kind == "norm":
            expected = tapes[readers[0]][0]
        value = plan.values[place]
        found = pixels(system.cells, value, value.at)[: len(images)]
        np.testing.assert_allclose(found, expected[0].reshape(found.shape), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    ("y", "axis"),
    [("smoothed-accuracy", "logit"), ("smoothed-accuracy", "scaled"), ("ln-test-loss", "logit")],
)
@pytest.mark.parametrize("name", CASES)
def test_the_compiled_network_is_the_same_function(name, y, axis):
    variables = variables_of(CASES[name][0], y=y, axis=axis)
    same(variables, random_theta(variables))


def same(variables, theta):
    x, y, accuracy, tape = variables.evaluate(np, theta)
    gradient = variables.backward(np, tape, np.array([1.3]), np.array([-0.7]))[0]
    system = variables.problem().gradient_system()
    found = compiled(system, theta[0], 1.3, -0.7)
    expected = (x[0], y[0], 0.0 if accuracy is None else accuracy[0])
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose(system.gradient, gradient, atol=1e-4 * np.abs(gradient).max())


@pytest.mark.parametrize("name", ["one output", "convolutions"])
def test_real_targets_one_or_three(name):
    variables = variables_of(CASES[name][0], y="ln-test-loss", loss="squared-error")
    same(variables, random_theta(variables))


def test_walkers_share_the_images():
    variables = variables_of(CASES["CNN"][0])
    first, second = variables.problem().gradient_system(), variables.compiled()()
    assert first.images is second.images
    assert first.cells is not second.cells


@pytest.mark.parametrize("name", ["CNN", "ResNet"])
def test_a_compiled_walk_is_the_definition(name):
    problem = variables_of(CASES[name][0]).problem()
    surface = make_surface(GRID, 0.2, Walls(-4.0, 2.0, -9.0, 3.0, 50.0, 100.0))
    motion = wlmd.make_motion(problem, 1e-3, 0.01, 3)
    state = wlmd.start(problem, surface, 1, np.random.default_rng(0))
    f = np.full(40, 10.0)
    slow, fast = (
        wlmd.advance(
            problem, surface, motion, state, f, lambda walker: np.random.default_rng(1), systems
        )
        for systems in (None, [problem.gradient_system()])
    )
    np.testing.assert_allclose(fast.traces, slow.traces, atol=5e-5)
    np.testing.assert_allclose(fast.state.theta, slow.state.theta, atol=1e-5)
    np.testing.assert_allclose(fast.state.right, slow.state.right)


@pytest.mark.parametrize(
    "draw",
    [
        lambda s: s.relu(s.max_pool(s.conv(0, 2, "a"))),
        lambda s: s.add(s.max_pool(s.conv(0, 2, "a")), s.max_pool(1)),
        lambda s: s.average_pool(0, 2),
        lambda s: s.norm(s.relu(s.conv(0, 2, "a")), "n"),
        lambda s: s.norm(s.max_pool(s.conv(0, 2, "a")), "n"),
    ],
)
def test_what_the_loops_cannot_do_is_left_to_the_definition(draw):
    network = Made((1, 4, 4), draw)
    assert not runs(network.layers)
    variables = variables_of(network)
    assert variables.problem().gradient_system is None


PLAIN = """
import numpy as np
from tests_twins import CASES, random_theta, same, variables_of
for name in ("stride", "pools", "sums"):
    variables = variables_of(CASES[name][0], 3, 2)
    same(variables, random_theta(variables))
print("same")
"""


def test_the_text_of_the_loops_runs_without_compilation(tmp_path):
    with open(__file__) as text:
        (tmp_path / "tests_twins.py").write_text(text.read())
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(tmp_path)}
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", PLAIN],
        env=environment, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert found.stdout == "same\n", found.stderr
