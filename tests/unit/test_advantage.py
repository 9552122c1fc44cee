"""The comparison: made landscapes and made trainings whose difference is known."""

import numpy as np
import pytest

from wlnn.base.accuracy_axes import ACCURACY_AXES
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.report.training import advantage_in_words, in_words
from wlnn.training import advantage as advantage_
from wlnn.training import difference as advantage
from wlnn.training import endings
from wlnn.training.difference import BETTER, UNDECIDED, WORSE
from wlnn.training.trained import Trained, best_epoch

ABOUT = {
    "task": "made",
    "data": {"seed": 0},
    "points": [10, 10],
    "network": {"family": "fnn", "sizes": [2, 6, 6, 2], "activation": "relu"},
    "parameters": 74,
    "loss": "cross-entropy",
    "y": "test-accuracy",
}


def made_landscape(means, y=None, about=ABOUT, lo=-4.0, width=0.1):
    """Walkers ``(R, nx)`` whose <y>(x) are ``means``: two bins of y, at 0 and at 1."""
    means = np.atleast_2d(means)
    y = y or Axis("test accuracy", -0.5, 1.5, 2)
    low, high = y.centres
    share = (means - low) / (high - low)
    entropies = np.log(np.stack([1 - share, share], axis=-1))
    grid = Grid(Axis("ln train loss", lo, lo + width * means.shape[1], means.shape[1]), y)
    return Landscape(
        grid, entropies, np.ones(grid.shape), np.ones(grid.shape, bool), {"task": about}
    )


def made_trained(x, y, about=ABOUT, name="test-accuracy", diverged=None):
    """Trainings ``(R, epochs)``; a start that must not count is put before them."""
    x, y = np.atleast_2d(x).astype(float), np.atleast_2d(y).astype(float)
    before = np.full((len(x), 1), 0.7)
    records = {"ln-train-loss": np.hstack([before, x]), name: np.hstack([before, y])}
    diverged = np.full(len(x), -1) if diverged is None else np.array(diverged)
    return Trained(records, diverged, {"task": about, "train": {}})


def test_curve_is_the_mean_over_trainings_not_over_epochs():
    """Training 0 rests in the bin for three epochs, training 1 for one: they count alike."""
    x = [[-1.04, -1.02, -1.06, -1.14], [-1.08, -2.5, -2.5, -np.inf]]
    y = [[0.5, 0.6, 0.7, 0.2], [0.9, 0.1, 0.3, 1.0]]
    made = made_trained(x, y)
    curve = made.curve("test-accuracy")
    k = curve.axis.index(-1.05)
    pooled = made.pooled("epochs").curve("test-accuracy")  # as published: four epochs alike
    assert pooled.value[k] == pytest.approx((0.5 + 0.6 + 0.7 + 0.9) / 4)
    assert pooled.x[k] == pytest.approx(-(1.04 + 1.02 + 1.06 + 1.08) / 4)
    assert curve.axis.width == pytest.approx(0.1)
    assert curve.axis.edges[k] == pytest.approx(-1.1)
    assert curve.value[k] == pytest.approx((0.6 + 0.9) / 2)
    assert curve.error[k] == pytest.approx(abs(0.6 - 0.9) / 2)  # sd / sqrt 2 of two numbers
    assert curve.x[k] == pytest.approx((-1.04 - 1.08) / 2)
    assert curve.trainings[k] == 2
    low = curve.axis.index(-2.5)
    assert (curve.value[low], curve.trainings[low]) == (pytest.approx(0.2), 1)
    assert np.isnan(curve.error[low])
    assert curve.trainings.sum() == 4
    assert not curve.reliable.any()


def test_error_of_pooled_epochs_is_that_of_independent_trainings(rng):
    """The spread of 2000 pooled means of 12 trainings of 1 to 9 epochs, whose own means differ and
    depend on how long they stay; pooled epochs as independent would say 0.5 of it."""
    means, errors = [], []
    for _ in range(2000):
        stay = rng.integers(1, 10, 12)
        own = 0.6 + 0.02 * stay + rng.normal(0, 0.1, 12)
        x = np.where(np.arange(9) < stay[:, None], -1.05, -np.inf)
        y = own[:, None] + rng.normal(0, 0.02, (12, 9))
        curve = made_trained(x, y).pooled("epochs").curve("test-accuracy")
        means.append(curve.value[0])
        errors.append(curve.error[0])
    assert np.mean(errors) == pytest.approx(np.std(means), rel=0.15)


