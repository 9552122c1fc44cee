"""Wang-Landau sampling of context-selecting networks, and the maximum-entropy theory beside it.

The sampling is ``wlnn.run``, unchanged; this file adds what the units look like at each loss:
networks seen along further walks with S frozen are binned by ln L. Training has no part in it.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wlnn.base import streams
from wlnn.base.errors import UserError
from wlnn.base.running import stoppable
from wlnn.landscape.landscape import Landscape
from wlnn.maxent.box import BoxLaw, Shell, exact_ln_density, ln_density, shell, solve_box
from wlnn.maxent.theory import ln_binomial
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc.run import sample

OBSERVED_PART = 0.5  # steps of the further walks, as a part of those that learnt S
BURN_IN = 0.1  # part of a further walk that is not looked at
SWEEPS_BETWEEN = 2  # sweeps of P steps between two networks that are looked at, or more
MOST_LOOKS = 10_000  # networks looked at per walker
LARGEST_SMALL = -3.0  # ln L up to which the small-loss formula is shown
LARGEST_SHELL = -0.5  # ln L up to which the saddle point is: above, L = 1 without any task
_BATCH = 2_000  # networks held before they are counted


@dataclass(frozen=True)
class Theory:
    """The box law beside a sampled landscape of gated linear units.

    law: the law at zero loss; small_loss: ln g by the small-loss formula, NaN above ln L = -3; bins
    (n,) and shell: ln g and p(n) of the saddle point in some bins, up to ln L = -0.5; exact: ln g
    where it is known (one context, no gating), else None. Arrays run over all bins but in shell.
    """

    law: BoxLaw
    small_loss: np.ndarray
    bins: np.ndarray
    shell: Shell
    exact: np.ndarray | None


@dataclass(frozen=True)
class SampledLandscape:
    """ln g(ln L) of a network in its box, and its units at each loss; arrays over the x bins.

    Attributes:
        problem: what was sampled.
        landscape: entropies of all walkers (save it, plot it).
        p_n: population of n, (nx, K+1); NaN where no network was looked at.
        rho: correlation of w with the sum of its active inputs, (nx, K+1).
        networks: how many networks were looked at, (nx,).
        theory: the box law, None for ReLU units.
    """

    problem: Problem
    landscape: Landscape
    p_n: np.ndarray
    rho: np.ndarray
    networks: np.ndarray
    theory: Theory | None

    @property
    def ln_loss(self) -> np.ndarray:
        """Bin centres (nx,)."""
        return self.problem.grid.x.centres

    @property
    def ln_g(self) -> np.ndarray:
        """ln g per unit of ln L, (nx,), the whole box being 1; NaN where never seen."""
        return self.landscape.rescaled("axis")[:, 0]

    @property
    def prior_p(self) -> np.ndarray:
        """p(n) of a uniform point of the box, (K+1,)."""
        return np.exp(ln_binomial(self.problem.network.contexts, 0.5))

    @property
    def title(self) -> str:
        """The network in words."""
        return f"{self.problem.network.title}, box {self.problem.about['half_width']:g}"

    def records(self) -> list[dict]:
        """One row per bin that was seen: ln L, ln g and its error, theory, p(n), rho(n).

        ``theory`` and ``p_theory`` (the saddle point) are there for some bins only.
        """
        error, theory = self.landscape.error[:, 0], self.theory
        place = {} if theory is None else {int(k): i for i, k in enumerate(theory.bins)}
        rows = []
        for k in np.flatnonzero(np.isfinite(self.ln_g)):
            row = {"ln_L": self.ln_loss[k], "ln_g": self.ln_g[k], "error": error[k]}
            if theory is not None:
                row["small_loss"] = theory.small_loss[k]
                row["theory"] = theory.shell.ln_g[place[k]] if k in place else np.nan
                if theory.exact is not None:
                    row["exact"] = theory.exact[k]
            row = {name: float(value) for name, value in row.items()}
            row["networks"] = int(self.networks[k])
            row |= {"p": self.p_n[k].tolist(), "rho": self.rho[k].tolist()}
            if k in place:
                row["p_theory"] = theory.shell.p_n[place[k]].tolist()
            rows.append(row)
        return rows


def theory_for(problem: Problem, rng: np.random.Generator, losses: int = 16) -> Theory | None:
    """The box law for a problem of gated linear units; None for ReLU units.

    Raises:
        UserError: the box is too small for the task.
    """
    network, b = problem.network, problem.about["half_width"]
    if network.net != "gain-linear":
        return None
    N, gated = network.units, network.gated
    law = solve_box(network.contexts, b, gated=gated)
    x = problem.grid.x.centres
    last = max(0, np.searchsorted(x, LARGEST_SHELL) - 1)
    bins = np.unique(np.linspace(0, last, losses).round().astype(int))
    exact = exact_ln_density(N, b, x) if not gated and N != 2 else None
    small = np.where(x < LARGEST_SMALL, ln_density(law, N, x), np.nan)
    directions = 32 if network.contexts < 4 else 16  # each is a solution of the dual
    around = shell(law, N, x[bins], rng, directions=directions)
    return Theory(law, small, bins, around, exact)


class _Tally:
    """Moments of (w, sum of active inputs) per x bin and n, from networks given one by one."""

    def __init__(self, problem: Problem):
        self.problem = problem
        shape = (problem.grid.x.n, problem.network.contexts + 1)
        self.counts, self.ww, self.ws, self.ss = (np.zeros(shape) for _ in range(4))
        self.waiting: list[tuple[int, np.ndarray]] = []

    def see(self, row: int, theta: np.ndarray) -> None:
        """Note a network of x bin ``row``."""
        self.waiting.append((row, theta.copy()))
        if len(self.waiting) >= _BATCH:
            self.count()

    def count(self) -> None:
        """Bring the noted networks into the moments."""
        if not self.waiting:
            return
        rows = np.array([row for row, _ in self.waiting])
        units = self.problem.network.split(np.stack([theta for _, theta in self.waiting]))
        g = units.a > 0  # (S, N, K)
        place = (rows[:, None], g.sum(2))
        on = (units.m * g).sum(2)
        np.add.at(self.counts, place, 1)
        for moment, value in ((self.ww, units.w**2), (self.ws, units.w * on), (self.ss, on**2)):
            np.add.at(moment, place, value)
        self.waiting.clear()


def sample_landscape(
    problem: Problem,
    settings: WLMCSettings,
    *,
    directory: Path | None = None,
    threads: int = 1,
    progress: Callable[[float, float], None] | None = None,
) -> SampledLandscape:
    """Sample ln g(ln L) of a problem of :func:`wlnn.maxent.context_problem`, and look at its units.

    S is learnt by :func:`wlnn.wlmc.run.sample`; an interrupted run in ``directory`` goes on. Every
    walker then makes half as many steps again with S frozen, and networks are looked at on the way.
    Results depend on ``settings.seed`` and not on ``threads``. ``progress(done, total)``.

    Raises:
        UserError: not such a problem, or a box too small for its task.
        wlnn.run.Interrupted, KeyboardInterrupt: on Ctrl-C, in the first and the second part.
    """
    if problem.about.get("task") != "context-select":
        raise UserError(f"problem '{problem.name}': give one made by wlnn.maxent.context_problem.")
    rng = streams.generator(settings.seed, streams.THEORY)
    theory = theory_for(problem, rng)
    learning = 1 / (1 + OBSERVED_PART)
    progress = progress or (lambda done, total: None)
    settings = replace(settings, keep_networks=True, precision="float64")
    landscape = sample(
        problem,
        settings,
        directory,
        threads,
        lambda report: progress(learning * report.part, 1.0),
    )
    done = np.zeros(settings.walkers)

    def looked(number, part):
        done[number] = part
        progress(learning + (1 - learning) * float(done.mean()), 1.0)

    with stoppable() as stop, ThreadPoolExecutor(threads) as pool:
        numbers = range(settings.walkers)
        walks = [pool.submit(_look, problem, settings, landscape, r, looked, stop) for r in numbers]
        tallies = [walk.result() for walk in walks]
        if stop[0]:
            raise KeyboardInterrupt
    counts, ww, ws, ss = (
        sum(getattr(tally, name) for tally in tallies) for name in ("counts", "ww", "ws", "ss")
    )
    units = counts.sum(1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        p_n = counts / units
        rho = np.where(ss > 0, ws / np.sqrt(ww * ss), np.where(counts > 0, 0.0, np.nan))
    networks = (units[:, 0] / problem.network.units).astype(int)
    return SampledLandscape(problem, landscape, p_n, rho, networks, theory)


def _look(problem, settings, landscape, number, looked, stop):
    """A walk on the frozen S of all walkers together, and the tally of the networks on its way."""
    from wlnn.backend.binning import binning
    from wlnn.wlmc import rules
    from wlnn.wlmc.driver import stage_for

    system = problem.system("float64")
    entropy = np.nan_to_num(landscape.entropy)
    visits = landscape.visits * ~np.isnan(landscape.entropy)  # without S: not to be entered
    key = streams.words_of(settings.seed, number, settings.stages + 1)
    words = key.generate_state(4, np.uint64)
    known = landscape.networks["theta"]
    theta = known[number * len(known) // settings.walkers].astype(float)
    theta = np.clip(
        theta, problem.lo, problem.hi
    )  # kept in float32, which may round out of the box
    kept, histogram = np.zeros((0, 0)), np.zeros(problem.grid.shape, np.int64)
    steps = int(OBSERVED_PART * settings.steps)
    piece = max(SWEEPS_BETWEEN * problem.n_parameters, steps // MOST_LOOKS)
    # ln f = 0, fixed step width, known bins only
    frozen = rules.Stage(piece, 0.0, rules.STEP_FIXED, rules.NEW_BIN_CLOSED, -1, len(visits))
    chain = rules.Chain(float(landscape.history["step_width"][number, -1]), 0)
    advance, bins = stage_for(system), binning(problem.grid)
    tally = _Tally(problem)
    looks = steps // piece
    for look in range(looks):
        end = advance(
            system, theta, problem.lo, problem.hi, bins, entropy, histogram, visits, kept, frozen,
            chain, words, stop,
        )  # fmt: skip
        if stop[0]:
            break
        row = int(problem.grid.x.index(end.x))
        if row >= 0 and look >= BURN_IN * looks:
            tally.see(row, theta)
        if look % 500 == 499:
            looked(number, look / looks)
    tally.count()
    return tally
