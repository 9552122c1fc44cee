"""Many trainings: parts of them in worker processes, checkpoints, interruption, resume.

A part is a fixed set of trainings that share the leading axis. What a part computes depends on the
settings and its trainings' numbers alone (``train.py``), so that one process, many, and a run that
was interrupted anywhere give the same bits.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted, stoppable
from wlnn.base.workers import one_thread_each
from wlnn.settings.tables import TrainSettings
from wlnn.tasks.task import Task
from wlnn.training import train
from wlnn.training.trained import Trained

FEWEST_PARTS = 4  # so many parts are left for processes to share
PARAMETERS_TOGETHER = 30_000  # of all of them: what the second-level cache of a core holds
SAVE_SECONDS = 10.0  # between two checkpoints of a part
LOOK_SECONDS = 0.3  # between two looks at the worker processes


class Part(NamedTuple):
    """Trainings ``first`` to ``last - 1`` with these settings, and where their checkpoint lies."""

    settings: TrainSettings
    first: int
    last: int
    path: Path | None

    @property
    def work(self) -> float:
        """Epochs of all its trainings."""
        return float(self.settings.epochs * (self.last - self.first))


def parts_of(settings: TrainSettings, n_parameters: int, directory: Path | None) -> list[Part]:
    """All trainings in parts of ``settings.together``, or of as many as a core's cache holds."""
    fair = -(-settings.runs // FEWEST_PARTS)
    size = settings.together or min(max(PARAMETERS_TOGETHER // n_parameters, 1), fair)
    return [
        Part(
            settings,
            first,
            min(first + size, settings.runs),
            None if directory is None else directory / f"trainings-{first // size:03d}.npz",
        )
        for first in range(0, settings.runs, size)
    ]


@alone
def train_many(
    task: Task,
    settings: TrainSettings,
    directory: Path | None = None,
    processes: int = 1,
    report: Callable[[float, float], None] | None = None,
    notes: dict | None = None,
    about: dict | None = None,
    make_task: Callable[[], Task] | None = None,
) -> Trained:
    """Train a task ``settings.runs`` times from independent initial parameters.

    Args:
        task: any :class:`wlnn.task.Task`.
        settings: optimiser, rate, minibatch, lengths; see :class:`wlnn.settings.TrainSettings`.
        directory: where checkpoints and ``trained.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        processes: worker processes; the result does not depend on it. With 1 nothing is started.
        report: called with (done, total) epochs of all trainings.
        notes: stored in ``run.json`` beside the settings.
        about: description of the task stored with the result, ``task.describe()`` if None.
        make_task: makes the task in a worker, where it cannot be pickled.

    Raises:
        UserError: an impossible task, a directory of another run, a worker that was killed.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    train.make_plan(task, settings)  # refuses what cannot be trained
    about = about or task.describe()
    if directory is not None:
        directory = Path(directory)
        identity = run_identity(task, settings, about)
        store.open_run(directory, identity, {**(notes or {}), "versions": store.versions()})
        if (directory / "trained.npz").exists():
            return Trained.load(directory)
    parts = parts_of(settings, task.network.n_parameters, directory)
    states = execute(make_task or partial(itself, task), parts, processes, report)
    trained = collected(states, {"task": about, "train": asdict(settings)})
    if directory is not None:
        trained.save(directory / "trained.npz")
    return trained


def run_identity(task: Task, settings: TrainSettings, about: dict) -> dict:
    """What two runs must share to be one run."""
    return {
        "task": task.name,
        "sampler": "train",
        "problem": about,
        "parameters": int(task.network.n_parameters),
        "train": asdict(settings),
    }


def collected(states: Sequence[train.Trainings], meta: dict) -> Trained:
    """One result of all parts, in the order of the trainings' numbers."""
    records = {
        name: np.concatenate([state.records[name] for state in states])
        for name in states[0].records
    }
    diverged = np.concatenate([state.diverged for state in states])
    return Trained(records, diverged, {**meta, "versions": store.versions()})


def execute(
    make_task: Callable[[], Task],
    parts: Sequence[Part],
    processes: int = 1,
    report: Callable[[float, float], None] | None = None,
) -> list[train.Trainings]:
    """Every part to its end, the costly ones first; see :func:`train_many` for what it raises."""
    report = report or (lambda done, total: None)
    total = sum(part.work for part in parts)
    processes = min(processes, len(parts))
    with stoppable() as stop:
        if processes > 1:
            states = _in_processes(make_task, parts, processes, stop, report, total)
        else:
            task, done, states = make_task(), np.zeros(len(parts)), []

            def say(k, work):
                done[k] = work
                report(float(done.sum()), total)

            for k, part in enumerate(parts):
                states.append(_run(task, part, lambda: bool(stop[0]), partial(say, k)))
    if stop[0]:
        raise Interrupted(None)
    return states


def _in_processes(make_task, parts, processes, stop, report, total) -> list[train.Trainings]:
    import multiprocessing
    from concurrent.futures import FIRST_EXCEPTION, ProcessPoolExecutor, wait
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")  # a forked BLAS keeps its parent's threads
    halt, done = context.Event(), context.Array("d", len(parts), lock=False)
    order = sorted(range(len(parts)), key=lambda k: -parts[k].work)
    pool = ProcessPoolExecutor(processes, context, _begin, (make_task, halt, done))
    try:
        with one_thread_each(), _without_interrupts():
            jobs = {k: pool.submit(_work, k, parts[k]) for k in order}
        waiting = set(jobs.values())
        while waiting:
            _, waiting = wait(waiting, LOOK_SECONDS, FIRST_EXCEPTION)
            if stop[0]:
                halt.set()
            for job in jobs.values():
                if job.done():
                    job.result()  # raises what happened there
            report(sum(done), total)
        return [jobs[k].result() for k in range(len(parts))]
    except BrokenProcessPool as error:
        raise UserError(
            "a worker process was killed, most often for want of memory; go on with fewer "
            "--processes."
        ) from error
    finally:
        halt.set()
        pool.shutdown(wait=True, cancel_futures=True)


@contextmanager
def _without_interrupts():
    """Processes started meanwhile never see Ctrl-C: it is their parent who tells them to stop."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_worker: dict = {}  # of a worker process: what all its parts share


def _begin(make_task, halt, done) -> None:
    _worker.update(task=make_task(), halt=halt, done=done)


def _work(k: int, part: Part) -> train.Trainings:
    def say(work):
        _worker["done"][k] = work

    return _run(_worker["task"], part, _worker["halt"].is_set, say)


def itself(task: Task) -> Task:
    """The task: what a worker calls to get one that was pickled."""
    return task


def _run(task: Task, part: Part, stop: Callable[[], bool], say) -> train.Trainings:
    """One part from its checkpoint, or from the start, to its end or to where ``stop()`` is."""
    plan = train.make_plan(task, part.settings)
    state = _load(plan, part) if part.path is not None and part.path.exists() else None
    if state is None:
        state = train.start(plan, range(part.first, part.last))
    size, saved, fresh = len(state.runs), time.monotonic(), False
    say(size * float(state.epoch))
    while state.epoch < part.settings.epochs and not stop():
        state, fresh = train.advance(plan, state, stop), True
        say(size * (state.epoch + state.batch / plan.n_batches))
        if part.path is not None and time.monotonic() - saved > SAVE_SECONDS:
            _save(plan, part, state)
            saved, fresh = time.monotonic(), False
    if fresh and part.path is not None:
        _save(plan, part, state)
    return state


def _key(plan: train.Plan, part: Part) -> dict:
    about = run_identity(plan.task, part.settings, plan.task.describe())
    return store.as_json({**about, "trainings": [part.first, part.last]})


def _save(plan: train.Plan, part: Part, state: train.Trainings) -> None:
    arrays = {name: getattr(state, name) for name in ("theta", "memory", "diverged")}
    arrays |= {f"records.{name}": values for name, values in state.records.items()}
    numbers = {"epoch": state.epoch, "batch": state.batch}
    store.save(part.path, arrays, {"kind": "trainings", "key": _key(plan, part), **numbers})


def _load(plan: train.Plan, part: Part) -> train.Trainings:
    arrays, meta = store.load(part.path)
    if meta.get("kind") != "trainings" or meta.get("key") != _key(plan, part):
        raise UserError(f"{part.path}: is the checkpoint of other trainings; delete it.")
    prefix = "records."
    records = {
        name.removeprefix(prefix): values
        for name, values in arrays.items()
        if name.startswith(prefix)
    }
    return train.Trainings(
        np.arange(part.first, part.last),
        arrays["theta"],
        arrays["memory"],
        meta["epoch"],
        meta["batch"],
        arrays["diverged"],
        records,
    )
