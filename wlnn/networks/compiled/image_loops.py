"""Pools, norms and sums over eight images at a time, and the loop that runs the steps of a plan.

Twins of ``convolutions.py`` (conv); see ``conv_loops.py``, which has the convolutions.
"""

from __future__ import annotations

import math
from functools import cache

from numba import cfunc, config, njit, typeof, types

from wlnn.backend.buffers import BufferType, Rows, broadcast, load, splat, store
from wlnn.backend.cache import drop_stale
from wlnn.backend.normal import normal_tail
from wlnn.backend.operations import equal, quick_total, square_root
from wlnn.backend.simd import (
    absolute,
    add,
    divide,
    exp,
    fma,
    maximum,
    multiply,
    negative,
    subtract,
)
from wlnn.networks.compiled import image_steps
from wlnn.networks.compiled.conv_loops import correlate, products, put, sums
from wlnn.networks.compiled.image_steps import LANES, Step
from wlnn.networks.compiled.one_weight_activations import (
    GELU,
    GELU_TANH,
    IDENTITY,
    RELU,
    TANH,
    OneOf,
    inline,
)
from wlnn.networks.compiled.one_weight_activations import activate as value_of
from wlnn.networks.convolutions import NORM_EPSILON
from wlnn.networks.layers import GELU_CUBE, GELU_FACTOR

DENSITY = 1 / math.sqrt(2 * math.pi)


@njit(cache=True)
def mask(cells, s):
    """Gradient 0 where the output is not positive: the slope of relu, over ``columns`` numbers."""
    zero = splat(cells, 0.0)
    for k in range(0, s.columns, LANES):
        positive = negative(subtract(zero, load(cells, s.output + k)))
        store(cells, s.output_gradient + k, multiply(positive, load(cells, s.output_gradient + k)))


@njit(cache=True)
def total_of_two(cells, s):
    """output = input + term, or the relu of it, over the channels."""
    for o in range(s.channels):
        for i in range(s.rows):
            k = o * s.input_plane + i * s.input_row
            b = s.output + o * s.output_plane + i * s.output_row
            for _ in range(s.columns):
                put(cells, b, add(load(cells, s.input + k), load(cells, s.term + k)), s.relu, 0)
                k += LANES
                b += LANES


@njit(cache=True)
def copy(cells, s):
    """output = input, or output + input, over the channels."""
    for o in range(s.channels):
        for i in range(s.rows):
            a = s.input + o * s.input_plane + i * s.input_row
            b = s.output + o * s.output_plane + i * s.output_row
            for k in range(0, s.columns * LANES, LANES):
                put(cells, b + k, load(cells, a + k), 0, s.more)


@njit(cache=True)
def max_pool(cells, s):
    """Twin of ``convolutions.max_pool``."""
    for o in range(s.channels):
        for i in range(s.rows):
            a = s.input + o * s.input_plane + i * s.window * s.input_row
            b = s.output + o * s.output_plane + i * s.output_row
            for _ in range(s.columns):
                value = load(cells, a)
                for p in range(s.window):
                    for q in range(s.window):
                        value = maximum(value, load(cells, a + p * s.input_row + q * LANES))
                store(cells, b, value)
                a += s.window * LANES
                b += LANES


@njit(cache=True)
def max_pool_back(cells, s):
    """Twin of ``convolutions.max_pool_back``.

    With ``relu`` the pool's input is a relu's output, whose slope is taken along: nothing goes
    where the largest is 0.
    """
    zero, one = splat(cells, 0.0), splat(cells, 1.0)
    for o in range(s.channels):
        for i in range(s.rows):
            at = o * s.input_plane + i * s.window * s.input_row
            b = o * s.output_plane + i * s.output_row
            for _ in range(s.columns):
                largest, left = load(cells, s.output + b), load(cells, s.output_gradient + b)
                if s.relu:
                    left = multiply(left, negative(subtract(zero, largest)))
                for p in range(s.window):
                    for q in range(s.window):
                        k = at + p * s.input_row + q * LANES
                        here = equal(load(cells, s.input + k), largest)
                        store(cells, s.input_gradient + k, multiply(left, here))
                        left = multiply(left, subtract(one, here))
                at += s.window * LANES
                b += LANES


