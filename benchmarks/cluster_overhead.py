"""What worker processes cost: `wlnn sample --on processes:2` against `--threads 2`.

    python benchmarks/cluster_overhead.py [--rounds 8] [--steps 3e7] [--minute]

Two walkers of a small network (2-4-4-2). A machine that does something else too makes runs of a
minute differ by more than what is asked, so that the cost is taken apart, each part from pairs of
short runs in turns: what a command costs at its beginning and end (nearly no steps), and what its
steps cost with workers that are there (messages, meetings of walkers). Both together are told as
part of a run of a minute. With `--minute` whole runs of a minute are compared instead.
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
from contextlib import suppress

import wlnn
from wlnn.base.engines import processes

WORDS = ["--task", "spiral-classify", "--layers", "2", "--width", "4"]
WORDS += ["--set", "wlmc.anchor_draws=10000"]
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


def main() -> None:
    """Print the parts, and the whole."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--steps", type=float, default=3e7, help="of each walker")
    parser.add_argument("--workers", type=int, default=2, help="and walkers")
    parser.add_argument("--minute", action="store_true", help="whole runs of 6e8 steps")
    options = parser.parse_args()
    ctypes.CDLL(None).prctl(
        SUBREAPER, 1
    )  # children of ended children become ours: their time counts
    n = options.workers
    threads, elsewhere = ["--threads", str(n)], ["--on", f"processes:{n}"]
    command(1e5, n, elsewhere)  # which may compile
    steps = 6e8 if options.minute else 1e5
    found = pairs(
        options.rounds, lambda: command(steps, n, threads), lambda: command(steps, n, elsewhere)
    )
    told("a command, processors", [(one[1], other[1]) for one, other in found])
    one, start = told("a command, clock", [(one[0], other[0]) for one, other in found])
    if options.minute:
        print(f"a run of a minute: {start / one:+.1%} of the clock")
        return
    problem = wlnn.load_task("spiral-classify", layers=2, width=4).problem()
    settings = wlnn.WLMCSettings(
        walkers=n, steps=int(options.steps), stages=100, anchor_draws=10_000
    )
    with processes(n, forked=True) as engine:

        def run(executor=None) -> float:
            begun = time.monotonic()
            wlnn.sample(problem, settings, threads=n, executor=executor)
            return time.monotonic() - begun

        run(), run(engine)
        one, more = told("steps, clock", pairs(options.rounds, run, lambda: run(engine)))
    print(f"a run of a minute: {(start + more / one * MINUTE) / MINUTE:+.1%} of the clock")


if __name__ == "__main__":
    main()
