"""What a user's function does wrong is one sentence, before a run or at the first wrong step."""

import itertools
import types
import warnings

import numpy as np
import pytest
from numba import njit

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.check import checked, checked_smooth
from wlnn.tasks.problem import Problem
from wlnn.wlmc.run import sample

GRID = Grid(Axis("x", 0.0, 1.0, 10), Axis.single())
OFFSET = 0.0
SETTINGS = WLMCSettings(steps=2000, stages=4, walkers=1, anchor_draws=0)
calls = itertools.count()


def problem(observe, **how):
    return Problem("t", np.zeros(2), np.ones(2), GRID, observe, **how)


def in_place(theta):
    theta[0] = min(theta[0], 0.9)
    return float(theta[0]), 0.0


def other_at_the_second_call(theta):
    return float(theta[0]) * (1 - 0.01 * (next(calls) % 2)), 0.0


def fails(theta):
    return theta.sqare(), 0.0


def leaves(theta):
    raise SystemExit(3)


WRONG = {
    "one number": (lambda t: float(t[0]), r"returned a float .*; on a single-bin axis give 0.0"),
    "three": (lambda t: (t[0], t[0], t[0]), "returned 3 values"),
    "arrays": (lambda t: (t * 1.0, t * 0.0), r"an array of shape \(2,\) and type float64 for x"),
    "one array": (lambda t: t, r"returned an array of shape \(2,\)"),
    "complex": (lambda t: (complex(t[0]), 0.0), "returned a complex"),
    "nothing": (lambda t: None, "returned None"),
    "texts": (lambda t: ("0.5", "0.1"), r"returned a str \(0.5\) for x"),
    "NaN": (lambda t: (float("nan") if t[0] > 0.7 else t[0], 0.0), "returned NaN for x at theta"),
    "NaN in y": (lambda t: (t[0], float("nan")), "returned NaN for y"),
    "more than a double": (lambda t: (10**400, 0.0), "returned a number above 1.8e308"),
    "the end of the program": (leaves, "failed with SystemExit"),
    "a changed argument": (in_place, "changes the parameters it is given"),
    "two values": (other_at_the_second_call, "for the same parameters"),
    "an error": (fails, r"failed with AttributeError in line \d+ of test_check.py: .*sqare"),
}


@pytest.mark.parametrize(("observe", "words"), WRONG.values(), ids=WRONG)
def test_a_wrong_function_is_one_sentence_before_the_run(observe, words):
    with pytest.raises(UserError, match=words) as error:
        sample(problem(observe), SETTINGS)
    assert str(error.value).startswith("problem 't': observe ")
    assert "\n" not in str(error.value)


def test_compiled_functions_are_tried_too_and_numba_is_quoted():
    @njit
    def changes(theta):
        theta[0] = min(theta[0], 0.9)
        return theta[0], 0.0

    @njit
    def arrays(theta):
        return theta * 1.0, theta * 0.0

    thing = object()

    @njit
    def unknown(theta):
        return theta[0] + thing.x, 0.0

    @njit
    def beyond(theta):
        return theta[0] + theta[len(theta)], 0.0

    @njit
    def inner(theta, k):
        return theta[k] if k < 0 else inner(theta, -1) + theta[k]

    @njit
    def beyond_below(theta):
        return inner(theta, len(theta)), OFFSET

    for observe, words in (
        (beyond, r"reads beyond the end of an array: .*theta has \d+ of them"),
        (beyond_below, r"reads beyond the end of an array: .*theta has \d+ of them"),
        (changes, "changes the parameters"),
        (arrays, "returned an array of shape"),
        (unknown, r"TypingError of Numba in line \d+ of test_check.py: .*'thing'"),
    ):
        with pytest.raises(UserError, match=words):
            sample(problem(observe), SETTINGS)


def test_a_plain_function_is_watched_on_the_way():
    seen = itertools.count()

    def late(theta):
        return (float("nan") if next(seen) > 1000 else float(theta[0])), 0.0

    with pytest.raises(UserError, match="returned NaN for x"):
        sample(problem(late), SETTINGS)


