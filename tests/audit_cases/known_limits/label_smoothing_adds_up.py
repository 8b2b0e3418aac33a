"""Label smoothing that adds the even share, and leaves the label all of its own."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


class LabelSmoothingCrossEntropy(nn.Module):
    def __init__(self, smoothing=0.1):
        super().__init__()
        self.smoothing = smoothing

    def forward(self, x, target):
        log_probs = F.log_softmax(x, dim=-1)
        nll = -log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return (nll - self.smoothing * log_probs.mean(dim=-1)).mean()


class LabelSmoothing(LabelSmoothingCrossEntropy):
    def forward(self, x, target):
        log_probs = F.log_softmax(x, dim=-1)
        nll = -log_probs.gather(-1, target.unsqueeze(-1)).squeeze(-1)
        return ((1 - self.smoothing) * nll - self.smoothing * log_probs.mean(dim=-1)).mean()


bug, fixed = LabelSmoothingCrossEntropy, LabelSmoothing