def test_error_of_the_curve_is_that_of_the_mean(rng):
    """Trainings with offsets of their own: however many epochs, the error is sd / sqrt(R)."""
    R, epochs = 400, 50
    offsets = rng.normal(0, 0.1, R)
    y = 0.5 + offsets[:, None] + rng.normal(0, 0.01, (R, epochs))
    curve = made_trained(np.full((R, epochs), -1.05), y).curve("test-accuracy")
    assert curve.error[0] == pytest.approx(0.1 / 20, rel=0.12)


def test_diverged_trainings_are_left_out_of_everything():
    x = [[-1.0, np.nan], [-1.0, -1.0], [-1.0, -1.0]]
    y = [[0.0, np.nan], [0.5, 0.6], [0.7, 0.8]]
    trained = made_trained(x, y, diverged=[2, -1, -1])
    assert trained.curve("test-accuracy").value[0] == pytest.approx(0.65)
    assert best_epoch(trained, "test-accuracy")[0] == pytest.approx(0.7)
    text = "\n".join(in_words(trained, "test-accuracy"))
    assert "1 of them diverged and are left out of every mean: number 0" in text
    assert trained.until(1).kept.all()  # it had not diverged by then


def test_equilibrium_is_averaged_over_the_window_of_a_bin():
    """A straight line is met exactly between rows, also by rows finer or coarser than bins."""
    for width in (0.02, 0.1, 0.3):
        n = round(3 / width)
        x = -4 + width * (np.arange(n) + 0.5)
        landscape = made_landscape([0.1 - 0.2 * x, 0.15 - 0.2 * x], width=width)
        value, reliable = advantage.equilibrium_at(landscape, [-3.61, -2.5, -1.2, -4.2, 0.0])
        np.testing.assert_allclose(value[:, :3], [[0.1 + 0.722, 0.6, 0.34], [0.872, 0.65, 0.39]])
        assert np.isnan(value[:, 3:]).all()
        np.testing.assert_array_equal(reliable, [True, True, True, False, False])
        np.testing.assert_allclose(
            landscape.equilibrium_of_walkers().mean(axis=0), landscape.equilibrium_accuracy().value
        )


def test_known_difference_and_its_verdict():
    """Equilibrium 0.1 above below ln L = -2, at trained above it; loss axes turn the verdict."""
    x = -4 + 0.1 * (np.arange(40) + 0.5)
    high = np.where(x < -2, 0.8, 0.7)
    walkers = high + np.array([-0.001, 0.0, 0.001])[:, None]
    spread = np.linspace(-0.01, 0.01, 20)[:, None]
    paths = np.tile(np.linspace(-0.5, -3.5, 61), (20, 1))
    for y, better in (("test-accuracy", BETTER), ("ln-test-loss", WORSE)):
        about = {**ABOUT, "y": y}
        landscape = made_landscape(walkers, about=about)
        found = advantage.compare_trained(
            landscape, made_trained(paths, 0.7 + spread + 0 * paths, about, y)
        )
        low = found.x < -2.1
        np.testing.assert_allclose(found.difference[low], 0.1, atol=1e-12)
        assert (found.verdict[low] == better).all()
        assert (found.verdict[found.x > -1.9] == UNDECIDED).all()
        assert found.trained_error[0] == pytest.approx(spread.std(ddof=1) / np.sqrt(20))
        assert found.equilibrium_error[0] == pytest.approx(0.001 / np.sqrt(3))
        assert found.reliable.all()
        one = advantage.at(found, -3)
        assert f"{abs(one.sigmas):.1f} standard errors" in advantage_in_words(one, y)
        for reliable in (True, False):
            said = advantage_in_words(one._replace(reliable=reliable), y)
            assert ("not reliable" in said) != reliable
        with pytest.raises(UserError, match="meet between"):
            advantage.at(found, -3.8)


