"""Motion and tempering at a temperature against exact ensembles, and wrong ones, which must fail.

Right samplers fail once in 1e4 seeds (seven and 39 tests at p = 1e-5); seeds are 0, chosen once.
"""

from __future__ import annotations

import pytest
from test_wlmd_mutants import CLAMPED, MIRRORED, NOISE, SPEED, copy_of

from wlnn.canonical import langevin
from wlnn.canonical import tempering as seek
from wlnn.reference.judges import canonical as canonical_judge
from wlnn.wlmd import integrator as dynamics

MOTIONS = {  # (module, (old text, new text), ...)
    "5 % too hot": (dynamics, (NOISE, f"1.05**0.5 * {NOISE}")),
    "noise sqrt(1 - keep)": (dynamics, (NOISE, NOISE.replace("keep * keep", "keep"))),
    "velocity not flipped at the wall": (dynamics, (SPEED, "return moved, v")),
    "clamped at the wall": (dynamics, (MIRRORED, CLAMPED)),
    "force of the loss, not of loss / T": (langevin, ("xp.exp(x) / temperature\n", "xp.exp(x)\n")),
}
EXCHANGES = {
    "wrong sign": ("ln_ratio = (beta[:-1] - beta[1:])", "ln_ratio = (beta[1:] - beta[:-1])"),
    "always accepted": ("np.log1p(-uniform) < ln_ratio", "uniform >= 0"),
    "never accepted": ("np.log1p(-uniform) < ln_ratio", "uniform < 0"),
    "temperature in the place of its inverse": ("beta = 1 / temperature", "beta = -temperature"),
    "both members get one state": ("    order[..., 1:] -= accepted\n", ""),
}


def motion_mutant(module, *edits):
    if module is langevin:
        return copy_of(langevin, edits)
    return copy_of(langevin, integrator=copy_of(dynamics, edits))


def test_langevin_dynamics_reaches_the_canonical_ensemble():
    verdict = canonical_judge.judge_md()
    assert verdict.passed, verdict


def test_tempering_gives_every_temperature_its_ensemble():
    verdict = canonical_judge.judge_tempering()
    assert verdict.passed, verdict


@pytest.mark.parametrize("name", list(MOTIONS)[:2])
def test_wrong_noise_is_caught(name):
    verdict = canonical_judge.judge_md(langevin=motion_mutant(*MOTIONS[name]))
    assert not verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", list(MOTIONS)[2:])
def test_wrong_motion_is_caught(name):
    verdict = canonical_judge.judge_md(langevin=motion_mutant(*MOTIONS[name]))
    assert not verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", EXCHANGES)
def test_wrong_tempering_is_caught(name):
    verdict = canonical_judge.judge_tempering(seek=copy_of(seek, [EXCHANGES[name]]))
    assert not verdict.passed, verdict
