"""Two branches of states: which of them is that of equilibrium, by free energies from the hot end.

A cooled walker may be caught in states that equilibrium leaves (digits: constant answers), where
one that is heated from a trained network is not. At the hot end both are the same; from there every
ladder has its own ln Z(beta), and that of the states which equilibrium is in is the larger one.
Numbers only; what is left out of a landscape is decided in ``estimate.py``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from wlnn.base.statistics import ln_sum, t_factor
from wlnn.ladder.joint import Joint

LIGHTER = 10.0  # nats: a branch that is lighter by as much has no part in any number ...
SURELY = 0.99  # ... at this level of Student's t
APART = 0.999  # level of the test whether ladders agree: 1 of 1000 rows is further off by chance
SAME = 0.1  # nats, by which ladders may differ whatever their halves say


class Weight(NamedTuple):
    """How much heavier one group of ladders is than another at one beta."""

    beta: float
    ln_ratio: float  # mean ln Z of the first group less that of the second ...
    error: float  # ... and half its interval; infinite for fewer than two ladders in a group

    @property
    def decides(self) -> bool:
        """Whether the first group is surely the heavier one by :data:`LIGHTER` nats."""
        return self.ln_ratio - self.error > LIGHTER


def ln_partition(joint: Joint, beta: float) -> float:
    """ln of the mean of exp(-beta L) over the box."""
    ln = joint.ln_w + np.log(joint.samples.count) - beta * np.exp(joint.samples.x)
    return float(ln_sum(ln[None])[0])


def weight(first: Sequence[Joint], second: Sequence[Joint], beta: float) -> Weight:
    """Of two groups of ladders at a ``beta`` that all of them have reached."""
    both = [np.array([ln_partition(joint, beta) for joint in group]) for group in (first, second)]
    means = [values.mean() for values in both]
    freedom = sum(values.size for values in both) - 2
    error = np.inf
    if min(values.size for values in both) > 1:
        within = sum(((v - m) ** 2).sum() for v, m in zip(both, means, strict=True)) / freedom
        factor = t_factor(freedom + 1, SURELY)
        error = factor * float(np.sqrt(within * sum(1 / values.size for values in both)))
    return Weight(beta, float(means[0] - means[1]), error)


def agree(halves: np.ndarray) -> bool:
    """Whether ladders agree with each other in S(x), as far as their halves can tell.

    ``halves (2, R, nx)``. In every row the variance of the ladders' means, against that of their
    halves: below the quantile of F at :data:`APART` with R - 1 and R degrees of freedom.
    """
    from scipy.special import fdtri

    means, n = halves.mean(axis=0), halves.shape[1]
    between = means.var(axis=0, ddof=1)
    within = ((halves[1] - halves[0]) ** 2).mean(axis=0) / 4
    known = np.isfinite(between) & np.isfinite(within)
    most = fdtri(n - 1, n, APART)
    return bool((between <= np.maximum(most * within, SAME**2))[known].all())
