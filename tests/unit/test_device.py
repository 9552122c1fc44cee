"""The text of the package on a device: a strict stand-in for CuPy gives NumPy's bits, waits for
nothing and transfers nothing within a stretch. Whole runs there are in ``test_device_runs.py``.
"""

from dataclasses import replace

import fake_cupy
import numpy as np
import pytest
from device_cases import GRID, in_numpy
from device_cases import problem_of as problem_with
from scipy import stats

from wlnn.backend.device import device_of
from wlnn.backend.noise import Philox, philox
from wlnn.canonical import langevin
from wlnn.ladder.descent import begin
from wlnn.ladder.ladder import advance_all
from wlnn.ladder.movers import Langevin
from wlnn.ladder.rungs import untilted, with_tilted
from wlnn.ladder.state import RUN, with_replicas
from wlnn.settings.ladder import LadderSettings
from wlnn.settings.tables import TrainSettings
from wlnn.tasks.field import field_of
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training import train
from wlnn.training.run import train_many
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.surface import Walls, make_surface

NETWORKS = ("fnn", "classifier", "cnn", "resnet")


def problem_of(name):
    return problem_with(name, 2 if name == "resnet" else 6)


@pytest.fixture
def cuda(monkeypatch):
    fake_cupy.install(monkeypatch)
    return device_of("cuda")


def both(problem, device):
    """The problem on the device, and its text in NumPy with the same data and noise."""
    return field_of(problem, device), in_numpy(problem)


def counted(work):
    """What a piece of work gives, and what it costs in launches, waits and transfers."""
    fake_cupy.reset()
    found = work()
    return found, dict(fake_cupy.counts)


def generators(key):
    return lambda k: np.random.default_rng([int(k), key])


@pytest.mark.parametrize("name", NETWORKS)
def test_a_round_on_a_device_has_the_bits_of_numpy(name, cuda, monkeypatch):
    """Three walkers, one of which is lost; nothing waits and nothing travels while they walk."""
    problem, walk, costs = problem_of(name), wlmd.walk_numpy, []

    def counting(*args):
        found, cost = counted(lambda: walk(*args))
        costs.append(cost)
        return found

    monkeypatch.setattr(wlmd, "walk_numpy", counting)
    surface = make_surface(GRID, 0.2, Walls(-9, 3, -9, 9))
    motion, steps = wlmd.make_motion(problem, 1e-3, 1e-2, 2), 2 if name == "resnet" else 6
    state = wlmd.start(problem, surface, 3, np.random.default_rng(0))
    state.v[1] = 1e4
    rounds = [
        wlmd.advance(
            problem, surface, motion, state, np.full(steps, 9.0), generators(1), field=field
        )
        for field in both(problem, cuda)
    ]
    assert [lost.walker for lost in rounds[0].lost] == [1]
    for here, there in zip(*(one.state for one in rounds), strict=True):
        np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(rounds[0].traces, rounds[1].traces)
    assert rounds[0].state.table.max() > 0
    on_device = [cost for cost in costs if cost["launches"]]
    assert len(on_device) == 4  # three time steps more for the lost one
    for cost in on_device:
        assert (cost["syncs"], cost["uploads"], cost["downloads"]) == (0, 0, 0)


@pytest.mark.parametrize("name", NETWORKS)
def test_motion_at_a_temperature_has_the_bits_of_numpy(name, cuda, monkeypatch):
    problem, walk, costs = problem_of(name), langevin.walk_numpy, []

    def counting(*args):
        found, cost = counted(lambda: walk(*args))
        costs.append(cost)
        return found

    monkeypatch.setattr(langevin, "walk_numpy", counting)
    rngs = [np.random.default_rng(k) for k in range(3)]
    walkers = langevin.start(problem, np.array([0.1, 0.2, 0.3]), rngs)
    walkers.u[2] = np.nan
    motion = langevin.make_motion(0.01, 0.1, 2)
    steps = 2 if name == "resnet" else 6
    found = [
        langevin.advance(
            problem, walkers, motion, steps,
            [np.random.default_rng([k, 1]) for k in range(3)], field=field,
        )
        for field in both(problem, cuda)
    ]  # fmt: skip
    assert found[0].diverged.tolist() == [False, False, True]
    for here, there in zip(found[0].walkers, found[1].walkers, strict=True):
        np.testing.assert_array_equal(here, there)
    np.testing.assert_array_equal(found[0].records[:2], found[1].records[:2])
    assert (costs[0]["syncs"], costs[0]["uploads"], costs[0]["downloads"]) == (0, 0, 0)


