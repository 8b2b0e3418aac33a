"""Huber loss whose delta is a buffer: .item() waits for the GPU at each step and breaks the graph."""

import torch
from torch import nn

SEVERITY = "warning"


class bug(nn.Module):
    def __init__(self, delta=1.0):
        super().__init__()
        self.register_buffer("delta", torch.tensor(delta))

    def threshold(self):
        return self.delta.item()

    def forward(self, pred, target):
        if pred.shape != target.shape:
            raise ValueError(f"pred {tuple(pred.shape)} and target {tuple(target.shape)} differ")
        delta = self.threshold()
        error = (pred - target).abs()
        return torch.where(error < delta, 0.5 * error**2, delta * (error - 0.5 * delta)).mean()


class fixed(bug):
    def threshold(self):
        return self.delta
