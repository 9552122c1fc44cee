"""The judges of ladders: absolute entropies, canonical averages and maps against closed forms.

Every run is one of ``wlnn.ladder.run.sample``, what users run; the exact sides share nothing with
it. Modules with a mistake take the place of ``wlnn.ladder`` by way of ``sample``, which tests hand
in. See ``verdict.py`` for what a verdict is.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from wlnn.canonical.reweight import canonical
from wlnn.ladder.run import sample as sample_ladders
from wlnn.landscape.grid import Axis, Grid
from wlnn.reference.cases import (
    box_loss,
    ising,
    least_squares,
    logistic,
    maxnorm,
    ternary_perceptron,
    twin_quadratic,
)
from wlnn.reference.cases import (
    gaussian as gaussian_prior,
)
from wlnn.reference.judges.verdict import Verdict, verdict
from wlnn.settings.ladder import LadderSettings

SMOOTH = {  # of the least-squares cases, stiff by 1 / sqrt(n): omega dt = 0.2 at c = 1
    "friction": 0.02, "thermostat_every": 1, "stretch": 50, "sample_every": 10, "descent": 400,
    "pilot": 12, "draws": 4000, "dt_cap": 0.05,
}  # fmt: skip
MOVES = {"descent": 9000, "stretch": 1000, "pilot": 12, "draws": 100_000, "precision": "float64"}
CELL, CELL_SAMPLES = 0.1, 10  # of maps: width, and least samples of a cell that is judged
PARTS = 9  # points along each side of a cell, for its exact mass
CASES = {  # name: steps of each of four ladders, c, lowest x, rms allowed, absolute error allowed
    "sphere": (250_000, 1.0, -4.2, 0.10, 0.3),
    "few_rows": (150_000, 0.5, -9.0, 0.15, np.inf),
    "residual_floor": (150_000, 0.5, None, 0.15, np.inf),
}


def _ln_mean(values: np.ndarray, axes) -> np.ndarray:
    top = values.max(axis=axes, keepdims=True)
    return np.log(np.exp(values - top).mean(axis=axes)) + np.squeeze(top, axis=axes)


def exact_rows(case: least_squares.Case, axis: Axis) -> np.ndarray:
    """S of the bins of x ``(nx,)`` from the density of a case, by the mean over :data:`PARTS`."""
    inside = (np.arange(PARTS) + 0.5) / PARTS * axis.width
    x = axis.edges[:-1, None] + inside
    return _ln_mean(case.entropy(x, 0 * x), 1) + np.log(axis.width)


def smooth_case(
    name: str,
    seed: int = 0,
    steps: int | None = None,
    sample: Callable = sample_ladders,
    **options,
) -> Verdict:
    """S(x) of one of ``least_squares.CASES`` from four ladders of Langevin motion.

    Judged: the rms over bins of the mean S, a common constant removed; for the sphere also the
    error at the lowest bin without that, since S is absolute, and the chi-square by bin of the
    error bars (below 5; Student's t of four ladders expects 3).
    """
    began = time.perf_counter()
    usual, dt, x_low, limit, absolute = CASES[name]
    case = least_squares.CASES[name]()
    low, high = case.x_range
    x_low = low if x_low is None else x_low
    grid = Grid(Axis.of_width("x", low, high, CELL), Axis.single())
    settings = LadderSettings(
        **{**SMOOTH, "steps": steps or usual, "dt": dt, "x_low": x_low, "seed": seed, **options}
    )
    found = sample(case.problem, settings, grid=grid).marginal_entropy()
    exact = exact_rows(case, grid.x)
    if name == "sphere":  # the case is known up to a constant, here that of the cube of side 2
        exact = exact + np.log(case.problem.n_parameters)
    difference = found.value - exact
    good = np.isfinite(difference) & found.reliable
    if good.sum() < 3:
        return verdict(f"ladder {name}", "ladder", np.inf, limit, "nothing reached", began)
    difference = difference[good]
    error = float(difference.std())
    detail = f"rms {error:.3f} over {difference.size} bins"
    also = difference.size > 0.8 * np.isfinite(exact).sum()
    if np.isfinite(absolute):
        square = float(np.mean((difference / found.error[good]) ** 2))
        detail += f"; absolute at the lowest {difference[0]:+.2f}; chi-square {square:.1f}"
        also &= abs(difference[0]) <= absolute and square < 5
    return verdict(f"ladder {name}", "ladder", error, limit, detail, began, also)


def twin_spheres(seed: int = 0, steps: int = 800_000, sample: Callable = sample_ladders) -> Verdict:
    """The map S(x, y) of the twin spheres from two ladders of tilted rungs, over its whole range.

    Cells with ten samples or more, the rms of S without a common constant: at most 0.4.
    """
    began = time.perf_counter()
    case = least_squares.twin_spheres()
    grid = Grid(
        *(
            Axis.of_width(name, low, high, CELL)
            for name, (low, high) in (("x", case.x_range), ("y", case.y_range))
        )
    )
    settings = LadderSettings(
        **{**SMOOTH, "steps": steps, "ladders": 2, "dt": 0.5, "x_low": case.x_range[0] + 0.1,
           "depth": 12, "seed": seed}
    )  # fmt: skip
    found = sample(case.problem, settings, grid=grid)
    inside = (np.arange(PARTS) + 0.5) / PARTS * CELL
    x, y = (axis.edges[:-1, None] + inside for axis in grid)
    with np.errstate(invalid="ignore"):
        exact = _ln_mean(
            case.entropy(*np.broadcast_arrays(x[:, None, :, None], y[:, None])), (2, 3)
        )
    difference = (found.entropy - exact)[found.visits >= CELL_SAMPLES]
    difference = difference[np.isfinite(difference)]
    known = np.isfinite(exact) & (found.visits >= CELL_SAMPLES)
    span = np.ptp(exact[known]) if known.any() else 0.0
    error = float(difference.std()) if difference.size else np.inf
    detail = f"rms {error:.3f} over {difference.size} cells, which span {span:.0f} nats"
    return verdict(
        "ladder twin spheres", "ladder", error, 0.4, detail, began, difference.size > 100
    )


def box_partition(
    seed: int = 0, steps: int = 300_000, sample: Callable = sample_ladders
) -> Verdict:
    """ln Z(T) and <L> of the quadratic loss in a box, from the landscape: absolute, at two T."""
    began = time.perf_counter()
    grid = Grid(Axis.of_width("x", -4.6, 3.4, 0.05), Axis.single())
    settings = LadderSettings(**{**SMOOTH, "steps": steps, "dt": 0.03, "x_low": -3.5, "seed": seed})
    found = sample(box_loss.quadratic(), settings, grid=grid)
    temperatures = np.array(list(box_loss.TABLE))
    loss, ln_z, _ = np.array(list(box_loss.TABLE.values())).T
    averages = canonical(found, temperatures).values
    error = float(np.abs(averages["ln_z"] - ln_z).max())
    away = float(np.abs(averages["loss"] / loss - 1).max())
    detail = f"worst ln Z off by {error:.3f}, worst <L> by {away:.1%}"
    return verdict("ladder box loss", "ladder", error, 0.1, detail, began, away < 0.05)


def double_well(seed: int = 0, steps: int = 60_000, sample: Callable = sample_ladders) -> Verdict:
    """Shares of the two wells at three temperatures, whichever well a ladder is cooled into.

    Motion by the NumPy definition. Judged: the worst error of ln(share of the upper / lower well);
    at the lowest temperature a walker alone would never leave its well.
    """
    began = time.perf_counter()
    grid = Grid(Axis.of_width("x", -3.0, 3.0, 0.05), Axis("t", -1.0, 1.0, 2))
    settings = LadderSettings(
        **{**SMOOTH, "steps": steps, "dt": 0.03, "draws": 1000, "x_low": -2.0, "seed": seed}
    )
    found = sample(box_loss.double_well(), settings, grid=grid)
    loss = np.exp(grid.x.centres)[:, None]
    worst, said = 0.0, []
    for temperature in (0.1, 0.2, 0.4):
        ln = np.nan_to_num(found.entropy, nan=-np.inf) - loss / temperature
        share = np.exp(ln - ln.max()).sum(axis=0)
        exact = float(box_loss.well_ranks(np.zeros(1), temperature)[0])  # of t < 0
        error = np.log(share[1] / share[0]) - np.log((1 - exact) / exact)
        worst = max(worst, abs(float(error)))
        said.append(f"{share[1] / share.sum():.3f} at T = {temperature} (exact {1 - exact:.3f})")
    detail = "share of the upper well " + ", ".join(said)
    return verdict("ladder double well", "ladder", worst, 0.4, detail, began)


def gaussian(seed: int = 0, steps: int = 150_000, sample: Callable = sample_ladders) -> Verdict:
    """R17 by Langevin motion under a Gaussian prior: S(x) of 40 parameters, absolute.

    Judged: the rms over bins of the mean S as it is, over a range of 60 nats.
    """
    began = time.perf_counter()
    grid = Grid(Axis.of_width("x", -3.5, 0.6, CELL), Axis.single())
    settings = LadderSettings(**{**SMOOTH, "steps": steps, "dt": 0.5, "x_low": -3.2, "seed": seed})
    found = sample(gaussian_prior.smooth(), settings, grid=grid).marginal_entropy()
    exact = gaussian_prior.smooth_rows(grid.x)
    good = found.reliable & np.isfinite(found.value)
    if good.sum() < 10:
        return verdict("ladder gaussian", "ladder", np.inf, 0.15, "nothing reached", began)
    error = float(np.sqrt(np.mean((found.value - exact)[good] ** 2)))
    detail = f"rms {error:.3f} over {good.sum()} bins, as it is, S from {exact[good].min():.0f}"
    return verdict("ladder gaussian", "ladder", error, 0.15, detail, began, good.sum() > 30)


def moves(name: str, seed: int = 0, steps: int = 0, sample: Callable = sample_ladders) -> Verdict:
    """Absolute S(x) of a case of :data:`MOVE_CASES` by Monte Carlo.

    Judged: the rms over rows of x of S as it is; for the logistic case also <A>(x).
    """
    began = time.perf_counter()
    make, usual = MOVE_CASES[name]
    case, mass, x_low = make()
    found = sample(case, LadderSettings(**MOVES, steps=steps or usual, x_low=x_low, seed=seed))
    rows = mass.sum(axis=1)
    known = rows > 0
    curve = found.marginal_entropy().value[known]
    error = float(np.sqrt(np.mean((curve - np.log(rows[known])) ** 2)))
    detail = f"rms {error:.3f} over {int(known.sum())} rows, as it is"
    also = bool((found.visits[mass == 0] == 0).all())
    if name == "logistic":
        exact = logistic.equilibrium_accuracy(mass)[known]
        away = float(np.abs(found.equilibrium_accuracy().value[known] - exact).max())
        detail += f"; worst <A>(x) off by {away:.4f} (at most 0.02)"
        also &= away <= 0.02
    return verdict(f"ladder {case.name}", "ladder", error, 0.1, detail, began, also)


def _maxnorm():
    case = maxnorm.problem()
    return case, maxnorm.masses(case), case.grid.x.lo + 0.4


def _ternary():
    case = ternary_perceptron.problem()
    return case, ternary_perceptron.masses(case), 0.7


def _logistic():
    mass = np.zeros((logistic.X_BINS, 6))
    mass[1:, 1:5] = logistic.TABLE
    case = logistic.problem()
    lowest = case.grid.x.edges[np.flatnonzero(mass.sum(axis=1))[0]]
    return case, mass, lowest + 0.6 * case.grid.x.width


def _ising():
    return ising.as_loss(), ising.masses_of_loss(), 1.0


def _gaussian():
    case = gaussian_prior.problem()
    return case, gaussian_prior.masses(case), case.grid.x.lo + 0.6


def _twin_quadratic():
    case = twin_quadratic.problem(twin_quadratic.grid_1d())
    return case, twin_quadratic.masses(case), twin_quadratic.LO_1D + 0.3


MOVE_CASES = {  # case, and steps of each of four ladders
    "maxnorm": (_maxnorm, 2_000_000),
    "ternary": (_ternary, 600_000),
    "logistic": (_logistic, 600_000),
    "ising": (_ising, 4_000_000),
    "twin-quadratic": (_twin_quadratic, 600_000),
    "gaussian": (_gaussian, 1_200_000),
}


def moves_map(seed: int = 0, steps: int = 3_000_000, sample: Callable = sample_ladders) -> Verdict:
    """The map S(ln A, ln B) of R9 by Monte Carlo with tilted rungs, every bin as it is.

    Judged: the rms over the bins of at least 1e-6 of the box, all of which must be seen, and nine
    of ten must lie within their 95 % interval (98 to 100 of 100 do, seeds 0 to 2).
    """
    began = time.perf_counter()
    case = twin_quadratic.problem()
    mass = twin_quadratic.masses(case)
    settings = LadderSettings(
        **{**MOVES, "descent": 1500}, steps=steps, x_low=twin_quadratic.LO + 0.4, depth=8, seed=seed
    )
    found = sample(case, settings)
    wanted = mass >= 1e-6
    with np.errstate(divide="ignore"):
        difference = (found.entropy - np.log(mass))[wanted]
    seen = np.isfinite(difference)
    error = float(np.sqrt(np.mean(difference[seen] ** 2))) if seen.any() else np.inf
    detail = f"rms {error:.3f} over {seen.sum()} of {wanted.sum()} bins, as it is, S from "
    detail += f"{np.log(mass[wanted].min()):.1f}"
    held = np.mean(np.abs(difference) <= found.t_factor() * found.error[wanted])
    detail += f"; {held:.0%} within their intervals"
    also = bool(seen.all() and (found.visits[mass == 0] == 0).all() and held >= 0.9)
    return verdict("ladder twin quadratic map", "ladder", error, 0.1, detail, began, also)
