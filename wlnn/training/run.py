"""Many trainings: parts of them in worker processes, checkpoints, interruption, resume.

A part is a fixed set of trainings that share the leading axis. What a part computes depends on the
settings and its trainings' numbers alone (``train.py``), so that one process, many, and a run that
was interrupted anywhere give the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.backend.device import CPU, Host, device_of
from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.base.states import load_state, save_state
from wlnn.settings.tables import TrainSettings
from wlnn.tasks.task import Task
from wlnn.training import train
from wlnn.training.trained import Trained

ARRAYS = ("theta", "memory", "diverged")  # of Trainings, as they lie on disk
NUMBERS = ("epoch", "batch")
FEWEST_PARTS = 4  # so many parts are left for processes to share
PARAMETERS_TOGETHER = 30_000  # of all of them: what the second-level cache of a core holds


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
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    about: dict | None = None,
    make_task: Callable[[], Task] | None = None,
    executor: Executor | None = None,
    device=None,
) -> Trained:
    """Train a task ``settings.runs`` times from independent initial parameters.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-classify", layers=1, width=2, points=8)
        >>> trained = wlnn.train_many(task, wlnn.TrainSettings(runs=4, epochs=20))
        >>> trained.records["test-accuracy"].shape
        (4, 21)

    Args:
        task: any :class:`wlnn.tasks.task.Task`.
        settings: optimiser, rate, minibatch, lengths; see ``TrainSettings``.
        directory: where checkpoints and ``trained.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        processes: worker processes; the result does not depend on it. With 1 nothing is started.
        report: called with a :class:`wlnn.base.running.Report`.
        notes: stored in ``run.json`` beside the settings.
        about: description of the task stored with the result, ``task.describe()`` if None.
        make_task: makes the task in a worker, where it cannot be pickled.
        executor: any ``concurrent.futures.Executor`` in the place of processes.
        device: "cuda" or "cuda:1": ``settings.together`` trainings at once; what the CPU began goes
            on there, and the other way round. Never chosen by itself; other bits.

    Raises:
        UserError: an impossible task, a directory of another run, a worker that was killed.
        DeviceError: a device that cannot be used, or too little memory there.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    train.make_plan(task, settings)  # refuses what cannot be trained
    about = about or task.describe()
    if directory is not None:
        directory = Path(directory)
        identity = run_identity(task, settings, about)
        store.open_run(directory, identity, notes)
        if (directory / "trained.npz").exists():
            return Trained.load(directory)
    parts = parts_of(settings, task.network.n_parameters, directory)
    how = processes, report, executor, on_device(task, parts, device, directory)
    states = execute(make_task or partial(itself, task), parts, *how)
    trained = collected(states, {"task": about, "train": asdict(settings)})
    if directory is not None:
        trained.save(directory / "trained.npz")
    return trained


def on_device(task: Task, parts: Sequence[Part], device, directory: Path | None) -> Host:
    """The device of that name, tried with the largest part; run.json keeps what it is."""
    device = device_of(device)
    if device is not CPU:
        largest = max(parts, key=lambda part: part.last - part.first)
        plan = train.make_plan(task, largest.settings, device)
        train.check_room(plan, largest.last - largest.first)
        if directory is not None:
            store.enter(directory, store.versions() | {"device": device.about})
    return device


def run_identity(task: Task, settings: TrainSettings, about: dict) -> dict:
    """What two runs must share to be one run."""
    return {
        "task": task.name,
        "sampler": "train",
        "problem": about,
        "parameters": int(task.network.n_parameters),
        "train": settings.identity(),
    }


def collected(states: Sequence[train.Trainings], meta: dict) -> Trained:
    """One result of all parts, in the order of the trainings' numbers."""
    records = {
        name: np.concatenate([state.records[name] for state in states])
        for name in states[0].records
    }
    diverged = np.concatenate([state.diverged for state in states])
    return Trained(records, diverged, {**meta, "versions": store.versions()})


class Progressed(NamedTuple):
    """A part, and how far it has come: its trainings, None before its first stretch."""

    part: Part
    state: train.Trainings | None
    work: float  # epochs of all its trainings that are done

    @property
    def done(self) -> bool:
        """Whether every training is at its last epoch."""
        return self.state is not None and self.state.epoch >= self.part.settings.epochs


