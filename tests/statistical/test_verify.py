"""`wlnn verify`: what it prints, its exit status, and that its catalogue is whole."""

from importlib import import_module

import pytest
from command_line import run

from wlnn import reference


def test_the_catalogue_names_judges_that_exist():
    names = [case.name for case in reference.CASES]
    assert len(names) == len(set(names))
    for case in reference.CASES:
        module, _, function = case.function.partition(":")
        assert callable(getattr(import_module(f"wlnn.reference.{module}"), function))
        assert all(isinstance(name, str) for name, _ in case.options)


def test_cases_that_pass():
    done = run("verify", "--case", "maxnorm-start", "--case", "twin-cache", "--seed", "1")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].split() == ["case", "sampler", "error", "threshold", "verdict", "seconds"]
    assert [line.split()[4] for line in lines[1:4:2]] == ["passed", "passed"]
    assert lines[-1] == "no case failed"


def test_a_case_that_fails_ends_with_status_1(monkeypatch):
    """A step width that adapts for ever, on the frozen exact S."""
    options = (("step_rule", "paper"), ("walkers", 3))
    wrong = reference.Case("wrong", "judges.wlmc_frozen:judge_flat", False, options)
    monkeypatch.setattr(reference, "CASES", (wrong,))
    done = run("verify")
    assert done.status == 1
    assert "FAILED" in done.out
    assert done.out.splitlines()[-1] == "failed: wrong"


def test_an_unknown_case_is_a_mistake():
    done = run("verify", "--case", "nothing")
    assert done.status == 2
    assert "there is no such case" in done.err


@pytest.mark.slow
def test_a_spiral_landscape_is_the_same_from_two_seeds():
    """Default length; chi-square per reliable bin is below 1.5 (1.17 on average for 8 walkers)."""
    from wlnn import compare, load_task, read_table, sample

    problem = load_task("spiral-classify").problem()
    found = [
        sample(problem, read_table("spiral-classify", None, [f"wlmc.seed={seed}"]).wlmc, threads=2)
        for seed in (0, 1)
    ]
    difference = compare(*found)
    assert difference.bins > 500
    assert difference.chi_square < 1.5, difference
    for landscape in found:
        curve = landscape.equilibrium_accuracy()
        at = {x: int(abs(curve.x - x).argmin()) for x in (0.05, -0.55, -0.95, -2.95)}
        assert curve.value[at[0.05]] == pytest.approx(0.50, abs=0.02)
        assert curve.value[at[-0.55]] < curve.value[at[-0.95]]
        assert 0.85 < curve.value[at[-2.95]] < 0.93
