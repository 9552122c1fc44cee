"""The tasks on files: tables against the paper, parameter counts, commands from file to result."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from data_files import house_rows, python2_batch, write_csv

from wlnn.base.accuracy_axes import ACCURACY_AXES
from wlnn.base.errors import UserError
from wlnn.base.store import load
from wlnn.cli.options import recipe_of
from wlnn.networks.images import network_from
from wlnn.runs.names import directory_name
from wlnn.settings.tables import read_table
from wlnn.tasks.catalogue import TASKS, load_task
from wlnn.tasks.readers import cifar
from wlnn.tasks.smooth import NetworkVariables
from wlnn.wlmd import run as run_wlmd

COUNTS = {
    "house-price": {10: 3331, 20: 6661, 50: 16_651, 100: 33_301},
    "polymer": {2: 1541, 10: 7701, 50: 38_501, 100: 77_001},
    "mnist": {2: 362, 3: 646, 4: 1002},
    "cifar": {6: 43_604},
}
SMILES = [f"*C{'C' * (k % 7)}({'N' * (k % 3)}*)O{k % 10}" for k in range(561)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Files in the formats of the data: houses, polymers, a set of 100 photographs."""
    rng, folder = np.random.default_rng(1), tmp_path_factory.mktemp("data")
    write_csv(folder / "train.csv", house_rows(rng))
    rows = [[text, f"{value:.3f}"] for text, value in zip(SMILES, rng.random(561), strict=True)]
    write_csv(folder / "Egb.csv", [["smiles", "value"], *rows])
    images = rng.integers(0, 256, (100, 32, 32, 3), dtype=np.uint8)
    np.savez(folder / "cifar.npz", x=images, cifar_label=np.resize([4, 6], 100))
    return folder


def options(name, folder):
    if name == "cifar":
        return {
            "data": folder / "cifar.npz",
            "selection": "seeded",
            "points": 50,
            "test_points": 50,
        }
    return {
        "house-price": {"data": folder / "train.csv"},
        "polymer": {"data": folder / "Egb.csv"},
    }.get(name, {})


@pytest.mark.parametrize("name", COUNTS)
def test_parameter_counts_of_the_paper(name, folder):
    default = load_task(name, **options(name, folder)).network.n_parameters
    assert default == COUNTS[name][read_table(name).network.width]
    for width, count in COUNTS[name].items():
        task = load_task(name, width=width, **options(name, folder))
        assert task.network.n_parameters == count
        about = json.loads(json.dumps(task.describe()))
        assert network_from(about["network"]).n_parameters == about["parameters"] == count


@pytest.mark.parametrize("name", COUNTS)
def test_the_tables_say_what_table_6_says(name):
    """Columns: sigma, x_max, y_max, f_max, t1, t2, t3, dt, friction."""
    table_6 = {
        "house-price": (0.5, -1.0, 5.0, 20, 5e5, 5e5, 0, 1e-4, 0.01),
        "mnist": (0.2, 2.0, 2.94, 3, 2e5, 1e7, 8e6, 3e-6, 1e-5),  # y_max: logit of 0.95
        "polymer": (0.5, 0.0, 5.0, 20, 1e6, 1e6, 0, 3e-5, 0.01),
        "cifar": (0.3, 1.0, 10.0, 20, 3e5, 2e6, 0, 2e-5, 1e-4),  # y_max: 10 A with A = 1
    }
    names = ("sigma", "x_high", "y_high", "f_max", "t1", "t2", "t3", "dt", "friction")
    settings = read_table(name, "paper")
    assert tuple(getattr(settings.wlmd, option) for option in names) == table_6[name]
    assert settings.wlmd.integrator == "boa"
    default = read_table(name)
    assert default.network.bound_factor == 2.0
    assert settings.network.bound_factor == (3.0 if name in ("house-price", "polymer") else 2.0)
    assert settings.network.bound_rule == default.network.bound_rule == "fan_out"


def test_published_runs_that_differ_from_the_text():
    paper, default = read_table("cifar", "paper"), read_table("cifar")
    assert (paper.data.first_class, paper.data.second_class, paper.grid.alpha) == (3, 5, 7.0)
    assert (default.data.first_class, default.data.second_class, default.grid.alpha) == (4, 6, 5.0)
    assert read_table("polymer", "paper").network.activation == "relu"
    assert read_table("polymer").network.activation == "silu"
    assert read_table("mnist", "paper").data.scale == "raw"


