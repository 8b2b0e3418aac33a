"""The exact reading: bodies computed by Arb, whose numbers are balls that contain the exact result.

An `Exact` is an array of balls (`flint.arb`). Each operation widens a ball by its rounding error, so a result's
width shows its proven digits. A comparison of overlapping balls is None, and `where` then gives a ball around both
choices. FLINT has one working precision for all threads: `precision` admits one at a time.
"""

from __future__ import annotations

import math
import re
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from typing import Any

import numpy as np
from flint import arb as Number
from flint import ctx

from slopes.constants import Array, Constant
from slopes.readings import tails, textbook
from slopes.readings.dual import Dual, chain

_this = sys.modules[__name__]
_lock = threading.RLock()
NOTHING = Number(10) ** -400  #: a lesser difference counts only between balls that are apart
BITS = 3.3219280948873626  #: bits of a decimal digit


def number(x: Any) -> Any:
    """x at full precision: constants by name, other numbers by their binary value."""
    if type(x) is Number or type(x) is Dual:
        return x
    if type(x) is Constant:
        return _constant(x.text)
    if isinstance(x, (int, np.integer, np.bool_)):
        return Number(int(x))
    if isinstance(x, (float, np.floating)) or not _is_finite_mpf(x):
        return Number(float(x))
    sign, mantissa, exponent, _ = x._mpf_
    return Number((int(-mantissa if sign else mantissa), int(exponent)))


def _is_finite_mpf(x: Any) -> bool:
    return hasattr(x, "_mpf_") and abs(x) < float("inf")


def _constant(text: str) -> Any:
    digits = re.sub(r"\d+(\.\d*)?", r"number_of('\g<0>')", text)  # Python would round them
    names = {
        "pi": Number.pi(),
        "E": Number.const_e(),
        "sqrt": lambda v: v.sqrt(),
        "log": lambda v: v.log(),
        "number_of": Number,
    }
    return eval(digits, {"__builtins__": {}, **names})


def to_mpmath(x: Any, bits: int) -> Any:
    """Middle of a ball, rounded to `bits`."""
    import mpmath
    from mpmath.libmp import from_man_exp

    if not x.is_finite():
        return mpmath.mpf("nan" if x.is_nan() else "inf" if x > 0 else "-inf")
    mantissa, exponent = x.mid().man_exp()
    return mpmath.mp.make_mpf(from_man_exp(int(mantissa), int(exponent), bits, "n"))


@contextmanager
def precision(digits: int) -> Iterator[None]:
    """Compute with `digits` digits, while other threads wait."""
    with _lock:
        before, ctx.prec = ctx.prec, int(digits * BITS) + 4
        try:
            yield
        finally:
            ctx.prec = before


class Exact(np.ndarray):
    """An array of balls, or of comparisons: True, False or None."""

    def __new__(cls, x: Any) -> Exact:
        x = number(x) if type(x) is Constant else x  # NumPy would read a plain float
        return np.asarray(np.frompyfunc(number, 1, 1)(x), dtype=object).view(cls)

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **keywords: Any) -> Any:
        plain = [x.view(np.ndarray) if isinstance(x, Exact) else _plain(x) for x in inputs]
        if keywords.get("out"):
            return NotImplemented
        call = _OWN.get(ufunc) if method == "__call__" else None
        result = call(*plain) if call else getattr(ufunc, method)(*plain, **keywords)
        return np.asarray(result, dtype=object).view(Exact)

    def astype(self, *_: Any, **__: Any) -> Exact:
        """Stay exact."""
        return self


def _plain(x: Any) -> Any:
    if isinstance(x, np.ndarray):
        return x if x.dtype.kind in "bO" else np.frompyfunc(number, 1, 1)(x)
    return x if isinstance(x, (bool, np.bool_)) or x is None else number(x)


def _map(function: Callable[..., Any], *arrays: Any) -> Exact:
    plain = [np.asarray(_plain(x) if not isinstance(x, Exact) else x.view(np.ndarray)) for x in arrays]
    return np.asarray(np.frompyfunc(function, len(plain), 1)(*plain), dtype=object).view(Exact)


# -------------------------------------------------------------------------------------- comparisons


