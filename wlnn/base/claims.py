"""One job at a time in a run directory: a file that says who works there, taken back at the end.

A job that was killed leaves its claim behind; it is recognised as stale where its process is gone,
or where nobody has renewed it for :data:`STALE` seconds. Nothing here knows what a run is.
"""

from __future__ import annotations

import inspect
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import wraps
from pathlib import Path

from wlnn.base.errors import UserError

NAME = ".claim.json"
RENEWED, STALE = 30.0, 600.0  # seconds; of another machine only the time can be seen
_held: dict[Path, int] = {}  # directories of this process, and the thread that works there
_lock = threading.Lock()


class Taken(UserError):  # noqa: N818 - a sentence, too
    """Another job works in the directory."""


@contextmanager
def claimed(directory) -> Iterator[None]:
    """Work in a directory alone; temporary files of writes that were killed there are removed.

    A thread may claim again what it has. Where no file can be written nothing is claimed: whatever
    the run itself writes there will say so.

    Raises:
        Taken: another job works there.
    """
    directory = Path(os.path.abspath(directory))
    made = not directory.exists()
    with _lock:
        owner = _held.get(directory)
        if owner not in (None, threading.get_ident()):
            raise _in_use(directory, f"another thread of process {os.getpid()}")
        mine = _taken(directory) if owner is None else None
        if mine is not None:
            _held[directory] = threading.get_ident()
    if mine is None:
        yield
        return
    ended = threading.Event()
    keeper = threading.Thread(target=_renew, args=(directory / NAME, ended), daemon=True)
    keeper.start()
    try:
        for part in directory.glob(".*.part"):
            part.unlink(missing_ok=True)
        yield
    finally:
        ended.set()
        keeper.join()
        with _lock:
            del _held[directory]
            if _read(directory / NAME) == mine:
                (directory / NAME).unlink(missing_ok=True)
        if made:
            with suppress(OSError):  # it holds something, as it should
                directory.rmdir()


def alone(function: Callable) -> Callable:
    """Decorator: the call has the directory that its argument ``directory`` names to itself."""
    signature = inspect.signature(function)

    @wraps(function)
    def inner(*args, **kwargs):
        directory = signature.bind(*args, **kwargs).arguments.get("directory")
        if directory is None:
            return function(*args, **kwargs)
        with claimed(directory):
            return function(*args, **kwargs)

    return inner


def _taken(directory: Path) -> dict | None:
    """The claim written now, or None where none can be."""
    path, mine = directory / NAME, _ourselves()
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError:
        return None
    for _ in range(10):  # others may look at the same stale claim
        try:
            with tempfile.NamedTemporaryFile(dir=directory, prefix=f"{NAME}.") as file:
                file.write(json.dumps(mine).encode())
                file.flush()
                now = os.stat(file.name).st_mtime  # by the clock of the file system
                os.link(file.name, path)  # whole, and only where there is none
            return mine
        except FileExistsError:
            other = _read(path)
        except OSError:
            return None
        if other is None:
            continue  # given back meanwhile
        if not _is_stale(other, path, now):
            raise _in_use(directory, _words(other))
        _remove(path, other)
    raise _in_use(directory, "another job")


def _remove(path: Path, stale: dict) -> None:
    """Remove a stale claim, unless another job has put its own there meanwhile."""
    aside = path.with_name(f"{NAME}.{os.getpid()}.{threading.get_ident()}.part")
    try:
        os.rename(path, aside)
        if _read(aside) != stale:
            os.link(aside, path)
    except OSError:
        pass  # somebody else did either
    finally:
        aside.unlink(missing_ok=True)


def _ourselves() -> dict:
    pid = os.getpid()
    return {
        "host": _host(),
        "pid": pid,
        "began": _began(pid),
        "time": time.strftime("%Y-%m-%d %H:%M:%S"),
    }


def _host() -> str:
    """Name of this machine, and of the table of processes in which numbers mean something."""
    try:
        return f"{socket.gethostname()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return socket.gethostname()


def _began(pid: int) -> str | None:
    """When a process began, in a form of this machine; None where it is gone."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # of another user
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return None if fields[0] in "ZX" else fields[19]
    except (OSError, IndexError):
        return ""


def _read(path: Path) -> dict | None:
    """A claim; None where there is no file, and an empty one where it cannot be understood."""
    try:
        found = json.loads(path.read_bytes()[:10_000])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError):
        return {}
    known = isinstance(found, dict) and isinstance(found.get("pid"), int)
    return found if known and 0 < found["pid"] < 2**31 else {}


def _is_stale(claim: dict, path: Path, now: float) -> bool:
    if claim.get("host") == _host():
        return (began := _began(claim["pid"])) is None or began != claim.get("began")
    try:
        return now - path.stat().st_mtime > STALE
    except OSError:
        return False


def _renew(path: Path, ended: threading.Event) -> None:
    while not ended.wait(RENEWED):
        with suppress(OSError):  # the directory was removed: what writes there will say so
            os.utime(path)


def _words(claim: dict) -> str:
    if not claim:
        return "a job that left no name"
    host = str(claim.get("host", "?")).partition(" ")[0]
    return f"process {claim['pid']} on {host}, since {claim.get('time', '?')}"


def worked_on(directory) -> str:
    """Who works in a directory now, in words; empty where nobody does."""
    path = Path(directory) / NAME
    claim = _read(path)
    return "" if claim is None or _is_stale(claim, path, time.time()) else _words(claim)


def _in_use(directory: Path, who: str) -> Taken:
    return Taken(
        f"{directory}: is being worked on by {who}; wait for it, choose another directory, or, if "
        f"that job no longer runs, delete {directory / NAME}."
    )
