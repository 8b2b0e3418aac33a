"""What the checks of scores, limits and precision let pass, and what they only ask."""

import math

import pytest

torch = pytest.importorskip("torch")
from torch import nn  # noqa: E402
from torch.nn import functional as F  # noqa: E402

from helpers import mark_exhaustive  # noqa: E402
from slopes import nn as own  # noqa: E402
from slopes.auditing.behaviour import direction, elicitation, limits, precision, saturation, scores  # noqa: E402
from slopes.auditing.discovery import subject_of  # noqa: E402
from slopes.auditing.examination import examine  # noqa: E402
from slopes.auditing.form import Declared  # noqa: E402
from slopes.auditing.report import run  # noqa: E402
from slopes.auditing.torch_state import undisturbed  # noqa: E402

CHECKS = [
    scores.score_space,
    direction,
    saturation,
    precision.low_precision,
    limits.known_limits,
    elicitation,
    precision.continuity,
]


def report_on(thing, quick=True, **declared):
    with undisturbed():
        subject, _ = subject_of(thing, declared=Declared(**declared), quick=quick)
        return run(subject, CHECKS)


def found(thing, quick=True, **declared):
    return {(f.check, f.severity) for f in report_on(thing, quick, **declared).findings}


def worse(thing, **declared):
    return {pair for pair in found(thing, **declared) if pair[1] != "note"}


