"""Settings of a run: frozen dataclasses with defaults and limits, and the reader of their tables.

Numbers of the paper live in ``tables/<task>.toml`` with their source; nothing here samples.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from importlib import resources
from math import log
from numbers import Real

from wlnn.errors import UserError
from wlnn.section import Section as _Section
from wlnn.section import option as _option
from wlnn.settings_motion import MDSettings, SeekSettings
from wlnn.settings_train import TrainSettings, TuneSettings

VARIANTS = {"axis": "y axis", "scale": "scale of inputs"}  # subtables [axis.logit] and so on


@dataclass(frozen=True)
class NetworkSettings(_Section):
    """The network's size and its box.

    ``layers`` hidden layers of ``width`` units; the channels of the first layer, where the task has
    a convolutional network.
    """

    name = "network"
    layers: int = _option(3, low=0, high=64)
    width: int = _option(6, low=1, high=4096)
    activation: str = _option("relu", choices=("relu", "tanh", "silu"))
    logits: int = _option(2, choices=(1, 2))  # outputs of a classifier of two classes
    bound_rule: str = _option("width", choices=("width", "fan_out"))
    bound_factor: float = _option(2.0, above=0)  # c in b = c / sqrt(W)


@dataclass(frozen=True)
class DataSettings(_Section):
    """What a data set is drawn with, and how its inputs are scaled."""

    name = "data"
    seed: int = _option(0, low=0)
    points: int = _option(40, low=2)  # in each of the two sets, or in the training set ...
    test_points: int = _option(0, low=0)  # ... and in the test set; 0 = as many (files only)
    noise: float = _option(0.1, low=0)  # standard deviation, units of the inputs
    test_radii: str = _option("random", choices=("random", "even"))
    selection: str = _option("seeded", choices=("seeded", "published"))  # regression and images
    scale: str = _option("raw", choices=("raw", "unit", "standard"))  # of images and embeddings
    first_class: int = _option(4, low=0, high=9)  # cifar only: labels of the two classes
    second_class: int = _option(6, low=0, high=9)


@dataclass(frozen=True)
class GridSettings(_Section):
    """Macrostates: the x axis is ln(train loss), the y axis one of three test quantities."""

    name = "grid"
    x_low: float = _option(-7.0)
    x_high: float = _option(1.0)
    x_width: float = _option(0.05, above=0)  # of a bin
    y: str = _option(
        "test-accuracy", choices=("test-accuracy", "smoothed-accuracy", "ln-test-loss")
    )
    y_low: float = _option(-7.0)  # y_low, y_high: ln(test loss) only
    y_high: float = _option(5.0)
    y_width: float = _option(0.1, above=0)  # of a bin; test-accuracy has one bin per count instead
    alpha: float = _option(5.0, above=0)  # sharpness of the smoothed accuracy, Eq. (2)

    def __post_init__(self):
        super().__post_init__()
        for axis in "xy":
            low, high = getattr(self, f"{axis}_low"), getattr(self, f"{axis}_high")
            bins = (high - low) / getattr(self, f"{axis}_width")
            if not 2 <= bins <= 1e5:
                raise UserError(
                    f"grid.{axis}_low, {axis}_high, {axis}_width make {bins:g} bins; between 2 and "
                    "100000 are possible."
                )


@dataclass(frozen=True)
class ContextSettings(_Section):
    """Context-dependent input selection: sizes, box and units; used by ``context-select`` only."""

    name = "context"
    contexts: int = _option(2, low=1)  # K, which is the number of inputs too
    units: int = _option(16, low=1)  # N
    net: str = _option("gain-linear", choices=("gain-linear", "relu"))
    box: float = _option(2.0, above=0)  # b: every parameter lies in [-b, b]
    inputs: int = _option(16, low=2)  # x and -x in pairs; inputs, input_scale, input_seed: relu
    input_scale: float = _option(0.3, above=0)  # s_x
    input_seed: int = _option(0, low=0)


@dataclass(frozen=True)
class WLMCSettings(_Section):
    """Wang-Landau Monte Carlo: length, schedule, moves and walkers of one run."""

    name = "wlmc"
    steps: int = _option(60_000_000, low=1)  # of one walker, adaptive part and production together
    stages: int = _option(400, low=1, high=1_000_000)  # the run is reported and saved after each
    production: float = _option(0.25, low=0, high=0.95)  # last part of the steps, which is measured
    estimator: str = _option("frozen", choices=("frozen", "average"))  # S + ln H, or mean of S
    schedule: str = _option("one-over-t", choices=("one-over-t", "paper", "halving"))
    ln_f0: float = _option(0.05, above=0, high=0.1)  # nats per visit at the start; not for "paper"
    c: float = _option(2.0, above=0, high=80)  # "one-over-t" ends at ln f = c (visited bins) / t
    step_rule: str = _option("freeze", choices=("freeze", "log-uniform", "paper"))
    step_width: float = _option(0.1, above=0, high=1)  # first half width of a move / width of box
    late_bins: str = _option("nearby", choices=("nearby", "minimum", "previous"))
    precision: str = _option(
        "float32", choices=("float32", "float64")
    )  # of the network; S: float64
    walkers: int = _option(8, low=1, high=10_000)
    merge_every: int = _option(0, low=0)  # stages between averages of S; 0 = never, "stage" = 1
    groups: int = _option(4, low=1)  # independent sets of walkers; only used when merging
    seed: int = _option(0, low=0)
    anchor_draws: int = _option(1_000_000, low=0)  # uniform points that fix absolute entropies
    keep_networks: bool = _option(False)  # store one network of every bin

    def __post_init__(self):
        words = {"stage": 1, "never": 0}
        if isinstance(self.merge_every, str) and self.merge_every in words:
            object.__setattr__(self, "merge_every", words[self.merge_every])
        super().__post_init__()
        if self.steps < 10 * self.stages:
            raise UserError(
                f"wlmc.stages must be at most wlmc.steps / 10 = {self.steps // 10}, not "
                f"{self.stages}."
            )
        if self.merge_every and self.walkers % self.groups:
            raise UserError(
                f"wlmc.groups must divide wlmc.walkers = {self.walkers}, not be {self.groups}."
            )


@dataclass(frozen=True)
class WLMDSettings(_Section):
    """Wang-Landau molecular dynamics: window and walls, hills, schedule, time step and walkers.

    Units: x, y and everything along them in units of the axes, steps of one walker, mass 1 and
    temperature 1.
    """

    name = "wlmd"
    steps: int = _option(5_000_000, low=1)  # of one walker
    production: float = _option(0.0, low=0, high=0.95)  # last part of the steps, with S frozen
    f_max: float = _option(10.0, above=0)  # f_max, t1, t2, t3: Eq. (4)
    t1: float = _option(1e5, above=0)
    t2: float = _option(2e6, above=0)
    t3: float = _option(1.75e6)
    sigma: float = _option(0.2, above=0)  # width of a hill
    tail_sigma: float = _option(0.0, low=0)  # the same after t2; 0 = sigma
    cutoff: float = _option(4.0, low=2, high=8)  # where a hill is cut, in sigma
    spacing: float = _option(0.02, above=0)  # bin width of the table
    x_low: float = _option(-5.0)  # walls of ln(train loss) ...
    x_high: float = _option(-0.5)
    y_low: float = _option(-5.0)  # ... and of the y axis
    y_high: float = _option(3.0)
    wall_low: float = _option(300.0, above=0)  # c of the walls c (distance)^2 at the low ends ...
    wall_high: float = _option(3000.0, above=0)  # ... and at the high ends, Eq. (3)
    margin: float = _option(2.2, above=0)  # of the table beyond the walls
    accuracy_axis: str = _option("logit", choices=("logit", "scaled", "plain"))  # y = smoothed ...
    start: float = _option(0.1, above=0, high=1)  # part of the box in which walkers are drawn ...
    start_x: float = _option(100.0)  # ... and brought down to this x, if it is below x_high
    dt: float = _option(2e-4, above=0)
    friction: float = _option(4e-4, low=0, high=0.5)  # per step
    thermostat_every: int = _option(10, low=1)  # steps
    integrator: str = _option("baoab", choices=("baoab", "boa"))
    walkers: int = _option(1, low=1, high=10_000)  # on one table
    tables: int = _option(4, low=1, high=10_000)  # independent ones: their spread is the error
    round: int = _option(1000, low=1)  # steps between two unions of the walkers' hills
    report: int = _option(0, low=0)  # steps between reports and checkpoints; 0 = some seconds
    average_from: float = _option(0.5, low=0, high=1)  # part of the steps before the average starts
    estimator: str = _option("average", choices=("last", "average", "reweighted"))
    checks: bool = _option(True)  # stop when a temperature or the table is wrong
    seed: int = _option(0, low=0)
    keep_networks: bool = _option(False)  # store one network of every macrostate of this width:
    keep_width: float = _option(0.25, above=0)  # units of x and of y

    def __post_init__(self):
        super().__post_init__()
        for axis in "xy":
            low, high = getattr(self, f"{axis}_low"), getattr(self, f"{axis}_high")
            if not high - low >= 4 * self.sigma:
                raise UserError(
                    f"wlmd.{axis}_low = {low:g}, {axis}_high = {high:g}: the window must be at "
                    f"least 4 wlmd.sigma = {4 * self.sigma:g} wide."
                )
        if 0 < self.tail_sigma < self.spacing:
            raise UserError(
                f"wlmd.tail_sigma must be at least wlmd.spacing = {self.spacing:g}, or 0, not "
                f"{self.tail_sigma:g}."
            )
        if self.round % self.thermostat_every:
            raise UserError(
                f"wlmd.round must be a multiple of wlmd.thermostat_every = {self.thermostat_every},"
                f" not {self.round}."
            )
        if self.report % self.round:
            raise UserError(
                f"wlmd.report must be a multiple of wlmd.round = {self.round}, not {self.report}."
            )
        if self.estimator == "reweighted" and not self.production:
            raise UserError("wlmd.estimator = 'reweighted' needs a wlmd.production above 0.")


@dataclass(frozen=True)
class Settings:
    """Every section of one table."""

    network: NetworkSettings = NetworkSettings()
    data: DataSettings = DataSettings()
    grid: GridSettings = GridSettings()
    context: ContextSettings = ContextSettings()
    md: MDSettings = field(default_factory=MDSettings)
    seek: SeekSettings = field(default_factory=SeekSettings)
    wlmc: WLMCSettings = WLMCSettings()
    wlmd: WLMDSettings = WLMDSettings()
    train: TrainSettings = field(default_factory=TrainSettings)
    tune: TuneSettings = field(default_factory=TuneSettings)

    def with_values(self, values: Mapping[str, Mapping], where: str = "settings") -> Settings:
        """A copy with ``{section: {option: value}}`` replaced; unknown names are refused."""
        changed = {}
        for section, options in values.items():
            known = [part.name for part in fields(self)]
            if section not in known:
                raise UserError(
                    f"{where}: there is no section '{section}'{_nearest(section, known)}"
                )
            old = getattr(self, section)
            known = [option.name for option in fields(old)]
            if not isinstance(options, Mapping):
                raise UserError(f"{where}: '{section}' is a section; name one of its options.")
            for key in options:
                if key not in known:
                    raise UserError(f"{where}: there is no {section}.{key}{_nearest(key, known)}")
            changed[section] = replace(old, **options)
        return replace(self, **changed)

    def with_options(self, **options) -> Settings:
        """A copy with options given by their bare name, see :meth:`home_of`."""
        values: dict[str, dict] = {}
        for key, value in options.items():
            values.setdefault(self.home_of(key), {})[key] = value
        return self.with_values(values)

    def home_of(self, option: str) -> str:
        """The section of a task's option, whose bare name no two of these sections share."""
        homes = {
            known.name: part.name
            for part in fields(self)
            if part.name not in ("md", "seek", "wlmc", "wlmd", "train", "tune")
            for known in fields(getattr(self, part.name))
        }
        if option not in homes:
            raise UserError(f"there is no task option '{option}'{_nearest(option, list(homes))}")
        return homes[option]

    def to_dict(self) -> dict:
        """``{section: {option: value}}``: what is stored with every result."""
        return asdict(self)


def _nearest(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    return f"; did you mean '{close[0]}'?" if close else f"; use one of {', '.join(known)}."


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
    folder = resources.files("wlnn.tables")
    known = sorted(file.name[:-5] for file in folder.iterdir() if file.name.endswith(".toml"))
    if task not in known:
        raise UserError(f"there is no task '{task}'{_nearest(task, known)}")
    where = f"tables/{task}.toml"
    table = tomllib.loads((folder / f"{task}.toml").read_text(encoding="utf-8"))
    presets = table.pop("preset", {})
    choices = {name: table.pop(name, {}) for name in VARIANTS}
    preset = preset or "default"
    if preset not in presets:
        raise UserError(f"task '{task}' has no preset '{preset}'{_nearest(preset, list(presets))}")
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


def _block(blocks: list[dict], width) -> dict:
    """The ``[[train]]`` block whose width is nearest, without its width; a sole one needs none."""
    if isinstance(width, Real) and width > 0:
        blocks = sorted(blocks, key=lambda block: abs(log(block.get("width", width) / width)))
    return {key: value for key, value in blocks[0].items() if key != "width"}
