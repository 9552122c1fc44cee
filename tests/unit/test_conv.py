"""Image layers and networks against PyTorch's arrays, central differences and their formulas."""

from pathlib import Path

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks import convolutions as conv
from wlnn.networks import layered as graph
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10, network_from
from wlnn.networks.losses import cross_entropy, cross_entropy_back
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task

GOLDEN = np.load(Path(__file__).parents[1] / "golden" / "images.npz")
SMALL = {
    "cnn": CNN(2, (2, 9, 8), 3),
    "resnet": ResNet10((2, 3), (2, 4, 4), 3),
    "resnet, four blocks": ResNet10((1, 2, 2, 3), (1, 8, 8)),
}


def golden(case):
    return {
        key.partition(".")[2]: GOLDEN[key].astype(float)
        for key in GOLDEN.files
        if key.startswith(f"{case}.")
    }


def weight(shape):
    """The same weight as in the golden file."""
    return np.linspace(-1, 1, np.prod(shape)).reshape(shape)


def numerical(scalar, array, h=1e-6):
    """Central differences of ``scalar()`` by every entry of ``array`` (changed and restored)."""
    gradient = np.empty_like(array)
    for k in np.ndindex(array.shape):
        value = array[k]
        array[k] = value + h
        up = scalar()
        array[k] = value - h
        gradient[k] = (up - scalar()) / (2 * h)
        array[k] = value
    return gradient


def near(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, atol=3e-7 * scale, rtol=0)


@pytest.mark.parametrize(
    ("case", "stride", "padding"), [("conv", 1, 1), ("conv_stride", 2, 1), ("conv_1x1", 2, 0)]
)
def test_convolution_is_that_of_pytorch(case, stride, padding):
    known = golden(case)
    h, W = known["h"], known["W"][None]
    z = conv.conv2d(np, h, W, known["b"][None] if "b" in known else None, stride, padding)
    near(z[0], known["value"])
    dz = weight(z.shape)
    dh, dW, db = conv.conv2d_back(np, dz, h, W, stride, padding)
    near(dh[0], known["dh"])
    near(dW[0], known["dW"])
    if "b" in known:
        near(db[0], known["db"])
    for short, full in zip(
        conv.conv2d_parameters_back(np, dz, h, W, stride, padding), (dW, db), strict=True
    ):
        np.testing.assert_array_equal(short, full)


def test_pools_are_those_of_pytorch():
    for case, function, back, window in (
        ("max_pool", conv.max_pool, conv.max_pool_back, 2),
        ("average_pool", conv.average_pool, conv.average_pool_back, 4),
    ):
        known = golden(case)
        value = function(np, known["h"], window)
        near(value, known["value"])
        near(back(np, weight(value.shape), known["h"], window), known["dh"])


def test_norm_is_that_of_pytorch():
    known = golden("norm")
    scale = known["scale"][None]
    z, tape = conv.channel_norm(np, known["h"][None], scale, known["shift"][None])
    near(z[0], known["value"])
    found = conv.channel_norm_back(np, weight(z.shape), scale, tape)
    for gradient, key in zip(found, ("dh", "dscale", "dshift"), strict=True):
        near(gradient[0], known[key])


@pytest.mark.parametrize(
    ("case", "network"),
    [
        ("cnn2", CNN(2)),
        ("cnn3", CNN(3)),
        ("resnet", ResNet10((4, 6, 8, 12), (3, 16, 16))),
    ],
)
def test_networks_are_those_of_pytorch(case, network):
    """Logits and every gradient; the parameters lie in PyTorch's order of the same network."""
    known = golden(case)
    labels = known["labels"].astype(int)
    outputs, tape = network.forward(np, known["theta"][None], known["x"] / 255)
    near(outputs[0], known["logits"])
    gradient = network.backward(np, cross_entropy_back(np, outputs, labels), tape)
    near(gradient[0], known["gradient"])


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize("stride", [1, 2])
def test_convolution_of_several_walkers(stride, shared):
    rng = np.random.default_rng(0)
    h = rng.normal(size=(3, 2, 5, 5) if shared else (2, 3, 2, 5, 5))
    W, b = rng.normal(size=(2, 3, 2, 3, 3)), rng.normal(size=(2, 3))
    dz = rng.normal(size=conv.conv2d(np, h, W, b, stride, 1).shape)
    for walker in range(2):
        own = h if shared else h[walker]
        one = conv.conv2d(np, own, W[walker : walker + 1], b[walker : walker + 1], stride, 1)
        np.testing.assert_allclose(conv.conv2d(np, h, W, b, stride, 1)[walker], one[0])
    dh, dW, db = conv.conv2d_back(np, dz, h, W, stride, 1)

    def scalar():
        return float((dz * conv.conv2d(np, h, W, b, stride, 1)).sum())

    for gradient, array in ((dh.sum(0) if shared else dh, h), (dW, W), (db, b)):
        np.testing.assert_allclose(gradient, numerical(scalar, array), atol=1e-7)


