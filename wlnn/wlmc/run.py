"""The loop over stages: walkers in parallel threads, checkpoints, reports, interruption, resume.

Takes a problem and settings, hands back a landscape; what a stage computes is in ``wlmc.py``. A
stage depends on (seed, walker, stage number) and on the walker before it alone, so that a run that
was interrupted anywhere, or runs on another number of threads, gives the same bits.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted, stoppable
from wlnn.landscape.files import finished
from wlnn.landscape.landscape import Landscape
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.check import checked
from wlnn.tasks.problem import Problem
from wlnn.wlmc import walker as wlmc
from wlnn.wlmc.checkpoints import load_walkers, run_identity, save_walkers
from wlnn.wlmc.draws import anchor, draw_into
from wlnn.wlmc.merge import merge_entropies, merge_walkers
from wlnn.wlmc.rules import NEW_BIN_MINIMUM, STEP_FIXED, Chain, Stage

ROUND_SECONDS = 0.5  # wanted time between two looks at the walkers
SAVE_SECONDS = 5.0  # between two checkpoints
KEPT_BYTES = 2**28  # most memory for one network of every bin


class Report(NamedTuple):
    """Where a run stands; handed to the ``report`` function every :data:`ROUND_SECONDS`."""

    part: float  # of all stages
    seconds_left: float  # nan until it can be told
    stage: int
    n_stages: int
    ln_f: float
    x_low: float  # lowest edge of x reached by any walker
    bins: float  # visited bins, mean over walkers
    coverage: float
    round_trips: int  # of all walkers
    note: str = ""


@alone
def sample(
    problem: Problem,
    settings: WLMCSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
    driver=None,
) -> Landscape:
    """Sample the entropy landscape of a problem by Wang-Landau Monte Carlo.

    Args:
        problem: see :class:`wlnn.problem.Problem`; ``Task.problem()`` makes one.
        settings: lengths, schedule, walkers; every walker has a table of its own (or one per group
            where they are merged).
        directory: where checkpoints and ``landscape.npz`` go; an interrupted run with the same
            settings is continued there, a finished one is returned as it is. None keeps everything
            in memory.
        threads: walkers that run at a time; the result does not depend on it.
        report: called with a :class:`Report` from time to time.
        notes: stored in ``run.json`` beside the settings.
        driver: a module in the place of ``wlnn.wlmc.driver``, for judges of wrong samplers.

    Raises:
        UserError: wrong settings, a window that holds no state, a directory of another run.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    report = report or (lambda _: None)
    plan = wlmc.make_plan(settings, driver)
    problem = checked(problem)
    _check_kept(problem, settings)
    identity = run_identity(problem, settings)
    if directory is not None:
        directory = store.open_run(
            directory, identity, {**(notes or {}), "versions": store.versions()}
        )
        if (landscape := finished(directory)) is not None:
            return landscape
    found = {} if directory is None else load_walkers(directory, problem, settings)
    fresh = [number for number in range(settings.walkers) if number not in found]
    with ThreadPoolExecutor(threads) as pool:
        for walker in pool.map(lambda n: wlmc.start(problem, settings, n), fresh):
            found[walker.number] = walker
    walkers = [found[number] for number in range(settings.walkers)]
    systems = [_system(problem, settings.precision) for _ in walkers]
    timer = threading.Timer(
        1.5, lambda: report(_report(walkers, plan, np.nan, "compiling the sampler, once per kind"))
    )
    timer.start()
    try:
        _compile(problem, systems[0], walkers[0], plan)
    finally:
        timer.cancel()
    with stoppable() as stop:
        walkers = _all_stages(problem, systems, walkers, plan, threads, directory, report, stop)
        if directory is not None:
            save_walkers(directory, problem, settings, walkers)
        draws = None
        if not stop[0]:
            report(_report(walkers, plan, np.nan, "uniform draws, which fix the zero of S"))
            draws = anchor(problem, systems, settings, threads, stop)
    if min(walker.stage for walker in walkers) == 0:
        raise Interrupted(None)
    merged = merge_walkers(problem, settings, walkers, draws)
    merged.meta["finished"] = not stop[0]
    if directory is not None:
        merged.save(directory / "landscape.npz")
    if stop[0]:
        raise Interrupted(merged)
    return merged


