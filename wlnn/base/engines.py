"""Where stretches are made beside the threads of this process: processes, dask, MPI, any Executor.

An :class:`Engine` counts the workers that it sees and loses, and is made again where it broke. The
libraries of clusters are loaded here alone, and only when one is asked for.
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
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path
from types import ModuleType

from wlnn.base.errors import UserError
from wlnn.base.signals import SIGNALS
from wlnn.base.store import versions
from wlnn.base.workers import default_processes, one_thread_each

NEAR_SECONDS, FAR_SECONDS = 2.0, 30.0  # most work before a unit comes back: from here, from afar
COUNT_SECONDS = 5.0  # between two questions how many workers there are
PARENT_SECONDS = 2.0  # between two looks of a worker process at its parent
CONNECT_SECONDS = 20.0  # a scheduler that says nothing for so long is not there
FORMS = "processes:N, dask:tls://HOST:PORT, dask:FILE.yaml or mpi"
READ_AGAIN = 79  # exit status of a worker that found the script of its parent unguarded
CLOSED = tuple(number for number in SIGNALS if number not in (signal.SIGINT, signal.SIGTERM))
KINDS = {
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster", "local": "LocalCluster",
}  # fmt: skip


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
        except BrokenExecutor:
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
def engine_on(where: str, insecure: bool = False) -> Iterator[Engine]:
    """The engine that a text such as "processes:8" or "dask:tls://node7:8786" names.

    Raises:
        UserError: no such engine, a library that it needs is not installed, no connection.
    """
    kind, _, rest = where.partition(":")
    if insecure and not rest.startswith("tcp:"):
        raise UserError("--insecure goes with --on dask:tcp://HOST:PORT only; leave it out.")
    if kind == "processes" and (not rest or (rest.isdigit() and int(rest))):
        with processes(int(rest) if rest else default_processes()) as engine:
            yield engine
    elif kind == "dask" and rest:
        with _dask(rest, insecure) as engine:
            yield engine
    elif where == "mpi":
        with _mpi() as engine:
            yield engine
    else:
        raise UserError(f"--on {where}: there is no such engine; write {FORMS}.")


@contextmanager
def processes(workers: int) -> Iterator[Engine]:
    """Worker processes that end with this one, never see Ctrl-C, and are made again when killed."""
    import multiprocessing

    leave_a_script_read_again()
    context = multiprocessing.get_context("spawn")  # a forked BLAS keeps its parent's threads
    ours: set = set()

    def make() -> ProcessPoolExecutor:
        if any(worker.exitcode == READ_AGAIN for worker in ours):
            raise UserError(
                "worker processes read this script again: put what it runs below the line "
                'if __name__ == "__main__":, or give threads=1.'
            )
        others = set(multiprocessing.active_children())
        with _without(*CLOSED):  # Python's tracker of semaphores begins here
            pool = ProcessPoolExecutor(workers, context, _end_with_parent, (os.getpid(),))
        with one_thread_each(), _without(signal.SIGINT, *CLOSED):
            for _ in range(workers):  # each submission starts a worker
                pool.submit(_ahead)
        ours.update(set(multiprocessing.active_children()) - others)
        return pool

    def release() -> None:
        """Ends of workers take a while, and there may be pictures to draw meanwhile."""
        if not ending:
            end = partial(engine.executor.shutdown, cancel_futures=True)
            ending.append(threading.Thread(target=end))
            ending[0].start()
            _before_exit(ending[0].join)

    engine, ending = Engine(make, NEAR_SECONDS, name=f"processes:{workers}"), []
    engine.release = release
    try:
        yield engine
    except BaseException:  # an error or Ctrl-C: what still runs is of no use
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


def _library(name: str, extra: str) -> ModuleType:
    from importlib import import_module

    ours = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        raise UserError(
            f"--on {extra} needs {error.name or name}, which is not installed; install it with "
            f"'pip install wlnn[{extra}]'."
        ) from error
    except (ImportError, RuntimeError) as error:  # MPI itself, which mpi4py does not find
        brings = "; load your cluster's MPI, or 'pip install mpich'" if extra == "mpi" else ""
        raise UserError(f"--on {extra}: {str(error).splitlines()[0]}{brings}.") from error
    finally:  # dask_jobqueue makes Ctrl-C an exit without a word, when it is imported
        if threading.current_thread() is threading.main_thread():
            for number, handler in ours.items():
                if handler is not None:
                    signal.signal(number, handler)


@contextmanager
def _dask(where: str, insecure: bool) -> Iterator[Engine]:
    """A scheduler that is there already, or one that the keys of a file begin."""
    distributed = _library("distributed", "dask")
    _quiet("distributed")
    if where.startswith("tcp://") and not insecure:
        raise UserError(
            f"--on dask:{where}: whoever reaches an open port of dask can run anything there; use "
            "tls://, or say --insecure if nobody else can reach it."
        )
    with _scheduler(distributed, where) as (address, security):
        try:
            client = distributed.Client(
                address, security=security, timeout=CONNECT_SECONDS, set_as_default=False
            )
        except (OSError, TypeError, ValueError) as error:
            reason = " ".join(str(error).split()).rstrip(".")
            raise UserError(
                f"--on dask:{where}: no connection: {reason}; look whether the scheduler runs "
                "there, and whether key and certificate are its own (docs/cluster.md)."
            ) from error
        with client:
            executor = client.get_executor(pure=False)
            yield Engine(executor, count=lambda: len(client.nthreads()), name=f"dask:{where}")


def _quiet(name: str) -> None:
    """No log of a library on the terminal: what matters of it is told by the engine."""
    import logging

    for known in [name, *logging.root.manager.loggerDict]:
        if f"{known}.".startswith(f"{name}."):
            logging.getLogger(known).setLevel(logging.CRITICAL + 1)


@contextmanager
def _scheduler(distributed: ModuleType, where: str) -> Iterator[tuple]:
    """Address (or cluster) and keys."""
    if where.startswith(("tls://", "tcp://")):
        security = distributed.Security()  # as the configuration of dask says
        if where.startswith("tls://") and security.tls_client_key is None:
            raise UserError(
                f"--on dask:{where}: no key is known; set DASK_DISTRIBUTED__COMM__TLS__CA_FILE, "
                "...__TLS__CLIENT__KEY and ...__TLS__CLIENT__CERT (docs/cluster.md)."
            )
        yield where, security
        return
    keys = _read_yaml(Path(where))
    kind, scale = str(keys.pop("kind", "slurm")), keys.pop("scale", 1)
    if kind not in KINDS:
        raise UserError(f"{where}: kind is one of {', '.join(KINDS)}, not {kind}.")
    if type(scale) is not int or scale < 1:
        raise UserError(f"{where}: scale is the number of workers, 1 or more, not {scale}.")
    _library("cryptography", "dask")
    security = distributed.Security.temporary()
    if kind == "local":
        cluster_type, keys = distributed.LocalCluster, {"dashboard_address": None, **keys}
        keys = {"n_workers": scale, "threads_per_worker": 1, **keys}
    else:
        cluster_type = getattr(_library("dask_jobqueue", "dask"), KINDS[kind])
        shared = keys.pop("shared_temp_directory", os.getcwd())  # where workers find the keys
        keys = {"cores": 1, "processes": 1, "shared_temp_directory": shared, **keys}
    try:
        with _without(signal.SIGINT):
            cluster = cluster_type(security=security, **keys)
    except (TypeError, ValueError, RuntimeError, OSError) as error:
        raise UserError(f"{where}: {cluster_type.__name__} refuses it: {error}.") from error
    with cluster:
        if kind != "local":
            cluster.scale(scale)
        yield cluster, security


def _read_yaml(path: Path) -> dict:
    yaml = _library("yaml", "dask")
    try:
        keys = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(
            f"--on dask:{path}: cannot be read: {reason}; write dask:tls://HOST:PORT or dask:FILE."
        ) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no YAML: {' '.join(str(error).split())}.") from error
    if not isinstance(keys, dict):
        raise UserError(f"{path}: must hold keys and values, as in docs/cluster.md.")
    return keys


@contextmanager
def _mpi() -> Iterator[Engine]:
    """The other ranks of this MPI job."""
    futures = _library("mpi4py.futures", "mpi")
    size = _library("mpi4py.MPI", "mpi").COMM_WORLD.Get_size()
    if size < 2:
        raise UserError(
            "--on mpi: there is one process only; begin with 'mpiexec -n 9 python -m "
            "mpi4py.futures -m wlnn ...' for 8 workers."
        )
    with futures.MPIPoolExecutor() as executor:
        yield Engine(executor, count=lambda: size - 1, name="mpi")


def _ahead() -> None:
    """What starts a worker: it loads what every stretch wants, beside its parent.

    Of 0.9 s, half is what Numba loads before the first function that it compiles or has compiled.
    """
    from numba import njit

    njit(_nothing)()


def _nothing() -> None:
    pass


def _end_with_parent(parent: int) -> None:
    """A worker whose parent was killed must not go on: it looks from time to time."""

    def look() -> None:
        while os.getppid() == parent:
            threading.Event().wait(PARENT_SECONDS)
        os._exit(1)

    threading.Thread(target=look, daemon=True).start()


@contextmanager
def _without(*numbers: int) -> Iterator[None]:
    """Processes started meanwhile never see these signals: their parent tells them to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, numbers)
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
