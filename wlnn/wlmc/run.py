"""A whole run of Monte Carlo: walkers side by side, checkpoints, interruption, resume.

Takes a problem and settings, hands back a landscape; what a stage computes is in ``walker.py``. A
stage depends on (seed, walker, stage number) and on the walker before it alone, so that a run that
was interrupted anywhere, or runs on another number of threads, gives the same bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.accuracy_axes import TRAIN_ACCURACY
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.pool import Shared, executor_of, itself, run_units
from wlnn.base.running import Clocks, Interrupted, Report, stoppable
from wlnn.landscape.landscape import Landscape, finished
from wlnn.landscape.verdict import with_verdict
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.check import checked
from wlnn.tasks.problem import Problem
from wlnn.tasks.uncompiled import uncompiled
from wlnn.wlmc import walker as walkers_of
from wlnn.wlmc.checkpoints import load_walkers, run_identity, save_walkers
from wlnn.wlmc.draws import anchor, draw_into
from wlnn.wlmc.merge import (
    lift_unseen,
    merge_entropies,
    merge_walkers,
    refine_entropy,
    share_entropy,
)
from wlnn.wlmc.rules import NEW_BIN_MINIMUM, STEP_FIXED, Chain, Stage
from wlnn.wlmc.walker import StagePlan, Walker

KEPT_BYTES = 2**28  # most memory for one network of every bin
DRAWING = "uniform draws, which fix the zero of S"


class Walk:
    """What the walkers of a run share; each has a compiled system of its own."""

    def __init__(self, problem: Problem, settings: WLMCSettings, driver=None):
        self.problem, self.settings = problem, settings
        self.plan = walkers_of.make_plan(settings, driver)
        self.systems: dict[int, object] = {}

    def meeting(self, stage: int) -> int:
        """The stage after ``stage`` at which walkers wait for each other, to share S or at last."""
        if self.plan.common and stage < self.plan.n_adaptive:
            return max(stage + 1, self.plan.share_from)
        if self.plan.common:
            return min(at for at in (*self.plan.refined_at, self.plan.n_stages) if at > stage)
        together = self.settings.merge_every or self.plan.n_stages
        return min((stage // together + 1) * together, self.plan.n_stages)

    def met(self, walkers: list[Walker], stage: int) -> list[Walker]:
        """The walkers, all at ``stage``, after they shared what they share there.

        They are the same when they shared it before: a checkpoint may be of either moment.
        """
        every = self.settings.merge_every
        if every and stage and stage % every == 0 and stage < self.plan.n_adaptive:
            return merge_entropies(walkers, self.settings.groups)
        if self.plan.common and self.plan.share_from <= stage <= self.plan.n_adaptive:
            walkers = share_entropy(self.problem, self.plan, walkers)
            return lift_unseen(walkers) if stage == self.plan.n_adaptive else walkers
        return refine_entropy(walkers) if stage in self.plan.refined_at else walkers

    def system(self, number: int):
        """The compiled form of the problem for one walker, or None."""
        if number not in self.systems:
            self.systems[number] = _system(self.problem, self.settings.precision)
        return self.systems[number]


@alone
def sample(
    problem: Problem,
    settings: WLMCSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    driver=None,
    executor: Executor | None = None,
    make_problem: Callable[[], Problem] | None = None,
) -> Landscape:
    """Sample the entropy landscape of a problem by Wang-Landau Monte Carlo.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> grid = wlnn.Grid(wlnn.Axis("r squared", 0.0, 2.0, 4), wlnn.Axis("first", -1.0, 1.0, 2))
        >>> problem = wlnn.Problem(
        ...     "ball", -np.ones(2), np.ones(2), grid, lambda theta: (theta @ theta, theta[0])
        ... )
        >>> settings = wlnn.WLMCSettings(steps=4000, stages=4, walkers=2)
        >>> wlnn.sample(problem, settings, threads=2).n_walkers
        2

    Args:
        problem: see :class:`wlnn.tasks.problem.Problem`; ``Task.problem()`` makes one.
        settings: lengths, schedule, walkers; every walker has a table of its own (or one per group
            where they are merged).
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        threads: walkers that run at a time; the result does not depend on it.
        report: called with a :class:`wlnn.base.running.Report` from time to time.
        notes: stored in ``run.json`` beside the settings.
        driver: a module in the place of ``wlnn.wlmc.driver``, for judges of wrong samplers; in
            threads only.
        executor: any ``concurrent.futures.Executor`` in the place of threads: worker processes, a
            cluster; the result does not depend on it either.
        make_problem: makes the problem in a worker, where it cannot be pickled.

    Raises:
        UserError: wrong settings, a window that holds no state, a directory of another run.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    if driver is not None and executor is not None:
        raise UserError("another driver runs in threads only; leave out the executor.")
    make, problem = make_problem or partial(itself, problem), checked(problem)
    walk = Walk(problem, settings, driver)
    _check_kept(problem, settings)
    if directory is not None:
        directory = store.open_run(directory, run_identity(problem, settings), notes)
        if (landscape := finished(directory)) is not None:
            return landscape
    found = {} if directory is None else load_walkers(directory, problem, settings)
    shared = Shared(partial(_walk, make, settings), walk)
    with shared, executor_of(threads) as local, stoppable() as stop:
        fresh = [number for number in range(settings.walkers) if number not in found]
        for walker in local.map(lambda n: walkers_of.start(problem, settings, n), fresh):
            found[walker.number] = walker
        walkers = [found[number] for number in range(settings.walkers)]
        clocks = Clocks(report, _saver(directory, walk, walkers), _part(walkers, walk.plan))
        trial = partial(_tried, walk, walkers[0])
        clocks.tell(uncompiled(problem, settings.steps * settings.walkers, trial))
        with clocks.compiling():
            _compile(walk, walkers[0])
        with clocks.saving():
            walkers = _all_stages(walk, shared, walkers, executor or local, stop, clocks)
        if clocks.save is not None:
            clocks.save(walkers)
        draws = None
        if not stop[0]:
            clocks.report(Report(_part(walkers, walk.plan), notes=(DRAWING,)))
            systems = [walk.system(walker.number) for walker in walkers]

            def drawn(part: float) -> None:
                clocks.report(Report(1.0, line=f"uniform draws: {part:.0%}"))

            draws = anchor(problem, systems, settings, threads, stop, drawn)
    if min(walker.stage for walker in walkers) == 0:
        raise Interrupted
    merged = merge_walkers(problem, settings, walkers, draws)
    merged.meta["finished"] = not stop[0]
    merged = with_verdict(merged)
    if directory is not None:
        merged.save(directory / "landscape.npz")
    if stop[0]:
        raise Interrupted(merged)
    return merged


