"""A y of one's own for a task: any function of the parameters or of the network's outputs.

x stays that of the task. What comes out is a :class:`Problem` for any sampler, in NumPy and without
a compiled form; Wang-Landau molecular dynamics and Langevin motion need the gradient, Monte Carlo
does not. Nothing is sampled here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from wlnn.base.errors import UserError
from wlnn.landscape.grid import Axis, Grid
from wlnn.networks import losses
from wlnn.networks.losses import FLOOR
from wlnn.tasks.problem import Problem
from wlnn.tasks.smooth import inner_points


@dataclass(frozen=True)
class Observable:
    """A collective variable y that is not one of a task's own; see ``Task.problem``.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-classify", layers=1, width=3, points=8)
        >>> confidence = wlnn.Observable(  # the mean probability of the class that is chosen
        ...     wlnn.Axis("confidence", 0.5, 1.0, 10),
        ...     lambda outputs, targets: (
        ...         1 / np.exp(outputs - outputs.max(-1, keepdims=True)).sum(-1)
        ...     ).mean(-1),
        ... )
        >>> settings = wlnn.WLMCSettings(steps=2000, stages=4, walkers=2, anchor_draws=0)
        >>> landscape = wlnn.sample(task.problem(confidence), settings)
        >>> landscape.grid.y.name
        'confidence'
        >>> problem = task.problem(wlnn.Observable.norm(wlnn.Axis("norm", 0.0, 8.0, 16)))
        >>> problem.names
        ('ln train loss', 'norm')

    Attributes:
        axis: name and bins of y.
        value: ``(outputs (R, N, K), targets (N,) or (N, T)) -> y (R,)`` of R networks, the outputs
            those for the rows of ``data``; with ``of`` = "theta" it is ``theta (R, P) -> y (R,)``.
        gradient: of the same arguments, the derivative of y of each network by its own outputs
            ``(R, N, K)``, or parameters ``(R, P)``. None is for Monte Carlo alone.
        of: "outputs" or "theta".
        data: ``(inputs (N, ...), targets)``; None is the test set of the task.
    """

    axis: Axis
    value: Callable
    gradient: Callable | None = None
    of: str = "outputs"
    data: tuple | None = None

    def __post_init__(self):
        if not isinstance(self.axis, Axis):
            raise UserError(
                f"an Observable needs the Axis of its y first, not a {type(self.axis).__name__}."
            )
        if self.of not in ("outputs", "theta"):
            raise UserError(
                f"y '{self.axis.name}': it is a function of 'outputs' or of 'theta', not of "
                f"{self.of!r}."
            )
        for name in ("value", "gradient"):
            function = getattr(self, name)
            if not (callable(function) or (name == "gradient" and function is None)):
                raise UserError(f"y '{self.axis.name}': {name} must be a function.")
        if self.data is None:
            return
        if self.of == "theta":
            raise UserError(f"y '{self.axis.name}': a function of theta reads no data.")
        if not isinstance(self.data, tuple) or len(self.data) != 2:
            raise UserError(f"y '{self.axis.name}': data must be a pair (inputs, targets).")
        inputs, targets = (np.asarray(part) for part in self.data)
        if inputs.ndim < 2 or len(inputs) != len(targets) or not len(inputs):
            raise UserError(
                f"y '{self.axis.name}': data has inputs of shape {inputs.shape} and targets of "
                f"shape {targets.shape}; both need one and the same number of rows, 1 or more."
            )
        object.__setattr__(self, "data", (inputs, targets))

    @classmethod
    def norm(cls, axis: Axis) -> Observable:
        """|theta|, the Euclidean norm of all parameters; it has a gradient."""
        return cls(axis, _norm, _norm_gradient, of="theta")

    @classmethod
    def loss(cls, axis: Axis, inputs: np.ndarray, targets: np.ndarray) -> Observable:
        """ln of the mean loss on a second data set; it has a gradient.

        Cross-entropy of whole targets, squared error of real ones. The inputs must be scaled as
        those of the task are.

        Raises:
            UserError: targets that are no numbers, or, when a task takes it, none of its network.
        """
        targets = np.asarray(targets)
        if targets.dtype.kind not in "iufb":
            raise UserError(
                f"y '{axis.name}': targets must be whole numbers from 0, or real ones, not of type "
                f"{targets.dtype}."
            )
        if targets.dtype.kind == "b":
            targets = targets.astype(int)
        labels = targets.dtype.kind in "iu"
        loss = losses.cross_entropy if labels else losses.squared_error
        back = losses.cross_entropy_back if labels else losses.squared_error_back
        functions = partial(_ln_loss, loss), partial(_ln_loss_gradient, loss, back)
        return cls(axis, *functions, data=(inputs, targets))


def _read_only(array: np.ndarray) -> np.ndarray:
    """A view that cannot be written through: the array is read again, or is the task's own data."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


def _norm(theta):
    return np.sqrt((theta * theta).sum(axis=1))


def _norm_gradient(theta):
    return theta / np.maximum(_norm(theta), 1e-300)[:, None]


def _ln_loss(loss, outputs, targets):
    return np.log(np.maximum(loss(np, outputs, targets), FLOOR))


def _ln_loss_gradient(loss, back, outputs, targets):
    return back(np, outputs, targets) / np.maximum(loss(np, outputs, targets), FLOOR)[:, None, None]


