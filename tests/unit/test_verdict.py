"""The verdict: each thing that makes a landscape doubtful is told, and what to do about it."""

import dataclasses

import numpy as np
import pytest
from scipy.signal import lfilter

from wlnn.landscape import diagnostics
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.merge import Draws, WalkerResult, merge
from wlnn.landscape.verdict import (
    judge,
    judge_from,
    publishable_from,
    verdict_of,
    with_verdict,
)
from wlnn.report.landscape import summary, verdict_lines

GRID = Grid(Axis("ln train loss", -3.0, 1.0, 8), Axis("y", 0, 2, 2))
LN_P = np.log(np.repeat(np.geomspace(1e-4, 1, 8)[:, None], 2, axis=1))
LN_P = LN_P - np.log(np.exp(LN_P).sum())
MOVED = 3.0  # what a lopsided run is off in its lowest row


def result(late_off=0.0, off=0.0, trips=5.0, x=None, walkers=8, draws=100_000, **meta):
    """The landscape of walkers that counted what S promised, with noise of 1 %."""
    rng, parts = np.random.default_rng(0), []
    for k in range(walkers):
        early, late = (rng.normal(1e4, 3e2, GRID.shape) for _ in range(2))
        early[0], late[0] = early[0] * np.exp(off), late[0] * np.exp(off + late_off)
        history = {
            "round_trips": np.full(40, trips / 40),
            "x_mean": rng.normal(size=40) if x is None else x[k],
            "ln_f": np.zeros(40),
        }
        counts = np.rint(early + late).astype(int)
        parts.append(WalkerResult(LN_P, counts, counts, history, np.rint(early).astype(int)))
    found = Draws(rng.multinomial(draws, np.exp(LN_P).ravel()).reshape(GRID.shape), draws)
    settings = {"steps": 1e8, "stages": 40, "production": 0.5, "estimator": "common", "seed": 0}
    about = {"wlmc": settings, "measured_from": 0, "finished": True, **meta}
    return merge(GRID, parts, found, covers_box=False, meta=about, pooled=True)


def test_a_right_run_is_publishable_and_its_numbers_are_stored(tmp_path):
    found = with_verdict(result())
    verdict = verdict_of(found)
    assert (verdict.word, verdict.sentence, verdict.change) == ("publishable", "publishable", "")
    assert verdict.numbers["trips"] == pytest.approx(5)
    assert verdict.numbers["r_hat"] == pytest.approx(1, abs=0.1)
    assert verdict.numbers["effective_size"] > 100
    assert verdict.numbers["halves"]["errors"] < verdict.numbers["halves"]["limit"]
    total, drawn = verdict.numbers["sums"]
    assert total == pytest.approx(drawn, abs=0.01)
    again = Landscape.load(found.save(tmp_path / "landscape.npz"))
    assert verdict_of(again) == verdict
    assert "  verdict               publishable" in summary(again)


DRIFT = np.linspace(-1, 1, 40) + np.zeros((8, 1))
APART = np.random.default_rng(0).normal(size=(8, 40)) + 3 * np.arange(8)[:, None]


@pytest.mark.parametrize(
    ("options", "word", "reason", "change"),
    [
        ({"finished": False}, "too short", "the run is not finished", "wlnn resume RUN"),
        ({"trips": 0.5}, "too short", "0.5 round trips of a walker", "--steps 6e+08"),
        ({"x": DRIFT}, "too short", "effective sample size", "--steps"),
        ({"x": APART}, "too short", "", "--steps"),
        ({"off": MOVED}, "look again", "S and uniform draws differ by", "--steps 4e+08"),
        ({"late_off": 1.0}, "look again", "S of the two halves differ by", "--steps 4e+08"),
        ({"walkers": 1}, "look again", "one walker has no error bars", "--walkers 8"),
    ],
)
def test_what_is_wrong_is_told_with_the_one_thing_to_change(options, word, reason, change):
    verdict = judge(result(**options))
    assert verdict.word == word, verdict
    assert reason in verdict.reason
    assert change in verdict.change
    told = "\n".join(summary(with_verdict(result(**options))))
    assert told.count(word) == 1
    assert verdict.change in told


def test_s_above_the_limit_of_draws_that_never_came_is_told():
    found = result(draws=1000)  # 0.04 draws are expected in the lowest row
    up = np.zeros(GRID.shape)
    up[0] = 9.0
    higher = dataclasses.replace(found, entropies=found.entropies + up)
    assert judge(found).word == "publishable"
    assert judge(higher).reason.startswith("S and uniform draws differ by")
    lower = dataclasses.replace(found, entropies=found.entropies - up)
    assert judge(lower).word == "publishable"


