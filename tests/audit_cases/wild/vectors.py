"""Losses of vectors, pairs, triplets, views and boxes as people write them."""

import torch
import torch.nn.functional as F
from torch import nn

READINGS = {
    "cosine_loss": "vectors of real numbers",
    "ContrastiveLoss": "pairs of real numbers",
    "TripletLoss": "triplets of real numbers",
    "triplet_cosine": "triplets of real numbers",
    "ranking": "ranking of real numbers",
    "SupConLoss": "embeddings of real numbers",
    "NTXentLoss": "vectors of real numbers",
    "InfoNCE": "vectors of real numbers",
    "barlow": "vectors of real numbers",
    "vicreg": None,
    "bpr": None,
    "wgan": None,
    "giou_loss": "boxes of boxes",
    "iou_loss": "boxes of boxes",
    "gaussian_nll": "variance of real numbers",
    "CenterLoss": None,
}
DECLARED = {
    "cosine_loss": {"kind": "vectors"},
    "ContrastiveLoss": {"kind": "pairs"},
    "ranking": {"kind": "ranking"},
    "SupConLoss": {"kind": "embeddings"},
    "NTXentLoss": {"kind": "vectors", "batch_level": True},
    "InfoNCE": {"kind": "vectors", "batch_level": True},
    "barlow": {"kind": "vectors", "batch_level": True},
    "vicreg": {"kind": "vectors", "batch_level": True},
    "giou_loss": {"kind": "boxes"},
    "iou_loss": {"kind": "boxes"},
}


def cosine_loss(a, b):
    return (1 - F.cosine_similarity(a, b, dim=-1)).mean()


class ContrastiveLoss(nn.Module):
    """Hadsell's: label 1 for a pair that belongs together, 0 for another."""

    def __init__(self, margin=2.0):
        super().__init__()
        self.margin = margin

    def forward(self, output1, output2, label):
        d = F.pairwise_distance(output1, output2)
        return torch.mean(label * d.pow(2) + (1 - label) * torch.clamp(self.margin - d, min=0.0).pow(2))


class TripletLoss(nn.Module):
    def __init__(self, margin=1.0):
        super().__init__()
        self.margin = margin

    def calc_euclidean(self, x1, x2):
        return (x1 - x2).pow(2).sum(1)

    def forward(self, anchor, positive, negative):
        return torch.relu(
            self.calc_euclidean(anchor, positive) - self.calc_euclidean(anchor, negative) + self.margin
        ).mean()


def triplet_cosine(a, pos, neg, margin=0.2):
    return F.relu(F.cosine_similarity(a, neg) - F.cosine_similarity(a, pos) + margin).mean()


def ranking(x1, x2, y):
    return F.relu(0.5 - y * (x1 - x2)).mean()


class SupConLoss(nn.Module):
    def __init__(self, temperature=0.1):
        super().__init__()
        self.t = temperature

    def forward(self, features, labels):
        z = F.normalize(features, dim=1)
        sim = z @ z.T / self.t
        eye = torch.eye(len(z), dtype=torch.bool)
        same = (labels[:, None] == labels[None, :]) & ~eye
        log_p = sim - torch.logsumexp(sim.masked_fill(eye, float("-inf")), 1, keepdim=True)
        return (-(log_p * same).sum(1) / same.sum(1).clamp(min=1)).mean()


class NTXentLoss(nn.Module):
    def __init__(self, temperature=0.5):
        super().__init__()
        self.temperature = temperature

    def forward(self, z_i, z_j):
        n = z_i.size(0)
        z = F.normalize(torch.cat([z_i, z_j]), dim=1)
        sim = z @ z.T / self.temperature
        sim = sim.masked_fill(torch.eye(2 * n, dtype=torch.bool), float("-inf"))
        target = torch.cat([torch.arange(n, 2 * n), torch.arange(n)])
        return F.cross_entropy(sim, target)


class InfoNCE(nn.Module):
    def forward(self, query, positive_key):
        q, k = F.normalize(query, dim=-1), F.normalize(positive_key, dim=-1)
        return F.cross_entropy(q @ k.transpose(-2, -1) / 0.1, torch.arange(len(q)))


def barlow(z1, z2, lambd=5e-3):
    n = len(z1)
    a, b = ((z - z.mean(0)) / (z.std(0) + 1e-4) for z in (z1, z2))
    c = a.T @ b / n
    on = (torch.diagonal(c) - 1).pow(2).sum()
    return on + lambd * (c.pow(2).sum() - torch.diagonal(c).pow(2).sum())


def vicreg(x, y):
    n, d = x.shape
    loss = 25.0 * F.mse_loss(x, y)
    for z in (x, y):
        z = z - z.mean(0)
        loss = loss + 25.0 * F.relu(1 - torch.sqrt(z.var(0) + 1e-4)).mean()
        cov = z.T @ z / (n - 1)
        loss = loss + (cov.pow(2).sum() - cov.diagonal().pow(2).sum()) / d
    return loss


def bpr(pos_scores, neg_scores):
    return -F.logsigmoid(pos_scores - neg_scores).mean()


def wgan(real_validity, fake_validity):
    return fake_validity.mean() - real_validity.mean()


def _areas(b):
    return (b[..., 2] - b[..., 0]).clamp(min=0) * (b[..., 3] - b[..., 1]).clamp(min=0)


def giou_loss(pred_boxes, gt_boxes):
    lt, rb = torch.max(pred_boxes[..., :2], gt_boxes[..., :2]), torch.min(pred_boxes[..., 2:], gt_boxes[..., 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    union = _areas(pred_boxes) + _areas(gt_boxes) - inter
    lt, rb = torch.min(pred_boxes[..., :2], gt_boxes[..., :2]), torch.max(pred_boxes[..., 2:], gt_boxes[..., 2:])
    hull = (rb - lt).clamp(min=0).prod(-1)
    return (1 - inter / (union + 1e-7) + (hull - union) / (hull + 1e-7)).mean()


def iou_loss(boxes, targets):
    lt, rb = torch.max(boxes[..., :2], targets[..., :2]), torch.min(boxes[..., 2:], targets[..., 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    return (1 - inter / (_areas(boxes) + _areas(targets) - inter + 1e-7)).mean()


def gaussian_nll(mu, y, var):
    return 0.5 * (torch.log(var) + (y - mu) ** 2 / var).mean()


class CenterLoss(nn.Module):
    def __init__(self, num_classes=10, feat_dim=4):
        super().__init__()
        self.centers = nn.Parameter(torch.randn(num_classes, feat_dim, generator=torch.Generator().manual_seed(0)))

    def forward(self, feats, labels):
        return ((feats - self.centers[labels]) ** 2).sum(1).mean() / 2
