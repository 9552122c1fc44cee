"""Where stretches are made beside the threads of this process: worker processes, any Executor.

An :class:`Engine` counts the workers that it sees and loses, and is made again where it broke. How
those of other machines are reached is in ``clusters.py``.
"""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, Executor, Future
from concurrent.futures.process import ProcessPoolExecutor
from contextlib import contextmanager, suppress
from functools import cache
from importlib import import_module

from wlnn.base import server
from wlnn.base.errors import UserError
from wlnn.base.signals import CLOSED, without
from wlnn.base.store import versions
from wlnn.base.workers import one_thread_each

NEAR_SECONDS, FAR_SECONDS = 2.0, 30.0  # most work before a unit comes back: from here, from afar
COUNT_SECONDS = 5.0  # between two questions how many workers there are
READ_AGAIN = 79  # exit status of a worker that found the script of its parent unguarded


class Engine(Executor):
    """Any executor, and what is seen of its workers.

    Args:
        executor: the executor, or a function that makes it, which is called again when it broke.
        seconds: of work before a unit comes back.
        count: how many workers there are now, where it can tell.
        name: as one writes it after --on.
    """

    def __init__(
        self, executor, seconds: float = FAR_SECONDS, count: Callable | None = None, name: str = ""
    ):
        self.name = name
        self.make = None if isinstance(executor, Executor) else executor
        self.executor = executor if self.make is None else self.make()
        self.seconds, self.count = seconds, count
        self.seen: dict[str, dict] = {}  # versions by the name of the worker
        self.lost, self.now, self.counted = 0, None, 0.0
        self.tell: Callable[[str], None] = lambda _: None  # what is worth a line
        self.release: Callable[[], None] = lambda: None  # nothing more will be asked of it

    def submit(self, function: Callable, /, *arguments) -> Future:
        """As of every executor; one that broke is made again, if it can be."""
        try:
            return self.executor.submit(function, *arguments)
        except (BrokenExecutor, EOFError, OSError):  # the latter two: a worker could not begin
            if self.make is None:
                raise
            self.lose(1)
            self.executor = self.make()
            return self.executor.submit(function, *arguments)

    def lose(self, workers: int) -> None:
        """So many workers are gone."""
        self.lost += workers
        self.tell(f"{_workers(workers)} lost; what was under way there is made again")

    def saw(self, worker: str, about: dict) -> None:
        """A worker gave something back; it tells its versions and the type of its CPU."""
        if worker in self.seen:
            return
        known = list(self.seen.values())
        self.seen[worker] = about
        different = [name for name, value in versions().items() if about.get(name) != value]
        if different and about not in known:
            what = ", ".join(f"{name} {about.get(name)}" for name in different)
            self.tell(
                f"worker {worker} has {what}: the last digits may differ from those of a run here"
            )

    def look(self) -> None:
        """Count the workers, from time to time."""
        if self.count is None or time.monotonic() - self.counted < COUNT_SECONDS:
            return
        before, self.now, self.counted = self.now, self.count(), time.monotonic()
        if before is not None and self.now < before:
            self.lose(before - self.now)
        if self.now == 0 and before != 0:
            self.tell("no worker is there; waiting for some")

    def workers(self) -> int:
        """How many there are now, or are meant to be; 1 where nobody knows."""
        if self.count is not None:
            return self.count() if self.now is None else self.now
        return getattr(self.executor, "_max_workers", 1)

    def words(self) -> str:
        """How many workers there are, and how many were lost."""
        lost = f", {self.lost} lost" * (self.lost > 0)
        return _workers(len(self.seen) if self.now is None else self.now) + lost

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Nothing: whoever made the executor ends it."""


def _workers(n: int) -> str:
    return f"{n} worker{'s' * (n != 1)}"


@cache
def ourselves() -> tuple[str, dict]:
    """Name of this worker, by its machine and process, and what its bits depend on."""
    return f"{socket.gethostname()}:{os.getpid()}", versions()


def pickler() -> Callable:
    """What makes bytes of a problem: of functions in a notebook too, where that is installed."""
    try:
        from cloudpickle import dumps
    except ImportError:
        from pickle import dumps
    return dumps


@contextmanager
def processes(workers: int, forked: bool = False) -> Iterator[Engine]:
    """Worker processes that end with this one, never see Ctrl-C, and are made again when killed.

    Args:
        workers: how many.
        forked: on Linux, from one process that has loaded Numba for all; they begin and end half a
            second faster than by themselves. Python keeps one such process for a whole program:
            this is for programs that are all ours. Those made again begin by themselves.
    """
    import multiprocessing

    leave_a_script_read_again()
    ours: set = set()
    pools: list[ProcessPoolExecutor] = []
    beginning: list[threading.Thread] = []
    ending: list[threading.Thread] = []

    def make() -> ProcessPoolExecutor:
        begun()
        if any(worker.exitcode == READ_AGAIN for worker in ours):
            raise UserError(
                "worker processes read this script again: put what it runs below the line "
                'if __name__ == "__main__":, or give threads=1.'
            )
        others = set(multiprocessing.active_children())
        with one_thread_each():
            from_server = forked and not pools and server.begin()
        # never forked from this process: a forked BLAS keeps its parent's threads
        context = multiprocessing.get_context("forkserver" if from_server else "spawn")
        with one_thread_each(), without(*CLOSED):  # Python's tracker of semaphores begins here
            environment = (dict(os.environ),)
            pools.append(ProcessPoolExecutor(workers, context, _begin_work, environment))

        def begin() -> None:
            # what goes wrong is told to who submits work, if anybody still does
            with suppress(BrokenExecutor, EOFError, OSError, RuntimeError):
                for _ in range(workers):  # each submission starts a worker
                    pools[-1].submit(_ahead)
            ours.update(set(multiprocessing.active_children()) - others)

        with one_thread_each(), without(signal.SIGINT, *CLOSED):
            if from_server:
                beginning.append(threading.Thread(target=begin))  # it waits until Numba is loaded
                beginning[-1].start()
            else:
                begin()
        return pools[-1]

    def begun() -> None:
        while beginning:
            beginning.pop().join()

    def end() -> None:
        begun()
        if pools:
            pools[-1].shutdown(cancel_futures=True)

    def release() -> None:
        """Ends of workers take a while, and there may be pictures to draw meanwhile."""
        if not ending:
            ending.append(threading.Thread(target=end))
            ending[0].start()
            _before_exit(ending[0].join)

    try:
        engine = Engine(make, NEAR_SECONDS, name=f"processes:{workers}")
        engine.release = release
        yield engine
    except BaseException:  # an error or Ctrl-C: what still runs is of no use
        if any(thread.is_alive() for thread in beginning):
            server.kill()
        begun()
        for worker in ours:
            worker.terminate()
        raise
    finally:
        release()


def _before_exit(wait: Callable[[], None]) -> None:
    """Call this when the program ends, before Python looks after its pools of processes itself.

    Python 3.11 writes there to the pipe of each pool, also to one that its thread just closes.
    """
    try:
        threading._register_atexit(wait)  # the last one registered is the first one called
    except (AttributeError, RuntimeError):  # there is no such thing, or the end has begun
        wait()


def leave_a_script_read_again() -> None:
    """End this process without a word if it is a worker that still reads the script of its parent.

    A script that runs something outside of ``if __name__ == "__main__":`` would run it again there.
    """
    import multiprocessing

    if getattr(multiprocessing.current_process(), "_inheriting", False):  # as CPython itself asks
        os._exit(READ_AGAIN)


def _ahead() -> None:
    """What starts a worker: it loads what every stretch wants, beside its parent."""
    import_module("wlnn.base.ahead")


def _begin_work(environment: dict[str, str]) -> None:
    """A worker is as one that was not forked, and must not go on where its parent was killed."""
    import multiprocessing

    server.as_if_not_forked(environment)

    def wait() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()
