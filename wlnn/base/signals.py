"""Signals that end a run, and how they are heard while the main thread is busy in machine code.

Nothing heavy is imported: the command line begins here. Who sets a flag is ``running.py``.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

SIGNALS = tuple(  # Ctrl-C, batch systems before they kill, a terminal that is closed
    getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)
)
CLOSED = tuple(number for number in SIGNALS if number not in (signal.SIGINT, signal.SIGTERM))
cut_short = threading.Event()  # set where a signal should raise, though a flag waits for it


@contextmanager
def heard(tell: Callable[[], None]) -> Iterator[None]:
    """Call ``tell`` when a signal comes, even inside a call of the compiler; then raise it.

    Python runs handlers between its own instructions only, and one call of LLVM may take seconds;
    what tells at once is a thread that reads the numbers of signals.
    """
    if threading.current_thread() is not threading.main_thread() or not hasattr(os, "pipe"):
        yield
        return
    end, begin = os.pipe()
    os.set_blocking(begin, False)
    before = signal.set_wakeup_fd(begin, warn_on_full_buffer=False)

    def listen() -> None:
        while numbers := os.read(end, 1):
            if numbers[0] in SIGNALS and signal.getsignal(numbers[0]) is not signal.SIG_IGN:
                came.set()
                tell()

    came, told = threading.Event(), sys.unraisablehook
    sys.unraisablehook = _silent(told)
    listener = threading.Thread(target=listen, daemon=True)
    listener.start()
    cut_short.set()
    try:
        yield
    finally:
        cut_short.clear()
        signal.set_wakeup_fd(before)
        os.close(begin)
        listener.join()
        os.close(end)
        if not came.is_set():  # else what is half made may still be waiting for its destructor
            sys.unraisablehook = told


def _silent(hook: Callable) -> Callable:
    """What tells of errors that nobody can catch, without those that an interruption leaves.

    LLVM calls Python; where the handler runs there, Python prints the interruption and drops it.
    What LLVM was about to make is half made, and its destructor fails. Neither is news: whoever
    waits for the signal has been told by then.
    """

    def inner(unraisable) -> None:
        of = str(getattr(unraisable.object, "__module__", ""))
        dropped = issubclass(unraisable.exc_type, KeyboardInterrupt)
        half_made = issubclass(unraisable.exc_type, AttributeError) and of.startswith("llvmlite.")
        if not (dropped or half_made):
            hook(unraisable)

    return inner


@contextmanager
def without(*numbers: int) -> Iterator[None]:
    """Processes started meanwhile never see these signals: their parent tells them to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
