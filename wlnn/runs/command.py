"""The command that makes a run again, word for word, from its recipe. Runs nothing."""

from __future__ import annotations

import shlex
from dataclasses import fields
from pathlib import Path

from wlnn.runs.recipe import Recipe, make_recipe, usual_sampler
from wlnn.settings.tables import Settings
from wlnn.settings.unread import BINS, SAMPLERS, read_by

COMMANDS = {"wlmc": "sample", "wlmd": "sample", "ladder": "sample"}  # others: as the sampler
SHORT = {  # settings that have an option of their own in every command of a landscape
    "network.layers": "--layers",
    "network.width": "--width",
}
OF_SAMPLER = {"seed": "--seed", "steps": "--steps", "walkers": "--walkers"}
WALKERS = ("wlmc", "wlmd", "md")  # samplers whose --walkers is that setting


def read_settings(recipe: Recipe) -> dict[str, dict]:
    """The settings that a run reads, ``{section: {option: value}}``, those of its task included."""
    source, own = recipe.source, SAMPLERS[recipe.sampler][1]
    known = read_by(source.get("task") or ("file" if "file" in source else "train")) | own
    if recipe.sampler not in ("wlmc", "ladder"):
        known = (known - {"grid"}) | {f"grid.{name}" for name in ("y", "alpha") if "grid" in known}
    found: dict[str, dict] = {}
    for section, options in recipe.settings.to_dict().items():
        for name, value in options.items():
            if {section, f"{section}.{name}"} & known and (
                f"{section}.{name}" not in BINS or recipe.sampler in ("wlmc", "ladder")
            ):
                found.setdefault(section, {})[name] = value
    return found


def command_of(recipe: Recipe, directory=None, search: dict | None = None) -> str:
    """``wlnn sample ...``: source, sampler, preset, and every setting that is not its table's.

    Args:
        directory: told as ``--out``.
        search: methods and landscape of `wlnn seek`, as run.json has them.
    """
    words = ["wlnn", COMMANDS.get(recipe.sampler, recipe.sampler), *_source(recipe.source)]
    usual = usual_sampler(recipe.source.get("task", "own"), recipe.preset)
    if recipe.sampler in COMMANDS and recipe.sampler != usual:
        words += ["--sampler", recipe.sampler]
    if recipe.preset != "default":
        words.append(f"--{recipe.preset}")
    for setting, value in _changes(recipe).items():
        section, _, name = setting.partition(".")
        option = SHORT.get(setting) if recipe.sampler in COMMANDS else None
        if section == recipe.sampler and section in (*COMMANDS, "md"):
            option = OF_SAMPLER.get(name)
            option = None if name == "walkers" and section not in WALKERS else option
        words += [option, _toml(value)] if option else ["--set", f"{setting}={_toml(value)}"]
    for method in (search or {}).get("methods") or ():
        words += ["--method", method]
    if (search or {}).get("landscape"):
        words += ["--landscape", str(Path(directory or "").parent / search["landscape"])]
    return shlex.join([*words, *(["--out", str(directory)] if directory is not None else [])])


def _source(source: dict) -> list[str]:
    words = []
    for name, value in source.items():
        if name == "standardise":
            words += [] if value else ["--raw"]
        elif name == "file":
            words += ["--task", value]
        elif name == "hidden":
            words += ["--hidden", ",".join(str(units) for units in value)]
        elif value is not None:
            said = ",".join(value) if isinstance(value, list) else str(value)
            words += [f"--{name.replace('_', '-')}", said]
    return words


def _changes(recipe: Recipe) -> dict[str, object]:
    """Settings that the recipe without them would not have; some of them change others."""
    changes: dict[str, object] = {}
    for _ in range(3):
        overrides = tuple(f"{name}={_toml(value)}" for name, value in changes.items())
        made = make_recipe(recipe.source, recipe.preset, recipe.sampler, overrides=overrides)
        left = _differences(recipe, made.settings)
        if not left:
            break
        changes |= left
    return changes


def _differences(recipe: Recipe, usual: Settings) -> dict[str, object]:
    wanted = read_settings(recipe)
    return {
        f"{section.name}.{option.name}": wanted[section.name][option.name]
        for section in fields(usual)
        for option in fields(getattr(usual, section.name))
        if option.name in wanted.get(section.name, {})
        and wanted[section.name][option.name] != getattr(getattr(usual, section.name), option.name)
    }


def _toml(value) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
