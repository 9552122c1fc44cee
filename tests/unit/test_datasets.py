import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset, spiral_classify, spiral_regress
from wlnn.tasks.own_data import read_own


def test_spirals_follow_their_law_without_noise():
    data = spiral_classify(3, points=40, noise=0.0)
    for x, y in ((data.x_train, data.y_train), (data.x_test, data.y_test)):
        r = np.hypot(x[:, 0], x[:, 1])
        assert r.min() >= 1
        assert r.max() <= 5
        angle = 2 * r + np.pi * y
        np.testing.assert_allclose(x, np.stack([r * np.cos(angle), r * np.sin(angle)], 1))
        assert np.bincount(y).tolist() == [20, 20]


def test_noise_has_the_standard_deviation_asked_for():
    clean = spiral_classify(0, points=20_000, noise=0.0).x_train
    noise = spiral_classify(0, points=20_000, noise=0.1).x_train - clean
    # 40,000 normal numbers: the sd is known to 0.35 %, the mean to 5e-4; bounds are 5 sigma
    assert noise.std() == pytest.approx(0.1, rel=0.018)
    assert abs(noise.mean()) < 2.5e-3


def test_radii_are_uniform():
    r = np.hypot(*spiral_classify(0, points=20_000, noise=0.0).x_train.T)
    assert r.mean() == pytest.approx(3, abs=5 * 4 / np.sqrt(12 * 20_000))
    assert r.var() == pytest.approx(16 / 12, rel=0.03)


def test_seeds_and_the_two_sets_differ_and_repeat():
    a, b, other = spiral_classify(0), spiral_classify(0), spiral_classify(1)
    np.testing.assert_array_equal(a.x_train, b.x_train)
    np.testing.assert_array_equal(a.x_test, b.x_test)
    assert not np.isclose(a.x_train, other.x_train).any()
    assert not np.isclose(a.x_train, a.x_test).any()


def test_even_test_radii_leave_the_training_set_alone():
    even, random = spiral_classify(0, noise=0, test_radii="even"), spiral_classify(0, noise=0)
    expected = np.tile(1 + 4 * np.arange(20) / 20, 2)
    np.testing.assert_allclose(np.hypot(*even.x_test.T), expected)
    np.testing.assert_array_equal(even.x_train, random.x_train)


def test_the_regression_surface_and_the_published_points():
    data = spiral_regress("published", points=50)
    x = 10 * np.random.RandomState(1).rand(100, 2) - 5
    np.testing.assert_array_equal(np.concatenate([data.x_train, data.x_test]), x)
    # sin(t - 2 r) from cosine and sine of t instead of its angle
    r = np.hypot(x[:, 0], x[:, 1])
    y = (x[:, 1] * np.cos(2 * r) - x[:, 0] * np.sin(2 * r)) / r
    np.testing.assert_allclose(np.concatenate([data.y_train, data.y_test]), y, atol=1e-12)
    seeded = spiral_regress(0, points=250)
    assert seeded.x_train.shape == (250, 2)
    assert np.abs(seeded.x_train).max() < 5
    assert not np.isclose(seeded.x_train, seeded.x_test).any()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"seed": -1}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 0, "points": 41}, "points"),
        ({"seed": 0, "points": 0}, "points"),
        ({"seed": 0, "noise": -0.1}, "noise"),
        ({"seed": 0, "noise": float("nan")}, "noise"),
        ({"seed": 0, "test_radii": "odd"}, "test_radii"),
    ],
)
def test_wrong_spiral_options_are_named(arguments, words):
    with pytest.raises(UserError, match=words):
        spiral_classify(**arguments)


def test_a_dataset_refuses_what_does_not_fit():
    x, y = np.zeros((3, 2)), np.array([0, 1, 0])
    Dataset(x, y, x, y, {})
    for wrong in (
        (x, y[:2], x, y),
        (x[:, 0], y, x, y),
        (x, y, x[:, :1], y),
        (x * np.nan, y, x, y),
        (x, y, x, y * 1.5),
        (x, y - 1, x, y),
    ):
        with pytest.raises(UserError):
            Dataset(*wrong, {})


# --- CSV ---


@pytest.fixture
def csv(tmp_path):
    def write(train, test=None):
        for name, text in (("train.csv", train), ("test.csv", train if test is None else test)):
            (tmp_path / name).write_bytes(text.encode())
        return tmp_path / "train.csv", tmp_path / "test.csv"

    return write


TRAIN = "a,b,kind\n1,10,7\n2,20,3\n3,30,7\n"


def test_integer_targets_become_labels_and_inputs_are_standardised_by_training(csv):
    data = read_own(*csv(TRAIN, "kind,b,a\n3,40,2\n"), "kind")  # other column order
    assert data.y_train.tolist() == [1, 0, 1]
    assert data.y_test.tolist() == [0]
    assert data.source["classes"] == [3, 7]
    assert data.source["inputs"] == ["a", "b"]
    np.testing.assert_allclose(data.x_train.mean(axis=0), 0, atol=1e-15)
    np.testing.assert_allclose(data.x_train.std(axis=0), 1)
    np.testing.assert_allclose(data.x_test, [[0, 20 / np.sqrt(200 / 3)]])
    assert data.source["input_mean"] == [2, 20]


