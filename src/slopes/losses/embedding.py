"""Losses of vectors, near if they belong together."""

from __future__ import annotations

from math import inf
from typing import Annotated

from slopes import ops
from slopes.card import loss
from slopes.domains import Flag, Interval, Positive
from slopes.facts import Paper
from slopes.ops import (
    absolute,
    exp,
    expected,
    log,
    maximum,
    nonzero,
    sigmoid,
    sign,
    softplus,
    sqrt,
    stop_gradient,
    stop_gradient_if_tiny,
    top,
    where,
)

AtLeastOne = Annotated[float, Interval(1.0, closed=True)]
CosineMargin = Annotated[float, Interval(0.0, 1.0)]
Cosine = Annotated[float, Interval(-1.0, 1.0, closed=True)]


def _size(x):
    """Largest size in each row, or 1; squares over it neither overflow nor vanish."""
    return nonzero(_largest(x))


def _largest(x):
    sizes = absolute(stop_gradient(x))
    return ops.sum(where(top(sizes) > 0, sizes, 0.0))


def _unit(x):
    """(rows of length 1, lengths); a row of zeros stays, without a slope."""
    size = _largest(x)
    x, size = stop_gradient_if_tiny(x, size), nonzero(size)
    length = sqrt(nonzero(ops.sum((x / size) ** 2)))
    return x / size / length, size * length


def _powers(residual, p):
    """(largest size in each row, entries over it, sum of their powers to p)."""
    size = _size(residual)
    part = where(absolute(residual) == inf, sign(residual), stop_gradient_if_tiny(residual, size) / size)
    powers = where(p == 2, part * part, where(part == 0, 0.0, nonzero(absolute(part)) ** p))
    return size, part, ops.sum(powers)


def _distance(first, second, p):
    """p-norm of first − second, without a slope at 0."""
    size, _, total = _powers(first - second, p)
    return (size * where(total == 0, 0.0, nonzero(total) ** (1 / p)))[..., 0]


def _norm(x, y, p):
    return expected(absolute(x - y) ** p, 1 + 0 * x) ** (1 / p)


def _cosine(x, y):
    return expected(x, y) / sqrt(expected(x, x) * expected(y, y))


def _rise_of_gap(gap, first, second, middle, p):
    residual = first / 1024 - second / 1024
    centre = stop_gradient(middle) / 1024
    distance = _distance(first / 1024, centre, p) + _distance(second / 1024, centre, p)
    huge = (1024 * distance == inf)[..., None]
    size = where(huge, inf, distance[..., None])  # `stop_gradient_if_tiny` then makes second slopes 0, not NaN
    middle, gap = stop_gradient_if_tiny(middle, size), stop_gradient_if_tiny(gap, size[..., 0])
    near, far = (_distance(x / 1024, middle / 1024, p)[..., None] for x in (first, second))
    nearer = near < far
    to_first, to_second = _rise_of_distance(middle, first, p), _rise_of_distance(middle, second, p)
    turned = where(nearer, to_first, to_second) * (gap[..., None] / 1024) + residual
    rise = where(p == 2, -turned / nonzero(where(nearer, far, near)), to_first - to_second)
    return where(huge, 0.0, rise)


def _rise_of_distance(first, second, p):
    _, part, total = _powers(first / 1024 - second / 1024, p)
    part = part / nonzero(total) ** (1 / p)
    return where(p == 2, part, sign(part) * where(part == 0, 0.0, nonzero(absolute(part)) ** (p - 1)))


def _similar(embeddings, temperature):
    x, _ = _unit(embeddings)
    return ops.inner(x, x) / temperature


def _picked(x, positives, negatives, temperature, each):
    x = x / sqrt(ops.sum(x * x))
    power = exp(ops.inner(x, x) / temperature)
    rivals = ops.sum(negatives * power) + (power if each else ops.sum(positives * power))
    return expected(-log(power / rivals), positives / ops.sum(positives))


