"""Ladders: movers, units of work, whole runs, checkpoints, and what the user is told."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted
from wlnn.ladder import checkpoints, diagnostics, estimate, halving
from wlnn.ladder import ladder as units
from wlnn.ladder import run as ladder_run
from wlnn.ladder.descent import begin
from wlnn.ladder.movers import Langevin, MonteCarlo, mover_of
from wlnn.ladder.samples import Samples, gathered
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.reference.cases import box_loss, least_squares, maxnorm
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks import smooth
from wlnn.tasks.catalogue import load_task

N = 10
FEW = {
    "steps": 12_000, "ladders": 2, "x_low": -3.1, "dt": 0.4, "dt_cap": 0.05, "friction": 0.02,
    "thermostat_every": 1, "stretch": 20, "sample_every": 10, "descent": 90, "pilot": 6,
    "draws": 300, "seed": 3,
}  # fmt: skip
SHORT = LadderSettings(**FEW)
GRID = Grid(Axis.of_width("x", -3.2, -0.8, 0.2), Axis.single())


@pytest.fixture(scope="module")
def sphere():
    return least_squares.sphere(N).problem


@pytest.fixture(scope="module")
def result(sphere):
    return ladder_run.sample(sphere, SHORT, grid=GRID)


def stop():
    return np.zeros(1, np.uint8)


def same(a, b):
    """Whether two states hold the same bits."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


# movers


def test_langevin_motion_samples_the_rung():
    """x under exp(-beta |theta|^2 / n): 2 beta L is a chi-square of n degrees of freedom."""
    problem = least_squares.sphere(N).problem
    mover = Langevin(problem, replace(SHORT, sample_every=20))
    rng, beta = np.random.default_rng(1), 400.0
    theta, v = rng.normal(size=N) * np.sqrt(N / 2 / beta), rng.normal(size=N)
    dt = mover.time_step(beta, 0.0, 0.0)
    visit = mover.walk(beta, 0.0, dt, theta, v, 100_000, rng, stop())
    energy = 2 * beta * np.exp(visit.x)
    assert energy.mean() == pytest.approx(N, abs=0.3)
    assert energy.var() == pytest.approx(2 * N, rel=0.15)
    assert visit.kinetic == pytest.approx(1.0, abs=0.02)


def test_monte_carlo_samples_the_rung():
    """Maximum norm: density n r^(n - 1) of r = e^x, so U = beta r gives a gamma law cut at 1."""
    problem = maxnorm.problem(4)
    mover = MonteCarlo(problem, LadderSettings())
    rng, beta = np.random.default_rng(1), 30.0
    visit = mover.walk(beta, 0.0, 0.0, np.full(4, 0.1), np.zeros(0), 2_000_000, rng, stop())
    radii = np.exp(visit.x)
    assert np.average(radii, weights=visit.count) == pytest.approx(4 / beta, rel=0.02)
    assert visit.count.sum() == 2_000_000


