"""Intrinsics that read and round half types, given by their bits, as Numba has none on a CPU."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import types
from numba.extending import intrinsic

_WORD, _HALF, _SINGLE = ir.IntType(16), ir.HalfType(), ir.FloatType()
_BITS = ir.IntType(32)


@intrinsic
def from_float16(context: Any, bits: Any) -> Any:
    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.fpext(builder.bitcast(arguments[0], _HALF), _SINGLE)

    return types.float32(types.int16), build


@intrinsic
def to_float16(context: Any, single: Any) -> Any:
    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.fptrunc(arguments[0], _HALF), _WORD)

    return types.int16(types.float32), build


@intrinsic
def from_bfloat16(context: Any, bits: Any) -> Any:
    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(builder.shl(builder.zext(arguments[0], _BITS), _BITS(16)), _SINGLE)

    return types.float32(types.int16), build


@intrinsic
def to_bfloat16(context: Any, single: Any) -> Any:
    """Round a float32; a NaN must have a lower half of at most 2^15, as products of bfloat16 have."""

    def build(_: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        bits = builder.bitcast(arguments[0], _BITS)
        odd = builder.and_(builder.lshr(bits, _BITS(16)), _BITS(1))
        rounded = builder.add(bits, builder.add(odd, _BITS(0x7FFF)))
        return builder.trunc(builder.lshr(rounded, _BITS(16)), _WORD)

    return types.int16(types.float32), build
