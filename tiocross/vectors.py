"""Vectors of LANES numbers for kernels: one instruction works on several numbers, whatever the compiler finds out by itself.

A kernel loads a vector from a flat float64 array, computes with it as with one number, and stores it. Two arrays may
overlap, for what is loaded and what is stored is written down. Without compilation (NUMBA_DISABLE_JIT) the same functions
work on short NumPy arrays and give the same bits. Nothing checks the bounds of compiled loads and stores.
"""

import operator

import numpy as np
from llvmlite import ir
from numba.core import types
from numba.core.typing.templates import AbstractTemplate, infer_global, signature
from numba.extending import lower_builtin, models, register_model, type_callable

LANES = 8  # two registers of 256 bits, or one of 512
_TILE = 4  # numbers in a register of 256 bits: transposes are made of such tiles


def load(array, at):
    """Vector of the LANES numbers from ``array[at]`` on."""
    return array[at : at + LANES].copy()


def store(array, at, vector):
    """Put a vector to ``array[at]`` and behind."""
    array[at : at + LANES] = vector


def fill(number):
    """Vector of one number."""
    return np.full(LANES, number)


def spread(array, at):
    """Vector of the one number ``array[at]``."""
    return np.full(LANES, array[at])


def lane(vector, k):
    """One number of a vector."""
    return vector[k]


def magnitude(vector):
    """Without signs."""
    return np.abs(vector)


def larger(first, second):
    """The larger of two vectors, number by number; the second where one is NaN."""
    return np.where(first > second, first, second)


def where_above(first, second, then, other):
    """``then`` where ``first`` > ``second``, else ``other``, number by number."""
    return np.where(first > second, then, other)


def two_to(vector):
    """2 to the power of whole numbers from -1022 to 1023."""
    return np.exp2(vector)


def transpose(source, at, pitch, target, to, to_pitch):
    """Copy LANES rows of LANES numbers, ``pitch`` apart, as columns of rows that are ``to_pitch`` apart."""
    for i in range(LANES):
        for j in range(LANES):
            target[to + j * to_pitch + i] = source[at + i * pitch + j]


class Vector(types.Type):
    """numba's type of a vector."""

    def __init__(self):
        super().__init__(name=f"Vector({LANES})")


_VECTOR, _DOUBLE, _INDEX = Vector(), ir.DoubleType(), ir.IntType(32)
_WIDE, _NARROW = ir.VectorType(_DOUBLE, LANES), ir.VectorType(_DOUBLE, _TILE)


@register_model(Vector)
class _Model(models.PrimitiveModel):
    def __init__(self, manager, kind):
        super().__init__(manager, kind, _WIDE)


def _typed(function, result, n_arguments):
    """Tell numba what ``function`` returns."""
    def give(context):
        return {1: lambda a: result, 2: lambda a, b: result, 3: lambda a, b, c: result, 4: lambda a, b, c, d: result,
                6: lambda a, b, c, d, e, f: result}[n_arguments]
    type_callable(function)(give)


for _function, _result, _count in ((load, _VECTOR, 2), (store, types.none, 3), (fill, _VECTOR, 1), (spread, _VECTOR, 2),
                                   (lane, types.float64, 2), (magnitude, _VECTOR, 1), (larger, _VECTOR, 2),
                                   (where_above, _VECTOR, 4), (two_to, _VECTOR, 1),
                                   (transpose, types.none, 6)):
    _typed(_function, _result, _count)


def _place(context, builder, kind, array, at, shape):
    """Pointer to vectors of a shape at an index of an array."""
    data = context.make_array(kind)(context, builder, array).data
    return builder.bitcast(builder.gep(data, [at]), shape.as_pointer())


def _spread(builder, number):
    one = builder.insert_element(ir.Constant(_WIDE, ir.Undefined), number, ir.Constant(_INDEX, 0))
    return builder.shuffle_vector(one, ir.Constant(_WIDE, ir.Undefined), ir.Constant(ir.VectorType(_INDEX, LANES), None))


@lower_builtin(load, types.Array, types.Integer)
def _load(context, builder, sig, args):
    return builder.load(_place(context, builder, sig.args[0], *args, _WIDE), align=8)


@lower_builtin(store, types.Array, types.Integer, Vector)
def _store(context, builder, sig, args):
    builder.store(args[2], _place(context, builder, sig.args[0], *args[:2], _WIDE), align=8)
    return context.get_dummy_value()


@lower_builtin(fill, types.Float)
def _fill(context, builder, sig, args):
    return _spread(builder, args[0])


@lower_builtin(spread, types.Array, types.Integer)
def _spread_from(context, builder, sig, args):
    data = context.make_array(sig.args[0])(context, builder, args[0]).data
    return _spread(builder, builder.load(builder.gep(data, [args[1]])))


@lower_builtin(lane, Vector, types.Integer)
def _lane(context, builder, sig, args):
    return builder.extract_element(args[0], args[1])


@lower_builtin(magnitude, Vector)
def _magnitude(context, builder, sig, args):
    bits = ir.VectorType(ir.IntType(64), LANES)
    mask = ir.Constant(bits, [2**63 - 1] * LANES)
    return builder.bitcast(builder.and_(builder.bitcast(args[0], bits), mask), _WIDE)


