"""Whole runs: the same bits however they are cut, clear ends, and a landscape in the directory."""

import copy
import dataclasses
import signal
import time

import numpy as np
import pytest

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join
from wlnn.landscape.landscape import Landscape
from wlnn.networks.fnn import FNN
from wlnn.report import landscape as summary
from wlnn.report.plot import plot_landscape
from wlnn.settings.samplers import WLMDSettings
from wlnn.tasks.datasets import spiral_classify
from wlnn.tasks.smooth import NetworkVariables
from wlnn.tasks.task import Task
from wlnn.wlmd import run as run_wlmd
from wlnn.wlmd import walk as wlmd
from wlnn.wlmd.setup import make_setup
from wlnn.wlmd.tables import landscape_so_far

TINY = WLMDSettings(
    steps=1600,
    f_max=20.0,
    t1=100,
    t2=800,
    t3=700,
    x_low=-3.0,
    x_high=-0.2,
    y_low=-4.0,
    y_high=4.0,
    spacing=0.1,
    dt=1e-3,
    friction=0.02,
    tables=2,
    walkers=2,
    round=100,
    report=400,
    checks=False,
)


def tiny_problem(y="ln-test-loss"):
    grid = Grid(Axis("x", -5.0, 1.0, 10), Axis("y", -5.0, 3.0, 10))
    task = Task("tiny", spiral_classify(0, 10), FNN((2, 4, 4, 2), "tanh"), grid, y)
    return NetworkVariables(task).problem()


def run(directory, settings=TINY, problem=None, **options):
    seen = []
    landscape = run_wlmd.sample(
        problem or tiny_problem(), settings, directory, report=seen.append, **options
    )
    return landscape, seen


def same(first, second):
    for table in range(TINY.tables):
        arrays = [store.load(store.checkpoint_path(path, table))[0] for path in (first, second)]
        assert arrays[0].keys() == arrays[1].keys()
        for name in arrays[0]:
            if name != "history.us_per_step":
                np.testing.assert_array_equal(arrays[0][name], arrays[1][name], err_msg=name)


def test_a_run_leaves_a_landscape(tmp_path, monkeypatch):
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    landscape, seen = run(tmp_path / "a")
    parts = [report.part for report in seen if report.line]
    assert parts == [k / 8 for k in range(1, 9)]  # two tables, four periods each
    assert seen[-1].seconds_left == 0
    assert "us/step" in seen[-1].line
    again = Landscape.load(tmp_path / "a" / "landscape.npz")
    np.testing.assert_array_equal(again.entropies, landscape.entropies)
    assert landscape.n_walkers == 2
    assert landscape.visits.sum() <= 2 * 2 * 1600
    assert landscape.visits.sum() > 0.99 * 2 * 2 * 1600
    np.testing.assert_array_equal(np.isnan(landscape.entropy), landscape.visits == 0)
    assert landscape.history["t"].tolist() == [[400, 800, 1200, 1600]] * 2
    assert landscape.history["f"][0, -1] == pytest.approx(20 * 100 / 900)  # of both walkers
    assert landscape.meta["sampler"] == "wlmd"
    assert landscape.meta["wlmd"]["dt"] == TINY.dt


@pytest.mark.parametrize("threads", [1, 4])
def test_interrupted_runs_have_the_same_bits(tmp_path, threads):
    run(tmp_path / "whole", threads=5 - threads)
    seen = []

    def report(progress):
        seen.append(progress)
        if len(seen) == 3:
            raise KeyboardInterrupt

    cut = tmp_path / "cut"
    with pytest.raises(KeyboardInterrupt):
        run_wlmd.sample(tiny_problem(), TINY, cut, threads, report)
    assert not (cut / "landscape.npz").exists()
    run(cut, threads=threads)
    same(tmp_path / "whole", cut)