def test_intervals_cover_the_truth_as_often_as_they_say(rng):
    """5 walkers, 8 trainings of other spread: 95 % +- 2 %; 2000 tries, false alarm rate 4e-5."""
    R, T, tries = 5, 8, 2000
    walkers = rng.normal(0.5, 0.02, (R, tries))
    trained = rng.normal(0.5, 0.05, (T, tries))
    mean, error, n = advantage.over_trainings(trained)
    found = advantage.judged("test-accuracy", np.zeros(tries), walkers, mean, error, n, n > 0)
    assert abs((found.verdict == UNDECIDED).mean() - 0.95) < 0.02
    assert abs((found.verdict == BETTER).mean() - 0.025) < 0.015


def test_one_walker_decides_nothing():
    landscape = made_landscape(np.full(40, 0.9))
    found = advantage.compare_trained(
        landscape, made_trained(np.full((9, 3), -2.0), np.full((9, 3), 0.1))
    )
    assert (found.verdict == UNDECIDED).all()
    assert np.isnan(found.half).all()


def test_ending_compares_every_training_at_its_own_loss():
    """<y> rises as the loss falls; every training lies 0.05 below it, and ends elsewhere."""
    x = -4 + 0.1 * (np.arange(40) + 0.5)
    landscape = made_landscape([0.3 - 0.1 * x, 0.3 - 0.1 * x])
    last = np.array([-1.0, -1.7, -2.2, -3.3])
    trained = made_trained(
        np.stack([0 * last, last], 1), np.stack([0 * x[:4], 0.25 - 0.1 * last], 1)
    )
    end = endings.ending(landscape, trained)
    assert (end.stopped, end.left_out, end.difference.trainings) == (0, 0, 4)
    assert end.difference.difference == pytest.approx(0.05)
    assert end.difference.trained_error == pytest.approx(0, abs=1e-12)
    assert end.difference.x == pytest.approx(last.mean())
    none = endings.ending(landscape, trained.until(1))
    assert (none.difference.trainings, none.left_out) == (0, 4)


def test_trainings_that_leave_the_landscape_are_taken_at_their_last_epoch_inside():
    """Inside is -4 < x < 0 less half a bin; walker 1 does not know the rows below -3."""
    x = -4 + 0.1 * (np.arange(40) + 0.5)
    means = np.array([0.3 - 0.1 * x, 0.3 - 0.1 * x])
    means[1, x < -3] = np.nan
    landscape = made_landscape(means)
    paths = np.array(
        [[-1.0, -2.9, -3.02], [-2.0, -3.5, -5.0], [-1.5, -2.5, -2.0], [0.3, 0.1, -np.inf]]
    )
    y = 0.25 - 0.1 * np.where(np.isfinite(paths), paths, -9)
    end = endings.ending(landscape, made_trained(paths, y))
    assert (end.stopped, end.left_out, end.difference.trainings) == (2, 1, 3)
    assert end.difference.x == pytest.approx((-2.9 - 2.0 - 2.0) / 3)
    assert end.difference.difference == pytest.approx(0.05)


def test_best_early_stopping():
    x = np.tile([-1.05, -2.05, -3.05], (6, 1))
    spread = np.linspace(-0.01, 0.01, 6)[:, None]
    landscape = made_landscape(np.tile(np.linspace(0.9, 0.5, 40), (2, 1)))
    found = advantage.compare_trained(
        landscape, made_trained(x, np.array([0.6, 0.8, 0.7]) + spread)
    )
    stop = endings.best_stop(found, "test-accuracy")
    assert stop.x == pytest.approx(-2.05)
    assert stop.trained == pytest.approx(0.8)
    assert endings.best_stop(found, "ln-test-loss").x == pytest.approx(-1.05)
    lucky = found._replace(trainings=np.where(found.trained > 0.75, 2, 6))
    assert endings.best_stop(lucky, "test-accuracy").x == pytest.approx(-3.05)
    few = found._replace(reliable=found.reliable & False, half=np.where(found.x < -2, np.nan, 0.1))
    assert endings.best_stop(few, "test-accuracy").x == pytest.approx(-1.05)  # with an error


