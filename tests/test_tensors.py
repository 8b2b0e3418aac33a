"""Large tensors of a CPU come to compiled kernels, which change nothing but the time and the last digits."""

import os
import sys
import threading

import numpy as np
import pytest

from helpers import mark_exhaustive, require_kernels

torch = pytest.importorskip("torch")
require_kernels()

import slopes  # noqa: E402
import slopes.nn  # noqa: E402
from slopes import kernels, ops  # noqa: E402
from slopes.fast import entries, halves, short  # noqa: E402
from slopes.kernels import compiling, pool, programs  # noqa: E402
from slopes.kernels import entries as kernel_entries  # noqa: E402
from slopes.kernels.tensors import activations  # noqa: E402
from slopes.kernels.tensors import halves as tables  # noqa: E402
from test_pool import exit_status_of_fork, needs_fork  # noqa: E402
from test_small import ELEMENTWISE, assert_near, points, value_and_gradient  # noqa: E402

COMPILED = sorted(ELEMENTWISE.keys() - short.OWN.keys())
LARGE = entries.LARGE


def large(dtype=torch.float32, size=LARGE + 7):
    return torch.randn(size, generator=torch.Generator().manual_seed(0), dtype=torch.float64).to(dtype) * 2


@pytest.fixture
def runs(monkeypatch):
    """The sizes of the arrays on which kernels run."""
    slopes.relu(torch.ones(1))  # as the first tensor of a process goes the plain way
    sizes = []
    run, run_on_arrays = pool.run, pool.run_on_arrays

    def count(function, size, grain):
        sizes.append(size)
        run(function, size, grain)

    def count_arrays(function, arrays, grain):
        sizes.append(arrays[0].size)
        with monkeypatch.context() as patch:
            patch.setattr(pool, "run", run)
            run_on_arrays(function, arrays, grain)

    monkeypatch.setattr(pool, "run", count)
    monkeypatch.setattr(pool, "run_on_arrays", count_arrays)
    return sizes


# ---------------------------------------------------------------------------------------- the results


