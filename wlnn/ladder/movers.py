"""The two movers of a ladder behind one small protocol: a stretch of one replica in one rung.

Langevin motion follows the gradient of U (thousands of parameters), Monte Carlo changes one
parameter at a time (any function, true accuracies). Both are the compiled loops of Wang-Landau with
a table that stays as it is: no hills, ln f = 0. Exchanges and averages belong to others.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import NamedTuple, Protocol

import numpy as np

from wlnn.base.errors import UserError
from wlnn.ladder.trained import trained
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.ladder import LadderSettings
from wlnn.tasks.field import Field, field_of
from wlnn.tasks.problem import Problem

X_TOP = 14.0  # of the tables: a loss of e^14
FINE_X = 0.01  # node distance of the table of Langevin motion
BIN_X = 0.02  # widest bin of x in which Monte Carlo takes U as constant
DRAW_BATCH = 32  # uniform draws evaluated at a time
TRIES = 1000  # uniform draws until one lies in the window


class Visit(NamedTuple):
    """What one stretch brought: where the replica is now, and its samples ``(m,)``."""

    theta: np.ndarray  # (P,)
    v: np.ndarray  # (P,), or (0,) where there are no velocities
    x: np.ndarray
    y: np.ndarray
    accuracy: np.ndarray  # true one of each sample, 0 where y is not smoothed
    count: np.ndarray
    cell: np.ndarray  # number of the bin that all samples of an entry share, or -1
    here: tuple[float, float]  # x, y that U is read at, at the end
    kinetic: float  # mean temperature; NaN without velocities


class Errand(NamedTuple):
    """A replica that is to move, in the potential beta e^x + kappa y."""

    beta: float
    kappa: float
    dt: float
    theta: np.ndarray  # (P,)
    v: np.ndarray  # (P,)
    rng: np.random.Generator


class Mover(Protocol):
    """What a ladder asks of its mover."""

    n_parameters: int
    window: Grid | None  # what is asked for: nobody need be sent elsewhere off the ridge

    def draws(self, n: int, words: np.random.SeedSequence, stop) -> tuple[Visit, float] | None:
        """``n`` uniform points of the box as samples, and the share inside the window."""

    def draw(self, rng: np.random.Generator) -> Visit:
        """One uniform point of the box."""

    def trained(self, x: float, rng: np.random.Generator) -> np.ndarray:
        """Parameters ``(P,)`` that were trained towards ``x``."""

    def time_step(self, beta, kappa, y) -> np.ndarray:
        """Time step in a potential, near a y; 0 where there is none."""

    def walk(self, beta, kappa, dt, theta, v, steps, rng, stop) -> Visit | None:
        """``steps`` steps at exp(-U); theta and v are not changed. None if stopped."""

    def walks(self, walks, steps, stop) -> list[Visit] | None:
        """The same for several replicas: at once, or one after another."""


class Langevin:
    """BAOAB at temperature 1 in U(x, y), dt = c / sqrt(beta) at most ``dt_cap`` of the least box.

    The table of U is a quadratic B-spline on nodes of :data:`FINE_X`, which multiplies e^x by
    1 + h^2 / 8 + O(h^4); the factor is taken out. Along y U is linear, as is the spline.
    """

    def __init__(
        self,
        problem: Problem,
        settings: LadderSettings,
        field: Field | None = None,
        window: Grid | None = None,
    ):
        from wlnn.backend.cache import drop_stale
        from wlnn.networks.compiled.prior import with_prior
        from wlnn.wlmd.integrator import make_box
        from wlnn.wlmd.surface import Walls, make_surface
        from wlnn.wlmd.walk import make_motion

        drop_stale()
        self.problem, self.settings = problem, settings
        self.n_parameters = problem.n_parameters
        self.window = problem.grid if window is None else window
        self.field = field or field_of(problem)
        make = problem.gradient_system if self.field.compiled else None
        self.system = None if make is None else with_prior(make(), problem.sigma)
        # where U does not depend on y, the rows of y are needed at samples only
        apart = (
            make
            and problem.train_system is not None
            and not (settings.sample_every % settings.thermostat_every)
        )
        self.train_system = with_prior(problem.train_system(), problem.sigma) if apart else None
        self.box = make_box(problem.lo, problem.hi)
        self.cap = settings.dt_cap * float(problem.half_width.min())
        x = Axis.of_width("x", min(-X_TOP, settings.x_low - 6.0), X_TOP, FINE_X)
        y = Axis("y", -350.0, 350.0, 7)
        self.loss = np.exp(x.centres) / (1 + x.width**2 / 8)
        self.y = y.centres
        self.flat = make_surface(Grid(x, Axis.single()), 1.0, Walls())
        self.sloping = make_surface(Grid(x, y), y.width, Walls())
        self.motion = make_motion(problem, 1.0, settings.friction, settings.thermostat_every)

    def draws(self, n, words, stop):
        """Uniform points, evaluated by the definition; there is no window."""
        rng, problem = np.random.default_rng(words), self.problem
        parts = []
        for begin in range(0, n, DRAW_BATCH):
            if stop[0]:
                return None
            shape = (min(DRAW_BATCH, n - begin), self.n_parameters)
            parts.append(self.field.measured(problem.draw(rng, shape)))
        x, y, accuracy = (np.concatenate(column) for column in zip(*parts, strict=True))
        none, ones = np.zeros(0), np.ones(x.size)
        return Visit(none, none, x, y, accuracy, ones, -ones.astype(int), (0.0, 0.0), math.nan), 1.0

    def draw(self, rng):
        """One uniform point and velocities at temperature 1."""
        theta = self.problem.draw(rng)
        x, y, accuracy = self.field.measured(theta[None])
        v = rng.standard_normal(theta.size)
        here = float(x[0]), float(y[0])
        return Visit(theta, v, x, y, accuracy, np.ones(1), np.full(1, -1), here, math.nan)

    def trained(self, x, rng):
        """By Adam, from a draw of ``problem.start``."""
        return trained(self.problem, rng, x)

    def time_step(self, beta, kappa, y):
        """c / sqrt(stiffness), where kappa ln(test loss) is as stiff as a beta of kappa / loss."""
        stiffness = np.asarray(beta) + np.abs(kappa) * np.exp(-np.asarray(y))
        return np.minimum(self.cap, self.settings.dt / np.sqrt(np.maximum(stiffness, 1e-300)))

    def walk(self, beta, kappa, dt, theta, v, steps, rng, stop):
        """One replica, see :meth:`walks`."""
        found = self.walks([Errand(beta, kappa, dt, theta, v, rng)], steps, stop)
        return found and found[0]

    def walks(self, walks, steps, stop):
        """By ``wlmd.walk`` without hills; a stretch that diverges is made again at dt / 4.

        The second try begins with new velocities, which are independent of theta at temperature 1.
        """
        from wlnn.wlmd.integrator import DIVERGED, STOPPED

        found = self._moved(walks, steps, stop)
        again = [k for k, (*_, ending) in enumerate(found) if ending == DIVERGED]
        slower = [walks[k]._replace(
            dt=walks[k].dt / 4, v=walks[k].rng.standard_normal(self.n_parameters)
        ) for k in again]  # fmt: skip
        for k, other in zip(again, self._moved(slower, steps, stop), strict=True):
            if other[-1] == DIVERGED:
                raise UserError(
                    f"a replica at beta = {walks[k].beta:.3g} diverges with a time step of "
                    f"{walks[k].dt / 4:.2g}; make ladder.dt smaller."
                )
            found[k] = other
        if any(ending == STOPPED for *_, ending in found):
            return None
        return [self._visit(theta, v, trace) for theta, v, trace, _ in found]

    def _visit(self, theta, v, trace) -> Visit:
        seen = trace[self.settings.sample_every - 1 :: self.settings.sample_every]
        ones, here = np.ones(len(seen)), (float(trace[-1, 0]), float(trace[-1, 1]))
        x, y, accuracy = (seen[:, k].copy() for k in range(3))
        cell = np.full(len(seen), -1)
        return Visit(theta, v, x, y, accuracy, ones, cell, here, float(trace[:, 3].mean()))

    def _moved(self, walks, steps, stop) -> list[tuple]:
        """theta, v, the trace ``(steps, 4)`` of every replica, and how it ended."""
        if self.system is not None:
            return [self._compiled(walk, steps, stop) for walk in walks]
        found = {}
        for sloping in (False, True):  # two sizes of tables
            some = [k for k, walk in enumerate(walks) if bool(walk.kappa) == sloping]
            for first in range(0, len(some), self.field.most):
                part = some[first : first + self.field.most]
                moved = self._at_once([walks[k] for k in part], sloping, steps, stop)
                found |= dict(zip(part, moved, strict=True))
        return [found[k] for k in range(len(walks))]

    def _at_once(self, walks, sloping, steps, stop) -> list[tuple]:
        """By the definition, on the device."""
        from wlnn.wlmd.walk import walk_on

        device, xp = self.field.device, self.field.device.xp
        beta, kappa, dt = (np.array([w[k] for w in walks], float)[:, None, None] for k in range(3))
        tables = beta * self.loss[:, None] + kappa * (self.y if sloping else np.zeros(1))
        surface = self.sloping if sloping else self.flat
        with device.using():
            motion = self.motion._replace(dt=device.put(dt[:, 0]))
            theta, v = (device.put(np.stack([w[k] for w in walks])) for k in (3, 4))
            trace = xp.empty((len(walks), steps, 4))
            noise = device.noise([walk.rng for walk in walks], len(walks))
            _, ended = walk_on(self.field)(
                xp, self.field, theta, v, device.put(tables), surface, motion, np.zeros(steps),
                noise, trace, stop,
            )  # fmt: skip
            return list(zip(*map(device.host, (theta, v, trace, ended)), strict=True))

    def _compiled(self, walk, steps, stop) -> tuple:
        """By the compiled twin: with the rows of x alone y and the accuracy are those of samples,
        and NaN between them.
        """
        from wlnn.wlmd.driver import measure
        from wlnn.wlmd.driver import walk as run
        from wlnn.wlmd.integrator import FINE

        theta, v, kappa = walk.theta.copy(), walk.v.copy(), walk.kappa
        table = walk.beta * self.loss[:, None] + kappa * (self.y if kappa else np.zeros(1))
        motion = self.motion._replace(dt=float(walk.dt))
        trace, no_hills = np.empty((steps, 4)), np.zeros(steps)
        rest = (self.box, table, self.sloping if kappa else self.flat, motion)
        if self.train_system is None or kappa:
            _, ending = run(self.system, theta, v, *rest, no_hills, walk.rng, trace, stop)
            return theta, v, trace, ending
        every, ending = self.settings.sample_every, FINE
        for first in range(0, steps, every):
            part = trace[first : first + every]
            _, ending = run(
                self.train_system, theta, v, *rest, no_hills[: len(part)], walk.rng, part, stop
            )  # fmt: skip
            if ending != FINE:
                break
            part[:, 1:3] = np.nan
            if len(part) == every:
                part[-1, :3] = measure(self.system, theta)
        return theta, v, trace, ending


class MonteCarlo:
    """Moves of one parameter with widths spread evenly in ln, U constant in narrow bins of x.

    The driver accepts with min(1, exp(S[old] - S[new])), so that the table S = U makes it walk at
    exp(-U). The density is that of the U of the bins, exactly, and so are the weights that MBAR
    gives from the same U: the width of the bins is no approximation. The window is that of the
    problem's grid, without an upper end in x.
    """

    def __init__(self, problem: Problem, settings: LadderSettings, window: Grid | None = None):
        from wlnn.backend.binning import binning
        from wlnn.networks.compiled.moves import FunctionSystem

        axis, y = problem.grid
        parts = max(1, math.ceil(axis.width / BIN_X - 1e-9))
        width = axis.width / parts
        n = max(axis.n * parts, math.ceil((X_TOP - axis.lo) / width))
        x = Axis(axis.name, axis.lo, axis.lo + n * width, n)
        self.problem = replace(problem, grid=Grid(x, y))
        self.window = problem.grid if window is None else window
        self.n_parameters = problem.n_parameters
        self.system = None
        if problem.system is not None:
            self.system = problem.system(settings.precision)
        elif hasattr(problem.observe, "py_func"):  # compiled with numba.njit
            self.system = FunctionSystem(problem.observe)
        self.known = np.ones(self.problem.grid.shape, np.int64)
        self.bins = binning(self.problem.grid)
        self.loss = np.exp(x.centres)

    def draws(self, n, words, stop):
        """Uniform points in the narrow bins, and how many of them lie in the window."""
        from wlnn.wlmc.draws import draw_into

        counts = np.zeros(self.problem.grid.shape, np.int64)
        draw_into(self.problem, self.system, n, words, counts, stop)
        none, inside = np.zeros(0), int(counts.sum())
        if stop[0]:
            return None
        if not inside:
            raise UserError(f"none of {n} uniform draws lies in the window; make it larger.")
        return self._visit(none, counts, (0.0, 0.0)), inside / n

    def draw(self, rng):
        """One uniform point that lies in the window."""
        for _ in range(TRIES):
            theta = self.problem.draw(rng)
            chain = self._stage(theta, self.known * 0.0, self.known * 0, 0, rng, np.zeros(1, "u1"))
            ix, iy = self.problem.grid.index(chain.x, chain.y)
            if ix >= 0:
                counts = np.zeros(self.problem.grid.shape, np.int64)
                counts[ix, iy] = 1
                return self._visit(theta, counts, self._centre(chain))
        raise UserError(f"none of {TRIES} uniform draws lies in the window; make it larger.")

    def trained(self, x, rng):
        """There is no gradient to train by."""
        raise UserError("ladder.heated needs a gradient, which Monte Carlo has not; set it to 0.")

    def time_step(self, beta, kappa, y):
        """There is none."""
        return np.zeros(np.shape(beta))

    def walk(self, beta, kappa, dt, theta, v, steps, rng, stop):
        """By ``wlmc.driver`` with ln f = 0 and the table U, all bins of the window open."""
        table = beta * self.loss[:, None] + kappa * self.problem.grid.y.centres
        counts, moved = np.zeros(table.shape, np.int64), theta.copy()
        chain = self._stage(moved, table, counts, steps, rng, stop)
        if chain.done < steps:
            return None
        return self._visit(moved, counts, self._centre(chain))

    def walks(self, walks, steps, stop):
        """One after another."""
        found = []
        for *where, rng in walks:
            found.append(self.walk(*where, steps, rng, stop))
            if found[-1] is None:
                return None
        return found

    def _stage(self, theta, table, counts, steps, rng, stop):
        from wlnn.wlmc.rules import NEW_BIN_CLOSED, STEP_LOG_UNIFORM, Chain, Stage

        nothing, nx = np.zeros((0, 0)), len(table)
        rest = (
            table, counts, self.known, nothing,
            Stage(
                steps, 0.0, STEP_LOG_UNIFORM, NEW_BIN_CLOSED, -1, nx, self.problem.periodic,
                self.problem.sigma,
            ), Chain(0.1, 0),
            rng.integers(1, 2**63, 4).astype(np.uint64), stop,
        )  # fmt: skip
        problem = self.problem
        if self.system is None:
            from wlnn.wlmc.definition import stage_numpy

            return stage_numpy(problem, theta, *rest)
        from wlnn.wlmc.driver import stage_for

        run = stage_for(self.system)
        return run(self.system, theta, problem.lo, problem.hi, self.bins, *rest)

    def _centre(self, chain) -> tuple[float, float]:
        grid = self.problem.grid
        ix, iy = np.maximum(grid.index(chain.x, chain.y), 0)
        return float(grid.x.centres[ix]), float(grid.y.centres[iy])

    def _visit(self, theta, counts, here) -> Visit:
        grid, cell = self.problem.grid, np.flatnonzero(counts)
        ix, iy = np.unravel_index(cell, counts.shape)
        x, y, count = grid.x.centres[ix], grid.y.centres[iy], counts.ravel()[cell].astype(float)
        return Visit(theta, np.zeros(0), x, y, 0.0 * x, count, cell, here, math.nan)


def by_gradient(problem: Problem, settings: LadderSettings) -> bool:
    """Whether replicas move along a gradient: where there is one, unless the settings say not."""
    return settings.mover != "monte-carlo" and problem.backward is not None


def mover_of(
    problem: Problem,
    settings: LadderSettings,
    field: Field | None = None,
    window: Grid | None = None,
) -> Mover:
    """Langevin motion, on the device of ``field``, or Monte Carlo."""
    if by_gradient(problem, settings):
        return Langevin(problem, settings, field, window)
    return MonteCarlo(problem, settings, window)
