"""From the outputs of any network to x, y and the errors a backward pass starts from: compiled.

Twin of ``collective.NetworkVariables``, after the forward and before the backward pass. A system
of the molecular dynamics driver that has the fields of :class:`Head` leaves its outputs in
``outputs``, calls :func:`observe`, and later :func:`scale_errors`; what the network is does not
matter. One row per output, one column per sample, train then test.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.collective import FLOOR, LOGIT_MARGIN, SCALE
from wlnn.wlmd_kernels import FAST

SQUARED_ERROR, CROSS_ENTROPY = 0, 1
LN_LOSS, LOGIT, SCALED, PLAIN = 0, 1, 2, 3


class Head(NamedTuple):
    """The fields that a system needs, in the order of :func:`make_head`; K outputs, N samples."""

    outputs: np.ndarray  # (K, N)
    errors: np.ndarray  # (K, N), per-sample gradients by the outputs, not yet scaled
    scale: np.ndarray  # (2,) float64: what turns them into gradients of x (train) and y (test)
    targets: np.ndarray  # (N,) float32
    labels: np.ndarray  # (N,) int64
    n_train: int
    n_test: int
    loss: int
    y_axis: int
    alpha: float


def make_head(variables) -> Head:
    """The head of a :class:`wlnn.collective.NetworkVariables`; pass its fields to the system."""
    task, data = variables.task, variables.task.data
    regress = task.loss == "squared-error"
    truth = np.concatenate([data.y_train, data.y_test])
    axis = LN_LOSS
    if task.y != "ln-test-loss":
        axis = {"logit": LOGIT, "scaled": SCALED, "plain": PLAIN}[variables.axis_name]
    n_outputs = task.network.forward(
        np, np.zeros((1, task.network.n_parameters)), data.x_train[:1]
    )[0].shape[-1]
    outputs, errors = np.zeros((2, n_outputs, len(truth)), np.float32)
    return Head(
        outputs,
        errors,
        np.zeros(2),
        truth.astype(np.float32),
        np.zeros(len(truth), np.int64) if regress else truth,
        len(data.y_train),
        len(data.y_test),
        SQUARED_ERROR if regress else CROSS_ENTROPY,
        axis,
        float(task.alpha),
    )


@njit(cache=True)
def _squares(system, first, end):
    """Mean squared error of samples first..end; errors = residuals."""
    total = 0.0
    for p in range(first, end):
        residual = system.outputs[0, p] - system.targets[p]
        system.errors[0, p] = residual
        total += np.float64(residual) * np.float64(residual)
    return total / (end - first)


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
def _entropies(system, first, end):
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
def _smoothed(system, first, end):
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
def observe(system):
    """x, y and true accuracy of ``system.outputs``; fills ``errors`` and ``scale``."""
    split, end = system.n_train, system.n_train + system.n_test
    accuracy = 0.0
    if system.loss == SQUARED_ERROR:
        train_loss = max(_squares(system, 0, split), FLOOR)
        system.scale[0] = 2.0 / (system.n_train * train_loss)
    else:
        train_loss = max(_entropies(system, 0, split), FLOOR)
        system.scale[0] = 1.0 / (system.n_train * train_loss)
    if system.y_axis == LN_LOSS:
        if system.loss == SQUARED_ERROR:
            test_loss = max(_squares(system, split, end), FLOOR)
            system.scale[1] = 2.0 / (system.n_test * test_loss)
        else:
            test_loss = max(_entropies(system, split, end), FLOOR)
            system.scale[1] = 1.0 / (system.n_test * test_loss)
        y = math.log(test_loss)
    else:
        smoothed, accuracy = _smoothed(system, split, end)
        if system.y_axis == LOGIT:
            q = LOGIT_MARGIN + (1.0 - 2.0 * LOGIT_MARGIN) * smoothed
            y = math.log(q) - math.log1p(-q)
            system.scale[1] = (1.0 - 2.0 * LOGIT_MARGIN) / (q * (1.0 - q) * system.n_test)
        else:
            factor = SCALE if system.y_axis == SCALED else 1.0
            y = factor * smoothed
            system.scale[1] = factor / system.n_test
    return math.log(train_loss), y, accuracy


@njit(cache=True, fastmath=FAST)
def scale_errors(system, ux, uy):
    """Make ``errors`` the gradient of ux x + uy y by the outputs."""
    split, end = system.n_train, system.n_train + system.n_test
    train, test = np.float32(ux * system.scale[0]), np.float32(uy * system.scale[1])
    for k in range(system.errors.shape[0]):
        row = system.errors[k]
        for p in range(split):
            row[p] *= train
        for p in range(split, end):
            row[p] *= test
