"""Normal numbers made where they are used: from a key and a counter, with no state to carry along.

Philox4x32-10 (J. Salmon et al., SC 2011) in the text of any array library, R walkers at a time. A
number depends on the key of its walker, on how often was asked before and on its place alone: not
on R, nor on who else is asked for. On the CPU every walker has a generator of NumPy instead.
"""

from __future__ import annotations

import math

import numpy as np

AT_ONCE = 2**20  # numbers made ahead, of calls to come: one long launch costs as much as a short
CALLS = 8  # most of them
# uint64 as the words are: Numba compiles ``philox`` for one number, and would take them as signed
LOW, HALF = np.uint64(2**32 - 1), np.uint64(32)
MULTIPLIERS = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
WEYL = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)


def philox(xp, counter, key):
    """Ten rounds of Philox4x32: four words of a counter of four words and a key of two.

    All words are below 2^32 in arrays of uint64, of shapes that broadcast to each other; or
    numbers, with any xp.
    """
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(10):
        p0, p1 = c0 * MULTIPLIERS[0], c2 * MULTIPLIERS[1]
        c0, c1, c2, c3 = (p1 >> HALF) ^ c1 ^ k0, p1 & LOW, (p0 >> HALF) ^ c3 ^ k1, p0 & LOW
        k0, k1 = (k0 + WEYL[0]) & LOW, (k1 + WEYL[1]) & LOW
    return c0, c1, c2, c3


class Philox:
    """Normal numbers for R walkers, one key each; asked as a ``numpy.random.Generator`` is.

    Args:
        xp: the array library.
        keys: ``(R, 2)`` words below 2^32, in its memory.
    """

    def __init__(self, xp, keys):
        self.xp, self.calls, self.waiting = xp, 0, []
        self.keys = keys.astype("uint64")

    def standard_normal(self, shape, dtype="float64"):
        """Numbers ``(R, P)``: the next of every walker, by Box-Muller."""
        if not self.waiting:
            calls = max(1, min(CALLS, AT_ONCE // (shape[0] * shape[1])))
            made = self._normal(calls, shape[1], dtype)
            self.waiting = [made[:, k] for k in range(calls)]
            self.calls += calls
        return self.waiting.pop(0)

    def skip(self, calls: int) -> int:
        """The number of the next call; that many are left out, as made elsewhere from the keys."""
        first = self.calls - len(self.waiting)
        self.calls, self.waiting = first + calls, []
        return first

    def _normal(self, calls: int, n: int, dtype):
        """``(R, calls, n)``: four numbers of each counter (place, call)."""
        xp, walkers = self.xp, self.keys.shape[0]
        place = xp.arange(-(-n // 4), dtype="uint64")[None, None, :]
        call = xp.arange(self.calls, self.calls + calls, dtype="uint64")[None, :, None]
        none = xp.zeros((1, 1, 1), dtype="uint64")
        key = self.keys[:, 0, None, None], self.keys[:, 1, None, None]
        words = xp.stack(philox(xp, (place + none, call + none, none, none), key), axis=-1)
        uniform = (words.astype(dtype) + 0.5) * 2.0**-32  # in (0, 1]
        radius = xp.sqrt(-2.0 * xp.log(uniform[..., :2]))
        angle = (2.0 * math.pi) * uniform[..., 2:]
        both = xp.concatenate([radius * xp.cos(angle), radius * xp.sin(angle)], axis=-1)
        return both.reshape((walkers, calls, -1))[..., :n]
