"""Bounds and curvature of forms hold for rows: exact values lie within bounds, and chords on the side that is told."""

import numpy as np
import pytest

from slopes import ops

pytest.importorskip("flint")
from flint import arb

from slopes.readings import curvature, exact
from slopes.readings.curvature import AFFINE, CONCAVE, CONSTANT, CONVEX

WIDTH, ROWS = 4, 6
X = curvature.variable("x", -50.0, 50.0, AFFINE)
T = curvature.variable("t", 0.0, 1.0, sums_to_one=True)
Y = curvature.label("y")


def soft(x):
    return ops.softmax(x)


def as_row(number, like):
    """Return a row with one number of a row in each place."""
    return number[..., None] + 0 * like


UNARY = {
    "exp": ops.exp, "softplus": ops.softplus, "absolute": ops.absolute, "square": lambda x: x**2, "negate": lambda x: -x,
    "root": lambda x: ops.root_of_square(x, 0.5), "hinge": lambda x: ops.where(x <= 1, 1, x), "sign": ops.sign,
    "relu": lambda x: ops.maximum(x, 0.0), "capped": lambda x: ops.minimum(x, 2.0), "half": lambda x: x / 2 - 1,
    "log": lambda x: ops.log(ops.absolute(x) + 0.25), "log1p": lambda x: ops.log1p(x * x), "tanh": ops.tanh,
    "sqrt": lambda x: ops.sqrt(x**2 + 1), "log_softmax": ops.log_softmax, "softmax": soft, "sigmoid": ops.sigmoid,
    "logit": ops.softmax_logit, "complement": ops.softmax_complement, "threshold": ops.above_simplex_threshold,
    "top": ops.top, "share": lambda x: ops.exp(x) / ops.sum(ops.exp(x)), "log_share": lambda x: ops.log(ops.exp(x)),
    "largest": lambda x: x - ops.sum(ops.where(ops.top(x) == 1, x, 0.0)), "sum": lambda x: x + ops.sum(x),
    "log_sum": lambda x: ops.log(ops.sum(ops.exp(x))) - x, "cube": lambda x: ops.maximum(x, 0) ** 3,
    "power": lambda x: ops.absolute(x) ** 1.5, "root_power": lambda x: ops.maximum(x, 0) ** 0.5,
    "inverse": lambda x: 1 / (1 + ops.exp(x)), "expm1": ops.expm1, "where": lambda x: ops.where(x > 0.5, 2 - x, x * x),
    "part": lambda x: x + x[..., 0][..., None], "divide": lambda x: ops.safe_divide(x, ops.sum(x)),
    "nonzero": lambda x: 1 / ops.nonzero(x), "nonzero_cube": lambda x: 1 / ops.where(x**3 == 0, 1.0, x),
    "others": lambda x: ops.sum(ops.exp(x)) - ops.exp(x), "zero": lambda x: x - x,
}  # fmt: skip
BINARY = {
    "add": lambda a, b: a + b, "subtract": lambda a, b: a - b, "multiply": lambda a, b: a * b,
    "maximum": ops.maximum, "minimum": ops.minimum, "weighed": lambda a, b: as_row(ops.expected(a, soft(b)), a),
    "divergence": lambda a, b: as_row(ops.expected(ops.log(soft(a) / soft(b)), soft(a)), a),
    "mixed": lambda a, b: as_row(ops.expected(ops.log(soft(a) / (0.25 * soft(a) + 0.75 * soft(b))), soft(a)), a),
}  # fmt: skip
WITH_TARGET = {
    "expected": lambda x, t: as_row(ops.expected(x, t), x), "scaled": lambda x, t: x * t, "less": lambda x, t: x - 2 * t,
    "chosen": lambda x, t: ops.where(t == 1, x, 0.5), "logs": lambda x, t: as_row(ops.expected_log(soft(x), t), x),
    "entropy": lambda x, t: as_row(ops.expected(ops.log(t * ops.sum(ops.exp(x)) / ops.exp(x)), t), x),
    "pairs": lambda x, t: as_row(ops.sum_pairs(lambda a, s, b, _: s * ops.maximum(a - b, -1), x, t), x),
    "steps": lambda x, t: as_row(ops.expected(ops.maximum(x, 0), ops.jaccard_steps(x, ops.one_hot(t, x), 1 + 0 * x)), x),
    "shares": lambda x, t: as_row(ops.expected(x, ops.jaccard_steps(x + t, ops.one_hot(t, x), 1 + 0 * x)), x),
    "signed": lambda x, t: (2 * t - 1) * ops.absolute(x), "xlogy": lambda x, t: ops.xlogy(t, ops.exp(x)) - ops.ratio(t, 2 + t),
}  # fmt: skip


