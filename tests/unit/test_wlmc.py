"""A walker: start, stages, result; on functions cheap enough for the NumPy definition."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.settings.samplers import WLMCSettings
from wlnn.tasks.problem import Problem
from wlnn.wlmc import rules
from wlnn.wlmc import walker as wlmc


def ball(low=-4.0, high=1.2, n=3):
    """x = ln |theta|^2 in the cube [-1, 1]^n."""
    grid = Grid(Axis("x", low, high, 13), Axis.single())
    return Problem("ball", -np.ones(n), np.ones(n), grid, lambda t: (np.log((t**2).sum()), 0.0))


def settings(**options):
    own = {"estimator": "frozen", "c": 2.0, "production": 0.25}  # each walker by itself
    return WLMCSettings(**{"steps": 20_000, "stages": 20, "walkers": 2, **own, **options})


def test_a_start_is_inside_the_window_and_depends_on_seed_and_walker():
    starts = [wlmc.start(ball(), settings(seed=s), n).theta for s, n in ((0, 0), (0, 1), (1, 0))]
    assert len({tuple(theta) for theta in starts}) == 3
    again = wlmc.start(ball(), settings(), 0)
    np.testing.assert_array_equal(again.theta, starts[0])


def test_a_start_walks_towards_a_window_that_no_draw_hits():
    problem = ball(low=-16.0, high=-12.0)
    walker = wlmc.start(problem, settings(), 0)
    assert -16 <= problem.observe(walker.theta)[0] < -12


def test_a_window_without_states_is_refused():
    with pytest.raises(UserError, match=r"window x \[2, 3\] seems to hold no state"):
        wlmc.start(ball(low=2.0, high=3.0), settings(), 0)


def stages(problem, options, number=0):
    plan = wlmc.make_plan(options)
    walker = wlmc.start(problem, options, number)
    for _ in range(plan.n_stages):
        walker = wlmc.advance(problem, None, walker, plan, np.zeros(1, np.uint8))
    return walker


def test_a_stage_leaves_the_walker_before_it_unchanged_and_can_be_replayed():
    options = settings()
    plan = wlmc.make_plan(options)
    first = wlmc.start(ball(), options, 0)
    theta = first.theta.copy()
    second = wlmc.advance(ball(), None, first, plan, np.zeros(1, np.uint8))
    again = wlmc.advance(ball(), None, first, plan, np.zeros(1, np.uint8))
    np.testing.assert_array_equal(first.theta, theta)
    assert not first.visits.any()
    np.testing.assert_array_equal(second.entropy, again.entropy)
    assert second.visits.sum() == plan.steps == 1000


def test_the_average_is_the_mean_of_s_over_the_production_stages():
    problem = ball()
    plan = wlmc.make_plan(settings(production=0.25, estimator="average", c=20.0))
    walker, tables = wlmc.start(problem, plan.settings, 0), []
    while walker.stage < plan.n_stages:
        walker = wlmc.advance(problem, None, walker, plan, np.zeros(1, np.uint8))
        if walker.stage > plan.n_adaptive:
            known = walker.visits > 0
            tables.append(walker.entropy - walker.entropy[known].mean())
    assert len(tables) == 5
    np.testing.assert_allclose(walker.average[known], np.mean(tables, axis=0)[known], atol=1e-12)
    assert (np.unique(walker.history["ln_f"][-6:]) > 0).all()
    assert np.unique(walker.history["ln_f"][-6:]).size == 1  # S grows on as at the end before it
    np.testing.assert_array_equal(wlmc.result([walker]).entropy, walker.average)
    assert walker.production.sum() == 5_000


def test_a_group_interrupted_on_the_way_has_the_history_of_all_its_walkers():
    plan, stop = wlmc.make_plan(settings(walkers=2, merge_every=4, groups=1)), np.zeros(1, np.uint8)
    first, second = (wlmc.start(ball(), plan.settings, number) for number in range(2))
    for _ in range(3):
        first = wlmc.advance(ball(), None, first, plan, stop)
    second = wlmc.advance(ball(), None, second, plan, stop)
    found = wlmc.result([first, second])
    assert found.history["steps"].tolist() == [1000]
    assert found.visits.sum() == 4000


def test_every_step_is_counted_once_and_production_leaves_s_frozen():
    walker = stages(ball(), settings(production=0.25))
    assert walker.visits.sum() == 20_000
    assert walker.production.sum() == 5_000
    assert (walker.history["ln_f"][15:] == 0).all()
    assert (walker.history["ln_f"][:15] > 0).all()
    assert walker.history["steps"].sum() == 20_000


def test_the_step_width_is_frozen_in_the_second_half():
    widths = stages(ball(), settings(production=0.0)).history["step_width"]
    assert len(set(widths[10:])) == 1
    assert widths[10] == pytest.approx(np.exp(np.log(widths[5:10]).mean()))
    never = stages(ball(), settings(production=0.0, step_rule="paper")).history["step_width"]
    assert len(set(never[10:])) > 1


def test_a_stopped_stage_gives_nothing():
    options = settings()
    walker = wlmc.start(ball(), options, 0)
    plan = wlmc.make_plan(settings(steps=40_000))
    assert wlmc.advance(ball(), None, walker, plan, np.ones(1, np.uint8)) is None


def test_a_walker_finds_the_volumes_of_balls():
    """S(x) of |theta|^2 < 1 in a cube: ln of shells of volume 4/3 pi r^3 / 8."""
    problem = ball(low=-4.0, high=0.0, n=3)
    found = wlmc.result([stages(problem, settings(steps=60_000, stages=60))])
    exact = np.log(np.diff(np.pi / 6 * np.exp(1.5 * problem.grid.x.edges)))
    difference = found.entropy[:, 0] - exact
    assert np.std(difference) < 0.15  # a right walker: 0.05


def test_networks_are_kept_one_per_bin():
    walker = stages(ball(), settings(keep_networks=True))
    known = np.isfinite(walker.kept[:, 0])
    np.testing.assert_array_equal(known, walker.visits[:, 0] > 0)
    for k in np.flatnonzero(known):
        assert ball().grid.x.index(ball().observe(walker.kept[k])[0]) == k


@pytest.mark.parametrize(("rule", "expected"), [(0, 1.0), (1, 7.0), (3, 16 / 3)])
def test_a_new_bin_starts_from_its_rule(rule, expected):
    entropy = np.array([[0.0, 5.0], [4.0, 7.0], [6.0, 0.0], [6.0, 1.0]])
    known = entropy > 0
    seen, none = known.astype(int), np.zeros(known.shape, int)
    found = rules.first_entropy(entropy, seen, none, (0, 0), (1, 1), rule)
    assert found == rules.first_entropy(entropy, none, seen, (0, 0), (1, 1), rule)
    assert found == pytest.approx(expected)
    if rule == 3:  # nothing known around it: the bin the walker came from
        assert rules.first_entropy(entropy, none, none, (0, 0), (1, 1), rule) == 7.0
