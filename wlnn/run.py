"""The loop over stages: walkers in parallel threads, checkpoints, reports, interruption, resume.

Takes a problem and settings, hands back a landscape; what a stage computes is in ``wlmc.py``. A
stage depends on (seed, walker, stage number) and on the walker before it alone, so that a run that
was interrupted anywhere, or runs on another number of threads, gives the same bits.
"""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn import landscape as landscapes
from wlnn import store, wlmc
from wlnn.checkpoints import load_walkers, run_identity, save_walkers
from wlnn.errors import UserError
from wlnn.landscape import Draws, Landscape
from wlnn.problem import Problem
from wlnn.settings import WLMCSettings

ROUND_SECONDS = 0.5  # wanted time between two looks at the walkers
SAVE_SECONDS = 5.0  # between two checkpoints
SLOW_DRAWS = 0.02  # uniform draws of a problem without compiled form, as a part of its steps
ANCHOR_KEY = 2**31 - 1  # in place of a walker's number in the key of the uniform draws
ANCHOR_CHUNK = 10_000  # uniform draws between two looks at Ctrl-C
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


class Interrupted(Exception):  # noqa: N818 - no error
    """The run was stopped; ``landscape`` is what there is of it, None if no stage was finished."""

    def __init__(self, landscape: Landscape | None):
        super().__init__("interrupted")
        self.landscape = landscape


