"""Losses of yes or no as people write them: imbalanced data, many labels, masks of pixels."""

import functools

import torch
from torch import nn
from torch.nn import functional as F

READINGS = {
    "stable_bce": "binary of logits",
    "binary_focal": "binary of logits",
    "FocalBCE": "binary of logits",
    "weightedBCE": "binary of probabilities, target first",
    "pos_weighted": "binary of logits",
    "AsymmetricLoss": "binary of logits",
    "hinge": "margin of real numbers",
    "squared_hinge": "margin of real numbers, target first",
    "logistic": "margin of real numbers",
    "dice_loss": "binary of probabilities",
    "DiceBCELoss": "binary of logits",
    "JaccardLoss": "binary of logits, target first",
    "TverskyLoss": "binary of logits",
    "soft_f1": "binary of logits",
    "coral": "binary of logits",
    "log_loss": "binary of probabilities, target first",
    "brier": "binary of probabilities",
    "lovasz_hinge": "binary of logits",
    "GeneralizedCE": "binary of probabilities",
}
DECLARED = {
    "dice_loss": {"kind": "overlap", "space": "probabilities", "batch_level": True},
    "DiceBCELoss": {"kind": "overlap", "space": "logits", "batch_level": True},
    "JaccardLoss": {"kind": "overlap", "space": "logits", "batch_level": True},
    "TverskyLoss": {"kind": "overlap", "space": "logits", "batch_level": True},
    "lovasz_hinge": {"kind": "overlap", "space": "logits", "batch_level": True},
    "soft_f1": {"kind": "binary", "space": "logits", "batch_level": True},
    "hinge": {"kind": "margin"},
    "squared_hinge": {"kind": "margin"},
    "logistic": {"kind": "margin"},
    "brier": {"kind": "binary", "space": "probabilities", "bounded": True},
    "GeneralizedCE": {"kind": "binary", "space": "probabilities", "bounded": True},
}


def stable_bce(x, z):
    return (x.clamp(min=0) - x * z + torch.log1p(torch.exp(-x.abs()))).mean()


def binary_focal(inputs, targets, alpha: float = 0.25, gamma: float = 2, reduction: str = "mean"):
    ce = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    p_t = torch.exp(-ce)
    alpha_t = alpha * targets + (1 - alpha) * (1 - targets)
    loss = alpha_t * (1 - p_t) ** gamma * ce
    return loss.mean() if reduction == "mean" else loss.sum() if reduction == "sum" else loss


class FocalBCE(nn.Module):
    def __init__(self, gamma=2.0):
        super().__init__()
        self.gamma = gamma
        self.bce = nn.BCEWithLogitsLoss(reduction="none")

    def forward(self, logits, y):
        bce = self.bce(logits, y)
        return ((1 - torch.exp(-bce)) ** self.gamma * bce).mean(), {"bce": bce.mean().item()}


def weightedBCE(yTrue, yPred, w0=1.0, w1=3.0):
    yPred = torch.clamp(yPred, 1e-7, 1 - 1e-7)
    return -(w1 * yTrue * torch.log(yPred) + w0 * (1 - yTrue) * torch.log(1 - yPred)).mean()


pos_weighted = functools.partial(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor(3.0))


class AsymmetricLoss(nn.Module):
    """Asymmetric loss for many labels, without the shift of probabilities."""

    def __init__(self, gamma_neg=4, gamma_pos=1):
        super().__init__()
        self.gamma_neg, self.gamma_pos = gamma_neg, gamma_pos

    def forward(self, x: torch.Tensor, y: torch.LongTensor):
        p = torch.sigmoid(x)
        pos = y * F.logsigmoid(x) * (1 - p) ** self.gamma_pos
        neg = (1 - y) * F.logsigmoid(-x) * p**self.gamma_neg
        return -(pos + neg).sum()


def hinge(outputs, labels):
    return torch.clamp(1 - labels * outputs, min=0).mean()


def squared_hinge(y, f):
    return F.relu(1 - y * f).pow(2).mean()


logistic = lambda score, sign: F.softplus(-sign * score).mean()  # noqa: E731


def dice_loss(pred, target, smooth=1.0):
    pred, target = pred.contiguous().view(-1), target.contiguous().view(-1)
    intersection = (pred * target).sum()
    return 1 - (2.0 * intersection + smooth) / (pred.sum() + target.sum() + smooth)


class DiceBCELoss(nn.Module):
    def __init__(self, weight=None, size_average=True):
        super().__init__()

    def forward(self, inputs, targets, smooth=1):
        probs = torch.sigmoid(inputs).flatten(1)
        t = targets.flatten(1)
        inter = (probs * t).sum(1)
        dice = 1 - (2 * inter + smooth) / (probs.sum(1) + t.sum(1) + smooth)
        return F.binary_cross_entropy_with_logits(inputs, targets) + dice.mean()


class JaccardLoss(nn.Module):
    def forward(self, ground_truth, raw_output):
        p = raw_output.sigmoid().reshape(-1)
        g = ground_truth.reshape(-1).to(p.dtype)
        i = (p * g).sum()
        return 1 - (i + 1.0) / (p.sum() + g.sum() - i + 1.0)


class TverskyLoss(nn.Module):
    def __init__(self, alpha=0.3, beta=0.7, smooth=1.0):
        super().__init__()
        self.alpha, self.beta, self.smooth = alpha, beta, smooth

    def forward(self, inputs, targets):
        p, t = torch.sigmoid(inputs).view(-1), targets.view(-1)
        tp, fp, fn = (p * t).sum(), ((1 - t) * p).sum(), (t * (1 - p)).sum()
        return 1 - (tp + self.smooth) / (tp + self.alpha * fp + self.beta * fn + self.smooth)


def soft_f1(logits, y):
    p = torch.sigmoid(logits)
    tp, fp, fn = (p * y).sum(), (p * (1 - y)).sum(), ((1 - p) * y).sum()
    return 1 - 2 * tp / (2 * tp + fp + fn + 1e-8)


def coral(logits, levels):
    """Ordinal regression: one yes or no for each threshold."""
    return -(F.logsigmoid(logits) * levels + (F.logsigmoid(logits) - logits) * (1 - levels)).sum(dim=-1).mean()


def log_loss(actual, predicted):
    eps = 1e-7
    predicted = predicted.clamp(eps, 1 - eps)
    return torch.mean(-actual * predicted.log() - (1 - actual) * (1 - predicted).log())


def brier(prob, outcome):
    return ((prob - outcome) ** 2).mean()


def lovasz_hinge(logits, labels):
    logits, labels = logits.view(-1), labels.view(-1)
    signs = 2.0 * labels - 1.0
    errors, perm = torch.sort(1.0 - logits * signs, descending=True)
    gt = labels[perm]
    total = gt.sum()
    jaccard = 1.0 - (total - gt.cumsum(0)) / (total + (1 - gt).cumsum(0))
    jaccard = torch.cat([jaccard[:1], jaccard[1:] - jaccard[:-1]])
    return torch.dot(F.relu(errors), jaccard)


class GeneralizedCE(nn.Module):
    """(1 - p^q) / q for noisy labels."""

    def __init__(self, q=0.7):
        super().__init__()
        self.q = q

    def forward(self, p, t):
        right = p * t + (1 - p) * (1 - t)
        return ((1 - right.clamp(min=1e-6) ** self.q) / self.q).mean()
