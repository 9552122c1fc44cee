"""Housekeeping of Numba's disk cache; compiles nothing.

Numba looks at the time stamp of one source file, but a driver also contains the systems and
constants of other files: an edit there must not run old machine code.
"""

from __future__ import annotations

from pathlib import Path


def drop_stale(function, *modules: str) -> None:
    """Delete what was compiled from ``modules`` before the last edit of any source of the package.

    ``function`` is one of their cached functions, which tells where the cache is; ``modules`` are
    file names without ending. Call it where the functions are defined.
    """
    sources = list(Path(__file__).parent.rglob("*.py"))
    try:
        import wlnn.reference

        sources += list(Path(wlnn.reference.__file__).parent.glob("*.py"))
    except ImportError:
        pass
    newest = max(source.stat().st_mtime for source in sources)
    folder = Path(function.stats.cache_path)
    for index in (path for module in modules for path in folder.glob(f"{module}.*.nbi")):
        try:
            if index.stat().st_mtime < newest:
                index.unlink()
        except OSError:
            pass  # another process was faster, or the folder is read-only