def sample(
    problem: Problem,
    settings: WLMCSettings,
    directory: Path | None = None,
    threads: int = 1,
    report: Callable[[Report], None] | None = None,
    notes: dict | None = None,
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

    Raises:
        UserError: wrong settings, a window that holds no state, a directory of another run.
        Interrupted: on Ctrl-C, when everything done so far is saved.
    """
    if threads < 1:
        raise UserError(f"threads must be 1 or more, not {threads}.")
    report = report or (lambda _: None)
    plan = wlmc.make_plan(settings)
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
        _compile(problem, systems[0], walkers[0], settings)
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


def finished(directory) -> Landscape | None:
    """The landscape of a run directory if nothing is left to do there."""
    path = Path(directory) / "landscape.npz"
    landscape = Landscape.load(path) if path.exists() else None
    return landscape if landscape is not None and landscape.meta.get("finished") else None


@contextmanager
def stoppable() -> Iterator[np.ndarray]:
    """A flag ``(1,)`` that Ctrl-C sets, where it would raise KeyboardInterrupt at any moment.

    Taken over is every signal that would raise it (a program may have made SIGTERM one of them).
    """
    stop = np.zeros(1, np.uint8)
    ours = []
    if threading.current_thread() is threading.main_thread():
        signals = (signal.SIGINT, signal.SIGTERM)
        ours = [number for number in signals if signal.getsignal(number) is _RAISE]
    try:
        for number in ours:
            signal.signal(number, lambda *_: stop.fill(1))
        yield stop
    finally:
        for number in ours:
            signal.signal(number, _RAISE)


_RAISE = signal.default_int_handler


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
        from wlnn.kernels import FunctionSystem

        return FunctionSystem(problem.observe)
    return None


def _compile(problem: Problem, system, walker: wlmc.Walker, settings: WLMCSettings) -> None:
    """A stage of no steps and no uniform draws: what Numba compiles, it compiles here."""
    if system is None:
        return
    nothing, stop = np.zeros(problem.grid.shape, np.int64), np.zeros(1, np.uint8)
    wlmc.run_stage(
        problem, system, walker.theta.copy(), walker.entropy.copy(), nothing.copy(), nothing,
        walker.kept[:0], (0, 0.0, 0, 0, 0, 1), (0.1, 0), np.ones(4, np.uint64), stop,
    )  # fmt: skip
    if settings.anchor_draws:
        _draw(problem, system, 0, np.random.SeedSequence(0), nothing, stop)


def merge_entropies(walkers: list[wlmc.Walker], groups: int) -> list[wlmc.Walker]:
    """Every walker of a group with the group's mean S, over those that know the bin."""
    merged = []
    size = len(walkers) // groups
    for group in range(groups):
        members = walkers[group * size : (group + 1) * size]
        known = np.array([walker.visits > 0 for walker in members])
        entropy = np.array([walker.entropy for walker in members])
        mean = np.where(known, entropy, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        merged += [walker._replace(entropy=mean.copy()) for walker in members]
    return merged


def anchor(
    problem: Problem, systems: list, settings: WLMCSettings, threads: int, stop: np.ndarray
) -> Draws | None:
    """Uniform draws of the box, binned: they fix the zero of S. None if stopped, or none wanted.

    Chunks have generators of their own, so that the counts do not depend on ``threads``.
    """
    n = settings.anchor_draws
    if systems[0] is None:
        n = min(n, int(SLOW_DRAWS * settings.steps))
    threads = min(threads, len(systems))
    chunks = range(-(-n // ANCHOR_CHUNK))

    def count(thread: int) -> np.ndarray:
        counts = np.zeros(problem.grid.shape, np.int64)
        for chunk in chunks[thread::threads]:
            if stop[0]:
                break
            size = min(ANCHOR_CHUNK, n - chunk * ANCHOR_CHUNK)
            words = np.random.SeedSequence(settings.seed, spawn_key=(ANCHOR_KEY, chunk))
            _draw(problem, systems[thread], size, words, counts, stop)
        return counts

    with ThreadPoolExecutor(threads) as pool:
        counts = sum(pool.map(count, range(threads)))
    return Draws(counts, n) if n and not stop[0] else None


def _draw(problem, system, n: int, words: np.random.SeedSequence, counts, stop) -> None:
    """Add the bins of ``n`` uniform points to ``counts (nx, ny)``."""
    if system is None:
        rng = np.random.default_rng(words)
        for _ in range(n):
            if stop[0]:
                break
            ix, iy = problem.grid.index(*problem.observe(rng.uniform(problem.lo, problem.hi)))
            if ix >= 0:
                counts[ix, iy] += 1
        return
    from wlnn import kernels

    kernels.draws_for(system)(
        system, problem.lo, problem.hi, kernels.binning(problem.grid), n,
        words.generate_state(4, np.uint64), counts,
    )  # fmt: skip


def merge_walkers(
    problem: Problem, settings: WLMCSettings, walkers: list[wlmc.Walker], draws: Draws | None
) -> Landscape:
    """The landscape of all walkers that finished a stage; groups with a common S count as one."""
    walkers = [walker for walker in walkers if walker.stage]
    size = len(walkers) // settings.groups if settings.merge_every else 1
    size = max(size, 1)
    groups = [walkers[first : first + size] for first in range(0, len(walkers), size)]
    covers = draws is not None and draws.n >= 10_000 and draws.counts.sum() == draws.n
    meta = {
        "task": problem.about or {"task": problem.name},
        "wlmc": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": problem.ln_box_volume,
        "seeds": {"seed": settings.seed, "walkers": [walker.number for walker in walkers]},
        "stages_done": [walker.stage for walker in walkers],
    }
    merged = landscapes.merge(
        problem.grid, [wlmc.result(group) for group in groups], draws, covers, meta
    )
    if walkers[0].kept.size:
        merged.networks.update(_networks(problem, walkers[0]))
    return merged


def _networks(problem: Problem, walker: wlmc.Walker) -> dict[str, np.ndarray]:
    """The microstates kept: bin indices ``(m, 2)`` and parameters ``(m, P)`` in float32."""
    known = np.flatnonzero(np.isfinite(walker.kept[:, 0]))
    bins = np.stack(np.unravel_index(known, problem.grid.shape), axis=1)
    return {"bins": bins, "theta": walker.kept[known].astype(np.float32)}
