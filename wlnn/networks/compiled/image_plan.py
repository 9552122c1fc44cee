"""A network of layers as a table of loops over one buffer: what the compiled sampler runs.

``image_places.py`` says where everything lies, ``image_steps.py`` what a step is;
``conv_loops.py`` and ``image_loops.py`` have the loops, ``layered.py`` runs them.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.networks.compiled import image_steps
from wlnn.networks.compiled.image_places import Places, Value, readers_of
from wlnn.networks.compiled.image_steps import LANES, Step
from wlnn.networks.layered import Layer
from wlnn.networks.layers import ACTIVATIONS

CODES = {name: code for code, name in enumerate(ACTIVATIONS)}


class PassPlan(NamedTuple):
    """Everything the loops need that does not change."""

    steps: list[Step]  # forward ones first
    n_forward: int
    places: np.ndarray  # offsets of channels and taps
    packed: np.ndarray  # indices of parameters in the order of the loops; P stands for a zero
    values: dict[int, Value]  # by place in the list of layers; 0, the images, in their own buffer
    size: int  # numbers of the buffer


def runs(layers: tuple[Layer, ...]) -> bool:
    """Whether the loops can run such a list of layers.

    Pools must be the only readers of what they read; the inputs go into convolutions or dense
    layers, and outputs come from one dense layer.
    """
    readers = readers_of(layers)
    for place, those in enumerate(readers):
        kinds = {layers[k].kind for k in those}
        if len(those) > 1 and kinds & {"max_pool", "average_pool"}:
            return False
        if place == 0 and kinds - {"conv", "dense"}:
            return False
    return layers[-1].kind == "dense"


def make_plan(network) -> PassPlan:
    """The table of a ``LayerNetwork`` for which :func:`runs` is true."""
    planner = _Planner(network)
    kinds = {k: KINDS[network.layers[k].kind] for k in planner.makers}
    forward = [step for k in planner.makers for step in kinds[k][0](planner, k)]
    backward = [
        step
        for k in planner.makers[::-1]
        for step in planner.relu_back(k) + kinds[k][1](planner, k)
    ]
    return PassPlan(
        forward + backward,
        len(forward),
        np.array(planner.places, np.int64),
        np.array(planner.packed, np.int64),
        planner.values,
        planner.size,
    )


class _Planner(Places):
    """Writes the steps of one layer after another."""

    def __init__(self, network):
        super().__init__(network)
        self.begun: set[int] = set()  # gradients that some step has written
        self.norms: dict[int, dict] = {}

    # --- forwards -------------------------------------------------------------------------------

    def correlate(self, k: int) -> list[Step]:
        """A convolution, whose taps are the pixels below the kernel, or a dense layer: one pixel,
        and all numbers of an image are taps."""
        layer, value = self.layers[k], self.values[k]
        outs, H, W = value.shape
        step = Step(
            image_steps.CORRELATE,
            H,
            W,
            **_operand("input", self.below(k), stride=layer.stride),
            **_operand("output", value),
            channels=outs,
            outs=self.listed(np.arange(outs) * value.plane),
            **self.taps(k),
            weights=self.packed_pairs(self.parameters(k, 0)),
            bias=self.packed_pairs(self.parameters(k, 1)),
            relu=int(k in self.relus),
        )
        return [step]

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
        """A step over the pixels and channels of value k, from what layer k reads."""
        value = self.values[k]
        C, H, W = value.shape
        places = {**_operand("input", self.below(k)), **_operand("output", value), "channels": C}
        rest = {"relu": int(k in self.relus), "window": self.layers[k].size}
        return Step(kind, H, W, **places | rest | more)

    def activate(self, k: int) -> list[Step]:
        """An activation that no other loop takes along."""
        return [self.over(image_steps.ACTIVATE, k, window=CODES[self.layers[k].kind])]

    def add(self, k: int) -> list[Step]:
        """A sum of two values."""
        return [self.over(image_steps.ADD, k, term=self.values[self.layers[k].reads[1]].at)]

    def norm(self, k: int) -> list[Step]:
        """A norm, which works in place: on a copy, where others need what it reads afterwards."""
        C, H, W = self.values[k].shape
        steps, below = [], self.below(k)
        read = self.layers[k].reads[0]
        maker = self.layers[read].kind
        if maker == "max_pool" or maker in CODES or len(self.readers[read]) > 1:
            own = self.room((C, H, W), gradient=0)
            places = _operand("input", below) | _operand("output", own)
            steps, below = [Step(image_steps.COPY, H, W, **places, channels=C)], own
        self.norms[k] = {
            "input": below.at,
            "inverse": self.take(H * W * LANES),
            "weights": self.packed_pairs(self.parameters(k, 0)),
            "bias": self.packed_pairs(self.parameters(k, 1)),
        }
        return [*steps, self.over(image_steps.NORM, k, **self.norms[k])]

    def max_pool(self, k: int) -> list[Step]:
        """The largest of every window."""
        return [self.over(image_steps.MAX_POOL, k)]

    def average_pool(self, k: int) -> list[Step]:
        """The mean of every window."""
        return [self.over(image_steps.AVERAGE, k)]

    # --- backwards: from the gradient of value k to those of its inputs and parameters ----------

    def relu_back(self, k: int) -> list[Step]:
        """What comes before the steps of layer k: that of its relu. A max pool that is all that
        reads value k sees to the slope itself."""
        if k not in self.relus or [self.layers[n].kind for n in self.users(k)] == ["max_pool"]:
            return []
        value = self.values[k]
        at, gradient = value.at - value.before, value.gradient - value.before
        length = value.shape[0] * value.plane
        return [Step(image_steps.MASK, columns=length, output=at, output_gradient=gradient)]

    def begins(self, gradient: int) -> int:
        """0 for the first step that writes this gradient, then 1: add."""
        more = int(gradient in self.begun)
        self.begun.add(gradient)
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
        more = self.begins(below.gradient)
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
                    image_steps.CORRELATE,
                    len(range(i, H, stride)),
                    len(range(j, W, stride)),
                    **_operand("input", value, value.gradient),
                    **_operand("output", below, begin, stride),
                    channels=C,
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
        layer, value = self.layers[k], self.values[k]
        outs, H, W = value.shape
        shared = _operand("output", value) | {"output_gradient": value.gradient, "channels": outs}
        steps = [
            Step(
                image_steps.PRODUCTS,
                H,
                W,
                **_operand("input", self.below(k), stride=layer.stride),
                **shared,
                outs=self.listed(np.arange(outs) * value.plane),
                **self.taps(k),
                parameter=self.offsets[layer.tensors[0]],
            )
        ]
        if len(layer.tensors) > 1:
            steps.append(
                Step(image_steps.SUMS, H, W, **shared, parameter=self.offsets[layer.tensors[1]])
            )
        return steps

    def dense_back(self, k: int) -> list[Step]:
        """Weights and bias, then the input: every number of it is an output channel."""
        if self.layers[k].reads[0] == 0:
            return self.parameters_back(k)
        below, value, weights = self.below(k), self.values[k], self.parameters(k, 0)
        inputs = self.taps(k)
        back = Step(
            image_steps.CORRELATE,
            1,
            1,
            **_operand("input", value, value.gradient),
            **_operand("output", below, below.gradient),
            channels=inputs["n_taps"],
            outs=inputs["taps"],
            n_taps=len(weights),
            taps=self.listed(np.arange(len(weights)) * value.plane),
            weights=self.packed_pairs(weights.T),
            bias=self.packed_pairs(np.full((inputs["n_taps"], 1), self.zero)),
            more=self.begins(below.gradient),
        )
        return [*self.parameters_back(k), back]

    def activate_back(self, k: int) -> list[Step]:
        """The input's gradient."""
        more = self.begins(self.below(k).gradient)
        code = CODES[self.layers[k].kind]
        return [self.over_back(image_steps.ACTIVATE_BACK, k, window=code, more=more)]

    def add_back(self, k: int) -> list[Step]:
        """Copies to those terms that do not share the gradient of the sum."""
        value, steps = self.values[k], []
        C, H, W = value.shape
        for term in (self.values[place] for place in self.layers[k].reads):
            if term.gradient != value.gradient:
                places = _operand("input", value, value.gradient)
                places |= _operand("output", term, term.gradient)
                more = self.begins(term.gradient)
                steps.append(Step(image_steps.COPY, H, W, **places, channels=C, more=more))
        return steps

    def norm_back(self, k: int) -> list[Step]:
        """Input, scales and shifts, whose parameters follow one another."""
        first = self.offsets[self.layers[k].tensors[0]]
        more = self.begins(self.below(k).gradient)
        options = self.norms[k] | {"parameter": first, "more": more}
        return [self.over_back(image_steps.NORM_BACK, k, **options)]

    def max_pool_back(self, k: int) -> list[Step]:
        """The input's gradient."""
        self.begins(self.below(k).gradient)
        relu = int(self.layers[self.layers[k].reads[0]].kind == "relu")
        return [self.over_back(image_steps.MAX_POOL_BACK, k, relu=relu)]

    def average_pool_back(self, k: int) -> list[Step]:
        """The input's gradient."""
        self.begins(self.below(k).gradient)
        return [self.over_back(image_steps.AVERAGE_BACK, k)]

    def over_back(self, kind: int, k: int, **more) -> Step:
        """As :meth:`over`, with the gradients by what layer k reads and makes."""
        below, value = self.below(k).gradient, self.values[k].gradient
        return self.over(kind, k, input_gradient=below, output_gradient=value, **more)


KINDS = {  # of a layer: its steps forwards, its steps backwards
    **dict.fromkeys(CODES, (_Planner.activate, _Planner.activate_back)),
    "conv": (_Planner.correlate, _Planner.conv_back),
    "dense": (_Planner.correlate, _Planner.dense_back),
    "add": (_Planner.add, _Planner.add_back),
    "norm": (_Planner.norm, _Planner.norm_back),
    "max_pool": (_Planner.max_pool, _Planner.max_pool_back),
    "average_pool": (_Planner.average_pool, _Planner.average_pool_back),
}


def _operand(name: str, value: Value, at: int | None = None, stride: int = 1) -> dict:
    """Place, the value's own if none is given, and strides of an input or output."""
    return {
        name: value.at if at is None else at,
        f"{name}_row": stride * value.row,
        f"{name}_column": stride * LANES,
        f"{name}_plane": value.plane,
    }
