"""Who works on what: whole ladders, or blocks of their rungs where there are workers to spare.

A whole ladder is the better task: nothing waits for anything. Blocks are for fewer ladders than
workers, and only where the rungs between two exchanges last long enough to be worth sending. None
of this changes a bit of what comes out, so that it may follow the workers that there are.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import NamedTuple

from wlnn.ladder.blocks import Block, blocks_of, ended, joined_blocks, met, ready
from wlnn.ladder.movers import Mover
from wlnn.ladder.state import DONE, PILOT, RUN, Ladder
from wlnn.settings.ladder import LadderSettings

LEAST_SECONDS = 0.1  # of work in a task of a block, ...
WORTH = 1 / 20  # ... and in units of what is usual for the executor
TOGETHER_SECONDS = 5.0  # of work between two times that all blocks are one ladder, which is saved
LEAST_STRETCHES = 2  # ... which are as many at least
LEAST_RUNGS = 2  # in a block


class Climber(NamedTuple):
    """A ladder by its number; None before its uniform draws are made."""

    number: int
    ladder: Ladder | None

    @property
    def done(self) -> bool:
        """Whether its last stretch is made."""
        return self.ladder is not None and self.ladder.phase == DONE


Group = tuple[Climber, ...]  # ladders that move side by side, on a device


class Crew:
    """The tasks of a run: ``states`` is what ``run_units`` begins with, ``meet`` goes with it.

    Args:
        mover: one of this process, for what follows a stretch.
        groups: the ladders.
        workers: how many workers there are now, and the usual seconds of a task.
        pace: seconds that one rung takes between two exchanges; asked for once, if at all.
    """

    def __init__(
        self,
        mover: Mover,
        settings: LadderSettings,
        groups: list[Group],
        workers: Callable[[], tuple[int, float]],
        pace: Callable[[], float],
    ):
        self.mover, self.settings, self.workers, self._pace = mover, settings, workers, pace
        self.groups, self.seconds = list(groups), math.nan
        self.places = [[g] for g in range(len(groups))]  # in the list of states, of each group
        self.seen: list[tuple] = [()] * len(groups)
        self.states: list[Group | Block | None] = list(groups)
        for g in range(len(groups)):
            self._dealt(self.states, g)

    @property
    def climbers(self) -> list[Climber]:
        """All ladders, those in blocks as they were when they were last whole."""
        return [climber for group in self.groups for climber in group]

    def meet(self, states: list, k: int, away: set[int]) -> list[int]:
        """Something came back to place k: exchange it with its neighbours that are here."""
        g = next(g for g, places in enumerate(self.places) if k in places)
        places, block = self.places[g], states[k]
        if isinstance(block, Block):
            self.seen[g] += block.seen
            states[k] = block._replace(seen=())
            blocks = [place for place in places if states[place] is not None]
            for other in blocks:
                if other != k and other not in away:
                    states[k], states[other] = met(self.settings, states[k], states[other])
            if away.intersection(blocks) or not all(ended(states[place]) for place in blocks):
                return blocks
            ((number, ladder),) = self.groups[g]
            first, *rest = (states[place] for place in blocks)
            whole = [first._replace(seen=self.seen[g]), *rest]
            ladder = joined_blocks(self.mover, self.settings, ladder, whole)
            self.groups[g], self.seen[g] = (Climber(number, ladder),), ()
        else:
            self.groups[g] = block
        self._dealt(states, g)
        return places

    def _dealt(self, states: list, g: int) -> None:
        """The tasks of one group, which is whole now."""
        group, places = self.groups[g], self.places[g]
        n = self._blocks(group)
        while len(places) < n:
            places.append(len(states))
            states.append(None)
        for place in places:
            states[place] = None
        states[places[0]] = group
        if n > 1:
            ladder = group[0].ladder
            took = ladder.rungs.n / n * self.seconds
            stretches = max(int(TOGETHER_SECONDS / took), LEAST_STRETCHES)
            for k, block in enumerate(blocks_of(self.settings, ladder, n, stretches)):
                states[places[k]] = block

    def _blocks(self, group: Group) -> int:
        """In how many blocks a ladder is worth being."""
        if len(group) > 1 or group[0].ladder is None:
            return 1
        ladder, (workers, usual) = group[0].ladder, self.workers()
        going = sum(not all(climber.done for climber in group) for group in self.groups)
        if ladder.phase not in (PILOT, RUN) or workers <= going:
            return 1
        if math.isnan(self.seconds):
            self.seconds = max(self._pace(), 1e-6)
        # a block goes on for two stretches until it needs its neighbour
        worth = int(2 * ladder.rungs.n * self.seconds / max(WORTH * usual, LEAST_SECONDS))
        return max(1, min(math.ceil(workers / going), worth, ladder.rungs.n // LEAST_RUNGS))


def idle(state) -> bool:
    """Whether nothing can be done now about a state of ``Crew.states``."""
    if isinstance(state, Block):
        return not ready(state).any()
    return state is None or all(climber.done for climber in state)


def least_time(walk: Callable) -> float:
    """Seconds of what is called, the least of three times: a busy machine adds to some."""
    found = []
    for _ in range(3):
        begun = time.monotonic()
        walk()
        found.append(time.monotonic() - begun)
    return min(found)