@njit(cache=True)
def average(cells, s):
    """Twin of ``convolutions.average_pool``."""
    share = splat(cells, 1.0 / (s.window * s.window))
    for o in range(s.channels):
        for i in range(s.rows):
            a = s.input + o * s.input_plane + i * s.window * s.input_row
            b = s.output + o * s.output_plane + i * s.output_row
            for j in range(s.columns):
                value = splat(cells, 0.0)
                for p in range(s.window):
                    for q in range(s.window):
                        k = a + p * s.input_row + (j * s.window + q) * LANES
                        value = add(value, load(cells, k))
                store(cells, b + j * LANES, multiply(share, value))


@njit(cache=True)
def average_back(cells, s):
    """Twin of ``convolutions.average_pool_back``."""
    share = splat(cells, 1.0 / (s.window * s.window))
    for o in range(s.channels):
        for i in range(s.rows):
            a = s.input_gradient + o * s.input_plane + i * s.window * s.input_row
            b = s.output_gradient + o * s.output_plane + i * s.output_row
            for j in range(s.columns):
                value = multiply(share, load(cells, b + j * LANES))
                for p in range(s.window):
                    for q in range(s.window):
                        store(cells, a + p * s.input_row + (j * s.window + q) * LANES, value)


@njit(cache=True)
def norm(cells, packed, s):
    """Twin of ``convolutions.channel_norm``: the input becomes u, the output scale u + shift.

    ``weights`` is the place of the scales, ``bias`` that of the shifts.
    """
    share, small = splat(cells, 1.0 / s.channels), splat(cells, NORM_EPSILON)
    one = splat(cells, 1.0)
    for i in range(s.rows):
        for j in range(s.columns):
            at = s.input + i * s.input_row + j * LANES
            mean = splat(cells, 0.0)
            for o in range(s.channels):
                mean = add(mean, load(cells, at + o * s.input_plane))
            mean = multiply(share, mean)
            variance = splat(cells, 0.0)
            for o in range(s.channels):
                centred = subtract(load(cells, at + o * s.input_plane), mean)
                variance = fma(centred, centred, variance)
            inverse = divide(one, square_root(fma(share, variance, small)))
            store(cells, s.inverse + (i * s.columns + j) * LANES, inverse)
            to = s.output + i * s.output_row + j * LANES
            for o in range(s.channels):
                u = multiply(subtract(load(cells, at + o * s.input_plane), mean), inverse)
                store(cells, at + o * s.input_plane, u)
                scale, bias = broadcast(packed, s.weights + o), broadcast(packed, s.bias + o)
                put(cells, to + o * s.output_plane, fma(scale, u, bias), s.relu, 0)


@njit(cache=True)
def norm_back(cells, packed, s, gradient):
    """Twin of ``convolutions.channel_norm_back``; the input is u.

    The gradients of scales and shifts follow one another.
    """
    share, zero = splat(cells, 1.0 / s.channels), splat(cells, 0.0)
    for o in range(s.channels):
        by_scale = by_shift = zero
        for i in range(s.rows):
            at = s.output_gradient + o * s.output_plane + i * s.output_row
            u = s.input + o * s.input_plane + i * s.input_row
            for k in range(0, s.columns * LANES, LANES):
                dz = load(cells, at + k)
                by_scale = fma(dz, load(cells, u + k), by_scale)
                by_shift = add(by_shift, dz)
        gradient[s.parameter + o] += quick_total(by_scale)
        gradient[s.parameter + s.channels + o] += quick_total(by_shift)
    for i in range(s.rows):
        for j in range(s.columns):
            at = s.output_gradient + i * s.output_row + j * LANES
            u = s.input + i * s.input_row + j * LANES
            mean = along = zero
            for o in range(s.channels):
                g = multiply(broadcast(packed, s.weights + o), load(cells, at + o * s.output_plane))
                mean = add(mean, g)
                along = fma(g, load(cells, u + o * s.input_plane), along)
            mean, along = multiply(share, mean), multiply(share, along)
            inverse = load(cells, s.inverse + (i * s.columns + j) * LANES)
            to = s.input_gradient + i * s.input_row + j * LANES
            for o in range(s.channels):
                g = multiply(broadcast(packed, s.weights + o), load(cells, at + o * s.output_plane))
                back = multiply(along, load(cells, u + o * s.input_plane))
                left = subtract(subtract(g, mean), back)
                put(cells, to + o * s.input_plane, multiply(inverse, left), 0, s.more)


