"""`slopes.nn` in place of `torch.nn` changes nothing but accuracy and speed: PyTorch's own test samples say so."""

import contextlib
import copy
import functools
import inspect
import io
import itertools
import pathlib
import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("expecttest", reason="PyTorch's own samples need it")

import slopes  # noqa: E402
import slopes.nn as nn  # noqa: E402
from helpers import mark_exhaustive, whole_graph  # noqa: E402
from slopes.catalogue import CARDS  # noqa: E402
from slopes.nn.cards import has_classes  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore")  # the samples call what is deprecated on purpose

OURS = sorted(nn.REPLACED)
PASSED_THROUGH = {
    "MultiheadAttention": "its softmax is inside fused kernels",
    "CTCLoss": "a dynamic programme, no card",
    "LinearCrossEntropyLoss": "fused with a linear layer",
    "AdaptiveLogSoftmaxWithLoss": "fused with linear layers",
}
#: op_db's names of the modules' functions, where they are not the class's name in small letters
FUNCTIONS = {
    "L1Loss": "l1_loss", "SmoothL1Loss": "smooth_l1_loss", "BCELoss": "binary_cross_entropy",
    "BCEWithLogitsLoss": "binary_cross_entropy_with_logits", "LeakyReLU": "leaky_relu", "KLDivLoss": "kl_div",
    "NLLLoss": "nll_loss", "NLLLoss2d": "nll_loss", "PoissonNLLLoss": "poisson_nll_loss", "GaussianNLLLoss": "gaussian_nll_loss",
    "MSELoss": "mse_loss", "HuberLoss": "huber_loss", "SoftMarginLoss": "soft_margin_loss",
    "HingeEmbeddingLoss": "hinge_embedding_loss", "MarginRankingLoss": "margin_ranking_loss",
    "CosineEmbeddingLoss": "cosine_embedding_loss", "MultiMarginLoss": "multi_margin_loss",
    "MultiLabelMarginLoss": "multilabel_margin_loss", "MultiLabelSoftMarginLoss": "multilabel_soft_margin_loss",
    "TripletMarginLoss": "triplet_margin_loss", "CrossEntropyLoss": "cross_entropy",
    "TripletMarginWithDistanceLoss": "triplet_margin_with_distance_loss", "LogSoftmax": "log_softmax",
}  # fmt: skip


# ------------------------------------------------------------------------------------ PyTorch's samples