def _walk(make: Callable[[], Problem], settings: WLMCSettings) -> Walk:
    """What a worker process makes for itself."""
    return Walk(checked(make()), settings)


def _tried(walk: Walk, walker: Walker, steps: int) -> None:
    """Steps of a walker by the definition, thrown away: they tell its pace."""
    plan = walk.plan._replace(steps=steps)
    walkers_of.advance(walk.problem, None, walker, plan, np.zeros(1, np.uint8))


def stretch(walk: Walk, walker: Walker, seconds: float, stop: np.ndarray) -> Walker:
    """Some stages of one walker, up to where the walkers wait for each other."""
    until, last = time.monotonic() + seconds, walk.meeting(walker.stage)
    system = walk.system(walker.number)
    while walker.stage < last and not stop[0] and time.monotonic() < until:
        later = walkers_of.advance(walk.problem, system, walker, walk.plan, stop)
        walker = later or walker  # None: stopped within a stage, which is made again
    return walker


def _all_stages(walk, shared, walkers, executor, stop, clocks: Clocks) -> list[Walker]:
    """All walkers to the end of the plan, or to where they are when ``stop`` is set."""
    plan = walk.plan

    def saw(states):
        clocks.saw(_part(states, plan), lambda: _line(states, walk.problem), states)

    while (stage := min(walker.stage for walker in walkers)) < plan.n_stages and not stop[0]:
        if all(walker.stage == stage for walker in walkers):
            walkers = walk.met(walkers, stage)
        last = walk.meeting(stage)

        def arrived(walker, last=last):
            return walker.stage >= last

        walkers = run_units(stretch, shared, walkers, arrived, executor, stop, saw)
    return walkers


