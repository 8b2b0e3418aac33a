"""The curvature reading: bounds of a body of rows of any length, and whether it is convex, by its form alone.

A `Form` stands for each entry of a row, or for one number of a row. It has bounds for all arguments, and its curvature
as a function of the prediction by the rules of disciplined convex programming (Grant, Boyd, Ye, 2006): a rising convex
function of a convex form is convex, and so is a sum of such with weights of at least 0. Forms that are computed alike
have the same place, so that x − x is 0 and exp(x) / sum(exp(x)) a share. Bounds have the exact ends of the interval
reading. Forms that keep a polynomial take the sign that all its terms have.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial, reduce
from itertools import count
from itertools import product as product_of_lists
from typing import Any, NoReturn

from flint import arb, fmpq

from slopes.constants import Array, Constant
from slopes.readings import interval, textbook
from slopes.readings.interval import ONE, WHOLE, ZERO, Bounds, Jet, Truth, greatest, least, round_down, round_up

_this = sys.modules[__name__]

CONVEX, CONCAVE, CONSTANT = 1, 2, 4  #: bits of `Form.curvature`
AFFINE, FIXED = CONVEX | CONCAVE, CONVEX | CONCAVE | CONSTANT
RISING, FALLING = 1, -1
UNIT, NONNEGATIVE = Bounds(arb(0), arb(1)), Bounds(arb(0), arb.pos_inf())

_places: dict[tuple[Any, ...], int] = {}
_numbers = count()
MANY_PLACES = 2**14


class CurvatureError(Exception):
    """A body has operations without known bounds."""


def __getattr__(name: str) -> NoReturn:
    if name.startswith("_"):
        raise AttributeError(name)
    raise CurvatureError(f"it uses slopes.ops.{name}, whose bounds are not known for rows of any length")


class Form(textbook.Algebra):
    """An expression of rows: bounds, curvature, and facts that other rules need."""

    __slots__ = (
        "bounds", "curvature", "factors", "form", "is_label", "is_nonzero", "is_row", "logarithm", "place", "quotient",
        "source", "terms", "total",
    )  # fmt: skip
    __hash__ = None
    error = CurvatureError

    def __init__(
        self, bounds: Bounds, curvature: int, form: tuple[Any, ...] = (), *, is_row: bool = True,
        is_nonzero: bool = False, total: Bounds | None = None, logarithm: Form | None = None,
        source: tuple[Any, ...] = (), is_label: bool = False,
    ) -> None:  # fmt: skip
        self.bounds, self.curvature, self.form = bounds, curvature, form
        number = next(_numbers)
        self.place = _places.setdefault(form, number) if form else number
        self.is_row, self.is_label = is_row, is_label
        self.is_nonzero = is_nonzero or bool(bounds.low > 0) or bool(bounds.high < 0)
        self.total = total  #: bounds of the sum of a row's entries
        self.logarithm = logarithm  #: its form, where another one than the logarithm of this form is known
        self.source = source  #: a word, and the form that it was made from
        self.factors: dict[int, tuple[Form, int]] = {self.place: (self, 1)}  #: forms of at least 0, and their powers
        self.quotient: dict[int, tuple[Form, int]] = {}  #: the factors of the number whose logarithm it is
        self.terms: Terms | None = None  #: its polynomial, if one is kept

    def __repr__(self) -> str:
        return f"Form({self.bounds}, curvature={self.curvature}, {self.form})"

    @property
    def shape(self) -> tuple[Any, ...]:  # type: ignore[override]
        """A row's length, a number of at least 1."""
        return (Form(Bounds(arb(1), arb.pos_inf()), FIXED, ("length",), is_row=False),)

    @property
    def ndim(self) -> int:
        return 1 if self.is_label else 2

    @property
    def mT(self) -> Form:
        return Form(self.bounds, self.curvature, ("transposed", self.place), is_nonzero=self.is_nonzero)

    @property
    def is_nonnegative(self) -> bool:
        return bool(self.bounds.low >= 0)

    def of(self, x: Any) -> Form:
        return form(x)

    def __getitem__(self, key: Any) -> Form:  # type: ignore[override]
        """A row's entry, part or view; a single number stays."""
        if not self.is_row:
            return self
        is_entry = isinstance(key, tuple) and isinstance(key[-1], int)
        made = "part", repr(key), self.place
        return Form(self.bounds, self.curvature, made, is_row=not is_entry, is_nonzero=self.is_nonzero)

    def __neg__(self) -> Form:
        made = Form(
            -self.bounds, _negated(self.curvature), ("-", self.place), is_row=self.is_row, is_nonzero=self.is_nonzero,
            total=None if self.total is None else -self.total,
        )  # fmt: skip
        return _with_terms(made, self.terms and {powers: -factor for powers, factor in self.terms.items()})

    def __abs__(self) -> Any:
        return absolute(self)

    def __add__(self, other: Any) -> Form:
        other = form(other)
        if self.bounds.rational == 0 or other.bounds.rational == 0:
            return other if self.bounds.rational == 0 else self
        if other.form == ("-", self.place) or self.form == ("-", other.place):
            return NOTHING
        totals = [x.total for x in (self, other)]
        made = Form(
            self.bounds + other.bounds, self.curvature & other.curvature, ("+", *sorted((self.place, other.place))),
            is_row=self.is_row or other.is_row,
            is_nonzero=self.is_nonnegative and other.is_nonnegative and (self.is_nonzero or other.is_nonzero),
            total=totals[0] + totals[1] if totals[0] is not None and totals[1] is not None else None,
        )  # fmt: skip
        return _with_terms(made, _sum_of_terms(self, other))

    def __mul__(self, other: Any) -> Form:
        other = form(other)
        for one, by in ((self, other), (other, self)):
            if by.bounds.rational is not None and by.bounds.rational in (0, 1):
                return one if by.bounds.rational == 1 else NOTHING
        is_square = self.place == other.place
        made = Form(
            self.bounds.power(2) if is_square else self.bounds * other.bounds,
            _curvature_of_square(self) if is_square else _curvature_of_product(self, other),
            ("*", *sorted((self.place, other.place))), is_row=self.is_row or other.is_row,
            is_nonzero=self.is_nonzero and other.is_nonzero, total=_total_of_product(self, other),
        )  # fmt: skip
        made.factors = _merged(made, self, other, 1)
        return _with_terms(made, _product_of_terms(self, other, 1))

    __radd__, __rmul__ = __add__, __mul__

    def __truediv__(self, other: Any) -> Any:
        other = form(other)
        if not other.is_nonzero:
            raise CurvatureError("it divides by a number that may be 0")
        return _divided(self, other)

    def __pow__(self, power: Any) -> Any:
        return _power(self, form(power))

    def __rpow__(self, base: Any) -> Any:
        return exp(self * log(form(base)))

    def __lt__(self, other: Any) -> Choice:
        return _compared(self, form(other), -1, is_strict=True)

    def __le__(self, other: Any) -> Choice:
        return _compared(self, form(other), -1, is_strict=False)

    def __gt__(self, other: Any) -> Choice:
        return _compared(self, form(other), 1, is_strict=True)

    def __ge__(self, other: Any) -> Choice:
        return _compared(self, form(other), 1, is_strict=False)

    def __and__(self, other: Any) -> Choice:
        return _choice(self) & _choice(other)

    def __or__(self, other: Any) -> Choice:
        return _choice(self) | _choice(other)

    def __invert__(self) -> Choice:
        return ~_choice(self)

    def __eq__(self, other: Any) -> Any:
        other = form(other)
        a, b = self.bounds, other.bounds
        is_same = self.place == other.place or (a.is_point() and b.is_point() and bool(a.low == b.low))
        is_apart = a.is_below(b) or b.is_below(a) or (b.rational == 0 and self.is_nonzero)
        return Choice(not is_apart, is_same, _varies(self, other), self, other)


