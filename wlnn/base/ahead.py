"""Whoever imports this has loaded Numba, with what it wants before the first compiled function.

Of the 0.9 s that a worker process takes to begin this is nearly all: workers import it ahead of
their work, or are forked from a process that has. Nothing else may.
"""

from numba import njit


@njit
def _nothing() -> None:
    pass


_nothing()
