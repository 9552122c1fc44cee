"""Walkers on disk: one file a walker, or one for all where they share what they learn.

A set of files is always one that a run could have been in: that is why walkers that share an S on
the way lie in one file. Nothing here decides when to save.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.states import load_state, save_state
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc import walker as wlmc

ARRAYS = ("theta", "entropy", "visits", "production", "average", "marks", "kept")
NUMBERS = ("number", "stage", "step_width", "direction")
TOGETHER = "walkers.npz"
SAME = 1e-6  # relative, of x and y that are computed again; another processor may round otherwise


def run_identity(problem: Problem, settings: WLMCSettings) -> dict:
    """What two runs must share to be one run, as it comes back from JSON."""
    grid = {"x": list(problem.grid.x), "y": [str(v) for v in problem.grid.y]}
    return store.as_json(problem.identity("wlmc", wlmc=settings) | {"grid": grid})


def save_walkers(
    directory: Path, problem: Problem, settings: WLMCSettings, walkers: list[wlmc.Walker]
) -> None:
    """Write the walkers that finished a stage.

    Raises:
        UserError: the directory is full or read-only; every file is then as it was.
    """
    parts = [(walker, *_packed(problem, walker)) for walker in walkers if walker.stage]
    about = {"kind": "walkers", "identity": run_identity(problem, settings)}
    if not _together(settings):
        for walker, arrays, numbers in parts:
            path = store.checkpoint_path(directory, walker.number)
            save_state(path, about, {"walkers": [numbers]}, arrays)
    elif parts:
        together = {str(walker.number): arrays for walker, arrays, _ in parts}
        numbers = [numbers for _, _, numbers in parts]
        save_state(Path(directory) / TOGETHER, about, {"walkers": numbers}, **together)


def _together(settings: WLMCSettings) -> bool:
    """Whether walkers share an S on the way."""
    return bool(settings.merge_every) or settings.estimator == "common"


def _packed(problem: Problem, walker: wlmc.Walker) -> tuple[dict, dict]:
    arrays = {name: getattr(walker, name) for name in ARRAYS}
    arrays |= {"early": walker.early} if walker.early.any() else {}
    arrays |= {f"history.{name}": values for name, values in walker.history.items()}
    numbers = {name: getattr(walker, name) for name in NUMBERS}
    return arrays, {**numbers, "point": [float(v) for v in problem.observe(walker.theta)]}


def load_walkers(
    directory: Path, problem: Problem, settings: WLMCSettings
) -> dict[int, wlmc.Walker]:
    """Walker by number of every checkpoint of a run directory.

    Raises:
        UserError: a file is damaged, no checkpoint, or one of another run.
    """
    if _together(settings):
        paths = [Path(directory) / TOGETHER]
    else:
        paths = [store.checkpoint_path(directory, k) for k in range(settings.walkers)]
    points: list[tuple] = []
    walkers, known = {}, [run_identity(problem, settings), *store.shorter(directory)]
    for path in paths:
        found = load_state(path, {"kind": "walkers"}, "a walker", ("walkers", "identity"))
        if found is None:
            continue
        for numbers in found.numbers["walkers"]:
            prefix = f"{numbers['number']}." if _together(settings) else ""
            walker = _unpacked(path, found.arrays, prefix, numbers, wlmc.recorded(settings))
            _check(path, walker, problem)
            point = numbers.get("point")  # of older versions there is none
            points.append((path, walker, point))
            walkers[walker.number] = walker
        named = not _together(settings) and path != store.checkpoint_path(directory, walker.number)
        if named or found.numbers["identity"] not in known:
            raise UserError(f"{path}: is the checkpoint of another run or walker; delete it.")
    for path, walker, point in points:
        now = np.array(problem.observe(walker.theta), dtype=float)
        if point and not np.allclose(now, point, SAME, SAME, equal_nan=True):
            raise UserError(
                f"{path}: walker {walker.number} stood at {point} when it was saved, and the same "
                f"parameters give {now.tolist()} now: the task's data, code or libraries have "
                "changed; put back what there was, or sample into another directory."
            )
    return walkers


def _unpacked(path: Path, arrays: dict, prefix: str, numbers: dict, recorded) -> wlmc.Walker:
    names = (*ARRAYS, *(f"history.{name}" for name in recorded))
    missing = [name for name in names if prefix + name not in arrays]
    missing += [name for name in NUMBERS if name not in numbers]
    if missing:
        raise UserError(f"{path}: lacks '{missing[0]}' of a walker; delete the file.")
    production = arrays[prefix + "production"]
    return wlmc.Walker(
        **{name: arrays[prefix + name] for name in ARRAYS},
        **{name: numbers[name] for name in NUMBERS},
        early=arrays.get(prefix + "early", np.zeros((2, *production.shape), np.int64)),
        history={name: arrays[f"{prefix}history.{name}"] for name in recorded},
    )


def _check(path: Path, walker: wlmc.Walker, problem: Problem) -> None:
    if walker.theta.shape != (problem.n_parameters,):
        raise UserError(
            f"{path}: holds {walker.theta.size} parameters, this task has {problem.n_parameters}; "
            "delete the file or choose another directory."
        )
    if walker.entropy.shape != problem.grid.shape:
        raise UserError(
            f"{path}: its grid has {walker.entropy.shape} bins, not {problem.grid.shape}; delete "
            "the file or choose another directory."
        )
