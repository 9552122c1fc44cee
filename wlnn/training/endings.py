"""Trainings at their end, or at their best stop, against equilibrium."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wlnn.landscape.landscape import Landscape
from wlnn.training.difference import (
    UNDECIDED,
    Difference,
    checked,
    equilibrium_at,
    half_interval,
    in_common,
    judged,
    record_of,
)
from wlnn.training.trained import BIN_WIDTH, FEWEST, Trained, X, over_trainings, sign_of


class Ending(NamedTuple):
    """Where training ends, against the equilibrium at each training's own loss."""

    difference: Difference  # of scalars; x is the mean ln(train loss) of the trainings used
    stopped: int  # trainings that leave the landscape: taken at their last epoch inside
    left_out: int  # trainings that were never inside
    source: int = 0  # the set of trainings, of several that make one baseline


def ending(landscape: Landscape, trained: Trained, until: int | None = None) -> Ending:
    """Mean over trainings of <y>(ln train loss) minus y, both at the end of the training.

    A training that goes on to losses that the landscape does not hold is taken at its last epoch
    inside; one that was never inside is left out. Both are counted. Of several sets that make one
    baseline, which end at losses of their own, it is that of the set with the least advantage.
    """
    return least(endings(landscape, trained, until), record_of(landscape))


def endings(landscape: Landscape, trained: Trained, until: int | None = None) -> list[Ending]:
    """The :func:`ending` of each set of trainings."""
    parts = checked(landscape, trained, until).parts
    record = record_of(landscape)
    return [_ending(landscape, part, record)._replace(source=k) for k, part in enumerate(parts)]


def least(endings: Sequence[Ending], record: str) -> Ending:
    """That with the least advantage, of those with enough trainings where there are any."""
    for fewest in (FEWEST, 2, 0):
        chosen = [end for end in endings if end.difference.trainings >= fewest]
        if chosen:
            break
    advantages = [sign_of(record) * end.difference.difference for end in chosen]
    return chosen[int(np.nan_to_num(advantages, nan=np.inf).argmin())]


def _ending(landscape: Landscape, trained: Trained, record: str) -> Ending:
    x, y = trained.metric(X), trained.metric(record)
    inside = _inside(landscape, x) & np.isfinite(y)
    used = inside.any(axis=1)
    last = x.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    goes_on = last < trained.lengths[trained.kept] - 1
    stopped, left_out = int((used & goes_on).sum()), int((~used).sum())
    if not used.any():
        empty = Difference(*[np.nan] * 5, 0, *[np.nan] * 3, UNDECIDED, False)
        return Ending(empty, stopped, left_out)
    rows = np.flatnonzero(used)
    x, y = x[rows, last[rows]], y[rows, last[rows]]
    values, safe = equilibrium_at(landscape, x)
    _, error, n = over_trainings(y - values.mean(axis=0))  # paired: each at its own loss
    whole = values.mean(axis=1)[:, None]
    found = judged(
        record, np.array([x.mean()]), whole, np.array([y.mean()]), np.array([error]),
        np.array([n]), np.array([bool(safe.all())]),
    )  # fmt: skip
    return Ending(found.one(0), stopped, left_out)


def _inside(landscape: Landscape, x: np.ndarray, width: float = BIN_WIDTH) -> np.ndarray:
    """Whether every walker knows all rows of the window that :func:`equilibrium_at` takes."""
    axis = landscape.grid.x
    half = max(width, axis.width) / 2 - 1e-9
    unknown = np.isnan(landscape.equilibrium_of_walkers()).any(axis=0)
    before = np.append(0, np.cumsum(unknown))  # unknown rows below each edge
    x = np.where(np.isfinite(x), x, np.nan)
    low, high = axis.index(x - half), axis.index(x + half)
    return (low >= 0) & (high >= 0) & (before[high + 1] == before[low])


def best_stop(difference: Difference, record: str) -> Difference:
    """The bin where training is best: early stopping at one training loss for all trainings.

    Of bins that half of the trainings come to, so that it is not the choice of a lucky few.
    """
    score = sign_of(record) * difference.trained
    reached = 2 * difference.trainings >= difference.trainings.max()
    finite = np.isfinite(difference.half)
    for chosen in (difference.reliable & reached, finite & reached, reached):
        if chosen.any():
            break
    k = int(np.where(chosen, score, -np.inf).argmax())
    return difference.one(k)


def early_stop(landscape: Landscape, trained: Trained, until: int | None = None) -> Difference:
    """:func:`best_stop`; of several sets that make one baseline, that of the best trained mean.

    Bins that half of the trainings come to are meant set by set.
    """
    record, trained = record_of(landscape), checked(landscape, trained, until)
    kept = [
        (k, in_common(landscape, part)) for k, part in enumerate(trained.parts) if part.kept.any()
    ]
    stops = [best_stop(found, record)._replace(source=k) for k, found in kept if len(found.x)]
    return max(stops, key=lambda stop: (bool(stop.reliable), sign_of(record) * stop.trained))


def over_data_sets(endings: Sequence[Ending], record: str) -> Difference:
    """Mean of endings of one network on several data sets; those are the independent units here.

    The interval is Student's over data sets. With a single one, its own difference is returned.
    """
    if len(endings) == 1:
        return endings[0].difference
    parts = [ending.difference for ending in endings]
    x, equilibrium, trained, (mean, error, n) = (
        over_trainings(np.array([getattr(part, name) for part in parts], float))
        for name in ("x", "equilibrium", "trained", "difference")
    )
    half = float(half_interval(error, n, 0.0, 2)) if n > 1 else np.nan
    verdict = int(np.sign(mean)) * sign_of(record) if abs(mean) > half else UNDECIDED
    return Difference(
        float(x[0]), *map(float, (*equilibrium[:2], *trained[:2])), int(n),
        float(mean), float(error), half, verdict, all(part.reliable for part in parts),
    )  # fmt: skip
