"""The trial before a run: it gets to the low wall, tells a good time step from a bad one, and says
what to set and why."""

import dataclasses
import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables
from wlnn.wlmd import probe as wlmd_probe
from wlnn.wlmd.probe import Probe, Trial, advise, advised_step, probe
from wlnn.wlmd.setup import make_setup
from wlnn.wlmd.surface import A0

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
    found = probe(make_setup(small_problem(), SETTINGS), said.append)
    trials = found.trials
    assert [trial.dt for trial in trials] == [2e-3, 4e-3, 8e-3, 1.6e-2, 3.2e-2]
    assert trials[0].temperature == pytest.approx(1, abs=0.05)
    assert trials[0].x < -0.5
    assert not trials[-1].temperature < 1.2  # hot, or diverged
    best = advised_step(trials)
    assert best is not None
    assert best < 3.2e-2
    assert any("on the way down" in line for line in said)
    assert found.start[0] > found.low[0] > SETTINGS.x_low
    assert found.slope == pytest.approx(200 * (found.low[0] + 1.5))
    assert found.descent.shape[1] == 2


def trial(dt, temperature):
    return Trial(dt, temperature, 0.005, -1.0, 10.0)


def test_advised_step():
    rising = [trial(2.0, 1.02), trial(1.0, 1.0), trial(4.0, 1.3), trial(8.0, 1.0)]
    assert advised_step(rising) == 2.0
    assert advised_step([trial(1.0, 1.2)]) is None
    assert advised_step([trial(1.0, math.nan)]) is None


def test_advice_follows_the_rules_of_the_checks():
    """Numbers by hand: 67 parameters, f_max 10, window of 1.3 x 4, dS/dx = 20 at the low wall."""
    problem = small_problem()
    setup = make_setup(problem, SETTINGS)
    way = np.array([[-0.6, -0.2], [-1.4, 0.3]])
    found = Probe([trial(1e-3, 1.0), trial(4e-3, 1.4)], (-0.6, -0.2), way, (-1.4, 0.2), 20.0)
    advice = {said.option: said for said in advise(setup, found)}
    assert all(said.why and said.now == getattr(SETTINGS, key[5:]) for key, said in advice.items())
    # from x = -1.4, where it was tried, to 3 sigma below the wall at -1.5
    assert advice["wlmd.dt"].value == 7e-4  # 1e-3 exp(-0.35), rounded down
    height = 10 * A0 / (2 * math.pi * 0.04)
    least = height / (0.05 * problem.n_parameters)
    assert advice["wlmd.friction"].value == pytest.approx(least, rel=0.05)
    # 40 / 7 times smaller: the old one would do where the loss is the square of that higher
    assert advice["wlmd.x_low"].value == SETTINGS.x_low
    assert f"with {round(-1.5 + 2 * math.log(40 / 7), 1):g} the" in advice["wlmd.x_low"].why
    assert advice["wlmd.x_high"].value == SETTINGS.x_high
    assert (advice["wlmd.y_low"].value, advice["wlmd.y_high"].value) == (-2.0, 2.0)
    assert advice["wlmd.margin"].value == 2.0
    assert advice["wlmd.t2"].value == SETTINGS.t2
    steep = found._replace(slope=2000.0, start=(1.0, 2.5), descent=way + 2)
    advice = {said.option: said for said in advise(setup, steep)}
    depth = 2000 * 1.3
    assert advice["wlmd.x_high"].value == 1.2
    assert advice["wlmd.y_high"].value == pytest.approx(3.3)
    assert advice["wlmd.margin"].value == pytest.approx((depth / 100) ** 0.5 + 0.8, abs=0.06)
    fill = 0.5 * depth * 1.3 * 4 / (10 * A0)
    assert fill < SETTINGS.t2 == advice["wlmd.t2"].value
    slow = make_setup(problem, dataclasses.replace(SETTINGS, f_max=1.0))
    (length,) = (said for said in advise(slow, steep) if said.option == "wlmd.t2")
    assert length.value == pytest.approx(10 * fill, rel=0.05)


def test_a_wall_out_of_reach_is_told(monkeypatch):
    monkeypatch.setattr(wlmd_probe, "DESCENT", 4000)
    settings = dataclasses.replace(SETTINGS, x_low=-30.0, dt=1e-6)
    with pytest.raises(UserError, match="out of reach, raise it"):
        probe(make_setup(small_problem(), settings))
