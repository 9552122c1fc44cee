"""The device check: what a stand-in for CuPy cannot know, on a real CUDA device, in minutes.

pytest -m gpu
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from device_cases import GRID, NETWORKS, in_numpy, problem_of

from wlnn.backend.device import DeviceError, device_of
from wlnn.backend.noise import Philox
from wlnn.canonical.run import simulate
from wlnn.reference.judges import wlmd as judge
from wlnn.settings.tables import MDSettings, TrainSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.field import field_of, field_on
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.run import train_many
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.surface import Walls, make_surface

pytestmark = pytest.mark.gpu


@pytest.fixture(scope="module")
def cuda():
    try:
        return device_of("cuda")
    except DeviceError as reason:
        pytest.skip(str(reason))


@pytest.mark.parametrize("name", NETWORKS)
def test_values_and_gradients_are_those_of_numpy(name, cuda):
    problem = problem_of(name, 20)
    field, (evaluate, backward) = field_on(problem, cuda, 3), problem.elsewhere(np.asarray)
    theta, weights = problem.start(np.random.default_rng(0), 3), np.array([1.0, 0.5, -0.3])
    x, y, _, tape = evaluate(np, theta)
    here = x, y, backward(np, tape, weights, weights[::-1])
    with cuda.using():
        on = [cuda.put(part) for part in (theta, weights, weights[::-1].copy())]
        x, y, _, tape = field.evaluate(cuda.xp, on[0])
        there = [cuda.host(part) for part in (x, y, field.backward(cuda.xp, tape, *on[1:]))]
    for mine, its in zip(here, there, strict=True):
        assert abs(mine - its).max() <= 2e-3 * max(abs(mine).max(), 1.0)


def test_noise_is_that_of_numpy(cuda):
    keys = np.random.default_rng(0).integers(0, 2**32, (5, 2), np.uint64)
    with cuda.using():
        its = Philox(cuda.xp, cuda.put(keys))
        its = [cuda.host(its.standard_normal((5, 101))) for _ in range(12)]
    mine = Philox(np, keys)
    for numbers in its:
        np.testing.assert_allclose(numbers, mine.standard_normal((5, 101)), rtol=1e-9, atol=1e-12)


def test_a_round_is_that_of_numpy_and_repeats_to_the_bit(cuda):
    """With a walker that is lost, and hills."""
    problem = problem_of("fnn", 20)
    surface = make_surface(GRID, 0.2, Walls(-9, 3, -9, 9))
    motion = wlmd.make_motion(problem, 1e-3, 1e-2, 2)
    state = wlmd.start(problem, surface, 8, np.random.default_rng(0))
    state.v[1] = 1e4
    fields = [field_on(problem, cuda, 8), field_on(problem, cuda, 8), in_numpy(problem)]
    first, again, here = (
        wlmd.advance(
            problem, surface, motion, state, np.full(20, 9.0),
            lambda k: np.random.default_rng([int(k), 1]), field=field,
        )
        for field in fields
    )  # fmt: skip
    for one, other in zip(first.state, again.state, strict=True):
        np.testing.assert_array_equal(one, other)
    assert [lost.walker for lost in first.lost] == [lost.walker for lost in here.lost] == [1]
    np.testing.assert_allclose(first.traces, here.traces, rtol=1e-2, atol=1e-2)
    np.testing.assert_allclose(first.state.table, here.state.table, rtol=0.05, atol=0.01)


def test_an_exact_distribution_is_kept(cuda):
    """Judge E with all replicas on the device."""

    def walk_numpy(xp, problem, theta, v, table, surface, motion, volumes, rngs, trace):
        with cuda.using():
            parts = [cuda.put(part) for part in (theta, v, table)]
            field = field_of(problem, cuda)
            rows, noise = cuda.xp.empty(trace.shape), cuda.noise(rngs, len(theta))
            how = surface, motion, volumes, noise, rows
            wlmd.walk_numpy(cuda.xp, field, *parts, *how)
            theta[...], v[...], trace[...] = map(cuda.host, (*parts[:2], rows))

    verdict = judge.exact_start(wlmd=SimpleNamespace(walk_numpy=walk_numpy))
    assert verdict.passed, verdict


def test_the_temperature_of_a_long_motion_is_right(cuda):
    """64 walkers; and what the device began the CPU ends, and the device again."""
    task = load_task("spiral-regress", width=10, points=20, seed=0)
    problem = NetworkVariables(task).problem()
    settings = MDSettings(temperature=0.05, steps=4000, record=100, walkers=64, dt=0.01)
    found = simulate(problem, settings, device="cuda")
    kinetic = found.kept[:, 10:, -1].mean(1)
    assert len(kinetic) == 64
    assert kinetic.mean() == pytest.approx(1.0, abs=4 * kinetic.std() / 8 + 0.01)


def test_trainings_are_those_of_numpy(cuda):
    task = load_task("spiral-regress", width=10, points=20, seed=0)
    settings = TrainSettings(epochs=5, runs=8, batch_size=10)
    here, there = (train_many(task, settings, device=device) for device in (None, "cuda"))
    for name, values in here.records.items():
        np.testing.assert_allclose(values, there.records[name], rtol=1e-3, atol=1e-3)


def test_too_many_walkers_are_refused_before_they_move(cuda):
    problem = problem_of("wide", 20)
    most = field_on(problem, cuda).most
    with pytest.raises(DeviceError, match="would fit"):
        field_on(problem, cuda, 2 * most)