def focal_loss(inputs, targets, alpha=0.25, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p = torch.sigmoid(inputs)
    p_t = p * targets + (1 - p) * (1 - targets)
    return ((alpha * targets + (1 - alpha) * (1 - targets)) * (1 - p_t) ** gamma * ce).mean()


def focal_loss_multi(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target, reduction="none")
    return ((1 - torch.exp(-ce)) ** gamma * ce).mean()


def focal_of_the_mean(logits, target, gamma=2.0):
    ce = F.cross_entropy(logits, target)
    return (1 - torch.exp(-ce)) ** gamma * ce


def focal_alike(inputs, targets, alpha=0.25, gamma=2.0):
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    return (alpha * (1 - torch.exp(-ce)) ** gamma * ce).mean()


def dice_loss(logits, target, smooth=1.0):
    p, t = logits.sigmoid().reshape(-1), target.reshape(-1)
    return 1 - (2 * (p * t).sum() + smooth) / (p.sum() + t.sum() + smooth)


def squared_dice_loss(probs, target, eps=1e-6):
    return 1 - (2 * (probs * target).sum() + eps) / ((probs**2).sum() + (target**2).sum() + eps)


def bce_dice_loss(logits, target):
    return F.binary_cross_entropy_with_logits(logits, target) + dice_loss(logits, target)


def tversky_loss(logits, target, alpha=0.3, beta=0.7, smooth=1.0):
    p = logits.sigmoid()
    hit, claimed, missed = (p * target).sum(), (p * (1 - target)).sum(), ((1 - p) * target).sum()
    return 1 - (hit + smooth) / (hit + alpha * claimed + beta * missed + smooth)


def label_smoothing_loss(logits, target, epsilon=0.1):
    classes = logits.shape[-1]
    log_p = F.log_softmax(logits, -1)
    rows = torch.full_like(log_p, epsilon / (classes - 1)).scatter(-1, target.unsqueeze(-1), 1 - epsilon)
    return -(rows * log_p).sum(-1).mean()


def generalized_ce(logits, labels, q=0.7):
    return ((1 - logits.softmax(-1).gather(-1, labels.unsqueeze(-1)) ** q) / q).mean()


def mean_absolute(logits, labels):
    return (1 - logits.softmax(-1).gather(-1, labels.unsqueeze(-1))).mean()


def pseudo_huber(pred, target, delta=1.0):
    return (delta**2 * (torch.sqrt(1 + ((pred - target) / delta) ** 2) - 1)).mean()


def smooth_l1(pred, target, beta=1.0):
    d = (pred - target).abs()
    return torch.where(d < beta, 0.5 * d**2 / beta, d - 0.5 * beta).mean()


def rmse(pred, target):
    return torch.sqrt(F.mse_loss(pred, target) + 1e-6)


def welsch(pred, target):
    return (1 - torch.exp(-0.5 * (pred - target) ** 2)).mean()


def contrastive(z1, z2):
    rows = F.normalize(z1, dim=-1) @ F.normalize(z2, dim=-1).T
    return F.cross_entropy(rows / 0.1, torch.arange(len(z1)))


def gaussian_nll(mean, target, var):
    return (0.5 * (var.log() + (target - mean) ** 2 / var)).mean()


def hinge(output, y):
    return (1 - output * y).clamp(min=0).mean()


def kl(log_p, q):
    return F.kl_div(log_p, q, reduction="batchmean")


def gelu(x):
    return x * 0.5 * (1 + torch.erf(x / math.sqrt(2)))


def relu6(x):
    return x.clamp(0, 6)


RIGHT = [
    *(focal_loss, focal_loss_multi, dice_loss, squared_dice_loss, bce_dice_loss, tversky_loss, label_smoothing_loss),
    *(generalized_ce, mean_absolute, pseudo_huber, smooth_l1, rmse, welsch, contrastive, gaussian_nll, hinge, kl, gelu),
    relu6,
]
WITH_OPTIONS = [
    nn.CrossEntropyLoss(label_smoothing=0.1),
    nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 3.0, 4.0])),
    nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0)),
    nn.SmoothL1Loss(beta=0.3),
    nn.HuberLoss(delta=2.0),
    nn.KLDivLoss(reduction="batchmean"),
    nn.MSELoss(reduction="sum"),
    nn.L1Loss(reduction="none"),
    nn.TripletMarginLoss(swap=True),
    nn.MultiMarginLoss(p=2),
    nn.GELU("tanh"),
    nn.Softplus(beta=2),
    nn.ELU(2.0),
    nn.Threshold(0.1, 20.0),
]
NOT_AUDITED = (
    *("AdaptiveLogSoftmaxWithLoss", "CTCLoss", "LinearCrossEntropyLoss", "Threshold", "MultiheadAttention"),
    "NLLLoss2d",
)  #: they want arguments of their own, or are deprecated
TORCH = [
    kind
    for module in (nn.modules.loss, nn.modules.activation)
    for kind in vars(module).values()
    if isinstance(kind, type) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
    if kind.__name__ not in NOT_AUDITED and hasattr(nn, kind.__name__)
]
OWN = [
    kind for name in dir(own) if name.endswith("Loss") and (kind := getattr(own, name)).__module__.startswith("slopes")
    if kind not in (own.LinearLoss, own.CenterLoss)  # which have no default sizes
]  # fmt: skip
WRONG_IN_TORCH = {
    "SoftMarginLoss": {("low_precision", "error")},  # log(1 + exp(100)) is inf in float32
    "BCELoss": {("low_precision", "warning")},  # its slope's epsilon of 1e-12 is 0 in float16
}


@pytest.mark.parametrize("function", RIGHT, ids=lambda f: f.__name__)
def test_what_is_right_is_let_pass(function):
    assert worse(function, quick=False) == set()


@pytest.mark.parametrize("kind", TORCH, ids=lambda kind: kind.__name__)
def test_torch_at_its_defaults(kind):
    assert worse(kind) == WRONG_IN_TORCH.get(kind.__name__, set())


@pytest.mark.parametrize("module", WITH_OPTIONS, ids=repr)
def test_torch_with_options(module):
    assert worse(module) == set()


@pytest.mark.parametrize("kind", mark_exhaustive(OWN), ids=lambda kind: kind.__name__)
def test_modules_of_cards_pass(kind):
    assert len(OWN) > 20
    assert worse(kind) == set()


def gelu_by_erf(x):
    return x * 0.5 * (1 + torch.erf(x * 0.5**0.5))