def draw_expression(rng, depth):
    """Return a random function of a row and a target."""
    if not depth:
        scale, shift = rng.choice([-1.5, 0.5, 1, 2]), rng.choice([-1, 0, 0.25])
        return lambda x, t: x * scale + shift
    kind = rng.choice(["unary", "binary", "target"], p=[0.55, 0.25, 0.2])
    inner = draw_expression(rng, depth - 1)
    if kind == "unary":
        function = UNARY[rng.choice(list(UNARY))]
        return lambda x, t: function(inner(x, t))
    if kind == "binary":
        function, other = BINARY[rng.choice(list(BINARY))], draw_expression(rng, depth - 1)
        return lambda x, t: function(inner(x, t), other(x, t))
    function = WITH_TARGET[rng.choice(list(WITH_TARGET))]
    return lambda x, t: function(inner(x, t), ops.one_hot(t, x))


def balls(function, x, t):
    made = np.asarray(function(exact.Exact(x), t if t.dtype.kind == "i" else exact.Exact(t)).view(np.ndarray))
    return [arb(ball.value if hasattr(ball, "value") else ball) for ball in made.flat]


def check(function, target, rng):
    """Hold a form to exact values; return its curvature."""
    form = function(X, Y if target == "labels" else T)
    sizes = np.array([0.01, 0.3, 1, 1, 3, 10])[:, None]
    rows = [np.clip(sizes * rng.standard_normal((ROWS, WIDTH)), -50, 50) for _ in range(2)]
    rows[1][:2] = rows[0][:2] + 0.125 * rng.standard_normal((2, WIDTH))
    rows.append(rows[0] / 2 + rows[1] / 2)
    t = rng.integers(0, WIDTH, ROWS) if target == "labels" else rng.dirichlet(np.full(WIDTH, 0.3), ROWS)
    first, second, middle = (balls(function, x, t) for x in rows)
    for ball in (*first, *second, *middle):
        assert ball.is_nan() or not (ball < form.bounds.low - 1e-15 or ball > form.bounds.high + 1e-15), (ball, form)
    for a, b, c in zip(first, second, middle, strict=True):
        slack = (abs(a) + abs(b) + abs(c)) * 1e-12 + 1e-12  # the middle of two rows is rounded
        assert not (form.curvature & CONVEX and c > (a + b) / 2 + slack), (a, b, c, form)
        assert not (form.curvature & CONCAVE and c < (a + b) / 2 - slack), (a, b, c, form)
        assert not (form.curvature & CONSTANT and abs(a - b) > slack), (a, b, form)
    return form.curvature


@pytest.mark.parametrize("seed", range(30))
def test_forms_of_random_expressions_hold_exact_values_and_chords(seed):
    rng = np.random.default_rng(seed)
    with exact.precision(40):
        for _ in range(8):
            function = draw_expression(rng, int(rng.integers(1, 4)))
            for target in ("rows", "labels"):
                check(function, target, rng)


