"""Rectifiers, clipped functions and algebraic sigmoids: at their kinks, at the extremes, and as peers have them."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from slopes.activations.piecewise import (  # noqa: E402
    hard_sigmoid,
    hard_swish,
    hard_tanh,
    relu6,
    relu_squared,
    smelu,
    sparse_plus,
    star_relu,
)
from slopes.activations.rectifiers import celu, elu, leaky_relu, prelu, rrelu, selu, threshold  # noqa: E402
from slopes.activations.sigmoids import softplus, softsign, squareplus  # noqa: E402
from slopes.truth.errors import ulps  # noqa: E402
from slopes.truth.oracle import exact  # noqa: E402

F = torch.nn.functional
inf = np.inf

PARITY = [  # card, parameters, what PyTorch calls it, the kinks
    (relu6, {}, F.relu6, (0, 6)),
    (hard_tanh, {}, F.hardtanh, (-1, 1)),
    (hard_tanh, {"min_val": -0.25, "max_val": 3.0}, lambda x: F.hardtanh(x, -0.25, 3.0), (-0.25, 3)),
    (hard_tanh, {"min_val": 0.5, "max_val": 2.0}, lambda x: F.hardtanh(x, 0.5, 2.0), (0.5, 2)),
    (hard_sigmoid, {}, F.hardsigmoid, (-3, 3)),
    (hard_sigmoid, {"slope": 0.2}, lambda x: (0.2 * x + 0.5).clamp(0, 1), ()),
    (hard_swish, {}, F.hardswish, (-3, 3)),
    (prelu, {}, lambda x: F.prelu(x, torch.tensor([0.25]).to(x)), (0,)),
    (prelu, {"weight": -1.5}, lambda x: F.prelu(x, torch.tensor([-1.5]).to(x)), (0,)),
    (rrelu, {}, F.rrelu, (0,)),
    (rrelu, {"lower": 0.1, "upper": 0.3}, lambda x: F.rrelu(x, 0.1, 0.3), (0,)),
    (threshold, {}, lambda x: F.threshold(x, 1.0, 0.0), (1,)),
    (threshold, {"threshold": -0.5, "value": 2.0}, lambda x: F.threshold(x, -0.5, 2.0), (-0.5,)),
    (elu, {"alpha": 0.5}, lambda x: F.elu(x, 0.5), (0,)),
    (celu, {}, F.celu, (0,)),
    (celu, {"alpha": 0.5}, lambda x: F.celu(x, 0.5), (0,)),
    (celu, {"alpha": 3.0}, lambda x: F.celu(x, 3.0), (0,)),
    (selu, {}, F.selu, (0,)),
    (relu_squared, {}, lambda x: F.relu(x).square(), (0,)),
    (star_relu, {"scale": 0.8944, "bias": -0.4472}, lambda x: 0.8944 * F.relu(x).square() - 0.4472, (0,)),
    (softsign, {}, F.softsign, (0,)),
]
LEARNT = [  # card, parameters that a network may learn
    (prelu, {"weight": 0.25}),
    (star_relu, {"scale": 0.8944, "bias": -0.4472}),
    (star_relu, {"scale": 0.0, "bias": 0.0}),
    (hard_tanh, {"min_val": -1.0, "max_val": 1.5}),
    (hard_sigmoid, {"slope": 0.2}),
    (threshold, {"value": 0.5}),
    (celu, {"alpha": 0.5}),
    (rrelu, {"lower": 0.1, "upper": 0.4}),
    (squareplus, {"b": 4.0}),
    (smelu, {"beta": 0.75}),
    (smelu, {"beta": 0.01}),
]
FIXED = [relu6, hard_swish, relu_squared, selu, softsign]


def named(rows):
    return [pytest.param(*row, id=f"{row[0].name}-{row[1]}") for row in rows]


def extremes(dtype):
    """Numbers where something may go wrong: roots, kinks, both ends of the dtype."""
    info = torch.finfo(dtype)
    sizes = [0.0, info.tiny * info.eps, info.tiny, 1e-20, 0.5, 0.75, 1.0, 2.0, 3.0, 6.0, 1e4, 1e20, 1e30, info.max]
    return torch.tensor([sign * size for size in sizes for sign in (-1, 1)], dtype=dtype)


# --------------------------------------------------------------------------------- what peers get wrong


def test_hard_sigmoid_has_a_second_derivative():
    """PyTorch's raises: it has no double backward."""
    x = torch.tensor([-4.0, -3.0, -1.0, 0.0, 3.0, 5.0], requires_grad=True)
    (slope,) = torch.autograd.grad(hard_sigmoid(x).sum(), x, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), x)
    assert torch.equal(bend, torch.zeros_like(x))


