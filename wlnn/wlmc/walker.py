"""Wang-Landau Monte Carlo: a walker, its start, one stage; the readable definition of the step.

S(x, y) is learnt while the walker moves: it accepts a move with min(1, exp(S[old] - S[new])) and
adds ln f to S where it is, so that what it has seen repels it and in the end all macrostates are
visited alike. :func:`stage_numpy` is the definition; ``driver.wlmc_stage`` is the same made fast.
Nothing here loops over stages, prints or saves: that is ``run.py``.
"""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np

from wlnn.base import streams
from wlnn.base.errors import UserError
from wlnn.landscape import diagnostics
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc.definition import stage_numpy
from wlnn.wlmc.rules import (
    CLOSED_ENTROPY,
    NEW_BIN_CLOSED,
    NEW_BINS,
    STEP_FIXED,
    STEP_RULES,
    Chain,
    Stage,
)
from wlnn.wlmc.schedule import Halving, OneOverT, PaperStages

START_DRAWS, START_MOVES = 2_000, 100_000
PACED = 5_000  # moves of a start after which its pace is looked at
SHARED = 0.5  # last part of learning in which walkers of the estimator "common" have one S
REFINED = 3  # times that the common S is made more even, in the first stages of production:
REFINING = 0.45, 0.3  # in so large a part of the adaptive stages, and of production at most
ADAPTED = 0.5  # part of the adaptive stages after which the rule "freeze" freezes the step width
HISTORY = (
    "ln_f", "steps", "acceptance", "out_of_box", "out_of_window", "flatness", "bins", "coverage",
    "round_trips", "step_width", "drift", "x_low", "halvings", "seconds",
)  # fmt: skip


def recorded(settings: WLMCSettings) -> tuple[str, ...]:
    """Names of a walker's history; the mean x tells of mixing only where S is common and frozen."""
    return (*HISTORY, "x_mean") if settings.estimator == "common" else HISTORY


class Walker(NamedTuple):
    """Everything the next stage needs, and the record of the stages before it."""

    number: int
    theta: np.ndarray  # (P,)
    entropy: np.ndarray  # (nx, ny) nats; 0 where never visited; in closed bins CLOSED_ENTROPY
    visits: np.ndarray  # (nx, ny) since the start; a bin is known when this is above 0
    production: np.ndarray  # (nx, ny) visits of the production stages since S last changed
    early: np.ndarray  # (2, nx, ny) those after 2^(k - 1) and 2^k such stages, 2^k the last done
    average: np.ndarray  # (nx, ny) mean of S after them, with estimator "average"; otherwise 0
    marks: np.ndarray  # (nx, ny) visits when ln f was last halved, or at ``marked_at`` of a plan
    kept: np.ndarray  # (nx ny, P) one microstate of every bin, or (0, 0)
    stage: int
    step_width: float
    direction: int  # +1 after the low edge of x, -1 after the high edge
    history: dict[str, np.ndarray]  # name -> (stage,)


class StagePlan(NamedTuple):
    """How the steps of one walker are cut into stages."""

    settings: WLMCSettings
    n_stages: int
    n_adaptive: int
    steps: int  # of one stage
    schedule: OneOverT | PaperStages | Halving
    driver: object = None  # a module in the place of ``wlmc.driver``, for judges of wrong samplers

    @property
    def common(self) -> bool:
        """Whether walkers have one S from :attr:`share_from` on."""
        return self.settings.estimator == "common"

    @property
    def share_from(self) -> int:
        """First stage on one S of all walkers, with the estimator "common"."""
        return self.n_adaptive - round(SHARED * self.n_adaptive)

    @property
    def marked_at(self) -> int:
        """First stage of the second half of growth on one S: what is seen from then on is known."""
        return (self.share_from + self.n_adaptive) // 2

    @property
    def refined_at(self) -> tuple[int, ...]:
        """Stages before which the common S takes up the visits that production brought so far."""
        production = self.n_stages - self.n_adaptive
        if not self.common or production < 4:
            return ()
        span = min(REFINING[0] * self.n_adaptive, REFINING[1] * production)
        parts = (span * (k + 1) / REFINED for k in range(REFINED))
        return tuple(self.n_adaptive + math.ceil(round(part, 6)) for part in parts)

    @property
    def count_from(self) -> int:
        """First stage whose visits count as production."""
        return max(self.refined_at, default=self.n_adaptive)

    def first_part(self, walker: Walker) -> np.ndarray:
        """Visits ``(nx, ny)`` of the first half, or third at least, of the stages that count.

        Halves that any longer run has as well: they end where a power of two of stages is done.
        """
        counted = walker.stage - self.count_from
        last = 1 << max(counted.bit_length() - 1, 0)
        return walker.early[int(3 * last <= 2 * counted)]


