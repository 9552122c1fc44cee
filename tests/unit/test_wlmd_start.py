"""Walkers are brought down to a loss, by the compiled network as by its definition."""

import dataclasses

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.datasets import spiral_classify
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import run as run_wlmd
from wlnn.wlmd.start import draw_below

GRID = Grid(Axis("x", -5.0, 1.0, 10), Axis("y", -5.0, 3.0, 10))


def problem(start_part=0.6, activation="relu"):
    task = Task("t", spiral_classify(0, 10), FNN((2, 8, 2), activation), GRID, "ln-test-loss")
    return NetworkVariables(task, start_part=start_part).problem()


@pytest.mark.parametrize("compiled", [True, False])
def test_walkers_come_down_and_stay_in_the_box(compiled):
    made = problem() if compiled else dataclasses.replace(problem(), gradient_system=None)
    theta = draw_below(made, np.random.default_rng(0), 3, -0.6)
    x, *_ = made.evaluate(np, theta)
    assert (x <= -0.6 + 1e-4).all()
    assert (x > -0.7).all()  # no further than asked
    assert (np.abs(theta) <= made.hi).all()
    again = draw_below(made, np.random.default_rng(0), 3, -0.6)
    np.testing.assert_array_equal(theta, again)
    assert not np.allclose(theta[0], theta[1])


def test_who_is_below_already_stays_where_it_is():
    made = problem()
    drawn = made.start(np.random.default_rng(1), 4)
    np.testing.assert_array_equal(draw_below(made, np.random.default_rng(1), 4, 9.0), drawn)


def test_dead_networks_are_drawn_anew():
    """One unit of two inputs: a third of the draws answer without a slope."""
    task = Task("t", spiral_classify(0, 10), FNN((2, 1, 2)), GRID, "ln-test-loss")
    made = NetworkVariables(task, start_part=0.6).problem()
    theta = draw_below(made, np.random.default_rng(0), 8, -0.40)
    x, *_ = made.evaluate(np, theta)
    assert (x <= -0.40 + 1e-4).all()


def test_what_cannot_be_reached_is_told(monkeypatch):
    monkeypatch.setattr("wlnn.wlmd.start.STEPS", 5)
    monkeypatch.setattr("wlnn.wlmd.start.DRAWS", 2)
    with pytest.raises(UserError, match=r"start_x = -9: 2 descents of 5 steps end at x = "):
        draw_below(problem(), np.random.default_rng(0), 1, -9.0)


def test_a_run_begins_where_the_settings_say():
    short = {"x_low": -3.0, "x_high": 1.0, "y_low": -4.0, "y_high": 4.0, "spacing": 0.1, "dt": 1e-5}
    settings = WLMDSettings(steps=20, round=10, report=10, tables=2, checks=False, **short)
    first = {}
    for start_x in (100.0, -0.6):
        with_start = dataclasses.replace(settings, start_x=start_x)
        first[start_x] = run_wlmd.sample(problem(), with_start).history["x_high"][:, 0]
    assert (first[100.0] > -0.55).all()
    assert (first[-0.6] < -0.58).all()