def test_an_unknown_share_of_the_box_is_told():
    found = result()
    found.meta["draws"]["outside_window"] = 0.6
    verdict = judge(found)
    assert verdict.reason == "60% of the box lie outside the window"
    assert verdict.change == "--window -3,2"


def test_a_window_that_was_not_reached_is_told():
    found = result()
    for values in (found.visits, found.reliable):
        values[:3] = 0
    found.entropies[:, :3] = np.nan
    verdict = judge(found)
    assert verdict.reason == "no walker came below -1.50, the window begins at -3.00"
    assert verdict.change == "--steps 4e+08, or --window -1.5,1 if nothing lies below"


def test_what_ladders_and_tables_say_of_themselves_is_part_of_it():
    ladders = dataclasses.replace(result(), history={})
    ladders.meta.update(sampler="ladder", unit="ladder", ladder={"steps": 1e7})
    ladders.meta["rungs"] = {"warnings": []}
    assert judge(ladders).word == "publishable"
    overlap = "ladder 0: neighbours overlap by 0.01 only; make ladder.spacing smaller."
    ladders.meta.update(ladder={"steps": 1e7, "spacing": 1.0}, rungs={"warnings": [overlap]})
    assert judge(ladders).sentence == "look again: ladder 0: neighbours overlap by 0.01 only"
    assert judge(ladders).change == "--set ladder.spacing=0.5"
    ladders.meta["rungs"]["warnings"] = ["not in equilibrium; make ladder.steps larger."]
    assert judge(ladders).change == "--steps 4e+07"


def test_a_joined_landscape_is_judged_anew():
    parts = [with_verdict(result(seeds={"seed": k}, trips=1.5)) for k in range(2)]
    joint = join(parts, ["a", "b"])
    assert joint.meta["draws"]["n"] == 200_000
    rows = np.array([part.meta["draws"]["rows"] for part in parts]).sum(axis=0)
    assert joint.meta["draws"]["rows"] == rows.tolist()
    assert verdict_of(joint).numbers["trips"] == pytest.approx(1.5)
    assert verdict_lines(joint, "joint")[0].startswith("joint: too short: 1.5 round trips")


def test_effective_size_and_r_hat_of_known_chains():
    """Of an AR(1) chain the size is n (1 - a) / (1 + a); of chains apart R-hat is what it is."""
    rng, a = np.random.default_rng(0), 0.8
    chains = lfilter([1], [1, -a], rng.normal(size=(8, 20_000)), axis=1)
    expected = 160_000 * (1 - a) / (1 + a)
    assert diagnostics.effective_size(chains) == pytest.approx(expected, rel=0.1)
    assert diagnostics.split_r_hat(chains) == pytest.approx(1, abs=2e-3)
    white = rng.normal(size=(4, 5_000))
    assert diagnostics.effective_size(white) == pytest.approx(20_000, rel=0.1)
    apart = white + 2 * np.arange(4)[:, None]
    between = np.var(2 * np.arange(4).repeat(2), ddof=1)
    assert diagnostics.split_r_hat(apart) == pytest.approx(np.sqrt(1 + between), rel=0.03)
    assert diagnostics.effective_size(apart) < 30
    assert np.isnan(diagnostics.split_r_hat(white[:, :2]))
    assert np.isnan(diagnostics.effective_size(np.zeros((2, 10))))


def test_rows_above_those_that_are_known_badly_are_publishable():
    found = result()
    entropies, x = found.entropies.copy(), GRID.x.centres
    entropies[:, :2] += np.linspace(-1, 1, 8)[:, None, None]  # without one walker each
    doubted = with_verdict(dataclasses.replace(found, entropies=entropies))
    assert "nats only at" in verdict_of(doubted).sentence
    assert publishable_from(doubted) == x[2]
    assert judge_from(doubted, x[2]).word == "publishable"
    assert judge_from(doubted, x[1]).word == "look again"
    told = verdict_lines(doubted)[-1]
    assert told == f"  its rows at ln train loss = {x[2]:.2f} and above are publishable"
    assert f"  {'':<22}{told.strip()}" in summary(doubted)


def test_a_run_that_is_publishable_or_too_short_has_no_better_part():
    assert publishable_from(with_verdict(result())) is None
    short = with_verdict(result(trips=1.0))
    assert publishable_from(short) is None
    assert judge_from(short, GRID.x.centres[-1]).word == "too short"


def test_what_is_too_short_as_a_whole_is_so_in_every_part():
    """Also where the rows by themselves have no fault."""
    found = with_verdict(result())
    found.meta["verdict"] |= {"word": "too short", "reason": "a bin has 3 visits on average"}
    assert judge(found).word == "publishable"
    assert judge_from(found, GRID.x.centres[-1]).word == "too short"