def stretch(
    task: Task, unit: Progressed, seconds: float, stop: np.ndarray, device: Host = CPU
) -> Progressed:
    """Some minibatches of one part."""
    part, until = unit.part, time.monotonic() + seconds
    plan = train.make_plan(task, part.settings, device)
    state = train.copied(unit.state or train.start(plan, range(part.first, part.last)))
    late = lambda: bool(stop[0]) or time.monotonic() > until  # noqa: E731
    while state.epoch < part.settings.epochs and not late():
        state = train.advance(plan, state, late)
    work = len(state.runs) * (state.epoch + state.batch / plan.n_batches)
    return Progressed(part, state, work)


def execute(
    make_task: Callable[[], Task],
    parts: Sequence[Part],
    processes: int = 1,
    report: Callable[[Report], None] | None = None,
    executor: Executor | None = None,
    device: Host = CPU,
) -> list[train.Trainings]:
    """Every part to its end, the costly ones first; see :func:`train_many` for what it raises."""
    task, total = make_task(), sum(part.work for part in parts)
    processes, step = min(processes, len(parts)), stretch
    if device is not CPU:
        processes, executor, step = 1, None, partial(stretch, device=device)
    units = [_begun(task, part) for part in sorted(parts, key=lambda part: -part.work)]
    saved = {unit.part: unit.work for unit in units}

    def save(units) -> None:
        for unit in units:
            if unit.work > saved[unit.part] and unit.part.path is not None:
                _save(train.make_plan(task, unit.part.settings), unit.part, unit.state)
                saved[unit.part] = unit.work

    def done(units) -> float:
        return sum(unit.work for unit in units) / total

    clocks = Clocks(report, save, done(units))
    clocks.report(Report(clocks.first))
    with (
        stoppable() as stop,
        Shared(make_task, task) as shared,
        executor_of(processes, processes > 1, executor) as executor,
        clocks.saving(),
    ):
        finished = lambda unit: unit.done  # noqa: E731
        saw = lambda units: clocks.saw(done(units), str, units)  # noqa: E731
        units = run_units(step, shared, units, finished, executor, stop, saw)
        save(units)
    if stop[0]:
        raise Interrupted
    found = {unit.part: unit.state for unit in units}
    return [found[part] for part in parts]


def _begun(task: Task, part: Part) -> Progressed:
    """A part at its checkpoint, if it has one."""
    plan = train.make_plan(task, part.settings)
    state = _load(plan, part)
    if state is None:
        return Progressed(part, None, 0.0)
    return Progressed(part, state, len(state.runs) * (state.epoch + state.batch / plan.n_batches))


def _about(plan: train.Plan, part: Part) -> dict:
    identity = run_identity(plan.task, part.settings, plan.task.describe())
    key = store.as_json({**identity, "trainings": [part.first, part.last]})
    return {"kind": "trainings", "key": key}


def _save(plan: train.Plan, part: Part, state: train.Trainings) -> None:
    arrays = {name: getattr(state, name) for name in ARRAYS}
    numbers = {name: getattr(state, name) for name in NUMBERS}
    save_state(part.path, _about(plan, part), numbers, arrays, records=state.records)


def _load(plan: train.Plan, part: Part) -> train.Trainings | None:
    """The trainings of a checkpoint; one of fewer epochs is that of this run, too."""
    what, about = f"trainings {part.first} to {part.last - 1} of this run", _about(plan, part)
    kind = {"kind": about["kind"]}
    found = load_state(part.path, kind, what, ("key", *NUMBERS), ARRAYS, records=())
    if found is None:
        return None
    key, epochs = found.numbers["key"], part.settings.epochs
    before = key.get("train", {}).get("epochs", 0) if isinstance(key, dict) else 0
    own = {**about["key"]["train"], "epochs": before}
    if key != {**about["key"], "train": own} or before > epochs:
        raise UserError(f"{part.path}: is not the checkpoint of {what}; delete it.")
    room = np.full((part.last - part.first, epochs - before), np.nan)
    return train.Trainings(
        runs=np.arange(part.first, part.last),
        **{name: found.arrays[name] for name in ARRAYS},
        **{name: found.numbers[name] for name in NUMBERS},
        records={
            name: np.concatenate([values, room], axis=1)
            for name, values in found.groups["records"].items()
        },
    )
