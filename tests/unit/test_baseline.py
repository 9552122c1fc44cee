"""The best of several sets of trainings: made curves whose best is known at every loss."""

from dataclasses import replace

import numpy as np
import pytest
from test_advantage import ABOUT, made_landscape, made_trained

from wlnn.base.errors import UserError
from wlnn.report.plot_training import plot_advantage
from wlnn.report.training import report
from wlnn.training import advantage as advantage_
from wlnn.training import difference as advantage
from wlnn.training import endings as endings_
from wlnn.training.baseline import best_of, short_names

LOSS = {**ABOUT, "y": "ln-test-loss"}
PATH = np.arange(-1.05, -3.5, -0.1)  # a bin an epoch: centres of bins from -1.1 down to -3.5


def made_set(values, batch, runs=6, about=ABOUT, path=PATH, **settings):
    """``runs`` trainings of one batch size whose mean along the path is ``values``."""
    spread = np.linspace(-0.01, 0.01, runs)[:, None]
    y = np.broadcast_to(values, path.shape) + spread
    one = made_trained(np.tile(path, (runs, 1)), y, about, about["y"])
    return replace(one, meta={"task": about, "train": {"batch_size": batch, **settings}})


def three(about=ABOUT):
    """The first is best above ln L = -2, the second below; of a third only two trainings count."""
    early = np.where(PATH > -2, 0.7, 0.5)
    return [
        made_set(early, 16, about=about),
        made_set(1.2 - early, 32, about=about),
        made_set(0.1 if about is LOSS else 0.95, 64, runs=2, about=about),
    ]


@pytest.mark.parametrize("about", [ABOUT, LOSS])
def test_each_bin_is_that_of_the_best_set_with_enough_trainings(about):
    """Best is the highest accuracy or the lowest loss; two lucky trainings are not enough."""
    sets = three(about)
    curve = best_of(sets).curve(about["y"])
    assert curve.axis.n == len(PATH)
    centre = curve.axis.centres
    first = (centre > -2) if about is ABOUT else (centre < -2)
    np.testing.assert_array_equal(curve.source, np.where(first, 0, 1))
    np.testing.assert_allclose(curve.value, 0.7 if about is ABOUT else 0.5)
    np.testing.assert_allclose(curve.x, centre)
    assert (curve.trainings == 6).all()
    assert curve.reliable.all()
    for k, one in enumerate(sets):  # mean, error and count are those of the set, untouched
        own, mine = one.curve(about["y"]), curve.source == k
        np.testing.assert_array_equal(curve.error[mine], own.error[mine])


def test_sets_that_come_to_other_losses_are_joined():
    """One set ends at -2, another begins at -1.5; below, two trainings alone are not reliable."""
    sets = [
        made_set(0.6, 16, path=PATH[PATH > -2]),
        made_set(0.7, 32, path=PATH[(PATH < -1.5) & (PATH > -2.5)]),
        made_set(0.9, 64, runs=2, path=PATH[PATH < -2.3]),
    ]
    curve = best_of(sets).curve("test-accuracy")
    x = curve.axis.centres
    np.testing.assert_array_equal(curve.source, np.where(x > -1.5, 0, np.where(x > -2.5, 1, 2)))
    np.testing.assert_array_equal(curve.reliable, x > -2.5)
    gap = best_of([sets[0], made_set(0.7, 32, path=PATH[PATH < -3])]).curve("test-accuracy")
    empty = (gap.axis.centres < -2) & (gap.axis.centres > -3)
    np.testing.assert_array_equal(gap.source == -1, empty)
    assert np.isnan(gap.value[empty]).all()
    assert (gap.trainings[empty] == 0).all()


@pytest.mark.parametrize("about", [ABOUT, LOSS])
def test_no_advantage_is_larger_than_over_any_single_set(about, rng):
    """Random curves; the sign of the advantage is that of the record."""
    landscape = made_landscape(np.full((2, 40), 0.6), about=about)
    sets = [made_set(rng.uniform(0.3, 0.9, PATH.size), b, 7, about) for b in (16, 32, 64)]
    sign = advantage.sign_of(about["y"])
    merged = advantage.compare_trained(landscape, best_of(sets))
    single = [advantage.compare_trained(landscape, one) for one in sets]
    each = np.array([sign * one.difference for one in single])
    np.testing.assert_allclose(sign * merged.difference, each.min(axis=0))
    np.testing.assert_array_equal(merged.source, each.argmin(axis=0))
    assert len(set(merged.source)) == 3


