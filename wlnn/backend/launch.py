"""Kernels of Numba on arrays of CuPy: whether they run here, and how one is launched.

``numba.cuda`` is looked for when a device is, and imported only then. What a kernel computes is not
known here, but for the noise that a device is tried with.
"""

from __future__ import annotations

import re
from importlib import metadata

NEEDED = (0, 30)  # of numba-cuda: the oldest that the tests ran with
EXTRA = "install the extra cuda12 or cuda13 of wlnn"


class NoKernels(RuntimeError):  # noqa: N818 - not an error: the plain text runs then
    """Kernels cannot run here, in half a sentence that says why."""


class Launcher:
    """Launches kernels in the stream that CuPy uses, so that nobody waits for anybody.

    Args:
        cuda: ``numba.cuda``.
        cupy: the array library.
        version: of numba-cuda.
        failed: the exception of a kernel that does not compile or start.
    """

    def __init__(self, cuda, cupy, version: str, failed: type[Exception] = NoKernels):
        self.cuda, self.cupy, self.about = cuda, cupy, f"numba-cuda {version}"
        self.failed = failed

    def view(self, array):
        """An array of CuPy as Numba takes it, the same memory; None is returned as it is.

        Numba would wait for all that is under way in the array's stream, which is its own.
        """
        return None if array is None else self.cuda.as_cuda_array(array, sync=False)

    def stream(self):
        """The stream that CuPy uses now."""
        pointer = self.cupy.cuda.get_current_stream().ptr
        return self.cuda.external_stream(pointer) if pointer else self.cuda.legacy_default_stream()

    def __call__(self, kernel, blocks, threads: int, *args) -> None:
        """Launch ``kernel`` on ``blocks`` (a number, or two) of ``threads``; arrays are views."""
        try:
            kernel[blocks, threads, self.stream()](*args)
        except Exception as error:  # of Numba, CUDA's libraries, compiler and driver
            name = getattr(kernel, "__name__", "of Numba")
            raise self.failed(
                f"the kernel {name} does not run on this device ({_in_words(error)}); uninstall "
                "numba-cuda to go on without kernels."
            ) from error


def launcher(cupy, failed: type[Exception] = NoKernels) -> Launcher:
    """What launches kernels on the device of CuPy that is in use, after a kernel was tried there.

    A kernel that fails later raises ``failed``.

    Raises:
        NoKernels: no numba-cuda, an old one, or one that cannot compile or compute there.
    """
    try:
        version = metadata.version("numba-cuda")
    except metadata.PackageNotFoundError as error:
        raise NoKernels(f"numba-cuda is not installed: {EXTRA}") from error
    if tuple(int(part) for part in re.findall(r"\d+", version)[:2]) < NEEDED:
        oldest = ".".join(map(str, NEEDED))
        raise NoKernels(f"numba-cuda {version} is older than {oldest}: {EXTRA}")
    try:
        from numba import cuda
        from numba.cuda.core import config

        config.CUDA_LOW_OCCUPANCY_WARNINGS = 0  # a few walkers are few blocks, and meant to be
        found = Launcher(cuda, cupy, version, failed)
        worst = _tried(found)
    except Exception as error:  # of Numba, CUDA's libraries, compiler and driver
        cause = error.__cause__ if isinstance(error, failed) else error
        raise NoKernels(f"numba-cuda {version} runs no kernel here ({_in_words(cause)})") from error
    if not worst < 1e-3:
        raise NoKernels(f"numba-cuda {version} computes wrong numbers here: they are {worst:g} off")
    return found


def _in_words(error: BaseException | None) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())[:160].rstrip('.')}"


def _tried(launch: Launcher) -> float:
    """How far numbers that a kernel draws are from those of the text, at worst."""
    import numpy as np

    from wlnn.backend.noise import Philox
    from wlnn.backend.noise_kernel import draw

    keys, cupy = np.array([[1, 2], [3, 4]], np.uint64), launch.cupy
    numbers = cupy.empty((2, 8), dtype="float32")
    launch(draw, 2, 2, launch.view(cupy.asarray(keys)), 0, launch.view(numbers))
    return float(abs(cupy.asnumpy(numbers) - Philox(np, keys).standard_normal((2, 8), "f4")).max())
