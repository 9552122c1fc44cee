"""Two branches of states: weights from the hot end, agreement of ladders, what is left out."""

from types import SimpleNamespace

import numpy as np
import pytest

from wlnn.ladder import branches, diagnostics, estimate, halving
from wlnn.ladder.descent import FEW_TRIES, one_rung_down
from wlnn.ladder.joint import Joint
from wlnn.ladder.movers import Visit
from wlnn.ladder.rungs import untilted
from wlnn.ladder.samples import Samples
from wlnn.ladder.state import ASCENT, DESCENT, PILOT, Ladder
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.ladder import LadderSettings

GRID = Grid(Axis("x", -3.0, 0.0, 30), Axis.single())


def joint(shift=0.0, lowest=0.0, n=20_000, seed=0):
    """Samples of a box in which L is uniform in [lowest, 1], weighed e^shift as much."""
    losses = lowest + (1 - lowest) * np.random.default_rng(seed).random(n)
    zero = np.zeros(n)
    samples = Samples(zero, zero.astype(int), np.log(losses), zero, zero, zero + 1, zero - 1)
    return Joint(samples, np.full(n, shift + np.log((1 - lowest) / n)), zero[:1] > 0, zero[:1] + 1)


def test_the_weight_of_a_branch_is_the_ratio_of_partition_functions():
    """Z = integral of exp(-beta L) over [lowest, 1]: less in a branch without low losses."""
    beta, floor = 60.0, 0.5
    full = [joint(seed=k) for k in range(3)]
    upper = [joint(lowest=floor, seed=k) for k in range(3, 6)]
    exact = np.log(-np.expm1(-beta)) - np.log(np.exp(-beta * floor) - np.exp(-beta))
    found = branches.weight(full, upper, beta)
    assert found.ln_ratio == pytest.approx(exact, abs=0.05)
    assert found.error < 0.5
    assert found.decides  # 30 nats
    assert not branches.weight(upper, full, beta).decides
    assert not branches.weight(full, upper, 10.0).decides  # 5 nats are not enough
    assert not branches.weight(full[:1], upper[:1], beta).decides  # and two ladders tell no error


def test_ladders_agree_as_far_as_their_halves_tell():
    rng = np.random.default_rng(1)

    def halves(ladders, between=0.0):
        own = rng.normal(scale=0.3, size=(2, ladders, 20)) * np.sqrt(2)
        return own + between * rng.normal(size=(ladders, 1))

    alarms = sum(not branches.agree(halves(4)) for _ in range(300))
    assert alarms <= 20  # 20 rows, of which 1 of 1000 is off by chance: 6 are expected
    assert not branches.agree(halves(4, 30.0))
    assert branches.agree(
        np.full((2, 3, 5), 1.0) + 0.04 * rng.random((2, 3, 5))
    )  # as good as equal


def ladder_of(number, caught, betas=(1.0, 60.0)):
    return SimpleNamespace(number=number, caught=caught, rungs=untilted(betas))


def starts(cold, hot, caught=2, apart=0.0):
    joints = [joint(seed=k, **cold) for k in range(2)]
    joints += [joint(seed=2 + k, shift=k * apart, **hot) for k in range(2)]
    ladders = [ladder_of(k, caught if k < 2 else 0) for k in range(4)]
    marginals = np.array([halving.marginal(GRID, one.samples, one.ln_w) for one in joints])
    halves = np.array([marginals, marginals + 0.01])
    return estimate._starts(GRID, ladders, joints, np.arange(4) > 1, halves)


def test_cooled_ladders_in_a_branch_that_weighs_nothing_are_left_out():
    found = starts(cold={"lowest": 0.5}, hot={})
    assert found["left_out"] == [0, 1]
    assert found["agree"]
    assert found["beta"] == 60.0
    assert found["heavier"] == pytest.approx(30.0, abs=0.5)
    words = dict(diagnostics.in_words(sound(found)))
    assert words["cooled ladders"] == (
        "0, 1, left out: caught in states that weigh e^-30 of those of the heated ones at beta = 60"
    )
    assert not diagnostics.warnings(sound(found))


