"""What became of a claim of the paper: one number a loss, its interval, and a verdict.

It runs and draws nothing. A verdict says what 95 % intervals of believable runs say: where a
landscape is not publishable at that loss and above, or too few trainings came, nothing is decided.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import standard_error, t_factor
from wlnn.canonical.columns import X
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape.verdict import PUBLISHABLE, judge_from
from wlnn.training.advantage import by_network, network_name
from wlnn.training.difference import Difference, at, compare_trained, half_interval, record_of
from wlnn.training.trained import sign_of

HOLDS, FAILS, UNDECIDED = "holds", "fails", "undecided"
FEW = "too few trainings came there, or the rows are not reliable"
APART = "trainings and landscape do not both come there"


def judged_claim(claim: dict, pairs: Sequence, motions: Sequence[Trajectories]) -> dict:
    """A claim of ``tables/figures.toml`` with "ours", a list of numbers, and its "verdict".

    Each number has "of" (the network), "x", "value", "half" (of the 95 % interval), "verdict" and
    "why" it decides nothing. The claim holds if it does for all of them, and fails if it does not
    for one.

    Args:
        pairs: of a landscape and its one set of trainings.
        motions: runs of molecular dynamics on the training loss.
    """
    task = claim.get("task")
    pairs = [pair for pair in pairs if task is None or pair[0].meta["task"]["task"] == task]
    try:
        ours = list(_MEASURES[claim["kind"]](claim, pairs, motions))
    except UserError as error:
        ours = [_number("", np.nan, np.nan, np.nan, 0, str(error))]
    words = {row["verdict"] for row in ours}
    verdict = FAILS if FAILS in words else UNDECIDED if UNDECIDED in words or not ours else HOLDS
    told = {name: claim[name] for name in ("words", "published", "source")}
    return {**told, "ours": ours, "verdict": verdict}


def _number(of: str, x, value, half, sign: int, why: str = "") -> dict:
    """``sign``: 1 where it speaks for the claim, -1 against, 0 where it decides nothing."""
    numbers = {"x": x, "value": value, "half": half}
    found = {name: float(n) if np.isfinite(n) else None for name, n in numbers.items()}
    verdict = UNDECIDED if why else {1: HOLDS, -1: FAILS, 0: UNDECIDED}[int(sign)]
    return {"of": of, **found, "verdict": verdict, "why": why}


def _difference(of: str, one: Difference, landscapes: Sequence) -> dict:
    """Equilibrium minus trained."""
    judged = [judge_from(landscape, one.x) for landscape in landscapes]
    judged = [found for found in judged if found.word != PUBLISHABLE]
    why = f"landscape: {judged[0].sentence}" if judged else "" if one.reliable else FEW
    return _number(of, one.x, one.difference, one.half, one.verdict, why)


def _advantage(claim, pairs, _) -> Iterator[dict]:
    for landscape, (trained,) in pairs[:1] if claim.get("first") else pairs:
        name = network_name(landscape)
        for x in claim["at"]:
            try:
                one = at(compare_trained(landscape, trained), x)
            except UserError:
                yield _number(name, x, np.nan, np.nan, 0, APART)
            else:
                yield _difference(name, one, [landscape])


def _endings(claim, pairs, _) -> Iterator[dict]:
    names = {network_name(landscape) for landscape, _ in pairs}
    for name, _, _, one in by_network(pairs) if pairs else ():
        names.discard(name)
        own = [landscape for landscape, _ in pairs if network_name(landscape) == name]
        yield _difference(name, one, own)
    for name in sorted(names):
        yield _number(name, np.nan, np.nan, np.nan, 0, APART)


def _narrowing(claim, pairs, _) -> Iterator[dict]:
    """By how much the advantage of the first network is larger than that of the last."""
    found = sorted(by_network(pairs), key=lambda one: one[1]) if pairs else []
    if len(found) < 2:
        raise UserError("one width alone was run")
    (first, _, _, one), (last, _, _, other) = found[0], found[-1]
    shrunk = sign_of(record_of(pairs[0][0])) * (one.difference - other.difference)
    half = np.hypot(one.half, other.half)
    each = [_difference("", part, [pair[0] for pair in pairs]) for part in (one, other)]
    why = next((row["why"] for row in each if row["why"]), "")
    sign = np.sign(shrunk) if abs(shrunk) > half else 0
    yield _number(f"{first} less {last}", np.nan, shrunk, half, sign, why)


def _trained(claim, pairs, _) -> Iterator[dict]:
    """The trained curve against published numbers: within a distance, or not, or undecided."""
    for landscape, (trained,) in pairs[:1]:
        curve = trained.pooled("epochs").curve(record_of(landscape))
        half = half_interval(curve.error, curve.trainings, 0.0, 2)
        for x, published in zip(claim["at"], claim["published"], strict=True):
            k = int(np.nanargmin(np.abs(curve.x - x)))
            if abs(curve.x[k] - x) > curve.axis.width:
                yield _number(network_name(landscape), x, np.nan, np.nan, 0, APART)
                continue
            far, why = abs(curve.value[k] - published), "" if curve.reliable[k] else FEW
            sign = int(far + half[k] <= claim["within"]) - int(far - half[k] > claim["within"])
            yield _number(network_name(landscape), x, curve.value[k], half[k], sign, why)


def _arrival(claim, pairs, motions) -> Iterator[dict]:
    """Later states minus the first of one loss: paired over walkers that had both."""
    for motion in motions:
        kept, (low, high) = motion.kept, motion.loss_window()
        losses, n = np.exp(kept[:, :, X]), kept.shape[1]
        inside = (losses >= low) & (losses <= high)
        values = np.where(inside, kept[:, :, motion.metric_column], np.nan)
        both = inside[:, : n // 3].any(axis=1) & inside[:, n // 2 :].any(axis=1)
        early, late = values[both, : n // 3], values[both, n // 2 :]
        changes = np.nanmean(late, axis=1) - np.nanmean(early, axis=1)
        enough = len(changes) > 1
        half = t_factor(len(changes)) * standard_error(changes) if enough else np.nan
        value = changes.mean() if enough else np.nan
        sign = np.sign(value) * sign_of(motion.record) if enough and abs(value) > half else 0
        why = "" if enough else "too few walkers were at one loss early and late"
        yield _number("", np.log(np.sqrt(low * high)), value, half, sign, why)


_MEASURES = {
    "advantage": _advantage,
    "endings": _endings,
    "narrowing": _narrowing,
    "trained": _trained,
    "arrival": _arrival,
}
