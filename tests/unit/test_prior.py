"""A Gaussian prior in the place of the box: the same walk in both texts, draws, words, refusals."""

import json
from dataclasses import replace

import numpy as np
import pytest
from command_line import run
from scipy.stats import kstest

import wlnn
from wlnn.backend.binning import binning
from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.networks.compiled.moves import FunctionSystem
from wlnn.networks.compiled.prior import with_prior
from wlnn.reference.cases import gaussian
from wlnn.tasks.field import field_of
from wlnn.wlmc import checkpoints, walker
from wlnn.wlmc.driver import prior_draws_for
from wlnn.wlmc.rules import NEW_BIN_NEARBY, STEP_FIXED, STEP_LOG_UNIFORM, Chain, Stage
from wlnn.wlmc.run import Walk
from wlnn.wlmd.driver import x_and_slope

SMALL = {"layers": 1, "width": 3, "points": 8, "prior": "gaussian"}


def stage(problem, system, rule, steps):
    theta = np.array(problem.sigma) * 0.5
    shape = problem.grid.shape
    entropy, histogram, visits = np.zeros(shape), np.zeros(shape, int), np.zeros(shape, int)
    words = np.arange(1, 5).astype(np.uint64)
    chain = walker.run_stage(
        problem, system, theta, entropy, histogram, visits, np.zeros((0, 0)),
        Stage(steps, 0.02, rule, NEW_BIN_NEARBY, 5, 30, sigma=problem.sigma), Chain(0.2, 0),
        words, np.zeros(1, np.uint8),
    )  # fmt: skip
    return chain, theta, entropy, histogram, words


@pytest.mark.parametrize("rule", [STEP_FIXED, STEP_LOG_UNIFORM])
def test_the_driver_makes_the_decisions_of_the_definition_under_a_prior(rule):
    problem = gaussian.problem()
    fast = stage(problem, FunctionSystem(gaussian.observe), rule, 20_000)
    slow = stage(problem, None, rule, 20_000)
    assert fast[0][:7] == slow[0][:7]
    for mine, theirs in zip(fast[1:], slow[1:], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-12)
    assert fast[0].out_of_box == 0  # there is none
    assert fast[0].accepted > 5000


def test_draws_of_the_prior_are_normal_each_with_its_sigma():
    """Compiled draws by their bins, those of the definition one by one; p below 1e-6 fails."""
    problem, n = gaussian.problem(), 200_000
    assert problem.sigma.size == 4
    counts = np.zeros(problem.grid.shape, np.int64)
    system, words = FunctionSystem(gaussian.observe), np.arange(1, 5).astype(np.uint64)
    missed = prior_draws_for(system)(
        system, problem.sigma, binning(problem.grid), n, words, counts
    )  # fmt: skip
    assert counts.sum() + missed == n
    expected = n * gaussian.masses(problem)
    common = expected > 50
    chi2 = ((counts - expected)[common] ** 2 / expected[common]).sum()
    assert chi2 < common.sum() + 5 * np.sqrt(2 * common.sum())
    drawn = problem.draw(np.random.default_rng(0), (20_000, 4))
    for k, sigma in enumerate(gaussian.SIGMA):
        assert kstest(drawn[:, k] / sigma, "norm").pvalue > 1e-6
    assert problem.draw(np.random.default_rng(0)).shape == (4,)


@pytest.mark.parametrize("task", ["spiral-regress", pytest.param("mnist", marks=pytest.mark.slow)])
def test_the_force_of_the_prior_is_that_of_both_texts(task):
    options = {"width": 2, "points": 40, "prior": "gaussian", "sigma": 0.3}
    problem = wlnn.NetworkVariables(wlnn.load_task(task, **options)).problem()
    field, rng, one = field_of(problem), np.random.default_rng(3), np.ones(1)
    system = with_prior(problem.gradient_system(), problem.sigma)
    for _ in range(3):
        theta = problem.draw(rng)
        x, _, _, tape = field.evaluate(np, theta[None])
        force = field.backward(np, tape, one, 0 * one)[0]
        *_, tape = problem.evaluate(np, theta[None])
        own = problem.backward(np, tape, one, 0 * one)[0]
        np.testing.assert_allclose(force - own, theta / 0.3**2, rtol=1e-9, atol=1e-9)
        assert x_and_slope(system, theta) == pytest.approx(x[0], rel=1e-4)
        np.testing.assert_allclose(system.gradient, force, atol=1e-4 * np.abs(force).max())
    assert with_prior(system, np.zeros(0)) is system


