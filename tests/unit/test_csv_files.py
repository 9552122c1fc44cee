"""CSV files as people have them: other separators, class names, index columns, wild numbers."""

import warnings

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset, scaled, standardised
from wlnn.tasks.own_data import read_own

ROWS = [
    (-0.654416, 1.82162, 0), (1.33044, -2.30316, 1), (-0.0946441, 1.44637, 0),
    (0.463047, -0.418882, 1), (-0.635428, 1.29413, 0), (1.02842, -0.453287, 1),
    (-1.73645, 0.83709, 0), (0.517881, -0.401154, 1), (-0.960278, 0.707543, 0),
    (0.218092, -1.25719, 1), (-0.991858, 0.724397, 0), (2.29406, 0.00672432, 1),
]  # fmt: skip
HEADER = ("a", "b", "label")


def table(rows=ROWS, header=HEADER, separator=",") -> str:
    lines = [header, *rows]
    return "\n".join(separator.join(str(cell) for cell in line) for line in lines) + "\n"


@pytest.fixture
def files(tmp_path):
    """Writes both files and reads them."""

    def read(train, test=None, target="label", **how):
        for name, text in (("train", train), ("test", train if test is None else test)):
            (tmp_path / f"{name}.csv").write_bytes(text.encode())
        return read_own(tmp_path / "train.csv", tmp_path / "test.csv", target, **how)

    return read


def same(found: Dataset, usual: Dataset):
    for name in ("x_train", "y_train", "x_test", "y_test"):
        np.testing.assert_array_equal(getattr(found, name), getattr(usual, name))


@pytest.mark.parametrize(
    ("separator", "words"),
    [(";", "semicolons"), ("\t", "tabs"), ("|", "bars"), (" ", "blanks"), ("   ", "blanks")],
)
def test_other_separators_give_the_same_numbers_and_are_told(files, separator, words):
    found = files(table(separator=separator))
    same(found, files(table()))
    assert found.notes[0] == f"train.csv: read with {words} between columns"


def test_decimal_commas_beside_semicolons_give_the_same_numbers(files):
    text = "\ufeff" + table(separator=";").replace(".", ",")
    found = files(text, text.replace(";", "\t"))
    same(found, files(table()))
    assert "semicolons between columns and decimal commas" in found.notes[0]
    assert "tabs between columns and decimal commas" in found.notes[1]


def test_commas_and_points_in_one_file_are_not_guessed_at(files):
    text = "a;label\n1.234,5;0\n2,5;1\n3.5;0\n"
    with pytest.raises(UserError, match=r"line 3, column 'a': '2,5' has a comma where other"):
        files(text)
    with pytest.raises(UserError, match=r"'1\.234,5' is no finite number"):
        files("a;label\n1.234,5;0\n2;1\n")


def test_names_of_classes_become_labels_in_sorted_order(files):
    names = {0: "cat", 1: "dog"}
    found = files(table([(a, b, names[c]) for a, b, c in ROWS]))
    same(found, files(table()))
    assert found.source["classes"] == ["cat", "dog"]
    found = files(table([(a, b, c == 0) for a, b, c in ROWS]))
    assert found.source["classes"] == ["False", "True"]
    assert found.y_train.tolist() == [1 - row[2] for row in ROWS]


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (["cat", "dog", "", "cat"], r"line 4, column 'label': the cell is empty"),
        (["cat", "dog", "NA", "cat"], r"line 4, column 'label': 'NA' is no finite number"),
        (["cat", "3", "dog", "cat"], r"line 2, column 'label': 'cat' is no finite number"),
        (["cat"] * 4, r"'label' is cat in every row"),
    ],
)
def test_names_that_are_no_classes_are_told(files, cells, words):
    with pytest.raises(UserError, match=words):
        files(table([(k * k, cell) for k, cell in enumerate(cells)], ("a", "label")))


def test_names_are_no_quantity_and_thirty_of_them_are_asked_about(files):
    text = table([(k * k, f"name {k}") for k in range(30)], ("a", "label"))
    with pytest.raises(UserError, match="30 different names; say --kind classify"):
        files(text)
    assert files(text, task="classify").classes == 30
    with pytest.raises(UserError, match=r"'name 0' is no finite number"):
        files(text, task="regress")
    with pytest.raises(UserError, match="has class bird, which"):
        files("a,label\n1,cat\n2,dog\n", "a,label\n1,bird\n")


# --- what is no input ---


