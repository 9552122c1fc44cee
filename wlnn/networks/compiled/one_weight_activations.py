"""Activations of the compiled network, each chosen by the type of a tag.

Definitions (what they must equal): ``networks/layers.py``. They read rows of the workspace of
``one_weight.py`` in vectors; where the rows lie is not known here. A network of one activation has
its tag, and no time is lost on a choice; one of several has :class:`Several`.
"""

from __future__ import annotations

from typing import NamedTuple

from numba import njit

from wlnn.backend.buffers import Buffer, load, splat, store
from wlnn.backend.dispatch import by_type
from wlnn.backend.normal import normal_tail
from wlnn.backend.simd import absolute, add, divide, exp, fma, maximum, multiply, subtract
from wlnn.networks.layers import ACTIVATIONS, GELU_CUBE, GELU_FACTOR

inline = njit(error_model="numpy", forceinline=True)
call = njit(error_model="numpy")
by_tag = by_type(error_model="numpy", forceinline=True)


class Relu(NamedTuple):
    """Tag of max(z, 0)."""


class Tanh(NamedTuple):
    """Tag of tanh z."""


class Silu(NamedTuple):
    """Tag of z / (1 + e^-z)."""


class Gelu(NamedTuple):
    """Tag of z Phi(z)."""


class GeluTanh(NamedTuple):
    """Tag of z / (1 + e^-2u), u = sqrt(2 / pi) (z + 0.044715 z^3)."""


class Identity(NamedTuple):
    """Tag of z."""


class Several(NamedTuple):
    """Tag of a network whose layers differ."""

    codes: Buffer  # of every hidden layer, its place in TAGS


class OneOf(NamedTuple):
    """Tag of one layer of such a network."""

    code: int


TAGS = {
    "relu": Relu(),
    "tanh": Tanh(),
    "silu": Silu(),
    "gelu": Gelu(),
    "gelu-tanh": GeluTanh(),
    "identity": Identity(),
}
assert list(TAGS) == list(ACTIVATIONS)
RELU, TANH, SILU, GELU, GELU_TANH, IDENTITY = range(len(TAGS))


@by_tag
def of_layer(tag, layer):
    """The tag of a hidden layer, given that of the network."""


@by_tag
def activate(tag, rows, z):
    """The activation h of a vector of pre-activations z."""


@by_tag
def hidden(tag, rows, z_at, h_at):
    """Activations h at ``h_at``, or recomputed from the pre-activations at ``z_at``."""


@by_tag
def keep(tag, rows, h_at, h):
    """Store activations, if :func:`hidden` will load them."""


@of_layer.register(Relu, Tanh, Silu, Gelu, GeluTanh, Identity)
def _the_same(tag, layer):
    return tag


@of_layer.register(Several)
def _of_several(tag, layer):
    return OneOf(tag.codes[layer])


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


@activate.register(Gelu)
def _gelu(tag, rows, z):  # z Phi(z) = max(z, 0) - |z| Phi(-|z|)
    a = absolute(z)
    return subtract(maximum(z, splat(rows, 0.0)), multiply(a, normal_tail(a)))


@activate.register(GeluTanh)
def _gelu_tanh(tag, rows, z):
    cube = fma(multiply(splat(rows, GELU_CUBE), z), multiply(z, z), z)
    u = maximum(multiply(splat(rows, 2 * GELU_FACTOR), cube), splat(rows, -80.0))
    return divide(z, add(splat(rows, 1.0), exp(subtract(splat(rows, 0.0), u))))


@activate.register(Identity)
def _identity(tag, rows, z):
    return z


@activate.register(OneOf)
def _one_of(tag, rows, z):
    if tag.code == RELU:
        return activate(Relu(), rows, z)
    if tag.code == TANH:
        return activate(Tanh(), rows, z)
    if tag.code == SILU:
        return activate(Silu(), rows, z)
    if tag.code == GELU:
        return activate(Gelu(), rows, z)
    if tag.code == GELU_TANH:
        return activate(GeluTanh(), rows, z)
    return z


@hidden.register(Relu)
def _relu_hidden(tag, rows, z_at, h_at):  # one instruction: cheaper than to store and load h
    return maximum(load(rows, z_at), splat(rows, 0.0))


@hidden.register(Identity)
def _identity_hidden(tag, rows, z_at, h_at):
    return load(rows, z_at)


@keep.register(Relu, Identity)
def _not_kept(tag, rows, h_at, h):
    pass


@hidden.register(Tanh, Silu, Gelu, GeluTanh, OneOf)
def _stored_hidden(tag, rows, z_at, h_at):
    return load(rows, h_at)


@keep.register(Tanh, Silu, Gelu, GeluTanh, OneOf)
def _stored_keep(tag, rows, h_at, h):
    store(rows, h_at, h)
