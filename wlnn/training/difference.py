"""The high-entropy advantage: the equilibrium curve of a landscape minus what training reaches.

Compares at equal ln(train loss), with the errors of both sides; trains nothing, draws nothing. The
equilibrium curve is the mean of y over all networks of one training loss, Eq. (1) of the paper.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.landscape import Landscape
from wlnn.training.trained import BIN_WIDTH, SAME, Trained, over_trainings, sign_of

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

    def one(self, k: int) -> Difference:
        """That at the k-th x: its fields are numbers."""
        return Difference(*(values[k] for values in self))

    @property
    def sigmas(self):
        """The difference in units of its standard error."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.difference / self.error


def record_of(landscape: Landscape) -> str:
    """Name of the record of trainings that the landscape's y axis is about.

    Raises:
        UserError: the landscape is of something else than a network's test performance.
    """
    y = landscape.meta.get("task", {}).get("y")
    if "own_y" in landscape.meta.get("task", {}):
        raise UserError(
            f"trainings have no record of y = {y}, which is one of your own; nothing to compare."
        )
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

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> trained = wlnn.run("spiral-classify", "train", **small, runs=6, epochs=200)
        >>> difference = wlnn.compare_trained(landscape, trained)
        >>> difference.x.shape == difference.verdict.shape
        True

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
    trained = checked(landscape, trained, until)
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
    return difference.one(k)


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
    source = np.zeros(np.shape(x), int) if source is None else source
    return Difference(
        x, mean, walker_error, value, error, n, difference, both, half, verdict.astype(int),
        reliable, source,
    )  # fmt: skip


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


def same_task(result, trained: Trained) -> bool:
    """Whether data, network, loss and smoothing agree; box and grid may differ.

    ``result`` is a landscape or a motion, which is compared by its true accuracy if it has one.
    """
    first, second = result.meta.get("task", {}), trained.meta.get("task", {})
    smoothed = first.get("y") == "smoothed-accuracy" and not result.meta.get("accuracy")
    same = (*SAME, "alpha") if smoothed else SAME
    return bool(first) and all(first.get(name) == second.get(name) for name in same)


def checked(landscape: Landscape, trained: Trained, until: int | None) -> Trained:
    """The trainings until an epoch; UserError if of another task, or if none is left."""
    landscape.require_loss("comparisons with trainings, which are at equal train loss,")
    if not all(same_task(landscape, part) for part in trained.parts):
        raise UserError(
            "the landscape and the trainings are of different tasks: data, network and loss must "
            "be the same."
        )
    if not trained.kept.any():
        raise UserError("all trainings diverged; take a smaller learning rate.")
    return trained.until(until)
