"""A vector value type for Numba: 8 x float32 or 4 x float64, and the operations on it.

Each operation is a plain function with a NumPy body (a vector is then a small array), so that the
kernels of ``one_weight.py`` are one text that runs with and without compilation; compiled, it
becomes one or a few machine instructions. Plain loops vectorise only in some shapes; explicit
vectors make the whole sampler 1.7 times faster. This file knows nothing of networks.
"""

from __future__ import annotations

import math

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import (
    lower_builtin,
    models,
    register_model,
    type_callable,
)

VECTOR_BYTES = 32


class Vector(types.Type):
    """Numba type of a vector of ``lanes`` numbers of type ``dtype``."""

    def __init__(self, dtype):
        self.dtype = dtype
        self.lanes = VECTOR_BYTES * 8 // dtype.bitwidth
        super().__init__(name=f"vector({dtype} x {self.lanes})")


def llvm(kind):
    """The LLVM type of a vector type."""
    scalar = ir.FloatType() if kind.dtype == types.float32 else ir.DoubleType()
    return ir.VectorType(scalar, kind.lanes)


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, llvm(kind))


VECTORS = {dtype: Vector(dtype) for dtype in (types.float32, types.float64)}


def constant(kind, value):
    """A vector constant of LLVM, for a Numba type ``kind``."""
    return ir.Constant(llvm(kind), [float(value)] * kind.lanes)


def _in_memory(builder, kind, values):
    """A list of vector constants, which instructions take from memory where they use them.

    Of constants that it knows, LLVM stores one lane and repeats it by an instruction of its own,
    many in every turn of a loop: too many for the registers, they were a third of exp. Hence a
    table at an address that it does not know.
    """
    table = ir.Constant(ir.ArrayType(llvm(kind), len(values)), [constant(kind, v) for v in values])
    place = cgutils.global_constant(builder, "vectors", table)
    place.align = VECTOR_BYTES
    of = place.type
    unknown = ir.InlineAsm(ir.FunctionType(of, [of]), "", "=r,0", side_effect=False)
    place = builder.call(unknown, [place], attrs=("nounwind", "readnone"))
    places = [cgutils.gep_inbounds(builder, place, 0, k) for k in range(len(values))]
    return [builder.load(place, align=VECTOR_BYTES) for place in places]


def _integers(kind, value=None):
    vector = ir.VectorType(ir.IntType(kind.dtype.bitwidth), kind.lanes)
    return vector if value is None else ir.Constant(vector, [value] * kind.lanes)


def call(builder, name, kind, *arguments):
    """Emit a call of LLVM's own function ``name`` on vectors."""
    vector = llvm(kind)
    signature = ir.FunctionType(vector, [vector] * len(arguments))
    full_name = f"llvm.{name}.v{kind.lanes}f{kind.dtype.bitwidth}"
    function = cgutils.get_or_insert_function(builder.module, signature, full_name)
    return builder.call(function, arguments)


def _maximum(builder, kind, x, y):
    return builder.select(builder.fcmp_ordered(">", x, y), x, y)


def exponential(builder, kind, x):
    """exp x = 2^n p(r), n = rint(x / ln 2), r = x - n ln 2, p a Taylor polynomial.

    All of it is one chain of dependent instructions, so latency counts: adding 1.5 * 2^mantissa
    rounds x / ln 2 and leaves n in the low bits, and p is summed in pairs (G. Estrin).
    """
    single = kind.dtype == types.float32
    mantissa, degree, lowest = (23, 7, -87.0) if single else (52, 13, -700.0)
    ln2_parts = (  # the first has trailing zeros, so that n times it is exact (W. Cody, W. Waite)
        (math.log(2),) if single else (6.93147180369123816490e-1, 1.90821492927058770002e-10)
    )
    numbers = [lowest, 1.5 * 2.0**mantissa, 1 / math.log(2), *(-part for part in ln2_parts)]
    numbers += [1 / math.factorial(k) for k in range(degree + 1)]
    lowest, magic, per_ln2, *numbers = _in_memory(builder, kind, numbers)
    x = _maximum(builder, kind, x, lowest)
    shifted = call(builder, "fma", kind, x, per_ln2, magic)
    n = builder.fsub(shifted, magic)
    r = x
    for part in numbers[: len(ln2_parts)]:
        r = call(builder, "fma", kind, n, part, r)
    terms = numbers[len(ln2_parts) :]
    power = r
    while len(terms) > 1:
        odd = [] if len(terms) % 2 == 0 else [terms.pop()]
        terms = [
            call(builder, "fma", kind, high, power, low)
            for low, high in zip(terms[::2], terms[1::2], strict=True)
        ] + odd
        power = builder.fmul(power, power)
    exponent = builder.shl(builder.bitcast(shifted, _integers(kind)), _integers(kind, mantissa))
    bits = builder.add(builder.bitcast(terms[0], _integers(kind)), exponent)
    return builder.bitcast(bits, llvm(kind))


