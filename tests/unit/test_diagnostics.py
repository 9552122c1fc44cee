import numpy as np
import pytest

from wlnn.landscape import diagnostics


def test_flatness_is_least_over_mean_of_the_visited_bins():
    histogram = np.array([[2, 4], [0, 6]])
    visits = np.array([[9, 9], [0, 9]])
    assert diagnostics.flatness(histogram, visits) == pytest.approx(2 / 4)
    visits[1, 0] = 1  # visited in an earlier stage only: the histogram is not flat there
    assert diagnostics.flatness(histogram, visits) == 0
    assert diagnostics.flatness(histogram * 0, visits) == 0
    assert diagnostics.flatness(histogram, visits * 0) == 0


def test_coverage_counts_bins():
    assert diagnostics.coverage(np.array([[1, 0], [0, 300]])) == 0.5


def test_crossing_time_and_resolution():
    tau = diagnostics.crossing_time(1000, 5)
    assert tau == 100
    assert diagnostics.crossing_time(1000, 0) == float("inf")
    assert diagnostics.resolution(0.01, tau, 50) == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("ln_f", "round_trips", "production", "trusted"),
    [(1e-4, 5, 0.25, True), (1e-2, 5, 0.25, False), (1e-2, 5, 0.8, True), (1e-9, 0, 0.25, False)],
)
def test_error_bars_need_a_small_last_factor_or_a_long_production(
    ln_f, round_trips, production, trusted
):
    tau = diagnostics.crossing_time(10_000, round_trips)
    assert diagnostics.error_bars_trusted(ln_f, tau, 100, production) is trusted
