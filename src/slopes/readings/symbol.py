"""The symbol reading: bodies as SymPy expressions.

A row is a symbol with index i; sums run over j.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import sympy as sp
from sympy.core.sympify import converter

from slopes.constants import Array, Constant

i, j, C = sp.symbols("i j C", integer=True)

converter[Constant] = lambda constant: sp.sympify(constant.text)  # by name, though it is a float

exp, log, sqrt, tanh, sinh, sin, cos = sp.exp, sp.log, sp.sqrt, sp.tanh, sp.sinh, sp.sin, sp.cos
erf, sign = sp.erf, sp.sign
absolute, minimum, maximum = sp.Abs, sp.Min, sp.Max
number = sp.sympify


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


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    return sp.sympify(a) * x + sp.sympify(b) * x**3, 0


def decay(x: Array, times: Array) -> Array:
    return times * sp.exp(x)


def product(x: Array, a: Array) -> tuple[Array, Array]:
    return a * x, 0


def quotient(x: Array, a: Array) -> tuple[Array, Array]:
    return x / a, 0


def sigmoid_less(x: Array, shift: Array) -> tuple[Array, Array]:
    return 1 / (1 + sp.exp(-x)) - shift, 0


def sigmoid_mixture(x: Array, share: Array) -> tuple[Array, Array]:
    return share / (1 + sp.exp(-x)) + (1 - share) / (1 + sp.exp(x)), 0


def snake(x: Array, a: Array) -> Array:
    return x + sp.sin(a * x) ** 2 / a


def snake_slope(x: Array, a: Array) -> Array:
    return 1 + sp.sin(2 * a * x)


def root_of_square(x: Array, b: Array) -> Array:
    return sp.sqrt(x**2 + b)


def expm1_less(x: Array) -> Array:
    return sp.exp(x) - 1 - x


def _unchanged(x: Array, *_: Array, like: Array = None) -> Array:
    return x


double = double_for = just_above = zero_dimensional = held = one_hot = _unchanged


def fma(x: Array, a: Array, c: Array) -> Array:
    return a * x + c


def softcap(x: Array, cap: Array) -> Array:
    return cap * sp.tanh(x / cap)


def mish(x: Array) -> Array:
    return x * sp.tanh(sp.log(1 + sp.exp(x)))


def mish_slope(x: Array) -> Array:
    argument = sp.Dummy()
    return sp.diff(mish(argument), argument).subs(argument, x)


def tanhshrink(x: Array) -> Array:
    return x - sp.tanh(x)


def ndtr(x: Array, times: Array) -> Array:
    return _one(times) * sp.Function("Phi")(x)


def normal_gate_slope(x: Array, times: Array) -> Array:
    return ndtr(x, times) + normal_pdf(x, times * x)


def normal_pdf(x: Array, times: Array) -> Array:
    return _one(times) * sp.Function("phi")(x)


class _Total(sp.Sum):  # type: ignore[misc]
    """A sum over the last axis, without indices."""

    def __getitem__(self, index: Any) -> Any:
        return self


def sum(x: Array) -> Array:
    return _Total(x.subs(i, j), (j, 1, C))


def sum_pairs(term: Callable[..., Array], *rows: Array) -> Array:
    others = [row.subs(i, j) for row in rows]
    return sp.Sum(term(*rows, *others), (j, 1, C), (i, 1, C))


def sum_others(values: Array, x: Array) -> Array:
    return sum(values) - values


def softmax(x: Array) -> Array:
    return sp.exp(x) / sum(sp.exp(x))


def softmax_complement(x: Array) -> Array:
    return 1 - softmax(x)


def log_softmax(x: Array) -> Array:
    return sp.log(softmax(x))


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


def expected_log(values: Array, target: Array) -> Array:
    return expected(sp.log(values), target)


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
    """A symbol for a number, to show its name."""
    if type(value) is Constant:
        return sp.sympify(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return sp.Symbol(name)


def scalar(name: str) -> Any:
    return sp.Symbol(name)


def row(name: str) -> Any:
    return sp.IndexedBase(name, shape=(C,))[i]


def tex(formula: Any) -> str:
    """TeX of an expression; a name with an underscore is a word, not an index."""
    words = {s: rf"\mathrm{{{s.name}}}".replace("_", r"\_") for s in formula.free_symbols if "_" in s.name}
    return str(sp.latex(formula, ln_notation=False, symbol_names=words))
