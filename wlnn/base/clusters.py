"""Engines by the text that names them: processes of this machine, dask and MPI on others.

The libraries of clusters are loaded here alone, and only when one is asked for.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType

from wlnn.base.engines import Engine, processes
from wlnn.base.errors import UserError
from wlnn.base.signals import without
from wlnn.base.workers import default_processes

CONNECT_SECONDS = 20.0  # a scheduler that says nothing for so long is not there
FORMS = "processes:N, dask:tls://HOST:PORT, dask:FILE.yaml or mpi"
KINDS = {
    "slurm": "SLURMCluster", "pbs": "PBSCluster", "sge": "SGECluster", "lsf": "LSFCluster",
    "htcondor": "HTCondorCluster", "local": "LocalCluster",
}  # fmt: skip


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
        with processes(int(rest) if rest else default_processes(), forked=True) as engine:
            yield engine
    elif kind == "dask" and rest:
        with _dask(rest, insecure) as engine:
            yield engine
    elif where == "mpi":
        with _mpi() as engine:
            yield engine
    else:
        raise UserError(f"--on {where}: there is no such engine; write {FORMS}.")


def _library(name: str, extra: str) -> ModuleType:
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
        with without(signal.SIGINT):
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
