"""Tuning: the grid, the choice, resumption."""

from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted
from wlnn.settings.tables import Settings, TuneSettings, read_table
from wlnn.training import run as run_train
from wlnn.training.tuning import COLUMNS, Tuning, grid, tune


def test_the_grid():
    cells = grid(TuneSettings(rate_low=1e-4, rate_high=1e-2, rates=3, batch_low=16, batch_high=128))
    assert sorted({batch for _, batch in cells}) == [16, 32, 64, 128]
    assert [rate for rate, batch in cells if batch == 16] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert len(cells) == 12
    for task, last in (("spiral-regress", [5, 10, 20, 25]), ("spiral-classify", [5, 10, 20, 40])):
        assert sorted({batch for _, batch in grid(read_table(task).tune)}) == last
    assert grid(TuneSettings(rates=1, batch_low=0, batch_high=0)) == [(1e-4, 0)]
    with pytest.raises(UserError, match="rate_low must be at most"):
        TuneSettings(rate_low=1)


def table(best, diverged, y):
    n = len(best)
    columns = {name: np.zeros(n) for name in COLUMNS}
    columns |= {"best": np.array(best), "diverged": np.array(diverged, float)}
    columns |= {"learning_rate": 10.0 ** -np.arange(n), "batch_size": np.arange(n)}
    return Tuning(columns, {"y": y})


def test_the_best_setting_is_the_best_of_those_that_never_diverged():
    assert table([0.9, 0.8, 0.7], [1, 0, 0], "test-accuracy").best == 1
    assert table([-0.9, -2.0, -1.0], [0, 0, 0], "ln-test-loss").best == 1
    assert table([np.nan, 0.1], [9, 0], "test-accuracy").best_settings == {
        "learning_rate": 0.1,
        "batch_size": 1,
    }
    with pytest.raises(UserError, match="smaller learning rates"):
        table([0.9], [1], "test-accuracy").best  # noqa: B018
    lines = table([0.9, 0.8], [1, 0], "test-accuracy").table()
    assert lines[1].endswith("1 diverged")
    assert lines[2].endswith("best")


@pytest.fixture
def settings():
    tuning = TuneSettings(rate_low=1e-3, rate_high=1e6, rates=2, batch_low=4, batch_high=8, runs=3)
    train = replace(Settings().train, epochs=3, optimizer="sgd")
    return replace(Settings(), train=train, tune=tuning)


def test_every_setting_is_tried(tiny_task, settings, tmp_path):
    found = tune(tiny_task, settings)
    assert len(found.columns["best"]) == 4
    np.testing.assert_array_equal(found.columns["batch_size"], [4, 4, 8, 8])
    assert (found.columns["diverged"][1::2] > 0).all()  # a rate of a million
    assert found.best_settings["learning_rate"] == 1e-3
    found.save(tmp_path / "t.npz")
    loaded = Tuning.load(tmp_path / "t.npz")
    for name in COLUMNS:
        np.testing.assert_array_equal(loaded.columns[name], found.columns[name])


def test_interrupted_and_resumed_gives_the_same_table(tiny_task, settings, tmp_path, monkeypatch):
    right, calls = run_train.stretch, []

    def stops(task, unit, seconds, stop):
        calls.append(unit)
        if len(calls) == 3:
            stop[0] = 1
        return right(task, unit, seconds, stop)

    monkeypatch.setattr(run_train, "stretch", stops)
    with pytest.raises(Interrupted):
        tune(tiny_task, settings, tmp_path / "run")
    monkeypatch.undo()
    finished = sorted((tmp_path / "run").glob("setting-*.npz"))
    assert len(finished) == 2
    before = [path.stat().st_mtime_ns for path in finished]
    resumed = tune(tiny_task, settings, tmp_path / "run", processes=2)
    assert [path.stat().st_mtime_ns for path in finished] == before  # nothing was done twice
    whole = tune(tiny_task, settings)
    for name in COLUMNS:
        np.testing.assert_array_equal(resumed.columns[name], whole.columns[name])
    with pytest.raises(UserError, match=r"tune.runs is 3 there and 4 here"):
        tune(
            tiny_task,
            replace(settings, tune=replace(settings.tune, runs=4)),
            tmp_path / "run",
        )
