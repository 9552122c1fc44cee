"""A task binds data, network, loss, two collective variables and grid; the paper's tasks by name.

Nothing is sampled here: :meth:`Task.problem` is what the samplers are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from wlnn.base import shown
from wlnn.base.accuracy_axes import TRAIN_ACCURACY
from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks import losses
from wlnn.networks.fnn import FNN
from wlnn.settings.task import GridSettings
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.observable import Observable, OwnVariables
from wlnn.tasks.problem import Problem

X_NAMES = {"ln-train-loss": "ln train loss", "train-accuracy": TRAIN_ACCURACY}
Y_NAMES = {
    "test-accuracy": "test accuracy",
    "smoothed-accuracy": "smoothed test accuracy",
    "ln-test-loss": "ln test loss",
}
PRIORS = ("box", "gaussian")
MOST_PARAMETERS = 20_000_000  # a step of Monte Carlo moves one; the largest of a paper has 7e5
FINEST_ACCURACY = 100  # up to so many test points every count has a bin of its own


@dataclass(frozen=True)
class Task:
    """What is sampled: x = ln(train loss) against a test quantity y, over the parameters' box.

    x may be the train accuracy instead, for Monte Carlo: accuracies have no gradient.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> x = np.random.default_rng(0).normal(size=(40, 2))
        >>> label = (x[:, 0] * x[:, 1] > 0).astype(int)
        >>> data = wlnn.Dataset(x[:20], label[:20], x[20:], label[20:])
        >>> x_axis, y_axis = wlnn.Axis("ln train loss", -2, 1, 12), wlnn.Axis.counts("accuracy", 20)
        >>> task = wlnn.Task("saddle", data, wlnn.FNN((2, 4, 2)), wlnn.Grid(x_axis, y_axis))
        >>> settings = wlnn.WLMCSettings(steps=4000, stages=4, walkers=2)
        >>> landscape = wlnn.sample(task.problem(), settings)

    Attributes:
        name: short name, used for the run directory.
        data: training and test set.
        network: an ``FNN``, or any object with ``n_parameters``,
            ``forward(xp, theta (R, P), x (N, d)) -> (outputs (R, N, K), tape)``,
            ``bounds(rule, c) -> (P,)`` and ``describe() -> dict``.
        grid: macrostates of x and y.
        y: "test-accuracy", "smoothed-accuracy" (Eq. (2)) or "ln-test-loss".
        loss: "cross-entropy" (labels; one output means binary) or "squared-error" (real targets:
            the mean over rows and over targets).
        alpha: sharpness of the smoothed accuracy.
        bound_rule, bound_factor: the box, given to ``network.bounds``, ...
        lo, hi: ... or its limits ``(P,)`` themselves, both or none.
        prior: "box", in which all parameters are equally likely, or "gaussian": independent
            parameters of mean 0, whose standard deviations are ``sigma`` or, where that is 0, what
            would be the half widths of the box.
        sigma: of the Gaussian prior: one for all, or one each ``(P,)``.
        x: "ln-train-loss" or "train-accuracy".
    """

    name: str
    data: Dataset
    network: object
    grid: Grid
    y: str = "test-accuracy"
    loss: str = "cross-entropy"
    alpha: float = 5.0
    bound_rule: str = "width"
    bound_factor: float = 2.0
    lo: np.ndarray | None = None
    hi: np.ndarray | None = None
    x: str = "ln-train-loss"
    prior: str = "box"
    sigma: float | np.ndarray = 0.0

    __repr__, _repr_html_ = shown.in_words, shown.in_html

    def __post_init__(self):
        if self.loss not in ("cross-entropy", "squared-error"):
            raise UserError(
                f"task '{self.name}': the loss must be 'cross-entropy' or 'squared-error', not "
                f"{self.loss!r}."
            )
        if self.y not in Y_NAMES:
            raise UserError(
                f"task '{self.name}': y must be one of {', '.join(Y_NAMES)}, not {self.y!r}."
            )
        if self.x not in X_NAMES:
            raise UserError(
                f"task '{self.name}': x must be one of {', '.join(X_NAMES)}, not {self.x!r}."
            )
        if self.prior not in PRIORS:
            raise UserError(
                f"task '{self.name}': the prior must be one of {', '.join(PRIORS)}, not "
                f"{self.prior!r}."
            )
        if self.prior == "box" and np.any(self.sigma):
            raise UserError(
                f"task '{self.name}': sigma is that of a Gaussian prior; give prior='gaussian'."
            )
        if self.prior == "gaussian" and not (self.lo is None and self.hi is None):
            raise UserError(
                f"task '{self.name}': a Gaussian prior has no walls; leave out lo and hi."
            )
        if self.network.n_parameters > MOST_PARAMETERS:
            raise UserError(
                f"task '{self.name}': the network has {self.network.n_parameters:,} parameters; "
                f"more than {MOST_PARAMETERS:,} are not sampled: take a smaller one."
            )
        classes = self.data.classes
        if (self.loss == "cross-entropy") != bool(classes):
            raise UserError(
                f"task '{self.name}': cross-entropy needs integer labels and squared-error real "
                f"targets; those of the data are {'whole' if classes else 'real'} numbers: give "
                f"targets.astype({'float' if classes else 'int'}), or the other loss."
            )
        if not classes and self.y != "ln-test-loss":
            raise UserError(f"task '{self.name}': with real targets y must be 'ln-test-loss'.")
        if not classes and self.x != "ln-train-loss":
            raise UserError(f"task '{self.name}': with real targets x must be 'ln-train-loss'.")
        try:
            outputs, _ = self.network.forward(
                np, np.zeros((1, self.network.n_parameters)), self.data.x_train[:2]
            )
        except ValueError as error:
            shape = self.data.x_train.shape[1:]
            what = f"{shape[0]} columns" if len(shape) == 1 else " x ".join(map(str, shape))
            raise UserError(
                f"task '{self.name}': the network cannot take inputs of {what} ({error})."
            ) from error
        found = outputs.shape[-1]
        wanted = {classes} if classes > 2 else ({1, 2} if classes else {self.data.targets})
        if found not in wanted:
            said = " or ".join(str(k) for k in sorted(wanted))
            raise UserError(f"task '{self.name}': the network needs {said} outputs, not {found}.")

    def observe(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y, each ``(R,)``, of networks ``theta (R, P)``: the NumPy definition.

        x = ln of the mean train loss (-inf where it is 0), or the train accuracy; y as named by the
        task.
        """
        data = self.data
        loss = losses.cross_entropy if self.loss == "cross-entropy" else losses.squared_error
        train, _ = self.network.forward(np, theta, data.x_train)
        test, _ = self.network.forward(np, theta, data.x_test)
        with np.errstate(divide="ignore"):
            if self.x == "train-accuracy":
                x = losses.accuracy(np, train, data.y_train)
            else:
                x = np.log(loss(np, train, data.y_train))
            if self.y == "test-accuracy":
                return x, losses.accuracy(np, test, data.y_test)
            if self.y == "smoothed-accuracy":
                return x, losses.smoothed_accuracy(np, test, data.y_test, self.alpha)
            return x, np.log(loss(np, test, data.y_test))

    def observe_one(self, theta: np.ndarray) -> tuple[float, float]:
        """x and y of one network ``theta (P,)``."""
        x, y = self.observe(np.asarray(theta, dtype=float)[None])
        return float(x[0]), float(y[0])

    def fast_system(self, precision: str):
        """The same function with caches for the compiled driver, in "float32" or "float64"."""
        from wlnn.networks.compiled.one_weight_layout import network_system

        return network_system(self.network, self.data, self.loss, self.y, precision, self.x)

    @property
    def box(self) -> tuple[np.ndarray, np.ndarray]:
        """Limits of the box, each ``(P,)``; UserError for one that has another number of them."""
        if self.lo is None and self.hi is None:
            bounds = self.network.bounds(self.bound_rule, self.bound_factor)
            return -bounds, bounds
        n = self.network.n_parameters
        try:
            ends = [
                np.asarray(end if end is not None else 0, dtype=float) for end in (self.lo, self.hi)
            ]
        except (TypeError, ValueError) as error:
            raise UserError(f"task '{self.name}': lo and hi need numbers: {error}.") from error
        if any(end.shape != (n,) for end in ends):
            raise UserError(
                f"task '{self.name}': lo and hi need one number for each of the {n} parameters of "
                "the network, both of them."
            )
        return ends[0], ends[1]

    @property
    def sigmas(self) -> np.ndarray:
        """Standard deviations of the Gaussian prior ``(P,)``; ``(0,)`` where there is a box."""
        n = self.network.n_parameters
        if self.prior == "box":
            return np.zeros(0)
        if np.ndim(self.sigma) == 0 and self.sigma == 0:
            return self.network.bounds(self.bound_rule, self.bound_factor)
        if np.shape(self.sigma) not in ((), (n,)):
            raise UserError(
                f"task '{self.name}': sigma needs one number, or one for each of the {n} "
                "parameters of the network."
            )
        return np.full(n, self.sigma)

    def law(self) -> dict:
        """What parameters are drawn from, as arguments of :class:`Problem`: lo, hi and sigma."""
        if self.prior == "gaussian":
            return {"lo": None, "hi": None, "sigma": self.sigmas}
        return dict(zip(("lo", "hi"), self.box, strict=True))

    def problem(self, y: Observable | None = None) -> Problem:
        """Box, function and grid for the samplers; fast for an ``FNN``, unless y is smoothed.

        ``y`` takes the place of the task's own; it runs by NumPy alone, and has a gradient for
        molecular dynamics where the observable has one.
        """
        if y is not None:
            if not isinstance(y, Observable):
                raise UserError(
                    f"task '{self.name}': y must be an Observable, not a {type(y).__name__}."
                )
            return OwnVariables(self, y).problem()
        fast = isinstance(self.network, FNN) and self.y != "smoothed-accuracy"
        return Problem(
            name=self.name,
            **self.law(),
            grid=self.grid,
            observe=self.observe_one,
            system=self.fast_system if fast else None,
            about=self.describe(),
            network=self.network,
        )

    def describe(self) -> dict:
        """JSON description stored with every result."""
        return {
            "task": self.name,
            "data": self.data.source,
            "points": [len(self.data.x_train), len(self.data.x_test)],
            "network": self.network.describe(),
            "parameters": int(self.network.n_parameters),
            "loss": self.loss,
            "x": self.x,
            "y": self.y,
            **({"alpha": self.alpha} if self.y == "smoothed-accuracy" else {}),
            "bound_rule": self.bound_rule,
            "bound_factor": self.bound_factor,
            **({} if self.lo is None else {"box": [end.tolist() for end in self.box]}),
        }


