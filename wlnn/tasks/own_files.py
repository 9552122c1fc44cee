"""Tables that are no CSV files as columns: arrays, Parquet, data frames, folders of images.

What a column means is decided in ``own_data.py``; nothing is unpickled here.
"""

from __future__ import annotations

import os
from decimal import Decimal
from numbers import Real
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.columns import Columns, number, read_columns, refuse_too_many
from wlnn.tasks.readers import files

WANTED = "a table: CSV, npy or npz of numbers, Parquet, or a folder of images by class"
IMAGES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp", ".pgm", ".ppm")
CLASS = "class"  # the column that tells the folder of an image
MOST_NUMBERS = 2**28  # of the images of one folder: 2 GB


def is_frame(table) -> bool:
    """Whether a table is a data frame (of pandas; its kind is not imported for that)."""
    return hasattr(table, "columns") and hasattr(table, "iloc")


def columns_of(table) -> Columns:
    """The columns of a path or a data frame.

    A folder holds a folder of images for each class: its columns are the grey values or colours of
    the pixels, from 0 to 1, and "class".

    Raises:
        UserError: a file that is missing or of another kind, columns of unequal length, without a
            name or of neither numbers nor texts, images of unequal size, transparent ones or those
            of several frames, more cells than memory; Parquet without pyarrow; no table at all.
    """
    if is_frame(table):
        return _of_arrays("the data frame", {name: _series(table, name) for name in table.columns})
    if not isinstance(table, str | os.PathLike):
        raise UserError(
            f"a table is a path or a data frame, not of type {type(table).__name__}; of arrays and "
            "other frames pandas.DataFrame(...) makes one."
        )
    path = Path(table)
    if path.is_dir():
        return _of_images(path)
    if path.suffix in (".npz", ".npy"):
        return _of_arrays(path, _flat(path, files.read_arrays(path, WANTED)))
    if path.suffix in (".parquet", ".pq"):
        return _of_parquet(path)
    return read_columns(path)


def _series(frame, name):
    column = frame[name]
    if getattr(column, "ndim", 1) != 1:
        raise UserError(f"the data frame has two columns named '{name}'; rename one.")
    if getattr(column.dtype, "kind", "O") in "iufb" and isinstance(column.dtype, np.dtype):
        return column.to_numpy()
    return column.astype(object).to_numpy()


def _flat(path: Path, arrays: dict) -> dict:
    """Arrays ``(N,)`` by name; the columns of ``(N, d)`` are "name 0", "name 1", ..."""
    found = {}
    for name, array in arrays.items():
        if array.ndim == 1 and array.dtype.names is None:
            columns = {name or "0": array}
        elif array.ndim == 2:
            columns = {f"{name} {k}".strip(): column for k, column in enumerate(array.T)}
        else:
            raise UserError(
                f"{path}: the array '{name}' has the shape {array.shape} and type {array.dtype}; a "
                "table needs numbers (N,) or (N, d)."
            )
        for twice in columns.keys() & found.keys():
            raise UserError(
                f"{path}: two arrays have a column '{twice}' (those of an array (N, d) are "
                '"name 0", "name 1", ...); rename one.'
            )
        found |= columns
    return found


def _of_parquet(path: Path) -> Columns:
    """The columns of a Parquet file without the index of a data frame, of which a note tells."""
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(
            f"{path}: reading Parquet needs pyarrow: pip install 'wlnn[parquet]'."
        ) from error
    try:
        with parquet.ParquetFile(path) as file:
            about, schema = file.metadata, file.schema_arrow
            refuse_too_many(path, _values(about))
            known = (schema.pandas_metadata or {}).get("index_columns", [])
            index = [name for name in known if name in schema.names]  # others are ranges
            names = [name for name in schema.names if name not in index]
            for name in names:
                if names.count(name) > 1:
                    raise UserError(f"{path}: there are two columns named '{name}'; rename one.")
            table = file.read(names)
    except UserError:
        raise
    except (ArrowException, OSError, ValueError) as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        raise UserError(f"{path}: cannot be read: no Parquet file ({reason}).") from error
    found = {name: np.array(table[name].to_pylist(), dtype=object) for name in names}
    told = f"{path.name}: the index '{index[0]}' of a data frame is left out" if index else ""
    return _of_arrays(path, found)._replace(note=told)


def _values(about) -> int:
    """Cells of a Parquet file, of which runs of equal ones take no bytes."""
    groups = map(about.row_group, range(about.num_row_groups))
    return sum(group.column(k).num_values for group in groups for k in range(group.num_columns))


