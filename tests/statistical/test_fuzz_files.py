"""Spoilt files of every kind, with fixed seeds: each is refused in one sentence or means the same.

No traceback, and no silent acceptance: what is taken must be what was there before.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import sys

import numpy as np
import pytest
from command_line import AVERAGE, BALL, SHORT, run

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.tasks.own_data import read_own
from wlnn.tasks.readers import cifar, mnist
from wlnn.tasks.readers.files import read_arrays

pytestmark = pytest.mark.slow
BEGIN = ("sample", "--task", "ball.py:problem", *SHORT, *AVERAGE)
SAMPLE = (*BEGIN, "--keep-networks", "--out", "done")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A finished run of the ball, and a copy without its result."""
    folder, before = tmp_path_factory.mktemp("made"), os.getcwd()
    os.chdir(folder)
    (folder / "ball.py").write_text(BALL)
    assert run(*SAMPLE).status == 0
    shutil.copytree("done", "begun")
    os.unlink("begun/landscape.npz")
    yield folder
    os.chdir(before)


def flipped(whole: bytes, rng, bits: int = 1) -> bytes:
    spoilt = bytearray(whole)
    for bit in rng.integers(0, 8 * len(whole), bits):
        spoilt[bit // 8] ^= 1 << int(bit % 8)
    return bytes(spoilt)


def is_one_sentence(error: UserError) -> bool:
    return "\n" not in str(error) and str(error)[-1] in ".?"


@pytest.mark.parametrize("name", ["done/landscape.npz", "begun/walker-000.npz"])
def test_flipped_bits_of_results_and_checkpoints(made, name):
    rng, path = np.random.default_rng(1), made / name
    whole, (arrays, meta) = path.read_bytes(), store.load(path)
    refused = 0
    for k in range(2000):
        path.write_bytes(flipped(whole, rng, 1 + k % 3))
        try:
            found, told = store.load(path)
        except UserError as error:
            refused += is_one_sentence(error)
            continue
        assert told == meta
        assert list(found) == list(arrays)
        for key, array in arrays.items():
            assert found[key].dtype == array.dtype
            assert found[key].tobytes() == array.tobytes()
    path.write_bytes(whole)
    assert refused > 1500


def test_flipped_bits_before_the_commands(made):
    rng = np.random.default_rng(2)
    usual = run("info", "done")
    for name, command in (
        ("done/landscape.npz", ("info", "done")),
        ("done/landscape.npz", ("networks", "done", "--at", "1,0.1")),
        ("begun/walker-001.npz", ("info", "begun")),
    ):
        whole = (made / name).read_bytes()
        for _ in range(20):
            (made / name).write_bytes(flipped(whole, rng))
            result = run(*command)
            assert result.status in (0, 2)
            assert result.status == 0 or result.err.startswith("wlnn: ")
            if command == ("info", "done") and result.status == 0:
                assert result.out == usual.out
        (made / name).write_bytes(whole)


WRONG = (
    None,
    True,
    -1,
    3,
    1e300,
    float("nan"),
    "",
    "x" * 50,
    [],
    [1],
    {},
    {"a": {}},
    "../x",
    2**70,
)


def places(value, path=()):
    """The path of every value in a JSON object."""
    yield path
    items = value.items() if isinstance(value, dict) else ()
    items = enumerate(value) if isinstance(value, list) else items
    for key, inner in items:
        yield from places(inner, (*path, key))


def changed(value, path, new):
    if not path:
        return new
    value = value.copy()
    value[path[0]] = changed(value[path[0]], path[1:], new)
    return value


def test_edits_of_run_json(made):
    rng, path = np.random.default_rng(3), made / "begun/run.json"
    whole, contents = path.read_text(), json.loads(path.read_text())
    known = [place for place in places(contents) if place[:1] != ("versions",)]
    edits = [changed(contents, known[k], WRONG[rng.integers(len(WRONG))])
             for k in rng.integers(0, len(known), 120)]  # fmt: skip
    usual = Landscape.load("done/landscape.npz").entropies
    texts = [json.dumps(edit) for edit in edits]
    texts += ["[" * 100_000 + "]" * 100_000, '{"a":' * 50_000, "", "\0", whole[:-30], "null"]
    try:
        for text in texts:
            path.write_text(text)
            result = run("info", "begun")
            assert result.status in (0, 2), text[:200]
            assert result.status == 0 or result.err.startswith("wlnn: ")
            result = run("resume", "begun", "--threads", "1")
            assert result.status in (0, 2), text[:200]
            assert result.err.splitlines()[-1].startswith("wlnn: ") or result.status == 0
            if result.status == 0:  # what was changed had no part in it
                np.testing.assert_array_equal(
                    Landscape.load("begun/landscape.npz").entropies, usual
                )
            (made / "begun/landscape.npz").unlink(missing_ok=True)
    finally:
        path.write_text(whole)


def csv_text(rng) -> str:
    """A table as somebody may have made it, whole or with a few faults."""
    columns, rows = int(rng.integers(1, 5)), int(rng.integers(0, 14))
    separator = str(rng.choice([",", ";", "\t", ", ", "|"], p=[0.4, 0.2, 0.2, 0.15, 0.05]))
    names = [*rng.choice(["a", "b", "c d", "ü", "x2", "index", "1"], columns, False), "label"]
    classes = (["0", "1"], ["cat", "dog"], ["0", "1", "2.5"], ["-1", "3", "7"])[rng.integers(4)]
    wild = ["", "nan", "1e300", "1e-300", "-1e308", "1,5", "1.234,5", "cat", "inf", "0x1f", "1_0",
            '"', "'", "\0", "9" * 400, "é"]  # fmt: skip
    lines = [names]
    for _ in range(rows):
        cells = [f"{value:.4g}" for value in rng.normal(size=columns)]
        lines.append([*cells, str(rng.choice(classes))])
    for _ in range(int(rng.integers(0, 3)) * int(rng.integers(0, 2))):
        line = lines[int(rng.integers(len(lines)))]
        line[int(rng.integers(len(line)))] = str(rng.choice(wild))
    if rng.random() < 0.1:
        lines[-1].append("1")
    return str(rng.choice(["\n", "\r\n", "\r"])).join(separator.join(line) for line in lines)


def test_tables_of_every_kind(tmp_path):
    rng, taken, told = np.random.default_rng(4), 0, set()
    for k in range(400):
        text = csv_text(rng)
        for name in ("train", "test"):
            (tmp_path / f"{name}.csv").write_bytes(text.encode())
        kind = (None, "classify", "regress")[k % 3]
        try:
            data = read_own(
                tmp_path / "train.csv", tmp_path / "test.csv", "label", kind, k % 2 == 0
            )
        except UserError as error:
            told.add(is_one_sentence(error))
            continue
        taken += 1
        assert np.isfinite(data.x_train).all()
        if k % 2 == 0:  # standardised: no column may have become zeros unless it was one number
            rows = len(data.x_train)
            spread = data.x_train.std(axis=0)
            assert (np.isclose(spread, 1) | (spread == 0)).all(), (rows, text)
        if data.classes:
            assert set(data.y_train) == set(range(data.classes))
    assert taken > 80
    assert told == {True}


def test_thirty_tables_before_the_command(made, monkeypatch):
    monkeypatch.setattr("wlnn.wlmc.walker.START_MOVES", 100)  # some windows hold no state
    rng = np.random.default_rng(5)
    short = ("--quick", "--walkers", "1", "--steps", "100", "--threads", "1", "--hidden", "2")
    short += ("--set", "wlmc.stages=2", "--set", "wlmc.anchor_draws=0")
    taken = 0
    for _ in range(30):
        text = csv_text(rng)
        for name in ("train", "test"):
            (made / f"{name}.csv").write_text(text, newline="")
        files = ("--train", "train.csv", "--test", "test.csv", "--target", "label")
        result = run("sample", *files, *short, "--set", "grid.x_high=40", "--out", "table")
        assert result.status in (0, 2), text
        assert result.status == 0 or result.err.splitlines()[-1].startswith("wlnn: ")
        taken += result.status == 0
        shutil.rmtree(made / "table", ignore_errors=True)
    assert taken > 5


def test_archives_of_a_user(tmp_path):
    rng, path, told = np.random.default_rng(6), tmp_path / "digits.npz", set()
    file = io.BytesIO()
    images = rng.integers(0, 256, (40, 28, 28)).astype(np.uint8)
    np.savez_compressed(file, x=images, y=np.arange(40) % 10, index=np.arange(40))
    whole = file.getvalue()
    for k in range(1000):
        path.write_bytes(flipped(whole, rng, 1 + k % 3))
        try:
            found = mnist.digits(path)
        except UserError as error:
            told.add(is_one_sentence(error))
            continue
        np.testing.assert_array_equal(found.images[:, 0], images)
        np.testing.assert_array_equal(found.labels, np.arange(40) % 10)
    assert told == {True}
    parts = [
        b"PK\x03\x04",
        b"\x93NUMPY\x01\x00",
        b"\x1f\x8b\x08",
        b"\x80\x02]r\xff\xff\xff\xff",
        b"",
    ]
    for k in range(500):
        path.write_bytes(parts[k % len(parts)] + rng.bytes(int(rng.integers(1, 300))))
        for read in (mnist.digits, lambda path: read_arrays(path, "an archive")):
            with pytest.raises(UserError) as error:
                read(path)
            assert is_one_sentence(error.value)
        with pytest.raises(UserError):
            cifar.python_batch(path.read_bytes(), "data_batch_1")


def test_the_fuzzer_would_see_a_traceback(made, monkeypatch):
    def broken(path):
        raise KeyError("a bug")

    monkeypatch.setattr(store, "read_run", broken)
    with pytest.raises(KeyError):
        run("resume", "begun")
    assert sys.getrecursionlimit() < 50_000  # that a nest of so many brackets is too deep