def forget_places() -> None:
    """Forget which forms are alike, if there are many; a place is never given again, so forms only seem to differ."""
    if len(_places) > MANY_PLACES:
        _places.clear()


def form(x: Any) -> Form:
    """Return a constant; floats mean their binary value."""
    if isinstance(x, Form):
        return x
    bounds = interval.jet(x).value
    text = x.text if type(x) is Constant else str(x if bounds.rational is None else bounds.rational)
    return Form(bounds, FIXED, ("constant", text), is_row=False)


def variable(
    name: str, low: float, high: float, curvature: int = FIXED, *, is_row: bool = True, sums_to_one: bool = False,
    is_hard: bool = False, is_nonzero: bool = False,
) -> Form:  # fmt: skip
    """Return an argument of a body; `is_hard` ones have the numbers 0 and 1 alone."""
    return Form(
        Bounds(arb(low), arb(high)), curvature, ("variable", name, low, high), is_row=is_row, is_nonzero=is_nonzero,
        total=ONE if sums_to_one else None, source=("hard",) if is_hard else (),
    )  # fmt: skip


def label(name: str) -> Form:
    """Return integer labels."""
    return Form(NONNEGATIVE, FIXED, ("label", name), is_row=False, is_label=True)


# ---------------------------------------------------------------------------------------- arithmetic


