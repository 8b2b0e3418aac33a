"""Reconstruction by a mean and a penalty by a sum: the bigger the batch, the stronger the penalty."""

import torch.nn.functional as F

SEVERITY = "warning"


def reconstruction(prediction, target):
    return F.mse_loss(prediction, target)


def summed_penalty(prediction, target):
    return 0.01 * F.softplus(-prediction).sum()


def mean_penalty(prediction, target):
    return 0.01 * F.softplus(-prediction).mean()


BUG_OPTIONS = {"kind": "regression", "terms": {"reconstruction": reconstruction, "penalty": summed_penalty}}
FIXED_OPTIONS = {"kind": "regression", "terms": {"reconstruction": reconstruction, "penalty": mean_penalty}}


def bug(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return reconstruction(prediction, target) + summed_penalty(prediction, target)


def fixed(prediction, target):
    if prediction.shape != target.shape:
        raise ValueError(f"prediction {tuple(prediction.shape)} and target {tuple(target.shape)} differ")
    return reconstruction(prediction, target) + mean_penalty(prediction, target)