def test_real_targets_are_standardised_or_left(csv):
    paths = csv("a,t\n1,0.5\n2,1.5\n4,2.5\n", "a,t\n1,4.5\n")
    data = read_own(*paths, "t")
    assert data.classes == 0
    np.testing.assert_allclose(data.y_test, [3 / np.sqrt(2 / 3)])
    raw = read_own(*paths, "t", standardise=False)
    assert raw.x_train[:, 0].tolist() == [1, 2, 4]
    assert raw.y_test.tolist() == [4.5]


def test_a_constant_input_becomes_zero(csv):
    assert (
        read_own(*csv("a,b,t\n1,0.1,0\n2,0.1,1\n3,0.1,1\n"), "t").x_train[:, 1].tolist() == [0] * 3
    )


def test_the_kind_of_target_can_be_said(csv):
    assert read_own(*csv(TRAIN), "kind", task="regress").classes == 0
    many = "a,t\n" + "".join(f"{k},{k}\n" for k in range(30))
    with pytest.raises(UserError, match="30 different whole numbers"):
        read_own(*csv(many), "t")
    assert read_own(*csv(many), "t", task="classify").classes == 30


def test_windows_line_ends_quotes_and_a_byte_order_mark_are_read(csv):
    data = read_own(*csv('\ufeff"a", kind\r\n"1",0\r\n\r\n2e0,1\r\n'), "kind", standardise=False)
    assert data.x_train[:, 0].tolist() == [1, 2]


@pytest.mark.parametrize(
    ("train", "test", "target", "words"),
    [
        ("", TRAIN, "kind", ["train.csv", "empty"]),
        ("\n \n", TRAIN, "kind", ["train.csv", "empty"]),
        ("a,b,kind\n", TRAIN, "kind", ["train.csv", "no row"]),
        ("1,2,0\n3,4,1\n", TRAIN, "kind", ["train.csv", "line 1", "header"]),
        (TRAIN, TRAIN, "sort", ["train.csv", "'sort'", "'a', 'b', 'kind'"]),
        (TRAIN, "a,kind\n1,3\n", "kind", ["test.csv", "'b'"]),
        ("a,kind\n1,3\n2,7\n", TRAIN, "kind", ["train.csv", "'b'"]),
        ("kind\n1\n2\n", None, "kind", ["train.csv", "only column"]),
        ("a,a,kind\n1,2,3\n", None, "kind", ["train.csv", "'a'"]),
        ("a,,kind\n1,2,3\n", None, "kind", ["train.csv", "a name of its own"]),
        ("a,b,kind\n1,2,3\n1,cat,3\n", None, "kind", ["train.csv", "line 3", "'b'", "'cat'"]),
        ("a,b,kind\n1,2,3\n1,nan,3\n", None, "kind", ["train.csv", "line 3", "'b'", "'nan'"]),
        ("a,b,kind\n1,-inf,3\n", None, "kind", ["train.csv", "line 2", "'b'", "'-inf'"]),
        ("a,b,kind\n1,,3\n", None, "kind", ["train.csv", "line 2", "'b'", "empty"]),
        ("a,b,kind\n\n1,2\n", None, "kind", ["train.csv", "line 3", "2 cells", "3"]),
        (TRAIN, "a,b,kind\n1,2,dog\n", "kind", ["test.csv", "line 2", "'kind'", "'dog'"]),
        (TRAIN, "a,b,kind\n1,2,5\n", "kind", ["test.csv", "class 5"]),
        ("a,kind\n1,4\n2,4\n", None, "kind", ["train.csv", "'kind'", "4 in every row"]),
        ("a,kind\n1,4.5\n2,4.5\n", None, "kind", ["train.csv", "'kind'", "same in every row"]),
    ],
)
def test_every_fault_of_a_file_is_one_sentence_that_names_it(csv, train, test, target, words):
    with pytest.raises(UserError) as error:
        read_own(*csv(train, test), target)
    text = str(error.value)
    assert all(word in text for word in words), text
    assert text.endswith(".")
    assert "\n" not in text


def test_unreadable_files_are_named(csv, tmp_path):
    train, test = csv(TRAIN)
    with pytest.raises(UserError, match=r"none.csv: cannot be read"):
        read_own(tmp_path / "none.csv", test, "kind")
    with pytest.raises(UserError, match=r"holds no images; a folder of them for each class"):
        read_own(tmp_path, test, "kind")
    test.write_bytes(b"a,b,kind\n\xff\xfe,2,3\n")
    with pytest.raises(UserError, match=r"test.csv: cannot be read: no CSV text in UTF-8"):
        read_own(train, test, "kind")
    with pytest.raises(UserError, match="'classify' or 'regress'"):
        read_own(train, train, "kind", task="guess")
    train.write_text("a,kind\n1,0.5\n2,1\n")
    with pytest.raises(UserError, match="no whole classes"):
        read_own(train, train, "kind", task="classify")
