"""Kinds of tasks: their targets, and the losses that suit them."""

from __future__ import annotations

from enum import StrEnum


class TaskKind(StrEnum):
    """A kind of task, by the name that users write; other code asks for its properties."""

    targets: str  #: the targets in words
    losses: tuple[str, ...]  #: compared by default
    suitable: str  #: to suggest

    CLASSES = (
        "classification",
        "classes",
        ("cross_entropy", "mse", "mae"),
        "cross_entropy, binary_cross_entropy or mse",
    )
    YES_OR_NO = (
        "binary",
        "a yes or no",
        ("binary_cross_entropy", "sigmoid_focal", "mse"),
        "binary_cross_entropy, cross_entropy or mse",
    )
    NUMBERS = "regression", "numbers", ("mse", "mae", "huber"), "mse, mae or huber"
    COUNTS = "count", "counts", ("poisson_nll", "mse", "mae"), "poisson_nll, mse or mae"
    MASKS = (
        "segmentation",
        "masks",
        ("binary_cross_entropy", "sigmoid_focal", "dice"),
        "binary_cross_entropy, dice or lovasz_hinge",
    )

    def __new__(cls, name: str, targets: str = "", losses: tuple[str, ...] = (), suitable: str = "") -> TaskKind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.targets, kind.losses, kind.suitable = targets, losses, suitable
        return kind

    @property
    def has_classes(self) -> bool:
        """Whether the target is one of several classes, with a logit for each."""
        return self is TaskKind.CLASSES

    @property
    def has_strata(self) -> bool:
        """Whether samples have labels, whose proportions the parts keep."""
        return self in (TaskKind.CLASSES, TaskKind.YES_OR_NO)

    @property
    def has_numbers(self) -> bool:
        """Whether targets are numbers to standardise; else a network gives logits."""
        return self in (TaskKind.NUMBERS, TaskKind.COUNTS)

    @property
    def has_pixels(self) -> bool:
        """Whether there is a yes or no per pixel."""
        return self is TaskKind.MASKS
