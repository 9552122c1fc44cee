"""One verdict on a landscape: publishable, look again, or too short; and the numbers it weighs.

The only place that judges a result. It looks at what the sampler recorded and at S itself, and
computes nothing that needs the problem. How it is said is ``report/landscape.py``'s.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from math import ceil, isfinite

import numpy as np

from wlnn.base.accuracy_axes import TRAIN_ACCURACY
from wlnn.base.statistics import ln_sum, t_factor
from wlnn.landscape import diagnostics
from wlnn.landscape.landscape import Landscape

PUBLISHABLE, LOOK_AGAIN, TOO_SHORT = "publishable", "look again", "too short"
TRIPS = 3.0  # round trips of each walker in the part of the run that is measured
R_HAT = 1.3  # of the walkers' mean x by stage: right runs of few crossings have up to 1.2
EFFECTIVE = 2.5  # independent values of it that each walker is worth
FALSE_ALARM = 0.001  # of a row of x, by halves or by draws, of which a run has dozens
LARGEST_ERROR = 1.0  # nats of S(x): beyond it the logarithm of a mean is not normal
FEWEST_VISITS = 10  # of a known bin, on average, in the part that is measured
FEWEST_DRAWS = 100  # in a row of x, before its part of the box counts as known
OUTSIDE = 0.5  # largest part of the box outside the window
UNREACHED = 0.1  # largest part of the window, its lowest rows, where no walker ever was
UNSEEN = 0.2  # largest part of the visited rows of x that are not reliable
HOT = 0.05  # by which a kinetic temperature may be off what the heat of the hills explains


@dataclass(frozen=True)
class Judgement:
    """What a landscape is good for.

    Attributes:
        word: :data:`PUBLISHABLE`, :data:`LOOK_AGAIN` or :data:`TOO_SHORT`.
        reason: why, in one sentence; empty for a publishable one.
        change: the one thing to do: options to be added to the command, or a command of its own.
        numbers: what was weighed, as far as the sampler has it, for JSON. "trips": round trips of a
            walker while S was measured. "r_hat", "effective_size": of the walkers' mean x by stage.
            "halves", "draws": how far S(x) of the two halves, or S(x) and uniform draws, are apart
            where they are most: "nats", "errors" (None without error bars), "x", "limit" (of the
            errors). "sums": of exp S over the rows that draws know, and of the draws. "outside":
            part of the box outside the window. "error": the largest of S(x), "nats" at "x".
    """

    word: str
    reason: str = ""
    change: str = ""
    numbers: dict = field(default_factory=dict)

    @property
    def sentence(self) -> str:
        """The verdict and its reason in one line."""
        return f"{self.word}: {self.reason}" if self.reason else self.word


def verdict_of(landscape: Landscape) -> Judgement:
    """The verdict that is stored with a landscape, or one of now where there is none."""
    stored = landscape.meta.get("verdict")
    return Judgement(**stored) if stored else judge(landscape)


def with_verdict(landscape: Landscape) -> Landscape:
    """The landscape, its verdict stored in ``meta``."""
    landscape.meta["verdict"] = asdict(judge(landscape))
    return landscape


def judge(landscape: Landscape, window: bool = False) -> Judgement:
    """The verdict on a landscape; what makes it too short comes before what makes it doubtful.

    One that is a window of a larger one need not reach what the others are for.
    """
    numbers = {
        "trips": _trips(landscape),
        **_mixing(landscape),
        "halves": _halves(landscape),
        **_draws(landscape),
        "error": _largest_error(landscape),
    }
    numbers = {name: value for name, value in numbers.items() if value is not None}
    doubts = [*_doubts(landscape, numbers), *(() if window else _out_of_reach(landscape, numbers))]
    found = sorted(doubts, key=lambda doubt: doubt[0] != TOO_SHORT)
    return Judgement(*found[0], numbers) if found else Judgement(PUBLISHABLE, numbers=numbers)


def judge_from(landscape: Landscape, x: float) -> Judgement:
    """The verdict on the rows of x and above: that of all, or one that lower rows have no part in.

    What a curve says there needs no row below it, whose errors are larger.
    """
    whole = verdict_of(landscape)
    if whole.word == PUBLISHABLE:
        return whole
    if whole.word == TOO_SHORT:
        return whole
    rows = (landscape.grid.x.edges[1:] > x)[:, None]
    above = replace(
        landscape,
        entropies=np.where(rows, landscape.entropies, np.nan),
        visits=np.where(rows, landscape.visits, 0),
        reliable=landscape.reliable & rows,
    )
    return judge(above, window=True)


def publishable_from(landscape: Landscape) -> float | None:
    """Lowest x from which on one that is to be looked at again is publishable; None if nowhere."""
    rows = np.flatnonzero(landscape.marginal_entropy().reliable)
    if verdict_of(landscape).word != LOOK_AGAIN or rows.size < 2:
        return None
    low, high = 0, len(rows) - 1  # of errors that grow as x falls, the border by bisection
    centres = landscape.grid.x.centres[rows]
    if judge_from(landscape, centres[high]).word != PUBLISHABLE:
        return None
    while high - low > 1:
        middle = (low + high) // 2
        if judge_from(landscape, centres[middle]).word == PUBLISHABLE:
            high = middle
        else:
            low = middle
    return float(centres[high]) if high < len(rows) - 1 else None


def _trips(landscape: Landscape) -> float | None:
    if "round_trips" not in landscape.history:
        return None
    trips = landscape.round_trips.sum(axis=0)
    first = landscape.measured_from
    before = trips[first - 1] if 0 < first <= len(trips) else 0.0
    return float(trips[-1] - before) / landscape.n_walkers


def _mixing(landscape: Landscape) -> dict[str, float]:
    """R-hat and effective sample size of the walkers' mean x while S was measured."""
    x = landscape.history.get("x_mean", np.zeros((0, 0)))[:, landscape.measured_from :]
    if x.shape[1] < 4 or not np.isfinite(x).all():
        return {}
    found = diagnostics.split_r_hat(x), diagnostics.effective_size(x)
    names = ("r_hat", "effective_size")
    return {name: value for name, value in zip(names, found, strict=True) if isfinite(value)}


