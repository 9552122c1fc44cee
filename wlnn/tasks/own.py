"""Tasks of one's own: tables, or a Python file that defines a Task or a Problem."""

from __future__ import annotations

import importlib.util
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wlnn.base.errors import UserError
from wlnn.settings.tables import Settings, read_table
from wlnn.tasks.catalogue import _fnn_task, _with_options
from wlnn.tasks.check import reason_of
from wlnn.tasks.loaded import watched
from wlnn.tasks.own_data import read_own
from wlnn.tasks.own_files import is_frame
from wlnn.tasks.problem import Problem
from wlnn.tasks.task import Task


def task_from_csv(
    train,
    test=None,
    target: str | Sequence[str] = "",
    hidden: Sequence[int] = (8, 8),
    kind: str | None = None,
    standardise: bool = True,
    settings: Settings | None = None,
    missing: str = "refuse",
    split: float | None = None,
    split_seed: int = 0,
    **options,
) -> Task:
    """A fully connected network on tables of one's own, see :func:`wlnn.tasks.own_data.read_own`.

    Examples:
        >>> import wlnn
        >>> from pathlib import Path
        >>> for name in ("a.csv", "b.csv"):
        ...     _ = Path(name).write_text("first,second,kind\\n0,1,red\\n1,0,blue\\n")
        >>> task = wlnn.task_from_csv("a.csv", "b.csv", "kind", hidden=(4,))
        >>> task.network.sizes
        (2, 4, 2)

    Args:
        train, test, target, standardise, missing, split, split_seed: tables (paths of CSV, npz,
            Parquet or images, data frames), the target column or columns, what is made of them.
        hidden: units of the hidden layers.
        kind: "classify", "regress" or None to tell from the target.
        settings: from ``read_table("own", ...)``, which None stands for.
        options: as in :func:`load_task`, except those of generated data.
    """
    data = read_own(train, test, target, kind, standardise, missing, split, split_seed)
    settings = _with_options("train", settings or read_table("own"), options)
    if not isinstance(hidden, Sequence | np.ndarray) or any(
        not isinstance(units, int | np.integer) or units < 1 for units in hidden
    ):
        raise UserError(f"hidden must be whole numbers of units, not {hidden}.")
    outputs = max(2, data.classes) if data.classes else data.targets
    if data.classes == 2:
        outputs = settings.network.logits
    if not data.classes and settings.grid.y != "ln-test-loss":
        settings = settings.with_options(y="ln-test-loss")
    sizes = (data.x_train.shape[1], *hidden, outputs)
    named = data.source["target"]
    named = named if isinstance(named, str) else ",".join(named)
    stem = "frame" if is_frame(train) else Path(train).stem
    name = re.sub(r"[^\w-]+", "-", f"{stem}-{named}")
    return _fnn_task(name, data, sizes, settings)


def task_from_file(reference: str) -> Task | Problem:
    """The object ``name`` of a Python file, given as "path.py:name"; the file is run.

    Raises:
        UserError: no such file or name, an error while the file runs (with its line), or an object
            that is neither a :class:`Task` nor a :class:`Problem`.
    """
    path, colon, name = reference.rpartition(":")
    if not colon or not path.endswith(".py") or not name.isidentifier():
        raise UserError(f"'{reference}' names no task; write path.py:name.")
    file = Path(path)
    if not file.is_file():
        raise UserError(f"{path}: there is no such file.")
    module_name = f"wlnn_own_{file.stem}"
    spec = importlib.util.spec_from_file_location(module_name, file)
    module = importlib.util.module_from_spec(spec)
    sys.modules[module_name] = module  # Numba and pickle look a system's class up by module name
    sys.path.insert(0, str(file.parent))
    try:
        with watched(file):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        sys.modules.pop(module_name, None)
        raise UserError(f"{path}: {line_of(error, file)}{reason_of(error, True)}.") from error
    finally:
        if str(file.parent) in sys.path:  # the file may have put it in order itself
            sys.path.remove(str(file.parent))
    if not hasattr(module, name):
        offered = [k for k, v in vars(module).items() if isinstance(v, Task | Problem)]
        raise UserError(
            f"{path}: there is no '{name}'; "
            + (f"tasks there are {', '.join(offered)}." if offered else "no task is defined there.")
        )
    found = getattr(module, name)
    if not isinstance(found, Task | Problem):
        raise UserError(
            f"{path}: '{name}' is of type {type(found).__name__}; a Task or a Problem is needed."
        )
    return found


def line_of(error: BaseException, file: Path) -> str:
    """ "line N: " of the deepest frame of ``error`` that lies in ``file``, or nothing."""
    if isinstance(error, SyntaxError):
        return f"line {error.lineno}: "
    line, frame = "", error.__traceback__
    while frame:
        if frame.tb_frame.f_code.co_filename == str(file):
            line = f"line {frame.tb_lineno}: "
        frame = frame.tb_next
    return line
