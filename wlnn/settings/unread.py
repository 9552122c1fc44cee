"""Settings that a task or a run would not read: refused, so that nobody takes one for effective."""

from __future__ import annotations

from wlnn.base.errors import UserError

BOX = {"network.bound_rule", "network.bound_factor"}
DENSE = BOX | {"network.layers", "network.width", "network.activation"}
SPLIT = {"data.seed", "data.points", "data.test_points"}
IMAGES = BOX | SPLIT | {"network.width", "data.selection", "data.scale"}
READ = {  # what is read of the sections network, data, grid and context
    "spiral-classify": DENSE
    | {"network.logits", "data.seed", "data.points", "data.noise", "data.test_radii", "grid"},
    "spiral-regress": DENSE | {"data.seed", "data.points", "data.selection", "grid"},
    "house-price": DENSE | SPLIT | {"grid"},
    "polymer": DENSE | SPLIT | {"data.scale", "grid"},
    "mnist": IMAGES | {"grid"},
    "cifar": IMAGES | {"data.first_class", "data.second_class", "grid"},
    "context-select": {"context", "grid.x_low", "grid.x_high", "grid.x_width"},
    "train": BOX | {"network.activation", "network.logits", "grid"},  # CSV files
    "file": set(),  # the file says it all
}
COLLECTIVE = {"wlmd.accuracy_axis", "wlmd.start"}  # where x and y are functions with a gradient
SAMPLERS = {  # what they are called, and what they read beside the task's
    "wlmc": ("Monte Carlo", {"wlmc"}),
    "wlmd": ("molecular dynamics", {"wlmd"}),
    "ladder": ("ladders", {"ladder"} | COLLECTIVE),
    "md": ("motion at a temperature", {"md"} | COLLECTIVE),
    "seek": ("a search", {"seek", "md", "train"} | COLLECTIVE),
    "train": ("training", {"train"}),
    "tune": ("tuning", {"tune", "train"}),
}
BINS = {"grid.x_low": "wlmd.x_low", "grid.x_high": "wlmd.x_high", "grid.x_width": "wlmd.spacing"}
BINS |= {"grid.y_low": "wlmd.y_low", "grid.y_high": "wlmd.y_high", "grid.y_width": "wlmd.spacing"}


def refuse_of_task(kind: str, given: dict[str, str]) -> None:
    """UserError for the first setting of ``given`` that a task does not read.

    Args:
        kind: a key of :data:`READ`.
        given: what the user wrote, "--logits" or "--set grid.alpha", by the setting
            "section.option" that it stands for.
    """
    for setting, words in given.items():
        section = setting.partition(".")[0]
        if not {section, setting} & READ[kind]:
            name = {"train": "a task of CSV files", "file": "a task of your own"}.get(kind)
            name = name or f"task '{kind}'"
            raise UserError(f"{words} has no effect on {name}; leave it out.")


def refuse_unread(recipe, given: dict[str, str]) -> None:
    """As :func:`refuse_of_task`, for all that the run of a ``recipe.Recipe`` does not read."""
    sampler, own = SAMPLERS[recipe.sampler]
    of_samplers = [setting for setting in given if setting.partition(".")[0] in SAMPLERS]
    for setting in of_samplers:
        if not {setting.partition(".")[0], setting} & own:
            raise UserError(f"{given[setting]} has no effect on {sampler}; leave it out.")
    of_the_task = {name: words for name, words in given.items() if name not in of_samplers}
    source = recipe.source
    refuse_of_task(source.get("task") or ("file" if "file" in source else "train"), of_the_task)
    for setting in of_the_task:
        if setting in BINS and recipe.sampler not in ("wlmc", "ladder"):
            instead = f"give {BINS[setting]}" if recipe.sampler == "wlmd" else "leave it out"
            raise UserError(f"{given[setting]} has no effect on {sampler}; {instead}.")
