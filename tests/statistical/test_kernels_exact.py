"""The kernels for graphics cards, compiled for the CPU, judged by an exact distribution that motion
must not change; and broken ones, which the judge must catch.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from compiled_kernels import HostOfKernels, compiled

from wlnn.reference.judges import wlmd as judge
from wlnn.tasks.field import Field
from wlnn.wlmd import kernels

WRONG = {
    "one key for all walkers": ("keys[r, 0], keys[r, 1]", "keys[0, 0], keys[0, 1]"),
    "a call that stands still": ("calls + acted - 1", "calls"),
    "one number for four": ("a, b, c = b, c, d", "pass"),
    "force of the wrong sign": ("hi[k], -own.dt, first", "hi[k], own.dt, first"),
    "no second flight": ("own.dt - first)", "0.0)"),
    "table of the first walker without walls": (
        "slope(tables[r], surface, here, there)",
        "slope(tables[0], surface, max(here, surface.walls.x_low), there)",
    ),
}


def moved_by(module):
    """The sampler by those kernels."""

    def walk_numpy(xp, problem, theta, v, table, surface, motion, volumes, rngs, trace):
        device = HostOfKernels()
        field = Field(device, problem.evaluate, problem.backward, problem.lo, problem.hi)
        tables, noise = np.repeat(table[None], len(theta), 0), device.noise(rngs, len(theta))
        return module.walk(xp, field, theta, v, tables, surface, motion, volumes, noise, trace)

    return SimpleNamespace(walk_numpy=walk_numpy)


@pytest.mark.slow
def test_kernels_keep_the_exact_distribution():
    verdict = judge.exact_start(wlmd=moved_by(compiled(kernels)))
    assert verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_broken_kernels_are_caught(name):
    verdict = judge.exact_start(wlmd=moved_by(compiled(kernels, *WRONG[name])))
    assert not verdict.passed, verdict
