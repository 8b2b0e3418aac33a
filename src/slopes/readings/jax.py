"""The JAX reading: composed of JAX's operations, so that every transform works.

float64, where it is enabled, is computed in itself, float32 in itself and in pairs (`readings/pairs.py`), so that it
needs no float64; half types are computed in float32 and rounded once.
"""

from __future__ import annotations

import functools
import math
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.custom_derivatives import SymbolicZero

from slopes.constants import Array, Constant
from slopes.readings import pairs, tails
from slopes.readings.pairs import Pair, rounded

_this = sys.modules[__name__]

# --------------------------------------------------------------------------------------- primitives

log, sqrt, rint = jnp.log, jnp.sqrt, jnp.rint
exp, sign = jnp.exp, jnp.sign
sum = partial(jnp.sum, axis=-1, keepdims=True)

SINGLE, DOUBLE = np.dtype(np.float32), np.dtype(np.float64)
DEEP = {DOUBLE: 700.0, SINGLE: 80.0}  #: exp(−DEEP) is normal
#: a number rounded to this step has an exact square, up to 64, or as far as exp(−x²/2) is a number of float32
SPLIT = {DOUBLE: 2.0**20, SINGLE: 2.0**8}


def where(condition: Array, a: Array, b: Array) -> Array:
    if isinstance(a, Pair) or isinstance(b, Pair):
        return pairs.where(condition, a, b)
    return jnp.where(condition, a, b)


minimum, maximum = partial(tails.minimum, _this, (jax.Array, Pair)), partial(tails.maximum, _this, (jax.Array, Pair))


def absolute(x: Array) -> Array:
    return x * jnp.sign(x)


def double(x: Array) -> Array:
    """A pair for float32."""
    return pairs.pair(x) if x.dtype == SINGLE else x


def double_for(x: Array, *parameters: Array) -> Array:
    numbers = [p for p in parameters if isinstance(p, (int, float))]
    return x if all(map(tails.is_single, numbers)) else double(x)


def _by_pairs(name: str, x: Array, *rest: Array) -> Array:
    """The form of the name, of float32 by pairs, rounded once."""
    if x.dtype != SINGLE:
        return getattr(tails, name)(_this, x, *rest)
    return rounded(getattr(pairs, name)(pairs.pair(x), *rest))


def _parts_by_pairs(name: str, x: Array, *rest: Array) -> tuple[Array, Array]:
    """(high, low) of the form of the name."""
    if x.dtype != SINGLE:
        high, low = getattr(tails, name)(_this, x, *rest)
        return high, low
    high, low = getattr(pairs, name)(pairs.pair(x), *rest)
    both = pairs.pair(high) + low
    return both.high, both.low


def _rounded(form: Callable[..., Array], x: Array, *rest: Array) -> Array:
    """The form in the dtype of x; a factor may be a pair."""
    return rounded(form(_this, x, *rest))


mish_slope, fma = partial(_by_pairs, "mish_slope"), partial(_by_pairs, "fma")
rational = partial(_by_pairs, "rational")
snake, snake_slope = partial(_by_pairs, "snake"), partial(_by_pairs, "snake_slope")
product, quotient = partial(_parts_by_pairs, "product"), partial(_parts_by_pairs, "quotient")
cubic, sigmoid_less = partial(_parts_by_pairs, "cubic"), partial(_parts_by_pairs, "sigmoid_less")
sigmoid_mixture = partial(_parts_by_pairs, "sigmoid_mixture")
decay, sigmoid = partial(_rounded, tails.decay), partial(_rounded, tails.sigmoid)
gate_slope, softplus = partial(_rounded, tails.gate_slope), partial(_rounded, tails.softplus)
ndtr, normal_pdf = partial(_rounded, tails.ndtr), partial(_rounded, tails.normal_pdf)
normal_gate_slope, softcap = partial(_rounded, tails.normal_gate_slope), partial(_rounded, tails.softcap)
root_of_square, expm1_less = partial(_rounded, tails.root_of_square), partial(_rounded, tails.expm1_less)
lgamma_ratio = partial(_rounded, tails.lgamma_ratio)
tanhshrink = partial(_rounded, tails.tanhshrink)
gauss, exp_of_size = partial(tails.gauss, _this), partial(tails.exp_of_size, _this)
rounding_of_difference = tails.rounding_of_difference


def mish(x: Array) -> Array:
    """Half of a tiny x may be subnormal, which a CPU takes for 0."""
    tiny = (x > -1e-30) & (x < 1e-30)
    return jnp.where(tiny, 0.6 * x, tails.mish(_this, x)) if x.dtype == SINGLE else tails.mish(_this, x)