@inline
def _slope(cells, code, z, h):
    """The slope of an activation at z, where its value is h."""
    one, none = splat(cells, 1.0), splat(cells, 0.0)
    if code == RELU:
        return negative(subtract(none, z))
    if code == TANH:
        return subtract(one, multiply(h, h))
    if code == GELU:
        tail, below = normal_tail(absolute(z)), negative(z)
        below = add(multiply(below, tail), multiply(subtract(one, below), subtract(one, tail)))
        bell = exp(multiply(splat(cells, -0.5), multiply(z, z)))
        return fma(multiply(splat(cells, DENSITY), bell), z, below)
    if code == IDENTITY:
        return one
    u, by_z = z, one  # z sigmoid(u), and the slope of u
    if code == GELU_TANH:
        square = multiply(splat(cells, GELU_CUBE), multiply(z, z))
        factor = splat(cells, 2 * GELU_FACTOR)
        u = multiply(factor, fma(square, z, z))
        by_z = multiply(factor, fma(splat(cells, 3.0), square, one))
    e = exp(subtract(none, maximum(u, splat(cells, -80.0))))
    s = divide(one, add(one, e))
    return multiply(s, fma(multiply(z, by_z), subtract(one, s), one))


@njit(cache=True)
def activate(cells, s):
    """Twin of the functions of ``layers.ACTIVATIONS``."""
    code = OneOf(s.window)
    for o in range(s.channels):
        for i in range(s.rows):
            a = s.input + o * s.input_plane + i * s.input_row
            b = s.output + o * s.output_plane + i * s.output_row
            for k in range(0, s.columns * LANES, LANES):
                store(cells, b + k, value_of(code, cells, load(cells, a + k)))


@njit(cache=True)
def activate_back(cells, s):
    """Twin of their backward passes."""
    for o in range(s.channels):
        for i in range(s.rows):
            at = o * s.input_plane + i * s.input_row
            b = o * s.output_plane + i * s.output_row
            for k in range(0, s.columns * LANES, LANES):
                z, h = load(cells, s.input + at + k), load(cells, s.output + b + k)
                dh = load(cells, s.output_gradient + b + k)
                dz = multiply(dh, _slope(cells, s.window, z, h))
                put(cells, s.input_gradient + at + k, dz, 0, s.more)


def run_steps(steps, first, end, places, packed, cells, images, shift, gradient):
    """Run the steps first..end of a plan on one block of images, which begins at ``shift``.

    Gradients of parameters are added to ``gradient (P,)``.
    """
    for k in range(first, end):
        s = steps[k]
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
        elif s.kind == image_steps.ACTIVATE:
            activate(cells, s)
        elif s.kind == image_steps.ACTIVATE_BACK:
            activate_back(cells, s)


@cache
def compiled_run():
    """:func:`run_steps` as a compiled function that others call by its address.

    An ordinary call would make the compiler work through all loops again in every caller.
    """
    if config.DISABLE_JIT:
        return run_steps
    drop_stale()  # a cfunc is read from disk here, before any loop is asked for
    n, steps, places = types.int64, typeof(Rows([Step(0)])), BufferType(types.int64)
    numbers, gradient = BufferType(types.float32), BufferType(types.float64)
    signature = types.void(steps, n, n, places, *[numbers] * 3, n, gradient)
    return cfunc(signature, cache=True)(run_steps)
