"""Layers of image networks as hand-written pairs: a function and its backward pass, ``xp`` first.

Images are ``(R, N, C, H, W)``: walkers, images, channels, rows, columns; without the first axis
they are shared by all walkers. Nothing here holds parameters or knows a network; the loops that
the sampler runs are in ``networks/compiled/conv_loops.py``.
"""

from __future__ import annotations

NORM_EPSILON = 1e-5  # added to the variance


def _patches(xp, h, size, stride, padding):
    """What a kernel sees at every place: ``(..., C size^2, H' W')`` of ``h (..., C, H, W)``."""
    if padding:
        h = xp.pad(h, [(0, 0)] * (h.ndim - 2) + [(padding, padding)] * 2)
    rows = (h.shape[-2] - size) // stride + 1
    columns = (h.shape[-1] - size) // stride + 1
    taps = [
        h[..., p : p + stride * rows : stride, q : q + stride * columns : stride]
        for p in range(size)
        for q in range(size)
    ]
    return xp.stack(taps, axis=-3).reshape((*h.shape[:-3], -1, rows * columns)), (rows, columns)


def conv2d(xp, h, W, b=None, stride=1, padding=0):
    """Convolution, as networks call it: a correlation with a k x k kernel.

    ``z[o, i, j] = b[o] + sum_cpq W[o, c, p, q] h[c, stride i + p - padding, stride j + q -
    padding]`` with h = 0 outside the image.
    Shapes: h ``(R, N, C, H, W)`` or ``(N, C, H, W)``, W ``(R, O, C, k, k)``, b ``(R, O)`` or None
    -> ``(R, N, O, H', W')`` with ``H' = (H + 2 padding - k) // stride + 1``.
    """
    patches, places = _patches(xp, h, W.shape[-1], stride, padding)
    z = xp.matmul(W.reshape((W.shape[0], 1, W.shape[1], -1)), patches)
    z = z.reshape((*z.shape[:-1], *places))
    return z if b is None else z + b[:, None, :, None, None]


def conv2d_parameters_back(xp, dz, h, W, stride=1, padding=0):
    """``(dW, db)`` of :func:`conv2d` for ``dz (R, N, O, H', W')``: the first layer needs no dh."""
    patches, _ = _patches(xp, h, W.shape[-1], stride, padding)
    flat = dz.reshape((*dz.shape[:-2], -1))
    dW = xp.matmul(flat, xp.swapaxes(patches, -1, -2)).sum(1)
    return dW.reshape(W.shape), dz.sum((1, -2, -1))


def conv2d_back(xp, dz, h, W, stride=1, padding=0):
    """Gradients ``(dh, dW, db)`` of :func:`conv2d`; dh is ``(R, N, C, H, W)`` in every case.

    Every place of dz hands ``W^T dz`` back to the patch it was computed from.
    """
    size, (rows, columns) = W.shape[-1], dz.shape[-2:]
    flat = dz.reshape((*dz.shape[:-2], -1))
    kernel = W.reshape((W.shape[0], 1, W.shape[1], -1))
    patches = xp.matmul(xp.swapaxes(kernel, -1, -2), flat)
    patches = patches.reshape((*dz.shape[:2], W.shape[2], size * size, rows, columns))
    H, width = h.shape[-2:]
    dh = xp.zeros((*patches.shape[:3], H + 2 * padding, width + 2 * padding), dz.dtype)
    for p in range(size):
        for q in range(size):
            rows_hit = slice(p, p + stride * rows, stride)
            dh[..., rows_hit, q : q + stride * columns : stride] += patches[:, :, :, p * size + q]
    dh = dh[..., padding : padding + H, padding : padding + width]
    return dh, *conv2d_parameters_back(xp, dz, h, W, stride, padding)


def _windows(xp, h, window):
    """The window^2 members of every window, ``(window^2, ..., H', W')``; what is left is cut."""
    H, W = (length // window * window for length in h.shape[-2:])
    return xp.stack([h[..., p:H:window, q:W:window] for p in range(window) for q in range(window)])


def max_pool(xp, h, window=2):
    """Largest of every window x window square, ``(..., H, W) -> (..., H // window, ...)``."""
    return _windows(xp, h, window).max(0)


def max_pool_back(xp, dz, h, window=2):
    """dh of :func:`max_pool`: dz goes to the largest, the first in row order if several are."""
    first = _windows(xp, h, window).argmax(0)
    H, W = (length // window * window for length in h.shape[-2:])
    dh = xp.zeros(h.shape, dz.dtype)
    for k in range(window * window):
        dh[..., k // window : H : window, k % window : W : window] = dz * (first == k)
    return dh


def average_pool(xp, h, window):
    """Mean of every window x window square; what does not fill a window is cut."""
    return _windows(xp, h, window).mean(0)


def average_pool_back(xp, dz, h, window):
    """dh of :func:`average_pool`: every member of a window gets dz / window^2."""
    H, W = (length // window * window for length in h.shape[-2:])
    dh = xp.zeros(h.shape, dz.dtype)
    for k in range(window * window):
        dh[..., k // window : H : window, k % window : W : window] = dz / (window * window)
    return dh


def channel_norm(xp, h, scale, shift):
    """Layer normalisation over the channels of every pixel, ``z = scale u + shift``.

    u = (h - mean) / sqrt(variance + 1e-5), mean and (biased) variance over the C channels.
    Shapes: h ``(R, N, C, H, W)``, scale and shift ``(R, C)``. Returns z and ``(u, 1 / sqrt(...))``,
    which the backward pass needs.
    """
    centred = h - h.mean(-3, keepdims=True)
    inverse = 1 / xp.sqrt((centred * centred).mean(-3, keepdims=True) + NORM_EPSILON)
    u = centred * inverse
    return scale[:, None, :, None, None] * u + shift[:, None, :, None, None], (u, inverse)


def channel_norm_back(xp, dz, scale, tape):
    """Gradients ``(dh, dscale, dshift)`` of :func:`channel_norm`.

    With g = scale dz: ``dh = (g - mean g - u mean(g u)) / sqrt(variance + 1e-5)``.
    """
    u, inverse = tape
    g = dz * scale[:, None, :, None, None]
    dh = inverse * (g - g.mean(-3, keepdims=True) - u * (g * u).mean(-3, keepdims=True))
    return dh, (dz * u).sum((1, -2, -1)), dz.sum((1, -2, -1))
