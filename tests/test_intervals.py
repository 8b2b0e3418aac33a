"""Bounds of values and derivatives over intervals hold what exact arithmetic gives at each point."""

import numpy as np
import pytest

import slopes
from slopes import ops
from slopes.card import Map

pytest.importorskip("flint")
from flint import arb

from slopes.readings import exact, interval

CONSTANTS = (0.5, 2, -1.5, 3, 0.1, slopes.ops.pi, slopes.ops.sqrt2, slopes.ops.Constant("1/6", 1 / 6, 0.0))
UNARY = {
    "exp": ops.exp, "expm1": ops.expm1, "tanh": ops.tanh, "sinh": ops.sinh, "sin": ops.sin, "cos": ops.cos,
    "erf": ops.erf, "lgamma_ratio": lambda x: ops.lgamma_ratio(ops.absolute(x) + 0.1), "sigmoid": ops.sigmoid, "ndtr": ops.ndtr, "normal_pdf": ops.normal_pdf, "mish": ops.mish,
    "mish_slope": ops.mish_slope, "sigmoid_slope": ops.sigmoid_slope, "tanhshrink": ops.tanhshrink,
    "normal_gate_slope": ops.normal_gate_slope, "expm1_less": ops.expm1_less, "absolute": ops.absolute,
    "softplus": ops.softplus, "softplus3": lambda x: ops.softplus(x, 3.0), "softcap": lambda x: ops.softcap(x, 2.5),
    "snake": lambda x: ops.snake(x, 1.5), "root": lambda x: ops.root_of_square(x, 0.5),
    "log": lambda x: ops.log(ops.absolute(x) + 0.1), "log1p": lambda x: ops.log1p(x * x), "square": lambda x: x**2,
    "sqrt": lambda x: ops.sqrt(x * x + 0.01), "cube": lambda x: x**3, "inverse": lambda x: 1 / (1 + ops.exp(-x)),
    "silu": lambda x: ops.sigmoid(x, times=x), "gate": lambda x: ops.gate_slope(x, x), "shrink": ops.sign,
    "cubic": lambda x: ops.cubic(x, ops.pi, ops.sqrt2)[0], "clip": lambda x: ops.clip(x, -0.5, 2), "step": ops.step,
    "mixture": lambda x: ops.sigmoid_mixture(x, 0.25)[0], "where": lambda x: ops.where(x < 0.25, -x, x * x),
    "rational": lambda x: ops.rational(x, (0.5, -1.0, 2.0), (1.0, -0.5)), "odd_root": lambda x: (x * x + 0.5) ** 0.3, "reciprocal": lambda x: (x * x + 0.5) ** -2,
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "divide": lambda a, b: a / (b * b + 0.25), "minimum": ops.minimum, "maximum": ops.maximum,
    "where": lambda a, b: ops.where(a <= b, a + 1, b * 2),
}  # fmt: skip


def draw_expression(rng, depth):
    """Return a random function of the primitives."""
    kind = rng.choice(["unary", "binary", "leaf"], p=[0.5, 0.4, 0.1]) if depth else "leaf"
    if kind == "unary":
        function, inner = UNARY[rng.choice(list(UNARY))], draw_expression(rng, depth - 1)
        return lambda x: function(inner(x))
    if kind == "binary":
        function, parts = BINARY[rng.choice(list(BINARY))], [draw_expression(rng, depth - 1) for _ in range(2)]
        return lambda x: function(parts[0](x), parts[1](x))
    constant = CONSTANTS[rng.integers(len(CONSTANTS))]
    return (lambda x: x * constant) if rng.random() < 0.7 else (lambda x: x + constant)


def exactly(function, at):
    """(value, slope) at the points, as balls."""
    points = exact.Exact(np.asarray(at))
    return [function(points)[...].view(np.ndarray), exact.tangent(function, points).view(np.ndarray)]


def holds(bounds, ball):
    """Whether no number of a ball is certainly outside."""
    return ball.is_nan() or not (ball < bounds.low or ball > bounds.high)


