"""The high-entropy advantage: the equilibrium curve of a landscape minus what training reaches.

Compares at equal ln(train loss), with the errors of both sides; trains nothing, draws nothing. The
equilibrium curve is the mean of y over all networks of one training loss, Eq. (1) of the paper.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wlnn.errors import UserError
from wlnn.landscape import Landscape
from wlnn.trained import BIN_WIDTH, FEWEST, SAME, Trained, X, over_trainings, sign_of

LEVEL = 0.95  # of every interval and verdict
BETTER, UNDECIDED, WORSE = 1, 0, -1


class Difference(NamedTuple):
    """Equilibrium minus trained, for one x or for many; every field may be an array ``(n,)``.

    ``verdict`` is BETTER where the equilibrium networks are: above by more than ``half`` (half the
    95 % interval of the difference) for accuracies, below by more for ln(test loss).
    """

    x: np.ndarray
    equilibrium: np.ndarray
    equilibrium_error: np.ndarray  # standard error over walkers
    trained: np.ndarray
    trained_error: np.ndarray  # standard error over trainings
    trainings: np.ndarray  # how many there were
    difference: np.ndarray
    error: np.ndarray  # standard error of the difference
    half: np.ndarray
    verdict: np.ndarray
    reliable: np.ndarray  # the landscape's rows, and enough trainings
    source: np.ndarray = 0  # the set of trainings, of several that make one baseline

    @property
    def sigmas(self):
        """The difference in units of its standard error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.difference / self.error


class Ending(NamedTuple):
    """Where training ends, against the equilibrium at each training's own loss."""

    difference: Difference  # of scalars; x is the mean ln(train loss) of the trainings used
    stopped: int  # trainings that leave the landscape: taken at their last epoch inside
    left_out: int  # trainings that were never inside
    source: int = 0  # the set of trainings, of several that make one baseline


def record_of(landscape: Landscape) -> str:
    """Name of the record of trainings that the landscape's y axis is about.

    Raises:
        UserError: the landscape is of something else than a network's test performance.
    """
    y = landscape.meta.get("task", {}).get("y")
    if y is None or not np.isfinite(landscape.grid.y.lo):
        raise UserError("this landscape has no test performance as its y axis; nothing to compare.")
    return y


def on_axis(landscape: Landscape, values: np.ndarray) -> np.ndarray:
    """Recorded values on the landscape's y axis, where that is a function of an accuracy."""
    axis = landscape.accuracy_axis
    return values if axis is None else axis.value(np, np.clip(values, 0, 1))


def equilibrium_at(
    landscape: Landscape, x: np.ndarray, width: float = BIN_WIDTH
) -> tuple[np.ndarray, np.ndarray]:
    """<y> of each walker ``(R, n)`` around each x ``(n,)``, and which are reliable ``(n,)`` bool.

    The mean over a window of ``width`` (of a row, where that is wider) centred on x, every row with
    the part of the window that it covers; NaN where the window leaves the landscape.
    """
    edges = landscape.grid.x.edges
    x = np.asarray(x, dtype=float)
    half = max(width, landscape.grid.x.width) / 2
    with np.errstate(invalid="ignore"):
        covered = np.minimum(edges[1:], x[:, None] + half) - np.maximum(
            edges[:-1], x[:, None] - half
        )
    share = np.maximum(np.nan_to_num(covered), 0) / (2 * half)  # (n, nx)
    share[share < 1e-9] = 0
    curves = landscape.equilibrium_of_walkers()
    needed = share > 0
    missing = np.isnan(curves).astype(float) @ needed.T > 0
    value = np.nan_to_num(curves) @ share.T
    value[missing | (share.sum(axis=1) < 1 - 1e-6)] = np.nan
    rows = landscape.marginal_entropy().reliable
    return value, np.where(needed, rows, True).all(axis=1) & ~np.isnan(value).any(axis=0)


def compare_trained(
    landscape: Landscape, trained: Trained, width: float = BIN_WIDTH, until: int | None = None
) -> Difference:
    """The difference in every bin of ln(train loss) that trainings came to and walkers know.

    Raises:
        UserError: another task, no training left, or no loss in common.
    """
    found = in_common(landscape, trained, width, until)
    if not len(found.x):
        curve = trained.curve(record_of(landscape), width)
        known = ~np.isnan(landscape.equilibrium_of_walkers()).all(axis=0)
        edges = landscape.grid.x.edges
        reach = edges[:-1][known].min(), edges[1:][known].max()
        raise UserError(
            f"the trainings come to ln(train loss) {np.nanmin(curve.x):.2f} to "
            f"{np.nanmax(curve.x):.2f}, the walkers to {reach[0]:.2f} to {reach[1]:.2f}: nothing "
            "in common to compare; train or sample longer."
        )
    return found