def _part(walkers: list[Walker], plan: StagePlan) -> float:
    return sum(walker.stage for walker in walkers) / (len(walkers) * plan.n_stages)


def _line(walkers: list[Walker], problem: Problem) -> str:
    """How far the walkers have come: lowest loss or highest accuracy, bins, round trips, ln f."""
    last = [
        {name: values[-1] for name, values in walker.history.items()}
        for walker in walkers
        if walker.stage
    ]
    if not last:
        return ""
    x = problem.grid.x
    far = f"{x.name.replace('ln train loss', 'ln L')} {min(r['x_low'] for r in last):.2f}"
    if x.name == TRAIN_ACCURACY:
        seen = np.sum([walker.visits for walker in walkers], axis=0).any(axis=1)
        far = f"{x.name} {x.centres[np.flatnonzero(seen)[-1]]:.2f}"
    ln_f = f"ln f {last[0]['ln_f']:.1e}" if last[0]["ln_f"] else "S frozen"
    bins, coverage = (np.mean([record[name] for record in last]) for name in ("bins", "coverage"))
    trips = int(sum(walker.history["round_trips"].sum() for walker in walkers))
    return f"{far}  {bins:,.0f} bins ({coverage:.0%})  {trips} round trips  {ln_f}"


def _saver(directory, walk: Walk, walkers: list[Walker]) -> Callable | None:
    """What writes the walkers: those that went on since, where each has a file of its own."""
    if directory is None:
        return None
    problem, settings, saved = walk.problem, walk.settings, {w.number: w.stage for w in walkers}

    def save(walkers: list[Walker]) -> None:
        together = settings.merge_every or walk.plan.common
        later = [walker for walker in walkers if together or walker.stage > saved[walker.number]]
        save_walkers(directory, problem, settings, later)
        saved.update((walker.number, walker.stage) for walker in later)

    return save


def _check_kept(problem: Problem, settings: WLMCSettings) -> None:
    if problem.grid is None:
        raise UserError(f"problem '{problem.name}': Monte Carlo needs its grid.")
    nx, ny = problem.grid.shape
    if settings.keep_networks and 8 * nx * ny * problem.n_parameters > KEPT_BYTES:
        raise UserError(
            f"wlmc.keep_networks: {nx} x {ny} bins of {problem.n_parameters} parameters would take "
            f"{8e-6 * nx * ny * problem.n_parameters:.0f} MB, more than {KEPT_BYTES / 1e6:.0f}; "
            "take a smaller window, wider bins or a smaller network."
        )


def _system(problem: Problem, precision: str):
    """The compiled form of a problem for one walker, or None."""
    if problem.system is not None:
        return problem.system(precision)
    if hasattr(problem.observe, "py_func"):  # compiled with numba.njit
        from wlnn.networks.compiled.moves import FunctionSystem

        return FunctionSystem(problem.observe)
    return None


def _compile(walk: Walk, walker: Walker) -> None:
    """A stage of no steps and no uniform draws: what Numba compiles, it compiles here."""
    problem, system = walk.problem, walk.system(walker.number)
    if system is None:
        return
    nothing, stop = np.zeros(problem.grid.shape, np.int64), np.zeros(1, np.uint8)
    walkers_of.run_stage(
        problem, system, walker.theta.copy(), walker.entropy.copy(), nothing.copy(), nothing,
        walker.kept[:0], Stage(0, 0.0, STEP_FIXED, NEW_BIN_MINIMUM, 0, 1), Chain(0.1, 0),
        np.ones(4, np.uint64), stop, driver=walk.plan.driver,
    )  # fmt: skip
    if walk.settings.anchor_draws:
        draw_into(problem, system, 0, np.random.SeedSequence(0), nothing, stop)
