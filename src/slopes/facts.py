"""Facts that a card states besides its body."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from slopes.domains import Domain


class Paper(NamedTuple):
    """A paper that first described a function."""

    authors: str
    year: int
    title: str
    link: str


class Parameter(NamedTuple):
    """A card's keyword."""

    default: Any
    domain: Domain | None


class Peer(NamedTuple):
    """A library's function, as expressions in the library's namespace."""

    same: str  #: gives the card's numbers
    bare: str | None = None  #: the library's default call, if that gives others

    @classmethod
    def of(cls, stated: str | tuple[str, str]) -> Peer:
        """Return a peer from an expression or a pair (same, bare)."""
        return cls(stated) if isinstance(stated, str) else cls(*stated)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """Claims; `slopes.auditing.cards.claims` has a check for each that can refute it."""

    range: tuple[float, float] | None = None  #: the smallest interval with all values
    zero: float | None = None  #: the value at 0
    lipschitz: float | None = None  #: the largest absolute slope
    monotone: bool | None = None  #: whether it never falls
    symmetry: str | None = None  #: "odd" or "even"
    convex: bool | None = None  #: a loss: in the prediction
    kinks: tuple[float, ...] | None = None  #: where the slope jumps: a residual, or the x of (x, 0, 0)
    minimum: float | None = None  #: a loss: its value at a perfect prediction, and its least
    ignores_target: bool | None = None  #: a loss: whether every target gives the same value
    detached: bool | None = None  #: whether its gradient keeps a part constant, and is not the derivative of the value
    ulps: float | None = None  #: the worst error in units in the last place, if above 4

    def stated(self) -> dict[str, Any]:
        """Return the claims that are not None."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not None
        }
