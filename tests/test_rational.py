"""Padé activation units: the authors' formula, digits where terms cancel, numbers far out, and learnt coefficients."""

from math import inf

import numpy as np
import pytest

import slopes
from slopes.truth.errors import ULPS, ulps

torch = pytest.importorskip("torch")
pytest.importorskip("mpmath")
import slopes.nn as nn  # noqa: E402

NUMERATOR, DENOMINATOR = slopes.rational.settings.values()
SHAPES = [
    (NUMERATOR, DENOMINATOR), (NUMERATOR[:1], DENOMINATOR), (NUMERATOR, DENOMINATOR[:1]), ((1.0, -2.0), (-0.5, 3.0)),
    ((0.0, 1.0), (0.0, 0.0, 0.0)), ((2.0, 0.0), (0.0,)), (tuple(range(-5, 5)), (1.0, -1.0, 1.0)),
]  # fmt: skip
by_shape = pytest.mark.parametrize(("numerator", "denominator"), SHAPES)


def by_powers(x, numerator, denominator):
    """Version A of the authors' formula."""
    above = sum(a * x**i for i, a in enumerate(numerator))
    return above / (1 + sum((b * x ** (j + 1)).abs() for j, b in enumerate(denominator)))


def derivatives(function, *arguments):
    """Value, slope and second derivative by the first argument, and the gradients by the others."""
    value = function(*arguments)
    slope, *others = torch.autograd.grad(value.sum(), arguments, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), arguments[:1])
    return value, slope, second, *others


