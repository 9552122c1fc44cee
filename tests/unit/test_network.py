"""Layout views, parameter counts of the paper's tables, and gradients of whole networks."""

import json

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.networks.fnn import FNN
from wlnn.networks.images import network_from
from wlnn.networks.layers import ACTIVATIONS
from wlnn.networks.losses import cross_entropy, cross_entropy_back
from wlnn.networks.parameters import Layout

COUNTS = [  # paper, Tables 1-5; the house network of width 100 is printed as 33 200
    ((2, 6, 6, 6, 2), 116),
    ((2, 8, 8, 8, 2), 186),
    ((2, 6, 6, 6, 6, 2), 158),
    ((2, 8, 8, 8, 8, 2), 258),
    ((2, 6, 6, 6, 1), 109),
    ((2, 8, 8, 8, 8, 1), 249),
    ((2, 30, 30, 1), 1051),
    ((2, 100, 100, 1), 10_501),
    ((2, 300, 300, 1), 91_501),
    ((2, 1000, 1000, 1), 1_005_001),
    ((331, 10, 1), 3331),
    ((331, 20, 1), 6661),
    ((331, 50, 1), 16_651),
    ((331, 100, 1), 33_301),
    ((768, 2, 1), 1541),
    ((768, 10, 1), 7701),
    ((768, 50, 1), 38_501),
    ((768, 100, 1), 77_001),
]


@pytest.mark.parametrize(("sizes", "count"), COUNTS)
def test_parameter_counts(sizes, count):
    network = FNN(sizes)
    assert network.n_parameters == count == network.layout.size
    assert network.width == sizes[1]
    assert network.bounds().shape == (count,)


def test_views_are_views_in_the_stated_order():
    layout = FNN((2, 3, 1)).layout
    assert layout == Layout(("W0", "b0", "W1", "b1"), ((3, 2), (3,), (1, 3), (1,)))
    assert layout.offsets == (0, 6, 9, 12)
    for theta in (np.arange(13.0), np.arange(52.0).reshape(4, 13)):
        W0, b0, W1, b1 = layout.views(theta)
        for view in (W0, b0, W1, b1):
            assert np.shares_memory(view, theta)
        assert W0.shape == (*theta.shape[:-1], 3, 2)
        np.testing.assert_array_equal(W0[..., 1, 0], theta[..., 2])
        np.testing.assert_array_equal(b1[..., 0], theta[..., 12])
        W1[...] = -1
        np.testing.assert_array_equal(theta[..., 9:12], -1)
        np.testing.assert_array_equal(layout.pack(np, layout.views(theta)), theta)


@pytest.mark.parametrize(
    ("sizes", "activation"),
    [((2, 5, 4, 3), name) for name in ACTIVATIONS]
    + [((3, 4, 1), "tanh"), ((2, 2), "relu"), ((2, 5, 4, 3), ("gelu", "tanh"))],
)
def test_backward_is_the_gradient(sizes, activation):
    rng = np.random.default_rng(0)
    network = FNN(sizes, activation)
    theta = rng.normal(size=(2, network.n_parameters))
    x = rng.normal(size=(9, sizes[0]))
    labels = rng.integers(0, 2, size=9)
    outputs, tape = network.forward(np, theta, x)
    assert outputs.shape == (2, 9, sizes[-1])
    gradient = network.backward(np, cross_entropy_back(np, outputs, labels), tape)

    def loss():
        return cross_entropy(np, network.forward(np, theta, x)[0], labels)

    for k in range(network.n_parameters):
        kept = theta[:, k].copy()
        theta[:, k] = kept + 1e-6
        up = loss()
        theta[:, k] = kept - 1e-6
        down = loss()
        theta[:, k] = kept
        np.testing.assert_allclose(gradient[:, k], (up - down) / 2e-6, atol=2e-9)


def test_forward_is_the_composition_of_layers():
    network = FNN((2, 3, 1), "tanh")
    theta = np.random.default_rng(1).normal(size=(1, 13))
    W0, b0, W1, b1 = (view[0] for view in network.layout.views(theta))
    x = np.array([0.3, -0.7])
    expected = W1 @ np.tanh(W0 @ x + b0) + b1
    np.testing.assert_allclose(network.forward(np, theta, x[None])[0][0, 0], expected, rtol=1e-13)


def test_bounds():
    network = FNN((2, 16, 4, 1))
    np.testing.assert_array_equal(network.bounds(), 0.5)
    sizes = [16 * 2, 16, 4 * 16, 4, 4, 1]
    expected = np.repeat([0.75, 0.75, 1.5, 1.5, 3.0, 3.0], sizes)
    np.testing.assert_array_equal(network.bounds("fan_out", 3.0), expected)


@pytest.mark.parametrize(
    "make",
    [
        lambda: FNN((2,)),
        lambda: FNN((2, 0, 1)),
        lambda: FNN((2, 3, 1), "sine"),
        lambda: FNN((2, 3, 3, 1), ("relu", "sine")),
        lambda: FNN((2, 3, 1), ("relu", "tanh")),
        lambda: FNN((2, 3, 1), names=("W", "b", "V", "V")),
        lambda: FNN((2, 3, 1), names=("W", "b")),
        lambda: FNN((2, 3, 1)).bounds("fan_around"),
        lambda: FNN((2, 3, 1)).bounds("width", -1.0),
    ],
)
def test_bad_input_is_told(make):
    with pytest.raises(UserError):
        make()


def test_describe_makes_the_same_network_again():
    network = FNN((2, 5, 1), "silu")
    about = network.describe()
    assert FNN(tuple(about["sizes"]), about["activation"]) == network
    assert about["family"] == "fnn"
    network = FNN((2, 5, 4, 1), ["gelu", "tanh"], ["a", "b", "c", "d", "e", "f"])
    assert network_from(json.loads(json.dumps(network.describe()))) == network
    assert network.layout.names == ("a", "b", "c", "d", "e", "f")
    assert FNN((2, 5, 4, 1), ("tanh", "tanh")) == FNN((2, 5, 4, 1), "tanh")
