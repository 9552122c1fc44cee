"""SGD and Adam, many trainings at once on the leading axis: what a landscape is compared with.

The readable part: initialisation, update rules, one epoch. It takes any network of the package and
knows no files, processes or curves (``run.py``, ``trained.py``).
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from typing import NamedTuple

import numpy as np

from wlnn.backend.device import CPU, Host
from wlnn.base import streams
from wlnn.base.errors import UserError
from wlnn.networks import losses
from wlnn.settings.tables import TrainSettings
from wlnn.tasks.task import Task

EXPLODED = 10.0  # nats above its start at which ln(train loss) counts as diverged
EVALUATED = 2**22  # numbers of one layer's output when a whole set is evaluated at a time
HEAD = 0.001  # standard deviation of the last layer's weights by the rule "small-head"
WEIGHTS_AND_BIASES = ("fan-in", "small-head")  # rules that draw both from U(-a, a)
NAMES = ("ln-train-loss", "ln-test-loss", "test-accuracy", "smoothed-accuracy")


class Plan(NamedTuple):
    """What does not change while a task is trained."""

    task: Task
    settings: TrainSettings
    data: tuple  # x_train, y_train, x_test, y_test in the precision of the run, on the device
    loss: Callable
    loss_back: Callable
    update: Callable
    device: Host = CPU

    @property
    def batch_size(self) -> int:
        """Rows of a minibatch; the last one of an epoch takes what is left."""
        return min(self.settings.batch_size or self.n_train, self.n_train)

    @property
    def n_train(self) -> int:
        """Rows N of the training set."""
        return len(self.data[0])

    @property
    def n_batches(self) -> int:
        """Minibatches of an epoch."""
        return -(-self.n_train // self.batch_size)


class Trainings(NamedTuple):
    """R trainings, with everything the next minibatch needs; the arrays are changed in place."""

    runs: np.ndarray  # (R,) numbers of the trainings
    theta: np.ndarray  # (R, P)
    memory: np.ndarray  # (m, R, P) of the optimiser
    epoch: int  # finished ones
    batch: int  # finished minibatches of the current epoch
    diverged: np.ndarray  # (R,) epoch at whose end a training was found diverged, or -1
    records: dict[str, np.ndarray]  # name -> (R, epochs + 1), the first at the start; NaN to come


def copied(state: Trainings) -> Trainings:
    """The same trainings in arrays of their own: what :func:`advance` changes, it changes here."""
    records = {name: values.copy() for name, values in state.records.items()}
    return state._replace(theta=state.theta.copy(), memory=state.memory.copy(), records=records)


def make_plan(task: Task, settings: TrainSettings, device: Host = CPU) -> Plan:
    """The functions and arrays of a training, on the device on which it runs.

    Raises:
        UserError: the network has no ``layout`` or no ``backward``.
    """
    for name in ("layout", "backward"):
        if not hasattr(task.network, name):
            raise UserError(
                f"task '{task.name}': its network has no '{name}', and training needs one; see "
                "wlnn.networks.images.FNN for what it must do."
            )
    kind, data = np.dtype(settings.precision), task.data
    real = (data.x_train, data.y_train, data.x_test, data.y_test)
    squared = task.loss == "squared-error"
    arrays = tuple(a.astype(kind) if a.dtype.kind == "f" else a for a in real)
    loss = losses.squared_error if squared else losses.cross_entropy
    back = losses.squared_error_back if squared else losses.cross_entropy_back
    with device.using():
        arrays = tuple(map(device.put, arrays))
    return Plan(task, settings, arrays, loss, back, OPTIMIZERS[settings.optimizer], device)


def sgd(xp, theta, gradient, memory, step, settings):
    """``v <- momentum v + g``, ``theta <- theta - lr v``, in place; plain where momentum = 0."""
    if len(memory):
        velocity = memory[0]
        velocity *= settings.momentum
        velocity += gradient
        gradient[...] = velocity
    gradient *= settings.learning_rate
    theta -= gradient


def adam(xp, theta, gradient, memory, step, settings):
    """Kingma and Ba (arXiv 1412.6980), Algorithm 1, in place; ``step`` counts from 1.

    ``m <- b1 m + (1 - b1) g``, ``v <- b2 v + (1 - b2) g^2``, then ``theta <- theta - lr m' / (
    sqrt(v') + eps)`` with ``m' = m / (1 - b1^step)``, ``v' = v / (1 - b2^step)``.
    """
    (first, second), b1, b2 = memory, settings.beta1, settings.beta2
    first *= b1
    first += (1 - b1) * gradient
    second *= b2
    gradient *= gradient
    gradient *= 1 - b2
    second += gradient
    xp.sqrt(second, out=gradient)  # the gradient's array serves as scratch from here
    gradient *= (1 - b2**step) ** -0.5
    gradient += settings.epsilon
    xp.divide(first, gradient, out=gradient)
    gradient *= settings.learning_rate / (1 - b1**step)
    theta -= gradient


OPTIMIZERS = {"sgd": sgd, "adam": adam}


def memory_size(settings: TrainSettings) -> int:
    """Vectors ``(P,)`` that the optimiser keeps."""
    return 2 if settings.optimizer == "adam" else int(settings.momentum > 0)


def generator(settings: TrainSettings, run: int, epoch: int) -> np.random.Generator:
    """The random numbers of one training in one epoch (epoch 0: its initial parameters)."""
    return streams.generator(settings.seed, streams.TRAININGS, int(run), int(epoch))


def initial(network, rule: str, rng: np.random.Generator) -> np.ndarray:
    """Parameters ``(P,)`` to start from; tensors of two or more axes are weights (out, in, ...).

    "xavier-uniform": weights U(-a, a), a = sqrt(6 / (fan_in + fan_out)), all else 0 (Glorot and
    Bengio 2010). "kaiming-normal": weights Normal(0, 2 / fan_in), all else 0 (He et al. 2015).
    "fan-in": weights and the bias after them U(-a, a), a = 1 / sqrt(fan_in), PyTorch's default.
    "kaiming-weights": weights as kaiming-normal, biases as fan-in, which is what re-drawing the
    weights of a PyTorch network gives. "small-head": as fan-in, but the weights of the last layer
    Normal(0, :data:`HEAD`^2). Scales of norms (``network.scales``, a mask ``(P,)``) start at 1 and
    their shifts at 0.
    """
    parts, fan_in = [], 1
    shapes = network.layout.shapes
    head = max(k for k, shape in enumerate(shapes) if len(shape) > 1)
    for k, (name, shape) in enumerate(zip(network.layout.names, shapes, strict=True)):
        is_weight, size = len(shape) > 1, prod(shape)
        if is_weight:
            fan_in, fan_out = prod(shape[1:]), shape[0] * prod(shape[2:])
        if name.endswith((".scale", ".shift")):
            parts.append(np.zeros(size))
        elif rule == "small-head" and k == head:
            parts.append(rng.normal(0, HEAD, size))
        elif rule in WEIGHTS_AND_BIASES or (rule == "kaiming-weights" and not is_weight):
            parts.append(rng.uniform(-(fan_in**-0.5), fan_in**-0.5, size))
        elif not is_weight:
            parts.append(np.zeros(size))
        elif rule in ("kaiming-normal", "kaiming-weights"):
            parts.append(rng.normal(0, (2 / fan_in) ** 0.5, size))
        else:
            a = (6 / (fan_in + fan_out)) ** 0.5
            parts.append(rng.uniform(-a, a, size))
    theta = np.concatenate(parts)
    scales = getattr(network, "scales", None)
    if scales is not None:
        theta[scales] = 1.0
    return theta


def start(plan: Plan, runs) -> Trainings:
    """The trainings of these numbers before their first step, evaluated."""
    settings, network = plan.settings, plan.task.network
    theta = np.array(
        [initial(network, settings.initialisation, generator(settings, run, 0)) for run in runs],
        settings.precision,
    )
    records = {}
    for name, values in measure(plan, theta).items():
        records[name] = np.full((len(theta), settings.epochs + 1), np.nan)
        records[name][:, 0] = values
    return Trainings(
        runs=np.asarray(runs, np.int64),
        theta=theta,
        memory=np.zeros((memory_size(settings), *theta.shape), theta.dtype),
        epoch=0,
        batch=0,
        diverged=np.full(len(theta), -1, np.int64),
        records=records,
    )


def gradient(plan: Plan, theta, x, y):
    """Gradient ``(R, P)`` of the mean loss over the rows ``x (N, ...)``, or ``(R, N, ...)``.

    Second the outputs ``(R, N, ...)``, of which the loss itself is known too.
    """
    xp = plan.device.xp
    outputs, tape = plan.task.network.forward(xp, theta, x)
    return plan.task.network.backward(xp, plan.loss_back(xp, outputs, y), tape), outputs


def check_room(plan: Plan, trainings: int) -> None:
    """Whether so many trainings fit on the device of the plan, and its network runs there.

    Raises:
        DeviceError: too little memory, or a network that runs in NumPy only.
    """
    device, network = plan.device, plan.task.network
    x, y = (part[: plan.batch_size] for part in plan.data[:2])

    def work(R: int) -> None:
        theta = device.put(np.zeros((R, network.n_parameters), plan.settings.precision))
        gradient(plan, theta, x, y)

    own = (2 + memory_size(plan.settings)) * 8 * network.n_parameters
    device.room(work, trainings, own, f"trainings of '{plan.task.name}'")


def advance(plan: Plan, state: Trainings, stop: Callable[[], bool] = lambda: False) -> Trainings:
    """All trainings to the end of the current epoch, or to the minibatch at which ``stop()``.

    Every training visits the rows in a random order of its own, minibatch by minibatch. At the end
    of the epoch the whole training and test set are evaluated; by ``train_loss = "running-mean"``
    the train loss on record is the mean of the minibatches' losses, each before its step, instead
    (in the midst of an epoch the record holds their sum). A training whose loss or parameters are
    then not finite, or whose ln(train loss) is more than :data:`EXPLODED` above its start, has
    diverged: it stays at zero from there, its records are NaN.

    The state is in NumPy before and after; on a device, within an epoch, nothing is read back.
    """
    with plan.device.using():
        return _advanced(plan, state, stop)


def _advanced(plan: Plan, state: Trainings, stop: Callable[[], bool]) -> Trainings:
    device, (x, y) = plan.device, plan.data[:2]
    theta, memory = device.put(state.theta), device.put(state.memory)
    R, N, B = len(state.theta), plan.n_train, plan.batch_size
    done = state.batch
    running = record = None
    if plan.settings.train_loss == "running-mean":
        record = state.records["ln-train-loss"][:, state.epoch + 1]
        if done == 0:
            record[:] = 0
        running = device.put(record)

    def so_far() -> Trainings:
        if running is not None:
            record[:] = device.host(running)
        return state._replace(theta=device.host(theta), memory=device.host(memory), batch=done)

    with np.errstate(all="ignore"):  # of trainings that diverge; they are found below
        if B < N:
            epoch = state.epoch + 1
            order = [generator(plan.settings, run, epoch).permutation(N) for run in state.runs]
            order = device.put(np.array(order) if R > 1 else order[0])
        while done < plan.n_batches:
            if done > state.batch and stop():
                return so_far()
            rows = order[..., done * B : (done + 1) * B] if B < N else slice(None)
            slope, outputs = gradient(plan, theta, x[rows], y[rows])
            if running is not None:
                loss = plan.loss(device.xp, outputs, y[rows])
                running += loss * (min((done + 1) * B, N) - done * B)
            step = state.epoch * plan.n_batches + done + 1
            plan.update(device.xp, theta, slope, memory, step, plan.settings)
            done += 1
        return _recorded(plan, so_far())


def _recorded(plan: Plan, state: Trainings) -> Trainings:
    """The state with one epoch more on record, and diverged trainings put to rest."""
    found = measure(plan, state.theta)
    if plan.settings.train_loss == "running-mean":
        sums = state.records["ln-train-loss"][:, state.epoch + 1]
        found["ln-train-loss"] = np.log(sums / plan.n_train)
    x, begun = found["ln-train-loss"], state.records["ln-train-loss"][:, 0]
    lost = ~np.isfinite(state.theta).all(axis=1) | ~(x < begun + EXPLODED)
    diverged = np.where(lost & (state.diverged < 0), state.epoch + 1, state.diverged)
    resting = diverged >= 0
    state.theta[resting] = 0
    state.memory[:, resting] = 0
    for name, values in found.items():
        state.records[name][:, state.epoch + 1] = np.where(resting, np.nan, values)
    return state._replace(epoch=state.epoch + 1, batch=0, diverged=diverged)


def measure(plan: Plan, theta) -> dict[str, np.ndarray]:
    """The recorded numbers ``(R,)`` of networks ``theta (R, P)``, in float64.

    ln of the mean train and test loss (-inf where it is 0), and for labels the test accuracy and
    the smoothed one, Eq. (2), with the task's alpha.
    """
    x_train, y_train, x_test, y_test = plan.data
    with np.errstate(divide="ignore"), plan.device.using():
        theta = plan.device.put(theta)
        found = [
            np.log(_mean(plan, theta, x_train, y_train, [plan.loss])[0]),
            *_mean(plan, theta, x_test, y_test, _test_measures(plan)),
        ]
        found[1] = np.log(found[1])
    return dict(zip(NAMES, found, strict=False))


def _test_measures(plan: Plan) -> list[Callable]:
    if plan.task.loss == "squared-error":
        return [plan.loss]

    def smoothed(xp, outputs, labels):
        return losses.smoothed_accuracy(xp, outputs, labels, plan.task.alpha)

    return [plan.loss, losses.accuracy, smoothed]


def _mean(plan: Plan, theta, x, y, functions) -> list[np.ndarray]:
    """Means ``(R,)`` over all rows of x, evaluated in parts that fit the memory."""
    widest = max(shape[0] for shape in plan.task.network.layout.shapes)
    part = max(1, EVALUATED // (len(theta) * widest))
    totals = [0.0] * len(functions)
    for first in range(0, len(x), part):
        rows = slice(first, first + part)
        outputs, _ = plan.task.network.forward(plan.device.xp, theta, x[rows])
        for k, function in enumerate(functions):
            values = function(plan.device.xp, outputs, y[rows]).astype(np.float64)
            totals[k] = totals[k] + values * len(y[rows])
    return [plan.device.host(total / len(x)) for total in totals]
