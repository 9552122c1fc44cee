"""What molecular dynamics is given: two smooth collective variables of a box, and their gradient.

A task becomes a :class:`Problem` with a gradient here; an exact case of ``reference/`` makes its
own. This file moves nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import replace
from functools import cached_property, partial
from typing import NamedTuple

import numpy as np

from wlnn.base.accuracy_axes import ACCURACY_AXES
from wlnn.base.errors import UserError
from wlnn.networks import losses
from wlnn.networks.fnn import FNN
from wlnn.networks.layered import LayerNetwork
from wlnn.networks.losses import FLOOR
from wlnn.tasks.problem import IN_SIGMA, Problem

WORTH = 2e6  # test rows x parameters: 0.1 ms of a gradient, against 0.6 ms of a call every 20 steps


class NetworkVariables:
    """x = ln(train loss) and y = ln(test loss) or a function of the smoothed test accuracy.

    Built from a :class:`wlnn.tasks.task.Task`. ``accuracy_axis`` says how the smoothed accuracy A
    becomes y: "logit" is ln(q / (1 - q)) with q = 1e-4 + (1 - 2e-4) A, "scaled" is 10 A, "plain" A
    itself, where a hill of the usual width would be as wide as the axis.

    Examples:
        >>> import numpy as np
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-regress", layers=1, width=4, points=8)
        >>> variables = wlnn.NetworkVariables(task)
        >>> x, y, accuracy, tape = variables.evaluate(np, np.zeros((3, task.network.n_parameters)))
        >>> x.shape, accuracy  # of three networks; accuracies are of labels only
        ((3,), None)
    """

    def __init__(
        self, task, accuracy_axis: str = "logit", dtype=np.float64, start_part: float = 0.1
    ):
        if task.y == "test-accuracy":
            raise UserError(
                f"task '{task.name}': molecular dynamics needs a smooth y, 'ln-test-loss' or "
                "'smoothed-accuracy'."
            )
        if task.x == "train-accuracy":
            raise UserError(
                f"task '{task.name}': x = train accuracy has no gradient and no temperature; take "
                "Monte Carlo (wlmc), or x = 'ln-train-loss'."
            )
        if accuracy_axis not in ACCURACY_AXES:
            raise UserError(
                f"accuracy axis '{accuracy_axis}': use one of {', '.join(ACCURACY_AXES)}."
            )
        self.task = task
        self.start_part = start_part  # of the box, in which walkers start
        self.axis_name = accuracy_axis
        self.axis = ACCURACY_AXES[accuracy_axis] if task.y == "smoothed-accuracy" else None
        self.dtype = np.dtype(dtype)
        self.n_train = len(task.data.x_train)
        self.inputs = np.concatenate([task.data.x_train, task.data.x_test]).astype(dtype)
        regress = task.loss == "squared-error"
        self.targets = tuple(
            target.astype(dtype) if regress else target
            for target in (task.data.y_train, task.data.y_test)
        )
        self.loss = losses.squared_error if regress else losses.cross_entropy
        self.loss_back = losses.squared_error_back if regress else losses.cross_entropy_back

    def evaluate(self, xp, theta):
        """x, y, the true accuracy (or None) of ``theta (R, P)``, and the tape of the pass."""
        outputs, tape = self.task.network.forward(xp, theta.astype(self.dtype), self.inputs)
        train, test = outputs[:, : self.n_train], outputs[:, self.n_train :]
        train_loss = xp.maximum(self.loss(xp, train, self.targets[0]).astype(float), FLOOR)
        if self.axis is None:
            value = xp.maximum(self.loss(xp, test, self.targets[1]).astype(float), FLOOR)
            y, accuracy = xp.log(value), None
        else:
            alpha = self.task.alpha
            value = losses.smoothed_accuracy(xp, test, self.targets[1], alpha).astype(float)
            y = self.axis.value(xp, value)
            accuracy = losses.accuracy(xp, test, self.targets[1])
        return xp.log(train_loss), y, accuracy, (outputs, tape, train_loss, value)

    def backward(self, xp, tape, ux, uy):
        """Gradient ``(R, P)`` of ``ux x + uy y``: one backward pass over train and test rows.

        The rows of either set start from the gradient of their own mean, scaled by ux / train loss
        and by uy / test loss, or uy times the slope of the accuracy axis.
        """
        outputs, network_tape, train_loss, value = tape
        train, test = outputs[:, : self.n_train], outputs[:, self.n_train :]
        scale_x = (ux / train_loss).astype(self.dtype)[:, None, None]
        if self.axis is None:
            scale_y, test_back = uy / value, self.loss_back(xp, test, self.targets[1])
        else:
            scale_y = uy * self.axis.slope(xp, value)
            test_back = losses.smoothed_accuracy_back(xp, test, self.targets[1], self.task.alpha)
        rows = [
            scale_x * self.loss_back(xp, train, self.targets[0]),
            scale_y.astype(self.dtype)[:, None, None] * test_back,
        ]
        return self.task.network.backward(xp, xp.concatenate(rows, axis=1), network_tape)

    def on(self, put: Callable) -> NetworkVariables:
        """The same in single precision, as the compiled form, with data where ``put`` brings it."""
        moved = copy(self)
        moved.dtype = np.dtype(np.float32)
        reals = self.inputs, *self.targets
        moved.inputs, *moved.targets = (
            put(part.astype(moved.dtype) if part.dtype.kind == "f" else part) for part in reals
        )
        return moved

    def _functions_on(self, put: Callable) -> tuple[Callable, Callable]:
        moved = self.on(put)
        return moved.evaluate, moved.backward

    def start(self, rng: np.random.Generator, walkers: int) -> np.ndarray:
        """Points ``(R, P)`` of the inner part of the box, see :func:`inner_points`."""
        return inner_points(self.task, rng, walkers, self.start_part)

    def problem(self) -> Problem:
        """What the sampler is given; without a grid, which molecular dynamics makes itself."""
        task = self.task
        y_name = {"ln-test-loss": "ln test loss"}.get(task.y, "smoothed accuracy axis")
        return Problem(
            name=task.name,
            **task.law(),
            about=task.describe() | ({} if self.axis is None else {"y_axis": self.axis_name}),
            network=task.network,
            names=("ln train loss", y_name),
            evaluate=self.evaluate,
            backward=self.backward,
            start=self.start,
            accuracy_at=self.axis and self.axis.inverse,
            gradient_system=self.compiled(),
            elsewhere=self._functions_on,
            train_system=self._of_training_rows(),
        )

    def _of_training_rows(self) -> Callable[[], NamedTuple] | None:
        """What makes a system of the same x with one test row, whose y means nothing.

        None where the test rows are so little work that a call of each system by turns costs more.
        """
        data = self.task.data
        work = (len(self.inputs) - self.n_train) * self.task.network.n_parameters
        if work < WORTH and isinstance(self.task.network, FNN):
            return None
        data = replace(data, x_test=data.x_test[:1], y_test=data.y_test[:1])
        task = replace(self.task, data=data)
        return NetworkVariables(task, self.axis_name, self.dtype, self.start_part).compiled()

    def compiled(self) -> Callable[[], NamedTuple] | None:
        """What makes the same functions in single precision for the compiled drivers.

        There is such a form of an ``FNN`` with hidden layers and of image networks that
        :func:`image_plan.runs` takes; None otherwise.
        """
        from wlnn.networks.compiled import fnn, image_plan

        network = self.task.network
        if isinstance(network, FNN) and len(network.sizes) > 2:
            return partial(fnn.fnn_system, self)
        if isinstance(network, LayerNetwork) and image_plan.runs(network.layers):
            return self._layer_system
        return None

    def _layer_system(self) -> NamedTuple:
        from wlnn.networks.compiled import layered

        return layered.layer_system(self, self._shared)

    @cached_property
    def _shared(self):
        """What the systems of all walkers share."""
        from wlnn.networks.compiled.layered import shared

        return shared(self.task)


def inner_points(task, rng: np.random.Generator, walkers: int, part: float = 0.1) -> np.ndarray:
    """Uniform points ``(R, P)`` of the inner part of the box; a tenth: nearly constant outputs.

    The scale of a norm starts at 1, or at 0.9 of its bound where 1 is outside.
    """
    if task.prior == "gaussian":
        middle, bounds = np.zeros(task.network.n_parameters), IN_SIGMA * task.sigmas
    else:
        lo, hi = task.box
        middle, bounds = (lo + hi) / 2, (hi - lo) / 2
    theta = rng.uniform(-part, part, (walkers, bounds.size)) * bounds
    theta += middle
    scales = getattr(task.network, "scales", None)
    if scales is not None:
        theta[:, scales] = np.minimum(1.0, (middle + 0.9 * bounds)[scales])
    return theta
