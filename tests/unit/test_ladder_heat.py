"""Time steps by rung: what is too hot is told from what falls, halved there, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base import store
from wlnn.base.running import Interrupted
from wlnn.ladder import checkpoints, descent, diagnostics, heat
from wlnn.ladder import ladder as units
from wlnn.ladder import run as ladder_run
from wlnn.ladder.blocks import advance_block, blocks_of, ended, joined_blocks, met, ready
from wlnn.ladder.descent import begin, one_rung_down, stay
from wlnn.ladder.movers import Visit, mover_of
from wlnn.ladder.rungs import untilted
from wlnn.ladder.samples import Samples
from wlnn.ladder.state import ASCENT, DESCENT, DONE, PILOT, RUN, Ladder
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import kinks, least_squares
from wlnn.settings.ladder import LadderSettings

N, SHARP, SLOPE = 20, 10, 3.0
GRID = Grid(Axis.of_width("x", -1.5, 0.0, 0.3), Axis.single())
SETTINGS = LadderSettings(
    ladders=1, steps=500_000, x_low=-1.4, dt=0.05, dt_cap=0.05, friction=0.1, thermostat_every=1,
    stretch=50, sample_every=10, descent=600, pilot=12, draws=1000,
)  # fmt: skip
# nats of S: all is 80 nats wide, from ln L = 4 of the draws, and temperatures may be 1.5 % too high
CLOSE = 1.5
PROBLEM = kinks.problem(N, SHARP, SLOPE)


def stop():
    return np.zeros(1, np.uint8)


def same(a, b):
    """Whether two states hold the same bits."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def errors(**options):
    """S of the rows less the exact one, what is told of temperatures, and the diagnostics."""
    settings = replace(SETTINGS, **options)
    found = ladder_run.sample(PROBLEM, settings, grid=GRID)
    below = kinks.ln_share(N, SHARP, SLOPE, GRID.x.edges)
    exact = below[1:] + np.log1p(-np.exp(below[:-1] - below[1:]))
    temperatures = [text for text in found.meta["rungs"]["warnings"] if "temperature" in text]
    return found.marginal_entropy().value - exact, temperatures, found.meta["rungs"]


def test_the_share_of_the_box_is_that_of_draws():
    x = np.log([0.5, 0.8])
    theta = np.random.default_rng(0).uniform(-1, 1, (200_000, 3))
    found, *_ = kinks.problem(3, 1, 2.0).evaluate(np, theta)
    for value in x:
        share = np.exp(kinks.ln_share(3, 1, 2.0, value))
        assert (found < value).mean() == pytest.approx(share, abs=4 * np.sqrt(share / len(theta)))


# whole runs


def test_a_loss_with_kinks_is_sampled_at_temperature_1():
    difference, hot, rungs = errors(ladders=2, steps=1_000_000)
    assert np.abs(difference).max() < CLOSE
    assert not hot
    assert max(max(ladder["halved"]) for ladder in rungs["ladders"]) >= 2
    words = dict(diagnostics.in_words(rungs))
    assert words["time step"].startswith("down to 1/")


def never_halved(patch):
    """The rule of one time step for all rungs, c / sqrt(beta)."""
    patch.setattr(heat, "SURE", np.inf)


def never_applied(patch):
    """Halvings are counted, and motion does not know of them."""
    right = heat.time_steps
    none = np.zeros(0, int)
    for module in (units, descent):
        patch.setattr(
            module, "time_steps", lambda mover, rungs, _, y=0.0: right(mover, rungs, none, y)
        )
    for module in (units, heat):
        patch.setattr(
            module, "halving", lambda ladder, which: ladder._replace(halved=ladder.slow + which)
        )


def of_the_wrong_rung(patch):
    """Halved is the time step at the other end of the ladder."""
    right = heat.halving
    for module in (units, heat):
        patch.setattr(module, "halving", lambda ladder, which: right(ladder, which[::-1]))


@pytest.mark.parametrize("mutant", [never_halved, never_applied, of_the_wrong_rung])
def test_wrong_time_steps_are_caught(mutant, monkeypatch):
    mutant(monkeypatch)
    difference, hot, _ = errors(ladders=1)
    assert hot
    assert not np.abs(difference).max() < CLOSE


@pytest.mark.parametrize("name", ["sphere", "few_rows"])
def test_sound_ladders_keep_the_time_step_of_all(name):
    problem = least_squares.CASES[name]().problem
    settings = replace(SETTINGS, friction=0.02, dt=0.4, x_low=-2.0, steps=60_000)
    mover = mover_of(problem, settings)
    ladder = begin(mover, settings, 0, stop())
    while ladder.phase != DONE:
        ladder = units.advance(mover, settings, ladder, stop())
    assert not ladder.halved.size
    assert not ladder.stayed
    assert same(ladder.dt[1:], mover.time_step(ladder.rungs.beta, 0.0, 0.0)[1:])


