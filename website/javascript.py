"""JavaScript printed from the programs of element-wise cards, and of short rows: value and slope, in double precision.

Compound operations, such as a sigmoid times a number, become functions of their own, printed in the same way from
`slopes.readings.tails`. Written by hand are `rint` and `fma`, which JavaScript lacks.
"""

from __future__ import annotations

import itertools
import json
import math
import string
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import numpy as np

from slopes.card import Card, Loss
from slopes.domains import Interval
from slopes.kernels.programs import derivatives, is_number, program
from slopes.readings import numpy as reading
from slopes.readings import tails, trace
from slopes.readings.program import Program
from slopes.readings.trace import TraceError, record
from website.pytorch import FORMS
from website.rows import ENTRIES, is_of_rows, trace_rows, unroll

HEAD = """\
// Printed from the programs of the cards by website/javascript.py; do not edit.
const slopes=(()=>{
const {exp,expm1,log,log1p,sqrt,sin,cos,tanh,sinh,abs,pow,fround}=Math
// rounds half to even, as no number beyond 2^51 has a fraction
const rint=x=>abs(x)<2251799813685248?x+6755399441055744-6755399441055744:x
const halves=x=>{const wide=x*134217729,high=wide-(wide-x);return [high,x-high]}
// a·b + c, rounded once but for the last bit; larger halves would overflow
const fma=(a,b,c)=>{
const total=a*b+c,near=a>1e290?1e290:a<-1e290?-1e290:a,product=near*b,sum=product+c,part=sum-product
const [h,l]=halves(near),[m,n]=halves(b)
const exact=total+((product-(sum-part))+(c-part)+((((h*m-product)+h*n)+l*m)+l*n))
return isFinite(exact)?exact:total}
"""

#: operators by operation: text and precedence
OPERATORS = {
    "add": ("+", 11), "subtract": ("-", 11), "multiply": ("*", 12), "divide": ("/", 12), "less": ("<", 9),
    "less_equal": ("<=", 9), "equal": ("===", 8), "not_equal": ("!==", 8), "and": ("&&", 4), "or": ("||", 3),
}  # fmt: skip
UNARY, CALL, CHOICE = 14, 17, 2  #: precedences
CALLED = {
    name: name for name in ("exp", "expm1", "log", "log1p", "sqrt", "sin", "cos", "tanh", "sinh", "rint", "fma")
} | {"absolute": "abs", "power": "pow"}


