"""Losses of distributions."""

from __future__ import annotations

from math import inf

from slopes import ops
from slopes.card import loss
from slopes.domains import Flag, OpenUnitInterval, Positive
from slopes.facts import Paper
from slopes.losses.classification import cross_entropy
from slopes.ops import (
    absolute,
    e,
    exp,
    expm1,
    expm1_less,
    log,
    log1p,
    log_softmax,
    maximum,
    minimum,
    nonzero,
    sigmoid,
    softmax,
    softmax_complement,
    softmax_pulled,
    softplus,
    top,
    where,
    xlogy,
)


def _log_ratio(target, chance, lacking, known):
    """log(target / chance); `lacking` is 1 − chance, `known` log(chance)."""
    near = (target < 2 * chance) & (chance < 2 * target)
    little = where(chance > 0.5, lacking - (1 - target), target - chance)
    little = where(near, little, 0.0) / where(near, chance, 1.0)
    return where(near, log1p(little), where(target == 0, -1e4, log(nonzero(target))) - known)


def _held_ratio(prediction, target):
    known = maximum(log_softmax(prediction), -1e4)
    return _log_ratio(target, softmax(prediction), softmax_complement(prediction), known)


def _log_mean(gap, part, logit, rest):
    """log(1 − part + part · exp(gap)); `logit` is logit(part) + gap, `rest` log(1 − part)."""
    far = gap > 60
    near = ops.with_slope_of(log1p(part * expm1(where(far, 0.0, gap))), lambda: softplus(logit) + rest)
    return where(far, softplus(logit) + rest, near)


def _softened(x, temperature):
    """(mask of each row's first largest entry, p = softmax(x / temperature), 1 − p, log p).

    The largest is subtracted before the division, which might overflow.
    """
    first = top(x) == 1
    largest = ops.sum(where(first, x, 0.0))
    some = largest > -inf  # False for a fully masked row
    shifted = where(first & some, 0.0, x / 2 - where(some, largest, 0.0) / 2) / (temperature / 2)
    powers = exp(shifted)
    others = ops.sum(where(first, 0.0, powers))
    whole = 1 + others
    return first, powers / whole, where(first, others, whole - powers) / whole, shifted - log1p(others)


def _compare(prediction, target, temperature):
    """(teacher's and student's probabilities, their complements, log(student / teacher), its terms' size).

    Where both nearly agree, the log is a difference of logits less its mean and the log of a mean near 1, which keeps
    its digits; elsewhere of two logs. It is 1 where the teacher's probability is 0.
    """
    _, other, other_rest, log_other = _softened(prediction, temperature)
    first, share, rest, log_share = _softened(target, temperature)
    gap = prediction / 2 - target / 2  # the difference may overflow
    gap = where(first, 0.0, gap - ops.sum(where(first, gap, 0.0))) / (temperature / 2)
    there = share > 0
    known = there & (absolute(gap) < inf)
    gap = where(known, gap, 0.0)
    mean = ops.sum(share * gap)
    most = ops.sum(where(first, share, 0.0)) * exp(minimum(-mean, 60.0))
    rival = ops.sum(where(first, other, 0.0))
    close = (ops.sum(where(known, 0.0, share)) == 0) & (mean < 30) & (rival > 0) & (most <= 4 * rival)
    gap = gap - mean
    scale = where(close, most, 0.0) / where(close, rival, 1.0)
    rise = where(there & (gap < 1), share * expm1(minimum(gap, 1.0)), other * scale - share)
    offset = log1p(where(close, ops.sum(rise), 0.0))
    ratio = where(there, where(close, gap - offset, log_other - where(there, log_share, 0.0)), 1.0)
    return (share, other), (rest, other_rest), ratio, where(close & there, absolute(gap) + offset, 1.0)


@loss(
    "regression", space="log-probabilities", target="non-negative", convex=True, minimum=None,
    definition=lambda prediction, target, **_: xlogy(target, target) - target * prediction,
    same_as={"torch": "nn.functional.kl_div(prediction, target, reduction='none', log_target=log_target)"},
)  # fmt: skip
def relative_entropy(prediction, target, *, log_target: Flag = False):
    """One term of a Kullback-Leibler divergence: target · (log target − prediction), of log-probabilities.

    A target of 0 costs 0, even as a log of −inf (PyTorch: NaN). The mean is over entries.
    """
    gone = (exp(target) if log_target else target) == 0
    held = where(gone, 0.0 if log_target else 1.0, target)
    excess = (held if log_target else log(held)) - where(gone, 0.0, prediction)
    if not log_target:
        return target * excess
    small = where(held < 0, held, 0.0)  # its exponential may be subnormal
    return where(gone, 0.0, where(held < 0, ops.decay(small, excess), exp(held - small) * excess))


@relative_entropy.derivative
def _(prediction, target, *, log_target):
    return -exp(target) if log_target else -target


