"""ELU as in many repositories: exp overflows in the branch that is not taken."""

import torch


def bug(x):
    return torch.where(x > 0, x, torch.exp(x) - 1)


def fixed(x):
    return torch.where(x > 0, x, torch.expm1(torch.where(x > 0, 0.0, x)))
