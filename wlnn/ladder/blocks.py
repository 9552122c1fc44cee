"""Blocks: the rungs of one ladder dealt out to several workers, and together again.

A block holds some rungs with the replicas in them, and brings each as far as it comes without its
neighbours elsewhere; where a pair lies in two blocks, whoever has both exchanges it. A rung moves
and a pair is exchanged by random numbers of its own (``state.generator_of``), so that the ladder
that comes of it is the one that a single worker makes, bit for bit. How many blocks there are, and
who moves them, is decided in ``crew.py``.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wlnn.ladder.exchange import ln_acceptance, ln_chances, moving, pairs_of_round
from wlnn.ladder.ladder import exchanged, next_turn, turned
from wlnn.ladder.movers import Errand, Mover, Visit
from wlnn.ladder.rungs import Rungs
from wlnn.ladder.state import Ladder, generator_of
from wlnn.settings.ladder import LadderSettings

_NOTHING = np.zeros(0)


class Block(NamedTuple):
    """n of the K rungs of a ladder, with their replicas, on the way from one stretch to another.

    A rung may be stretches ahead of one that waits for a neighbour.
    """

    number: int  # of the ladder, and its phase, for the random numbers
    phase: int
    last: int  # stretch of the phase behind which all blocks are one ladder again
    rungs: Rungs
    dt: np.ndarray  # (K,)
    places: np.ndarray  # (n,) the rungs in it
    theta: np.ndarray  # (n, P) of the replicas there
    v: np.ndarray  # (n, P), or (n, 0)
    x: np.ndarray  # (n,) where they were when they last moved
    y: np.ndarray  # (n,)
    unit: np.ndarray  # (n,) stretches of the phase behind each rung, with their exchange
    moved: np.ndarray  # (n,) bool: moved in the next one, and waits for the other of its pair
    seen: tuple[tuple[int, int, Visit], ...] = ()  # stretch, rung and samples


def blocks_of(settings: LadderSettings, ladder: Ladder, n: int, stretches: int) -> list[Block]:
    """A ladder in n blocks of neighbouring rows, for so many stretches or until rungs change."""
    rungs, last = ladder.rungs, min(ladder.unit + stretches, next_turn(settings, ladder))
    found = []
    for places in np.array_split(np.lexsort((rungs.tilt, rungs.row)), n):
        replicas, zeros = ladder.order[places], np.zeros(places.size)
        found.append(
            Block(
                ladder.number, ladder.phase, last, rungs, ladder.dt, places, ladder.theta[replicas],
                ladder.v[replicas], zeros, zeros, np.full(places.size, ladder.unit), zeros > 0,
            )
        )  # fmt: skip
    return found


def ready(block: Block) -> np.ndarray:
    """Rungs ``(n,)`` bool that can move now."""
    return ~block.moved & (block.unit < block.last)


def ended(block: Block) -> bool:
    """Whether all rungs are where the blocks become one ladder."""
    return bool((block.unit == block.last).all())


def advance_block(
    mover: Mover, settings: LadderSettings, block: Block, seconds: float, stop
) -> Block:
    """Later by about ``seconds``, or when no rung can move; the given block is unchanged."""
    until, block, seen = time.monotonic() + seconds, _copied(block), []
    rounds = _Rounds(settings.seed, block)
    while (can := ready(block)).any() and not stop[0]:
        i = int(np.flatnonzero(can)[block.unit[can].argmin()])
        k, unit = int(block.places[i]), int(block.unit[i])
        if not rounds.moves(k, unit):
            block.unit[i] += 1
            continue
        rng = generator_of(settings.seed, block._replace(unit=unit), k)
        if k:
            walk = Errand(
                block.rungs.beta[k], block.rungs.kappa[k], block.dt[k], block.theta[i], block.v[i],
                rng,
            )  # fmt: skip
            visits = mover.walks([walk], settings.stretch, stop)
            if visits is None:  # stopped within it: it is made again
                break
        else:
            visits = [mover.draw(rng)]
        (visit,) = visits
        block.theta[i], block.v[i] = visit.theta, visit.v
        (block.x[i], block.y[i]), block.moved[i] = visit.here, True
        seen.append((unit, k, visit._replace(theta=_NOTHING, v=_NOTHING)))
        _meet(rounds, block, i, block)
        if time.monotonic() > until:
            break
    return block._replace(seen=(*block.seen, *seen))


def met(settings: LadderSettings, one: Block, other: Block) -> tuple[Block, Block]:
    """Two blocks of a ladder after all exchanges between them that can be made now."""
    one, other = _copied(one), _copied(other)
    rounds = _Rounds(settings.seed, one)
    for i in np.flatnonzero(one.moved):
        _meet(rounds, one, i, other)
    return one, other


def joined_blocks(
    mover: Mover, settings: LadderSettings, ladder: Ladder, blocks: Sequence[Block]
) -> Ladder:
    """The ladder that was dealt out, after all stretches of its blocks, which have ended.

    Raises:
        UserError: as ``ladder.advance``.
    """
    visits = {(unit, k): visit for block in blocks for unit, k, visit in block.seen}
    theta, v = ladder.theta.copy(), ladder.v.copy()
    last = blocks[0].last
    for unit in range(ladder.unit, last):
        some = np.flatnonzero(moving(ladder.rungs, unit))
        ladder = exchanged(settings, ladder, {k: visits[unit, k] for k in some})
        if unit + 1 == last:
            for block in blocks:
                replicas = ladder.order[block.places]
                theta[replicas], v[replicas] = block.theta, block.v
            ladder = ladder._replace(theta=theta, v=v)
        ladder = turned(mover, settings, ladder)
    return ladder


class _Rounds:
    """Who is tried with whom after each stretch, and by which chance; each made once."""

    def __init__(self, seed: int, block: Block):
        self.seed, self.block = seed, block
        self.partners: dict[int, np.ndarray] = {}
        self.chances: dict[int, np.ndarray] = {}

    def moves(self, k: int, unit: int) -> bool:
        """Whether it is the turn of rung k."""
        return bool(moving(self.block.rungs, unit)[k])

    def of(self, unit: int) -> tuple[np.ndarray, np.ndarray]:
        """The other rung of each rung's pair ``(K,)``, or -1, and ln of its chance ``(K,)``."""
        if unit not in self.chances:
            rungs = self.block.rungs
            _, pairs = pairs_of_round(rungs, unit)
            rng = generator_of(self.seed, self.block._replace(unit=unit), rungs.n)
            partners, chances = np.full(rungs.n, -1), np.zeros(rungs.n)
            partners[pairs], partners[pairs[:, ::-1]] = pairs[:, ::-1], pairs
            chances[pairs] = ln_chances(pairs, rng)[:, None]
            self.partners[unit], self.chances[unit] = partners, chances
        return self.partners[unit], self.chances[unit]


