"""The tail of the normal law in vectors and in plain loops, to the last digits of either precision.

Phi(-a) = e^(-a^2 / 2) (1 + s) p(s), s = (4 - a) / (4 + a), for a >= 0: (1 + s) p(s) is half the
scaled complementary error function of a / sqrt(2), and p its Chebyshev series in s, cut where the
rest is below 3e-9 (float32) or 3e-16 (float64) and written in powers. Nothing else is here.
"""

from __future__ import annotations

from math import factorial, log

import numpy as np
from numba import njit, types

from wlnn.backend import simd

SINGLE = (
    0.09441064089, 0.07598705048, 0.04839219536, 0.02331583886, 0.007549411984, 0.0009390289227,
    -0.0004345209869, -0.0001954733624, 1.616571017e-5, 1.96650712e-5,
)  # fmt: skip
DOUBLE = (
    0.0944106413019688308, 0.0759870802464834223, 0.048392175092802683, 0.0233152322451818172,
    0.00754957186032080497, 0.000942523616046732482, -0.000434961529382204447,
    -0.000203852260519353567, 0.0000166679045511514296, 0.0000288866191037014175,
    -2.37892065793679711e-7, -4.39230644855774763e-6, 8.76745402791485708e-8,
    7.38528191274142616e-7, -7.50356092773878254e-8, -1.25998149673333567e-7,
    2.93911809941360847e-8, 1.83930364943969398e-8, -7.09068903300889741e-9,
    -1.60801555470890937e-9, 8.47471203199587264e-10,
)  # fmt: skip
Q = tuple(np.float32(power) for power in SINGLE)
E = tuple(np.float32(1 / factorial(k)) for k in range(9))  # of the exponential series
CLIP = np.float32(13.0)  # e^(-a^2 / 2) in single precision ends there
OCTAVE, PER_OCTAVE = np.float32(log(2)), np.float32(1 / log(2))


def _normal_tail(builder, kind, a):
    powers = SINGLE if kind.dtype == types.float32 else DOUBLE
    four, one = simd.constant(kind, 4), simd.constant(kind, 1)
    s = builder.fdiv(builder.fsub(four, a), builder.fadd(four, a))
    p = simd.constant(kind, powers[-1])
    for power in powers[-2::-1]:
        p = simd.call(builder, "fma", kind, p, s, simd.constant(kind, power))
    half = builder.fmul(simd.constant(kind, -0.5), builder.fmul(a, a))
    bell = simd.exponential(builder, kind, half)
    return builder.fmul(bell, builder.fmul(builder.fadd(one, s), p))


@simd.vector_function(_normal_tail)
def normal_tail(a):
    """Phi(-a) of the normal law for a >= 0."""
    from scipy.special import ndtr  # a tenth of a second, which compiled runs need not spend

    return ndtr(-a)


@njit(forceinline=True, error_model="numpy")
def _powers(x, a, b, c, d, e):
    """a + b x + ... + e x^4."""
    return a + x * (b + x * (c + x * (d + x * e)))


@njit(forceinline=True, error_model="numpy")
def bell_and_tail(z):
    """e^(-a^2 / 2) and Phi(-a), a = |z|, of one float32, in a form that vectorises.

    e^u = 2^n e^r as in ``simd.exp``, but for how u / ln 2 is rounded: adding a large number and
    taking it away would be left out where sums may be reordered.
    """
    a = min(abs(z), CLIP)
    u = np.float32(-0.5) * a * a
    n = np.int32(u * PER_OCTAVE - np.float32(0.5))  # rounded: u <= 0, and the cut is towards 0
    r = u - np.float32(n) * OCTAVE
    power = _powers(r, E[0], E[1], E[2], E[3], _powers(r, E[4], E[5], E[6], E[7], E[8]))
    bits = np.float32(power).view(np.int32) + (n << np.int32(23))
    bell = np.int32(bits).view(np.float32)
    s = (np.float32(4) - a) / (np.float32(4) + a)
    high = _powers(s, Q[5], Q[6], Q[7], Q[8], Q[9])
    return bell, bell * (np.float32(1) + s) * _powers(s, Q[0], Q[1], Q[2], Q[3], Q[4] + s * high)