class OwnVariables:
    """x of a task and y of one's own, of many networks at a time, with gradients where there are.

    ``evaluate`` and ``backward`` are those of :class:`Problem`.
    """

    def __init__(self, task, y: Observable):
        self.task, self.y = task, y
        data = task.data
        self.n_train, self.inputs = len(data.x_train), data.x_train
        self.targets = None
        if y.of == "outputs":
            inputs, self.targets = y.data or (data.x_test, data.y_test)
            if inputs.shape[1:] != data.x_train.shape[1:]:
                raise self._wrong(
                    f"data has inputs of shape {inputs.shape[1:]}, those of the task have "
                    f"{data.x_train.shape[1:]}"
                )
            self.inputs = np.concatenate([data.x_train, inputs])
            if getattr(y.value, "func", None) is _ln_loss:
                self._check_targets()
        regress = task.loss == "squared-error"
        self.loss = losses.squared_error if regress else losses.cross_entropy
        self.loss_back = losses.squared_error_back if regress else losses.cross_entropy_back

    def _wrong(self, words: str) -> UserError:
        return UserError(f"task '{self.task.name}': y '{self.y.axis.name}': {words}.")

    def _check_targets(self) -> None:
        """UserError for targets of a loss that fit no outputs of the network."""
        network, targets = self.task.network, np.asarray(self.targets)
        nothing = np.zeros((1, network.n_parameters))
        outputs = network.forward(np, nothing, self.inputs[:1])[0].shape[-1]
        if targets.dtype.kind == "f":
            if targets.shape not in ((len(targets), outputs), (len(targets),) * (outputs == 1)):
                raise self._wrong(
                    f"real targets have the shape {targets.shape}, and the network has {outputs} "
                    "outputs; of classes give whole numbers, targets.astype(int)"
                )
            return
        wrong = targets[(targets < 0) | (targets >= max(outputs, 2))]
        if targets.ndim != 1 or wrong.size:
            found = f"{wrong[0]}" if wrong.size else f"an array of shape {targets.shape}"
            raise self._wrong(
                f"whole targets are the classes 0 to {max(outputs, 2) - 1} of the network, one a "
                f"row, and not {found}"
            )

    def _arguments(self, theta, outputs) -> tuple:
        """What functions of the observable are given; they may read it and change nothing."""
        given = (theta,) if self.y.of == "theta" else (outputs[:, self.n_train :], self.targets)
        return tuple(_read_only(part) for part in given)

    def _shaped(self, name: str, found, shape: tuple) -> np.ndarray:
        found = np.asarray(found)
        if found.shape != shape or found.dtype.kind not in "fiub":
            raise self._wrong(
                f"{name} must return real numbers of shape {shape} for {shape[0]} networks, not an "
                f"array of shape {found.shape} and type {found.dtype}"
            )
        return found.astype(float)

    def evaluate(self, xp, theta):
        """x and y ``(R,)`` of ``theta (R, P)``, no accuracy, and the tape of the pass."""
        outputs, tape = self.task.network.forward(xp, theta, self.inputs)
        train, train_targets = outputs[:, : self.n_train], self.task.data.y_train
        given = self._arguments(theta, outputs)
        y = self._shaped("value", self.y.value(*given), (len(theta),))
        if self.task.x == "train-accuracy":
            return losses.accuracy(xp, train, train_targets), y, None, None
        loss = xp.maximum(self.loss(xp, train, train_targets).astype(float), FLOOR)
        return xp.log(loss), y, None, (theta, outputs, tape, loss)

    def observe(self, theta: np.ndarray) -> tuple[float, float]:
        """x and y of one network ``theta (P,)``."""
        x, y, *_ = self.evaluate(np, np.asarray(theta, dtype=float)[None])
        return float(x[0]), float(y[0])

    def backward(self, xp, tape, ux, uy):
        """Gradient ``(R, P)`` of ``ux x + uy y``, by one backward pass."""
        theta, outputs, network_tape, loss = tape
        given = self._arguments(theta, outputs)
        train = outputs[:, : self.n_train]
        rows = [(ux / loss)[:, None, None] * self.loss_back(xp, train, self.task.data.y_train)]
        shape = given[0].shape
        own = self._shaped("gradient", self.y.gradient(*given), shape)
        if self.y.of == "outputs":
            rows.append(uy[:, None, None] * own)
        found = self.task.network.backward(xp, xp.concatenate(rows, axis=1), network_tape)
        return found if self.y.of == "outputs" else found + uy[:, None] * own

    def problem(self) -> Problem:
        """What the samplers are given; with a gradient if y, x and the network have one."""
        task, y = self.task, self.y
        smooth = {}
        gradient = y.gradient is not None and task.x == "ln-train-loss"
        if gradient and hasattr(task.network, "backward"):
            smooth = {
                "evaluate": self.evaluate,
                "backward": self.backward,
                "start": partial(inner_points, task),
            }
        about = {**task.describe(), "y": y.axis.name, "own_y": y.of}
        return Problem(
            name=task.name,
            **task.law(),
            grid=Grid(task.grid.x, y.axis),
            observe=self.observe,
            about=about,
            network=task.network,
            **smooth,
        )
