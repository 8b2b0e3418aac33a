"""Textbook forms of the compound primitives of `slopes.ops`, for readings that lose no digits; inert primitives.

`r` is the reading's module.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from math import inf
from types import ModuleType
from typing import Any, ClassVar, NoReturn, Self

from slopes.constants import Array


class Algebra:
    """Operators that follow from others, and a refusal of whatever looks at a value."""

    __slots__ = ()
    __array_ufunc__ = None  # for NumPy's scalars to use these operators
    __hash__ = None  # type: ignore[assignment]
    shape, dtype = (), "expression"  # for a card that a body calls
    error: ClassVar[type[Exception]]

    def of(self, x: Any) -> Any:
        """x as a number of this algebra."""
        raise NotImplementedError

    def __pos__(self) -> Self:
        return self

    def __sub__(self, other: Any) -> Any:
        return self + -self.of(other)

    def __rsub__(self, other: Any) -> Any:
        return self.of(other) + -self  # type: ignore[operator]

    def __rtruediv__(self, other: Any) -> Any:
        return self.of(other) / self

    def __ne__(self, other: Any) -> Any:
        return ~(self == other)

    def _refuse(self, *_: Any) -> NoReturn:
        raise self.error("it looks at a value, or hands it to a function that is none of slopes.ops")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __array__ = __getitem__ = _refuse


def unchanged(x: Array, *_: Array, like: Array = None) -> Array:
    return x


def wants_no_gradient(x: Array) -> bool:
    return False


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array) -> Array:
    return value(x)


def dtype_of(x: Array) -> Any:
    return x.dtype


#: enter, quiet, differentiable, narrow and result_dtype: of an element-wise card that a body calls
CALL = unchanged, nullcontext, differentiable, unchanged, dtype_of


def number_or_choice(
    convert: Callable[[Any, Any], Any], error: type[Exception], name: str, value: Any, like: Array = None
) -> Any:
    """A parameter, converted if it is a number."""
    if isinstance(value, (bool, str, tuple)) or value is None:
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


def rounding_of_difference(x: Array, y: Array) -> int:
    return 0


def cubic(x: Array, a: Array, b: Array) -> tuple[Array, Array]:
    return x * a + x**3 * b, 0


def exp_parts(r: ModuleType, x: Array) -> tuple[Array, Array]:
    return r.exp(x), 0


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


def lgamma_ratio(r: ModuleType, x: Array) -> Array:
    return r.lgamma(x) - r.lgamma(x + 0.5) + r.log(x) / 2


def mish(r: ModuleType, x: Array) -> Array:
    return x * r.tanh(r.softplus(x, 1.0))


def tanhshrink(r: ModuleType, x: Array) -> Array:
    return x - r.tanh(x)


def sum_others(r: ModuleType, values: Array, x: Array) -> Array:
    return r.sum(values) - values


def softmax_complement(r: ModuleType, x: Array) -> Array:
    return 1 - r.softmax(x)


def softmax_pulled_closely(r: ModuleType, x: Array, cotangent: Array) -> Array:
    p = r.softmax(x)
    return p * (cotangent - r.sum(p * cotangent))


def overlap_slopes(
    r: ModuleType, over: Array, missed: Array, right: Array, alpha: Array, beta: Array, power: Array
) -> tuple[Array, Array]:
    wrong = alpha * over + beta * missed
    total = wrong + right
    divisor = r.where(total == 0, 1.0, total)
    index = wrong / divisor
    steep = power * r.where(index == 0, 1.0, index) ** (power - 1)
    steep = r.where((total == 0) | ((index == 0) & (power != 1)), 0.0, steep)
    slopes = (steep * part / divisor / divisor for part in (alpha * right, wrong + beta * right))
    outside, inside = (r.where(slope == inf, 0.0, slope) for slope in slopes)
    return outside, inside


def log_softmax(r: ModuleType, x: Array) -> Array:
    return r.log(r.softmax(x))


def expected_log(r: ModuleType, values: Array, target: Array) -> Array:
    return r.expected(r.log(values), target)
