"""Compiled kernels of gates: large rows give what small ones give, along any axis, without copies of their halves."""

import numpy as np
import pytest

import slopes
from helpers import mark_exhaustive, require_kernels
from slopes import kernels, ops
from slopes.kernels import gates
from test_kernels import errors_in_ulp

require_kernels()
torch = pytest.importorskip("torch")

import slopes.nn  # noqa: E402
from slopes.fast import entries  # noqa: E402

GATES = [
    slopes.glu, slopes.swiglu, slopes.geglu, slopes.reglu, slopes.geglu.with_(approximate="tanh"),
]  # fmt: skip
SHAPES = [((1500, 40), -1), ((30, 40, 50), 1), ((60, 1000), 0), ((2, 30000), 1)]

for first in (np.ones((2, 2)), torch.ones(2, 2)):  # a type comes to kernels from the second call on
    slopes.glu(first)


def rows_of(shape, dtype="float64"):
    """Numbers of size 0.02 to 50, so that gates are shut, between and open."""
    rng = np.random.default_rng(0)
    return (rng.standard_normal(shape) * np.exp(rng.uniform(-4, 4, shape))).astype(dtype)


def in_parts(card, x, cotangent=None, **options):
    """The values, or the cotangent pulled back, of rows on the last axis, in parts that are too small for kernels."""
    parts = zip(*(np.array_split(a, 40) for a in (x, cotangent) if a is not None), strict=True)
    return np.concatenate([(card if cotangent is None else card.vjp)(*part, **options) for part in parts])


def expected(card, x, axis, **options):
    """(values, a cotangent, what it is pulled back to), in float64."""
    rows = np.moveaxis(x.astype("float64"), axis, -1)
    flat = rows.reshape(-1, rows.shape[-1])
    values = in_parts(card, flat, **options)
    cotangent = rows_of(values.shape, x.dtype).astype("float64")[::-1]
    pulled = in_parts(card, flat, cotangent, **options)
    results = (a.reshape(*rows.shape[:-1], -1) for a in (values, cotangent, pulled))
    return [np.ascontiguousarray(np.moveaxis(a, -1, axis)) for a in results]


def assert_close(result, exact, x):
    """To 4 ulp, or to a few eps of the terms, which are about as large as the arguments."""
    assert result.dtype == x.dtype
    eps = np.finfo(x.dtype).eps
    np.testing.assert_allclose(result, exact, rtol=4 * eps, atol=8 * eps * np.abs(exact).max() / 100)


@pytest.mark.parametrize("chosen", mark_exhaustive(GATES, every=2), ids=[card.name for card in GATES])
@pytest.mark.parametrize("case", mark_exhaustive(SHAPES, every=4), ids=str)
@pytest.mark.parametrize("half", mark_exhaustive(["first", "last"], 1, every=2))
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_gate_of_large_arrays_and_tensors(chosen, case, half, dtype):
    shape, axis = case
    x = rows_of(shape, dtype)
    values, cotangent, pulled = expected(chosen, x, axis, gate=half)
    cotangent = cotangent.astype(dtype)
    assert_close(chosen(x, axis=axis, gate=half), values, x)
    assert_close(chosen.vjp(x, cotangent, axis=axis, gate=half), pulled, x)
    tensor = torch.from_numpy(x).requires_grad_()
    result = chosen(tensor, axis=axis, gate=half)
    assert type(result.grad_fn).__name__ == "_CompiledGateBackward"
    result.backward(torch.from_numpy(cotangent))
    assert_close(result.detach().numpy(), values, x)
    assert_close(tensor.grad.numpy(), pulled, x)
    with torch.no_grad():
        np.testing.assert_array_equal(chosen(tensor, axis=axis, gate=half), result.detach())


@pytest.mark.parametrize("chosen", GATES, ids=[card.name for card in GATES])
def test_values_in_float32_are_within_2_ulp(chosen):
    x = rows_of((1500, 40), "float32")
    assert errors_in_ulp(chosen(x), expected(chosen, x, -1)[0]).max() <= 2


def test_kernels_take_the_halves_as_they_lie(monkeypatch):
    x = rows_of((1500, 40))
    given = []
    call = gates.GateKernel.__call__
    monkeypatch.setattr(gates.GateKernel, "__call__", lambda self, *a: given.append(a) or call(self, *a))
    slopes.swiglu(x)
    slopes.swiglu(x.reshape(30, 50, 40).transpose(0, 2, 1), axis=1)  # which lies otherwise, and is copied
    (half, first, _), (other, second, _) = given
    assert half == 20
    assert np.shares_memory(first, x)
    assert other == 20 * 50
    assert not np.shares_memory(second, x)


