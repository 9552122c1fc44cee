"""One S of all walkers: how it is made, what is counted on it, and what its error bars are."""

import numpy as np
import pytest
from test_wlmc import ball

from wlnn.base.errors import UserError
from wlnn.base.running import Interrupted
from wlnn.base.statistics import jackknife_error
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import WalkerResult, merge
from wlnn.landscape.verdict import verdict_of
from wlnn.settings.samplers import WLMCSettings
from wlnn.wlmc import run
from wlnn.wlmc import walker as wlmc
from wlnn.wlmc.checkpoints import load_walkers, save_walkers
from wlnn.wlmc.merge import HOLE, lift_unseen, merge_walkers, refine_entropy, share_entropy
from wlnn.wlmc.rules import CLOSED_ENTROPY

GRID = Grid(Axis("x", 0, 4, 4), Axis("y", 0, 2, 2))
COUNTS = np.array(
    [
        [[40, 10], [20, 0], [7, 0], [30, 9]],
        [[50, 20], [10, 0], [0, 0], [20, 5]],
        [[30, 15], [25, 0], [0, 0], [35, 1]],
    ]
)
FROZEN = np.array([[3.0, 1.0], [2.0, 0.5], [0.0, CLOSED_ENTROPY], [4.0, 2.0]])


def settings(**options):
    options = {"steps": 20_000, "stages": 40, "walkers": 3, "production": 0.5, **options}
    return WLMCSettings(estimator="common", c=8.0, **{"anchor_draws": 0, **options})


def pooled(counts=COUNTS, meta=None):
    results = [WalkerResult(FROZEN, part + 1, part, {}) for part in counts]
    return merge(GRID, results, meta=meta, pooled=True)


def exact(counts):
    """S of some walkers' visits, in the gauge of the bins that any two of three know."""
    common = COUNTS.sum(0) > COUNTS.max(0)
    with np.errstate(divide="ignore", invalid="ignore"):
        found = FROZEN + np.log(counts.sum(axis=0))
    return np.where(counts.any(axis=0), found - np.log(np.exp(found[common]).sum()), np.nan)


def test_s_is_the_frozen_s_and_the_ln_of_all_visits():
    found = pooled()
    difference = found.entropy - exact(COUNTS)
    seen = COUNTS.any(axis=0)
    np.testing.assert_array_equal(np.isnan(found.entropy), ~seen)
    np.testing.assert_allclose(difference[seen], difference[0, 0], atol=0.02)
    np.testing.assert_array_equal(found.reliable, seen & (COUNTS.sum(0) > COUNTS.max(0)))
    np.testing.assert_array_equal(found.visits, (COUNTS + 1).sum(axis=0))


def test_errors_are_the_jackknife_over_walkers():
    found = pooled()
    left = np.array([exact(np.delete(COUNTS, k, axis=0)) for k in range(3)])
    np.testing.assert_allclose(found.error, jackknife_error(left))
    np.testing.assert_allclose(found.entropies, left)
    y = np.array([0.5, 1.5])
    weights = np.nan_to_num(np.exp(left))
    curves = (weights * y).sum(axis=2) / weights.sum(axis=2).clip(1e-300)
    curve = found.equilibrium_accuracy()
    for row in (0, 3):
        assert curve.error[row] == pytest.approx(jackknife_error(curves[:, row]))
        each = found.equilibrium_of_walkers()[:, row]
        assert each.mean() == pytest.approx(curve.value[row])
        assert each.std(ddof=1) / np.sqrt(3) == pytest.approx(curve.error[row])


def test_how_errors_were_made_is_saved(tmp_path):
    again = Landscape.load(pooled().save(tmp_path / "landscape.npz"))
    assert again.resampling == "jackknife"
    np.testing.assert_array_equal(again.error, pooled().error)


