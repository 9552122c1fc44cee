"""Data sets: spiral generators (Eqs. (5) and (6) of the paper) and a reader of CSV files.

A reader returns arrays and a note of where they come from; nothing here knows networks or losses.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError

MOST_CLASSES = 20  # more distinct integers than this are probably not classes: ask


@dataclass(frozen=True)
class Dataset:
    """A training and a test set.

    Attributes:
        x_train, x_test: inputs, shapes ``(N, d)`` and ``(M, d)``, or images ``(N, C, H, W)``
            (channels, rows, columns), float64.
        y_train, y_test: labels 0..K-1 as int64 ``(N,)``, or real targets as float64 ``(N,)``.
        source: JSON description that is stored with every result: law, seed, file names, scaling.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: dict

    def __post_init__(self):
        for part in ("train", "test"):
            x = np.asarray(getattr(self, f"x_{part}"), dtype=np.float64)
            y = np.asarray(getattr(self, f"y_{part}"))
            y = y.astype(np.int64 if y.dtype.kind in "iub" else np.float64)
            if x.ndim not in (2, 4) or y.shape != (len(x),) or not x.size:
                raise UserError(
                    f"the {part} set needs inputs (N, d), or images (N, C, H, W), and one target a "
                    f"row, not shapes {x.shape} and {y.shape}."
                )
            if not (np.isfinite(x).all() and np.isfinite(y).all()):
                raise UserError(f"the {part} set holds NaN or infinite numbers; leave them out.")
            object.__setattr__(self, f"x_{part}", x)
            object.__setattr__(self, f"y_{part}", y)
        if self.x_train.ndim != self.x_test.ndim or self.x_train.shape[2:] != self.x_test.shape[2:]:
            raise UserError(
                f"the training inputs are of shape {self.x_train.shape[1:]}, the test inputs of "
                f"{self.x_test.shape[1:]}; both need the same."
            )
        if self.x_train.shape[1] != self.x_test.shape[1]:
            raise UserError(
                f"the training inputs have {self.x_train.shape[1]} columns, the test inputs "
                f"{self.x_test.shape[1]}; both need the same."
            )
        if self.y_train.dtype != self.y_test.dtype:
            raise UserError("one of the two sets has integer labels and the other real targets.")
        if self.classes and min(self.y_train.min(), self.y_test.min()) < 0:
            raise UserError("labels must be the integers 0..K-1; there is a negative one.")

    @property
    def classes(self) -> int:
        """Number of classes K, or 0 when the targets are real numbers."""
        if self.y_train.dtype.kind != "i":
            return 0
        return int(max(self.y_train.max(), self.y_test.max())) + 1


