"""A task binds data, network, loss, two collective variables and grid; the paper's tasks by name.

Nothing is sampled here: :meth:`Task.problem` is what the samplers are given.
"""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wlnn import datasets, losses
from wlnn.datasets import Dataset
from wlnn.errors import UserError
from wlnn.grid import Axis, Grid
from wlnn.network import CNN, FNN, ResNet10
from wlnn.problem import Problem
from wlnn.readers import catalogue
from wlnn.settings import GridSettings, Settings, read_table
from wlnn.unread import refuse_of_task

TASKS = {
    "spiral-classify": "two spirals told apart by a 2-W-..-W-2 ReLU network (paper, Fig. 1)",
    "spiral-regress": "a spiral surface learnt by a 2-W-W-1 ReLU network (paper, Fig. 3)",
    "context-select": "one of K inputs selected by context; gated linear or ReLU units, S(ln L)",
    "house-price": "prices of houses, 331-W-1 (paper, Figs. 2(a), 7); needs a file: wlnn data",
    "mnist": "digits, a convolutional network of 2 to 4 channels (paper, Figs. 2(b), 8)",
    "polymer": "band gaps of polymers, 768-W-1 (paper, Figs. 2(c), 9, 10); needs a file",
    "cifar": "photographs of two classes, ResNet-10 (paper, Fig. 6); needs a file",
}
Y_NAMES = {
    "test-accuracy": "test accuracy",
    "smoothed-accuracy": "smoothed test accuracy",
    "ln-test-loss": "ln test loss",
}
FINEST_ACCURACY = 100  # up to so many test points every count has a bin of its own


