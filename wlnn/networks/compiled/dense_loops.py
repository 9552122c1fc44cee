"""A dense layer that reads many inputs, for few units: loops that beat a general matrix product.

Twins of ``layers.dense`` (without the bias) and of its backward pass. The inputs are the data,
which never change; a matrix product would copy them into an order of its own in every call, which
costs as much as the product where units are few. Here that order is made once.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wlnn.backend.buffers import broadcast, load, splat, store
from wlnn.backend.operations import quick_total
from wlnn.backend.simd import fma

LANES = 8
BLOCK = 2 * LANES  # samples of a block of inputs
CHUNK = 640  # samples of six rows of inputs that stay in the nearest cache


def in_blocks(inputs: np.ndarray) -> np.ndarray:
    """Inputs ``(d, N)``, N a multiple of 16, as blocks of 16 samples ``(N / 16, d, 16)``."""
    return np.ascontiguousarray(inputs.reshape(len(inputs), -1, BLOCK).swapaxes(0, 1))


@njit(cache=True)
def wide_product(parameters, first, blocks, z, inputs, units, samples):
    """z = W x for all samples: five units of sixteen samples are ten sums in registers.

    Shapes: W ``(units, inputs)`` from ``parameters[first]`` on, x in ``blocks`` as above,
    z ``(units, samples)``.
    """
    zero = splat(z, 0.0)
    for begin in range(0, samples, BLOCK):
        for j in range(0, units, 5):
            left = units - 1 - j
            a = first + j * inputs
            b, c = a + min(1, left) * inputs, a + min(2, left) * inputs
            d, e = a + min(3, left) * inputs, a + min(4, left) * inputs
            a0 = a1 = b0 = b1 = c0 = c1 = d0 = d1 = e0 = e1 = zero
            at = begin * inputs
            for i in range(inputs):
                x, y = load(blocks, at), load(blocks, at + LANES)
                w = broadcast(parameters, a + i)
                a0, a1 = fma(w, x, a0), fma(w, y, a1)
                w = broadcast(parameters, b + i)
                b0, b1 = fma(w, x, b0), fma(w, y, b1)
                w = broadcast(parameters, c + i)
                c0, c1 = fma(w, x, c0), fma(w, y, c1)
                w = broadcast(parameters, d + i)
                d0, d1 = fma(w, x, d0), fma(w, y, d1)
                w = broadcast(parameters, e + i)
                e0, e1 = fma(w, x, e0), fma(w, y, e1)
                at += BLOCK
            to = j * samples + begin
            store(z, to, a0)
            store(z, to + LANES, a1)
            to += min(1, left) * samples
            if left > 0:
                store(z, to, b0)
                store(z, to + LANES, b1)
            if left > 1:
                store(z, to + samples, c0)
                store(z, to + samples + LANES, c1)
            if left > 2:
                store(z, to + 2 * samples, d0)
                store(z, to + 2 * samples + LANES, d1)
            if left > 3:
                store(z, to + 3 * samples, e0)
                store(z, to + 3 * samples + LANES, e1)


@njit(cache=True)
def wide_product_back(dz, rows, gradient, first, inputs, units, samples):
    """dW = dz x^T: two units times six inputs are twelve sums in registers.

    Shapes: dz ``(units, samples)``, x in ``rows (inputs, samples)``; dW is written to
    ``gradient[first:]``.
    """
    for begin in range(0, samples, CHUNK):
        end = min(samples, begin + CHUNK)
        for i in range(0, inputs, 6):
            left = inputs - 1 - i
            x0 = i * samples
            x1, x2 = x0 + min(1, left) * samples, x0 + min(2, left) * samples
            x3, x4 = x0 + min(3, left) * samples, x0 + min(4, left) * samples
            x5 = x0 + min(5, left) * samples
            for j in range(0, units, 2):
                u, v = j * samples, min(j + 1, units - 1) * samples
                u0 = u1 = u2 = u3 = u4 = u5 = splat(dz, 0.0)
                v0 = v1 = v2 = v3 = v4 = v5 = splat(dz, 0.0)
                for p in range(begin, end, LANES):
                    g, h = load(dz, u + p), load(dz, v + p)
                    x = load(rows, x0 + p)
                    u0, v0 = fma(g, x, u0), fma(h, x, v0)
                    x = load(rows, x1 + p)
                    u1, v1 = fma(g, x, u1), fma(h, x, v1)
                    x = load(rows, x2 + p)
                    u2, v2 = fma(g, x, u2), fma(h, x, v2)
                    x = load(rows, x3 + p)
                    u3, v3 = fma(g, x, u3), fma(h, x, v3)
                    x = load(rows, x4 + p)
                    u4, v4 = fma(g, x, u4), fma(h, x, v4)
                    x = load(rows, x5 + p)
                    u5, v5 = fma(g, x, u5), fma(h, x, v5)
                found = (
                    quick_total(u0), quick_total(u1), quick_total(u2),
                    quick_total(u3), quick_total(u4), quick_total(u5),
                    quick_total(v0), quick_total(v1), quick_total(v2),
                    quick_total(v3), quick_total(v4), quick_total(v5),
                )  # fmt: skip
                n = first + j * inputs + i
                for k in range(min(6, left + 1)):
                    old = gradient[n + k] if begin > 0 else np.float32(0)
                    gradient[n + k] = old + found[k]
                    if j + 1 < units:
                        old = gradient[n + inputs + k] if begin > 0 else np.float32(0)
                        gradient[n + inputs + k] = old + found[6 + k]
