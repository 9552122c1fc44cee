"""The learning coefficient lambda of a landscape: how fast the volume of low loss shrinks.

S. Watanabe (Algebraic Geometry and Statistical Learning Theory, Cambridge 2009, ch. 4): the share V
of the box with an excess loss K = L - L0 below epsilon goes as

    V(epsilon) ~ epsilon^lambda (ln 1/epsilon)^(m - 1)        epsilon -> 0,

m the multiplicity. Two estimates from one landscape: the slope of S against ln K, and what the
canonical ensemble says at a temperature. Nothing is sampled here, and nothing is local: the box is
the neighbourhood. The estimate around one network of ``devinterp`` is compared in docs/llc.md.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import jackknife_error, t_factor
from wlnn.canonical.reweight import canonical, covered_range, trusted_rows
from wlnn.landscape.landscape import Landscape

SPAN = 2.0  # nats of ln K above the lowest row: the range of the slope, where none is given
APART = 1.0  # of ln K, from which on ln ln 1/K is tried without being asked for
NARROW = 0.5  # of ln K, the widest row of that range where there is a floor
LEAST = 4  # rows that a slope needs: two in each half
TEMPERATURES = 6  # of the table, over one and a half decades from the coldest that is covered
DECADES = 1.5


@dataclass(frozen=True)
class Slope:
    """lambda from S over a range of ln K, by least squares.

    Attributes:
        multiplicity: m of the form that was fitted, S = a + lambda u + (m - 1) ln(s - u).
        value, error: lambda and its standard error, by leaving out one walker at a time.
        drift, drift_error: lambda of the lower half of the range less that of the upper half. A
            right form has none: a large one tells another m, or a loss that is not low enough.
    """

    multiplicity: int
    value: float
    error: float
    drift: float
    drift_error: float


@dataclass(frozen=True)
class LearningCoefficient:
    """lambda of a landscape, twice; see :func:`learning_coefficient`.

    Attributes:
        span: lowest and highest u = ln K of the rows of the slopes.
        slopes: one for each multiplicity that was asked for.
        temperature: T ``(n,)``, the temperature ln n / n of the rows first, where it is known.
        value, error: (<L> - L0) / T and standard errors ``(n,)``.
        covered: temperatures ``(n,)`` whose weight lies inside the landscape.
        rows: n, the number of training rows; None where nobody said.
        floor: L0.
        n_walkers: by whose spread the errors are.
    """

    span: tuple[float, float]
    slopes: tuple[Slope, ...]
    temperature: np.ndarray
    value: np.ndarray
    error: np.ndarray
    covered: np.ndarray
    rows: int | None
    floor: float
    n_walkers: int

    def t_factor(self) -> float:
        """Half a 95 % interval per standard error."""
        return float(t_factor(self.n_walkers))


def learning_coefficient(
    landscape: Landscape,
    rows: int | None = None,
    floor: float = 0.0,
    multiplicities: tuple[int, ...] | None = None,
    span: tuple[float, float] | None = None,
    scale: float = 1.0,
) -> LearningCoefficient:
    """lambda by the slope of S at low loss, and by the mean loss at temperatures.

    **Slope.** With u = ln(L - L0) the density of states per u goes as e^(lambda u) (s - u)^(m - 1),
    as V does. Fitted is that of rows and not V, which would need the volume below the lowest row.
    For m > 1 the zero s of the logarithm matters: lambda changes by (m - 1) / (s - u)^2 per unit.

    **Temperature.** (<L> - L0) / T goes to lambda as T to 0. At T = ln n / n it is Watanabe's
    estimate n beta (E[L] - L0), beta = 1 / ln n (A Widely Applicable Bayesian Information
    Criterion, J. Mach. Learn. Res. 14, 867 (2013)), with the box as the prior. It is lambda less
    (m - 1) / ln(1 / T) and so on.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> found = wlnn.learning_coefficient(landscape)
        >>> found.rows, found.slopes[0].multiplicity
        (8, 1)
        >>> bool(found.slopes[0].value > 0)
        True

    Args:
        landscape: with x = ln(train loss).
        rows: number n of training rows; None is that of the landscape's task, where it says so.
        floor: L0 >= 0, the least loss of the box.
        multiplicities: m of the forms to fit, 1 or more; None is 1, and 2 where the range ends
            :data:`APART` below the scale of its logarithm.
        span: range of ln L whose rows are fitted; None is the lowest :data:`SPAN` of ln(L - L0).
        scale: the excess loss e^s whose logarithm is 0 in (ln(e^s / K))^(m - 1); m > 1 alone.

    Raises:
        UserError: x is no loss, an impossible argument, or fewer than :data:`LEAST` rows to fit.
    """
    landscape.require_loss("learning coefficients")
    if not (np.isfinite(floor) and floor >= 0):
        raise UserError(f"the floor of the loss must be a number of 0 or more, not {floor:g}.")
    if multiplicities is not None and any(m != int(m) or m < 1 for m in multiplicities):
        raise UserError("multiplicities are whole numbers of 1 or more.")
    if not (np.isfinite(scale) and scale > 0):
        raise UserError(f"the scale of the logarithm must be above 0, not {scale:g}.")
    rows = _rows(landscape) if rows is None else rows
    if rows is not None and (rows != int(rows) or rows < 3):
        raise UserError(f"rows must be a whole number of 3 or more, not {rows:g}.")
    chosen, u = _chosen(landscape, floor, span)
    if multiplicities is None:
        multiplicities = (1, 2) if u[-1] < np.log(scale) - APART else (1,)
    if max(multiplicities) > 1 and not u[-1] < np.log(scale):
        raise UserError(
            f"a multiplicity above 1 needs losses below the scale {scale:g} of its logarithm, and "
            f"the range goes up to an excess loss of {np.exp(u[-1]):.3g}; give a lower range."
        )
    parts = [replace(landscape, entropies=landscape.without(k)) for k in range(landscape.n_walkers)]
    slopes = tuple(
        _slope(landscape, parts, chosen, u, floor, int(m), np.log(scale)) for m in multiplicities
    )
    temperature = _temperatures(landscape, rows)
    averages = canonical(landscape, temperature)
    mean, error = averages.of("loss")
    return LearningCoefficient(
        (float(u[0]), float(u[-1])), slopes, temperature, (mean - floor) / temperature,
        error / temperature, averages.covered, rows, float(floor), landscape.n_walkers,
    )  # fmt: skip


def _rows(landscape: Landscape) -> int | None:
    """Number of training rows, where the landscape's task tells it."""
    points = landscape.meta.get("task", {}).get("points")
    return int(points[0]) if isinstance(points, list) and points else None


