"""What each kernel must compute, by the text that runs in NumPy; run by ``simulated.py``.

The broken kernels that must fail here are in ``kernel_mutants.py``. Tolerances: the simulator does
the arithmetic of NumPy, so what is left is the order of sums, 1e-13, and where numbers are in
single precision 1e-6 of them.
"""

import numpy as np

from wlnn.backend.noise import Philox
from wlnn.canonical.columns import LOSS, N_COLUMNS
from wlnn.wlmd.integrator import Motion, kinetic_temperature, langevin_step
from wlnn.wlmd.surface import Surface, Walls, deposit, slope, wall_slope

WALLS = Walls(-4.0, -1.0, -4.0, 2.0)
SURFACES = {  # mirrored ones have hills that reach over both edges
    "plane": Surface(-5.0, 10.0, 50, -5.0, 8.0, 56, 0.3, 0.9, 0, WALLS),
    "mirrored": Surface(-5.0, 4.0, 9, -5.0, 5.0, 11, 0.8, 3.2, 1, WALLS),
    "narrow hills": Surface(-5.0, 4.0, 19, -5.0, 5.0, 21, 0.3, 0.9, 1, WALLS),  # some images empty
    "line": Surface(-5.0, 10.0, 50, 0.0, 0.0, 1, 0.3, 0.9, 0, WALLS),
}
HILLS = np.array([0.5, 0.0, 2.0])  # of three steps
DOUBLE, SINGLE = {"rtol": 1e-13, "atol": 1e-13}, {"rtol": 1e-6, "atol": 1e-6}
close = np.testing.assert_allclose
ANSWERS = (  # Random123's words for philox4x32-10: counter, key, output
    ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
)


def points(surface, walkers, rng):
    """Points ``(R,)``: most in the table, some beyond the walls, the third outside."""
    x = surface.x_node + rng.uniform(0, surface.nx - 1, walkers) / surface.x_per_bin
    y = rng.uniform(-5, 2, walkers)
    if surface.ny > 1:
        y = surface.y_node + rng.uniform(0, surface.ny - 1, walkers) / surface.y_per_bin
    x[2] = surface.x_node + surface.nx / surface.x_per_bin + 1.0
    return x, y


def check_noise(kernels):
    """Published words, and the numbers of five walkers in three calls, also uniform ones near 1."""
    for counter, key, answer in ANSWERS:
        words = kernels.noise.philox(
            None, tuple(map(np.uint64, counter)), tuple(map(np.uint64, key))
        )
        assert tuple(map(int, words)) == answer
    keys = np.random.default_rng(0).integers(0, 2**32, (5, 2), np.uint64)
    text = Philox(np, keys)
    for call in range(3):
        numbers = np.full((5, 12), np.nan, np.float32)
        kernels.noise.draw[5, 3](keys, call, numbers)
        close(numbers, text.standard_normal((5, 12), np.float32), **SINGLE)
    assert [float(kernels.noise._uniform(np.uint64(word))) for word in (2**32 - 1, 0)] == [
        1.0, 2.0**-33,
    ]  # fmt: skip


def check_feel(kernels):
    """Eleven walkers in two blocks, a table each; two are lost, and one is where nothing is."""
    rng, lost = np.random.default_rng(1), [4, 9]
    for surface in SURFACES.values():
        x, y = points(surface, 11, rng)
        tables = rng.normal(size=(11, surface.nx, surface.ny))
        right = [
            a + b
            for a, b in zip(
                slope(np, tables, surface, x, y), wall_slope(np, surface.walls, x, y), strict=True
            )
        ]
        sound, clock = np.ones(11, bool), np.full(11, 6)
        ux, uy = np.full((2, 11), 7.0)
        sound[lost], x[4], y[9] = False, np.nan, np.nan
        x[7] = np.nan
        kernels.wlmd.feel[2, 8](tables, surface, x, y, sound, clock, ux, uy)
        for found, wanted in zip((ux, uy), right, strict=True):
            wanted[lost], wanted[7] = 0.0, np.nan
            close(found, wanted, rtol=1e-12, atol=1e-12)
        np.testing.assert_array_equal(clock, 7)


def check_hills(kernels):
    """Six walkers in steps with and without hills; one is outside, one is lost."""
    rng = np.random.default_rng(2)
    for surface in SURFACES.values():
        x, y = points(surface, 6, rng)
        sound = np.array([True, True, True, False, True, True])
        tables = rng.normal(size=(6, surface.nx, surface.ny))
        wanted = tables.copy()
        work = np.full((6, surface.nx), np.nan), np.full((6, surface.ny), np.nan)
        for step, lanes in enumerate((8, 4, 2)):
            clock = np.full(6, step)
            kernels.wlmd.leave_hills[6, lanes](
                tables, surface, x, y, sound, clock, HILLS, *work
            )  # fmt: skip
            deposit(np, wanted, surface, x, y, HILLS[step] * sound)
        close(tables, wanted, **DOUBLE)


