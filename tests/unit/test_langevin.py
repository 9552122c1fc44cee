"""Motion in the loss at a temperature: the compiled twin, real time, energy, lost walkers."""

import signal
from dataclasses import replace

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.canonical import columns, langevin
from wlnn.canonical import run as run_md
from wlnn.canonical.trajectories import Trajectories
from wlnn.reference.cases import box_loss
from wlnn.settings.tables import MDSettings

SHORT = {"temperature": 0.3, "steps": 400, "record": 20, "walkers": 3, "dt": 0.04}


def rngs(n, seed=0):
    return [np.random.default_rng([seed, k]) for k in range(n)]


@pytest.mark.parametrize("friction", [0.0, 0.05])
def test_the_compiled_walk_is_the_definition(friction):
    problem = box_loss.quadratic()
    walkers = langevin.start(problem, np.array([0.1, 0.7]), rngs(2))
    motion = langevin.make_motion(0.05, friction, every=5)
    systems = [problem.gradient_system() for _ in range(2)]
    slow = langevin.advance(problem, walkers, motion, 60, rngs(2, 1))
    fast = langevin.advance(problem, walkers, motion, 60, rngs(2, 1), systems)
    np.testing.assert_allclose(fast.walkers.theta, slow.walkers.theta, rtol=1e-9)
    np.testing.assert_allclose(fast.walkers.u, slow.walkers.u, rtol=1e-9)
    np.testing.assert_allclose(fast.records, slow.records, rtol=1e-9)
    assert not np.array_equal(slow.walkers.theta, walkers.theta)  # and the given ones did not move


def test_columns_of_a_record():
    """Means and beginnings, against steps made one at a time."""
    problem = box_loss.quadratic()
    walkers = langevin.start(problem, np.array([0.2]), rngs(1))
    motion = langevin.make_motion(0.05, 0.0)
    whole = langevin.advance(problem, walkers, motion, 4, rngs(1)).records[0]
    losses, kinetic, now = [], [], walkers
    for _ in range(4):
        now = langevin.advance(problem, now, motion, 1, rngs(1)).walkers
        losses.append(np.exp(problem.evaluate(np, now.theta)[0][0]))
        kinetic.append((now.u[0] ** 2).mean())
    assert whole[columns.X] == problem.evaluate(np, walkers.theta)[0][0]
    assert whole[columns.LOSS] == pytest.approx(np.mean(losses))
    assert whole[columns.LOSS_SQUARED] == pytest.approx(np.mean(np.square(losses)))
    assert whole[columns.LN_LOSS] == pytest.approx(np.mean(np.log(losses)))
    assert whole[columns.KINETIC] == pytest.approx(np.mean(kinetic))


def test_time_and_velocity_are_real_whatever_the_temperature():
    """theta(t) = theta_0 cos(w t) + (v_0 / w) sin(w t), w = sqrt(k), v = sqrt(T) u."""
    k, T, dt, steps = 40.0, 0.09, 1e-3, 700
    problem = box_loss.quadratic((k, 1.0))
    v0 = np.array([0.3, 0.2])
    start = langevin.Walkers(np.array([[0.1, -0.2]]), v0[None] / T**0.5, np.array([T]))
    motion = langevin.make_motion(dt, 0.0)
    found = langevin.advance(problem, start, motion, steps, rngs(1))
    w, t = np.sqrt([k, 1.0]), steps * dt
    # v is half a kick behind theta at the start: half a step of the first order is left
    expected = start.theta[0] * np.cos(w * t) + v0 / w * np.sin(w * t)
    np.testing.assert_allclose(found.walkers.theta[0], expected, atol=2e-3)


def test_newtonian_motion_keeps_its_energy_and_the_error_falls_as_the_square_of_the_step():
    drift = []
    for dt in (0.04, 0.02):
        steps = round(400 / dt) // 40 * 40
        settings = MDSettings(
            temperature=0.3, steps=steps, record=40, walkers=4, dt=dt, friction=0.0
        )
        energy = run_md.simulate(box_loss.quadratic(), settings).kept[:, :, columns.ENERGY]
        assert abs(energy[:, -1] / energy[:, 0] - 1).max() < 0.1
        drift.append(energy.std(axis=1).mean())
    assert drift[0] / drift[1] == pytest.approx(4, rel=0.5)


def test_a_walker_that_diverges_is_left_out_and_the_others_go_on():
    problem = box_loss.quadratic()
    walkers = langevin.start(problem, np.full(3, 0.3), rngs(3))
    u = walkers.u.copy()
    u[1] = np.nan
    found = langevin.advance(problem, walkers._replace(u=u), langevin.make_motion(0.04, 0.01), 20,
                             rngs(3))  # fmt: skip
    assert found.diverged.tolist() == [False, True, False]
    np.testing.assert_array_equal(found.walkers.theta[1], walkers.theta[1])
    assert np.isfinite(found.records[[0, 2]]).all()


def test_every_walker_lost_is_a_sentence():
    problem = box_loss.quadratic()

    def steep(xp, theta):
        return 1e9 * theta.sum(axis=1), 0 * theta[:, 0], None, None

    def thrown_out(xp, tape, ux, uy):
        return np.repeat(1e9 * ux[:, None], problem.n_parameters, axis=1)

    broken = replace(problem, evaluate=steep, backward=thrown_out, gradient_system=None)
    with pytest.raises(UserError, match="every walker diverged"):
        run_md.simulate(broken, MDSettings(**SHORT))


