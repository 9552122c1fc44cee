"""The problem handed to the samplers: incremental moves against the NumPy definition."""

from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pytest
from command_line import run as wlnn
from numba.extending import register_jitable
from scipy.stats import chi2

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import context_units as systems
from wlnn.networks.compiled import moves
from wlnn.networks.context import task_matrix
from wlnn.reference.cases import context_select
from wlnn.reference.judges.wlmc_run import judge_context_select
from wlnn.runs.find import find_landscape
from wlnn.tasks.catalogue import load_task
from wlnn.tasks.context_select import context_problem, fixed_inputs
from wlnn.wlmc import driver as kernels

CASES = {
    "one context, ungated": lambda: context_select.problem(4),
    "gated": lambda: context_problem(3, 5),
    "relu": lambda: context_problem(2, 5, net="relu", inputs=6),
}


@pytest.mark.parametrize("name", CASES)
def test_moves_follow_the_definition_along_a_walk(name):
    case = CASES[name]()
    rng = np.random.default_rng(0)
    theta = rng.uniform(case.lo, case.hi)
    system = case.system("float64")
    x = kernels.x_value(system, kernels.refresh(system, theta)[0])
    assert x == pytest.approx(case.observe(theta)[0], abs=1e-12)
    for j in np.tile(rng.permutation(theta.size), 4):  # every parameter several times
        moved = theta.copy()
        moved[j] = rng.uniform(case.lo[j], case.hi[j])
        proposed = kernels.x_value(system, kernels.propose(system, theta, j, moved[j])[0])
        assert proposed == pytest.approx(case.observe(moved)[0], abs=1e-10)
        if rng.random() < 0.5:
            kernels.commit(system, theta, j, moved[j])
            theta = moved


def test_masses_of_the_exact_case_count_random_networks():
    """Chi-squared over bins at a fixed seed; a right case fails with probability 1e-6."""
    case = context_select.problem(4)
    mass = context_select.masses(case)[:, 0]
    rng, n = np.random.default_rng(0), 200_000
    points = rng.uniform(case.lo, case.hi, (n, 8))
    M = (points[:, :4] * points[:, 4:]).mean(1)
    bins = case.grid.x.index(np.log((M - 1) ** 2))
    found = np.append(np.bincount(bins[bins >= 0], minlength=50), (bins < 0).sum())
    expected = n * np.append(mass, 1 - mass.sum())
    assert chi2.sf(((found - expected) ** 2 / expected).sum(), 50) > 1e-6


class WrongUnits(NamedTuple):
    """Gated linear units whose moves of an input weight forget the output weight."""

    units: int
    gated: bool
    M: np.ndarray
    trial: np.ndarray


right_propose, loss = register_jitable(systems._linear_propose), systems._linear_loss


@register_jitable
def wrong_propose(system, theta, i, new):
    value = right_propose(system, theta, i, new)
    if np.int64(i) >= system.units:
        system.trial[0, 0] = system.M[0, 0] + (new - theta[i]) / system.units
        return loss(system.trial), 0.0
    return value


def test_systems_from_elsewhere_are_not_compiled_into_the_cache():
    """Numba's index on disk names their class, and no other program could read it again."""
    M = np.zeros((2, 1, 1))
    assert kernels.stage_for(WrongUnits(4, False, *M)) is not kernels.wlmc_stage
    assert kernels.draws_for(WrongUnits(4, False, *M)) is not kernels.uniform_draws
    ours = context_select.problem().system("float64")
    assert kernels.stage_for(ours) is kernels.wlmc_stage


@pytest.mark.slow
@pytest.mark.parametrize("wrong", [False, True])
def test_the_judge_tells_a_wrong_update_from_a_right_one(wrong, monkeypatch):
    if wrong:
        moves.register(
            WrongUnits,
            refresh=systems._linear_refresh,
            propose=wrong_propose,
            commit=systems._linear_commit,
            exponential=True,
        )
        M = np.zeros((2, 1, 1))
        case = replace(context_select.problem(), system=lambda _: WrongUnits(4, False, *M))
        monkeypatch.setattr(context_select, "problem", lambda: case)
    verdict = judge_context_select(seed=1)
    assert verdict.passed is not wrong
    assert not wrong or verdict.error > 4 * verdict.threshold


