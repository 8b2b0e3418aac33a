"""Activations against their definitions: over the whole range of float32 and float64, and away from the defaults."""

import sys

import numpy as np
import pytest

import slopes

torch = pytest.importorskip("torch")
pytest.importorskip("mpmath")

from slopes.card import Map  # noqa: E402
from slopes.catalogue import ACTIVATIONS  # noqa: E402
from slopes.fast import entries  # noqa: E402
from slopes.truth import grid  # noqa: E402
from slopes.truth.errors import ULPS, ulps  # noqa: E402

ELEMENTWISE = [card for card in dict.fromkeys(ACTIVATIONS.values()) if not isinstance(card, Map)]
VARIANTS = [card.with_(**settings) for card in ELEMENTWISE for settings in ({}, *grid.variants(card))]
everywhere = pytest.mark.parametrize("function", VARIANTS, ids=lambda card: card.name)


def errors(card, x, dtype, **parameters):
    """The largest errors of value and slope, by NumPy and by torch, in units in the last place."""
    x = np.array(x, dtype)
    exact = slopes.exact(card, 25).definition(x, **parameters), slopes.exact(card, 25).slope(x, **parameters)
    tensor = torch.from_numpy(x).requires_grad_()
    value = card(tensor, **parameters)
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    ours = card(x, **parameters), card.slope(x, **parameters)
    by_torch = value.detach().numpy(), slope.numpy()
    return [
        ulps(came, wanted, dtype).max()
        for results in (ours, by_torch)
        for came, wanted in zip(results, exact, strict=True)
    ]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    ("function", "x", "parameters"),
    [
        (slopes.mish, [-0.15620407, -0.1562], {}),
        (slopes.tanhshrink, [1.0045084, 1.1248, 1.4999, 1.5001], {}),
        (slopes.softplus, [-95764.9453125, -83883.53125], {"beta": 1e-3}),
        (slopes.softplus, [-33.0, -1.7446, 2.5], {"beta": 42.0}),
        (slopes.celu, [-2.942726775082116e-44, -1.5e-38, -1e-20, -0.3], {"alpha": 42.0}),
        (slopes.elu, [-93.34319305419922, -101.5], {"alpha": 42.0}),
        (slopes.softshrink, [0.10035590827465057, -0.1001], {"lambd": 0.1}),
        (slopes.smelu, [-0.29980704188346863, 0.1], {"beta": 0.3}),
        (slopes.hard_sigmoid, [-1.663542628288269, 1.6], {"slope": 0.3}),
        (slopes.squareplus, [-1.0689409464248456e-05, -3e-4, 2e-5, -1e20], {"b": 1e-3}),
        (slopes.snake, [-3.4463601112365723, 3.470472673466071, 1e5], {"alpha": -0.3}),
        (slopes.xielu, [-1e-3, -1e-30, -0.4], {"beta": 0.0}),
        (slopes.xielu, [-1.211160338244e-06, -1e-3, -50.0], {"beta": 0.0, "alpha_n": 42.0}),
        (slopes.xielu, [-0.7, -0.69999, -0.3, -1.5], {"eps": -0.7}),
        (slopes.xielu, [-1.109356595177242, -1.1268171022612479], {}),
        (slopes.xielu, [-60.0, -2.0], {"beta": 0.8}),
        (slopes.xielu, [3.4107688309717666e35], {"beta": -1000.0}),
    ],
    ids=lambda part: getattr(part, "name", None),
)  # fmt: skip
def test_what_was_off_is_within_four(function, x, parameters, dtype):
    assert max(errors(function, x, dtype, **parameters)) <= ULPS


@pytest.mark.parametrize(
    ("gated", "gate", "options"),
    [
        (slopes.swiglu, -113.03, {}),
        (slopes.glu, -113.03, {}),
        (slopes.glu, 113.03, {}),
        (slopes.geglu, -14.5, {}),
        (slopes.geglu, -11.0, {"approximate": "tanh"}),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_a_gate_and_its_value_are_multiplied_before_anything_underflows(gated, gate, options):
    place = 0 if gated.half == "first" else 1
    row, one = np.full(2, -5.5e21, np.float32), np.ones(1, np.float32)
    row[place] = gate
    exact = slopes.exact(gated).vjp(row, one, **options)
    by_torch = gated.vjp(torch.from_numpy(row), torch.ones(1), **options).numpy()
    for came in (gated.vjp(row, one, **options), by_torch):
        assert came[place] != 0
        assert ulps(came, exact, np.float32).max() <= ULPS


def test_a_gate_that_is_shut_has_a_tangent():
    x, tangent = torch.tensor([-1e30, 1e30]), torch.ones(2)
    for card in (slopes.swiglu, slopes.geglu, slopes.glu):
        for form in (x, x.flip(0)):
            assert not torch.func.jvp(card, (form,), (tangent,))[1].isnan().any()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sparsemax_keeps_the_digits_that_a_large_common_part_leaves(dtype):
    row = (0.01 * np.random.default_rng(0).standard_normal(2000)).astype(dtype) + dtype(1e6)
    exact = slopes.exact(slopes.sparsemax, 20)(row).astype(float)
    for came in (slopes.sparsemax(row), slopes.sparsemax(torch.from_numpy(row)).numpy()):
        np.testing.assert_allclose(came, exact, rtol=4 * np.finfo(dtype).eps, atol=np.finfo(dtype).eps)


def float32_line():
    """Numbers of both signs, 24 of each exponent of float32."""
    exponents = np.arange(-149, 128).repeat(24)
    sizes = np.ldexp(1 + np.random.default_rng(0).random(exponents.size), exponents)
    return np.concatenate([-sizes, [0.0], sizes]).clip(-3.4e38, 3.4e38).astype(np.float32)


@everywhere
def test_float32_in_torch_is_what_float64_gives(function, monkeypatch):
    """Within 4 units in the last place, or where terms cancel near a root other than 0 in 4 eps of them.

    Compiled kernels, which would begin at fewer entries, have tests of their own.
    """
    monkeypatch.setattr(entries, "LARGE", sys.maxsize)
    x = float32_line()
    tensor = torch.from_numpy(x).requires_grad_()
    value = function(tensor)
    (slope,) = torch.autograd.grad(value.sum(), tensor, materialize_grads=True)
    wide = x.astype(float)
    for came, compute in ((value.detach().numpy(), function), (slope.numpy(), function.slope)):
        exact = compute(wide)
        spacing = np.spacing(np.abs(exact).clip(0, 3.4e38).astype(np.float32)).astype(float)
        with np.errstate(over="ignore", invalid="ignore"):
            lost = np.where(abs(exact) > 3.4028235e38, abs(came) < 3.4e38, abs(came - exact) > ULPS * spacing)
            around = np.stack([compute(wide * (1 + step)) for step in (-0.125, 0.0, 0.125)])
            terms = np.ptp(around, axis=0) / 0.25
            cancels = (around.min(0) * around.max(0) < 0) & (abs(came - exact) <= ULPS * 2.0**-23 * terms)
        off = lost & ~cancels
        assert not off.any(), f"{came[off][0]} for {exact[off][0]} at {x[off][0]!r}"
