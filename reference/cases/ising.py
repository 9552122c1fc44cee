"""R10: the Ising model on a small torus, an outside check of the core by famous exact numbers.

A spin is the sign of a parameter, so the continuous sampler runs unchanged.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from numba import njit

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import moves
from wlnn.tasks.problem import Problem

ABOUT = """side x side spins on a torus, spin = sign(theta_i), theta in [-1, 1]^(side^2), x = energy
-sum over neighbours of s s'. 4 x 4 by counting all 65536 states, 8 x 8 by the transfer matrix.
Proves the driver on a landscape that others have published, far from any network."""

TABLE = {-32: 2, -24: 32, -20: 64, -16: 424, -12: 1728, -8: 6688, -4: 13568, 0: 20524}  # 4x4, E: n
TABLE_8 = {  # 8x8
    -128: 2,
    -120: 128,
    -116: 256,
    -112: 4672,
    -108: 17920,
    -104: 145408,
    0: 2627978003957146636,
}


class Ising(NamedTuple):
    """System of the driver: side, the spins and the energy (current, proposed)."""

    side: int
    spins: np.ndarray  # (side^2,) of -1.0 and 1.0
    energy: np.ndarray  # (2,)


def _refresh(system, theta):
    side = system.side
    energy = 0.0
    for k in range(side * side):
        system.spins[k] = 1.0 if theta[k] >= 0.0 else -1.0
    for row in range(side):
        for column in range(side):
            right = system.spins[row * side + (column + 1) % side]
            below = system.spins[(row + 1) % side * side + column]
            energy -= system.spins[row * side + column] * (right + below)
    system.energy[0] = energy
    return energy, 0.0


def _propose(system, theta, i, new):
    side = system.side
    row, column = i // side, i % side
    around = system.spins[row * side + (column + 1) % side]
    around += system.spins[row * side + (column + side - 1) % side]
    around += system.spins[(row + 1) % side * side + column]
    around += system.spins[(row + side - 1) % side * side + column]
    change = (1.0 if new >= 0.0 else -1.0) - system.spins[i]
    system.energy[1] = system.energy[0] - change * around
    return system.energy[1], 0.0


def _commit(system, theta, i, new):
    system.spins[i] = 1.0 if new >= 0.0 else -1.0
    system.energy[0] = system.energy[1]


moves.register(Ising, refresh=_refresh, propose=_propose, commit=_commit)


def problem(side: int = 4) -> Problem:
    """The torus of ``side`` x ``side`` spins; energy bins of width 4 centred on multiples of 4."""
    n = side**2

    def observe(theta):
        spins = np.where(np.asarray(theta) >= 0, 1.0, -1.0).reshape(side, side)
        neighbours = np.roll(spins, 1, axis=0) + np.roll(spins, 1, axis=1)
        return -float((spins * neighbours).sum()), 0.0

    return Problem(
        name="ising",
        lo=np.full(n, -1.0),
        hi=np.full(n, 1.0),
        grid=Grid(Axis("energy", -2.0 * n - 2, 2.0 * n + 2, n + 1), Axis.single()),
        observe=observe,
        system=lambda precision: Ising(side, np.zeros(n), np.zeros(2)),
        about={"case": "Ising model", "side": side},
    )


def as_loss() -> Problem:
    """The 4 x 4 torus with the loss E + 34, from 2 to 66, and x its logarithm: for ladders.

    Temperatures of the loss are those of the energy. Every level up to 16 has a bin of x of its
    own; those above are rare in the uniform density, and no rung goes there.
    """

    @njit
    def observe(theta):
        energy = 0.0
        for k in range(16):
            right, below = theta[k - k % 4 + (k + 1) % 4], theta[(k + 4) % 16]
            for other in (right, below):
                energy -= 1.0 if (theta[k] >= 0.0) == (other >= 0.0) else -1.0
        return math.log(energy + 34.0), 0.0

    return replace(
        problem(), name="ising-loss", grid=Grid(Axis("ln loss", 0.5, 3.94, 86), Axis.single()),
        observe=observe, system=None,
    )  # fmt: skip


def masses_of_loss() -> np.ndarray:
    """Exact box fraction of every bin of :func:`as_loss`, shape ``(86, 1)``."""
    found = np.zeros((86, 1))
    for energy, states in TABLE.items():
        for level in {energy, -energy}:
            place = as_loss().grid.x.index(np.log(level + 34.0))
            found[place, 0] += states / 2.0**16 if level <= 16 else 0.0
    return found


def counts(side: int = 4) -> np.ndarray:
    """States of every energy -2 side^2 .. 2 side^2 in steps of 4, ``(side^2 + 1,)`` uint64.

    Transfer matrix, one spin at a time, of polynomials in the number u of unequal bonds
    (E = 2 u - 2 side^2). The torus is closed by keeping the first row fixed; first rows that are
    rotations of each other count alike. Sums wrap modulo 2^64, which harms no count below 2^64.
    """
    rows = np.array(list(itertools.product((0, 1), repeat=side)))
    codes = 1 << np.arange(side)
    states = np.arange(2**side)
    bit = (states[:, None] >> np.arange(side)) & 1
    n_bonds = 2 * side**2
    total = np.zeros(n_bonds + 1, np.uint64)
    orbits: dict[int, list] = {}
    for row in rows:
        orbits.setdefault(min(int(np.roll(row, k) @ codes) for k in range(side)), []).append(row)

    def shift(ways, unequal):
        """Add ``unequal`` (per state, 0..3) unequal bonds."""
        out = np.zeros_like(ways)
        for k in range(4):
            chosen = unequal == k
            out[chosen, k:] = ways[chosen, : n_bonds + 1 - k]
        return out

    for members in orbits.values():
        first = members[0]
        start = int(first @ codes)
        ways = np.zeros((2**side, n_bonds + 1), np.uint64)
        ways[start, int((first != np.roll(first, 1)).sum())] = 1
        for _, column in itertools.product(range(side - 1), range(side)):
            flipped = states ^ codes[column]  # the spin above was the other one
            beside = [] if column == 0 else [column - 1]
            beside += [0] if column == side - 1 else []
            unequal = sum(((bit[:, column] != bit[:, k]).astype(int) for k in beside), 0 * states)
            ways = shift(ways, unequal) + shift(ways[flipped], unequal + 1)
        closing = (bit != first).sum(axis=1)  # bonds between the last row and the first
        for state in states:
            u = np.arange(n_bonds + 1 - closing[state])
            total[u + closing[state]] += ways[state, u] * np.uint64(len(members))
    return total[::2]


def enumerate_4() -> np.ndarray:
    """The 4 x 4 counts by listing all 65536 states, shape ``(17,)``."""
    spins = 1 - 2 * ((np.arange(65536)[:, None] >> np.arange(16)) & 1).reshape(-1, 4, 4)
    neighbours = np.roll(spins, 1, axis=1) + np.roll(spins, 1, axis=2)
    energy = -(spins * neighbours).sum(axis=(1, 2))
    return np.bincount((energy + 32) // 4, minlength=17)


def masses(case: Problem | None = None) -> np.ndarray:
    """Exact box fraction of every bin, shape ``(side^2 + 1, 1)``."""
    n = (case or problem()).n_parameters
    return (counts(round(n**0.5)) / 2.0**n)[:, None]
