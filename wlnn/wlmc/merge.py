"""Walkers of Monte Carlo become one landscape, and what they share of their S on the way.

When they meet is ``run.py``'s; how landscapes are aligned and judged, ``landscape.merge``'s.
"""

from __future__ import annotations

from dataclasses import asdict

import numpy as np

from wlnn.base import store
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import Draws, WalkerResult, merge
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc import walker as wlmc
from wlnn.wlmc.rules import CLOSED_ENTROPY

HELD = 20.0  # visits of a bin that holds walkers, in units of the mean of all bins ...
HOLE = 5.0  # ... and nats by which its S may be below that of the bins around it


def merge_entropies(walkers: list[wlmc.Walker], groups: int) -> list[wlmc.Walker]:
    """Every walker of a group with the group's mean S, over those that know the bin.

    A group whose walkers have one S already is left as it is: a mean of equals may round.
    """
    merged = []
    size = len(walkers) // groups
    for group in range(groups):
        members = walkers[group * size : (group + 1) * size]
        known = np.array([walker.visits > 0 for walker in members])
        entropy = np.array([walker.entropy for walker in members])
        if (entropy == entropy[0]).all():
            merged += members
            continue
        mean = np.where(known, entropy, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        merged += [walker._replace(entropy=mean.copy()) for walker in members]
    return merged


def share_entropy(
    problem: Problem, plan: wlmc.StagePlan, walkers: list[wlmc.Walker]
) -> list[wlmc.Walker]:
    """All walkers on one S, the mean of theirs; nothing is done if they have it already.

    Where they first meet, S of each counts from its mean over the bins that all know (that most
    know, where learning was so short that all share none; who knows none of those does not count).
    A bin is open if half of the walkers that count know it; all others are closed, with an S that
    no move climbs to and every move into an open bin leaves. A walker that stands in one takes the
    state of the walker with the nearest number that does not. From here on they grow this S
    together, since a rare bin that each learnt alone is off by tens of nats, and would hold every
    walker once S is frozen.
    """
    learnt = np.array([walker.entropy for walker in walkers])
    if (learnt == learnt[0]).all():
        return walkers
    if walkers[0].stage > plan.share_from:
        return [walker._replace(entropy=learnt.mean(axis=0)) for walker in walkers]
    known = np.array([walker.visits > 0 for walker in walkers])
    everywhere = known.sum(axis=0) == known.sum(axis=0).max()
    known &= (known & everywhere).any(axis=(1, 2))[:, None, None]
    zero = [
        own[every].mean() if every.any() else 0.0
        for own, every in zip(learnt, known & everywhere, strict=True)
    ]
    learnt = learnt - np.array(zero)[:, None, None]
    mean = np.where(known, learnt, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    is_open = 2 * known.sum(axis=0) >= known.any(axis=(1, 2)).sum()
    common = np.where(is_open, mean, CLOSED_ENTROPY)
    places = [problem.grid.index(*problem.observe(walker.theta)) for walker in walkers]
    inside = [k for k, place in enumerate(places) if min(place) >= 0 and is_open[tuple(place)]]
    frozen = []
    for k, walker in enumerate(walkers):
        source = walkers[min(inside, key=lambda other, k=k: abs(other - k))] if inside else walker
        frozen.append(walker._replace(entropy=common.copy(), theta=source.theta.copy()))
    return frozen


def lift_unseen(walkers: list[wlmc.Walker]) -> list[wlmc.Walker]:
    """All walkers on their common S, lifted in the bins that fewer than two of them saw lately.

    Lately: in the second half of its growth. S of such a bin lacks what the others grew meanwhile,
    up to twenty nats, and would hold every walker that finds it once S is frozen. It gets the mean
    S of the bins around it, if that is more, layer by layer from those that were seen: too much at
    the rim, where it is visited less for that, and nobody is held. Any S gives the right answer.
    """
    seen = sum((walker.visits > walker.marks).astype(int) for walker in walkers)
    entropy = walkers[0].entropy
    known = (seen >= min(2, len(walkers))) & (entropy < CLOSED_ENTROPY)
    unseen = ~known & (entropy < CLOSED_ENTROPY)
    if not (known.any() and unseen.any()):
        return walkers
    level = _of_neighbours(entropy, known, unseen)
    entropy = np.where(unseen, np.fmax(entropy, level), entropy)
    return [walker._replace(entropy=entropy.copy()) for walker in walkers]


def _of_neighbours(entropy: np.ndarray, known: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """The mean S of the bins around each of ``missing``, layer by layer from ``known``, whose S it
    is there; NaN elsewhere."""
    level = np.where(known, entropy, np.nan)
    while (left := missing & np.isnan(level)).any():
        around = np.lib.stride_tricks.sliding_window_view(
            np.pad(level, 1, constant_values=np.nan), (3, 3)
        )
        count = (~np.isnan(around)).sum(axis=(2, 3))
        near = left & (count > 0)
        if not near.any():  # an island of its own: out of reach
            near, count = left, np.ones_like(count)
            around = np.full_like(around, np.nan)
            around[..., 0, 0] = np.nanmax(level)
        level[near] = np.nansum(around[near], axis=(1, 2)) / count[near]
    return level


def refine_entropy(walkers: list[wlmc.Walker]) -> list[wlmc.Walker]:
    """All walkers on their common S + ln(1 + visits / mean visits); these are not counted again.

    What growth leaves of S is uneven by a nat or two, which makes a crossing take several times as
    long as on an even one. Bins with many visits are raised by their logarithm. Those with few are
    lowered by ln 2 at most: so early few visits say little, and a bin lowered too far would hold
    every walker. Nothing is done where there are no visits: they were taken up already.

    Rare bins, that somebody found when S hardly grew any more, may lack tens of nats and hold every
    walker that comes there until the end: visits, which are of a walker all of its steps, do not
    tell how much. They get the mean S of the bins around them but for :data:`HOLE`, by which a bin
    at the rim may be below it rightly.
    """
    visits = sum(walker.production for walker in walkers)
    if not visits.any():
        return walkers
    entropy = walkers[0].entropy
    is_open = entropy < CLOSED_ENTROPY
    mean = visits.sum() / np.count_nonzero(is_open)
    entropy, none = entropy + np.log(1 + visits / mean), np.zeros_like(visits)
    held = is_open & (visits > HELD * mean)  # few bins, by this; never a region of slow walkers
    if held.any() and (is_open & ~held).any():
        least = _of_neighbours(entropy, is_open & ~held, held) - HOLE
        entropy = np.where(held & (entropy < least), least, entropy)
    twice = np.zeros_like(walkers[0].early)
    return [
        walker._replace(entropy=entropy.copy(), production=none, early=twice) for walker in walkers
    ]


def merge_walkers(
    problem: Problem, settings: WLMCSettings, walkers: list[wlmc.Walker], draws: Draws | None
) -> Landscape:
    """The landscape of all walkers that finished a stage; groups with a common S count as one."""
    walkers = [walker for walker in walkers if walker.stage]
    plan = wlmc.make_plan(settings)
    size = len(walkers) // settings.groups if settings.merge_every else 1
    last = min((walker.stage for walker in walkers), default=0)
    if plan.common and settings.n_production and last >= plan.share_from:
        size = len(walkers)  # one S, which has no error bars before visits are counted
    size = max(size, 1)
    groups = [walkers[first : first + size] for first in range(0, len(walkers), size)]
    covers = draws is not None and draws.n >= 10_000 and draws.counts.sum() == draws.n
    meta = {
        "task": problem.about or {"task": problem.name},
        "wlmc": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": problem.ln_box_volume,
        "seeds": {"seed": settings.seed, "walkers": [walker.number for walker in walkers]},
        "stages_done": [walker.stage for walker in walkers],
        "measured_from": plan.count_from,
    }
    pooled = settings.estimator == "common" and any(walker.production.any() for walker in walkers)
    if pooled:
        results = [
            WalkerResult(w.entropy, w.visits, w.production, w.history, plan.first_part(w))
            for w in walkers
        ]
    else:
        results = [wlmc.result(group) for group in groups]
    merged = merge(problem.grid, results, draws, covers, meta, pooled)
    if walkers[0].kept.size:
        merged.networks.update(_networks(problem, walkers[0]))
    return merged


def _networks(problem: Problem, walker: wlmc.Walker) -> dict[str, np.ndarray]:
    """The microstates kept: bin indices ``(m, 2)`` and parameters ``(m, P)`` in float32."""
    known = np.flatnonzero(np.isfinite(walker.kept[:, 0]))
    bins = np.stack(np.unravel_index(known, problem.grid.shape), axis=1)
    return {"bins": bins, "theta": walker.kept[known].astype(np.float32)}
