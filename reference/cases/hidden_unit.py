"""R8: one hidden unit and squared error, the smallest case with a hidden layer of the real network.

The exact side integrates the output layer in closed form; the sampled side is an ordinary task.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.fnn import FNN
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task

ABOUT = """Layers 1 -> 1 -> 1, theta = (w1, b1, w2, b2) in [-1.5, 1.5]^4, output
w2 act(w1 x + b1) + b2, x = ln(mean squared error). For given (w1, b1) the loss is a quadratic form
of (w2, b2): {L < l} is an ellipse, cut by the box in closed form; the outer two by a Gauss rule.
Proves back-to-front evaluation through a hidden unit, for tanh and for ReLU."""

X_TRAIN, Y_TRAIN = np.array([-1.0, -0.3, 0.4, 1.1]), np.array([-0.7, 0.1, 0.2, 0.9])
HALF_WIDTH = 1.5
X_LO, X_WIDTH, X_BINS = -4.0, 0.4, 18

TABLE = {  # activation: masses of the 18 bins, good to 1e-3
    name: np.array(text.split(), dtype=float)
    for name, text in {
        "tanh": """1.3944e-05 9.1254e-04 4.44418e-03 9.95032e-03 1.620640e-02 2.648876e-02
        4.812335e-02 9.733340e-02 1.2038878e-01 1.4334447e-01 1.6378515e-01 1.6738049e-01
        1.2261775e-01 6.069670e-02 1.763732e-02 6.76434e-04 0 0""",
        "relu": """3.6823e-04 1.19559e-03 2.29295e-03 5.39992e-03 1.089596e-02 1.887829e-02
        3.483826e-02 1.2708494e-01 1.2419563e-01 1.4095239e-01 1.6142789e-01 1.7431957e-01
        1.0860023e-01 4.799280e-02 2.760677e-02 1.183168e-02 2.07927e-03 3.963e-05""",
    }.items()
}
_ACTIVATIONS = {"tanh": np.tanh, "relu": lambda z: np.maximum(z, 0.0)}


def problem(activation: str = "tanh") -> Problem:
    """The case as a task: ``FNN((1, 1, 1), activation)``, squared error, one axis."""
    x = X_TRAIN[:, None]
    data = Dataset(x, Y_TRAIN, x, Y_TRAIN, source={"name": "hidden-unit reference"})
    grid = Grid(Axis("ln train loss", X_LO, X_LO + X_BINS * X_WIDTH, X_BINS), Axis.single())
    network = FNN((1, 1, 1), activation)
    name = f"hidden-unit-{activation}"
    task = Task(name, data, network, grid, y="ln-test-loss", loss="squared-error")
    box = np.full(4, HALF_WIDTH)
    return replace(task.problem(), lo=-box, hi=box)


def _disc_and_polygon(x, y, r2):
    """Area of the disc of squared radius ``r2`` about the origin inside a polygon.

    x, y: coordinates of the corners, anticlockwise, as sequences of arrays. An edge a -> b adds the
    signed area seen from the origin: a sector, the triangle of the part inside, another sector.
    """
    area = 0.0
    for k in range(len(x)):
        ax, ay = x[k - 1], y[k - 1]
        dx, dy = x[k] - ax, y[k] - ay
        length2, middle = dx**2 + dy**2, ax * dx + ay * dy
        root = np.sqrt(np.maximum(middle**2 - length2 * (ax**2 + ay**2 - r2), 0.0))
        inside = []  # the edge between t = inside[0] and inside[1] lies in the disc
        for t in ((-middle - root) / length2, (-middle + root) / length2):
            t = np.clip(t, 0.0, 1.0)
            inside.append((ax + t * dx, ay + t * dy))
        (px, py), (qx, qy) = inside
        area += px * qy - py * qx
        for ux, uy, vx, vy in ((ax, ay, px, py), (qx, qy, x[k], y[k])):
            area += r2 * np.arctan2(ux * vy - uy * vx, ux * vx + uy * vy)
    return area / 2


def masses(activation: str = "tanh", nodes: int = 240) -> np.ndarray:
    """Exact box fraction of every bin, shape ``(18, 1)``; 2 seconds with 240 nodes a side.

    With hidden values h_k, s = b2 - mean(y - w2 h) and u = sqrt(var h) (w2 - w2*), the loss is
    s^2 + u^2 + (what the best w2* leaves): a disc, and the box of (w2, b2) is a parallelogram.
    """
    point, weight = np.polynomial.legendre.leggauss(nodes)
    point, weight = HALF_WIDTH * point, weight / 2
    z = point[:, None, None] * X_TRAIN + point[:, None]
    hidden = _ACTIVATIONS[activation](z)  # (w1, b1, N)
    spread = hidden.var(axis=-1) + 1e-14  # a dead ReLU makes the disc a strip
    both = (hidden * (Y_TRAIN - Y_TRAIN.mean())).mean(axis=-1)
    least = Y_TRAIN.var() - both**2 / spread
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]) * HALF_WIDTH
    u = [np.sqrt(spread) * (w2 - both / spread) for w2, _ in corners]
    s = [b2 - Y_TRAIN.mean() + w2 * hidden.mean(axis=-1) for w2, b2 in corners]
    area_unit = weight[:, None] * weight / np.sqrt(spread) / (2 * HALF_WIDTH) ** 2
    below = [
        (area_unit * _disc_and_polygon(u, s, np.maximum(limit - least, 0.0))).sum()
        for limit in np.exp(X_LO + X_WIDTH * np.arange(X_BINS + 1))
    ]
    return np.diff(below)[:, None]