def _check_kept(problem: Problem, settings: WLMCSettings) -> None:
    nx, ny = problem.grid.shape
    if settings.keep_networks and 8 * nx * ny * problem.n_parameters > KEPT_BYTES:
        raise UserError(
            f"wlmc.keep_networks: {nx} x {ny} bins of {problem.n_parameters} parameters would take "
            f"{8e-6 * nx * ny * problem.n_parameters:.0f} MB, more than {KEPT_BYTES / 1e6:.0f}; "
            "take a smaller window, wider bins or a smaller network."
        )


def _all_stages(problem, systems, walkers, plan, threads, directory, report, stop):
    """All walkers to the end of the plan, or to where they are when ``stop`` is set, in rounds."""
    together = plan.settings.merge_every
    stages_a_round = 1
    begun = saved = time.monotonic()
    first = sum(walker.stage for walker in walkers)

    def advance(walker: wlmc.Walker, last: int) -> wlmc.Walker:
        while walker.stage < last and not stop[0]:
            following = wlmc.advance(problem, systems[walker.number], walker, plan, stop)
            if following is None:
                break
            walker = following
        return walker

    with ThreadPoolExecutor(threads) as pool:
        while (stage := min(walker.stage for walker in walkers)) < plan.n_stages and not stop[0]:
            last = min(stage + stages_a_round, plan.n_stages)
            if together:
                last = min(last, (stage // together + 1) * together)
            round_begun = time.monotonic()
            jobs = [pool.submit(advance, walker, last) for walker in walkers]
            try:
                walkers = [job.result() for job in jobs]
            except BaseException:
                stop[0] = 1  # the other walkers end at once
                raise
            complete = all(walker.stage == last for walker in walkers)
            if together and complete and last % together == 0 and last < plan.n_adaptive:
                walkers = merge_entropies(walkers, plan.settings.groups)
            now = time.monotonic()
            stages_a_round = max(1, round(stages_a_round * ROUND_SECONDS / (now - round_begun)))
            if directory is not None and now - saved > SAVE_SECONDS:
                save_walkers(directory, problem, plan.settings, walkers)
                saved = now
            done = sum(walker.stage for walker in walkers)
            left = plan.n_stages * len(walkers) - done
            report(_report(walkers, plan, (now - begun) * left / max(done - first, 1)))
    return walkers


def _report(walkers, plan: wlmc.Plan, seconds_left: float, note: str = "") -> Report:
    stage = min(walker.stage for walker in walkers)
    part = sum(walker.stage for walker in walkers) / (len(walkers) * plan.n_stages)
    if not stage:
        return Report(part, seconds_left, 0, plan.n_stages, *[np.nan] * 4, 0, note)
    last = [{name: values[-1] for name, values in walker.history.items()} for walker in walkers]
    return Report(
        part,
        seconds_left,
        stage,
        plan.n_stages,
        ln_f=last[0]["ln_f"],
        x_low=min(record["x_low"] for record in last),
        bins=float(np.mean([record["bins"] for record in last])),
        coverage=float(np.mean([record["coverage"] for record in last])),
        round_trips=int(sum(walker.history["round_trips"].sum() for walker in walkers)),
        note=note,
    )


def _system(problem: Problem, precision: str):
    """The compiled form of a problem for one walker, or None."""
    if problem.system is not None:
        return problem.system(precision)
    if hasattr(problem.observe, "py_func"):  # compiled with numba.njit
        from wlnn.networks.compiled.moves import FunctionSystem

        return FunctionSystem(problem.observe)
    return None


def _compile(problem: Problem, system, walker: wlmc.Walker, plan: wlmc.Plan) -> None:
    """A stage of no steps and no uniform draws: what Numba compiles, it compiles here."""
    if system is None:
        return
    nothing, stop = np.zeros(problem.grid.shape, np.int64), np.zeros(1, np.uint8)
    wlmc.run_stage(
        problem, system, walker.theta.copy(), walker.entropy.copy(), nothing.copy(), nothing,
        walker.kept[:0], Stage(0, 0.0, STEP_FIXED, NEW_BIN_MINIMUM, 0, 1), Chain(0.1, 0),
        np.ones(4, np.uint64), stop, driver=plan.driver,
    )  # fmt: skip
    if plan.settings.anchor_draws:
        draw_into(problem, system, 0, np.random.SeedSequence(0), nothing, stop)
