"""Losses of a box (x1, y1, x2, y2)."""

from __future__ import annotations

from typing import NamedTuple

from slopes import ops
from slopes.card import loss
from slopes.facts import Paper
from slopes.ops import Array, absolute, angle, entry, maximum, minimum, nonzero, pi, stop_gradient, where


class Sides(NamedTuple):
    """Lengths of two boxes along both axes, in units of the larger side of their hull."""

    unit: Array
    own: Array  #: of the prediction
    other: Array  #: of the target
    around: Array  #: of the hull
    gap: Array  #: of the intersection, below 0 for boxes apart
    shift: Array  #: from centre to centre


class Pair(NamedTuple):
    """Areas and distances of two boxes, in those units."""

    lapped: Array  #: intersection
    wrong: Array  #: covered by one box
    union: Array
    hull: Array
    apart: Array  #: squared distance of the centres
    across: Array  #: squared diagonal of the hull
    aspect: Array  #: angle between the diagonals, in right angles


def _sides(prediction, target):
    low, high = prediction[..., :2], prediction[..., 2:]
    left, right = target[..., :2], target[..., 2:]
    around = stop_gradient(maximum(high, right) - minimum(low, left))
    size = maximum(around[..., :1], around[..., 1:])
    low, high, unit = ops.stop_gradient_if_tiny(low, size), ops.stop_gradient_if_tiny(high, size), nonzero(size)
    around = maximum(high, right) - minimum(low, left)
    gap = minimum(high, right) - maximum(low, left)
    shift = ((low - left) / unit + (high - right) / unit) / 2
    return Sides(unit, (high - low) / unit, (right - left) / unit, around / unit, gap / unit, shift)


def _pair(sides):
    common = where(sides.gap <= 0, 0.0, sides.gap)
    (w, h), (v, g), (a, b), (c, d) = (_columns(x) for x in (sides.own, sides.other, sides.around, common))
    across, along = v * h - w * g, g * h + v * w
    small = (absolute(across) + along) ** 3 == 0
    turn = where(
        small,
        angle(stop_gradient(across), nonzero(stop_gradient(along))),
        angle(where(small, 0.0, across), where(small, 1.0, along)),
    )
    lapped = c * d
    return Pair(
        lapped, (w * h - lapped) + (v * g - lapped), w * h + (v * g - lapped), a * b, ops.sum(sides.shift**2)[..., 0],
        a * a + b * b, 2 * turn / pi,
    )  # fmt: skip


class Rise(NamedTuple):
    """Slopes by the corners."""

    lapped: Array
    union: Array
    hull: Array
    apart: Array
    across: Array
    aspect: Array


def _rise(prediction, target, sides):
    low, high = prediction[..., :2] - target[..., :2], prediction[..., 2:] - target[..., 2:]
    beyond = ops.joined(-low, high)
    outer = where(beyond == 0, 0.5, ops.step(beyond))  # 1 if a corner moves the hull, half for a tie
    gap = where(sides.gap <= 0, 0.0, sides.gap)
    meets = where(sides.gap <= 0, 0.0, 1.0)
    lapped = (1 - outer) * _outward(meets * _swapped(gap))
    largest = maximum(sides.own[..., :1], sides.own[..., 1:])
    flat = largest**3 == 0
    w, h = _columns(where(flat, 0.0, sides.own) / where(flat, 1.0, stop_gradient(largest)))
    turn = ops.joined(-h[..., None], w[..., None]) / where(flat, 1.0, stop_gradient(largest))
    turn = _outward(turn / nonzero(w * w + h * h)[..., None])
    return Rise(
        lapped, _outward(_swapped(sides.own)) - lapped, outer * _outward(_swapped(sides.around)),
        ops.joined(sides.shift, sides.shift), 2 * outer * _outward(sides.around), 2 * turn / pi,
    )  # fmt: skip


def _outward(x):
    return ops.joined(-x, x)


def _swapped(x):
    return ops.joined(x[..., 1:], x[..., :1])


def _share(part, whole, nothing):
    """part / whole, or `nothing` for a whole of 0; without a slope for a tiny whole."""
    small = whole**3 == 0
    constant = ops.safe_divide(stop_gradient(part), stop_gradient(whole), nothing)
    return where(small, constant, part / where(small, 1.0, whole))


def _rise_of_share(part, whole, part_rise, whole_rise):
    part, whole = part[..., None], whole[..., None]
    small = whole**3 == 0
    whole = where(small, 1.0, whole)
    return where(small, 0.0, (part_rise - part / whole * whole_rise) / whole)


def _rise_of_lost(pair, rise):
    return -_rise_of_share(pair.lapped, pair.union, rise.lapped, rise.union)


