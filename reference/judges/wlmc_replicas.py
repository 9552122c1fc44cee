"""Many short runs of the Monte Carlo driver in one compiled loop, for the tests of exact starts.

It judges nothing; see ``wlmc_start.py``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wlnn.networks.compiled.moves import bin_between, y_bin
from wlnn.wlmc.driver import wlmc_stage
from wlnn.wlmc.rules import Chain


@njit(cache=True, nogil=True)
def wlmc_replicas(
    system, starts, lo, hi, bins, entropy, visits, stage, step_width, rng, final, updates
):
    """Many short independent runs from given starts.

    starts ``(M, P)`` is overwritten with the final states; final ``(M,)`` receives the flat index
    of each final bin; updates ``(B, nx ny)`` adds up, in B batches of M / B replicas, how often S
    was raised in each bin, read from S itself: (S after - S before) / ln f.
    """
    n_replicas = starts.shape[0]
    per_batch = n_replicas // updates.shape[0]
    work = np.empty_like(entropy)
    histogram = np.zeros(entropy.shape, np.int64)
    kept = np.zeros((0, 0))
    stop = np.zeros(1, np.uint8)
    for r in range(n_replicas):
        work[:, :] = entropy
        histogram[:, :] = 0
        chain = Chain(step_width, 0, 0, 0, 0, 0, 0, 0.0, 0.0, 0.0)
        chain = wlmc_stage(
            system, starts[r], lo, hi, bins, work, histogram, visits, kept, stage, chain, rng, stop
        )
        step_width = chain.step_width
        bx = bin_between(chain.x, bins.x_limits, bins.x_per_bin, bins.nx)
        by = y_bin(bins, chain.y)
        final[r] = bx * bins.ny + by
        batch = min(r // per_batch, updates.shape[0] - 1)
        for a in range(bins.nx):
            for b in range(bins.ny):
                updates[batch, a * bins.ny + b] += (work[a, b] - entropy[a, b]) / stage.ln_f
