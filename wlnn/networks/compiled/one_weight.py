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

from typing import NamedTuple

from wlnn.backend.buffers import Buffer, broadcast, lanes, load, splat, store
from wlnn.backend.simd import any_nonzero, either, few_turns, fma, subtract
from wlnn.networks.compiled import moves
from wlnn.networks.compiled.one_weight_activations import (
    Identity,
    activate,
    call,
    hidden,
    inline,
    keep,
    of_layer,
)
from wlnn.networks.compiled.one_weight_losses import observables


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
    z: Buffer  # (D + 1,) where the current rows z of each layer begin; outputs are layer D
    both_z: Buffer  # (D + 1,) sum of that place and the one where the proposed rows begin
    to_h: Buffer  # (D + 1,) from a row z to its h
    pending: Buffer  # (1,) whether the last proposal changed the outputs
    values: Buffer  # (4,) exp x of the current state and of the last proposal, then y of both
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
    of_train: NamedTuple  # which x ...
    metric: NamedTuple  # ... and which y


@inline
def _proposed(system, layer):
    """Where the proposed rows z of a layer begin."""
    return system.both_z[layer] - system.z[layer]


@inline
def _put(rows, n, tag, z_at, h_at, z00, z01, z10, z11):
    """Store two rows of two vectors of pre-activations; returns their activations."""
    step = lanes(rows)
    store(rows, z_at, z00)
    store(rows, z_at + step, z01)
    store(rows, z_at + n, z10)
    store(rows, z_at + n + step, z11)
    h00 = activate(tag, rows, z00)
    h01 = activate(tag, rows, z01)
    h10 = activate(tag, rows, z10)
    h11 = activate(tag, rows, z11)
    keep(tag, rows, h_at, h00)
    keep(tag, rows, h_at + step, h01)
    keep(tag, rows, h_at + n, h10)
    keep(tag, rows, h_at + n + step, h11)
    return h00, h01, h10, h11


@inline
def _rank_one(system, layer, row, change_at, z_from, z_to, h_to, out):
    """New rows of ``layer`` after row ``row`` of the layer before changed by the row at change_at.

    If ``out >= 0`` this is the last hidden layer of a network with one output row, which is summed
    in the same pass. Two rows of two vectors at a time; both are padded to even numbers.
    """
    rows, weights, n = system.rows, system.weights, system.n
    step = lanes(rows)
    tag = of_layer(system.activation, layer)
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
            h00, h01, h10, h11 = _put(rows, n, tag, z_to + at, h_to + at, z00, z01, z10, z11)
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


@call
def _sums(rows, weights, tag_in, tag, n, n_in, n_rows, start, z_in, h_in, z_to, h_to, out):
    """:func:`_affine`, with the tag of the layer before: all that it needs, a call takes long."""
    step = lanes(rows)
    last = start + n_rows * (n_in + 1)
    for b in range(0, n, 2 * step):
        d0 = d1 = broadcast(weights, last + n_rows)
        w = start
        at = b
        for r in range(0, n_rows, 2):
            v = w + n_in + 1
            z00 = z01 = broadcast(weights, w + n_in)
            z10 = z11 = broadcast(weights, v + n_in)
            z = z_in + b
            h = h_in + b
            for c in range(n_in):
                few_turns()
                p = hidden(tag_in, rows, z, h)
                q = hidden(tag_in, rows, z + step, h + step)
                w_c = broadcast(weights, w + c)
                v_c = broadcast(weights, v + c)
                z00 = fma(w_c, p, z00)
                z01 = fma(w_c, q, z01)
                z10 = fma(v_c, p, z10)
                z11 = fma(v_c, q, z11)
                z += n
                h += n
            h00, h01, h10, h11 = _put(rows, n, tag, z_to + at, h_to + at, z00, z01, z10, z11)
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