def _generator(seed: int, stream: int) -> np.random.Generator:
    """Stream 0 makes the training set, 1 the test set; walkers use keys of two numbers."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise UserError(f"the data seed must be a whole number of 0 or more, not {seed!r}.")
    return np.random.default_rng(np.random.SeedSequence(int(seed), spawn_key=(stream,)))


def seeded_split(where, n: int, seed: int, points: int, test_points: int):
    """Indices of ``points`` training and ``test_points`` test rows of n, shuffled by a seed.

    Raises:
        UserError: more points than rows; ``where`` names what has the rows.
    """
    if min(points, test_points) < 1 or points + test_points > n:
        raise UserError(
            f"{where}: {points} training and {test_points} test points cannot be drawn from {n} "
            "rows; set data.points and data.test_points."
        )
    order = _generator(seed, 0).permutation(n)
    return order[:points], order[points : points + test_points]


def spiral_classify(
    seed: int, points: int = 40, noise: float = 0.1, test_radii: str = "random"
) -> Dataset:
    """Two interleaved spirals, one per class (paper, Eq. (5); task of Fig. 1).

    Point i of class y in {0, 1}: r ~ U(1, 5), angle t = 2 r + pi y,
    ``(x1, x2) = (r cos t + N1, r sin t + N2)``, N1, N2 ~ Normal(0, noise). Each of the two sets
    holds ``points`` points, half of each class, class 0 first; they are drawn from two independent
    streams of the seed, in the order radii (points,), noise (points, 2).

    Args:
        seed: data seed.
        points: points per set, even (paper: 40).
        noise: standard deviation of N1 and N2, in units of the inputs.
        test_radii: "random" as in the text, or "even": the j-th test point of a class has
            r = 1 + 4 j / (points / 2), as in the published run.

    Raises:
        UserError: for an odd or too small number of points, a negative noise, other radii.
    """
    if points < 2 or points % 2:
        raise UserError(f"points must be an even number of 2 or more, not {points}.")
    if not 0 <= noise < np.inf:
        raise UserError(f"noise must be 0 or more, not {noise}.")
    if test_radii not in ("random", "even"):
        raise UserError(f"test_radii must be 'random' or 'even', not {test_radii!r}.")
    labels = np.repeat([0, 1], points // 2)

    def draw(stream: int, even: bool) -> np.ndarray:
        rng = _generator(seed, stream)
        r = rng.uniform(1, 5, points)
        if even:
            r = np.tile(1 + 4 * np.arange(points // 2) / (points // 2), 2)
        angle = 2 * r + np.pi * labels
        spiral = np.stack([r * np.cos(angle), r * np.sin(angle)], axis=1)
        return spiral + rng.normal(0, noise, (points, 2))

    source = {
        "law": "r ~ U(1, 5), (x1, x2) = r (cos t, sin t) + Normal(0, noise), t = 2 r + pi y",
        "seed": int(seed),
        "points": points,
        "noise": noise,
        "test_radii": test_radii,
    }
    return Dataset(draw(0, False), labels, draw(1, test_radii == "even"), labels, source)


def spiral_regress(seed: int | str = 0, points: int = 50) -> Dataset:
    """The spiral surface sin(angle - 2 radius) at uniform points (paper, Eq. (6); Fig. 3).

    x1, x2 ~ U(-5, 5); the target is sin(t - 2 r) with (r, t) the polar coordinates of (x1, x2).

    Args:
        seed: data seed, the two sets being independent streams of it; or "published": both sets
            are the halves of ``10 * RandomState(1).rand(2 points, 2) - 5``.
        points: points per set (paper: 50, 100 or 250).
    """
    if points < 1:
        raise UserError(f"points must be 1 or more, not {points}.")
    if seed == "published":
        inputs = 10 * np.random.RandomState(1).rand(2 * points, 2) - 5
        x_train, x_test = inputs[:points], inputs[points:]
    else:
        x_train, x_test = (_generator(seed, s).uniform(-5, 5, (points, 2)) for s in (0, 1))

    def surface(x: np.ndarray) -> np.ndarray:
        return np.sin(np.arctan2(x[:, 1], x[:, 0]) - 2 * np.hypot(x[:, 0], x[:, 1]))

    source = {
        "law": "x1, x2 ~ U(-5, 5), y = sin(t - 2 r), polar coordinates (r, t)",
        "seed": seed if seed == "published" else int(seed),
        "points": points,
    }
    return Dataset(x_train, surface(x_train), x_test, surface(x_test), source)


def read_csv(
    train, test, target: str, task: str | None = None, standardise: bool = True
) -> Dataset:
    """Training and test set from two CSV files of numbers with one and the same header.

    Args:
        train, test: paths; comma-separated, first line = column names, UTF-8. The columns of the
            test file may come in another order.
        target: name of the target column; every other column is an input.
        task: "classify" (integer classes, mapped in rising order to labels 0..K-1), "regress", or
            None: classify when every target is an integer and there are at most 20 different ones.
        standardise: subtract the training mean of each input (and of a real target) and divide by
            its standard deviation (population; a constant input becomes 0). The numbers used are
            in ``source``, as are the class values.

    Raises:
        UserError: a missing, empty or unreadable file, text or NaN in a cell, a row of another
            length, a missing or doubled column, different columns in the two files, a single
            class, a test class that training never shows, targets that are no classes.
    """
    if task not in (None, "classify", "regress"):
        raise UserError(f"task must be 'classify' or 'regress', not {task!r}.")
    columns, rows = _numbers(train)
    test_columns, test_rows = _numbers(test)
    for name in columns:
        if name not in test_columns:
            raise UserError(f"{test}: there is no column '{name}', which {train} has.")
    for name in test_columns:
        if name not in columns:
            raise UserError(f"{train}: there is no column '{name}', which {test} has.")
    if target not in columns:
        raise UserError(
            f"{train}: there is no target column '{target}'; the columns are {_named(columns)}."
        )
    if len(columns) < 2:
        raise UserError(f"{train}: '{target}' is the only column; at least one input is needed.")
    test_rows = test_rows[:, [test_columns.index(name) for name in columns]]
    at = columns.index(target)
    x_train, x_test = np.delete(rows, at, axis=1), np.delete(test_rows, at, axis=1)
    source = {
        "train": Path(train).name,
        "test": Path(test).name,
        "target": target,
        "inputs": [name for name in columns if name != target],
    }
    if standardise:
        x_train, x_test, source["input_mean"], source["input_std"] = scaled(x_train, x_test)

    y_train, y_test = rows[:, at], test_rows[:, at]
    whole = all((y == np.round(y)).all() for y in (y_train, y_test))
    classes = np.unique(y_train)
    if task == "classify" and not whole:
        raise UserError(f"{train}: the target '{target}' has numbers that are no whole classes.")
    if task is None and whole and len(classes) > MOST_CLASSES:
        raise UserError(
            f"{train}: the target '{target}' has {len(classes)} different whole numbers; say "
            "whether to classify or to regress."
        )
    if task == "regress" or not whole:
        if np.ptp(y_train) == 0:
            raise UserError(f"{train}: the target '{target}' is the same in every row.")
        if standardise:
            y_train, y_test, mean, std = scaled(y_train[:, None], y_test[:, None])
            y_train, y_test = y_train[:, 0], y_test[:, 0]
            source |= {"target_mean": mean[0], "target_std": std[0]}
        return Dataset(x_train, y_train, x_test, y_test, source)
    if len(classes) < 2:
        raise UserError(
            f"{train}: the target '{target}' is {classes[0]:.0f} in every row; two classes or more "
            "are needed."
        )
    unknown = np.setdiff1d(y_test, classes)
    if unknown.size:
        raise UserError(
            f"{test}: the target '{target}' has class {unknown[0]:.0f}, which {train} never shows."
        )
    source["classes"] = [int(c) for c in classes]
    labels = np.searchsorted(classes, y_train), np.searchsorted(classes, y_test)
    return Dataset(x_train, labels[0], x_test, labels[1], source)


def scaled(train: np.ndarray, test: np.ndarray):
    """Both sets standardised by the training columns, and the means and deviations as lists."""
    mean, std = train.mean(axis=0), train.std(axis=0)
    constant = np.ptp(train, axis=0) == 0  # exactly: the rounded mean may differ from the value
    mean, std = np.where(constant, train[0], mean), np.where(constant, 1.0, std)
    return (train - mean) / std, (test - mean) / std, mean.tolist(), std.tolist()


def _named(columns: list[str]) -> str:
    shown = ", ".join(f"'{name}'" for name in columns[:8])
    return shown + (f" and {len(columns) - 8} more" if len(columns) > 8 else "")


def _numbers(path) -> tuple[list[str], np.ndarray]:
    """Column names and rows ``(N, columns)`` of one CSV file, every cell a finite number."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            reader = csv.reader(file)
            lines = [
                (reader.line_num, cells) for cells in reader if any(cell.strip() for cell in cells)
            ]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else f"no CSV text in UTF-8 ({error})"
        raise UserError(f"{path}: cannot be read: {reason}.") from error
    if not lines:
        raise UserError(f"{path}: the file is empty; a header and rows of numbers are needed.")
    columns = [cell.strip() for cell in lines[0][1]]
    if all(_number(cell) is not None for cell in columns):
        raise UserError(f"{path}: line 1 holds numbers; a header with column names is needed.")
    for name in columns:
        if not name or columns.count(name) > 1:
            raise UserError(
                f"{path}: the header has {'two columns' if name else 'a column'} named '{name}'; "
                "every column needs a name of its own."
            )
    if len(lines) < 2:
        raise UserError(f"{path}: there is a header but no row of numbers.")
    rows = np.empty((len(lines) - 1, len(columns)))
    for k, (line, cells) in enumerate(lines[1:]):
        if len(cells) != len(columns):
            raise UserError(
                f"{path}: line {line} has {len(cells)} cells, the header {len(columns)}."
            )
        for j, cell in enumerate(cells):
            value = _number(cell)
            if value is None or not np.isfinite(value):
                raise UserError(
                    f"{path}: line {line}, column '{columns[j]}': "
                    + (f"'{cell}' is no finite number." if cell.strip() else "the cell is empty.")
                )
            rows[k, j] = value
    return columns, rows


def _number(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        return None
