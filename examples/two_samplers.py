"""One network by both samplers: S(x, y) of 2-6-6-1 on 40 + 40 spiral points, 67 parameters.

Monte Carlo and molecular dynamics share the task and nothing else: single-parameter moves and bins
of mass there, trajectories, hills and a density here. Prints how they differ in units of their
combined error bars and draws two_samplers.png. A minute on two cores.

    python examples/two_samplers.py [--out two_samplers.png]
"""

from __future__ import annotations

import argparse

import numpy as np
from matplotlib.figure import Figure

from wlnn import (
    Landscape,
    NetworkVariables,
    compare,
    load_task,
    read_table,
    sample,
    sample_wlmd,
    save_picture,
)

SETTINGS = [
    "network.width=6",
    "data.points=40",
    "grid.x_low=-1.4",
    "grid.x_high=-0.4",
    "grid.y_low=-1.2",
    "grid.y_high=1.0",
    "wlmc.steps=5e6",
    "wlmc.walkers=4",
    "wlmc.stages=100",
    "wlmc.anchor_draws=0",
    "wlmd.x_low=-1.8",
    "wlmd.x_high=-0.2",
    "wlmd.y_low=-1.6",
    "wlmd.y_high=1.4",
    "wlmd.wall_low=100",
    "wlmd.wall_high=100",
    "wlmd.margin=1.4",
    "wlmd.spacing=0.05",
    "wlmd.sigma=0.1",
    "wlmd.dt=2e-3",
    "wlmd.friction=0.01",
    "wlmd.f_max=1",
    "wlmd.t1=1e4",
    "wlmd.t2=3e5",
    "wlmd.t3=2.5e5",
    "wlmd.steps=2e6",
    "wlmd.tables=4",
]


def binned(landscape: Landscape, grid) -> Landscape:
    """A landscape of densities as one of masses of coarser bins, reliable where all parts are."""
    ix, iy = grid.x.index(landscape.grid.x.centres), grid.y.index(landscape.grid.y.centres)
    entropies = np.full((landscape.n_walkers, *grid.shape), np.nan)
    visits, reliable = np.zeros(grid.shape, np.int64), np.zeros(grid.shape, bool)
    for i, j in np.ndindex(grid.shape):
        part = np.ix_(ix == i, iy == j)
        visits[i, j], reliable[i, j] = landscape.visits[part].sum(), landscape.reliable[part].all()
        if reliable[i, j]:
            entropies[:, i, j] = np.logaddexp.reduce(
                [entropy[part].ravel() for entropy in landscape.entropies], axis=1
            )
    return Landscape(grid, entropies, visits, reliable, landscape.meta)


def sample_both(threads: int = 2, seed: int = 0) -> tuple[Landscape, Landscape]:
    """Landscapes of the Monte Carlo and of the molecular dynamics run, on the same bins."""
    overrides = [*SETTINGS, f"wlmc.seed={seed}", f"wlmd.seed={seed}"]
    settings = read_table("spiral-regress", None, overrides)
    task = load_task("spiral-regress", settings=settings)
    monte_carlo = sample(task.problem(), settings.wlmc, threads=threads)
    dynamics = sample_wlmd(NetworkVariables(task).problem(), settings.wlmd, threads=threads)
    return aligned(monte_carlo), aligned(binned(dynamics, task.grid))


def aligned(landscape: Landscape) -> Landscape:
    """Every walker's S shifted to mean 0 over the reliable bins: S is known up to a constant."""
    means = [entropy[landscape.reliable].mean() for entropy in landscape.entropies]
    entropies = landscape.entropies - np.array(means)[:, None, None]
    return Landscape(
        landscape.grid, entropies, landscape.visits, landscape.reliable, landscape.meta
    )


def picture(first: Landscape, second: Landscape) -> Figure:
    """Both S, and their difference over its combined error."""
    figure = Figure(figsize=(10.5, 3.4), layout="constrained")
    axes = figure.subplots(1, 3)
    grid, both = first.grid, first.reliable & second.reliable
    error = np.sqrt(first.error**2 + second.error**2)
    difference = first.entropy - second.entropy
    difference = (difference - difference[both].mean()) / error
    shared = [np.where(both, part.entropy, np.nan) for part in (first, second)]
    shared = [part - np.nanmax(part) for part in shared]
    panels = (
        ("Monte Carlo, S (nats)", shared[0], {"cmap": "viridis", "vmin": np.nanmin(shared[0])}),
        ("molecular dynamics, S", shared[1], {"cmap": "viridis", "vmin": np.nanmin(shared[0])}),
        (
            "difference / combined error",
            np.where(both, difference, np.nan),
            {"cmap": "RdBu", "vmin": -4, "vmax": 4},
        ),
    )
    for ax, (title, values, style) in zip(axes, panels, strict=True):
        mesh = ax.pcolormesh(grid.x.edges, grid.y.edges, np.ma.masked_invalid(values).T, **style)
        figure.colorbar(mesh, ax=ax)
        ax.set(title=title, xlabel="ln(train loss)", ylabel="ln(test loss)")
    return figure


def main() -> None:
    """Sample, compare, draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", default="two_samplers.png")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    first, second = sample_both(seed=options.seed)
    found = compare(first, second)
    span = np.ptp(first.entropy[first.reliable & second.reliable])
    print(
        f"{found.bins} bins, S spans {span:.0f} nats: rms difference {found.rms:.2f} nats, "
        f"(difference / error)^2 {found.chi_square:.2f} on average, {found.expected:.2f} expected, "
        f"largest |difference / error| {found.worst:.1f}"
    )
    print(save_picture(picture(first, second), options.out))


if __name__ == "__main__":
    main()