def test_motion_by_the_definition_and_compiled_hold_the_same_prior():
    """A short ladder of each: <x> of the draws and of the first rungs agree."""
    problem = gaussian.smooth(6)
    grid = wlnn.Grid(wlnn.Axis.of_width("x", -3, 2, 0.25), wlnn.Axis.single())
    settings = wlnn.LadderSettings(
        ladders=2, steps=20_000, x_low=-0.7, draws=1000, descent=300, friction=0.05,
        thermostat_every=1, sample_every=10, dt=0.5, dt_cap=0.05,
    )  # fmt: skip
    exact = gaussian.smooth_rows(grid.x, 6)
    for made in (problem, replace(problem, gradient_system=None)):
        found = wlnn.sample_ladder(made, settings, grid=grid).marginal_entropy()
        known = np.isfinite(found.value) & (exact > -6)
        assert known.sum() > 8
        assert np.abs(found.value - exact)[known].max() < 0.35  # without the force: above 2


def test_a_task_under_a_prior_has_the_sigma_of_its_rule_or_of_its_own():
    task = wlnn.load_task("spiral-classify", **SMALL)
    np.testing.assert_array_equal(task.problem().sigma, task.network.bounds("width", 2.0))
    one = wlnn.load_task("spiral-classify", **SMALL, sigma=0.7).problem()
    assert set(one.sigma) == {0.7}
    assert one.about["prior"] == {"law": "gaussian", "sigma": 0.7}
    assert one.ln_box_volume is None
    fan = wlnn.load_task("spiral-classify", **SMALL, bound_rule="fan_in", bound_factor=1.0)
    assert fan.problem().sigma[0] == pytest.approx(1 / np.sqrt(2))  # N(0, 1 / fan-in)
    stretches = fan.problem().about["prior"]["sigma"]
    assert sum(n for n, _ in stretches) == fan.network.n_parameters
    box = wlnn.load_task("spiral-classify", layers=1, width=3, points=8).problem()
    assert "prior" not in box.about  # runs of a box are what they were
    assert box.sigma.size == 0
    np.testing.assert_array_equal(box.half_width, box.hi)


def test_what_a_prior_cannot_be_is_refused_with_a_sentence():
    grid = gaussian.problem().grid
    data = wlnn.load_task("spiral-classify", layers=1, width=3, points=8)
    ends = np.ones(data.network.n_parameters)
    for make, sentence in (
        (lambda: wlnn.Problem("p", None, None, grid, sum, sigma=[1, -1]), "a number above 0"),
        (lambda: wlnn.Problem("p", None, None, grid, sum, sigma="wide"), "sigma needs numbers"),
        (lambda: wlnn.Problem("p", [-1], [1], grid, sum, sigma=[1]), "leave out lo and hi"),
        (lambda: wlnn.Problem("p", None, None, grid, sum), "need"),
        (
            lambda: wlnn.Problem("p", None, None, grid, sum, sigma=[1], periodic=(True,)),
            "a periodic parameter has a box",
        ),
        (lambda: replace(data, prior="laplace"), "must be one of box, gaussian"),
        (lambda: replace(data, sigma=2.0), "give prior='gaussian'"),
        (lambda: replace(data, prior="gaussian", lo=-ends, hi=ends), "leave out lo and hi"),
        (
            lambda: replace(data, prior="gaussian", sigma=[1.0, 2.0]).problem(),
            "one for each of the",
        ),
    ):
        with pytest.raises(UserError, match=sentence):
            make()


def test_what_moves_in_a_box_alone_says_so():
    problem = wlnn.NetworkVariables(wlnn.load_task("spiral-regress", **SMALL)).problem()
    with pytest.raises(UserError, match="has a Gaussian prior, and Wang-Landau molecular dynamics"):
        wlnn.sample_wlmd(problem, wlnn.WLMDSettings())
    with pytest.raises(UserError, match="and motion at a temperature moves in a box alone"):
        wlnn.simulate(problem, wlnn.MDSettings(steps=4000))