def test_a_right_function_is_taken_as_it_is_and_changes_no_bit():
    def right(theta):
        return np.float32(theta[0]), 0

    def infinite(theta):
        return (np.inf if theta[0] > 0.5 else theta[0]), 0.0

    guarded = checked(problem(right))
    assert checked(guarded) is guarded
    theta = np.array([0.25, 0.5])
    assert guarded.observe(theta) == (0.25, 0.0)
    assert checked(problem(infinite)).observe(np.array([0.75, 0.0])) == (np.inf, 0.0)

    @njit
    def compiled(theta):
        return theta[0], 0.0

    assert checked(problem(compiled)).observe is compiled


def test_what_describes_a_problem_is_checked():
    def right(theta):
        return float(theta.sum()), 0.0

    for wrong, words in (
        (problem(right, about={"a": {1, 2}}), "'about' .* must be texts, numbers"),
        (Problem("t", np.zeros(0), np.ones(0), GRID, right), "has no parameters"),
        (Problem("a/b", np.zeros(1), np.ones(1), GRID, right), "a word without '/'"),
        (Problem(3, np.zeros(1), np.ones(1), GRID, right), "a word without '/', not 3"),
    ):
        with pytest.raises(UserError, match=words):
            sample(wrong, SETTINGS)
    for wrong in ("t", None, types.SimpleNamespace(problem=right)):
        hint = "task.problem" if hasattr(wrong, "problem") else "a Problem is needed"
        with pytest.raises(UserError, match=hint):
            sample(wrong, SETTINGS)
    numbers = problem(right, about={"n": np.int64(3), "x": np.ones(2)})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert sample(numbers, SETTINGS).grid == GRID


def smooth(**changes):
    def evaluate(xp, theta):
        return theta[:, 0], theta[:, 1], None, theta.shape

    right = {
        "evaluate": evaluate,
        "backward": lambda xp, tape, ux, uy: np.stack([ux, uy], axis=1),
        "start": lambda rng, r: rng.uniform(0, 1, (r, 2)),
    }
    return Problem("t", np.zeros(2), np.ones(2), **{**right, **changes})


def in_place_too(xp, theta):
    theta[:, 0] = 0.0
    return theta[:, 0], theta[:, 1], None, None


SMOOTH = {
    "one value": ({"evaluate": lambda xp, t: t[:, 0]}, "evaluate must return .x, y, accuracy"),
    "whole arrays": ({"evaluate": lambda xp, t: (t, t, None, t)}, r"of shape \(2,\), not an array"),
    "NaN": ({"evaluate": lambda xp, t: (t[:, 0] * np.nan, t[:, 1], None, t)}, "returned NaN"),
    "a changed argument": ({"evaluate": in_place_too}, "changes the parameters"),
    "a wrong gradient": (
        {"backward": lambda xp, tape, ux, uy: ux},
        r"backward must return .*\(2, 2\)",
    ),
    "another gradient": (
        {"backward": lambda xp, tape, ux, uy: np.stack([ux, 2 * uy], axis=1)},
        "backward is not the gradient of y",
    ),
    "a falling one": (
        {"backward": lambda xp, tape, ux, uy: -np.stack([ux, uy], axis=1)},
        "backward is not the gradient of x",
    ),
    "x and y exchanged": (
        {"backward": lambda xp, tape, ux, uy: np.stack([uy, ux], axis=1)},
        "backward is not the gradient of x",
    ),
    "no start": ({"start": lambda rng, r: None}, "start must return real numbers"),
    "an error": (
        {"backward": lambda xp, tape, ux, uy: 1 / 0},
        "backward failed with ZeroDivisionError",
    ),
}


@pytest.mark.parametrize(("changes", "words"), SMOOTH.values(), ids=SMOOTH)
def test_functions_of_molecular_dynamics_are_tried(changes, words):
    assert checked_smooth(smooth()).name == "t"
    with pytest.raises(UserError, match=words):
        checked_smooth(smooth(**changes))
