"""A strict stand-in for CuPy: NumPy behind a wall that refuses what CuPy refuses, and counts.

Arrays of a device never mix with NumPy's, and nothing turns one into the other by itself. Counted
are launches (a function that makes numbers is one; a view is none), synchronisations (the CPU waits
for a number) and transfers. Where the real CuPy can be imported, which needs no device, the names
and keywords that are used are looked up there. ``install`` puts it in the place of CuPy.
"""

from __future__ import annotations

import inspect
import sys
import types
import warnings
import weakref
from functools import cache

import numpy as np

try:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import cupy as real
except Exception:  # without it names are not looked up
    real = None

GIB = 2**30
COUNTS = ("launches", "syncs", "uploads", "downloads", "copies")
counts = dict.fromkeys(COUNTS, 0)
SHAPES = {"reshape", "broadcast_to", "transpose", "swapaxes", "expand_dims", "squeeze", "moveaxis"}
LOOKS = {"nonzero", "flatnonzero", "argwhere", "unique"}  # their results' sizes are read back
OPERATORS = {
    "add": "add", "sub": "subtract", "mul": "multiply", "truediv": "divide", "pow": "power",
    "floordiv": "floor_divide", "mod": "remainder", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "rshift": "right_shift", "lshift": "left_shift",
}  # fmt: skip
COMPARISONS = {
    "lt": "less", "le": "less_equal", "gt": "greater", "ge": "greater_equal", "eq": "equal",
    "ne": "not_equal",
}  # fmt: skip


class OutOfMemoryError(MemoryError):
    pass


class Pool:
    """Memory: bytes of the arrays that are alive, the most since it was emptied, the limit."""

    def __init__(self):
        self.used = self.peak = 0
        self.limit = 16 * GIB

    def take(self, array: ndarray) -> None:
        size = array._a.nbytes
        if array._a.base is not None or not size:  # a view
            return
        if self.used + size > self.limit:
            raise OutOfMemoryError(f"Out of memory allocating {size:,} bytes")
        self.used += size
        self.peak = max(self.peak, self.used)
        weakref.finalize(array, self._give, size)

    def _give(self, size: int) -> None:
        self.used -= size

    def total_bytes(self) -> int:
        return self.peak

    def free_bytes(self) -> int:
        return self.peak - self.used

    def free_all_blocks(self) -> None:
        self.peak = self.used


pool = Pool()


def reset() -> None:
    """Counts begin at 0."""
    counts.update(dict.fromkeys(COUNTS, 0))


def _inner(value, where: str):
    """What is behind the wall; an array of NumPy has no business here."""
    if isinstance(value, ndarray):
        return value._a
    if isinstance(value, np.ndarray):
        raise TypeError(f"{where}: Unsupported type {type(value)}")
    if isinstance(value, list | tuple):
        return type(value)(_inner(part, where) for part in value)
    return value


def _outer(value):
    if isinstance(value, np.ndarray | np.generic):
        return ndarray(np.asarray(value))
    if isinstance(value, tuple | list):
        return type(value)(map(_outer, value))
    return value


class ndarray:  # noqa: N801 - CuPy's name
    """An array in the memory of the device."""

    __array_priority__ = 1e6
    __hash__ = None

    def __init__(self, array):
        self._a = array
        pool.take(self)

    def _refused(self, *_, **__):
        raise TypeError("Implicit conversion to a NumPy array is not allowed. Use `.get()`.")

    __array__ = __array_ufunc__ = __array_function__ = _refused

    def __iter__(self):
        return (self[k] for k in range(len(self)))

    def get(self):
        counts["syncs"] += 1
        counts["downloads"] += 1
        return self._a.copy()

    def _read(self, kind):
        counts["syncs"] += 1
        return kind(self._a)

    def __float__(self):
        return self._read(float)

    def __int__(self):
        return self._read(int)

    def __index__(self):
        return self._read(lambda array: array.__index__())

    def __bool__(self):
        return self._read(bool)

    def item(self):
        return self._read(lambda array: array.item())

    def tolist(self):
        return self._read(lambda array: array.tolist())

    def __len__(self):
        return len(self._a)

    def __getitem__(self, key):
        key, fancy = self._key(key)
        if fancy:
            counts["launches"] += 1
        return ndarray(np.asarray(self._a[key]))

    def __setitem__(self, key, value):
        if isinstance(value, np.ndarray) and value.ndim:
            raise TypeError("an array of NumPy is put into one of the device")
        counts["launches"] += 1
        self._a[self._key(key)[0]] = _inner(value, "setitem")

    @staticmethod
    def _key(key):
        parts = key if isinstance(key, tuple) else (key,)
        inner = tuple(_inner(part, "index") for part in parts)
        if any(getattr(part, "dtype", None) == np.dtype(bool) for part in inner):
            counts["syncs"] += 1  # the size of the result is read back
        fancy = any(isinstance(part, ndarray) for part in parts)
        return (inner if isinstance(key, tuple) else inner[0]), fancy

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if real is not None and not hasattr(real.ndarray, name):
            raise AttributeError(f"cupy.ndarray has no attribute {name!r}")
        found = getattr(self._a, name)
        if name == "T":
            return ndarray(found)
        if not callable(found):
            return found

        def method(*args, **kwargs):
            if name not in (*SHAPES, "ravel", "view"):
                counts["launches"] += 1
            kwargs = {key: _inner(value, name) for key, value in kwargs.items()}
            return _outer(found(*(_inner(value, name) for value in args), **kwargs))

        return method

    def __neg__(self):
        return _run(np.negative, self)

    def __abs__(self):
        return _run(np.abs, self)

    def __invert__(self):
        return _run(np.invert, self)

    def __matmul__(self, other):
        return matmul(self, other)


