"""A study: a TOML file of options and settings, lists of which stand for a grid of runs.

The file is a table as `wlnn tasks NAME` prints it, or a part of one, with the options of `wlnn
sample` by their names beside it. It is read and multiplied out here; nothing is sampled.
"""

from __future__ import annotations

import itertools
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from wlnn.base.errors import UserError
from wlnn.settings.tables import VARIANTS, Settings, nearest, read_table
from wlnn.settings.unread import SAMPLERS, read_by
from wlnn.tasks.catalogue import TASKS

OPTIONS = (  # of `wlnn sample`, that a study may name
    "task", "layers", "width", "activation", "logits", "points", "data_seed", "data", "embedding",
    "scale", "classes", "y_axis", "train", "test", "target", "hidden", "kind", "raw", "missing",
    "split", "split_seed", "x", "window",
    "sampler", "seed", "walkers", "steps", "schedule", "step_rule", "precision", "depth",
    "keep_networks", "preset",
)  # fmt: skip
TEXTS = ("data_seed", "classes", "window", "hidden")  # options that are texts even where numbers
PATHS = ("data", "embedding", "train", "test")
APART = "options"  # section of the options whose names are sections too
RANGE = re.compile(r"(\d+)\.\.(\d+)")
MOST = 100_000  # runs


class Planned(NamedTuple):
    """One run of a study."""

    name: str  # of its directory: what tells it from the others, "" where it is the only one
    options: dict  # of `wlnn sample`
    table: dict  # sections, presets and variants


class Study(NamedTuple):
    """A file as it was read."""

    path: Path
    text: str
    options: dict
    table: dict

    def planned(self, given: Mapping = {}) -> list[Planned]:
        """Every run, in the order of the file: the last list changes fastest.

        Args:
            given: options of the command line, which take the place of those of the file.

        Raises:
            UserError: lists that make too many runs, or one value twice.
        """
        options = {**self.options, **given}
        leaves = [*_leaves((), options), *_leaves(("",), self.table)]
        axes = [(path, self._values(path, value)) for path, value in leaves]
        axes = [(path, values) for path, values in axes if values is not None]
        runs = 1
        for _, values in axes:
            runs *= len(values)
        if runs > MOST:
            raise UserError(
                f"{self.path}: stands for {runs:,} runs; at most {MOST:,} are possible."
            )
        names = _short([path for path, _ in axes])
        found = []
        for values in itertools.product(*(values for _, values in axes)):
            told = [f"{name}-{_told(value)}" for name, value in zip(names, values, strict=True)]
            chosen = {path: value for (path, _), value in zip(axes, values, strict=True)}
            found.append(
                Planned("-".join(told), _set(options, (), chosen), _set(self.table, ("",), chosen))
            )
        return found

    def _values(self, path: tuple[str, ...], value) -> list | None:
        """The values of a list, or of "first..last"; None for anything else."""
        where = ".".join(part for part in path if part)
        if isinstance(value, str) and (match := RANGE.fullmatch(value.strip())):
            first, last = int(match[1]), int(match[2])
            if first > last:
                raise UserError(f"{self.path}: {where} = '{value}' holds nothing; write '0..9'.")
            if last - first >= MOST:
                raise UserError(f"{self.path}: {where} = '{value}' are too many runs.")
            return list(range(first, last + 1))
        if not isinstance(value, list):
            return None
        if not value or any(isinstance(one, list | dict) for one in value):
            raise UserError(f"{self.path}: {where}: a list holds values, one or more.")
        if len({_told(one) for one in value}) < len(value):
            raise UserError(f"{self.path}: {where} has a value twice.")
        return value


def read_study(path) -> Study:
    """Read a study.

    Raises:
        UserError: no such file, no TOML, an unknown option, section or setting.
    """
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8")
        contents = tomllib.loads(text)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {(error.strerror or '').lower()}.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is no TOML: {error}.") from error
    options = dict(contents.pop(APART, {}))
    table = {}
    for name, value in contents.items():
        section = isinstance(value, dict) or (isinstance(value, list) and _tables(value))
        (table if section else options)[name] = value
    for name in options:
        if name not in OPTIONS:
            raise UserError(f"{path}: there is no option '{name}'{nearest(name, list(OPTIONS))}")
    for name in PATHS:  # from the folder of the file, as one moves them together
        if isinstance(options.get(name), str):
            options[name] = str(path.parent / options[name])
    if isinstance(options.get("task"), str) and ".py" in options["task"]:
        options["task"] = str(path.parent / options["task"])
    study = Study(path, text, options, table)
    for part in itertools.islice(study.planned(), 1):  # the settings check the first values
        _check(study, part.table)
    return study