# Launches of one step of three walkers between two actions of the thermostat: while they learn S,
# and in a frozen potential without walls, as in ladders.
LAUNCHES = {"fnn": (205, 149), "classifier": (308, 252), "cnn": (519, 463), "resnet": (912, 856)}


@pytest.mark.parametrize("name", NETWORKS)
def test_a_step_needs_no_more_launches_than_it_did(name, cuda):
    problem = problem_of(name)
    field = field_of(problem, cuda)
    motion = wlmd.make_motion(problem, 1e-3, 1e-2, 100)
    theta, xp = problem.start(np.random.default_rng(0), 3), cuda.xp

    def walk(steps, hill, walls):
        parts = [cuda.put(part) for part in (theta, 0 * theta, np.zeros((3, *GRID.shape)))]
        trace, hills = xp.empty((3, steps, 4)), np.full(steps, hill)
        surface = make_surface(GRID, 0.2, walls)
        fake_cupy.reset()
        wlmd.walk_numpy(xp, field, *parts, surface, motion, hills, [], trace)
        return fake_cupy.counts["launches"]

    for how, most in zip(((1.0, Walls(-9, 3, -9, 9)), (0.0, Walls())), LAUNCHES[name], strict=True):
        assert walk(2, *how) - walk(1, *how) <= most


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_trainings_on_a_device_have_the_bits_of_numpy(optimizer, cuda, tiny_task, monkeypatch):
    """Minibatches, momentum, running means; within an epoch nothing is read back."""
    settings = TrainSettings(
        optimizer=optimizer, momentum=0.9, batch_size=3, epochs=2, runs=3, train_loss="running-mean"
    )
    costs, gradient = [], train.gradient

    def counting(*args):
        found, cost = counted(lambda: gradient(*args))
        costs.append(cost)
        return found

    monkeypatch.setattr(train, "gradient", counting)
    here, there = (train_many(tiny_task, settings, device=device) for device in (None, cuda))
    for name, values in here.records.items():
        np.testing.assert_array_equal(values, there.records[name])
    assert len(costs) > 4
    assert not any(cost["syncs"] + cost["uploads"] + cost["downloads"] for cost in costs)


def test_a_stretch_of_all_ladders_has_the_bits_of_numpy(cuda, monkeypatch):
    """Two ladders, one in its descent, the other with tilted rungs, as if each were alone."""
    problem = problem_of("fnn")
    how = {"draws": 200, "descent": 30, "stretch": 10, "sample_every": 10, "x_low": -0.5, "seed": 3}
    settings, stop = LadderSettings(ladders=2, **how), np.zeros(1, np.uint8)
    device, host = (Langevin(problem, settings, field) for field in both(problem, cuda))
    young = begin(host, settings, 0, stop)
    rungs = untilted([0.5, 1.0, 2.0])
    for row, beta in enumerate(rungs.beta[1:], start=1):
        for tilt in (1, -1):
            rungs = with_tilted(rungs, beta, 0.3 * tilt, row, tilt)
    old = young._replace(number=1, phase=RUN, unit=3, units=50, rungs=rungs)  # all move in it
    old = old._replace(dt=np.full(rungs.n, 1e-3))
    old = with_replicas(old, np.ones(rungs.n, int))
    walks, costs, walk = [], [], wlmd.walk_numpy

    def counting(*args):
        walks.append(len(args[2]))
        found, cost = counted(lambda: walk(*args))
        costs.append(cost)
        return found

    monkeypatch.setattr(wlmd, "walk_numpy", counting)
    there = advance_all(device, settings, [young, old], stop)
    assert walks == [4, 6, 1, 1]  # flat rungs with the descent, tilted ones, the rest of it
    assert not any(cost["syncs"] + cost["uploads"] + cost["downloads"] for cost in costs)
    for one, other in zip([young, old], there, strict=True):
        (alone,) = advance_all(host, settings, [one], stop)
        for mine, its in zip(alone, other, strict=True):
            np.testing.assert_equal(mine, its)
        assert not np.array_equal(one.theta, other.theta)


