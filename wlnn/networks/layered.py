"""Networks written as a list of layers, each of which names the values it reads.

:class:`Sketch` writes such a list, :class:`LayerNetwork` runs it forwards and backwards; the
compiled sampler reads the same list (``compiled/layered.py``). No particular network is known here.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.networks import convolutions as conv
from wlnn.networks.layers import ACTIVATIONS, dense, dense_back
from wlnn.networks.parameters import Layout, box

# Of all layers' outputs at a time; more images than that come in parts. On a device, where every
# part costs launches, half a gigabyte. Both are fixed: the parts decide the order of sums.
NUMBERS_IN_MEMORY, NUMBERS_ON_DEVICE = 2**24, 2**27


class Layer(NamedTuple):
    """One layer: what it does, which values it reads, and the value it makes for every image."""

    kind: str  # "input", or a key of KINDS
    reads: tuple[int, ...]  # places in the list
    shape: tuple[int, ...]  # of its output: (C, H, W), or (K,) of rows of numbers
    tensors: tuple[int, ...] = ()  # places in the layout
    size: int = 0  # of a convolution's kernel, or of a pool's window
    stride: int = 1
    padding: int = 0


class Sketch:
    """A list of layers in the making; every method adds one and returns its place in the list.

    It begins with the inputs, at place 0: images ``(C, H, W)``, or rows of ``(d,)`` numbers.

    Examples:
        >>> import wlnn
        >>> sketch = wlnn.Sketch((1, 8, 8))  # channels, rows, columns of the images: place 0
        >>> at = sketch.conv(0, 4, "conv")
        >>> at = sketch.dense(sketch.max_pool(sketch.relu(at)), 3, "dense")
        >>> [layer.kind for layer in sketch.layers]
        ['input', 'conv', 'relu', 'max_pool', 'dense']"""

    def __init__(self, shape: tuple[int, ...]):
        self.layers = [Layer("input", (), tuple(shape))]
        self.names: list[str] = []
        self.shapes: list[tuple[int, ...]] = []

    @property
    def layout(self) -> Layout:
        """The tensors in the order in which they were added."""
        return Layout(tuple(self.names), tuple(self.shapes))

    def _add(self, kind, reads, shape, tensors=(), size=0, stride=1, padding=0) -> int:
        if min(shape) < 1:
            raise UserError(f"a {kind} layer would have outputs of shape {tuple(shape)}.")
        places = tuple(range(len(self.names), len(self.names) + len(tensors)))
        for name, of_shape in tensors:
            self.names.append(name)
            self.shapes.append(of_shape)
        self.layers.append(Layer(kind, reads, tuple(shape), places, size, stride, padding))
        return len(self.layers) - 1

    def conv(self, at, channels, name, size=3, stride=1, bias=True, padding=None) -> int:
        """A convolution; it keeps the size of the image for stride 1, an odd kernel and no padding
        given."""
        below, H, W = self.layers[at].shape
        padding = size // 2 if padding is None else padding
        places = ((length + 2 * padding - size) // stride + 1 for length in (H, W))
        tensors = [(f"{name}.W", (channels, below, size, size))]
        if bias:
            tensors.append((f"{name}.b", (channels,)))
        return self._add("conv", (at,), (channels, *places), tensors, size, stride, padding)

    def activation(self, at, name) -> int:
        """One of the functions of ``layers.ACTIVATIONS``."""
        if name not in ACTIVATIONS:
            raise UserError(f"activation '{name}' is unknown; use one of {', '.join(ACTIVATIONS)}.")
        return self._add(name, (at,), self.layers[at].shape)

    def relu(self, at) -> int:
        """max(z, 0)."""
        return self.activation(at, "relu")

    def max_pool(self, at, window=2) -> int:
        """The largest of every window."""
        C, H, W = self.layers[at].shape
        return self._add("max_pool", (at,), (C, H // window, W // window), size=window)

    def average_pool(self, at, window) -> int:
        """The mean of every window."""
        C, H, W = self.layers[at].shape
        return self._add("average_pool", (at,), (C, H // window, W // window), size=window)

    def norm(self, at, name) -> int:
        """Layer normalisation over the channels of every pixel, or the numbers of a row."""
        shape = self.layers[at].shape
        return self._add(
            "norm", (at,), shape, [(f"{name}.scale", shape[:1]), (f"{name}.shift", shape[:1])]
        )

    def add(self, at, other) -> int:
        """Sum of two values of one shape."""
        if self.layers[at].shape != self.layers[other].shape:
            raise UserError(
                f"values of shapes {self.layers[at].shape} and {self.layers[other].shape} cannot "
                "be added; bring them to one shape."
            )
        return self._add("add", (at, other), self.layers[at].shape)

    def dense(self, at, units, name, bias=True) -> int:
        """An affine map of all numbers of an image, channel by channel and row by row."""
        inputs = prod(self.layers[at].shape)
        tensors = [(f"{name}.W", (units, inputs)), (f"{name}.b", (units,))]
        return self._add("dense", (at,), (units,), tensors if bias else tensors[:1])


def _conv(xp, layer, inputs, tensors):
    return conv.conv2d(xp, inputs[0], *tensors, **_geometry(layer)), None


def _conv_back(xp, layer, dz, inputs, tensors, tape):
    back = conv.conv2d_parameters_back if layer.reads == (0,) else conv.conv2d_back
    *dh, dW, db = back(xp, dz, inputs[0], tensors[0], **_geometry(layer))
    return dh, (dW, db)[: len(tensors)]


def _geometry(layer):
    return {"stride": layer.stride, "padding": layer.padding}


def _pixels(h, layer):
    """Rows of numbers as images of one pixel; images as they are."""
    return h if len(layer.shape) == 3 else h[..., None, None]


def _norm(xp, layer, inputs, tensors):
    z, tape = conv.channel_norm(xp, _pixels(inputs[0], layer), *tensors)
    return z.reshape((*z.shape[:2], *layer.shape)), tape


def _norm_back(xp, layer, dz, inputs, tensors, tape):
    dh, *dtensors = conv.channel_norm_back(xp, _pixels(dz, layer), tensors[0], tape)
    return [dh.reshape(dz.shape)], dtensors


def _activation(xp, layer, inputs, tensors):
    h = ACTIVATIONS[layer.kind][0](xp, inputs[0])
    return h, h


def _activation_back(xp, layer, dz, inputs, tensors, tape):
    return [ACTIVATIONS[layer.kind][1](xp, dz, inputs[0], tape)], ()


def _dense(xp, layer, inputs, tensors):
    h, bias = _flat(inputs[0], layer, tensors), tensors[1:]
    W = tensors[0]
    return dense(xp, h, W, bias[0] if bias else xp.zeros(W.shape[:-1], W.dtype)), None


def _dense_back(xp, layer, dz, inputs, tensors, tape):
    h = inputs[0]
    dh, *dtensors = dense_back(xp, dz, _flat(h, layer, tensors), tensors[0])
    dh = dh.reshape((*dh.shape[:2], *h.shape[-3:])) if h.ndim > 3 else dh
    return [dh], dtensors[: len(tensors)]


def _flat(h, layer, tensors):
    inputs = tensors[0].shape[-1]
    return h if h.shape[-1] == inputs and h.ndim < 4 else h.reshape((*h.shape[:-3], inputs))


# What a layer does: (xp, layer, inputs, tensors) -> (output, tape), and backwards
# (xp, layer, doutput, inputs, tensors, tape) -> (dinputs, dtensors).
KINDS = {
    "conv": (_conv, _conv_back),
    "norm": (_norm, _norm_back),
    "dense": (_dense, _dense_back),
    **dict.fromkeys(ACTIVATIONS, (_activation, _activation_back)),
    "max_pool": (
        lambda xp, layer, inputs, tensors: (conv.max_pool(xp, inputs[0], layer.size), None),
        lambda xp, layer, dz, inputs, tensors, tape: (
            [conv.max_pool_back(xp, dz, inputs[0], layer.size)],
            (),
        ),
    ),
    "average_pool": (
        lambda xp, layer, inputs, tensors: (conv.average_pool(xp, inputs[0], layer.size), None),
        lambda xp, layer, dz, inputs, tensors, tape: (
            [conv.average_pool_back(xp, dz, inputs[0], layer.size)],
            (),
        ),
    ),
    "add": (
        lambda xp, layer, inputs, tensors: (inputs[0] + inputs[1], None),
        lambda xp, layer, dz, inputs, tensors, tape: ([dz, dz], ()),
    ),
}


class LayerNetwork:
    """A network that is a list of layers; a family defines ``sketch``, ``width``, ``describe``.

    Examples:
        >>> import wlnn
        >>> class Small(wlnn.LayerNetwork):
        ...     width = 4  # channels of the first layer, which the box may depend on
        ...     sketch = wlnn.Sketch((1, 8, 8))
        ...     at = sketch.relu(sketch.conv(0, 4, "conv"))
        ...     at = sketch.dense(sketch.max_pool(at), 3, "dense")
        ...
        ...     def describe(self):
        ...         return {"family": "small"}
        >>> Small().n_parameters
        235
    """

    sketch: Sketch
    width: int

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """The layers in the order in which they run; the last one makes the outputs."""
        return tuple(self.sketch.layers)

    @cached_property
    def layout(self) -> Layout:
        """Order and shapes of the parameters."""
        return self.sketch.layout

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return self.layout.size

    @property
    def scales(self) -> np.ndarray:
        """Mask ``(P,)`` of the scales of norms, which start at 1 where others start near 0."""
        counts = [prod(shape) for shape in self.layout.shapes]
        scales = {layer.tensors[0] for layer in self.layers if layer.kind == "norm"}
        return np.repeat([k in scales for k in range(len(counts))], counts)

    def bounds(self, rule: str = "width", c: float = 2.0) -> np.ndarray:
        """Half width of the box of every parameter ``(P,)``, see ``parameters.box``."""
        return box(self.layout, self.width, rule, c)

    def forward(self, xp, theta, x):
        """Outputs ``(R, N, K)`` for ``theta (R, P)`` and images ``x (N, C, H, W)``, or rows of
        numbers ``(N, d)``, and the tape.

        ``x (R, N, ...)`` gives every walker inputs of its own. Where all layers' outputs would
        fill the memory, the images run in parts; nothing of them is kept then, and
        :meth:`backward` runs each part again.

        Raises:
            ValueError: inputs of another shape.
        """
        shape = self.layers[0].shape
        if x.shape[-len(shape) :] != shape or x.ndim - len(shape) not in (1, 2):
            wanted = " x ".join(map(str, shape))
            if len(shape) == 1:
                raise ValueError(f"rows of {wanted} numbers are needed")
            raise ValueError(f"images of {wanted} (channels, rows, columns) are needed")
        tensors = self.layout.views(theta)
        numbers = sum(prod(layer.shape) for layer in self.layers) * theta.shape[0]
        step = max(1, (NUMBERS_IN_MEMORY if xp is np else NUMBERS_ON_DEVICE) // numbers)
        parts = [slice(first, first + step) for first in range(0, x.shape[-1 - len(shape)], step)]
        outputs, kept = [], None
        for part in parts:
            kept = self._run(xp, tensors, self._part(x, part))
            outputs.append(kept[0][-1])
        if len(parts) == 1:
            return outputs[0], (theta, x, parts, kept)
        return xp.concatenate(outputs, axis=1), (theta, x, parts, None)

    def _part(self, x, part):
        """Some rows of the inputs."""
        return x[(..., part, *[slice(None)] * len(self.layers[0].shape))]

    def _run(self, xp, tensors, x):
        """Every layer's output, and its tape."""
        values, tapes = [x], [None]
        for layer in self.layers[1:]:
            inputs = [values[place] for place in layer.reads]
            value, tape = KINDS[layer.kind][0](
                xp, layer, inputs, [tensors[k] for k in layer.tensors]
            )
            values.append(value)
            tapes.append(tape)
        return values, tapes

    def backward(self, xp, doutputs, tape):
        """Gradient ``(R, P)`` of a scalar per walker whose gradient by the outputs is given."""
        theta, x, parts, kept = tape
        tensors = self.layout.views(theta)
        total = 0
        for part in parts:
            values, tapes = kept or self._run(xp, tensors, self._part(x, part))
            total = total + self._run_back(xp, doutputs[:, part], tensors, values, tapes)
        return total

    def _run_back(self, xp, doutputs, tensors, values, tapes):
        gradients = [None] * len(tensors)
        waiting = [0] * len(self.layers)  # gradient by each value: the sum over those who read it
        waiting[-1] = doutputs
        for place in range(len(self.layers) - 1, 0, -1):
            layer = self.layers[place]
            dz, waiting[place] = waiting[place], None
            dinputs, dtensors = KINDS[layer.kind][1](
                xp,
                layer,
                dz,
                [values[k] for k in layer.reads],
                [tensors[k] for k in layer.tensors],
                tapes[place],
            )
            for k, gradient in zip(layer.tensors, dtensors, strict=True):
                gradients[k] = gradient
            for k, gradient in zip(layer.reads, dinputs, strict=False):  # none by the images
                waiting[k] = waiting[k] + gradient
        return self.layout.pack(xp, gradients)


@dataclass(frozen=True)
class ListedNetwork(LayerNetwork):
    """A network by its list of layers alone."""

    listed: tuple[Layer, ...]
    tensors: Layout

    @property
    def sketch(self) -> Sketch:
        """The layers."""
        sketch = Sketch(self.listed[0].shape)
        sketch.layers = list(self.listed)
        sketch.names, sketch.shapes = list(self.tensors.names), list(self.tensors.shapes)
        return sketch

    @property
    def width(self) -> int:
        """Units or channels of the first layer with weights."""
        return next(layer.shape[0] for layer in self.listed if layer.tensors)

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {
            "family": "layers",
            "title": f"{len(self.listed) - 1} layers",
            "layers": [list(layer) for layer in self.listed],
            "names": list(self.tensors.names),
            "shapes": list(self.tensors.shapes),
        }

    @classmethod
    def described(cls, about: dict) -> ListedNetwork:
        """The network of such a description."""
        layers = [
            Layer(kind, tuple(reads), tuple(shape), tuple(tensors), *geometry)
            for kind, reads, shape, tensors, *geometry in about["layers"]
        ]
        shapes = tuple(tuple(shape) for shape in about["shapes"])
        return cls(tuple(layers), Layout(tuple(about["names"]), shapes))
