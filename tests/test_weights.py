"""Which weights a loss takes, and boxes whose rows are no boxes under a mask."""

import numpy as np
import pytest

import slopes

X, TARGET = np.array([1.0, 2.0]), np.array([2.0, 4.0])
PIXELS, REGIONS = np.zeros((1, 2, 2)), np.array([[0, 1]])


def both(*arrays):
    """The arrays, and tensors of them where torch is installed."""
    yield arrays
    try:
        import torch
    except ImportError:
        return
    yield tuple(torch.from_numpy(np.asarray(array)) for array in arrays)


@pytest.mark.parametrize(("weight", "wrong"), [([-1.0, 1.0], r"-1\.0"), ([1.0, np.nan], "nan"), ([np.inf, 1.0], "inf")])
def test_a_mean_takes_no_weights_without_a_sum(weight, wrong):
    advice = "the mean divides by their sum; reduction='sum' and a divisor go with any$"
    for x, target, weights in both(X, TARGET, np.array(weight)):
        for call in (slopes.mse, slopes.mse.slope, slopes.mse.with_()):
            with pytest.raises(ValueError, match=f"^mse: weight must be >= 0 and finite, got {wrong}: {advice}"):
                call(x, target, weight=weights)
        logits, labels = x[:, None] * x, target > 3
        with pytest.raises(ValueError, match=f"cross_entropy: weight must be >= 0 and finite, got {wrong}"):
            slopes.cross_entropy(logits, labels + 0, weight=weights, class_weight=x)
        with pytest.raises(ValueError, match=f"supcon: weight must be >= 0 and finite, got {wrong}"):
            slopes.supcon(logits, labels * 0, weight=weights)


def test_regions_take_no_weights_below_0():
    for pixels, regions, weights in both(PIXELS, REGIONS, np.array([[-1.0, 1.0]])):
        for reduction in ("mean", "sum", "none"):
            with pytest.raises(ValueError, match=r"^dice: weight must be >= 0 and finite, got -1\.0$"):
                slopes.dice(pixels, regions, weight=weights, reduction=reduction)


def test_weights_of_either_sign_are_summed():
    for x, target, weights in both(X, TARGET, np.array([-1.0, 1.0])):
        assert slopes.mse(x, target, weight=weights, reduction="sum") == 3
        assert slopes.mse(x, target, weight=weights, divisor=2) == 1.5
        assert slopes.mse(x, target, weight=weights, reduction="none").tolist() == [-1, 4]
        assert slopes.mse.slope(x, target, weight=weights, reduction="sum").tolist() == [2, -4]
        assert slopes.mse(x, target, weight=weights, mask=weights > 0) == 4
        assert slopes.mse(x, target, weight=weights * 0) == 0
    assert slopes.mse([], [], weight=[]) == 0


def test_weights_with_more_digits_than_the_loss_count():
    rng = np.random.default_rng(0)
    x, target = rng.normal(size=(2, 2**15)).astype(np.float32)
    weight = rng.uniform(0, 3, 2**15)
    expected = (weight * (x - target) ** 2).sum()
    for arrays in both(x, target, weight):
        total = slopes.mse(*arrays[:2], weight=arrays[2], reduction="sum")
        mean = slopes.mse(*arrays[:2], weight=arrays[2])
        assert [float(total), float(mean)] == pytest.approx([expected, expected / weight.sum()], rel=1e-5)


def test_learnt_weights_are_looked_at_without_a_warning():
    torch = pytest.importorskip("torch")
    weight = torch.tensor([1.0, 3.0], requires_grad=True)
    slopes.mse(torch.tensor(X).float(), torch.tensor(TARGET).float(), weight=weight).backward()
    assert weight.grad.tolist() == [-0.5625, 0.1875]


@pytest.mark.parametrize("columns", [2, 3, 5])
def test_boxes_of_another_length_are_refused_under_a_mask_too(columns):
    for rows, mask in both(np.zeros((2, columns)), np.array([True, False])):
        for loss in (slopes.giou, slopes.diou, slopes.ciou):
            message = rf"^{loss.name}: prediction must be rows of four, x1, y1, x2, y2, got shape \(2, {columns}\)$"
            with pytest.raises(ValueError, match=message):
                loss(rows, rows, mask=mask)
            with pytest.raises(ValueError, match=message):
                loss(rows, rows, weight=mask + 0.0)
