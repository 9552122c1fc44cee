"""A run made longer: which settings a run of another length would have had, bit for bit.

It changes ``run.json`` alone, and lays the result so far aside; whoever resumes the run then goes
on. What cannot go on as one run of that length is refused, with the reason.
"""

from __future__ import annotations

import os
from dataclasses import asdict, replace
from pathlib import Path

from wlnn.base import store
from wlnn.base.claims import alone
from wlnn.base.errors import UserError
from wlnn.runs.recipe import Recipe, read_recipe
from wlnn.settings.canonical import MDSettings
from wlnn.settings.samplers import WLMCSettings
from wlnn.wlmc.walker import make_plan

OTHERS = {  # why not, by sampler
    "wlmd": "the average of its S began at a part of its steps, and its table was cut to them",
    "ladder": "its rungs were spaced, and its samples counted, by its length",
    "seek": "its temperatures fall along its whole length",
    "train": "trainings have epochs, not steps",
    "tune": "trainings have epochs, not steps",
}
RESULT = {"wlmc": "landscape.npz"}  # which says that a run is finished


@alone
def lengthen(directory, steps: float) -> tuple[Recipe, tuple[str, ...]]:
    """Make a run ``steps`` long, finished or not: its recipe from now on, and what that means.

    Monte Carlo: learning stays as it was and the stages that measure are more; where there are
    none, learning goes on, if neither schedule nor step width depend on its end. ``wlnn md`` goes
    on as it was. The bits are those of one run with the settings of the recipe.

    Nothing is changed in a run that has so many already.

    Raises:
        UserError: no run directory, or a run that cannot be lengthened; nothing is changed then.
    """
    recipe, directory = read_recipe(directory), Path(directory)
    name, old = recipe.sampler, getattr(recipe.settings, recipe.sampler)
    make = {"wlmc": _monte_carlo, "md": _motion}.get(name)
    if make is None:
        raise _refused(directory, OTHERS[name])
    if steps == old.steps:  # lengthened before, and interrupted: it only goes on
        return recipe, ()
    if steps != int(steps) or steps < old.steps:
        raise UserError(
            f"{directory}: has {name}.steps = {old.steps}; give --steps a larger whole number."
        )
    new = make(directory, old, int(steps))
    longer = replace(recipe, settings=replace(recipe.settings, **{name: new}))
    contents = store.read_run(directory)
    identity = contents["identity"]
    before = [*contents.get("shorter", []), identity]
    result = directory / RESULT.get(name, "")
    if result.is_file():
        os.replace(result, result.with_stem(f"{result.stem}-{old.steps}"))
    notes = {
        "identity": {**identity, name: asdict(new)},
        "recipe": longer.to_dict(),
        "shorter": before,
    }
    store.change_notes(directory, notes)
    changed = tuple(
        f"{name}.{key}={value!r}"
        for key, value in asdict(new).items()
        if value != getattr(old, key)
    )
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


def _motion(directory: Path, old: MDSettings, steps: int) -> MDSettings:
    return replace(old, steps=steps)


def _refused(directory: Path, why: str) -> UserError:
    return UserError(
        f"{directory}: cannot be lengthened to what one run would have been: {why}; make a longer "
        "one in another directory, or add other seeds."
    )
