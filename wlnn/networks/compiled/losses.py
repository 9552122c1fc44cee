"""Losses, smoothed accuracy and both coordinates of a compiled network, one sample after another.

Twins of ``networks.losses`` and of ``tasks.smooth``. A system has ``outputs``, ``targets`` and
``errors (K, N)``, ``labels (N,)``, ``scale (2,)``, ``n_train``, ``n_test``, ``loss``, ``y_axis``
and ``alpha``; the functions fill ``errors`` with slopes by the outputs that ``scale`` turns into
gradients of x (train) and of y (test). Layers are not known here.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from wlnn.base.accuracy_axes import LOGIT_MARGIN, SCALE
from wlnn.networks.losses import FLOOR

SQUARED_ERROR, CROSS_ENTROPY = 0, 1
LN_LOSS, LOGIT, SCALED, PLAIN = 0, 1, 2, 3


def constants(variables) -> tuple[int, int, float]:
    """Loss, y axis and alpha of a ``tasks.smooth.NetworkVariables``, as systems have them."""
    task = variables.task
    axis = LN_LOSS
    if task.y != "ln-test-loss":
        axis = {"logit": LOGIT, "scaled": SCALED, "plain": PLAIN}[variables.axis_name]
    loss = SQUARED_ERROR if task.loss == "squared-error" else CROSS_ENTROPY
    return loss, axis, float(task.alpha)


@njit(cache=True)
def squares(system, first, end):
    """Mean squared error of samples first..end over all outputs; errors = residuals."""
    total = 0.0
    for k in range(system.outputs.shape[0]):
        for p in range(first, end):
            residual = system.outputs[k, p] - system.targets[k, p]
            system.errors[k, p] = residual
            total += np.float64(residual) * np.float64(residual)
    return total / ((end - first) * system.outputs.shape[0])


@njit(cache=True)
def _highest_wrong(system, p, right):
    """Highest wrong output of sample p minus the right one, and its index (0 for one output)."""
    outputs = system.outputs
    if outputs.shape[0] == 1:
        return np.float64(outputs[0, p]) * (1 - 2 * right), 0
    highest = -1
    for k in range(outputs.shape[0]):
        if k != right and (highest < 0 or outputs[k, p] > outputs[highest, p]):
            highest = k
    return np.float64(outputs[highest, p]) - np.float64(outputs[right, p]), highest


@njit(cache=True)
def entropies(system, first, end):
    """Mean cross-entropy of samples first..end; errors = probabilities minus truth."""
    outputs, errors = system.outputs, system.errors
    total = 0.0
    for p in range(first, end):
        right = system.labels[p]
        margin, _ = _highest_wrong(system, p, right)
        top = max(margin, 0.0)
        if outputs.shape[0] == 1:
            e = math.exp(-abs(margin))
            total += top + math.log1p(e)
            errors[0, p] = (1 - 2 * right) * (e if margin < 0.0 else 1.0) / (1.0 + e)
            continue
        rest = 0.0
        for k in range(outputs.shape[0]):
            if k != right:
                weight = math.exp(np.float64(outputs[k, p]) - np.float64(outputs[right, p]) - top)
                errors[k, p] = weight
                rest += weight
        total += top + math.log1p(rest + math.expm1(-top))
        whole = rest + math.exp(-top)
        for k in range(outputs.shape[0]):
            if k != right:
                errors[k, p] /= whole
        errors[right, p] = -rest / whole
    return total / (end - first)


@njit(cache=True)
def smoothed_accuracy(system, first, end):
    """Smoothed and true accuracy of samples first..end; errors = slopes by the outputs."""
    total = 0.0
    answered = 0
    for p in range(first, end):
        right = system.labels[p]
        margin, highest = _highest_wrong(system, p, right)
        if margin < 0.0:
            answered += 1
        z = system.alpha * margin
        e = math.exp(-abs(z))
        total += (1.0 if z <= 0.0 else e) / (1.0 + e)
        bend = system.alpha * e / (1.0 + e) ** 2
        if system.outputs.shape[0] == 1:
            system.errors[0, p] = -(1 - 2 * right) * bend
        else:
            for k in range(system.outputs.shape[0]):
                system.errors[k, p] = 0.0
            system.errors[right, p] = bend
            system.errors[highest, p] = -bend
    return total / (end - first), answered / (end - first)


@njit(cache=True)
def mean_loss(system, first, end):
    """Mean loss of samples first..end."""
    if system.loss == SQUARED_ERROR:
        return squares(system, first, end)
    return entropies(system, first, end)


@njit(cache=True)
def test_value(system, first, end):
    """What y is a function of, and the true accuracy (0 where y is a loss), of samples
    first..end."""
    if system.y_axis == LN_LOSS:
        return mean_loss(system, first, end), 0.0
    return smoothed_accuracy(system, first, end)


@njit(cache=True)
def coordinates(system, train_loss, value):
    """x and y, and the scales of the errors of either set."""
    factor = 2.0 / system.outputs.shape[0] if system.loss == SQUARED_ERROR else 1.0
    train_loss = max(train_loss, FLOOR)
    system.scale[0] = factor / (system.n_train * train_loss)
    if system.y_axis == LN_LOSS:
        value = max(value, FLOOR)
        system.scale[1] = factor / (system.n_test * value)
        y = math.log(value)
    elif system.y_axis == LOGIT:
        q = LOGIT_MARGIN + (1.0 - 2.0 * LOGIT_MARGIN) * value
        system.scale[1] = (1.0 - 2.0 * LOGIT_MARGIN) / (q * (1.0 - q) * system.n_test)
        y = math.log(q) - math.log1p(-q)
    else:
        steepness = SCALE if system.y_axis == SCALED else 1.0
        system.scale[1] = steepness / system.n_test
        y = steepness * value
    return math.log(train_loss), y
