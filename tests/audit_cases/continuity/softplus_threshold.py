"""Softplus that turns linear too early: the two pieces are 0.05 apart where they meet."""

import torch


def softplus(x, beta, threshold):
    return torch.where(beta * x > threshold, x, torch.log1p(torch.exp((beta * x).clamp(max=threshold))) / beta)


def bug(x):
    return softplus(x, beta=10, threshold=0.4)


def fixed(x):
    return softplus(x, beta=10, threshold=20)
