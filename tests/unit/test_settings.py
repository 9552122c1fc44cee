import dataclasses
import importlib.resources
import re
import tomllib

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.settings.samplers import WLMCSettings
from wlnn.settings.tables import Settings, parse_overrides, read_table

TABLES = (
    "spiral-classify",
    "spiral-regress",
    "house-price",
    "mnist",
    "polymer",
    "cifar",
    "own",
)


def test_the_spiral_table_says_what_the_paper_says():
    settings = read_table("spiral-classify", "paper")
    network, data, wlmc = settings.network, settings.data, settings.wlmc
    assert (network.layers, network.width, network.logits, network.bound_factor) == (3, 6, 2, 2.0)
    assert (data.points, data.noise, data.test_radii) == (40, 0.1, "random")
    assert wlmc.stages == 10_000
    assert wlmc.steps / wlmc.stages * wlmc.walkers == 3.2e6
    assert (wlmc.schedule, wlmc.step_rule, wlmc.production) == ("paper", "paper", 0.0)
    assert (wlmc.merge_every, wlmc.walkers, wlmc.groups) == (1, 16, 1)


@pytest.mark.parametrize("table", TABLES)
def test_every_number_of_a_table_tells_its_source(table):
    """On its own line; or, of [[train]] and [tune], in words for the whole block or all of them."""
    text = (importlib.resources.files("wlnn.tables") / f"{table}.toml").read_text()
    assert {"default", "quick"} <= set(tomllib.loads(text)["preset"])
    if table == "own":  # all its numbers are choices, as its head says
        return
    section, told = "", set()
    for line in text.splitlines():
        value, _, comment = line.partition("#")
        own = bool(re.search(r"paper|published run|our choice", comment))
        if line.startswith("["):
            section, throughout = value.strip(), own and "throughout" in comment
        elif "=" in value:
            key = value.partition("=")[0].strip()
            if section in ("[[train]]", "[tune]") and own:
                several = {" of all": "optimizer learning_rate batch_size width", " of both":
                           "rate_low rate_high batch_low batch_high"}  # fmt: skip
                said = [keys.split() for words, keys in several.items() if words in comment]
                told |= {(section, name) for name in sum(said, [key])}
            assert own or throughout or (section, key) in told, line


@pytest.mark.parametrize("table", TABLES)
@pytest.mark.parametrize("preset", [None, "default", "quick"])
def test_presets_read(table, preset):
    settings = read_table(table, preset)
    assert type(settings.wlmc.steps) is int
    assert settings == read_table(table, preset)
    rebuilt = Settings().with_values(settings.to_dict())
    assert rebuilt == settings


def test_overrides_come_last_and_keep_their_type():
    settings = read_table(
        "spiral-classify",
        "quick",
        [
            "wlmc.steps=1e7",
            "wlmc.merge_every=stage",
            "wlmc.estimator=frozen",
            "grid.y=ln-test-loss",
            "network.width = 8",
        ],
    )
    assert settings.wlmc.steps == 10_000_000
    assert type(settings.wlmc.steps) is int
    assert settings.wlmc.merge_every == 1
    assert settings.grid.y == "ln-test-loss"
    assert settings.network.width == 8
    assert settings.wlmc.walkers == 4  # still of the preset


