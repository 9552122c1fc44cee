"""The network as a system of the Wang-Landau driver: incremental evaluation with cached rows.

A change of one weight W[l][r, c] by d changes ONE row of pre-activations, z_l[r] += d h_{l-1}[c],
then one row of activations, then by a rank-1 update the rows of the next layer; only the layers
beyond are recomputed. For a 2-6-6-6-2 network that is 13 % of the multiply-adds of a full forward
pass. Definition (what it must equal): ``Task.observe`` in NumPy. This file proposes no moves.

Layout: one flat workspace of rows of N samples, [train, padded | test, padded], rows contiguous:
inputs, ones (the input of biases), targets, three scratch rows, then for every hidden layer its
rows z and h twice (current and proposed; accepting swaps them), then the output rows twice. Widths,
depth and sample counts are run-time values; activation, loss, metric and precision are types.
"""

from __future__ import annotations

import itertools
import math
from typing import NamedTuple

import numpy as np
from numba import njit
from numba.extending import overload

from wlnn import kernels, simd
from wlnn.errors import UserError
from wlnn.simd import (
    Buffer,
    absolute,
    add,
    any_nonzero,
    broadcast,
    divide,
    exp,
    fma,
    lanes,
    load,
    maximum,
    multiply,
    negative,
    splat,
    store,
    subtract,
    total,
    total_product,
)

PRODUCT_BLOCKS = 4  # vectors of 1 + e multiplied before a logarithm is taken: 255^16 < 3e38


class Relu(NamedTuple):
    """Tag of max(z, 0)."""


class Tanh(NamedTuple):
    """Tag of tanh z."""


class Silu(NamedTuple):
    """Tag of z / (1 + e^-z)."""


class Margin(NamedTuple):
    """Tag of binary cross-entropy of one cached row: the logit, or the difference of two."""


class Softmax(NamedTuple):
    """Tag of softmax cross-entropy over cached logit rows."""


class Squares(NamedTuple):
    """Tag of the mean squared error of one output row."""


class TestAccuracy(NamedTuple):
    """Tag of y = fraction of right test answers."""


class TestLoss(NamedTuple):
    """Tag of y = ln(test loss)."""


class NetworkSystem(NamedTuple):
    """Caches and tables of one walker's network; see the layout in the head of this file."""

    rows: Buffer  # (n_rows N,) workspace
    weights: Buffer  # per layer (out, in + 1), bias last; two logits are stored as their margin
    layer: Buffer  # (P,) which weight each parameter is ...
    row: Buffer
    column: Buffer  # -1 for a bias
    place: Buffer  # ... where it lies in ``weights`` ...
    sign: Buffer  # ... and with which sign it enters there
    inputs_of: Buffer  # (D + 1,) inputs of each layer ...
    rows_of: Buffer  # ... and its rows; hidden widths are made even by rows of zeros
    weight_start: Buffer  # (D + 1,)
    z_start: Buffer  # (D + 1,) first row of each layer's z; outputs are layer D
    h_start: Buffer  # (D,)
    current: Buffer  # (D + 1,) which of the two buffers is current
    pending: Buffer  # (1,) whether the last proposal changed the outputs
    values: Buffer  # (4,) exp x, y of the current state and of the last proposal
    depth: int  # hidden layers D
    n_weights: int
    n: int  # samples in a row
    n_train_padded: int
    n_train: int
    n_test: int
    n_targets: int  # target rows
    ones: int  # the row of ones; targets follow it
    scratch: int  # first of the three scratch rows
    activation: NamedTuple
    loss: NamedTuple
    metric: NamedTuple


# --- activations and losses, chosen by the type of a tag -----------------------------------------


def _relu(tag, rows, z):
    return maximum(z, splat(rows, 0.0))


def _tanh(tag, rows, z):  # 1 - 2 / (e^2z + 1), clipped where it is 1 to the last digit
    limit = splat(rows, 20.0)
    e = exp(multiply(splat(rows, -2.0), maximum(subtract(splat(rows, 0.0), limit), z)))
    return subtract(divide(splat(rows, 2.0), add(e, splat(rows, 1.0))), splat(rows, 1.0))


