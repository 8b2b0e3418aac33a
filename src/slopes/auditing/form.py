"""Declarations about a subject, and the form of its arguments."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from slopes.auditing.boosting_frameworks import BOOSTING
from slopes.auditing.frameworks import FRAMEWORKS
from slopes.domains import OneOf, shown
from slopes.hints import did_you_mean
from slopes.kinds import ACTIVATION, KINDS, Examples, Kind
from slopes.kinds.spaces import LOG_PROBABILITIES, LOGITS, PROBABILITIES, Space, read_space

Arguments = tuple[Tensor, ...]
DECLARED_SPACES = (LOGITS, PROBABILITIES, LOG_PROBABILITIES)
ROWS = 8  #: rows of a batch


def widened(arguments: Arguments) -> Arguments:
    return tuple(x.double() if x.is_floating_point() else x for x in arguments)


@dataclass(frozen=True, kw_only=True)
class Declared:
    """Declarations of the author, which no call can find out; `slopes.audit` explains them."""

    kind: str | None = None
    space: str | None = None
    elicits: str | None = None
    bounded: bool = False
    batch_level: bool = False
    terms: Mapping[str, Callable[..., Any]] = field(default_factory=dict)
    divisor: str | None = None
    example: Any = None
    roles: Any = None
    call: Callable[..., Any] | None = None
    framework: str | None = None

    def __post_init__(self) -> None:
        for name in ("kind", "space", "elicits", "divisor", "framework"):
            value = getattr(self, name)
            if value is not None and not isinstance(value, str):
                raise TypeError(f"audit: {name} must be text, got {shown(value)}")
        if self.divisor is not None:
            OneOf(("elements", "rows", "weights", "valid", "one")).check("audit", "divisor", self.divisor)
        if self.framework is not None:
            OneOf(tuple(FRAMEWORKS)).check("audit", "framework", self.framework)
        kinds = ("activation", *KINDS, *BOOSTING)
        if self.kind is not None and self.kind not in kinds:
            raise ValueError(f"audit: no kind {self.kind!r}; {did_you_mean(self.kind, kinds)}")
        if self.space is not None:
            object.__setattr__(self, "space", read_space("audit", "space", self.space, DECLARED_SPACES))
        if self.elicits is not None and not re.fullmatch(r"mean|median|probability|quantile 0?\.\d+", self.elicits):
            raise ValueError(
                f"audit: elicits must be 'mean', 'median', 'probability' or a quantile, as 'quantile 0.9', "
                f"got {self.elicits!r}"
            )
        self._check_example()

    def _check_example(self) -> None:
        if self.call is not None and not callable(self.call):
            raise TypeError(f"audit: call must be a function of the loss and a batch, got {shown(self.call)}")
        beside = [name for name in ("kind", "space", "elicits") if getattr(self, name) is not None]
        if self.example is None and (self.roles is not None or self.call is not None):
            raise ValueError("audit: roles and call describe the tensors of example, which is missing")
        if self.example is not None and beside:
            raise ValueError(f"audit: {beside[0]} is for losses without example; give roles to its tensors instead")


@dataclass(frozen=True, kw_only=True)
class Form:
    """Way to call a subject."""

    kind: Kind | None = None  #: None for an activation
    shape: tuple[int, ...] = (ROWS,)  #: of the first argument
    axis: int = -1  #: axis of the classes, or of a row's entries
    target: str = "as drawn"  #: or "rows" (one-hot), "whole" (integers), "squeezed", "lists", "zero_one" (signs)
    place: int = 0  #: place of the first argument in a call
    extra: Mapping[str, str] = field(default_factory=dict)  #: further required arguments: "mask" or "weight"
    settings: Mapping[str, Any] = field(default_factory=dict)  #: a card's parameters, on which its spaces depend
    reduction: str | None = None  #: how to choose one: "keyword" or "attribute"
    numpy: bool = False  #: whether it takes only NumPy arrays
    dtype: torch.dtype = torch.float64  #: float32 only if it takes no float64
    elementwise: bool = True  #: whether an activation maps each entry by itself
    rival: str = ""  #: another kind that it may as well be of
    sure: bool = True  #: whether the kind is certain; if not, findings that depend on it are notes

    @property
    def learned(self) -> tuple[int, ...]:
        """Places of the arguments that come out of a model."""
        return (self.kind or ACTIVATION).learned

    @property
    def has_fixed_shape(self) -> bool:
        return self.kind is not None and self.kind.has_fixed_shape

    @property
    def names(self) -> tuple[str, ...]:
        """Names of the arguments, prediction first."""
        return tuple(argument.name for argument in (self.kind or ACTIVATION).arguments)

    @property
    def examples(self) -> Examples:
        """Maker of arguments in NumPy, with the entries of a row last."""
        return (self.kind or ACTIVATION).examples(dict(self.settings))

    @property
    def spaces(self) -> tuple[Space, ...]:
        return tuple(self.examples.spaces)

    @property
    def classes(self) -> int:
        return self.shape[self.axis] if self.shape else 1

    def class_axis(self, ndim: int) -> int:
        """Axis of the classes in a user's batch, where they follow the rows."""
        return 1 if ndim > 1 and self.axis in (1, -1) else -1

    def laid_out(self, arguments: Sequence[Any], dtype: torch.dtype | None = None) -> Arguments:
        """Arguments of `examples` as tensors in the subject's layout."""
        return tuple(self.lay_out(place, x, dtype) for place, x in enumerate(arguments))

    def lay_out(self, place: int, x: Any, dtype: torch.dtype | None = None) -> Tensor:
        if place and self.target == "rows" and x.dtype.kind in "iu":
            x = np.eye(self.classes)[x]
        if self._has_axis(x):
            x = np.moveaxis(x, -1, self.axis)
        if place and self.target == "squeezed":  # without axis 1
            x = x.squeeze(1)
        if place and x.dtype.kind == "f":
            x = self._counted(x)
        if self.target == "zero_one" and self.spaces[place].is_sign:
            x = (x + 1) / 2
        laid = torch.from_numpy(np.ascontiguousarray(x))
        if laid.dtype is torch.bool:
            return laid
        return laid.to(dtype or self.dtype) if laid.is_floating_point() else laid.long()

    def _counted(self, target: Any) -> Any:
        """The target in integers, if these are its layout."""
        if self.target == "whole":
            return np.round(target).astype(np.int64)
        if self.target == "lists":  # indices of the present classes, then −1
            listed = np.sort(np.where(target == 1, np.arange(self.classes), self.classes), -1)
            return np.where(listed == self.classes, -1, listed).astype(np.int64)
        return target

    def canonical(self, place: int, x: Tensor) -> Any:
        """Argument in the layout of `examples`; lists of classes stay as they are."""
        if place and self.target == "squeezed":
            x = x.unsqueeze(1)
        if place and self.target == "whole":
            x = x.to(self.dtype)
        y = x.detach().numpy()
        if self.target == "zero_one" and self.spaces[place].is_sign:
            y = 2 * y - 1
        return np.moveaxis(y, self.axis, -1) if self._has_axis(y) else y

    def _has_axis(self, x: Any) -> bool:
        return self.kind is not None and self.kind.rowwise and x.ndim == len(self.shape)
