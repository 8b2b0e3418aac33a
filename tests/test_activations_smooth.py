"""The smooth, shrinking and periodic activations: where peers fail, where pieces meet, and what parameters do."""

from math import inf, nan

import numpy as np
import pytest

import slopes
from slopes.activations.periodic import sine, snake
from slopes.activations.quotients import rational
from slopes.activations.shrinkage import hardshrink, softshrink, tanhshrink
from slopes.activations.sigmoids import dynamic_tanh
from slopes.activations.smooth import exponential, gelu, gelu_tanh, mish, quick_gelu, silu, softcap, swish, xielu
from slopes.truth.errors import ULPS, ulps

torch = pytest.importorskip("torch")
mpmath = pytest.importorskip("mpmath")
from torch.nn import functional as F  # noqa: E402

ALL = (
    gelu, gelu_tanh, silu, quick_gelu, mish, softcap, softshrink, hardshrink, tanhshrink, snake, xielu, exponential,
    rational,
)  # fmt: skip
named = pytest.mark.parametrize("function", ALL, ids=lambda function: function.name)
gates = pytest.mark.parametrize(
    "function", [gelu, gelu_tanh, silu, quick_gelu, mish], ids=lambda function: function.name
)

mp = mpmath.MPContext()
mp.dps = 400  # so that the textbook forms may cancel
ROOT, BEND = mp.sqrt(2 / mp.pi), mp.mpf("0.044715")


def gradients(function, x, order=1):
    """[value, slope, ...] by reverse mode, down to the derivative of that order."""
    results = [function(x.requires_grad_())]
    for _ in range(order):
        last = results[-1]
        constant = not last.requires_grad
        results.append(0 * x if constant else torch.autograd.grad(last.sum(), x, create_graph=True)[0])
    return [result.detach() for result in results]


# ------------------------------------------------------------------------------------------ accuracy

CASES = [
    # PyTorch: 57 % off at −5.5 and 0 from −6 on in float32, 0 at −9 in float64
    (gelu, lambda x: x * mp.ncdf(x), (5.5, 6.0, 9.0, 13.5, 38.0)),
    # PyTorch: 30 % off at −5; JAX: 0
    (gelu_tanh, lambda x: x / 2 * (1 + mp.tanh(ROOT * (x + BEND * x**3))), (5.0, 9.0, 20.0)),
    # PyTorch: 0 from −89 on in float32
    (silu, lambda x: x / (1 + mp.exp(-x)), (87.0, 90.0, 100.0, 740.0)),
    (silu.with_(beta=0.3), lambda x: x / (1 + mp.exp(-mp.mpf(0.3) * x)), (100.3, 300.1, 2400.0)),
    (quick_gelu, lambda x: x / (1 + mp.exp(-mp.mpf(1.702) * x)), (20.1, 50.7, 430.3)),
    (mish, lambda x: x * mp.tanh(mp.log(1 + mp.exp(x))), (1e-3, 20.1, 87.3, 100.7, 740.0)),
    (softcap, lambda x: 30 * mp.tanh(x / 30), (1e-322, 3e-44, 1e-3, 20.0, 100.0, 400.0, 1230.0, 10500.0)),
    (softcap.with_(cap=0.7), lambda x: mp.mpf(0.7) * mp.tanh(x / mp.mpf(0.7)), (1e-3, 9.3, 30.1, 244.0)),
    # PyTorch: 0 at 1e-4, 5 % off at 1e-3 in float32
    (tanhshrink, lambda x: x - mp.tanh(x), (1e-30, 1e-4, 1e-3, 0.3, 1.1249, 1.1251, 3.0)),
    # near the roots of the slope
    (snake, lambda x: x + mp.sin(x) ** 2, (1e-20, 1e-5, 2.35619, 5.49778, 1234.5, 1e6, 1e12)),
    (sine, mp.sin, (1e-310, 1e-20, 0.5, 3.14159, 1234.5, 1e6, 1e12, 1e36)),
    (sine.with_(omega=30.0), lambda x: mp.sin(30 * x), (1e-310, 1e-20, 0.1, 0.10472, 5.4, 1e6, 1e12, 1e36)),
    (sine.with_(omega=0.7), lambda x: mp.sin(mp.mpf(0.7) * x), (1e-20, 0.1, 4.4879895, 1e6, 1e12, 1e36)),
    (dynamic_tanh, lambda x: mp.tanh(x / 2), (1e-310, 1e-20, 0.3, 20.1, 87.3, 300.0, 720.0)),
    (dynamic_tanh.with_(alpha=0.3), lambda x: mp.tanh(mp.mpf(0.3) * x), (1e-20, 0.3, 20.1, 140.3, 1200.0)),
    (exponential, mp.exp, (80.0, 100.0, 740.0)),
]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(("function", "truth", "sizes"), CASES, ids=[case[0].name for case in CASES])
def test_values_and_slopes_are_right_where_peers_are_not(function, truth, sizes, dtype):
    x = np.array([*sizes, *(-size for size in sizes)], dtype)
    exactly = np.array([truth(mp.mpf(float(entry))) for entry in x])
    steepness = np.array([mp.diff(truth, mp.mpf(float(entry)), h=mp.mpf(10) ** -120) for entry in x])
    value, slope = gradients(function, torch.from_numpy(x))
    for came, wanted in ((function(x), exactly), (function.slope(x), steepness), (value, exactly), (slope, steepness)):
        errors = ulps(np.asarray(came), wanted, dtype)
        assert errors.max() <= ULPS, f"{errors.max():.3g} ulp at {x[errors.argmax()]!r}"


