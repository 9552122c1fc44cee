"""Whole walks by kernels on the strict stand-in for CuPy, against the text in NumPy; and what a
step costs there. Run by ``simulated.py``.

A network is in single precision on both sides, and the simulator rounds the product of the force
and the time step to it, where compiled kernels are in double: 1e-5 is allowed after some steps.
"""

import sys
from types import SimpleNamespace
from unittest import mock

import fake_cupy
import numpy as np
from device_cases import GRID, in_numpy, problem_of
from numba import cuda

from wlnn.backend.device import device_of
from wlnn.backend.launch import Launcher
from wlnn.canonical import langevin
from wlnn.ladder.movers import Errand, Langevin
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.field import field_of
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.surface import Walls, make_surface

NETWORKS = ("small", "classifier", "cnn")
STEPS = 5


class Viewed(np.ndarray):
    """An array of the device as a kernel takes it."""


class Simulated(Launcher):
    """Launches in the simulator, counted; as strict as a device about whose arrays it is given."""

    def view(self, array):
        if array is None:
            return None
        if not isinstance(array, fake_cupy.ndarray):
            raise TypeError(f"{type(array)} is not of the device")
        return array._a.view(Viewed)

    def stream(self):
        return 0

    def __call__(self, kernel, blocks, threads, *args):
        for arg in args:
            if isinstance(arg, fake_cupy.ndarray) or type(arg) is np.ndarray:
                raise TypeError("a kernel is given an array that is no view")
        fake_cupy.counts["launches"] += 1
        super().__call__(kernel, blocks, threads, *args)


def card():
    """The stand-in, with simulated kernels."""
    sys.modules["cupy"] = fake_cupy.FakeCupy()
    device = device_of("cuda")
    device.kernels = Simulated(cuda, device.cupy, "simulated")
    return device


def close(here, there):
    for mine, its in zip(here, there, strict=True):
        np.testing.assert_allclose(np.asarray(its), np.asarray(mine), rtol=1e-5, atol=1e-5)


def costs(work):
    """Launches of two steps less those of one, and waits and transfers of two."""
    found = []
    for steps in (1, 2):
        fake_cupy.reset()
        work(steps)
        found.append(dict(fake_cupy.counts))
    one, two = found
    waits = two["syncs"] + two["downloads"]
    return {
        "launches": two["launches"] - one["launches"],
        "waits": waits,
        "uploads": two["uploads"],
    }


def a_round(problem, device):
    """Three walkers with hills, one of which is lost, as ``advance`` moves them."""
    surface = make_surface(GRID, 0.2, Walls(-9, 3, -9, 9))
    motion, rng = wlmd.make_motion(problem, 1e-2, 1e-2, 2), np.random.default_rng(0)
    state = wlmd.start(problem, surface, 3, rng)
    state = state._replace(table=rng.normal(size=GRID.shape))
    state.v[1] = 1e4
    here, there = (
        wlmd.advance(
            problem, surface, motion, state, np.full(STEPS, 9.0),
            lambda k: np.random.default_rng([int(k), 1]), field=field,
        )
        for field in (in_numpy(problem), field_of(problem, device))
    )  # fmt: skip
    assert [lost.walker for lost in here.lost] == [lost.walker for lost in there.lost] == [1]
    assert [one.step for one in here.lost] == [one.step for one in there.lost]
    assert abs(there.state.table - state.table).max() > 1e-3
    close(here.state, there.state)
    close([here.traces], [there.traces])


def a_stretch_of_a_ladder(problem, device):
    """Replicas in frozen potentials, with kappa and without, time steps of their own."""
    settings, found = LadderSettings(x_low=-0.5, thermostat_every=2, sample_every=1), []
    rungs = (1.0, 0.0, 1e-3), (3.0, 0.0, 2e-3), (2.0, 0.5, 1e-3)  # beta, kappa, dt
    for field in (in_numpy(problem), field_of(problem, device)):
        mover = Langevin(problem, settings, field)
        walks = [
            Errand(*rung, *start[:2], np.random.default_rng([3, k]))
            for k, rung in enumerate(rungs)
            for start in [mover.draw(np.random.default_rng([2, k]))]
        ]
        found.append(mover.walks(walks, STEPS, np.zeros(1, np.uint8)))
    for here, there in zip(*found, strict=True):
        close(here[:6], there[:6])
        assert here.kinetic == there.kinetic or abs(here.kinetic - there.kinetic) < 1e-5