def make_plan(settings: WLMCSettings, driver=None) -> StagePlan:
    """Stages of equal length; the last part of them measures: production."""
    n_adaptive = settings.stages - settings.n_production
    steps = settings.steps // settings.stages
    if settings.schedule == "paper":
        schedule = PaperStages()
    elif settings.schedule == "halving":
        schedule = Halving(settings.ln_f0)
    else:
        schedule = OneOverT(n_adaptive, steps, settings.ln_f0, c=settings.c)
    return StagePlan(settings, settings.stages, n_adaptive, steps, schedule, driver)


def start(problem: Problem, settings: WLMCSettings, number: int) -> Walker:
    """A walker at a point of the box inside the window, with an empty table.

    Uniform draws first; if none is inside, single-parameter moves towards it.

    Raises:
        UserError: no state of the window was found.
    """
    rng = streams.generator(settings.seed, number, 0)
    x_axis, y_axis = problem.grid
    best, theta, drawn = math.inf, None, []
    for _ in range(START_DRAWS):
        candidate = problem.draw(rng)
        drawn.append(problem.observe(candidate))
        distance = _distance(problem, drawn[-1])
        if distance < best:
            best, theta = distance, candidate
        if best == 0:
            break
    moves = 0
    if best > 0 and theta is not None:
        theta, best, moves = _moved_in(problem, rng, theta, best)
    if best > 0:
        y_text = f", {y_axis.name} [{y_axis.lo:g}, {y_axis.hi:g}]" if y_axis.n > 1 else ""
        raise UserError(
            f"the window {x_axis.name} [{x_axis.lo:g}, {x_axis.hi:g}]{y_text} seems to hold no "
            f"state: none in {START_DRAWS} draws and {moves} moves towards it; widen it"
            f"{_missed(problem, np.array(drawn, dtype=float))}."
        )
    shape = problem.grid.shape
    kept = (shape[0] * shape[1], theta.size) if settings.keep_networks and number == 0 else (0, 0)
    counts = np.zeros(shape, np.int64)
    return Walker(
        number, theta, np.zeros(shape), counts, counts, np.stack([counts, counts]),
        np.zeros(shape), counts,
        np.full(kept, np.nan), 0, settings.step_width, 0,
        {name: np.zeros(0) for name in recorded(settings)},
    )  # fmt: skip


def _moved_in(problem: Problem, rng, theta: np.ndarray, best: float):
    """Single-parameter moves that never lead further away: where they end, how far off, how many.

    They end where the window is reached, and where the moves that are left would not reach it at
    the pace of the last :data:`PACED`: a descent becomes slower, not faster.
    """
    width, before = 0.3, math.inf
    for moves in range(START_MOVES):
        if moves % PACED == 0:
            if best * PACED > (before - best) * (START_MOVES - moves):
                return theta, best, moves
            before = best
        candidate = theta.copy()
        i = rng.integers(theta.size)
        candidate[i] += width * (2 * problem.half_width[i]) * rng.uniform(-1, 1)
        if problem.lo[i] <= candidate[i] <= problem.hi[i]:
            distance = _distance(problem, problem.observe(candidate))
            width = min(0.5, width * 1.1) if distance < best else max(0.01, width * 0.98)
            if distance <= best:
                best, theta = distance, candidate
        if best == 0:
            return theta, best, moves + 1
    return theta, best, START_MOVES


