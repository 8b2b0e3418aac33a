"""The short way of plain tensors: few calls, the results of the plain way, and only where nothing else is to happen."""

import gc
import sys
import warnings

import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
import slopes.nn  # noqa: E402
from slopes.card import Activation, Map  # noqa: E402
from slopes.catalogue import CARDS  # noqa: E402
from slopes.fast import entries, short, tensors  # noqa: E402

ELEMENTWISE = {card.name: card for card in CARDS.values() if isinstance(card, Activation) and not isinstance(card, Map)}
PIECEWISE = ("relu", "leaky_relu", "threshold", "hard_tanh", "relu6", "softshrink", "hardshrink")
LOSSES = {name: card for name, card in CARDS.items() if getattr(card, "_takes_any", False)}


@pytest.fixture(autouse=True)
def no_compiled_kernels(monkeypatch):
    """Those of more entries than `entries.LARGE` have tests of their own; here are tensors on both sides of `SMALL`."""
    monkeypatch.setattr(entries, "LARGE", sys.maxsize)


def calls_of(work):
    """How many functions of Python, and how many others, one call runs.

    The collector of garbage waits meanwhile: it may run functions of other code, as those that end objects are.
    """
    work(), work()
    gc.collect()
    gc.disable()
    counts = {"call": -1, "c_call": -1}  # the work itself, and the end of the profile

    def count(frame, event, argument):
        if event in counts:
            counts[event] += 1

    sys.setprofile(count)
    try:
        work()
    finally:
        sys.setprofile(None)
        gc.enable()
    return tuple(counts.values())


@pytest.mark.parametrize(
    ("call", "most", "others"),
    [
        (lambda x: slopes.gelu(x), 9, 26),
        (lambda x: slopes.silu(x), 9, 22),
        (lambda x: slopes.mse(x, torch.zeros(64)), 15, 36),
        (slopes.nn.SiLU(), 10, 24),
        (slopes.nn.MSELoss(), 18, 40),
    ],
)
def test_a_small_call_runs_little_besides_the_arithmetic(call, most, others):
    x = torch.linspace(-3, 3, 64, requires_grad=True)
    rest = (torch.zeros(64),) if isinstance(call, slopes.nn.MSELoss) else ()
    python, builtin = calls_of(lambda: call(x, *rest))
    assert python <= most
    assert builtin <= others


def test_cross_entropy_runs_little_besides_the_arithmetic():
    rows, labels = torch.randn(32, 10, requires_grad=True), torch.arange(32) % 10
    loss, bare = slopes.nn.CrossEntropyLoss(), torch.nn.CrossEntropyLoss()
    ours, theirs = (calls_of(lambda loss=loss: loss(rows, labels).backward()) for loss in (loss, bare))
    assert ours[0] <= theirs[0] + 8
    assert ours[1] <= theirs[1] + 24


# --------------------------------------------------------------------------- the results of the plain way


def points(dtype):
    """Numbers of every size and sign, and those around the kinks."""
    bits = torch.arange(-(2**31), 2**31, 2**19 + 17)
    x = bits.to(torch.int32).view(torch.float32)
    corners = torch.tensor([0.0, 0.5, 1.0, 3.0, 6.0, 15.0, 20.0, torch.inf, torch.nan, 1e-45])
    corners = torch.cat([corners, -corners])
    beside = [torch.nextafter(corners, torch.full_like(corners, end)) for end in (-9.0, 9.0)]
    return torch.cat([x, torch.linspace(-20, 20, 2001), corners, *beside]).to(dtype)


def value_and_gradient(function, x, incoming=None):
    x = x.clone().requires_grad_()
    value = function(x)
    value.backward(torch.ones_like(value) if incoming is None else incoming)
    return value.detach(), x.grad


