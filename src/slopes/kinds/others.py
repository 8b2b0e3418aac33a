"""Kinds whose target is a sign, and triplets."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any

import numpy as np

from slopes.domains import Flag, OneOf
from slopes.kinds.base import Arguments, Batch, FindKernel, Kind, no_kernel
from slopes.ops import Array

FLAG: OneOf = Flag.__metadata__[0]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Signed(Kind):
    """The last argument is −1 or 1; with ``zero_one=True`` it is 0 or 1 and means that."""

    @property
    def options(self) -> tuple[str, ...]:
        """Keywords of a call that belong to the kind."""
        return (*super().options, "zero_one")

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1, zero_one: bool = False,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        """Check the arguments and make them clean: signs."""
        FLAG.check(owner, "zero_one", zero_one)
        if zero_one:
            *others, target = arguments
            target = r.enter(target, f"{owner}: {self.arguments[-1].name}")
            arguments = (*others, r.where(target == 1, 1.0, r.where(target == 0, -1.0, r.widen(target))))
        return super().enter(
            r, owner, arguments, weight=weight, mask=mask, settings=settings, axis=axis, find_kernel=find_kernel
        )


@dataclass(frozen=True)
class Pairs(Signed):
    """Row by row: two vectors, and whether they belong together."""

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> Arguments:
        """The same vector twice."""
        first = rng.standard_normal((4, 3))
        return first, first.copy(), np.ones(4)

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, Arguments]]:
        """One vector passes the other."""
        moving, held = (np.stack([row, np.ones_like(x)], axis=-1) for row in (x, np.zeros_like(x)))
        lines = {f"target {value:g}": (moving, held, np.full_like(x, value)) for value in (1, -1)}
        return "x in first (x, 1), second being (0, 1)", lines


@dataclass(frozen=True)
class Triplets(Kind):
    """Row by row: an anchor, a vector that belongs to it, and one that does not."""

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> Arguments:
        """The negative is far away."""
        anchor = rng.standard_normal((4, 3))
        return anchor, anchor.copy(), anchor + 1e3

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, Arguments]]:
        """The anchor passes both."""
        rows = [np.stack([entry, np.zeros_like(x)], axis=-1) for entry in (x, np.zeros_like(x), np.full_like(x, 2.0))]
        return "anchor, the positive at 0 and the negative at 2", {"": tuple(rows)}
