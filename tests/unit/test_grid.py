import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid


def test_bins_hold_their_low_edge_and_the_last_bin_both():
    axis = Axis.of_width("x", -1.0, 1.0, 0.3)
    assert axis.n == 7
    assert axis.hi == pytest.approx(1.1)
    edges = Axis("x", 0.0, 4.0, 4)
    assert edges.index([0, 0.999, 1, 3.999, 4, -1e-12]).tolist() == [0, 0, 1, 3, 3, -1]


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
    expected[(values < axis.lo) | (values > axis.hi)] = -1
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


def random_axes(rng, n):
    """Axes of all scales: short windows far from zero, whole and decimal edges, single steps."""
    for k in range(n):
        bins = int(rng.integers(2, 400))
        lo = rng.normal() * 10.0 ** rng.integers(-6, 7)
        length = abs(rng.normal()) * 10.0 ** rng.integers(-6, 7) + 1e-3 * abs(lo)
        if k % 3 == 0:
            lo, length = round(lo, 1), float(bins) / 10 ** rng.integers(0, 4)
        yield Axis("x", lo, lo + length, bins)


@pytest.mark.parametrize(
    ("lo", "hi", "n"), [(0, 1, 100), (-1, 1, 20), (-4, 1, 50), (-3.2, 0.5, 37), (-8, 8, 160)]
)
def test_lattice_energies_fall_in_rows_of_their_own(lo, hi, n):
    width, k = (hi - lo) / n, np.arange(n)
    for levels in (lo + k * (hi - lo) / n, lo + (k * 0.5) * (2 * width), hi - (n - k) * width):
        np.testing.assert_array_equal(Axis("E", lo, hi, n).index(levels), k)
    if (lo, hi) == (0, 1):
        np.testing.assert_array_equal(Axis("E", 0, 1, 100).index(k / 100), k)


def test_y_of_a_grid_without_y_may_be_any_number_but_no_nan():
    from wlnn.backend.binning import binning
    from wlnn.networks.compiled.moves import _y_bin

    bins = binning(Grid(Axis("x", 0, 1, 4), Axis.single()))
    assert [_y_bin(bins, y) for y in (-1e9, np.inf, np.nan)] == [0, 0, -1]


def compiled_bin(axis):
    """Bins of values along ``axis`` by the text that the driver compiles."""
    from numba import njit

    from wlnn.backend.binning import binning
    from wlnn.networks.compiled.moves import bin_between

    global _rows
    if _rows is None:

        @njit
        def _rows(limits, per_bin, n, values):
            return np.array([bin_between(v, limits, per_bin, n) for v in values])

    bins = binning(Grid(axis, Axis.single()))
    return lambda values: _rows(bins.x_limits, bins.x_per_bin, bins.nx, values)


_rows = None


def test_every_edge_of_a_thousand_axes_lies_in_the_bin_above_it_in_both_texts(rng):
    for axis in random_axes(rng, 1000):
        edges, k = axis.edges, np.arange(axis.n)
        assert edges[0] == axis.lo
        assert edges[-1] == axis.hi
        compiled = compiled_bin(axis)
        apart = 8 * np.spacing(max(abs(axis.lo), abs(axis.hi)))
        outside = np.array([axis.lo - apart, -np.inf, np.nan])
        above = np.array([axis.hi + apart, np.inf])
        expected = {
            "on an edge": (edges[:-1], k),
            "below an edge": (edges[1:-1] - apart, k[:-1]),
            "the last edge": (edges[-1:], [axis.n - 1]),
            "between": (rng.uniform(edges[:-1], edges[1:]), k),
        }
        for name, (values, bins) in expected.items():
            np.testing.assert_array_equal(axis.index(values), bins, err_msg=f"{name} {axis}")
            np.testing.assert_array_equal(compiled(values), bins, err_msg=f"{name} {axis}")
        assert (axis.index(outside) == -1).all()
        assert (axis.index(above) == -1).all()
        assert compiled(outside).tolist() == [-1] * 3
        assert compiled(above).tolist() == [axis.n] * 2


def test_a_loss_lies_in_the_bin_of_its_logarithm(rng):
    """The driver looks losses up without a logarithm; on every edge it agrees with ln L."""
    from wlnn.backend.binning import binning
    from wlnn.networks.compiled.moves import _x_bin_exponential

    for lo, hi, n in ((-7.0, 1.0, 160), (-3.2, 0.5, 37), (-30.0, 3.0, 1000), (-690.0, 690.0, 50)):
        axis = Axis("x", lo, hi, n)
        bins = binning(Grid(axis, Axis.single()))
        least = bins.exp_limits.array
        for losses in (least, np.nextafter(least, 0), np.nextafter(least, np.inf)):
            expected = axis.index(np.log(losses))
            found = np.array([_x_bin_exponential(None, bins, loss) for loss in losses])
            np.testing.assert_array_equal(np.where(found < n, found, -1), expected)
        assert _x_bin_exponential(None, bins, np.nan) == -1


@pytest.mark.parametrize(
    ("lo", "hi", "n", "reason"),
    [
        (np.nan, 1.0, 10, "finite"),
        (0.0, np.inf, 10, "finite"),
        (-np.inf, np.inf, 10, "finite"),
        (1.0, 0.0, 10, "empty"),
        (1.0, 1.0, 10, "empty"),
        (0.0, 1.0, 0, "whole number"),
        (0.0, 1.0, 2.5, "whole number"),
        (0.0, 1.0, np.nan, "whole number"),
        (0.0, 1.0, 1e30, "whole number"),
        (1e15, 1e15 + 1, 100, "narrower"),
        (-1e308, 1e308, 10, "finite"),
        ("a", 1, 10, "are numbers"),
        (None, 1, 10, "are numbers"),
        (0, 1 + 0j, 10, "are numbers"),
        (0, 1, "many", "are numbers"),
        (0, 1, True, "are numbers"),
    ],
)
def test_what_is_no_axis_is_refused(lo, hi, n, reason):
    with pytest.raises(UserError, match=reason) as error:
        Axis("x", lo, hi, n)
    assert "axis 'x'" in str(error.value)


@pytest.mark.parametrize("bad", [(0, 1e300, 1e-300), (0, np.inf, 1), (0, 1, np.inf)])
def test_widths_that_make_no_axis_are_refused(bad):
    with pytest.raises(UserError, match="axis 'x'"):
        Axis.of_width("x", *bad)
