"""Rare positives are weighed up, and the outputs read as probabilities all the same."""

import torch
from torch import nn

OPTIONS = {"elicits": "probability"}


class bug(nn.Module):
    def __init__(self):
        super().__init__()
        self.criterion = nn.BCEWithLogitsLoss(pos_weight=torch.tensor(5.0))

    def forward(self, logits, targets):
        return self.criterion(logits, targets)


fixed = nn.BCEWithLogitsLoss