def _mean(values, chosen):
    return (ops.sum(where(chosen, values, 0.0)) / _count(chosen, values))[..., 0]


def _excess(similar, negatives, temperature):
    """(softmax of negatives, logsumexp less each similarity, any)."""
    shares, total, any_negative = _log_total(similar, negatives, -3 / temperature)
    return shares, total - similar, any_negative


def _log_total(logits, chosen, low):
    """(softmax, logsumexp, any) of the chosen entries of each row; `low` is below all logits."""
    shown = where(chosen, logits, low)
    most = stop_gradient(ops.sum(top(shown) * shown))
    powers = where(chosen, exp(where(chosen, logits - most, 0.0)), 0.0)
    total = ops.sum(powers)
    return powers / nonzero(total), log(nonzero(total)) + most, total != 0


def _count(chosen, like):
    return maximum(ops.sum(where(chosen, 1.0, 0.0 * like)), 1.0)


def _through_similar(embeddings, rise, temperature):
    x, length = _unit(embeddings)
    drawn = ops.inner(rise + rise.mT, x.mT) / temperature
    across = (drawn - x * ops.sum(x * drawn)) / length
    return where(ops.sum(x * x) == 0, 0.0, across)


@loss(
    "vectors", definition=lambda x, y: 1 - _cosine(x, y),
    same_as={
        "torch": "1 - nn.functional.cosine_similarity(prediction, target, dim=-1)",
        "optax": "losses.cosine_distance(prediction, target)",
        "keras": ("1 + losses.cosine_similarity(target, prediction)", "losses.cosine_similarity(target, prediction)"),
        "scipy": "spatial.distance.cdist(prediction, target, 'cosine').diagonal()",
        "sklearn": "metrics.pairwise.paired_cosine_distances(prediction, target)",
    },
)  # fmt: skip
def cosine(prediction, target):
    """Cosine distance: 1 less the cosine of the angle between two vectors, whatever their lengths.

    It is half the squared distance of the unit vectors, which does not cancel where they agree (Keras's
    `cosine_similarity` is this less 1). A vector of zeros has a cosine of 0 with everything, and no slope.
    """
    return _apart(_unit(prediction)[0], _unit(target)[0])


def _apart(x, y):
    nothing = (ops.sum(x * x) == 0) | (ops.sum(y * y) == 0)
    return where(nothing, 1.0, ops.sum((x - y) ** 2) / 2)[..., 0]


@cosine.derivative
def _(prediction, target):
    (x, length), (y, _) = _unit(prediction), _unit(target)
    nothing = (ops.sum(x * x) == 0) | (ops.sum(y * y) == 0)
    return where(nothing, 0.0, (x - y - x * _apart(x, y)[..., None]) / length)


@loss(
    "vectors", convex=True,
    papers=(Paper(
        "Wen et al.", 2016, "A Discriminative Feature Learning Approach for Deep Face Recognition",
        "doi:10.1007/978-3-319-46478-7_31",
    ),),
    definition=lambda x, center: expected(x - center, x - center) / 2,
)  # fmt: skip
def center(prediction, target):
    """Center loss: half the squared distance of a sample's features from the center of its class.

    The centers are learnt with the model: ``slopes.center(features, centers[labels])``, or `slopes.nn.CenterLoss`,
    which holds them. Add a cross-entropy, without which all features move to one point; the paper weighs this loss by
    0.003. The mean is over samples, as in the authors' code; pytorch-center-loss has no half.
    """
    residual = prediction - target
    return ops.sum(residual * residual)[..., 0] / 2


@center.derivative
def _(prediction, target):
    return prediction - target


