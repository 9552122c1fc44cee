"""The network families: fully connected, and the two for images.

No data, no loss: a network maps parameters and inputs to outputs, and output gradients back to
parameter gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wlnn.errors import UserError
from wlnn.graph import LayerNetwork, Sketch
from wlnn.layers import ACTIVATIONS, dense, dense_back, dense_parameters_back
from wlnn.layout import Layout, box


@dataclass(frozen=True)
class FNN:
    """Fully connected network with one activation after every layer but the last.

    ``sizes`` are inputs, hidden widths, outputs; the parameters lie layer by layer, the weight
    ``W (out, in)`` row by row, then the bias ``b (out,)``.
    """

    sizes: tuple[int, ...]
    activation: str = "relu"

    def __post_init__(self):
        object.__setattr__(self, "sizes", tuple(int(size) for size in self.sizes))
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise UserError(
                f"network sizes {self.sizes}: give at least inputs and outputs, all positive."
            )
        if self.activation not in ACTIVATIONS:
            raise UserError(
                f"activation '{self.activation}' is unknown; use one of {', '.join(ACTIVATIONS)}."
            )

    @cached_property
    def layout(self) -> Layout:
        """Order and shapes of the parameters."""
        names, shapes = [], []
        for layer, (n_in, n_out) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            names += [f"W{layer}", f"b{layer}"]
            shapes += [(n_out, n_in), (n_out,)]
        return Layout(tuple(names), tuple(shapes))

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return self.layout.size

    @property
    def width(self) -> int:
        """Units W of the first hidden layer (of the output where there is none)."""
        return self.sizes[1]

    def forward(self, xp, theta, x):
        """Outputs ``(R, N, K)`` for ``theta (R, P)`` and inputs ``x (N, d)``, and the tape.

        The tape holds what :meth:`backward` needs: input, pre-activation and weight of each layer.
        """
        function, _ = ACTIVATIONS[self.activation]
        tensors = self.layout.views(theta)
        tape = []
        h = x
        for W, b in zip(tensors[0::2], tensors[1::2], strict=True):
            z = dense(xp, h, W, b)
            tape.append((h, z, W))
            h = function(xp, z)
        return z, tape  # no activation after the last layer

    def backward(self, xp, doutputs, tape):
        """Gradient ``(R, P)`` of a scalar per walker whose gradient by the outputs is given."""
        _, function_back = ACTIVATIONS[self.activation]
        gradients = []
        dz = doutputs
        for layer in range(len(tape) - 1, -1, -1):
            h, _, W = tape[layer]
            if layer == 0:
                gradients += reversed(dense_parameters_back(xp, dz, h))
                break
            dh, dW, db = dense_back(xp, dz, h, W)
            gradients += [db, dW]
            dz = function_back(xp, dh, tape[layer - 1][1], h)
        return self.layout.pack(xp, gradients[::-1])

    def bounds(self, rule: str = "width", c: float = 2.0) -> np.ndarray:
        """Half width of the box of every parameter ``(P,)``, see :func:`wlnn.layout.box`."""
        return box(self.layout, self.width, rule, c)

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {"family": "fnn", "sizes": list(self.sizes), "activation": self.activation}


@dataclass(frozen=True)
class CNN(LayerNetwork):
    """Five 3 x 3 convolutions with ReLU, three 2 x 2 max pools and a dense layer (paper, Fig. 2b).

    All convolutions have ``channels`` channels, a bias, stride 1 and padding 1; the pools follow
    the first, third and fifth: 28 x 28 -> 14 -> 7 -> 3. Parameters: 36 c^2 + 105 c + 10 for one
    input channel and 28 x 28 pixels, 362 for c = 2.
    """

    channels: int
    image: tuple[int, int, int] = (1, 28, 28)
    classes: int = 10

    def __post_init__(self):
        _check_counts("channels", (self.channels,))
        _check_counts("image", self.image)
        _check_counts("classes", (self.classes,))
        object.__setattr__(self, "image", tuple(int(length) for length in self.image))
        if len(self.image) != 3 or min(self.image[1:]) < 8:
            raise UserError(
                f"image {self.image}: give channels, rows and columns, with 8 pixels at least for "
                "three pools."
            )

    @cached_property
    def sketch(self) -> Sketch:
        """The layers."""
        sketch = Sketch(self.image)
        at = 0
        for k in range(5):
            at = sketch.relu(sketch.conv(at, self.channels, f"conv{k}"))
            if k % 2 == 0:
                at = sketch.max_pool(at)
        sketch.dense(at, self.classes, "dense")
        return sketch

    @property
    def width(self) -> int:
        """Channels of the first convolution."""
        return self.channels

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {
            "family": "cnn",
            "channels": self.channels,
            "image": list(self.image),
            "classes": self.classes,
        }


@dataclass(frozen=True)
class ResNet10(LayerNetwork):
    """Residual network of ten weight layers with layer normalisation over channels (paper, Fig. 6).

    conv3x3 and ReLU; one block for each entry of ``channels``, the first with stride 1, the others
    with 2: conv3x3 - norm - ReLU - conv3x3 - norm, plus the block's input (through a 1 x 1
    convolution where its shape changes), ReLU; average pool over all pixels that are left of a
    32 x 32 image, 4 x 4; dense. Convolutions have no bias. The default has 43 604 parameters, as
    the paper says; the channels 6, 12, 12, 12 that it prints would give 8492.
    """

    channels: tuple[int, ...] = (6, 12, 24, 48)
    image: tuple[int, int, int] = (3, 32, 32)
    classes: int = 2

    def __post_init__(self):
        object.__setattr__(self, "channels", tuple(self.channels))
        _check_counts("channels", self.channels)
        _check_counts("image", self.image)
        _check_counts("classes", (self.classes,))
        object.__setattr__(self, "image", tuple(int(length) for length in self.image))
        side = 2 ** (len(self.channels) - 1)
        if len(self.image) != 3 or self.image[1] != self.image[2] or self.image[1] % side:
            raise UserError(
                f"image {self.image}: give channels, rows and columns, the last two one and the "
                f"same multiple of {side}."
            )

    @cached_property
    def sketch(self) -> Sketch:
        """The layers."""
        sketch = Sketch(self.image)
        at = sketch.relu(sketch.conv(0, self.channels[0], "conv", bias=False))
        for k, channels in enumerate(self.channels):
            stride, name = 1 if k == 0 else 2, f"block{k}"
            inner = sketch.conv(at, channels, f"{name}.conv0", stride=stride, bias=False)
            inner = sketch.relu(sketch.norm(inner, f"{name}.norm0"))
            inner = sketch.conv(inner, channels, f"{name}.conv1", bias=False)
            inner = sketch.norm(inner, f"{name}.norm1")
            if sketch.layers[inner].shape != sketch.layers[at].shape:
                at = sketch.conv(at, channels, f"{name}.short", size=1, stride=stride, bias=False)
            at = sketch.relu(sketch.add(inner, at))
        at = sketch.average_pool(at, sketch.layers[at].shape[-1])
        sketch.dense(at, self.classes, "dense")
        return sketch

    @property
    def width(self) -> int:
        """Channels of the first convolution."""
        return self.channels[0]

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {
            "family": "resnet10",
            "channels": list(self.channels),
            "image": list(self.image),
            "classes": self.classes,
        }


def _check_counts(name, values):
    if not values or any(not isinstance(n, int | np.integer) or n < 1 for n in values):
        raise UserError(f"network {name} {values}: whole numbers above 0 are needed.")


def network_from(about: dict):
    """The network of a description made by ``describe``, or None for a family not known here."""
    if about.get("family") == "fnn":
        return FNN(tuple(about["sizes"]), about["activation"])
    if about.get("family") == "cnn":
        return CNN(about["channels"], tuple(about["image"]), about["classes"])
    if about.get("family") == "resnet10":
        return ResNet10(tuple(about["channels"]), tuple(about["image"]), about["classes"])
    return None
