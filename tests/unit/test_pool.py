"""Units of work come to the same end on any executor, in any order, run once or twice."""

import os
import random
import subprocess
import sys
import threading
import time
from concurrent.futures import Executor, Future
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, over_settings, run_units
from wlnn.settings.samplers import WLMCSettings, WLMDSettings
from wlnn.settings.training import TrainSettings
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.smooth import NetworkVariables
from wlnn.training.run import Progressed, parts_of
from wlnn.training.run import stretch as train_stretch
from wlnn.wlmc import run as wlmc_run
from wlnn.wlmc import walker as walkers_of
from wlnn.wlmd import run as wlmd_run
from wlnn.wlmd.setup import make_setup

NEVER = np.zeros(1, np.uint8)


class Count(NamedTuple):
    number: int
    value: int
    steps: int


def grow(shared, state, seconds, stop):
    """A few steps of a recursion that depends on nothing but the state before."""
    for _ in range(3):
        if state.steps < 20:
            value = (state.value * shared["factor"] + state.number) % 1_000_003
            state = Count(state.number, value, state.steps + 1)
    return state


def die(shared, state, seconds, stop):
    os._exit(9)


class Careless(Executor):
    """Runs in a random order, runs some things twice, and hands back the second result."""

    def __init__(self):
        self.waiting, self.random = [], random.Random(0)

    def submit(self, function, *arguments):
        future = Future()
        self.waiting.append((future, function, arguments))
        if len(self.waiting) > 2 or self.random.random() < 0.5:
            self.random.shuffle(self.waiting)
            for job, what, given in self.waiting:
                what(*given)
                job.set_result(what(*given))
            self.waiting.clear()
        return future


def begun():
    return [Count(k, k, 0) for k in range(4)]


def ended(state):
    return state.steps == 20


def brought_forward(executor, seen=None):
    seen = [] if seen is None else seen
    with Shared(partial(dict, factor=7)) as shared:
        return run_units(grow, shared, begun(), ended, executor, np.zeros(1, np.uint8), seen.append)


def test_threads_processes_and_a_careless_executor_come_to_the_same_end():
    with executor_of(1) as one, executor_of(3) as three:
        alone = brought_forward(one)
        assert [state.steps for state in alone] == [20] * 4
        assert brought_forward(three) == alone
    with executor_of(2, True) as pool:
        assert brought_forward(pool) == alone
    careless = Careless()
    careless.random.random = lambda: 0.0  # at once: nothing may wait for a third job for ever
    assert brought_forward(careless) == alone


def test_every_return_is_seen_and_a_set_flag_ends_the_loop():
    seen, stop = [], np.zeros(1, np.uint8)

    def saw(states):
        seen.append(sum(state.steps for state in states))
        stop[0] = len(seen) >= 5

    with executor_of(1) as one, Shared(partial(dict, factor=7)) as shared:
        states = run_units(grow, shared, begun(), ended, one, stop, saw)
    assert seen[:5] == [3, 6, 9, 12, 15]
    assert sum(state.steps for state in states) < 80


def test_what_came_back_is_seen_again_while_nothing_else_comes(monkeypatch):
    """So that it can be saved: the next stretch from afar may be half a minute away."""
    monkeypatch.setattr("wlnn.base.pool.LOOK_SECONDS", 0.02)

    class Late(Executor):
        def submit(self, function, *arguments):
            future = Future()
            work = lambda: future.set_result(function(*arguments))  # noqa: E731
            threading.Timer(0.01 if arguments[1].number == 0 else 0.4, work).start()
            return future

    seen = []

    def saw(states):
        seen.append(tuple(state.steps for state in states))

    with Shared(partial(dict, factor=7)) as shared:
        run_units(grow, shared, begun()[:2], lambda s: s.steps > 0, Late(), NEVER.copy(), saw)
    assert seen[0] == (3, 0)
    assert seen[1] == (3, 0)
    assert seen[-1] == (3, 3)
    assert seen.count((3, 3)) == 1


def step(shared, state, seconds, stop):
    return state._replace(steps=state.steps + 1)


def test_units_meet_when_both_are_here():
    """Unit 1 may not pass unit 0, which hands it a step at a time; a third appears at the end."""

    def done(state):
        return state.steps >= state.value

    def meet(states, k, away):
        assert k not in away
        if k == 0 and 1 not in away:
            states[1] = states[1]._replace(value=states[0].steps)
        if states[0].steps == 5 and len(states) == 2:
            states.append(Count(2, 3, 0))
            return [1, 2]
        return [1]

    for executor in (Careless(), None):
        with executor_of(2, executor=executor) as pool, Shared(dict) as shared:
            if executor:
                executor.random.random = lambda: 0.0
            two = [Count(0, 5, 0), Count(1, 0, 0)]
            found = run_units(
                step, shared, two, done, pool, NEVER.copy(), lambda _: None, meet=meet
            )
        assert [state.steps for state in found][::2] == [5, 3]
        assert 0 < found[1].steps <= 5