@pytest.mark.parametrize("name", ["Unnamed: 0", "index", "level_0", "Id", "row_id"])
def test_an_index_column_is_no_input(files, name):
    text = table([(k, *row) for k, row in enumerate(ROWS)], (name, *HEADER))
    with pytest.raises(UserError, match=f"the column '{name}' numbers the rows and is no input"):
        files(text)
    shuffled = table([(97 * k % 12, *row) for k, row in enumerate(ROWS)], (name, *HEADER))
    with pytest.raises(UserError, match="numbers the rows"):
        files(shuffled)


@pytest.mark.parametrize("standardise", [True, False])
def test_a_copy_of_the_target_is_told_and_what_is_like_it_is_not(files, standardise):
    for of in (lambda y: y, lambda y: 3 - 2 * y):
        text = table([(*row, of(row[-1])) for row in ROWS], (*HEADER, "copy"))
        found = files(text, standardise=standardise)
        assert "the input 'copy' is a target up to scale and zero in train.csv" in found.notes[0]
    text = table([(*row, row[-1] + (k == 0)) for k, row in enumerate(ROWS)], (*HEADER, "like"))
    assert not any("up to scale" in note for note in files(text, standardise=standardise).notes)


def test_an_index_without_a_name_is_called_one(files):
    text = table([(k, *row) for k, row in enumerate(ROWS)], ("", *HEADER))
    with pytest.raises(UserError, match=r"an index that pandas wrote\? use .*index=False"):
        files(text)


