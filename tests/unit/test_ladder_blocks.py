"""Rungs of one ladder in blocks: the same bits however they are cut, lost, late or stopped."""

import multiprocessing
import os
import random
import signal
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from wlnn.base import pool
from wlnn.base.engines import processes
from wlnn.base.running import Interrupted
from wlnn.ladder import blocks as blocks_module
from wlnn.ladder import crew
from wlnn.ladder import run as ladder_run
from wlnn.ladder.blocks import advance_block, blocks_of, ended, joined_blocks, met, ready
from wlnn.ladder.descent import begin
from wlnn.ladder.ladder import LOOK, advance, next_turn
from wlnn.ladder.movers import mover_of
from wlnn.ladder.state import DONE, PILOT, RUN, TILT
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import least_squares, maxnorm
from wlnn.settings.ladder import LadderSettings

N = 6
SETTINGS = LadderSettings(
    steps=9000, ladders=1, x_low=-3.1, dt=0.4, dt_cap=0.05, friction=0.02, thermostat_every=1,
    stretch=10, sample_every=5, descent=60, pilot=6, draws=200, seed=3,
)  # fmt: skip
GRID = Grid(Axis.of_width("x", -3.2, -0.8, 0.2), Axis.single())
MONTE_CARLO = replace(SETTINGS, x_low=-2.5, mover="monte-carlo", draws=1000)


def sphere():
    return least_squares.sphere(N).problem


def stop():
    return np.zeros(1, np.uint8)


def same(a, b):
    """Whether two states hold the same bits."""
    if isinstance(a, tuple):
        return len(a) == len(b) and all(same(one, other) for one, other in zip(a, b, strict=True))
    return np.array_equal(np.asarray(a), np.asarray(b), equal_nan=True)


def in_phase(mover, settings, phase):
    ladder = begin(mover, settings, 0, stop())
    while ladder.phase < phase:
        ladder = advance(mover, settings, ladder, stop())
    return ladder


def by_blocks(mover, settings, ladder, n, stretches, seconds, seed=0):
    """The ladder after one time in blocks, which move in random order."""
    order, blocks = random.Random(seed), blocks_of(settings, ladder, n, stretches)
    while not all(ended(block) for block in blocks):
        k = order.choice([k for k, block in enumerate(blocks) if ready(block).any()])
        blocks[k] = advance_block(mover, settings, blocks[k], seconds, stop())
        for other in range(n):
            if other != k:
                blocks[k], blocks[other] = met(settings, blocks[k], blocks[other])
    return joined_blocks(mover, settings, ladder, blocks)


