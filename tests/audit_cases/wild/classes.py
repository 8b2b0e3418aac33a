"""Losses of classes as people write them, with labels, one-hot rows, soft targets and teachers."""

import functools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

READINGS = {
    "FocalLoss": "classification of logits",
    "LabelSmoothingCE": "classification of logits",
    "soft_cross_entropy": "classification of logits",
    "nll": "classification of log-probabilities",
    "categorical_crossentropy": "classification of probabilities, target first",
    "PolyLoss": "classification of logits",
    "weighted_ce": "classification of logits",
    "pixel_ce": "classification of logits",
    "SequenceLoss": "classification of logits",
    "Criterion": "classification of logits",
    "compute": "classification of logits",
    "smoothed": "classification of logits",
    "kd_loss": "distillation of logits",
    "DistillLoss": "distillation of logits, target first",
    "kl": "distribution of log-probabilities",
    "js_divergence": "distribution of probabilities",
    "GCELoss": "classification of logits",
    "SCELoss": "classification of logits",
    "multiclass_dice": "classification of logits",
    "scripted": "classification of logits",
    "dict_loss": "classification of logits",
    "logit_adjusted": "classification of logits",
}
DECLARED = {
    "GCELoss": {"kind": "classification", "space": "logits", "bounded": True},
    "multiclass_dice": {"kind": "overlap", "space": "logits", "batch_level": True},
    "kl": {"kind": "distribution", "space": "log_probabilities"},
    "js_divergence": {"kind": "distribution", "space": "probabilities", "bounded": True},
    "kd_loss": {"kind": "distillation"},
    "DistillLoss": {"kind": "distillation"},
    "nll": {"kind": "classification", "space": "log_probabilities"},
    "categorical_crossentropy": {"kind": "classification", "space": "probabilities"},
}


class FocalLoss(nn.Module):
    def __init__(self, gamma=2, alpha=None):
        super().__init__()
        self.gamma, self.alpha = gamma, alpha

    def forward(self, input, target):
        ce = F.cross_entropy(input, target, weight=self.alpha, reduction="none")
        pt = torch.exp(-ce)
        return ((1 - pt) ** self.gamma * ce).mean()


class LabelSmoothingCE(nn.Module):
    def __init__(self, classes=4, smoothing=0.1, dim=-1):
        super().__init__()
        self.confidence = 1.0 - smoothing
        self.smoothing, self.cls, self.dim = smoothing, classes, dim

    def forward(self, pred: Tensor, target: Tensor) -> Tensor:
        pred = pred.log_softmax(dim=self.dim)
        with torch.no_grad():
            true_dist = torch.full_like(pred, self.smoothing / (pred.size(self.dim) - 1))
            true_dist.scatter_(1, target.data.unsqueeze(1), self.confidence)
        return torch.mean(torch.sum(-true_dist * pred, dim=self.dim))


def soft_cross_entropy(pred, soft_targets):
    return torch.mean(torch.sum(-soft_targets * F.log_softmax(pred, dim=1), 1))


def nll(log_probs, tags):
    return -log_probs[range(tags.shape[0]), tags].mean()


def categorical_crossentropy(y_true, y_pred):
    """Keras's, on one-hot rows and the outputs of a softmax."""
    y_pred = torch.clamp(y_pred, 1e-7, 1.0)
    return -(y_true * torch.log(y_pred)).sum(-1).mean()


class PolyLoss(nn.Module):
    def __init__(self, epsilon: int = 1.0):
        super().__init__()
        self.epsilon = epsilon

    def forward(self, outputs, labels):
        ce = F.cross_entropy(outputs, labels, reduction="none")
        pt = torch.exp(-ce)
        return (ce + self.epsilon * (1 - pt)).mean()


def make_weighted(weights):
    def loss(logits, labels):
        return F.cross_entropy(logits, labels, weight=weights.to(logits.dtype))

    return loss


weighted_ce = make_weighted(torch.tensor([1.0, 2.0, 0.5, 1.0]))


