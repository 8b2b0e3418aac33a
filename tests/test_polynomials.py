"""The polynomials of kernels: how far each is from its function over its whole interval, as Arb proves."""

import math
from itertools import accumulate
from operator import mul

import pytest

pytest.importorskip("flint")
from flint import arb, arb_series, ctx

from slopes.kernels.arithmetic import coefficients

ORDER, CELLS, MOST_CELLS = 20, 16, 5000
HALF_LOG2, EIGHTH_TURN = 1.0005 * math.log(2) / 2, 1.0005 * math.pi / 4  # with room for roundings


def tanh(s):
    return (1 - (-2 * s).exp()) / (1 + (-2 * s).exp())


def mills(a):
    """Φ(−a)·exp(a²/2)·(a + 4)."""
    return (a / arb(2).sqrt()).erfc() / 2 * (a * a / 2).exp() * (a + 4)


#: a function over s^n, the power n, its polynomial's variable, the interval of s, and bounds of the relative distance
CASES = {
    "EXP": (lambda s: s.exp() - 1 - s, 2, lambda s: s, (-HALF_LOG2, HALF_LOG2), 5.3e-18, 1.1e-08),
    "EXP_SHARE": (lambda s: s.exp() - 1, 1, lambda s: s, (-HALF_LOG2, HALF_LOG2), 2.8e-17, 2.7e-08),
    "LOG": (lambda s: ((1 + s) / (1 - s)).log() - 2 * s, 3, lambda s: s * s, (0, math.sqrt(0.0295)), 6.4e-17, 3.8e-08),
    "LOG1P": (lambda s: (1 + s).log(), 1, lambda s: s - arb(0.5), (0, 1), 1.9e-17, 3.6e-08),
    "TANHSHRINK": (lambda s: s - tanh(s) - s**3 / 3, 5, lambda s: s * s, (0, math.sqrt(1.5)), 5.5e-17, 1.1e-07),
    "ERF": (
        lambda s: s.erf() - 2 * s / arb.pi().sqrt(),
        3,
        lambda s: s * s,
        (0, 0.75),
        1e-16,
        4e-08,
    ),
    "MILLS": (mills, 0, lambda s: 1 - 8 / (s + 4), (0, 54), 1.2e-16, 1.2e-08),
    "SIN": (lambda s: s.sin() - s, 3, lambda s: s * s, (0, EIGHTH_TURN), 6.7e-17, 3.5e-08),
    "COS": (lambda s: s.cos() - 1 + s * s / 2, 4, lambda s: s * s, (0, EIGHTH_TURN), 6.4e-17, 3.4e-08),
    "SIN_SQUARED": (lambda s: s.sin() ** 2 - s * s, 4, lambda s: s * s, (0, EIGHTH_TURN), 6.7e-17, 7.1e-08),
}


def coefficients_at(function, point, length):
    """The Taylor coefficients of a function at a point, or bounds of them at all points of a ball."""
    ctx.cap = length
    made = function(arb_series([point, 1], length))
    return [made[k] for k in range(length)]


def find_farthest(name, kind, most):
    """Bound |p/f − 1| over the interval; cells are halved until each has a bound of at most `most`."""
    low, high = CASES[name][3]
    cells = [(low + (high - low) * k / CELLS, low + (high - low) * (k + 1) / CELLS) for k in range(CELLS)]
    worst = arb(0)
    for _ in range(MOST_CELLS):
        if not cells:
            return float(worst.upper())
        left, right = cells.pop()
        bound = farthest_in(name, kind, left, right)
        if bound <= most:
            worst = worst.max(bound)
        else:
            half = (left + right) / 2 if not left < 0 < right else 0.0
            cells += [(left, half), (half, right)]
    raise AssertionError(f"{name}_{kind} is not known to be that near in [{left}, {right}]: {bound}")


def farthest_in(name, kind, left, right):
    """Bound it in a cell by Taylor's theorem; in one with 0, s^n is left out of both."""
    function, power, variable, *_ = CASES[name]
    numbers = [arb(c) for c in getattr(coefficients, f"{name}_{kind}")]
    numbers[0] += arb(getattr(coefficients, f"{name}_{kind}_LOW", 0.0))
    has_zero = left <= 0 <= right
    cell = arb(left).union(arb(right))
    middle = arb(0) if has_zero else (arb(left) + arb(right)) / 2

    def polynomial(s):
        value, v = arb_series([0], ORDER + 1), variable(s)
        for number in reversed(numbers):
            value = value * v + number
        return value if has_zero else value * s**power

    further = power * has_zero
    wanted = coefficients_at(function, middle, ORDER + further)
    assert all(abs(c) < 1e-60 for c in wanted[:further])
    wanted = [*wanted[further:], coefficients_at(function, cell, ORDER + further + 1)[-1]]
    came = [*coefficients_at(polynomial, middle, ORDER), coefficients_at(polynomial, cell, ORDER + 1)[-1]]
    powers = list(accumulate([cell - middle] * ORDER, mul, initial=arb(1)))
    distance = sum(((a - b) * x for a, b, x in zip(wanted, came, powers, strict=True)), arb(0))
    return (abs(distance) / abs(sum((a * x for a, x in zip(wanted, powers, strict=True)), arb(0)))).upper()


@pytest.mark.parametrize("kind", ["DOUBLE", "SINGLE"])
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.exhaustive] * (name == "MILLS")) for name in CASES]
)
def test_each_polynomial_is_that_near_everywhere(name, kind):
    most = CASES[name][4 if kind == "DOUBLE" else 5]
    before, ctx.prec, cap = ctx.prec, 300, ctx.cap
    try:
        assert most / 1.5 < find_farthest(name, kind, most)  # the bound is no looser than that
    finally:
        ctx.prec, ctx.cap = before, cap


def test_every_polynomial_has_a_case():
    named = {name.removesuffix("_DOUBLE") for name in vars(coefficients) if name.endswith("_DOUBLE")}
    assert named - {"HALF_PI"} == set(CASES)


def test_a_wrong_digit_is_found(monkeypatch):
    wrong = list(coefficients.SIN_DOUBLE)
    wrong[3] *= 1 + 1e-9
    monkeypatch.setattr(coefficients, "SIN_DOUBLE", tuple(wrong))
    monkeypatch.setitem(globals(), "MOST_CELLS", 100)
    with pytest.raises(AssertionError):
        test_each_polynomial_is_that_near_everywhere("SIN", "DOUBLE")
