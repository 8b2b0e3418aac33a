"""Kinds with a sign as target, and triplets."""

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
    """A kind whose last argument is −1 or 1, or with ``zero_one=True`` 0 or 1."""

    @property
    def options(self) -> tuple[str, ...]:
        """The keywords of a call that belong to the kind."""
        return (*super().options, "zero_one")

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1, zero_one: bool = False,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        """Check the arguments and return a clean batch with targets −1 and 1."""
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
    """Rows of two vectors, with a sign for whether they belong together."""

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> Arguments:
        """Return pairs of equal vectors."""
        first = rng.standard_normal((4, 3))
        return first, first.copy(), np.ones(4)

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, Arguments]]:
        """Return a vector that passes the other one."""
        moving, held = (np.stack([row, np.ones_like(x)], axis=-1) for row in (x, np.zeros_like(x)))
        lines = {f"target {value:g}": (moving, held, np.full_like(x, value)) for value in (1, -1)}
        return "x in first (x, 1), second being (0, 1)", lines


@dataclass(frozen=True)
class Triplets(Kind):
    """Rows of an anchor, a positive that belongs to it and a negative that does not."""

    def perfect(self, rng: np.random.Generator, settings: dict[str, Any]) -> Arguments:
        """Return triplets with a distant negative."""
        anchor = rng.standard_normal((4, 3))
        return anchor, anchor.copy(), anchor + 1e3

    def curve(self, x: Any, settings: dict[str, Any]) -> tuple[str, dict[str, Arguments]]:
        """Return an anchor that passes positive and negative."""
        rows = [np.stack([entry, np.zeros_like(x)], axis=-1) for entry in (x, np.zeros_like(x), np.full_like(x, 2.0))]
        return "anchor, the positive at 0 and the negative at 2", {"": tuple(rows)}
