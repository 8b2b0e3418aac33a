"""Compiled kernels of overlap losses: large maps of logits give what small ones give, without their probabilities."""

import numpy as np
import pytest

import slopes
from helpers import mark_exhaustive, require_kernels
from slopes import kernels, ops
from slopes.kernels import compiling, regions

require_kernels()
torch = pytest.importorskip("torch")

from slopes.fast import entries  # noqa: E402
from slopes.fast import regions as fast_regions  # noqa: E402

OPTIONS = {"axis": 1, "mode": "multilabel"}
LOSSES = [
    slopes.dice, slopes.jaccard, slopes.tversky, slopes.focal_tversky, slopes.dice.with_(squared=True, smooth=1.0),
]  # fmt: skip
SHAPE = (3, 2, 80, 70)

for first in (np.ones((2, 2)), torch.ones(2, 2)):  # a type comes to kernels from the second call on
    slopes.dice(first, first, **OPTIONS)


def maps(dtype="float64", shape=SHAPE):
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal(shape)
    chances = np.clip(rng.uniform(-0.5, 1.5, shape), 0, 1)
    chances[0, 1] = 0
    return logits.astype(dtype), chances.astype(dtype)


def expected(card, reduction, **options):
    """The loss and its gradient, by a reading that has no kernels for regions of a batch: each sample by itself."""
    logits, chances = maps()
    parts = [
        card.value_and_slope(logits[i : i + 1, j : j + 1], chances[i : i + 1, j : j + 1], **OPTIONS, **options)
        for i in range(SHAPE[0])
        for j in range(SHAPE[1])
    ]
    values = np.array([value for value, _ in parts]).reshape(SHAPE[:2])
    gradient = np.concatenate([slope.reshape(-1) for _, slope in parts]).reshape(SHAPE)
    if reduction == "mean":
        return values.mean(), gradient / values.size
    return (values.sum() if reduction == "sum" else values), gradient


def is_compiled(value):
    return type(value.grad_fn).__name__ == "_CompiledLossBackward"


@pytest.mark.parametrize("chosen", mark_exhaustive(LOSSES, every=3), ids=[card.name for card in LOSSES])
@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize(("dtype", "allowed"), [("float32", 1e-6), ("float64", 1e-13)])
def test_overlap_losses(chosen, reduction, dtype, allowed):
    card, (logits, chances) = chosen, maps(dtype)
    assert SHAPE[2] * SHAPE[3] < entries.LARGE_FOR_A_LOSS  # so that a single region is computed without kernels
    value, gradient = expected(card, reduction)
    result, slope = card.value_and_slope(logits, chances, reduction=reduction, **OPTIONS)
    assert result.dtype == slope.dtype == dtype
    np.testing.assert_allclose(result, value, rtol=allowed)
    np.testing.assert_allclose(slope, gradient, rtol=4 * allowed, atol=allowed * np.abs(gradient).max())
    np.testing.assert_allclose(card(logits, chances, reduction=reduction, **OPTIONS), result, rtol=allowed)
    x, target = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(chances)
    computed = card(x, target, reduction=reduction, **OPTIONS)
    assert is_compiled(computed)
    np.testing.assert_allclose(computed.detach(), value, rtol=allowed)
    computed.backward(torch.ones_like(computed))
    np.testing.assert_allclose(x.grad, gradient, rtol=1e-5 if dtype == "float32" else 1e-12, atol=2e-7 * allowed / 1e-6)
    with torch.no_grad():
        torch.testing.assert_close(
            card(x, target, reduction=reduction, **OPTIONS), computed.detach(), rtol=allowed, atol=0
        )


def test_one_kernel_serves_all_numbers_of_a_parameter():
    logits, chances = maps("float64")
    slopes.tversky(logits, chances, alpha=0.7, **OPTIONS)
    slopes.tversky.slope(logits, chances, alpha=0.7, **OPTIONS)
    known = len(compiling._kernels)
    for alpha in (0.9, 0.3):
        value, gradient = expected(slopes.tversky.with_(alpha=alpha), "mean")
        came = slopes.tversky.value_and_slope(logits, chances, alpha=alpha, **OPTIONS)
        np.testing.assert_allclose(came[0], value, rtol=1e-13)
        np.testing.assert_allclose(came[1], gradient, rtol=1e-12, atol=1e-13 * np.abs(gradient).max())
    assert len(compiling._kernels) == known


def test_the_gradient_of_the_forward_is_handed_out_once():
    x, target = (torch.from_numpy(a) for a in maps())
    x.requires_grad_()
    value = slopes.dice(x, target, **OPTIONS)
    place = value.grad_fn.gradient.data_ptr()
    exact = torch.from_numpy(expected(slopes.dice, "mean")[1])
    (first,) = torch.autograd.grad(value, x, torch.tensor(3.0).double(), retain_graph=True)
    assert first.data_ptr() == place
    torch.testing.assert_close(first, 3 * exact)
    first.zero_()
    (second,) = torch.autograd.grad(value, x, retain_graph=True)
    torch.testing.assert_close(second, exact)
    (both,) = torch.autograd.grad(value, x, torch.tensor([1.0, 2.0]).double(), is_grads_batched=True)
    torch.testing.assert_close(both, torch.stack([exact, 2 * exact]))


