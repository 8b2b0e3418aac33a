"""Vectorising intrinsics that Numba does not offer.

`number` and `polynomial` have constants for both dtypes: a literal would turn float32 arithmetic into float64.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import ir
from numba.core import cgutils, types
from numba.extending import intrinsic

# (bits of the significand, 1.5 · 2^bits, bits of 1.0); a small integer added to the second is in its low bits
_LAYOUT = {types.float32: (23, 12582912.0, 127), types.float64: (52, 6755399441055744.0, 1023)}
RAISE = 64  #: binary digits that keep `raised_power_in` clear of subnormal numbers
_INTEGER = {types.float32: ir.IntType(32), types.float64: ir.IntType(64)}


def _call(builder: Any, name: str, arguments: Sequence[Any]) -> Any:
    kind = arguments[0].type
    function = builder.module.declare_intrinsic(name, [kind], ir.FunctionType(kind, [kind] * len(arguments)))
    return builder.call(function, arguments)


def _integer(builder: Any, kind: Any, value: int) -> Any:
    return ir.Constant(_INTEGER[kind], value)


@intrinsic
def fma(context: Any, a: Any, b: Any, c: Any) -> Any:
    return a(a, a, a), lambda _, builder, signature, arguments: _call(builder, "llvm.fma", arguments)


@intrinsic
def where(context: Any, condition: Any, a: Any, b: Any) -> Any:
    return a(types.boolean, a, a), lambda _, builder, signature, arguments: builder.select(*arguments)


@intrinsic
def with_sign_of(context: Any, a: Any, b: Any) -> Any:
    return a(a, a), lambda _, builder, signature, arguments: _call(builder, "llvm.copysign", arguments)


@intrinsic
def add_in_any_order(context: Any, total: Any, x: Any) -> Any:
    """Let a loop reorder the sum, to add several terms at a time."""
    return total(total, total), lambda _, builder, signature, arguments: builder.fadd(
        *arguments, flags=("reassoc", "nsz")
    )


@intrinsic
def narrow(context: Any, place: Any) -> Any:
    """A place in 32 bits: loops compare as many at once as float32 numbers."""
    kind = types.int32
    return kind(place), lambda _, builder, signature, arguments: builder.trunc(arguments[0], ir.IntType(32))


VECTOR = 32  #: bytes compared at once; narrower registers take several


def _load_vectors(builder: Any, row: Any, start: Any, count: int) -> list[Any]:
    entry = row.type.pointee
    lanes = VECTOR // (4 if isinstance(entry, ir.FloatType) else 8)
    kind = ir.VectorType(entry, lanes)
    places = (builder.add(start, ir.Constant(start.type, first)) for first in range(0, count, lanes))
    pointers = (builder.bitcast(builder.gep(row, [place]), kind.as_pointer()) for place in places)
    return [builder.load(pointer, align=VECTOR // lanes) for pointer in pointers]


def largest_of(count: int) -> Any:
    """Function of (row, start) for the largest of `count` entries, a multiple of 8, without NaN.

    A loop for a maximum takes three times as long.
    """

    @intrinsic
    def largest(context: Any, row: Any, start: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
            vectors = _load_vectors(builder, data, arguments[1], count)
            kind = vectors[0].type
            totals = [ir.Constant(kind, [-math.inf] * kind.count) for _ in range(min(4, len(vectors)))]

            def larger(a: Any, b: Any) -> Any:
                return builder.select(builder.fcmp_ordered(">", a, b), a, b)

            for place, vector in enumerate(vectors):
                totals[place % 4] = larger(vector, totals[place % 4])
            total = functools.reduce(larger, totals)
            lanes = kind.count
            while lanes > 1:
                lanes //= 2
                halves = (
                    ir.Constant(ir.VectorType(ir.IntType(32), lanes), list(range(first, first + lanes)))
                    for first in (0, lanes)
                )
                total = larger(*[builder.shuffle_vector(total, total, half) for half in halves])
            return builder.extract_element(total, ir.IntType(32)(0))

        return row.dtype(row, start), build

    return largest


def equal_among(count: int) -> Any:
    """Function of (row, start, number) that sets a bit for each of `count` entries that equal it."""

    @intrinsic
    def equal(context: Any, row: Any, start: Any, number: Any) -> Any:
        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            data = cgutils.create_struct_proxy(signature.args[0])(context, builder, arguments[0]).data
            bits = ir.IntType(64)(0)
            place = 0
            for vector in _load_vectors(builder, data, arguments[1], count):
                lanes = vector.type.count
                splat = functools.reduce(
                    lambda v, lane: builder.insert_element(v, arguments[2], ir.IntType(32)(lane)),
                    range(lanes), ir.Constant(vector.type, ir.Undefined),
                )  # fmt: skip
                mask = builder.bitcast(builder.fcmp_ordered("==", vector, splat), ir.IntType(lanes))
                wide = builder.zext(mask, ir.IntType(64))
                bits = builder.or_(bits, builder.shl(wide, ir.IntType(64)(place)))
                place += lanes
            return bits

        return types.int64(row, start, number), build

    return equal


@intrinsic
def lowest_bit(context: Any, bits: Any) -> Any:

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = arguments[0].type
        function = builder.module.declare_intrinsic("llvm.cttz", [kind], ir.FunctionType(kind, [kind, ir.IntType(1)]))
        return builder.call(function, [*arguments, ir.IntType(1)(0)])

    return types.int64(bits), build


@intrinsic
def borrowed(context: Any, array: Any) -> Any:
    """An array without counted references: counting takes as long as a short row."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        view = cgutils.create_struct_proxy(array)(context, builder, arguments[0])
        view.meminfo, view.parent = (cgutils.get_null_value(part.type) for part in (view.meminfo, view.parent))
        return view._getvalue()

    return array(array), build