def test_values_of_overrides():
    values = parse_overrides(["a.x=true", "a.y='one'", "a.z=one-over-t", "b.x=-1_0"])
    assert values == {"a": {"x": True, "y": "one", "z": "one-over-t"}, "b": {"x": -10}}


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("wlmc.step=3", "wlmc.step; did you mean 'step"),
        ("wmc.steps=3", "'wmc'; did you mean 'wlmc'"),
        ("grid.zzz=3", "grid.zzz; use one of x, x_low"),
        ("steps=3", "'steps=3'"),
        ("wlmc.steps", "section.option=value"),
        ("wlmc.=3", "section.option=value"),
        ("wlmc.steps=0", "wlmc.steps must be 1 or more, not 0"),
        ("wlmc.steps=1.5", "wlmc.steps must be a whole number"),
        ("wlmc.steps=inf", "wlmc.steps must be a whole number"),
        ("wlmc.steps=many", "wlmc.steps must be a whole number, not 'many'"),
        ("wlmc.steps=true", "wlmc.steps must be a whole number"),
        ("wlmc.steps=100", "wlmc.steps = 100 is too short: give 500 or more"),
        ("wlmc.production=nan", "wlmc.production must be a number"),
        ("wlmc.production=1", "wlmc.production must be 0.95 or less"),
        ("wlmc.schedule=1/t", "wlmc.schedule must be one of 'one-over-t', 'paper', 'halving'"),
        ("wlmc.ln_f0=1", "wlmc.ln_f0 must be 0.1 or less"),
        ("wlmc.ln_f0=0", "wlmc.ln_f0 must be above 0"),
        ("wlmc.step_rule=thaw", "wlmc.step_rule"),
        ("wlmc.step_width=0", "wlmc.step_width must be above 0"),
        ("wlmc.late_bins=zero", "wlmc.late_bins"),
        ("wlmc.precision=16", "wlmc.precision"),
        ("wlmc.walkers=0", "wlmc.walkers must be 1 or more"),
        ("wlmc.merge_every=sometimes", "wlmc.merge_every"),
        ("wlmc.seed=-1", "wlmc.seed must be 0 or more"),
        ("wlmc.keep_networks=1", "wlmc.keep_networks must be true or false"),
        ("network.activation=gelu", "network.activation must be one of 'relu', 'tanh', 'silu'"),
        ("network.logits=3", "network.logits"),
        ("network.bound_factor=0", "network.bound_factor must be above 0"),
        ("grid.x_width=0", "grid.x_width must be above 0"),
        ("grid.x_low=1", "grid.x_low, grid.x_high and grid.x_width make -5 bins"),
        ("grid.x_width=1e-9", "between 2 and 100000"),
        ("grid.y_low=9", "grid.y_low, grid.y_high and grid.y_width"),
    ],
)
def test_wrong_values_are_refused_by_name(override, words):
    with pytest.raises(UserError) as error:
        read_table("spiral-classify", "quick", [override])
    text = str(error.value)
    assert words in text, text
    assert "\n" not in text


def test_groups_must_divide_the_walkers_only_when_merging():
    assert WLMCSettings(walkers=6, groups=4).merge_every == 0
    with pytest.raises(UserError, match=r"wlmc.groups must divide wlmc.walkers = 6, not be 4"):
        WLMCSettings(walkers=6, groups=4, merge_every="stage", estimator="frozen")
    assert WLMCSettings(merge_every="never").merge_every == 0
    assert WLMCSettings(merge_every=5, estimator="average").merge_every == 5


@pytest.mark.parametrize("task", ["spiral-classify", "own", "context-select"])
def test_the_command_line_and_the_class_have_the_same_defaults(task):
    table = dataclasses.asdict(read_table(task).wlmc)
    for name, value in dataclasses.asdict(WLMCSettings()).items():
        if name not in ("steps", "production"):  # context-select has less to measure
            assert table[name] == value, name


def test_unknown_tables_and_presets_suggest_a_known_one():
    with pytest.raises(UserError, match="'spiral-clasify'; did you mean 'spiral-classify'"):
        read_table("spiral-clasify")
    with pytest.raises(UserError, match="no preset 'quik'; did you mean 'quick'"):
        read_table("spiral-classify", "quik")


def test_bare_option_names_find_their_section():
    settings = Settings().with_options(layers=4, x_low=-5, test_radii="even", seed=np.int64(3))
    assert settings.network.layers == 4
    assert settings.grid.x_low == -5.0
    assert (settings.data.test_radii, settings.data.seed) == ("even", 3)
    assert settings.wlmc == WLMCSettings()
    with pytest.raises(UserError, match="'layer'; did you mean 'layers'"):
        Settings().with_options(layer=4)


def test_no_two_task_sections_share_an_option_name():
    names = [
        option.name
        for part in ("network", "data", "grid")
        for option in dataclasses.fields(getattr(Settings(), part))
    ]
    assert len(names) == len(set(names))