def test_gradients_of_second_order_and_of_each_region(monkeypatch):
    x, target = (torch.from_numpy(a) for a in maps())
    x.requires_grad_()
    incoming = torch.linspace(-1, 1, 6).double().reshape(3, 2)

    def gradients():
        (gradient,) = torch.autograd.grad(slopes.dice(x, target, **OPTIONS), x, create_graph=True)
        (second,) = torch.autograd.grad((gradient * 1e4).square().sum(), x)
        (each,) = torch.autograd.grad(slopes.dice(x, target, reduction="none", **OPTIONS), x, incoming)
        return second, each

    compiled = gradients()
    monkeypatch.setattr(fast_regions, "is_plain", lambda *_: False)
    assert not is_compiled(slopes.dice(x, target, **OPTIONS))
    for result, exact in zip(compiled, gradients(), strict=True):
        torch.testing.assert_close(result, exact)


@pytest.mark.parametrize("library", [np.asarray, torch.from_numpy], ids=["NumPy", "torch"])
def test_what_is_refused_gets_the_usual_message(library):
    logits, chances = maps()
    chances[2, 1, 7, 7] = 1.5
    with pytest.raises(ValueError, match=r"dice: target must be probabilities in \[0, 1\], got 1.5"):
        slopes.dice(library(logits), library(chances), **OPTIONS)
    with pytest.raises(ValueError, match="must have one shape"):
        slopes.dice(library(logits), library(chances[:2]), **OPTIONS)
    with pytest.raises(ValueError, match="dice: smooth must be"):
        slopes.dice(library(logits), library(chances), smooth=-1.0, **OPTIONS)
    with pytest.raises(ValueError, match="mode must be"):
        slopes.dice(library(logits), library(chances), mode="multi", axis=1)


def test_other_options_go_the_plain_way():
    logits, chances = maps()
    find = regions.find_region_kernel
    assert find(slopes.dice, OPTIONS, SHAPE, "float64") is not None
    for card, options in (
        (slopes.dice, {"axis": 1}), (slopes.dice, {**OPTIONS, "axis": -1}), (slopes.dice, {**OPTIONS, "over": "batch"}),
        (slopes.dice, {**OPTIONS, "from_probabilities": True}), (slopes.lovasz_softmax, OPTIONS),
        (slopes.generalized_dice, OPTIONS), (slopes.lovasz_hinge, {"axis": 1}),
    ):  # fmt: skip
        assert find(card, options, SHAPE, "float64") is None
    mask = np.ones((3, 80, 70), dtype=bool)
    value = slopes.dice(logits, chances, **OPTIONS)
    np.testing.assert_allclose(slopes.dice(logits, chances, mask=mask, **OPTIONS), value, rtol=1e-13)
    whole = slopes.dice(logits, np.round(chances).astype(int), **OPTIONS)
    np.testing.assert_allclose(whole, slopes.dice(logits, np.round(chances), **OPTIONS), rtol=1e-13)
    tensors = torch.from_numpy(logits).requires_grad_(), torch.from_numpy(np.round(chances).astype(int))
    assert is_compiled(slopes.dice(*tensors, **OPTIONS))
    np.testing.assert_allclose(slopes.dice(*tensors, **OPTIONS).item(), whole, rtol=1e-13)


FACTOR = 1.0


@slopes.loss("overlap")
def of_a_user(prediction, target, weight):
    missed = ops.expected((1 - prediction) * target, weight)
    return FACTOR * ops.safe_divide(missed, ops.expected(target, weight))


@of_a_user.derivative
def _(prediction, target, weight):
    return -FACTOR * ops.safe_divide(target * weight, ops.expected(target, weight)[..., None])


def test_a_users_loss_is_read_at_each_call(monkeypatch):
    logits, chances = maps(shape=(3, 2, 200, 200))
    for factor in (1.0, 2.0):
        monkeypatch.setitem(globals(), "FACTOR", factor)
        lacking = 1 / (1 + np.exp(logits)) * chances
        sums = [a.sum((2, 3)) for a in (lacking, chances)]
        exact = factor * (sums[0] / np.where(sums[1] == 0, 1, sums[1])).mean()
        np.testing.assert_allclose(of_a_user(logits, chances, **OPTIONS), exact, rtol=1e-12)
        value = of_a_user(torch.from_numpy(logits).requires_grad_(), torch.from_numpy(chances), **OPTIONS)
        assert is_compiled(value)
        np.testing.assert_allclose(value.item(), exact, rtol=1e-12)


def test_they_are_compiled_before_they_are_needed():
    cards = [slopes.dice, slopes.lovasz_softmax]
    assert [count for _, count in kernels.compile_all(cards)] == [4, 0]
    before = len(compiling._kernels)
    slopes.dice.slope(*maps("float32"), **OPTIONS)
    assert len(compiling._kernels) == before
