"""Rungs and exchanges: neighbours, spacing, insertion, and detailed balance."""

import numpy as np
import pytest

from wlnn.ladder import exchange, rungs


def gamma_losses(n=200_000, shape=20.0, seed=0):
    """Losses with density L^(shape - 1) up to 1: at beta large against shape, C = shape."""
    return np.random.default_rng(seed).random(n) ** (1 / shape)


def tilted(betas, steps, side):
    """The uniform rung and those of betas, each with ``side`` tilted ones to either side."""
    found = rungs.untilted(betas)
    for j in range(1, side + 1):
        for row, (beta, step) in enumerate(zip(betas, steps, strict=True), start=1):
            for tilt in (j, -j):
                found = rungs.with_tilted(found, beta, tilt * step, row, tilt)
    return found


def test_neighbours_along_beta_and_kappa():
    grid = tilted([1.0, 2.0, 4.0], [10.0, 20.0, 30.0], 1)
    assert grid.n == 10
    assert len(grid.between(0)) == 3
    assert len(grid.between(1)) == 3 * 2
    for axis in (0, 1):
        for i, j in grid.between(axis):
            step = (grid.row[j] - grid.row[i], grid.tilt[j] - grid.tilt[i])
            assert step == ((1, 0) if axis == 0 else (0, 1))
    assert grid.kappa[(grid.row == 2) & (grid.tilt == -1)] == [-20.0]


def test_every_parent_is_a_neighbour_that_comes_earlier():
    grid = tilted([1.0, 2.0, 4.0], [10.0, 20.0, 30.0], 2)
    parents = grid.parents()
    assert parents[0] == -1
    assert (parents[1:] < np.arange(1, grid.n)).all()
    edges = {tuple(sorted(pair)) for axis in (0, 1) for pair in grid.between(axis).tolist()}
    assert {tuple(sorted((k, int(parents[k])))) for k in range(1, grid.n)} <= edges


def test_the_spacing_follows_the_heat_capacity_within_its_limits():
    assert rungs.next_step(100.0, 1.3) == pytest.approx(0.13)
    assert rungs.next_step(1.0, 1.3) == 1.0
    assert rungs.next_step(0.01, 1.3) == 2.0
    assert rungs.next_step(1e9, 1.3) == rungs.NARROWEST


def test_the_second_pass_spaces_by_the_heat_capacity_of_the_samples():
    """Uniform weights of L^19 dL: C tends to 20 far below the box, so steps tend to 1.3 / sqrt 20.

    The samples are taken evenly in x, with weights that make them uniform draws.
    """
    x = np.linspace(-4, 0, 40_000)
    betas = rungs.respaced(100.0, 600.0, x, 20.0 * x, 1.3)
    assert betas[0] == pytest.approx(100.0)
    assert betas[-1] >= 600.0
    assert np.diff(np.log(betas)) == pytest.approx(1.3 / np.sqrt(20), rel=0.02)


def test_the_first_rung_keeps_a_part_of_the_uniform_draws():
    losses = gamma_losses()
    w = np.exp(-rungs.first_beta(losses) * losses)
    assert w.sum() ** 2 / (w**2).sum() / w.size == pytest.approx(rungs.WORTH, abs=1e-3)


@pytest.mark.parametrize("side", [0, 1])
@pytest.mark.parametrize("above", [0, 1, 2])
def test_an_inserted_row_lies_between_its_neighbours(side, above):
    old = tilted([1.0, 2.0, 8.0], [10.0, 20.0, 40.0], side)
    new, began = rungs.with_row(old, above)
    added = new.row == above + 1
    assert added.sum() == 1
    assert not new.tilt[added].any()
    assert sorted(new.kappa) == sorted([*old.kappa, 0.0])
    hot = old.beta[old.row == above].max()
    assert (new.beta[added] > hot).all()
    assert (new.beta[added] < old.beta[began[added]]).all()
    assert (new.beta[~added] == old.beta[began[~added]]).all()
    assert (new.parents()[1:] < np.arange(1, new.n)).all()
    assert (np.diff(new.beta[new.tilt == 0]) > 0).all()


def test_all_pairs_are_tried_in_turn_and_never_one_rung_twice():
    grid = tilted([1.0, 2.0, 4.0], [1.0, 1.0, 1.0], 1)
    seen = set()
    for number in range(2 * exchange.TURN):
        axis, pairs = exchange.pairs_of_round(grid, number)
        assert exchange.moving(grid, number)[pairs].all()
        assert np.unique(pairs).size == pairs.size
        seen |= {(axis, *pair) for pair in pairs.tolist()}
    assert len(seen) == len(grid.between(0)) + len(grid.between(1))
    moves = sum(exchange.moving(grid, number).astype(int) for number in range(exchange.TURN))
    assert (moves[grid.tilt == 0] == exchange.TURN).all()
    assert (moves[grid.tilt != 0] == 1).all()


def test_the_acceptance_is_that_of_the_formula():
    grid = tilted([1.0, 3.0], [5.0, 2.0], 1)
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(2, grid.n))
    u = grid.potential(x, y)  # of rung k at the place of the replica in rung j
    for axis in (0, 1):
        pairs = grid.between(axis)
        expected = [u[i, i] + u[j, j] - u[i, j] - u[j, i] for i, j in pairs]
        assert exchange.ln_acceptance(grid, pairs, x, y) == pytest.approx(expected)


def test_exchanges_keep_exact_draws_exact():
    """Replicas drawn from their rungs, exchanged once: the means of L stay those of the rungs."""
    grid = rungs.untilted([1.0, 2.0])
    rng = np.random.default_rng(2)
    n = 20_000
    losses = np.stack(  # L in [0, 1] with density exp(-beta L)
        [rng.random(n)] + [-np.log1p(-rng.random(n) * (1 - np.exp(-b))) / b for b in grid.beta[1:]]
    )
    after = np.empty_like(losses)
    pairs = np.array([[1, 2]])
    changed = 0
    for k in range(n):
        order, accepted = exchange.exchange(
            grid, pairs, np.arange(3), np.log(losses[:, k]), np.zeros(3), rng
        )
        after[:, k] = losses[order, k]
        changed += accepted.sum()
    assert 0.3 * n < changed < n
    assert after.mean(axis=1) == pytest.approx(losses.mean(axis=1), abs=4 * 0.3 / np.sqrt(n))


def test_an_exchange_of_the_wrong_sign_would_be_noticed(monkeypatch):
    right = exchange.ln_acceptance
    monkeypatch.setattr(exchange, "ln_acceptance", lambda *given: -right(*given))
    with pytest.raises(AssertionError):
        test_exchanges_keep_exact_draws_exact()
