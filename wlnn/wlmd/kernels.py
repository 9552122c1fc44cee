"""A step of R walkers on a graphics card in four kernels and a network, and the walk made of them.

The kernels call the compiled functions of the CPU (``driver.py``, ``integrator_loop.py``) as they
are: what is new here is how threads share the work, no formula. Twin of ``walk.walk_numpy``, which
runs where there are no kernels. Only a device that has them loads this file.
"""

from __future__ import annotations

import math

import numpy as np
from numba import cuda, float64, int64

from wlnn.backend.noise_kernel import normals
from wlnn.wlmd.driver import _add_rank_one, _hill, _image, _peak, _place, slope
from wlnn.wlmd.integrator import DIVERGED, FINE, STOPPED, Motion
from wlnn.wlmd.integrator_loop import _first_flight, _fly, _thermostat

LANES = 128  # threads of a block, a power of two
DRAWN = 4  # numbers of one counter of Philox, and so the parameters of a thread


@cuda.jit
def feel(tables, surface, x, y, sound, clock, ux, uy):
    """Begin a step: the gradient of table and walls at x, y ``(R,)``; a thread for each walker.

    tables ``(R, nx, ny)``. A lost walker, whose x may be no number, feels none. Changed in place:
    ux, uy, and clock ``(R,)``, the number of the step, -1 before the first.
    """
    r = cuda.grid(1)
    if r < x.shape[0]:
        clock[r] += 1
        here, there = float(x[r]), float(y[r])
        ux[r], uy[r] = math.nan, math.nan
        if not sound[r]:
            ux[r], uy[r] = 0.0, 0.0
        elif not (math.isnan(here) or math.isnan(there)):
            ux[r], uy[r] = slope(tables[r], surface, here, there)


@cuda.jit
def move(theta, v, gradient, lo, hi, motion, dt, keys, calls, clock, sound, begun, begun_v):
    """Kick, flight and thermostat of theta, v ``(R, P)``, in place; four parameters a thread.

    ``gradient (R, P)`` is minus the force; dt ``(R,)`` takes the place of that of ``motion``.
    ``calls`` is how often noise was asked for before the first step. A lost walker goes back to
    where it began. Blocks: ``(R, parts of P)``.
    """
    r, n = cuda.blockIdx.x, theta.shape[1]
    place = cuda.blockIdx.y * cuda.blockDim.x + cuda.threadIdx.x
    own = Motion(dt[r], motion.keep, motion.every, motion.half_drifts, motion.hottest)
    acted = (clock[r] + 1) // own.every
    noisy = (clock[r] + 1) % own.every == 0
    first = _first_flight(own, noisy)
    if DRAWN * place < n:
        a, b, c, d = np.float32(0), np.float32(0), np.float32(0), np.float32(0)
        if noisy and sound[r]:
            a, b, c, d = normals(place, calls + acted - 1, keys[r, 0], keys[r, 1])
        for k in range(DRAWN * place, min(DRAWN * (place + 1), n)):
            at, speed = theta[r, k : k + 1], v[r, k : k + 1]
            if not sound[r]:
                at[0], speed[0] = begun[r, k], begun_v[r, k]
                continue
            _fly(at, speed, gradient[r, k : k + 1], lo[k], hi[k], -own.dt, first)
            if noisy:
                _thermostat(speed, (a,), own.keep)
                _fly(at, speed, gradient[r, k : k + 1], lo[k], hi[k], 0.0, own.dt - first)
            a, b, c = b, c, d


@cuda.jit(device=True)
def temperature(v):
    """Mean squared velocity of v ``(P,)``, the same for every thread of a block of ``LANES``."""
    lane = cuda.threadIdx.x
    parts = cuda.shared.array(LANES, float64)
    total = 0.0
    for k in range(lane, v.shape[0], LANES):
        total += v[k] * v[k]
    parts[lane] = total
    cuda.syncthreads()
    half = LANES // 2
    while half > 0:
        if lane < half:
            parts[lane] += parts[lane + half]
        cuda.syncthreads()
        half //= 2
    return parts[0] / v.shape[0]


@cuda.jit
def record(x, y, accuracy, v, hottest, clock, trace, steps, sound):
    """Write a row of trace ``(R, n, 4)``; who was sound has made a step, and is it still? In place.

    x, y, accuracy, steps, sound ``(R,)``; a block of ``LANES`` threads for each walker.
    """
    r = cuda.blockIdx.x
    kinetic = temperature(v[r])
    if cuda.threadIdx.x == 0:
        row = trace[r, clock[r]]
        row[0], row[1], row[2], row[3] = x[r], y[r], accuracy[r], kinetic
        if sound[r]:
            steps[r] += 1
            sound[r] = math.isfinite(x[r]) and math.isfinite(y[r]) and kinetic < hottest