def test_a_convolution_by_its_formula():
    rng = np.random.default_rng(0)
    h, W, b = rng.normal(size=(2, 3, 6, 7)), rng.normal(size=(1, 4, 3, 3, 3)), np.ones((1, 4))
    z = conv.conv2d(np, h, W, b, 2, 1)
    assert z.shape == (1, 2, 4, 3, 4)
    for n, o, i, j in np.ndindex(z.shape[1:]):
        value = 1.0
        for c, p, q in np.ndindex(3, 3, 3):
            row, column = 2 * i + p - 1, 2 * j + q - 1
            if 0 <= row < 6 and 0 <= column < 7:
                value += W[0, o, c, p, q] * h[n, c, row, column]
        assert z[0, n, o, i, j] == pytest.approx(value)


def test_the_first_of_several_largest_gets_the_gradient():
    dh = conv.max_pool_back(np, np.full((1, 1, 1), 2.0), np.zeros((1, 3, 3)))
    np.testing.assert_array_equal(dh[0], [[2, 0, 0], [0, 0, 0], [0, 0, 0]])


@pytest.mark.parametrize(
    ("network", "count", "shape"),
    [
        (CNN(2), 362, (1, 28, 28)),
        (CNN(3), 646, (1, 28, 28)),
        (CNN(4), 1002, (1, 28, 28)),
        (ResNet10(), 43_604, (3, 32, 32)),
        (ResNet10((6, 12, 12, 12)), 8492, (3, 32, 32)),  # as printed
    ],
)
def test_parameter_counts(network, count, shape):
    assert network.n_parameters == network.layout.size == count
    assert network.width == network.layout.shapes[0][0]
    assert network.layers[0].shape == shape
    assert network_from(network.describe()) == network


def test_parameters_of_the_residual_network_by_parts():
    layout = ResNet10().layout
    sizes = dict(zip(layout.names, map(np.prod, layout.shapes), strict=True))
    parts = ["conv", "block0", "block1", "block2", "block3", "dense"]
    found = [sum(n for name, n in sizes.items() if name.startswith(f"{part}.")) for part in parts]
    assert found == [162, 672, 2064, 8160, 32448, 98]


@pytest.mark.parametrize("name", SMALL)
def test_backward_is_the_gradient(name, monkeypatch):
    """By central differences, whole and with the images in parts; two walkers."""
    network = SMALL[name]
    rng = np.random.default_rng(1)
    theta = rng.uniform(-1, 1, (2, network.n_parameters)) + network.scales
    x, labels = rng.normal(size=(5, *network.layers[0].shape)), rng.integers(0, 2, 5)
    outputs, tape = network.forward(np, theta, x)
    gradient = network.backward(np, cross_entropy_back(np, outputs, labels), tape)
    for k in range(network.n_parameters):
        step = 1e-6 * (np.arange(network.n_parameters) == k)
        up, down = (
            cross_entropy(np, network.forward(np, theta + sign * step, x)[0], labels)
            for sign in (1, -1)
        )
        np.testing.assert_allclose(gradient[:, k], (up - down) / 2e-6, atol=1e-8)
    own = np.stack([x, x])
    np.testing.assert_allclose(network.forward(np, theta, own)[0], outputs, rtol=1e-12)
    monkeypatch.setattr(graph, "NUMBERS_IN_MEMORY", 1)  # one image at a time
    for images in (x, own):
        parts, tape = network.forward(np, theta, images)
        np.testing.assert_allclose(parts, outputs, rtol=1e-12)
        found = network.backward(np, cross_entropy_back(np, parts, labels), tape)
        np.testing.assert_allclose(found, gradient, rtol=1e-10, atol=1e-14)


