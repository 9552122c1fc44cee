"""Which task needs which files, what they must look like and where to get them.

It calls the readers and knows no format itself.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.readers import cifar, house, mnist, polymer


class Need(NamedTuple):
    """What a task needs: the file in words, its look, its origin; and how to find it."""

    wanted: str
    looks: str
    origin: str
    locate: object  # path of the user -> the file that is read; UserError without one


FILES = {
    "house-price": Need(
        house.WANTED,
        "CSV, 1460 rows below the header: Id, 79 descriptors, SalePrice; missing values are NA",
        "Kaggle, competition 'house-prices-advanced-regression-techniques', file train.csv",
        house.locate_house,
    ),
    "polymer": Need(
        polymer.WANTED,
        "CSV with the header smiles,value; with --embedding FILE 768 numbers for each row (npz, "
        "npy or CSV), otherwise hashed n-grams of the SMILES text",
        "the public code of TransPolymer, data/Egb.csv (561 polymers, bulk band gap in eV)",
        polymer.locate_polymer,
    ),
    "mnist": Need(
        mnist.WANTED,
        "IDX files (images: magic number 2051, labels: 2049), raw or .gz; or npz with x_train and "
        "y_train, or x, y and index",
        "the package itself holds the 500 images of the published runs; other selections need the "
        "training set, which every deep-learning library downloads",
        mnist.locate_mnist,
    ),
    "cifar": Need(
        cifar.WANTED,
        "python batches data_batch_1 to 5, binary batches data_batch_1.bin to 5, their .tar.gz, or "
        "npz with x (N, 32, 32, 3) and cifar_label (N,)",
        "A. Krizhevsky's CIFAR-10 page at the University of Toronto",
        cifar.locate_cifar,
    ),
}
SHIPPED = ("mnist",)  # tasks that need no file of the user


def ask(name: str) -> UserError:
    """The sentence for a task whose file was not given."""
    need = FILES[name]
    return UserError(
        f"task '{name}' needs --data PATH: {need.wanted}, from {need.origin}; see 'wlnn data'."
    )


def locate(name: str, data) -> Path | None:
    """The file that is read for a task; None where what comes with the package serves.

    Raises:
        UserError: none was given, or there is no such file.
    """
    if data is None and name in SHIPPED:
        return None
    if data is None:
        raise ask(name)
    return FILES[name].locate(data)


def read(name: str, draw, data=None, embedding=None) -> Dataset:
    """The data set of a task in :data:`FILES`.

    Args:
        draw: ``settings.DataSettings``.
        data, embedding: paths of the user, or None.

    Raises:
        UserError: as the reader of the task.
    """
    path = locate(name, data)
    if embedding is not None and name != "polymer":
        raise UserError(f"task '{name}' has no embedding; --embedding goes with polymer.")
    points = {"points": draw.points, "test_points": draw.test_points or draw.points}
    if name in ("mnist", "cifar"):
        return (mnist.read_mnist if name == "mnist" else cifar.read_cifar)(path, draw)
    if name == "house-price":
        return house.read_house(path, draw.seed, **points)
    return polymer.read_polymer(path, embedding, draw.seed, **points, scale=draw.scale)


def paths(task: str, data=None, embedding=None) -> dict[str, Path]:
    """The files that a task reads, by option name; empty where those of the package serve."""
    found = {} if data is None else {"data": locate(task, data)}
    if embedding is not None:
        found["embedding"] = polymer.embedding_file(embedding)
    return found