def test_ctrl_c_ends_with_what_there_is(tmp_path, monkeypatch):
    """The signal comes while walkers move: the period begun is lost, finished ones are not."""
    calls = []
    advance = run_wlmd.advance_table

    def interrupted(*args):
        calls.append(args)
        if len(calls) == 5:  # the main thread is waiting for this job
            signal.raise_signal(signal.SIGINT)
            time.sleep(0.05)
        return advance(*args)

    monkeypatch.setattr(run_wlmd, "advance_table", interrupted)
    with pytest.raises(Interrupted) as caught:
        run(tmp_path / "cut")
    assert min(caught.value.result.meta["steps_done"]) in (800, 1200)
    monkeypatch.setattr(run_wlmd, "advance_table", advance)
    run(tmp_path / "cut")
    run(tmp_path / "whole")
    same(tmp_path / "whole", tmp_path / "cut")


def test_one_table_runs_its_walkers_side_by_side(tmp_path):
    one = dataclasses.replace(TINY, tables=1)
    first, _ = run(tmp_path / "a", one, threads=1)
    second, _ = run(tmp_path / "b", one, threads=2)
    np.testing.assert_array_equal(first.entropies, second.entropies)


def test_tables_and_seeds_differ(tmp_path):
    first, _ = run(tmp_path / "a")
    second, _ = run(tmp_path / "b", dataclasses.replace(TINY, seed=1))
    assert not np.array_equal(first.entropies[0], first.entropies[1], equal_nan=True)
    assert not np.array_equal(first.entropies[0], second.entropies[0], equal_nan=True)


def test_the_definition_runs_too(tmp_path):
    """Without compiled functions the same run, up to single precision, which chaos amplifies."""
    short = dataclasses.replace(TINY, steps=100, report=100, tables=1)
    problem = tiny_problem()
    fast, _ = run(tmp_path / "fast", short, problem)
    slow, _ = run(tmp_path / "slow", short, dataclasses.replace(problem, gradient_system=None))
    np.testing.assert_allclose(fast.entropy, slow.entropy, atol=1e-3)


def test_the_true_accuracy_is_kept_beside_a_smoothed_one(tmp_path):
    settings = dataclasses.replace(TINY, y_low=-8.0, y_high=8.0)
    run(tmp_path / "a", settings, tiny_problem("smoothed-accuracy"))
    arrays, _ = store.load(tmp_path / "a" / "accuracy.npz")
    seen = arrays["visits"] > 0
    np.testing.assert_array_equal(np.isnan(arrays["accuracy"]), ~seen)
    assert 0 <= arrays["accuracy"][seen].min() <= arrays["accuracy"][seen].max() <= 1
    error = arrays["smoothed"] - arrays["accuracy"]
    np.testing.assert_array_equal(arrays["smoothing_error"], error)
    assert np.nanmax(np.abs(error)) < 0.5


def test_reweighted_estimator_needs_and_uses_production(tmp_path):
    settings = dataclasses.replace(TINY, production=0.5, estimator="reweighted")
    landscape, _ = run(tmp_path / "a", settings)
    arrays, _ = store.load(store.checkpoint_path(tmp_path / "a", 0))
    assert arrays["state.frozen"].sum() == pytest.approx(0.5 * 2 * 1600, rel=0.01)
    assert np.isfinite(landscape.entropy).any()
    with pytest.raises(UserError, match="production"):
        dataclasses.replace(TINY, estimator="reweighted")


def test_another_run_is_refused(tmp_path):
    run(tmp_path / "a")
    with pytest.raises(UserError, match=r"wlmd\.dt"):
        run(tmp_path / "a", dataclasses.replace(TINY, dt=2e-3))


def test_a_time_step_that_is_too_large_ends_in_one_sentence(tmp_path):
    wild = dataclasses.replace(TINY, dt=1.0)
    with pytest.raises(UserError, match=r"lower wlmd\.dt") as caught:
        run(tmp_path / "a", wild)
    assert "\n" not in str(caught.value)


def test_a_lost_walker_is_reported(tmp_path):
    """One of three walkers is made to diverge; the run goes on without it and says so."""
    problem = tiny_problem()
    settings = dataclasses.replace(TINY, walkers=3, tables=1)
    setup = make_setup(problem, settings)
    table = run_wlmd._start(setup, 0)
    v = table.state.v.copy()
    v[1] = 1e4
    table = table._replace(state=table.state._replace(v=v))
    systems = [problem.gradient_system() for _ in range(3)]
    stop = np.zeros(1, np.uint8)
    later = run_wlmd.advance_table(setup, table, systems, stop)
    assert later.state.alive.tolist() == [True, False, True]
    assert "walker 1 diverged at step 1 " in later.notes[0]
    assert later.history["alive"].tolist() == [2]


