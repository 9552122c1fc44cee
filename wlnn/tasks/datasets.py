"""Data sets: a training and a test set, and the spiral generators (Eqs. (5), (6) of the paper).

Nothing here reads a file, or knows networks or losses.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from wlnn.base.errors import UserError
from wlnn.base.streams import generator

LEAST_STD, MOST_STD = 1e-140, 1e140  # of a column whose squares are ordinary numbers


@dataclass(frozen=True)
class Dataset:
    """A training and a test set.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> rng = np.random.default_rng(0)
        >>> x, y = rng.normal(size=(20, 2)), np.arange(20) % 2
        >>> data = wlnn.Dataset(x[:10], y[:10], x[10:], y[10:], source={"law": "no law at all"})
        >>> data.x_train.shape
        (10, 2)

    Attributes:
        x_train, x_test: inputs, shapes ``(N, d)`` and ``(M, d)``, or images ``(N, C, H, W)``
            (channels, rows, columns), float64.
        y_train, y_test: labels 0..K-1 as int64 ``(N,)``, or real targets as float64 ``(N,)``; of
            T > 1 targets a row ``(N, T)``.
        source: JSON description that is stored with every result: law, seed, file names, scaling;
            empty where a program made the arrays and says no more.
        notes: sentences on how the files were understood, told when a run begins and not stored.
    """

    x_train: np.ndarray
    y_train: np.ndarray
    x_test: np.ndarray
    y_test: np.ndarray
    source: dict = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __post_init__(self):
        for part in ("train", "test"):
            x, y = np.asarray(getattr(self, f"x_{part}")), np.asarray(getattr(self, f"y_{part}"))
            for what, array in (("inputs", x), ("targets", y)):
                if np.ma.is_masked(getattr(self, f"{'xy'[what == 'targets']}_{part}")):
                    raise UserError(
                        f"the {part} set has masked {what}; leave these rows out, or fill them."
                    )
                if array.dtype.kind not in "iubf":
                    raise UserError(
                        f"the {part} set has {what} of type {array.dtype}; give real numbers"
                        + (", or labels 0..K-1 for classes." if what == "targets" else ".")
                    )
            x = x.astype(np.float64)
            y = y.astype(np.int64 if y.dtype.kind in "iub" else np.float64)
            if y.ndim == 2 and y.shape[1] == 1:
                y = y[:, 0]
            if y.ndim == 2 and len(y) == len(x) and y.dtype.kind == "i":
                raise UserError(
                    f"the {part} set has {y.shape[1]} whole numbers a row as targets: give a class "
                    "as its number 0..K-1 (targets.argmax(axis=1) of one-hot rows), and several "
                    "quantities as targets.astype(float)."
                )
            fitting = y.ndim in (1, 2) and len(y) == len(x)
            if x.ndim not in (2, 4) or not fitting or not x.size * y.size:
                raise UserError(
                    f"the {part} set needs inputs (N, d), or images (N, C, H, W), and targets (N,) "
                    f"or (N, T), not shapes {x.shape} and {y.shape}."
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
        if self.y_train.shape[1:] != self.y_test.shape[1:]:
            raise UserError(
                f"the training targets are of shape {self.y_train.shape}, the test targets of "
                f"{self.y_test.shape}; both need as many a row."
            )
        if self.classes and min(self.y_train.min(), self.y_test.min()) < 0:
            raise UserError("labels must be the integers 0..K-1; there is a negative one.")
        if self.classes and self.x_train.ndim == 2:  # images keep the numbers of their whole set
            known = np.unique(self.y_train)
            missing = np.setdiff1d(np.arange(min(self.classes, len(known) + 1)), known)
            unknown = np.setdiff1d(self.y_test, known)
            if unknown.size:
                raise UserError(
                    f"class {unknown[0]} is in the test set and not in the training set; leave it "
                    "out, or move some of it there."
                )
            if missing.size:
                raise UserError(
                    f"labels must be 0..K-1 without gaps: {missing[0]} never occurs in training; "
                    "np.unique(labels, return_inverse=True)[1] renumbers them."
                )

    @property
    def classes(self) -> int:
        """Number of classes K, or 0 when the targets are real numbers."""
        if self.y_train.dtype.kind != "i":
            return 0
        return int(max(self.y_train.max(), self.y_test.max())) + 1

    @property
    def targets(self) -> int:
        """Number of targets T of a row; 1 where they are classes."""
        return self.y_train.shape[1] if self.y_train.ndim == 2 else 1


def _generator(seed: int, stream: int) -> np.random.Generator:
    """Stream 0 makes the training set, 1 the test set; walkers use keys of two numbers."""
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise UserError(f"the data seed must be a whole number of 0 or more, not {seed!r}.")
    return generator(int(seed), stream)


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


def scaled(train: np.ndarray, test: np.ndarray):
    """Both sets standardised by the training columns, and the means and deviations as lists.

    Columns whose squares leave the range of floating-point numbers are first divided by a power of
    two. What is still not finite lies further from the training mean than any number can tell.
    """
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        mean, std = train.mean(axis=0), train.std(axis=0)
        unit = np.ones(mean.shape)
        for at in np.flatnonzero(~((std > LEAST_STD) & (std < MOST_STD))):
            unit[at] = 2.0 ** np.frexp(np.abs(train[:, at]).max() or 1.0)[1].clip(-1000, 1000)
            column = train[:, at] / unit[at]
            mean[at], std[at] = column.mean(), column.std()
        constant = (train == train[0]).all(axis=0)  # exactly: the mean may be rounded
        mean = np.where(constant, train[0] / unit, mean)
        std = np.where(constant | (std == 0), 1.0, std)
        scaled_sets = [(part / unit - mean) / std for part in (train, test)]
        return *scaled_sets, (mean * unit).tolist(), (std * unit).tolist()


def standardised(values: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Numbers ``(N,)`` with mean 0 and deviation 1, and the mean and deviation that they had."""
    with np.errstate(over="ignore", invalid="ignore"):
        mean, std = values.mean(), values.std()
    if LEAST_STD < std < MOST_STD:
        return (values - mean) / std, float(mean), float(std)
    found, _, mean, std = scaled(values[:, None], values[:, None])
    return found[:, 0], mean[0], std[0]
