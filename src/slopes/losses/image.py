"""Losses of images, compared by windows or alone."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.domains import Positive
from slopes.facts import Paper
from slopes.losses.embedding import AtLeastOne, _distance, _rise_of_distance
from slopes.ops import absolute, expected, sign

KORNIA = (
    "core.ops.torch.nn.functional.pad(2 * losses.ssim_loss(prediction, target, 11, data_range, eps=0.0, "
    "reduction='none', padding='valid'), (5, 5, 5, 5))"
)


def _similarity(moments, data_range, k1, k2):
    apart, distinct, together, alike = (ops.entry(moments, place) for place in range(4))
    c1, c2 = (k1 * data_range) ** 2, (k2 * data_range) ** 2
    luminance = ((together - apart) / 2 + c1) / ((together + apart) / 2 + c1)
    return luminance * ((alike - distinct) / 2 + c2) / ((alike + distinct) / 2 + c2)


def _parts(moments, data_range, k1, k2):
    """(of means, of variances), each as two numbers: how far the windows differ and how far they agree."""
    apart, distinct, together, alike = (ops.entry(moments, place) for place in range(4))
    return (apart, together + 2 * (k1 * data_range) ** 2), (distinct, alike + 2 * (k2 * data_range) ** 2)


@loss(
    "images",
    papers=(Paper(
        "Wang et al.", 2004, "Image Quality Assessment: From Error Visibility to Structural Similarity",
        "doi:10.1109/TIP.2003.819861",
    ),),
    definition=lambda moments, data_range, k1, k2: 1 - _similarity(moments, data_range, k1, k2),
    same_as={"kornia": (KORNIA, "losses.ssim_loss(prediction, target, 11)")},
)  # fmt: skip
def ssim(moments, *, data_range: Positive = 1.0, k1: Positive = 0.01, k2: Positive = 0.03):
    """Structural dissimilarity, 1 − SSIM: how far means, contrasts and structures of windows of two images differ.

    `data_range` is the largest possible value of a pixel less the smallest, `window` the side of a window in pixels,
    and `sigma` the width of its weights, None for equal ones. The mean is over windows that lie inside the images, as
    in the paper; pytorch_msssim has a range of 255, kornia halves the loss, and scikit-image has windows of 7 equal
    weights. In the formula m₀ and m₁ are the squared mean and the variance of prediction − target in a window, and m₂
    and m₃ the same of prediction + target: no digits cancel where images agree.
    """
    (apart, together), (distinct, alike) = _parts(moments, data_range, k1, k2)
    means, variances = apart + together, distinct + alike
    return 2 * (apart / means * (alike / variances) + together / means * (distinct / variances))


@ssim.derivative
def _(moments, *, data_range, k1, k2):
    (apart, together), (distinct, alike) = _parts(moments, data_range, k1, k2)
    means, variances = apart + together, distinct + alike
    by_means = 2 * ((alike - distinct) / variances) / means / means
    by_variances = 2 * ((together - apart) / means) / variances / variances
    slopes = together * by_means, alike * by_variances, -apart * by_means, -distinct * by_variances
    return ops.joined(*(ops.joined(*(slope[..., None] for slope in pair)) for pair in (slopes[:2], slopes[2:])))


@loss(
    "images alone",
    papers=(Paper(
        "Rudin et al.", 1992, "Nonlinear Total Variation Based Noise Removal Algorithms",
        "doi:10.1016/0167-2789(92)90242-F",
    ),),
    definition=lambda differences, p: expected(absolute(differences) ** p, 1 + 0 * differences) ** (1 / p),
)  # fmt: skip
def total_variation(differences, *, p: AtLeastOne = 1.0):
    """Total variation of an image: the size of the differences of each pixel from those below and on its right.

    With p = 1 the sizes of both differences are added, with p = 2 the length of the two counts, as in the paper; equal
    pixels have no slope. It makes an image smooth, beside an error: ``slopes.mse(image, noisy) + 0.1 *
    slopes.total_variation(image)``. There is a value for each pixel, and the mean is over pixels; TensorFlow, Kornia
    and torchmetrics sum the pixels of an image, as ``reduction="sum"`` does. In the formula d₁ and d₂ are the
    differences.
    """
    if _is_one(p):
        return ops.sum(absolute(differences))[..., 0]
    return _distance(differences, 0.0 * differences, p)


@total_variation.derivative
def _(differences, *, p):
    return sign(differences) if _is_one(p) else _rise_of_distance(differences, 0.0 * differences, p)


def _is_one(p):
    return isinstance(p, (int, float)) and p == 1