@loss(
    "pairs",
    definition=lambda x, y, t, margin: where(t > 0, 1 - _cosine(x, y), maximum(_cosine(x, y) - margin, 0)),
    same_as={"torch": "nn.functional.cosine_embedding_loss(first, second, target, margin=margin, reduction='none')"},
)
def cosine_embedding(first, second, target, *, margin: Cosine = 0.0):
    """Cosine distance for vectors that belong together (1), the cosine beyond a margin for others (−1).

    It follows the conventions of `cosine`.
    """
    apart = cosine.body(first, second)
    return where(target > 0, apart, maximum(1 - apart - margin, 0.0))


@cosine_embedding.derivative
def _(first, second, target, *, margin):
    beyond = 1 - cosine.body(first, second) - margin
    factor = where(target > 0, 1.0, where(beyond < 0, 0.0, -1.0))
    return factor[..., None] * cosine.slope_body(first, second)


@loss(
    "pairs",
    papers=(Paper(
        "Hadsell et al.", 2006, "Dimensionality Reduction by Learning an Invariant Mapping",
        "doi:10.1109/CVPR.2006.100",
    ),),
    definition=lambda x, y, t, margin: (
        where(t > 0, expected(x - y, x - y), maximum(margin - sqrt(expected(x - y, x - y)), 0) ** 2) / 2
    ),
)  # fmt: skip
def contrastive_pair(first, second, target, *, margin: Positive = 1.0):
    """Contrastive loss: half the squared distance of vectors that belong together, else half (margin − distance)².

    Vectors further apart than the margin cost 0. Both terms are squared and halved as in the paper (not in
    pytorch_metric_learning). Equal vectors that do not belong together have no slope: no direction leads apart.
    """
    lacking = maximum(margin - _distance(first, second, 2.0), 0.0)
    apart = where(target[..., None] > 0, first - second, 0.0)  # other squares may overflow
    return where(target > 0, ops.sum(apart * apart)[..., 0], lacking * lacking) / 2


@contrastive_pair.derivative
def _(first, second, target, *, margin):
    distance = _distance(first, second, 2.0)
    lacking = maximum(margin - distance, 0.0)[..., None]
    apart = where(lacking == 0, 0.0, first - second)
    return where(target[..., None] > 0, first - second, -lacking * apart / nonzero(distance)[..., None])


def _gap(first, second, middle, p):
    """How much further the first lies from the middle; no cancellation where p is 2."""
    first, second, middle = first / 1024, second / 1024, middle / 1024  # no sum of two distances then overflows
    near, far = _distance(first, middle, p), _distance(second, middle, p)
    along = ((first - middle) + (second - middle)) / nonzero(near + far)[..., None]
    huge = 1024 * (near + far) == inf  # then there is no slope
    gap = where(p == 2, ops.sum(where(huge[..., None], 0.0, first - second) * along)[..., 0], near - far)
    return 1024 * where(huge, stop_gradient(near - far), gap)


@loss(
    "triplets",
    definition=lambda anchor, positive, negative, margin, p, **_: maximum(
        _norm(anchor, positive, p) - _norm(anchor, negative, p) + margin, 0
    ),
    same_as={
        "torch": (
            "nn.functional.triplet_margin_loss(anchor, positive, negative, margin=margin, p=p, swap=swap, eps=0.0, "
            "reduction='none')"
        ),
        "optax": "losses.triplet_margin_loss(anchor, positive, negative, norm_degree=p, margin=margin, eps=0.0)",
    },
)
def triplet_margin(anchor, positive, negative, *, margin: Positive = 1.0, p: AtLeastOne = 2.0, swap: Flag = False):
    """Triplet loss: the positive's distance from the anchor, less the negative's, plus a margin; at least 0.

    Distances are p-norms without an epsilon (PyTorch's moves every distance, Optax's is wrong at p = 1); a distance of
    0 has no slope. With `swap` the negative's distance is the lesser to anchor and positive.
    """
    gap = _gap(positive, negative, anchor, p)
    if swap:
        gap = maximum(gap, _gap(anchor, negative, positive, p))
    return maximum(gap + margin, 0.0)


