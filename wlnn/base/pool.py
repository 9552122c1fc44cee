"""The one loop over units of work, on any executor: walkers, tables, trainings, whole settings.

A unit is a state that a *stretch* brings further: a module-level pure function

    stretch(shared, state, seconds, stop) -> later state

of what all units of a run share and of the state before it alone, so that neither the executor nor
the length of a stretch, nor the order in which they end, changes a bit. A stretch returns after
about ``seconds``, or at once when ``stop (1,)`` is set. Only the caller writes files.
"""

from __future__ import annotations

import operator
import os
import signal
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool, ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.workers import one_thread_each

STRETCH_SECONDS = 0.5  # of work before a unit comes back
LOOK_SECONDS = 0.3  # between two looks at the stop flag
PARENT_SECONDS = 2.0  # between two looks of a worker process at its parent
_NEVER = np.zeros(1, np.uint8)
_made: dict[str, object] = {}


class Shared:
    """What all units of a run share: every process makes it once, by the function it travels as."""

    def __init__(self, make: Callable, made=None):
        self.make, self.key = make, uuid.uuid4().hex
        if made is not None:
            _made[self.key] = made

    def __call__(self):
        """What it is, in this process."""
        if self.key not in _made:
            _made[self.key] = self.make()
        return _made[self.key]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _made.pop(self.key, None)  # of this process; a worker's end is the end of its own


@contextmanager
def executor_of(workers: int, processes: bool = False) -> Iterator[Executor]:
    """Threads of this process, or worker processes that end with it and never see Ctrl-C."""
    if not processes:
        with ThreadPoolExecutor(workers) as threads:
            yield threads
        return
    import multiprocessing

    others = set(multiprocessing.active_children())
    context = multiprocessing.get_context("spawn")  # a forked BLAS keeps its parent's threads
    with ProcessPoolExecutor(workers, context, _end_with_parent, (os.getpid(),)) as pool:
        with one_thread_each(), _without_interrupts():
            for _ in range(workers):  # each submission starts a worker
                pool.submit(_nothing)
        try:
            yield pool
        except BaseException:  # an error or Ctrl-C: what still runs is of no use
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in set(multiprocessing.active_children()) - others:
                worker.terminate()
            raise


def run_units(
    stretch: Callable,
    shared: Shared,
    states: Sequence,
    done: Callable[[object], bool],
    executor: Executor,
    stop: np.ndarray,
    saw: Callable[[list], None],
    seconds: float | None = None,
) -> list:
    """Every unit to where ``done(state)`` is true, or to where it is when ``stop`` is set.

    A unit that comes back is handed to ``saw(states)``, and its next stretch begins; no unit waits
    for another. What a stretch raises ends the others and is raised here.

    Raises:
        UserError: a worker process was killed.
    """
    seconds = STRETCH_SECONDS if seconds is None else seconds
    states, here = list(states), isinstance(executor, ThreadPoolExecutor)
    waiting: dict[Future, int] = {}

    def submit(k: int) -> None:
        if not done(states[k]) and not stop[0]:
            how = (stretch, shared(), states[k], seconds, stop) if here else ()
            job = executor.submit(*how or (_elsewhere, stretch, shared, states[k], seconds))
            waiting[job] = k

    try:
        for k in range(len(states)):
            submit(k)
        while waiting:
            for job in wait(waiting, LOOK_SECONDS, FIRST_COMPLETED).done:
                k = waiting.pop(job)
                states[k] = job.result()
                saw(states)
                submit(k)
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, most often for want of memory; go on with fewer "
            "--processes."
        ) from error
    except BaseException:
        stop[0] = 1  # the other units end at once
        if here:
            wait(waiting)
        raise
    return states


def _elsewhere(stretch: Callable, shared: Shared, state, seconds: float):
    """A stretch in another process, which cannot see the flag and is short instead."""
    return stretch(shared(), state, seconds, _NEVER)


class _Job(NamedTuple):
    arguments: tuple
    done: bool = False
    result: object = None


def _whole(function: Callable, job: _Job, seconds: float, stop: np.ndarray) -> _Job:
    return _Job(job.arguments, True, function(*job.arguments))


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
    units, total = [_Job(jobs[i]) for i in order], float(sum(costs))

    def saw(units: list[_Job]) -> None:
        if progress is not None and total:
            ended = zip(order, units, strict=True)
            progress(float(sum(costs[i] for i, unit in ended if unit.done)), total)

    saw(units)
    if processes <= 1 or len(jobs) <= 1:
        for k, unit in enumerate(units):
            units[k] = _whole(function, unit, 0.0, _NEVER)
            saw(units)
    else:
        stop, ended = np.zeros(1, np.uint8), operator.attrgetter("done")
        with (
            Shared(partial(itself, function), function) as shared,
            executor_of(min(processes, len(jobs)), processes=True) as pool,
        ):
            units = run_units(_whole, shared, units, ended, pool, stop, saw)
    found = dict(zip(order, units, strict=True))
    return [found[i].result for i in range(len(jobs))]


def itself(thing):
    """The thing: what a worker calls to get one that was pickled."""
    return thing


def _nothing() -> None:
    """What starts a worker."""


def _end_with_parent(parent: int) -> None:
    """A worker whose parent was killed must not go on: it looks from time to time."""

    def look() -> None:
        while os.getppid() == parent:
            threading.Event().wait(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Processes started meanwhile never see Ctrl-C: it is their parent who tells them to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
