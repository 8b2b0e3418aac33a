"""A weight that grows with each call: validation counts as a step, and a run that goes on starts at 0 again."""

from torch import nn

SEVERITY = "warning"


class bug(nn.Module):
    def __init__(self, warmup=1000):
        super().__init__()
        self.warmup, self.calls = warmup, 0

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        self.calls += 1
        share = self.calls / (self.calls + self.warmup)
        error = prediction - target
        return (error.abs() + share * error**2).mean()


class fixed(nn.Module):
    def __init__(self, share=0.5):
        super().__init__()
        self.share = share  # which the training loop sets

    def forward(self, prediction, target):
        if prediction.shape != target.shape:
            raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
        error = prediction - target
        return (error.abs() + self.share * error**2).mean()