def _comparison(holds: np.ufunc, fails: np.ufunc) -> Any:
    """Comparison that is None unless all numbers of both balls agree; with NaN as with floats.

    Balls that no reasonable precision separates are equal: 3 is not exactly the inverse of 1/6, halved.
    """
    of_equals = bool(holds(0, 0))

    def compare_overlapping(a: Any, b: Any) -> bool | None:
        a = a.value if type(a) is Dual else a
        b = b.value if type(b) is Dual else b
        if a.is_nan() or b.is_nan():
            return False
        return of_equals if abs(a - b) < NOTHING else None

    def compare(a: Any, b: Any) -> Any:
        true = np.asarray(holds(a, b), dtype=bool)
        overlapping = ~(true | np.asarray(fails(a, b), dtype=bool))
        if not overlapping.any():
            return true
        result = true.astype(object)
        a, b = (np.broadcast_to(np.asarray(x, dtype=object), true.shape)[overlapping] for x in (a, b))
        result[overlapping] = np.frompyfunc(compare_overlapping, 2, 1)(a, b)
        return result

    return compare


def _not(a: Any) -> bool | None:
    return None if a is None else not a


def _and(a: Any, b: Any) -> bool | None:
    return False if a is False or b is False else None if a is None or b is None else bool(a and b)


_FEW = [Number(n) for n in range(1, 9)]


def _power(a: Any, b: Any) -> Any:
    """Arb has no powers of infinities, and none of a ball around 0 but by products."""
    value = a.value if type(a) is Dual else a
    if value.mid() == 0 and not value.is_exact() and b in _FEW:
        return math.prod([a] * (_FEW.index(b) + 1))
    return a**b if type(a) is Dual or a.is_finite() or a.is_nan() else Number(float(a) ** float(b))


_OWN = {
    np.less: _comparison(np.less, np.greater_equal),
    np.less_equal: _comparison(np.less_equal, np.greater),
    np.greater: _comparison(np.greater, np.less_equal),
    np.greater_equal: _comparison(np.greater_equal, np.less),
    np.equal: _comparison(np.equal, np.not_equal),
    np.not_equal: _comparison(np.not_equal, np.equal),
    np.invert: np.frompyfunc(_not, 1, 1),
    np.bitwise_and: np.frompyfunc(_and, 2, 1),
    np.bitwise_or: np.frompyfunc(lambda a, b: _not(_and(_not(a), _not(b))), 2, 1),
    np.power: np.frompyfunc(_power, 2, 1),
}


def _around(a: Any, b: Any) -> Any:
    """The smallest ball around two."""
    if type(a) is Dual or type(b) is Dual:
        (a, a_slope), (b, b_slope) = ((x.value, x.slope) if type(x) is Dual else (x, 0) for x in (a, b))
        return Dual(_around(a, b), _around_slopes(a_slope, b_slope))
    return number(a).union(number(b))


def _around_slopes(a: Any, b: Any) -> Any:
    return np.frompyfunc(_around, 2, 1)(a, b)


def where(condition: Array, a: Array, b: Array) -> Array:
    given = (x.view(np.ndarray) if isinstance(x, Exact) else _plain(x) for x in (condition, a, b))
    arrays: Any = np.broadcast_arrays(*(np.asarray(x, dtype=object) for x in given))
    condition, a, b = arrays
    result: Any = np.where(condition.astype(bool), a, b)
    open_ = condition == np.array(None)
    if open_.any():
        result[open_] = np.frompyfunc(_around, 2, 1)(a[open_], b[open_])
    return result.view(Exact)


def minimum(a: Array, b: Array) -> Array:
    """The first where both are equal; NaN if either is NaN."""
    return where((a <= b) | isnan(a), a, b)


def maximum(a: Array, b: Array) -> Array:
    """The first where both are equal; NaN if either is NaN."""
    return where((a >= b) | isnan(a), a, b)


# --------------------------------------------------------------------------------------- primitives

INF, NAN = Number(float("inf")), Number(float("nan"))
HUGE = Number(2) ** 50  #: beyond, Arb's exponentials may have no digits
EXTREME = 20_000  #: bits of a number with an exponential of 0 or inf


def _lift(value: Callable[[Any], Any], slope: Callable[[Any], Any]) -> Callable[[Array], Exact]:
    return partial(_map, lambda v: chain(v, value, slope) if type(v) is Dual else value(v))


