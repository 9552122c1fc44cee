"""What to expect of hundreds of slots: an event simulation of a run on a cluster.

    python benchmarks/cluster_sim.py [--slots 512] [--dispatch 1e-3]

Every unit of work (a walker, a table) is a chain of tasks. One scheduler hands tasks out, which
takes it ``--dispatch`` seconds each (measured with dask: 1e-3 s alone, up to 2e-2 s through its
executor); nodes differ by up to 15 % in speed, tasks of one node by some 5 %, and nodes fail. Told
is the efficiency: work done / (slots x time). Three ways to wait: not at all ("free", what wlnn
does), for the neighbour ("pairs", an exchange between windows or rungs), and for all ("all").

Nothing is measured here but the model; the tasks' lengths are those of `benchmarks/wlmc.py` and
`benchmarks/wlmd.py`.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np

CASES = {  # seconds of one step
    "WLMC 3x6": 1.6e-7,
    "WLMD W = 30": 8.7e-5,
    "WLMD W = 100": 5.3e-4,
}
LATENCY = 5e-3  # seconds from the scheduler to a worker
JITTER, SLOW = 0.05, 0.15  # of a task, and of a node
RESTART = 120.0  # seconds until the task of a node that failed begins elsewhere


class Told(NamedTuple):
    """What a simulated run came to."""

    efficiency: float
    hours: float
    lost: float  # core-hours


def simulate(
    task: float,
    rounds: int,
    slots: int,
    per_node: int = 16,
    dispatch: float = 1e-3,
    waits: str = "free",
    mtbf: float = np.inf,
    seed: int = 0,
) -> Told:
    """``slots`` units of ``rounds`` tasks of ``task`` seconds each, one unit a slot.

    Args:
        mtbf: hours between two failures of a node.
    """
    rng = np.random.default_rng(seed)
    nodes = -(-slots // per_node)
    node, pace = np.arange(slots) % nodes, 1 + SLOW * rng.random(nodes)
    ended, free, lost = np.zeros(slots), 0.0, 0.0
    for number in range(rounds):
        length = task * pace[node] * (1 + JITTER * rng.standard_exponential(slots))
        failed = (rng.random(nodes) < 1 - np.exp(-length.mean() / 3600 / mtbf))[node]
        again = np.where(failed, rng.random(slots) * length + RESTART, 0.0)
        lost += again.sum()
        ready = ended.copy()
        if waits == "all":
            ready[:] = ended.max()
        elif waits == "pairs":  # neighbours of alternating parity
            first = np.arange(number % 2, slots - 1, 2)
            ready[first] = ready[first + 1] = np.maximum(ended[first], ended[first + 1])
        begun = np.empty(slots)
        for unit in np.argsort(ready, kind="stable"):
            free = max(free, ready[unit]) + dispatch
            begun[unit] = free + LATENCY
        ended = begun + length + again
    return Told(task * rounds / ended.max(), ended.max() / 3600, lost / 3600)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--slots", type=int, default=512)
    parser.add_argument("--dispatch", type=float, default=1e-3, help="seconds a task")
    options = parser.parse_args()
    how = {"slots": options.slots, "dispatch": options.dispatch}

    print(f"{options.slots} slots, {1e3 * options.dispatch:g} ms to hand out a task; efficiency")
    print(f"{'length of a task':>18}  {'free':>6}  {'pairs':>6}  {'all':>6}")
    for task in (0.1, 0.5, 1.0, 5.0, 30.0, 120.0):
        told = [simulate(task, 60, waits=waits, **how).efficiency
                for waits in ("free", "pairs", "all")]  # fmt: skip
        print(f"{task:16g} s  " + "  ".join(f"{value:6.2f}" for value in told))

    print("\ntasks of 30 s; a node fails every 30 days, or every day")
    print(f"{'1e8 steps a slot':>18}  {'hours':>6}  lost core-hours")
    for name, step in CASES.items():
        rounds = max(1, round(1e8 * step / 30))
        told = [simulate(1e8 * step / rounds, rounds, mtbf=24.0 * days, **how) for days in (30, 1)]
        total = options.slots * told[0].hours
        print(f"{name:>18}  {told[0].hours:6.2f}  " + ", ".join(
            f"{one.lost:.3g} ({one.lost / total:.1%})" for one in told))  # fmt: skip


if __name__ == "__main__":
    main()
