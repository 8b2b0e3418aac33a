"""Compiled kernels of element-wise losses: the loss and its gradient in one pass, with the results of the plain way."""

import itertools

import numpy as np
import pytest

import slopes
from helpers import every_exponent, mark_exhaustive, require_kernels
from slopes import ops
from slopes.catalogue import CARDS
from slopes.kernels import compiling, elementwise_losses
from test_kernels import SPECIAL, errors_in_ulp

require_kernels()
torch = pytest.importorskip("torch")

import slopes.nn  # noqa: E402
from slopes.fast import entries  # noqa: E402

LOSSES = [card for card in dict.fromkeys(CARDS.values()) if card.family == "loss" and not card.rowwise]
SIZE = 2**17 + 77
#: a mean of float32 is that of float64 to an eps
CLOSE = {"float32": 3e-7, "float64": 1e-13}
for first in (np.ones(2), torch.ones(2)):  # a type comes to kernels from the second call on
    slopes.mse(first, first)


def arguments_of(card, dtype="float32", size=SIZE):
    return [x.astype(dtype) for x in card.kind.examples(card.settings).sample(np.random.default_rng(0), (size,))]


def in_parts(call, arguments):
    """What a call gives for parts that are too small for kernels."""
    return np.concatenate([call(*part) for part in zip(*(np.array_split(a, 40) for a in arguments), strict=True)])


def tensors_of(arguments):
    first, *others = map(torch.from_numpy, arguments)
    return first.clone().requires_grad_(), *others


def is_compiled(value):
    return type(value.grad_fn).__name__ == "_CompiledLossBackward"


