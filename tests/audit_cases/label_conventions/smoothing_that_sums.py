"""Label smoothing with a sum over the classes where a mean belongs: the target adds up to more than 1."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class LabelSmoothing(nn.Module):
    def __init__(self, smoothing=0.0):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, logits, target):
        log_probs = F.log_softmax(logits, dim=-1)
        nll = F.nll_loss(log_probs, target)
        return (1 - self.smoothing) * nll + self.smoothing * self.uniform(log_probs).mean()


class bug(LabelSmoothing):
    def uniform(self, log_probs):
        return -log_probs.sum(dim=-1)


class fixed(LabelSmoothing):
    def uniform(self, log_probs):
        return -log_probs.mean(dim=-1)
