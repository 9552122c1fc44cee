"""What every long run shares: the flag that Ctrl-C sets, and the exception that says so."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


class Interrupted(Exception):  # noqa: N818 - no error
    """The run was stopped; ``result`` is what there is of it, or None."""

    def __init__(self, result=None):
        super().__init__("interrupted")
        self.result = result


@contextmanager
def stoppable() -> Iterator[np.ndarray]:
    """A flag ``(1,)`` that Ctrl-C sets, where it would raise KeyboardInterrupt at any moment.

    Taken over is every signal that would raise it (a program may have made SIGTERM one of them).
    """
    stop = np.zeros(1, np.uint8)
    ours = []
    if threading.current_thread() is threading.main_thread():
        signals = (signal.SIGINT, signal.SIGTERM)
        ours = [number for number in signals if signal.getsignal(number) is _RAISE]
    try:
        for number in ours:
            signal.signal(number, lambda *_: stop.fill(1))
        yield stop
    finally:
        for number in ours:
            signal.signal(number, _RAISE)


_RAISE = signal.default_int_handler