def pixel_ce(out, gt):
    c = out.shape[1]
    log_p = F.log_softmax(out, dim=1).permute(0, 2, 3, 1).reshape(-1, c)
    return F.nll_loss(log_p, gt.reshape(-1), ignore_index=255)


class SequenceLoss(nn.Module):
    """For a language model: logits (batch, time, words), tokens (batch, time)."""

    def forward(self, logits, tokens):
        return F.cross_entropy(logits.reshape(-1, logits.size(-1)), tokens.reshape(-1), ignore_index=-100)


@dataclass
class Criterion:
    smoothing: float = 0.0

    def __call__(self, scores, answer):
        return F.cross_entropy(scores, answer, label_smoothing=self.smoothing)


class Trainer:
    temperature = 1.0

    def compute_loss(self, preds, lbls):
        return F.cross_entropy(preds / self.temperature, lbls)

    @staticmethod
    def static(preds, lbls):
        return F.cross_entropy(preds, lbls)


compute = Trainer().compute_loss
smoothed = functools.partial(F.cross_entropy, label_smoothing=0.1)


def kd_loss(student_logits, teacher_logits, T=4.0):
    p = F.log_softmax(student_logits / T, dim=-1)
    q = F.softmax(teacher_logits / T, dim=-1)
    return F.kl_div(p, q, reduction="batchmean") * T * T


class DistillLoss(nn.Module):
    def __init__(self, tau=2.0):
        super().__init__()
        self.tau = tau

    def forward(self, teacher_out, student_out):
        t = (teacher_out / self.tau).softmax(-1).detach()
        return -(t * (student_out / self.tau).log_softmax(-1)).sum(-1).mean() * self.tau**2


def kl(log_q, p):
    return F.kl_div(log_q, p, reduction="batchmean")


def js_divergence(p, q):
    m = (0.5 * (p + q)).clamp(min=1e-9)
    one = (p * (p.clamp(min=1e-9).log() - m.log())).sum(-1)
    other = (q * (q.clamp(min=1e-9).log() - m.log())).sum(-1)
    return 0.5 * (one + other).mean()


class GCELoss(nn.Module):
    def __init__(self, q=0.7):
        super().__init__()
        self.q = q

    def forward(self, logits, labels):
        p = F.softmax(logits, dim=1).gather(1, labels.unsqueeze(1)).squeeze(1)
        return ((1 - p.clamp(min=1e-7) ** self.q) / self.q).mean()


class SCELoss(nn.Module):
    """Symmetric cross-entropy: the usual one, plus that with prediction and labels exchanged."""

    def __init__(self, alpha=1.0, beta=0.5, num_classes=4):
        super().__init__()
        self.alpha, self.beta, self.num_classes = alpha, beta, num_classes

    def forward(self, pred, labels):
        ce = F.cross_entropy(pred, labels)
        p = F.softmax(pred, dim=1)
        one_hot = F.one_hot(labels, self.num_classes).to(p.dtype).clamp(min=1e-4, max=1.0)
        rce = -(p * one_hot.log()).sum(1).mean()
        return self.alpha * ce + self.beta * rce


def multiclass_dice(logits, true, eps=1.0):
    num_classes = logits.shape[1]
    one_hot = F.one_hot(true, num_classes).movedim(-1, 1).to(logits.dtype)
    probs = F.softmax(logits, dim=1)
    dims = (0, *range(2, true.ndim + 1))
    inter = (probs * one_hot).sum(dims)
    return 1 - ((2 * inter + eps) / ((probs + one_hot).sum(dims) + eps)).mean()


class _Plain(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return torch.logsumexp(x, 1).mean() - x.gather(1, y.unsqueeze(1)).mean()


scripted = torch.jit.script(_Plain())


def dict_loss(logits, label):
    ce = F.cross_entropy(logits, label)
    return {"loss": ce, "perplexity": ce.detach().exp()}


PRIOR = torch.tensor([0.4, 0.3, 0.2, 0.1])


def logit_adjusted(logits, labels, tau=1.0):
    return F.cross_entropy(logits + tau * PRIOR.log().to(logits), labels)