@pytest.mark.parametrize("x", [19.9, 20.1, 25.0, 36.0])
def test_softplus_has_no_threshold(x):
    """PyTorch's is the identity above 20, which is wrong from the eleventh digit on."""
    tensor = torch.tensor(x, dtype=torch.float64)
    assert (
        float(softplus(tensor)) == float(softplus(x)) == pytest.approx(float(exact(softplus, 20)(x)), rel=2**-52, abs=0)
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squareplus_neither_cancels_nor_overflows(dtype):
    """JAX's is 0 at −1e4, infinite at 1e20, and its slope one half there."""
    x = np.array([-3e38, -1e20, -1e4, -3.0, -2.0, 2.0, 3.0, 1e20, 3e38], dtype)
    tensor = torch.tensor(x, requires_grad=True)
    value = squareplus(tensor)
    (slope,) = torch.autograd.grad(value.sum(), tensor)
    oracle = exact(squareplus, 20)
    for wanted, results in (
        (oracle(x), (squareplus(x), value.detach().numpy())),
        (oracle.slope(x), (squareplus.slope(x), slope.numpy())),
    ):
        for came in results:
            assert ulps(came, wanted, dtype).max() <= 4
    assert squareplus(x).tolist()[:3] == pytest.approx([1 / 3e38, 1e-20, 1e-4], rel=1e-5, abs=0)
    assert squareplus.slope(x).tolist()[-2:] == [1, 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_slope_of_softsign_does_not_vanish(dtype):
    """PyTorch's is 0 at 1e20."""
    x = torch.tensor([-1e20, 1e20], dtype=dtype, requires_grad=True)
    (slope,) = torch.autograd.grad(softsign(x).sum(), x)
    wanted = pytest.approx([1e-40, 1e-40], rel=1e-4 if dtype is torch.float32 else 1e-15, abs=0)
    assert slope.tolist() == wanted
    assert softsign.slope(x.detach().numpy()).tolist() == wanted


@pytest.mark.parametrize(
    ("tried", "left", "right"),
    [
        (hard_swish, (0, 0), (inf, 1)), (softsign, (-1, 0), (1, 0)), (squareplus, (0, 0), (inf, 1)),
        (smelu, (0, 0), (inf, 1)), (relu_squared, (0, 0), (inf, inf)), (hard_sigmoid, (0, 0), (1, 0)),
        (hard_tanh, (-1, 0), (1, 0)), (celu, (-1, 0), (inf, 1)), (threshold, (0, 0), (inf, 1)),
    ],
)  # fmt: skip
def test_limits_at_infinity(tried, left, right):
    """PyTorch's and JAX's hardswish is NaN at −inf."""
    for x, (value, slope) in ((-inf, left), (inf, right)):
        tensor = torch.tensor(x, requires_grad=True)
        came = tried(tensor)
        came.backward()
        assert (tried(x), tried.slope(x)) == (came.item(), tensor.grad.item()) == (value, slope)


# ------------------------------------------------------------------------------------- PyTorch's values


@pytest.mark.parametrize(("tried", "parameters", "peer", "kinks"), named(PARITY))
def test_parity_with_pytorch(tried, parameters, peer, kinks):
    kinks = torch.tensor(kinks, dtype=torch.float64)
    near = [kinks, torch.nextafter(kinks, kinks - 1), torch.nextafter(kinks, kinks + 1)]
    x = torch.cat([torch.linspace(-8, 8, 128, dtype=torch.float64), *near]).requires_grad_()
    mine, theirs = tried(x, **parameters), peer(x)
    torch.testing.assert_close(mine, theirs, rtol=1e-14, atol=1e-15)
    (slope,), (wanted,) = (torch.autograd.grad(y.sum(), x) for y in (mine, theirs))
    digits = 1e-7 if peer is F.hardsigmoid else 1e-14  # of which PyTorch's slope is 1/6 in float32, whatever x is in
    torch.testing.assert_close(slope, wanted, rtol=digits, atol=1e-15)
    mine = torch.from_numpy(tried.slope(x.detach().numpy(), **parameters))
    torch.testing.assert_close(mine, slope, rtol=1e-14, atol=1e-15)
    _, pushed = torch.func.jvp(lambda x: tried(x, **parameters), (x.detach(),), (torch.ones_like(x),))
    torch.testing.assert_close(pushed, slope, rtol=1e-14, atol=1e-15)


def test_prelu_by_channel():
    rng = torch.Generator().manual_seed(0)
    image = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    weight = torch.tensor([0.1, -0.2, 1.5], dtype=torch.float64)
    expected = F.prelu(image, weight)
    torch.testing.assert_close(prelu(image, weight=weight[:, None, None]), expected, rtol=0, atol=0)
    came = prelu(image.numpy(), weight=weight[:, None, None].numpy())
    assert np.array_equal(came, expected.numpy())
    with pytest.raises(ValueError, match="prelu"):
        prelu(image[0, 0, 0], weight=weight[:, None, None])


def test_sparse_plus_is_smelu():
    assert sparse_plus is smelu
    x = np.array([-2.0, -1.0, 0.0, 0.5, 1.0, 2.0])
    assert np.array_equal(smelu(x), [0, 0, 0.25, 0.5625, 1, 2])  # (x + 1)²/4 between −1 and 1
    assert np.array_equal(smelu(2 * x, beta=2.0), 2 * smelu(x))


def test_selu_keeps_mean_and_variance():
    """The integrals of its value and its square under the normal density are 0 and 1."""
    import mpmath

    with mpmath.workdps(20):
        function = exact(selu, 25)
        mean, square = (
            mpmath.quad(lambda x, p=p: mpmath.npdf(x) * function(float(x)) ** p, [-9, -3, 0, 3, 9]) for p in (1, 2)
        )
    assert abs(mean) < 1e-15
    assert abs(square - 1) < 1e-14


# ----------------------------------------------------------------------------------- NaN, and none of it


@pytest.mark.parametrize("tried", [*FIXED, leaky_relu, elu, *dict.fromkeys(card for card, _ in LEARNT)], ids=str)
def test_nan_is_handed_on(tried):
    tensor = torch.tensor([float("nan"), 1.5], requires_grad=True)
    value = tried(tensor)
    value.square().sum().backward()  # whose gradient is NaN, too, as that of a loss is
    for came in (value.detach().numpy(), tensor.grad.numpy(), tried([inf - inf, 1.5]), tried.slope([inf - inf, 1.5])):
        assert np.isnan(came).tolist() == [True, False]


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("tried", "parameters"), named([*((tried, {}) for tried in FIXED), *LEARNT]))
def test_no_nan_from_finite_numbers(tried, parameters, dtype):
    """Neither in both modes and orders of differentiation, nor where the parameters are learnt."""
    for learnt in (False, True):
        x = extremes(dtype).requires_grad_()
        given = {name: torch.full_like(x, value, requires_grad=True) for name, value in parameters.items()}
        inputs = [x, *given.values()] if learnt else [x]
        value = tried(x, **(given if learnt else parameters))
        first = torch.autograd.grad(value.sum(), inputs, create_graph=True)
        second = [
            bend
            for slope in first
            if slope.requires_grad
            for bend in torch.autograd.grad(slope.sum(), inputs, retain_graph=True, allow_unused=True)
        ]
        assert not any(came.isnan().any() for came in (value, *first, *second) if came is not None)
    push = lambda f: lambda x: torch.func.jvp(f, (x,), (torch.ones_like(x),))[1]  # noqa: E731
    once = push(lambda x: tried(x, **parameters))
    x = extremes(dtype)
    torch.testing.assert_close(once(x), tried.slope(x, **parameters), rtol=1e-5, atol=0)
    assert not push(once)(x).isnan().any()


@pytest.mark.parametrize(("tried", "parameters"), named(LEARNT))
def test_gradients_of_learnt_parameters(tried, parameters):
    x = torch.tensor([[-7.0, -2.7, -0.6, -0.2], [0.3, 0.7, 1.2, 4.0]], dtype=torch.float64, requires_grad=True)
    tensors = [torch.tensor(value, dtype=torch.float64, requires_grad=True) for value in parameters.values()]
    function = lambda x, *values: tried(x, **dict(zip(parameters, values, strict=True)))  # noqa: E731
    assert torch.autograd.gradcheck(function, (x, *tensors), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(function, (x, *tensors))
