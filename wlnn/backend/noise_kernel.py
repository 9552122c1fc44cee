"""The noise of ``noise.py`` inside of kernels: the compiled twin of one counter's numbers.

``philox`` is compiled from the very text that arrays run. Loaded only where kernels run.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, njit, uint64

from wlnn.backend import noise

philox = njit(noise.philox)
HALF, NARROW = np.float32(0.5), np.float32(2.0**-32)  # a plain 0.5 would make all of it double
MINUS_TWO, CIRCLE = np.float32(-2.0), np.float32(2.0 * math.pi)


@njit
def _uniform(word):
    """In (0, 1], rounded as in single precision: above 1 the logarithm would be positive."""
    return np.float32(np.float32(np.float32(word) + HALF) * NARROW)


@njit
def _pair(first, second):
    """Two normal numbers of two words, by Box-Muller."""
    radius = np.float32(math.sqrt(MINUS_TWO * np.float32(math.log(_uniform(first)))))
    angle = np.float32(CIRCLE * _uniform(second))
    return radius * np.float32(math.cos(angle)), radius * np.float32(math.sin(angle))


@njit
def normals(place, call, k0, k1):
    """Four normal numbers in single precision, those of parameters 4 place to 4 place + 3.

    ``call`` counts how often numbers were asked for, k0 and k1 are the key of a walker. Twin of
    ``noise.Philox.standard_normal(shape, numpy.float32)``.
    """
    counter = uint64(place), uint64(call), uint64(0), uint64(0)
    a, b, c, d = philox(None, counter, (uint64(k0), uint64(k1)))
    first, third = _pair(a, c)
    second, fourth = _pair(b, d)
    return first, second, third, fourth


@cuda.jit
def draw(keys, call, numbers):
    """Fill ``numbers (R, 4 n)`` with those of a call, of keys ``(R, 2)``: R blocks of n threads.

    What a device is tried with: functions compiled for the CPU, called from a kernel.
    """
    r, place = cuda.blockIdx.x, cuda.threadIdx.x
    found = normals(place, call, keys[r, 0], keys[r, 1])
    for k in range(4):
        numbers[r, 4 * place + k] = found[k]