class _Tails:
    """The trace as the reading of `tails`, with the primitives that a program has as one line."""

    def __init__(self) -> None:
        self.SPLIT = {"float64": reading.SPLIT[np.dtype(np.float64)]}
        self.gauss = partial(tails.gauss, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(trace, name)


def _decay(r: Any, t: Any, times: Any, low: Any) -> Any:
    return tails.decay(r, t, r.where((low < 0) | (low > 0), times + low, times))


#: compound operations: parameters, which are optional from "times=1" on, and the form
COMPOUND: dict[str, tuple[str, Callable[..., Any]]] = {
    "decay": ("t times low=0", _decay),
    "sigmoid": ("x times=1 low=0", tails.sigmoid),
    "sigmoid_slope": ("x times=1 low=0", tails.sigmoid_slope),
    "silu": ("x", lambda r, x: tails.sigmoid(r, x, x, 0.0)),
    "gate_slope": (
        "x y low=0 y_low=0 times=1",
        lambda r, x, y, low, y_low, times: tails.gate_slope(r, x, y, times, low, y_low),
    ),
    "softplus": ("x", lambda r, x: tails.softplus(r, x, 1.0)),
    "ndtr": ("x times=1", tails.ndtr),
    "normal_pdf": ("x times", tails.normal_pdf),
    "normal_gate_slope": ("x times=1", tails.normal_gate_slope),
    "softcap": ("x cap", tails.softcap),
    "expm1_less": ("x", tails.expm1_less),
    "tanhshrink": ("x", tails.tanhshrink),
    "erf": ("x", tails.erf),
    "snake": ("x a=1", tails.snake),
    "snake_slope": ("x a=1", tails.snake_slope),
    "mish": ("x", tails.mish),
    "mish_slope": ("x", tails.mish_slope),
}
EXACT = ("constant", "negate", "absolute", "where", "rint")  #: operations whose result is a number of the format
SAME = {"sigmoid_fine": "sigmoid"}  #: finer in float32 alone


def is_printable(card: Card) -> bool:
    """Return whether the program of a card is a straight line of numbers, or can be made one for a short row."""
    return card.family in ("activation", "gate") or (card.family == "loss" and not card.rowwise) or is_of_rows(card)


def trace_card(card: Card) -> Program:
    """Return the program of value and slopes; its inputs are the arguments, and then the numbers among parameters.

    A body that branches on a parameter has the defaults of all. A function of rows has those of `website.rows`.
    """
    if is_of_rows(card):
        return unroll(trace_rows(card))
    slopes = [name for name in derivatives(card) if name.startswith("slope")]
    numbers = [name for name, value in card.settings.items() if is_number(value)]
    try:
        return program(card, "value", *slopes, inputs=numbers)
    except TraceError:
        return program(card, "value", *slopes)


def trace_form(card: Card, form: Callable[..., Any] | None) -> Program | None:
    """Return the program of a formula in float32, with the inputs of `trace_card`; None if it cannot be traced.

    The formula takes a card's arguments and settings.
    """
    if form is None:
        return None
    has_rows, count = is_of_rows(card), len(card._arguments)
    inputs = (trace_rows if has_rows else trace_card)(card).inputs
    names = [name for name in inputs if name != "cotangent"]

    def compute(*given: Any) -> dict[str, Any]:
        settings = {**card.settings, **dict(zip(names[count:], given[count:], strict=True))}
        return {"value": form(*given[:count], **settings)}

    per = dict.fromkeys(names[count:], "call") | ({"target": "label"} if has_rows else {})
    try:
        recorded = record(compute, names, "float32", per=per, has_rows=has_rows)
    except TraceError:
        return None
    return unroll(recorded) if has_rows else recorded


def print_function(recorded: Program) -> str:
    """Return an arrow function of the inputs; of several outputs it gives an array."""
    return _Printer(recorded).print()


def print_script(cards: Iterable[Card]) -> str:
    """Return a script whose `slopes` has a function for each card, with compound operations before it."""
    printed = list(cards)
    programs = {card.name: trace_card(card) for card in printed}
    forms = {"textbook": {card.name: card.definition for card in printed}, "pytorch": FORMS}
    recorded = {
        (kind, card.name): form
        for kind, by_name in forms.items()
        for card in printed
        if (form := trace_form(card, by_name.get(card.name)))
    }
    parts = [HEAD]
    for name in _needed([*programs.values(), *recorded.values()]):
        parts.append(f"const {name}={print_function(_compound(name))}")
    entries = []
    for card in printed:
        fields = {"f": print_function(programs[card.name]), "family": json.dumps(card.family)}
        fields["sliders"] = json.dumps(sliders(card), separators=(",", ":"))
        fields["target"] = json.dumps(target_of(card))
        fields |= {kind: print_function(recorded[kind, card.name]) for kind in forms if (kind, card.name) in recorded}
        entries.append(f"{card.name}:{{{','.join(f'{key}:{text}' for key, text in fields.items())}}}")
    return "\n".join([*parts, "return {\n" + ",\n".join(entries) + "}})()\n"])


def target_of(card: Card) -> str:
    """Return the targets with which a loss can train on two classes: "chance", "sign" or "real"; "" if it cannot.

    A loss of distances, which falls with the prediction for a no, cannot, nor one that divides by the target, nor one
    of two predictions.
    """
    if (
        not isinstance(card, Loss)
        or card.rowwise
        or len(card._arguments) != 2
        or not card.kind.spaces(card.settings)[0].is_unbounded
    ):
        return ""
    if len(card.kind.learned) == 2:
        return ""
    goal = card.kind.spaces(card.settings)[1]
    if card.slope(0.0, 1.0) >= 0 or (goal.is_real and card(1.0, 0.0) > 1e3):
        return ""
    return "sign" if goal.is_sign else "chance" if goal.is_yes_or_no else "real" if goal.is_real else ""


def _compound(name: str) -> Program:
    parameters, form = COMPOUND[name]
    names = [parameter.partition("=")[0] for parameter in parameters.split()]
    return record(lambda *given: {name: form(_Tails(), *given)}, names, "float64")


def _operations(recorded: Program) -> set[str]:
    return {SAME.get(line.operation, line.operation) for line in recorded.lines} & COMPOUND.keys()


def _needed(programs: Iterable[Program]) -> list[str]:
    """Return the compound operations of programs, each after those that it calls."""
    order: list[str] = []

    def visit(name: str) -> None:
        if name not in order:
            for other in sorted(_operations(_compound(name))):
                visit(other)
            order.append(name)

    for name in sorted(set().union(*map(_operations, programs))):
        visit(name)
    return order


def _names() -> Iterator[str]:
    """Yield short names that are neither words of the language nor functions of the script."""
    taken = {"do", "if", "in", "of", "as"}
    for length in itertools.count(1):
        for letters in itertools.product(string.ascii_letters, repeat=length):
            if "".join(letters) not in taken:
                yield "".join(letters)


class _Printer:
    """A line that is used once stands where it is used; the others are constants."""

    def __init__(self, recorded: Program) -> None:
        self.lines, self.outputs = recorded.lines, recorded.outputs
        places = [place for line in self.lines for place in line.arguments] + [place for _, place in self.outputs]
        self.uses = Counter(places)
        names = _names()
        self.named = {place: next(names) for place, line in enumerate(self.lines) if self._needs_name(place)}

    def _needs_name(self, place: int) -> bool:
        operation = self.lines[place].operation
        return operation == "input" or (operation != "constant" and self.uses[place] > 1)

    def print(self) -> str:
        inputs = [place for place, line in enumerate(self.lines) if line.operation == "input"]
        kept = [f"{self.named[place]}={self._compute(place)[0]}" for place in self.named if place not in inputs]
        results = [self._value(place)[0] for _, place in self.outputs]
        result = results[0] if len(results) == 1 else f"[{','.join(results)}]"
        defaults = self._defaults()
        parameters = ",".join(self.named[place] + defaults.get(self.lines[place].text, "") for place in inputs)
        head = f"({parameters})=>"
        return f"{head}{{const {','.join(kept)};return {result}}}" if kept else f"{head}{result}"

    def _defaults(self) -> dict[str, str]:
        """Return the defaults of a compound operation's parameters."""
        name = self.outputs[0][0]
        listed = COMPOUND[name][0].split() if len(self.outputs) == 1 and name in COMPOUND else []
        return {
            parameter.partition("=")[0]: f"={parameter.partition('=')[2]}" for parameter in listed if "=" in parameter
        }

    def _value(self, place: int) -> tuple[str, int]:
        """Return the text of a line's result where it is used, and its precedence."""
        return (self.named[place], CALL) if place in self.named else self._compute(place)

    def _compute(self, place: int) -> tuple[str, int]:
        line, (text, level) = self.lines[place], self._spell(place)
        if line.dtype == "float32" and line.operation not in EXACT:
            return f"fround({text})", CALL
        return text, level

    def _spell(self, place: int) -> tuple[str, int]:
        line = self.lines[place]
        operation = SAME.get(line.operation, line.operation)
        if operation == "constant":
            return write_number(float(np.dtype(line.dtype).type(line.text)))
        given = [self._value(argument) for argument in line.arguments]
        if operation in OPERATORS:
            text, level = OPERATORS[operation]
            left, right = _within(given[0], level), _within(given[1], level + 1)
            return f"{left}{text}{' ' if text == right[0] else ''}{right}", level
        if operation in ("negate", "not"):
            inner = _within(given[0], UNARY + 1)
            return ("-" if operation == "negate" else "!") + inner, UNARY
        if operation == "where":
            condition, yes, no = (_within(part, CHOICE + (k < 1)) for k, part in enumerate(given))
            return f"{condition}?{yes}:{no}", CHOICE
        if operation in ("float32", "float64"):
            return given[0]
        if operation not in CALLED and operation not in COMPOUND:
            raise ValueError(f"JavaScript has no form of the operation {operation!r}")
        return f"{CALLED.get(operation, operation)}({','.join(text for text, _ in given)})", CALL


def _within(part: tuple[str, int], level: int) -> str:
    text, own = part
    return text if own >= level else f"({text})"


def write_number(value: float) -> tuple[str, int]:
    """Return a number as JavaScript has it, and its precedence."""
    if math.isinf(value):
        text = "Infinity" if value > 0 else "-Infinity"
    elif math.isnan(value):
        text = "NaN"
    else:
        text = repr(value).removesuffix(".0").replace("e+", "e").replace("e-0", "e-")
        text = text.replace("0.", ".", 1) if text.lstrip("-").startswith("0.") else text
    return text, UNARY if text.startswith("-") else CALL


# -------------------------------------------------------------------------------------------- sliders

Slider = tuple[str, float, float, float, float]
"""Name, default, least, greatest and step."""


def sliders(card: Card) -> list[Slider]:
    """Return a slider for each input of the card's program after the first."""
    if is_of_rows(card):
        found = [(name, 0.0, -4.0, 4.0, 0.1) for name in ENTRIES[1:]]
    else:
        found = [_slider_of_argument(card, place) for place in range(1, len(card._arguments))]
    inputs = trace_card(card).inputs[1 + len(found) :]
    return found + [_slider(name, card.settings[name], card.parameters[name].domain) for name in inputs]


def _slider_of_argument(card: Card, place: int) -> Slider:
    """Return the slider of an argument, whose default is that of the card's picture."""
    name = card._arguments[place]
    if not isinstance(card, Loss):
        return name, 1.0, -4.0, 4.0, 0.05
    examples = card.kind.examples(card.settings)
    _, lines = examples.curve(np.zeros(1))
    default = float(next(iter(lines.values()))[place][0])
    space = examples.spaces[place]
    if space.is_sign:
        return name, default, -1.0, 1.0, 2.0
    return _slider(name, default, Interval(max(space.low, -4.0), min(space.high, 4.0), closed=not space.open))


def _slider(name: str, default: float, domain: Any) -> Slider:
    """Return a slider over the part of a domain near the default."""
    reach = 5 * abs(float(default)) or 4.0
    low, high = getattr(domain, "low", -math.inf), getattr(domain, "high", math.inf)
    low, high = (low if low > -math.inf else -reach), (high if high < math.inf else max(reach, low + reach))
    step = 10.0 ** math.floor(math.log10((high - low) / 50))
    if not getattr(domain, "closed", True):
        low, high = (low + step if domain.low > -math.inf else low), (high - step if domain.high < math.inf else high)
        low, high = min(low, float(default)), max(high, float(default))
    return name, float(default), *(float(f"{end:.6g}") for end in (low, high, step))
