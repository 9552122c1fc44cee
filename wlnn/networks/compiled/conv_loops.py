"""Convolutions over eight images at a time, one in each lane of a vector.

Twins of the convolutions of ``convolutions.py`` (conv) and of ``dense``. All numbers lie in one
buffer ``cells``; a loop is told where by one ``image_steps.Step``. What surrounds convolutions is
in ``image_loops.py``.
"""

from __future__ import annotations

from numba import njit

from wlnn.backend.buffers import broadcast, load, splat, store
from wlnn.backend.operations import quick_total
from wlnn.backend.simd import add, fma, maximum
from wlnn.networks.compiled.image_steps import LANES


@njit(cache=True)
def put(cells, at, value, relu, more):
    """Store a vector; the relu of it, or its sum with what is there, if so said."""
    if relu:
        value = maximum(value, splat(cells, 0.0))
    if more:
        value = add(value, load(cells, at))
    store(cells, at, value)


@njit(cache=True)
def correlate(source, cells, packed, places, s, shift):
    """Sums over taps, ``output[o, i, j] = bias[o] + sum_t weights[o, t] input[tap_t + (i, j)]``.

    Twin of ``convolutions.conv2d``; with other taps also of the gradient by its input, and of
    ``dense``. Two channels of four neighbouring pixels are eight sums in registers. Packed
    weights: for every pair of channels, tap by tap, two numbers. The last four pixels of a row
    may overlap the four before, unless results add to what is there. The input lies in
    ``source``, the cells themselves or the images, ``shift`` further on.
    """
    column, out_column = s.input_column, s.output_column
    for o in range(0, s.channels, 2):
        w0 = s.weights + o * s.n_taps
        bias_u, bias_v = broadcast(packed, s.bias + o), broadcast(packed, s.bias + o + 1)
        out_u, out_v = places[s.outs + o], places[s.outs + min(o + 1, s.channels - 1)]
        for i in range(s.rows):
            begun = 0
            while begun < s.columns:
                j = begun
                four = s.columns >= 4 and (j + 4 <= s.columns or not s.more)
                if four:
                    j = min(j, s.columns - 4)
                from_ = s.input + shift + i * s.input_row + j * column
                to = s.output + i * s.output_row + j * out_column
                w = w0
                if not four:
                    u, v = bias_u, bias_v
                    for t in range(s.taps, s.taps + s.n_taps):
                        x = load(source, from_ + places[t])
                        u = fma(broadcast(packed, w), x, u)
                        v = fma(broadcast(packed, w + 1), x, v)
                        w += 2
                    if out_v != out_u:
                        put(cells, to + out_v, v, s.relu, s.more)
                    put(cells, to + out_u, u, s.relu, s.more)
                    begun += 1
                    continue
                u0 = u1 = u2 = u3 = bias_u
                v0 = v1 = v2 = v3 = bias_v
                for t in range(s.taps, s.taps + s.n_taps):
                    at = from_ + places[t]
                    u, v = broadcast(packed, w), broadcast(packed, w + 1)
                    w += 2
                    x = load(source, at)
                    u0, v0 = fma(u, x, u0), fma(v, x, v0)
                    x = load(source, at + column)
                    u1, v1 = fma(u, x, u1), fma(v, x, v1)
                    x = load(source, at + 2 * column)
                    u2, v2 = fma(u, x, u2), fma(v, x, v2)
                    x = load(source, at + 3 * column)
                    u3, v3 = fma(u, x, u3), fma(v, x, v3)
                if out_v != out_u:
                    put(cells, to + out_v, v0, s.relu, s.more)
                    put(cells, to + out_v + out_column, v1, s.relu, s.more)
                    put(cells, to + out_v + 2 * out_column, v2, s.relu, s.more)
                    put(cells, to + out_v + 3 * out_column, v3, s.relu, s.more)
                put(cells, to + out_u, u0, s.relu, s.more)
                put(cells, to + out_u + out_column, u1, s.relu, s.more)
                put(cells, to + out_u + 2 * out_column, u2, s.relu, s.more)
                put(cells, to + out_u + 3 * out_column, u3, s.relu, s.more)
                begun += 4


