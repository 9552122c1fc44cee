"""Parameters of dense networks as trees of arrays, as JAX has them, and as one flat vector.

Flax and Haiku keep a dense layer as "kernel" or "w" ``(inputs, outputs)`` and "bias" or "b",
Equinox as "weight" ``(outputs, inputs)``; networks written by hand often as a list of pairs. All
that is read is the structure and the arrays: JAX is not imported, and nothing is evaluated.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import numpy as np

from wlnn.base.errors import UserError
from wlnn.networks.parameters import Layout, packed

ACROSS = ("kernel", "w")  # (inputs, outputs): the transpose of a weight of ours
WEIGHTS, BIASES = (*ACROSS, "weight"), ("bias", "b")


def theta_from_tree(network, tree) -> np.ndarray:
    """The parameter vector ``(P,)`` of a dense network from a tree of arrays.

    Examples:
        >>> import numpy as np, wlnn
        >>> network = wlnn.load_task("spiral-classify", layers=1, width=4).network
        >>> first = {"kernel": np.ones((2, 4)), "bias": np.zeros(4)}
        >>> last = {"kernel": np.ones((4, 2)), "bias": np.zeros(2)}
        >>> tree = {"params": {"Dense_0": first, "Dense_1": last}}
        >>> wlnn.theta_from_tree(network, tree).shape
        (22,)

    Args:
        network: of L dense layers, as ``Task.network``.
        tree: nested mappings, whose layers are in the order of the numbers in their names, or a
            sequence of pairs (kernel, bias).

    Raises:
        UserError: no tree of dense layers, or other shapes.
    """
    return theta_of_leaves(network.layout, dict(_leaves(tree)), "tree")


def tree_from_theta(network, theta, like):
    """The inverse of :func:`theta_from_tree`: a tree as ``like``, of NumPy arrays.

    Examples:
        >>> import numpy as np, wlnn
        >>> network = wlnn.load_task("spiral-classify", layers=1, width=4).network
        >>> like = [(np.zeros((2, 4)), np.zeros(4)), (np.zeros((4, 2)), np.zeros(2))]
        >>> (kernel, bias), _ = wlnn.tree_from_theta(network, np.arange(22.0), like)
        >>> kernel.shape, float(kernel[1, 0]), float(bias[0])
        ((2, 4), 1.0, 8.0)

    Raises:
        UserError: as :func:`theta_from_tree`, or another number of parameters.
    """
    theta = np.asarray(theta, dtype=float)
    if theta.shape != (network.n_parameters,):
        raise UserError(
            f"theta: an array of shape ({network.n_parameters},) is needed, not {theta.shape}."
        )
    leaves = dict(_leaves(like))
    theta_of_leaves(network.layout, leaves, "like")
    found = {}
    views = network.layout.views(theta)
    for path, view in zip(_in_order(leaves, "like"), views, strict=True):
        found[path] = view.T.copy() if path[-1] in ACROSS else view.copy()
    return _rebuilt(like, found)


def theta_of_leaves(layout: Layout, leaves: Mapping[tuple, np.ndarray], where) -> np.ndarray:
    """The flat vector ``(P,)`` of arrays by their path in a tree; ``where`` begins sentences."""
    arrays = {}
    for path in _in_order(leaves, where):
        array = np.asarray(leaves[path])
        if array.ndim > 2:
            raise UserError(
                f"{where}: '{'/'.join(map(str, path))}' has shape {array.shape}; trees of dense "
                "layers alone are read, since convolutions of JAX see images in another order."
            )
        arrays["/".join(map(str, path))] = array.T if path[-1] in ACROSS else array
    return packed(layout, arrays, where).astype(float)


def _leaves(tree, path: tuple = ()) -> Iterator[tuple[tuple, np.ndarray]]:
    """Arrays by their path; a pair of arrays is a kernel and its bias."""
    if isinstance(tree, Mapping):
        for name in tree:
            yield from _leaves(tree[name], (*path, str(name)))
    elif isinstance(tree, list | tuple):
        for name, part in _children(tree):
            yield from _leaves(part, (*path, name))
    else:
        yield path, tree


def _in_order(leaves: Mapping[tuple, np.ndarray], where) -> list[tuple]:
    """The paths of weight and bias of one layer after another."""

    def numbered(path: tuple) -> tuple[list, bool]:
        parts = re.split(r"(\d+)", "/".join(map(str, path[:-1])))
        return [int(part) if part.isdigit() else part for part in parts], path[-1] in BIASES

    for path in leaves:
        if not path or path[-1] not in (*WEIGHTS, *BIASES):
            name = "/".join(map(str, path)) or "the whole"
            raise UserError(
                f"{where}: '{name}' is neither weight nor bias of a dense layer; they are called "
                f"{', '.join((*WEIGHTS, *BIASES))}."
            )
    return sorted(leaves, key=numbered)


def _rebuilt(like, found: Mapping[tuple, np.ndarray], path: tuple = ()):
    """``like`` with other arrays."""
    if isinstance(like, Mapping):
        parts = {name: _rebuilt(like[name], found, (*path, str(name))) for name in like}
        return parts if type(like) is dict else type(like)(parts)
    if isinstance(like, list | tuple):
        return type(like)(_rebuilt(part, found, (*path, name)) for name, part in _children(like))
    return found[path]


def _children(tree: list | tuple) -> list[tuple]:
    """The parts of a sequence with their names in a path."""
    pair = len(tree) == 2 and not any(isinstance(part, Mapping | list | tuple) for part in tree)
    return list(zip((ACROSS[1], BIASES[1]) if pair else range(len(tree)), tree, strict=True))
