"""Where the values, gradients and parameters of a network of layers lie while the loops run.

Eight images at a time lie in the lanes of vectors of eight numbers. A value is C planes of H rows
of W such vectors, with a border of zeros where a convolution looks over the edge; its gradient
lies the same way. What is done with them is in ``image_plan.py``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled.image_steps import LANES
from wlnn.networks.layered import Layer


class Value(NamedTuple):
    """Where a value of eight images and its gradient lie."""

    shape: tuple[int, int, int]
    at: int  # pixel (0, 0) of channel 0
    gradient: int  # the same of the gradient
    row: int
    plane: int
    before: int  # numbers of the border before pixel (0, 0)


def readers_of(layers: tuple[Layer, ...]) -> list[list[int]]:
    """Of every layer the places of those that read it."""
    readers = [[] for _ in layers]
    for k, layer in enumerate(layers):
        for place in layer.reads:
            readers[place].append(k)
    return readers


class Places:
    """Gives every value of a :class:`wlnn.networks.layered.LayerNetwork` its place."""

    def __init__(self, network):
        self.layers = network.layers
        self.offsets, self.shapes = network.layout.offsets, network.layout.shapes
        self.zero = network.n_parameters  # index of a parameter that is 0
        self.readers = readers_of(self.layers)
        self.border = max(  # as far as kernels look over the edge, forwards and backwards
            (
                max(layer.padding, layer.size - 1 - layer.padding)
                for layer in self.layers
                if layer.kind == "conv"
            ),
            default=0,
        )
        self.size = 0  # numbers of the buffer
        self.places: list[int] = []  # offsets of channels and taps
        self.packed: list[int] = []  # indices of parameters in the order of the loops
        self.relus = {k for k in range(len(self.layers)) if self.ends_in_relu(k)}
        self.makers = [
            k
            for k, layer in enumerate(self.layers)
            if k and not (layer.kind == "relu" and layer.reads[0] in self.relus)
        ]
        # by place in the list of layers; 0, the images, in their own buffer
        self.values = {0: self.room(self.layers[0].shape, images=True)}
        for k in self.makers[::-1]:  # from the outputs: a sum before what it adds up
            self.values[k] = self.room(self.layers[k].shape, self.shared_gradient(k))
            if k in self.relus:
                self.values[self.readers[k][0]] = self.values[k]

    def ends_in_relu(self, k: int) -> bool:
        """Whether the loop of layer k takes the relu that follows along: nobody else reads it."""
        return self.layers[k].kind in ("conv", "dense", "norm", "add") and [
            self.layers[reader].kind for reader in self.readers[k]
        ] == ["relu"]

    def users(self, k: int) -> list[int]:
        """The layers that read what layer k makes, behind its relu if there is one."""
        return self.readers[self.readers[k][0] if k in self.relus else k]

    def below(self, k: int) -> Value:
        """What layer k reads (first)."""
        return self.values[self.layers[k].reads[0]]

    def shared_gradient(self, k: int) -> int | None:
        """The gradient of a sum is that of its terms: the same place serves, if nothing else
        is to come on top."""
        users = self.users(k)
        if k in self.relus or len(users) != 1 or self.layers[users[0]].kind != "add":
            return None
        return self.values[users[0]].gradient

    def take(self, count: int) -> int:
        """Room for so many numbers; returns where it begins."""
        self.size += count
        return self.size - count

    def room(self, shape, gradient: int | None = None, images: bool = False) -> Value:
        """Room for a value, and for its gradient where none is given."""
        border = 0 if len(shape) == 1 else self.border
        C, H, W = shape if len(shape) == 3 else (*shape, 1, 1)
        row = (W + 2 * border) * LANES
        plane = (H + 2 * border) * row
        before = border * (row + LANES)
        if images:
            return Value((C, H, W), before, 0, row, plane, before)
        at = before + self.take(C * plane)
        if gradient is None:
            gradient = before + self.take(C * plane)
        return Value((C, H, W), at, gradient, row, plane, before)

    def listed(self, offsets) -> int:
        """Put offsets on the list of places; returns where they begin."""
        self.places += [int(offset) for offset in np.ravel(offsets)]
        return len(self.places) - np.size(offsets)

    def packed_pairs(self, indices: np.ndarray) -> int:
        """Pack parameters ``(outs, taps)``: for every two outs, tap by tap, two numbers."""
        outs, taps = indices.shape
        even = np.full((outs + outs % 2, taps), self.zero)
        even[:outs] = indices
        self.packed += even.reshape(len(even) // 2, 2, taps).swapaxes(1, 2).ravel().tolist()
        return len(self.packed) - even.size

    def parameters(self, k: int, which: int) -> np.ndarray:
        """Indices of tensor number ``which`` of layer k, ``(outs, taps)``; zeros if it has none."""
        tensors, outs = self.layers[k].tensors, self.values[k].shape[0]
        if which >= len(tensors):
            return np.full((outs, 1), self.zero)
        shape = self.shapes[tensors[which]]
        return self.offsets[tensors[which]] + np.arange(np.prod(shape)).reshape(outs, -1)
