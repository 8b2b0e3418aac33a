"""The symbol reading: the same bodies as SymPy expressions, from which formulae are printed.

A row is a symbol with index i; sums over the last axis run over j.
"""

from __future__ import annotations

from typing import Any

import sympy as sp
from sympy.core.sympify import converter

from slopes.ops import Array, Constant

i, j, C = sp.symbols("i j C", integer=True)

converter[Constant] = lambda constant: sp.sympify(constant.text)  # a constant is a float, but prints as itself

exp, log, sqrt, tanh, sinh, erf, sign = sp.exp, sp.log, sp.sqrt, sp.tanh, sp.sinh, sp.erf, sp.sign
absolute, minimum, maximum = sp.Abs, sp.Min, sp.Max
number = sp.sympify


def expm1(x: Array) -> Array:
    """See `slopes.ops.expm1`."""
    return sp.exp(x) - 1


def log1p(x: Array) -> Array:
    """See `slopes.ops.log1p`."""
    return sp.log(1 + x)


def where(condition: Array, a: Array, b: Array) -> Array:
    """See `slopes.ops.where`."""
    return sp.Piecewise((a, condition), (b, True))


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    """See `slopes.ops.sigmoid`."""
    return _one(times) / (1 + sp.exp(-(x + _zero(low))))


def softplus(x: Array, beta: Array) -> Array:
    """See `slopes.ops.softplus`."""
    return sp.log(1 + sp.exp(_one(beta) * x)) / _one(beta)


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    """See `slopes.ops.cubic`."""
    return sp.sympify(a) * x + sp.sympify(b) * x**3, 0


def ndtr(x: Array, times: Array) -> Array:
    """See `slopes.ops.ndtr`."""
    return _one(times) * sp.Function("Phi")(x)


def normal_pdf(x: Array, times: Array) -> Array:
    """See `slopes.ops.normal_pdf`."""
    return _one(times) * sp.Function("phi")(x)


def sum(x: Array) -> Array:
    """See `slopes.ops.sum`."""
    return sp.Sum(x.subs(i, j), (j, 1, C))


def sum_others(values: Array, x: Array) -> Array:
    """See `slopes.ops.sum_others`."""
    return sum(values) - values


def softmax(x: Array) -> Array:
    """See `slopes.ops.softmax`."""
    return sp.exp(x) / sum(sp.exp(x))


def softmax_complement(x: Array) -> Array:
    """See `slopes.ops.softmax_complement`."""
    return 1 - softmax(x)


def log_softmax(x: Array) -> Array:
    """See `slopes.ops.log_softmax`."""
    return sp.log(softmax(x))


def expected(values: Array, target: Array) -> Array:
    """See `slopes.ops.expected`."""
    return sp.Sum(target * values, (i, 1, C))


def expected_log(values: Array, target: Array) -> Array:
    """See `slopes.ops.expected_log`."""
    return expected(sp.log(values), target)


def one_hot(target: Array, like: Array) -> Array:
    """See `slopes.ops.one_hot`."""
    return target


def xlogy(x: Array, y: Array) -> Array:
    """See `slopes.ops.xlogy`."""
    return x * sp.log(y)


def xlog1py(x: Array, y: Array) -> Array:
    """See `slopes.ops.xlog1py`."""
    return x * sp.log(1 + y)


def ratio(x: Array, y: Array) -> Array:
    """See `slopes.ops.ratio`."""
    return x / y


def _one(times: Any) -> Any:
    return sp.Integer(1) if type(times) is float and times == 1.0 else times


def _zero(low: Any) -> Any:
    return sp.Integer(0) if type(low) is float and low == 0.0 else low


def parameter(name: str, value: Any) -> Any:
    """A card's parameter as its body takes it: a symbol, lest its value leak into the formula."""
    if type(value) is Constant:
        return sp.sympify(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return value
    return sp.Symbol(name)


def scalar(name: str) -> Any:
    """A number's symbol."""
    return sp.Symbol(name)


def row(name: str) -> Any:
    """The symbol of a row's entry i."""
    return sp.IndexedBase(name)[i]


def tex(formula: Any) -> str:
    """The expression as TeX; a name with an underscore is a word, not an index."""
    words = {s: rf"\mathrm{{{s.name}}}".replace("_", r"\_") for s in formula.free_symbols if "_" in s.name}
    return str(sp.latex(formula, ln_notation=False, symbol_names=words))
