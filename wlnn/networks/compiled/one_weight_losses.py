"""Losses and test metrics of the compiled network, each chosen by the type of a tag.

Definitions (what they must equal): ``networks/losses.py``. They read rows of the workspace of
``one_weight.py`` in vectors; where the rows lie is not known here.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from wlnn.backend.buffers import lanes, load, splat
from wlnn.backend.simd import (
    absolute,
    add,
    exp,
    few_turns,
    fma,
    maximum,
    multiply,
    negative,
    subtract,
    tallied,
    tally,
    total,
    total_product,
)
from wlnn.networks.compiled.one_weight_activations import by_tag, call, inline

PRODUCT_BLOCKS = 4  # vectors of 1 + e multiplied before a logarithm is taken: 255^16 < 3e38


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


@by_tag
def mean_loss(tag, system, out, first, last, n_real):
    """Mean loss of the samples first..last, of which ``n_real`` are not padding."""


@by_tag
def right_answers(tag, system, out, first, last):
    """Number of samples first..last answered right."""


@by_tag
def train_value(tag, system, out):
    """exp x of the output rows that start at index ``out``."""


@by_tag
def test_value(tag, system, out):
    """y of the output rows that start at index ``out``."""


@inline
def _ln_1_plus(q):
    """ln(1 + q): log1p only where it is needed, it costs two logarithms."""
    return math.log(1.0 + q) if q > 1e-3 else math.log1p(q)


@inline
def _softplus_block(rows, out, minus_sign, shift, first, last, linear):
    """``linear`` + sum max(m, 0), and prod(1 + e^-|m|) - 1, lane by lane."""
    step = lanes(rows)
    q = splat(rows, 0.0)
    for b in range(first, last, step):
        few_turns()
        m = fma(load(rows, minus_sign + b), load(rows, out + b), load(rows, shift + b))
        e = exp(subtract(splat(rows, -0.0), absolute(m)))
        linear = add(linear, maximum(m, splat(rows, 0.0)))
        q = add(q, fma(q, e, e))
    return linear, q


@call
def _softplus_mean(rows, out, minus_sign, shift, first, last, n_real):
    """Mean of softplus(m), m = -s d: sum max(m, 0) + ln prod(1 + e^-|m|), few logarithms."""
    block = PRODUCT_BLOCKS * 4 * lanes(rows)
    linear = splat(rows, 0.0)
    logarithms = 0.0
    while last - first > block:
        linear, q = _softplus_block(rows, out, minus_sign, shift, first, first + block, linear)
        logarithms += _ln_1_plus(total_product(q))
        first += block
    linear, q = _softplus_block(rows, out, minus_sign, shift, first, last, linear)
    maxima = total(linear)  # before the logarithm is called: a call spares numbers, not vectors
    return (maxima + (logarithms + _ln_1_plus(total_product(q)))) / n_real


@mean_loss.register(Margin)
def _margin_loss(tag, system, out, first, last, n_real):
    minus_sign = (system.ones + 1) * system.n
    return _softplus_mean(system.rows, out, minus_sign, minus_sign + system.n, first, last, n_real)


@call
def _negatives(rows, out, minus_sign, first, last):
    count = splat(rows, 0.0)
    for b in range(first, last, lanes(rows)):
        few_turns()
        count = tally(count, multiply(load(rows, minus_sign + b), load(rows, out + b)))
    return tallied(count)


@right_answers.register(Margin)
def _margin_right(tag, system, out, first, last):
    return _negatives(system.rows, out, (system.ones + 1) * system.n, first, last)


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
            few_turns()
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
        few_turns()
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
            few_turns()
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
