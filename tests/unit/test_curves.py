"""Curves of somebody's own loop as trainings: what they become, and each thing that is refused."""

import numpy as np
import pytest
from test_advantage import ABOUT, made_landscape

import wlnn
from wlnn.base.errors import UserError
from wlnn.report.training import in_words, report
from wlnn.training import endings
from wlnn.training.difference import UNDECIDED, compare_trained
from wlnn.training.trained import Trained, best_epoch

LOSS = [0.7, 0.5, 0.4, 0.25]
ACCURACY = [0.5, 0.6, 0.6, 0.8]
CURVE = {"train-loss": LOSS, "test-accuracy": ACCURACY}
SMOOTH = {**ABOUT, "y": "smoothed-accuracy", "alpha": 5.0}
TEST_LOSS = {**ABOUT, "y": "ln-test-loss"}


def landscape(about=ABOUT):
    return made_landscape([0.7 + 0 * np.arange(40), 0.72 + 0 * np.arange(40)], about=about)


def test_curves_are_records_without_a_start():
    made = Trained.from_curves(landscape(), [CURVE, CURVE], "end", "by hand")
    assert np.isnan(made.records["ln-train-loss"][:, 0]).all()
    np.testing.assert_allclose(made.records["ln-train-loss"][1, 1:], np.log(LOSS))
    np.testing.assert_allclose(made.metric("test-accuracy"), [ACCURACY, ACCURACY])
    assert (made.n_runs, made.epochs, made.words) == (2, 4, "by hand")
    assert (made.diverged == -1).all()


def test_forms_of_curves_are_the_same_trainings(tmp_path):
    """A list of mappings, arrays of runs, a data frame, a structured array, names with underscores,
    ln L; a Task, a landscape; written and read."""
    pandas = pytest.importorskip("pandas")
    task = wlnn.load_task("spiral-classify", layers=1, width=2, points=10)
    fields = [("train-loss", float), ("test_accuracy", float), ("epoch", int)]
    forms = [
        [CURVE],
        CURVE,
        {"train-loss": np.array([LOSS]), "test-accuracy": np.array([ACCURACY])},
        [pandas.DataFrame(CURVE)],
        pandas.DataFrame(CURVE),
        np.array([*zip(LOSS, ACCURACY, range(4), strict=True)], fields),
        {"ln_train_loss": np.log(LOSS), "test_accuracy": ACCURACY, "lr": ["a", "b"]},
    ]
    for form in forms:
        for of in (task, landscape()):
            made = Trained.from_curves(of, form)
            np.testing.assert_allclose(made.metric("ln-train-loss"), [np.log(LOSS)])
            np.testing.assert_allclose(made.metric("test-accuracy"), [ACCURACY])
    again = Trained.load(Trained.from_curves(landscape(), [CURVE], "end").save(tmp_path / "t.npz"))
    assert again.meta["train"] == {"own": "trained elsewhere", "train_loss": "end"}
    assert compare_trained(landscape(), again).trainings.max() == 1


def test_losses_become_logarithms_once():
    both = {"train-loss": LOSS, "test-loss": [2.0, 1.0, 0.5, 0.0]}
    made = Trained.from_curves(landscape(TEST_LOSS), both)
    np.testing.assert_allclose(made.metric("ln-test-loss"), [[*np.log([2.0, 1.0, 0.5]), -np.inf]])
    logs = {"ln-train-loss": np.log(LOSS), "ln-test-loss": [0.5, -0.5, 0.0, 1.0]}
    made = Trained.from_curves(landscape(TEST_LOSS), logs)
    np.testing.assert_allclose(made.metric("ln-test-loss"), [logs["ln-test-loss"]])


def test_runs_may_differ_in_length():
    """Each ends at its own last epoch; a shorter one does not 'leave the landscape' there."""
    short = {"train-loss": [0.7, 0.5], "test-accuracy": [0.5, 0.6]}
    made = Trained.from_curves(landscape(), [CURVE, short])
    assert made.lengths.tolist() == [4, 2]
    np.testing.assert_allclose(made.last("test-accuracy"), [np.log([0.25, 0.5]), [0.8, 0.6]])
    end = endings.ending(landscape(), made)
    assert (end.stopped, end.left_out, end.difference.trainings) == (0, 0, 2)
    assert end.difference.x == pytest.approx(np.log([0.25, 0.5]).mean())
    assert best_epoch(made, "test-accuracy")[0] == pytest.approx(0.7)
    assert in_words(made, "test-accuracy")[0].startswith("2 trainings of 2 to 4 epochs")
    assert made.until(3).lengths.tolist() == [3, 2]


