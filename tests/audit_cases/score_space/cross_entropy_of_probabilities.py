"""A model that ends in a softmax, trained with cross_entropy of its probabilities."""

import torch
import torch.nn.functional as F

OPTIONS = {"space": "probabilities"}


def bug(probs, labels):
    return F.cross_entropy(probs, labels)


def fixed(probs, labels):
    return -torch.log(probs.gather(-1, labels.unsqueeze(-1))).mean()