def in_common(
    landscape: Landscape, trained: Trained, width: float = BIN_WIDTH, until: int | None = None
) -> Difference:
    """As :func:`compare_trained`, but of no bin at all where there is no loss in common."""
    trained = _checked(landscape, trained, until)
    record = record_of(landscape)
    curve = trained.curve(record, width)
    values, safe = equilibrium_at(landscape, curve.x, width)
    there = (curve.trainings > 0) & ~np.isnan(values).all(axis=0)
    x, value, error, n = (part[there] for part in curve[:4])
    safe = safe[there] & curve.reliable[there]
    source = None if curve.source is None else curve.source[there]
    return judged(record, x, values[:, there], value, error, n, safe, source)


def at(difference: Difference, x: float) -> Difference:
    """The bin whose x is nearest (UserError if none lies within a bin's width)."""
    k = int(np.abs(difference.x - x).argmin())
    if abs(difference.x[k] - x) > BIN_WIDTH:
        raise UserError(
            f"--at {x:g}: trainings and landscape meet between {difference.x.min():.2f} and "
            f"{difference.x.max():.2f} only."
        )
    return Difference(*(values[k] for values in difference))


def ending(landscape: Landscape, trained: Trained, until: int | None = None) -> Ending:
    """Mean over trainings of <y>(ln train loss) minus y, both at the end of the training.

    A training that goes on to losses that the landscape does not hold is taken at its last epoch
    inside; one that was never inside is left out. Both are counted. Of several sets that make one
    baseline, which end at losses of their own, it is that of the set with the least advantage.
    """
    return least(endings(landscape, trained, until), record_of(landscape))


def endings(landscape: Landscape, trained: Trained, until: int | None = None) -> list[Ending]:
    """The :func:`ending` of each set of trainings."""
    parts = _checked(landscape, trained, until).parts
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
    stopped, left_out = int((used & (last < x.shape[1] - 1)).sum()), int((~used).sum())
    if used.sum() < 2:
        empty = Difference(*[np.nan] * 5, int(used.sum()), *[np.nan] * 3, UNDECIDED, False)
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
    return Ending(Difference(*(field[0] for field in found)), stopped, left_out)


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
    return Difference(*(values[k] for values in difference))


def early_stop(landscape: Landscape, trained: Trained, until: int | None = None) -> Difference:
    """:func:`best_stop`; of several sets that make one baseline, that of the best trained mean.

    Bins that half of the trainings come to are meant set by set.
    """
    record, trained = record_of(landscape), _checked(landscape, trained, until)
    kept = [
        (k, in_common(landscape, part)) for k, part in enumerate(trained.parts) if part.kept.any()
    ]
    stops = [best_stop(found, record)._replace(source=k) for k, found in kept if len(found.x)]
    return max(stops, key=lambda stop: (bool(stop.reliable), sign_of(record) * stop.trained))


def judged(record, x, walkers, value, error, n, reliable, source=None) -> Difference:
    """Difference and verdict of n losses; walkers ``(R, n)``, all others ``(n,)``.

    Welch's interval, whose degrees of freedom come from the walkers' and the trainings' shares of
    the variance.
    """
    R = len(walkers)
    mean, walker_error, known = over_trainings(walkers)
    walker_error = np.where(known == R, walker_error, np.nan)
    difference = mean - value
    half = half_interval(walker_error, R, error, n)
    with np.errstate(invalid="ignore"):
        verdict = np.where(np.abs(difference) > half, np.sign(difference), 0) * sign_of(record)
    both = np.hypot(walker_error, error)
    return Difference(
        x,
        mean,
        walker_error,
        value,
        error,
        n,
        difference,
        both,
        half,
        verdict.astype(int),
        reliable,
        np.zeros(np.shape(x), int) if source is None else source,
    )


def half_interval(first, n_first, second, n_second, level: float = LEVEL):
    """Half the interval of a difference of two means with standard errors ``first``, ``second``.

    Student's t with Welch's degrees of freedom ``(a + b)^2 / (a^2 / (n_a - 1) + b^2 / (n_b - 1))``,
    a and b the squared errors; NaN where one error is.
    """
    from scipy.special import stdtrit

    a, b = np.square(first), np.square(second)
    with np.errstate(invalid="ignore", divide="ignore"):
        freedom = (a + b) ** 2 / (a**2 / (n_first - 1) + b**2 / (np.asarray(n_second) - 1))
        freedom = np.where(a + b == 0, 1.0, freedom)
        return stdtrit(freedom, 0.5 + level / 2) * np.sqrt(a + b)