@njit(cache=True)
def products(source, cells, places, s, shift, gradient):
    """Gradient of every weight, ``gradient[o, t] += sum_ij doutput[o, i, j] input[t + (i, j)]``.

    Twin of ``convolutions.conv2d_parameters_back``. Where taps come in rows of three, two channels
    times two rows are twelve sums in registers.
    """
    if s.window == 3:
        _products_of_rows(source, cells, places, s, shift, gradient)
        return
    last = s.n_taps - 1
    for o in range(0, s.channels, 2):
        out_u, out_v = places[s.outs + o], places[s.outs + min(o + 1, s.channels - 1)]
        for t in range(0, s.n_taps, 2):
            u0 = u1 = v0 = v1 = splat(cells, 0.0)
            first = s.input + shift + places[s.taps + t]
            second = s.input + shift + places[s.taps + min(t + 1, last)]
            for i in range(s.rows):
                g, h = (
                    s.output_gradient + out_u + i * s.output_row,
                    s.output_gradient + out_v + i * s.output_row,
                )
                x, y = first + i * s.input_row, second + i * s.input_row
                for _ in range(s.columns):
                    u, v = load(cells, g), load(cells, h)
                    p, q = load(source, x), load(source, y)
                    u0, v0 = fma(u, p, u0), fma(v, p, v0)
                    u1, v1 = fma(u, q, u1), fma(v, q, v1)
                    x += s.input_column
                    y += s.input_column
                    g += s.output_column
                    h += s.output_column
            n = s.parameter + o * s.n_taps + t
            gradient[n] += quick_total(u0)
            if t < last:
                gradient[n + 1] += quick_total(u1)
            if o + 1 < s.channels:
                gradient[n + s.n_taps] += quick_total(v0)
                if t < last:
                    gradient[n + s.n_taps + 1] += quick_total(v1)


@njit(cache=True)
def _products_of_rows(source, cells, places, s, shift, gradient):
    # Places are running sums and the three taps of a row fixed distances from them: with an index
    # for each of the six, the compiler keeps more addresses than there are registers.
    for o in range(0, s.channels, 2):
        out_u, out_v = places[s.outs + o], places[s.outs + min(o + 1, s.channels - 1)]
        for t in range(0, s.n_taps, 6):
            u0 = u1 = u2 = u3 = u4 = u5 = splat(cells, 0.0)
            v0 = v1 = v2 = v3 = v4 = v5 = splat(cells, 0.0)
            both = t + 3 < s.n_taps
            first = s.input + shift + places[s.taps + t]
            second = s.input + shift + places[s.taps + (t + 3 if both else t)]
            for i in range(s.rows):
                g, h = (
                    s.output_gradient + out_u + i * s.output_row,
                    s.output_gradient + out_v + i * s.output_row,
                )
                x, y = first + i * s.input_row, second + i * s.input_row
                for _ in range(s.columns):
                    u, v = load(cells, g), load(cells, h)
                    p = load(source, x)
                    u0, v0 = fma(u, p, u0), fma(v, p, v0)
                    p = load(source, x + LANES)
                    u1, v1 = fma(u, p, u1), fma(v, p, v1)
                    p = load(source, x + 2 * LANES)
                    u2, v2 = fma(u, p, u2), fma(v, p, v2)
                    p = load(source, y)
                    u3, v3 = fma(u, p, u3), fma(v, p, v3)
                    p = load(source, y + LANES)
                    u4, v4 = fma(u, p, u4), fma(v, p, v4)
                    p = load(source, y + 2 * LANES)
                    u5, v5 = fma(u, p, u5), fma(v, p, v5)
                    x += s.input_column
                    y += s.input_column
                    g += s.output_column
                    h += s.output_column
            n = s.parameter + o * s.n_taps + t
            gradient[n] += quick_total(u0)
            gradient[n + 1] += quick_total(u1)
            gradient[n + 2] += quick_total(u2)
            if both:
                gradient[n + 3] += quick_total(u3)
                gradient[n + 4] += quick_total(u4)
                gradient[n + 5] += quick_total(u5)
            if o + 1 < s.channels:
                n += s.n_taps
                gradient[n] += quick_total(v0)
                gradient[n + 1] += quick_total(v1)
                gradient[n + 2] += quick_total(v2)
                if both:
                    gradient[n + 3] += quick_total(v3)
                    gradient[n + 4] += quick_total(v4)
                    gradient[n + 5] += quick_total(v5)


@njit(cache=True)
def sums(cells, s, gradient):
    """Gradient of the biases, ``gradient[o] += sum_ij doutput[o, i, j]``."""
    for o in range(s.channels):
        z0 = z1 = z2 = z3 = splat(cells, 0.0)
        for i in range(s.rows):
            at = s.output_gradient + o * s.output_plane + i * s.output_row
            whole = s.columns // 4
            for _ in range(whole):
                z0 = add(z0, load(cells, at))
                z1 = add(z1, load(cells, at + LANES))
                z2 = add(z2, load(cells, at + 2 * LANES))
                z3 = add(z3, load(cells, at + 3 * LANES))
                at += 4 * LANES
            for _ in range(4 * whole, s.columns):
                z0 = add(z0, load(cells, at))
                at += LANES
        gradient[s.parameter + o] += quick_total(add(add(z0, z1), add(z2, z3)))
