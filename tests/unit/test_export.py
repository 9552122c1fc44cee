"""Results show themselves, and their numbers go out to other programs unchanged.

All on the runs of `tests/golden/runs`: nothing is sampled here.
"""

import csv
import json
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.base import frames, store
from wlnn.base.errors import UserError
from wlnn.canonical import columns
from wlnn.canonical.trajectories import Trajectories
from wlnn.landscape import diagnostics
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.report import plot_small
from wlnn.tasks.problem import Problem
from wlnn.training.trained import Trained

ROOT = Path(__file__).parents[2]
RUNS = ROOT / "tests" / "golden" / "runs"
PAGE = (ROOT / "docs" / "format.md").read_text(encoding="utf-8")
EXPORT = "the extra `export` is not installed: pip install 'wlnn[export]'"


@pytest.fixture(scope="module")
def results():
    """A landscape, trainings and motion."""
    return {
        "wlmc": Landscape.load(RUNS / "wlmc"),
        "trained": Trained.load(RUNS / "trained"),
        "md": Trajectories.load(RUNS / "md"),
    }


@pytest.fixture(scope="module")
def things(results):
    """One of everything that shows itself, by its name."""
    landscape, trained, moved = results.values()
    grid = Grid(Axis("square", 0, 1, 2), Axis("first", 0, 1, 2))
    problem = Problem("ball", -np.ones(2), np.ones(2), grid, lambda t: (t @ t, t[0]))
    found = {
        "Landscape": landscape,
        "Curve": landscape.equilibrium_accuracy(),
        "Trained": trained,
        "TrainedCurve": trained.curve("test-accuracy"),
        "Trajectories": moved,
        "TimeCurve": moved.curve(columns.LOSS),
        "Problem": problem,
    }
    return found


def test_every_result_says_what_it_is_in_six_lines(things, tiny_task):
    for name, thing in {**things, "Task": tiny_task}.items():
        lines = repr(thing).splitlines()
        assert 2 <= len(lines) <= 6
        if name == "Landscape":
            assert lines.pop(0).startswith("verdict: ")
        assert lines[0].startswith(f"{name}: "), lines[0]
        assert not re.search(r"nan|array\(", repr(thing))


def test_a_landscape_tells_what_matters(things):
    said = repr(things["Landscape"])
    assert "spiral-classify, 2-2-2 relu, 12 parameters" in said
    assert "24 bins (53%), 466 round trips" in said
    assert "S = -12.2 to -1.7 nats of the whole box, by uniform draws" in said
    assert "± is one standard error" in repr(things["Curve"])
    assert "0.5237 ± 0.001" in repr(things["Curve"])


def test_the_verdict_comes_first(results):
    before = results["wlmc"]
    stored = {"word": "too short", "reason": "one trip", "change": "", "numbers": {}}
    landscape = replace(before, meta={**before.meta, "verdict": stored})
    assert repr(landscape).splitlines()[0] == "verdict: too short: one trip"
    assert len(repr(landscape).splitlines()) <= 6
    assert repr(before).startswith("verdict: ")  # of a run that has none stored: one of now


def test_a_landscape_without_visits_can_be_looked_at():
    grid = Grid(Axis("x", 0, 1, 2), Axis("y", 0, 1, 3))
    nothing = Landscape(grid, np.full((1, 2, 3), np.nan), np.zeros((2, 3)), np.zeros((2, 3), bool))
    assert "no bin was visited" in repr(nothing)
    assert "<img" not in nothing._repr_html_()


def test_a_notebook_gets_a_picture_that_loads_nothing(things, tiny_task):
    shown_things = [things["Landscape"], things["Problem"], things["Trajectories"], tiny_task]
    for thing in shown_things:
        html = thing._repr_html_()
        assert html.count('src="data:image/png;base64,') == 1
        assert "http" not in html
        assert repr(thing).splitlines()[0].split(",")[0] in html


def test_a_function_that_fails_costs_the_picture_only():
    def wrong(theta):
        raise RuntimeError

    problem = Problem("wrong", -np.ones(1), np.ones(1), None, wrong)
    assert plot_small.picture(problem) == ""
    assert "Problem: wrong" in problem._repr_html_()


def test_pandas_has_the_numbers(results):
    pytest.importorskip("pandas", reason=EXPORT)
    landscape, trained, moved = results.values()
    frame = landscape.to_pandas()
    known = ~np.isnan(landscape.entropy)
    assert len(frame) == known.sum() == 24
    np.testing.assert_array_equal(frame["S"], landscape.entropy[known])
    curve = landscape.to_pandas("curves").set_index("x")
    assert curve.loc[-0.25, "equilibrium"] == landscape.equilibrium_accuracy().value[3]
    assert len(landscape.to_pandas("history")) == 2 * 10
    assert list(landscape.marginal_entropy().to_pandas()) == ["x", "value", "error", "reliable"]
    assert trained.to_pandas().shape == (2 * 11, 7)
    assert trained.curve("test-accuracy").to_pandas()["trainings"].tolist() == [2, 2]
    assert moved.to_pandas().groupby("walker").size().tolist() == [20, 20]
    with pytest.raises(UserError, match="has the tables bins, curves, history, and no 'rows'"):
        landscape.to_pandas("rows")


