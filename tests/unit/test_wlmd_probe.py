"""The trial before a run: it gets to the low wall, and tells a good time step from a bad one."""

import dataclasses
import math

import pytest

from wlnn import wlmd_probe
from wlnn.collective import NetworkVariables
from wlnn.errors import UserError
from wlnn.settings import WLMDSettings
from wlnn.task import load_task
from wlnn.wlmd_probe import Trial, advised_step, probe

SETTINGS = WLMDSettings(
    x_low=-1.5,
    x_high=-0.2,
    y_low=-2.0,
    y_high=2.0,
    wall_low=100.0,
    margin=2.0,
    spacing=0.1,
    dt=4e-3,
)


def small_problem():
    return NetworkVariables(load_task("spiral-regress", width=6, points=20)).problem()


def test_large_time_steps_are_hot():
    said = []
    trials = probe(small_problem(), SETTINGS, said.append)
    assert [trial.dt for trial in trials] == [2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2]
    assert trials[0].temperature == pytest.approx(1, abs=0.05)
    assert trials[0].x < -0.5
    assert not trials[-1].temperature < 1.2  # hot, or diverged
    best = advised_step(trials)
    assert best is not None
    assert best < 3.2e-2
    assert any("on the way down" in line for line in said)


def test_advice():
    def trial(dt, temperature):
        return Trial(dt, temperature, 0.005, -1.0, 10.0)

    rising = [trial(2.0, 1.02), trial(1.0, 1.0), trial(4.0, 1.3), trial(8.0, 1.0)]
    assert advised_step(rising) == 2.0
    assert advised_step([trial(1.0, 1.2)]) is None
    assert advised_step([trial(1.0, math.nan)]) is None


def test_a_wall_out_of_reach_is_told(monkeypatch):
    monkeypatch.setattr(wlmd_probe, "DESCENT", 4000)
    settings = dataclasses.replace(SETTINGS, x_low=-30.0, dt=1e-6)
    with pytest.raises(UserError, match="out of reach, raise it"):
        probe(small_problem(), settings)
