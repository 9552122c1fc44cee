"""Landscapes of walkers made up from a known S and known noise, so that every answer is exact.

Statistical tests draw from seed 0 and fail a right program once in 1e5 (4.4 sigma) or less.
"""

import numpy as np
import pytest

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.landscape.compare import compare
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import Draws, WalkerResult, merge

GRID = Grid(Axis("ln train loss", -3.0, 1.0, 40), Axis.counts("test accuracy", 20))


def true_entropy(window=GRID):
    """ln of the mass of a smooth landscape over all bins; the right half of the box, say."""
    x, y = np.meshgrid(window.x.centres, window.y.centres, indexing="ij")
    entropy = 3 * x - x**2 - 12 * (y - 0.75 + 0.1 * x) ** 2
    return entropy - np.log(np.exp(entropy).sum())


def made_up(entropy, n, noise, rng, unseen=()):
    """``n`` walkers that know ``entropy`` up to a shift of their own and normal noise."""
    walkers = []
    for _ in range(n):
        found = entropy + rng.normal(0, 50) + rng.normal(0, noise, entropy.shape)
        visits = np.full(entropy.shape, 10)
        for place in unseen:
            visits[place] = 0
        found[visits == 0] = 0.0  # what an unvisited bin of a sampler holds
        walkers.append(WalkerResult(found, visits, visits // 2, {"ln_f": np.ones(3)}))
    return walkers


def test_error_bars_are_the_errors(rng):
    truth, noise = true_entropy(), 0.3
    landscape = merge(GRID, made_up(truth, 8, noise, rng), covers_box=True)
    assert landscape.meta["gauge"] == "box"
    np.testing.assert_allclose(np.exp(landscape.entropies).sum(axis=(1, 2)), 1, rtol=1e-12)
    off = landscape.entropy - truth
    # the shift of a walker is its error of ln sum exp S: a bias of noise^2 / 2 and common noise
    off -= off.mean()
    assert np.sqrt(np.mean(landscape.error**2)) == pytest.approx(noise / np.sqrt(8), rel=0.05)
    assert off.std() == pytest.approx(noise / np.sqrt(8), rel=0.12)
    outside = np.mean(np.abs(off) > landscape.t_factor() * landscape.error)
    assert outside == pytest.approx(0.05, abs=4.4 * np.sqrt(0.05 * 0.95 / off.size))
    assert landscape.t_factor() == pytest.approx(2.3646, abs=1e-4)  # table of t, 7 degrees
    assert landscape.t_factor(0.99) == pytest.approx(3.4995, abs=1e-4)


def test_uniform_draws_fix_the_zero_of_a_truncated_window(rng):
    truth = true_entropy()
    high = Grid(Axis("ln train loss", -1.0, 1.0, 20), GRID.y)  # the lower half is left out
    truth = truth[20:]
    n = 200_000
    counts = rng.multinomial(n, [*np.exp(truth).ravel(), -np.expm1(np.log(np.exp(truth).sum()))])
    draws = Draws(counts[:-1].reshape(truth.shape), n)
    landscape = merge(high, made_up(truth, 8, 0.05, rng), draws)
    assert landscape.meta["gauge"] == "draws"
    assert landscape.meta["anchor_bins"] == (draws.counts >= 100).sum()
    error = landscape.meta["anchor_error"]
    assert 0.0005 < error < 0.02
    off = landscape.entropy - truth
    shift_error = np.hypot(error, 0.05 / np.sqrt(8 * landscape.meta["anchor_bins"]))
    assert abs(off.mean()) < 4.4 * np.hypot(shift_error, 0.05 / np.sqrt(8 * off.size))
    np.testing.assert_allclose(landscape.entropies.mean(axis=(1, 2)), truth.mean(), atol=0.03)


def test_unreliable_bins_anchor_nothing(rng):
    truth = true_entropy()
    draws = Draws(np.round(np.exp(truth) * 1e8).astype(int), 10**8)
    walkers = made_up(truth, 3, 0.0, rng)
    for walker in walkers:
        walker.entropy[30, 10:] -= 40.0
        walker.production[30, 10:] = 0
    landscape = merge(GRID, walkers, draws)
    np.testing.assert_allclose(landscape.entropy[20], truth[20], atol=0.01)


def test_the_anchor_error_is_the_scatter_of_repeated_draws(rng):
    grid = Grid(Axis("x", 0.0, 1.0, 6), Axis.counts("y", 3))
    truth = np.log(np.random.default_rng(1).dirichlet(np.full(24, 2.0))).reshape(grid.shape)
    walkers = made_up(truth, 4, 0.2, rng)
    probability = np.exp(truth).ravel()
    found = [
        merge(grid, walkers, Draws(rng.multinomial(5000, probability).reshape(truth.shape), 5000))
        for _ in range(300)
    ]
    scatter = np.std([landscape.entropy[0, 0] for landscape in found])
    said = np.mean([landscape.meta["anchor_error"] for landscape in found])
    # 300 repeats: 4 % each; the weights, and the bins with 100 counts, follow the draws a little
    assert scatter == pytest.approx(said, rel=0.2)


def test_without_draws_or_box_the_window_is_the_unit(rng):
    walkers = made_up(true_entropy(), 3, 0.1, rng, unseen=[(0, 0)])
    few = Draws(np.full(GRID.shape, 99), 10**6)
    for draws in (None, few):
        landscape = merge(GRID, walkers, draws)
        assert landscape.meta["gauge"] == "window"
        np.testing.assert_allclose(np.nansum(np.exp(landscape.entropies), axis=(1, 2)), 1)


def test_bins_never_visited_are_nan_and_those_of_some_walkers_unreliable(rng):
    walkers = made_up(true_entropy(), 4, 0.1, rng, unseen=[(3, 4), (slice(0, 2), slice(None))])
    walkers[0].visits[10, 10] = walkers[0].production[10, 10] = 0
    walkers[1].production[11, 11] = 0
    landscape = merge(GRID, walkers)
    never = np.isnan(landscape.entropy)
    assert never.sum() == 1 + 2 * 21
    assert never[3, 4]
    assert np.isfinite(landscape.entropy[10, 10])
    assert np.isnan(landscape.error[10, 10])
    assert not landscape.reliable[10, 10]
    assert not landscape.reliable[11, 11]
    assert np.isfinite(landscape.error[11, 11])
    assert landscape.reliable.sum() == GRID.x.n * GRID.y.n - 1 - 42 - 2
    assert landscape.visits[10, 10] == 30
    for curve in (
        landscape.equilibrium_accuracy(),
        landscape.max_entropy_curve(),
        landscape.marginal_entropy(),
    ):
        assert np.isnan(curve.value[:2]).all()
        assert np.isnan(curve.error[:2]).all()
        assert np.isfinite(curve.value[2:]).all()
        assert curve.reliable.tolist() == [False] * 2 + [True] * 38


def test_without_a_production_stage_visits_make_a_bin_reliable(rng):
    walkers = [w._replace(production=None) for w in made_up(true_entropy(), 2, 0.1, rng, [(0, 0)])]
    assert (~merge(GRID, walkers).reliable).sum() == 1


def test_a_row_is_reliable_with_nine_tenths_of_its_mass(rng):
    for lost, reliable in ((0.05, True), (0.2, False)):
        entropy = np.log(np.array([[0.5, 0.5], [1 - lost, lost]]))
        grid = Grid(Axis("x", 0.0, 2.0, 2), Axis.counts("y", 1))
        walkers = made_up(entropy, 3, 0.0, rng)
        walkers[2].production[1, 1] = 0
        assert merge(grid, walkers).equilibrium_accuracy().reliable.tolist() == [True, reliable]


def test_equilibrium_accuracy_of_the_exact_logistic_case():
    # masses and <A> of a softmax regression on five test points, computed by quadrature
    masses = np.array(
        [
            [0, 0, 0, 5.681825032e-04, 5.297173432e-04, 0],
            [0, 0, 5.116591240e-03, 3.793794219e-02, 2.125467906e-02, 0],
            [0, 7.279829741e-04, 4.236293687e-02, 4.755966595e-02, 9.726311034e-04, 0],
            [0, 2.622679455e-03, 3.898806109e-03, 5.816439188e-05, 0, 0],
        ]
    )
    grid = Grid(Axis("x", 0.0, 4.0, 4), Axis.counts("test accuracy", 5))
    with np.errstate(divide="ignore"):
        entropy = np.where(masses > 0, np.log(masses), 0.0)
    walkers = [WalkerResult(entropy + shift, masses > 0) for shift in (0.0, -700.0)]
    landscape = merge(grid, walkers)
    curve = landscape.equilibrium_accuracy()
    np.testing.assert_allclose(curve.value, [0.696496, 0.650189, 0.506473, 0.322047], atol=6e-7)
    np.testing.assert_allclose(curve.error, 0, atol=1e-12)
    np.testing.assert_allclose(landscape.max_entropy_curve().value, [0.6, 0.6, 0.6, 0.4])
    rows = masses.sum(axis=1) / masses.sum()
    np.testing.assert_allclose(np.exp(landscape.marginal_entropy().value), rows, rtol=1e-12)


def test_errors_of_the_curves_come_from_the_walkers(rng):
    truth = true_entropy()
    many = [
        merge(GRID, made_up(truth, 8, 0.2, rng), covers_box=True).equilibrium_accuracy()
        for _ in range(200)
    ]
    scatter = np.std([curve.value for curve in many], axis=0)
    said = np.sqrt(np.mean([curve.error**2 for curve in many], axis=0))
    np.testing.assert_allclose(said, scatter, rtol=0.25)  # 200 repeats: 5 % of each row


def test_the_jacobian_makes_a_uniform_loss_uniform():
    # L uniform in (0, e): the mass of a bin is its width in L, whatever the bins of ln L
    edges = np.exp(GRID.x.edges)
    mass = np.diff(edges)[:, None] / np.e * np.array([0.2, 0.8])
    grid = Grid(GRID.x, Axis("ln test loss", -1.0, 1.0, 2))
    ones = np.ones(grid.shape, int)
    landscape = merge(grid, [WalkerResult(np.log(mass), ones)], Draws(ones * 1000, 1000), True)
    true = np.log(mass) - np.log(mass.sum())
    np.testing.assert_allclose(landscape.rescaled(), true, atol=1e-12)
    per_loss = landscape.rescaled(x="exp")
    np.testing.assert_allclose(per_loss, np.tile(per_loss[0], (40, 1)), atol=1e-12)
    per_ln = landscape.rescaled(x="axis")
    np.testing.assert_allclose(per_ln, true - np.log(0.1), atol=1e-12)
    # narrow bins: S per unit L = S per unit ln L - ln L, to second order in the width
    np.testing.assert_allclose(per_ln - GRID.x.centres[:, None], per_loss, atol=0.1**2 / 24 * 1.01)
    both = landscape.rescaled(x="axis", y="exp")
    np.testing.assert_allclose(both, per_ln - np.log([1 - np.exp(-1), np.e - 1]), atol=1e-12)
    with pytest.raises(UserError, match="'bin', 'axis' or 'exp'"):
        landscape.rescaled(x="loss")


def test_one_walker_has_no_error(rng):
    landscape = merge(GRID, made_up(true_entropy(), 1, 0.1, rng), covers_box=True)
    assert np.isnan(landscape.error).all()
    assert np.isnan(landscape.t_factor())
    assert np.isfinite(landscape.equilibrium_accuracy().value).all()


def test_walkers_without_a_common_bin_are_kept_apart():
    grid = Grid(Axis("x", 0.0, 2.0, 2), Axis.single())
    visits = np.array([[[5], [0]], [[0], [5]]])
    landscape = merge(grid, [WalkerResult(v * 1.0, v) for v in visits])
    assert landscape.entropy.tolist() == [[5.0], [5.0]]
    assert not landscape.reliable.any()


def test_what_cannot_be_merged_is_told(rng):
    with pytest.raises(UserError, match="no walker"):
        merge(GRID, [])
    with pytest.raises(UserError, match="not on the grid"):
        merge(Grid(GRID.x, Axis.single()), made_up(true_entropy(), 2, 0.1, rng))


def test_history_is_cut_to_the_shortest_walker(rng):
    walkers = made_up(true_entropy(), 2, 0.1, rng)
    walkers[0] = walkers[0]._replace(history={"ln_f": np.arange(5), "seconds": np.ones(5)})
    landscape = merge(GRID, walkers)
    assert landscape.history["ln_f"].tolist() == [[0, 1, 2], [1, 1, 1]]
    assert list(landscape.history) == ["ln_f"]


def test_saved_landscapes_come_back(tmp_path, rng):
    walkers = made_up(true_entropy(), 3, 0.1, rng, unseen=[(3, 4)])
    landscape = merge(GRID, walkers, covers_box=True, meta={"seed": 3})
    path = landscape.save(tmp_path / "landscape.npz")
    again = Landscape.load(path)
    assert again.grid == GRID
    assert again.meta == {"seed": 3, "gauge": "box"}
    for name in ("entropies", "visits", "reliable", "entropy", "error"):
        np.testing.assert_array_equal(getattr(again, name), getattr(landscape, name))
    np.testing.assert_array_equal(again.history["ln_f"], landscape.history["ln_f"])
    arrays, _ = store.load(path)  # what readers without this package find
    np.testing.assert_array_equal(arrays["entropy"], landscape.entropy)
    np.testing.assert_array_equal(arrays["x_edges"], GRID.x.edges)
    single = Grid(GRID.x, Axis.single())
    one = merge(single, [WalkerResult(np.zeros((40, 1)), np.ones((40, 1), int))])
    assert Landscape.load(one.save(tmp_path / "one.npz")).grid == single
    other = store.save(tmp_path / "walker-000.npz", {}, {"kind": "walker"})
    with pytest.raises(UserError, match=r"walker-000\.npz: holds no landscape"):
        Landscape.load(other)


def test_two_right_landscapes_agree_and_a_tilted_one_does_not(rng):
    truth = true_entropy()
    first = merge(GRID, made_up(truth, 8, 0.1, rng), covers_box=True)
    second = merge(GRID, made_up(truth, 8, 0.1, rng))
    result = compare(first, second)
    assert result.bins == truth.size
    # 7 + 7 degrees of freedom: 14 / 12 for equal variances; Welch's estimate says a little more
    assert 14 / 12 < result.expected < 1.4
    # chi^2 per bin: variance of t^2 below 4.2 for 14 degrees, so 4.4 sigma is 0.31 for 840 bins
    assert result.chi_square == pytest.approx(14 / 12, abs=0.31)
    assert result.rms == pytest.approx(0.05, rel=0.11)
    tilt = np.linspace(0, 0.5, 40)[:, None]
    wrong = merge(GRID, made_up(truth + tilt, 8, 0.1, rng))
    assert compare(first, wrong).chi_square > 5 * result.expected
    exact = compare(first, truth)
    assert exact.bins == truth.size
    assert exact.expected == pytest.approx(7 / 5)
    assert exact.chi_square == pytest.approx(7 / 5, abs=0.6)  # variance of t^2 at 7: 15.7
    shifted = compare(first, truth - 3.0)
    assert shifted.offset == pytest.approx(exact.offset + 3)
    assert shifted.rms == pytest.approx(exact.rms)


def test_what_cannot_be_compared_is_told(rng):
    truth = true_entropy()
    two = merge(GRID, made_up(truth, 2, 0.1, rng))
    one = merge(GRID, made_up(truth, 1, 0.1, rng))
    with pytest.raises(UserError, match="different grids"):
        compare(two, merge(Grid(Axis("x", -3.0, 1.0, 40), GRID.y), made_up(truth, 2, 0.1, rng)))
    with pytest.raises(UserError, match="two walkers or more"):
        compare(two, one)
    table = np.full(GRID.shape, np.nan)
    with pytest.raises(UserError, match="no bin"):
        compare(two, table)


def test_round_trips_are_told_as_made_so_far_whoever_counted_them():
    def landscape(history, **meta):
        none = np.zeros((2, 2))
        return Landscape(GRID, none[None], none, none > 0, meta, {"round_trips": history})

    per_stage = np.array([[1, 0, 2], [0, 3, 1]])
    so_far = np.array([[1, 1, 3], [0, 3, 4]])
    np.testing.assert_array_equal(landscape(per_stage).round_trips, so_far)
    np.testing.assert_array_equal(landscape(so_far, sampler="wlmd").round_trips, so_far)
    np.testing.assert_array_equal(landscape(so_far, unit="table").round_trips, so_far)


def test_what_s_is_of_an_old_file_is_told_by_its_sampler():
    def of(**meta):
        none = np.zeros((2, 2))
        return Landscape(GRID, none[None], none, none > 0, meta)

    assert (of().measure, of().unit) == ("mass", "walker")
    assert (of(sampler="wlmc").measure, of(sampler="wlmd").measure) == ("mass", "density")
    assert of(sampler="wlmd").unit == "table"
    assert of(measure="density").measure == "density"
    joined = [of(), of(sampler="wlmd")]
    with pytest.raises(UserError, match="b: samples another problem"):
        join(joined, ["a", "b"])