def assert_near(ours, exact, x=None):
    """Assert that results in float32 are within 4 units in the last place of float64 ones; NaN at NaN.

    Near a root beyond 0 these are eps of the terms that cancel.
    """
    assert torch.equal(ours.isnan(), exact.isnan())
    rounded = exact.float()
    unit = torch.nextafter(rounded.abs(), torch.full_like(rounded, torch.inf)) - rounded.abs()
    finite = rounded.isfinite() & unit.isfinite()
    assert torch.equal(ours[~finite & ~exact.isnan()], rounded[~finite & ~exact.isnan()])
    error = (ours.double() - exact).abs()[finite] / unit.double()[finite].clamp(min=2.0**-149)
    if x is not None:
        beyond = x[finite].abs() > 0.1
        error[beyond] = torch.minimum(error, (ours.double() - exact).abs()[finite] / 2.4e-7)[beyond]
    assert error.max() <= 4


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
def test_kernels_give_what_the_plain_way_gives(name, monkeypatch):
    card = ELEMENTWISE[name]
    for dtype in (torch.float64, torch.float32):
        x = points(dtype)
        incoming = torch.linspace(-2, 2, len(x), dtype=dtype)
        value, gradient = value_and_gradient(card, x, incoming)
        assert tensors.run_activation(card, x) is not None
        with monkeypatch.context() as patch:
            patch.setattr(entries, "is_plain", lambda x, *_: False)
            plain_value, plain_gradient = value_and_gradient(card, x, incoming)
            if dtype is torch.float32 and (name in short.FORMS or name in short.OWN):
                wide_value, wide_gradient = value_and_gradient(card, x.double(), incoming.double())
        if name in short.OWN:
            gradient[x.isnan()] = torch.nan
        if dtype is torch.float64 or (name not in short.FORMS and name not in short.OWN) or name in PIECEWISE:
            torch.testing.assert_close(value, plain_value, rtol=0, atol=0, equal_nan=True)
            torch.testing.assert_close(gradient, plain_gradient, rtol=0, atol=0, equal_nan=True)
        else:
            assert_near(value, wide_value, x)
            assert_near(gradient, wide_gradient, x)


@pytest.mark.parametrize("name", sorted(short.PLAIN_RANGES))
def test_a_small_tensor_gives_what_a_large_one_gives(name):
    card, (_, low, high) = CARDS[name], short.PLAIN_RANGES[name]
    x = torch.cat([torch.linspace(max(low, -110.0), high, 3000), torch.tensor([low, high, 0.0])])
    alone = value_and_gradient(card, x)
    for other in (torch.tensor([high + 1]), torch.tensor([torch.nan]), torch.zeros(short.SMALL)):
        value, gradient = value_and_gradient(card, torch.cat([x, other]))
        torch.testing.assert_close(value[: len(x)], alone[0], rtol=2e-7, atol=1e-44)
        torch.testing.assert_close(gradient[: len(x)], alone[1], rtol=2e-7, atol=1e-15 if name == "gelu" else 3e-9)


@pytest.mark.parametrize("name", sorted(ELEMENTWISE))
@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (3, 2)])
def test_kernels_keep_every_shape(name, shape):
    x = torch.linspace(-3, 3, max(int(torch.tensor(shape).prod()), 1))[: torch.Size(shape).numel()].reshape(shape)
    value, gradient = value_and_gradient(ELEMENTWISE[name], x)
    assert value.shape == gradient.shape == shape
    assert value.dtype is gradient.dtype is torch.float32


def test_gelu_with_tanh_is_gelu_tanh():
    x = torch.linspace(-4, 4, 12)
    slopes.gelu_tanh(x)  # as the first tensor of a process goes the plain way
    for points in (x, 10 * x, x.repeat(1000)):
        for ours, theirs in zip(
            value_and_gradient(slopes.nn.GELU("tanh"), points),
            value_and_gradient(slopes.gelu_tanh, points),
            strict=True,
        ):
            assert torch.equal(ours, theirs)


