"""Your own data and network: which of two rings a point lies in, learnt by a 2-5-3-2 network.

Run it here, or with `wlnn sample --task examples/own_task.py:task --quick`.
"""

import numpy as np

import wlnn


def rings(rng, points=24):
    """Points (N, 2) and labels (N,)."""
    label = np.arange(points) % 2
    angle, radius = rng.uniform(0, 2 * np.pi, points), 1 + label + rng.normal(0, 0.2, points)
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1), label


rng = np.random.default_rng(0)
data = wlnn.Dataset(*rings(rng), *rings(rng), source={"law": "two rings of radius 1 and 2"})
grid = wlnn.Grid(wlnn.Axis("ln train loss", -4.0, 1.0, 50), wlnn.Axis.counts("test accuracy", 24))
task = wlnn.Task("rings", data, wlnn.FNN((2, 5, 3, 2), "tanh"), grid)

if __name__ == "__main__":
    landscape = wlnn.sample(task.problem(), wlnn.WLMCSettings(steps=1_000_000, stages=100))
    wlnn.plot_landscape(landscape).figure.savefig("rings.png")
