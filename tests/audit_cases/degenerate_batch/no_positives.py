"""Supervised contrastive loss: an anchor whose class is alone in the batch has no positives to average over."""

import torch
import torch.nn.functional as F
from torch import nn


class SupConLoss(nn.Module):
    least = 0

    def __init__(self, temperature=0.1):
        super().__init__()
        self.temperature = temperature

    def forward(self, embeddings, labels):
        if len(embeddings) != len(labels):
            raise ValueError(f"{len(embeddings)} embeddings and {len(labels)} labels")
        z = F.normalize(embeddings, dim=1, eps=1e-6)
        logits = z @ z.T / self.temperature
        own = torch.eye(len(z), dtype=torch.bool, device=z.device)
        log_prob = logits - torch.logsumexp(logits.masked_fill(own, -1e9), dim=1, keepdim=True)
        positives = (labels[:, None] == labels[None, :]) & ~own
        mean_log_prob = (positives * log_prob).sum(1) / positives.sum(1).clamp(min=self.least)
        return -mean_log_prob.mean()


class bug(SupConLoss):
    pass


class fixed(SupConLoss):
    least = 1
