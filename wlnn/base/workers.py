"""How many workers there may be, and one BLAS thread for each; nothing here starts any."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def default_processes() -> int:
    """The cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


@contextmanager
def one_thread_each(unless_set: bool = False) -> Iterator[None]:
    """Processes started meanwhile use one BLAS thread: two that share cores halve each other."""
    before = {name: os.environ.get(name) for name in _THREADS}
    for name in _THREADS:
        if not (unless_set and name in os.environ):
            os.environ[name] = "1"
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def load_with_one_thread(library: str) -> None:
    """Import a library whose BLAS reads its thread count then; whoever set one has the last word.

    Nothing happens where the library is loaded already.
    """
    with one_thread_each(unless_set=True):
        importlib.import_module(library)