def over_data_sets(endings: Sequence[Ending], record: str) -> Difference:
    """Mean of endings of one network on several data sets; those are the independent units here.

    The interval is Student's over data sets. With a single one, its own difference is returned.
    """
    if len(endings) == 1:
        return endings[0].difference
    parts = [ending.difference for ending in endings]
    stacked = {name: np.array([getattr(part, name) for part in parts], float)
               for name in ("x", "equilibrium", "trained", "difference")}  # fmt: skip
    means = {name: over_trainings(values) for name, values in stacked.items()}
    mean, error, n = means["difference"]
    half = float(half_interval(error, n, 0.0, 2)) if n > 1 else np.nan
    verdict = int(np.sign(mean)) * sign_of(record) if abs(mean) > half else UNDECIDED
    return Difference(
        float(means["x"][0]), float(means["equilibrium"][0]), float(means["equilibrium"][1]),
        float(means["trained"][0]), float(means["trained"][1]), int(n),
        float(mean), float(error), half, verdict, all(part.reliable for part in parts),
    )  # fmt: skip


def _checked(landscape: Landscape, trained: Trained, until: int | None) -> Trained:
    if not all(same_task(landscape, part) for part in trained.parts):
        raise UserError(
            "the landscape and the trainings are of different tasks: data, network and loss must "
            "be the same."
        )
    if not trained.kept.any():
        raise UserError("all trainings diverged; take a smaller learning rate.")
    return trained if until is None else trained.until(until)


def same_task(landscape: Landscape, trained: Trained) -> bool:
    """Whether data, network, loss and smoothing agree; box and grid may differ."""
    first, second = landscape.meta.get("task", {}), trained.meta.get("task", {})
    same = (*SAME, "alpha") if first.get("y") == "smoothed-accuracy" else SAME
    return bool(first) and all(first.get(name) == second.get(name) for name in same)


def pairs(
    landscapes: Sequence[Landscape], trained: Sequence[Trained], names: Sequence[str]
) -> list[tuple[Landscape, list[Trained]]]:
    """Each landscape with the trainings of its task, in the order of the number of parameters.

    ``names`` are those of the trainings, for sentences.

    Raises:
        UserError: trainings of no landscape, a landscape without trainings.
    """
    for one, name in zip(trained, names, strict=True):
        if not any(same_task(landscape, one) for landscape in landscapes):
            raise UserError(
                f"{name}: no landscape given here is of its task (data, network, loss, alpha)."
            )
    found = [
        (landscape, [one for one in trained if same_task(landscape, one)])
        for landscape in landscapes
    ]
    for landscape, own in found:
        if not own:
            about = landscape.meta.get("task", {}).get("network", {})
            raise UserError(f"no trainings given here are of the landscape of {about}.")
    return sorted(found, key=lambda pair: pair[0].meta["task"].get("parameters", 0))


def network_name(landscape: Landscape) -> str:
    """The network in a word: 3x6 for three hidden layers of 6, 331-20-1, 2 channels, ..."""
    network = landscape.meta.get("task", {}).get("network", {})
    sizes = network.get("sizes")
    if not sizes:
        words = [str(network.get("family", "network"))]
        channels = network.get("channels")
        return " ".join([*words, f"{channels} channels"] if channels else words)
    hidden = sizes[1:-1]
    if len(hidden) > 1 and len(set(hidden)) == 1:
        return f"{len(hidden)}x{hidden[0]}"
    return "-".join(str(size) for size in sizes)


def by_network(pairs, until: int | None = None) -> list[tuple[str, int, int, Difference]]:
    """(name, parameters, data sets, ending) of every network and every kind of training.

    Pairs whose tasks differ in the data alone are averaged by :func:`over_data_sets`. Left out are
    those whose trainings never come to losses that their landscape holds.
    """
    groups: dict[tuple, list[Ending]] = {}
    for landscape, own in pairs:
        for one in own:
            words = one.words
            epochs = until or one.epochs
            key = (network_name(landscape), landscape.meta["task"]["parameters"], words, epochs)
            groups.setdefault(key, []).append(ending(landscape, one, until))
    kinds = {key[2:] for key in groups}
    record = record_of(pairs[0][0])
    found = []
    for (name, parameters, words, epochs), endings in groups.items():
        usable = [end for end in endings if end.difference.trainings >= 2]
        if usable:
            label = name if len(kinds) == 1 else f"{name}, {words}, {epochs} epochs"
            found.append((label, parameters, len(usable), over_data_sets(usable, record)))
    return found


def one_per_network(pairs) -> list:
    """The first pair of every network: what a picture of all of them shows."""
    first: dict[str, tuple] = {}
    for pair in pairs:
        first.setdefault(network_name(pair[0]), pair)
    return list(first.values())
