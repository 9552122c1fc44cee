"""A problem on a device: its functions and its box there, tried before anything long begins.

Nothing here moves; samplers walk by what :class:`Field` holds, and know no library of arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from wlnn.backend.device import CPU, Host, device_of
from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.tasks.problem import Problem
from wlnn.tasks.uncompiled import uncompiled_motion

FEW = 8  # walkers, below which it is told that more would cost little


class Field(NamedTuple):
    """What walks by the definitions read of a problem, in the memory of one device."""

    device: Host
    evaluate: Callable
    backward: Callable
    lo: np.ndarray  # (P,), as all that the two functions hold in the memory of the device
    hi: np.ndarray
    most: int = 2**62  # walkers that fit into the memory

    @property
    def compiled(self) -> bool:
        """Whether the compiled twins, which the CPU alone has, may take the definition's place."""
        return self.device is CPU

    def pace(
        self, problem: Problem, walkers: int, calls: int, together: int = 1, trial=None
    ) -> tuple[str, ...]:
        """What to tell before walkers move there, as notes.

        On the CPU a problem without a compiled form makes ``calls`` steps in all, each of
        ``together`` walkers at once; ``trial`` as of :func:`uncompiled_motion`.
        """
        if self.compiled:
            return uncompiled_motion(problem, calls, together, trial)
        few = (
            f"{walkers} walker{'s move' if walkers > 1 else ' moves'} at a time on "
            f"{self.device.name}, where a step of many costs hardly more: take --walkers 64 or so"
        )
        plain = f"without kernels a step takes longer there: {self.device.no_kernels}"
        return (few,) * (walkers < FEW) + (plain,) * bool(self.device.no_kernels)

    def measured(self, theta: np.ndarray) -> tuple[np.ndarray, ...]:
        """x, y and the true accuracy (0 where there is none) of ``theta (R, P)``, in NumPy."""
        device = self.device
        with device.using():
            x, y, accuracy, _ = self.evaluate(device.xp, device.put(theta))
            return tuple(map(device.host, (x, y, 0.0 * x if accuracy is None else accuracy)))


def field_of(problem: Problem, device: Host = CPU) -> Field:
    """The problem on a device.

    Raises:
        UserError: it can be evaluated in NumPy only.
    """
    if device is CPU:
        return Field(CPU, *_with_prior(problem, np.asarray), problem.lo, problem.hi)
    if problem.elsewhere is None:
        raise UserError(
            f"'{problem.name}' runs on the CPU alone: it has no 'elsewhere' (see Problem), which "
            f"brings its data to {device.name}; leave out the device."
        )
    functions = _with_prior(problem, device.put, *problem.elsewhere(device.put))
    return Field(device, *functions, device.put(problem.lo), device.put(problem.hi))


def _with_prior(problem: Problem, put, evaluate=None, backward=None) -> tuple[Callable, Callable]:
    """The two functions, whose gradient is that of ux x + uy y + |theta / sigma|^2 / 2.

    Motion at temperature 1 along it samples exp(-U) times the Gaussian prior. Those of a box, where
    nothing is added, are what they were. Compiled twin: ``networks.compiled.prior``.
    """
    evaluate, backward = evaluate or problem.evaluate, backward or problem.backward
    if not problem.sigma.size:
        return evaluate, backward
    stiffness = put(1 / problem.sigma**2)

    def with_theta(xp, theta):
        *values, tape = evaluate(xp, theta)
        return *values, (theta, tape)

    def with_force(xp, tape, ux, uy):
        theta, tape = tape
        return backward(xp, tape, ux, uy) + stiffness * theta

    return with_theta, with_force


def field_on(problem: Problem, device, walkers: int = 1, own: int = 0, directory=None) -> Field:
    """The problem on the device of that name, tried there with one walker and with two.

    Args:
        device: a name, as ``wlnn.backend.device.device_of`` reads it; None is the CPU.
        walkers: how many are to move at a time.
        own: bytes that each of them needs beside its parameters: a table, records.
        directory: of the run, whose run.json keeps what it ran on; None keeps nothing.

    Raises:
        DeviceError: no such device, too little memory for all walkers at a time, or a network of
            somebody's own that runs in NumPy only.
        UserError: a problem that runs in NumPy only.
    """
    device = device_of(device)
    if device is CPU:
        return field_of(problem)
    if problem.backward is None:
        raise UserError(
            f"'{problem.name}' has no gradient, and what moves without one runs on the CPU alone; "
            "leave out the device."
        )
    with device.using():
        field = field_of(problem, device)

        def work(n: int) -> None:
            theta = device.put(problem.start(np.random.default_rng(0), n))
            ones = device.put(np.ones(n))
            *_, tape = field.evaluate(device.xp, theta)
            field.backward(device.xp, tape, ones, ones)

        # of every parameter a step holds more: velocity, noise, what a lost walker goes back to
        own += 12 * 8 * problem.n_parameters
        most = device.room(work, walkers, own, f"walkers of '{problem.name}'")
    if directory is not None:
        store.enter(directory, store.versions() | {"device": device.about})
    return field._replace(most=most)
