"""Fully connected networks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from wlnn.base.errors import UserError
from wlnn.networks.layers import ACTIVATIONS, dense, dense_back, dense_parameters_back
from wlnn.networks.parameters import Layout, box


@dataclass(frozen=True)
class FNN:
    """Fully connected network with one activation after every layer but the last.

    ``sizes`` are inputs, hidden widths, outputs; the parameters lie layer by layer, the weight
    ``W (out, in)`` row by row, then the bias ``b (out,)``.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> network = wlnn.FNN((2, 6, 6, 2), "tanh")
        >>> theta = np.zeros((5, network.n_parameters))  # five networks at once
        >>> outputs, _ = network.forward(np, theta, np.ones((8, 2)))
        >>> outputs.shape
        (5, 8, 2)
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
        """Half width of the box of every parameter ``(P,)``, see ``parameters.box``."""
        return box(self.layout, self.width, rule, c)

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {"family": "fnn", "sizes": list(self.sizes), "activation": self.activation}