def test_the_ending_is_that_of_the_set_with_the_least_advantage():
    """Equilibrium is 0.6 + 0.1 (-x); the sets end elsewhere, each by a known step below it."""
    x = -4 + 0.1 * (np.arange(40) + 0.5)
    landscape = made_landscape(np.tile(0.5 - 0.1 * x, (2, 1)))
    sets = [
        made_set(0.5 - 0.1 * path - gap, batch, path=path)
        for batch, path, gap in ((16, PATH, 0.2), (32, PATH[:12], 0.05), (64, PATH[:20], 0.1))
    ]
    lucky = made_set(0.99, 128, runs=2, path=PATH[:5])
    end = endings_.ending(landscape, best_of([*sets, lucky]))
    assert end.source == 1
    assert end.difference.difference == pytest.approx(0.05)
    assert end.difference.x == pytest.approx(PATH[11])
    ends = endings_.endings(landscape, best_of([*sets, lucky]))
    assert [one.difference.trainings for one in ends] == [6, 6, 6, 2]
    pair = (landscape, [best_of([*sets, lucky])])
    [(_, _, _, point)] = advantage_.by_network([pair])
    assert point.difference == end.difference.difference


def test_the_best_stop_is_one_that_half_of_its_own_set_comes_to():
    """Six of 40 go on to the best bin of all, a lucky few; six of six come to the next best."""
    landscape = made_landscape(np.full((2, 40), 0.6))
    first = made_set(np.where(np.isclose(PATH, -2.05), 0.8, 0.5), 16)
    second = made_set(np.where(PATH < -3, 0.9, 0.7), 32, runs=40)
    x, y = (second.records[name] for name in ("ln-train-loss", "test-accuracy"))
    x[6:], y[6:] = np.maximum(x[6:], -2.95), np.minimum(y[6:], 0.71)
    stop = endings_.early_stop(landscape, best_of([first, second]))
    assert (stop.source, stop.trainings) == (0, 6)
    assert stop.x == pytest.approx(-2.05)
    assert stop.trained == pytest.approx(0.8)


def test_the_report_says_which_set_a_bin_is_of():
    landscape = made_landscape(np.array([[0.78], [0.82]]) + np.zeros(40))
    names = [f"runs/trained-made-b{batch}/" for batch in (16, 32, 64)]
    merged = best_of(three(), names)
    assert merged.names == ("b16", "b32", "b64")
    lines = report(landscape, merged, where=-3.05)
    assert lines[0].split()[2:7] == ["equilibrium", "trained", "trainings", "from", "difference"]
    rows = [line.split() for line in lines[1 : 1 + PATH.size]]
    assert [row[8] for row in rows] == ["b16" if float(row[0]) > -2 else "b32" for row in rows]
    text = "\n".join(lines)
    assert "'worse' is said by chance up to 3 times as often" in text
    least = "whose advantage is the least of those with 5 trainings or more, mean ln L -3.45"
    assert f"where training ends of b32, {least}" in text
    assert "\n  b16: at ln L -3.45 difference +0.300 ± " in text
    assert "\n  b64: at ln L -3.45 difference -0.150 ± " in text
    assert ", of 2 trainings" in text
    assert "at ln L -3.05 of b32" in text
    alone = report(landscape, three()[0])
    assert "from" not in "\n".join(alone)


def test_the_picture_has_one_black_curve():
    landscape = made_landscape(np.array([[0.78], [0.82]]) + np.zeros(40))
    merged = best_of(three())
    figure = plot_advantage(landscape, [merged])
    upper = figure.axes[0]
    black = [line for line in upper.lines if line.get_color() == "black"]
    assert len(black) == 2  # once faint, once where it is reliable
    np.testing.assert_allclose(black[1].get_ydata(), 0.7)
    assert "trained, best of 3" in [text.get_text() for text in upper.figure.legends[0].get_texts()]
    assert figure._supxlabel.get_text().count("trainings ×") == 3
    assert merged.words.endswith("batch 16 or 32 or 64")


def test_what_is_no_choice_is_refused():
    one, other = made_set(0.5, 16, seed=0), made_set(0.6, 16, seed=1, epochs=9)
    with pytest.raises(UserError, match="a and b: differ in seed and length at most"):
        best_of([one, other], ["a", "b"])
    with pytest.raises(UserError, match="two sets of trainings or more"):
        best_of([one])
    with pytest.raises(UserError, match="b: is of another task than a"):
        best_of([one, made_set(0.5, 32, about={**ABOUT, "points": [9, 9]})], ["a", "b"])
    lost = [replace(part, diverged=np.full(part.n_runs, 1)) for part in three()]
    with pytest.raises(UserError, match="all trainings diverged"):
        best_of(lost).curve("test-accuracy")
    half = best_of([lost[0], *three()[1:]])  # a set that diverged is chosen nowhere
    assert set(half.curve("test-accuracy").source) == {1}
    landscape = made_landscape(np.full((2, 40), 0.6))
    assert endings_.ending(landscape, half).source == 1
    assert endings_.early_stop(landscape, half).source == 1
    assert half.until(3).epochs == 3


def test_short_names():
    assert short_names(["runs/t-sgd-0.1-b16", "runs/t-sgd-0.1-b32"]) == ("b16", "b32")
    assert short_names(["a/b16/trained.npz", "a/b32/trained.npz"]) == ("b16", "b32")
    assert short_names(["runs/t-sgd-0.1", "runs/t-sgd-0.1-b32"]) == ("0.1", "0.1-b32")
    assert short_names(["t0", "t1"]) == ("t0", "t1")
