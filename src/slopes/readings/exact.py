"""The exact reading: bodies computed by mpmath at any number of digits.

An `Exact` is an array of numbers in a context of this module, so the user's `mpmath.mp` stays as it is. Threads share
the context: `precision` admits one at a time.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import lru_cache, partial
from typing import Any

import mpmath
import numpy as np

from slopes.constants import Array, Constant
from slopes.readings import tails
from slopes.readings.dual import Dual, chain

_this = sys.modules[__name__]
context = mpmath.MPContext()
_lock = threading.RLock()
Number = context.mpf


def number(x: Any) -> Any:
    """x at full precision: constants by name, floats by their binary value."""
    if type(x) is Constant:
        return _constant(x.text)
    if type(x) is Dual:
        return x
    return Number(float(x) if isinstance(x, (np.floating, np.integer, np.bool_)) else x)


def _constant(text: str) -> Any:
    try:
        return Number(text)  # digits, or a fraction such as 1/6, which Python would round
    except ValueError:
        pass
    return eval(
        text, {"__builtins__": {}, "pi": +context.pi, "sqrt": context.sqrt, "log": context.log, "E": +context.e}
    )


@contextmanager
def precision(digits: int) -> Iterator[None]:
    """Compute with `digits` digits inside the block, while other threads wait."""
    with _lock:
        before, context.dps = context.dps, digits
        try:
            yield
        finally:
            context.dps = before


class Exact(np.ndarray):
    """An object array of mpmath numbers, or of the booleans of a comparison."""

    def __new__(cls, x: Any) -> Exact:
        x = number(x) if type(x) is Constant else x  # NumPy would read a plain float
        return np.asarray(np.frompyfunc(number, 1, 1)(x), dtype=object).view(cls)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        plain = [x.view(np.ndarray) if isinstance(x, Exact) else _plain(x) for x in inputs]
        if keywords.get("out"):
            return NotImplemented
        return np.asarray(getattr(ufunc, method)(*plain, **keywords), dtype=object).view(Exact)


def _plain(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x if x.dtype.kind in "biu" else np.frompyfunc(number, 1, 1)(x)
    return number(x) if isinstance(x, float) else x


def _map(function: Callable[..., Any], *arrays: Any) -> Exact:
    plain = [np.asarray(_plain(x) if not isinstance(x, Exact) else x.view(np.ndarray)) for x in arrays]
    return np.asarray(np.frompyfunc(function, len(plain), 1)(*plain), dtype=object).view(Exact)


def _lift(name: str, slope: Callable[[Any], Any]) -> Callable[[Array], Exact]:
    return partial(_map, lambda v: chain(v, getattr(context, name), slope))


# --------------------------------------------------------------------------------------- primitives

HUGE = 50  #: from 2**HUGE on, mpmath squares e once for each bit of x, which is slow


def _exp(v: Any) -> Any:
    if not context.isfinite(v) or context.mag(v) < HUGE:
        return context.exp(v)
    with context.workprec(context.prec + context.mag(v) + 10):
        twos = context.floor(v / context.ln2)
        rest = v - twos * context.ln2
    return context.ldexp(context.exp(rest), int(twos))


def _expm1(v: Any) -> Any:
    return context.expm1(v) if context.mag(v) < HUGE else _exp(v) - 1


def _cosh(v: Any) -> Any:
    return context.cosh(v) if context.mag(v) < HUGE else _exp(abs(v)) / 2


def _sinh(v: Any) -> Any:
    return context.sinh(v) if context.mag(v) < HUGE else context.sign(v) * _cosh(v)


exp = partial(_map, lambda v: chain(v, _exp, _exp))
expm1 = partial(_map, lambda v: chain(v, _expm1, _exp))
log1p = _lift("log1p", lambda v: 1 / (1 + v))
sqrt = _lift("sqrt", lambda v: 1 / (2 * context.sqrt(v)) if v else context.inf)
tanh = _lift("tanh", lambda v: 1 / _cosh(v) ** 2)
sinh = partial(_map, lambda v: chain(v, _sinh, _cosh))
sin, cos = _lift("sin", lambda v: context.cos(v)), _lift("cos", lambda v: -context.sin(v))
erf = _lift("erf", lambda v: 2 * _exp(-v * v) / context.sqrt(context.pi))


def _log(v: Any) -> Any:
    return chain(v, lambda v: context.log(v) if v else -context.inf, lambda v: 1 / v if v else context.inf)


log = partial(_map, _log)


def _unchanged(x: Array, *_: Array, like: Array = None) -> Array:
    return x


zero_dimensional = double = double_for = just_above = held = _unchanged


def absolute(x: Array) -> Array:
    return _map(abs, x)


def sign(x: Array) -> Array:
    return _map(lambda v: chain(v, context.sign, lambda v: 0), x)


def where(condition: Array, a: Array, b: Array) -> Array:
    return _map(lambda c, u, v: u if c else v, condition, a, b)


def minimum(a: Array, b: Array) -> Array:
    return _map(lambda u, v: v if v != v or v < u else u, a, b)


def maximum(a: Array, b: Array) -> Array:
    return _map(lambda u, v: v if v != v or v > u else u, a, b)


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    return times / (1 + exp(-x - low))


sigmoid_slope, gate_slope = partial(tails.sigmoid_slope, _this), partial(tails.gate_slope, _this)
normal_gate_slope, sum_pairs = partial(tails.normal_gate_slope, _this), partial(tails.sum_pairs, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)


def softplus(x: Array, beta: Array) -> Array:
    return maximum(x, 0) + log1p(exp(-absolute(x) * beta)) / beta


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    return x * a + x * x * x * b, 0


def decay(x: Array, times: Array) -> Array:
    return times * exp(x)


def product(x: Array, a: Array) -> tuple[Array, Array]:
    return x * a, 0


def quotient(x: Array, a: Array) -> tuple[Array, Array]:
    return x / a, 0


def sigmoid_less(x: Array, shift: Array) -> tuple[Array, Array]:
    return 1 / (1 + exp(-x)) - shift, 0


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, Array]:
    return share / (1 + exp(-x)) + (1 - share) / (1 + exp(x)), 0


def snake(x: Array, a: Array) -> Array:
    return x + sin(x * a) ** 2 / a if a != 0 else x


def snake_slope(x: Array, a: Array) -> Array:
    return 1 + sin(2 * (x * a))


def root_of_square(x: Array, b: Array) -> Array:
    return sqrt(x * x + b)


def expm1_less(x: Array) -> Array:
    return exp(x) - 1 - x


def fma(x: Array, a: Array, c: Array) -> Array:
    return x * a + c


def softcap(x: Array, cap: Array) -> Array:
    return tanh(x / cap) * cap


def tanhshrink(x: Array) -> Array:
    return x - tanh(x)


def ndtr(x: Array, times: Array) -> Array:
    return times * _map(lambda v: chain(v, lambda v: _erfc(-v / context.sqrt(2), context.prec) / 2, _density), x)


@lru_cache(maxsize=4096)  # `slope_of` moves one column at a time and computes the others again
def _erfc(v: Any, bits: int) -> Any:
    """erfc, by its asymptotic series where mpmath's own overflows; `bits` is the key of the cache."""
    if not 1e10 < abs(v) < context.inf:
        return context.erfc(v)
    if v < 0:
        return 2 * context.one
    series = term = context.one
    for n in range(1, context.dps // 20 + 2):
        term *= -(2 * n - 1) / (2 * v * v)
        series += term
    return _exp(-v * v) / (v * context.sqrt(context.pi)) * series


def normal_pdf(x: Array, times: Array) -> Array:
    return times * _map(lambda v: chain(v, _density, lambda v: -v * _density(v)), x)


def _density(v: Any) -> Any:
    return _exp(-v * v / 2) / context.sqrt(2 * context.pi)


def sum(x: Array) -> Array:
    return np.sum(x, axis=-1, keepdims=True)


def sum_others(values: Array, x: Array) -> Array:
    return sum(values) - values


def softmax(x: Array) -> Array:
    largest = np.max(x, axis=-1, keepdims=True)
    powers = exp(x - where(largest == -context.inf, 0, largest))
    total = sum(powers)
    return powers / where(total == 0, 1, total)


def softmax_complement(x: Array) -> Array:
    return 1 - softmax(x)


def log_softmax(x: Array) -> Array:
    return log(softmax(x))


def top(x: Array) -> Array:
    return Exact(np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None])


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    return np.dot(x.view(np.ndarray), y.view(np.ndarray).T).view(Exact)


