"""Landscapes on different grids against each other: exact densities, known noise, known faults.

Walkers are made up from a density that is integrated over every bin, so that every answer is exact.
"""

import csv
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from command_line import run

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.landscape.landscape import Landscape
from wlnn.landscape.overlap import overlap
from wlnn.report.compare import columns, notes_of, summary

RUNS = Path(__file__).parents[1] / "golden" / "runs"
FINE = 40  # points of an integral along each side of a bin
Y = Axis("ln test loss", -2.0, 2.0, 40)


def density(x, y):
    """ln of a density as steep as those of networks: 30 nats per unit of x, and bent."""
    return 12 * x - 4 * x**2 - 3 * (y - 0.3 * x) ** 2


@cache
def truth_of(x_axis, y_axis, measure):
    """S of every bin."""
    u = (np.arange(FINE) + 0.5) / FINE - 0.5
    x = x_axis.centres[:, None, None, None] + x_axis.width * u[:, None]
    y = y_axis.centres[None, :, None, None] + y_axis.width * u
    if measure == "density":
        return density(*np.meshgrid(x_axis.centres, y_axis.centres, indexing="ij"))
    inside = np.exp(density(x, y)).mean(axis=(2, 3))
    return np.log(inside * x_axis.width * y_axis.width)


def made(x_axis, walkers=4, noise=0.0, seed=0, tilt=0.0, y_axis=Y, gauge="box", measure="mass"):
    """A landscape of walkers that know the density but for noise, S(x) tilted by so many nats."""
    grid, rng = Grid(x_axis, y_axis), np.random.default_rng(seed)
    truth = truth_of(x_axis, y_axis, measure) + tilt * x_axis.centres[:, None]
    found = truth + noise * rng.normal(size=(walkers, *grid.shape))
    seen = np.ones(grid.shape, bool)
    return Landscape(grid, found, seen.astype(int), seen, {"gauge": gauge, "measure": measure})


COARSE, NARROW = Axis("ln train loss", -3.0, 0.0, 12), Axis("ln train loss", -3.07, 0.15, 46)


def exact(rows):
    """ln of the mass, and mean y, of rows ``(n, 2)``."""
    u = (np.arange(400) + 0.5) / 400
    x = rows[:, :1, None] + np.diff(rows)[..., None] * u[:, None]
    y = Y.lo + (Y.hi - Y.lo) * u
    weight = np.exp(density(x, y))
    mass = weight.mean(axis=(1, 2)) * np.diff(rows)[:, 0] * (Y.hi - Y.lo)
    return np.log(mass), (weight * y).mean(axis=(1, 2)) / weight.mean(axis=(1, 2))


@pytest.mark.parametrize("measure", ["mass", "density"])
def test_rows_of_another_grid_are_added_up_exactly(measure):
    both = [made(COARSE), made(NARROW, measure=measure)]
    found = overlap(both, ["a", "b"])
    rows = np.stack([COARSE.edges[:-1], COARSE.edges[1:]], axis=1)
    mass, mean = exact(rows)
    np.testing.assert_array_equal(found.x, COARSE.centres)
    assert not found.same_axis
    np.testing.assert_allclose(found.entropy.value[0], mass, atol=3e-3)
    # rows of width 0.07 with slopes up to 36 lie across the edges
    np.testing.assert_allclose(found.entropy.value[1], mass, atol=0.03)
    np.testing.assert_allclose(found.mean.value, [mean, mean], atol=0.001)
    assert np.ptp(mass) > 60


def test_equal_grids_need_no_addition():
    found = overlap([made(COARSE, noise=0.1), made(COARSE, noise=0.1, seed=1)], ["a", "b"])
    first = made(COARSE, noise=0.1)
    assert found.same_axis
    np.testing.assert_allclose(found.entropy.value[0], first.marginal_entropy().value, rtol=1e-12)
    np.testing.assert_allclose(found.entropy.error[0], first.marginal_entropy().error, rtol=1e-9)
    np.testing.assert_allclose(found.mean.value[0], first.equilibrium_accuracy().value, rtol=1e-12)
    np.testing.assert_allclose(found.mean.error[0], first.equilibrium_accuracy().error, rtol=1e-9)


def test_equal_landscapes_seldom_differ_and_tilted_ones_do():
    """100 pairs, each judged at 1 %: more than 6 of 100 come by chance once in 3e4."""
    alarms = tilted = 0
    for seed in range(100):
        first = made(COARSE, 6, 0.2, 2 * seed)
        right, wrong = made(COARSE, 6, 0.2, 2 * seed + 1), made(COARSE, 6, 0.2, 2 * seed + 1, 0.4)
        found = overlap([first, right, wrong], ["a", "b", "c"])
        alarms += found.entropy.verdict(1).differs
        tilted += found.entropy.verdict(2).differs
        assert found.entropy.verdict(1).points == 12
    assert alarms <= 6
    assert tilted >= 95


