"""What the two tasks of images have in common: which images are drawn, and how grey is scaled.

It reads no file.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset, seeded_split


class Pool(NamedTuple):
    """Images to draw from."""

    images: np.ndarray  # (N, C, H, W) uint8
    labels: np.ndarray  # (N,) int64
    index: np.ndarray  # (N,), place of each in the whole list that the published selection counts
    source: str


def checked_labels(labels: np.ndarray, n: int, where) -> np.ndarray:
    """Labels ``(n,)`` as int64; floats that are whole numbers are taken too.

    Raises:
        UserError: another number of labels than images, or labels that are not 0..9.
    """
    if labels.shape != (n,) or not n:
        raise UserError(f"{where}: {n} images need as many labels, not {labels.shape}.")
    whole = labels.dtype.kind in "iuO"  # "O": Python's numbers of more than 64 bits
    if not whole and not (labels.dtype.kind == "f" and (labels == np.round(labels)).all()):
        raise UserError(
            f"{where}: the labels are of type {labels.dtype}; whole numbers are needed."
        )
    if labels.min() < 0 or labels.max() > 9:
        raise UserError(f"{where}: the labels must be 0..9; there is {labels.max()}.")
    return labels.astype(np.int64)


def draw_images(
    pool: Pool, selection: str, seed: int, points: int, test_points: int, published: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Places in the pool of the training and of the test images.

    Args:
        selection: "seeded" shuffles the pool by ``seed``; "published" takes the first images of
            either half of ``published``, places in the whole list, in that order.

    Raises:
        UserError: more points than there are, or a pool that lacks images of the selection.
    """
    if selection == "seeded":
        return seeded_split(pool.source, len(pool.images), seed, points, test_points)
    half = len(published) // 2
    if not (1 <= points <= half and 1 <= test_points <= half):
        raise UserError(
            f"the published selection has {half} training and {half} test images, not {points} and "
            f"{test_points}; set data.points and data.test_points, or give --data-seed."
        )
    place = {int(number): k for k, number in enumerate(pool.index)}
    wanted = [*published[:points], *published[half : half + test_points]]
    missing = sum(int(number) not in place for number in wanted)
    if missing:
        raise UserError(
            f"{pool.source}: lacks {missing} of the {len(wanted)} images of the published "
            "selection; give the whole training set, or --data-seed 0 to draw from these."
        )
    found = np.array([place[int(number)] for number in wanted])
    return found[:points], found[points:]


def scaled_images(train: np.ndarray, test: np.ndarray, scale: str):
    """Grey values as floats: "raw" 0..255, "unit" 0..1, "standard" by mean and deviation.

    The mean and deviation are those of each channel over the training images. Shapes
    ``(N, C, H, W)``; both sets and the numbers used are returned.
    """
    train, test = train.astype(float), test.astype(float)
    if scale == "unit":
        return train / 255, test / 255, {}
    if scale == "standard":
        mean = train.mean(axis=(0, 2, 3), keepdims=True)
        std = train.std(axis=(0, 2, 3), keepdims=True)
        std = np.where(std > 0, std, 1.0)
        used = {"mean": mean.ravel().tolist(), "std": std.ravel().tolist()}
        return (train - mean) / std, (test - mean) / std, used
    return train, test, {}


def image_dataset(pool: Pool, draw, published: np.ndarray, about: dict) -> Dataset:
    """The data set that ``draw`` (``settings.DataSettings``) asks for; ``about`` joins its source.

    Raises:
        UserError: as :func:`draw_images`, or a class of the test set that training never shows.
    """
    test_points = draw.test_points or draw.points
    train, test = draw_images(pool, draw.selection, draw.seed, draw.points, test_points, published)
    unknown = np.setdiff1d(pool.labels[test], pool.labels[train])
    if unknown.size:
        raise UserError(
            f"{pool.source}: class {unknown[0]} is among the test images and not among the "
            f"{draw.points} training images; raise data.points or take another --data-seed."
        )
    x_train, x_test, used = scaled_images(pool.images[train], pool.images[test], draw.scale)
    source = {
        "file": pool.source,
        "selection": draw.selection,
        **({"seed": draw.seed} if draw.selection == "seeded" else {}),
        "points": draw.points,
        "test_points": test_points,
        "scale": draw.scale,
        **used,
        **about,
    }
    return Dataset(x_train, pool.labels[train], x_test, pool.labels[test], source)