def check_move(kernels):
    """Five steps of three walkers, two actions of the thermostat, reflections; the last is lost.

    37 parameters are nine threads and a tail, in two blocks.
    """
    keys = np.random.default_rng(3).integers(0, 2**32, (3, 2), np.uint64)
    for half_drifts in (1, 0):
        rng, n = np.random.default_rng(4), 37
        motion = Motion(0.0, 0.9, 2, half_drifts)
        dt = np.array([0.1, 0.3, 0.2])
        lo, hi = -0.5 - 0.01 * np.arange(n), 0.5 + 0.02 * np.arange(n)
        theta, v = rng.uniform(-0.5, 0.5, (3, n)), rng.normal(size=(3, n))
        begun, sound = (theta + 0.01, v + 0.01), np.array([True, True, False])
        right, clock, noise = (theta.copy(), v.copy()), np.full(3, -1), Philox(np, keys)
        for _ in range(2):
            noise.standard_normal((3, n), np.float32)
        for step in range(5):
            clock += 1
            gradient = rng.normal(size=(3, n))
            kernels.wlmd.move[(3, 2), 8](
                theta, v, gradient, lo, hi, motion, dt, keys, 2, clock, sound, *begun
            )
            numbers = None
            if (step + 1) % 2 == 0:
                numbers = noise.standard_normal((3, n), np.float32).astype(float)
            scaled = motion._replace(dt=dt[:, None])
            moved = langevin_step(np, *right, -gradient, numbers, scaled, lo, hi)
            right = [
                np.where(sound[:, None], new, old) for new, old in zip(moved, begun, strict=True)
            ]
            how = DOUBLE if step == 0 else {"rtol": 1e-5, "atol": 1e-5}
            close(theta, right[0], **how)
            close(v, right[1], **how)


def check_record(kernels):
    """Two steps of six walkers: one was lost before, others now, by x, by y, by heat."""
    rng = np.random.default_rng(5)
    v = rng.normal(size=(6, 37))
    v[4] *= 9.0
    x, y, accuracy = rng.normal(size=(3, 6))
    x[1], y[2] = np.nan, np.inf
    trace, clock = np.full((6, 3, 4), 7.0), np.ones(6, int)
    steps, sound = np.array([1, 1, 1, 0, 1, 1]), np.array([True, True, True, False, True, True])
    how = 20.0, clock, trace, steps, sound
    kernels.wlmd.record[6, kernels.wlmd.LANES](x, y, accuracy, v, *how)
    close(trace[:, 1], np.stack([x, y, accuracy, kinetic_temperature(v)], axis=1), **DOUBLE)
    assert (trace[:, ::2] == 7.0).all()
    assert sound.tolist() == [True, False, False, False, False, True]
    assert steps.tolist() == [2, 2, 2, 0, 2, 2]


def check_average(kernels):
    """The force in a loss at a temperature, and the means of two steps of eleven walkers."""
    rng = np.random.default_rng(6)
    x, y, accuracy, heat = *rng.normal(size=(3, 11)), rng.uniform(0.1, 1.0, 11)
    clock, ux = np.full(11, 4), np.full(11, 7.0)
    kernels.canonical.feel_loss[2, 8](x, heat, clock, ux)
    close(ux, np.exp(x) / heat, **DOUBLE)
    np.testing.assert_array_equal(clock, 5)
    u, limit = rng.normal(size=(11, 37)), np.full(11, 20.0)
    limit[3], x[5], x[6] = 0.1, np.nan, np.inf
    means, sound = rng.normal(size=(11, N_COLUMNS)), np.ones(11, bool)
    sound[8] = False
    wanted, loss = means.copy(), np.exp(x)
    kinetic = kinetic_temperature(u)
    wanted[:, LOSS:] += np.stack([loss, loss * loss, x, y, accuracy, kinetic], axis=1) / 2
    kernels.canonical.average[11, kernels.wlmd.LANES](
        x, y, accuracy, u, limit, 2, means, sound
    )  # fmt: skip
    close(means, wanted, **DOUBLE)
    assert np.flatnonzero(~sound).tolist() == [3, 5, 6, 8]


CHECKS = {
    "noise": check_noise, "feel": check_feel, "hills": check_hills, "move": check_move,
    "record": check_record, "average": check_average,
}  # fmt: skip
