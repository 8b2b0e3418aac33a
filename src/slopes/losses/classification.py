"""Losses of a class, or of a yes or no."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import (
    AboveOne,
    Flag,
    Interval,
    NonNegativeOrNone,
    Number,
    OfClasses,
    OneOf,
    Positive,
    PositiveOfClasses,
)
from slopes.facts import Paper
from slopes.ops import (
    absolute,
    e,
    exp,
    expm1,
    log,
    log_softmax,
    maximum,
    ratio,
    sigmoid,
    sin,
    softmax,
    softmax_complement,
    softmax_pulled,
    softplus,
    sqrt,
    where,
    xlog1py,
    xlogy,
)

Share = Annotated[float, Interval(0.0, 1.0)]
AboveMinusOne = Annotated[float, Interval(-1.0)]
Radians = Annotated[Number, OfClasses(0.0, 1.5707963267948966, closed=True)]  #: refuses degrees
Form = Annotated[str, OneOf(("arcface", "cosface"))]


def _with_margin(cosine, margin, form):
    if form == "cosface":
        return cosine - margin
    low = 2 * sin(margin / 2) ** 2 - 1  # −cos(margin)
    beyond = cosine - margin * sin(margin)
    return where(cosine < low, beyond, -cosine * low - sqrt(1 - cosine**2) * sin(margin))


def _taken(cosine, margin, form):
    if form == "cosface":
        return margin
    half, room = sin(margin / 2), (1 - cosine) * (1 + cosine)
    across = where(room > 0, sqrt(where(room > 0, room, 1.0)), 0.0)
    turned = 2 * half * half * cosine + sin(margin) * across
    return where(cosine < 2 * half * half - 1, margin * sin(margin), turned)


def _rise_of_taken(cosine, margin, form):
    if form == "cosface":
        return 0.0
    half, room = sin(margin / 2), (1 - cosine) * (1 + cosine)
    turned = where(room > 0, sin(margin) * cosine / sqrt(where(room > 0, room, 1.0)), 0.0)
    return where(cosine < 2 * half * half - 1, 0.0, 2 * half * half - turned)


@loss(
    "classification", space="probabilities", convex=True,
    definition=lambda prediction, target, base: -ops.expected(log(prediction), target) / log(base),
    same_as={
        "torch": "nn.functional.nll_loss(log(prediction), target, reduction='none')",
        "keras": "losses.sparse_categorical_crossentropy(target, prediction)",
        "sklearn": "metrics.log_loss(target, prediction, labels=range(prediction.shape[-1]))",
    },
)  # fmt: skip
def categorical_cross_entropy(prediction, target, *, base: AboveOne = e):
    """Categorical cross-entropy: the surprise, −log p, at the right class, of rows of probabilities.

    For training prefer `cross_entropy` on logits: a probability that underflows costs infinity.
    """
    return -ops.expected_log(prediction, target) / log(base)


@categorical_cross_entropy.derivative
def _(prediction, target, *, base):
    prediction = where(prediction == 0, ops.stop_gradient(prediction), prediction)  # second slopes would be NaN
    return -ratio(ops.one_hot(target, like=prediction), prediction) / log(base)


def _squared_log(z, y):
    return ops.expected(log(ops.sum(exp(z))) ** 2 + 0 * z, y)


@loss(
    "classification", convex=True,
    definition=lambda z, y, base, z_loss, **_: (
        -ops.expected(log(exp(z) / ops.sum(exp(z))), y) / log(base)
        + (0 if z_loss is None else z_loss * _squared_log(z, y))
    ),
    same_as={
        "torch": "nn.functional.cross_entropy(prediction, target, reduction='none')",
        "optax": "losses.softmax_cross_entropy_with_integer_labels(prediction, target)",
        "keras": (
            "losses.sparse_categorical_crossentropy(target, prediction, from_logits=True)",
            "losses.sparse_categorical_crossentropy(target, prediction)",
        ),
        "sklearn": "_loss.HalfMultinomialLoss(n_classes=prediction.shape[-1])"
        ".loss(target.astype(prediction.dtype), prediction)",
        "timm": (
            "loss.LabelSmoothingCrossEntropy(smoothing=0)(prediction, target)",
            "loss.LabelSmoothingCrossEntropy()(prediction, target)",
        ),
        "smp": "losses.SoftCrossEntropyLoss(reduction='none', smooth_factor=0)(prediction, target)[:, 0]",
    },
)  # fmt: skip
def cross_entropy(
    prediction, target, *, from_probabilities: Flag = False, base: AboveOne = e, z_loss: NonNegativeOrNone = None
):
    """Softmax cross-entropy: the surprise, −log p, at the right class, of rows of logits.

    At sure logits 1 − p is summed from the other classes. Of logits, `z_loss` times ``slopes.z_loss`` is added.
    """
    if from_probabilities:
        return categorical_cross_entropy.body(prediction, target, base=base)
    surprise = -ops.expected(log_softmax(prediction), target) / log(base)
    return surprise if z_loss is None else surprise + z_loss * _square_of_total(prediction, target)


@cross_entropy.derivative
def _(prediction, target, *, from_probabilities, base, z_loss):
    if from_probabilities:
        return categorical_cross_entropy.slope_body(prediction, target, base=base)
    rise = _rise_of_surprise(prediction, target) / log(base)
    return rise if z_loss is None else rise + z_loss * _rise_of_square(prediction, target)


@loss(
    "classification", space="log-probabilities", convex=True,
    same_as={
        "torch": "nn.functional.nll_loss(prediction, target, reduction='none')",
    },
)  # fmt: skip
def nll(prediction, target):
    """Negative log-likelihood: minus the entry of the right class, of rows of log-probabilities.

    Nothing is normalised or clipped: an impossible class costs infinity.
    """
    return -ops.expected(prediction, target)


@nll.derivative
def _(prediction, target):
    return -ops.one_hot(target, like=prediction)


def _rise_of_surprise(prediction, target):
    rows = ops.one_hot(target, like=prediction)
    others = 1 - rows if target.ndim < prediction.ndim else ops.sum_others(rows, rows)
    return softmax(prediction) * others - rows * softmax_complement(prediction)


def _log_total(prediction):
    """Logarithm of the sum of exponentials, from the largest entry."""
    return ops.sum(where(ops.top(prediction) == 0, 0.0, prediction - log_softmax(prediction)))


def _square_of_total(prediction, target):
    return ops.scaled(_log_total(prediction) ** 2, ops.sum(ops.one_hot(target, like=prediction)))[..., 0]


def _rise_of_square(prediction, target):
    total = _log_total(prediction)
    share = ops.stop_gradient_if_tiny(softmax(prediction), 1 + 8 * absolute(total))  # second slopes overflow
    return 2 * (share * total) * ops.sum(ops.one_hot(target, like=prediction))


@loss(
    "classification", minimum=None, ignores_target=True,
    papers=(
        Paper(
            "Zoph et al.", 2022, "ST-MoE: Designing Stable and Transferable Sparse Expert Models", "arXiv:2202.08906"
        ),
        Paper("Chowdhery et al.", 2022, "PaLM: Scaling Language Modeling with Pathways", "arXiv:2204.02311"),
    ),
    definition=_squared_log,
)  # fmt: skip
def z_loss(prediction, target):
    """Z-loss: the square of the logarithm of the sum of exponentials, of rows of logits, whatever their target.

    It keeps logits near those whose exponentials sum to 1, as ``slopes.cross_entropy(..., z_loss=1e-4)`` in PaLM.
    The target tells alone which rows count, and by class weights how much, as for `cross_entropy`.
    """
    return _square_of_total(prediction, target)


@z_loss.derivative
def _(prediction, target):
    return _rise_of_square(prediction, target)


@loss(
    "classification",
    papers=(Paper(
        "Leng et al.", 2022, "PolyLoss: A Polynomial Expansion Perspective of Classification Loss Functions",
        "arXiv:2204.12511",
    ),),
    definition=lambda z, y, epsilon: ops.expected(
        epsilon * (1 - exp(z) / ops.sum(exp(z))) - log(exp(z) / ops.sum(exp(z))), y
    ),
    same_as={
        "optax": "losses.poly_loss_cross_entropy(prediction, jax.nn.one_hot(target, prediction.shape[-1]),"
        " epsilon=epsilon)",
        "timm": "loss.PolyCrossEntropy(epsilon, reduction='none')(prediction, target)",
    },
)  # fmt: skip
def poly1(prediction, target, *, epsilon: AboveMinusOne = 2.0):
    """Cross-entropy plus epsilon times 1 − p of the right class, of rows of logits.

    1 − p is summed from the other classes. Epsilon is 2 in Optax and timm; the paper tunes it.
    """
    return ops.expected(epsilon * softmax_complement(prediction) - log_softmax(prediction), target)


@poly1.derivative
def _(prediction, target, *, epsilon):
    pulled = softmax_pulled(prediction, ops.one_hot(target, like=prediction))
    return _rise_of_surprise(prediction, target) - epsilon * pulled


@loss(
    "classification",
    papers=(Paper(
        "Zhang, Sabuncu", 2018, "Generalized cross entropy loss for training deep neural networks with noisy labels",
        "arXiv:1805.07836",
    ),),
    definition=lambda z, y, q: ops.expected((1 - (exp(z) / ops.sum(exp(z))) ** q) / q, y),
)  # fmt: skip
def generalized_cross_entropy(prediction, target, *, q: Positive = 0.7):
    """Generalized cross-entropy: (1 − p^q) / q of the right class, of rows of logits; for data with wrong labels.

    Near q = 0 it is cross-entropy, at 1 it is 1 − p, which a wrong label pulls least. p^q is the exponential of a
    logarithm, so that neither a small q nor a sure class cancels.
    """
    return ops.expected(-expm1(q * log_softmax(prediction)) / q, target)


@generalized_cross_entropy.derivative
def _(prediction, target, *, q):
    terms = ops.scaled(exp(q * log_softmax(prediction)), ops.one_hot(target, like=prediction))
    drawn = softmax(prediction) * ops.sum_others(terms, prediction)
    return drawn - terms * softmax_complement(prediction)


@loss(
    "classification",
    papers=(Paper(
        "Wang et al.", 2019, "Symmetric cross entropy for robust learning with noisy labels", "arXiv:1908.06112"
    ),),
    definition=lambda z, y, alpha, beta, floor: (
        -alpha * ops.expected(log(exp(z) / ops.sum(exp(z))), y)
        - beta * ops.expected(exp(z) / ops.sum(exp(z)), log(maximum(ops.one_hot(y, like=z), floor)))
    ),
)  # fmt: skip
def symmetric_cross_entropy(prediction, target, *, alpha: Positive = 0.1, beta: Positive = 1.0, floor: Share = 1e-4):
    """Cross-entropy, and the cross-entropy of the target under the prediction, of rows of logits; for wrong labels.

    `alpha` and `beta` weigh the two. The second takes the logarithm of a target of 0 at `floor`, 1e-4 in the authors'
    code, whose constants for CIFAR-10 are the defaults; the paper sets that logarithm to −4, a floor of 0.0183.
    """
    surprise = -log(maximum(ops.one_hot(target, like=prediction), floor))
    forward = ops.expected(log_softmax(prediction), target)
    return beta * ops.expected(softmax(prediction), surprise) - alpha * forward


@symmetric_cross_entropy.derivative
def _(prediction, target, *, alpha, beta, floor):
    relief = log(maximum(ops.one_hot(target, like=prediction), floor) / floor)  # 0 at a target of 0: no cancelling
    drawn = softmax_pulled(prediction, relief)
    return alpha * _rise_of_surprise(prediction, target) - beta * drawn


@loss(
    "classification", convex=True,
    papers=(Paper("Menon et al.", 2020, "Long-tail learning via logit adjustment", "arXiv:2007.07314"),),
    definition=lambda z, y, prior, tau: -ops.expected(
        log(exp(z + tau * log(prior)) / ops.sum(exp(z + tau * log(prior)))), y
    ),
)  # fmt: skip
def logit_adjusted(prediction, target, *, prior: PositiveOfClasses = 1.0, tau: Positive = 1.0):
    """Cross-entropy of logits plus tau times the logarithm of each class's prior, so that rare classes lead by more.

    `prior` has a positive number for each class, such as its count in the training data; a common factor changes
    nothing. Predict with the logits alone, whose classes then count alike.
    """
    return -ops.expected(log_softmax(prediction + tau * log(prior)), target)


@logit_adjusted.derivative
def _(prediction, target, *, prior, tau):
    return _rise_of_surprise(prediction + tau * log(prior), target)


@loss(
    "classification", space="cosines",
    papers=(
        Paper(
            "Deng et al.", 2018, "ArcFace: Additive Angular Margin Loss for Deep Face Recognition", "arXiv:1801.07698"
        ),
        Paper("Wang et al.", 2018, "CosFace: Large Margin Cosine Loss for Deep Face Recognition", "arXiv:1801.09414"),
        Paper(
            "Cao et al.", 2019, "Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss",
            "arXiv:1906.07413",
        ),
    ),
    definition=lambda c, y, margin, scale, form: ops.expected(
        log(1 + (ops.sum(exp(scale * c)) - exp(scale * c)) / exp(scale * _with_margin(c, margin, form))), y
    ),
)  # fmt: skip
def margin_softmax(prediction, target, *, margin: Radians = 0.5, scale: Positive = 64.0, form: Form = "arcface"):
    """Cross-entropy of scaled cosines with a margin, which widens the right class's angle or lowers its cosine.

    The margin is in radians (pytorch_metric_learning: degrees) or, for "cosface", in units of the cosine; an array has
    one for each class, so that rare ones get more, as by Cao et al. Where an angle would exceed π, margin·sin(margin)
    is subtracted from the cosine, as by the authors. At a cosine of ±1, where the slope is infinite, only its finite
    term counts.
    """
    logit = ops.softmax_logit(scale * prediction)
    return ops.expected(softplus(scale * _taken(prediction, margin, form) - logit), target)


@margin_softmax.derivative
def _(prediction, target, *, margin, scale, form):
    logits, rows = scale * prediction, ops.one_hot(target, like=prediction)
    excess = scale * _taken(prediction, margin, form) - ops.softmax_logit(logits)
    missed = ops.scaled(sigmoid(excess), rows)
    own = missed * (_rise_of_taken(prediction, margin, form) - 1)
    if target.ndim < prediction.ndim:  # a label's rivals among themselves do not depend on its logit
        return scale * (own + ops.softmax(where(rows == 1, -inf, logits)) * ops.sum(missed))
    largest = ops.top(prediction) == 1
    others = where(largest, 0.0, missed / where(largest, 1.0, ops.softmax_complement(logits)))
    rivals = ops.softmax(where(largest, -inf, logits))  # as a quotient, the largest's complement may underflow
    drawn = ops.softmax(logits) * ops.sum_others(others, logits) + rivals * ops.sum(where(largest, missed, 0.0))
    return scale * (own + drawn)


@loss(
    "binary", convex=True,
    definition=lambda z, y, base, pos_weight, **_: (
        -(pos_weight * y * log(1 / (1 + exp(-z))) + (1 - y) * log(1 / (1 + exp(z)))) / log(base)
    ),
    same_as={
        "torch": "nn.functional.binary_cross_entropy_with_logits(prediction, target, reduction='none')",
        "optax": "losses.sigmoid_binary_cross_entropy(prediction, target)",
        "keras": (
            "losses.binary_crossentropy(target[..., None], prediction[..., None], from_logits=True)",
            "losses.binary_crossentropy(target, prediction)",
        ),
        "sklearn": "_loss.HalfBinomialLoss().loss(target.ravel(), prediction.ravel()).reshape(target.shape)",
        "timm": "loss.BinaryCrossEntropy(reduction='none')(prediction, target)",
        "smp": "losses.SoftBCEWithLogitsLoss(reduction='none')(prediction, target)",
    },
)  # fmt: skip
def binary_cross_entropy(
    prediction, target, *, from_probabilities: Flag = False, base: AboveOne = e, pos_weight: Positive = 1.0
):
    """Binary cross-entropy: the surprise at a yes or no, of logits; targets between 0 and 1 are probabilities of yes.

    Nothing is subtracted or clipped: a certain error costs infinity. Label smoothing is Keras's, of two classes.
    """
    if from_probabilities:
        return -(pos_weight * xlogy(target, prediction) + xlog1py(1 - target, -prediction)) / log(base)
    unit = 1 / log(base)  # the cost in nats may overflow
    yes, no = _share(pos_weight * unit * target, softplus(-prediction)), _share(1 - target, softplus(prediction))
    return yes + no * unit


def _share(part, cost):
    return where((part == 0) & (cost == inf), 0.0, part * cost)  # 0 · inf would be NaN


@binary_cross_entropy.derivative
def _(prediction, target, *, from_probabilities, base, pos_weight):
    if from_probabilities:
        slope = ratio(1 - target, 1 - prediction) - pos_weight * ratio(target, prediction)
    else:
        slope = (1 - target) * sigmoid(prediction) - pos_weight * target * sigmoid(-prediction)
    return slope / log(base)