def _silu(tag, rows, z):
    e = exp(subtract(splat(rows, 0.0), maximum(z, splat(rows, -80.0))))
    return divide(z, add(splat(rows, 1.0), e))


def _relu_hidden(tag, rows, z_at, h_at):  # one instruction: cheaper than to store and load h
    return maximum(load(rows, z_at), splat(rows, 0.0))


def _relu_keep(tag, rows, h_at, h):
    pass


def _stored_hidden(tag, rows, z_at, h_at):
    return load(rows, h_at)


def _stored_keep(tag, rows, h_at, h):
    store(rows, h_at, h)


_INLINE = {"error_model": "numpy", "forceinline": True}
_BY_TAG = {
    "activate": {Relu: _relu, Tanh: _tanh, Silu: _silu},
    "hidden": {Relu: _relu_hidden, Tanh: _stored_hidden, Silu: _stored_hidden},
    "keep": {Relu: _relu_keep, Tanh: _stored_keep, Silu: _stored_keep},
}


def _activate(tag, rows, z):
    return _BY_TAG["activate"][type(tag)](tag, rows, z)


@overload(_activate, jit_options=_INLINE)
def _activate_typed(tag, rows, z):
    return _BY_TAG["activate"][tag.instance_class]


def _hidden(tag, rows, z_at, h_at):
    """Activations h at ``h_at``, or recomputed from the pre-activations at ``z_at``."""
    return _BY_TAG["hidden"][type(tag)](tag, rows, z_at, h_at)


def _keep(tag, rows, h_at, h):
    """Store activations, if :func:`_hidden` will load them."""
    return _BY_TAG["keep"][type(tag)](tag, rows, h_at, h)


@overload(_hidden, jit_options=_INLINE)
def _hidden_typed(tag, rows, z_at, h_at):
    return _BY_TAG["hidden"][tag.instance_class]


@overload(_keep, jit_options=_INLINE)
def _keep_typed(tag, rows, h_at, h):
    return _BY_TAG["keep"][tag.instance_class]


_inline = njit(**_INLINE)
_call = njit(error_model="numpy")


@_inline
def _ln_1_plus(q):
    """ln(1 + q): log1p only where it is needed, it costs two logarithms."""
    return math.log(1.0 + q) if q > 1e-3 else math.log1p(q)


def _margin_loss(tag, system, out, first, last, n_real):
    """Mean of softplus(m), m = -s d: sum max(m, 0) + ln prod(1 + e^-|m|), few logarithms."""
    rows, n = system.rows, system.n
    step = lanes(rows)
    target = system.ones + 1
    linear = splat(rows, 0.0)
    logarithms = 0.0
    for start in range(first, last, PRODUCT_BLOCKS * 4 * step):
        q = splat(rows, 0.0)
        for b in range(start, min(start + PRODUCT_BLOCKS * 4 * step, last), step):
            m = fma(
                load(rows, target * n + b),
                load(rows, out + b),
                load(rows, (target + 1) * n + b),
            )
            e = exp(subtract(splat(rows, -0.0), absolute(m)))
            linear = add(linear, maximum(m, splat(rows, 0.0)))
            q = add(q, fma(q, e, e))
        logarithms += _ln_1_plus(total_product(q))
    return (total(linear) + logarithms) / n_real


def _margin_right(tag, system, out, first, last):
    rows, n = system.rows, system.n
    target_at = (system.ones + 1) * n
    count = splat(rows, 0.0)
    for b in range(first, last, lanes(rows)):
        m = multiply(load(rows, target_at + b), load(rows, out + b))
        count = add(count, negative(m))
    return total(count)