@gates
def test_gates_are_closed_at_minus_infinity(function):
    for dtype in (torch.float32, torch.float64):
        value, slope = gradients(function, torch.tensor([-inf], dtype=dtype))
        assert value == 0
        assert slope == 0
    assert function(-inf) == function.slope(-inf) == 0


@gates
def test_gradients_far_out_are_0_and_1(function):
    for size in (1e20, 1e30, 3e38):  # PyTorch's and JAX's gelu_tanh: NaN
        assert gradients(function, torch.tensor([-size, size]))[1].tolist() == [0, 1]


def test_the_snake_turns_however_far_out():
    x = np.array([2.0**53, 1e17, -1e20, 1e307])
    np.testing.assert_allclose(snake.slope(x), 1 + np.sin(2 * x), rtol=1e-13)
    for alpha in (0.3, -42.0):
        turns = [float(1 + mp.sin(2 * mp.mpf(alpha) * mp.mpf(entry))) for entry in x[:3]]
        np.testing.assert_allclose(snake.slope(x[:3], alpha=alpha), turns, rtol=1e-13)
    assert float(slopes.exact(snake).slope(1e17)) == pytest.approx(1.82273608)
    assert (abs(snake(x) - x) <= np.spacing(abs(x))).all()
    assert (snake(-inf), snake.slope(-inf)) == (-inf, pytest.approx(1))
    assert np.isfinite(snake(np.finfo(float).max, alpha=3.0))


# ----------------------------------------------------------------------------------- meeting PyTorch

