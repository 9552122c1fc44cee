"""Pools, norms and sums over eight images at a time, and the loop that runs the steps of a plan.

Twins of ``conv.py``; see ``conv_kernels.py``, which has the convolutions.
"""

from __future__ import annotations

from functools import cache

from numba import cfunc, config, njit, types

from wlnn.backend.buffers import BufferType, broadcast, load, splat, store
from wlnn.backend.cache import drop_stale
from wlnn.backend.operations import equal, quick_total, square_root
from wlnn.backend.simd import add, divide, fma, maximum, multiply, negative, subtract
from wlnn.networks.compiled import image_steps
from wlnn.networks.compiled.conv_loops import correlate, products, put, sums
from wlnn.networks.compiled.image_steps import LANES, Step
from wlnn.networks.convolutions import NORM_EPSILON


@njit(cache=True)
def mask(cells, s):
    """b = 0 where a is not positive: the slope of relu, over ``columns`` numbers in a row."""
    zero = splat(cells, 0.0)
    for k in range(0, s.columns, LANES):
        positive = negative(subtract(zero, load(cells, s.a + k)))
        store(cells, s.b + k, multiply(positive, load(cells, s.b + k)))


@njit(cache=True)
def total_of_two(cells, s):
    """b = a + c, or the relu of it, over the channels; c has the strides of a."""
    for o in range(s.n_outs):
        for i in range(s.rows):
            k = o * s.a_plane + i * s.a_row
            b = s.b + o * s.b_plane + i * s.b_row
            for _ in range(s.columns):
                put(cells, b, add(load(cells, s.a + k), load(cells, s.c + k)), s.relu, 0)
                k += LANES
                b += LANES


@njit(cache=True)
def copy(cells, s):
    """b = a, or b + a, over the channels."""
    for o in range(s.n_outs):
        for i in range(s.rows):
            a, b = s.a + o * s.a_plane + i * s.a_row, s.b + o * s.b_plane + i * s.b_row
            for k in range(0, s.columns * LANES, LANES):
                put(cells, b + k, load(cells, a + k), 0, s.more)


@njit(cache=True)
def max_pool(cells, s):
    """Twin of ``conv.max_pool``: windows of a into pixels of b."""
    for o in range(s.n_outs):
        for i in range(s.rows):
            a = s.a + o * s.a_plane + i * s.window * s.a_row
            b = s.b + o * s.b_plane + i * s.b_row
            for _ in range(s.columns):
                value = load(cells, a)
                for p in range(s.window):
                    for q in range(s.window):
                        value = maximum(value, load(cells, a + p * s.a_row + q * LANES))
                store(cells, b, value)
                a += s.window * LANES
                b += LANES


@njit(cache=True)
def max_pool_back(cells, s):
    """Twin of ``conv.max_pool_back``: gradient at b, with values at d, to that at a, values at c.

    With ``relu`` the pool's input is a relu's output, whose slope is taken along: nothing goes
    where the largest is 0. Values have the strides of their gradients.
    """
    zero, one = splat(cells, 0.0), splat(cells, 1.0)
    for o in range(s.n_outs):
        for i in range(s.rows):
            at = o * s.a_plane + i * s.window * s.a_row
            b = o * s.b_plane + i * s.b_row
            for _ in range(s.columns):
                largest, left = load(cells, s.d + b), load(cells, s.b + b)
                if s.relu:
                    left = multiply(left, negative(subtract(zero, largest)))
                for p in range(s.window):
                    for q in range(s.window):
                        k = at + p * s.a_row + q * LANES
                        here = equal(load(cells, s.c + k), largest)
                        store(cells, s.a + k, multiply(left, here))
                        left = multiply(left, subtract(one, here))
                at += s.window * LANES
                b += LANES


@njit(cache=True)
def average(cells, s):
    """Twin of ``conv.average_pool``."""
    share = splat(cells, 1.0 / (s.window * s.window))
    for o in range(s.n_outs):
        for i in range(s.rows):
            for j in range(s.columns):
                a = s.a + o * s.a_plane + i * s.window * s.a_row + j * s.window * LANES
                value = splat(cells, 0.0)
                for p in range(s.window):
                    for q in range(s.window):
                        value = add(value, load(cells, a + p * s.a_row + q * LANES))
                store(cells, s.b + o * s.b_plane + i * s.b_row + j * LANES, multiply(share, value))


@njit(cache=True)
def average_back(cells, s):
    """Twin of ``conv.average_pool_back``: gradient at b to that at a."""
    share = splat(cells, 1.0 / (s.window * s.window))
    for o in range(s.n_outs):
        for i in range(s.rows):
            for j in range(s.columns):
                a = s.a + o * s.a_plane + i * s.window * s.a_row + j * s.window * LANES
                value = load(cells, s.b + o * s.b_plane + i * s.b_row + j * LANES)
                for p in range(s.window):
                    for q in range(s.window):
                        store(cells, a + p * s.a_row + q * LANES, multiply(share, value))