def _missed(problem: Problem, drawn: np.ndarray) -> str:
    """Where uniform draws ``(n, 2)`` lie on the axes that most of them miss, and what to do."""
    words, names = [], ("--window", "grid.y_low and grid.y_high")
    for axis, values, name in zip(problem.grid, drawn.T, names, strict=True):
        inside = axis.index(values) >= 0
        finite = values[np.isfinite(values)]
        if np.isfinite(axis.lo) and finite.size and inside.mean() < 0.05:
            low, high = np.quantile(finite, [0.0, 0.95])
            words.append(f"{axis.name} of uniform draws is {low:.4g} to {high:.4g} (set by {name})")
    huge = problem.about.get("x") == "ln-train-loss" and drawn[:, 0].min() > problem.grid.x.hi
    raw = "; standardised data (no --raw) have ln losses near 0" * bool(huge)
    return ("; " if words else "") + ", ".join(words) + raw


def _distance(problem: Problem, values: tuple[float, float]) -> float:
    """Distance of a state from the window, in widths of its axes; infinite where not finite."""
    total = 0.0
    for axis, value in zip(problem.grid, values, strict=True):
        if np.isnan(value) or (np.isfinite(axis.lo) and not np.isfinite(value)):
            return math.inf
        if np.isfinite(axis.lo):
            total += max(axis.lo - value, value - axis.hi, 0.0) / (axis.hi - axis.lo)
    return total


def advance(
    problem: Problem, system, walker: Walker, plan: StagePlan, stop: np.ndarray
) -> Walker | None:
    """One stage later: a new walker; the given one is unchanged. None if stopped before its end.

    ``system`` is the compiled form of the problem for this walker alone, or None for the NumPy
    definition. The stage's random numbers depend on (seed, walker, stage) only.
    """
    begun = time.perf_counter()
    stage = walker.stage
    production = stage >= plan.n_adaptive
    shared = plan.common and stage >= plan.share_from
    averaged = production and plan.settings.estimator == "average"
    if averaged:  # S goes on growing as in the last adaptive stage
        ln_f = plan.schedule.ln_f(plan.n_adaptive - 1, walker.history)
    else:
        ln_f = 0.0 if production else plan.schedule.ln_f(stage, walker.history)
    if shared and not production:  # what grows while nobody finds a rare bin, that bin lacks
        ln_f *= (plan.n_adaptive - stage) / (plan.n_adaptive - plan.share_from)
    step_rule, step_width = _step_rule(walker, plan, production)
    known = walker.visits
    if shared:  # what is open is open to all, whoever knew it
        known = (walker.entropy < CLOSED_ENTROPY).astype(np.int64)
    rows = np.flatnonzero(known.any(axis=1))
    low, high = (int(rows[0]), int(rows[-1])) if rows.size > 1 else (-1, problem.grid.x.n)
    words = streams.words_of(plan.settings.seed, walker.number, stage + 1)
    rng = words.generate_state(4, np.uint64)
    theta, entropy, kept = walker.theta.copy(), walker.entropy.copy(), walker.kept.copy()
    histogram = np.zeros(problem.grid.shape, np.int64)
    closed = production or shared or not plan.schedule.takes_new_bins(stage, walker.history)
    new_bins = NEW_BIN_CLOSED if closed else NEW_BINS[plan.settings.late_bins]
    chain = run_stage(
        problem, system, theta, entropy, histogram, known, kept,
        Stage(plan.steps, ln_f, step_rule, new_bins, low, high, problem.periodic, problem.sigma),
        Chain(step_width, walker.direction), rng, stop, driver=plan.driver,
    )  # fmt: skip
    if chain.done < plan.steps:
        return None
    visits = walker.visits + histogram
    marks, halvings = walker.marks, walker.history["halvings"][-1] if stage else 0.0
    halving = isinstance(plan.schedule, Halving) and not production
    if halving and ((visits - marks)[visits > 0] > 0).all():
        marks, halvings = visits, halvings + 1
    elif plan.common and stage == plan.marked_at:
        marks = walker.visits
    average = walker.average
    if averaged:
        seen = visits > 0
        now = np.where(seen, entropy - entropy[seen].mean(), 0.0)
        average = average + (now - average) / (stage - plan.n_adaptive + 1)
    counts = histogram * known if shared else histogram
    counted, early = walker.production, walker.early
    if production:
        counted = counted + counts
    since = stage + 1 - plan.count_from
    if plan.common and since > 0 and since & (since - 1) == 0:
        early = np.stack([early[1], counted])
    rows = np.flatnonzero(visits.any(axis=1))
    record = {
        "ln_f": ln_f,
        "steps": chain.done,
        "acceptance": chain.accepted / chain.done,
        "out_of_box": chain.out_of_box / chain.done,
        "out_of_window": chain.out_of_window / chain.done,
        "flatness": diagnostics.flatness(histogram, known if shared else visits),
        "bins": np.count_nonzero(visits),
        "coverage": diagnostics.coverage(visits),
        "round_trips": chain.round_trips,
        "step_width": chain.step_width,
        "drift": chain.drift,
        "x_low": problem.grid.x.edges[rows[0]],
        "x_mean": histogram.sum(axis=1) @ problem.grid.x.centres / chain.done,
        "halvings": halvings,
        "seconds": time.perf_counter() - begun,
    }
    return Walker(
        walker.number, theta, entropy, visits, counted, early, average,
        marks, kept, stage + 1, chain.step_width, chain.direction,
        {name: np.append(values, record[name]) for name, values in walker.history.items()},
    )  # fmt: skip


