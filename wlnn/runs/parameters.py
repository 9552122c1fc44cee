"""Networks that somebody has: parameter vectors out of the files that trainings leave.

Reads npy, npz and PyTorch's files, folders of them, and runs of ``wlnn train``. Evaluates nothing.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.networks.parameters import Layout, packed
from wlnn.networks.trees import theta_of_leaves
from wlnn.tasks.readers.files import read_arrays
from wlnn.training.trained import is_trained

WANTED = (
    "an npy, npz or pt file of parameters (without PyTorch here: numpy.savez(FILE, **{name: "
    "tensor.numpy() for name, tensor in model.state_dict().items()}))"
)
TORCH = (".pt", ".pth", ".ckpt")  # a state_dict, of which tensors alone are read
META = "wlnn_meta"  # of files of this package, beside the arrays


class Named(NamedTuple):
    """A network by its parameters."""

    name: str
    theta: np.ndarray  # (P,)


def read_networks(path, layout: Layout | None, n_parameters: int) -> list[Named]:
    """All networks of a file, of a folder of such files (in the order of their numbers), or of a
    run of ``wlnn train`` (each training as it ended).

    A file holds vectors ``(P,)`` or ``(m, P)`` (an npy file, or the array "theta" of an npz file),
    or the tensors of one network: by the names of ``layout``, or under any other names in its order
    and of its shapes, as a ``state_dict`` of PyTorch has them (npz, or pt where PyTorch is); or the
    arrays of a tree of JAX by path, "params/Dense_0/kernel" (see ``networks/trees.py``).

    Raises:
        UserError: no such file, nothing of that kind in it, other shapes, numbers not finite.
    """
    path = Path(path)
    if not path.is_dir():
        return _read(path, layout, n_parameters)
    if is_trained(path):
        return _trained(path, n_parameters)
    files = [file for file in path.iterdir() if file.suffix in (".npy", ".npz", *TORCH)]
    if not files:
        raise UserError(f"{path}: the folder holds no npy, npz or pt file of parameters.")
    files.sort(key=lambda file: [int(part) if part.isdigit() else part
                                 for part in re.split(r"(\d+)", file.name)])  # fmt: skip
    return [network for file in files for network in _read(file, layout, n_parameters)]


def _trained(path: Path, n_parameters: int) -> list[Named]:
    found = []
    for file in sorted(path.glob("trainings-*.npz")):
        arrays, meta = store.load(file)
        first = meta.get("key", {}).get("trainings", [0])[0]
        for k, theta in enumerate(arrays["theta"]):
            if arrays["diverged"][k] < 0:
                found.append(Named(f"training {first + k}", _checked(file, theta, n_parameters)))
    if not found:
        raise UserError(f"{path}: holds no training that is still there.")
    return found


def _read(path: Path, layout: Layout | None, n_parameters: int) -> list[Named]:
    if path.suffix in TORCH:
        from wlnn.torch.weights import read_state_dict, state_arrays

        arrays = state_arrays(read_state_dict(path), path)
    else:
        arrays = read_arrays(path, WANTED)
    arrays.pop(META, None)
    if "" in arrays or "theta" in arrays:
        vectors = np.atleast_2d(arrays.get("", arrays.get("theta")))
        if vectors.ndim != 2 or vectors.shape[1] != n_parameters or not len(vectors):
            raise UserError(
                f"{path}: holds an array of shape {vectors.shape}; this task's networks have "
                f"{n_parameters} parameters."
            )
    else:
        if layout is None:
            raise UserError(
                f"{path}: this task has no tensors by name; give the vector as 'theta'."
            )
        if any("/" in name for name in arrays):  # a flattened tree of JAX
            leaves = {tuple(name.split("/")): array for name, array in arrays.items()}
            vectors = theta_of_leaves(layout, leaves, path)[None]
        else:
            vectors = packed(layout, arrays, path)[None]
    names = [path.name] if len(vectors) == 1 else [f"{path.name} {k}" for k in range(len(vectors))]
    return [
        Named(name, _checked(path, vector, n_parameters))
        for name, vector in zip(names, vectors, strict=True)
    ]


def _checked(path: Path, theta: np.ndarray, n_parameters: int) -> np.ndarray:
    if theta.shape != (n_parameters,):
        raise UserError(
            f"{path}: holds networks of {theta.size} parameters; this task's have {n_parameters}."
        )
    if theta.dtype.kind not in "fiu" or not np.isfinite(theta).all():
        raise UserError(f"{path}: holds parameters that are no finite numbers.")
    return theta.astype(float)