@inline
def _affine(system, layer, z_in, h_in, z_to, h_to, out):
    """Rows z and h of a hidden layer from the rows of the layer before, in full.

    ``out`` as in :func:`_rank_one`.
    """
    rows, weights, n = system.rows, system.weights, system.n
    tag = of_layer(system.activation, layer)
    n_in, n_rows, at = system.inputs_of[layer], system.rows_of[layer], system.weight_start[layer]
    if layer == 0:
        tag_in = Identity()
        _sums(rows, weights, tag_in, tag, n, n_in, n_rows, at, z_in, h_in, z_to, h_to, out)
    else:
        _sums(rows, weights, tag, tag, n, n_in, n_rows, at, z_in, h_in, z_to, h_to, out)


@inline
def _copy(rows, a, b, n):
    """The row at b = the row at a."""
    for k in range(0, n, lanes(rows)):
        few_turns()
        store(rows, b + k, load(rows, a + k))


@inline
def _move(rows, tag, factor, z_in, h_in, z_from, z_to):
    """One vector of :func:`_moved`."""
    store(rows, z_to, fma(factor, hidden(tag, rows, z_in, h_in), load(rows, z_from)))


@inline
def _moved(system, tag, delta, z_in, h_in, z_from, z_to):
    """The row at z_to = that at z_from + delta times the activations at z_in, h_in.

    Two vectors a turn: rows are padded to an even number of them.
    """
    rows = system.rows
    step = lanes(rows)
    factor = splat(rows, delta)
    for b in range(0, system.n, 2 * step):
        few_turns()
        c = b + step
        _move(rows, tag, factor, z_in + b, h_in + b, z_from + b, z_to + b)
        _move(rows, tag, factor, z_in + c, h_in + c, z_from + c, z_to + c)


@inline
def _change(rows, n, tag_in, tag, factor, z_in, h_in, z_old, h_old, to):
    """One vector of :func:`_changed`; returns the change of h."""
    z = fma(factor, hidden(tag_in, rows, z_in, h_in), load(rows, z_old))
    h = activate(tag, rows, z)
    change = subtract(h, hidden(tag, rows, z_old, h_old))
    store(rows, to, z)
    keep(tag, rows, to + n, h)
    store(rows, to + 2 * n, change)
    return change


@inline
def _changed(system, tag_in, tag, delta, z_in, h_in, z_old, h_old):
    """As :func:`_moved` into the scratch rows: new z, new h, change of h; whether h changed."""
    rows, n = system.rows, system.n
    step = lanes(rows)
    to = system.scratch * n
    factor = splat(rows, delta)
    changes = splat(rows, 0.0)
    for b in range(0, n, 2 * step):
        few_turns()
        c = b + step
        d = _change(rows, n, tag_in, tag, factor, z_in + b, h_in + b, z_old + b, h_old + b, to + b)
        changes = either(changes, d)
        d = _change(rows, n, tag_in, tag, factor, z_in + c, h_in + c, z_old + c, h_old + c, to + c)
        changes = either(changes, d)
    return any_nonzero(changes)


@inline
def _outputs(system, z_in, h_in, out):
    """Output rows from the rows of the last hidden layer (or the inputs), in full."""
    rows, weights, n = system.rows, system.weights, system.n
    step = lanes(rows)
    layer = system.depth
    tag = of_layer(system.activation, layer - 1)
    n_in = system.inputs_of[layer]
    for r in range(system.rows_of[layer]):
        w = system.weight_start[layer] + r * (n_in + 1)
        for b in range(0, n, step):
            z = z_in + b
            h = h_in + b
            s = broadcast(weights, w + n_in)
            for c in range(n_in):
                p = load(rows, z) if layer == 0 else hidden(tag, rows, z, h)
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
        z = system.z[layer]
        h = z + system.to_h[layer]
        _affine(system, layer, z_in, h_in, z, h, -1)
        z_in = z
        h_in = h
    out = system.z[depth]
    _outputs(system, z_in, h_in, out)
    x, y = observables(system, out)
    system.values[0] = x
    system.values[2] = y
    return x, y