@loss(
    "distribution", convex=True,
    papers=(Paper("Kullback and Leibler", 1951, "On Information and Sufficiency", "doi:10.1214/aoms/1177729694"),),
    definition=lambda z, y, **_: ops.expected(log(y * ops.sum(exp(z)) / exp(z)), y),
    same_as={
        "torch": (
            "nn.functional.kl_div(log_softmax(prediction, -1), target, reduction='none').sum(-1)",
            "nn.functional.kl_div(log_softmax(prediction, -1), target)",
        ),
        "optax": "losses.kl_divergence(jax.nn.log_softmax(prediction), target)",
        "keras": "losses.kl_divergence(target, ops.softmax(prediction))",
        "scipy": (
            "special.rel_entr(target, special.softmax(prediction, -1)).sum(-1)",
            "special.kl_div(target, special.softmax(prediction, -1))",
        ),
    },
)  # fmt: skip
def kl_div(prediction, target, *, from_probabilities: Flag = False):
    """Kullback-Leibler divergence of the prediction from the target, of rows of logits.

    The mean is over rows, as PyTorch's "batchmean"; its default is over entries. Nothing is clipped (Keras: at 1e-7).
    """
    if from_probabilities:
        parts = prediction, 1 - prediction, log(where(target == 0, 1.0, prediction))
    else:
        parts = softmax(prediction), softmax_complement(prediction), log_softmax(prediction)
    return ops.sum(target * where(target == 0, 0.0, _log_ratio(target, *parts)))[..., 0]


@kl_div.derivative
def _(prediction, target, *, from_probabilities):
    return cross_entropy.slope_body(prediction, target, from_probabilities=from_probabilities, base=e, z_loss=None)


@loss(
    "distribution",
    papers=(Paper("Lin", 1991, "Divergence measures based on the Shannon entropy", "doi:10.1109/18.61115"),),
    definition=lambda z, y, beta: (
        beta * ops.expected(log(y / (beta * y + (1 - beta) * softmax(z))), y)
        + (1 - beta) * ops.expected(log(softmax(z) / (beta * y + (1 - beta) * softmax(z))), softmax(z))
    ),
    same_as={
        "scipy": (
            "spatial.distance.jensenshannon(special.softmax(prediction, -1), target, axis=-1) ** 2",
            "spatial.distance.jensenshannon(special.softmax(prediction, -1), target, axis=-1)",
        ),
        "kornia": "losses.js_div_loss_2d(prediction.softmax(-1)[:, None, None], target[:, None, None],"
        " reduction='none')[:, 0]",
    },
)
def js_divergence(prediction, target, *, beta: OpenUnitInterval = 0.5):
    """Jensen-Shannon divergence: how far target and softmax of the logits are from their mixture, by rows.

    Beta is the target's share in the mixture and in the sum. The log-ratio is clamped to ±1e4, so that a probability of
    0 gives no 0 · inf; log1p keeps the digits where both nearly agree.
    """
    gap, own, other = _held_ratio(prediction, target), log(beta), log(1 - beta)
    missed = beta * target * _log_mean(-gap, 1 - beta, other - own - gap, own)
    invented = (1 - beta) * softmax(prediction) * _log_mean(gap, beta, own - other + gap, other)
    return -ops.sum(missed + invented)[..., 0]


@js_divergence.derivative
def _(prediction, target, *, beta):
    gap = _held_ratio(prediction, target)
    likeliest = ops.sum(where(softmax(prediction) > 0.5, gap, 0.0))  # later most of it would cancel
    odds = log(beta) - log(1 - beta)
    known = likeliest + odds
    costs = _log_mean(gap - likeliest, sigmoid(known), gap + odds, -softplus(known))
    return softmax_pulled(prediction, (beta - 1) * costs)


@loss(
    "distillation", convex=True,
    papers=(Paper("Hinton et al.", 2015, "Distilling the Knowledge in a Neural Network", "arXiv:1503.02531"),),
    definition=lambda z, y, temperature: temperature**2 * ops.expected(
        log(softmax(y / temperature) / softmax(z / temperature)), softmax(y / temperature)
    ),
    same_as={
        "torch": "temperature**2 * nn.functional.kl_div(log_softmax(prediction / temperature, -1), "
        "log_softmax(target / temperature, -1), reduction='none', log_target=True).sum(-1)",
    },
)  # fmt: skip
def distillation(prediction, target, *, temperature: Positive = 2.0):
    """Kullback-Leibler divergence of a student's softened softmax from a teacher's, of rows of their logits.

    The temperature squared multiplies it, so that slopes keep their size. The mean is over rows. Scripts mostly use a
    temperature of 2 (mmdetection: 10, and the mean over entries). Terms do not cancel where both agree.
    """
    (share, other), _, ratio, _ = _compare(prediction, target, temperature)
    cost = where(ratio < 1, share * expm1_less(minimum(ratio, 1.0)), other - share * (1 + ratio))
    return temperature**2 * ops.sum(cost)[..., 0]


@distillation.derivative
def _(prediction, target, *, temperature):
    (share, other), (rest, other_rest), ratio, terms = _compare(prediction, target, temperature)
    near = terms < rest  # the log then has more digits
    apart = where(other > 0.5, rest - other_rest, other - share)
    slope = temperature * where(near, share * expm1(where(near, ratio, 0.0)), apart)
    return ops.with_slope_of(
        slope, lambda: temperature * (softmax(prediction / temperature) - softmax(target / temperature))
    )