@intrinsic
def hold(context: Any, array: Any) -> Any:
    return types.void(array), lambda context, builder, signature, arguments: context.get_dummy_value()


@intrinsic
def stand_apart(context: Any) -> Any:
    """Keep the calling function from being inlined: LLVM reloads constants of a long one in each turn."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        builder.function.attributes.add("noinline")
        return context.get_dummy_value()

    return types.void(), build


@intrinsic
def nearest(context: Any, x: Any) -> Any:
    """Round half to even."""
    return x(x), lambda _, builder, signature, arguments: _call(builder, "llvm.rint", arguments)


@intrinsic
def power_of_two(context: Any, k: Any) -> Any:
    """2^k for an integral float k of the normal range."""
    bits, magic, bias = _LAYOUT[k]

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (exponent,) = arguments
        low = builder.bitcast(builder.fadd(exponent, ir.Constant(exponent.type, magic)), _INTEGER[k])
        shifted = builder.shl(low, _integer(builder, k, bits))
        return builder.bitcast(builder.add(shifted, _integer(builder, k, bias << bits)), exponent.type)

    return k(k), build


def _offset(kind: Any, is_raised: bool) -> float:
    _, magic, bias = _LAYOUT[kind]
    return float(magic + RAISE + bias if is_raised else magic)


def _make_logarithm(is_raised: bool) -> Any:
    @intrinsic
    def logarithm(context: Any, x: Any) -> Any:
        def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            constants = [ir.Constant(arguments[0].type, value) for value in (1.4426950408889634, _offset(x, is_raised))]
            return _call(builder, "llvm.fma", [*arguments, *constants])

        return x(x), build

    return logarithm


def _make_exponent(is_raised: bool) -> Any:
    @intrinsic
    def exponent(context: Any, logarithm: Any) -> Any:
        return logarithm(logarithm), lambda _, builder, signature, arguments: builder.fsub(
            *arguments, ir.Constant(arguments[0].type, _offset(logarithm, is_raised))
        )

    return exponent


#: x / log(2) + 1.5 · 2^bits, with the nearest integer in its low bits, and that integer as a float
binary_logarithm, exponent_in = _make_logarithm(False), _make_exponent(False)
#: the same for `raised_power_in`, with the integer larger by RAISE and the bias of exponents
raised_logarithm, raised_exponent_in = _make_logarithm(True), _make_exponent(True)


@intrinsic
def raised_power_in(context: Any, logarithm: Any) -> Any:
    """2^(k + RAISE) for the k in a `raised_logarithm`."""
    bits, _, _ = _LAYOUT[logarithm]

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        low = builder.bitcast(arguments[0], _INTEGER[logarithm])
        return builder.bitcast(builder.shl(low, _integer(builder, logarithm, bits)), arguments[0].type)

    return logarithm(logarithm), build


@intrinsic
def scales_in(context: Any, logarithm: Any) -> Any:
    """(2^max(k, least), the rest of 2^k) for the k in a `binary_logarithm`, between 2·least and the largest exponent.

    `least` is the smallest normal exponent.
    """
    bits, _, bias = _LAYOUT[logarithm]

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        def integer(value: int) -> Any:
            return _integer(builder, logarithm, value)

        low = builder.bitcast(arguments[0], _INTEGER[logarithm])
        power = builder.add(builder.shl(low, integer(bits)), integer(bias << bits))
        scale = builder.select(builder.icmp_signed("<", power, integer(1 << bits)), integer(1 << bits), power)
        rest = builder.add(builder.sub(power, scale), integer(bias << bits))
        parts = [builder.bitcast(part, arguments[0].type) for part in (scale, rest)]
        return context.make_tuple(builder, signature.return_type, parts)

    pair: Any = types
    return pair.UniTuple(logarithm, 2)(logarithm), build


@intrinsic
def lowered_scales_in(context: Any, logarithm: Any) -> Any:
    """(2^(max(k, least) − m), the rest of 2^k) for the k in a `binary_logarithm`, where 2^−m is LOWERED.

    `least` makes the first part normal; the rest is normal for k above −2.9 m.
    """
    bits, magic, bias = _LAYOUT[logarithm]
    m = (bias + 1) // 2

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        least = ir.Constant(arguments[0].type, magic + 1 - bias + m)
        held = builder.select(builder.fcmp_ordered("<", arguments[0], least), least, arguments[0])
        power, scale = (
            builder.shl(builder.bitcast(number, _INTEGER[logarithm]), _integer(builder, logarithm, bits))
            for number in (arguments[0], held)
        )
        rest = builder.add(builder.sub(power, scale), _integer(builder, logarithm, bias << bits))
        scale = builder.add(scale, _integer(builder, logarithm, (bias - m) << bits))
        return context.make_tuple(
            builder, signature.return_type, [builder.bitcast(part, arguments[0].type) for part in (scale, rest)]
        )

    pair: Any = types
    return pair.UniTuple(logarithm, 2)(logarithm), build


@intrinsic
def exponent_of(context: Any, x: Any) -> Any:
    """The float k with a normal x > 0 within 2^k·[sqrt(1/2), sqrt(2))."""
    bits, magic, _ = _LAYOUT[x]
    root = {types.float32: 0x3F3504F3, types.float64: 0x3FE6A09E667F3BCD}[x]

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        (value,) = arguments
        beyond = builder.sub(builder.bitcast(value, _INTEGER[x]), _integer(builder, x, root))
        exponent = builder.ashr(beyond, _integer(builder, x, bits)) if x == types.float32 else None
        if exponent is None:  # below AVX-512 no arithmetic shift of 64 bits vectorises: lift above 0
            lifted = builder.add(beyond, _integer(builder, x, 1024 << bits))
            exponent = builder.sub(builder.lshr(lifted, _integer(builder, x, bits)), _integer(builder, x, 1024))
        large = ir.Constant(value.type, magic)
        summed = builder.add(builder.bitcast(large, _INTEGER[x]), exponent)
        return builder.fsub(builder.bitcast(summed, value.type), large)

    return x(x), build


@intrinsic
def divided_by_power(context: Any, x: Any, k: Any) -> Any:
    """x / 2^k for a k of `exponent_of`, beyond `power_of_two` too."""
    bits, magic, _ = _LAYOUT[x]

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        value, exponent = arguments
        low = builder.bitcast(builder.fadd(exponent, ir.Constant(exponent.type, magic)), _INTEGER[x])
        shifted = builder.shl(low, _integer(builder, x, bits))
        return builder.bitcast(builder.sub(builder.bitcast(value, _INTEGER[x]), shifted), value.type)

    return x(x, x), build


@intrinsic
def is_odd(context: Any, n: Any) -> Any:
    """Whether an integer in a sum with 1.5 · 2^bits is odd."""
    sign = 31 if n == types.float32 else 63

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        lifted = builder.shl(builder.bitcast(arguments[0], _INTEGER[n]), _integer(builder, n, sign))
        return builder.icmp_signed("<", lifted, _integer(builder, n, 0))

    result: Any = types.boolean
    return result(n), build


@intrinsic
def size(context: Any, x: Any) -> Any:
    """Bits of |x|, largest for NaN; their maximum is found faster."""
    kind: Any = types.int32 if x == types.float32 else types.int64

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        whole = builder.bitcast(arguments[0], _INTEGER[x])
        return builder.and_(whole, _integer(builder, x, (1 << (kind.bitwidth - 1)) - 1))

    return kind(x), build


def negated_by_bit(place: int) -> Any:
    """Function of (x, n) for −x where that bit is set in n, as in `is_odd`."""

    @intrinsic
    def negated(context: Any, x: Any, n: Any) -> Any:
        sign = 31 if x == types.float32 else 63

        def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            value, other = (builder.bitcast(argument, _INTEGER[x]) for argument in arguments)
            lifted = builder.shl(other, _integer(builder, x, sign - place))
            masked = builder.and_(lifted, _integer(builder, x, 1 << sign))
            return builder.bitcast(builder.xor(value, masked), arguments[0].type)

        return x(x, n), build

    return negated


@intrinsic
def bits_of(context: Any, x: Any) -> Any:
    kind: Any = types.uint64
    return kind(x), lambda _, builder, signature, arguments: builder.bitcast(arguments[0], ir.IntType(64))


@intrinsic
def upper_product(context: Any, a: Any, b: Any) -> Any:
    """Upper 64 bits of the product."""

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        wide = ir.IntType(128)
        product = builder.mul(*(builder.zext(argument, wide) for argument in arguments))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return a(a, b), build


@intrinsic
def rounded_as(context: Any, value: Any, x: Any) -> Any:
    is_same = x == types.float64
    return (
        x(value, x),
        lambda _, builder, signature, arguments: (
            arguments[0] if is_same else builder.fptrunc(arguments[0], arguments[1].type)
        ),
    )


def number(single: float, double: float | None = None) -> Any:
    """Function for a number in the dtype of its argument."""
    values = {types.float32: single, types.float64: single if double is None else double}

    @intrinsic
    def constant(context: Any, x: Any) -> Any:
        return x(x), lambda _, builder, signature, arguments: ir.Constant(arguments[0].type, values[x])

    return constant


def polynomial(single: Sequence[float], double: Sequence[float]) -> Callable[[Any], Any]:
    """Function for a polynomial, lowest degree first, in the dtype of its argument."""
    coefficients = {types.float32: single, types.float64: double}

    @intrinsic
    def evaluate(context: Any, x: Any) -> Any:
        def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            (value,) = arguments
            constants = [ir.Constant(value.type, c) for c in coefficients[x]]
            total = constants[-1]
            for constant in constants[-2::-1]:
                total = _call(builder, "llvm.fma", [total, value, constant])
            return total

        return x(x), build

    return evaluate  # type: ignore[no-any-return]
