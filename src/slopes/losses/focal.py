"""Focal losses: cross-entropies with little weight on right examples."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import loss
from slopes.domains import NonNegative, UnitInterval, UnitIntervalOrNone
from slopes.facts import Paper
from slopes.losses.classification import _share, binary_cross_entropy
from slopes.ops import exp, log, log1p, maximum, minimum, nonzero, product, sigmoid, softmax, softplus, where

KERAS = "losses.categorical_focal_crossentropy(ops.one_hot(target, prediction.shape[-1]), prediction"
MONAI = "losses.FocalLoss(to_onehot_y=True, use_softmax=True"
FOCAL = Paper("Lin et al.", 2017, "Focal Loss for Dense Object Detection", "arXiv:1708.02002")


def _balance(target, alpha):
    return 1 if alpha is None else alpha * target + (1 - alpha) * (1 - target)


def _chances(z):
    return exp(z) / ops.sum(exp(z))


def _power(high, low, gamma):
    """Two factors of (high + low)**gamma that keep a product's digits, one after the other."""
    power = high**gamma
    deep = power < 1e-30
    root = where(deep, high, 1.0) ** (gamma / 2)
    return where(deep, root, power) * (1 + gamma * low / high), where(deep, root, 1.0)


def _wrong(prediction, target, gamma):
    """(two factors of P(wrong)**gamma, slope of log P(wrong))."""
    doubt, surely = minimum(target, 1 - target), where(target < 0.5, -prediction, prediction)
    no, (chance, low) = sigmoid(surely), ops.sigmoid_mixture(surely, doubt)
    sure = (doubt == 0) & (chance < 1e-18)  # P(wrong) = exp(−logit), whose powers have finite slopes
    chance = where(sure, 1.0, chance)
    power, rest = _power(chance, where(sure, 0.0, low), gamma)
    rise = where(doubt == 0, no, (1 - 2 * doubt) * sigmoid(-surely) * no / chance)
    return where(sure, _decayed(surely, gamma), power), rest, where(target < 0.5, rise, -rise)


def _decayed(logit, gamma):
    """exp(−gamma · logit), at most 1, without rounding the exponent."""
    high, low = product(where(logit < 0, 0.0, logit), nonzero(gamma))
    far = where(gamma == 0, 0.0, 1.0)
    return exp(-high * far) * (1 - low * far)


def _unsure(logit, gamma):
    near, rest = ops.sigmoid_less(where(logit < 0, -logit, logit), 0.0)
    return _decayed(logit, gamma) * (near**gamma * (1 + gamma * rest / near))


def _wrong_yes(prediction, gamma, clip):
    """(two factors of p**gamma, cost, p = P(yes) above the clip, 1 − p)."""
    high, low = ops.sigmoid_less(prediction, clip)
    above = high > where(clip == 0, inf, 0.0)  # False without a clip
    high, low = where(above, high, 1.0), where(above, low, 0.0)
    power, other = _power(high, low, gamma)
    power = where(clip == 0, _unsure(-prediction, gamma), where(above, power, 0.0))  # keeps digits in the far tail
    rest = where(clip == 0, 1.0, minimum(sigmoid(-prediction) + clip, 1.0))
    cost = where(high < 0.5, -log1p(-where(above, minimum(high, 0.5), 0.0)), -log(rest))
    return power, other, where(clip == 0, softplus(prediction), cost), high, rest


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
    """Binary cross-entropy times the probability of being wrong to the power gamma, of logits.

    Alpha weighs yes by alpha and no by 1 − alpha, off by default (torchvision and kornia: 0.25). For a target between 0
    and 1 the probability is the mean of both. Slopes stay finite where it underflows.
    """
    power, rest, _ = _wrong(prediction, target, gamma)
    return _balance(target, alpha) * power * binary_cross_entropy.body(prediction, target) * rest


@sigmoid_focal.derivative
def _(prediction, target, *, gamma, alpha):
    power, rest, rise = _wrong(prediction, target, gamma)
    error = (1 - target) * sigmoid(prediction) - target * sigmoid(-prediction)
    cost = minimum(binary_cross_entropy.body(prediction, target), 1e4)  # finite: the rise is 0 beyond
    return _balance(target, alpha) * power * (gamma * rise * cost + error) * rest


