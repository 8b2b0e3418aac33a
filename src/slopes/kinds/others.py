"""Kinds with a sign as target, and triplets."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

from slopes.constants import Array
from slopes.domains import Flag, OneOf
from slopes.kinds.base import Batch, FindKernel, Kind, no_kernel
from slopes.kinds.examples import Arguments, Examples, RankedPairExamples, TripletExamples, VectorPairExamples

FLAG: OneOf = Flag.__metadata__[0]  # type: ignore[attr-defined]


@dataclass(frozen=True)
class Signed(Kind):
    """The last argument is −1 or 1, or with ``zero_one=True`` 0 or 1."""

    @property
    def options(self) -> tuple[str, ...]:
        return (*super().options, "zero_one")

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1, zero_one: bool = False,
        find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        FLAG.check(owner, "zero_one", zero_one)
        if zero_one:
            *others, target = arguments
            target = r.enter(target, f"{owner}: {self.arguments[-1].name}")
            arguments = (*others, r.where(target == 1, 1.0, r.where(target == 0, -1.0, r.widen(target))))
        return super().enter(
            r, owner, arguments, weight=weight, mask=mask, settings=settings, axis=axis, find_kernel=find_kernel
        )


@dataclass(frozen=True)
class Ranking(Signed):
    example_maker: ClassVar[type[Examples]] = RankedPairExamples


@dataclass(frozen=True)
class Pairs(Signed):
    example_maker: ClassVar[type[Examples]] = VectorPairExamples


@dataclass(frozen=True)
class Triplets(Kind):
    example_maker: ClassVar[type[Examples]] = TripletExamples
