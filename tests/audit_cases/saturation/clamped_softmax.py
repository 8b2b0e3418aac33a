"""Categorical cross-entropy as in Keras: probabilities are clamped, and the gradient is 0 where they are."""

import torch
import torch.nn.functional as F
from torch import nn

EPSILON = 1e-7


class bug(nn.Module):
    def forward(self, logits, labels):
        probs = F.softmax(logits, dim=-1).clamp(EPSILON, 1.0 - EPSILON)
        return -torch.log(probs.gather(-1, labels.unsqueeze(-1))).mean()


class fixed(nn.Module):
    def forward(self, logits, labels):
        log_probs = F.log_softmax(logits, dim=-1)
        return -log_probs.gather(-1, labels.unsqueeze(-1)).mean()
