"""A run made longer: which settings a run of another length would have had, bit for bit.

It changes ``run.json`` alone, and lays the result so far aside; whoever resumes the run then goes
on. What cannot go on as one run of that length is refused, with the reason.
"""

from __future__ import annotations

import math
import os
from dataclasses import asdict, replace
from pathlib import Path

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.runs.recipe import Recipe, read_recipe
from wlnn.settings.samplers import WLMCSettings, WLMDSettings
from wlnn.settings.section import MOST
from wlnn.wlmc.walker import make_plan

RESULT = {  # which says that a run is finished
    **dict.fromkeys(("wlmc", "wlmd", "ladder"), "landscape.npz"),
    "train": "trained.npz",
    "tune": "tuning.npz",
}
SECTIONS = {"tune": "train"}  # whose length is that of a section of another name


@alone
def lengthen(directory, length: float, unit: str = "steps") -> tuple[Recipe, tuple[str, ...]]:
    """Make a run so many steps long, finished or not: its recipe from now on, and what that means.

    Monte Carlo: learning stays as it was and the stages that measure are more; where there are
    none, learning goes on, if neither schedule nor step width depend on its end. Wang-Landau
    molecular dynamics: the average begins, and S is frozen, at the step at which it did. ``wlnn
    md`` and trainings, whose ``unit`` is "epochs", go on as they were. The bits are those of one
    run with the settings of the recipe.

    Ladders keep rungs, replicas and samples, and make more stretches. One run of that length would
    have looked for gaps between its rungs for longer, and have cut its samples into longer slices,
    of which burn-in drops some: the bits are its own where it had found none and stretches are a
    whole number of times as many.

    Nothing is changed in a run that is so long already.

    Raises:
        UserError: no run directory, or a run that cannot be lengthened; nothing is changed then.
    """
    recipe, directory = read_recipe(directory), Path(directory)
    if recipe.sampler == "seek":
        raise _refused(directory, "its temperatures fall along its whole length")
    name = SECTIONS.get(recipe.sampler, recipe.sampler)
    old, own = getattr(recipe.settings, name), "epochs" if name == "train" else "steps"
    before = getattr(old, own)
    if unit != own:
        raise UserError(f"{directory}: has {name}.{own} = {before}; give --{own}, not --{unit}.")
    if length == before:  # lengthened before, and interrupted: it only goes on
        return recipe, ()
    if length != int(length) or length < before:
        raise UserError(
            f"{directory}: has {name}.{own} = {before}; give --{own} a larger whole number."
        )
    if length > MOST:
        raise UserError(f"{directory}: --{own} must be {MOST:g} or less.")
    make = {"wlmc": _monte_carlo, "wlmd": _molecular_dynamics}.get(name)
    new = make(directory, old, int(length)) if make else replace(old, **{own: int(length)})
    longer = replace(recipe, settings=replace(recipe.settings, **{name: new}))
    contents = store.read_run(directory)
    identity = contents["identity"]
    result = directory / RESULT.get(recipe.sampler, "")
    aside = result.with_stem(f"{result.stem}-{before}") if result.is_file() else None
    notes = {
        "identity": {**identity, name: new.identity()},
        "recipe": longer.to_dict(),
        "shorter": [*contents.get("shorter", []), identity],
    }
    if aside is not None:  # first: a longer run must not find it
        os.replace(result, aside)
    try:
        store.change_notes(directory, notes)
    except BaseException:
        if aside is not None:
            os.replace(aside, result)
        raise
    changed = tuple(
        f"{name}.{key}={value!r}"
        for key, value in asdict(new).items()
        if value != getattr(old, key)
    )
    if name == "ladder":
        changed += ("which keeps its rungs and samples where one run might have made other rungs",)
    return longer, changed


def _monte_carlo(directory: Path, old: WLMCSettings, steps: int) -> WLMCSettings:
    of_stage, learning = old.steps // old.stages, old.stages - old.n_production
    if steps % of_stage:
        raise UserError(
            f"{directory}: has stages of {of_stage} steps; give --steps a multiple of that, such "
            f"as {-(-steps // of_stage) * of_stage}."
        )
    stages = steps // of_stage
    if not old.n_production:
        if old.schedule == "one-over-t" or old.step_rule == "freeze":
            raise _refused(directory, "its ln f and its step width were led to its last step")
        return replace(old, steps=steps, stages=stages)
    production = 1 - learning / stages
    if production > 0.95:
        most = 20 * learning * of_stage
        raise UserError(
            f"{directory}: learnt in {learning * of_stage} steps, which is too little for a run "
            f"above {most}; give --steps {most} or less, or sample anew."
        )
    new = replace(old, steps=steps, stages=stages, production=production)
    if make_plan(new).count_from != make_plan(old).count_from:
        raise _refused(directory, "it measures for so short that S would be made even for longer")
    return new


def _molecular_dynamics(directory: Path, old: WLMDSettings, steps: int) -> WLMDSettings:
    """More steps after the same learning; the record of periods may have a cut one more."""
    if old.steps % old.round:
        raise _refused(directory, f"its last round of {old.round} steps was cut short")
    learning = old.steps - round(old.steps * old.production)
    production = 1 - learning / steps if old.production else 0.0
    if production > 0.95:
        raise UserError(
            f"{directory}: learnt in {learning} steps, which is too little for a run above "
            f"{20 * learning}; give --steps {20 * learning} or less, or sample anew."
        )
    begin = old.average_from * old.steps
    new = replace(old, steps=steps, production=production, average_from=begin / steps)
    while int(new.average_from * steps) < int(begin):  # rounded down across a step
        new = replace(new, average_from=math.nextafter(new.average_from, 1))
    if old.production and steps - round(steps * new.production) != learning:
        raise _refused(directory, "no wlmd.production freezes S at the same step")
    return new


def _refused(directory: Path, why: str) -> UserError:
    return UserError(
        f"{directory}: cannot be lengthened to what one run would have been: {why}; make a longer "
        "one in another directory, or add other seeds."
    )
