"""States of motion at a temperature against trainings: made records whose difference is known."""

from dataclasses import replace

import numpy as np
import pytest
from test_advantage import ABOUT, made_landscape, made_trained
from test_baseline import LOSS, PATH, made_set

from wlnn.base.errors import UserError
from wlnn.canonical import columns, langevin
from wlnn.canonical.advantage import compare_motion
from wlnn.canonical.trajectories import Trajectories
from wlnn.report.plot_training import plot_advantage, plot_motions
from wlnn.report.training import motion_report
from wlnn.training import difference as advantage
from wlnn.training.baseline import best_of

SPREAD = np.linspace(-0.05, 0.05, 5)


def made_motion(x, y, about=ABOUT, temperature=0.01, drift=0.0, kinetic=1.0, friction=0.1, own=0.0):
    """Five walkers at ln L = x + SPREAD and y + 0.2 SPREAD, 40 records each.

    Third and last quarter differ by twice the spread, crosswise, so that they agree in nothing but
    their mean; ``own`` is what each keeps for itself.
    """
    cross = np.repeat([[0, 0, 1, -1]], 10, axis=1) * np.roll(SPREAD, 1)[:, None]
    records = np.zeros((5, 40, columns.N_COLUMNS))
    records[:, :, columns.LN_LOSS] = (x + SPREAD)[:, None] + cross
    accuracy = about["y"] == "test-accuracy"
    column = columns.MEAN_ACCURACY if accuracy else columns.MEAN_Y
    noise = 1e-3 * np.random.default_rng(0).standard_normal((5, 40))
    ys = (y + 0.2 * SPREAD + own * SPREAD)[:, None] + 0.2 * cross
    records[:, :, column] = ys + drift * np.arange(40) + noise
    records[:, :, columns.KINETIC] = kinetic
    settings = {"temperature": temperature, "record": 5, "friction": friction}
    task = {"task": "made", "parameters": 9, **about}
    meta = {"md": settings, "accuracy": accuracy, "metric": about["y"], "task": task}
    state = langevin.Walkers(np.zeros((5, 3)), np.zeros((5, 3)), np.full(5, temperature))
    return Trajectories(records, state, meta)


@pytest.mark.parametrize("about", [ABOUT, LOSS])
def test_the_trained_curve_is_taken_at_the_loss_of_the_motion(about):
    """Trained y = 0.5 + 0.2 (x + 2); walkers on a parallel line 0.1 above, so without spread."""
    trained = made_set(0.5 + 0.2 * (PATH + 2), 16, about=about)
    runs = [made_motion(x, 0.6 + 0.2 * (x + 2), about) for x in (-1.52, -3.0)]
    found = compare_motion(runs, trained)
    np.testing.assert_allclose(found.x, [-3.0, -1.52])
    np.testing.assert_array_equal(found.source, [1, 0])
    np.testing.assert_allclose(found.difference, 0.1, atol=1e-3)
    assert (found.equilibrium_error < 1e-3).all()  # what the losses explain is no error
    np.testing.assert_array_equal(found.trainings, [6, 6])
    better = advantage.BETTER if about is ABOUT else advantage.WORSE
    np.testing.assert_array_equal(found.verdict, better)
    assert found.reliable.all()


def test_the_interval_is_that_of_walkers_and_trainings():
    trained = made_set(0.5, 16)
    found = compare_motion([made_motion(-2.0, 0.6)], trained)
    walkers = 0.6 + 0.2 * SPREAD
    error = walkers.std(ddof=1) / 5**0.5
    assert found.equilibrium_error[0] == pytest.approx(error, rel=0.05)
    wanted = advantage.half_interval(error, 5, trained.curve("test-accuracy").error[3], 6)
    assert found.half[0] == pytest.approx(wanted, rel=0.05)