def test_a_run_under_a_prior_from_the_command_line(tmp_path):
    small = ("--layers", "1", "--width", "3", "--points", "8", "--threads", "1", "--quick")
    words = ("--steps", "2e4", "--set", "wlmc.anchor_draws=2e4", "--prior", "gaussian:0.8")
    folder = tmp_path / "run"
    made = run("sample", *small, *words, "--out", folder)
    assert made.status == 0, made.err
    contents = json.loads((folder / "run.json").read_text())
    assert contents["identity"]["problem"]["prior"] == {"law": "gaussian", "sigma": 0.8}
    assert contents["recipe"]["settings"]["network"]["prior"] == "gaussian"
    told = run("info", folder).out
    assert "share of the Gaussian prior, sigma 0.8" in told
    assert "fraction of the prior, fixed by draws of the prior" in told
    assert "box" not in told
    view = wlnn.Landscape.load(folder)
    assert "of the whole prior, by draws of the prior" in repr(view)
    assert view.meta["ln_box_volume"] is None
    again = run("sample", *small, *words[:-1], "gaussian", "--out", folder)
    assert again.status == 2
    assert "belongs to another run" in again.err
    np.save(tmp_path / "net.npy", np.full(view.meta["task"]["parameters"], 5.0))
    placed = run("place", folder, tmp_path / "net.npy")
    assert placed.status == 0, placed.err
    assert "outside the box" not in placed.out
    for option, sentence in (
        ("laplace", "--prior must be one of 'box', 'gaussian', not 'laplace'"),
        ("gaussian:wide", "--prior gaussian:wide: write 'box', 'gaussian'"),
        ("gaussian:", "or gaussian:SIGMA with a number above 0"),
        ("gaussian:0", "--prior gaussian:0: write"),  # not that of the rule, in silence
        ("gaussian:nan", "--prior gaussian:nan: write"),
        ("gaussian:1e-300", "from 1e-100 to 1e100"),  # whose square is 0
        ("box:2", "--prior box:2: write"),
    ):
        refused = run("sample", *small, "--prior", option, "--out", tmp_path / "no")
        assert refused.status == 2
        assert sentence in refused.err
    refused = run("md", *small[:-1], "--prior", "gaussian", "--out", tmp_path / "no")
    assert "moves in a box alone; sample it by Monte Carlo (wlmc) or ladders" in refused.err


def test_a_run_under_a_prior_goes_on_with_the_same_bits(tmp_path):
    problem, stop = gaussian.problem(), np.zeros(1, np.uint8)
    settings = wlnn.WLMCSettings(steps=20_000, stages=10, walkers=2, anchor_draws=1000)
    whole, walk = wlnn.sample(problem, settings), Walk(problem, settings)
    begun = [walker.start(problem, settings, number) for number in range(2)]
    later = [walker.advance(problem, walk.system(w.number), w, walk.plan, stop) for w in begun]
    store.open_run(tmp_path / "run", checkpoints.run_identity(problem, settings), None)
    checkpoints.save_walkers(tmp_path / "run", problem, settings, later)
    resumed = wlnn.sample(problem, settings, tmp_path / "run")
    np.testing.assert_array_equal(resumed.entropies, whole.entropies)
    assert "4 parameters, Gaussian prior, sigma 0.2 to 5" in repr(problem)
    other = replace(problem, sigma=2 * problem.sigma, about={})
    with pytest.raises(UserError, match="another"):
        wlnn.sample(other, settings, tmp_path / "run")


@pytest.mark.slow
def test_samplers_of_a_small_network_agree_under_a_prior():
    """Monte Carlo, ladders of both movers: S(x) of one network, absolute, within 0.5 nats."""
    task = wlnn.load_task(
        "spiral-regress", layers=1, width=2, points=6, prior="gaussian", sigma=1.0
    )
    x = wlnn.Axis.of_width("ln train loss", -1.2, 1.6, 0.4)
    grid = wlnn.Grid(x, wlnn.Axis.of_width("ln test loss", -4.0, 6.0, 1.0))
    moves = replace(task, grid=grid).problem()
    motion = wlnn.NetworkVariables(task).problem()
    steps = {"ladders": 2, "x_low": -0.6, "draws": 4000, "dt": 0.02}
    found = [
        wlnn.sample(moves, wlnn.WLMCSettings(steps=300_000, walkers=2, anchor_draws=50_000)),
        wlnn.sample_ladder(moves, wlnn.LadderSettings(**steps, steps=300_000), grid=grid),
        wlnn.sample_ladder(motion, wlnn.LadderSettings(**steps, steps=60_000), grid=grid),
    ]
    curves = np.array([one.marginal_entropy().value for one in found])
    known = np.isfinite(curves).all(axis=0) & (x.centres > -0.8)
    assert known.sum() >= 4
    assert np.ptp(curves[:, known], axis=0).max() < 0.5