def test_joined_runs_have_the_mean_s_and_the_sum_of_their_variances():
    runs = enumerate((COUNTS, COUNTS[::2]))
    parts = [pooled(counts, {"seeds": {"seed": k}}) for k, counts in runs]
    joint = join(parts, ["first", "second"])
    weights = (3 / 5, 2 / 5)
    expected = sum(w * part.entropy for w, part in zip(weights, parts, strict=True))
    difference = (joint.entropy - expected)[joint.reliable]
    np.testing.assert_allclose(difference, difference[0], atol=0.06)
    raw = np.sqrt(sum((w * part.error) ** 2 for w, part in zip(weights, parts, strict=True)))
    assert (np.abs(joint.error / raw - 1)[joint.reliable] < 0.2).all()
    other = merge(GRID, [WalkerResult(np.zeros((4, 2)), COUNTS[0])], meta={"seeds": {"seed": 7}})
    with pytest.raises(UserError, match="third: has error bars of another kind than first"):
        join([parts[0], other], ["first", "third"])


def shared(options, stage):
    """The walkers of a run, all at a stage, before they meet there."""
    walk = run.Walk(ball(), options)
    walkers = [wlmc.start(ball(), options, n) for n in range(options.walkers)]
    while walkers[0].stage < stage:
        walkers = walk.met(walkers, walkers[0].stage)
        stop = np.zeros(1, np.uint8)
        walkers = [wlmc.advance(ball(), None, walker, walk.plan, stop) for walker in walkers]
    return walk, walkers


def test_a_bin_that_few_know_is_closed_and_nobody_stays_there():
    walk, walkers = shared(settings(), 10)
    assert walk.plan.share_from == 10
    place = ball().grid.x.index(ball().observe(walkers[0].theta)[0])
    for k in (1, 2):
        visits = walkers[k].visits.copy()
        visits[place] = 0
        walkers[k] = walkers[k]._replace(visits=visits)
    elsewhere = [w for w in walkers if ball().grid.x.index(ball().observe(w.theta)[0]) != place]
    after = share_entropy(ball(), walk.plan, walkers)
    assert after[0].entropy[place] == CLOSED_ENTROPY
    learnt, known = ([getattr(w, name) for w in walkers] for name in ("entropy", "visits"))
    every = np.all([visits > 0 for visits in known], axis=0)
    mean = np.mean([entropy[every] - entropy[every].mean() for entropy in learnt], axis=0)
    for walker in after:  # of one walker alone it would be off by what walkers differ
        np.testing.assert_allclose(walker.entropy[every], mean)
    assert np.ptp([e[every] - e[every].mean() for e in learnt], axis=0).max() > 0.01
    if elsewhere:
        np.testing.assert_array_equal(after[0].theta, elsewhere[0].theta)
    once = [wlmc.advance(ball(), None, w, walk.plan, np.zeros(1, np.uint8)) for w in after]
    for before, later in zip(after, once, strict=True):
        assert later.visits[place] == before.visits[place]


def test_who_stands_in_a_closed_bin_leaves_it_at_the_first_open_one_and_is_not_counted_there():
    walk, walkers = shared(settings(), 26)  # S has taken up its visits
    place = ball().grid.x.index(ball().observe(walkers[0].theta)[0])
    entropy = walkers[0].entropy.copy()
    entropy[place] = CLOSED_ENTROPY
    walker = walkers[0]._replace(entropy=entropy)
    later = wlmc.advance(ball(), None, walker, walk.plan, np.zeros(1, np.uint8))
    assert later.production[place] == walker.production[place]
    assert 0 < later.production.sum() - walker.production.sum() <= 500
    assert ball().grid.x.index(ball().observe(later.theta)[0]) != place