PAIRS = [
    (softshrink, {}, F.softshrink),
    (softshrink, {"lambd": 0.0}, lambda x: F.softshrink(x, 0.0)),
    (softshrink, {"lambd": 1.25}, lambda x: F.softshrink(x, 1.25)),
    (hardshrink, {}, F.hardshrink),
    (hardshrink, {"lambd": 0.0}, lambda x: F.hardshrink(x, 0.0)),
    (hardshrink, {"lambd": 1.25}, lambda x: F.hardshrink(x, 1.25)),
    (tanhshrink, {}, F.tanhshrink),
    (silu, {}, F.silu),
    (silu, {"beta": 1.702}, lambda x: x * torch.sigmoid(1.702 * x)),
    (silu, {"beta": 0.1}, lambda x: x * torch.sigmoid(0.1 * x)),
    (quick_gelu, {}, lambda x: x * torch.sigmoid(1.702 * x)),
    (mish, {}, F.mish),
    (gelu, {}, F.gelu),
    (gelu, {"approximate": "tanh"}, lambda x: F.gelu(x, approximate="tanh")),
    (softcap, {}, lambda x: 30 * torch.tanh(x / 30)),
    (softcap, {"cap": 2.5}, lambda x: 2.5 * torch.tanh(x / 2.5)),
    (snake, {}, lambda x: x + torch.sin(x) ** 2),
    (snake, {"alpha": -2.5}, lambda x: x - torch.sin(-2.5 * x) ** 2 / 2.5),
    (snake, {"alpha": 0.0}, lambda x: x * 1),
    (sine, {}, torch.sin),
    (sine, {"omega": -2.5}, lambda x: torch.sin(-2.5 * x)),
    (dynamic_tanh, {"alpha": 0.7}, lambda x: torch.tanh(0.7 * x)),
    (exponential, {}, torch.exp),
]


@pytest.mark.parametrize(("function", "settings", "peer"), PAIRS, ids=[f"{pair[0].name}-{pair[1]}" for pair in PAIRS])
def test_values_and_gradients_are_pytorchs_kinks_included(function, settings, peer):
    kinks = [0.0, -0.0, 0.5, -0.5, 1.25, -1.25]
    x = torch.cat([torch.linspace(-4, 4, 321), torch.tensor(kinks)]).double()
    for mine, theirs in zip(gradients(lambda x: function(x, **settings), x, 2), gradients(peer, x, 2), strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-14)


def test_slopes_at_thresholds_that_float32_rounds():
    for lambd in (0.3, 0.7, 1e-3):
        x = torch.tensor([lambd, -lambd])
        for function, peer in ((softshrink, F.softshrink), (hardshrink, F.hardshrink)):
            assert torch.equal(
                gradients(lambda x: function(x, lambd=lambd), x)[1],  # noqa: B023
                gradients(lambda x: peer(x, lambd), x)[1],  # noqa: B023
            )


# ------------------------------------------------------------------------------------------- no NaN


@named
def test_nan_in_nan_out(function):
    assert np.isnan(function(nan))
    assert np.isnan(function.slope(nan))
    assert all(result.isnan() for result in gradients(lambda x: function(x) ** 2, torch.tensor([nan])))


@named
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_nan_from_numbers_down_to_the_second_derivative(function, dtype):
    top, tiny = torch.finfo(dtype).max, torch.finfo(dtype).smallest_normal
    sizes = torch.tensor([0.0, tiny / 64, tiny, 1e-6, 0.5, 1.0, 1.125, 9.0, 88.0, 710.0, 1e20, 1e30, top], dtype=dtype)
    x = torch.cat([sizes, -sizes])
    by_body = lambda x: function.body(x, **function.settings)  # noqa: E731
    for way in (function, by_body):  # by the card's derivative, and by plain autograd
        value, slope, curvature = gradients(way, x, 2)
        for result in (value, slope, curvature):
            assert not result.isnan().any(), x[result.isnan()]
        if function is not exponential:
            assert curvature.isfinite().all()