def check(function, low, high, rng):
    """Compare the bounds over an interval with exact numbers at points of it; return whether anything was bounded."""
    points = np.sort(rng.uniform(low, high, 5))
    for open_ in (0, interval.LOW | interval.HIGH):
        bounds = interval.jet(function(interval.variable(low, high, open_)))
        values, slopes_ = exactly(function, points)
        slope, bend = bounds.slope or interval.ZERO, interval.ZERO if bounds.slope is None else bounds.bend
        for x, value, tangent in zip(points, values, slopes_, strict=True):
            assert holds(bounds.value, value), (x, value, bounds)
            assert holds(slope, tangent), (x, tangent, bounds)
        if not bounds.breaks:
            for k in range(len(points) - 1):  # the mean-value theorem
                step = arb(points[k + 1]) - arb(points[k])
                assert holds(slope, (values[k + 1] - values[k]) / step), (points[k], bounds)
                assert holds(bend, (slopes_[k + 1] - slopes_[k]) / step), (points[k], bounds)
    return abs(bounds.value.low) < np.inf


@pytest.mark.parametrize("seed", range(60))
def test_bounds_of_random_expressions_hold_exact_values_and_slopes(seed):
    rng = np.random.default_rng(seed)
    with exact.precision(40):
        for _ in range(10):
            function = draw_expression(rng, int(rng.integers(1, 5)))
            middle, width = rng.normal(scale=2), 10.0 ** rng.uniform(-6, 0.7)
            check(function, middle - width, middle + width, rng)


def test_bounds_of_each_primitive_hold_exact_values_and_slopes():
    rng = np.random.default_rng(0)
    with exact.precision(40):
        for name, function in {**UNARY, **{key: lambda x, f=f: f(x, 1 - x) for key, f in BINARY.items()}}.items():
            for low, high in [(-3, 3), (0, 2), (-1, 0), (-1e-3, 1e-3), (0.5, 0.75), (20, 400), (-400, -20), (-0.5, 40)]:
                assert check(function, float(low), float(high), rng), name


def test_bounds_of_activations_hold_exact_values_and_slopes(activation):
    if isinstance(activation, Map):
        pytest.skip("a function of rows")
    rng = np.random.default_rng(1)
    _, body, slope = activation.bind(interval, None, {})
    _, exact_body, exact_slope = activation.bind(exact, None, {})
    with exact.precision(40):
        for bounded, wanted in ((body, exact_body), (slope, exact_slope)):
            for low, high in [(-8, 8), (-1.5, 1), (0, 1e-3), (-1e300, -1), (1, 1e300), (-700, -600), (-1e-300, 0)]:
                jet = interval.jet(bounded(interval.variable(float(low), float(high))))
                points = np.append(rng.uniform(low, high, 20), [low, high])
                for value in wanted(exact.Exact(points)).view(np.ndarray):
                    assert holds(jet.value, value)


def test_comparisons_are_undecided_only_where_numbers_differ():
    x = interval.variable(0.0, 1.0)
    assert ((x < 0).may, (x <= 0).may, (x >= 0).must, (x > 0).must) == (False, True, True, False)
    inside = interval.variable(0.0, 1.0, interval.LOW | interval.HIGH)
    assert (inside > 0).must
    assert (2 * inside - 3 < -1).must
    assert (-inside < 0).must
    assert not (1 - inside <= 0).may
    with pytest.raises(interval.IntervalError, match="branches on a value"):
        bool(x > 0.5)


def test_limits_come_from_one_side():
    left = interval.variable(1.0, 1.0, interval.HIGH | interval.LIMIT)
    right = interval.variable(1.0, 1.0, interval.LOW | interval.LIMIT)
    assert (left < 1).must
    assert (right > 1).must
    assert (abs(left - 1) > 0).must
    assert ((left - 1) * 3 < 0).must
    assert not (left * left < left).must  # both come to 1, and nothing tells which is the smaller
    assert not (left <= left * left).must
    assert not (left * left >= 1).must
    assert not (left * ops.exp(left - 1) >= 1).must
    slopes_ = [float(ops.where(x > 1, 3 * x - 2, x).slope.low) for x in (left, right)]
    assert slopes_ == [1, 3]
    zero = interval.variable(0.0, 0.0, interval.HIGH | interval.LIMIT)
    assert float((zero * (1 / zero)).value.high) == np.inf  # it is 1, which the ends do not tell
    assert float(ops.absolute(zero).slope.low) == -1
    assert not (zero - zero < 0).must
    assert not (zero - zero > 0).must


