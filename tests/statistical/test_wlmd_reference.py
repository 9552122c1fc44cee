"""Molecular dynamics against exact cases; judges and limits are in ``reference/judges/wlmd.py``.

Right samplers fail E once in 1e5 seeds; the limits of the runs are about twice what right ones
reach. Seeds are 0, chosen once.
"""

import pytest

from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.reference.judges import wlmd as wlmd_judge
from wlnn.reference.judges import wlmd_least_squares as wlmd_judge_cases


def test_exact_starts_stay_exact():
    verdict = wlmd_judge.exact_start()
    assert verdict.passed, verdict


def test_whole_run_finds_the_exact_masses():
    verdict = wlmd_judge.whole_run()
    assert verdict.passed, verdict


@pytest.mark.slow
def test_both_forces_keep_two_losses_at_their_exact_probabilities():
    verdict = wlmd_judge.frozen_two_losses()
    assert verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", wlmd_cases.CASES)
def test_smooth_cases(name):
    verdict = wlmd_judge_cases.smooth_case(name)
    assert verdict.passed, verdict


def test_a_short_run_is_told_from_a_good_one():
    """Ten thousand steps cannot find S; the judge has to say so."""
    assert not wlmd_judge.whole_run(tables=2, steps=10_000).passed