def test_between_two_bins_the_larger_error_and_the_fewer_trainings_count():
    """Below ln L = -2 only seven of nine trainings come, and they differ ten times as much."""
    path = PATH[PATH > -2.5]
    y = 0.5 + np.where(path > -2, 0.01, 0.1) * np.linspace(-1, 1, 9)[:, None]
    x = np.tile(path, (9, 1))
    x[:2, path < -2] = -1.05
    trained = made_trained(x, y)
    curve = trained.curve("test-accuracy")
    above, below = (curve.axis.index(value) for value in (-1.95, -2.05))
    assert (curve.trainings[above], curve.trainings[below]) == (9, 7)
    assert curve.error[below] > 5 * curve.error[above]
    found = compare_motion([made_motion(-2.0, 0.6)], trained)
    assert found.trainings[0] == 7
    assert found.trained_error[0] == curve.error[below]
    assert found.trained[0] == pytest.approx((curve.value[above] + curve.value[below]) / 2)


def test_what_is_not_settled_is_starred():
    trained = made_set(0.5, 16)
    for wrong in ({"drift": 0.01}, {"kinetic": 1.05}, {"own": 2.0}):
        run = made_motion(-2.0, 0.6, **wrong)
        assert not run.settled()
        assert not compare_motion([run], trained).reliable[0]
        assert "take it with care" in "\n".join(motion_report([run], trained))
    assert made_motion(-2.0, 0.6).settled()
    few = made_set(0.5, 16, runs=3)
    assert not compare_motion([made_motion(-2.0, 0.6)], few).reliable[0]


def test_losses_that_no_training_came_to_are_named():
    trained = made_set(0.5, 16)
    runs = [made_motion(-2.0, 0.6), made_motion(-5.0, 0.6, temperature=3e-4)]
    assert compare_motion(runs, trained).source.tolist() == [0]
    lines = motion_report(runs, trained)
    assert lines[-1] == "trainings do not come to the losses of T = 0.0003"
    with pytest.raises(UserError, match="nothing in common"):
        compare_motion(runs[1:], trained)
    gap = PATH[(PATH > -1.6) | (PATH < -2.4)]
    with pytest.raises(UserError, match="nothing in common"):
        compare_motion(runs[:1], made_set(0.5, 16, path=gap))


def test_what_cannot_be_compared_is_refused():
    run, trained = made_motion(-2.0, 0.6), made_set(0.5, 16)
    with pytest.raises(UserError, match="different tasks"):
        compare_motion([run], made_set(0.5, 16, about={**ABOUT, "loss": "another"}))
    with pytest.raises(UserError, match="keeps no temperature"):
        compare_motion([made_motion(-2.0, 0.6, friction=0)], trained)
    bare = replace(run, meta={**run.meta, "accuracy": False, "task": {**ABOUT, "y": "y"}})
    with pytest.raises(UserError, match="no test performance"):
        compare_motion([bare], trained)


def test_pictures_with_and_without_a_landscape():
    sets = [made_set(0.5, 16), made_set(0.55, 32)]
    runs = [made_motion(-1.5, 0.6), made_motion(-2.5, 0.7)]
    upper, lower = plot_motions(runs, [best_of(sets)]).axes
    assert [line.get_marker() for line in upper.lines].count("D") == 2
    assert upper.get_ylabel() == "test accuracy"
    shown = np.concatenate([line.get_ydata() for line in lower.lines if line.get_marker() == "D"])
    np.testing.assert_allclose(sorted(shown), [0.05, 0.15], atol=2e-3)
    landscape = made_landscape(np.full((2, 40), 0.6))
    alone = plot_advantage(landscape, sets[:1]).axes[0]
    both = plot_advantage(landscape, sets[:1], motions=runs).axes[0]
    assert len(both.lines) > len(alone.lines)


def test_walkers_that_went_everywhere_are_rarely_called_apart():
    """p < 0.01 each in the loss and in the test quantity: of 2000 made runs 40 are expected."""
    rng = np.random.default_rng(0)
    base = made_motion(-2.0, 0.6)
    called = 0
    for _ in range(2000):
        records = base.records.copy()
        records[:, :, [columns.LN_LOSS, columns.MEAN_ACCURACY]] = rng.standard_normal((5, 40, 2))
        called += bool(replace(base, records=records).apart())
    assert 21 <= called <= 62  # outside in one of a thousand such tests