def angle(y: Array, x: Array) -> Array:
    return _map(context.atan2, y, x)


def above_simplex_threshold(x: Array) -> Array:
    z = -np.sort(-x, axis=-1)
    inside = 1 + np.arange(1, x.shape[-1] + 1) * z > np.cumsum(z, axis=-1)
    return x - (sum(where(inside, z, 0)) - 1) / maximum(sum(where(inside, 1, 0)), 1)


def jaccard_steps(order: Array, target: Array, weight: Array) -> Array:
    """The differences of 1 − IoU as entries come in."""
    places = np.argsort(-order.view(np.ndarray), axis=-1, kind="stable")
    part, size = (np.take_along_axis(x, places, -1) for x in (target, weight))
    union = sum(size * part) + np.cumsum(size * (1 - part), axis=-1)
    lost = where(union == 0, 0, np.cumsum(size, axis=-1) / where(union == 0, 1, union))
    steps = lost - np.concatenate([0 * lost[..., :1], lost[..., :-1]], axis=-1)
    return np.take_along_axis(steps, np.argsort(places, axis=-1), -1).view(Exact)


def softmax_logit(x: Array) -> Array:
    """1 − p would need as many digits as p has nines."""
    others = [np.sum(exp(np.delete(x, place, -1)), axis=-1) for place in range(x.shape[-1])]
    return x - log(np.stack(others, axis=-1).view(Exact))


