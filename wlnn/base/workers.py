"""The same function over many settings, in worker processes with one thread each.

Nothing in this file loads NumPy, so that workers start with the thread count set below.
"""

from __future__ import annotations

import importlib
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import contextmanager

_THREADS = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")


def default_processes() -> int:
    """The cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        return os.cpu_count() or 1


@contextmanager
def one_thread_each(unless_set: bool = False):
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


def _ignore_ctrl_c() -> None:
    """Ctrl-C reaches all processes of a terminal; the first one ends the others."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def over_settings(
    function: Callable,
    jobs: Sequence[tuple],
    costs: Sequence[float],
    *,
    processes: int,
    progress: Callable[[float, float], None] | None = None,
) -> list:
    """``[function(*job) for job in jobs]``, the costly ones first, with at most ``processes``.

    The result does not depend on ``processes``. ``progress(done, total)`` counts in ``costs``, and
    is called with 0 first: jobs end in pairs, and their pace shows from the beginning only.
    """
    order = sorted(range(len(jobs)), key=lambda i: -costs[i])
    results: list = [None] * len(jobs)
    done, total = 0.0, float(sum(costs))
    if progress is not None and total:
        progress(done, total)

    def finished(i, value):
        nonlocal done
        results[i] = value
        done += costs[i]
        if progress is not None:
            progress(done, total)

    if processes <= 1 or len(jobs) <= 1:
        for i in order:
            finished(i, function(*jobs[i]))
        return results
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor, as_completed

    context = multiprocessing.get_context("spawn")  # a forked BLAS keeps its parent's threads
    count = min(processes, len(jobs))
    others = set(multiprocessing.active_children())
    with (
        one_thread_each(),
        ProcessPoolExecutor(count, mp_context=context, initializer=_ignore_ctrl_c) as pool,
    ):
        waiting = {pool.submit(function, *jobs[i]): i for i in order}
        try:
            for future in as_completed(waiting):
                finished(waiting[future], future.result())
        except BaseException:  # an error or Ctrl-C: end at once
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise
    return results
