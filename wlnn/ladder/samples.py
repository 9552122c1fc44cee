"""The samples of a ladder: where replicas were, in which rung, in which slice of the run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

SLICES = 20  # of a run: what is dropped at its beginning is a number of them


class Samples(NamedTuple):
    """Entries ``(n,)``; one stands for ``count`` samples at one place."""

    slice: np.ndarray  # 0 .. SLICES - 1
    rung: np.ndarray
    x: np.ndarray
    y: np.ndarray
    accuracy: np.ndarray
    count: np.ndarray
    cell: np.ndarray  # Monte Carlo: number of the narrow bin; -1: a position of its own


def of_visit(visit, rung: int, slice: int) -> Samples:
    """The entries of a visit."""
    n = visit.x.size
    numbers = (np.full(n, slice), np.full(n, rung))
    return Samples(*numbers, visit.x, visit.y, visit.accuracy, visit.count, visit.cell)


def together(parts: Sequence[Samples]) -> Samples:
    """All entries, one after the other."""
    return Samples(*(np.concatenate(column) for column in zip(*parts, strict=True)))


def gathered(parts: Sequence[Samples]) -> Samples:
    """All entries; those of one slice, rung and narrow bin become one."""
    whole = together(parts)
    if not whole.cell.size or whole.cell.max() < 0:
        return whole
    key = (whole.slice * (whole.rung.max() + 1) + whole.rung) * (whole.cell.max() + 1) + whole.cell
    _, first, where = np.unique(key, return_index=True, return_inverse=True)
    return Samples(*(column[first] for column in whole))._replace(
        count=np.bincount(where, whole.count)
    )
