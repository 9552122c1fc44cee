"""Parameter layout (named views into one flat vector) and the network families.

No data, no loss: a network maps parameters and inputs to outputs, and output gradients back to
parameter gradients. All parameters of a walker are one flat vector, which is what moves, boxes and
checkpoints act on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from math import prod
from typing import NamedTuple

import numpy as np

from wlnn.errors import UserError
from wlnn.layers import ACTIVATIONS, dense, dense_back, dense_parameters_back


class Layout(NamedTuple):
    """Names and shapes of the tensors that make up a flat parameter vector, in order."""

    names: tuple[str, ...]
    shapes: tuple[tuple[int, ...], ...]

    @property
    def size(self) -> int:
        """Number of parameters P."""
        return sum(prod(shape) for shape in self.shapes)

    @property
    def offsets(self) -> tuple[int, ...]:
        """Index in the flat vector of the first entry of each tensor."""
        return tuple(accumulate((prod(shape) for shape in self.shapes[:-1]), initial=0))

    def views(self, theta) -> tuple:
        """The tensors ``(..., *shape)`` as views of ``theta (..., P)``: nothing is copied."""
        lead = theta.shape[:-1]
        return tuple(
            theta[..., start : start + prod(shape)].reshape(lead + shape)
            for start, shape in zip(self.offsets, self.shapes, strict=True)
        )

    def pack(self, xp, arrays):
        """Flat vector ``(..., P)`` of tensors ``(..., *shape)``: the inverse of :meth:`views`."""
        flat = [
            array.reshape((*array.shape[: array.ndim - len(shape)], prod(shape)))
            for array, shape in zip(arrays, self.shapes, strict=True)
        ]
        return xp.concatenate(flat, axis=-1)


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
        """Half width of the box of every parameter, ``b = c / sqrt(F)``, shape ``(P,)``.

        Rule "width": F = W for all (paper, Methods). Rule "fan_out": F = out-features of the
        tensor, so that a single output has b = c (how the molecular dynamics figures were made).
        """
        if not c > 0:
            raise UserError(f"box constant c = {c}: it must be positive.")
        if rule == "width":
            features = [self.width for _ in self.layout.shapes]
        elif rule == "fan_out":
            features = [shape[0] for shape in self.layout.shapes]
        else:
            raise UserError(f"box rule '{rule}' is unknown; use 'width' or 'fan_out'.")
        counts = [prod(shape) for shape in self.layout.shapes]
        return np.repeat(c / np.sqrt(np.array(features, dtype=float)), counts)

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {"family": "fnn", "sizes": list(self.sizes), "activation": self.activation}
