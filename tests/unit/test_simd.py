"""Each operation on vectors is one function in two forms: its NumPy body and what is compiled."""

import numpy as np
import pytest
from numba import njit

from wlnn.backend import simd
from wlnn.backend.buffers import Buffer, lanes, load, splat, store

TYPES = np.float32, np.float64
EDGES = [0.0, -0.0, np.nan, -np.nan, np.inf, -np.inf, 1.0, -1.0, 1e-40, -1e-40, 3e-8, -2.5]


def numbers(dtype, seed=0):
    """Two buffers of the same length: all pairs of edges, then random numbers."""
    pairs = np.array([(x, y) for x in EDGES for y in EDGES], dtype)
    random = np.random.default_rng(seed).normal(0, 20, (160, 2)).astype(dtype)
    return [Buffer(column.copy()) for column in np.concatenate([pairs, random]).T]


def either_all(a, b, out, n):
    """``either`` of every pair of vectors."""
    for k in range(0, n, lanes(a)):
        store(out, k, simd.either(load(a, k), load(b, k)))


def nonzero_all(a, b, found, n):
    """Whether either of two vectors has a number other than zero."""
    for k in range(0, n, lanes(a)):
        found[k // lanes(a)] = simd.any_nonzero(simd.either(load(a, k), load(b, k)))


def count_all(a, first, last):
    """How many numbers are below zero."""
    count = splat(a, 0.0)
    for k in range(first, last, lanes(a)):
        count = simd.tally(count, load(a, k))
    return simd.tallied(count)


def exp_all(a, out, n):
    """e^x of every number."""
    for k in range(0, n, lanes(a)):
        store(out, k, simd.exp(load(a, k)))


@pytest.mark.parametrize("dtype", TYPES)
def test_either_has_the_bits_of_both(dtype):
    a, b = numbers(dtype)
    n, bits = a.array.size, f"i{a.itemsize}"
    expected = a.array.view(bits) | b.array.view(bits)
    for run in either_all, njit(either_all):
        out = Buffer(np.zeros(n, dtype))
        run(a, b, out, n)
        np.testing.assert_array_equal(out.array.view(bits), expected)


@pytest.mark.parametrize("dtype", TYPES)
def test_zeros_of_either_sign_are_no_change_and_nan_is_one(dtype):
    width = lanes(Buffer(np.zeros(1, dtype)))
    pairs = [(x, y) for x in EDGES for y in EDGES]
    a, b = (Buffer(np.zeros(len(pairs) * width, dtype)) for _ in range(2))
    for k, (x, y) in enumerate(pairs):  # one lane of each vector, the others are zero
        a.array[k * width + k % width], b.array[k * width + k % width] = x, y
    expected = [bool(x != 0 or y != 0) for x, y in pairs]
    for run in nonzero_all, njit(nonzero_all):
        found = np.zeros(len(pairs), bool)
        run(a, b, found, a.array.size)
        assert found.tolist() == expected


@pytest.mark.parametrize("dtype", TYPES)
def test_a_tally_counts_what_is_below_zero(dtype):
    a, _ = numbers(dtype)
    for run in count_all, njit(count_all):
        for last in 0, 8, 64, a.array.size:
            assert run(a, 0, last) == (a.array[:last] < 0).sum()


@pytest.mark.parametrize("dtype", TYPES)
def test_exp(dtype):
    single = dtype == np.float32
    x = np.linspace(-87, 87, 4096) if single else np.linspace(-700, 700, 4096)
    x = Buffer(x.astype(dtype))
    out = Buffer(np.zeros(4096, dtype))
    njit(exp_all)(x, out, 4096)
    exact = np.exp(x.array.astype(np.longdouble))
    assert np.abs(out.array / exact - 1).max() < (4e-7 if single else 4e-16)
