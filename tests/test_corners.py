"""Bounds of boxes hold for boxes in each order of their corners, also for those that touch and without an area."""

import math

import numpy as np
import pytest

from slopes import ops

pytest.importorskip("flint")
from slopes.readings import corners
from slopes.readings.curvature import CurvatureError

ORDERS = list(corners.pairs_of_boxes(100.0))


def sides(p, t):
    """Lengths of the boxes, of the hull and of the gap along both axes."""
    low, high = ops.maximum(p[..., :2], t[..., :2]), ops.minimum(p[..., 2:], t[..., 2:])
    hull = ops.maximum(p[..., 2:], t[..., 2:]) - ops.minimum(p[..., :2], t[..., :2])
    return p[..., 2:] - p[..., :2], t[..., 2:] - t[..., :2], hull, high - low


def area(sides):
    return ops.entry(sides, 0) * ops.entry(sides, 1)


def union(p, t):
    own, other, _, gap = sides(p, t)
    return area(own) + area(other) - area(ops.maximum(gap, 0.0))


def centres(p, t):
    shift = (p[..., :2] + p[..., 2:] - t[..., :2] - t[..., 2:]) / 2
    return ops.sum(shift**2)[..., 0]


def inverse(p, t):
    """A width in units less the same times the unit."""
    width, unit = ops.entry(sides(p, t)[0], 0), ops.nonzero(area(sides(p, t)[2]))
    return width / unit - width * unit


FUNCTIONS = {
    "width": lambda p, t: ops.entry(sides(p, t)[0], 0),
    "gap": lambda p, t: ops.entry(sides(p, t)[3], 0),
    "unclipped": lambda p, t: area(sides(p, t)[3]),
    "lapped": lambda p, t: area(ops.maximum(sides(p, t)[3], 0.0)),
    "union": union,
    "less": lambda p, t: union(p, t) - 1.5 * area(sides(p, t)[0]),
    "rest": lambda p, t: union(p, t) - area(sides(p, t)[0]),
    "empty": lambda p, t: area(sides(p, t)[2]) - union(p, t),
    "centres": centres,
    "diagonal": lambda p, t: ops.sum(sides(p, t)[2] ** 2)[..., 0] - centres(p, t),
    "share": lambda p, t: ops.safe_divide(-union(p, t), area(sides(p, t)[2])),
    "powers": lambda p, t: area(sides(p, t)[0]) * area(sides(p, t)[0]) - area(sides(p, t)[0]),
    "inverse": inverse,
    "scaled": lambda p, t: area((sides(p, t)[0] - sides(p, t)[2]) / ops.nonzero(ops.sum(sides(p, t)[2]))),
    "joined": lambda p, t: ops.sum(ops.joined(p, t) * ops.joined(-t, t))[..., 0],
    "moved": lambda p, t: ops.where(p <= t, p, t + 1)[..., 3] - t[..., 3],
    "smaller": lambda p, t: ops.minimum(area(sides(p, t)[0]), area(sides(p, t)[1])),
}  # fmt: skip


def draw_boxes(order, rng, size=50):
    """Return boxes whose corners have this order along both axes, with gaps of 0 among them."""
    start = rng.uniform(-20, 20, (2, 1, size))
    gaps = rng.uniform(0, 9, (2, 3, size)) * rng.integers(0, 2, (2, 3, size))
    numbers = np.concatenate([start, start + np.cumsum(gaps, 1)], 1)
    places = [[len(form.terms) - 1 for form in box.entries] for box in order]
    return [np.stack([numbers[axis % 2, place] for axis, place in enumerate(box)], -1) for box in places]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_bounds_hold_for_boxes_of_each_order(name):
    rng = np.random.default_rng(0)
    for order in ORDERS:
        bounds, boxes = FUNCTIONS[name](*order).bounds, draw_boxes(order, rng)
        values = FUNCTIONS[name](*boxes)
        assert np.min(values) >= float(bounds.low) - 1e-9
        assert np.max(values) <= float(bounds.high) + 1e-9


def test_there_is_each_order():
    places = {tuple(len(form.terms) for box in order for form in box.entries) for order in ORDERS}
    assert len(places) == len(ORDERS) == 36
    assert all(a < c and b < d for a, b, c, d, *_ in places)
    assert all(a < c and b < d for *_, a, b, c, d in places)


def test_signs_are_known_where_all_terms_have_one():
    lows = {name: min(float(function(*order).bounds.low) for order in ORDERS) for name, function in FUNCTIONS.items()}
    assert {name for name, low in lows.items() if low == 0} == {
        "width", "lapped", "union", "rest", "empty", "centres", "diagonal", "scaled", "smaller",
    }  # fmt: skip
    assert max(float(FUNCTIONS["share"](*order).bounds.high) for order in ORDERS) == 0
    assert lows["less"] == -math.inf


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda p, t: ops.softmax(p), r"it uses slopes\.ops\.softmax, whose bounds are not known for corners"),
        (lambda p, t: p[..., None], "it takes a view of a row of corners"),
        (lambda p, t: p + t[..., :3], "it joins rows of several lengths"),
        (lambda p, t: p / (p - t), "it divides by a number that may be 0"),
        (lambda p, t: p if p > 0 else t, "it looks at a value"),
    ],
)
def test_corners_without_bounds_are_refused(function, message):
    with pytest.raises(CurvatureError, match=message):
        function(*ORDERS[1])