def test_xarray_has_the_dimensions(results):
    pytest.importorskip("xarray", reason=EXPORT)
    landscape, trained, moved = results.values()
    data = landscape.to_xarray()
    assert dict(data.sizes) == {"x": 5, "y": 9, "walker": 2, "stage": 10}
    assert float(data["S"].sel(x=-0.25, y=0.5)) == landscape.entropy[3, 4]
    np.testing.assert_array_equal(data["round_trips"], landscape.history["round_trips"])
    assert json.loads(data.attrs["meta"]) == landscape.meta
    assert dict(trained.to_xarray().sizes) == {"training": 2, "epoch": 11}
    np.testing.assert_array_equal(moved.to_xarray()["loss"], moved.records[:, :, columns.LOSS])


@pytest.mark.filterwarnings("ignore:.*ArviZ is undergoing:FutureWarning")
def test_arviz_has_the_chains_and_agrees_on_them(results):
    az = pytest.importorskip("arviz", reason=EXPORT)
    landscape, _, moved = results.values()
    x = np.random.default_rng(1).normal(size=(3, 410))
    x[:, 1:] += x[:, :-1]
    measured = {**landscape.meta, "measured_from": 10}
    chains = replace(landscape, history={"x_mean": x}, meta=measured).to_arviz()
    assert dict(chains["posterior"].sizes) == {"chain": 3, "draw": 400}
    rhat, size = az.rhat(chains, method="split"), az.ess(chains, method="mean")
    assert float(rhat["x"]) == pytest.approx(diagnostics.split_r_hat(x[:, 10:]))
    assert float(size["x"]) == pytest.approx(diagnostics.effective_size(x[:, 10:]), rel=0.05)
    half = moved.to_arviz()["posterior"]
    assert dict(half.sizes) == {"chain": 2, "draw": 10}
    assert float(half["loss"].mean()) == pytest.approx(moved.averages()["loss"].value)
    with pytest.raises(UserError, match="no time series of its walkers: Monte Carlo records one"):
        replace(landscape, history={}).to_arviz()


def test_a_missing_library_is_named(monkeypatch):
    def gone(name):
        raise ImportError(name)

    monkeypatch.setattr(frames, "import_module", gone)
    with pytest.raises(UserError, match=r"pandas is not installed; .* 'wlnn\[export\]'"):
        frames.data_frame({})
    with pytest.raises(UserError, match=r"arviz is not installed; .* 'wlnn\[export\]'"):
        frames.chains({}, {})


def test_a_run_directory_is_loaded(results, tmp_path):
    assert results["wlmc"].meta == Landscape.load(RUNS / "wlmc" / "landscape.npz").meta
    with pytest.raises(UserError, match=r"holds no landscape.npz; finish it with wlnn resume"):
        Landscape.load(tmp_path)


@pytest.fixture(scope="module")
def numbers(tmp_path_factory):
    """The CSV files of a landscape."""
    folder = tmp_path_factory.mktemp("export") / "numbers"
    done = run("export", RUNS / "wlmc", "--csv", folder)
    assert done.status == 0, done.err
    assert done.out.split() == [
        str(folder / name) for name in ("bins.csv", "curves.csv", "history.csv", "about.json")
    ]
    return folder


