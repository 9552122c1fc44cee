"""Photographs of two classes: the CIFAR-10 training set as python batches, binary, or npz.

The python batches are pickles. They are read by an unpickler that knows five names, those of the
arrays expected, and gives each a stand-in of its own that only records: nothing that a file names
is ever run. Whatever else a file asks for is refused, and so is a file that would make the
unpickler take memory that its own bytes do not account for.
"""

from __future__ import annotations

import io
import pickle
import pickletools
import tarfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.datasets import Dataset
from wlnn.tasks.readers import files
from wlnn.tasks.readers.images import Pool, checked_labels, image_dataset

WANTED = (
    "CIFAR-10's training set (cifar-10-python.tar.gz, cifar-10-binary.tar.gz, or the folder that "
    "either makes)"
)
CLASSES = (
    "airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck",
)  # fmt: skip
BATCHES, EACH = 5, 10_000
PAIR = 10_000  # images of two classes in the whole set
SHAPE = (3, 32, 32)
BYTES = 3 * 32 * 32
PYTHON_NAMES = [f"data_batch_{k + 1}" for k in range(BATCHES)]
BINARY_NAMES = [f"{name}.bin" for name in PYTHON_NAMES]


class _Kind:
    """Stand-in for a type of numbers: remembers its code."""

    def __init__(self, code="", *_):
        self.code = code.decode("latin1") if isinstance(code, bytes) else code

    def __setstate__(self, _):
        """Byte order and fields: of no meaning for bytes, the only kind that is taken."""


class _Array:
    """Stand-in for an array: remembers shape, kind and bytes."""

    shape, kind, contents = (), None, b""

    def __setstate__(self, state):
        _, self.shape, self.kind, _, self.contents = state


def _array(*_):
    return _Array()


_KNOWN = {
    ("numpy.core.multiarray", "_reconstruct"): _array,
    ("numpy._core.multiarray", "_reconstruct"): _array,
    ("numpy", "ndarray"): _Array,
    ("numpy", "dtype"): _Kind,
}
MOST_BYTES = 2**26  # a batch has 31 MB of images and some names
MOST_STEPS = 1_000_000  # of the unpickler; a batch takes some 60,000
PLACES = ("BINPUT", "LONG_BINPUT", "PUT")  # whose argument is a place in a table of objects


class _RefusedError(Exception):
    """A pickle asks for something that a batch of images does not need."""


class _ArrayUnpickler(pickle.Unpickler):
    encoded = 0  # bytes so far: one text can be asked for any number of times

    def find_class(self, module, name):
        if (module, name) == ("_codecs", "encode"):
            return self.as_bytes
        if (module, name) not in _KNOWN:
            raise _RefusedError(f"it asks for {module}.{name}")
        return _KNOWN[module, name]

    def as_bytes(self, text, coding="latin1"):
        """Bytes as Python 3 writes them for readers of protocol 2."""
        if coding != "latin1" or not isinstance(text, str):
            raise _RefusedError("it has bytes in another coding than latin1")
        self.encoded += len(text)
        if self.encoded > MOST_BYTES:
            raise _RefusedError("it asks for more bytes than it has")
        return text.encode("latin1")

    def persistent_load(self, pid):
        raise _RefusedError("it refers to objects elsewhere")


def _look_through(contents: bytes) -> None:
    """Read the steps of a pickle without doing them: ten bytes can ask for a table of 4 GB."""
    if len(contents) > MOST_BYTES:
        raise _RefusedError(f"it has {len(contents):,} bytes")
    for step, (code, argument, _) in enumerate(pickletools.genops(contents)):
        if step > MOST_STEPS or (code.name in PLACES and argument > MOST_STEPS):
            raise _RefusedError("it asks for more places than it has objects")


class Batch(NamedTuple):
    """One file of the set: images ``(N, 3, 32, 32)`` uint8 and labels ``(N,)``."""

    images: np.ndarray
    labels: np.ndarray