def _softmax_loss(tag, system, out, first, last, n_real):
    """Mean of max z + ln sum e^(z - max z) - z_label."""
    rows, n = system.rows, system.n
    step = lanes(rows)
    target = system.ones + 1
    classes = system.n_targets - 1
    linear = splat(rows, 0.0)
    logarithms = 0.0
    for start in range(first, last, PRODUCT_BLOCKS * step):
        q = splat(rows, 0.0)
        for b in range(start, min(start + PRODUCT_BLOCKS * step, last), step):
            largest = load(rows, out + b)
            label = multiply(largest, load(rows, target * n + b))
            for k in range(1, classes):
                z = load(rows, out + k * n + b)
                largest = maximum(largest, z)
                label = fma(z, load(rows, (target + k) * n + b), label)
            s = splat(rows, -1.0)
            for k in range(classes):
                s = add(s, exp(subtract(load(rows, out + k * n + b), largest)))
            real = load(rows, (target + classes) * n + b)
            linear = fma(real, subtract(largest, label), linear)
            s = multiply(s, real)
            q = add(q, fma(q, s, s))
        logarithms += _ln_1_plus(total_product(q))
    return (total(linear) + logarithms) / n_real


def _softmax_right(tag, system, out, first, last):
    rows, n = system.rows, system.n
    target = system.ones + 1
    classes = system.n_targets - 1
    count = splat(rows, 0.0)
    for b in range(first, last, lanes(rows)):
        label = splat(rows, 0.0)
        other = splat(rows, -1e30)
        for k in range(classes):
            z = load(rows, out + k * n + b)
            hot = load(rows, (target + k) * n + b)
            label = fma(z, hot, label)
            other = maximum(other, fma(hot, splat(rows, -1e30), z))
        real = load(rows, (target + classes) * n + b)
        count = add(count, negative(multiply(real, subtract(other, label))))
    return total(count)


def _squares_loss(tag, system, out, first, last, n_real):
    rows, n = system.rows, system.n
    target = system.ones + 1
    squares = splat(rows, 0.0)
    for b in range(first, last, lanes(rows)):
        r = subtract(load(rows, out + b), load(rows, target * n + b))
        r = multiply(r, load(rows, (target + 1) * n + b))
        squares = fma(r, r, squares)
    return total(squares) / n_real


_BY_TAG["loss"] = {Margin: _margin_loss, Softmax: _softmax_loss, Squares: _squares_loss}
_BY_TAG["right"] = {Margin: _margin_right, Softmax: _softmax_right}


def _loss(tag, system, out, first, last, n_real):
    return _BY_TAG["loss"][type(tag)](tag, system, out, first, last, n_real)


def _right(tag, system, out, first, last):
    return _BY_TAG["right"][type(tag)](tag, system, out, first, last)


@overload(_loss, jit_options=_INLINE)
def _loss_typed(tag, system, out, first, last, n_real):
    return _BY_TAG["loss"][tag.instance_class]


@overload(_right, jit_options=_INLINE)
def _right_typed(tag, system, out, first, last):
    return _BY_TAG["right"][tag.instance_class]


def _accuracy_metric(tag, system, out):
    return _right(system.loss, system, out, system.n_train_padded, system.n) / system.n_test


def _loss_metric(tag, system, out):
    loss = _loss(system.loss, system, out, system.n_train_padded, system.n, system.n_test)
    return math.log(max(loss, 1e-300))


_BY_TAG["metric"] = {TestAccuracy: _accuracy_metric, TestLoss: _loss_metric}


def _metric(tag, system, out):
    return _BY_TAG["metric"][type(tag)](tag, system, out)


@overload(_metric, jit_options=_INLINE)
def _metric_typed(tag, system, out):
    return _BY_TAG["metric"][tag.instance_class]


@_inline
def _observables(system, out):
    """(train loss = exp x, y) of the output rows that start at index ``out``."""
    loss = _loss(system.loss, system, out, 0, system.n_train_padded, system.n_train)
    return loss, _metric(system.metric, system, out)


# --- rows -----------------------------------------------------------------------------------------


@_inline
def _z(system, layer, buffer):
    return (system.z_start[layer] + buffer * system.rows_of[layer]) * system.n