def test_what_a_stretch_raises_comes_out_and_ends_the_others():
    def fails(shared, state, seconds, stop):
        if state.number == 2:
            raise UserError("the third fails")
        return grow(shared, state, seconds, stop)

    stop = np.zeros(1, np.uint8)
    shared = Shared(partial(dict, factor=7))
    with executor_of(2) as two, shared, pytest.raises(UserError, match="third"):
        run_units(fails, shared, begun(), ended, two, stop, lambda _: None)
    assert stop[0] == 1


def test_a_killed_worker_is_told_in_a_sentence(monkeypatch):
    monkeypatch.setattr("wlnn.base.pool.TRIES", 1)
    killed = pytest.raises(UserError, match="a worker process was killed")
    with killed, executor_of(1, True) as pool, Shared(dict) as shared:
        run_units(die, shared, begun()[:1], ended, pool, NEVER.copy(), lambda _: None)


def test_jobs_are_told_by_cost_and_come_back_in_order():
    told = []
    found = over_settings(
        divmod, [(5, 2), (9, 4), (7, 7)], [1, 3, 2], processes=1, progress=lambda *a: told.append(a)
    )
    assert found == [(2, 1), (2, 1), (1, 0)]
    assert told == [(0, 6), (3, 6), (5, 6), (6, 6)]
    assert over_settings(divmod, [(5, 2), (9, 4)], [1, 2], processes=2) == [(2, 1), (2, 1)]


def small_task():
    return load_task(
        "spiral-classify", seed=0, layers=1, width=2, points=4, x_low=-2, x_high=1, x_width=0.25
    )


def small_walk():
    settings = WLMCSettings(steps=4000, stages=4, walkers=2, anchor_draws=0)
    return wlmc_run.Walk(small_task().problem(), settings)


def small_flight():
    task = load_task("spiral-regress", layers=1, width=4, points=6)
    settings = WLMDSettings(steps=200, round=20, report=100, tables=1, walkers=1, checks=False)
    return wlmd_run.Fly(make_setup(NetworkVariables(task).problem(), settings))


def arrays_of(state):
    if isinstance(state, np.ndarray):
        return [state]
    if isinstance(state, dict):  # but for what the clock says
        clock = ("seconds", "us_per_step")
        return [a for name, v in state.items() if name not in clock for a in arrays_of(v)]
    return [a for value in state for a in arrays_of(value)] if isinstance(state, tuple) else []


@pytest.mark.parametrize(
    "kind", ["walker", pytest.param("table", marks=pytest.mark.slow), "trainings"]
)
def test_a_stretch_in_another_process_has_the_same_bits(kind):
    """The state before is left as it was, and what comes back is what this process would get."""
    if kind == "walker":
        shared = Shared(small_walk)
        begun = walkers_of.start(shared().problem, shared().settings, 0)
        stretch = wlmc_run.stretch
    elif kind == "table":
        shared, stretch = Shared(small_flight), wlmd_run.stretch
        begun = wlmd_run._start(shared().setup, 0)
    else:
        task = small_task()
        part = parts_of(TrainSettings(runs=2, epochs=5, batch_size=3), 12, None)[0]
        shared, stretch, begun = (
            Shared(partial(itself, task)),
            train_stretch,
            Progressed(part, None, 0),
        )
    before = [array.copy() for array in arrays_of(begun)]
    with shared:
        here = stretch(shared(), begun, 60.0, NEVER)
        if kind == "table":
            stretch(shared(), begun, 60.0, NEVER)  # compiled and on disk by now
        for array, copy in zip(arrays_of(begun), before, strict=True):
            np.testing.assert_array_equal(array, copy)
        states = []
        with executor_of(1, True) as pool:
            run_units(
                stretch, shared, [begun], lambda state: state is not begun, pool,
                np.zeros(1, np.uint8), lambda seen: states.append(seen[0]), 60.0,
            )  # fmt: skip
    there = arrays_of(states[-1])  # before it came, nothing new was seen
    assert len(there) > 3
    for first, second in zip(arrays_of(here), there, strict=True):
        np.testing.assert_array_equal(first, second)


ORPHANS = """
import os, sys, time
from wlnn.base.pool import executor_of

if __name__ == "__main__":
    with executor_of(1, True) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        time.sleep(60)
"""


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="looks at the processes in /proc")
def test_a_worker_ends_when_its_parent_is_killed(tmp_path):
    (tmp_path / "parent.py").write_text(ORPHANS)
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "parent.py"], stdout=subprocess.PIPE, text=True
    )
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    until = time.monotonic() + 20
    while Path(f"/proc/{worker}").exists() and time.monotonic() < until:
        time.sleep(0.1)
    assert not Path(f"/proc/{worker}").exists()