def options_of(planned: Planned) -> dict:
    """The options as the command line has them: texts where it has texts, no False flags."""
    found = {}
    for name, value in planned.options.items():
        if name in ("raw", "keep_networks"):
            value = value or None
        found[name] = str(value) if name in TEXTS and value is not None else value
    return found


def values_of(table: dict, preset: str, variants: Mapping[str, str]) -> dict[str, dict]:
    """Settings by section: of the sections, then of a preset, then of the variants in use."""
    sections = {name: value for name, value in _plain(table)}
    parts = [sections, table.get("preset", {}).get(preset, {})]
    parts += [table.get(name, {}).get(choice, {}) for name, choice in variants.items()]
    found: dict[str, dict] = {}
    for part in parts:
        for section, options in part.items():
            found.setdefault(section, {}).update(options)
    return found


def changed_by(values: dict[str, dict], recipe, variants: Mapping[str, str]) -> list[str]:
    """ "section.option" of all values that are not those of the table of the task anyway."""
    usual = read_table(recipe.source.get("task", "own"), recipe.preset, variants=variants)
    return [
        f"{section}.{option}"
        for section, options in values.items()
        for option, value in options.items()
        if getattr(getattr(usual, section), option) != value
    ]


def refuse_unread(study: Study, runs: list, changed: list[str]) -> None:
    """UserError for a setting that no run of the study reads; ``runs`` are their recipes."""
    used = set().union(*(SAMPLERS[recipe.sampler][1] for recipe in runs))
    known = set().union(*(read_by(recipe.kind) for recipe in runs))
    for setting in changed:
        section = setting.partition(".")[0]
        reads = used if section in SAMPLERS else known
        if not {section, setting} & reads:
            raise UserError(f"{study.path}: {setting} has no effect on its runs; leave it out.")


def _plain(table: dict) -> Iterator[tuple[str, dict]]:
    for name, value in table.items():
        if isinstance(value, dict) and name != "preset" and name not in VARIANTS:
            yield name, value


def _check(study: Study, table: dict) -> None:
    """UserError for names and values that no run could have."""
    where, presets = str(study.path), table.get("preset", {})
    usual = Settings()
    task = study.options.get("task")
    if isinstance(task, str) and task in TASKS:
        usual = read_table(task)
    settings = usual.with_values(dict(_plain(table)), where)
    for blocks in [value for value in table.values() if isinstance(value, list)]:
        for block in blocks:
            own = {key: value for key, value in block.items() if key != "width"}
            settings.with_values({"train": own}, where)
    choices = [("preset", presets), *((name, table.get(name, {})) for name in VARIANTS)]
    for kind, parts in choices:
        for name, values in parts.items():
            settings.with_values(values, f"{where}, {kind} {name}")


def _tables(value: list) -> bool:
    return bool(value) and all(isinstance(one, dict) for one in value)


def _leaves(path: tuple[str, ...], value) -> Iterator[tuple[tuple[str, ...], object]]:
    if isinstance(value, dict):
        for name, part in value.items():
            yield from _leaves((*path, name), part)
    elif not (isinstance(value, list) and _tables(value)):  # blocks are no grid
        yield path, value


def _set(value, path: tuple[str, ...], chosen: dict):
    """A copy in which every list of the grid is one of its values."""
    if path in chosen:
        return chosen[path]
    if isinstance(value, dict):
        return {name: _set(part, (*path, name), chosen) for name, part in value.items()}
    return value


def _short(paths: list[tuple[str, ...]]) -> list[str]:
    """The last word of each, or more of them where two would have the same."""
    last = [path[-1] for path in paths]
    return [
        path[-1] if last.count(path[-1]) == 1 else ".".join(part for part in path if part)
        for path in paths
    ]


def _told(value) -> str:
    text = f"{value:g}" if isinstance(value, float) else str(value)
    return re.sub(r"[^\w.+,-]+", "_", text)
