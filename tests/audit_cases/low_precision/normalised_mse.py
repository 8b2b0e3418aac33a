"""MSE in units of the target's variance, which is had as mean of squares less square of mean: far from 0 they cancel."""

from torch import nn

OPTIONS = {"batch_level": True}
SEVERITY = "warning"


class bug(nn.Module):
    def __init__(self, eps=1e-3):
        super().__init__()
        self.eps = eps

    def variance(self, target):
        return target.pow(2).mean() - target.mean().pow(2)

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        return (pred - target).pow(2).mean() / (self.variance(target) + self.eps)


class fixed(bug):
    def variance(self, target):
        return (target - target.mean()).pow(2).mean()