def test_a_run_that_diverges_for_one_walker_leaves_no_trace_of_it(tmp_path, monkeypatch):
    """A walker is thrown out of its box in the third round; the result is that of the rounds of the
    others, and what it had deposited before stays."""
    settings = dataclasses.replace(TINY, walkers=3, tables=1)
    advance, rounds = wlmd.advance, []

    def kicked(problem, surface, motion, state, *rest):
        rounds.append(state)
        if state.t == 200:
            v = state.v.copy()
            v[2] = 1e4
            state = state._replace(v=v)
        return advance(problem, surface, motion, state, *rest)

    monkeypatch.setattr(wlmd, "advance", kicked)
    landscape, seen = run(tmp_path / "a", settings)
    told = [note for progress in seen for note in progress.notes if "diverged" in note]
    assert len(told) == 1
    assert "table 0: walker 2 diverged at step 201 " in told[0]
    arrays, _ = store.load(store.checkpoint_path(tmp_path / "a", 0))
    assert arrays["state.visits"].sum() <= 3 * 200 + 2 * 1400
    assert arrays["state.visits"].sum() > 0.98 * (3 * 200 + 2 * 1400)
    assert landscape.history["alive"][0].tolist() == [2.0] * 4
    assert "walkers lost" in "\n".join(summary.summary(landscape))


def slow_in_some_rounds(monkeypatch, rounds):
    """Make the first attempt at some rounds, by the steps before them, end as a divergence does."""
    walk, dt = wlmd.walk, TINY.dt

    def walked(system, theta, v, box, table, surface, motion, volumes, rng, *rest):
        # a round is known by the number that its generator would draw first
        first = copy.deepcopy(rng).random()
        done, ending = walk(system, theta, v, box, table, surface, motion, volumes, rng, *rest)
        known = [run_wlmd.generator(TINY.seed, 0, 1, number).random() for number in rounds]
        return (done, wlmd.DIVERGED) if first in known and motion.dt == dt else (done, ending)

    monkeypatch.setattr(wlmd, "walk", walked)


def test_rounds_made_again_are_told_and_counted(tmp_path, monkeypatch):
    settings = dataclasses.replace(TINY, tables=1, checks=True, friction=0.5, f_max=1.0)
    slow_in_some_rounds(monkeypatch, [2, 9])
    landscape, seen = run(tmp_path / "a", settings)
    told = [note for progress in seen for note in progress.notes if "made again" in note]
    assert len(told) == 2
    assert "table 0: walker 1 diverged at step 200; its round, x from " in told[0]
    assert told[0].endswith("was made again with a time step of 0.0005.")
    assert landscape.history["halved"].tolist() == [[1, 0, 1, 0]]
    assert landscape.history["rounds"].tolist() == [[8, 8, 8, 8]]
    assert landscape.history["alive"].tolist() == [[2, 2, 2, 2]]
    lines = [line for line in summary.summary(landscape) if "made again" in line]
    assert lines == ["  made again            2 rounds that diverged, with a smaller time step"]


def test_a_time_step_that_is_too_large_in_many_rounds_ends_the_run(tmp_path, monkeypatch):
    settings = dataclasses.replace(TINY, tables=1, checks=True, friction=0.5, f_max=1.0)
    slow_in_some_rounds(monkeypatch, [5, 6, 7])
    with pytest.raises(UserError, match="3 of 8 rounds diverged and had to be made again") as told:
        run(tmp_path / "a", settings)
    assert "step 800: " in str(told.value)
    assert str(told.value).endswith("lower wlmd.dt, now 0.001.")
    assert store.load(store.checkpoint_path(tmp_path / "a", 0))[0]["state.t"] == 400


def test_checkpoints_from_before_a_column_was_kept_can_be_read(tmp_path):
    run(tmp_path / "a")
    path = store.checkpoint_path(tmp_path / "a", 0)
    arrays, meta = store.load(path)
    for name in ("halved", "rounds"):
        assert arrays.pop(f"history.{name}").tolist() == [0] * 4 or name == "rounds"
    store.save(path, arrays, {"kind": meta["kind"], "number": meta["number"]})
    landscape = landscape_so_far(tmp_path / "a", tiny_problem(), TINY)
    assert landscape.history["halved"].tolist() == [[0] * 4] * 2