@pytest.mark.parametrize(
    ("train", "test", "epoch"),
    [
        ([0.7, np.nan, np.nan, np.nan], [0.5, 0.6, 0.5, 0.5], 2),
        ([0.7, 0.5, 0.6, np.inf], [0.5, 0.6, 0.5, 0.5], 4),
        ([0.7, 0.5, 0.6, 0.7 * np.exp(10.1)], [0.5, 0.6, 0.5, 0.5], 4),
        ([0.7, 0.5, 0.6, 0.4], [0.5, 0.6, 0.5, np.nan], 4),  # the mean was a number still
    ],
)
def test_a_run_that_diverged_is_left_out_and_named(train, test, epoch):
    lost = {"train-loss": train, "test-accuracy": test}
    made = Trained.from_curves(landscape(), [CURVE, lost, CURVE])
    assert made.diverged.tolist() == [-1, epoch, -1]
    assert made.kept.tolist() == [True, False, True]
    assert np.isnan(made.records["test-accuracy"][1, epoch:]).all()
    assert "1 of them diverged" in "\n".join(in_words(made, "test-accuracy"))
    assert made.curve("test-accuracy").trainings.max() == 2


def test_one_run_has_no_interval_and_says_so():
    made = Trained.from_curves(landscape(), [CURVE], "end")
    found = compare_trained(landscape(), made)
    assert np.isnan(found.half).all()
    assert (found.verdict == UNDECIDED).all()
    end = endings.ending(landscape(), made)
    assert end.difference.trainings == 1
    assert end.difference.difference == pytest.approx(0.71 - 0.8)
    text = "\n".join([*in_words(made, "test-accuracy"), *report(landscape(), made, where=-0.7)])
    assert "one has no error" in text
    assert "no interval and no verdict: a single training has no error" in text
    assert text.count("no interval *") == 4  # a line of the table for each loss
    assert "nan" not in text
    assert "undecided" not in text
    alone = made_landscape([0.7 + 0 * np.arange(40)])
    several = Trained.from_curves(alone, [CURVE] * 5)
    assert "one walker, or not all of them, came there" in "\n".join(report(alone, several))


def test_what_the_train_loss_was_is_told():
    for when, words in (
        ("running-mean", "favours training"),
        ("end", "train loss: of the network at the end of each epoch"),
        (None, "nobody has said so"),
    ):
        made = Trained.from_curves(landscape(), [CURVE] * 2, when)
        assert words in "\n".join(in_words(made, "test-accuracy")), when
        assert ("mean while the epoch went on" in made.words) == (when == "running-mean")
    usual = Trained(made.records, made.diverged, {"train": {"optimizer": "sgd"}})
    assert "train loss: " not in "\n".join(in_words(usual, "test-accuracy"))


def test_several_sets_of_own_curves_make_one_baseline():
    sets = [Trained.from_curves(landscape(), [CURVE] * 5, None, words) for words in ("SGD", "Adam")]
    assert wlnn.best_of(sets).words == "best of 2: SGD or Adam"
    single = [Trained.from_curves(landscape(), [CURVE], None, words) for words in ("SGD", "Adam")]
    text = "\n".join(report(landscape(), wlnn.best_of(single, ("logs/sgd", "logs/adam"))))
    assert "of those with 5 trainings" not in text
    assert " ± -, no interval, of 1 training" in text
    with pytest.raises(UserError, match="would be chance"):
        wlnn.best_of([sets[0], sets[0]])


