"""The loop over units: ladders in parallel threads, checkpoints, reports, interruption, resume.

Takes a problem and settings, hands back a landscape; what a unit computes is in ``ladder.py``. A
unit depends on its ladder alone, so that a run that was interrupted anywhere, or runs on another
number of threads, gives the same bits.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted, stoppable
from wlnn.ladder import ladder as units
from wlnn.ladder.checkpoints import load_ladder, run_identity, save_ladder
from wlnn.ladder.descent import begin
from wlnn.ladder.estimate import landscape
from wlnn.ladder.movers import mover_of
from wlnn.ladder.state import ASCENT, DESCENT, DONE, PILOT, Ladder
from wlnn.landscape.files import finished
from wlnn.landscape.grid import Grid
from wlnn.landscape.landscape import Landscape
from wlnn.settings.ladder import LadderSettings

ROUND_SECONDS = 0.5  # wanted time between two looks at the ladders
SAVE_SECONDS = 10.0  # between two checkpoints
COMPILING = "compiling the sampler, once per kind"


class Report(NamedTuple):
    """Where a run stands; handed to the ``report`` function every :data:`ROUND_SECONDS`."""

    part: float  # of all steps
    seconds_left: float  # nan until it can be told
    ladders: list[Ladder]
    note: str = ""

    def line(self) -> str:
        """The progress in one line: the ladder that is least advanced."""
        if not self.ladders:
            return ""
        last = min(self.ladders, key=lambda ladder: (ladder.phase, ladder.steps))
        if last.phase == DESCENT:
            return f"descent: {last.rungs.n - 1} rungs, beta {last.rungs.beta[-1]:.3g}"
        if last.phase == ASCENT:
            return f"ascent of a trained network: {last.unit} of {last.rungs.n - 1} rungs"
        with np.errstate(invalid="ignore"):
            rate = (last.accepted.sum(0) / last.tried.sum(0))[last.tried.sum(0) > 0]
        least = f"  exchanges accepted {rate.min():.2f} at least" if rate.size else ""
        name = "pilot, " if last.phase == PILOT else ""
        return f"{name}{last.rungs.n} rungs, stretch {last.unit}{least}"


def sample(
    problem,
    settings: LadderSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    grid: Grid | None = None,
) -> Landscape:
    """Sample the entropy landscape of a problem by ladders of replicas.

    Args:
        problem: a :class:`wlnn.tasks.problem.SmoothProblem`, moved by Langevin motion, or a
            :class:`wlnn.tasks.problem.Problem`, by Monte Carlo.
        settings: ladders, steps, rungs, time step.
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        threads: ladders that run at a time; the result does not depend on it.
        report: called with a :class:`Report` from time to time.
        notes: stored in ``run.json`` beside the settings.
        grid: bins of the landscape; those of a ``Problem`` are its own.

    Raises:
        UserError: wrong settings, a window that the ladder cannot reach, a directory of another
            run.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    grid = problem.grid if grid is None else grid
    report = report or (lambda _: None)
    found: list[Ladder | None] = [None] * settings.ladders
    if directory is not None:
        notes = {**(notes or {}), "versions": store.versions()}
        directory = store.open_run(directory, run_identity(problem, settings, grid), notes)
        if (done := finished(directory)) is not None:
            return done
        found = [load_ladder(directory, k, problem.n_parameters) for k in range(settings.ladders)]
    with stoppable() as stop:
        ladders = _all_units(problem, settings, found, directory, threads, report, stop)
        complete = not stop[0]
    result = landscape(problem, settings, grid, ladders)
    if result is None:
        raise Interrupted(None)
    result.meta["finished"] = complete
    if directory is not None:
        result.save(directory / "landscape.npz")
    if not complete:
        raise Interrupted(result)
    return result


def _all_units(problem, settings, found, directory, threads, report, stop) -> list[Ladder]:
    """All ladders to their end, or to where they are when ``stop`` is set, in rounds."""
    timer = threading.Timer(1.5, lambda: report(Report(0.0, math.nan, [], COMPILING)))
    timer.start()
    try:
        movers = [mover_of(problem, settings) for _ in found]
        words = np.random.default_rng(0)
        draw = movers[0].draw(words)  # what Numba compiles, it compiles here
        movers[0].walk(0.0, 0.0, 1e-12, draw.theta, draw.v, settings.stretch, words, stop)
    finally:
        timer.cancel()
    begun = saved = time.monotonic()
    first = sum(ladder.steps for ladder in found if ladder)

    def one(number: int) -> Ladder | None:
        ladder, until = found[number], time.monotonic() + ROUND_SECONDS
        while not stop[0] and (ladder is None or ladder.phase != DONE):
            if ladder is None:
                later = begin(movers[number], settings, number, stop)
            else:
                later = units.advance(movers[number], settings, ladder, stop)
            if later is None:
                break
            ladder = later
            if time.monotonic() > until:
                break
        return ladder

    with ThreadPoolExecutor(threads) as pool:
        while not stop[0] and any(ladder is None or ladder.phase != DONE for ladder in found):
            jobs = [pool.submit(one, number) for number in range(len(found))]
            try:
                found = [job.result() for job in jobs]
            except BaseException:
                stop[0] = 1  # the other ladders end at once
                raise
            now = time.monotonic()
            if directory is not None and now - saved > SAVE_SECONDS:
                _save(directory, found)
                saved = time.monotonic()
            known = [ladder for ladder in found if ladder]
            done = sum(ladder.steps for ladder in known)
            whole = max(settings.steps * len(found), done)
            left = (now - begun) * (whole - done) / max(done - first, 1)
            report(Report(min(done / whole, 1.0), left, known))
    if directory is not None:
        _save(directory, found)
    return [ladder for ladder in found if ladder]


def landscape_so_far(directory: Path, problem, settings, grid: Grid) -> Landscape | None:
    """The landscape of the checkpoints in a run directory; None before any ladder is in its run."""
    numbers = range(settings.ladders)
    ladders = [load_ladder(directory, k, problem.n_parameters) for k in numbers]
    return landscape(problem, settings, grid, [ladder for ladder in ladders if ladder])


def _save(directory: Path, ladders) -> None:
    for ladder in ladders:
        if ladder is not None:
            save_ladder(directory, ladder)
