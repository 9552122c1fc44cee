"""What a user's functions may do wrong, found before a sampler begins or at the first wrong step.

A few states are evaluated twice; where the function is plain Python, every later call is looked at
too. Nothing here samples.
"""

from __future__ import annotations

import re
import time
import traceback
from dataclasses import dataclass, replace
from numbers import Real

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.tasks.problem import Problem

TRIES = 4  # directions along which a gradient is tried
SECONDS, MOST = 0.2, 64  # most time and states of the trial, after the first call
ADVICE = "observe must return two numbers, x and y"


@dataclass(frozen=True)
class Guarded:
    """A plain Python ``observe`` that is looked at whenever it is called."""

    problem: Problem

    def __call__(self, theta: np.ndarray) -> tuple[float, float]:
        """(x, y), as the function gave them; UserError where it did anything else."""
        return _observed(self.problem, theta)


def checked(problem: Problem) -> Problem:
    """The problem, tried; its function is guarded from now on where it is not compiled.

    Raises:
        UserError: no parameters, an ``about`` that is no JSON, a function that fails, changes its
            argument, returns anything but two real numbers, NaN, or another value at a second call,
            or, compiled, reads beyond the end of an array.
    """
    _check_description(problem)
    if isinstance(problem.observe, Guarded):
        return problem
    rng, middle = np.random.default_rng(0), (problem.lo + problem.hi) / 2
    _check_ends(problem, middle)  # first: the machine code would read whatever is there
    first, begun = _observed(problem, middle), time.monotonic()  # the first call may compile
    for _ in range(MOST):
        theta = problem.draw(rng)
        _check_same(problem, _observed(problem, theta), _observed(problem, theta))
        if time.monotonic() - begun > SECONDS:
            break
    _check_same(problem, first, _observed(problem, middle))
    if problem.system is None and not hasattr(problem.observe, "py_func"):
        return replace(problem, observe=Guarded(problem))
    return problem


def checked_smooth(problem: Problem) -> Problem:
    """The same for the functions of molecular dynamics; with a compiled form it is not evaluated.

    Raises:
        UserError: as :func:`checked`; arrays of another shape; a gradient that is not finite, or
            that is not the gradient of x and y.
    """
    if isinstance(problem, Problem):
        problem.require_gradient()
    _check_description(problem)
    if problem.gradient_system is not None:
        return problem
    shape = (2, problem.n_parameters)
    theta = _called(problem, "start", problem.start, np.random.default_rng(0), 2)
    _check_array(problem, "start", theta, shape)
    given, values = theta.copy(), []
    for _ in range(2):
        found = _called(problem, "evaluate", problem.evaluate, np, given)
        if not isinstance(found, tuple) or len(found) != 4:
            raise _wrong(problem, "must return (x, y, accuracy, tape)", "evaluate")
        for value in found[:2]:
            _check_array(problem, "evaluate", value, (2,))
        values.append(np.array(found[:2]))
    if not np.array_equal(*values):
        raise _wrong(problem, "gave two values for the same parameters", "evaluate")
    tape = found[3]
    gradient = _called(problem, "backward", problem.backward, np, tape, np.ones(2), np.ones(2))
    _check_array(problem, "backward", gradient, shape)
    if not np.array_equal(given, theta):
        raise _wrong(problem, "changes the parameters it is given; change a copy", "evaluate")
    own = problem.network is None or "own_y" in problem.about
    if own:  # those of networks are derived, and may take long
        _check_gradient(problem, theta)
    return problem


def _check_same(problem, before: tuple, again: tuple) -> None:
    if before != again:
        raise _wrong(problem, f"gave {before} and then {again} for the same parameters")


def _check_ends(problem, theta: np.ndarray) -> None:
    """Machine code reads beyond the end of an array in silence: look once where it would."""
    if problem.system is not None or not hasattr(problem.observe, "py_func"):
        return
    from wlnn.backend.dispatch import with_ends

    try:
        with_ends(problem.observe)(theta.copy())
    except IndexError as error:
        many = f"theta has {problem.n_parameters} of them"
        raise _wrong(problem, f"reads beyond the end of an array: {error}; {many}") from error
    except Exception:  # whatever else it does wrong is told of the function itself
        return


def _check_gradient(problem, theta: np.ndarray) -> None:
    """Compare with differences along random directions; wrong is what agrees along few, anywhere.

    A kink, a small product of gradient and direction, or single precision may spoil some.
    """
    rng, apart = np.random.default_rng(1), 2 * problem.half_width
    ones, zeros = np.ones(len(theta)), np.zeros(len(theta))
    for k, name in enumerate("xy"):
        right = []
        for _ in range(TRIES):
            along = rng.normal(size=theta.shape) * apart
            tape = _called(problem, "evaluate", problem.evaluate, np, theta.copy())[3]
            weights = (zeros, ones) if k else (ones, zeros)
            slope = (problem.backward(np, tape, *weights) * along).sum(axis=1)
            good = np.zeros(len(theta), bool)
            for step in (1e-3, 1e-5):
                ends = [problem.evaluate(np, theta + h * along)[k] for h in (step, -step)]
                found = (ends[0] - ends[1]) / (2 * step)
                good |= np.abs(found - slope) <= 0.1 * (np.abs(found) + np.abs(slope))
            right.append(good)
        if np.mean(right, axis=0).min() < 0.5:  # at each place: at one a wrong one may be right
            raise _wrong(
                problem,
                f"is not the gradient of {name}: along a direction it has {slope[0]:.3g}, and "
                f"{name} itself changes by {found[0]:.3g}",
                "backward",
            )