def _negated(curvature: int) -> int:
    swapped = CONCAVE * bool(curvature & CONVEX) | CONVEX * bool(curvature & CONCAVE)
    return curvature & CONSTANT | swapped


def _scaled_curvature(x: Form, by: Form) -> int:
    if by.bounds.low >= 0:
        return x.curvature
    if by.bounds.high <= 0:
        return _negated(x.curvature)
    return x.curvature if x.curvature & AFFINE == AFFINE else 0


def _curvature_of_product(a: Form, b: Form) -> int:
    if b.curvature & CONSTANT:
        return _scaled_curvature(a, b)
    return _scaled_curvature(b, a) if a.curvature & CONSTANT else 0


def _curvature_of_square(x: Form) -> int:
    if x.curvature & AFFINE == AFFINE:
        return FIXED if x.curvature & CONSTANT else CONVEX
    is_away = (x.curvature & CONVEX and x.bounds.low >= 0) or (x.curvature & CONCAVE and x.bounds.high <= 0)
    return CONVEX if is_away else 0


def _total_of_product(a: Form, b: Form) -> Bounds | None:
    """The sum of a row times one number: that number times the sum, if entries have one sign or it is exact."""
    for row, by in ((a, b), (b, a)):
        if row.total is not None and not by.is_row and (row.is_nonnegative or by.bounds.rational is not None):
            return row.total * by.bounds
    return None


def _merged(made: Form, a: Form, b: Form, sign: int) -> dict[int, tuple[Form, int]]:
    """The factors of a product or quotient of numbers of at least 0."""
    if not (a.is_nonnegative and b.is_nonnegative):
        return made.factors
    merged = dict(a.factors)
    for place, (factor, power) in b.factors.items():
        merged[place] = factor, merged.get(place, (factor, 0))[1] + sign * power
    return {place: pair for place, pair in merged.items() if pair[1]}


def _divided(part: Form, whole: Form) -> Any:
    if whole.source[:1] == ("sum",) and whole.source[1].place == part.place and part.is_nonnegative:
        return _share(part, whole)
    inverse = whole.bounds.inverse()
    curvature = _scaled_curvature(part, whole) if whole.curvature & CONSTANT else 0
    if part.curvature & CONSTANT and not whole.curvature & CONSTANT:
        inverted = CONVEX if whole.is_nonnegative and whole.curvature & CONCAVE else 0
        curvature = inverted if part.is_nonnegative else _negated(inverted) if part.bounds.high <= 0 else 0
    total = None
    if part.total is not None and not whole.is_row and (part.is_nonnegative or inverse.rational is not None):
        total = part.total * inverse
    made = Form(
        part.bounds * inverse, curvature, ("/", part.place, whole.place), is_row=part.is_row or whole.is_row,
        is_nonzero=part.is_nonzero, total=total,
    )  # fmt: skip
    made.factors = _merged(made, part, whole, -1)
    return _with_terms(made, _product_of_terms(part, whole, -1))


def _share(part: Form, whole: Form) -> Form:
    """The share of each entry of at least 0 in the sum of its row."""
    return Form(
        UNIT, FIXED if part.curvature & CONSTANT else 0, ("share", part.place), total=ONE, is_nonzero=part.is_nonzero,
        logarithm=None if part.logarithm is None or whole.logarithm is None else part.logarithm - whole.logarithm,
    )  # fmt: skip