def _furthest(landscape: Landscape, difference: np.ndarray, error: np.ndarray) -> dict | None:
    """The row of x where a difference ``(nx,)`` is most, in errors or, without, in nats."""
    rows = np.flatnonzero(np.isfinite(difference) & landscape.marginal_entropy().reliable)
    if not rows.size:
        return None
    z = np.abs(difference[rows]) / np.where(error[rows] > 0, error[rows], np.nan)
    known = np.isfinite(z).any()
    k = int(np.nanargmax(z) if known else np.argmax(np.abs(difference[rows])))
    return {
        "nats": float(difference[rows[k]]),
        "errors": float(z[k]) if known else None,
        "x": float(landscape.grid.x.centres[rows[k]]),
        "limit": float(t_factor(landscape.n_walkers, 1 - FALSE_ALARM)) if known else None,
    }


def _halves(landscape: Landscape) -> dict | None:
    halves = landscape.meta.get("halves")
    if not halves:
        return None
    parts = (np.array(halves[name], dtype=float) for name in ("difference", "error"))
    return _furthest(landscape, *parts)


def _draws(landscape: Landscape) -> dict:
    """S(x) against the parts of uniform draws, in the rows that enough of them reached.

    In the other rows draws are an upper limit: S that is above it counts as well.
    """
    draws = landscape.meta.get("draws")
    if not draws:
        return {}
    found = {"outside": draws["outside_window"]}
    if "rows" not in draws or landscape.meta.get("gauge") not in ("box", "draws"):
        return found
    counts, n = np.array(draws["rows"], dtype=float), draws["n"]
    curve, known = landscape.marginal_entropy(), counts >= FEWEST_DRAWS
    most = counts + 5 * np.sqrt(counts + 1) + 5
    with np.errstate(divide="ignore", invalid="ignore"):
        difference = curve.value - np.log(np.where(known, counts, most) / n)
        error = np.hypot(curve.error, np.where(known, np.sqrt(1 / counts - 1 / n), 0.0))
    difference = np.where(known | (difference > 0), difference, np.nan)
    if known.any():
        sums = np.exp(ln_sum(np.where(known, curve.value, np.nan))), counts[known].sum() / n
        found["sums"] = [float(value) for value in sums]
    return {**found, "draws": _furthest(landscape, difference, error)}


def _largest_error(landscape: Landscape) -> dict | None:
    """The largest error of S(x), relative to the rows that hold most of the box."""
    curve = landscape.marginal_entropy()
    rows = np.flatnonzero(curve.reliable & np.isfinite(curve.error))
    if not rows.size:
        return None
    k = rows[np.argmax(curve.error[rows])]
    return {"nats": float(curve.error[k]), "x": float(curve.x[k])}