# units


def ladders_until(wanted, settings=SETTINGS, numbers=(0,)):
    """The mover, and ladders with what moves a unit further until ``wanted`` is so of the first."""
    mover = mover_of(PROBLEM, settings)
    ladders = [begin(mover, settings, number, stop()) for number in numbers]
    while not wanted(ladders[0]):
        ladders = units.advance_all(mover, settings, ladders, stop())
    return mover, ladders


def staying(ladder):
    """Whether it is in the middle of stays that are made again, with a shorter time step."""
    return ladder.record[0] > 1 and ladder.slow.any()


SHARPER = replace(SETTINGS, dt=0.2, descent=900)  # too long by far: stays are halved in descents


def test_stays_are_made_again_with_half_the_time_step_and_leave_it_to_the_next_rung():
    mover, (ladder,) = ladders_until(staying, SHARPER)
    assert ladder.phase == DESCENT
    k = ladder.rungs.n - 1
    halvings = ladder.slow[k]
    assert ladder.dt[k] == mover.time_step(ladder.rungs.beta, 0.0, 0.0)[k] / 2**halvings
    while ladder.rungs.n - 1 == k:
        before, ladder = ladder, units.advance(mover, SHARPER, ladder, stop())
    assert ladder.slow[k + 1] == ladder.slow[k] == before.slow[k] >= halvings
    assert ladder.record[0] == 0
    assert stay(SHARPER, 2) == 4 * stay(SHARPER)
    assert stay(SHARPER, 6) == 8 * stay(SHARPER)


def test_a_repeated_stay_has_the_same_bits_after_a_stop_and_from_its_checkpoint(tmp_path):
    mover, (ladder,) = ladders_until(staying, SHARPER)
    now = stop()
    now[0] = 1
    assert units.advance(mover, SHARPER, ladder, now) is None
    checkpoints.save_ladder(tmp_path, ladder)
    again = checkpoints.load_ladder(tmp_path, 0, N)
    assert same(again, ladder)
    for _ in range(5):
        ladder = units.advance(mover, SHARPER, ladder, stop())
        again = units.advance(mover_of(PROBLEM, SHARPER), SHARPER, again, stop())
        assert same(again, ladder)


def test_a_run_that_is_killed_while_a_stay_is_repeated_goes_on_with_the_same_bits(
    tmp_path, monkeypatch
):
    settings, real = replace(SHARPER, steps=300_000), units.advance_all
    whole = ladder_run.sample(PROBLEM, settings, grid=GRID)

    def advance(mover, settings, states, flag):
        if staying(states[0]):
            flag[0] = 1  # as Ctrl-C does
        return real(mover, settings, states, flag)

    monkeypatch.setattr(ladder_run.units, "advance_all", advance)
    with pytest.raises(Interrupted):
        ladder_run.sample(PROBLEM, settings, tmp_path / "run", grid=GRID)
    monkeypatch.setattr(ladder_run.units, "advance_all", real)
    found = ladder_run.sample(PROBLEM, settings, tmp_path / "run", grid=GRID)
    assert same(found.entropies, whole.entropies)
    assert found.meta["rungs"] == whole.meta["rungs"]


def test_several_ladders_at_once_stay_as_each_alone():
    """One stays in its rung while another goes on."""
    settings = replace(SHARPER, ladders=3, heated=1)
    mover, together = ladders_until(lambda ladder: ladder.phase == PILOT, settings, (0, 2))
    for ladder in together:
        alone = begin(mover, settings, ladder.number, stop())
        while (alone.phase, alone.steps) != (ladder.phase, ladder.steps):
            alone = units.advance(mover, settings, alone, stop())
        assert same(alone, ladder)


def test_blocks_halve_the_time_steps_that_one_worker_halves():
    mover, (ladder,) = ladders_until(lambda ladder: ladder.phase == RUN)
    whole = ladder
    while same(whole.halved, ladder.halved):
        whole = units.advance(mover, SETTINGS, whole, stop())
    while ladder.unit < whole.unit:
        blocks = blocks_of(SETTINGS, ladder, 3, whole.unit - ladder.unit)
        while not all(ended(block) for block in blocks):
            k = next(k for k, block in enumerate(blocks) if ready(block).any())
            blocks[k] = advance_block(mover, SETTINGS, blocks[k], 10.0, stop())
            for other in range(3):
                if other != k:
                    blocks[k], blocks[other] = met(SETTINGS, blocks[k], blocks[other])
        ladder = joined_blocks(mover, SETTINGS, ladder, blocks)
    assert same(ladder, whole)