def _power(x: Form, power: Form) -> Any:
    exponent = power.bounds.rational
    if exponent is None:
        if not power.curvature & CONSTANT or not power.is_nonnegative:
            raise CurvatureError("it has a power that is not known")
        _check_from(x, 0, "a power")
        return _with(x, NONNEGATIVE, FIXED if x.curvature & CONSTANT else 0, ("power", x.place, power.place))
    if exponent == 0:
        return form(1)
    if exponent < 0:
        return 1 / _power(x, form_of_rational(-exponent))
    if exponent == 1:
        return x
    if exponent == 2:
        return x * x
    if exponent.q == 1:
        n, is_even = int(exponent.p), int(exponent.p) % 2 == 0
        bounds = x.bounds.power(n)
        is_convex = (x.is_nonnegative and x.curvature & CONVEX) or (is_even and x.curvature & AFFINE == AFFINE)
        curvature = CONVEX if is_convex else 0
    else:
        _check_from(x, 0, "a power")
        ends = [_raised(end, exponent) for end in (x.bounds.low, x.bounds.high)]
        bounds = Bounds(greatest([arb(0), round_down(ends[0])]), round_up(ends[1]))
        curvature = x.curvature & (CONVEX if exponent > 1 else CONCAVE)
    return _with(x, bounds, FIXED if x.curvature & CONSTANT else curvature, ("power", x.place, str(exponent)))


def _raised(end: Any, exponent: Any) -> Any:
    return end if end == 0 or end == arb.pos_inf() else end ** arb(exponent)


def form_of_rational(exponent: Any) -> Form:
    """Return a rational number as a constant."""
    return Form(interval.point(exponent), FIXED, ("constant", str(exponent)), is_row=False)


def _with(x: Form, bounds: Bounds, curvature: int, made: tuple[Any, ...]) -> Form:
    """A function of x that is 0 only where x is."""
    return Form(bounds, curvature, made, is_row=x.is_row, is_nonzero=x.is_nonzero)


def _check_from(x: Form, least_value: int, function: str) -> None:
    if not x.bounds.low >= least_value:
        raise CurvatureError(f"it takes {function} of a number that may be below {least_value}")


# ---------------------------------------------------------------------------------------- polynomials

Powers = tuple[tuple[int, int, bool], ...]  #: places, their powers, and whether the form there is at least 0
Terms = dict[Powers, Any]  #: rational factors of products of powers


def with_terms(x: Form) -> Form:
    """Return x as a form whose polynomials are kept, so that a difference shows its sign where its factors have one."""
    x.terms = _terms(x)
    return x


def _terms(x: Form) -> Terms:
    if x.terms is not None:
        return x.terms
    if x.bounds.rational is not None:
        return {(): x.bounds.rational}
    return {((x.place, 1, x.is_nonnegative),): fmpq(1)}


def _with_terms(made: Form, terms: Terms | None) -> Form:
    """The form, with the sign that all its terms have."""
    if terms is None:
        return made
    if not terms:
        return NOTHING
    made.terms, bounds = terms, made.bounds
    if all(is_from_0 or power % 2 == 0 for powers in terms for _, power, is_from_0 in powers):
        if all(factor > 0 for factor in terms.values()):
            made.bounds = Bounds(greatest([arb(0), bounds.low]), bounds.high, bounds.open)
        elif all(factor < 0 for factor in terms.values()):
            made.bounds = Bounds(bounds.low, least([arb(0), bounds.high]), bounds.open)
    return made


def _sum_of_terms(a: Form, b: Form) -> Terms | None:
    if a.terms is None and b.terms is None:
        return None
    made = dict(_terms(a))
    for powers, factor in _terms(b).items():
        made[powers] = made.get(powers, 0) + factor
    return {powers: factor for powers, factor in made.items() if factor != 0}


