"""Hills, interpolation and walls: sums, formulas, and slopes against central differences."""

import math

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.wlmd.surface import (
    A0,
    Walls,
    at_nodes,
    deposit,
    height,
    hill_height,
    inside,
    make_surface,
    slope,
    wall_slope,
)

FLAT = Grid(Axis("x", -1.0, 1.0, 100), Axis("y", -1.0, 1.0, 100))
LINE = Grid(Axis("x", -1.0, 1.0, 20), Axis.single())


def points(*values):
    return tuple(np.atleast_1d(np.array(v, dtype=float)) for v in values)


def test_a_hill_is_the_formula_at_its_exact_centre():
    surface = make_surface(FLAT, 0.06, Walls())
    table = np.zeros(FLAT.shape)
    deposit(np, table, surface, *points(0.013, -0.207), 0.7)
    x, y = FLAT.x.centres[:, None], FLAT.y.centres[None, :]
    dx, dy = x - 0.013, y + 0.207
    formula = 0.7 / (2 * math.pi * 0.06**2) * np.exp(-(dx**2 + dy**2) / (2 * 0.06**2))
    cut = (np.abs(dx) <= 0.24) & (np.abs(dy) <= 0.24)
    np.testing.assert_allclose(table, np.where(cut, formula, 0), rtol=1e-12)
    assert table.max() == pytest.approx(hill_height(0.06, 0.7), rel=0.02)


def test_the_unit_of_f_is_the_sum_over_nodes_of_the_published_grid():
    grid = Grid(Axis("x", -2.0, 2.0, 200), Axis("y", -2.0, 2.0, 200))  # bins of 0.02
    table = np.zeros(grid.shape)
    deposit(np, table, make_surface(grid, 0.2, Walls()), *points(0.31, 0.123), 5.0 * A0)
    assert table.sum() == pytest.approx(5.0, rel=2e-4)
    assert table.max() == pytest.approx(7.96e-3, rel=1e-2)


def test_several_walkers_add_up_and_outsiders_add_nothing():
    surface = make_surface(FLAT, 0.06, Walls())
    together, alone = np.zeros(FLAT.shape), np.zeros(FLAT.shape)
    x, y = points([0.1, -0.5, 1.01, np.nan], [0.2, 0.3, 0.0, 0.0])
    deposit(np, together, surface, x, y, 1.0)
    for k in range(2):
        deposit(np, alone, surface, x[k : k + 1], y[k : k + 1], 1.0)
    np.testing.assert_allclose(together, alone, rtol=1e-12, atol=1e-15)
    np.testing.assert_array_equal(inside(np, surface, x, y), [True, True, False, False])


@pytest.mark.parametrize("sigma", [0.1, 0.15])
def test_mirrored_hills_lose_nothing_and_favour_no_node(sigma):
    """Rows: every hill adds its volume. Columns: even positions raise every node alike."""
    surface = make_surface(LINE, sigma, Walls(), mirror=True)
    fine = 20
    centres = -1 + (np.arange(20 * fine) + 0.5) * 0.1 / fine
    matrix = np.zeros((len(centres), 20))
    for k, centre in enumerate(centres):
        table = np.zeros((20, 1))
        deposit(np, table, surface, *points(centre, 0.0), 0.1)  # the volume of one bin
        matrix[k] = table[:, 0]
    np.testing.assert_allclose(matrix.sum(1), 1, atol=3e-4)
    np.testing.assert_allclose(matrix.sum(0) / fine, 1, atol=3e-4)
    cut = make_surface(LINE, sigma, Walls())
    table = np.zeros((20, 1))
    deposit(np, table, cut, *points(-0.999, 0.0), 0.1)
    assert table.sum() < 0.8  # what mirrors are for


def random_table(grid):
    return np.random.default_rng(0).normal(size=grid.shape)


@pytest.mark.parametrize("grid", [FLAT, LINE])
def test_slope_is_the_gradient_of_height(grid):
    surface = make_surface(grid, 0.1, Walls())
    table = random_table(grid)
    x, y = np.random.default_rng(1).uniform(-1.3, 1.3, (2, 400))  # beyond the table as well
    ux, uy = slope(np, table, surface, x, y)
    step = 1e-6
    up, down = (height(np, table, surface, x + s, y) for s in (step, -step))
    np.testing.assert_allclose(ux, (up - down) / (2 * step), atol=1e-4)
    up, down = (height(np, table, surface, x, y + s) for s in (step, -step))
    np.testing.assert_allclose(uy, (up - down) / (2 * step), atol=1e-4)
    assert np.abs(ux).max() > 1


def test_slope_is_continuous():
    surface = make_surface(FLAT, 0.1, Walls())
    table = random_table(FLAT)
    for edge in (0.0, 0.01, 1.0, 1.01, -1.0):  # an edge of a bin, a centre, the ends
        x, y = points([edge - 1e-9, edge + 1e-9], [0.123, 0.123])
        for part in slope(np, table, surface, x, y):
            assert part[0] == pytest.approx(part[1], abs=1e-3)


def test_a_plane_is_felt_exactly_and_beyond_the_table_it_is_flat():
    table = 3 * FLAT.x.centres[:, None] - 2 * FLAT.y.centres[None, :]
    surface = make_surface(FLAT, 0.1, Walls())
    x, y = points([0.317, -0.9], [0.111, 0.95])
    np.testing.assert_allclose(height(np, table, surface, x, y), 3 * x - 2 * y, rtol=1e-12)
    np.testing.assert_allclose(slope(np, table, surface, x, y), [[3, 3], [-2, -2]], rtol=1e-10)
    ux, uy = slope(np, table, surface, *points(1.5, 0.0))
    assert ux[0] == 0
    assert uy[0] == pytest.approx(-2)


@pytest.mark.parametrize("grid", [FLAT, LINE])
def test_at_nodes_is_height_at_the_bin_centres(grid):
    surface = make_surface(grid, 0.1, Walls())
    table = random_table(grid)
    x, y = (part.ravel() for part in np.meshgrid(grid.x.centres, grid.y.centres, indexing="ij"))
    felt = height(np, table, surface, x, y).reshape(grid.shape)
    np.testing.assert_allclose(at_nodes(table, surface), felt, atol=1e-12)


def test_walls():
    walls = Walls(-1.0, 0.5, -math.inf, 2.0, c_low=10.0, c_high=3000.0)
    x, y = points([0.0, 0.6, -1.5, -1.5], [0.0, 1.0, -9.0, 2.5])
    vx, vy = wall_slope(np, walls, x, y)  # of 3000 (0.1)^2, 10 (0.5)^2, 3000 (0.5)^2
    np.testing.assert_allclose(vx, [0, 600, -10, -10])
    np.testing.assert_allclose(vy, [0, 0, 0, 3000])


def test_a_hill_narrower_than_a_bin_is_refused():
    with pytest.raises(UserError, match="at least one bin"):
        make_surface(LINE, 0.05, Walls())