REFUSED = {
    "no curves": ([], "an empty list has no run"),
    "a text": ("log.csv", "curves must be a mapping .* and not a str"),
    "a number": (3, "not a int"),
    "rows": ([[0.7, 0.5]], "curves of run 0: a mapping of curves by name is needed.* not a list"),
    "no loss": (
        {"loss": LOSS, "test-accuracy": ACCURACY},
        "no 'train-loss' or 'ln-train-loss', only loss, test-accuracy",
    ),
    "no accuracy": ({"train-loss": LOSS}, "no 'test-accuracy', only train-loss"),
    "nothing": ({}, "no 'train-loss' or 'ln-train-loss', only nothing"),
    "two losses": (
        {**CURVE, "ln-train-loss": np.log(LOSS)},
        "'train-loss' and 'ln-train-loss' are the same curve",
    ),
    "lengths": (
        {"train-loss": LOSS, "test-accuracy": ACCURACY[1:]},
        "of one length, a value each epoch: 'train-loss' 4, 'test-accuracy' 3",
    ),
    "an epoch": ([{"train-loss": 0.7, "test-accuracy": 0.5}], "'train-loss': is a single number"),
    "no epoch": ({"train-loss": [], "test-accuracy": []}, "has the shape 0"),
    "a cube": ({**CURVE, "train-loss": np.ones((1, 1, 1))}, "has the shape 1 x 1 x 1"),
    "words": ({**CURVE, "train-loss": ["a", "b"]}, "'train-loss': must be numbers"),
    "NaN between": (
        {**CURVE, "train-loss": [0.7, np.nan, 0.4, 0.3]},
        "'train-loss': epoch 2 is nan, and epoch 3 a number again",
    ),
    "NaN accuracy between": (
        {**CURVE, "test-accuracy": [0.5, np.nan, 0.4, 0.3]},
        "'test-accuracy': epoch 2 is nan, and epoch 3 a number again",
    ),
    "no accuracy later": (
        {**CURVE, "test-accuracy": [0.5, 0.5, np.nan, np.nan]},
        "epoch 3 has no test accuracy .NaN., and its train loss is a number still",
    ),
    "negative": (
        {**CURVE, "train-loss": [0.7, -0.3, -0.5, -1.0]},
        "epoch 2 is -0.3, and no loss is negative; .* called 'ln-train-loss'",
    ),
    "per cent": ({**CURVE, "test-accuracy": [50, 60, 60, 80]}, "divide per cent by 100"),
    "below 0": ({**CURVE, "test-accuracy": [-0.1, 0.6, 0.6, 0.8]}, "epoch 1 is -0.1, and an acc"),
    "another test set": (
        {**CURVE, "test-accuracy": [0.5, 0.6, 0.6125, 0.8]},
        "test set has 10 points, and 0.6125 is no multiple of 1/10",
    ),
    "the second run": ([CURVE, {"train-loss": LOSS}], "curves of run 1: there is no 'test-acc"),
    "a row of the second": (
        [CURVE, {"train-loss": [LOSS, [-1, 0, 0, 0]], "test-accuracy": [ACCURACY, ACCURACY]}],
        "curves of run 2, 'train-loss': epoch 1 is -1",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_wrong_curves_are_refused_in_one_sentence(name):
    curves, words = REFUSED[name]
    with pytest.raises(UserError, match=words) as told:
        Trained.from_curves(landscape(), curves)
    assert "\n" not in str(told.value)
    assert str(told.value).endswith(".")


def test_rounded_accuracies_of_the_test_set_are_taken():
    about = {**ABOUT, "points": [10, 30]}
    counts = np.array([0, 1, 7, 29]) / 30
    for values in (counts.astype("float32"), np.round(counts, 2), np.round(counts, 3), counts):
        Trained.from_curves(landscape(about), {**CURVE, "test-accuracy": values})
    with pytest.raises(UserError, match="no multiple of 1/30"):
        Trained.from_curves(
            landscape(about), {**CURVE, "test-accuracy": np.round(counts, 2) + 0.01}
        )


def test_what_curves_are_of_must_be_a_task():
    with pytest.raises(UserError, match="not of a str"):
        Trained.from_curves("spiral-classify", CURVE)
    bare = made_landscape([0.7 + 0 * np.arange(40)], about={"task": "wells"})
    with pytest.raises(UserError, match="something without a loss"):
        Trained.from_curves(bare, CURVE)
    with pytest.raises(UserError, match="train_loss must be one of end, running-mean, not 'mean'"):
        Trained.from_curves(landscape(), CURVE, "mean")
    with pytest.raises(UserError, match=r"smoothed accuracy \(alpha = 5.0\)"):
        Trained.from_curves(landscape(SMOOTH), CURVE)
    smoothed = {"train-loss": LOSS, "smoothed-accuracy": [0.513, 0.577, 0.6, 0.81]}
    Trained.from_curves(landscape(SMOOTH), smoothed)  # no multiples of 1/10