def test_csv_files_have_every_digit(numbers, results):
    landscape = results["wlmc"]
    with open(numbers / "bins.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    known = ~np.isnan(landscape.entropy)
    for name, array in (("S", landscape.entropy), ("S_error", landscape.error)):
        assert [float(row[name]) for row in rows] == array[known].tolist()
    assert [row["reliable"] == "true" for row in rows] == landscape.reliable[known].tolist()
    about = json.loads((numbers / "about.json").read_text())
    assert about["errors"] == "one standard error of the mean"
    assert about["t_factor_95"] == pytest.approx(12.706, abs=1e-3)
    assert about["meta"] == landscape.meta


def test_nothing_is_overwritten(numbers, tmp_path):
    before = (numbers / "curves.csv").stat()
    again = run("export", RUNS / "wlmc", "--csv", numbers)
    assert again.status == 2
    assert "bins.csv: is there already; give another folder with --csv" in again.err
    assert (numbers / "curves.csv").stat() == before
    (tmp_path / "all.json").write_text("mine")
    again = run("export", RUNS / "md", "--json", tmp_path / "all.json")
    assert again.status == 2
    assert "is there already; give another name" in again.err
    assert (tmp_path / "all.json").read_text() == "mine"


def test_one_way_at_a_time():
    for options in ((), ("--csv", "a", "--json", "-")):
        done = run("export", RUNS / "wlmc", *options)
        assert done.status == 2
        assert "give one of --csv FOLDER and --json FILE" in done.err


@pytest.mark.parametrize(
    ("name", "kind", "tables"),
    [
        ("wlmc", "landscape", {"bins", "curves", "history"}),
        ("maxent/run", "landscape", {"bins", "curves", "history"}),
        ("wlmd", "landscape", {"bins", "curves", "history"}),
        ("trained", "trained", {"epochs", "curve"}),
        ("tuned", "tuning", {"settings"}),
        ("md", "md", {"records"}),
    ],
)
def test_json_of_every_kind(name, kind, tables):
    done = run("export", RUNS / name, "--json", "-")
    assert done.status == 0, done.err
    found = json.loads(done.out, parse_constant=pytest.fail)  # NaN is no JSON
    assert found["about"]["kind"] == kind
    assert found["tables"].keys() == tables
    for table in found["tables"].values():
        assert len({len(column) for column in table.values()}) == 1


def test_info_as_json(results):
    said = json.loads(run("info", RUNS / "wlmc", "--json").out, parse_constant=pytest.fail)
    assert said["lines"] == run("info", RUNS / "wlmc").out.splitlines()
    assert said["lines"][-1] == "± is half the 95 % interval"
    curve = results["wlmc"].marginal_entropy()
    assert said["tables"]["curves"]["S_error"] == curve.error[2:].tolist()


def test_searches_are_no_table():
    done = run("export", RUNS / "seek-cut", "--json", "-")
    assert done.status == 2
    assert "is a run of 'wlnn seek' and has no landscape; read it with wlnn info" in done.err


def test_the_reader_of_the_page_reads(monkeypatch, capsys, results):
    code = re.search(r"<!-- numpy reader -->\n```python\n(.*?)```", PAGE, re.DOTALL)[1]
    assert len([line for line in code.splitlines() if line]) <= 10
    monkeypatch.chdir(RUNS / "wlmc")
    scope = {}
    with np.errstate(divide="ignore"):  # rows that were never visited
        exec(code, scope)
    marginal = results["wlmc"].marginal_entropy()
    # S of a row from the mean S of the bins, the curve as the mean over walkers
    np.testing.assert_allclose(scope["S_of_x"][2:], marginal.value[2:], atol=0.01)
    np.testing.assert_array_equal(scope["x"], marginal.x)
    assert "ln train loss" in capsys.readouterr().out


@pytest.mark.skipif(shutil.which("Rscript") is None, reason="Rscript is not installed")
def test_the_reader_in_r_reads(tmp_path, results):
    code = re.search(r"<!-- R reader -->\n```r\n(.*?)```", PAGE, re.DOTALL)[1]
    (tmp_path / "read.r").write_text(code)
    script = ["Rscript", "--vanilla", tmp_path / "read.r"]
    done = subprocess.run(script, cwd=RUNS / "wlmc", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split()[1:] for line in done.stdout.splitlines()[1:]]
    x, entropy = np.array(rows, float).T
    mass = np.nansum(np.exp(results["wlmc"].entropy), axis=1)
    np.testing.assert_allclose(x, results["wlmc"].grid.x.centres)
    np.testing.assert_allclose(np.exp(entropy), mass, rtol=1e-12)


def unnamed(name):
    """Whether docs/format.md says nothing of an array of this name."""
    parent, _, last = name.rpartition(".")
    return f"`{name}`" not in PAGE and not (f"`{parent}.NAME`" in PAGE and f"`{last}`" in PAGE)


def test_the_page_names_every_array_of_every_file():
    names = {name for path in RUNS.rglob("*.npz") for name in store.load(path)[0]}
    assert [name for name in names if unnamed(re.sub(r"^\d+\.", "", name))] == []
    assert unnamed("nothing")
    assert unnamed("history.nothing")


def test_the_page_names_what_this_version_writes():
    from wlnn.ladder import checkpoints as ladders
    from wlnn.ladder.rungs import Rungs
    from wlnn.ladder.samples import Samples
    from wlnn.wlmc import checkpoints as walkers
    from wlnn.wlmc.walker import HISTORY
    from wlnn.wlmd.checks import Period
    from wlnn.wlmd.walk import MDState

    names = ["early", "history.x_mean", *walkers.ARRAYS, *ladders.ARRAYS]
    names += [f"history.{name}" for name in (*HISTORY, *Period._fields)]
    names += [f"state.{name}" for name in MDState._fields]
    names += [f"rungs.{name}" for name in Rungs._fields]
    names += [f"{part}.{name}" for part in ("draws", "parts") for name in Samples._fields]
    assert [name for name in names if unnamed(name)] == []