def _by_own(function: Callable[[Array], Array], form: str) -> Callable[[Array], Array]:
    def compute(x: Array) -> Array:
        return rounded(getattr(pairs, form)(pairs.pair(x))) if x.dtype == SINGLE else function(x)

    return compute


sin, cos, log1p = _by_own(jnp.sin, "sin"), _by_own(jnp.cos, "cos"), jnp.log1p


def expm1(x: Array) -> Array:
    """JAX's is off by 3.5 units of float32: near 0 by a polynomial. Its slope, expm1(x) + 1, is 0 below −37."""
    if x.dtype != SINGLE:
        return jnp.where(x < -1, jnp.exp(x) - 1, jnp.expm1(x))
    near = (x > -0.5) & (x < 0.5)
    held, series = jnp.where(near, x, 0.0), 0.0
    for n in range(11, 1, -1):
        series = series * held + 1 / math.factorial(n)
    return jnp.where(near, held + held * held * series, jnp.exp(x) - 1)


@jax.custom_jvp  # type: ignore[untyped-decorator]
def tanh(x: Array) -> Array:
    """JAX's is off by 3 to 4 units of float32: up to 0.5 by the continued fraction, from there on by an exponential."""
    if x.dtype != SINGLE:
        return jnp.tanh(x)
    left = x < 0
    q = jnp.exp(2 * jnp.where(left, x, -x))
    size = (1 - q) / (1 + q)
    near = (x > -0.5) & (x < 0.5)
    held = jnp.where(near, x, 0.0)
    square = held * held
    rest = held * square / (3 + square / (5 + square / (7 + square / 9)) + square)
    return jnp.where(near, held - rest, jnp.where(left, -size, size))


@tanh.defjvp  # type: ignore[untyped-decorator]
def _(primals: Any, tangents: Any) -> Any:
    """The slope is 4q/(1 + q)², q = exp(−2|x|); 1 − tanh² loses its digits."""
    (x,), (tangent,) = primals, tangents
    q = jnp.exp(2 * jnp.where(x < 0, x, -x))
    return tanh(x), 4 * q / ((1 + q) * (1 + q)) * tangent


def sinh(x: Array) -> Array:
    """In float32 by a polynomial near 0."""
    near = (x > -1) & (x < 1)
    held, series = jnp.where(near, x, 0.0), 0.0
    for n in range(11, 1, -2):
        series = series * held * held + 1 / math.factorial(n)
    return jnp.where(near, held + held * held * held * series, jnp.sinh(x)) if x.dtype == SINGLE else jnp.sinh(x)


def erf(x: Array) -> Array:
    return jax.scipy.special.erf(x)


def lgamma(x: Array) -> Array:
    return jax.scipy.special.gammaln(x)


def sigmoid_slope(x: Array, times: Array, low: Array) -> Array:
    """s·(1 − s) is (1 − tanh²(x/2))/4, whose slope is a product."""

    def form() -> Array:
        if type(times) is float:
            root = tanh(x / 2)
            rest = stop_gradient(1 - root * low)  # far from 0 `low` is in the exponent alone
            return times / -4 * root**2 * rest
        return times * sigmoid_slope(x, 1.0, low)

    return with_slope_of(rounded(tails.sigmoid_slope(_this, x, times, low)), form)


# ------------------------------------------------------------------------------- rows: the last axis

softmax, log_softmax = partial(tails.softmax, _this), partial(tails.log_softmax, _this)
sum_others, softmax_logit = partial(tails.sum_others, _this), partial(tails.softmax_logit, _this)
#: linear in the cotangent by its form, so that it can be transposed
softmax_pulled_closely = partial(tails.softmax_pulled, _this)
above_simplex_threshold, top = partial(tails.above_simplex_threshold, _this), partial(tails.top, _this)
sum_pairs, jaccard_steps = partial(tails.sum_pairs, _this), partial(tails.jaccard_steps, _this)


def exp_parts(x: Array) -> tuple[Array, Array]:
    """Of float32 by a pair."""
    if x.dtype != SINGLE:
        return tails.exp_parts(_this, x)
    high, near = jnp.exp(x), jnp.abs(x) < 10
    wide = pairs.exp(pairs.pair(jnp.where(near, x, 0.0)))
    low = rounded(wide - jnp.where(near, high, 0.0))
    return high, stop_gradient(jnp.where(near, low, 0.0))


levels, ranks = partial(tails.levels, _this), partial(tails.ranks, _this)
cumsum = partial(jnp.cumsum, axis=-1)


