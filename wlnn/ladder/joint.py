"""All samples of a ladder joined: free energies of its rungs, weights of the samples, overlaps.

The rungs with kappa = 0 are joined by MBAR first. A row that has tilted rungs is joined by an MBAR
of its own, hung up at its rung with kappa = 0: what MBAR of all at once would gain is little, and
hundreds of rungs would take it longer than their motion. The weights are those of the mixture of
all rungs in any case.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.ladder import mbar
from wlnn.ladder.rungs import Rungs
from wlnn.ladder.samples import Samples, together
from wlnn.ladder.state import Ladder

X_WIDTH, Y_WIDTH = 0.002, 0.01  # of the bins in which MBAR pools samples
CHUNK = 2_500_000  # potentials at a time
GAP = 3.0  # nats between the samples of two rungs of an arm, beyond which it is cut off


class Joint(NamedTuple):
    """n samples and the K rungs that have some, without tilted ones that are behind a gap."""

    samples: Samples
    ln_w: np.ndarray  # (n,) of one sample in the uniform density of the box; an entry has ``count``
    tilted: np.ndarray  # (K - 1,) bool, of every rung but the first ...
    overlaps: np.ndarray  # (K - 1,) ... with the nearest towards it; 0 of those that are left out


def joined(ladder: Ladder, samples: Samples) -> Joint:
    """MBAR of samples and draws.

    Only rungs that have samples take part; a rung that was inserted late may have none.
    """
    rungs, samples = _only(ladder.rungs, together([ladder.draws, samples]))
    of = _connected(rungs, samples)
    some, samples = _only(rungs, Samples(*(column[of[samples.rung]] for column in samples)))
    f, totals = free_energies(some, samples)
    parents, ln_w = some.parents()[1:], np.empty(samples.x.size)
    shared = np.zeros(parents.size)
    for first in range(0, ln_w.size, size := max(CHUNK // some.n, 1)):
        part = slice(first, first + size)
        u = some.potential(samples.x[part], samples.y[part])
        share, ln_w[part] = mbar.shares(f, totals, u)
        shared += mbar.shared(share, samples.count[part], parents)
    overlaps = np.zeros(rungs.n)
    overlaps[np.flatnonzero(of)[1:]] = shared / totals[parents]
    return Joint(samples, ln_w + np.log(ladder.share), rungs.tilt[1:] != 0, overlaps[1:])


def _only(rungs: Rungs, samples: Samples) -> tuple[Rungs, Samples]:
    """The rungs that have samples, and samples that count them."""
    present, rung = np.unique(samples.rung, return_inverse=True)
    return Rungs(*(column[present] for column in rungs)), samples._replace(rung=rung)


def _connected(rungs: Rungs, samples: Samples) -> np.ndarray:
    """Rungs ``(K,)`` bool that are not behind a gap of their arm.

    With d = U_b - U_a of neighbours, a gap lies between the least d of the samples of a and the
    largest of those of b. What it is worth nobody knows, and one free energy that is off by much
    makes all weights wrong.
    """
    parents, of = rungs.parents(), np.ones(rungs.n, bool)
    order = np.argsort(samples.rung, kind="stable")
    ends = np.cumsum(np.bincount(samples.rung, minlength=rungs.n))
    own = np.split(order, ends[:-1])
    for b in np.flatnonzero(rungs.tilt):
        a = parents[b]
        kappa = rungs.kappa[b] - rungs.kappa[a]
        gap = (kappa * samples.y[own[a]]).min() - (kappa * samples.y[own[b]]).max()
        of[b] = of[a] and gap < GAP
    return of


def free_energies(rungs: Rungs, samples: Samples) -> tuple[np.ndarray, np.ndarray]:
    """f ``(K,)`` of rungs, all of which have samples, and how many each has ``(K,)``."""
    f, totals = np.empty(rungs.n), np.bincount(samples.rung, samples.count, rungs.n)
    spine = np.flatnonzero(rungs.tilt == 0)
    f[spine] = _of_some(rungs, samples, spine, 0.0)
    for row in np.unique(rungs.row[rungs.tilt != 0]):
        own = np.flatnonzero(rungs.row == row)  # the first has kappa = 0
        f[own] = f[own[0]] + _of_some(rungs, samples, own, Y_WIDTH)
    return f, totals


def _of_some(rungs: Rungs, samples: Samples, own: np.ndarray, y_width: float) -> np.ndarray:
    """f ``(k,)`` of some rungs among themselves, 0 for the first of them."""
    place = np.full(rungs.n, -1)
    place[own] = np.arange(own.size)
    rung = place[samples.rung]
    of = rung >= 0
    pool = mbar.pooled(rung[of], samples.x[of], samples.y[of], samples.count[of], X_WIDTH, y_width)
    some = Rungs(*(column[own] for column in rungs))
    return mbar.free_energies(some.potential(pool.x, pool.y), pool, some.parents())
