"""Losses of images, compared by windows."""

from __future__ import annotations

from slopes import ops
from slopes.card import loss
from slopes.domains import Positive
from slopes.facts import Paper

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
