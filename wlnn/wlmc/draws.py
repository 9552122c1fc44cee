"""Uniform draws of the box, or draws of a Gaussian prior, binned: they fix the zero of S."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait

import numpy as np

from wlnn.base import streams
from wlnn.landscape.merge import Draws
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem

SLOW_DRAWS = 0.02  # most uniform draws of a problem without compiled form, as a part of its steps
ANCHOR_CHUNK = 10_000  # uniform draws of one generator
ANCHOR_PIECE = 500  # of these between two looks at Ctrl-C
LOOK_SECONDS = 1.0  # between two reports
DRAWN_PART = 0.25  # most uniform draws, as a part of the steps of all walkers; one costs 2 to 10


def anchor(
    problem: Problem,
    systems: list,
    settings: WLMCSettings,
    threads: int,
    stop: np.ndarray,
    saw: Callable[[float], None] = lambda _: None,
) -> Draws | None:
    """Uniform draws of the box, binned: they fix the zero of S. None if stopped, or none wanted.

    Chunks have generators of their own, so that the counts do not depend on ``threads``. How many
    there are is bounded by the steps of the run, and not by a clock, which would make the zero of
    S depend on the machine. ``saw`` is told the part that is done, by the calling thread.
    """
    n = draws_of(settings, systems[0] is not None)
    if not n:
        return None
    threads = min(threads, len(systems))
    chunks = range(-(-n // ANCHOR_CHUNK))

    done = np.zeros(threads)

    def count(thread: int) -> np.ndarray:
        counts = np.zeros(problem.grid.shape, np.int64)
        for chunk in chunks[thread::threads]:
            if stop[0]:
                break
            size = min(ANCHOR_CHUNK, n - chunk * ANCHOR_CHUNK)
            words = streams.words_of(settings.seed, streams.ANCHOR, chunk)
            draw_into(problem, systems[thread], size, words, counts, stop)
            done[thread] += size
        return counts

    with ThreadPoolExecutor(threads) as pool:
        jobs = [pool.submit(count, thread) for thread in range(threads)]
        while wait(jobs, LOOK_SECONDS).not_done:
            saw(done.sum() / n)
        counts = sum(job.result() for job in jobs)
    return Draws(counts, n) if not stop[0] else None


def draws_of(settings: WLMCSettings, compiled: bool) -> int:
    """How many uniform draws a run makes."""
    most = DRAWN_PART * settings.walkers if compiled else SLOW_DRAWS
    return min(settings.anchor_draws, int(most * settings.steps))


def draw_into(problem, system, n: int, words: np.random.SeedSequence, counts, stop) -> None:
    """Add the bins of ``n`` points of the box or of the prior to ``counts (nx, ny)``."""
    if system is None:
        rng = np.random.default_rng(words)
        for _ in range(n):
            if stop[0]:
                break
            ix, iy = problem.grid.index(*problem.observe(problem.draw(rng)))
            if ix >= 0:
                counts[ix, iy] += 1
        return
    from wlnn.backend.binning import binning
    from wlnn.wlmc import driver

    gaussian, bins = problem.sigma.size > 0, binning(problem.grid)
    draw = driver.prior_draws_for(system) if gaussian else driver.draws_for(system)
    law = (problem.sigma,) if gaussian else (problem.lo, problem.hi)
    state = words.generate_state(4, np.uint64)
    for first in range(0, max(n, 1), ANCHOR_PIECE):
        if stop[0]:
            break
        draw(system, *law, bins, min(ANCHOR_PIECE, n - first), state, counts)
