"""The network families: fully connected, and the two for images.

No data, no loss: a network maps parameters and inputs to outputs, and output gradients back to
parameter gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wlnn.base.errors import UserError
from wlnn.networks.fnn import FNN
from wlnn.networks.layered import LayerNetwork, ListedNetwork, Sketch


@dataclass(frozen=True)
class CNN(LayerNetwork):
    """Five 3 x 3 convolutions with ReLU, three 2 x 2 max pools and a dense layer (paper, Fig. 2b).

    All convolutions have ``channels`` channels, a bias, stride 1 and padding 1; the pools follow
    the first, third and fifth: 28 x 28 -> 14 -> 7 -> 3. Parameters: 36 c^2 + 105 c + 10 for one
    input channel and 28 x 28 pixels, 362 for c = 2.

    Examples:
        >>> import wlnn
        >>> wlnn.CNN(2).n_parameters
        362
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

    Examples:
        >>> import wlnn
        >>> wlnn.ResNet10().n_parameters
        43604
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
        return FNN(tuple(about["sizes"]), about["activation"], about.get("names", ()))
    if about.get("family") == "cnn":
        return CNN(about["channels"], tuple(about["image"]), about["classes"])
    if about.get("family") == "resnet10":
        return ResNet10(tuple(about["channels"]), tuple(about["image"]), about["classes"])
    if about.get("family") == "layers":
        return ListedNetwork.described(about)
    return None
