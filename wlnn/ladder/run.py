"""The loop over units: ladders in parallel threads, checkpoints, reports, interruption, resume.

Takes a problem and settings, hands back a landscape; what a unit computes is in ``ladder.py``, and
``crew.py`` deals it out. A unit depends on its ladder alone, so that a run that was interrupted
anywhere, or runs on another number of threads, gives the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units, workers_of
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.ladder import ladder as units
from wlnn.ladder.blocks import Block, advance_block
from wlnn.ladder.checkpoints import load_ladder, run_identity, save_ladder
from wlnn.ladder.crew import Climber, Crew, Group, idle, least_time
from wlnn.ladder.descent import begin
from wlnn.ladder.estimate import landscape
from wlnn.ladder.movers import Mover, by_gradient, mover_of
from wlnn.ladder.state import ASCENT, DESCENT, DONE, PHASES, PILOT, TILT, Ladder
from wlnn.landscape.grid import Grid
from wlnn.landscape.landscape import Landscape, finished
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.check import checked, checked_smooth
from wlnn.tasks.field import Field, field_of, field_on
from wlnn.tasks.uncompiled import uncompiled, uncompiled_motion


class Climb:
    """What the ladders of a run share; each thread has a mover of its own."""

    def __init__(self, problem, settings: LadderSettings, grid: Grid, field: Field | None = None):
        self.problem, self.settings, self.field = problem, settings, field or field_of(problem)
        self.grid = grid
        self.own = threading.local()

    def mover(self) -> Mover:
        """What moves replicas, in this thread."""
        if not hasattr(self.own, "mover"):
            self.own.mover = mover_of(self.problem, self.settings, self.field, self.grid)
        return self.own.mover


@alone
def sample(
    problem,
    settings: LadderSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    grid: Grid | None = None,
    executor: Executor | None = None,
    make_problem: Callable | None = None,
    device=None,
) -> Landscape:
    """Sample the entropy landscape of a problem by ladders of replicas.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> grid = wlnn.Grid(wlnn.Axis("ln loss", -2.2, 0.8, 15), wlnn.Axis("first", -1.0, 1.0, 2))
        >>> problem = wlnn.Problem(  # loss = 0.01 + mean square
        ...     "ball", -np.ones(4), np.ones(4), grid,
        ...     lambda theta: (np.log(0.01 + theta @ theta / 4), theta[0]),
        ... )
        >>> settings = wlnn.LadderSettings(ladders=2, steps=2e4, x_low=-2.0, descent=500, heated=0)
        >>> wlnn.sample_ladder(problem, settings).n_walkers
        2

    Args:
        problem: with a gradient it is moved by Langevin motion, else by Monte Carlo.
        settings: ladders, steps, rungs, time step.
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        threads: ladders that run at a time, or blocks of their rungs, where there are fewer
            ladders; the result does not depend on it.
        report: called with a :class:`wlnn.base.running.Report` from time to time.
        notes: stored in ``run.json`` beside the settings.
        grid: bins of the landscape; those of a ``Problem`` are its own.
        executor: any ``concurrent.futures.Executor`` in the place of threads: worker processes, a
            cluster; the result does not depend on it either.
        make_problem: makes the problem in a worker, where it cannot be pickled.
        device: "cuda" or "cuda:1", where all replicas of all ladders move at once; what the CPU
            began goes on there, and the other way round. Never chosen by itself; other bits.

    Raises:
        DeviceError: a device that cannot be used.
        UserError: wrong settings, a window that the ladder cannot reach, a directory of another
            run.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    make, problem = make_problem or partial(itself, problem), _tried(problem)
    grid = problem.grid if grid is None else grid
    found: list[Ladder | None] = [None] * settings.ladders
    if directory is not None:
        directory = store.open_run(directory, run_identity(problem, settings, grid), notes)
        if (done := finished(directory)) is not None:
            return done
        found = [load_ladder(directory, k, problem.n_parameters) for k in range(settings.ladders)]
        found = [ladder and units.lengthened(settings, ladder) for ladder in found]
    climbers = [Climber(number, ladder) for number, ladder in enumerate(found)]
    field = field_on(problem, device, directory=directory)
    if not field.compiled and not by_gradient(problem, settings):
        raise UserError("ladders of Monte Carlo moves run on the CPU alone; leave out the device.")
    with stoppable() as stop:
        climb = Climb(problem, settings, grid, field)
        with Shared(partial(_climb, make, settings, grid), climb) as shared:
            climbers = _all_units(
                climb, shared, climbers, directory, threads, report, stop, executor
            )
    ladders = [climber.ladder for climber in climbers if climber.ladder]
    complete = all(climber.done for climber in climbers)
    result = landscape(problem, settings, grid, ladders)
    if result is None:
        raise Interrupted
    result.meta["finished"] = complete
    if directory is not None:
        result.save(directory / "landscape.npz")
    if not complete:
        raise Interrupted(result)
    return result