@cuda.jit
def leave_hills(tables, surface, x, y, sound, clock, volumes, along_x, along_y):
    """Add one hill of ``volumes[clock]`` to each table ``(R, nx, ny)``; a block for each walker.

    Every walker has its own table, so nothing is added to by two. Work arrays ``(R, nx)``, ``(R,
    ny)``. A lost walker, or one outside the table, leaves none.
    """
    r, lane, lanes = cuda.blockIdx.x, cuda.threadIdx.x, cuda.blockDim.x
    ends = cuda.shared.array(4, int64)
    p, q, within = _place(surface, float(x[r]), float(y[r]))
    volume = volumes[clock[r]]
    if not (within and sound[r] and volume > 0.0):  # the same for all threads of a block
        return
    weight = _peak(surface, volume)
    images = 3 if surface.mirror else 1
    for a in range(images):
        for b in range(1 if surface.ny == 1 else images):
            if lane == 0:
                ends[0], ends[1] = _hill(
                    _image(p, surface.nx, a), surface.x_per_bin, surface.nx, surface, along_x[r]
                )
            if lane == lanes - 1:  # of another warp, at the same time
                if surface.ny == 1:
                    ends[2], ends[3], along_y[r, 0] = 0, 1, 1.0
                else:
                    ends[2], ends[3] = _hill(
                        _image(q, surface.ny, b), surface.y_per_bin, surface.ny, surface, along_y[r]
                    )
            cuda.syncthreads()
            rows, columns = max(ends[1] - ends[0], 0), max(ends[3] - ends[2], 0)
            for c in range(lane, rows * columns, lanes):
                i, j = ends[0] + c // columns, ends[2] + c % columns
                _add_rank_one(tables[r], along_x[r], i, i + 1, along_y[r], j, j + 1, weight)
            cuda.syncthreads()  # before the next image takes the place of this one


class Movement:
    """What moves R walkers by :func:`move`, whatever the force comes from.

    Args:
        xp: the array library.
        problem: a ``Field``, whose device has kernels.
        theta, v: ``(R, P)``; copies of them move: ``here`` and ``speed``.
        motion: constants; its dt is a number or ``(R, 1)``.
        noise: a :class:`wlnn.backend.noise.Philox`, or None for no thermostat.
        steps: to be made.
    """

    def __init__(self, xp, problem, theta, v, motion, noise, steps: int):
        walkers, n = theta.shape
        self.launch = problem.device.kernels
        view = self.launch.view
        self.here, self.speed = theta.copy(), v.copy()
        self.sound, self.clock = xp.ones(walkers, dtype=bool), xp.full(walkers, -1, dtype="int64")
        self.views = view(self.sound), view(self.clock)
        dt = (motion.dt * xp.ones((walkers, 1))).ravel()
        calls = noise.skip(steps // motion.every) if noise else 0
        keys = noise.keys if noise else xp.zeros((walkers, 2), dtype="uint64")
        self.blocks = walkers, -(-n // (DRAWN * LANES))
        self.theta, self.v = view(self.here), view(self.speed)
        self.box = view(problem.lo), view(problem.hi)
        self.how = motion._replace(dt=0.0), view(dt), view(keys), calls
        self.begun = view(theta.copy()), view(v.copy())

    def __call__(self, gradient) -> None:
        """One step, ``gradient (R, P)`` being minus the force."""
        sound, clock = self.views
        self.launch(
            move, self.blocks, LANES, self.theta, self.v, self.launch.view(gradient), *self.box,
            *self.how, clock, sound, *self.begun,
        )  # fmt: skip


def walk(xp, problem, theta, v, tables, surface, motion, volumes, rngs, trace, stop=(0,)):
    """R walkers, ``n`` steps: twin of :func:`wlnn.wlmd.walk.walk_numpy`, with its arguments.

    tables ``(R, nx, ny)``, one for each walker; ``problem`` a ``Field`` on a device with kernels;
    rngs: one ``Philox``, or none. Returns (steps made, how they ended), both ``(R,)``. Nothing is
    read back while it runs.
    """
    walkers, noise = len(theta), rngs[0] if len(rngs) else None
    mover = Movement(xp, problem, theta, v, motion, noise, len(volumes))
    launch, (sound, clock) = mover.launch, mover.views
    view = launch.view
    ux, uy, none = xp.empty(walkers), xp.empty(walkers), xp.zeros(walkers)
    steps = xp.zeros(walkers, dtype=int)
    felt, rows, made, hills = view(tables), view(trace), view(steps), view(xp.asarray(volumes))
    work = view(xp.empty((walkers, surface.nx))), view(xp.empty((walkers, surface.ny)))
    x, y, accuracy, tape = problem.evaluate(xp, mover.here)
    place, slope_of = (view(x), view(y)), (view(ux), view(uy))
    for volume in volumes:
        # 1. force, 2. move
        launch(feel, -(-walkers // LANES), LANES, felt, surface, *place, sound, clock, *slope_of)
        mover(problem.backward(xp, tape, ux, uy))
        # 3. where are we now, and are we still sound
        x, y, accuracy, tape = problem.evaluate(xp, mover.here)
        place = view(x), view(y)
        right = view(none if accuracy is None else accuracy)
        launch(
            record, walkers, LANES, *place, right, mover.v, motion.hottest, clock, rows, made, sound
        )
        # 4. raise S here
        if volume > 0:
            launch(leave_hills, walkers, LANES, felt, surface, *place, sound, clock, hills, *work)
        if stop[0]:
            return steps, xp.full(walkers, STOPPED)
    theta[...], v[...] = mover.here, mover.speed
    return steps, xp.where(mover.sound, FINE, DIVERGED)
