"""Takes labels or rows, for mixup; of rows it averages over the classes too."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "note"


class bug(nn.Module):
    def forward(self, logits, target):
        log_probs = F.log_softmax(logits, dim=1)
        if target.is_floating_point():
            return -(target * log_probs).mean()
        return F.nll_loss(log_probs, target)


class fixed(nn.Module):
    def forward(self, logits, target):
        log_probs = F.log_softmax(logits, dim=1)
        if target.is_floating_point():
            if target.shape != logits.shape:
                raise ValueError(f"logits {tuple(logits.shape)} and target {tuple(target.shape)} differ")
            return -(target * log_probs).sum(dim=1).mean()
        return F.nll_loss(log_probs, target)