@lower_builtin(larger, Vector, Vector)
def _larger(context, builder, sig, args):
    return builder.select(builder.fcmp_ordered(">", *args), *args)


@lower_builtin(where_above, Vector, Vector, Vector, Vector)
def _where_above(context, builder, sig, args):
    return builder.select(builder.fcmp_ordered(">", *args[:2]), *args[2:])


@lower_builtin(two_to, Vector)
def _two_to(context, builder, sig, args):
    bits = ir.VectorType(ir.IntType(64), LANES)
    # 3 * 2^51 + k has k in its last bits: moved to those of the exponent, they add to that of one.
    whole = builder.fadd(args[0], ir.Constant(_WIDE, [3.0 * 2.0**51] * LANES))
    power = builder.shl(builder.bitcast(whole, bits), ir.Constant(bits, [52] * LANES))
    return builder.bitcast(builder.add(power, ir.Constant(bits, [1023 << 52] * LANES)), _WIDE)


def _shuffle(builder, first, second, *lanes):
    return builder.shuffle_vector(first, second, ir.Constant(ir.VectorType(_INDEX, _TILE), lanes))


@lower_builtin(transpose, types.Array, types.Integer, types.Integer, types.Array, types.Integer, types.Integer)
def _transpose(context, builder, sig, args):
    source, at, pitch, target, to, to_pitch = args
    count = at.type

    def places(kind, array, start, step):
        starts = [start]
        for _ in range(LANES - 1):
            starts.append(builder.add(starts[-1], step))
        return [[_place(context, builder, kind, array, builder.add(row, ir.Constant(count, k)), _NARROW)
                 for k in range(0, LANES, _TILE)] for row in starts]

    given, wanted = places(sig.args[0], source, at, pitch), places(sig.args[3], target, to, to_pitch)
    tiles = [[[builder.load(given[i + k][j], align=8) for k in range(_TILE)] for j in range(LANES // _TILE)]
             for i in range(0, LANES, _TILE)]
    for i in range(LANES // _TILE):
        for j in range(LANES // _TILE):
            a, b, c, d = tiles[i][j]
            low, high = _shuffle(builder, a, b, 0, 4, 2, 6), _shuffle(builder, a, b, 1, 5, 3, 7)
            low_2, high_2 = _shuffle(builder, c, d, 0, 4, 2, 6), _shuffle(builder, c, d, 1, 5, 3, 7)
            columns = (_shuffle(builder, low, low_2, 0, 1, 4, 5), _shuffle(builder, high, high_2, 0, 1, 4, 5),
                       _shuffle(builder, low, low_2, 2, 3, 6, 7), _shuffle(builder, high, high_2, 2, 3, 6, 7))
            for k, column in enumerate(columns):
                builder.store(column, wanted[_TILE * j + k][i], align=8)
    return context.get_dummy_value()


class _Arithmetic(AbstractTemplate):
    """An operator with at least one vector. numba looks at what is for a kind of processor first: what it would try
    before, for every operator in a kernel, takes most of the time to compile it."""

    metadata = {"target": "cpu"}

    def generic(self, args, kws):
        if len(args) == 2 and _VECTOR in args and all(kind in (_VECTOR, types.float64) for kind in args):
            return signature(_VECTOR, *args)


def _arithmetic(instruction, *operators):
    """+, -, * or / of vectors, and of a vector and a number."""
    def lower(context, builder, sig, args):
        vectors = (value if kind == _VECTOR else _spread(builder, value) for kind, value in zip(sig.args, args))
        return getattr(builder, instruction)(*vectors)

    for each in operators:
        infer_global(each)(type(f"_{each.__name__}", (_Arithmetic,), {}))
        for kinds in ((_VECTOR, _VECTOR), (_VECTOR, types.float64), (types.float64, _VECTOR)):
            lower_builtin(each, *kinds)(lower)


_arithmetic("fadd", operator.add, operator.iadd)
_arithmetic("fsub", operator.sub, operator.isub)
_arithmetic("fmul", operator.mul, operator.imul)
_arithmetic("fdiv", operator.truediv, operator.itruediv)


class _Numbers(AbstractTemplate):
    """An operator of two whole numbers or two reals: what numba finds too, but later."""

    metadata = {"target": "cpu"}
    result = None

    def generic(self, args, kws):
        if len(args) == 2 and args[0] == args[1] and args[0] in (types.int64, types.float64):
            return signature(self.result or args[0], *args)


for _each in (operator.add, operator.sub, operator.mul, operator.iadd, operator.isub, operator.imul):
    infer_global(_each)(type(f"_{_each.__name__}", (_Numbers,), {}))
for _each in (operator.lt, operator.le, operator.gt, operator.ge, operator.eq, operator.ne):
    infer_global(_each)(type(f"_{_each.__name__}", (_Numbers,), {"result": types.boolean}))


@infer_global(operator.getitem)
class _Entry(AbstractTemplate):
    """One number of a flat array, likewise."""

    metadata = {"target": "cpu"}

    def generic(self, args, kws):
        array, at = args
        if isinstance(array, types.Array) and array.ndim == 1 and at == types.int64:
            return signature(array.dtype, array, at) if isinstance(array.dtype, types.Number) else None
