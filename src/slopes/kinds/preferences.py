"""Kinds of the log-likelihoods that a language model gives: of answers that people prefer, and of tokens."""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType
from typing import Any, ClassVar

import numpy as np

from slopes.constants import Array
from slopes.domains import OneOf
from slopes.kinds.base import Batch, FindKernel, Kind, no_kernel
from slopes.kinds.examples import Arguments, Examples, Ordered, RankedPairExamples
from slopes.kinds.others import Ranking

NORMALIZER = OneOf(("token", "sequence", "batch"))


class PreferenceExamples(Examples):
    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        first, second, *rest = drawn
        yield "a likelier preferred answer", (first + 1.0, second, *rest), (first - 1.0, second, *rest)
        yield "a less likely rejected answer", (first, second - 1.0, *rest), (first, second + 1.0, *rest)


@dataclass(frozen=True)
class Preference(Kind):
    """The preferred and the rejected answer, and both under a reference model where there is one."""

    example_maker: ClassVar[type[Examples]] = PreferenceExamples

    @property
    def compares_numbers(self) -> bool:
        """No: an answer is not to be as likely as the other."""
        return False


class LikelihoodExamples(Examples):
    """Numbers that stay below 0."""

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        first, second = drawn
        yield "a likelier preferred answer", (first / 2, second), (first * 2, second)
        yield "a less likely rejected answer", (first, second * 2), (first, second / 2)

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        return "chosen, rejected being −1", {"": (x, np.full_like(x, -1.0))}


@dataclass(frozen=True)
class Likelihoods(Preference):
    """The preferred and the rejected answer, by the mean log-likelihoods of their tokens."""

    example_maker: ClassVar[type[Examples]] = LikelihoodExamples


class JudgedExamples(RankedPairExamples):
    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """A good answer, and a bad one."""
        zero = np.zeros_like(x)
        return self.kind.about, {f"target {value}": (x, zero, zero + value) for value in (1, -1)}


@dataclass(frozen=True)
class Judged(Ranking):
    """Single answers, under a policy and a reference model, each with a sign: 1 is good, −1 is bad."""

    example_maker: ClassVar[type[Examples]] = JudgedExamples


class PolicyExamples(Examples):
    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        _, reference, advantage = drawn
        step = 0.1 * np.sign(advantage)
        yield "a likelier good token", (reference + step, *drawn[1:]), (reference - step, *drawn[1:])

    def curve(self, x: Any) -> tuple[str, dict[str, Arguments]]:
        """A token that was good, and one that was bad."""
        lines = {f"advantage {value}": (x, np.zeros_like(x), np.full_like(x, value)) for value in (1, -1)}
        return "log of how much likelier the token has become", lines


@dataclass(frozen=True)
class Policy(Kind):
    """Tokens on the last axis: log-likelihoods under the policy and under its past state, which drew them; advantages.

    The mean divides by the tokens that count, or by the sequences with one: with ``normalizer="sequence"`` each is the
    mean of its tokens, with "batch" their sum.
    """

    own_options: ClassVar[tuple[str, ...]] = ("normalizer",)
    example_maker: ClassVar[type[Examples]] = PolicyExamples

    def enter(
        self, r: ModuleType, owner: str, arguments: Arguments, *,
        weight: Array | None, mask: Array | None, settings: dict[str, Any], axis: int = -1,
        normalizer: str = "token", find_kernel: FindKernel = no_kernel,
    ) -> Batch:  # fmt: skip
        NORMALIZER.check(owner, "normalizer", normalizer)
        batch = super().enter(r, owner, arguments, weight=weight, mask=mask, settings=settings, find_kernel=find_kernel)
        if normalizer != "token":
            if not batch.like.ndim:
                raise ValueError(f"{owner}: normalizer={normalizer!r} needs an axis of tokens, got a single number")
            batch.check_weights()
            counted = batch.coefficient
            counted = r.where(batch.like == batch.like, 1.0, 1.0) if counted is None else counted
            total = r.sum(counted)
            shares = counted / r.where(total == 0, 1.0, total)  # of a sequence they sum to 1
            if normalizer == "sequence":
                batch.coefficient = shares
            else:
                batch.coefficient, batch.denominator = counted, shares
        return batch
