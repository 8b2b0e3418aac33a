"""The kind of a sum of losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from slopes.kinds.base import Argument, Kind
from slopes.kinds.spaces import CHANCES, Space

#: options of an overlap loss beside a loss of entries; no single label is there to be ignored
MULTILABEL: dict[str, Any] = {"mode": "multilabel", "ignore_index": None}


class Summand(NamedTuple):
    """A loss that is to be added."""

    name: str
    kind: Kind
    settings: dict[str, Any]


class SumKind(NamedTuple):
    """The kind of a sum, and the call of each term."""

    kind: Kind  #: of the term with the most special arguments, such as regions of pixels
    is_one: bool  #: whether all terms are of this kind, so that their values have one shape
    fixed: tuple[dict[str, Any], ...]  #: for each term, the options that make it take the common arguments


def merge(summands: Sequence[Summand]) -> SumKind:
    """Return the kind of a sum; raise TypeError if its terms take different arguments.

    Arguments fit if they have the same names, in one order, and the same spaces. Losses that compare like with like,
    such as boxes with boxes, also go with losses of any real numbers. An overlap loss is multilabel beside a loss whose
    target is a yes or no for each entry.
    """
    kinds = [_resolve(kind, settings) for _, kind, settings in summands]
    several = any(kind.goal is not None and kind.goal.is_yes_or_no and "mode" not in kind.options for kind in kinds)
    fixed = tuple(MULTILABEL if several and "mode" in kind.options else {} for kind in kinds)
    kinds = [_of_several_classes(kind) if options else kind for kind, options in zip(kinds, fixed, strict=True)]
    arguments = kinds[0].arguments
    for place, kind in enumerate(kinds[1:], start=1):
        common = _common(kinds[:place], arguments, kind)
        if common is None:
            raise TypeError(_misfit(summands[:place], kinds[:place], summands[place].name, kind))
        arguments = common
    lead = max(kinds, key=lambda kind: (kind.has_regions, kind.rowwise, not kind.takes_labels))
    is_one = all(replace(kind, arguments=()) == replace(lead, arguments=()) for kind in kinds)
    return SumKind(replace(lead, arguments=arguments), is_one, fixed)


def _resolve(kind: Kind, settings: dict[str, Any]) -> Kind:
    """The kind with the spaces that it has under a card's parameters."""
    spaced = zip(kind.arguments, kind.spaces(settings), strict=True)
    return replace(kind, arguments=tuple(argument._replace(space=space) for argument, space in spaced))


def _of_several_classes(kind: Kind) -> Kind:
    """An overlap kind whose target has a probability for each class and pixel."""
    first, target = kind.arguments
    return replace(kind, arguments=(first, target._replace(space=CHANCES)))


def _common(before: Sequence[Kind], arguments: tuple[Argument, ...], kind: Kind) -> tuple[Argument, ...] | None:
    """Arguments that the kinds before and this one take; None if there are none."""
    if len(arguments) != len(kind.arguments):
        return None
    is_alike = all(_compares_like_with_like(each) for each in (*before, kind))
    common = []
    for one, other in zip(arguments, kind.arguments, strict=True):
        space = _narrower(one.space, other.space) if is_alike else one.space if one.space == other.space else None
        if space is None or (one.name, one.row) != (other.name, other.row):
            return None
        common.append(one._replace(space=space))
    return tuple(common)


def _compares_like_with_like(kind: Kind) -> bool:
    return len({argument.space.name for argument in kind.arguments}) == 1


def _narrower(one: Space, other: Space) -> Space | None:
    """The space inside the other, as far as one takes any real number."""
    if one == other or other.is_real:
        return one
    return other if one.is_real else None


def _misfit(before: Sequence[Summand], kinds: Sequence[Kind], name: str, kind: Kind) -> str:
    first = before[0].name
    return (
        f"{' + '.join(each.name for each in before)} + {name}: terms of a sum take the same arguments; {first} takes "
        f"{_words(kinds[0])}, {name} takes {_words(kind)}: call each with its own arguments and add the results"
    )


def _words(kind: Kind) -> str:
    return " and ".join(f"{argument.name} ({argument.space.words or argument.space})" for argument in kind.arguments)
