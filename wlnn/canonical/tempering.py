"""Ways to the equilibrium states of low train loss: constant low temperature, annealing, tempering.

The paper's outlook asks how to find the states of maximal entropy, which generalise best, other
than by Wang-Landau sampling. Each way here is a plan (temperatures against time, and whether
neighbours exchange), and :func:`follow` carries out one stretch of any plan by the motion of
``langevin.py``. Loops, budgets and files belong to ``search.py``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.canonical import langevin
from wlnn.tasks.field import Field, field_of
from wlnn.tasks.problem import Problem
from wlnn.wlmd.integrator import Motion


class TemperaturePlan(NamedTuple):
    """Temperatures of the K replicas of a run in each of n stretches; the coldest is the last."""

    temperatures: np.ndarray  # (n, K)
    exchange: bool  # neighbours are exchanged after every stretch


def constant(low: float, n: int) -> TemperaturePlan:
    """Langevin dynamics at the temperature ``low``."""
    return TemperaturePlan(np.full((n, 1), float(low)), False)


def annealing(high: float, low: float, n: int) -> TemperaturePlan:
    """Simulated annealing: from ``high`` to ``low`` by one factor per stretch, over 3/4 of them.

    The last quarter stays at ``low`` (S. Kirkpatrick et al. 1983; the factor is our choice).
    """
    _check(high, low)
    falling = np.geomspace(high, low, max(2, n - n // 4))[:n]
    return TemperaturePlan(
        np.concatenate([falling, np.full(n - len(falling), low)])[:, None], False
    )


def tempering(high: float, low: float, replicas: int, n: int) -> TemperaturePlan:
    """Parallel tempering: K replicas at temperatures evenly spaced in ln T, always the same.

    Neighbours exchange their temperatures (K. Hukushima, K. Nemoto 1996).
    """
    _check(high, low)
    if replicas < 2:
        raise UserError(f"parallel tempering needs two replicas or more, not {replicas}.")
    return TemperaturePlan(np.tile(np.geomspace(high, low, replicas), (n, 1)), True)


def _check(high: float, low: float) -> None:
    if not 0 < low < high:
        raise UserError(f"temperatures from {high:g} to {low:g}: they must fall, and be positive.")


def exchange(loss: np.ndarray, temperature: np.ndarray, parity: int, uniform: np.ndarray):
    """Whether the pairs (i, i + 1), i of the given parity, exchange: detailed balance at all T.

    Accepted with probability min(1, exp((1/T_i - 1/T_j) (L_i - L_j))), j = i + 1: the ratio of the
    weights exp(-L / T) with the states exchanged and as they are.

    Shapes: loss ``(..., K)``, temperature ``(K,)``, uniform ``(..., K - 1)`` numbers of [0, 1).
    Returns the order ``(..., K)``, the place from which the state of each place comes, and what
    was accepted ``(..., K - 1)``.
    """
    beta = 1 / temperature
    ln_ratio = (beta[:-1] - beta[1:]) * (loss[..., :-1] - loss[..., 1:])
    accepted = np.log1p(-uniform) < ln_ratio
    accepted &= np.arange(len(temperature) - 1) % 2 == parity
    order = np.broadcast_to(np.arange(len(temperature)), loss.shape).copy()
    order[..., :-1] += accepted  # pairs of one parity have no member in common
    order[..., 1:] -= accepted
    return order, accepted


class Replicas(NamedTuple):
    """What :func:`follow` brought: replicas ``(M K,)`` run by run, and of the coldest ones more."""

    walkers: langevin.Walkers
    coldest: np.ndarray  # (M, records.N_COLUMNS), of the coldest replica of each run
    accepted: np.ndarray  # (M, K - 1) bool; empty without exchange
    diverged: np.ndarray  # (M,) bool


def follow(
    problem: Problem,
    plan: TemperaturePlan,
    k: int,
    walkers: langevin.Walkers,
    motion: Motion,
    steps: int,
    rngs: Sequence[np.random.Generator],
    random: Callable[[tuple[int, int]], np.ndarray],
    systems: Sequence | None = None,
    stop: np.ndarray | None = None,
    map: Callable = map,
    exchange: Callable = exchange,
    field: Field | None = None,
) -> Replicas | None:
    """Stretch ``k`` of a plan: ``steps`` steps of all replicas of M runs, then the exchange.

    Positions and velocities (in units of the thermal one) of exchanged replicas change places, the
    temperatures stay where they are; ``random`` gives numbers of [0, 1) of a shape for that. None
    when ``stop`` was set.
    """
    temperature = plan.temperatures[k]
    replicas = len(temperature)
    runs = len(walkers.theta) // replicas
    walkers = walkers._replace(temperature=np.tile(temperature, runs))
    how = systems, stop, map, field
    found = langevin.advance(problem, walkers, motion, steps, rngs, *how)
    if found is None:
        return None
    theta, u = found.walkers.theta, found.walkers.u
    accepted = np.zeros((runs, replicas - 1), bool)
    if plan.exchange:
        loss = np.exp((field or field_of(problem)).measured(theta)[0]).reshape(runs, replicas)
        uniform = random((runs, replicas - 1))
        order, accepted = exchange(loss, temperature, k % 2, uniform)
        flat = (order + replicas * np.arange(runs)[:, None]).ravel()
        theta, u = theta[flat], u[flat]
    return Replicas(
        walkers._replace(theta=theta, u=u),
        found.records.reshape(runs, replicas, -1)[:, -1],
        accepted,
        found.diverged.reshape(runs, replicas).any(1),
    )