@by_shape
def test_it_is_the_authors_formula(numerator, denominator):
    x = torch.linspace(-4, 4, 400, dtype=torch.float64, requires_grad=True)
    learnt = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in (numerator, denominator)]
    call = lambda x, a, b: slopes.rational(x, numerator=a, denominator=b)  # noqa: E731
    for mine, theirs in zip(derivatives(call, x, *learnt), derivatives(by_powers, x, *learnt), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    bound = slopes.rational.with_(numerator=numerator, denominator=list(denominator))
    for mine, theirs in zip(derivatives(bound, x), derivatives(by_powers, x, *learnt), strict=False):
        torch.testing.assert_close(mine, theirs, rtol=1e-10, atol=1e-10)
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for way in (bound, lambda x: call(x, *learnt), lambda x: by_powers(x, *learnt)):
        (slope,) = torch.autograd.grad(way(zero), zero)
        assert slope.item() == (numerator[1] if len(numerator) > 1 else 0)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@by_shape
def test_digits_stay_where_terms_cancel_and_powers_would_overflow(numerator, denominator, dtype):
    card = slopes.rational.with_(numerator=numerator, denominator=denominator)
    sizes = np.concatenate([np.linspace(0.01, 3, 100), 10.0 ** np.arange(-30, 31, 2), [1.0, np.nextafter(1, 2)]])
    x = np.concatenate([-sizes, sizes]).astype(dtype)
    with np.errstate(over="ignore"):
        assert ulps(card(x), slopes.exact(card, 30).definition(x), dtype).max() <= ULPS
        assert ulps(card.slope(x), slopes.exact(card, 30).slope(x), dtype).max() <= ULPS


def test_beyond_every_power_it_is_a_line():
    rise = NUMERATOR[-1] / DENOMINATOR[-1]
    for x in (1e300, -1e300, 1.7e308, 3e-310):
        wanted = rise * x if abs(x) > 1 else NUMERATOR[0]
        assert slopes.rational(x) == pytest.approx(wanted, rel=1e-15)
        assert slopes.rational.slope(x) == pytest.approx(rise if abs(x) > 1 else 0.5843540254244404, rel=1e-15)
    assert [slopes.rational(x) for x in (inf, -inf)] == [inf, -inf]
    assert slopes.rational.slope(inf) == rise
    assert slopes.rational(inf, numerator=[1.0], denominator=[2.0]) == 0
    line, even = ({"numerator": part, "denominator": [0.0] * 4} for part in ([0.3, 1.0, 0.0], [2.0]))
    for x in (1e300, -1.7e308, inf):
        assert [slopes.rational(x, **line), slopes.rational(x, **even)] == [x, 2]
        assert [slopes.rational.slope(x, **line), slopes.rational.slope(x, **even)] == [1, 0]


def test_coefficients_are_sequences_of_finite_numbers():
    card = slopes.rational
    assert card.with_(numerator=[1, 2.5]) is not card
    assert card.with_(numerator=np.array([1.0, 2.5])).settings["numerator"] == (1.0, 2.5)
    assert card.with_(numerator=range(3)).settings["numerator"] == (0, 1, 2)
    numbers = 1.0, (), (1.0, float("nan")), [inf], [10**400], "1", None, ([1.0], 2.0)
    for wrong in (*numbers, torch.ones(2, 2), torch.ones(0), torch.ones(2, dtype=torch.bool)):
        for call in (lambda wrong: card(torch.ones(3), numerator=wrong), lambda wrong: card.with_(denominator=wrong)):
            with pytest.raises(ValueError, match="must be a sequence of one or more finite numbers"):
                call(wrong)


def test_the_formula_names_coefficients_by_their_places():
    pytest.importorskip("sympy")
    assert "n_{5} x^{5}" in slopes.rational.tex
    assert "d_{3} x^{4}" in slopes.rational.tex


def test_coefficients_learn():
    x = torch.linspace(-4, 4, 12, dtype=torch.float64, requires_grad=True)
    learnt = [torch.tensor(part, dtype=torch.float64, requires_grad=True) for part in (NUMERATOR, DENOMINATOR)]
    call = lambda x, a, b: slopes.rational(x, numerator=a, denominator=b)  # noqa: E731
    assert torch.autograd.gradcheck(call, (x, *learnt), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call, (x, *learnt))
    assert torch.equal(call(x, *learnt), slopes.rational(x))
    many = torch.func.vmap(call, (None, 0, 0))(x.detach(), *(torch.stack([part, 2 * part]).detach() for part in learnt))
    torch.testing.assert_close(many[1], slopes.rational(x, numerator=2 * learnt[0], denominator=2 * learnt[1]))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_learnt_values_are_rounded_once(dtype):
    x = torch.linspace(-9, 9, 300).to(dtype)
    x = torch.cat([x, torch.tensor([torch.finfo(dtype).max, inf, -inf], dtype=dtype)])
    module = nn.Rational()
    fixed = slopes.rational.with_(**{name: part.detach() for name, part in module.named_parameters()})
    assert torch.equal(module(x), fixed(x.double()).to(dtype))
    many = nn.Rational(numerator=[1.0] * 10, denominator=[1.0] * 9)
    assert many(x).isfinite().all()


def test_the_module_is_trained():
    torch.manual_seed(0)
    module, x = nn.Rational(), torch.linspace(-3, 3, 200)
    assert [tuple(part.shape) for part in module.parameters()] == [(6,), (4,)]
    optimiser = torch.optim.Adam(module.parameters(), lr=0.02)
    losses = []
    for _ in range(300):
        optimiser.zero_grad()
        loss = slopes.mse(module(x), torch.tanh(x))
        loss.backward()
        optimiser.step()
        losses.append(loss.item())
    assert losses[-1] < losses[0] / 100
    other = nn.Rational(numerator=[1, 2], denominator=torch.ones(3))
    assert [name for name, _ in other.named_parameters()] == ["numerator"]
    assert [name for name, _ in other.named_buffers()] == ["denominator"]
    other.load_state_dict(nn.Rational(numerator=[3.0, 4.0], denominator=torch.zeros(3)).state_dict())
    assert other(torch.tensor([1.0])).item() == 7
    fixed = nn.module(slopes.rational)
    assert not [*fixed.parameters()]
    assert torch.equal(fixed(x), slopes.rational(x))
    with pytest.raises(ValueError, match="numerator must be a sequence"):
        nn.Rational(numerator=1.0)
