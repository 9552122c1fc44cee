"""A graphics card as memory and as an array library: CuPy is imported here and nowhere else.

The text of the package takes its array library first; what is here finds one for a name such as
"cuda:0", brings arrays there and back, and says in one sentence why it cannot. Nothing heavy is
imported before it is asked for. What runs on it is not known here.
"""

from __future__ import annotations

import contextlib
import gc
import re
from copy import copy

EXTRA = "pip install 'wlnn[cuda12]' or 'wlnn[cuda13]', by the driver's CUDA version in nvidia-smi"
OLDEST_DRIVER = 12000  # CUDA 12.0, as the driver reports it


def special_functions(xp):
    """The special functions of an array library: of SciPy for NumPy, else of CuPy."""
    if xp.__name__ == "numpy":
        from scipy import special
    else:
        from cupyx.scipy import special
    return special


class DeviceError(RuntimeError):
    """A device cannot be used, in one sentence that says why and what to do."""


class Host:
    """The CPU: NumPy, where everything is already."""

    name = "cpu"
    about = "cpu"
    kernels = None  # what launches kernels of Numba (``wlnn.backend.launch``), where they run
    no_kernels = ""  # why they do not

    @property
    def xp(self):
        """NumPy."""
        import numpy

        return numpy

    def put(self, array):
        """The array, in the memory of the device."""
        return self.xp.asarray(array)

    def host(self, array):
        """The array, in NumPy."""
        return self.xp.asarray(array)

    def noise(self, rngs, walkers: int) -> list:
        """What ``walkers`` draw from: their generators, or the only one of all."""
        return list(rngs)

    def using(self):
        """A context in which the device is the one in use."""
        return contextlib.nullcontext()


