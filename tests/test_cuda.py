"""What runs on a GPU computes what a CPU does: kernels, losses, modules, diagnosis, without waiting for the device."""

import contextlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")
if not torch.cuda.is_available():
    pytest.skip("no CUDA device", allow_module_level=True)

import slopes  # noqa: E402
from helpers import every_exponent  # noqa: E402
from slopes.catalogue import ACTIVATIONS, LOSSES  # noqa: E402
from slopes.fast import short  # noqa: E402
from slopes.kernels import programs  # noqa: E402
from slopes.kernels.gpu import launching  # noqa: E402
from test_gpu_kernels import ONE_BY_ONE, SPECIAL, judge, judge_half_type  # noqa: E402

HALF = {"float16": torch.float16, "bfloat16": torch.bfloat16}
BY_KERNEL = [card for card in ONE_BY_ONE if card.name not in short.STRAIGHT]


@pytest.fixture(autouse=True)
def has_kernels():
    assert launching.is_available(0), "PyTorch brings Triton, which compiles for this GPU"


@pytest.fixture
def launched(monkeypatch):
    """How many kernels were launched, one entry each."""
    seen = []
    launch = launching.GpuKernel.__call__
    monkeypatch.setattr(
        launching.GpuKernel, "__call__", lambda *given: (seen.append(given[2].shape), launch(*given))[1]
    )
    return seen


@contextlib.contextmanager
def no_waiting():
    """Fail where the processor waits for the GPU."""
    torch.cuda.synchronize()
    torch.cuda.set_sync_debug_mode("error")
    try:
        yield
    finally:
        torch.cuda.set_sync_debug_mode("default")


def normal(*shape, seed=0, **options):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed)).to("cuda", **options)


def forward_and_backward(function, x, gradient):
    leaf = x.detach().clone(memory_format=torch.preserve_format).requires_grad_()
    value = function(leaf)
    (pulled,) = torch.autograd.grad(value, leaf, gradient)
    return value.detach(), pulled


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("chosen", BY_KERNEL, ids=[card.name for card in BY_KERNEL])
def test_kernels_are_within_2_ulp(chosen, dtype, launched):
    x = every_exponent(SPECIAL, dtype, each=128)
    cotangent = np.linspace(0.5, 2.0, len(x)).astype(dtype)
    value, pulled = forward_and_backward(chosen, torch.from_numpy(x).cuda(), torch.from_numpy(cotangent).cuda())
    assert len(launched) == 2
    results = {"x": x, "cotangent": cotangent, "value": value.cpu().numpy(), "vjp": pulled.cpu().numpy()}
    assert judge(chosen.name, results) == []


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("elu", {"alpha": 0.3}),
        ("softplus", {"beta": 1.7}),
        ("softcap", {"cap": 30.0}),
        ("gelu", {"approximate": "tanh"}),
    ],
)
def test_parameters_are_numbers_of_one_kernel(name, parameters, launched):
    card = ACTIVATIONS[name]
    x = every_exponent(SPECIAL, each=128)
    bound = card.with_(**parameters)
    value, _ = forward_and_backward(bound, torch.from_numpy(x).cuda(), torch.ones(len(x), device="cuda"))
    wanted = card(x.astype(np.float64), **parameters)
    np.testing.assert_allclose(value.cpu().numpy(), wanted.astype(np.float32), rtol=4e-7, atol=1e-44)
    assert len(launched) == 2


def test_a_schedule_compiles_once(monkeypatch):
    x = normal(5000)
    slopes.elu(x, alpha=0.31)
    monkeypatch.setattr(launching, "compile_for", None)
    for alpha in (0.32, 0.33):
        np.testing.assert_allclose(slopes.elu(x, alpha=alpha).cpu(), slopes.elu(x.cpu(), alpha=alpha), rtol=4e-7)


