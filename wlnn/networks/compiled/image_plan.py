"""A network of layers as a table of loops over one buffer: what the compiled sampler runs.

Eight images at a time lie in the lanes of vectors of eight numbers. A value is C planes of H rows
of W such vectors, with a border of zeros where a convolution looks over the edge; its gradient
lies the same way. Here it is decided where everything is; ``conv_kernels.py`` and
``image_kernels.py`` have the loops, ``wlmd_layers.py`` runs them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled.image_steps import (
    ADD,
    AVERAGE,
    AVERAGE_BACK,
    COPY,
    CORRELATE,
    LANES,
    MASK,
    MAX_POOL,
    MAX_POOL_BACK,
    NORM,
    NORM_BACK,
    PRODUCTS,
    SUMS,
    Step,
)
from wlnn.networks.layered import Layer


class Value(NamedTuple):
    """Where a value of eight images and its gradient lie."""

    shape: tuple[int, int, int]
    at: int  # pixel (0, 0) of channel 0
    gradient: int  # the same of the gradient
    row: int
    plane: int
    before: int  # numbers of the border before pixel (0, 0)


class PassPlan(NamedTuple):
    """Everything the loops need that does not change."""

    steps: np.ndarray  # (n, fields of Step), forward ones first
    n_forward: int
    places: np.ndarray  # offsets of channels and taps
    packed: np.ndarray  # indices of parameters in the order of the loops; P stands for a zero
    values: dict[int, Value]  # by place in the list of layers; 0, the images, in their own buffer
    size: int  # numbers of the buffer


def runs(layers: tuple[Layer, ...]) -> bool:
    """Whether the loops can run such a list of layers.

    A relu must be the only reader of a convolution, norm or sum; pools and norms the only readers
    of what they read; a norm, which works in place, must read what nothing needs afterwards; the
    images go into convolutions, and outputs come from one dense layer.
    """
    readers = readers_of(layers)
    for place, layer in enumerate(layers):
        kinds = {layers[k].kind for k in readers[place]}
        alone = len(readers[place]) == 1
        if not alone and kinds - {"conv", "add"}:
            return False
        if "relu" in kinds and layer.kind not in ("conv", "norm", "add"):
            return False
        if "norm" in kinds and layer.kind in ("relu", "max_pool"):
            return False
        if place == 0 and kinds != {"conv"}:
            return False
        if layer.kind == "dense" and place != len(layers) - 1:
            return False
    return layers[-1].kind == "dense"


def readers_of(layers: tuple[Layer, ...]) -> list[list[int]]:
    """Of every layer the places of those that read it."""
    readers = [[] for _ in layers]
    for k, layer in enumerate(layers):
        for place in layer.reads:
            readers[place].append(k)
    return readers


def make_plan(network) -> PassPlan:
    """The table of a :class:`wlnn.graph.LayerNetwork` for which :func:`runs` is true."""
    planner = _Planner(network)
    n = len(planner.makers)
    forward = [getattr(planner, f"{planner.layers[k].kind}_step")(k) for k in planner.makers]
    backward = [step for k in planner.makers[::-1] for step in planner.back(k)]
    return PassPlan(
        np.array(forward + backward, np.int64),
        n,
        np.array(planner.places, np.int64),
        np.array(planner.packed, np.int64),
        planner.values,
        planner.size,
    )


class _Planner:
    """Gives every value its place, then writes the steps of one layer after another."""

    def __init__(self, network):
        self.layers = network.layers
        self.offsets, self.shapes = network.layout.offsets, network.layout.shapes
        self.zero = network.n_parameters
        self.readers = readers_of(self.layers)
        self.border = max(layer.size // 2 for layer in self.layers if layer.kind == "conv")
        self.size = 0
        self.places: list[int] = []
        self.packed: list[int] = []
        self.begun: set[int] = set()  # gradients that some step has written
        self.norms: dict[int, dict] = {}
        self.makers = [
            k for k, layer in enumerate(self.layers) if layer.kind not in ("input", "relu")
        ]
        self.relus = {layer.reads[0] for layer in self.layers if layer.kind == "relu"}
        self.values = {0: self.room(self.layers[0].shape, images=True)}
        for k in self.makers[::-1]:  # from the outputs: a sum before what it adds up
            self.values[k] = self.room(self.layers[k].shape, self.shared_gradient(k))
            if k in self.relus:
                self.values[self.readers[k][0]] = self.values[k]

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

    # --- forwards: one step a layer -------------------------------------------------------------

    def conv_step(self, k: int) -> Step:
        """A convolution: taps are the pixels below the kernel."""
        layer, below, value = self.layers[k], self.below(k), self.values[k]
        outs, H, W = value.shape
        return Step(
            CORRELATE,
            H,
            W,
            **_at("a", below, below.at, layer.stride),
            **_at("b", value, value.at),
            n_outs=outs,
            outs=self.listed(np.arange(outs) * value.plane),
            **self.taps(k),
            weights=self.packed_pairs(self.parameters(k, 0)),
            bias=self.packed_pairs(self.parameters(k, 1)),
            relu=int(k in self.relus),
        )

    dense_step = conv_step  # one pixel, and all numbers of an image are taps

    def taps(self, k: int) -> dict:
        """Where the inputs of one pixel of layer k lie, in the order of its weights."""
        layer, below = self.layers[k], self.below(k)
        C, H, W = below.shape
        rows, columns = (H, W) if layer.kind == "dense" else (layer.size, layer.size)
        c, p, q = np.ogrid[:C, :rows, :columns]
        taps = c * below.plane + (p - layer.padding) * below.row + (q - layer.padding) * LANES
        return {
            "n_taps": taps.size,
            "taps": self.listed(taps),
            "images": int(layer.reads[0] == 0),
            "window": columns,
        }

    def over(self, kind: int, k: int, **more) -> Step:
        """A step over the pixels and channels of value k: a is what layer k reads, b its value."""
        layer, below, value = self.layers[k], self.below(k), self.values[k]
        C, H, W = value.shape
        places = {**_at("a", below, below.at), **_at("b", value, value.at), "n_outs": C}
        rest = {"relu": int(k in self.relus), "window": layer.size}
        return Step(kind, H, W, **places | rest | more)

    def add_step(self, k: int) -> Step:
        """A sum of a and c."""
        return self.over(ADD, k, c=self.values[self.layers[k].reads[1]].at)

    def norm_step(self, k: int) -> Step:
        """A norm; 1 / sqrt(variance) of every pixel is kept at d."""
        _, H, W = self.values[k].shape
        self.norms[k] = {
            "d": self.take(H * W * LANES),
            "weights": self.packed_pairs(self.parameters(k, 0)),
            "bias": self.packed_pairs(self.parameters(k, 1)),
        }
        return self.over(NORM, k, **self.norms[k])

    def max_pool_step(self, k: int) -> Step:
        """The largest of every window."""
        return self.over(MAX_POOL, k)

    def average_pool_step(self, k: int) -> Step:
        """The mean of every window."""
        return self.over(AVERAGE, k)

    # --- backwards: from the gradient of value k to those of its inputs and parameters ----------

    def back(self, k: int) -> list[Step]:
        """The steps of layer k, after that of its relu."""
        value, steps = self.values[k], []
        if k in self.relus and not self.pooled(k):
            length = value.shape[0] * value.plane
            a, b = value.at - value.before, value.gradient - value.before
            steps.append(Step(MASK, columns=length, a=a, b=b))
        return steps + getattr(self, f"{self.layers[k].kind}_back")(k)

    def pooled(self, k: int) -> bool:
        """Whether a max pool is all that reads value k; it then sees to the slope of the relu."""
        return [self.layers[user].kind for user in self.users(k)] == ["max_pool"]

    def begins(self, k: int) -> int:
        """0 for the first step that writes the gradient of what layer k reads, then 1: add."""
        place = self.below(k).gradient
        more = int(place in self.begun)
        self.begun.add(place)
        return more

    def conv_back(self, k: int) -> list[Step]:
        """Weights and bias, then the input: stride^2 classes of its pixels, with their own taps.

        The kernel's row p reaches row r of the input from row (r + padding - p) / stride of the
        gradient, where that is whole.
        """
        layer, below, value = self.layers[k], self.below(k), self.values[k]
        steps = self.parameters_back(k)
        if layer.reads[0] == 0:
            return steps
        (C, H, W), stride = below.shape, layer.stride
        indices = self.parameters(k, 0).reshape(-1, C, layer.size, layer.size)
        more = self.begins(k)
        for i, j in np.ndindex(stride, stride):
            p, q = (
                np.array([n for n in range(layer.size) if (at + layer.padding - n) % stride == 0])
                for at in (i, j)
            )
            if more and not (p.size and q.size):
                continue
            weights = indices[:, :, p.astype(int)][..., q.astype(int)]
            channels = np.arange(len(indices))[:, None, None] * value.plane
            rows = ((i + layer.padding - p) // stride)[:, None] * value.row
            taps = channels + rows + (j + layer.padding - q) // stride * LANES
            begin = below.gradient + i * below.row + j * LANES
            steps.append(
                Step(
                    CORRELATE,
                    len(range(i, H, stride)),
                    len(range(j, W, stride)),
                    **_at("a", value, value.gradient),
                    **_at("b", below, begin, stride),
                    n_outs=C,
                    outs=self.listed(np.arange(C) * below.plane),
                    n_taps=taps.size,
                    taps=self.listed(taps),
                    weights=self.packed_pairs(weights.swapaxes(0, 1).reshape(C, taps.size)),
                    bias=self.packed_pairs(np.full((C, 1), self.zero)),
                    more=more,
                )
            )
        return steps

    def parameters_back(self, k: int) -> list[Step]:
        """Gradients of weights, and of biases if there are any."""
        layer, below, value = self.layers[k], self.below(k), self.values[k]
        outs, H, W = value.shape
        shared = {**_at("b", value, value.gradient), "n_outs": outs}
        steps = [
            Step(
                PRODUCTS,
                H,
                W,
                **_at("a", below, below.at, layer.stride),
                **shared,
                outs=self.listed(np.arange(outs) * value.plane),
                **self.taps(k),
                first=self.offsets[layer.tensors[0]],
            )
        ]
        if len(layer.tensors) > 1:
            steps.append(Step(SUMS, H, W, **shared, first=self.offsets[layer.tensors[1]]))
        return steps

    def dense_back(self, k: int) -> list[Step]:
        """Weights and bias, then the input: every number of it is an output channel."""
        value, weights = self.values[k], self.parameters(k, 0)
        inputs = self.taps(k)
        back = Step(
            CORRELATE,
            1,
            1,
            **_at("a", value, value.gradient),
            **_at("b", self.below(k), self.below(k).gradient),
            n_outs=inputs["n_taps"],
            outs=inputs["taps"],
            n_taps=len(weights),
            taps=self.listed(np.arange(len(weights)) * value.plane),
            weights=self.packed_pairs(weights.T),
            bias=self.packed_pairs(np.full((inputs["n_taps"], 1), self.zero)),
            more=self.begins(k),
        )
        return [*self.parameters_back(k), back]

    def add_back(self, k: int) -> list[Step]:
        """Copies to those terms that do not share the gradient of the sum."""
        value, steps = self.values[k], []
        for place in self.layers[k].reads:
            term = self.values[place]
            if term.gradient != value.gradient:
                more = int(term.gradient in self.begun)
                self.begun.add(term.gradient)
                a, b = _at("a", value, value.gradient), _at("b", term, term.gradient)
                C, H, W = value.shape
                steps.append(Step(COPY, H, W, **a, **b, n_outs=C, more=more))
        return steps

    def norm_back(self, k: int) -> list[Step]:
        """Input, scales and shifts, whose parameters follow one another."""
        first = self.offsets[self.layers[k].tensors[0]]
        return [self.over_back(NORM_BACK, k, **self.norms[k], first=first)]

    def max_pool_back(self, k: int) -> list[Step]:
        """The input's gradient; d is the pool's value."""
        relu = int(self.layers[self.layers[k].reads[0]].kind == "relu")
        return [self.over_back(MAX_POOL_BACK, k, d=self.values[k].at, relu=relu)]

    def average_pool_back(self, k: int) -> list[Step]:
        """The input's gradient."""
        return [self.over_back(AVERAGE_BACK, k)]

    def over_back(self, kind: int, k: int, **more) -> Step:
        """As :meth:`over`, with gradients at a and b, and the value of the input at c."""
        gradients = {"a": self.below(k).gradient, "b": self.values[k].gradient}
        self.begins(k)
        return self.over(kind, k, **gradients | {"c": self.below(k).at} | more)


def _at(name: str, value: Value, at: int, stride: int = 1) -> dict:
    """Place and strides of an operand."""
    return {
        name: at,
        f"{name}_row": stride * value.row,
        f"{name}_column": stride * LANES,
        f"{name}_plane": value.plane,
    }