@loss(
    "classification", papers=(FOCAL,),
    definition=lambda z, y, gamma: ops.expected(-((1 - _chances(z)) ** gamma) * log(_chances(z)), y),
    same_as={
        "kornia": (
            "losses.focal_loss(prediction, target, alpha=None, gamma=gamma).sum(1)",
            "losses.focal_loss(prediction, target, alpha=None, gamma=gamma, reduction='mean')",
        ),
        "keras": (f"{KERAS}, alpha=1.0, gamma=gamma, from_logits=True)", f"{KERAS}, from_logits=True)"),
        "monai": (
            f"{MONAI}, gamma=gamma, reduction='none')(prediction, target[:, None]).sum(1)",
            f"{MONAI})(prediction, target[:, None])",
        ),
        "smp": (
            "losses._functional.softmax_focal_loss_with_logits(prediction, target, gamma=gamma, reduction='none')",
            "losses.FocalLoss('multiclass')(prediction, target)",
        ),
    },
)  # fmt: skip
def softmax_focal(prediction, target, *, gamma: NonNegative = 2.0):
    """Cross-entropy times the probability of being wrong to the power gamma, of rows of logits.

    The mean is over rows: kornia and MONAI also divide by the number of classes. Others' alpha (Keras: 0.25
    for every class) is `class_weight`. Softplus of log(p / (1 − p)) never underflows.
    """
    rows = ops.one_hot(target, like=prediction)
    logit = ops.softmax_logit(prediction)
    logit = where((rows == 0) & (logit == -inf), 0.0, logit)  # 0 · inf would be NaN
    held = maximum(logit, -1e4)  # below, the power is constant, and gamma times the cost may overflow
    power = exp(-gamma * softplus(held))
    return ops.sum(rows * power * softplus(-logit))[..., 0]


@softmax_focal.derivative
def _(prediction, target, *, gamma):
    rows = ops.one_hot(target, like=prediction)
    logit = maximum(ops.softmax_logit(prediction), -1e4)  # below, the sigmoid is 0, and the cost may be infinite
    power, cost, near = rows * exp(-gamma * softplus(logit)), softplus(-logit), minimum(logit, 40.0)
    own = power * (gamma * sigmoid(logit) * cost + sigmoid(-logit))
    others = power * (1 + gamma * where(logit > 40, 1.0, exp(near) * softplus(-near)))  # own / (1 − p)
    return softmax(prediction) * ops.sum_others(others, prediction) - own


@loss(
    "binary",
    papers=(Paper("Ridnik et al.", 2020, "Asymmetric Loss For Multi-Label Classification", "arXiv:2009.14119"),),
    definition=lambda z, y, gamma_neg, gamma_pos, clip: (
        y * log(1 + exp(-z)) / (1 + exp(z)) ** gamma_pos
        - (1 - y) * maximum(1 / (1 + exp(-z)) - clip, 0) ** gamma_neg * log(1 - maximum(1 / (1 + exp(-z)) - clip, 0))
    ),
    same_as={
        "timm": (
            "(lambda y, of: y * of(prediction, 1 + 0 * y) + (1 - y) * of(prediction, 0 * y))"
            "(target.float(), loss.AsymmetricLossMultiLabel(gamma_neg, gamma_pos, clip, reduction='none'))",
            "loss.AsymmetricLossMultiLabel()(prediction, target)",
        ),
    },
)
def asymmetric(
    prediction, target, *, gamma_neg: NonNegative = 4.0, gamma_pos: NonNegative = 1.0, clip: UnitInterval = 0.05
):
    """Focal cross-entropy of logits with an exponent for yes and for no, and no cost of a no below the clip.

    It has one value per label; the authors sum over a sample's labels. The gradient goes through the powers, as in
    timm; the authors stop it. Probabilities are not clamped, so surely wrong predictions still learn, unless a clip
    above 0 flattens the cost of a yes.
    """
    yes = _unsure(prediction, gamma_pos) * softplus(-prediction)
    power, other, cost, *_ = _wrong_yes(prediction, gamma_neg, clip)
    return _share(target, yes) + _share(1 - target, power * cost * other)


@asymmetric.derivative
def _(prediction, target, *, gamma_neg, gamma_pos, clip):
    z = ops.clip(prediction, -1e4, 1e4)  # beyond, the slope is constant, and infinite logits give NaN
    yes = _unsure(z, gamma_pos) * (gamma_pos * sigmoid(z) * softplus(-z) + sigmoid(-z))
    power, other, cost, above, rest = _wrong_yes(z, gamma_neg, clip)
    rise, fall = (where(clip == 0, 1.0, part) for part in (sigmoid(z) / above, sigmoid(-z) / rest))
    no = power * (gamma_neg * cost * rise * sigmoid(-z) + fall * sigmoid(z)) * other
    return (1 - target) * no - target * yes
