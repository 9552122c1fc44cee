"""Tables as people have them: twenty dialects of CSV, arrays, Parquet, data frames, images.

Each gives the right numbers, or one sentence.
"""

import time
from decimal import Decimal

import numpy as np
import pytest
from command_line import run

from wlnn.base.errors import UserError
from wlnn.runs.command import command_of
from wlnn.runs.recipe import fingerprint, read_recipe
from wlnn.tasks import columns
from wlnn.tasks.own import task_from_csv
from wlnn.tasks.own_data import _targets, read_own

A, B, Y = [0.5, -1.25, 3.0, 2.0], [1.0, 0.0, 4.5, -2.0], [0, 1, 1, 0]


def table(a=A, b=B, y=Y, header="a,b,y", join=",", ends="\n"):
    rows = zip(a, b, y, strict=True)
    lines = [header.replace(",", join), *(join.join(map(str, row)) for row in rows)]
    return ends.join(lines) + ends


MORE = "; write one, leave the row out, or give --missing mean"
DIALECTS = {  # text -> what is read: None for A, B, Y; other labels; or the sentence
    "plain": (table(), None),
    "byte order mark": ("\ufeff" + table(), None),
    "Windows line ends": (table(ends="\r\n"), None),
    "old Mac line ends": (table(ends="\r"), None),
    "no line end at the end": (table().rstrip("\n"), None),
    "blank lines": (table().replace("\n", "\n\n") + "\n", None),
    "semicolons": (table(join=";"), None),
    "tabs": (table(join="\t"), None),
    "semicolons and decimal commas": (table(join=";").replace(".", ","), None),
    "tabs and decimal commas": (table(join="\t").replace(".", ","), None),
    "spaces after commas": (table(join=", "), None),
    "quoted header": (table(header='"a","b","y"'), None),
    "quoted numbers": (table(a=[f'"{v}"' for v in A]), None),
    "numbers with exponents": (table(a=[f"{v:.3e}" for v in A]), None),
    "plus signs": (table(a=[f"{v:+}" for v in A]), None),
    "words as classes": (table(y=["no", "yes", "yes", "no"]), ["no", "yes"]),
    "quoted classes with commas": (table(y=['"a, b"', "c", "c", '"a, b"']), ["a, b", "c"]),
    "truth values": (table(y=["False", "True", "True", "False"]), ["False", "True"]),
    "classes from 1": (table(y=[1, 2, 2, 1]), [1, 2]),
    "a missing cell": (table(a=[0.5, "", 3, 2]), r"line 3, column 'a': the cell is empty" + MORE),
    "NA": (table(a=[0.5, "NA", 3, 2]), r"line 3, column 'a': 'NA' is no finite number" + MORE),
    "a missing target": (table(y=[0, "", 1, 0]), "'y': the cell is empty; write one, or leave"),
    "infinity": (table(a=[0.5, "inf", 3, 2]), "'inf' is no finite number; write one, or leave"),
    "thousands": (table(a=[0.5, '"1,000.5"', 3, 2]), r"'1,000.5' is no finite number"),
    "a word among numbers": (table(a=[0.5, "low", 3, 2]), "'low' is no finite number"),
    "an underscore": (table(a=[0.5, "1_0", 3, 2]), "'1_0' is no finite number"),
    "comment lines": ("# made today\n" + table(), "line 2 has 3 cells, the header 1"),
    "a short row": (table() + "1,2\n", "line 6 has 2 cells, the header 3"),
    "a title row": ("results,,\n" + table(), "the header has a column named ''"),
    "a doubled column": (table(header="a,a,y"), "two columns named 'a'"),
    "no header": (table().split("\n", 1)[1], "line 1 holds numbers; a header"),
    "Latin-1": (table(header="é,b,y").encode("latin-1"), "no CSV text in UTF-8"),
    "UTF-16": (table().encode("utf-16"), "no CSV text in UTF-8"),
    "an index": (table(header="id,b,y", a=[0, 1, 2, 3]), "'id' numbers the rows and is no input"),
}


