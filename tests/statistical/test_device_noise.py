"""The noise of devices, judged by an exact distribution that motion must not change, in NumPy; and
broken generators, which the judge must catch.
"""

from types import SimpleNamespace

import numpy as np
import pytest

from wlnn.backend.noise import Philox
from wlnn.reference.judges import wlmd as judge
from wlnn.wlmd import walk as wlmd


def moved_by(make):
    """The sampler with a generator of keys ``(R, 2)`` in the place of NumPy's."""

    def walk_numpy(xp, problem, theta, v, table, surface, motion, volumes, rngs, trace):
        noise = make(rngs[0].integers(0, 2**32, (len(theta), 2), np.uint64))
        how = table, surface, motion, volumes, [noise], trace
        return wlmd.walk_numpy(xp, problem, theta, v, *how)

    return SimpleNamespace(walk_numpy=walk_numpy)


class Frozen(Philox):
    """The counter of calls stands still."""

    def standard_normal(self, shape, dtype="float64"):
        self.calls, self.waiting = 0, []
        return super().standard_normal(shape, dtype)


class Wide(Philox):
    """Variance 1.05."""

    def standard_normal(self, shape, dtype="float64"):
        return 1.05**0.5 * super().standard_normal(shape, dtype)


class Twice(Philox):
    """Both numbers of a pair are the same."""

    def standard_normal(self, shape, dtype="float64"):
        found = super().standard_normal(shape, dtype)
        found[:, 1::2] = found[:, : found.shape[1] - found.shape[1] % 2 : 2]
        return found


WRONG = {
    "one key for all walkers": lambda keys: Philox(np, np.repeat(keys[:1], len(keys), 0)),
    "a counter that stands still": lambda keys: Frozen(np, keys),
    "5 % too wide": lambda keys: Wide(np, keys),
    "one number twice": lambda keys: Twice(np, keys),
}


@pytest.mark.slow
def test_the_noise_keeps_the_exact_distribution():
    verdict = judge.exact_start(wlmd=moved_by(lambda keys: Philox(np, keys)))
    assert verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", WRONG)
def test_broken_noise_is_caught(name):
    verdict = judge.exact_start(wlmd=moved_by(WRONG[name]))
    assert not verdict.passed, verdict
