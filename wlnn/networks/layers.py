"""Layers as hand-written pairs: a function and its backward pass, ``xp`` (NumPy or CuPy) first.

Nothing here holds parameters or knows a network. R is the number of walkers, N of data rows; an
input without the walker axis is shared by all walkers.
"""

from __future__ import annotations


def dense(xp, h, W, b):
    """Affine map of every row, ``z = h W^T + b``.

    Shapes: h ``(R, N, in)`` or ``(N, in)``, W ``(R, out, in)``, b ``(R, out)`` -> ``(R, N, out)``.
    """
    return xp.matmul(h, xp.swapaxes(W, -1, -2)) + b[..., None, :]


def dense_back(xp, dz, h, W):
    """Gradients ``(dh, dW, db)`` of :func:`dense`, given ``dz (R, N, out)``.

    ``dh = dz W``, ``dW = dz^T h`` and ``db`` = sum of dz over the rows; dh is ``(R, N, in)`` even
    where h is shared by the walkers.
    """
    return xp.matmul(dz, W), *dense_parameters_back(xp, dz, h)


def dense_parameters_back(xp, dz, h):
    """``(dW, db)`` of :func:`dense` alone: the first layer of a network needs no dh."""
    return xp.matmul(xp.swapaxes(dz, -1, -2), h), dz.sum(-2)


def relu(xp, z):
    """``max(z, 0)``."""
    return xp.maximum(z, 0)


def relu_back(xp, dh, z, h):
    """dz of :func:`relu`; the slope at z = 0 is taken as 0."""
    return dh * (z > 0)


def tanh(xp, z):
    """``tanh z``."""
    return xp.tanh(z)


def tanh_back(xp, dh, z, h):
    """dz of :func:`tanh`: ``dh (1 - h^2)``."""
    return dh * (1 - h * h)


def _sigmoid(xp, z):
    return 0.5 * (1 + xp.tanh(0.5 * z))  # overflows for no z


def silu(xp, z):
    """``z sigmoid(z)``."""
    return z * _sigmoid(xp, z)


def silu_back(xp, dh, z, h):
    """dz of :func:`silu`: with s = sigmoid(z), ``dh s (1 + z (1 - s))``."""
    s = _sigmoid(xp, z)
    return dh * s * (1 + z * (1 - s))


ACTIVATIONS = {
    "relu": (relu, relu_back),
    "tanh": (tanh, tanh_back),
    "silu": (silu, silu_back),
}