@pytest.mark.parametrize("name", DIALECTS)
def test_dialects(name, tmp_path):
    text, wanted = DIALECTS[name]
    path = tmp_path / "t.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    if isinstance(wanted, str):
        with pytest.raises(UserError, match=wanted) as found:
            read_own(path, path, "y", standardise=False)
        assert str(found.value).count("\n") == 0
        return
    found = read_own(path, path, "y", standardise=False)
    np.testing.assert_array_equal(found.x_train, np.transpose([A, B]))
    np.testing.assert_array_equal(found.y_test, Y)
    assert found.source["classes"] == (wanted or [0, 1])


# --- missing cells, words, splits ---

WORDS = {
    "size": [1.0, np.nan, 4.0, 3.0, 2.0, 6.0],
    "colour": ["red", "blue", "", "red", "red", "blue"],
    "y": [0.5, 1.5, 0.25, 2.5, 3.5, 1.0],
}


@pytest.fixture
def frame():
    pandas = pytest.importorskip("pandas")
    return pandas.DataFrame(WORDS).replace({"": None})


def write(path, frame):
    frame.to_csv(path, index=False)
    return path


def test_missing_cells_become_means_and_words_columns_and_both_are_told(frame, tmp_path):
    path = write(tmp_path / "t.csv", frame)
    with pytest.raises(UserError, match=r"line 3, column 'size': the cell is empty" + MORE):
        read_own(path, path, "y")
    found = read_own(path, path, "y", missing="mean", standardise=False)
    expected = [
        [1, 0, 1], [3.2, 1, 0], [4, 0.4, 0.6], [3, 0, 1], [2, 0, 1], [6, 1, 0],
    ]  # fmt: skip
    np.testing.assert_allclose(found.x_train, expected)
    assert found.source["inputs"] == ["size", "colour=blue", "colour=red"]
    assert found.source["missing"] == {"size": [1, 1], "colour": [1, 1]}
    assert found.source["words"] == {"colour": ["blue", "red"]}
    assert found.notes[:3] == (
        "2 missing cells of 'size' became the mean in training",
        "2 missing cells of 'colour' became the shares of its words in training",
        "the words of 'colour' became 2 inputs: blue, red",
    )
    scaled = read_own(path, path, "y", missing="mean")
    np.testing.assert_array_equal(scaled.x_train[:, 1:], found.x_train[:, 1:])
    assert scaled.x_train[:, 0].std() == pytest.approx(1)
    assert scaled.source["input_std"][1:] == [1.0, 1.0]


def test_means_are_those_of_training_and_new_words_are_refused(frame, tmp_path):
    whole, few = frame.fillna({"colour": "red"}), frame.iloc[[0, 1, 3]].copy()
    found = read_own(few, whole, "y", missing="mean", standardise=False)
    assert found.x_test[1, 0] == 2.0
    few["colour"] = "red"
    with pytest.raises(UserError, match="has the word 'blue', which training never shows"):
        read_own(few, whole, "y", missing="mean")
    few["size"] = np.nan
    with pytest.raises(UserError, match="column 'size' has no value at all; leave it out"):
        read_own(few, few, "y", missing="mean")
    many = frame.iloc[np.arange(30) % 6].assign(size=1.0, colour=[f"w{k}" for k in range(30)])
    with pytest.raises(UserError, match="30 different words; more than 20 are no input"):
        read_own(many, many, "y")


