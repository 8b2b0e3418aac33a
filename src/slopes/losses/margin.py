"""Losses of a margin by which the right side is to be ahead."""

from __future__ import annotations

from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import NonNegative, OneOf, Positive
from slopes.facts import Paper
from slopes.losses.classification import binary_cross_entropy
from slopes.ops import exp, expected, log, maximum, one_hot, sigmoid, softplus, step, top, where

CRAMMER_SINGER = Paper(
    "Crammer, Singer", 2001, "On the algorithmic implementation of multiclass kernel-based vector machines",
    "https://www.jmlr.org/papers/v2/crammer01a.html",
)  # fmt: skip


def _lacks(x):
    """max(x, 0), with a slope of 0 at 0."""
    return where(x <= 0, 0.0, x)


def _rivals(prediction, target, form, margin):
    """(right class as a row of 0 and 1, its shortfall to each rival that counts)."""
    if target.ndim < prediction.ndim:
        scores, right, own = prediction, expected(prediction, target)[..., None], one_hot(target, like=prediction)
    else:  # each class in turn is the right one
        scores, right, own = prediction[..., None, :], prediction[..., :, None], ops.eye(prediction)
    lacks = where(own == 1, 0.0, _lacks(margin + scores - right))
    others = where(lacks == lacks, 0.0, lacks)  # a kernel finds the largest beside a NaN
    return own, where(top(lacks) == 1, lacks, others) if form == "crammer_singer" else lacks


@loss(
    "margin", convex=True, lipschitz=1.0, kinks=(1.0,),
    same_as={
        "optax": "losses.hinge_loss(prediction, target)",
        "keras": "losses.hinge(target[..., None], prediction[..., None])",
    },
)  # fmt: skip
def hinge(prediction, target):
    """Hinge loss: 1 less the margin, prediction times target, and 0 for a margin above 1.

    The slope at a margin of 1 is 0, as in Optax. PyTorch's hinge_embedding_loss is another loss.
    """
    return _lacks(1 - target * prediction)


@hinge.derivative
def _(prediction, target):
    return -target * step(1 - target * prediction)


@loss(
    "margin", convex=True,
    same_as={"keras": "losses.squared_hinge(target[..., None], prediction[..., None])"},
)  # fmt: skip
def squared_hinge(prediction, target):
    """Squared hinge loss: the square of `hinge`.

    There is no factor of one half.
    """
    return maximum(1 - target * prediction, 0.0) ** 2


@squared_hinge.derivative
def _(prediction, target):
    return -2 * target * maximum(1 - target * prediction, 0.0)


@loss(
    "margin", convex=True, lipschitz=1.0,
    definition=lambda prediction, target: log(1 + exp(-target * prediction)),
    same_as={
        "torch": "nn.functional.soft_margin_loss(prediction, target, reduction='none')",
        "optax": "losses.sigmoid_binary_cross_entropy(prediction, (target + 1) / 2)",
        "sklearn": "_loss.HalfBinomialLoss().loss((target.ravel() + 1) / 2, prediction.ravel()).reshape(target.shape)",
    },
)  # fmt: skip
def soft_margin(prediction, target):
    """Logistic loss: a hinge without a corner, log(1 + exp(−m)) of the margin m; binary cross-entropy for −1 and 1.

    PyTorch's overflows from a margin of −89 in float32.
    """
    return softplus(-target * prediction)


@soft_margin.derivative
def _(prediction, target):
    return -target * sigmoid(-target * prediction)


@loss(
    "margin", minimum=None,
    same_as={"torch": "nn.functional.hinge_embedding_loss(prediction, target, reduction='none', margin=margin)"},
)  # fmt: skip
def hinge_embedding(prediction, target, *, margin: Positive = 1.0):
    """Hinge embedding loss: a distance for target 1, its shortfall to the margin for target −1.

    A negative prediction sinks it without bound. At the margin the slope is −1, as in PyTorch.
    """
    return where(target > 0, prediction, maximum(margin - prediction, 0.0))


@hinge_embedding.derivative
def _(prediction, target, *, margin):
    return where(target > 0, 1.0, -_wanting(margin - prediction))


def _wanting(lack):
    """1 where lack >= 0, else 0: PyTorch's slope of a clamp."""
    return 1 - step(-lack)


@loss(
    "ranking", convex=True,
    same_as={
        "torch": "nn.functional.margin_ranking_loss(first, second, target, margin=margin, reduction='none')",
    },
)  # fmt: skip
def margin_ranking(first, second, target, *, margin: NonNegative = 0.0):
    """Margin ranking loss: how far the input to rank higher falls short of the other plus margin.

    Target 1 ranks the first higher, −1 the second. At a lead of the margin the slope is ±1, as in PyTorch.
    """
    return maximum(margin - target * (first - second), 0.0)