@pytest.mark.parametrize("kind", HALF)
@pytest.mark.parametrize("chosen", ONE_BY_ONE, ids=[card.name for card in ONE_BY_ONE])
def test_half_types_are_nearly_always_the_nearest_number(chosen, kind):
    x = torch.arange(-(2**15), 2**15, dtype=torch.int16).view(HALF[kind])
    x = x[x.isfinite()]
    value, pulled = forward_and_backward(chosen, x.cuda(), torch.ones_like(x).cuda())
    assert judge_half_type(chosen.name, x, "value", value.cpu()) == []
    assert judge_half_type(chosen.name, x, "vjp", pulled.cpu()) == []


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_layouts(dtype, launched):
    whole = normal(6, 40, 50, 8, dtype=dtype)
    views = {
        "contiguous": whole, "transposed": whole.transpose(0, 2), "sliced": whole[:, ::2], "unaligned": whole.view(-1)[1:],
        "channels last": whole.to(memory_format=torch.channels_last), "expanded": whole[:1].expand(6, 40, 50, 8),
        "negated": torch._neg_view(whole), "one block and one": whole.view(-1)[: 4096 + 1],
    }  # fmt: skip
    for name, x in views.items():
        for gradient in (torch.ones_like(x), torch.ones((), dtype=dtype, device="cuda").expand(x.shape)):
            value, pulled = forward_and_backward(slopes.mish, x, gradient)
            wanted = forward_and_backward(
                slopes.mish, x.contiguous().cpu().float(), gradient.contiguous().cpu().float()
            )
            for came, right in zip((value, pulled), wanted, strict=True):
                torch.testing.assert_close(
                    came.cpu().float(), right, msg=name, rtol=1e-6 if dtype is torch.float32 else 4e-3, atol=1e-9
                )
        assert slopes.mish(x).stride() == torch.empty_like(x).stride(), name
    assert len(launched) == 5 * len(views)


def test_an_empty_tensor():
    x = torch.empty(0, 3, device="cuda", requires_grad=True)
    slopes.mish(x).sum().backward()
    assert x.grad.shape == (0, 3)


def test_more_than_2_to_the_31_entries(launched):
    if torch.cuda.mem_get_info()[0] < 2**35:
        pytest.skip("needs 32 GB")
    x = torch.zeros(2**31 + 4099, dtype=torch.bfloat16, device="cuda")
    x[-4099:] = torch.linspace(-4, 4, 4099, device="cuda").bfloat16()
    x.requires_grad_()
    value = slopes.silu(x)
    value.backward(torch.ones_like(value))
    tail = x.detach()[-4099:].cpu()
    torch.testing.assert_close(value.detach()[-4099:].cpu(), slopes.silu(tail))
    torch.testing.assert_close(x.grad[-4099:].cpu(), slopes.silu.slope(tail))
    assert not value.detach()[: 2**31].any()
    assert len(launched) == 2


def test_a_second_derivative_and_both_modes():
    x = normal(5000, dtype=torch.float64).requires_grad_()
    (first,) = torch.autograd.grad(slopes.gelu(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), x)
    (wanted,) = torch.autograd.grad(
        torch.autograd.grad(slopes.gelu(y := x.detach().cpu().requires_grad_()).sum(), y, create_graph=True)[0].sum(), y
    )
    torch.testing.assert_close(second.cpu(), wanted)
    _, pushed = torch.func.jvp(slopes.gelu, (x.detach(),), (torch.ones_like(x),))
    torch.testing.assert_close(pushed, first.detach())
    mapped = torch.vmap(torch.func.grad(lambda row: slopes.gelu(row).sum()))(x.detach().view(5, 1000))
    torch.testing.assert_close(mapped.view(-1), first.detach())


