"""Trees of dense layers, as JAX has them: the same function of the inputs, there and back."""

from collections import OrderedDict

import numpy as np
import pytest

import wlnn
from wlnn.base.errors import UserError
from wlnn.networks.fnn import FNN
from wlnn.runs.parameters import read_networks

NETWORK = FNN((2, 3, 3, 3, 2), "tanh")
RNG = np.random.default_rng(0)
SIZES = list(zip(NETWORK.sizes, NETWORK.sizes[1:], strict=False))
LAYERS = [(RNG.normal(size=size), RNG.normal(size=size[1])) for size in SIZES]
X = RNG.normal(size=(5, 2))


def outputs():
    """What a dense layer of JAX is: x @ kernel + bias."""
    a = X
    for k, (kernel, bias) in enumerate(LAYERS):
        a = a @ kernel + bias
        a = np.tanh(a) if k + 1 < len(LAYERS) else a
    return a


def dense(order, kernel="kernel", bias="bias", turn=False):
    """A tree of layers in the order that a dictionary happens to have."""
    return {
        f"Dense_{k}": {bias: LAYERS[k][1], kernel: LAYERS[k][0].T if turn else LAYERS[k][0]}
        for k in order
    }


TREES = {
    "flax": {"params": dense([0, 1, 2, 3])},
    "flax, sorted otherwise": {"params": {"mlp": dense([3, 1, 0, 2])}},
    "haiku": dense([0, 1, 2, 3], "w", "b"),
    "equinox": {"layers": [dense([k], "weight", turn=True)[f"Dense_{k}"] for k in range(4)]},
    "pairs": LAYERS,
    "ordered": OrderedDict(dense([2, 3, 0, 1])),
}


@pytest.mark.parametrize("name", TREES)
def test_a_tree_is_the_same_function_and_comes_back(name):
    theta = wlnn.theta_from_tree(NETWORK, TREES[name])
    found, _ = NETWORK.forward(np, theta[None], X)
    np.testing.assert_allclose(found[0], outputs(), rtol=1e-12)
    tree = wlnn.tree_from_theta(NETWORK, 2 * theta, TREES[name])
    assert type(tree) is type(TREES[name])
    np.testing.assert_array_equal(wlnn.theta_from_tree(NETWORK, tree), 2 * theta)


def test_layers_are_in_the_order_of_their_numbers():
    """Dense_10 is behind Dense_9."""
    network = FNN((2, *[2] * 11, 1), "relu")
    tree = {
        f"Dense_{k}": {"kernel": np.full((2, 2 - (k == 11)), k), "bias": np.full(2 - (k == 11), k)}
        for k in sorted(range(12), key=str)
    }
    assert (np.diff(wlnn.theta_from_tree(network, tree)) >= 0).all()


def test_a_flat_tree_in_a_file_is_a_network(tmp_path):
    flat = {
        f"params/Dense_{k}/{name}": array
        for k, layer in enumerate(LAYERS)
        for name, array in zip(("kernel", "bias"), layer, strict=True)
    }
    np.savez(tmp_path / "net.npz", **flat)
    (found,) = read_networks(tmp_path / "net.npz", NETWORK.layout, NETWORK.n_parameters)
    np.testing.assert_array_equal(found.theta, wlnn.theta_from_tree(NETWORK, LAYERS))


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        ({"Dense_0": {"scale": np.ones(3)}}, "tree: 'Dense_0/scale' is neither weight nor bias"),
        ({"Conv_0": {"kernel": np.ones((3, 3, 1, 2))}}, "see images in another order"),
        (LAYERS[:2], "holds 4 tensors, this task's network has 8"),
        ([(kernel.T, bias) for kernel, bias in LAYERS], r"has shape \(2, 3\), and .* has \(3, 2\)"),
        (np.ones(3), "'the whole' is neither"),
        ({}, "holds 0 tensors"),
    ],
)
def test_other_trees_are_told(tree, said):
    with pytest.raises(UserError, match=said):
        wlnn.theta_from_tree(NETWORK, tree)
    with pytest.raises(UserError, match=r"an array of shape \(41,\) is needed"):
        wlnn.tree_from_theta(NETWORK, np.ones(3), LAYERS)