def test_heated_ladders_that_differ_give_no_number():
    found = starts(cold={"lowest": 0.5}, hot={}, apart=1.0)
    assert not found["agree"]
    assert "differ from each other" in " ".join(diagnostics.warnings(sound(found)))


@pytest.mark.parametrize(
    ("cold", "hot", "caught"),
    [
        ({}, {"lowest": 0.5}, 2),  # it is the heated ones that are in the lighter branch
        ({"lowest": 0.5}, {}, 0),  # nobody was caught
        ({"lowest": 0.1}, {}, 2),  # and here equilibrium is in both
    ],
)
def test_nothing_is_left_out_otherwise(cold, hot, caught):
    assert "left_out" not in starts(cold, hot, caught)


def test_heated_ladders_alone_must_agree_with_each_other():
    joints = [joint(seed=k) for k in range(3)]
    halves = np.random.default_rng(0).normal(scale=0.2, size=(2, 3, 10))
    ladders = [ladder_of(k, 1) for k in range(3)]
    hot = np.ones(3, bool)
    assert estimate._starts(GRID, ladders, joints, hot, halves)["agree"]
    halves += np.arange(3)[:, None] * 20.0
    assert not estimate._starts(GRID, ladders, joints, hot, halves)["agree"]


def sound(found):
    """Diagnostics of two ladders with nothing wrong but their starts."""
    one = {
        "beta": [0.0, 1.0], "temperature": [1.0, 1.0], "temperature_error": [0.01, 0.01],
        "acceptance": [0.4], "overlap": [0.2], "descents": 1,
    }  # fmt: skip
    halves = {"agree": True, "difference": [0.1]}
    return {
        "ladders": [one, one],
        "dropped": 0.1,
        "halves": halves,
        "starts": found,
        "warnings": [],
    }


class Caught:
    """A mover whose walker stays at x = 0 at any beta."""

    window, n_parameters = GRID, 1

    def time_step(self, beta, kappa, y):
        return np.zeros(np.shape(beta))

    def draw(self, rng):
        return Visit(np.zeros(1), np.zeros(1), *[np.zeros(1)] * 5, (0.0, 0.0), 1.0)


def sent(unit, visit):
    """What a unit returns that is sent the same visit again and again."""
    try:
        while True:
            unit.send([visit])
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize(("heated", "number", "phase"), [(2, 3, ASCENT), (2, 0, PILOT)])
def test_a_ladder_that_is_caught_again_goes_on_where_others_are_heated(heated, number, phase):
    settings = LadderSettings(ladders=4, heated=heated, x_low=-2.0)
    rungs = untilted(np.geomspace(1.0, 1e4, 14))
    k = rungs.n
    none = Samples(*(np.zeros(0) for _ in Samples._fields))
    state = Ladder(
        number, DESCENT, 5, 0, 1000, 1.0, rungs, np.zeros(k), np.arange(k), np.zeros((k, 1)),
        np.zeros((k, 1)), np.zeros(k, bool), np.ones(k - 2), np.zeros(k - 2), FEW_TRIES, none, (),
        *(np.zeros((n, k)) for n in (2, 2, 3)), 0,
    )  # fmt: skip
    unit = one_rung_down(Caught(), settings, state)
    walks, _ = next(unit)
    still = Visit(
        walks[0].theta, walks[0].v, *[np.zeros(9)] * 3, np.ones(9), -np.ones(9), (0, 0), 1
    )
    later = sent(unit, still)
    assert later.phase == phase
    assert len(later.theta) == len(later.dt) == later.rungs.n
    assert later.rungs.beta[[1, -1]] == pytest.approx([1.0, 1e4])
    if phase == ASCENT:
        assert np.diff(np.log(later.rungs.beta[1:])).max() <= 0.3
    else:
        assert later.rungs.n == k