def _doubts(landscape: Landscape, numbers: dict) -> Iterator[tuple[str, str, str]]:
    """Everything that is wrong: word, reason, what to change; the most important first."""
    if not landscape.meta.get("finished", True):
        yield TOO_SHORT, "the run is not finished", "wlnn resume RUN"
    for part in landscape.meta.get("judged", ()):
        if part["word"] != PUBLISHABLE:
            yield part["word"], f"{part['name']}: {part['reason']}", part["change"]
    longer = _longer(landscape)
    who = f"{landscape.unit}s"
    if landscape.n_walkers < 2:
        more = "--walkers 8" if landscape.unit != "table" else "--set wlmd.tables=4"
        yield LOOK_AGAIN, f"one {landscape.unit} has no error bars", more
    for words in landscape.meta.get("rungs", {}).get("warnings", ()):
        reason = re.split(r"[;:,] make ", words)[0].rstrip(".")
        yield LOOK_AGAIN, reason, _advice(landscape, words, longer)
    if not landscape.reliable.any():
        yield TOO_SHORT, f"no bin was seen by enough {who} while S was measured", longer(4)
    trips = numbers.get("trips")
    if trips is not None and trips < TRIPS:
        reason = f"{trips:.1f} round trips of a {landscape.unit} in x, {TRIPS:g} are needed"
        yield TOO_SHORT, reason, longer(TRIPS / trips if trips else 4)
    yield from _unmixed(landscape, numbers, longer)
    yield from _growing(landscape, numbers, longer)
    for name, words in (("draws", "S and uniform draws"), ("halves", "S of the two halves")):
        far = numbers.get(name)
        if far and far["errors"] is not None and far["errors"] > far["limit"]:
            reason = (
                f"{words} differ by {abs(far['nats']):.2g} nats at {landscape.grid.x.name} = "
                f"{far['x']:.2f}, {far['errors']:.1f} errors"
            )
            yield LOOK_AGAIN, reason, longer(4)
    error = numbers.get("error")
    if error and error["nats"] > LARGEST_ERROR:
        reason = f"S is known to ± {error['nats']:.1f} nats only at {error['x']:.2f}"
        yield LOOK_AGAIN, reason, longer((error["nats"] / LARGEST_ERROR) ** 2)
    rows = landscape.marginal_entropy()
    visited = landscape.visits.any(axis=1) | np.isfinite(rows.value)
    unseen = 1 - rows.reliable.sum() / max(visited.sum(), 1)
    if unseen > UNSEEN:
        yield LOOK_AGAIN, f"{unseen:.0%} of the rows are not reliable", longer(2)


def _out_of_reach(landscape: Landscape, numbers: dict) -> Iterator[tuple[str, str, str]]:
    """Parts of the window where no walker was, and of the box that are not in the window."""
    visited = landscape.visits.any(axis=1) | np.isfinite(landscape.marginal_entropy().value)
    x, lowest, longer = landscape.grid.x, int(np.argmax(visited)), _longer(landscape)
    if x.name == TRAIN_ACCURACY:
        highest = int(np.flatnonzero(visited)[-1])
        if x.n - 1 - highest > UNREACHED * x.n:
            reason = f"no walker came above a {x.name} of {x.centres[highest]:.2f}"
            yield LOOK_AGAIN, reason, longer(4)
    elif landscape.unit == "walker" and lowest > UNREACHED * x.n:
        reason = f"no walker came below {x.edges[lowest]:.2f}, the window begins at {x.lo:.2f}"
        window = _window(landscape, x.edges[lowest], x.hi)
        yield LOOK_AGAIN, reason, f"{longer(4)}, or {window} if nothing lies below"
    if numbers.get("outside", 0) > OUTSIDE:
        reason = f"{numbers['outside']:.0%} of the {landscape.base} lie outside the window"
        yield LOOK_AGAIN, reason, _window(landscape, x.lo, x.hi + 1)


def _unmixed(landscape: Landscape, numbers: dict, longer) -> Iterator[tuple[str, str, str]]:
    """Walkers that did not forget where they came from while S was measured."""
    visits = np.sum(landscape.visits) / max(np.count_nonzero(landscape.visits), 1)
    if landscape.resampling == "jackknife" and visits < FEWEST_VISITS:
        yield TOO_SHORT, f"a bin has {visits:.1f} visits on average", longer(FEWEST_VISITS / visits)
    least = EFFECTIVE * landscape.n_walkers
    if numbers.get("effective_size", np.inf) < least:
        size = numbers["effective_size"]
        reason = f"effective sample size {size:.0f} of x, {least:.0f} is needed"
        yield TOO_SHORT, reason, longer(least / size)
    if numbers.get("r_hat", 0) > R_HAT:
        yield TOO_SHORT, f"R-hat of x is {numbers['r_hat']:.2f}, above {R_HAT}", longer(4)