def _tried(problem):
    return (checked if problem.backward is None else checked_smooth)(problem)


def _climb(make: Callable, settings: LadderSettings, grid: Grid) -> Climb:
    """What a worker process makes for itself."""
    return Climb(_tried(make()), settings, grid)


def stretch(climb: Climb, group: Group | Block, seconds: float, stop: np.ndarray) -> Group | Block:
    """Some units of the ladders of a group, side by side; their uniform draws are the first.

    Of a block of rungs, what can be done without its neighbours.
    """
    mover = climb.mover()
    if isinstance(group, Block):
        return advance_block(mover, climb.settings, group, seconds, stop)
    until, ladders = time.monotonic() + seconds, dict(group)
    while not stop[0] and time.monotonic() < until:
        fresh = [number for number, ladder in ladders.items() if ladder is None]
        going = [number for number, ladder in ladders.items() if ladder and ladder.phase != DONE]
        if fresh:
            later = begin(mover, climb.settings, fresh[0], stop)
            ladders[fresh[0]] = later
        elif going:
            later = units.advance_all(mover, climb.settings, [ladders[k] for k in going], stop)
            if later is not None:  # None: stopped within a unit, which is made again
                before, ladders = ladders, ladders | dict(zip(going, later, strict=True))
                if any(before[k].phase < PILOT <= ladders[k].phase for k in going):
                    break  # there are rungs now, which others may take over
        else:
            break
    return tuple(Climber(*pair) for pair in ladders.items())


def _all_units(
    climb, shared, climbers, directory, threads, report, stop, executor
) -> list[Climber]:
    """All ladders to their end, or to where they are when ``stop`` is set."""
    settings, first = climb.settings, climb.mover()
    groups = [(climber,) for climber in climbers]
    if not climb.field.compiled:
        groups = [tuple(climbers)]

    def save(climbers) -> None:
        for climber in climbers:
            if climber.ladder is not None and directory is not None:
                save_ladder(directory, climber.ladder)

    def part(climbers) -> float:
        done = sum(climber.ladder.steps for climber in climbers if climber.ladder)
        return min(done / (settings.steps * len(climbers)), 1.0)

    def saw(_) -> None:
        climbers = crew.climbers
        clocks.saw(part(climbers), lambda: _line(climbers), climbers)

    def trial(_: int) -> int:
        words = np.random.default_rng(0)
        draw = first.draw(words)
        first.walk(0.0, 0.0, 1e-12, draw.theta, draw.v, settings.stretch, words, stop)
        return settings.stretch

    clocks = Clocks(report, save, part(climbers))
    if climb.field.compiled:
        pace = uncompiled_motion if by_gradient(climb.problem, settings) else uncompiled
        clocks.tell(pace(climb.problem, settings.steps * settings.ladders, trial=trial))
    with clocks.compiling():
        trial(0)  # what Numba compiles, it compiles here
    with executor_of(threads, executor=executor) as executor, clocks.saving():
        pace = partial(least_time, partial(trial, 0))
        crew = Crew(first, settings, groups, partial(workers_of, executor), pace)
        run_units(stretch, shared, crew.states, idle, executor, stop, saw, meet=crew.meet)
    save(crew.climbers)
    return crew.climbers


def _line(climbers: list[Climber]) -> str:
    """How far the least advanced ladder has come."""
    known = [climber.ladder for climber in climbers if climber.ladder]
    if not known:
        return ""
    last = min(known, key=lambda ladder: (PHASES.index(ladder.phase), ladder.steps))
    if last.phase == DESCENT:
        return f"descent: rung {last.rungs.n - 1}, beta {last.rungs.beta[-1]:.3g}"
    if last.phase == ASCENT:
        return f"ascent of a trained network: {last.unit} of {last.rungs.n - 1} rungs"
    if last.phase == TILT:
        return f"off the ridge: {last.unit} rungs, kappa up to {np.abs(last.rungs.kappa).max():.3g}"
    with np.errstate(invalid="ignore"):
        rate = (last.accepted.sum(0) / last.tried.sum(0))[last.tried.sum(0) > 0]
    least = f"  exchanges accepted {rate.min():.2f} at least" if rate.size else ""
    name = "pilot, " if last.phase == PILOT else ""
    return f"{name}{last.rungs.n} rungs, stretch {last.unit}{least}"


def landscape_so_far(directory: Path, problem, settings, grid: Grid) -> Landscape | None:
    """The landscape of the checkpoints in a run directory; None before any ladder is in its run."""
    numbers = range(settings.ladders)
    ladders = [load_ladder(directory, k, problem.n_parameters) for k in numbers]
    return landscape(problem, settings, grid, [ladder for ladder in ladders if ladder])
