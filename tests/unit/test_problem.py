"""One problem for all samplers: what each asks of it, and what it says where that is missing."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.canonical import run as canonical_run
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import box_loss, twin_quadratic
from wlnn.settings.samplers import WLMCSettings, WLMDSettings
from wlnn.settings.tables import MDSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc import run as wlmc_run
from wlnn.wlmc.rules import wrapped
from wlnn.wlmd import run as wlmd_run
from wlnn.wlmd.setup import make_setup

GRID = Grid(Axis("ln L", -5.0, 4.0, 30), Axis("t", -1.0, 1.0, 8))
SHORT = WLMCSettings(steps=20_000, stages=10, walkers=2, anchor_draws=0)
WINDOW = {"x_low": -3.0, "x_high": 1.0, "y_low": -1.0, "y_high": 1.0, "spacing": 0.1, "margin": 0.5}


def test_a_problem_with_a_gradient_is_one_for_both_samplers():
    problem = replace(box_loss.double_well(), grid=GRID)
    theta = np.array([0.3, -0.2, 0.1, 0.9])
    x, y, *_ = problem.evaluate(np, theta[None])
    assert problem.observe(theta) == (x[0], y[0])
    landscape = wlmc_run.sample(problem, SHORT)
    assert landscape.grid == GRID
    assert (landscape.measure, landscape.unit) == ("mass", "walker")
    settings = WLMDSettings(steps=200, round=100, report=100, tables=2, checks=False, **WINDOW)
    landscape = wlmd_run.sample(problem, settings)
    assert landscape.grid == make_setup(problem, settings).problem.grid
    assert (landscape.measure, landscape.unit) == ("density", "table")
    assert landscape.grid.x.name == "ln L"


def test_another_evaluate_is_another_function_to_observe():
    problem = box_loss.double_well()
    other = replace(problem, evaluate=lambda xp, theta: (theta[:, 0] + 7, theta[:, 1], None, None))
    assert other.observe(np.zeros(4)) == (7.0, 0.0)


def test_the_window_of_a_run_is_made_of_its_settings():
    grid = make_setup(box_loss.double_well(), WLMDSettings(**WINDOW)).problem.grid
    assert [axis.name for axis in grid] == ["ln L", "t"]
    assert (grid.x.lo, grid.x.n, grid.y.lo, grid.y.n) == (-3.5, 50, -1.5, 30)
    assert grid.x.hi == pytest.approx(1.5)


def test_what_a_sampler_needs_and_does_not_find_is_told():
    bare = twin_quadratic.problem(GRID)
    with pytest.raises(UserError, match="bare function: molecular dynamics needs its gradient"):
        wlmd_run.sample(bare, WLMDSettings())
    with pytest.raises(UserError, match="bare function"):
        canonical_run.simulate(bare, MDSettings(walkers=2))
    with pytest.raises(UserError, match="Monte Carlo needs its grid"):
        wlmc_run.sample(box_loss.double_well(), SHORT)


@pytest.mark.parametrize("given", [(), ("evaluate",), ("evaluate", "backward"), ("start",)])
def test_half_a_gradient_is_refused(given):
    with pytest.raises(UserError, match="give observe, or evaluate, backward and start"):
        Problem("half", -np.ones(2), np.ones(2), GRID, **dict.fromkeys(given, len))


def test_periodic_parameters_are_told_and_checked():
    grid = Grid(Axis("x", 0.0, 1.0, 4), Axis.single())
    make = partial(Problem, "p", -np.ones(2), np.ones(2), grid, lambda t: (float(t[0]), 0.0))
    for wrong in ((True,), (0, 1), (0.5, 0.5)):
        with pytest.raises(UserError, match="one truth value for each of the 2 parameters"):
            make(periodic=wrong)
    assert make().identity("wlmc")["problem"] == {}
    assert make(periodic=(False, True)).identity("wlmc")["problem"] == {"periodic": [1]}
    with pytest.raises(UserError, match="no periodic parameters"):
        make(periodic=(False, True)).require_gradient()


@pytest.mark.parametrize("new", [-3.5, -1.0, 0.2, 1.0, 1.5, 7.25, -1.0 - 1e-17])
def test_a_wrapped_value_lies_in_the_box_whole_boxes_away(new):
    found = wrapped(new, -1.0, 1.0)
    assert -1.0 <= found <= 1.0
    assert (found - new) / 2 == pytest.approx(round((found - new) / 2), abs=1e-12)


@pytest.mark.parametrize(
    ("lo", "hi", "words"),
    [
        ("a", "b", "lo and hi need numbers"),
        (None, 1, "every box needs finite"),
        ([0, 0], [1, np.nan], "every box needs finite"),
        ([-1e308], [1e308], "a width below"),
    ],
)
def test_what_is_no_box_is_refused(lo, hi, words):
    with pytest.raises(UserError, match=words):
        Problem("t", lo, hi, None, lambda theta: (0.0, 0.0))