def _chosen(landscape: Landscape, floor: float, span) -> tuple[np.ndarray, np.ndarray]:
    """Numbers of the rows of the fit, and u = ln(L - L0) of their centres."""
    trusted, x = trusted_rows(landscape), landscape.grid.x
    numbers = np.arange(trusted.start, trusted.stop)
    above = np.exp(x.edges[numbers]) > floor
    if not above.any():
        raise UserError(
            f"the floor {floor:g} is above every loss of the landscape, whose highest is "
            f"{np.exp(x.edges[trusted.stop]):.3g}; give the least loss of the box."
        )
    if np.exp(x.edges[numbers[0] + 1]) < floor:
        raise UserError(
            f"the floor {floor:g} is above losses that were found, down to "
            f"{np.exp(x.edges[numbers[0]]):.3g}; give the least loss of the box."
        )
    numbers = numbers[above]
    if span is None and floor:  # rows at the floor are wide in ln K, where S is no straight line
        with np.errstate(divide="ignore"):
            ends = np.log(np.maximum(np.exp(x.edges[[numbers, numbers + 1]]) - floor, 0.0))
        narrow = ends[1] - ends[0] <= NARROW
        if narrow.sum() >= 2 * LEAST:
            numbers = numbers[narrow]
    u = np.log(np.exp(x.centres[numbers]) - floor)
    if span is None:
        inside = u <= u[0] + SPAN
        inside[: 2 * LEAST] = True  # of wide rows a few more
    else:
        low, high = span
        inside = (x.centres[numbers] >= low) & (x.centres[numbers] <= high)
    if inside.sum() < LEAST:
        low, high = x.edges[numbers[0]], x.edges[numbers[-1] + 1]
        raise UserError(
            f"{inside.sum()} rows of ln L are too few for a slope, {LEAST} are needed; those that "
            f"can be trusted go from {low:.2f} to {high:.2f}."
        )
    return numbers[inside], u[inside]


def _slope(landscape, parts, chosen, u, floor: float, m: int, s: float) -> Slope:
    """lambda of the mean S, its halves, and their errors by ``parts``, one walker less in each."""
    half = len(u) // 2
    whole = _fits(landscape, chosen, u, floor, m, s, half)
    left = np.array([_fits(part, chosen, u, floor, m, s, half) for part in parts])
    value, drift = whole
    error, drift_error = (
        jackknife_error(left) if len(parts) > 1 else np.full(2, np.nan)  # one walker has no spread
    )
    return Slope(m, float(value), float(error), float(drift), float(drift_error))


def _fits(landscape, chosen, u, floor: float, m: int, s: float, half: int) -> np.ndarray:
    """lambda of all rows, and that of the lower half less that of the upper."""
    x = landscape.grid.x
    entropy = landscape.marginal_entropy().value[chosen]
    if landscape.measure == "mass":  # of a row; per u it is a density
        inside = np.stack([x.edges[chosen], x.edges[chosen + 1]])
        entropy = entropy - np.log(np.diff(np.log(np.exp(inside) - floor), axis=0)[0])
    else:  # a density per x
        entropy = entropy + np.log(-np.expm1(np.log(floor) - x.centres[chosen]) if floor else 1.0)
    if m > 1:
        entropy = entropy - (m - 1) * np.log(s - u)
    fitted = [
        np.polyfit(u[part], entropy[part], 1)[0]
        for part in (slice(None), slice(half), slice(half, None))
    ]
    return np.array([fitted[0], fitted[1] - fitted[2]])


def _temperatures(landscape: Landscape, rows: int | None) -> np.ndarray:
    """ln n / n, where n is known, and some of the covered ones from the coldest on."""
    lowest, highest = covered_range(landscape)
    own = [] if rows is None else [np.log(rows) / rows]
    if np.isnan(lowest):
        return np.array(own)
    high = min(highest, lowest * 10**DECADES)
    return np.array([*own, *np.geomspace(lowest, high, TEMPERATURES)])
