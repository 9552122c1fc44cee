"""SGD and Adam beside the searches."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from wlnn.canonical.search import Search
from wlnn.settings.tables import Settings


def train(
    task,
    settings: Settings,
    optimizer: str,
    directory=None,
    processes=1,
    report=None,
    metric=None,
    executor=None,
    make_task=None,
    device=None,
) -> Search:
    """SGD or Adam with as many epochs as gradient evaluations; ``metric`` is one of its records.

    The rate and minibatch are those of the task's table if they are of that optimiser, and else
    the rate of the section "seek" and the whole set.
    """
    from wlnn.training.run import train_many

    own, table = settings.seek, settings.train
    changes = {"epochs": own.evaluations, "runs": own.runs, "seed": own.seed}
    if table.optimizer != optimizer:
        rate = getattr(own, f"{optimizer}_rate")
        changes |= {"optimizer": optimizer, "learning_rate": rate, "batch_size": 0}
    folder = None if directory is None else Path(directory) / optimizer
    found = train_many(
        task, replace(table, **changes), folder, processes, report,
        make_task=make_task, executor=executor, device=device,
    )  # fmt: skip
    usual = "ln-test-loss" if task.loss == "squared-error" else "test-accuracy"
    x, y = found.metric("ln-train-loss"), found.metric(metric or usual)
    accuracy = found.metric("test-accuracy") if metric == "smoothed-accuracy" else None
    every = max(1, x.shape[1] // 2000)
    return Search(
        optimizer,
        np.arange(1, x.shape[1] + 1)[every - 1 :: every],
        x[:, every - 1 :: every],
        y[:, every - 1 :: every],
        np.zeros(0),
        None if accuracy is None else accuracy[:, every - 1 :: every],
    )
