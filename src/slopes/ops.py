"""The primitives for the bodies of cards, and the dispatch to their readings.

A body such as ``x * ndtr(x)`` runs in several *readings*: on NumPy arrays, torch tensors, exact numbers and SymPy
symbols. A primitive calls its namesake in the module of ``slopes.readings`` for its argument's type.

Rules for bodies: constants come from here (``pi``; a float literal means its binary value), rows lie on the last axis,
and each branch of a `where` is finite where the other is taken, so that gradients are. A primitive states its slope at
a kink, the same in every reading. A result (high, low) is an unevaluated sum, with more digits than one number.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections.abc import Callable, Sequence
from types import ModuleType

import numpy as np

from slopes.constants import Array as Array
from slopes.constants import Constant as Constant
from slopes.constants import e as e
from slopes.constants import log2 as log2
from slopes.constants import pi as pi
from slopes.constants import sqrt2 as sqrt2
from slopes.domains import type_and_remedy
from slopes.readings import tails

# ------------------------------------------------------------------------------------------- dispatch

_READINGS: dict[type, ModuleType] = {}
#: readings whose arguments are of their own types
OWN_TYPES = tuple(
    f"slopes.readings.{name}"
    for name in ("corners", "curvature", "exact", "interval", "pairs", "parity", "tangent", "trace")
)


def reading(*arguments: Array) -> ModuleType:
    """Return the reading for the first argument that is no Python number; else NumPy's."""
    for argument in arguments:
        kind = type(argument)
        if kind is not float and kind is not int and kind is not Constant:
            return _READINGS.get(kind) or _resolve(argument)
    return _load("numpy")


def _load(name: str) -> ModuleType:
    return importlib.import_module(f"slopes.readings.{name}")


def _resolve(x: Array) -> ModuleType:
    """The reading of a new type, whose library is not imported."""
    torch = sys.modules.get("torch")
    if torch is not None and isinstance(x, torch.Tensor):
        from slopes.readings import torch as module  # torch.compile can trace an import statement

        if torch.compiler.is_compiling():
            return module
    elif isinstance(x, getattr(sys.modules.get("jax"), "Array", ())):
        module = _load("jax")
    elif type(x).__module__ in OWN_TYPES:
        module = sys.modules[type(x).__module__]
    elif type(x).__module__.partition(".")[0] in ("mpmath", "flint"):
        raise TypeError("numbers of mpmath and FLINT are computed by slopes.exact(card, digits=...)")
    elif type(x).__module__.partition(".")[0] == "sympy" or type(x).__module__ == "slopes.readings.symbol":
        module = _load("symbol")
    elif isinstance(x, (np.generic, bool, list, tuple)) or hasattr(type(x), "__array__"):
        module = _load("numpy")
    else:
        raise TypeError(f"expected an array, a tensor or a number, got {type_and_remedy(x)}")
    _READINGS[type(x)] = module
    return module


# ----------------------------------------------------------------------------------------- elementary


def exp(x: Array) -> Array:
    """The exponential."""
    return reading(x).exp(x)


def decay(x: Array, times: Array) -> Array:
    """times·exp(x) for x <= 0, underflowing once; 0 where exp(x) is, also for infinite `times`."""
    return reading(x).decay(x, times)


def exp_parts(x: Array) -> tuple[Array, Array]:
    """(high, low) of exp(x), for another exponential of it; `low` is constant for autograd, and 0 from |x| = 10 on."""
    high, low = reading(x).exp_parts(x)
    return high, low


def expm1(x: Array) -> Array:
    """exp(x) − 1, without cancelling near 0."""
    return reading(x).expm1(x)


def log(x: Array) -> Array:
    """The natural logarithm; −inf at 0."""
    if type(x) is Constant:
        return math.log(x.high)  # torch before 2.13 traces no number of a subclass of float
    if isinstance(x, (int, float)) and x > 0:
        return math.log(x)  # a parameter
    return reading(x).log(x)


def log1p(x: Array) -> Array:
    """log(1 + x), accurate for small x."""
    return reading(x).log1p(x)


def sqrt(x: Array) -> Array:
    """The square root."""
    return reading(x).sqrt(x)


def sin(x: Array) -> Array:
    """The sine."""
    if isinstance(x, (int, float)):
        return math.sin(x)
    return reading(x).sin(x)


def cos(x: Array) -> Array:
    """The cosine."""
    if isinstance(x, (int, float)):
        return math.cos(x)
    return reading(x).cos(x)


def angle(y: Array, x: Array) -> Array:
    """The angle of the point (x, y)."""
    return reading(x).angle(y, x)


def absolute(x: Array) -> Array:
    """The absolute value; its slope at 0 is 0."""
    return reading(x).absolute(x)