def _exp(v: Any) -> Any:
    if not abs(v) > HUGE or not v.is_finite():
        return v.exp()
    mantissa, exponent = v.mid().man_exp()
    size = int(mantissa).bit_length() + int(exponent)
    if size > EXTREME:
        return v.exp()
    with _further(size + 10):
        twos = int((v.mid() / Number(2).log()).mid().floor().mid().unique_fmpz())
        rest = v - twos * Number(2).log()
    return rest.exp() * Number((1, twos)) if rest.rad() < 1 else v.exp()


@contextmanager
def _further(bits: int) -> Iterator[None]:
    ctx.prec += bits
    try:
        yield
    finally:
        ctx.prec -= bits


def _expm1(v: Any) -> Any:
    return _exp(v) - 1 if abs(v) > HUGE else v.expm1()


def _cosh(v: Any) -> Any:
    return (_exp(v) + _exp(-v)) / 2


def _sinh(v: Any) -> Any:
    return (_exp(v) - _exp(-v)) / 2 if abs(v) > 1 else v.sinh()


def _log(v: Any) -> Any:
    return -INF if v == 0 else v.log()


def _periodic(name: str) -> Callable[[Any], Any]:
    return lambda v: getattr(v, name)() if v.is_finite() else NAN


def _erfc(v: Any) -> Any:
    """erfc, by its asymptotic series where Arb's own loses the digits of a ball, and then underflows."""
    if not v.is_finite():
        return 1 - v.sgn()
    if not v > 1e4:
        return v.erfc()
    series, term, n, enough = Number(1), Number(1), 0, Number((1, -ctx.prec))
    while not abs(term) < enough:
        n += 1
        term *= -(2 * n - 1) / (2 * v * v)
        series += term
    return _exp(-v * v) / (v * Number.pi().sqrt()) * (series + Number(0, term.abs_upper()))  # its rest is below a term


def _density(v: Any) -> Any:
    return _exp(-v * v / 2) / (2 * Number.pi()).sqrt()


_sine, _cosine = _periodic("sin"), _periodic("cos")
exp, expm1 = _lift(_exp, _exp), _lift(_expm1, _exp)
log = _lift(_log, lambda v: INF if v == 0 else 1 / v)
log1p = _lift(lambda v: _log(1 + v) if v == -1 else v.log1p(), lambda v: 1 / (1 + v))
sqrt = _lift(lambda v: v.sqrt(), lambda v: INF if v == 0 else 1 / (2 * v.sqrt()))
tanh, sinh = _lift(lambda v: v.tanh(), lambda v: 1 / _cosh(v) ** 2), _lift(_sinh, _cosh)
sin, cos = _lift(_sine, _cosine), _lift(_cosine, lambda v: -_sine(v))
erf = _lift(lambda v: v.erf() if v.is_finite() else v.sgn(), lambda v: 2 * _exp(-v * v) / Number.pi().sqrt())
lgamma = _lift(lambda v: INF if v == INF else v.lgamma(), lambda v: v.digamma())
normal_cdf = _lift(lambda v: _erfc(-v / Number(2).sqrt()) / 2, _density)


stop_gradient = _lift(lambda v: v, lambda v: Number(0))
zero_dimensional = double = double_for = just_above = with_slope_of = textbook.unchanged
wants_gradient, product, quotient, fma = textbook.wants_no_gradient, textbook.product, textbook.quotient, textbook.fma
rounding_of_difference = textbook.rounding_of_difference
decay, softcap, tanhshrink = (partial(form, _this) for form in (textbook.decay, textbook.softcap, textbook.tanhshrink))
sigmoid_less, sigmoid_mixture = partial(textbook.sigmoid_less, _this), partial(textbook.sigmoid_mixture, _this)
snake, snake_slope = partial(textbook.snake, _this), partial(textbook.snake_slope, _this)
lgamma_ratio, exp_parts = partial(textbook.lgamma_ratio, _this), partial(textbook.exp_parts, _this)
root_of_square, expm1_less = partial(textbook.root_of_square, _this), partial(textbook.expm1_less, _this)
softmax_complement, log_softmax = partial(textbook.softmax_complement, _this), partial(textbook.log_softmax, _this)
sum_others, expected_log = partial(textbook.sum_others, _this), partial(textbook.expected_log, _this)
softmax_pulled_closely = partial(textbook.softmax_pulled_closely, _this)
overlap_slopes = partial(textbook.overlap_slopes, _this)


