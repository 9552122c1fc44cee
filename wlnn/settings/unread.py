"""Settings that a task or a run would not read: refused, so that nobody takes one for effective."""

from __future__ import annotations

from wlnn.base.errors import UserError

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
X_BINS = ("grid.x_low", "grid.x_high", "grid.x_width")
BINS = {"grid.x_low": "wlmd.x_low", "grid.x_high": "wlmd.x_high", "grid.x_width": "wlmd.spacing"}
BINS |= {"grid.y_low": "wlmd.y_low", "grid.y_high": "wlmd.y_high", "grid.y_width": "wlmd.spacing"}


def read_by(kind: str) -> set[str]:
    """Settings of the sections of a task, "section.option" or whole sections, that it reads.

    They are those of its table, and of a network's task the whole grid: another y axis needs other
    options of it.

    Args:
        kind: the name of a task, "train" for CSV files, or "file", which says all itself.
    """
    from wlnn.settings.tables import options_of_task  # the help of the command line needs none

    if kind == "file":
        return set()
    if kind == "train":  # its layers are those of --hidden
        return options_of_task("own") - {"network.layers", "network.width"} | {"grid"}
    return options_of_task(kind) | ({"grid"} if kind != "context-select" else set())


def refuse_of_task(kind: str, given: dict[str, str]) -> None:
    """UserError for the first setting of ``given`` that a task does not read.

    Args:
        kind: as of :func:`read_by`.
        given: what the user wrote, "--logits" or "--set grid.alpha", by the setting
            "section.option" that it stands for.
    """
    known = read_by(kind)
    for setting, words in given.items():
        if not {setting.partition(".")[0], setting} & known:
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
    if recipe.source:
        refuse_of_task(recipe.kind, of_the_task)
    accuracy = recipe.source and recipe.settings.grid.x == "train-accuracy"
    if accuracy and recipe.sampler != "wlmc":
        raise UserError(
            f"x = train accuracy goes with Monte Carlo alone and not with {sampler}; leave it out, "
            "or sample with --sampler wlmc."
        )
    for setting in of_the_task:
        if accuracy and setting in X_BINS:
            raise UserError(
                f"{given[setting]} has no effect on x = train accuracy, whose bins are centred on "
                "all possible accuracies; leave it out."
            )
        if setting in BINS and recipe.sampler not in ("wlmc", "ladder"):
            instead = f"give {BINS[setting]}" if recipe.sampler == "wlmd" else "leave it out"
            raise UserError(f"{given[setting]} has no effect on {sampler}; {instead}.")
