"""Tables that are no CSV files as columns: arrays, Parquet, data frames, folders of images.

What a column means is decided in ``own_data.py``; nothing is unpickled here.
"""

from __future__ import annotations

from numbers import Real
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.tasks.columns import Columns, number, read_columns
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
            name or of neither numbers nor texts, images of unequal size; Parquet without pyarrow.
    """
    if is_frame(table):
        return _of_arrays("the data frame", {name: _series(table, name) for name in table.columns})
    path = Path(table)
    if path.is_dir():
        return _of_images(path)
    if path.suffix in (".npz", ".npy"):
        return _of_arrays(path, _flat(path, files.read_arrays(path, WANTED)))
    if path.suffix in (".parquet", ".pq"):
        return _of_arrays(path, _of_parquet(path))
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
            found[name or "0"] = array
        elif array.ndim == 2:
            found |= {f"{name} {k}".strip(): column for k, column in enumerate(array.T)}
        else:
            raise UserError(
                f"{path}: the array '{name}' has the shape {array.shape} and type {array.dtype}; a "
                "table needs numbers (N,) or (N, d)."
            )
    return found


def _of_parquet(path: Path) -> dict:
    try:
        from pyarrow import ArrowException, parquet
    except ImportError as error:
        raise UserError(
            f"{path}: reading Parquet needs pyarrow: pip install 'wlnn[parquet]'."
        ) from error
    try:
        table = parquet.read_table(path)
    except (ArrowException, OSError) as error:
        reason = str(error).splitlines()[0].rstrip(".")
        raise UserError(f"{path}: cannot be read: no Parquet file ({reason}).") from error
    return {name: np.array(table[name].to_pylist(), dtype=object) for name in table.column_names}


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
    if some and all(isinstance(value, Real) and not isinstance(value, bool) for value in some):
        return np.array([np.nan if value is None else float(value) for value in values])
    wrong = [value for value in some if not isinstance(value, str | bool | np.bool_ | Real)]
    if wrong or array.dtype.kind not in "O":
        kind = type(wrong[0]).__name__ if wrong else array.dtype
        raise UserError(
            f"{path}: the column '{name}' holds values of type {kind}; give numbers or texts, or "
            "leave it out."
        )
    return ["" if value is None else str(value).strip() for value in values]


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
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as image:
                if image.mode.startswith(("I", "F")):
                    raise UserError(f"{path}: has more than 8 bits a pixel; save it with 8.")
                grey = image.mode in ("1", "L", "LA")
                found = np.asarray(image.convert("L" if grey else "RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombWarning,
            Image.DecompressionBombError) as error:  # fmt: skip
        raise UserError(
            f"{path}: is no image that can be read ({type(error).__name__})."
        ) from error
    return found[None] if grey else found.transpose(2, 0, 1)
