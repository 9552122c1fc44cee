"""Rungs of a ladder: which potentials there are, who neighbours whom, where another is needed.

A rung is the frozen potential U(x, y) = beta e^x + kappa y, x = ln(training loss): at beta = 1 / T
it is the canonical ensemble of the loss at temperature T. Rung 0 is the uniform density of the box.
Numbers only: nothing here moves or draws.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

FLAT_CAPACITY = 1.0  # below, rungs may be twice as far from each other
WIDEST = 1.0  # largest difference of ln beta of neighbours
NARROWEST = 0.02  # least
SMOOTHED = 0.15  # in ln beta: heat capacities are smoothed over +- this
FEW = 0.1  # least acceptance of an exchange, below which a rung is inserted
WORTH = 0.4  # share of the uniform draws that they are worth to the first rung below them


class Rungs(NamedTuple):
    """K potentials, in rows of one beta; a row may hold tilted rungs beside its kappa = 0."""

    beta: np.ndarray  # (K,) rising with the rows; 0 for rung 0, the uniform draws
    kappa: np.ndarray  # (K,)
    row: np.ndarray  # (K,) 0 for rung 0
    tilt: np.ndarray  # (K,) -n .. n within a row, 0 where kappa = 0

    @property
    def n(self) -> int:
        """Number of rungs K."""
        return self.beta.size

    def potential(self, x, y) -> np.ndarray:
        """U ``(K, M)`` of all rungs at positions x, y ``(M,)``."""
        return self.beta[:, None] * np.exp(x) + self.kappa[:, None] * np.asarray(y)

    def between(self, axis: int) -> np.ndarray:
        """Pairs ``(m, 2)`` of neighbours along beta (0) or kappa (1), the lower one first.

        Along beta those that are not tilted.
        """
        place = {where: k for k, where in enumerate(zip(self.row, self.tilt, strict=True))}
        found = []
        for (row, tilt), k in place.items():
            other = place.get((row + 1, tilt) if axis == 0 else (row, tilt + 1))
            if other is not None and (axis or not tilt):
                found.append((k, other))
        return np.array(found, int).reshape(-1, 2)

    def parents(self) -> np.ndarray:
        """For each rung the nearest one towards rung 0 ``(K,)``; -1 for rung 0 itself.

        Along kappa within a row, from kappa = 0 to the nearest row above.
        """
        found = np.full(self.n, -1)
        for k in range(1, self.n):
            if self.tilt[k]:
                near = (self.row == self.row[k]) & (self.tilt * self.tilt[k] >= 0)
                near &= np.abs(self.tilt) < abs(self.tilt[k])
                found[k] = max(np.flatnonzero(near), key=lambda i: abs(self.tilt[i]))
            else:
                near = (self.tilt == 0) & (self.row < self.row[k])
                found[k] = max(np.flatnonzero(near), key=lambda i: self.row[i])
        return found


def untilted(betas) -> Rungs:
    """The uniform rung and one for each of the rising ``betas`` > 0."""
    beta = np.concatenate([[0.0], np.asarray(betas, float)])
    return Rungs(beta, 0.0 * beta, np.arange(beta.size), np.zeros(beta.size, int))


def with_tilted(rungs: Rungs, beta: float, kappa: float, row: int, tilt: int) -> Rungs:
    """One tilted rung more, which comes after its parent: that of the row with tilt +-1 less."""
    return Rungs(*map(np.append, rungs, (beta, kappa, row, tilt)))


def next_step(capacity: float, spacing: float) -> float:
    """Difference of ln beta to the next rung: spacing / sqrt(C), C = beta^2 var(L).

    The acceptance of an exchange depends on Delta ln beta sqrt(C) alone where C changes little:
    0.38 at 1.3. At most 1, or 2 where C < 1 (the rungs there overlap anyway).
    """
    widest = WIDEST if capacity >= FLAT_CAPACITY else 2 * WIDEST
    return float(np.clip(spacing / np.sqrt(max(capacity, 1e-12)), NARROWEST, widest))


def first_beta(losses: np.ndarray, count=None) -> float:
    """The rung below the uniform draws: the draws, weighted by exp(-beta L), are worth WORTH.

    Worth is the effective share (sum w)^2 / (n sum w^2). ``losses (n,)`` are those of the draws.
    """
    count = np.ones(losses.size) if count is None else count
    losses = losses - losses.min()

    def worth(ln_beta):
        w = np.exp(-np.exp(ln_beta) * losses)
        return (count @ w) ** 2 / (count.sum() * (count @ w**2))

    low, high = np.log(1e-6 / max(losses.max(), 1e-300)), np.log(1e6 / max(losses.max(), 1e-300))
    for _ in range(60):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if worth(middle) > WORTH else (low, middle)
    return float(np.exp(low))


def capacities(ln_beta: np.ndarray, x: np.ndarray, ln_w: np.ndarray):
    """C = beta^2 var(L) and <x> ``(n,)`` at each beta, of samples x with uniform weights ln_w."""
    losses = np.exp(x)
    found = []
    for beta in np.exp(ln_beta):
        ln = ln_w - beta * losses
        w = np.exp(ln - ln.max())
        w /= w.sum()
        mean = w @ losses
        found.append((beta**2 * (w @ (losses - mean) ** 2), w @ x))
    return np.array(found).T


def canonical(samples, ln_w: np.ndarray, betas) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean x, mean y and deviation of y ``(n,)`` at each beta, of samples with uniform weights."""
    found = []
    for beta in betas:
        ln = ln_w - beta * np.exp(samples.x)
        w = np.exp(ln - ln.max())
        y = np.average(samples.y, weights=w)
        deviation = np.sqrt(np.average((samples.y - y) ** 2, weights=w))
        found.append((np.average(samples.x, weights=w), y, deviation))
    return tuple(np.array(found).reshape(-1, 3).T)