def _product_of_terms(a: Form, b: Form, sign: int) -> Terms | None:
    """Those of a·b, or of a / b if the sign is −1 and b has one term."""
    if (a.terms is None and b.terms is None) or (sign < 0 and len(_terms(b)) != 1):
        return None
    made: Terms = {}
    for (one, own), (other, by) in product_of_lists(_terms(a).items(), _terms(b).items()):
        merged = {place: (power, is_from_0) for place, power, is_from_0 in one}
        for place, power, is_from_0 in other:
            merged[place] = merged.get(place, (0, is_from_0))[0] + sign * power, is_from_0
        powers = tuple(sorted((place, *rest) for place, rest in merged.items() if rest[0]))
        made[powers] = made.get(powers, 0) + (own * by if sign > 0 else own / by)
    return {powers: factor for powers, factor in made.items() if factor != 0}


# ---------------------------------------------------------------------------------------- comparisons


class Choice(Truth):
    """A comparison of two forms; `sense` is −1 for less, 1 for more, 0 for equal or for several comparisons."""

    __slots__ = ("left", "right", "sense")

    def __init__(
        self, may: bool, must: bool, varies: bool = True, left: Any = None, right: Any = None, sense: int = 0
    ) -> None:
        super().__init__(may, must, varies)
        self.left, self.right, self.sense = left, right, sense

    def __getitem__(self, key: Any) -> Choice:
        return Choice(self.may, self.must, self.varies)


def _varies(a: Form, b: Form) -> bool:
    return not (a.curvature & b.curvature & CONSTANT)


def _compared(left: Form, right: Form, sense: int, is_strict: bool) -> Choice:
    a, b = (left.bounds, right.bounds) if sense < 0 else (right.bounds, left.bounds)
    if left.place == right.place:
        return Choice(not is_strict, not is_strict, False)
    must, may = (a.is_below(b), not b.is_at_most(a)) if is_strict else (a.is_at_most(b), not b.is_below(a))
    return Choice(may, must, _varies(left, right), left, right, sense)


def where(condition: Array, a: Array, b: Array) -> Any:
    """A hull; the larger or smaller of two, a row's largest entry and a number other than 0 are known by their form."""
    condition, a, b = _choice(condition), form(a), form(b)
    if condition.must or not condition.may:
        return a if condition.must else b
    left, right = condition.left, condition.right
    is_nonzero = a.is_nonzero and b.is_nonzero
    if left is not None:
        places = a.place, b.place
        if condition.sense and set(places) == {left.place, right.place}:
            is_smaller = (places[0] == left.place) == (condition.sense < 0)
            return minimum(left, right) if is_smaller else maximum(left, right)
        if _is_top(left, right, condition.sense) and left.source[1].place == a.place and b.bounds.rational == 0:
            return Form(a.bounds.hull(ZERO), 0, ("largest alone", a.place), source=("largest", a))
        if condition.sense == 0 and right.bounds.rational == 0 and _is_power_of(left, b):
            is_nonzero = a.is_nonzero
    is_row = a.is_row or b.is_row or condition.left is None or left.is_row or right.is_row
    curvature = (a.curvature & b.curvature) if not condition.varies else 0
    return Form(a.bounds.hull(b.bounds), curvature, is_row=is_row, is_nonzero=is_nonzero)


def _is_power_of(x: Form, base: Form) -> bool:
    """Whether x is 0 only where the base is, as its power."""
    is_power = x.form[:2] == ("power", base.place) and isinstance(x.form[2], str)  # a known one, above 0
    return x.place == base.place or is_power


def _choice(condition: Any) -> Choice:
    if isinstance(condition, Choice):
        return condition
    if isinstance(condition, Form):
        return Choice(True, False, not condition.curvature & CONSTANT)
    return Choice(bool(condition), bool(condition), False)


def _is_top(left: Form, right: Form, sense: int) -> bool:
    """Whether a comparison holds at a row's largest entry alone: top(x) == 1 or top(x) > 0."""
    return left.source[:1] == ("top",) and right.bounds.rational == (1 if sense == 0 else 0) and sense >= 0


def maximum(a: Array, b: Array) -> Any:
    a, b = form(a), form(b)
    if a.bounds.low >= b.bounds.high or a.place == b.place:
        return a
    if b.bounds.low >= a.bounds.high:
        return b
    if a.terms is not None and b.terms is not None:
        difference = a - b
        if difference.bounds.low >= 0 or difference.bounds.high <= 0:
            return a if difference.bounds.low >= 0 else b
    both = a.curvature & b.curvature
    return Form(
        Bounds(greatest([a.bounds.low, b.bounds.low]), greatest([a.bounds.high, b.bounds.high])),
        both if both & CONSTANT else both & CONVEX, ("maximum", *sorted((a.place, b.place))),
        is_row=a.is_row or b.is_row,
    )  # fmt: skip


