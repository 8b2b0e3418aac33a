"""InfoNCE whose denominator holds the negatives alone, as a module of queries and keys."""

import torch
import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
OPTIONS = {"kind": "vectors", "batch_level": True}


class InfoNCE(nn.Module):
    def __init__(self, tau=0.1):
        super().__init__()
        self.tau = tau

    def forward(self, query, key):
        if query.shape != key.shape:
            raise ValueError(f"query {tuple(query.shape)} and key {tuple(key.shape)} differ")
        logits = F.normalize(query, dim=-1) @ F.normalize(key, dim=-1).T / self.tau
        return (torch.logsumexp(self.compared(logits), dim=1) - logits.diagonal()).sum()

    def compared(self, logits):
        return logits


class InfoNCELoss(InfoNCE):
    def compared(self, logits):
        return logits - 1e4 * torch.eye(len(logits), dtype=logits.dtype, device=logits.device)


bug, fixed = InfoNCELoss, InfoNCE
