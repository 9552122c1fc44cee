"""Modification factors, written from the formulas of their docstrings."""

import numpy as np
import pytest

from wlnn.wlmc.schedule import Halving, OneOverT, PaperStages


def history(bins, trips=None):
    bins = np.asarray(bins, float)
    return {"bins": bins, "round_trips": np.zeros(len(bins)) if trips is None else trips}


def test_the_paper_divides_five_by_the_stage_plus_ten():
    assert PaperStages().ln_f(0, {}) == 0.5
    assert PaperStages().ln_f(9990, {}) == pytest.approx(5e-4)


def test_halving_halves():
    schedule = Halving(0.1)
    assert schedule.ln_f(0, {"halvings": np.zeros(0)}) == 0.1
    assert schedule.ln_f(3, {"halvings": np.array([0.0, 1.0, 2.0])}) == 0.025


def test_one_over_t_starts_at_ln_f0_and_ends_at_two_bins_per_step():
    schedule = OneOverT(n_stages=200, steps=1000, ln_f0=0.05)
    record = history(np.full(200, 30), np.full(200, 5.0))
    assert schedule.ln_f(0, record) == 0.05
    assert schedule.ln_f(5, record) == 0.05  # 80 * 30 / 5000 = 0.5 is above it
    assert schedule.ln_f(199, record) == pytest.approx(2 * 30 / 199_000)
    values = [schedule.ln_f(stage, record) for stage in range(200)]
    assert (np.diff(values) <= 0).all()


def test_exploration_lasts_while_bins_are_found():
    schedule = OneOverT(n_stages=100, steps=1000)
    assert schedule.explored(np.full(100, 30)) == 5
    assert schedule.explored(np.full(4, 30)) is None
    assert schedule.explored(np.arange(1, 101)) == 60  # never ends by itself: 60 % of the stages
    assert schedule.explored(np.minimum(np.arange(1, 101), 10)) == 20
    growing = history(np.arange(1, 101))
    assert schedule.takes_new_bins(49, growing)
    assert not schedule.takes_new_bins(60, growing)
    assert schedule.ln_f(40, growing) == pytest.approx(min(0.05, 80 * 40 / 40_000))


def test_a_landscape_without_round_trips_is_descended_slowly():
    schedule = OneOverT(n_stages=100, steps=1000)
    stuck = history(np.full(100, 30))
    moving = history(np.full(100, 30), np.full(100, 50.0))
    c = [schedule.ln_f(60, record) * 60_000 / 30 for record in (stuck, moving)]
    assert c[0] == pytest.approx(80 * (2 / 80) ** (55 / 95))
    assert c[1] == pytest.approx(2)
