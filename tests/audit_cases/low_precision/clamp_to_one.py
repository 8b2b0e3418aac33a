"""Binary cross-entropy of clamped probabilities: 1 − 1e-7 is 1 in both half types."""

import torch

SEVERITY = "warning"
OPTIONS = {"kind": "binary", "space": "probabilities"}


def loss(p, target, eps):
    p = p.clamp(eps, 1 - eps)
    return -(target * torch.log(p) + (1 - target) * torch.log(1 - p)).mean()


def check(probabilities, target):
    if probabilities.shape != target.shape:
        raise ValueError(f"probabilities {tuple(probabilities.shape)} and target {tuple(target.shape)} differ")


def bug(probabilities, target):
    check(probabilities, target)
    return loss(probabilities, target, 1e-7)


def fixed(probabilities, target):
    check(probabilities, target)
    return loss(probabilities, target, max(1e-7, torch.finfo(probabilities.dtype).eps))