def test_checkpoints_of_earlier_versions_have_no_halvings(tmp_path):
    _, (ladder,) = ladders_until(lambda ladder: ladder.phase == DESCENT)
    checkpoints.save_ladder(tmp_path, ladder)
    path = store.checkpoint_path(tmp_path, 0)
    arrays, meta = store.load(path)
    store.save(path, {k: v for k, v in arrays.items() if k not in checkpoints.LATER}, meta)
    assert same(checkpoints.load_ladder(tmp_path, 0, N), ladder)


def test_what_falls_is_hot_and_keeps_its_time_step():
    """A walker high above its rung of a smooth loss: no time step heats, U becomes velocity."""
    problem = least_squares.sphere(400).problem
    settings = replace(SETTINGS, friction=0.001, dt=1.0, x_low=-2.0, descent=150)
    mover = mover_of(problem, settings)
    ladder = begin(mover, settings, 0, stop())
    ladder = ladder._replace(
        rungs=untilted([2000.0]), dt=mover.time_step(np.array([0.0, 2000.0]), 0.0, 0.0)
    )
    seen = []
    while ladder.rungs.n == 2 and ladder.phase == DESCENT:
        ladder = units.advance(mover, settings, ladder, stop())
        seen.append(ladder.record[0])
    assert max(seen) > 1  # it stayed until it had come down, ...
    assert ladder.phase == ASCENT  # ... and goes up again, as it fell
    assert not ladder.halved.any()
    assert ladder.reached[0] == pytest.approx(np.log(200 / 2000), abs=0.3)


def test_without_the_balance_of_energies_what_falls_is_taken_for_heat(monkeypatch):
    right = heat.heat
    monkeypatch.setattr(heat, "heat", lambda *given: right(*given[:-1], 0.0))
    with pytest.raises(AssertionError, match="halved"):
        test_what_falls_is_hot_and_keeps_its_time_step()


def test_heat_is_what_energies_and_friction_do_not_explain():
    settings = replace(SETTINGS, friction=0.01)
    found, error = heat.heat(settings, 100, 1000, 100.0, -100.0)  # T = 1.1; U fell by 100
    assert found == pytest.approx(0.0)
    assert error == pytest.approx(np.sqrt(2 * 1.1 / 1000))
    assert heat.heat(settings, 100, 1000, 100.0, 0.0)[0] == pytest.approx(0.1)


def test_chance_is_not_taken_for_heat():
    """Velocities of the thermostat alone, one degree of freedom per parameter and forgetting."""
    rng, settings = np.random.default_rng(0), replace(SETTINGS, friction=0.02)
    for freedom, steps in ((3, 50), (10, 500), (400, 5000)):
        n = int(settings.friction * steps) * freedom
        temperatures = rng.chisquare(n, 200_000) / n
        assert (temperatures > heat.hottest(settings, freedom, steps)).mean() < 3e-4
    assert heat.hottest(settings, 10**6, 10**6) == 1 + heat.HOT


class Fallen:
    """A walker that is low already."""

    def time_step(self, beta, kappa, y):
        """Some."""
        return np.ones(np.shape(beta))


def sent(unit, visit):
    """What a unit returns that is sent the same visit again and again."""
    try:
        while True:
            unit.send([visit])
    except StopIteration as end:
        return end.value


@pytest.mark.parametrize("stayed", [0, 2])
def test_a_cooled_walker_that_fell_goes_up_by_close_rungs(stayed):
    settings = LadderSettings(ladders=1, x_low=-2.0)
    rungs = untilted(np.geomspace(1.0, 1e3, 3))
    k, none = rungs.n, Samples(*(np.zeros(0) for _ in Samples._fields))
    state = Ladder(
        0, DESCENT, 2, 0, 1000, 1.0, rungs, np.ones(k), np.arange(k), np.arange(k)[:, None] * 1.0,
        np.ones((k, 1)), np.zeros(k, bool), np.ones(k - 2), np.zeros(k - 2), 0, none, (),
        *(np.zeros((n, k)) for n in (2, 2, 3)), 0, stayed=stayed,
    )  # fmt: skip
    unit = one_rung_down(Fallen(), settings, state)
    walks, _ = next(unit)
    low = Visit(
        walks[0].theta, walks[0].v, *[np.full(9, -4.0)] * 3, np.ones(9), -np.ones(9), (-4.0, 0), 1
    )
    later = sent(unit, low)
    assert later.phase == (ASCENT if stayed else PILOT)
    if stayed:
        assert np.diff(np.log(later.rungs.beta[1:])).max() <= 0.3
        assert (later.theta == 3.0).all()  # the walker itself goes up
