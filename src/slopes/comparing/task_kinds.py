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

    LABELS = (
        "multilabel",
        "several labels for a sample",
        ("binary_cross_entropy", "sigmoid_focal", "mse"),
        "binary_cross_entropy, multilabel_soft_margin or mse",
    )
    TOKENS = (
        "tokens",
        "a class for each token",
        ("cross_entropy", "mse", "mae"),
        "cross_entropy, binary_cross_entropy or mse",
    )
    CLASS_MASKS = (
        "multiclass_segmentation",
        "masks of several classes",
        ("cross_entropy", "softmax_focal", "dice"),
        "cross_entropy, dice or lovasz_softmax",
    )

    def __new__(cls, name: str, targets: str = "", losses: tuple[str, ...] = (), suitable: str = "") -> TaskKind:
        kind = str.__new__(cls, name)
        kind._value_ = name
        kind.targets, kind.losses, kind.suitable = targets, losses, suitable
        return kind

    @property
    def has_classes(self) -> bool:
        """Whether a target is one of several classes, with a logit for each."""
        return self in (TaskKind.CLASSES, TaskKind.TOKENS, TaskKind.CLASS_MASKS)

    @property
    def has_strata(self) -> bool:
        """Whether a sample has one label, whose proportions the parts keep."""
        return self in (TaskKind.CLASSES, TaskKind.YES_OR_NO)

    @property
    def has_numbers(self) -> bool:
        """Whether targets are numbers to standardise; else a network gives logits."""
        return self in (TaskKind.NUMBERS, TaskKind.COUNTS)

    @property
    def has_rows_of_labels(self) -> bool:
        """Whether there is a yes or no for each label."""
        return self is TaskKind.LABELS

    @property
    def has_positions(self) -> bool:
        """Whether there is a target for each token or pixel of a sample."""
        return self is TaskKind.TOKENS or self.has_pixels

    @property
    def has_pixels(self) -> bool:
        return self in (TaskKind.MASKS, TaskKind.CLASS_MASKS)