def test_single_precision_stays_single():
    for network in SMALL.values():
        theta = np.zeros((1, network.n_parameters), np.float32)
        outputs, tape = network.forward(
            np, theta, np.ones((2, *network.layers[0].shape), np.float32)
        )
        assert outputs.dtype == np.float32
        assert network.backward(np, outputs, tape).dtype == np.float32


def test_bounds():
    """2 / sqrt(F), F = channels times k^2 of a convolution, the length of every vector."""
    network = ResNet10()
    bounds = dict(
        zip(network.layout.names, network.layout.views(network.bounds("fan_out")), strict=True)
    )
    assert bounds["conv.W"][0, 0, 0, 0] == pytest.approx(2 / 54**0.5)
    assert bounds["block1.short.W"][0, 0, 0, 0] == pytest.approx(2 / 12**0.5)
    assert bounds["block3.norm1.scale"][0] == pytest.approx(2 / 48**0.5)
    assert bounds["dense.W"][0, 0] == bounds["dense.b"][0] == pytest.approx(2**0.5)
    np.testing.assert_allclose(network.bounds("width", 3.0), 3 / 6**0.5)
    np.testing.assert_allclose(CNN(4).bounds("width"), 1.0)


def added_shapes(sketch):
    return sketch.add(0, sketch.max_pool(0))


@pytest.mark.parametrize(
    "make",
    [
        lambda: CNN(0),
        lambda: CNN(2.5),
        lambda: CNN(2, (1, 4, 4)),
        lambda: ResNet10(()),
        lambda: ResNet10((6, 12), (3, 5, 5)),
        lambda: ResNet10(image=(3, 32, 16)),
        lambda: CNN(2).bounds("fan_around"),
        lambda: ResNet10().bounds("fan_out", 0.0),
        lambda: graph.Sketch((1, 3, 3)).average_pool(0, 4),
        lambda: added_shapes(graph.Sketch((1, 4, 4))),
    ],
)
def test_bad_input_is_told(make):
    with pytest.raises(UserError):
        make()


def test_images_of_another_shape_are_told():
    with pytest.raises(ValueError, match="1 x 28 x 28"):
        CNN(2).forward(np, np.zeros((1, 362)), np.zeros((2, 28, 28)))


def test_a_task_takes_images():
    """Values and force of both collective variables; a norm's scale starts at min(1, 0.9 b)."""
    rng = np.random.default_rng(2)
    network = SMALL["resnet"]
    x, labels = rng.normal(size=(9, 2, 4, 4)), rng.integers(0, 3, 9)
    labels[:3] = range(3)
    data = Dataset(x[:5], labels[:5], x[5:], labels[5:], {})
    grid = Grid(Axis("x", -5.0, 1.0, 10), Axis("y", -5.0, 3.0, 10))
    task = Task("t", data, network, grid, "smoothed-accuracy", bound_rule="fan_out")
    variables = NetworkVariables(task)
    theta = variables.start(rng, 2)
    assert (np.abs(theta) <= variables.task.box[1]).all()
    found = network.layout.views(theta)[network.layout.names.index("block0.norm0.scale")]
    np.testing.assert_allclose(found, min(1, 0.9 * 2 / 2**0.5))
    theta = rng.uniform(-1, 1, theta.shape) * variables.task.box[1]
    ux, uy = np.array([1.3, -0.4]), np.array([-0.7, 2.1])
    *_, tape = variables.evaluate(np, theta)
    gradient = variables.backward(np, tape, ux, uy)
    for k in range(network.n_parameters):
        step = 1e-6 * (np.arange(network.n_parameters) == k)
        (up_x, up_y, *_), (x_down, y_down, *_) = (
            variables.evaluate(np, theta + sign * step) for sign in (1, -1)
        )
        expected = (ux * (up_x - x_down) + uy * (up_y - y_down)) / 2e-6
        np.testing.assert_allclose(gradient[:, k], expected, rtol=1e-5, atol=1e-7)
    with pytest.raises(UserError, match=r"inputs of 2 x 4 x 4 \(images of 1 x 28 x 28"):
        Task("t", data, CNN(2), grid, "smoothed-accuracy")


def test_descriptions_of_every_family():
    assert network_from(FNN((2, 3, 1)).describe()) == FNN((2, 3, 1))
    assert network_from({"family": "my own"}) is None
