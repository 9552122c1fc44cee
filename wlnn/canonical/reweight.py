"""Canonical averages from an entropy landscape: what holds at a temperature T of the training loss.

The canonical ensemble p(theta) ~ exp(-L(theta) / T) of the box weighs a row x = ln L of the
landscape by exp(S(x) - e^x / T), so one landscape holds every temperature whose weight lies inside
its window. Nothing is sampled here.

Units: T in units of the loss (k_B = 1). Z is a fraction of the box where S is absolute (gauges
"box" and "draws"), and known up to a factor otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.statistics import jackknife_error, ln_sum
from wlnn.landscape.landscape import Landscape

NODES = 12  # of the quadrature inside a bin
COVERED = 0.01  # of the weight may lie outside the window
END = 0.25  # units of x over which the fall of the weight towards the end of a window is judged
EDGE = 1.0  # nats between the slopes left and right of a row, per row: more is an edge of S
QUANTITIES = ("ln_z", "loss", "ln_loss", "y", "heat_capacity")


@dataclass(frozen=True)
class Averages:
    """Canonical averages at the temperatures T, arrays ``(n,)`` each.

    Attributes:
        temperature: T.
        values: by name. "ln_z" ln of Z = <exp(-L / T)> over the box; "loss" <L>; "ln_loss" <ln L>;
            "y" the mean of the test quantity (of the bin centres); "heat_capacity" var(L) / T^2.
        errors: their standard errors, by leaving out one walker at a time; NaN for one walker.
        below, above: upper estimates of the share of the weight that lies below and above the rows
            of the landscape that can be trusted.
    """

    temperature: np.ndarray
    values: dict[str, np.ndarray]
    errors: dict[str, np.ndarray]
    below: np.ndarray
    above: np.ndarray

    def of(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        """Values and standard errors of a quantity; "free_energy" is F."""
        if name == "free_energy":
            return self.free_energy, self.temperature * self.errors["ln_z"]
        return self.values[name], self.errors[name]

    @property
    def covered(self) -> np.ndarray:
        """Temperatures ``(n,)`` whose weight lies inside the window but for 1 %."""
        return self.below + self.above <= COVERED

    @property
    def free_energy(self) -> np.ndarray:
        """F = -T ln Z."""
        return -self.temperature * self.values["ln_z"]


def canonical(landscape: Landscape, temperatures) -> Averages:
    """Canonical averages of a landscape whose x is ln(train loss).

    Inside a bin ln g(x) is taken as linear, its slope that of its neighbours, so that neither the
    steepness of S nor that of exp(-e^x / T) makes the width of the bins felt. <y> is linear too: of
    a row it is the mean under g(x), which lies on the side where g is large, and not at the centre
    where the weight may be. The estimates are those of the mean of S(x) over walkers, the errors
    those of the jackknife over walkers.

    Examples:
        >>> import wlnn
        >>> small = dict(length="quick", layers=1, width=2, points=8, threads=1, progress=False)
        >>> landscape = wlnn.run("spiral-classify", **small, steps=2e4, anchor_draws=1000)
        >>> averages = wlnn.canonical_averages(landscape, [0.5, 1.0])
        >>> loss, error = averages.of("loss")
        >>> bool(loss[0] < loss[1])
        True

    Raises:
        UserError: a temperature that is not positive, or no two neighbouring rows to trust.
    """
    temperatures = np.atleast_1d(np.asarray(temperatures, dtype=float))
    if temperatures.ndim != 1 or not (np.isfinite(temperatures) & (temperatures > 0)).all():
        raise UserError("temperatures must be positive numbers, in units of the train loss.")
    rows = trusted_rows(landscape)
    whole, ln_weights = _averages(landscape, rows, temperatures)
    r = landscape.n_walkers
    errors = {name: np.full(len(temperatures), np.nan) for name in QUANTITIES}
    if r > 1:
        left = (landscape.without(k) for k in range(r))
        parts = [
            _averages(replace(landscape, entropies=part), rows, temperatures)[0] for part in left
        ]
        errors = {
            name: jackknife_error(np.array([part[name] for part in parts])) for name in QUANTITIES
        }
    return Averages(temperatures, whole, errors, *_outside(landscape, ln_weights))


def trusted_rows(landscape: Landscape) -> slice:
    """The longest stretch of rows without a gap that all walkers know.

    Of masses: 90 % of that of a row lies in bins that every walker visited. Of densities, which are
    smooth over many small bins: every table was in the row, and it lies 2 sigma inside the walls;
    nearer, S is wrong.

    Raises:
        UserError: it is shorter than two rows.
    """
    landscape.require_loss("averages at temperatures")
    been = ~np.isnan(landscape.entropies)
    if landscape.measure == "density":
        walls, x = landscape.settings, landscape.grid.x.centres
        margin = 2 * walls["sigma"]
        good = been.any(axis=2).all(axis=0)
        good &= (x >= walls["x_low"] + margin) & (x <= walls["x_high"] - margin)
    else:
        known = replace(landscape, reliable=been.all(axis=0))
        good = known.marginal_entropy().reliable
    best = _longest(good)
    if best[1] - best[0] < 2:
        raise UserError(
            "the landscape has no two neighbouring rows of x that all walkers visited; "
            "sample it longer."
        )
    return slice(*best)


def temperature_of(landscape: Landscape, x: float) -> float:
    """The temperature at which x = ln L is the most probable row: T = L / (dS/dx), L = e^x.

    Raises:
        UserError: x is outside the rows that can be trusted, or S does not rise there.
    """
    rows = trusted_rows(landscape)
    axis, ln_rows = landscape.grid.x, landscape.marginal_entropy().value
    centres = axis.centres[rows]
    if not centres[0] <= x <= centres[-1]:
        raise UserError(
            f"x = {x:g} is outside the landscape, which can be trusted from {centres[0]:.2f} to "
            f"{centres[-1]:.2f}."
        )
    near = np.flatnonzero(np.abs(centres - x) <= max(END, 1.5 * axis.width))
    slope = np.polyfit(centres[near], ln_rows[rows][near], 1)[0]
    if slope <= 0:
        raise UserError(f"S does not rise at x = {x:g}: no temperature has its maximum there.")
    return float(np.exp(x) / slope)


def covered_range(landscape: Landscape) -> tuple[float, float]:
    """Lowest and highest temperature whose weight lies inside the window but for 1 %.

    Infinity where nothing ends it; NaN for both where no temperature is covered.
    """
    x = landscape.grid.x
    trial = np.geomspace(np.exp(x.lo) * 1e-4, np.exp(x.hi) * 1e3, 500)
    _, ln_weights = _averages(landscape, trusted_rows(landscape), trial)
    below, above = _outside(landscape, ln_weights)
    first, end = _longest(below + above <= COVERED)
    if first == end:
        return np.nan, np.nan
    return float(trial[first]), float(trial[end - 1] if end < len(trial) else np.inf)


def _longest(good) -> tuple[int, int]:
    """First and end of the longest stretch of true values; equal where there is none."""
    best, begun = (0, 0), None
    for k, is_good in enumerate([*good, False]):
        if is_good and begun is None:
            begun = k
        elif not is_good and begun is not None:
            best, begun = max(best, (begun, k), key=lambda ends: ends[1] - ends[0]), None
    return best


def _averages(landscape: Landscape, rows: slice, temperatures: np.ndarray):
    """Quantities by name ``(n,)``, and ln of the weight of each row ``(n, rows)``.

    S(x) and <y>(x) are means over walkers of what each finds from the bins it knows: a constant
    between the S of two walkers, the least certain part, then tilts no row against another.
    """
    axis = landscape.grid.x
    ln_rows = landscape.marginal_entropy().value[rows]
    ln_rows = np.where(np.isnan(ln_rows), -np.inf, ln_rows)
    y = np.nan_to_num(landscape.equilibrium_accuracy().value[rows])
    slope = _slopes(np.where(np.isfinite(ln_rows), ln_rows, 0.0)) / axis.width
    nodes, node_weights = np.polynomial.legendre.leggauss(NODES)
    offset = 0.5 * axis.width * nodes
    inner = slope[:, None] * offset + np.log(0.5 * node_weights)  # (rows, nodes)
    if landscape.measure == "mass":  # of which the nodes get their shares
        inner -= ln_sum(inner)[:, None]
    inside = np.exp(inner) @ offset if landscape.measure == "mass" else np.zeros(len(y))
    y = y[:, None] + np.gradient(y)[:, None] / axis.width * (offset - inside[:, None])
    x = axis.centres[rows][:, None] + offset
    loss = np.exp(x)
    found = {name: np.empty(len(temperatures)) for name in QUANTITIES}
    ln_weights = np.empty((len(temperatures), len(ln_rows)))
    for k, T in enumerate(temperatures):
        ln_weight = ln_rows[:, None] + inner - loss / T
        ln_z = ln_sum(ln_weight.ravel())
        weight = np.exp(ln_weight - ln_z)
        mean_loss = (weight * loss).sum()
        found["ln_z"][k] = ln_z
        found["loss"][k] = mean_loss
        found["ln_loss"][k] = (weight * x).sum()
        found["y"][k] = (weight * y).sum()
        found["heat_capacity"][k] = (weight * (loss - mean_loss) ** 2).sum() / T**2
        ln_weights[k] = ln_sum(ln_weight) - ln_z
    return found, ln_weights


def _slopes(ln_rows: np.ndarray) -> np.ndarray:
    """Slope of S per row: the centred difference, or the flatter side where S has an edge."""
    steps = np.diff(ln_rows)
    left, right = np.concatenate([steps[:1], steps]), np.concatenate([steps, steps[-1:]])
    flatter = np.where(np.abs(left) < np.abs(right), left, right)
    return np.where(np.abs(left - right) < EDGE, (left + right) / 2, flatter)


def _outside(landscape: Landscape, ln_weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the weight below and above the rows, ``(n,)`` each."""
    steps = max(1, round(END / landscape.grid.x.width))
    below, above = _beyond(ln_weights, steps), _beyond(ln_weights[:, ::-1], steps)
    if landscape.meta.get("gauge") == "box":
        above[:] = 0.0  # there is nothing above
    return below, above


def _beyond(ln_weights: np.ndarray, steps: int) -> np.ndarray:
    """Share of the weight ``(n,)`` before the first row, from its fall over the first rows.

    The weight of row 0 and its mean factor q per row towards it give the geometric sum q / (1 - q):
    too much, rather than too little, where ln of the weight is concave. 1 where it does not fall.
    """
    steps = min(steps, ln_weights.shape[1] - 1)
    fall = (ln_weights[:, steps] - ln_weights[:, 0]) / steps
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        share = np.exp(ln_weights[:, 0]) / np.expm1(fall)
    return np.where((fall > 0) & np.isfinite(share), np.minimum(share, 1.0), 1.0)