def softmax_complement(x: Array) -> Array:
    return with_slope_of(tails.softmax_complement(_this, x), lambda: -softmax(x))


def overlap_slopes(over: Array, missed: Array, right: Array, *parameters: Array) -> tuple[Array, Array]:
    r: Any = pairs if right.dtype == SINGLE else _this
    wide = r.overlap_slopes(*map(double, (over, missed, right)), *parameters) if r is pairs else tails.overlap_slopes(
        r, over, missed, right, *parameters
    )  # fmt: skip
    outside, inside = map(rounded, wide)
    return jnp.where(outside == jnp.inf, 0.0, outside), jnp.where(inside == jnp.inf, 0.0, inside)


def entry(x: Array, place: int) -> Array:
    return x[..., place]


def inner(x: Array, y: Array) -> Array:
    """Accelerators would multiply in half precision."""
    return jnp.matmul(x, jnp.swapaxes(y, -1, -2), precision="highest")


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    if isinstance(p, (int, float)):
        return tails.log_odds(float(p))
    return jnp.log(p) - jnp.log1p(-p), 0.0


def zero_dimensional(number: Array, like: Array) -> Array:
    return number


def angle(y: Array, x: Array) -> Array:
    return jnp.arctan2(y, x)


def just_above(x: Array) -> Array:
    if x.dtype != SINGLE:
        return x
    number, last = jax.lax.stop_gradient(x), np.finfo(SINGLE).max
    return x + jnp.where(number < last, jnp.nextafter(number, jnp.full_like(number, last)) - number, 0.0)


stop_gradient = jax.lax.stop_gradient


def with_slope_of(value: Array, form: Callable[[], Array]) -> Array:
    smooth = form()
    change = smooth - stop_gradient(smooth)
    return stop_gradient(value) + jnp.where(change == change, change, 0.0)  # inf − inf is NaN


def descending(x: Array) -> Array:
    return -jnp.sort(-x, axis=-1)


def places(x: Array) -> Array:
    return jnp.argsort(-stop_gradient(x), axis=-1, stable=True)


def inverted(places: Array) -> Array:
    return jnp.argsort(places, axis=-1)


def picked(x: Array, places: Array) -> Array:
    return jnp.take_along_axis(x, places, -1)


def reversed(x: Array) -> Array:
    return x[..., ::-1]


def shift_by_top(x: Array) -> tuple[Array, Array]:
    if not x.shape[-1]:  # argmax refuses an empty row
        return x == x, x
    place = jnp.argmax(x, axis=-1, keepdims=True)
    top = jnp.arange(x.shape[-1]) == place
    largest = jnp.take_along_axis(x, place, -1)
    nothing = largest == -jnp.inf  # no entry counts
    return top, jnp.where(top & (x > -jnp.inf), 0.0, x - jnp.where(nothing, 0.0, largest))


def expected(values: Array, target: Array) -> Array:
    if is_integer(target):
        return jnp.take_along_axis(values, target[..., None], -1)[..., 0]
    return jnp.sum(jnp.where(target == 0, 0.0, target * values), axis=-1)


def expected_log(values: Array, target: Array) -> Array:
    if is_integer(target):
        return jnp.log(expected(values, target))
    return jnp.sum(xlogy(target, values), axis=-1)


def one_hot(target: Array, like: Array) -> Array:
    if not is_integer(target):
        return target
    return (jnp.arange(like.shape[-1]) == target[..., None]).astype(like.dtype)


def xlogy(x: Array, y: Array) -> Array:
    """Its slope at (0, 0) is no NaN."""
    held = jnp.where(x == 0, 1.0, y)
    return jnp.where((x == 0) & (y == y), 0.0, x * jnp.log(held))


def xlog1py(x: Array, y: Array) -> Array:
    held = jnp.where(x == 0, 0.0, y)
    return jnp.where((x == 0) & (y == y), 0.0, x * log1p(held))


def ratio(x: Array, y: Array) -> Array:
    return jnp.where(x == 0, 0.0, x / jnp.where(x == 0, 1.0, y))


# ------------------------------------------------------------------------- how arguments come and go

isnan = jnp.isnan


def enter(x: Array, label: str, like: Array | None = None) -> Array:
    """An array of JAX, or one of NumPy beside it; else raise TypeError."""
    if isinstance(x, (np.ndarray, np.generic)):
        x = jnp.asarray(x)
    if not isinstance(x, jax.Array):
        name = label.rpartition(" ")[2]
        raise TypeError(
            f"{label} must be a JAX array here, as the other arguments are, got {type(x).__name__}; "
            f"jax.numpy.asarray({name}) is an array"
        )
    if not is_integer(x) and not (jnp.issubdtype(x.dtype, jnp.floating) and x.dtype.itemsize >= 2):
        raise TypeError(f"{label} must hold real numbers, got dtype {x.dtype}")
    return x


