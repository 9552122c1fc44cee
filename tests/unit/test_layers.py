"""Every layer pair against central differences and against its formula."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.special import ndtr

from wlnn.backend.normal import bell_and_tail
from wlnn.networks.layers import ACTIVATIONS, dense, dense_back, dense_parameters_back

H = 1e-6


def numerical_gradient(scalar, array):
    """Central differences of ``scalar()`` by every entry of ``array`` (changed and restored)."""
    gradient = np.empty_like(array)
    for k in np.ndindex(array.shape):
        value = array[k]
        array[k] = value + H
        up = scalar()
        array[k] = value - H
        gradient[k] = (up - scalar()) / (2 * H)
        array[k] = value
    return gradient


@pytest.mark.parametrize("shared_input", [False, True])
def test_dense_gradients(shared_input):
    rng = np.random.default_rng(0)
    h = rng.normal(size=(5, 4) if shared_input else (3, 5, 4))
    W, b, weight = rng.normal(size=(3, 2, 4)), rng.normal(size=(3, 2)), rng.normal(size=(3, 5, 2))

    def scalar():
        return float((weight * dense(np, h, W, b)).sum())

    dh, dW, db = dense_back(np, weight, h, W)
    if shared_input:
        dh = dh.sum(0)
    for gradient, array in ((dh, h), (dW, W), (db, b)):
        np.testing.assert_allclose(gradient, numerical_gradient(scalar, array), atol=1e-8)
    for short, full in zip(dense_parameters_back(np, weight, h), (dW, db), strict=True):
        np.testing.assert_array_equal(short, full)


def test_dense_is_the_matrix_product_of_each_walker():
    rng = np.random.default_rng(1)
    h, W, b = rng.normal(size=(2, 3, 4)), rng.normal(size=(2, 5, 4)), rng.normal(size=(2, 5))
    z = dense(np, h, W, b)
    for r in range(2):
        for n in range(3):
            np.testing.assert_allclose(z[r, n], W[r] @ h[r, n] + b[r], rtol=1e-13)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activation_gradients(name):
    function, back = ACTIVATIONS[name]
    z = np.linspace(-30, 30, 240).reshape(2, 3, 40)  # no point at the kink of relu
    dh = np.random.default_rng(2).normal(size=z.shape)
    dz = back(np, dh, z, function(np, z))
    expected = dh * (function(np, z + H) - function(np, z - H)) / (2 * H)
    np.testing.assert_allclose(dz, expected, atol=1e-7)


def test_activation_values():
    z = np.array([-800.0, -1.5, 0.0, 0.5, 800.0])
    np.testing.assert_array_equal(ACTIVATIONS["relu"][0](np, z), [0, 0, 0, 0.5, 800])
    np.testing.assert_allclose(ACTIVATIONS["tanh"][0](np, z), np.tanh(z))
    with np.errstate(over="ignore"):
        np.testing.assert_allclose(ACTIVATIONS["silu"][0](np, z), z / (1 + np.exp(-z)), atol=1e-15)
    assert ACTIVATIONS["relu"][1](np, np.ones(5), z, z)[2] == 0


@pytest.mark.parametrize("name", ["gelu", "gelu-tanh"])
def test_gelu_is_that_of_pytorch(name):
    """Values and slopes; those of PyTorch are stored in double precision."""
    with np.load(Path(__file__).parents[1] / "golden" / "activations.npz") as golden:
        z, value, slope = (golden[key] for key in ("z", f"{name}.value", f"{name}.slope"))
    function, back = ACTIVATIONS[name]
    np.testing.assert_allclose(function(np, z), value, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(back(np, np.ones_like(z), z, value), slope, rtol=1e-12, atol=1e-14)


def test_the_tail_of_the_normal_law_to_the_last_digits():
    """Compiled, as a function of one number, for the loops that take a vector of them."""
    a = np.linspace(0, 12.9, 200).astype(np.float32)
    found = np.array([bell_and_tail(z) for z in a])
    np.testing.assert_allclose(found[:, 0], np.exp(-(a.astype(float) ** 2) / 2), rtol=1.5e-5)
    np.testing.assert_allclose(found, [[math.exp(-z * z / 2), ndtr(-z)] for z in a.astype(float)],
                               atol=1.5e-7)  # fmt: skip


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_single_precision_stays_single(name):
    function, back = ACTIVATIONS[name]
    z = np.linspace(-1, 1, 4, dtype=np.float32)
    assert function(np, z).dtype == np.float32
    assert back(np, z, z, function(np, z)).dtype == np.float32