def test_one_file_is_split_by_a_seed(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,y\n" + "".join(f"{k * k},{k + 0.5}\n" for k in range(10)))
    found = read_own(path, None, "y", standardise=False, split=0.7, split_seed=3)
    again = read_own(path, None, "y", standardise=False, split=0.7, split_seed=3)
    other = read_own(path, None, "y", standardise=False, split=0.7)
    np.testing.assert_array_equal(found.x_train, again.x_train)
    assert (found.x_train[:, 0] != other.x_train[:, 0]).any()
    rows = np.concatenate([found.x_train, found.x_test])[:, 0]
    np.testing.assert_array_equal(np.sort(rows), np.arange(10) ** 2)
    assert (len(found.x_train), len(found.x_test)) == (7, 3)
    assert (found.source["split"], found.source["split_seed"]) == (0.7, 3)
    assert "7 of 10 rows train, 3 test (split seed 3)" in found.notes
    mean = read_own(path, None, "y", split=0.7, split_seed=3).x_train.mean()
    assert mean == pytest.approx(0, abs=1e-12)  # of the training rows alone
    with pytest.raises(UserError, match="between 0 and 1, not 2"):
        read_own(path, None, "y", split=2)
    with pytest.raises(UserError, match=r"give a test set, or split=0\.5"):
        read_own(path, None, "y")


# --- other files ---


def test_frames_npz_npy_and_parquet_are_what_csv_is(frame, tmp_path):
    usual = read_own(*2 * [write(tmp_path / "t.csv", frame)], "y", missing="mean")
    files = {"frame": frame}
    pytest.importorskip("pyarrow")
    frame.to_parquet(tmp_path / "t.parquet")
    files["parquet"] = tmp_path / "t.parquet"
    numbers = {"size": frame["size"].to_numpy(), "y": frame["y"].to_numpy()}
    words = np.array(["" if word is None else word for word in frame["colour"]])
    np.savez(tmp_path / "t.npz", size=numbers["size"], colour=words, y=numbers["y"])
    files["npz"] = tmp_path / "t.npz"
    for name, file in files.items():
        found = read_own(file, file, "y", missing="mean")
        np.testing.assert_array_equal(found.x_train, usual.x_train, err_msg=name)
        np.testing.assert_array_equal(found.y_train, usual.y_train, err_msg=name)
    np.save(tmp_path / "t.npy", np.stack([np.r_[1.0, 3, 4, 3], numbers["y"][:4]], axis=1))
    found = read_own(tmp_path / "t.npy", tmp_path / "t.npy", "1", standardise=False)
    assert found.x_train[:, 0].tolist() == [1, 3, 4, 3]
    task = task_from_csv(frame, None, "y", split=0.5, missing="mean", hidden=(3,))
    assert (task.name, task.network.sizes) == ("frame-y", (3, 3, 1))


@pytest.mark.parametrize(
    ("arrays", "words"),
    [
        ({"x": np.zeros((3, 2)), "y": np.zeros(4)}, r"columns have \[3, 4\] rows"),
        ({"x": np.zeros((3, 2, 2))}, r"the array 'x' has the shape \(3, 2, 2\)"),
        ({"x": np.zeros(3) + 1j, "y": np.zeros(3)}, "values of type complex128"),
        ({"x": np.array([1.0, np.nan, 2.0]), "y": np.arange(3)}, "row 1, column 'x': 'nan' is no"),
        ({"x": np.array([1.0, 4.0, 2.0]), "z": np.arange(3)}, "no target column 'y'"),
        ({"x": np.eye(3), "x 0": np.ones(3), "y": np.arange(3)}, "two arrays have a column 'x 0'"),
    ],
)
def test_arrays_that_are_no_table_are_told(arrays, words, tmp_path):
    np.savez(tmp_path / "t.npz", **arrays)
    with pytest.raises(UserError, match=words):
        read_own(tmp_path / "t.npz", tmp_path / "t.npz", "y")


def test_files_that_are_no_parquet_and_pyarrow_that_is_not_there(tmp_path, monkeypatch):
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not")
    monkeypatch.setitem(__import__("sys").modules, "pyarrow", None)
    with pytest.raises(UserError, match=r"needs pyarrow: pip install 'wlnn\[parquet\]'"):
        read_own(tmp_path / "t.parquet", None, "y", split=0.5)
    monkeypatch.undo()
    pytest.importorskip("pyarrow")
    with pytest.raises(UserError, match="no Parquet file"):
        read_own(tmp_path / "t.parquet", None, "y", split=0.5)


def test_the_index_of_a_stored_frame_is_no_input(frame, tmp_path):
    pytest.importorskip("pyarrow")
    frame.iloc[[3, 1, 0, 2, 5, 4]].to_parquet(
        tmp_path / "t.parquet"
    )  # as rows drawn from a table are
    frame.set_index("size", drop=False).rename_axis("id").to_parquet(tmp_path / "named.parquet")
    for name, index in (("t", "__index_level_0__"), ("named", "id")):
        found = read_own(*2 * [tmp_path / f"{name}.parquet"], "y", missing="mean")
        assert found.source["inputs"][0] == "size"
        assert index not in found.source["inputs"]
        assert found.notes[0] == f"{name}.parquet: the index '{index}' of a data frame is left out"


def test_parquet_of_decimals_of_doubled_columns_and_of_more_cells_than_memory(
    tmp_path, monkeypatch
):
    pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    decimals = pa.array([Decimal("0.5"), None, Decimal("2"), Decimal("4")], pa.decimal128(9, 3))
    y, path = pa.array([0, 1, 1, 0]), tmp_path / "t.parquet"
    parquet.write_table(pa.table({"a": decimals, "y": y}), path)
    found = read_own(path, path, "y", missing="mean", standardise=False)
    np.testing.assert_allclose(found.x_train[:, 0], [0.5, 6.5 / 3, 2, 4])
    parquet.write_table(pa.Table.from_arrays([y, y, y], names=["a", "a", "y"]), path)
    with pytest.raises(UserError, match=r"t\.parquet: there are two columns named 'a'; rename one"):
        read_own(path, path, "y")
    monkeypatch.setattr(columns, "MOST_CELLS", 100_000)
    parquet.write_table(pa.table({"a": np.zeros(200_000), "y": np.zeros(200_000)}), path)
    assert path.stat().st_size < 10_000
    with pytest.raises(UserError, match="has 400,000 cells; tables of 100,000 are read at most"):
        read_own(path, path, "y")
    (tmp_path / "t.csv").write_text("a,y\n" + "1,2\n" * 100_000)
    with pytest.raises(UserError, match="has 200,002 cells"):
        read_own(tmp_path / "t.csv", tmp_path / "t.csv", "y")


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"train": np.eye(3)}, "a path or a data frame, not of type ndarray; .* pandas.DataFrame"),
        ({"split": "half"}, "--split must lie between 0 and 1, not half"),
        ({"hidden": 8}, "hidden must be whole numbers of units, not 8"),
    ],
)
def test_arguments_of_other_types_are_told(wrong, words, frame):
    with pytest.raises(UserError, match=words):
        task_from_csv(**{"train": frame, "split": 0.5, "target": "y", "missing": "mean"} | wrong)


