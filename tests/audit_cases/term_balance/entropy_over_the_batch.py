"""Cross-entropy is a mean over rows, and the entropy bonus of the policy a sum over them."""

import torch.nn.functional as F
from torch import nn

SEVERITY = "warning"


def entropy(logits):
    log_probs = F.log_softmax(logits, dim=-1)
    return -(log_probs.exp() * log_probs).sum(dim=-1)


class PolicyLoss(nn.Module):
    def __init__(self, beta=0.01):
        super().__init__()
        self.beta = beta

    def bonus(self, logits, actions):
        return -self.beta * self.reduce(entropy(logits))

    def forward(self, logits, actions):
        return F.cross_entropy(logits, actions) + self.bonus(logits, actions)


class bug(PolicyLoss):
    def reduce(self, x):
        return x.sum()


class fixed(PolicyLoss):
    def reduce(self, x):
        return x.mean()


BUG_OPTIONS = {"terms": {"imitation": F.cross_entropy, "entropy": bug().bonus}}
FIXED_OPTIONS = {"terms": {"imitation": F.cross_entropy, "entropy": fixed().bonus}}