def test_exact_table():
    for units, values in context_select.TABLE.items():
        x = np.array(list(values))
        computed = context_select.exact_ln_density(units, context_select.HALF_WIDTH, x)
        np.testing.assert_allclose(computed, list(values.values()), atol=1e-8)


def test_parameters_have_names_and_become_units(rng):
    case = context_problem(2, 3)
    theta = rng.uniform(case.lo, case.hi)
    units = case.network.split(theta)
    assert case.network.layout.names == ("w", "m", "a")
    assert units.m.shape == (3, 2)
    M = task_matrix(units)
    assert case.observe(theta)[0] == pytest.approx(np.log(((M - np.eye(2)) ** 2).sum() / 2))
    assert context_select.problem(4).n_parameters == 8


def test_fixed_inputs_come_in_pairs():
    x = fixed_inputs(2, 6, 0.3, 0)
    np.testing.assert_array_equal(x[:3], -x[3:])
    grid = Grid(Axis("x", -1, 1, 4), Axis.single())
    assert context_problem(2, 3, grid=grid).grid is grid


def test_the_registered_task_is_the_same_problem(rng):
    for net in ("gain-linear", "relu"):
        options = {"contexts": 3, "units": 5, "net": net, "x_low": -4, "x_width": 0.5}
        task = load_task("context-select", **options)
        assert task.grid.shape == (12, 1)
        same = context_problem(3, 5, net=net)
        assert task.about == same.about
        theta = rng.uniform(same.lo, same.hi)
        assert task.observe(theta) == same.observe(theta)
    with pytest.raises(UserError, match="even number"):
        load_task("context-select", net="relu", inputs=5)


def test_the_registered_task_is_sampled_by_name(tmp_path):
    """As a user does: sample, then ask what came out, then take a network home."""
    short = ["--steps", "20000", "--walkers", "1", "--set", "context.units=4", "--keep-networks"]
    done = wlnn("sample", "--task", "context-select", *short, "--out", tmp_path / "run")
    assert done.status == 0, done.err
    shown = wlnn("info", tmp_path / "run").out
    assert "context-select, gain-linear units, K = 2, N = 4, 20 parameters" in shown
    file = tmp_path / "network.npz"
    assert wlnn("networks", tmp_path / "run", "--at", "0,0", "--export", file).status == 0
    arrays, _ = store.load(file)
    kept = find_landscape(tmp_path / "run").networks["theta"]
    problem = load_task("context-select", units=4)
    x, _ = problem.observe(arrays["theta"])
    assert abs(x) < 0.5
    assert any((arrays["theta"] == theta).all() for theta in kept)
    np.testing.assert_array_equal(arrays["m"], arrays["theta"][4:12].reshape(4, 2))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--width", "8"], "--set context.units=N"),
        (["--points", "8"], "--points does not go with --task context-select"),
        (["--paper"], "no preset 'paper'"),
        (["--sampler", "wlmd"], "molecular dynamics needs its gradient"),
        (["--set", "context.units=0"], "context.units must be 1 or more"),
        (["--set", "context.net=tanh"], "'gain-linear', 'relu'"),
    ],
)
def test_options_that_the_registered_task_does_not_take(arguments, said):
    done = wlnn("sample", "--task", "context-select", *arguments)
    assert done.status == 2
    assert said in done.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"contexts": 0}, "contexts = 0"),
        ({"units": 0}, "units = 0"),
        ({"half_width": 0}, "box = 0"),
        ({"net": "tanh"}, "gain-linear or relu"),
        ({"net": "relu", "gated": False}, "always gated"),
        ({"net": "relu", "inputs": 5}, "even number"),
        ({"net": "relu", "input_scale": 0}, "input scale = 0"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(options, said):
    with pytest.raises(UserError, match=said):
        context_problem(**({"contexts": 2, "units": 4} | options))
