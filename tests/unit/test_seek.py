"""Plans and exchanges of the searches, by their formulas."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.canonical import search as run_seek
from wlnn.canonical import tempering as seek
from wlnn.landscape.landscape import Curve
from wlnn.reference.cases import box_loss
from wlnn.report.search import at, over_runs
from wlnn.settings.tables import MDSettings, SeekSettings, Settings

SMALL = Settings(
    seek=SeekSettings(evaluations=4000, runs=3, stretch=20, low=0.05, high=0.8, replicas=4),
    md=MDSettings(dt=0.05, friction=0.05),
)


def test_exchanges_are_accepted_as_often_as_the_formula_says():
    temperature, n = np.array([0.5, 0.2, 0.1]), 20_000
    loss = np.tile([0.3, 0.45, 0.2], (n, 1))
    uniform = np.random.default_rng(0).random((n, 2))
    order, accepted = seek.exchange(loss, temperature, 0, uniform)
    wanted = np.exp((1 / 0.5 - 1 / 0.2) * (0.3 - 0.45))  # above 1: always
    assert wanted > 1
    assert accepted.mean(0).tolist() == [1.0, 0.0]  # the other parity is not tried
    assert order[0].tolist() == [1, 0, 2]
    order, accepted = seek.exchange(loss, temperature, 1, uniform)
    wanted = np.exp((1 / 0.2 - 1 / 0.1) * (0.45 - 0.2))
    assert accepted[:, 1].mean() == pytest.approx(wanted, abs=4 * (wanted / n) ** 0.5)
    assert order[accepted[:, 1]][0].tolist() == [0, 2, 1]
    assert order[~accepted[:, 1]][0].tolist() == [0, 1, 2]


def test_plans_end_cold():
    falling = seek.annealing(1.0, 0.01, 40).temperatures[:, 0]
    assert falling[0] == 1.0
    np.testing.assert_allclose(falling[1:30] / falling[:29], falling[1] / falling[0])
    np.testing.assert_allclose(falling[29:], 0.01)
    ladder = seek.tempering(1.0, 0.01, 3, 5)
    np.testing.assert_allclose(ladder.temperatures, [[1.0, 0.1, 0.01]] * 5)
    assert ladder.exchange
    assert not seek.constant(0.1, 3).exchange
    with pytest.raises(UserError, match="must fall"):
        seek.annealing(0.01, 1.0, 5)


def test_all_methods_use_up_the_same_gradient_evaluations():
    for name in run_seek.PLANS:
        plan = run_seek.make_plan(name, SMALL.seek)
        assert plan.temperatures.size * SMALL.seek.stretch == 4000


def test_searches_begin_at_the_loss_that_is_asked_for():
    problem = box_loss.quadratic()
    below = Settings(seek=SMALL.seek, md=replace(SMALL.md, start_x=-4.0))
    first = {}
    for settings in (SMALL, below):
        first[settings.md.start_x] = run_seek.search(problem, settings, "tempering").x[:, 0]
    assert (first[100.0] > -4).all()
    assert (first[-4.0] <= -4).all()


def test_an_interrupted_search_gives_the_same_bits(tmp_path, monkeypatch):
    problem = box_loss.double_well()
    whole = run_seek.search(problem, SMALL, "tempering")
    assert whole.x.shape == (3, 50)
    assert (whole.accepted > 0.1).all()
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    monkeypatch.setattr("wlnn.base.pool.STRETCH_SECONDS", 0.0)

    def stop(report):
        if report.part > 0.5:
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(run_seek.Interrupted):
        run_seek.search(problem, SMALL, "tempering", tmp_path, report=stop)
    again = run_seek.search(problem, SMALL, "tempering", tmp_path)
    np.testing.assert_array_equal(again.x, whole.x)
    np.testing.assert_array_equal(again.metric, whole.metric)
    np.testing.assert_array_equal(again.accepted, whole.accepted)


def test_a_search_reaches_the_exact_mean_loss():
    """The coldest replica of many ladders, second half, against the exact <ln L> of its T."""
    settings = Settings(
        seek=SeekSettings(evaluations=12_800, runs=16, stretch=20, low=0.1, high=1.6, replicas=4),
        md=MDSettings(dt=0.04, friction=0.04, record=100, thermostat_every=1),
    )
    found = run_seek.search(box_loss.double_well(), settings, "tempering")
    runs = found.x[:, 80:].mean(1)
    exact = np.log(box_loss.well_draws(0.1, 200_000, np.random.default_rng(0))).mean()
    assert runs.mean() == pytest.approx(exact, abs=4 * runs.std() / 16**0.5)


def test_means_over_runs_and_curves_between_rows():
    assert over_runs(np.array([1.0, 3.0, np.nan])) == (2.0, 1.0, 2)
    assert np.isnan(over_runs(np.array([1.0])).error)
    x = np.array([0.0, 1.0, 2.0])
    curve = Curve(x, np.array([0.0, 2.0, np.nan]), x, x > 0)
    np.testing.assert_array_equal(at(curve, np.array([0.5, 1.5])), [1.0, np.nan])
