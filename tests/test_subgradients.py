"""At a kink every way to a derivative gives the same one, whatever the library's own subgradient is."""

import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
from slopes import ops  # noqa: E402

X = torch.tensor([-1.0, 0.0, 1.0], dtype=torch.float64)

#: function of a tensor with a kink at 0 -> its slopes at −1, 0, 1
PRIMITIVES = {
    "minimum(x, number)": (lambda x: ops.minimum(x, 0.0), [1.0, 1.0, 0.0]),
    "minimum(number, x)": (lambda x: ops.minimum(0.0, x), [1.0, 0.0, 0.0]),
    "minimum(x, y)": (lambda x: ops.minimum(x, torch.zeros_like(x)), [1.0, 1.0, 0.0]),
    "minimum(y, x)": (lambda x: ops.minimum(torch.zeros_like(x), x), [1.0, 0.0, 0.0]),
    "maximum(x, number)": (lambda x: ops.maximum(x, 0.0), [0.0, 1.0, 1.0]),
    "maximum(number, x)": (lambda x: ops.maximum(0.0, x), [0.0, 0.0, 1.0]),
    "maximum(x, y)": (lambda x: ops.maximum(x, torch.zeros_like(x)), [0.0, 1.0, 1.0]),
    "maximum(y, x)": (lambda x: ops.maximum(torch.zeros_like(x), x), [0.0, 0.0, 1.0]),
    "clip(x, 0, 1)": (lambda x: ops.clip(x, 0.0, 1.0), [0.0, 1.0, 1.0]),
    "clip(x, -1, 0)": (lambda x: ops.clip(x, -1.0, 0.0), [1.0, 1.0, 0.0]),
    "absolute(x)": (ops.absolute, [-1.0, 0.0, 1.0]),
    "sign(x)": (ops.sign, [0.0, 0.0, 0.0]),
    "step(x)": (ops.step, [0.0, 0.0, 0.0]),
}


def slopes_of(function, x):
    """Return the derivatives of an element-wise function, by reverse and by forward mode."""
    leaf = x.clone().requires_grad_()
    (reverse,) = torch.autograd.grad(function(leaf).sum(), leaf, allow_unused=True, materialize_grads=True)
    forward = torch.func.jvp(function, (x,), (torch.ones_like(x),))[1]
    return reverse, forward


@pytest.mark.parametrize("name", PRIMITIVES)
def test_primitives_have_the_slope_that_they_state(name):
    function, stated = PRIMITIVES[name]
    if name in ("sign(x)", "step(x)"):
        assert torch.func.jvp(function, (X,), (torch.ones_like(X),))[1].tolist() == stated
        return
    for came in slopes_of(function, X):
        assert came.tolist() == stated


@pytest.mark.parametrize("name", [name for name in PRIMITIVES if name.startswith(("m", "c"))])
def test_extremes_pass_nan_on(name):
    nan = torch.tensor([float("nan")], dtype=torch.float64)
    assert PRIMITIVES[name][0](nan).isnan().all()
    first, second = torch.tensor([1.0]), torch.tensor([float("nan")])
    for extreme in (ops.minimum, ops.maximum):
        assert extreme(first, second).isnan().all()
        assert extreme(second, first).isnan().all()


@pytest.mark.parametrize(
    ("chosen", "parameters", "slope"),
    [(slopes.elu, ("alpha",), 1.0), (slopes.celu, ("alpha",), 1.0), (slopes.hard_tanh, ("min_val", "max_val"), 0.0)],
    ids=lambda value: getattr(value, "name", None),
)
def test_a_learnt_parameter_leaves_the_slope_at_the_kink(chosen, parameters, slope):
    """Plain autograd takes over where a parameter wants a gradient."""
    learnt = {name: torch.tensor(chosen.settings[name], dtype=torch.float64, requires_grad=True) for name in parameters}
    x = torch.tensor([0.0 if chosen is not slopes.hard_tanh else 1.0], dtype=torch.float64, requires_grad=True)
    assert chosen.slope(x.detach()).item() == pytest.approx(slope)
    (came,) = torch.autograd.grad(chosen(x, **learnt), x)
    assert came.item() == pytest.approx(slope)


def test_a_clamped_variance_keeps_its_gradient():
    """torch.nn clamps without a gradient's knowledge, so the variance is pulled up from below eps."""
    mean, target = torch.zeros(1), torch.ones(1)
    variance = torch.zeros(1, requires_grad=True)
    slopes.nn.GaussianNLLLoss()(mean, target, variance).backward()
    assert variance.grad.item() == pytest.approx(-5e11, rel=1e-3)


def test_the_far_tail_of_tanh_in_forward_mode():
    x = torch.tensor([25.0, -25.0, 300.0, 0.0], dtype=torch.float64)
    for card in (slopes.tanh, slopes.softcap.with_(cap=1.0)):
        _, forward = torch.func.jvp(card, (x,), (torch.ones_like(x),))
        torch.testing.assert_close(forward, card.slope(x), rtol=1e-12, atol=0)
    assert forward[0] > 7e-22
