"""The symbol reading: bodies as SymPy expressions.

A row is a symbol with index i; sums run over j.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import sympy as sp
from sympy.core.sympify import converter

from slopes.constants import Array, Constant
from slopes.readings import tails, textbook

_this = sys.modules[__name__]

i, j, C = sp.symbols("i j C", integer=True)

converter[Constant] = lambda constant: sp.sympify(constant.text)  # by name, though it is a float

exp, log, sqrt, tanh, sinh, sin, cos = sp.exp, sp.log, sp.sqrt, sp.tanh, sp.sinh, sp.sin, sp.cos
erf, sign = sp.erf, sp.sign
absolute, minimum, maximum = sp.Abs, sp.Min, sp.Max
number = sp.sympify
rounding_of_difference = textbook.rounding_of_difference
double = double_for = just_above = zero_dimensional = stop_gradient = with_slope_of = one_hot = textbook.unchanged
product, quotient, fma, cubic = textbook.product, textbook.quotient, textbook.fma, textbook.cubic
decay, softcap, tanhshrink = (partial(form, _this) for form in (textbook.decay, textbook.softcap, textbook.tanhshrink))
sigmoid_less, sigmoid_mixture = partial(textbook.sigmoid_less, _this), partial(textbook.sigmoid_mixture, _this)
snake, snake_slope = partial(textbook.snake, _this), partial(textbook.snake_slope, _this)
lgamma_ratio, exp_parts = partial(textbook.lgamma_ratio, _this), partial(textbook.exp_parts, _this)
root_of_square, expm1_less = partial(textbook.root_of_square, _this), partial(textbook.expm1_less, _this)
softmax_complement, log_softmax = partial(textbook.softmax_complement, _this), partial(textbook.log_softmax, _this)
sum_others, expected_log = partial(textbook.sum_others, _this), partial(textbook.expected_log, _this)
softmax_pulled_closely = partial(textbook.softmax_pulled_closely, _this)
overlap_slopes = partial(textbook.overlap_slopes, _this)
mish, normal_gate_slope = partial(textbook.mish, _this), partial(tails.normal_gate_slope, _this)


def expm1(x: Array) -> Array:
    return sp.exp(x) - 1


def log1p(x: Array) -> Array:
    return sp.log(1 + x)


def where(condition: Array, a: Array, b: Array) -> Array:
    return sp.Piecewise((a, condition), (b, True))


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    return _one(times) / (1 + sp.exp(-(x + _zero(low))))


def sigmoid_slope(x: Array, times: Array, low: Array) -> Array:
    return sigmoid(x, times, low) * sigmoid(-x, 1.0, -_zero(low))


def gate_slope(x: Array, y: Array, times: Array, low: Array, y_low: Array) -> Array:
    return sigmoid(x, times, low) * (1 + (y + _zero(y_low)) * sigmoid(-x, 1.0, -_zero(low)))


def softplus(x: Array, beta: Array) -> Array:
    return sp.log(1 + sp.exp(_one(beta) * x)) / _one(beta)


def rational(x: Array, numerator: Any, denominator: Any, order: int) -> Array:
    above = sp.Add(*(a * x**power for power, a in enumerate(numerator)))
    below = sp.Add(1, *(sp.Abs(b * x**power) for power, b in enumerate(denominator, 1)))
    return sp.diff(above / below, x, order)


def lgamma(x: Array) -> Array:
    return sp.log(sp.gamma(x))


def mish_slope(x: Array) -> Array:
    argument = sp.Dummy()
    return sp.diff(mish(argument), argument).subs(argument, x)


def ndtr(x: Array, times: Array) -> Array:
    return _one(times) * sp.Function("Phi")(x)


def normal_pdf(x: Array, times: Array) -> Array:
    return _one(times) * sp.Function("phi")(x)


class _Total(sp.Sum):  # type: ignore[misc]
    """A sum over the last axis, without indices."""

    def __getitem__(self, index: Any) -> Any:
        return self if self.function.has(j) else C * self.function


def sum(x: Array) -> Array:
    return _Total(x.subs(i, j), (j, 1, C))


def levels(given: Array, like: Array) -> tuple[Array, Array]:
    """A row of given levels is an indexed symbol."""
    if given is None:
        return (2 * i - 1) / (2 * C), (2 * C - 2 * i + 1) / (2 * C)
    level = row("q") if isinstance(given, tuple) else given
    return level, 1 - level


def ranks(x: Array) -> tuple[Array, Array]:
    low = sp.Function("rank")(x) - sp.Rational(1, 2)
    return low, C - low


def sum_pairs(term: Callable[..., Array], *rows: Array) -> Array:
    others = [row.subs(i, j) for row in rows]
    return sp.Sum(term(*rows, *others), (j, 1, C), (i, 1, C))


def softmax(x: Array) -> Array:
    return sp.exp(x) / sum(sp.exp(x))


def above_simplex_threshold(x: Array) -> Array:
    return x - sp.Function("tau")(x.base if isinstance(x, sp.Indexed) else x)


def jaccard_steps(order: Array, target: Array, weight: Array) -> Array:
    return sp.Function("Delta_J")(order)


def top(x: Array) -> Array:
    return sp.Function("onehot")(x)


def entry(x: Array, place: int) -> Array:
    return x.subs(i, place)


def joined(a: Array, b: Array) -> Array:
    return sp.Function("joined")(a, b)


def inner(x: Array, y: Array) -> Array:
    """Similarity s of rows a and i."""
    return sp.IndexedBase("s")[sp.Symbol("a"), i]


def angle(y: Array, x: Array) -> Array:
    return sp.atan2(y, x)


def softmax_logit(x: Array) -> Array:
    return sp.log(softmax(x) / (1 - softmax(x)))


def expected(values: Array, target: Array) -> Array:
    return sp.Sum(target * values, (i, 1, C))


def xlogy(x: Array, y: Array) -> Array:
    return x * sp.log(y)


def xlog1py(x: Array, y: Array) -> Array:
    return x * sp.log(1 + y)


def ratio(x: Array, y: Array) -> Array:
    return x / y


def _one(times: Any) -> Any:
    return sp.Integer(1) if type(times) is float and times == 1.0 else times


def _zero(low: Any) -> Any:
    return sp.Integer(0) if type(low) is float and low == 0.0 else low


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """A symbol for a number, to show its name; of several numbers the initial, with their places."""
    if type(value) is Constant:
        return sp.sympify(value)
    if isinstance(value, tuple):
        return tuple(sp.Symbol(f"{name[0]}{place}") for place in range(len(value)))
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return sp.Symbol(name)


def scalar(name: str) -> Any:
    return sp.Symbol(name)


class _OfRow(sp.Symbol):  # type: ignore[misc]
    """One number for a row, which is no sequence for SymPy."""

    _iterable = False

    def __getitem__(self, index: Any) -> Any:
        return self


def of_row(name: str) -> Any:
    return _OfRow(name)


def row(name: str) -> Any:
    return sp.IndexedBase(name, shape=(C,))[i]


def tex(formula: Any) -> str:
    """TeX of an expression; a name with an underscore is a word, not an index."""
    words = {s: rf"\mathrm{{{s.name}}}".replace("_", r"\_") for s in formula.free_symbols if "_" in s.name}
    return str(sp.latex(formula, ln_notation=False, symbol_names=words))