def absolute(x: Array) -> Array:
    return where(x < 0, -x, x)


sign = _lift(lambda v: v.sgn(), lambda v: 0)


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    power = exp(-absolute(x + low))
    return where(x + low < 0, times * power, times) / (1 + power)


sigmoid_slope, gate_slope = partial(tails.sigmoid_slope, _this), partial(tails.gate_slope, _this)
normal_gate_slope, sum_pairs = partial(tails.normal_gate_slope, _this), partial(tails.sum_pairs, _this)
mish, mish_slope = partial(tails.mish, _this), partial(tails.mish_slope, _this)
levels, rational = partial(tails.levels, _this), partial(tails.rational, _this, closely=False)


def softplus(x: Array, beta: Array) -> Array:
    return maximum(x, 0) + log1p(exp(-absolute(x) * beta)) / beta


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    return x * a + x * x * x * b, 0


def ndtr(x: Array, times: Array) -> Array:
    return times * normal_cdf(x)


def normal_pdf(x: Array, times: Array) -> Array:
    return times * _lift(_density, lambda v: -v * _density(v))(x)


def sum(x: Array) -> Array:
    return np.sum(x, axis=-1, keepdims=True)


def softmax(x: Array) -> Array:
    largest = np.max(x, axis=-1, keepdims=True)
    powers = exp(x - where(largest == -INF, 0, largest))
    total = sum(powers)
    return powers / where(total == 0, 1, total)


def top(x: Array) -> Array:
    return Exact(np.arange(x.shape[-1]) == np.argmax(x, axis=-1)[..., None])


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    return np.dot(x.view(np.ndarray), y.view(np.ndarray).T).view(Exact)


def angle(y: Array, x: Array) -> Array:
    return _map(lambda v, u: Number.atan2(v, u), y, x)


def above_simplex_threshold(x: Array) -> Array:
    z = -np.sort(-x, axis=-1)
    inside = 1 + np.arange(1, x.shape[-1] + 1) * z > np.cumsum(z, axis=-1)
    return x - (sum(where(inside, z, 0)) - 1) / maximum(sum(where(inside, 1, 0)), 1)


def jaccard_steps(order: Array, target: Array, weight: Array) -> Array:
    """Differences of 1 − IoU as entries come in."""
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


def one_hot(target: Array, like: Array) -> Array:
    return Exact(np.arange(like.shape[-1]) == target[..., None]) if is_integer(target) else target


def xlogy(x: Array, y: Array) -> Array:
    return where(x == 0, x, x * log(y))


def xlog1py(x: Array, y: Array) -> Array:
    return xlogy(x, y + 1)


def ratio(x: Array, y: Array) -> Array:
    return _map(lambda u, v: u if u == 0 else INF * u if v == 0 else u / v, x, y)


# ------------------------------------------------------------------------- how arguments come and go

moveaxis = np.moveaxis


def enter(x: Array, label: str, like: Array | None = None) -> Array:
    if isinstance(x, Exact) or (isinstance(x, np.ndarray) and is_integer(x)):
        return x
    return Exact(x)


def ranks(x: Array) -> tuple[Array, Array]:
    """By all pairs."""
    one, other = x[..., :, None], x[..., None, :]
    low = sum(where(other < one, 1, where(other == one, 0.5, 0)))[..., 0]
    return low, x.shape[-1] - low


def row(numbers: tuple[float, ...], like: Array) -> Array:
    return Exact(np.array(numbers))


def arange(n: int, like: Array) -> Array:
    return np.arange(n)


def padded(x: Array, count: int, axis: int) -> Array:
    shape = list(x.shape)
    shape[axis] = count
    nothing = Exact(np.zeros(shape))
    return np.concatenate([nothing, x, nothing], axis=axis).view(Exact)


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
    """Comparisons round infinities to floats."""
    return np.errstate(all="ignore")


def is_concrete(x: Array) -> bool:
    """No checks of values."""
    return False


def assert_on_gpu(holds: Array, message: str) -> None:
    """No checks of values."""


def isnan(x: Array) -> Array:
    return _map(lambda v: (v.value if type(v) is Dual else v).is_nan(), x)