def test_an_interrupted_run_gives_the_same_bits(tmp_path, monkeypatch):
    problem, settings = box_loss.quadratic(), MDSettings(**SHORT)
    whole = run_md.simulate(problem, settings)

    def stop(progress):
        if progress.part > 0.3:
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr("wlnn.base.running.REPORT_SECONDS", -1.0)
    monkeypatch.setattr("wlnn.base.pool.STRETCH_SECONDS", 0.0)  # a record is a stretch
    with pytest.raises(run_md.Interrupted):
        run_md.simulate(problem, settings, tmp_path / "run", report=stop)
    begun = Trajectories.load(tmp_path / "run")
    assert 0 < begun.records.shape[1] < 20
    again = run_md.simulate(problem, settings, tmp_path / "run", threads=2)
    np.testing.assert_array_equal(again.records, whole.records)
    np.testing.assert_array_equal(again.walkers.theta, whole.walkers.theta)
    stored = Trajectories.load(tmp_path / "run")
    np.testing.assert_array_equal(stored.records, whole.records)
    with pytest.raises(UserError, match="another run"):
        run_md.simulate(problem, MDSettings(**{**SHORT, "seed": 1}), tmp_path / "run")


@pytest.mark.parametrize("compiled", [True, False])
def test_walkers_begin_at_the_loss_that_is_asked_for(compiled):
    problem = box_loss.quadratic()
    problem = problem if compiled else replace(problem, gradient_system=None)
    drawn = run_md.simulate(problem, MDSettings(**SHORT)).records[:, 0, columns.X]
    assert drawn.max() > -3.5
    below = run_md.simulate(problem, MDSettings(**SHORT, start_x=-4.0))
    assert (below.records[:, 0, columns.X] <= -4.0).all()


def test_averages_and_windows_of_made_records():
    records = np.zeros((2, 40, columns.N_COLUMNS))
    records[0, :, columns.LOSS], records[1, :, columns.LOSS] = 1.0, 3.0
    records[:, :, columns.LOSS_SQUARED] = records[:, :, columns.LOSS] ** 2 + 0.5
    records[:, :, columns.X] = np.log(records[:, :, columns.LOSS])
    records[0, :, columns.Y], records[1, :, columns.Y] = 10.0, 20.0
    meta = {"md": {"temperature": 2.0, "record": 5}, "accuracy": False, "metric": "y"}
    walkers = langevin.Walkers(np.zeros((2, 3)), np.zeros((2, 3)), np.full(2, 2.0))
    found = Trajectories(records, walkers, meta)
    averages = found.averages()
    assert averages["loss"] == (2.0, 1.0)  # sd / sqrt(2) of 1 and 3
    assert averages["heat_capacity"].value == pytest.approx((5.5 - 4) / 4)
    inside = found.in_window(2.5, 3.5)
    assert set(inside.value) == {20.0}
    assert set(inside.walkers) == {1}
    assert found.curve(columns.Y).value.tolist() == [15.0] * len(found.curve(columns.Y).steps)
    assert found.drifting() == []
    with pytest.raises(UserError, match="no record yet"):
        replace(found, records=records[:, :0]).averages()


def test_canonical_averages_of_a_quadratic_loss():
    """A whole run against the closed forms: <L> and heat capacity within 4 standard errors."""
    settings = MDSettings(
        temperature=0.4, steps=2000, record=100, walkers=150, dt=0.04, friction=0.04,
        thermostat_every=1,
    )  # fmt: skip
    problem = replace(box_loss.quadratic(), gradient_system=None)
    averages = run_md.simulate(problem, settings).averages()
    exact = box_loss.quadratic_exact(0.4)
    for name in ("loss", "heat_capacity"):
        value, error = averages[name]
        assert error < 0.05
        assert abs(value - getattr(exact, name)) < 4 * error


@pytest.mark.slow
def test_the_compiled_walk_of_a_network_is_the_definition():
    """Single against double precision over a few steps; minutes to compile on a busy machine."""
    from wlnn.tasks.catalogue import load_task
    from wlnn.tasks.smooth import NetworkVariables

    for name, options in (
        ("spiral-regress", {"width": 5, "points": 20}),
        ("spiral-classify", {"width": 4, "points": 20, "y": "smoothed-accuracy"}),
    ):
        problem = NetworkVariables(load_task(name, **options)).problem()
        walkers = langevin.start(problem, np.full(2, 0.01), rngs(2))
        motion = langevin.make_motion(0.01, 0.01, every=5)
        systems = [problem.gradient_system() for _ in range(2)]
        slow = langevin.advance(problem, walkers, motion, 20, rngs(2, 1))
        fast = langevin.advance(problem, walkers, motion, 20, rngs(2, 1), systems)
        np.testing.assert_allclose(fast.walkers.theta, slow.walkers.theta, atol=1e-5)
        np.testing.assert_allclose(fast.records, slow.records, rtol=1e-4, atol=1e-5)
