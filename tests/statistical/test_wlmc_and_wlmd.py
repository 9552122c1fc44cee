"""The two samplers on one network: S(x, y) of 2-6-6-1 on 40 + 40 spiral points, 67 parameters.

They share the task and nothing else: single-parameter moves and bins of mass there, trajectories,
hills and a density here. Measured with five times these steps: rms 0.25 nat on a range of 27.
"""

import numpy as np
import pytest

from wlnn import run, run_wlmd
from wlnn.collective import NetworkVariables
from wlnn.settings import read_table
from wlnn.task import load_task

OPTIONS = [
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
    "wlmd.f_max=5",
    "wlmd.t1=1e4",
    "wlmd.t2=3e5",
    "wlmd.t3=2e5",
    "wlmd.steps=1e6",
    "wlmd.tables=2",
]


def masses(landscape, grid):
    """ln of the mass of every bin of a coarser grid, from the density; NaN where unreliable."""
    fine = np.where(landscape.reliable, landscape.entropy, np.nan)
    ix, iy = grid.x.index(landscape.grid.x.centres), grid.y.index(landscape.grid.y.centres)
    out = np.full(grid.shape, np.nan)
    for i, j in np.ndindex(grid.shape):
        part = fine[np.ix_(ix == i, iy == j)]
        top = part.max()
        out[i, j] = top + np.log(np.exp(part - top).sum())
    return out


@pytest.mark.slow
def test_monte_carlo_and_molecular_dynamics_agree():
    settings = read_table("spiral-regress", None, OPTIONS)
    task = load_task("spiral-regress", settings=settings)
    assert task.network.n_parameters == 67
    monte_carlo = run.sample(task.problem(), settings.wlmc, threads=2)
    dynamics = run_wlmd.sample(NetworkVariables(task).problem(), settings.wlmd, threads=2)
    difference = masses(dynamics, task.grid) - monte_carlo.entropy
    difference = difference[np.isfinite(difference) & monte_carlo.reliable]
    assert difference.size > 150
    assert np.ptp(monte_carlo.entropy[monte_carlo.reliable]) > 20
    assert np.std(difference) < 1.0
