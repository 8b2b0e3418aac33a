"""Every transform of torch works on every card, and gives the derivative that the card states."""

import math
from functools import partial

import numpy as np
import pytest

from helpers import is_map, unreduced, whole_graph

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
from slopes.card import Loss  # noqa: E402
from slopes.catalogue import ACTIVATIONS, CARDS  # noqa: E402


def split(card, example, **options):
    """(function of the first argument, first argument), the others held."""
    first, *rest = example(card, **options)
    return (lambda x: unreduced(card)(x, *rest)), first


def expected_gradient(card, example, **options):
    first, *rest = example(card, **options)
    arguments = [argument.numpy() for argument in (first, *rest)]
    if is_map(card):
        return torch.from_numpy(card.vjp(*arguments, np.ones(card(*arguments).shape)))
    return torch.from_numpy(card.slope(*arguments, **({"reduction": "none"} if isinstance(card, Loss) else {})))


def to_map_over(card, example, **options):
    """Arguments with a leading axis to map over: rows, or of a loss that looks at a batch, two batches."""
    if not (isinstance(card, Loss) and card.kind.batched):
        return example(card, **options)
    return tuple(map(torch.stack, zip(example(card, **options), example(card, seed=1, **options), strict=True)))


def probabilities(card):
    return isinstance(card, Loss) and card.kind.space_of(card.settings).is_probability


def skip_if_detached(card):
    if card.claims.detached:
        pytest.skip("its gradient keeps a part constant, so that no differences agree with it")


@pytest.mark.sampled(4, every=12)
def test_autograd_in_both_modes(card, example):
    skip_if_detached(card)
    function, x = split(card, example)
    x.requires_grad_()
    assert torch.autograd.gradcheck(
        function, x, check_forward_ad=True, check_batched_grad=True, check_undefined_grad=False
    )


@pytest.mark.sampled(3, every=12)
def test_double_backward(card, example):
    skip_if_detached(card)
    function, x = split(card, example, shape=(2, 3))
    x.requires_grad_()
    assert torch.autograd.gradgradcheck(function, x, check_fwd_over_rev=True, check_rev_over_rev=True)


def test_func_grad_and_vmap(card, example):
    function, x = split(card, example)
    gradient = torch.func.grad(lambda x: function(x).sum())(x)
    torch.testing.assert_close(gradient, expected_gradient(card, example), rtol=1e-12, atol=1e-14)
    first, *rest = to_map_over(card, example)
    each = zip(first, *rest, strict=True)
    alone = torch.func.vmap(unreduced(card))(first, *rest)
    stacked = torch.stack([unreduced(card)(*one) for one in each])
    torch.testing.assert_close(
        alone, stacked, rtol=1e-14, atol=0
    )  # a batch of matrix products may add in another order
    total = lambda x, *rest: unreduced(card)(x, *rest).sum()  # noqa: E731
    per_sample = torch.func.vmap(torch.func.grad(total))(first, *rest)
    one_by_one = [torch.func.grad(total)(*one) for one in zip(first, *rest, strict=True)]
    torch.testing.assert_close(per_sample, torch.stack(one_by_one), rtol=1e-12, atol=1e-14)


def test_vmap_over_the_prediction_alone(card, example):
    first, *rest = example(card)
    stack = torch.stack([first, first.flip(0)], dim=-1)
    came = torch.func.vmap(lambda x: unreduced(card)(x, *rest), in_dims=-1)(stack)
    torch.testing.assert_close(
        came, torch.stack([unreduced(card)(stack[..., i], *rest) for i in (0, 1)]), rtol=1e-15, atol=0
    )


def test_jvp(card, example):
    function, x = split(card, example)
    tangent = torch.from_numpy(np.random.default_rng(1).standard_normal(x.shape))
    _, pushed = torch.func.jvp(function, (x,), (tangent,))
    pulled = torch.autograd.functional.jacobian(function, x).reshape(pushed.numel(), -1) @ tangent.reshape(-1)
    torch.testing.assert_close(pushed.reshape(-1), pulled, rtol=1e-10, atol=1e-13)


