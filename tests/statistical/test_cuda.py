"""The device check: what a stand-in for CuPy cannot know, on a real CUDA device, in minutes.

pytest -m gpu
"""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from device_cases import GRID, NETWORKS, in_numpy, problem_of
from resumed import KINDS, begin, end, small_problem, training

from wlnn.backend.device import Cuda, DeviceError, device_of
from wlnn.backend.noise import Philox
from wlnn.canonical import langevin
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


@pytest.fixture(scope="module", params=["kernels", "plain text"])
def cuda(request):
    """The device: everything is checked with kernels and without."""
    try:
        device = device_of("cuda")
    except DeviceError as reason:
        pytest.skip(str(reason))
    if request.param == "plain text":
        return device.plain()
    if device.kernels is None:
        pytest.skip(device.no_kernels)
    return device


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


def test_kernels_move_as_the_text_does(cuda):
    """The same walkers, with hills, in a frozen potential and at a temperature; and odd sizes."""
    if cuda.kernels is None:
        pytest.skip("without kernels there is nothing to compare")
    problem, plain = problem_of("small", 20), cuda.plain()
    surface = make_surface(GRID, 0.2, Walls(-9, 3, -9, 9), mirror=False)
    motion = wlmd.make_motion(problem, 1e-2, 1e-2, 2)
    rng = np.random.default_rng(0)
    theta, v = problem.start(rng, 37), rng.standard_normal((37, problem.n_parameters))
    tables, heat = rng.normal(size=(37, *GRID.shape)), rng.uniform(0.1, 1.0, 37)
    for hills in (np.full(6, 9.0), np.zeros(6)):
        found = []
        for device in (cuda, plain):
            with device.using():
                xp, field, trace = (
                    device.xp,
                    field_of(problem, device),
                    device.put(np.zeros((37, 6, 4))),
                )
                parts = [device.put(part.copy()) for part in (theta, v, tables)]
                noise = device.noise([np.random.default_rng(k) for k in range(37)], 37)
                how = surface, motion, hills, noise, trace
                ended = wlmd.walk_on(field)(xp, field, *parts, *how)
                found.append([device.host(part) for part in (*parts, trace, *ended)])
        for mine, its in zip(*found, strict=True):
            np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4)
    found = []
    for device in (cuda, plain):
        walkers = langevin.Walkers(theta, v, heat)
        rngs = [np.random.default_rng(k) for k in range(37)]
        how = walkers, langevin.make_motion(0.03, 0.1, 2), 6, rngs
        found.append(langevin.advance(problem, *how, field=field_of(problem, device)))
    for mine, its in zip(*((*one.walkers, one.records) for one in found), strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-4, atol=1e-4)


def test_an_exact_distribution_is_kept(cuda):
    """Judge E with all replicas on the device, a table each."""

    def walk_numpy(xp, problem, theta, v, table, surface, motion, volumes, rngs, trace):
        with cuda.using():
            tables = cuda.xp.repeat(cuda.put(table)[None], len(theta), 0)
            parts = cuda.put(theta), cuda.put(v), tables
            field = field_of(problem, cuda)
            rows, noise = cuda.xp.empty(trace.shape), cuda.noise(rngs, len(theta))
            how = surface, motion, volumes, noise, rows
            wlmd.walk_on(field)(cuda.xp, field, *parts, *how)
            theta[...], v[...], trace[...] = map(cuda.host, (*parts[:2], rows))

    verdict = judge.exact_start(wlmd=SimpleNamespace(walk_numpy=walk_numpy))
    assert verdict.passed, verdict


def test_the_temperature_of_a_long_motion_is_right(cuda):
    """64 walkers."""
    task = load_task("spiral-regress", width=10, points=20, seed=0)
    problem = NetworkVariables(task).problem()
    settings = MDSettings(temperature=0.05, steps=4000, record=100, walkers=64, dt=0.01)
    found = simulate(problem, settings, device=cuda)
    kinetic = found.kept[:, 10:, -1].mean(1)
    assert len(kinetic) == 64
    assert kinetic.mean() == pytest.approx(1.0, abs=4 * kinetic.std() / 8 + 0.01)


def test_trainings_are_those_of_numpy(cuda):
    task = load_task("spiral-regress", width=10, points=20, seed=0)
    settings = TrainSettings(epochs=5, runs=8, batch_size=10)
    here, there = (train_many(task, settings, device=device) for device in (None, cuda))
    for name, values in here.records.items():
        np.testing.assert_allclose(values, there.records[name], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("first", ["device", "cpu"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_one_began_the_other_one_ends(kind, first, cuda, tmp_path, monkeypatch):
    """Stopped half way on the device, the run goes on on the CPU, and the other way round."""
    problem, folder, put, moved = small_problem(), tmp_path / "run", Cuda.put, []
    monkeypatch.setattr(Cuda, "put", lambda self, array: moved.append(0) or put(self, array))
    order = (cuda, None) if first == "device" else (None, cuda)
    begin(kind, problem, folder, order[0], monkeypatch)
    before = len(moved)
    found = end(kind, problem, folder, order[1])
    assert (before > 0, len(moved) > before) == (first == "device", first == "cpu")
    assert cuda.about in (folder / "run.json").read_text()
    if kind is training:
        for name, values in training(problem, None, None).records.items():
            np.testing.assert_allclose(found.records[name], values, rtol=1e-3, atol=1e-3)


def test_too_many_walkers_are_refused_before_they_move(cuda):
    problem = problem_of("wide", 20)
    most = field_on(problem, cuda).most
    with pytest.raises(DeviceError, match="would fit"):
        field_on(problem, cuda, 2 * most)