def python_batch(contents: bytes, where) -> Batch:
    """The batch in a pickle, without running anything that it names.

    Raises:
        UserError: cut short, no pickle, one that asks for anything but arrays of bytes, or other
            contents than 10,000 images and labels.
    """
    try:
        _look_through(contents)
        found = _ArrayUnpickler(io.BytesIO(contents), encoding="bytes").load()
    except _RefusedError as error:
        raise UserError(
            f"{where}: is no python batch of CIFAR-10: {error}, which a batch of images does not "
            "need, and is not loaded."
        ) from error
    except Exception as error:  # a damaged pickle raises whatever its bytes happen to say
        raise UserError(
            f"{where}: is no python batch of CIFAR-10: the file is cut short or damaged."
        ) from error
    if not isinstance(found, dict):
        raise UserError(f"{where}: holds no dictionary; a python batch of CIFAR-10 is needed.")
    named = {key.decode("latin1") if isinstance(key, bytes) else key: v for key, v in found.items()}
    data, labels = named.get("data"), named.get("labels")
    if not isinstance(data, _Array) or not isinstance(labels, list):
        raise UserError(f"{where}: lacks 'data' or 'labels'; a batch of CIFAR-10 has both.")
    code = data.kind.code if isinstance(data.kind, _Kind) else "?"
    sound = isinstance(data.contents, bytes) and len(data.contents) == EACH * BYTES
    if data.shape != (EACH, BYTES) or code not in ("u1", "|u1", "uint8") or not sound:
        raise UserError(
            f"{where}: 'data' is of shape {data.shape} and type {code}; ({EACH}, {BYTES}) bytes "
            "(u1) are needed."
        )
    if len(labels) != EACH or not all(type(label) is int for label in labels):
        raise UserError(f"{where}: 'labels' must be {EACH} whole numbers.")
    images = np.frombuffer(data.contents, np.uint8).reshape(EACH, *SHAPE)
    return Batch(images, checked_labels(np.array(labels), EACH, where))


def binary_batch(contents: bytes, where) -> Batch:
    """The batch in a binary file: a label and 3072 bytes of each of 10,000 images.

    Raises:
        UserError: another length, or labels that are not 0..9.
    """
    if len(contents) != EACH * (1 + BYTES):
        raise UserError(
            f"{where}: has {len(contents)} bytes instead of {EACH * (1 + BYTES)}; the file is cut "
            "short, or no binary batch of CIFAR-10."
        )
    rows = np.frombuffer(contents, np.uint8).reshape(EACH, 1 + BYTES)
    images = rows[:, 1:].reshape(EACH, *SHAPE)
    return Batch(images, checked_labels(rows[:, 0], EACH, where))


def photographs(path, classes: tuple[int, int]) -> Pool:
    """The images of two classes in file order, from a folder, an archive or an npz file.

    An npz file holds x ``(N, 32, 32, 3)`` or ``(N, 3, 32, 32)`` bytes and cifar_label ``(N,)``; it
    counts as the whole training set only if it has all 10,000 images of the pair.

    Raises:
        UserError: as the readers above; a class that the file lacks.
    """
    path = locate_cifar(path)
    if path.suffix == ".npz":
        images, labels = _npz(path)
    else:
        batches = list(_batches(path))
        images = np.concatenate([batch.images for batch in batches])
        labels = np.concatenate([batch.labels for batch in batches])
    chosen = np.flatnonzero(np.isin(labels, classes))
    for label in classes:
        if not (labels == label).any():
            raise UserError(f"{path}: has no image of class {label} ({CLASSES[label]}).")
    index = np.arange(len(chosen))
    if len(chosen) < PAIR:
        index = -1 - index  # a part of the set: its places in the whole are not known
    return Pool(images[chosen], (labels[chosen] == classes[1]).astype(np.int64), index, path.name)