@functools.cache
def sample_makers():
    """PyTorch's (makers of samples of functions, of modules), which take seconds to import."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from torch.testing._internal.common_methods_invocations import op_db
        from torch.testing._internal.common_modules import module_db
    return op_db, module_db


def module_samples(name, dtype):
    """(constructor's arguments, forward's arguments, reference or None) from module_db."""
    for info in sample_makers()[1]:
        if info.module_cls is getattr(torch.nn, name):
            for sample in info.module_inputs_func(info, device="cpu", dtype=dtype, requires_grad=True, training=True):
                made, given = sample.constructor_input, sample.forward_input
                if given is not None:
                    yield (made.args, made.kwargs), (given.args, given.kwargs), sample.reference_fn


def function_samples(name, dtype):
    """The same from op_db, whose functions take both kinds of arguments at once."""
    function = FUNCTIONS.get(name, name.lower())
    if name == "PReLU":  # whose function takes the slopes themselves
        return
    cls, wanted = getattr(torch.nn, name), getattr(torch.nn.functional, function, None)
    made = dict(list(inspect.signature(cls.__init__).parameters.items())[1:])
    names = ["input", *made] if not inspect.isfunction(wanted) else list(inspect.signature(wanted).parameters)
    count = len(inspect.signature(cls.forward).parameters) - 1
    for op in sample_makers()[0]:
        if op.name not in (function, f"nn.functional.{function}") or op.variant_test_name == "complex":
            continue
        found = list(op.sample_inputs("cpu", dtype, requires_grad=True))
        for sample in found[:: max(1, len(found) // 30)]:
            given = dict(zip(names, (sample.input, *sample.args), strict=False)) | sample.kwargs
            arguments = [given.pop(n) for n in names[:count] if n in given]
            if (
                given.get("min_val", 0) < given.get("max_val", 1)
                and len(arguments) == count
                and given.keys() <= made.keys()
            ):
                yield ((), given), (arguments, {}), None


@functools.cache
def samples(name, dtype=torch.float64):
    torch.manual_seed(0)
    return [*module_samples(name, dtype), *function_samples(name, dtype)]


def made(library, name, arguments, dtype=torch.float64, training=False):
    """A module with given parameters; those that are tensors are copies."""
    args, kwargs = copied(arguments)
    return getattr(library, name)(*args, **kwargs).to(dtype).train(training)


def copied(arguments):
    return torch.utils._pytree.tree_map_only(
        torch.Tensor, lambda x: x.detach().clone().requires_grad_(x.requires_grad), arguments
    )


def run(module, arguments, order=2, seed=2):
    """(value, gradients, second gradients) by everything that wants a gradient."""
    torch.manual_seed(seed)
    args, kwargs = copied(arguments)
    value = module(*args, **kwargs)
    sources = [x for x in (*args, *kwargs.values(), *module.parameters()) if getattr(x, "requires_grad", False)]
    if not order or not value.requires_grad or not sources:
        return [value], [], []
    weights = torch.linspace(0.5, 1.5, value.numel(), dtype=value.dtype).reshape(value.shape)
    first = torch.autograd.grad((value * weights).sum(), sources, create_graph=order > 1, allow_unused=True)
    second = []
    live = [x for x in first if x is not None and x.requires_grad]
    if order > 1 and live:
        total = sum((x * torch.linspace(0.5, 1.5, x.numel(), dtype=x.dtype).reshape(x.shape)).sum() for x in live)
        second = torch.autograd.grad(total, sources, allow_unused=True, materialize_grads=True)
    return [value], first, second


def close(came, wanted, what, rtol, atol):
    for mine, theirs in itertools.zip_longest(came, wanted):
        if mine is None or theirs is None:  # PyTorch sometimes has None for a gradient of 0
            mine, theirs = (torch.zeros(()) if x is None else x.abs().sum() for x in (mine, theirs))
            theirs = theirs.to(mine.dtype)
        torch.testing.assert_close(mine, theirs, rtol=rtol, atol=atol, equal_nan=True, msg=lambda m: f"{what}: {m}")


def twice_differentiable(name):
    return not any(i.module_cls is getattr(torch.nn, name) and not i.supports_gradgrad for i in sample_makers()[1])


@pytest.mark.parametrize("name", mark_exhaustive(OURS, every=8))
def test_values_and_gradients_of_pytorchs_samples(name):
    found = samples(name)
    assert found
    for constructor, arguments, reference in found:
        mine, theirs = (made(library, name, constructor, training=True) for library in (nn, torch.nn))
        mine.load_state_dict(theirs.state_dict())
        label = f"{name}{constructor} of {[tuple(getattr(x, 'shape', ())) for x in arguments[0]]}"
        order = 2 if name not in NO_SECOND_GRADIENT else 1
        results = zip(run(mine, arguments, order), run(theirs, arguments, order), strict=True)
        for what, (came, wanted) in zip(("value", "gradient", "second gradient"), results, strict=True):
            close(came, wanted, f"{what} of {label}", *TOLERANCE.get(name, (1e-9, 1e-11)))
        if reference is not None:
            args, kwargs = copied(arguments)
            torch.manual_seed(2)
            wanted = reference(theirs, *args, **kwargs)
            close(run(mine, arguments, 0)[0], [torch.as_tensor(wanted, dtype=torch.float64)], label, 1e-9, 1e-11)


TOLERANCE = {
    "Hardsigmoid": (1e-7, 1e-7),  # PyTorch's slope is 1/6 as float32 has it
    "TripletMarginLoss": (1e-5, 1e-5),  # PyTorch adds 1e-6 to each difference
}
#: PyTorch has none to compare with; ours are checked by differences
NO_SECOND_GRADIENT = {"Hardswish", "Hardsigmoid", "MultiMarginLoss", "MultiLabelMarginLoss"}


@pytest.mark.parametrize("name", sorted(NO_SECOND_GRADIENT))
def test_second_gradients_that_pytorch_lacks(name):
    x = torch.tensor([[-4.0, -1.0, 0.5], [2.0, 5.0, 2.5]], dtype=torch.float64, requires_grad=True)
    others = {
        "MultiMarginLoss": [torch.tensor([0, 1])],
        "MultiLabelMarginLoss": [torch.tensor([[0, -1, 1], [1, 2, -1]])],
    }
    module = nn.MultiMarginLoss(p=2) if name == "MultiMarginLoss" else getattr(nn, name)()
    assert torch.autograd.gradgradcheck(lambda x: module(x, *others.get(name, [])), x)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("name", OURS)
def test_values_of_pytorchs_samples_in_other_types(name, dtype):
    """The type is PyTorch's, and so is the value, computed by it in float64 of the same numbers."""
    torch.manual_seed(0)
    for constructor, arguments, _ in list(module_samples(name, torch.float32)) or samples(name, torch.float32):
        constructor, arguments = in_type(dtype, (constructor, arguments))
        wanted = made(torch.nn, name, in_type(torch.float64, constructor))(*in_type(torch.float64, arguments[0]))
        came = made(nn, name, constructor, dtype)(*arguments[0], **arguments[1])
        once = dtype != torch.float32 and name != "TripletMarginWithDistanceLoss"  # where PyTorch rounds the distances
        rounding = (0.6 if once else 16) * torch.finfo(dtype).eps
        close([came.double()], [wanted], f"{name}{constructor}", rounding, 2e-6)
        with contextlib.suppress(NotImplementedError):  # of half types
            assert came.dtype == made(torch.nn, name, constructor, dtype)(*arguments[0], **arguments[1]).dtype


def in_type(dtype, arguments):
    return torch.utils._pytree.tree_map_only(
        torch.Tensor, lambda x: x.detach().to(dtype) if x.is_floating_point() else x, arguments
    )


@pytest.mark.parametrize("name", OURS)
def test_what_pytorch_refuses_is_refused_alike(name):
    for info in sample_makers()[1]:
        if info.module_cls is getattr(torch.nn, name) and info.module_error_inputs_func is not None:
            for sample in info.module_error_inputs_func(
                info, device="cpu", dtype=torch.float64, requires_grad=False, training=True
            ):
                made, given = sample.module_error_input.constructor_input, sample.module_error_input.forward_input
                with pytest.raises(sample.error_type, match=sample.error_regex):
                    getattr(nn, name)(*made.args, **made.kwargs)(*given.args, **given.kwargs)


# -------------------------------------------------------------------------------------------- the classes


def test_every_class_is_ours_or_passed_through():
    from torch.nn.modules import activation, adaptive, loss

    names = {*activation.__all__, *loss.__all__, *adaptive.__all__}
    later = {*OURS, *PASSED_THROUGH} - names  # than this version of PyTorch
    assert names <= {*OURS, *PASSED_THROUGH}
    assert not [name for name in later if hasattr(torch.nn, name)]
    for name in (*{*PASSED_THROUGH} - later, "Linear", "Sequential", "functional", "Parameter"):
        assert getattr(nn, name) is getattr(torch.nn, name)


