"""States of unfinished work on disk: arrays in groups, and what they are the state of.

One pair for every sampler. When to save, what a state means and whether its shapes fit are the
callers' business; the file itself is one of ``store.py``.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from wlnn.base import store
from wlnn.base.errors import UserError


class Stored(NamedTuple):
    """What :func:`load_state` found."""

    arrays: dict  # those of no group
    groups: dict  # name -> NamedTuple or dict of arrays
    numbers: dict  # everything else


def save_state(path, about: dict, numbers: dict | None = None, arrays=None, **groups) -> None:
    """Write a state, whole or not at all.

    Args:
        about: what a reader must ask for to get it: "kind" and whatever else, JSON-able.
        numbers: of the state, JSON-able.
        arrays: name -> array.
        groups: NamedTuples or dicts of arrays; theirs are called ``group.name`` in the file.

    Raises:
        UserError: the folder is full or read-only; an earlier state is then as it was.
    """
    arrays = dict(arrays or {})
    for name, group in groups.items():
        entries = group._asdict() if hasattr(group, "_asdict") else group
        arrays |= {f"{name}.{entry}": array for entry, array in entries.items()}
    store.save(path, arrays, {**about, **(numbers or {})})


def load_state(path, about: dict, what: str, numbers=(), arrays=(), **groups) -> Stored | None:
    """The state of a file; None where there is no path or no file yet.

    Args:
        about: as it was saved.
        what: the words for it in sentences.
        numbers, arrays: names that must be there.
        groups: name -> the NamedTuple that its arrays make, or the names that a dict of all its
            arrays must hold.

    Raises:
        UserError: the file is damaged, of something else, or lacks a part.
    """
    if path is None or not Path(path).exists():
        return None
    found, meta = store.load(path)
    if any(meta.get(name) != value for name, value in about.items()):
        raise UserError(f"{path}: is not the checkpoint of {what}; delete it.")

    def of(group: str, kind):
        own = {name.removeprefix(f"{group}."): array for name, array in found.items()
               if name.startswith(f"{group}.")}  # fmt: skip
        fields = getattr(kind, "_fields", kind)
        required(f"{group}.", fields, own)
        return kind(*(own[name] for name in fields)) if isinstance(kind, type) else own

    def required(prefix: str, names, there) -> None:
        for name in names:
            if name not in there:
                raise UserError(f"{path}: lacks '{prefix}{name}' of {what}; delete the file.")

    required("", numbers, meta)
    required("", arrays, found)
    return Stored(found, {name: of(name, kind) for name, kind in groups.items()}, meta)