def _meet(rounds: _Rounds, one: Block, i: int, other: Block) -> None:
    """Rung i of a block has moved: try its pair, if the second is in ``other`` and has moved too.

    The arrays of both are changed. A rung without a pair in this round is done with it.
    """
    unit, k = int(one.unit[i]), int(one.places[i])
    partners, chances = rounds.of(unit)
    if partners[k] < 0:
        one.unit[i], one.moved[i] = unit + 1, False
        return
    for j in np.flatnonzero((other.places == partners[k]) & other.moved & (other.unit == unit)):
        (a, m), (b, n) = sorted([(one, i), (other, j)], key=lambda rung: rung[0].places[rung[1]])
        two = [int(a.places[m]), int(b.places[n])]
        rungs = Rungs(*(column[two] for column in one.rungs))
        x, y = np.array([a.x[m], b.x[n]]), np.array([a.y[m], b.y[n]])
        if chances[k] < ln_acceptance(rungs, np.array([[0, 1]]), x, y)[0]:
            for name in ("theta", "v"):
                first, second = getattr(a, name), getattr(b, name)
                first[m], second[n] = second[n].copy(), first[m].copy()
        for block, place in ((a, m), (b, n)):
            block.unit[place], block.moved[place] = unit + 1, False


def _copied(block: Block) -> Block:
    arrays = {
        name: getattr(block, name).copy() for name in ("theta", "v", "x", "y", "unit", "moved")
    }
    return block._replace(**arrays)
