"""What a sampler is given: a box or a prior of parameters, two collective variables and a grid.

A task of the paper, an exact case of ``reference/`` and a user's own function all become a
:class:`Problem`; the samplers know nothing else. This file samples nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import NamedTuple

import numpy as np

from wlnn.base import shown
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Grid

NO_WALL = 1e300  # limits of parameters under a Gaussian prior: no number comes there
IN_SIGMA = 2.0  # half the box that sets the scale of moves and time steps there, in sigma
MOST_CELLS = 20_000_000  # 160 MB for each of the tables of a walker


@dataclass(frozen=True)
class Problem:
    """Two collective variables x, y of parameters in a box, and, if it is known, their gradient.

    Monte Carlo needs ``grid`` and ``observe``. Molecular dynamics needs ``evaluate``, ``backward``
    and ``start``, which come together, and makes its grid from its settings.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> grid = wlnn.Grid(wlnn.Axis("r squared", 0.0, 2.0, 4), wlnn.Axis("first", -1.0, 1.0, 2))
        >>> problem = wlnn.Problem(
        ...     "ball", -np.ones(2), np.ones(2), grid, lambda theta: (theta @ theta, theta[0])
        ... )
        >>> landscape = wlnn.sample(problem, wlnn.WLMCSettings(steps=20_000, stages=10, walkers=2))
        >>> bool(abs(np.exp(landscape.marginal_entropy().value[:2]) - np.pi / 8).max() < 0.1)
        True

    Attributes:
        name: short name, used for the run directory.
        lo, hi: box limits, shape ``(P,)``; None, both of them, with ``sigma``.
        grid: macrostates.
        observe: ``theta (P,) -> (x, y)``, both floats; the NumPy definition. A function compiled
            with ``numba.njit`` is run inside the fast driver. On a single-bin axis y may be any
            number; a state with NaN lies outside the window. Where it is left out, it is
            ``evaluate`` of a single point.
        system: ``precision -> NamedTuple``, the same function with caches for the Monte Carlo
            driver (``networks.compiled.moves``), or None where only ``observe`` exists.
        about: JSON description stored with every result.
        network: the network whose parameters these are, if any; only used to name tensors.
        names: of x and y; those of the axes of the grid, unless told otherwise.
        evaluate: ``(xp, theta (R, P)) -> (x, y, accuracy, tape)``, the first three ``(R,)``;
            ``accuracy`` is the true test accuracy that is recorded beside a smoothed y, or None.
        backward: ``(xp, tape, ux, uy) -> (R, P)``, the gradient of ``sum_r ux_r x_r + uy_r y_r``:
            one backward pass, whatever the weights ``(R,)``.
        start: ``(rng, R) -> theta (R, P)``, where walkers begin.
        sigma: () for a box, in which all parameters are equally likely. Otherwise the standard
            deviations ``(P,)`` of a Gaussian prior in its place: parameters are independent, of
            mean 0, S is ln of the share of the prior, and there are no walls.
        periodic: angles and their like, one truth value per parameter: a move of Monte Carlo that
            leaves the box at one end comes in at the other. () is no parameter.
        accuracy_at: ``(xp, y) -> `` the smoothed accuracy at y, where y is one; None elsewhere.
        gradient_system: ``() -> NamedTuple``, ``evaluate`` and ``backward`` for the drivers of
            motion (``networks.compiled.gradients``), or None where only these exist.
        elsewhere: ``(put) -> (evaluate, backward)``, the same two functions with their data in the
            memory that ``put`` brings arrays to; None where they run in NumPy's alone.
        train_system: the same with the rows of x alone, for motion that y has no part in: its y
            means nothing. None where there is no cheaper form.
    """

    name: str
    lo: np.ndarray | None
    hi: np.ndarray | None
    grid: Grid | None = None
    observe: Callable[[np.ndarray], tuple[float, float]] | None = None
    system: Callable[[str], NamedTuple] | None = None
    about: dict = field(default_factory=dict)
    network: object = None
    names: tuple[str, str] | None = None
    evaluate: Callable | None = None
    backward: Callable | None = None
    start: Callable | None = None
    accuracy_at: Callable | None = None
    gradient_system: Callable[[], NamedTuple] | None = None
    elsewhere: Callable | None = None
    train_system: Callable[[], NamedTuple] | None = None
    periodic: np.ndarray | tuple = ()
    sigma: np.ndarray | tuple = ()

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    def __post_init__(self):
        self._check_prior()
        try:
            lo, hi = (np.atleast_1d(end).astype(float) for end in (self.lo, self.hi))
        except (TypeError, ValueError) as error:
            raise UserError(f"problem '{self.name}': lo and hi need numbers: {error}.") from error
        if lo.shape != hi.shape or lo.ndim != 1:
            raise UserError(f"problem '{self.name}': lo and hi need one and the same shape (P,).")
        with np.errstate(over="ignore", invalid="ignore"):
            good = np.isfinite(hi - lo).all() and (hi > lo).all()
        if not good:
            raise UserError(
                f"problem '{self.name}': every box needs finite limits with lo < hi, and a width "
                "below 1.8e308."
            )
        smooth = [part is not None for part in (self.evaluate, self.backward, self.start)]
        if any(smooth) != all(smooth) or not (any(smooth) or self.observe):
            raise UserError(
                f"problem '{self.name}': give observe, or evaluate, backward and start, or all."
            )
        if self.grid is not None:
            self._check_grid()
        periodic = np.atleast_1d(np.asarray(self.periodic))
        if periodic.size and (periodic.shape != lo.shape or periodic.dtype != np.bool_):
            raise UserError(
                f"problem '{self.name}': periodic needs one truth value for each of the {lo.size} "
                "parameters."
            )
        object.__setattr__(self, "periodic", periodic.astype(np.bool_))
        object.__setattr__(self, "lo", lo)
        object.__setattr__(self, "hi", hi)
        derived = getattr(self.observe, "__func__", None) is Problem._evaluate_one
        if self.observe is None or derived:  # of another evaluate, after dataclasses.replace
            object.__setattr__(self, "observe", self._evaluate_one)
        if self.names is None:
            names = ("x", "y") if self.grid is None else tuple(axis.name for axis in self.grid)
            object.__setattr__(self, "names", names)

    def _check_prior(self) -> None:
        """Sigmas as an array, and no limits where there are some; they are part of ``about``."""
        try:
            sigma = np.atleast_1d(np.asarray(self.sigma, dtype=float))
        except (TypeError, ValueError) as error:
            raise UserError(f"problem '{self.name}': sigma needs numbers: {error}.") from error
        object.__setattr__(self, "sigma", sigma)
        if not sigma.size:
            return
        good = sigma.ndim == 1 and (np.isfinite(sigma) & (sigma > 0)).all()
        if not good or sigma.max() > 1e100 or sigma.min() < 1e-100:  # squares are numbers still
            raise UserError(
                f"problem '{self.name}': sigma needs a number above 0 for each parameter, from "
                "1e-100 to 1e100, shape (P,)."
            )
        wall = np.full(sigma.size, NO_WALL)
        for name, end, given in (("lo", -wall, self.lo), ("hi", wall, self.hi)):
            if given is not None and not np.array_equal(given, end):
                raise UserError(
                    f"problem '{self.name}': a Gaussian prior has no walls: leave out lo and hi "
                    "(None), or sigma."
                )
            object.__setattr__(self, name, end)
        if np.any(self.periodic):
            raise UserError(
                f"problem '{self.name}': a periodic parameter has a box and no Gaussian prior."
            )
        about = {**self.about, "prior": {"law": "gaussian", "sigma": _in_stretches(sigma)}}
        object.__setattr__(self, "about", about)

    def _check_grid(self) -> None:
        x, y = self.grid
        if x.n * y.n > MOST_CELLS:
            raise UserError(
                f"problem '{self.name}': {x.n} x {y.n} bins are more than {MOST_CELLS:,}, and "
                "every walker has several tables of them; take wider bins or a smaller window."
            )
        if x.n < 2:
            raise UserError(f"problem '{self.name}': axis '{x.name}' needs two bins or more.")
        if y.n < 2 and np.isfinite(y.lo):
            raise UserError(
                f"problem '{self.name}': axis '{y.name}' has one bin; give it two or more, or "
                "Axis.single() where there is no y."
            )

    def _evaluate_one(self, theta: np.ndarray) -> tuple[float, float]:
        x, y, *_ = self.evaluate(np, np.asarray(theta, dtype=float)[None])
        return float(x[0]), float(y[0])

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return self.lo.size

    @property
    def ln_box_volume(self) -> float | None:
        """ln of the box volume: S of a fraction of the box plus this is S of a volume.

        None of a Gaussian prior, which has no volume.
        """
        return None if self.sigma.size else float(np.log(self.hi - self.lo).sum())

    @property
    def half_width(self) -> np.ndarray:
        """Half the box ``(P,)``, the scale of moves; of a Gaussian prior :data:`IN_SIGMA` sigma."""
        return IN_SIGMA * self.sigma if self.sigma.size else (self.hi - self.lo) / 2

    def draw(self, rng: np.random.Generator, shape: tuple[int, ...] | None = None) -> np.ndarray:
        """Points of the box or of the prior, ``(P,)`` or of a ``shape`` that ends with P."""
        if self.sigma.size:
            return self.sigma * rng.standard_normal(self.sigma.shape if shape is None else shape)
        return rng.uniform(self.lo, self.hi, shape)

    def require_box(self, what: str) -> None:
        """UserError under a Gaussian prior, for ``what`` has no form for it."""
        if self.sigma.size:
            raise UserError(
                f"'{self.name}' has a Gaussian prior, and {what} moves in a box alone; sample it "
                "by Monte Carlo (wlmc) or ladders, or take a box."
            )

    def require_gradient(self) -> None:
        """UserError if there is none, for samplers that move along it."""
        if self.periodic.any():
            raise UserError(
                f"'{self.name}': molecular dynamics has walls and no periodic parameters; sample "
                "it by Monte Carlo."
            )
        if self.backward is None and "own_y" in self.about:
            raise UserError(
                f"'{self.name}': y = {self.names[1]} has no gradient, which molecular dynamics "
                "needs; give the Observable its gradient, or sample by Monte Carlo (wlmc, or a "
                "ladder)."
            )
        if self.backward is None:
            raise UserError(
                f"'{self.name}' is a bare function: molecular dynamics needs its gradient; give "
                "evaluate, backward and start of Problem, or a Task with a network."
            )

    def identity(self, sampler: str, **settings) -> dict:
        """What two runs must share to be one run: the problem, and sections of settings by name."""
        about = self.about
        if self.periodic.any():
            about = {**about, "periodic": np.flatnonzero(self.periodic).tolist()}
        return {
            "task": self.name,
            "sampler": sampler,
            "problem": about,
            "parameters": self.n_parameters,
            **{name: asdict(section) for name, section in settings.items()},
        }


def _in_stretches(sigma: np.ndarray) -> float | list:
    """Sigmas as JSON: one number, or pairs [how many parameters, their sigma] in order."""
    starts = np.flatnonzero(np.concatenate([[True], np.diff(sigma) != 0]))
    if starts.size == 1:
        return float(sigma[0])
    sizes = np.diff([*starts, sigma.size])
    return [[int(n), float(value)] for n, value in zip(sizes, sigma[starts], strict=True)]
