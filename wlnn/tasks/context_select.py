"""Context-dependent input selection as a problem for the Wang-Landau samplers.

Parameters theta = (w, m, a) of N units are uniform in a box and x = ln L. Two networks: gated
linear units, whose loss needs only the task matrix M, and ReLU units with a fixed set of inputs.
The compiled systems are in ``networks/compiled/context_units.py``. Nothing is sampled here.
"""

from __future__ import annotations

import math

import numpy as np

from wlnn.base.checks import check_contexts, check_scale
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.context import ContextNetwork, linear_loss, relu_loss
from wlnn.settings.tables import Settings
from wlnn.tasks.problem import Problem

NETS = ("gain-linear", "relu")
X_NAME, X_LO, X_HI, X_BINS = "ln train loss", -8.0, 2.0, 100


def fixed_inputs(contexts: int, inputs: int, input_scale: float, seed: int) -> np.ndarray:
    """``inputs`` draws of N(0, s_x^2 I) in pairs +-x, (inputs, K)."""
    if inputs < 2 or inputs % 2:
        raise UserError(f"inputs = {inputs}: they come in pairs +-x; give an even number.")
    x = input_scale * np.random.default_rng(seed).standard_normal((inputs // 2, contexts))
    return np.concatenate([x, -x])


def context_problem(
    contexts: int,
    units: int,
    *,
    half_width: float = 2.0,
    net: str = "gain-linear",
    gated: bool = True,
    inputs: int = 16,
    input_scale: float = 0.3,
    input_seed: int = 0,
    grid: Grid | None = None,
) -> Problem:
    """theta = (w, m, a) in [-half_width, half_width], x = ln L, the task of K contexts.

    Args:
        contexts, units: K and N.
        half_width: b, of every parameter.
        net: ``gain-linear`` (L = (1/K) |M - I|^2) or ``relu`` (mean squared error over ``inputs``
            fixed inputs +-x of scale ``input_scale``, in units of its square).
        gated: False leaves the context weights out (every unit always active; gain-linear only).
        grid: macrostates; 100 bins of ln L in [-8, 2] if None.

    Raises:
        UserError: sizes, scales or names that make no sense.
    """
    K, b = check_contexts(contexts), check_scale(half_width, "box")
    if units < 1:
        raise UserError(f"units = {units}: give at least 1.")
    if net not in NETS or (net == "relu" and not gated):
        raise UserError(f"net = '{net}': choose {' or '.join(NETS)} (a relu net is always gated).")
    network = ContextNetwork(K, units, net, gated)
    about = {"task": "context-select", "network": network.describe()}
    about |= {"parameters": network.layout.size, "x": "ln-train-loss", "half_width": b}
    if net == "relu":
        scale = check_scale(input_scale, "input scale")
        x = fixed_inputs(K, inputs, scale, input_seed)
        about |= {"inputs": inputs, "input_scale": scale, "input_seed": input_seed}

        def loss(drawn):
            return relu_loss(drawn, x, scale)

        def system(precision):
            from wlnn.networks.compiled.context_units import ReluUnits

            B = len(x)
            caches = (np.zeros((units, B)), np.zeros((K, B)), np.zeros(B), np.zeros((K, B)))
            return ReluUnits(units, x, scale, *caches)
    else:
        loss = linear_loss

        def system(precision):
            from wlnn.networks.compiled.context_units import GatedLinear

            return GatedLinear(units, gated, np.zeros((K, K)), np.zeros((K, K)))

    def observe(theta):
        value = loss(network.split(theta))
        return (math.log(value) if value > 0 else -math.inf), 0.0

    box = np.full(network.layout.size, b)
    axis = Axis(X_NAME, X_LO, X_HI, X_BINS)
    return Problem(
        name=f"context-select-{net}-k{K}-n{units}",
        lo=-box,
        hi=box,
        grid=Grid(axis, Axis.single()) if grid is None else grid,
        observe=observe,
        system=system,
        about=about,
        network=network,
    )


def problem_of_settings(settings: Settings) -> Problem:
    """The task ``context-select`` of the registry: sections ``context`` and ``grid``.

    Raises:
        UserError: an odd number of inputs.
    """
    context, grid = settings.context, settings.grid
    x = Axis.of_width(X_NAME, grid.x_low, grid.x_high, grid.x_width)
    return context_problem(
        context.contexts,
        context.units,
        half_width=context.box,
        net=context.net,
        inputs=context.inputs,
        input_scale=context.input_scale,
        input_seed=context.input_seed,
        grid=Grid(x, Axis.single()),
    )
