"""Textbook forms of the compound primitives of `slopes.ops`, for readings that lose no digits; inert primitives.

`r` is the reading's module.
"""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

from slopes.constants import Array


def unchanged(x: Array, *_: Array, like: Array = None) -> Array:
    return x


def wants_no_gradient(x: Array) -> bool:
    return False


def number_or_choice(
    convert: Callable[[Any, Any], Any], error: type[Exception], name: str, value: Any, like: Array = None
) -> Any:
    """A parameter, converted if it is a number."""
    if isinstance(value, (bool, str)) or value is None:
        return value
    if not isinstance(value, (int, float)):
        raise error(f"{name} must be one number here, not {type(value).__name__}")
    return convert(value, like)


def product(x: Array, a: Array) -> tuple[Array, Array]:
    return x * a, 0


def quotient(x: Array, a: Array) -> tuple[Array, Array]:
    return x / a, 0


def fma(x: Array, a: Array, c: Array) -> Array:
    return x * a + c


def cubic(x: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return x * a + x**3 * b, 0


def decay(r: ModuleType, x: Array, times: Array) -> Array:
    return r.exp(x) * times


def sigmoid_less(r: ModuleType, x: Array, shift: Array) -> tuple[Array, Array]:
    return 1 / (1 + r.exp(-x)) - shift, 0


def sigmoid_mixture(r: ModuleType, x: Array, share: Array) -> tuple[Array, Array]:
    return share / (1 + r.exp(-x)) + (1 - share) / (1 + r.exp(x)), 0


def snake(r: ModuleType, x: Array, a: Array) -> Array:
    return x + r.sin(x * a) ** 2 / a if a != 0 else x


def snake_slope(r: ModuleType, x: Array, a: Array) -> Array:
    return 1 + r.sin(2 * (x * a))


def root_of_square(r: ModuleType, x: Array, b: Array) -> Array:
    return r.sqrt(x * x + b)


def expm1_less(r: ModuleType, x: Array) -> Array:
    return r.exp(x) - 1 - x


def softcap(r: ModuleType, x: Array, cap: Array) -> Array:
    return r.tanh(x / cap) * cap


def mish(r: ModuleType, x: Array) -> Array:
    return x * r.tanh(r.softplus(x, 1.0))


def tanhshrink(r: ModuleType, x: Array) -> Array:
    return x - r.tanh(x)


def sum_others(r: ModuleType, values: Array, x: Array) -> Array:
    return r.sum(values) - values


def softmax_complement(r: ModuleType, x: Array) -> Array:
    return 1 - r.softmax(x)


def log_softmax(r: ModuleType, x: Array) -> Array:
    return r.log(r.softmax(x))


def expected_log(r: ModuleType, values: Array, target: Array) -> Array:
    return r.expected(r.log(values), target)
