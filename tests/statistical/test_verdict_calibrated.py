"""Runs called publishable are as right as their intervals say; short runs are not called so.

Exact masses of three cases, and the network of the first command of the README.
"""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.landscape.verdict import PUBLISHABLE, verdict_of
from wlnn.reference.cases import maxnorm, rare_corner, ternary_perceptron
from wlnn.reference.judges.wlmc_run import COMMON, run
from wlnn.settings.tables import read_table
from wlnn.tasks.catalogue import load_task
from wlnn.wlmc.run import sample

pytestmark = pytest.mark.slow
CASES = ((maxnorm, 0.25), (ternary_perceptron, 0.5), (rare_corner, 0.5))
LENGTHS = (10_000, 30_000, 100_000)


def test_publishable_runs_are_off_by_more_than_their_interval_in_few_bins():
    """At most 7 % of bins, of three cases and lengths, seeds 0 to 9; 5 % is what 95 % promises."""
    off = []
    for module, width in CASES:
        case, mass = module.problem(), module.masses(module.problem())
        for steps in LENGTHS:
            for seed in range(10):
                found = run(
                    case, seed=seed, steps=steps, **COMMON, stages=100, walkers=8,
                    step_width=width, anchor_draws=10_000,
                )  # fmt: skip
                if verdict_of(found).word == PUBLISHABLE:
                    bins = (mass > 0) & found.reliable
                    error = np.hypot(found.error[bins], found.meta.get("anchor_error", 0.0))
                    z = (found.entropy[bins] - np.log(mass[bins])) / error
                    off.append(np.mean(np.abs(z) > found.t_factor()))
    assert len(off) > 50
    assert np.mean(off) <= 0.07, np.mean(off)


@pytest.mark.parametrize("seed", range(3))
def test_a_tenth_of_the_default_length_is_not_publishable(seed):
    settings = read_table("spiral-classify").wlmc
    short = replace(settings, steps=settings.steps // 10, seed=seed)
    found = sample(load_task("spiral-classify").problem(), short, threads=2)
    assert verdict_of(found).word != PUBLISHABLE