def test_a_gate_of_a_shape_is_found_by_one_look(monkeypatch):
    x = torch.from_numpy(rows_of((64, 128))).requires_grad_()
    cases = [(slopes.glu, {"axis": axis}) for axis in (0, 1, -1)]
    cases += [(slopes.geglu, {"approximate": word}) for word in ("none", "tanh")]

    def compute():
        results = [card(x, **options) for card, options in cases]
        return results + [torch.autograd.grad(result.sum(), x)[0] for result in results]

    first = compute()
    monkeypatch.setattr(gates, "source_and_numbers", None)
    for result, again in zip(first, compute(), strict=True):
        assert torch.equal(result, again)
    monkeypatch.undo()
    for (card, options), result in zip(cases, first, strict=False):
        axis = options.pop("axis", -1)
        values, *_ = expected(card, x.detach().numpy(), axis, **options)
        assert_close(result.detach().numpy(), values, x.detach().numpy())


def test_gradients_that_are_special_go_the_plain_way(monkeypatch):
    x = torch.from_numpy(rows_of((800, 30)) / 50).requires_grad_()
    value = slopes.swiglu(x)
    cotangent = torch.stack([torch.ones_like(value), 2 * torch.ones_like(value)])
    (both,) = torch.autograd.grad(value, x, cotangent, is_grads_batched=True, retain_graph=True)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.square().sum(), x)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda *_: False)
        plain = slopes.swiglu(x)
        (exact,) = torch.autograd.grad(plain.sum(), x, create_graph=True)
        (exact_second,) = torch.autograd.grad(exact.square().sum(), x)
    torch.testing.assert_close(both, torch.stack([exact, 2 * exact]).detach())
    torch.testing.assert_close(second, exact_second)


def test_an_expanded_or_negated_gradient():
    x = torch.from_numpy(rows_of((800, 30))).requires_grad_()
    (exact,) = torch.autograd.grad(slopes.glu(x), x, torch.ones(800, 15).double())
    (expanded,) = torch.autograd.grad(slopes.glu(x).sum(), x)
    torch.testing.assert_close(expanded, exact, rtol=0, atol=0)
    negated = torch._neg_view(torch.ones(800, 15).double())
    (result,) = torch.autograd.grad(slopes.glu(x), x, negated)
    torch.testing.assert_close(result, -exact, rtol=0, atol=0)


def test_modules_come_to_kernels():
    x = torch.from_numpy(rows_of((800, 30))).requires_grad_()
    for module in (slopes.nn.GLU(), slopes.nn.SwiGLU()):
        assert type(module(x).grad_fn).__name__ == "_CompiledGateBackward"
    result = slopes.glu(torch.from_numpy(rows_of((800, 30))).T.requires_grad_(), axis=0)  # of another layout
    torch.testing.assert_close(result.T, slopes.glu(x))


@pytest.mark.parametrize("library", [np.asarray, torch.from_numpy], ids=["NumPy", "torch"])
def test_what_does_not_fit_gets_the_usual_message(library):
    x = library(rows_of((800, 31)))
    with pytest.raises(ValueError, match=r"glu: the axis must have an even number of entries, .* got 31"):
        slopes.glu(x)
    with pytest.raises(ValueError, match="glu: axis must be an integer in"):
        slopes.glu(x, axis=2)
    with pytest.raises(ValueError, match="geglu: approximate must be"):
        slopes.geglu(x[:, :30], approximate="no")
    with pytest.raises(ValueError, match="must have one shape"):
        slopes.glu.vjp(x[:, :30], x[:, :14])
    with pytest.raises(TypeError, match="no parameter 'beta'"):
        slopes.swiglu(x[:, :30], beta=1.0)


FACTOR = 2.0


@slopes.activation(kind="gate")
def of_a_user(gate, value, *, beta: float = 1.0):
    return ops.sigmoid(beta * gate) * value * FACTOR


@of_a_user.derivative
def _(gate, value, *, beta):
    return FACTOR * beta * ops.sigmoid(gate * beta) * ops.sigmoid(-beta * gate) * value, of_a_user.body(
        gate, 1.0, beta=beta
    )


def test_a_users_gate_is_read_at_each_call(monkeypatch):
    x = rows_of((4000, 40))
    for factor, beta in ((2.0, 1.0), (3.0, 0.5), (3.0, 0.25)):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        exact = in_parts(of_a_user, x, beta=beta)
        np.testing.assert_allclose(of_a_user(x, beta=beta), exact, rtol=1e-13)
        np.testing.assert_allclose(of_a_user.with_(beta=beta)(x), exact, rtol=1e-13)
        tensor = torch.from_numpy(x).requires_grad_()
        result = of_a_user(tensor, beta=beta)
        assert type(result.grad_fn).__name__ == "_CompiledGateBackward"
        result.backward(torch.ones_like(result))
        np.testing.assert_allclose(tensor.grad, in_parts(of_a_user, x, np.ones((4000, 20)), beta=beta), rtol=1e-12)


def test_a_program_of_a_gate_pulls_back():
    program = kernels.program(slopes.reglu, "vjp_gate", "vjp_value")
    assert program.inputs == ("gate", "value", "cotangent")
    assert [name for name, _ in program.outputs] == ["vjp_gate", "vjp_value"]
    assert [name for name, _ in kernels.program(slopes.reglu).outputs] == ["value", "slope_gate", "slope_value"]