def test_a_users_function_is_a_kernel_too_and_may_read_a_global(launched):
    scale = {"by": 1.0}

    @slopes.activation
    def leaning(x):
        """x times its sigmoid, scaled."""
        return scale["by"] * x * slopes.ops.sigmoid(x)

    @leaning.derivative
    def _(x):
        return scale["by"] * (slopes.ops.sigmoid(x) + x * slopes.ops.sigmoid_slope(x))

    x = normal(programs.LARGE_FOR_A_USER_ON_A_GPU)
    for scale["by"] in (1.0, 2.0):
        value, pulled = forward_and_backward(leaning, x, torch.ones_like(x))
        torch.testing.assert_close(value, scale["by"] * torch.nn.functional.silu(x), rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(pulled.cpu(), torch.as_tensor(leaning.slope(x.cpu())), rtol=1e-5, atol=1e-6)
    assert len(launched) == 4


def test_a_captured_graph_replays():
    x = normal(2**16).requires_grad_()
    gradient = torch.ones_like(x)
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(2):
            torch.autograd.grad(slopes.mish(x), x, gradient)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        value = slopes.mish(x)
        (pulled,) = torch.autograd.grad(value, x, gradient)
    with torch.no_grad():
        x.copy_(normal(2**16, seed=1))
    graph.replay()
    torch.testing.assert_close(value.detach(), slopes.mish(x.detach()))
    torch.testing.assert_close(pulled.cpu(), slopes.mish.slope(x.detach().cpu()))


def test_another_thread_and_stream():
    import threading

    x, came = normal(2**20), []

    def work():
        with torch.cuda.stream(torch.cuda.Stream()):
            came.append(forward_and_backward(slopes.mish, x, torch.ones_like(x)))
            torch.cuda.current_stream().synchronize()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(came) == 4
    for value, _ in came:
        assert torch.equal(value, came[0][0])


def test_torch_compile():
    compiled = torch.compile(lambda x: slopes.mish(x) * 2)
    x = normal(2**14)
    torch.testing.assert_close(compiled(x), slopes.mish(x) * 2, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    "name", ["GELU", "SiLU", "Mish", "Hardswish", "ELU", "Softplus", "Tanh", "ReLU6", "Softshrink", "LogSigmoid"]
)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_modules(name, dtype):
    x, gradient = normal(64, 128, dtype=dtype), normal(64, 128, seed=1, dtype=dtype)
    ours, theirs = (forward_and_backward(getattr(home, name)(), x, gradient) for home in (slopes.nn, torch.nn))
    for came, wanted in zip(ours, theirs, strict=True):
        torch.testing.assert_close(
            came, wanted, rtol=2e-5 if dtype is torch.float32 else 1.6e-2, atol=1e-5 if dtype is torch.float32 else 1e-2
        )


def test_autocast():
    model = torch.nn.Sequential(torch.nn.Linear(64, 128), slopes.nn.GELU(), torch.nn.Linear(128, 10)).cuda()
    x, labels = normal(512, 64), torch.arange(512, device="cuda") % 10
    with torch.autocast("cuda", torch.bfloat16):
        loss = slopes.cross_entropy(model(x), labels)
    loss.backward()
    assert loss.dtype is torch.float32
    wanted = torch.nn.functional.cross_entropy(model(x), labels)
    torch.testing.assert_close(loss, wanted, rtol=2e-2, atol=2e-2)
    assert model[0].weight.grad.isfinite().all()


@pytest.mark.parametrize("chosen", list(dict.fromkeys(LOSSES.values())), ids=lambda card: card.name)
def test_losses_and_gradients_are_those_of_the_processor(chosen, example):
    first, *rest = example(chosen, shape=(16, 8))

    def compute(*tensors):
        leaf = tensors[0].detach().clone().requires_grad_()
        loss = chosen(leaf, *tensors[1:])
        loss.backward()
        return loss.detach(), leaf.grad

    came, wanted = compute(first.cuda(), *(argument.cuda() for argument in rest)), compute(first, *rest)
    for a, b in zip(came, wanted, strict=True):
        torch.testing.assert_close(a.cpu(), b, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize("chosen", list(dict.fromkeys(LOSSES.values())), ids=lambda card: card.name)
def test_losses_by_kernels_are_those_of_the_processor(chosen, dtype, example):
    """Large enough for a kernel; of half types the processor computes the same numbers in float64."""
    given = [x.to(dtype) if x.is_floating_point() else x for x in example(chosen, shape=(300, 60))]
    if dtype in (torch.float16, torch.bfloat16) and chosen.kind.compares_distributions:
        pytest.skip("rows of a half type may not sum to 1")

    def compute(*tensors):
        leaf = tensors[0].detach().clone().requires_grad_()
        loss = chosen(leaf, *tensors[1:])
        loss.backward()
        return loss.detach(), leaf.grad

    came = compute(*(x.cuda() for x in given))
    wanted = compute(*(x.double() if x.is_floating_point() else x for x in given))
    eps = torch.finfo(dtype).eps
    for a, b in zip(came, wanted, strict=True):
        torch.testing.assert_close(a.cpu().double(), b, rtol=20 * eps, atol=20 * eps * float(b.abs().max()))


@pytest.mark.parametrize("card", [slopes.softmax, slopes.log_softmax, slopes.solu], ids=lambda card: card.name)
@pytest.mark.parametrize("width", [10, 1000, 5000, 50_000])
def test_maps_by_kernels_are_those_of_the_processor(card, width):
    x = normal(64, width) * 5
    leaf, there = x.clone().requires_grad_(), x.double().cpu().requires_grad_()
    for y in (leaf, there):
        (card(y) * torch.arange(width, device=y.device) / width).sum().backward()
    torch.testing.assert_close(card(x).cpu().double(), card(there).detach(), rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(leaf.grad.cpu().double(), there.grad, rtol=1e-4, atol=1e-5)


def test_rows_and_losses_run_as_kernels():
    from slopes.fast import entries
    from slopes.kernels.gpu import losses, rows

    logits, labels = normal(256, 100).requires_grad_(), torch.arange(256, device="cuda") % 100
    if not entries.language_of(logits):
        pytest.skip("needs triton")
    used = []
    with pytest.MonkeyPatch.context() as patch:
        for kind, name in ((rows.GpuRowKernel, "_run"), (losses.GpuLossKernel, "run")):
            plain = getattr(kind, name)
            patch.setattr(kind, name, lambda *given, plain=plain, kind=kind: (used.append(kind), plain(*given)))
        for call in (
            lambda: slopes.cross_entropy(logits, labels), lambda: slopes.softmax(logits).sum(),
            lambda: slopes.mse(logits, logits.detach() + 1), lambda: slopes.nn.CrossEntropyLoss()(logits, labels),
        ):  # fmt: skip
            used.clear()
            call().backward()
            assert len(used) == 2, "the forward and the backward are a kernel each"


def test_masks_weights_and_labels_do_not_wait_for_the_device():
    logits, labels = normal(256, 100).requires_grad_(), torch.arange(256, device="cuda") % 100
    mask, weight = torch.arange(256, device="cuda") % 3 > 0, torch.rand(256, device="cuda")
    p, t = normal(2**16).requires_grad_(), normal(2**16, seed=1)
    calls = {
        "cross_entropy": lambda: slopes.cross_entropy(logits, labels),
        "cross_entropy, masked": lambda: slopes.cross_entropy(logits, labels, mask=mask),
        "cross_entropy, weighted": lambda: slopes.cross_entropy(logits, labels, weight=weight),
        "cross_entropy, smoothed": lambda: slopes.cross_entropy(logits, labels, label_smoothing=0.1),
        "huber": lambda: slopes.huber(p, t), "huber, masked": lambda: slopes.huber(p, t, mask=t > 0),
        "multi_quantile": lambda: slopes.multi_quantile(logits[:, :3], logits[:, 3].detach(), quantiles=(0.1, 0.5, 0.9)),
        "mse": lambda: slopes.mse(p, t), "softmax": lambda: slopes.softmax(logits).square().sum(),
        "mish": lambda: slopes.mish(p).sum(), "nn.CrossEntropyLoss": lambda: slopes.nn.CrossEntropyLoss()(logits, labels),
        "nn.MSELoss": lambda: slopes.nn.MSELoss()(p, t),
        "linear_loss": lambda: slopes.linear_loss(logits, torch.eye(100, device="cuda"), labels, loss=slopes.cross_entropy),
    }  # fmt: skip
    waiting = {}
    for name, call in calls.items():
        call().backward()
        try:
            with no_waiting():
                call().backward()
        except RuntimeError as error:
            waiting[name] = str(error).splitlines()[0]
    assert not waiting


@pytest.mark.parametrize("options", [{}, {"reduction": "none"}, {"softcap": 15.0, "z_loss": 1e-4}, {"chunk": 64}])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_linear_loss(options, dtype):
    features, weight = normal(300, 32, dtype=dtype), normal(500, 32, seed=1, dtype=dtype)
    labels = torch.arange(300, device="cuda") % 500

    def compute(features, weight, labels):
        leaves = [features.detach().clone().requires_grad_(), weight.detach().clone().requires_grad_()]
        loss = slopes.linear_loss(*leaves, labels, loss=slopes.cross_entropy, **options)
        return loss.detach(), *torch.autograd.grad(loss.sum(), leaves)

    came = compute(features, weight, labels)
    wanted = compute(features.double().cpu(), weight.double().cpu(), labels.cpu())
    for a, b in zip(came, wanted, strict=True):
        if dtype is torch.bfloat16:  # one common factor, which is no rounding
            assert float((a.cpu().double() * b).sum() / (b * b).sum()) == pytest.approx(1, abs=1e-3)
        rtol, atol = (1e-4, 1e-5) if dtype is torch.float32 else (3e-2, 3e-2 * float(b.abs().max()))
        torch.testing.assert_close(a.cpu().double(), b, rtol=rtol, atol=atol)


def network():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Linear(20, 64), slopes.nn.GELU(), torch.nn.Linear(64, 64), torch.nn.ReLU(), torch.nn.Linear(64, 5)
    ).cuda()


def test_diagnose():
    model, x = network(), normal(512, 20)
    labels = torch.arange(512, device="cuda") % 5
    found = slopes.diagnose(model, (x, labels), slopes.cross_entropy, samples=512)
    there = slopes.diagnose(model.cpu(), (x.cpu(), labels.cpu()), slopes.cross_entropy, samples=512)
    assert [layer.name for layer in found.layers] == [layer.name for layer in there.layers]
    for a, b in zip(found.layers, there.layers, strict=True):
        assert a.mean == pytest.approx(b.mean, abs=1e-4)
        assert a.dead == pytest.approx(b.dead, abs=0.05)


def test_steps_between_looks_do_not_wait_for_the_device():
    model, x = network(), normal(64, 20)
    labels = torch.arange(64, device="cuda") % 5
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    watcher = slopes.Watcher(model, every=3, samples=10**6)

    def train():
        with watcher:
            optimizer.zero_grad()
            torch.nn.functional.cross_entropy(model(x), labels).backward()
            optimizer.step()

    for _ in range(4):
        train()
    with no_waiting():
        train()
        train()
    assert watcher.step == 6
    assert watcher.diagnosis.layers
