"""Compiles every kernel for five kinds of cards, without a card; run by ``test_kernels.py``.

    python assemble.py FOLDER        one line of JSON: kernel and card, and what went wrong, or ""

The types are those that ``wlnn.wlmd.kernels.walk`` and ``wlnn.canonical.kernels.walk`` give.
"""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

from numba import cuda, typeof, types
from numba.cuda import dispatcher

from wlnn.backend import noise_kernel
from wlnn.canonical import kernels as canonical
from wlnn.wlmd import kernels as wlmd
from wlnn.wlmd.integrator import Motion
from wlnn.wlmd.surface import Surface, Walls

CARDS = ((7, 5), (8, 0), (9, 0), (10, 0), (12, 0))
SURFACE = typeof(Surface(-5.0, 50.0, 300, -5.0, 50.0, 400, 0.2, 0.8, 0, Walls()))
MOTION = typeof(Motion(0.0, 0.9, 2, 1, 1e9))
X = types.Array(types.float64, 1, "C")  # (R,)
SOUND, COUNT = types.Array(types.boolean, 1, "C"), types.Array(types.int64, 1, "C")
THETA, GRADIENT = (types.Array(kind, 2, "C") for kind in (types.float64, types.float32))
KEYS, TABLES = types.Array(types.uint64, 2, "C"), types.Array(types.float64, 3, "C")
MISSING = "NvvmSupportError", "DynamicLibNotFoundError"  # the compiler is not installed
REAL, WHOLE = types.float64, types.int64
KERNELS = {
    "feel": (wlmd.feel, TABLES, SURFACE, X, X, SOUND, COUNT, X, X),
    "move": (
        wlmd.move, THETA, THETA, GRADIENT, X, X, MOTION, X, KEYS, WHOLE, COUNT, SOUND, THETA, THETA,
    ),
    "record": (wlmd.record, X, X, X, THETA, REAL, COUNT, TABLES, COUNT, SOUND),
    "leave_hills": (wlmd.leave_hills, TABLES, SURFACE, X, X, SOUND, COUNT, X, THETA, THETA),
    "feel_loss": (canonical.feel_loss, X, X, COUNT, X),
    "average": (canonical.average, X, X, X, THETA, X, WHOLE, THETA, SOUND),
    "draw": (noise_kernel.draw, KEYS, WHOLE, GRADIENT),
}  # fmt: skip


def assembled(folder: Path) -> dict:
    """Write the assembly of all; names and sentences."""
    said = {}
    for card in CARDS:
        # compiling functions that a kernel calls asks for the device that is there
        device = SimpleNamespace(compute_capability=card)
        dispatcher.get_current_device = lambda device=device: device
        for name, (kernel, *signature) in KERNELS.items():
            full = "{}_{}{}".format(name, *card)
            try:
                text, _ = cuda.compile_ptx(kernel.py_func, types.void(*signature), cc=card)
                (folder / f"{full}.ptx").write_text(text, encoding="utf-8")
                said[full] = ""
            except Exception as error:
                sentence = " ".join(str(error).split())[:300]
                if type(error).__name__ in MISSING:
                    return {"missing": sentence}
                said[full] = f"{type(error).__name__}: {sentence}"
    return said


if __name__ == "__main__":
    print(json.dumps(assembled(Path(sys.argv[1]))))