def total(x: Array) -> Array:
    return Exact(np.sum(x.view(np.ndarray)))


def count(x: Array) -> int:
    return int(x.size)


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    return value(x, *rest)


with_vjp = differentiable


def _middle(v: Any) -> Any:
    """Middle of a ball, whose width would hide a small difference."""
    return v.mid() if type(v) is Number else v


_has_calculus = False  #: whether `slope_of` works by dual numbers


@contextmanager
def calculus() -> Iterator[None]:
    """Let `slope_of` differentiate by dual numbers in place of differences, while other threads wait."""
    global _has_calculus
    with _lock:
        before, _has_calculus = _has_calculus, True
        try:
            yield
        finally:
            _has_calculus = before


def slope_of(
    name: str, value: Callable[..., Array], x: Array, *rest: Array, cotangent: Array = 1, coupled: bool = False
) -> Array:
    """By central differences at three times the working precision, for a body smooth near x; see also `calculus`.

    Each column is moved by itself; if `coupled` (a value depends on other rows) each entry.
    """
    if _has_calculus:
        return _slope_by_calculus(value, x, rest, cotangent, coupled)
    digits = int(ctx.prec / BITS)
    x, *others = (_map(_middle, y) if isinstance(y, Exact) else y for y in (x, *rest))
    with precision(3 * digits):
        size = maximum(absolute(x), number(10) ** -(digits // 2))
        step = _map(lambda v: (v * number(10) ** -digits).mid(), size)
        if value(x, *others).ndim == x.ndim:
            return (value(x + step, *others) - value(x - step, *others)) / (2 * step) * cotangent
        places = np.eye(x.size if coupled else x.shape[-1], dtype=int)
        slopes = []
        for place in places.reshape(-1, *x.shape) if coupled else places:
            change = (value(x + place * step, *others) - value(x - place * step, *others)) * cotangent
            if coupled:
                slopes.append(np.sum(change.view(np.ndarray)) / np.sum((2 * place * step).view(np.ndarray)))
            else:
                slopes.append(change / np.sum(2 * place * step, axis=-1))
        return (np.reshape(slopes, x.shape) if coupled else np.stack(slopes, axis=-1)).view(Exact)


def _slope_by_calculus(
    value: Callable[..., Array], x: Array, rest: tuple[Array, ...], cotangent: Array, coupled: bool
) -> Array:
    if value(x, *rest).ndim == x.ndim:
        return tangent(value, x, *rest) * cotangent
    # the slope of a dual number is an array here: the derivatives by all columns, or entries, in one pass
    size = x.size if coupled else x.shape[-1]
    units, zeros = np.empty(size, dtype=object), Exact(np.zeros(size)).view(np.ndarray)
    units[:] = list(Exact(np.eye(size)).view(np.ndarray))
    result = value(_map(Dual, x, units.reshape(x.shape) if coupled else units), *rest)
    gradients = [v.slope if type(v) is Dual else zeros for v in result.view(np.ndarray).ravel()]
    changes = np.reshape(gradients, (*result.shape, size)).view(Exact)
    if isinstance(cotangent, Exact):
        cotangent = np.broadcast_to(cotangent, result.shape)[..., None]
    changes = changes * cotangent
    if coupled:
        changes = np.sum(changes.view(np.ndarray).reshape(-1, size), axis=0).reshape(x.shape).view(Exact)
    return changes


def tangent(value: Callable[..., Array], x: Array, *rest: Array) -> Array:
    """Derivative of an element-wise value(x, *rest) by dual numbers; at a kink, of one side.

    Without a step, neither a nearby kink nor a short period misleads it.
    """
    return _map(lambda v: v.slope, with_tangent(value, x, *rest))


def with_tangent(value: Callable[..., Array], x: Array, *rest: Array) -> Array:
    """Dual numbers of an element-wise value(x, *rest) and its derivative; see `tangent`."""
    result = value(_map(lambda v: Dual(v, Number(1)), x), *rest)
    return _map(lambda v: v if type(v) is Dual else Dual(number(v), Number(0)), result)


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """Convert; a constant to so many digits that differences of differences stay narrow."""
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number, np.ndarray)):
        return value
    with _further(9 * ctx.prec):
        return Exact(value)


def labels(x: Array) -> Array:
    return np.asarray(x)