def _step_rule(walker: Walker, plan: StagePlan, production: bool) -> tuple[int, float]:
    """Rule of the coming stage and its width.

    "freeze" adapts in the first half of the adaptive stages and then keeps the geometric mean of
    the widths of the second half of those: a width that adapts while S is measured biases S.
    """
    rule = STEP_RULES[plan.settings.step_rule]
    last = max(1, round(ADAPTED * plan.n_adaptive))
    if plan.settings.step_rule == "freeze" and walker.stage >= last:
        widths = walker.history["step_width"][last // 2 : last]
        return STEP_FIXED, float(np.exp(np.log(widths).mean()))
    return rule, walker.step_width


def run_stage(problem, system, theta, *rest, driver=None) -> Chain:
    """One stage by the compiled driver, or by the NumPy definition where ``system`` is None.

    ``rest``: entropy, histogram, visits, kept, stage, chain, rng, stop, as both take them.
    """
    if system is None:
        return stage_numpy(problem, theta, *rest)
    from wlnn.backend.binning import binning
    from wlnn.wlmc.driver import stage_for

    run = stage_for(system) if driver is None else driver.stage_for(system)
    return run(system, theta, problem.lo, problem.hi, binning(problem.grid), *rest)


def result(walkers: list[Walker]):
    """What independent walkers, or a group that merges its S, bring to ``landscape.merge``.

    Estimator "frozen": S + ln H, H the visits of the production stages, where they came; S and H of
    a group are those of all its walkers. Estimator "average": the mean of S over those stages.
    """
    from wlnn.landscape.merge import WalkerResult

    visits = sum(walker.visits for walker in walkers)
    production = sum(walker.production for walker in walkers)
    entropy = walkers[0].entropy.copy()
    closed = entropy >= CLOSED_ENTROPY
    entropy[closed], visits = 0.0, np.where(closed, 0, visits)
    if any(walker.average.any() for walker in walkers):
        entropy = np.mean([walker.average for walker in walkers], axis=0)
    elif production.any():
        seen = production > 0
        entropy[seen] += np.log(production[seen])
        # what production never saw hangs on by the mean shift of the rest; it is marked unreliable
        entropy[~seen & (visits > 0)] += np.log(production[seen]).mean()
    stages = min(walker.stage for walker in walkers)  # a group may be interrupted on the way
    history = {
        name: np.array([walker.history[name][:stages] for walker in walkers]).mean(axis=0)
        for name in walkers[0].history
    }
    return WalkerResult(entropy, visits, production if production.any() else None, history)