class Cuda(Host):
    """One CUDA device, through CuPy."""

    def __init__(self, cupy, number: int):
        self.cupy, self.number, self.name = cupy, number, f"cuda:{number}"
        properties = cupy.cuda.runtime.getDeviceProperties(number)
        title = properties["name"]
        self.title = title.decode() if isinstance(title, bytes) else str(title)
        self.about = f"{self.name} ({self.title}, CuPy {cupy.__version__})"

    def with_kernels(self) -> Cuda:
        """The same with kernels, if they run here; if not, ``no_kernels`` says why."""
        from wlnn.backend.launch import NoKernels, launcher

        found = copy(self)
        try:
            with found.using():
                found.kernels = launcher(self.cupy, DeviceError)
            found.about = f"{self.about[:-1]}, {found.kernels.about})"
        except NoKernels as reason:
            found.no_kernels = str(reason)
        return found

    def plain(self) -> Cuda:
        """The same without kernels: everything by the text that the CPU has, too."""
        return Cuda(self.cupy, self.number)

    @property
    def xp(self):
        """CuPy."""
        return self.cupy

    def put(self, array):
        """A copy of the array in the memory of the device."""
        return self.cupy.asarray(array)

    def host(self, array):
        """A copy of the array in NumPy; what was asked of the device is done then."""
        return self.cupy.asnumpy(array)

    def noise(self, rngs, walkers: int) -> list:
        """Counter-based numbers, made on the device, with keys from the walkers' generators."""
        import numpy as np

        from wlnn.backend.noise import Philox

        if len(rngs) == 1:
            keys = rngs[0].integers(0, 2**32, (walkers, 2), np.uint64)
        else:
            keys = np.stack([rng.integers(0, 2**32, 2, np.uint64) for rng in rngs])
        return [Philox(self.cupy, self.put(keys))]

    def using(self):
        """A context in which the device is the one in use; every thread needs its own."""
        return self.cupy.cuda.Device(self.number)

    def memory(self) -> tuple[int, int]:
        """Bytes that are free, and all."""
        pool = self.cupy.get_default_memory_pool()
        with self.using():
            free, total = self.cupy.cuda.runtime.memGetInfo()
            return free + pool.free_bytes(), total

    def room(self, work, wanted: int, own: int, what: str) -> int:
        """How many can be at work at a time, told by what ``work(1)`` and ``work(2)`` take.

        Args:
            work: function of a number of walkers.
            wanted: how many there are to be.
            own: bytes that each of them needs all the time.
            what: they are, for the sentence.

        Raises:
            DeviceError: fewer than wanted; or ``work`` needs something that CuPy has not.
        """
        gc.collect()  # arrays that only a circle of objects holds still take memory
        free, total = self.memory()
        one, two = (self._taken(work, n, what) for n in (1, 2))
        each = max(two - one, 1) + own
        most = max(int(free - max(2 * one - two, 0)) // each, 0)
        if most < wanted:
            raise DeviceError(
                f"{self.about} has {free / 1e9:.2f} of its {total / 1e9:.2f} GB free, and {wanted} "
                f"{what} need about {wanted * each / 1e9:.2f} GB: {most} would fit; take fewer, or "
                "leave out --device."
            )
        return most

    def _taken(self, work, n: int, what: str) -> int:
        """Bytes that ``work(n)`` takes from the device at its peak."""
        pool = self.cupy.get_default_memory_pool()
        with self.using():
            pool.free_all_blocks()
            before = pool.total_bytes()
            try:
                work(n)
            except self.cupy.cuda.memory.OutOfMemoryError as error:
                raise DeviceError(
                    f"{self.about} has no room for {n} of {what}; leave out --device, or take a "
                    "smaller network or fewer data."
                ) from error
            except (TypeError, AttributeError, NotImplementedError) as error:
                reason = " ".join(str(error).split())[:160].rstrip(".")
                raise DeviceError(
                    f"{what} run on the CPU alone: on {self.name} a function failed with "
                    f"{type(error).__name__} ({reason}); it must use the xp that it is given for "
                    "every array; or leave out --device."
                ) from error
            found = pool.total_bytes() - before
            pool.free_all_blocks()
            return found


CPU = Host()


def device_of(device) -> Host:
    """The device of a name: "cpu" or None, "cuda", "cuda:1"; a device is returned as it is.

    Raises:
        DeviceError: no such name, no CuPy, no driver or an old one, no such device.
    """
    if device is None or device == "cpu":
        return CPU
    if isinstance(device, Host):
        return device
    found = re.fullmatch(r"cuda(?::(\d+))?", str(device))
    if not found:
        raise DeviceError(f"device '{device}' is unknown; use cpu, cuda, or cuda:1 and so on.")
    cupy, number = _cupy(), int(found[1] or 0)
    count = _count(cupy)
    if number >= count:
        names = ", ".join(f"cuda:{k}" for k in range(count))
        raise DeviceError(f"there is no device cuda:{number} here; use {names} or cpu.")
    return _working(cupy, number)


def devices() -> tuple[list[Host], str]:
    """All devices that work here, the CPU first; and why there are no others, or ""."""
    found = [CPU]
    try:
        cupy = _cupy()
        return found + [_working(cupy, k) for k in range(_count(cupy))], ""
    except DeviceError as reason:
        return found, str(reason)


def _cupy():
    """CuPy, if it is installed and can be loaded."""
    import warnings

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of CuPy, where it finds no CUDA; it is told below
            import cupy
    except ModuleNotFoundError as error:
        raise DeviceError(f"CuPy is not installed, which cuda needs: {EXTRA}.") from error
    except Exception as error:
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DeviceError(f"CuPy is installed but cannot be loaded ({reason}): {EXTRA}.") from error
    return cupy


def _count(cupy) -> int:
    """How many devices there are, at least one."""
    runtime = cupy.cuda.runtime
    try:
        driver = runtime.driverGetVersion()
        needed = max(OLDEST_DRIVER, runtime.runtimeGetVersion() // 1000 * 1000)
        if 0 < driver < needed:
            raise DeviceError(
                f"the driver of the graphics card knows CUDA {_version(driver)}, CuPy needs "
                f"{_version(needed)}: install a newer driver, or {EXTRA}."
            )
        count = runtime.getDeviceCount() if driver else 0
    except runtime.CUDARuntimeError as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise DeviceError(
            f"there is no CUDA device that can be used here ({reason}); leave out --device, or run "
            "where nvidia-smi shows one."
        ) from error
    if not count:
        raise DeviceError(
            "there is no CUDA device here, or no driver for it; leave out --device, or run where "
            "nvidia-smi shows one."
        )
    return count


def _working(cupy, number: int) -> Cuda:
    """A device on which a kernel was compiled and a product made."""
    try:
        device = Cuda(cupy, number)
        with device.using():
            ones = cupy.ones((2, 2, 2))
            found = float((cupy.matmul(ones, ones) + ones).sum())
    except Exception as error:  # of CUDA's libraries, compiler and driver
        reason = " ".join(str(error).split())[:200].rstrip(".")
        raise DeviceError(
            f"cuda:{number} is there but computes nothing ({type(error).__name__}: {reason}); "
            f"{EXTRA}."
        ) from error
    if found != 24.0:
        raise DeviceError(f"cuda:{number} computes wrong numbers: 16 + 8 is {found:g} there.")
    return device.with_kernels()


def _version(number: int) -> str:
    return f"{number // 1000}.{number % 1000 // 10}"