def minimum(a: Array, b: Array) -> Any:
    return -maximum(-form(a), -form(b))


def absolute(x: Array) -> Any:
    x = form(x)
    if x.is_nonnegative:
        return x
    return _with(x, x.bounds.absolute(), _curvature_of_square(x), ("absolute", x.place))


def isnan(x: Array) -> Choice:
    return Choice(False, False)


# ------------------------------------------------------------------------------- element-wise functions


def _composed(x: Form, curvature: int, direction: int) -> int:
    """The curvature of a function with this curvature that rises or falls."""
    if x.curvature & AFFINE == AFFINE:
        return FIXED if x.curvature & CONSTANT else curvature
    inner = x.curvature if direction == RISING else _negated(x.curvature) if direction == FALLING else 0
    return curvature & inner & AFFINE


def _elementwise(name: str, curvature: int = 0, direction: int = 0, least_value: int | None = None) -> Any:
    """A function with the bounds of the interval reading."""
    function = getattr(interval, name)

    def apply(x: Array, *others: Array) -> Form:
        x, rest = form(x), [form(other) for other in others]
        if least_value is not None:
            _check_from(x, least_value, f"slopes.ops.{name}")
        bounds = interval.jet(function(Jet(x.bounds), *(Jet(other.bounds) for other in rest))).value
        is_known = all(other.curvature & CONSTANT and other.is_nonnegative for other in rest)
        is_fixed = all(each.curvature & CONSTANT for each in (x, *rest))
        made = FIXED if is_fixed else _composed(x, curvature, direction) if is_known else 0
        return Form(
            bounds, made, (name, x.place, *(other.place for other in rest)),
            is_row=x.is_row or any(other.is_row for other in rest), is_nonzero=name == "sqrt" and x.is_nonzero,
        )  # fmt: skip

    return apply


_exponential = _elementwise("exp", CONVEX, RISING)
expm1, expm1_less = _elementwise("expm1", CONVEX, RISING), _elementwise("expm1_less", CONVEX)
_logarithm = _elementwise("log", CONCAVE, RISING, 0)
log1p, sqrt = _elementwise("log1p", CONCAVE, RISING, -1), _elementwise("sqrt", CONCAVE, RISING, 0)
softplus, root_of_square = _elementwise("softplus", CONVEX, RISING), _elementwise("root_of_square", CONVEX)
lgamma_ratio = _elementwise("lgamma_ratio", CONVEX)
tanh, sinh, tanhshrink, erf = (_elementwise(name) for name in ("tanh", "sinh", "tanhshrink", "erf"))
sin, cos, sign, snake, softcap = (_elementwise(name) for name in ("sin", "cos", "sign", "snake", "softcap"))
sigmoid, sigmoid_slope, gate_slope = (_elementwise(name) for name in ("sigmoid", "sigmoid_slope", "gate_slope"))
ndtr, normal_pdf, normal_gate_slope = (_elementwise(name) for name in ("ndtr", "normal_pdf", "normal_gate_slope"))
mish_slope = _elementwise("mish_slope")


def exp(x: Array) -> Any:
    x, made = form(x), _exponential(x)
    made.logarithm, made.is_nonzero = x, True
    return made


def log(x: Array) -> Any:
    """The sum of the logarithms of its factors, where there are several."""
    x = form(x)
    if x.logarithm is not None:
        return x.logarithm
    _check_from(x, 0, "the logarithm")
    if len(x.factors) < 2:
        return _logarithm(x)
    terms = [log(factor) * power for factor, power in x.factors.values()]
    made = terms[0]
    for term in terms[1:]:
        made = made + term
    made.quotient = x.factors
    return made


def xlogy(x: Array, y: Array) -> Any:
    return where(form(x) == 0, 0, form(x) * log(y))


def xlog1py(x: Array, y: Array) -> Any:
    return where(form(x) == 0, 0, form(x) * log1p(y))