@pytest.mark.sampled(2, every=6)
def test_hessian_by_every_composition(card, example):
    function, x = split(card, example, shape=(2, 3))
    total = lambda x: function(x).sum()  # noqa: E731
    reference = torch.func.jacrev(torch.func.jacrev(total))(x)
    for compose in (torch.func.hessian, lambda f: torch.func.jacfwd(torch.func.jacfwd(f))):
        torch.testing.assert_close(compose(total)(x), reference, rtol=1e-9, atol=1e-12)


@whole_graph
@pytest.mark.sampled(0, every=36)
def test_compile(card, example):
    torch._dynamo.reset()
    function, x = split(card, example)
    compiled = torch.compile(function, fullgraph=True, backend="aot_eager")
    x.requires_grad_()
    output = compiled(x)
    torch.testing.assert_close(output, function(x), rtol=1e-12, atol=1e-14)
    output.sum().backward()
    torch.testing.assert_close(x.grad, expected_gradient(card, example), rtol=1e-12, atol=1e-14)


@whole_graph
def test_compile_with_parameters():
    torch._dynamo.reset()
    x = torch.linspace(-2, 2, 5)
    for call in (
        lambda x: slopes.elu(x, alpha=0.5),
        lambda x: slopes.hard_tanh(x, min_val=-0.5),
        lambda x: slopes.gelu(x, approximate="tanh"),
        lambda x: slopes.huber(x, x + 1, delta=0.5, weight=x.abs(), reduction="sum"),
        lambda x: slopes.mse(x, x.flip(0), mask=x > 0),
        lambda x: slopes.cross_entropy(x, torch.tensor(2), base=2.0, label_smoothing=0.1),
        lambda x: slopes.softmax(x.reshape(5, 1), axis=0),
        lambda x: slopes.hinge_embedding(x, (x > 0).to(x.dtype), zero_one=True, margin=2.0),
        lambda x: slopes.corn(x[:, None], torch.tensor([0, 1, 1, 0, 9]), ignore_index=9),
    ):
        torch.testing.assert_close(torch.compile(call, fullgraph=True, backend="aot_eager")(x), call(x))


OPTIONS = {"label_smoothing": 0.1, "ignore_index": -100, "normalizer": "sequence", "zero_one": False}


@whole_graph
@pytest.mark.sampled(3, every=12)
def test_compile_with_every_keyword(loss):
    first, *rest = loss.kind.examples(loss.settings).sample(np.random.default_rng(2), (4, 3))
    given = [torch.from_numpy(np.asarray(x)) for x in (first, *rest)]
    options = {name: OPTIONS[name] for name in loss.kind.options if name in OPTIONS}
    if given[-1].is_floating_point() and loss.rowwise:
        options.pop("ignore_index", None)
    keywords = options | {name: p.default for name, p in loss.parameters.items() if type(p.default) in (int, float)}
    torch._dynamo.reset()
    compiled = torch.compile(lambda *given: loss(*given, **keywords), fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*given), loss(*given, **keywords), rtol=1e-12, atol=1e-14)


ELEMENTWISE = [card for card in dict.fromkeys(ACTIVATIONS.values()) if card.family == "activation"]


def needs_a_compiler():
    import shutil

    if not (shutil.which("g++") or shutil.which("clang++") or shutil.which("cl")):
        pytest.skip("inductor needs a C++ compiler")


