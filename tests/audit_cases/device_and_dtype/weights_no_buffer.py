"""Weights of the outputs as a plain attribute: model.cuda() leaves them behind, and so does the checkpoint."""

import torch
from torch import nn


class bug(nn.Module):
    def __init__(self, weights=(1.0, 3.0, 1.0, 2.0)):
        super().__init__()
        self.weights = torch.tensor(weights)

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        return (self.weights.to(pred) * (pred - target) ** 2).sum(dim=-1).mean()


class fixed(bug):
    def __init__(self, weights=(1.0, 3.0, 1.0, 2.0)):
        nn.Module.__init__(self)
        self.register_buffer("weights", torch.tensor(weights))