def test_branches_are_joined():
    x = interval.variable(-1.0, 2.0)
    joined = ops.where(x > 0.5, 1, x)
    assert joined.breaks == interval.KINK | interval.JUMP
    assert (float(joined.value.low), float(joined.value.high)) == (-1, 2)
    assert (float(joined.slope.low), float(joined.slope.high)) == (0, 1)
    assert ops.maximum(x, 0).breaks == interval.KINK
    assert float(ops.maximum(x, 0).value.low) == 0
    assert not ops.maximum(interval.variable(0.0, 1.0), 0).breaks
    assert ops.absolute(interval.variable(-1.0, 0.0)).breaks == interval.KINK  # the slope at 0 is one of the other side


def test_where_formulas_end_is_a_break():
    assert (1 / interval.variable(0.0, 1.0)).breaks
    assert not (1 / interval.variable(0.0, 1.0, interval.LOW)).breaks
    assert ops.sqrt(interval.variable(-1.0, 1.0) ** 2).breaks == interval.KINK
    assert ops.log(interval.variable(-1.0, 1.0)).breaks


def test_rational_numbers_stay_exact():
    sixth = interval.parameter("slope", ops.Constant("1/6", 1 / 6, 0.0))
    end = (1 / sixth) / 2
    assert (end == 3).must
    assert (interval.variable(-3.0, 3.0) + end).value._scaled(sixth.value).high == 1
    with pytest.raises(TypeError, match="alpha must be one number here, not ndarray"):
        interval.parameter("alpha", np.ones(2))


def test_a_ratio_to_a_root_is_bounded_for_each_sign():
    one_to_four = interval.Bounds(arb(1), arb(4))
    for low, high in [(-2, -1), (1, 2), (-1, 2)]:
        bounds = interval._ratio_to_root(interval.Bounds(arb(low), arb(high)), one_to_four)
        for x in (low, high):
            for b in (1, 4):
                assert holds(bounds, x / (x * x + arb(b)).sqrt())


def test_the_slope_of_a_normal_gate_is_bounded_where_its_terms_cancel():
    """Against the asymptotic series of the tail."""
    for x in (-1.1e5, -2e6, -1e300):
        far = arb(x)
        with exact.precision(40):
            ball = interval._normal_gate_slope_at(far)
            term = 1 / far
            near = exact._density(far) * (far - term + term**3)
            assert ball.overlaps(near)
            assert ball < 0


def test_primitives_of_rows_are_refused():
    with pytest.raises(interval.IntervalError, match=r"it uses slopes\.ops\.softmax, which takes a row"):
        ops.softmax(interval.variable(0.0, 1.0))
    with pytest.raises(interval.IntervalError, match=r"it uses slopes\.ops\.sum, which is not computed for intervals"):
        ops.sum(interval.variable(0.0, 1.0))
    with pytest.raises(interval.IntervalError, match="takes a row of rational numbers beside x"):
        ops.above_simplex_threshold(interval.Row(interval.variable(0.0, 1.0), (0, ops.exp(interval.jet(1)))))


@pytest.mark.parametrize(
    "function",
    [ops.softmax, ops.softmax_complement, ops.log_softmax, ops.softmax_logit, ops.above_simplex_threshold, ops.top],
)
def test_bounds_of_the_first_entry_of_a_row_hold_exact_values(function):
    rng = np.random.default_rng(0)
    for low, high in [(-3, 3), (-1, -0.75), (0.9, 1.1), (0.1, 0.2), (-0.6, -0.4), (2, 50)]:
        for others in [(0, 0), (0.25, -0.5), (-1.5,), (0.5, 0.5, 0.25, -4)]:
            bounds = function(interval.Row(interval.variable(float(low), float(high)), others) + 0.25)
            points = np.sort(rng.uniform(low, high, 20))
            rows = exact.Exact(np.stack([points, *(np.full_like(points, other) for other in others)], axis=-1)) + 0.25
            values = [arb(row[0]) for row in function(rows).view(np.ndarray)]
            assert all(holds(bounds.value, value) for value in values), (function, low, others)
            if not bounds.breaks:
                steps = zip(points[1:], points[:-1], values[1:], values[:-1], strict=True)
                slope = bounds.slope or interval.ZERO
                assert all(holds(slope, (b - a) / (arb(y) - arb(x))) for y, x, b, a in steps)
