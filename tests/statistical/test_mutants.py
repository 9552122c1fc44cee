"""Every wrong sampler is caught by the exact cases that must catch it; the right one passes them.

A case fails a right sampler by chance for at most a few seeds in 100,000 (``reference/judge*.py``);
seeds are fixed. A mutant of the driver costs a compilation for each kind of system it runs on.
"""

import pytest
from mutants import MUTANTS, driver

from wlnn.reference.judges import wlmc_frozen as judge_frozen
from wlnn.reference.judges import wlmc_run as judge_run
from wlnn.reference.judges import wlmc_start as judge_start

JUDGES = {
    "A-R1": judge_start.judge_maxnorm,
    "A-R2": judge_start.judge_ternary,
    "R3": judge_run.judge_maxnorm,
    "R4": judge_run.judge_logistic,
    "R5": judge_run.judge_ternary,
    "R15": judge_run.judge_accuracies,
    "R17": judge_run.judge_gaussian,
    "C": judge_frozen.judge_flat,
    "D": judge_frozen.judge_cache,
}
LENGTHS = {"A-R1": {"replicas": 100_000}, "A-R2": {"replicas": 100_000}, "C": {"walkers": 3}}
QUICK = (
    "rejected moves not counted",
    "clipped to the box",
    "out of the window skipped",
    "prior left out of the acceptance",
)


def judge(name, mutant):
    """The verdict of a case on a mutant; a ``*`` after its name stands for all 4e5 replicas."""
    lengths = {} if name.endswith("*") else LENGTHS.get(name, {})
    copy = driver(mutant.edits) if mutant.edits else None
    return JUDGES[name.rstrip("*")](driver=copy, **lengths, **dict(mutant.options))


@pytest.mark.parametrize("mutant", [m for m in MUTANTS if m.name in QUICK], ids=lambda m: m.name)
def test_the_quickest_case_catches(mutant):
    verdict = judge(mutant.caught_by.split()[0], mutant)
    assert verdict.passed is False, verdict


@pytest.mark.slow
@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda m: m.name)
def test_every_case_named_catches(mutant):
    passed = [name for name in mutant.caught_by.split() if judge(name, mutant).passed]
    assert not passed


def test_a_copy_without_edits_is_right():
    """What catches the mutants is their edits, and not that they are copies."""
    copy = MUTANTS[0]._replace(edits=(("# 1. propose", "# 1. propose"),))
    for name in ("A-R2", "C"):
        verdict = judge(name, copy)
        assert verdict.passed, verdict
