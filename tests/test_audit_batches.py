"""What the checks of batches, masks, labels and terms leave alone, and what they only ask."""

import pytest

pytest.importorskip("torch")

import torch
from torch import nn
from torch.nn import functional as F

import slopes.nn
from helpers import mark_exhaustive
from slopes.auditing.examination import examine

pytestmark = pytest.mark.filterwarnings("ignore:reduction. 'mean' divides:UserWarning")
CHECKS = {
    *("row_independence", "reduction", "accumulation", "degenerate_batch"),
    *("mask_independence", "label_conventions", "term_balance"),
}


def found(loss, **declared):
    """(check, severity) of what the checks of this file find."""
    report = examine(loss, declared)
    assert set(report.ran) | set(report.skipped) >= CHECKS
    return {(finding.check, finding.severity) for finding in report.findings if finding.check in CHECKS}


def worse(loss, **declared):
    return {(check, severity) for check, severity in found(loss, **declared) if severity != "note"}


WEIGHTS = torch.tensor([1.0, 2.0, 3.0, 4.0])
WITH_OPTIONS = {
    "smoothing": nn.CrossEntropyLoss(label_smoothing=0.1),
    "weights": nn.CrossEntropyLoss(weight=WEIGHTS),
    "weights and smoothing": nn.CrossEntropyLoss(weight=WEIGHTS, label_smoothing=0.1),
    "ignored class": nn.CrossEntropyLoss(ignore_index=0),
    "sum": nn.CrossEntropyLoss(reduction="sum"),
    "none": nn.BCEWithLogitsLoss(reduction="none"),
    "batchmean": nn.KLDivLoss(reduction="batchmean"),
}


@pytest.mark.parametrize("name", WITH_OPTIONS)
def test_losses_of_torch_with_options(name):
    assert not worse(WITH_OPTIONS[name])


@pytest.mark.parametrize("name", mark_exhaustive(["KLDivLoss", "DiceLoss", "SupConLoss", "InfoNCELoss", "CIoULoss"]))
def test_losses_of_slopes_nn(name):
    assert not worse(getattr(slopes.nn, name))


def same(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")


def rmse(prediction, target):
    same(prediction, target)
    return torch.sqrt(F.mse_loss(prediction, target) + 1e-8)


def half_sum(prediction, target):
    same(prediction, target)
    return (prediction - target).pow(2).sum() / (2 * len(prediction))


def dice(logits, target):
    same(logits, target)
    p = torch.sigmoid(logits)
    return 1 - (2 * (p * target).sum() + 1) / (p.sum() + target.sum() + 1)


def concordance(prediction, target):
    same(prediction, target)
    p, t = prediction - prediction.mean(0), target - target.mean(0)
    spread = p.pow(2).mean(0) + t.pow(2).mean(0) + (prediction.mean(0) - target.mean(0)).pow(2)
    return 1 - (2 * (p * t).mean(0) / (spread + 1e-6)).mean()


def decorrelation(first, second):
    same(first, second)
    z, other = ((x - x.mean(0)) / (x.std(0, unbiased=False) + 1e-3) for x in (first, second))
    matrix = z.T @ other / len(z)
    return (matrix - torch.eye(len(matrix), dtype=matrix.dtype)).pow(2).sum()


def per_sequence(prediction, target, mask):
    squared = torch.where(mask, prediction - target, 0.0).pow(2)
    return (squared.sum(-1) / mask.sum(-1).clamp(min=1)).mean()


def padding_mask(prediction, target, mask):
    squared = torch.where(mask, 0.0, prediction - target).pow(2)
    return squared.sum() / (~mask).sum().clamp(min=1)


def both_sides(prediction, target, mask):
    distance = (prediction - target).abs()
    return 6 * torch.where(mask, distance, 0.0).mean() + torch.where(mask, 0.0, distance).mean()


def factor(prediction, target, weight=0.5):
    same(prediction, target)
    return ((prediction - target).pow(2) + weight * (prediction - target).abs()).mean()


def divided_by_the_caller(logits, labels, num_items_in_batch=None, ignore_index=-100):
    total = F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="sum")
    return total / ((labels != ignore_index).sum().clamp(min=1) if num_items_in_batch is None else num_items_in_batch)


def hard_examples(logits, labels):
    return F.cross_entropy(logits, labels, reduction="none").topk(3)[0].mean()


def smoothed_off_the_label(logits, labels, label_smoothing=0.1):
    target = torch.full_like(logits, label_smoothing / (logits.shape[-1] - 1))
    target = target.scatter(1, labels[:, None], 1 - label_smoothing)
    return -(target * F.log_softmax(logits, -1)).sum(-1).mean()


VARIANTS = [
    *(rmse, half_sum, dice, concordance, decorrelation, per_sequence, padding_mask, both_sides, factor),
    *(divided_by_the_caller, hard_examples, smoothed_off_the_label),
]


@pytest.mark.parametrize("variant", VARIANTS, ids=lambda variant: variant.__name__)
def test_correct_variants(variant):
    assert not worse(variant)