def test_all_walkers_have_one_s_that_takes_up_the_first_visits_of_production_and_counts_the_rest():
    walk, walkers = shared(settings(), 40)
    for walker in walkers:
        np.testing.assert_array_equal(walker.entropy, walkers[0].entropy)
        assert (walker.history["ln_f"][20:] == 0).all()
        assert (np.diff(walker.history["ln_f"][10:21]) < 0).all()
        assert walker.production.sum() == 14 * 500
        assert walk.plan.first_part(walker).sum() == 8 * 500  # of 8 and 4, kept of 14 so far
        assert walk.plan.first_part(walker._replace(stage=37)).sum() == 4 * 500  # of 11
    found = merge_walkers(ball(), walk.settings, walkers, None)
    expected = walkers[0].entropy + np.log(sum(walker.production for walker in walkers))
    difference = (found.entropy - expected)[found.reliable]
    np.testing.assert_allclose(difference, difference[0], atol=0.05)


def test_threads_change_no_bit():
    one, three = (run.sample(ball(), settings(), threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.entropies, three.entropies)
    np.testing.assert_array_equal(one.visits, three.visits)


@pytest.mark.parametrize(
    ("stage", "met"),
    [
        (10, False),
        (26, True),
        *(
            pytest.param(*case, marks=pytest.mark.slow)
            for case in ((10, True), (11, False), (20, True), (20, False), (22, True), (26, False))
        ),
    ],
)
def test_a_checkpoint_of_either_side_of_a_meeting_goes_on_alike(tmp_path, stage, met):
    options = settings()
    whole = run.sample(ball(), options)
    walk, walkers = shared(options, stage)
    if met:
        walkers = walk.met(walkers, stage)
    folder = tmp_path / "run"
    run.store.open_run(folder, run.run_identity(ball(), options), None)
    save_walkers(folder, ball(), options, walkers)
    assert len(load_walkers(folder, ball(), options)) == 3
    cut = run.sample(ball(), options, folder)
    np.testing.assert_array_equal(cut.entropies, whole.entropies)


@pytest.mark.parametrize("stage", [5, 10, 15, 21])
def test_an_interrupted_run_has_a_landscape_without_error_bars_it_cannot_know(stage):
    walk, walkers = shared(settings(), stage)
    found = merge_walkers(ball(), walk.settings, walkers, None)
    assert found.n_walkers == (1 if stage in (10, 15) else 3)
    assert np.isfinite(found.entropy).any()
    assert not np.isinf(found.entropy).any()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"production": 0.0}, "counts visits in production, and there is none"),
        ({"merge_every": 2, "groups": 1}, "take wlmc.merge_every=never"),
    ],
)
def test_settings_that_it_cannot_have(options, said):
    with pytest.raises(UserError, match=said):
        settings(**options)


def test_a_production_that_is_too_short_for_what_was_learnt_has_a_result_that_says_so():
    found = run.sample(ball(), settings(steps=400, stages=40, production=0.05))
    assert verdict_of(found).word == "too short"
    assert (
        "visits on average" in verdict_of(found).sentence
        or "round trips" in verdict_of(found).sentence
    )


def test_one_walker_has_its_own_visits_and_no_error_bars():
    found = run.sample(ball(), settings(walkers=1))
    assert found.resampling == "walkers"
    assert np.isfinite(found.entropy).any()
    assert np.isnan(found.error).all()
    assert verdict_of(found).word != "publishable"


def test_bins_that_fewer_than_two_saw_at_the_end_of_growth_have_the_s_of_their_neighbours():
    walk, walkers = shared(settings(), 20)
    assert walk.plan.marked_at == 15
    assert all(walker.marks.sum() == 15 * 500 for walker in walkers)
    seen = np.all([walker.visits > walker.marks for walker in walkers], axis=0).ravel()
    by_two, by_one = np.flatnonzero(seen)[:2]
    for k, row in ((0, by_two), (0, by_one), (1, by_one)):
        walkers[k].visits[row] = walkers[k].marks[row]
    met, grown = walk.met(walkers, 20), share_entropy(ball(), walk.plan, walkers)[0].entropy
    seen[by_one] = False
    around = [row for row in (by_one - 1, by_one + 1) if row >= 0 and seen[row]]
    for walker in met:
        np.testing.assert_array_equal(walker.entropy[seen], grown[seen])
        assert walker.entropy[by_one, 0] == max(grown[by_one, 0], grown[around].mean())
    np.testing.assert_array_equal(walk.met(met, 20)[0].entropy, met[0].entropy)
    blind = [walker._replace(marks=walker.visits) for walker in walkers]
    np.testing.assert_array_equal(lift_unseen(blind)[0].entropy, walkers[0].entropy)