@pytest.mark.parametrize("name", ["mnist", "cifar"])
@pytest.mark.parametrize("axis", ["logit", "scaled", "plain"])
@pytest.mark.parametrize("preset", ["default", "quick", "paper"])
def test_every_y_axis_has_a_window_that_holds_its_accuracies(name, axis, preset):
    wlmd = read_table(name, preset, variants={"axis": axis}).wlmd
    assert wlmd.accuracy_axis == axis
    value = ACCURACY_AXES[axis].value
    assert wlmd.y_low <= value(np, np.float64(0.001))
    assert wlmd.y_high >= value(np, np.float64(0.9))
    assert wlmd.y_high - wlmd.margin - wlmd.y_low > 0 or axis == "plain"
    hill = wlmd.f_max / wlmd.sigma**2
    usual = read_table(name, preset).wlmd
    assert hill == pytest.approx(usual.f_max / usual.sigma**2, rel=0.2) or preset == "quick"


def test_variants_are_refused_by_name():
    with pytest.raises(UserError, match="'mnist' has no scale of inputs 'log'; use one of raw"):
        read_table("mnist", variants={"scale": "log"})
    with pytest.raises(UserError, match="'house-price' has no y axis 'logit'"):
        read_table("house-price", variants={"axis": "logit"})


def test_every_task_has_a_table():
    for name in TASKS:
        assert read_table(name, "quick")


def test_walkers_start_in_the_part_of_the_box_that_the_settings_say():
    variables = NetworkVariables(load_task("mnist", points=100), start_part=0.6)
    theta = variables.start(np.random.default_rng(0), 50)
    part = np.abs(theta / variables.task.box[1])
    assert 0.59 < part.max() < 0.6
    assert part.mean() == pytest.approx(0.3, rel=0.02)


@pytest.mark.parametrize("name", ["house-price", "polymer"])
@pytest.mark.parametrize("preset", ["default", "quick", "paper"])
def test_walkers_of_every_preset_survive_their_start(name, preset, folder):
    """They start at the loss of the constant answer, which may lie beyond the upper wall."""
    settings = read_table(name, preset)
    task = load_task(name, settings=settings, **options(name, folder), points=100, test_points=60)
    problem = NetworkVariables(task, start_part=settings.wlmd.start).problem()
    short = {"steps": 200, "round": 100, "report": 100, "tables": 1, "walkers": 1, "checks": False}
    landscape = run_wlmd.sample(problem, dataclasses.replace(settings.wlmd, **short))
    assert landscape.history["alive"][0, -1] == 1
    assert landscape.history["outside"].max() == 0


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"task": "mnist"}, "mnist-w2-s0"),
        ({"task": "mnist", "width": 3, "scale": "unit", "seed": 4}, "mnist-w3-unit-s4"),
        ({"task": "mnist", "y_axis": "plain", "points": 200}, "mnist-w2-n200-plain-s0"),
        ({"task": "house-price", "activation": "silu"}, "house-price-1x20-silu-ladder-s0"),
        ({"task": "polymer", "width": 2, "data_seed": "3"}, "polymer-1x2-d3-ladder-s0"),
        (
            {"task": "cifar", "classes": "cat,dog", "points": 40, "data_seed": "0"},
            "cifar-w6-n40-c35-s0",
        ),
        (
            {"task": "cifar", "classes": "3, 5", "points": 40, "data_seed": "0"},
            "cifar-w6-n40-c35-s0",
        ),
    ],
)
def test_names_of_run_directories(folder, tmp_path, given, name):
    images = np.zeros((100, 32, 32, 3), np.uint8)
    np.savez(tmp_path / "cifar.npz", x=images, cifar_label=np.resize([3, 5], 100))
    files = {"house-price": folder / "train.csv", "polymer": folder / "Egb.csv"}
    files["cifar"] = tmp_path / "cifar.npz"
    if given["task"] in files:
        given = {**given, "data": str(files[given["task"]])}
    recipe = recipe_of({"overrides": (), **given}, "default")
    assert directory_name(recipe, recipe.task()) == name


TINY = (
    *("--sampler", "wlmd", "--threads", "1", "--steps", "40", "--set", "wlmd.tables=2"),
    *("--set", "wlmd.round=10"),
    *("--set", "wlmd.report=20", "--set", "wlmd.checks=false", "--out", "run"),
)


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])
    return tmp_path


