"""Motion at a temperature on a graphics card: the kernels of ``wlmd.kernels``, in the loss.

The means of a record are added by the compiled function of the CPU (``langevin_loop.py``). Twin of
``langevin.walk_numpy``, which runs where there are no kernels. Only a device that has them loads
this file.
"""

from __future__ import annotations

import math

from numba import cuda

from wlnn.canonical.columns import ACCURACY, ENERGY, LOSS, X, Y
from wlnn.canonical.langevin_loop import _add
from wlnn.wlmd.integrator import DIVERGED, FINE, STOPPED, energy
from wlnn.wlmd.kernels import LANES, Movement, temperature


@cuda.jit
def feel_loss(x, heat, clock, ux):
    """Begin a step: ux = L / T ``(R,)``, L = exp(x); a thread for each walker. In place: clock."""
    r = cuda.grid(1)
    if r < x.shape[0]:
        clock[r] += 1
        ux[r] = math.exp(x[r]) / heat[r]


@cuda.jit
def average(x, y, accuracy, u, hottest, count, means, sound):
    """Add a step to the means of each walker, ``count`` steps in all; is it still sound?

    x, y, accuracy, hottest, sound ``(R,)``; u ``(R, P)``; means ``(R, N_COLUMNS)``, a block of
    ``LANES`` threads for each walker.
    """
    r = cuda.blockIdx.x
    kinetic = temperature(u[r])
    if cuda.threadIdx.x == 0:
        _add(means[r], x[r], y[r], accuracy[r], kinetic, count)
        sound[r] = sound[r] and math.isfinite(x[r]) and kinetic < hottest[r]


def walk(xp, problem, theta, u, heat, motion, steps, rngs, hottest, records, stop=(0,)):
    """R walkers, ``steps`` steps: twin of :func:`wlnn.canonical.langevin.walk_numpy`.

    Its arguments, with ``heat`` the temperatures ``(R,)``; ``problem`` a ``Field`` on a device with
    kernels; rngs: one ``Philox``, or none. Returns how each walker ended, ``(R,)``. Nothing is read
    back while it runs.
    """
    walkers, noise = len(theta), rngs[0] if len(rngs) else None
    scaled = motion._replace(dt=motion.dt * xp.sqrt(heat)[:, None])  # of u
    mover = Movement(xp, problem, theta, u, scaled, noise, steps)
    launch, (sound, clock) = mover.launch, mover.views
    view = launch.view
    records[:, LOSS:] = 0.0
    ux, none = xp.empty(walkers), xp.zeros(walkers)
    felt, limit, means = view(heat), view(hottest), view(records)
    x, y, accuracy, tape = problem.evaluate(xp, mover.here)
    for k in range(steps):
        # 1. force in units of T, 2. move
        launch(feel_loss, -(-walkers // LANES), LANES, view(x), felt, clock, view(ux))
        gradient = problem.backward(xp, tape, ux, none)
        if k == 0:
            records[:, X], records[:, Y] = x, y
            records[:, ACCURACY] = 0.0 if accuracy is None else accuracy
            records[:, ENERGY] = heat * energy(mover.speed, -gradient, scaled.dt, ux)
        mover(gradient)
        # 3. where are we now
        x, y, accuracy, tape = problem.evaluate(xp, mover.here)
        right = view(none if accuracy is None else accuracy)
        launch(
            average, walkers, LANES, view(x), view(y), right, mover.v, limit, steps, means, sound
        )
        if stop[0]:
            return xp.full(walkers, STOPPED)
    theta[...], u[...] = mover.here, mover.speed
    return xp.where(mover.sound, FINE, DIVERGED)