def _npz(path: Path) -> tuple[np.ndarray, np.ndarray]:
    arrays = files.read_arrays(path, WANTED)
    if not {"x", "cifar_label"} <= set(arrays):
        raise UserError(f"{path}: holds {', '.join(arrays)} instead of x and cifar_label.")
    images, labels = arrays["x"], arrays["cifar_label"]
    if images.ndim == 4 and images.shape[1:] == (32, 32, 3):
        images = images.transpose(0, 3, 1, 2)
    if images.ndim != 4 or images.shape[1:] != SHAPE or images.dtype != np.uint8:
        raise UserError(
            f"{path}: images of shape {images.shape} and type {images.dtype}; bytes of (N, 32, 32, "
            "3) are needed."
        )
    return images, checked_labels(labels, len(images), path)


def _batches(path: Path):
    """The five batches of the folder or archive, in order."""
    if path.suffix in (".gz", ".tar", ".tgz"):
        yield from _archived(path)
        return
    if path.name not in (*PYTHON_NAMES, *BINARY_NAMES):
        raise UserError(f"{path}: is no batch, archive or npz file of images; {WANTED} is needed.")
    folder = path.parent
    binary = path.suffix == ".bin"
    for name in BINARY_NAMES if binary else PYTHON_NAMES:
        contents = files.read_bytes(folder / name, WANTED)
        yield (binary_batch if binary else python_batch)(contents, folder / name)


def _archived(path: Path):
    contents = files.read_bytes(path, WANTED)  # tells a pointer, or a gzip stream cut short
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(contents)) as archive:
            for member in archive:
                name = Path(member.name).name
                if name in (*PYTHON_NAMES, *BINARY_NAMES) and member.isfile():
                    if member.size > MOST_BYTES:  # a sparse one costs no bytes in the archive
                        raise UserError(
                            f"{path}: {name} has {member.size:,} bytes; {WANTED} is needed."
                        )
                    found[name] = archive.extractfile(member).read()
    except UserError:
        raise
    except Exception as error:  # a damaged archive raises whatever its bytes happen to say
        raise UserError(
            f"{path}: the archive is cut short or damaged; download it again."
        ) from error
    for names, read in ((PYTHON_NAMES, python_batch), (BINARY_NAMES, binary_batch)):
        if set(names) <= set(found):
            for name in names:
                yield read(found[name], f"{path}, {name}")
            return
    lacking = [name for name in PYTHON_NAMES if name not in found]
    raise UserError(f"{path}: lacks {lacking[0]}; {WANTED} is needed.")


def published_photographs() -> np.ndarray:
    """Places among the 10,000 images of a pair of the published 5000; the first 2500 train."""
    return np.random.RandomState(1).permutation(PAIR)[PAIR // 2 :]


def read_cifar(path, draw) -> Dataset:
    """Photographs for training and for testing, ``(N, 3, 32, 32)``; labels 0 and 1.

    Args:
        path: a folder, an archive or an npz file.
        draw: ``settings.DataSettings``: both classes, selection, seed, points, test_points, scale.

    Raises:
        UserError: as :func:`photographs` and ``images.image_dataset``; one class
            given twice.
    """
    classes = (draw.first_class, draw.second_class)
    if classes[0] == classes[1]:
        raise UserError(f"--classes {classes[0]},{classes[1]}: two different classes are needed.")
    about = {"classes": list(classes), "class_names": [CLASSES[label] for label in classes]}
    return image_dataset(photographs(path, classes), draw, published_photographs(), about)


def locate_cifar(path) -> Path:
    """The file that ``path`` names, or the archive, first batch or npz file that a folder holds."""
    inside = [f"{folder}{name}" for name in ("data_batch_1", "data_batch_1.bin")
              for folder in ("", "cifar-10-batches-py/", "cifar-10-batches-bin/")]  # fmt: skip
    return files.beside(path, (*inside, "cifar-10-*.tar.gz", "cifar*.npz"), WANTED)