@dataclass(frozen=True)
class Task:
    """What is sampled: x = ln(train loss) against a test quantity y, over the parameters' box.

    Attributes:
        name: short name, used for the run directory.
        data: training and test set.
        network: an ``FNN``, or any object with ``n_parameters``,
            ``forward(xp, theta (R, P), x (N, d)) -> (outputs (R, N, K), tape)``,
            ``bounds(rule, c) -> (P,)`` and ``describe() -> dict``.
        grid: macrostates of x and y.
        y: "test-accuracy", "smoothed-accuracy" (Eq. (2)) or "ln-test-loss".
        loss: "cross-entropy" (labels; one output means binary) or "squared-error" (real targets).
        alpha: sharpness of the smoothed accuracy.
        bound_rule, bound_factor: the box, given to ``network.bounds``.
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
        classes = self.data.classes
        if (self.loss == "cross-entropy") != bool(classes):
            raise UserError(
                f"task '{self.name}': cross-entropy needs integer labels and squared-error real "
                "targets."
            )
        if not classes and self.y != "ln-test-loss":
            raise UserError(f"task '{self.name}': with real targets y must be 'ln-test-loss'.")
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
        wanted = {classes} if classes > 2 else ({1, 2} if classes else {1})
        if found not in wanted:
            said = " or ".join(str(k) for k in sorted(wanted))
            raise UserError(f"task '{self.name}': the network needs {said} outputs, not {found}.")

    def observe(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """x and y, each ``(R,)``, of networks ``theta (R, P)``: the NumPy definition.

        x = ln of the mean train loss (-inf where it is 0); y as named by the task.
        """
        data = self.data
        loss = losses.cross_entropy if self.loss == "cross-entropy" else losses.squared_error
        train, _ = self.network.forward(np, theta, data.x_train)
        test, _ = self.network.forward(np, theta, data.x_test)
        with np.errstate(divide="ignore"):
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
        from wlnn.system_layout import network_system

        return network_system(self.network, self.data, self.loss, self.y, precision)

    def problem(self) -> Problem:
        """Box, function and grid for the samplers; fast for an ``FNN``, unless y is smoothed."""
        bounds = self.network.bounds(self.bound_rule, self.bound_factor)
        fast = isinstance(self.network, FNN) and self.y != "smoothed-accuracy"
        return Problem(
            name=self.name,
            lo=-bounds,
            hi=bounds,
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
            "x": "ln-train-loss",
            "y": self.y,
            **({"alpha": self.alpha} if self.y == "smoothed-accuracy" else {}),
            "bound_rule": self.bound_rule,
            "bound_factor": self.bound_factor,
        }


def accuracy_axis(n: int) -> Axis:
    """Bins of the accuracy over n test points: one per count k = 0..n, or wide ones above 100.

    A wide bin takes m neighbouring counts, m the least number that leaves about 100 bins; the
    highest bin ends at k = n, the lowest may reach below 0. No accuracy k / n lies on an edge.
    """
    if n <= FINEST_ACCURACY:
        return Axis.counts(Y_NAMES["test-accuracy"], n)
    per_bin = -(-(n + 1) // (FINEST_ACCURACY + 1))
    bins = -(-(n + 1) // per_bin)
    hi = 1 + 0.5 / n
    return Axis(Y_NAMES["test-accuracy"], hi - bins * per_bin / n, hi, bins)


def make_grid(settings: GridSettings, n_test: int) -> Grid:
    """The grid of the settings for a test set of ``n_test`` points.

    Bins of the smoothed accuracy are centred on multiples of their width, so that 0 and 1 are
    inside.
    """
    x = Axis.of_width("ln train loss", settings.x_low, settings.x_high, settings.x_width)
    if settings.y == "test-accuracy":
        return Grid(x, accuracy_axis(n_test))
    name = Y_NAMES[settings.y]
    if settings.y == "smoothed-accuracy":
        return Grid(x, Axis.counts(name, max(1, round(1 / settings.y_width))))
    return Grid(x, Axis.of_width(name, settings.y_low, settings.y_high, settings.y_width))


def load_task(
    name: str,
    seed: int | None = None,
    settings: Settings | None = None,
    data=None,
    embedding=None,
    **options,
) -> Task | Problem:
    """One of :data:`TASKS`, with the settings of its table unless told otherwise.

    ``context-select`` has no test set: it is a :class:`wlnn.problem.Problem` in x = ln L alone.

    Args:
        name: e.g. "spiral-classify".
        seed: data seed; None keeps that of the settings.
        settings: from :func:`wlnn.settings.read_table`; None reads the default preset.
        data: file or folder that holds the data of a task that needs one, see `wlnn data`.
        embedding: of "polymer" only, see :func:`wlnn.readers.polymer.read_polymer`.
        options: single values by name, e.g. ``layers=4, width=8, logits=1, test_radii="even",
            x_low=-5, x_width=0.1, bound_rule="fan_out"``: the fields of ``NetworkSettings``,
            ``DataSettings`` and ``GridSettings``; of ``context-select`` those of
            ``ContextSettings`` and ``GridSettings``, e.g. ``contexts=3, net="relu"``.

    Raises:
        UserError: unknown task or option, one that has no effect on this task, a wrong value, a
            missing or wrong file.
    """
    if name not in TASKS:
        raise UserError(f"there is no task '{name}'; use one of {', '.join(TASKS)}.")
    if settings is None:
        settings = read_table(name)
    if seed is not None:
        options["seed"] = seed
    settings = _with_options(name, settings, options)
    if name == "context-select":
        from wlnn.maxent.context_select import problem_of_settings

        return problem_of_settings(settings)
    network, draw = settings.network, settings.data
    if name in catalogue.FILES:
        data_set = catalogue.read(name, draw, data, embedding)
        if name == "mnist":
            return _bound_task(name, data_set, CNN(network.width), settings)
        if name == "cifar":
            channels = tuple(network.width * 2**k for k in range(4))
            return _bound_task(name, data_set, ResNet10(channels), settings)
        sizes = (data_set.x_train.shape[1], *[network.width] * network.layers, 1)
        return _fnn_task(name, data_set, sizes, settings)
    if data is not None or embedding is not None:
        raise UserError(f"task '{name}' makes its data itself and takes no file.")
    if name == "spiral-regress":
        published = draw.selection == "published"
        data_set = datasets.spiral_regress("published" if published else draw.seed, draw.points)
        outputs = 1
    else:
        data_set = datasets.spiral_classify(draw.seed, draw.points, draw.noise, draw.test_radii)
        outputs = network.logits
    sizes = (2, *[network.width] * network.layers, outputs)
    return _fnn_task(name, data_set, sizes, settings)


def task_from_csv(
    train,
    test,
    target: str,
    hidden: Sequence[int] = (8, 8),
    kind: str | None = None,
    standardise: bool = True,
    settings: Settings | None = None,
    **options,
) -> Task:
    """A fully connected network on two CSV files, see :func:`wlnn.datasets.read_csv`.

    Args:
        train, test, target, standardise: files and name of the target column.
        hidden: units of the hidden layers.
        kind: "classify", "regress" or None to tell from the target.
        settings: from ``read_table("own", ...)``, which None stands for.
        options: as in :func:`load_task`, except those of generated data.
    """
    data = datasets.read_csv(train, test, target, kind, standardise)
    settings = _with_options("train", settings or read_table("own"), options)
    if any(not isinstance(units, int | np.integer) or units < 1 for units in hidden):
        raise UserError(f"hidden must be whole numbers of units, not {hidden}.")
    outputs = max(2, data.classes) if data.classes else 1
    if data.classes == 2:
        outputs = settings.network.logits
    if not data.classes and settings.grid.y != "ln-test-loss":
        settings = settings.with_options(y="ln-test-loss")
    sizes = (data.x_train.shape[1], *hidden, outputs)
    name = re.sub(r"[^\w-]+", "-", f"{Path(train).stem}-{target}")
    return _fnn_task(name, data, sizes, settings)


def _with_options(kind: str, settings: Settings, options: dict) -> Settings:
    """The settings with bare options that a task of this kind reads."""
    refuse_of_task(kind, {f"{settings.home_of(key)}.{key}": key for key in options})
    return settings.with_options(**options)


def _fnn_task(name: str, data: Dataset, sizes: Sequence[int], settings: Settings) -> Task:
    return _bound_task(name, data, FNN(tuple(sizes), settings.network.activation), settings)


def _bound_task(name: str, data: Dataset, network, settings: Settings) -> Task:
    return Task(
        name=name,
        data=data,
        network=network,
        grid=make_grid(settings.grid, len(data.y_test)),
        y=settings.grid.y,
        loss="cross-entropy" if data.classes else "squared-error",
        alpha=settings.grid.alpha,
        bound_rule=settings.network.bound_rule,
        bound_factor=settings.network.bound_factor,
    )


def task_from_file(reference: str) -> Task | Problem:
    """The object ``name`` of a Python file, given as "path.py:name"; the file is run.

    Raises:
        UserError: no such file or name, an error while the file runs (with its line), or an object
            that is neither a :class:`Task` nor a :class:`wlnn.problem.Problem`.
    """
    path, colon, name = reference.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise UserError(f"'{reference}' names no task; write path.py:name.")
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{path}: there is no such file.")
    module_name = f"wlnn_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # Numba and pickle look a system's class up by module name
    sys.path.insert(0, str(file.parent))
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[module_name]
        raise UserError(f"{path}: {line_of(error, file)}{type(error).__name__}: {error}") from error
    finally:
        sys.path.remove(str(file.parent))
    if not hasattr(module, name):
        offered = [k for k, v in vars(module).items() if isinstance(v, Task | Problem)]
        raise UserError(
            f"{path}: there is no '{name}'; "
            + (f"tasks there are {', '.join(offered)}." if offered else "no task is defined there.")
        )
    found = getattr(module, name)
    if not isinstance(found, Task | Problem):
        raise UserError(
            f"{path}: '{name}' is of type {type(found).__name__}; a Task or a Problem is needed."
        )
    return found


def line_of(error: BaseException, file: Path) -> str:
    """ "line N: " of the deepest frame of ``error`` that lies in ``file``, or nothing."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    line, frame = "", error.__traceback__
    while frame:
        if frame.tb_frame.f_code.co_filename == str(file):
            line = f"line {frame.tb_lineno}: "
        frame = frame.tb_next
    return line