def test_walkers_at_once_are_walkers_one_by_one(tiny_task):
    """Theta, v, trace and hills of each are as if it were alone, to the last bit."""
    problem = NetworkVariables(replace(tiny_task, y="smoothed-accuracy")).problem()
    surface = make_surface(GRID, 0.2, Walls(-9, 3, -9, 9))
    motion = wlmd.make_motion(problem, 1e-2, 1e-2, 2)
    rng, hills = np.random.default_rng(0), np.full(20, 4e-3)
    theta = problem.start(rng, 4)
    v = rng.standard_normal(theta.shape)
    v[2] = 1e5  # lost in the first step
    tables = 0.01 * rng.normal(size=(4, *GRID.shape))

    def walk(some, table):
        some = np.array(some)
        parts = theta[some], v[some], table, np.empty((len(some), 20, 4))
        rngs = [np.random.default_rng([5, k]) for k in some]
        how = surface, motion, hills, rngs, parts[3]
        return parts, wlmd.walk_numpy(np, problem, *parts[:3], *how)

    (*together, trace), (steps, endings) = walk(range(4), tables.copy())
    assert steps.tolist() == [20, 20, 1, 20]
    assert endings.tolist() == [0, 0, 1, 0]
    for k in (0, 1, 3):
        (*alone, own), _ = walk([k], tables[k].copy())
        np.testing.assert_array_equal(trace[k], own[0])
        for mine, its in zip(alone, together, strict=True):
            np.testing.assert_array_equal(mine.reshape(its[k].shape), its[k])
    np.testing.assert_array_equal(together[2][2], tables[2])  # a lost one leaves no hill


# Random123's answers to philox4x32-10: counter, key, output.
ANSWERS = [
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), ANSWERS)
def test_philox_gives_the_published_words(counter, key, answer):
    words = [[np.array([word], np.uint64) for word in part] for part in (counter, key)]
    assert tuple(int(word[0]) for word in philox(np, *words)) == answer


def test_noise_is_normal_and_depends_on_key_call_and_place_alone(cuda):
    keys = np.random.default_rng(0).integers(0, 2**32, (40, 2), np.uint64)
    all_of_them = Philox(np, keys)
    drawn = np.stack([all_of_them.standard_normal((40, 301)) for _ in range(20)])
    few, there = Philox(np, keys[7:9]), Philox(cuda.xp, cuda.put(keys))
    for call in range(20):
        np.testing.assert_array_equal(few.standard_normal((2, 301)), drawn[call, 7:9])
        np.testing.assert_array_equal(there.standard_normal((40, 301))._a, drawn[call])
    flat = drawn.ravel()
    assert stats.kstest(flat, "norm").pvalue > 1e-4  # false alarms: 1 of 10,000
    for axis in range(3):  # neighbours in call, walker and place: 4 standard errors
        a, b = np.moveaxis(drawn, axis, 0)[:-1], np.moveaxis(drawn, axis, 0)[1:]
        assert abs((a * b).mean()) < 4 / np.sqrt(a.size)
        assert abs((a**2 * b**2).mean() - 1) < 4 * np.sqrt(8 / a.size)
    single = Philox(np, keys).standard_normal((40, 301), np.float32)
    np.testing.assert_allclose(single, drawn[0], atol=2e-3)