def lowered(result, build, *kinds):
    """Compile a function, given as its NumPy body, through an LLVM builder.

    ``result(*argument types)`` is the type returned, ``build(builder, signature, *values)`` emits
    the instructions, ``kinds`` are the classes of the argument types.
    """

    def decorate(body):
        count = len(kinds)
        typers = {
            0: lambda context: lambda: result(),
            1: lambda context: lambda x: result(x),
            2: lambda context: lambda x, y: result(x, y),
            3: lambda context: lambda x, y, z: result(x, y, z),
        }
        type_callable(body)(typers[count])

        @lower_builtin(body, *kinds)
        def lower(context, builder, sig, args):
            value = build(builder, sig, *args)
            return context.get_dummy_value() if value is None else value

        return body

    return decorate


def vector_function(build):
    """:func:`lowered` for functions whose arguments and result are vectors of one type."""

    def decorate(body):
        return lowered(
            lambda *kinds: kinds[0],
            lambda builder, sig, *args: build(builder, sig.args[0], *args),
            *[Vector] * body.__code__.co_argcount,
        )(body)

    return decorate


@vector_function(lambda b, kind, x, y: b.fadd(x, y))
def add(x, y):
    """x + y."""
    return x + y


@vector_function(lambda b, kind, x, y: b.fsub(x, y))
def subtract(x, y):
    """x - y."""
    return x - y


@vector_function(lambda b, kind, x, y: b.fmul(x, y))
def multiply(x, y):
    """x y."""
    return x * y


@vector_function(lambda b, kind, x, y: b.fdiv(x, y))
def divide(x, y):
    """x / y."""
    return x / y


@vector_function(lambda b, kind, x, y, z: call(b, "fma", kind, x, y, z))
def fma(x, y, z):
    """x y + z, rounded once when compiled."""
    return x * y + z


@vector_function(_maximum)
def maximum(x, y):
    """The larger of x and y, lane by lane."""
    return np.maximum(x, y)


@vector_function(lambda b, kind, x: call(b, "fabs", kind, x))
def absolute(x):
    """|x|."""
    return np.abs(x)


def _either(builder, kind, x, y):
    bits = builder.or_(builder.bitcast(x, _integers(kind)), builder.bitcast(y, _integers(kind)))
    return builder.bitcast(bits, llvm(kind))


@vector_function(_either)
def either(x, y):
    """The bits of x and of y: zero, of either sign, where both are and nowhere else."""
    bits = np.dtype(f"i{x.itemsize}")
    return (x.view(bits) | y.view(bits)).view(x.dtype)


@vector_function(lambda b, kind, x: exponential(b, kind, x))
def exp(x):
    """e^x for x below 87 (float32) or 700 (float64); relative error 4e-7 or 4e-16."""
    return np.exp(x)


@vector_function(
    lambda b, kind, x: b.select(
        b.fcmp_ordered("<", x, constant(kind, 0)), constant(kind, 1), constant(kind, 0)
    )
)
def negative(x):
    """1 where x < 0, else 0."""
    return (x < 0).astype(x.dtype)


