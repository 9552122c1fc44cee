import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid


def test_bins_are_half_open_and_end_at_or_above_the_high_edge():
    axis = Axis.of_width("x", -1.0, 1.0, 0.3)
    assert axis.n == 7
    assert axis.hi == pytest.approx(1.1)
    edges = Axis("x", 0.0, 4.0, 4)
    assert edges.index([0, 0.999, 1, 3.999, 4, -1e-12]).tolist() == [0, 0, 1, 3, -1, -1]


def test_a_width_that_divides_the_window_makes_no_extra_bin():
    assert Axis.of_width("x", -7, 1, 0.05).n == 160
    assert Axis.of_width("x", 0, 0.3, 0.1).n == 3


def test_values_outside_and_not_numbers_have_no_bin():
    axis = Axis("x", -4.0, 0.0, 20)
    assert axis.index([np.nan, np.inf, -np.inf, 1e300, -1e300]).tolist() == [-1] * 5


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40, 97, 100])
def test_every_count_has_its_own_bin_centred_on_it(n):
    axis = Axis.counts("accuracy", n)
    fractions = np.arange(n + 1) / n
    np.testing.assert_array_equal(axis.index(fractions), np.arange(n + 1))
    np.testing.assert_allclose(axis.centres, fractions, atol=1e-14)
    np.testing.assert_allclose(np.diff(axis.edges), axis.width, rtol=1e-12)


def test_index_agrees_with_the_edges(rng):
    axis = Axis.of_width("x", -3.3, 2.1, 0.07)
    values = rng.uniform(-4, 3, 2000)
    expected = np.searchsorted(axis.edges, values, side="right") - 1
    expected[(values < axis.lo) | (values >= axis.hi)] = -1
    np.testing.assert_array_equal(axis.index(values), expected)


def test_a_point_outside_one_axis_is_outside_both():
    grid = Grid(Axis("x", 0.0, 1.0, 2), Axis.counts("y", 2))
    ix, iy = grid.index([0.6, 2.0, 0.6], [0.5, 0.5, 3.0])
    assert ix.tolist() == [1, -1, -1]
    assert iy.tolist() == [1, -1, -1]
    assert grid.shape == (2, 3)


def test_the_single_axis_takes_every_number():
    axis = Axis.single()
    assert axis.index([-1e9, 0.0, np.inf, np.nan]).tolist() == [0, 0, 0, -1]
    assert axis.centres.tolist() == [0.0]
    assert axis.per_bin == 0.0


@pytest.mark.parametrize("bad", [(0, 1, 0), (0, 1, -1), (1, 1, 0.1), (2, 1, 0.1), (0, np.nan, 1)])
def test_an_empty_window_is_refused_by_name(bad):
    with pytest.raises(UserError, match="axis 'x'"):
        Axis.of_width("x", *bad)
    with pytest.raises(UserError, match="axis 'y'"):
        Axis.counts("y", 0)