def sign(x: Array) -> Array:
    """−1, 0 or 1; NaN at NaN."""
    return reading(x).sign(x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """`a` where the condition holds, else `b`; computes both."""
    if isinstance(condition, bool):  # on parameters; a trace guards on it
        return a if condition else b
    return reading(condition).where(condition, a, b)


def minimum(a: Array, b: Array) -> Array:
    """The smaller, or the first of equals, with its slope; NaN if either is NaN."""
    return reading(a, b).minimum(a, b)


def maximum(a: Array, b: Array) -> Array:
    """The larger, or the first of equals, with its slope; NaN if either is NaN."""
    return reading(a, b).maximum(a, b)


def zero_dimensional(number: Array, like: Array) -> Array:
    """A number, beside tensors a 0-dimensional one: a trace then records no formula of numbers."""
    return reading(like).zero_dimensional(number, like)


def clip(x: Array, low: Array, high: Array) -> Array:
    """`x` confined to [low, high]."""
    return minimum(maximum(x, low), high)


def just_above(x: Array) -> Array:
    """The next float32 above x >= 0 for half types, so that a tie rounds up; else x."""
    return reading(x).just_above(x)


def nonzero(x: Array) -> Array:
    """`x`, but 1 where it is 0: for branches that are not taken."""
    return where(x == 0, 1.0, x)


def scaled(x: Array, by: Array) -> Array:
    """by·x, and 0 where `by` is 0 and x infinite."""
    if type(by) is float and by != 0:
        return by * x
    return by * where((by == 0) & ((x == math.inf) | (x == -math.inf)), 0.0, x)


def stop_gradient_if_tiny(x: Array, size: Array) -> Array:
    """`x`, as a constant for autograd where second slopes in units of `size` overflow."""
    return where((size**3 == 0) | (size == math.inf), stop_gradient(x), x)


def safe_divide(part: Array, whole: Array, nothing: Array = 0.0) -> Array:
    """part / whole, or `nothing` where the whole is 0."""
    return where(whole == 0, nothing, part / nonzero(whole))


def double(x: Array) -> Array:
    """`x` in float64 if the device has it, so that only the result is rounded."""
    return reading(x).double(x)


def double_for(x: Array, *parameters: Array) -> Array:
    """`double(x)` if a parameter has more digits than float32; else `x`."""
    return reading(x).double_for(x, *parameters)


def step(x: Array, low: Array = 0.0, high: Array = 1.0) -> Array:
    """`high` where x > 0, `low` where x <= 0: the slope of a hinge."""
    return where(x > 0, high, where(x <= 0, low, x))


# ----------------------------------------------------------------------------- sigmoids and the normal


def tanh(x: Array) -> Array:
    """The hyperbolic tangent."""
    return reading(x).tanh(x)


def sinh(x: Array) -> Array:
    """The hyperbolic sine."""
    return reading(x).sinh(x)


def sigmoid(x: Array, times: Array = 1.0, low: Array = 0.0) -> Array:
    """times / (1 + exp(−x − low)), underflowing once; 0 where the sigmoid is, also for infinite `times`.

    `low` has further digits of x; see `cubic`.
    """
    return reading(x).sigmoid(x, times, low)


def sigmoid_slope(x: Array, times: Array = 1.0, low: Array = 0.0) -> Array:
    """times·s·(1 − s) with s = sigmoid(x + low); neither factor loses digits."""
    return reading(x).sigmoid_slope(x, times, low)


def gate_slope(x: Array, y: Array, times: Array = 1.0, low: Array = 0.0, y_low: Array = 0.0) -> Array:
    """times·s·(1 + (y + y_low)·(1 − s)) with s = sigmoid(x + low), underflowing once: the slope of t·sigmoid(x).

    `y` is t times the slope of x by t, and has the sign of t.
    """
    return reading(x).gate_slope(x, y, times, low, y_low)


def softplus(x: Array, beta: Array = 1.0) -> Array:
    """log(1 + exp(beta·x)) / beta, accurate in both tails."""
    return reading(x).softplus(x, beta)


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    """(high, low) of a·x + b·x³, so that its exponential keeps its digits."""
    high, low = reading(x).cubic(x, a, b)
    return high, low


def product(x: Array, a: Array) -> tuple[Array, Array]:
    """(high, low) of a·x for a > 0, clamped where its exponential is 0 or inf; see `cubic`."""
    if type(a) is float and a == 1.0:
        return x, 0.0
    high, low = reading(x).product(x, a)
    return high, low


def quotient(x: Array, a: Array) -> tuple[Array, Array]:
    """(high, low) of x / a for a > 0; see `product`."""
    high, low = reading(x).quotient(x, a)
    return high, low


def sigmoid_less(x: Array, shift: Array) -> tuple[Array, Array]:
    """(high, low) of sigmoid(x) − shift, so that its powers keep their digits."""
    high, low = reading(x).sigmoid_less(x, shift)
    return high, low


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, Array]:
    """(high, low) of share·sigmoid(x) + (1 − share)·sigmoid(−x)."""
    high, low = reading(x).sigmoid_mixture(x, share)
    return high, low


