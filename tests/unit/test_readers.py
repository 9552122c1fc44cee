"""Readers of houses and polymers, against files made here and the real ones, where they are."""

import numpy as np
import pytest
from data_files import POINTER, SHARED, house_rows, refused, write_csv

from wlnn.tasks.readers import house, polymer

real = pytest.mark.skipif(not SHARED.exists(), reason="the data are not beside the checkout")


def test_houses_become_331_features(tmp_path, rng):
    rows = house_rows(rng)
    path = write_csv(tmp_path / "train.csv", rows)
    x, price, names = house.house_features(path)
    assert x.shape == (1460, 331)
    numeric = x[:, : len(house.NUMERIC)]
    header = rows[0]
    for k, name in enumerate(house.NUMERIC):
        cells = [row[header.index(name)] for row in rows[1:]]
        known = np.array([float(cell) for cell in cells if cell != "NA"])
        expected = [0.0 if c == "NA" else (float(c) - known.mean()) / known.std() for c in cells]
        np.testing.assert_allclose(numeric[:, k], expected, atol=1e-12)
    assert [name for name in names if name.endswith("_NA")] == [f"{w}_NA" for w in house.WORDS]
    assert names.count("Alley_None") == 1  # a word like any other
    assert x[3, names.index("Alley_NA")] == 1
    assert x[:, names.index("Alley_NA")].sum() == 1
    for name in house.WORDS:
        block = x[:, [k for k, other in enumerate(names) if other.startswith(f"{name}_")]]
        np.testing.assert_array_equal(block.sum(axis=1), 1)
    assert price[0] == float(rows[1][-1])


@real
def test_the_real_houses_are_the_known_features():
    x, price, names = house.house_features(SHARED / "house/train.csv")
    known = np.load(SHARED / "house/house331.npz")
    np.testing.assert_allclose(x, known["x"], atol=2e-6)
    np.testing.assert_array_equal(price, known["price"])
    assert [name.replace("_NA", "_nan") for name in names if not name.endswith("_NAmes")] == [
        str(name) for name in known["names"] if not name.endswith("_NAmes")
    ]


def test_houses_are_shuffled_by_the_seed_and_split(tmp_path, rng):
    write_csv(tmp_path / "train.csv", house_rows(rng))
    x, price, _ = house.house_features(tmp_path / "train.csv")
    target = (np.log(price) - np.log(price).mean()) / np.log(price).std()
    first, again = (house.read_house(tmp_path, 3, 700, 760) for _ in range(2))
    np.testing.assert_array_equal(first.x_train, again.x_train)
    assert not np.array_equal(first.x_train, house.read_house(tmp_path, 4, 700, 760).x_train)
    both = np.concatenate([first.y_train, first.y_test])
    np.testing.assert_allclose(np.sort(both), np.sort(target))
    order = [int(np.flatnonzero(np.isclose(target, y))[0]) for y in first.y_train[:5]]
    np.testing.assert_array_equal(first.x_train[:5], x[order])


def changed(rows, line, column, cell):
    copy = [list(row) for row in rows]
    copy[line][copy[0].index(column)] = cell
    return copy


HOUSES = {
    "text in a number column": (
        lambda rows: changed(rows, 5, "LotArea", "large"),
        "line 6, column 'LotArea': 'large' is no number",
    ),
    "an empty number": (
        lambda rows: changed(rows, 5, "LotArea", ""),
        "line 6, column 'LotArea': the cell is empty",
    ),
    "an empty word": (
        lambda rows: changed(rows, 5, "Alley", ""),
        "line 6, column 'Alley': the cell is empty; what is missing is written NA",
    ),
    "a price of nothing": (lambda rows: changed(rows, 5, "SalePrice", "0"), "not positive"),
    "a missing price": (lambda rows: changed(rows, 5, "SalePrice", "NA"), "column 'SalePrice'"),
    "a new word": (lambda rows: changed(rows, 5, "Alley", "Mud"), "332 features instead of 331"),
    "Kaggle's test file": (lambda rows: [row[:-1] for row in rows], "this is Kaggle's test.csv"),
    "a missing column": (lambda rows: [row[1:5] + row[6:] for row in rows], "no column"),
    "a column too many": (
        lambda rows: [[*row, "1"] if k else [*row, "Pool"] for k, row in enumerate(rows)],
        "column 'Pool' is unknown",
    ),
    "half a row": (lambda rows: [*rows[:-1], rows[-1][:40]], "has 40 cells, the header 81"),
    "half of the rows": (lambda rows: rows[:731], "730 rows of houses"),
}


@pytest.mark.parametrize(("change", "words"), HOUSES.values(), ids=HOUSES)
def test_wrong_houses(tmp_path, rng, change, words):
    path = write_csv(tmp_path / "train.csv", change(house_rows(rng)))
    refused(lambda: house.house_features(path), path.name, words)


SMILES = ["*CC(*)C", "*CC(*)CC", "*C[C@H](Cl)C*", "*OC(Br)%12C*", "*N*", "*C=C*"]


def write_polymers(folder):
    rows = [["smiles", "value"], *[[text, str(1.5 * k)] for k, text in enumerate(SMILES)]]
    return write_csv(folder / "Egb.csv", rows)


