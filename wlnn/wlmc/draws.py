"""Uniform draws of the box, binned: they fix the zero of S."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from wlnn.base import streams
from wlnn.landscape.merge import Draws
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem

SLOW_DRAWS = 0.02  # uniform draws of a problem without compiled form, as a part of its steps
ANCHOR_CHUNK = 10_000  # uniform draws between two looks at Ctrl-C


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
            words = streams.words_of(settings.seed, streams.ANCHOR, chunk)
            draw_into(problem, systems[thread], size, words, counts, stop)
        return counts

    with ThreadPoolExecutor(threads) as pool:
        counts = sum(pool.map(count, range(threads)))
    return Draws(counts, n) if n and not stop[0] else None


def draw_into(problem, system, n: int, words: np.random.SeedSequence, counts, stop) -> None:
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
    from wlnn.backend.binning import binning
    from wlnn.wlmc import driver

    driver.draws_for(system)(
        system, problem.lo, problem.hi, binning(problem.grid), n,
        words.generate_state(4, np.uint64), counts,
    )  # fmt: skip
