"""Parameters of networks as tensors by name, in memory and in files. Nothing is evaluated."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch

from wlnn.base import store
from wlnn.base.errors import UserError
from wlnn.networks.parameters import packed
from wlnn.tasks.readers.files import read_arrays

WRAPPED = ("state_dict", "model_state_dict", "model")  # in checkpoints of training loops


def theta_from_state_dict(network, state: Mapping) -> np.ndarray:
    """The parameter vector ``(P,)`` of a network's tensors, given by name as ``state_dict`` does.

    Names are those of ``network.layout``; under others, the tensors are taken in their order.

    Raises:
        UserError: other shapes, no tensors by name, or tensors that hold no real numbers.
    """
    return packed(network.layout, state_arrays(state, "state_dict"), "state_dict")


def state_arrays(state: Mapping, where) -> dict[str, np.ndarray]:
    """Tensors of any device and precision as arrays of doubles; ``where`` they are from, in words.

    Raises:
        UserError: no tensors by name, or tensors that hold no real numbers.
    """
    if not isinstance(state, Mapping):
        raise UserError(
            f"{where}: tensors by name are needed, as module.state_dict() gives them, not a "
            f"{type(state).__name__}."
        )
    return {name: _numbers(name, tensor, where) for name, tensor in state.items()}


def _numbers(name: str, given, where) -> np.ndarray:
    try:
        tensor = torch.as_tensor(given).detach()
        if tensor.is_complex():
            raise TypeError("complex numbers")
        return tensor.to_dense().to("cpu", torch.float64).numpy()
    except (TypeError, ValueError, RuntimeError) as error:
        told = (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
        raise UserError(f"{where}: '{name}' is no tensor of real numbers ({told}).") from error


def state_dict_from_theta(network, theta, like: Mapping | None = None) -> dict[str, torch.Tensor]:
    """What ``load_state_dict`` takes, of one network ``theta (P,)``.

    ``like``: a ``state_dict`` that has the names, where the network was not made by
    :func:`from_torch`; the tensors must be those of ``network.layout``, in this order.

    Raises:
        UserError: another number of parameters, or tensors of other shapes.
    """
    theta = np.asarray(theta, dtype=float)
    if theta.shape != (network.n_parameters,):
        raise UserError(
            f"theta: an array of shape ({network.n_parameters},) is needed, not {theta.shape}."
        )
    names = network.layout.names
    if like is not None:
        theta_from_state_dict(network, like)
        names = tuple(like)
    return {
        name: torch.tensor(view, dtype=torch.float32)
        for name, view in zip(names, network.layout.views(theta), strict=True)
    }


def read_state_dict(path) -> dict[str, torch.Tensor]:
    """The ``state_dict`` of a file: pt, pth or ckpt, or npz, as ``wlnn networks --out`` writes it.

    Tensors alone are read (``weights_only=True``): nothing of a file is run.

    Raises:
        UserError: no such file, or something else in it than tensors by name.
    """
    path = Path(path)
    if path.suffix == ".npz":
        arrays = read_arrays(path, "an npz file of tensors by name")
        for other in ("theta", "wlnn_meta"):
            arrays.pop(other, None)
        return {name: torch.from_numpy(np.asarray(array)) for name, array in arrays.items()}
    if not path.is_file():
        raise UserError(f"{path}: there is no such file.")
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise UserError(
            f"{path}: holds more than tensors, or is no file of PyTorch, and is not read: save "
            "model.state_dict() alone."
        ) from error
    for name in WRAPPED:
        if isinstance(found, Mapping) and isinstance(found.get(name), Mapping):
            found = found[name]
    if not isinstance(found, Mapping) or not found:
        raise UserError(f"{path}: holds no tensors by name; save model.state_dict().")
    for name, tensor in found.items():
        if not isinstance(tensor, torch.Tensor):
            raise UserError(
                f"{path}: '{name}' is no tensor but a {type(tensor).__name__}; save "
                "model.state_dict() alone."
            )
    return dict(found)


def save_state_dict(path, state: Mapping) -> Path:
    """Write tensors by name as a file of PyTorch, whole or not at all."""
    path = Path(path)
    tensors = {name: torch.as_tensor(np.asarray(tensor)) for name, tensor in state.items()}
    return store.write_file(path, lambda file: torch.save(tensors, file))
