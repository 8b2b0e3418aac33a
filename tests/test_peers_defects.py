"""What was found wrong in other libraries is right here: a test for each, where none stands elsewhere.

They were measured with PyTorch 2.13 and 2.15, torchvision 0.29, segmentation_models_pytorch 0.6, Keras 3.15, Optax 0.2.8,
JAX 0.10, kornia 0.9, MONAI 1.6, timm 1.0.31 and entmax 1.3.
"""

import ast
import math
import pathlib

import numpy as np
import pytest

torch = pytest.importorskip("torch")

import slopes  # noqa: E402
import slopes.nn as nn  # noqa: E402

#: the defect, and the test that would see it here
ELSEWHERE = {
    "PyTorch's soft_margin_loss overflows": "test_losses_numbers.test_soft_margin_does_not_overflow_as_pytorch_does",
    "PyTorch's softplus is a line above 20": "test_activations_piecewise.test_softplus_has_no_threshold",
    "PyTorch's hinges have no double backward": "test_nn.test_second_gradients_that_pytorch_lacks",
    "PyTorch's ONNX drops label smoothing": "test_onnx.test_losses_keep_their_options",
    "focal losses have NaN slopes at gamma 0.5": "test_losses_classes.test_focal_slope_where_peers_have_nan",
    "Keras swaps the weights of Tversky": "test_losses_regions.test_tversky_weighs_what_is_wrongly_claimed_by_alpha",
    "Optax's triplets are wrong at p = 1": "test_losses_regions.test_triplets_in_every_norm",
    "JAX's squareplus cancels and overflows": "test_activations_piecewise.test_squareplus_neither_cancels_nor_overflows",
    "smp's smoothed loss divides by what is ignored": "test_kinds.test_ignore_index",
    "smp's Lovász loss rejects float64": "test_losses_regions.test_the_type_of_a_region_stays",
    "smp's dice is silent on an absent class": "test_losses_regions.test_overlap_at_the_edges",
    "kornia's robust losses overflow": "test_losses_numbers.test_robust_losses_reach_far_out_where_kornia_overflows",
}


@pytest.mark.parametrize("where", ELSEWHERE.values(), ids=ELSEWHERE)
def test_a_defect_is_tested_elsewhere(where):
    module, name = where.split(".")
    source = pathlib.Path(__file__).with_name(f"{module}.py").read_text()
    assert name in [node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)]


def leaf(values, dtype=torch.float32):
    return torch.tensor(values, dtype=dtype, requires_grad=True)


@pytest.mark.parametrize(("x", "name", "wanted"), [(-5.5, "float32", -1.04443e-7), (-9.0, "float64", -1.01591e-18)])
def test_gelu_of_pytorch_loses_its_tail(x, name, wanted):
    tensor = torch.tensor(x, dtype=getattr(torch, name))
    for came in (slopes.gelu(np.array(x, name)), slopes.gelu(tensor), nn.GELU()(tensor)):
        assert float(came) == pytest.approx(wanted, rel=1e-5)


def test_hinges_of_pytorch_have_no_forward_mode():
    x, tangent = torch.tensor([[0.1, 0.2, 0.4]]), torch.tensor([[1.0, 0.0, 2.0]])
    for module, target, wanted in (
        (nn.MultiMarginLoss(), torch.tensor([0]), (1 * 0 - 2 * 1 + 2) / 3),
        (nn.MultiLabelMarginLoss(), torch.tensor([[0, -1, -1]]), (1 * 0 - 2 * 1 + 2) / 3),
        (nn.Hardsigmoid(), None, [[1 / 6, 0, 2 / 6]]),
    ):
        call = module if target is None else lambda x, m=module, t=target: m(x, t)
        np.testing.assert_allclose(torch.func.jvp(call, (x,), (tangent,))[1], wanted, rtol=1e-6, atol=1e-7)


def test_cross_entropies_of_keras_are_stuck_at_16():
    """Keras clips probabilities to 1e-7, where the slope is 0."""
    logits = leaf([[-100.0, 100.0]], torch.float64)
    loss = slopes.categorical_cross_entropy(slopes.softmax(logits), torch.tensor([0]))
    assert loss.item() == pytest.approx(200, rel=1e-15)
    np.testing.assert_allclose(torch.autograd.grad(loss, logits)[0], [[-1, 1]], rtol=1e-13)
    for call in (
        lambda p: slopes.categorical_cross_entropy(torch.cat([p, 1 - p])[None], torch.tensor([0])),
        lambda p: slopes.binary_cross_entropy(p, torch.ones(1), from_probabilities=True),
        lambda p: nn.BCELoss()(p, torch.ones(1)),
    ):
        p = leaf([1e-10])
        value = call(p)
        assert value.item() == pytest.approx(10 * math.log(10), rel=1e-6)
        assert torch.autograd.grad(value, p)[0].item() == pytest.approx(-1e10, rel=1e-6)


@pytest.mark.parametrize("wanted", [False, True], ids=["by the card", "by autograd"])
def test_the_cosine_of_a_zero_vector_is_nan_in_optax(wanted):
    zero, other = leaf([[0.0, 0.0]]), torch.tensor([[3.0, 4.0]], requires_grad=wanted)
    for loss in (
        slopes.cosine(zero, other),
        slopes.cosine(other, zero),
        slopes.cosine_embedding(zero, other, torch.ones(1)),
        nn.CosineEmbeddingLoss()(zero, other, torch.ones(1)),
    ):
        assert loss == 1
        assert torch.autograd.grad(loss, zero)[0].tolist() == [[0, 0]]


def test_float64_becomes_float32_in_monai_and_timm():
    rows, labels = leaf([[1.0, -0.5]], torch.float64), torch.tensor([0])
    missing = 1 / (1 + math.exp(1.5))
    for loss, wanted in (
        (slopes.softmax_focal, -(missing**2) * math.log1p(-missing)),
        (slopes.poly1, 2 * missing - math.log1p(-missing)),
    ):
        value = loss(rows, labels)
        assert value.dtype == torch.autograd.grad(value, rows)[0].dtype == torch.float64
        assert value.item() == pytest.approx(wanted, rel=1e-15)


def test_a_sum_is_divided_by_the_pixels_in_monai():
    logits, target = torch.randn(1, 1, 4, 4), torch.ones(1, 1, 4, 4)
    each = slopes.sigmoid_focal(logits, target, reduction="none")
    assert slopes.sigmoid_focal(logits, target, reduction="sum").item() == pytest.approx(each.sum().item(), rel=1e-6)
    assert slopes.sigmoid_focal(0 * logits, target, reduction="sum").item() == pytest.approx(4 * math.log(2), rel=1e-6)


@pytest.mark.parametrize("name", ["SiLU", "GELU", "Mish", "Hardswish"])
def test_gates_at_minus_infinity_are_nan_in_pytorch_and_jax(name):
    x = leaf([-math.inf])
    value = getattr(nn, name)()(x)
    assert value == 0
    assert torch.autograd.grad(value, x)[0] == 0


def test_gradients_of_entmax_have_no_graph(loss, example):
    """Of its losses a first gradient asks for none; here that is so only where a loss is linear."""
    prediction, *rest = example(loss)
    beside = 0.9999 * prediction
    slope, other = (
        torch.autograd.grad(loss(x.requires_grad_(), *rest), x, create_graph=True)[0] for x in (prediction, beside)
    )
    assert slope.requires_grad or torch.allclose(slope, other, rtol=1e-12, atol=0)
    if slope.requires_grad:
        assert torch.autograd.grad(slope.sum(), prediction)[0].isfinite().all()
