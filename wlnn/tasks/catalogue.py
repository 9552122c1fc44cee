"""The tasks by name, with data, network and settings of their tables."""

from __future__ import annotations

from collections.abc import Sequence

from wlnn.base.errors import UserError
from wlnn.networks.fnn import FNN
from wlnn.networks.images import CNN, ResNet10
from wlnn.settings.tables import Settings, read_table
from wlnn.settings.unread import refuse_of_task
from wlnn.tasks import datasets
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.problem import Problem
from wlnn.tasks.readers import catalogue
from wlnn.tasks.task import Task, make_grid

TASKS = {
    "spiral-classify": "two spirals told apart by a 2-W-..-W-2 ReLU network (paper, Fig. 1)",
    "spiral-regress": "a spiral surface learnt by a 2-W-W-1 ReLU network (paper, Fig. 3)",
    "context-select": "one of K inputs selected by context; gated linear or ReLU units, S(ln L)",
    "house-price": "prices of houses, 331-W-1 (paper, Figs. 2(a), 7); needs a file: wlnn data",
    "mnist": "digits, a convolutional network of 2 to 4 channels (paper, Figs. 2(b), 8)",
    "polymer": "band gaps of polymers, 768-W-1 (paper, Figs. 2(c), 9, 10); needs a file",
    "cifar": "photographs of two classes, ResNet-10 (paper, Fig. 6); needs a file",
}


def load_task(
    name: str,
    seed: int | None = None,
    settings: Settings | None = None,
    data=None,
    embedding=None,
    **options,
) -> Task | Problem:
    """One of :data:`TASKS`, with the settings of its table unless told otherwise.

    ``context-select`` has no test set: it is a :class:`Problem` in x = ln L alone.

    Examples:
        >>> import wlnn
        >>> task = wlnn.load_task("spiral-classify", seed=3, layers=2, width=8)
        >>> task.network.sizes
        (2, 8, 8, 2)

    Args:
        name: e.g. "spiral-classify".
        seed: data seed; None keeps that of the settings.
        settings: from :func:`wlnn.settings.tables.read_table`; None reads the default preset.
        data: file or folder that holds the data of a task that needs one, see `wlnn data`.
        embedding: of "polymer" only, see :func:`wlnn.tasks.readers.polymer.read_polymer`.
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
        from wlnn.tasks.context_select import problem_of_settings

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
        grid=make_grid(settings.grid, len(data.y_test), len(data.y_train)),
        x=settings.grid.x,
        y=settings.grid.y,
        loss="cross-entropy" if data.classes else "squared-error",
        alpha=settings.grid.alpha,
        bound_rule=settings.network.bound_rule,
        bound_factor=settings.network.bound_factor,
        prior=settings.network.prior,
        sigma=settings.network.sigma,
    )
