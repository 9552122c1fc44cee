"""Activations, losses and test metrics of the compiled network, each chosen by the type of a tag.

Definitions (what they must equal): ``networks/layers.py``, ``losses.py``. They read rows of the
workspace of ``one_weight.py`` in vectors; where the rows lie is not known here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from numba import njit

from wlnn.backend.buffers import lanes, load, splat, store
from wlnn.backend.dispatch import by_type
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
    total,
    total_product,
)

inline = njit(error_model="numpy", forceinline=True)
call = njit(error_model="numpy")
_by_tag = by_type(error_model="numpy", forceinline=True)
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
    """Tag of the mean squared error over samples and output rows."""


class TrainLoss(NamedTuple):
    """Tag of x = ln(train loss)."""


class TrainAccuracy(NamedTuple):
    """Tag of x = fraction of right training answers."""


class TestAccuracy(NamedTuple):
    """Tag of y = fraction of right test answers."""


class TestLoss(NamedTuple):
    """Tag of y = ln(test loss)."""


@_by_tag
def activate(tag, rows, z):
    """The activation h of a vector of pre-activations z."""


@_by_tag
def hidden(tag, rows, z_at, h_at):
    """Activations h at ``h_at``, or recomputed from the pre-activations at ``z_at``."""


@_by_tag
def keep(tag, rows, h_at, h):
    """Store activations, if :func:`hidden` will load them."""


@_by_tag
def mean_loss(tag, system, out, first, last, n_real):
    """Mean loss of the samples first..last, of which ``n_real`` are not padding."""


@_by_tag
def right_answers(tag, system, out, first, last):
    """Number of samples first..last answered right."""


@_by_tag
def train_value(tag, system, out):
    """exp x of the output rows that start at index ``out``."""


@_by_tag
def test_value(tag, system, out):
    """y of the output rows that start at index ``out``."""


@activate.register(Relu)
def _relu(tag, rows, z):
    return maximum(z, splat(rows, 0.0))


@activate.register(Tanh)
def _tanh(tag, rows, z):  # 1 - 2 / (e^2z + 1), clipped where it is 1 to the last digit
    limit = splat(rows, 20.0)
    e = exp(multiply(splat(rows, -2.0), maximum(subtract(splat(rows, 0.0), limit), z)))
    return subtract(divide(splat(rows, 2.0), add(e, splat(rows, 1.0))), splat(rows, 1.0))


@activate.register(Silu)
def _silu(tag, rows, z):
    e = exp(subtract(splat(rows, 0.0), maximum(z, splat(rows, -80.0))))
    return divide(z, add(splat(rows, 1.0), e))


@hidden.register(Relu)
def _relu_hidden(tag, rows, z_at, h_at):  # one instruction: cheaper than to store and load h
    return maximum(load(rows, z_at), splat(rows, 0.0))


@keep.register(Relu)
def _relu_keep(tag, rows, h_at, h):
    pass


@hidden.register(Tanh, Silu)
def _stored_hidden(tag, rows, z_at, h_at):
    return load(rows, h_at)


@keep.register(Tanh, Silu)
def _stored_keep(tag, rows, h_at, h):
    store(rows, h_at, h)


@inline
def _ln_1_plus(q):
    """ln(1 + q): log1p only where it is needed, it costs two logarithms."""
    return math.log(1.0 + q) if q > 1e-3 else math.log1p(q)


@mean_loss.register(Margin)
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


@right_answers.register(Margin)
def _margin_right(tag, system, out, first, last):
    rows, n = system.rows, system.n
    target_at = (system.ones + 1) * n
    count = splat(rows, 0.0)
    for b in range(first, last, lanes(rows)):
        m = multiply(load(rows, target_at + b), load(rows, out + b))
        count = add(count, negative(m))
    return total(count)


@mean_loss.register(Softmax)
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


@right_answers.register(Softmax)
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


@mean_loss.register(Squares)
def _squares_loss(tag, system, out, first, last, n_real):
    rows, n = system.rows, system.n
    target = system.ones + 1
    outputs = system.n_targets - 1
    squares = splat(rows, 0.0)
    for k in range(outputs):
        for b in range(first, last, lanes(rows)):
            r = subtract(load(rows, out + k * n + b), load(rows, (target + k) * n + b))
            r = multiply(r, load(rows, (target + outputs) * n + b))
            squares = fma(r, r, squares)
    return total(squares) / (n_real * outputs)


@train_value.register(TrainLoss)
def _train_loss(tag, system, out):
    return mean_loss(system.loss, system, out, 0, system.n_train_padded, system.n_train)


@train_value.register(TrainAccuracy)
def _train_accuracy(tag, system, out):
    right = right_answers(system.loss, system, out, 0, system.n_train_padded)
    return math.exp(right / system.n_train)  # what is binned by exp(edges), as a loss is


@test_value.register(TestAccuracy)
def _accuracy_metric(tag, system, out):
    return right_answers(system.loss, system, out, system.n_train_padded, system.n) / system.n_test


@test_value.register(TestLoss)
def _loss_metric(tag, system, out):
    loss = mean_loss(system.loss, system, out, system.n_train_padded, system.n, system.n_test)
    return math.log(max(loss, 1e-300))


@inline
def observables(system, out):
    """(exp x, y) of the output rows that start at index ``out``."""
    return train_value(system.of_train, system, out), test_value(system.metric, system, out)
