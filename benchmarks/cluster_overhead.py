"""What worker processes cost: `wlnn sample --on processes:2` against `--threads 2`, in turns.

    python benchmarks/cluster_overhead.py [--steps 3e8] [--rounds 2] [--workers 2]

Two walkers of a small network (2-4-4-2) make all their steps, with all that belongs to a run:
libraries, compiled code, checkpoints, pictures. Told are seconds of processors (user and system, of
all processes of a run) and of the clock; the former hold on a machine that is busy with something
else too. The first of all runs, which may compile, does not count. The number of steps tells what
the beginning costs (few steps) from what messages cost (many).
"""

import argparse
import resource
import statistics
import subprocess
import sys
import tempfile
import time

RUN = ["--task", "spiral-classify", "--layers", "2", "--width", "4"]
RUN += ["--set", "wlmc.anchor_draws=10000"]


def cost(words: list[str]) -> tuple[float, float]:
    """Seconds of processors and of the clock."""
    before, begun = resource.getrusage(resource.RUSAGE_CHILDREN), time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "wlnn", "sample", *words, "--out", f"{folder}/run"]
        subprocess.run(command, check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used, time.monotonic() - begun


def main() -> None:
    """Medians, and the least of all rounds: what else the machine does adds to some of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--steps", type=float, default=3e8, help="of each walker")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--workers", type=int, default=2, help="and walkers")
    options = parser.parse_args()
    n, found = str(options.workers), {}
    how = {"threads": ["--threads", n], "processes": ["--on", f"processes:{n}"]}
    cost([*RUN, "--walkers", n, "--steps", "1e5", *how["processes"]])
    for k in range(options.rounds):
        for name, words in sorted(how.items(), reverse=k % 2 == 1):
            run = [*RUN, "--walkers", n, "--steps", f"{options.steps:g}", *words]
            found.setdefault(name, []).append(cost(run))
            print(f"{name}: {found[name][-1][0]:.1f} s of processors,"
                  f" {found[name][-1][1]:.1f} s of the clock", flush=True)  # fmt: skip
    for k, what in enumerate(("processors", "clock")):
        for word, chosen in (("median", statistics.median), ("least", min)):
            one, other = (chosen(pair[k] for pair in found[name]) for name in how)
            print(f"{what}, {word} of {options.rounds}: threads {one:.1f} s,"
                  f" processes {other:.1f} s: {other / one - 1:+.1%}")  # fmt: skip


if __name__ == "__main__":
    main()