def test_the_resolution_is_that_of_the_part_that_is_averaged(tmp_path):
    """nats = f A0 tau / area, tau = steps / (2 round trips) of the last half of the steps."""
    landscape, _ = run(tmp_path / "a", TINY)
    x, y = landscape.grid
    shape = landscape.history["t"].shape
    steps = np.tile(np.linspace(0, 1000, shape[1] + 1)[1:], (shape[0], 1))

    def told(*trips):
        history = {**landscape.history, "t": steps, "f": np.full(shape, 5.0)}
        history["cells"] = np.full(shape, 40.0)
        history["round_trips"] = np.array([np.interp(steps[0], [0, 500, 1000], trips)] * shape[0])
        return "\n".join(summary.summary(dataclasses.replace(landscape, history=history)))

    area = 40 * x.width * (y.width if np.isfinite(y.lo) else 1.0)
    for trips, tau in (((0, 90, 92), 500 / 4), ((0, 0, 10), 500 / 20)):
        assert f"adds {5 * wlmd.A0 * tau / area:.2g} nats" in told(*trips)
    assert "unknown: no round trip in x in the part that is averaged" in told(0, 90, 90)


def test_narrow_hills_in_the_tail(tmp_path):
    """From t2 on; the heating that is expected grows with their height."""
    narrow = dataclasses.replace(TINY, tail_sigma=0.1)
    setup = make_setup(tiny_problem(), narrow)
    assert setup.hills_at(799) == setup.surface
    late = setup.hills_at(800)
    assert (late.sigma, late.reach) == (0.1, pytest.approx(0.4))
    assert setup._replace(settings=TINY).hills_at(800) == setup.surface
    first, _ = run(tmp_path / "a", narrow)
    second, _ = run(tmp_path / "b")
    expected = [landscape.history["expected"][0] - 1 for landscape in (first, second)]
    np.testing.assert_allclose(expected[0] / expected[1], [1, 1, 4, 4])
    with pytest.raises(UserError, match="tail_sigma"):
        dataclasses.replace(TINY, tail_sigma=0.05)


def test_a_finished_run_is_its_result_and_one_that_goes_on_can_be_read(tmp_path):
    run(tmp_path / "a")
    again, told = run(tmp_path / "a")
    assert told == []
    assert again.meta["finished"]
    problem = tiny_problem()
    (tmp_path / "a" / "walker-001.npz").unlink()
    part = landscape_so_far(tmp_path / "a", problem, TINY)
    shift = part.entropies[0] - again.entropies[0]  # another zero: fewer bins in common
    assert np.nanmax(np.abs(shift - np.nanmean(shift))) < 1e-9
    assert np.isfinite(shift).sum() > 10
    assert not part.meta["finished"]
    (tmp_path / "a" / "walker-000.npz").unlink()
    assert landscape_so_far(tmp_path / "a", problem, TINY) is None


def test_the_thermostat_fits_into_a_round():
    with pytest.raises(UserError, match="thermostat_every"):
        dataclasses.replace(TINY, thermostat_every=30)


def test_damaged_checkpoints_are_told(tmp_path):
    run(tmp_path / "a")
    (tmp_path / "a" / "landscape.npz").unlink()
    path = store.checkpoint_path(tmp_path / "a", 1)
    store.save(path, {"theta": np.zeros(3)}, {"kind": "walker"})
    with pytest.raises(UserError, match=r"walker-001\.npz: is not the checkpoint of table 1"):
        run(tmp_path / "a")


def test_reports_come_every_few_seconds_whatever_the_size():
    problem = tiny_problem()
    assert run_wlmd.period_of(problem, TINY) == 400
    automatic = dataclasses.replace(TINY, report=0)
    assert run_wlmd.period_of(problem, automatic) == run_wlmd.LONGEST
    large = dataclasses.replace(problem, lo=-np.ones(10**4), hi=np.ones(10**4))
    assert run_wlmd.period_of(large, automatic) == 5000
    large = dataclasses.replace(problem, lo=-np.ones(10**6), hi=np.ones(10**6))
    assert run_wlmd.period_of(large, automatic) == 100