def repeat(builder, kind, value):
    """A vector of equal numbers."""
    undefined = ir.Constant(llvm(kind), ir.Undefined)
    first = builder.insert_element(undefined, value, ir.Constant(ir.IntType(32), 0))
    mask = ir.Constant(ir.VectorType(ir.IntType(32), kind.lanes), [0] * kind.lanes)
    return builder.shuffle_vector(first, undefined, mask)


def fold(builder, kind, value, combine):
    """Combine the lanes of a vector pair by pair."""
    lanes = kind.lanes
    while lanes > 1:
        undefined = ir.Constant(value.type, ir.Undefined)
        mask = ir.VectorType(ir.IntType(32), lanes // 2)
        low, high = (
            builder.shuffle_vector(value, undefined, ir.Constant(mask, list(half)))
            for half in (range(lanes // 2), range(lanes // 2, lanes))
        )
        value, lanes = combine(low, high), lanes // 2
    return builder.extract_element(value, ir.Constant(ir.IntType(32), 0))


def _widened(builder, kind, value):
    """A vector in float64."""
    if kind.dtype == types.float32:
        return builder.fpext(value, ir.VectorType(ir.DoubleType(), kind.lanes))
    return value


def _any(builder, kind, x):
    bits = builder.bitcast(
        builder.fcmp_unordered("!=", x, constant(kind, 0)), ir.IntType(kind.lanes)
    )
    return builder.icmp_unsigned("!=", bits, ir.Constant(bits.type, 0))


@lowered(
    lambda x: types.float64,
    lambda b, sig, x: fold(b, sig.args[0], _widened(b, sig.args[0], x), b.fadd),
    Vector,
)
def total(x):
    """Sum over the lanes, in float64."""
    return float(x.sum(dtype=np.float64))


@lowered(
    lambda x: types.float64,
    lambda b, sig, x: fold(
        b, sig.args[0], _widened(b, sig.args[0], x), lambda p, q: b.fadd(b.fadd(p, q), b.fmul(p, q))
    ),
    Vector,
)
def total_product(x):
    """prod(1 + x) - 1 over the lanes in float64, with no loss of precision for small x."""
    return float(np.expm1(np.log1p(x.astype(np.float64)).sum()))


@lowered(lambda x: types.boolean, lambda b, sig, x: _any(b, sig.args[0], x), Vector)
def any_nonzero(x):
    """Whether any lane differs from zero."""
    return bool(np.any(x != 0))


def _tally(builder, kind, count, x):
    below = builder.sext(builder.fcmp_ordered("<", x, constant(kind, 0)), _integers(kind))
    bits = builder.sub(builder.bitcast(count, _integers(kind)), below)
    return builder.bitcast(bits, llvm(kind))


@vector_function(_tally)
def tally(count, x):
    """``count``, whole numbers in the bits of a vector that began as 0, plus 1 where x < 0."""
    bits = np.dtype(f"i{x.itemsize}")
    return (count.view(bits) + (x < 0)).astype(bits).view(x.dtype)


def _tallied(builder, sig, count):
    kind = sig.args[0]
    sum_ = fold(builder, kind, builder.bitcast(count, _integers(kind)), builder.add)
    return builder.sitofp(sum_, ir.DoubleType())


@lowered(lambda x: types.float64, _tallied, Vector)
def tallied(count):
    """Sum over the lanes of what :func:`tally` counted."""
    return float(count.view(np.dtype(f"i{count.itemsize}")).sum())


def _convergent(builder):
    """No instruction at all, but one that LLVM must not make depend on further conditions."""
    nothing = ir.InlineAsm(ir.FunctionType(ir.VoidType(), ()), "", "", side_effect=True)
    builder.call(nothing, (), attrs=("convergent", "nounwind", "readnone"))


@lowered(lambda: types.none, lambda b, sig: _convergent(b))
def few_turns():
    """Said in a loop of few turns: LLVM then leaves it short.

    For many processors it would write the body 8 to 32 times, with tests before and single turns
    after it: of a row of ten vectors the tests are a tenth of the time of a Monte Carlo step. LLVM
    does not take conditions out of such a loop either: it must hold none.
    """