def test_a_quantity_called_index_is_an_input_and_a_count_of_rows_is_told(files):
    text = table([(1 + k / 3, *row) for k, row in enumerate(ROWS)], ("index", *HEADER))
    assert files(text).x_train.shape == (12, 3)
    found = files(table([(5 + k, *row) for k, row in enumerate(ROWS)], ("t", *HEADER)))
    assert found.x_train.shape == (12, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        files(table([(1e308 * (-1) ** k, *row) for k, row in enumerate(ROWS)], ("t", *HEADER)))
    assert found.notes[0].startswith("the input 't' rises by one from row to row of train.csv")


def test_several_targets_are_quantities_each_by_its_own_mean_and_deviation(files):
    rows = [(*row[:2], row[0] * 0.5, row[1] * 0.7 + 3) for row in ROWS]
    text = table(rows, ("a", "b", "y1", "y2"))
    found = files(text, target="y2, y1")
    assert found.notes[-1] == "2 inputs 'a', 'b'; the targets 'y2', 'y1' are quantities"
    assert found.source["target"] == ["y2", "y1"]
    assert found.targets == 2
    np.testing.assert_allclose(found.y_train, found.x_train[:, ::-1], atol=1e-12)
    raw = np.array(rows)[:, 3:1:-1]
    np.testing.assert_allclose(found.source["target_mean"], raw.mean(axis=0))
    np.testing.assert_allclose(found.source["target_std"], raw.std(axis=0))
    np.testing.assert_array_equal(files(text, target=["y2", "y1"], standardise=False).y_test, raw)
    one = files(text, target="y1")
    assert one.notes[-1] == "3 inputs 'a', 'b', 'y2'; the target 'y1' is a quantity"
    comma = table(rows, ("a", "b", '"y1,y2"', "c"))
    assert files(comma, target="y1,y2").source["target"] == "y1,y2"  # one column of that name


@pytest.mark.parametrize(
    ("target", "how", "words"),
    [
        ("y,z", {}, "no target column 'z'; the columns are 'a', 'label', 'y'"),
        ("y,y", {}, "the target column 'y' is named twice"),
        ("a,y,label", {}, "every column is a target; at least one input is needed"),
        ("label,k", {}, "hold whole numbers only; say --kind regress if they are quantities"),
        ("label,y", {"task": "classify"}, "several are quantities, and classes come in one column"),
        ("word,y", {}, "line 2, column 'word': 'no' is no finite number"),
        ("y,c", {}, "the target 'c' is the same in every row"),
    ],
)
def test_what_cannot_be_several_targets_is_told(files, target, how, words):
    columns = {
        "a": [row[0] for row in ROWS],
        "label": [row[2] for row in ROWS],
        "y": [row[1] for row in ROWS],
        "k": [k % 3 for k in range(12)],
        "c": [7.5] * 12,
        "word": ["no", "yes"] * 6,
    }
    names = ["a", "label", "y"]
    names += [name for name in target.split(",") if name in columns and name not in names]
    text = table(zip(*(columns[name] for name in names), strict=True), names)
    with pytest.raises(UserError, match=words):
        files(text, target=target, **how)


def test_whole_targets_that_may_be_quantities_are_told(files):
    text = table([(k * k, k % 4 - 1) for k in range(12)], ("a", "y"))
    note = files(text, target="y").notes[-1]
    assert "has 4 classes, -1, 0, 1, 2; if it is a quantity, give --kind regress" in note
    assert "is a quantity" in files(text, target="y", task="regress").notes[-1]
    with pytest.raises(UserError, match=r"class 9, which .*; if it is a quantity, give --kind"):
        files(text, "a,y\n1,9\n", target="y")


# --- numbers whose squares are none ---


def test_one_huge_cell_leaves_its_column_standardised():
    column = np.array([1e300, 1.0, -2.0, 3.0])
    train, test, mean, std = scaled(column[:, None], column[:, None])
    # by hand: mean 2.5e299, variance (0.75^2 + 3 * 0.25^2) / 4 = 3/16 in units of 1e600
    np.testing.assert_allclose(train[:, 0], [3 / np.sqrt(3), *[-1 / np.sqrt(3)] * 3])
    np.testing.assert_array_equal(train, test)
    np.testing.assert_allclose(mean, [2.5e299])
    np.testing.assert_allclose(std, [np.sqrt(3 / 16) * 1e300])


@pytest.mark.parametrize("size", [1e-310, 1e-300, 1e-160, 1e-5, 1.0, 1e140, 1e160, 1e300, 1e308])
def test_the_unit_of_a_column_does_not_matter(size):
    column = np.array([1.0, -0.5, 0.25, 1.5])
    expected = (column - column.mean()) / column.std()
    found, _, _, _ = scaled(size * column[:, None], size * column[:, None])
    tolerance = 1e-9 if size > 1e-300 else 1e-6  # subnormal numbers have fewer digits
    np.testing.assert_allclose(found[:, 0], expected, rtol=tolerance)
    np.testing.assert_allclose(standardised(size * column)[0], expected, rtol=tolerance)


def test_ordinary_columns_are_scaled_bit_for_bit_as_ever(rng):
    train, test = rng.normal(3, 2, (50, 4)), rng.normal(3, 2, (20, 4))
    mean, std = train.mean(axis=0), train.std(axis=0)
    found = scaled(train, test)
    np.testing.assert_array_equal(found[0], (train - mean) / std)
    np.testing.assert_array_equal(found[1], (test - mean) / std)


def test_what_lies_out_of_reach_of_training_is_told_by_column(files):
    rows = [(f"{1 + k % 3}e-300", b, c) for k, (_, b, c) in enumerate(ROWS)]
    with pytest.raises(UserError, match=r"test\.csv: column 'a' has numbers too far from those of"):
        files(table(rows), table([("1e300", 0, 1)]))
    targets = [(k * k, f"{k}.5e-300") for k in range(12)]
    with pytest.raises(UserError, match=r"test\.csv: column 'y' has numbers too far"):
        files(table(targets, ("a", "y")), table([(1, "1e300")], ("a", "y")), target="y")


def test_a_huge_target_is_standardised(files):
    found = files(table([(k * k, f"{k}.5e299") for k in range(12)], ("a", "y")), target="y")
    assert found.classes == 0  # though numbers so large are all whole
    assert found.y_train.std() == pytest.approx(1)


# --- arrays ---

X = np.random.default_rng(0).normal(size=(24, 2))
Y = np.arange(24) % 2


@pytest.mark.parametrize(
    ("train", "test", "words"),
    [
        (Y + 1, Y + 1, "labels must be 0..K-1 without gaps: 0 never occurs in training"),
        (2 * Y, 2 * Y, "without gaps: 1 never occurs"),
        (0 * Y, Y, "class 1 is in the test set and not in the training set"),
        (np.array(["a", "b"])[Y], np.array(["a", "b"])[Y], "targets of type <U1; give real"),
        (Y + 0j, Y + 0j, "targets of type complex128"),
        (Y.astype(object), Y.astype(object), "targets of type object"),
        (np.eye(2, dtype=int)[Y], np.eye(2, dtype=int)[Y], "has 2 whole numbers a row as targets"),
    ],
)
def test_labels_of_arrays_follow_the_rule_of_the_files(train, test, words):
    with pytest.raises(UserError, match=words):
        Dataset(X, train, X, test, {})


def test_masked_cells_of_arrays_are_no_data():
    masked = np.ma.masked_greater(X, 1)
    with pytest.raises(UserError, match="test set has masked inputs"):
        Dataset(X, Y, masked, Y, {})
    with pytest.raises(UserError, match="train set has masked targets"):
        Dataset(X, np.ma.masked_equal(Y, 1), X, Y, {})
    assert Dataset(np.ma.masked_greater(X, 99), Y, X, Y, {}).x_train.shape == X.shape
