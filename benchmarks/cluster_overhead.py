"""What worker processes cost: `wlnn sample --on processes:2` against `--threads 2`.

    python benchmarks/cluster_overhead.py [--rounds 8] [--steps 4e8] [--runs 2]

Two walkers of a small network (2-4-4-2). A machine that does something else too makes runs of a
minute differ by more than what is asked, so that the cost is taken apart: what a command costs at
its beginning and end, from pairs of short ones in turns (nearly no steps, most meetings of the
walkers), and what workers of a run of a minute wait for the program between their stretches, which
are the same work wherever they are made (how long they took is told, too). Both together are told
as part of a run of a minute; the meetings of the short commands are counted twice in it.
"""

import argparse
import ctypes
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

import numpy as np

import wlnn
from wlnn.base.engines import NEAR_SECONDS, Engine, processes
from wlnn.settings.tables import read_table

WORDS = ["--task", "spiral-classify", "--layers", "2", "--width", "4"]
WORDS += ["--set", "wlmc.anchor_draws=10000"]
TABLE = read_table("spiral-classify").wlmc
MINUTE = 60.0
SUBREAPER = 36  # of Linux: PR_SET_CHILD_SUBREAPER


def command(steps: float, workers: int, where: list[str]) -> tuple[float, float]:
    """Seconds of the clock and of processors of a whole command."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        words = [*WORDS, "--walkers", str(workers), "--steps", f"{steps:g}", *where]
        whole = [sys.executable, "-m", "wlnn", "sample", *words, "--out", f"{folder}/run"]
        subprocess.run(whole, check=True, capture_output=True)
        seconds = time.monotonic() - begun
    with suppress(ChildProcessError):
        while os.wait():  # for what the command began, too
            pass
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return seconds, used


def pairs(rounds: int, one, other) -> list[tuple]:
    """Results of both functions, in turns: which of them is first changes from round to round."""
    found = []
    for k in range(rounds):
        later = [(one, other), (other, one)][k % 2]
        results = [function() for function in later]
        found.append(tuple(results if k % 2 == 0 else results[::-1]))
        print(".", end="", flush=True)
    print()
    return found


def told(name: str, found: list[tuple[float, float]]) -> tuple[float, float]:
    """Median of threads, and of the difference of pairs, in seconds; with its standard error."""
    differences = [other - one for one, other in found]
    middle, n = statistics.median(differences), len(found)
    spread = 1.4826 * statistics.median(abs(d - middle) for d in differences)
    one = statistics.median(pair[0] for pair in found)
    error = 1.25 * spread / n**0.5
    print(f"{name}: threads {one:.2f} s, processes {middle:+.2f} +- {error:.2f} s")
    return one, middle


def clocked(function, *arguments) -> tuple:
    """What a stretch gives, and when it began and ended, in whatever process it is made."""
    begun = time.monotonic()  # of the machine, not of the process
    found = function(*arguments)
    return found, (begun, time.monotonic())


class Threads(ThreadPoolExecutor):
    """Threads that know when they worked."""

    def __init__(self, workers: int):
        super().__init__(workers)
        self.spans: list[tuple[float, float]] = []

    def submit(self, function, *arguments):
        """As of every executor."""
        return super().submit(self.work, function, *arguments)

    def work(self, function, *arguments):
        """One stretch."""
        found, span = clocked(function, *arguments)
        self.spans.append(span)
        return found


class Processes(Executor):
    """Worker processes, of whom it is known when they worked."""

    def __init__(self, engine: Engine):
        self.engine, self._max_workers = engine, engine.workers()
        self.spans: list[tuple[float, float]] = []

    def submit(self, function, *arguments):
        """As of every executor."""
        outer = Future()

        def came(inner) -> None:
            found, span = inner.result()
            self.spans.append(span)
            outer.set_result(found)

        self.engine.submit(clocked, function, *arguments).add_done_callback(came)
        return outer


def waited(problem, steps: float, workers: int, engine: Engine | None) -> tuple[float, float]:
    """Seconds that a worker of a run was kept waiting by the program, and that it worked.

    A stretch could have begun when the last one before it had ended: its own, or that of the walker
    that its own had to meet.
    """
    settings = replace(TABLE, steps=int(steps), walkers=workers, anchor_draws=10_000)
    clock = Threads(workers) if engine is None else Processes(engine)
    executor = clock if engine is None else Engine(clock, NEAR_SECONDS)
    begun = time.monotonic()
    wlnn.sample(problem, settings, threads=workers, executor=executor)
    over = time.monotonic()
    begins, ends = np.array(sorted(clock.spans)).T
    ends = np.append(begun, np.sort(ends))
    wait = begins - ends[np.searchsorted(ends, begins, "right") - 1]
    work = sum(end - begin for begin, end in clock.spans)
    return wait.sum() / workers + over - ends[-1], work / workers


def main() -> None:
    """Print the parts, and the whole."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8, help="pairs of short commands")
    parser.add_argument("--runs", type=int, default=2, help="pairs of long runs")
    parser.add_argument("--steps", type=float, default=4e8, help="of each walker of a long run")
    parser.add_argument("--workers", type=int, default=2, help="and walkers")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(SUBREAPER, 1)  # children of ended children become ours, and their time
    n = options.workers
    threads, elsewhere = ["--threads", str(n)], ["--on", f"processes:{n}"]
    command(1e5, n, elsewhere)  # which may compile
    found = pairs(
        options.rounds, lambda: command(1e5, n, threads), lambda: command(1e5, n, elsewhere)
    )
    told("a command, processors", [(one[1], other[1]) for one, other in found])
    _, start = told("a command, clock", [(one[0], other[0]) for one, other in found])
    problem = wlnn.load_task("spiral-classify", layers=2, width=4).problem()
    with processes(n, forked=True) as engine:
        waited(problem, 1e5, n, None), waited(problem, 1e5, n, engine)
        found = pairs(
            options.runs,
            lambda: waited(problem, options.steps, n, None),
            lambda: waited(problem, options.steps, n, engine),
        )
    _, more = told("a long run waits", [(one[0], other[0]) for one, other in found])
    told("its stretches", [(one[1], other[1]) for one, other in found])
    print(f"a run of a minute: {(start + more) / MINUTE:+.1%} of the clock")


if __name__ == "__main__":
    main()
