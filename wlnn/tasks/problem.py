"""What a sampler is given: a box of parameters, two collective variables and a grid.

A task of the paper, an exact case of ``reference/`` and a user's own function all become a
:class:`Problem`; the samplers know nothing else. This file samples nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Grid


@dataclass(frozen=True)
class Problem:
    """A function of the parameters in a box, and the macrostates it is binned into.

    Attributes:
        name: short name, used for the run directory.
        lo, hi: box limits, shape ``(P,)``.
        grid: macrostates.
        observe: ``theta (P,) -> (x, y)``, both floats; the NumPy definition. A function compiled
            with ``numba.njit`` is run inside the fast driver; y is ignored on a single-bin axis.
        system: ``precision -> NamedTuple``, the same function with caches for the fast driver
            (see ``kernels.register``), or None where only ``observe`` exists.
        about: JSON description stored with every result.
        network: the network whose parameters these are, if any; only used to name tensors.
    """

    name: str
    lo: np.ndarray
    hi: np.ndarray
    grid: Grid
    observe: Callable[[np.ndarray], tuple[float, float]]
    system: Callable[[str], NamedTuple] | None = None
    about: dict = field(default_factory=dict)
    network: object = None

    def __post_init__(self):
        lo, hi = np.atleast_1d(self.lo).astype(float), np.atleast_1d(self.hi).astype(float)
        if lo.shape != hi.shape or lo.ndim != 1:
            raise UserError(f"problem '{self.name}': lo and hi need one and the same shape (P,).")
        if not (np.isfinite(lo).all() and np.isfinite(hi).all() and (hi > lo).all()):
            raise UserError(f"problem '{self.name}': every box needs finite limits with lo < hi.")
        object.__setattr__(self, "lo", lo)
        object.__setattr__(self, "hi", hi)

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return self.lo.size

    @property
    def ln_box_volume(self) -> float:
        """ln of the box volume: S of a fraction of the box plus this is S of a volume."""
        return float(np.log(self.hi - self.lo).sum())


@dataclass(frozen=True)
class SmoothProblem:
    """Two collective variables x, y of parameters in a box, with the gradient of any mixture.

    Attributes:
        name: short name, used for the run directory.
        lo, hi: box limits, shape ``(P,)``.
        evaluate: ``(xp, theta (R, P)) -> (x, y, accuracy, tape)``, the first three ``(R,)``;
            ``accuracy`` is the true test accuracy that is recorded beside a smoothed y, or None.
        sweep: ``(xp, tape, ux, uy) -> (R, P)``, the gradient of ``sum_r ux_r x_r + uy_r y_r``: one
            backward pass, whatever the weights ``(R,)``.
        start: ``(rng, R) -> theta (R, P)``, where walkers begin.
        system: makes the same two functions for the compiled driver (``wlmd_kernels.register``),
            or None where only these exist.
        names: of x and y, for axes.
        about: JSON description stored with every result.
        network: the network whose parameters these are, if any; only used to name tensors.
        accuracy_at: ``(xp, y) -> `` the smoothed accuracy at y, where y is one; None elsewhere.
    """

    name: str
    lo: np.ndarray
    hi: np.ndarray
    evaluate: Callable
    sweep: Callable
    start: Callable
    system: Callable[[], NamedTuple] | None = None
    names: tuple[str, str] = ("x", "y")
    about: dict = field(default_factory=dict)
    network: object = None
    accuracy_at: Callable | None = None

    @property
    def n_parameters(self) -> int:
        """Number of parameters P."""
        return self.lo.size
