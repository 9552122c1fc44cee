"""Independent ladders become one landscape: MBAR of each, burn-in by halves, and the diagnostics.

S of a bin is ln of the share of the box whose (x, y) falls into it, absolute because rung 0 is the
uniform density. The error of S is the spread of the ladders: what MBAR says of itself knows nothing
of modes slower than a ladder is long. Nothing moves here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np

from wlnn.base import store
from wlnn.base.statistics import ln_sum, t_factor
from wlnn.ladder import branches
from wlnn.ladder.diagnostics import warnings
from wlnn.ladder.halving import SURE, between, binned, burn_in, by_progress, lag, marginal, smoothed
from wlnn.ladder.joint import Joint, joined
from wlnn.ladder.samples import SLICES
from wlnn.ladder.state import DONE, RUN, Ladder
from wlnn.landscape.grid import Grid
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.verdict import with_verdict
from wlnn.settings.ladder import LadderSettings

APART = 0.999  # level of the test of two kinds of starts: 1 of 1000 in a row


def two_starts(curves: np.ndarray, heated: int, sure: float = SURE) -> tuple[np.ndarray, bool]:
    """A curve of the last ``heated`` ladders less that of the others ``(nx,)``; whether they agree.

    ``curves (R, nx)``: S(x), or the mean y. They agree if in every row they differ by at most
    Student's t of :data:`APART` combined errors (of the spread within both, rms over neighbouring
    rows), or by ``sure``: few ladders scatter by so much that a lower level would often take sound
    ones apart.
    """
    cold, hot = curves[:-heated], curves[-heated:]
    difference = hot.mean(axis=0) - cold.mean(axis=0)
    freedom = len(curves) - 2
    if freedom < 1:
        return difference, True
    within = ((cold - cold.mean(axis=0)) ** 2).sum(axis=0) + ((hot - hot.mean(axis=0)) ** 2).sum(0)
    error = smoothed(within / freedom * (1 / len(cold) + 1 / len(hot)))
    known, most = ~np.isnan(difference), t_factor(freedom + 1, APART)
    return difference, bool((np.abs(difference) <= np.maximum(most * error, sure))[known].all())


def _mean_y(grid: Grid, entropies: np.ndarray) -> np.ndarray:
    """Mean y by row of x ``(R, nx)`` of each ladder, on the axis as it is; NaN where it never was.

    0 where there is a single bin of y.
    """
    weight = np.exp(entropies - ln_sum(entropies)[..., None])
    mean = np.nansum(weight * grid.y.centres, axis=-1)
    return np.where(np.isnan(weight).all(axis=-1), np.nan, mean)


def _largest(difference: np.ndarray) -> float | None:
    """The largest absolute difference of all rows; None if none is known."""
    return None if np.isnan(difference).all() else float(np.nanmax(np.abs(difference)))


def landscape(
    problem, settings: LadderSettings, grid: Grid, ladders: Sequence[Ladder]
) -> Landscape | None:
    """The landscape of the ladders that are in their run; None if there is none, or has just begun.

    Cooled ladders that were caught in states which surely have no part in equilibrium are left out.
    ``meta["rungs"]`` holds the diagnostics: what :func:`_rungs_of` tells of each ladder, the share
    that was dropped, the difference of the halves, and ``warnings`` in words.
    """
    ladders = [ladder for ladder in ladders if ladder.phase in (RUN, DONE) and ladder.parts]
    if not ladders:
        return None
    finished = all(ladder.phase == DONE for ladder in ladders)
    heated = np.array([k.number >= settings.ladders - settings.heated for k in ladders])
    joints, (dropped, difference, agree, both) = _in_equilibrium(settings, grid, ladders)
    if not all(joint.overlaps.size for joint in joints):
        return None  # the first stretches of a run, which are dropped, are all there is
    starts = _starts(grid, ladders, joints, heated, both)
    if starts.get("left_out"):
        ladders = [ladder for ladder, hot in zip(ladders, heated, strict=True) if hot]
        joints, (dropped, difference, agree, _) = _in_equilibrium(settings, grid, ladders)
    bins = [binned(grid, joint.samples, joint.ln_w) for joint in joints]
    entropies, visits, right = (np.array(found) for found in zip(*bins, strict=True))
    total = visits.sum(axis=0)
    accuracy = np.zeros((0, 0))
    if getattr(problem, "accuracy_at", None) is not None:
        accuracy = np.where(total > 0, right.sum(axis=0) / np.maximum(total, 1), np.nan)
    meta = {
        "task": problem.about or {"task": problem.name},
        "sampler": "ladder",
        "measure": "mass",
        "unit": "ladder",
        "ladder": asdict(settings),
        "versions": store.versions(),
        "ln_box_volume": problem.ln_box_volume,
        "seeds": {"seed": settings.seed, "ladders": [ladder.number for ladder in ladders]},
        "gauge": "draws",
        "finished": finished,
        "rungs": {
            "ladders": [
                _rungs_of(settings, ladder, joint)
                for ladder, joint in zip(ladders, joints, strict=True)
            ],
            "dropped": dropped / SLICES,
            "halves": {
                "x": grid.x.centres.tolist(),
                "difference": [None if np.isnan(d) else float(d) for d in difference],
                "agree": agree,
            },
        },
    }
    if not finished:
        meta["steps_done"] = [ladder.steps for ladder in ladders]
    if starts:
        meta["rungs"]["starts"] = starts
    meta["rungs"]["warnings"] = warnings(meta["rungs"])
    under_way = lag(grid, ladders, entropies)
    reliable = (visits > 0).all(axis=0) & starts.get("agree", True)
    if under_way.size:
        reliable &= ~np.isnan(under_way)
    networks = _replicas(problem, grid, ladders) if settings.keep_networks else {}
    whole = Landscape(grid, entropies, total, reliable, meta, {}, networks, accuracy, under_way)
    return with_verdict(whole)


def _in_equilibrium(settings, grid: Grid, ladders) -> tuple[list[Joint], tuple]:
    """The samples of each ladder without its burn-in, joined; and what :func:`burn_in` gives."""
    samples = [by_progress(ladder) for ladder in ladders]
    found = burn_in(ladders, samples, grid, settings.burn_in)
    pairs = zip(ladders, samples, strict=True)
    return [joined(ladder, between(own, found[0], SLICES)) for ladder, own in pairs], found


def _starts(grid: Grid, ladders, joints, heated: np.ndarray, halves: np.ndarray) -> dict:
    """How ladders of two kinds of starts compare, and whether the cooled ones are left out.

    Empty where there is one kind; of heated ladders alone, whether they agree with each other.
    """
    if heated.all() and heated.size > 1:
        return {"largest": None, "agree": branches.agree(halves)}
    if not heated.any() or heated.all():
        return {}
    marginals = np.array([marginal(grid, joint.samples, joint.ln_w) for joint in joints])
    entropies = np.array([binned(grid, joint.samples, joint.ln_w)[0] for joint in joints])
    n = int(heated.sum())
    apart, same = two_starts(marginals, n)
    # wells of one shape have one S(x), and differ in y
    away, also = two_starts(_mean_y(grid, entropies), n, grid.y.width / 2)
    found = {"largest": _largest(apart), "largest_y": _largest(away), "agree": same and also}
    caught = [ladder.number for ladder, hot in zip(ladders, heated, strict=True)
              if not hot and ladder.caught]  # fmt: skip
    if not caught or n < 2:
        return found
    beta = min(ladder.rungs.beta.max() for ladder in ladders)
    groups = ([joints[k] for k in np.flatnonzero(heated == hot)] for hot in (True, False))
    heavier = branches.weight(*groups, beta)
    found |= {"beta": float(beta), "heavier": heavier.ln_ratio}
    if heavier.decides:
        cooled = [ladder.number for ladder, hot in zip(ladders, heated, strict=True) if not hot]
        found |= {"left_out": cooled, "agree": branches.agree(halves[:, heated])}
    return found


def _replicas(problem, grid: Grid, ladders: Sequence[Ladder]) -> dict[str, np.ndarray]:
    """The replica of every rung but the uniform one, as ``Landscape.networks`` has them."""
    theta = np.concatenate([ladder.theta[ladder.order[1:]] for ladder in ladders])
    points = np.full((len(theta), 3), np.nan)
    for point, one in zip(points, theta, strict=True):
        if problem.evaluate is None:
            point[:2] = problem.observe(one)
        else:
            x, y, accuracy, _ = problem.evaluate(np, one[None])
            point[:] = x[0], y[0], np.nan if accuracy is None else accuracy[0]
    bins = np.stack(grid.index(points[:, 0], points[:, 1]), axis=1)
    inside = bins[:, 0] >= 0
    return {"bins": bins[inside], "theta": theta[inside], "points": points[inside]}


def _rungs_of(settings: LadderSettings, ladder: Ladder, joint: Joint) -> dict:
    """What is told of a ladder: its rungs, temperatures, exchanges and overlaps."""
    n, total, squares = ladder.kinetic
    with np.errstate(invalid="ignore", divide="ignore"):
        temperature = total / n
        error = np.sqrt(np.maximum(squares / n - temperature**2, 0.0) / np.maximum(n - 1, 1))
        rate = ladder.accepted / ladder.tried
    if freedom := ladder.v.shape[1]:
        # stretches of slow friction are not independent: kinetic energies forget at twice its rate
        forgotten = np.maximum(settings.friction * settings.stretch * n, 1.0)
        error = np.maximum(error, np.sqrt(2 / freedom / forgotten))
    tried = rate[~np.isnan(rate)]
    overlaps, tilted = joint.overlaps, joint.tilted
    aside = {"overlap_aside": overlaps[tilted].tolist()} if settings.depth else {}
    return {
        "beta": ladder.rungs.beta.tolist(),
        "kappa": ladder.rungs.kappa.tolist(),
        "dt": ladder.dt.tolist(),
        **({"halved": ladder.halved.tolist()} if ladder.halved.any() else {}),
        "temperature": [None if np.isnan(t) else float(t) for t in temperature],
        "temperature_error": [None if np.isnan(t) else float(t) for t in error],
        "acceptance": [float(r) for r in tried],
        "overlap": overlaps[~tilted].tolist(),
        **aside,
        "descents": ladder.descents,
        "stretches": ladder.unit,
        "steps": ladder.steps,
    }
