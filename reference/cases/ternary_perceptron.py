"""R2, R5: a perceptron whose nine weights have three levels, counted exactly in integers.

The continuous sampler runs unchanged: a level is a cell of the box. It is not a model of learning.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from wlnn.landscape.grid import Axis, Grid
from wlnn.networks.compiled import moves
from wlnn.tasks.problem import Problem

ABOUT = """Nine weights in [-1, 1]; level -1 below -0.5, 0 below 0.2, +1 above (5, 7 and 8 of 20
parts of the box, so a wrong box edge shows). x = E + 0.5, E the training patterns with field <= 0;
y = fraction of test patterns with field > 0. All 3^9 level states are enumerated, and every mass is
an integer over 20^9. Proves two-dimensional bins, window rejections and incremental caches."""

CELLS = np.array([-1.0, -0.5, 0.2, 1.0])  # edges of the cells of levels -1, 0, +1
PARTS = np.array([5, 7, 8])  # their widths in twentieths of the box
LEVELS = np.array([-1, 0, 1])

# Rows of patterns already multiplied by their labels: a field above 0 is a right answer.
_TRAIN = """+++-+++-- ++++--++- -+----++- ---+-++-- ----+++-- -+---++-- +-----+-- ---+-++--"""
_TEST = """---+-+--+ --+-++--- -+----++- ++--++--- ++-+--+-+ +---+++-- +-------- --+--+-++"""
TRAIN, TEST = (
    np.array([[1.0 if sign == "+" else -1.0 for sign in row] for row in text.split()])
    for text in (_TRAIN, _TEST)
)

TABLE = np.fromstring(  # counts over 20^9; rows E = 0..8, columns = right test answers 0..8
    """
