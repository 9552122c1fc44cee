"""Handwritten digits: MNIST's IDX files, Keras' ``mnist.npz``, or a selection as an npz file.

The 500 images of the published runs come with the package (``wlnn/data``, CC BY-SA 3.0,
Y. LeCun and C. Cortes).
"""

from __future__ import annotations

import struct
from importlib import resources
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.readers import files
from wlnn.tasks.readers.images import Pool, checked_labels, image_dataset

WANTED = "MNIST's training images (train-images-idx3-ubyte, .gz or not, or mnist.npz)"
LABELS = "MNIST's training labels (train-labels-idx1-ubyte, .gz or not)"
NAMES = (
    "train-images-idx3-ubyte",
    "train-images-idx3-ubyte.gz",
    "train-images.idx3-ubyte",
    "train-images.idx3-ubyte.gz",
    "mnist.npz",
    "mnist*.npz",
)
IMAGE_MAGIC, LABEL_MAGIC = 2051, 2049
SIDE, ALL = 28, 60_000


def published_images() -> np.ndarray:
    """Places in the training file of the published 500: the first 250 train (published run)."""
    return np.random.RandomState(1).permutation(ALL)[ALL - 500 :]


def read_idx(path, magic: int, wanted: str) -> np.ndarray:
    """Array of bytes in an IDX file, gzipped or not: images ``(N, 28, 28)`` or labels ``(N,)``.

    Raises:
        UserError: another magic number, another image size, or fewer or more bytes than the header
            says.
    """
    contents = files.read_bytes(path, wanted)
    sizes = 3 if magic == IMAGE_MAGIC else 1
    if len(contents) < 4 + 4 * sizes:
        raise UserError(f"{path}: the file is cut short within its header; {wanted} is needed.")
    found, *shape = struct.unpack(f">{1 + sizes}I", contents[: 4 + 4 * sizes])
    if found != magic:
        what = {IMAGE_MAGIC: " (that of images)", LABEL_MAGIC: " (that of labels)"}.get(found, "")
        raise UserError(
            f"{path}: begins with the magic number {found}{what} instead of {magic}; {wanted} is "
            "needed."
        )
    if shape[1:] not in ([], [SIDE, SIDE]):
        raise UserError(
            f"{path}: images of {shape[1]} x {shape[2]} pixels; {SIDE} x {SIDE} needed."
        )
    data = contents[4 + 4 * sizes :]
    if len(data) != int(np.prod(shape, dtype=object)):
        raise UserError(
            f"{path}: the header announces {shape[0]} items, {int(np.prod(shape, dtype=object))} "
            f"bytes, and {len(data)} follow; the file is cut short or damaged."
        )
    return np.frombuffer(data, np.uint8).reshape(shape)


def digits(path) -> Pool:
    """All images of a file or folder; None stands for those that come with the package.

    Raises:
        UserError: no such file, or one that is no MNIST training set; labels that are missing, not
            as many as images, or not 0..9.
    """
    if path is None:
        path = resources.files("wlnn.data") / "mnist_selected500.npz"
    path = locate_mnist(path)
    index = None
    if path.suffix == ".npz":
        arrays = files.read_arrays(path, WANTED)
        names = next(
            (n for n in (("x_train", "y_train"), ("x", "y")) if set(n) <= set(arrays)), None
        )
        if names is None:
            raise UserError(
                f"{path}: holds {', '.join(arrays) or 'nothing'} instead of x_train and y_train "
                "(or x and y)."
            )
        images, labels = (arrays[name] for name in names)
        index = arrays.get("index")
    else:
        images = read_idx(path, IMAGE_MAGIC, WANTED)
        labels = read_idx(_labels_beside(path), LABEL_MAGIC, LABELS)
    if images.ndim != 3 or images.shape[1:] != (SIDE, SIDE) or images.dtype != np.uint8:
        raise UserError(
            f"{path}: images of shape {images.shape} and type {images.dtype}; bytes of (N, {SIDE}, "
            f"{SIDE}) are needed."
        )
    labels = checked_labels(labels, len(images), path)
    if index is None:
        index = np.arange(len(images))
    if index.shape != labels.shape or index.dtype.kind not in "iu":
        raise UserError(f"{path}: 'index' must hold a whole number for each image.")
    return Pool(images[:, None], labels, index, path.name)


def _labels_beside(path: Path) -> Path:
    """The file of labels that goes with a file of images, gzipped or not."""
    name = path.name.replace("images", "labels").replace("idx3", "idx1")
    stem = name.removesuffix(".gz")
    for candidate in (stem, f"{stem}.gz"):
        if candidate != path.name and (path.parent / candidate).is_file():
            return path.parent / candidate
    raise UserError(f"{path}: there is no {stem} beside it (.gz or not); {LABELS} is needed.")


def read_mnist(path, draw) -> Dataset:
    """Digits for training and for testing, ``(N, 1, 28, 28)``.

    Args:
        path: a file, a folder, or None for what comes with the package.
        draw: ``settings.DataSettings``: selection, seed, points, test_points, scale.

    Raises:
        UserError: as :func:`digits` and :func:`wlnn.tasks.readers.images.image_dataset`.
    """
    return image_dataset(digits(path), draw, published_images(), {})


def locate_mnist(path) -> Path:
    """The file that ``path`` names, or that its folder holds."""
    return files.beside(path, NAMES, WANTED)