@pytest.mark.usefixtures("here")
def test_houses_from_the_file_to_an_exported_network(folder):
    data = ("--data", str(folder))
    points = ("--points", "40", "--set", "data.test_points=30", "--width", "3")
    made = run("sample", "--task", "house-price", *data, *points, *TINY, "--keep-networks")
    assert made.status == 0, made.err
    assert made.out.splitlines()[-1] == "run/landscape.npz"
    stored = json.loads(Path("run/run.json").read_text())
    assert stored["identity"]["problem"]["files"]["data"]
    assert stored["recipe"]["source"]["data"] == str(folder)
    listed = run("networks", "run", "--at", "0,0", "--export", "network.npz")
    assert listed.status == 0, listed.err
    arrays, meta = load("network.npz")
    assert arrays["W0"].shape == (3, 331)
    np.testing.assert_array_equal(arrays["theta"][: 3 * 331], arrays["W0"].ravel())
    # the exported network has the losses that the list says
    sizes = {"points": 40, "test_points": 30, "width": 3}
    task = load_task("house-price", data=folder, **sizes)
    x, y = task.observe_one(arrays["theta"])
    assert (x, y) == pytest.approx((meta["x"], meta["y"]), abs=1e-5)
    again = run("sample", "--task", "house-price", *data, *points, *TINY, "--keep-networks")
    assert "finished already" in again.err
    assert "house-price, 331-3-1 relu, 1000 parameters" in run("info", "run").out


@pytest.mark.usefixtures("here")
def test_polymers_say_what_stands_in_for_the_embedding(folder):
    data = ("--data", str(folder / "Egb.csv"), "--points", "20", "--set", "data.test_points=10")
    made = run("sample", "--task", "polymer", *data, "--width", "2", *TINY)
    assert made.status == 0, made.err
    assert "note: no --embedding was given: hashed n-grams" in made.err


@pytest.mark.usefixtures("here")
def test_a_data_file_that_changed_is_refused(folder, here):
    path = here / "Egb.csv"
    path.write_text((folder / "Egb.csv").read_text())
    points = ("--points", "20", "--set", "data.test_points=10", "--width", "2")
    made = run("sample", "--task", "polymer", "--data", "Egb.csv", *points, *TINY)
    assert made.status == 0, made.err
    path.write_text(path.read_text() + "*CCCCC*,3\n")
    refused = run("resume", "run")
    assert refused.status == 2
    assert "Egb.csv: has changed since" in refused.err


def test_the_survey_tells_what_is_there_and_what_is_missing(folder, tmp_path):
    there = run("data", folder)
    assert there.status == 0, there.err
    assert f"house-price       ready: --data {folder / 'train.csv'}" in there.out
    assert "730 + 730 examples of 331 numbers" in there.out
    assert f"polymer           ready: --data {folder / 'Egb.csv'}" in there.out
    assert "mnist             ready: comes with the package" in there.out
    assert "cifar             ready" in there.out
    assert "not the published selection" in there.out
    empty = run("data", tmp_path).out
    assert empty.count("missing: give --data PATH") == 3
    assert "competition 'house-prices-advanced-regression-techniques'" in empty
    (tmp_path / "train.csv").write_text("Id,SalePrice\n1,2\n")
    one = run("data", tmp_path, "--task", "house-price").out
    assert "not usable" in one
    assert "no column 'MSSubClass'" in one
    assert "polymer" not in one


@pytest.mark.slow
@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("name", ["mnist", "cifar"])
def test_images_from_the_file_to_an_exported_network(name, folder, monkeypatch):
    """Minutes of compilation: the image networks, on digits of the package and on batches."""
    monkeypatch.setattr(cifar, "EACH", 40)
    rng = np.random.default_rng(0)
    for file in cifar.PYTHON_NAMES:
        images = rng.integers(0, 256, (40, 3, 32, 32), dtype=np.uint8)
        with open(file, "wb") as out:
            out.write(python2_batch(images, np.resize([3, 5], 40)))
    data = ("--data", ".", "--classes", "3,5", "--data-seed", "1") if name == "cifar" else ()
    options = ("--points", "60", "--set", "data.test_points=16", *data, *TINY)
    made = run("sample", "--task", name, *options, "--keep-networks")
    assert made.status == 0, made.err
    landscape, _ = load("run/landscape.npz")
    kept = landscape["networks.points"]
    seen = landscape["accuracy"][landscape["visits"] > 0]
    assert np.isfinite(seen).all()
    x, accuracy = kept[0, 0], kept[0, 2]
    listed = run("networks", "run", "--at", f"{x},0.5", "--export", "network.npz")
    assert listed.status == 0, listed.err
    assert "true accuracy" in listed.out
    arrays, meta = load("network.npz")
    assert sum(a.size for k, a in arrays.items() if k != "theta") == arrays["theta"].size
    assert 0 <= meta["y"] <= 1
    assert 0 <= accuracy <= 1
    sizes = {"points": 60, "test_points": 16}
    given = {"data": ".", "first_class": 3, "second_class": 5, "selection": "seeded", "seed": 1}
    task = load_task(name, **sizes, **(given if name == "cifar" else {}))
    assert task.observe_one(arrays["theta"]) == pytest.approx((meta["x"], meta["y"]), abs=1e-4)
    assert run("networks", "run", "--at", "0,7").status == 2  # y is an accuracy
