"""The process that workers of a command are forked from, once it has loaded Numba (Linux).

It is the fork server of Python's own ``multiprocessing``, one for a program. Nobody waits until it
has begun but who forks a worker. Python 3.11 has it look for modules where a bare interpreter does,
in the working directory first: here it looks where this program does.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress

from wlnn.base.signals import CLOSED, SIGNALS, without


def begin() -> bool:
    """Begin it, if it is not there; False where that cannot be, or is not known to be safe."""
    if sys.platform != "linux":
        return False
    from multiprocessing import forkserver, resource_tracker

    with without(*CLOSED):
        resource_tracker.ensure_running()  # by itself, as it lets Ctrl-C and SIGTERM in again
    forkserver.set_forkserver_preload(["wlnn.base.ahead"])
    before = dict(os.environ)
    os.environ |= {"PYTHONPATH": os.pathsep.join(sys.path), "PYTHONSAFEPATH": "1"}
    try:
        with without(*SIGNALS):
            forkserver.ensure_running()
    except OSError:  # no more processes; a folder for temporary files with too long a name
        return False
    finally:
        for name in ("PYTHONPATH", "PYTHONSAFEPATH"):
            os.environ.pop(name)
            os.environ |= {name: before[name]} if name in before else {}
    return True


def kill() -> None:
    """End it at once, and with it all waiting for it: there is nothing to fork any more."""
    from multiprocessing import forkserver

    pid = getattr(forkserver._forkserver, "_forkserver_pid", None)
    if pid is not None:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def as_if_not_forked(environment: dict[str, str]) -> None:
    """In a worker: the environment of its parent, and SIGTERM, which the server does not hear."""
    os.environ.clear()
    os.environ.update(environment)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTERM})