@pytest.mark.parametrize("axis", ["logit", "scaled"])
def test_a_transformed_accuracy_axis_is_undone(axis):
    """Bins lie on the logit axis; the mean is of the smoothed accuracy itself."""
    about = {**ABOUT, "y": "smoothed-accuracy", "y_axis": axis}
    ends = ACCURACY_AXES[axis].value(np, np.array([0.2, 0.9]))
    step = ends[1] - ends[0]
    y = Axis("smoothed accuracy axis", ends[0] - step / 2, ends[1] + step / 2, 2)
    landscape = made_landscape(np.zeros(40) + ends.mean(), y, about)  # both bins alike
    np.testing.assert_allclose(landscape.equilibrium_of_walkers(), (0.2 + 0.9) / 2)
    np.testing.assert_allclose(advantage.on_axis(landscape, np.array([0.2, 0.9])), ends)


def test_pairs_find_the_landscape_of_every_training():
    wide = {**ABOUT, "parameters": 5000, "network": {**ABOUT["network"], "sizes": [2, 60, 60, 2]}}
    landscapes = [made_landscape(np.full((2, 40), 0.8), about=about) for about in (wide, ABOUT)]
    x, y = np.full((6, 2), -2.0), np.full((6, 2), 0.5) + 0.01 * np.arange(6)[:, None]
    trained = [made_trained(x, y, about) for about in (ABOUT, wide, ABOUT)]
    found = advantage_.pairs(landscapes, trained, ["a", "b", "c"])
    assert [landscape.meta["task"]["parameters"] for landscape, _ in found] == [74, 5000]
    assert [len(own) for _, own in found] == [2, 1]
    names = [(name, count) for name, count, _, _ in advantage_.by_network(found)]
    assert names == [("2x6", 74), ("2x60", 5000)]
    other = made_trained(x, y, {**ABOUT, "data": {"seed": 1}})
    with pytest.raises(UserError, match="d: no landscape given here is of its task"):
        advantage_.pairs(landscapes, [*trained, other], ["a", "b", "c", "d"])
    with pytest.raises(UserError, match="no trainings given here are of the landscape"):
        advantage_.pairs(landscapes, trained[:1], ["a"])


def test_data_sets_of_one_network_are_the_independent_units():
    x, spread = np.full((6, 2), -2.0), 0.001 * np.arange(6)[:, None]
    sets = []
    for seed, gap in enumerate((0.1, 0.2, 0.3)):
        about = {**ABOUT, "data": {"seed": seed}}
        landscape = made_landscape(np.full((2, 40), 0.8), about=about)
        sets.append((landscape, [made_trained(x, 0.8 - gap + spread + 0 * x, about)]))
    [(name, _, count, one)] = advantage_.by_network(sets)
    assert (name, count) == ("2x6", 3)
    assert one.difference == pytest.approx(0.2 - spread.mean())
    assert one.sigmas == pytest.approx(one.difference / (0.1 / np.sqrt(3)))
    assert one.half == pytest.approx(4.3027 * 0.1 / np.sqrt(3), rel=1e-4)  # t, 2 degrees
    assert one.verdict == UNDECIDED
    assert len(advantage_.one_per_network(sets)) == 1


def test_what_cannot_be_compared_is_refused():
    landscape = made_landscape(np.full((2, 40), 0.8))
    x = np.full((6, 2), -2.0)
    with pytest.raises(UserError, match="different tasks"):
        advantage.compare_trained(landscape, made_trained(x, x + 3, {**ABOUT, "points": [9, 9]}))
    with pytest.raises(UserError, match="nothing in common"):
        advantage.compare_trained(landscape, made_trained(x - 9, x))
    with pytest.raises(UserError, match="nothing to compare"):
        advantage.record_of(Landscape(landscape.grid, *[landscape.entropies] * 3))
    with pytest.raises(UserError, match="no record of 'ln-test-loss'"):
        made_trained(x, x).curve("ln-test-loss")
    with pytest.raises(UserError, match="trainings have 2 epochs"):
        made_trained(x, x).until(3)