def expected(values: Array, target: Array) -> Array:
    if is_integer(target):
        return np.take_along_axis(values, target[..., None], -1)[..., 0]
    return np.sum(where(target == 0, 0, _map(lambda t, v: t if t == 0 else t * v, target, values)), axis=-1)


def expected_log(values: Array, target: Array) -> Array:
    return expected(log(values), target)


def one_hot(target: Array, like: Array) -> Array:
    return Exact(np.arange(like.shape[-1]) == target[..., None]) if is_integer(target) else target


def xlogy(x: Array, y: Array) -> Array:
    return _map(lambda u, v: u if u == 0 else u * _log(v), x, y)


def xlog1py(x: Array, y: Array) -> Array:
    return xlogy(x, y + 1)


def ratio(x: Array, y: Array) -> Array:
    return _map(lambda u, v: u if u == 0 else u / v if v != 0 else context.sign(u) * context.inf, x, y)


# ------------------------------------------------------------------------- how arguments come and go

moveaxis = np.moveaxis


def enter(x: Array, what: str, like: Array | None = None) -> Array:
    if isinstance(x, Exact) or (isinstance(x, np.ndarray) and is_integer(x)):
        return x
    return Exact(x)


def arange(n: int, like: Array) -> Array:
    return np.arange(n)


def joined(a: Array, b: Array) -> Array:
    return np.concatenate([a, b], axis=-1).view(Exact)


def is_integer(x: Array) -> bool:
    return not isinstance(x, Exact) and np.asarray(x).dtype.kind in "iub"


def result_dtype(x: Array, loss: bool = False) -> Any:
    return object


def widen(x: Array, like: Any = None) -> Array:
    return x if isinstance(x, Exact) else Exact(x)


narrow = widen


def quiet() -> AbstractContextManager[Any]:
    """Silence NumPy's warnings: comparisons round infinities to floats."""
    return np.errstate(all="ignore")


def is_concrete(x: Array) -> bool:
    """False, so that values are not checked."""
    return False


def isnan(x: Array) -> Array:
    return _map(lambda v: bool(v != v), x)


def total(x: Array) -> Array:
    return Exact(np.sum(x.view(np.ndarray)))


def count(x: Array) -> int:
    return int(x.size)


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    return value(x, *rest)


pullable = differentiable


def wants_gradient(x: Array) -> bool:
    return False


def slope_of(
    name: str, value: Callable[..., Array], x: Array, *rest: Array, cotangent: Array = 1, coupled: bool = False
) -> Array:
    """By central differences at three times the working precision, for a body smooth near x.

    Each column of a row is moved by itself; with `coupled` (a value depends on other rows) each entry.
    """
    digits = context.dps
    with precision(3 * digits):
        step = number(10) ** -digits * maximum(absolute(x), number(10) ** -(digits // 2))
        if value(x, *rest).ndim == x.ndim:
            return (value(x + step, *rest) - value(x - step, *rest)) / (2 * step) * cotangent
        places = np.eye(x.size if coupled else x.shape[-1], dtype=int)
        slopes = []
        for place in places.reshape(-1, *x.shape) if coupled else places:
            change = (value(x + place * step, *rest) - value(x - place * step, *rest)) * cotangent
            if coupled:
                slopes.append(np.sum(change.view(np.ndarray)) / np.sum((2 * place * step).view(np.ndarray)))
            else:
                slopes.append(change / np.sum(2 * place * step, axis=-1))
        return (np.reshape(slopes, x.shape) if coupled else np.stack(slopes, axis=-1)).view(Exact)


def tangent(value: Callable[..., Array], x: Array, *rest: Array) -> Array:
    """Derivative of an element-wise value(x, *rest) by dual numbers; at a kink, the slope of one side.

    It takes no step, so neither a nearby kink nor a short period misleads it.
    """
    result = value(_map(lambda v: Dual(v, context.one), x), *rest)
    return _map(lambda v: v.slope if type(v) is Dual else context.zero, result)


def parameter(name: str, value: Any, like: Array = None) -> Any:
    numeric = isinstance(value, (int, float, np.number, np.ndarray)) and not isinstance(value, bool)
    return Exact(value) if numeric else value


def labels(x: Array) -> Array:
    return np.asarray(x)
