"""Nested sampling, the witness of the deep part of S: exact on the largest of n coordinates."""

import inspect

import numpy as np
import pytest
from numba import njit

from wlnn.reference.cases import maxnorm, nested

POINTS, DEEPEST = 300, -12.0


def worst(n_moves, points=POINTS):
    """Largest |ln X - n x| of levels from -2 down, in errors; X = exp(n x) is exact."""
    case = maxnorm.problem()
    x, ln_x = nested.levels_of(case, points, n_moves, DEEPEST)
    late = ln_x < -2
    return np.abs((ln_x - case.n_parameters * x) / np.sqrt(-ln_x / points))[late].max()


def test_the_box_fraction_is_exact():
    # a walk of ten lengths of its correlation: above 3.2 errors with probability 1 %
    assert worst(n_moves=100) < 3.2


@pytest.mark.parametrize("n_moves", [0, 1])
def test_copies_that_do_not_move_are_caught(n_moves):
    assert worst(n_moves) > 6


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("if x_new < levels[step]:", "if x_new < levels[max(step - 600, 0)]:"),  # two nats late
        ("x_now = x_new", "pass"),
        ("np.argmax(x)", "np.argmin(x)"),
    ],
)
def test_wrong_walks_are_caught(monkeypatch, right, wrong):
    text = inspect.getsource(nested._shrink)
    assert text.count(right) == 1
    scope = dict(vars(nested))
    exec(text.replace(right, wrong), scope)
    monkeypatch.setattr(nested, "_shrink_compiled", njit(scope["_shrink"]))
    assert worst(n_moves=20) > 6