def _growing(landscape: Landscape, numbers: dict, longer) -> Iterator[tuple[str, str, str]]:
    """S that grew while it was measured, or that was frozen at what each had learnt alone."""
    history, settings = landscape.history, landscape.settings
    if landscape.unit == "table":
        added = driven(landscape)
        if isfinite(added) and added > LARGEST_ERROR:
            yield (
                LOOK_AGAIN,
                f"a crossing of x adds {added:.2g} nats to S at the end",
                longer(added),
            )
        excess = np.abs(history["temperature"] - history["expected"]).max()
        if excess > HOT:
            reason = f"the kinetic temperature is off by {excess:.2f}"
            yield LOOK_AGAIN, reason, f"--set wlmd.dt={settings['dt'] / 2:g}"
        return
    recorded = {"ln_f", "steps", "bins", "round_trips"} <= set(history)
    if landscape.resampling == "jackknife" or not recorded:
        return
    error = (numbers.get("error") or {"nats": 0.0})["nats"]
    common = "--set wlmc.estimator=common"
    if settings.get("estimator") == "average" and settings.get("production"):
        bias = growth_bias(landscape)
        if bias > error:
            yield LOOK_AGAIN, f"S grew while it was averaged: too deep by {bias:.1g} nats", common
        return
    last = history["ln_f"][history["ln_f"] > 0]
    if not last.size:
        return
    trips, steps = landscape.round_trips[:, -1].mean(), history["steps"].sum(axis=1).mean()
    tau, bins = diagnostics.crossing_time(int(steps), trips), history["bins"][:, -1].mean()
    if not diagnostics.error_bars_trusted(last[-1], tau, bins, settings.get("production", 0)):
        left = diagnostics.resolution(last[-1], tau, bins)
        yield LOOK_AGAIN, f"ln f tau / Nb = {left:.2g} is left in S of every walker", common


def growth_bias(landscape: Landscape) -> float:
    """About how many nats an averaged S is too deep at the lowest x, from what a crossing adds."""
    trips, history = _trips(landscape), landscape.history
    if not trips:
        return float("inf")
    steps = history["steps"][:, landscape.measured_from :].sum(axis=1).mean()
    tau, bins = diagnostics.crossing_time(int(steps), trips), history["bins"][:, -1].mean()
    return diagnostics.GROWTH_BIAS * diagnostics.resolution(
        history["ln_f"][:, -1].mean(), tau, bins
    )


def driven(landscape: Landscape) -> float:
    """Nats that a crossing of x adds to S in the last period of molecular dynamics.

    The time of a crossing is that of the part that is averaged: hills that fill the landscape drive
    walkers across it faster than they go later. Infinite without a round trip there.
    """
    history, (x, y) = landscape.history, landscape.grid
    first, t = landscape.measured_from, history["t"].mean(axis=0)
    steps = t[-1] - (t[first - 1] if first else 0.0)
    tau = diagnostics.crossing_time(steps, _trips(landscape))
    area = history["cells"][:, -1].mean() * x.width * (y.width if isfinite(y.lo) else 1.0)
    return diagnostics.resolution(history["f"][:, -1].mean() * diagnostics.A0, tau, area)


def _window(landscape: Landscape, low: float, high: float) -> str:
    """Another window in x; a Problem of the user's own file has its grid there."""
    if "file" in landscape.meta.get("task", {}).get("files", {}):
        return f"an x axis from {low:g} to {high:g} in your file"
    return f"--window {low:g},{high:g}"


def _advice(landscape: Landscape, words: str, longer) -> str:
    """What a sampler's own warning says is to be made smaller or larger, as an option."""
    found = re.search(r"make (\w+)\.(\w+) .*?(smaller|larger)", words)
    if not found or found[2] not in landscape.settings:
        return ""
    section, name, way = found.groups()
    if name == "steps":
        return longer(4)
    value = landscape.settings[name] * (0.5 if way == "smaller" else 2)
    return f"--set {section}.{name}={value:g}"


def can_go_on(landscape: Landscape) -> bool:
    """Whether `wlnn resume RUN --steps` makes this very run longer."""
    goes_on = landscape.resampling == "jackknife" or landscape.unit in ("ladder", "table")
    return goes_on and "merged" not in landscape.meta


def _longer(landscape: Landscape):
    """The option for a run that is longer by a factor, at least 2 and at most 10."""
    steps, most = landscape.settings.get("steps", 0), 10
    if landscape.resampling == "jackknife" and can_go_on(
        landscape
    ):  # what was learnt in a twentieth of a run is too little for it
        most = max(int((1 - landscape.settings.get("production", 0.5)) / 0.05 + 1e-9), 2)

    def option(factor: float) -> str:
        longer = steps * min(max(ceil(factor), 2), most)
        if can_go_on(landscape) and float(f"{longer:.2g}") != longer:
            return f"--steps {longer}"
        return f"--steps {float(f'{longer:.2g}'):g}" if steps else ""

    return option