@pytest.mark.parametrize("name", mark_exhaustive(COMPILED))
@pytest.mark.parametrize("least", [LARGE, entries.KEPT + 1])
def test_large_tensors_get_what_numpy_gets(name, least, runs):
    card = ELEMENTWISE[name]
    for dtype in (torch.float64, torch.float32):
        x = points(dtype)
        x = x.repeat(least // len(x) + 1)
        incoming = torch.linspace(-2, 2, len(x), dtype=dtype)
        runs.clear()
        value, gradient = value_and_gradient(card, x, incoming)
        is_kept = len(x) <= entries.KEPT and (name not in ("softsign", "tanhshrink") or dtype is torch.float64)
        assert runs == [len(x)] * (1 if is_kept else 2)
        np.testing.assert_array_equal(value, kernels.compute(card, "value", x.numpy()))
        if not is_kept:
            np.testing.assert_array_equal(gradient, kernels.compute(card, "vjp", x.numpy(), incoming.numpy()))
        else:
            slope = kernels.compute(card, ("value", "slope"), x.numpy())[1]
            np.testing.assert_array_equal(gradient, torch.from_numpy(slope) * incoming)


@pytest.mark.parametrize("name", sorted(short.OWN))
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_functions_of_pytorch_give_what_the_card_gives(name, dtype, monkeypatch):
    card = ELEMENTWISE[name]
    x = points(dtype)
    x = x.repeat(LARGE // len(x) + 1)
    incoming = torch.linspace(1, 2, len(x), dtype=dtype)
    value, gradient = value_and_gradient(card, x, incoming)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda x, *_: False)
        exact, slope = value_and_gradient(card, x.double(), incoming.double())
    assert value.dtype is gradient.dtype is dtype
    gradient[x.isnan()] = torch.nan  # where PyTorch's is 1
    if dtype is torch.float32:
        assert_near(value, exact, x)
        assert_near(gradient, slope, x)
    else:
        near = {"rtol": 4 * torch.finfo(dtype).eps, "atol": torch.finfo(dtype).tiny, "equal_nan": True}
        torch.testing.assert_close(value, exact.to(dtype), **near)
        torch.testing.assert_close(gradient, slope.to(dtype), **near)
    if name == "relu":
        assert not torch.signbit(value[x <= 0]).any()


def test_pytorch_computes_what_it_computes_as_well(runs):
    x = large()
    for card in (slopes.relu, slopes.leaky_relu, slopes.hard_tanh):
        value_and_gradient(card, x)
        value_and_gradient(card, x[:5])
    assert not runs
    for card in (slopes.elu, slopes.selu):
        value_and_gradient(card, large(size=2**16 - 1))
        assert not runs
        value_and_gradient(card, large(size=2**16))
        assert runs == [2**16]
        runs.clear()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("count", [1, 2])
def test_results_of_half_types_are_looked_up(dtype, count, monkeypatch, runs):
    """The gradient is the product with the slope, rounded once, to even where it is a tie."""
    monkeypatch.setattr(pool, "thread_count", lambda: count)
    monkeypatch.setattr(tables, "GRAIN", 2**13)
    x = large(dtype, halves.COUNT + 5)
    incoming = torch.cat([points(dtype).flip(0), large(dtype)]).repeat(10)[: len(x)]
    for card in (slopes.silu, slopes.elu.with_(alpha=0.7), slopes.prelu.with_(weight=1.5)):
        runs.clear()
        value, gradient = value_and_gradient(card, x, incoming)
        assert runs == [x.numel()] * 2
        assert torch.equal(value, torch.cat([card(part) for part in x.split(LARGE - 1)]))
        slope = torch.from_numpy(card.slope(x.double().numpy()))
        due = (incoming.double() * slope).float().to(dtype)
        torch.testing.assert_close(gradient, due, rtol=0 if "prelu" in card.name else 1e-2, atol=0, equal_nan=True)
        assert (gradient != due)[~due.isnan()].sum() < 20
    with torch.inference_mode():
        assert torch.equal(slopes.silu(x.clone()), slopes.silu(x.requires_grad_()).detach())


def test_the_choice_of_a_form_of_gelu_costs_no_digits():
    x = large()
    for function, module in ((slopes.gelu_tanh, slopes.nn.GELU("tanh")), (slopes.gelu, slopes.nn.GELU())):
        assert torch.equal(module(x), function(x))
        assert torch.equal(module(x), torch.from_numpy(kernels.compute(function, "value", x.numpy())))


# -------------------------------------------------------------------------------------------- layouts

LAYOUTS = {
    "matrix": lambda x: x.view(4, -1),
    "channels last": lambda x: x.view(2, 8, 8, -1).to(memory_format=torch.channels_last),
    "transposed": lambda x: x.view(8, 16, -1).transpose(0, 2),
    "gaps": lambda x: x.view(4, -1)[:, 3:],
    "every other": lambda x: torch.stack([x, x], -1)[:, 0],
    "expanded": lambda x: x.view(4, 1, -1).expand(4, 3, -1),
    "negated": lambda x: torch.complex(x, x).conj().imag,
    "one number": lambda x: x[:1].expand(2 * LARGE),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_result_lies_as_its_argument(layout, dtype, runs):
    if layout == "negated" and dtype is torch.bfloat16:
        pytest.skip("no complex numbers of that type")
    value_and_gradient(slopes.silu, large(dtype, halves.COUNT))  # makes the tables of a half type
    runs.clear()
    x = LAYOUTS[layout](large(dtype, 2 * LARGE))
    for incoming_layout in LAYOUTS:
        incoming = torch.linspace(-1, 1, x.numel()).to(dtype).view(x.shape)
        if incoming_layout in ("one number", "expanded"):
            incoming = torch.full((), 0.5, dtype=dtype).expand(x.shape)
        elif incoming_layout == "gaps":
            incoming = torch.stack([incoming, incoming], -1)[..., 0]
        elif x.ndim > 1 and incoming_layout == "transposed":
            incoming = incoming.transpose(0, 1).contiguous().transpose(0, 1)
        elif incoming_layout != layout:
            continue
        leaf = x.detach().requires_grad_()
        value = slopes.silu(leaf)
        (gradient,) = torch.autograd.grad(value, leaf, incoming)
        assert runs == [x.numel()] * (1 if dtype is torch.float32 else 2)
        flat_value, flat_gradient = value_and_gradient(slopes.silu, x.resolve_neg().contiguous(), incoming.contiguous())
        assert value.stride() == torch.empty_like(x).stride() == gradient.stride()
        assert torch.equal(value, flat_value.view(x.shape))
        assert torch.equal(gradient, flat_gradient.view(x.shape))
        runs.clear()


def test_the_argument_and_the_gradient_stay_as_they_are():
    for change in LAYOUTS.values():
        x, incoming = change(large(size=2 * LARGE)), change(large(size=2 * LARGE).flip(0))
        kept, kept_incoming = x.clone(), incoming.clone()
        leaf = x.detach().requires_grad_()
        torch.autograd.grad(slopes.mish(leaf), leaf, incoming)
        assert torch.equal(x, kept)
        assert torch.equal(incoming, kept_incoming)


# ------------------------------------------------------------------------- what runs, and what is kept


def test_nothing_but_a_large_argument_is_kept():
    x, kept = large(size=entries.KEPT + 1).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        slopes.gelu(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


def test_the_slopes_of_a_small_argument_are_kept_and_become_its_gradient():
    x, kept = large(size=entries.KEPT).requires_grad_(), []
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t.data_ptr()) or t, lambda t: t):
        slopes.gelu(x).backward(torch.full_like(x, 2.0))
    assert set(kept) == {x.data_ptr(), x.grad.data_ptr()}


def test_a_graph_that_is_kept_keeps_its_slopes():
    x = large().requires_grad_()
    result, incoming = slopes.gelu(x), torch.linspace(-1, 1, x.numel())
    first, again = (torch.autograd.grad(result, x, incoming, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, again)
    assert torch.equal(first, torch.autograd.grad(result, x, incoming)[0])


def test_without_a_gradient_values_alone_are_computed(runs):
    x = large().requires_grad_()
    with torch.no_grad():
        result = slopes.gelu(x)
    assert not result.requires_grad
    assert runs == [x.numel()]
    with torch.inference_mode():
        slopes.gelu(x)
    slopes.gelu(x.detach())
    assert runs == [x.numel()] * 3
    slopes.gelu(x)
    assert runs == [x.numel()] * 4


def test_few_entries_and_what_is_not_plain_go_the_plain_way(runs):
    x = large()
    slopes.silu(x[: LARGE - 1])
    torch.func.vmap(slopes.silu)(x.view(-1, 1))
    torch.func.grad(lambda x: slopes.silu(x).sum())(x)
    torch.func.jvp(slopes.silu, (x,), (x,))
    slopes.silu(x.to("meta"))
    assert not runs
    slopes.silu(x)
    with torch.autocast("cpu"):
        for dtype in (x.dtype, torch.float64, torch.bfloat16):
            assert slopes.silu(x.to(dtype)).dtype is dtype
    assert runs == [x.numel()] * 4


def test_second_derivatives_go_the_plain_way(runs):
    x = large(torch.float64).requires_grad_()
    (gradient,) = torch.autograd.grad(slopes.silu(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    y = x.detach()[:100].requires_grad_()
    (slope,) = torch.autograd.grad(torch.nn.functional.silu(y).sum(), y, create_graph=True)
    torch.testing.assert_close(second[:100], torch.autograd.grad(slope.sum(), y)[0])
    assert runs == [x.numel()]  # of the value


def test_gradients_of_a_batch_go_the_plain_way(runs):
    x = large().requires_grad_()
    value = slopes.silu(x)
    incoming = torch.stack([torch.ones_like(x), torch.full_like(x, 2.0)])
    (rows,) = torch.autograd.grad(value, x, incoming, is_grads_batched=True, retain_graph=True)
    assert runs == [x.numel()]
    (gradient,) = torch.autograd.grad(value, x, incoming[0])
    torch.testing.assert_close(rows[1], 2 * gradient)


def test_a_sparse_gradient_is_pulled_back():
    for size in (LARGE, entries.KEPT + 1):
        x = large(size=size).requires_grad_()
        incoming = torch.zeros(x.shape).to_sparse()
        value = slopes.silu(x)  # which holds what is saved
        assert value.grad_fn.apply(incoming)[1].is_sparse


def test_parameters_are_inputs_of_one_kernel(monkeypatch, runs):
    compiled, load = [], compiling._load
    monkeypatch.setattr(compiling, "_load", lambda text: compiled.append(text) or load(text))
    module, x = slopes.nn.CELU(), large(size=2**16)
    slopes.celu(x[:5])  # as the first tensor of a process goes the plain way
    slopes.nn.CELU()(x)
    compiled.clear()
    for alpha in (0.5, 0.75, 2, 0.3):
        module.alpha = alpha
        value, gradient = value_and_gradient(module, x)
        left = torch.clamp(x.double(), max=0) / alpha
        exact, slope = torch.where(x > 0, x.double(), alpha * torch.expm1(left)), torch.exp(left)
        torch.testing.assert_close(value.double(), exact, rtol=1.2e-7, atol=1e-12)
        torch.testing.assert_close(gradient.double(), slope, rtol=1.2e-7, atol=1e-12)
        assert torch.equal(slopes.celu(x, alpha=alpha), value)
        assert torch.equal(slopes.celu.with_(alpha=alpha)(x), value)
        np.testing.assert_array_equal(slopes.celu(x.numpy(), alpha=alpha), value)
    assert len(compiled) <= 2  # of the values and of the gradient
    assert set(runs) == {2**16}


def test_parameters_of_a_call_are_looked_at():
    x = large()
    with pytest.raises(ValueError, match="elu: alpha"):
        slopes.elu(x, alpha=-1.0)
    with pytest.raises(TypeError, match="elu: no parameter 'beta'"):
        slopes.elu(x, beta=1.0)
    with pytest.raises(TypeError, match="out is for NumPy arrays"):
        slopes.silu(x, out=x)


FACTOR = 2.0


@slopes.activation
def of_a_user(x, *, scale=1.0):
    return FACTOR * ops.tanh(x) * scale


@of_a_user.derivative
def _(x, *, scale):
    return FACTOR * (1 - ops.tanh(x) ** 2) * scale


def test_a_users_card_has_kernels_that_read_it_anew(monkeypatch, runs):
    x = large(size=programs.LARGE_FOR_A_USER)
    for factor in (2.0, 3.0):
        monkeypatch.setattr(sys.modules[__name__], "FACTOR", factor)
        for scale in (1.0, 0.5):
            value, gradient = value_and_gradient(of_a_user.with_(scale=scale), x)
            torch.testing.assert_close(value, factor * scale * torch.tanh(x))
            torch.testing.assert_close(gradient, factor * scale * (1 - torch.tanh(x) ** 2), atol=1e-6, rtol=1e-5)
    assert runs == [x.numel()] * 8
    of_a_user(x[1:])
    assert len(runs) == 8


@slopes.activation
def that_looks(x):
    return x * float(x.shape[0])


@that_looks.derivative
def _(x):
    return x * 0 + float(x.shape[0])


def test_a_body_that_cannot_be_traced_goes_the_plain_way(runs):
    x = large(size=programs.LARGE_FOR_A_USER)
    value, gradient = value_and_gradient(that_looks, x)
    assert torch.equal(value, x * len(x))
    assert (gradient == len(x)).all()
    assert not runs


def test_without_numba_large_tensors_go_the_plain_way(monkeypatch, runs):
    x, expected = large(), {}
    for card in (slopes.gelu, slopes.elu, slopes.relu):
        expected[card] = value_and_gradient(card, x)
        monkeypatch.setattr(card, "cache", {})
    runs.clear()
    monkeypatch.setattr(programs, "is_available", lambda: False)
    for card, results in expected.items():
        for result, other in zip(value_and_gradient(card, x), results, strict=True):
            torch.testing.assert_close(result, other, rtol=3e-7, atol=1e-7)
        half, _ = value_and_gradient(card, x.bfloat16())
        assert half.dtype is torch.bfloat16
        monkeypatch.setattr(card, "cache", {})
    assert not runs


# ------------------------------------------------------------------------------ threads and processes


@pytest.mark.parametrize("count", [1, 2, 3])
def test_threads_change_no_digit(count, monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: count)
    x = large(size=3 * kernel_entries.GRAIN + 5)
    value, gradient = value_and_gradient(slopes.silu, x)
    parts = [value_and_gradient(slopes.silu, part) for part in x.tensor_split(11)]
    assert torch.equal(value, torch.cat([part for part, _ in parts]))
    assert torch.equal(gradient, torch.cat([part for _, part in parts]))


def test_several_threads_train_at_once(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    x, results = large(size=2 * kernel_entries.GRAIN), []
    expected = value_and_gradient(slopes.silu, x)[1]
    callers = [threading.Thread(target=lambda: results.append(value_and_gradient(slopes.silu, x)[1])) for _ in range(6)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 6
    assert all(torch.equal(result, expected) for result in results)


@needs_fork
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_forked_child_computes(monkeypatch):
    monkeypatch.setattr(pool, "thread_count", lambda: 2)
    x = large(size=2 * kernel_entries.GRAIN)
    expected = slopes.silu(x)
    assert exit_status_of_fork(lambda: torch.equal(slopes.silu(x), expected)) == 0


def test_workers_of_a_data_loader_compute():
    x = large(size=4 * LARGE).view(4, -1)

    class Activated(torch.utils.data.Dataset):
        def __len__(self):
            return 4

        def __getitem__(self, place):
            assert pool.thread_count() == 1
            return slopes.silu(x[place])

    slopes.silu(x)
    loader = torch.utils.data.DataLoader(
        Activated(), batch_size=None, num_workers=2, multiprocessing_context="fork" if hasattr(os, "fork") else None
    )
    assert torch.equal(torch.stack(list(loader)), slopes.silu(x))


def test_settings_of_torch_and_numba_stay_as_they_are():
    import numba

    def settings():
        return torch.get_num_threads(), torch.get_num_interop_threads(), numba.config.NUMBA_NUM_THREADS

    before = settings()
    value_and_gradient(slopes.silu, large(size=2 * kernel_entries.GRAIN))
    assert settings() == before


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
def test_tensors_can_be_resized_as_ever(dtype):
    x = large(dtype, activations.HUGE // 4)
    result = slopes.silu(x)
    for tensor in (x, result):
        tensor.resize_(2 * activations.HUGE)
        assert tensor.shape == (2 * activations.HUGE,)


@pytest.mark.parametrize("size", [5, LARGE])
def test_modules_that_write_in_place(size, runs):
    names = (
        "ReLU",
        "LeakyReLU",
        "ReLU6",
        "Hardtanh",
        "ELU",
        "SELU",
        "CELU",
        "SiLU",
        "Mish",
        "Hardsigmoid",
        "Hardswish",
    )
    for name in names:
        module, x = getattr(slopes.nn, name)(inplace=True), large(size=size)
        value, gradient = value_and_gradient(getattr(slopes.nn, name)(), x)
        runs.clear()
        leaf = x.clone().requires_grad_()
        place = leaf * 1
        result = module(place)
        assert result is place
        result.sum().backward()
        torch.testing.assert_close(result, value, rtol=2e-7, atol=2e-7)
        torch.testing.assert_close(leaf.grad, gradient, rtol=2e-7, atol=2e-7)
        place = x.clone()
        assert module(place) is place
        torch.testing.assert_close(place, value, rtol=2e-7, atol=2e-7)
        compiled = size == LARGE and name in ("SiLU", "Mish", "Hardsigmoid", "Hardswish")
        assert runs == [size] * (2 if compiled else 0)


def test_relu_in_place_keeps_its_result_alone():
    kept = []
    x = large().requires_grad_() * 1
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        slopes.nn.ReLU(inplace=True)(x)
    assert [t.data_ptr() for t in kept] == [x.data_ptr()]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_prelu_keeps_its_arguments_alone(dtype):
    kept = []
    module, x = slopes.nn.PReLU(4).to(dtype), large(dtype).view(-1)[:LARGE].view(-1, 4).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda t: kept.append(t) or t, lambda t: t):
        module(x).sum().backward()
    assert len(kept) == 2
    theirs = torch.nn.PReLU(4).to(dtype)
    theirs(x.detach()).sum().backward()
    assert torch.equal(module.weight.grad, theirs.weight.grad)