def moveaxis(x: Array, source: int, destination: int) -> Array:
    return jnp.moveaxis(rounded(x), source, destination)


def row(numbers: tuple[float, ...], like: Array) -> Array:
    return jnp.asarray(np.array(numbers, like.dtype))


def arange(n: int, like: Array) -> Array:
    return jnp.arange(n)


def draw(distribution: str, generator: Any, like: Array, owner: str) -> Array:
    try:
        make = jax.random.uniform if distribution == "uniform" else jax.random.gumbel
        return make(generator, like.shape, dtype=widen(like).dtype)
    except TypeError:
        raise TypeError(
            f"{owner}: generator must be a key here, by jax.random.key, got {type(generator).__name__}"
        ) from None


def spread(values: Array, places: Array, count: int) -> Array:
    return jnp.zeros(count, dtype=values.dtype).at[places].set(values)


def padded(x: Array, count: int, axis: int) -> Array:
    widths = [(0, 0)] * x.ndim
    widths[axis] = count, count
    return jnp.pad(x, widths)


def joined(a: Array, b: Array) -> Array:
    return jnp.concatenate([a, b], axis=-1)


def is_integer(x: Array) -> bool:
    return bool(jnp.issubdtype(x.dtype, jnp.integer)) or x.dtype == np.bool_


def result_dtype(x: Array, loss: bool = False) -> Any:
    """The argument's own dtype, or the default for integers."""
    return jnp.result_type(float) if is_integer(x) else x.dtype


def widen(x: Array, like: Array | None = None) -> Array:
    """x in the dtype of bodies: of `like` if given, but float32 for a half type."""
    dtype = result_dtype(x) if like is None else like.dtype
    return rounded(x).astype(SINGLE if dtype.itemsize < 4 else dtype)


for_kernel = widen


def narrow(x: Array, dtype: Any) -> Array:
    return jnp.asarray(rounded(x), dtype)


def check_out(owner: str, out: Any, x: Array) -> None:
    """Refuse `out`: JAX's arrays cannot be written to."""
    if out is not None:
        raise TypeError(f"{owner}: out is for NumPy arrays; an array of JAX cannot be written to")


def quiet() -> AbstractContextManager[Any]:
    return nullcontext()


def is_concrete(x: Array) -> bool:
    """Whether values can be read without waiting for a device or stopping a trace."""
    if isinstance(x, jax.core.Tracer) or _is_staged():
        return False
    return all(device.platform == "cpu" for device in x.devices())


def assert_on_gpu(holds: Array, message: str) -> None:
    """JAX has no errors of a device."""


def _is_staged() -> bool:
    """Whether jax.jit records each operation, of constants, too."""
    return isinstance(jax.lax.neg(np.float32(0)), jax.core.Tracer)


def total(x: Array) -> Array:
    return jnp.sum(x)


def extremes(x: Array) -> tuple[float, float]:
    return float(x.min()), float(x.max())


def count(x: Array) -> int:
    return int(x.size)


def wants_gradient(x: Array) -> bool:
    """Whether x may need a gradient: unknown, hence True, for floats in a trace."""
    return isinstance(x, jax.core.Tracer) and bool(jnp.issubdtype(x.dtype, jnp.floating))


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """A parameter for a card's body, with a first argument `like`."""
    if type(value) in (float, int):
        if like is not None and not tails.fits_single(value) and result_dtype(like) != DOUBLE:
            becomes = 0 if abs(value) < 1 else math.inf
            raise ValueError(
                f"{name} must be a number of float32, in which this array is computed: {value} is {becomes} there"
            )
        return value
    if hasattr(value, "requires_grad"):
        raise TypeError(
            f"{name} must be a number or an array of JAX here, as the arguments are, got {type(value).__name__}"
        )
    if isinstance(value, (np.ndarray, jax.Array)):
        value = jnp.asarray(value)
        dtype = DOUBLE if like is not None and result_dtype(like) == DOUBLE else SINGLE
        return value if value.dtype in (dtype, DOUBLE) else value.astype(dtype)  # bodies split it or take its log
    return value


def labels(x: Array) -> Array:
    return x.astype(jnp.int32)


# --------------------------------------------------------------------------------------- derivatives