def test_relative_entropies_are_shifted_onto_the_first():
    first, second = made(COARSE, noise=0.05), made(COARSE, noise=0.05, seed=1, gauge="window")
    second.entropies[:] += 17.0
    found = overlap([first, second], ["a", "b"])
    assert found.shifts[1] == pytest.approx(-17, abs=0.05)
    assert not found.entropy.verdict(1).differs
    both = overlap([first, made(COARSE, noise=0.05, seed=1)], ["a", "b"])
    assert both.shifts.tolist() == [0, 0]  # absolute ones stay


def test_the_error_of_the_zero_is_in_the_difference():
    first, second = made(COARSE, noise=0.01), made(COARSE, noise=0.01, seed=1)
    second.entropies[:] += 0.3
    assert overlap([first, second], ["a", "b"]).entropy.verdict(1).differs
    second.meta["anchor_error"] = 0.3
    found = overlap([first, second], ["a", "b"])
    assert not found.entropy.verdict(1).differs
    assert found.entropy.verdict(1).worst == pytest.approx(1, abs=0.1)
    assert found.entropy.error[1].max() < 0.01
    said = "\n".join(summary([first, second], ["a", "b"], found))
    assert "zeros of S by uniform draws: ± 0, 0.3 nats" in said


def test_windows_of_y_are_cut_to_what_they_share():
    short = Axis("ln test loss", -2.0, 0.0, 20)
    found = overlap([made(COARSE), made(COARSE, y_axis=short)], ["a", "b"])
    assert found.y_window == (-2.0, 0.0)
    np.testing.assert_allclose(found.entropy.value[0], found.entropy.value[1], atol=1e-3)
    np.testing.assert_allclose(found.mean.value[0], found.mean.value[1], atol=1e-6)


def test_other_quantities_have_no_common_curve():
    other = made(COARSE, y_axis=Axis("test accuracy", -2.0, 2.0, 40))
    found = overlap([made(COARSE), other], ["a", "b"])
    assert found.mean is None
    said = "\n".join(summary([made(COARSE), other], ["a", "b"], found))
    assert "no common equilibrium curve: y is ln test loss and test accuracy" in said


def test_one_walker_has_no_error():
    pair = [made(COARSE), made(COARSE, walkers=1)]
    found = overlap(pair, ["a", "b"])
    said = "\n".join(summary(pair, ["a", "b"], found))
    assert "B has one walker, and so no error bars" in said
    assert "B - A, S(x): no point where both have error bars" in said


@pytest.mark.parametrize(
    ("second", "words"),
    [
        (Axis("square", -3, 0, 12), "b: has x = square, a has ln train loss; they cannot be"),
        (Axis("ln train loss", 1, 2, 4), "share no row: a has -3 to 0, b has 1 to 2"),
    ],
)
def test_what_cannot_be_compared(second, words):
    with pytest.raises(UserError, match=words):
        overlap([made(COARSE), made(second)], ["a", "b"])


def test_other_priors_are_named():
    """S of another prior is another S: what differs is no mistake of a sampler."""
    prior = {"law": "gaussian", "sigma": 0.5}
    box, gauss, other = made(COARSE), made(COARSE), made(COARSE)
    box.meta["task"], other.meta["task"] = {"task": "a"}, {"task": "b"}
    gauss.meta["task"] = {"task": "a", "prior": prior}
    pair = [box, gauss]
    told = notes_of(pair, overlap(pair, ["a", "b"]))
    said = "S is of different priors, and so will differ: A box, B Gaussian prior, sigma 0.5"
    assert told == [said]
    assert notes_of([box, other], overlap([box, other], ["a", "b"])) == [
        "they are of different tasks, data or networks, and so will differ"
    ]


def test_columns_hold_what_the_table_shows():
    pair = [made(COARSE, noise=0.1), made(COARSE, noise=0.1, seed=1)]
    table = columns(pair, overlap(pair, ["a", "b"]))
    difference = table["S_B"] - table["S_A"]
    np.testing.assert_array_equal(table["S_B_minus_A"], difference)
    expected = np.hypot(table["S_A_error"], table["S_B_error"])
    np.testing.assert_allclose(table["S_B_minus_A_error"], expected)
    assert {len(column) for column in table.values()} == {12}


def test_the_command(tmp_path):
    picture, numbers = tmp_path / "c.png", tmp_path / "c.csv"
    arguments = ("compare", RUNS / "wlmc", RUNS / "wlmc", "--out", picture, "--csv", numbers)
    done = run(*arguments)
    assert done.status == 0, done.err
    assert "B - A, S(x): no difference beyond the errors (3 points" in done.out
    assert "B - A, 24 bins: rms 0 nats" in done.out
    assert "± is one standard error" in done.out
    assert picture.stat().st_size > 20_000
    with open(numbers, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["S_B_minus_A"] for row in rows][2:] == ["0.0"] * 3
    again = run(*arguments)
    assert again.status == 2
    assert "c.csv: is there already" in again.err


def test_mistakes_of_the_command():
    alone = run("compare", RUNS / "wlmc")
    assert alone.status == 2
    assert "give two results or more" in alone.err
    other = run("compare", RUNS / "wlmc", RUNS / "md")
    assert other.status == 2
    assert "is a run of 'wlnn md' and has no landscape" in other.err
