"""A fully connected network as a system of the molecular dynamics driver, in single precision.

Twin of ``tasks.smooth.NetworkVariables``. One forward pass over all train and test rows, and one
backward pass for any mixture of x and y; matrix products go to BLAS, but for those with many inputs
(``dense_loops.py``), everything else is fused into the loops between them. Layout: one row per
unit, one column per sample, train then test, so every loop runs over contiguous samples. This file
moves no parameters.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.backend.buffers import Buffer
from wlnn.backend.operations import aligned
from wlnn.base.workers import load_with_one_thread
from wlnn.networks.compiled import gradients
from wlnn.networks.compiled.dense_loops import BLOCK, in_blocks, wide_product, wide_product_back
from wlnn.networks.compiled.gradients import FAST
from wlnn.networks.compiled.losses import constants, coordinates, mean_loss, test_value

FEW_INPUTS = 4  # up to so many, the first layer is faster by loops than by BLAS
MANY_INPUTS, FEW_UNITS = 64, 128  # from so many, to up to so many units, too: dense_loops.py
RELU, TANH, SILU = 0, 1, 2


class FNNSystem(NamedTuple):
    """Parameters, buffers and data of one walker; D >= 1 hidden layers, N samples."""

    theta: np.ndarray  # (P,) float32
    gradient: np.ndarray  # (P,) float32
    W: tuple  # D + 1 views of theta (out, in)
    b: tuple  # D + 1 views of theta (out,)
    dW: tuple  # noqa: N815 the same of gradient
    db: tuple
    h: tuple  # inputs (d, N), then D activations (width, N)
    slope: tuple  # D slopes of the activations (width, N); (0, 0) for relu, whose h tells it
    dz: tuple  # D gradients by pre-activations (width, N)
    outputs: np.ndarray  # (K, N)
    errors: np.ndarray  # (K, N), per-sample gradients by the outputs, not yet scaled
    scale: np.ndarray  # (2,) float64: what turns them into gradients of x (train) and y (test)
    targets: np.ndarray  # (K, N) float32, (1, N) of labels
    labels: np.ndarray  # (N,) int64
    n_train: int
    n_test: int
    wide: int  # 1: many inputs, which also lie in ...
    blocks: Buffer  # ... blocks for the loops of dense_loops.py
    activation: int
    loss: int
    y_axis: int
    alpha: float


def fnn_system(variables) -> FNNSystem:
    """Buffers for one walker of ``tasks.smooth.NetworkVariables``.

    Matrix products run in SciPy's BLAS. Tables and walkers run side by side, so one thread each is
    best.
    """
    load_with_one_thread("scipy.linalg.cython_blas")
    task = variables.task
    network, data = task.network, task.data
    hidden = network.sizes[1:-1]
    wide = network.sizes[0] >= MANY_INPUTS and hidden[0] <= FEW_UNITS
    n_samples = len(variables.inputs)
    if wide:
        n_samples += -n_samples % BLOCK  # columns of zeros, whose errors stay 0
    inputs = aligned(network.sizes[0], n_samples)
    inputs[:, : len(variables.inputs)] = variables.inputs.T
    regress = task.loss == "squared-error"
    truth = np.concatenate([data.y_train, data.y_test])
    theta, gradient = np.zeros((2, network.n_parameters), np.float32)
    tensors, slots = network.layout.views(theta), network.layout.views(gradient)

    def buffers(used=1):
        return tuple(aligned(units * used, n_samples * used) for units in hidden)

    outputs, errors = np.zeros((2, network.sizes[-1], n_samples), np.float32)
    return FNNSystem(
        theta,
        gradient,
        tensors[0::2],
        tensors[1::2],
        slots[0::2],
        slots[1::2],
        (inputs, *buffers()),
        buffers(0 if network.activation == "relu" else 1),
        buffers(),
        outputs,
        errors,
        np.zeros(2),
        np.ascontiguousarray(np.atleast_2d(truth.T), np.float32),
        np.zeros(n_samples, np.int64) if regress else truth,
        len(data.y_train),
        len(data.y_test),
        int(wide),
        Buffer(in_blocks(inputs) if wide else aligned(BLOCK)),
        {"relu": RELU, "tanh": TANH, "silu": SILU}[network.activation],
        *constants(variables),
    )


@njit(forceinline=True, fastmath=FAST)
def _affine(W, b, inputs, z):
    """z = W inputs + b by loops, for few inputs."""
    for j in range(z.shape[0]):
        row = z[j]
        for p in range(row.shape[0]):
            row[p] = b[j]
        for i in range(inputs.shape[0]):
            _add_row(row, W[j, i], inputs[i])


@njit(forceinline=True, fastmath=FAST)
def _add_row(row, factor, other):
    for p in range(row.shape[0]):
        row[p] += factor * other[p]


@njit(forceinline=True, fastmath=FAST)
def _set_row(row, factor, other):
    for p in range(row.shape[0]):
        row[p] = factor * other[p]


@njit(forceinline=True, fastmath=FAST)
def _relu(z, bias):
    zero = np.float32(0)
    for p in range(z.shape[0]):
        z[p] = max(z[p] + bias, zero)


# no test for a division by 0, so vectors
@njit(forceinline=True, fastmath=FAST, error_model="numpy")
def _tanh_of(z):
    """tanh z to 3e-7 by Lambert's continued fraction at z / 2, in a form that vectorises.

    tanh u = u (135135 + 17325 u^2 + 378 u^4 + u^6) / (135135 + 62370 u^2 + 3150 u^4 + 28 u^6),
    tanh 2u = 2 t / (1 + t^2); beyond |z| = 9 it is 1 to the last digit.
    """
    u = np.float32(0.5) * min(max(z, np.float32(-9)), np.float32(9))
    w = u * u
    top = np.float32(135135) + w * (np.float32(17325) + w * (np.float32(378) + w))
    bottom = np.float32(62370) + w * (np.float32(3150) + w * np.float32(28))
    t = u * top / (np.float32(135135) + w * bottom)
    return np.float32(2) * t / (np.float32(1) + t * t)


@njit(forceinline=True, fastmath=FAST, error_model="numpy")
def _tanh(z, slope, bias):
    one = np.float32(1)
    for p in range(z.shape[0]):
        h = _tanh_of(z[p] + bias)
        z[p] = h
        slope[p] = one - h * h


@njit(forceinline=True, fastmath=FAST, error_model="numpy")
def _silu(z, slope, bias):
    one, half = np.float32(1), np.float32(0.5)
    for p in range(z.shape[0]):
        value = z[p] + bias
        s = half + half * _tanh_of(half * value)
        z[p] = value * s
        slope[p] = s * (one + value * (one - s))


@njit(cache=True)
def _extent(W, h):
    """Inputs, units and samples of a layer."""
    return W.shape[1], W.shape[0], h.shape[1]


@njit(forceinline=True)
def _forward(system):
    """Fill the activations and outputs from ``system.theta``."""
    depth = len(system.dz)
    n_outputs = system.outputs.shape[0]
    for k in range(n_outputs):
        system.outputs[k, :] = system.b[depth][k]
    for layer in range(depth):
        W, b, below, h = system.W[layer], system.b[layer], system.h[layer], system.h[layer + 1]
        shifted = below.shape[0] <= FEW_INPUTS
        if shifted:
            _affine(W, b, below, h)
        elif layer == 0 and system.wide:
            z = Buffer(h)
            wide_product(Buffer(system.theta), 0, system.blocks, z, *_extent(W, h))
        else:
            np.dot(W, below, h)
        for j in range(h.shape[0]):
            bias = np.float32(0) if shifted else b[j]
            if system.activation == RELU:
                _relu(h[j], bias)
            elif system.activation == TANH:
                _tanh(h[j], system.slope[layer][j], bias)
            else:
                _silu(h[j], system.slope[layer][j], bias)
            if layer == depth - 1:
                for k in range(n_outputs):
                    _add_row(system.outputs[k], system.W[depth][k, j], h[j])


def _evaluate(system, theta):
    for k in range(theta.shape[0]):
        system.theta[k] = theta[k]
    _forward(system)
    split, end = system.n_train, system.n_train + system.n_test
    # not a literal 0, for which everything below would be compiled once more
    train_loss = mean_loss(system, split - system.n_train, split)
    value, accuracy = test_value(system, split, end)
    x, y = coordinates(system, train_loss, value)
    return x, y, accuracy


@njit(forceinline=True, fastmath=FAST)
def _product(row, other):
    total = np.float32(0)
    for p in range(row.shape[0]):
        total += row[p] * other[p]
    return total


@njit(forceinline=True, fastmath=FAST)
def _through_relu(dz, h):
    """dz times the slope of relu; returns the sum, the gradient of the bias."""
    total = np.float32(0)
    zero = np.float32(0)
    for p in range(dz.shape[0]):
        value = dz[p] if h[p] > zero else zero
        dz[p] = value
        total += value
    return total


@njit(forceinline=True, fastmath=FAST)
def _through(dz, slope):
    """dz times any slope; returns the sum."""
    total = np.float32(0)
    for p in range(dz.shape[0]):
        value = dz[p] * slope[p]
        dz[p] = value
        total += value
    return total


@njit(forceinline=True, fastmath=FAST)
def _scale_errors(errors, train, test, split, end):
    for k in range(errors.shape[0]):
        row = errors[k]
        for p in range(split):
            row[p] *= train
        for p in range(split, end):
            row[p] *= test


def _backward(system, ux, uy):
    depth = len(system.dz)
    errors = system.errors
    split, end = system.n_train, system.n_train + system.n_test
    train, test = np.float32(ux * system.scale[0]), np.float32(uy * system.scale[1])
    _scale_errors(errors, train, test, split, end)
    for k in range(errors.shape[0]):
        system.db[depth][k] = errors[k].sum()
        for j in range(system.h[depth].shape[0]):
            system.dW[depth][k, j] = _product(errors[k], system.h[depth][j])
    for layer in range(depth - 1, -1, -1):
        dz, h, below = system.dz[layer], system.h[layer + 1], system.h[layer]
        if layer < depth - 1:
            np.dot(system.W[layer + 1].T, system.dz[layer + 1], dz)
        for j in range(h.shape[0]):
            if layer == depth - 1:
                _set_row(dz[j], system.W[depth][0, j], errors[0])
                for k in range(1, errors.shape[0]):
                    _add_row(dz[j], system.W[depth][k, j], errors[k])
            if system.activation == RELU:
                system.db[layer][j] = _through_relu(dz[j], h[j])
            else:
                system.db[layer][j] = _through(dz[j], system.slope[layer][j])
            if below.shape[0] <= FEW_INPUTS:
                for i in range(below.shape[0]):
                    system.dW[layer][j, i] = _product(dz[j], below[i])
        if layer == 0 and system.wide:
            slots, extent = Buffer(system.gradient), _extent(system.W[0], h)
            wide_product_back(Buffer(dz), Buffer(below), slots, 0, *extent)
        elif below.shape[0] > FEW_INPUTS:
            np.dot(dz, below.T, system.dW[layer])


gradients.register(FNNSystem, evaluate=_evaluate, backward=_backward)