@whole_graph
@pytest.mark.parametrize(
    "one",
    [pytest.param(card, marks=[] if card is slopes.elu else [pytest.mark.exhaustive]) for card in ELEMENTWISE],
    ids=lambda one: one.name,
)
def test_inductor_keeps_the_digits(one):
    """Its own expm1 subtracts 1 from the exponential; every exponent of float32 that matters is tried."""
    from slopes.truth.errors import ULPS, ulps

    needs_a_compiler()
    torch._dynamo.reset()
    sizes = 10 ** np.linspace(-36, 2, 500)
    x = torch.from_numpy(np.concatenate([-sizes, sizes]).astype(np.float32)).requires_grad_()
    value = torch.compile(lambda x: one(x), fullgraph=True)(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    points = x.detach().numpy()
    for came, function in ((value, one), (slope, one.slope)):
        errors = ulps(came.detach().numpy(), function(points.astype(np.float64)), np.float32)
        left, right = (np.sign(function(points * np.float32(side))) for side in (0.5, 1.5))
        errors[left != right] = 0  # near a root terms cancel by nature
        assert errors.max() <= ULPS, f"{errors.max():.3g} ulp at {points[errors.argmax()]!r}"


@whole_graph
@pytest.mark.exhaustive
@pytest.mark.parametrize(
    "one", [card for card in dict.fromkeys(CARDS.values()) if card not in ELEMENTWISE], ids=lambda one: one.name
)
def test_inductor_agrees(one, example):
    needs_a_compiler()
    torch._dynamo.reset()
    first, *rest = (x.float() if x.is_floating_point() else x for x in example(one))
    first.requires_grad_()
    output = torch.compile(lambda x: unreduced(one)(x, *rest), fullgraph=True)(first)
    torch.testing.assert_close(output, unreduced(one)(first, *rest), rtol=1e-5, atol=1e-6)
    output.sum().backward()
    torch.testing.assert_close(first.grad.double(), expected_gradient(one, example), rtol=1e-5, atol=1e-6)


@whole_graph
@pytest.mark.sampled(7, every=36)
def test_compiled_transforms(card, example):
    torch._dynamo.reset()
    function, x = split(card, example)
    gradient = torch.func.grad(lambda x: function(x).sum())
    torch.testing.assert_close(
        torch.compile(gradient, fullgraph=True, backend="aot_eager")(x), gradient(x), rtol=1e-12, atol=1e-14
    )


@pytest.mark.exhaustive
def test_first_call_may_be_a_compiled_one():
    """In a process where torch was imported after slopes and no card has been called."""
    import subprocess
    import sys

    script = (
        "import slopes; card = slopes.gelu; import torch\n"
        "compiled = torch.compile(lambda x: card(x), fullgraph=True, backend='aot_eager')\n"
        "x = torch.linspace(-3, 3, 7, requires_grad=True); compiled(x).sum().backward(); print(x.grad)"
    )
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    assert "tensor" in outcome.stdout


def test_compile_with_changing_batches_and_parameters():
    torch._dynamo.reset()
    losses = {
        card: torch.compile(card, fullgraph=True, backend="aot_eager") for card in (slopes.mse, slopes.cross_entropy)
    }
    for batch in (4, 6, 9):
        x = torch.randn(batch, 5)
        for card, target in ((slopes.mse, torch.randn(batch, 5)), (slopes.cross_entropy, torch.randint(5, (batch,)))):
            torch.testing.assert_close(losses[card](x, target), card(x, target))
    bent = torch.compile(lambda x, a: slopes.elu(x, alpha=a), fullgraph=True, backend="aot_eager")
    for alpha in (0.1, 0.2, 0.3):
        torch.testing.assert_close(bent(x, alpha), slopes.elu(x, alpha=alpha))


@whole_graph
@pytest.mark.parametrize(
    ("name", "parameter", "values"),
    [
        ("rrelu", "lower", (0.1, 0.2)),
        pytest.param("triplet_margin", "p", (2.0, 1.0, 3.0), marks=pytest.mark.exhaustive),
        pytest.param("asymmetric", "clip", (0.05, 0.0, 0.2), marks=pytest.mark.exhaustive),
        pytest.param("barron_general", "alpha", (1.0, 0.0, 0.5), marks=pytest.mark.exhaustive),
    ],
)
def test_compile_with_dynamic_numbers(name, parameter, values, example):
    """Parameters are symbols in the trace, and change between calls."""
    torch._dynamo.reset()
    card = getattr(slopes, name)
    function = partial(card, reduction="none") if isinstance(card, Loss) else card
    arguments = example(card)
    compiled = torch.compile(
        lambda *arguments, **given: function(*arguments, **given), fullgraph=True, dynamic=True, backend="aot_eager"
    )
    torch.testing.assert_close(compiled(*arguments), function(*arguments), rtol=1e-12, atol=1e-14)
    for value in values:
        given = {parameter: value}
        torch.testing.assert_close(compiled(*arguments, **given), function(*arguments, **given), rtol=1e-12, atol=1e-14)


@pytest.mark.filterwarnings("ignore:Attempted to insert a get_attr Node")  # by make_fx
@pytest.mark.sampled(11, every=18)
def test_traces(card, example):
    """linearize, make_fx and functionalize, in which nothing can be looked at."""
    from torch.fx.experimental.proxy_tensor import make_fx

    function, x = split(card, example)
    tangent = torch.ones_like(x)
    _, push = torch.func.linearize(function, x)
    pushed = torch.func.jvp(function, (x,), (tangent,))[1]
    torch.testing.assert_close(push(tangent), pushed, rtol=1e-10, atol=1e-13)
    arguments = example(card)
    for mode in ("real", "symbolic"):
        traced = make_fx(unreduced(card), tracing_mode=mode)(*arguments)
        torch.testing.assert_close(traced(*arguments), function(x), rtol=1e-12, atol=1e-14)
    functional = torch.func.functionalize(unreduced(card))(*arguments)
    torch.testing.assert_close(functional, function(x), rtol=1e-12, atol=1e-14)


@pytest.mark.sampled(0, every=4)
def test_shapes_alone(card, example):
    """On the device meta, where there are no values."""
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        result = card(*(x.to("meta", dtype=dtype if x.is_floating_point() else x.dtype) for x in example(card)))
        assert (result.device.type, result.dtype) == ("meta", dtype)


@whole_graph
@pytest.mark.sampled(every=12)
def test_export_with_a_dynamic_batch(loss, example):
    class Module(torch.nn.Module):
        def forward(self, x, *rest):
            return loss(x, *rest)

    first, *rest = example(loss)
    batch = {0: torch.export.Dim("batch")}
    shapes = (batch, tuple(batch for _ in rest))
    exported = torch.export.export(Module(), (first, *rest), dynamic_shapes=shapes if rest else shapes[:1]).module()
    other = example(loss, shape=(7, 3), seed=1)
    torch.testing.assert_close(exported(*other), loss(*other), rtol=1e-12, atol=1e-14)


def test_second_derivatives_where_branches_meet():
    zero = torch.zeros(1, dtype=torch.float64)
    for card in (slopes.huber, slopes.log_cosh, slopes.mse):
        total = lambda x, card=card: card(x, zero, reduction="sum")  # noqa: E731
        for hessian in (torch.func.hessian, lambda f: torch.func.jacfwd(torch.func.jacfwd(f))):
            assert hessian(total)(zero).item() == (2 if card is slopes.mse else 1)


def test_no_nan_where_a_target_of_zero_meets_a_probability_of_zero():
    rows = torch.tensor([[1.0, 0.0]])
    for wanted in (False, True):  # by the card's derivative, and by plain autograd
        prediction, target = rows.clone().requires_grad_(), rows.clone().requires_grad_(wanted)
        slopes.categorical_cross_entropy(prediction, target).backward()
        assert prediction.grad.tolist() == [[-1.0, 0.0]]
    gradient = torch.func.grad(lambda p: slopes.categorical_cross_entropy(p, rows))(rows)
    assert gradient.tolist() == [[-1.0, 0.0]]


def test_forward_mode_at_kinks_and_in_tails():
    x = torch.tensor([0.0, -40.0], dtype=torch.float64)
    for card in (slopes.relu, slopes.leaky_relu, slopes.elu):
        torch.testing.assert_close(
            torch.func.jvp(card, (x,), (torch.ones_like(x),))[1], card.slope(x), rtol=1e-12, atol=0
        )


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.sampled(every=6)
def test_only_the_input_is_saved(activation, dtype):
    from slopes import kernels
    from slopes.fast.entries import KEPT

    saved = []  # of smaller tensors slopes are kept as well, and PyTorch may keep more
    x = torch.linspace(-1, 1, KEPT + 1).reshape(-1, 8).to(dtype).requires_grad_()
    with torch.autograd.graph.saved_tensors_hooks(lambda tensor: saved.append(tensor) or tensor, lambda tensor: tensor):
        activation(x)
    # PyTorch's own log_sigmoid, which computes float32 tensors where there are no kernels, keeps a buffer besides.
    has_buffer = activation is slopes.log_sigmoid and dtype is torch.float32 and not kernels.is_available()
    assert sum(tensor.nbytes for tensor in saved) == x.nbytes * (1 + has_buffer)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.sampled(1, every=12)
def test_dense_accuracy_of_values_and_gradients(activation, dtype):
    from slopes.truth.errors import ULPS, ulps

    if is_map(activation):
        pytest.skip("maps are audited by rows")
    rng = np.random.default_rng(11)
    sizes = np.concatenate([rng.uniform(0, 6, 300), 10 ** rng.uniform(-8, 2, 200), rng.uniform(6, 40, 60)])
    x = torch.from_numpy(sizes * rng.choice([-1, 1], sizes.shape)).to(dtype).requires_grad_()
    value = activation(x)
    (slope,) = torch.autograd.grad(value.sum(), x)
    oracle, points = slopes.exact(activation, 25), x.detach().numpy()
    for came, exact, function in ((value.detach(), oracle, activation), (slope, oracle.slope, activation.slope)):
        errors = ulps(came.numpy(), exact(points), points.dtype.type)
        left, right = (np.sign(function(points * points.dtype.type(side))) for side in (0.5, 1.5))
        errors[left != right] = 0  # near a root terms cancel by nature
        assert errors.max() <= ULPS, f"{errors.max():.3g} ulp at {points[errors.argmax()]!r}"


@whole_graph
@pytest.mark.sampled(3, every=12)
def test_export(card, example):
    first, *rest = example(card)

    class Module(torch.nn.Module):
        def forward(self, x, *rest):
            return card(x, *rest)

    exported = torch.export.export(Module(), (first, *rest)).module()
    torch.testing.assert_close(exported(first, *rest), card(first, *rest), rtol=1e-12, atol=1e-14)


#: losses with an argument that does not count, which they have in common with the losses they are added to
IDLE = (("evidential_penalty", "scale"),)


@pytest.mark.sampled(2, every=12)
def test_gradients_flow_to_targets_and_weights(loss, example):
    prediction, *rest = example(loss)
    kinds = [argument.space.name for argument in loss.kind.arguments[1:]]
    labels = [not target.is_floating_point() for target in rest]
    if labels[:1] == [True] and kinds[0] == "distributions":
        rest[0] = slopes.softmax(torch.from_numpy(np.random.default_rng(2).standard_normal(prediction.shape)))
    inside = {"chances": lambda target: target.clamp(0.1, 0.9), "non-negative": lambda target: target + 0.5}
    rest = [inside.get(kind, lambda target: target)(target) for kind, target in zip(kinds, rest, strict=True)]
    has_rows = loss.kind.rowwise and loss.kind.unreduced(prediction.shape) != prediction.shape
    weight = torch.rand(prediction.shape[:-1] if has_rows else prediction.shape, dtype=torch.float64) + 0.5
    prediction.requires_grad_(not loss.claims.detached)
    assert torch.autograd.gradcheck(lambda p, w: loss(p, *rest, weight=w), (prediction, weight.requires_grad_()))
    for place, (kind, target) in enumerate(zip(kinds, rest, strict=True)):
        if kind in ("signs", "steps between grades", "edges of grades") or not target.is_floating_point():
            continue
        target.requires_grad_()
        call = lambda p, t, place=place: loss(p, *rest[:place], t, *rest[place + 1 :])  # noqa: E731
        if kind == "distributions":  # a single entry of a row cannot be moved alone
            call(prediction, target).backward()
            assert target.grad.abs().sum() > 0
            continue
        assert torch.autograd.gradcheck(call, (prediction, target))
        torch.autograd.gradgradcheck(call, (prediction, target))
        one = torch.linspace(0.5, 1, target.numel(), dtype=torch.float64).reshape(target.shape)
        tangent = torch.func.jvp(lambda t, call=call: call(prediction.detach(), t), (target.detach(),), (one,))[1]
        assert (tangent != 0) == ((loss.name, loss.kind.arguments[place + 1].name) not in IDLE)


@pytest.mark.parametrize("size", [1.0, 1e20, 1e38])
@pytest.mark.parametrize(
    ("name", "options"), [("contrastive_pair", {}), ("softmax_focal", {"gamma": 5.0}), ("distillation", {})]
)
def test_gradients_of_both_arguments_are_those_of_one_however_large(name, options, size):
    """Plain autograd runs through the body where a target wants a gradient too."""
    rng = torch.Generator().manual_seed(0)
    first, second = size * torch.randn(2, 20, 4, generator=rng)
    second = torch.softmax(torch.randn(20, 4, generator=rng), -1) if name == "softmax_focal" else second
    signs = (torch.tensor([1, -1] * 10),) if name == "contrastive_pair" else ()
    card = partial(getattr(slopes, name), reduction="none", **options)
    both = [x.requires_grad_() for x in (first, second)]
    joint = torch.autograd.grad(card(*both, *signs).sum(), both)
    (alone,) = torch.autograd.grad(card(first, second.detach(), *signs).sum(), first)
    torch.testing.assert_close(joint[0], alone, rtol=1e-4, atol=1e-5)
    assert not joint[1][card(first, second, *signs) < torch.inf].isnan().any()


LEARNED = [card for card in dict.fromkeys(CARDS.values()) if isinstance(card, Loss) and len(card.kind.learned) > 1]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("one", LEARNED, ids=lambda card: card.name)
def test_all_outputs_of_a_model_have_gradients_where_one_has(one, dtype):
    drawn = [torch.from_numpy(np.asarray(x)) for x in one.kind.examples(one.settings).stress(np.random.default_rng(0))]
    given = [x.to(dtype) if x.is_floating_point() else x for x in drawn]
    all_ = [x.clone().requires_grad_(place in one.kind.learned) for place, x in enumerate(given)]
    values = one(*all_, reduction="none")
    values[values.isfinite()].sum().backward()
    assert all(x.grad is None or x.grad[values.isfinite()].isfinite().all() for x in all_)


def of_all(card, *numbers, dtype=torch.float32):
    """Gradients of a value by the numbers."""
    given = [torch.tensor([number], dtype=dtype, requires_grad=True) for number in numbers]
    card(*given).backward()
    return [x.grad.item() for x in given]


def test_gradients_by_further_outputs_at_large_numbers():
    assert of_all(slopes.zero_inflated_poisson_nll, 89.0, 0.0, 0.0)[::2] == [0, -0.5]
    assert of_all(slopes.crps_gaussian, 1e6, 0.0, 1e-33)[0] == 1
    assert of_all(slopes.crps_gaussian, 1e6, 0.0, 1e-33)[2] == pytest.approx(-0.5 / (math.pi * 1e-33) ** 0.5, rel=1e-6)
    for evidence in (0.5, 1.0, 2.0, 1e4, 1e7):
        single, double = (
            of_all(slopes.evidential_nll, 60.0, -0.5, evidence, 100.0, 1.0, dtype=dtype)[2]
            for dtype in (torch.float32, torch.float64)
        )
        assert single == pytest.approx(double, rel=1e-5)


def test_gradients_flow_to_tensor_parameters():
    x = torch.linspace(-2, 2, 5, dtype=torch.float64)
    slope = torch.tensor(0.2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda a: slopes.leaky_relu(x, negative_slope=a), slope)
    assert torch.autograd.gradcheck(lambda a: slopes.elu(x, alpha=a), slope)


def test_slope_exactly_at_zero_and_kinks():
    zero = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    for card, peer in ((slopes.sigmoid, torch.sigmoid), (slopes.relu, torch.relu), (slopes.gelu, torch.nn.functional.gelu),
                       (slopes.leaky_relu, torch.nn.functional.leaky_relu), (slopes.elu, torch.nn.functional.elu)):  # fmt: skip
        mine, theirs = (torch.autograd.grad(f(zero).sum(), zero)[0] for f in (card, peer))
        assert mine == theirs == torch.tensor(card.slope(0.0), dtype=torch.float64)
    (plain,) = torch.autograd.grad(slopes.ops.sigmoid(zero).sum(), zero)  # through the primitive's own operations
    assert plain == 0.25


def test_non_contiguous_and_channels_last():
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert torch.equal(slopes.gelu(x), slopes.gelu(x.contiguous()))
    assert torch.equal(slopes.softmax(x, axis=1), slopes.softmax(x.contiguous(), axis=1))
    assert torch.equal(slopes.silu(x.transpose(1, 3)), slopes.silu(x).transpose(1, 3))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_cuda(card, example):
    first, *rest = example(card)
    came = unreduced(card)(first.cuda(), *(argument.cuda() for argument in rest))
    torch.testing.assert_close(came.cpu(), unreduced(card)(first, *rest), rtol=1e-12, atol=1e-14)
