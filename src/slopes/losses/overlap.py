"""Losses of a region of pixels."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import Flag, NonNegative, OneOf, Positive
from slopes.facts import Paper
from slopes.ops import absolute, expected, jaccard_steps, log, maximum, nonzero, ratio, sign, step, top, where

MONAI = "softmax=True, to_onehot_y=True"
MONAI_ARGUMENTS = "(prediction[:, None].movedim(-1, 1), target[:, None, None])"
OPTAX = "losses.dice_loss(prediction[:, None], jax.nn.one_hot(target[:, None], prediction.shape[-1])"
EXACTLY = f"{MONAI}, reduction='none', smooth_nr=0.0, smooth_dr=0.0"
KERAS = "ops.one_hot(target, prediction.shape[-1]), ops.softmax(prediction)"
BY_PIXEL = (
    "ops.one_hot(target[:, None].flatten(1), prediction.shape[-1]), ops.softmax(prediction[:, None].flatten(1, -2))"
)
EACH = "core.ops.torch.stack([{} for n in range(len(target)) for c in {}]).reshape(len(target), -1)"
BY_SOFTMAX = EACH.format(
    "losses.lovasz_softmax_loss(prediction[n].reshape(1, 1, -1, prediction.shape[-1]).movedim(-1, 1), "
    "target[n].reshape(1, 1, -1), c * prediction.shape[-1])",
    "core.ops.torch.eye(prediction.shape[-1], dtype=prediction.dtype)",
)
BY_HINGE = EACH.format(
    "losses.lovasz_hinge_loss(prediction[n, ..., c].reshape(1, 1, 1, -1), target[n, ..., c].reshape(1, 1, -1))",
    "range(prediction.shape[-1])",
)

SUDRE = Paper(
    "Sudre et al.", 2017,
    "Generalised Dice overlap as a deep learning loss function for highly unbalanced segmentations", "arXiv:1707.03237",
)  # fmt: skip
BERMAN = Paper(
    "Berman et al.", 2018, "The Lovász-Softmax loss: A tractable surrogate for the optimization of the "
    "intersection-over-union measure in neural networks", "arXiv:1705.08790",
)  # fmt: skip


def _joint(p, t, w, weighting):
    power = {"square": 2, "simple": 1, "uniform": 0}[weighting]
    return *_dice(p, t, w, False), _rarity(expected(t, w)) ** power


def _rarity(size):
    """The smallest class's size over each class's size."""
    least = ops.sum(top(where(size == 0, -inf, -size)) * size)
    return where(size == 0, 1.0, ops.safe_divide(least, size))


@loss(
    "overlap",
    papers=(Paper(
        "Milletari et al.", 2016,
        "V-Net: Fully Convolutional Neural Networks for Volumetric Medical Image Segmentation", "arXiv:1606.04797",
    ),),
    definition=lambda p, t, w, smooth, **_: (
        1 - (2 * expected(p * t, w) + smooth) / (expected(p, w) + expected(t, w) + smooth)
    ),
    same_as={
        "monai": (
            f"losses.DiceLoss({EXACTLY}, squared_pred=squared){MONAI_ARGUMENTS}.flatten(1)",
            f"losses.DiceLoss({MONAI}){MONAI_ARGUMENTS}",
        ),
        "optax": (f"{OPTAX}, smooth=smooth / 2, reduction='none')", f"{OPTAX})"),
        "keras": (f"losses.dice({BY_PIXEL}, axis=1)", f"losses.dice({KERAS})"),
    },
)  # fmt: skip
def dice(prediction, target, weight, *, smooth: NonNegative = 0.0, squared: Flag = False):
    """Dice loss: the share of a region and its prediction together where they disagree.

    Disagreement is summed, as 1 less the agreement would cancel; a region that is empty in both costs 0.
    `smooth` is added to 2·I and to P + T (Optax: to I, twice as much). With `squared` a matched soft target costs 0.
    """
    wrong, whole = _dice(prediction, target, weight, squared)
    return ops.safe_divide(wrong, whole + smooth)


def _dice(p, t, w, squared):
    if squared:
        return expected((p - t) ** 2, w), expected(p * p + t * t, w)
    return expected(p * (1 - t) + t * (1 - p), w), expected(p + t, w)


@dice.derivative
def _(prediction, target, weight, *, smooth, squared):
    _, whole = _dice(prediction, target, weight, squared)
    whole = whole + smooth
    agreed = ops.safe_divide(2 * expected(prediction * target, weight) + smooth, whole)[..., None]
    rise = agreed * prediction - target if squared else agreed / 2 - target
    return ops.safe_divide(2 * weight * rise, whole[..., None])


@loss(
    "overlap",
    definition=lambda p, t, w: 1 - expected(p * t, w) / expected(p + t - p * t, w),
    same_as={
        "monai": (
            f"losses.DiceLoss({EXACTLY}, jaccard=True){MONAI_ARGUMENTS}.flatten(1)",
            f"losses.DiceLoss({MONAI}, jaccard=True){MONAI_ARGUMENTS}",
        ),
        "optax": (
            f"{OPTAX}, smooth=0.0, alpha=1.0, beta=1.0, reduction='none')",
            f"{OPTAX}, alpha=1.0, beta=1.0)",
        ),
    },
)  # fmt: skip
def jaccard(prediction, target, weight):
    """Jaccard loss, 1 − IoU: the share of the union of a region and its prediction where they disagree.

    It is `tversky` with both weights 1, and never less than `dice`.
    """
    return tversky.body(prediction, target, weight, alpha=1.0, beta=1.0)


@jaccard.derivative
def _(prediction, target, weight):
    return tversky.slope_body(prediction, target, weight, alpha=1.0, beta=1.0)


def _index(p, t, w, alpha, beta):
    return 1 - expected(p * t, w) / (
        expected(p * t, w) + alpha * expected(p * (1 - t), w) + beta * expected((1 - p) * t, w)
    )


@loss(
    "overlap", definition=_index,
    papers=(Paper(
        "Salehi et al.", 2017,
        "Tversky loss function for image segmentation using 3D fully convolutional deep networks", "arXiv:1706.05721",
    ),),
    same_as={
        "monai": (
            f"losses.TverskyLoss({EXACTLY}, alpha=alpha, beta=beta){MONAI_ARGUMENTS}.flatten(1)",
            f"losses.TverskyLoss({MONAI}){MONAI_ARGUMENTS}",
        ),
        "optax": (
            f"{OPTAX}, smooth=0.0, alpha=alpha, beta=beta, reduction='none')",
            f"{OPTAX}, alpha=alpha, beta=beta)",
        ),
        "keras": (f"losses.tversky({BY_PIXEL}, beta, alpha, axis=1)", f"losses.tversky({KERAS})"),
    },
)  # fmt: skip
def tversky(prediction, target, weight, *, alpha: NonNegative = 0.5, beta: NonNegative = 0.5):
    """Tversky loss: Dice with separate weights for false positives and false negatives.

    Alpha weighs false positives, beta false negatives, as in the paper (Keras 3.15 swaps them). Weights of ½ give
    `dice`, of 1 `jaccard`.
    """
    over, missed, right = _tversky(prediction, target, weight)
    wrong = alpha * over + beta * missed
    return ops.safe_divide(wrong, right + wrong)


def _tversky(p, t, w):
    """Expected false positives, false negatives and true positives."""
    return expected(p * (1 - t), w), expected(t * (1 - p), w), expected(p * t, w)


@tversky.derivative
def _(prediction, target, weight, *, alpha, beta):
    return _tversky_slope(prediction, target, weight, alpha, beta)


def _tversky_slope(p, t, w, alpha, beta, power=1.0):
    over, missed, right = _tversky(p, t, w)
    outside, inside = ops.overlap_slopes(over, missed, right, alpha, beta, power)
    return w * ((1 - t) * outside[..., None] - t * inside[..., None])


@loss(
    "overlap",
    definition=lambda p, t, w, gamma, alpha, beta: _index(p, t, w, alpha, beta) ** gamma,
    papers=(Paper(
        "Abraham and Khan", 2018,
        "A Novel Focal Tversky loss function with improved Attention U-Net for lesion segmentation",
        "arXiv:1810.07842",
    ),),
    same_as={
        "monai": f"losses.TverskyLoss({EXACTLY}, alpha=alpha, beta=beta){MONAI_ARGUMENTS}.flatten(1) ** gamma",
    },
)  # fmt: skip
def focal_tversky(
    prediction, target, weight, *, gamma: Positive = 0.75, alpha: NonNegative = 0.3, beta: NonNegative = 0.7
):
    """Tversky loss to the power gamma: a gamma below 1 lifts small losses, a gamma above 1 lessens them.

    Gamma is the exponent, the paper's 1/γ with γ = 4/3. Below 1 the slope grows without bound towards a loss of 0,
    where it is 0.
    """
    index = tversky.body(prediction, target, weight, alpha=alpha, beta=beta)
    return where(index == 0, 0.0, nonzero(index) ** gamma)


@focal_tversky.derivative
def _(prediction, target, weight, *, gamma, alpha, beta):
    return _tversky_slope(prediction, target, weight, alpha, beta, gamma)


@loss(
    "joint overlap",
    papers=(SUDRE,),
    definition=lambda p, t, w, **_: (
        1 - 2 * expected(expected(p * t, w), ratio(1, expected(t, w) ** 2))
        / expected(expected(p + t, w), ratio(1, expected(t, w) ** 2))
    ),
    same_as={
        "monai": (
            f"losses.GeneralizedDiceLoss({EXACTLY}, w_type=weighting){MONAI_ARGUMENTS}.flatten()",
            f"losses.GeneralizedDiceLoss({MONAI}){MONAI_ARGUMENTS}",
        ),
    },
)  # fmt: skip
def generalized_dice(
    prediction, target, weight, *, weighting: Annotated[str, OneOf(("square", "simple", "uniform"))] = "square"
):
    """Generalized Dice loss: Dice of all classes of a sample together, weighed by size to the power of −2.

    "simple" weighs by 1 / size and "uniform" equally. An absent class weighs as much as the rarest present, as in
    MONAI, which adds 1e-5 to numerator and denominator. Optax weighs the Dice loss of each class, by sizes over the
    batch, and adds 1.
    """
    wrong, whole, rare = _joint(prediction, target, weight, weighting)
    return ops.safe_divide(expected(wrong, rare), expected(whole, rare))


@generalized_dice.derivative
def _(prediction, target, weight, cotangent, *, weighting):
    _, whole, rare = _joint(prediction, target, weight, weighting)
    agreed, whole = (expected(part, rare)[..., None, None] for part in (expected(prediction * target, weight), whole))
    rise = weight * rare[..., None] * ops.safe_divide(2 * (ops.safe_divide(agreed, whole) - target), whole)
    return cotangent[..., None, None] * rise


@loss(
    "ranked overlap", papers=(BERMAN,),
    definition=lambda p, t, w, _: expected(absolute(p - t), jaccard_steps(absolute(p - t), t, w)),
    same_as={"kornia": BY_SOFTMAX},
)  # fmt: skip
def lovasz_softmax(prediction, target, weight, odds):
    """Lovász-softmax loss: 1 − IoU, extended to probabilities by ranking the pixels of a region by their error.

    Each error is weighed by the rise of 1 − IoU when its pixel joins all worse ones; log-odds rank probabilities that
    round to 1. An absent class costs its largest probability, as in kornia; the authors leave it out.
    """
    error = _by(target, prediction, 1 - prediction, absolute(prediction - target))
    return expected(error, _ranked(prediction, target, weight, odds))


def _by(target, zero, one, between):
    return where(target == 0, zero, where(target == 1, one, between))


def _ranked(p, t, w, odds):
    error = absolute(p - t)
    return jaccard_steps(_by(t, odds, -odds, log(ratio(error, 1 - error))), t, w)


@lovasz_softmax.derivative
def _(prediction, target, weight, odds):
    return _by(target, 1.0, -1.0, sign(prediction - target)) * _ranked(prediction, target, weight, odds)


@loss(
    "overlap scores", convex=True, papers=(BERMAN,),
    definition=lambda z, t, w: expected(maximum(1 - z * (2 * t - 1), 0), jaccard_steps(1 - z * (2 * t - 1), t, w)),
    same_as={"kornia": BY_HINGE},
)  # fmt: skip
def lovasz_hinge(prediction, target, weight):
    """Lovász hinge: 1 − IoU, extended to logits by ranking the pixels of a region by 1 less their margin.

    Targets are 0 or 1 for each class and pixel. A rank's step weighs its pixel's hinge, as in the authors' code.
    """
    lack = 1 - prediction * (2 * target - 1)
    return expected(where(lack <= 0, 0.0, lack), _steps(lack, target, weight))


def _steps(lack, target, weight):
    """The rise of 1 − IoU by each pixel; NaN where the logit is NaN, whatever its rank."""
    return where(lack == lack, jaccard_steps(lack, target, weight), lack)


@lovasz_hinge.derivative
def _(prediction, target, weight):
    lack = 1 - prediction * (2 * target - 1)
    return (1 - 2 * target) * step(lack) * _steps(lack, target, weight)
