"""Ways to choose the entries that count: a mask, sample weights, or an ignored label."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from slopes.auditing.form import Arguments
from slopes.auditing.report import Skip
from slopes.auditing.signatures import EXTRAS, attribute_of, default_of
from slopes.auditing.subject import Subject, SubjectError


@dataclass(frozen=True)
class Selection:
    name: str
    role: str  #: "mask", "weight" or "ignore_index"
    shape: tuple[int, ...]  #: shape of the mask or labels
    dtype: torch.dtype = torch.bool
    inverted: bool = False  #: True marks entries that do not count
    label: int = -100
    given: bool = False  #: whether the call gives that label
    place: int | None = None  #: of a mask or weights among the arguments, if they are no option

    @property
    def is_mask(self) -> bool:
        return self.role == "mask"

    @property
    def is_weight(self) -> bool:
        return self.role == "weight"

    @property
    def is_label(self) -> bool:
        return self.role == "ignore_index"

    def keeping(self, keep: Tensor, arguments: Arguments) -> tuple[Arguments, dict[str, Any]]:
        """Arguments and options under which only entries in `keep` count."""
        if self.is_label:
            first, target, *rest = arguments
            target = torch.where(keep, target, self.label)
            return (first, target, *rest), {self.name: self.label} if self.given else {}
        return self.giving((keep ^ self.inverted).to(self.dtype), arguments)

    def giving(self, x: Tensor, arguments: Arguments) -> tuple[Arguments, dict[str, Any]]:
        """Arguments and options with this mask or these weights."""
        if self.place is None:
            return arguments, {self.name: x}
        return (*arguments[: self.place], x, *arguments[self.place + 1 :]), {}

    def spread(self, keep: Tensor, x: Tensor, axis: int) -> Tensor:
        if keep.ndim == x.ndim - 1 and keep.shape != x.shape[:1]:
            keep = keep.unsqueeze(axis)
        return keep.reshape(*keep.shape, *([1] * (x.ndim - keep.ndim))).expand(x.shape)


def keep_two_thirds(shape: tuple[int, ...]) -> Tensor:
    """Mask that keeps two of three entries."""
    return (torch.arange(max(1, torch.Size(shape).numel())) % 3 != 1).reshape(shape)


def selections(subject: Subject) -> list[Selection]:
    """Selections that the subject takes, found once per shape."""
    held: dict[tuple[int, ...], list[Selection]] = subject.notes.setdefault("selections", {})
    if subject.form.shape not in held:
        held[subject.form.shape] = list(_found(subject))
    return held[subject.form.shape]


def _found(subject: Subject) -> Iterator[Selection]:
    kind = subject.form.kind
    if kind is None or (kind.coupled and subject.card is None):
        return  # their masks mark pairs of positives
    arguments, names = subject.draw(), subject.keywords
    for place, (name, role) in enumerate(zip(subject.form.names, kind.roles, strict=False)):
        if role in EXTRAS.values():
            x = arguments[place]
            yield _turned(subject, Selection(name, role, tuple(x.shape), x.dtype, place=place), arguments)
    for name in names:
        if name in EXTRAS and not isinstance(default_of(subject.thing, name), (int, float)):  # a number is a factor
            tried = _mask(subject, name, arguments)
            if tried is not None:
                yield tried
    ignored = _ignored(subject, arguments)
    if ignored is not None:
        yield ignored


def _mask(subject: Subject, name: str, arguments: Arguments) -> Selection | None:
    first = arguments[0]
    whole = [tuple(x.shape) for x in arguments[1::-1]]  # of a target before a prediction's
    shapes = dict.fromkeys((*whole, tuple(first.shape[:-1]), tuple(first.shape[:1])))
    dtypes = (torch.bool, subject.form.dtype) if EXTRAS[name] == "mask" else (subject.form.dtype,)
    for shape in shapes:
        for dtype in dtypes:
            way = Selection(name, EXTRAS[name], shape, dtype)
            with contextlib.suppress(SubjectError, Skip):
                ones: dict[str, Any] = {name: torch.ones(shape, dtype=dtype)}
                plain = subject(*arguments, **ones)
                if plain.ndim and plain.shape != subject(*arguments).shape:
                    continue  # it was broadcast
                return _turned(subject, way, arguments)
    return None


def _turned(subject: Subject, way: Selection, arguments: Arguments) -> Selection:
    """Invert a mask if True hides an entry."""
    keep = keep_two_thirds(way.shape)
    if way.is_mask and not subject.form.numpy and keep.numel() > 1:
        given, options = way.keeping(keep, arguments)
        _, gradient = subject.gradient(*given, **options)
        counted = way.spread(keep, gradient, subject.form.axis)
        if bool((gradient[counted] == 0).all()) and bool((gradient[~counted] != 0).any()):
            return replace(way, inverted=True)
    return way


def _ignored(subject: Subject, arguments: Arguments) -> Selection | None:
    """Selection by ignore_index; −100 if the call gives it."""
    if len(arguments) != 2 or arguments[1].is_floating_point():
        return None
    label = attribute_of(subject.thing, "ignore_index", default_of(subject.thing, "ignore_index"))
    given = label is None
    if label is inspect.Parameter.empty or not (given or type(label) is int):
        return None
    shape = tuple(arguments[1].shape)
    way = Selection("ignore_index", "ignore_index", shape, label=-100 if given else label, given=given)
    if 0 <= way.label < subject.form.shape[subject.form.axis]:
        return None  # drawn labels have this class
    try:
        marked, options = way.keeping(keep_two_thirds(shape), arguments)
        subject(*marked, **options)
    except (SubjectError, Skip):
        return None
    return way
