"""The one loop over units of work, on any executor: walkers, tables, trainings, whole settings.

A unit is a state that a *stretch* brings further: a module-level pure function

    stretch(shared, state, seconds, stop) -> later state

of what all units of a run share and of the state before it alone, so that neither the executor nor
the length of a stretch, nor the order in which they end, nor one that is lost and made again,
changes a bit. A stretch returns after about ``seconds``, or at once when ``stop (1,)`` is set. Only
the caller writes files.
"""

from __future__ import annotations

import operator
import pickle
import threading
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ThreadPoolExecutor,
    wait,
)
from contextlib import contextmanager
from functools import partial
from typing import NamedTuple

import numpy as np

from wlnn.base.engines import FAR_SECONDS, Engine, ourselves, pickler, processes
from wlnn.base.errors import UserError

STRETCH_SECONDS = 0.5  # of work before a unit comes back, and of a first stretch elsewhere
LOOK_SECONDS = 0.3  # between two looks at the stop flag
TRIES = 3  # of one stretch, when workers are killed over it
KEPT = 4  # runs whose problem a worker keeps at hand
_NEVER = np.zeros(1, np.uint8)
_made: dict[str, object] = {}
_making = threading.RLock()


class Shared:
    """What all units of a run share: every process makes it once, by the function it travels as."""

    def __init__(self, make: Callable, made=None):
        self.make, self.key = make, uuid.uuid4().hex
        if made is not None:
            _made[self.key] = made

    def __call__(self):
        """What it is, in this process."""
        with _making:
            if self.key not in _made:
                _made[self.key] = self.make()
                for key in list(_made)[:-KEPT]:
                    del _made[key]
            return _made[self.key]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        _made.pop(self.key, None)  # of this process


@contextmanager
def executor_of(
    workers: int, in_processes: bool = False, executor: Executor | None = None
) -> Iterator[Executor]:
    """Threads of this process, or worker processes; or the executor that is given."""
    if executor is not None:
        yield executor
    elif in_processes:
        with processes(workers) as engine:
            yield engine
    else:
        with ThreadPoolExecutor(workers) as threads:
            yield threads


def workers_of(executor: Executor) -> tuple[int, float]:
    """How many workers there are now, and the seconds of work after which a unit comes back."""
    if isinstance(executor, Engine):
        return executor.workers(), executor.seconds
    here = isinstance(executor, ThreadPoolExecutor)
    # no executor says it, those of the standard library and loky know
    return getattr(executor, "_max_workers", 1), STRETCH_SECONDS if here else FAR_SECONDS


def run_units(
    stretch: Callable,
    shared: Shared,
    states: Sequence,
    done: Callable[[object], bool],
    executor: Executor,
    stop: np.ndarray,
    saw: Callable[[list], None],
    seconds: float | None = None,
    meet: Callable[[list, int, set[int]], Iterable[int]] = lambda *_: (),
) -> list:
    """Every unit to where ``done(state)`` is true, or to where it is when ``stop`` is set.

    A unit that comes back is handed to ``saw(states)``, and its next stretch begins; no unit waits
    for another. While nothing comes from elsewhere ``saw`` is called too, with nothing new. A
    stretch whose worker was killed is made again. What a stretch raises ends the others and is
    raised here. A ``stop`` above 1 does not wait for stretches elsewhere.

    Units that act on each other do so in ``meet(states, k, away)``, after unit k came back: it may
    change, and append, states of units that are not ``away``, and names those that may go on.

    Raises:
        UserError: workers were killed over one stretch again and again, cannot be sent the problem,
            or cannot make it.
    """
    if isinstance(executor, ThreadPoolExecutor):
        send: _Here | _Elsewhere = _Here(executor, stretch, shared, stop)
    else:
        send = _Elsewhere(executor, stretch, shared)
    states, lost = list(states), defaultdict(int)
    first = min(STRETCH_SECONDS, send.longest) if seconds is None else seconds
    lengths: dict[int, float] = defaultdict(lambda: first)
    waiting: dict[Future, int] = {}

    def submit(k: int) -> None:
        if not done(states[k]) and not stop[0]:
            waiting[send(states[k], lengths[k])] = k

    try:
        for k in range(len(states)):
            submit(k)
        while waiting and not send.dropped(stop, waiting):
            came = wait(waiting, LOOK_SECONDS, FIRST_COMPLETED).done
            if not came and isinstance(send, _Elsewhere):
                saw(states)  # time to save what came before
            for job in came:
                k, others = waiting.pop(job), set()
                try:
                    states[k], lost[k] = send.received(job), 0
                except Exception as error:
                    lost[k] += 1
                    if not _is_lost(error) or lost[k] >= TRIES:
                        raise
                else:
                    if seconds is None:  # short ones first, so that something is seen soon
                        lengths[k] = min(2 * lengths[k], send.longest)
                    away = set(waiting.values())
                    others = set(meet(states, k, away)) - away - {k}
                    saw(states)
                for unit in (k, *sorted(others)):
                    submit(unit)
    except BaseException as error:
        if isinstance(send, _Here):
            stop[0] = 1  # the other units end at once
            wait(waiting)
        elif (sentence := _sentence(error)) is not None:
            raise UserError(sentence) from error
        raise
    return states


