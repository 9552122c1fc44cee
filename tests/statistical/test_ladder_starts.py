"""Ladders that begin in different wells must contradict each other, and say so."""

import numpy as np
import pytest

from wlnn.ladder.run import sample
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.judges.ladder import SMOOTH
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.problem import Problem

N, SHARP = 40, 16.0
GRID = Grid(Axis.of_width("x", -3.0, 3.0, 0.25), Axis.of_width("t", -1.0, 1.0, 0.1))


def two_wells(start: float) -> Problem:
    """min(|theta - a|^2, 16 |theta - b|^2), the wells at t = -+0.5 along coordinate 0.

    Training begins at t = ``start``. At each loss the sharp well has 4^-40 of the volume of the
    other: cooled walkers never see it, those that begin there do not leave it while they are cold.
    """
    centres = np.zeros((2, N))
    centres[:, 0] = -0.5, 0.5

    def evaluate(xp, theta):
        away = theta - centres[:, None]
        losses = xp.array([1.0, SHARP])[:, None] * (away**2).sum(axis=2)
        well = losses.argmin(axis=0)
        loss = losses.min(axis=0) + 1e-6
        return xp.log(loss), theta[:, 0], None, (theta, well, loss)

    def backward(xp, tape, ux, uy):
        theta, well, loss = tape
        slope = 2 * xp.array([1.0, SHARP])[well][:, None] * (theta - centres[well])
        slope = slope * (ux / loss)[:, None]
        slope[:, 0] += uy
        return slope

    begin = np.zeros(N)
    begin[0] = start
    return Problem(
        name="two-wells", lo=-np.ones(N), hi=np.ones(N), evaluate=evaluate, backward=backward,
        start=lambda rng, walkers: np.tile(begin, (walkers, 1)), names=("x", "t"),
    )  # fmt: skip


def found(start):
    settings = LadderSettings(
        **{**SMOOTH, "steps": 24_000, "ladders": 6, "heated": 3, "x_low": -2.0, "dt": 0.05,
           "draws": 1000, "descent": 90, "stretch": 30, "pilot": 6, "seed": 0}
    )  # fmt: skip
    return sample(two_wells(start), settings, grid=GRID)


@pytest.mark.slow
def test_a_training_that_ends_in_another_well_leaves_no_number():
    landscape = found(0.45)
    starts = landscape.meta["rungs"]["starts"]
    assert starts["largest_y"] > 0.3
    assert landscape.contradicts_itself
    assert not landscape.reliable.any()
    assert "no number of this landscape can be believed" in landscape.meta["rungs"]["warnings"][-1]


@pytest.mark.slow
def test_a_training_that_ends_in_the_same_well_agrees():
    landscape = found(-0.45)
    assert not landscape.contradicts_itself
    assert landscape.reliable.any()
