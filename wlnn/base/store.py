"""One file format: an npz archive of arrays and a JSON text ``meta``; and run directories.

Files are written to a temporary name in the same folder, flushed to disk and moved, so that a file
that exists is whole. Nothing is ever pickled or unpickled; nothing here knows what is stored.
"""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from pathlib import Path

import numpy as np

from wlnn.base.archives import DamagedError, ObjectsError, read_members
from wlnn.base.errors import UserError

FORMAT = 1  # raise it when a reader of the old number would misunderstand the file
LENGTHS = {  # what may grow in a run, and the option of `wlnn resume` that makes it grow
    **{f"{section}.steps": "steps" for section in ("wlmc", "wlmd", "md", "ladder")},
    "train.epochs": "epochs",
}
_META = "wlnn_meta"  # the name of the JSON text inside the archive


def save(path, arrays: dict[str, np.ndarray], meta: dict) -> Path:
    """Write ``arrays`` and the JSON-able ``meta`` to ``path``, whole or not at all.

    Raises:
        UserError: the folder is missing, read-only or full; an earlier file of that name is then
            unchanged and no temporary file is left.
    """
    contents = {name: np.asarray(array) for name, array in arrays.items()}
    text = json.dumps(
        {"format": FORMAT, "meta": meta, "arrays": _inventory(contents)}, default=_plain
    )
    if _META in contents or any(array.dtype.hasobject for array in contents.values()):
        raise ValueError(f"arrays must hold plain numbers and not be called '{_META}'")
    contents[_META] = np.frombuffer(text.encode(), dtype=np.uint8)
    return write_file(Path(path), lambda file: np.savez(file, **contents))


def load(path) -> tuple[dict[str, np.ndarray], dict]:
    """The arrays and the meta that :func:`save` wrote.

    Raises:
        UserError: no such file, not a file of this package, cut short or damaged, or of a later
            version of this package.
    """
    path = Path(path)
    begins = b""
    try:
        with open(path, "rb") as file:
            begins = file.read(2)
            # what is written here is not compressed: it cannot hold more bytes than the file has
            arrays = read_members(file, os.fstat(file.fileno()).st_size)
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {_reason(error)}.") from error
    except DamagedError as error:
        ours = begins == b"PK" and not isinstance(error, ObjectsError)
        raise (_damaged if ours else _foreign)(path) from error
    if _META not in arrays:
        raise _foreign(path)
    try:
        header = json.loads(arrays.pop(_META).tobytes())
        newer = header["format"] > FORMAT
        meta, inventory = header["meta"], header.get("arrays")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise _damaged(path) from error
    if newer:
        raise UserError(
            f"{path}: written by a later version of wlnn (file format {header['format']}, "
            f"this version reads up to {FORMAT}); upgrade wlnn."
        )
    if not isinstance(meta, dict) or inventory not in (None, _inventory(arrays)):
        raise _damaged(path)
    return arrays, meta


def _inventory(arrays: dict[str, np.ndarray]) -> dict[str, list]:
    """Type and shape of every array by name; files of before this was recorded have none."""
    return {name: [array.dtype.str, list(array.shape)] for name, array in arrays.items()}


def _damaged(path: Path) -> UserError:
    return UserError(f"{path}: the file is cut short or damaged; delete it.")


def _foreign(path: Path) -> UserError:
    if path.name == "run.json":
        return UserError(f"{path}: the settings of a run; give the run's directory, {path.parent}.")
    return UserError(f"{path}: this is no file of wlnn.")


def _reason(error: OSError) -> str:
    return (error.strerror or str(error) or type(error).__name__).lower()


def as_json(value):
    """The value as it comes back from JSON: tuples become lists, NumPy numbers plain ones."""
    return json.loads(json.dumps(value, default=_plain))


def _plain(value):
    """NumPy numbers and arrays as JSON."""
    if isinstance(value, np.generic | np.ndarray):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} cannot be stored as JSON")


def write_file(path: Path, write: Callable) -> Path:
    """Let ``write(file)`` fill a temporary file beside ``path``, and move it there when on disk.

    Raises:
        UserError: as :func:`save`.
    """
    temporary = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".part", delete=False
        ) as file:
            temporary = file.name
            write(file)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, 0o666 & ~_umask())  # temporary files are private, results are not
        os.replace(temporary, path)
        temporary = None
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {_reason(error)}.") from error
    finally:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
    return path


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def checkpoint_path(directory, walker: int) -> Path:
    """File of one walker in a run directory: ``walker-007.npz``."""
    return Path(directory) / f"walker-{walker:03d}.npz"