@njit(cache=True)
def norm(cells, packed, s):
    """Twin of ``conv.channel_norm``: a becomes u in place, b = scale u + shift.

    ``weights`` is the place of the scales, ``bias`` that of the shifts; 1 / sqrt(...) goes to d.
    """
    share, small = splat(cells, 1.0 / s.n_outs), splat(cells, NORM_EPSILON)
    one = splat(cells, 1.0)
    for i in range(s.rows):
        for j in range(s.columns):
            at = s.a + i * s.a_row + j * LANES
            mean = splat(cells, 0.0)
            for o in range(s.n_outs):
                mean = add(mean, load(cells, at + o * s.a_plane))
            mean = multiply(share, mean)
            variance = splat(cells, 0.0)
            for o in range(s.n_outs):
                centred = subtract(load(cells, at + o * s.a_plane), mean)
                variance = fma(centred, centred, variance)
            inverse = divide(one, square_root(fma(share, variance, small)))
            store(cells, s.d + (i * s.columns + j) * LANES, inverse)
            to = s.b + i * s.b_row + j * LANES
            for o in range(s.n_outs):
                u = multiply(subtract(load(cells, at + o * s.a_plane), mean), inverse)
                store(cells, at + o * s.a_plane, u)
                scale, bias = broadcast(packed, s.weights + o), broadcast(packed, s.bias + o)
                put(cells, to + o * s.b_plane, fma(scale, u, bias), s.relu, 0)


@njit(cache=True)
def norm_back(cells, packed, s, gradient):
    """Twin of ``conv.channel_norm_back``: gradient at b to that at a; u is at c.

    The gradients of scales and shifts follow one another.
    """
    share, zero = splat(cells, 1.0 / s.n_outs), splat(cells, 0.0)
    for o in range(s.n_outs):
        by_scale = by_shift = zero
        for i in range(s.rows):
            at, u = s.b + o * s.b_plane + i * s.b_row, s.c + o * s.a_plane + i * s.a_row
            for k in range(0, s.columns * LANES, LANES):
                dz = load(cells, at + k)
                by_scale = fma(dz, load(cells, u + k), by_scale)
                by_shift = add(by_shift, dz)
        gradient[s.first + o] += quick_total(by_scale)
        gradient[s.first + s.n_outs + o] += quick_total(by_shift)
    for i in range(s.rows):
        for j in range(s.columns):
            at, u = s.b + i * s.b_row + j * LANES, s.c + i * s.a_row + j * LANES
            mean = along = zero
            for o in range(s.n_outs):
                g = multiply(broadcast(packed, s.weights + o), load(cells, at + o * s.b_plane))
                mean = add(mean, g)
                along = fma(g, load(cells, u + o * s.a_plane), along)
            mean, along = multiply(share, mean), multiply(share, along)
            inverse = load(cells, s.d + (i * s.columns + j) * LANES)
            to = s.a + i * s.a_row + j * LANES
            for o in range(s.n_outs):
                g = multiply(broadcast(packed, s.weights + o), load(cells, at + o * s.b_plane))
                left = subtract(subtract(g, mean), multiply(along, load(cells, u + o * s.a_plane)))
                store(cells, to + o * s.a_plane, multiply(inverse, left))


@njit(cache=True)
def _step(steps, k):
    """Row k of the table of steps."""
    r = 24 * k
    return Step(
        steps[r], steps[r + 1], steps[r + 2], steps[r + 3], steps[r + 4], steps[r + 5],
        steps[r + 6], steps[r + 7], steps[r + 8], steps[r + 9], steps[r + 10], steps[r + 11],
        steps[r + 12], steps[r + 13], steps[r + 14], steps[r + 15], steps[r + 16], steps[r + 17],
        steps[r + 18], steps[r + 19], steps[r + 20], steps[r + 21], steps[r + 22], steps[r + 23],
    )  # fmt: skip


def run_steps(steps, first, end, places, packed, cells, images, shift, gradient):
    """Run the steps first..end of a plan on one block of images, which begins at ``shift``.

    Gradients of parameters are added to ``gradient (P,)``.
    """
    for k in range(first, end):
        s = _step(steps, k)
        source, at = (images, shift) if s.images else (cells, 0)
        if s.kind == image_steps.CORRELATE:
            correlate(source, cells, packed, places, s, at)
        elif s.kind == image_steps.PRODUCTS:
            products(source, cells, places, s, at, gradient)
        elif s.kind == image_steps.SUMS:
            sums(cells, s, gradient)
        elif s.kind == image_steps.MASK:
            mask(cells, s)
        elif s.kind == image_steps.ADD:
            total_of_two(cells, s)
        elif s.kind == image_steps.COPY:
            copy(cells, s)
        elif s.kind == image_steps.MAX_POOL:
            max_pool(cells, s)
        elif s.kind == image_steps.MAX_POOL_BACK:
            max_pool_back(cells, s)
        elif s.kind == image_steps.AVERAGE:
            average(cells, s)
        elif s.kind == image_steps.AVERAGE_BACK:
            average_back(cells, s)
        elif s.kind == image_steps.NORM:
            norm(cells, packed, s)
        elif s.kind == image_steps.NORM_BACK:
            norm_back(cells, packed, s, gradient)


@cache
def compiled_run():
    """:func:`run_steps` as a compiled function that others call by its address.

    An ordinary call would make the compiler work through all loops again in every caller.
    """
    if config.DISABLE_JIT:
        return run_steps
    drop_stale()  # a cfunc is read from disk here, before any loop is asked for
    n, places = types.int64, BufferType(types.int64)
    numbers, gradient = BufferType(types.float32), BufferType(types.float64)
    signature = types.void(places, n, n, places, *[numbers] * 3, n, gradient)
    return cfunc(signature, cache=True)(run_steps)