@triplet_margin.derivative
def _(anchor, positive, negative, *, margin, p, swap):
    gap = _gap(positive, negative, anchor, p)
    rise = _rise_of_gap(gap, positive, negative, anchor, p)
    if swap:
        other = _gap(anchor, negative, positive, p)
        share = where(gap > other, 1.0, where(gap < other, 0.0, 0.5))[..., None]
        rise = share * rise + (1 - share) * _rise_of_distance(anchor, positive, p)
        gap = maximum(gap, other)
    return where(gap + margin < 0, 0.0, 1.0)[..., None] * rise


@loss(
    "embeddings", minimum=None,
    papers=(Paper(
        "van den Oord et al.", 2018, "Representation Learning with Contrastive Predictive Coding", "arXiv:1807.03748",
    ),),
    definition=lambda x, positives, negatives, temperature: _picked(x, positives, negatives, temperature, True),
    same_as={
        "optax": "losses.ntxent(embeddings, labels, temperature)",
        "metric_learning": "losses.NTXentLoss(temperature)(embeddings, labels)",
    },
)  # fmt: skip
def info_nce(embeddings, positives, negatives, *, temperature: Positive = 0.07):
    """Cross-entropy of picking a positive among the negatives by its cosine over a temperature; NT-Xent.

    Each value is the mean over an anchor's positives, each against negatives alone; for two views of each image, which
    share a label, it is SimCLR's. Optax and pytorch_metric_learning take one mean over all pairs, which differs with
    the sizes of classes.
    """
    _, excess, any_negative = _excess(_similar(embeddings, temperature), negatives, temperature)
    return _mean(where(any_negative, softplus(excess), 0.0), positives)


@info_nce.derivative
def _(embeddings, positives, negatives, cotangent, *, temperature):
    shares, excess, any_negative = _excess(_similar(embeddings, temperature), negatives, temperature)
    wrong = where(positives & any_negative, sigmoid(excess), 0.0) / _count(positives, excess)
    return _through_similar(embeddings, cotangent[..., None] * (shares * ops.sum(wrong) - wrong), temperature)


nt_xent = info_nce


@loss(
    "embeddings", minimum=None,
    papers=(Paper("Khosla et al.", 2020, "Supervised Contrastive Learning", "arXiv:2004.11362"),),
    definition=lambda x, positives, negatives, temperature: _picked(x, positives, negatives, temperature, False),
    same_as={"metric_learning": "losses.SupConLoss(temperature)(embeddings, labels)"},
)  # fmt: skip
def supcon(embeddings, positives, negatives, *, temperature: Positive = 0.1):
    """Cross-entropy of picking a positive among all others, positives too, by its cosine over a temperature.

    Each value is the mean over an anchor's positives; the loss is the mean over anchors with one.
    """
    return _mean(-ops.log_softmax(_shown(embeddings, positives | negatives, temperature)), positives)


def _shown(embeddings, others, temperature):
    """Similarities to others, elsewhere a number with a softmax of 0."""
    return where(others, _similar(embeddings, temperature), -1e5 - 3 / temperature)


@supcon.derivative
def _(embeddings, positives, negatives, cotangent, *, temperature):
    shown = _shown(embeddings, positives | negatives, temperature)
    share, missed, count = ops.softmax(shown), ops.softmax_complement(shown), _count(positives, shown)
    rise = where(positives, ((count - 1) * share - missed) / count, where(negatives, share, 0.0))
    rise = where(ops.sum(where(positives, 1.0, 0.0 * shown)) == 0, 0.0, rise)
    return _through_similar(embeddings, cotangent[..., None] * rise, temperature)


def _circle(x, positives, negatives, margin, scale):
    x = x / sqrt(ops.sum(x * x))
    near, far = _costs(ops.inner(x, x), margin)
    return log(1 + expected(exp(scale * far), negatives) * expected(exp(scale * near), positives))