@pytest.mark.parametrize("name", sorted({*short.FORMS, *short.OWN}))
def test_gradients_of_kernels_in_a_batch_and_of_second_order(name):
    card = CARDS[name]
    for x in (torch.linspace(-4, 4, 12), torch.tensor([-1000.0, 30.0])):  # near, and beyond every range
        x = x.clone().requires_grad_()
        value = card(x)
        rows = torch.autograd.grad(value, x, torch.eye(len(x)), is_grads_batched=True, retain_graph=True)[0]
        (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
        torch.testing.assert_close(rows, torch.diag(gradient.detach()))
        if gradient.requires_grad:
            (second,) = torch.autograd.grad(gradient.sum(), x)
            wide = x.detach().double().requires_grad_()
            (slope,) = torch.autograd.grad(card(wide).sum(), wide, create_graph=True)
            (exact,) = torch.autograd.grad(slope.sum(), wide)
            torch.testing.assert_close(second, exact.float(), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("name", sorted(LOSSES))
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_losses_by_kernels_give_what_the_plain_way_gives(name, reduction, monkeypatch):
    card = LOSSES[name]
    generator = torch.Generator().manual_seed(0)
    for dtype in (torch.float64, torch.float32):
        x, *others = (torch.randn(70, generator=generator).to(dtype) for _ in card.kind.arguments)
        loss = lambda x: card(x, *others, reduction=reduction)  # noqa: B023, E731
        loss(x)
        value, gradient = value_and_gradient(loss, x)
        assert tensors.run_loss(card, reduction, (x, *others)) is not None
        with monkeypatch.context() as patch:
            patch.setattr(entries, "is_plain", lambda x, *_: False)
            plain_value, plain_gradient = value_and_gradient(loss, x)
        assert value.dtype is dtype
        assert value.shape == plain_value.shape
        tolerance = {} if dtype is torch.float32 else {"rtol": 1e-15, "atol": 0}
        torch.testing.assert_close(value, plain_value, **tolerance)
        torch.testing.assert_close(gradient, plain_gradient, **tolerance)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("far", [0.0, 60.0, -120.0, 800.0, -torch.inf, torch.inf])
@pytest.mark.parametrize("count", [0.0, 3.0, 1e30])
def test_poisson_likelihood_of_few_counts(reduction, far, count, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    rates, counts = torch.randn(64, generator=generator), torch.arange(64.0) % 7
    rates[5], counts[5] = far, count
    counts[6] = torch.exp(rates[6])  # where value and slope cancel
    loss = slopes.nn.PoissonNLLLoss(reduction=reduction)
    value, gradient = value_and_gradient(lambda x: loss(x, counts), rates)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda x, *_: False)
        exact, slope = value_and_gradient(lambda x: loss(x, counts.double()), rates.double())
    torch.testing.assert_close(value, exact.float(), rtol=1e-6, atol=1e-7)
    torch.testing.assert_close(gradient, slope.float(), rtol=1e-6, atol=2e-8)


def test_a_small_poisson_likelihood_runs_little_besides_the_arithmetic():
    x, counts = torch.linspace(-3, 3, 64, requires_grad=True), torch.arange(64.0) % 7
    loss, bare = slopes.nn.PoissonNLLLoss(), torch.nn.PoissonNLLLoss()
    ours, theirs = (calls_of(lambda loss=loss: loss(x, counts).backward()) for loss in (loss, bare))
    assert ours[0] <= theirs[0] + 18
    assert ours[1] <= theirs[1] + 40


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_soft_margin_far_out(reduction, monkeypatch):
    x, target = torch.tensor([-100.0, 90.0, 0.5, 100.0, -3e38]), torch.tensor([1.0, 1.0, -1.0, -1.0, -1.0])
    loss = slopes.nn.SoftMarginLoss(reduction=reduction)
    value, gradient = value_and_gradient(lambda x: loss(x, target), x)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda x, *_: False)
        wide_value, wide_gradient = value_and_gradient(lambda x: loss(x, target.double()), x.double())
    torch.testing.assert_close(value.double(), wide_value, rtol=1e-7, atol=1e-44)
    torch.testing.assert_close(gradient.double(), wide_gradient, rtol=3e-7, atol=1e-44)


@pytest.mark.parametrize(
    "name", ["MSELoss", "L1Loss", "HuberLoss", "SmoothL1Loss", "BCEWithLogitsLoss", "SoftMarginLoss"]
)
def test_second_derivatives_of_small_losses(name):
    x, target = torch.linspace(-3, 3, 20, dtype=torch.float64), torch.linspace(0, 1, 20, dtype=torch.float64)
    results = []
    for dtype in (torch.float32, torch.float64):
        leaf = x.to(dtype).requires_grad_()
        (slope,) = torch.autograd.grad(getattr(slopes.nn, name)()(leaf, target.to(dtype)), leaf, create_graph=True)
        slope.square().sum().backward()
        results.append(leaf.grad.double())
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_cross_entropy_of_labels_in_both_ways(reduction, scale, monkeypatch):
    rows = scale * torch.randn(40, 10, generator=torch.Generator().manual_seed(0))
    labels = rows.argmax(-1).where(torch.arange(40) % 3 > 0, torch.arange(40) % 10)
    labels[5] = -100
    loss = slopes.nn.CrossEntropyLoss(reduction=reduction)
    value, gradient = value_and_gradient(lambda x: loss(x, labels), rows)
    assert (tensors.run_nll(rows, labels, reduction, -100) is None) == (scale == 30.0)  # of which some are certain
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda x, *_: False)
        wide_value, wide_gradient = value_and_gradient(lambda x: loss(x, labels), rows.double())
    torch.testing.assert_close(value.double(), wide_value, rtol=2.4e-7 if scale == 1.0 else 1e-5, atol=0)
    torch.testing.assert_close(gradient.double(), wide_gradient, rtol=2e-6 if scale == 1.0 else 1e-5, atol=1e-38)