@margin_ranking.derivative
def _(first, second, target, *, margin):
    return -target * _wanting(margin - target * (first - second))


def _largest(x):
    return expected(x, top(x))


@loss(
    "classification", convex=True, papers=(CRAMMER_SINGER,),
    definition=lambda z, y, margin, p, **_: _largest(
        (1 - one_hot(y, like=z)) * maximum(margin + z - ops.sum(one_hot(y, like=z) * z), 0) ** p
    ),
    same_as={
        "torch": (
            "nn.functional.relu(margin + prediction.scatter(1, target[:, None], -inf).amax(1)"
            " - prediction.gather(1, target[:, None])[:, 0])",
            "nn.functional.multi_margin_loss(prediction, target)",
        ),
        "optax": "losses.multiclass_hinge_loss(prediction, target)",
        "keras": "losses.categorical_hinge(ops.one_hot(target, prediction.shape[-1]),"
        " prediction - ops.min(prediction, -1, keepdims=True))",
    },
)  # fmt: skip
def multiclass_hinge(
    prediction, target, *,
    form: Annotated[str, OneOf(("crammer_singer", "weston_watkins"))] = "crammer_singer",
    margin: Positive = 1.0, p: Annotated[int, OneOf((1, 2))] = 1,
):  # fmt: skip
    """Multi-class hinge: the right class's shortfall to the worst rival plus margin, or summed over rivals.

    Crammer and Singer take the worst (Keras counts one below 0 as 0). Weston and Watkins sum over rivals, which
    PyTorch's multi_margin_loss divides by C. Rows of probabilities take C² memory.
    """
    _, lacks = _rivals(prediction, target, form, margin)
    cost = ops.sum(lacks if p == 1 else lacks * lacks)[..., 0]
    return cost if target.ndim < prediction.ndim else expected(cost, target)


@multiclass_hinge.derivative
def _(prediction, target, *, form, margin, p):
    own, lacks = _rivals(prediction, target, form, margin)
    rise = step(lacks) if p == 1 else lacks
    if target.ndim < prediction.ndim:
        return p * (rise - own * ops.sum(rise))
    rise = ops.scaled(rise, p * target[..., None])
    return ops.sum(rise.mT)[..., 0] - ops.sum(rise)[..., 0]


@loss(
    "multilabel", convex=True,
    definition=lambda z, y, margin: _over_pairs(lambda lack: maximum(lack, 0), y, 1 - y, z, margin) / _classes(z),
)  # fmt: skip
def multilabel_margin(prediction, target, *, margin: Positive = 1.0):
    """Multi-label hinge: the sum of each present class's shortfall to each absent one plus margin, divided by C.

    Targets are rows of 0 and 1, or probabilities (PyTorch: lists of classes).
    """
    absent = maximum(1 - target, 0.0)  # PyTorch's list may name a class twice: a target of 2
    return _over_pairs(_lacks, target, absent, prediction, margin) / prediction.shape[-1]


@multilabel_margin.derivative
def _(prediction, target, *, margin):
    (y, missing, z), (other_y, other_missing, other_z) = (
        tuple(row[place] for row in (target, maximum(1 - target, 0.0), prediction))
        for place in ((..., slice(None), None), (..., None, slice(None)))
    )
    as_rival, as_right = step(margin - other_z + z), step(margin - z + other_z)
    return ops.sum(other_y * missing * as_rival - y * other_missing * as_right)[..., 0] / prediction.shape[-1]


def _over_pairs(lacks, present, absent, prediction, margin):
    def cost(y, _, z, __, missing, other):
        return ops.scaled(lacks(margin - z + other), y * missing)

    return ops.sum_pairs(cost, present, absent, prediction)


def _classes(x):
    return expected(1 + 0 * x, 1 + 0 * x)


@loss(
    "multilabel", convex=True,
    definition=lambda z, y: expected(y * log(1 + exp(-z)) + (1 - y) * log(1 + exp(z)), 1 + 0 * z) / _classes(z),
    same_as={
        "torch": "nn.functional.multilabel_soft_margin_loss(prediction, target, reduction='none')",
        "keras": (
            "losses.binary_crossentropy(target, prediction, from_logits=True)",
            "losses.binary_crossentropy(target, prediction)",
        ),
    },
)  # fmt: skip
def multilabel_soft_margin(prediction, target):
    """Multi-label soft margin: the binary cross-entropy of each class, of logits, averaged over classes.

    It has one value per row, `binary_cross_entropy` one per class.
    """
    return ops.sum(binary_cross_entropy.body(prediction, target))[..., 0] / prediction.shape[-1]


@multilabel_soft_margin.derivative
def _(prediction, target):
    return ((1 - target) * sigmoid(prediction) - target * sigmoid(-prediction)) / prediction.shape[-1]
