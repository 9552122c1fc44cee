"""Windows of x that overlap become one landscape: exact masses, errors, and what is refused."""

from dataclasses import replace

import numpy as np
import pytest
from command_line import run

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.join import join_all
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.verdict import verdict_of
from wlnn.landscape.windows import stitch
from wlnn.reference.cases import maxnorm
from wlnn.settings.samplers import WLMCSettings
from wlnn.wlmc.run import sample

TRUTH = Grid(Axis("x", 0.0, 6.0, 12), Axis("y", 0.0, 2.0, 4))


def true_entropy(grid):
    return -((grid.x.centres[:, None] - 3) ** 2) - 2 * (grid.y.centres - 1) ** 2


def part(first, end, zero, noise=0.0, seed=0, gauge="window", walkers=4):
    """Rows first .. end of the truth, each walker off by ``zero`` and a number of its own."""
    x, rng = TRUTH.x, np.random.default_rng(seed)
    grid = Grid(Axis("x", x.edges[first], x.edges[end], end - first), TRUTH.y)
    own = rng.normal(size=(walkers, 1, 1)) + rng.normal(0, noise, (walkers, *grid.shape))
    seen = np.ones(grid.shape, bool)
    entropies = true_entropy(grid) + zero + own
    meta = {"task": {"task": "t"}, "gauge": gauge, "wlmc": {"seed": seed}}
    return Landscape(grid, entropies, seen.astype(int), seen, meta)


def test_the_shift_between_windows_is_taken_out_walker_by_walker():
    whole, told = stitch([part(0, 5, 3.0), part(3, 9, -7.0, seed=1), part(7, 12, 50.0, seed=2)],
                         ["a", "b", "c"])  # fmt: skip
    assert whole.grid == TRUTH
    away = whole.entropies - true_entropy(TRUTH)
    np.testing.assert_allclose(away, np.broadcast_to(away[:, :1, :1], away.shape), atol=1e-9)
    assert whole.meta["gauge"] == "window"
    assert [line.partition(":")[0] for line in told] == ["b", "a"]  # from high x down


def test_an_absolute_zero_is_kept():
    parts = [part(0, 7, 3.0), part(5, 12, 0.0, gauge="draws")]
    parts[1].meta["anchor_error"] = 0.25
    parts[1] = replace(parts[1], entropies=np.repeat(true_entropy(parts[1].grid)[None], 4, axis=0))
    whole, _ = stitch(parts, ["low", "high"])
    np.testing.assert_allclose(whole.entropy, true_entropy(TRUTH), atol=1e-9)
    assert (whole.meta["gauge"], whole.meta["anchor_error"]) == ("draws", 0.25)


def test_errors_hold_the_error_of_the_shift():
    """z of S at the low end against the highest row, over 200 pairs of noisy windows."""
    z = []
    for seed in range(200):
        parts = [part(0, 7, 0.0, 0.1, 2 * seed), part(5, 12, 0.0, 0.1, 2 * seed + 1)]
        whole, _ = stitch(parts, ["a", "b"])
        fall = whole.entropies[:, 0, 0] - whole.entropies[:, -1, 0]
        exact = true_entropy(TRUTH)[0, 0] - true_entropy(TRUTH)[-1, 0]
        z.append((fall.mean() - exact) / (fall.std(ddof=1) / 2))
    # Student's t of 3 degrees of freedom lies within 3.18 with 95 %; 4 sd of 200: 5 in 100,000
    assert 0.888 < np.mean(np.abs(z) < 3.182) <= 1.0


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (part(6, 12, 0.0), "shares fewer than 2 rows"),
        (part(3, 12, 0.0, walkers=3), "sample them with equal --walkers"),
        (replace(part(3, 12, 0.0), grid=Grid(Axis("x", 1.6, 6.1, 9), TRUTH.y)), "whole bins apart"),
        (replace(part(3, 12, 0.0), grid=Grid(Axis("x", 1.5, 6.0, 9), Axis("y", 0, 3, 4))),
         "has other bins"),
        (replace(part(3, 12, 0.0), meta={"task": {"task": "u"}}), "samples another problem"),
    ],
)  # fmt: skip
def test_windows_that_cannot_be_joined_are_named(other, said):
    with pytest.raises(UserError, match=said) as error:
        join_all([part(0, 6, 0.0), other], ["low", "high"])
    assert "low" in str(error.value)


def test_two_windows_of_an_exact_case_have_its_masses():
    """Max-norm of four numbers in two windows, 4 walkers of 2e5 steps each; 17 nats in all."""
    case = maxnorm.problem()
    x, parts = case.grid.x, []
    settings = WLMCSettings(steps=200_000, stages=50, walkers=4, anchor_draws=20_000)
    for k, (first, end) in enumerate(((0, 12), (8, 20))):
        axis = Axis(x.name, float(x.edges[first]), float(x.edges[end]), end - first)
        window = replace(case, grid=Grid(axis, case.grid.y))
        parts.append(sample(window, replace(settings, seed=k)))
    whole, told = join_all(parts, ["low", "high"])
    assert whole.grid.x.n == 20
    assert whole.meta["gauge"] == "draws"
    assert told[0].startswith("low: 4 bins in common")
    mass = maxnorm.masses(case)[:, 0]
    away = whole.entropy[:, 0] - np.log(mass)
    assert np.sqrt(np.mean(away**2)) < 0.15  # ten right pairs of seeds: 0.03 to 0.07


def test_merge_joins_windows_and_seeds(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("wlnn.cli.results.draw", lambda *_: [])
    runs = {"low": part(0, 7, 1.0), "other": part(0, 7, 2.0, seed=1), "high": part(5, 12, 0.0)}
    for name, landscape in runs.items():
        landscape.save(f"{name}.npz")
    done = run("merge", "low.npz", "other.npz", "high.npz", "--out", "joint")
    assert done.status == 2
    assert "low.npz: has 8 walkers and high.npz 4" in done.err
    done = run("merge", "low.npz", "high.npz", "--out", "joint")
    assert done.status == 0, done.err
    assert "low.npz: 8 bins in common with the window above" in done.err
    joint = Landscape.load("joint/landscape.npz")
    assert joint.grid == TRUTH
    assert joint.meta["merged"] == ["high.npz", "low.npz"]


def test_a_window_that_is_too_short_makes_the_whole_too_short():
    """What a window recorded of its walkers is not in the whole, but its verdict is."""
    low, high = part(0, 7, 1.0), part(5, 12, 0.0)
    low = replace(low, history={"round_trips": np.zeros((4, 2))})
    found = verdict_of(join_all([low, high], ["low", "high"])[0])
    assert (found.word, found.reason[:9]) == ("too short", "low: 0.0 ")
    outside = replace(part(0, 7, 1.0), meta={**low.meta, "draws": {"n": 9, "outside_window": 0.9}})
    assert "outside" not in verdict_of(join_all([outside, high], ["low", "high"])[0]).reason


def test_a_window_whose_ladders_contradict_each_other_is_not_joined():
    low = part(0, 7, 1.0)
    halves = {"x": [], "difference": [], "agree": True}
    rungs = {"ladders": [{}], "dropped": 0, "halves": halves, "warnings": []}
    low.meta["rungs"] = {**rungs, "starts": {"agree": False}}
    with pytest.raises(UserError, match="low: has no numbers to go on with"):
        join_all([part(5, 12, 0.0), low], ["high", "low"])
