"""The loops for many inputs equal the matrix products they stand for, alone and in a network."""

import subprocess
import sys

import numpy as np
import pytest

from wlnn.backend.buffers import Buffer
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled.dense_loops import CHUNK, in_blocks, wide_product, wide_product_back
from wlnn.networks.fnn import FNN
from wlnn.networks.layers import dense, dense_back
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import driver as wlmd_kernels

GRID = Grid(Axis("x", -5.0, 1.0, 10), Axis("y", -5.0, 3.0, 10))


@pytest.mark.parametrize("units", [1, 2, 3, 4, 5, 8, 10])
@pytest.mark.parametrize(("inputs", "samples"), [(1, 16), (7, 32), (12, CHUNK + 48), (64, 16)])
def test_products(inputs, samples, units):
    """Any remainder of units by five and two, of inputs by six, and of samples by a chunk."""
    rng = np.random.default_rng(0)
    W, x = rng.normal(size=(units, inputs)), rng.normal(size=(inputs, samples))
    dz = rng.normal(size=(units, samples))
    parameters = np.concatenate([[9.0, 9.0], W.ravel()]).astype(np.float32)
    z = Buffer(np.full(units * samples, np.nan, np.float32))
    blocks = Buffer(in_blocks(x.astype(np.float32)))
    wide_product(Buffer(parameters), 2, blocks, z, inputs, units, samples)
    expected = dense(np, x.T, W[None], np.zeros((1, units)))[0].T
    np.testing.assert_allclose(z.array.reshape(units, samples), expected, atol=2e-5)
    gradient = np.full(units * inputs + 3, np.nan, np.float32)
    rows = Buffer(x.astype(np.float32))
    wide_product_back(
        Buffer(dz.astype(np.float32)), rows, Buffer(gradient), 2, inputs, units, samples
    )
    _, expected, _ = dense_back(np, dz.T[None], x.T, W[None])
    found = gradient[2:-1].reshape(units, inputs)
    np.testing.assert_allclose(found, expected[0], atol=2e-6 * samples)
    assert np.isnan(gradient[[0, 1, -1]]).all()


@pytest.mark.parametrize("activation", ["relu", "silu", "tanh", "gelu"])
@pytest.mark.parametrize("sizes", [(70, 7, 3, 1), (331, 20, 2, 1)])
def test_a_network_with_many_inputs_is_the_same_function(sizes, activation):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(34, sizes[0])), rng.normal(size=34)
    data = Dataset(x[:21], y[:21], x[21:], y[21:], {})
    task = Task("t", data, FNN(sizes, activation), GRID, "ln-test-loss", "squared-error")
    variables = NetworkVariables(task)
    theta = rng.uniform(-0.3, 0.3, (1, task.network.n_parameters)) * variables.task.box[1]
    x, y, _, tape = variables.evaluate(np, theta)
    gradient = variables.backward(np, tape, np.array([1.3]), np.array([-0.7]))[0]
    system = variables.problem().gradient_system()
    assert system.wide
    found = wlmd_kernels.evaluate(system, theta[0])
    wlmd_kernels.backward(system, 1.3, -0.7)
    np.testing.assert_allclose(found, (x[0], y[0], 0.0), rtol=1e-5, atol=5e-6)
    np.testing.assert_allclose(system.gradient, gradient, atol=2e-5 * np.abs(gradient).max())


IMPORTED = """
import os
before = dict(os.environ)
from wlnn.networks.compiled import fnn
from wlnn.base.workers import load_with_one_thread
load_with_one_thread("scipy.linalg.cython_blas")
print(before == dict(os.environ))
"""


def test_importing_and_loading_leave_the_environment_as_it_was():
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", IMPORTED], capture_output=True, text=True
    )
    assert found.stdout == "True\n", found.stderr