def _costs(similar, margin):
    """(of positives, of negatives), each times its weight."""
    near, far = _weights(similar, margin)
    return near * (1 - margin - similar), far * (similar - margin)


def _weights(similar, margin):
    """(of positives, of negatives): how far they are from 1 + margin and from −margin, as constants."""
    return tuple(stop_gradient(maximum(distance, 0.0)) for distance in (1 + margin - similar, similar + margin))


@loss(
    "embeddings", minimum=None,
    papers=(Paper(
        "Sun et al.", 2020, "Circle Loss: A Unified Perspective of Pair Similarity Optimization", "arXiv:2002.10857",
    ),),
    definition=_circle, detached=True,
    same_as={
        "metric_learning": (
            "losses.CircleLoss(margin, scale)(embeddings, labels)", "losses.CircleLoss()(embeddings, labels)"
        ),
    },
)  # fmt: skip
def circle(embeddings, positives, negatives, *, margin: CosineMargin = 0.25, scale: Positive = 256.0):
    """Circle loss: log(1 + Σ exp(scale·cost)) over pairs of a positive and a negative of an anchor, by their cosines.

    A positive of cosine p and a negative of cosine n cost w·(1 − margin − p) + v·(n − margin), with the weights
    w = 1 + margin − p and v = n + margin, at least 0. Weights are constants in all gradients, as in the paper, so these
    are not the derivatives of the value. pytorch_metric_learning has a margin of 0.4 and a scale of 80.
    """
    *_, excess, known = _sum_of_pairs(embeddings, positives, negatives, margin, scale)
    return where(known, softplus(excess), 0.0)[..., 0]


@circle.derivative
def _(embeddings, positives, negatives, cotangent, *, margin, scale):
    of_positives, of_negatives, excess, known = _sum_of_pairs(embeddings, positives, negatives, margin, scale)
    near, far = _weights(_similar(embeddings, 1.0), margin)
    rise = where(known, scale * sigmoid(excess) * (of_negatives * far - of_positives * near), 0.0)
    return _through_similar(embeddings, cotangent[..., None] * rise, 1.0)


def _sum_of_pairs(embeddings, positives, negatives, margin, scale):
    """(shares of positives, shares of negatives, logarithm of the sum over pairs, whether there are both)."""
    near, far = _costs(_similar(embeddings, 1.0), margin)
    of_positives, first, any_positive = _log_total(scale * near, positives, -2 * scale)
    of_negatives, second, any_negative = _log_total(scale * far, negatives, -2 * scale)
    return of_positives, of_negatives, first + second, any_positive & any_negative


@loss(
    "classification", convex=True,
    papers=(Paper("Zhai et al.", 2023, "Sigmoid loss for language image pre-training", "arXiv:2303.15343"),),
    definition=lambda z, y: expected(log(1 + exp(-z)) + ops.sum(log(1 + exp(z))) - log(1 + exp(z)), y),
)  # fmt: skip
def siglip(prediction, target):
    """Sigmoid loss of SigLIP: the binary cross-entropies of a row of logits, summed, with a yes for its partner alone.

    Rows are items and columns their candidates: ``scale * images @ texts.T + bias``, at first with 10 and −10 in the
    paper, and ``arange(n)`` as the target of n pairs. The mean is over rows, as in the authors' code and in open_clip.
    """
    yes, no = _partners(prediction, target)
    return ops.sum(ops.scaled(softplus(-prediction), yes) + ops.scaled(softplus(prediction), no))[..., 0]


@siglip.derivative
def _(prediction, target):
    yes, no = _partners(prediction, target)
    return no * sigmoid(prediction) - yes * sigmoid(-prediction)


def _partners(prediction, target):
    """(the share of a yes at each entry, the share of a no)."""
    yes = ops.one_hot(target, like=prediction)
    return yes, 1 - yes if target.ndim < prediction.ndim else ops.sum_others(yes, yes)
