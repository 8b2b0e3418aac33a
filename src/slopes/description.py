"""Descriptions of cards for `help`, editors and lists."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Sequence
from typing import Any, Literal

from slopes.constants import Constant
from slopes.domains import Coefficients, Domain, Odd, OneOf, OrNone
from slopes.kinds import OPTIONS, Kind

#: arguments other than the card's parameters
COMMON = {
    "x": "an array, a tensor, a number or a nested list",
    "axis": "an integer: the axis of the rows",
    "weight": "numbers of the shape of the unreduced loss; the mean is the weighted average",
    "mask": "booleans of the shape of the unreduced loss; True counts",
    "divisor": "a number >= 0 in place of the mean's denominator",
    "class_weight": "a number >= 0 for each class",
    "ignore_index": "an integer label that does not count",
    "terms": "True to return each term's loss, too: a pair of the loss and a dict",
    "out": "a NumPy array of the shape and dtype of the result, which is written to it; it may be x",
    "generator": "a numpy.random.Generator or torch.Generator, which draws the noise",
}
#: public members for plots, the audit and modules
INTERNAL = {"add", "curve", "curve_of", "hand_out", "parts", "switched", "textbook", "write"}


class Described:
    """An attribute computed for a card; on the class `of_class`, or missing if None."""

    def __init__(self, describe: Any, of_class: str | None) -> None:
        self.describe, self.of_class = describe, of_class

    def __get__(self, card: Any, owner: type) -> Any:
        if card is not None:
            return self.describe(card)
        if self.of_class is None:
            raise AttributeError
        return self.of_class


def signature(card: Any) -> inspect.Signature:
    """Return a call's signature, with bound parameters as defaults."""

    def described(parameter: inspect.Parameter) -> inspect.Parameter:
        name, own = parameter.name, card.parameters.get(parameter.name)
        domain = own.domain if own else OPTIONS.get(name)
        annotation = int if name == "axis" else _annotation(domain) if domain else parameter.empty
        return parameter.replace(annotation=annotation, default=card.bound.get(name, parameter.default))

    call: inspect.Signature = card.call_signature
    return call.replace(parameters=[described(p) for p in call.parameters.values()], return_annotation=call.empty)


@functools.lru_cache(maxsize=256)  # torch.func.vmap reads the docstring at each call, by functools.wraps
def docstring(card: Any) -> str:
    """Return signature, body's docstring, and a line for each argument, method and attribute."""
    call = signature(card)
    bare = call.replace(parameters=[p.replace(annotation=p.empty) for p in call.parameters.values()])
    arguments = {}
    for name, parameter in call.parameters.items():
        default = "" if parameter.default is parameter.empty else f"; by default {parameter.default!r}"
        arguments[name] = _argument(card, name) + default
    parts = [
        f"{card.__name__}{bare}",
        inspect.cleandoc(card.body.__doc__ or ""),
        _section("Arguments", arguments),
        _section("Methods", _first_lines(type(card), callable)),
        _section("Attributes", _first_lines(type(card), lambda member: isinstance(member, property))),
    ]
    return "\n\n".join(filter(None, parts))


def _first_lines(kind: type, belongs: Callable[[Any], bool]) -> dict[str, str]:
    """First line of the docstring of each public member that belongs."""
    members = {name: getattr(kind, name) for name in dir(kind) if not name.startswith("_") and name not in INTERNAL}
    first = {name: (inspect.getdoc(member) or "").partition("\n")[0] for name, member in members.items()}
    return {name: line for name, line in first.items() if line and belongs(members[name])}


def _annotation(domain: Domain) -> Any:
    if isinstance(domain, OneOf):
        return bool if domain.values == (True, False) else Literal[domain.values]
    if isinstance(domain, Coefficients):
        return Sequence[float]
    if isinstance(domain, Odd):
        return int
    return float | None if isinstance(domain, OrNone) else float


def _argument(card: Any, name: str) -> str:
    if name in card.parameters:
        return str(card.parameters[name].domain or "anything")
    kind: Kind | None = getattr(card, "kind", None)
    for argument in kind.arguments if kind else ():
        if argument.name == name:
            if name == "target" and kind.target_words:  # type: ignore[union-attr]
                return kind.target_words  # type: ignore[union-attr]
            return "integers" if name == "labels" else argument.space.words or argument.space.name
    if name == "mask" and kind is None:
        return "booleans of the shape of x; True counts"
    return COMMON.get(name) or str(OPTIONS[name])


def _section(title: str, lines: dict[str, str]) -> str:
    width = max(map(len, lines), default=0)
    return "\n".join([title, *(f"    {name:{width}}  {text}" for name, text in lines.items())]) if lines else ""


def kind(card: Any) -> str:
    """Describe the inputs of the card."""
    if card.family == "loss":
        space = card.kind.space_of(card.settings)
        return f"{card.kind.name} loss, on {'real numbers' if space.is_real else space}"
    return "map of a row" if card.family == "map" else "activation"


def parameters(card: Any) -> list[dict[str, str]]:
    """Describe each parameter."""
    return [
        {"name": name, "domain": "" if p.domain is None else str(p.domain), "default": written(p.default)}
        for name, p in card.parameters.items()
    ]


def default_words(parameter: dict[str, str]) -> str:
    """Format default and domain as in "alpha=1.0 (> 0)"."""
    domain = f" ({parameter['domain']})" if parameter["domain"] else ""
    return f"{parameter['name']}={parameter['default']}{domain}"


def written(value: Any) -> str:
    """Return the value as a call has it; a constant by its name."""
    return value.text.lower() if isinstance(value, Constant) else repr(value)
