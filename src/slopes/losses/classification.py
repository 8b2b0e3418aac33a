"""Losses of a class or a yes: what it costs to give the truth so small a probability."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import loss
from slopes.domains import AboveOne, Flag, Positive
from slopes.ops import (
    e,
    exp,
    log,
    log_softmax,
    ratio,
    sigmoid,
    softmax,
    softmax_complement,
    softplus,
    where,
    xlog1py,
    xlogy,
)  # fmt: skip


@loss(
    "classification", space="probabilities", convex=True,
    definition=lambda prediction, target, base: -ops.expected(log(prediction), target) / log(base),
    same_as={"torch": "nn.functional.nll_loss(log(prediction), target, reduction='none')"},
)  # fmt: skip
def categorical_cross_entropy(prediction, target, *, base: AboveOne = e):
    """Categorical cross-entropy: the surprise, −log p, at the right class, of rows of probabilities.

    For training prefer `cross_entropy` on logits: a probability that has underflowed to 0 costs infinity here.
    """
    return -ops.expected_log(prediction, target) / log(base)


@categorical_cross_entropy.derivative
def _(prediction, target, *, base):
    return -ratio(ops.one_hot(target, like=prediction), prediction) / log(base)


@loss(
    "classification", convex=True,
    definition=lambda z, y, base, **_: -ops.expected(log(exp(z) / ops.sum(exp(z))), y) / log(base),
    same_as={"torch": "nn.functional.cross_entropy(prediction, target, reduction='none')"},
)  # fmt: skip
def cross_entropy(prediction, target, *, from_probabilities: Flag = False, base: AboveOne = e):
    """Softmax cross-entropy: the surprise, −log p, at the right class, of rows of logits.

    Both value and slope keep their digits when the network is sure: 1 − p is summed from the other classes.
    """
    if from_probabilities:
        return categorical_cross_entropy.body(prediction, target, base=base)
    return -ops.expected(log_softmax(prediction), target) / log(base)


@cross_entropy.derivative
def _(prediction, target, *, from_probabilities, base):
    if from_probabilities:
        return categorical_cross_entropy.slope_body(prediction, target, base=base)
    rows = ops.one_hot(target, like=prediction)
    others = ops.sum(rows) - rows
    return (softmax(prediction) * others - rows * softmax_complement(prediction)) / log(base)


@loss(
    "binary", convex=True,
    definition=lambda z, y, base, pos_weight, **_: (
        -(pos_weight * y * log(1 / (1 + exp(-z))) + (1 - y) * log(1 / (1 + exp(z)))) / log(base)
    ),
    same_as={"torch": "nn.functional.binary_cross_entropy_with_logits(prediction, target, reduction='none')"},
)  # fmt: skip
def binary_cross_entropy(
    prediction, target, *, from_probabilities: Flag = False, base: AboveOne = e, pos_weight: Positive = 1.0
):
    """Binary cross-entropy: the surprise at a yes or no, of logits; targets between 0 and 1 are chances of yes.

    A sum of two softplus without a difference. On probabilities nothing is clipped: a certain error costs infinity.
    """
    if from_probabilities:
        nats = -(pos_weight * xlogy(target, prediction) + xlog1py(1 - target, -prediction))
    else:
        nats = _share(pos_weight * target, softplus(-prediction)) + _share(1 - target, softplus(prediction))
    return nats / log(base)


def _share(part, cost):
    return where((part == 0) & (cost == inf), 0.0, part * cost)  # a certain and right answer costs 0, not 0 · inf


@binary_cross_entropy.derivative
def _(prediction, target, *, from_probabilities, base, pos_weight):
    if from_probabilities:
        slope = ratio(1 - target, 1 - prediction) - pos_weight * ratio(target, prediction)
    else:
        slope = (1 - target) * sigmoid(prediction) - pos_weight * target * sigmoid(-prediction)
    return slope / log(base)