@pytest.fixture
def plainly(monkeypatch):
    """Call a function where no tensor comes to kernels."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(entries, "is_plain", lambda x, *_: False)
            return function(*arguments)

    return call


def value_and_gradient(function, x, *others):
    x = x.detach().requires_grad_()
    value = function(x, *others)
    value.backward(torch.linspace(-1, 1, value.numel(), dtype=value.dtype).reshape(value.shape))
    return value.detach(), x.grad


def assert_compiled_as_plain(plainly, call, *tensors, atol):
    """Check that a loss runs as a kernel whose value and gradient, and value alone, are those without kernels."""
    assert is_compiled(call(*tensors))
    expected = plainly(value_and_gradient, call, *tensors)
    for given, exact in zip(value_and_gradient(call, *tensors), expected, strict=True):
        torch.testing.assert_close(given, exact, rtol=1e-12, atol=atol)
    with torch.no_grad():
        torch.testing.assert_close(call(*tensors), expected[0], rtol=1e-12, atol=atol)


# ----------------------------------------------------------------------------------------- the results


@pytest.mark.parametrize("chosen", mark_exhaustive(LOSSES, every=16), ids=[card.name for card in LOSSES])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_arrays(chosen, dtype):
    card, arguments = chosen, arguments_of(chosen, dtype)
    wide = [a.astype("float64") for a in arguments]
    values = in_parts(lambda *a: card(*a, reduction="none"), wide)
    slopes_ = in_parts(lambda *a: card.slope(*a, reduction="none"), wide)
    for reduction, exact, divisor in (("mean", values.mean(), SIZE), ("sum", values.sum(), 1)):
        value, gradient = card.value_and_slope(*arguments, reduction=reduction)
        assert value.dtype == gradient.dtype == dtype
        assert value == card(*arguments, reduction=reduction)
        np.testing.assert_allclose(value, exact, rtol=CLOSE[dtype])
        np.testing.assert_allclose(gradient * divisor, slopes_, rtol=CLOSE[dtype], atol=CLOSE[dtype])
    value, gradient = card.value_and_slope(*arguments, reduction="none")
    np.testing.assert_array_equal(value, card(*arguments, reduction="none"))
    np.testing.assert_allclose(value, values, rtol=CLOSE[dtype], atol=CLOSE[dtype])
    np.testing.assert_allclose(gradient, slopes_, rtol=CLOSE[dtype], atol=CLOSE[dtype])


@pytest.mark.parametrize("chosen", mark_exhaustive(LOSSES, every=16), ids=[card.name for card in LOSSES])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_tensors(chosen, reduction, plainly):
    card = chosen
    x, *others = tensors_of(arguments_of(card, "float64"))

    def call(*tensors):
        return card(*tensors, reduction=reduction)

    assert_compiled_as_plain(plainly, call, x, *others, atol=1e-12)
    given = value_and_gradient(call, x.float(), *(other.float() for other in others))
    assert given[0].dtype is given[1].dtype is torch.float32


def weights_and_mask():
    """Weights, some of them 0, and a mask that leaves the first half out."""
    weight = np.random.default_rng(5).uniform(0.1, 3, SIZE)
    weight[::7] = 0
    return weight, np.arange(SIZE) >= SIZE // 2


def counting(weighted, masked, divided, dtype="float64"):
    weight, mask = weights_and_mask()
    given = {"weight": weight.astype(dtype)} if weighted else {}
    given |= {"mask": mask} if masked else {}
    return given | ({"divisor": 1234.5} if divided else {})


WAYS = [(True, False, False), (False, True, False), (True, True, False), (False, False, True), (True, False, True)]


@pytest.mark.parametrize(
    "way", mark_exhaustive(WAYS, every=2), ids=["weight", "mask", "both", "divisor", "weight and divisor"]
)
@pytest.mark.parametrize("library", ["NumPy", "torch"])
@pytest.mark.parametrize("name", ["huber", "binary_cross_entropy"])
def test_weights_masks_and_divisors(name, library, way, plainly, monkeypatch):
    """What does not count may be any number: it is not read."""
    card, given = CARDS[name], counting(*way)
    arguments = arguments_of(card, "float64")
    ignored = ~given.get("mask", np.ones(SIZE, bool)) | (given.get("weight", np.ones(SIZE)) == 0)
    for argument, number in zip(arguments, (np.nan, 7.0), strict=True):  # 7 is no chance
        argument[ignored] = number
    for reduction in ("mean",) if way[2] else ("mean", "sum", "none"):
        if library == "NumPy":
            with monkeypatch.context() as patch:
                patch.setattr(elementwise_losses, "find", lambda *_, **__: None)
                exact = card.value_and_slope(*arguments, reduction=reduction, **given)
            with monkeypatch.context() as patch:
                patch.setattr(type(card.kind), "enter", lambda *_, **__: pytest.fail("it goes the plain way"))
                came = card.value_and_slope(*arguments, reduction=reduction, **given)
                assert card(*arguments, reduction=reduction, **given) is not None
            for one, other in zip(came, exact, strict=True):
                np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-13)
        else:
            x, *others = tensors_of(arguments)
            options = {k: torch.from_numpy(v) if isinstance(v, np.ndarray) else v for k, v in given.items()}

            def call(*tensors, reduction=reduction, options=options):
                return card(*tensors, reduction=reduction, **options)

            assert_compiled_as_plain(plainly, call, x, *others, atol=1e-13)


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_weighted_gradient_is_differentiated_again(reduction):
    x, y = tensors_of(arguments_of(slopes.log_cosh, "float64"))
    weight, mask = map(torch.from_numpy, weights_and_mask())
    x.data[0] = torch.nan  # which is masked
    value = slopes.log_cosh(x, y, weight=weight, mask=mask, reduction=reduction)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    counted = torch.where(mask, weight, 0.0)
    expected = torch.where(counted == 0, 0.0, counted / torch.cosh(x.detach() - y) ** 2)
    torch.testing.assert_close(second, expected / (counted.sum() if reduction == "mean" else 1))


def test_where_nothing_counts_the_mean_is_0():
    x, y = tensors_of(arguments_of(slopes.mse))
    nothing = torch.zeros(SIZE, dtype=torch.bool)
    for options in ({"mask": nothing}, {"weight": nothing.float()}, {"mask": nothing, "weight": torch.ones(SIZE)}):
        value = slopes.mse(x, y, **options)
        assert is_compiled(value)
        assert value == 0
        (gradient,) = torch.autograd.grad(value, x)
        assert not gradient.any()
    assert slopes.mse(x.detach().numpy(), y.numpy(), mask=nothing.numpy()) == 0


@pytest.mark.parametrize("library", ["NumPy", "torch"])
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"weight": -1.0}, ValueError), ({"weight": np.inf}, ValueError), ({"weight": np.nan}, ValueError),
        ({"weight": 1.0, "reduction": "sum", "divisor": 2.0}, ValueError), ({"divisor": -1.0}, ValueError),
        ({"mask": 1.0}, TypeError),
    ],
    ids=str,
)  # fmt: skip
def test_what_is_refused_of_weights_gets_the_usual_message(library, options, error):
    def call(size):
        make = np.zeros if library == "NumPy" else (lambda size: torch.zeros(size, dtype=torch.float64))
        arrays = {}
        for name in options.keys() & {"weight", "mask"}:
            arrays[name] = make(size)
            arrays[name][-1] = options[name]
        with pytest.raises(error, match="mse: ") as raised:
            slopes.mse(make(size), make(size), **options | arrays)
        return str(raised.value)

    assert call(SIZE) == call(9)


def test_weights_of_a_module_are_factors_as_in_pytorch():
    x = torch.zeros(SIZE, requires_grad=True)
    x.data[0] = torch.inf
    weight = torch.ones(SIZE)
    weight[0] = 0
    for module in (slopes.nn.BCEWithLogitsLoss(weight=weight), torch.nn.BCEWithLogitsLoss(weight=weight)):
        assert module(x, torch.zeros(SIZE)).isnan()
    x.data[0] = 0
    weight[0] = 2
    for weighed in ("weight", "pos_weight"):
        value = slopes.nn.BCEWithLogitsLoss(**{weighed: weight})(x, torch.ones(SIZE))
        assert is_compiled(value)
        torch.testing.assert_close(value, np.log(2) * weight.mean())
        (gradient,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad(gradient.sum(), x)
        torch.testing.assert_close(second, weight / 4 / SIZE)


def test_learnt_weights_go_the_plain_way():
    x, y = tensors_of(arguments_of(slopes.mse))
    weight = torch.ones(SIZE, requires_grad=True)
    value = slopes.mse(x, y, weight=weight)
    assert not is_compiled(value)
    value.backward()
    torch.testing.assert_close(weight.grad, ((x - y) ** 2 - value).detach() / SIZE, rtol=1e-4, atol=1e-8)


def test_a_mean_keeps_its_digits_in_float32():
    x = np.full(10**6, 1e3, dtype=np.float32)
    x[::2] = 0.1
    exact = (x.astype(np.float64) ** 2).mean()
    assert errors_in_ulp(slopes.mse(x, np.zeros_like(x)), exact) <= 0.5
    assert errors_in_ulp(slopes.mse(torch.from_numpy(x), torch.zeros(10**6)).numpy(), exact) <= 0.5


def test_the_digits_do_not_depend_on_the_number_of_threads():
    x, y = arguments_of(slopes.log_cosh, size=10**6)
    before = torch.get_num_threads()
    try:
        results = []
        for count in (1, 2, 3):
            torch.set_num_threads(count)
            results.append(slopes.log_cosh.value_and_slope(x, y))
    finally:
        torch.set_num_threads(before)
    for value, gradient in results[1:]:
        assert value == results[0][0]
        np.testing.assert_array_equal(gradient, results[0][1])


def chances(y):
    return (y > 0).double()


MODULES = [
    (lambda nn: nn.MSELoss(), lambda y: y),
    (lambda nn: nn.L1Loss(reduction="sum"), lambda y: y),
    (lambda nn: nn.HuberLoss(delta=0.3), lambda y: y),
    (lambda nn: nn.SmoothL1Loss(beta=0.7), lambda y: y),
    (lambda nn: nn.BCEWithLogitsLoss(), chances),
    (lambda nn: nn.BCEWithLogitsLoss(), lambda y: 3 * chances(y)),  # which PyTorch does not look at
    (lambda nn: nn.BCEWithLogitsLoss(pos_weight=torch.tensor([2.5], dtype=torch.float64)), chances),
    (lambda nn: nn.BCEWithLogitsLoss(weight=torch.linspace(0.5, 2, SIZE).double()), chances),
    (lambda nn: nn.BCEWithLogitsLoss(weight=torch.tensor([-0.5]).double(), reduction="none"), chances),
    (lambda nn: nn.BCEWithLogitsLoss(pos_weight=torch.linspace(0.5, 2, SIZE).double()), chances),
    (
        lambda nn: nn.BCEWithLogitsLoss(
            weight=torch.tensor(0.5).double(), pos_weight=torch.linspace(0.5, 2, SIZE).double(), reduction="sum"
        ),
        chances,
    ),
    (lambda nn: nn.KLDivLoss(reduction="batchmean"), chances),
    (lambda nn: nn.KLDivLoss(reduction="sum", log_target=True), lambda y: y),
    (lambda nn: nn.SoftMarginLoss(), lambda y: 2 * chances(y) - 1),
    (lambda nn: nn.PoissonNLLLoss(), lambda y: y.abs()),
]


@pytest.mark.parametrize("case", mark_exhaustive(MODULES, every=10), ids=range(len(MODULES)))
def test_modules_of_torch_come_to_kernels(case, plainly):
    make, target_of = case
    x, y = tensors_of(arguments_of(slopes.mse, "float64"))
    module, target = make(slopes.nn), target_of(y)
    assert is_compiled(module(x, target)), module
    expected = plainly(value_and_gradient, module, x, target)
    for given, exact in zip(value_and_gradient(module, x, target), expected, strict=True):
        torch.testing.assert_close(given, exact, rtol=1e-12, atol=1e-12)


# ------------------------------------------------------------------------------------------ the backward


def test_the_gradient_of_the_forward_is_handed_out():
    x, y = tensors_of(arguments_of(slopes.mse))
    value = slopes.mse(x, y)
    place = value.grad_fn.gradient.data_ptr()
    value.backward()
    assert x.grad.data_ptr() == place
    assert value.grad_fn.gradient is None


def test_a_second_backward_gives_a_gradient_of_its_own():
    x, y = tensors_of(arguments_of(slopes.mse, "float64"))
    value = slopes.mse(x, y)
    exact = 2 * (x - y).detach() / SIZE
    (first,) = torch.autograd.grad(value, x, retain_graph=True)
    (second,) = torch.autograd.grad(3 * value, x, retain_graph=True)
    first.zero_()
    torch.testing.assert_close(second, 3 * exact)
    value.backward(torch.tensor(-2.0, dtype=torch.float64))
    torch.testing.assert_close(x.grad, -2 * exact)
    with pytest.raises(RuntimeError, match="second time"):
        value.backward()
    (scaled,) = torch.autograd.grad(slopes.mse(x, y), x, torch.tensor(-2.0, dtype=torch.float64))
    torch.testing.assert_close(scaled, -2 * exact)


def test_a_changed_argument_is_noticed():
    x, y = tensors_of(arguments_of(slopes.mse))
    value = slopes.mse(x, y)
    y.zero_()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        value.backward()


@pytest.mark.parametrize("reduction", ["mean", "none"])
def test_a_gradient_is_differentiated_again(reduction):
    x, y = tensors_of(arguments_of(slopes.log_cosh, "float64"))
    value = slopes.log_cosh(x, y, reduction=reduction)
    (gradient,) = torch.autograd.grad(value.sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    expected = 1 / torch.cosh(x.detach() - y) ** 2
    torch.testing.assert_close(second, expected / (SIZE if reduction == "mean" else 1))


def test_gradients_in_a_batch():
    x, y = tensors_of(arguments_of(slopes.mse, "float64"))
    value = slopes.mse(x, y)
    (both,) = torch.autograd.grad(value, x, torch.tensor([1.0, 2.0]).double(), is_grads_batched=True)
    torch.testing.assert_close(both, torch.stack([2 * (x - y), 4 * (x - y)]).detach() / SIZE)


def test_an_expanded_gradient_needs_no_copy(plainly):
    x, y = tensors_of(arguments_of(slopes.mse, "float64"))
    (gradient,) = torch.autograd.grad(slopes.mse(x, y, reduction="none").mean(), x)
    torch.testing.assert_close(gradient, 2 * (x - y).detach() / SIZE)


def test_without_a_gradient_none_is_computed(monkeypatch):
    asked = []
    call = elementwise_losses.ElementwiseLossKernel.__call__
    monkeypatch.setattr(
        elementwise_losses.ElementwiseLossKernel,
        "__call__",
        lambda self, a, *sums, **k: asked.append((*sums, *k)) or call(self, a, *sums, **k),
    )
    x, y = tensors_of(arguments_of(slopes.mse))
    with torch.no_grad():
        slopes.mse(x, y)
    slopes.mse(x.detach(), y)
    slopes.mse(x.detach().numpy(), y.numpy())
    assert asked == [("total", "scale")] * 3
    slopes.mse(x, y)
    assert asked[3] == ("total", "scale", "gradient")


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_autocast_comes_to_kernels(dtype, plainly, monkeypatch):
    x, y = tensors_of(arguments_of(slopes.huber))
    x = x.detach().to(dtype).requires_grad_()
    for call in (slopes.huber, slopes.nn.HuberLoss()):
        with torch.autocast("cpu"):
            value = call(x, y)
            expected = plainly(call, x, y)
        assert is_compiled(value)
        assert not is_compiled(expected)
        assert value.dtype is expected.dtype is torch.float32
        torch.testing.assert_close(value, expected, rtol=1e-6, atol=0)
        gradients = [torch.autograd.grad(result, x)[0] for result in (value, expected)]
        assert gradients[0].dtype is dtype
        torch.testing.assert_close(*gradients, rtol=1e-2 if dtype is torch.bfloat16 else 1e-6, atol=1e-12)


def test_what_is_special_goes_the_plain_way():
    x, y = tensors_of(arguments_of(slopes.mse))
    learnt = y.clone().requires_grad_()
    value = slopes.mse(x, learnt)
    assert not is_compiled(value)
    value.backward()
    torch.testing.assert_close(learnt.grad, -x.grad)
    (tangent,) = torch.func.jvp(lambda a: slopes.mse(a, y), (x.detach(),), (torch.ones_like(y),))[1:]
    torch.testing.assert_close(tangent, 2 * (x - y).mean().detach(), rtol=1e-4, atol=1e-6)
    assert slopes.mse(x.half(), y.half()).dtype is torch.float16


# --------------------------------------------------------------------------------- layouts and arguments

LAYOUTS = {
    "matrix": lambda x: x[: 2**17].reshape(256, -1),
    "columns": lambda x: x[: 2**17].reshape(256, -1).T,
    "images": lambda x: x[: 2**17].reshape(2, 4, 128, 128).permute(0, 3, 1, 2),
    "gaps": lambda x: torch.repeat_interleave(x, 2)[::2],
    "expanded": lambda x: x.expand(2, -1),
}


@pytest.mark.parametrize("first", LAYOUTS)
@pytest.mark.parametrize("second", [None, "plain", "gaps"])
def test_tensors_of_any_layout(first, second, plainly):
    x, y = (LAYOUTS[first](a.detach()) for a in tensors_of(arguments_of(slopes.mse, "float64")))
    if second == "plain":
        y = y.contiguous()
    elif second == "gaps":
        y = torch.repeat_interleave(y.contiguous(), 2, -1)[..., ::2]
    for reduction in ("mean", "none"):

        def call(*tensors, reduction=reduction):
            return slopes.huber(*tensors, reduction=reduction)

        expected = plainly(value_and_gradient, call, x, y)
        for given, exact in zip(value_and_gradient(call, x, y), expected, strict=True):
            torch.testing.assert_close(given, exact)
            assert given.stride() == exact.stride() or first in ("gaps", "expanded", "images", "columns")


def test_arrays_of_any_layout():
    x, y = (a[: 2**17].reshape(256, -1) for a in arguments_of(slopes.huber, "float64"))
    value, gradient = slopes.huber.value_and_slope(x, y)
    assert slopes.huber.slope(np.asfortranarray(x), np.asfortranarray(y)).flags.f_contiguous
    for change in (np.asfortranarray, lambda a: np.repeat(a, 2, -1)[:, ::2]):
        for first, second in ((change(x), y), (x, change(y)), (change(x), change(y))):
            result = slopes.huber.value_and_slope(first, second)
            np.testing.assert_allclose(result[0], value, rtol=1e-14)
            np.testing.assert_array_equal(result[1], gradient)


@pytest.mark.parametrize("library", ["NumPy", "torch"])
@pytest.mark.parametrize("kind", ["int64", "uint8", "bool"])
def test_targets_may_be_whole_numbers(library, kind):
    x, y = arguments_of(slopes.binary_cross_entropy)
    y, whole = np.round(y), np.round(y).astype(kind)
    if library == "torch":
        x, y, whole = map(torch.from_numpy, (x, y, whole))
        assert is_compiled(slopes.binary_cross_entropy(x.requires_grad_(), whole))
    assert slopes.binary_cross_entropy(x, whole) == slopes.binary_cross_entropy(x, y)


def test_whole_numbers_that_float32_lacks_keep_their_digits():
    x = np.zeros(SIZE, dtype=np.float32)
    y = np.full(SIZE, 2**24 + 1)
    assert slopes.mae(x, y, reduction="none")[0] == np.float32(2**24 + 1)
    assert slopes.mae(x + 2**24, y) == 1


REFUSED = [
    ("binary_cross_entropy", 1, 1.5), ("sigmoid_focal", 1, -0.1), ("hinge", 1, 0.0), ("gaussian_nll", 2, -1.0),
    ("poisson_nll", 1, -2.0), ("msle", 0, -1.0), ("mse", 0, None),
]  # fmt: skip


@pytest.mark.parametrize(
    "case", mark_exhaustive(itertools.product(REFUSED, ["NumPy", "torch"], ["mean", "none"]), every=10), ids=str
)
def test_what_is_refused_gets_the_usual_message(case):
    (name, place, number), library, reduction = case
    card, arguments = CARDS[name], arguments_of(CARDS[name])
    if number is None:
        arguments[0] = arguments[0][:-1]
    else:
        arguments[place][-3:] = number
    small = [a[SIZE - 9 :] for a in arguments]
    if library == "torch":
        arguments, small = (list(map(torch.from_numpy, given)) for given in (arguments, small))
        arguments[0].requires_grad_()
    for call in (card, card.value_and_slope):
        with pytest.raises(ValueError, match=f"{name}: ") as big:
            call(*arguments, reduction=reduction)
        with pytest.raises(ValueError, match=f"{name}: ") as few:
            call(*small, reduction=reduction)
        assert str(big.value).replace(str(SIZE), "9").replace(str(SIZE - 1), "8") == str(few.value)


# ------------------------------------------------------------------------------------------ parameters

PARAMETERS = [
    ("huber", [{"delta": 0.3}, {"delta": 2.5}]),
    ("smooth_l1", [{"beta": 0.3}, {"beta": 2}]),
    ("pinball", [{"quantile": 0.1}, {"quantile": 0.9}]),
    ("sigmoid_focal", [{"gamma": 1.5, "alpha": 0.25}, {"gamma": 3.0, "alpha": 0.5}]),
    ("poisson_nll", [{"log_input": False, "eps": 1e-3}, {"log_input": False, "eps": 1e-2}]),
    ("binary_cross_entropy", [{"pos_weight": 3.0}, {"pos_weight": 0.5}]),
    ("binary_cross_entropy", [{"from_probabilities": True, "base": 2.0}]),
    ("barron_general", [{"alpha": -2.0, "c": 0.5}, {"alpha": 0.0, "c": 3.0}]),
]


@pytest.mark.parametrize("case", mark_exhaustive(PARAMETERS, every=3), ids=str)
def test_parameters(case, plainly):
    name, choices = case
    card = CARDS[name]
    for parameters in choices:
        bound = card.with_(**parameters)
        x, *others = arguments_of(bound, "float64")
        tensors = tensors_of([x, *others])
        assert is_compiled(card(*tensors, **parameters))
        assert is_compiled(bound(*tensors))
        for call in (bound, lambda *a, parameters=parameters: card(*a, **parameters)):
            expected = plainly(value_and_gradient, call, *tensors)
            for given, exact in zip(value_and_gradient(call, *tensors), expected, strict=True):
                torch.testing.assert_close(given, exact, rtol=1e-11, atol=1e-12)
            value, gradient = bound.value_and_slope(x, *others)
            assert value == card(x, *others, **parameters) == bound(x, *others)
            np.testing.assert_allclose(value, expected[0], rtol=1e-11)
            np.testing.assert_allclose(gradient, -expected[1], rtol=1e-11, atol=1e-12)


def test_a_schedule_compiles_once():
    x, y = tensors_of(arguments_of(slopes.charbonnier))
    slopes.charbonnier(x, y, eps=0.5)
    before = len(compiling._kernels)
    values = [slopes.charbonnier(x, y, eps=eps).item() for eps in (0.1, 0.2, 0.3)]
    assert len(compiling._kernels) == before
    assert len(set(values)) == 3


def test_a_bad_parameter_gets_the_usual_message():
    x, y = arguments_of(slopes.huber)
    for arguments in ((x, y), tensors_of([x, y])):
        with pytest.raises(ValueError, match="huber: delta must be"):
            slopes.huber(*arguments, delta=-1.0)
        with pytest.raises(TypeError, match="huber: no parameter 'delt'"):
            slopes.huber(*arguments, delt=1.0)
        with pytest.raises(ValueError, match="reduction must be"):
            slopes.huber(*arguments, reduction="means")


# ------------------------------------------------------------------------------------------ users' own

FACTOR = 2.0


@slopes.loss("regression")
def of_a_user(prediction, target, *, exp: float = 1.0):
    return ops.log1p(FACTOR * (prediction - target) ** 2) * exp


@of_a_user.derivative
def _(prediction, target, *, exp):
    difference = prediction - target
    return 2 * FACTOR * difference / (1 + FACTOR * difference * difference) * exp


def test_a_users_body_is_read_at_each_call(monkeypatch):
    x, y = arguments_of(slopes.mse, "float64")
    for factor in (2.0, 3.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        exact = np.log1p(factor * (x - y) ** 2).mean()
        np.testing.assert_allclose(of_a_user(x, y), exact, rtol=1e-13)
        tensors = tensors_of([x, y])
        value = of_a_user(*tensors)
        assert is_compiled(value)
        np.testing.assert_allclose(value.item(), exact, rtol=1e-13)
        value.backward()
        np.testing.assert_allclose(tensors[0].grad, of_a_user.slope(x, y), rtol=1e-13)


def test_a_parameter_may_be_called_as_a_function_of_kernels_is():
    x, y = arguments_of(slopes.mse, "float64")
    np.testing.assert_allclose(of_a_user(x, y, exp=3.0), 3 * of_a_user(x, y), rtol=1e-13)


@slopes.loss("regression")
def that_looks(prediction, target):
    return (prediction - target) ** 2 * float(prediction.shape[0] > 0)


@that_looks.derivative
def _(prediction, target):
    return 2 * (prediction - target)


@slopes.loss("regression")
def without_slope(prediction, target):
    return (prediction - target) ** 2


@pytest.mark.parametrize("chosen", [that_looks, without_slope], ids=["looks", "no slope"])
def test_what_cannot_be_traced_is_computed_as_ever(chosen):
    x, y = arguments_of(slopes.mse, "float64")
    value, gradient = chosen.value_and_slope(x, y)
    np.testing.assert_allclose(value, ((x - y) ** 2).mean(), rtol=1e-13)
    np.testing.assert_allclose(gradient, 2 * (x - y) / SIZE, rtol=1e-13)
    tensors = tensors_of([x, y])
    value = chosen(*tensors)
    assert not is_compiled(value)
    value.backward()
    np.testing.assert_allclose(tensors[0].grad, gradient, rtol=1e-13)


def test_the_source_of_a_sum_is_readable():
    kernel = elementwise_losses.find(slopes.mse, "float32", {}, SIZE)
    lines = kernel.source("total").splitlines()
    assert "    for start in range(0, prediction_in.size, 1024):" in lines
    assert lines[-1] == "    sums_out[0] = total_sum"


@pytest.mark.parametrize("name", ["binary_cross_entropy", "sigmoid_focal"])
def test_sigmoids_of_both_signs_share_an_exponential(name):
    source = elementwise_losses.find(CARDS[name], "float32", {}, SIZE).source("total", "gradient")
    assert "sigmoid(" not in source
    assert "expm1(" not in source
    wide = elementwise_losses.find(CARDS[name], "float64", {}, SIZE).source("total", "gradient")
    assert "sigmoid_of_two(" not in wide


# ------------------------------------------------------------------------------------------- accuracy


def numbers_of_every_size(card):
    """Arguments in which the first has every exponent; chances are 0, 1, between, and the best ones."""
    x = every_exponent(SPECIAL)
    x = np.tile(x[np.isfinite(x)], 3)
    rng = np.random.default_rng(1)
    others = [space.draw(rng, x.shape).astype("float32") for space in card.kind.spaces(card.settings)[1:]]
    if card.kind.name == "binary":
        third = len(x) // 3
        others[0][:third] = np.round(others[0][:third])
        with np.errstate(over="ignore"):
            others[0][third : 2 * third] = 1 / (1 + np.exp(-x[third : 2 * third]))
    return [x, *others]


def condition(body, exact, arguments):
    """What a change of each argument in its last place does to a result."""
    largest = np.zeros_like(exact)
    for place in range(len(arguments)):
        for change in (-6e-8, 6e-8):
            moved = [a * (1 + change * (i == place)) for i, a in enumerate(arguments)]
            difference = np.abs(body(*moved) - exact)
            largest = np.fmax(largest, np.where(np.isfinite(difference), difference, 0.0))
    return largest


NARROW = [(name, {}) for name in elementwise_losses.NARROW] + [("binary_cross_entropy", {"pos_weight": 3.0})]


@pytest.mark.parametrize("chosen", mark_exhaustive(NARROW, every=2), ids=str)
@pytest.mark.parametrize("output", ["value", "gradient"])
def test_float32_arithmetic_keeps_4_ulp_beyond_the_condition(chosen, output):
    name, parameters = chosen
    card = CARDS[name].with_(**parameters)
    arguments, settings = numbers_of_every_size(card), card.settings
    kernel = elementwise_losses.find(card, "float32", {}, SIZE)
    assert kernel.arithmetic == "float32"
    result = np.empty_like(arguments[0])
    kernel(arguments, **{output: result})
    body = card.body if output == "value" else card.slope_body
    with np.errstate(all="ignore"):
        wide = [a.astype("float64") for a in arguments]
        exact = body(*wide, **settings)
        rounded = exact.astype("float32")
        unit = np.spacing(np.maximum(np.abs(rounded), np.finfo("float32").tiny)).astype("float64")
        allowed = 4 * (unit + condition(lambda *a: body(*a, **settings), exact, wide))
        np.testing.assert_array_equal(np.isfinite(result), np.isfinite(rounded))
        assert ((np.abs(result - exact) <= allowed) | (result == rounded)).all()


def test_what_was_not_measured_computes_in_float64():
    for card, parameters in (
        (slopes.mse, {}), (slopes.log_cosh, {}), (slopes.sigmoid_focal, {"alpha": 0.25}), (of_a_user, {}),
    ):  # fmt: skip
        assert elementwise_losses.find(card, "float32", parameters, SIZE).arithmetic == "float64"