@pytest.mark.parametrize("scale", [1.0, 30.0])
@pytest.mark.parametrize(
    ("module", "axis"),
    [
        (slopes.nn.Softmax(-1), -1), (slopes.nn.Softmax(0), 0), (slopes.nn.LogSoftmax(1), 1), (slopes.nn.Softmin(1), 1),
        (slopes.nn.GLU(), -1),
    ],
    ids=str,
)  # fmt: skip
def test_maps_in_both_ways(module, axis, scale, monkeypatch):
    x = scale * torch.randn(6, 8, generator=torch.Generator().manual_seed(0))
    x[0, :4] = -torch.inf
    if not isinstance(module, slopes.nn.GLU):
        x[:, 3] = x[2] = -torch.inf  # rows without an entry, along either axis
    incoming = torch.linspace(-1, 2, 48).reshape(6, 8)[:, : module(x).shape[1]]
    value, gradient = value_and_gradient(module, x, incoming)
    with monkeypatch.context() as patch:
        patch.setattr(entries, "is_plain", lambda x, *_: False)
        wide_value, wide_gradient = value_and_gradient(module, x.double(), incoming.double())
    torch.testing.assert_close(
        value.double(), wide_value, rtol=5e-7 if scale == 1.0 else 5e-6, atol=1e-44, equal_nan=True
    )
    torch.testing.assert_close(gradient.double(), wide_gradient, rtol=5e-6, atol=1e-7, equal_nan=True)


def test_common_rows_take_pytorchs_kernels_and_certain_ones_do_not():
    common, certain = torch.tensor([[0.5, 1.5]], requires_grad=True), torch.tensor([[0.0, 40.0]], requires_grad=True)
    for card in (slopes.softmax, slopes.log_softmax):
        assert tensors.run_map(card, common, -1) is not None
        assert tensors.run_map(card, certain, -1) is None
    assert tensors.run_map(slopes.glu, certain, -1) is None


# ------------------------------------------------------------------------------ where the plain way is due


class Marked(torch.Tensor):
    pass


