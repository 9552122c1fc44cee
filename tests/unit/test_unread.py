"""No option is taken and then ignored: it changes what is sampled, or it is refused."""

import dataclasses

import pytest

from wlnn.base.errors import UserError
from wlnn.cli.options import recipe_of

OPTIONS = {  # none has the value that any of the tasks below has anyway
    "layers": 4.0,
    "width": 5.0,
    "activation": "tanh",
    "logits": 1.0,
    "points": 24.0,
    "data_seed": "3",
    "scale": "unit",
    "classes": "3,5",
    "y_axis": "plain",
    "window": "-2.3,0.2",
    "seed": 5.0,
    "walkers": 3.0,
    "steps": 54321.0,
    "schedule": "halving",
    "step_rule": "log-uniform",
    "precision": "float64",
    "keep_networks": True,
    "x": "train-accuracy",
}
OF_A_SAMPLER = list(OPTIONS)[list(OPTIONS).index("window") :]
SETTINGS = {
    "network.logits": 1,
    "network.bound_factor": 1.5,
    "data.noise": 0.3,
    "data.test_radii": "even",
    "data.scale": "standard",
    "data.second_class": 9,
    "grid.x_low": -4.5,
    "grid.y_width": 0.04,
    "grid.alpha": 6.0,
    "context.units": 8,
    "wlmc.step_width": 0.2,
    "wlmd.dt": 1e-6,
    "md.temperature": 0.2,
    "seek.low": 1e-3,
    "train.epochs": 7,
    "tune.rates": 2,
}
TASKS = [
    ("spiral-classify", "wlmc"),
    ("spiral-classify", "md"),
    ("spiral-classify", "train"),
    ("spiral-regress", "wlmd"),
    ("spiral-regress", "seek"),
    ("spiral-regress", "tune"),
    ("mnist", "wlmd"),
    ("mnist", "md"),
    ("mnist", "train"),
    ("context-select", "wlmc"),
    ("train", "wlmc"),
]
NAMED = {"wlmc": {"wlmc"}, "wlmd": {"wlmd"}, "md": {"md"}, "train": {"train"}}
NAMED |= {"seek": {"seek", "md", "train"}, "tune": {"tune", "train"}}  # sections
BARE = {
    "grid.y_width": ("spiral-classify", "mnist", "train"),
    "grid.alpha": ("spiral-classify", "spiral-regress", "train"),
}


@pytest.fixture
def given(tmp_path):
    """The options that name a task."""
    for name in ("train", "test"):
        rows = "".join(f"{k},{k * k % 7},{k % 2}\n" for k in range(30))
        (tmp_path / f"{name}.csv").write_text("a,b,label\n" + rows)
    files = {name: str(tmp_path / f"{name}.csv") for name in ("train", "test")}
    return lambda task: {**files, "target": "label"} if task == "train" else {"task": task}


def run_of(options, sampler, overrides=()):
    """All that the run of some options depends on."""
    recipe = recipe_of({"overrides": overrides, **options}, "default", sampler)
    problem = recipe.problem(recipe.task())
    sections = {name: dataclasses.asdict(getattr(recipe.settings, name)) for name in NAMED[sampler]}
    grid = getattr(problem, "grid", None) if sampler == "wlmc" else None
    return problem.about, sections, grid


@pytest.mark.parametrize(("task", "sampler"), TASKS)
def test_an_option_changes_the_run_or_is_refused(given, task, sampler):
    usual, effect = run_of(given(task), sampler), {}
    for name, value in OPTIONS.items():
        if name in OF_A_SAMPLER and sampler not in ("wlmc", "wlmd"):
            continue  # those commands have no such option, or one of their own
        try:
            effect[name] = run_of({**given(task), name: value}, sampler) != usual
        except UserError as error:
            effect[name] = str(error).replace("-", "_").replace(" ", "_")
    refused = {name: words for name, words in effect.items() if isinstance(words, str)}
    assert [name for name, words in refused.items() if name not in words] == []
    assert [name for name, changes in effect.items() if changes is False] == []
    kept = {name for name, changes in effect.items() if changes is True}
    if sampler in ("wlmc", "wlmd"):
        assert {"window", "seed", "walkers", "steps"} <= kept
    if task in ("spiral-regress", "mnist"):
        assert {"width", "points", "data_seed"} <= kept


@pytest.mark.parametrize(("task", "sampler"), TASKS)
def test_a_setting_changes_the_run_or_is_refused(given, task, sampler):
    usual, refused = run_of(given(task), sampler), {}
    for name, value in SETTINGS.items():
        if task in BARE.get(name, ()):
            continue  # of an axis that another y would have
        words, section = f"{name}={value}", name.partition(".")[0]
        try:
            changed = run_of(given(task), sampler, (words,)) != usual
        except UserError as error:
            refused[name] = str(error)
        else:
            assert changed, name
            assert section in ("network", "data", "grid", "context", *NAMED[sampler])
    wrong = {name: words for name, words in refused.items() if f"--set {name}=" not in words}
    assert wrong == {}
    assert all(" has no effect on " in words for words in refused.values())
    assert {"wlmc.step_width", "wlmd.dt", "md.temperature"} - {*refused} <= {
        f"{section}.{option}"
        for section in NAMED[sampler]
        for option in ("step_width", "dt", "temperature")
    }


def test_the_window_is_that_of_the_sampler():
    regress = {"task": "spiral-regress", "overrides": (), "window": "-3.5,-0.5"}
    assert recipe_of(regress, "default", "wlmd").settings.wlmd.x_low == -3.5
    assert recipe_of(regress, "default", "wlmd").settings.wlmd.x_high == -0.5
    narrower = {**regress, "overrides": ("wlmd.x_low=-3",)}
    assert recipe_of(narrower, "default", "wlmd").settings.wlmd.x_low == -3
    assert recipe_of(regress, "default").settings.ladder.x_low == -3.5
    assert recipe_of(regress, "default").settings.grid.x_high == -0.5
    classify = {"overrides": (), "window": "-2.5,0.5"}
    assert recipe_of(classify, "default").settings.grid.x_low == -2.5
    with pytest.raises(UserError, match=r"grid.x_low=-3 has no effect .* give wlmd.x_low"):
        recipe_of({"task": "mnist", "overrides": ("grid.x_low=-3",)}, "default")
