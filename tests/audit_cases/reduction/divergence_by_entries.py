"""Kullback-Leibler divergence: the mean over all entries is too small by the number of classes."""

import torch

SEVERITY = "warning"
OPTIONS = {"kind": "distribution", "space": "log_probabilities"}


def kl(log_probs, target):
    if log_probs.shape != target.shape:
        raise ValueError(f"log_probs {tuple(log_probs.shape)} and target {tuple(target.shape)} differ")
    return torch.xlogy(target, target) - target * log_probs


def bug(log_probs, target):
    return kl(log_probs, target).mean()


def fixed(log_probs, target):
    return kl(log_probs, target).sum(dim=-1).mean()
