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
    """Fully connected network with an activation after every layer but the last.

    ``sizes`` are inputs, hidden widths, outputs; ``activation`` is one name for all hidden layers,
    or one for each. The parameters lie layer by layer, the weight ``W (out, in)`` row by row, then
    the bias ``b (out,)``; ``names`` are those of these tensors, if not W0, b0, W1, ...

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
    activation: str | tuple[str, ...] = "relu"
    names: tuple[str, ...] = ()

    def __post_init__(self):
        object.__setattr__(self, "sizes", tuple(int(size) for size in self.sizes))
        if len(self.sizes) < 2 or min(self.sizes) < 1:
            raise UserError(
                f"network sizes {self.sizes}: give at least inputs and outputs, all positive."
            )
        if not isinstance(self.activation, str):
            each = tuple(self.activation)
            if len(each) != len(self.sizes) - 2:
                raise UserError(
                    f"activations {each}: give one name, or one for each of the "
                    f"{len(self.sizes) - 2} hidden layers."
                )
            one = each[0] if each else "relu"
            object.__setattr__(self, "activation", one if set(each) <= {one} else each)
        for name in self.activations or (self.activation,):
            if name not in ACTIVATIONS:
                raise UserError(
                    f"activation '{name}' is unknown; use one of {', '.join(ACTIVATIONS)}."
                )
        object.__setattr__(self, "names", tuple(self.names))
        if len(set(self.names)) != len(self.names) or len(self.names) not in (0, 2 * self.depth):
            raise UserError(
                f"tensor names {self.names}: give {2 * self.depth} different ones, weight and bias "
                "layer by layer."
            )

    @property
    def depth(self) -> int:
        """Layers with weights."""
        return len(self.sizes) - 1

    @property
    def activations(self) -> tuple[str, ...]:
        """The activation of every hidden layer."""
        if isinstance(self.activation, str):
            return (self.activation,) * (self.depth - 1)
        return self.activation

    @cached_property
    def layout(self) -> Layout:
        """Order and shapes of the parameters."""
        names, shapes = [], []
        for layer, (n_in, n_out) in enumerate(zip(self.sizes[:-1], self.sizes[1:], strict=True)):
            names += [f"W{layer}", f"b{layer}"]
            shapes += [(n_out, n_in), (n_out,)]
        return Layout(self.names or tuple(names), tuple(shapes))

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
        tensors = self.layout.views(theta)
        tape = []
        h = x
        for layer, (W, b) in enumerate(zip(tensors[0::2], tensors[1::2], strict=True)):
            z = dense(xp, h, W, b)
            tape.append((h, z, W))
            if layer < len(self.activations):  # none after the last layer
                function, _ = ACTIVATIONS[self.activations[layer]]
                h = function(xp, z)
        return z, tape

    def backward(self, xp, doutputs, tape):
        """Gradient ``(R, P)`` of a scalar per walker whose gradient by the outputs is given."""
        gradients = []
        dz = doutputs
        for layer in range(len(tape) - 1, -1, -1):
            h, _, W = tape[layer]
            if layer == 0:
                gradients += reversed(dense_parameters_back(xp, dz, h))
                break
            dh, dW, db = dense_back(xp, dz, h, W)
            gradients += [db, dW]
            _, function_back = ACTIVATIONS[self.activations[layer - 1]]
            dz = function_back(xp, dh, tape[layer - 1][1], h)
        return self.layout.pack(xp, gradients[::-1])

    def bounds(self, rule: str = "width", c: float = 2.0) -> np.ndarray:
        """Half width of the box of every parameter ``(P,)``, see ``parameters.box``."""
        return box(self.layout, self.width, rule, c)

    def describe(self) -> dict:
        """JSON description stored with every result."""
        each = self.activation if isinstance(self.activation, str) else list(self.activation)
        about = {"family": "fnn", "sizes": list(self.sizes), "activation": each}
        return about | ({"names": list(self.names)} if self.names else {})
