"""Which files a user's task is made of: what its Python file imported and read beside itself.

They are found when the file is run. Nothing here runs it, and nothing knows what a task is.
"""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import wlnn

OTHERS = ("__pycache__", "site-packages", "dist-packages")  # folders of files that are nobody's own
SUFFIXES = (".pyc", ".nbi", ".nbc")  # made from sources, which are looked at themselves
_watched: list[tuple[Path, set[Path]]] = []  # folders being watched, and what was read there
_read: dict[Path, set[Path]] = {}  # by task file: a module is run once in a process


@contextmanager
def watched(file: Path) -> Iterator[None]:
    """Note which files below the folder of ``file`` are opened for reading meanwhile."""
    if not hasattr(watched, "begun"):
        sys.addaudithook(_note)  # it cannot be taken away again
        watched.begun = True
    found = _read.setdefault(_absolute(file), set())
    _watched.append((_absolute(file).parent, found))
    try:
        yield
    finally:
        _watched.pop()


def _note(event: str, arguments: tuple) -> None:
    if event != "open" or not _watched:
        return
    path, mode = arguments[0], arguments[1]
    if isinstance(path, str) and (mode is None or "r" in mode) and "+" not in (mode or ""):
        folder, found = _watched[-1]
        path = _absolute(path)
        if _is_own(path, folder):
            found.add(path)


def loaded_files(file) -> dict[str, Path]:
    """Files below the folder of a task's file that it depends on, by their path from there.

    Those it imports, at any remove, and those that were read while it was run; not itself.
    """
    file = _absolute(file)
    found, waiting = set(), [file]
    while waiting:
        path = waiting.pop()
        for module in _imported(path):
            source = _absolute(getattr(module, "__file__", None) or "")
            if source not in found and source != file and _is_own(source, file.parent):
                found.add(source)
                waiting.append(source)
    found |= {path for path in _read.get(file, ()) if path.is_file()}
    return {
        path.relative_to(file.parent).as_posix(): path for path in sorted(found) if path != file
    }


def _imported(path: Path) -> Iterator:
    """The modules that the import statements of a Python file name, as far as they are loaded."""
    if path.suffix != ".py":
        return
    try:
        tree = ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError):
        return
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = _module_name(path, node)
            names = [base, *(f"{base}.{alias.name}" for alias in node.names)]
        for name in names:
            parts = name.split(".")
            for k in range(1, len(parts) + 1):  # importing a.b runs a too
                if (module := sys.modules.get(".".join(parts[:k]))) is not None:
                    yield module


def _module_name(path: Path, node: ast.ImportFrom) -> str:
    """The absolute name of "from x import" in a file that is loaded, relative ones included."""
    if not node.level:
        return node.module or ""
    for name, module in list(sys.modules.items()):
        source = getattr(module, "__file__", None)
        if source and _absolute(source) == path:
            package = name if path.name == "__init__.py" else name.rpartition(".")[0]
            parts = package.split(".")[: len(package.split(".")) - node.level + 1]
            return ".".join([*parts, node.module] if node.module else parts)
    return node.module or ""


def _is_own(path: Path, folder: Path) -> bool:
    own = path.is_relative_to(folder) and not path.is_relative_to(Path(wlnn.__file__).parent)
    inside = path.relative_to(folder).parts if own else ()
    return (
        own and not (set(OTHERS) & set(inside)) and path.suffix not in SUFFIXES and path != folder
    )


def _absolute(path) -> Path:
    return Path(os.path.abspath(path))