def ratio(x: Array, y: Array) -> Any:
    """x / y, and 0 where x is 0."""
    return where(form(x) == 0, 0, _divided(form(x), form(y)))


def angle(y: Array, x: Array) -> Form:
    y, x = form(y), form(x)
    half_turn = interval.around(arb.pi())
    bounds = Bounds(-half_turn.high, half_turn.high)
    return Form(bounds, FIXED & y.curvature & x.curvature if not _varies(y, x) else 0, is_row=y.is_row or x.is_row)


# --------------------------------------------------------------------------------------------- rows


def sum(x: Array) -> Any:
    x = form(x)
    if x.source[:1] == ("largest",):
        return _largest(x.source[1])
    low = arb(0) if x.is_nonnegative else arb.neg_inf()
    high = arb(0) if x.bounds.high <= 0 else arb.pos_inf()
    bounds = Bounds(low, high) if x.total is None else x.total
    if bounds.rational is not None:
        return form_of_rational(bounds.rational)
    logarithm = None
    if x.logarithm is not None:  # it is the greatest entry's or more
        convex = x.logarithm.curvature & (CONVEX | CONSTANT)
        logarithm = Form(
            Bounds(x.logarithm.bounds.low, arb.pos_inf()), FIXED if convex & CONSTANT else convex, ("sum", x.place, 0),
            is_row=False,
        )  # fmt: skip
    return Form(
        bounds, x.curvature, ("sum", x.place), is_row=False, is_nonzero=x.is_nonnegative and x.is_nonzero,
        logarithm=logarithm, source=("sum", x),
    )  # fmt: skip


def _largest(x: Form) -> Form:
    curvature = FIXED if x.curvature & CONSTANT else x.curvature & CONVEX
    return Form(x.bounds, curvature, ("largest", x.place), is_row=False)


def expected(values: Array, target: Array) -> Any:
    """The sum of products, within the bounds of the values if the target's entries are at least 0 and sum to 1.

    It is at least 0 for log(y/q) with the target y and a q that sums to no more, by Gibbs' inequality. Steps of a
    Jaccard index with the values that order them make a Lovász extension, which is convex in these (Berman et al.,
    2018).
    """
    values, target = form(values), one_hot(form(target), values)
    if target.source[:1] == ("top",) and target.source[1].place == values.place:
        return _largest(values)
    product = values * target
    bounds, curvature = sum(_plain(product)).bounds, product.curvature
    if target.is_nonnegative and target.total is not None and target.total.rational is not None:
        bounds = values.bounds * target.total
        if _is_divergence(values, target, target.total):
            bounds = Bounds(greatest([arb(0), bounds.low]), greatest([arb(0), bounds.high]))
    if target.source[:1] == ("steps",) and _is_ordered_by(values, *target.source[1:]):
        curvature = values.curvature & CONVEX
    return Form(bounds, curvature, ("expected", values.place, target.place), is_row=False)


def _plain(x: Form) -> Form:
    """The form without facts that its sum would know."""
    return Form(x.bounds, x.curvature, is_row=x.is_row)


def _is_divergence(values: Form, target: Form, total: Bounds) -> bool:
    rest = dict(values.quotient)
    _, power = rest.pop(target.place, (None, 0))
    if power != 1:
        return False
    pairs = sorted(rest.values(), key=lambda pair: pair[1])
    if [power for _, power in pairs] == [-1]:
        q = pairs[0][0]
        return q.total is not None and q.is_nonnegative and bool(q.total.high <= total.low)
    if [power for _, power in pairs] != [-1, 1]:
        return False
    (part, _), (whole, _) = pairs  # y·sum(q) / q
    return whole.source[:1] == ("sum",) and whole.source[1].place == part.place and bool(total.low >= 1)


def _is_ordered_by(values: Form, order: Form, is_hard: bool) -> bool:
    above_zero = ("maximum", *sorted((order.place, form(0).place)))
    return is_hard and (values.place == order.place or values.form == above_zero)


def expected_log(values: Array, target: Array) -> Any:
    return expected(log(values), target)