@pytest.mark.parametrize("name", mark_exhaustive(OURS, 1, every=6))
def test_signature_state_copies_and_pickles(name):
    mine, theirs = getattr(nn, name), getattr(torch.nn, name)
    assert issubclass(mine, theirs)
    assert mine.__module__ == "slopes.nn"
    assert inspect.signature(mine) == inspect.signature(theirs)
    assert inspect.signature(mine.forward) == inspect.signature(theirs.forward)
    constructor, arguments, _ = samples(name)[0]
    module = made(nn, name, constructor)
    assert repr(module) == repr(made(torch.nn, name, constructor))
    assert module.state_dict().keys() == made(torch.nn, name, constructor).state_dict().keys()
    buffer = io.BytesIO()
    torch.save(module, buffer)
    buffer.seek(0)
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), torch.load(buffer, weights_only=False)):
        assert type(twin) is mine
        close(run(twin, arguments, 0)[0], run(module, arguments, 0)[0], name, 0, 0)


@pytest.mark.parametrize("name", OURS)
def test_keywords_and_wrong_calls(name):
    constructor, (args, kwargs), _ = samples(name)[0]
    module, theirs = made(nn, name, constructor), made(torch.nn, name, constructor)
    names = list(inspect.signature(theirs.forward).parameters)
    close([module(**dict(zip(names, args, strict=False)), **kwargs)], [module(*args, **kwargs)], name, 0, 0)
    for wrong in ((), ("text",) * len(names), (*args, *args, *args)):
        with pytest.raises(Exception) as theirs_raised:  # noqa: PT011
            theirs(*wrong)
        with pytest.raises(theirs_raised.type) as raised:
            module(*wrong)
        assert str(raised.value).partition("(")[2:] == str(theirs_raised.value).partition("(")[2:]


def test_names():
    from slopes.nn import Linear, ReLU

    assert Linear is torch.nn.Linear
    assert issubclass(ReLU, torch.nn.ReLU)
    scope = {}
    exec("from slopes.nn import *", scope)
    assert scope["ReLU"] is nn.ReLU
    assert scope["LogCoshLoss"] is nn.LogCoshLoss
    assert {name for name in dir(torch.nn) if not name.startswith("_")} <= set(dir(nn)) <= {*dir(torch.nn), *scope}
    import slopes.nn.functional as F
    from slopes.nn.utils import clip_grad_norm_

    assert F is nn.functional is torch.nn.functional
    assert clip_grad_norm_ is torch.nn.utils.clip_grad_norm_
    with pytest.raises(AttributeError, match=r"module 'slopes\.nn' has no attribute 'Relu', and neither has torch\.nn"):
        nn.Relu  # noqa: B018


def test_without_torch_it_says_what_to_install():
    script = "import sys; sys.modules['torch'] = None\nimport slopes.nn"
    outcome = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert "ImportError: slopes.nn needs torch: pip install 'slopes[torch]'" in outcome.stderr


def test_inheritance_among_ours_is_as_in_pytorch():
    for name in OURS:
        parents = {parent.__name__ for parent in getattr(torch.nn, name).__mro__[1:]} & set(OURS)
        assert all(issubclass(getattr(nn, name), getattr(nn, parent)) for parent in parents)


# ------------------------------------------------------------------------ where PyTorch's own forward runs


@pytest.mark.parametrize("name", [name for name in OURS if "Loss" not in name])
def test_what_a_card_cannot_take_is_pytorchs(name):
    """Integers, complex, sparse, nested and empty tensors: PyTorch's result, or its error."""
    constructor, *_ = samples(name)[0]
    mine, theirs = made(nn, name, constructor), made(torch.nn, name, constructor)
    for x in (
        torch.tensor([[3, -2], [0, 1]]), torch.tensor([[1 + 2j, -1j]]), torch.tensor([[1.0, 0.0], [0.0, -2.0]]).to_sparse(),
        torch.nested.nested_tensor([torch.ones(2), -torch.ones(3)]), torch.empty(0, 4), torch.empty(2, 0), torch.tensor(-0.5),
    ):  # fmt: skip
        outcomes = []
        for module in (mine, theirs):
            try:
                outcomes.append(module(x))
            except Exception as error:
                outcomes.append(type(error))
        came, wanted = outcomes
        if isinstance(wanted, type):
            assert came is wanted
            continue
        assert came.dtype == wanted.dtype
        assert came.layout == wanted.layout
        if not came.is_nested:
            torch.testing.assert_close(came.to_dense(), wanted.to_dense())