def test_ngrams_count_tokens():
    assert polymer.TOKEN.findall("*C[C@H](Cl)%12Br") == [
        "*",
        "C",
        "[C@H]",
        "(",
        "Cl",
        ")",
        "%12",
        "Br",
    ]
    x = polymer.ngram_features(SMILES)
    assert x.shape == (6, 768)
    lengths = np.array([len(polymer.TOKEN.findall(text)) for text in SMILES])
    grams = 3 * lengths - 3  # n + (n - 1) + (n - 2)
    np.testing.assert_allclose(np.expm1(x[:, :384]).sum(axis=1), grams)
    np.testing.assert_allclose(x[:, 384:] * lengths[:, None], np.expm1(x[:, :384]), atol=1e-12)
    assert len(np.unique(x, axis=0)) == 6


def test_embeddings_of_all_formats_are_one(tmp_path, rng):
    embedding = rng.normal(size=(6, 768)).round(3)
    np.save(tmp_path / "a.npy", embedding)
    np.savez(tmp_path / "b.npz", value=np.arange(6), embedding=embedding)
    np.savez(tmp_path / "c.npz", one=embedding, two=2 * embedding)
    np.savetxt(tmp_path / "d.csv", embedding, delimiter=",", fmt="%.3f")
    header = ",".join(f"e{k}" for k in range(768))
    np.savetxt(tmp_path / "e.csv", embedding, delimiter=",", fmt="%.3f", header=header, comments="")
    for name in ("a.npy", "b.npz", "c.npz:one", "d.csv", "e.csv"):
        np.testing.assert_array_equal(polymer.read_embedding(tmp_path / name, 6), embedding)
    refused(lambda: polymer.read_embedding(tmp_path / "c.npz", 6), "c.npz:NAME", "one, two")
    refused(lambda: polymer.read_embedding(tmp_path / "c.npz:six", 6), "c.npz", "holds no 'six'")
    refused(lambda: polymer.read_embedding(tmp_path / "a.npy", 5), "a.npy", "N = 5; found (6, 768)")
    (tmp_path / "f.csv").write_text("1,2\n3,deep\n")
    refused(lambda: polymer.read_embedding(tmp_path / "f.csv", 2), "f.csv", "line 2, column '2'")
    np.save(tmp_path / "g.npy", np.where(embedding > 3, np.nan, np.nan))
    refused(lambda: polymer.read_embedding(tmp_path / "g.npy", 6), "g.npy", "NaN")
    np.save(tmp_path / "h.npy", np.array([{}]), allow_pickle=True)
    refused(lambda: polymer.read_embedding(tmp_path / "h.npy", 6), "h.npy", "never loaded")


def test_polymers(tmp_path, rng):
    write_polymers(tmp_path)
    data = polymer.read_polymer(tmp_path, None, 0, 4, 2)
    assert "hashed n-grams" in data.source["notes"][0]
    np.testing.assert_allclose(data.x_train.std(axis=0)[data.x_train.std(axis=0) > 0], 1)
    values = np.sort(np.concatenate([data.y_train, data.y_test]))
    np.testing.assert_allclose(values, (np.arange(6) - 2.5) / np.arange(6).std())
    raw = polymer.read_polymer(tmp_path, None, 0, 4, 2, scale="raw")
    features = polymer.ngram_features(SMILES)
    assert all((features == row).all(axis=1).any() for row in raw.x_train)
    np.save(tmp_path / "a.npy", rng.normal(size=(6, 768)))
    assert "notes" not in polymer.read_polymer(tmp_path, tmp_path / "a.npy", 0, 4, 2).source
    refused(lambda: polymer.read_polymer(tmp_path, None, 0, 5, 2), "Egb.csv", "cannot be drawn")
    refused(lambda: polymer.read_polymer(tmp_path, None, 0, 4, 2, "unit"), "data.scale", "images")


POLYMERS = {
    "missing": (None, "cannot be read"),
    "empty": (b"", "is empty"),
    "another header": (b"smiles,gap\n*C*,1\n*N*,2\n", "the header is 'smiles,gap'"),
    "text in a number column": (b"smiles,value\n*C*,wide\n*N*,2\n", "column 'value': 'wide'"),
    "NaN": (b"smiles,value\n*C*,nan\n*N*,2\n", "column 'value'"),
    "no SMILES": (b"smiles,value\n,1\n*N*,2\n", "column 'smiles': the cell is empty"),
    "three cells": (b"smiles,value\n*C*,1,2\n*N*,2\n", "line 2 has 3 cells"),
    "one value": (b"smiles,value\n*C*,1\n*N*,1\n", "the same in every row"),
    "Git LFS pointer": (POINTER, "Git LFS pointer"),
    "no text": (b"\xff\xfe\x00\x01", "no CSV text"),
    "half an archive": (b"\x1f\x8b\x08\x00abc", "cut short or damaged"),
}


@pytest.mark.parametrize(("contents", "words"), POLYMERS.values(), ids=POLYMERS)
def test_wrong_polymers(tmp_path, contents, words):
    path = tmp_path / "Egb.csv"
    if contents is not None:
        path.write_bytes(contents)
    refused(lambda: polymer.read_smiles(path), "Egb.csv", words)


@real
def test_the_real_polymers():
    """A linear fit of the built-in features explains most of the band gap: they carry meaning."""
    data = polymer.read_polymer(SHARED / "polymer")
    assert (data.x_train.shape, data.y_test.shape) == ((448, 768), (113,))
    square = data.x_train.T @ data.x_train + 100 * np.eye(768)
    fit = np.linalg.solve(square, data.x_train.T @ data.y_train)
    left = data.x_test @ fit - data.y_test
    assert 1 - (left**2).mean() / data.y_test.var() > 0.8
