"""A network of layers as a system of the molecular dynamics driver, in single precision.

Twin of ``tasks.smooth.NetworkVariables``. Eight images at a time go forwards and backwards while
they are in the cache: train images give the gradient of the loss, test images that of the test
quantity, and ``backward`` mixes the two sums. So the force is known before S is, at the price of
one backward pass, and no more than eight images' values are in memory. This file moves no
parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.backend.buffers import Buffer, Rows
from wlnn.backend.operations import aligned
from wlnn.networks.compiled import gradients, image_plan
from wlnn.networks.compiled.image_loops import compiled_run
from wlnn.networks.compiled.image_steps import LANES
from wlnn.networks.compiled.losses import constants, coordinates, mean_loss, test_value


class LayerSystem(NamedTuple):
    """Parameters, buffers and data of one walker; K outputs, N images in whole blocks of eight."""

    theta: np.ndarray  # (P + 1,) float32, the last one 0
    gradient: np.ndarray  # (P,) float32
    by_train: Buffer  # (P,) float64, the gradient of the sum over train images, not yet scaled
    by_test: Buffer  # the same of test images
    run: Callable  # image_loops.run_steps
    steps: Rows  # the plan, see image_plan.PassPlan
    n_steps: int
    n_forward: int
    places: Buffer
    indices: np.ndarray
    packed: Buffer  # parameters in the order of the loops
    cells: Buffer  # values and gradients of one block
    images: Buffer  # every block
    block: int  # numbers of one block of images
    logits: int  # places of the outputs and their gradients in cells
    dlogits: int
    outputs: np.ndarray  # (K, N)
    errors: np.ndarray  # (K, N)
    scale: np.ndarray  # (2,) float64
    targets: np.ndarray  # (K, N) float32, (1, N) of labels
    labels: np.ndarray  # (N,) int64
    n_train: int
    n_test: int
    loss: int
    y_axis: int
    alpha: float


class SharedByWalkers(NamedTuple):
    """What all walkers of a task share: the plan, and the images in blocks."""

    plan: image_plan.PassPlan
    images: Buffer


def shared(task) -> SharedByWalkers:
    """The plan of a task's network, and its images by blocks, channels, rows, columns and lanes,
    with their borders."""
    plan = image_plan.make_plan(task.network)
    value = plan.values[0]
    C, H, W = value.shape
    border = (value.row // LANES - W) // 2
    parts = (task.data.x_train, task.data.x_test)
    blocks = np.concatenate([_whole(part).reshape(-1, LANES, C, H, W) for part in parts])
    flat = aligned(len(blocks) * C * value.plane)
    room = flat.reshape(len(blocks), C, H + 2 * border, W + 2 * border, LANES)
    room[:, :, border : border + H, border : border + W] = blocks.transpose(0, 2, 3, 4, 1)
    return SharedByWalkers(plan, Buffer(flat))


def layer_system(variables, shared: SharedByWalkers) -> LayerSystem:
    """Buffers for one walker of ``tasks.smooth.NetworkVariables``."""
    task, plan = variables.task, shared.plan
    network, data = task.network, task.data
    inputs, result = plan.values[0], plan.values[len(network.layers) - 1]
    regress = task.loss == "squared-error"
    truth = np.concatenate([_whole(data.y_train), _whole(data.y_test)])
    outputs, errors = np.zeros((2, network.layers[-1].shape[0], len(truth)), np.float32)
    return LayerSystem(
        np.zeros(network.n_parameters + 1, np.float32),
        np.zeros(network.n_parameters, np.float32),
        Buffer(np.zeros(network.n_parameters)),
        Buffer(np.zeros(network.n_parameters)),
        compiled_run(),
        Rows(plan.steps),
        len(plan.steps),
        plan.n_forward,
        Buffer(plan.places),
        plan.packed,
        Buffer(aligned(plan.packed.size)),
        Buffer(aligned(plan.size)),
        shared.images,
        inputs.shape[0] * inputs.plane,
        result.at,
        result.gradient,
        outputs,
        errors,
        np.zeros(2),
        np.ascontiguousarray(np.atleast_2d(truth.T), np.float32),
        np.zeros(len(truth), np.int64) if regress else truth,
        len(data.y_train),
        len(data.y_test),
        *constants(variables),
    )


def _whole(array: np.ndarray) -> np.ndarray:
    """``array`` with zeros added up to whole blocks."""
    return np.concatenate([array, np.zeros((-len(array) % LANES, *array.shape[1:]), array.dtype)])


@njit(cache=True)
def _read_outputs(system, block):
    for k in range(system.outputs.shape[0]):
        for lane in range(LANES):
            system.outputs[k, block * LANES + lane] = system.cells[system.logits + k * LANES + lane]


@njit(cache=True)
def _write_errors(system, block, count):
    """Errors of the images at hand into the gradient of the outputs; lanes without image get 0."""
    for k in range(system.outputs.shape[0]):
        for lane in range(LANES):
            error = system.errors[k, block * LANES + lane] if lane < count else np.float32(0)
            system.cells[system.dlogits + k * LANES + lane] = error


@njit(cache=True)
def _run(system, part, backward, block):
    """All layers forwards, or backwards, on one block of images of part 0 (train) or 1 (test)."""
    system.run(
        system.steps,
        system.n_forward if backward else 0,
        system.n_steps if backward else system.n_forward,
        system.places,
        system.packed,
        system.cells,
        system.images,
        block * system.block,
        system.by_test if part else system.by_train,
    )


@njit(cache=True)
def _pack(system, theta):
    """Parameters into the order of the loops, and gradients to 0."""
    for k in range(theta.shape[0]):
        system.theta[k] = theta[k]
        system.by_train[k] = 0.0
        system.by_test[k] = 0.0
    for k in range(system.indices.shape[0]):
        system.packed[k] = system.theta[system.indices[k]]


def _evaluate(system, theta):
    _pack(system, theta)
    train_loss = value = accuracy = 0.0
    blocks = (system.n_train + LANES - 1) // LANES
    for part in range(2):
        n = system.n_test if part else system.n_train
        for begin in range(0, n, LANES):
            block = part * blocks + begin // LANES
            count = min(LANES, n - begin)
            first, share = block * LANES, count / n
            for backward in range(2):
                if backward:
                    _write_errors(system, block, count)
                _run(system, part, backward, block)
                if backward:
                    continue
                _read_outputs(system, block)
                if part == 0:
                    train_loss += share * mean_loss(system, first, first + count)
                else:
                    mean, right = test_value(system, first, first + count)
                    value += share * mean
                    accuracy += share * right
    x, y = coordinates(system, train_loss, value)
    return x, y, accuracy


def _backward(system, ux, uy):
    train, test = ux * system.scale[0], uy * system.scale[1]
    for k in range(system.gradient.shape[0]):
        system.gradient[k] = train * system.by_train[k] + test * system.by_test[k]


gradients.register(LayerSystem, evaluate=_evaluate, backward=_backward)