def inverse(a: Array) -> tuple[Array, Array]:
    """(high, low) of 1 / a for a parameter `a`."""
    if not isinstance(a, float) and not hasattr(type(a), "product_low"):  # a traced number has `product_low`
        return 1.0 / a, 0.0
    return tails.inverse(a)


def fma(x: Array, a: Array, c: Array) -> Array:
    """a·x + c, rounded once."""
    return reading(x).fma(x, a, c)


def rounding_of_difference(x: Array, y: Array) -> Array:
    """x − y less its rounded value: 0 in readings that do not round."""
    return reading(x).rounding_of_difference(x, y)


def softcap(x: Array, cap: Array) -> Array:
    """cap·tanh(x / cap), also for a subnormal x."""
    return reading(x).softcap(x, cap)


def mish(x: Array) -> Array:
    """x·tanh(softplus(x)), accurate in both tails."""
    return reading(x).mish(x)


def mish_slope(x: Array) -> Array:
    """The slope of `mish`."""
    return reading(x).mish_slope(x)


def snake(x: Array, a: Array) -> Array:
    """x + sin²(a·x) / a with an exact a·x, or x where a is 0."""
    return reading(x).snake(x, a)


def snake_slope(x: Array, a: Array) -> Array:
    """1 + sin(2·a·x) with an exact a·x, accurate near its roots; 1 where a·x is infinite."""
    return reading(x).snake_slope(x, a)


def root_of_square(x: Array, b: Array) -> Array:
    """√(x² + b) for x >= 0, also where x² overflows."""
    return reading(x).root_of_square(x, b)


def rational(x: Array, numerator: Sequence[Array], denominator: Sequence[Array], order: int = 0) -> Array:
    """Σ a_i·x^i / (1 + Σ |b_j·x^j|) with i from 0 and j from 1 on, or its derivative of an order.

    No digits cancel, and no power overflows. |x| has a slope of 0 at 0.
    """
    return reading(x).rational(x, _trimmed(numerator, 1), _trimmed(denominator, 0), order)


def _trimmed(coefficients: Sequence[Array], least: int) -> Sequence[Array]:
    """A tuple without zeros at its end, but for the first `least` numbers."""
    while type(coefficients) is tuple and len(coefficients) > least and coefficients[-1] == 0:
        coefficients = coefficients[:-1]
    return coefficients


def expm1_less(x: Array) -> Array:
    """exp(x) − 1 − x for x <= 1, without cancelling near 0."""
    return reading(x).expm1_less(x)


def tanhshrink(x: Array) -> Array:
    """x − tanh(x), without cancelling near 0."""
    return reading(x).tanhshrink(x)


def erf(x: Array) -> Array:
    """The error function; of the normal tails, `ndtr` has more digits."""
    return reading(x).erf(x)


def lgamma(x: Array) -> Array:
    """The logarithm of the gamma function for x > 0, for definitions."""
    return reading(x).lgamma(x)


def lgamma_ratio(x: Array) -> Array:
    """log(Γ(x)·√x / Γ(x + 1/2)) for x > 0, which falls to 0, without cancelling."""
    return reading(x).lgamma_ratio(x)


def ndtr(x: Array, times: Array = 1.0) -> Array:
    """`times` the standard normal distribution function, also where subnormal."""
    return reading(x).ndtr(x, times)


def normal_gate_slope(x: Array, times: Array = 1.0) -> Array:
    """`times` the slope of x·ndtr(x), underflowing once."""
    return reading(x).normal_gate_slope(x, times)


def normal_pdf(x: Array, times: Array = 1.0) -> Array:
    """`times` the standard normal density, also where subnormal."""
    return reading(x).normal_pdf(x, times)


# ------------------------------------------------------------------------------- rows: the last axis


def sum(x: Array) -> Array:
    """The sum of each row, of length 1."""
    return reading(x).sum(x)


def entry(x: Array, place: int) -> Array:
    """An entry of each row."""
    return reading(x).entry(x, place)


def joined(a: Array, b: Array) -> Array:
    """Concatenation along the last axis."""
    return reading(a).joined(a, b)


def inner(x: Array, y: Array) -> Array:
    """The matrix of inner products of rows."""
    return reading(x).inner(x, y)