def _of_arrays(path, arrays: dict) -> Columns:
    """Columns of arrays ``(N,)`` of numbers, truth values, texts or Python objects of these."""
    cells, lengths = {}, {len(array) for array in arrays.values()}
    for name, array in arrays.items():
        if not str(name).strip() or str(name) in cells:
            raise UserError(f"{path}: every column needs a name of its own, not '{name}'.")
        cells[str(name)] = _cells(path, name, array)
    if len(lengths) != 1 or not lengths - {0}:
        raise UserError(
            f"{path}: the columns have {sorted(lengths)} rows; a table needs as many in each."
        )
    return Columns(path, list(cells), cells, list(range(lengths.pop())), row="row")


def _cells(path, name, array: np.ndarray) -> list[str] | np.ndarray:
    if array.dtype.kind in "iuf":
        return array.astype(float)
    if array.dtype.kind in "bU":
        return [str(value).strip() for value in array]
    values = [None if _is_missing(value) else value for value in array]
    some = [value for value in values if value is not None]
    if some and all(isinstance(v, Real | Decimal) and not isinstance(v, bool) for v in some):
        return np.array([np.nan if value is None else _float(value) for value in values])
    wrong = [value for value in some if not isinstance(value, str | bool | np.bool_ | Real)]
    if wrong or array.dtype.kind not in "O":
        kind = type(wrong[0]).__name__ if wrong else array.dtype
        raise UserError(
            f"{path}: the column '{name}' holds values of type {kind}; give numbers or texts, or "
            "leave it out."
        )
    return ["" if value is None else str(value).strip() for value in values]


def _float(value) -> float:
    try:
        return float(value)
    except OverflowError:  # a whole number of more than 308 digits, which will be refused
        return np.inf


def _is_missing(value) -> bool:
    """None, NaN, and what pandas has for either (which alone is not equal to itself as a truth)."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Real) and value != value


def _of_images(folder: Path) -> Columns:
    images, shapes, classes = [], set(), []
    names = sorted(path for path in folder.iterdir() if not path.name.startswith("."))
    for path in (path for part in names if part.is_dir() for path in sorted(part.iterdir())):
        if path.name.startswith(".") or path.name == "Thumbs.db":
            continue
        if path.suffix.lower() not in IMAGES:
            raise UserError(f"{path}: is no image ({', '.join(IMAGES)}); move it elsewhere.")
        image = _image(path)
        images.append(image)
        classes.append(path.parent.name)
        shapes.add(image.shape)
        if len(shapes) > 1:
            raise UserError(
                f"{path}: has {image.shape[-1]} x {image.shape[-2]} pixels and {image.shape[0]} "
                "colours, others have not; make all images alike."
            )
        if len(images) * image.size > MOST_NUMBERS:
            raise UserError(f"{folder}: holds too many pixels for the memory; make images smaller.")
    if not images:
        raise UserError(
            f"{folder}: holds no images; a folder of them for each class is needed, or a file."
        )
    values = np.array(images).reshape(len(images), -1).T / 255
    cells: dict = {f"pixel {k}": row for k, row in enumerate(values)}
    if all(number(name) is not None for name in set(classes)):  # digits are classes, too
        cells[CLASS] = np.array([float(name) for name in classes])
    else:
        cells[CLASS] = classes
    colours, rows, columns = images[0].shape
    note = f"{folder.name}: {len(images)} images of {columns} x {rows} pixels"
    note += f" and {colours} colours" * (colours > 1) + ", values from 0 to 1"
    return Columns(folder, list(cells), cells, list(range(len(images))), note, row="image")


def _image(path: Path) -> np.ndarray:
    """Values 0..255 ``(C, H, W)``: one grey value, or three colours."""
    import warnings

    from PIL import Image

    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if wrong := _unlike(image):
                    raise UserError(f"{path}: {wrong}.")
                grey = image.mode in ("1", "L", "LA")
                found = np.asarray(image.convert("L" if grey else "RGB"))
                if told and image.format == "TIFF":  # of others it is about what is no pixel
                    raise OSError("damaged tags, which say where the pixels are")
    except UserError:
        raise
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning,
            Image.DecompressionBombError) as error:  # fmt: skip
        raise UserError(
            f"{path}: is no image that can be read ({type(error).__name__})."
        ) from error
    return found[None] if grey else found.transpose(2, 0, 1)


def _unlike(image) -> str:
    """Why an image has no one value 0..255 for each colour of each pixel, and what to do."""
    if image.mode.startswith(("I", "F")):
        return "has more than 8 bits a pixel; save it with 8"
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format != "MPO":  # photographs of telephones, with a second one inside
        return f"has {frames} frames; save the one that is meant"
    if image.has_transparency_data and image.convert("RGBA").getchannel("A").getextrema()[0] < 255:
        return "has transparent pixels, whose colour is not seen; save it on a background"
    return ""