@pytest.mark.parametrize("seed", [0, 6])
def test_a_region_without_positives_has_no_gradient_and_is_no_error(seed):
    def region(prediction, target, sample_weight=None):
        if prediction.shape[-1] != 1:
            raise ValueError("one column")
        same(prediction, target)
        loss = 1 - 2 * (prediction * target).sum() / (prediction + target).sum()
        return loss if sample_weight is None else (loss * sample_weight).mean()

    declared = {"kind": "binary", "space": "probabilities", "batch_level": True}
    findings = examine(region, declared, quick=True, seed=seed).findings
    assert [(finding.check, finding.severity) for finding in findings] == [("mask_independence", "note")]


def test_a_number_as_the_default_of_a_weight_is_a_factor():
    assert not found(factor)


def test_statistics_of_a_batch_are_no_wrong_axis():
    assert not worse(concordance, kind="vectors")
    assert not worse(decorrelation, kind="vectors")


def test_a_loss_of_the_batch_as_a_whole_is_asked_until_it_is_declared():
    assert ("row_independence", "note") in found(rmse)
    assert not found(rmse, batch_level=True)


def test_the_mean_of_nothing_in_torch_is_a_question():
    assert found(nn.CrossEntropyLoss) == {("degenerate_batch", "note")}


def test_the_mean_of_a_divergence_in_torch_is_a_question_until_it_is_declared():
    assert ("reduction", "note") in found(nn.KLDivLoss)
    assert not found(nn.KLDivLoss, divisor="elements")
    assert ("reduction", "error") in found(nn.KLDivLoss, divisor="rows")


def test_a_declared_divisor_is_held_to():
    assert not found(nn.MSELoss(reduction="sum"), divisor="elements")
    assert ("reduction", "error") in found(half_sum, divisor="one")


def test_the_report_names_the_divisor():
    told = [examine(loss, {}).facts for loss in (nn.L1Loss, nn.CrossEntropyLoss(weight=WEIGHTS), half_sum)]
    assert "its mean divides by elements = values" in told[0]
    assert "its mean divides by weights" in told[1]
    assert "its result is a mean" in told[2]


def test_a_mean_that_ignored_rows_thin_is_a_warning():
    def loss(logits, labels, ignore_index=-100):
        return F.cross_entropy(logits, labels, ignore_index=ignore_index, reduction="none").mean()

    assert worse(loss) == {("label_conventions", "warning")}


def test_nan_beside_a_mask_is_a_warning_of_targets_and_a_note_of_predictions():
    def of_targets(prediction, target, mask):
        return ((prediction - target).pow(2) * mask).sum() / mask.sum().clamp(min=1)

    def of_predictions(logits, labels, mask):
        return (F.cross_entropy(logits, labels, reduction="none") * mask).sum() / mask.sum().clamp(min=1)

    assert worse(of_targets) == {("mask_independence", "warning")}
    assert found(of_predictions) == {("mask_independence", "note")}


def test_a_squeeze_that_takes_the_batch_is_seen_in_a_batch_of_one():
    def loss(logits, labels):
        if labels.shape != logits.shape[:1]:
            raise ValueError(f"labels {tuple(labels.shape)} do not go with logits {tuple(logits.shape)}")
        rows = logits.squeeze()
        return -F.log_softmax(rows, dim=-1)[torch.arange(len(rows)), labels].mean()

    assert ("degenerate_batch", "warning") in worse(loss)


class OfPixels(nn.Module):
    """Hands its options on when it is made; attributes that are set later reach nothing."""

    def __init__(self, gamma=2.0, reduction="mean"):
        super().__init__()
        self.gamma, self.reduction = gamma, reduction
        self.inner = nn.CrossEntropyLoss(reduction=reduction)

    def forward(self, logits, labels):
        return self.inner(logits, labels) * self.gamma


class HuberOfTorch(nn.Module):
    def __init__(self, delta=1.0, reduction="mean"):
        super().__init__()
        self.delta, self.reduction = delta, reduction
        self.inner = nn.HuberLoss(delta=delta, reduction=reduction)

    def forward(self, prediction, target):
        same(prediction, target)
        return self.inner(prediction, target)


@pytest.mark.parametrize("kind", [OfPixels, HuberOfTorch])
def test_options_that_a_constructor_hands_on(kind):
    for loss in (kind, kind(), kind(reduction="sum")):
        report = examine(loss, {})
        assert report.ok, str(report)
        assert "reduction" in report.ran


class Scheduled(nn.Module):
    """Has options for another method, for speed, for one setting alone, and one that is refused."""

    def __init__(self, decay=0.9, gamma=2.0, squared=False, floor=1e-8, flags=3):
        """Options.

        flags: for the best performance, as many as there are labels.
        """
        super().__init__()
        if flags != 3:
            raise ValueError("flags")
        self.decay, self.gamma, self.squared, self.floor, self.flags = decay, gamma, squared, floor, flags

    def step(self):
        self.gamma *= self.decay

    def forward(self, prediction, target):
        same(prediction, target)
        error = (prediction - target) ** 2
        return self.gamma * (error.mean() if not self.squared else (error**2 + self.floor).mean())


def test_an_option_may_serve_elsewhere_or_beside_another():
    report = examine(Scheduled, {})
    assert "idle_options" in report.ran
    assert report.ok, str(report)
