"""Further operations on the vectors of ``simd.py``, and memory that suits them.

Each operation is a NumPy body and the machine instructions it becomes; networks are not known here.
"""

from __future__ import annotations

import numpy as np

from wlnn.backend import simd
from wlnn.backend.simd import Vector


@simd.lowered(lambda x: x.dtype, lambda b, sig, x: simd.fold(b, sig.args[0], x, b.fadd), Vector)
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
