"""Further operations on the vectors of ``simd.py``, and memory that suits them.

Each operation is a NumPy body and the machine instructions it becomes; networks are not known here.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir

from wlnn.backend import simd
from wlnn.backend.simd import Vector


def _fold(builder, kind, value):
    lanes = kind.lanes
    while lanes > 1:
        undefined = ir.Constant(value.type, ir.Undefined)
        mask = ir.VectorType(ir.IntType(32), lanes // 2)
        low, high = (
            builder.shuffle_vector(value, undefined, ir.Constant(mask, list(half)))
            for half in (range(lanes // 2), range(lanes // 2, lanes))
        )
        value, lanes = builder.fadd(low, high), lanes // 2
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


@simd.lowered(lambda x: x.dtype, lambda b, sig, x: _fold(b, sig.args[0], x), Vector)
def quick_total(x):
    """Sum over the lanes in their own precision."""
    return x.sum()


@simd.vector_function(lambda b, kind, x: simd.call(b, "sqrt", kind, x))
def square_root(x):
    """The square root of x."""
    return x**0.5


@simd.vector_function(
    lambda b, kind, x, y: b.select(
        b.fcmp_ordered("==", x, y), simd.constant(kind, 1), simd.constant(kind, 0)
    )
)
def equal(x, y):
    """1 where x = y, else 0."""
    return (x == y).astype(x.dtype)


def aligned(*shape: int) -> np.ndarray:
    """Zeros in float32 from an address divisible by 64: no vector lies on two cache lines."""
    size = int(np.prod(shape))
    room = np.zeros(size + 16, np.float32)
    first = -room.ctypes.data % 64 // 4
    return room[first : first + size].reshape(shape)
