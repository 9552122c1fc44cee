"""What is made of a table of molecular dynamics in the end: S, and where it can be relied on."""

from __future__ import annotations

import numpy as np

from wlnn.base.errors import UserError
from wlnn.wlmd.surface import Surface, at_nodes
from wlnn.wlmd.walk import MDState


def entropy(state: MDState, surface: Surface, estimator: str = "average") -> np.ndarray:
    """S ``(nx, ny)`` in nats, free of the walls, up to a constant.

    "last" is the table, "average" the mean of the sampled tables of the tail (the last one where
    none was sampled), "reweighted" the frozen table plus ln of the visits since it is frozen,
    smoothed over sigma / 2: free of the width of the hills, where there are many visits; NaN where
    there are none.
    """
    if estimator not in ("last", "average", "reweighted"):
        raise UserError(
            f"estimator '{estimator}' is unknown; use 'last', 'average' or 'reweighted'."
        )
    if estimator == "average" and state.n_averaged:
        return at_nodes(state.average / state.n_averaged, surface)
    felt = at_nodes(state.table, surface)
    if estimator != "reweighted":
        return felt
    from scipy.ndimage import gaussian_filter

    width = 0.5 * surface.sigma
    width_in_bins = (width * surface.x_per_bin, width * surface.y_per_bin)
    smooth = gaussian_filter(state.frozen.astype(float), width_in_bins, mode="constant")
    with np.errstate(divide="ignore"):
        return np.where(smooth > 0, felt + np.log(smooth), np.nan)


def reliable(state: MDState, surface: Surface) -> np.ndarray:
    """Bins ``(nx, ny)`` that were visited and lie 2 sigma inside the walls and the visited region.

    Within 2 sigma of a wall, or of the end of what parameters can reach, the hills cannot form S.
    Gaps of up to sigma / 2 between visits are no end. What was found after the average began could
    not be filled any more and is no part of the region.
    """
    from scipy.ndimage import binary_closing, binary_erosion

    per_bin = (surface.x_per_bin, surface.y_per_bin)
    gap, reach = (
        np.ones([2 * int(width * surface.sigma * bins) + 1 for bins in per_bin], bool)
        for width in (0.25, 2.0)
    )
    margin = [(size // 2, size // 2) for size in gap.shape]
    seen = np.pad((state.visits > 0) & state.known, margin)
    seen = binary_closing(seen, gap)[tuple(slice(a, -a if a else None) for a, _ in margin)]
    safe = binary_erosion(seen, reach)
    walls, width = surface.walls, 2 * surface.sigma
    x = surface.x_node + np.arange(surface.nx) / surface.x_per_bin
    safe &= ((x >= walls.x_low + width) & (x <= walls.x_high - width))[:, None]
    if surface.ny > 1:
        y = surface.y_node + np.arange(surface.ny) / surface.y_per_bin
        safe &= (y >= walls.y_low + width) & (y <= walls.y_high - width)
    return safe