REGRESSIONS = [name for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss") if name in OURS]


@pytest.mark.parametrize("name", REGRESSIONS)
def test_broadcasting_warns_and_types_promote_as_in_pytorch(name):
    loss, theirs = getattr(nn, name)(), getattr(torch.nn, name)()
    x, y = torch.arange(6.0).reshape(2, 3), torch.tensor([[1.0, 2.0, 5.0]])
    with pytest.warns(UserWarning, match=r"Using a target size \(torch.Size\(\[1, 3\]\)\) that is different"):
        assert loss(x, y) == theirs(x, y)
    for prediction, target in ((x, x.flip(0).double()), (x, x.flip(0).long()), (x.half(), x.flip(0))):
        came, wanted = loss(prediction, target), theirs(prediction, target)
        assert came == wanted
        assert came.dtype == wanted.dtype


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (lambda nn: nn.MSELoss(reduction="banana"), (torch.ones(2), torch.ones(2))),
        (lambda nn: nn.HuberLoss(delta=0.0), (torch.ones(2), torch.ones(2))),
        (lambda nn: nn.GELU(approximate="banana"), (torch.ones(2),)),
        (lambda nn: nn.Softmax(dim=2), (torch.ones(2, 2),)),
        (lambda nn: nn.BCEWithLogitsLoss(), (torch.ones(2), torch.ones(3))),
        (lambda nn: nn.CrossEntropyLoss(), (torch.ones(2, 3), torch.tensor([0, 3]))),
        (lambda nn: nn.CrossEntropyLoss(), (torch.ones(2, 3), torch.tensor([0.0, 1.0]))),
        (lambda nn: nn.CrossEntropyLoss(weight=torch.ones(4)), (torch.ones(2, 3), torch.tensor([0, 1]))),
        (lambda nn: nn.GLU(), (torch.ones(2, 3),)),
        (lambda nn: nn.GLU(dim=2), (torch.ones(2, 2),)),
        (lambda nn: nn.Softmax2d(), (torch.ones(1, 1, 1, 2, 2),)),
        (lambda nn: nn.PReLU(3), (torch.ones(2, 4),)),
        (lambda nn: nn.NLLLoss(), (torch.ones(2, 3), torch.tensor([0, -1]))),
        (lambda nn: nn.MultiMarginLoss(), (torch.ones(2, 3), torch.tensor([0, 3]))),
        (lambda nn: nn.MultiMarginLoss(weight=torch.ones(2)), (torch.ones(2, 3), torch.tensor([0, 1]))),
        (lambda nn: nn.KLDivLoss(reduction="banana"), (torch.ones(2), torch.ones(2))),
        (lambda nn: nn.GaussianNLLLoss(), (torch.ones(2, 3), torch.ones(2, 3), -torch.ones(2, 3))),
        (lambda nn: nn.GaussianNLLLoss(), (torch.ones(2, 3), torch.ones(2, 3), torch.ones(3, 2))),
        (lambda nn: nn.CosineEmbeddingLoss(), (torch.ones(2, 3, 4), torch.ones(2, 3, 4), torch.ones(2, 3))),
        (lambda nn: nn.MarginRankingLoss(), (torch.ones(2, 3), torch.ones(3), torch.ones(2, 3))),
        (lambda nn: nn.TripletMarginLoss(), (torch.ones(2, 3), torch.ones(3), torch.ones(2, 3))),
        (lambda nn: nn.CrossEntropyLoss(label_smoothing=2.0), (torch.ones(2, 3), torch.tensor([0, 1]))),
    ],
)
def test_foolish_input_gets_pytorchs_message(make, arguments):
    with pytest.raises(Exception) as wanted:  # noqa: PT011
        make(torch.nn)(*arguments)
    with pytest.raises(wanted.type) as came:
        make(nn)(*arguments)
    assert str(came.value) == str(wanted.value)


def test_parameters_outside_a_cards_domain():
    x = torch.linspace(-2, 2, 9)
    for make in (lambda nn: nn.ELU(alpha=-1.0), lambda nn: nn.ELU(alpha=0), lambda nn: nn.Softplus(beta=-1.0)):
        assert torch.equal(make(nn)(x), make(torch.nn)(x))
    triplet = (x.reshape(3, 3), x.flip(0).reshape(3, 3), x.reshape(3, 3).T)
    assert nn.TripletMarginLoss(eps=0.1)(*triplet) == torch.nn.TripletMarginLoss(eps=0.1)(*triplet)


# ---------------------------------------------------------------------------------------- on purpose different

ROWS = torch.tensor([[0.0, -torch.inf], [1.0, 2.0]])


def slope(function, x):
    x = torch.tensor(x, dtype=torch.float64, requires_grad=True)
    return torch.autograd.grad(function(x), x)[0]


#: (why, library → number, PyTorch's, ours)
ON_PURPOSE = [
    ("gelu keeps its tail", lambda nn: nn.GELU()(torch.tensor(-6.0)), -0.0, -5.9195e-09),
    ("silu has a limit at −inf", lambda nn: nn.SiLU()(torch.tensor(-torch.inf)), torch.nan, -0.0),
    ("silu keeps its tail", lambda nn: nn.SiLU()(torch.tensor(-90.0)), -0.0, -7.3746e-38),
    (
        "softplus has no threshold: in float64 PyTorch's costs digits",
        lambda nn: nn.Softplus()(torch.tensor(20.5, dtype=torch.float64)) - 20.5, 0.0, 1.2501e-09,
    ),
    (
        "a chance of 0 costs nothing, though its logit be −inf",
        lambda nn: nn.CrossEntropyLoss()(ROWS, torch.tensor([[1.0, 0.0], [0.0, 1.0]])), torch.nan, 0.15663,
    ),
    ("softmargin does not overflow", lambda nn: nn.SoftMarginLoss()(torch.tensor(-100.0), torch.tensor(1.0)), torch.inf, 100.0),
    (
        "softmargin has a slope where PyTorch's overflows",
        lambda nn: slope(lambda x: nn.SoftMarginLoss()(x.float(), torch.tensor(1.0)), -100.0), torch.nan, -1.0,
    ),
    (
        "a target of 0 costs nothing, also as a log of −inf",
        lambda nn: nn.KLDivLoss(reduction="sum", log_target=True)(torch.tensor([-1.0]), torch.tensor([-torch.inf])),
        torch.nan, 0.0,
    ),
    (
        "tanhshrink does not cancel", lambda nn: nn.Tanhshrink()(torch.tensor(1e-4)), 0.0, 3.3333e-13,
    ),
    (
        "no eps moves the distance of a triplet",
        lambda nn: nn.TripletMarginLoss()(torch.zeros(4), torch.zeros(4), torch.full((4,), 0.25)) - 0.5, 4.0531e-6, 0.0,
    ),
    (
        "a vector of zeros has no direction to turn to",
        lambda nn: slope(lambda x: nn.CosineEmbeddingLoss()(x.expand(2), torch.ones(2).double(), torch.tensor(1)), 0.0).abs() > 1,
        True, False,
    ),
    (
        "a chance of 0 that is right still has a slope",
        lambda nn: slope(lambda p: nn.BCELoss()(p, torch.tensor(0.0).double()), 0.0), 0.0, 1.0,
    ),
    ("hardsigmoid's slope is 1/6", lambda nn: slope(nn.Hardsigmoid(), 0.5) * 6 - 1, 4.47e-8 / 1.5, 0.0),
    (
        "a row of logits that are all −inf costs infinity",
        lambda nn: nn.CrossEntropyLoss()(torch.full((1, 2), -torch.inf), torch.tensor([0])), torch.nan, torch.inf,
    ),
    (
        "a sum is taken in float64",
        lambda nn: nn.L1Loss(reduction="sum")(torch.tensor([2.0**24, 1.0, 1.0]), torch.zeros(3)) - 2.0**24,
        0.0, 2.0,
    ),
    (
        "a difference of 300 has a square, of which the mean is taken before float16 must hold it",
        lambda nn: nn.MSELoss()(torch.tensor([300.0, 0.0, 0.0], dtype=torch.float16), torch.zeros(3, dtype=torch.float16)),
        torch.inf, 30000.0,
    ),
]  # fmt: skip


