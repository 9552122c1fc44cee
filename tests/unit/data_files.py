"""Small files in the formats of the tasks' data, written as their makers write them."""

from __future__ import annotations

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.tasks.readers import house

ROWS = 1460
SHARED = Path(__file__).parents[3] / "shared/data"  # the real files, where they are
POINTER = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 17922\n"


def refused(read, name, words):
    """``read()`` ends in one sentence that holds both texts."""
    with pytest.raises(UserError) as error:
        read()
    text = str(error.value)
    assert words in text, text
    assert name in text
    assert "\n" not in text


def house_rows(rng) -> list[list[str]]:
    """Header and 1460 rows with 252 words in 43 columns, some of them missing, and "None"."""
    header = ["Id", *house.NUMERIC, *house.WORDS, house.TARGET]
    columns = {"Id": [str(k + 1) for k in range(ROWS)]}
    for name in house.NUMERIC:
        columns[name] = [str(v) for v in rng.integers(0, 100, ROWS)]
    columns["LotFrontage"][7] = "NA"
    for k, name in enumerate(house.WORDS):
        words = ["None", "Gd", "TA", "Ex", "Fa", "Po"][: 6 if k < 37 else 5]  # 37 * 6 + 6 * 5 = 252
        columns[name] = [words[j % len(words)] for j in range(ROWS)]
    columns["Alley"][3] = "NA"
    columns[house.TARGET] = [str(v) for v in rng.integers(50_000, 500_000, ROWS)]
    return [header, *[list(row) for row in zip(*(columns[name] for name in header), strict=True)]]


def write_csv(path, rows):
    """Rows of cells with a comma between them."""
    path.write_text("\n".join(",".join(row) for row in rows) + "\n")
    return path


def idx(array) -> bytes:
    """An IDX file of bytes: images or labels."""
    magic = 0x0800 + array.ndim
    return struct.pack(f">{1 + array.ndim}I", magic, *array.shape) + array.tobytes()


def write_mnist(folder, images, labels, packed=False):
    """Images and labels as the two IDX files of the training set."""
    for name, array in (("images-idx3", images), ("labels-idx1", labels)):
        contents = idx(array)
        name = f"train-{name}-ubyte" + ".gz" * packed
        (folder / name).write_bytes(gzip.compress(contents) if packed else contents)
    return folder


def python2_batch(images, labels) -> bytes:
    """A pickle as Python 2 wrote the CIFAR-10 batches: protocol 2, keys and bytes as ``str``."""

    def text(value: bytes) -> bytes:
        if len(value) < 256:
            return b"U" + bytes([len(value)]) + value  # SHORT_BINSTRING
        return b"T" + struct.pack("<i", len(value)) + value  # BINSTRING

    def number(value: int) -> bytes:
        return b"K" + bytes([value]) if 0 <= value < 256 else b"J" + struct.pack("<i", value)

    data = np.ascontiguousarray(images.reshape(len(images), -1))
    shape = b"".join(number(length) for length in data.shape) + b"\x86"
    kind = b"cnumpy\ndtype\n" + text(b"u1") + number(0) + number(1) + b"\x87R"
    kind += b"(" + number(3) + text(b"|") + b"NNN" + number(-1) + number(-1) + number(0) + b"tb"
    array = b"cnumpy.core.multiarray\n_reconstruct\ncnumpy\nndarray\n" + number(0) + b"\x85"
    array += text(b"b") + b"\x87R(" + number(1) + shape + kind + b"\x89" + text(data.tobytes())
    array += b"tb"
    items = text(b"data") + array + text(b"labels") + b"](" + b"".join(map(number, labels)) + b"e"
    items += text(b"batch_label") + text(b"training batch 1 of 5")
    return b"\x80\x02}(" + items + b"u."
