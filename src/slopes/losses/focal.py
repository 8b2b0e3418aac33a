"""Focal losses: cross-entropies that make little of what is already right."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import loss
from slopes.domains import NonNegative, UnitInterval, UnitIntervalOrNone
from slopes.facts import Paper
from slopes.losses.classification import _share, binary_cross_entropy
from slopes.ops import exp, log, log1p, maximum, minimum, sigmoid, softmax, softplus, where

FOCAL = Paper("Lin et al.", 2017, "Focal Loss for Dense Object Detection", "arXiv:1708.02002")


def _balance(target, alpha):
    return 1 if alpha is None else alpha * target + (1 - alpha) * (1 - target)


def _wrong(prediction, target, gamma):
    """(the chance of being wrong to the power gamma, the slope of that chance's log)."""
    yes, no = sigmoid(prediction), sigmoid(-prediction)
    chance = target * no + (1 - target) * yes
    sure = chance < 1e-18  # only a certain target gets there: it is exp(−softplus), whose powers have finite slopes
    chance = where(sure, 1.0, chance)
    power = where(sure, exp(-gamma * softplus(where(target < 0.5, -prediction, prediction))), chance**gamma)
    return power, where(sure, where(target < 0.5, no, -yes), (1 - 2 * target) * yes * no / chance)


@loss(
    "binary", papers=(FOCAL,),
    definition=lambda z, y, gamma, alpha: (
        _balance(y, alpha) * (y / (1 + exp(z)) + (1 - y) / (1 + exp(-z))) ** gamma
        * (y * log(1 + exp(-z)) + (1 - y) * log(1 + exp(z)))
    ),
    same_as={
        "torchvision": (
            "ops.sigmoid_focal_loss(prediction, target, alpha=-1 if alpha is None else alpha, gamma=gamma)",
            "ops.sigmoid_focal_loss(prediction, target)",
        ),
        "optax": "losses.sigmoid_focal_loss(prediction, target, alpha=alpha, gamma=gamma)",
        "keras": (
            "losses.binary_focal_crossentropy(target[..., None], prediction[..., None], gamma=gamma, from_logits=True)",
            "losses.binary_focal_crossentropy(target, prediction)",
        ),
    },
)  # fmt: skip
def sigmoid_focal(prediction, target, *, gamma: NonNegative = 2.0, alpha: UnitIntervalOrNone = None):
    """Binary cross-entropy times the chance of being wrong to the power gamma, of logits.

    Alpha is off; a number weighs yes by alpha and no by 1 − alpha (torchvision and kornia: 0.25). With a target
    between 0 and 1 the chance of being wrong is the mean of both. Slopes stay finite where it underflows.
    """
    power, _ = _wrong(prediction, target, gamma)
    return _balance(target, alpha) * power * binary_cross_entropy.body(prediction, target)


@sigmoid_focal.derivative
def _(prediction, target, *, gamma, alpha):
    power, rise = _wrong(prediction, target, gamma)
    error = (1 - target) * sigmoid(prediction) - target * sigmoid(-prediction)
    return _balance(target, alpha) * power * (gamma * rise * binary_cross_entropy.body(prediction, target) + error)


@loss(
    "classification", papers=(FOCAL,),
    definition=lambda z, y, gamma: ops.expected(
        -((1 - exp(z) / ops.sum(exp(z))) ** gamma) * log(exp(z) / ops.sum(exp(z))), y
    ),
    same_as={
        "kornia": (
            "losses.focal_loss(prediction, target, alpha=None, gamma=gamma).sum(1)",
            "losses.focal_loss(prediction, target, alpha=None, gamma=gamma, reduction='mean')",
        ),
        "keras": (
            "losses.categorical_focal_crossentropy(ops.one_hot(target, prediction.shape[-1]), prediction, alpha=1.0, "
            "gamma=gamma, from_logits=True)",
            "losses.categorical_focal_crossentropy(ops.one_hot(target, prediction.shape[-1]), prediction, "
            "from_logits=True)",
        ),
        "monai": (
            "losses.FocalLoss(to_onehot_y=True, use_softmax=True, gamma=gamma, reduction='none')"
            "(prediction, target[:, None]).sum(1)",
            "losses.FocalLoss(to_onehot_y=True, use_softmax=True)(prediction, target[:, None])",
        ),
        "smp": (
            "losses._functional.softmax_focal_loss_with_logits(prediction, target, gamma=gamma, reduction='none')",
            "losses.FocalLoss('multiclass')(prediction, target)",
        ),
    },
)  # fmt: skip
def softmax_focal(prediction, target, *, gamma: NonNegative = 2.0):
    """Cross-entropy times the chance of being wrong to the power gamma, of rows of logits.

    The mean is over rows: kornia and MONAI also divide by the number of classes. What is alpha elsewhere (Keras:
    0.25 for every class) is `class_weight`. Everything is a softplus of log(p / (1 − p)), which never underflows.
    """
    rows = ops.one_hot(target, like=prediction)
    logit = _held(prediction, rows)
    return ops.sum(rows * exp(-gamma * softplus(logit)) * softplus(-logit))[..., 0]


def _held(prediction, rows):
    logit = ops.softmax_logit(prediction)
    return where((rows == 0) & (logit == -inf), 0.0, logit)  # costs infinity, and does not count


@softmax_focal.derivative
def _(prediction, target, *, gamma):
    rows = ops.one_hot(target, like=prediction)
    logit = _held(prediction, rows)
    power, cost, near = rows * exp(-gamma * softplus(logit)), softplus(-logit), minimum(logit, 40.0)
    own = power * (gamma * sigmoid(logit) * cost + sigmoid(-logit))
    others = power * (1 + gamma * where(logit > 40, 1.0, exp(near) * softplus(-near)))  # own / (1 − p)
    return softmax(prediction) * ops.sum_others(others, prediction) - own


@loss(
    "binary",
    papers=(Paper("Ridnik et al.", 2020, "Asymmetric Loss For Multi-Label Classification", "arXiv:2009.14119"),),
    definition=lambda z, y, gamma_neg, gamma_pos, clip: (
        y * log(1 + exp(-z)) / (1 + exp(z)) ** gamma_pos
        - (1 - y) * maximum(1 / (1 + exp(-z)) - clip, 0) ** gamma_neg
        * log(1 - maximum(1 / (1 + exp(-z)) - clip, 0))
    ),
    same_as={
        "timm": (
            "(lambda y, of: y * of(prediction, 1 + 0 * y) + (1 - y) * of(prediction, 0 * y))"
            "(target.float(), loss.AsymmetricLossMultiLabel(gamma_neg, gamma_pos, clip, reduction='none'))",
            "loss.AsymmetricLossMultiLabel()(prediction, target)",
        ),
    },
)  # fmt: skip
def asymmetric(
    prediction, target, *, gamma_neg: NonNegative = 4.0, gamma_pos: NonNegative = 1.0, clip: UnitInterval = 0.05
):
    """Focal cross-entropy of logits with an exponent for yes, one for no, and no cost of a no below the clip.

    One value for each label: sum over the labels of a sample for the authors' number. The gradient goes through the
    powers, as in timm; the authors' code stops it there. No probability is clamped, so what is surely wrong still
    learns, except that a clip above 0 flattens a wrong yes by itself.
    """
    yes = exp(-gamma_pos * softplus(prediction)) * softplus(-prediction)
    return _share(target, yes) + _share(1 - target, _wrong_yes(prediction, gamma_neg, clip))


def _wrong_yes(prediction, gamma, clip):
    shifted = maximum(sigmoid(prediction) - clip, 0.0)
    rest = maximum(minimum(sigmoid(-prediction) + clip, 1.0), 1e-30)  # 1 − shifted
    cost = where(prediction < 0, -log1p(-minimum(shifted, 0.5)), -log(rest))
    power = where(shifted > 0, where(shifted > 0, shifted, 1.0) ** gamma, 0.0)
    plain = exp(-gamma * softplus(-prediction)) * softplus(prediction)  # what it is, and keeps its digits, at clip 0
    return where(clip == 0, plain, power * cost)