def differentiable(value: Callable[..., Array], slope: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    """value(x, *rest), differentiated by x through `slope`; with more axes than the value it is the gradient of a row.

    By other arguments, JAX differentiates the operations.
    """
    return _apply(value, slope, _push_by_slope, x, rest)


def with_vjp(value: Callable[..., Array], pull_back: Callable[..., Array] | None, x: Array, *rest: Array) -> Array:
    return _apply(value, pull_back, _push_by_transposing, x, rest)


def _push_by_slope(slope: Callable[..., Array], result: Array, tangent: Array, *arguments: Array) -> Array:
    rows = rounded(slope(*arguments))
    pushed = rows * tangent
    return pushed.sum(tuple(range(result.ndim, pushed.ndim))) if pushed.ndim > result.ndim else pushed


def _push_by_transposing(pull_back: Callable[..., Array], result: Array, tangent: Array, *arguments: Array) -> Array:
    """A vjp is linear in its cotangent, and its transpose is the jvp."""
    like = jax.ShapeDtypeStruct(result.shape, result.dtype)
    (pushed,) = jax.linear_transpose(lambda cotangent: rounded(pull_back(*arguments, cotangent)), like)(tangent)
    return pushed


def _apply(
    value: Callable[..., Array], derivative: Callable[..., Array] | None, push: Callable[..., Array], x: Array,
    rest: tuple[Array, ...],
) -> Array:  # fmt: skip
    x = widen(x)
    try:
        if derivative is None:
            return rounded(value(x, *rest))
        keys = _key(value), _key(derivative)
        if None in keys:
            return _attached(value, derivative, push)(x, *rest)
        return _attached_and_compiled(*keys, push)(x, *rest)
    except jax.errors.ConcretizationTypeError as error:
        raise TypeError(
            f"{_name(value)}: its body looks at a value, which JAX does not know as it traces; slopes.ops.where "
            "chooses by it"
        ) from error


def _name(function: Any) -> str:
    while isinstance(function, partial):
        function = function.args[0] if function.args else function.func
    return str(function.__name__)


def _key(function: Callable[..., Array]) -> Any:
    """A function equal to any of equal parts, so that it is compiled once; None if there is none."""
    if isinstance(function, partial):
        parts = function.func, *function.args
        keys = [_key(part) if callable(part) else part for part in parts]
        named = tuple(sorted(function.keywords.items()))
        if None in keys or any(type(value) not in (bool, int, float, str, Constant, type(None)) for _, value in named):
            return None
        return _Bound(tuple(keys), tuple((name, type(value), value) for name, value in named))
    return function if getattr(function, "__closure__", ()) is None else None


class _Bound(tuple[Any, ...]):
    """(function, arguments) and keywords of a partial function."""

    __slots__ = ()

    def __new__(cls, parts: tuple[Any, ...], named: tuple[Any, ...]) -> _Bound:
        return super().__new__(cls, (parts, named))

    def __call__(self, *arguments: Array) -> Array:
        (function, *first), named = self
        return function(*first, *arguments, **{name: value for name, _, value in named})


def _attached(value: Callable[..., Array], derivative: Callable[..., Array], push: Callable[..., Array]) -> Any:
    @jax.custom_jvp  # type: ignore[untyped-decorator]
    def function(x: Array, *rest: Array) -> Array:
        return rounded(value(x, *rest))

    def differentiate(primals: Any, tangents: Any) -> Any:
        (x, *rest), (tangent, *others) = primals, tangents
        result = function(x, *rest)
        pushed = None if _is_zero(tangent) else push(derivative, result, tangent, x, *rest)
        moving = [place for place, other in enumerate(others) if not _is_zero(other)]
        if moving:

            def by_others(*moved: Array) -> Array:
                given = list(rest)
                for place, argument in zip(moving, moved, strict=True):
                    given[place] = argument
                return rounded(value(x, *given))

            _, change = jax.jvp(by_others, [rest[place] for place in moving], [others[place] for place in moving])
            pushed = change if pushed is None else pushed + change
        return result, jnp.zeros_like(result) if pushed is None else pushed.astype(result.dtype)

    function.defjvp(differentiate, symbolic_zeros=True)
    return function


@functools.lru_cache(maxsize=1024)
def _attached_and_compiled(*parts: Any) -> Any:
    return jax.jit(_attached(*parts))


def _is_zero(tangent: Any) -> bool:
    return isinstance(tangent, SymbolicZero) or tangent.dtype == jax.dtypes.float0


def slope_of(
    name: str, value: Callable[..., Array], x: Array, *rest: Array, cotangent: Array = None, coupled: bool = False
) -> Array:
    result, pull_back = jax.vjp(lambda x: rounded(value(x, *rest)), x)
    return pull_back(jnp.ones_like(result) if cotangent is None else cotangent.astype(result.dtype))[0]