class _Here:
    """Stretches in threads of this process, which see the stop flag."""

    def __init__(self, executor, stretch, shared, stop):
        self.longest, self.executor = STRETCH_SECONDS, executor
        self.how, self.stop = (stretch, shared()), stop

    def __call__(self, state, seconds: float) -> Future:
        return self.executor.submit(*self.how, state, seconds, self.stop)

    def received(self, job: Future):
        return job.result()

    def dropped(self, stop: np.ndarray, waiting) -> bool:
        return False


class _Elsewhere:
    """Stretches in other processes, which cannot see the flag: they are waited for."""

    def __init__(self, executor: Executor, stretch: Callable, shared: Shared):
        self.engine = executor if isinstance(executor, Engine) else Engine(executor)
        self.longest, self.told = self.engine.seconds, False
        try:  # here, where it can be told what cannot be sent
            self.packed = pickler()((stretch, shared))
        except Exception as error:
            raise UserError(
                f"the problem cannot be sent to another process ({error}); define what it is made "
                "of at the top level of a module, or give the function that makes it, make_problem."
            ) from error

    def __call__(self, state, seconds: float) -> Future:
        return self.engine.submit(_elsewhere, self.packed, state, seconds)

    def received(self, job: Future):
        (worker, about), state = job.result()
        self.engine.saw(worker, about)
        return state

    def dropped(self, stop: np.ndarray, waiting) -> bool:
        """Whether nobody wants to wait for what is under way."""
        self.engine.look()
        if stop[0] and not self.told:
            self.told = True
            for job in [job for job in waiting if job.cancel()]:
                del waiting[job]
            if waiting:
                self.engine.tell(
                    f"stopping: what is under way comes back within {self.longest:.0f} s or so; "
                    "Ctrl-C again goes without it"
                )
        return stop[0] > 1


def _elsewhere(packed: bytes, state, seconds: float):
    """A stretch in another process, and who made it; what fails there is told with that name."""
    who = ourselves()
    stretch, shared = pickle.loads(packed)
    try:
        made = shared()
    except UserError as error:
        raise UserError(f"on worker {who[0]}: {error}") from error
    return who, stretch(made, state, seconds, _NEVER)


def _is_lost(error: BaseException) -> bool:
    """Whether it says that the worker is gone, in the words of any executor."""
    return isinstance(error, BrokenExecutor) or type(error).__name__ == "KilledWorker"


def _sentence(error: BaseException) -> str | None:
    """In words, what only happens to stretches elsewhere."""
    if _is_lost(error):
        return (
            "a worker process was killed again and again over the same piece of work, most often "
            "for want of memory; go on with fewer workers on a machine."
        )
    if isinstance(error, ImportError):
        return (
            f"a worker cannot load what it needs ({error}); install the same wlnn there, with all "
            "that your own files import."
        )
    if type(error).__name__ in ("CancelledError", "FutureCancelledError", "CommClosedError"):
        return "the connection to the workers is lost; what came back before is saved."
    return None


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

    told = [-1.0]

    def saw(units: list[_Job]) -> None:
        ended = zip(order, units, strict=True)
        done = float(sum(costs[i] for i, unit in ended if unit.done))
        if progress is not None and total and done != told[0]:
            told[0] = done
            progress(done, total)

    saw(units)
    if processes <= 1 or len(jobs) <= 1:
        for k, unit in enumerate(units):
            units[k] = _whole(function, unit, 0.0, _NEVER)
            saw(units)
    else:
        stop, ended = np.zeros(1, np.uint8), operator.attrgetter("done")
        with (
            Shared(partial(itself, function), function) as shared,
            executor_of(min(processes, len(jobs)), True) as pool,
        ):
            units = run_units(_whole, shared, units, ended, pool, stop, saw)
    found = dict(zip(order, units, strict=True))
    return [found[i].result for i in range(len(jobs))]


def itself(thing):
    """The thing: what a worker calls to get one that was pickled."""
    return thing