def test_names_that_are_numbers_and_numbers_that_are_none(frame):
    table = frame[["y"]].assign(x=frame["y"] ** 2).set_axis([0, 1], axis=1)
    found = read_own(table, table, 0)
    assert (found.source["target"], found.source["inputs"]) == ("0", ["1"])
    assert read_own(table, table, [0]).source["target"] == "0"
    table[1] = [10**400] * len(table)
    with pytest.raises(UserError, match="row 0, column '1': 'inf' is no finite number"):
        read_own(table, table, 0)


def test_columns_without_end_are_found_by_name_at_once():
    names = [f"x {k}" for k in range(60_000)]  # colours of 141 x 141 pixels
    table = columns.Columns("t.npz", names, {}, [0, 1])
    begun = time.process_time()
    assert _targets(table, table._replace(names=names[::-1]), "x 7") == ["x 7"]
    assert time.process_time() - begun < 5  # 0.01 s; minutes where each is sought in a list


@pytest.fixture
def folder(tmp_path):
    """Two classes of six images of 3 x 2 pixels: dark cats, light dogs."""
    from PIL import Image

    for name, level in (("cat", 10), ("dog", 200)):
        (tmp_path / "images" / name).mkdir(parents=True)
        for k in range(6):
            pixels = np.full((2, 3), level + k, np.uint8)
            Image.fromarray(pixels).save(tmp_path / "images" / name / f"{k}.png")
    return tmp_path / "images"


def test_folders_of_images_by_class(folder):
    from PIL import Image

    found = read_own(folder, folder, standardise=False)
    assert found.x_train.shape == (12, 6)
    assert found.x_train[0].tolist() == [10 / 255] * 6
    assert found.source["classes"] == ["cat", "dog"]
    assert found.y_train.tolist() == [0] * 6 + [1] * 6
    assert found.notes[0] == "images: 12 images of 3 x 2 pixels, values from 0 to 1"
    before = fingerprint(folder)
    colours = np.zeros((2, 3, 3), np.uint8)
    Image.fromarray(colours).save(folder / "cat" / "6.png")
    assert fingerprint(folder) != before
    with pytest.raises(UserError, match="make all images alike"):
        read_own(folder, folder)
    (folder / "cat" / "6.png").write_bytes(b"no image")
    with pytest.raises(UserError, match=r"6.png: is no image that can be read"):
        read_own(folder, folder)
    (folder / "cat" / "6.png").rename(folder / "cat" / "notes.txt")
    with pytest.raises(UserError, match=r"notes.txt: is no image"):
        read_own(folder, folder)


