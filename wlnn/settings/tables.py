"""Settings of a run: frozen dataclasses with defaults and limits, and the reader of their tables.

Numbers of the paper live in ``tables/<task>.toml`` with their source; nothing here samples.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from math import log
from numbers import Real

from wlnn.base.errors import UserError
from wlnn.settings.canonical import MDSettings, SeekSettings
from wlnn.settings.ladder import LadderSettings
from wlnn.settings.samplers import WLMCSettings, WLMDSettings
from wlnn.settings.section import KnownNames, nearest
from wlnn.settings.task import (
    SECTIONS,
    ContextSettings,
    DataSettings,
    GridSettings,
    NetworkSettings,
)
from wlnn.settings.training import TrainSettings, TuneSettings

VARIANTS = {"axis": "y axis", "scale": "scale of inputs"}  # subtables [axis.logit] and so on


@dataclass(frozen=True)
class Settings(metaclass=KnownNames):
    """Every section of one table.

    Examples:
        >>> import wlnn
        >>> settings = wlnn.Settings(wlmc=wlnn.WLMCSettings(steps=1e6))
        >>> settings.wlmc.steps
        1000000
    """

    network: NetworkSettings = field(default_factory=NetworkSettings)
    data: DataSettings = field(default_factory=DataSettings)
    grid: GridSettings = field(default_factory=GridSettings)
    context: ContextSettings = field(default_factory=ContextSettings)
    md: MDSettings = field(default_factory=MDSettings)
    seek: SeekSettings = field(default_factory=SeekSettings)
    wlmc: WLMCSettings = field(default_factory=WLMCSettings)
    wlmd: WLMDSettings = field(default_factory=WLMDSettings)
    ladder: LadderSettings = field(default_factory=LadderSettings)
    train: TrainSettings = field(default_factory=TrainSettings)
    tune: TuneSettings = field(default_factory=TuneSettings)

    def with_values(self, values: Mapping[str, Mapping], where: str = "settings") -> Settings:
        """A copy with ``{section: {option: value}}`` replaced; unknown names are refused."""
        changed = {}
        for section, options in values.items():
            known = [part.name for part in fields(self)]
            if section not in known:
                raise UserError(
                    f"{where}: there is no section '{section}'{nearest(section, known)}"
                )
            old = getattr(self, section)
            known = [option.name for option in fields(old)]
            if not isinstance(options, Mapping):
                raise UserError(f"{where}: '{section}' is a section; name one of its options.")
            for key in options:
                if key not in known and (key not in old.gone or options[key] != old.gone[key]):
                    raise UserError(f"{where}: there is no {section}.{key}{nearest(key, known)}")
            given = {key: value for key, value in options.items() if key in known}
            changed[section] = replace(old, **given)
        return replace(self, **changed)

    def with_options(self, **options) -> Settings:
        """A copy with options given by their bare name, see :meth:`home_of`."""
        values: dict[str, dict] = {}
        for key, value in options.items():
            values.setdefault(self.home_of(key), {})[key] = value
        return self.with_values(values)

    def home_of(self, option: str) -> str:
        """The section of a task's option, whose bare name no two of these sections share."""
        homes = {known.name: part.name for part in SECTIONS for known in fields(part)}
        if option not in homes:
            raise UserError(f"there is no task option '{option}'{nearest(option, list(homes))}")
        return homes[option]

    def to_dict(self) -> dict:
        """``{section: {option: value}}``: what is stored with every result."""
        return asdict(self)


def parse_overrides(overrides: Iterable[str]) -> dict[str, dict]:
    """``["wlmc.steps=1e7"]`` -> ``{"wlmc": {"steps": 1e7}}``; bare words are strings."""
    values: dict[str, dict] = {}
    for text in overrides:
        key, equals, value = text.partition("=")
        section, dot, option = key.strip().partition(".")
        if not (equals and dot and section and option):
            raise UserError(f"'{text}' is no setting; write section.option=value.")
        try:
            value = tomllib.loads(f"value = {value}")["value"]
        except tomllib.TOMLDecodeError:
            try:
                value = float(value)  # ".5" is no number of TOML
            except ValueError:
                value = value.strip()
        values.setdefault(section, {})[option] = value
    return values


def read_table(
    task: str,
    preset: str | None = None,
    overrides: Iterable[str] = (),
    variants: Mapping[str, str] | None = None,
    width: float | None = None,
) -> Settings:
    """Settings of ``wlnn/tables/<task>.toml``, then a preset of that table, then dotted overrides.

    A table may have several ``[[train]]`` blocks, each with the ``width`` it was tuned for: the one
    of the nearest width (by its logarithm) is taken.

    Examples:
        >>> import wlnn
        >>> settings = wlnn.read_table("spiral-classify", "quick", ["wlmc.steps=1e6"])
        >>> settings.wlmc.steps, settings.network.layers, settings.network.width
        (1000000, 3, 6)

    Args:
        task: table name, e.g. "spiral-classify"; "own" holds the values for everybody's own tasks.
        preset: a name below ``[preset]`` in the table; None is "default".
        overrides: texts such as "wlmc.steps=1e7".
        variants: settings that go together, by the name of their choice: {"axis": "plain"} takes
            those below ``[axis.plain]`` of the table, {"scale": "unit"} those of ``[scale.unit]``.
        width: of the network, where it will not be that of the table and the overrides.

    Raises:
        UserError: for an unknown table, preset, variant, section or option, and every wrong value.
    """
    where, table = f"tables/{task}.toml", _load(task)
    presets = table.pop("preset", {})
    choices = {name: table.pop(name, {}) for name in VARIANTS}
    preset = preset or "default"
    if preset not in presets:
        raise UserError(f"task '{task}' has no preset '{preset}'{nearest(preset, list(presets))}")
    blocks, changes = table.pop("train", []), parse_overrides(overrides)
    settings = Settings().with_values(table, where)
    width = width or changes.get("network", {}).get("width", settings.network.width)
    if blocks:
        settings = settings.with_values({"train": _block(blocks, width)}, where)
    settings = settings.with_values(presets[preset], f"{where}, preset {preset}")
    for name, choice in (variants or {}).items():
        if choice not in choices[name]:
            said = f"; use one of {', '.join(choices[name])}." if choices[name] else "."
            raise UserError(f"task '{task}' has no {VARIANTS[name]} '{choice}'{said}")
        settings = settings.with_values(choices[name][choice], f"{where}, {name} {choice}")
    return settings.with_values(changes, "--set")


def options_of_task(task: str) -> set[str]:
    """ "section.option" of all that the table of a task says about the task itself."""
    table = _load(task)
    return {f"{part.name}.{key}" for part in SECTIONS for key in table.get(part.name, ())}


def _load(task: str) -> dict:
    """The table as TOML has it; UserError if there is none."""
    folder = resources.files("wlnn.tables")
    known = {file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml")}
    known = sorted(known - {"figures"})  # which is no task
    if task not in known:
        raise UserError(f"there is no task '{task}'{nearest(task, known)}")
    return tomllib.loads((folder / f"{task}.toml").read_text(encoding="utf-8"))


def _block(blocks: list[dict], width) -> dict:
    """The ``[[train]]`` block whose width is nearest, without its width; a sole one needs none."""
    if isinstance(width, Real) and width > 0:
        blocks = sorted(blocks, key=lambda block: abs(log(block.get("width", width) / width)))
    return {key: value for key, value in blocks[0].items() if key != "width"}
