"""Memory for vectors: a flat buffer that compiled code reads and writes a vector at a time.

The vectors and what is done with them are in ``simd.py``.
"""

from __future__ import annotations

import operator

import numpy as np
from llvmlite import ir
from numba import from_dtype, types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import (
    NativeValue,
    lower_builtin,
    models,
    register_model,
    type_callable,
    typeof_impl,
    unbox,
)
from numba.np.arrayobj import make_array

from wlnn.backend.simd import VECTOR_BYTES, VECTORS, Vector, llvm, lowered, repeat


class Buffer:
    """A flat array that compiled code sees as a bare address.

    Taking an array out of a tuple counts a reference, an atomic operation of some 20 cycles; a
    Wang-Landau step has no time for that. The array must outlive the compiled call, which it does
    as a field of the system that is passed in. Indices are not checked.
    """

    __slots__ = ("address", "array")

    def __init__(self, array: np.ndarray):
        self.array = np.ascontiguousarray(array).reshape(-1)
        self.address = self.array.ctypes.data

    @property
    def itemsize(self) -> int:
        """Bytes per number."""
        return self.array.itemsize

    @property
    def dtype(self) -> np.dtype:
        """Type of the numbers."""
        return self.array.dtype

    def __getitem__(self, i):
        return self.array[i]

    def __setitem__(self, i, value):
        self.array[i] = value

    def __reduce__(self):  # in another process the numbers lie elsewhere
        return Buffer, (self.array,)


class Rows(Buffer):
    """NamedTuples of whole numbers, all of one class; a subscript reads a whole one.

    Its fields are then in registers, where those of a record would be read again and again.
    """

    __slots__ = ("kind",)

    def __init__(self, rows: list):
        super().__init__(np.array(rows, np.int64))
        self.kind = type(rows[0])

    def __getitem__(self, k):
        n = len(self.kind._fields)
        return self.kind(*self.array[k * n : (k + 1) * n].tolist())

    def __reduce__(self):
        n = len(self.kind._fields)
        return Rows, ([self[k] for k in range(len(self.array) // n)],)


class BufferType(types.Type):
    """Numba type of a :class:`Buffer` of numbers of type ``dtype``."""

    def __init__(self, dtype):
        self.dtype = dtype
        super().__init__(name=f"buffer({dtype})")


@register_model(BufferType)
class _BufferModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, manager[kind.dtype].get_data_type().as_pointer())


@typeof_impl.register(Buffer)
def _typeof_buffer(value, context):
    return BufferType(from_dtype(value.dtype))


@typeof_impl.register(Rows)
def _typeof_rows(value, context):
    return BufferType(types.NamedUniTuple(types.int64, len(value.kind._fields), value.kind))


@unbox(BufferType)
def _unbox_buffer(kind, value, c):
    address = c.pyapi.object_getattr_string(value, "address")
    pointer = c.pyapi.long_as_voidptr(address)
    c.pyapi.decref(address)
    return NativeValue(c.builder.bitcast(pointer, c.context.get_value_type(kind)))


@type_callable(Buffer)
def _type_of_buffer(context):
    def typed(array):
        if isinstance(array, types.Array) and array.layout == "C":
            return BufferType(array.dtype)
        return None

    return typed


@lower_builtin(Buffer, types.Array)
def _buffer_of(context, builder, sig, args):
    """The address of an array, which compiled code may take as well."""
    return make_array(sig.args[0])(context, builder, args[0]).data


@infer_global(operator.getitem)
class _GetItem(AbstractTemplate):
    def generic(self, args, kws):
        buffer, _ = args
        if isinstance(buffer, BufferType):
            return signature(buffer.dtype, buffer, types.intp)
        return None


@infer_global(operator.setitem)
class _SetItem(AbstractTemplate):
    def generic(self, args, kws):
        buffer, *_ = args
        if isinstance(buffer, BufferType):
            return signature(types.none, buffer, types.intp, buffer.dtype)
        return None


@lower_builtin(operator.getitem, BufferType, types.intp)
def _get(context, builder, sig, args):
    model = context.data_model_manager[sig.return_type]
    return model.load_from_data_pointer(builder, builder.gep(args[0], [args[1]]))


@lower_builtin(operator.setitem, BufferType, types.intp, types.Number)
def _set(context, builder, sig, args):
    builder.store(args[2], builder.gep(args[0], [args[1]]))
    return context.get_dummy_value()


def _address(builder, buffer, index, kind):
    return builder.bitcast(builder.gep(buffer, [index]), llvm(kind).as_pointer())


def _aligned(instruction, kind):
    instruction.align = kind.dtype.bitwidth // 8
    return instruction


@lowered(
    lambda a: types.intp,
    lambda b, sig, a: ir.Constant(ir.IntType(64), VECTORS[sig.args[0].dtype].lanes),
    BufferType,
)
def lanes(a):
    """Numbers in one vector of the type of buffer ``a``."""
    return VECTOR_BYTES // a.itemsize


@lowered(
    lambda a, i: VECTORS[a.dtype],
    lambda b, sig, a, i: _aligned(b.load(_address(b, a, i, sig.return_type)), sig.return_type),
    BufferType,
    types.Integer,
)
def load(a, i):
    """The vector ``a[i : i + lanes]`` of a buffer."""
    return a.array[i : i + lanes(a)].copy()


@lowered(
    lambda a, i, x: types.none,
    lambda b, sig, a, i, x: (
        _aligned(b.store(x, _address(b, a, i, sig.args[2])), sig.args[2]) and None
    ),
    BufferType,
    types.Integer,
    Vector,
)
def store(a, i, x):
    """Write vector x to ``a[i : i + lanes]``."""
    a.array[i : i + lanes(a)] = x


@lowered(
    lambda a, scalar: VECTORS[a.dtype],
    lambda b, sig, a, scalar: repeat(
        b,
        sig.return_type,
        scalar if sig.return_type.dtype == sig.args[1] else b.fptrunc(scalar, ir.FloatType()),
    ),
    BufferType,
    types.Float,
)
def splat(a, scalar):
    """A vector of the type of buffer ``a`` with the float64 ``scalar`` in every lane."""
    return np.full(lanes(a), scalar, a.dtype)


@lowered(
    lambda a, i: VECTORS[a.dtype],
    lambda b, sig, a, i: repeat(b, sig.return_type, b.load(b.gep(a, [i]))),
    BufferType,
    types.Integer,
)
def broadcast(a, i):
    """A vector with ``a[i]`` in every lane."""
    return np.full(lanes(a), a[i], a.dtype)