def _columns(x):
    return entry(x, 0), entry(x, 1)


def _textbook(p, t):
    (a, b, c, d), (e, f, g, h) = ([entry(box, place) for place in range(4)] for box in (p, t))
    common = maximum(minimum(c, g) - maximum(a, e), 0) * maximum(minimum(d, h) - maximum(b, f), 0)
    width, height = maximum(c, g) - minimum(a, e), maximum(d, h) - minimum(b, f)
    union = (c - a) * (d - b) + (g - e) * (h - f) - common
    apart = ((a + c - e - g) ** 2 + (b + d - f - h) ** 2) / 4
    aspect = (2 * (angle(g - e, h - f) - angle(c - a, d - b)) / pi) ** 2
    return common, union, width * height, apart, width**2 + height**2, aspect


def _giou(p, t):
    common, union, hull, *_ = _textbook(p, t)
    return 1 - common / union + (hull - union) / hull


def _diou(p, t):
    common, union, _, apart, across, _ = _textbook(p, t)
    return 1 - common / union + apart / across


def _ciou(p, t):
    common, union, *_, aspect = _textbook(p, t)
    return _diou(p, t) + aspect**2 / (1 - common / union + aspect)


REZATOFIGHI = Paper(
    "Rezatofighi et al.", 2019,
    "Generalized Intersection over Union: A Metric and A Loss for Bounding Box Regression", "arXiv:1902.09630",
)  # fmt: skip
ZHENG = Paper(
    "Zheng et al.", 2019, "Distance-IoU Loss: Faster and Better Learning for Bounding Box Regression",
    "arXiv:1911.08287",
)  # fmt: skip


@loss(
    "boxes", definition=_giou, papers=(REZATOFIGHI,),
    same_as={"torchvision": "ops.generalized_box_iou_loss(prediction, target, eps=0.0)"},
)  # fmt: skip
def giou(prediction, target):
    """Generalized IoU loss: the share of the union that only one box covers, plus the empty share of their hull.

    The hull is the box around both. In its units no area overflows; boxes without an area have an IoU of 0.
    """
    pair = _pair(_sides(prediction, target))
    return _share(pair.wrong, pair.union, 1.0) + _share(pair.hull - pair.union, pair.hull, 0.0)


@giou.derivative
def _(prediction, target):
    sides = _sides(prediction, target)
    pair, rise = _pair(sides), _rise(prediction, target, sides)
    return (_rise_of_lost(pair, rise) - _rise_of_share(pair.union, pair.hull, rise.union, rise.hull)) / sides.unit


@loss(
    "boxes", definition=_diou, papers=(ZHENG,),
    same_as={"torchvision": "ops.distance_box_iou_loss(prediction, target, eps=0.0)"},
)  # fmt: skip
def diou(prediction, target):
    """Distance IoU loss: 1 − IoU plus the squared distance of the centres, in diagonals of the box around both.

    The distance draws boxes together even if they do not overlap.
    """
    pair = _pair(_sides(prediction, target))
    return _share(pair.wrong, pair.union, 1.0) + ops.safe_divide(pair.apart, pair.across, 0.0)


@diou.derivative
def _(prediction, target):
    sides = _sides(prediction, target)
    pair, rise = _pair(sides), _rise(prediction, target, sides)
    centre = _rise_of_share(pair.apart, pair.across, rise.apart, rise.across)
    return (_rise_of_lost(pair, rise) + centre) / sides.unit


@loss("boxes", definition=_ciou, papers=(ZHENG,))
def ciou(prediction, target):
    """Complete IoU loss: the distance IoU loss plus a cost of another aspect where the boxes overlap.

    The aspect's weight has a gradient; in torchvision it is constant. An angle between diagonals gives the cost, also
    for a side of 0.
    """
    pair = _pair(_sides(prediction, target))
    lost, aspect = _share(pair.wrong, pair.union, 1.0), pair.aspect**2
    return lost + ops.safe_divide(pair.apart, pair.across, 0.0) + _share(aspect * aspect, lost + aspect, 0.0)


@ciou.derivative
def _(prediction, target):
    sides = _sides(prediction, target)
    pair, rise = _pair(sides), _rise(prediction, target, sides)
    lost, square = _share(pair.wrong, pair.union, 1.0), pair.aspect**2
    weight = _share(square, lost + square, 0.0)[..., None]
    centre = _rise_of_share(pair.apart, pair.across, rise.apart, rise.across)
    turned = 2 * weight * (2 - weight) * pair.aspect[..., None] * rise.aspect
    return ((1 - weight) * (1 + weight) * _rise_of_lost(pair, rise) + centre + turned) / sides.unit