@_inline
def _h(system, layer, buffer):
    return (system.h_start[layer] + buffer * system.rows_of[layer]) * system.n


@_inline
def _put(system, z_at, h_at, z00, z01, z10, z11):
    """Store two rows of two vectors of pre-activations; returns their activations."""
    rows, n, tag = system.rows, system.n, system.activation
    step = lanes(rows)
    store(rows, z_at, z00)
    store(rows, z_at + step, z01)
    store(rows, z_at + n, z10)
    store(rows, z_at + n + step, z11)
    h00 = _activate(tag, rows, z00)
    h01 = _activate(tag, rows, z01)
    h10 = _activate(tag, rows, z10)
    h11 = _activate(tag, rows, z11)
    _keep(tag, rows, h_at, h00)
    _keep(tag, rows, h_at + step, h01)
    _keep(tag, rows, h_at + n, h10)
    _keep(tag, rows, h_at + n + step, h11)
    return h00, h01, h10, h11


@_inline
def _rank_one(system, layer, row, change_at, z_from, z_to, h_to, out):
    """New rows of ``layer`` after row ``row`` of the layer before changed by the row at change_at.

    If ``out >= 0`` this is the last hidden layer of a network with one output row, which is summed
    in the same pass. Two rows of two vectors at a time; both are padded to even numbers.
    """
    rows, weights, n = system.rows, system.weights, system.n
    step = lanes(rows)
    stride = system.inputs_of[layer] + 1
    n_rows = system.rows_of[layer]
    first = system.weight_start[layer] + row
    last = system.weight_start[layer + 1]
    for b in range(0, n, 2 * step):
        change_0 = load(rows, change_at + b)
        change_1 = load(rows, change_at + b + step)
        d0 = d1 = broadcast(weights, last + n_rows)
        w = first
        at = b
        for r in range(0, n_rows, 2):
            w_0 = broadcast(weights, w)
            w_1 = broadcast(weights, w + stride)
            z00 = fma(w_0, change_0, load(rows, z_from + at))
            z01 = fma(w_0, change_1, load(rows, z_from + at + step))
            z10 = fma(w_1, change_0, load(rows, z_from + at + n))
            z11 = fma(w_1, change_1, load(rows, z_from + at + n + step))
            h00, h01, h10, h11 = _put(system, z_to + at, h_to + at, z00, z01, z10, z11)
            if out >= 0:
                u_0 = broadcast(weights, last + r)
                u_1 = broadcast(weights, last + r + 1)
                d0 = fma(u_1, h10, fma(u_0, h00, d0))
                d1 = fma(u_1, h11, fma(u_0, h01, d1))
            w += 2 * stride
            at += 2 * n
        if out >= 0:
            store(rows, out + b, d0)
            store(rows, out + b + step, d1)


@_call
def _affine(system, layer, z_in, h_in, z_to, h_to, out):
    """Rows z and h of a hidden layer from the rows of the layer before, in full.

    ``out`` as in :func:`_rank_one`.
    """
    rows, weights, n = system.rows, system.weights, system.n
    step = lanes(rows)
    tag = system.activation
    n_in = system.inputs_of[layer]
    n_rows = system.rows_of[layer]
    last = system.weight_start[layer + 1]
    for b in range(0, n, 2 * step):
        d0 = d1 = broadcast(weights, last + n_rows)
        w = system.weight_start[layer]
        at = b
        for r in range(0, n_rows, 2):
            v = w + n_in + 1
            z00 = z01 = broadcast(weights, w + n_in)
            z10 = z11 = broadcast(weights, v + n_in)
            z = z_in + b
            h = h_in + b
            for c in range(n_in):
                if layer == 0:
                    p = load(rows, z)
                    q = load(rows, z + step)
                else:
                    p = _hidden(tag, rows, z, h)
                    q = _hidden(tag, rows, z + step, h + step)
                w_c = broadcast(weights, w + c)
                v_c = broadcast(weights, v + c)
                z00 = fma(w_c, p, z00)
                z01 = fma(w_c, q, z01)
                z10 = fma(v_c, p, z10)
                z11 = fma(v_c, q, z11)
                z += n
                h += n
            h00, h01, h10, h11 = _put(system, z_to + at, h_to + at, z00, z01, z10, z11)
            if out >= 0:
                u_0 = broadcast(weights, last + r)
                u_1 = broadcast(weights, last + r + 1)
                d0 = fma(u_1, h10, fma(u_0, h00, d0))
                d1 = fma(u_1, h11, fma(u_0, h01, d1))
            w = v + n_in + 1
            at += 2 * n
        if out >= 0:
            store(rows, out + b, d0)
            store(rows, out + b + step, d1)


