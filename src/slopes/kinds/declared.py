"""The kind of one loss, whose arguments are like a batch that is given as an example, and the roles of these."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from slopes.kinds.base import Kind
from slopes.kinds.examples import Arguments, Examples, Ordered
from slopes.kinds.spaces import LOG_PROBABILITIES, LOGITS, POSITIVE, PROBABILITIES, REAL, Space


@dataclass(frozen=True)
class Role:
    space: Space
    is_learned: bool = False  #: whether it comes out of the model, so that a gradient is due
    direction: int = 0  #: 1 if the loss falls as the tensor rises, −1 if it rises
    varies: bool = True  #: whether noise may be added
    must_teach: bool = True  #: whether a gradient must depend on it


LABELS = replace(REAL, name="labels", is_real=False)
ROLES = {
    "prediction": Role(REAL, is_learned=True),
    "logits": Role(LOGITS, is_learned=True),
    "probabilities": Role(PROBABILITIES, is_learned=True),
    "log_probabilities": Role(LOG_PROBABILITIES, is_learned=True),
    "positive": Role(POSITIVE, is_learned=True),
    "chosen": Role(REAL, is_learned=True, direction=1),
    "rejected": Role(REAL, is_learned=True, direction=-1),
    "target": Role(REAL),
    "teacher": Role(LOGITS),
    "reference": Role(REAL),
    "input": Role(REAL, must_teach=False),
    "labels": Role(LABELS, varies=False),
    "weight": Role(POSITIVE, varies=False, must_teach=False),
    "mask": Role(LABELS, varies=False, must_teach=False),
}


@dataclass(frozen=True)
class ExampleKind(Kind):
    """Kind of one loss, whose arguments are like an example. A learned argument is first, if there is any."""

    batch: Arguments = field(default=(), compare=False, repr=False)
    has_fixed_shape: ClassVar[bool] = True
    compares_vectors: ClassVar[bool] = False
    goal: ClassVar[None] = None

    @property
    def learned(self) -> tuple[int, ...]:
        return tuple(place for place, role in enumerate(self.roles) if ROLES[role].is_learned)

    def examples(self, settings: dict[str, Any]) -> Examples:
        return LikeExamples(self, settings)


class LikeExamples(Examples):
    """Rows of the example in another order, with noise on all that is no label, weight or mask."""

    kind: ExampleKind

    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> Arguments:
        size = len(self.kind.batch[0])
        rows = rng.permutation(size) if shape[0] == size else rng.integers(0, size, shape[0])
        return tuple(
            _varied(rng, x[rows], x, ROLES[role]) for x, role in zip(self.kind.batch, self.kind.roles, strict=True)
        )

    def right(self, target: Any, size: float, classes: int) -> None:
        """No prediction is known to be right."""

    def may_equal(self, place: int, x: Any, first: Any) -> bool:
        return self.kind.roles[place] in ("target", "teacher") and super().may_equal(place, x, first)

    def ordered(self, rng: np.random.Generator, drawn: Arguments) -> Ordered:
        for place, role in enumerate(self.kind.roles):
            step = ROLES[role].direction
            if step:
                better, worse = (_replaced(drawn, {place: drawn[place] + sign * step}) for sign in (1.0, -1.0))
                yield f"a {'higher' if step > 0 else 'lower'} {self.kind.arguments[place].name}", better, worse
        yield from self._labelled(drawn)
        first, *rest = drawn
        twin = next((x for place, x in enumerate(rest, start=1) if self.may_equal(place, x, first)), None)
        if self.space.is_unbounded and twin is not None and "labels" not in self.kind.roles:
            yield from self._with_noise(rng, twin, tuple(rest))

    def _labelled(self, drawn: Arguments) -> Ordered:
        """Yield logits that are right and wrong, beside a teacher who is right."""
        roles = self.kind.roles
        if "labels" not in roles or not self.space.is_logit:
            return
        first, labels = drawn[0], drawn[roles.index("labels")]
        if labels.dtype.kind not in "iu" or labels.shape != first.shape[:-1]:
            return
        places = [p for p, x in enumerate(drawn) if x.shape == first.shape and roles[p] in ("logits", "teacher")]
        right, wrong = (5.0 * (2 * np.eye(first.shape[-1])[y % first.shape[-1]] - 1) for y in (labels, labels + 1))
        better = _replaced(drawn, dict.fromkeys(places, right))
        yield "a prediction that is right", better, _replaced(better, {0: wrong})


def _replaced(drawn: Arguments, places: Mapping[int, Any]) -> Arguments:
    return tuple(places.get(place, x) for place, x in enumerate(drawn))


def _varied(rng: np.random.Generator, x: Any, like: Any, role: Role) -> Any:
    """The rows with noise of half the example's spread, inside the bounds that the example keeps."""
    is_given = not role.is_learned  # and its numbers may tell its space
    if not role.varies or x.dtype.kind != "f" or (is_given and _is_whole(like)):
        return x
    noise = rng.standard_normal(x.shape)
    if role.space.is_log_probability:
        moved = x + noise
        has_rows = _has_rows(np.exp(like))
        return moved - np.log(np.exp(moved).sum(-1, keepdims=True)) if has_rows else np.minimum(moved, 0.0)
    if role.space.is_probability or (is_given and _lies_in(like, 0, 1)):
        moved = _with_odds(x, np.exp(noise))
        return moved / moved.sum(-1, keepdims=True) if _has_rows(like) else moved
    if role.space.is_positive or (is_given and _lies_in(like, 0, np.inf)):
        return x * np.exp(0.5 * noise)
    spread = float(like.std()) or 1.0
    return x + 0.5 * spread * noise


def _with_odds(probabilities: Any, factor: Any) -> Any:
    """Probabilities whose odds are multiplied by a factor."""
    held = np.clip(probabilities, 1e-6, 1 - 1e-6)
    odds = held / (1 - held) * factor
    return odds / (1 + odds)


def _is_whole(numbers: Any) -> bool:
    return bool((numbers == np.round(numbers)).all())


def _lies_in(numbers: Any, low: float, high: float) -> bool:
    return bool(numbers.min() >= low and numbers.max() <= high)


def _has_rows(chances: Any) -> bool:
    """Whether rows sum to 1."""
    return bool(chances.ndim) and chances.shape[-1] > 1 and np.allclose(chances.sum(-1), 1, atol=1e-3)