def _run(function, *args, **kwargs):
    counts["launches"] += 1
    args = tuple(_inner(value, function.__name__) for value in args)
    return _outer(np.asarray(function(*args, **kwargs)))


def _operators() -> None:
    for short, name in (OPERATORS | COMPARISONS).items():
        function = getattr(np, name)

        def plain(self, other, function=function):
            return _run(function, self, other)

        def reverse(self, other, function=function):
            return _run(function, other, self)

        def inplace(self, other, function=function):
            counts["launches"] += 1
            function(self._a, _inner(other, function.__name__), out=self._a)
            return self

        setattr(ndarray, f"__{short}__", plain)
        if short in OPERATORS:
            setattr(ndarray, f"__r{short}__", reverse)
            setattr(ndarray, f"__i{short}__", inplace)


_operators()


def matmul(a, b):
    """A batched product: CuPy copies operands that are not contiguous, and needs pointer arrays."""
    x, y = _inner(a, "matmul"), _inner(b, "matmul")
    counts["launches"] += 1
    if max(x.ndim, y.ndim) > 2:
        strided = sum(not operand.flags.c_contiguous for operand in (x, y))
        counts["copies"] += strided
        counts["launches"] += strided + 3 * (x.shape[:-2] != y.shape[:-2])
    return ndarray(np.matmul(x, y))


def asarray(array, dtype=None):
    if isinstance(array, ndarray):
        return array if dtype is None or array.dtype == dtype else array.astype(dtype)
    counts["uploads"] += 1
    return ndarray(np.array(array, dtype=dtype))


array = asarray


def asnumpy(array):
    return array.get() if isinstance(array, ndarray) else np.asarray(array)


def empty(shape, dtype=float):
    """Not zeros: what is read before it is written shows."""
    counts["launches"] += 0
    found = np.empty(shape, dtype)
    found.fill(np.nan if found.dtype.kind == "f" else -(2**30) if found.dtype.kind == "i" else 1)
    return ndarray(found)


@cache
def _signature(name: str):
    try:
        parameters = inspect.signature(getattr(real, name)).parameters
    except (TypeError, ValueError):
        return None
    return None if any(p.kind == p.VAR_KEYWORD for p in parameters.values()) else set(parameters)


class FakeCupy(types.ModuleType):
    """What ``import cupy`` gives: a device or more, or the error that is asked for."""

    __version__ = "14.2.0"

    def __init__(self, devices=1, driver=13000, toolkit=13000, free=16 * GIB, error=None):
        super().__init__("cupy")
        self.ndarray, self.matmul, self.asnumpy = ndarray, matmul, asnumpy
        self.asarray, self.array, self.empty = asarray, asarray, empty
        pool.limit = free
        self.get_default_memory_pool = lambda: pool

        class CUDARuntimeError(RuntimeError):
            pass

        def count():
            if error:
                raise CUDARuntimeError(error)
            return devices

        class Device:
            entered = []  # noqa: RUF012

            def __init__(self, number):
                self.number = number

            def __enter__(self):
                Device.entered.append(self.number)

            def __exit__(self, *_):
                Device.entered.pop()

        runtime = types.SimpleNamespace(
            CUDARuntimeError=CUDARuntimeError,
            driverGetVersion=lambda: driver,
            runtimeGetVersion=lambda: toolkit,
            getDeviceCount=count,
            getDeviceProperties=lambda k: {"name": b"Fake H1"},
            memGetInfo=lambda: (free - pool.peak, free),
        )
        memory = types.SimpleNamespace(OutOfMemoryError=OutOfMemoryError)
        self.cuda = types.SimpleNamespace(runtime=runtime, Device=Device, memory=memory)

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        if real is not None and not hasattr(real, name):
            raise AttributeError(f"module 'cupy' has no attribute {name!r}")
        function = getattr(np, name)
        if isinstance(function, type) or not callable(function):
            return function

        def call(*args, **kwargs):
            known = None if real is None or isinstance(function, np.ufunc) else _signature(name)
            for key in kwargs if known is not None else ():
                if key not in known:
                    raise TypeError(f"cupy.{name}() got an unexpected keyword argument {key!r}")
            if name in LOOKS or (name == "where" and len(args) == 1):
                counts["syncs"] += 1
            counts["launches"] += name not in SHAPES
            out = kwargs.pop("out", None)
            inner = {key: _inner(value, name) for key, value in kwargs.items()}
            args = tuple(_inner(value, name) for value in args)
            if out is None:
                return _outer(function(*args, **inner))
            function(*args, **inner, out=_inner(out, name))
            return out

        self.__dict__[name] = call
        return call


def install(monkeypatch, **how) -> FakeCupy:
    """The fake in the place of CuPy; counts begin at 0."""
    fake = FakeCupy(**how)
    monkeypatch.setitem(sys.modules, "cupy", fake)
    reset()
    return fake
