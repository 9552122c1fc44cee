"""MBAR: free energies of a ladder of rungs from the samples of all of them, and their weights.

Numbers in, numbers out: nothing here knows networks, temperatures or landscapes. MBAR is the
estimator of least variance for samples of several known densities exp(f_k - u_k) (M. Shirts,
J. Chodera, J. Chem. Phys. 129, 124105 (2008)); for potentials of few variables it is WHAM without
bins. Samples are pooled: a point of the pool is a position with the number of samples there, so
that a million samples in narrow bins cost no more than the bins.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError

LONGEST_STEP = 2.0  # nats, of one Newton step
STEPS = 200  # of Newton at most; from the chain of neighbours it takes five to ten
TOLERANCE = 1e-9  # nats


class PooledSamples(NamedTuple):
    """Samples of K rungs at M points."""

    x: np.ndarray  # (M,)
    y: np.ndarray  # (M,)
    rung: np.ndarray  # (m,) which rung ...
    point: np.ndarray  # (m,) ... was at which point ...
    count: np.ndarray  # (m,) ... how often

    def totals(self, n_rungs: int) -> np.ndarray:
        """N_k ``(K,)``: the samples of each rung."""
        return np.bincount(self.rung, self.count, n_rungs)


def pooled(rung, x, y, count, x_width: float, y_width: float = 0.0) -> PooledSamples:
    """Samples ``(n,)`` in narrow bins; a point is the mean position of the samples of its bin.

    ``y_width`` 0 takes all y together: the potentials do not depend on it then.
    """
    bins = np.floor(np.asarray(x, float) / x_width).astype(np.int64)
    if y_width:
        along_y = np.floor(np.asarray(y, float) / y_width).astype(np.int64)
        along_y -= along_y.min()
        bins = bins * (int(along_y.max()) + 1) + along_y
    _, where = np.unique(bins, return_inverse=True)
    total = np.bincount(where, count)
    means = [np.bincount(where, count * np.asarray(value, float)) / total for value in (x, y)]
    pair, entry = np.unique(np.asarray(rung, np.int64) * total.size + where, return_inverse=True)
    counts = np.bincount(entry, count)
    return PooledSamples(*means, *np.divmod(pair, total.size), counts)


def bar(forward, n_forward, backward, n_backward) -> float:
    """f_b - f_a of two neighbours by Bennett's acceptance ratio (J. Comput. Phys. 22, 245 (1976)).

    With d = u_b - u_a at the samples of a (``forward``) and of b (``backward``), each with its
    count, and M = ln(N_a / N_b), it is the f where
    sum_a 1 / (1 + exp(M + d - f)) = sum_b 1 / (1 + exp(f - d - M)).
    """
    from scipy.optimize import brentq

    forward, backward = np.asarray(forward, float), np.asarray(backward, float)
    shift = np.log(np.sum(n_forward) / np.sum(n_backward))

    def ln_sum(argument, count):
        values = np.log(count) - np.logaddexp(0.0, argument)
        top = values.max()
        return top + np.log(np.exp(values - top).sum())

    def imbalance(f):
        return ln_sum(shift + forward - f, n_forward) - ln_sum(f - backward - shift, n_backward)

    both = np.concatenate([forward, backward]) + shift
    return float(brentq(imbalance, both.min() - 100.0, both.max() + 100.0, xtol=1e-10))


def chain(u: np.ndarray, pool: PooledSamples, parents) -> np.ndarray:
    """Free energies ``(K,)`` from neighbour to neighbour by :func:`bar`; f of rung 0 is 0.

    ``parents (K,)``: the rung, earlier in the list, that each rung overlaps with.
    """
    f = np.zeros(len(u))
    own = [np.flatnonzero(pool.rung == k) for k in range(len(u))]
    for k in range(1, len(u)):
        a, b = own[parents[k]], own[k]
        difference = u[k] - u[parents[k]]
        f[k] = f[parents[k]] + bar(
            difference[pool.point[a]], pool.count[a], difference[pool.point[b]], pool.count[b]
        )
    return f


def shares(f: np.ndarray, totals: np.ndarray, u: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Share ``(K, M)`` of every rung in each point, and ln w ``(M,)`` of a sample at the point.

    ln w = -ln sum_k N_k exp(f_k - u_k): the weight of one sample in the density with u = 0 and
    f = 0. The share of rung k is N_k exp(f_k - u_k) w.
    """
    ln = np.log(totals)[:, None] + f[:, None] - u
    top = ln.max(axis=0)
    ln -= top
    np.exp(ln, out=ln)
    total = ln.sum(axis=0)
    ln /= total
    return ln, -(top + np.log(total))


def free_energies(u: np.ndarray, pool: PooledSamples, parents, start=None) -> np.ndarray:
    """f ``(K,)`` of MBAR with f_0 = 0, by Newton's method on its convex objective.

    The minimum of sum_n ln sum_k N_k exp(f_k - u_kn) - sum_k N_k f_k, n over all samples: gradient
    and Hessian are those of a multinomial regression. ``u (K, M)`` are the potentials at the points
    of the pool, ``start`` a first guess in the place of the chain of neighbours.

    Raises:
        UserError: a rung without samples.
    """
    totals = pool.totals(len(u))
    if not (totals > 0).all():
        raise UserError(f"rung {int(np.argmin(totals))} of the ladder has no samples.")
    count = np.bincount(pool.point, pool.count, u.shape[1])
    f = chain(u, pool, parents) if start is None else np.array(start, float)
    for _ in range(STEPS):
        share, _ = shares(f, totals, u)
        weighted = share * count
        found = weighted.sum(axis=1)
        hessian = np.diag(found) - weighted @ share.T
        step = np.zeros(len(u))
        step[1:] = np.linalg.lstsq(hessian[1:, 1:], (totals - found)[1:], rcond=1e-12)[0]
        longest = np.abs(step).max()
        f = f + step * min(1.0, LONGEST_STEP / max(longest, 1e-300))
        if longest < TOLERANCE:
            break
    return f


def shared(share: np.ndarray, count: np.ndarray, parents: np.ndarray) -> np.ndarray:
    """sum_n s_i(n) s_j(n) ``(K - 1,)`` of every rung j = 1 ... K - 1 with i = ``parents[j - 1]``.

    Divided by N_i it is the overlap O_ij, the chance that a sample of rung i is taken for one of j;
    neighbours need 0.05 (P. Klimovich, M. Shirts, D. Mobley, J. Comput. Aided Mol. Des. 29, 397
    (2015)). ``share (K, M)`` are the :func:`shares` at points with ``count (M,)`` samples.
    """
    return np.einsum("km,km,m->k", share[parents], share[1:], count)