0 13720000 271752600 838771248 2297227040 3512995045 1199377575 76651925 0
0 493680880 2071659520 4300117141 6514426698 5335335420 2418097175 1019268725 104327125
0 1469289920 5098816036 9261305654 11911214540 8301096145 4189395670 1313055450 60147500
238837760 3472355320 10057003997 16319211900 16137272394 10229139738 2796954265 329719925 0
321638912 3811320800 11159962693 18587311373 17339614919 6962312605 1746706600 272285650 0
701204504 6604029744 19371533342 25873010775 16298216466 6657106785 2185497275 310966250 0
5247418624 23657412064 31290047231 25302772186 13390068880 4942556633 1637737600 120834000 0
6306692504 23270463046 21333789005 20058840552 10205127191 3742659658 1211756560 75665800 0
3384368351 10379600567 17100619696 13972901403 4037918260 1208374965 267432200 0 0
""",
    dtype=np.int64,
    sep=" ",
).reshape(9, 9)


class TernaryPerceptron(NamedTuple):
    """System of the driver: patterns, the cached fields of the state and of the proposal."""

    patterns: np.ndarray  # (16, 9), train then test
    fields: np.ndarray  # (16,)
    proposed: np.ndarray  # (16,)


def _refresh(system, theta):
    wrong, right = 0, 0
    for p in range(16):
        field = 0.0
        for k in range(9):
            level = -1.0 if theta[k] < -0.5 else (0.0 if theta[k] < 0.2 else 1.0)
            field += level * system.patterns[p, k]
        system.fields[p] = field
        if p < 8:
            wrong += field <= 0.0
        else:
            right += field > 0.0
    return wrong + 0.5, right / 8.0


def _propose(system, theta, i, new):
    change = -1.0 if new < -0.5 else (0.0 if new < 0.2 else 1.0)
    change -= -1.0 if theta[i] < -0.5 else (0.0 if theta[i] < 0.2 else 1.0)
    wrong, right = 0, 0
    for p in range(16):
        field = system.fields[p] + change * system.patterns[p, i]
        system.proposed[p] = field
        if p < 8:
            wrong += field <= 0.0
        else:
            right += field > 0.0
    return wrong + 0.5, right / 8.0


def _commit(system, theta, i, new):
    system.fields[:] = system.proposed


moves.register(TernaryPerceptron, refresh=_refresh, propose=_propose, commit=_commit)


def problem(rows: int = 9, right_low: int = 0, right_high: int = 8) -> Problem:
    """E in 0..rows-1 and ``right_low..right_high`` right test answers.

    R5 is the default; R2, where many moves leave the window, is ``problem(6, 1, 7)``.
    """
    y = Axis.counts("test accuracy", 8)
    n_right = right_high - right_low + 1
    y_lo = y.lo + right_low / 8
    patterns = np.concatenate([TRAIN, TEST])

    def observe(theta):
        levels = LEVELS[np.searchsorted(CELLS[1:-1], theta, side="right")]
        return float((TRAIN @ levels <= 0).sum() + 0.5), float((TEST @ levels > 0).mean())

    def system(precision):
        fields = np.zeros(16, precision)
        return TernaryPerceptron(patterns, fields, np.zeros_like(fields))

    return Problem(
        name="ternary-perceptron",
        lo=np.full(9, -1.0),
        hi=np.full(9, 1.0),
        grid=Grid(
            Axis("wrong training answers + 1/2", 0.0, float(rows), rows),
            Axis("test accuracy", y_lo, y_lo + n_right / 8, n_right),
        ),
        observe=observe,
        system=system,
        about={"case": "ternary perceptron"},
    )


def _enumerate():
    """Every level state: cell indices (3^9, 9), integer volumes (3^9,), E and right answers."""
    cells = np.array(list(itertools.product(range(3), repeat=9)))
    fields = LEVELS[cells] @ np.concatenate([TRAIN, TEST]).astype(np.int64).T
    volumes = PARTS[cells].prod(axis=1)
    return cells, volumes, (fields[:, :8] <= 0).sum(axis=1), (fields[:, 8:] > 0).sum(axis=1)


def counts() -> np.ndarray:
    """Exact volumes ``(9, 9)`` in units of 1 / 20^9 of the box: rows E, columns right answers."""
    _, volumes, wrong, right = _enumerate()
    table = np.zeros((9, 9), np.int64)
    np.add.at(table, (wrong, right), volumes)
    return table


def _window(case: Problem) -> slice:
    """Numbers of right answers that are columns of the case's grid."""
    first = round(8 * case.grid.y.lo + 0.5)
    return slice(first, first + case.grid.y.n)


def masses(case: Problem | None = None) -> np.ndarray:
    """Exact box fraction of every bin of the case's grid, shape ``(nx, ny)``."""
    case = case or problem()
    return counts()[: case.grid.x.n, _window(case)] / 20.0**9


def starts(case: Problem, m: int, rng: np.random.Generator) -> np.ndarray:
    """``m`` exact draws ``(m, 9)`` from the flat ensemble over the case's non-empty bins."""
    cells, volumes, wrong, right = _enumerate()
    window = _window(case)
    inside = (wrong < case.grid.x.n) & (right >= window.start) & (right < window.stop)
    cells, bins = cells[inside], (9 * wrong + right)[inside]
    _, bins = np.unique(bins, return_inverse=True)
    weight = volumes[inside] / np.bincount(bins, weights=volumes[inside])[bins]
    chosen = cells[rng.choice(len(cells), size=m, p=weight / weight.sum())]
    low, high = CELLS[chosen], CELLS[chosen + 1]
    return low + (high - low) * rng.random((m, 9))


def positions(theta: np.ndarray) -> np.ndarray:
    """Numbers that are uniform on (0, 1) inside every bin: the place of theta_i in its cell."""
    cell = np.clip(np.searchsorted(CELLS[1:-1], theta, side="right"), 0, 2)
    return ((theta - CELLS[cell]) / (CELLS[cell + 1] - CELLS[cell])).ravel()