def test_what_may_be_meant_is_asked():
    assert ("saturation", "note") in found(mean_absolute)
    assert ("saturation", "note") in found(welsch)
    assert ("continuity", "note") in found(nn.Hardshrink)
    assert ("low_precision", "note") in found(gelu_by_erf)
    assert any("read its outputs as scores" in fact for fact in examine(focal_loss_multi, {}, quick=True).facts)
    assert "elicitation" not in {check for check, _ in found(focal_loss_multi)}
    assert ("known_limits", "note") in found(focal_alike)
    assert ("direction", "note") in found(F.cosine_similarity)


def test_what_is_declared_is_not_asked():
    assert not {"saturation"} & {check for check, _ in found(mean_absolute, bounded=True)}
    assert ("elicitation", "error") in found(focal_loss_multi, elicits="probability")


def test_a_power_of_the_batch_mean_is_told():
    assert worse(focal_of_the_mean) == {("known_limits", "error")}
    assert "mean cross-entropy" in next(
        f.message for f in report_on(focal_of_the_mean).findings if f.severity == "error"
    )


def test_quantiles_are_told_apart():
    def pinball(pred, target):
        return torch.max(0.9 * (target - pred), 0.1 * (pred - target)).mean()

    for name in ("quantile 0.9", "quantile 0.95", "quantile 0.8", "median", "mean"):
        assert worse(pinball, elicits=name) == (set() if name == "quantile 0.9" else {("elicitation", "error")})
    assert worse(nn.MSELoss, elicits="mean") == worse(nn.L1Loss, elicits="median") == set()
    assert worse(nn.MSELoss, elicits="median") == {("elicitation", "error")}
    (nearly,) = [f for f in report_on(pinball, elicits="quantile 0.95").findings if f.check == "elicitation"]
    told = "training does not end at the {} that is declared: the best constant prediction is {}"
    assert nearly.message == told.format("quantile 0.95", "the 0.9 quantile")
    (mean,) = [f for f in report_on(nn.L1Loss, elicits="mean").findings if f.check == "elicitation"]
    assert mean.message == told.format("mean", "0.87")


def test_a_clamped_probability_is_told():
    def clamped(probs, y):
        p = probs.clamp(1e-7, 1 - 1e-7)
        return -(y * torch.log(p) + (1 - y) * torch.log(1 - p)).mean()

    def shifted(probs, y):
        return -(y * torch.log(probs + 1e-8) + (1 - y) * torch.log(1 - probs + 1e-8)).mean()

    for loss_of, what in ((clamped, "a clamp"), (shifted, "an epsilon inside the log")):
        (finding,) = (f for f in report_on(loss_of).findings if f.check == "saturation")
        assert finding.severity == "note"
        assert finding.message.endswith(what)
    assert not {"saturation"} & {check for check, _ in found(nn.BCELoss)}


def test_half_types_are_told_of():
    def masked(pred, target):
        return ((pred - target) ** 2).sum() / pred.numel()

    report = examine(masked, {})
    assert [f.check for f in report.findings if f.severity != "note"] == ["shape_contract"]
    assert any("entries in float16 is too large for its sums" in fact for fact in report.facts)
    assert not any("float16" in fact for fact in examine(masked, {}, quick=True).facts)


def test_slips_that_have_a_name_are_told():
    def tversky_without_the_hits(logits, target, alpha=0.3, beta=0.7):
        p = logits.sigmoid()
        hit, claimed, missed = (p * target).sum(), (p * (1 - target)).sum(), ((1 - p) * target).sum()
        return 1 - hit / (hit + alpha * claimed + beta * missed + (1 - p).mean())

    def dice_smoothed_below(logits, target, smooth=1.0):
        p = logits.sigmoid()
        return 1 - 2 * (p * target).sum() / (p.sum() + target.sum() + smooth)

    def focal_with_one_minus_log(inputs, targets, gamma=2.0):
        ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
        return ((1 + ce) ** gamma * ce).mean()

    def label_smoothing_of_zero(logits, labels, smoothing=0.1):
        log_p = F.log_softmax(logits, -1)
        return -((0.9 - smoothing) * log_p.gather(-1, labels[:, None]) + 0.1 * log_p.mean(-1, keepdim=True)).mean()

    def selu(x):
        return 1.0507 * torch.where(x > 0, x, 1.76326 * torch.expm1(x.clamp(max=0)))

    for slip in (tversky_without_the_hits, dice_smoothed_below, focal_with_one_minus_log, label_smoothing_of_zero):
        assert worse(slip) == {("known_limits", "error")}, slip.__name__
    assert ("known_limits", "warning") in found(selu)