def test_s_takes_up_the_visits_once():
    _, walkers = shared(settings(), 22)
    walkers = refine_entropy(walkers)
    visits = sum(walker.production for walker in shared(settings(), 22)[1])
    again = refine_entropy(walkers)
    for before, walker, after in zip(shared(settings(), 22)[1], walkers, again, strict=True):
        relative = visits / visits[before.entropy < CLOSED_ENTROPY].mean()
        np.testing.assert_allclose(walker.entropy, before.entropy + np.log(1 + relative))
        assert not walker.production.any()
        np.testing.assert_array_equal(after.entropy, walker.entropy)


@pytest.mark.parametrize("depth", [40.0, 3.0])
def test_a_rare_bin_that_holds_walkers_gets_the_s_of_its_neighbours(depth):
    """Most of the walkers stand in it most of the time, and roam elsewhere alike."""
    _, walkers = shared(settings(), 22)
    s, visits = np.full((40, 1), 7.0), np.full((40, 1), 1000)
    s[:3], s[20] = CLOSED_ENTROPY, 7.0 - depth
    visits[:3], visits[20] = 0, 1_000_000
    nothing = np.zeros((2, 40, 1), int)
    given = [walker._replace(entropy=s, production=visits, early=nothing) for walker in walkers]
    found, others = refine_entropy(given)[0].entropy.ravel(), np.arange(40) != 20
    raised = (s + np.log(1 + visits / visits[3:].mean())).ravel()
    np.testing.assert_allclose(found[others], raised[others])
    np.testing.assert_allclose(found[20], raised[3] - HOLE if depth > 20 else raised[20])


def test_a_run_that_is_stopped_at_once_says_so(monkeypatch):
    monkeypatch.setattr(run, "run_units", lambda *rest, **_: (rest[5].fill(1), rest[2])[1])
    with pytest.raises(Interrupted):
        run.sample(ball(), settings())


def test_walkers_that_sweep_alike_are_no_better_known_than_their_halves(rng):
    """Every walker has seen both rows alike at the end, and one of them more in its first half."""
    grid = Grid(Axis("x", 0, 2, 2), Axis("y", 0, 2, 2))
    none = np.zeros(grid.shape)
    parts = []
    for _ in range(8):
        early = rng.integers(200, 800, 2)[:, None] * [1, 2]
        whole = np.array([[1000, 2000], [1000, 2000]]) + rng.integers(-5, 5, (2, 2))
        parts.append(WalkerResult(none, whole, whole, None, early))
    found = merge(grid, parts, pooled=True)
    production = np.array([part.production for part in parts])
    marginal = found.marginal_entropy()
    half = 0.5 * np.array(found.meta["halves"]["error"])
    np.testing.assert_allclose(marginal.error, half, rtol=0.02)
    left = np.log((production.sum(axis=0) - production).sum(axis=2))
    left -= np.log(np.exp(left).sum(axis=1))[:, None]
    assert (half > 20 * jackknife_error(left)).all()
    exact = np.log(production.sum(axis=0) / production.sum())
    np.testing.assert_allclose(found.entropy - found.entropy[0, 0], exact - exact[0, 0], atol=5e-4)
    inside = found.equilibrium_accuracy()  # what is known within a row stays as it is
    assert (inside.error < 1e-3).all()