def test_images_whose_pixels_are_no_bytes_or_that_are_seen_otherwise_are_told(folder):
    from PIL import Image

    grey, path = Image.new("L", (3, 2), 7), folder / "cat" / "0.png"
    seen = grey.convert("RGBA")
    seen.putpixel((1, 1), (0, 0, 0, 0))
    Image.fromarray(np.full((2, 3), 500, np.uint16)).save(path)
    with pytest.raises(UserError, match=r"0\.png: has more than 8 bits a pixel; save it with 8"):
        read_own(folder, folder)
    seen.save(path)
    with pytest.raises(UserError, match=r"0\.png: has transparent pixels"):
        read_own(folder, folder)
    grey.convert("LA").save(path)  # an alpha that hides nothing is nothing
    assert read_own(folder, folder, standardise=False).x_train[0].tolist() == [7 / 255] * 6
    for ending in ("gif", "tif"):
        grey.save(path.with_suffix(f".{ending}"), save_all=True, append_images=[seen.convert("L")])
        with pytest.raises(UserError, match=rf"0\.{ending}: has 2 frames; save the one"):
            read_own(folder, folder)
        path.with_suffix(f".{ending}").unlink()


def test_a_tiff_that_does_not_say_where_its_pixels_are_is_damaged(folder):
    from PIL import Image

    path = folder / "cat" / "0.tif"
    Image.new("L", (3, 2), 7).save(path)
    contents = bytearray(path.read_bytes())
    at = contents.rindex(b"\x17\x01")  # StripByteCounts
    contents[at + 4 : at + 8] = b"\xff\xff\xff\x0f"
    path.write_bytes(contents)
    with pytest.raises(UserError, match=r"0\.tif: is no image that can be read"):
        read_own(folder, folder)


# --- the command line ---


def test_the_command_lists_the_columns_and_keeps_what_was_done(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "t.csv").write_text(
        "a,colour,y\n" + "".join(f"{k * k % 7},{'rgb'[k % 3]},{k % 2}\n" for k in range(20))
    )
    asked = run("train", "--train", "t.csv", "--split", "0.5")
    assert "needs --target as well; the columns there are 'a', 'colour', 'y'" in asked.err
    for options, words in (
        (("--target", "y"), "--train needs --test as well, or --split 0.5"),
        (("--target", "y", "--split", "0.5", "--test", "t.csv"), "exclude each other"),
        (("--target", "y", "--test", "t.csv", "--split-seed", "1"), "goes with --split"),
        (("--target", "y", "--split", "0.5", "--split-seed", "1.5"), "a whole number of 0 or more"),
    ):
        refused = run("train", "--train", "t.csv", *options)
        assert (refused.status, refused.err.count("\n")) == (2, 1)
        assert words in refused.err
    how = ("--split", "0.6", "--split-seed", "2", "--missing", "mean", "--hidden", "2")
    short = ("--runs", "2", "--epochs", "2", "--processes", "1")
    done = run("train", "--train", "t.csv", "--target", "y", *how, *short, "--out", "run")
    assert done.status == 0, done.err
    assert "12 of 20 rows train, 8 test (split seed 2)" in done.err
    assert "the words of 'colour' became 3 inputs: b, g, r" in done.err
    stored = (tmp_path / "run" / "run.json").read_text()
    assert '"split_seed": 2' in stored
    assert '"words"' in stored
    assert run("resume", "run").status == 0
    told = command_of(read_recipe("run"))
    assert "--target y --missing mean --split 0.6 --split-seed 2" in told
    (tmp_path / "t.csv").write_text((tmp_path / "t.csv").read_text() + "1,r,0\n")
    assert "has changed since the run in run began" in run("resume", "run").err
