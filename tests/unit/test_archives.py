"""Archives that lie about themselves: nothing is allocated before it is known to be there."""

import io
import resource
import struct
import tracemalloc
import zipfile

import numpy as np
import pytest

from wlnn.base import store
from wlnn.base.archives import DamagedError, ObjectsError, read_any, read_array
from wlnn.base.errors import UserError
from wlnn.tasks.readers import cifar, files, mnist

MEGABYTE = 2**20


def npy(header: str, data: bytes = b"") -> bytes:
    """An npy file with any header."""
    text = header.encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + data


def peak(function) -> float:
    """Most megabytes that Python held meanwhile."""
    tracemalloc.start()
    try:
        function()
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most / MEGABYTE


@pytest.mark.parametrize(
    "array",
    [
        np.arange(6.0).reshape(2, 3),
        np.asfortranarray(np.arange(6).reshape(2, 3)),
        np.array(3.5),
        np.zeros((0, 4)),
        np.array(["cat", "dog"]),
        np.array([], dtype="U0"),
        np.array([True]),
        np.array([1 + 2j]),
    ],
    ids=str,
)
def test_every_plain_array_comes_back(array):
    file = io.BytesIO()
    np.save(file, array)
    found = read_array(file.getvalue())
    assert found.dtype == array.dtype
    np.testing.assert_array_equal(found, array)
    found.flags.writeable = True  # its memory is its own


@pytest.mark.parametrize(
    "header",
    [
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1099511627776,), }",  # 8 TiB
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2.0,), }",
        "{'descr': '<f8', 'fortran_order': 0, 'shape': (2,), }",
        "{'descr': '<q9', 'fortran_order': False, 'shape': (2,), }",
        "{'descr': '<f8', 'shape': (2,), }",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2,), ",
        "[" * 100,
        "",
    ],
)
def test_a_header_that_its_bytes_do_not_bear_out_is_damaged(header):
    with pytest.raises(DamagedError):
        read_array(npy(header, b"\0" * 16))


def test_objects_are_never_loaded():
    file = io.BytesIO()
    np.save(file, np.array([{}], dtype=object))
    with pytest.raises(ObjectsError, match="never loaded"):
        read_any(file.getvalue(), MEGABYTE)


def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path, monkeypatch):
    file = io.BytesIO()
    header = "{'descr': '|u1', 'fortran_order': False, 'shape': (67108864,), }"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", npy(header, b"\0" * 64 * MEGABYTE))

    def read():
        with pytest.raises(DamagedError, match="would unpack to"):
            read_any(file.getvalue(), MEGABYTE)

    assert peak(read) < 2
    monkeypatch.setattr(files, "LIMIT", MEGABYTE)
    path = tmp_path / "mnist.npz"
    path.write_bytes(file.getvalue())
    with pytest.raises(UserError, match=r"mnist\.npz: 'x\.npy' would unpack to 6\.71e\+07 bytes"):
        mnist.digits(path)


def test_a_bomb_that_hides_its_size_is_unpacked_no_further_than_it_says():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x.npy", b"\0" * 64 * MEGABYTE)
    whole = bytearray(file.getvalue())
    at = whole.rindex(b"PK\x01\x02")
    for place in (22, at + 24):  # the size in the member's own header, and in the directory
        whole[place : place + 4] = struct.pack("<I", 100)

    def read():
        with pytest.raises(DamagedError):
            read_any(bytes(whole), MEGABYTE)

    assert peak(read) < 8


def test_a_gzip_bomb_is_unpacked_to_the_limit_only(tmp_path, monkeypatch):
    import gzip

    monkeypatch.setattr(files, "LIMIT", MEGABYTE)
    path = tmp_path / "train.csv.gz"
    path.write_bytes(gzip.compress(b"\0" * 64 * MEGABYTE))

    def read():
        with pytest.raises(UserError, match=r"train\.csv\.gz: holds more than 1 MB"):
            files.read_bytes(path, "a table")

    assert peak(read) < 8


def test_ten_bytes_of_pickle_cannot_ask_for_gigabytes():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    bombs = [
        b"\x80\x02]r" + struct.pack("<I", 2**29 - 1) + b".",
        b"\x80\x02]p1000000000\n.",
        b"\x80\x04\x8e" + struct.pack("<Q", 2**40) + b".",
    ]
    for bomb in bombs:
        with pytest.raises(UserError, match="no python batch of CIFAR-10"):
            cifar.python_batch(bomb, "data_batch_1")
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kilobytes


def test_a_text_cannot_be_encoded_again_and_again():
    text = b"X" + struct.pack("<I", 2**20) + b"a" * 2**20 + b"q\x00"
    call = b"c_codecs\nencode\nh\x00\x85R0"
    with pytest.raises(UserError, match="more bytes than it has"):
        cifar.python_batch(b"\x80\x02" + text + call * 100 + b".", "data_batch_1")


def test_a_sparse_member_of_an_archive_is_not_read(tmp_path):
    import tarfile

    path = tmp_path / "cifar-10-python.tar.gz"
    header = tarfile.TarInfo("data_batch_1")
    header.size = 2**33
    path.write_bytes(header.tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024)
    with pytest.raises(UserError, match="data_batch_1 has 8,589,934,592 bytes"):
        cifar.photographs(path, (4, 6))


# --- files of this package ---


def test_every_flipped_bit_is_told_or_changes_nothing(tmp_path):
    arrays = {"a": np.arange(5.0), "b": np.array([[1, 2]]), "t": np.array(["x", "yz"])}
    path = store.save(tmp_path / "a.npz", arrays, {"kind": "any", "n": 3})
    whole, refused = path.read_bytes(), 0
    for bit in range(0, 8 * len(whole), 3):
        spoilt = bytearray(whole)
        spoilt[bit // 8] ^= 1 << bit % 8
        path.write_bytes(spoilt)
        try:
            found, meta = store.load(path)
        except UserError:
            refused += 1
            continue
        assert meta == {"kind": "any", "n": 3}, bit
        assert list(found) == list(arrays), bit
        for name, array in arrays.items():
            assert found[name].dtype == array.dtype, bit
            np.testing.assert_array_equal(found[name], array)
    assert refused > len(whole)  # of 8/3 flips a byte; dates and padding mean nothing


def test_an_array_that_was_left_out_or_exchanged_is_told(tmp_path):
    path = store.save(tmp_path / "a.npz", {"a": np.zeros(3), "b": np.ones(4)}, {})
    with np.load(path) as archive:
        parts = dict(archive)
    for changed in ({**parts, "b": np.ones(5)}, {k: v for k, v in parts.items() if k != "b"}):
        np.savez(path, **changed)
        with pytest.raises(UserError, match="cut short or damaged"):
            store.load(path)


def test_files_of_before_the_inventory_are_read(tmp_path):
    text = b'{"format": 1, "meta": {"kind": "old"}}'
    np.savez(tmp_path / "old.npz", a=np.arange(3), wlnn_meta=np.frombuffer(text, np.uint8))
    arrays, meta = store.load(tmp_path / "old.npz")
    assert meta == {"kind": "old"}
    assert arrays["a"].tolist() == [0, 1, 2]