def respaced(first: float, last: float, x, ln_w, spacing: float) -> np.ndarray:
    """The betas of the second pass, from ``first`` to ``last``, spaced by C of all samples.

    C as a descent sees it is too small, and exchanges would fail; MBAR's is smoothed over
    :data:`SMOOTHED`.
    """
    ln = np.linspace(np.log(first), np.log(last), max(2, int(np.log(last / first) / 0.03)))
    capacity, _ = capacities(ln, x, ln_w)
    near = np.abs(ln[:, None] - ln) <= SMOOTHED
    capacity = (near * capacity).sum(axis=1) / near.sum(axis=1)
    betas = [ln[0]]
    while betas[-1] < ln[-1]:
        betas.append(betas[-1] + next_step(np.interp(betas[-1], ln, capacity), spacing))
    return np.exp(betas)


def with_row(rungs: Rungs, above: int) -> tuple[Rungs, np.ndarray]:
    """A row inserted between rows ``above`` and ``above`` + 1, its beta half way (in ln).

    Returns the rungs and, for each, the old rung ``(K,)`` that it is or that it begins from: the
    colder of its two neighbours. Nothing of the new row is tilted.
    """
    later = np.where(rungs.row > above, rungs.row + 1, rungs.row)
    (colder,) = np.flatnonzero((rungs.row == above + 1) & (rungs.tilt == 0))
    (hotter,) = np.flatnonzero((rungs.row == above) & (rungs.tilt == 0))
    beta = rungs.beta[colder] / np.e
    if above > 0:
        beta = np.sqrt(rungs.beta[colder] * rungs.beta[hotter])
    merged = Rungs(*map(np.append, rungs._replace(row=later), (beta, 0.0, above + 1, 0)))
    began = np.append(np.arange(rungs.n), colder)
    order = np.lexsort((merged.row, -merged.tilt, np.abs(merged.tilt)))
    return Rungs(*(column[order] for column in merged)), began[order]