class Passing(torch.overrides.TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


class Dispatching(torch.utils._python_dispatch.TorchDispatchMode):
    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


X = torch.linspace(-1, 1, 5)


@pytest.mark.parametrize(
    "x",
    [
        X.half(), X.bfloat16(), torch.arange(5), X.as_subclass(Marked), X.to("meta"), X.to_sparse(), X.numpy(),
        torch.nested.nested_tensor([X], layout=torch.jagged), X.to(torch.complex64),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_plain_tensor_goes_the_plain_way(x):
    assert isinstance(tensors.run_activation(slopes.silu, X), torch.Tensor)
    assert not isinstance(x, torch.Tensor) or not entries.is_plain(x)


def test_transforms_and_modes_go_the_plain_way(monkeypatch):
    for _ in range(2):  # the first tensor of a process goes the plain way, and the next one makes the kernel
        slopes.silu(X)
    seen = []
    check = entries.is_plain
    monkeypatch.setattr(entries, "is_plain", lambda x, *options: seen.append(check(x, *options)) or seen[-1])
    slopes.silu(X)
    with Passing():
        slopes.silu(X)
    with Dispatching():
        slopes.silu(X)
    torch.func.vmap(slopes.silu)(X)
    torch.func.grad(lambda x: slopes.silu(x).sum())(X)
    torch.func.functionalize(slopes.silu)(X)
    torch.func.jvp(slopes.silu, (X,), (X,))
    with torch.autograd.forward_ad.dual_level():
        slopes.silu(torch.autograd.forward_ad.make_dual(X, X))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", torch.jit.TracerWarning)  # that shapes are compared
        torch.jit.trace(lambda x: slopes.silu(x), X, check_trace=False)
    escaped = []
    torch.func.grad(lambda x: escaped.append(x) or x.sum())(X)
    slopes.silu(escaped[0])
    assert seen == [True] + [False] * (len(seen) - 1)
    assert len(seen) >= 10


def test_learnt_and_unusual_parameters_go_the_plain_way():
    x = X.clone().requires_grad_()
    weight = torch.tensor(0.5, requires_grad=True)
    assert tensors.run_activation(slopes.prelu.with_(weight=weight), x) is None
    slopes.prelu.with_(weight=weight)(x).sum().backward()
    assert weight.grad is not None
    module = slopes.nn.LeakyReLU(True)
    assert torch.equal(module(X), torch.nn.LeakyReLU(True)(X))
    with pytest.raises(ValueError, match="float32"):
        slopes.elu.with_(alpha=1e-60)(X)


def test_an_array_among_the_parameters_is_held_to_the_shape():
    with pytest.raises(ValueError, match="does not broadcast"):
        slopes.prelu.with_(weight=torch.ones(3))(X)


@pytest.mark.parametrize("chosen", [slopes.mse, slopes.mae], ids=lambda loss: loss.name)
def test_a_target_that_is_learnt_gets_its_gradient(chosen):
    x, target = X.clone().requires_grad_(), X.flip(0).clone().requires_grad_()
    chosen(x, target).backward()
    torch.testing.assert_close(target.grad, -x.grad)


def test_a_constant_within_a_transform_goes_the_plain_way():
    seen = []

    def function(y):
        seen.append(tensors.run_activation(slopes.silu, X))
        return y.sum()

    torch.func.grad(function)(X)
    assert seen == [None]


def test_relu_has_no_negative_zero():
    assert not torch.signbit(slopes.relu(torch.tensor([-0.0, -1.0]))).any()


def test_a_body_at_fault_is_told_so_every_time():
    @slopes.activation
    def wide(x):
        return x[..., None] * torch.ones(3)

    @wide.derivative
    def _(x):
        return x * 0 + 1

    for _ in range(2):
        with pytest.raises(ValueError, match="the body gives shape"):
            wide(X.clone().requires_grad_())


def test_a_derivative_that_is_stated_anew_is_used():
    @slopes.activation
    def twice(x):
        return 2 * x

    @twice.derivative
    def _(x):
        return x * 0 + 2

    assert value_and_gradient(twice, X)[1].unique().tolist() == [2.0]

    @twice.derivative
    def _(x):
        return x * 0 + 3

    twice(X)
    assert value_and_gradient(twice, X)[1].unique().tolist() == [3.0]


def test_a_name_alone_gets_no_short_form():
    @slopes.activation
    def relu(x):
        return x * 5

    @relu.derivative
    def _(x):
        return x * 0 + 5

    for _ in range(2):
        value, gradient = value_and_gradient(relu, X)
    assert torch.equal(value, 5 * X)
    assert gradient.unique().tolist() == [5.0]


def test_a_schedule_of_parameters_does_not_pile_up_kernels():
    module = slopes.nn.LeakyReLU()
    for step in range(3 * entries.MOST):
        module.negative_slope = step / 1000
        assert float(module(torch.tensor(-1.0))) == pytest.approx(-step / 1000)
    assert len(slopes.leaky_relu.cache) <= entries.MOST
