"""Opening a user's file: what can be wrong with any of them, told in one sentence each.

Nothing here knows what a file means, and nothing is unpickled.
"""

from __future__ import annotations

import csv
import gzip
import io
import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wlnn.base.archives import DamagedError, read_any
from wlnn.base.errors import UserError

LIMIT = 2**30  # most bytes of a file, unpacked: six times the largest that any task needs
CHUNK = 2**20
POINTER = b"version https://git-lfs"  # first bytes of what Git LFS leaves in place of a file
GZIP, ZIP, NPY = b"\x1f\x8b", b"PK", b"\x93NUMPY"


def read_bytes(path, wanted: str) -> bytes:
    """Contents of a file, unpacked where it is gzipped.

    Args:
        wanted: what the file should be, for the sentences.

    Raises:
        UserError: missing, unreadable, empty, larger than :data:`LIMIT`, a Git LFS pointer, or a
            gzip archive that is damaged or unpacks to more than that.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            contents = file.read(LIMIT + 1)
    except OSError as error:
        reason = (error.strerror or "").lower()
        raise UserError(f"{path}: cannot be read: {reason}; {wanted} is needed.") from error
    if not contents:
        raise UserError(f"{path}: the file is empty; {wanted} is needed.")
    if len(contents) > LIMIT:
        raise _too_large(path, wanted)
    if contents.startswith(POINTER):
        raise UserError(
            f"{path}: is a Git LFS pointer, not the file itself; run 'git lfs pull' where it comes "
            f"from, or download {wanted} again."
        )
    if contents[:2] != GZIP:
        return contents
    unpacked = bytearray()
    try:
        with gzip.open(io.BytesIO(contents)) as stream:
            while len(unpacked) <= LIMIT and (part := stream.read(CHUNK)):
                unpacked += part
    except (EOFError, OSError, zlib.error) as error:
        raise UserError(
            f"{path}: the gzip archive is cut short or damaged; download {wanted} again."
        ) from error
    if len(unpacked) > LIMIT:
        raise _too_large(path, wanted)
    return bytes(unpacked)


def _too_large(path: Path, wanted: str) -> UserError:
    return UserError(f"{path}: holds more than {LIMIT >> 20:,} MB unpacked; {wanted} is needed.")


def read_arrays(path, wanted: str) -> dict[str, np.ndarray]:
    """Arrays of an npz file by name, or the one of an npy file under the name "".

    Raises:
        UserError: as :func:`read_bytes`, and for files of another kind, cut short or pickled.
    """
    contents = read_bytes(path, wanted)
    if contents[:2] != ZIP and contents[:6] != NPY:
        raise UserError(f"{path}: is no file of NumPy arrays; {wanted} is needed.")
    try:
        return read_any(contents, LIMIT)
    except DamagedError as error:
        raise UserError(f"{path}: {error}; {wanted} is needed.") from error


def read_rows(path, wanted: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of every line of a CSV file that is not blank.

    Raises:
        UserError: as :func:`read_bytes`, and for bytes that are no CSV text.
    """
    try:
        text = read_bytes(path, wanted).decode("utf-8-sig")
        reader = csv.reader(io.StringIO(text, newline=""))
        rows = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(
            f"{path}: is no CSV text in UTF-8 ({error}); {wanted} is needed."
        ) from error
    rows = [(line, cells) for line, cells in rows if any(cells)]
    if len(rows) < 2:
        raise UserError(f"{path}: holds a line at most; {wanted} is needed.")
    return rows


def check_length(path, line: int, cells: Sequence[str], wanted: int) -> None:
    """UserError for a row of another length."""
    if len(cells) != wanted:
        raise UserError(f"{path}: line {line} has {len(cells)} cells instead of {wanted}.")


def number_in(path, line: int, column: str, cell: str) -> float:
    """The finite number in a cell; UserError names line and column of anything else."""
    try:
        value = float(cell)
    except ValueError:
        value = np.nan
    if not np.isfinite(value):
        what = f"'{cell}' is no number" if cell else "the cell is empty"
        raise UserError(f"{path}: line {line}, column '{column}': {what}.")
    return value


def beside(path, names: Sequence[str], wanted: str) -> Path:
    """The file itself, or the first of ``names`` (glob patterns) that a folder holds.

    Raises:
        UserError: neither a file nor a folder, or a folder without such a file.
    """
    path = Path(path)
    if not path.is_dir():
        if not path.exists():
            raise UserError(f"{path}: there is no such file or folder; {wanted} is needed.")
        return path
    for name in names:
        for found in sorted(path.glob(name)):
            if found.is_file():
                return found
    raise UserError(f"{path}: the folder holds none of {', '.join(names)}; {wanted} is needed.")
