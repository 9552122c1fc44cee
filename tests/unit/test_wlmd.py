"""One round of molecular dynamics: the two texts agree, walkers unite, and a lost one is undone."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.tasks.datasets import spiral_classify, spiral_regress
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import driver as wlmd_kernels
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.estimators import entropy, reliable
from wlnn.wlmd.schedule import PaperRamp
from wlnn.wlmd.surface import A0, Walls, deposit, make_surface, slope, wall_slope

GRID = Grid(Axis.of_width("x", -7.0, 2.0, 0.05), Axis.of_width("y", -7.0, 3.0, 0.05))
LINE = Grid(Axis.of_width("x", -7.0, 2.0, 0.05), Axis.single())
WALLS = Walls(-4.0, -0.5, -4.0, 1.0, 50.0, 100.0)


def generators(seed):
    return lambda walker: np.random.default_rng([seed, walker])


def quadratic(two_losses=True):
    return wlmd_cases.twin_quadratic(two_losses)


def make(problem, grid=GRID, walkers=1, dt=0.01, friction=0.01, every=3, **options):
    surface = make_surface(grid, 0.2, WALLS, **options)
    motion = wlmd.make_motion(problem, dt, friction, every)
    return surface, motion, wlmd.start(problem, surface, walkers, np.random.default_rng(0))


@pytest.mark.parametrize(("grid", "mirror"), [(GRID, False), (LINE, False), (LINE, True)])
def test_compiled_surface_is_the_definition(grid, mirror):
    surface = make_surface(grid, 0.2, WALLS, mirror=mirror)
    rng = np.random.default_rng(0)
    table, other = np.zeros(grid.shape), np.zeros(grid.shape)
    along_x, along_y = np.empty(grid.x.n), np.empty(grid.y.n)
    for x, y in zip(rng.uniform(-7.5, 2.5, 60), rng.uniform(-7.5, 3.5, 60), strict=True):
        deposit(np, table, surface, np.array([x]), np.array([y]), 0.3)
        wlmd_kernels.deposit(other, surface, x, y, 0.3, along_x, along_y)
        ux, uy = slope(np, table, surface, np.array([x]), np.array([y]))
        vx, vy = wall_slope(np, WALLS, np.array([x]), np.array([y]))
        found = wlmd_kernels.slope(table, surface, x, y)
        np.testing.assert_allclose(found, (ux[0] + vx[0], uy[0] + vy[0]), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(other, table, rtol=1e-11, atol=1e-13)
    assert table.max() > 0


@pytest.mark.parametrize("integrator", ["baoab", "boa"])
@pytest.mark.parametrize("two_losses", [True, False])
def test_compiled_walk_is_the_definition(integrator, two_losses):
    """An exact case in double precision: the same path over 300 steps, walls and box included."""
    problem = quadratic(two_losses)
    surface, motion, state = make(problem, GRID if two_losses else LINE)
    motion = motion._replace(half_drifts=int(integrator == "baoab"))
    f = np.full(300, 100.0)
    slow = wlmd.advance(problem, surface, motion, state, f, generators(1))
    fast = wlmd.advance(
        problem, surface, motion, state, f, generators(1), [problem.gradient_system()]
    )
    np.testing.assert_allclose(fast.traces, slow.traces, rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(fast.state.table, slow.state.table, rtol=1e-6, atol=1e-9)
    np.testing.assert_array_equal(fast.state.visits, slow.state.visits)
    assert fast.state.table.sum() * surface.x_per_bin**-2 > 0


@pytest.mark.parametrize("kind", ["regression", "accuracy"])
def test_compiled_walk_of_a_network_is_the_definition(kind):
    if kind == "regression":
        network = FNN((2, 8, 8, 1))
        task = Task("r", spiral_regress(0, 20), network, GRID, "ln-test-loss", "squared-error")
    else:
        task = Task("c", spiral_classify(0, 20), FNN((2, 6, 6, 2)), GRID, "smoothed-accuracy")
    problem = NetworkVariables(task).problem()
    surface, motion, state = make(problem, dt=1e-3)
    f = np.full(50, 10.0)
    slow = wlmd.advance(problem, surface, motion, state, f, generators(1))
    fast = wlmd.advance(
        problem, surface, motion, state, f, generators(1), [problem.gradient_system()]
    )
    np.testing.assert_allclose(fast.traces, slow.traces, atol=2e-5)
    np.testing.assert_allclose(fast.state.theta, slow.state.theta, atol=1e-6)
    assert fast.state.right.shape == ((0, 0) if kind == "regression" else GRID.shape)
    np.testing.assert_allclose(fast.state.right, slow.state.right)
    if kind == "accuracy":
        assert fast.state.right.sum() == pytest.approx(fast.traces[..., wlmd.ACCURACY].sum())


def test_a_round_leaves_its_state_alone_and_repeats():
    problem = quadratic()
    surface, motion, state = make(problem, walkers=2)
    before = [np.copy(part) for part in state]
    first, second = (
        wlmd.advance(problem, surface, motion, state, np.full(50, 100.0), generators(4))
        for _ in range(2)
    )
    for old, now in zip(before, state, strict=True):
        np.testing.assert_array_equal(old, now)
    for a, b in zip(first.state, second.state, strict=True):
        np.testing.assert_array_equal(a, b)


def test_walkers_unite_their_hills_with_a_share_each():
    problem = quadratic()
    surface, motion, state = make(problem, walkers=3)
    result = wlmd.advance(problem, surface, motion, state, np.full(40, 7.0), generators(2))
    volume = result.state.table.sum() / (surface.x_per_bin * surface.y_per_bin)
    assert volume == pytest.approx(40 * 7.0 * A0, rel=1e-3)
    assert result.state.visits.sum() == 120
    expected = np.zeros(GRID.shape)
    for trace in result.traces:
        deposit(np, expected, surface, trace[:, wlmd.X], trace[:, wlmd.Y], 7.0 * A0 / 3)
    np.testing.assert_allclose(result.state.table, expected, atol=1e-12)
    assert len(set(result.state.theta[:, 0])) == 3


def test_frozen_rounds_only_count():
    problem = quadratic()
    surface, motion, state = make(problem)
    state = state._replace(table=np.random.default_rng(0).normal(size=GRID.shape))
    result = wlmd.advance(problem, surface, motion, state, np.zeros(30), generators(2))
    np.testing.assert_array_equal(result.state.table, state.table)
    assert result.state.frozen.sum() == result.state.visits.sum() == 30


@pytest.mark.parametrize("fast", [False, True])
def test_a_walker_that_diverges_is_taken_back_and_the_others_go_on(fast):
    problem = quadratic()
    surface, motion, state = make(problem, walkers=3)
    v = state.v.copy()
    v[1] = 1e3  # kinetic temperature 1e6
    state = state._replace(v=v)
    systems = [problem.gradient_system() for _ in range(3)] if fast else None
    f = np.full(40, 9.0)
    result = wlmd.advance(problem, surface, motion, state, f, generators(2), systems)
    np.testing.assert_array_equal(result.state.alive, [True, False, True])
    assert [lost.walker for lost in result.lost] == [1]
    assert result.lost[0].step == 1
    assert result.lost[0].kinetic > 1e5
    assert result.traces.shape == (2, 40, 4)
    assert result.state.visits.sum() == 80  # nothing of the lost walker is left
    volume = result.state.table.sum() / (surface.x_per_bin * surface.y_per_bin)
    assert volume == pytest.approx(40 * 9.0 * A0 * 2 / 3, rel=1e-3)
    np.testing.assert_array_equal(result.state.theta[1], state.theta[1])
    again = wlmd.advance(problem, surface, motion, result.state, f, generators(3), systems)
    assert again.state.visits.sum() == 160
    assert not again.lost


@pytest.mark.parametrize("fast", [False, True])
def test_a_round_that_diverges_is_made_again_with_a_smaller_time_step(fast):
    """As if it had had that time step all along: of the first attempt nothing is left."""
    problem = quadratic()
    f = np.full(300, 5.0)
    surface, motion, state = make(problem, dt=0.1)
    slower = motion._replace(dt=0.025)
    systems = [problem.gradient_system()] if fast else None
    result = wlmd.advance(problem, surface, motion, state, f, generators(1), systems)
    assert not result.lost
    (halved,) = result.halved
    assert (halved.walker, halved.step, halved.dt) == (0, 2, 0.025)
    assert halved.x == result.traces[..., wlmd.X].min()
    wanted = wlmd.advance(problem, surface, slower, state, f, generators(1), systems)
    assert not wanted.halved
    np.testing.assert_array_equal(result.traces, wanted.traces)
    for now, then in zip(result.state, wanted.state, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("fast", [False, True])
def test_nan_is_a_divergence(fast):
    problem = quadratic()
    surface, motion, state = make(problem)
    theta = state.theta.copy()
    theta[0, 0] = np.nan
    systems = [problem.gradient_system()] if fast else None
    result = wlmd.advance(
        problem, surface, motion, state._replace(theta=theta), np.ones(5), generators(0), systems
    )
    assert not result.state.alive.any()
    assert result.state.visits.sum() == 0
    assert np.isfinite(result.state.table).all()


@pytest.mark.parametrize("fast", [False, True])
def test_stop_ends_a_round_without_a_trace(fast):
    problem = quadratic()
    surface, motion, state = make(problem)
    systems = [problem.gradient_system()] if fast else None
    stop = np.ones(1, np.uint8)
    args = (problem, surface, motion, state, np.ones(5), generators(0), systems, stop)
    assert wlmd.advance(*args) is None


def test_round_trips():
    x = np.array([0.5, 0.0, 0.5, 1.0, 0.5, 0.1, 0.9, 0.5, 0.0])
    assert wlmd.count_round_trips(x, 0.1, 0.9, 0) == (2, 1)
    assert wlmd.count_round_trips(x[:4], 0.1, 0.9, 0) == (0, -1)
    assert wlmd.count_round_trips(x[4:6], 0.1, 0.9, -1) == (1, 1)
    assert wlmd.count_round_trips(x[:1], 0.1, 0.9, -1) == (0, -1)


def test_cells_are_the_bins_of_the_grid():
    surface = make_surface(GRID, 0.2, WALLS)
    x, y = np.random.default_rng(0).uniform(-8, 4, (2, 500))
    i, j = GRID.index(x, y)
    expected = np.where(i >= 0, i * GRID.y.n + j, -1)
    np.testing.assert_array_equal(wlmd.cells(surface, x, y), expected)


def test_schedule_is_the_formula():
    ramp = PaperRamp(5.0, 2e5, 1e7, 8e6)
    t = np.array([1, 1e5, 2e5, 5e6, 1e7, 1.1e7, 5e7])
    expected = [5.0 / 2e5, 2.5, 5.0, 5.0, 5.0, 5 * 2e6 / 3e6, 5 * 2e6 / 4.2e7]
    np.testing.assert_allclose(ramp.f(t), expected, rtol=1e-12)
    house = PaperRamp(20.0, 5e5, 5e5, 0.0)
    assert house.f(1e6) == pytest.approx(10)
    with pytest.raises(UserError, match="t3 < t2"):
        PaperRamp(5.0, 1.0, 2.0, 3.0)


def test_estimators():
    surface = make_surface(LINE, 0.2, WALLS)
    _, _, state = make(quadratic(False), LINE)
    table = -2.0 * LINE.x.centres[:, None]
    state = state._replace(table=table)
    inner = slice(2, -2)
    np.testing.assert_allclose(entropy(state, surface, "last")[inner], table[inner])
    np.testing.assert_allclose(entropy(state, surface)[inner], table[inner])
    state = wlmd.sampled(wlmd.sampled(state)._replace(table=table + 1))
    np.testing.assert_allclose(entropy(state, surface)[inner], table[inner] + 0.5)
    visits = np.full(LINE.shape, 7)
    state = state._replace(frozen=visits, visits=visits)
    found = entropy(state, surface, "reweighted")
    np.testing.assert_allclose(found[20:-20], table[20:-20] + 1 + np.log(7), rtol=1e-6)
    with pytest.raises(UserError, match="estimator"):
        entropy(state, surface, "best")


def test_the_average_begins_with_the_first_sampled_table():
    surface, motion, state = make(quadratic())
    state = wlmd.advance(quadratic(), surface, motion, state, np.ones(30), generators(0)).state
    assert state.warmth[0].sum() == 30
    assert state.known.all()
    state = wlmd.sampled(state)
    assert state.warmth.sum() == 0
    np.testing.assert_array_equal(state.known, state.visits > 0)
    later = wlmd.advance(quadratic(), surface, motion, state, np.ones(30), generators(1))
    state = wlmd.sampled(later.state)
    assert state.n_averaged == 2
    assert not state.known[state.visits > 0].all()  # what was found since is not
    assert state.warmth[0].sum() == 30
    kinetic = later.traces[..., wlmd.KINETIC].sum()
    assert state.warmth[1].sum() == pytest.approx(kinetic)


def test_reliable_keeps_off_walls_and_the_ends_of_the_visited_region():
    surface = make_surface(LINE, 0.2, Walls(-4.0, -0.5))
    _, _, state = make(quadratic(False), LINE)
    x = LINE.x.centres
    visits = ((x > -3.0) & (x < 0)).astype(np.int64)[:, None]
    visits[np.argmin(np.abs(x + 2.0))] = 0  # a single gap is no end
    state = state._replace(visits=visits)
    found = x[reliable(state, surface)[:, 0]]
    assert found.min() == pytest.approx(-3.0 + 0.425)
    assert found.max() == pytest.approx(-0.925)
    assert np.diff(found).max() == pytest.approx(0.05)
    late = state._replace(known=(x > -2.5)[:, None])  # the rest was found in the tail
    assert x[reliable(late, surface)[:, 0]].min() == pytest.approx(-2.5 + 0.425, abs=0.051)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"dt": 0.0}, "time step"),
        ({"dt": 1e-3, "friction": 1.0}, "friction"),
        ({"dt": 1e-3, "friction": 0.1, "scheme": "euler"}, "integrator"),
    ],
)
def test_bad_motion_is_told(options, said):
    with pytest.raises(UserError, match=said):
        wlmd.make_motion(quadratic(), **{"friction": 0.1, **options})


def test_a_start_outside_the_table_is_told():
    grid = Grid(Axis.of_width("x", -7.0, -6.0, 0.05), Axis.single())
    surface = make_surface(grid, 0.2, WALLS)
    with pytest.raises(UserError, match="outside the table"):
        wlmd.start(quadratic(False), surface, 2, np.random.default_rng(0))