# --------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize(
    ("function", "parameters"),
    [
        (silu, {"beta": 1.3}),
        (softcap, {"cap": 2.0}),
        (softshrink, {"lambd": 0.4}),
        (snake, {"alpha": 0.7}),
        (snake, {"alpha": 0.0}),
        (sine, {"omega": 0.7}),
        (dynamic_tanh, {"alpha": 0.7}),
        (xielu, {"alpha_p": 0.7, "alpha_n": 0.9, "beta": 0.4}),
    ],
    ids=lambda part: getattr(part, "name", None),
)
def test_tensor_parameters_learn(function, parameters):
    x = torch.linspace(-4, 4, 12, dtype=torch.float64)
    numbers = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in parameters.values()]
    call = lambda x, *given: function(x, **dict(zip(parameters, given, strict=True)))  # noqa: E731
    assert torch.autograd.gradcheck(call, (x.requires_grad_(), *numbers), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(call, (x, *numbers))
    torch.testing.assert_close(call(x, *numbers), call(x, *parameters.values()), rtol=1e-14, atol=1e-15)
    channels = [torch.stack([number, number]).reshape(2, 1) for number in numbers]
    torch.testing.assert_close(call(x.expand(2, -1), *channels)[1], call(x, *numbers), rtol=1e-15, atol=0)


def test_learnt_parameters_get_no_nan_from_far_out():
    x = torch.tensor([0.0, 1e20, -1e20, 3e38, -3e38])
    for function, name, value in (
        (silu, "beta", 1.5),
        (softcap, "cap", 0.5),
        (snake, "alpha", 2.0),
        (sine, "omega", 2.0),
        (dynamic_tanh, "alpha", 2.0),
        (xielu, "alpha_n", 0.8),
        (rational, "numerator", (0.1, 1.0, 2.0)),
        (rational, "denominator", (0.1, 1.0, 2.0)),
    ):
        parameter = torch.tensor(value, requires_grad=True)
        inputs = x.clone().requires_grad_()
        function(inputs, **{name: parameter}).clamp(-1, 1).sum().backward()
        assert not parameter.grad.isnan().any()
        assert not inputs.grad.isnan().any()


class HuggingFaceXIELU(torch.nn.Module):
    """The layer of transformers, as published: its parameters go through softplus."""

    def __init__(self, alpha_p=0.8, alpha_n=0.8, beta=0.5, eps=-1e-6):
        super().__init__()
        self.alpha_p = torch.nn.Parameter(torch.log(torch.expm1(torch.tensor(alpha_p, dtype=torch.float64))))
        self.alpha_n = torch.nn.Parameter(torch.log(torch.expm1(torch.tensor(alpha_n - beta, dtype=torch.float64))))
        self.beta, self.eps = beta, torch.tensor(eps, dtype=torch.float64)

    def forward(self, x):
        alpha_p, alpha_n = F.softplus(self.alpha_p), self.beta + F.softplus(self.alpha_n)
        left = (torch.expm1(torch.min(x, self.eps)) - x) * alpha_n + self.beta * x
        return torch.where(x > 0, alpha_p * x * x + self.beta * x, left)


@pytest.mark.parametrize("settings", [{}, {"alpha_p": 1.7, "alpha_n": 2.2, "beta": 0.25, "eps": -1e-3}])
def test_xielu_is_hugging_faces(settings):
    x = torch.cat([torch.linspace(-6, 6, 241), torch.tensor([0.0, -1e-9, -1e-7, -2e-6, -1e-4, 1e-7])]).double()
    for mine, theirs in zip(
        gradients(lambda x: xielu(x, **settings), x), gradients(HuggingFaceXIELU(**settings), x), strict=True
    ):
        torch.testing.assert_close(mine, theirs, rtol=1e-12, atol=1e-15)


def test_xielu_of_the_paper_has_neither_jump_nor_kink():
    x = np.array([-1e-7, -1e-9, 0.0, 1e-9, 1e-7])
    assert xielu(0.0, eps=0.0) == 0
    np.testing.assert_allclose(xielu(x, eps=0.0), x / 2, rtol=1e-6)
    np.testing.assert_allclose(xielu.slope(x, eps=0.0), 0.5, rtol=1e-6)
    assert abs(xielu(0.0) + 8e-7) < 1e-12
    assert xielu.slope(0.0) == pytest.approx(-0.3)


def test_quick_gelu_is_silu_and_swish_is_silu():
    assert swish is silu
    x = np.linspace(-9, 9, 41)
    np.testing.assert_array_equal(quick_gelu(x), silu(x, beta=1.702))
    np.testing.assert_array_equal(quick_gelu.slope(x), silu.slope(x, beta=1.702))
    assert abs(quick_gelu(x) - gelu(x)).max() < 0.0204
