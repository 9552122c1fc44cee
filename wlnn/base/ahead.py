"""Whoever imports this has loaded Numba, with what it wants before the first compiled function.

Of the 0.9 s that a worker process takes to begin this is nearly all: workers import it ahead of
their work, or are forked from a process that has. Nothing else may.
"""

import atexit
import os
from multiprocessing import parent_process

from numba import njit


@njit
def _nothing() -> None:
    pass


_nothing()
if parent_process() is None:  # the one that forks workers: to take all this down takes 0.3 s more,
    atexit.register(os._exit, 0)  # in which it holds what reads the output of the command