@pytest.mark.parametrize(("why", "call", "theirs", "ours"), ON_PURPOSE, ids=[row[0] for row in ON_PURPOSE])
def test_differences_on_purpose(why, call, theirs, ours):
    if theirs is not None:
        close([call(torch.nn).double()], [torch.tensor(theirs).double()], why, 1e-3, 0)
    close([call(nn).double()], [torch.tensor(ours).double()], why, 1e-3, 0)


# ------------------------------------------------------------------------------------ PyTorch's conventions


def test_the_mean_of_nothing_is_nan_and_its_gradient_0():
    logits = torch.randn(2, 3, requires_grad=True)
    ignored = torch.full((2,), -100)
    for options in ({}, {"weight": torch.ones(3)}, {"label_smoothing": 0.1}):
        for library in (nn, torch.nn):
            loss = library.CrossEntropyLoss(**options)(logits, ignored)
            assert loss.isnan()
            assert not torch.autograd.grad(loss, logits)[0].any()
        assert nn.CrossEntropyLoss(reduction="sum", **options)(logits, ignored) == 0
    assert nn.MSELoss()(torch.empty(0), torch.empty(0)).isnan()
    assert nn.LogCoshLoss()(torch.empty(0), torch.empty(0)).isnan()
    assert nn.CategoricalCrossEntropyLoss()(logits.softmax(1), ignored).isnan()


def test_a_variance_that_is_held_has_its_gradient_all_the_same():
    x = torch.tensor([1.0, -2.0], dtype=torch.float64)
    for variance in ([1e-12, 0.5], [0.0, 3.0]):
        var = torch.tensor(variance, dtype=torch.float64, requires_grad=True)
        came, wanted = (
            torch.autograd.grad(library.GaussianNLLLoss()(x, 2 * x, var), var) for library in (nn, torch.nn)
        )
        torch.testing.assert_close(came, wanted)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_a_certain_error_costs_100_and_has_a_slope(dtype):
    """PyTorch's clamps: of the log at −100, and of p (1 − p) at 1e-12."""
    p, y = torch.tensor([0, 1, 1e-45, 1e-13, 0, 1, 0.25], dtype=dtype), torch.tensor([1, 0, 1, 1, 0.5, 0.25, 0.75])
    results = []
    for library in (nn, torch.nn):
        leaf, target = p.clone().requires_grad_(), y.to(dtype).requires_grad_()
        values = library.BCELoss(reduction="none")(leaf, target)
        results.append((values.detach(), *torch.autograd.grad(values.sum(), (leaf, target), create_graph=True)))
        assert torch.autograd.grad(results[-1][1].sum(), leaf, retain_graph=True)[0].isfinite().all()
    (value, gradient, by_target), (theirs, their_gradient, their_by_target) = results
    close([value, gradient], [theirs, their_gradient], "BCELoss", 1e-6, 0)
    assert value[:3].tolist() == [100, 100, 100]
    assert gradient[:2].tolist() == pytest.approx([-1e12, 1e12])
    close([by_target], [their_by_target.clamp(-100, 100)], "target", 1e-6, 0)  # which is infinite in PyTorch
    _, tangent = torch.func.jvp(nn.BCELoss(), (p, y.to(dtype)), (torch.ones_like(p), torch.zeros_like(p)))
    assert tangent.isfinite()


def test_lists_may_name_a_class_twice_and_go_on_after_their_end(monkeypatch):
    x = torch.randn(3, 4, dtype=torch.float64, requires_grad=True)
    lists = torch.tensor([[1, 1, -1, 3], [2, 0, 2, 2], [-1, 0, 1, 2]])
    mine, theirs = (library.MultiLabelMarginLoss(reduction="none") for library in (nn, torch.nn))
    close(*(torch.autograd.grad(loss(x, lists).sum(), x) for loss in (mine, theirs)), "gradient", 1e-12, 0)
    close([mine(x, lists)], [theirs(x, lists)], "value", 1e-12, 0)
    each = torch.func.vmap(nn.MultiLabelMarginLoss())(x, lists)
    close([each], [theirs(x, lists)], "value by vmap", 1e-12, 0)
    assert "Multilabel" not in type(mine(x, lists).grad_fn).__name__
    monkeypatch.setattr("slopes.nn.losses.PAIRS", 47)  # of 48: where pairs would fill the memory
    assert "Multilabel" in type(mine(x, lists).grad_fn).__name__


def test_to_make_what_pytorch_deprecates_warns_as_there():
    with pytest.warns(FutureWarning, match="`NLLLoss2d` has been deprecated") as caught:
        loss = nn.NLLLoss2d()
    assert len(caught) == 1
    assert isinstance(loss, nn.NLLLoss)