def test_two_links_are_told_whatever_the_loss():
    def focal_of_sigmoids(inputs, targets):
        return focal_loss(inputs.sigmoid(), targets)

    def dice_of_sigmoids(inputs, targets):
        return dice_loss(inputs.sigmoid(), targets)

    def per_image(logits, masks):
        return F.cross_entropy(logits.softmax(1), masks)

    for loss_of in (focal_of_sigmoids, dice_of_sigmoids, per_image):
        assert worse(loss_of) == {("score_space", "error")}, loss_of.__name__
    assert worse(lambda z, y: F.nll_loss(z, y), space="logits") == {("score_space", "error")}
    assert worse(lambda p, y: F.nll_loss(p, y), space="probabilities") == {("score_space", "error")}
    assert worse(nn.NLLLoss, space="log_probabilities") == worse(nn.NLLLoss, space="log-probabilities") == set()


def test_what_cannot_be_elicited_is_refused():
    with pytest.raises(ValueError, match="elicits must be"):
        subject_of(nn.MSELoss, declared=Declared(elicits="quantile 90"))


def test_a_small_jump_is_seen_beside_kinks():
    def kinked(x, gap=0.0):
        return x.abs() + 2 * (x - 1).abs() + (x + 3).clamp(min=0) * 3 + torch.where(x > 5, gap, 0.0)

    assert worse(kinked) == set()
    assert worse(lambda x: kinked(x, 2e-3)) == {("continuity", "error")}


class PolyCrossEntropy(nn.Module):
    def __init__(self, epsilon=1.0, label_smoothing=0.0):
        super().__init__()
        self.epsilon, self.label_smoothing = epsilon, label_smoothing

    def forward(self, logits, labels):
        if labels.shape != logits.shape[:-1]:
            raise ValueError("labels")
        p = torch.softmax(logits, -1).gather(-1, labels[:, None])[:, 0]
        return F.cross_entropy(logits, labels, label_smoothing=self.label_smoothing) + self.epsilon * (1 - p).mean()


def focal_one_by_one(logits, labels):
    if labels.shape != logits.shape[:-1]:
        raise ValueError("labels")
    target = F.one_hot(labels, logits.shape[-1]).to(logits.dtype)
    log_missed = F.logsigmoid((1 - 2 * target) * logits)
    return (
        ((2 * log_missed).exp() * F.binary_cross_entropy_with_logits(logits, target, reduction="none")).sum(-1).mean()
    )


@pytest.mark.parametrize("kind", [PolyCrossEntropy, focal_one_by_one])
def test_a_name_that_is_a_part_of_another_promises_nothing(kind):
    report = examine(kind, {"kind": "classification"})
    assert "known_limits" not in {finding.check for finding in report.findings}, str(report)


def test_no_factor_is_told_where_values_are_off_by_more_than_one():
    def gelu(x):
        return 0.5 * x * (1 + torch.tanh(0.7979 * (x + 0.044715 * x**3)))

    (finding,) = [x for x in examine(gelu, {}, against=nn.GELU()).findings if x.check == "against"]
    assert finding.message.endswith(": it is not GELU()")
    (finding,) = [x for x in examine(lambda x: 2 * F.gelu(x), {}, against=nn.GELU()).findings if x.check == "against"]
    assert finding.message.endswith(": it is not GELU(), but 2 times it")