def a_stretch_at_a_temperature(problem, device):
    """Three walkers, one of which is lost."""
    walkers = langevin.start(problem, np.array([0.1, 0.2, 0.3]), [np.random.default_rng(0)])
    walkers.u[2] = np.nan
    here, there = (
        langevin.advance(
            problem, walkers, langevin.make_motion(0.3, 0.1, 2), STEPS,
            [np.random.default_rng([k, 1]) for k in range(3)], field=field,
        )
        for field in (in_numpy(problem), field_of(problem, device))
    )  # fmt: skip
    assert here.diverged.tolist() == there.diverged.tolist() == [False, False, True]
    close(here.walkers, there.walkers)
    close([here.records[:2]], [there.records[:2]])


def what_a_step_costs(problem, device):
    """Of three walkers that learn, in a frozen potential, and at a temperature; noise in both."""
    field, xp = field_of(problem, device), device.xp
    theta = problem.start(np.random.default_rng(0), 3)
    motion = wlmd.make_motion(problem, 1e-3, 1e-2, 1)

    def parts():
        noise = device.noise([np.random.default_rng(k) for k in range(3)], 3)
        return device.put(theta), device.put(0 * theta), noise

    def table_of(hill, walls):
        def work(steps):
            here, v, noise = parts()
            tables, trace = device.put(np.zeros((3, *GRID.shape))), xp.empty((3, steps, 4))
            surface, hills = make_surface(GRID, 0.2, walls), np.full(steps, hill)
            walk = wlmd.walk_on(field)
            fake_cupy.reset()
            walk(xp, field, here, v, tables, surface, motion, hills, noise, trace)

        return work

    def at_a_temperature(steps):
        here, v, noise = parts()
        heat, limit = device.put(np.ones(3)), device.put(np.full(3, 1e9))
        records = xp.empty((3, langevin.N_COLUMNS))
        walk = langevin.walk_on(field)
        fake_cupy.reset()
        walk(xp, field, here, v, heat, motion, steps, noise, limit, records)

    works = table_of(1.0, Walls(-9, 3, -9, 9)), table_of(0.0, Walls()), at_a_temperature
    return [costs(work) for work in works]


WALKS = {
    work.__name__: work for work in (a_round, a_stretch_of_a_ladder, a_stretch_at_a_temperature)
}


def said(work, problem, device) -> str:
    """What goes wrong in a walk; nothing if it is right."""
    try:
        work(problem, device)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    return ""


def found() -> dict:
    """A sentence for each network and walk, empty if it is right; and all costs."""
    device, results = card(), {}
    for name in NETWORKS:
        problem = problem_of(name, 6)
        for walk, work in WALKS.items() if name != "cnn" else ():
            results[f"{name}: {walk}"] = said(work, problem, device)
        results[f"{name}: costs"] = what_a_step_costs(problem, device)
    plain = SimpleNamespace(device=device.plain())
    assert wlmd.walk_on(plain) is wlmd.walk_numpy
    assert langevin.walk_on(plain) is langevin.walk_numpy
    return results


def caught(broken: dict, mutant) -> dict:
    """What each broken walk says; ``mutant(file, old, new)`` makes the file of its kernels."""
    device, problem = card(), problem_of("classifier", 6)
    results = {}
    for name, (walk, *change) in broken.items():
        file = f"wlnn.{change[0]}.kernels"
        with mock.patch.dict(sys.modules, {file: mutant(*change)}):
            results[name] = said(WALKS[walk], problem, device)
    return results