def test_networks_are_kept_one_a_cell_and_are_what_they_say(tmp_path, monkeypatch):
    """Kept in single precision, in which they were evaluated; the same after an interruption."""
    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    settings = dataclasses.replace(TINY, keep_networks=True, keep_width=0.5, y_low=-8.0, y_high=8.0)
    problem = tiny_problem("smoothed-accuracy")
    landscape, _ = run(tmp_path / "a", settings, problem)
    networks = landscape.networks
    cells = np.floor(networks["points"][:, :2] / 0.5)
    assert len(np.unique(cells, axis=0)) > 1
    assert len(cells) <= 2 * len(np.unique(cells, axis=0))  # two tables
    x, y, accuracy, _ = problem.evaluate(np, networks["theta"].astype(float))
    np.testing.assert_allclose(np.stack([x, y], 1), networks["points"][:, :2], atol=1e-4)
    np.testing.assert_allclose(accuracy, networks["points"][:, 2])
    np.testing.assert_array_equal(
        np.stack(landscape.grid.index(*networks["points"][:, :2].T), 1), networks["bins"]
    )
    again = Landscape.load(tmp_path / "a" / "landscape.npz")
    np.testing.assert_array_equal(again.networks["theta"], networks["theta"])
    seen = []

    def report(progress):
        seen.append(progress)
        if len(seen) == 4:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_wlmd.sample(problem, settings, tmp_path / "b", 2, report)
    cut, _ = run(tmp_path / "b", settings, problem)
    np.testing.assert_array_equal(cut.networks["theta"], networks["theta"])
    huge = dataclasses.replace(settings, keep_width=1e-4)
    with pytest.raises(UserError, match="keep_width"):
        run(tmp_path / "c", huge, problem)


def test_curves_of_a_smoothed_accuracy_are_accuracies(tmp_path):
    settings = dataclasses.replace(TINY, y_low=-8.0, y_high=8.0)
    landscape, _ = run(tmp_path / "a", settings, tiny_problem("smoothed-accuracy"))
    curve, true = landscape.equilibrium_accuracy(), landscape.true_accuracy()
    known = np.isfinite(curve.value)
    assert known.any()
    weights = np.exp(landscape.entropies - np.nanmax(landscape.entropies))
    for k in np.flatnonzero(known)[::7]:
        row = np.nan_to_num(weights[:, k])
        there = row.sum(1) > 0
        by_hand = (row * landscape.y_values).sum(1)[there] / row.sum(1)[there]
        assert curve.value[k] == pytest.approx(by_hand.mean())
    assert ((curve.value[known] >= 0) & (curve.value[known] <= 1)).all()
    assert np.nanmin(true.value) >= 0
    assert np.nanmax(true.value) <= 1
    assert (landscape.history["smoothing"] < 1).all()
    other, _ = run(
        tmp_path / "b", dataclasses.replace(settings, seed=1), tiny_problem("smoothed-accuracy")
    )
    joint = join([landscape, other], ["a", "b"])
    both = np.isfinite(landscape.accuracy) & np.isfinite(other.accuracy)
    middle = (joint.accuracy - landscape.accuracy) * (joint.accuracy - other.accuracy)
    assert (middle[both] <= 1e-12).all()  # between the two
    alone = np.isfinite(landscape.accuracy) & ~np.isfinite(other.accuracy)
    np.testing.assert_allclose(joint.accuracy[alone], landscape.accuracy[alone])


def test_pictures_of_a_smoothed_accuracy_are_labelled_with_it(tmp_path):
    settings = dataclasses.replace(TINY, y_low=-8.0, y_high=8.0)
    landscape, _ = run(tmp_path / "a", settings, tiny_problem("smoothed-accuracy"))
    ax = plot_landscape(landscape)
    ticks = {
        label.get_text(): place
        for place, label in zip(ax.get_yticks(), ax.get_yticklabels(), strict=True)
    }
    assert ax.get_ylabel() == "smoothed test accuracy"
    assert ticks
    for words, place in ticks.items():
        q = 1e-4 + (1 - 2e-4) * float(words)
        assert place == pytest.approx(np.log(q / (1 - q)))
