"""Arrays out of an npz archive or an npy file whose bytes nobody vouches for.

Every member is read whole, so that its checksum is looked at, and nothing is allocated before what
the header announces has been compared with what there is. Nothing is unpickled, and nothing here
knows what the arrays mean.
"""

from __future__ import annotations

import ast
import io
import math
import zipfile

import numpy as np

MAGIC = b"\x93NUMPY"
LONGEST_HEADER = 10_000  # bytes of an npy header; those of plain numbers have some hundred
CHUNK = 2**20
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class DamagedError(Exception):
    """The bytes are no whole archive of plain arrays; the text says why, for a sentence."""


class ObjectsError(DamagedError):
    """Pickled Python objects are among the arrays."""


def read_members(file, limit: int) -> dict[str, np.ndarray]:
    """Arrays of an open npz file by name.

    Args:
        file: opened for reading bytes, and seekable.
        limit: most bytes that all members together may unpack to.

    Raises:
        DamagedError: anything but a whole archive of plain arrays, a bomb among them.
        OSError: the file itself cannot be read.
    """
    arrays, left = {}, limit
    try:
        with zipfile.ZipFile(file) as archive:
            for member in archive.infolist():
                contents = _unpacked(archive, member, left)
                left -= len(contents)
                arrays[member.filename.removesuffix(".npy")] = read_array(contents)
            if len(arrays) < len(archive.infolist()):
                raise DamagedError("two members have one name")
    except (DamagedError, OSError, MemoryError):
        raise
    except Exception as error:  # a damaged directory raises whatever its bytes happen to say
        raise DamagedError("the file is cut short or damaged") from error
    return arrays


def _unpacked(archive: zipfile.ZipFile, member: zipfile.ZipInfo, limit: int) -> bytearray:
    """Contents of a member to its end, where its checksum is compared."""
    if member.compress_type not in METHODS or member.flag_bits & 1:
        raise DamagedError("the file is cut short or damaged")
    if member.file_size > limit:
        raise DamagedError(f"'{member.filename}' would unpack to {member.file_size:.3g} bytes")
    contents = bytearray()
    with archive.open(member) as stream:
        while part := stream.read(CHUNK):
            contents += part
    if len(contents) != member.file_size:
        raise DamagedError("the file is cut short or damaged")
    return contents


def read_array(contents) -> np.ndarray:
    """The array in the bytes of an npy file, which must be as long as its header says.

    Raises:
        DamagedError: no npy file, Python objects, or another number of bytes than announced.
    """
    damaged = DamagedError("the file is cut short or damaged")
    if bytes(contents[:6]) != MAGIC or len(contents) < 10:
        raise damaged
    size, at = (2, 10) if contents[6] == 1 else (4, 12)
    length = int.from_bytes(contents[8:at], "little")
    if contents[6] not in (1, 2, 3) or size + length > LONGEST_HEADER:
        raise damaged
    try:
        header = ast.literal_eval(bytes(contents[at : at + length]).decode("utf-8"))
        shape, in_columns = header["shape"], header["fortran_order"]
        dtype = np.lib.format.descr_to_dtype(header["descr"])
    except Exception as error:  # a damaged header raises whatever its bytes happen to say
        raise damaged from error
    if dtype.hasobject:
        raise ObjectsError("holds Python objects, which are never loaded")
    sound = isinstance(shape, tuple) and all(type(n) is int and n >= 0 for n in shape)
    data = memoryview(contents)[at + length :]
    if not sound or type(in_columns) is not bool or math.prod(shape) * dtype.itemsize != len(data):
        raise damaged
    if dtype.itemsize == 0:  # texts of no letters
        return np.zeros(shape, dtype)
    array = np.frombuffer(data, dtype).reshape(shape, order="F" if in_columns else "C")
    return array.copy(order="K")  # aligned, and free to be changed


def read_any(contents: bytes, limit: int) -> dict[str, np.ndarray]:
    """Arrays of the bytes of an npz file by name, or the one of an npy file under the name "".

    Raises:
        DamagedError: as :func:`read_members` and :func:`read_array`.
    """
    if contents[:6] == MAGIC:
        return {"": read_array(contents)}
    return read_members(io.BytesIO(contents), limit)
