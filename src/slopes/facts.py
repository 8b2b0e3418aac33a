"""What a card says of itself besides its body: papers, parameters and claims."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NamedTuple

from slopes.domains import Domain


class Paper(NamedTuple):
    """Where a function was first described."""

    authors: str
    year: int
    title: str
    link: str


class Parameter(NamedTuple):
    """A keyword of a card: its default and what it may be."""

    default: Any
    domain: Domain | None


class Peer(NamedTuple):
    """What a library calls a function, in its own namespace."""

    same: str  #: an expression that gives the card's number, at the card's parameters
    bare: str | None = None  #: the library's own default call, where that gives another number

    @classmethod
    def of(cls, stated: str | tuple[str, str]) -> Peer:
        """A peer from what a card states: an expression, or that and the bare one."""
        return cls(stated) if isinstance(stated, str) else cls(*stated)


@dataclass(frozen=True, kw_only=True)
class Claims:
    """What a card says of itself. Each has a check in `slopes.checks.cards.claims` that can refute it."""

    range: tuple[float, float] | None = None  #: the smallest interval that holds all values
    zero: float | None = None  #: the value at 0
    lipschitz: float | None = None  #: the largest absolute slope
    monotone: bool | None = None  #: whether it never falls
    symmetry: str | None = None  #: "odd" or "even"
    convex: bool | None = None  #: whether it is convex (a loss: in the prediction)
    kinks: tuple[float, ...] | None = None  #: where the slope jumps, by the residual, or the x of (x, 0, 0)
    minimum: float | None = None  #: a loss: its value at a perfect prediction, and never less
    ulps: float | None = None  #: the worst error in units in the last place, where it is more than 4

    def stated(self) -> dict[str, Any]:
        """The claims that were made."""
        return {
            field.name: getattr(self, field.name) for field in fields(self) if getattr(self, field.name) is not None
        }