def test_forms_of_each_function_hold_exact_values_and_chords():
    rng = np.random.default_rng(0)
    told = {}
    with exact.precision(40):
        for name, function in UNARY.items():
            told[name] = check(lambda x, t, f=function: f(x), "rows", rng)
        for name, function in BINARY.items():
            told[name] = check(lambda x, t, f=function: f(x, 1 - 2 * x), "rows", rng)
        for name, function in WITH_TARGET.items():
            for target in ("labels", "rows") if name not in ("steps", "shares") else ("labels",):
                told[name] = check(lambda x, t, f=function: f(x, ops.one_hot(t, x)), target, rng)
    convex = {name for name, bits in told.items() if bits & CONVEX}
    concave = {name for name, bits in told.items() if bits & CONCAVE}
    assert convex == {
        "exp", "softplus", "absolute", "square", "negate", "root", "hinge", "relu", "half", "log_share", "log_sum", "cube",
        "power", "expm1", "sum", "part", "add", "subtract", "maximum", "expected", "scaled", "less", "chosen", "entropy",
        "pairs", "steps", "xlogy", "zero",
    }  # fmt: skip
    assert concave == {
        "negate", "capped", "half", "log_share", "log_softmax", "logit", "largest", "sum", "part", "add",
        "subtract", "minimum", "expected", "scaled", "less", "chosen", "logs", "xlogy", "zero",
    }  # fmt: skip


def test_places_are_forgotten_once_there_are_many(monkeypatch):
    monkeypatch.setattr(curvature, "MANY_PLACES", 5)
    for name in "abcdefgh":
        curvature.variable(name, 0.0, 1.0)
    kept = curvature.variable("h", 0.0, 1.0).place
    curvature.forget_places()
    assert len(curvature._places) == 0
    assert curvature.variable("h", 0.0, 1.0).place > kept


def test_steps_of_soft_targets_are_no_lovasz_extension():
    """The set function of soft targets is not submodular."""
    assert not WITH_TARGET["steps"](X, T).curvature


@pytest.mark.parametrize(
    ("function", "low", "high"),
    [
        (lambda x, t: ops.expected(ops.log(t / soft(x)), t), 0, np.inf),
        (lambda x, t: ops.expected(ops.log(t / (0.5 * t + 0.5 * soft(x))), t), 0, np.inf),
        (lambda x, t: ops.expected(ops.log(t / (0.5 * t + 0.75 * soft(x))), t), -np.inf, np.inf),
        (lambda x, t: ops.expected(ops.log(t * ops.sum(ops.exp(x)) / ops.exp(x)), t), 0, np.inf),
        (lambda x, t: ops.expected(ops.log(t * ops.sum(ops.exp(x)) / ops.exp(2 * x)), t), -np.inf, np.inf),
        (lambda x, t: ops.sum(soft(x) - t), 0, 0),
        (lambda x, t: ops.sum(0.5 * soft(x) + t), 1.5, 1.5),
        (lambda x, t: ops.expected(x, t), -50, 50),
        (lambda x, t: ops.expected(x, 2 * t), -100, 100),
        (lambda x, t: ops.sum(x * x), 0, np.inf),
        (lambda x, t: x[..., 0] - x[..., 1], -100, 100),
        (lambda x, t: ops.maximum(x, 51), 51, 51),
        (lambda x, t: ops.levels(None, x)[0], 0, 1),
        (lambda x, t: ops.ranks(x)[0], 0, np.inf),
        (lambda x, t: ops.levels((0.25, 0.5, 0.125), x)[0], 0.125, 0.5),
        (lambda x, t: ops.levels((0.25, 0.5, 0.125), x)[1], 0.5, 0.875),
    ],
)
def test_bounds_are_as_tight_as_the_rules_allow(function, low, high):
    bounds = function(X, T).bounds
    assert (float(bounds.low), float(bounds.high)) == (low, high)


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (lambda x: x / x[..., 1], "it divides by a number that may be 0"),
        (lambda x: 1 / ops.where(abs(x) ** T == 0, 1, abs(x)), "it divides by a number that may be 0"),
        (lambda x: ops.log(x), "it takes the logarithm of a number that may be below 0"),
        (lambda x: ops.sqrt(x), r"it takes slopes\.ops\.sqrt of a number that may be below 0"),
        (lambda x: x**0.5, "it takes a power of a number that may be below 0"),
        (lambda x: x if x > 0 else -x, "branches on a value"),
        (lambda x: float(x), "it looks at a value"),
        (lambda x: curvature.shift_by_top(x), r"it uses slopes\.ops\.shift_by_top, whose bounds are not known"),
    ],
)
def test_forms_without_bounds_are_refused(function, message):
    with pytest.raises(Exception, match=message):
        function(X)
