"""Runs of each kind that moves on devices, stopped half way and gone on with elsewhere.

On a stand-in for a device, and in the device check on a real one.
"""

from __future__ import annotations

import signal
from dataclasses import replace

import pytest

from wlnn.base.running import Interrupted
from wlnn.canonical.run import simulate
from wlnn.ladder import run as ladder_run
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.ladder import LadderSettings
from wlnn.settings.samplers import WLMDSettings
from wlnn.settings.tables import MDSettings, TrainSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.run import train_many
from wlnn.wlmd import run as wlmd_run

GRID = Grid(Axis("x", -4.0, 4.0, 16), Axis("y", -6.0, 6.0, 12))
MD = MDSettings(temperature=0.05, steps=200, record=10, walkers=3, dt=0.01)
WLMD = WLMDSettings(
    steps=60, round=20, report=20, tables=1, walkers=3, x_low=-6.0, x_high=12.0, y_low=-12.0,
    y_high=14.0, dt=1e-3, checks=False, t1=10.0, t2=20.0, t3=5.0, start_x=20.0, spacing=0.2,
)  # fmt: skip
LADDER = LadderSettings(
    ladders=2, steps=2800, x_low=-0.5, draws=200, descent=30, pilot=6, stretch=10, sample_every=10,
)  # fmt: skip
TRAIN = TrainSettings(epochs=6, runs=3, batch_size=3)


def small_problem():
    """A network 2-4-1 on 6 + 6 points, by its definition alone."""
    task = load_task("spiral-regress", width=4, points=6, seed=0)
    return replace(NetworkVariables(task).problem(), gradient_system=None, train_system=None)


def md(problem, folder, device, report=None):
    return simulate(problem, MD, folder, report=report, device=device)


def wlmd(problem, folder, device, report=None):
    return wlmd_run.sample(problem, WLMD, folder, report=report, device=device)


def ladder(problem, folder, device, report=None):
    return ladder_run.sample(problem, LADDER, folder, report=report, grid=GRID, device=device)


def training(problem, folder, device, report=None):
    task = load_task("spiral-regress", width=4, points=6, seed=0)
    return train_many(task, TRAIN, folder, report=report, device=device)


KINDS = md, wlmd, training, ladder


def begin(kind, problem, folder, device, monkeypatch) -> None:
    """Begun there and stopped after a third or more, with a checkpoint."""
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    monkeypatch.setattr("wlnn.base.pool.STRETCH_SECONDS", 1e-3)
    parts = []

    def stop(report):
        parts.append(report.part)
        if report.part > 0.3:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(Interrupted):
        kind(problem, folder, device, stop)
    assert 0.3 < parts[-1] < 1


def end(kind, problem, folder, device):
    """Gone on with there to its end; nothing is made again. Returns the result."""
    parts = []
    found = kind(problem, folder, device, lambda report: report.notes or parts.append(report.part))
    assert parts[0] >= 0.3
    return found
