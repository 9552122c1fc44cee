"""How a network's tensors lie in one flat parameter vector, and how large the box of each is.

All parameters of a walker are one flat vector, which is what moves, boxes and checkpoints act on.
Nothing here knows what the tensors do.
"""

from __future__ import annotations

from itertools import accumulate
from math import prod
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError


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


def box(layout: Layout, width: int, rule: str, c: float) -> np.ndarray:
    """Half width of the box of every parameter, ``b = c / sqrt(F)``, shape ``(P,)``.

    Rule "width": F = ``width``, the units or channels of the first hidden layer, for all (paper,
    Methods). Rule "fan_out": a tensor of its own F each: the units of a dense weight, channels
    times k^2 of a convolution ``(out, in, k, k)``, the length of a bias or norm; so that a single
    output has b = c (how the molecular dynamics figures were made). Rule "fan_in": the inputs of a
    weight, and of a bias or norm those of the weight before it; c = 1 is the box that PyTorch draws
    initial parameters from.

    Raises:
        UserError: an unknown rule, or c not positive.
    """
    if not c > 0:
        raise UserError(f"box constant c = {c}: it must be positive.")
    if rule not in ("width", "fan_out", "fan_in"):
        raise UserError(f"box rule '{rule}' is unknown; use 'width', 'fan_out' or 'fan_in'.")
    features, inputs = [], width
    for shape in layout.shapes:
        inputs = prod(shape[1:]) if len(shape) > 1 else inputs
        outputs = shape[0] * prod(shape[2:])
        features.append({"width": width, "fan_out": outputs, "fan_in": inputs}[rule])
    counts = [prod(shape) for shape in layout.shapes]
    return np.repeat(c / np.sqrt(np.array(features, dtype=float)), counts)


def packed(layout: Layout, arrays: dict[str, np.ndarray], where) -> np.ndarray:
    """The flat vector ``(P,)`` of one network's tensors, given by name.

    By the names of ``layout`` if all of them are there, else in its order, whatever their names.
    ``where`` they are from begins the sentences.

    Raises:
        UserError: another number of tensors, or other shapes.
    """
    if set(layout.names) <= set(arrays):
        more = [name for name in arrays if name not in layout.names]
        if more:
            raise UserError(
                f"{where}: holds '{more[0]}' as well, which this task's network has not: it is of "
                f"another one, or leave it out; there are {', '.join(layout.names)}."
            )
        arrays = {name: arrays[name] for name in layout.names}
    shapes = [array.shape for array in arrays.values()]
    wanted = list(layout.shapes)
    if shapes != wanted:
        k = next((k for k, (a, b) in enumerate(zip(shapes, wanted, strict=False)) if a != b), -1)
        if k < 0:
            raise UserError(
                f"{where}: holds {len(shapes)} tensors, this task's network has {len(wanted)}: "
                f"{', '.join(layout.names)}."
            )
        raise UserError(
            f"{where}: tensor '{list(arrays)[k]}' has shape {shapes[k]}, and '{layout.names[k]}' "
            f"of this task's network has {wanted[k]}."
        )
    return layout.pack(np, list(arrays.values()))
