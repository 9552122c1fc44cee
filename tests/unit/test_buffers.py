"""Buffers are bare addresses to compiled code, and must never bring one from another process."""

import pickle
from typing import NamedTuple

import numpy as np

from wlnn.backend.buffers import Buffer, Rows


class Pair(NamedTuple):
    """A row of two whole numbers."""

    first: int
    second: int


def test_a_copy_in_another_process_has_an_address_of_its_own():
    buffer = Buffer(np.arange(6.0).reshape(2, 3))
    again = pickle.loads(pickle.dumps(buffer))
    np.testing.assert_array_equal(again.array, np.arange(6.0))
    assert buffer.address == buffer.array.ctypes.data
    assert again.address == again.array.ctypes.data != buffer.address


def test_rows_keep_their_class_and_order():
    rows = Rows([Pair(1, 2), Pair(3, 4)])
    again = pickle.loads(pickle.dumps(rows))
    assert [again[0], again[1]] == [Pair(1, 2), Pair(3, 4)]
    assert again[1].second == 4
    assert again.address == again.array.ctypes.data
