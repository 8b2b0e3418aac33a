"""Squeezes away the channel, and the batch with it where it is one: the softmax is then over another axis."""

import torch.nn.functional as F
from torch import nn


class bug(nn.Module):
    def forward(self, logits, labels):
        if logits.ndim != 2 or labels.shape != logits.shape[:1]:
            raise ValueError(f"logits {tuple(logits.shape)} do not go with labels {tuple(labels.shape)}")
        log_probs = F.log_softmax(logits.squeeze(), dim=-1).reshape(-1)
        entries = len(log_probs) // len(labels)
        starts = (labels.new_ones(len(labels)).cumsum(0) - 1) * entries
        picked = log_probs[starts + labels]
        return -picked.sum() / logits.squeeze().shape[0]


class fixed(nn.Module):
    def forward(self, logits, labels):
        return F.nll_loss(F.log_softmax(logits, dim=-1), labels)