def sum_others(values: Array, x: Array) -> Array:
    """The sum of a row's other entries, for each; by subtraction except at the largest x."""
    return reading(x).sum_others(values, x)


def levels(given: Array, like: Array) -> tuple[Array, Array]:
    """(levels between 0 and 1, 1 − levels) for the entries of a row: a given number, tuple or array.

    For None they are the middles of n equal parts, (k + ½) / n for the k-th of n entries.
    """
    low, high = reading(like).levels(given, like)
    return low, high


def ranks(x: Array) -> tuple[Array, Array]:
    """(low, high) for each entry: how many of its row are smaller or larger, and half of its equals, itself among them.

    For autograd they are constants.
    """
    low, high = reading(x).ranks(x)
    return low, high


def sum_pairs(term: Callable[..., Array], *rows: Array) -> Array:
    """The sum of term(*entries, *others) over all pairs of places."""
    return reading(*rows).sum_pairs(term, *rows)


def softmax(x: Array) -> Array:
    """exp(x) / sum(exp(x))."""
    return reading(x).softmax(x)


def softmax_complement(x: Array) -> Array:
    """1 − softmax(x), without cancelling."""
    return reading(x).softmax_complement(x)


def softmax_pulled(x: Array, cotangent: Array) -> Array:
    """The cotangent pulled back through `softmax`."""
    return tails.softmax_pulled(reading(x), x, cotangent)


def softmax_pulled_closely(x: Array, cotangent: Array) -> Array:
    """`softmax_pulled`, with its digits where entries of a row nearly cancel; it takes twice the time."""
    return reading(x).softmax_pulled_closely(x, cotangent)


def log_softmax(x: Array) -> Array:
    """log(softmax(x)), without cancelling."""
    return reading(x).log_softmax(x)


def above_simplex_threshold(x: Array) -> Array:
    """x − t, where a row's t makes its positive parts sum to 1."""
    return reading(x).above_simplex_threshold(x)


def jaccard_steps(order: Array, target: Array, weight: Array) -> Array:
    """The rise of 1 − IoU at each entry, as a row's entries turn wrong one by one, the largest `order` first.

    `target` is each entry's share in the region.
    """
    return reading(order).jaccard_steps(order, target, weight)


def overlap_slopes(
    over: Array, missed: Array, right: Array, alpha: Array, beta: Array, power: Array = 1.0
) -> tuple[Array, Array]:
    """Slopes of (wrong / (wrong + right)) ** power, with wrong = alpha·over + beta·missed.

    By `over`, and by `right` where `missed` falls alike, with its sign changed. Each is rounded once. They are 0 where
    the region is empty or a slope is infinite.
    """
    outside, inside = reading(right).overlap_slopes(over, missed, right, alpha, beta, power)
    return outside, inside


def top(x: Array) -> Array:
    """1 at the first largest entry of each row, 0 elsewhere."""
    return reading(x).top(x)


def stop_gradient(x: Array) -> Array:
    """`x`, as a constant for autograd."""
    return reading(x).stop_gradient(x)


def with_slope_of(value: Array, form: Callable[[], Array]) -> Array:
    """`value`, which autograd differentiates as form(): the same function, whose slope cancels less."""
    return reading(value).with_slope_of(value, form)


def softmax_logit(x: Array) -> Array:
    """log(p / (1 − p)) for p = softmax(x), at any distance."""
    return reading(x).softmax_logit(x)


def expected(values: Array, target: Array) -> Array:
    """sum(target · values), without the last axis; an integer target picks its value.

    A target of 0 gives 0, even times infinity or NaN.
    """
    return reading(values).expected(values, target)


def expected_log(values: Array, target: Array) -> Array:
    """sum(target · log(values)); no logarithm is taken where the target is 0."""
    return reading(values).expected_log(values, target)


def one_hot(target: Array, like: Array) -> Array:
    """Integer labels as one-hot rows, in the shape of `like`; rows stay."""
    return reading(like).one_hot(target, like)


def eye(like: Array) -> Array:
    """The identity matrix, as wide as the rows of `like`."""
    r = reading(like)
    return r.one_hot(r.arange(like.shape[-1], like), like=like)


def xlogy(x: Array, y: Array) -> Array:
    """x·log(y), and 0 where x is 0."""
    return reading(x, y).xlogy(x, y)


def xlog1py(x: Array, y: Array) -> Array:
    """x·log(1 + y), and 0 where x is 0."""
    return reading(x, y).xlog1py(x, y)


def ratio(x: Array, y: Array) -> Array:
    """x / y, and 0 where x is 0: the slope of `xlogy`."""
    return reading(x, y).ratio(x, y)
