"""Rungs off the ridge: how far they go, what ends an arm, and the density of all samples."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.ladder import halving, joint
from wlnn.ladder import ladder as units
from wlnn.ladder.descent import begin
from wlnn.ladder.exchange import TURN
from wlnn.ladder.movers import Visit, mover_of
from wlnn.ladder.rungs import untilted, with_tilted
from wlnn.ladder.samples import Samples
from wlnn.ladder.state import DONE, PILOT, RUN, TILT, Ladder
from wlnn.ladder.tilt import arms, depth, in_view, is_open
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join_all
from wlnn.landscape.landscape import Landscape
from wlnn.reference.cases import least_squares
from wlnn.settings.ladder import LadderSettings
from wlnn.settings.tables import Settings

SETTINGS = LadderSettings(depth=12, steps=10_000_000, descent=3000, seed=5)
VIEW = Grid(Axis("x", -3.0, 0.0, 30), Axis("y", -6.0, 1.0, 70))
SD, MEAN = 0.2, -1.0  # of y in every row, at kappa = 0


class Normal:
    """A mover whose y has the law N(MEAN - kappa SD^2, SD^2), whatever the row; x is at -1."""

    n_parameters, window = 1, VIEW

    def time_step(self, beta, kappa, y):
        """There is none."""
        return np.zeros(np.shape(beta))

    def y(self, walk):
        """Samples of the law."""
        return walk.rng.normal(MEAN - walk.kappa * SD**2, SD, 2000)

    def walks(self, walks, steps, stop):
        """The samples of each."""
        return [
            Visit(
                w.theta, w.v, 0 * y - 1.0, y, 0 * y, np.ones(y.size), np.full(y.size, -1), (0, 0), 1
            )
            for w, y in ((walk, self.y(walk)) for walk in walks)
        ]


def begun(rows=4, deviation=SD):
    """A ladder behind its pilot, with a few rows."""
    rungs = untilted(np.arange(1.0, rows + 1))
    k = rungs.n
    none = Samples(*(np.zeros(0) for _ in Samples._fields))
    return Ladder(
        0, TILT, 0, 0, 1000, 1.0, rungs, np.zeros(k), np.arange(k), np.zeros((k, 1)),
        np.zeros((k, 0)), np.zeros(k, bool), np.full(k, deviation), np.full(k, MEAN), 0, none, (),
        *(np.zeros((n, k)) for n in (2, 2, 3)), 0,
    )  # fmt: skip


def tilted(mover, ladder, settings=SETTINGS):
    """The ladder when its run begins, and its state before."""
    before = ladder
    while ladder.phase == TILT:
        before, ladder = ladder, units.advance(mover, settings, ladder, np.zeros(1, np.uint8))
    return before, ladder


def test_every_second_row_is_tilted_to_the_depth_on_both_sides():
    """At kappa = n / SD the law has fallen by n^2 / 2 nats: five or six rungs reach 12."""
    _, ladder = tilted(Normal(), begun())
    assert ladder.phase == RUN
    turn = 4 * (4 * 100 + 1) + 100 * np.count_nonzero(ladder.rungs.tilt)
    assert ladder.units == 4 * (SETTINGS.steps - ladder.steps) // turn
    assert set(ladder.rungs.row[ladder.rungs.tilt != 0]) == {1, 3}
    for arm in arms(ladder._replace(reached=ladder.rungs.kappa)):
        kappa = ladder.rungs.kappa[arm.rungs]
        assert arm.side * kappa[-1] * SD == pytest.approx(np.sqrt(2 * 12), abs=1.1)
        assert np.diff(arm.side * kappa) * SD == pytest.approx(1.0, abs=0.15)
        assert (ladder.rungs.beta[arm.rungs] == ladder.rungs.beta[arm.rungs[0]]).all()


def test_the_depth_of_a_branch_is_that_of_the_law():
    before, _ = tilted(Normal(), begun())
    for arm in arms(before):
        y = before.reached[arm.rungs[-1]]
        assert depth(before, arm) == pytest.approx((y - MEAN) ** 2 / 2 / SD**2, rel=0.1)


def test_the_shortest_branch_goes_on():
    ladder = begun()
    for _ in range(8):
        ladder = units.advance(Normal(), SETTINGS, ladder, np.zeros(1, np.uint8))
    assert sorted(abs(ladder.rungs.tilt[-8:])) == [1] * 4 + [2] * 4


def test_a_walker_that_does_not_move_ends_its_branch():
    class Stuck(Normal):
        def y(self, walk):
            return walk.rng.normal(MEAN, SD, 2000)

    _, ladder = tilted(Stuck(), begun())
    assert abs(ladder.rungs.tilt).max() <= 3


def test_a_branch_ends_at_the_edge_of_the_window():
    class Window(Normal):
        window = Grid(VIEW.x, Axis("y", MEAN - 2.5 * SD, 1.0, 10))

    _, ladder = tilted(Window(), begun())
    assert ladder.rungs.tilt.max() == 3  # the first beyond is of use to the bins before it
    assert ladder.rungs.tilt.min() <= -5
    assert in_view(VIEW, -3.2, MEAN)
    assert not in_view(VIEW, -3.5, MEAN)
    assert not in_view(VIEW, 0.5, MEAN)
    assert not in_view(VIEW, -1.0, -6.5)


def test_a_y_that_never_changes_has_no_branches():
    settings = replace(SETTINGS, steps=100_000)
    ladder = units._tilted(settings, begun(deviation=0.0))
    assert ladder.phase == RUN
    assert ladder.rungs.n == 5


def test_too_few_steps_for_any_rung_leave_the_ridge_alone():
    ladder = units._tilted(replace(SETTINGS, steps=30_000), begun())
    assert ladder.phase == RUN
    assert ladder.rungs.n == 5
    assert ladder.units > ladder.unit


# the joint density: L = e^x and y uniform in [0, 1] and independent, U = beta L + kappa y


def draws(rng, slope, n):
    """Exact draws of exp(-slope z) in [0, 1]."""
    if abs(slope) < 1e-9:
        return rng.random(n)
    if slope < 0:
        return 1.0 - draws(rng, -slope, n)
    return -np.log1p(-rng.random(n) * (1 - np.exp(-slope))) / slope


def exact_f(slope):
    """-ln of the integral of exp(-slope z) over [0, 1]."""
    return 0.0 if abs(slope) < 1e-9 else -np.log(-np.expm1(-slope) / slope)


def unit_square(betas=(2.0, 6.0, 15.0), kappas=(5.0, 15.0, 40.0, 100.0), n=5000, seed=1):
    """A ladder on the unit square with exact samples of every rung."""
    rungs = untilted(betas)
    for row, beta in list(enumerate(betas, start=1))[::2]:
        for side in (1, -1):
            for tilt, kappa in enumerate(kappas, start=1):
                rungs = with_tilted(rungs, beta, side * kappa, row, side * tilt)
    rng, parts = np.random.default_rng(seed), []
    for k in range(rungs.n):
        x, y = np.log(draws(rng, rungs.beta[k], n)), draws(rng, rungs.kappa[k], n)
        parts.append((np.zeros(n), np.full(n, k), x, y, 0 * x, np.ones(n), np.full(n, -1)))
    columns = [np.concatenate(column) for column in zip(*parts, strict=True)]
    samples = Samples(*columns)._replace(rung=columns[1].astype(int))
    top = samples.rung == 0
    ladder = begun()._replace(rungs=rungs, draws=Samples(*(column[top] for column in samples)))
    return ladder, Samples(*(column[~top] for column in samples))


def test_free_energies_of_rows_and_branches_are_exact():
    ladder, samples = unit_square()
    rungs = ladder.rungs
    f, totals = joint.free_energies(rungs, joint.together([ladder.draws, samples]))
    wanted = [exact_f(b) + exact_f(k) for b, k in zip(rungs.beta, rungs.kappa, strict=True)]
    assert f == pytest.approx(np.array(wanted), abs=0.15)
    assert (totals == 5000).all()


def test_the_weights_are_those_of_the_box_far_off_the_ridge_too():
    found = joint.joined(*unit_square())
    w, x, y = np.exp(found.ln_w), found.samples.x, found.samples.y
    assert w.sum() == pytest.approx(1.0, abs=0.02)
    for low, high in ((0.0, 0.01), (0.3, 0.6), (0.99, 1.0)):
        inside = (y >= low) & (y < high)
        assert w[inside].sum() == pytest.approx(high - low, rel=0.1)
        corner = inside & (x < np.log(0.05))
        assert w[corner].sum() == pytest.approx(0.05 * (high - low), rel=0.15)
    assert found.overlaps.min() > 0.05
    assert found.tilted.sum() == 16


def test_what_lies_behind_a_gap_is_left_out():
    """A rung that does not overlap with its arm would take the weights of all with it."""
    ladder, samples = unit_square(kappas=(5.0, 15.0, 1e9))
    found = joint.joined(ladder, samples)
    assert (found.overlaps == 0).sum() == 4
    assert found.samples.x.size == 5000 * (ladder.rungs.n - 4)
    assert np.exp(found.ln_w).sum() == pytest.approx(1.0, abs=0.02)
    assert np.exp(found.ln_w)[found.samples.y < 0.1].sum() == pytest.approx(0.1, rel=0.06)


# settings


def test_runs_from_before_there_was_a_depth_are_what_they_were():
    assert Settings().with_values({"ladder": {"tilts": 0}}) == Settings()
    assert LadderSettings().identity()["tilts"] == 0
    assert "depth" not in LadderSettings().identity()
    assert LadderSettings(depth=3).identity()["depth"] == 3
    with pytest.raises(UserError, match=r"there is no ladder\.tilts"):
        Settings().with_values({"ladder": {"tilts": 3}})


QUICK = LadderSettings(
    steps=30_000, ladders=1, x_low=-2.5, dt=0.4, dt_cap=0.05, friction=0.02, stretch=10,
    thermostat_every=1, sample_every=5, descent=60, pilot=6, draws=200, depth=2, seed=3,
)  # fmt: skip


def test_rungs_off_the_ridge_come_when_the_ridge_is_settled():
    """Half of the steps are made without them; then the run goes on, with all samples of before."""
    problem, settings = least_squares.twin_spheres(6).problem, QUICK
    mover = mover_of(problem, settings, window=VIEW)
    ladder = begin(mover, settings, 0, np.zeros(1, np.uint8))
    phases, units_at, steps_at = [], {}, {}
    while ladder.phase != DONE:
        before, ladder = ladder, units.advance(mover, settings, ladder, np.zeros(1, np.uint8))
        if ladder.phase != before.phase:
            phases.append(ladder.phase)
            units_at[ladder.phase], steps_at[ladder.phase] = ladder.unit, ladder.steps
    assert phases == [PILOT, RUN, TILT, RUN, DONE]
    assert steps_at[TILT] == pytest.approx(15_000, rel=0.02)
    assert ladder.steps == pytest.approx(30_000, rel=0.02)
    assert units_at[RUN] == units_at[DONE] - (ladder.units - units_at[RUN]) > 0
    slices = np.concatenate([part.slice for part in ladder.parts])
    rungs = np.concatenate([part.rung for part in ladder.parts])
    aside = ladder.rungs.tilt[rungs] != 0
    first = units_at[RUN] * 20 // ladder.units
    assert slices[~aside].min() == 0
    assert abs(slices[aside].min() - first) <= 1
    assert slices.max() == 19


@pytest.mark.parametrize("steps", [6000, 8000])
def test_few_steps_make_arms_shorter_and_not_the_run_void(steps):
    """All of them evenly, and each rung has as many turns as a run has at least."""
    problem = least_squares.twin_spheres(6).problem
    settings = replace(QUICK, depth=500, steps=steps)
    mover = mover_of(problem, settings, window=VIEW)
    ladder = begin(mover, settings, 0, np.zeros(1, np.uint8))
    while ladder.phase != DONE:
        before, ladder = ladder, units.advance(mover, settings, ladder, np.zeros(1, np.uint8))
        if before.phase == TILT and ladder.phase == RUN:
            made, begun_at = before, ladder.unit
    assert ladder.units - begun_at >= units.LEAST * TURN
    assert ladder.units - begun_at < 1.2 * units.LEAST * TURN
    assert ladder.steps <= steps * 1.02
    lengths = [len(arm.rungs) for arm in arms(made) if is_open(settings, made, arm)]
    assert lengths
    assert max(lengths) - min(lengths) <= 1
    assert (ladder.tried[1][ladder.rungs.tilt != 0] > 0).any()


def test_what_halves_differ_by_off_the_ridge_is_an_error_there(monkeypatch):
    """Four bins of a row, 0, 2, 5 and 20 nats below its highest; the last, one ladder saw twice."""
    ladder = begun()._replace(rungs=with_tilted(untilted([1.0]), 1.0, 1.0, 1, 1))
    own = Samples(np.arange(10, 20), np.full(10, 2), *(np.zeros(10) for _ in range(5)))
    early = np.array([[0.0, -2.0, -5.0, np.nan]])
    late = np.array([[[0.0, -1.0, -4.0 + 0.1 * sign, np.nan]] for sign in (1, -1, 1, -1)])
    early_of_each = np.repeat(early[None], 4, 0)
    early_of_each[0, 0, 3] = late[0, 0, 3] = -20.0
    parts = {10: iter(early_of_each), 15: iter(late)}
    monkeypatch.setattr(halving, "by_progress", lambda _: own)
    monkeypatch.setattr(
        halving, "joined", lambda _, part: joint.Joint(part, part.x, np.zeros(0), np.zeros(0))
    )
    monkeypatch.setattr(
        halving, "binned", lambda grid, part, ln_w: (next(parts[part.slice.min()]),)
    )
    entropies = np.array([[[0.0, -2.0, -5.0, -20.0]]] * 4)
    lag = halving.lag(VIEW, [ladder] * 4, entropies)
    error = 0.1 * np.sqrt(4 / 3) / 2  # of four differences 1.1, 0.9, 1.1, 0.9
    np.testing.assert_allclose(lag, [[0.0, 0.0, 1.0 + error, np.nan]])
    untouched = halving.lag(VIEW, [begun()] * 4, entropies)
    assert untouched.size == 0


def test_a_lag_is_part_of_the_error_and_is_kept(tmp_path):
    entropies = np.array([[[0.0, -5.0]], [[0.0, -5.2]]])
    lag = np.array([[0.0, 2.0]])
    grid = Grid(Axis("x", -1.0, 0.0, 1), Axis("y", 0.0, 1.0, 2))
    visits, sure = np.ones((1, 2), np.int64), np.ones((1, 2), bool)
    meta = {"unit": "ladder", "sampler": "ladder", "seeds": {"seed": 0, "ladders": [0, 1]}}
    one = Landscape(grid, entropies, visits, sure, meta, lag=lag)
    np.testing.assert_allclose(one.error, [[0.0, np.hypot(0.1, 2.0)]])
    again = Landscape.load(one.save(tmp_path / "landscape.npz"))
    np.testing.assert_array_equal(again.lag, lag)
    np.testing.assert_array_equal(again.error, one.error)
    other = replace(one, meta={**meta, "seeds": {"seed": 1, "ladders": [0, 1]}}, lag=2 * lag)
    merged, _ = join_all([one, other], ["a", "b"])
    np.testing.assert_array_equal(merged.lag, 1.5 * lag)