@_inline
def _outputs(system, z_in, h_in, out):
    """Output rows from the rows of the last hidden layer (or the inputs), in full."""
    rows, weights, n = system.rows, system.weights, system.n
    step = lanes(rows)
    layer = system.depth
    n_in = system.inputs_of[layer]
    for r in range(system.rows_of[layer]):
        w = system.weight_start[layer] + r * (n_in + 1)
        for b in range(0, n, step):
            z = z_in + b
            h = h_in + b
            s = broadcast(weights, w + n_in)
            for c in range(n_in):
                p = load(rows, z) if layer == 0 else _hidden(system.activation, rows, z, h)
                s = fma(broadcast(weights, w + c), p, s)
                z += n
                h += n
            store(rows, out + r * n + b, s)


def _refresh(system, theta):
    """Weights and every current row from theta."""
    weights, depth = system.weights, system.depth
    for k in range(system.n_weights):
        weights[k] = 0.0
    for i in range(theta.shape[0]):
        weights[system.place[i]] += system.sign[i] * theta[i]
    z_in = h_in = 0
    for layer in range(depth):
        z = _z(system, layer, system.current[layer])
        h = _h(system, layer, system.current[layer])
        _affine(system, layer, z_in, h_in, z, h, -1)
        z_in = z
        h_in = h
    out = _z(system, depth, system.current[depth])
    _outputs(system, z_in, h_in, out)
    x, y = _observables(system, out)
    system.values[0] = x
    system.values[1] = y
    return x, y


def _propose(system, theta, i, new):
    rows, n = system.rows, system.n
    depth, tag = system.depth, system.activation
    step = lanes(rows)
    layer = system.layer[i]
    row = system.row[i]
    column = system.column[i]
    delta = splat(rows, system.sign[i] * (new - theta[i]))
    out = _z(system, depth, system.current[depth])
    out_new = _z(system, depth, 1 - system.current[depth])
    from_input = layer == 0 or column < 0
    if from_input:  # a weight of an input, or a bias: the row of ones
        z_in = (column if column >= 0 else system.ones) * n
        h_in = z_in
    else:
        z_in = _z(system, layer - 1, system.current[layer - 1]) + column * n
        h_in = _h(system, layer - 1, system.current[layer - 1]) + column * n
    if layer == depth:  # an output weight: one output row moves
        for r in range(system.rows_of[depth]):
            at = r * n
            for b in range(0, n, step):
                z = load(rows, out + at + b)
                if r == row:
                    if from_input:
                        h = load(rows, z_in + b)
                    else:
                        h = _hidden(tag, rows, z_in + b, h_in + b)
                    z = fma(delta, h, z)
                store(rows, out_new + at + b, z)
    else:
        scratch = system.scratch * n  # three rows: new z, new h, change of h
        z_old = _z(system, layer, system.current[layer]) + row * n
        h_old = _h(system, layer, system.current[layer]) + row * n
        largest = splat(rows, 0.0)
        for b in range(0, n, step):
            h = load(rows, z_in + b) if from_input else _hidden(tag, rows, z_in + b, h_in + b)
            z = fma(delta, h, load(rows, z_old + b))
            h = _activate(tag, rows, z)
            change = subtract(h, _hidden(tag, rows, z_old + b, h_old + b))
            store(rows, scratch + b, z)
            _keep(tag, rows, scratch + n + b, h)
            store(rows, scratch + 2 * n + b, change)
            largest = maximum(largest, absolute(change))
        if not any_nonzero(largest):  # a dead ReLU: nothing downstream moves
            system.pending[0] = 0
            return system.values[0], system.values[1]
        change_at = scratch + 2 * n
        k = layer + 1
        z_from = _z(system, k, system.current[k])
        z_to = _z(system, k, 1 - system.current[k])
        if k == depth:
            w = system.weight_start[k] + row
            for r in range(system.rows_of[depth]):
                v = broadcast(system.weights, w + r * (system.inputs_of[depth] + 1))
                at = r * n
                for b in range(0, n, step):
                    z = fma(v, load(rows, change_at + b), load(rows, z_from + at + b))
                    store(rows, z_to + at + b, z)
        else:
            h_to = _h(system, k, 1 - system.current[k])
            one_row = system.rows_of[depth] == 1
            fused = out_new if one_row and k == depth - 1 else -1
            _rank_one(system, k, row, change_at, z_from, z_to, h_to, fused)
            for k in range(layer + 2, depth):
                z_from = z_to
                h_from = h_to
                z_to = _z(system, k, 1 - system.current[k])
                h_to = _h(system, k, 1 - system.current[k])
                fused = out_new if one_row and k == depth - 1 else -1
                _affine(system, k, z_from, h_from, z_to, h_to, fused)
            if not one_row:
                _outputs(system, z_to, h_to, out_new)
    x, y = _observables(system, out_new)
    system.pending[0] = 1
    system.values[2] = x
    system.values[3] = y
    return x, y


