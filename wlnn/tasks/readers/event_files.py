"""Scalars of TensorBoard's event files, read by the package ``tensorboard`` (extra "tensorboard").

The package is imported when such a file is read; what the scalars mean is decided elsewhere.
"""

from __future__ import annotations

import logging
from pathlib import Path

from wlnn.base.errors import UserError

KEEP_ALL = {"scalars": 0, "tensors": 0}  # the package thins out long curves otherwise
PATTERN = "*tfevents*"


def read_scalars(path: Path) -> dict[str, tuple[list[float], list[float]]]:
    """Steps and values by tag, of one file, or of all files in and below a folder.

    Tags of folders below have their folder before them: "validation/epoch_loss".

    Raises:
        UserError: without the package, no such file, or none with a scalar.
    """
    if not path.exists():
        raise UserError(f"{path}: there is no such file or folder.")
    places = [path]
    if path.is_dir():
        places = sorted({file.parent for file in path.rglob(PATTERN) if file.is_file()})
        if not places:
            raise UserError(
                f"{path}: the folder holds no event file of TensorBoard (events.out.tfevents...); "
                "of other logs give the files, as in 'logs/*.csv'."
            )
    accumulator = _accumulator()
    found: dict[str, tuple[list[float], list[float]]] = {}
    for place in places:
        before = "" if place == path else f"{place.relative_to(path).as_posix()}/"
        for tag, events in _scalars(accumulator, place).items():
            found[before + tag] = [step for step, _ in events], [value for _, value in events]
    if not found:
        raise UserError(
            f"{path}: holds no scalar of TensorBoard; it may be cut short, or no event file."
        )
    return found


def _accumulator():
    try:
        from tensorboard.backend.event_processing import event_accumulator
    except ImportError as error:
        raise UserError(
            "event files of TensorBoard need the package tensorboard: pip install "
            f"'wlnn[tensorboard]' ({error})."
        ) from error
    return event_accumulator


def _scalars(accumulator, place: Path) -> dict[str, list[tuple[float, float]]]:
    """(step, value) by tag, old scalars and those that are tensors alike."""
    from tensorboard.util import tensor_util

    level = logging.getLogger("tensorboard").level
    logging.getLogger("tensorboard").setLevel(logging.ERROR)  # it tells of restarts and of its pace
    try:
        events = accumulator.EventAccumulator(str(place), size_guidance=KEEP_ALL).Reload()
    finally:
        logging.getLogger("tensorboard").setLevel(level)
    tags = events.Tags()
    found = {tag: [(e.step, e.value) for e in events.Scalars(tag)] for tag in tags["scalars"]}
    for tag in tags["tensors"]:
        if events.SummaryMetadata(tag).plugin_data.plugin_name == "scalars":
            values = (
                (e.step, tensor_util.make_ndarray(e.tensor_proto)) for e in events.Tensors(tag)
            )
            found[tag] = [(step, float(value)) for step, value in values if value.ndim == 0]
    return found