def _check_description(problem) -> None:
    if not isinstance(problem, Problem):
        hint = "; a Task makes one: task.problem()" * hasattr(problem, "problem")
        raise UserError(f"a Problem is needed, not a {type(problem).__name__}{hint}.")
    if not isinstance(problem.name, str) or not problem.name or "/" in problem.name:
        raise UserError(f"a problem's name must be a word without '/', not {problem.name!r}.")
    if not problem.n_parameters:
        raise UserError(
            f"problem '{problem.name}': has no parameters, so there is nothing to move."
        )
    tensors = getattr(problem.network, "n_parameters", problem.n_parameters)
    if tensors != problem.n_parameters:
        raise UserError(
            f"problem '{problem.name}': the box has {problem.n_parameters} parameters, its network "
            f"{tensors}."
        )
    try:
        store.as_json(problem.about)
    except (TypeError, ValueError, RecursionError) as error:
        raise UserError(
            f"problem '{problem.name}': 'about' (of a Task: the source of its data, or what its "
            f"network describes) must be texts, numbers, lists and dictionaries: {error}."
        ) from error


def _observed(problem: Problem, theta: np.ndarray) -> tuple[float, float]:
    """One call of ``observe``, with a copy of its argument, looked at from all sides."""
    given = theta.copy()
    found = _called(problem, "observe", problem.observe, given)
    if given.shape != theta.shape or not np.array_equal(given, theta):
        raise _wrong(problem, "changes the parameters it is given; let it change a copy")
    if not isinstance(found, tuple | list) or len(found) != 2:
        hint = "; on a single-bin axis give 0.0 for y" if _is_number(found) else ""
        raise _wrong(problem, f"returned {_kind(found)}; {ADVICE}{hint}")
    for name, value in zip("xy", found, strict=True):
        if not _is_number(value):
            raise _wrong(problem, f"returned {_kind(value)} for {name}; {ADVICE}")
        if value != value:
            raise _wrong(
                problem,
                f"returned NaN for {name} at theta = {_short(theta)}; give infinity for states "
                "that are to lie outside the window",
            )
    try:
        return float(found[0]), float(found[1])
    except OverflowError as error:  # a whole number of Python
        raise _wrong(problem, "returned a number above 1.8e308; give infinity") from error


def _called(problem, name: str, function, *arguments):
    try:
        return function(*arguments)
    except UserError:
        raise
    except (Exception, SystemExit) as error:
        raise _wrong(problem, f"failed with {reason_of(error)}", name) from error


def _check_array(problem, name: str, array, shape: tuple) -> None:
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind != "f":
        raise _wrong(
            problem, f"must return real numbers of shape {shape}, not {_kind(array)}", name
        )
    if np.isnan(array).any():
        raise _wrong(problem, "returned NaN", name)


def _is_number(value) -> bool:
    return isinstance(value, Real | np.bool_) or (
        isinstance(value, np.ndarray) and value.ndim == 0 and value.dtype.kind in "fiub"
    )


def _kind(value) -> str:
    """A value in words: what it is, not what it holds."""
    if isinstance(value, np.ndarray):
        return f"an array of shape {value.shape} and type {value.dtype}"
    if isinstance(value, tuple | list):
        return f"{len(value)} values"
    return "None" if value is None else f"a {type(value).__name__} ({_short(value)})"


def _short(value) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 60 else text[:57] + "..."


def _wrong(problem, words: str, name: str = "observe") -> UserError:
    return UserError(f"problem '{problem.name}': {name} {words}.")


def reason_of(error: BaseException, line_known: bool = False) -> str:
    """An error in one line: its type, the line of the user's file, and what it says.

    The line is left out where it is told already (``line_known``).

    Numba's errors are pages; what matters is the first line that is no frame of the compiler, and
    the last line of the user's file that it names.
    """
    text = re.sub(r"\x1b\[[0-9;]*m", "", str(error))
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not type(error).__module__.startswith("numba"):
        where = ""
        frames = traceback.extract_tb(error.__traceback__)
        if len(frames) > 1 and not line_known:  # the first is the call of it
            where = f" in line {frames[-1].lineno} of {frames[-1].filename.rpartition('/')[2]}"
        return f"{type(error).__name__}{where}: {_line(lines[0] if lines else '')}"
    frames = re.compile(
        r"Failed in|During:|File \"|>>>|There are|- (Of|Over)|\d+\. |raised from|<source"
    )
    told = [line for line in lines if not frames.match(line)]
    places = re.findall(r'File "([^"]+)", line (\d+)', text)
    where = f" in line {places[-1][1]} of {places[-1][0].rpartition('/')[2]}" if places else ""
    return f"{type(error).__name__} of Numba{where}: {_line(told[0] if told else '')}"


def _line(text: str) -> str:
    return (text if len(text) <= 200 else text[:197] + "...").rstrip(".:")