def open_run(directory, identity: dict, notes: dict | None = None) -> Path:
    """Make a run directory, or enter the one that an interrupted run of the same kind left.

    ``run.json`` holds ``identity``, what two runs must share to be one ("task" and whatever else),
    and ``notes``, what may differ (command line), of the first call; "versions" is a list of all
    :func:`versions` that ever entered. Several processes may open one directory at a time.

    Raises:
        UserError: the directory belongs to a run of other identity (the sentence tells the first
            difference), holds foreign files but no ``run.json``, or cannot be made.
    """
    directory = Path(directory)
    identity = as_json(identity)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        present = any(not entry.name.startswith(".") for entry in directory.iterdir())
    except OSError as error:
        raise UserError(f"{directory}: cannot be used for a run: {_reason(error)}.") from error
    path = directory / "run.json"
    if path.exists():
        contents = read_run(directory)
        found = difference(contents["identity"], identity)
        if found:
            unit = LENGTHS.get(found.partition(" ")[0])
            more = f"; `wlnn resume {directory} --{unit} N` lengthens a run" if unit else ""
            raise UserError(
                f"{directory}: belongs to another run: {found}; choose another directory"
                f"{more}{'; other seeds add to it' * bool(unit)}."
            )
        enter(directory, versions())
        return directory
    if present:
        raise UserError(f"{directory}: holds files but no run.json; choose another directory.")
    _write_run(
        path, {"format": FORMAT, "identity": identity, **(notes or {}), "versions": [versions()]}
    )
    return directory


def enter(directory, now: dict) -> None:
    """Add the :func:`versions` of a machine that works on a run to ``run.json``."""
    before, now = versions_of(read_run(directory)), as_json(now)
    if now not in before:
        with suppress(UserError):  # a finished run may lie where nothing can be written
            change_notes(directory, {"versions": [*before, now]})


def shorter(directory) -> list[dict]:
    """Identities of the runs that a run was before it was lengthened; its checkpoints go on."""
    found = read_run(directory).get("shorter", [])
    return found if isinstance(found, list) else []


def versions_of(contents: dict) -> list[dict]:
    """All versions that a run was entered with, of the contents of ``run.json``."""
    found = contents.get("versions", [])
    found = found if isinstance(found, list) else [found]  # once only the first was kept
    return [versions for versions in found if isinstance(versions, dict)]


def holds(path, kind: str, name: str, sampler: str) -> bool:
    """Whether a path is a result of some kind, or a run directory of its sampler.

    Args:
        kind: what such a file says that it is.
        name: of the file in a run directory.
        sampler: in the identity of a run that has no result yet.

    Raises:
        UserError: a file that is none of this package.
    """
    path = Path(path)
    if not path.is_dir():
        return load(path)[1].get("kind") == kind
    if (path / name).exists():
        return True
    begun = (path / "run.json").exists()
    return begun and read_run(path)["identity"].get("sampler") == sampler


def change_notes(directory, notes: dict) -> None:
    """Put other ``notes`` into ``run.json`` in the place of those of their names; UserError as
    :func:`save`.
    """
    contents = read_run(directory)
    changed = {**contents, **as_json(notes)}
    if changed != contents:
        _write_run(Path(directory) / "run.json", changed)


def _write_run(path: Path, contents: dict) -> None:
    text = json.dumps(contents, indent=1, default=_plain)
    write_file(path, lambda file: file.write(text.encode() + b"\n"))


def read_run(directory) -> dict:
    """The contents of ``run.json``: "identity" and the notes.

    Raises:
        UserError: the directory is no run directory, or of a later version.
    """
    path = Path(directory) / "run.json"
    try:
        contents = json.loads(path.read_text(encoding="utf-8"))
        newer = contents["format"] > FORMAT
        sound = isinstance(contents["identity"], dict) and "task" in contents["identity"]
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            raise UserError(f"{path}: cannot be read: {_reason(error)}.") from error
        joint = ""
        if path.with_name("landscape.npz").exists():
            joint = " It holds a landscape alone, as `wlnn merge` leaves it: name one of its runs."
        raise UserError(
            f"{directory}: is no run directory: no run.json can be read.{joint}"
        ) from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: this is no run.json of wlnn, or a damaged one.") from error
    if newer:
        raise UserError(f"{path}: written by a later version of wlnn; upgrade wlnn.")
    if not sound:
        raise UserError(f"{path}: this is no run.json of wlnn, or a damaged one.")
    return contents


def versions() -> dict[str, str]:
    """What the bits of a result depend on: wlnn, python, numpy, numba, and the type of the CPU."""
    import platform
    from importlib.metadata import version

    from wlnn import __version__

    packages = {name: version(name) for name in ("numpy", "numba")}
    return {
        "wlnn": __version__, "python": platform.python_version(), **packages, "cpu": _cpu(),
    }  # fmt: skip


@cache
def _cpu() -> str:
    """The type of the CPU, which decides on the instructions that Numba and NumPy use."""
    import platform

    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def difference(old, new, where: str = "") -> str:
    """The first difference of two JSON values in words, or an empty text."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in [*old, *(key for key in new if key not in old)]:
            name = f"{where}.{key}" if where else key
            if key not in old or key not in new:
                return f"'{name}' is only known {'there' if key in old else 'here'}"
            found = difference(old[key], new[key], name)
            if found:
                return found
        return ""
    old_text, new_text = json.dumps(old), json.dumps(new)  # in which NaN equals NaN
    same = old == new or old_text == new_text
    return "" if same else f"{where} is {old_text} there and {new_text} here"
