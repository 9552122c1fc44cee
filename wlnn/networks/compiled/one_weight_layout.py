"""Makes the compiled form of a network and its data: where every row and weight lies, and its tag.

The layout itself is described in ``one_weight.py``; nothing here is compiled.
"""

from __future__ import annotations

import itertools

import numpy as np

from wlnn.backend import simd
from wlnn.backend.buffers import Buffer
from wlnn.base.errors import UserError
from wlnn.networks.compiled.one_weight import NetworkSystem
from wlnn.networks.compiled.one_weight_activations import TAGS, Several
from wlnn.networks.compiled.one_weight_losses import (
    Margin,
    Softmax,
    Squares,
    TestAccuracy,
    TestLoss,
    TrainAccuracy,
    TrainLoss,
)


def network_system(
    network, data, loss: str, metric: str, precision: str, of_train: str = "ln-train-loss"
) -> NetworkSystem:
    """Caches for one walker of a fully connected network.

    Args:
        network: an :class:`wlnn.networks.fnn.FNN`.
        data: a :class:`wlnn.tasks.datasets.Dataset`.
        loss: "cross-entropy" (one, two or more logits) or "squared-error" (an output a target).
        metric: "test-accuracy" or "ln-test-loss".
        precision: "float32" or "float64", the type of the rows.
        of_train: "ln-train-loss" or "train-accuracy".

    Raises:
        UserError: for a loss or metric that has no compiled form.
    """
    dtype = np.dtype(precision)
    width = simd.VECTOR_BYTES // dtype.itemsize
    sizes = list(network.sizes)
    outputs = sizes[-1]
    if loss == "squared-error":
        if outputs != data.targets:
            raise UserError(
                f"squared error needs an output for each of {data.targets} targets, not {outputs}."
            )
        tag, output_rows = Squares(), outputs
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
    labels = np.concatenate([data.y_train, data.y_test])
    if isinstance(tag, Squares):
        targets = np.zeros((outputs + 1, n))
        targets[:outputs, places] = labels.reshape(len(labels), outputs).T
        targets[-1] = real
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
    z_rows = scratch + 3 + np.cumsum(np.append(0, 4 * rows_of[:-1]))  # the outputs have no h
    n_rows = int(z_rows[-1] + 2 * rows_of[-1])
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
        z=Buffer(z_rows * n),
        both_z=Buffer((2 * z_rows + rows_of) * n),
        to_h=Buffer(2 * rows_of * n),
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
        activation=_activation(network),
        loss=tag,
        of_train=TrainAccuracy() if of_train == "train-accuracy" else TrainLoss(),
        metric=TestAccuracy() if metric == "test-accuracy" else TestLoss(),
    )


def _activation(network):
    """The tag of the activations of a network."""
    if isinstance(network.activation, str):
        return TAGS[network.activation]
    names = list(TAGS)
    codes = [names.index(name) for name in network.activation]
    return Several(Buffer(np.array([*codes, 0])))  # the outputs' is read, but not used
