"""Wrong molecular dynamics: edits of the source text of ``dynamics`` and ``surface`` that the
judges E and F must catch, so that a pass means something.

The right sampler passes both with the same seeds: ``test_wlmd.py``.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from unittest import mock

import pytest

from wlnn.reference.cases import least_squares as wlmd_cases
from wlnn.reference.judges import wlmd as wlmd_judge
from wlnn.wlmd import integrator as dynamics
from wlnn.wlmd import surface
from wlnn.wlmd import walk as wlmd

SPEED = "return moved, xp.where(above | below, -v, v)"
MIRRORED = "moved = xp.where(above, 2 * hi - moved, xp.where(below, 2 * lo - moved, moved))"
CLAMPED = "moved = xp.where(above, hi, xp.where(below, lo, moved))"
WRAPPED = "moved = xp.where(above, moved - (hi - lo), xp.where(below, moved + hi - lo, moved))"
NOISE = "(1 - keep * keep) ** 0.5 * noise"

STARTS = {  # caught by judge E: (module, (old text, new text), ...)
    "velocity not flipped at the wall": (dynamics, (SPEED, "return moved, v")),
    "clamped at the wall": (dynamics, (MIRRORED, CLAMPED)),
    "wrapped around the box": (dynamics, (MIRRORED, WRAPPED), (SPEED, "return moved, v")),
    "5 % too hot": (dynamics, (NOISE, f"1.05**0.5 * {NOISE}")),
    "noise sqrt(1 - keep)": (dynamics, (NOISE, NOISE.replace("keep * keep", "keep"))),
    "force grid shifted by half a bin": (
        surface,
        (
            "p = xp.clip((position - node) * per_bin,",
            "p = xp.clip((position - node) * per_bin + 0.5,",
        ),
    ),
    "force of the wrong sign beyond the window": (
        surface,
        ("2 * walls.c_high * xp.maximum(value - high, 0.0)\n        -", "+"),
    ),
}


def copy_of(module: ModuleType, edits: tuple = (), **replaced: ModuleType) -> ModuleType:
    """The module from its edited source text, importing ``replaced`` instead of the originals."""
    text = Path(module.__file__).read_text(encoding="utf-8")
    for old, new in edits:
        assert text.count(old) == 1, f"{module.__name__} holds {text.count(old)} times: {old!r}"
        text = text.replace(old, new)
    copy = ModuleType(f"{module.__name__}_mutant")
    names = {f"wlnn.wlmd.{name}": changed for name, changed in replaced.items()}
    # NamedTuple and dataclass look their module up by name
    with mock.patch.dict(sys.modules, {copy.__name__: copy, **names}):
        exec(compile(text, f"<mutant of {module.__file__}>", "exec"), vars(copy))
    return copy


def mutant(module: ModuleType, *edits: tuple) -> ModuleType:
    """``wlnn.wlmd.walk`` on top of an edited ``integrator`` or ``surface``."""
    name = module.__name__.removeprefix("wlnn.wlmd.")
    return copy_of(wlmd, **{name: copy_of(module, edits)})


def test_an_unedited_copy_is_the_sampler():
    again = mutant(dynamics)
    assert again.walk_numpy is not wlmd.walk_numpy
    right, copied = (wlmd_judge.exact_start(replicas=2000, wlmd=module) for module in (wlmd, again))
    assert copied.error == right.error
    assert copied.passed


@pytest.mark.slow
@pytest.mark.parametrize("name", STARTS)
def test_exact_starts_catch(name):
    verdict = wlmd_judge.exact_start(wlmd=mutant(*STARTS[name]))
    assert not verdict.passed, verdict


@pytest.mark.slow
def test_exact_starts_catch_a_time_step_that_is_too_large():
    assert not wlmd_judge.exact_start(dt=2 * wlmd_judge.STEP).passed


@pytest.mark.slow
@pytest.mark.parametrize("cut", [False, True])
def test_whole_runs_catch_hills_cut_at_the_edge(cut):
    """The same run of the NumPy definition, with the images of the mirrors and without."""
    edits = [("    if surface.mirror:\n", "    if False:\n")] if cut else []
    verdict = wlmd_judge.whole_run(tables=2, numpy_walkers=100, wlmd=mutant(surface, *edits))
    assert verdict.passed is not cut, verdict


FEW = {"walkers": 200, "steps": 20_000, "numpy_walk": True}
FORCES = {
    "the force along y missing": lambda ux, uy: (ux, 0 * uy),
    "the force along y of the wrong sign": lambda ux, uy: (ux, -uy),
    "the force along x missing": lambda ux, uy: (0 * ux, uy),
}


@pytest.mark.slow
def test_two_losses_pass_by_the_definition():
    verdict = wlmd_judge.frozen_two_losses(**FEW)
    assert verdict.passed, verdict


@pytest.mark.slow
@pytest.mark.parametrize("name", FORCES)
def test_two_losses_catch(name):
    right = wlmd_cases.twin_quadratic(two_losses=True)
    force = FORCES[name]
    wrong = replace(right, backward=lambda xp, tape, *u: right.backward(xp, tape, *force(*u)))
    verdict = wlmd_judge.frozen_two_losses(problem=wrong, **FEW)
    assert verdict.error > 0.5, verdict