def test_a_tilted_rung_pulls_y_down():
    """kappa stays below n / 2, where the point y = -infinity would win."""
    problem = least_squares.twin_spheres(N).problem
    mover = Langevin(problem, SHORT)
    means = []
    for kappa in (-3.0, 3.0):
        rng = np.random.default_rng(2)
        theta, v = rng.normal(size=N) * 0.3, rng.normal(size=N)
        visit = mover.walk(50.0, kappa, 0.02, theta, v, 20_000, rng, stop())
        means.append(visit.y[len(visit.y) // 4 :].mean())
    assert means[1] < means[0] - 0.3


def test_the_mover_is_that_of_the_problem(sphere):
    assert isinstance(mover_of(sphere, SHORT), Langevin)
    assert isinstance(mover_of(maxnorm.problem(4), SHORT), MonteCarlo)


def test_motion_by_the_training_rows_alone_is_the_same_motion(monkeypatch):
    """x, and y at samples, are those of all rows, to the rounding of single precision."""
    monkeypatch.setattr(smooth, "WORTH", 0)
    task = load_task("spiral-regress", width=6, points=20)
    problem = smooth.NetworkVariables(task).problem()
    assert problem.train_system is not None
    theta, visits = problem.start(np.random.default_rng(2), 1)[0], []
    for given in (problem, replace(problem, train_system=None)):
        mover = Langevin(given, replace(SHORT, sample_every=10, thermostat_every=5))
        rng = np.random.default_rng(5)
        v = rng.standard_normal(theta.size)
        visits.append(mover.walk(50.0, 0.0, 0.003, theta, v, 60, rng, stop()))
    assert visits[0].x.size == 6
    for name in ("theta", "v", "x", "y", "here", "kinetic"):
        assert getattr(visits[0], name) == pytest.approx(getattr(visits[1], name), abs=2e-4), name


def test_small_tasks_move_by_all_rows():
    task = load_task("spiral-regress", width=6, points=20)
    assert smooth.NetworkVariables(task).problem().train_system is None


def test_walks_change_nothing_that_they_are_given(sphere):
    for mover, theta in (
        (Langevin(sphere, SHORT), np.full(N, 0.1)),
        (MonteCarlo(maxnorm.problem(4), LadderSettings()), np.full(4, 0.1)),
    ):
        v = np.zeros(theta.size)
        given = theta.copy(), v.copy()
        mover.walk(10.0, 0.0, 0.01, theta, v, 100, np.random.default_rng(0), stop())
        assert same((theta, v), given)


# units


def test_a_unit_gives_the_same_bits_again_and_leaves_its_state_alone(sphere):
    mover = mover_of(sphere, SHORT)
    state = begin(mover, SHORT, 1, stop())
    while state.phase != units.RUN:
        state = units.advance(mover, SHORT, state, stop())
    first = units.advance(mover, SHORT, state, stop())
    again = units.advance(mover_of(sphere, SHORT), SHORT, state, stop())
    assert same(first, again)
    assert state.unit == 0
    assert first.unit == 1
    assert sorted(first.order) == list(range(state.rungs.n))


def test_a_stopped_unit_gives_nothing(sphere):
    mover, now = mover_of(sphere, SHORT), stop()
    state = begin(mover, SHORT, 0, now)
    now[0] = 1
    assert units.advance(mover, SHORT, state, now) is None
    assert begin(mover, SHORT, 0, now) is None


def test_a_missing_rung_is_inserted_where_exchanges_fail(sphere):
    mover = mover_of(sphere, SHORT)
    state = begin(mover, SHORT, 0, stop())
    while state.phase != units.RUN:
        state = units.advance(mover, SHORT, state, stop())
    state = units.advance(mover, SHORT, state, stop())
    poor = state._replace(tried=state.tried + 40, accepted=state.accepted + 40)
    poor.accepted[0, 2] = 1
    later = units._with_missing_rung(mover, SHORT, poor)
    k = state.rungs.n
    assert later.rungs.n == k + 1
    assert later.rungs.beta[2] < later.rungs.beta[3] < later.rungs.beta[4]
    assert sorted(later.order) == list(range(k + 1))
    for old, new in ((2, 2), (3, 4)):  # who was in a rung is there still, with its samples
        assert same(later.theta[later.order[new]], state.theta[state.order[old]])
        before, after = state.parts[0], later.parts[0]
        assert same(before.x[before.rung == old], after.x[after.rung == new])
    assert same(later.theta[later.order[3]], state.theta[state.order[3]])
    units.advance(mover, SHORT, later, stop())


def test_entries_of_one_bin_become_one():
    columns = np.array([[0, 0, 1], [2, 2, 2], [1, 1, 1], [0, 0, 0], [0, 0, 0], [3, 4, 5]])
    joined = gathered([Samples(*columns.astype(int), np.array([7, 7, 7]))])
    assert joined.count.tolist() == [7, 5]
    apart = gathered([Samples(*columns.astype(int), np.full(3, -1))])
    assert apart.count.tolist() == [3, 4, 5]


# runs


def test_a_run_finds_the_entropy_of_the_sphere(result):
    """S = n x / 2 + a constant inside the box; the volume of the ball gives the constant."""
    from math import lgamma, log, pi

    x = GRID.x.edges
    inside = x < -np.log(N)  # the ball of radius^2 = n e^x lies in the box
    ln_share = N / 2 * (log(pi) + np.log(N) + x) - lgamma(N / 2 + 1) - N * log(2)
    exact = np.log(np.diff(np.exp(ln_share)))[inside[1:]]
    found = result.marginal_entropy()
    assert exact.size
    assert found.value[: exact.size] == pytest.approx(exact, abs=0.8)
    assert (found.error[: exact.size] < 0.8).all()


def test_the_result_is_a_landscape_that_can_be_saved(result, tmp_path):
    path = result.save(tmp_path / "landscape.npz")
    again = Landscape.load(path)
    assert same(again.entropies, result.entropies)
    assert again.n_walkers == SHORT.ladders
    assert again.meta["gauge"] == "draws"
    assert again.meta["finished"]
    assert len(again.meta["rungs"]["ladders"]) == 2


def test_threads_change_no_bit(sphere, result):
    other = ladder_run.sample(sphere, SHORT, threads=2, grid=GRID)
    assert same(other.entropies, result.entropies)
    assert other.meta["rungs"] == result.meta["rungs"]


@pytest.mark.parametrize("stretches", [1, 2, 12])
def test_an_interrupted_run_goes_on_with_the_same_bits(
    sphere, result, tmp_path, monkeypatch, stretches
):
    """Also where it has hardly begun, and has no landscape."""
    calls, real = [], units.advance_all

    def advance(mover, settings, states, flag):
        calls.append(states[0].phase)
        if calls.count(units.RUN) == stretches:
            flag[0] = 1  # as Ctrl-C does
        return real(mover, settings, states, flag)

    monkeypatch.setattr(ladder_run.units, "advance_all", advance)
    with pytest.raises(Interrupted):
        ladder_run.sample(sphere, SHORT, tmp_path / "run", grid=GRID)
    monkeypatch.setattr(ladder_run.units, "advance_all", real)
    whole = ladder_run.sample(sphere, SHORT, tmp_path / "run", grid=GRID)
    assert same(whole.entropies, result.entropies)
    assert whole.meta["rungs"] == result.meta["rungs"]
    again = ladder_run.sample(sphere, SHORT, tmp_path / "run", grid=GRID)
    assert same(again.entropies, result.entropies)


def test_a_checkpoint_holds_every_bit(sphere, tmp_path):
    mover = mover_of(sphere, SHORT)
    state = begin(mover, SHORT, 1, stop())
    for _ in range(12):
        checkpoints.save_ladder(tmp_path, state)
        assert same(checkpoints.load_ladder(tmp_path, 1, N), state)
        state = units.advance(mover, SHORT, state, stop())


def test_checkpoints_of_something_else_are_refused(sphere, tmp_path):
    state = begin(mover_of(sphere, SHORT), SHORT, 1, stop())
    checkpoints.save_ladder(tmp_path, state)
    with pytest.raises(UserError, match="holds 10 parameters, this task has 11"):
        checkpoints.load_ladder(tmp_path, 1, 11)
    (tmp_path / "walker-001.npz").rename(tmp_path / "walker-000.npz")
    with pytest.raises(UserError, match="is not the checkpoint of ladder 0"):
        checkpoints.load_ladder(tmp_path, 0, N)


def test_a_window_out_of_reach_is_told_with_what_was_reached(sphere):
    deep = replace(SHORT, x_low=-9.0, rungs=4)
    with pytest.raises(
        UserError,
        match=r"ladder.x_low = -9 is out of reach.* after 4 rungs, at beta .* descent number 1",
    ):
        ladder_run.sample(sphere, deep, grid=GRID)


def test_too_few_steps_are_told_with_what_is_needed(sphere):
    with pytest.raises(UserError, match=r"ladder.steps = 1000: the spacing of .* at least"):
        ladder_run.sample(sphere, replace(SHORT, steps=1000), grid=GRID)


def test_a_time_step_that_diverges_is_told(sphere):
    mover, rng = mover_of(sphere, SHORT), np.random.default_rng(0)
    with pytest.raises(UserError, match=r"diverges with a time step .* ladder.dt smaller"):
        mover.walk(1e9, 0.0, 1.0, np.full(N, 0.5), np.zeros(N), 100, rng, stop())


def test_monte_carlo_ladders_give_absolute_entropies():
    """Maximum norm of 4 parameters: the share of the box with max norm below r is r^4."""
    problem = maxnorm.problem(4)
    settings = LadderSettings(
        ladders=2, steps=600_000, x_low=-1.5, draws=20_000, descent=6000, stretch=1000,
        sample_every=20, pilot=6,
    )  # fmt: skip
    found = ladder_run.sample(problem, settings).marginal_entropy()
    edges = np.exp(np.minimum(problem.grid.x.edges, 0.0))
    exact = np.log(np.maximum(np.diff(edges**4), 1e-300))
    rows = (found.x > -1.5) & found.reliable & (exact > -600)
    assert rows.sum() > 3
    assert found.value[rows] == pytest.approx(exact[rows], abs=0.3)


# what is told


def sound():
    return {
        "ladders": [
            {
                "beta": [0.0, 1.0, 2.0],
                "temperature": [None, 1.01, 0.99],
                "temperature_error": [None, 0.01, 0.01],
                "acceptance": [0.4, 0.3],
                "overlap": [0.2, 0.2],
                "descents": 1,
            }
            for _ in range(2)
        ],
        "dropped": 0.1,
        "halves": {"x": [0.0], "difference": [0.1], "agree": True},
        "warnings": [],
    }


def test_sound_ladders_have_no_warnings():
    assert diagnostics.warnings(sound()) == []


def test_every_fault_has_its_sentence():
    hot = sound()
    hot["ladders"][1]["temperature"][2] = 1.05
    assert (
        "ladder 1: 1 of its rungs not at temperature 1, worst 1.050" in diagnostics.warnings(hot)[0]
    )
    gap = sound()
    gap["ladders"][0]["overlap"][1] = 0.01
    assert "overlap by 0.010 only" in diagnostics.warnings(gap)[0]
    apart = sound()
    apart["halves"] |= {"agree": False, "difference": [3.0]}
    assert "differ by up to 3 nats" in diagnostics.warnings(apart)[0]
    single = sound() | {"ladders": sound()["ladders"][:1]}
    assert "no error bars" in diagnostics.warnings(single)[0]
    words = " ".join(f"{name} {text}" for name, text in diagnostics.in_words(sound()))
    assert "3 a ladder, beta up to 2" in words
    assert "35% accepted, 30% at least" in words


def test_halves_that_drift_are_dropped_until_they_agree():
    rng = np.random.default_rng(0)
    drifted = rng.normal(scale=0.2, size=(2, 4, 12))
    drifted[1] += 3.0
    difference, error = halving.disagreement(drifted)
    assert (np.abs(difference) > 2 * error).all()
    difference, error = halving.disagreement(rng.normal(scale=0.2, size=(2, 4, 12)))
    assert (np.abs(difference) < 4 * error).all()
    assert np.isinf(halving.disagreement(drifted[:, :1])[1]).all()


@pytest.mark.parametrize(("most", "expected"), [(0.5, 6), (0.2, 4), (0.0, 0)])
def test_a_prefix_is_dropped_until_the_halves_agree(monkeypatch, most, expected):
    """Six of twenty slices are out of equilibrium: they go, as far as the settings allow it."""

    def halves(ladders, samples, grid, dropped):
        both = np.random.default_rng(0).normal(scale=0.2, size=(2, 4, 12))
        both[0] += 5.0 * (dropped < 6)
        return both

    monkeypatch.setattr(halving, "halves", halves)
    dropped, _, agree, _ = halving.burn_in([], [], GRID, most)
    assert dropped == expected
    assert agree == (most == 0.5)


def test_heated_ladders_begin_with_a_trained_network_and_find_the_same(sphere):
    settings = replace(SHORT, ladders=3, heated=1)
    mover = mover_of(sphere, settings)
    state = begin(mover, settings, 2, stop())
    phases = set()
    while state.phase != units.PILOT:
        phases.add(state.phase)
        state = units.advance(mover, settings, state, stop())
    assert phases == {units.DESCENT, units.ASCENT}
    found = ladder_run.sample(sphere, settings, grid=GRID)
    assert found.meta["rungs"]["starts"]["agree"]


def test_monte_carlo_has_no_heated_ladders():
    settings = LadderSettings(**{**FEW, "heated": 1, "x_low": -0.5, "stretch": 100})
    with pytest.raises(UserError, match=r"ladder.heated needs a gradient"):
        ladder_run.sample(maxnorm.problem(4), settings)


def test_two_kinds_of_starts_that_differ_are_told():
    rng = np.random.default_rng(0)
    marginals = rng.normal(scale=0.3, size=(5, 20))
    assert estimate.two_starts(marginals, 2)[1]
    # four ladders, one of them heated, of which S scatters by 1 nat as a whole
    shifted = rng.normal(size=(200, 4, 1)) + rng.normal(scale=0.1, size=(200, 4, 20))
    alarms = sum(not estimate.two_starts(each, 1)[1] for each in shifted)
    assert alarms <= 4  # 0.2 are expected
    marginals[-2:] += 5.0
    difference, agree = estimate.two_starts(marginals, 2)
    assert not agree
    assert difference.mean() == pytest.approx(5.0, abs=0.3)
    apart = sound() | {"starts": {"largest": 5.0, "agree": False}}
    assert "no number of this landscape can be believed" in diagnostics.warnings(apart)[0]
    assert ("two kinds of starts", "DISAGREE: heated ladders differ by 5 nats at most") in (
        diagnostics.in_words(apart)
    )


def test_the_definition_moves_a_problem_without_compiled_form():
    """The NumPy walk and the compiled one take the same steps from the same stream."""
    problem = least_squares.sphere(N).problem
    visits = []
    for given in (problem, replace(problem, system=None)):
        rng = np.random.default_rng(5)
        theta, v = np.full(N, 0.1), np.ones(N)
        visits.append(Langevin(given, SHORT).walk(50.0, 0.0, 0.02, theta, v, 40, rng, stop()))
    assert visits[0].x == pytest.approx(visits[1].x, rel=1e-9)
    assert visits[0].here == pytest.approx(visits[1].here, rel=1e-9)


def test_a_descent_that_is_caught_begins_again_with_another_draw():
    """The upper of two wells lies above x_low: whoever is caught there tries again."""
    problem = box_loss.double_well()
    settings = LadderSettings(**{**FEW, "ladders": 6, "x_low": -2.0, "dt": 0.03, "descent": 90})
    mover = mover_of(problem, settings)
    caught = []
    for number in range(6):
        state = begin(mover, settings, number, stop())
        while state.phase == units.DESCENT:
            state = units.advance(mover, settings, state, stop())
        assert state.reached[-1] < settings.x_low
        assert state.reached.size == state.rungs.n - 1
        caught.append(state.caught)
    assert max(caught) > 0