@pytest.mark.parametrize("kind", ["langevin", "tilted", "monte-carlo"])
def test_blocks_make_the_ladder_that_one_worker_makes(kind):
    settings = {
        "langevin": SETTINGS,
        "tilted": replace(SETTINGS, depth=1, x_low=-2.5, steps=8000),
        "monte-carlo": MONTE_CARLO,
    }[kind]
    problem = maxnorm.problem(4) if kind == "monte-carlo" else sphere()
    if kind == "tilted":
        problem = least_squares.twin_spheres(N).problem
    view = Grid(Axis("x", -3.0, 0.0, 30), Axis("y", -4.0, 1.0, 50))
    mover = mover_of(problem, settings, window=view)
    ladder = in_phase(mover, settings, PILOT)
    order = random.Random(1)
    while ladder.phase != DONE and (kind == "tilted" or ladder.unit < 2 * LOOK):
        if ladder.phase == TILT:
            ladder = advance(mover, settings, ladder, stop())
            continue
        n, stretches = order.randint(2, max(2, ladder.rungs.n // 2)), order.randint(1, 40)
        last = min(ladder.unit + stretches, next_turn(settings, ladder))
        whole = ladder
        for _ in range(last - ladder.unit):
            whole = advance(mover, settings, whole, stop())
        seconds = order.choice([0.0, 1e-4, 10.0])
        dealt = by_blocks(mover, settings, ladder, n, stretches, seconds, order.random())
        assert same(dealt, whole)
        ladder = dealt
    assert ladder.phase in (RUN, DONE)
    assert ladder.rungs.tilt.any() == (kind == "tilted")
    assert ladder.accepted.sum() > 20


def test_a_pair_in_two_blocks_waits_for_both():
    problem = sphere()
    mover = mover_of(problem, SETTINGS)
    ladder = in_phase(mover, SETTINGS, PILOT)
    one, other = blocks_of(SETTINGS, ladder, 2, 6)
    one = advance_block(mover, SETTINGS, one, 10.0, stop())
    assert not ready(one).any()
    assert not ended(one)
    assert one.unit[0] > one.unit[-1]  # far from the border it comes further
    assert same(met(SETTINGS, one, other), (one, other))
    assert same(advance_block(mover, SETTINGS, one, 10.0, stop()), one)
    other = advance_block(mover, SETTINGS, other, 10.0, stop())
    one, other = met(SETTINGS, one, other)
    assert ready(one).any()
    assert ready(other).any()


def test_a_stopped_block_has_whole_stretches_only(monkeypatch):
    problem = sphere()
    mover = mover_of(problem, SETTINGS)
    _, one = blocks_of(SETTINGS, in_phase(mover, SETTINGS, PILOT), 2, 6)
    assert same(advance_block(mover, SETTINGS, one, 10.0, np.ones(1, np.uint8)), one)
    real, flag = mover.walks, stop()

    def walks(walks, steps, now):
        calls.append(1)
        flag[0] = len(calls) > 2
        return real(walks, steps, now)

    calls = []
    monkeypatch.setattr(mover, "walks", walks)
    cut = advance_block(mover, SETTINGS, one, 10.0, flag)
    assert flag[0]
    monkeypatch.setattr(mover, "walks", real)
    whole = advance_block(mover, SETTINGS, one, 10.0, stop())
    assert same(advance_block(mover, SETTINGS, cut, 10.0, stop()), whole)


@pytest.fixture
def dealt(monkeypatch):
    """Every ladder is worth dealing out; how many blocks came back is counted."""
    monkeypatch.setattr(crew, "LEAST_SECONDS", 1e-9)
    monkeypatch.setattr(crew, "WORTH", 1e-9)
    monkeypatch.setattr(crew, "TOGETHER_SECONDS", 0.01)
    monkeypatch.setattr(pool, "STRETCH_SECONDS", 0.01)
    came, real = [], blocks_module.advance_block

    def counted(*arguments):
        came.append(1)
        return real(*arguments)

    monkeypatch.setattr(ladder_run, "advance_block", counted)
    return came


def found(problem, settings=SETTINGS, **how):
    return ladder_run.sample(problem, settings, grid=GRID, **how)


def test_more_threads_than_ladders_share_their_rungs(dealt):
    problem, settings = sphere(), replace(SETTINGS, ladders=2)
    one = found(problem, settings)
    assert not dealt
    for threads in (2, 3, 8):
        other = found(problem, settings, threads=threads)
        assert same(other.entropies, one.entropies)
        assert other.meta["rungs"] == one.meta["rungs"]
    assert len(dealt) > 20


def test_a_small_ladder_stays_whole(dealt, monkeypatch):
    monkeypatch.setattr(crew, "WORTH", 1.0)
    found(sphere(), threads=4)
    assert not dealt


def test_an_interrupt_between_blocks_loses_no_bit(dealt, tmp_path, monkeypatch):
    problem = sphere()
    whole, cuts = found(problem), [25, 40, 60]
    with ThreadPoolExecutor(3) as threads:
        for k, cut in enumerate(cuts):

            def advance(mover, settings, block, seconds, flag, cut=cut):
                dealt.append(1)
                flag[0] = len(dealt) > cut
                return advance_block(mover, settings, block, seconds, flag)

            dealt.clear()
            monkeypatch.setattr(ladder_run, "advance_block", advance)
            with pytest.raises(Interrupted):
                found(problem, directory=tmp_path / "run", executor=threads)
            assert (tmp_path / "run" / "walker-000.npz").exists(), k
    monkeypatch.setattr(ladder_run, "advance_block", advance_block)
    assert same(found(problem, directory=tmp_path / "run").entropies, whole.entropies)


@pytest.mark.slow
def test_a_worker_killed_over_a_block_changes_no_bit(dealt, monkeypatch):
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    monkeypatch.setattr("wlnn.base.engines.NEAR_SECONDS", 0.02)
    killed = []

    def kill(report):
        if "stretch 3" in report.line and not killed:
            killed.extend(worker.pid for worker in multiprocessing.active_children())
            os.kill(killed[0], signal.SIGKILL)

    settings = replace(SETTINGS, steps=20_000)
    with processes(3) as engine:
        there = found(sphere(), settings, executor=engine, make_problem=sphere, report=kill)
        assert len(engine.seen) > 1
    assert killed
    assert engine.lost == 1
    here = found(sphere(), settings)
    assert same(there.entropies, here.entropies)
    assert there.meta["rungs"] == here.meta["rungs"]
