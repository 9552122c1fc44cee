"""Layers as hand-written pairs: a function and its backward pass, ``xp`` (NumPy or CuPy) first.

Nothing here holds parameters or knows a network. R is the number of walkers, N of data rows; an
input without the walker axis is shared by all walkers.
"""

from __future__ import annotations

import math

from wlnn.backend.device import special_functions

# of the tanh form of GELU: sqrt(2 / pi) (z + 0.044715 z^3)
GELU_FACTOR, GELU_CUBE = math.sqrt(2 / math.pi), 0.044715


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


def gelu(xp, z):
    """``z Phi(z)``, Phi the distribution function of the normal law: PyTorch's default form."""
    return z * special_functions(xp).ndtr(z)


def gelu_back(xp, dh, z, h):
    """dz of :func:`gelu`: ``dh (Phi(z) + z phi(z))``, phi the density of the normal law."""
    density = xp.exp(-0.5 * z * z) * (1 / math.sqrt(2 * math.pi))
    return dh * (special_functions(xp).ndtr(z) + z * density)


def gelu_tanh(xp, z):
    """``z sigmoid(2 u)``, u = sqrt(2 / pi) (z + 0.044715 z^3): GELU, approximate="tanh"."""
    return z * _sigmoid(xp, 2 * GELU_FACTOR * (z + GELU_CUBE * z * z * z))


def gelu_tanh_back(xp, dh, z, h):
    """dz of :func:`gelu_tanh`: with s = sigmoid(2 u), ``dh s (1 + 2 z u' (1 - s))``."""
    s = _sigmoid(xp, 2 * GELU_FACTOR * (z + GELU_CUBE * z * z * z))
    slope = GELU_FACTOR * (1 + 3 * GELU_CUBE * z * z)
    return dh * s * (1 + 2 * z * slope * (1 - s))


def identity(xp, z):
    """``z``: no activation."""
    return z


def identity_back(xp, dh, z, h):
    """dz of :func:`identity`."""
    return dh


ACTIVATIONS = {
    "relu": (relu, relu_back),
    "tanh": (tanh, tanh_back),
    "silu": (silu, silu_back),
    "gelu": (gelu, gelu_back),
    "gelu-tanh": (gelu_tanh, gelu_tanh_back),
    "identity": (identity, identity_back),
}
