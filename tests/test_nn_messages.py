"""What `slopes.nn` does with wrong targets and arguments: what torch.nn does, or one clear line."""

import functools

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
from helpers import mark_exhaustive  # noqa: E402
from slopes import nn  # noqa: E402

NAN = float("nan")


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("wrong", [2.0, -1.0, NAN, 1 + 1e-6])
def test_targets_that_are_no_probabilities_are_pytorchs(reduction, wrong):
    x, target = torch.tensor([0.3, 0.6]), torch.tensor([1.0, wrong])
    with pytest.raises(RuntimeError) as theirs:
        torch.nn.BCELoss(reduction=reduction)(x, target)
    with pytest.raises(RuntimeError, match="all elements of target should be between 0 and 1") as ours:
        nn.BCELoss(reduction=reduction)(x, target)
    assert str(ours.value) == str(theirs.value)


TARGETS = torch.tensor([1.0, -1.0, 0.0, 0.5, 2.0, -3.0, NAN])


def results(module, *arguments, through=lambda module: module):
    """Value and gradient of a module."""
    first, *others = arguments
    first = first.clone().requires_grad_()
    value = through(module)(first, *others)
    (gradient,) = torch.autograd.grad(value.sum(), first)
    return value.detach(), gradient


@pytest.mark.parametrize("reduction", ["none", "mean", "sum"])
@pytest.mark.parametrize("margin", [1.0, 0.5])
@pytest.mark.parametrize("targets", [TARGETS, TARGETS[:6], TARGETS[:6].long()], ids=["nan", "float", "integer"])
def test_signs_other_than_one_go_pytorchs_way(reduction, margin, targets):
    compare_signs(reduction, margin, targets)


def compare_signs(reduction, margin, targets, **options):
    """Hold values and gradients to PyTorch's; see `results` for the options."""
    size = len(targets)
    x = torch.tensor([0.3, 0.4, 0.2, 2.0, -0.5, 3.0, 0.9])[:size]  # no margin, where versions of PyTorch differ
    ours = results(nn.HingeEmbeddingLoss(margin, reduction=reduction), x, targets, **options)
    theirs = results(torch.nn.HingeEmbeddingLoss(margin, reduction=reduction), x, targets)
    torch.testing.assert_close(ours, theirs, equal_nan=True)
    first = torch.randn(size, 3, generator=torch.Generator().manual_seed(0))
    second = torch.randn(size, 3, generator=torch.Generator().manual_seed(1))
    ours = results(nn.CosineEmbeddingLoss(margin - 0.5, reduction=reduction), first, second, targets, **options)
    theirs = results(torch.nn.CosineEmbeddingLoss(margin - 0.5, reduction=reduction), first, second, targets)
    torch.testing.assert_close(ours, theirs, equal_nan=True)


@pytest.mark.parametrize("targets", mark_exhaustive([TARGETS, TARGETS[:6].long()]), ids=["nan", "integer"])
def test_signs_other_than_one_go_pytorchs_way_when_compiled(targets):
    compiled = functools.partial(torch.compile, backend="eager")
    compare_signs("mean", 0.5, targets, through=compiled)


def test_signs_within_vmap_go_pytorchs_way():
    x, targets = torch.tensor([[0.3, 2.0], [0.3, 2.0]]), torch.tensor([[0.0, 0.0], [1.0, -1.0]])
    assert torch.func.vmap(nn.HingeEmbeddingLoss())(x, targets).tolist() == [1.5, pytest.approx(0.15)]
    pairs = torch.eye(2).expand(2, 2, 2)
    assert torch.func.vmap(nn.CosineEmbeddingLoss())(pairs, pairs, targets).tolist() == [0.0, 0.5]


def test_parameters_that_float32_does_not_hold_are_pytorchs():
    for module in (nn.ELU(alpha=1e39), nn.Hardtanh(-1e39, 1e39), nn.CELU(1e39)):
        theirs = getattr(torch.nn, type(module).__name__)
        with pytest.raises(RuntimeError, match="overflow"):
            theirs.forward(module, -torch.ones(2))
        with pytest.raises(RuntimeError, match="overflow"):
            module(-torch.ones(2))
    with pytest.raises(TypeError, match=r"must be Number, not numpy\.ndarray"):
        nn.LeakyReLU(np.array([0.1, 0.2]))(torch.ones(2))


WRONG = [
    (lambda: nn.LogCoshLoss(reduction="avg"), "LogCoshLoss: reduction must be one of 'mean', 'sum', 'none', got 'avg'"),
    (lambda: nn.module(slopes.mse, reduction=None), "module: reduction must be one of 'mean', 'sum', 'none', got None"),
    (lambda: nn.module(slopes.swiglu, gate="middle"), "module: gate must be one of 'first', 'last', got 'middle'"),
    (lambda: nn.module(slopes.cross_entropy, label_smoothing=2.0), r"module: label_smoothing must be >= 0 and <= 1, got 2\.0"),
    (lambda: nn.DiceLoss(mode="many"), "DiceLoss: mode must be one of 'multiclass', 'multilabel', got 'many'"),
    (lambda: nn.DiceLoss(over="class"), "DiceLoss: over must be one of 'sample', 'batch', 'all', got 'class'"),
    (lambda: nn.DiceLoss(from_probabilities=1), "DiceLoss: from_probabilities must be one of True, False, got 1"),
    (lambda: nn.module(slopes.softmax, axis=1), "module: no parameter 'axis'; PyTorch and slopes.nn call it 'dim'"),
    (lambda: nn.module(slopes.cross_entropy, class_weight=1), "module: no parameter 'class_weight'; PyTorch and slopes.nn call it 'weight'"),
    (lambda: nn.module(slopes.elu, Alpha=1.0), "module: no parameter 'Alpha'; did you mean 'alpha'?"),
    (lambda: nn.module(slopes.cross_entropy)(torch.ones(2, 3), [1, 2]), r"cross_entropy: target must be a torch tensor here, as the other arguments are, got list; torch\.as_tensor\(target\) is a tensor"),
    (lambda: nn.module(slopes.cross_entropy)(torch.ones(2, 3), None), "cross_entropy: target must be a torch tensor here, .* got NoneType"),
    (lambda: nn.module(slopes.cross_entropy)(torch.ones(2, 3)), "cross_entropy: takes prediction, target and then keywords; target is missing"),
    (lambda: nn.module(slopes.mse)(torch.ones(2), torch.ones(2), torch.ones(2)), "mse: takes prediction, target and then keywords; got 3 arguments before them"),
    (lambda: nn.module(slopes.elu)(np.ones(2)), r"elu: x must be a torch tensor here, .* got ndarray"),
    (lambda: nn.module(slopes.rrelu)([1.0]), r"rrelu: x must be a torch tensor here, .* got list"),
    (lambda: nn.module(slopes.elu)(), "elu: takes x and then keywords; x is missing"),
]  # fmt: skip


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_messages(call, message):
    with pytest.raises((ValueError, TypeError), match=message):
        call()