def test_kl_div_warns_of_its_mean():
    rows = torch.log_softmax(torch.randn(3, 4), 1)
    with pytest.warns(UserWarning, match="reduction: 'mean' divides the total loss by both the batch size and"):
        nn.KLDivLoss()(rows, rows.exp())
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert nn.KLDivLoss(reduction="batchmean")(rows, rows.exp()).abs() < 1e-6


def test_rows_of_minus_infinity_are_nan():
    rows = torch.tensor([[-torch.inf, -torch.inf], [0.0, 0.0]])
    assert nn.Softmax(1)(rows).isnan().tolist() == [[True, True], [False, False]]
    assert nn.LogSoftmax(1)(rows).isnan().tolist() == [[True, True], [False, False]]


@pytest.mark.parametrize("name", ["Softmax", "LogSoftmax", "Softmin"])
def test_large_rows_of_minus_infinity_are_nan(name):
    sign = -1 if name == "Softmin" else 1
    rows = torch.randn(500, 100, generator=torch.Generator().manual_seed(0))
    rows[3] = rows[5, :50] = rows[7, 50:] = -torch.inf
    rows[9, 4] = torch.nan
    for case in (rows, rows[:8], torch.cat([rows[:3], rows[4:]])):
        result, theirs = (getattr(space, name)(-1)(sign * case.repeat(9, 1)) for space in (nn, torch.nn))
        torch.testing.assert_close(result, theirs, equal_nan=True)


def test_legacy_dimension_warns_and_points_here():
    with pytest.warns(UserWarning, match="Implicit dimension choice for softmax") as caught:
        assert torch.equal(nn.Softmax()(ROWS), nn.Softmax(1)(ROWS))
    with pytest.warns(UserWarning, match="Implicit") as theirs:
        torch.nn.Softmax()(ROWS)
    assert pathlib.Path(caught[0].filename).name == pathlib.Path(theirs[0].filename).name


@pytest.mark.parametrize(
    "name", [name for name in OURS if "inplace" in inspect.signature(getattr(nn, name)).parameters]
)
def test_in_place(name):
    constructor, *_ = samples(name)[0]
    constructor = (constructor[0], constructor[1] | {"inplace": True})
    x, results = torch.linspace(-4, 4, 17, dtype=torch.float64), []
    for library in (nn, torch.nn):
        module, values = made(library, name, constructor).eval(), x.clone()
        assert module(values) is values
        leaf = x.clone().requires_grad_()
        with pytest.raises(RuntimeError, match="a leaf Variable that requires grad"):
            module(leaf)
        hidden = leaf * 2
        assert module(hidden) is hidden
        hidden.sum().backward()
        results.append((values, leaf.grad))
    close(*results, name, *TOLERANCE.get(name, (1e-12, 1e-15)))


@pytest.mark.parametrize("name", mark_exhaustive(OURS))
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64], ids=str)
def test_autocast_gives_pytorchs_types(name, dtype):
    constructor, arguments, _ = samples(name, torch.float32)[0]
    constructor, arguments, kept = (
        in_type(torch.promote_types(dtype, torch.float32), constructor),
        in_type(dtype, arguments),
        in_type(torch.float32, arguments),
    )
    mixed = (arguments[0][0], *kept[0][1:]) if dtype == torch.bfloat16 else arguments[0]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        for given in (arguments[0], mixed):
            wide = torch.promote_types(dtype, torch.float32)
            came, wanted = (made(library, name, constructor, wide)(*given) for library in (nn, torch.nn))
            assert came.dtype == wanted.dtype
            close([came], [wanted], name, 0.05, 0.05)


def test_autocast_keeps_the_cards_accuracy_where_types_differ():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert nn.SoftMarginLoss()(torch.tensor(-100.0, dtype=torch.bfloat16), torch.tensor(1.0)) == 100


# ------------------------------------------------------------------------------------------- transforms


@whole_graph
@pytest.mark.parametrize("kind", mark_exhaustive(["activations", "losses"]))
def test_compile(kind):
    """All of a kind in one graph, without a break."""
    torch._dynamo.reset()
    calls = []
    for name in OURS:
        if ("Loss" in name) == (kind == "losses"):
            constructor, arguments, _ = samples(name)[0]
            first = torch.linspace(-4, 4, 48, dtype=torch.float64).reshape(2, 4, 6)
            calls.append((made(nn, name, constructor), arguments[0] if kind == "losses" else (first,)))
    run_all = lambda *arguments: [call(*a) for (call, _), a in zip(calls, arguments, strict=True)]  # noqa: E731
    given = [arguments for _, arguments in calls]
    came = torch.compile(run_all, fullgraph=True, backend="eager")(*given)
    torch.testing.assert_close(came, run_all(*given), rtol=1e-12, atol=0, equal_nan=True)


def test_torch_compile_can_tell_the_forwards_apart():
    """It gives up on a code object that it has compiled eight times."""
    assert len({getattr(nn, name).forward.__code__ for name in OURS}) == len(OURS)


def network(library, inplace=False):
    torch.manual_seed(3)
    return library.Sequential(library.Linear(5, 16), library.SiLU(inplace), library.Linear(16, 3)).double()


def test_training_gives_pytorchs_losses():
    torch.manual_seed(4)
    x = torch.randn(64, 5, dtype=torch.float64)
    labels = x[:, :3].argmax(1)
    histories = []
    for library in (nn, torch.nn):
        net, loss, history = network(library), library.CrossEntropyLoss(label_smoothing=0.1), []
        optimizer = torch.optim.Adam(net.parameters(), lr=0.05)
        for _ in range(30):
            optimizer.zero_grad()
            value = loss(net(x), labels)
            value.backward()
            optimizer.step()
            history.append(value.item())
        histories.append(history)
    assert histories[0][-1] < 0.7 * histories[0][0]
    np.testing.assert_allclose(*histories, rtol=1e-5)


