"""How much sooner one ladder is done on several workers, by the length of a rung's stretch.

    python benchmarks/ladder_blocks.py [--on processes:2] [--on dask:2] [--rungs 40]

Rungs that sleep for a given time in the place of moving go through the real loop, blocks,
exchanges and messages, once whole on one worker and once in blocks: what is measured is the waiting
and the sending alone, on a machine that may be busy with something else. No network, no compiler,
no physics.
"""

import argparse
import math
import time
from contextlib import contextmanager
from functools import partial

import numpy as np

from wlnn.base.clusters import engine_on
from wlnn.base.pool import Shared, executor_of, itself, run_units, workers_of
from wlnn.ladder.blocks import Block, advance_block
from wlnn.ladder.crew import Climber, Crew, idle
from wlnn.ladder.ladder import advance
from wlnn.ladder.movers import Visit
from wlnn.ladder.rungs import untilted
from wlnn.ladder.samples import Samples
from wlnn.ladder.state import RUN, Ladder
from wlnn.settings.ladder import LadderSettings

SETTINGS = LadderSettings(ladders=1)
NEVER = np.zeros(1, np.uint8)


class Sleeper:
    """A mover that sleeps."""

    def __init__(self, seconds: float, n_parameters: int):
        self.seconds, self.n_parameters = seconds, n_parameters

    def visit(self, theta, v, rng) -> Visit:
        """Five samples anywhere."""
        x = rng.uniform(-3, 0, 5)
        ones = np.ones(5)
        return Visit(theta, v, x, 0 * x, 0 * x, ones, -ones.astype(int), (x[-1], 0.0), 1.0)

    def draw(self, rng) -> Visit:
        """At once."""
        return self.visit(rng.random(self.n_parameters), np.zeros(self.n_parameters), rng)

    def walks(self, walks, steps, stop) -> list[Visit]:
        """One after another."""
        time.sleep(self.seconds * len(walks))
        return [self.visit(walk.theta, walk.v, walk.rng) for walk in walks]


def ladder_of(rungs: int, parameters: int, stretches: int) -> Ladder:
    """A ladder at the beginning of its run."""
    some, k = untilted(np.geomspace(1, 1e3, rungs - 1)), rungs
    none = Samples(*(np.zeros(0, kind) for kind in (int, int, float, float, float, float, int)))
    theta, zeros = np.random.default_rng(0).random((2, k, parameters)), np.zeros(k)
    return Ladder(
        0, RUN, 0, stretches, 0, 1.0, some, zeros, np.arange(k), *theta, np.zeros(k, bool), zeros,
        zeros, 0, none, (), *(np.zeros((n, k)) for n in (2, 2, 3)), 0,
    )  # fmt: skip


def stretch(mover: Sleeper, state, seconds: float, stop):
    """As ``ladder.run.stretch``, of a ladder that is in its run."""
    if isinstance(state, Block):
        return advance_block(mover, SETTINGS, state, seconds, stop)
    until, (climber,) = time.monotonic() + seconds, state
    while not climber.done and time.monotonic() < until:
        climber = climber._replace(ladder=advance(mover, SETTINGS, climber.ladder, stop))
    return (climber,)


def wall(executor, mover: Sleeper, ladder: Ladder, workers: int) -> tuple[float, int]:
    """Seconds of a whole run by so many workers, and the tasks that came back."""
    came, usual = [], workers_of(executor)[1]
    with Shared(partial(itself, mover), mover) as shared:
        begun = time.perf_counter()
        crew = Crew(
            mover, SETTINGS, [(Climber(0, ladder),)], lambda: (workers, usual),
            lambda: mover.seconds,
        )  # fmt: skip
        run_units(stretch, shared, crew.states, idle, executor, NEVER, came.append, meet=crew.meet)
        assert crew.climbers[0].done
        return time.perf_counter() - begun, len(came)


@contextmanager
def executor_on(where: str):
    """Threads, or an engine; "dask:2" is a scheduler of this process with two workers."""
    kind, _, n = where.partition(":")
    if kind == "threads":
        with executor_of(int(n)) as executor:
            yield executor
    elif kind == "dask" and n.isdigit():
        import distributed

        from wlnn.base.engines import Engine

        with (
            distributed.LocalCluster(
                n_workers=int(n), threads_per_worker=1, dashboard_address=None, memory_limit=0
            ) as cluster,
            distributed.Client(cluster) as client,
        ):
            yield Engine(client.get_executor(pure=False), count=lambda: len(client.nthreads()))
    else:
        with engine_on(where) as engine:
            yield engine


def main() -> None:
    """A line for each length and engine."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--on", action="append")
    parser.add_argument("--rungs", type=int, default=40)
    parser.add_argument("--parameters", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=20.0, help="of a run by one worker")
    parser.add_argument("--stretches", default="0.001,0.003,0.01,0.03,0.1")
    options = parser.parse_args()
    for where in options.on or ["threads:2", "processes:2"]:
        with executor_on(where) as executor:
            ladder = ladder_of(options.rungs, options.parameters, 2)
            workers = workers_of(executor)[0]
            for _ in range(2 * workers):  # libraries are loaded
                wall(executor, Sleeper(0.1, options.parameters), ladder, workers)
            for seconds in map(float, options.stretches.split(",")):
                mover = Sleeper(seconds, options.parameters)
                units = max(math.ceil(options.seconds / seconds / (options.rungs - 1)), 4)
                ladder = ladder_of(options.rungs, options.parameters, units)
                one, _ = wall(executor, mover, ladder, 1)
                took, tasks = wall(executor, mover, ladder, workers)
                print(
                    f"{where}: {seconds:g} s a stretch: {one / took:.2f} times as fast as on one,"
                    f" {tasks} tasks of {units * (options.rungs - 1) * seconds / tasks:.2g} s",
                    flush=True,
                )


if __name__ == "__main__":
    main()
