"""The state of a ladder: rungs, replicas, samples and counts. Nothing moves here."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.streams import generator
from wlnn.ladder.rungs import Rungs
from wlnn.ladder.samples import Samples

DESCENT, ASCENT, PILOT, RUN, DONE, TILT = range(6)
PHASES = (DESCENT, ASCENT, PILOT, RUN, TILT, DONE)  # in this order; after TILT the run goes on
# of a walker that is new in its rung: stays there that did not count; steps, sum of temperature - 1
# over them, and energy at the beginning, since when heat is looked for
FRESH = (0.0, 0.0, 0.0, np.nan)


class Ladder(NamedTuple):
    """K rungs and as many replicas: everything the next unit needs, and the record of the others.

    Arrays by replica are ``(K, ...)`` in the order in which replicas were made; ``order[k]`` is the
    replica in rung k. Rung 0 is the uniform density: its replica is drawn anew in every stretch.
    """

    number: int
    phase: int
    unit: int  # of the phase: rungs of the descent, or stretches
    units: int  # stretches of the run, 0 before it begins
    steps: int  # made so far by all replicas, draws included
    share: float  # of the box inside the window
    rungs: Rungs
    dt: np.ndarray  # (K,)
    order: np.ndarray  # (K,)
    theta: np.ndarray  # (K, P)
    v: np.ndarray  # (K, P), or (K, 0)
    drawn: np.ndarray  # (K,) bool by replica: was in rung 0 since it was in the last row
    capacity: np.ndarray  # (K - 1,) C of the descent's rungs by row; (K,) sd(y) by rung in TILT
    reached: np.ndarray  # (K - 1,) the mean x there; (K,) the mean y by rung in TILT
    caught: int  # descents that were given up
    draws: Samples  # of the beginning
    parts: tuple[Samples, ...]  # of this phase
    tried: np.ndarray  # (2, K) exchanges of a rung with the next along beta, along kappa ...
    accepted: np.ndarray  # (2, K) ... and how many were made
    kinetic: np.ndarray  # (3, K) stretches of the run, sums of their temperatures and squares
    descents: int  # replicas that came from rung 0 to the last row
    halved: np.ndarray = np.zeros(0, int)  # (K,) halvings of the time step; (0,) where none was
    record: np.ndarray = np.array(FRESH)  # (4,) of the walker before the pilot, see FRESH
    stayed: int = 0  # stays of this descent that did not count

    @property
    def slow(self) -> np.ndarray:
        """How often the time step of each rung ``(K,)`` was halved."""
        return self.halved if self.halved.size else np.zeros(self.rungs.n, int)


def generator_of(seed: int, ladder: Ladder, place: int) -> np.random.Generator:
    """The stream of one rung in the coming unit; place K is that of the exchanges.

    Places beyond are of stays that are made again, see :func:`place_of_stay`.
    """
    key = (ladder.number, ladder.phase, ladder.unit, place)
    return generator(seed, *key)


def place_of_stay(ladder: Ladder, k: int) -> int:
    """The place of random numbers for a stay in rung k, another one each time that it is made."""
    return k + (ladder.rungs.n + 1) * int(ladder.record[0])


def with_replicas(ladder: Ladder, replicas: np.ndarray) -> Ladder:
    """Replica ``replicas[k]`` begins in rung k; counts begin at 0."""
    k = ladder.rungs.n
    return ladder._replace(
        order=np.arange(k),
        theta=ladder.theta[replicas],
        v=ladder.v[replicas],
        drawn=np.zeros(k, bool),
        tried=np.zeros((2, k)),
        accepted=np.zeros((2, k)),
        kinetic=np.zeros((3, k)),
        descents=0,
    )