def accuracy_axis(n: int, name: str = Y_NAMES["test-accuracy"]) -> Axis:
    """Bins of the accuracy over n points: one per count k = 0..n, or wide ones above 100.

    A wide bin takes m neighbouring counts, m the least number that leaves about 100 bins; the
    highest bin ends at k = n, the lowest may reach below 0. No accuracy k / n lies on an edge.
    """
    if n <= FINEST_ACCURACY:
        return Axis.counts(name, n)
    per_bin = -(-(n + 1) // (FINEST_ACCURACY + 1))
    bins = -(-(n + 1) // per_bin)
    hi = 1 + 0.5 / n
    return Axis(name, hi - bins * per_bin / n, hi, bins)


def make_grid(settings: GridSettings, n_test: int, n_train: int = 0) -> Grid:
    """The grid of the settings for a test set of ``n_test`` points.

    x = train accuracy has the bins of ``n_train`` points, as y has them of the test points.

    Bins of the smoothed accuracy are centred on multiples of their width, so that 0 and 1 are
    inside.
    """
    if settings.x == "train-accuracy":
        x = accuracy_axis(n_train, TRAIN_ACCURACY)
    else:
        x = Axis.of_width("ln train loss", settings.x_low, settings.x_high, settings.x_width)
    if settings.y == "test-accuracy":
        return Grid(x, accuracy_axis(n_test))
    name = Y_NAMES[settings.y]
    if settings.y == "smoothed-accuracy":
        return Grid(x, Axis.counts(name, max(1, round(1 / settings.y_width))))
    return Grid(x, Axis.of_width(name, settings.y_low, settings.y_high, settings.y_width))