def one_hot(target: Array, like: Array) -> Any:
    target = form(target)
    if not target.is_label:
        return target
    return Form(UNIT, FIXED, ("one-hot", target.place), total=ONE, source=("hard",))


def arange(length: Any, like: Array) -> Form:
    return label("each")


def softmax(x: Array) -> Form:
    x = form(x)
    curvature = FIXED if x.curvature & CONSTANT else 0
    return Form(UNIT, curvature, ("softmax", x.place), total=ONE, is_nonzero=True, logarithm=log_softmax(x))


def log_softmax(x: Array) -> Form:
    x = form(x)
    return Form(Bounds(arb.neg_inf(), arb(0)), _composed(x, CONCAVE, 0), ("log_softmax", x.place))


def softmax_complement(x: Array) -> Form:
    x = form(x)
    return Form(UNIT, FIXED if x.curvature & CONSTANT else 0, ("softmax_complement", x.place))


def softmax_logit(x: Array) -> Form:
    x = form(x)
    return Form(WHOLE, _composed(x, CONCAVE, 0), ("softmax_logit", x.place))


def top(x: Array) -> Form:
    x = form(x)
    curvature = FIXED if x.curvature & CONSTANT else 0
    return Form(UNIT, curvature, ("top", x.place), total=ONE, source=("top", x))


def above_simplex_threshold(x: Array) -> Form:
    """Entries above it sum to 1."""
    x = form(x)
    curvature = FIXED if x.curvature & CONSTANT else 0
    return Form(Bounds(arb.neg_inf(), arb(1)), curvature, ("above_simplex_threshold", x.place))


def jaccard_steps(order: Array, target: Array, weight: Array) -> Form:
    """Each step is at least 0, and they sum to at most 1."""
    order, target = form(order), form(target)
    curvature = FIXED if order.curvature & target.curvature & form(weight).curvature & CONSTANT else 0
    return Form(UNIT, curvature, total=UNIT, source=("steps", order, target.source[:1] == ("hard",)))


def sum_pairs(term: Callable[..., Array], *rows: Array) -> Any:
    entries = [form(row) for row in rows]
    others = [Form(x.bounds, x.curvature, ("other", x.place), is_nonzero=x.is_nonzero) for x in entries]
    return sum(_plain(form(term(*entries, *others))))


def levels(given: Array, like: Array) -> tuple[Form, Form]:
    """Levels by the place in a row are known by their bounds."""
    if given is not None and not isinstance(given, tuple):
        return form(given), 1 - form(given)
    bounds = reduce(Bounds.hull, (form(each).bounds for each in given)) if given else UNIT
    return Form(bounds, FIXED, ("levels", given)), Form(ONE + -bounds, FIXED, ("1 - levels", given))


def ranks(x: Array) -> tuple[Form, Form]:
    x = form(x)
    curvature = FIXED if x.curvature & CONSTANT else 0
    return Form(NONNEGATIVE, curvature, ("rank", x.place)), Form(NONNEGATIVE, curvature, ("rank of -", x.place))


def inner(x: Array, y: Array) -> Form:
    return Form(WHOLE, 0)


def entry(x: Array, place: int) -> Form:
    return form(x)[..., place]


def joined(a: Array, b: Array) -> Form:
    a, b = form(a), form(b)
    return Form(a.bounds.hull(b.bounds), a.curvature & b.curvature, ("joined", a.place, b.place))


enter, quiet, differentiable, narrow, result_dtype = textbook.CALL
zero_dimensional = double = double_for = just_above = stop_gradient = with_slope_of = widen = textbook.unchanged
wants_gradient, product, quotient, fma = textbook.wants_no_gradient, textbook.product, textbook.quotient, textbook.fma
rounding_of_difference = textbook.rounding_of_difference
cubic, decay, mish = textbook.cubic, partial(textbook.decay, _this), partial(textbook.mish, _this)
snake_slope, sum_others = partial(textbook.snake_slope, _this), partial(textbook.sum_others, _this)
sigmoid_less, sigmoid_mixture = partial(textbook.sigmoid_less, _this), partial(textbook.sigmoid_mixture, _this)
parameter = partial(textbook.number_or_choice, lambda value, like: form(value), TypeError)
NOTHING = form(0)


exp_parts = partial(textbook.exp_parts, _this)
