"""The trace: bodies recorded as straight-line programs, for kernels.

A `Traced` value stands for an array: its operators, and the primitives below, append a line to a program. Others,
such as a branch on a value, raise TraceError; an `if` on a parameter runs while tracing.

A float32 program computes in float32, except where a body or a primitive asks for `double`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial, partialmethod
from typing import Any, NoReturn

import numpy as np

from slopes.constants import Array, Constant
from slopes.readings import tails, textbook
from slopes.readings.program import Line, Program

_this = sys.modules[__name__]


class TraceError(Exception):
    """A body cannot be recorded as a program."""


LACKING = (
    "above_simplex_threshold",
    "angle",
    "inner",
    "jaccard_steps",
    "joined",
    "lgamma",
    "softmax_pulled_closely",
    "sum_pairs",
)


def __getattr__(name: str) -> NoReturn:
    if name in LACKING:
        raise TraceError(f"it uses slopes.ops.{name}, which programs do not have")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Recorder:
    def __init__(self, dtype: str, has_rows: bool = False) -> None:
        self.dtype, self.has_rows = dtype, has_rows
        self.lines: list[Line] = []
        self._places: dict[Line, int] = {}

    def record(
        self, operation: str, *arguments: int, dtype: str, text: str = "", per: str = "", is_flat: bool = False
    ) -> Traced:
        """Value of a line, appended unless an equal one exists."""
        if operation in ("add", "multiply", "equal", "not_equal", "and", "or"):
            arguments = tuple(sorted(arguments))
        found = {self.lines[place].per for place in arguments}
        per = per or ("entry" if "entry" in found else "row" if "row" in found else "call")
        line = Line(operation, arguments, dtype, text, per)
        if line not in self._places:
            self._places[line] = len(self.lines)
            self.lines.append(line)
        return Traced(self, self._places[line], dtype, is_flat)

    def value(self, x: Any, dtype: str) -> Traced:
        """A number or traced value in the dtype."""
        if not isinstance(x, Traced):
            return self.record("constant", dtype=dtype, text=repr(_number(x)))
        if x.dtype == dtype:
            return x
        if x.dtype == "bool":
            return self.select(x, self.value(1.0, dtype), self.value(0.0, dtype))
        return self.record(dtype, x.place, dtype=dtype, is_flat=x.is_flat)

    def compute(self, operation: str, *arguments: Any, result: str = "") -> Traced:
        dtype = self.common_dtype(*arguments)
        values = [self.value(x, dtype) for x in arguments]
        places = [value.place for value in values]
        return self.record(operation, *places, dtype=result or dtype, is_flat=self.common_form(*arguments))

    def select(self, condition: Traced, a: Any, b: Any) -> Traced:
        dtype = self.common_dtype(a, b)
        if all(isinstance(x, Traced) and x.dtype == "bool" for x in (a, b)):
            chosen: Traced = (condition & a) | (~condition & b)
            return chosen
        first, second = self.value(a, dtype), self.value(b, dtype)
        is_flat = self.common_form(condition, a, b)
        if first.place == second.place:
            return first
        return self.record("where", condition.place, first.place, second.place, dtype=dtype, is_flat=is_flat)

    def common_dtype(self, *arguments: Any) -> str:
        wide = any(isinstance(x, Traced) and x.dtype == "float64" for x in arguments)
        return "float64" if wide else self.dtype

    def common_form(self, *arguments: Any) -> bool:
        """Whether values per row lack the last axis; raise TraceError if only some do."""
        found = {x.is_flat for x in arguments if isinstance(x, Traced) and x.per != "call"}
        if len(found) > 1:
            raise TraceError("it computes with values of rows, without their last axis, and entries")
        return found == {True}


class Traced:
    __slots__ = ("_recorder", "dtype", "is_flat", "place")
    __array_ufunc__ = None  # for NumPy's scalars to use these operators

    def __init__(self, recorder: Recorder, place: int, dtype: str, is_flat: bool = False) -> None:
        self._recorder, self.place, self.dtype = recorder, place, dtype
        self.is_flat = is_flat  # one value per row, without the last axis

    __hash__ = object.__hash__

    def _refuse(self, *_: Any) -> NoReturn:
        raise TraceError("it looks at a value, or hands it to a function that is none of slopes.ops")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __array__ = _refuse

    @property
    def per(self) -> str:
        return self._recorder.lines[self.place].per

    @property
    def ndim(self) -> int:
        """2 for rows, 1 for one value per row."""
        self.needs_rows()
        return 1 if self.is_flat else 2

    @property
    def shape(self) -> tuple[Any, ...]:
        """(None, length of a row): the other sizes are unknown."""
        self.needs_rows()
        return None, self._recorder.record("width", dtype=self._recorder.dtype, per="call")

    def __getitem__(self, key: Any) -> Traced:
        if isinstance(key, tuple) and key[0] is Ellipsis:
            if key[1:] == (0,) and self.per == "row" and not self.is_flat:
                return Traced(self._recorder, self.place, self.dtype, True)
            if key[1:] == (None,) and self.is_flat:
                return Traced(self._recorder, self.place, self.dtype)
        self._refuse()

    def needs_rows(self) -> None:
        if not self._recorder.has_rows:
            raise TraceError("it looks at a shape, or works on rows, but is applied to each entry")

    def _binary(self, operation: str, other: Any, *, swapped: bool = False, result: str = "") -> Any:
        if not isinstance(other, (Traced, int, float, np.number, np.bool_)):
            return NotImplemented
        arguments = (other, self) if swapped else (self, other)
        return self._recorder.compute(operation, *arguments, result=result)

    __add__ = __radd__ = partialmethod(_binary, "add")
    __sub__, __rsub__ = partialmethod(_binary, "subtract"), partialmethod(_binary, "subtract", swapped=True)
    __rtruediv__ = partialmethod(_binary, "divide", swapped=True)
    __rpow__ = partialmethod(_binary, "power", swapped=True)
    __lt__ = partialmethod(_binary, "less", result="bool")
    __le__ = partialmethod(_binary, "less_equal", result="bool")
    __gt__ = partialmethod(_binary, "less", swapped=True, result="bool")
    __ge__ = partialmethod(_binary, "less_equal", swapped=True, result="bool")
    __eq__ = partialmethod(_binary, "equal", result="bool")
    __ne__ = partialmethod(_binary, "not_equal", result="bool")

    def __mul__(self, other: Any) -> Any:
        if isinstance(other, (int, float, np.number)) and other == 1 and self.dtype != "bool":
            return self
        return self._binary("multiply", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Any:
        if isinstance(other, (int, float, np.number)) and other == 1 and self.dtype != "bool":
            return self
        return self._binary("divide", other)

    def __pow__(self, power: Any) -> Any:
        if isinstance(power, Traced):
            return self._binary("power", power)
        if power == 0.5:
            return sqrt(self)
        if power != int(power) or not 0 < power < 9:
            return self._binary("power", float(power))
        half = self ** (power // 2) if power > 1 else 1.0
        return half * half * (self if power % 2 else 1.0)

    def __neg__(self) -> Traced:
        line = self._recorder.lines[self.place]
        if line.operation == "negate":
            return Traced(self._recorder, line.arguments[0], self.dtype, self.is_flat)
        return self._recorder.compute("negate", self)

    def __pos__(self) -> Traced:
        return self

    def __abs__(self) -> Any:
        return absolute(self)

    def _logical(self, operation: str, other: Any) -> Any:
        if isinstance(other, (bool, np.bool_)):
            absorbing = other == (operation == "or")
            return bool(other) if absorbing else self
        if not isinstance(other, Traced):
            return NotImplemented
        is_flat = self._recorder.common_form(self, other)
        return self._recorder.record(operation, self.place, other.place, dtype="bool", is_flat=is_flat)

    __and__ = __rand__ = partialmethod(_logical, "and")
    __or__ = __ror__ = partialmethod(_logical, "or")

    def __invert__(self) -> Traced:
        return self._recorder.record("not", self.place, dtype="bool", is_flat=self.is_flat)

    @staticmethod
    def product_low(a: Any, b: Any, total: Traced) -> Any:
        return _fused(a, b, -total)


def _number(x: Any) -> float:
    if isinstance(x, (int, float, np.number, np.bool_)):
        return float(x)
    raise TraceError(f"it computes with something that is no number: {type(x).__name__}")


def record(
    function: Callable[..., Mapping[str, Any]], inputs: Sequence[str], dtype: str, arithmetic: str | None = None, *,
    per: Mapping[str, str] | None = None, has_rows: bool = False,
) -> Program:  # fmt: skip
    """Call a function with traced inputs, and return the program of its named results.

    Inputs and results have the dtype, operations any `arithmetic`. `per` marks inputs, by name, with one value per
    "row" or "call" (in the dtype of operations), and the int64 "label" of a row. Only `has_rows` allows shapes and
    sums over the last axis. Errors of the function become a TraceError.
    """
    recorder = Recorder(arithmetic or dtype, has_rows)
    arguments = [_input(recorder, name, dtype, (per or {}).get(name, "entry")) for name in inputs]
    try:
        results = function(*arguments)
        if any(not isinstance(x, Traced) or x.dtype not in ("float32", "float64") for x in results.values()):
            raise TraceError("it gives no number for each entry")
        places = {name: recorder.value(x, dtype).place for name, x in results.items()}
    except TraceError:
        raise
    except Exception as error:
        raise TraceError(f"it raises {type(error).__name__}: {error}") from error
    return prune(recorder.lines, places)


def _input(recorder: Recorder, name: str, dtype: str, per: str) -> Traced:
    if per == "label":
        return recorder.record("input", dtype="int64", text=name, per="row", is_flat=True)
    kind = recorder.dtype if per == "call" else dtype
    return recorder.value(
        recorder.record("input", dtype=kind, text=name, per=per, is_flat=per == "row"), recorder.dtype
    )


def prune(lines: Sequence[Line], places: Mapping[str, int]) -> Program:
    """The program without lines that no result needs; inputs stay."""
    needed = set(places.values())
    for place in reversed(range(len(lines))):
        if lines[place].operation == "input":
            needed.add(place)
        if place in needed:
            needed.update(lines[place].arguments)
    moved = {old: new for new, old in enumerate(sorted(needed))}
    kept = (lines[old] for old in sorted(needed))
    return Program(
        tuple(replace(line, arguments=tuple(moved[a] for a in line.arguments)) for line in kept),
        tuple((name, moved[place]) for name, place in places.items()),
    )


# --------------------------------------------------------------------------------------- primitives


def _elementary(operation: str) -> Callable[[Array], Array]:
    return lambda x: x._recorder.compute(operation, x)


def _any(*arguments: Any) -> Recorder:
    recorder: Recorder = next(x for x in arguments if isinstance(x, Traced))._recorder
    return recorder


exp, expm1, log, log1p, sqrt, rint = map(_elementary, ("exp", "expm1", "log", "log1p", "sqrt", "rint"))
sin, cos, tanh, sinh = map(_elementary, ("sin", "cos", "tanh", "sinh"))
mish, mish_slope, tanhshrink = map(_elementary, ("mish", "mish_slope", "tanhshrink"))
expm1_less, erf = _elementary("expm1_less"), _elementary("erf")
lgamma_ratio = partial(tails.lgamma_ratio, _this)
minimum, maximum = partial(tails.minimum, _this, Traced), partial(tails.maximum, _this, Traced)
zero_dimensional = stop_gradient = with_slope_of = just_above = textbook.unchanged
rounding_of_difference = tails.rounding_of_difference

DEEP = {"float64": 700.0, "float32": 80.0}  #: exp(−DEEP) is still a normal number


def decay(x: Array, times: Array, low: Array = None) -> Array:
    """One operation: a machine scales by a power of 2, where other readings need three exponentials."""
    return _any(x, times).compute("decay", x, times, *(() if low is None else (low,)))


def exp_of_size(x: Array) -> tuple[Array, Array]:
    """In float32 an exponential shared with other uses."""
    if x.dtype == "float64":
        return tails.exp_of_size(_this, x)
    size = -absolute(x)
    return decay(size, 1.0), size._recorder.compute("low_of_exp", size)


def exp_parts(x: Array) -> tuple[Array, Array]:
    """Of float32 by float64."""
    if x.dtype == "float64":
        return tails.exp_parts(_this, x)
    high, near = exp(x), absolute(x) < 10
    return high, x._recorder.value(where(near, exp(double(x)) - double(high), 0.0), x.dtype)


def where(condition: Array, a: Array, b: Array) -> Array:
    return condition._recorder.select(condition, a, b)


def absolute(x: Array) -> Array:
    """−x has the line of x, so that later lines are shared."""
    line = x._recorder.lines[x.place]
    place = line.arguments[0] if line.operation == "negate" else x.place
    return x._recorder.record("absolute", place, dtype=x.dtype, is_flat=x.is_flat)


def sign(x: Array) -> Array:
    return where(x > 0, 1.0, where(x < 0, -1.0, where(x == 0, 0.0, x)))


def fma(x: Array, a: Array, c: Array) -> Array:
    """In float64 if a parameter has more digits than float32."""
    recorder = _any(x, a, c)
    if recorder.dtype == "float32" and not all(map(_is_exact, (a, c))):
        return recorder.compute("fma", double(x), a, c)
    return recorder.compute("fma", x, a, c)


def _is_exact(a: Any) -> bool:
    return isinstance(a, Traced) or float(np.float32(a)) == a


def _parts(a: Any, like: Traced) -> tuple[Any, Any]:
    """(number in the dtype of `like`, rounding error)."""
    low = a.low if type(a) is Constant else 0.0
    if isinstance(a, Traced) or like.dtype == "float64":
        return a, low
    high = float(np.float32(a))
    return high, a - high + low


def sigmoid(x: Array, times: Array, low: Array) -> Array:
    """A computed `times` has a rounding error already, so its line is the finer "sigmoid_fine"."""
    operation = "sigmoid"
    if isinstance(times, Traced) and times._recorder.lines[times.place].operation not in ("input", "constant"):
        operation = "sigmoid_fine"
    if not (type(low) is float and low == 0.0):
        return _any(x, times, low).compute(operation, x, times, low)
    if operation == "sigmoid" and isinstance(times, Traced) and isinstance(x, Traced) and times.place == x.place:
        return x._recorder.compute("silu", x)
    if not (type(times) is float and times == 1.0):
        return _any(x, times).compute(operation, x, times)
    return x._recorder.compute(operation, x)


def sigmoid_slope(x: Array, times: Array, low: Array) -> Array:
    if not _is_number(low, 0.0):
        return _any(x, times, low).compute("sigmoid_slope", x, times, low)
    return _times("sigmoid_slope", x, times)


def gate_slope(x: Array, y: Array, times: Array, low: Array, y_low: Array) -> Array:
    if not _is_number(times, 1.0):
        return _any(x, y, times).compute("gate_slope", x, y, low, y_low, times)
    given = () if _is_number(low, 0.0) and _is_number(y_low, 0.0) else (low, y_low)
    return _any(x, y).compute("gate_slope", x, y, *given)


def _is_number(x: Any, number: float) -> bool:
    return not isinstance(x, Traced) and x == number


def softplus(x: Array, beta: Array) -> Array:
    if type(beta) is float and beta == 1.0:
        return x._recorder.compute("softplus", x)
    return tails.softplus(_this, x, beta)


def _times(operation: str, x: Array, times: Array) -> Array:
    given = () if _is_number(times, 1.0) else (times,)
    return _any(x, times).compute(operation, x, *given)


ndtr, normal_gate_slope = partial(_times, "ndtr"), partial(_times, "normal_gate_slope")


def normal_pdf(x: Array, times: Array) -> Array:
    return _any(x, times).compute("normal_pdf", x, times)


def _fused(a: Array, b: Array, c: Array) -> Array:
    return _any(a, b, c).compute("fma", a, b, c)


def cubic(x: Array, a: Constant, b: Constant) -> tuple[Array, Array]:
    """Each part has its rounding error; x is clipped at ±32."""
    x = tails.confine(_this, x, 32.0)
    (a_high, a_low), (b_high, b_low) = _parts(a, x), _parts(b, x)
    square = x * x
    square_low = tails.two_product_low(x, x, square)
    bent = b_high * square
    bent_low = tails.two_product_low(b_high, square, bent) + (b_high * square_low + b_low * square)
    factor = a_high + bent
    factor_low = tails.two_sum_low(a_high, bent, factor) + (bent_low + a_low)
    high = x * factor
    return high, tails.two_product_low(x, factor, high) + x * factor_low


def product(x: Array, a: Array) -> tuple[Array, Array]:
    x = tails.confine(_this, x, tails.HELD / a)
    a_high, a_low = _parts(a, x)
    high = a_high * x
    low = tails.two_product_low(x, a_high, high)
    return high, low if type(a_low) is float and a_low == 0 else low + a_low * x


def quotient(x: Array, a: Array) -> tuple[Array, Array]:
    x = tails.confine(_this, x, tails.HELD * a)
    a_high, a_low = _parts(a, x)
    return tails.divide(x, 0.0, a_high, a_low)


def _in_double(form: Callable[..., tuple[Array, Array]], x: Array, parameter: Array) -> tuple[Array, Array]:
    """Compute (high, low) in float64, and split high in the dtype of x."""
    high, low = form(_this, double(x), double(parameter) if isinstance(parameter, Traced) else parameter)
    if high.dtype == x.dtype:
        return high, low
    narrow = x._recorder.value(high, x.dtype)
    return narrow, x._recorder.value(high - double(narrow), x.dtype)


sigmoid_less, sigmoid_mixture = partial(_in_double, tails.sigmoid_less), partial(tails.sigmoid_mixture, _this)


def log_odds(p: Array, like: Array) -> tuple[Array, Array]:
    """Low is 0 for a traced value."""
    return (log(p) - log1p(-p), 0.0) if isinstance(p, Traced) else tails.log_odds(float(p))


def root_of_square(x: Array, b: Array) -> Array:
    """With one root and no quotient.

    x is scaled by 2**-30 and clipped where b is negligible beside x², so that the square cannot overflow.
    """
    end, part = b**0.5, x * 2.0**-30
    held = where(part > end, end, part)
    return (sqrt(_fused(held, held, b * 2.0**-60)) + (part - held)) * 2.0**30


def softcap(x: Array, cap: Array) -> Array:
    wide = x if _is_exact(cap) else double(x)
    return x._recorder.value(wide._recorder.compute("softcap", wide, cap), x.dtype)


def _snake(operation: str, x: Array, a: Array) -> Array:
    """In float64 if the parameter is not 1."""
    if type(a) is float and a == 1.0:
        return x._recorder.compute(operation, x)
    return x._recorder.value(x._recorder.compute(operation, double(x), a), x.dtype)


snake, snake_slope = partial(_snake, "snake"), partial(_snake, "snake_slope")


def rational(x: Array, numerator: Any, denominator: Any, order: int) -> Array:
    """In float64; a float32 x has few enough digits for no sums."""
    wide = double(x)
    above, below = ([wide._recorder.value(number, "float64") for number in part] for part in (numerator, denominator))
    result = tails.rational(_this, wide, above, below, order, closely=x.dtype == "float64")
    return x._recorder.value(result, x.dtype)


def double(x: Array) -> Array:
    return x._recorder.value(x, "float64")


def parameter(name: str, value: Any, like: Array = None) -> Any:
    """A literal of the program."""
    return value


def double_for(x: Array, *parameters: Array) -> Array:
    return x if all(map(_is_exact, parameters)) else double(x)


def xlogy(x: Array, y: Array) -> Array:
    return where((x == 0) & (y == y), 0.0, x * log(y))


def xlog1py(x: Array, y: Array) -> Array:
    return where((x == 0) & (y == y), 0.0, x * log1p(y))


def ratio(x: Array, y: Array) -> Array:
    return where(x == 0, 0.0, x / y)


# ------------------------------------------------------------------------------- rows: the last axis

softmax, log_softmax = partial(tails.softmax, _this), partial(tails.log_softmax, _this)
softmax_complement, sum_others = partial(tails.softmax_complement, _this), partial(tails.sum_others, _this)
softmax_logit, top = partial(tails.softmax_logit, _this), partial(tails.top, _this)
overlap_slopes = partial(tails.overlap_slopes, _this)


def sum(x: Array) -> Array:
    x.needs_rows()
    if x.is_flat or x.per == "call":
        raise TraceError("it sums over the last axis of a number, which has none")
    return x if x.per == "row" else x._recorder.record("sum", x.place, dtype=x.dtype, per="row")


def _index(recorder: Recorder) -> Traced:
    return recorder.record("index", dtype="int64", per="entry")


def shift_by_top(x: Array) -> tuple[Array, Array]:
    x.needs_rows()
    recorder = x._recorder
    place = recorder.record("place_of_largest", x.place, dtype="int64", per="row")
    is_top = recorder.record("equal", _index(recorder).place, place.place, dtype="bool")
    largest = recorder.record("pick", x.place, place.place, dtype=x.dtype, per="row")
    return is_top, recorder.record("shift", x.place, place.place, largest.place, dtype=x.dtype)


def levels(given: Array, like: Array) -> tuple[Array, Array]:
    if given is None:
        like.needs_rows()
        middle, count = like._recorder.value(_index(like._recorder), like.dtype) + 0.5, like.shape[-1]
        return middle / count, (count - middle) / count
    if isinstance(given, tuple):
        like.needs_rows()
        texts = (" ".join(map(repr, numbers)) for numbers in (given, (1 - level for level in given)))
        low, high = (like._recorder.record("constants", dtype=like.dtype, text=text, per="entry") for text in texts)
        return low, high
    return given, 1 - given


def ranks(x: Array) -> tuple[Array, Array]:
    x.needs_rows()
    lines = x._recorder.lines
    line = lines[x.place]
    if line.operation != "input" and not (line.operation == x.dtype and lines[line.arguments[0]].operation == "input"):
        raise TraceError("it ranks entries that it has computed")
    high = x._recorder.record("ranks", x.place, dtype=x.dtype)
    return x.shape[-1] - high, high


def expected(values: Array, target: Array) -> Array:
    if target.dtype == "int64":
        return values._recorder.record("pick", values.place, target.place, dtype=values.dtype, per="row", is_flat=True)
    return sum(where(target == 0, 0.0, target * values))[..., 0]


def expected_log(values: Array, target: Array) -> Array:
    if target.dtype == "int64":
        return log(expected(values, target))
    return sum(xlogy(target, values))[..., 0]


def entry(x: Array, place: int) -> Array:
    x.needs_rows()
    if place < 0:
        raise TraceError("it counts entries from the end of a row")
    at = x._recorder.record("constant", dtype="int64", text=str(place))
    return x._recorder.record("pick", x.place, at.place, dtype=x.dtype, per="row", is_flat=True)


def one_hot(target: Array, like: Array) -> Array:
    if target.dtype != "int64":
        return target
    is_right = like._recorder.record("equal", _index(like._recorder).place, target.place, dtype="bool")
    return where(is_right, 1.0, 0.0)