def test_gradients_of_each_sample_by_vmap_and_functional_call():
    net, loss = network(nn), nn.CrossEntropyLoss()
    x, labels = torch.randn(4, 5, dtype=torch.float64), torch.randint(3, (4,))
    parameters = dict(net.named_parameters())

    def cost(parameters, x, label):
        return loss(torch.func.functional_call(net, parameters, (x[None],)), label[None])

    each = torch.func.vmap(torch.func.grad(cost), in_dims=(None, 0, 0))(parameters, x, labels)
    alone = torch.func.grad(cost)(parameters, x[2], labels[2])
    for name in parameters:
        torch.testing.assert_close(each[name][2], alone[name])


def test_variances_of_every_shape_by_vmap():
    """PyTorch looks whether one is negative, which a transform cannot."""
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    for shape in ((2, 4, 3), (2, 4, 1), (2, 4)):
        variance = torch.rand(shape, dtype=torch.float64)
        each = torch.func.vmap(nn.GaussianNLLLoss())(x, x.flip(0), variance)
        torch.testing.assert_close(each[1], torch.nn.GaussianNLLLoss()(x[1], x[0], variance[1]))


def test_meta_and_fake_tensors_and_export_and_fx():
    from torch._subclasses.fake_tensor import FakeTensorMode

    net, x = network(nn), torch.randn(2, 5, dtype=torch.float64)
    assert nn.GELU()(x.to("meta")).shape == (2, 5)
    with FakeTensorMode():
        assert nn.GELU()(torch.empty(2, 5)).shape == (2, 5)
    for traced in (torch.export.export(net, (x,)).module(), torch.fx.symbolic_trace(net)):
        torch.testing.assert_close(traced(x), net(x))
    assert [node.op for node in torch.fx.symbolic_trace(net).graph.nodes][1:-1] == ["call_module"] * 3


# ----------------------------------------------------------------------------------- cards as modules


def test_every_card_becomes_a_module(card, example):
    module = nn.module(card).eval()  # the random ones still
    arguments = example(card)
    wanted = card(*arguments)
    if has_classes(card):
        arguments = [x.movedim(-1, 1) if x.ndim == arguments[0].ndim else x for x in arguments]
    assert repr(module) == f"module({card!r})"
    assert not module.state_dict()
    for twin in (module, copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(twin(*arguments), wanted)


def test_what_pytorch_lacks_is_named_in_its_style():
    assert "LogCoshLoss" in dir(nn)
    assert repr(nn.LogCoshLoss(reduction="sum")) == "LogCoshLoss(reduction='sum')"
    assert str(inspect.signature(nn.CategoricalCrossEntropyLoss)).endswith(
        "(*, weight=None, label_smoothing=0.0, ignore_index=-100, base=2.718281828459045, reduction='mean')"
    )
    assert nn.LogCoshLoss.__doc__ == slopes.log_cosh.body.__doc__
    assert pickle.loads(pickle.dumps(nn.LogCoshLoss())).__class__ is nn.LogCoshLoss
    for name, card in nn.LACKED.items():
        assert isinstance(getattr(nn, name)(), nn.CardModule)
        assert getattr(nn, name).card is CARDS[card.name]


def test_losses_that_pytorch_lacks_follow_its_conventions():
    """A loss of classes has all of cross-entropy's conventions: axis, weights, divisors, ignored labels."""
    torch.manual_seed(5)
    logits, labels = torch.randn(4, 3, 5, dtype=torch.float64), torch.randint(3, (4, 5))
    labels[0, :2] = -100
    rows = torch.softmax(torch.randn(4, 3, 5, dtype=torch.float64), 1)
    weight = torch.tensor([0.5, 1.0, 3.0], dtype=torch.float64)
    for options in ({}, {"weight": weight}, {"label_smoothing": 0.2}, {"weight": weight, "label_smoothing": 0.2}):
        for reduction in ("mean", "sum", "none"):
            for target in (labels, rows):
                mine = nn.module(slopes.cross_entropy, reduction=reduction, **options)(logits, target)
                theirs = torch.nn.CrossEntropyLoss(reduction=reduction, **options)(logits, target)
                torch.testing.assert_close(mine, theirs)


def test_what_is_random_is_held_still_in_evaluation():
    logits = torch.zeros(4, 3)
    module = nn.GumbelSoftmax(tau=0.5)
    torch.manual_seed(0)
    first = module(logits)
    assert first.std() > 0.1
    assert not torch.equal(first, module(logits))
    torch.manual_seed(0)
    assert torch.equal(first, module(logits))
    assert torch.equal(module.eval()(logits), torch.softmax(logits, -1))
    assert torch.equal(module(logits), module(logits))


def test_parameters_that_are_tensors_are_trained():
    module = nn.module(slopes.elu, alpha=torch.nn.Parameter(torch.tensor(0.5)))
    assert repr(module) == "module(slopes.elu, alpha=tensor())"
    module(torch.tensor([-1.0])).sum().backward()
    assert module.alpha.grad < 0
    twin = nn.module(slopes.elu, alpha=torch.nn.Parameter(torch.tensor(0.0)))
    twin.load_state_dict(module.state_dict())
    assert twin.alpha == 0.5
    assert "weight" in nn.CategoricalCrossEntropyLoss(weight=torch.ones(3)).state_dict()
    later = nn.CategoricalCrossEntropyLoss()
    later.weight = torch.ones(3)
    assert "weight" in later.state_dict()
    assert nn.module(slopes.elu, alpha=0.5).alpha == 0.5
    assert repr(nn.module(slopes.elu.with_(alpha=0.5))) == "module(slopes.elu.with_(alpha=0.5))"


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: nn.LogCoshLoss(gama=1), TypeError, "LogCoshLoss: no parameter 'gama'; it takes reduction"),
        (lambda: nn.module(slopes.elu, beta=1), TypeError, "module: no parameter 'beta'; it takes alpha"),
        (lambda: nn.module(slopes.elu, alpha=-1), ValueError, "elu: alpha must be > 0, got -1"),
        (lambda: nn.module(torch.relu), TypeError, "module: takes a card, as slopes.activation and slopes.loss make them, got"),
        (lambda: nn.LogCoshLoss()(torch.ones(2), torch.ones(3)), ValueError, "log_cosh: prediction (2,) and target (3,) must"),
        (lambda: nn.LogCoshLoss()(torch.ones(2)), TypeError, "log_cosh: takes prediction, target"),
        (lambda: nn.module(slopes.elu)(), TypeError, "elu: takes x and then keywords; x is missing"),
        (lambda: nn.LogCoshLoss()(), TypeError, "log_cosh: takes prediction, target"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error) as raised:
        call()
    assert message in str(raised.value)


