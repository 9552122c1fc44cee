"""Housekeeping of Numba's disk cache; compiles nothing and runs nothing when imported.

Numba looks at the time stamp of one source file, but a compiled loop also contains the functions
and constants of other files: an edit in any of them must not run old machine code.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from functools import cache
from pathlib import Path

STAMP = "wlnn-sources.txt"  # in each folder of the cache: the text that its code was made from


@cache
def _fingerprint() -> str:
    """One hash of the text of every source file of the package, exact cases included."""
    folders = [Path(__file__).parents[1]]
    cases = importlib.util.find_spec("wlnn.reference")
    if cases is not None and cases.origin is not None:
        folders.append(Path(cases.origin).parent)
    text = hashlib.sha256()
    for folder in folders:
        for path in sorted(folder.rglob("*.py")):
            text.update(path.relative_to(folder).as_posix().encode() + path.read_bytes())
    return text.hexdigest()


def _folders() -> set[Path]:
    """Folders of Numba's cache that hold code of loaded files; each has code of this package only.

    With NUMBA_DISABLE_JIT=1 there are none.
    """
    from numba.extending import is_jitted

    found = set()
    for name, module in list(sys.modules.items()):
        if name.startswith("wlnn."):
            own = (value for value in vars(module).values() if is_jitted(value))
            found |= {value.stats.cache_path for value in own if value.__module__ == name}
    return {Path(folder) for folder in found - {None}}


_checked = {"modules": 0}  # how many were loaded when the cache was looked at last


def drop_stale() -> None:
    """Delete machine code on disk that was made from another text of this package.

    Whoever hands out a compiled loop calls it before; it looks at the folders of all compiled
    functions loaded by then, and again only when more was loaded.
    """
    if _checked["modules"] == len(sys.modules):
        return
    for folder in _folders():
        stamp = folder / STAMP
        try:
            if stamp.exists() and stamp.read_bytes() == _fingerprint().encode():
                continue
            folder.mkdir(parents=True, exist_ok=True)
            for index in folder.glob("*.nbi"):
                index.unlink(missing_ok=True)
            stamp.write_bytes(_fingerprint().encode())
        except OSError:
            pass  # Numba takes only folders that it can write to; a full disk still lets files go
    _checked["modules"] = len(sys.modules)
