"""What to tell of a problem that runs as plain Python: its pace, the whole run, and what helps.

A few evaluations are timed before a run begins; nothing is sampled, and no bit depends on them.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.progress import duration
from wlnn.networks.fnn import FNN
from wlnn.networks.layered import LayerNetwork
from wlnn.tasks.problem import Problem

PACED, SECONDS = 20, 0.5  # most calls that tell the pace, and the time after which they end
TRIED, QUICK = (
    100,
    5e-3,
)  # steps of a trial, and the pace from which on what else a step does counts
LONG = 10.0  # seconds of a run from which on it is told
ITEMS = "an FNN, or a list of layers (wlnn.LayerNetwork)"
TURNED = f"what has one is {ITEMS}: wlnn.torch.from_torch makes either of a module of PyTorch"


def uncompiled(
    problem: Problem, steps: int, trial: Callable[[int], int | None] | None = None
) -> tuple[str, ...]:
    """Notes before so many steps of Monte Carlo, of all walkers.

    ``trial(n)`` makes n steps that are thrown away, or as many as it returns: where ``observe`` is
    quick, most of a step is what is around it.
    """
    if problem.system is not None or hasattr(problem.observe, "py_func"):
        return ()
    middle = (problem.lo + problem.hi) / 2
    what = "observe is plain Python"
    if problem.network is not None:
        what = "this network and y have no compiled form for Monte Carlo"
    helps = _of_monte_carlo(problem)
    return _told(lambda: problem.observe(middle), trial, steps, "a step", what, helps)


def uncompiled_motion(
    problem: Problem,
    calls: int,
    together: int = 1,
    trial: Callable[[int], int | None] | None = None,
) -> tuple[str, ...]:
    """Notes before so many steps along the gradient, each of ``together`` walkers at once.

    ``trial`` as of :func:`uncompiled`.
    """
    if problem.gradient_system is not None:
        return ()
    theta = np.repeat(problem.start(np.random.default_rng(0), 1), together, axis=0)
    ones = np.ones(together)

    def step() -> None:
        *_, tape = problem.evaluate(np, theta)
        problem.backward(np, tape, ones, ones)

    what = f"this {'problem' if problem.network is None else 'network'} has no compiled gradient"
    of_all = "a step" if together == 1 else f"a step of all {together} walkers"
    return _told(step, trial, calls, of_all, what, _of_motion(problem))


def _told(call: Callable, trial, calls: int, unit: str, what: str, helps: str) -> tuple[str, ...]:
    with np.errstate(all="ignore"):
        call()  # the first may load and allocate
        begun, n = time.perf_counter(), 0
        while n < PACED and time.perf_counter() - begun < SECONDS:
            call()
            n += 1
        pace = (time.perf_counter() - begun) / n
        if trial is not None and pace < QUICK:
            begun = time.perf_counter()
            with suppress(UserError):  # the run itself will tell
                made = trial(TRIED) or TRIED
                pace = max(pace, (time.perf_counter() - begun) / made)
    if pace * calls < LONG:
        return ()
    said = f"{1e6 * pace:.0f} us" if pace < 1e-2 else f"{1e3 * pace:.0f} ms"
    return (f"{what}: {said} {unit}, about {duration(pace * calls)} of one core for all; {helps}",)


def _of_monte_carlo(problem: Problem) -> str:
    """What would have a compiled form: an ``FNN`` with another y, or a function by Numba."""
    network = problem.network
    if network is None:
        return "compiled with numba.njit it takes far less"
    if isinstance(network, FNN):
        return (
            "an FNN has one for y = test-accuracy or ln-test-loss, and for y = smoothed-accuracy "
            "along its gradient: --sampler ladder or wlmd"
        )
    along = "--sampler ladder or wlmd with y = smoothed-accuracy or ln-test-loss"
    if isinstance(network, LayerNetwork):
        return f"a list of layers has one along its gradient alone: {along}"
    return (
        "what has one is an FNN, or a Problem whose observe is compiled with numba.njit, and along "
        f"the gradient ({along}) a list of layers (wlnn.LayerNetwork); wlnn.torch.from_torch makes "
        "FNN or layers of a module of PyTorch"
    )


def _of_motion(problem: Problem) -> str:
    """What would have a compiled gradient."""
    network = problem.network
    if network is None:
        return f"what has one is a Task whose network is {ITEMS}"
    if isinstance(network, FNN):
        return "an FNN with a hidden layer has one"
    if isinstance(network, LayerNetwork):
        return (
            "a list of layers has one that begins with dense or conv, ends with dense, and whose "
            "pools are read by nothing else beside them"
        )
    return TURNED