def _propose(system, theta, i, new):
    rows, n = system.rows, system.n
    depth = system.depth
    layer = system.layer[i]
    tag = of_layer(system.activation, layer)
    row = system.row[i]
    column = system.column[i]
    delta = system.sign[i] * (new - theta[i])
    out = system.z[depth]
    out_new = _proposed(system, depth)
    # A bias has the row of ones as its input. Below a hidden layer that row is given out for both z
    # and h: h is read, or is max(z, 0), which is 1 too. So only layer 0 needs a case of its own.
    # Whether it is one cannot be foreseen: a choice of numbers, which needs no branch.
    z_in = h_in = (column if column >= 0 else system.ones) * n
    if layer > 0:
        z_below = system.z[layer - 1] + column * n
        h_below = z_below + system.to_h[layer - 1]
        z_in = z_below if column >= 0 else z_in
        h_in = h_below if column >= 0 else h_in
    if layer == depth:  # an output weight: one output row moves
        for r in range(system.rows_of[depth]):
            at = r * n
            if r != row:
                _copy(rows, out + at, out_new + at, n)
            elif layer == 0:
                _moved(system, Identity(), delta, z_in, h_in, out + at, out_new + at)
            else:
                _moved(system, tag, delta, z_in, h_in, out + at, out_new + at)
    else:
        z_old = system.z[layer] + row * n
        h_old = z_old + system.to_h[layer]
        if layer == 0:
            changed = _changed(system, Identity(), tag, delta, z_in, h_in, z_old, h_old)
        else:
            changed = _changed(system, tag, tag, delta, z_in, h_in, z_old, h_old)
        if not changed:  # a dead ReLU: nothing downstream moves
            system.pending[0] = 0
            return system.values[0], system.values[2]
        change_at = (system.scratch + 2) * n
        k = layer + 1
        z_from = system.z[k]
        z_to = _proposed(system, k)
        if k == depth:
            w = system.weight_start[k] + row
            for r in range(system.rows_of[depth]):
                v = system.weights[w + r * (system.inputs_of[depth] + 1)]
                at = r * n
                _moved(system, Identity(), v, change_at, change_at, z_from + at, z_to + at)
        else:
            h_to = z_to + system.to_h[k]
            one_row = system.rows_of[depth] == 1
            fused = out_new if one_row and k == depth - 1 else -1
            _rank_one(system, k, row, change_at, z_from, z_to, h_to, fused)
            for k in range(layer + 2, depth):
                z_from = z_to
                h_from = h_to
                z_to = _proposed(system, k)
                h_to = z_to + system.to_h[k]
                fused = out_new if one_row and k == depth - 1 else -1
                _affine(system, k, z_from, h_from, z_to, h_to, fused)
            if not one_row:
                _outputs(system, z_to, h_to, out_new)
    x, y = observables(system, out_new)
    system.pending[0] = 1
    system.values[1] = x
    system.values[3] = y
    return x, y


def _commit(system, theta, i, new):
    rows, n, depth = system.rows, system.n, system.depth
    step = lanes(rows)
    layer = system.layer[i]
    tag = of_layer(system.activation, layer)
    row = system.row[i]
    system.weights[system.place[i]] += system.sign[i] * (new - theta[i])
    if layer < depth:
        scratch = system.scratch * n
        z = system.z[layer] + row * n
        h = z + system.to_h[layer]
        for b in range(0, n, 2 * step):
            few_turns()
            c = b + step
            store(rows, z + b, load(rows, scratch + b))
            store(rows, z + c, load(rows, scratch + c))
            keep(tag, rows, h + b, load(rows, scratch + n + b))
            keep(tag, rows, h + c, load(rows, scratch + n + c))
        if system.pending[0] == 0:
            return
    for k in range(min(layer + 1, depth), depth + 1):
        few_turns()
        system.z[k] = _proposed(system, k)
    system.values[0] = system.values[1]
    system.values[2] = system.values[3]


moves.register(NetworkSystem, refresh=_refresh, propose=_propose, commit=_commit, exponential=True)