@pytest.mark.parametrize("shape", [(4, 3, 5), (4, 3, 5, 6), (2, 3, 2, 3, 4)], ids=str)
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "transposed"])
def test_gradients_along_an_axis_have_the_strides_of_pytorch(shape, layout):
    x = torch.randn(shape)
    if layout == "channels last":
        x = x.movedim(1, -1).contiguous().movedim(-1, 1)
    elif layout == "transposed":
        x = torch.randn(shape[::-1]).permute(*reversed(range(len(shape))))
    x.requires_grad_()
    labels = torch.randint(3, (shape[0], *shape[2:]))
    calls = [
        (lambda library: library.CrossEntropyLoss()(x, labels)),
        (lambda library: library.CrossEntropyLoss(reduction="none", label_smoothing=0.1)(x, labels)),
        (lambda library: library.CrossEntropyLoss()(x, torch.full(shape, 1 / 3))),
        (lambda library: library.Softmax(1)(x)),
        (lambda library: library.Softmax(0)(x)),
        (lambda library: library.LogSoftmax(1)(x)),
        (lambda library: library.Softmin(1)(x)),
    ]
    if len(shape) == 4:
        calls.append(lambda library: library.Softmax2d()(x))
    if layout == "contiguous":  # PyTorch's NLLLoss of several dimensions has no gradient for others
        calls.append(lambda library: library.NLLLoss()(x, labels))
    for call in calls:
        (ours, gradient), (theirs, expected) = (
            (output, torch.autograd.grad(output.sum(), x)[0]) for output in (call(nn), call(torch.nn))
        )
        assert (ours.stride(), gradient.stride()) == (theirs.stride(), expected.stride())


def test_the_center_loss_learns_its_centers():
    torch.manual_seed(0)
    module = nn.CenterLoss(3, 4, dtype=torch.float64)
    features, labels = torch.randn(6, 4, dtype=torch.float64), torch.tensor([0, 1, 1, 0, -100, 1])
    kept = labels >= 0
    apart = features[kept] - module.centers[labels[kept]]
    loss = module(features, labels)
    torch.testing.assert_close(loss, (apart**2).sum() / 2 / 5)
    loss.backward()
    torch.testing.assert_close(module.centers.grad[1], -apart[labels[kept] == 1].sum(0) / 5)
    assert not module.centers.grad[2].any()
    each = nn.CenterLoss(3, 4, reduction="none", ignore_index=1, dtype=torch.float64)
    each.load_state_dict(module.state_dict())
    values = each(features[None, :4], labels[None, :4])
    assert values.shape == (1, 4)
    assert not values[0, 1:3].any()
    assert repr(each) == "CenterLoss(3, 4, ignore_index=1, reduction='none')"
    assert module(features[:0], labels[:0]) == 0
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        torch.testing.assert_close(twin(features, labels), loss)
    compiled = torch.compile(module, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(features, labels), loss)
    assert nn.CenterLoss(3, 4, device="meta").centers.is_meta


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((0, 4), {}, ValueError, "num_classes must be an integer >= 1, got 0"),
        ((3, 4.0), {}, ValueError, "num_features must be an integer >= 1, got 4.0"),
        ((3, 4), {"ignore_index": None}, TypeError, "ignore_index must be an integer, got None"),
        ((3, 4), {"reduction": "average"}, ValueError, "reduction must be one of"),
    ],
)
def test_refusals_of_the_center_loss(arguments, options, error, message):
    with pytest.raises(error, match=f"^CenterLoss: {message}"):
        nn.CenterLoss(*arguments, **options)


@pytest.mark.parametrize(
    ("features", "labels", "error", "message"),
    [
        (torch.ones(2, 5), torch.tensor([0, 1]), ValueError, r"features \(2, 5\) and labels \(2,\) must .* \(..., 4\)"),
        (torch.ones(2, 4), torch.tensor([[0, 1]]), ValueError, r"features \(2, 4\) and labels \(1, 2\) must"),
        (torch.ones(2, 4), torch.tensor([0, 3]), ValueError, r"label must lie in \[0, 2\], got 3"),
        (torch.ones(2, 4), torch.tensor([0, -1]), ValueError, r"label must lie in \[0, 2\], got -1"),
        (torch.ones(2, 4), torch.tensor([0.0, 1.0]), TypeError, "labels must be integers, got dtype torch.float32"),
        (np.ones((2, 4)), torch.tensor([0, 1]), TypeError, "features must be a torch tensor"),
    ],
)
def test_batches_that_the_center_loss_refuses(features, labels, error, message):
    with pytest.raises(error, match=f"^CenterLoss: {message}"):
        nn.CenterLoss(3, 4)(features, labels)
