"""MBAR against exact free energies, against pymbar, and with a mistake."""

import numpy as np
import pytest

from wlnn.base.errors import UserError
from wlnn.ladder import mbar

BETAS = np.array([0.0, 0.5, 1.5, 3.5, 8.0, 20.0])  # u = beta x on [0, 1]: truncated exponentials


def exact():
    """f_k = -ln of the integral of exp(-beta_k x) over [0, 1]."""
    b = BETAS[1:]
    return np.concatenate([[0.0], -np.log((1 - np.exp(-b)) / b)])


def normals(n, seed=1):
    """Exact draws of normals N(0, s_k) cut at +-3, u = x^2 / (2 s^2), and their exact f."""
    from scipy.stats import truncnorm

    sigmas = np.array([2.0, 1.2, 0.7, 0.4])
    rng = np.random.default_rng(seed)
    draws = [s * truncnorm.rvs(-3 / s, 3 / s, size=n, random_state=rng) for s in sigmas]
    from scipy.special import erf

    f = -np.log(sigmas * erf(3 / sigmas / np.sqrt(2)))
    return draws, 0.5 / sigmas**2, f - f[0]


def exponentials(n, seed=0):
    rng = np.random.default_rng(seed)
    draws = [rng.random(n)]
    draws += [-np.log1p(-rng.random(n) * (1 - np.exp(-b))) / b for b in BETAS[1:]]
    return draws


def solve(draws, slopes, function, width=1e-3):
    rung = np.repeat(np.arange(len(draws)), [len(part) for part in draws])
    x = np.concatenate(draws)
    pool = mbar.pooled(rung, x, np.zeros_like(x), np.ones_like(x), width)
    u = slopes[:, None] * function(pool.x)
    return mbar.free_energies(u, pool, np.arange(len(draws)) - 1), u, pool


def test_exact_draws_of_truncated_normals_give_their_free_energies():
    draws, slopes, exact_f = normals(200_000)
    f, _, _ = solve(draws, slopes, np.square)
    assert np.abs(f - exact_f).max() < 1e-2


def test_rungs_of_different_numbers_of_samples_give_their_free_energies():
    draws = [part[: 200_000 // (k + 1)] for k, part in enumerate(exponentials(200_000))]
    f, _, _ = solve(draws, BETAS, lambda x: x)
    assert np.abs(f - exact()).max() < 1e-2


def test_wrong_numbers_of_samples_are_noticed(monkeypatch):
    """N_k of the next rung in the place of its own: off by far more than the tolerance."""
    draws = [part[: 100_000 // (k + 1)] for k, part in enumerate(exponentials(100_000))]
    right = mbar.PooledSamples.totals
    monkeypatch.setattr(mbar.PooledSamples, "totals", lambda pool, n: np.roll(right(pool, n), 1))
    f, _, _ = solve(draws, BETAS, lambda x: x)
    assert np.abs(f - exact()).max() > 0.1


def test_the_weights_are_shares_of_the_uniform_density():
    f, u, pool = solve(exponentials(50_000), BETAS, lambda x: x)
    totals = pool.totals(len(BETAS))
    _, ln_w = mbar.shares(f, totals, u)
    count = np.bincount(pool.point, pool.count)
    assert (count * np.exp(ln_w)).sum() == pytest.approx(1.0, abs=1e-9)
    assert (count * np.exp(ln_w))[pool.x < 0.25].sum() == pytest.approx(0.25, abs=3e-3)


def overlaps(f, u, pool):
    """Of every rung with the one before it, and the whole matrix."""
    totals, count = pool.totals(len(u)), np.bincount(pool.point, pool.count)
    share, _ = mbar.shares(f, totals, u)
    parents = np.arange(len(u) - 1)
    return mbar.shared(share, count, parents) / totals[parents], (
        (share * count) @ share.T / totals[:, None]
    )


def test_overlaps_are_those_of_a_matrix_whose_rows_sum_to_one_and_see_a_gap():
    draws = exponentials(20_000)
    found, matrix = overlaps(*solve(draws, BETAS, lambda x: x))
    assert matrix.sum(axis=1) == pytest.approx(1.0, abs=1e-6)
    assert found == pytest.approx(np.diag(matrix, 1))
    assert found.min() > 0.15
    far = -np.log(np.random.default_rng(5).random(20_000)) / 400
    f, u, pool = solve([draws[0], far], np.array([0.0, 400.0]), lambda x: x)
    assert overlaps(f, u, pool)[0] < 0.05


def test_the_points_of_a_pool_hold_every_sample_once():
    rng = np.random.default_rng(3)
    rung, x, y = rng.integers(0, 3, 1000), rng.normal(size=1000), rng.normal(size=1000)
    count = rng.integers(1, 5, 1000).astype(float)
    for y_width in (0.0, 0.1):
        pool = mbar.pooled(rung, x, y, count, 0.05, y_width)
        assert pool.totals(3) == pytest.approx(np.bincount(rung, count))
        weight = np.bincount(pool.point, pool.count)
        assert weight @ pool.x == pytest.approx(count @ x)
        assert weight @ pool.y == pytest.approx(count @ y)


def test_bar_of_two_truncated_exponentials():
    a, b = exponentials(100_000)[2:4]
    step = BETAS[3] - BETAS[2]
    ones = np.ones(len(a))
    assert mbar.bar(step * a, ones, step * b, ones) == pytest.approx(np.diff(exact())[2], abs=1e-2)


def test_a_rung_without_samples_is_refused():
    pool = mbar.pooled(np.zeros(9, int), np.arange(9.0), np.zeros(9), np.ones(9), 0.1)
    with pytest.raises(UserError, match="rung 1 of the ladder has no samples"):
        mbar.free_energies(np.zeros((2, 9)), pool, [-1, 0])


def test_equal_to_pymbar():
    pymbar = pytest.importorskip("pymbar", reason="pymbar is not installed")
    draws = exponentials(3_000)
    f, _, _ = solve(draws, BETAS, lambda x: x, width=1e-7)
    x = np.concatenate(draws)
    peer = pymbar.MBAR(BETAS[:, None] * x, np.array([len(part) for part in draws])).f_k
    assert np.abs(f - (peer - peer[0])).max() < 1e-4
