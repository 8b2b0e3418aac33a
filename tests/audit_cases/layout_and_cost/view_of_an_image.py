"""Log loss of masks, flattened by view: a prediction in channels_last, or permuted, raises in the midst of training."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"
OPTIONS = {"kind": "binary", "space": "logits"}


class bug(nn.Module):
    def flat(self, x):
        return x.view(x.shape[0], -1)

    def forward(self, logits, mask):
        if logits.shape != mask.shape:
            raise ValueError(f"logits {tuple(logits.shape)} and mask {tuple(mask.shape)} differ")
        loss = F.binary_cross_entropy_with_logits(self.flat(logits), self.flat(mask), reduction="none")
        return loss.mean(dim=1).mean()


class fixed(bug):
    def flat(self, x):
        return x.flatten(1)
