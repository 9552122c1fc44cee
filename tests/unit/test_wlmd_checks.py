"""Reports and the sentences that end a run, from made-up traces."""

import dataclasses

import numpy as np
import pytest

from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.settings.samplers import WLMDSettings
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.checks import advice, failure, heating, summary, temperature_by_x, warnings
from wlnn.wlmd.surface import Walls, make_surface

GRID = Grid(Axis.of_width("x", -6.0, 1.0, 0.05), Axis.of_width("y", -6.0, 1.0, 0.05))
SURFACE = make_surface(GRID, 0.2, Walls(-4.0, -0.5, -4.0, 0.5))
PROBLEM = wlmd_cases.blocks(500, 500).problem
FRICTION = 0.01


def made_up(
    temperature=1.0,
    low_temperature=None,
    x=(-4.0, -1.0),
    steps=20_000,
    friction=FRICTION,
    **changes,
):
    rng = np.random.default_rng(0)
    trace = np.zeros((1, steps, 4))
    trace[0, :, wlmd.X] = rng.uniform(*x, steps)
    trace[0, :, wlmd.Y] = -1.0
    trace[0, :, wlmd.KINETIC] = rng.normal(temperature, 0.05, steps)
    if low_temperature is not None:
        low = trace[0, :, wlmd.X] < x[0] + 0.3
        trace[0, low, wlmd.KINETIC] = low_temperature
    state = wlmd.start(PROBLEM, SURFACE, 1, rng)._replace(t=steps, **changes)
    return summary(SURFACE, state, trace, 5.0, friction, PROBLEM, 2.0)


def test_heating_is_the_formula():
    assert heating(SURFACE, 5.0, 3e-5, 1051) == pytest.approx(0.2524, rel=1e-3)
    assert heating(SURFACE, 5.0, 0.0, 1051) == 0


def test_numbers():
    report = made_up()
    assert report.t == 20_000
    assert report.temperature == pytest.approx(1, abs=0.002)
    assert report.expected == pytest.approx(1 + 5 * 4e-4 / (2 * np.pi * 0.04) / 10)
    assert report.us_per_step == pytest.approx(100)
    assert report.outside == 0
    assert report.x_low == pytest.approx(-4, abs=0.01)
    assert report.at_wall == 0
    assert failure(report, 1e-3, FRICTION) is None


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"temperature": 1.4}, "raise wlmd.friction"),
        ({"temperature": 0.7}, "expected"),
        ({"low_temperature": 1.4}, "time step is too large"),
        ({"x": (-6.3, -1.0)}, "outside the table"),
        ({"alive": np.zeros(1, bool), "steps": 0}, "every walker diverged"),
    ],
)
def test_what_is_wrong_is_told_in_one_sentence(made, said):
    sentence = failure(made_up(**made), 1e-3, FRICTION)
    assert said in sentence
    assert sentence.endswith(".")
    assert "\n" not in sentence


def test_noise_is_not_taken_for_heat():
    """A few hundred steps of one walker hardly know their temperature."""
    assert failure(made_up(temperature=1.15, steps=600, friction=1e-4), 1e-3, 1e-4) is None


def history(*reports):
    return {name: np.array([getattr(report, name) for report in reports]) for name in GOOD._fields}


GOOD = made_up()


@pytest.mark.parametrize(
    ("made", "said"),
    [
        ({"temperature": 1.063}, "expected 1.00"),
        ({"low_temperature": 1.09}, "wlmd.dt is near its limit"),
        ({"x": (-6.003, -1.0)}, "outside the table"),
    ],
)
def test_a_doubt_is_told_once_and_ends_no_run(made, said):
    doubtful = made_up(**made)
    assert failure(doubtful, 1e-3, FRICTION) is None
    (sentence,) = warnings(doubtful, history(GOOD))
    assert said in sentence
    assert warnings(doubtful, history(GOOD, doubtful)) == []
    assert warnings(GOOD, history(doubtful)) == []
    assert warnings(doubtful, history()) == [sentence]


SOUND = WLMDSettings(steps=5e6, f_max=10, t1=1e5, t2=2e6, t3=1.75e6, friction=FRICTION)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, None),
        ({"friction": 1e-5}, "heat the walkers by 159%; wlmd.friction = 0.0003"),
        ({"friction": 0.0}, "nothing takes the heat"),
        ({"steps": 3_000_000}, "before the tail of the schedule"),
        ({"friction": 5e-5, "f_max": 1.0, "t3": -1e9}, "S comes out larger"),
    ],
)
def test_settings_are_judged_before_a_run(options, said):
    sentences = advice(PROBLEM, dataclasses.replace(SOUND, **options), SURFACE)
    assert (not sentences) if said is None else any(said in text for text in sentences)
    assert all(text.endswith(".") and "\n" not in text for text in sentences)


def test_temperatures_by_x():
    warmth = np.zeros((2, SURFACE.nx))
    warmth[:, 40:80] = [[1000.0] * 40, [1000.0] * 20 + [1100.0] * 20]
    found = temperature_by_x(SURFACE, warmth)
    assert found["temperature"] == pytest.approx([1.0] * 4 + [1.1] * 4)
    assert found["x"][0] == pytest.approx(GRID.x.edges[40])
    assert found["x"][-1] == pytest.approx(GRID.x.edges[80])
    assert sum(found["steps"]) == 40_000
    warmth[0, 40:45] = 1.0
    assert temperature_by_x(SURFACE, warmth)["temperature"][0] is None
    assert temperature_by_x(SURFACE, 0 * warmth)["x"] == []
