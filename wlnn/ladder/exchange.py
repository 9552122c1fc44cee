"""Exchange of replicas between neighbouring rungs: pure functions of who is where, and a generator.

A replica is parameters and velocities together; what is exchanged is the rung that it moves in
(R. Swendsen, J.-S. Wang, Phys. Rev. Lett. 57, 2607 (1986); K. Hukushima, K. Nemoto, J. Phys. Soc.
Jpn. 65, 1604 (1996)). Nothing moves here.
"""

from __future__ import annotations

import numpy as np

from wlnn.ladder.rungs import Rungs

TURN = 4  # stretches, of which tilted rungs move in one, and exchange along kappa


def moving(rungs: Rungs, number: int) -> np.ndarray:
    """Rungs ``(K,)`` bool that move in stretch ``number``: tilted ones less often, being many."""
    return (rungs.tilt == 0) | (number % TURN == TURN - 1)


def pairs_of_round(rungs: Rungs, number: int) -> tuple[int, np.ndarray]:
    """Axis (0 beta, 1 kappa) and disjoint pairs ``(m, 2)`` that are tried after stretch ``number``.

    Pairs that begin in an even and in an odd place take turns.
    """
    axis, turn = 0, number
    if rungs.tilt.any():
        axis = int(number % TURN == TURN - 1)
        turn = number // TURN if axis else number - number // TURN
    pairs = rungs.between(axis)
    place = rungs.row if axis == 0 else rungs.tilt
    return axis, pairs[place[pairs[:, 0]] % 2 == turn % 2]


def ln_acceptance(rungs: Rungs, pairs: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """ln of the ratio that an exchange is accepted by, ``(m,)``; x, y ``(K,)`` by rung.

    min(1, exp((U_i(x_i) + U_j(x_j)) - (U_i(x_j) + U_j(x_i)))): with U = beta L + kappa y the
    exponent is (beta_i - beta_j)(L_i - L_j) + (kappa_i - kappa_j)(y_i - y_j).
    """
    i, j = pairs.T
    loss = np.exp(x)
    return (rungs.beta[i] - rungs.beta[j]) * (loss[i] - loss[j]) + (
        rungs.kappa[i] - rungs.kappa[j]
    ) * (y[i] - y[j])


def ln_chances(pairs: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """ln of the uniform numbers ``(m,)`` that decide on all pairs of a round."""
    return np.log1p(-rng.random(len(pairs)))


def exchange(
    rungs: Rungs, pairs: np.ndarray, order: np.ndarray, x, y, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Try all ``pairs`` once: the new order ``(K,)``, and which pairs were exchanged ``(m,)`` bool.

    ``order[k]`` is the replica in rung k. One uniform number is drawn for each pair.
    """
    accepted = ln_chances(pairs, rng) < ln_acceptance(rungs, pairs, x, y)
    order = order.copy()
    i, j = pairs[accepted].T
    order[i], order[j] = order[j], order[i]
    return order, accepted
