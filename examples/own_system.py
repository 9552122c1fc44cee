"""Any function of parameters in a box: its density of states, here of a double well.

Run it here, or with `wlnn sample --task examples/own_system.py:problem --quick`. Without `@njit`
any Python function will do, some hundred times slower.
"""

import numpy as np
from numba import njit

import wlnn


@njit
def energy_and_position(theta):
    """x = energy of (t^2 - 1)^2 in each of four directions, y = mean position."""
    return np.sum((theta * theta - 1.0) ** 2), np.mean(theta)


grid = wlnn.Grid(wlnn.Axis("energy", 0.0, 36.0, 60), wlnn.Axis("mean position", -2.0, 2.0, 41))
problem = wlnn.Problem("wells", np.full(4, -2.0), np.full(4, 2.0), grid, energy_and_position)

if __name__ == "__main__":
    landscape = wlnn.sample(problem, wlnn.WLMCSettings(steps=1_000_000, stages=100))
    wlnn.plot_landscape(landscape).figure.savefig("wells.png")