def _commit(system, theta, i, new):
    rows, n, depth = system.rows, system.n, system.depth
    step = lanes(rows)
    layer = system.layer[i]
    row = system.row[i]
    system.weights[system.place[i]] += system.sign[i] * (new - theta[i])
    if layer < depth:
        scratch = system.scratch * n
        z = _z(system, layer, system.current[layer]) + row * n
        h = _h(system, layer, system.current[layer]) + row * n
        for b in range(0, n, step):
            store(rows, z + b, load(rows, scratch + b))
            _keep(system.activation, rows, h + b, load(rows, scratch + n + b))
        if system.pending[0] == 0:
            return
    for k in range(layer + 1, depth):
        system.current[k] = 1 - system.current[k]
    system.current[depth] = 1 - system.current[depth]
    system.values[0] = system.values[2]
    system.values[1] = system.values[3]


kernels.register(
    NetworkSystem, refresh=_refresh, propose=_propose, commit=_commit, exponential=True
)


# --- making one -----------------------------------------------------------------------------------

_ACTIVATIONS = {"relu": Relu(), "tanh": Tanh(), "silu": Silu()}


def network_system(network, data, loss: str, metric: str, precision: str) -> NetworkSystem:
    """Caches for one walker of a fully connected network.

    Args:
        network: an :class:`wlnn.network.FNN`.
        data: a :class:`wlnn.datasets.Dataset`.
        loss: "cross-entropy" (one, two or more logits) or "squared-error" (one output).
        metric: "test-accuracy" or "ln-test-loss".
        precision: "float32" or "float64", the type of the rows.

    Raises:
        UserError: for an activation, loss or metric that has no compiled form.
    """
    dtype = np.dtype(precision)
    width = simd.VECTOR_BYTES // dtype.itemsize
    sizes = list(network.sizes)
    outputs = sizes[-1]
    if network.activation not in _ACTIVATIONS:
        raise UserError(f"activation '{network.activation}': give {', '.join(_ACTIVATIONS)}.")
    if loss == "squared-error":
        if outputs != 1:
            raise UserError(f"squared error needs a network with 1 output, not {outputs}.")
        tag, output_rows = Squares(), 1
    else:
        tag, output_rows = (Margin(), 1) if outputs <= 2 else (Softmax(), outputs)
    n_train, n_test = len(data.x_train), len(data.x_test)
    padded = [-(-count // width) * width for count in (n_train, n_test)]
    padded[1] += sum(padded) % (2 * width)  # an even number of vectors, see _affine
    n = sum(padded)
    places = np.r_[np.arange(n_train), padded[0] + np.arange(n_test)]
    real = np.zeros(n)
    real[places] = 1.0
    inputs = np.zeros((sizes[0], n))
    inputs[:, places] = np.concatenate([data.x_train, data.x_test]).T
    labels = np.concatenate([np.ravel(data.y_train), np.ravel(data.y_test)])
    if isinstance(tag, Squares):
        target = np.zeros(n)
        target[places] = labels
        targets = np.stack([target, real])
    elif isinstance(tag, Margin):
        minus_sign = np.zeros(n)
        minus_sign[places] = np.where(labels == 1, -1.0, 1.0)
        targets = np.stack([minus_sign, np.where(real > 0, 0.0, -80.0)])
    else:
        targets = np.zeros((outputs + 1, n))
        targets[labels.astype(int), places] = 1.0
        targets[-1] = real
    hidden = np.array(sizes[1:-1], int)
    rows_of = np.append(hidden + hidden % 2, output_rows)
    inputs_of = np.append(sizes[0], rows_of[:-1])
    scratch = sizes[0] + 1 + len(targets)
    z_start = scratch + 3 + np.concatenate([[0], np.cumsum(4 * rows_of[:-1])])
    h_start = z_start + 2 * rows_of
    n_rows = int(h_start[-1])
    raw = np.zeros(n_rows * n * dtype.itemsize + 64, np.uint8)
    offset = -raw.ctypes.data % 64
    rows = raw[offset : offset + n_rows * n * dtype.itemsize].view(dtype)
    table = rows.reshape(n_rows, n)
    table[: sizes[0]] = inputs
    table[sizes[0]] = 1.0
    table[sizes[0] + 1 : scratch] = targets
    layer, row, column = [], [], []
    for k, (n_in, n_out) in enumerate(itertools.pairwise(sizes)):
        r, c = np.divmod(np.arange(n_in * n_out), n_in)
        row += [r, np.arange(n_out)]
        column += [c, np.full(n_out, -1)]
        layer += [np.full(n_out * (n_in + 1), k)]
    layer, row, column = (np.concatenate(part).astype(np.int64) for part in (layer, row, column))
    sign = np.ones(layer.size)
    if isinstance(tag, Margin) and outputs == 2:  # the margin is logit 1 minus logit 0
        last = layer == len(sizes) - 2
        sign[last & (row == 0)] = -1.0
        row[last] = 0
    counts = rows_of * (inputs_of + 1)
    weight_start = np.cumsum(counts) - counts
    place = weight_start[layer] + row * (inputs_of[layer] + 1)
    place += np.where(column < 0, inputs_of[layer], column)
    return NetworkSystem(
        rows=Buffer(rows),
        weights=Buffer(np.zeros(int(counts.sum()), dtype)),
        layer=Buffer(layer),
        row=Buffer(row),
        column=Buffer(column),
        place=Buffer(place),
        sign=Buffer(sign),
        inputs_of=Buffer(inputs_of.astype(np.int64)),
        rows_of=Buffer(rows_of.astype(np.int64)),
        weight_start=Buffer(weight_start.astype(np.int64)),
        z_start=Buffer(z_start.astype(np.int64)),
        h_start=Buffer(h_start.astype(np.int64)),
        current=Buffer(np.zeros(len(sizes) - 1, np.int64)),
        pending=Buffer(np.zeros(1, np.int64)),
        values=Buffer(np.zeros(4)),
        depth=len(sizes) - 2,
        n_weights=int(counts.sum()),
        n=n,
        n_train_padded=padded[0],
        n_train=n_train,
        n_test=n_test,
        n_targets=len(targets),
        ones=sizes[0],
        scratch=scratch,
        activation=_ACTIVATIONS[network.activation],
        loss=tag,
        metric=TestAccuracy() if metric == "test-accuracy" else TestLoss(),
    )
